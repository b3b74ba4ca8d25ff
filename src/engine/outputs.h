/* SPDX-License-Identifier: BSD-3-Clause */
/** @file outputs.h — what a node of a net gives for samples, computed by all ranks and threads. */
#ifndef DCNN_ENGINE_OUTPUTS_H
#define DCNN_ENGINE_OUTPUTS_H

#include "base/thread_pool.h"
#include "comm/comm.h"
#include "engine/feed.h"
#include "nn/plan/plan.h"

/** What is computed, and by whom. */
typedef struct dcnn_outputs {
    dcnn_comm *comm;
    dcnn_thread_pool *pool;
    const dcnn_kernels *kernels;
    dcnn_net *net;
    int node;  /**< above 0 */
    int grain; /**< samples computed at a time, by their order in the feed: the same bits on any number of ranks */
    bool fuse;
    void (*on_grain)(void); /**< called by any thread after each grain; may be NULL */
} dcnn_outputs;

/**
 * The output of a node at inference, [count][values of its shape], for all samples of a feed. *Collective.*
 * @param outputs  on rank 0, written; not read elsewhere
 * @return DCNN_OK; DCNN_FAILURE (memory); a feed's failure
 */
dcnn_status dcnn_outputs_run(const dcnn_outputs *what, int64_t count, dcnn_feed feed, float *outputs);

#endif
