/* SPDX-License-Identifier: BSD-3-Clause */
/* simd_avx2.h — what simd.h lists, by AVX2 and FMA. */
#ifndef DCNN_KERNELS_SIMD_AVX2_H
#define DCNN_KERNELS_SIMD_AVX2_H

#include <immintrin.h>

#define SIMD_LANES     8
#define SIMD_REGISTERS 16

#include "kernels/simd/vectors.h"

typedef simd_int simd_mask;

static inline simd_float simd_splat(float value) {
    return (simd_float)_mm256_set1_ps(value);
}

static inline simd_float simd_load_part(const float *from, size_t count) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return (simd_float)_mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane));
}

static inline void simd_store_part(float *to, size_t count, simd_float value) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_ps(to, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane), (__m256)value);
}

static inline simd_float simd_multiply_add(simd_float a, simd_float b, simd_float c) {
    return (simd_float)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
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
    return _mm256_movemask_ps((__m256)mask) != 0;
}

static inline simd_mask simd_equal_int(simd_int a, simd_int b) {
    return a == b;
}

static inline simd_float simd_select(simd_mask mask, simd_float a, simd_float b) {
    return (simd_float)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)mask);
}

static inline simd_float simd_max(simd_float a, simd_float b) {
    return (simd_float)_mm256_max_ps((__m256)a, (__m256)b);
}

static inline simd_float simd_sqrt(simd_float value) {
    return (simd_float)_mm256_sqrt_ps((__m256)value);
}

static inline simd_double simd_low_double(simd_float value) {
    return (simd_double)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)value));
}

static inline simd_double simd_high_double(simd_float value) {
    return (simd_double)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)value, 1));
}

static inline simd_int simd_load_bytes(const uint8_t *from) {
    return (simd_int)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from));
}

static inline simd_int simd_load_halves(const uint16_t *from) {
    return (simd_int)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
}

static inline simd_int simd_gather_bytes(const uint8_t *from, simd_int offset) {
    return (simd_int)_mm256_i32gather_epi32((const int *)from, (__m256i)offset, 1);
}

static inline void simd_store_bytes(uint8_t *to, simd_int value) {
    const char none = -128; /* in a lane of 16 bytes, its four lowest are wanted */
    const __m256i lowest =
        _mm256_setr_epi8(0, 4, 8, 12, none, none, none, none, none, none, none, none, none, none, none, none, 0, 4, 8,
                         12, none, none, none, none, none, none, none, none, none, none, none, none);
    const __m256i bytes = _mm256_shuffle_epi8((__m256i)value, lowest);
    _mm_storel_epi64((__m128i *)(void *)to,
                     _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)));
}

static inline void simd_store_upper_halves(uint16_t *to, simd_int value) {
    uint32_t all[SIMD_LANES];
    memcpy(all, &value, sizeof all);
    for (size_t lane = 0; lane < SIMD_LANES; lane++) to[lane] = (uint16_t)(all[lane] >> 16);
}

static inline void simd_stream(float *to, simd_float value) {
    _mm256_stream_ps(to, (__m256)value);
}

static inline void simd_stream_end(void) {
    _mm_sfence();
}

static inline void simd_transpose(simd_float rows[SIMD_LANES]) {
    const simd_int lane = {0, 1, 2, 3, 4, 5, 6, 7};
    SIMD_SWAP_BLOCKS(rows, 4)
    SIMD_SWAP_BLOCKS(rows, 2)
    SIMD_SWAP_BLOCKS(rows, 1)
}

#endif
