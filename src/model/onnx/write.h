/* SPDX-License-Identifier: BSD-3-Clause */
/* write.h — what the files that write ONNX share: the writer, and how a layer becomes operators. */
#ifndef DCNN_MODEL_ONNX_WRITE_H
#define DCNN_MODEL_ONNX_WRITE_H

#include "model/onnx/build.h"
#include "nn/layer.h"

/* One layer on its way. Maps are [N, c, h, w], vectors [N, c]. */
typedef struct dcnn_onnx_layer {
    dcnn_onnx_graph *graph;
    const dcnn_net *net;
    const dcnn_node *node;
    const json_t *config; /* as Keras has it, complete */
    int input_count;
    const char *x[DCNN_MAX_INPUTS]; /* names of the inputs */
    dcnn_shape in[DCNN_MAX_INPUTS], out;
} dcnn_onnx_layer;

/* Adds a layer's operators; *y: the name of what it makes. */
typedef dcnn_status dcnn_onnx_emit(dcnn_onnx_layer *layer, const char **y);

/* The row of a class, or NULL. */
dcnn_onnx_emit *dcnn_onnx_find(const char *class_name);

/* f(x) of one activation, of a map or vector. */
const char *dcnn_onnx_activate(dcnn_onnx_graph *graph, dcnn_activation f, const char *x);

/* A layer's parameter as a constant with its axes in another order: axis i is axis order[i] of Keras'. NULL: as it is.
 */
const char *dcnn_onnx_weight(dcnn_onnx_layer *layer, int number, const int *order);

/* A parameter of one number a channel, as a vector [c] or spread over maps [c, 1, 1]; `fallback` where it has none. */
const char *dcnn_onnx_channels(dcnn_onnx_layer *layer, const char *name, bool spread, double fallback);

/* One number of each channel, from a function, spread likewise. */
const char *dcnn_onnx_spread(dcnn_onnx_layer *layer, const char *name, const double *values);

#endif
