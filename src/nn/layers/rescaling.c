/* SPDX-License-Identifier: BSD-3-Clause */
/* rescaling.c — Rescaling: x * scale + offset; Normalization: (x - mean) / max(sqrt(variance), 1e-7), by channel or by
 * place along other axes, and the inverse of that;
 * LayerScale: x * gamma, learned, by channel (Touvron et al., 2021; Keras' ConvNeXt). */
#include <math.h>
#include <string.h>

#include "nn/config.h"

/* Lists stay in the description, which is kept. */
typedef struct rescaling {
    int count[2];     /* numbers given: 1, or one a channel */
    double values[2]; /* scale and offset, where it is one number */
} rescaling;

typedef struct normalization {
    dcnn_axes axes;
    bool along[3];      /* height, width, channels: what has numbers of its own */
    bool given, invert; /* given: the description holds mean and variance, which are kept; else weights do */
} normalization;

enum { MEAN, VARIANCE };

static const char *const rescaling_keys[2] = {"scale", "offset"};

/* Lists of one inside each other do not count. */
static const json_t *innermost(const json_t *json) {
    while (json_is_array(json) && json_array_size(json) == 1) json = json_array_get(json, 0);
    return json;
}

/* A number, or nested lists with one number a channel in the end. */
static dcnn_status read_values(dcnn_node *node, const json_t *config, int which) {
    rescaling *r = node->config;
    const json_t *json = innermost(json_object_get(config, rescaling_keys[which]));
    bool good = true;
    if (!json_is_array(json)) {
        r->count[which] = 1;
        r->values[which] = json_number_value(json);
        good = json_is_number(json) && isfinite(r->values[which]);
    } else {
        r->count[which] = (int)json_array_size(json);
        for (size_t i = 0; good && i < json_array_size(json); i++) {
            const json_t *value = json_array_get(json, i);
            good = json_is_number(value) && isfinite(json_number_value(value));
        }
        dcnn_config_keep(node, config, &rescaling_keys[which], 1);
    }
    if (good && r->count[which] > 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): \"%s\" must be a number, or one for each channel", node->name,
                     node->layer->class_name, rescaling_keys[which]);
}

static double value_at(const dcnn_node *node, int which, int channel) {
    const rescaling *r = node->config;
    if (r->count[which] == 1) return r->values[which];
    const json_t *list = innermost(json_object_get(node->kept, rescaling_keys[which]));
    return json_number_value(json_array_get(list, (size_t)channel));
}

/* --- the operation of both: shared holds scale and shift, of each channel or of each value ------------------------ */

static bool is_by_channel(const dcnn_node *node) {
    const normalization *s = node->config;
    return node->layer != &dcnn_layer_normalization || !(s->along[0] || s->along[1]);
}

static int width_of(const dcnn_op *op) {
    return is_by_channel(op->node) ? op->in.c : (int)dcnn_shape_count(op->in);
}

static void measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    (void)grain;
    op->shared_floats = 2 * (size_t)width_of(op);
}

static size_t rows_of(const dcnn_pass *pass) {
    return (size_t)pass->n * (size_t)pass->op->in.h * (size_t)pass->op->in.w;
}

static void forward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const int width = width_of(op);
    const size_t rows = (size_t)pass->n * dcnn_shape_count(op->in) / (size_t)width;
    pass->kernels->affine(rows, width, pass->x[0], op->shared, op->shared + width, pass->y);
}

static void backward(const dcnn_pass *pass) {
    const size_t width = (size_t)width_of(pass->op), count = (size_t)pass->n * dcnn_shape_count(pass->op->in);
    for (size_t i = 0; pass->dx[0] && i < count; i++) pass->dx[0][i] = pass->dy[i] * pass->op->shared[i % width];
}

/* --- Rescaling ---------------------------------------------------------------------------------------------------- */

