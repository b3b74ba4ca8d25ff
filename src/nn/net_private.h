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

/* The shape of images that the config of the first layer names, rank 0 if it names none: [null, 28, 28, 1], [null, 28,
 * 28] (plain: without an axis of channels) or [null, 100], wherever Keras 2 and 3 put it. Sizes that it leaves open are
 * those of `data`. */
dcnn_status dcnn_net_read_shape(const json_t *config, dcnn_shape data, dcnn_shape *shape, bool *plain);

/* Refuses layers that read the net's images otherwise than Keras' would: as they come where the input is of whole
 * numbers, or as channels what is the width where it has no axis of channels. `config`: of the first layer. */
dcnn_status dcnn_net_check_input(const dcnn_net *net, const json_t *config);

/* Has a node's output an axis more in Keras, (height, width, groups, channels), than here? */
bool dcnn_net_has_four_axes(const dcnn_node *node);

/* Refuses a node of which some axis would be counted otherwise than in Keras, which has four in an input of it. */
dcnn_status dcnn_net_check_axes(const dcnn_net *net, const dcnn_node *node);

/* Is an item of a description an operation of keras.ops, as x + 3 becomes one, instead of a layer? */
bool dcnn_net_is_operation(const json_t *item);

/* Of an item that stands for an operation: its settings are those of the operation. */
#define DCNN_NET_STAND_IN "dcnn_operation"

/* What an operation is on: values of the graph, and numbers, of which the last stands in front of all values (3 - x
 * rather than x - 3), or not. */
typedef struct dcnn_operands {
    int values, numbers;
    double number;
    bool number_first;
    const json_t *list; /* an array in place of a number: one number a channel */
    const json_t *key;  /* of x[key] */
    dcnn_shape shape;   /* of the first value */
    bool plain;         /* that value is images without an axis of channels */
} dcnn_operands;

/* An array in a description: its numbers, in lists of one inside each other, perhaps, as one a channel is written;
 * NULL: it is none of such numbers. */
const json_t *dcnn_net_numbers(const json_t *argument);

/* An operation as the layer, or the model, that computes the same; a merging layer of one value takes it twice.
 * @param layer  out, the caller's */
dcnn_status dcnn_net_operation(const json_t *item, const dcnn_operands *on, json_t **layer);

/* An operation of this name as a model of several layers, or NULL. */
json_t *dcnn_net_composite(const json_t *item, const char *name, const dcnn_operands *on);

#endif
