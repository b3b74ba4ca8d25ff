/* SPDX-License-Identifier: BSD-3-Clause */
/* figures.c — the table of figures, and what they share. */
#include "report/figures/figures.h"
#include "base/largest.h"
#include "io/run_files.h"

#include <stdlib.h>

const dcnn_figure dcnn_figure_table[] = {
    {"loss", "Learning", "Mean loss on the training and validation samples after each epoch.", dcnn_figure_loss},
    {"accuracy", "Learning", "Share of training and validation samples classified correctly in each epoch.",
     dcnn_figure_accuracy},
    {"steps", "Learning", "Loss of the batches that were logged, and the learning rate they were trained with.",
     dcnn_figure_steps},
    {"mean-absolute-error", "Learning",
     "Mean absolute error of the numbers predicted for training and validation samples in each epoch.",
     dcnn_figure_mae},
    {"predicted-true", "Numbers",
     "Each sample's predicted number (up) against the true one (across). On the dashed diagonal both are the same.",
     dcnn_figure_scatter},
    {"confusion-matrix", "Classes",
     "How often each true class (rows) was taken for each class (columns): counts, and shares of the row.",
     dcnn_figure_confusion},
    {"class-accuracy", "Classes",
     "Share of each class' samples classified correctly; lines are 95 % confidence intervals (Wilson).",
     dcnn_figure_class_accuracy},
    {"precision-recall", "Classes",
     "Precision against recall of each class as the probability asked for falls; the legend has the areas.",
     dcnn_figure_precision_recall},
    {"reliability", "Classes",
     "Accuracy of predictions by the probability the model gave them. A calibrated model follows the diagonal.",
     dcnn_figure_reliability},
    {"predictions", "Images", "Samples of each class in turn, with true class, predicted class and its probability.",
     dcnn_figure_predictions},
    {"most-wrong", "Images", "Wrong predictions, the most confident ones first.", dcnn_figure_most_wrong},
    {"training-images", "Images", "Training samples of each class in turn, with their labels.",
     dcnn_figure_training_images},
    {"augmentation", "Images", "Training samples (left) and what the network saw of them in the first epochs.",
     dcnn_figure_augmentation},
    {"filters", "Network", "Weights of the first convolution's filters.", dcnn_figure_filters},
    {"phases", "Time", "Where the time of each epoch went.", dcnn_figure_phases},
};
const int dcnn_figure_count = (int)(sizeof dcnn_figure_table / sizeof dcnn_figure_table[0]);

void dcnn_figure_head(dcnn_canvas *canvas, double width, double height, const char *title, const char *subtitle) {
    const dcnn_type large = {.size = 17, .bold = true}, small = {.size = 13, .color = DCNN_GREY};
    double needed = dcnn_canvas_measure(canvas, large, title);
    dcnn_canvas_text(canvas, DCNN_MARGIN, 22, large, title);
    if (subtitle) {
        dcnn_canvas_text(canvas, DCNN_MARGIN, 43, small, subtitle);
        const double length = dcnn_canvas_measure(canvas, small, subtitle);
        if (length > needed) needed = length;
    }
    needed += 2 * DCNN_MARGIN;
    dcnn_canvas_resize(canvas, width > needed ? width : needed, height);
}

static void predict(const dcnn_report_data *data, dcnn_view *view) {
    const int classes = data->dataset->class_count;
    for (int64_t i = 0; i < data->split->count; i++) {
        const float *row = data->probabilities + i * classes;
        const int best = dcnn_largest(classes, row);
        view->predicted[i] = best;
        view->confidence[i] = row[best];
        view->hit[i] = data->labels[data->split->rows[i]] == best;
    }
    dcnn_calibration_measure(data->split->count, view->confidence, view->hit, &view->calibration);
}

dcnn_status dcnn_view_create(const dcnn_report_data *data, dcnn_view *view) {
    *view = (dcnn_view){.data = data};
    dcnn_status status = dcnn_curves_create(data->history, &view->curves);
    if (status != DCNN_OK) {
        dcnn_error_prefix(DCNN_RUN_METRICS);
        return status;
    }
    status = dcnn_curves_create(data->steps, &view->steps);
    if (status != DCNN_OK) {
        dcnn_error_prefix(DCNN_RUN_STEPS);
        return status;
    }
    if (data->split == NULL) return DCNN_OK;
    const size_t count = (size_t)data->split->count + 1;
    view->predicted = calloc(count, sizeof *view->predicted);
    view->confidence = calloc(count, sizeof *view->confidence);
    view->hit = calloc(count, sizeof *view->hit);
    if (view->predicted == NULL || view->confidence == NULL || view->hit == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: %lld predictions", (long long)data->split->count);
    predict(data, view);
    return dcnn_classification_create(data->dataset->class_count, data->confusion, &view->classification);
}

void dcnn_view_free(dcnn_view *view) {
    dcnn_curves_free(&view->curves);
    dcnn_curves_free(&view->steps);
    dcnn_classification_free(&view->classification);
    free(view->predicted);
    free(view->confidence);
    free(view->hit);
    *view = (dcnn_view){0};
}
