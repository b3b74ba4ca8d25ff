/* SPDX-License-Identifier: BSD-3-Clause */
/* convolutions.c — DepthwiseConv2D, SeparableConv2D (depthwise, then 1x1), Conv2DTranspose: all by the kernels for
 * dilation and groups. */
#include "nn/config.h"

typedef struct convolution {
    int filters, multiplier, size[2], stride[2], dilation[2];
    bool same, use_bias;
    dcnn_activation activation;
    dcnn_initializer kernel_initializer, pointwise_initializer, bias_initializer;
    bool padded; /* output_padding is given */
    int output_padding[2];
} convolution;

static dcnn_status parse_common(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"data_format", "\"channels_last\""}, {"groups", "1"}};
    static const char *const training_keys[] = {"depthwise_regularizer", "pointwise_regularizer",
                                                "depthwise_constraint", "pointwise_constraint"};
    convolution *c = node->config;
    DCNN_TRY(dcnn_config_pair(node, config, "kernel_size", 0, c->size));
    DCNN_TRY(dcnn_config_pair(node, config, "strides", 1, c->stride));
    DCNN_TRY(dcnn_config_pair(node, config, "dilation_rate", 1, c->dilation));
    DCNN_TRY(dcnn_config_check_span(node, c->size, c->dilation));
    DCNN_TRY(dcnn_config_padding(node, config, &c->same));
    DCNN_TRY(dcnn_config_bool(node, config, "use_bias", true, &c->use_bias));
    DCNN_TRY(dcnn_config_activation(node, config, &c->activation));
    DCNN_TRY(dcnn_config_initializer(node, config, "bias_initializer", DCNN_INIT_ZEROS, &c->bias_initializer));
    dcnn_config_keep(node, config, dcnn_kernel_training_keys, DCNN_KERNEL_TRAINING_KEYS);
    dcnn_config_keep(node, config, training_keys, 4);
    return dcnn_config_refuse(node, config, only, 2);
}

static json_t *describe_common(const convolution *c) {
    return json_pack("{s:[ii], s:[ii], s:[ii], s:s, s:s, s:o, s:b, s:o}", "kernel_size", c->size[0], c->size[1],
                     "strides", c->stride[0], c->stride[1], "dilation_rate", c->dilation[0], c->dilation[1], "padding",
                     c->same ? "same" : "valid", "data_format", "channels_last", "activation",
                     dcnn_config_describe_activation(&c->activation), "use_bias", c->use_bias, "bias_initializer",
                     dcnn_initializer_describe(&c->bias_initializer));
}

static void update(json_t *config, json_t *mine) {
    json_object_update(config, mine);
    json_decref(mine);
}

static dcnn_activation activation(const dcnn_node *node) {
    return ((const convolution *)node->config)->activation;
}

static int span(const convolution *c, int axis) {
    return dcnn_span(c->size[axis], c->dilation[axis]);
}

static dcnn_status need_map(const dcnn_node *node, dcnn_shape in) {
    char text[48];
    if (in.rank == 3) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s) needs an input of shape (height, width, channels), not %s",
                     node->name, node->layer->class_name, dcnn_shape_text(in, text));
}

static size_t rounded(size_t floats) {
    return (floats + 15) / 16 * 16; /* keeps what follows on a cache line */
}

static size_t rows_of(const dcnn_pass *pass) {
    const dcnn_shape out = pass->op->node->shape;
    return (size_t)pass->n * (size_t)out.h * (size_t)out.w;
}

/* Floats for the gradient behind the activation, at the front of the scratch. */
static size_t gradient_floats(const dcnn_op *op, int grain) {
    return op->training && op->activation.kind != DCNN_LINEAR
               ? rounded((size_t)grain * dcnn_shape_count(op->node->shape))
               : 0;
}

static void activate(const dcnn_pass *pass) {
    dcnn_activation_forward(pass->kernels, &pass->op->activation, rows_of(pass), pass->op->node->shape.c, pass->y,
                            pass->y);
}

/* The gradient behind the activation; *scratch moves on. */
static const float *gradient_of(const dcnn_pass *pass, float **scratch) {
    float *dy = *scratch;
    if (pass->op->activation.kind == DCNN_LINEAR) return pass->dy;
    dcnn_activation_backward(pass->kernels, &pass->op->activation, rows_of(pass), pass->op->node->shape.c, NULL,
                             pass->y, pass->dy, dy);
    *scratch += gradient_floats(pass->op, pass->n);
    return dy;
}

