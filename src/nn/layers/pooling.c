/* SPDX-License-Identifier: BSD-3-Clause */
/* pooling.c — MaxPooling2D, AveragePooling2D, and both over the whole map. */
#include "nn/config.h"

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
