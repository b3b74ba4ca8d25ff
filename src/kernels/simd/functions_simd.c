/* SPDX-License-Identifier: BSD-3-Clause */
/* functions_simd.c — activations that read what they are applied to, in vectors; reference_functions.c has their
 * sources. */
#include "kernels/register.h"
#include "kernels/simd/exponential_simd.h"

/* Klambauer et al., Self-Normalizing Neural Networks, 2017 */
static const float selu_scale = 1.0507009873554805f, selu_alpha = 1.6732632423543773f;

#define INLINE static inline __attribute__((always_inline))

INLINE simd_float where_positive(simd_float x, simd_float then, simd_float otherwise) {
    return simd_select(simd_greater(x, simd_zero()), then, otherwise);
}

/* x held between two bounds; a NaN passes. */
INLINE simd_float hold(simd_float x, float low, float high) {
    const simd_float least = simd_splat(low), most = simd_splat(high);
    x = simd_select(simd_greater(least, x), least, x);
    return simd_select(simd_greater(x, most), most, x);
}

/* 1 where low < x < high, or else 0. */
INLINE simd_float is_between(simd_float x, float low, float high) {
    const simd_float above = simd_select(simd_greater(x, simd_splat(low)), simd_splat(1.0f), simd_zero());
    return simd_select(simd_greater(simd_splat(high), x), above, simd_zero());
}

/* tanh(softplus(x)) = (e^2 + 2 e) / (e^2 + 2 e + 2) with e = exp(x); 1 from 20 on. */
INLINE simd_float mish_inner(simd_float x) {
    const simd_float most = simd_splat(20.0f), e = exponential(simd_select(simd_greater(x, most), most, x));
    const simd_float sum = e * (e + 2.0f);
    return sum / (sum + 2.0f);
}

/* The normal distribution, (1 + erf(x / sqrt 2)) / 2, within 4e-7: erf by N. Juffa's polynomials (2016), of the
 * argument itself near 0 and of the logarithm of what is missing to 1 beyond. */
INLINE simd_float normal_distribution(simd_float x) {
    const simd_float z = 0.70710678f * x, t = absolute(z), square = z * z;
    simd_float near = simd_scaled_sum(-5.96761703e-4f, square, simd_splat(4.99119423e-3f));
    near = simd_multiply_add(near, square, simd_splat(-2.67681349e-2f));
    near = simd_multiply_add(near, square, simd_splat(1.12819925e-1f));
    near = simd_multiply_add(near, square, simd_splat(-3.76125336e-1f));
    near = simd_multiply_add(near, square, simd_splat(1.28379166e-1f));
    near = simd_scaled_sum(0.5f, simd_multiply_add(near, z, z), simd_splat(0.5f));
    const simd_float high = simd_scaled_sum(-1.72853470e-5f, t, simd_splat(3.83197126e-4f));
    const simd_float low = simd_scaled_sum(-3.88396438e-3f, t, simd_splat(2.42546219e-2f));
    simd_float far = simd_multiply_add(high, square, low);
    far = simd_multiply_add(far, t, simd_splat(-1.06777877e-1f));
    far = simd_multiply_add(far, t, simd_splat(-6.34846687e-1f));
    far = simd_multiply_add(far, t, simd_splat(-1.28717512e-1f));
    far = 0.5f * exponential(simd_multiply_add(far, t, -t));
    far = where_positive(x, 1.0f - far, far);
    return simd_select(simd_greater(t, simd_splat(0.927734375f)), far, near);
}

INLINE simd_float normal_density(simd_float x) {
    return 0.39894228f * exponential(-0.5f * x * x);
}

/* As exponential(), but on to infinity and to 0. */
INLINE simd_float unbounded_exponential(simd_float x) {
    const simd_float root = exponential(0.5f * x);
    return root * root;
}

/* 1 - t^2 */
INLINE simd_float one_minus_square(simd_float t) {
    return simd_multiply_add(-t, t, simd_splat(1.0f));
}

INLINE simd_float gelu_inner(simd_float x) {
    return 0.79788456080286536f * simd_multiply_add(0.044715f * x * x, x, x);
}

INLINE simd_float value_of(const dcnn_function function, const float *p, simd_float x) {
    switch (function) {
    case DCNN_FUNCTION_RELU: {
        const simd_float below = p[1] * (x - p[2]);
        const simd_float value = simd_select(simd_greater(simd_splat(p[2]), x), below, x);
        return simd_select(simd_greater(x, simd_splat(p[0])), simd_splat(p[0]), value);
    }
    case DCNN_FUNCTION_ELU:
        return where_positive(x, x, p[0] * exponential_minus_one(x));
    case DCNN_FUNCTION_CELU:
        return where_positive(x, x, p[0] * exponential_minus_one(x / p[0]));
    case DCNN_FUNCTION_SELU:
        return selu_scale * where_positive(x, x, selu_alpha * exponential_minus_one(x));
    case DCNN_FUNCTION_GELU:
        return x * normal_distribution(x);
    case DCNN_FUNCTION_GELU_TANH:
        return 0.5f * x * (1.0f + hyperbolic_tangent(gelu_inner(x)));
    case DCNN_FUNCTION_SILU:
        return x * logistic(x);
    case DCNN_FUNCTION_HARD_SILU:
        return x * (hold(x + 3.0f, 0.0f, 6.0f) / 6.0f);
    case DCNN_FUNCTION_HARD_SIGMOID:
        return hold(x + 3.0f, 0.0f, 6.0f) / 6.0f;
    case DCNN_FUNCTION_HARD_TANH:
        return hold(x, -1.0f, 1.0f);
    case DCNN_FUNCTION_SOFTPLUS:
        return softplus(x);
    case DCNN_FUNCTION_SOFTSIGN:
        return x / (1.0f + absolute(x));
    case DCNN_FUNCTION_LOG_SIGMOID:
        return -softplus(-x);
    case DCNN_FUNCTION_EXPONENTIAL:
        return unbounded_exponential(x);
    case DCNN_FUNCTION_MISH:
        return x * mish_inner(x);
    default:
        return x;
    }
}

