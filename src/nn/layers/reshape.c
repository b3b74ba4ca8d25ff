/* SPDX-License-Identifier: BSD-3-Clause */
/* reshape.c — Flatten and Reshape: the values as they lie; Permute, and Flatten of channels_first: their axes in
 * another order. Four axes, as where channels are shuffled, (height, width, groups, channels), are three here: height
 * and width are one. Only these layers take such values. */
#include <string.h>

#include "nn/config.h"
#include "nn/net_private.h"

typedef struct reshape {
    bool permutes;
    int order[3]; /* axis i of the output is axis order[i] of the input */
    int rank;     /* of the target, as the file has it; of a Permute its axes */
    int target[4];
} reshape;

bool dcnn_net_has_four_axes(const dcnn_node *node) {
    const bool shapes = node->layer == &dcnn_layer_reshape || node->layer == &dcnn_layer_permute;
    return shapes && ((const reshape *)node->config)->rank == 4;
}

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
    *r = (reshape){.permutes = format && strcmp(format, "channels_first") == 0, .order = {1, 2, 0}};
    return DCNN_OK;
}

static dcnn_status build_flatten(dcnn_node *node, const dcnn_shape *inputs) {
    node->shape = (dcnn_shape){.rank = 1, .h = 1, .w = 1, .c = (int)dcnn_shape_count(inputs[0])};
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

/* --- Reshape ------------------------------------------------------------------------------------------------------ */

static dcnn_status parse_reshape(dcnn_node *node, const json_t *config) {
    reshape *r = node->config;
    const json_t *target = json_object_get(config, "target_shape");
    r->rank = (int)json_array_size(target);
    bool good = r->rank == 1 || r->rank == 3 || r->rank == 4;
    for (size_t i = 0; good && i < json_array_size(target); i++) {
        const json_int_t value = json_integer_value(json_array_get(target, i));
        good = value == -1 || (value >= 1 && value <= 1 << 24);
        r->target[i] = (int)value;
    }
    if (good) return DCNN_OK;
    return DCNN_FAIL(
        DCNN_BAD_INPUT,
        "layer '%s' (Reshape): \"target_shape\" must be [height, width, channels], [features], or [height, width, "
        "groups, channels] before a Permute or another Reshape, in dcnn",
        node->name);
}

static dcnn_status build_reshape(dcnn_node *node, const dcnn_shape *inputs) {
    const reshape *r = node->config;
    const int64_t count = (int64_t)dcnn_shape_count(inputs[0]);
    int64_t known = 1, sizes[3] = {1, 1, 1};
    const int joined = r->rank == 4; /* the first two axes are one */
    int open = -1, opens = 0;
    char text[48];
    for (int i = 0; i < r->rank - joined; i++) {
        const int64_t first = joined && i == 0 ? r->target[0] : 1, next = r->target[i + joined];
        opens += (first < 0) + (next < 0);
        sizes[i] = first < 0 || next < 0 ? -1 : first * next;
        if (sizes[i] < 0 && open < 0 && !(first < 0 && next < 0))
            open = i;
        else
            known = known > count || sizes[i] > count ? count + 1 : known * sizes[i]; /* 2^24 cubed is beyond 64 bits */
    }
    if (open >= 0 && known > 0) sizes[open] = count / known;
    const int64_t side = joined && open == 0 ? (r->target[0] > 0 ? r->target[0] : r->target[1]) : 1;
    if (sizes[0] % side != 0 || opens > 1) known = 0;
    if (known < 1 || known > count || sizes[0] * sizes[1] * sizes[2] != count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Reshape): its input of shape %s does not fit its target_shape",
                         node->name, dcnn_shape_text(inputs[0], text));
    node->shape = r->rank >= 3 ? (dcnn_shape){3, (int)sizes[0], (int)sizes[1], (int)sizes[2]}
                               : (dcnn_shape){1, 1, 1, (int)sizes[0]};
    return DCNN_OK;
}

static void describe_reshape(const dcnn_node *node, json_t *config) {
    const reshape *r = node->config;
    json_t *target = json_array();
    for (int i = 0; i < r->rank; i++) json_array_append_new(target, json_integer(r->target[i]));
    json_object_set_new(config, "target_shape", target);
}

const dcnn_layer dcnn_layer_reshape = {
    .class_name = "Reshape",
    .config_bytes = sizeof(reshape),
    .parse = parse_reshape,
    .build = build_reshape,
    .describe = describe_reshape,
    .op = &permute_op,
    .is_view = is_view,
};

/* --- Permute ------------------------------------------------------------------------------------------------------ */

static dcnn_status parse_permute(dcnn_node *node, const json_t *config) {
    reshape *r = node->config;
    const json_t *dims = json_object_get(config, "dims");
    const size_t joined = json_array_size(dims) == 4; /* the first two axes, which stay in front */
    bool good = json_array_size(dims) == 3 + joined;
    int seen = 0;
    for (size_t i = 0; i < 3; i++) {
        const json_int_t axis = json_integer_value(json_array_get(dims, i + joined));
        r->order[i] = axis >= 1 && axis <= 4 ? (int)axis - 1 - (int)joined : -1;
        if (r->order[i] >= 0 && r->order[i] < 3) seen |= 1 << r->order[i];
    }
    if (joined) good = json_integer_value(json_array_get(dims, 0)) == 1 && r->order[0] == 0;
    r->permutes = true;
    r->rank = 3 + (int)joined;
    if (good && seen == 7) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Permute): \"dims\" must be 1, 2 and 3 in some order", node->name);
}

static dcnn_status build_permute(dcnn_node *node, const dcnn_shape *inputs) {
    const reshape *r = node->config;
    const int sizes[3] = {inputs[0].h, inputs[0].w, inputs[0].c};
    if (inputs[0].rank != 3)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Permute) needs an input of shape (height, width, channels)",
                         node->name);
    node->shape = (dcnn_shape){3, sizes[r->order[0]], sizes[r->order[1]], sizes[r->order[2]]};
    return DCNN_OK;
}

static void describe_permute(const dcnn_node *node, json_t *config) {
    const reshape *r = node->config;
    const int joined = r->rank == 4;
    json_t *dims = joined ? json_pack("[i]", 1) : json_array();
    for (int i = 0; i < 3; i++) json_array_append_new(dims, json_integer(r->order[i] + 1 + joined));
    json_object_set_new(config, "dims", dims);
}

const dcnn_layer dcnn_layer_permute = {
    .class_name = "Permute",
    .config_bytes = sizeof(reshape),
    .parse = parse_permute,
    .build = build_permute,
    .describe = describe_permute,
    .op = &permute_op,
};
