/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file sampler.h — which samples stand where in an epoch: arithmetic alone, no state (law 3).
 */
#ifndef DCNN_RUN_SAMPLER_H
#define DCNN_RUN_SAMPLER_H

#include <stdint.h>

/** The order of a split's samples in every epoch. */
typedef struct dcnn_sampler {
    uint64_t seed;
    const int64_t *rows; /**< [count] the split's rows of the data set; borrowed */
    int64_t count;
    int64_t batch;  /**< global batch size; of a micro-batch where steps have several */
    int accumulate; /**< micro-batches a step */
} dcnn_sampler;

/** Steps of an epoch; the last may have fewer micro-batches, and the last of them fewer samples. */
static inline int64_t dcnn_sampler_steps(const dcnn_sampler *sampler) {
    const int64_t samples = sampler->batch * sampler->accumulate;
    return (sampler->count + samples - 1) / samples;
}

/** Samples in the (micro-)batch that begins at `cursor` samples into the epoch. */
static inline int64_t dcnn_sampler_batch(const dcnn_sampler *sampler, int64_t cursor) {
    return sampler->count - cursor < sampler->batch ? sampler->count - cursor : sampler->batch;
}

/**
 * Rows of samples [first, first + n) of the epoch's shuffled order. *Local.*
 * @param rows  out [n]
 */
void dcnn_sampler_rows(const dcnn_sampler *sampler, uint32_t epoch, int64_t first, int64_t n, int64_t *rows);

#endif
