/* SPDX-License-Identifier: BSD-3-Clause */
/* layer_simple.c — layers without weights: InputLayer, Flatten, Dropout, Activation, ReLU, Softmax. */
#include "nn/config.h"

#include <string.h>

#include "base/random.h"

/* --- InputLayer and Flatten: the output is the input ------------------------------------------------------------ */

static dcnn_status parse_nothing(dcnn_node *node, const json_t *config) {
    (void)node;
    (void)config;
    return DCNN_OK;
}

static dcnn_status keep_shape(dcnn_node *node, const dcnn_shape *inputs) {
    node->shape = inputs[0];
    return DCNN_OK;
}

static void describe_nothing(const dcnn_node *node, json_t *config) {
    (void)node;
    (void)config;
}

static void describe_input(const dcnn_node *node, json_t *config) {
    json_t *shape = json_array();
    json_array_append_new(shape, json_null());
    if (node->shape.rank == 3) {
        json_array_append_new(shape, json_integer(node->shape.h));
        json_array_append_new(shape, json_integer(node->shape.w));
    }
    json_array_append_new(shape, json_integer(node->shape.c));
    json_object_set_new(config, "batch_shape", shape);
    json_object_del(config, "trainable");
    json_object_set_new(config, "sparse", json_false());
}

const dcnn_layer dcnn_layer_input = {
    .class_name = "InputLayer", .parse = parse_nothing, .build = keep_shape, .describe = describe_input};

static dcnn_status build_flat(dcnn_node *node, const dcnn_shape *inputs) {
    size_t count = dcnn_shape_count(inputs[0]);
    if (count > 1u << 30) return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': too many features", node->name);
    node->shape = (dcnn_shape){.rank = 1, .h = 1, .w = 1, .c = (int)count};
    return DCNN_OK;
}

static void describe_flatten(const dcnn_node *node, json_t *config) {
    (void)node;
    json_object_set_new(config, "data_format", json_string("channels_last"));
}

const dcnn_layer dcnn_layer_flatten = {
    .class_name = "Flatten", .parse = parse_nothing, .build = build_flat, .describe = describe_flatten};

/* --- Dropout: in training y = x / (1 - rate) where kept, else 0 (Srivastava et al., 2014) ----------------------- */

static dcnn_status parse_dropout(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"noise_shape", NULL}};
    DCNN_TRY(dcnn_config_real(node, config, "rate", 0.5, 0.0, 0.999, node->config));
    return dcnn_config_refuse(node, config, only, 1);
}

static void describe_dropout(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "rate", json_real(*(const double *)node->config));
    json_object_set_new(config, "seed", json_null());
    json_object_set_new(config, "noise_shape", json_null());
}

static void measure_dropout(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    op->saved_bytes = (size_t)grain * dcnn_shape_count(op->in);
}

static void forward_dropout(const dcnn_pass *pass) {
    const double rate = *(const double *)pass->op->node->config;
    const float scale = (float)(1.0 / (1.0 - rate));
    const uint32_t limit = (uint32_t)(rate * 0x1p32);
    const size_t count = dcnn_shape_count(pass->op->in);
    const int64_t layer = pass->op->node - pass->net->nodes;
    uint8_t *kept = pass->saved;
    for (int i = 0; i < pass->n; i++) {
        for (size_t j = 0; j < count; j++) {
            static const size_t words = 4;
            dcnn_random_bits bits = {{0}};
            if (j % words == 0) {
                bits = dcnn_random(pass->seed, DCNN_RANDOM_DROPOUT, pass->epoch, pass->samples[i] + (layer << 40),
                                   (uint32_t)(j / words));
                for (size_t k = 0; k < words && j + k < count; k++)
                    kept[(size_t)i * count + j + k] = bits.word[k] >= limit;
            }
            const size_t at = (size_t)i * count + j;
            pass->y[at] = kept[at] ? pass->x[0][at] * scale : 0.0f;
        }
    }
}

static void backward_dropout(const dcnn_pass *pass) {
    const float scale = (float)(1.0 / (1.0 - *(const double *)pass->op->node->config));
    const size_t count = (size_t)pass->n * dcnn_shape_count(pass->op->in);
    const uint8_t *kept = pass->saved;
    if (pass->dx[0])
        for (size_t i = 0; i < count; i++) pass->dx[0][i] = kept[i] ? pass->dy[i] * scale : 0.0f;
}

static const dcnn_op_kind dropout_op = {
    .name = "dropout", .measure = measure_dropout, .forward = forward_dropout, .backward = backward_dropout};

const dcnn_layer dcnn_layer_dropout = {
    .class_name = "Dropout",
    .config_bytes = sizeof(double),
    .parse = parse_dropout,
    .build = keep_shape,
    .describe = describe_dropout,
    .op = &dropout_op,
    .only_training = true,
};

/* --- Activation, ReLU, Softmax ---------------------------------------------------------------------------------- */

static dcnn_status parse_activation(dcnn_node *node, const json_t *config) {
    if (json_object_get(config, "activation") == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Activation) names no \"activation\"", node->name);
    return dcnn_config_activation(node, config, node->config);
}

static dcnn_status parse_relu(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"max_value", NULL}, {"negative_slope", "0.0"}, {"threshold", "0.0"}};
    *(dcnn_activation *)node->config = DCNN_RELU;
    return dcnn_config_refuse(node, config, only, 3);
}

static dcnn_status parse_softmax(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"axis", "-1"}};
    *(dcnn_activation *)node->config = DCNN_SOFTMAX;
    return dcnn_config_refuse(node, config, only, 1);
}

static void describe_activation(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "activation",
                        json_string(dcnn_activation_name(*(const dcnn_activation *)node->config)));
}

static dcnn_activation activation(const dcnn_node *node) {
    return *(const dcnn_activation *)node->config;
}

static void forward_activation(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const size_t rows = (size_t)pass->n * (size_t)op->in.h * (size_t)op->in.w;
    memcpy(pass->y, pass->x[0], rows * (size_t)op->in.c * sizeof(float));
    dcnn_activation_forward(pass->kernels, op->activation, rows, op->in.c, pass->y);
}

static void backward_activation(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const size_t rows = (size_t)pass->n * (size_t)op->in.h * (size_t)op->in.w;
    if (pass->dx[0])
        dcnn_activation_backward(pass->kernels, op->activation, rows, op->in.c, pass->y, pass->dy, pass->dx[0]);
}

static const dcnn_op_kind activation_op = {
    .name = "activation", .backward_reads_y = true, .forward = forward_activation, .backward = backward_activation};

#define ACTIVATION_LAYER(symbol, keras_name, parser, describer)                                                        \
    const dcnn_layer symbol = {                                                                                        \
        .class_name = keras_name,                                                                                      \
        .config_bytes = sizeof(dcnn_activation),                                                                       \
        .parse = parser,                                                                                               \
        .build = keep_shape,                                                                                           \
        .describe = describer,                                                                                         \
        .op = &activation_op,                                                                                          \
        .activation = activation,                                                                                      \
    }

ACTIVATION_LAYER(dcnn_layer_activation, "Activation", parse_activation, describe_activation);
ACTIVATION_LAYER(dcnn_layer_relu, "ReLU", parse_relu, describe_nothing);
ACTIVATION_LAYER(dcnn_layer_softmax, "Softmax", parse_softmax, describe_nothing);
