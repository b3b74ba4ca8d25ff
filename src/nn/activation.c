/* SPDX-License-Identifier: BSD-3-Clause */
/* activation.c — the table of activations. */
#include "nn/activation.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name, *other_name;
    bool reads_x;
    dcnn_function function; /* of rows that read x */
    float p[3];
} rows[DCNN_ACTIVATION_COUNT] = {
    [DCNN_LINEAR] = {.name = "linear"},
    [DCNN_RELU] = {.name = "relu"},
    [DCNN_SIGMOID] = {.name = "sigmoid"},
    [DCNN_TANH] = {.name = "tanh"},
    [DCNN_SOFTMAX] = {.name = "softmax"},
    [DCNN_RELU6] = {"relu6", NULL, true, DCNN_FUNCTION_RELU, {6.0f, 0.0f, 0.0f}},
    [DCNN_LEAKY_RELU] = {"leaky_relu", NULL, true, DCNN_FUNCTION_RELU, {INFINITY, 0.2f, 0.0f}},
    [DCNN_GENERAL_RELU] = {NULL, NULL, true, DCNN_FUNCTION_RELU, {INFINITY, 0.0f, 0.0f}},
    [DCNN_ELU] = {"elu", NULL, true, DCNN_FUNCTION_ELU, {1.0f}},
    [DCNN_SELU] = {"selu", NULL, true, DCNN_FUNCTION_SELU, {0}},
    [DCNN_CELU] = {"celu", NULL, true, DCNN_FUNCTION_CELU, {1.0f}},
    [DCNN_GELU] = {"gelu", NULL, true, DCNN_FUNCTION_GELU, {0}},
    [DCNN_GELU_TANH] = {NULL, NULL, true, DCNN_FUNCTION_GELU_TANH, {0}},
    [DCNN_SILU] = {"silu", "swish", true, DCNN_FUNCTION_SILU, {0}},
    [DCNN_HARD_SILU] = {"hard_silu", "hard_swish", true, DCNN_FUNCTION_HARD_SILU, {0}},
    [DCNN_HARD_SIGMOID] = {"hard_sigmoid", NULL, true, DCNN_FUNCTION_HARD_SIGMOID, {0}},
    [DCNN_HARD_TANH] = {"hard_tanh", NULL, true, DCNN_FUNCTION_HARD_TANH, {0}},
    [DCNN_SOFTPLUS] = {"softplus", NULL, true, DCNN_FUNCTION_SOFTPLUS, {0}},
    [DCNN_SOFTSIGN] = {"softsign", NULL, true, DCNN_FUNCTION_SOFTSIGN, {0}},
    [DCNN_LOG_SIGMOID] = {"log_sigmoid", NULL, true, DCNN_FUNCTION_LOG_SIGMOID, {0}},
    [DCNN_EXPONENTIAL] = {"exponential", NULL, true, DCNN_FUNCTION_EXPONENTIAL, {0}},
    [DCNN_MISH] = {"mish", NULL, true, DCNN_FUNCTION_MISH, {0}},
};

dcnn_activation dcnn_activation_of(dcnn_activation_kind kind) {
    return (dcnn_activation){kind, {rows[kind].p[0], rows[kind].p[1], rows[kind].p[2]}};
}

dcnn_activation_kind dcnn_activation_find(const char *name) {
    int kind = 0;
    while (kind < DCNN_ACTIVATION_COUNT && (rows[kind].name == NULL || strcmp(rows[kind].name, name) != 0) &&
           (rows[kind].other_name == NULL || strcmp(rows[kind].other_name, name) != 0))
        kind++;
    return (dcnn_activation_kind)kind;
}

const char *dcnn_activation_name(dcnn_activation_kind kind) {
    return rows[kind].name;
}

bool dcnn_activation_reads_x(dcnn_activation_kind kind) {
    return rows[kind].reads_x;
}

bool dcnn_activation_is_monotone(const dcnn_activation *activation) {
    switch (activation->kind) {
    case DCNN_LEAKY_RELU:
    case DCNN_GENERAL_RELU:
        return activation->p[1] >= 0.0f && activation->p[2] == 0.0f; /* the slope below a threshold of 0 */
    case DCNN_ELU:
    case DCNN_CELU:
        return activation->p[0] > 0.0f;
    case DCNN_SOFTMAX:
        return false;
    default:
        return !dcnn_activation_has_valley(activation);
    }
}

bool dcnn_activation_has_valley(const dcnn_activation *activation) {
    switch (activation->kind) {
    case DCNN_GELU:
    case DCNN_GELU_TANH:
    case DCNN_SILU:
    case DCNN_HARD_SILU:
    case DCNN_MISH:
        return true;
    default:
        return false;
    }
}

void dcnn_activation_take_better(const dcnn_kernels *kernels, const dcnn_activation *activation, size_t count,
                                 const float *x, float *y, float *slope, uint8_t *codes) {
    kernels->take_better(rows[activation->kind].function, count, x, y, slope, codes);
}

void dcnn_activation_forward(const dcnn_kernels *kernels, const dcnn_activation *activation, size_t height, int columns,
                             const float *x, float *y) {
    const size_t count = height * (size_t)columns;
    switch (activation->kind) {
    case DCNN_LINEAR:
        if (y != x) memcpy(y, x, count * sizeof *y);
        break;
    case DCNN_RELU:
        kernels->relu_forward(count, x, y);
        break;
    case DCNN_SIGMOID:
        kernels->sigmoid_forward(count, x, y);
        break;
    case DCNN_TANH:
        kernels->tanh_forward(count, x, y);
        break;
    case DCNN_SOFTMAX:
        kernels->softmax_forward(height, columns, x, y);
        break;
    default:
        kernels->function_forward(rows[activation->kind].function, activation->p, count, x, y);
        break;
    }
}

void dcnn_activation_backward(const dcnn_kernels *kernels, const dcnn_activation *activation, size_t height,
                              int columns, const float *x, const float *y, const float *dy, float *dx) {
    const size_t count = height * (size_t)columns;
    switch (activation->kind) {
    case DCNN_LINEAR:
        if (dx != dy) memcpy(dx, dy, count * sizeof *dx);
        break;
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
        kernels->softmax_backward(height, columns, y, dy, dx);
        break;
    default:
        kernels->function_backward(rows[activation->kind].function, activation->p, count, x, dy, dx);
        break;
    }
}
