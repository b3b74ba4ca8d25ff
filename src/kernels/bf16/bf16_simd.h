/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file bf16_simd.h — small steps of the bf16 convolutions: rounding vectors, pairs of rows, transposition.
 *
 * bf16_*_simd.c are compiled for each instruction set, and once more for AMX (AVX-512's code around AMX's products).
 */
#ifndef DCNN_KERNELS_BF16_SIMD_H
#define DCNN_KERNELS_BF16_SIMD_H

#include "kernels/bf16.h"
#include "kernels/simd/halves_simd.h"
#include "kernels/simd/window_simd.h"

/** Sixteen dwords, each a pair of bf16: what a tile has of one pair in depth. */
typedef struct bf16_pairs {
    simd_int part[BF16_TILE / V];
} bf16_pairs;

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

/** `count` numbers that are of bf16 already. */
INLINE void bf16_copy_row(const uint16_t *from, size_t count, size_t whole, uint16_t *to) {
    size_t at = 0;
    for (; at + 2 * V <= count; at += 2 * V) memcpy(to + at, from + at, 2 * V * sizeof *to); /* a vector */
    if (at < count) memcpy(to + at, from + at, (count - at) * sizeof *to);
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

/** Rows may begin a product's pairs at any number: of a single image the odd ones are paired too. */
INLINE size_t bf16_parities(const bf16_gathered *g) {
    return g->images == 1 ? 2 : 1;
}

/** Pairs of the input's rows, those that a product may read beyond the end included. */
INLINE size_t bf16_pairs_of(const bf16_gathered *g) {
    return (bf16_whole(g->rows, BF16_CHUNK) + BF16_CHUNK) / 2;
}

/** Numbers of all pairs. */
INLINE size_t bf16_pairs_size(const bf16_gathered *g) {
    return bf16_parities(g) * divide_up(g->channels, BF16_TILE) * bf16_pairs_of(g) * BF16_BLOCK;
}

/** Rows and columns of an image with all zeros around it that taps read. */
INLINE size_t bf16_padded_h(const dcnn_conv *shape) {
    return (size_t)((shape->oh - 1) * shape->stride_h + shape->r);
}

INLINE size_t bf16_padded_w(const dcnn_conv *shape) {
    return (size_t)((shape->ow - 1) * shape->stride_w + shape->s);
}

/** Numbers of `image` below; what copies of whole vectors read behind the last included. */
INLINE size_t bf16_image_size(const dcnn_conv *shape) {
    return bf16_takes_patches(shape) ? bf16_padded_h(shape) * bf16_padded_w(shape) * (size_t)shape->c + BF16_CHUNK : 0;
}

/** `count` images from x [N,H,W,C] on to rows. Rows of missing images, and behind the last
 * row, are zeros. `image`: room for one, where patches are taken. */
void DCNN_SIMD_NAME(dcnn_bf16_gather_input)(const dcnn_conv *shape, const bf16_gathered *g, const void *x, size_t count,
                                            const float *scale, const float *shift, uint16_t *image, uint16_t *rows);

/** Gradients behind a convolution: dy [N,OH,OW,K], behind a ReLU that made y if that is given; or with argmax, behind
 * its pooling of windows of 2x2, dy [N,OH/2,OW/2,K], floats. */
typedef struct bf16_outputs {
    const void *y, *dy;
    const uint8_t *argmax;
} bf16_outputs;

/** Those of `count` images to rows. dbias [K] += their sums over all positions, one after the other, in fp32; may be
 * NULL. */
void DCNN_SIMD_NAME(dcnn_bf16_gather_gradient)(const dcnn_conv *shape, const bf16_gradient *d, const bf16_outputs *from,
                                               size_t count, float *dbias, uint16_t *rows);

/** The input's rows as right tiles of products over rows, which may begin at any row: [parity][tile][pair]. */
void DCNN_SIMD_NAME(dcnn_bf16_pair_input)(const bf16_gathered *g, const uint16_t *rows, uint16_t *to);

/** The gradient's rows as left tiles of a product over rows, zeros behind a line's end: [32 filters][line][chunk]
 * [filter][row]. */
void DCNN_SIMD_NAME(dcnn_bf16_transpose_gradient)(const bf16_gathered *g, const bf16_gradient *d, size_t k,
                                                  const uint16_t *rows, uint16_t *to);

#endif
