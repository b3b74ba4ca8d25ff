/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file conv_pool_simd.h — what the fused Convolution 3x3 + ReLU + MaxPooling 2x2 kernels share: sizes and small steps.
 *
 * The way of the numbers
 * - forward: Winograd's tiles (Lavin & Gray, arXiv 1509.09308), by shape whichever takes fewer multiplications:
 * F(2x2,3x3), whose 2x2 output tile is one pooling window, or F(5x5,3x3), of which 2x2 tiles hold 5x5 windows; at
 * inference F(4x4,3x3), too.
 * - backward: of the four cells of a window one has a gradient, at a place that differs by channel. Nine
 * multiplications a window and channel pair do it directly, where the adjoint Winograd tile needs sixteen, and a shut
 * ReLU none; the open cells are gathered in lists, so the loops have no branches.
 *
 * Images are first brought into *blocked* form: [channel block][image][row][column][SIMD_LANES], seen through the
 * affine map, with padding zeros in place, exactly the rows and columns that pooling reads.
 */
#ifndef DCNN_KERNELS_CONV_POOL_SIMD_H
#define DCNN_KERNELS_CONV_POOL_SIMD_H

#include "kernels/kernels.h"
#include "kernels/simd/window_simd.h"

enum {
    PAIR = 2 * V, /**< output channels of a register tile */
    TAPS = 9,
    FIRST_TAPS = 12,      /**< of a filter of one channel, its rows transformed for F(2,3) */
    NARROW_ELEMENTS = 16, /**< of a transformed tile of F(2x2,3x3) */
    WIDE_ELEMENTS = 49,   /**< of a transformed tile of F(5x5,3x3) */
    FOUR_ELEMENTS = 36,   /**< of a transformed tile of F(4x4,3x3) */
    FOUR_CHANNELS = 16,   /**< in and out, for which it is taken: with fewer its transforms take longer */
    FIELD_WINDOWS = 5,    /**< pooling windows along two tiles of F(5x5,3x3) */
    K_BLOCK = 32, /**< output channels of a block of taps: of AVX-512 18 KiB, most of L1; alike for all, as dx is
                       added up block by block */
};

/** What is made of a window: the largest cell behind a ReLU or as it is, the largest and the smallest as they are, or
 * the mean behind a ReLU. */
typedef enum pool_mode { POOL_RELU, POOL_LARGEST, POOL_EXTREMES, POOL_MEAN } pool_mode;

/** What follows from a shape. */
typedef struct conv_pool_plan {
    size_t c, k;           /**< channels */
    size_t c_blocks;       /**< ceil(c / V) */
    size_t k_vectors;      /**< ceil(k / V) */
    size_t k_blocks;       /**< ceil(k / K_BLOCK) */
    size_t window_columns; /**< pooling windows in a row */
    size_t windows;        /**< pooling windows of an image */
    size_t columns;        /**< of a blocked image */
    size_t cells;          /**< of a blocked image: rows * columns */
    bool wide;             /**< forward by F(5x5,3x3)? */
    bool four;             /**< forward by F(4x4,3x3)? Then there is no backward */
    pool_mode mode;
    size_t plane;          /**< results of all images, behind which those of POOL_EXTREMES' smallest cells lie */
    size_t elements;       /**< of a transformed tile */
    size_t forward_floats; /**< of `packed`: the part that forward reads; the taps for dx follow */
} conv_pool_plan;

/** Tiles of F(5x5,3x3) along so many pooling windows. */
static inline size_t wide_tiles(size_t windows) {
    return windows / FIELD_WINDOWS * 2 + divide_up(windows % FIELD_WINDOWS * 2, FIELD_WINDOWS);
}

/** Does F(5x5,3x3), its tiles at the edges included, save at least as many multiplications as a tile has? Once a step
 * it packs 33 elements more a pair of channels, which takes as long as some 400 multiplications a pair: a share of 8
 * images then still gains. */
static inline bool wide_pays(size_t window_rows, size_t window_columns) {
    return WIDE_ELEMENTS * (wide_tiles(window_rows) * wide_tiles(window_columns) + 1) <=
           NARROW_ELEMENTS * window_rows * window_columns;
}

/** Does F(4x4,3x3) take fewer multiplications than the better of the others? */
static inline bool four_pays(const dcnn_conv *shape, size_t window_rows, size_t window_columns) {
    const size_t four = FOUR_ELEMENTS * divide_up(window_rows, 2) * divide_up(window_columns, 2);
    const size_t other = wide_pays(window_rows, window_columns)
                             ? WIDE_ELEMENTS * wide_tiles(window_rows) * wide_tiles(window_columns)
                             : NARROW_ELEMENTS * window_rows * window_columns;
    return shape->inference && shape->c >= FOUR_CHANNELS && shape->k >= FOUR_CHANNELS && four < other;
}

