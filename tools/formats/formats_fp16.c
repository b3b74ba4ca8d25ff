/* SPDX-License-Identifier: BSD-3-Clause */
/* formats_fp16.c — fp16 by AVX-512: all sums in fp16, or every few products added to sums in fp32. */
#include "formats/formats_private.h"

#if defined(__AVX512FP16__)
#include <immintrin.h>

enum { LANES = 32, ROWS = 12, WIDE_ROWS = 8 }; /* 24 sums of fp16; 8 of fp16 and 16 of fp32 */

static inline uint16_t round_to_fp16(float value) {
    return _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT);
}

/* Left as [row][depth][2], each value twice, since 32 bits are broadcast by the load alone; right as
 * [columns / LANES][depth][LANES]. */
static void pack(size_t depth, size_t columns, const float *left, const float *right, void *packed_left,
                 void *packed_right) {
    uint16_t *to = packed_left;
    for (size_t i = 0; i < DCNN_FORMAT_ROWS * depth; i++) to[2 * i] = to[2 * i + 1] = round_to_fp16(left[i]);
    to = packed_right;
    for (size_t step = 0; step < depth; step++)
        for (size_t j = 0; j < columns; j++)
            to[(j / LANES * depth + step) * LANES + j % LANES] = round_to_fp16(right[step * columns + j]);
}

static inline __m512h splat_twin(const uint16_t *twin) {
    int32_t both;
    memcpy(&both, twin, sizeof both);
    return _mm512_castsi512_ph(_mm512_set1_epi32(both));
}

static inline __m512 low_half(__m512h value) {
    return _mm512_cvtxph_ps(_mm512_castph512_ph256(value));
}

static inline __m512 high_half(__m512h value) {
    const __m512i bits = _mm512_castph_si512(value);
    return _mm512_cvtxph_ps(_mm256_castsi256_ph(_mm512_extracti64x4_epi64(bits, 1)));
}

/* ROWS x 64 sums of fp16. */
static void multiply(size_t depth, size_t columns, const void *packed_left, const void *packed_right, float *out) {
    for (size_t j = 0; j < columns; j += 2 * LANES) {
        const uint16_t *first = (const uint16_t *)packed_right + j * depth, *second = first + LANES * depth;
        for (size_t row = 0; row < DCNN_FORMAT_ROWS; row += ROWS) {
            const uint16_t *left = (const uint16_t *)packed_left + row * depth * 2;
            __m512h sum[ROWS][2];
#pragma GCC unroll 12
            for (int i = 0; i < ROWS; i++) sum[i][0] = sum[i][1] = _mm512_setzero_ph();
            for (size_t step = 0; step < depth; step++) {
                const __m512h b0 = _mm512_loadu_ph(first + step * LANES), b1 = _mm512_loadu_ph(second + step * LANES);
#pragma GCC unroll 12
                for (size_t i = 0; i < ROWS; i++) {
                    const __m512h a = splat_twin(left + (i * depth + step) * 2);
                    sum[i][0] = _mm512_fmadd_ph(a, b0, sum[i][0]);
                    sum[i][1] = _mm512_fmadd_ph(a, b1, sum[i][1]);
                }
            }
#pragma GCC unroll 12
            for (size_t i = 0; i < ROWS; i++) {
                float *to = out + (row + i) * columns + j;
                for (size_t vector = 0; vector < 2; vector++, to += LANES) {
                    _mm512_storeu_ps(to, low_half(sum[i][vector]));
                    _mm512_storeu_ps(to + 16, high_half(sum[i][vector]));
                }
            }
        }
    }
}

/* WIDE_ROWS x 32 sums of fp32, to which sums of `run` products in fp16 are added. */
static inline __attribute__((always_inline)) void multiply_panel(const size_t run, size_t depth, size_t columns,
                                                                 const uint16_t *left, const uint16_t *right,
                                                                 float *out) {
    __m512 sum[WIDE_ROWS][2];
#pragma GCC unroll 8
    for (int i = 0; i < WIDE_ROWS; i++) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
    for (size_t start = 0; start < depth; start += run) {
        __m512h part[WIDE_ROWS];
#pragma GCC unroll 16
        for (size_t step = 0; step < run; step++) {
            const __m512h b = _mm512_loadu_ph(right + (start + step) * LANES);
#pragma GCC unroll 8
            for (size_t i = 0; i < WIDE_ROWS; i++) {
                const __m512h a = splat_twin(left + (i * depth + start + step) * 2);
                part[i] = step == 0 ? _mm512_mul_ph(a, b) : _mm512_fmadd_ph(a, b, part[i]);
            }
        }
#pragma GCC unroll 8
        for (int i = 0; i < WIDE_ROWS; i++) {
            sum[i][0] = _mm512_add_ps(sum[i][0], low_half(part[i]));
            sum[i][1] = _mm512_add_ps(sum[i][1], high_half(part[i]));
        }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < WIDE_ROWS; i++) {
        _mm512_storeu_ps(out + i * columns, sum[i][0]);
        _mm512_storeu_ps(out + i * columns + 16, sum[i][1]);
    }
}

#define DCNN_RUN(number)                                                                                               \
    static void multiply_##number(size_t depth, size_t columns, const void *packed_left, const void *packed_right,     \
                                  float *out) {                                                                        \
        const uint16_t *left = packed_left, *right = packed_right;                                                     \
        for (size_t j = 0; j < columns; j += LANES)                                                                    \
            for (size_t row = 0; row < DCNN_FORMAT_ROWS; row += WIDE_ROWS)                                             \
                multiply_panel(number, depth, columns, left + row * depth * 2, right + j * depth,                      \
                               out + row * columns + j);                                                               \
    }
DCNN_RUN(2)
DCNN_RUN(4)
DCNN_RUN(8)
DCNN_RUN(16)
#undef DCNN_RUN

const dcnn_format *dcnn_formats_fp16(int *count) {
    static const dcnn_format formats[] = {{"fp16", 3e-3, pack, multiply, NULL, NULL},
                                          {"fp16, each 16 to fp32", 8e-4, pack, multiply_16, NULL, NULL},
                                          {"fp16, each 8 to fp32", 6e-4, pack, multiply_8, NULL, NULL},
                                          {"fp16, each 4 to fp32", 5e-4, pack, multiply_4, NULL, NULL},
                                          {"fp16, each 2 to fp32", 5e-4, pack, multiply_2, NULL, NULL}};
    *count = sizeof formats / sizeof *formats;
    return formats;
}

#else

const dcnn_format *dcnn_formats_fp16(int *count) {
    *count = 0;
    return NULL;
}

#endif
