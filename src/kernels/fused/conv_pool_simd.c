/* SPDX-License-Identifier: BSD-3-Clause */
/* Forward of Convolution 3x3 + bias + ReLU + MaxPooling or AveragePooling 2x2 by Winograd F(2x2,3x3), the packing of
 * the weights, and the products of all tiled ways.
 *
 * A block of up to BLOCK_TILES tiles: the input transform writes V [16][panel][channel block][tile of the panel][V];
 * then for each pair of output vectors 16 products of V with U [pair][16][channel][2 * V] go to M [16][tile][2 * V],
 * and the output transform makes pooled cells of M while it is hot. */
#include "kernels/fused/conv_pool_tiles_simd.h"
#include "kernels/register.h"

enum {
    BLOCK_TILES = 32,                     /* M is then 64 KiB and one U panel serves all of a block from L1 */
    TILE_ROWS = (SIMD_REGISTERS - 4) / 2, /* 14: 28 accumulators, 2 of U, 1 of V of 32 registers; of 16 it is 6 */
};

static bool conv_pool_fits(const dcnn_conv *shape) {
    return shape->r == 3 && shape->s == 3 && shape->stride_h == 1 && shape->stride_w == 1 && shape->oh >= 2 &&
           shape->ow >= 2 && shape->n >= 1 && shape->c >= 1 && shape->k >= 1;
}

/* Images whose tiles are transformed together: enough to fill a block. */
static size_t forward_group(const dcnn_conv *shape, const conv_pool_plan *plan) {
    const size_t images = BLOCK_TILES / plan->windows;
    return least(images == 0 ? 1 : images, (size_t)shape->n);
}

static size_t forward_scratch(const dcnn_conv *shape) {
    const conv_pool_plan plan = plan_of(shape);
    if (plan.c == 1) return DCNN_SIMD_NAME(dcnn_conv_pool_first_scratch)(shape);
    if (plan.wide) return DCNN_SIMD_NAME(dcnn_conv_pool_wide_scratch)(shape);
    if (plan.four) return DCNN_SIMD_NAME(dcnn_conv_pool_four_scratch)(shape);
    return whole_lines(forward_group(shape, &plan) * plan.c_blocks * plan.cells * V) + v_floats(&plan, BLOCK_TILES) +
           m_floats(&plan, BLOCK_TILES);
}

size_t DCNN_SIMD_NAME(dcnn_conv_pool_scratch)(const dcnn_conv *shape) {
    const size_t forward = forward_scratch(shape);
    if (shape->inference) return forward;
    const size_t backward = (shape->mean ? DCNN_SIMD_NAME(dcnn_conv_mean_backward_scratch)
                                         : DCNN_SIMD_NAME(dcnn_conv_pool_backward_scratch))(shape);
    return forward > backward ? forward : backward;
}

size_t DCNN_SIMD_NAME(dcnn_conv_pool_packed)(const dcnn_conv *shape) {
    const conv_pool_plan plan = plan_of(shape);
    if (shape->inference) return plan.forward_floats;
    return plan.forward_floats + (shape->mean ? DCNN_SIMD_NAME(dcnn_conv_mean_backward_packed)(shape)
                                              : whole_lines(plan.k * plan.c_blocks * V * TAPS));
}

/* --- packing ---------------------------------------------------------------------------------------------------- */

/* U = G g G^T of one input channel and one vector of output channels; G = (1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1). */
static void transform_filter(const conv_pool_plan *plan, const float *w, size_t channel, size_t vector, float *packed) {
    size_t stride;
    float *u = packed + u_place(plan, channel, vector, &stride);
    const simd_float half = simd_splat(0.5F);
    simd_float g[4][3];
    for (size_t s = 0; s < 3; s++) {
        simd_float tap[3];
        for (size_t r = 0; r < 3; r++) {
            const float *from = w + ((r * 3 + s) * plan->c + channel) * plan->k + vector * V;
            tap[r] = simd_take(from, lanes_of(plan->k, vector));
        }
        g[0][s] = tap[0];
        g[1][s] = half * ((tap[0] + tap[2]) + tap[1]);
        g[2][s] = half * ((tap[0] + tap[2]) - tap[1]);
        g[3][s] = tap[2];
    }
    for (size_t r = 0; r < 4; r++, u += 4 * stride) {
        simd_store(u, g[r][0]);
        simd_store(u + stride, half * ((g[r][0] + g[r][2]) + g[r][1]));
        simd_store(u + 2 * stride, half * ((g[r][0] + g[r][2]) - g[r][1]));
        simd_store(u + 3 * stride, g[r][2]);
    }
}

