/* SPDX-License-Identifier: BSD-3-Clause */
/* stopping.c — see stopping.h. */
#include "run/stopping.h"

const char *const dcnn_monitor_names[DCNN_MONITOR_COUNT] = {"val_accuracy", "val_loss", "accuracy", "loss"};

bool dcnn_monitor_validates(dcnn_monitor monitor) {
    return monitor == DCNN_MONITOR_VAL_ACCURACY || monitor == DCNN_MONITOR_VAL_LOSS;
}

bool dcnn_monitor_take(dcnn_monitor monitor, const dcnn_epoch_metrics *metrics, dcnn_progress *progress) {
    const bool validates = dcnn_monitor_validates(monitor);
    const int64_t correct = validates ? metrics->validation_correct : metrics->correct;
    const double loss = validates ? metrics->validation_loss : metrics->loss;
    bool better = loss < progress->best_loss;
    if (monitor == DCNN_MONITOR_VAL_ACCURACY || monitor == DCNN_MONITOR_ACCURACY)
        better = correct > progress->best_correct || (correct == progress->best_correct && better);
    if (validates && metrics->validation_count == 0) better = true;
    if (!better) return false;
    progress->best_correct = correct;
    progress->best_loss = loss;
    progress->best_epoch = metrics->epoch;
    return true;
}

bool dcnn_patience_is_over(int64_t patience, const dcnn_progress *progress) {
    return patience > 0 && progress->best_epoch > 0 && progress->epoch - progress->best_epoch >= patience;
}
