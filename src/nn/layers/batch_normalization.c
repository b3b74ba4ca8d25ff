/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * batch_normalization.c — BatchNormalization over all samples and positions of a channel (Ioffe and Szegedy,
 * 2015), by Keras' definition: biased batch variance, moving = moving * momentum + batch * (1 - momentum).
 *
 * It is the one synchronised layer: in training its statistics are those of the whole global batch. A grain delivers
 * sum x and sum x^2 (forward), sum dy and sum dy xhat (backward) in double; the counts are known by arithmetic; what is
 * made of the agreed totals is the same on every rank, so there is one truth and no merging of moving averages.
 */
#include "nn/config.h"

#include <math.h>
#include <string.h>

typedef struct batch_normalization {
    int axis;  /* as the file has it, from 1, or from the end */
    int lasts; /* axes behind it: 0: it is the last one, by the kernels; 1: the width; 2: the height */
    double momentum, epsilon;
    bool center, scale;
    dcnn_initializer gamma, beta, moving_mean, moving_variance;
} batch_normalization;

/* op->shared holds these vectors, [c] each. */
enum { SCALE, SHIFT, MEAN, INVERSE_DEVIATION, A, B, E, SHARED_VECTORS };

static dcnn_status parse(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"renorm", "false"}, {"virtual_batch_size", NULL}};
    static const char *const training_keys[] = {"beta_regularizer", "gamma_regularizer", "beta_constraint",
                                                "gamma_constraint"};
    batch_normalization *b = node->config;
    const json_t *axis = json_object_get(config, "axis");
    if (json_is_array(axis) && json_array_size(axis) == 1) axis = json_array_get(axis, 0);
    const json_int_t place = axis ? json_integer_value(axis) : -1;
    b->axis = place < -3 || place > 3 ? 0 : (int)place; /* 0 is refused where the input is known */
    DCNN_TRY(dcnn_config_real(node, config, "momentum", 0.99, 0.0, 1.0, &b->momentum));
    DCNN_TRY(dcnn_config_real(node, config, "epsilon", 1e-3, 0.0, 1.0, &b->epsilon));
    DCNN_TRY(dcnn_config_bool(node, config, "center", true, &b->center));
    DCNN_TRY(dcnn_config_bool(node, config, "scale", true, &b->scale));
    DCNN_TRY(dcnn_config_initializer(node, config, "gamma_initializer", DCNN_INIT_ONES, &b->gamma));
    DCNN_TRY(dcnn_config_initializer(node, config, "beta_initializer", DCNN_INIT_ZEROS, &b->beta));
    DCNN_TRY(dcnn_config_initializer(node, config, "moving_mean_initializer", DCNN_INIT_ZEROS, &b->moving_mean));
    DCNN_TRY(dcnn_config_initializer(node, config, "moving_variance_initializer", DCNN_INIT_ONES, &b->moving_variance));
    dcnn_config_keep(node, config, training_keys, sizeof training_keys / sizeof training_keys[0]);
    return dcnn_config_refuse(node, config, only, sizeof only / sizeof only[0]);
}

/* Values that have statistics of their own: "channels" below, whichever axis they lie along. */
static int length_of(const batch_normalization *b, dcnn_shape in) {
    return b->lasts == 0 ? in.c : b->lasts == 1 ? in.w : in.h;
}

static dcnn_status build(dcnn_node *node, const dcnn_shape *inputs) {
    batch_normalization *b = node->config;
    node->shape = inputs[0];
    b->lasts = b->axis < 0 ? -1 - b->axis : inputs[0].rank - b->axis;
    if (b->lasts < 0 || b->lasts >= inputs[0].rank)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "layer '%s' (BatchNormalization): \"axis\" must be an axis of its input other than that of the samples",
            node->name);
    const int c = length_of(b, inputs[0]);
    if (b->scale) dcnn_node_add_param(node, "gamma", false, 1, &c, b->gamma);
    if (b->center) dcnn_node_add_param(node, "beta", false, 1, &c, b->beta);
    dcnn_node_add_param(node, "moving_mean", true, 1, &c, b->moving_mean);
    dcnn_node_add_param(node, "moving_variance", true, 1, &c, b->moving_variance);
    return DCNN_OK;
}

