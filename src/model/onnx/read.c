/* SPDX-License-Identifier: BSD-3-Clause */
/* read.c — an ONNX file as a model: values by name, the description in the making, weights, and the end of it. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "model/model_private.h"
#include "model/onnx/build.h"
#include "model/onnx/onnx.h"
#include "model/onnx/read.h"
#include "nn/layer.h"

enum { MOST_NODES = 1 << 16 };

/* --- memory and values -------------------------------------------------------------------------------------------- */

void *dcnn_onnx_keep(dcnn_onnx_reader *r, size_t count, size_t size) {
    if (!dcnn_onnx_grow(&r->blocks, sizeof *r->blocks, r->block_count, &r->block_room)) return NULL;
    void *block = calloc(count + 1, size);
    if (block == NULL)
        DCNN_FAIL(DCNN_FAILURE, "out of memory: an ONNX model");
    else
        r->blocks[r->block_count++] = block;
    return block;
}

dcnn_status dcnn_onnx_get(const dcnn_onnx_reader *r, const char *name, dcnn_onnx_value *value) {
    const json_t *at = json_object_get(r->index, name);
    if (at == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: a node takes the value '%.80s', which no node makes", r->path,
                         name);
    *value = r->values[json_integer_value(at)];
    return DCNN_OK;
}

static dcnn_status put(dcnn_onnx_reader *r, const char *name, const dcnn_onnx_value *value) {
    if (json_object_get(r->index, name))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: the value '%.80s' is made twice", r->path, name);
    if (!dcnn_onnx_grow(&r->values, sizeof *r->values, r->value_count, &r->value_room)) return DCNN_FAILURE;
    if (json_object_set_new(r->index, name, json_integer((json_int_t)r->value_count)) != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: the name of a value is not UTF-8", r->path);
    r->values[r->value_count] = *value;
    r->values[r->value_count++].name = name;
    return DCNN_OK;
}

bool dcnn_onnx_has_input(const DcnnOnnx__Node *node, size_t number) {
    return number < node->n_input && node->input[number] && node->input[number][0];
}

dcnn_status dcnn_onnx_input(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, size_t number,
                            dcnn_onnx_value *value) {
    if (!dcnn_onnx_has_input(node, number)) return dcnn_onnx_refuse(r, node, "it has too few inputs");
    return dcnn_onnx_get(r, node->input[number], value);
}

int dcnn_onnx_uses(const dcnn_onnx_reader *r, const char *name) {
    return (int)json_integer_value(json_object_get(r->uses, name));
}

dcnn_status dcnn_onnx_refuse(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *what) {
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: node '%.80s' (%.40s): %s", r->path, node->name ? node->name : "",
                     node->op_type ? node->op_type : "?", what);
}

/* --- layers ------------------------------------------------------------------------------------------------------- */

/* "conv2d" of dcnn's own "conv2d/Conv_0"; else the class's name, numbered. */
static const char *choose_name(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *class_name) {
    char *name = dcnn_onnx_keep(r, DCNN_NAME_BYTES, 1);
    const char *own = r->own && node && node->name ? node->name : "", *slash = strchr(own, '/');
    const size_t length = slash ? (size_t)(slash - own) : 0;
    if (name == NULL) return NULL;
    if (length > 0 && length < DCNN_NAME_BYTES) memcpy(name, own, length);
    if (name[0] && json_object_get(r->names, name) == NULL) return name;
    int number = (int)json_integer_value(json_object_get(r->numbered, class_name)); /* those before it are taken */
    do dcnn_net_place_name(class_name, number++, name);
    while (json_object_get(r->names, name));
    json_object_set_new(r->numbered, class_name, json_integer(number));
    return name;
}

