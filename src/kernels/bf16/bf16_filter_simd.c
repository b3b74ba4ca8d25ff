/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bf16_filter_simd.c — the filter gradient of bf16 convolutions: rows are filters, columns input channels, depth the
 * outputs of a group of images, tap by tap. The left operand is the gradient, transposed; a tap shifts the right one by
 * whole pairs of rows. So every tile is 1 KiB of memory in a row: rows that a tap shifted across cache lines made tiles
 * take twice as long. The sums come out transposed, and are turned when the last group's are in.
 */
#include "kernels/bf16/bf16_conv_simd.h"

#define PRODUCT DCNN_SIMD_NAME(dcnn_product_bf16)

enum { BLOCK_SIZE = BF16_BLOCK * BF16_BLOCK };

/* Of a long depth taps are done together, a part after the other, whose left tiles then stay in L1. */
enum { STRIP_TAPS = 4, STRIP_CHUNKS = 8 };

/* Some taps of a block of filters and channels. */
typedef struct filter_block {
    size_t taps, row_tiles, column_tiles, chunks;
    const uint16_t *left, *right[STRIP_TAPS];
    const int32_t *left_at, *right_at[STRIP_TAPS];
    size_t right_tile;
    bool add; /* to the sums that are there */
    float *sums[STRIP_TAPS];
} filter_block;

static void multiply_taps(const filter_block *b) {
    const size_t step = b->taps > 1 && b->chunks > STRIP_CHUNKS ? STRIP_CHUNKS : b->chunks;
    for (size_t at = 0; at < b->chunks; at += step)
        for (size_t i = 0; i < b->taps; i++) {
            const dcnn_product_bf16 p = {.chunks = least(step, b->chunks - at),
                                         .left = b->left,
                                         .left_at = b->left_at + at,
                                         .left_row = BF16_CHUNK,
                                         .right = b->right[i],
                                         .right_at = b->right_at[i] + at,
                                         .right_tile = b->right_tile,
                                         .add = b->add || at > 0,
                                         .out = b->sums[i],
                                         .out_row = BF16_BLOCK};
            PRODUCT(b->row_tiles, b->column_tiles, &p);
        }
}

/* sums [32 filters,32 channels] to rows of dw [.,K]. */
static void turn_block(size_t filters, size_t channels, const float *sums, size_t k, bool past_caches, float *dw) {
    for (size_t channel = 0; channel < channels; channel += V)
        for (size_t filter = 0; filter < filters; filter += V) {
            simd_float lines[V];
            const size_t count = least(V, channels - channel), lanes = least(V, filters - filter);
#pragma GCC unroll 16
            for (size_t i = 0; i < V; i++) lines[i] = simd_load(sums + (filter + i) * BF16_BLOCK + channel);
            simd_transpose(lines);
            for (size_t i = 0; i < count; i++) {
                float *to = dw + (channel + i) * k + filter;
                if (past_caches && lanes == V)
                    simd_stream(to, lines[i]);
                else
                    simd_put(to, lanes, lines[i]);
            }
        }
}

/* Where each chunk of the depth begins, left and right; of a single image, for taps that shift it by an odd number too.
 */
static size_t list_chunks(const bf16_gathered *g, const bf16_memory *m) {
    const size_t parity = tiles_of(g->channels) * bf16_pairs_of(g) * BF16_BLOCK;
    size_t chunks = 0;
    const size_t all = g->lines * line_chunks(g);
    for (size_t line = 0; line < g->lines; line++)
        for (size_t first = 0; first < g->line; first += BF16_CHUNK, chunks++) {
            m->left_at[chunks] = (int32_t)(chunks * BF16_CHUNK * BF16_BLOCK);
            for (size_t odd = 0; odd < 2; odd++) {
                const size_t row = bf16_line_rows(g, line) + first + odd;
                m->right_at[odd * all + chunks] = (int32_t)(row % 2 * parity + row / 2 * BF16_BLOCK);
            }
        }
    return chunks;
}

void DCNN_SIMD_NAME(dcnn_bf16_filter_gradient)(const dcnn_conv *shape, const bf16_gathered *g, const bf16_memory *m,
                                               bool first, bool last, float *dw) {
    const size_t k = (size_t)shape->k, s = (size_t)shape->s, c = g->channels, chunks = list_chunks(g, m);
    float aside[STRIP_TAPS * BLOCK_SIZE] __attribute__((aligned(64)));
    const bool past_caches = simd_streams(dw, g->taps * c * k, k);
    float *kept = m->sums;
    filter_block b = {
        .chunks = chunks, .left_at = m->left_at, .right_tile = bf16_pairs_of(g) * BF16_BLOCK, .add = !first};
    for (size_t channel = 0; channel < c; channel += BF16_BLOCK)
        for (size_t filter = 0; filter < k; filter += BF16_BLOCK)
            for (size_t tap = 0; tap < g->taps; tap += b.taps) {
                b.taps = least(STRIP_TAPS, s - tap % s);
                b.row_tiles = block_tiles(tiles_of(k), filter / BF16_TILE);
                b.column_tiles = block_tiles(tiles_of(c), channel / BF16_TILE);
                b.left = m->transposed + filter * chunks * BF16_CHUNK;
                for (size_t i = 0; i < b.taps; i++) {
                    const size_t rows = bf16_tap_rows(shape, g, (tap + i) / s, (tap + i) % s);
                    b.right[i] = m->pairs + channel / BF16_TILE * b.right_tile + rows / 2 * BF16_BLOCK;
                    b.right_at[i] = m->right_at + rows % 2 * chunks;
                    b.sums[i] = kept ? kept : aside + i * BLOCK_SIZE;
                    if (kept) kept += BLOCK_SIZE;
                }
                multiply_taps(&b);
                for (size_t i = 0; i < b.taps && last; i++)
                    turn_block(least(BF16_BLOCK, k - filter), least(BF16_BLOCK, c - channel), b.sums[i], k, past_caches,
                               dw + ((tap + i) * c + channel) * k + filter);
            }
    if (past_caches) simd_stream_end();
}
