/* SPDX-License-Identifier: BSD-3-Clause */
/* conv2d.c — Conv2D: any filter and stride, valid or same, with its activation; and fused with the pooling
 * behind. */
#include "nn/config.h"

#include <string.h>

typedef struct conv2d {
    int filters, size[2], stride[2], dilation[2], groups;
    bool same, use_bias;
    dcnn_activation activation;
    dcnn_initializer kernel_initializer, bias_initializer;
} conv2d;

enum { KERNEL, BIAS };

/* Does it need the kernels for dilation and groups? */
static bool is_general(const conv2d *c) {
    return c->groups > 1 || c->dilation[0] > 1 || c->dilation[1] > 1;
}

/* Rows or columns that a filter spans. */
static int span(const conv2d *c, int axis) {
    return dcnn_span(c->size[axis], c->dilation[axis]);
}

static dcnn_status parse(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"data_format", "\"channels_last\""}};
    conv2d *c = node->config;
    DCNN_TRY(dcnn_config_int(node, config, "filters", 0, &c->filters));
    DCNN_TRY(dcnn_config_pair(node, config, "kernel_size", 0, c->size));
    DCNN_TRY(dcnn_config_pair(node, config, "strides", 1, c->stride));
    DCNN_TRY(dcnn_config_pair(node, config, "dilation_rate", 1, c->dilation));
    DCNN_TRY(dcnn_config_check_span(node, c->size, c->dilation));
    DCNN_TRY(dcnn_config_int(node, config, "groups", 1, &c->groups));
    DCNN_TRY(dcnn_config_padding(node, config, &c->same));
    DCNN_TRY(dcnn_config_bool(node, config, "use_bias", true, &c->use_bias));
    DCNN_TRY(dcnn_config_activation(node, config, &c->activation));
    DCNN_TRY(
        dcnn_config_initializer(node, config, "kernel_initializer", DCNN_INIT_GLOROT_UNIFORM, &c->kernel_initializer));
    DCNN_TRY(dcnn_config_initializer(node, config, "bias_initializer", DCNN_INIT_ZEROS, &c->bias_initializer));
    dcnn_config_keep(node, config, dcnn_kernel_training_keys, DCNN_KERNEL_TRAINING_KEYS);
    return dcnn_config_refuse(node, config, only, sizeof only / sizeof only[0]);
}

static dcnn_status build(dcnn_node *node, const dcnn_shape *inputs) {
    const conv2d *c = node->config;
    const dcnn_shape in = inputs[0];
    char text[48];
    if (in.rank != 3)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s' (Conv2D) needs an input of shape (height, width, channels), not %s", node->name,
                         dcnn_shape_text(in, text));
    int pad;
    node->shape = (dcnn_shape){.rank = 3, .c = c->filters};
    if (!dcnn_window(in.h, span(c, 0), c->stride[0], c->same, &node->shape.h, &pad) ||
        !dcnn_window(in.w, span(c, 1), c->stride[1], c->same, &node->shape.w, &pad))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s' (Conv2D): its input of shape %s is smaller than its filter of shape (%d, %d)",
                         node->name, dcnn_shape_text(in, text), c->size[0], c->size[1]);
    if (in.c % c->groups != 0 || c->filters % c->groups != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Conv2D): %d groups do not divide %d channels and %d filters",
                         node->name, c->groups, in.c, c->filters);
    const int kernel[4] = {c->size[0], c->size[1], in.c / c->groups, c->filters};
    dcnn_node_add_param(node, "kernel", false, 4, kernel, c->kernel_initializer);
    if (c->use_bias) dcnn_node_add_param(node, "bias", false, 1, &c->filters, c->bias_initializer);
    return DCNN_OK;
}

