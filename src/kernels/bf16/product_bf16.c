/* SPDX-License-Identifier: BSD-3-Clause */
/* product_bf16.c — bf16 products in plain loops, to the bits of TDPBF16PS; with no FMA instruction needed. */
#include "kernels/bf16.h"

void dcnn_product_bf16_reference(size_t row_tiles, size_t column_tiles, const dcnn_product_bf16 *p) {
    for (size_t i = 0; i < row_tiles * BF16_TILE; i++)
        for (size_t j = 0; j < column_tiles * BF16_TILE; j++) {
            float sum = p->add ? p->out[i * p->out_row + j] : 0.0f;
            for (size_t chunk = 0; chunk < p->chunks; chunk++) {
                const uint16_t *a = p->left + p->left_at[chunk] + i * p->left_row;
                const uint16_t *b = bf16_right(p, chunk) + j / BF16_TILE * p->right_tile + j % BF16_TILE * 2;
                float even = 0.0f, odd = 0.0f;
                for (size_t d = 0; d < BF16_CHUNK; d += 2) {
                    even = bf16_multiply_add(a[d], b[d * BF16_TILE], even);
                    odd = bf16_multiply_add(a[d + 1], b[d * BF16_TILE + 1], odd);
                }
                sum = bf16_add(sum, bf16_add(even, odd));
            }
            p->out[i * p->out_row + j] = sum;
        }
}
