/* SPDX-License-Identifier: BSD-3-Clause */
/* product_simd.c — register tiles of matrix products, one function body for each number of rows and vectors. */
#include "kernels/conv/product_simd.h"

#define INLINE static inline __attribute__((always_inline))

/* Rows i, i + 1, i + 2, i + 3 are reached from one pointer, so that the pointers fit the registers too. */
INLINE void add_across(const product *p, const size_t rows, const size_t vectors, const float *left, const float *right,
                       simd_float sum[ACROSS_ROWS][ACROSS_VECTORS]) {
    const size_t row = p->left_row, step = p->right_step;
    const float *base[4] = {left, left + 4 * row, left + 8 * row, left + 12 * row};
    for (const float *end = left + p->depth; base[0] < end; right += step) {
        simd_float b[ACROSS_VECTORS];
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++) b[j] = simd_load(right + j * V);
#pragma GCC unroll 16
        for (size_t i = 0; i < rows; i++) {
            const simd_float a = simd_splat(base[i / 4][i % 4 * row]);
#pragma GCC unroll 2
            for (size_t j = 0; j < vectors; j++) sum[i][j] = simd_multiply_add(a, b[j], sum[i][j]);
        }
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++) base[i]++;
    }
}

INLINE void across(const product *p, const size_t rows, const size_t vectors) {
    simd_float sum[ACROSS_ROWS][ACROSS_VECTORS];
#pragma GCC unroll 2
    for (size_t j = 0; j < vectors; j++) {
        const simd_float start = p->start == NULL ? simd_zero() : simd_load(p->start + j * V);
#pragma GCC unroll 16
        for (size_t i = 0; i < rows; i++) sum[i][j] = start;
    }
    for (size_t segment = 0; segment < p->segments; segment++) {
        add_across(p, rows, vectors, p->left + segment * p->left_pitch, p->right + segment * p->right_pitch, sum);
    }
    const simd_float floor = simd_splat(p->relu ? 0 : -__builtin_inff());
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++) {
        float *to = p->out + i * p->out_row;
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++) {
            /* This order of simd_max keeps a NaN. */
            simd_put(to + j * V, j + 1 < vectors ? V : p->lanes, simd_max(floor, sum[i][j]));
        }
    }
}

INLINE void along(const product *p, const size_t rows, const size_t vectors) {
    simd_float sum[ALONG_ROWS][ALONG_VECTORS];
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 3
        for (size_t j = 0; j < vectors; j++) {
            const size_t lanes = j + 1 < vectors ? V : p->lanes;
            sum[i][j] = p->add ? simd_take(p->out + i * p->out_row + j * V, lanes) : simd_zero();
        }
    }
    for (size_t segment = 0; segment < p->segments; segment++) {
        const float *left = p->left + segment * p->left_pitch, *right = p->right + segment * p->right_pitch;
        for (size_t step = 0; step < p->depth; step++, left += p->left_step, right += p->right_step) {
            simd_float b[ALONG_VECTORS];
#pragma GCC unroll 3
            for (size_t j = 0; j < vectors; j++) b[j] = simd_load(right + j * V);
#pragma GCC unroll 16
            for (size_t i = 0; i < rows; i++) {
                const simd_float a = simd_splat(left[i]);
#pragma GCC unroll 3
                for (size_t j = 0; j < vectors; j++) sum[i][j] = simd_multiply_add(a, b[j], sum[i][j]);
            }
        }
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 3
        for (size_t j = 0; j < vectors; j++) {
            float *to = p->out + i * p->out_row + j * V;
            if (p->past_caches)
                simd_stream(to, sum[i][j]);
            else
                simd_put(to, j + 1 < vectors ? V : p->lanes, sum[i][j]);
        }
    }
}

#define DCNN_ACROSS(rows)                                                                                              \
    case 2 * (rows):                                                                                                   \
        across(p, rows, 1);                                                                                            \
        break;                                                                                                         \
    case 2 * (rows) + 1:                                                                                               \
        across(p, rows, 2);                                                                                            \
        break;

void DCNN_SIMD_NAME(dcnn_product_across)(size_t rows, size_t vectors, const product *p) {
    switch (2 * rows + vectors - 1) {
        DCNN_ACROSS(1)
        DCNN_ACROSS(2)
        DCNN_ACROSS(3)
        DCNN_ACROSS(4)
        DCNN_ACROSS(5)
        DCNN_ACROSS(6)
#if SIMD_REGISTERS >= 32
        DCNN_ACROSS(7)
        DCNN_ACROSS(8)
        DCNN_ACROSS(9)
        DCNN_ACROSS(10)
        DCNN_ACROSS(11)
        DCNN_ACROSS(12)
        DCNN_ACROSS(13)
        DCNN_ACROSS(14)
#endif
    }
}

#define DCNN_ALONG(rows)                                                                                               \
    case 4 * (rows):                                                                                                   \
        along(p, rows, 1);                                                                                             \
        break;                                                                                                         \
    case 4 * (rows) + 1:                                                                                               \
        along(p, rows, 2);                                                                                             \
        break;                                                                                                         \
    case 4 * (rows) + 2:                                                                                               \
        along(p, rows, 3);                                                                                             \
        break;

void DCNN_SIMD_NAME(dcnn_product_along)(size_t rows, size_t vectors, const product *p) {
    switch (4 * rows + vectors - 1) {
        DCNN_ALONG(1)
        DCNN_ALONG(2)
        DCNN_ALONG(3)
        DCNN_ALONG(4)
#if SIMD_REGISTERS >= 32
        DCNN_ALONG(5)
        DCNN_ALONG(6)
        DCNN_ALONG(7)
        DCNN_ALONG(8)
        DCNN_ALONG(9)
#endif
    }
}
