/* SPDX-License-Identifier: BSD-3-Clause */
/** @file schedule.h — the learning rate over a run, a pure function of the step; and how it follows the batch. */
#ifndef DCNN_NN_SCHEDULE_H
#define DCNN_NN_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* One row a schedule: X(ID, name, the options that it reads).
 * - constant     as the recipe has it
 * - cosine       Keras' CosineDecay to 0 (Loshchilov and Hutter, SGDR, 2017, without restarts)
 * - step         Keras' ExponentialDecay with staircase, PyTorch's StepLR
 * - exponential  Keras' ExponentialDecay
 * - one-cycle    PyTorch's OneCycleLR with its defaults (Smith and Topin, Super-Convergence, 2018); the momentum stays
 * - restarts     Keras' CosineDecayRestarts with its defaults (SGDR)
 * - polynomial   Keras' PolynomialDecay to 0
 * - piecewise    Keras' PiecewiseConstantDecay, PyTorch's MultiStepLR
 * - plateau      Keras' ReduceLROnPlateau: constant but for what run/stopping.h makes of it */
#define DCNN_SCHEDULES(X)                                                                                              \
    X(CONSTANT, "constant", "")                                                                                        \
    X(COSINE, "cosine", "")                                                                                            \
    X(STEP, "step", " decay-rate decay-epochs ")                                                                       \
    X(EXPONENTIAL, "exponential", " decay-rate decay-epochs ")                                                         \
    X(ONE_CYCLE, "one-cycle", "")                                                                                      \
    X(RESTARTS, "restarts", " decay-epochs ")                                                                          \
    X(POLYNOMIAL, "polynomial", " decay-power ")                                                                       \
    X(PIECEWISE, "piecewise", " pieces ")                                                                              \
    X(PLATEAU, "plateau", " decay-rate plateau ")

#define DCNN_SCHEDULE_ID(id, ...) DCNN_SCHEDULE_##id,
typedef enum dcnn_schedule_kind { DCNN_SCHEDULES(DCNN_SCHEDULE_ID) DCNN_SCHEDULE_COUNT } dcnn_schedule_kind;
#undef DCNN_SCHEDULE_ID

/** "constant", "cosine", …: the schedules' names. */
extern const char *const dcnn_schedule_names[DCNN_SCHEDULE_COUNT];

enum { DCNN_MOST_PIECES = 32 };

/** A schedule. Zeroed: constant. */
typedef struct dcnn_schedule {
    dcnn_schedule_kind kind;
    double warmup_epochs; /**< the rate first rises in equal steps (Goyal et al., ImageNet in 1 Hour, 2017); 0: not */
    double decay_rate, decay_epochs; /**< step, exponential: times decay_rate every so many epochs; restarts: epochs of
                                        the first cycle */
    double decay_power;              /**< polynomial; 0 counts as Keras' 1 */
    bool keras_warmup;               /**< the warm-up begins at 0, as CosineDecay's (warmup_target) with its formula */
    int pieces;                      /**< piecewise */
    double piece_epochs[DCNN_MOST_PIECES], piece_factors[DCNN_MOST_PIECES];
} dcnn_schedule;

/**
 * Learning rate of step `step` (0 for the first) of a run of `epochs` epochs of `epoch_steps` steps. *Local.*
 * In the warm-up of W steps (warmup_epochs, rounded to whole steps) it is rate (step + 1) / W, by Keras' formula rate
 * step / W. Then, with s steps done
 * after the warm-up of S left, and e = s / epoch_steps (of piecewise the warm-up's too):
 * - constant     rate
 * - cosine       rate (1 + cos(pi s / S)) / 2
 * - step         rate decay_rate^floor(e / decay_epochs)
 * - exponential  rate decay_rate^(e / decay_epochs)
 * - one-cycle    from rate / 25 along half a cosine to `rate` at step 0.3 S - 1, then likewise to rate / 250,000 at
 *                step S - 1
 * - restarts     cosines to 0, the first of decay_epochs, each of the others twice as long as that before it
 * - polynomial   rate (1 - s / S)^decay_power
 * - piecewise    rate times the factor of the last piece that begins at or before e, or rate before the first one:
 * Keras' boundaries are the last steps before a new value, epochs x epoch_steps - 1
 * - plateau      rate
 */
double dcnn_schedule_rate(const dcnn_schedule *schedule, double rate, int64_t step, int64_t epochs,
                          int64_t epoch_steps);

/** Reads "EPOCH=FACTOR,…", epochs rising, into a schedule's pieces. *Local.* @return DCNN_OK; DCNN_USAGE */
dcnn_status dcnn_schedule_read_pieces(const char *text, dcnn_schedule *schedule);

/* How the learning rate follows the samples of a step: X(ID, --lr-scale's word).
 * - sqrt    keeps the variance of a step's mean gradient (Krizhevsky, One Weird Trick, 2014; LAMB)
 * - linear  Goyal et al., 2017 */
#define DCNN_RATE_SCALES(X) X(NONE, "none") X(SQRT, "sqrt") X(LINEAR, "linear")

#define DCNN_RATE_SCALE_ID(id, ...) DCNN_RATE_SCALE_##id,
typedef enum dcnn_rate_scale { DCNN_RATE_SCALES(DCNN_RATE_SCALE_ID) DCNN_RATE_SCALE_COUNT } dcnn_rate_scale;
#undef DCNN_RATE_SCALE_ID

/** "none", "sqrt", "linear". */
extern const char *const dcnn_rate_scale_names[DCNN_RATE_SCALE_COUNT];

enum { DCNN_RECIPE_BATCH = 128 }; /**< the batch that a learning rate is meant for */

/** What a learning rate is multiplied by: 1, sqrt(samples / 128) or samples / 128. *Local.* */
double dcnn_rate_factor(dcnn_rate_scale scale, int64_t samples);

#endif
