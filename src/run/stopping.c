/* SPDX-License-Identifier: BSD-3-Clause */
/* stopping.c — see stopping.h. */
#include "run/stopping.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

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
    return DCNN_FAIL(DCNN_USAGE, "--monitor %s is for %s, but this run's loss is %s: choose another, or leave it out",
                     dcnn_monitor_names[monitor], of, dcnn_loss_word(net->loss.kind));
}

bool dcnn_monitor_validates(dcnn_monitor monitor) {
    return monitor != DCNN_MONITOR_ACCURACY && monitor != DCNN_MONITOR_LOSS && monitor != DCNN_MONITOR_MAE;
}

/* The metric, so that more is better; accuracies by their hits, losses by themselves alone. */
static double raw_value(dcnn_monitor monitor, const dcnn_epoch_metrics *m) {
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

/* What is no number is worse than any. */
static double value_of(dcnn_monitor monitor, const dcnn_epoch_metrics *m) {
    const double value = raw_value(monitor, m);
    return isnan(value) ? -HUGE_VAL : value;
}

bool dcnn_monitor_is_number(dcnn_monitor monitor, const dcnn_epoch_metrics *m) {
    const bool there = !dcnn_monitor_validates(monitor) || m->validation_count > 0;
    return !there || !isnan(dcnn_monitor_metric(monitor, m));
}

static bool counts_hits(dcnn_monitor monitor) {
    return monitor == DCNN_MONITOR_VAL_ACCURACY || monitor == DCNN_MONITOR_ACCURACY;
}

double dcnn_monitor_best(dcnn_monitor monitor, const dcnn_progress *progress) {
    return counts_hits(monitor) ? (double)progress->best_correct : progress->best_value;
}

bool dcnn_monitor_falls(dcnn_monitor monitor) {
    return monitor == DCNN_MONITOR_VAL_LOSS || monitor == DCNN_MONITOR_LOSS || monitor == DCNN_MONITOR_VAL_MAE ||
           monitor == DCNN_MONITOR_MAE;
}

double dcnn_monitor_metric(dcnn_monitor monitor, const dcnn_epoch_metrics *m) {
    const double value = raw_value(monitor, m);
    switch (monitor) {
    case DCNN_MONITOR_VAL_LOSS:
        return m->validation_loss;
    case DCNN_MONITOR_LOSS:
        return m->loss;
    case DCNN_MONITOR_VAL_ACCURACY:
    case DCNN_MONITOR_VAL_TOP5:
        return value / (double)m->validation_count;
    case DCNN_MONITOR_ACCURACY:
        return value / (double)m->count;
    default:
        return dcnn_monitor_falls(monitor) ? -value : value;
    }
}

bool dcnn_monitor_take(dcnn_monitor monitor, const dcnn_epoch_metrics *metrics, dcnn_progress *progress) {
    const bool validates = dcnn_monitor_validates(monitor);
    const int64_t correct = validates ? metrics->validation_correct : metrics->correct;
    const double given = validates ? metrics->validation_loss : metrics->loss, value = value_of(monitor, metrics);
    const double best = dcnn_monitor_best(monitor, progress), loss = isnan(given) ? HUGE_VAL : given;
    const bool none = progress->best_epoch == 0;
    bool better = none || value > best || (value == best && loss < progress->best_loss);
    if (validates && metrics->validation_count == 0) better = true;
    if (!better) return false;
    progress->best_value = counts_hits(monitor) ? 0.0 : value;
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

/* --- plateaus: the rules of keras.callbacks.ReduceLROnPlateau, in its order --------------------------------------- */

/* One "key=value" of `length`. */
static bool read_pair(const char *pair, size_t length, dcnn_plateau *p) {
    char text[64], *sign, *end;
    if (length >= sizeof text) return false;
    memcpy(text, pair, length);
    text[length] = '\0';
    if ((sign = strchr(text, '=')) == NULL) return false;
    *sign++ = '\0';
    if (strcmp(text, "monitor") == 0) {
        const int monitor = dcnn_word_find(dcnn_monitor_names, DCNN_MONITOR_COUNT, sign);
        p->monitor = (dcnn_monitor)monitor;
        return monitor < DCNN_MONITOR_COUNT;
    }
    const double value = strtod(sign, &end);
    const bool good = end != sign && *end == '\0' && value >= 0.0 && value <= 1e6;
    if (good && strcmp(text, "patience") == 0) return (double)(p->patience = (int64_t)value) == value && value >= 1.0;
    if (good && strcmp(text, "cooldown") == 0) return (double)(p->cooldown = (int64_t)value) == value;
    if (good && strcmp(text, "min-delta") == 0) return p->min_delta = value, true;
    if (good && strcmp(text, "min-rate") == 0) return p->min_rate = value, true;
    return false;
}

dcnn_status dcnn_plateau_read(const char *text, dcnn_plateau *plateau) {
    *plateau = (dcnn_plateau){.patience = 10, .min_delta = 1e-4};
    for (const char *at = text; at; at = *at == ',' ? at + 1 : NULL) {
        const size_t length = strcspn(at, ",");
        if (!read_pair(at, length, plateau))
            return DCNN_FAIL(
                DCNN_USAGE,
                "--plateau '%.100s' is not understood at '%.*s': it takes patience=N (from 1), min-delta=X, "
                "cooldown=N, min-rate=X and monitor=NAME, separated by commas",
                text, (int)length, at);
        at += length;
    }
    return DCNN_OK;
}

dcnn_monitor dcnn_plateau_monitor(const dcnn_plateau *plateau, bool validates) {
    if (plateau->monitor != DCNN_MONITOR_AUTO) return plateau->monitor;
    return validates ? DCNN_MONITOR_VAL_LOSS : DCNN_MONITOR_LOSS;
}

static bool improves(const dcnn_plateau *plateau, dcnn_monitor monitor, double value, const dcnn_progress *progress) {
    if (progress->plateau_epochs == 0 || (isnan(progress->plateau_best) && !isnan(value))) return true;
    return dcnn_monitor_falls(monitor) ? value + plateau->min_delta < progress->plateau_best
                                       : value - plateau->min_delta > progress->plateau_best;
}

bool dcnn_plateau_take(const dcnn_plateau *plateau, dcnn_monitor monitor, double peak,
                       const dcnn_epoch_metrics *metrics, dcnn_progress *progress) {
    const double value = dcnn_monitor_metric(monitor, metrics), old = dcnn_plateau_rate(progress, peak);
    if (progress->plateau_cooldown > 0) {
        progress->plateau_cooldown--;
        progress->plateau_wait = 0;
    }
    const bool better = improves(plateau, monitor, value, progress);
    progress->plateau_epochs++;
    if (better) {
        progress->plateau_best = value;
        progress->plateau_wait = 0;
    } else if (progress->plateau_cooldown == 0) {
        progress->plateau_wait++;
    }
    if (better || progress->plateau_cooldown > 0 || progress->plateau_wait < plateau->patience ||
        !(old > plateau->min_rate))
        return false;
    progress->plateau_rate = fmax(old * plateau->factor, plateau->min_rate);
    progress->plateau_cooldown = plateau->cooldown;
    progress->plateau_wait = 0;
    return true;
}

double dcnn_plateau_rate(const dcnn_progress *progress, double peak) {
    return progress->plateau_rate > 0.0 ? progress->plateau_rate : peak;
}
