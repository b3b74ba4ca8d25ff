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
    &dcnn_layer_add,
    &dcnn_layer_subtract,
    &dcnn_layer_multiply,
    &dcnn_layer_average,
    &dcnn_layer_maximum,
    &dcnn_layer_minimum,
    &dcnn_layer_concatenate,
    &dcnn_layer_rescaling,
    &dcnn_layer_normalization,
    &dcnn_layer_zero_padding2d,
    &dcnn_layer_cropping2d,
    &dcnn_layer_upsampling2d,
    &dcnn_layer_leaky_relu,
    &dcnn_layer_elu,
    &dcnn_layer_prelu,
    &dcnn_layer_layer_normalization,
    &dcnn_layer_group_normalization,
    &dcnn_layer_depthwise_conv2d,
    &dcnn_layer_separable_conv2d,
    &dcnn_layer_conv2d_transpose,
    &dcnn_layer_spatial_dropout2d,
    &dcnn_layer_gaussian_noise,
    &dcnn_layer_gaussian_dropout,
    &dcnn_layer_global_max_pooling2d,
    &dcnn_layer_reshape,
    &dcnn_layer_permute,
    &dcnn_layer_resizing,
    &dcnn_layer_random_flip,
    &dcnn_layer_random_rotation,
    &dcnn_layer_random_zoom,
    &dcnn_layer_random_translation,
    &dcnn_layer_random_contrast,
    &dcnn_layer_random_brightness,
    &dcnn_layer_stochastic_depth,
    &dcnn_layer_layer_scale,
    &dcnn_layer_custom_scale,
    &dcnn_layer_identity,
};
const int dcnn_layer_table_count = (int)(sizeof dcnn_layer_table / sizeof dcnn_layer_table[0]);

const dcnn_layer *dcnn_layer_find(const char *class_name) {
    for (int i = 0; i < dcnn_layer_table_count; i++)
        if (strcmp(dcnn_layer_table[i]->class_name, class_name) == 0) return dcnn_layer_table[i];
    for (int i = 0; i < dcnn_layer_other_count; i++)
        if (strcmp(dcnn_layer_others[i].class_name, class_name) == 0) return &dcnn_layer_others[i];
    return NULL;
}

dcnn_param *dcnn_node_add_param(dcnn_node *node, const char *name, bool statistic, int rank, const int *dims,
                                dcnn_initializer initializer) {
    dcnn_param *param = &node->params[node->param_count++];
    *param = (dcnn_param){.rank = rank,
                          .count = 1,
                          .trainable = !statistic && node->trainable,
                          .statistic = statistic,
                          .initializer = initializer};
    snprintf(param->name, sizeof param->name, "%s", name);
    for (int i = 0; i < rank; i++) {
        param->dims[i] = dims[i];
        param->count *= (size_t)dims[i];
    }
    return param;
}

const float *dcnn_pass_param(const dcnn_pass *pass, const dcnn_node *node, int number) {
    const dcnn_param *param = dcnn_net_param(pass->net, node, number);
    return param ? dcnn_net_values(pass->net, param) : NULL;
}

float *dcnn_pass_dparam(const dcnn_pass *pass, const dcnn_node *node, int number) {
    const dcnn_param *param = dcnn_net_param(pass->net, node, number);
    return param && param->trainable ? pass->dparams + param->offset : NULL;
}
