/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * normalization.c — LayerNormalization over the channels of each position (Ba et al., 2016), GroupNormalization over
 * groups of channels of each sample (Wu and He, 2018), by Keras' definitions. Both are the same sums over *blocks*: of
 * `places` rows of `width` channels each. Over other axes than the last a table says of which block each value is.
 */
#include <math.h>
#include <string.h>

#include "nn/config.h"

typedef struct normalization {
    bool whole_map; /* a block spans all positions */
    int groups;     /* -1: one a channel */
    double epsilon;
    bool center, scale;
    dcnn_axes axes;
    bool along[3]; /* height, width, channels; of vectors channels alone */
    dcnn_initializer gamma, beta;
} normalization;

static dcnn_status fail_axis(const dcnn_node *node) {
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s' (%s): \"axis\" must be an axis of its input other than that of the samples, or an "
                     "ascending list of such axes",
                     node->name, node->layer->class_name);
}

/* Which of height, width and channels they are: gamma and beta have their order, so it must be that of the input. */
static dcnn_status find_axes(dcnn_node *node, dcnn_shape in) {
    normalization *s = node->config;
    if (!dcnn_axes_find(&s->axes, in, s->along)) return fail_axis(node);
    for (int i = 1; i < s->axes.count; i++)
        if (dcnn_axis_place(s->axes.axis[i], in) < dcnn_axis_place(s->axes.axis[i - 1], in)) return fail_axis(node);
    return DCNN_OK;
}

static bool is_last(const normalization *s) {
    return s->along[2] && !s->along[0] && !s->along[1];
}

