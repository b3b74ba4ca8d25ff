/* SPDX-License-Identifier: BSD-3-Clause */
/* write.c — a net as an ONNX file: the graph from layers.c, and what stands around it. */
#include "model/onnx/write.h"

#include <stdlib.h>
#include <string.h>

#include "model/model_private.h"
#include "model/onnx/onnx.h"

enum { IR_VERSION = 8, MOST_BYTES = INT32_MAX }; /* protobuf's own limit */

static const char batch[] = "N";

/* --- weights ------------------------------------------------------------------------------------------------------ */

const char *dcnn_onnx_weight(dcnn_onnx_layer *l, int number, const int *order) {
    const dcnn_param *param = dcnn_net_param(l->net, l->node, number);
    const float *from = dcnn_net_values(l->net, param);
    int64_t dims[4] = {1, 1, 1, 1};
    size_t strides[4] = {0, 0, 0, 0}, at[4];
    float *to;
    for (int i = 0; i < param->rank; i++) {
        const int axis = order ? order[i] : i;
        dims[i] = param->dims[axis];
        strides[i] = 1;
        for (int j = axis + 1; j < param->rank; j++) strides[i] *= (size_t)param->dims[j];
    }
    const char *name = dcnn_onnx_floats(l->graph, param->name, param->rank, dims, &to);
    if (to == NULL) return name;
    for (at[0] = 0; at[0] < (size_t)dims[0]; at[0]++)
        for (at[1] = 0; at[1] < (size_t)dims[1]; at[1]++)
            for (at[2] = 0; at[2] < (size_t)dims[2]; at[2]++)
                for (at[3] = 0; at[3] < (size_t)dims[3]; at[3]++)
                    *to++ = from[at[0] * strides[0] + at[1] * strides[1] + at[2] * strides[2] + at[3] * strides[3]];
    return name;
}

const char *dcnn_onnx_channels(dcnn_onnx_layer *l, const char *name, bool spread, double fallback) {
    const int64_t dims[3] = {l->in[0].c, 1, 1};
    const float *from = NULL;
    float *to;
    for (int i = 0; i < DCNN_MAX_PARAMS; i++) {
        const dcnn_param *param = dcnn_net_param(l->net, l->node, i);
        if (param && strcmp(param->name, name) == 0) from = dcnn_net_values(l->net, param);
    }
    const char *made = dcnn_onnx_floats(l->graph, name, spread ? 3 : 1, dims, &to);
    for (int c = 0; to && c < l->in[0].c; c++) to[c] = from ? from[c] : (float)fallback;
    return made;
}

const char *dcnn_onnx_spread(dcnn_onnx_layer *l, const char *name, const double *values) {
    const int64_t dims[3] = {l->in[0].c, 1, 1};
    float *to;
    const char *made = dcnn_onnx_floats(l->graph, name, l->in[0].rank == 3 ? 3 : 1, dims, &to);
    for (int c = 0; to && c < l->in[0].c; c++) to[c] = (float)values[c];
    return made;
}

/* --- the graph ---------------------------------------------------------------------------------------------------- */

/* Constants of a layer that is called again are found under its name; its values need one of their own. */
static const char *prefix_of(dcnn_onnx_graph *graph, const dcnn_net *net, int number) {
    int calls = 0;
    for (int i = 0; i < number; i++) calls += net->nodes[i].owner == net->nodes[number].owner;
    return calls ? dcnn_onnx_text(graph, "%s/call_%d", net->nodes[number].name, calls) : net->nodes[number].name;
}

static dcnn_status add_layer(dcnn_onnx_graph *graph, const dcnn_net *net, int number, const char **values) {
    const dcnn_node *node = &net->nodes[number];
    dcnn_onnx_emit *emit = dcnn_onnx_find(node->layer->class_name);
    dcnn_onnx_layer layer = {
        .graph = graph, .net = net, .node = node, .input_count = node->input_count, .out = node->shape};
    if (emit == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): dcnn knows no ONNX operators for it", node->name,
                         node->layer->class_name);
    for (int j = 0; j < node->input_count; j++) {
        layer.x[j] = values[node->inputs[j]];
        layer.in[j] = net->nodes[node->inputs[j]].shape;
    }
    json_t *config = json_object();
    node->layer->describe(node, config);
    if (node->kept) json_object_update(config, node->kept);
    layer.config = config;
    dcnn_onnx_prefix(graph, prefix_of(graph, net, number), node->name);
    dcnn_status status = emit(&layer, &values[number]);
    if (status == DCNN_OK && values[number] == NULL)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): dcnn knows no ONNX operators for its activation",
                           node->name, node->layer->class_name);
    json_decref(config);
    return status;
}

/* --- what stands around it ---------------------------------------------------------------------------------------- */

/* The shape [N, c, h, w] or [N, c] of an input or output. */
static void add_value(dcnn_onnx_graph *graph, const char *name, dcnn_shape shape, int32_t type, size_t *count,
                      DcnnOnnx__Value ***list) {
    struct {
        DcnnOnnx__Value *value, value_of;
        DcnnOnnx__Type type;
        DcnnOnnx__TensorType tensor;
        DcnnOnnx__Shape shape;
        DcnnOnnx__Dimension dims[4], *pointers[4];
    } *v = dcnn_onnx_alloc(graph, sizeof *v);
    const int64_t sizes[4] = {0, shape.c, shape.h, shape.w};
    if (v == NULL) return;
    dcnn_onnx__value__init(&v->value_of);
    dcnn_onnx__type__init(&v->type);
    dcnn_onnx__tensor_type__init(&v->tensor);
    dcnn_onnx__shape__init(&v->shape);
    v->shape.n_dim = shape.rank == 3 ? 4 : 2;
    v->shape.dim = v->pointers;
    for (size_t i = 0; i < v->shape.n_dim; i++) {
        dcnn_onnx__dimension__init(&v->dims[i]);
        v->pointers[i] = &v->dims[i];
        if (i == 0) v->dims[i].dim_param = (char *)(uintptr_t)batch;
        v->dims[i].has_dim_value = i > 0;
        v->dims[i].dim_value = sizes[i];
    }
    v->tensor.has_elem_type = true;
    v->tensor.elem_type = type;
    v->tensor.shape = &v->shape;
    v->type.tensor_type = &v->tensor;
    v->value_of.name = (char *)(uintptr_t)name;
    v->value_of.type = &v->type;
    v->value = &v->value_of;
    *list = &v->value;
    *count = 1;
}

