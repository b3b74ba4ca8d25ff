/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file ensemble.h — several nets as one: members side by side on the same input, and Average of their softmaxes.
 *
 * It is an ordinary net (a Functional model for Keras), so every format holds it and everything that evaluates a net
 * evaluates it. It is not trained: its members are.
 */
#ifndef DCNN_NN_ENSEMBLE_H
#define DCNN_NN_ENSEMBLE_H

#include "nn/net.h"

/** Can this net be a member? *Local.* @return DCNN_OK; DCNN_BAD_INPUT: it does not end in softmax */
dcnn_status dcnn_ensemble_can_take(const dcnn_net *net);

/**
 * Joins nets; the layers of member k are called mK_NAME, K from 1. *Local.*
 * @param members  [count], 2 or more, up to DCNN_MAX_INPUTS: of one input shape and as many classes, each ending in
 * softmax
 * @param net      out; free with dcnn_net_free()
 * @return DCNN_OK; DCNN_BAD_INPUT: they do not go together; DCNN_FAILURE (memory)
 */
dcnn_status dcnn_ensemble_create(int count, const dcnn_net *const *members, dcnn_net **net);

/** Members of an ensemble; 1 for any other net. *Local.* */
int dcnn_ensemble_count(const dcnn_net *net);

/** A member as a net of its own, 0 to count - 1. *Local.* @param member  out; free with dcnn_net_free() */
dcnn_status dcnn_ensemble_member(const dcnn_net *net, int number, dcnn_net **member);

#endif
