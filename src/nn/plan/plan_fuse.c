/* SPDX-License-Identifier: BSD-3-Clause */
/* plan_fuse.c — which neighbours run as one operation.
 *
 * Behind a convolution a MaxPooling may stand before or after a monotone activation: their order changes nothing, for
 * the largest value stays the largest. So the activation sees the pooled values alone, and a window has one gradient.
 * One with a valley (GELU, SiLU, Mish) before the pooling sees the largest and the smallest.
 */
#include "nn/plan/plan_private.h"

static int consumers_of(const dcnn_net *net, int node) {
    int count = 0;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].input_count; j++) count += net->nodes[i].inputs[j] == node;
    return count;
}

/* The only node that reads node i, if that reads nothing else; or -1. */
static int only_reader(const dcnn_plan *plan, int i) {
    const dcnn_net *net = plan->net;
    int next = i + 1;
    if (i < 0 || consumers_of(net, i) != 1) return -1;
    while (next < net->node_count && (net->nodes[next].input_count != 1 || net->nodes[next].inputs[0] != i)) next++;
    return next < net->node_count ? next : -1;
}

/* The only reader of node i if it is an activation, which the loss does not take over; or -1. */
static int activation_behind(const dcnn_plan *plan, int i) {
    const int next = only_reader(plan, i);
    return next >= 0 && next != dcnn_net_end(plan->net) && plan->net->nodes[next].layer->op == &dcnn_op_activation
               ? next
               : -1;
}

/* The only reader of node i if it is a pooling of that kind; or -1. */
static int pooling_behind(const dcnn_plan *plan, const dcnn_layer *kind, int i) {
    const int next = only_reader(plan, i);
    return next >= 0 && plan->net->nodes[next].layer == kind ? next : -1;
}

static int max_pooling_behind(const dcnn_plan *plan, int i) {
    return pooling_behind(plan, &dcnn_layer_max_pooling2d, i);
}

static dcnn_activation activation_of(const dcnn_plan *plan, int i) {
    const dcnn_node *node = &plan->net->nodes[i];
    return node->layer->activation ? node->layer->activation(node) : dcnn_activation_of(DCNN_LINEAR);
}

static void cover(dcnn_fusion *f, int node) {
    f->covered[f->count++] = node;
}

/* Does another node call the same layer? */
static bool is_shared(const dcnn_net *net, int i) {
    int calls = 0;
    for (int k = 0; k < net->node_count; k++) calls += net->nodes[k].owner == net->nodes[i].owner;
    return calls > 1;
}

/* A convolution of few channels, in front of which nothing learns, a BatchNormalization with statistics of the batch,
 * a ReLU and a pooling. */
static dcnn_fusion fuse_first(const dcnn_plan *plan, int i) {
    const dcnn_net *net = plan->net;
    const dcnn_node *conv = &net->nodes[i], *before = &net->nodes[conv->inputs[0]];
    const dcnn_fusion none = {0};
    const int norm = plan->options.training && !before->learns ? only_reader(plan, i) : -1;
    if (norm < 0 || !net->nodes[norm].synchronised || !net->nodes[norm].learns) return none;
    if (conv->cut || i == plan->frozen_end || is_shared(net, i) || is_shared(net, norm)) return none;
    const int activation = activation_behind(plan, norm);
    if (activation < 0 || !dcnn_norm_relu_matches(&net->nodes[norm], &net->nodes[activation])) return none;
    const int pool = max_pooling_behind(plan, activation);
    if (pool < 0 || activation_of(plan, i).kind != DCNN_LINEAR ||
        !dcnn_conv_norm_pool_matches(dcnn_plan_kernels_for(plan, conv), conv, before->shape, &net->nodes[pool]))
        return none;
    return (dcnn_fusion){.kind = &dcnn_op_conv_norm_pool,
                         .node = &net->nodes[pool],
                         .norm = &net->nodes[norm],
                         .covered = {norm, activation, pool},
                         .count = 3};
}

/* The BatchNormalization behind a convolution that goes into its weights; or -1. Not where frozen layers begin: there
 * training has none in them. */
static int folded_behind(const dcnn_plan *plan, int i) {
    const dcnn_net *net = plan->net;
    const bool may = !plan->options.training && i > plan->frozen_end && activation_of(plan, i).kind == DCNN_LINEAR;
    const int next = may && i != dcnn_net_end(net) ? only_reader(plan, i) : -1;
    return next >= 0 && dcnn_batch_normalization_is_last(&net->nodes[next]) ? next : -1;
}

/* A convolution with the BatchNormalization in its weights, and with the activation behind it if that needs no input.
 */
static dcnn_fusion fuse_folded(const dcnn_plan *plan, int i, int norm) {
    const int activation = norm < 0 ? -1 : activation_behind(plan, norm);
    dcnn_fusion f = {0};
    if (norm < 0) return f;
    f.kind = plan->net->nodes[i].layer->op;
    f.node = &plan->net->nodes[i];
    f.folded = &plan->net->nodes[norm];
    cover(&f, norm);
    if (activation < 0 || dcnn_activation_reads_x(activation_of(plan, activation).kind)) return f;
    f.activation = activation_of(plan, activation);
    cover(&f, activation);
    return f;
}

/* At inference, the BatchNormalization and the pooling behind `last`, which is convolution i or the monotone activation
 * behind it that `f` has. */
