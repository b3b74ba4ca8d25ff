/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_max_simd.c — Convolution 3x3 + bias + MaxPooling of any window; conv_pool_simd.c has the one of 2x2 with a ReLU
 * between them.
 *
 * Forward is the convolution of some images, of what pooling reads, and its maxima while it lies in L2; of 2x2, that of
 * conv_pool_simd.c without the ReLU. Backward has
 * one gradient a window, whatever the window's size: nine products a window and pair of channels, over lists of open
 * cells (conv_open_simd.h). */
#include "kernels/fused/conv_open_simd.h"
#include "kernels/conv/conv_winograd_simd.h"
#include "kernels/register.h"

enum {
    GROUP_BYTES = 384 * 1024, /* of convolved images (and of x' where it is made) that forward pools: of L2 */
    MOST_CELLS = 255,         /* of a window, for codes of a byte */
    LOGICAL_LANES = 16,       /* of the widest vectors: what is fused must not depend on the instruction set */
};

/* What follows from a convolution and its pooling. */
typedef struct max_plan {
    conv_pool_plan p;
    dcnn_conv shape; /* what of the convolution pooling reads */
    int cells;       /* of a window */
    bool halves;     /* of 2x2, all within the image: forward is that of conv_pool_simd.c */
} max_plan;

static int read_along(int windows, int stride, int pad, int window, int length) {
    const int end = (windows - 1) * stride - pad + window;
    return end < length ? end : length;
}

static bool is_halving(const dcnn_conv *shape, const dcnn_pool *pool) {
    return pool->r == 2 && pool->s == 2 && pool->stride_h == 2 && pool->stride_w == 2 && pool->pad_h == 0 &&
           pool->pad_w == 0 && pool->oh == shape->oh / 2 && pool->ow == shape->ow / 2;
}

static max_plan plan_for(const dcnn_conv *shape, const dcnn_pool *pool) {
    max_plan plan = {.shape = *shape, .cells = pool->r * pool->s};
    conv_pool_plan *p = &plan.p;
    plan.shape.oh = read_along(pool->oh, pool->stride_h, pool->pad_h, pool->r, shape->oh);
    plan.shape.ow = read_along(pool->ow, pool->stride_w, pool->pad_w, pool->s, shape->ow);
    p->c = (size_t)shape->c;
    p->k = (size_t)shape->k;
    p->c_blocks = divide_up(p->c, V);
    p->k_vectors = divide_up(p->k, V);
    p->k_blocks = divide_up(p->k, K_BLOCK);
    p->window_columns = (size_t)pool->ow;
    p->windows = (size_t)pool->oh * p->window_columns;
    p->columns = (size_t)plan.shape.ow + 2;
    p->cells = ((size_t)plan.shape.oh + 2) * p->columns;
    plan.halves = is_halving(shape, pool);
    p->forward_floats = plan.halves ? plan_of(&plan.shape).forward_floats
                                    : whole_lines(DCNN_SIMD_NAME(dcnn_conv_forward_packed)(&plan.shape));
    return plan;
}

/* With fewer than four cells a window, Winograd's tiles take no more products for all cells than nine for each window;
 * with few input channels, lanes are empty. */
static bool conv_max_fits(const dcnn_conv *shape, const dcnn_pool *pool) {
    const int lanes = (shape->c + LOGICAL_LANES - 1) / LOGICAL_LANES * LOGICAL_LANES,
              step = pool->stride_h * pool->stride_w;
    return winograd_fits(shape) && pool->r * pool->s <= MOST_CELLS && step >= 4 &&
           (lanes <= shape->c * step || is_halving(shape, pool));
}

static size_t input_floats(const dcnn_conv *shape) {
    return (size_t)shape->h * (size_t)shape->w * (size_t)shape->c;
}

static size_t output_floats(const dcnn_conv *shape) {
    return (size_t)shape->oh * (size_t)shape->ow * (size_t)shape->k;
}