static void add_entry(dcnn_onnx_graph *graph, const char *key, json_t *value) {
    enum { MOST_ENTRIES = 8 };
    DcnnOnnx__Model *model = &graph->model;
    char *text = json_is_string(value) ? strdup(json_string_value(value)) : json_dumps(value, JSON_COMPACT);
    DcnnOnnx__Entry *entry = dcnn_onnx_alloc(graph, sizeof *entry);
    char *copy = text ? dcnn_onnx_alloc(graph, strlen(text) + 1) : NULL;
    if (model->metadata_props == NULL)
        model->metadata_props = dcnn_onnx_alloc(graph, MOST_ENTRIES * sizeof(DcnnOnnx__Entry *));
    if (entry && copy && model->metadata_props) {
        dcnn_onnx__entry__init(entry);
        entry->key = (char *)(uintptr_t)key;
        entry->value = strcpy(copy, text);
        model->metadata_props[model->n_metadata_props++] = entry;
    }
    free(text);
    json_decref(value);
}

static void add_metadata(dcnn_onnx_graph *graph, const dcnn_checkpoint *from) {
    json_t *metadata = dcnn_metadata_describe(from), *value;
    const char *key;
    json_object_foreach(metadata, key, value) add_entry(graph, dcnn_onnx_text(graph, "%s", key), json_incref(value));
    json_decref(metadata);
}

static dcnn_status write_packed(const char *path, const DcnnOnnx__Model *model, bool only_new) {
    const size_t length = dcnn_onnx__model__get_packed_size(model);
    if (length > MOST_BYTES)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a model of %zu bytes is too large for ONNX, which takes 2 GiB", path,
                         length);
    uint8_t *bytes = malloc(length);
    if (bytes == NULL) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: an ONNX model", path);
    dcnn_onnx__model__pack(model, bytes);
    const dcnn_status status = dcnn_file_put(path, bytes, length, false, only_new);
    free(bytes);
    return status;
}

static dcnn_status pack(const char *path, dcnn_onnx_graph *graph, bool only_new) {
    DcnnOnnx__OperatorSet set = DCNN_ONNX__OPERATOR_SET__INIT, *sets = &set;
    DcnnOnnx__Model *model = &graph->model;
    set.domain = "";
    set.has_version = true;
    set.version = graph->opset;
    model->has_ir_version = true;
    model->ir_version = graph->opset > 18 ? IR_VERSION + 2 : IR_VERSION;
    model->producer_name = "dcnn";
    model->producer_version = DCNN_VERSION;
    model->graph = &graph->graph;
    model->n_opset_import = 1;
    model->opset_import = &sets;
    const dcnn_status status = graph->failed ? DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: an ONNX model", path)
                                             : write_packed(path, model, only_new);
    model->n_opset_import = 0; /* it ends with this function */
    model->opset_import = NULL;
    return status;
}

static dcnn_status write_graph(const char *path, dcnn_onnx_graph *graph, const dcnn_checkpoint *from, bool bytes,
                               const char **values) {
    static const char input[] = "images", output[] = "output";
    const dcnn_net *net = from->net;
    const int last = net->node_count - 1;
    DcnnOnnx__Graph *g = &graph->graph;
    add_value(graph, input, net->nodes[0].shape, bytes ? ONNX_UINT8 : ONNX_FLOAT, &g->n_input, &g->input);
    add_value(graph, output, net->nodes[last].shape, ONNX_FLOAT, &g->n_output, &g->output);
    g->name = (char *)(uintptr_t)net->name;
    values[0] = input;
    dcnn_onnx_prefix(graph, net->nodes[0].name, net->nodes[0].name);
    if (bytes) {
        values[0] = dcnn_onnx_one(graph, "Cast", input);
        dcnn_onnx_int(graph, "to", ONNX_FLOAT);
    }
    for (int i = 1; i <= last; i++) DCNN_TRY(add_layer(graph, net, i, values));
    dcnn_onnx_prefix(graph, output, output);
    dcnn_onnx_one(graph, "Identity", values[last]);
    if (!graph->failed) g->node[g->n_node - 1]->output[0] = (char *)(uintptr_t)output;
    add_metadata(graph, from);
    return pack(path, graph, from->only_new);
}

dcnn_status dcnn_onnx_write(const char *path, const dcnn_checkpoint *checkpoint, bool bytes) {
    dcnn_onnx_graph graph;
    const char **values = calloc((size_t)checkpoint->net->node_count, sizeof *values);
    dcnn_onnx_begin(&graph);
    dcnn_status status = values ? write_graph(path, &graph, checkpoint, bytes, values)
                                : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: an ONNX model", path);
    if (status == DCNN_BAD_INPUT) dcnn_error_prefix("%s", path);
    dcnn_onnx_free(&graph);
    free(values);
    return status;
}