/* --- the depthwise part, of DepthwiseConv2D and SeparableConv2D --------------------------------------------------- */

static dcnn_conv depthwise_shape(const dcnn_node *node, dcnn_shape in, int n) {
    const convolution *c = node->config;
    dcnn_conv shape = {.n = n,
                       .h = in.h,
                       .w = in.w,
                       .c = in.c,
                       .k = in.c * c->multiplier,
                       .r = c->size[0],
                       .s = c->size[1],
                       .stride_h = c->stride[0],
                       .stride_w = c->stride[1],
                       .dilation_h = c->dilation[0],
                       .dilation_w = c->dilation[1],
                       .groups = in.c};
    dcnn_window(in.h, span(c, 0), c->stride[0], c->same, &shape.oh, &shape.pad_h);
    dcnn_window(in.w, span(c, 1), c->stride[1], c->same, &shape.ow, &shape.pad_w);
    return shape;
}

static dcnn_status build_depthwise_part(dcnn_node *node, dcnn_shape in) {
    const convolution *c = node->config;
    char text[48];
    int pad;
    DCNN_TRY(need_map(node, in));
    if ((int64_t)in.c * c->multiplier > DCNN_SHAPE_MOST)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): %d channels of each of %d are too many", node->name,
                         node->layer->class_name, c->multiplier, in.c);
    node->shape = (dcnn_shape){.rank = 3, .c = in.c * c->multiplier};
    if (!dcnn_window(in.h, span(c, 0), c->stride[0], c->same, &node->shape.h, &pad) ||
        !dcnn_window(in.w, span(c, 1), c->stride[1], c->same, &node->shape.w, &pad))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): its input of shape %s is smaller than its filter",
                         node->name, node->layer->class_name, dcnn_shape_text(in, text));
    const int kernel[4] = {c->size[0], c->size[1], in.c, c->multiplier};
    dcnn_node_add_param(node, "kernel", false, 4, kernel, c->kernel_initializer);
    return DCNN_OK;
}

/* --- DepthwiseConv2D ---------------------------------------------------------------------------------------------- */

enum { KERNEL, BIAS };

static dcnn_status parse_depthwise(dcnn_node *node, const json_t *config) {
    convolution *c = node->config;
    DCNN_TRY(dcnn_config_int(node, config, "depth_multiplier", 1, &c->multiplier));
    DCNN_TRY(dcnn_config_initializer(node, config, "depthwise_initializer", DCNN_INIT_GLOROT_UNIFORM,
                                     &c->kernel_initializer));
    return parse_common(node, config);
}

static dcnn_status build_depthwise(dcnn_node *node, const dcnn_shape *inputs) {
    const convolution *c = node->config;
    DCNN_TRY(build_depthwise_part(node, inputs[0]));
    if (c->use_bias) dcnn_node_add_param(node, "bias", false, 1, &node->shape.c, c->bias_initializer);
    return DCNN_OK;
}

static void describe_depthwise(const dcnn_node *node, json_t *config) {
    const convolution *c = node->config;
    update(config, describe_common(c));
    json_object_set_new(config, "depth_multiplier", json_integer(c->multiplier));
    json_object_set_new(config, "depthwise_initializer", dcnn_initializer_describe(&c->kernel_initializer));
}

static void measure_depthwise(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    op->scratch_floats = gradient_floats(op, grain);
}

static void forward_depthwise(const dcnn_pass *pass) {
    const dcnn_node *node = pass->op->node;
    const dcnn_conv shape = depthwise_shape(node, pass->op->in, pass->n);
    pass->kernels->general_forward(&shape, pass->x[0], dcnn_pass_param(pass, node, KERNEL),
                                   dcnn_pass_param(pass, node, BIAS), pass->y);
    activate(pass);
}