size_t DCNN_SIMD_NAME(dcnn_conv_pool_four_packed)(const dcnn_conv *shape);

/** Floats of U from one element to the next. One vector more than needed: at powers of two packing takes twice as long.
 */
static inline size_t u_stride(const conv_pool_plan *plan, size_t vectors) {
    return plan->c * vectors * V + V;
}

static inline conv_pool_plan plan_of(const dcnn_conv *shape) {
    const size_t window_rows = (size_t)(shape->oh / 2);
    conv_pool_plan plan = {.c = (size_t)shape->c, .k = (size_t)shape->k, .window_columns = (size_t)(shape->ow / 2)};
    plan.c_blocks = divide_up(plan.c, V);
    plan.k_vectors = divide_up(plan.k, V);
    plan.k_blocks = divide_up(plan.k, K_BLOCK);
    plan.windows = window_rows * plan.window_columns;
    plan.columns = 2 * plan.window_columns + 2;
    plan.cells = (2 * window_rows + 2) * plan.columns;
    plan.four = four_pays(shape, window_rows, plan.window_columns);
    plan.wide = !plan.four && plan.c > 1 && wide_pays(window_rows, plan.window_columns);
    plan.elements = plan.wide ? WIDE_ELEMENTS : NARROW_ELEMENTS;
    plan.forward_floats =
        plan.c == 1
            ? FIRST_TAPS * plan.k_vectors * V
            : plan.elements * (plan.k_vectors / 2 * u_stride(&plan, 2) + plan.k_vectors % 2 * u_stride(&plan, 1));
    if (plan.four) plan.forward_floats = DCNN_SIMD_NAME(dcnn_conv_pool_four_packed)(shape);
    plan.forward_floats = whole_lines(plan.forward_floats);
    return plan;
}

/** Images of a group whose blocked channel block stays within `budget_bytes`; at least one, at most n. */
static inline size_t group_images(const dcnn_conv *shape, const conv_pool_plan *plan, size_t budget_bytes) {
    const size_t images = budget_bytes / (plan->cells * V * sizeof(float));
    return least(images == 0 ? 1 : images, (size_t)shape->n);
}

/** A window's result, and its code unless that is NULL, to its place. */
static inline void put_window(const conv_pool_plan *plan, const simd_float cell[4], simd_float bias, size_t lanes,
                              float *y, uint8_t *argmax) {
    simd_int code;
    simd_put(y, lanes,
             plan->mode == POOL_MEAN ? mean_of_window(cell, bias, &code)
                                     : pool_window(cell, bias, plan->mode != POOL_RELU, &code));
    if (argmax != NULL) store_codes(argmax, lanes, code);
    if (plan->mode != POOL_EXTREMES) return;
    const simd_float turned[4] = {-cell[0], -cell[1], -cell[2], -cell[3]};
    simd_put(y + plan->plane, lanes, -pool_window(turned, -bias, true, &code));
    if (argmax != NULL) store_codes(argmax + plan->plane, lanes, code);
}

/** The mode of a plan, for all images of its shape. */
static inline void set_mode(conv_pool_plan *plan, const dcnn_conv *shape, pool_mode mode) {
    plan->mode = mode;
    plan->plane = (size_t)shape->n * plan->windows * plan->k;
}

/** One input cell, all its channels, seen through the affine map, to `to`, `stride` floats from block to block. */
static inline void block_cell(const conv_pool_plan *plan, const float *x, const float *in_scale, const float *in_shift,
                              float *to, size_t stride) {
    for (size_t block = 0; block < plan->c_blocks; block++, to += stride) {
        const size_t at = block * V, lanes = lanes_of(plan->c, block);
        simd_float value = simd_take(x + at, lanes);
        if (in_scale != NULL)
            value = simd_multiply_add(value, simd_take(in_scale + at, lanes), simd_take(in_shift + at, lanes));
        simd_store(to, value);
    }
}

/** Images first..first+count-1 of x [N,H,W,C] to blocked form. */
static inline void block_images(const dcnn_conv *shape, const conv_pool_plan *plan, const float *x, size_t first,
                                size_t count, const float *in_scale, const float *in_shift, float *blocked) {
    const int rows = (int)(plan->cells / plan->columns), columns = (int)plan->columns;
    const size_t stride = count * plan->cells * V;
    for (size_t image = first; image < first + count; image++) {
        for (int i = -shape->pad_h; i < rows - shape->pad_h; i++) {
            for (int j = -shape->pad_w; j < columns - shape->pad_w; j++, blocked += V) {
                if (i >= 0 && i < shape->h && j >= 0 && j < shape->w) {
                    const size_t cell = (image * (size_t)shape->h + (size_t)i) * (size_t)shape->w + (size_t)j;
                    block_cell(plan, x + cell * plan->c, in_scale, in_shift, blocked, stride);
                } else {
                    for (size_t block = 0; block < plan->c_blocks; block++) {
                        simd_store(blocked + block * stride, simd_zero());
                    }
                }
            }
        }
    }
}

