/* SPDX-License-Identifier: BSD-3-Clause */
/* Backward of Convolution 3x3 + ReLU + MaxPooling 2x2: of a window's four cells only the open one has a gradient.
 *
 * dw: for an output channel and a channel block, nine sums in registers run over the list of its open cells, taking the
 * nine vectors of x' around each. dx: for a window and one of its four cells, the nine vectors of dx around the cell
 * run over the list of output channels that are open there, taking their taps. Both are add_list(). */
#include "kernels/simd/conv_pool_simd.h"

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
#if defined(DCNN_ISA_avx512)
    return (simd_float)_mm512_set1_epi32((int32_t)(uint32_t)cell);
#else
    const uint32_t bits = (uint32_t)cell;
    float dy;
    memcpy(&dy, &bits, sizeof dy);
    return simd_splat(dy);
#endif
}

/* sum[r][s] += dy * from[place + r * row + s * V] over a list. */
static inline void add_list(const open_cell *cells, size_t count, const float *from, size_t row, simd_float sum[TAPS]) {
    for (size_t i = 0; i < count; i++) {
        const open_cell cell = cells[i];
        const simd_float gradient = gradient_of(cell);
        const float *first = from + (cell >> 32), *second = first + row, *third = second + row;
        sum[0] += gradient * simd_load(first);
        sum[1] += gradient * simd_load(first + V);
        sum[2] += gradient * simd_load(first + 2 * V);
        sum[3] += gradient * simd_load(second);
        sum[4] += gradient * simd_load(second + V);
        sum[5] += gradient * simd_load(second + 2 * V);
        sum[6] += gradient * simd_load(third);
        sum[7] += gradient * simd_load(third + V);
        sum[8] += gradient * simd_load(third + 2 * V);
    }
}

/* --- dw --------------------------------------------------------------------------------------------------------- */

/* Floats that a number of entries takes. */
static size_t entry_floats(size_t entries) {
    return whole_lines(2 * entries);
}

static size_t filter_scratch(const dcnn_conv *shape, const conv_pool_plan *plan) {
    const size_t group = group_images(shape, plan, FILTER_BYTES);
    const size_t sums = group < (size_t)shape->n ? plan->c_blocks * plan->k * TAPS * V : 0;
    return whole_lines(group * plan->c_blocks * plan->cells * V) + entry_floats(plan->k * group * plan->windows) +
           whole_lines(plan->k) + whole_lines(sums) + TAPS * V * V;
}

/* Lists of the output channels over the windows of `images` images; argmax and dy at the first. */
static void list_by_channel(const conv_pool_plan *plan, size_t images, const uint8_t *argmax, const float *dy,
                            const open_lists *lists) {
    const size_t length = images * plan->windows;
    memset(lists->count, 0, plan->k * sizeof *lists->count);
    for (size_t window = 0; window < length; window++, argmax += plan->k, dy += plan->k) {
        const size_t image = window / plan->windows, inside = window % plan->windows;
        const size_t cell = inside / plan->window_columns * 2 * plan->columns + inside % plan->window_columns * 2;
        const size_t origin = (image * plan->cells + cell) * V, row = plan->columns * V;
        const size_t place[DCNN_SHUT + 1] = {origin, origin + V, origin + row, origin + row + V, 0};
        for (size_t k = 0; k < plan->k; k++) {
            lists->cells[k * length + (size_t)lists->count[k]] = open_cell_of(dy[k], place[argmax[k]]);
            lists->count[k] += argmax[k] != DCNN_SHUT;
        }
    }
}

/* sums [k][tap][channel] of V output channels to dw [tap][channel][k]. */
static void store_filters(const conv_pool_plan *plan, const float *sums, size_t c_block, size_t k_vector, float *dw) {
    const size_t channels = lanes_of(plan->c, c_block), lanes = lanes_of(plan->k, k_vector);
    for (size_t tap = 0; tap < TAPS; tap++) {
        simd_float rows[V];
        for (size_t k = 0; k < V; k++) rows[k] = simd_load(sums + (k * TAPS + tap) * V);
        transpose(rows);
        float *to = dw + (tap * plan->c + c_block * V) * plan->k + k_vector * V;
        for (size_t channel = 0; channel < channels; channel++)
            store_lanes(to + channel * plan->k, lanes, rows[channel]);
    }
}