static void describe(const dcnn_node *node, json_t *config) {
    const batch_normalization *b = node->config;
    json_t *mine =
        json_pack("{s:i, s:f, s:f, s:b, s:b, s:o, s:o, s:o, s:o}", "axis", -1 - b->lasts, "momentum", b->momentum,
                  "epsilon", b->epsilon, "center", b->center, "scale", b->scale, "beta_initializer",
                  dcnn_initializer_describe(&b->beta), "gamma_initializer", dcnn_initializer_describe(&b->gamma),
                  "moving_mean_initializer", dcnn_initializer_describe(&b->moving_mean), "moving_variance_initializer",
                  dcnn_initializer_describe(&b->moving_variance));
    json_object_update(config, mine);
    json_decref(mine);
}

/* Parameters in the order of build(): which of them a node has depends on scale and center. */
static int gamma_of(const dcnn_node *node) {
    return ((const batch_normalization *)node->config)->scale ? 0 : DCNN_MAX_PARAMS;
}

static int beta_of(const dcnn_node *node) {
    const batch_normalization *b = node->config;
    return b->center ? (int)b->scale : DCNN_MAX_PARAMS;
}

static float *values(const dcnn_net *net, const dcnn_node *node, int number) {
    const dcnn_param *param = dcnn_net_param(net, node, number);
    return param ? dcnn_net_values(net, param) : NULL;
}

static int channels_of(const dcnn_op *op) {
    return length_of(op->head->config, op->head->shape);
}

/* Values of a channel in a sample. */
static double places_of(const dcnn_op *op) {
    return (double)dcnn_shape_count(op->head->shape) / channels_of(op);
}

static bool is_last(const dcnn_op *op) {
    return ((const batch_normalization *)op->head->config)->lasts == 0;
}

/* Values of one channel that follow each other. */
static size_t run_of(const dcnn_op *op) {
    const batch_normalization *b = op->head->config;
    return b->lasts == 0 ? 1 : b->lasts == 1 ? (size_t)op->in.c : (size_t)op->in.w * (size_t)op->in.c;
}

static float *shared(const dcnn_op *op, int vector) {
    return op->shared + (size_t)vector * (size_t)channels_of(op);
}

static size_t count_of(const dcnn_pass *pass) {
    return (size_t)pass->n * dcnn_shape_count(pass->op->in);
}

static size_t rows_of(const dcnn_pass *pass) {
    return (size_t)pass->n * (size_t)pass->op->head->shape.h * (size_t)pass->op->head->shape.w;
}

static void set_scale_and_shift(const dcnn_op *op, const dcnn_net *net) {
    const float *gamma = values(net, op->head, gamma_of(op->head)), *beta = values(net, op->head, beta_of(op->head));
    for (int c = 0; c < channels_of(op); c++) {
        double scale = (gamma ? (double)gamma[c] : 1.0) * (double)shared(op, INVERSE_DEVIATION)[c];
        shared(op, SCALE)[c] = (float)scale;
        shared(op, SHIFT)[c] = (float)((beta ? (double)beta[c] : 0.0) - (double)shared(op, MEAN)[c] * scale);
    }
}

static void measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    (void)grain;
    op->sum_count = op->head->synchronised ? 2 * channels_of(op) : 0;
    op->shared_floats = (size_t)SHARED_VECTORS * (size_t)channels_of(op);
}

/* At inference, and in a frozen layer, the moving values take the batch's place: dx = scale dy then. */
static void prepare(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part, int parts) {
    (void)kernels;
    (void)parts;
    if ((op->training && op->head->synchronised) || part != 0) return;
    const batch_normalization *b = op->head->config;
    const int first_state = (int)b->scale + (int)b->center;
    const float *mean = values(net, op->head, first_state), *variance = values(net, op->head, first_state + 1);
    for (int c = 0; c < channels_of(op); c++) {
        shared(op, MEAN)[c] = mean[c];
        shared(op, INVERSE_DEVIATION)[c] = (float)(1.0 / sqrt((double)variance[c] + b->epsilon));
        shared(op, B)[c] = shared(op, E)[c] = 0.0f;
    }
    set_scale_and_shift(op, net);
    memcpy(shared(op, A), shared(op, SCALE), (size_t)channels_of(op) * sizeof(float));
}

