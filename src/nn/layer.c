/* SPDX-License-Identifier: BSD-3-Clause */
/* layer.c — the table of layers, and what their files share. */
#include "nn/layer.h"

#include <stdio.h>
#include <string.h>

const dcnn_layer *const dcnn_layer_table[] = {
    &dcnn_layer_input,
    &dcnn_layer_conv2d,
    &dcnn_layer_max_pooling2d,
    &dcnn_layer_average_pooling2d,
    &dcnn_layer_global_average_pooling2d,
    &dcnn_layer_batch_normalization,
    &dcnn_layer_dense,
    &dcnn_layer_flatten,
    &dcnn_layer_dropout,
    &dcnn_layer_activation,
    &dcnn_layer_relu,
    &dcnn_layer_softmax,
};
const int dcnn_layer_table_count = (int)(sizeof dcnn_layer_table / sizeof dcnn_layer_table[0]);

const dcnn_layer *dcnn_layer_find(const char *class_name) {
    for (int i = 0; i < dcnn_layer_table_count; i++)
        if (strcmp(dcnn_layer_table[i]->class_name, class_name) == 0) return dcnn_layer_table[i];
    return NULL;
}

dcnn_param *dcnn_node_add_param(dcnn_node *node, const char *name, bool trainable, int rank, const int *dims,
                                dcnn_initializer initializer, int fan_in, int fan_out) {
    dcnn_param *param = &node->params[node->param_count++];
    *param = (dcnn_param){.rank = rank,
                          .count = 1,
                          .trainable = trainable,
                          .initializer = initializer,
                          .fan_in = fan_in,
                          .fan_out = fan_out};
    snprintf(param->name, sizeof param->name, "%s", name);
    for (int i = 0; i < rank; i++) {
        param->dims[i] = dims[i];
        param->count *= (size_t)dims[i];
    }
    return param;
}

const float *dcnn_pass_param(const dcnn_pass *pass, const dcnn_node *node, int param) {
    return param < node->param_count ? dcnn_net_values(pass->net, &node->params[param]) : NULL;
}

float *dcnn_pass_dparam(const dcnn_pass *pass, const dcnn_node *node, int param) {
    return param < node->param_count ? pass->dparams + node->params[param].offset : NULL;
}

void dcnn_activation_forward(const dcnn_kernels *kernels, dcnn_activation activation, size_t rows, int columns,
                             float *y) {
    const size_t count = rows * (size_t)columns;
    switch (activation) {
    case DCNN_RELU:
        kernels->relu_forward(count, y, y);
        break;
    case DCNN_SIGMOID:
        kernels->sigmoid_forward(count, y, y);
        break;
    case DCNN_TANH:
        kernels->tanh_forward(count, y, y);
        break;
    case DCNN_SOFTMAX:
        kernels->softmax_forward(rows, columns, y, y);
        break;
    case DCNN_LINEAR:
    case DCNN_ACTIVATION_COUNT:
        break;
    }
}

void dcnn_activation_backward(const dcnn_kernels *kernels, dcnn_activation activation, size_t rows, int columns,
                              const float *y, const float *dy, float *dx) {
    const size_t count = rows * (size_t)columns;
    switch (activation) {
    case DCNN_RELU:
        kernels->relu_backward(count, y, dy, dx);
        break;
    case DCNN_SIGMOID:
        kernels->sigmoid_backward(count, y, dy, dx);
        break;
    case DCNN_TANH:
        kernels->tanh_backward(count, y, dy, dx);
        break;
    case DCNN_SOFTMAX:
        kernels->softmax_backward(rows, columns, y, dy, dx);
        break;
    case DCNN_LINEAR:
    case DCNN_ACTIVATION_COUNT:
        if (dx != dy) memcpy(dx, dy, count * sizeof *dx);
        break;
    }
}
