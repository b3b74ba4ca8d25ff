/* SPDX-License-Identifier: BSD-3-Clause */
/** @file stopping.h — which epoch is the best, when none better is to be expected, and what becomes of the rate then.
 */
#ifndef DCNN_RUN_STOPPING_H
#define DCNN_RUN_STOPPING_H

#include "model/model.h"
#include "run/record/metrics.h"

/* What an epoch is judged by: X(ID, Keras' name). "auto" is val_accuracy, or val_loss of a model that gives numbers;
 * all but losses fall back on the loss where they are equal. */
#define DCNN_MONITORS(X)                                                                                               \
    X(AUTO, "auto")                                                                                                    \
    X(VAL_ACCURACY, "val_accuracy")                                                                                    \
    X(VAL_LOSS, "val_loss")                                                                                            \
    X(ACCURACY, "accuracy")                                                                                            \
    X(LOSS, "loss")                                                                                                    \
    X(VAL_MAE, "val_mae")                                                                                              \
    X(MAE, "mae")                                                                                                      \
    X(VAL_AUC, "val_auc")                                                                                              \
    X(VAL_PRECISION, "val_precision")                                                                                  \
    X(VAL_RECALL, "val_recall")                                                                                        \
    X(VAL_TOP5, "val_top5")

#define DCNN_MONITOR_ID(id, name) DCNN_MONITOR_##id,
typedef enum dcnn_monitor { DCNN_MONITORS(DCNN_MONITOR_ID) DCNN_MONITOR_COUNT } dcnn_monitor;
#undef DCNN_MONITOR_ID

/** Keras' names: "auto", "val_accuracy", "val_loss", "accuracy", "loss", … */
extern const char *const dcnn_monitor_names[DCNN_MONITOR_COUNT];

/** What DCNN_MONITOR_AUTO means for a net; others are as they are. *Local.* */
dcnn_monitor dcnn_monitor_for(dcnn_monitor monitor, const dcnn_net *net);

/** Is there such a metric of a net? *Local.* @return DCNN_OK; DCNN_USAGE naming the losses that have it */
dcnn_status dcnn_monitor_check(dcnn_monitor monitor, const dcnn_net *net);

/** Is it made on the validation split? *Local.* */
bool dcnn_monitor_validates(dcnn_monitor monitor);

/** The metric itself, and whether less of it is better. *Local.* */
double dcnn_monitor_metric(dcnn_monitor monitor, const dcnn_epoch_metrics *metrics);
bool dcnn_monitor_falls(dcnn_monitor monitor);

/** Is that a number? Not the area under the curve where no label is both there and not there, say. *Local.* */
bool dcnn_monitor_is_number(dcnn_monitor monitor, const dcnn_epoch_metrics *metrics);

/** What the best epoch so far has of it, so that more is better, as between epochs; of a loss always 0. *Local.* */
double dcnn_monitor_best(dcnn_monitor monitor, const dcnn_progress *progress);

/** Notes an epoch in `progress` if it is the best so far; without a validation split to judge by, each one is. *Local.*
 */
bool dcnn_monitor_take(dcnn_monitor monitor, const dcnn_epoch_metrics *metrics, dcnn_progress *progress);

/** When a run ends, and how its rate falls until then: pure functions of what a checkpoint holds, so a resumed run does
 * what it would have done. */
typedef struct dcnn_ending {
    int64_t epochs;   /**< of the whole run */
    int64_t patience; /**< epochs without a better one; 0: endless */
    bool
        descends; /**< the schedule is a cosine: where patience is over the rate falls to 0 in as many epochs more, from
                       what it is by then, and only then the run ends; where fewer are left, the cosine itself does */
} dcnn_ending;

/** Does the run end here, at an epoch's end? *Local.* */
bool dcnn_ending_is_here(const dcnn_ending *ending, const dcnn_progress *progress);

/** Notes in `progress` that the descent begins, if it does at this epoch's end. *Local.* @return whether it does */
bool dcnn_ending_descend(const dcnn_ending *ending, dcnn_progress *progress);

/** A run that is taken up again without patience takes a descent that had begun back: it goes on to its last epoch, at
 * the schedule's own rate. *Local.* @return whether one had begun */
bool dcnn_ending_go_on(const dcnn_ending *ending, dcnn_progress *progress);

/** Part of the rate at which the descent began that is left at a step, half a cosine from 1 to 0. *Local.*
 * @param epoch_steps  steps of an epoch */
double dcnn_ending_part(const dcnn_ending *ending, const dcnn_progress *progress, int64_t epoch_steps);

/** A learning rate that falls where nothing gets better any more, with the arguments of Keras' ReduceLROnPlateau. What
 * it knows of the epochs so far lies in dcnn_progress, so a resumed run does what it would have done. */
typedef struct dcnn_plateau {
    dcnn_monitor monitor; /**< DCNN_MONITOR_AUTO: val_loss, or loss without a validation split */
    double factor;        /**< the rate is multiplied by */
    int64_t patience;     /**< epochs without improvement until it is */
    int64_t cooldown;     /**< epochs after that which do not count */
    double min_delta;     /**< an improvement is more than this */
    double min_rate;      /**< it falls no lower */
} dcnn_plateau;

/** Reads "patience=3,min-delta=0.01,…", some of patience, min-delta, cooldown, min-rate and monitor; what is not there,
 * and all of NULL, is as Keras has it. *Local.* @return DCNN_OK; DCNN_USAGE */
dcnn_status dcnn_plateau_read(const char *text, dcnn_plateau *plateau);

/** What DCNN_MONITOR_AUTO means here; others are as they are. *Local.* */
dcnn_monitor dcnn_plateau_monitor(const dcnn_plateau *plateau, bool validates);

/** At an epoch's end: takes its metrics, and lowers the rate if it is time to. *Local.*
 * @param monitor  dcnn_plateau_monitor()
 * @param peak     the rate of the run's beginning
 * @return was it lowered? Then progress->plateau_rate is the new one */
bool dcnn_plateau_take(const dcnn_plateau *plateau, dcnn_monitor monitor, double peak,
                       const dcnn_epoch_metrics *metrics, dcnn_progress *progress);

/** The rate that is in force: `peak` until it was lowered. *Local.* */
double dcnn_plateau_rate(const dcnn_progress *progress, double peak);

#endif