static dcnn_conv forward_group(const max_plan *plan) {
    const size_t bytes = (input_floats(&plan->shape) + output_floats(&plan->shape)) * sizeof(float);
    dcnn_conv group = plan->shape;
    group.n = (int)least(GROUP_BYTES / bytes + 1, (size_t)group.n);
    return group;
}

static size_t forward_scratch(const max_plan *plan) {
    if (plan->halves) return DCNN_SIMD_NAME(dcnn_conv_pool_scratch)(&plan->shape);
    const dcnn_conv group = forward_group(plan);
    const size_t images = (size_t)group.n;
    return whole_lines(images * input_floats(&group)) + whole_lines(images * output_floats(&group)) +
           DCNN_SIMD_NAME(dcnn_conv_scratch)(&group);
}

/* One input channel, whose lanes would be empty: by the first layer's own kernel. */
static bool is_first(const max_plan *plan) {
    return plan->halves && plan->p.c == 1;
}

static size_t filter_scratch(const max_plan *plan) {
    if (is_first(plan)) return whole_lines(plan->p.k) + DCNN_SIMD_NAME(dcnn_conv_pool_first_scratch)(&plan->shape);
    const size_t group = group_images(&plan->shape, &plan->p, FILTER_BYTES), n = (size_t)plan->shape.n;
    const size_t sums = group < n ? plan->p.c_blocks * plan->p.k * TAPS * V : 0;
    return whole_lines(group * plan->p.c_blocks * plan->p.cells * V) +
           entry_floats(plan->p.k * group * plan->p.windows) + whole_lines(plan->p.k) + whole_lines(sums) +
           TAPS * V * V;
}

/* Lists for dx: [k block][image][window][cell of the window]. */
static size_t input_lists(const max_plan *plan, size_t group) {
    return plan->p.k_blocks * group * plan->p.windows * (size_t)plan->cells;
}

static size_t input_scratch(const max_plan *plan) {
    const size_t group = group_images(&plan->shape, &plan->p, INPUT_BYTES);
    return whole_lines(group * plan->p.cells * V) + entry_floats(group * plan->p.windows * plan->p.k + 1) +
           whole_lines(input_lists(plan, group) + 1);
}

static size_t conv_max_scratch(const dcnn_conv *shape, const dcnn_pool *pool) {
    const max_plan plan = plan_for(shape, pool);
    const size_t floats[3] = {forward_scratch(&plan), filter_scratch(&plan), input_scratch(&plan)};
    const size_t most = floats[0] > floats[1] ? floats[0] : floats[1];
    return most > floats[2] ? most : floats[2];
}

static size_t conv_max_packed(const dcnn_conv *shape, const dcnn_pool *pool) {
    const max_plan plan = plan_for(shape, pool);
    if (plan.halves) return DCNN_SIMD_NAME(dcnn_conv_pool_packed)(&plan.shape);
    return plan.p.forward_floats + plan.p.k * plan.p.c_blocks * V * TAPS;
}

static void conv_max_pack(const dcnn_conv *shape, const dcnn_pool *pool, const float *w, float *packed, int part,
                          int parts) {
    const max_plan plan = plan_for(shape, pool);
    const size_t share = (size_t)part, shares = (size_t)parts, units = plan.p.k_blocks * plan.p.c_blocks;
    if (plan.halves) {
        DCNN_SIMD_NAME(dcnn_conv_pool_pack)(&plan.shape, w, packed, part, parts);
        return;
    }
    DCNN_SIMD_NAME(dcnn_conv_forward_pack)(&plan.shape, w, packed, part, parts);
    for (size_t unit = units * share / shares; unit < units * (share + 1) / shares; unit++)
        pack_taps(&plan.p, w, unit / plan.p.c_blocks, unit % plan.p.c_blocks, packed + plan.p.forward_floats);
}

/* --- forward ------------------------------------------------------------------------------------------------------ */

