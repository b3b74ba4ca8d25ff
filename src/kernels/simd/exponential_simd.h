/* SPDX-License-Identifier: BSD-3-Clause */
/** @file exponential_simd.h — exponentials in vectors, for the activations. */
#ifndef DCNN_KERNELS_EXPONENTIAL_SIMD_H
#define DCNN_KERNELS_EXPONENTIAL_SIMD_H

#include "kernels/simd/simd.h"

typedef uint32_t simd_unsigned __attribute__((vector_size(4 * SIMD_LANES)));

/* exp(x) = scale * (1 + what is returned), for x in [-87, 88]. Range reduction and polynomial of Cephes' expf (Moshier
 * 1992). */
static inline simd_float exponential_parts(simd_float x, simd_float *scale) {
    const simd_float rounder = simd_splat(0x1.8p23f); /* adding it leaves the nearest integer in the low bits */
    const simd_float shifted = simd_scaled_sum(1.44269504f, x, rounder);
    const simd_float power = shifted - rounder;
    const simd_float rest = simd_scaled_sum(2.12194440e-4f, power, simd_scaled_sum(-0.693359375f, power, x));
    simd_float p = simd_scaled_sum(1.9875691500e-4f, rest, simd_splat(1.3981999507e-3f));
    p = simd_multiply_add(p, rest, simd_splat(8.3334519073e-3f));
    p = simd_multiply_add(p, rest, simd_splat(4.1665795894e-2f));
    p = simd_multiply_add(p, rest, simd_splat(1.6666665459e-1f));
    p = simd_multiply_add(p, rest, simd_splat(5.0000001201e-1f));
    *scale = (simd_float)(((simd_unsigned)shifted << 23) + 0x3f800000u);
    return simd_multiply_add(p * rest, rest, rest);
}

/* exp(x) within 2 units in the last place for x in [-87, 88], held there outside; a NaN passes. */
static inline simd_float exponential(simd_float x) {
    const simd_float lowest = simd_splat(-87.0f), highest = simd_splat(88.0f);
    simd_float scale;
    x = simd_max(lowest, x);
    x = simd_select(simd_greater(x, highest), highest, x);
    const simd_float p = exponential_parts(x, &scale);
    return (p + 1.0f) * scale;
}

static inline simd_float absolute(simd_float x) {
    return (simd_float)((simd_int)x & simd_splat_int(INT32_MAX));
}

/* tanh x from exp(2|x|): an odd polynomial near 0, where 1 - 2 / (exp(2x) + 1) would cancel (Cephes' tanhf). */
static inline simd_float hyperbolic_tangent_by(simd_float x, simd_float exponential_of_twice) {
    const simd_int sign = (simd_int)x & simd_splat_int(INT32_MIN);
    const simd_float size = absolute(x), far = 1.0f - 2.0f / (exponential_of_twice + 1.0f);
    const simd_float square = size * size;
    simd_float p = simd_scaled_sum(-5.70498872745e-3f, square, simd_splat(2.06390887954e-2f));
    p = simd_multiply_add(p, square, simd_splat(-5.37397155531e-2f));
    p = simd_multiply_add(p, square, simd_splat(1.33314422036e-1f));
    p = simd_multiply_add(p, square, simd_splat(-3.33332819422e-1f));
    const simd_float near = simd_multiply_add(p * square, size, size);
    const simd_float value = simd_select(simd_greater(size, simd_splat(0.625f)), far, near);
    return (simd_float)((simd_int)value | sign);
}

static inline simd_float hyperbolic_tangent(simd_float x) {
    const simd_float size = absolute(x);
    return hyperbolic_tangent_by(x, exponential(size + size));
}

/* exp(x) - 1 for x <= 0, without cancelling near 0: that of the rest, scaled, and the scale - 1. */
static inline simd_float exponential_minus_one(simd_float x) {
    simd_float scale;
    const simd_float p = exponential_parts(simd_max(simd_splat(-87.0f), x), &scale);
    return simd_multiply_add(p, scale, scale - 1.0f);
}

static inline simd_float logistic(simd_float x) {
    return 1.0f / (1.0f + exponential(-x));
}

/* log(1 + exp(x)): with z = exp(-|x|), log(1 + z) = 2 atanh(z / (2 + z)), whose argument is at most 1/3. */
static inline simd_float softplus(simd_float x) {
    const simd_float z = exponential(-absolute(x)), s = z / (2.0f + z), square = s * s;
    simd_float p = simd_scaled_sum(1.0f / 17, square, simd_splat(1.0f / 15));
    p = simd_multiply_add(p, square, simd_splat(1.0f / 13));
    p = simd_multiply_add(p, square, simd_splat(1.0f / 11));
    p = simd_multiply_add(p, square, simd_splat(1.0f / 9));
    p = simd_multiply_add(p, square, simd_splat(1.0f / 7));
    p = simd_multiply_add(p, square, simd_splat(1.0f / 5));
    p = simd_multiply_add(p, square, simd_splat(1.0f / 3));
    p = simd_multiply_add(p * square, s, s);
    return simd_scaled_sum(2.0f, p, simd_max(simd_zero(), x));
}

#endif
