/* SPDX-License-Identifier: BSD-3-Clause */
/** @file halves_simd.h — vectors of bf16 (bf16.h): rounding, and arrays that may be of bf16 or of floats. */
#ifndef DCNN_KERNELS_HALVES_SIMD_H
#define DCNN_KERNELS_HALVES_SIMD_H

#include "kernels/bf16.h"
#include "kernels/simd/lanes_simd.h"

#define INLINE static inline __attribute__((always_inline))

/** Rounded to bf16, in the upper half of each lane. */
INLINE simd_int bf16_round_lanes(simd_float value) {
    const simd_int bits = (simd_int)value;
    const simd_int rounded = bits + (simd_splat_int(0x7fff) + ((bits >> 16) & simd_splat_int(1)));
    const simd_int magnitude = bits & simd_splat_int(0x7f800000);
    const simd_int number = simd_select_int(simd_is_nan(value), bits | simd_splat_int(0x400000), rounded);
    const simd_int zero = bits & simd_splat_int(INT32_MIN);
    return simd_select_int(simd_equal_int(magnitude, simd_splat_int(0)), zero, number) &
           simd_splat_int((int32_t)0xffff0000);
}

/** The upper halves of the first `lanes` lanes, as numbers. */
INLINE void bf16_store_lanes(uint16_t *to, size_t lanes, simd_int rounded) {
    if (lanes == V) {
        simd_store_upper_halves(to, rounded);
        return;
    }
    uint16_t all[V];
    simd_store_upper_halves(all, rounded);
    memcpy(to, all, lanes * sizeof *to);
}

/** The first `lanes` lanes, rounded. */
INLINE void bf16_put(uint16_t *to, size_t lanes, simd_float value) {
#if defined(__AVX512BF16__)
    if (lanes == V) {
        _mm256_storeu_si256((__m256i *)(void *)to, (__m256i)_mm512_cvtneps_pbh((__m512)value));
        return;
    }
#endif
    bf16_store_lanes(to, lanes, bf16_round_lanes(value));
}

/** The first `lanes` numbers as floats. */
INLINE simd_float bf16_take(const uint16_t *from, size_t lanes) {
    if (lanes == V) return (simd_float)(simd_load_halves(from) << 16);
    uint16_t all[V] = {0};
    memcpy(all, from, lanes * sizeof *from);
    return (simd_float)(simd_load_halves(all) << 16);
}

/** `lanes` numbers from number i of x on: of bf16, or floats. */
INLINE simd_float take_numbers(const void *x, const bool half, size_t i, size_t lanes) {
    return half ? bf16_take((const uint16_t *)x + i, lanes) : simd_take((const float *)x + i, lanes);
}

INLINE void put_numbers(void *x, const bool half, size_t i, size_t lanes, simd_float value) {
    if (half)
        bf16_put((uint16_t *)x + i, lanes, value);
    else
        simd_put((float *)x + i, lanes, value);
}

#endif
