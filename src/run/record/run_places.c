/* SPDX-License-Identifier: BSD-3-Clause */
/* run_places.c — see run_places.h. */
#include "run/record/run_places.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/kind.h"
#include "run/record/run_folder.h"
#include "sources/prepare.h"
#include "sources/source.h"

/* What may stand at a place. */
typedef enum allowed {
    A_FILE,
    A_FOLDER,
    FILE_OR_FOLDER, /* whose names are the user's; a link of his may lead nowhere */
    NO_FOLDER       /* it is to be removed: all else can be */
} allowed;

static bool is_allowed(mode_t mode, allowed what) {
    if (what == NO_FOLDER) return !S_ISDIR(mode);
    return (S_ISREG(mode) && what != A_FOLDER) || (S_ISDIR(mode) && what != A_FILE);
}

static const char *name_of(mode_t mode) {
    return S_ISDIR(mode)    ? "folder"
           : S_ISREG(mode)  ? "file"
           : S_ISFIFO(mode) ? "FIFO"
           : S_ISSOCK(mode) ? "socket"
                            : "device";
}

static dcnn_status check_place(const char *folder, const char *name, allowed what) {
    struct stat about;
    char *path = dcnn_path_join(folder, name);
    if (path == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    const char *wanted = what == A_FOLDER ? "folder" : "file";
    const bool found = stat(path, &about) == 0;
    const bool dangles = !found && errno == ENOENT && (what == A_FILE || what == A_FOLDER) && lstat(path, &about) == 0;
    dcnn_status status = DCNN_OK;
    if (dangles)
        status = DCNN_FAIL(DCNN_BAD_INPUT,
                           "%s: is a link that leads nowhere, where a %s of the run belongs: bring back what it leads "
                           "to, or remove the link",
                           path, wanted);
    else if (found && !is_allowed(about.st_mode, what))
        status =
            DCNN_FAIL(DCNN_BAD_INPUT, "%s: is a %s, where a %s of the run belongs: remove it, or give it another name",
                      path, name_of(about.st_mode), wanted);
    free(path);
    return status;
}

dcnn_status dcnn_run_place_check(const char *folder, const char *name) {
    return check_place(folder, name, A_FILE);
}

static bool ends_in(const char *name, const char *const endings[]) {
    const char *dot = strrchr(name, '.');
    for (int i = 0; dot && endings[i]; i++)
        if (strcmp(dot, endings[i]) == 0) return true;
    return false;
}

/* A folder of the run, and all that lies in it: under names as the run's files have, and others. What cannot be listed
 * is told by who needs it. */
static dcnn_status check_inside(const char *folder, const char *name, bool removed, const char *const endings[]) {
    char *path = dcnn_path_join(folder, name);
    DIR *stream = path ? opendir(path) : NULL;
    const struct dirent *entry;
    dcnn_status status = path ? check_place(folder, name, A_FOLDER) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    while (stream && status == DCNN_OK && (entry = readdir(stream)) != NULL)
        if (ends_in(entry->d_name, endings))
            status = check_place(path, entry->d_name, removed ? NO_FOLDER : A_FILE);
        else if (!removed)
            status = check_place(path, entry->d_name, FILE_OR_FOLDER);
    if (stream) closedir(stream);
    free(path);
    return status;
}

dcnn_status dcnn_run_places_check(const char *folder, bool removed) {
    static const char *const names[] = {DCNN_RUN_RECORD, DCNN_RUN_OF_TRAINING, DCNN_RUN_MADE_OF_IT};
    static const char *const steps[] = {".h5", NULL}, *const figures[] = {".png", ".svg", NULL};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        DCNN_TRY(check_place(folder, names[i], removed ? NO_FOLDER : A_FILE));
    DCNN_TRY(check_inside(folder, DCNN_RUN_CHECKPOINTS, removed, steps));
    return check_inside(folder, DCNN_RUN_FIGURES, removed, figures);
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