static dcnn_status parse_rescaling(dcnn_node *node, const json_t *config) {
    rescaling *r = node->config;
    DCNN_TRY(read_values(node, config, 0));
    r->count[1] = 1;
    return json_object_get(config, "offset") ? read_values(node, config, 1) : DCNN_OK;
}

static dcnn_status build_rescaling(dcnn_node *node, const dcnn_shape *inputs) {
    const rescaling *r = node->config;
    node->shape = inputs[0];
    for (int i = 0; i < 2; i++)
        if (r->count[i] > 1 && r->count[i] != inputs[0].c)
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Rescaling) names %d channels, but its input has %d",
                             node->name, r->count[i], inputs[0].c);
    return DCNN_OK;
}

/* Lists are kept, and written behind this. */
static void describe_rescaling(const dcnn_node *node, json_t *config) {
    const rescaling *r = node->config;
    for (int i = 0; i < 2; i++)
        if (r->count[i] == 1) json_object_set_new(config, rescaling_keys[i], json_real(r->values[i]));
}

static void prepare_rescaling(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part,
                              int parts) {
    (void)kernels;
    (void)net;
    (void)parts;
    for (int c = 0; part == 0 && c < op->in.c; c++) {
        op->shared[c] = (float)value_at(op->node, 0, c);
        op->shared[op->in.c + c] = (float)value_at(op->node, 1, c);
    }
}

static const dcnn_op_kind rescaling_op = {
    .name = "rescaling", .measure = measure, .prepare = prepare_rescaling, .forward = forward, .backward = backward};

const dcnn_layer dcnn_layer_rescaling = {
    .class_name = "Rescaling",
    .config_bytes = sizeof(rescaling),
    .parse = parse_rescaling,
    .build = build_rescaling,
    .describe = describe_rescaling,
    .op = &rescaling_op,
    .scales_input = true,
};

/* --- Normalization: Keras keeps an adapted layer's mean, variance and count as weights ---------------------------- */

static const char *const value_keys[2] = {"mean", "variance"};

static dcnn_status fail_axis(const dcnn_node *node) {
    return DCNN_FAIL(
        DCNN_BAD_INPUT,
        "layer '%s' (Normalization): \"axis\" must be an axis of its input other than that of the samples, "
        "a list of such axes, or null",
        node->name);
}

static dcnn_status parse_normalization(dcnn_node *node, const json_t *config) {
    normalization *s = node->config;
    const json_t *mean = json_object_get(config, "mean"), *variance = json_object_get(config, "variance");
    s->given = mean && !json_is_null(mean);
    if (s->given != (variance && !json_is_null(variance)))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s' (Normalization) has one of \"mean\" and \"variance\" without the "
                         "other",
                         node->name);
    dcnn_config_keep(node, config, value_keys, 2);
    DCNN_TRY(dcnn_config_bool(node, config, "invert", false, &s->invert));
    const json_t *axes = json_object_get(config, "axis");
    if (json_is_null(axes) || (json_is_array(axes) && json_array_size(axes) == 0)) return DCNN_OK; /* one for all */
    return dcnn_config_axes(axes, 3, &s->axes) ? DCNN_OK : fail_axis(node);
}

/* Which of height, width and channels have numbers of their own, and their sizes; how many they are. */
static int kept_axes(const dcnn_node *node, dcnn_shape in, int axes[3], int sizes[3]) {
    const normalization *s = node->config;
    const int all[3] = {in.h, in.w, in.c};
    int count = 0;
    for (int i = 0; i < 3; i++)
        if (s->along[i]) {
            axes[count] = i;
            sizes[count++] = all[i];
        }
    return count;
}

/* Levels of lists around numbers; outer ones of length 1 beyond `most` do not count. */
static const json_t *inside(const json_t *values, int most, int *levels) {
    *levels = 0;
    for (const json_t *v = values; json_is_array(v); v = json_array_get(v, 0)) ++*levels;
    for (; *levels > most && json_array_size(values) == 1; --*levels) values = json_array_get(values, 0);
    return values;
}

