/* SPDX-License-Identifier: BSD-3-Clause */
/* cifar.c — CIFAR-10's and CIFAR-100's binary files (www.cs.toronto.edu/~kriz/cifar.html): a label (of CIFAR-100 a
 * coarse and a fine one), then 1024 bytes of red, of green, of blue. They have no magic: length and labels must fit. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"
#include "io/spill.h"
#include "sources/readers/array.h"

enum { SIDE = 32, AREA = SIDE * SIDE, PIXELS = 3 * AREA };

/* Bytes of label before each image: 1, 2, or 0 if it is neither. */
static int label_bytes(const uint8_t *bytes, size_t length) {
    for (int labels = 1; labels <= 2; labels++) {
        const size_t record = (size_t)labels + PIXELS;
        bool fits = length > 0 && length % record == 0;
        for (size_t at = 0; at < length && fits; at += record)
            fits = labels == 1 ? bytes[at] < 10 : bytes[at] < 20 && bytes[at + 1] < 100;
        if (fits) return labels;
    }
    return 0;
}

static dcnn_status take_file(const dcnn_opening *opening, const char *path, const uint8_t *bytes, size_t length) {
    const int labels = label_bytes(bytes, length);
    const char *slash = strrchr(path, '/');
    dcnn_role role = DCNN_ROLE_POOL;
    dcnn_count_text count;
    (void)dcnn_role_in(slash ? slash + 1 : path, &role);
    dcnn_source *source =
        dcnn_source_add(opening, opening->given == DCNN_ROLE_POOL ? role : opening->given, "%s", path);
    if (!source) return DCNN_FAILURE;
    source->kind = DCNN_SOURCE_CIFAR;
    const size_t record = (size_t)labels + PIXELS;
    source->count = (int64_t)(length / record);
    source->h = source->w = SIDE;
    source->c = 3;
    uint8_t *pixels = malloc((size_t)source->count * PIXELS);
    source->pixels = source->memory = pixels;
    source->labels = malloc((size_t)source->count * sizeof *source->labels);
    if (!pixels || !source->labels) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its images", path);
    for (int64_t i = 0; i < source->count; i++) {
        const uint8_t *from = bytes + (size_t)i * record + labels;
        source->labels[i] = from[-1];
        for (int j = 0; j < AREA; j++)
            for (int c = 0; c < 3; c++) *pixels++ = from[c * AREA + j];
    }
    if (!opening->options->unlabelled)
        dcnn_source_tell(opening->options, "%s: CIFAR-%s's binary form: %s images of 32x32x3%s%s", path,
                         labels == 1 ? "10" : "100", dcnn_count(source->count, &count), dcnn_role_text(source->role),
                         labels == 1 ? "" : "; the fine labels are taken");
    return DCNN_OK;
}

/* The names of the classes lie beside the files, one a line. */
static dcnn_status take_names(const char *beside, bool fine, dcnn_source *source) {
    const char *slash = strrchr(beside, '/'), *file = fine ? "fine_label_names.txt" : "batches.meta.txt";
    char *path;
    uint8_t *bytes = NULL;
    size_t length;
    if (asprintf(&path, "%.*s%s", slash ? (int)(slash - beside) + 1 : 0, beside, file) < 0)
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", beside);
    struct stat about;
    dcnn_status status = DCNN_OK;
    if (stat(path, &about) == 0 && about.st_size > 0) status = dcnn_file_read(path, &bytes, &length);
    free(path);
    for (char *line = (char *)bytes; status == DCNN_OK && line && *line;) {
        const size_t n = strcspn(line, "\r\n");
        if (n > 0) status = dcnn_names_add(&source->class_names, line, n);
        line += n + strspn(line + n, "\r\n");
    }
    free(bytes);
    return status;
}

static dcnn_status open_file(const dcnn_opening *opening, const char *path, bool *found) {
    struct stat about;
    *found = false;
    if (stat(path, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size == 0) return DCNN_OK;
    if (about.st_size % (1 + PIXELS) != 0 && about.st_size % (2 + PIXELS) != 0) return DCNN_OK;
    void *memory;
    size_t length, mapped;
    DCNN_TRY(dcnn_spill_read(opening->options->aside, path, &memory, &length, &mapped));
    dcnn_status status = DCNN_OK;
    *found = label_bytes(memory, length) > 0;
    if (*found) status = dcnn_source_note(opening, path);
    if (*found && status == DCNN_OK) status = take_file(opening, path, memory, length);
    if (*found && status == DCNN_OK)
        status = take_names(path, label_bytes(memory, length) == 2, &opening->to->items[opening->to->count - 1]);
    dcnn_spill_release(memory, mapped);
    return status;
}

dcnn_status dcnn_cifar_open(const dcnn_opening *opening, const char *path, bool *found) {
    struct stat about;
    *found = false;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode)) return open_file(opening, path, found);
    struct dirent **entries;
    const int count = scandir(path, &entries, NULL, alphasort), before = opening->to->count;
    if (count < 0) return DCNN_OK;
    dcnn_status status = DCNN_OK;
    for (int i = 0; i < count && status == DCNN_OK; i++) {
        const char *dot = strrchr(entries[i]->d_name, '.');
        char *name;
        bool is_one;
        if (!dot || strcmp(dot, ".bin") != 0) continue;
        if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0) {
            status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its files' names", path);
            break;
        }
        status = open_file(opening, name, &is_one);
        free(name);
    }
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    *found = opening->to->count > before;
    return status;
}
