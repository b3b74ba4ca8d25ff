/* SPDX-License-Identifier: BSD-3-Clause */
/* formats_fp32.c — fp32 by AVX-512: what all other formats are measured against. */
#include "formats/formats_private.h"

#if defined(__AVX512F__)
#include <immintrin.h>

enum { ROWS = 12, VECTORS = 2, WIDTH = 16 * VECTORS }; /* 24 sums of 32 registers */

/* Left as [panel of ROWS][depth][ROWS], right as [columns / WIDTH][depth][WIDTH]. */
static void pack(size_t depth, size_t columns, const float *left, const float *right, void *packed_left,
                 void *packed_right) {
    float *to = packed_left;
    for (size_t row = 0; row < DCNN_FORMAT_ROWS; row++)
        for (size_t step = 0; step < depth; step++)
            to[(row / ROWS * depth + step) * ROWS + row % ROWS] = left[row * depth + step];
    to = packed_right;
    for (size_t step = 0; step < depth; step++)
        for (size_t j = 0; j < columns; j++)
            to[(j / WIDTH * depth + step) * WIDTH + j % WIDTH] = right[step * columns + j];
}

static void multiply_panel(size_t depth, const float *left, const float *right, float *out, size_t out_row) {
    __m512 sum[ROWS][VECTORS];
#pragma GCC unroll 12
    for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 2
        for (int j = 0; j < VECTORS; j++) sum[i][j] = _mm512_setzero_ps();
    for (const float *end = left + depth * ROWS; left < end; left += ROWS, right += WIDTH) {
        const __m512 first = _mm512_loadu_ps(right), second = _mm512_loadu_ps(right + 16);
#pragma GCC unroll 12
        for (int i = 0; i < ROWS; i++) {
            const __m512 factor = _mm512_set1_ps(left[i]);
            sum[i][0] = _mm512_fmadd_ps(factor, first, sum[i][0]);
            sum[i][1] = _mm512_fmadd_ps(factor, second, sum[i][1]);
        }
    }
#pragma GCC unroll 12
    for (size_t i = 0; i < ROWS; i++)
#pragma GCC unroll 2
        for (size_t j = 0; j < VECTORS; j++) _mm512_storeu_ps(out + i * out_row + j * 16, sum[i][j]);
}

static void multiply(size_t depth, size_t columns, const void *packed_left, const void *packed_right, float *out) {
    const float *left = packed_left, *right = packed_right;
    for (size_t j = 0; j < columns; j += WIDTH)
        for (size_t i = 0; i < DCNN_FORMAT_ROWS; i += ROWS)
            multiply_panel(depth, left + i * depth, right + j * depth, out + i * columns + j, columns);
}

const dcnn_format *dcnn_formats_fp32(int *count) {
    static const dcnn_format formats[] = {{"fp32", 4e-7, pack, multiply, NULL, NULL}};
    *count = sizeof formats / sizeof *formats;
    return formats;
}

#else

const dcnn_format *dcnn_formats_fp32(int *count) {
    *count = 0;
    return NULL;
}

#endif
