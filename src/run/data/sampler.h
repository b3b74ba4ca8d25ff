/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file sampler.h — which samples stand where in an epoch: arithmetic alone, no state (law 3).
 *
 * The order of an epoch is a permutation of all samples; or, for sets too large to be read at random, one of chunks of
 * neighbours, of which a window at a time is mixed thoroughly:
 *
 *     all samples, rotated by a random number      | chunk | chunk | chunk | chunk | chunk | chunk | rest |
 *     chunks permuted, cut into windows            | 4   0   2 |  1   5   3   rest |
 *     each window permuted sample by sample        | x x x x x |  x x x x x x x x x |
 *
 * Either is a function of the data set and the seed: never of memory, ranks or how the images are read.
 */
#ifndef DCNN_RUN_SAMPLER_H
#define DCNN_RUN_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** The order of a split's samples in every epoch. */
typedef struct dcnn_sampler {
    uint64_t seed;
    const int64_t *rows; /**< [count] the split's rows of the data set; borrowed */
    int64_t count;
    int64_t batch;         /**< global batch size; of a micro-batch where steps have several */
    int accumulate;        /**< micro-batches a step */
    int64_t chunk_rows;    /**< samples of a chunk; 0: all are permuted at once */
    int64_t window_chunks; /**< chunks that are mixed, about */
    /* oversampling: */
    const int64_t *class_first; /**< [classes + 1] where each class begins in `rows`, none is empty; NULL: each row once
                                     an epoch; borrowed */
    int64_t class_draws;        /**< of each class an epoch, as many as the largest has rows */
    int64_t total;              /**< rows of the data set */
} dcnn_sampler;

/* How an epoch is shuffled: X(ID, --shuffle's word).
 * - auto    full up to 8 GiB of training images, above that by chunks
 * - full    any order is as likely as any other
 * - chunks  of 256 KiB (a power of two of samples, at least one), in windows of 256 MiB */
#define DCNN_SHUFFLES(X) X(AUTO, "auto") X(FULL, "full") X(CHUNKS, "chunks")

#define DCNN_SHUFFLE_ID(id, word) DCNN_SHUFFLE_##id,
typedef enum dcnn_shuffle { DCNN_SHUFFLES(DCNN_SHUFFLE_ID) DCNN_SHUFFLE_COUNT } dcnn_shuffle;
#undef DCNN_SHUFFLE_ID

/** "auto", "full", "chunks". */
extern const char *const dcnn_shuffle_names[DCNN_SHUFFLE_COUNT];

/** Sets chunk_rows and window_chunks for images of so many bytes. *Local.* */
void dcnn_sampler_shuffle(dcnn_sampler *sampler, dcnn_shuffle shuffle, size_t image_bytes);

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
 * Lets each class be drawn as often as the largest one has samples: sets count, class_first, class_draws. *Local.*
 *
 * A class of n samples is drawn m / n times in whole; of the rest, m % n of its samples are drawn once more, others in
 * each epoch.
 * @param rows         [sampler->count] the sampler's, brought into the order of classes, then of rows
 * @param labels       [total] of the data set
 * @param class_first  out [classes + 1], borrowed from now on; classes without samples are left out
 * @return DCNN_OK; DCNN_FAILURE (memory)
 */
dcnn_status dcnn_sampler_even(dcnn_sampler *sampler, int64_t *rows, const int32_t *labels, int classes, int64_t total,
                              int64_t *class_first);

/** The row of the sample that stands at `position` in an epoch's order. *Local.* */
int64_t dcnn_sampler_row(const dcnn_sampler *sampler, uint32_t epoch, int64_t position);

/** The row of sample `index`, 0 to count - 1, before it is shuffled. *Local.* */
int64_t dcnn_sampler_find(const dcnn_sampler *sampler, uint32_t epoch, int64_t index);

/**
 * Numbers of samples [first, first + n) of the epoch's shuffled order: their rows, and `total` more for each time that
 * the same row was drawn before, for it is augmented in another way then. *Local.*
 * @param numbers  out [n]
 */
void dcnn_sampler_numbers(const dcnn_sampler *sampler, uint32_t epoch, int64_t first, int64_t n, int64_t *numbers);

/** A window of an epoch's order, where it is shuffled by chunks. */
typedef struct dcnn_sampler_window {
    int64_t number;                   /**< from 0 */
    int64_t first, count;             /**< its positions */
    int64_t first_chunk, chunk_count; /**< among the permuted chunks */
} dcnn_sampler_window;

/** The window that a position is in. *Local.* */
dcnn_sampler_window dcnn_sampler_find_window(const dcnn_sampler *sampler, int64_t position);

/** Sample numbers (into `rows`) of a window's chunk: count from `first` on, modulo sampler->count. *Local.*
 * @param chunk  0 to chunk_count - 1 */
void dcnn_sampler_chunk(const dcnn_sampler *sampler, uint32_t epoch, const dcnn_sampler_window *window, int64_t chunk,
                        int64_t *first, int64_t *count);

#endif
