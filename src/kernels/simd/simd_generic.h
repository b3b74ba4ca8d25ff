/* SPDX-License-Identifier: BSD-3-Clause */
/* simd_generic.h — what simd.h lists, in four floats: by SSE2, NEON, or whatever gcc makes of it. */
#ifndef DCNN_KERNELS_SIMD_GENERIC_H
#define DCNN_KERNELS_SIMD_GENERIC_H

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define SIMD_LANES     4
#define SIMD_REGISTERS 16

#include "kernels/simd/vectors.h"

typedef simd_int simd_mask;

static inline simd_float simd_splat(float value) {
    return (simd_float){value, value, value, value};
}

static inline simd_float simd_load_part(const float *from, size_t count) {
    simd_float value = {0};
    memcpy(&value, from, count * sizeof(float));
    return value;
}

static inline void simd_store_part(float *to, size_t count, simd_float value) {
    memcpy(to, &value, count * sizeof(float));
}

#if defined(__SSE2__) && !defined(__FMA__)
/* a * b + c of two floats each, rounded to odd in double: the product is exact there, and what the sum loses is left in
 * its last bit, so that rounding to float then is right (Boldo & Melquiond, IEEE Trans. Comput. 57, 2008). */
static inline __m128d simd_multiply_add_to_odd(__m128d a, __m128d b, __m128d c) {
    const __m128d product = _mm_mul_pd(a, b), sum = _mm_add_pd(product, c), share = _mm_sub_pd(sum, product);
    const __m128d lost = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, share)), _mm_sub_pd(c, share));
    const __m128i inexact =
        _mm_castpd_si128(_mm_or_pd(_mm_cmplt_pd(lost, _mm_setzero_pd()), _mm_cmpgt_pd(lost, _mm_setzero_pd())));
    const __m128i bits = _mm_castpd_si128(sum), one = _mm_set1_epi64x(1);
    const __m128i even = _mm_sub_epi64(_mm_and_si128(bits, one), one); /* all ones where the last bit is 0 */
    /* Away from 0 by one unit if what was lost has the sum's sign, towards it if not. */
    const __m128i signs = _mm_xor_si128(bits, _mm_castpd_si128(lost));
    const __m128i towards = _mm_sub_epi64(_mm_setzero_si128(), _mm_srli_epi64(signs, 63));
    const __m128i step = _mm_or_si128(towards, one); /* 1 or -1 */
    return _mm_castsi128_pd(_mm_add_epi64(bits, _mm_and_si128(_mm_and_si128(inexact, even), step)));
}

static __attribute__((noinline, unused)) simd_float simd_multiply_add_carefully(simd_float a, simd_float b,
                                                                                simd_float c) {
    const __m128 x = (__m128)a, y = (__m128)b, z = (__m128)c;
    const __m128d low = simd_multiply_add_to_odd(_mm_cvtps_pd(x), _mm_cvtps_pd(y), _mm_cvtps_pd(z));
    const __m128d high = simd_multiply_add_to_odd(_mm_cvtps_pd(_mm_movehl_ps(x, x)), _mm_cvtps_pd(_mm_movehl_ps(y, y)),
                                                  _mm_cvtps_pd(_mm_movehl_ps(z, z)));
    return (simd_float)_mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}

/* By way of double, which rounds twice. That is wrong only where the first rounding ends halfway between two floats (28
 * zeros behind a one) or where floats are coarser still, below their least normal one: those are done carefully. */
static inline simd_float simd_multiply_add_emulated(simd_float a, simd_float b, simd_float c) {
    const __m128 x = (__m128)a, y = (__m128)b, z = (__m128)c;
    const __m128d low = _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(x), _mm_cvtps_pd(y)), _mm_cvtps_pd(z));
    const __m128d high = _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(_mm_movehl_ps(x, x)), _mm_cvtps_pd(_mm_movehl_ps(y, y))),
                                    _mm_cvtps_pd(_mm_movehl_ps(z, z)));
    const __m128 sum = _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
    /* The lower and upper halves of the four doubles. */
    const __m128i lower = _mm_castps_si128(_mm_shuffle_ps(_mm_castpd_ps(low), _mm_castpd_ps(high), 0x88));
    const __m128i upper = _mm_castps_si128(_mm_shuffle_ps(_mm_castpd_ps(low), _mm_castpd_ps(high), 0xdd));
    const __m128i halfway = _mm_cmpeq_epi32(_mm_slli_epi32(lower, 3), _mm_set1_epi32(INT32_MIN));
    const __m128i zero = _mm_cmpeq_epi32(_mm_or_si128(lower, _mm_slli_epi32(upper, 1)), _mm_setzero_si128());
    const __m128 size = _mm_and_ps(sum, _mm_castsi128_ps(_mm_set1_epi32(INT32_MAX)));
    const __m128 small = _mm_andnot_ps(_mm_castsi128_ps(zero), _mm_cmple_ps(size, _mm_set1_ps(0x1p-126f)));
    if (__builtin_expect(_mm_movemask_ps(_mm_or_ps(small, _mm_castsi128_ps(halfway))) == 0, 1)) return (simd_float)sum;
    return simd_multiply_add_carefully(a, b, c);
}
#endif

