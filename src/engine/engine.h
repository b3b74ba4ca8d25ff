/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file engine.h — trains a net: one step from a batch to new weights, on all ranks and threads.
 *
 * An engine is a net, its plan, its threads, a comm and an optimizer. It knows no files, folders, signals or printing:
 * samples come from a feed (feed.h), policy from the caller. A whole training, `fill` being a function of the caller's:
 *
 *     dcnn_engine_create(comm, net, NULL, NULL, &options, &engine);
 *     for (int64_t at = 0, number = 1; at + 128 <= count; at += 128, number++) {
 *         dcnn_step step = {128, number, epoch, 1e-3, {fill, &batches[at / 128]}};
 *         dcnn_engine_step(engine, &step, &sums);
 *     }
 *
 * Each function is *Collective* unless it says *Local*.
 */
#ifndef DCNN_ENGINE_ENGINE_H
#define DCNN_ENGINE_ENGINE_H

#include "base/thread_pool.h"
#include "comm/comm.h"
#include "engine/feed.h"
#include "engine/stopwatch.h"
#include "nn/optimizers/optimizer.h"
#include "nn/plan/plan.h"

typedef struct dcnn_engine dcnn_engine;

typedef struct dcnn_engine_options {
    int grain;          /**< samples a grain; part of the arithmetic (law 2) */
    int threads;        /**< of this rank; 0: its share of the node's cores */
    bool fuse;          /**< fused kernels where there are any */
    bool recompute;     /**< activations that only the backward pass needs are made again, not kept (plan.h) */
    int first;          /**< node whose output the feed gives instead of images; 0: the net's input */
    bool plain_sums;    /**< plain MPI_Allreduce of fp32 gradients: to measure what exactness costs */
    int64_t batch_size; /**< samples of the largest batch, on all ranks together */
    int64_t last_batch; /**< the one other size that occurs, as at an epoch's end; 0: none; -1: any, which takes a
                             moment to prepare */
    int accumulate;     /**< batches whose gradients make one step; each has BatchNormalization statistics of its own */
    uint64_t seed;      /**< of dropout */
    bool soft_targets;  /**< the feed gives second classes, shares and weights too */
    bool values;        /**< it gives numbers [n, output_count], or 0 and 1 of each label, instead of classes */
    dcnn_optimizer optimizer; /**< its learning rate is not read: each step brings its own */
    const float *average;     /**< averaged weights [net->param_count] to start from (optimizer.ema_momentum), or NULL:
                                 those     after the first step; copied */
    const dcnn_spans *spans;  /**< borrowed, or NULL */
    void (*on_grain)(void);   /**< called by any thread after each grain of a stage; may be NULL */
    int (*stop_flag)(
        void); /**< asked once a batch on each rank: a small number above 0 asks all to stop; may be NULL */
} dcnn_engine_options;

/** Samples a grain of training in batches of that size, where nobody says otherwise: dcnn_grain_of(), but 8 from 4,096
 * to 16,383, so that batches as large as that have work for 512 cores at least, and from 8,192 on for 1,024. *Local.*
 */
int dcnn_engine_grain(int64_t batch);

/**
 * Makes a net ready for training. *Collective.*
 * @param net     its weights are where training starts; the engine takes it over, after a failure too
 * @param m,v     the optimizer's moments [net->param_count] to start from, or NULL: zero; copied
 * @param engine  out; free with dcnn_engine_free()
 * @return DCNN_OK; DCNN_FAILURE (memory, threads, /dev/shm)
 */
dcnn_status dcnn_engine_create(dcnn_comm *comm, dcnn_net *net, const float *m, const float *v,
                               const dcnn_engine_options *options, dcnn_engine **engine);
void dcnn_engine_free(dcnn_engine *engine); /**< *Collective*, of an engine that was made */

/** Memory that an engine takes on one rank. */
typedef struct dcnn_engine_bytes {
    size_t activations; /**< of all grains that the rank holds at a time, and of each thread */
    size_t own;         /**< these, and sums and labels: the rank's alone */
    size_t vectors;     /**< gradients of its threads, which its domain can read */
    size_t common;      /**< weights, moments, gradient, packed weights: once a domain */
    int threads;
} dcnn_engine_bytes;

/** What dcnn_engine_create() would take, before it is taken. The net stays the caller's. *Local.*
 * @return DCNN_OK; DCNN_FAILURE (memory) */