/* Do lists fit sizes, of which each may be 1, down to numbers? */
static bool fits(const json_t *values, int levels, const int *sizes) {
    if (levels == 0) return json_is_number(values) && isfinite(json_number_value(values));
    const size_t size = json_array_size(values);
    bool good = json_is_array(values) && (size == 1 || size == (size_t)sizes[0]);
    for (size_t i = 0; good && i < size; i++) good = fits(json_array_get(values, i), levels - 1, sizes + 1);
    return good;
}

static dcnn_status build_normalization(dcnn_node *node, const dcnn_shape *inputs) {
    normalization *s = node->config;
    const dcnn_shape in = inputs[0];
    int axes[3], sizes[3], levels;
    node->shape = in;
    if (!dcnn_axes_find(&s->axes, in, s->along)) return fail_axis(node);
    const int count = kept_axes(node, in, axes, sizes);
    for (int k = 0; k < 2 && s->given; k++) {
        const json_t *values = inside(json_object_get(node->kept, value_keys[k]), count, &levels);
        if (levels > count || !fits(values, levels, sizes + count - levels))
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "layer '%s' (Normalization): \"%s\" must be a number, or one for each channel, or for "
                             "each place along its \"axis\"",
                             node->name, value_keys[k]);
    }
    if (s->given) return DCNN_OK;
    dcnn_node_add_param(node, "mean", true, count, sizes, dcnn_initializer_of(DCNN_INIT_ZEROS));
    dcnn_node_add_param(node, "variance", true, count, sizes, dcnn_initializer_of(DCNN_INIT_ONES));
    dcnn_node_add_param(node, "count", true, 0, NULL, dcnn_initializer_of(DCNN_INIT_ZEROS));
    return DCNN_OK;
}

/* The last axis is -1, whatever it was. */
static void describe_normalization(const dcnn_node *node, json_t *config) {
    const normalization *s = node->config;
    json_t *axes = json_array();
    for (int i = 0; i < 3; i++)
        if (s->along[i]) json_array_append_new(axes, json_integer(is_by_channel(node) ? -1 : i + 1));
    json_object_set(config, "axis", json_array_size(axes) == 1 ? json_array_get(axes, 0) : axes);
    json_decref(axes);
    json_object_set_new(config, "invert", json_boolean(s->invert));
    for (int k = 0; k < 2; k++) /* those that are given are kept, and written behind this */
        json_object_set_new(config, value_keys[k], json_null());
}

/* The number of a place (height, width, channel). */
static double number_at(const dcnn_net *net, const dcnn_node *node, dcnn_shape in, int which, const int place[3]) {
    const normalization *s = node->config;
    int axes[3], sizes[3], levels;
    const int count = kept_axes(node, in, axes, sizes);
    if (!s->given) {
        size_t at = 0;
        for (int i = 0; i < count; i++) at = at * (size_t)sizes[i] + (size_t)place[axes[i]];
        return (double)dcnn_net_values(net, dcnn_net_param(net, node, which))[at];
    }
    const json_t *values = inside(json_object_get(node->kept, value_keys[which]), count, &levels);
    for (int i = count - levels; i < count; i++)
        values = json_array_get(values, json_array_size(values) == 1 ? 0 : (size_t)place[axes[i]]);
    return json_number_value(values);
}

void dcnn_normalization_fill(const dcnn_net *net, const dcnn_node *node, dcnn_shape in, float *scale, float *shift) {
    const bool by_channel = is_by_channel(node);
    size_t at = 0;
    for (int i = 0; i < (by_channel ? 1 : in.h); i++)
        for (int j = 0; j < (by_channel ? 1 : in.w); j++)
            for (int c = 0; c < in.c; c++, at++) {
                const int place[3] = {i, j, c};
                const double m = number_at(net, node, in, MEAN, place);
                const double deviation = fmax(sqrt(number_at(net, node, in, VARIANCE, place)), 1e-7);
                const bool invert = ((const normalization *)node->config)->invert;
                scale[at] = (float)(invert ? deviation : 1.0 / deviation);
                shift[at] = (float)(invert ? m : -m / deviation);
            }
}

