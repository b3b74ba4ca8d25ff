/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file conv_open_simd.h — what the backward passes of a convolution 3x3 behind which stands a pooling share: lists of
 * open cells, those of a window through which a gradient passes, and the sums over such lists.
 *
 * dw: for an output channel and a channel block, nine sums in registers run over the list of its open cells, taking the
 * nine vectors of x' around each. dx: for a window and one of its cells, the nine vectors of dx around the cell run
 * over the list of output channels that are open there, taking their taps. Both are add_list().
 */
#ifndef DCNN_KERNELS_CONV_OPEN_SIMD_H
#define DCNN_KERNELS_CONV_OPEN_SIMD_H

#include "kernels/fused/conv_pool_simd.h"

enum {
    FILTER_BYTES =
        20 * 1024, /* of blocked x' that a pass over the lists reads: two thirds of L1; 12 KiB is 5 % slower */
    INPUT_BYTES = 10 * 1024, /* of blocked dx beside the 18 KiB of taps in L1; 5 to 80 KiB are alike */
};

/* An entry of a list of open cells: the bits of dy below, above them the place in floats from the list's base. A pass
 * over a list is bound by loads, and this is one instead of two (in L1 on a Zen 4, 10.4 cycles an entry, not 11.2). */
typedef uint64_t open_cell;

/* Lists of open cells. For dw, list k is the count[k] entries from k * (windows of the group) on; for dx, list i is the
 * entries start[i] to start[i + 1]. */
typedef struct open_lists {
    open_cell *cells;
    int32_t *start, *count;
} open_lists;

static inline open_cell open_cell_of(float dy, size_t place) {
    uint32_t bits;
    memcpy(&bits, &dy, sizeof bits);
    return (uint64_t)place << 32 | bits;
}

static inline simd_float gradient_of(open_cell cell) {
    return (simd_float)simd_splat_int((int32_t)(uint32_t)cell);
}

/* sum[r][s] += dy * from[place + r * row + s * V] over a list. */
static inline void add_list(const open_cell *cells, size_t count, const float *from, size_t row, simd_float sum[TAPS]) {
    for (size_t i = 0; i < count; i++) {
        const open_cell cell = cells[i];
        const simd_float gradient = gradient_of(cell);
        const float *first = from + (cell >> 32), *second = first + row, *third = second + row;
        sum[0] = simd_multiply_add(gradient, simd_load(first), sum[0]);
        sum[1] = simd_multiply_add(gradient, simd_load(first + V), sum[1]);
        sum[2] = simd_multiply_add(gradient, simd_load(first + 2 * V), sum[2]);
        sum[3] = simd_multiply_add(gradient, simd_load(second), sum[3]);
        sum[4] = simd_multiply_add(gradient, simd_load(second + V), sum[4]);
        sum[5] = simd_multiply_add(gradient, simd_load(second + 2 * V), sum[5]);
        sum[6] = simd_multiply_add(gradient, simd_load(third), sum[6]);
        sum[7] = simd_multiply_add(gradient, simd_load(third + V), sum[7]);
        sum[8] = simd_multiply_add(gradient, simd_load(third + 2 * V), sum[8]);
    }
}

/* Floats that a number of entries takes. */
static inline size_t entry_floats(size_t entries) {
    return whole_lines(2 * entries);
}

/* sums [k][tap][channel] of V output channels to dw [tap][channel][k]. */
static inline void store_filters(const conv_pool_plan *plan, const float *sums, size_t c_block, size_t k_vector,
                                 float *dw) {
    const size_t channels = lanes_of(plan->c, c_block), lanes = lanes_of(plan->k, k_vector);
    for (size_t tap = 0; tap < TAPS; tap++) {
        simd_float rows[V];
        for (size_t k = 0; k < V; k++) rows[k] = simd_load(sums + (k * TAPS + tap) * V);
        simd_transpose(rows);
        float *to = dw + (tap * plan->c + c_block * V) * plan->k + k_vector * V;
        for (size_t channel = 0; channel < channels; channel++) simd_put(to + channel * plan->k, lanes, rows[channel]);
    }
}

/* dw's sums over a group of images: from `sums` if it is not the first, to `sums` or, if it is the last, to dw. */
static inline void add_filters(const conv_pool_plan *plan, const float *blocked, size_t images, const open_lists *lists,
                               bool first, bool last, float *sums, float *tile, float *dw) {
    const size_t length = images * plan->windows;
    for (size_t c_block = 0; c_block < plan->c_blocks; c_block++) {
        const float *from = blocked + c_block * images * plan->cells * V;
        for (size_t k = 0; k < plan->k; k++) {
            float *kept = sums + (c_block * plan->k + k) * TAPS * V, *to = last ? tile + k % V * TAPS * V : kept;
            simd_float sum[TAPS];
            for (size_t tap = 0; tap < TAPS; tap++) sum[tap] = first ? simd_zero() : simd_load(kept + tap * V);
            add_list(lists->cells + k * length, (size_t)lists->count[k], from, plan->columns * V, sum);
            for (size_t tap = 0; tap < TAPS; tap++) simd_store(to + tap * V, sum[tap]);
            if (last && (k % V == V - 1 || k == plan->k - 1)) store_filters(plan, tile, c_block, k / V, dw);
        }
    }
}

