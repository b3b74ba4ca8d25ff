/* Backward of Convolution 3x3 + ReLU + MaxPooling 2x2: of a window's four cells only the open one has a gradient.
 *
 * dw: for an output channel and a channel block, nine sums in registers run over the list of its open cells, taking the
 * nine vectors of x' around each. dx: for a window and one of its four cells, the nine vectors of dx around the cell
 * run over the list of output channels that are open there, taking their taps. Both are add_list(). */
#include "kernels/conv_pool_simd.h"

enum {
    FILTER_BYTES = 20 * 1024, /* of blocked x' that a pass over the lists reads from L1 */
    INPUT_BYTES = 10 * 1024,  /* of blocked dx beside the 18 KiB of taps in L1 */
};

/* Lists of open cells: list number i is the `count[i]` entries from number `start[i]` on. */
typedef struct open_lists {
    float *value;    /* dy of the cell */
    int32_t *offset; /* in floats, from the list's base */
    int32_t *start, *count;
} open_lists;

/* sum[r][s] += value * from[offset + r * row + s * V] over a list. */
static inline void add_list(const float *value, const int32_t *offset, size_t count, const float *from, size_t row,
                            simd_float sum[TAPS]) {
    const float *second = from + row, *third = from + 2 * row;
    for (size_t i = 0; i < count; i++) {
        const simd_float gradient = simd_splat(value[i]);
        const size_t at = (size_t)offset[i];
        sum[0] += gradient * simd_load(from + at);
        sum[1] += gradient * simd_load(from + at + V);
        sum[2] += gradient * simd_load(from + at + 2 * V);
        sum[3] += gradient * simd_load(second + at);
        sum[4] += gradient * simd_load(second + at + V);
        sum[5] += gradient * simd_load(second + at + 2 * V);
        sum[6] += gradient * simd_load(third + at);
        sum[7] += gradient * simd_load(third + at + V);
        sum[8] += gradient * simd_load(third + at + 2 * V);
    }
}

/* --- dw ----------------------------------------------------------------------------------------------------------- */

static size_t filter_lists_floats(const conv_pool_plan *plan, size_t group) {
    return whole_lines(plan->k * group * plan->windows);
}

static size_t filter_scratch(const dcnn_conv *shape, const conv_pool_plan *plan) {
    const size_t group = group_images(shape, plan, FILTER_BYTES);
    const size_t sums = group < (size_t)shape->n ? plan->c_blocks * plan->k * TAPS * V : 0;
    return whole_lines(group * plan->c_blocks * plan->cells * V) + 2 * filter_lists_floats(plan, group) +
           whole_lines(plan->k) + whole_lines(sums) + TAPS * V * V;
}

/* Lists of the output channels over the windows of `images` images; argmax and dy at the first. */
static void list_by_channel(const conv_pool_plan *plan, size_t images, const uint8_t *argmax, const float *dy,
                            const open_lists *lists) {
    const size_t length = images * plan->windows;
    memset(lists->count, 0, plan->k * sizeof *lists->count);
    for (size_t window = 0; window < length; window++, argmax += plan->k, dy += plan->k) {
        const size_t image = window / plan->windows, place = window % plan->windows;
        const size_t cell = place / plan->window_columns * 2 * plan->columns + place % plan->window_columns * 2;
        const int32_t origin = (int32_t)((image * plan->cells + cell) * V), row = (int32_t)(plan->columns * V);
        const int32_t offset[DCNN_SHUT + 1] = {origin, origin + V, origin + row, origin + row + V, 0};
        for (size_t k = 0; k < plan->k; k++) {
            const size_t at = k * length + (size_t)lists->count[k];
            lists->value[at] = dy[k];
            lists->offset[at] = offset[argmax[k]];
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
            add_list(lists->value + k * length, lists->offset + k * length, (size_t)lists->count[k], from,
                     plan->columns * V, sum);
            for (size_t tap = 0; tap < TAPS; tap++) simd_store(to + tap * V, sum[tap]);
            if (last && (k % V == V - 1 || k == plan->k - 1)) store_filters(plan, tile, c_block, k / V, dw);
        }
    }
}