static void prepare_normalization(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part,
                                  int parts) {
    (void)kernels;
    (void)parts;
    if (part == 0) dcnn_normalization_fill(net, op->node, op->in, op->shared, op->shared + width_of(op));
}

static const dcnn_op_kind normalization_op = {.name = "normalization",
                                              .measure = measure,
                                              .prepare = prepare_normalization,
                                              .forward = forward,
                                              .backward = backward};

const dcnn_layer dcnn_layer_normalization = {
    .class_name = "Normalization",
    .config_bytes = sizeof(normalization),
    .parse = parse_normalization,
    .build = build_normalization,
    .describe = describe_normalization,
    .op = &normalization_op,
    .scales_input = true,
};

/* --- LayerScale --------------------------------------------------------------------------------------------------- */

typedef struct layer_scale {
    double initial;
    int channels;
} layer_scale;

static dcnn_status parse_layer_scale(dcnn_node *node, const json_t *config) {
    layer_scale *s = node->config;
    DCNN_TRY(dcnn_config_real(node, config, "init_values", 1e-6, -1e6, 1e6, &s->initial));
    return dcnn_config_int(node, config, "projection_dim", 0, &s->channels);
}

static dcnn_status build_layer_scale(dcnn_node *node, const dcnn_shape *inputs) {
    const layer_scale *s = node->config;
    node->shape = inputs[0];
    if (s->channels != inputs[0].c)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s' (LayerScale): \"projection_dim\" is %d, but its input has %d channels", node->name,
                         s->channels, inputs[0].c);
    dcnn_initializer initial = dcnn_initializer_of(DCNN_INIT_CONSTANT);
    initial.a = s->initial;
    dcnn_node_add_param(node, "gamma", false, 1, &s->channels, initial);
    return DCNN_OK;
}

static void describe_layer_scale(const dcnn_node *node, json_t *config) {
    const layer_scale *s = node->config;
    json_object_set_new(config, "init_values", json_real(s->initial));
    json_object_set_new(config, "projection_dim", json_integer(s->channels));
}

static void forward_layer_scale(const dcnn_pass *pass) {
    const size_t c = (size_t)pass->op->in.c;
    const float *gamma = dcnn_pass_param(pass, pass->op->node, 0);
    for (size_t row = 0; row < rows_of(pass); row++)
        for (size_t k = 0; k < c; k++) pass->y[row * c + k] = pass->x[0][row * c + k] * gamma[k];
}

static void backward_layer_scale(const dcnn_pass *pass) {
    const size_t c = (size_t)pass->op->in.c;
    const float *gamma = dcnn_pass_param(pass, pass->op->node, 0);
    float *dgamma = dcnn_pass_dparam(pass, pass->op->node, 0);
    if (dgamma) memset(dgamma, 0, c * sizeof *dgamma);
    for (size_t row = 0; row < rows_of(pass); row++)
        for (size_t k = 0; k < c; k++) {
            const size_t at = row * c + k;
            if (dgamma) dgamma[k] += pass->dy[at] * pass->x[0][at];
            if (pass->dx[0]) pass->dx[0][at] = pass->dy[at] * gamma[k];
        }
}

static const dcnn_op_kind layer_scale_op = {
    .name = "layer scale", .backward_reads_x = true, .forward = forward_layer_scale, .backward = backward_layer_scale};

const dcnn_layer dcnn_layer_layer_scale = {
    .class_name = "LayerScale",
    .module = "keras.src.applications.convnext",
    .config_bytes = sizeof(layer_scale),
    .parse = parse_layer_scale,
    .build = build_layer_scale,
    .describe = describe_layer_scale,
    .op = &layer_scale_op,
};
