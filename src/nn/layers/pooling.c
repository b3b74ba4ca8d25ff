/* SPDX-License-Identifier: BSD-3-Clause */
/* pooling.c — MaxPooling2D, AveragePooling2D, and both over the whole map; a Conv2D with the AveragePooling2D behind
 * it.
 */
#include "nn/config.h"

#include <string.h>

typedef struct pooling {
    int size[2], stride[2];
    bool same;
    bool keepdims; /* of the global ones */
} pooling;

static dcnn_status parse(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"data_format", "\"channels_last\""}};
    pooling *p = node->config;
    DCNN_TRY(dcnn_config_pair(node, config, "pool_size", 2, p->size));
    DCNN_TRY(dcnn_config_pair(node, config, "strides", p->size[0], p->stride));
    if (!json_is_integer(json_object_get(config, "strides")) && !json_is_array(json_object_get(config, "strides")))
        p->stride[1] = p->size[1]; /* no strides: the window's own size, on each axis */
    DCNN_TRY(dcnn_config_padding(node, config, &p->same));
    if (p->size[0] * (int64_t)p->size[1] > UINT16_MAX)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': a pooling window of (%d, %d) is too large", node->name,
                         p->size[0], p->size[1]);
    return dcnn_config_refuse(node, config, only, 1);
}

static dcnn_status build(dcnn_node *node, const dcnn_shape *inputs) {
    const pooling *p = node->config;
    const dcnn_shape in = inputs[0];
    char text[48];
    int pad;
    if (in.rank != 3)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s) needs an input of shape (height, width, channels), not %s",
                         node->name, node->layer->class_name, dcnn_shape_text(in, text));
    node->shape = (dcnn_shape){.rank = 3, .c = in.c};
    if (!dcnn_window(in.h, p->size[0], p->stride[0], p->same, &node->shape.h, &pad) ||
        !dcnn_window(in.w, p->size[1], p->stride[1], p->same, &node->shape.w, &pad))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): its input of shape %s is smaller than its window (%d, %d)",
                         node->name, node->layer->class_name, dcnn_shape_text(in, text), p->size[0], p->size[1]);
    return DCNN_OK;
}

static void describe(const dcnn_node *node, json_t *config) {
    const pooling *p = node->config;
    json_t *mine = json_pack("{s:[ii], s:[ii], s:s, s:s}", "pool_size", p->size[0], p->size[1], "strides", p->stride[0],
                             p->stride[1], "padding", p->same ? "same" : "valid", "data_format", "channels_last");
    json_object_update(config, mine);
    json_decref(mine);
}

bool dcnn_pooling_is_2x2(const dcnn_node *pool) {
    const pooling *p = pool->config;
    return p->size[0] == 2 && p->size[1] == 2 && p->stride[0] == 2 && p->stride[1] == 2 && !p->same;
}

dcnn_pool dcnn_max_pooling_shape(const dcnn_node *pool, dcnn_shape in, int n) {
    const pooling *p = pool->config;
    dcnn_pool shape = {.n = n,
                       .h = in.h,
                       .w = in.w,
                       .c = in.c,
                       .r = p->size[0],
                       .s = p->size[1],
                       .stride_h = p->stride[0],
                       .stride_w = p->stride[1]};
    dcnn_window(in.h, p->size[0], p->stride[0], p->same, &shape.oh, &shape.pad_h);
    dcnn_window(in.w, p->size[1], p->stride[1], p->same, &shape.ow, &shape.pad_w);
    return shape;
}

static dcnn_pool grain_shape(const dcnn_op *op, int n) {
    return dcnn_max_pooling_shape(op->node, op->in, n);
}

static void max_measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    op->saved_bytes = op->training ? (size_t)grain * dcnn_shape_count(op->node->shape) * sizeof(uint16_t) : 0;
}

static void max_forward(const dcnn_pass *pass) {
    dcnn_pool shape = grain_shape(pass->op, pass->n);
    pass->kernels->max_pool_forward(&shape, pass->x[0], pass->y, pass->op->training ? pass->saved : NULL);
}

static void max_backward(const dcnn_pass *pass) {
    dcnn_pool shape = grain_shape(pass->op, pass->n);
    if (pass->dx[0]) pass->kernels->max_pool_backward(&shape, pass->saved, pass->dy, pass->dx[0]);
}

static const dcnn_op_kind max_op = {
    .name = "max pool", .measure = max_measure, .forward = max_forward, .backward = max_backward};

const dcnn_layer dcnn_layer_max_pooling2d = {
    .class_name = "MaxPooling2D",
    .config_bytes = sizeof(pooling),
    .parse = parse,
    .build = build,
    .describe = describe,
    .op = &max_op,
};

static void average_forward(const dcnn_pass *pass) {
    dcnn_pool shape = grain_shape(pass->op, pass->n);
    pass->kernels->average_pool_forward(&shape, pass->x[0], pass->y);
}

