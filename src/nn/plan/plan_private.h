/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file plan_private.h — what the files of a plan share.
 *
 * Three lists. *Operations*: what is computed (one a layer, fused pairs as one, none for Flatten). *Steps*: when, as
 * (operation, phase) in stage order. *Tensors*: each operation's output, its gradient and what it saves, each with the
 * first and last step that touches it. A tensor that lives inside one stage is the worker's and is reused grain after
 * grain while it is in cache; one that crosses stages is the slot's. Lifetimes that do not overlap share memory.
 *
 *     plan_lists.c     operations and steps of a net
 *     plan_fuse.c      which neighbours are one operation
 *     plan_recompute.c which values the backward pass makes again
 *     plan_memory.c    the tensors, and where each lies
 *     plan.c           life, and what others ask
 *     plan_run.c       running it
 */
#ifndef DCNN_NN_PLAN_PRIVATE_H
#define DCNN_NN_PLAN_PRIVATE_H

#include "base/arena.h"
#include "nn/plan/plan.h"

typedef enum dcnn_plan_phase { FORWARD, FORWARD_SUMS, LOSS, BACKWARD_SUMS, BACKWARD, AGAIN } dcnn_plan_phase;

typedef struct dcnn_plan_step {
    dcnn_plan_phase phase;
    int op;                                    /* -1: the loss */
    int sum_offset;                            /* in the stage's sums */
    bool accumulate[DCNN_MAX_INPUTS];          /* another consumer has written this input's gradient before */
    enum { ALONE, FIRST, BETWEEN, LAST } turn; /* among the calls of a layer that make its weights' gradient together */
} dcnn_plan_step;

typedef struct dcnn_plan_tensor {
    size_t bytes;
    int first, last; /* steps that touch it; first < 0: unused */
    bool in_slot;
    size_t offset;
} dcnn_plan_tensor;

struct dcnn_plan {
    dcnn_net *net;
    const dcnn_kernels *kernels;
    dcnn_plan_options options;
    int frozen_end; /* dcnn_net_frozen_end(), or 0 if nothing is trained: what is made up to there may be kept, so it is
                       the same in every plan: to the bits of training's forward pass, as floats at the end */
    int op_count, step_count, value_count; /* values: the input, then one an operation */
    dcnn_op *ops;
    dcnn_plan_step *steps;
    int *stage_first;                             /* [stages + 1] first step of each stage */
    int *stage_sums;                              /* [stages] */
    dcnn_plan_tensor *values, *gradients, *saved; /* [value_count], [value_count], [op_count] */
    dcnn_plan_tensor *partials; /* [nodes] gradients of the weights of a layer that is called several times, so far */
    bool *dropped;              /* [value_count] made again by the backward pass (plan_recompute.c) … */
    dcnn_plan_tensor *again, *saved_again; /* [value_count], [op_count] … where they lie then */
    dcnn_plan_tensor probabilities;
    int logits; /* the value that the loss reads */
    size_t scratch_offset, addend_offset, slot_bytes, worker_bytes, block_bytes;
    char *block, *slots, *workers;
    int part, parts; /* of the packed weights */
};

/* Neighbours that run as one operation. Zeroed: none. */
typedef struct dcnn_fusion {
    const dcnn_op_kind *kind;
    const dcnn_node *node;      /* whose shape is that of the output */
    const dcnn_node *norm;      /* a BatchNormalization among them that is the operation's head, or NULL */
    const dcnn_node *folded;    /* one that goes into the convolution's weights, at inference; or NULL */
    const dcnn_node *pool;      /* a pooling that comes as an operation of its own before the activation, or NULL */
    dcnn_activation activation; /* among them */
    int covered[4], count;      /* nodes behind the first, whose output is the operation's */
} dcnn_fusion;

/* What a convolution or a BatchNormalization, node i, fuses with. */
dcnn_fusion dcnn_plan_fuse_convolution(const dcnn_plan *plan, int i);
dcnn_fusion dcnn_plan_fuse_normalization(const dcnn_plan *plan, int i);

/* The kernels of a node's precision. */
const dcnn_kernels *dcnn_plan_kernels_for(const dcnn_plan *plan, const dcnn_node *node);

/* Fill ops and steps, whose room is there. Scratch: value_of [nodes], has_gradient [2 nodes + 1], zeroed. */
void dcnn_plan_list_operations(dcnn_plan *plan, int *value_of);
void dcnn_plan_list_steps(dcnn_plan *plan, bool *has_gradient);

/* Fills `dropped` where options say so. @return false: out of memory */
bool dcnn_plan_choose_dropped(dcnn_plan *plan);

/* Where a value lies in a phase, and what its operation saves. */
const dcnn_plan_tensor *dcnn_plan_value_in(const dcnn_plan *plan, int value, dcnn_plan_phase phase);
const dcnn_plan_tensor *dcnn_plan_saved_in(const dcnn_plan *plan, int op, dcnn_plan_phase phase);

/* Where an operation first runs, or is read if it is folded into another. */
int dcnn_plan_first_stage(const dcnn_plan *plan, const dcnn_op *op);

/* Places every tensor, and takes the one block. @return DCNN_OK, DCNN_FAILURE (memory) */
dcnn_status dcnn_plan_make_memory(dcnn_plan *plan);

/* Gives each operation its place for packed weights. */
void dcnn_plan_carve_packed(dcnn_plan *plan, dcnn_arena *arena);

/* The value that an operation reads: a folded BatchNormalization's input instead of its output. */
int dcnn_plan_value_read_by(const dcnn_op *op, int input);

/* Does a gradient go into this value? Not into the input, nor where no layer before learns. */
bool dcnn_plan_value_learns(const dcnn_plan *plan, int value);

/* Where the gradient of a node's weights lies. */
dcnn_range dcnn_plan_range_of(const dcnn_node *node);

/* `bytes` in whole lines of cache. */
static inline size_t dcnn_plan_line(size_t bytes) {
    return (bytes + DCNN_ALIGNMENT - 1) / DCNN_ALIGNMENT * DCNN_ALIGNMENT;
}

/* Where a tensor lies for a slot and a worker; NULL: it is not used. */
static inline void *dcnn_plan_memory_of(const dcnn_plan *plan, const dcnn_plan_tensor *t, int slot, int worker) {
    if (t->first < 0) return NULL;
    return t->in_slot ? plan->slots + (size_t)slot * plan->slot_bytes + t->offset
                      : plan->workers + (size_t)worker * plan->worker_bytes + t->offset;
}

#endif