static void describe(const dcnn_node *node, json_t *config) {
    const conv2d *c = node->config;
    json_t *mine =
        json_pack("{s:i, s:[ii], s:[ii], s:s, s:s, s:[ii], s:i, s:o, s:b, s:o, s:o}", "filters", c->filters,
                  "kernel_size", c->size[0], c->size[1], "strides", c->stride[0], c->stride[1], "padding",
                  c->same ? "same" : "valid", "data_format", "channels_last", "dilation_rate", c->dilation[0],
                  c->dilation[1], "groups", c->groups, "activation", dcnn_config_describe_activation(&c->activation),
                  "use_bias", c->use_bias, "kernel_initializer", dcnn_initializer_describe(&c->kernel_initializer),
                  "bias_initializer", dcnn_initializer_describe(&c->bias_initializer));
    json_object_update(config, mine);
    json_decref(mine);
}

static dcnn_activation activation(const dcnn_node *node) {
    return ((const conv2d *)node->config)->activation;
}

/* The kernels' view of a node: shape of a grain of n samples. */
static dcnn_conv grain_shape(const dcnn_node *node, dcnn_shape in, int n) {
    const conv2d *c = node->config;
    dcnn_conv shape = {.n = n,
                       .h = in.h,
                       .w = in.w,
                       .c = in.c,
                       .k = c->filters,
                       .r = c->size[0],
                       .s = c->size[1],
                       .stride_h = c->stride[0],
                       .stride_w = c->stride[1],
                       .dilation_h = c->dilation[0],
                       .dilation_w = c->dilation[1],
                       .groups = c->groups};
    dcnn_window(in.h, span(c, 0), c->stride[0], c->same, &shape.oh, &shape.pad_h);
    dcnn_window(in.w, span(c, 1), c->stride[1], c->same, &shape.ow, &shape.pad_w);
    return shape;
}

dcnn_conv dcnn_conv_shape(const dcnn_node *conv, dcnn_shape in, int n) {
    return grain_shape(conv, in, n);
}

/* An operation's shape, with the formats of its numbers. */
static dcnn_conv op_shape(const dcnn_op *op, int n) {
    dcnn_conv shape = grain_shape(op->node, op->in, n);
    shape.inference = op->free_bits;
    shape.x_half = op->x_half;
    shape.y_half = op->y_half;
    return shape;
}

static size_t rounded(size_t floats) {
    return (floats + 15) / 16 * 16; /* keeps what follows on a cache line */
}

/* At inference a BatchNormalization behind a convolution goes into its weights: filters and biases with the scale and
 * shift of the moving values in them come first in op->packed, made by one worker, which then packs alone. */

static size_t kernel_floats(const dcnn_op *o) {
    const conv2d *c = o->head->config;
    return (size_t)(c->size[0] * c->size[1] * (o->in.c / c->groups)) * (size_t)c->filters;
}

/* A BatchNormalization between the convolution's activation and a pooling is applied to what is pooled. Of channels
 * that it multiplies by less than 0 the smallest cell is wanted, which is the largest of a convolution with the filters
 * and the bias negated: signs take the scale's place in the weights. They, scale and shift lie behind the biases. */
enum { SIGN, SCALE, SHIFT, NORM_VECTORS };

static bool norm_is_late(const dcnn_op *o) {
    return o->kind == &dcnn_op_conv_max_norm;
}

static size_t filters_of(const dcnn_op *o) {
    return (size_t)((const conv2d *)o->head->config)->filters;
}

static size_t folded_floats(const dcnn_op *o) {
    if (o->norm == NULL) return 0;
    const size_t vectors = norm_is_late(o) ? 1 + NORM_VECTORS : 1;
    return rounded(kernel_floats(o)) + vectors * rounded(filters_of(o));
}

static float *norm_vector(const dcnn_op *o, int which) {
    return o->packed + rounded(kernel_floats(o)) + (1 + (size_t)which) * rounded(filters_of(o));
}

static float *packed_of(const dcnn_op *o) {
    return o->packed + folded_floats(o);
}

static const float *param_of(const dcnn_net *net, const dcnn_node *node, int number) {
    const dcnn_param *param = dcnn_net_param(net, node, number);
    return param ? dcnn_net_values(net, param) : NULL;
}

