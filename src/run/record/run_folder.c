/* SPDX-License-Identifier: BSD-3-Clause */
/* run_folder.c — settling a run's folder, finding and pruning checkpoints. */
#include "run/record/run_folder.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "guard/run_lock.h"
#include "io/input.h"
#include "io/kind.h"
#include "run/record/run_places.h"
#include "run/record/run_record.h"
#include "sources/prepare.h"
#include "sources/source.h"

/* --- names ------------------------------------------------------------------------------------------------------ */

char *dcnn_path_join(const char *folder, const char *name) {
    char *path = NULL;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

char *dcnn_checkpoint_path(const char *folder, int64_t step) {
    char *path = NULL;
    return asprintf(&path, "%s/" DCNN_RUN_CHECKPOINTS "/step-%08lld.h5", folder, (long long)step) < 0 ? NULL : path;
}

static bool exists(const char *path) {
    struct stat info;
    return path && stat(path, &info) == 0;
}

/* Is it there? Where that cannot be told (an I/O error, no permission), "no" would be a guess that loses a run. */
static dcnn_status find(const char *folder, const char *name, bool *found) {
    struct stat info;
    char *path = dcnn_path_join(folder, name);
    *found = false;
    if (path == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    *found = stat(path, &info) == 0;
    dcnn_status status = DCNN_OK;
    if (!*found && errno != ENOENT && errno != ENOTDIR)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: cannot be examined: %s", path, strerror(errno));
    free(path);
    return status;
}

/* --- checkpoints ------------------------------------------------------------------------------------------------ */

/* Some of a folder's names. */
typedef struct listing {
    char *folder;
    struct dirent **entries;
    int count;
} listing;

static int checkpoints_only(const struct dirent *entry) {
    long long step;
    int end = 0;
    return sscanf(entry->d_name, "step-%lld.h5%n", &step, &end) == 1 && entry->d_name[end] == '\0' && end > 0;
}

static int newest_first(const struct dirent **a, const struct dirent **b) {
    const long long x = atoll((*a)->d_name + 5), y = atoll((*b)->d_name + 5); /* behind "step-" */
    return x < y ? 1 : x > y ? -1 : 0;
}

/* The names of FOLDER/NAME that `wanted` takes; none if there is no such folder. Failing to look is not "none". */
static dcnn_status list(const char *folder, const char *name, int (*wanted)(const struct dirent *),
                        int (*order)(const struct dirent **, const struct dirent **), listing *found) {
    *found = (listing){.folder = dcnn_path_join(folder, name)};
    if (found->folder == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    int count;
    do count = scandir(found->folder, &found->entries, wanted, order);
    while (count < 0 && errno == EINTR);
    if (count < 0 && errno != ENOENT && errno != ENOTDIR)
        return DCNN_FAIL(DCNN_FAILURE, "%s: cannot be listed: %s", found->folder, strerror(errno));
    found->count = count < 0 ? 0 : count;
    return DCNN_OK;
}

static dcnn_status list_checkpoints(const char *folder, listing *found) {
    return list(folder, DCNN_RUN_CHECKPOINTS, checkpoints_only, newest_first, found);
}

static void free_listing(listing *found) {
    for (int i = 0; i < found->count; i++) free(found->entries[i]);
    free(found->entries);
    free(found->folder);
    *found = (listing){.count = 0};
}

/* Is this a file that a run can go on from: sealed, and right? A no is proven by what was read, and read twice: a file
 * that could not be read may be good, and is kept. */
static dcnn_status judge(const char *path, bool *whole) {
    dcnn_seal seal;
    dcnn_status status = dcnn_file_verify(path, &seal);
    if (status == DCNN_BAD_INPUT && seal == DCNN_SEAL_BAD) status = dcnn_file_verify(path, &seal);
    *whole = status == DCNN_OK && seal == DCNN_SEAL_GOOD;
    if (status == DCNN_OK && seal == DCNN_SEAL_NONE)
        DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: cut short, its checksum is missing", path);
    if (status == DCNN_OK || seal == DCNN_SEAL_BAD) return DCNN_OK;
    dcnn_error_prefix("nothing was changed, because this checkpoint may be good; try again");
    return DCNN_FAILURE;
}

static dcnn_status set_aside(const char *path) {
    char *bad = NULL;
    if (asprintf(&bad, "%s.bad", path) < 0) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    dcnn_status status = DCNN_OK;
    if (rename(path, bad) == 0)
        dcnn_warn("%s; renamed %s", dcnn_error(), bad);
    else
        status = DCNN_FAIL(DCNN_FAILURE, "%s: is damaged and cannot be renamed: %s", path, strerror(errno));
    free(bad);
    return status;
}

/* The newest whole checkpoint; those that are proven damaged are renamed *.bad with a warning. *path NULL: there is
 * none. Where something could not be read, that is a failure, and nothing is changed. */
static dcnn_status find_newest(const char *folder, char **path) {
    listing found;
    *path = NULL;
    dcnn_status status = list_checkpoints(folder, &found);
    for (int i = 0; i < found.count && *path == NULL && status == DCNN_OK; i++) {
        char *candidate = dcnn_path_join(found.folder, found.entries[i]->d_name);
        bool whole = false;
        status = candidate ? judge(candidate, &whole) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
        if (status == DCNN_OK && whole)
            *path = candidate;
        else if (status == DCNN_OK)
            status = set_aside(candidate);
        if (*path == NULL) free(candidate);
        if (*path && i > 0) dcnn_warn("going back to the checkpoint before: %s", *path);
    }
    free_listing(&found);
    return status;
}

static void remove_from(const listing *found, int first) {
    for (int i = first; i < found->count; i++) {
        char *path = dcnn_path_join(found->folder, found->entries[i]->d_name);
        if (path) unlink(path);
        free(path);
    }
}

void dcnn_checkpoint_prune(const char *folder, int keep) {
    listing found;
    if (list_checkpoints(folder, &found) == DCNN_OK) remove_from(&found, keep);
    free_listing(&found);
}

/* --- the folder ------------------------------------------------------------------------------------------------- */

/* What marks a run that is being removed: run.json under another name. Killed in the middle of it, the next start goes
 * on removing, instead of taking what is left for a run. */
#define REMOVED DCNN_RUN_RECORD ".removed"

/* What only the training that holds the lock writes, beside run.json and checkpoints. */
static const char *const own_files[] = {DCNN_RUN_OF_TRAINING};
enum { OWN_FILES = sizeof own_files / sizeof own_files[0] };

/* A run: its record, or what is left of it. */
static dcnn_status find_run(const char *folder, bool *found) {
    listing checkpoints = {.count = 0};
    dcnn_status status = find(folder, DCNN_RUN_RECORD, found);
    if (status == DCNN_OK && !*found) status = find(folder, REMOVED, found);
    if (status == DCNN_OK && !*found) status = list_checkpoints(folder, &checkpoints);
    *found = *found || checkpoints.count > 0;
    free_listing(&checkpoints);
    return status;
}

/* Where that cannot be told, yes: it is not to be removed then. */
static bool holds_run(const char *folder) {
    bool found;
    return find_run(folder, &found) != DCNN_OK || found;
}

static int figures_only(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');
    return dot && (strcmp(dot, ".png") == 0 || strcmp(dot, ".svg") == 0 || strcmp(dot, ".dcnn") == 0);
}

/* Checkpoints, and those set aside as damaged. */
static int steps_only(const struct dirent *entry) {
    return strncmp(entry->d_name, "step-", 5) == 0;
}

static dcnn_status remove_file(const char *folder, const char *name) {
    char *path = dcnn_path_join(folder, name);
    dcnn_status status = path ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    if (path && unlink(path) != 0 && errno != ENOENT)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: cannot be removed: %s", path, strerror(errno));
    free(path);
    return status;
}

static dcnn_status remove_files(const char *folder, const char *name, int (*wanted)(const struct dirent *)) {
    listing found;
    dcnn_status status = list(folder, name, wanted, NULL, &found);
    for (int i = 0; i < found.count && status == DCNN_OK; i++)
        status = remove_file(found.folder, found.entries[i]->d_name);
    if (found.folder) rmdir(found.folder); /* stays if there is something of the user's in it */
    free_listing(&found);
    return status;
}

/* Temporary files of those: a killed training's, maybe on another host. Reports and predictions may be in the making.
 */
static int temporary_only(const struct dirent *entry) {
    const char *name = entry->d_name;
    const size_t length = strlen(name), record = strlen(DCNN_RUN_RECORD);
    if (length < 5 || strcmp(name + length - 4, ".tmp") != 0) return 0;
    bool own = strncmp(name, "step-", 5) == 0 || (strncmp(name, DCNN_RUN_RECORD, record) == 0 && name[record] == '.');
    for (int i = 0; i < OWN_FILES && !own; i++) {
        const size_t its = strlen(own_files[i]);
        own = strncmp(name, own_files[i], its) == 0 && name[its] == '.';
    }
    return own;
}

static void remove_temporary(const char *folder) {
    static const char *const folders[] = {".", DCNN_RUN_CHECKPOINTS};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        listing found;
        if (list(folder, folders[i], temporary_only, NULL, &found) == DCNN_OK) remove_from(&found, 0);
        free_listing(&found);
    }
}

static dcnn_status remove_several(const char *folder);

/* Everything that dcnn has put into a run's folder, and nothing else. What marks the run goes last. */
static dcnn_status remove_run(const char *folder) {
    char *record = dcnn_path_join(folder, DCNN_RUN_RECORD), *removed = dcnn_path_join(folder, REMOVED);
    dcnn_status status = record && removed ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    if (status == DCNN_OK && rename(record, removed) != 0 && errno != ENOENT)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: cannot be removed: %s", record, strerror(errno));
    free(record);
    free(removed);
    DCNN_TRY(status);
    DCNN_TRY(remove_files(folder, DCNN_RUN_CHECKPOINTS, steps_only));
    for (int i = 0; i < OWN_FILES; i++) DCNN_TRY(remove_file(folder, own_files[i]));
    DCNN_TRY(remove_file(folder, DCNN_RUN_PAGE));
    DCNN_TRY(remove_file(folder, DCNN_RUN_EVALUATION));
    DCNN_TRY(remove_file(folder, DCNN_RUN_EVENTS));
    DCNN_TRY(remove_files(folder, DCNN_RUN_FIGURES, figures_only));
    DCNN_TRY(remove_several(folder));
    return remove_file(folder, REMOVED);
}

/* What a run of several networks has in its folder: a run each, named by a number, and what was written of all. */
typedef struct several {
    const char *key; /* of its record; what is there counts */
    const char *prefix;
    const char *files[2];
} several;
static const several kinds_of_several[] = {{"ensemble", DCNN_RUN_MEMBER, {NULL}},
                                           {"tune", DCNN_RUN_TRIAL, {DCNN_RUN_TRIALS_CSV, DCNN_RUN_TRIALS_FIGURE}}};
enum { KINDS_OF_SEVERAL = sizeof kinds_of_several / sizeof kinds_of_several[0] };

static int numbered_only(const struct dirent *entry) {
    for (int i = 0; i < KINDS_OF_SEVERAL; i++) {
        const size_t prefix = strlen(kinds_of_several[i].prefix);
        if (strncmp(entry->d_name, kinds_of_several[i].prefix, prefix) != 0) continue;
        const char *number = entry->d_name + prefix, *end = number + strspn(number, "0123456789");
        if (end == number) return 0;
        if (strncmp(end, DCNN_RUN_RUNG, strlen(DCNN_RUN_RUNG)) == 0) end += strlen(DCNN_RUN_RUNG);
        return end[strspn(end, "0123456789")] == '\0';
    }
    return 0;
}

static dcnn_status remove_numbered(const char *folder, const char *prefix) {
    listing found;
    dcnn_status status = list(folder, ".", numbered_only, NULL, &found);
    for (int i = 0; i < found.count && status == DCNN_OK; i++) {
        if (strncmp(found.entries[i]->d_name, prefix, strlen(prefix)) != 0) continue;
        char *one = dcnn_path_join(folder, found.entries[i]->d_name);
        status = one ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
        if (status == DCNN_OK && holds_run(one)) status = remove_run(one);
        if (one) rmdir(one); /* stays if there is something of the user's in it */
        free(one);
    }
    free_listing(&found);
    return status;
}

/* The runs of an ensemble's networks or of a search's trials, if the run that is being removed was one. */
static dcnn_status remove_several(const char *folder) {
    char *removed = dcnn_path_join(folder, REMOVED);
    json_t *record = removed && dcnn_input_is_file(removed) ? json_load_file(removed, 0, NULL) : NULL;
    dcnn_status status = removed ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    free(removed);
    for (int i = 0; i < KINDS_OF_SEVERAL && status == DCNN_OK; i++) {
        const several *kind = &kinds_of_several[i];
        if (record && !json_object_get(record, kind->key)) continue; /* damaged: it may have been either */
        status = remove_numbered(folder, kind->prefix);
        for (int k = 0; k < 2 && kind->files[k] && status == DCNN_OK; k++) status = remove_file(folder, kind->files[k]);
    }
    json_decref(record);
    return status;
}

/* Names that are a run's own at the top of its folder, also where a start failed before it had a record. */
static bool is_own_name(const struct dirent *entry) {
    static const char *const own[] = {DCNN_RUN_CHECKPOINTS, DCNN_RUN_FIGURES, DCNN_RUN_TRIALS_FIGURE};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(entry->d_name, own[i]) == 0) return true;
    return numbered_only(entry);
}

/* A folder of pictures is no run's folder: checkpoints and figures would stand beside its classes, and the next `dcnn
 * prepare` would take them for pictures. Anything else may lie there: a job's output and script, logs, the data set,
 * what a failed start has left. A folder that holds a run is one, whatever the user has put into it. */
static dcnn_status check_no_pictures(const char *folder) {
    bool found;
    DCNN_TRY(find_run(folder, &found));
    char *picture = found ? NULL : dcnn_run_places_picture(folder, is_own_name);
    if (picture == NULL) return DCNN_OK;
    const dcnn_status status =
        DCNN_FAIL(DCNN_USAGE,
                  "%s: is a folder of pictures (%s), among which a run's files would stand: name another folder for "
                  "the run (--run)",
                  folder, picture);
    free(picture);
    return status;
}

/* Files of a run's names that no run here has made would be replaced, those of its report too. */
static dcnn_status check_no_files(const char *folder) {
    static const char *const names[] = {DCNN_RUN_OF_TRAINING, DCNN_RUN_MADE_OF_IT};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool found;
        DCNN_TRY(find(folder, names[i], &found));
        if (found)
            return DCNN_FAIL(DCNN_USAGE,
                             "%s/%s is there, but no run that it is of, and this one would replace it: name another "
                             "folder (--run), or let it be replaced (--overwrite)",
                             folder, names[i]);
    }
    return DCNN_OK;
}