/* The sums are gamma's and beta's gradients too. */
static void take_parameter_gradients(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    float *dgamma = dcnn_pass_dparam(pass, op->head, gamma_of(op->head));
    float *dbeta = dcnn_pass_dparam(pass, op->head, beta_of(op->head));
    for (int c = 0; c < channels_of(op); c++) {
        if (dbeta) dbeta[c] = (float)pass->sums[c];
        if (dgamma) dgamma[c] = (float)pass->sums[channels_of(op) + c];
    }
}

/* As windows: of 1x1 without pooling. */
static dcnn_pool windows_of(const dcnn_op *op, int n) {
    const int size = op->node->layer == &dcnn_layer_max_pooling2d ? 2 : 1;
    const dcnn_shape in = op->head->shape;
    return (dcnn_pool){n,           in.h,        in.w,       in.c,       size,
                       size,        size,        size,       0,          0,
                       in.h / size, in.w / size, op->x_half, op->y_half, op->activation.kind != DCNN_RELU};
}

static void fused_forward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const dcnn_pool shape = windows_of(op, pass->n);
    pass->kernels->norm_relu_forward(&shape, pass->x[0], shared(op, SCALE), shared(op, SHIFT), pass->y,
                                     op->saved_bytes ? pass->saved : NULL);
}

static void fused_backward_sums(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const dcnn_pool shape = windows_of(op, pass->n);
    pass->kernels->norm_relu_sums(&shape, pass->x[0], pass->dy, pass->saved, shared(op, SCALE), shared(op, SHIFT),
                                  shared(op, MEAN), shared(op, INVERSE_DEVIATION), pass->sums);
    take_parameter_gradients(pass);
}

static void fused_backward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const dcnn_pool shape = windows_of(op, pass->n);
    if (pass->dx[0])
        pass->kernels->norm_relu_backward(&shape, pass->x[0], pass->dy, pass->saved, shared(op, SCALE),
                                          shared(op, SHIFT), shared(op, A), shared(op, B), shared(op, E), pass->dx[0]);
}

/* Is an array of bf16? Then the kernels of a fused one run without their ReLU. */
static bool has_halves(const dcnn_op *op) {
    return op->x_half || op->y_half;
}

/* The kernels of the last axis; along another one they see runs of one channel, each as rows of its own. */
static void forward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const size_t run = run_of(op), channels = (size_t)channels_of(op);
    if (!is_last(op)) {
        for (size_t k = 0; k < count_of(pass); k++) {
            const size_t c = k / run % channels;
            pass->y[k] = pass->x[0][k] * shared(op, SCALE)[c] + shared(op, SHIFT)[c];
        }
        return;
    }
    if (has_halves(op))
        fused_forward(pass);
    else
        pass->kernels->affine(rows_of(pass), op->in.c, pass->x[0], shared(op, SCALE), shared(op, SHIFT), pass->y);
}

static void forward_sums(const dcnn_pass *pass) {
    const size_t run = run_of(pass->op), channels = (size_t)channels_of(pass->op);
    if (!is_last(pass->op)) {
        memset(pass->sums, 0, 2 * channels * sizeof *pass->sums);
        for (size_t k = 0; k < count_of(pass); k++) {
            const double x = (double)pass->x[0][k];
            pass->sums[k / run % channels] += x;
            pass->sums[channels + k / run % channels] += x * x;
        }
        return;
    }
    if (pass->op->x_half)
        pass->kernels->half_moments(rows_of(pass), pass->op->in.c, (const uint16_t *)(const void *)pass->x[0],
                                    pass->sums);
    else
        pass->kernels->moments(rows_of(pass), pass->op->in.c, pass->x[0], pass->sums);
}

/* Mean and variance of channel c, from sums over so many samples. */
static void moments_of(const dcnn_op *op, const double *totals, int64_t samples, int c, double *mean,
                       double *variance) {
    const double count = (double)samples * places_of(op);
    *mean = totals[c] / count;
    *variance = totals[channels_of(op) + c] / count - *mean * *mean;
    if (*variance < 0.0) *variance = 0.0; /* rounding of a constant channel; a NaN stays */
}

