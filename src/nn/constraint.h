/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file constraint.h — what weights are brought to after each training step, by Keras' definitions, with |w| the norm
 * over `axis` and epsilon = 1e-7:
 * - NonNeg         max(w, 0)
 * - UnitNorm       w / (epsilon + |w|)
 * - MaxNorm        w clip(|w|, 0, max_value) / (epsilon + |w|)
 * - MinMaxNorm     w (rate clip(|w|, min_value, max_value) + (1 - rate) |w|) / (epsilon + |w|)
 *
 * As in Keras, only weights that are trained are constrained, once a step, however often their layer is called.
 */
#ifndef DCNN_NN_CONSTRAINT_H
#define DCNN_NN_CONSTRAINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct dcnn_param;

typedef enum dcnn_constraint_kind {
    DCNN_CONSTRAINT_NONE,
    DCNN_CONSTRAINT_NON_NEGATIVE,
    DCNN_CONSTRAINT_NORM /**< the other three: one formula with different settings */
} dcnn_constraint_kind;

/** Of one weight tensor. Zeroed: none. */
typedef struct dcnn_constraint {
    dcnn_constraint_kind kind;
    double min_norm, max_norm, rate; /**< rate: share of the clipped norm in what the norm becomes */
    unsigned axes;                   /**< bit mask of the dimensions that a norm runs over */
} dcnn_constraint;

/** Reads a Keras constraint (a name or an object) of a tensor of `rank` dimensions. *Local.*
 * @return false: dcnn does not have it */
bool dcnn_constraint_read(const json_t *json, int rank, dcnn_constraint *constraint);

/** Groups of weights that a constraint treats alone: one a norm, or one a value. *Local.* */
size_t dcnn_constraint_groups(const struct dcnn_param *param);

/** Applies a constraint to groups [first, end) of a tensor. *Local.* @param w  the whole tensor */
void dcnn_constraint_apply(const struct dcnn_param *param, float *w, size_t first, size_t end);

#endif
