/* SPDX-License-Identifier: BSD-3-Clause */
/* rescaling.c — Rescaling: x * scale + offset; Normalization: (x - mean) / max(sqrt(variance), 1e-7), by channel;
 * LayerScale: x * gamma, learned, by channel (Touvron et al., 2021; Keras' ConvNeXt). */
#include <math.h>
#include <string.h>

#include "nn/config.h"

enum { MOST = 64 }; /* channels that a description's lists may name */

typedef struct rescaling {
    int count[2];           /* numbers given: 1, or one a channel; 0: weights hold them */
    double values[2][MOST]; /* scale and offset; mean and variance */
} rescaling;

enum { MEAN, VARIANCE };

/* A number, or nested lists with one number a channel in the end. */
static dcnn_status read_values(const dcnn_node *node, const json_t *json, const char *key, int *count, double *values) {
    while (json_is_array(json) && json_array_size(json) == 1) json = json_array_get(json, 0);
    *count = json_is_array(json) ? (int)json_array_size(json) : 1;
    for (int i = 0; i < *count && i < MOST; i++) {
        const json_t *value = json_is_array(json) ? json_array_get(json, (size_t)i) : json;
        values[i] = json_number_value(value);
        if (!json_is_number(value) || !isfinite(values[i])) *count = MOST + 1;
    }
    if (*count <= MOST) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): \"%s\" must be a number, or one for each channel", node->name,
                     node->layer->class_name, key);
}

static dcnn_status check_channels(const dcnn_node *node, const dcnn_shape *inputs) {
    const rescaling *r = node->config;
    for (int i = 0; i < 2; i++)
        if (r->count[i] > 1 && r->count[i] != inputs[0].c)
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s) names %d channels, but its input has %d", node->name,
                             node->layer->class_name, r->count[i], inputs[0].c);
    return DCNN_OK;
}

static json_t *describe_values(const rescaling *r, int which) {
    if (r->count[which] == 1) return json_real(r->values[which][0]);
    json_t *list = json_array();
    for (int i = 0; i < r->count[which]; i++) json_array_append_new(list, json_real(r->values[which][i]));
    return list;
}

static double value_at(const rescaling *r, int which, int channel) {
    return r->values[which][r->count[which] > 1 ? channel : 0];
}

/* --- the operation of both: shared holds scale and shift [c] ----------------------------------------------------- */

static void measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    (void)grain;
    op->shared_floats = 2 * (size_t)op->in.c;
}

static size_t rows_of(const dcnn_pass *pass) {
    return (size_t)pass->n * (size_t)pass->op->in.h * (size_t)pass->op->in.w;
}

static void forward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    pass->kernels->affine(rows_of(pass), op->in.c, pass->x[0], op->shared, op->shared + op->in.c, pass->y);
}

static void backward(const dcnn_pass *pass) {
    const int c = pass->op->in.c;
    const size_t count = rows_of(pass) * (size_t)c;
    for (size_t i = 0; pass->dx[0] && i < count; i++) pass->dx[0][i] = pass->dy[i] * pass->op->shared[i % (size_t)c];
}

/* --- Rescaling ---------------------------------------------------------------------------------------------------- */

static dcnn_status parse_rescaling(dcnn_node *node, const json_t *config) {
    rescaling *r = node->config;
    const json_t *offset = json_object_get(config, "offset");
    DCNN_TRY(read_values(node, json_object_get(config, "scale"), "scale", &r->count[0], r->values[0]));
    r->count[1] = 1;
    return offset ? read_values(node, offset, "offset", &r->count[1], r->values[1]) : DCNN_OK;
}

static dcnn_status build_rescaling(dcnn_node *node, const dcnn_shape *inputs) {
    node->shape = inputs[0];
    return check_channels(node, inputs);
}

static void describe_rescaling(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "scale", describe_values(node->config, 0));
    json_object_set_new(config, "offset", describe_values(node->config, 1));
}

static void prepare_rescaling(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part,
                              int parts) {
    (void)kernels;
    (void)net;
    (void)parts;
    for (int c = 0; part == 0 && c < op->in.c; c++) {
        op->shared[c] = (float)value_at(op->node->config, 0, c);
        op->shared[op->in.c + c] = (float)value_at(op->node->config, 1, c);
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

static dcnn_status parse_normalization(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"axis", "-1"}, {"invert", "false"}};
    rescaling *r = node->config;
    const json_t *axis = json_object_get(config, "axis"), *mean = json_object_get(config, "mean");
    if (json_is_null(mean)) mean = NULL;
    if (mean) {
        DCNN_TRY(read_values(node, mean, "mean", &r->count[MEAN], r->values[MEAN]));
        DCNN_TRY(read_values(node, json_object_get(config, "variance"), "variance", &r->count[VARIANCE],
                             r->values[VARIANCE]));
    }
    /* channels last on maps: [3] and 3 are -1 */
    const json_t *one = json_array_size(axis) == 1 ? json_array_get(axis, 0) : axis;
    const bool last = json_is_integer(one) && (json_integer_value(one) == 3 || json_integer_value(one) == -1);
    return dcnn_config_refuse(node, config, last ? only + 1 : only, last ? 1 : 2);
}

static dcnn_status build_normalization(dcnn_node *node, const dcnn_shape *inputs) {
    const int c = inputs[0].c;
    node->shape = inputs[0];
    DCNN_TRY(check_channels(node, inputs));
    if (((const rescaling *)node->config)->count[MEAN] > 0) return DCNN_OK;
    dcnn_node_add_param(node, "mean", true, 1, &c, dcnn_initializer_of(DCNN_INIT_ZEROS));
    dcnn_node_add_param(node, "variance", true, 1, &c, dcnn_initializer_of(DCNN_INIT_ONES));
    dcnn_node_add_param(node, "count", true, 0, NULL, dcnn_initializer_of(DCNN_INIT_ZEROS));
    return DCNN_OK;
}

static void describe_normalization(const dcnn_node *node, json_t *config) {
    const rescaling *r = node->config;
    json_object_set_new(config, "axis", json_integer(-1));
    json_object_set_new(config, "invert", json_false());
    json_object_set_new(config, "mean", r->count[MEAN] ? describe_values(r, MEAN) : json_null());
    json_object_set_new(config, "variance", r->count[MEAN] ? describe_values(r, VARIANCE) : json_null());
}

static void prepare_normalization(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part,
                                  int parts) {
    (void)kernels;
    (void)parts;
    const rescaling *r = op->node->config;
    const dcnn_param *mean = dcnn_net_param(net, op->node, MEAN), *variance = dcnn_net_param(net, op->node, VARIANCE);
    for (int c = 0; part == 0 && c < op->in.c; c++) {
        const double m = mean ? (double)dcnn_net_values(net, mean)[c] : value_at(r, MEAN, c);
        const double v = variance ? (double)dcnn_net_values(net, variance)[c] : value_at(r, VARIANCE, c);
        const double deviation = fmax(sqrt(v), 1e-7);
        op->shared[c] = (float)(1.0 / deviation);
        op->shared[op->in.c + c] = (float)(-m / deviation);
    }
}

static const dcnn_op_kind normalization_op = {.name = "normalization",
                                              .measure = measure,
                                              .prepare = prepare_normalization,
                                              .forward = forward,
                                              .backward = backward};

const dcnn_layer dcnn_layer_normalization = {
    .class_name = "Normalization",
    .config_bytes = sizeof(rescaling),
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
