/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file rules.h — what a model asks of its weights in training, by Keras' definitions.
 *
 * *Regularizers* add to the loss of each step, with w the weights before it:
 * - L1, L2, L1L2   l1 sum |w| + l2 sum w^2
 *
 * *Constraints* change the weights after each step; |w| is the norm over `axis`, e = 1e-7:
 * - NonNeg         max(w, 0)
 * - UnitNorm       w / (e + |w|)
 * - MaxNorm        w clip(|w|, 0, max_value) / (e + |w|)
 * - MinMaxNorm     w (rate clip(|w|, min_value, max_value) + (1 - rate) |w|) / (e + |w|)
 *
 * As in Keras, they count for weights that are trained only, once each, however often a layer is called.
 */
#ifndef DCNN_NN_RULES_H
#define DCNN_NN_RULES_H

#include <stddef.h>

#include "base/status.h"

struct dcnn_net;
struct dcnn_node;
struct dcnn_param;

typedef enum dcnn_constraint_kind {
    DCNN_CONSTRAINT_NONE,
    DCNN_CONSTRAINT_NON_NEGATIVE,
    DCNN_CONSTRAINT_NORM /**< the other three are one rule, with other settings */
} dcnn_constraint_kind;

/** The rules of one weight tensor. Zeroed: none. */
typedef struct dcnn_rules {
    double l1, l2;
    dcnn_constraint_kind constraint;
    double least, most, rate; /**< of the norm; rate is the share of the clipped norm in what it becomes */
    unsigned axes;            /**< bit mask of the dimensions that a norm runs over */
} dcnn_rules;

/** Reads a node's kept description into its parameters' rules. *Local.*
 * @return DCNN_OK; DCNN_BAD_INPUT: the rule that training cannot obey, in a sentence */
dcnn_status dcnn_rules_read(struct dcnn_node *node);

/** Floats of a chunk: penalties, and norms of the optimizer, are summed in chunks at fixed places (law 2). */
enum { DCNN_CHUNK = 4096 };

/** What a regularizer makes of `count` weights. *Local.* */
double dcnn_rules_penalty(const dcnn_rules *rules, size_t count, const float *w);

/** Adds its gradient, times `scale`, to g [count]. *Local.* */
void dcnn_rules_gradient(const dcnn_rules *rules, double scale, size_t count, const float *w, float *g);

/** The penalty of all of a net's trained weights, in the order of the optimizer's chunks. *Local.* */
double dcnn_net_penalty(const struct dcnn_net *net);

/** Groups of weights that a constraint treats alone: one a norm, or a value. *Local.* */
size_t dcnn_rules_groups(const struct dcnn_param *param);

/** Applies a constraint to groups [first, end) of a tensor. *Local.* @param w  the whole tensor */
void dcnn_rules_constrain(const struct dcnn_param *param, float *w, size_t first, size_t end);

#endif
