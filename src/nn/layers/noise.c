/* SPDX-License-Identifier: BSD-3-Clause */
/* noise.c — what only training does to a value: Dropout (Srivastava et al., 2014), SpatialDropout2D (whole channels of
 * a sample; Tompson et al., 2015), StochasticDepth (whole samples; Huang et al., 2016), GaussianNoise (x + deviation z)
 * and GaussianDropout (x (1 + z sqrt(rate / (1 - rate)))). Each is a pure function of (seed, epoch, sample, place). */
#include <math.h>
#include <string.h>

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

/* --- Dropout, SpatialDropout2D, StochasticDepth: y = x / (1 - rate) where kept, else 0 ---------------------------- */

enum { AXES = 3 };

typedef struct dropout {
    double rate;       /* first, as in all layers of this file */
    bool given;        /* Dropout's noise_shape is written back as it was read */
    bool shared[AXES]; /* along height, width, channels: one decision for all values */
} dropout;

/* Keras' noise_shape, [batch, height, width, channels] or [batch, features]: null or the input's own size decides for
 * each place by itself, 1 for all places at once. */
static dcnn_status read_noise_shape(dcnn_node *node, const json_t *shape) {
    dropout *d = node->config;
    const size_t rank = json_array_size(shape);
    if (shape == NULL || json_is_null(shape)) return DCNN_OK;
    d->given = true;
    bool good = (rank == 2 || rank == 4) && json_is_null(json_array_get(shape, 0));
    for (size_t i = 1; good && i < rank; i++) {
        const json_t *size = json_array_get(shape, i);
        const bool one = json_is_integer(size) && json_integer_value(size) == 1;
        good = one || json_is_null(size);
        d->shared[rank == 2 ? AXES - 1 : i - 1] = one;
    }
    if (good) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s' (Dropout): \"noise_shape\" must be null, or [null, height, width, channels] with null "
                     "or 1 for each of them",
                     node->name);
}

static dcnn_status parse_dropout(dcnn_node *node, const json_t *config) {
    DCNN_TRY(parse_rate(node, config));
    return read_noise_shape(node, json_object_get(config, "noise_shape"));
}

static dcnn_status parse_spatial(dcnn_node *node, const json_t *config) {
    dropout *d = node->config;
    static const dcnn_config_only only[] = {{"data_format", "\"channels_last\""}};
    d->shared[0] = d->shared[1] = true;
    DCNN_TRY(parse_rate(node, config));
    return dcnn_config_refuse(node, config, only, sizeof only / sizeof only[0]);
}

static dcnn_status parse_depth(dcnn_node *node, const json_t *config) {
    dropout *d = node->config;
    d->shared[0] = d->shared[1] = d->shared[2] = true;
    return dcnn_config_real(node, config, "drop_path_rate", 0.5, 0.0, 0.999, &d->rate);
}

static void describe_dropout(const dcnn_node *node, json_t *config) {
    const dropout *d = node->config;
    json_t *shape = d->given ? json_pack("[n]") : json_null();
    describe_rate(node, config);
    for (int i = node->shape.rank == 3 ? 0 : AXES - 1; d->given && i < AXES; i++)
        json_array_append_new(shape, d->shared[i] ? json_integer(1) : json_null());
    json_object_set_new(config, "noise_shape", shape);
}

/* Keras' constructor takes no more than these. */
static void describe_spatial(const dcnn_node *node, json_t *config) {
    describe_rate(node, config);
    json_object_del(config, "trainable");
    json_object_set_new(config, "data_format", json_string("channels_last"));
}

static void describe_depth(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "drop_path_rate", json_real(((const dropout *)node->config)->rate));
}

/* Sizes of a sample, and of what is decided for it. */
static void sizes_of(const dcnn_op *op, size_t sizes[AXES], size_t decisions[AXES]) {
    const dropout *d = op->node->config;
    sizes[0] = (size_t)op->in.h, sizes[1] = (size_t)op->in.w, sizes[2] = (size_t)op->in.c;
    for (int i = 0; i < AXES; i++) decisions[i] = d->shared[i] ? 1 : sizes[i];
}

static size_t decisions_of(const dcnn_op *op) {
    size_t sizes[AXES], decisions[AXES];
    sizes_of(op, sizes, decisions);
    return decisions[0] * decisions[1] * decisions[2];
}

static void measure_dropout(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    op->saved_bytes = (size_t)grain * decisions_of(op);
}

static void decide(const dcnn_pass *pass) {
    const size_t count = decisions_of(pass->op);
    const uint32_t limit = (uint32_t)(setting(pass) * 0x1p32);
    uint8_t *kept = pass->saved;
    for (int n = 0; n < pass->n; n++)
        for (size_t j = 0; j < count; j += 4) {
            const dcnn_random_bits bits = bits_of(pass, n, j / 4);
            for (size_t k = 0; k < 4 && j + k < count; k++) kept[(size_t)n * count + j + k] = bits.word[k] >= limit;
        }
}

/* Its own gradient. */
static void drop(const dcnn_pass *pass, const float *x, float *y) {
    size_t sizes[AXES], decisions[AXES];
    sizes_of(pass->op, sizes, decisions);
    const float scale = (float)(1.0 / (1.0 - setting(pass)));
    const uint8_t *kept = pass->saved;
    for (size_t n = 0; n < (size_t)pass->n; n++)
        for (size_t h = 0; h < sizes[0]; h++)
            for (size_t w = 0; w < sizes[1]; w++) {
                const size_t position = (n * sizes[0] + h) * sizes[1] + w;
                const size_t row = decisions[0] == 1 ? 0 : h, column = decisions[1] == 1 ? 0 : w;
                const uint8_t *here = kept + ((n * decisions[0] + row) * decisions[1] + column) * decisions[2];
                const float *from = x + position * sizes[2];
                float *to = y + position * sizes[2];
                for (size_t c = 0; c < sizes[2]; c++) to[c] = here[decisions[2] == 1 ? 0 : c] ? from[c] * scale : 0.0f;
            }
}

static void forward_dropout(const dcnn_pass *pass) {
    decide(pass);
    drop(pass, pass->x[0], pass->y);
}

static void backward_dropout(const dcnn_pass *pass) {
    if (pass->dx[0]) drop(pass, pass->dy, pass->dx[0]);
}

static const dcnn_op_kind dropout_op = {
    .name = "dropout", .measure = measure_dropout, .forward = forward_dropout, .backward = backward_dropout};

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

#define NOISE(symbol, keras_name, home, type, what, reads, describes)                                                  \
    const dcnn_layer symbol = {.class_name = keras_name,                                                               \
                               .module = home,                                                                         \
                               .config_bytes = sizeof(type),                                                           \
                               .parse = parse_##reads,                                                                 \
                               .build = keep_shape,                                                                    \
                               .describe = describe_##describes,                                                       \
                               .op = &what##_op,                                                                       \
                               .unsaid = true,                                                                         \
                               .only_training = true}

NOISE(dcnn_layer_dropout, "Dropout", NULL, dropout, dropout, dropout, dropout);
NOISE(dcnn_layer_spatial_dropout2d, "SpatialDropout2D", NULL, dropout, dropout, spatial, spatial);
NOISE(dcnn_layer_stochastic_depth, "StochasticDepth", "keras.src.applications.convnext", dropout, dropout, depth,
      depth);
NOISE(dcnn_layer_gaussian_noise, "GaussianNoise", NULL, double, noise, deviation, deviation);
NOISE(dcnn_layer_gaussian_dropout, "GaussianDropout", NULL, double, gaussian, rate, rate);
