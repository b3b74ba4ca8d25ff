/* SPDX-License-Identifier: BSD-3-Clause */
/* build.c — see build.h. */
#include "model/onnx/build.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_OPSET = 17, TEXT_BYTES = 512 };

void dcnn_onnx_begin(dcnn_onnx_graph *graph) {
    *graph = (dcnn_onnx_graph){.opset = LEAST_OPSET, .prefix = "", .owner = ""};
    dcnn_onnx__graph__init(&graph->graph);
    dcnn_onnx__model__init(&graph->model);
}

void dcnn_onnx_free(dcnn_onnx_graph *graph) {
    for (size_t i = 0; i < graph->block_count; i++) free(graph->blocks[i]);
    free(graph->blocks);
    free(graph->graph.node);
    free(graph->graph.initializer);
    *graph = (dcnn_onnx_graph){0};
}

void dcnn_onnx_prefix(dcnn_onnx_graph *graph, const char *prefix, const char *owner) {
    graph->prefix = prefix;
    graph->owner = owner;
    graph->made = 0;
}

bool dcnn_onnx_grow(void *list, size_t size, size_t count, size_t *room) {
    void **pointer = list;
    if (count < *room) return true;
    const size_t more = 2 * *room + 64;
    void *larger = realloc(*pointer, more * size);
    if (larger == NULL) {
        DCNN_FAIL(DCNN_FAILURE, "out of memory: an ONNX model");
        return false;
    }
    *pointer = larger;
    *room = more;
    return true;
}

/* One more pointer. */
static bool grow(dcnn_onnx_graph *graph, void *list, size_t count, size_t *room) {
    const bool grown = dcnn_onnx_grow(list, sizeof(void *), count, room);
    graph->failed = graph->failed || !grown;
    return grown;
}

void *dcnn_onnx_alloc(dcnn_onnx_graph *graph, size_t bytes) {
    if (!grow(graph, &graph->blocks, graph->block_count, &graph->block_room)) return NULL;
    void *block = calloc(bytes ? bytes : 1, 1);
    graph->failed = graph->failed || block == NULL;
    if (block) graph->blocks[graph->block_count++] = block;
    return block;
}

