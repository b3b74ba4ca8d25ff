/* SPDX-License-Identifier: BSD-3-Clause */
/* net.c — from a Keras description to nodes, shapes, stages and the flat vectors of weights, and back. */
#include "nn/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/random.h"
#include "nn/layer.h"

float *dcnn_net_values(const dcnn_net *net, const dcnn_param *param) {
    return (param->trainable ? net->params : net->state) + param->offset;
}

void dcnn_net_free(dcnn_net *net) {
    if (net == NULL) return;
    for (int i = 0; i < net->node_count; i++) free(net->nodes[i].config);
    free(net->nodes);
    free(net->buckets);
    if (!net->params_elsewhere) dcnn_block_free(net->params);
    dcnn_block_free(net->state);
    free(net);
}

void dcnn_net_place_params(dcnn_net *net, float *params) {
    if (!net->params_elsewhere) dcnn_block_free(net->params);
    net->params = params;
    net->params_elsewhere = true;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

/* [null, 28, 28, 1] or [null, 100], wherever Keras 2 and 3 put it. */
static dcnn_status read_shape(const char *name, const json_t *config, dcnn_shape *shape) {
    const json_t *dims = json_object_get(config, "batch_shape");
    if (dims == NULL) dims = json_object_get(config, "batch_input_shape");
    if (dims == NULL) return DCNN_OK;
    const size_t rank = json_array_size(dims);
    int values[3] = {1, 1, 1};
    bool good = rank == 2 || rank == 4;
    for (size_t i = 1; good && i < rank; i++) {
        const json_int_t value = json_integer_value(json_array_get(dims, i));
        good = value >= 1 && value <= 1 << 20;
        values[i - 1] = (int)value;
    }
    if (!good || json_is_integer(json_array_get(dims, 0)))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s': the input shape must be [null, height, width, channels] or [null, features]",
                         name);
    *shape = rank == 4 ? (dcnn_shape){3, values[0], values[1], values[2]} : (dcnn_shape){1, 1, 1, values[0]};
    return DCNN_OK;
}

static bool is_taken(const dcnn_net *net, const char *name) {
    for (int i = 0; i < net->node_count; i++)
        if (strcmp(net->nodes[i].name, name) == 0) return true;
    return false;
}

static void default_name(const dcnn_net *net, const char *class_name, char *name) {
    char base[DCNN_NAME_BYTES - 12] = "";
    size_t length = 0;
    for (const char *p = class_name; *p && length + 2 < sizeof base;
         p++) { /* MaxPooling2D -> max_pooling2d, as Keras */
        if (*p >= 'A' && *p <= 'Z' && p > class_name && p[-1] >= 'a' && p[-1] <= 'z') base[length++] = '_';
        base[length++] = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    }
    snprintf(name, DCNN_NAME_BYTES, "%s", base);
    for (int number = 1; is_taken(net, name); number++) snprintf(name, DCNN_NAME_BYTES, "%s_%d", base, number);
}

static dcnn_status check_name(const dcnn_net *net, const char *name) {
    if (strlen(name) == 0 || strlen(name) >= DCNN_NAME_BYTES || strchr(name, '/'))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer name '%.80s' must have 1 to %d characters and no '/'", name,
                         DCNN_NAME_BYTES - 1);
    for (int i = 0; i < net->node_count; i++)
        if (strcmp(net->nodes[i].name, name) == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "two layers are named '%s'", name);
    return DCNN_OK;
}

/* Keras' dtype policy of a layer, as a name or as an object that has one; of a policy only the name counts. */
static dcnn_status read_policy(dcnn_node *node, const json_t *config) {
    const json_t *dtype = json_object_get(config, "dtype");
    const json_t *name = json_is_object(dtype) ? json_object_get(json_object_get(dtype, "config"), "name") : dtype;
    if (name == NULL || json_is_null(name)) return DCNN_OK;
    const char *policy = json_string_value(name);
    node->bf16 = policy && strcmp(policy, "mixed_bfloat16") == 0;
    if (node->bf16 || (policy && strcmp(policy, "float32") == 0)) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s': dcnn cannot compute in dtype '%.40s': give it \"float32\" or \"mixed_bfloat16\"",
                     node->name, policy ? policy : "?");
}

