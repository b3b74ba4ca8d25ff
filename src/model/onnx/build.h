/* SPDX-License-Identifier: BSD-3-Clause */
/* build.h — an ONNX graph in the making: nodes, attributes, constants; all of it freed at once. */
#ifndef DCNN_MODEL_ONNX_BUILD_H
#define DCNN_MODEL_ONNX_BUILD_H

#include <stdbool.h>

#include <onnx.pb-c.h>

#include "base/status.h"

enum {
    ONNX_FLOAT = 1,
    ONNX_UINT8 = 2,
    ONNX_INT32 = 6,
    ONNX_INT64 = 7,
    ONNX_HALF = 10,
    ONNX_DOUBLE = 11,
    ONNX_BF16 = 16
};

/* Everything in it lies in blocks, which dcnn_onnx_free() frees. What cannot be had sets `failed`: the caller looks
 * once, at the end; values are then "". */
typedef struct dcnn_onnx_graph {
    DcnnOnnx__Graph graph;
    DcnnOnnx__Model model;
    size_t node_room, constant_room;
    void **blocks;
    size_t block_count, block_room;
    int64_t opset; /* the lowest that has all operators so far */
    const char *prefix, *owner;
    int made; /* values under this prefix, which numbers them */
    bool failed;
} dcnn_onnx_graph;

/* Makes room in a list of `count` elements for one more. false: out of memory, which is on record. */
bool dcnn_onnx_grow(void *list, size_t size, size_t count, size_t *room);

void dcnn_onnx_begin(dcnn_onnx_graph *graph);
void dcnn_onnx_free(dcnn_onnx_graph *graph);

/* Names of values begin with `prefix` from now on, those of weights with `owner`: a layer, and the first call of it. */
void dcnn_onnx_prefix(dcnn_onnx_graph *graph, const char *prefix, const char *owner);

/* Zeroed memory of the graph's, or NULL. A text of its own, or "". */
void *dcnn_onnx_alloc(dcnn_onnx_graph *graph, size_t bytes);
const char *dcnn_onnx_text(dcnn_onnx_graph *graph, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a node of one output; returns the output's name. */
const char *dcnn_onnx_node(dcnn_onnx_graph *graph, const char *operator, int count, const char *const *inputs);
const char *dcnn_onnx_one(dcnn_onnx_graph *graph, const char *operator, const char * input);
const char *dcnn_onnx_two(dcnn_onnx_graph *graph, const char *operator, const char * a, const char *b);

/* Attributes of the node that came last. */
void dcnn_onnx_int(dcnn_onnx_graph *graph, const char *name, int64_t value);
void dcnn_onnx_float(dcnn_onnx_graph *graph, const char *name, double value);
void dcnn_onnx_word(dcnn_onnx_graph *graph, const char *name, const char *value);
void dcnn_onnx_ints(dcnn_onnx_graph *graph, const char *name, int count, const int64_t *values);

/* Constants, of values that are copied; the name is OWNER/name. One of that name is taken as it is. Floats: room for
 * the values, to be filled, or NULL if there is nothing to fill. */
const char *dcnn_onnx_floats(dcnn_onnx_graph *graph, const char *name, int rank, const int64_t *dims, float **values);
const char *dcnn_onnx_number(dcnn_onnx_graph *graph, double value);
const char *dcnn_onnx_int64s(dcnn_onnx_graph *graph, int count, const int64_t *values);

/* The node's operator came with this opset. */
void dcnn_onnx_needs(dcnn_onnx_graph *graph, int64_t opset);

#endif
