/* SPDX-License-Identifier: BSD-3-Clause */
/* bf16_forward_simd.c — bf16 convolutions forward: rows are outputs, columns filters, depth a tap's channels;
 * out = sum over taps of rows shifted. */
#include "kernels/bf16/bf16_conv_simd.h"

#define PRODUCT DCNN_SIMD_NAME(dcnn_product_bf16)

/* Where each chunk of the depth of an output begins: tap after tap. */
static void list_taps(const dcnn_conv *shape, const bf16_gathered *g, int32_t *left_at) {
    for (size_t tap = 0; tap < g->taps; tap++) {
        const size_t row = bf16_tap_rows(shape, g, tap / (size_t)shape->s, tap % (size_t)shape->s);
        for (size_t at = 0; at < g->depth; at += BF16_CHUNK) *left_at++ = (int32_t)(row * g->depth + at);
    }
}

void DCNN_SIMD_NAME(dcnn_bf16_forward)(const dcnn_conv *shape, const float *x, const float *packed, const float *bias,
                                       dcnn_fused fused, float *y, float *scratch) {
    const dcnn_conv inner = bf16_inner(shape);
    const bf16_gathered g = bf16_gathered_of(&inner, false);
    const bf16_memory m = carve(shape, &g, scratch);
    const size_t k = (size_t)shape->k, n = (size_t)shape->n, tiles = tiles_of(k);
    const size_t in = (size_t)shape->h * (size_t)shape->w * (size_t)shape->c, out = g.oh * g.ow * k;
    const uint16_t *weights = (const uint16_t *)(const void *)packed;
    float sums[BF16_BLOCK * BF16_BLOCK] __attribute__((aligned(64)));
    list_taps(&inner, &g, m.left_at);
    for (size_t image = 0; image < n; image += g.images) {
        const size_t count = least(g.images, n - image);
        DCNN_SIMD_NAME(dcnn_bf16_gather_input)
        (shape, &g, bf16_at(x, shape->x_half, image * in), count, NULL, NULL, m.image, m.rows);
        for (size_t line = 0; line < g.lines; line++)
            for (size_t first = 0; first < g.line; first += BF16_BLOCK) {
                dcnn_product_bf16 p = {.chunks = g.taps * g.depth / BF16_CHUNK,
                                       .left = m.rows + (bf16_line_rows(&g, line) + first) * g.depth,
                                       .left_at = m.left_at,
                                       .left_row = g.depth,
                                       .right = weights,
                                       .right_tile = packed_tile(g.taps, g.depth),
                                       .out = sums,
                                       .out_row = BF16_BLOCK};
                block_rows rows =
                    rows_of_block(g.images, count, first, g.line, image * out + line * g.ow * k, k, g.oh * g.ow * k);
                rows.output = y;
                rows.half = shape->y_half;
                for (size_t tile = 0; tile < tiles; tile += 2, p.right += 2 * p.right_tile) {
                    PRODUCT(g.line - first > BF16_TILE ? 2 : 1, block_tiles(tiles, tile), &p);
                    finish_block(&rows, tile * BF16_TILE, least(BF16_BLOCK, k - tile * BF16_TILE), sums, bias,
                                 fused == DCNN_FUSED_RELU);
                }
            }
    }
}

/* Two lines of a block's sums to windows: a block holds an even number of whole pixels. */
static void finish_windows(const dcnn_conv *shape, const bf16_gathered *g, size_t line, size_t first, size_t count,
                           size_t column, const float *sums, const float *bias, void *y, uint8_t *argmax) {
    const size_t k = (size_t)shape->k, columns = least(BF16_BLOCK, k - column), size = g->oh / 2 * (g->ow / 2) * k;
    const size_t below = BF16_BLOCK * BF16_BLOCK, beside = g->images * BF16_BLOCK, pixels = BF16_BLOCK / g->images;
    const size_t left = (g->line - first) / g->images, end = pixels < left ? pixels : left;
    const size_t window = line / 2 * (g->ow / 2) + first / g->images / 2;
    for (size_t at = 0; at < columns; at += V) {
        const size_t lanes = least(V, columns - at);
        const simd_float shift = simd_take(bias + column + at, lanes);
        for (size_t pixel = 0; pixel < end; pixel += 2)
            for (size_t image = 0; image < count; image++) {
                const float *from = sums + (pixel * g->images + image) * BF16_BLOCK + at;
                const simd_float cell[4] = {simd_load(from), simd_load(from + beside), simd_load(from + below),
                                            simd_load(from + below + beside)};
                const size_t to = image * size + (window + pixel / 2) * k + column + at;
                simd_int codes;
                put_numbers(y, shape->y_half, to, lanes, pool_window(cell, shift, false, &codes));
                if (argmax != NULL) store_codes(argmax + to, lanes, codes);
            }
    }
}

void DCNN_SIMD_NAME(dcnn_bf16_pool_forward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                            const float *in_shift, const float *packed, const float *bias, float *y,
                                            uint8_t *argmax, float *scratch) {
    const dcnn_conv inner = bf16_inner(shape);
    const bf16_gathered g = bf16_gathered_of(&inner, true);
    const bf16_memory m = carve(shape, &g, scratch);
    const size_t k = (size_t)shape->k, n = (size_t)shape->n, tiles = tiles_of(k);
    const size_t in = (size_t)shape->h * (size_t)shape->w * (size_t)shape->c, out = g.oh / 2 * (g.ow / 2) * k;
    const uint16_t *weights = (const uint16_t *)(const void *)packed;
    float sums[2 * BF16_BLOCK * BF16_BLOCK] __attribute__((aligned(64)));
    list_taps(&inner, &g, m.left_at);
    for (size_t image = 0; image < n; image += g.images) {
        const size_t count = least(g.images, n - image);
        DCNN_SIMD_NAME(dcnn_bf16_gather_input)
        (shape, &g, bf16_at(x, shape->x_half, image * in), count, in_scale, in_shift, m.image, m.rows);
        for (size_t line = 0; line < g.lines; line += 2)
            for (size_t first = 0; first < g.line; first += BF16_BLOCK) {
                dcnn_product_bf16 p = {.chunks = g.taps * g.depth / BF16_CHUNK,
                                       .left_at = m.left_at,
                                       .left_row = g.depth,
                                       .right = weights,
                                       .right_tile = packed_tile(g.taps, g.depth),
                                       .out_row = BF16_BLOCK};
                for (size_t tile = 0; tile < tiles; tile += 2, p.right += 2 * p.right_tile) {
                    for (size_t i = 0; i < 2; i++) {
                        p.left = m.rows + (bf16_line_rows(&g, line + i) + first) * g.depth;
                        p.out = sums + i * BF16_BLOCK * BF16_BLOCK;
                        PRODUCT(g.line - first > BF16_TILE ? 2 : 1, block_tiles(tiles, tile), &p);
                    }
                    finish_windows(shape, &g, line, first, count, tile * BF16_TILE, sums, bias,
                                   (char *)y + image * out * (shape->y_half ? sizeof(uint16_t) : sizeof(float)),
                                   argmax ? argmax + image * out : NULL);
                }
            }
    }
}
