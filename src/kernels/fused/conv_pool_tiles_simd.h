/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file conv_pool_tiles_simd.h — what the two tiled ways of the fused forward kernel share: F(2x2,3x3) in
 * conv_pool_simd.c, which has the products of both, and F(5x5,3x3) in conv_pool_wide_simd.c.
 */
#ifndef DCNN_KERNELS_CONV_POOL_TILES_SIMD_H
#define DCNN_KERNELS_CONV_POOL_TILES_SIMD_H

#include "kernels/fused/conv_pool_simd.h"

/** A block of tiles and where its transforms lie: V [element][panel][channel block][tile of the panel][V], and
 * M [element][tile][vector][V] for one or two vectors of output channels. */
typedef struct tile_block {
    size_t tiles, panels;
    size_t v_stride, m_stride; /**< floats from one element to the next */
    float *v, *m;
} tile_block;

/** Floats of V of a block of up to `tiles` tiles. One vector more than needed an element: strides of a power of two
 * would meet in the same sets of L1. */
static inline size_t v_floats(const conv_pool_plan *plan, size_t tiles) {
    return whole_lines(plan->elements * (tiles * plan->c_blocks * V + V));
}

/** Floats of M, likewise. */
static inline size_t m_floats(const conv_pool_plan *plan, size_t tiles) {
    return whole_lines(plan->elements * (tiles * PAIR + V));
}

/** First tile of panel number `panel`: panels of a block are alike within one tile. */
static inline size_t panel_start(const tile_block *block, size_t panel) {
    return block->tiles * panel / block->panels;
}

/** Where one input channel and one vector of output channels are in U [pair of vectors][element][channel][vectors * V];
 * `stride` is from element to element. */
static inline size_t u_place(const conv_pool_plan *plan, size_t channel, size_t vector, size_t *stride) {
    const size_t pair = vector / 2, vectors = least(2, plan->k_vectors - 2 * pair);
    *stride = u_stride(plan, vectors);
    return pair * plan->elements * u_stride(plan, 2) + (channel * vectors + vector % 2) * V;
}

/** Sets the number of tiles of a block, and what follows from it. */
void DCNN_SIMD_NAME(dcnn_conv_pool_start_block)(const conv_pool_plan *plan, size_t tiles, tile_block *block);

/** M = V U for one or two vectors of output channels from number `vector`, which is even. */
void DCNN_SIMD_NAME(dcnn_conv_pool_multiply)(const conv_pool_plan *plan, const tile_block *block, size_t vector,
                                             size_t vectors, const float *u);

#endif
