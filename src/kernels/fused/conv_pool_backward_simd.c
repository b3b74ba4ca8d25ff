/* SPDX-License-Identifier: BSD-3-Clause */
/* Backward of Convolution 3x3 + ReLU + MaxPooling 2x2: of a window's four cells only the open one has a gradient.
 *
 * dw: for an output channel and a channel block, nine sums in registers run over the list of its open cells, taking the
 * nine vectors of x' around each. dx: for a window and one of its four cells, the nine vectors of dx around the cell
 * run over the list of output channels that are open there, taking their taps. Both are add_list(). */
#include "kernels/fused/conv_open_simd.h"

/* --- dw --------------------------------------------------------------------------------------------------------- */

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
            sum += simd_select(shut, simd_zero(), simd_take(dy + at, lanes));
        }
        simd_put(dbias + vector * V, lanes, sum);
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
#if SIMD_LANES == 16 && defined(__AVX512DQ__)
    const __m512i step = _mm512_set1_epi64((int64_t)(V * TAPS * V) << 32);
    __m512i lower =
        _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64((int64_t)(TAPS * V) << 32));
    for (size_t k = 0; k < count; k += V, lower = _mm512_add_epi64(lower, step)) {
        const size_t lanes = least(V, count - k);
        const unsigned open = _mm512_cmpeq_epi32_mask((__m512i)load_codes(argmax + k, lanes), _mm512_set1_epi32(cell));
        const __m512i bits = (__m512i)simd_take(dy + k, lanes);
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