/* Appends the layer as the next node of a chain: its input is the node before it. */
static dcnn_status add_layer(dcnn_net *net, const json_t *item) {
    const char *class_name = json_string_value(json_object_get(item, "class_name"));
    const json_t *config = json_object_get(item, "config");
    if (class_name == NULL) return DCNN_FAIL(DCNN_BAD_INPUT, "layer %d has no \"class_name\"", net->node_count);
    dcnn_node *node = &net->nodes[net->node_count];
    const char *given = json_string_value(json_object_get(config, "name"));
    if (given) DCNN_TRY(check_name(net, given));
    const dcnn_layer *layer = dcnn_layer_find(class_name);
    if (layer == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': dcnn has no layer of class %s", given ? given : "?", class_name);
    if (given)
        snprintf(node->name, sizeof node->name, "%s", given);
    else
        default_name(net, class_name, node->name);
    node->layer = layer;
    node->config = calloc(1, layer->config_bytes + 1);
    if (node->config == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: layer '%s'", node->name);
    net->node_count++; /* from here on dcnn_net_free() frees it */
    if (net->node_count > 1) {
        node->input_count = 1;
        node->inputs[0] = net->node_count - 2;
    }
    DCNN_TRY(read_policy(node, config));
    return layer->parse(node, config);
}

static dcnn_status build_shapes(dcnn_net *net, dcnn_shape input) {
    for (int i = 0; i < net->node_count; i++) {
        dcnn_node *node = &net->nodes[i];
        dcnn_shape inputs[DCNN_MAX_INPUTS] = {input};
        for (int j = 0; j < node->input_count; j++) inputs[j] = net->nodes[node->inputs[j]].shape;
        DCNN_TRY(node->layer->build(node, inputs));
        char text[48];
        if (dcnn_shape_count(node->shape) > 1u << 28)
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': an output of shape %s is too large", node->name,
                             dcnn_shape_text(node->shape, text));
    }
    const dcnn_node *last = &net->nodes[net->node_count - 1];
    char text[48];
    if (last->shape.rank != 1)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "the last layer '%s' must give one number a class, but its output has shape %s", last->name,
                         dcnn_shape_text(last->shape, text));
    if (last->layer->activation == NULL || last->layer->activation(last) != DCNN_SOFTMAX)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the last layer '%s' must end in softmax: dcnn trains classifiers",
                         last->name);
    net->class_count = last->shape.c;
    return DCNN_OK;
}

/*
 * Stages: a node's output exists after as many forward synchronisations as lie before it; its gradient after as many
 * backward ones as lie behind it. A synchronised node's own gradients come out of its sums, one stage earlier.
 */
static void number_stages(dcnn_net *net) {
    for (int i = 0; i < net->node_count; i++) {
        dcnn_node *node = &net->nodes[i];
        node->stage_forward = 0;
        for (int j = 0; j < node->input_count; j++) {
            int before = net->nodes[node->inputs[j]].stage_forward;
            if (before > node->stage_forward) node->stage_forward = before;
        }
        node->stage_forward += node->layer->synchronised;
        node->stage_backward = 0;
    }
    net->loss_stage = net->nodes[net->node_count - 1].stage_forward;
    net->stage_count = net->loss_stage + 1;
    for (int i = net->node_count - 1; i >= 0; i--) {
        dcnn_node *node = &net->nodes[i];
        if (node->stage_backward < net->loss_stage) node->stage_backward = net->loss_stage;
        node->stage_backward += node->layer->synchronised;
        for (int j = 0; j < node->input_count; j++) {
            dcnn_node *input = &net->nodes[node->inputs[j]];
            if (input->stage_backward < node->stage_backward) input->stage_backward = node->stage_backward;
        }
        if (i > 0 && net->stage_count < node->stage_backward + 1) net->stage_count = node->stage_backward + 1;
    }
}

static int gradient_stage(const dcnn_node *node) {
    return node->stage_backward - node->layer->synchronised;
}