/* May a run begin, or go on, in this folder? @param replaces  out: once the run that it holds is removed */
static dcnn_status check_folder(const char *folder, bool resume, bool overwrite, bool *replaces) {
    bool removing, found;
    DCNN_TRY(find(folder, REMOVED, &removing));
    DCNN_TRY(find_run(folder, &found));
    if (removing && !overwrite)
        dcnn_warn("%s: a start with --overwrite was killed while it was removing this run: finishing that", folder);
    if (removing) return remove_run(folder);
    *replaces = found && overwrite;
    if (resume || overwrite) return DCNN_OK;
    if (!found) return check_no_files(folder);
    return DCNN_FAIL(
        DCNN_USAGE,
        "%s already holds a run: go on with it (--resume), name another folder (--run), or start afresh there and lose "
        "it (--overwrite)",
        folder);
}

/* "runs/NAME" of ".../NAME.h5". */
static char *default_folder(const char *data) {
    const char *slash = strrchr(data, '/'), *name = slash ? slash + 1 : data;
    const char *dot = strrchr(name, '.');
    const int length = dot && dot > name ? (int)(dot - name) : (int)strlen(name);
    char *folder = NULL;
    return asprintf(&folder, "runs/%.*s", length, name) < 0 ? NULL : folder;
}

/* runs/NAME, runs/NAME-2, …: the first without a run, or when resuming the last with one. One that cannot be examined
 * ends the search: those behind it would be no better. */
