/* SPDX-License-Identifier: BSD-3-Clause */
/* functions_simd.c — activations that read what they are applied to, in vectors; reference_functions.c has their
 * sources. */
#include "kernels/register.h"
#include "kernels/simd/exponential_simd.h"
#include "kernels/simd/window_simd.h"

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

/* As exponential(), but on to infinity and to 0. */
INLINE simd_float unbounded_exponential(simd_float x) {
    const simd_float root = exponential(0.5f * x);
    return root * root;
}

/* 1 - t^2 */
INLINE simd_float one_minus_square(simd_float t) {
    return simd_multiply_add(-t, t, simd_splat(1.0f));
}

/* --- functions that fall and then rise ---------------------------------------------------------------------------- */

/* They are made of an exponential, an inner part that value and slope share, and a second exponential of the slope's.
 * Each of these is a loop of its own over a block of values in L1: in one the chain of dependent operations would be
 * longer than what a core looks ahead. On a Zen 3, one core, GELU took 38 cycles a vector. */

enum { BLOCK = 256 };

/* The normal distribution, (1 + erf(x / sqrt 2)) / 2, within 4e-7: erf by N. Juffa's polynomials (2016), of the
 * argument itself near 0 and, beyond, of the logarithm of what is missing to 1, which this is. */
INLINE simd_float normal_exponent(simd_float x) {
    const simd_float t = absolute(0.70710678f * x), square = t * t;
    const simd_float high = simd_scaled_sum(-1.72853470e-5f, t, simd_splat(3.83197126e-4f));
    const simd_float low = simd_scaled_sum(-3.88396438e-3f, t, simd_splat(2.42546219e-2f));
    simd_float far = simd_multiply_add(high, square, low);
    far = simd_multiply_add(far, t, simd_splat(-1.06777877e-1f));
    far = simd_multiply_add(far, t, simd_splat(-6.34846687e-1f));
    far = simd_multiply_add(far, t, simd_splat(-1.28717512e-1f));
    return simd_multiply_add(far, t, -t);
}

INLINE simd_float normal_distribution_by(simd_float x, simd_float missing) {
    const simd_float z = 0.70710678f * x, square = z * z, half = 0.5f * missing;
    simd_float near = simd_scaled_sum(-5.96761703e-4f, square, simd_splat(4.99119423e-3f));
    near = simd_multiply_add(near, square, simd_splat(-2.67681349e-2f));
    near = simd_multiply_add(near, square, simd_splat(1.12819925e-1f));
    near = simd_multiply_add(near, square, simd_splat(-3.76125336e-1f));
    near = simd_multiply_add(near, square, simd_splat(1.28379166e-1f));
    near = simd_scaled_sum(0.5f, simd_multiply_add(near, z, z), simd_splat(0.5f));
    const simd_float far = where_positive(x, 1.0f - half, half);
    return simd_select(simd_greater(absolute(z), simd_splat(0.927734375f)), far, near);
}

INLINE simd_float gelu_inner(simd_float x) {
    return 0.79788456080286536f * simd_multiply_add(0.044715f * x * x, x, x);
}

/* What is exponentiated. */
INLINE simd_float exponent_of(const dcnn_function function, simd_float x) {
    switch (function) {
    case DCNN_FUNCTION_GELU:
        return normal_exponent(x);
    case DCNN_FUNCTION_GELU_TANH: {
        const simd_float size = absolute(gelu_inner(x));
        return size + size;
    }
    case DCNN_FUNCTION_SILU:
        return -x;
    default: {
        const simd_float most = simd_splat(20.0f);
        return simd_select(simd_greater(x, most), most, x);
    }
    }
}

/* What value and slope share. Mish: tanh(softplus(x)) = (e^2 + 2 e) / (e^2 + 2 e + 2) with e = exp(x); 1 from 20 on. */
INLINE simd_float inner_by(const dcnn_function function, simd_float x, simd_float e) {
    switch (function) {
    case DCNN_FUNCTION_GELU:
        return normal_distribution_by(x, e);
    case DCNN_FUNCTION_GELU_TANH:
        return hyperbolic_tangent_by(gelu_inner(x), e);
    case DCNN_FUNCTION_SILU:
        return 1.0f / (1.0f + e);
    case DCNN_FUNCTION_HARD_SILU:
        return hold(x + 3.0f, 0.0f, 6.0f) / 6.0f;
    default: {
        const simd_float sum = e * (e + 2.0f);
        return sum / (sum + 2.0f);
    }
    }
}

INLINE simd_float value_by(const dcnn_function function, simd_float x, simd_float inner) {
    return function == DCNN_FUNCTION_GELU_TANH ? 0.5f * x * (1.0f + inner) : x * inner;
}