/** Taps for dx: [k block][channel block][k][tap][V]. */
static inline void pack_taps(const conv_pool_plan *plan, const float *w, size_t k_block, size_t c_block, float *taps) {
    const size_t count = least(K_BLOCK, plan->k - k_block * K_BLOCK), lanes = lanes_of(plan->c, c_block);
    float *to = taps + (k_block * K_BLOCK * plan->c_blocks + c_block * count) * TAPS * V;
    for (size_t k = 0; k < count; k += V, to += TAPS * V * V) {
        const size_t filters = least(V, count - k);
        for (size_t tap = 0; tap < TAPS; tap++) {
            const float *from = w + (tap * plan->c + c_block * V) * plan->k + k_block * K_BLOCK + k;
            simd_float rows[V];
            for (size_t i = 0; i < V; i++) {
                rows[i] = i < lanes ? simd_take(from + i * plan->k, filters) : simd_zero();
            }
            simd_transpose(rows);
            for (size_t i = 0; i < filters; i++) simd_store(to + (i * TAPS + tap) * V, rows[i]);
        }
    }
}

/* The parts of the kernels that live in files of their own. */
size_t DCNN_SIMD_NAME(dcnn_conv_mean_backward_scratch)(const dcnn_conv *shape);
size_t DCNN_SIMD_NAME(dcnn_conv_mean_backward_packed)(const dcnn_conv *shape);
void DCNN_SIMD_NAME(dcnn_conv_mean_backward_pack)(const dcnn_conv *shape, const float *w, float *packed, int part,
                                                  int parts);
void DCNN_SIMD_NAME(dcnn_conv_mean_backward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                             const float *in_shift, const float *packed, const uint8_t *codes,
                                             const float *dy, float *dx, float *dw, float *dbias, float *scratch);
size_t DCNN_SIMD_NAME(dcnn_conv_pool_backward_scratch)(const dcnn_conv *shape);
size_t DCNN_SIMD_NAME(dcnn_conv_pool_first_scratch)(const dcnn_conv *shape);
void DCNN_SIMD_NAME(dcnn_conv_pool_backward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                             const float *in_shift, const float *packed, const uint8_t *argmax,
                                             const float *dy, float *dx, float *dw, float *dbias, float *scratch);
size_t DCNN_SIMD_NAME(dcnn_conv_pool_wide_scratch)(const dcnn_conv *shape);
void DCNN_SIMD_NAME(dcnn_conv_pool_first_pack)(const dcnn_conv *shape, const float *w, float *packed, size_t vector);
void DCNN_SIMD_NAME(dcnn_conv_pool_wide_pack)(const conv_pool_plan *plan, const float *w, size_t channel, size_t vector,
                                              float *packed);
void DCNN_SIMD_NAME(dcnn_conv_pool_wide_forward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                                 const float *in_shift, const float *packed, const float *bias,
                                                 pool_mode mode, float *y, uint8_t *argmax, float *scratch);
void DCNN_SIMD_NAME(dcnn_conv_pool_first_forward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                                  const float *in_shift, const float *packed, const float *bias,
                                                  pool_mode mode, float *y, uint8_t *argmax, float *scratch);
size_t DCNN_SIMD_NAME(dcnn_conv_pool_four_scratch)(const dcnn_conv *shape);
void DCNN_SIMD_NAME(dcnn_conv_pool_four_pack)(const dcnn_conv *shape, const float *w, float *packed, int part,
                                              int parts);
void DCNN_SIMD_NAME(dcnn_conv_pool_four_forward)(const dcnn_conv *shape, const conv_pool_plan *plan, const float *x,
                                                 const float *in_scale, const float *in_shift, const float *packed,
                                                 const float *bias, float *y, float *scratch);
size_t DCNN_SIMD_NAME(dcnn_conv_pool_scratch)(const dcnn_conv *shape);
size_t DCNN_SIMD_NAME(dcnn_conv_pool_packed)(const dcnn_conv *shape);
void DCNN_SIMD_NAME(dcnn_conv_pool_pack)(const dcnn_conv *shape, const float *w, float *packed, int part, int parts);
void DCNN_SIMD_NAME(dcnn_conv_pool_forward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                            const float *in_shift, const float *packed, const float *bias,
                                            pool_mode mode, float *y, uint8_t *argmax, float *scratch);
void DCNN_SIMD_NAME(dcnn_conv_pool_first_filter)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                                 const float *in_shift, const uint8_t *argmax, const float *dy,
                                                 float *dw, float *dbias, float *scratch);

#endif