static void forward_agreed(const dcnn_op *op, dcnn_net *net, const double *totals, int64_t samples) {
    const batch_normalization *b = op->head->config;
    const int channels = channels_of(op), first_state = (int)b->scale + (int)b->center;
    float *moving_mean = values(net, op->head, first_state), *moving_variance = values(net, op->head, first_state + 1);
    for (int c = 0; c < channels; c++) {
        double mean, variance;
        moments_of(op, totals, samples, c, &mean, &variance);
        shared(op, MEAN)[c] = (float)mean;
        shared(op, INVERSE_DEVIATION)[c] = (float)(1.0 / sqrt(variance + b->epsilon));
        moving_mean[c] = (float)((double)moving_mean[c] * b->momentum + mean * (1.0 - b->momentum));
        moving_variance[c] = (float)((double)moving_variance[c] * b->momentum + variance * (1.0 - b->momentum));
    }
    set_scale_and_shift(op, net);
}

static void forward_settled(const dcnn_op *op, dcnn_net *net, const double *totals, int64_t samples) {
    const batch_normalization *b = op->head->config;
    const int first_state = (int)b->scale + (int)b->center;
    float *moving_mean = values(net, op->head, first_state), *moving_variance = values(net, op->head, first_state + 1);
    for (int c = 0; c < channels_of(op); c++) {
        double mean, variance;
        moments_of(op, totals, samples, c, &mean, &variance);
        moving_mean[c] = (float)mean;
        moving_variance[c] = (float)variance;
    }
}

static void sum_gradients(const dcnn_pass *pass, size_t run) {
    const dcnn_op *op = pass->op;
    const size_t channels = (size_t)channels_of(op);
    memset(pass->sums, 0, 2 * channels * sizeof *pass->sums);
    for (size_t k = 0; k < count_of(pass); k++) {
        const size_t c = k / run % channels;
        const double dy = (double)pass->dy[k];
        pass->sums[c] += dy;
        pass->sums[channels + c] +=
            dy * ((double)pass->x[0][k] - (double)shared(op, MEAN)[c]) * (double)shared(op, INVERSE_DEVIATION)[c];
    }
}

static void backward_sums(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    if (has_halves(op)) {
        fused_backward_sums(pass);
        return;
    }
    if (!is_last(op))
        sum_gradients(pass, run_of(op));
    else
        pass->kernels->gradient_moments(rows_of(pass), op->in.c, pass->x[0], pass->dy, shared(op, MEAN),
                                        shared(op, INVERSE_DEVIATION), pass->sums);
    take_parameter_gradients(pass);
}

/* dx = gamma / sigma (dy - mean(dy) - xhat mean(dy xhat)), written as a dy + b x + e per channel. */
static void backward_agreed(const dcnn_op *op, const dcnn_net *net, const double *totals, int64_t samples) {
    (void)net;
    const int channels = channels_of(op);
    const double count = (double)samples * places_of(op);
    for (int c = 0; c < channels; c++) {
        double scale = (double)shared(op, SCALE)[c], inverse = (double)shared(op, INVERSE_DEVIATION)[c];
        double mean_dy = totals[c] / count, mean_dy_xhat = totals[channels + c] / count;
        shared(op, A)[c] = (float)scale;
        shared(op, B)[c] = (float)(-scale * inverse * mean_dy_xhat);
        shared(op, E)[c] = (float)(scale * (inverse * mean_dy_xhat * (double)shared(op, MEAN)[c] - mean_dy));
    }
}

static void backward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const size_t run = run_of(op), channels = (size_t)channels_of(op);
    for (size_t k = 0; !is_last(op) && pass->dx[0] && k < count_of(pass); k++) {
        const size_t c = k / run % channels;
        pass->dx[0][k] = pass->dy[k] * shared(op, A)[c] + (pass->x[0][k] * shared(op, B)[c] + shared(op, E)[c]);
    }
    if (has_halves(op))
        fused_backward(pass);
    else if (pass->dx[0] && is_last(op))
        pass->kernels->affine_backward(rows_of(pass), op->in.c, pass->x[0], pass->dy, shared(op, A), shared(op, B),
                                       shared(op, E), pass->dx[0]);
}