/* The filters that a worker packs its part of; NULL: it packs nothing. */
static const float *kernel_to_pack(const dcnn_op *o, const dcnn_net *net, int part, int *parts) {
    const float *kernel = param_of(net, o->head, KERNEL), *bias = param_of(net, o->head, BIAS);
    if (o->norm == NULL) return kernel;
    if (part != 0) return NULL;
    *parts = 1;
    const size_t count = kernel_floats(o), filters = filters_of(o);
    float *folded = o->packed, *biases = folded + rounded(count);
    for (size_t k = 0; k < filters; k++) {
        double scale, shift;
        dcnn_batch_normalization_moving(net, o->norm, (int)k, &scale, &shift);
        if (norm_is_late(o)) {
            norm_vector(o, SCALE)[k] = (float)scale;
            norm_vector(o, SHIFT)[k] = (float)shift;
            scale = scale < 0.0 ? -1.0 : 1.0;
            norm_vector(o, SIGN)[k] = (float)scale;
            shift = 0.0;
        }
        for (size_t i = k; i < count; i += filters) folded[i] = (float)((double)kernel[i] * scale);
        biases[k] = (float)((bias ? (double)bias[k] * scale : 0.0) + shift);
    }
    return folded;
}

static const float *kernel_of(const dcnn_pass *pass) {
    return pass->op->norm ? pass->op->packed : dcnn_pass_param(pass, pass->op->head, KERNEL);
}

static const float *bias_of(const dcnn_pass *pass) {
    return pass->op->norm ? pass->op->packed + rounded(kernel_floats(pass->op))
                          : dcnn_pass_param(pass, pass->op->head, BIAS);
}

/* Do the kernels apply the activation's gradient themselves? */
static bool fuses_gradient(const dcnn_op *op, const dcnn_conv *shape) {
    return op->activation.kind == DCNN_RELU && !is_general(op->node->config) && op->kernels->conv_halves(shape);
}

static bool may_be_half(const dcnn_op *op) {
    const dcnn_conv shape = grain_shape(op->node, op->in, 1);
    return (op->activation.kind == DCNN_RELU || op->activation.kind == DCNN_LINEAR) && !is_general(op->node->config) &&
           op->kernels->conv_halves(&shape);
}

static void measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    dcnn_conv shape = op_shape(op, grain);
    size_t gradient = op->training && op->activation.kind != DCNN_LINEAR && !fuses_gradient(op, &shape)
                          ? rounded((size_t)grain * dcnn_shape_count(op->node->shape))
                          : 0;
    const bool general = is_general(op->node->config);
    op->scratch_floats = gradient + (general ? 0 : kernels->conv_scratch(&shape));
    op->packed_floats = folded_floats(op) + (general ? 0 : kernels->conv_packed(&shape));
}

static void prepare(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part, int parts) {
    dcnn_conv shape = grain_shape(op->node, op->in, 1);
    shape.inference = op->free_bits;
    const float *kernel = kernel_to_pack(op, net, part, &parts);
    if (kernel == NULL || is_general(op->node->config)) return;
    kernels->conv_pack(&shape, kernel, packed_of(op), part, parts);
}

static void forward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    dcnn_conv shape = op_shape(op, pass->n);
    const bool general = is_general(op->node->config);
    dcnn_fused fused = op->activation.kind == DCNN_RELU && !general ? DCNN_FUSED_RELU : DCNN_FUSED_NONE;
    if (general)
        pass->kernels->general_forward(&shape, pass->x[0], kernel_of(pass), bias_of(pass), pass->y);
    else
        pass->kernels->conv_forward(&shape, pass->x[0], packed_of(op), bias_of(pass), fused, pass->y, pass->scratch);
    if (fused == DCNN_FUSED_NONE)
        dcnn_activation_forward(pass->kernels, &op->activation, (size_t)(shape.n * shape.oh * shape.ow), shape.k,
                                pass->y, pass->y);
}

static void backward_general(const dcnn_pass *pass, const dcnn_conv *shape, const float *dy) {
    const dcnn_node *node = pass->op->node;
    float *dkernel = dcnn_pass_dparam(pass, node, KERNEL), *dbias = dcnn_pass_dparam(pass, node, BIAS);
    const size_t rows = (size_t)shape->n * (size_t)shape->oh * (size_t)shape->ow;
    if (dkernel) pass->kernels->general_backward_filter(shape, pass->x[0], dy, dkernel);
    if (dbias) pass->kernels->column_sums(rows, shape->k, dy, dbias);
    if (pass->dx[0]) pass->kernels->general_backward_input(shape, dy, dcnn_pass_param(pass, node, KERNEL), pass->dx[0]);
}