/* dw's sums over a group of images: from `sums` if it is not the first, to `sums` or, if it is the last, to dw. */
static void add_filters(const conv_pool_plan *plan, const float *blocked, size_t images, const open_lists *lists,
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

static void backward_filter(const dcnn_conv *shape, const conv_pool_plan *plan, const float *x, const float *in_scale,
                            const float *in_shift, const uint8_t *argmax, const float *dy, float *dw, float *scratch) {
    const size_t images = (size_t)shape->n, group = group_images(shape, plan, FILTER_BYTES);
    float *tile = scratch, *blocked = tile + TAPS * V * V;
    float *entries = blocked + whole_lines(group * plan->c_blocks * plan->cells * V);
    float *counts = entries + entry_floats(plan->k * group * plan->windows);
    float *sums = counts + whole_lines(plan->k);
    const open_lists lists = {.cells = (open_cell *)entries, .count = (int32_t *)counts};
    memset(tile, 0, TAPS * V * V * sizeof *tile);
    for (size_t first = 0; first < images; first += group) {
        const size_t count = least(group, images - first), window = first * plan->windows;
        block_images(shape, plan, x, first, count, in_scale, in_shift, blocked);
        list_by_channel(plan, count, argmax + window * plan->k, dy + window * plan->k, &lists);
        add_filters(plan, blocked, count, &lists, first == 0, first + count == images, sums, tile, dw);
    }
}

static void backward_bias(const conv_pool_plan *plan, size_t rows, const uint8_t *argmax, const float *dy,
                          float *dbias) {
    for (size_t vector = 0; vector < plan->k_vectors; vector++) {
        const size_t lanes = lanes_of(plan->k, vector);
        simd_float sum = simd_zero();
        for (size_t at = vector * V; at < rows * plan->k; at += plan->k) {
            const simd_mask shut = simd_equal_int(load_codes(argmax + at, lanes), simd_splat_int(DCNN_SHUT));
            sum += simd_select(shut, simd_zero(), load_lanes(dy + at, lanes));
        }
        store_lanes(dbias + vector * V, lanes, sum);
    }
}

/* --- dx --------------------------------------------------------------------------------------------------------- */

/* Lists for dx: [k block][image][window][cell of the window]. */
static size_t input_lists(const conv_pool_plan *plan, size_t group) {
    return plan->k_blocks * group * plan->windows * 4;
}

static size_t input_entries(const conv_pool_plan *plan, size_t group) {
    return entry_floats(group * plan->windows * plan->k + V);
}

static size_t input_scratch(const dcnn_conv *shape, const conv_pool_plan *plan) {
    const size_t group = group_images(shape, plan, INPUT_BYTES);
    return whole_lines(group * plan->cells * V) + input_entries(plan, group) +
           whole_lines(input_lists(plan, group) + 1);
}

/* Appends the output channels of one block that are open at `cell` of a window; returns the new end of the list. May
 * write up to V entries past it. */
static inline size_t list_cell(const uint8_t *argmax, const float *dy, size_t count, int32_t cell, open_cell *cells,
                               size_t end) {
#if defined(DCNN_ISA_avx512)
    const __m512i step = _mm512_set1_epi64((int64_t)(V * TAPS * V) << 32);
    __m512i lower =
        _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64((int64_t)(TAPS * V) << 32));
    for (size_t k = 0; k < count; k += V, lower = _mm512_add_epi64(lower, step)) {
        const size_t lanes = least(V, count - k);
        const unsigned open = _mm512_cmpeq_epi32_mask((__m512i)load_codes(argmax + k, lanes), _mm512_set1_epi32(cell));
        const __m512i bits = (__m512i)load_lanes(dy + k, lanes);
        const __m512i upper = _mm512_add_epi64(lower, _mm512_set1_epi64((int64_t)(V / 2 * TAPS * V) << 32));
        const __m512i first = _mm512_or_epi64(_mm512_cvtepu32_epi64(_mm512_castsi512_si256(bits)), lower);
        const __m512i second = _mm512_or_epi64(_mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(bits, 1)), upper);
        _mm512_storeu_si512(cells + end, _mm512_maskz_compress_epi64((__mmask8)open, first));
        end += (size_t)__builtin_popcount(open & 0xFF);
        _mm512_storeu_si512(cells + end, _mm512_maskz_compress_epi64((__mmask8)(open >> 8), second));
        end += (size_t)__builtin_popcount(open >> 8);
    }
#else
    for (size_t k = 0; k < count; k++) {
        cells[end] = open_cell_of(dy[k], k * TAPS * V);
        end += argmax[k] == cell;
    }
#endif
    return end;
}

