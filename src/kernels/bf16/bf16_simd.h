/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file bf16_simd.h — small steps of the bf16 convolutions: rounding vectors, pairs of rows, transposition.
 *
 * bf16_*_simd.c are compiled for each instruction set, and once more for AMX (AVX-512's code around AMX's products).
 */
#ifndef DCNN_KERNELS_BF16_SIMD_H
#define DCNN_KERNELS_BF16_SIMD_H

#include "kernels/bf16.h"
#include "kernels/simd/window_simd.h"

#define INLINE static inline __attribute__((always_inline))

/** Sixteen dwords, each a pair of bf16: what a tile has of one pair in depth. */
typedef struct bf16_pairs {
    simd_int part[BF16_TILE / V];
} bf16_pairs;

/** Rounded to bf16, in the upper half of each lane. */
INLINE simd_int bf16_round_lanes(simd_float value) {
    const simd_int bits = (simd_int)value;
    const simd_int rounded = bits + (simd_splat_int(0x7fff) + ((bits >> 16) & simd_splat_int(1)));
    const simd_int magnitude = bits & simd_splat_int(0x7f800000);
    const simd_int number = simd_select_int(simd_is_nan(value), bits | simd_splat_int(0x400000), rounded);
    const simd_int zero = bits & simd_splat_int(INT32_MIN);
    return simd_select_int(simd_equal_int(magnitude, simd_splat_int(0)), zero, number) &
           simd_splat_int((int32_t)0xffff0000);
}

/** The upper halves of the first `lanes` lanes, as numbers. */
INLINE void bf16_store_lanes(uint16_t *to, size_t lanes, simd_int rounded) {
    if (lanes == V) {
        simd_store_upper_halves(to, rounded);
        return;
    }
    uint16_t all[V];
    simd_store_upper_halves(all, rounded);
    memcpy(to, all, lanes * sizeof *to);
}

/** Pairs of the numbers of two rows, sixteen columns. */
INLINE bf16_pairs bf16_pair_rows(const uint16_t *first, const uint16_t *second) {
    bf16_pairs pairs;
#pragma GCC unroll 4
    for (size_t j = 0; j < BF16_TILE / V; j++)
        pairs.part[j] = simd_load_halves(first + j * V) | simd_load_halves(second + j * V) << 16;
    return pairs;
}

INLINE void bf16_store_pairs(uint16_t *to, bf16_pairs pairs) {
#pragma GCC unroll 4
    for (size_t j = 0; j < BF16_TILE / V; j++) simd_store_int((int32_t *)(void *)(to + 2 * j * V), pairs.part[j]);
}

/** Sixteen rows of sixteen pairs, transposed, to `to`, `row` numbers from one to the next. */
INLINE void bf16_store_transposed(uint16_t *to, size_t row, const bf16_pairs pairs[BF16_TILE]) {
#if SIMD_LANES == 16 /* BF16_TILE */
    simd_float lines[V];
#pragma GCC unroll 16
    for (size_t i = 0; i < BF16_TILE; i++) lines[i] = (simd_float)pairs[i].part[0];
    simd_transpose(lines);
#pragma GCC unroll 16
    for (size_t i = 0; i < BF16_TILE; i++) simd_store_int((int32_t *)(void *)(to + i * row), (simd_int)lines[i]);
#else
    for (size_t i = 0; i < BF16_TILE; i++)
        for (size_t j = 0; j < BF16_TILE; j++) {
            const int32_t pair = pairs[j].part[i / V][i % V];
            memcpy(to + i * row + 2 * j, &pair, sizeof pair);
        }
#endif
}