void DCNN_SIMD_NAME(dcnn_conv_pool_pack)(const dcnn_conv *shape, const float *w, float *packed, int part, int parts) {
    const conv_pool_plan plan = plan_of(shape);
    const size_t share = (size_t)part, shares = (size_t)parts;
    size_t units = plan.four ? 0 : plan.c * plan.k_vectors;
    if (plan.four) DCNN_SIMD_NAME(dcnn_conv_pool_four_pack)(shape, w, packed, part, parts);
    for (size_t unit = units * share / shares; unit < units * (share + 1) / shares; unit++) {
        if (plan.c == 1) {
            DCNN_SIMD_NAME(dcnn_conv_pool_first_pack)(shape, w, packed, unit);
        } else if (plan.wide) {
            DCNN_SIMD_NAME(dcnn_conv_pool_wide_pack)(&plan, w, unit % plan.c, unit / plan.c, packed);
        } else {
            transform_filter(&plan, w, unit % plan.c, unit / plan.c, packed);
        }
    }
    if (shape->inference) return;
    if (shape->mean) {
        DCNN_SIMD_NAME(dcnn_conv_mean_backward_pack)(shape, w, packed + plan.forward_floats, part, parts);
        return;
    }
    units = plan.k_blocks * plan.c_blocks;
    for (size_t unit = units * share / shares; unit < units * (share + 1) / shares; unit++) {
        pack_taps(&plan, w, unit / plan.c_blocks, unit % plan.c_blocks, packed + plan.forward_floats);
    }
}

/* --- products --------------------------------------------------------------------------------------------------- */

/* m [rows][vectors * V] = v u for one panel and one element. */
static inline __attribute__((always_inline)) void multiply(const size_t rows, const size_t vectors, size_t channels,
                                                           const float *v, const float *u, float *m) {
    simd_float sum[TILE_ROWS][2];
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++) sum[i][j] = simd_zero();
    }
    for (size_t done = 0; done < channels; done += V, v += (rows - 1) * V) {
        for (const float *end = v + least(V, channels - done); v < end; v++, u += vectors * V) {
            simd_float right[2];
#pragma GCC unroll 2
            for (size_t j = 0; j < vectors; j++) right[j] = simd_load(u + j * V);
#pragma GCC unroll 16
            for (size_t i = 0; i < rows; i++) {
                const simd_float left = simd_splat(v[i * V]);
#pragma GCC unroll 2
                for (size_t j = 0; j < vectors; j++) sum[i][j] = simd_multiply_add(left, right[j], sum[i][j]);
            }
        }
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++) simd_store(m + (i * vectors + j) * V, sum[i][j]);
    }
}

/* multiply() for each number of rows and vectors that occurs, so that the sums stay in registers. Nearly
 * product_simd.c's dcnn_product_across, which would do: through it the fused layers took 1.5 to 2.8 % longer, for its
 * rows lie at any distance where these are V apart. So there are two. */
static void multiply_panel(size_t rows, size_t vectors, size_t channels, const float *v, const float *u, float *m) {
#define DCNN_ROWS(number)                                                                                              \
    case number:                                                                                                       \
        if (vectors == 2) {                                                                                            \
            multiply(number, 2, channels, v, u, m);                                                                    \
        } else {                                                                                                       \
            multiply(number, 1, channels, v, u, m);                                                                    \
        }                                                                                                              \
        break;
    switch (rows) {
        DCNN_ROWS(1)
        DCNN_ROWS(2)
        DCNN_ROWS(3)
        DCNN_ROWS(4)
        DCNN_ROWS(5)
        DCNN_ROWS(6)
#if SIMD_REGISTERS >= 32
        DCNN_ROWS(7)
        DCNN_ROWS(8)
        DCNN_ROWS(9)
        DCNN_ROWS(10)
        DCNN_ROWS(11)
        DCNN_ROWS(12)
        DCNN_ROWS(13)
        DCNN_ROWS(14)
#endif
    }
#undef DCNN_ROWS
}

