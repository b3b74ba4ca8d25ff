/* SPDX-License-Identifier: BSD-3-Clause */
/* stopping.c — see stopping.h. */
#include "run/stopping.h"

#include <math.h>

#define NAME(id, name) name,
const char *const dcnn_monitor_names[DCNN_MONITOR_COUNT] = {DCNN_MONITORS(NAME)};

dcnn_monitor dcnn_monitor_for(dcnn_monitor monitor, const dcnn_net *net) {
    if (monitor != DCNN_MONITOR_AUTO) return monitor;
    return net->class_count == 0 ? DCNN_MONITOR_VAL_LOSS : DCNN_MONITOR_VAL_ACCURACY;
}

dcnn_status dcnn_monitor_check(dcnn_monitor monitor, const dcnn_net *net) {
    const bool numbers = net->class_count == 0, labels = net->loss.kind == DCNN_LOSS_BINARY;
    bool good = true;
    const char *of = "";
    switch (monitor) {
    case DCNN_MONITOR_VAL_ACCURACY:
    case DCNN_MONITOR_ACCURACY:
        good = !numbers;
        of = "classes and labels";
        break;
    case DCNN_MONITOR_VAL_MAE:
    case DCNN_MONITOR_MAE:
        good = numbers;
        of = "numbers (mean_squared_error, mean_absolute_error, huber)";
        break;
    case DCNN_MONITOR_VAL_AUC:
    case DCNN_MONITOR_VAL_PRECISION:
    case DCNN_MONITOR_VAL_RECALL:
        good = labels;
        of = "labels (binary_crossentropy)";
        break;
    case DCNN_MONITOR_VAL_TOP5:
        good = net->loss.kind == DCNN_LOSS_CATEGORICAL && net->class_count > DCNN_TOP;
        of = "more than 5 classes (categorical_crossentropy)";
        break;
    default:
        break;
    }
    if (good) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE, "--monitor %s is of %s, but this run's loss is %s: choose another, or leave it out",
                     dcnn_monitor_names[monitor], of, dcnn_loss_name(net->loss.kind));
}

bool dcnn_monitor_validates(dcnn_monitor monitor) {
    return monitor != DCNN_MONITOR_ACCURACY && monitor != DCNN_MONITOR_LOSS && monitor != DCNN_MONITOR_MAE;
}

/* The metric, so that more is better; accuracies by their hits, losses by themselves alone. */
static double value_of(dcnn_monitor monitor, const dcnn_epoch_metrics *m) {
    switch (monitor) {
    case DCNN_MONITOR_VAL_ACCURACY:
        return (double)m->validation_correct;
    case DCNN_MONITOR_ACCURACY:
        return (double)m->correct;
    case DCNN_MONITOR_VAL_MAE:
        return -m->validation_absolute;
    case DCNN_MONITOR_MAE:
        return -m->absolute;
    case DCNN_MONITOR_VAL_AUC:
        return m->validation_auc;
    case DCNN_MONITOR_VAL_PRECISION:
        return m->validation_precision;
    case DCNN_MONITOR_VAL_RECALL:
        return m->validation_recall;
    case DCNN_MONITOR_VAL_TOP5:
        return (double)m->validation_top;
    default:
        return 0.0;
    }
}

bool dcnn_monitor_take(dcnn_monitor monitor, const dcnn_epoch_metrics *metrics, dcnn_progress *progress) {
    const bool validates = dcnn_monitor_validates(monitor);
    const bool counts = monitor == DCNN_MONITOR_VAL_ACCURACY || monitor == DCNN_MONITOR_ACCURACY;
    const int64_t correct = validates ? metrics->validation_correct : metrics->correct;
    const double loss = validates ? metrics->validation_loss : metrics->loss, value = value_of(monitor, metrics);
    const double best = counts ? (double)progress->best_correct : progress->best_value;
    const bool none = progress->best_epoch == 0;
    bool better = none || value > best || (value == best && loss < progress->best_loss);
    if (validates && metrics->validation_count == 0) better = true;
    if (!better) return false;
    progress->best_value = counts ? 0.0 : value;
    progress->best_correct = correct;
    progress->best_loss = loss;
    progress->best_epoch = metrics->epoch;
    return true;
}

static bool patience_is_over(int64_t patience, const dcnn_progress *progress) {
    const int64_t since = progress->best_epoch > progress->phase_epoch ? progress->best_epoch : progress->phase_epoch;
    return patience > 0 && progress->best_epoch > 0 && progress->epoch - since >= patience;
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
    const double done = (double)(progress->step - progress->phase_step -
                                 (progress->descent_epoch - progress->phase_epoch) * epoch_steps);
    return 0.5 * (1.0 + cos(pi * done / (double)(ending->patience * epoch_steps)));
}