/* Lists of the windows of `windows` windows over output channels; argmax and dy at the first. */
static void list_by_window(const conv_pool_plan *plan, size_t windows, const uint8_t *argmax, const float *dy,
                           const open_lists *lists) {
    size_t end = 0;
    int32_t *start = lists->start;
    for (size_t k_block = 0; k_block < plan->k_blocks; k_block++) {
        const size_t first = k_block * K_BLOCK, count = least(K_BLOCK, plan->k - first);
        for (size_t window = 0; window < windows; window++) {
            const size_t at = window * plan->k + first;
            for (int32_t cell = 0; cell < 4; cell++) {
                *start++ = (int32_t)end;
                end = list_cell(argmax + at, dy + at, count, cell, lists->cells, end);
            }
        }
    }
    *start = (int32_t)end;
}

#if defined(DCNN_ISA_avx512)
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
            sum[row + tap / 3][column + tap % 3] += gradient * simd_load(from + tap * V);
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
static void unblock_images(const dcnn_conv *shape, const conv_pool_plan *plan, const float *blocked, size_t images,
                           size_t c_block, float *dx) {
    const int rows = (int)(plan->cells / plan->columns), columns = (int)plan->columns;
    const size_t lanes = lanes_of(plan->c, c_block);
    float *to = dx + c_block * V;
    for (size_t image = 0; image < images; image++) {
        for (int i = shape->pad_h; i < shape->h + shape->pad_h; i++) {
            for (int j = shape->pad_w; j < shape->w + shape->pad_w; j++, to += plan->c) {
                const bool inside = i < rows && j < columns;
                const size_t cell = image * plan->cells + (size_t)i * plan->columns + (size_t)j;
                store_lanes(to, lanes, inside ? simd_load(blocked + cell * V) : simd_zero());
            }
        }
    }
}

static void backward_input(const dcnn_conv *shape, const conv_pool_plan *plan, const float *taps, const uint8_t *argmax,
                           const float *dy, float *dx, float *scratch) {
    const size_t images = (size_t)shape->n, group = group_images(shape, plan, INPUT_BYTES);
    float *blocked = scratch;
    float *entries = blocked + whole_lines(group * plan->cells * V);
    float *starts = entries + input_entries(plan, group);
    const open_lists lists = {.cells = (open_cell *)entries, .start = (int32_t *)starts};
    for (size_t first = 0; first < images; first += group) {
        const size_t count = least(group, images - first), window = first * plan->windows;
        float *to = dx + first * (size_t)shape->h * (size_t)shape->w * plan->c;
        list_by_window(plan, count * plan->windows, argmax + window * plan->k, dy + window * plan->k, &lists);
        for (size_t c_block = 0; c_block < plan->c_blocks; c_block++) {
            memset(blocked, 0, count * plan->cells * V * sizeof *blocked);
            for (size_t k_block = 0; k_block < plan->k_blocks; k_block++) {
                const size_t channels = least(K_BLOCK, plan->k - k_block * K_BLOCK);
                const float *block = taps + (k_block * K_BLOCK * plan->c_blocks + c_block * channels) * TAPS * V;
                add_inputs(plan, count, &lists, lists.start + k_block * count * plan->windows * 4, block, blocked);
            }
            unblock_images(shape, plan, blocked, count, c_block, to);
        }
    }
}

size_t DCNN_SIMD_NAME(dcnn_conv_pool_backward_scratch)(const dcnn_conv *shape) {
    const conv_pool_plan plan = plan_of(shape);
    const size_t filter =
        plan.c == 1 ? DCNN_SIMD_NAME(dcnn_conv_pool_first_scratch)(shape) : filter_scratch(shape, &plan);
    const size_t input = input_scratch(shape, &plan);
    return filter > input ? filter : input;
}

void DCNN_SIMD_NAME(dcnn_conv_pool_backward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                             const float *in_shift, const float *packed, const uint8_t *argmax,
                                             const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    const conv_pool_plan plan = plan_of(shape);
    if (plan.c == 1) {
        DCNN_SIMD_NAME(dcnn_conv_pool_first_filter)(shape, x, in_scale, in_shift, argmax, dy, dw, dbias, scratch);
    } else {
        backward_bias(&plan, (size_t)shape->n * plan.windows, argmax, dy, dbias);
        backward_filter(shape, &plan, x, in_scale, in_shift, argmax, dy, dw, scratch);
    }
    if (dx != NULL) backward_input(shape, &plan, packed + plan.forward_floats, argmax, dy, dx, scratch);
}
