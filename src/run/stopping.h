/* SPDX-License-Identifier: BSD-3-Clause */
/** @file stopping.h — which epoch is the best, and when none better is to be expected. */
#ifndef DCNN_RUN_STOPPING_H
#define DCNN_RUN_STOPPING_H

#include "model/model.h"
#include "run/metrics.h"

/** What an epoch is judged by; accuracies fall back on the loss where they are equal. */
typedef enum dcnn_monitor {
    DCNN_MONITOR_VAL_ACCURACY,
    DCNN_MONITOR_VAL_LOSS,
    DCNN_MONITOR_ACCURACY,
    DCNN_MONITOR_LOSS,
    DCNN_MONITOR_COUNT
} dcnn_monitor;

/** Keras' names: "val_accuracy", "val_loss", "accuracy", "loss". */
extern const char *const dcnn_monitor_names[DCNN_MONITOR_COUNT];

/** Is it made on the validation split? *Local.* */
bool dcnn_monitor_validates(dcnn_monitor monitor);

/** Notes an epoch in `progress` if it is the best so far; without a validation split to judge by, each one is. *Local.*
 */
bool dcnn_monitor_take(dcnn_monitor monitor, const dcnn_epoch_metrics *metrics, dcnn_progress *progress);

/** Has there been no better epoch for `patience` (0: endless) epochs? A pure function of what a checkpoint holds, so a
 * resumed run stops where it would have stopped. *Local.* */
bool dcnn_patience_is_over(int64_t patience, const dcnn_progress *progress);

#endif