static void backward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    dcnn_conv shape = op_shape(op, pass->n);
    const float *dy = pass->dy;
    float *scratch = pass->scratch;
    if (fuses_gradient(op, &shape)) {
        pass->kernels->conv_relu_backward(&shape, pass->x[0], op->packed, pass->y, pass->dy, pass->dx[0],
                                          dcnn_pass_dparam(pass, op->node, KERNEL),
                                          dcnn_pass_dparam(pass, op->node, BIAS), scratch);
        return;
    }
    if (op->activation.kind != DCNN_LINEAR) {
        const size_t rows = (size_t)shape.n * (size_t)shape.oh * (size_t)shape.ow;
        dcnn_activation_backward(pass->kernels, &op->activation, rows, shape.k, NULL, pass->y, pass->dy, scratch);
        dy = scratch;
        scratch += rounded(rows * (size_t)shape.k);
    }
    if (is_general(op->node->config)) {
        backward_general(pass, &shape, dy);
        return;
    }
    pass->kernels->conv_backward(&shape, pass->x[0], op->packed, dy, pass->dx[0],
                                 dcnn_pass_dparam(pass, op->node, KERNEL), dcnn_pass_dparam(pass, op->node, BIAS),
                                 scratch);
}

static const dcnn_op_kind op = {
    .name = "conv",
    .backward_reads_x = true,
    .backward_reads_y = true,
    .may_be_half = may_be_half,
    .measure = measure,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};

const dcnn_layer dcnn_layer_conv2d = {
    .class_name = "Conv2D",
    .config_bytes = sizeof(conv2d),
    .parse = parse,
    .build = build,
    .describe = describe,
    .op = &op,
    .activation = activation,
};

/* --- Conv2D + ReLU + MaxPooling2D or AveragePooling2D 2x2 as one operation ---------------------------------------- */

/* op->head is the convolution, op->node the pooling, wherever the ReLU is; of a mean it is before it. */

static dcnn_conv pooled_grain(const dcnn_node *conv, dcnn_shape in, const dcnn_node *pool, int n) {
    dcnn_conv shape = grain_shape(conv, in, n);
    shape.mean = pool->layer == &dcnn_layer_average_pooling2d;
    return shape;
}

static bool fits_pool(const dcnn_kernels *kernels, const dcnn_node *conv, dcnn_shape in, const dcnn_node *pool) {
    const bool pools = pool->layer == &dcnn_layer_max_pooling2d || pool->layer == &dcnn_layer_average_pooling2d;
    if (conv->layer != &dcnn_layer_conv2d || !pools) return false;
    dcnn_conv shape = pooled_grain(conv, in, pool, 1);
    return dcnn_pooling_is_2x2(pool) && !is_general(conv->config) && kernels->conv_pool_fits(&shape);
}

bool dcnn_conv_pool_matches(const dcnn_kernels *kernels, const dcnn_node *conv, bool folded, dcnn_shape in,
                            const dcnn_node *pool) {
    return fits_pool(kernels, conv, in, pool) && (folded || ((const conv2d *)conv->config)->use_bias);
}

bool dcnn_conv_norm_pool_matches(const dcnn_kernels *kernels, const dcnn_node *conv, dcnn_shape in,
                                 const dcnn_node *pool) {
    const conv2d *c = conv->config;
    return fits_pool(kernels, conv, in, pool) && in.c <= DCNN_PATCH_CHANNELS && c->size[0] == 3 && c->size[1] == 3;
}

static size_t cells(const dcnn_op *o, int n) {
    return (size_t)n * dcnn_shape_count(o->node->shape);
}

/* At inference. */
static bool conv_pool_may_be_half(const dcnn_op *o) {
    const dcnn_conv shape = grain_shape(o->head, o->in, 1);
    return !o->training && o->kernels->conv_halves(&shape);
}

