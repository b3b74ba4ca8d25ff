/* SPDX-License-Identifier: BSD-3-Clause */
/* layer.c — the table of layers, and what their files share. */
#include "nn/layer.h"

#include <stdio.h>
#include <string.h>

#define ROW(name) &dcnn_layer_##name,
const dcnn_layer *const dcnn_layer_table[] = {DCNN_LAYERS(ROW)};
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
        if (__builtin_mul_overflow(param->count, (size_t)dims[i], &param->count)) param->count = SIZE_MAX;
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
