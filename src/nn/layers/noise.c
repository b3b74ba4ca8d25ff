/* SPDX-License-Identifier: BSD-3-Clause */
/* noise.c — SpatialDropout2D (whole channels of a sample; Tompson et al., 2015), GaussianNoise (x + deviation z) and
 * GaussianDropout (x (1 + z sqrt(rate / (1 - rate)))): in training only, pure functions of (seed, epoch, sample,
 * place). */
#include <math.h>

#include "base/random.h"
#include "nn/config.h"

static dcnn_status keep_shape(dcnn_node *node, const dcnn_shape *inputs) {
    node->shape = inputs[0];
    return DCNN_OK;
}

static dcnn_status parse_rate(dcnn_node *node, const json_t *config) {
    return dcnn_config_real(node, config, "rate", 0.5, 0.0, 0.999, node->config);
}

static dcnn_status parse_deviation(dcnn_node *node, const json_t *config) {
    return dcnn_config_real(node, config, "stddev", 1.0, 0.0, 1e6, node->config);
}

static double setting(const dcnn_pass *pass) {
    return *(const double *)pass->op->node->config;
}

static void describe_rate(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "rate", json_real(*(const double *)node->config));
    json_object_set_new(config, "seed", json_null());
}

static void describe_deviation(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "stddev", json_real(*(const double *)node->config));
    json_object_set_new(config, "seed", json_null());
}

static dcnn_random_bits bits_of(const dcnn_pass *pass, int sample, size_t index) {
    const int64_t layer = pass->op->node - pass->net->nodes;
    return dcnn_random(pass->seed, DCNN_RANDOM_DROPOUT, pass->epoch, pass->samples[sample] + (layer << 40),
                       (uint32_t)index);
}

/* --- SpatialDropout2D --------------------------------------------------------------------------------------------- */

/* y = x / (1 - rate) in the channels that are kept, else 0; its own gradient. */
static void drop_channels(const dcnn_pass *pass, const float *x, float *y) {
    const dcnn_shape in = pass->op->in;
    const size_t c = (size_t)in.c, positions = (size_t)in.h * (size_t)in.w;
    const uint32_t limit = (uint32_t)(setting(pass) * 0x1p32);
    const float scale = (float)(1.0 / (1.0 - setting(pass)));
    for (int n = 0; n < pass->n; n++)
        for (size_t k = 0; k < c; k++) {
            const float factor = bits_of(pass, n, k / 4).word[k % 4] >= limit ? scale : 0.0f;
            const size_t first = (size_t)n * positions * c + k;
            for (size_t p = 0; p < positions; p++) y[first + p * c] = x[first + p * c] * factor;
        }
}

static void forward_spatial(const dcnn_pass *pass) {
    drop_channels(pass, pass->x[0], pass->y);
}

static void backward_spatial(const dcnn_pass *pass) {
    if (pass->dx[0]) drop_channels(pass, pass->dy, pass->dx[0]);
}

static const dcnn_op_kind spatial_op = {
    .name = "spatial dropout", .forward = forward_spatial, .backward = backward_spatial};

/* --- GaussianNoise, GaussianDropout ------------------------------------------------------------------------------- */

static double noise_at(const dcnn_pass *pass, size_t i) {
    const size_t count = dcnn_shape_count(pass->op->in), place = i % count;
    const dcnn_random_bits bits = bits_of(pass, (int)(i / count), place / 2);
    const size_t pair = place % 2 * 2;
    return dcnn_random_normal(bits.word[pair], bits.word[pair + 1]);
}

static size_t count_of(const dcnn_pass *pass) {
    return (size_t)pass->n * dcnn_shape_count(pass->op->in);
}

static void forward_noise(const dcnn_pass *pass) {
    for (size_t i = 0; i < count_of(pass); i++)
        pass->y[i] = (float)((double)pass->x[0][i] + setting(pass) * noise_at(pass, i));
}

static void backward_noise(const dcnn_pass *pass) {
    for (size_t i = 0; pass->dx[0] && i < count_of(pass); i++) pass->dx[0][i] = pass->dy[i];
}

static void scale_noisily(const dcnn_pass *pass, const float *x, float *y) {
    const double deviation = sqrt(setting(pass) / (1.0 - setting(pass)));
    for (size_t i = 0; i < count_of(pass); i++) y[i] = (float)((double)x[i] * (1.0 + deviation * noise_at(pass, i)));
}

static void forward_gaussian(const dcnn_pass *pass) {
    scale_noisily(pass, pass->x[0], pass->y);
}

static void backward_gaussian(const dcnn_pass *pass) {
    if (pass->dx[0]) scale_noisily(pass, pass->dy, pass->dx[0]);
}

static const dcnn_op_kind noise_op = {.name = "noise", .forward = forward_noise, .backward = backward_noise};
static const dcnn_op_kind gaussian_op = {
    .name = "gaussian dropout", .forward = forward_gaussian, .backward = backward_gaussian};

#define NOISE(symbol, keras_name, what, reads)                                                                         \
    const dcnn_layer symbol = {.class_name = keras_name,                                                               \
                               .config_bytes = sizeof(double),                                                         \
                               .parse = parse_##reads,                                                                 \
                               .build = keep_shape,                                                                    \
                               .describe = describe_##reads,                                                           \
                               .op = &what##_op,                                                                       \
                               .only_training = true}

NOISE(dcnn_layer_spatial_dropout2d, "SpatialDropout2D", spatial, rate);
NOISE(dcnn_layer_gaussian_noise, "GaussianNoise", noise, deviation);
NOISE(dcnn_layer_gaussian_dropout, "GaussianDropout", gaussian, rate);
