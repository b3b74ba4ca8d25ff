/* SPDX-License-Identifier: BSD-3-Clause */
/* padding.c — ZeroPadding2D, Cropping2D and UpSampling2D: each output pixel is an input pixel, or zero; or, of an
 * UpSampling2D other than the nearest, between input pixels. */
#include <string.h>

#include "nn/config.h"
#include "nn/layers/resample.h"

typedef struct padding {
    int before[2], after[2]; /* rows and columns added, or taken away if negative */
    int factor[2];           /* how often each row and column is repeated */
    dcnn_resize between;     /* of an UpSampling2D */
} padding;

/* 1, [1, 2] or [[1, 2], [3, 4]]: rows and columns, each before and after. */
static dcnn_status parse_sides(dcnn_node *node, const json_t *config, const char *key, int fallback, int sign) {
    static const dcnn_config_only only[] = {{"data_format", "\"channels_last\""}};
    padding *p = node->config;
    const json_t *sides = json_object_get(config, key);
    p->factor[0] = p->factor[1] = 1;
    for (size_t axis = 0; axis < 2; axis++) {
        const json_t *side = json_is_array(sides) ? json_array_get(sides, axis) : sides;
        const json_t *ends[2] = {json_is_array(side) ? json_array_get(side, 0) : side,
                                 json_is_array(side) ? json_array_get(side, 1) : side};
        int values[2] = {fallback, fallback};
        for (int i = 0; i < 2 && sides; i++) {
            if (!json_is_integer(ends[i]) || json_integer_value(ends[i]) < 0 || json_integer_value(ends[i]) > 1 << 16)
                return DCNN_FAIL(DCNN_BAD_INPUT,
                                 "layer '%s': \"%s\" must be a whole number, a pair of them, or a pair of pairs",
                                 node->name, key);
            values[i] = (int)json_integer_value(ends[i]);
        }
        p->before[axis] = sign * values[0];
        p->after[axis] = sign * values[1];
    }
    return dcnn_config_refuse(node, config, only, 1);
}

static dcnn_status parse_padding(dcnn_node *node, const json_t *config) {
    return parse_sides(node, config, "padding", 1, 1);
}

static dcnn_status parse_cropping(dcnn_node *node, const json_t *config) {
    return parse_sides(node, config, "cropping", 0, -1);
}

static dcnn_status parse_upsampling(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"data_format", "\"channels_last\""}};
    padding *p = node->config;
    DCNN_TRY(dcnn_resize_read(node, config, "nearest", &p->between));
    DCNN_TRY(dcnn_config_pair(node, config, "size", 2, p->factor));
    return dcnn_config_refuse(node, config, only, 1);
}

static dcnn_status build(dcnn_node *node, const dcnn_shape *inputs) {
    const padding *p = node->config;
    const dcnn_shape in = inputs[0];
    char text[48];
    const int64_t h = (int64_t)in.h * p->factor[0] + p->before[0] + p->after[0];
    const int64_t w = (int64_t)in.w * p->factor[1] + p->before[1] + p->after[1];
    if (in.rank != 3 || h < 1 || w < 1 || h > 1 << 16 || w > 1 << 16)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s) does not fit an input of shape %s", node->name,
                         node->layer->class_name, dcnn_shape_text(in, text));
    node->shape = (dcnn_shape){3, (int)h, (int)w, in.c};
    return DCNN_OK;
}

static void describe_sides(const dcnn_node *node, json_t *config, const char *key, int sign) {
    const padding *p = node->config;
    json_object_set_new(
        config, key,
        json_pack("[[i,i],[i,i]]", sign * p->before[0], sign * p->after[0], sign * p->before[1], sign * p->after[1]));
    json_object_set_new(config, "data_format", json_string("channels_last"));
}

static void describe_padding(const dcnn_node *node, json_t *config) {
    describe_sides(node, config, "padding", 1);
}

static void describe_cropping(const dcnn_node *node, json_t *config) {
    describe_sides(node, config, "cropping", -1);
}

static void describe_upsampling(const dcnn_node *node, json_t *config) {
    const padding *p = node->config;
    json_object_set_new(config, "size", json_pack("[i,i]", p->factor[0], p->factor[1]));
    json_object_set_new(config, "interpolation", json_string(dcnn_resize_name(&p->between)));
    json_object_set_new(config, "data_format", json_string("channels_last"));
}

/* The input's row or column that an output's is, or -1. */
static int source(const padding *p, int axis, int at, int length) {
    const int from = at - p->before[axis];
    return from >= 0 && from < length * p->factor[axis] ? from / p->factor[axis] : -1;
}

static void forward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const padding *p = op->node->config;
    const dcnn_shape in = op->in, out = op->node->shape;
    const size_t c = (size_t)in.c;
    float *y = pass->y;
    if (p->between.filter != DCNN_FILTER_NEAREST) {
        dcnn_resize_forward(pass, &p->between);
        return;
    }
    for (int n = 0; n < pass->n; n++)
        for (int i = 0; i < out.h; i++)
            for (int j = 0; j < out.w; j++, y += c) {
                const int row = source(p, 0, i, in.h), column = source(p, 1, j, in.w);
                if (row < 0 || column < 0)
                    memset(y, 0, c * sizeof *y);
                else
                    memcpy(y,
                           pass->x[0] + (((size_t)n * (size_t)in.h + (size_t)row) * (size_t)in.w + (size_t)column) * c,
                           c * sizeof *y);
            }
}

static void backward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const padding *p = op->node->config;
    const dcnn_shape in = op->in, out = op->node->shape;
    const size_t c = (size_t)in.c;
    const float *dy = pass->dy;
    if (pass->dx[0] == NULL) return;
    if (p->between.filter != DCNN_FILTER_NEAREST) {
        dcnn_resize_backward(pass, &p->between);
        return;
    }
    memset(pass->dx[0], 0, (size_t)pass->n * dcnn_shape_count(in) * sizeof(float));
    for (int n = 0; n < pass->n; n++)
        for (int i = 0; i < out.h; i++)
            for (int j = 0; j < out.w; j++, dy += c) {
                const int row = source(p, 0, i, in.h), column = source(p, 1, j, in.w);
                if (row < 0 || column < 0) continue;
                float *dx =
                    pass->dx[0] + (((size_t)n * (size_t)in.h + (size_t)row) * (size_t)in.w + (size_t)column) * c;
                for (size_t k = 0; k < c; k++) dx[k] += dy[k];
            }
}

static void measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    (void)grain;
    dcnn_resize_measure(op, &((const padding *)op->node->config)->between);
}

static void prepare(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part, int parts) {
    (void)kernels;
    (void)net;
    (void)parts;
    if (part == 0) dcnn_resize_prepare(op, &((const padding *)op->node->config)->between);
}

static const dcnn_op_kind padding_op = {
    .name = "padding", .measure = measure, .prepare = prepare, .forward = forward, .backward = backward};

#define PADDING(symbol, keras_name, what)                                                                              \
    const dcnn_layer symbol = {.class_name = keras_name,                                                               \
                               .config_bytes = sizeof(padding),                                                        \
                               .parse = parse_##what,                                                                  \
                               .build = build,                                                                         \
                               .describe = describe_##what,                                                            \
                               .op = &padding_op}

PADDING(dcnn_layer_zero_padding2d, "ZeroPadding2D", padding);
PADDING(dcnn_layer_cropping2d, "Cropping2D", cropping);
PADDING(dcnn_layer_upsampling2d, "UpSampling2D", upsampling);
