/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file report.h — the figures and the page of a run: `RUN/figures/NAME.png` and `.svg`, and `RUN/report.html`.
 */
#ifndef DCNN_REPORT_REPORT_H
#define DCNN_REPORT_REPORT_H

#include <jansson.h>

#include "io/dataset/dataset.h"
#include "model/model.h"

/** Was this library built with what draws figures and writes event files? *Local.* */
bool dcnn_report_is_built(void);

/** A table of scores of what is neither right nor wrong: labels, numbers. */
typedef struct dcnn_report_table {
    const char *title; /**< heading */
    int column_count, row_count;
    const char *const *columns; /**< [column_count] */
    const char *const *rows;    /**< [row_count] */
    const double *values;       /**< [row_count, column_count]; NaN: there is none */
} dcnn_report_table;

/** All that a report shows. Everything is borrowed. */
typedef struct dcnn_report_data {
    const char *name;             /**< what the page is called */
    const char *history;          /**< metrics.jsonl; "" if there is none */
    const char *steps;            /**< steps.jsonl, or NULL */
    const json_t *record;         /**< run.json, or NULL */
    const char *model_path;       /**< the model that was evaluated */
    const dcnn_checkpoint *model; /**< … and its contents */
    const dcnn_dataset *dataset;
    const uint8_t *pixels; /**< [dataset->count,h,w,c] */
    const int32_t *labels; /**< [dataset->count]; NULL: the images have no classes */

    /** Training images as they were changed, a row each: all changes together, then each by itself. */
    int augmented_rows, augmented_copies;
    const uint8_t *augmented;           /**< [augmented_rows, augmented_copies, h,w,c], epoch by epoch */
    const int64_t *augmented_samples;   /**< [augmented_rows] of the data set */
    const char *const *augmented_names; /**< [augmented_rows] "horizontal-flip 0.5"; NULL: all together */

    const dcnn_split *split;         /**< what the model was evaluated on; NULL: nothing */
    const float *probabilities;      /**< [split->count, class_count] */
    const int64_t *confusion;        /**< [class_count, class_count], row = true class */
    double loss;                     /**< its mean on the split */
    const dcnn_report_table *scores; /**< of a model of labels or numbers; then split and confusion are NULL */
    const char *scores_split;        /**< the name of the split they are of */
    int number_count;                /**< of a model of numbers, those of a sample; and what is known of each sample: */
    int64_t number_samples;
    const float *predictions, *targets; /**< [number_samples, number_count], or NULL */
    const char *const *number_names;    /**< [number_count], or NULL */
} dcnn_report_data;

/**
 * Draws all figures for which there are data, and writes them, the page, and the figures once more as a TensorBoard
 * event file, into a run's folder. Each file is written atomically. *Local.*
 * @param data  class counts of model and data set agree
 * @return DCNN_OK; DCNN_BAD_INPUT (a history that is not JSON lines); DCNN_FAILURE (memory, disk)
 */
dcnn_status dcnn_report_write(const char *folder, const dcnn_report_data *data);

#endif
