/* SPDX-License-Identifier: BSD-3-Clause */
/* receptive.c — see receptive.h. A layer's windows are what its Keras description says. */
#include "nn/nets/receptive.h"

#include <stdlib.h>
#include <string.h>

#include "nn/config.h"
#include "nn/layer.h"

const double dcnn_receptive_little = 0.8;

/* Along one axis output i reads inputs i * stride - before + k * dilation, k from 0 to size - 1. */
typedef struct window {
    int size, stride, dilation, before;
} window;

/* A number of a pair, or the one number that stands for both. */
static int number_at(const json_t *value, size_t axis, int fallback) {
    const json_t *one = json_is_array(value) ? json_array_get(value, axis) : value;
    return json_is_integer(one) ? (int)json_integer_value(one) : fallback;
}

static bool mixes_places(const dcnn_node *node) {
    return node->layer == &dcnn_layer_permute || node->layer == &dcnn_layer_reshape ||
           node->layer == &dcnn_layer_conv2d_transpose || node->layer == &dcnn_layer_softmax_axes;
}

static void windows_of_filter(const json_t *config, const json_t *size, const dcnn_shape *in, window windows[2]) {
    const json_t *strides = json_object_get(config, "strides");
    const char *padding = json_string_value(json_object_get(config, "padding"));
    for (size_t axis = 0; axis < 2; axis++) {
        window *w = &windows[axis];
        int out;
        w->size = number_at(size, axis, 1);
        w->stride = number_at(strides, axis, 1);
        w->dilation = number_at(json_object_get(config, "dilation_rate"), axis, 1);
        dcnn_window(axis == 0 ? in->h : in->w, (w->size - 1) * w->dilation + 1, w->stride,
                    padding && strcmp(padding, "same") == 0, &out, &w->before);
    }
}

/* @return false: it reads everything of its inputs */
static bool find_windows(const dcnn_net *net, const dcnn_node *node, window windows[2]) {
    const dcnn_shape in = net->nodes[node->inputs[0]].shape;
    windows[0] = windows[1] = (window){1, 1, 1, 0};
    if (in.rank != 3 || node->shape.rank != 3 || mixes_places(node)) return false;
    json_t *config = json_object();
    node->layer->describe(node, config);
    const json_t *size = json_object_get(config, "kernel_size"), *padding = json_object_get(config, "padding");
    const json_t *cropping = json_object_get(config, "cropping");
    bool found = true;
    if (size == NULL) size = json_object_get(config, "pool_size");
    if (size)
        windows_of_filter(config, size, &in, windows);
    else if (json_is_array(padding) || json_is_array(cropping))
        for (size_t axis = 0; axis < 2; axis++)
            windows[axis].before = cropping ? -number_at(json_array_get(cropping, axis), 0, 0)
                                            : number_at(json_array_get(padding, axis), 0, 0);
    else
        found = in.h == node->shape.h && in.w == node->shape.w;
    json_decref(config);
    return found;
}

static size_t positions(dcnn_shape shape) {
    return shape.rank == 3 ? (size_t)shape.h * (size_t)shape.w : 1;
}

/* Marks in an input what one position of a node reads. */
static void mark(const window windows[2], dcnn_shape in, int row, int column, uint8_t *wanted) {
    for (int r = 0; r < windows[0].size; r++) {
        const int i = row * windows[0].stride - windows[0].before + r * windows[0].dilation;
        for (int s = 0; s < windows[1].size && i >= 0 && i < in.h; s++) {
            const int j = column * windows[1].stride - windows[1].before + s * windows[1].dilation;
            if (j >= 0 && j < in.w) wanted[i * in.w + j] = 1;
        }
    }
}

static void follow(const dcnn_net *net, const dcnn_node *node, const uint8_t *own, uint8_t **wanted) {
    window windows[2];
    const bool found = find_windows(net, node, windows);
    for (int k = 0; k < node->input_count; k++) {
        const dcnn_shape in = net->nodes[node->inputs[k]].shape;
        uint8_t *theirs = wanted[node->inputs[k]];
        if (!found) memset(theirs, 1, positions(in));
        for (int i = 0; found && i < node->shape.h; i++)
            for (int j = 0; j < node->shape.w; j++)
                if (own[i * node->shape.w + j]) mark(windows, in, i, j, theirs);
    }
}

static void sum_up(const uint8_t *wanted, dcnn_receptive *r) {
    r->top = r->h;
    r->left = r->w;
    for (int i = 0; i < r->h; i++)
        for (int j = 0; j < r->w; j++) {
            if (!wanted[i * r->w + j]) continue;
            r->pixels++;
            if (i < r->top) r->top = i;
            if (i >= r->bottom) r->bottom = i + 1;
            if (j < r->left) r->left = j;
            if (j >= r->right) r->right = j + 1;
        }
}

dcnn_status dcnn_net_receptive(const dcnn_net *net, dcnn_receptive *receptive) {
    const dcnn_shape image = net->nodes[0].shape;
    *receptive = (dcnn_receptive){0};
    if (image.rank != 3) return DCNN_OK;
    uint8_t **wanted = calloc((size_t)net->node_count, sizeof *wanted);
    bool good = wanted != NULL;
    for (int i = 0; good && i < net->node_count; i++)
        good = (wanted[i] = calloc(positions(net->nodes[i].shape), 1)) != NULL;
    if (good) {
        memset(wanted[net->node_count - 1], 1, positions(net->nodes[net->node_count - 1].shape));
        for (int i = net->node_count - 1; i > 0; i--)
            if (memchr(wanted[i], 1, positions(net->nodes[i].shape))) follow(net, &net->nodes[i], wanted[i], wanted);
        receptive->h = image.h;
        receptive->w = image.w;
        sum_up(wanted[0], receptive);
    }
    for (int i = 0; wanted && i < net->node_count; i++) free(wanted[i]);
    free(wanted);
    return good ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: what %d layers read", net->node_count);
}

double dcnn_receptive_part(const dcnn_receptive *r) {
    return r->h > 0 ? (double)r->pixels / ((double)r->h * r->w) : 1.0;
}