/** Rounds `count` floats, seen through an affine map unless scale is NULL; zeros follow up to `whole`. */
INLINE void bf16_round_row(const float *from, size_t count, const float *scale, const float *shift, size_t whole,
                           uint16_t *to) {
    size_t at = 0;
#if defined(__AVX512BF16__)
    for (; scale == NULL && at + 2 * V <= count; at += 2 * V)
        _mm512_storeu_si512(
            to + at, (__m512i)_mm512_cvtne2ps_pbh((__m512)simd_load(from + at + V), (__m512)simd_load(from + at)));
    for (; at + 2 * V <= count; at += 2 * V) {
        const simd_float low = simd_multiply_add(simd_load(from + at), simd_load(scale + at), simd_load(shift + at));
        const simd_float high =
            simd_multiply_add(simd_load(from + at + V), simd_load(scale + at + V), simd_load(shift + at + V));
        _mm512_storeu_si512(to + at, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
    }
#endif
    for (; at < count; at += V) {
        const size_t lanes = least(V, count - at);
        simd_float value = simd_take(from + at, lanes);
        if (scale != NULL) value = simd_multiply_add(value, simd_take(scale + at, lanes), simd_take(shift + at, lanes));
        bf16_store_lanes(to + at, lanes, bf16_round_lanes(value));
    }
    if (whole > count) memset(to + count, 0, (whole - count) * sizeof *to);
}

/* --- what is gathered (bf16_gather_simd.c) ------------------------------------------------------------------------ */

/** How the gradient of the outputs is gathered: rows as of the input, a border of zeros around, which dx reads. */
typedef struct bf16_gradient {
    size_t images, depth;
    size_t border_h, border_w;
    size_t h, w, rows; /**< with borders */
} bf16_gradient;

INLINE bf16_gradient bf16_gradient_of(const dcnn_conv *shape, const bf16_gathered *g, bool bordered) {
    bf16_gradient d = {.images = g->images, .depth = bf16_whole((size_t)shape->k, BF16_CHUNK)};
    if (bordered) {
        d.border_h = (size_t)((shape->r - 1) / shape->stride_h);
        d.border_w = (size_t)((shape->s - 1) / shape->stride_w);
    }
    d.h = g->oh + 2 * d.border_h;
    d.w = g->ow + 2 * d.border_w;
    d.rows = d.h * d.w * d.images;
    return d;
}

/** Numbers of a gathered matrix, rows that a product may read beyond its end included. */
INLINE size_t bf16_rows_size(size_t rows, size_t depth) {
    return (bf16_whole(rows, BF16_CHUNK) + BF16_CHUNK) * depth;
}

/** Numbers from channel to channel of a transposed matrix of so many rows: an odd number of lines, for the caches. */
INLINE size_t bf16_transposed_row(size_t rows) {
    return ((bf16_whole(rows, BF16_CHUNK) + BF16_CHUNK) / BF16_CHUNK | 1) * BF16_CHUNK;
}

/** `count` images from x [N,H,W,C] on to rows. Rows of missing images, and behind the last
 * row, are zeros. */
void DCNN_SIMD_NAME(dcnn_bf16_gather_input)(const dcnn_conv *shape, const bf16_gathered *g, const float *x,
                                            size_t count, const float *scale, const float *shift, uint16_t *rows);

/** `count` images of a gradient to rows: dy [N,OH,OW,K], or with argmax of windows of 2x2, dy [N,OH/2,OW/2,K]. */
void DCNN_SIMD_NAME(dcnn_bf16_gather_gradient)(const dcnn_conv *shape, const bf16_gradient *d, const float *dy,
                                               const uint8_t *argmax, size_t count, uint16_t *rows);

/** Rows [rows,depth] to columns: numbers of one channel side by side, for a product over rows. */
void DCNN_SIMD_NAME(dcnn_bf16_transpose)(size_t rows, size_t depth, size_t channels, const uint16_t *from,
                                         uint16_t *to);

/** The gradient's rows as right tiles of a product over rows: [panel of two tiles][line][chunk][tile]. */
void DCNN_SIMD_NAME(dcnn_bf16_pair_gradient)(const bf16_gathered *g, const bf16_gradient *d, size_t tiles,
                                             const uint16_t *rows, uint16_t *to);

/** dbias [K] = the sums of dy over all positions, one after the other, in fp32; with `add` on from what is there. */
void DCNN_SIMD_NAME(dcnn_bf16_bias_gradient)(size_t rows, size_t k, const float *dy, const uint8_t *argmax, bool add,
                                             float *dbias);

#endif
