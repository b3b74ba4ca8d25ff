/* SPDX-License-Identifier: BSD-3-Clause */
/* formats_bf16.c — bf16 by AVX-512 (vdpbf16ps: pairs of products, summed in fp32). */
#include "formats/formats_private.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>

enum { ROWS = 12 };

/* A pair of one row for all lanes. */
static inline __m512bh splat_pair(const uint16_t *pair) {
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return (__m512bh)_mm512_set1_epi32(both);
}

/* ROWS x 32 sums; `first` and `second` are vectors of pairs of the right part. */
static inline __attribute__((always_inline)) void multiply_panel(const size_t parts, size_t depth, size_t columns,
                                                                 const uint16_t *left, const uint16_t *first,
                                                                 const uint16_t *second, float *out) {
    __m512 sum[ROWS][2];
#pragma GCC unroll 12
    for (int i = 0; i < ROWS; i++) sum[i][0] = sum[i][1] = _mm512_setzero_ps();
    for (size_t term = dcnn_format_term_count(parts); term-- > 0;) {
        const uint16_t *from = left + dcnn_format_terms[term][0] * DCNN_FORMAT_ROWS * depth;
        const size_t part = dcnn_format_terms[term][1] * depth * columns;
        for (size_t step = 0; step < depth; step += 2) {
            const __m512bh b0 = (__m512bh)_mm512_loadu_si512(first + part + step * 16),
                           b1 = (__m512bh)_mm512_loadu_si512(second + part + step * 16);
#pragma GCC unroll 12
            for (size_t i = 0; i < ROWS; i++) {
                const __m512bh a = splat_pair(from + i * depth + step);
                sum[i][0] = _mm512_dpbf16_ps(sum[i][0], a, b0);
                sum[i][1] = _mm512_dpbf16_ps(sum[i][1], a, b1);
            }
        }
    }
#pragma GCC unroll 12
    for (size_t i = 0; i < ROWS; i++) {
        _mm512_storeu_ps(out + i * columns, sum[i][0]);
        _mm512_storeu_ps(out + i * columns + 16, sum[i][1]);
    }
}

#define DCNN_PARTS(number)                                                                                             \
    static void pack_##number(size_t depth, size_t columns, const float *left, const float *right, void *packed_left,  \
                              void *packed_right) {                                                                    \
        dcnn_format_pack_pairs(&dcnn_format_bf16, number, depth, columns, left, right, packed_left, packed_right);     \
    }                                                                                                                  \
    static void multiply_##number(size_t depth, size_t columns, const void *packed_left, const void *packed_right,     \
                                  float *out) {                                                                        \
        const uint16_t *left = packed_left, *right = packed_right;                                                     \
        for (size_t j = 0; j < columns; j += 32)                                                                       \
            for (size_t i = 0; i < DCNN_FORMAT_ROWS; i += ROWS)                                                        \
                multiply_panel(number, depth, columns, left + i * depth, right + j * depth, right + (j + 16) * depth,  \
                               out + i * columns + j);                                                                 \
    }
DCNN_PARTS(1)
DCNN_PARTS(2)
DCNN_PARTS(3)
#undef DCNN_PARTS

const dcnn_format *dcnn_formats_bf16(int *count) {
    static const dcnn_format formats[] = {{"bf16", 3e-3, pack_1, multiply_1, NULL, NULL},
                                          {"bf16 in 2 parts", 6e-6, pack_2, multiply_2, NULL, NULL},
                                          {"bf16 in 3 parts", 6e-7, pack_3, multiply_3, NULL, NULL}};
    *count = sizeof formats / sizeof *formats;
    return formats;
}

#else

const dcnn_format *dcnn_formats_bf16(int *count) {
    *count = 0;
    return NULL;
}

#endif
