/* SPDX-License-Identifier: BSD-3-Clause */
/* sgemm_simd.c — products of matrices as they lie. The operands are packed once a call, a panel at a time on the stack:
 * for weights that are packed once a step there are the dense layers' kernels.
 *
 * A sum is made in parts of PART_DEPTH, each from zero and then added, whatever the instruction set. */
#include "kernels/conv/product_simd.h"
#include "kernels/register.h"

enum {
    PART_DEPTH = 256,
    ROW = ACROSS_VECTORS * V,
};

/* A part of op(b) [depth][columns] as whole vectors, zeros behind the last column. */
static void pack_right(bool transpose, size_t depth, size_t columns, const float *b, size_t ldb, float *panel) {
    const size_t width = divide_up(columns, V) * V;
    for (size_t i = 0; i < depth; i++)
        for (size_t j = 0; j < width; j++)
            panel[i * width + j] = j >= columns ? 0.0f : transpose ? b[j * ldb + i] : b[i * ldb + j];
}

/* to [rows][columns] = sums [rows][ROW], added to what stands there times beta. */
static void add_sums(size_t rows, size_t columns, const float *sums, float beta, float *to, size_t ldc) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            float *at = to + i * ldc + j;
            *at = beta == 0.0f ? sums[i * ROW + j] : __builtin_fmaf(beta, *at, sums[i * ROW + j]);
        }
}

static void multiply_panel(bool transpose_a, size_t rows, size_t columns, size_t depth, const float *a, size_t lda,
                           const float *panel, float beta, float *c, size_t ldc) {
    const size_t vectors = divide_up(columns, V), most = transpose_a ? ALONG_ROWS : ACROSS_ROWS;
    float sums[ACROSS_ROWS * ROW];
    product p = {.segments = 1, .depth = depth, .right = panel, .right_step = vectors * V, .out = sums, .out_row = ROW};
    p.lanes = V;
    p.left_row = transpose_a ? 1 : lda;
    p.left_step = transpose_a ? lda : 1;
    for (size_t first = 0; first < rows; first += most) {
        const size_t count = least(most, rows - first);
        p.left = a + first * p.left_row;
        if (transpose_a)
            DCNN_SIMD_NAME(dcnn_product_along)(count, vectors, &p);
        else
            DCNN_SIMD_NAME(dcnn_product_across)(count, vectors, &p);
        add_sums(count, columns, sums, beta, c + first * ldc, ldc);
    }
}

static void sgemm(bool transpose_a, bool transpose_b, int m, int n, int k, const float *a, int lda, const float *b,
                  int ldb, float beta, float *c, int ldc) {
    const size_t rows = (size_t)m, columns = (size_t)n, depth = (size_t)k;
    const size_t left = (size_t)lda, right = (size_t)ldb, out = (size_t)ldc;
    float panel[PART_DEPTH * ROW];
    for (size_t column = 0; column < columns; column += ROW) {
        const size_t wide = least(ROW, columns - column);
        for (size_t from = 0; from == 0 || from < depth; from += PART_DEPTH) {
            const size_t part = least(PART_DEPTH, depth - from);
            const float *b_part = b + (transpose_b ? column * right + from : from * right + column);
            pack_right(transpose_b, part, wide, b_part, right, panel);
            multiply_panel(transpose_a, rows, wide, part, a + (transpose_a ? from * left : from), left, panel,
                           from == 0 ? beta : 1.0f, c + column, out);
        }
    }
}

void DCNN_SIMD_NAME(dcnn_register_sgemm)(dcnn_kernels *table) {
    table->sgemm = sgemm;
}