static void backward_depthwise(const dcnn_pass *pass) {
    const dcnn_node *node = pass->op->node;
    const dcnn_conv shape = depthwise_shape(node, pass->op->in, pass->n);
    float *scratch = pass->scratch, *dkernel = dcnn_pass_dparam(pass, node, KERNEL);
    float *dbias = dcnn_pass_dparam(pass, node, BIAS);
    const float *dy = gradient_of(pass, &scratch);
    if (dkernel) pass->kernels->general_backward_filter(&shape, pass->x[0], dy, dkernel);
    if (dbias) pass->kernels->column_sums(rows_of(pass), shape.k, dy, dbias);
    if (pass->dx[0])
        pass->kernels->general_backward_input(&shape, dy, dcnn_pass_param(pass, node, KERNEL), pass->dx[0]);
}

static const dcnn_op_kind depthwise_op = {.name = "depthwise",
                                          .backward_reads_x = true,
                                          .backward_reads_y = true,
                                          .measure = measure_depthwise,
                                          .forward = forward_depthwise,
                                          .backward = backward_depthwise};

/* --- SeparableConv2D: z = depthwise(x), y = f(z W + b); the backward pass makes z again --------------------------- */

enum { POINTWISE = 1, SEPARABLE_BIAS };

static dcnn_status parse_separable(dcnn_node *node, const json_t *config) {
    convolution *c = node->config;
    DCNN_TRY(dcnn_config_int(node, config, "filters", 0, &c->filters));
    DCNN_TRY(dcnn_config_initializer(node, config, "pointwise_initializer", DCNN_INIT_GLOROT_UNIFORM,
                                     &c->pointwise_initializer));
    return parse_depthwise(node, config);
}

static dcnn_status build_separable(dcnn_node *node, const dcnn_shape *inputs) {
    const convolution *c = node->config;
    DCNN_TRY(build_depthwise_part(node, inputs[0]));
    snprintf(node->params[0].name, sizeof node->params[0].name, "depthwise_kernel");
    const int pointwise[4] = {1, 1, node->shape.c, c->filters};
    dcnn_node_add_param(node, "pointwise_kernel", false, 4, pointwise, c->pointwise_initializer);
    node->shape.c = c->filters;
    if (c->use_bias) dcnn_node_add_param(node, "bias", false, 1, &c->filters, c->bias_initializer);
    return DCNN_OK;
}

static void describe_separable(const dcnn_node *node, json_t *config) {
    const convolution *c = node->config;
    describe_depthwise(node, config);
    json_object_set_new(config, "filters", json_integer(c->filters));
    json_object_set_new(config, "pointwise_initializer", dcnn_initializer_describe(&c->pointwise_initializer));
}

static size_t between_floats(const dcnn_op *op, int grain) {
    const dcnn_shape out = op->node->shape;
    const int multiplier = ((const convolution *)op->node->config)->multiplier;
    return rounded((size_t)grain * (size_t)out.h * (size_t)out.w * (size_t)(op->in.c * multiplier));
}

static void measure_separable(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    op->scratch_floats = gradient_floats(op, grain) + between_floats(op, grain) * (op->training ? 2 : 1);
}

static void forward_separable(const dcnn_pass *pass) {
    const dcnn_node *node = pass->op->node;
    const dcnn_conv shape = depthwise_shape(node, pass->op->in, pass->n);
    pass->kernels->general_forward(&shape, pass->x[0], dcnn_pass_param(pass, node, KERNEL), NULL, pass->scratch);
    pass->kernels->sgemm(false, false, (int)rows_of(pass), node->shape.c, shape.k, pass->scratch, shape.k,
                         dcnn_pass_param(pass, node, POINTWISE), node->shape.c, 0.0f, pass->y, node->shape.c);
    pass->kernels->bias(rows_of(pass), node->shape.c, dcnn_pass_param(pass, node, SEPARABLE_BIAS), DCNN_FUSED_NONE,
                        pass->y);
    activate(pass);
}