/* The fused shape. */
static dcnn_conv pooled_alone(const dcnn_op *o, int n) {
    dcnn_conv shape = pooled_grain(o->head, o->in, o->node, n);
    shape.inference = o->free_bits;
    return shape;
}

/* The fused shape, with the formats of its numbers. */
static dcnn_conv pooled_shape(const dcnn_op *o, int n) {
    dcnn_conv shape = pooled_alone(o, n);
    shape.x_half = o->x_half;
    shape.y_half = o->y_half;
    return shape;
}

static void conv_pool_measure(dcnn_op *o, const dcnn_kernels *kernels, int grain) {
    dcnn_conv shape = pooled_alone(o, grain);
    o->saved_bytes = o->training ? cells(o, grain) : 0;
    o->scratch_floats = kernels->conv_pool_scratch(&shape);
    o->packed_floats = folded_floats(o) + kernels->conv_pool_packed(&shape);
}

static void conv_pool_prepare(const dcnn_op *o, const dcnn_kernels *kernels, const dcnn_net *net, int part, int parts) {
    dcnn_conv shape = pooled_alone(o, 1);
    const float *kernel = kernel_to_pack(o, net, part, &parts);
    if (kernel) kernels->conv_pool_pack(&shape, kernel, packed_of(o), part, parts);
}

static void conv_pool_forward(const dcnn_pass *pass) {
    const dcnn_op *o = pass->op;
    dcnn_conv shape = pooled_shape(o, pass->n);
    pass->kernels->conv_pool_forward(&shape, pass->x[0], o->affine ? dcnn_batch_normalization_scale(o->affine) : NULL,
                                     o->affine ? dcnn_batch_normalization_shift(o->affine) : NULL, packed_of(o),
                                     bias_of(pass), pass->y, o->training ? pass->saved : NULL, pass->scratch);
}

static void conv_pool_backward(const dcnn_pass *pass) {
    const dcnn_op *o = pass->op;
    dcnn_conv shape = pooled_grain(o->head, o->in, o->node, pass->n);
    pass->kernels->conv_pool_backward(&shape, pass->x[0], o->affine ? dcnn_batch_normalization_scale(o->affine) : NULL,
                                      o->affine ? dcnn_batch_normalization_shift(o->affine) : NULL, o->packed,
                                      pass->saved, pass->dy, pass->dx[0], dcnn_pass_dparam(pass, o->head, KERNEL),
                                      dcnn_pass_dparam(pass, o->head, BIAS), pass->scratch);
}

const dcnn_op_kind dcnn_op_conv_pool = {
    .name = "conv+pool",
    .backward_reads_x = true,
    .may_be_half = conv_pool_may_be_half,
    .measure = conv_pool_measure,
    .prepare = conv_pool_prepare,
    .forward = conv_pool_forward,
    .backward = conv_pool_backward,
};

/* --- Conv2D + MaxPooling2D + activation as one operation: op->head is the convolution, op->node the pooling ------- */

bool dcnn_conv_max_matches(const dcnn_kernels *kernels, const dcnn_node *conv, dcnn_shape in, const dcnn_node *pool) {
    dcnn_conv shape = grain_shape(conv, in, 1);
    const dcnn_pool windows = dcnn_max_pooling_shape(pool, conv->shape, 1);
    return !is_general(conv->config) && kernels->conv_max_fits(&shape, &windows);
}

static dcnn_conv max_shape(const dcnn_op *o, int n) {
    dcnn_conv shape = grain_shape(o->head, o->in, n);
    shape.inference = o->free_bits;
    return shape;
}

/* The gradient behind the activation comes first in the scratch. */
static size_t max_gradient_floats(const dcnn_op *o, int n) {
    return o->training && o->activation.kind != DCNN_LINEAR ? rounded(cells(o, n)) : 0;
}

