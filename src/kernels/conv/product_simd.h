/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file product_simd.h — the micro-kernel of the general convolutions: one register tile of a product of matrices whose
 * left operand is read wherever it lies, one float at a time, and whose right operand comes in vectors.
 *
 * The sum runs over `segments` runs of `depth` steps. Rows that lie apart while the steps are neighbours (an image
 * under a filter, a tile's channels) are for dcnn_product_across; rows that are neighbours while the steps lie apart (a
 * sum over positions) are for dcnn_product_along.
 */
#ifndef DCNN_KERNELS_PRODUCT_SIMD_H
#define DCNN_KERNELS_PRODUCT_SIMD_H

#include <stdbool.h>

#include "kernels/simd/lanes_simd.h"

/** Largest tiles: rows x vectors sums, with the right operand's vectors and one of the left's beside them in registers.
 */
enum {
    ACROSS_VECTORS = 2,
    ACROSS_ROWS = (SIMD_REGISTERS - 4) / 2, /* 14 or 6 */
    ALONG_VECTORS = 3,
    ALONG_ROWS = (SIMD_REGISTERS - 4) / 3, /* 9, or 4: of 9 a row of a 3x3 filter on three channels is one tile */
};

/** out[i][j] = f(start[j] + sum over segments and steps of left[i] * right[j]); all distances in floats. */
typedef struct product {
    size_t segments, depth;
    const float *left;
    size_t left_row;   /**< from row to row; 1 for dcnn_product_along */
    size_t left_step;  /**< from step to step; 1 for dcnn_product_across */
    size_t left_pitch; /**< from segment to segment */
    const float *right;
    size_t right_step, right_pitch;
    const float *start; /**< `vectors` vectors, the same for all rows, or NULL for zeros; dcnn_product_across only */
    bool relu;          /**< dcnn_product_across only */
    bool add;           /**< the sums start from what is in `out`; dcnn_product_along only */
    bool past_caches;   /**< simd_streams() allows it; dcnn_product_along only */
    float *out;
    size_t out_row;
    size_t lanes; /**< of the last vector that are written */
} product;

/** rows 1..ACROSS_ROWS, vectors 1..ACROSS_VECTORS. */
void DCNN_SIMD_NAME(dcnn_product_across)(size_t rows, size_t vectors, const product *p);

/** rows 1..ALONG_ROWS, vectors 1..ALONG_VECTORS. */
void DCNN_SIMD_NAME(dcnn_product_along)(size_t rows, size_t vectors, const product *p);

/** Start of share `number` of `count` things cut into `shares` shares that are alike within one. */
static inline size_t share_start(size_t count, size_t number, size_t shares) {
    return count * number / shares;
}

#endif
