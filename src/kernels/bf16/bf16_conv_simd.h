/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file bf16_conv_simd.h — what the parts of the bf16 convolutions share: memory, packed weights, rows of a block.
 */
#ifndef DCNN_KERNELS_BF16_CONV_SIMD_H
#define DCNN_KERNELS_BF16_CONV_SIMD_H

#include "kernels/bf16/bf16_simd.h"

INLINE size_t tiles_of(size_t columns) {
    return divide_up(columns, BF16_TILE);
}

/* Tiles of the block that starts at tile `first`, of `tiles`. */
INLINE size_t block_tiles(size_t tiles, size_t first) {
    return least(BF16_BLOCK / BF16_TILE, tiles - first);
}

INLINE size_t blocks_of(size_t columns) {
    return divide_up(columns, BF16_BLOCK);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Everything that any of the kernels needs, carved from scratch; NULL scratch measures. */
typedef struct bf16_memory {
    uint16_t *image, *rows, *pairs, *gradient, *transposed;
    int32_t *left_at, *right_at;
    float *sums;
    size_t floats;
} bf16_memory;

INLINE void *take(bf16_memory *m, float *scratch, size_t bytes) {
    void *at = scratch == NULL ? NULL : scratch + m->floats;
    m->floats += whole_lines(divide_up(bytes, sizeof(float)));
    return at;
}

INLINE size_t line_chunks(const bf16_gathered *g) {
    return divide_up(g->line, BF16_CHUNK);
}

INLINE bf16_memory carve(const dcnn_conv *shape, const bf16_gathered *g, float *scratch) {
    const bf16_gradient d = bf16_gradient_of(shape, g, true);
    const size_t chunks = g->lines * line_chunks(g), forward = g->taps * g->depth / BF16_CHUNK,
                 backward = (size_t)(shape->r * shape->s) * d.depth / BF16_CHUNK;
    const size_t blocks = blocks_of((size_t)shape->k) * blocks_of(g->channels) * g->taps;
    const size_t most =
        chunks > forward ? (chunks > backward ? chunks : backward) : (forward > backward ? forward : backward);
    bf16_memory m = {0};
    m.image = take(&m, scratch, bf16_image_size(shape) * sizeof(uint16_t));
    m.rows = take(&m, scratch, bf16_rows_size(g->rows, g->depth) * sizeof(uint16_t));
    m.pairs = take(&m, scratch, bf16_pairs_size(g) * sizeof(uint16_t));
    m.gradient = take(&m, scratch, bf16_rows_size(d.rows, d.depth) * sizeof(uint16_t));
    m.transposed = take(&m, scratch, chunks * blocks_of((size_t)shape->k) * 2 * BF16_TILE_SIZE * sizeof(uint16_t));
    m.left_at = take(&m, scratch, most * sizeof(int32_t));
    m.right_at = take(&m, scratch, 2 * chunks * sizeof(int32_t));
    if ((size_t)shape->n > g->images) m.sums = take(&m, scratch, blocks * BF16_BLOCK * BF16_BLOCK * sizeof(float));
    return m;
}

INLINE size_t scratch_of_group(const dcnn_conv *shape, bool pooled) {
    const dcnn_conv inner = bf16_inner(shape);
    const bf16_gathered g = bf16_gathered_of(&inner, pooled);
    return carve(shape, &g, NULL).floats;
}

/* For up to n images. Fewer are other groups, which may take more: of a single one pairs of both parities. */
INLINE size_t scratch_of(const dcnn_conv *shape, bool pooled) {
    size_t most = scratch_of_group(shape, pooled);
    dcnn_conv fewer = *shape;
    for (fewer.n = 1; fewer.n < shape->n && fewer.n <= BF16_IMAGES; fewer.n *= 2) {
        const size_t floats = scratch_of_group(&fewer, pooled);
        if (floats > most) most = floats;
    }
    return most;
}

/* --- packed weights: [tile][tap][chunk], forward's, then dx's taps phase by phase --------------------------------- */

/* Numbers from a tile's first chunk to the next tile's. */
INLINE size_t packed_tile(size_t taps, size_t depth) {
    return taps * depth * BF16_TILE;
}

INLINE size_t packed_size(size_t taps, size_t depth, size_t columns) {
    return tiles_of(columns) * packed_tile(taps, depth);
}

INLINE size_t forward_size(const dcnn_conv *shape) {
    const dcnn_conv inner = bf16_inner(shape);
    const bf16_gathered g = bf16_gathered_of(&inner, false);
    return packed_size(g.taps, g.depth, (size_t)shape->k);
}

INLINE size_t packed_floats(const dcnn_conv *shape) {
    const size_t depth = bf16_whole((size_t)shape->k, BF16_CHUNK);
    return (forward_size(shape) + packed_size((size_t)(shape->r * shape->s), depth, (size_t)shape->c)) / 2;
}

/* Number of the first tap of a phase in dx's order, and how many it has; phases in rows of stride_w. */
typedef struct phase_taps {
    size_t first, rows, columns;
} phase_taps;

INLINE phase_taps taps_of_phase(const dcnn_conv *shape, int phase_h, int phase_w) {
    phase_taps found = {0};
    for (int i = 0; i < shape->stride_h; i++)
        for (int j = 0; j < shape->stride_w; j++) {
            found.rows = i < shape->r ? (size_t)((shape->r - i - 1) / shape->stride_h + 1) : 0;
            found.columns = j < shape->s ? (size_t)((shape->s - j - 1) / shape->stride_w + 1) : 0;
            if (i == phase_h && j == phase_w) return found;
            found.first += found.rows * found.columns;
        }
    return found;
}

/* Where the rows of a block go: row i to number to[i] of the output, or nowhere (an image that is missing, or past the
 * line's end). Images are a power of two, so there is nothing to divide. */
typedef struct block_rows {
    void *output;
    bool half;
    size_t to[BF16_BLOCK];
} block_rows;

#define NOWHERE SIZE_MAX

INLINE block_rows rows_of_block(size_t images, size_t count, size_t first, size_t line, size_t origin, size_t pixel,
                                size_t image) {
    block_rows rows = {0};
    size_t at = first & (images - 1), to = origin + first / images * pixel;
    for (size_t i = 0; i < BF16_BLOCK; i++) {
        rows.to[i] = at < count && first + i < line ? to + at * image : NOWHERE;
        if (++at < images) continue;
        at = 0;
        to += pixel;
    }
    return rows;
}

/* A product's sums with bias and ReLU to the output. */
INLINE void finish_rows(const bool half, const block_rows *rows, size_t column, size_t columns, const float *sums,
                        const float *bias, bool relu) {
    const simd_float floor = simd_splat(relu ? 0 : -__builtin_inff());
    for (size_t at = 0; at < columns; at += V) {
        const size_t lanes = least(V, columns - at);
        const simd_float shift = bias == NULL ? simd_zero() : simd_take(bias + column + at, lanes);
        for (size_t i = 0; i < BF16_BLOCK; i++) {
            if (rows->to[i] == NOWHERE) continue;
            /* This order of simd_max keeps a NaN. */
            put_numbers(rows->output, half, rows->to[i] + column + at, lanes,
                        simd_max(floor, simd_load(sums + i * BF16_BLOCK + at) + shift));
        }
    }
}

INLINE void finish_block(const block_rows *rows, size_t column, size_t columns, const float *sums, const float *bias,
                         bool relu) {
    if (rows->half)
        finish_rows(true, rows, column, columns, sums, bias, relu);
    else
        finish_rows(false, rows, column, columns, sums, bias, relu);
}

/* --- the kernels -------------------------------------------------------------------------------------------------- */

/** w -> packed, a worker's part (bf16_pack_simd.c). */
void DCNN_SIMD_NAME(dcnn_bf16_pack)(const dcnn_conv *shape, const float *w, float *packed, int part, int parts);

/** Kernels conv_forward and conv_pool_forward (bf16_forward_simd.c). */
void DCNN_SIMD_NAME(dcnn_bf16_forward)(const dcnn_conv *shape, const float *x, const float *packed, const float *bias,
                                       dcnn_fused fused, float *y, float *scratch);
void DCNN_SIMD_NAME(dcnn_bf16_pool_forward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                            const float *in_shift, const float *packed, const float *bias, float *y,
                                            uint8_t *argmax, float *scratch);

/** What all backward kernels are (bf16_backward_simd.c). */
typedef struct bf16_backward_task {
    const float *x, *in_scale, *in_shift, *packed;
    bf16_outputs outputs;
    float *dx, *dw, *dbias; /**< any may be NULL */
} bf16_backward_task;

void DCNN_SIMD_NAME(dcnn_bf16_backward)(const dcnn_conv *shape, const bf16_backward_task *task, float *scratch);

/** A group's part of dw of bf16_inner(), of its gathered gradient and input; of several groups the sums are kept in `m`
 * (bf16_filter_simd.c). */
void DCNN_SIMD_NAME(dcnn_bf16_filter_gradient)(const dcnn_conv *shape, const bf16_gathered *g, const bf16_memory *m,
                                               bool first, bool last, float *dw);

#endif