const float *dcnn_batch_normalization_scale(const dcnn_op *op) {
    return shared(op, SCALE);
}

const float *dcnn_batch_normalization_shift(const dcnn_op *op) {
    return shared(op, SHIFT);
}

void dcnn_batch_normalization_moving(const dcnn_net *net, const dcnn_node *node, int channel, double *scale,
                                     double *shift) {
    const batch_normalization *b = node->config;
    const int first_state = (int)b->scale + (int)b->center;
    const float *gamma = values(net, node, gamma_of(node)), *beta = values(net, node, beta_of(node));
    const double mean = (double)values(net, node, first_state)[channel],
                 variance = (double)values(net, node, first_state + 1)[channel];
    *scale = (gamma ? (double)gamma[channel] : 1.0) / sqrt(variance + b->epsilon);
    *shift = (beta ? (double)beta[channel] : 0.0) - mean * *scale;
}

double dcnn_net_momentum(const dcnn_net *net) {
    double momentum = 0.0;
    for (int i = 0; i < net->node_count; i++)
        if (net->nodes[i].layer == &dcnn_layer_batch_normalization)
            momentum = fmax(momentum, ((const batch_normalization *)net->nodes[i].config)->momentum);
    return momentum;
}

void dcnn_net_set_momentum(dcnn_net *net, double momentum) {
    for (int i = 0; i < net->node_count; i++)
        if (net->nodes[i].layer == &dcnn_layer_batch_normalization)
            ((batch_normalization *)net->nodes[i].config)->momentum = momentum;
}

static bool may_be_half(const dcnn_op *op) {
    return op->head->bf16 && is_last(op);
}

static const dcnn_op_kind op_kind = {
    .name = "batch norm",
    .backward_reads_x = true,
    .may_be_half = may_be_half,
    .measure = measure,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .forward_sums = forward_sums,
    .forward_agreed = forward_agreed,
    .forward_settled = forward_settled,
    .backward_sums = backward_sums,
    .backward_agreed = backward_agreed,
};

/* --- BatchNormalization, ReLU, MaxPooling2D 2x2, or both of these, as one operation ------------------------------- */

/* op->head is the first, op->node the last. */

bool dcnn_norm_relu_matches(const dcnn_node *normalization, const dcnn_node *activation) {
    return normalization->layer == &dcnn_layer_batch_normalization &&
           ((const batch_normalization *)normalization->config)->lasts == 0 &&
           activation->layer->op == &dcnn_op_activation && activation->layer->activation(activation).kind == DCNN_RELU;
}

static bool fused_may_be_half(const dcnn_op *op) {
    return op->head->bf16 && op->node->bf16;
}

static void fused_measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    measure(op, kernels, grain);
    const bool pooled = op->node->layer == &dcnn_layer_max_pooling2d;
    op->saved_bytes = op->training && pooled ? (size_t)grain * dcnn_shape_count(op->node->shape) : 0;
}

const dcnn_op_kind dcnn_op_norm_relu = {
    .name = "batch norm+relu",
    .backward_reads_x = true,
    .may_be_half = fused_may_be_half,
    .measure = fused_measure,
    .prepare = prepare,
    .forward = fused_forward,
    .backward = fused_backward,
    .forward_sums = forward_sums,
    .forward_agreed = forward_agreed,
    .forward_settled = forward_settled,
    .backward_sums = fused_backward_sums,
    .backward_agreed = backward_agreed,
};

/* --- Conv2D of few channels, BatchNormalization, ReLU and MaxPooling2D 2x2 as one operation ----------------------- */

/* In training. op->conv is the first, op->head the second, op->node the last; nothing before the convolution learns.
 *
 * With p of a position the inputs under the filter and a 1, and w of a channel its filter and bias, the convolution's
 * output is z = w p: linear. So all that is summed over all positions follows from the sum of p p^T (patch_products):
 * the sums of z and z^2, which make the statistics, and those of z p in the filter's gradient. z itself is never
 * made: with the statistics, scale and shift go into the filters, and what is left is the fused convolution + ReLU +
 * MaxPooling, backward over one cell a window. op->shared: the vectors, the filters with the scale in them, their
 * biases, both packed. Saved: the codes, and sum of g p of the gradient g in front of the ReLU. */

