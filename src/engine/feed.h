/* SPDX-License-Identifier: BSD-3-Clause */
/** @file feed.h — where the engine's samples come from: a function that fills grains. */
#ifndef DCNN_ENGINE_FEED_H
#define DCNN_ENGINE_FEED_H

#include <stdint.h>

#include "base/status.h"

/** Where a grain's samples go. */
typedef struct dcnn_inputs {
    int worker;       /**< the thread that asks, 0..threads - 1, should the feed need room of its own for each */
    float *x;         /**< [n,H,W,C], as the net's input has it */
    int32_t *labels;  /**< [n] classes; NULL if none are wanted */
    int32_t *others;  /**< [n] second classes, */
    float *shares;    /**< [n] the first class's share of each sample, the second one has the rest, */
    float *weights;   /**< [n] and weights of the samples' losses; all three NULL if none are wanted */
    float *values;    /**< [n, outputs] targets that are numbers; NULL if none are wanted */
    int64_t *samples; /**< [n] numbers that tell samples apart, for dropout (law 3); NULL if none are wanted */
} dcnn_inputs;

/** A source of samples. */
typedef struct dcnn_feed {
    /**
     * Writes samples [first, first + n) of the step or evaluation in progress. Threads call it at the same time.
     * @return DCNN_OK; anything else ends the step on all ranks, with this message
     */
    dcnn_status (*fill)(void *context, int64_t first, int n, const dcnn_inputs *inputs);
    void *context;
} dcnn_feed;

#endif