static void backward_separable(const dcnn_pass *pass) {
    const dcnn_node *node = pass->op->node;
    const dcnn_conv shape = depthwise_shape(node, pass->op->in, pass->n);
    const int rows = (int)rows_of(pass), filters = node->shape.c;
    float *scratch = pass->scratch, *dkernel = dcnn_pass_dparam(pass, node, KERNEL);
    float *dpointwise = dcnn_pass_dparam(pass, node, POINTWISE), *dbias = dcnn_pass_dparam(pass, node, SEPARABLE_BIAS);
    const float *dy = gradient_of(pass, &scratch);
    float *z = scratch, *dz = scratch + between_floats(pass->op, pass->n);
    if (dbias) pass->kernels->column_sums(rows_of(pass), filters, dy, dbias);
    if (dpointwise) {
        pass->kernels->general_forward(&shape, pass->x[0], dcnn_pass_param(pass, node, KERNEL), NULL, z);
        pass->kernels->sgemm(true, false, shape.k, filters, rows, z, shape.k, dy, filters, 0.0f, dpointwise, filters);
    }
    pass->kernels->sgemm(false, true, rows, shape.k, filters, dy, filters, dcnn_pass_param(pass, node, POINTWISE),
                         filters, 0.0f, dz, shape.k);
    if (dkernel) pass->kernels->general_backward_filter(&shape, pass->x[0], dz, dkernel);
    if (pass->dx[0])
        pass->kernels->general_backward_input(&shape, dz, dcnn_pass_param(pass, node, KERNEL), pass->dx[0]);
}

static const dcnn_op_kind separable_op = {.name = "separable",
                                          .backward_reads_x = true,
                                          .backward_reads_y = true,
                                          .measure = measure_separable,
                                          .forward = forward_separable,
                                          .backward = backward_separable};

/* --- Conv2DTranspose: forward is a convolution's gradient of its input, from Y of the same kernel ----------------- */

/* A whole number, or two, below the strides; 0 is not the same as none. */
static dcnn_status parse_output_padding(dcnn_node *node, const json_t *config) {
    convolution *c = node->config;
    const json_t *json = json_object_get(config, "output_padding");
    c->padded = json && !json_is_null(json);
    for (size_t i = 0; i < 2 && c->padded; i++) {
        const json_t *one = json_is_array(json) ? json_array_get(json, i) : json;
        if (!json_is_integer(one) || json_integer_value(one) < 0 || json_integer_value(one) >= c->stride[i])
            return DCNN_FAIL(
                DCNN_BAD_INPUT,
                "layer '%s': \"output_padding\" must be one or two whole numbers from 0, below the strides",
                node->name);
        c->output_padding[i] = (int)json_integer_value(one);
    }
    return DCNN_OK;
}

static dcnn_status parse_transpose(dcnn_node *node, const json_t *config) {
    convolution *c = node->config;
    DCNN_TRY(dcnn_config_int(node, config, "filters", 0, &c->filters));
    DCNN_TRY(
        dcnn_config_initializer(node, config, "kernel_initializer", DCNN_INIT_GLOROT_UNIFORM, &c->kernel_initializer));
    DCNN_TRY(parse_common(node, config));
    return parse_output_padding(node, config);
}

/* Keras' rule: the length times the stride, and for 'valid' what the filter reaches beyond; or, with output_padding,
 * what the filters reach less the padding, and that much. */
static int64_t transposed_length(const convolution *c, int axis, int64_t length) {
    const int beyond = span(c, axis) - c->stride[axis];
    if (c->padded)
        return (length - 1) * c->stride[axis] + span(c, axis) - (c->same ? 2 * (span(c, axis) / 2) : 0) +
               c->output_padding[axis];
    return length * c->stride[axis] + (!c->same && beyond > 0 ? beyond : 0);
}

/* Its window, from an output of length `out` to the input; false if they do not fit. Of what the filters reach beyond
 * such an output, 'same' cuts half away before it. */
static bool transposed_window(const convolution *c, int axis, int length, int out, int *before) {
    const int beyond = (length - 1) * c->stride[axis] + span(c, axis) - out;
    int windows;
    *before = c->same && beyond > 0 ? beyond / 2 : 0;
    return c->same || (dcnn_window(out, span(c, axis), c->stride[axis], false, &windows, before) && windows == length);
}

static dcnn_status build_transpose(dcnn_node *node, const dcnn_shape *inputs) {
    const convolution *c = node->config;
    const dcnn_shape in = inputs[0];
    DCNN_TRY(need_map(node, in));
    const int64_t h = transposed_length(c, 0, in.h), w = transposed_length(c, 1, in.w);
    const bool fits = h >= 1 && w >= 1 && h <= DCNN_SHAPE_MOST && w <= DCNN_SHAPE_MOST;
    node->shape = (dcnn_shape){3, fits ? (int)h : 0, fits ? (int)w : 0, c->filters};
    int before;
    if (!fits || !transposed_window(c, 0, in.h, node->shape.h, &before) ||
        !transposed_window(c, 1, in.w, node->shape.w, &before))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s' (Conv2DTranspose): its padding, strides and output_padding do not fit together",
                         node->name);
    const int kernel[4] = {c->size[0], c->size[1], c->filters, in.c};
    dcnn_node_add_param(node, "kernel", false, 4, kernel, c->kernel_initializer);
    if (c->use_bias) dcnn_node_add_param(node, "bias", false, 1, &c->filters, c->bias_initializer);
    return DCNN_OK;
}

