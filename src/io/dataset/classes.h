/* SPDX-License-Identifier: BSD-3-Clause */
/** @file classes.h — which classes occur, and how often: counted in one place, for every command. */
#ifndef DCNN_IO_CLASSES_H
#define DCNN_IO_CLASSES_H

#include <stdint.h>

#include "base/status.h"

typedef struct dcnn_class_census {
    int class_count;
    int64_t *counts; /**< [class_count]; owned */
    int occurring;
    int least, most; /**< classes that occur with the fewest and the most samples; -1: none occurs */
} dcnn_class_census;

/** Counts labels, each in 0..class_count-1. @param rows  which of them; NULL: the first `count`. Free with
 * dcnn_class_census_free(). @return DCNN_OK, DCNN_FAILURE (memory) */
dcnn_status dcnn_class_census_take(int class_count, int64_t count, const int32_t *labels, const int64_t *rows,
                                   dcnn_class_census *census);

/** "12 ('cat') to 480 ('dog') images in each", or "50 images in each". */
const char *dcnn_class_census_range(const dcnn_class_census *census, const char *const *names, char text[200]);

/** "no images in 2 of 10 classes: 'a', 'b'"; NULL if each has some. @param all  only classes that occur in this one
 * are meant; NULL: all */
const char *dcnn_class_census_empty(const dcnn_class_census *census, const dcnn_class_census *all,
                                    const char *const *names, char text[300]);

void dcnn_class_census_free(dcnn_class_census *census);

#endif