/* Rows or columns first..end-1 of a window that lie within `length`; `origin` is where its first one is. */
typedef struct span {
    int origin, first, end;
} span;

static span span_of(int number, int stride, int pad, int window, int length) {
    const int origin = number * stride - pad;
    return (span){origin, origin < 0 ? -origin : 0, origin + window > length ? length - origin : window};
}

/* The first largest cell of a window, or the first smallest, all channels; `cells` is its image. */
static inline __attribute__((always_inline)) void pool_cells(const max_plan *plan, const dcnn_pool *pool, span rows,
                                                             span columns, const float *cells, const bool smallest,
                                                             float *y, uint8_t *argmax) {
    const size_t k = plan->p.k, line = (size_t)plan->shape.ow * k;
    for (size_t at = 0; at < k; at += V) {
        const size_t lanes = least(V, k - at);
        simd_float best = simd_zero();
        simd_int code = simd_splat_int(0);
        for (int r = rows.first; r < rows.end; r++) {
            const float *from = cells + (size_t)(rows.origin + r) * line + at;
            for (int s = columns.first; s < columns.end; s++) {
                const simd_float cell = simd_take(from + (size_t)(columns.origin + s) * k, lanes);
                const simd_float value = smallest ? -cell : cell;
                const simd_mask wins = (simd_mask)(simd_greater(value, best) | simd_is_nan(value));
                const bool start = r == rows.first && s == columns.first;
                best = start ? value : simd_select(wins, value, best);
                code = start ? simd_splat_int(r * pool->s + s)
                             : simd_select_int(wins, simd_splat_int(r * pool->s + s), code);
            }
        }
        simd_put(y + at, lanes, smallest ? -best : best);
        if (argmax != NULL) store_codes(argmax + at, lanes, code);
    }
}

static void pool_extremes(const dcnn_conv *shape, const dcnn_pool *pool, const float *x, const float *in_scale,
                          const float *in_shift, const float *packed, const float *bias, pool_mode mode, float *y,
                          uint8_t *argmax, float *scratch) {
    const max_plan plan = plan_for(shape, pool);
    const size_t plane = (size_t)shape->n * plan.p.windows * plan.p.k;
    if (plan.halves) {
        DCNN_SIMD_NAME(dcnn_conv_pool_forward)
        (&plan.shape, x, in_scale, in_shift, packed, bias, mode, y, argmax, scratch);
        return;
    }
    dcnn_conv group = forward_group(&plan);
    const size_t most = (size_t)group.n, in = input_floats(&group), out = output_floats(&group);
    float *seen = scratch, *cells = seen + whole_lines(most * in), *rest = cells + whole_lines(most * out);
    for (size_t first = 0; first < (size_t)shape->n; first += most) {
        const size_t images = least(most, (size_t)shape->n - first);
        const float *from = x + first * in;
        group.n = (int)images;
        if (in_scale != NULL) {
            DCNN_SIMD_NAME(dcnn_affine)(images * in / plan.p.c, shape->c, from, in_scale, in_shift, seen);
            from = seen;
        }
        DCNN_SIMD_NAME(dcnn_conv_forward)(&group, from, packed, bias, cells, rest);
        for (size_t image = 0; image < images; image++)
            for (int i = 0; i < pool->oh; i++) {
                const span rows = span_of(i, pool->stride_h, pool->pad_h, pool->r, shape->oh);
                for (int j = 0; j < pool->ow; j++, y += plan.p.k) {
                    const span columns = span_of(j, pool->stride_w, pool->pad_w, pool->s, shape->ow);
                    const float *here = cells + image * out;
                    pool_cells(&plan, pool, rows, columns, here, false, y, argmax);
                    if (mode == POOL_EXTREMES)
                        pool_cells(&plan, pool, rows, columns, here, true, y + plane,
                                   argmax == NULL ? NULL : argmax + plane);
                    if (argmax != NULL) argmax += plan.p.k;
                }
            }
    }
}

