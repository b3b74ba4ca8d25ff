/* SPDX-License-Identifier: BSD-3-Clause */
/* bf16_pack_simd.c — weights as right operands of products: [tile][tap][chunk], forward's, then dx's. */
#include "kernels/bf16/bf16_conv_simd.h"

/* A tile of 16 filters from `depth` rows of w [.,K]: pairs along depth. */
static void pack_down(const float *w, size_t depth, size_t k, size_t columns, uint16_t *to) {
    for (size_t pair = 0; pair < BF16_CHUNK / 2; pair++) {
        uint16_t rows[2][BF16_TILE] = {{0}};
        for (size_t i = 0; i < 2 && 2 * pair + i < depth; i++)
            bf16_round_row(w + (2 * pair + i) * k, columns, NULL, NULL, 0, rows[i]);
        bf16_store_pairs(to + pair * BF16_BLOCK, bf16_pair_rows(rows[0], rows[1]));
    }
}

/* A chunk of a tap's depth for all filters: w is read in order, which a large dense layer's needs. */
static void pack_chunk(const bf16_gathered *g, const float *w, size_t tap, size_t at, size_t k, uint16_t *forward) {
    const size_t chunk = (tap * g->depth + at) / BF16_CHUNK;
    for (size_t tile = 0; tile < tiles_of(k); tile++)
        pack_down(w + (tap * g->channels + at) * k + tile * BF16_TILE, least(BF16_CHUNK, g->channels - at), k,
                  least(BF16_TILE, k - tile * BF16_TILE),
                  forward + tile * packed_tile(g->taps, g->depth) + chunk * BF16_TILE_SIZE);
}

/* Tiles of 16 input channels from w [C,K] of one tap: pairs along the filters. */
static void pack_across(const float *w, size_t c, size_t k, size_t column, uint16_t *to) {
    const size_t columns = least(BF16_TILE, c - column);
    for (size_t at = 0; at < k; at += BF16_CHUNK, to += BF16_TILE_SIZE) {
        uint16_t rows[BF16_TILE][BF16_CHUNK] = {{0}};
        bf16_pairs pairs[BF16_TILE];
        const size_t count = least(BF16_CHUNK, k - at);
        for (size_t i = 0; i < columns; i++)
            bf16_round_row(w + (column + i) * k + at, count, NULL, NULL, BF16_CHUNK, rows[i]);
#pragma GCC unroll 16
        for (size_t i = 0; i < BF16_TILE; i++) memcpy(&pairs[i], rows[i], sizeof pairs[i]);
        bf16_store_transposed(to, BF16_BLOCK, pairs);
    }
}

static size_t dx_tap(const dcnn_conv *shape, int r, int s) {
    const phase_taps phase = taps_of_phase(shape, r % shape->stride_h, s % shape->stride_w);
    return phase.first + (size_t)(r / shape->stride_h) * phase.columns + (size_t)(s / shape->stride_w);
}

/* Some tiles of input channels of one tap, for dx. */
static void pack_tiles(const dcnn_conv *shape, const float *w, size_t tap, size_t first, size_t end,
                       uint16_t *backward) {
    const size_t c = (size_t)shape->c, k = (size_t)shape->k, s = (size_t)shape->s;
    const size_t depth = bf16_whole(k, BF16_CHUNK), at = dx_tap(shape, (int)(tap / s), (int)(tap % s));
    for (size_t tile = first; tile < end && tile < tiles_of(c); tile++)
        pack_across(w + tap * c * k, c, k, tile * BF16_TILE,
                    backward + tile * packed_tile((size_t)shape->r * s, depth) + at * depth * BF16_TILE);
}

/* A tap's chunk is packed both ways while it is in cache. */
void DCNN_SIMD_NAME(dcnn_bf16_pack)(const dcnn_conv *shape, const float *w, float *packed, int part, int parts) {
    const dcnn_conv inner = bf16_inner(shape);
    const bf16_gathered g = bf16_gathered_of(&inner, false);
    const bool patches = bf16_takes_patches(shape);
    uint16_t *forward = (uint16_t *)(void *)packed, *backward = forward + forward_size(shape);
    size_t unit = 0;
    for (size_t tap = 0; tap < g.taps; tap++)
        for (size_t at = 0; at < g.depth; at += BF16_CHUNK) {
            if (unit++ % (size_t)parts != (size_t)part) continue;
            pack_chunk(&g, w, tap, at, (size_t)shape->k, forward);
            if (!patches) pack_tiles(shape, w, tap, at / BF16_TILE, (at + BF16_CHUNK) / BF16_TILE, backward);
        }
    for (size_t tap = 0; patches && tap < (size_t)(shape->r * shape->s); tap++)
        if (unit++ % (size_t)parts == (size_t)part) pack_tiles(shape, w, tap, 0, tiles_of((size_t)shape->c), backward);
}
