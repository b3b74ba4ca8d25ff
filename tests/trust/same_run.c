/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * same_run.c — are two runs' folders the same, but for times? Names of files; weights, moments, progress and history of
 * every checkpoint and of best.h5; metrics; the result.
 *
 *   same_run UNDISTURBED OTHER     exit 0: the same; 1: the first difference is said
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "model/model.h"

static void differ(const char *name, const char *what) {
    printf("%s: %s\n", name, what);
    exit(1);
}

static bool ends_with(const char *name, const char *end) {
    const size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* Lines of JSON without what tells of time and of the machine. */
static json_t *without_times(const char *text) {
    static const char *const times[] = {"seconds", "wall_time", "images_per_s", "phases", "elapsed_s", "date"};
    json_t *lines = json_array();
    for (const char *at = text; at && *at != '\0';) {
        const size_t bytes = strcspn(at, "\n");
        json_t *line = json_loadb(at, bytes, 0, NULL);
        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) json_object_del(line, times[i]);
        if (line) json_array_append_new(lines, line);
        at += bytes + (at[bytes] == '\n');
    }
    return lines;
}

static char *read_text(const char *path) {
    uint8_t *bytes;
    size_t length;
    if (dcnn_file_read(path, &bytes, &length) != DCNN_OK) return strdup("");
    return (char *)bytes;
}

static void compare_texts(const char *name, const char *a, const char *b) {
    json_t *x = without_times(a), *y = without_times(b);
    if (!json_equal(x, y)) differ(name, "its lines differ");
    json_decref(x);
    json_decref(y);
}

static void compare_models(const char *name, const char *a, const char *b) {
    dcnn_checkpoint x, y;
    if (dcnn_checkpoint_read(a, &x) != DCNN_OK) differ(name, dcnn_error());
    if (dcnn_checkpoint_read(b, &y) != DCNN_OK) differ(name, dcnn_error());
    if (y.seal != DCNN_SEAL_GOOD) differ(name, "not sealed");
    if (dcnn_weights_hash(x.net) != dcnn_weights_hash(y.net)) differ(name, "other weights");
    const size_t bytes = x.net->param_count * sizeof(float);
    if (!x.m != !y.m || !x.v != !y.v) differ(name, "moments in one alone"); /* best.h5 has none */
    if ((x.m && memcmp(x.m, y.m, bytes) != 0) || (x.v && memcmp(x.v, y.v, bytes) != 0)) differ(name, "other moments");
    if (!x.average != !y.average) differ(name, "averages in one alone");
    if (x.average && memcmp(x.average, y.average, bytes) != 0) differ(name, "other averages");
    x.progress.elapsed_s = y.progress.elapsed_s = 0;
    if (memcmp(&x.progress, &y.progress, sizeof x.progress) != 0) differ(name, "other progress");
    compare_texts(name, x.history, y.history);
    dcnn_checkpoint_free(&x);
    dcnn_checkpoint_free(&y);
}

static void compare_files(const char *name, const char *a, const char *b) {
    if (ends_with(name, ".h5")) {
        compare_models(name, a, b);
    } else if (ends_with(name, ".jsonl") || ends_with(name, ".csv")) {
        char *x = read_text(a), *y = read_text(b);
        if (ends_with(name, ".csv") && strcmp(x, y) != 0) differ(name, "its lines differ");
        if (!ends_with(name, ".csv")) compare_texts(name, x, y);
        free(x);
        free(y);
    } else if (strcmp(name, "result.json") == 0) {
        json_t *x = json_load_file(a, 0, NULL), *y = json_load_file(b, 0, NULL);
        static const char *const times[] = {"date", "elapsed_s", "images_per_s"};
        for (int i = 0; i < 3; i++) json_object_del(x, times[i]), json_object_del(y, times[i]);
        if (!json_equal(x, y)) differ(name, "another result");
        json_decref(x);
        json_decref(y);
    }
}

static int no_dots(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

static void compare_folders(const char *a, const char *b) {
    struct dirent **x, **y;
    const int count = scandir(a, &x, no_dots, alphasort), other = scandir(b, &y, no_dots, alphasort);
    if (count < 0 || other < 0) differ(a, "cannot be listed");
    for (int i = 0; i < count || i < other; i++) {
        if (i >= count) differ(y[i]->d_name, "is there, and should not be");
        if (i >= other) differ(x[i]->d_name, "is missing");
        const int order = strcmp(x[i]->d_name, y[i]->d_name);
        if (order < 0) differ(x[i]->d_name, "is missing");
        if (order > 0) differ(y[i]->d_name, "is there, and should not be");
        char one[1024], two[1024];
        struct stat about;
        snprintf(one, sizeof one, "%s/%s", a, x[i]->d_name);
        snprintf(two, sizeof two, "%s/%s", b, y[i]->d_name);
        if (stat(one, &about) == 0 && S_ISDIR(about.st_mode))
            compare_folders(one, two);
        else
            compare_files(x[i]->d_name, one, two);
        free(x[i]);
        free(y[i]);
    }
    free(x);
    free(y);
}

int main(int count, char **words) {
    if (count != 3) return 2;
    compare_folders(words[1], words[2]);
    return 0;
}