dcnn_status dcnn_engine_measure(dcnn_comm *comm, dcnn_net *net, const dcnn_engine_options *options,
                                dcnn_engine_bytes *bytes);

/** One step. */
typedef struct dcnn_step {
    int64_t samples; /**< on all ranks together; batches of batch_size, up to `accumulate` of them, the last may be
                          smaller */
    int64_t number;  /**< of the optimizer's step, from 1 */
    uint32_t epoch;  /**< for dropout, with the samples' numbers */
    double rate;     /**< learning rate */
    dcnn_feed feed;  /**< of the step's samples: the first is 0 */
    bool goes_on;    /**< another step follows, and until then nobody looks at weights, moments and gradient, or calls
                          dcnn_engine_settle() first; so that gradients may travel on meanwhile */
} dcnn_step;

/** What steps came to, over all ranks; exact. */
typedef struct dcnn_step_sums {
    double loss;     /**< of the samples, added to batch by batch, with what regularizers add to each one's */
    int64_t correct; /**< answers that are right (DCNN_SUM_CORRECT), likewise */
    double absolute; /**< mean absolute errors of the samples, of a net that gives numbers */
    int stop;        /**< of the last step: the largest of the ranks' stop flags */
} dcnn_step_sums;

/**
 * Trains one step. *Collective*: every rank with the same step, its feed apart.
 * @param sums  added to
 * @return DCNN_OK; DCNN_DIVERGED: the loss is infinite or not a number, weights are as before the step, but for the
 *         moving statistics; DCNN_USAGE: so many samples were not foreseen; a feed's failure
 */
dcnn_status dcnn_engine_step(dcnn_engine *engine, const dcnn_step *step, dcnn_step_sums *sums);

/**
 * Makes BatchNormalization's statistics anew, for the present weights: those of all samples of the feed, not of the
 * batches that have passed. One forward pass in training's batches, each normalised by its own statistics; layers that
 * are for training alone (Dropout) pass their input on. *Collective*; its time is not a step's.
 *
 * As in Izmailov et al., Averaging Weights Leads to Wider Optima, 2018, but with sums over samples instead of means of
 * batches' means.
 * @param samples  of the feed; batches of batch_size, and a last one that was foreseen
 * @param epoch    for the feed's samples
 * @return DCNN_OK; DCNN_USAGE: so many samples were not foreseen; a feed's failure
 */
dcnn_status dcnn_engine_statistics(dcnn_engine *engine, int64_t samples, uint32_t epoch, dcnn_feed feed);

/** Makes what steps that go on have left to be made of weights, moments and gradient. *Collective.* */
void dcnn_engine_settle(dcnn_engine *engine);

/** Exchanges the weights and the averaged ones. *Collective.* Nothing else may run meanwhile. */
void dcnn_engine_exchange(dcnn_engine *engine);

/* All *Local*. What ranks of a node share must only be written while the others do not read. */

/** The net with its present weights, and what goes with them, each [net->param_count]. After a step `gradient` is the
 * sum over its samples (LAMB has written its direction over it). */
dcnn_net *dcnn_engine_net(const dcnn_engine *engine);
float *dcnn_engine_m(const dcnn_engine *engine);
float *dcnn_engine_v(const dcnn_engine *engine);
float *dcnn_engine_gradient(const dcnn_engine *engine);
float *dcnn_engine_average(const dcnn_engine *engine); /**< NULL: none is kept */

const dcnn_plan *dcnn_engine_plan(const dcnn_engine *engine);
const dcnn_kernels *dcnn_engine_kernels(const dcnn_engine *engine);
dcnn_thread_pool *dcnn_engine_pool(const dcnn_engine *engine);

/** Samples of a batch of so many that this rank computes. */
int64_t dcnn_engine_share(const dcnn_engine *engine, int64_t batch);

/** Where the time of this rank's steps went since dcnn_engine_forget_times(): phases (stopwatch.h), whose sum is the
 * time in steps, and operations, summed over this rank's threads; the loss is operation dcnn_plan_op_count(). */
void dcnn_engine_phases(const dcnn_engine *engine, double phases_s[DCNN_PHASE_COUNT]);
dcnn_op_times dcnn_engine_op_times(const dcnn_engine *engine, int op);
void dcnn_engine_forget_times(dcnn_engine *engine);

#endif
