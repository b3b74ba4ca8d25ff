/* SPDX-License-Identifier: BSD-3-Clause */
/** @file figures.h — the table of figures: one row a figure; report.c draws what the table lists. */
#ifndef DCNN_REPORT_FIGURES_H
#define DCNN_REPORT_FIGURES_H

#include "report/calibration.h"
#include "report/figures/canvas.h"
#include "report/classification.h"
#include "report/curves.h"
#include "report/report.h"

/** The data of a report and what several figures derive from them. */
typedef struct dcnn_view {
    const dcnn_report_data *data;
    dcnn_curves curves, steps;
    int32_t *predicted; /**< [split->count] the class of the highest probability, the first of equals */
    float *confidence;  /**< [split->count] its probability */
    bool *hit;          /**< [split->count] */
    dcnn_calibration calibration;
    dcnn_classification classification;
} dcnn_view;

/** Derives a view. *Local.* @param view  out; free with dcnn_view_free(), after a failure too */
dcnn_status dcnn_view_create(const dcnn_report_data *data, dcnn_view *view);
void dcnn_view_free(dcnn_view *view);

/** What is known of a sample of the data set: its class' name, or "". */
static inline const char *dcnn_view_label(const dcnn_view *view, int64_t row) {
    const dcnn_report_data *data = view->data;
    return data->labels ? data->dataset->class_names[data->labels[row]] : "";
}

/** A class' name. */
static inline const char *dcnn_view_class(const dcnn_view *view, int32_t class_number) {
    return view->data->dataset->class_names[class_number];
}

/**
 * Samples to draw: one of each class, then a second of each, and so on; of more classes than are drawn, from all over
 * them. Of images without classes, from all over the split. *Local.*
 * @param labels  [rows of the data set] below `classes`; NULL: the images have no classes
 * @param shown   how many, at most split->count
 * @param picked  [shown] out: places in the split
 * @return DCNN_OK; DCNN_FAILURE (out of memory)
 */
dcnn_status dcnn_pick_samples(const dcnn_split *split, int classes, const int32_t *labels, int shown, int64_t *picked);

/** Draws a figure; false: there are no data for it. */
typedef bool dcnn_figure_draw(const dcnn_view *view, dcnn_canvas *canvas);

/** A row of the table. */
typedef struct dcnn_figure {
    const char *name;    /**< of its files, and its tag in TensorBoard */
    const char *section; /**< heading of the page under which it stands */
    const char *text;    /**< what one sees, for those who cannot, and as a caption */
    dcnn_figure_draw *draw;
} dcnn_figure;

extern const dcnn_figure dcnn_figure_table[];
extern const int dcnn_figure_count;

/** Writes a figure's heading, title and one smaller line (NULL: none), and sets its size: wide enough for both. The
 * drawing begins below DCNN_HEADING. */
void dcnn_figure_head(dcnn_canvas *canvas, double width, double height, const char *title, const char *subtitle);
enum { DCNN_HEADING = 62, DCNN_MARGIN = 20 };

dcnn_figure_draw dcnn_figure_steps, dcnn_figure_precision_recall, dcnn_figure_loss, dcnn_figure_accuracy,
    dcnn_figure_mae, dcnn_figure_scatter, dcnn_figure_phases, dcnn_figure_confusion, dcnn_figure_class_accuracy,
    dcnn_figure_reliability, dcnn_figure_training_images, dcnn_figure_augmentation, dcnn_figure_predictions,
    dcnn_figure_most_wrong, dcnn_figure_filters;

#endif
