/* SPDX-License-Identifier: BSD-3-Clause */
/* data_path.c — where dcnn's own data are. */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/dataset/dataset.h"
#include "io/file.h"

/* PARENT/NAME if there is such a file. */
static char *if_there(const char *parent, const char *name) {
    char *path;
    if (parent == NULL || asprintf(&path, "%s/%s", parent, name) < 0) return NULL;
    if (access(path, R_OK) == 0) return path;
    free(path);
    return NULL;
}

/* PREFIX/share/dcnn of the program at PREFIX/bin/dcnn, wherever that was moved to. */
static char *beside_program(const char *name) {
    char program[4096], *parent = NULL;
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0) return NULL;
    program[length] = '\0';
    if (asprintf(&parent, "%s/share/dcnn", dirname(dirname(program))) < 0) return NULL;
    char *path = if_there(parent, name);
    free(parent);
    return path;
}

char *dcnn_data_path(const char *name) {
    char *path = if_there(getenv("DCNN_DATA"), name);
    if (path == NULL) path = beside_program(name);
    if (path == NULL) path = if_there(DCNN_SHARE_DIR, name);
#ifdef DCNN_SOURCE_DIR
    if (path == NULL) path = if_there(DCNN_SOURCE_DIR "/data", name);
#endif
    return path;
}

char *dcnn_embedded_digits(void) {
    return dcnn_data_path("mnist");
}
