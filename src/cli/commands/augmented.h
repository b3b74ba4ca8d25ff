/* SPDX-License-Identifier: BSD-3-Clause */
/** @file augmented.h — training images as a run saw them, for the figure of a report. */
#ifndef DCNN_CLI_AUGMENTED_H
#define DCNN_CLI_AUGMENTED_H

#include "kernels/kernels.h"
#include "report/report.h"

/** What the figure shows; free with dcnn_augmented_free(). */
typedef struct dcnn_augmented {
    uint8_t *pixels;
    int64_t *samples;
    char **names;
    int rows;
} dcnn_augmented;

/**
 * Changes the first training images as the run did in its first epochs, all changes together and each by itself, and
 * shows them in `data`, which has its data set, pixels and model by then. The same pure function of seed, epoch and
 * sample as in training. *Local.*
 */
dcnn_status dcnn_augmented_make(const dcnn_kernels *kernels, dcnn_report_data *data, dcnn_augmented *augmented);

void dcnn_augmented_free(dcnn_augmented *augmented);

#endif