static dcnn_status choose_folder(const char *data, bool resume, char **chosen) {
    char *base = default_folder(data), *next = base ? strdup(base) : NULL;
    dcnn_status status = DCNN_OK;
    *chosen = NULL;
    for (int number = 2; next; number++) {
        bool found;
        status = find_run(next, &found);
        if (status != DCNN_OK || !found) break;
        free(*chosen);
        *chosen = next;
        if (asprintf(&next, "%s-%d", base, number) < 0) next = NULL;
    }
    if (status == DCNN_OK && next == NULL) status = DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    if (status == DCNN_OK && !(resume && *chosen)) {
        free(*chosen);
        *chosen = next;
        next = NULL;
    }
    free(next);
    free(base);
    return status;
}

static dcnn_status prepare_digits(const char *data) {
    /* The seed's protocol: the first 42,000 of the 60,000; 10 % test; 20 % of the rest validation. */
    const dcnn_prepare_options recipe = {.limit = 42000,
                                         .split = {.test_fraction = 0.1, .validation_fraction = 0.2, .seed = 42}};
    if (exists(data)) return DCNN_OK;
    char *source = dcnn_embedded_digits(), *summary = NULL;
    if (source == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the embedded digits are not installed: name a data set (dcnn train DATA.h5), "
                                         "or set DCNN_DATA to dcnn's data folder");
    dcnn_status status = dcnn_folder_create("runs");
    if (status == DCNN_OK) status = dcnn_dataset_prepare(1, &source, &recipe, data, &summary);
    if (status == DCNN_OK) dcnn_info("prepared %s", summary ? summary : data);
    free(source);
    free(summary);
    return status;
}

