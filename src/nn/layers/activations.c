/* SPDX-License-Identifier: BSD-3-Clause */
/* activations.c — activations that are layers with settings: LeakyReLU, ELU; and PReLU, whose slopes are weights. */
#include <math.h>
#include <string.h>

#include "nn/config.h"

static dcnn_status keep_shape(dcnn_node *node, const dcnn_shape *inputs) {
    node->shape = inputs[0];
    return DCNN_OK;
}

static dcnn_activation activation(const dcnn_node *node) {
    return *(const dcnn_activation *)node->config;
}

/* Keras 2 calls the slope alpha. */
static dcnn_status parse_leaky(dcnn_node *node, const json_t *config) {
    double slope;
    const char *key = json_object_get(config, "negative_slope") ? "negative_slope" : "alpha";
    DCNN_TRY(dcnn_config_real(node, config, key, 0.3, 0.0, 1e6, &slope));
    *(dcnn_activation *)node->config = (dcnn_activation){DCNN_GENERAL_RELU, {INFINITY, (float)slope, 0.0f}};
    return DCNN_OK;
}

static void describe_leaky(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "negative_slope", json_real((double)activation(node).p[1]));
}

static dcnn_status parse_elu(dcnn_node *node, const json_t *config) {
    double alpha;
    DCNN_TRY(dcnn_config_real(node, config, "alpha", 1.0, 0.0, 1e6, &alpha));
    *(dcnn_activation *)node->config = (dcnn_activation){DCNN_ELU, {(float)alpha, 0.0f, 0.0f}};
    return DCNN_OK;
}

static void describe_elu(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "alpha", json_real((double)activation(node).p[0]));
}

#define ACTIVATION_LAYER(symbol, keras_name, what)                                                                     \
    const dcnn_layer symbol = {.class_name = keras_name,                                                               \
                               .config_bytes = sizeof(dcnn_activation),                                                \
                               .parse = parse_##what,                                                                  \
                               .build = keep_shape,                                                                    \
                               .describe = describe_##what,                                                            \
                               .op = &dcnn_op_activation,                                                              \
                               .activation = activation}

ACTIVATION_LAYER(dcnn_layer_leaky_relu, "LeakyReLU", leaky);
ACTIVATION_LAYER(dcnn_layer_elu, "ELU", elu);

/* --- PReLU: x where positive, else alpha x; alpha has the input's shape, but for the axes that it is shared along - */

typedef struct prelu {
    bool shared[3]; /* along height, width, channels */
    int rank;
    dcnn_initializer initializer;
} prelu;

static dcnn_status parse_prelu(dcnn_node *node, const json_t *config) {
    static const char *const training_keys[] = {"alpha_regularizer", "alpha_constraint"};
    prelu *p = node->config;
    const json_t *axes = json_object_get(config, "shared_axes");
    const size_t count = json_is_array(axes) ? json_array_size(axes) : axes && !json_is_null(axes) ? 1 : 0;
    for (size_t i = 0; i < count; i++) { /* a list, or one number */
        const json_int_t axis = json_integer_value(json_is_array(axes) ? json_array_get(axes, i) : axes);
        if (axis < 1 || axis > 3)
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (PReLU): \"shared_axes\" must be from 1 to 3", node->name);
        p->shared[axis - 1] = true;
    }
    dcnn_config_keep(node, config, training_keys, 2);
    return dcnn_config_initializer(node, config, "alpha_initializer", DCNN_INIT_ZEROS, &p->initializer);
}

static dcnn_status build_prelu(dcnn_node *node, const dcnn_shape *inputs) {
    prelu *p = node->config;
    const dcnn_shape in = inputs[0];
    const int map[3] = {p->shared[0] ? 1 : in.h, p->shared[1] ? 1 : in.w, p->shared[2] ? 1 : in.c};
    const int vector[1] = {p->shared[0] ? 1 : in.c};
    p->rank = in.rank;
    node->shape = in;
    dcnn_node_add_param(node, "alpha", false, in.rank == 3 ? 3 : 1, in.rank == 3 ? map : vector, p->initializer);
    return DCNN_OK;
}

static void describe_prelu(const dcnn_node *node, json_t *config) {
    const prelu *p = node->config;
    json_t *axes = json_array();
    for (int i = 0; i < 3; i++)
        if (p->shared[i]) json_array_append_new(axes, json_integer(i + 1));
    json_object_set_new(config, "shared_axes", json_array_size(axes) ? axes : json_null());
    if (json_array_size(axes) == 0) json_decref(axes);
    json_object_set_new(config, "alpha_initializer", dcnn_initializer_describe(&p->initializer));
}

/* Place in alpha of a sample's value i. */
static size_t slope_at(const prelu *p, dcnn_shape in, size_t i) {
    const size_t c = i % (size_t)in.c, w = i / (size_t)in.c % (size_t)in.w, h = i / (size_t)in.c / (size_t)in.w;
    if (p->rank == 1) return p->shared[0] ? 0 : c;
    const size_t columns = p->shared[1] ? 1 : (size_t)in.w, channels = p->shared[2] ? 1 : (size_t)in.c;
    return ((p->shared[0] ? 0 : h) * columns + (p->shared[1] ? 0 : w)) * channels + (p->shared[2] ? 0 : c);
}

static void forward_prelu(const dcnn_pass *pass) {
    const dcnn_shape in = pass->op->in;
    const size_t count = dcnn_shape_count(in);
    const float *alpha = dcnn_pass_param(pass, pass->op->node, 0);
    for (size_t i = 0; i < (size_t)pass->n * count; i++) {
        const float x = pass->x[0][i];
        pass->y[i] = x >= 0.0f ? x : alpha[slope_at(pass->op->node->config, in, i % count)] * x;
    }
}

static void backward_prelu(const dcnn_pass *pass) {
    const dcnn_shape in = pass->op->in;
    const size_t count = dcnn_shape_count(in);
    const float *alpha = dcnn_pass_param(pass, pass->op->node, 0);
    float *dalpha = dcnn_pass_dparam(pass, pass->op->node, 0);
    if (dalpha) memset(dalpha, 0, dcnn_net_param(pass->net, pass->op->node, 0)->count * sizeof *dalpha);
    for (size_t i = 0; i < (size_t)pass->n * count; i++) {
        const float x = pass->x[0][i], dy = pass->dy[i];
        const size_t at = slope_at(pass->op->node->config, in, i % count);
        if (dalpha && x < 0.0f) dalpha[at] += dy * x;
        if (pass->dx[0]) pass->dx[0][i] = x >= 0.0f ? dy : alpha[at] * dy;
    }
}

static const dcnn_op_kind prelu_op = {
    .name = "prelu", .backward_reads_x = true, .forward = forward_prelu, .backward = backward_prelu};

const dcnn_layer dcnn_layer_prelu = {.class_name = "PReLU",
                                     .config_bytes = sizeof(prelu),
                                     .parse = parse_prelu,
                                     .build = build_prelu,
                                     .describe = describe_prelu,
                                     .op = &prelu_op};
