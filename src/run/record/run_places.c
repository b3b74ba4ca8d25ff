/* SPDX-License-Identifier: BSD-3-Clause */
/* run_places.c — see run_places.h. */
#include "run/record/run_places.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "io/kind.h"
#include "run/record/run_folder.h"
#include "sources/prepare.h"
#include "sources/source.h"

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
    static const char *const names[] = {DCNN_RUN_RECORD, DCNN_RUN_OF_TRAINING, DCNN_RUN_MADE_OF_IT};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) DCNN_TRY(dcnn_run_place_check(folder, names[i]));
    DCNN_TRY(check_inside(folder, DCNN_RUN_CHECKPOINTS));
    return check_inside(folder, DCNN_RUN_FIGURES);
}

/* The first picture of a folder or of those in it, by its name; NULL: none among the first names, which is all that is
 * worth a look before a training. Root, class; or root, split, class: so deep do pictures lie. What stands beside a
 * folder of classes, in none of these, is nothing to it. @param left  names to look at */
static char *find_picture(const char *folder, int depth, int deepest, int *left, dcnn_own_name *own) {
    DIR *stream = opendir(folder);
    const struct dirent *entry;
    char *found = NULL;
    while (stream && !found && (*left)-- > 0 && (entry = readdir(stream)) != NULL) {
        struct stat about;
        if (entry->d_name[0] == '.' || (depth == 0 && own(entry))) continue;
        char *path = dcnn_path_join(folder, entry->d_name);
        dcnn_role split;
        const int below = depth == 0 && dcnn_role_of(entry->d_name, &split) ? depth + 2 : deepest;
        if (dcnn_name_is_image(entry->d_name)) {
            found = path;
            break;
        }
        if (path && depth < below && (entry->d_type != DT_REG) && stat(path, &about) == 0 && S_ISDIR(about.st_mode))
            found = find_picture(path, depth + 1, below, left, own);
        free(path);
    }
    if (stream) closedir(stream);
    return found;
}

char *dcnn_run_places_picture(const char *folder, dcnn_own_name *own) {
    int left = 10000;
    return find_picture(folder, 0, 1, &left, own);
}