static inline simd_float simd_multiply_add(simd_float a, simd_float b, simd_float c) {
#if defined(__aarch64__)
    return (simd_float)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#elif defined(__FMA__)
    return (simd_float)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)c);
#elif defined(__SSE2__)
    return simd_multiply_add_emulated(a, b, c);
#else
    for (int lane = 0; lane < SIMD_LANES; lane++) a[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
    return a;
#endif
}

static inline simd_mask simd_greater(simd_float a, simd_float b) {
    return a > b;
}

static inline simd_mask simd_is_nan(simd_float value) {
    return value != value;
}

static inline simd_mask simd_is_positive_or_nan(simd_float value) {
    return ~(value <= 0);
}

static inline bool simd_any(simd_mask mask) {
    int32_t all = 0;
    for (int lane = 0; lane < SIMD_LANES; lane++) all |= mask[lane];
    return all != 0;
}

static inline simd_mask simd_equal_int(simd_int a, simd_int b) {
    return a == b;
}

static inline simd_float simd_select(simd_mask mask, simd_float a, simd_float b) {
    return (simd_float)((mask & (simd_int)a) | (~mask & (simd_int)b));
}

static inline simd_float simd_max(simd_float a, simd_float b) {
#if defined(__SSE2__)
    return (simd_float)_mm_max_ps((__m128)a, (__m128)b);
#else
    return simd_select(simd_greater(a, b), a, b);
#endif
}

static inline simd_float simd_sqrt(simd_float value) {
#if defined(__SSE2__)
    return (simd_float)_mm_sqrt_ps((__m128)value);
#elif defined(__aarch64__)
    return (simd_float)vsqrtq_f32((float32x4_t)value);
#else
    for (int lane = 0; lane < SIMD_LANES; lane++) value[lane] = __builtin_sqrtf(value[lane]);
    return value;
#endif
}

static inline simd_double simd_low_double(simd_float value) {
    return (simd_double){value[0], value[1]};
}

static inline simd_double simd_high_double(simd_float value) {
    return (simd_double){value[2], value[3]};
}

static inline simd_int simd_load_bytes(const uint8_t *from) {
    return (simd_int){from[0], from[1], from[2], from[3]};
}

static inline simd_int simd_load_halves(const uint16_t *from) {
    return (simd_int){from[0], from[1], from[2], from[3]};
}

static inline simd_int simd_gather_bytes(const uint8_t *from, simd_int offset) {
    simd_int four;
    for (int lane = 0; lane < SIMD_LANES; lane++) {
        const uint8_t *at = from + offset[lane];
        four[lane] = (int32_t)(at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
    }
    return four;
}

static inline void simd_store_bytes(uint8_t *to, simd_int value) {
    for (int lane = 0; lane < SIMD_LANES; lane++) to[lane] = (uint8_t)value[lane];
}

static inline void simd_store_upper_halves(uint16_t *to, simd_int value) {
    uint32_t all[SIMD_LANES];
    memcpy(all, &value, sizeof all);
    for (size_t lane = 0; lane < SIMD_LANES; lane++) to[lane] = (uint16_t)(all[lane] >> 16);
}

static inline void simd_stream(float *to, simd_float value) {
    simd_store(to, value);
}

static inline void simd_stream_end(void) {}

static inline void simd_transpose(simd_float rows[SIMD_LANES]) {
    const simd_int lane = {0, 1, 2, 3};
    SIMD_SWAP_BLOCKS(rows, 2)
    SIMD_SWAP_BLOCKS(rows, 1)
}

#endif
