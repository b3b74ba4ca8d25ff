/* SPDX-License-Identifier: BSD-3-Clause */
/* regularizer.c — see regularizer.h. */
#include "nn/regularizer.h"

#include <math.h>

#include "nn/config.h"

/* Keras' defaults: 0.01 of one, nothing of both. */
bool dcnn_regularizer_read(const json_t *json, dcnn_regularizer *regularizer) {
    const bool both = dcnn_config_is_class(json, " L1L2 l1_l2 l1l2 ");
    const bool l1 = both || dcnn_config_is_class(json, " L1 l1 "), l2 = both || dcnn_config_is_class(json, " L2 l2 ");
    if (l1) regularizer->l1 = dcnn_config_setting(json, "l1", both ? 0.0 : 0.01);
    if (l2) regularizer->l2 = dcnn_config_setting(json, "l2", both ? 0.0 : 0.01);
    return (l1 || l2) && isfinite(regularizer->l1) && isfinite(regularizer->l2);
}

bool dcnn_regularizer_is_active(const dcnn_regularizer *regularizer) {
    return regularizer->l1 != 0.0 || regularizer->l2 != 0.0;
}

double dcnn_regularizer_penalty(const dcnn_regularizer *regularizer, size_t count, const float *w) {
    double magnitudes = 0.0, squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        magnitudes += fabs((double)w[i]);
        squares += (double)w[i] * (double)w[i];
    }
    return regularizer->l1 * magnitudes + regularizer->l2 * squares;
}

void dcnn_regularizer_gradient(const dcnn_regularizer *regularizer, double scale, size_t count, const float *w,
                               float *g) {
    const double l1 = scale * regularizer->l1, l2 = scale * 2.0 * regularizer->l2;
    for (size_t i = 0; i < count; i++) {
        const double sign = w[i] > 0 ? 1.0 : w[i] < 0 ? -1.0 : 0.0;
        g[i] = (float)((double)g[i] + l1 * sign + l2 * (double)w[i]);
    }
}

static int by_place(const dcnn_param *one, const dcnn_param *other) {
    return one->offset < other->offset ? -1 : one->offset > other->offset;
}

/* The trained parameter with a regularizer that lies next behind `last`, or NULL. */
static const dcnn_param *next_regularized(const dcnn_net *net, const dcnn_param *last) {
    const dcnn_param *next = NULL;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            if (!param->trainable || !dcnn_regularizer_is_active(&param->regularizer)) continue;
            if ((last == NULL || by_place(param, last) > 0) && (next == NULL || by_place(param, next) < 0))
                next = param;
        }
    return next;
}

double dcnn_net_penalty(const dcnn_net *net) {
    double penalty = 0.0;
    for (const dcnn_param *p = NULL; (p = next_regularized(net, p));)
        for (size_t at = 0; at < p->count; at += DCNN_CHUNK) {
            const size_t left = p->count - at, count = left < DCNN_CHUNK ? left : DCNN_CHUNK;
            penalty += dcnn_regularizer_penalty(&p->regularizer, count, net->params + p->offset + at);
        }
    return penalty;
}