INLINE simd_float slope_exponent(const dcnn_function function, simd_float x) {
    return function == DCNN_FUNCTION_GELU ? -0.5f * x * x : -x;
}

INLINE simd_float slope_by(const dcnn_function function, simd_float x, simd_float inner, simd_float e) {
    switch (function) {
    case DCNN_FUNCTION_GELU: /* the distribution and x times the density */
        return simd_multiply_add(x, 0.39894228f * e, inner);
    case DCNN_FUNCTION_GELU_TANH: {
        const simd_float bend = simd_multiply_add(3.0f * 0.044715f * x, x, simd_splat(1.0f));
        return 0.5f * (1.0f + inner) + 0.5f * x * one_minus_square(inner) * 0.79788456080286536f * bend;
    }
    case DCNN_FUNCTION_SILU:
        return inner * simd_multiply_add(x, 1.0f - inner, simd_splat(1.0f));
    case DCNN_FUNCTION_HARD_SILU:
        return simd_select(simd_greater(simd_splat(3.0f), x),
                           is_between(x, -3.0f, 3.0f) * (simd_scaled_sum(2.0f, x, simd_splat(3.0f)) / 6.0f),
                           simd_splat(1.0f));
    default:
        return simd_multiply_add(x * one_minus_square(inner), 1.0f / (1.0f + e), inner);
    }
}

INLINE void exponentiate(size_t count, float *e) {
    for (size_t i = 0; i < count; i += SIMD_LANES) simd_store(e + i, exponential(simd_load(e + i)));
}

/* The exponentials of a block; e has whole vectors. */
INLINE void exponentials_of(const dcnn_function function, size_t count, const float *x, float *e) {
    if (function == DCNN_FUNCTION_HARD_SILU) return;
    for (size_t i = 0; i < count; i += SIMD_LANES)
        simd_store(e + i, exponent_of(function, simd_take(x + i, simd_lanes(count, i))));
    exponentiate(count, e);
}

INLINE void slopes_of(const dcnn_function function, size_t count, const float *x, const float *inner, float *e,
                      float *slope) {
    if (function == DCNN_FUNCTION_GELU || function == DCNN_FUNCTION_MISH) {
        for (size_t i = 0; i < count; i += SIMD_LANES) simd_store(e + i, slope_exponent(function, simd_load(x + i)));
        exponentiate(count, e);
    }
    for (size_t i = 0; i < count; i += SIMD_LANES)
        simd_put(slope + i, simd_lanes(count, i),
                 slope_by(function, simd_load(x + i), simd_load(inner + i), simd_load(e + i)));
}

INLINE void valley_forward(const dcnn_function function, size_t count, const float *x, float *y) {
    float e[BLOCK] = {0};
    for (size_t first = 0; first < count; first += BLOCK, x += BLOCK, y += BLOCK) {
        const size_t length = least(BLOCK, count - first);
        exponentials_of(function, length, x, e);
        for (size_t i = 0; i < length; i += SIMD_LANES) {
            const size_t lanes = simd_lanes(length, i);
            const simd_float value = simd_take(x + i, lanes);
            simd_put(y + i, lanes, value_by(function, value, inner_by(function, value, simd_load(e + i))));
        }
    }
}

INLINE void valley_backward(const dcnn_function function, size_t count, const float *x, const float *dy, float *dx) {
    float e[BLOCK] = {0}, copy[BLOCK], inner[BLOCK], slope[BLOCK];
    for (size_t first = 0; first < count; first += BLOCK, x += BLOCK, dy += BLOCK, dx += BLOCK) {
        const size_t length = least(BLOCK, count - first);
        exponentials_of(function, length, x, e);
        for (size_t i = 0; i < length; i += SIMD_LANES) {
            const simd_float value = simd_take(x + i, simd_lanes(length, i));
            simd_store(copy + i, value);
            simd_store(inner + i, inner_by(function, value, simd_load(e + i)));
        }
        slopes_of(function, length, copy, inner, e, slope);
        for (size_t i = 0; i < length; i += SIMD_LANES) {
            const size_t lanes = simd_lanes(length, i);
            simd_put(dx + i, lanes, simd_take(dy + i, lanes) * simd_take(slope + i, lanes));
        }
    }
}

/* May one of the second arguments, none above the first, be the better one? Not where both are alike, nor where 0 lies
 * between them. */
INLINE bool may_be_better(simd_float first, simd_float second) {
    const simd_mask alike_in_sign = (simd_mask)(simd_greater(second, simd_zero()) | ~simd_greater(first, simd_zero()));
    return simd_any((simd_mask)(alike_in_sign & simd_greater(first, second)));
}