dcnn_status dcnn_onnx_add(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *class_name, json_t *config,
                          int count, const dcnn_onnx_value *inputs, dcnn_onnx_value *out) {
    if (config == NULL)
        return node ? dcnn_onnx_refuse(r, node, "one of its settings is not a number")
                    : DCNN_FAIL(DCNN_BAD_INPUT, "%s: a setting of '%s' is not a number", r->path, class_name);
    if (json_array_size(r->layers) == DCNN_MOST_LAYERS) {
        json_decref(config);
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: the model has more than %d layers", r->path, DCNN_MOST_LAYERS);
    }
    const char *name = choose_name(r, node, class_name);
    json_t *values = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(values, json_pack("[s,i,i,{}]", inputs[i].layer, 0, 0));
    json_t *calls = count > 0 ? json_pack("[o]", values) : values;
    if (name) json_object_set_new(config, "name", json_string(name));
    json_t *layer = name ? json_pack("{s:s, s:s, s:O, s:O}", "class_name", class_name, "name", name, "config", config,
                                     "inbound_nodes", calls)
                         : NULL;
    json_decref(config);
    json_decref(calls);
    if (layer == NULL || json_object_set(r->names, name, layer) != 0 || json_array_append_new(r->layers, layer) != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: the name of a node cannot be the name of a layer", r->path);
    out->layer = name;
    return DCNN_OK;
}

json_t *dcnn_onnx_config(const dcnn_onnx_reader *r, const char *layer) {
    return json_object_get(json_object_get(r->names, layer), "config");
}

void dcnn_onnx_rename(const dcnn_onnx_reader *r, const char *layer, const char *class_name) {
    json_object_set_new(json_object_get(r->names, layer), "class_name", json_string(class_name));
}

dcnn_status dcnn_onnx_weigh(dcnn_onnx_reader *r, const char *layer, int number, float *values, size_t count) {
    if (!dcnn_onnx_grow(&r->weights, sizeof *r->weights, r->weight_count, &r->weight_room)) return DCNN_FAILURE;
    r->weights[r->weight_count++] = (dcnn_onnx_weight_in){layer, number, values, count};
    return DCNN_OK;
}

/* Its axes in another order, as Keras' Permute has it. */
static dcnn_status permute(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, int a, int b, int c,
                           dcnn_onnx_value *value) {
    return dcnn_onnx_add(r, node, "Permute", json_pack("{s:[i,i,i]}", "dims", a, b, c), 1, value, value);
}

dcnn_status dcnn_onnx_as_map(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *value) {
    if (value->kind == ONNX_MAP) return DCNN_OK;
    if (value->kind != ONNX_LAST)
        return dcnn_onnx_refuse(r, node, "its input is not of shape [N, channels, height, width]");
    const dcnn_onnx_value last = *value; /* [N, h, w, c] are the operator's [N, channels, height, width] */
    DCNN_TRY(permute(r, NULL, 2, 3, 1, value));
    value->kind = ONNX_MAP;
    value->c = last.h;
    value->h = last.w;
    value->w = last.c;
    return DCNN_OK;
}

bool dcnn_onnx_is_mean(const dcnn_onnx_reader *r, const dcnn_onnx_value *value) {
    dcnn_onnx_value x;
    return value->made_by && strcmp(value->made_by->op_type, "ReduceMean") == 0 &&
           dcnn_onnx_input(r, value->made_by, 0, &x) == DCNN_OK && (x.kind == ONNX_MAP || x.kind == ONNX_LAST);
}

dcnn_status dcnn_onnx_settle(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *value) {
    if (value->kind == ONNX_CONSTANT) return dcnn_onnx_refuse(r, node, "its input is a constant");
    const bool mean = value->kind == ONNX_OPEN && value->made_by == value->blame && dcnn_onnx_is_mean(r, value);
    if (mean) return dcnn_onnx_reduce(r, value->made_by, value);
    if (value->kind == ONNX_OPEN)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: node '%.80s': dcnn does not have the operator %.40s", r->path,
                         value->blame->name ? value->blame->name : "", value->blame->op_type);
    if (value->kind == ONNX_GROUPED) return dcnn_onnx_refuse(r, node, "its input has three dimensions");
    if (value->kind != ONNX_FLAT) return DCNN_OK;
    const bool same = value->c == 1 || (int64_t)value->h * value->w == 1;
    if (!same) DCNN_TRY(permute(r, NULL, 3, 1, 2, value));
    DCNN_TRY(dcnn_onnx_add(r, node, "Flatten", json_object(), 1, value, value));
    value->kind = ONNX_VECTOR;
    value->c *= value->h * value->w;
    value->h = value->w = 1;
    return DCNN_OK;
}

dcnn_status dcnn_onnx_settled(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *x) {
    DCNN_TRY(dcnn_onnx_input(r, node, 0, x));
    return dcnn_onnx_settle(r, node, x);
}

/* --- the graph ---------------------------------------------------------------------------------------------------- */

