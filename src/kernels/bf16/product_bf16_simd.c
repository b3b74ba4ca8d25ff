/* SPDX-License-Identifier: BSD-3-Clause */
/* product_bf16_simd.c — bf16 products to the bits of AMX's TDPBF16PS, by fp32's fused multiply-adds. */
#include "kernels/bf16.h"
#include "kernels/simd/simd.h"

#if defined(__FMA__)

#define INLINE static inline __attribute__((always_inline))

/* Sums of even and of odd products in registers, for so many rows and vectors; the tile's own sums lie in `out`. */
enum {
    V = SIMD_LANES,
    VECTORS = 2,
    ROWS = SIMD_REGISTERS / 8,
};

INLINE simd_float even_of(simd_int pairs) {
    return (simd_float)(pairs << 16);
}

INLINE simd_float odd_of(simd_int pairs) {
    return (simd_float)(pairs & simd_splat_int((int32_t)0xffff0000));
}

INLINE simd_int splat_pair(const uint16_t *pair) {
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return simd_splat_int(both);
}

/* One chunk of ROWS rows by one or two vectors of pairs. */
INLINE void add_chunk(const size_t vectors, const uint16_t *left, size_t left_row, const uint16_t *const right[VECTORS],
                      bool start, float *out, const size_t out_at[VECTORS], size_t out_row) {
    simd_float even[ROWS][VECTORS], odd[ROWS][VECTORS];
#pragma GCC unroll 4
    for (size_t i = 0; i < ROWS; i++) {
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++) even[i][j] = odd[i][j] = simd_zero();
    }
    for (size_t pair = 0; pair < BF16_CHUNK / 2; pair++) {
        simd_float even_b[VECTORS], odd_b[VECTORS];
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++) {
            const simd_int both = simd_load_int((const int32_t *)(const void *)(right[j] + pair * BF16_BLOCK));
            even_b[j] = even_of(both);
            odd_b[j] = odd_of(both);
        }
#pragma GCC unroll 4
        for (size_t i = 0; i < ROWS; i++) {
            const simd_int both = splat_pair(left + i * left_row + 2 * pair);
            const simd_float even_a = even_of(both), odd_a = odd_of(both);
#pragma GCC unroll 2
            for (size_t j = 0; j < vectors; j++) {
                even[i][j] = simd_multiply_add(even_a, even_b[j], even[i][j]);
                odd[i][j] = simd_multiply_add(odd_a, odd_b[j], odd[i][j]);
            }
        }
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < ROWS; i++) {
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++) {
            float *at = out + i * out_row + out_at[j];
            const simd_float sum = even[i][j] + odd[i][j];
            simd_store(at, (start ? simd_zero() : simd_load(at)) + sum);
        }
    }
}

INLINE void multiply_vectors(const size_t vectors, size_t first, size_t rows, const dcnn_product_bf16 *p) {
    const size_t tile_vectors = BF16_TILE / V;
    size_t out_at[VECTORS], right_at[VECTORS];
    for (size_t j = 0; j < vectors; j++) {
        out_at[j] = (first + j) * V;
        right_at[j] = (first + j) / tile_vectors * p->right_tile + (first + j) % tile_vectors * 2 * V;
    }
    for (size_t i = 0; i < rows; i += ROWS) {
        float *out = p->out + i * p->out_row;
        for (size_t chunk = 0; chunk < p->chunks; chunk++) {
            const uint16_t *right = bf16_right(p, chunk), *at[VECTORS];
            for (size_t j = 0; j < vectors; j++) at[j] = right + right_at[j];
            add_chunk(vectors, p->left + p->left_at[chunk] + i * p->left_row, p->left_row, at, chunk == 0 && !p->add,
                      out, out_at, p->out_row);
        }
    }
}

/* Not inlined, so that nothing of it leaves the bracket of the two control words. */
static __attribute__((noinline)) void multiply(size_t row_tiles, size_t column_tiles, const dcnn_product_bf16 *p) {
    const size_t rows = row_tiles * BF16_TILE, vectors = column_tiles * BF16_TILE / V;
    size_t j = 0;
    for (; j + VECTORS <= vectors; j += VECTORS) multiply_vectors(VECTORS, j, rows, p);
    if (j < vectors) multiply_vectors(1, j, rows, p);
}

/* Nothing to sum: zeros, or what was there. */
static void multiply_nothing(size_t row_tiles, size_t column_tiles, const dcnn_product_bf16 *p) {
    for (size_t i = 0; !p->add && i < row_tiles * BF16_TILE; i++)
        memset(p->out + i * p->out_row, 0, column_tiles * BF16_TILE * sizeof(float));
}

/* Denormals are zeros, in and out, while this runs. */
void DCNN_SIMD_NAME(dcnn_product_bf16)(size_t row_tiles, size_t column_tiles, const dcnn_product_bf16 *p) {
    if (p->chunks == 0) {
        multiply_nothing(row_tiles, column_tiles, p);
        return;
    }
    const unsigned control = _mm_getcsr();
    _mm_setcsr(control | _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON);
    multiply(row_tiles, column_tiles, p);
    _mm_setcsr(control);
}

#else

void DCNN_SIMD_NAME(dcnn_product_bf16)(size_t row_tiles, size_t column_tiles, const dcnn_product_bf16 *p) {
    dcnn_product_bf16_reference(row_tiles, column_tiles, p);
}

#endif
