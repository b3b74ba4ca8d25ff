/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * normalization.c — LayerNormalization over the channels of each position (Ba et al., 2016), GroupNormalization over
 * groups of channels of each sample (Wu and He, 2018), by Keras' definitions. Both are the same sums over *blocks*: of
 * `places` rows of `width` channels each.
 */
#include <math.h>
#include <string.h>

#include "nn/config.h"

typedef struct normalization {
    bool whole_map; /* a block spans all positions */
    int groups;     /* -1: one a channel */
    double epsilon;
    bool center, scale;
    dcnn_initializer gamma, beta;
} normalization;

static dcnn_status parse_common(dcnn_node *node, const json_t *config) {
    static const char *const training_keys[] = {"beta_regularizer", "gamma_regularizer", "beta_constraint",
                                                "gamma_constraint"};
    normalization *s = node->config;
    const json_t *axis = json_object_get(config, "axis");
    const json_t *one = json_array_size(axis) == 1 ? json_array_get(axis, 0) : axis;
    if (one && !(json_is_integer(one) && (json_integer_value(one) == -1 || json_integer_value(one) == 3)))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): \"axis\" can only be -1 (channels last) in dcnn", node->name,
                         node->layer->class_name);
    DCNN_TRY(dcnn_config_real(node, config, "epsilon", 1e-3, 0.0, 1.0, &s->epsilon));
    DCNN_TRY(dcnn_config_bool(node, config, "center", true, &s->center));
    DCNN_TRY(dcnn_config_bool(node, config, "scale", true, &s->scale));
    DCNN_TRY(dcnn_config_initializer(node, config, "gamma_initializer", DCNN_INIT_ONES, &s->gamma));
    dcnn_config_keep(node, config, training_keys, 4);
    return dcnn_config_initializer(node, config, "beta_initializer", DCNN_INIT_ZEROS, &s->beta);
}

static dcnn_status parse_layer(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"rms_scaling", "false"}};
    ((normalization *)node->config)->groups = 1;
    DCNN_TRY(parse_common(node, config));
    return dcnn_config_refuse(node, config, only, 1);
}

static dcnn_status parse_group(dcnn_node *node, const json_t *config) {
    normalization *s = node->config;
    s->whole_map = true;
    s->groups = -1;
    if (json_integer_value(json_object_get(config, "groups")) != -1)
        DCNN_TRY(dcnn_config_int(node, config, "groups", 32, &s->groups));
    return parse_common(node, config);
}

static int groups_of(const normalization *s, int channels) {
    return s->groups < 0 ? channels : s->groups;
}

static dcnn_status build(dcnn_node *node, const dcnn_shape *inputs) {
    const normalization *s = node->config;
    const int c = inputs[0].c;
    node->shape = inputs[0];
    if (c % groups_of(s, c) != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (GroupNormalization): %d groups do not divide %d channels",
                         node->name, s->groups, c);
    if (s->scale) dcnn_node_add_param(node, "gamma", false, 1, &c, s->gamma);
    if (s->center) dcnn_node_add_param(node, "beta", false, 1, &c, s->beta);
    return DCNN_OK;
}

static void describe(const dcnn_node *node, json_t *config) {
    const normalization *s = node->config;
    json_t *mine = json_pack("{s:i, s:f, s:b, s:b, s:o, s:o}", "axis", -1, "epsilon", s->epsilon, "center", s->center,
                             "scale", s->scale, "gamma_initializer", dcnn_initializer_describe(&s->gamma),
                             "beta_initializer", dcnn_initializer_describe(&s->beta));
    if (s->whole_map) json_object_set_new(mine, "groups", json_integer(s->groups));
    json_object_update(config, mine);
    json_decref(mine);
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

typedef struct block {
    size_t places, width, stride; /* stride: floats from one row to the next */
    double mean, inverse;         /* 1 / sqrt(variance + epsilon) */
} block;

static size_t block_count(const dcnn_pass *pass) {
    const normalization *s = pass->op->node->config;
    const dcnn_shape in = pass->op->in;
    return (size_t)pass->n * (s->whole_map ? (size_t)groups_of(s, in.c) : (size_t)in.h * (size_t)in.w);
}

/* Block b of a grain, its statistics, and where it begins. */
static block take_block(const dcnn_pass *pass, size_t b, size_t *first) {
    const normalization *s = pass->op->node->config;
    const dcnn_shape in = pass->op->in;
    const size_t c = (size_t)in.c, groups = (size_t)groups_of(s, in.c);
    block k = {.places = 1, .width = c, .stride = c};
    *first = b * c;
    if (s->whole_map) {
        k.places = (size_t)in.h * (size_t)in.w;
        k.width = c / groups;
        *first = b / groups * dcnn_shape_count(in) + b % groups * k.width;
    }
    const float *x = pass->x[0] + *first;
    const double count = (double)(k.places * k.width);
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < k.places; i++)
        for (size_t j = 0; j < k.width; j++) sum += (double)x[i * k.stride + j];
    k.mean = sum / count;
    for (size_t i = 0; i < k.places; i++)
        for (size_t j = 0; j < k.width; j++) {
            const double e = (double)x[i * k.stride + j] - k.mean;
            squares += e * e;
        }
    k.inverse = 1.0 / sqrt(squares / count + s->epsilon);
    return k;
}