enum { KERNEL, BIAS };

static size_t in_lines(size_t floats) {
    return (floats + 15) / 16 * 16;
}

/* Values of a patch without the 1. */
static size_t patch_of(const dcnn_conv *shape) {
    return (size_t)(9 * shape->c);
}

static float *scaled_filters(const dcnn_op *op) {
    return op->shared + in_lines((size_t)SHARED_VECTORS * (size_t)channels_of(op));
}

static float *scaled_biases(const dcnn_op *op, const dcnn_conv *shape) {
    return scaled_filters(op) + in_lines(patch_of(shape) * (size_t)shape->k);
}

static float *packed_filters(const dcnn_op *op, const dcnn_conv *shape) {
    return scaled_biases(op, shape) + in_lines((size_t)shape->k);
}

static void conv_norm_measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    const dcnn_conv shape = dcnn_conv_shape(op->conv, op->in, grain);
    const size_t k = (size_t)shape.k, patch = patch_of(&shape);
    op->sum_count = 2 * shape.k;
    op->scratch_floats = kernels->conv_pool_scratch(&shape);
    op->shared_floats =
        in_lines((size_t)SHARED_VECTORS * k) + in_lines(patch * k) + in_lines(k) + kernels->conv_pool_packed(&shape);
    op->saved_bytes = (patch + 1) * k * sizeof(float) + (size_t)grain * dcnn_shape_count(op->node->shape);
}

static float *saved_gradient(const dcnn_pass *pass) {
    return pass->saved;
}

static uint8_t *saved_codes(const dcnn_pass *pass, const dcnn_conv *shape) {
    return (uint8_t *)pass->saved + (patch_of(shape) + 1) * (size_t)shape->k * sizeof(float);
}

/* w of a channel, its bias last; 0 without one. */
static void take_filter(const dcnn_pass *pass, const dcnn_conv *shape, int k, double *filter) {
    const float *kernel = dcnn_pass_param(pass, pass->op->conv, KERNEL);
    const float *bias = dcnn_pass_param(pass, pass->op->conv, BIAS);
    const size_t patch = patch_of(shape);
    for (size_t i = 0; i < patch; i++) filter[i] = (double)kernel[i * (size_t)shape->k + (size_t)k];
    filter[patch] = bias ? (double)bias[k] : 0.0;
}

/* The sum of z p of a channel. */
static void multiply_filter(size_t patch, const double *products, const double *filter, double *out) {
    for (size_t i = 0; i <= patch; i++) {
        out[i] = 0.0;
        for (size_t j = 0; j <= patch; j++) out[i] += products[i * (patch + 1) + j] * filter[j];
    }
}

static void conv_norm_forward_sums(const dcnn_pass *pass) {
    const dcnn_conv shape = dcnn_conv_shape(pass->op->conv, pass->op->in, pass->n);
    const size_t patch = patch_of(&shape);
    double products[DCNN_PATCH * DCNN_PATCH], filter[DCNN_PATCH], sums[DCNN_PATCH];
    pass->kernels->patch_products(&shape, pass->x[0], products);
    for (int k = 0; k < shape.k; k++) {
        double squares = 0.0;
        take_filter(pass, &shape, k, filter);
        multiply_filter(patch, products, filter, sums);
        for (size_t i = 0; i <= patch; i++) squares += filter[i] * sums[i];
        pass->sums[k] = sums[patch];
        pass->sums[shape.k + k] = squares;
    }
}

static void conv_norm_forward_agreed(const dcnn_op *op, dcnn_net *net, const double *totals, int64_t samples) {
    const dcnn_conv shape = dcnn_conv_shape(op->conv, op->in, 1);
    const float *kernel = values(net, op->conv, KERNEL), *bias = values(net, op->conv, BIAS);
    float *filters = scaled_filters(op), *biases = scaled_biases(op, &shape);
    const size_t k_count = (size_t)shape.k;
    forward_agreed(op, net, totals, samples);
    for (size_t i = 0; i < patch_of(&shape) * k_count; i++) filters[i] = kernel[i] * shared(op, SCALE)[i % k_count];
    for (size_t k = 0; k < k_count; k++)
        biases[k] = (bias ? bias[k] * shared(op, SCALE)[k] : 0.0f) + shared(op, SHIFT)[k];
    op->kernels->conv_pool_pack(&shape, filters, packed_filters(op, &shape), 0, 1);
}