static void describe_transpose(const dcnn_node *node, json_t *config) {
    const convolution *c = node->config;
    update(config, describe_common(c));
    json_object_set_new(config, "filters", json_integer(c->filters));
    json_object_set_new(config, "output_padding",
                        c->padded ? json_pack("[i,i]", c->output_padding[0], c->output_padding[1]) : json_null());
    json_object_set_new(config, "kernel_initializer", dcnn_initializer_describe(&c->kernel_initializer));
}

/* The convolution from the layer's output to its input. */
static dcnn_conv transposed_shape(const dcnn_node *node, dcnn_shape in, int n) {
    const convolution *c = node->config;
    const dcnn_shape out = node->shape;
    dcnn_conv shape = {.n = n,
                       .h = out.h,
                       .w = out.w,
                       .c = out.c,
                       .k = in.c,
                       .r = c->size[0],
                       .s = c->size[1],
                       .stride_h = c->stride[0],
                       .stride_w = c->stride[1],
                       .dilation_h = c->dilation[0],
                       .dilation_w = c->dilation[1],
                       .groups = 1,
                       .oh = in.h,
                       .ow = in.w};
    transposed_window(c, 0, in.h, out.h, &shape.pad_h);
    transposed_window(c, 1, in.w, out.w, &shape.pad_w);
    return shape;
}

static void forward_transpose(const dcnn_pass *pass) {
    const dcnn_node *node = pass->op->node;
    const dcnn_conv shape = transposed_shape(node, pass->op->in, pass->n);
    pass->kernels->general_backward_input(&shape, pass->x[0], dcnn_pass_param(pass, node, KERNEL), pass->y);
    pass->kernels->bias(rows_of(pass), node->shape.c, dcnn_pass_param(pass, node, BIAS), DCNN_FUSED_NONE, pass->y);
    activate(pass);
}

static void backward_transpose(const dcnn_pass *pass) {
    const dcnn_node *node = pass->op->node;
    const dcnn_conv shape = transposed_shape(node, pass->op->in, pass->n);
    float *scratch = pass->scratch, *dkernel = dcnn_pass_dparam(pass, node, KERNEL);
    float *dbias = dcnn_pass_dparam(pass, node, BIAS);
    const float *dy = gradient_of(pass, &scratch);
    if (dkernel) pass->kernels->general_backward_filter(&shape, dy, pass->x[0], dkernel);
    if (dbias) pass->kernels->column_sums(rows_of(pass), node->shape.c, dy, dbias);
    if (pass->dx[0]) pass->kernels->general_forward(&shape, dy, dcnn_pass_param(pass, node, KERNEL), NULL, pass->dx[0]);
}

static const dcnn_op_kind transpose_op = {.name = "transposed conv",
                                          .backward_reads_x = true,
                                          .backward_reads_y = true,
                                          .measure = measure_depthwise,
                                          .forward = forward_transpose,
                                          .backward = backward_transpose};

/* --- the rows ----------------------------------------------------------------------------------------------------- */

#define CONVOLUTION(symbol, keras_name, what)                                                                          \
    const dcnn_layer symbol = {.class_name = keras_name,                                                               \
                               .config_bytes = sizeof(convolution),                                                    \
                               .parse = parse_##what,                                                                  \
                               .build = build_##what,                                                                  \
                               .describe = describe_##what,                                                            \
                               .op = &what##_op,                                                                       \
                               .activation = activation}

CONVOLUTION(dcnn_layer_depthwise_conv2d, "DepthwiseConv2D", depthwise);
CONVOLUTION(dcnn_layer_separable_conv2d, "SeparableConv2D", separable);
CONVOLUTION(dcnn_layer_conv2d_transpose, "Conv2DTranspose", transpose);