static void conv_max_measure(dcnn_op *o, const dcnn_kernels *kernels, int grain) {
    dcnn_conv shape = max_shape(o, grain);
    const dcnn_pool pool = dcnn_max_pooling_shape(o->node, o->head->shape, grain);
    o->saved_bytes = o->training ? cells(o, grain) : 0;
    o->scratch_floats = max_gradient_floats(o, grain) + kernels->conv_max_scratch(&shape, &pool);
    o->packed_floats = folded_floats(o) + kernels->conv_max_packed(&shape, &pool);
}

static void conv_max_prepare(const dcnn_op *o, const dcnn_kernels *kernels, const dcnn_net *net, int part, int parts) {
    dcnn_conv shape = max_shape(o, 1);
    const dcnn_pool pool = dcnn_max_pooling_shape(o->node, o->head->shape, 1);
    const float *kernel = kernel_to_pack(o, net, part, &parts);
    if (kernel) kernels->conv_max_pack(&shape, &pool, kernel, packed_of(o), part, parts);
}

static const float *seen_scale(const dcnn_op *o) {
    return o->affine ? dcnn_batch_normalization_scale(o->affine) : NULL;
}

static const float *seen_shift(const dcnn_op *o) {
    return o->affine ? dcnn_batch_normalization_shift(o->affine) : NULL;
}

static void conv_max_forward(const dcnn_pass *pass) {
    const dcnn_op *o = pass->op;
    dcnn_conv shape = max_shape(o, pass->n);
    const dcnn_pool pool = dcnn_max_pooling_shape(o->node, o->head->shape, pass->n);
    pass->kernels->conv_max_forward(&shape, &pool, pass->x[0], seen_scale(o), seen_shift(o), packed_of(o),
                                    bias_of(pass), pass->y, o->training ? pass->saved : NULL, pass->scratch);
    if (o->activation.kind != DCNN_LINEAR)
        dcnn_activation_forward(pass->kernels, &o->activation, cells(o, pass->n) / (size_t)shape.k, shape.k, pass->y,
                                pass->y);
}

static void conv_max_backward(const dcnn_pass *pass) {
    const dcnn_op *o = pass->op;
    dcnn_conv shape = max_shape(o, pass->n);
    const dcnn_pool pool = dcnn_max_pooling_shape(o->node, o->head->shape, pass->n);
    const float *dy = pass->dy;
    float *scratch = pass->scratch;
    if (o->activation.kind != DCNN_LINEAR) {
        dcnn_activation_backward(pass->kernels, &o->activation, cells(o, pass->n) / (size_t)shape.k, shape.k, NULL,
                                 pass->y, pass->dy, scratch);
        dy = scratch;
        scratch += max_gradient_floats(o, pass->n);
    }
    pass->kernels->conv_max_backward(&shape, &pool, pass->x[0], seen_scale(o), seen_shift(o), o->packed, pass->saved,
                                     dy, pass->dx[0], dcnn_pass_dparam(pass, o->head, KERNEL),
                                     dcnn_pass_dparam(pass, o->head, BIAS), scratch);
}

const dcnn_op_kind dcnn_op_conv_max = {
    .name = "conv+max",
    .backward_reads_x = true,
    .backward_reads_y = true,
    .measure = conv_max_measure,
    .prepare = conv_max_prepare,
    .forward = conv_max_forward,
    .backward = conv_max_backward,
};

/* At inference: Conv2D, its activation, BatchNormalization (o->norm) and MaxPooling2D. */
static void conv_max_norm_forward(const dcnn_pass *pass) {
    const dcnn_op *o = pass->op;
    const dcnn_conv shape = max_shape(o, pass->n);
    const dcnn_pool pool = dcnn_max_pooling_shape(o->node, o->head->shape, pass->n);
    const size_t rows = cells(o, pass->n) / (size_t)shape.k;
    float *signs = norm_vector(o, SIGN), *zeros = pass->scratch;
    bool negates = false;
    pass->kernels->conv_max_forward(&shape, &pool, pass->x[0], seen_scale(o), seen_shift(o), packed_of(o),
                                    bias_of(pass), pass->y, NULL, pass->scratch);
    memset(zeros, 0, filters_of(o) * sizeof *zeros);
    for (int k = 0; k < shape.k; k++) negates = negates || signs[k] < 0.0f;
    if (negates) pass->kernels->affine(rows, shape.k, pass->y, signs, zeros, pass->y);
    dcnn_activation_forward(pass->kernels, &o->activation, rows, shape.k, pass->y, pass->y);
    pass->kernels->affine(rows, shape.k, pass->y, norm_vector(o, SCALE), norm_vector(o, SHIFT), pass->y);
}