static void average_backward(const dcnn_pass *pass) {
    dcnn_pool shape = grain_shape(pass->op, pass->n);
    if (pass->dx[0]) pass->kernels->average_pool_backward(&shape, pass->dy, pass->dx[0]);
}

static const dcnn_op_kind average_op = {
    .name = "average pool", .forward = average_forward, .backward = average_backward};

const dcnn_layer dcnn_layer_average_pooling2d = {
    .class_name = "AveragePooling2D",
    .config_bytes = sizeof(pooling),
    .parse = parse,
    .build = build,
    .describe = describe,
    .op = &average_op,
};

/* Global pooling is that of one window as large as the map. */

static dcnn_status global_parse(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"data_format", "\"channels_last\""}};
    DCNN_TRY(dcnn_config_bool(node, config, "keepdims", false, &((pooling *)node->config)->keepdims));
    return dcnn_config_refuse(node, config, only, 1);
}

static dcnn_status global_build(dcnn_node *node, const dcnn_shape *inputs) {
    pooling *p = node->config;
    const dcnn_shape in = inputs[0];
    char text[48];
    if (in.rank != 3)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s) needs an input of shape (height, width, channels), not %s",
                         node->name, node->layer->class_name, dcnn_shape_text(in, text));
    if (in.h * (int64_t)in.w > UINT16_MAX)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': a map of shape %s is too large to pool", node->name,
                         dcnn_shape_text(in, text));
    p->size[0] = p->stride[0] = in.h;
    p->size[1] = p->stride[1] = in.w;
    node->shape = (dcnn_shape){.rank = p->keepdims ? 3 : 1, .h = 1, .w = 1, .c = in.c};
    return DCNN_OK;
}

static void global_describe(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "data_format", json_string("channels_last"));
    json_object_set_new(config, "keepdims", json_boolean(((const pooling *)node->config)->keepdims));
}

const dcnn_layer dcnn_layer_global_average_pooling2d = {
    .class_name = "GlobalAveragePooling2D",
    .config_bytes = sizeof(pooling),
    .parse = global_parse,
    .build = global_build,
    .describe = global_describe,
    .op = &average_op,
};

const dcnn_layer dcnn_layer_global_max_pooling2d = {
    .class_name = "GlobalMaxPooling2D",
    .config_bytes = sizeof(pooling),
    .parse = global_parse,
    .build = global_build,
    .describe = global_describe,
    .op = &max_op,
};

/* --- Conv2D and AveragePooling2D as one operation: op->head is the one, op->node the other ------------------------ */

/* With no activation between them both are linear, so that the means can be taken first: over the windows at each place
 * of the padded input, and then the convolution with the pooling's strides. A window takes one product a tap, where the
 * convolution has one for each of the window's cells. A filter of 1x1 sees the pooled input. */

enum { KERNEL, BIAS };

typedef struct pooled_first {
    dcnn_conv conv; /* of the means */
    dcnn_pool pool; /* of the padded input to them */
    dcnn_conv unpooled;
    bool padded; /* is the input to be copied between zeros? */
} pooled_first;

static pooled_first pooled_first_of(const dcnn_op *op, int n) {
    const pooling *p = op->node->config;
    const dcnn_conv c = dcnn_conv_shape(op->head, op->in, n);
    pooled_first f = {.conv = c, .unpooled = c};
    f.conv.inference = op->free_bits;
    f.conv.oh = op->node->shape.h;
    f.conv.ow = op->node->shape.w;
    if (c.r == 1 && c.s == 1) {
        f.pool = dcnn_max_pooling_shape(op->node, op->in, n);
        f.conv.h = f.conv.oh;
        f.conv.w = f.conv.ow;
        return f;
    }
    f.conv.pad_h = f.conv.pad_w = 0;
    f.conv.stride_h = p->stride[0];
    f.conv.stride_w = p->stride[1];
    f.conv.h = (f.conv.oh - 1) * p->stride[0] + c.r;
    f.conv.w = (f.conv.ow - 1) * p->stride[1] + c.s;
    f.pool = (dcnn_pool){.n = n, .c = c.c, .r = p->size[0], .s = p->size[1], .stride_h = 1, .stride_w = 1};
    f.pool.oh = f.conv.h;
    f.pool.ow = f.conv.w;
    f.pool.h = f.conv.h + f.pool.r - 1;
    f.pool.w = f.conv.w + f.pool.s - 1;
    f.padded = c.pad_h > 0 || c.pad_w > 0 || f.pool.h > c.h || f.pool.w > c.w;
    if (!f.padded) {
        f.pool.h = c.h;
        f.pool.w = c.w;
    }
    if (f.conv.oh == 1 && f.conv.ow == 1) { /* one patch an image: products over all images at once */
        f.conv.c *= c.r * c.s;
        f.conv.r = f.conv.s = f.conv.h = f.conv.w = f.conv.stride_h = f.conv.stride_w = 1;
    }
    return f;
}