const char *dcnn_onnx_text(dcnn_onnx_graph *graph, const char *format, ...) {
    char text[TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *own = dcnn_onnx_alloc(graph, strlen(text) + 1);
    return own ? strcpy(own, text) : "";
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static char *writable(const char *text) {
    return (char *)(uintptr_t)text; /* protobuf-c's fields; it only reads them */
}

const char *dcnn_onnx_node(dcnn_onnx_graph *graph, const char *operator, int count, const char *const *inputs) {
    if (!grow(graph, &graph->graph.node, graph->graph.n_node, &graph->node_room)) return "";
    DcnnOnnx__Node *node = dcnn_onnx_alloc(graph, sizeof *node);
    char **names = dcnn_onnx_alloc(graph, ((size_t)count + 1) * sizeof *names);
    const char *output = dcnn_onnx_text(graph, "%s/%s_%d", graph->prefix, operator, graph->made++);
    if (node == NULL || names == NULL) return "";
    dcnn_onnx__node__init(node);
    for (int i = 0; i < count; i++) names[i] = writable(inputs[i]);
    names[count] = writable(output);
    node->input = names;
    node->n_input = (size_t)count;
    node->output = names + count;
    node->n_output = 1;
    node->name = writable(output);
    node->op_type = writable(operator);
    graph->graph.node[graph->graph.n_node++] = node;
    return output;
}

const char *dcnn_onnx_one(dcnn_onnx_graph *graph, const char *operator, const char * input) {
    return dcnn_onnx_node(graph, operator, 1, &input);
}

const char *dcnn_onnx_two(dcnn_onnx_graph *graph, const char *operator, const char * a, const char *b) {
    return dcnn_onnx_node(graph, operator, 2, (const char *const[]){a, b});
}

static DcnnOnnx__Attribute *add_attribute(dcnn_onnx_graph *graph, const char *name, int32_t type) {
    enum { MOST = 8 };
    if (graph->failed) return NULL;
    DcnnOnnx__Node *node = graph->graph.node[graph->graph.n_node - 1];
    DcnnOnnx__Attribute *attribute = dcnn_onnx_alloc(graph, sizeof *attribute);
    if (node->attribute == NULL) node->attribute = dcnn_onnx_alloc(graph, MOST * sizeof(DcnnOnnx__Attribute *));
    if (attribute == NULL || node->attribute == NULL) return NULL;
    dcnn_onnx__attribute__init(attribute);
    attribute->name = writable(name);
    attribute->has_type = true;
    attribute->type = type;
    node->attribute[node->n_attribute++] = attribute;
    return attribute;
}

void dcnn_onnx_int(dcnn_onnx_graph *graph, const char *name, int64_t value) {
    DcnnOnnx__Attribute *attribute = add_attribute(graph, name, 2);
    if (attribute == NULL) return;
    attribute->has_i = true;
    attribute->i = value;
}

void dcnn_onnx_float(dcnn_onnx_graph *graph, const char *name, double value) {
    DcnnOnnx__Attribute *attribute = add_attribute(graph, name, 1);
    if (attribute == NULL) return;
    attribute->has_f = true;
    attribute->f = (float)value;
}

void dcnn_onnx_word(dcnn_onnx_graph *graph, const char *name, const char *value) {
    DcnnOnnx__Attribute *attribute = add_attribute(graph, name, 3);
    if (attribute == NULL) return;
    attribute->has_s = true;
    attribute->s = (ProtobufCBinaryData){strlen(value), (uint8_t *)writable(value)};
}

void dcnn_onnx_ints(dcnn_onnx_graph *graph, const char *name, int count, const int64_t *values) {
    DcnnOnnx__Attribute *attribute = add_attribute(graph, name, 7);
    int64_t *own = dcnn_onnx_alloc(graph, (size_t)count * sizeof *own);
    if (attribute == NULL || own == NULL) return;
    memcpy(own, values, (size_t)count * sizeof *own);
    attribute->ints = own;
    attribute->n_ints = (size_t)count;
}

/* --- constants ---------------------------------------------------------------------------------------------------- */

static const DcnnOnnx__Tensor *find_constant(const dcnn_onnx_graph *graph, const char *name) {
    for (size_t i = 0; i < graph->graph.n_initializer; i++)
        if (strcmp(graph->graph.initializer[i]->name, name) == 0) return graph->graph.initializer[i];
    return NULL;
}

static bool has_shape(const DcnnOnnx__Tensor *tensor, int rank, const int64_t *dims) {
    for (int i = 0; i < rank && tensor->n_dims == (size_t)rank; i++)
        if (tensor->dims[i] != dims[i]) return false;
    return tensor->n_dims == (size_t)rank;
}

static DcnnOnnx__Tensor *add_constant(dcnn_onnx_graph *graph, const char *name, int32_t type, int rank,
                                      const int64_t *dims, size_t bytes) {
    if (!grow(graph, &graph->graph.initializer, graph->graph.n_initializer, &graph->constant_room)) return NULL;
    DcnnOnnx__Tensor *tensor = dcnn_onnx_alloc(graph, sizeof *tensor);
    int64_t *own = dcnn_onnx_alloc(graph, (size_t)rank * sizeof *own);
    uint8_t *data = dcnn_onnx_alloc(graph, bytes);
    if (tensor == NULL || own == NULL || data == NULL) return NULL;
    dcnn_onnx__tensor__init(tensor);
    for (int i = 0; i < rank; i++) own[i] = dims[i];
    tensor->dims = own;
    tensor->n_dims = (size_t)rank;
    tensor->has_data_type = true;
    tensor->data_type = type;
    tensor->name = writable(name);
    tensor->has_raw_data = true;
    tensor->raw_data = (ProtobufCBinaryData){bytes, data};
    graph->graph.initializer[graph->graph.n_initializer++] = tensor;
    return tensor;
}

const char *dcnn_onnx_floats(dcnn_onnx_graph *graph, const char *name, int rank, const int64_t *dims, float **values) {
    const char *full = dcnn_onnx_text(graph, "%s/%s", graph->owner, name);
    size_t count = 1;
    for (int i = 0; i < rank; i++) count *= (size_t)dims[i];
    *values = NULL;
    const DcnnOnnx__Tensor *there = find_constant(graph, full);
    if (there && !has_shape(there, rank, dims)) { /* the layer is called on values of several widths */
        full = dcnn_onnx_text(graph, "%s/%s", graph->prefix, name);
        there = find_constant(graph, full);
    }
    if (there) return full;
    DcnnOnnx__Tensor *tensor = add_constant(graph, full, ONNX_FLOAT, rank, dims, count * sizeof(float));
    if (tensor) *values = (float *)(void *)tensor->raw_data.data;
    return full;
}

const char *dcnn_onnx_number(dcnn_onnx_graph *graph, double value) {
    float *values;
    const char *name = dcnn_onnx_floats(graph, dcnn_onnx_text(graph, "number_%d", graph->made++), 0, NULL, &values);
    if (values) *values = (float)value;
    return name;
}

const char *dcnn_onnx_int64s(dcnn_onnx_graph *graph, int count, const int64_t *values) {
    const char *full = dcnn_onnx_text(graph, "%s/numbers_%d", graph->prefix, graph->made++);
    const size_t bytes = (size_t)count * sizeof *values;
    DcnnOnnx__Tensor *tensor = add_constant(graph, full, ONNX_INT64, 1, (const int64_t[]){count}, bytes);
    if (tensor) memcpy(tensor->raw_data.data, values, bytes);
    return full;
}

void dcnn_onnx_needs(dcnn_onnx_graph *graph, int64_t opset) {
    if (opset > graph->opset) graph->opset = opset;
}
