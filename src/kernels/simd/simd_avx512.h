/* SPDX-License-Identifier: BSD-3-Clause */
/* simd_avx512.h — what simd.h lists, by AVX-512. */
#ifndef DCNN_KERNELS_SIMD_AVX512_H
#define DCNN_KERNELS_SIMD_AVX512_H

#include <immintrin.h>

#define SIMD_LANES     16
#define SIMD_REGISTERS 32

#include "kernels/simd/vectors.h"

typedef __mmask16 simd_mask;

static inline simd_float simd_splat(float value) {
    return (simd_float)_mm512_set1_ps(value);
}

static inline simd_float simd_load_part(const float *from, size_t count) {
    return (simd_float)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1u), from);
}

static inline void simd_store_part(float *to, size_t count, simd_float value) {
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1u), (__m512)value);
}

static inline simd_float simd_multiply_add(simd_float a, simd_float b, simd_float c) {
    return (simd_float)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

static inline simd_mask simd_greater(simd_float a, simd_float b) {
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
}

static inline simd_mask simd_is_nan(simd_float value) {
    return _mm512_cmp_ps_mask((__m512)value, (__m512)value, _CMP_UNORD_Q);
}

static inline simd_mask simd_is_positive_or_nan(simd_float value) {
    return _mm512_cmp_ps_mask((__m512)value, _mm512_setzero_ps(), _CMP_NLE_UQ);
}

static inline bool simd_any(simd_mask mask) {
    return mask != 0;
}

static inline simd_mask simd_equal_int(simd_int a, simd_int b) {
    return _mm512_cmpeq_epi32_mask((__m512i)a, (__m512i)b);
}

static inline simd_float simd_select(simd_mask mask, simd_float a, simd_float b) {
    return (simd_float)_mm512_mask_blend_ps(mask, (__m512)b, (__m512)a);
}

static inline simd_float simd_max(simd_float a, simd_float b) {
    return (simd_float)_mm512_max_ps((__m512)a, (__m512)b);
}

static inline simd_float simd_sqrt(simd_float value) {
    return (simd_float)_mm512_sqrt_ps((__m512)value);
}

static inline simd_double simd_low_double(simd_float value) {
    return (simd_double)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)value));
}

static inline simd_double simd_high_double(simd_float value) {
    return (simd_double)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)value, 1));
}

static inline simd_int simd_load_bytes(const uint8_t *from) {
    return (simd_int)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)from));
}

static inline simd_int simd_load_halves(const uint16_t *from) {
    return (simd_int)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)from));
}

static inline simd_int simd_gather_bytes(const uint8_t *from, simd_int offset) {
    return (simd_int)_mm512_i32gather_epi32((__m512i)offset, from, 1);
}

static inline void simd_store_bytes(uint8_t *to, simd_int value) {
    _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8((__m512i)value));
}

static inline void simd_store_upper_halves(uint16_t *to, simd_int value) {
    _mm256_storeu_si256((__m256i *)(void *)to, _mm512_cvtepi32_epi16(_mm512_srli_epi32((__m512i)value, 16)));
}

static inline void simd_stream(float *to, simd_float value) {
    _mm512_stream_ps(to, (__m512)value);
}

static inline void simd_stream_end(void) {
    _mm_sfence();
}

static inline void simd_transpose(simd_float rows[SIMD_LANES]) {
    const simd_int lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    SIMD_SWAP_BLOCKS(rows, 8)
    SIMD_SWAP_BLOCKS(rows, 4)
    SIMD_SWAP_BLOCKS(rows, 2)
    SIMD_SWAP_BLOCKS(rows, 1)
}

#endif
