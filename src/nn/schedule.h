/** @file schedule.h — the learning rate over a run, a pure function of the step. */
#ifndef DCNN_NN_SCHEDULE_H
#define DCNN_NN_SCHEDULE_H

#include <stdint.h>

typedef enum dcnn_schedule {
    DCNN_SCHEDULE_CONSTANT, /**< as the recipe has it */
    DCNN_SCHEDULE_COSINE    /**< Keras' CosineDecay to 0 (Loshchilov and Hutter, SGDR, 2017, without restarts) */
} dcnn_schedule;

/**
 * Learning rate of step `step` (0 for the first) of a run of `steps`. *Local.*
 * cosine: rate * (1 + cos(pi * step / steps)) / 2
 */
double dcnn_schedule_rate(dcnn_schedule schedule, double rate, int64_t step, int64_t steps);

#endif