/* Places weights in the flat vectors, those whose gradient is ready first in front. */
static dcnn_status place_weights(dcnn_net *net) {
    net->buckets = calloc((size_t)net->stage_count, sizeof *net->buckets);
    if (net->buckets == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: stages");
    for (int stage = 0; stage < net->stage_count; stage++) {
        net->buckets[stage].offset = net->param_count;
        for (int i = 0; i < net->node_count; i++) {
            dcnn_node *node = &net->nodes[i];
            for (int j = 0; j < node->param_count && gradient_stage(node) == stage; j++) {
                dcnn_param *param = &node->params[j];
                size_t *end = param->trainable ? &net->param_count : &net->state_count;
                param->offset = *end;
                *end += (param->count + 15) / 16 * 16; /* each tensor starts on a cache line; the gap stays zero */
            }
        }
        net->buckets[stage].count = net->param_count - net->buckets[stage].offset;
    }
    DCNN_TRY(dcnn_block_create(net->param_count * sizeof(float), "the weights", (void **)&net->params));
    return dcnn_block_create(net->state_count * sizeof(float), "the moving statistics", (void **)&net->state);
}

static dcnn_status read_layers(dcnn_net *net, const json_t *layers, dcnn_shape input) {
    dcnn_shape named = {0};
    const json_t *first = json_array_get(layers, 0);
    DCNN_TRY(read_shape("input", json_object_get(first, "config"), &named));
    char text[2][48];
    if (named.rank && input.rank && (named.h != input.h || named.w != input.w || named.c != input.c))
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model takes inputs of shape %s, but the data has shape %s",
                         dcnn_shape_text(named, text[0]), dcnn_shape_text(input, text[1]));
    if (named.rank == 0) named = input;
    if (named.rank == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model names no input shape: give its first layer a \"batch_shape\"");
    const char *class_name = json_string_value(json_object_get(first, "class_name"));
    if (class_name == NULL || strcmp(class_name, "InputLayer") != 0) {
        json_t *implied = json_pack("{s:s, s:{}}", "class_name", "InputLayer", "config");
        dcnn_status status = add_layer(net, implied);
        json_decref(implied);
        DCNN_TRY(status);
    }
    for (size_t i = 0; i < json_array_size(layers); i++) {
        if (i > 0 && net->nodes[net->node_count - 1].layer == &dcnn_layer_input && net->node_count > 1)
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': an InputLayer can only come first",
                             net->nodes[net->node_count - 1].name);
        DCNN_TRY(add_layer(net, json_array_get(layers, i)));
    }
    DCNN_TRY(build_shapes(net, named));
    number_stages(net);
    return place_weights(net);
}