void DCNN_SIMD_NAME(dcnn_conv_pool_start_block)(const conv_pool_plan *plan, size_t tiles, tile_block *block) {
    block->tiles = tiles;
    block->panels = divide_up(tiles, TILE_ROWS);
    block->v_stride = tiles * plan->c_blocks * V + V;
    block->m_stride = tiles * PAIR + V;
}

void DCNN_SIMD_NAME(dcnn_conv_pool_multiply)(const conv_pool_plan *plan, const tile_block *block, size_t vector,
                                             size_t vectors, const float *u) {
    size_t stride;
    u += u_place(plan, 0, vector, &stride);
    for (size_t element = 0; element < plan->elements; element++, u += stride) {
        for (size_t panel = 0; panel < block->panels; panel++) {
            const size_t start = panel_start(block, panel), rows = panel_start(block, panel + 1) - start;
            multiply_panel(rows, vectors, plan->c, block->v + element * block->v_stride + start * plan->c_blocks * V, u,
                           block->m + element * block->m_stride + start * vectors * V);
        }
    }
}

/* --- forward ---------------------------------------------------------------------------------------------------- */

/* B^T d B of one tile and one channel block: d [4][4] at `from`, `row` floats from row to row; 16 vectors, `stride`
 * floats apart. B^T = (1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1). */
static inline void transform_tile(const float *from, size_t row, float *to, size_t stride) {
    simd_float t[4][4];
    for (size_t j = 0; j < 4; j++) {
        const simd_float d0 = simd_load(from + j * V), d1 = simd_load(from + row + j * V),
                         d2 = simd_load(from + 2 * row + j * V), d3 = simd_load(from + 3 * row + j * V);
        t[0][j] = d0 - d2;
        t[1][j] = d1 + d2;
        t[2][j] = d2 - d1;
        t[3][j] = d1 - d3;
    }
    for (size_t i = 0; i < 4; i++, to += 4 * stride) {
        simd_store(to, t[i][0] - t[i][2]);
        simd_store(to + stride, t[i][1] + t[i][2]);
        simd_store(to + 2 * stride, t[i][2] - t[i][1]);
        simd_store(to + 3 * stride, t[i][1] - t[i][3]);
    }
}

/* The input transform of a block whose first tile is number `first` of the group of `images` in `blocked`. */
static void transform_input(const conv_pool_plan *plan, const float *blocked, size_t images, size_t first,
                            const tile_block *block) {
    for (size_t panel = 0; panel < block->panels; panel++) {
        const size_t start = panel_start(block, panel), rows = panel_start(block, panel + 1) - start;
        for (size_t row = 0; row < rows; row++) {
            const size_t tile = first + start + row, image = tile / plan->windows, window = tile % plan->windows;
            const size_t cell = window / plan->window_columns * 2 * plan->columns + window % plan->window_columns * 2;
            const float *from = blocked + (image * plan->cells + cell) * V;
            float *to = block->v + start * plan->c_blocks * V + row * V;
            for (size_t c_block = 0; c_block < plan->c_blocks; c_block++) {
                transform_tile(from + c_block * images * plan->cells * V, plan->columns * V, to + c_block * rows * V,
                               block->v_stride);
            }
        }
    }
}

/* The four cells A^T m A of a window; A^T = (1 1 1 0; 0 1 -1 -1). */
static inline void transform_output(const float *m, size_t stride, simd_float cell[4]) {
    simd_float t[2][4];
    for (size_t j = 0; j < 4; j++) {
        const simd_float m0 = simd_load(m + j * stride), m1 = simd_load(m + (4 + j) * stride),
                         m2 = simd_load(m + (8 + j) * stride), m3 = simd_load(m + (12 + j) * stride);
        t[0][j] = m0 + (m1 + m2);
        t[1][j] = (m1 - m2) - m3;
    }
    for (size_t i = 0; i < 2; i++) {
        cell[2 * i] = t[i][0] + (t[i][1] + t[i][2]);
        cell[2 * i + 1] = (t[i][1] - t[i][2]) - t[i][3];
    }
}