INLINE simd_float slope_of(const dcnn_function function, const float *p, simd_float x) {
    switch (function) {
    case DCNN_FUNCTION_RELU: {
        const simd_float slope = simd_select(simd_greater(simd_splat(p[2]), x), simd_splat(p[1]), simd_splat(1.0f));
        return simd_select(simd_greater(simd_splat(p[0]), x), slope, simd_zero());
    }
    case DCNN_FUNCTION_ELU:
        return where_positive(x, simd_splat(1.0f), p[0] * exponential(x));
    case DCNN_FUNCTION_CELU:
        return where_positive(x, simd_splat(1.0f), exponential(x / p[0]));
    case DCNN_FUNCTION_SELU:
        return selu_scale * where_positive(x, simd_splat(1.0f), selu_alpha * exponential(x));
    case DCNN_FUNCTION_GELU:
        return simd_multiply_add(x, normal_density(x), normal_distribution(x));
    case DCNN_FUNCTION_GELU_TANH: {
        const simd_float t = hyperbolic_tangent(gelu_inner(x));
        const simd_float bend = simd_multiply_add(3.0f * 0.044715f * x, x, simd_splat(1.0f));
        return 0.5f * (1.0f + t) + 0.5f * x * one_minus_square(t) * 0.79788456080286536f * bend;
    }
    case DCNN_FUNCTION_SILU: {
        const simd_float l = logistic(x);
        return l * simd_multiply_add(x, 1.0f - l, simd_splat(1.0f));
    }
    case DCNN_FUNCTION_HARD_SILU:
        return simd_select(simd_greater(simd_splat(3.0f), x),
                           is_between(x, -3.0f, 3.0f) * (simd_scaled_sum(2.0f, x, simd_splat(3.0f)) / 6.0f),
                           simd_splat(1.0f));
    case DCNN_FUNCTION_HARD_SIGMOID:
        return is_between(x, -3.0f, 3.0f) / 6.0f;
    case DCNN_FUNCTION_HARD_TANH:
        return is_between(x, -1.0f, 1.0f);
    case DCNN_FUNCTION_SOFTPLUS:
        return logistic(x);
    case DCNN_FUNCTION_SOFTSIGN: {
        const simd_float size = 1.0f + absolute(x);
        return 1.0f / (size * size);
    }
    case DCNN_FUNCTION_LOG_SIGMOID:
        return logistic(-x);
    case DCNN_FUNCTION_EXPONENTIAL:
        return unbounded_exponential(x);
    case DCNN_FUNCTION_MISH: {
        const simd_float t = mish_inner(x);
        return simd_multiply_add(x * one_minus_square(t), logistic(x), t);
    }
    default:
        return simd_splat(1.0f);
    }
}

INLINE void forward_of(const dcnn_function function, const float *p, size_t count, const float *x, float *y) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        simd_put(y + i, lanes, value_of(function, p, simd_take(x + i, lanes)));
    }
}

INLINE void backward_of(const dcnn_function function, const float *p, size_t count, const float *x, const float *dy,
                        float *dx) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        simd_put(dx + i, lanes, simd_take(dy + i, lanes) * slope_of(function, p, simd_take(x + i, lanes)));
    }
}

/* Each row a loop of its own. */
/* clang-format off */
#define EACH_FUNCTION(X)                                                                                               \
    X(RELU) X(ELU) X(CELU) X(SELU) X(GELU) X(GELU_TANH) X(SILU) X(HARD_SILU) X(HARD_SIGMOID) X(HARD_TANH) X(SOFTPLUS)  \
    X(SOFTSIGN) X(LOG_SIGMOID) X(EXPONENTIAL) X(MISH)
/* clang-format on */

static void function_forward(dcnn_function function, const float *p, size_t count, const float *x, float *y) {
    switch (function) {
#define FORWARD(name)                                                                                                  \
    case DCNN_FUNCTION_##name:                                                                                         \
        forward_of(DCNN_FUNCTION_##name, p, count, x, y);                                                              \
        break;
        EACH_FUNCTION(FORWARD)
    case DCNN_FUNCTION_COUNT:
        break;
    }
}

static void function_backward(dcnn_function function, const float *p, size_t count, const float *x, const float *dy,
                              float *dx) {
    switch (function) {
#define BACKWARD(name)                                                                                                 \
    case DCNN_FUNCTION_##name:                                                                                         \
        backward_of(DCNN_FUNCTION_##name, p, count, x, dy, dx);                                                        \
        break;
        EACH_FUNCTION(BACKWARD)
    case DCNN_FUNCTION_COUNT:
        break;
    }
}

void DCNN_SIMD_NAME(dcnn_register_functions)(dcnn_kernels *table) {
    table->function_forward = function_forward;
    table->function_backward = function_backward;
}