/* The data set that the run in this folder was started with, by its record; NULL if there is no run. */
static dcnn_status recorded_data(const char *folder, char **data) {
    json_t *record;
    bool damaged, found;
    dcnn_status status = dcnn_run_record_read(folder, &record, &damaged);
    const char *recorded = json_string_value(json_object_get(record, "data"));
    if (recorded) *data = strdup(recorded);
    if (recorded && *data == NULL) status = DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    json_decref(record);
    if (damaged)
        return DCNN_FAIL(status, "%s; say which data set it was: dcnn train DATA.h5 --run %s --resume", dcnn_error(),
                         folder);
    if (recorded || status != DCNN_OK) return status;
    DCNN_TRY(find_run(folder, &found));
    if (!found) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s/" DCNN_RUN_RECORD " does not say which data set this run was started with: dcnn train DATA.h5 "
                     "--run %s --resume",
                     folder, folder);
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
    char *checkpoints = dcnn_path_join(run->folder, DCNN_RUN_CHECKPOINTS), *path = strdup(run->folder);
    if (checkpoints) rmdir(checkpoints);
    for (char *slash = path; slash && strlen(path) >= strlen(run->made) && rmdir(path) == 0;) {
        slash = strrchr(path, '/');
        if (slash) *slash = '\0';
    }
    free(checkpoints);
    free(path);
}