static const dcnn_onnx_row *find(const char *operator) {
    const dcnn_onnx_row *const tables[] = {dcnn_onnx_layer_rows, dcnn_onnx_value_rows, dcnn_onnx_shape_rows};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const dcnn_onnx_row *row = tables[i]; row->operator; row++)
            if (strcmp(row->operator, operator) == 0) return row;
    return NULL;
}

/* What a layer makes stays where the arithmetic of shapes is safe: an int has room for each product and sum of them. */
static dcnn_status check_size(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *value) {
    const int64_t sizes[3] = {value->c, value->h, value->w};
    int64_t whole = 1;
    if (value->kind == ONNX_CONSTANT || value->kind == ONNX_OPEN) return DCNN_OK;
    for (int i = 0; i < 3; i++) {
        const bool good = sizes[i] >= 1 && sizes[i] <= (i == 0 ? DCNN_ONNX_FEATURES : DCNN_ONNX_LENGTH);
        whole = good ? whole * sizes[i] : DCNN_ONNX_FEATURES + 1;
        if (whole > DCNN_ONNX_FEATURES)
            return node ? dcnn_onnx_refuse(r, node, "what it makes is too large")
                        : DCNN_FAIL(DCNN_BAD_INPUT, "%s: its input is too large", r->path);
    }
    return DCNN_OK;
}

/* ONNX's own operators have no domain, or its name. */
static bool is_own_domain(const char *domain) {
    return domain == NULL || domain[0] == '\0' || strcmp(domain, "ai.onnx") == 0;
}

static dcnn_status take_node(dcnn_onnx_reader *r, const DcnnOnnx__Node *node) {
    dcnn_onnx_value out = {0};
    bool done = false;
    if (node->op_type == NULL || node->n_output == 0 || node->output[0] == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: a node without an operator or an output", r->path);
    if (!is_own_domain(node->domain)) return dcnn_onnx_refuse(r, node, "its operator is not from ONNX's own set");
    DCNN_TRY(dcnn_onnx_fold(r, node, &out, &done));
    const dcnn_onnx_row *row = find(node->op_type);
    out = done ? out : (dcnn_onnx_value){.kind = ONNX_OPEN};
    if (!done && row) DCNN_TRY(row->take(r, node, &out));
    if (!done && row) DCNN_TRY(dcnn_onnx_check_attributes(r, node, row->attributes));
    DCNN_TRY(check_size(r, node, &out));
    out.made_by = node;
    if (out.kind == ONNX_OPEN && out.blame == NULL) {
        dcnn_onnx_value x = {0};
        if (dcnn_onnx_has_input(node, 0)) DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
        out.blame = x.kind == ONNX_OPEN ? x.blame : node; /* the first one */
    }
    return put(r, node->output[0], &out);
}

/* Does an image's Transpose from [N, height, width, channels] stand first, as in graphs from TensorFlow? */
static bool is_turned_first(const dcnn_onnx_reader *r, const char *input) {
    for (size_t i = 0; i < r->graph->n_node; i++) {
        const DcnnOnnx__Node *node = r->graph->node[i];
        const DcnnOnnx__Attribute *perm = dcnn_onnx_attribute(node, "perm");
        if (node->op_type && strcmp(node->op_type, "Transpose") == 0 && dcnn_onnx_has_input(node, 0) &&
            strcmp(node->input[0], input) == 0 && perm && perm->n_ints == 4 && perm->ints[1] == 3 && perm->ints[2] == 1)
            return true;
    }
    return false;
}

/* Are an image's channels last? dcnn writes them first; in other files such a Transpose may as well be one of the
 * network, so that where only one of the lengths can be that of channels, it decides; else what is guessed is told. */
static bool are_channels_last(const dcnn_onnx_reader *r, const char *input, const int64_t dims[4]) {
    enum { MOST_CHANNELS = 4 };
    if (r->own || !is_turned_first(r, input)) return false;
    const bool first = dims[1] <= MOST_CHANNELS, last = dims[3] <= MOST_CHANNELS;
    if (first != last) return last;
    dcnn_warn("%s: its input is taken for [N, height, width, channels], as it is transposed first", r->path);
    return true;
}

/* The one input that is not a weight. */
static dcnn_status take_input(dcnn_onnx_reader *r, const DcnnOnnx__Value *input) {
    const DcnnOnnx__TensorType *type = input->type ? input->type->tensor_type : NULL;
    const size_t rank = type && type->shape ? type->shape->n_dim : 0;
    int64_t dims[4] = {0, 1, 1, 1};
    bool good = rank == 2 || rank == 4, last = false;
    for (size_t i = 0; good && i < rank; i++) {
        const DcnnOnnx__Dimension *dim = type->shape->dim[i];
        if (i > 0 || dim->has_dim_value) dims[i] = dim->has_dim_value ? dim->dim_value : 0;
        good = i == 0 || (dims[i] >= 1 && dims[i] <= DCNN_ONNX_FEATURES);
    }
    if (!good)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: its input must be [N, channels, height, width] or [N, features], with fixed sizes for all but N",
            r->path);
    last = rank == 4 && are_channels_last(r, input->name, dims);
    dcnn_onnx_value value = {.kind = rank == 2 ? ONNX_VECTOR : last ? ONNX_LAST : ONNX_MAP};
    value.c = (int)dims[last ? 3 : 1];
    value.h = (int)dims[last ? 1 : 2];
    value.w = (int)dims[last ? 2 : 3];
    DCNN_TRY(check_size(r, NULL, &value));
    r->batch = dims[0] > 0 ? dims[0] : 0;
    value.positive = type->elem_type == ONNX_UINT8;
    json_t *shape = rank == 2 ? json_pack("[n,i]", value.c) : json_pack("[n,i,i,i]", value.h, value.w, value.c);
    DCNN_TRY(dcnn_onnx_add(r, NULL, "InputLayer", json_pack("{s:o}", "batch_shape", shape), 0, NULL, &value));
    return put(r, input->name, &value);
}