static void conv_norm_forward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const dcnn_conv shape = dcnn_conv_shape(op->conv, op->in, pass->n);
    pass->kernels->conv_pool_forward(&shape, pass->x[0], NULL, NULL, packed_filters(op, &shape),
                                     scaled_biases(op, &shape), pass->y, saved_codes(pass, &shape), pass->scratch);
}

/* Of g in front of the ReLU: the sum of g p; from it those of g and of g z, where the bias cancels against the mean. */
static void conv_norm_backward_sums(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const dcnn_conv shape = dcnn_conv_shape(op->conv, op->in, pass->n);
    const size_t patch = patch_of(&shape), k_count = (size_t)shape.k;
    float *gradient = saved_gradient(pass);
    double filter[DCNN_PATCH];
    pass->kernels->conv_pool_backward(&shape, pass->x[0], NULL, NULL, packed_filters(op, &shape),
                                      saved_codes(pass, &shape), pass->dy, NULL, gradient, gradient + patch * k_count,
                                      pass->scratch);
    for (size_t k = 0; k < k_count; k++) {
        const double sum = (double)gradient[patch * k_count + k];
        double product = 0.0;
        take_filter(pass, &shape, (int)k, filter);
        for (size_t i = 0; i < patch; i++) product += filter[i] * (double)gradient[i * k_count + k];
        pass->sums[k] = sum;
        pass->sums[k_count + k] =
            (product - ((double)shared(op, MEAN)[k] - filter[patch]) * sum) * (double)shared(op, INVERSE_DEVIATION)[k];
    }
    take_parameter_gradients(pass);
}

/* The gradient of z is a g + b z + e. */
static void conv_norm_backward(const dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    const dcnn_conv shape = dcnn_conv_shape(op->conv, op->in, pass->n);
    const size_t patch = patch_of(&shape), k_count = (size_t)shape.k;
    float *dkernel = dcnn_pass_dparam(pass, op->conv, KERNEL), *dbias = dcnn_pass_dparam(pass, op->conv, BIAS);
    const float *gradient = saved_gradient(pass);
    double products[DCNN_PATCH * DCNN_PATCH], filter[DCNN_PATCH], sums[DCNN_PATCH];
    if (dkernel == NULL && dbias == NULL) return;
    pass->kernels->patch_products(&shape, pass->x[0], products);
    for (size_t k = 0; k < k_count; k++) {
        const double a = (double)shared(op, A)[k], b = (double)shared(op, B)[k], e = (double)shared(op, E)[k];
        take_filter(pass, &shape, (int)k, filter);
        multiply_filter(patch, products, filter, sums);
        for (size_t i = 0; i <= patch; i++) {
            const double sum =
                a * (double)gradient[i * k_count + k] + b * sums[i] + e * products[i * (patch + 1) + patch];
            if (i < patch && dkernel)
                dkernel[i * k_count + k] = (float)sum;
            else if (i == patch && dbias)
                dbias[k] = (float)sum;
        }
    }
}

const dcnn_op_kind dcnn_op_conv_norm_pool = {
    .name = "conv+batch norm+pool",
    .backward_reads_x = true,
    .measure = conv_norm_measure,
    .prepare = prepare,
    .forward = conv_norm_forward,
    .backward = conv_norm_backward,
    .forward_sums = conv_norm_forward_sums,
    .forward_agreed = conv_norm_forward_agreed,
    .forward_settled = forward_settled,
    .backward_sums = conv_norm_backward_sums,
    .backward_agreed = backward_agreed,
};

bool dcnn_batch_normalization_is_last(const dcnn_node *node) {
    return node->layer == &dcnn_layer_batch_normalization && ((const batch_normalization *)node->config)->lasts == 0;
}

const dcnn_layer dcnn_layer_batch_normalization = {
    .class_name = "BatchNormalization",
    .config_bytes = sizeof(batch_normalization),
    .parse = parse,
    .build = build,
    .describe = describe,
    .op = &op_kind,
    .synchronised = true,
};