static dcnn_status make_checkpoints(const char *folder) {
    char *path = dcnn_path_join(folder, DCNN_RUN_CHECKPOINTS);
    const dcnn_status status = path ? dcnn_folder_create(path) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    free(path);
    return status;
}

/* Of the files that beginning anew would replace, one that is there; NULL: none. A run has them from its first
 * checkpoint on, best.h5 from its first epoch, the result at its end. @param late  only those two */
static dcnn_status find_left(const char *folder, bool late, const char **left) {
    static const char *const names[] = {DCNN_RUN_BEST, DCNN_RUN_RESULT, DCNN_RUN_OF_TRAINING};
    bool found = false;
    *left = NULL;
    for (int i = 0; i < (late ? 2 : 2 + OWN_FILES) && !found; i++) {
        DCNN_TRY(find(folder, names[i], &found));
        if (found) *left = names[i];
    }
    return DCNN_OK;
}

/* A run that has more than its record, and no whole checkpoint, was not killed early: somebody has removed them, or the
 * disk has damaged them. To begin anew would end with files of this start's own options in the place of those that are
 * left; where they were damaged before an epoch was done, it is what is left to do. Only an ensemble's folder has the
 * one without the others. */
static dcnn_status check_may_begin(const char *folder) {
    listing steps = {.count = 0}; /* damaged ones */
    json_t *record = NULL;
    const char *left = NULL;
    bool damaged;
    dcnn_status status = list(folder, DCNN_RUN_CHECKPOINTS, steps_only, NULL, &steps);
    if (status == DCNN_OK) status = find_left(folder, steps.count > 0, &left);
    if (status == DCNN_OK && !left && steps.count > 0)
        dcnn_warn("%s: no whole checkpoint is left: training starts from the beginning", folder);
    if (status != DCNN_OK || !left) goto done;
    status = dcnn_run_record_read(folder, &record, &damaged);
    if (damaged) status = DCNN_OK;
    if (status == DCNN_OK && json_object_get(record, "ensemble") == NULL) {
        const bool best = strcmp(left, DCNN_RUN_BEST) == 0;
        status =
            DCNN_FAIL(DCNN_BAD_INPUT,
                      "%s: its checkpoints are %s%s, so this run cannot go on; %s is still there%s; to begin it anew: "
                      "--overwrite",
                      folder, steps.count > 0 ? "damaged" : "gone", best ? "" : ", and there is no best.h5", left,
                      best ? " for evaluate and predict" : "");
    }
done:
    json_decref(record);
    free_listing(&steps);
    return status;
}