static void conv_max_forward(const dcnn_conv *shape, const dcnn_pool *pool, const float *x, const float *in_scale,
                             const float *in_shift, const float *packed, const float *bias, float *y, uint8_t *argmax,
                             float *scratch) {
    pool_extremes(shape, pool, x, in_scale, in_shift, packed, bias, POOL_LARGEST, y, argmax, scratch);
}

static void conv_extremes_forward(const dcnn_conv *shape, const dcnn_pool *pool, const float *x, const float *in_scale,
                                  const float *in_shift, const float *packed, const float *bias, float *y,
                                  uint8_t *argmax, float *scratch) {
    pool_extremes(shape, pool, x, in_scale, in_shift, packed, bias, POOL_EXTREMES, y, argmax, scratch);
}

/* --- backward ----------------------------------------------------------------------------------------------------- */

/* Where the first cell of a window of an image is among its cells, maybe before them. */
static ptrdiff_t origin_of(const max_plan *plan, const dcnn_pool *pool, size_t window) {
    const ptrdiff_t i = (ptrdiff_t)(window / plan->p.window_columns), j = (ptrdiff_t)(window % plan->p.window_columns);
    return (i * pool->stride_h - pool->pad_h) * (ptrdiff_t)plan->p.columns + j * pool->stride_w - pool->pad_w;
}

/* From a window's first cell to each, in floats. */
static void find_offsets(const max_plan *plan, const dcnn_pool *pool, ptrdiff_t offsets[MOST_CELLS]) {
    for (int code = 0; code < plan->cells; code++)
        offsets[code] = ((ptrdiff_t)(code / pool->s) * (ptrdiff_t)plan->p.columns + code % pool->s) * V;
}

/* Lists of the output channels over the windows of `images` images; argmax and dy at the first. */
static void list_by_channel(const max_plan *plan, const dcnn_pool *pool, size_t images, const uint8_t *argmax,
                            const float *dy, const open_lists *lists) {
    const size_t length = images * plan->p.windows, k_count = plan->p.k;
    ptrdiff_t offsets[MOST_CELLS];
    find_offsets(plan, pool, offsets);
    memset(lists->count, 0, k_count * sizeof *lists->count);
    for (size_t window = 0; window < length; window++, argmax += k_count, dy += k_count) {
        const size_t image = window / plan->p.windows;
        const ptrdiff_t origin =
            ((ptrdiff_t)(image * plan->p.cells) + origin_of(plan, pool, window % plan->p.windows)) * V;
        for (size_t k = 0; k < k_count; k++) {
            lists->cells[k * length + (size_t)lists->count[k]] =
                open_cell_of(dy[k], (size_t)(origin + offsets[argmax[k]]));
            lists->count[k] += dy[k] != 0;
        }
    }
}

static void backward_filter(const max_plan *plan, const dcnn_pool *pool, const float *x, const float *in_scale,
                            const float *in_shift, const uint8_t *argmax, const float *dy, float *dw, float *scratch) {
    const conv_pool_plan *p = &plan->p;
    const size_t images = (size_t)plan->shape.n, group = group_images(&plan->shape, p, FILTER_BYTES);
    float *tile = scratch, *blocked = tile + TAPS * V * V;
    float *entries = blocked + whole_lines(group * p->c_blocks * p->cells * V);
    float *counts = entries + entry_floats(p->k * group * p->windows);
    float *sums = counts + whole_lines(p->k);
    const open_lists lists = {.cells = (open_cell *)entries, .count = (int32_t *)counts};
    memset(tile, 0, TAPS * V * V * sizeof *tile);
    for (size_t first = 0; first < images; first += group) {
        const size_t count = least(group, images - first), at = first * p->windows * p->k;
        block_images(&plan->shape, p, x, first, count, in_scale, in_shift, blocked);
        list_by_channel(plan, pool, count, argmax + at, dy + at, &lists);
        add_filters(p, blocked, count, &lists, first == 0, first + count == images, sums, tile, dw);
    }
}

