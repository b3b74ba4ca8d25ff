/* SPDX-License-Identifier: BSD-3-Clause */
/* product_bf16_simd.c — bf16 products to the bits of AMX's TDPBF16PS, by fp32's fused multiply-adds; where there are
 * none, in double. */
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

/* Denormals are zeros. */
static void widen(size_t step, const uint16_t *numbers, float *values) {
    for (size_t i = 0; i < BF16_TILE; i++) {
        const uint32_t number = numbers[i * step], kept = number & 0x7f80u ? number : number & 0x8000u;
        const uint32_t bits = kept << 16;
        memcpy(&values[i], &bits, sizeof bits);
    }
}

/* sums += a * b in 16 columns. A product of two bf16 has 16 bits, so in fp32 it is exact, and its sum is rounded once:
 * but where it is denormal or overflows, or the sum is denormal. Those are done one by one. */
static inline void add_products(float a, const float *b, float *sums) {
    const simd_int size = simd_splat_int(0x7fffffff), normal = simd_splat_int(0x00800000),
                   infinite = simd_splat_int(0x7f800000);
    const simd_int live = simd_splat_int(a == 0.0f ? 0 : -1);
    simd_float results[BF16_TILE / SIMD_LANES];
    simd_int border = {0};
    for (size_t v = 0; v < BF16_TILE / SIMD_LANES; v++) {
        const simd_float factor = simd_load(b + v * SIMD_LANES), product = simd_splat(a) * factor;
        results[v] = product + simd_load(sums + v * SIMD_LANES);
        const simd_int product_size = (simd_int)product & size, result_size = (simd_int)results[v] & size;
        border |= ((product_size < normal) & live & (factor != simd_zero())) | (product_size == infinite) |
                  ((result_size < normal) & (result_size > 0));
    }
    int32_t any = 0;
    for (size_t lane = 0; lane < SIMD_LANES; lane++) any |= border[lane];
    if (any == 0)
        memcpy(sums, results, sizeof results);
    else
        for (size_t j = 0; j < BF16_TILE; j++) sums[j] = bf16_flush((double)a * (double)b[j] + (double)sums[j]);
}

/* One chunk of a row by 16 columns, whose pairs are unpacked. */
static void add_chunk(const uint16_t *left, float even_b[][BF16_TILE], float odd_b[][BF16_TILE], bool start,
                      float *out) {
    float even_a[BF16_TILE], odd_a[BF16_TILE], even[BF16_TILE] = {0}, odd[BF16_TILE] = {0};
    widen(2, left, even_a);
    widen(2, left + 1, odd_a);
    for (size_t pair = 0; pair < BF16_CHUNK / 2; pair++) {
        add_products(even_a[pair], even_b[pair], even);
        add_products(odd_a[pair], odd_b[pair], odd);
    }
    for (size_t j = 0; j < BF16_TILE; j++) out[j] = bf16_add(start ? 0.0f : out[j], bf16_add(even[j], odd[j]));
}

/* Columns in vectors, as the compiler makes them of loops. */
void DCNN_SIMD_NAME(dcnn_product_bf16)(size_t row_tiles, size_t column_tiles, const dcnn_product_bf16 *p) {
    _Static_assert(BF16_CHUNK / 2 == BF16_TILE, "a chunk has as many pairs as a tile has columns");
    const size_t rows = row_tiles * BF16_TILE;
    float even[BF16_CHUNK / 2][BF16_TILE], odd[BF16_CHUNK / 2][BF16_TILE];
    for (size_t tile = 0; tile < column_tiles; tile++) {
        float *out = p->out + tile * BF16_TILE;
        for (size_t i = 0; p->chunks == 0 && !p->add && i < rows; i++)
            memset(out + i * p->out_row, 0, BF16_TILE * sizeof *out);
        for (size_t chunk = 0; chunk < p->chunks; chunk++) {
            const uint16_t *right = bf16_right(p, chunk) + tile * p->right_tile;
            for (size_t pair = 0; pair < BF16_CHUNK / 2; pair++, right += BF16_BLOCK) {
                widen(2, right, even[pair]);
                widen(2, right + 1, odd[pair]);
            }
            for (size_t i = 0; i < rows; i++)
                add_chunk(p->left + p->left_at[chunk] + i * p->left_row, even, odd, chunk == 0 && !p->add,
                          out + i * p->out_row);
        }
    }
}

#endif