static dcnn_fusion fuse_late_norm(const dcnn_plan *plan, dcnn_fusion f, int i, int last) {
    const dcnn_net *net = plan->net;
    const dcnn_node *conv = &net->nodes[i];
    const dcnn_fusion none = {0};
    const int norm = plan->options.training || i <= plan->frozen_end ? -1 : only_reader(plan, last);
    if (norm < 0 || !dcnn_batch_normalization_is_last(&net->nodes[norm])) return none;
    const int pool = max_pooling_behind(plan, norm);
    if (pool < 0 || !dcnn_conv_max_matches(dcnn_plan_kernels_for(plan, conv), conv, net->nodes[conv->inputs[0]].shape,
                                           &net->nodes[pool]))
        return none;
    f.kind = &dcnn_op_conv_max_norm;
    f.node = &net->nodes[pool];
    f.folded = &net->nodes[norm];
    cover(&f, norm);
    cover(&f, pool);
    return f;
}

/* A convolution, an activation, and a pooling before or behind that; or an AveragePooling without one. */
dcnn_fusion dcnn_plan_fuse_convolution(const dcnn_plan *plan, int i) {
    const dcnn_net *net = plan->net;
    const dcnn_node *conv = &net->nodes[i];
    const dcnn_kernels *kernels = dcnn_plan_kernels_for(plan, conv);
    dcnn_fusion f = {0};
    if (!plan->options.fuse || conv->layer != &dcnn_layer_conv2d) return f;
    const dcnn_fusion first = fuse_first(plan, i);
    if (first.kind) return first;
    const int norm = folded_behind(plan, i);
    const dcnn_fusion otherwise = fuse_folded(plan, i, norm);
    const dcnn_shape in = net->nodes[conv->inputs[0]].shape;
    f.activation = activation_of(plan, i);
    int last = norm < 0 ? i : norm;
    f.folded = otherwise.folded;
    if (norm >= 0) cover(&f, norm);
    if (f.activation.kind == DCNN_LINEAR && activation_behind(plan, last) >= 0) {
        last = activation_behind(plan, last);
        f.activation = activation_of(plan, last);
        cover(&f, last);
    }
    const int average = last == i && f.activation.kind == DCNN_LINEAR && i != plan->frozen_end
                            ? pooling_behind(plan, &dcnn_layer_average_pooling2d, i)
                            : -1;
    if (average >= 0 && dcnn_conv_average_matches(conv, in, &net->nodes[average])) {
        f.kind = &dcnn_op_conv_average;
        f.node = &net->nodes[average];
        cover(&f, average);
        return f;
    }
    /* What a frozen convolution gives back is dx alone, which only the general one can do. */
    const bool frozen = plan->options.training && conv->learns && !conv->trainable;
    const int mean =
        f.activation.kind == DCNN_RELU && !frozen ? pooling_behind(plan, &dcnn_layer_average_pooling2d, last) : -1;
    if (mean >= 0 && dcnn_conv_pool_matches(kernels, conv, norm >= 0, in, &net->nodes[mean])) {
        f.kind = &dcnn_op_conv_pool;
        f.node = &net->nodes[mean];
        cover(&f, mean);
        return f;
    }
    const bool valley = dcnn_activation_has_valley(&f.activation);
    if (norm < 0 && !valley && dcnn_activation_is_monotone(&f.activation)) {
        const dcnn_fusion late = fuse_late_norm(plan, f, i, last);
        if (late.kind) return late;
    }
    last = max_pooling_behind(plan, last);
    if (last < 0 || !(valley || dcnn_activation_is_monotone(&f.activation))) return otherwise;
    f.node = &net->nodes[last];
    cover(&f, last);
    const int behind = f.activation.kind == DCNN_LINEAR ? activation_behind(plan, last) : -1;
    const bool relu_behind = behind >= 0 && activation_of(plan, behind).kind == DCNN_RELU;
    if ((f.activation.kind == DCNN_RELU || relu_behind) && !frozen &&
        dcnn_conv_pool_matches(kernels, conv, norm >= 0, in, f.node)) {
        f.kind = &dcnn_op_conv_pool;
        if (relu_behind) cover(&f, behind);
    } else if (dcnn_conv_max_matches(kernels, conv, in, f.node)) {
        f.kind = valley ? &dcnn_op_conv_valley : &dcnn_op_conv_max;
    } else if (valley) {
        return otherwise;
    } else if (f.activation.kind != DCNN_LINEAR) {
        f.pool = f.node; /* operations of their own, but the pooling first */
        f.kind = conv->layer->op;
        f.node = conv;
    } else {
        return otherwise;
    }
    return f;
}

/* A BatchNormalization with the ReLU behind it, and the pooling behind that; or with a pooling before which stands
 * another monotone activation or none. */
dcnn_fusion dcnn_plan_fuse_normalization(const dcnn_plan *plan, int i) {
    const dcnn_net *net = plan->net;
    dcnn_fusion f = {.kind = &dcnn_op_norm_relu};
    const dcnn_fusion none = {0};
    if (!plan->options.fuse || !dcnn_batch_normalization_is_last(&net->nodes[i])) return none;
    const int activation = activation_behind(plan, i);
    if (activation >= 0) {
        f.node = &net->nodes[activation];
        f.activation = activation_of(plan, activation);
        cover(&f, activation);
    }
    const bool relu = f.activation.kind == DCNN_RELU;
    const int pool = max_pooling_behind(plan, activation >= 0 ? activation : i);
    if (pool < 0 || !dcnn_pooling_is_2x2(&net->nodes[pool])) return relu ? f : none;
    if (!dcnn_activation_is_monotone(&f.activation)) return none;
    f.node = &net->nodes[pool];
    cover(&f, pool);
    return f;
}