#if SIMD_REGISTERS >= 32
/* add_list() on the 3x3 sums around cell (row, column) of a window's 4x4 sums. */
static inline __attribute__((always_inline)) void add_around(const open_cell *cells, size_t count, const float *taps,
                                                             const size_t row, const size_t column,
                                                             simd_float sum[4][4]) {
    for (size_t i = 0; i < count; i++) {
        const open_cell cell = cells[i];
        const simd_float gradient = gradient_of(cell);
        const float *from = taps + (cell >> 32);
#pragma GCC unroll 9
        for (size_t tap = 0; tap < TAPS; tap++) {
            simd_float *at = &sum[row + tap / 3][column + tap % 3];
            *at = simd_multiply_add(gradient, simd_load(from + tap * V), *at);
        }
    }
}

/* Two columns of a window's 4x4 sums, from number `column`; `from` and `to` point at the first row's. */
static inline void load_columns(const float *from, size_t row, size_t column, simd_float sum[4][4]) {
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) {
        sum[r][column] = simd_load(from + r * row);
        sum[r][column + 1] = simd_load(from + r * row + V);
    }
}

static inline void store_columns(float *to, size_t row, simd_float sum[4][4]) {
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) {
        simd_store(to + r * row, sum[r][0]);
        simd_store(to + r * row + V, sum[r][1]);
    }
}

/* Adds one block of output channels to a row of windows; the two columns that neighbours share stay in registers. */
static inline void add_window_row(const conv_pool_plan *plan, const open_cell *cells, const int32_t *start,
                                  const float *taps, float *to) {
    const size_t row = plan->columns * V;
    simd_float sum[4][4];
    load_columns(to, row, 0, sum);
    for (size_t window = 0; window < plan->window_columns; window++, to += 2 * V, start += 4) {
        load_columns(to + 2 * V, row, 2, sum);
#pragma GCC unroll 4
        for (size_t cell = 0; cell < 4; cell++) {
            add_around(cells + start[cell], (size_t)(start[cell + 1] - start[cell]), taps, cell / 2, cell % 2, sum);
        }
        store_columns(to, row, sum);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) {
            sum[r][0] = sum[r][2];
            sum[r][1] = sum[r][3];
        }
    }
    store_columns(to, row, sum);
}

/* Adds one block of output channels to the blocked dx of a group of images, one channel block. Out of line: within its
 * caller gcc 12 spills the sums (6.7 ms for 128 images of 13x13x64 to 128 on a Zen 4 became 8.9). */
static __attribute__((noinline)) void add_inputs(const conv_pool_plan *plan, size_t images, const open_lists *lists,
                                                 const int32_t *start, const float *taps, float *blocked) {
    const size_t window_rows = plan->windows / plan->window_columns;
    for (size_t image = 0; image < images; image++) {
        for (size_t i = 0; i < window_rows; i++, start += 4 * plan->window_columns) {
            float *to = blocked + (image * plan->cells + 2 * i * plan->columns) * V;
            add_window_row(plan, lists->cells, start, taps, to);
        }
    }
}
#else
/* Adds one block of output channels to the blocked dx of a group of images, one channel block. */
static __attribute__((noinline)) void add_inputs(const conv_pool_plan *plan, size_t images, const open_lists *lists,
                                                 const int32_t *start, const float *taps, float *blocked) {
    const size_t row = plan->columns * V;
    for (size_t window = 0; window < images * plan->windows; window++) {
        const size_t image = window / plan->windows, place = window % plan->windows;
        const size_t origin = place / plan->window_columns * 2 * plan->columns + place % plan->window_columns * 2;
        float *corner = blocked + (image * plan->cells + origin) * V;
        for (size_t cell = 0; cell < 4; cell++, start++) {
            const size_t first = (size_t)start[0], count = (size_t)start[1] - first;
            float *to = corner + cell / 2 * row + cell % 2 * V;
            simd_float sum[TAPS];
            for (size_t tap = 0; tap < TAPS; tap++) sum[tap] = simd_load(to + tap / 3 * row + tap % 3 * V);
            add_list(lists->cells + first, count, taps, (size_t)3 * V, sum);
            for (size_t tap = 0; tap < TAPS; tap++) simd_store(to + tap / 3 * row + tap % 3 * V, sum[tap]);
        }
    }
}

#endif

/* One channel block of `images` blocked images to dx [N,H,W,C]; zeros where pooling reads nothing. */
static inline void unblock_images(const dcnn_conv *shape, const conv_pool_plan *plan, const float *blocked,
                                  size_t images, size_t c_block, float *dx) {
    const int rows = (int)(plan->cells / plan->columns), columns = (int)plan->columns;
    const size_t lanes = lanes_of(plan->c, c_block);
    float *to = dx + c_block * V;
    for (size_t image = 0; image < images; image++) {
        for (int i = shape->pad_h; i < shape->h + shape->pad_h; i++) {
            for (int j = shape->pad_w; j < shape->w + shape->pad_w; j++, to += plan->c) {
                const bool inside = i < rows && j < columns;
                const size_t cell = image * plan->cells + (size_t)i * plan->columns + (size_t)j;
                simd_put(to, lanes, inside ? simd_load(blocked + cell * V) : simd_zero());
            }
        }
    }
}

#endif
