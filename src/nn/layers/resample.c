/* SPDX-License-Identifier: BSD-3-Clause */
/* resample.c — see resample.h; and the layer Resizing. */
#include "nn/layers/resample.h"

#include <math.h>
#include <string.h>

#include "nn/config.h"

/* The pixel that stands at a place along one axis, or -1: the fill value. */
static int pixel_at(dcnn_fill fill, int64_t at, int length) {
    if (at >= 0 && at < length) return (int)at;
    switch (fill) {
    case DCNN_FILL_CONSTANT:
        return -1;
    case DCNN_FILL_NEAREST:
        return at < 0 ? 0 : length - 1;
    case DCNN_FILL_WRAP:
        return (int)((at % length + length) % length);
    case DCNN_FILL_REFLECT:
        at = (at % (2 * length) + 2 * length) % (2 * length);
        return (int)(at < length ? at : 2 * length - 1 - at);
    }
    return -1;
}

/* The pixels that an output pixel is made of, and their shares. */
typedef struct taps {
    int count;
    int64_t pixel[4]; /* number of it, or -1: the fill value */
    double share[4];
} taps;

static taps taps_at(const dcnn_resampling *r, dcnn_shape in, int i, int j) {
    const double row = r->m[0] * i + r->m[1] * j + r->m[2], column = r->m[3] * i + r->m[4] * j + r->m[5];
    const double top = r->nearest ? floor(row + 0.5) : floor(row);
    const double left = r->nearest ? floor(column + 0.5) : floor(column);
    taps t = {.count = 0};
    for (int k = 0; k < (r->nearest ? 1 : 4); k++) {
        const double down = k / 2 ? row - top : 1.0 - (row - top);
        const double across = k % 2 ? column - left : 1.0 - (column - left);
        const int y = pixel_at(r->fill, (int64_t)top + k / 2, in.h);
        const int x = pixel_at(r->fill, (int64_t)left + k % 2, in.w);
        t.pixel[t.count] = y < 0 || x < 0 ? -1 : (int64_t)y * in.w + x;
        t.share[t.count] = r->nearest ? 1.0 : down * across;
        t.count += t.share[t.count] != 0.0;
    }
    return t;
}

void dcnn_resample_forward(const dcnn_resampling *r, dcnn_shape in, dcnn_shape out, const float *x, float *y) {
    for (int i = 0; i < out.h; i++)
        for (int j = 0; j < out.w; j++, y += out.c) {
            const taps t = taps_at(r, in, i, j);
            for (int c = 0; c < out.c; c++) {
                double sum = 0.0;
                for (int k = 0; k < t.count; k++)
                    sum += t.share[k] * (t.pixel[k] < 0 ? r->value : (double)x[t.pixel[k] * in.c + c]);
                y[c] = (float)sum;
            }
        }
}

void dcnn_resample_backward(const dcnn_resampling *r, dcnn_shape in, dcnn_shape out, const float *dy, float *dx) {
    for (int i = 0; i < out.h; i++)
        for (int j = 0; j < out.w; j++, dy += out.c) {
            const taps t = taps_at(r, in, i, j);
            for (int k = 0; k < t.count; k++)
                for (int c = 0; c < out.c && t.pixel[k] >= 0; c++)
                    dx[t.pixel[k] * in.c + c] += (float)(t.share[k] * (double)dy[c]);
        }
}

/* Stretches the input over the output, pixels being squares (Keras' image.resize without antialiasing). */
static dcnn_resampling stretch(dcnn_shape in, dcnn_shape out, bool nearest) {
    const double down = (double)in.h / out.h, across = (double)in.w / out.w;
    return (dcnn_resampling){.m = {down, 0.0, 0.5 * down - 0.5, 0.0, across, 0.5 * across - 0.5},
                             .fill = DCNN_FILL_NEAREST,
                             .nearest = nearest};
}

void dcnn_resample_all(const dcnn_pass *pass, bool nearest) {
    const dcnn_shape in = pass->op->in, out = pass->op->node->shape;
    const dcnn_resampling r = stretch(in, out, nearest);
    for (size_t n = 0; n < (size_t)pass->n; n++)
        dcnn_resample_forward(&r, in, out, pass->x[0] + n * dcnn_shape_count(in), pass->y + n * dcnn_shape_count(out));
}

void dcnn_resample_all_backward(const dcnn_pass *pass, bool nearest) {
    const dcnn_shape in = pass->op->in, out = pass->op->node->shape;
    const dcnn_resampling r = stretch(in, out, nearest);
    if (pass->dx[0] == NULL) return;
    memset(pass->dx[0], 0, (size_t)pass->n * dcnn_shape_count(in) * sizeof(float));
    for (size_t n = 0; n < (size_t)pass->n; n++)
        dcnn_resample_backward(&r, in, out, pass->dy + n * dcnn_shape_count(out),
                               pass->dx[0] + n * dcnn_shape_count(in));
}

/* --- Resizing ----------------------------------------------------------------------------------------------------- */

typedef struct resizing {
    int h, w;
    bool nearest;
} resizing;

static dcnn_status parse(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"crop_to_aspect_ratio", "false"},
                                            {"pad_to_aspect_ratio", "false"},
                                            {"antialias", "false"},
                                            {"data_format", "\"channels_last\""}};
    resizing *r = node->config;
    DCNN_TRY(dcnn_config_int(node, config, "height", 0, &r->h));
    DCNN_TRY(dcnn_config_int(node, config, "width", 0, &r->w));
    DCNN_TRY(dcnn_config_interpolation(node, config, "bilinear", &r->nearest));
    return dcnn_config_refuse(node, config, only, sizeof only / sizeof only[0]);
}

static dcnn_status build(dcnn_node *node, const dcnn_shape *inputs) {
    const resizing *r = node->config;
    char text[48];
    if (inputs[0].rank != 3 || r->h > 1 << 16 || r->w > 1 << 16)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Resizing) does not fit an input of shape %s", node->name,
                         dcnn_shape_text(inputs[0], text));
    node->shape = (dcnn_shape){3, r->h, r->w, inputs[0].c};
    return DCNN_OK;
}

static void describe(const dcnn_node *node, json_t *config) {
    const resizing *r = node->config;
    json_t *mine = json_pack("{s:i, s:i, s:s, s:b, s:b, s:b, s:s}", "height", r->h, "width", r->w, "interpolation",
                             r->nearest ? "nearest" : "bilinear", "crop_to_aspect_ratio", 0, "pad_to_aspect_ratio", 0,
                             "antialias", 0, "data_format", "channels_last");
    json_object_update(config, mine);
    json_decref(mine);
}

static bool is_nearest(const dcnn_pass *pass) {
    return ((const resizing *)pass->op->node->config)->nearest;
}

static void forward(const dcnn_pass *pass) {
    dcnn_resample_all(pass, is_nearest(pass));
}

static void backward(const dcnn_pass *pass) {
    dcnn_resample_all_backward(pass, is_nearest(pass));
}

static const dcnn_op_kind op = {.name = "resizing", .forward = forward, .backward = backward};

const dcnn_layer dcnn_layer_resizing = {.class_name = "Resizing",
                                        .config_bytes = sizeof(resizing),
                                        .parse = parse,
                                        .build = build,
                                        .describe = describe,
                                        .op = &op};
