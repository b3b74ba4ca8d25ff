/* SPDX-License-Identifier: BSD-3-Clause */
/* simple.c — layers without weights: InputLayer, Activation, ReLU, Softmax. */
#include <math.h>

#include "nn/config.h"

/* --- InputLayer: the output is the input -------------------------------------------------------------------------- */

static dcnn_status parse_nothing(dcnn_node *node, const json_t *config) {
    (void)node;
    (void)config;
    return DCNN_OK;
}

static dcnn_status keep_shape(dcnn_node *node, const dcnn_shape *inputs) {
    node->shape = inputs[0];
    return DCNN_OK;
}

static void describe_input(const dcnn_node *node, json_t *config) {
    (void)node; /* the net knows the batch_shape */
    json_object_del(config, "trainable");
    json_object_set_new(config, "sparse", json_false());
}

const dcnn_layer dcnn_layer_input = {
    .class_name = "InputLayer", .parse = parse_nothing, .build = keep_shape, .describe = describe_input};

/* --- Identity ----------------------------------------------------------------------------------------------------- */

static void describe_nothing(const dcnn_node *node, json_t *config) {
    (void)node;
    (void)config;
}

static bool always(const dcnn_node *node) {
    (void)node;
    return true;
}

const dcnn_layer dcnn_layer_identity = {.class_name = "Identity",
                                        .parse = parse_nothing,
                                        .build = keep_shape,
                                        .describe = describe_nothing,
                                        .is_view = always};

/* --- Activation, ReLU, Softmax ------------------------------------------------------------------------------------ */

static dcnn_status parse_activation(dcnn_node *node, const json_t *config) {
    if (json_object_get(config, "activation") == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Activation) has no \"activation\"", node->name);
    return dcnn_config_activation(node, config, node->config);
}

/* Keras' ReLU with none of its settings is the plain one. */
static dcnn_status parse_relu(dcnn_node *node, const json_t *config) {
    double most, slope, threshold;
    dcnn_activation *f = node->config;
    DCNN_TRY(dcnn_config_real(node, config, "max_value", INFINITY, 0.0, INFINITY, &most));
    DCNN_TRY(dcnn_config_real(node, config, "negative_slope", 0.0, 0.0, 1e6, &slope));
    DCNN_TRY(dcnn_config_real(node, config, "threshold", 0.0, 0.0, 1e6, &threshold));
    const bool plain = isinf(most) && slope == 0.0 && threshold == 0.0;
    *f = dcnn_activation_of(plain ? DCNN_RELU : DCNN_GENERAL_RELU);
    if (!plain) *f = (dcnn_activation){f->kind, {(float)most, (float)slope, (float)threshold}};
    return DCNN_OK;
}

static void describe_relu(const dcnn_node *node, json_t *config) {
    const dcnn_activation *f = node->config;
    const bool general = f->kind == DCNN_GENERAL_RELU;
    json_object_set_new(config, "max_value", general && isfinite(f->p[0]) ? json_real((double)f->p[0]) : json_null());
    json_object_set_new(config, "negative_slope", json_real(general ? (double)f->p[1] : 0.0));
    json_object_set_new(config, "threshold", json_real(general ? (double)f->p[2] : 0.0));
}

typedef struct softmax {
    dcnn_activation activation;
    int axis;
} softmax;

static dcnn_status parse_softmax(dcnn_node *node, const json_t *config) {
    softmax *s = node->config;
    const json_t *axis = json_object_get(config, "axis");
    if (json_array_size(axis) == 1) axis = json_array_get(axis, 0);
    s->activation = dcnn_activation_of(DCNN_SOFTMAX);
    s->axis = axis ? (int)json_integer_value(axis) : -1;
    return DCNN_OK;
}

static dcnn_status build_softmax(dcnn_node *node, const dcnn_shape *inputs) {
    const int axis = ((const softmax *)node->config)->axis;
    node->shape = inputs[0];
    if (axis == -1 || axis == inputs[0].rank) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Softmax): \"axis\" can only be the last one in dcnn", node->name);
}

static void describe_softmax(const dcnn_node *node, json_t *config) {
    (void)node;
    json_object_set_new(config, "axis", json_integer(-1));
}

static void describe_activation(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "activation", dcnn_config_describe_activation(node->config));
}

static dcnn_activation activation(const dcnn_node *node) {
    return *(const dcnn_activation *)node->config;
}

static size_t rows_of(const dcnn_pass *pass) {
    return (size_t)pass->n * (size_t)pass->op->in.h * (size_t)pass->op->in.w;
}

static void forward_activation(const dcnn_pass *pass) {
    dcnn_activation_forward(pass->kernels, &pass->op->activation, rows_of(pass), pass->op->in.c, pass->x[0], pass->y);
}

static void backward_activation(const dcnn_pass *pass) {
    if (pass->dx[0])
        dcnn_activation_backward(pass->kernels, &pass->op->activation, rows_of(pass), pass->op->in.c, pass->x[0],
                                 pass->y, pass->dy, pass->dx[0]);
}

const dcnn_op_kind dcnn_op_activation = {
    .name = "activation", .backward_reads_y = true, .forward = forward_activation, .backward = backward_activation};
const dcnn_op_kind dcnn_op_function = {
    .name = "activation", .backward_reads_x = true, .forward = forward_activation, .backward = backward_activation};

#define ACTIVATION_LAYER(symbol, keras_name, parser, builder, describer)                                               \
    const dcnn_layer symbol = {                                                                                        \
        .class_name = keras_name,                                                                                      \
        .config_bytes = sizeof(softmax),                                                                               \
        .parse = parser,                                                                                               \
        .build = builder,                                                                                              \
        .describe = describer,                                                                                         \
        .op = &dcnn_op_activation,                                                                                     \
        .activation = activation,                                                                                      \
    }

ACTIVATION_LAYER(dcnn_layer_activation, "Activation", parse_activation, keep_shape, describe_activation);
ACTIVATION_LAYER(dcnn_layer_relu, "ReLU", parse_relu, keep_shape, describe_relu);
ACTIVATION_LAYER(dcnn_layer_softmax, "Softmax", parse_softmax, build_softmax, describe_softmax);