/* Lists of `windows` windows over the output channels of each block; argmax and dy at the first. */
static void list_by_window(const max_plan *plan, size_t windows, const uint8_t *argmax, const float *dy,
                           const open_lists *lists) {
    const size_t cells = (size_t)plan->cells, spare = windows * plan->p.k; /* where what is shut goes */
    int32_t end = 0, *start = lists->start;
    for (size_t k_block = 0; k_block < plan->p.k_blocks; k_block++) {
        const size_t first = k_block * K_BLOCK, count = least(K_BLOCK, plan->p.k - first);
        for (size_t window = 0; window < windows; window++, start += cells) {
            const uint8_t *codes = argmax + window * plan->p.k + first;
            const float *gradients = dy + window * plan->p.k + first;
            int32_t next[MOST_CELLS + 1] = {0};
            for (size_t k = 0; k < count; k++) next[codes[k] + 1] += gradients[k] != 0;
            next[0] = end;
            for (size_t cell = 0; cell < cells; cell++) {
                start[cell] = next[cell];
                next[cell + 1] += next[cell];
            }
            end = next[cells];
            for (size_t k = 0; k < count; k++) {
                const bool open = gradients[k] != 0;
                lists->cells[open ? (size_t)next[codes[k]] : spare] = open_cell_of(gradients[k], k * TAPS * V);
                next[codes[k]] += open;
            }
        }
    }
    *start = end;
}

