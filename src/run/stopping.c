/* SPDX-License-Identifier: BSD-3-Clause */
/* stopping.c — see stopping.h. */
#include "run/stopping.h"

#include <math.h>

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

static bool patience_is_over(int64_t patience, const dcnn_progress *progress) {
    return patience > 0 && progress->best_epoch > 0 && progress->epoch - progress->best_epoch >= patience;
}

bool dcnn_ending_is_here(const dcnn_ending *ending, const dcnn_progress *progress) {
    if (progress->epoch >= ending->epochs) return true;
    if (!ending->descends) return patience_is_over(ending->patience, progress);
    return progress->descent_epoch > 0 && progress->epoch >= progress->descent_epoch + ending->patience;
}

bool dcnn_ending_descend(const dcnn_ending *ending, dcnn_progress *progress) {
    if (!ending->descends || progress->descent_epoch > 0 || !patience_is_over(ending->patience, progress) ||
        progress->epoch + ending->patience >= ending->epochs)
        return false;
    progress->descent_epoch = progress->epoch;
    return true;
}

bool dcnn_ending_go_on(const dcnn_ending *ending, dcnn_progress *progress) {
    const bool descends = progress->descent_epoch > 0;
    if (ending->patience == 0) progress->descent_epoch = 0;
    return descends && ending->patience == 0;
}

double dcnn_ending_part(const dcnn_ending *ending, const dcnn_progress *progress, int64_t epoch_steps) {
    const double pi = 3.14159265358979323846;
    const double done = (double)(progress->step - progress->descent_epoch * epoch_steps);
    return 0.5 * (1.0 + cos(pi * done / (double)(ending->patience * epoch_steps)));
}
