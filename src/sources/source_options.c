/* SPDX-License-Identifier: BSD-3-Clause */
/* source_options.c — which options say how a source is read, and the refusal of those that say nothing. */
#include <stdio.h>
#include <string.h>

#include "sources/source.h"

/* The table: what is not for a kind of source is not read there. */
enum { LABEL = 1, TARGETS = 2, SHAPE = 4, SCALE = 8, TRANSPOSE = 16 };
static const struct {
    const char *is, *are;
    unsigned options;
} kinds[DCNN_SOURCE_KIND_COUNT] = {
    [DCNN_SOURCE_FOLDER] = {"a folder of pictures", NULL, 0},
    [DCNN_SOURCE_LIST] = {"a list of pictures", "lists of pictures", LABEL | TARGETS},
    [DCNN_SOURCE_TABLE] = {"a table of pixels", "tables of pixels", LABEL | TARGETS | SHAPE | SCALE},
    [DCNN_SOURCE_ARRAY] = {"an array of images (IDX, NumPy, MATLAB, HDF5)", "arrays (IDX, NumPy, MATLAB, HDF5)",
                           TARGETS | SCALE | TRANSPOSE},
    [DCNN_SOURCE_FLAT] = {"an array of lines of pixels", "arrays of lines of pixels", TARGETS | SHAPE | SCALE},
    [DCNN_SOURCE_CIFAR] = {"CIFAR's binary form", NULL, 0},
};

static dcnn_status fail(const char *name, unsigned option, const dcnn_source *source) {
    char text[256] = "";
    size_t used = 0;
    int left = 0;
    for (int i = 0; i < DCNN_SOURCE_KIND_COUNT; i++) left += (kinds[i].options & option) != 0;
    for (int i = 0; i < DCNN_SOURCE_KIND_COUNT; i++)
        if (kinds[i].options & option)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", kinds[i].are,
                                     --left > 1  ? ", "
                                     : left == 1 ? " and "
                                                 : "");
    return DCNN_FAIL(DCNN_USAGE, "--%s is for %s; %s is %s: leave it out", name, text, source->name,
                     kinds[source->kind].is);
}

dcnn_status dcnn_sources_check_options(const dcnn_sources *sources, const dcnn_source_options *o) {
    const struct {
        const char *name;
        unsigned option;
        bool given;
    } asked[] = {{"label-column", LABEL, o->label_column != NULL},
                 {"target-columns", TARGETS, o->target_columns != NULL},
                 {"shape", SHAPE, o->h > 0},
                 {"scale", SCALE, o->scale > 0},
                 {"transpose", TRANSPOSE, o->transpose}};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        bool read = !asked[i].given;
        for (int j = 0; j < sources->count && !read; j++)
            read = kinds[sources->items[j].kind].options & asked[i].option;
        if (!read && sources->count > 0) return fail(asked[i].name, asked[i].option, &sources->items[0]);
    }
    return DCNN_OK;
}
