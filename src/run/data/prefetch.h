/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file prefetch.h — reads the images of a rank's coming batches, in a thread of its own, while it computes.
 *
 * Which images those are is arithmetic (sampler.h, dcnn_comm_shares()), so nobody has to tell the thread. It fills a
 * ring of batches; asking for a batch gives back those before it.
 */
#ifndef DCNN_RUN_PREFETCH_H
#define DCNN_RUN_PREFETCH_H

#include "comm/comm.h"
#include "io/dataset/pixels.h"
#include "run/data/sampler.h"

typedef struct dcnn_prefetch dcnn_prefetch;

/** What is read ahead, and for whom. Everything is borrowed. */
typedef struct dcnn_prefetch_options {
    const dcnn_comm *comm;
    dcnn_pixels *pixels;
    const dcnn_sampler *sampler;
    int grain;      /**< samples a grain, in which batches are shared out */
    int64_t epochs; /**< where reading ends */
    size_t image_bytes;
} dcnn_prefetch_options;

/** Memory that two batches need, the least there must be. *Local.* */
size_t dcnn_prefetch_least_bytes(const dcnn_prefetch_options *options);

/**
 * Starts reading ahead. *Local.*
 * @param bytes  of memory for the ring
 * @param prefetch  out; free with dcnn_prefetch_free()
 * @return DCNN_OK; DCNN_FAILURE (memory, threads)
 */
dcnn_status dcnn_prefetch_create(const dcnn_prefetch_options *options, size_t bytes, dcnn_prefetch **prefetch);

/** Ends the thread and frees its memory; NULL is allowed. *Local.* */
void dcnn_prefetch_free(dcnn_prefetch *prefetch);

/**
 * The images at positions [first, first + n) of an epoch, which must be among those that this rank computes of one
 * batch. Waits until they are read. *Local*; several threads may ask for images of the same batch.
 * @param bytes  out [n, image_bytes]; good until an image of a later batch is asked for; NULL: these are not this
 *               rank's, read them otherwise
 * @return DCNN_OK; DCNN_BAD_INPUT (they cannot be read)
 */
dcnn_status dcnn_prefetch_take(dcnn_prefetch *prefetch, uint32_t epoch, int64_t first, int64_t n,
                               const uint8_t **bytes);

/** Seconds that threads have waited in dcnn_prefetch_take() since the last call. *Local.* */
double dcnn_prefetch_stall_s(dcnn_prefetch *prefetch);

#endif
