/* SPDX-License-Identifier: BSD-3-Clause */
/* reshape.c — Flatten: the values as they lie, or, for channels_first, with what it takes for channels in the end. */
#include <string.h>

#include "nn/config.h"

typedef struct reshape {
    bool permutes;
    int order[3]; /* axis i of the output is axis order[i] of the input */
} reshape;

static bool is_view(const dcnn_node *node) {
    return !((const reshape *)node->config)->permutes;
}

static dcnn_status parse_flatten(dcnn_node *node, const json_t *config) {
    reshape *r = node->config;
    const char *format = json_string_value(json_object_get(config, "data_format"));
    if (format && strcmp(format, "channels_last") != 0 && strcmp(format, "channels_first") != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s' (Flatten): \"data_format\" must be \"channels_last\" or \"channels_first\"",
                         node->name);
    *r = (reshape){format && strcmp(format, "channels_first") == 0, {1, 2, 0}};
    return DCNN_OK;
}

static dcnn_status build_flatten(dcnn_node *node, const dcnn_shape *inputs) {
    const size_t count = dcnn_shape_count(inputs[0]);
    if (count > 1u << 30) return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': too many features", node->name);
    node->shape = (dcnn_shape){.rank = 1, .h = 1, .w = 1, .c = (int)count};
    return DCNN_OK;
}

static void describe_flatten(const dcnn_node *node, json_t *config) {
    json_object_set_new(config, "data_format", json_string(is_view(node) ? "channels_last" : "channels_first"));
}

/* The output's values in their order, each from, or back to, its place in the input. */
static void permute(const dcnn_pass *pass, const float *from, float *to, bool back) {
    const reshape *r = pass->op->node->config;
    const dcnn_shape in = pass->op->in;
    const size_t sizes[3] = {(size_t)in.h, (size_t)in.w, (size_t)in.c};
    const size_t strides[3] = {(size_t)in.w * (size_t)in.c, (size_t)in.c, 1}, count = dcnn_shape_count(in);
    const int *o = r->order;
    for (int n = 0; n < pass->n; n++) {
        size_t at = (size_t)n * count;
        for (size_t i = 0; i < sizes[o[0]]; i++)
            for (size_t j = 0; j < sizes[o[1]]; j++)
                for (size_t k = 0; k < sizes[o[2]]; k++, at++) {
                    const size_t source = (size_t)n * count + i * strides[o[0]] + j * strides[o[1]] + k * strides[o[2]];
                    to[back ? source : at] = from[back ? at : source];
                }
    }
}

static void forward(const dcnn_pass *pass) {
    permute(pass, pass->x[0], pass->y, false);
}

static void backward(const dcnn_pass *pass) {
    if (pass->dx[0]) permute(pass, pass->dy, pass->dx[0], true);
}

static const dcnn_op_kind permute_op = {.name = "permute", .forward = forward, .backward = backward};

const dcnn_layer dcnn_layer_flatten = {
    .class_name = "Flatten",
    .config_bytes = sizeof(reshape),
    .parse = parse_flatten,
    .build = build_flatten,
    .describe = describe_flatten,
    .op = &permute_op,
    .is_view = is_view,
};