/* Parameters in the order of build(): which of them there are depends on scale and center. */
static const float *gamma_of(const dcnn_pass *pass) {
    return ((const normalization *)pass->op->node->config)->scale ? dcnn_pass_param(pass, pass->op->node, 0) : NULL;
}

static int beta_number(const dcnn_pass *pass) {
    const normalization *s = pass->op->node->config;
    return s->center ? (int)s->scale : DCNN_MAX_PARAMS;
}

static void forward(const dcnn_pass *pass) {
    const float *gamma = gamma_of(pass), *beta = dcnn_pass_param(pass, pass->op->node, beta_number(pass));
    const size_t count = block_count(pass), c = (size_t)pass->op->in.c;
    for (size_t b = 0; b < count; b++) {
        size_t first;
        const block k = take_block(pass, b, &first);
        for (size_t i = 0; i < k.places; i++)
            for (size_t j = 0; j < k.width; j++) {
                const size_t at = first + i * k.stride + j, channel = at % c;
                const double value = ((double)pass->x[0][at] - k.mean) * k.inverse;
                pass->y[at] =
                    (float)((gamma ? (double)gamma[channel] : 1.0) * value + (beta ? (double)beta[channel] : 0.0));
            }
    }
}

/* dx = (g - mean(g) - xhat mean(g xhat)) / sigma with g = gamma dy */
static void backward(const dcnn_pass *pass) {
    const normalization *s = pass->op->node->config;
    const float *gamma = gamma_of(pass);
    float *dgamma = s->scale ? dcnn_pass_dparam(pass, pass->op->node, 0) : NULL;
    float *dbeta = dcnn_pass_dparam(pass, pass->op->node, beta_number(pass));
    const size_t count = block_count(pass), c = (size_t)pass->op->in.c;
    if (dgamma) memset(dgamma, 0, c * sizeof *dgamma);
    if (dbeta) memset(dbeta, 0, c * sizeof *dbeta);
    for (size_t b = 0; b < count; b++) {
        size_t first;
        const block k = take_block(pass, b, &first);
        double sum = 0.0, product = 0.0;
        for (size_t i = 0; i < k.places; i++)
            for (size_t j = 0; j < k.width; j++) {
                const size_t at = first + i * k.stride + j, channel = at % c;
                const double dy = (double)pass->dy[at], xhat = ((double)pass->x[0][at] - k.mean) * k.inverse;
                const double g = gamma ? dy * (double)gamma[channel] : dy;
                sum += g;
                product += g * xhat;
                if (dgamma) dgamma[channel] += (float)(dy * xhat);
                if (dbeta) dbeta[channel] += (float)dy;
            }
        const double mean = sum / (double)(k.places * k.width), slope = product / (double)(k.places * k.width);
        for (size_t i = 0; pass->dx[0] && i < k.places; i++)
            for (size_t j = 0; j < k.width; j++) {
                const size_t at = first + i * k.stride + j;
                const double xhat = ((double)pass->x[0][at] - k.mean) * k.inverse;
                const double g = (double)pass->dy[at] * (gamma ? (double)gamma[at % c] : 1.0);
                pass->dx[0][at] = (float)(k.inverse * (g - mean - xhat * slope));
            }
    }
}

static const dcnn_op_kind normalization_op = {
    .name = "normalization", .backward_reads_x = true, .forward = forward, .backward = backward};

#define NORMALIZATION(symbol, keras_name, what)                                                                        \
    const dcnn_layer symbol = {.class_name = keras_name,                                                               \
                               .config_bytes = sizeof(normalization),                                                  \
                               .parse = parse_##what,                                                                  \
                               .build = build,                                                                         \
                               .describe = describe,                                                                   \
                               .op = &normalization_op}

NORMALIZATION(dcnn_layer_layer_normalization, "LayerNormalization", layer);
NORMALIZATION(dcnn_layer_group_normalization, "GroupNormalization", group);
