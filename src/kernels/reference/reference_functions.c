/* SPDX-License-Identifier: BSD-3-Clause */
/* reference_functions.c — activations that read what they are applied to, in double, by Keras' definitions. */
#include <math.h>

#include "kernels/register.h"

/* Klambauer et al., Self-Normalizing Neural Networks, 2017 */
static const double selu_scale = 1.0507009873554804934193349852946, selu_alpha = 1.6732632423543772848170429916717;

static double logistic(double x) {
    return 1.0 / (1.0 + exp(-x));
}

static double softplus(double x) {
    return log1p(exp(-fabs(x))) + (x > 0 ? x : 0.0);
}

/* The density and the distribution of a standard normal deviate. */
static double normal_density(double x) {
    return exp(-0.5 * x * x) * 0.39894228040143267794;
}

static double normal_distribution(double x) {
    return 0.5 * erfc(-x * 0.70710678118654752440);
}

/* Hendrycks and Gimpel's approximation: x (1 + tanh(u)) / 2 with u a cubic of x. */
static double gelu_inner(double x) {
    return 0.79788456080286535588 * (x + 0.044715 * x * x * x);
}

static double value_of(dcnn_function function, const float *p, double x) {
    switch (function) {
    case DCNN_FUNCTION_RELU:
        return x >= (double)p[0] ? (double)p[0] : x >= (double)p[2] ? x : (double)p[1] * (x - (double)p[2]);
    case DCNN_FUNCTION_ELU:
        return x > 0 ? x : (double)p[0] * expm1(x);
    case DCNN_FUNCTION_CELU:
        return x > 0 ? x : (double)p[0] * expm1(x / (double)p[0]);
    case DCNN_FUNCTION_SELU:
        return selu_scale * (x > 0 ? x : selu_alpha * expm1(x));
    case DCNN_FUNCTION_GELU:
        return x * normal_distribution(x);
    case DCNN_FUNCTION_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(gelu_inner(x)));
    case DCNN_FUNCTION_SILU:
        return x * logistic(x);
    case DCNN_FUNCTION_HARD_SILU:
        return x <= -3 ? 0.0 : x >= 3 ? x : x * (x + 3) / 6;
    case DCNN_FUNCTION_HARD_SIGMOID:
        return x <= -3 ? 0.0 : x >= 3 ? 1.0 : (x + 3) / 6;
    case DCNN_FUNCTION_HARD_TANH:
        return x <= -1 ? -1.0 : x >= 1 ? 1.0 : x;
    case DCNN_FUNCTION_SOFTPLUS:
        return softplus(x);
    case DCNN_FUNCTION_SOFTSIGN:
        return x / (1.0 + fabs(x));
    case DCNN_FUNCTION_LOG_SIGMOID:
        return -softplus(-x);
    case DCNN_FUNCTION_EXPONENTIAL:
        return exp(x);
    case DCNN_FUNCTION_MISH:
        return x * tanh(softplus(x));
    case DCNN_FUNCTION_COUNT:
        break;
    }
    return x;
}

static double slope_of(dcnn_function function, const float *p, double x) {
    switch (function) {
    case DCNN_FUNCTION_RELU:
        return x >= (double)p[0] ? 0.0 : x >= (double)p[2] ? 1.0 : (double)p[1];
    case DCNN_FUNCTION_ELU:
        return x > 0 ? 1.0 : (double)p[0] * exp(x);
    case DCNN_FUNCTION_CELU:
        return x > 0 ? 1.0 : exp(x / (double)p[0]);
    case DCNN_FUNCTION_SELU:
        return selu_scale * (x > 0 ? 1.0 : selu_alpha * exp(x));
    case DCNN_FUNCTION_GELU:
        return normal_distribution(x) + x * normal_density(x);
    case DCNN_FUNCTION_GELU_TANH: {
        const double t = tanh(gelu_inner(x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.79788456080286535588 * (1 + 3 * 0.044715 * x * x);
    }
    case DCNN_FUNCTION_SILU:
        return logistic(x) * (1 + x * (1 - logistic(x)));
    case DCNN_FUNCTION_HARD_SILU:
        return x <= -3 ? 0.0 : x >= 3 ? 1.0 : (2 * x + 3) / 6;
    case DCNN_FUNCTION_HARD_SIGMOID:
        return x <= -3 || x >= 3 ? 0.0 : 1.0 / 6;
    case DCNN_FUNCTION_HARD_TANH:
        return x <= -1 || x >= 1 ? 0.0 : 1.0;
    case DCNN_FUNCTION_SOFTPLUS:
        return logistic(x);
    case DCNN_FUNCTION_SOFTSIGN:
        return 1.0 / ((1.0 + fabs(x)) * (1.0 + fabs(x)));
    case DCNN_FUNCTION_LOG_SIGMOID:
        return logistic(-x);
    case DCNN_FUNCTION_EXPONENTIAL:
        return exp(x);
    case DCNN_FUNCTION_MISH: {
        const double t = tanh(softplus(x));
        return t + x * (1 - t * t) * logistic(x);
    }
    case DCNN_FUNCTION_COUNT:
        break;
    }
    return 1.0;
}

static void function_forward(dcnn_function function, const float *p, size_t count, const float *x, float *y) {
    for (size_t i = 0; i < count; i++) y[i] = (float)value_of(function, p, (double)x[i]);
}

static void function_backward(dcnn_function function, const float *p, size_t count, const float *x, const float *dy,
                              float *dx) {
    for (size_t i = 0; i < count; i++) dx[i] = (float)((double)dy[i] * slope_of(function, p, (double)x[i]));
}

static void take_better(dcnn_function function, size_t count, const float *x, float *y, float *slope, uint8_t *codes) {
    for (size_t i = 0; i < count; i++) {
        const double first = value_of(function, NULL, (double)x[i]),
                     second = value_of(function, NULL, (double)x[count + i]);
        const bool takes = second > first;
        y[i] = (float)(takes ? second : first);
        if (slope == NULL) continue;
        slope[i] = (float)slope_of(function, NULL, (double)x[takes ? count + i : i]);
        if (takes) codes[i] = codes[count + i];
    }
}

static void scale_by(size_t count, const float *factors, const float *dy, float *dx) {
    for (size_t i = 0; i < count; i++) dx[i] = factors[i] * dy[i];
}

void dcnn_register_reference_functions(dcnn_kernels *table) {
    table->take_better = take_better;
    table->scale_by = scale_by;
    table->function_forward = function_forward;
    table->function_backward = function_backward;
}