static dcnn_status take_inputs(dcnn_onnx_reader *r) {
    const DcnnOnnx__Value *input = NULL;
    int count = 0;
    for (size_t i = 0; i < r->graph->n_initializer; i++) {
        dcnn_onnx_value value;
        const DcnnOnnx__Tensor *tensor = r->graph->initializer[i];
        DCNN_TRY(dcnn_onnx_tensor(r, tensor, &value));
        DCNN_TRY(put(r, tensor->name ? tensor->name : "", &value));
    }
    for (size_t i = 0; i < r->graph->n_input; i++) {
        const char *name = r->graph->input[i]->name;
        if (name == NULL || json_object_get(r->index, name)) continue; /* a weight */
        input = r->graph->input[i];
        count++;
    }
    if (count != 1 || r->graph->n_output != 1 || r->graph->output[0]->name == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: has %d inputs and %zu outputs: dcnn takes models of one input and one output", r->path,
                         count, r->graph->n_output);
    return take_input(r, input);
}

static void count_uses(dcnn_onnx_reader *r) {
    for (size_t i = 0; i < r->graph->n_node; i++)
        for (size_t j = 0; j < r->graph->node[i]->n_input; j++) {
            const char *name = r->graph->node[i]->input[j];
            if (name) json_object_set_new(r->uses, name, json_integer(dcnn_onnx_uses(r, name) + 1));
        }
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static dcnn_status fill_weights(const dcnn_onnx_reader *r, dcnn_net *net) {
    for (size_t i = 0; i < r->weight_count; i++) {
        const dcnn_onnx_weight_in *weight = &r->weights[i];
        int number = 0;
        while (number < net->node_count && strcmp(net->nodes[number].name, weight->layer) != 0) number++;
        if (number == net->node_count) continue; /* the output does not need it */
        const dcnn_node *node = &net->nodes[number];
        if (weight->number >= node->param_count || node->params[weight->number].count != weight->count)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: layer '%s' (%s): its weights have another shape than its input needs",
                             r->path, node->name, node->layer->class_name);
        memcpy(dcnn_net_values(net, &node->params[weight->number]), weight->values, weight->count * sizeof(float));
    }
    return DCNN_OK;
}

