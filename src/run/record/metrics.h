/* SPDX-License-Identifier: BSD-3-Clause */
/** @file metrics.h — the metrics that a run has kept so far, and the files that are made of them. */
#ifndef DCNN_RUN_METRICS_H
#define DCNN_RUN_METRICS_H

#include "engine/stopwatch.h"
#include "nn/net.h"

/** One epoch's metrics; counts are exact. */
typedef struct dcnn_epoch_metrics {
    int64_t epoch, steps;
    double loss, validation_loss;                                   /**< means */
    int64_t correct, count, validation_correct, validation_count;   /**< answers, and those that are right */
    bool numbers;                                                   /**< a model of numbers: errors in place of hits */
    double absolute, validation_absolute;                           /**< mean absolute errors */
    bool labels;                                                    /**< of binary cross-entropy: the next three */
    double validation_precision, validation_recall, validation_auc; /**< of all labels together; the last may be NaN */
    bool many;                                                      /**< more than 5 classes: */
    int64_t validation_top;                                         /**< samples whose class is among the 5 likeliest */
    double seconds, images_per_s;
    double phases_s[DCNN_PHASE_COUNT]; /**< of the steps, the mean over all threads of all ranks */
    double validation_s;               /**< the phase after them */
    double stall_s; /**< of the steps, waiting for images to be read, the mean over all threads of all ranks */
} dcnn_epoch_metrics;

/** One step's metrics, of its batch alone. */
typedef struct dcnn_step_metrics {
    int64_t epoch, step; /**< from 1; steps of the whole run */
    double loss, accuracy, learning_rate, wall_time;
    bool numbers; /**< `accuracy` is a mean absolute error */
} dcnn_step_metrics;

/** Seconds since 1970. *Local.* */
double dcnn_wall_time(void);

/*
 * A run's history is a text of JSON lines; checkpoints hold it whole, so a resumed run continues that of its
 * checkpoint. Appending reallocates it. *Local.*
 */
dcnn_status dcnn_history_append(char **history, const dcnn_epoch_metrics *metrics);
dcnn_status dcnn_history_append_steps(char **history, int count, const dcnn_step_metrics *steps);

/** Appends histograms of an epoch's last weights and gradients.
 * @param gradient  laid out as net->params; times `scale` it is the mean over the epoch's last batch */
dcnn_status dcnn_history_append_histograms(char **history, int64_t epoch, const dcnn_net *net, const float *gradient,
                                           double scale);

/** Writes FOLDER/metrics.jsonl (epochs), metrics.csv (the same with the columns of Keras' CSVLogger), steps.jsonl and
 * histograms.jsonl; of the last two those that have lines, the others are removed. Each is atomic. *Local.* */
dcnn_status dcnn_history_write(const char *folder, const char *history);

/** "epoch  3/15  loss 0.0412 acc 0.9871  val loss …", malloc'd; 79 columns, or a few more in a long run. *Local.* */
char *dcnn_epoch_line(const dcnn_epoch_metrics *metrics, int64_t epochs);

#endif