static dcnn_status settle(const char *data, const char *folder, bool resume, bool overwrite, dcnn_run *run) {
    if (data == NULL && resume && folder) DCNN_TRY(recorded_data(folder, &run->data));
    const bool digits = data == NULL && run->data == NULL;
    if (run->data == NULL) run->data = strdup(data ? data : "runs/mnist.h5");
    if (run->data == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    if (!dcnn_text_is_utf8(run->data))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: its name is not UTF-8, so the run's record could not say it: give it another name, or a "
                         "link with one",
                         run->data);
    char word[DCNN_SHELL_WORD];
    if (!digits && !exists(run->data))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: %s; make a data set with: dcnn prepare SOURCE -o %s", run->data,
                         strerror(errno), dcnn_shell_word(run->data, word, sizeof word));
    if (folder)
        run->folder = strdup(folder);
    else
        DCNN_TRY(choose_folder(run->data, resume, &run->folder));
    if (run->folder == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    DCNN_TRY(check_no_pictures(run->folder));
    run->made = topmost_missing(run->folder);
    DCNN_TRY(dcnn_run_place_check(run->folder, DCNN_RUN_LOCK));
    DCNN_TRY(dcnn_run_lock_take(run->folder, &run->lock));
    DCNN_TRY(dcnn_run_places_check(run->folder, overwrite));
    DCNN_TRY(check_folder(run->folder, resume, overwrite, &run->replaces));
    if (!run->replaces) DCNN_TRY(dcnn_run_places_check(run->folder, false)); /* nothing is removed */
    if (resume) DCNN_TRY(find_newest(run->folder, &run->checkpoint));
    if (resume && run->checkpoint == NULL) DCNN_TRY(check_may_begin(run->folder));
    if (digits) DCNN_TRY(prepare_digits(run->data));
    remove_temporary(run->folder);
    return make_checkpoints(run->folder);
}

dcnn_status dcnn_run_clear(const dcnn_run *run) {
    if (!run->replaces) return DCNN_OK;
    DCNN_TRY(remove_run(run->folder));
    return make_checkpoints(run->folder);
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