static dcnn_status parse_common(dcnn_node *node, const json_t *config) {
    static const char *const training_keys[] = {"beta_regularizer", "gamma_regularizer", "beta_constraint",
                                                "gamma_constraint"};
    normalization *s = node->config;
    if (!dcnn_config_axes(json_object_get(config, "axis"), s->whole_map ? 1 : 3, &s->axes)) return fail_axis(node);
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

/* A weight for each place along the axes. With more than one axis it is no kernel all the same, and has no weight
 * decay. */
static void add_weight(dcnn_node *node, const char *name, dcnn_shape in, dcnn_initializer initializer) {
    const normalization *s = node->config;
    const int sizes[3] = {in.h, in.w, in.c};
    int dims[3], rank = 0;
    for (int i = 0; i < 3; i++)
        if (s->along[i]) dims[rank++] = sizes[i];
    dcnn_param *param = dcnn_node_add_param(node, name, false, rank, dims, initializer);
    if (rank > 1) param->decay = -1;
}

static dcnn_status build(dcnn_node *node, const dcnn_shape *inputs) {
    const normalization *s = node->config;
    const dcnn_shape in = inputs[0];
    node->shape = in;
    DCNN_TRY(find_axes(node, in));
    const int length = s->along[0] ? in.h : s->along[1] ? in.w : in.c;
    if (s->whole_map && length % groups_of(s, length) != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (GroupNormalization): %d groups do not divide %d channels",
                         node->name, s->groups, length);
    if (s->scale) add_weight(node, "gamma", in, s->gamma);
    if (s->center) add_weight(node, "beta", in, s->beta);
    return DCNN_OK;
}

/* The last one is -1, whatever it was. */
static json_t *describe_axes(const dcnn_node *node) {
    const normalization *s = node->config;
    if (is_last(s)) return json_integer(-1);
    json_t *axes = json_array();
    for (int i = 0; i < 3; i++)
        if (s->along[i]) json_array_append_new(axes, json_integer(i + 1));
    if (!s->whole_map) return axes;
    json_t *axis = json_incref(json_array_get(axes, 0));
    json_decref(axes);
    return axis;
}

static void describe(const dcnn_node *node, json_t *config) {
    const normalization *s = node->config;
    json_t *mine =
        json_pack("{s:o, s:f, s:b, s:b, s:o, s:o}", "axis", describe_axes(node), "epsilon", s->epsilon, "center",
                  s->center, "scale", s->scale, "gamma_initializer", dcnn_initializer_describe(&s->gamma),
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

static void forward_last(const dcnn_pass *pass) {
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
static void backward_last(const dcnn_pass *pass) {
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

/* --- other axes: of which block and which weight each value is ---------------------------------------------------- */

/* A place (h, w, c) is in the block that is the sum over the axes of (place / divide) * block, and has the weight that
 * is the sum of place * weight. */
typedef struct layout {
    size_t size[3], divide[3], block[3], weight[3], blocks, weights;
    double count; /* values of a block */
} layout;

static layout layout_of(const dcnn_op *op) {
    const normalization *s = op->node->config;
    layout l = {.size = {(size_t)op->in.h, (size_t)op->in.w, (size_t)op->in.c}, .blocks = 1, .weights = 1};
    for (int i = 2; i >= 0; i--) {
        l.divide[i] = 1;
        if (s->along[i]) {
            l.weight[i] = l.weights;
            l.weights *= l.size[i];
        }
        if (s->whole_map && s->along[i]) { /* of groups along the one axis */
            l.blocks = (size_t)groups_of(s, (int)l.size[i]);
            l.block[i] = 1;
            l.divide[i] = l.size[i] / l.blocks;
        } else if (!s->whole_map && !s->along[i]) {
            l.block[i] = l.blocks;
            l.blocks *= l.size[i];
        }
    }
    l.count = (double)dcnn_shape_count(op->in) / (double)l.blocks;
    return l;
}

/* Number at of a sample's values. */
static void place_of(const layout *l, size_t at, size_t *which, size_t *weight) {
    const size_t place[3] = {at / l->size[2] / l->size[1], at / l->size[2] % l->size[1], at % l->size[2]};
    *which = *weight = 0;
    for (int i = 0; i < 3; i++) {
        *which += place[i] / l->divide[i] * l->block[i];
        *weight += place[i] * l->weight[i];
    }
}

static void measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    (void)grain;
    if (!is_last(op->node->config)) op->scratch_floats = 4 * sizeof(double) / sizeof(float) * layout_of(op).blocks;
}

/* Of each block: mean, 1 / sqrt(variance + epsilon), and two sums for the gradient. */
enum { MEAN, INVERSE, SUM, PRODUCT };

static void take_statistics(const dcnn_pass *pass, const layout *l, const float *x, double *of[4]) {
    const normalization *s = pass->op->node->config;
    const size_t count = dcnn_shape_count(pass->op->in);
    size_t which, weight;
    for (int i = 0; i < 4; i++) of[i] = (double *)(void *)pass->scratch + (size_t)i * l->blocks;
    memset(of[MEAN], 0, 4 * l->blocks * sizeof(double));
    for (size_t at = 0; at < count; at++) {
        place_of(l, at, &which, &weight);
        of[MEAN][which] += (double)x[at];
    }
    for (size_t b = 0; b < l->blocks; b++) of[MEAN][b] /= l->count;
    for (size_t at = 0; at < count; at++) {
        place_of(l, at, &which, &weight);
        const double e = (double)x[at] - of[MEAN][which];
        of[INVERSE][which] += e * e;
    }
    for (size_t b = 0; b < l->blocks; b++) of[INVERSE][b] = 1.0 / sqrt(of[INVERSE][b] / l->count + s->epsilon);
}

static void forward_any(const dcnn_pass *pass) {
    const float *gamma = gamma_of(pass), *beta = dcnn_pass_param(pass, pass->op->node, beta_number(pass));
    const layout l = layout_of(pass->op);
    const size_t count = dcnn_shape_count(pass->op->in);
    for (size_t n = 0; n < (size_t)pass->n; n++) {
        double *of[4];
        take_statistics(pass, &l, pass->x[0] + n * count, of);
        for (size_t at = 0; at < count; at++) {
            size_t which, weight;
            place_of(&l, at, &which, &weight);
            const double value = ((double)pass->x[0][n * count + at] - of[MEAN][which]) * of[INVERSE][which];
            pass->y[n * count + at] =
                (float)((gamma ? (double)gamma[weight] : 1.0) * value + (beta ? (double)beta[weight] : 0.0));
        }
    }
}

static void backward_any(const dcnn_pass *pass) {
    const normalization *s = pass->op->node->config;
    const float *gamma = gamma_of(pass);
    float *dgamma = s->scale ? dcnn_pass_dparam(pass, pass->op->node, 0) : NULL;
    float *dbeta = dcnn_pass_dparam(pass, pass->op->node, beta_number(pass));
    const layout l = layout_of(pass->op);
    const size_t count = dcnn_shape_count(pass->op->in);
    if (dgamma) memset(dgamma, 0, l.weights * sizeof *dgamma);
    if (dbeta) memset(dbeta, 0, l.weights * sizeof *dbeta);
    for (size_t n = 0; n < (size_t)pass->n; n++) {
        const float *x = pass->x[0] + n * count, *dy = pass->dy + n * count;
        double *of[4];
        size_t which, weight;
        take_statistics(pass, &l, x, of);
        for (size_t at = 0; at < count; at++) {
            place_of(&l, at, &which, &weight);
            const double xhat = ((double)x[at] - of[MEAN][which]) * of[INVERSE][which];
            const double g = (double)dy[at] * (gamma ? (double)gamma[weight] : 1.0);
            of[SUM][which] += g;
            of[PRODUCT][which] += g * xhat;
            if (dgamma) dgamma[weight] += (float)((double)dy[at] * xhat);
            if (dbeta) dbeta[weight] += dy[at];
        }
        for (size_t at = 0; pass->dx[0] && at < count; at++) {
            place_of(&l, at, &which, &weight);
            const double xhat = ((double)x[at] - of[MEAN][which]) * of[INVERSE][which];
            const double g = (double)dy[at] * (gamma ? (double)gamma[weight] : 1.0);
            pass->dx[0][n * count + at] =
                (float)(of[INVERSE][which] * (g - of[SUM][which] / l.count - xhat * of[PRODUCT][which] / l.count));
        }
    }
}

static void forward(const dcnn_pass *pass) {
    if (is_last(pass->op->node->config))
        forward_last(pass);
    else
        forward_any(pass);
}

static void backward(const dcnn_pass *pass) {
    if (is_last(pass->op->node->config))
        backward_last(pass);
    else
        backward_any(pass);
}

static const dcnn_op_kind normalization_op = {
    .name = "normalization", .backward_reads_x = true, .measure = measure, .forward = forward, .backward = backward};

#define NORMALIZATION(symbol, keras_name, what)                                                                        \
    const dcnn_layer symbol = {.class_name = keras_name,                                                               \
                               .config_bytes = sizeof(normalization),                                                  \
                               .parse = parse_##what,                                                                  \
                               .build = build,                                                                         \
                               .describe = describe,                                                                   \
                               .op = &normalization_op}

NORMALIZATION(dcnn_layer_layer_normalization, "LayerNormalization", layer);
NORMALIZATION(dcnn_layer_group_normalization, "GroupNormalization", group);
