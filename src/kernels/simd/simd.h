/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file simd.h — one vector type for whichever instruction set this file is compiled for.
 *
 * Only *_simd.c include it: they are compiled once per instruction set with DCNN_ISA_generic (4 floats: SSE2, NEON, or
 * whatever gcc makes of it), DCNN_ISA_avx2 (8) or DCNN_ISA_avx512 (16). Arithmetic is plain `a * b + c` on the vector
 * types, rounded operation by operation; what is to be rounded once is said: simd_multiply_add(). All loads and stores
 * are unaligned, and no loop peels for alignment, so a result never depends on an address.
 */
#ifndef DCNN_KERNELS_SIMD_H
#define DCNN_KERNELS_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(DCNN_ISA_avx512)
enum { SIMD_LANES = 16 };
#elif defined(DCNN_ISA_avx2)
enum { SIMD_LANES = 8 };
#elif defined(DCNN_ISA_generic)
enum { SIMD_LANES = 4 };
#else
#error "simd.h is for *_simd.c only: kernels.cmake compiles them with DCNN_ISA_<name>"
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/** name_<isa>: the exported name of something that exists once per instruction set. */
#define DCNN_SIMD_NAME(name)             DCNN_SIMD_NAME_OF(name, DCNN_ISA)
#define DCNN_SIMD_NAME_OF(name, isa)     DCNN_SIMD_NAME_JOINED(name, isa)
#define DCNN_SIMD_NAME_JOINED(name, isa) name##_##isa

/** SIMD_LANES floats, as many 32-bit integers, and half as many doubles: the same bytes each. */
typedef float simd_float __attribute__((vector_size(4 * SIMD_LANES)));
typedef int32_t simd_int __attribute__((vector_size(4 * SIMD_LANES)));
typedef double simd_double __attribute__((vector_size(4 * SIMD_LANES)));

/* The same types at any address, over anything. */
typedef float simd_float_anywhere __attribute__((vector_size(4 * SIMD_LANES), aligned(4), may_alias));
typedef int32_t simd_int_anywhere __attribute__((vector_size(4 * SIMD_LANES), aligned(4), may_alias));
typedef double simd_double_anywhere __attribute__((vector_size(4 * SIMD_LANES), aligned(8), may_alias));

/** What a comparison gives and simd_select() takes. */
#if defined(DCNN_ISA_avx512)
typedef __mmask16 simd_mask;
#else
typedef simd_int simd_mask;
#endif

static inline simd_float simd_load(const float *from) {
    return *(const simd_float_anywhere *)from;
}

static inline void simd_store(float *to, simd_float value) {
    *(simd_float_anywhere *)to = value;
}

static inline simd_double simd_load_double(const double *from) {
    return *(const simd_double_anywhere *)from;
}

static inline void simd_store_double(double *to, simd_double value) {
    *(simd_double_anywhere *)to = value;
}

static inline simd_int simd_load_int(const int32_t *from) {
    return *(const simd_int_anywhere *)from;
}

static inline void simd_store_int(int32_t *to, simd_int value) {
    *(simd_int_anywhere *)to = value;
}

static inline simd_float simd_zero(void) {
    return (simd_float){0};
}

/** value in each lane. */
static inline simd_float simd_splat(float value) {
#if defined(DCNN_ISA_avx512)
    return (simd_float)_mm512_set1_ps(value);
#elif defined(DCNN_ISA_avx2)
    return (simd_float)_mm256_set1_ps(value);
#else
    return (simd_float){value, value, value, value};
#endif
}

/** value in each lane. */
static inline simd_int simd_splat_int(int32_t value) {
    return (simd_int){0} + value;
}

/** The first `count` (0..SIMD_LANES) floats; the other lanes are 0 and their memory is not touched. */
static inline simd_float simd_load_part(const float *from, size_t count) {
#if defined(DCNN_ISA_avx512)
    return (simd_float)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1u), from);
#elif defined(DCNN_ISA_avx2)
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return (simd_float)_mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane));
#else
    simd_float value = {0};
    memcpy(&value, from, count * sizeof(float));
    return value;
#endif
}

/** Stores the first `count` (0..SIMD_LANES) lanes only. */
static inline void simd_store_part(float *to, size_t count, simd_float value) {
#if defined(DCNN_ISA_avx512)
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1u), (__m512)value);
#elif defined(DCNN_ISA_avx2)
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_ps(to, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane), (__m256)value);
#else
    memcpy(to, &value, count * sizeof(float));
#endif
}

#if defined(DCNN_ISA_generic) && defined(__SSE2__) && !defined(__FMA__)
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

/** a * b + c, rounded once, whatever the instruction set: files of kernels are compiled with -ffp-contract=off, so that
 * what is not said by this or __builtin_fmaf() is rounded twice. */