dcnn_status dcnn_net_create(const json_t *description, dcnn_shape input, dcnn_net **out) {
    *out = NULL;
    const char *class_name = json_string_value(json_object_get(description, "class_name"));
    const json_t *config = json_object_get(description, "config");
    const json_t *layers = json_is_array(config) ? config : json_object_get(config, "layers");
    if (class_name == NULL || strcmp(class_name, "Sequential") != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model is of class '%s': dcnn reads Keras Sequential models",
                         class_name ? class_name : "?");
    if (json_array_size(layers) == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "the model has no layers");
    dcnn_net *net = calloc(1, sizeof *net);
    if (net) net->nodes = calloc(json_array_size(layers) + 1, sizeof *net->nodes);
    if (net == NULL || net->nodes == NULL) {
        dcnn_net_free(net);
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: a model of %zu layers", json_array_size(layers));
    }
    const char *name = json_string_value(json_object_get(config, "name"));
    snprintf(net->name, sizeof net->name, "%s", name ? name : "sequential");
    dcnn_status status = read_layers(net, layers, input);
    if (status != DCNN_OK) {
        dcnn_net_free(net);
        return status;
    }
    *out = net;
    return DCNN_OK;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static json_t *describe_policy(const dcnn_node *node) {
    if (!node->bf16) return json_string("float32");
    return json_pack("{s:s, s:s, s:{s:s}, s:n}", "module", "keras", "class_name", "DTypePolicy", "config", "name",
                     "mixed_bfloat16", "registered_name");
}

json_t *dcnn_net_describe(const dcnn_net *net) {
    json_t *layers = json_array();
    for (int i = 0; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        json_t *config =
            json_pack("{s:s, s:b, s:o}", "name", node->name, "trainable", 1, "dtype", describe_policy(node));
        node->layer->describe(node, config);
        json_array_append_new(layers, json_pack("{s:s, s:s, s:o, s:n}", "module", "keras.layers", "class_name",
                                                node->layer->class_name, "config", config, "registered_name"));
    }
    const dcnn_shape input = net->nodes[0].shape;
    json_t *shape = input.rank == 3 ? json_pack("[n,i,i,i]", input.h, input.w, input.c) : json_pack("[n,i]", input.c);
    return json_pack("{s:s, s:s, s:{s:s, s:b, s:s, s:o}, s:n, s:{s:o}}", "module", "keras", "class_name", "Sequential",
                     "config", "name", net->name, "trainable", 1, "dtype", "float32", "layers", layers,
                     "registered_name", "build_config", "input_shape", shape);
}

void dcnn_net_set_bf16(dcnn_net *net, bool bf16) {
    for (int i = 1; i < net->node_count; i++) net->nodes[i].bf16 = bf16;
}

bool dcnn_net_has_bf16(const dcnn_net *net) {
    for (int i = 1; i < net->node_count; i++)
        if (net->nodes[i].bf16) return true;
    return false;
}

/* --- initial weights -------------------------------------------------------------------------------------------- */

static void initialise_param(float *values, const dcnn_param *param, uint64_t seed, int64_t number) {
    const double fan_in = param->fan_in, fan_sum = param->fan_in + param->fan_out;
    double variance = 0.0; /* a variance makes it random; its distribution follows below */
    switch (param->initializer) {
    case DCNN_INIT_GLOROT_UNIFORM:
    case DCNN_INIT_GLOROT_NORMAL:
        variance = 2.0 / fan_sum;
        break;
    case DCNN_INIT_HE_UNIFORM:
    case DCNN_INIT_HE_NORMAL:
        variance = 2.0 / fan_in;
        break;
    case DCNN_INIT_ZEROS:
    case DCNN_INIT_ONES:
    case DCNN_INIT_COUNT:
        break;
    }
    const bool uniform = param->initializer == DCNN_INIT_GLOROT_UNIFORM || param->initializer == DCNN_INIT_HE_UNIFORM;
    const double limit = sqrt(3.0 * variance);
    const double deviation = sqrt(variance) / 0.87962566103423978; /* Keras: that of a normal cut at two deviations */
    for (size_t i = 0; i < param->count; i++) {
        if (variance == 0.0) {
            values[i] = param->initializer == DCNN_INIT_ONES ? 1.0f : 0.0f;
            continue;
        }
        for (uint32_t attempt = 0;; attempt++) {
            dcnn_random_bits bits = dcnn_random(seed, DCNN_RANDOM_INIT, attempt, number << 40 | (int64_t)i, 0);
            const double value = uniform ? dcnn_random_between(bits.word[0], -limit, limit)
                                         : dcnn_random_normal(bits.word[0], bits.word[1]);
            values[i] = (float)(uniform ? value : deviation * value);
            if (uniform || fabs(value) < 2.0) break;
        }
    }
}

void dcnn_net_initialise(dcnn_net *net, uint64_t seed) {
    int64_t number = 0;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            initialise_param(dcnn_net_values(net, param), param, seed, number++);
        }
}

int64_t dcnn_net_multiply_adds(const dcnn_net *net, int node) {
    int64_t sum = 0;
    for (int i = node < 0 ? 0 : node; i <= (node < 0 ? net->node_count - 1 : node); i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) /* kernels are used once a position */
            if (net->nodes[i].params[j].rank >= 2)
                sum += (int64_t)net->nodes[i].params[j].count * net->nodes[i].shape.h * net->nodes[i].shape.w;
    return sum;
}
