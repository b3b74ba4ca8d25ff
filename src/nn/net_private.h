/* SPDX-License-Identifier: BSD-3-Clause */
/* net_private.h — what net.c, net_read.c, net_operation.c and net_write.c share. */
#ifndef DCNN_NN_NET_PRIVATE_H
#define DCNN_NN_NET_PRIVATE_H

#include "nn/layer.h"

/* Of a layer's item, beside its "config": called as at inference, where Keras' own word cannot say so. Keras does not
 * look at it. */
#define DCNN_NET_INFERENCE "dcnn_inference"

/* Fills net->nodes from a description, in topological order, the output last; every node is built. */
dcnn_status dcnn_net_read(dcnn_net *net, const json_t *description, dcnn_shape input);

/* Is an item of a description an operation of keras.ops, as x + 3 becomes one, instead of a layer? */
bool dcnn_net_is_operation(const json_t *item);

/* An operation on a value and a number as the Rescaling layer that computes the same: x + 3, 3 - x, x * 0.5, x / 6.
 * @param numbers, values  how many arguments of each kind it has
 * @param number_first     3 - x rather than x - 3
 * @param rescaling        out, the caller's */
dcnn_status dcnn_net_as_rescaling(const json_t *item, int numbers, int values, double number, bool number_first,
                                  json_t **rescaling);

#endif