static void conv_max_norm_measure(dcnn_op *o, const dcnn_kernels *kernels, int grain) {
    conv_max_measure(o, kernels, grain);
    if (o->scratch_floats < filters_of(o)) o->scratch_floats = filters_of(o);
}

const dcnn_op_kind dcnn_op_conv_max_norm = {
    .name = "conv+batch norm+max",
    .measure = conv_max_norm_measure,
    .prepare = conv_max_prepare,
    .forward = conv_max_norm_forward,
};

/* --- Conv2D + GELU, SiLU or Mish + MaxPooling2D as one operation -------------------------------------------------- */

/* Such a function falls, then rises: over a window it is largest where its argument is largest or where it is smallest.
 * Both are pooled, and of the two the better one is taken. Saved in training: the slopes there, [cells], and the codes,
 * [2, cells], of which the first half are those taken. The arguments, [2, cells], come first in the scratch, backward
 * the gradient behind the function. */

static size_t slope_floats(const dcnn_op *o, int n) {
    return rounded(cells(o, n));
}

static size_t argument_floats(const dcnn_op *o, int n) {
    return rounded(2 * cells(o, n));
}

static void conv_valley_measure(dcnn_op *o, const dcnn_kernels *kernels, int grain) {
    dcnn_conv shape = max_shape(o, grain);
    const dcnn_pool pool = dcnn_max_pooling_shape(o->node, o->head->shape, grain);
    o->saved_bytes = o->training ? slope_floats(o, grain) * sizeof(float) + 2 * cells(o, grain) : 0;
    o->scratch_floats = argument_floats(o, grain) + kernels->conv_max_scratch(&shape, &pool);
    o->packed_floats = folded_floats(o) + kernels->conv_max_packed(&shape, &pool);
}

static uint8_t *saved_codes(const dcnn_pass *pass) {
    return (uint8_t *)pass->saved + slope_floats(pass->op, pass->n) * sizeof(float);
}

static void conv_valley_forward(const dcnn_pass *pass) {
    const dcnn_op *o = pass->op;
    dcnn_conv shape = max_shape(o, pass->n);
    const dcnn_pool pool = dcnn_max_pooling_shape(o->node, o->head->shape, pass->n);
    float *arguments = pass->scratch;
    uint8_t *codes = o->training ? saved_codes(pass) : NULL;
    pass->kernels->conv_extremes_forward(&shape, &pool, pass->x[0], seen_scale(o), seen_shift(o), packed_of(o),
                                         bias_of(pass), arguments, codes, arguments + argument_floats(o, pass->n));
    dcnn_activation_take_better(pass->kernels, &o->activation, cells(o, pass->n), arguments, pass->y,
                                o->training ? pass->saved : NULL, codes);
}

static void conv_valley_backward(const dcnn_pass *pass) {
    const dcnn_op *o = pass->op;
    dcnn_conv shape = max_shape(o, pass->n);
    const dcnn_pool pool = dcnn_max_pooling_shape(o->node, o->head->shape, pass->n);
    float *dx = pass->scratch;
    pass->kernels->scale_by(cells(o, pass->n), pass->saved, pass->dy, dx);
    pass->kernels->conv_max_backward(&shape, &pool, pass->x[0], seen_scale(o), seen_shift(o), o->packed,
                                     saved_codes(pass), dx, pass->dx[0], dcnn_pass_dparam(pass, o->head, KERNEL),
                                     dcnn_pass_dparam(pass, o->head, BIAS), dx + slope_floats(o, pass->n));
}

const dcnn_op_kind dcnn_op_conv_valley = {
    .name = "conv+max",
    .backward_reads_x = true,
    .measure = conv_valley_measure,
    .prepare = conv_max_prepare,
    .forward = conv_valley_forward,
    .backward = conv_valley_backward,
};