INLINE void take_better_of(const dcnn_function function, size_t count, const float *x, float *y, float *slope,
                           uint8_t *codes) {
    float e[BLOCK] = {0}, others_e[BLOCK] = {0}, others[BLOCK], taken[BLOCK], inner[BLOCK];
    size_t places[BLOCK / SIMD_LANES];
    for (size_t first = 0; first < count; first += BLOCK) {
        const size_t length = least(BLOCK, count - first);
        const float *one = x + first, *two = one + count;
        float *out = y + first;
        size_t number = 0;
        for (size_t i = 0; i < length; i += SIMD_LANES) {
            const size_t lanes = simd_lanes(length, i);
            const simd_float other = simd_take(two + i, lanes);
            simd_store(others + number * SIMD_LANES, other);
            places[number] = i;
            number += may_be_better(simd_take(one + i, lanes), other);
        }
        exponentials_of(function, length, one, e);
        exponentials_of(function, number * SIMD_LANES, others, others_e);
        for (size_t i = 0; i < length; i += SIMD_LANES) {
            const size_t lanes = simd_lanes(length, i);
            const simd_float value = simd_take(one + i, lanes), part = inner_by(function, value, simd_load(e + i));
            simd_put(out + i, lanes, value_by(function, value, part));
            simd_store(taken + i, value);
            simd_store(inner + i, part);
        }
        for (size_t k = 0; k < number; k++) {
            const size_t i = places[k], lanes = simd_lanes(length, i);
            const simd_float other = simd_load(others + k * SIMD_LANES);
            const simd_float part = inner_by(function, other, simd_load(others_e + k * SIMD_LANES));
            const simd_float best = simd_take(out + i, lanes), value = value_by(function, other, part);
            const simd_mask takes = simd_greater(value, best);
            simd_put(out + i, lanes, simd_select(takes, value, best));
            if (slope == NULL) continue;
            uint8_t *code = codes + first + i;
            store_codes(code, lanes, simd_select_int(takes, load_codes(code + count, lanes), load_codes(code, lanes)));
            simd_store(taken + i, simd_select(takes, other, simd_load(taken + i)));
            simd_store(inner + i, simd_select(takes, part, simd_load(inner + i)));
        }
        if (slope != NULL) slopes_of(function, length, taken, inner, e, slope + first);
    }
}

/* --- all others --------------------------------------------------------------------------------------------------- */

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
    X(RELU) X(ELU) X(CELU) X(SELU) X(HARD_SIGMOID) X(HARD_TANH) X(SOFTPLUS) X(SOFTSIGN) X(LOG_SIGMOID) X(EXPONENTIAL)
#define EACH_VALLEY(X) X(GELU) X(GELU_TANH) X(SILU) X(HARD_SILU) X(MISH)
/* clang-format on */

static void function_forward(dcnn_function function, const float *p, size_t count, const float *x, float *y) {
    switch (function) {
#define FORWARD(name)                                                                                                  \
    case DCNN_FUNCTION_##name:                                                                                         \
        forward_of(DCNN_FUNCTION_##name, p, count, x, y);                                                              \
        break;
        EACH_FUNCTION(FORWARD)
#define VALLEY_FORWARD(name)                                                                                           \
    case DCNN_FUNCTION_##name:                                                                                         \
        valley_forward(DCNN_FUNCTION_##name, count, x, y);                                                             \
        break;
        EACH_VALLEY(VALLEY_FORWARD)
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
#define VALLEY_BACKWARD(name)                                                                                          \
    case DCNN_FUNCTION_##name:                                                                                         \
        valley_backward(DCNN_FUNCTION_##name, count, x, dy, dx);                                                       \
        break;
        EACH_VALLEY(VALLEY_BACKWARD)
    case DCNN_FUNCTION_COUNT:
        break;
    }
}

static void take_better(dcnn_function function, size_t count, const float *x, float *y, float *slope, uint8_t *codes) {
    switch (function) {
#define TAKE_BETTER(name)                                                                                              \
    case DCNN_FUNCTION_##name:                                                                                         \
        take_better_of(DCNN_FUNCTION_##name, count, x, y, slope, codes);                                               \
        break;
        EACH_VALLEY(TAKE_BETTER)
    default:
        break;
    }
}

static void scale_by(size_t count, const float *factors, const float *dy, float *dx) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        simd_put(dx + i, lanes, simd_take(dy + i, lanes) * simd_take(factors + i, lanes));
    }
}

void DCNN_SIMD_NAME(dcnn_register_functions)(dcnn_kernels *table) {
    table->take_better = take_better;
    table->scale_by = scale_by;
    table->function_forward = function_forward;
    table->function_backward = function_backward;
}