static dcnn_status make_net(dcnn_onnx_reader *r, dcnn_net **net) {
    dcnn_onnx_value out;
    DCNN_TRY(dcnn_onnx_get(r, r->graph->output[0]->name, &out));
    DCNN_TRY(dcnn_onnx_settle(r, out.made_by ? out.made_by : r->graph->node[0], &out));
    const char *first = json_string_value(json_object_get(json_array_get(r->layers, 0), "name"));
    const char *name = r->graph->name && r->graph->name[0] && strlen(r->graph->name) < DCNN_NAME_BYTES &&
                               strpbrk(r->graph->name, "/ ") == NULL
                           ? r->graph->name
                           : "onnx";
    json_t *description =
        json_pack("{s:s, s:{s:s, s:O, s:[[s,i,i]], s:[[s,i,i]]}}", "class_name", "Functional", "config", "name", name,
                  "layers", r->layers, "input_layers", first, 0, 0, "output_layers", out.layer, 0, 0);
    if (description == NULL) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its names are not UTF-8", r->path);
    dcnn_status status = dcnn_net_create(description, (dcnn_shape){0}, net);
    json_decref(description);
    if (status != DCNN_OK) dcnn_error_prefix("%s", r->path);
    return status;
}

/* Entries that dcnn writes: texts, and lists as JSON. */
static dcnn_status take_metadata(const DcnnOnnx__Model *model, const char *path, dcnn_checkpoint *into) {
    json_t *metadata = json_object();
    for (size_t i = 0; i < model->n_metadata_props; i++) {
        const DcnnOnnx__Entry *entry = model->metadata_props[i];
        json_t *value = entry->key && entry->value ? json_loads(entry->value, 0, NULL) : NULL;
        if (value) json_object_set_new(metadata, entry->key, value);
    }
    dcnn_loss_take(json_object_get(metadata, "loss"), into);
    dcnn_status status = dcnn_metadata_read(metadata, path, into);
    json_decref(metadata);
    return status;
}

static dcnn_status read_graph(dcnn_onnx_reader *r, const DcnnOnnx__Model *model, dcnn_checkpoint *into) {
    count_uses(r);
    DCNN_TRY(take_inputs(r));
    for (size_t i = 0; i < r->graph->n_node; i++) DCNN_TRY(take_node(r, r->graph->node[i]));
    DCNN_TRY(make_net(r, &into->net));
    into->class_count = into->net->class_count;
    DCNN_TRY(fill_weights(r, into->net));
    snprintf(into->compiled, sizeof into->compiled, "%s", r->told);
    return r->own ? take_metadata(model, r->path, into) : DCNN_OK;
}

static void free_reader(dcnn_onnx_reader *r) {
    for (size_t i = 0; i < r->block_count; i++) free(r->blocks[i]);
    free(r->blocks);
    free(r->values);
    free(r->weights);
    free(r->external);
    json_decref(r->claimed);
    json_decref(r->index);
    json_decref(r->layers);
    json_decref(r->names);
    json_decref(r->numbered);
    json_decref(r->uses);
}

static dcnn_status read_model(const char *path, const DcnnOnnx__Model *model, dcnn_checkpoint *into) {
    dcnn_onnx_reader r = {.path = path, .graph = model->graph};
    if (model->graph == NULL || model->graph->n_node == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged, or not an ONNX model: it has no graph", path);
    if (model->graph->n_node > MOST_NODES || model->graph->n_initializer > MOST_NODES)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a graph of %zu nodes is too large", path, model->graph->n_node);
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const DcnnOnnx__OperatorSet *set = model->opset_import[i];
        if (is_own_domain(set->domain)) r.opset = set->version;
    }
    r.own = model->producer_name && strcmp(model->producer_name, "dcnn") == 0;
    r.index = json_object();
    r.layers = json_array();
    r.names = json_object();
    r.numbered = json_object();
    r.uses = json_object();
    dcnn_status status = r.uses ? read_graph(&r, model, into) : DCNN_FAIL(DCNN_FAILURE, "out of memory: an ONNX model");
    free_reader(&r);
    return status;
}

dcnn_status dcnn_onnx_read(const char *path, dcnn_checkpoint *checkpoint) {
    uint8_t *bytes;
    size_t length;
    *checkpoint = (dcnn_checkpoint){0};
    DCNN_TRY(dcnn_file_read(path, &bytes, &length));
    DcnnOnnx__Model *model = dcnn_onnx__model__unpack(NULL, length, bytes);
    free(bytes);
    if (model == NULL) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged, or not an ONNX model", path);
    dcnn_status status = read_model(path, model, checkpoint);
    dcnn_onnx__model__free_unpacked(model, NULL);
    if (status != DCNN_OK) dcnn_checkpoint_free(checkpoint);
    return status;
}
