/* SPDX-License-Identifier: BSD-3-Clause */
/* run_folder.c — settling a run's folder, finding and pruning checkpoints. */
#include "run/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "guard/run_lock.h"

/* --- names ------------------------------------------------------------------------------------------------------ */

char *dcnn_path_join(const char *folder, const char *name) {
    char *path = NULL;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

char *dcnn_checkpoint_path(const char *folder, int64_t step) {
    char *path = NULL;
    return asprintf(&path, "%s/checkpoints/step-%08lld.h5", folder, (long long)step) < 0 ? NULL : path;
}

static bool exists(const char *path) {
    struct stat info;
    return path && stat(path, &info) == 0;
}

/* --- checkpoints ------------------------------------------------------------------------------------------------ */

static int checkpoints_only(const struct dirent *entry) {
    long long step;
    int end = 0;
    return sscanf(entry->d_name, "step-%lld.h5%n", &step, &end) == 1 && entry->d_name[end] == '\0' && end > 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b) {
    const long long x = atoll((*a)->d_name + 5), y = atoll((*b)->d_name + 5); /* behind "step-" */
    return x < y ? 1 : x > y ? -1 : 0;
}

/* The run's checkpoint files, newest first; -1 if there is no such folder. */
static int list_checkpoints(const char *folder, char **checkpoints, struct dirent ***entries) {
    *entries = NULL;
    *checkpoints = dcnn_path_join(folder, "checkpoints");
    return *checkpoints ? scandir(*checkpoints, entries, checkpoints_only, newest_first) : -1;
}

static void free_list(char *checkpoints, struct dirent **entries, int count) {
    for (int i = 0; i < count; i++) free(entries[i]);
    free(entries);
    free(checkpoints);
}

/* A file that a run can go on from: sealed, right, and with all that a resume needs. */
static bool is_whole(const char *path) {
    dcnn_seal seal;
    if (dcnn_file_verify(path, &seal) != DCNN_OK) return false;
    if (seal == DCNN_SEAL_GOOD) return true;
    DCNN_FAIL(DCNN_BAD_INPUT, "%s: cut short: its checksum is missing", path);
    return false;
}

static void set_aside(const char *path) {
    char *bad = NULL;
    if (asprintf(&bad, "%s.bad", path) < 0) return;
    const int renamed = rename(path, bad);
    dcnn_warn("%s; %s %s and going back to the checkpoint before it", dcnn_error(),
              renamed == 0 ? "renaming it" : "it cannot be renamed", bad);
    free(bad);
}

dcnn_status dcnn_checkpoint_newest(const char *folder, char **path) {
    char *checkpoints;
    struct dirent **entries;
    *path = NULL;
    const int count = list_checkpoints(folder, &checkpoints, &entries);
    for (int i = 0; i < count && *path == NULL; i++) {
        char *candidate = dcnn_path_join(checkpoints, entries[i]->d_name);
        if (candidate && is_whole(candidate)) {
            *path = candidate;
        } else {
            if (candidate) set_aside(candidate);
            free(candidate);
        }
    }
    free_list(checkpoints, entries, count);
    return DCNN_OK;
}

void dcnn_checkpoint_prune(const char *folder, int keep) {
    char *checkpoints;
    struct dirent **entries;
    const int count = list_checkpoints(folder, &checkpoints, &entries);
    for (int i = keep; i < count; i++) {
        char *path = dcnn_path_join(checkpoints, entries[i]->d_name);
        if (path) unlink(path);
        free(path);
    }
    free_list(checkpoints, entries, count);
}

/* --- the folder ------------------------------------------------------------------------------------------------- */

static bool holds_run(const char *folder) {
    char *record = dcnn_path_join(folder, "run.json");
    const bool is_run = exists(record);
    free(record);
    return is_run;
}

static int figures_only(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && (strcmp(dot, ".png") == 0 || strcmp(dot, ".svg") == 0 || strcmp(dot, ".dcnn") == 0);
}

/* Everything that dcnn has put into a run's folder, and nothing else. */
static void remove_run(const char *folder) {
    static const char *const files[] = {"run.json",      "result.json", "metrics.csv",
                                        "metrics.jsonl", "steps.jsonl", "histograms.jsonl",
                                        "best.h5",       "report.html", "events.out.tfevents.dcnn"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = dcnn_path_join(folder, files[i]);
        if (path) unlink(path);
        free(path);
    }
    dcnn_checkpoint_prune(folder, 0);
    char *figures = dcnn_path_join(folder, "figures");
    struct dirent **entries = NULL;
    const int count = figures ? scandir(figures, &entries, figures_only, NULL) : -1;
    for (int i = 0; i < count; i++) {
        char *path = dcnn_path_join(figures, entries[i]->d_name);
        if (path) unlink(path);
        free(path);
    }
    if (figures) rmdir(figures); /* stays if there is something of the user's in it */
    free_list(figures, entries, count);
}

/* "runs/NAME" of ".../NAME.h5". */
static char *default_folder(const char *data) {
    const char *slash = strrchr(data, '/'), *name = slash ? slash + 1 : data;
    const char *dot = strrchr(name, '.');
    const int length = dot && dot > name ? (int)(dot - name) : (int)strlen(name);
    char *folder = NULL;
    return asprintf(&folder, "runs/%.*s", length, name) < 0 ? NULL : folder;
}

/* runs/NAME, runs/NAME-2, …: the first without a run, or when resuming the last with one. */
static char *choose_folder(const char *data, bool resume) {
    char *base = default_folder(data), *chosen = base ? strdup(base) : NULL;
    for (int number = 2; chosen && holds_run(chosen); number++) {
        char *next = NULL;
        if (asprintf(&next, "%s-%d", base, number) < 0) next = NULL;
        if (resume && !(next && holds_run(next))) {
            free(next);
            break;
        }
        free(chosen);
        chosen = next;
    }
    free(base);
    return chosen;
}

static dcnn_status prepare_digits(char **data) {
    /* The seed's protocol: the first 42,000 of the 60,000; 10 % test; 20 % of the rest validation. */
    const dcnn_prepare_options recipe = {.limit = 42000, .test_fraction = 0.1, .validation_fraction = 0.2, .seed = 42};
    *data = strdup("runs/mnist.h5");
    if (*data == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    if (exists(*data)) return DCNN_OK;
    char *source = dcnn_embedded_digits(), *summary = NULL;
    if (source == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the embedded digits are not installed: name a data set (dcnn train DATA.h5), "
                                         "or set DCNN_DATA to dcnn's data folder");
    dcnn_status status = dcnn_folder_create("runs");
    if (status == DCNN_OK) status = dcnn_dataset_prepare(1, &source, &recipe, *data, &summary);
    if (status == DCNN_OK) dcnn_info("prepared %s", summary ? summary : *data);
    free(source);
    free(summary);
    return status;
}

/* The data set that a run was started with, by its record; NULL if that does not tell. */
static char *recorded_data(const char *folder) {
    char *path = dcnn_path_join(folder, "run.json");
    json_t *record = path ? json_load_file(path, 0, NULL) : NULL;
    const char *data = json_string_value(json_object_get(record, "data"));
    char *copy = data ? strdup(data) : NULL;
    json_decref(record);
    free(path);
    return copy;
}

/* Of a path's folders the topmost that is not there; NULL if all are. */
static char *topmost_missing(const char *path) {
    char *prefix = strdup(path);
    for (char *end = prefix; prefix && *end != '\0';) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        const char after = *end;
        *end = '\0';
        if (!exists(prefix)) return prefix;
        *end = after;
    }
    free(prefix);
    return NULL;
}

/* Removes the folders that were made for a run that did not begin; rmdir() leaves those that hold something. */
static void remove_made(const dcnn_run *run) {
    char *checkpoints = dcnn_path_join(run->folder, "checkpoints"), *path = strdup(run->folder);
    if (checkpoints) rmdir(checkpoints);
    for (char *slash = path; slash && strlen(path) >= strlen(run->made) && rmdir(path) == 0;) {
        slash = strrchr(path, '/');
        if (slash) *slash = '\0';
    }
    free(checkpoints);
    free(path);
}

static dcnn_status settle(const char *data, const char *folder, bool resume, bool overwrite, dcnn_run *run) {
    if (data == NULL && resume && folder) run->data = recorded_data(folder);
    if (data == NULL && run->data == NULL) DCNN_TRY(prepare_digits(&run->data));
    if (data) run->data = strdup(data);
    if (run->data == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    if (!exists(run->data))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: %s; make a data set with: dcnn prepare SOURCE -o %s", run->data,
                         strerror(errno), run->data);
    run->folder = folder ? strdup(folder) : choose_folder(run->data, resume);
    if (run->folder == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    run->made = topmost_missing(run->folder);
    DCNN_TRY(dcnn_run_lock_take(run->folder, &run->lock));
    if (holds_run(run->folder) && overwrite) remove_run(run->folder);
    if (holds_run(run->folder) && !resume)
        return DCNN_FAIL(
            DCNN_USAGE,
            "%s already holds a run: go on with it (--resume), name another folder (--run), or start afresh "
            "there and lose it (--overwrite)",
            run->folder);
    char *checkpoints = dcnn_path_join(run->folder, "checkpoints");
    dcnn_status status = checkpoints ? dcnn_folder_create(checkpoints) : DCNN_FAIL(DCNN_FAILURE, "out of memory");
    free(checkpoints);
    DCNN_TRY(status);
    return resume ? dcnn_checkpoint_newest(run->folder, &run->checkpoint) : DCNN_OK;
}

/* Rank 0's string to all; NULL stays NULL. */
static dcnn_status share_string(dcnn_comm *comm, char **text) {
    int64_t length = dcnn_comm_rank(comm) == 0 && *text ? (int64_t)strlen(*text) : -1;
    dcnn_comm_broadcast(comm, &length, sizeof length);
    if (length < 0) return DCNN_OK;
    if (dcnn_comm_rank(comm) != 0) *text = calloc((size_t)length + 1, 1);
    DCNN_TRY(dcnn_comm_agree(comm, *text ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path")));
    dcnn_comm_broadcast(comm, *text, (size_t)length);
    return DCNN_OK;
}

dcnn_status dcnn_run_open(dcnn_comm *comm, const char *data, const char *folder, bool resume, bool overwrite,
                          dcnn_run *run) {
    *run = (dcnn_run){0};
    dcnn_status status = DCNN_OK;
    if (dcnn_comm_rank(comm) == 0) status = settle(data, folder, resume, overwrite, run);
    status = dcnn_comm_agree(comm, status);
    if (status == DCNN_OK) status = share_string(comm, &run->folder);
    if (status == DCNN_OK) status = share_string(comm, &run->data);
    if (status == DCNN_OK) status = share_string(comm, &run->checkpoint);
    if (status != DCNN_OK) dcnn_run_free(run);
    return status;
}

void dcnn_run_free(dcnn_run *run) {
    dcnn_run_lock_release(run->lock);
    if (run->made && !holds_run(run->folder)) remove_made(run);
    free(run->made);
    free(run->folder);
    free(run->data);
    free(run->checkpoint);
    *run = (dcnn_run){0};
}
