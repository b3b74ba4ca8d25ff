/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file regularizer.h — what weights add to the loss of each training step, by Keras' definitions, with w the weights
 * before the step:
 * - L1, L2, L1L2   l1 sum |w| + l2 sum w^2
 *
 * As in Keras, only weights that are trained count, and each of them once, however often its layer is called.
 */
#ifndef DCNN_NN_REGULARIZER_H
#define DCNN_NN_REGULARIZER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct dcnn_net;

/** Of one weight tensor. Zeroed: none. */
typedef struct dcnn_regularizer {
    double l1, l2;
} dcnn_regularizer;

/** Floats of a chunk: penalties, and the optimizer's norms, are summed in chunks at fixed places (law 2). */
enum { DCNN_CHUNK = 4096 };

/** Reads a Keras regularizer (a name or an object). *Local.* @return false: dcnn does not have it */
bool dcnn_regularizer_read(const json_t *json, dcnn_regularizer *regularizer);

bool dcnn_regularizer_is_active(const dcnn_regularizer *regularizer);

/** What `count` weights add to the loss. *Local.* */
double dcnn_regularizer_penalty(const dcnn_regularizer *regularizer, size_t count, const float *w);

/** Adds the penalty's gradient, times `scale`, to g [count]. *Local.* */
void dcnn_regularizer_gradient(const dcnn_regularizer *regularizer, double scale, size_t count, const float *w,
                               float *g);

/** The penalty of all of a net's trained weights, in the order of the optimizer's chunks. *Local.* */
double dcnn_net_penalty(const struct dcnn_net *net);

#endif
