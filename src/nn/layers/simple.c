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

#define ACTIVATION_LAYER(symbol, keras_name, type, parser, builder, describer)                                         \
    const dcnn_layer symbol = {                                                                                        \
        .class_name = keras_name,                                                                                      \
        .config_bytes = sizeof(type),                                                                                  \
        .parse = parser,                                                                                               \
        .build = builder,                                                                                              \
        .describe = describer,                                                                                         \
        .op = &dcnn_op_activation,                                                                                     \
        .activation = activation,                                                                                      \
    }

ACTIVATION_LAYER(dcnn_layer_activation, "Activation", dcnn_activation, parse_activation, keep_shape,
                 describe_activation);
ACTIVATION_LAYER(dcnn_layer_relu, "ReLU", dcnn_activation, parse_relu, keep_shape, describe_relu);

/* --- Softmax: over the channels it is an activation; else an operation of its own --------------------------------- */

typedef struct softmax {
    dcnn_activation activation; /* first, as in all layers of this kind */
    dcnn_axes axes;
    bool along[3]; /* height, width, channels */
} softmax;

static dcnn_status fail_axis(const dcnn_node *node) {
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s' (Softmax): \"axis\" must be an axis of its input other than that of the samples, or "
                     "a list of such axes",
                     node->name);
}

static dcnn_status parse_softmax(dcnn_node *node, const json_t *config) {
    softmax *s = node->config;
    s->activation = dcnn_activation_of(DCNN_SOFTMAX);
    return dcnn_config_axes(json_object_get(config, "axis"), 3, &s->axes) ? DCNN_OK : fail_axis(node);
}

static dcnn_status build_softmax(dcnn_node *node, const dcnn_shape *inputs) {
    softmax *s = node->config;
    node->shape = inputs[0];
    if (!dcnn_axes_find(&s->axes, inputs[0], s->along)) return fail_axis(node);
    if (s->along[0] || s->along[1]) node->layer = &dcnn_layer_softmax_axes;
    return DCNN_OK;
}

static void describe_softmax(const dcnn_node *node, json_t *config) {
    const softmax *s = node->config;
    const bool last = node->layer == &dcnn_layer_softmax;
    json_t *axes = json_array();
    for (int i = 0; i < 3; i++)
        if (s->along[i] || (last && i == 2)) json_array_append_new(axes, json_integer(last ? -1 : i + 1));
    json_object_set(config, "axis", json_array_size(axes) == 1 ? json_array_get(axes, 0) : axes);
    json_decref(axes);
}

ACTIVATION_LAYER(dcnn_layer_softmax, "Softmax", softmax, parse_softmax, build_softmax, describe_softmax);

/* Of a sample: as many lines as there are places along the other axes, of `length` values each. */
typedef struct lines {
    size_t sizes[3], strides[3];
    bool along[3];
    size_t length;
} lines;

static lines lines_of(const dcnn_op *op) {
    const softmax *s = op->node->config;
    const dcnn_shape in = op->in;
    lines l = {{(size_t)in.h, (size_t)in.w, (size_t)in.c}, {(size_t)in.w * (size_t)in.c, (size_t)in.c, 1}, {false}, 1};
    for (int i = 0; i < 3; i++) {
        l.along[i] = s->along[i];
        if (l.along[i]) l.length *= l.sizes[i];
    }
    return l;
}

/* A line's values side by side, or back; the line begins at `from`. */
static void copy_line(const lines *l, float *sample, float *line, bool back) {
    const size_t h = l->along[0] ? l->sizes[0] : 1, w = l->along[1] ? l->sizes[1] : 1,
                 c = l->along[2] ? l->sizes[2] : 1;
    for (size_t i = 0; i < h; i++)
        for (size_t j = 0; j < w; j++)
            for (size_t k = 0; k < c; k++, line++) {
                float *at = sample + i * l->strides[0] + j * l->strides[1] + k * l->strides[2];
                *(back ? at : line) = *(back ? line : at);
            }
}

static void measure_softmax(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    (void)grain;
    op->scratch_floats = 3 * ((lines_of(op).length + 15) / 16 * 16);
}

/* Forward: y of x; backward: dx of y and dy. */
static void run_softmax(const dcnn_pass *pass, bool back) {
    const lines l = lines_of(pass->op);
    const size_t count = dcnn_shape_count(pass->op->in), room = (l.length + 15) / 16 * 16;
    float *const line[3] = {pass->scratch, pass->scratch + room, pass->scratch + 2 * room};
    const size_t h = l.along[0] ? 1 : l.sizes[0], w = l.along[1] ? 1 : l.sizes[1], c = l.along[2] ? 1 : l.sizes[2];
    for (size_t n = 0; n < (size_t)pass->n; n++)
        for (size_t place = 0; place < h * w * c; place++) {
            const size_t i = place / (w * c), j = place / c % w, k = place % c;
            const size_t at = n * count + i * l.strides[0] + j * l.strides[1] + k * l.strides[2];
            copy_line(&l, (float *)(uintptr_t)(back ? pass->y : pass->x[0]) + at, line[0], false);
            if (back) {
                copy_line(&l, (float *)(uintptr_t)pass->dy + at, line[1], false);
                pass->kernels->softmax_backward(1, (int)l.length, line[0], line[1], line[2]);
                copy_line(&l, pass->dx[0] + at, line[2], true);
            } else {
                pass->kernels->softmax_forward(1, (int)l.length, line[0], line[1]);
                copy_line(&l, pass->y + at, line[1], true);
            }
        }
}

static void forward_softmax(const dcnn_pass *pass) {
    run_softmax(pass, false);
}

static void backward_softmax(const dcnn_pass *pass) {
    if (pass->dx[0]) run_softmax(pass, true);
}

static const dcnn_op_kind softmax_op = {.name = "softmax",
                                        .backward_reads_y = true,
                                        .measure = measure_softmax,
                                        .forward = forward_softmax,
                                        .backward = backward_softmax};

const dcnn_layer dcnn_layer_softmax_axes = {.class_name = "Softmax",
                                            .config_bytes = sizeof(softmax),
                                            .parse = parse_softmax,
                                            .build = build_softmax,
                                            .describe = describe_softmax,
                                            .op = &softmax_op};
