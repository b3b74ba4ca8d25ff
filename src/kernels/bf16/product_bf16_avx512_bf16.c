/* SPDX-License-Identifier: BSD-3-Clause */
/* product_bf16_avx512_bf16.c — bf16 products by VDPBF16PS, which adds both products of a pair to one sum. That is not
 * AMX's order, so this is an instruction set to be named (DCNN_ISA=avx512_bf16), never one that is chosen. */
#include "kernels/bf16.h"

#include <immintrin.h>

enum { ROWS = 8, PAIRS = BF16_CHUNK / 2 }; /* 16 sums, two vectors of the right operand and one of the left */

/* ROWS rows by one or two tiles of columns; the sums stay in registers over the whole depth. */
static inline __attribute__((always_inline)) void multiply_rows(const size_t tiles, size_t first,
                                                                const dcnn_product_bf16 *p) {
    const size_t row = p->left_row;
    float *out = p->out + first * p->out_row;
    __m512 sum[ROWS][2];
#pragma GCC unroll 8
    for (size_t i = 0; i < ROWS; i++)
#pragma GCC unroll 2
        for (size_t j = 0; j < tiles; j++)
            sum[i][j] = p->add ? _mm512_loadu_ps(out + i * p->out_row + j * BF16_TILE) : _mm512_setzero_ps();
    for (size_t chunk = 0; chunk < p->chunks; chunk++) {
        const uint16_t *left = p->left + p->left_at[chunk] + first * row, *right = bf16_right(p, chunk);
        for (size_t pair = 0; pair < PAIRS; pair++, left += 2, right += BF16_BLOCK) {
            __m512bh b[2];
#pragma GCC unroll 2
            for (size_t j = 0; j < tiles; j++)
                b[j] = (__m512bh)_mm512_loadu_si512((const void *)(right + j * p->right_tile));
#pragma GCC unroll 8
            for (size_t i = 0; i < ROWS; i++) {
                int32_t both;
                memcpy(&both, left + i * row, sizeof both);
                const __m512bh a = (__m512bh)_mm512_set1_epi32(both);
#pragma GCC unroll 2
                for (size_t j = 0; j < tiles; j++) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], a, b[j]);
            }
        }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < ROWS; i++)
#pragma GCC unroll 2
        for (size_t j = 0; j < tiles; j++) _mm512_storeu_ps(out + i * p->out_row + j * BF16_TILE, sum[i][j]);
}

void dcnn_product_bf16_avx512_bf16(size_t row_tiles, size_t column_tiles, const dcnn_product_bf16 *p) {
    for (size_t first = 0; first < row_tiles * BF16_TILE; first += ROWS)
        if (column_tiles == 2)
            multiply_rows(2, first, p);
        else
            multiply_rows(1, first, p);
}