static void backward_filter(const dcnn_conv *shape, const conv_pool_plan *plan, const float *x, const float *in_scale,
                            const float *in_shift, const uint8_t *argmax, const float *dy, float *dw, float *scratch) {
    const size_t images = (size_t)shape->n, group = group_images(shape, plan, FILTER_BYTES);
    float *tile = scratch, *blocked = tile + TAPS * V * V;
    open_lists lists = {.value = blocked + whole_lines(group * plan->c_blocks * plan->cells * V)};
    lists.offset = (int32_t *)(lists.value + filter_lists_floats(plan, group));
    lists.count = lists.offset + filter_lists_floats(plan, group);
    float *sums = (float *)(lists.count + whole_lines(plan->k));
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

/* --- dx ----------------------------------------------------------------------------------------------------------- */

/* Lists for dx: [k block][image][window][cell of the window]. */
static size_t input_lists(const conv_pool_plan *plan, size_t group) {
    return plan->k_blocks * group * plan->windows * 4;
}

static size_t input_entries(const conv_pool_plan *plan, size_t group) {
    return whole_lines(group * plan->windows * plan->k + V);
}

static size_t input_scratch(const dcnn_conv *shape, const conv_pool_plan *plan) {
    const size_t group = group_images(shape, plan, INPUT_BYTES);
    return whole_lines(group * plan->cells * V) + 2 * input_entries(plan, group) +
           whole_lines(input_lists(plan, group) + 1);
}

/* Appends the output channels of one block that are open at `cell` of a window; returns the new end of the list. May
 * write up to V entries past it. */
static inline size_t list_cell(const uint8_t *argmax, const float *dy, size_t count, int32_t cell,
                               const open_lists *lists, size_t end) {
#if defined(DCNN_ISA_avx512)
    __m512i offset = _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                        _mm512_set1_epi32(TAPS * V));
    for (size_t k = 0; k < count; k += V) {
        const size_t lanes = least(V, count - k);
        const __mmask16 open = _mm512_cmpeq_epi32_mask((__m512i)load_codes(argmax + k, lanes), _mm512_set1_epi32(cell));
        const __m512 value = (__m512)load_lanes(dy + k, lanes);
        _mm512_storeu_ps(lists->value + end, _mm512_maskz_compress_ps(open, value));
        _mm512_storeu_si512(lists->offset + end, _mm512_maskz_compress_epi32(open, offset));
        offset = _mm512_add_epi32(offset, _mm512_set1_epi32(V * TAPS * V));
        end += (size_t)__builtin_popcount(open);
    }
#else
    for (size_t k = 0; k < count; k++) {
        lists->value[end] = dy[k];
        lists->offset[end] = (int32_t)(k * TAPS * V);
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
                end = list_cell(argmax + at, dy + at, count, cell, lists, end);
            }
        }
    }
    *start = (int32_t)end;
}

#if defined(DCNN_ISA_avx512)
/* add_list() on the 3x3 sums around cell (row, column) of a window's 4x4 sums. */
static inline __attribute__((always_inline)) void add_around(const float *value, const int32_t *offset, size_t count,
                                                             const float *taps, const size_t row, const size_t column,
                                                             simd_float sum[4][4]) {
    for (size_t i = 0; i < count; i++) {
        const simd_float gradient = simd_splat(value[i]);
        const float *from = taps + offset[i];
#pragma GCC unroll 9
        for (size_t tap = 0; tap < TAPS; tap++) {
            sum[row + tap / 3][column + tap % 3] += gradient * simd_load(from + tap * V);
        }
    }
}

static __attribute__((noinline)) void add_inputs(const conv_pool_plan *plan, size_t images, const open_lists *lists,
                                                 const int32_t *start, const float *taps, float *blocked) {
    const size_t row = plan->columns * V, window_rows = plan->windows / plan->window_columns;
    for (size_t image = 0; image < images; image++) {
        for (size_t i = 0; i < window_rows; i++) {
            float *at = blocked + image * plan->cells * V + 2 * i * row;
            simd_float sum[4][4];
            for (size_t r = 0; r < 4; r++) {
                sum[r][0] = simd_load(at + r * row);
                sum[r][1] = simd_load(at + r * row + V);
            }
            for (size_t j = 0; j < plan->window_columns; j++, at += 2 * V, start += 4) {
#pragma GCC unroll 4
                for (size_t r = 0; r < 4; r++) {
                    sum[r][2] = simd_load(at + r * row + 2 * V);
                    sum[r][3] = simd_load(at + r * row + 3 * V);
                }
#pragma GCC unroll 4
                for (size_t cell = 0; cell < 4; cell++) {
                    const size_t first = (size_t)start[cell], count = (size_t)start[cell + 1] - first;
                    add_around(lists->value + first, lists->offset + first, count, taps, cell / 2, cell % 2, sum);
                }
#pragma GCC unroll 4
                for (size_t r = 0; r < 4; r++) {
                    simd_store(at + r * row, sum[r][0]);
                    simd_store(at + r * row + V, sum[r][1]);
                    sum[r][0] = sum[r][2];
                    sum[r][1] = sum[r][3];
                }
            }
            for (size_t r = 0; r < 4; r++) {
                simd_store(at + r * row, sum[r][0]);
                simd_store(at + r * row + V, sum[r][1]);
            }
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
            add_list(lists->value + first, lists->offset + first, count, taps, (size_t)3 * V, sum);
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
    open_lists lists = {.value = blocked + whole_lines(group * plan->cells * V)};
    lists.offset = (int32_t *)(lists.value + input_entries(plan, group));
    lists.start = lists.offset + input_entries(plan, group);
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