static inline simd_float simd_multiply_add(simd_float a, simd_float b, simd_float c) {
#if defined(DCNN_ISA_avx512)
    return (simd_float)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(DCNN_ISA_avx2)
    return (simd_float)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
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

/** The same with one number for all lanes of a. */
static inline simd_float simd_scaled_sum(float a, simd_float b, simd_float c) {
    return simd_multiply_add(simd_splat(a), b, c);
}

/** Lanes that a loop over `count` values has at `i`: `for (i = 0; i < count; i += SIMD_LANES)` with simd_take,
 * simd_put. */
static inline size_t simd_lanes(size_t count, size_t i) {
    return count - i < SIMD_LANES ? count - i : SIMD_LANES;
}

/** Loads the first `lanes` (1..SIMD_LANES) floats. */
static inline simd_float simd_take(const float *from, size_t lanes) {
    return lanes == SIMD_LANES ? simd_load(from) : simd_load_part(from, lanes);
}

/** Stores the first `lanes` (1..SIMD_LANES) floats. */
static inline void simd_put(float *to, size_t lanes, simd_float value) {
    if (lanes == SIMD_LANES)
        simd_store(to, value);
    else
        simd_store_part(to, lanes, value);
}

/** a > b, lane by lane; false where either is NaN. */
static inline simd_mask simd_greater(simd_float a, simd_float b) {
#if defined(DCNN_ISA_avx512)
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
#else
    return a > b;
#endif
}

/** Lanes that are NaN. */
static inline simd_mask simd_is_nan(simd_float value) {
#if defined(DCNN_ISA_avx512)
    return _mm512_cmp_ps_mask((__m512)value, (__m512)value, _CMP_UNORD_Q);
#else
    return value != value;
#endif
}

/** a == b of integers, lane by lane. */
static inline simd_mask simd_equal_int(simd_int a, simd_int b) {
#if defined(DCNN_ISA_avx512)
    return _mm512_cmpeq_epi32_mask((__m512i)a, (__m512i)b);
#else
    return a == b;
#endif
}

/** mask ? a : b, lane by lane. */
static inline simd_float simd_select(simd_mask mask, simd_float a, simd_float b) {
#if defined(DCNN_ISA_avx512)
    return (simd_float)_mm512_mask_blend_ps(mask, (__m512)b, (__m512)a);
#elif defined(DCNN_ISA_avx2)
    return (simd_float)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
#else
    return (simd_float)((mask & (simd_int)a) | (~mask & (simd_int)b));
#endif
}

/** mask ? a : b of integers, lane by lane. */
static inline simd_int simd_select_int(simd_mask mask, simd_int a, simd_int b) {
    return (simd_int)simd_select(mask, (simd_float)a, (simd_float)b);
}

/** a > b ? a : b: b where either is NaN, as x86 has it. */
static inline simd_float simd_max(simd_float a, simd_float b) {
#if defined(DCNN_ISA_avx512)
    return (simd_float)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(DCNN_ISA_avx2)
    return (simd_float)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
    return (simd_float)_mm_max_ps((__m128)a, (__m128)b);
#else
    return simd_select(simd_greater(a, b), a, b);
#endif
}

static inline simd_float simd_sqrt(simd_float value) {
#if defined(DCNN_ISA_avx512)
    return (simd_float)_mm512_sqrt_ps((__m512)value);
#elif defined(DCNN_ISA_avx2)
    return (simd_float)_mm256_sqrt_ps((__m256)value);
#elif defined(__SSE2__)
    return (simd_float)_mm_sqrt_ps((__m128)value);
#elif defined(__aarch64__)
    return (simd_float)vsqrtq_f32((float32x4_t)value);
#else
    for (int lane = 0; lane < SIMD_LANES; lane++) value[lane] = __builtin_sqrtf(value[lane]);
    return value;
#endif
}

/** The lower and upper half of the lanes as doubles. */
static inline simd_double simd_low_double(simd_float value) {
#if defined(DCNN_ISA_avx512)
    return (simd_double)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)value));
#elif defined(DCNN_ISA_avx2)
    return (simd_double)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)value));
#else
    return (simd_double){value[0], value[1]};
#endif
}

static inline simd_double simd_high_double(simd_float value) {
#if defined(DCNN_ISA_avx512)
    return (simd_double)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)value, 1));
#elif defined(DCNN_ISA_avx2)
    return (simd_double)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)value, 1));
#else
    return (simd_double){value[2], value[3]};
#endif
}

/** SIMD_LANES bytes as floats. */
static inline simd_float simd_load_bytes(const uint8_t *from) {
#if defined(DCNN_ISA_avx512)
    return (simd_float)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from)));
#elif defined(DCNN_ISA_avx2)
    return (simd_float)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from)));
#else
    return (simd_float){(float)from[0], (float)from[1], (float)from[2], (float)from[3]};
#endif
}

/** The first `lanes` (1..SIMD_LANES) bytes as floats; the others are 0 and their memory is not touched. */
static inline simd_float simd_take_bytes(const uint8_t *from, size_t lanes) {
    if (lanes == SIMD_LANES) return simd_load_bytes(from);
    uint8_t part[SIMD_LANES] = {0};
    memcpy(part, from, lanes);
    return simd_load_bytes(part);
}

/** The four bytes at from + offset, lane by lane; the first is the lowest. */
static inline simd_int simd_gather_bytes(const uint8_t *from, simd_int offset) {
#if defined(DCNN_ISA_avx512)
    return (simd_int)_mm512_i32gather_epi32((__m512i)offset, from, 1);
#elif defined(DCNN_ISA_avx2)
    return (simd_int)_mm256_i32gather_epi32((const int *)from, (__m256i)offset, 1);
#else
    simd_int four;
    for (int lane = 0; lane < SIMD_LANES; lane++) {
        const uint8_t *at = from + offset[lane];
        four[lane] = (int32_t)(at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
    }
    return four;
#endif
}

/** The lowest byte of each lane to SIMD_LANES bytes. */
static inline void simd_store_bytes(uint8_t *to, simd_int value) {
#if defined(DCNN_ISA_avx512)
    _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8((__m512i)value));
#else
    for (int lane = 0; lane < SIMD_LANES; lane++) to[lane] = (uint8_t)value[lane];
#endif
}

#endif