bool dcnn_conv_average_matches(const dcnn_node *conv, dcnn_shape in, const dcnn_node *pool) {
    const pooling *p = pool->config;
    const dcnn_conv c = dcnn_conv_shape(conv, in, 1);
    if (conv->bf16 || c.stride_h * c.stride_w * c.dilation_h * c.dilation_w * c.groups > 1) return false;
    /* of fewer cells a window, Winograd's tiles take no more products for all of them */
    return (c.r == 1 && c.s == 1) || (!p->same && p->stride[0] * p->stride[1] >= 4);
}

static size_t in_lines(size_t floats) {
    return (floats + 15) / 16 * 16;
}

static size_t padded_floats(const pooled_first *f) {
    const dcnn_pool *p = &f->pool;
    return f->padded ? in_lines((size_t)p->n * (size_t)p->h * (size_t)p->w * (size_t)p->c) : 0;
}

static size_t mean_floats(const pooled_first *f) {
    return in_lines((size_t)f->conv.n * (size_t)f->conv.h * (size_t)f->conv.w * (size_t)f->conv.c);
}

static void pooled_first_measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    const pooled_first f = pooled_first_of(op, grain);
    op->scratch_floats = padded_floats(&f) + mean_floats(&f) + kernels->conv_scratch(&f.conv);
    op->packed_floats = kernels->conv_packed(&f.conv);
}

static void pooled_first_prepare(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part,
                                 int parts) {
    const pooled_first f = pooled_first_of(op, 1);
    kernels->conv_pack(&f.conv, dcnn_net_values(net, dcnn_net_param(net, op->head, KERNEL)), op->packed, part, parts);
}

/* The rows that the input and the padded one have in common, from the one to the other. */
static void copy_inside(const pooled_first *f, const float *x, float *padded, float *dx) {
    const dcnn_conv *c = &f->unpooled;
    const size_t channels = (size_t)c->c, wide = (size_t)f->pool.w * channels;
    const int columns = c->w + c->pad_w < f->pool.w ? c->w : f->pool.w - c->pad_w;
    for (int n = 0; n < c->n; n++)
        for (int i = 0; i < c->h && i + c->pad_h < f->pool.h; i++) {
            const size_t inner = (size_t)(n * c->h + i) * (size_t)c->w * channels;
            float *at = padded + (size_t)(n * f->pool.h + i + c->pad_h) * wide + (size_t)c->pad_w * channels;
            const size_t bytes = (size_t)columns * channels * sizeof(float);
            if (dx)
                memcpy(dx + inner, at, bytes);
            else
                memcpy(at, x + inner, bytes);
        }
}

/* The means of the pass' input, behind the padded one in the scratch. */
static float *take_means(const dcnn_pass *pass, const pooled_first *f) {
    const float *x = pass->x[0];
    float *means = pass->scratch + padded_floats(f);
    if (f->padded) {
        memset(pass->scratch, 0, padded_floats(f) * sizeof(float));
        copy_inside(f, x, pass->scratch, NULL);
        x = pass->scratch;
    }
    pass->kernels->average_pool_forward(&f->pool, x, means);
    return means;
}

static void pooled_first_forward(const dcnn_pass *pass) {
    const pooled_first f = pooled_first_of(pass->op, pass->n);
    float *means = take_means(pass, &f);
    pass->kernels->conv_forward(&f.conv, means, pass->op->packed, dcnn_pass_param(pass, pass->op->head, BIAS),
                                DCNN_FUSED_NONE, pass->y, means + mean_floats(&f));
}

static void pooled_first_backward(const dcnn_pass *pass) {
    const pooled_first f = pooled_first_of(pass->op, pass->n);
    float *means = take_means(pass, &f), *rest = means + mean_floats(&f);
    float *dkernel = dcnn_pass_dparam(pass, pass->op->head, KERNEL);
    float *dbias = dcnn_pass_dparam(pass, pass->op->head, BIAS);
    if (dkernel) pass->kernels->conv_backward(&f.conv, means, pass->op->packed, pass->dy, NULL, dkernel, dbias, rest);
    if (pass->dx[0] == NULL) return;
    pass->kernels->conv_backward(&f.conv, NULL, pass->op->packed, pass->dy, means, NULL, NULL, rest);
    pass->kernels->average_pool_backward(&f.pool, means, f.padded ? pass->scratch : pass->dx[0]);
    if (!f.padded) return;
    memset(pass->dx[0], 0, (size_t)pass->n * dcnn_shape_count(pass->op->in) * sizeof(float));
    copy_inside(&f, NULL, pass->scratch, pass->dx[0]);
}

const dcnn_op_kind dcnn_op_conv_average = {
    .name = "average+conv",
    .backward_reads_x = true,
    .measure = pooled_first_measure,
    .prepare = pooled_first_prepare,
    .forward = pooled_first_forward,
    .backward = pooled_first_backward,
};
