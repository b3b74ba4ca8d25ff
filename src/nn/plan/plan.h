/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file plan.h — a net made ready to run: operations, stages, and one block of memory measured beforehand.
 *
 * A training step is a sequence of *stages*, cut where ranks must agree (each BatchNormalization forward and backward).
 * In a stage each grain runs through all its operations while it is hot in cache; then the stage's sums are agreed and
 * the next stage begins. Grains are independent inside a stage, so workers and ranks only share them out.
 *
 *     per step    dcnn_plan_prepare            every worker, once
 *     per stage   dcnn_plan_run                every grain, by some worker
 *                 (sum the grains' sums over the batch, exactly)
 *                 dcnn_plan_agreed             once, with the totals
 */
#ifndef DCNN_NN_PLAN_H
#define DCNN_NN_PLAN_H

#include "nn/layer.h"
#include "nn/loss.h"

typedef struct dcnn_plan dcnn_plan;

#define DCNN_GRAIN 16 /**< samples a grain of a large batch; a part of the arithmetic (law 2) */

/** Samples a grain of batches of that size, where nobody says otherwise: DCNN_GRAIN, or of small batches 8, 4 or 2, so
 * that there are two grains at least. *Local.* */
int dcnn_grain_of(int64_t batch);

/** Samples of this net that may be in a grain at most: kernels count a grain's values with an int. *Local.* */
int dcnn_grain_most(const dcnn_net *net);

typedef struct dcnn_plan_options {
    int grain;   /**< samples in a full grain */
    int slots;   /**< grains whose memory is kept between stages (a rank's share of a batch; at inference == workers) */
    int workers; /**< threads that run grains */
    bool training;         /**< with gradients; else inference only, one stage */
    bool fuse;             /**< use fused operations where the kernels have them */
    bool packed_elsewhere; /**< packed weights lie where dcnn_plan_place_packed() says, not in the plan's own memory */
    bool recompute;        /**< in training: the backward pass makes again what it needs instead of keeping all of it;
                                less memory, the same bits */
    int first;             /**< node whose output the plan is given instead of images; 0: the net's input */
    int last;              /**< node whose output it gives, at inference; 0: the net's, through its loss */
    bool untouched;        /**< each worker zeroes its part of the memory before the plan runs: dcnn_plan_touch() */
    bool unallocated;      /**< only measured: for dcnn_plan_bytes() and what counts; it cannot run */
} dcnn_plan_options;

/** Seconds spent in an operation. */
typedef struct dcnn_op_times {
    double forward_s, backward_s;
} dcnn_op_times;

/** One grain on its way through a step. */
typedef struct dcnn_grain {
    int n;                  /**< samples, 1..grain */
    const int64_t *samples; /**< [n] sample numbers, for dropout; may be NULL at inference */
    dcnn_targets targets;   /**< zeroed at inference: no loss then */
    uint64_t seed;
    uint32_t epoch;
    bool clean;           /**< layers that are for training alone (Dropout, RandomFlip) pass their input on */
    float *dparams;       /**< its gradient vector [net->param_count], written bucket by bucket */
    double *sums;         /**< its sums of this stage [dcnn_plan_sum_count()], written */
    dcnn_op_times *times; /**< [dcnn_plan_op_count() + 1], the last for the loss: added to; NULL: not wanted */
} dcnn_grain;

/** Plans a net. The net must outlive the plan. *Local.* @return DCNN_OK, DCNN_BAD_INPUT (a grain of more than
 * dcnn_grain_most() samples), DCNN_FAILURE (memory) */
dcnn_status dcnn_plan_create(dcnn_net *net, const dcnn_kernels *kernels, const dcnn_plan_options *options,
                             dcnn_plan **plan);

/** Bytes of the packed weights, and their place: [bytes] at `block`, seen by `parts` plans of the same net, of which
 * this one packs part `part`; the caller keeps it until the plan is freed. For plans with `packed_elsewhere`, before
 * the first prepare. */
size_t dcnn_plan_packed_bytes(const dcnn_plan *plan);
void dcnn_plan_place_packed(dcnn_plan *plan, void *block, int part, int parts);

/** Bytes of the plan's own memory: activations, scratch, and packed weights unless they lie elsewhere. */
size_t dcnn_plan_bytes(const dcnn_plan *plan);

/** Stages of a step: net->stage_count in training, 1 at inference. */
int dcnn_plan_stage_count(const dcnn_plan *plan);

/** Doubles that a grain sums in a stage; in the loss stage the last DCNN_LOSS_SUMS are the loss's (loss.h). */
int dcnn_plan_sum_count(const dcnn_plan *plan, int stage);

/** The largest of them over all stages. */
int dcnn_plan_sum_count_max(const dcnn_plan *plan);

/** Zeroes what a worker uses: its own memory, and the slots of its share of them, so that they lie near its core. For
 * plans with `untouched`, once, by the worker itself. *Local.* */
void dcnn_plan_touch(const dcnn_plan *plan, int worker);

/** Where the input of the grain in `slot` goes: [grain, H, W, C], or [grain, values] of the first node's output. */
float *dcnn_plan_input(const dcnn_plan *plan, int slot);

/** Outputs [grain, outputs] (probabilities, say; or the last node's values) of the grain that this worker ran last,
 * after the loss stage. */
const float *dcnn_plan_output(const dcnn_plan *plan, int worker);

/** A worker's part of what is done once a step, or at inference once after the weights changed: packing weights. All
 * workers of all plans that share the packed weights must have done theirs before stage 0. */
void dcnn_plan_prepare(const dcnn_plan *plan, int worker);

/** The same for those operations that run first in this stage, just before it; so stage by stage. *Local.* */
void dcnn_plan_prepare_stage(const dcnn_plan *plan, int stage, int worker);

/** Has any of these something to do? */
bool dcnn_plan_prepares(const dcnn_plan *plan, int stage);

/** The first stage that reads any of these weights; 0 if they belong to no operation. */
int dcnn_plan_first_reader(const dcnn_plan *plan, dcnn_range params);

/** Runs one stage for one grain. Different workers may do so at the same time on different slots. */
void dcnn_plan_run(const dcnn_plan *plan, int stage, int slot, int worker, const dcnn_grain *grain);

/** Makes the stage's totals known to its operations: `totals` [sum_count], `samples` in the whole batch. Once a stage.
 */
void dcnn_plan_agreed(const dcnn_plan *plan, int stage, const double *totals, int64_t samples);

/** Makes the totals of a forward stage over all training samples what inference uses: BatchNormalization's moving
 * statistics. `totals` [sum_count] are summed over the batches of a pass, `samples` in all of them. *Local.* */
void dcnn_plan_settle(const dcnn_plan *plan, int stage, const double *totals, int64_t samples);

/** Operations in order, for `dcnn bench` and `dcnn info`. */
int dcnn_plan_op_count(const dcnn_plan *plan);

/** Operations that have a backward pass: none below the lowest layer that is trained. *Local.* */
int dcnn_plan_backward_count(const dcnn_plan *plan);
const dcnn_op *dcnn_plan_op(const dcnn_plan *plan, int index);

void dcnn_plan_free(dcnn_plan *plan);

#endif
