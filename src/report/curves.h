/* SPDX-License-Identifier: BSD-3-Clause */
/** @file curves.h — a run's history (metrics.jsonl) as columns of numbers. */
#ifndef DCNN_REPORT_CURVES_H
#define DCNN_REPORT_CURVES_H

#include <stdbool.h>

#include "base/status.h"

enum { DCNN_MAX_PHASES = 16 };

/** The columns; dcnn_curve_keys has their names in metrics.jsonl. */
typedef enum dcnn_curve {
    DCNN_CURVE_EPOCH,
    DCNN_CURVE_STEP,
    DCNN_CURVE_LOSS,
    DCNN_CURVE_ACCURACY,
    DCNN_CURVE_VAL_LOSS,
    DCNN_CURVE_VAL_ACCURACY,
    DCNN_CURVE_MAE, /**< of a model that gives numbers, in place of accuracy */
    DCNN_CURVE_VAL_MAE,
    DCNN_CURVE_SECONDS,
    DCNN_CURVE_IMAGES_PER_S,
    DCNN_CURVE_LEARNING_RATE, /**< of a step */
    DCNN_CURVE_WALL_TIME,     /**< seconds since 1970 at its end */
    DCNN_CURVE_COUNT
} dcnn_curve;

extern const char *const dcnn_curve_keys[DCNN_CURVE_COUNT];

/** One row a line of the history. */
typedef struct dcnn_curves {
    int count;
    double *values[DCNN_CURVE_COUNT]; /**< [count] each; NaN: the line lacks it */
    int phase_count;
    char *phase_names[DCNN_MAX_PHASES]; /**< keys of the lines' object "phases", in the order of appearance */
    double *phases[DCNN_MAX_PHASES];    /**< [count] seconds each; 0: the line lacks it */
} dcnn_curves;

/** Is this a number that an epoch or a step can have? A damaged file may say any. *Local.* */
bool dcnn_curve_counts(double value);

/**
 * Reads a history. *Local.*
 * @param history  JSON lines; empty lines are skipped, NULL is an empty history
 * @param curves   out; free with dcnn_curves_free(), after a failure too
 * @return DCNN_OK; DCNN_BAD_INPUT (a line that is not a JSON object, has no epoch, or one or a step that
 * cannot be); DCNN_FAILURE (memory)
 */
dcnn_status dcnn_curves_create(const char *history, dcnn_curves *curves);
void dcnn_curves_free(dcnn_curves *curves);

#endif