/* add_list() on the 3x3 sums around cell (row, column) of a window of 3x3. */
static inline __attribute__((always_inline)) void add_around_3x3(const open_cell *cells, size_t count,
                                                                 const float *taps, const size_t row,
                                                                 const size_t column, simd_float sum[5][5]) {
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

/* Adds a window of 3x3, whose 5x5 sums are registers where there are 32; `to` points at its first cell's first. */
static inline void add_window_3x3(const open_cell *cells, const int32_t *start, const float *taps, float *to,
                                  size_t row) {
    simd_float sum[5][5];
#pragma GCC unroll 25
    for (size_t i = 0; i < 25; i++) sum[i / 5][i % 5] = simd_load(to + i / 5 * row + i % 5 * V);
#pragma GCC unroll 9
    for (size_t cell = 0; cell < 9; cell++)
        add_around_3x3(cells + start[cell], (size_t)(start[cell + 1] - start[cell]), taps, cell / 3, cell % 3, sum);
#pragma GCC unroll 25
    for (size_t i = 0; i < 25; i++) simd_store(to + i / 5 * row + i % 5 * V, sum[i / 5][i % 5]);
}

/* Adds a window of any size, whose lists are short: cell by cell. */
static inline void add_window(const open_cell *cells, const int32_t *start, size_t count, const ptrdiff_t *offsets,
                              const float *taps, float *to, size_t row) {
    for (size_t cell = 0; cell < count; cell++) {
        const size_t entries = (size_t)(start[cell + 1] - start[cell]);
        if (entries == 0) continue;
        float *corner = to + offsets[cell];
        simd_float sum[TAPS];
        for (size_t tap = 0; tap < TAPS; tap++) sum[tap] = simd_load(corner + tap / 3 * row + tap % 3 * V);
        add_list(cells + start[cell], entries, taps, (size_t)3 * V, sum);
        for (size_t tap = 0; tap < TAPS; tap++) simd_store(corner + tap / 3 * row + tap % 3 * V, sum[tap]);
    }
}

/* Adds one block of output channels to the blocked dx of a group of images, one channel block. */
static __attribute__((noinline)) void add_windows(const max_plan *plan, const dcnn_pool *pool, size_t images,
                                                  const open_lists *lists, const int32_t *start, const float *taps,
                                                  float *blocked) {
    const size_t row = plan->p.columns * V, cells = (size_t)plan->cells;
    const bool whole = pool->pad_h == 0 && pool->pad_w == 0 &&
                       (pool->oh - 1) * pool->stride_h + pool->r <= plan->shape.oh &&
                       (pool->ow - 1) * pool->stride_w + pool->s <= plan->shape.ow;
    const bool by_three = whole && pool->r == 3 && pool->s == 3;
    ptrdiff_t offsets[MOST_CELLS];
    find_offsets(plan, pool, offsets);
    for (size_t image = 0; image < images; image++)
        for (size_t window = 0; window < plan->p.windows; window++, start += cells) {
            float *to = blocked + ((ptrdiff_t)(image * plan->p.cells) + origin_of(plan, pool, window)) * V;
            if (by_three)
                add_window_3x3(lists->cells, start, taps, to, row);
            else
                add_window(lists->cells, start, cells, offsets, taps, to, row);
        }
}

static void backward_input(const max_plan *plan, const dcnn_pool *pool, const float *taps, const uint8_t *argmax,
                           const float *dy, float *dx, float *scratch) {
    const conv_pool_plan *p = &plan->p;
    const size_t images = (size_t)plan->shape.n, group = group_images(&plan->shape, p, INPUT_BYTES);
    float *blocked = scratch, *entries = blocked + whole_lines(group * p->cells * V);
    float *starts = entries + entry_floats(group * p->windows * p->k + 1);
    const open_lists lists = {.cells = (open_cell *)entries, .start = (int32_t *)starts};
    for (size_t first = 0; first < images; first += group) {
        const size_t count = least(group, images - first), at = first * p->windows * p->k;
        const size_t windows = count * p->windows;
        list_by_window(plan, windows, argmax + at, dy + at, &lists);
        for (size_t c_block = 0; c_block < p->c_blocks; c_block++) {
            memset(blocked, 0, count * p->cells * V * sizeof *blocked);
            for (size_t k_block = 0; k_block < p->k_blocks; k_block++) {
                const size_t channels = least(K_BLOCK, p->k - k_block * K_BLOCK);
                const float *block = taps + (k_block * K_BLOCK * p->c_blocks + c_block * channels) * TAPS * V;
                const int32_t *start = lists.start + k_block * windows * (size_t)plan->cells;
                if (plan->halves)
                    add_inputs(p, count, &lists, start, block, blocked);
                else
                    add_windows(plan, pool, count, &lists, start, block, blocked);
            }
            unblock_images(&plan->shape, p, blocked, count, c_block, dx + first * input_floats(&plan->shape));
        }
    }
}

static void conv_max_backward(const dcnn_conv *shape, const dcnn_pool *pool, const float *x, const float *in_scale,
                              const float *in_shift, const float *packed, const uint8_t *argmax, const float *dy,
                              float *dx, float *dw, float *dbias, float *scratch) {
    const max_plan plan = plan_for(shape, pool);
    if (dw != NULL && is_first(&plan)) {
        DCNN_SIMD_NAME(dcnn_conv_pool_first_filter)
        (&plan.shape, x, in_scale, in_shift, argmax, dy, dw, scratch, scratch + whole_lines(plan.p.k));
    } else if (dw != NULL) {
        backward_filter(&plan, pool, x, in_scale, in_shift, argmax, dy, dw, scratch);
    }
    if (dbias != NULL) DCNN_SIMD_NAME(dcnn_column_sums)((size_t)shape->n * plan.p.windows, shape->k, dy, dbias);
    if (dx != NULL) backward_input(&plan, pool, packed + plan.p.forward_floats, argmax, dy, dx, scratch);
}

void DCNN_SIMD_NAME(dcnn_register_conv_max)(dcnn_kernels *table) {
    table->conv_max_fits = conv_max_fits;
    table->conv_max_scratch = conv_max_scratch;
    table->conv_max_packed = conv_max_packed;
    table->conv_max_pack = conv_max_pack;
    table->conv_max_forward = conv_max_forward;
    table->conv_extremes_forward = conv_extremes_forward;
    table->conv_max_backward = conv_max_backward;
}
