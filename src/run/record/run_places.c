/* SPDX-License-Identifier: BSD-3-Clause */
/* run_places.c — see run_places.h. */
#include "run/record/run_places.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "run/record/run_folder.h"

dcnn_status dcnn_run_place_check(const char *folder, const char *name) {
    struct stat about;
    char *path = dcnn_path_join(folder, name);
    if (path == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    dcnn_status status = DCNN_OK;
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode))
        status = DCNN_FAIL(DCNN_BAD_INPUT,
                           "%s: is a %s, where a file of the run belongs: remove it, or give it another name", path,
                           S_ISFIFO(about.st_mode)   ? "FIFO"
                           : S_ISSOCK(about.st_mode) ? "socket"
                                                     : "device");
    free(path);
    return status;
}

/* All that lies in a folder of the run. What cannot be listed is told by who needs it. */
static dcnn_status check_inside(const char *folder, const char *name) {
    char *path = dcnn_path_join(folder, name);
    DIR *stream = path ? opendir(path) : NULL;
    const struct dirent *entry;
    dcnn_status status = path ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    while (stream && status == DCNN_OK && (entry = readdir(stream)) != NULL)
        status = dcnn_run_place_check(path, entry->d_name);
    if (stream) closedir(stream);
    free(path);
    return status;
}

dcnn_status dcnn_run_places_check(const char *folder) {
    static const char *const names[] = {DCNN_RUN_RECORD,     DCNN_RUN_RESULT,     DCNN_RUN_CSV,
                                        DCNN_RUN_METRICS,    DCNN_RUN_STEPS,      DCNN_RUN_BEST,
                                        DCNN_RUN_HISTOGRAMS, DCNN_RUN_PAGE,       DCNN_RUN_EVALUATION,
                                        DCNN_RUN_EVENTS,     DCNN_RUN_TRIALS_CSV, DCNN_RUN_TRIALS_FIGURE};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) DCNN_TRY(dcnn_run_place_check(folder, names[i]));
    DCNN_TRY(check_inside(folder, DCNN_RUN_CHECKPOINTS));
    return check_inside(folder, DCNN_RUN_FIGURES);
}
