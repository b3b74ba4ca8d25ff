/* SPDX-License-Identifier: BSD-3-Clause */
/* dense.c — Dense: y = f(x W + b). */
#include "nn/config.h"

typedef struct dense {
    int units;
    bool use_bias;
    dcnn_activation activation;
    dcnn_initializer kernel_initializer, bias_initializer;
} dense;

enum { KERNEL, BIAS };

static dcnn_status parse(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"lora_rank", NULL}};
    dense *d = node->config;
    DCNN_TRY(dcnn_config_int(node, config, "units", 0, &d->units));
    DCNN_TRY(dcnn_config_bool(node, config, "use_bias", true, &d->use_bias));
    DCNN_TRY(dcnn_config_activation(node, config, &d->activation));
    DCNN_TRY(
        dcnn_config_initializer(node, config, "kernel_initializer", DCNN_INIT_GLOROT_UNIFORM, &d->kernel_initializer));
    DCNN_TRY(dcnn_config_initializer(node, config, "bias_initializer", DCNN_INIT_ZEROS, &d->bias_initializer));
    dcnn_config_keep(node, config, dcnn_kernel_training_keys, DCNN_KERNEL_TRAINING_KEYS);
    return dcnn_config_refuse(node, config, only, sizeof only / sizeof only[0]);
}

static dcnn_status build(dcnn_node *node, const dcnn_shape *inputs) {
    const dense *d = node->config;
    node->shape = inputs[0]; /* on a map it is applied to each position */
    node->shape.c = d->units;
    dcnn_node_add_param(node, "kernel", false, 2, (int[]){inputs[0].c, d->units}, d->kernel_initializer);
    if (d->use_bias) dcnn_node_add_param(node, "bias", false, 1, &d->units, d->bias_initializer);
    return DCNN_OK;
}

static void describe(const dcnn_node *node, json_t *config) {
    const dense *d = node->config;
    json_t *mine = json_pack("{s:i, s:o, s:b, s:o, s:o}", "units", d->units, "activation",
                             dcnn_config_describe_activation(&d->activation), "use_bias", d->use_bias,
                             "kernel_initializer", dcnn_initializer_describe(&d->kernel_initializer),
                             "bias_initializer", dcnn_initializer_describe(&d->bias_initializer));
    json_object_update(config, mine);
    json_decref(mine);
}

static dcnn_activation activation(const dcnn_node *node) {
    return ((const dense *)node->config)->activation;
}

static size_t gradient_floats(const dcnn_op *op, int rows) {
    const size_t floats = (size_t)rows * (size_t)op->node->shape.c;
    return op->training && op->activation.kind != DCNN_LINEAR ? (floats + 15) / 16 * 16 : 0;
}

static int rows_of(const dcnn_op *op, int n) {
    return n * op->in.h * op->in.w;
}

static void measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    const int in = op->in.c, units = op->node->shape.c, rows = rows_of(op, grain);
    op->scratch_floats = gradient_floats(op, rows) + kernels->dense_scratch(rows, in, units);
    op->packed_floats = kernels->dense_packed(in, units);
}

static void prepare(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part, int parts) {
    kernels->dense_pack(op->in.c, op->node->shape.c, dcnn_net_values(net, dcnn_net_param(net, op->node, KERNEL)),
                        op->packed, part, parts);
}

static void forward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const int units = op->node->shape.c, rows = rows_of(op, pass->n);
    pass->kernels->dense_forward(rows, op->in.c, units, pass->x[0], dcnn_pass_param(pass, op->node, KERNEL), op->packed,
                                 dcnn_pass_param(pass, op->node, BIAS),
                                 op->activation.kind == DCNN_RELU ? DCNN_FUSED_RELU : DCNN_FUSED_NONE, pass->y,
                                 pass->scratch);
    if (op->activation.kind != DCNN_RELU)
        dcnn_activation_forward(pass->kernels, &op->activation, (size_t)rows, units, pass->y, pass->y);
}

static void backward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const int units = op->node->shape.c, rows = rows_of(op, pass->n);
    const float *dy = pass->dy;
    if (op->activation.kind != DCNN_LINEAR) {
        dcnn_activation_backward(pass->kernels, &op->activation, (size_t)rows, units, NULL, pass->y, dy, pass->scratch);
        dy = pass->scratch;
    }
    pass->kernels->dense_backward(rows, op->in.c, units, pass->x[0], dcnn_pass_param(pass, op->node, KERNEL),
                                  op->packed, dy, pass->dx[0], dcnn_pass_dparam(pass, op->node, KERNEL),
                                  dcnn_pass_dparam(pass, op->node, BIAS), pass->scratch + gradient_floats(op, rows));
}

static const dcnn_op_kind op = {
    .name = "dense",
    .backward_reads_x = true,
    .backward_reads_y = true,
    .measure = measure,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};

const dcnn_layer dcnn_layer_dense = {
    .class_name = "Dense",
    .config_bytes = sizeof(dense),
    .parse = parse,
    .build = build,
    .describe = describe,
    .op = &op,
    .activation = activation,
};