/* Pooled cells of a block from its transforms; y and argmax point at the block's first window. */
static void multiply_block(const conv_pool_plan *plan, const tile_block *block, const float *u, const float *bias,
                           float *y, uint8_t *argmax) {
    for (size_t vector = 0; vector < plan->k_vectors; vector += 2) {
        const size_t vectors = least(2, plan->k_vectors - vector);
        DCNN_SIMD_NAME(dcnn_conv_pool_multiply)(plan, block, vector, vectors, u);
        for (size_t j = 0; j < vectors; j++) {
            const size_t at = (vector + j) * V, lanes = lanes_of(plan->k, vector + j);
            const simd_float shift = bias == NULL ? simd_zero() : simd_take(bias + at, lanes);
            for (size_t tile = 0; tile < block->tiles; tile++) {
                simd_float cell[4];
                transform_output(block->m + (tile * vectors + j) * V, block->m_stride, cell);
                put_window(plan, cell, shift, lanes, y + tile * plan->k + at,
                           argmax == NULL ? NULL : argmax + tile * plan->k + at);
            }
        }
    }
}

void DCNN_SIMD_NAME(dcnn_conv_pool_forward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                            const float *in_shift, const float *packed, const float *bias,
                                            pool_mode mode, float *y, uint8_t *argmax, float *scratch) {
    conv_pool_plan plan = plan_of(shape);
    set_mode(&plan, shape, mode);
    if (plan.c == 1) {
        DCNN_SIMD_NAME(dcnn_conv_pool_first_forward)
        (shape, x, in_scale, in_shift, packed, bias, mode, y, argmax, scratch);
        return;
    }
    if (plan.wide) {
        DCNN_SIMD_NAME(dcnn_conv_pool_wide_forward)
        (shape, x, in_scale, in_shift, packed, bias, mode, y, argmax, scratch);
        return;
    }
    if (plan.four) {
        DCNN_SIMD_NAME(dcnn_conv_pool_four_forward)
        (shape, &plan, x, in_scale, in_shift, packed, bias, y, scratch);
        return;
    }
    const size_t group = forward_group(shape, &plan), images = (size_t)shape->n;
    tile_block block = {.v = scratch + whole_lines(group * plan.c_blocks * plan.cells * V)};
    block.m = block.v + v_floats(&plan, BLOCK_TILES);
    for (size_t first = 0; first < images; first += group) {
        const size_t count = least(group, images - first), tiles = count * plan.windows;
        const size_t blocks = divide_up(tiles, BLOCK_TILES);
        block_images(shape, &plan, x, first, count, in_scale, in_shift, scratch);
        for (size_t number = 0; number < blocks; number++) {
            const size_t start = tiles * number / blocks;
            const size_t cell = (first * plan.windows + start) * plan.k;
            DCNN_SIMD_NAME(dcnn_conv_pool_start_block)(&plan, tiles * (number + 1) / blocks - start, &block);
            transform_input(&plan, scratch, count, start, &block);
            multiply_block(&plan, &block, packed, bias, y + cell, argmax == NULL ? NULL : argmax + cell);
        }
    }
}

static void conv_pool_forward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                              const float *packed, const float *bias, float *y, uint8_t *argmax, float *scratch) {
    DCNN_SIMD_NAME(dcnn_conv_pool_forward)
    (shape, x, in_scale, in_shift, packed, bias, shape->mean ? POOL_MEAN : POOL_RELU, y, argmax, scratch);
}

static void conv_pool_backward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                               const float *packed, const uint8_t *argmax, const float *dy, float *dx, float *dw,
                               float *dbias, float *scratch) {
    if (shape->mean) packed += plan_of(shape).forward_floats;
    (shape->mean ? DCNN_SIMD_NAME(dcnn_conv_mean_backward) : DCNN_SIMD_NAME(dcnn_conv_pool_backward))(
        shape, x, in_scale, in_shift, packed, argmax, dy, dx, dw, dbias, scratch);
}

void DCNN_SIMD_NAME(dcnn_register_conv_pool)(dcnn_kernels *table) {
    table->conv_pool_fits = conv_pool_fits;
    table->conv_pool_scratch = DCNN_SIMD_NAME(dcnn_conv_pool_scratch);
    table->conv_pool_packed = DCNN_SIMD_NAME(dcnn_conv_pool_packed);
    table->conv_pool_pack = DCNN_SIMD_NAME(dcnn_conv_pool_pack);
    table->conv_pool_forward = conv_pool_forward;
    table->conv_pool_backward = conv_pool_backward;
}
