/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bf16_conv_simd.c — convolutions and dense layers of bf16 operands: products straight from gathered pixels.
 *
 * forward         rows are outputs, columns filters, depth a tap's channels: out = sum over taps of rows shifted
 * dx              the same with the gradient's rows and the filters turned round, phase by phase of the strides
 * dw              rows are input channels, columns filters, depth the outputs of a group of images, tap by tap
 *
 * A dense layer is a convolution of 1x1 on images of 1x1.
 */
#include "kernels/bf16/bf16_simd.h"
#include "kernels/register.h"

#define PRODUCT DCNN_SIMD_NAME(dcnn_product_bf16)

static size_t tiles_of(size_t columns) {
    return divide_up(columns, BF16_TILE);
}

/* Tiles of the panel that starts at tile `first`, of `tiles`: one product's columns. */
static size_t panel_tiles(size_t tiles, size_t first) {
    return least(2, tiles - first);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Everything that any of the kernels needs, carved from scratch; NULL scratch measures. */
typedef struct memory {
    uint16_t *rows, *columns, *gradient, *pairs;
    int32_t *left_at;
    size_t floats;
} memory;

static void *take(memory *m, float *scratch, size_t bytes) {
    void *at = scratch == NULL ? NULL : scratch + m->floats;
    m->floats += whole_lines(divide_up(bytes, sizeof(float)));
    return at;
}

static size_t line_chunks(const bf16_gathered *g) {
    return divide_up(g->line, BF16_CHUNK);
}

static memory carve(const dcnn_conv *shape, const bf16_gathered *g, float *scratch) {
    const bf16_gradient d = bf16_gradient_of(shape, g, true);
    const size_t tiles = tiles_of((size_t)shape->k), taps = (size_t)(shape->r * shape->s);
    const size_t chunks = g->lines * line_chunks(g), forward = g->taps * g->depth / BF16_CHUNK,
                 backward = taps * d.depth / BF16_CHUNK;
    const size_t most =
        chunks > forward ? (chunks > backward ? chunks : backward) : (forward > backward ? forward : backward);
    memory m = {0};
    m.rows = take(&m, scratch, bf16_rows_size(g->rows, g->depth) * sizeof(uint16_t));
    m.columns = take(&m, scratch, g->depth * bf16_transposed_row(g->rows) * sizeof(uint16_t));
    m.gradient = take(&m, scratch, bf16_rows_size(d.rows, d.depth) * sizeof(uint16_t));
    m.pairs = take(&m, scratch, chunks * tiles * BF16_TILE_SIZE * sizeof(uint16_t));
    m.left_at = take(&m, scratch, most * sizeof(int32_t));
    return m;
}

static size_t scratch_of(const dcnn_conv *shape, bool pooled) {
    const bf16_gathered g = bf16_gathered_of(shape, pooled);
    return carve(shape, &g, NULL).floats;
}

/* --- packed weights: [panel][tap][chunk][tile], forward's, then dx's taps phase by phase -------------------------- */

static size_t packed_size(size_t taps, size_t depth, size_t columns) {
    return tiles_of(columns) * taps * depth * BF16_TILE;
}

/* Numbers from the start to a panel. */
static size_t panel_at(size_t first_tile, size_t taps, size_t depth) {
    return first_tile * taps * depth * BF16_TILE;
}

static size_t forward_size(const dcnn_conv *shape) {
    const bf16_gathered g = bf16_gathered_of(shape, false);
    return packed_size(g.taps, g.depth, (size_t)shape->k);
}

static size_t packed_floats(const dcnn_conv *shape) {
    const size_t depth = bf16_whole((size_t)shape->k, BF16_CHUNK);
    return (forward_size(shape) + packed_size((size_t)(shape->r * shape->s), depth, (size_t)shape->c)) / 2;
}

/* Tiles of 16 filters from w [depth,K]: pairs along depth. */
static void pack_down(const float *w, size_t depth, size_t k, size_t column, uint16_t *to, size_t step) {
    const size_t columns = least(BF16_TILE, k - column);
    for (size_t at = 0; at < depth; at += BF16_CHUNK, to += step)
        for (size_t pair = 0; pair < BF16_CHUNK / 2; pair++) {
            uint16_t rows[2][BF16_TILE] = {{0}};
            for (size_t i = 0; i < 2 && at + 2 * pair + i < depth; i++)
                bf16_round_row(w + (at + 2 * pair + i) * k + column, columns, NULL, NULL, 0, rows[i]);
            bf16_store_pairs(to + pair * BF16_BLOCK, bf16_pair_rows(rows[0], rows[1]));
        }
}

/* Tiles of 16 input channels from w [C,K] of one tap: pairs along the filters. */
static void pack_across(const float *w, size_t c, size_t k, size_t column, uint16_t *to, size_t step) {
    const size_t columns = least(BF16_TILE, c - column);
    for (size_t at = 0; at < k; at += BF16_CHUNK, to += step) {
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

/* Number of the first tap of a phase in dx's order, and how many it has; phases in rows of stride_w. */
typedef struct phase_taps {
    size_t first, rows, columns;
} phase_taps;

static phase_taps taps_of_phase(const dcnn_conv *shape, int phase_h, int phase_w) {
    phase_taps found = {0};
    for (int i = 0; i < shape->stride_h; i++)
        for (int j = 0; j < shape->stride_w; j++) {
            found.rows = i < shape->r ? (size_t)((shape->r - i - 1) / shape->stride_h + 1) : 0;
            found.columns = j < shape->s ? (size_t)((shape->s - j - 1) / shape->stride_w + 1) : 0;
            if (i == phase_h && j == phase_w) return found;
            found.first += found.rows * found.columns;
        }
    return found;
}

static size_t dx_tap(const dcnn_conv *shape, int r, int s) {
    const phase_taps phase = taps_of_phase(shape, r % shape->stride_h, s % shape->stride_w);
    return phase.first + (size_t)(r / shape->stride_h) * phase.columns + (size_t)(s / shape->stride_w);
}

static void pack(const dcnn_conv *shape, const float *w, float *packed, int part, int parts) {
    const bf16_gathered g = bf16_gathered_of(shape, false);
    const size_t c = (size_t)shape->c, k = (size_t)shape->k, taps = (size_t)(shape->r * shape->s);
    const size_t k_tiles = tiles_of(k), c_tiles = tiles_of(c), k_depth = bf16_whole(k, BF16_CHUNK);
    uint16_t *forward = (uint16_t *)(void *)packed, *backward = forward + forward_size(shape);
    size_t unit = 0;
    for (size_t tile = 0; tile < k_tiles; tile++) {
        const size_t first = tile / 2 * 2, step = panel_tiles(k_tiles, first) * BF16_TILE_SIZE;
        uint16_t *panel = forward + panel_at(first, g.taps, g.depth) + tile % 2 * BF16_TILE_SIZE;
        for (size_t tap = 0; tap < g.taps; tap++, panel += g.depth / BF16_CHUNK * step)
            if (unit++ % (size_t)parts == (size_t)part)
                pack_down(w + tap * g.channels * k, g.channels, k, tile * BF16_TILE, panel, step);
    }
    for (size_t tile = 0; tile < c_tiles; tile++) {
        const size_t first = tile / 2 * 2, step = panel_tiles(c_tiles, first) * BF16_TILE_SIZE;
        uint16_t *panel = backward + panel_at(first, taps, k_depth) + tile % 2 * BF16_TILE_SIZE;
        for (int tap = 0; tap < (int)taps; tap++) {
            if (unit++ % (size_t)parts != (size_t)part) continue;
            uint16_t *to = panel + dx_tap(shape, tap / shape->s, tap % shape->s) * (k_depth / BF16_CHUNK) * step;
            pack_across(w + (size_t)tap * c * k, c, k, tile * BF16_TILE, to, step);
        }
    }
}

/* --- forward ------------------------------------------------------------------------------------------------------ */

/* Where each chunk of the depth of an output begins: tap after tap. */
static void list_taps(const dcnn_conv *shape, const bf16_gathered *g, int32_t *left_at) {
    for (size_t tap = 0; tap < g->taps; tap++) {
        const size_t row = bf16_tap_rows(shape, g, tap / (size_t)shape->s, tap % (size_t)shape->s);
        for (size_t at = 0; at < g->depth; at += BF16_CHUNK) *left_at++ = (int32_t)(row * g->depth + at);
    }
}

/* Where the rows of a block go: row i to to[i], or nowhere (an image that is missing, or past the line's end). Images
 * are a power of two, so there is nothing to divide. */
typedef struct block_rows {
    float *to[BF16_BLOCK];
} block_rows;

INLINE block_rows rows_of_block(size_t images, size_t count, size_t first, size_t line, float *origin, size_t pixel,
                                size_t image) {
    block_rows rows;
    size_t at = first & (images - 1);
    float *to = origin + first / images * pixel;
    for (size_t i = 0; i < BF16_BLOCK; i++) {
        rows.to[i] = at < count && first + i < line ? to + at * image : NULL;
        if (++at < images) continue;
        at = 0;
        to += pixel;
    }
    return rows;
}

/* A product's sums with bias and ReLU to y. */
static void finish_block(const block_rows *rows, size_t column, size_t columns, const float *sums, const float *bias,
                         bool relu) {
    const simd_float floor = simd_splat(relu ? 0 : -__builtin_inff());
    for (size_t at = 0; at < columns; at += V) {
        const size_t lanes = least(V, columns - at);
        const simd_float shift = bias == NULL ? simd_zero() : load_lanes(bias + column + at, lanes);
        for (size_t i = 0; i < BF16_BLOCK; i++) {
            if (rows->to[i] == NULL) continue;
            /* This order of simd_max keeps a NaN. */
            store_lanes(rows->to[i] + column + at, lanes,
                        simd_max(floor, simd_load(sums + i * BF16_BLOCK + at) + shift));
        }
    }
}

static void forward(const dcnn_conv *shape, const float *x, const float *packed, const float *bias, dcnn_fused fused,
                    float *y, float *scratch) {
    const bf16_gathered g = bf16_gathered_of(shape, false);
    const memory m = carve(shape, &g, scratch);
    const size_t k = (size_t)shape->k, n = (size_t)shape->n, tiles = tiles_of(k);
    const size_t in = (size_t)shape->h * (size_t)shape->w * (size_t)shape->c, out = g.oh * g.ow * k;
    const uint16_t *weights = (const uint16_t *)(const void *)packed;
    float sums[BF16_BLOCK * BF16_BLOCK] __attribute__((aligned(64)));
    list_taps(shape, &g, m.left_at);
    for (size_t image = 0; image < n; image += g.images) {
        const size_t count = least(g.images, n - image);
        DCNN_SIMD_NAME(dcnn_bf16_gather_input)(shape, &g, x + image * in, count, NULL, NULL, m.rows);
        for (size_t tile = 0; tile < tiles; tile += 2) {
            const size_t column_tiles = panel_tiles(tiles, tile);
            for (size_t line = 0; line < g.lines; line++)
                for (size_t first = 0; first < g.line; first += BF16_BLOCK) {
                    const dcnn_product_bf16 p = {.chunks = g.taps * g.depth / BF16_CHUNK,
                                                 .left = m.rows + (bf16_line_rows(&g, line) + first) * g.depth,
                                                 .left_at = m.left_at,
                                                 .left_row = g.depth,
                                                 .right = weights + panel_at(tile, g.taps, g.depth),
                                                 .right_chunk = column_tiles * BF16_TILE_SIZE,
                                                 .out = sums,
                                                 .out_row = BF16_BLOCK};
                    PRODUCT(g.line - first > BF16_TILE ? 2 : 1, column_tiles, &p);
                    const block_rows rows = rows_of_block(g.images, count, first, g.line,
                                                          y + image * out + line * g.ow * k, k, g.oh * g.ow * k);
                    finish_block(&rows, tile * BF16_TILE, least(BF16_BLOCK, k - tile * BF16_TILE), sums, bias,
                                 fused == DCNN_FUSED_RELU);
                }
        }
    }
}

/* Two lines of a block's sums to windows: a block holds an even number of whole pixels. */
static void finish_windows(const dcnn_conv *shape, const bf16_gathered *g, size_t line, size_t first, size_t count,
                           size_t column, const float *sums, const float *bias, float *y, uint8_t *argmax) {
    const size_t k = (size_t)shape->k, columns = least(BF16_BLOCK, k - column), size = g->oh / 2 * (g->ow / 2) * k;
    const size_t below = BF16_BLOCK * BF16_BLOCK, beside = g->images * BF16_BLOCK, pixels = BF16_BLOCK / g->images;
    const size_t left = (g->line - first) / g->images, end = pixels < left ? pixels : left;
    const size_t window = line / 2 * (g->ow / 2) + first / g->images / 2;
    for (size_t at = 0; at < columns; at += V) {
        const size_t lanes = least(V, columns - at);
        const simd_float shift = load_lanes(bias + column + at, lanes);
        for (size_t pixel = 0; pixel < end; pixel += 2)
            for (size_t image = 0; image < count; image++) {
                const float *from = sums + (pixel * g->images + image) * BF16_BLOCK + at;
                const simd_float cell[4] = {simd_load(from), simd_load(from + beside), simd_load(from + below),
                                            simd_load(from + below + beside)};
                const size_t to = image * size + (window + pixel / 2) * k + column + at;
                simd_int codes;
                store_lanes(y + to, lanes, pool_window(cell, shift, &codes));
                if (argmax != NULL) store_codes(argmax + to, lanes, codes);
            }
    }
}

static void pool_forward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                         const float *packed, const float *bias, float *y, uint8_t *argmax, float *scratch) {
    const bf16_gathered g = bf16_gathered_of(shape, true);
    const memory m = carve(shape, &g, scratch);
    const size_t k = (size_t)shape->k, n = (size_t)shape->n, tiles = tiles_of(k);
    const size_t in = (size_t)shape->h * (size_t)shape->w * (size_t)shape->c, out = g.oh / 2 * (g.ow / 2) * k;
    const uint16_t *weights = (const uint16_t *)(const void *)packed;
    float sums[2 * BF16_BLOCK * BF16_BLOCK] __attribute__((aligned(64)));
    list_taps(shape, &g, m.left_at);
    for (size_t image = 0; image < n; image += g.images) {
        const size_t count = least(g.images, n - image);
        DCNN_SIMD_NAME(dcnn_bf16_gather_input)(shape, &g, x + image * in, count, in_scale, in_shift, m.rows);
        for (size_t tile = 0; tile < tiles; tile += 2) {
            const size_t column_tiles = panel_tiles(tiles, tile);
            for (size_t line = 0; line < g.lines; line += 2)
                for (size_t first = 0; first < g.line; first += BF16_BLOCK) {
                    dcnn_product_bf16 p = {.chunks = g.taps * g.depth / BF16_CHUNK,
                                           .left_at = m.left_at,
                                           .left_row = g.depth,
                                           .right = weights + panel_at(tile, g.taps, g.depth),
                                           .right_chunk = column_tiles * BF16_TILE_SIZE,
                                           .out_row = BF16_BLOCK};
                    for (size_t i = 0; i < 2; i++) {
                        p.left = m.rows + (bf16_line_rows(&g, line + i) + first) * g.depth;
                        p.out = sums + i * BF16_BLOCK * BF16_BLOCK;
                        PRODUCT(g.line - first > BF16_TILE ? 2 : 1, column_tiles, &p);
                    }
                    finish_windows(shape, &g, line, first, count, tile * BF16_TILE, sums, bias, y + image * out,
                                   argmax ? argmax + image * out : NULL);
                }
        }
    }
}

/* --- dx ----------------------------------------------------------------------------------------------------------- */

/* The inputs of a phase that some gradient reaches: input i = u * stride + phase - pad, for u in [first, end). */
typedef struct phase_reach {
    size_t first, end;
} phase_reach;

static phase_reach reach_of(int phase, int stride, int pad, size_t in, size_t out, size_t taps) {
    phase_reach reach = {0};
    const size_t last = out + taps - 1;
    if (taps == 0) return reach;
    while (reach.first * (size_t)stride + (size_t)phase < (size_t)pad) reach.first++;
    reach.end = reach.first;
    while (reach.end < last && reach.end * (size_t)stride + (size_t)phase < in + (size_t)pad) reach.end++;
    return reach;
}

static void clear_unreached(const dcnn_conv *shape, const bf16_gathered *g, size_t count, float *dx) {
    const size_t c = (size_t)shape->c, h = (size_t)shape->h, w = (size_t)shape->w;
    for (int i = 0; i < shape->h; i++)
        for (int j = 0; j < shape->w; j++) {
            const int phase_h = (i + shape->pad_h) % shape->stride_h, phase_w = (j + shape->pad_w) % shape->stride_w;
            const phase_taps taps = taps_of_phase(shape, phase_h, phase_w);
            const size_t u = (size_t)((i + shape->pad_h) / shape->stride_h);
            const size_t v = (size_t)((j + shape->pad_w) / shape->stride_w);
            if (taps.rows > 0 && taps.columns > 0 && u < g->oh + taps.rows - 1 && v < g->ow + taps.columns - 1)
                continue;
            for (size_t image = 0; image < count; image++)
                memset(dx + ((image * h + (size_t)i) * w + (size_t)j) * c, 0, c * sizeof *dx);
        }
}

typedef struct dx_phase {
    int h, w;
    phase_taps taps;
    phase_reach rows, columns;
} dx_phase;

static void finish_dx(const dcnn_conv *shape, const bf16_gradient *d, const dx_phase *phase, size_t u, size_t first,
                      size_t count, size_t column, const float *sums, float *dx) {
    const size_t c = (size_t)shape->c, w = (size_t)shape->w, columns = least(BF16_BLOCK, c - column);
    const size_t row = u * (size_t)shape->stride_h + (size_t)phase->h - (size_t)shape->pad_h;
    const size_t at = phase->columns.first * (size_t)shape->stride_w + (size_t)phase->w - (size_t)shape->pad_w;
    const block_rows rows =
        rows_of_block(d->images, count, first, (phase->columns.end - phase->columns.first) * d->images,
                      dx + (row * w + at) * c, (size_t)shape->stride_w * c, (size_t)shape->h * w * c);
    finish_block(&rows, column, columns, sums, NULL, false);
}

static void phase_backward(const dcnn_conv *shape, const bf16_gradient *d, const dx_phase *phase, const memory *m,
                           const uint16_t *weights, size_t count, float *dx) {
    const size_t taps = (size_t)(shape->r * shape->s), tiles = tiles_of((size_t)shape->c);
    const size_t line = (phase->columns.end - phase->columns.first) * d->images;
    size_t chunks = 0;
    float sums[BF16_BLOCK * BF16_BLOCK] __attribute__((aligned(64)));
    for (size_t r = 0; r < phase->taps.rows; r++)
        for (size_t s = 0; s < phase->taps.columns; s++)
            for (size_t at = 0; at < d->depth; at += BF16_CHUNK)
                m->left_at[chunks++] =
                    (int32_t)(((d->border_h - r) * d->w + d->border_w - s) * d->images * d->depth + at);
    for (size_t tile = 0; tile < tiles; tile += 2) {
        const size_t column_tiles = panel_tiles(tiles, tile), right_chunk = column_tiles * BF16_TILE_SIZE;
        for (size_t u = phase->rows.first; u < phase->rows.end; u++)
            for (size_t first = 0; first < line; first += BF16_BLOCK) {
                const size_t row = (u * d->w + phase->columns.first) * d->images + first;
                const dcnn_product_bf16 p = {.chunks = chunks,
                                             .left = m->gradient + row * d->depth,
                                             .left_at = m->left_at,
                                             .left_row = d->depth,
                                             .right = weights + panel_at(tile, taps, d->depth) +
                                                      phase->taps.first * d->depth / BF16_CHUNK * right_chunk,
                                             .right_chunk = right_chunk,
                                             .out = sums,
                                             .out_row = BF16_BLOCK};
                PRODUCT(line - first > BF16_TILE ? 2 : 1, column_tiles, &p);
                finish_dx(shape, d, phase, u, first, count, tile * BF16_TILE, sums, dx);
            }
    }
}

/* dx of a group from its gathered gradient, borders included. */
static void input_gradient(const dcnn_conv *shape, const bf16_gathered *g, const bf16_gradient *d, const memory *m,
                           const float *packed, size_t count, float *dx) {
    const uint16_t *weights = (const uint16_t *)(const void *)packed + forward_size(shape);
    clear_unreached(shape, g, count, dx);
    for (int h = 0; h < shape->stride_h; h++)
        for (int w = 0; w < shape->stride_w; w++) {
            dx_phase phase = {.h = h, .w = w, .taps = taps_of_phase(shape, h, w)};
            if (phase.taps.rows == 0 || phase.taps.columns == 0) continue;
            phase.rows = reach_of(h, shape->stride_h, shape->pad_h, (size_t)shape->h, g->oh, phase.taps.rows);
            phase.columns = reach_of(w, shape->stride_w, shape->pad_w, (size_t)shape->w, g->ow, phase.taps.columns);
            phase_backward(shape, d, &phase, m, weights, count, dx);
        }
}

/* --- dw ----------------------------------------------------------------------------------------------------------- */

/* One product's sums to where they belong in dw [taps,channels,K], or from there. */
static void copy_block(size_t rows, size_t columns, const float *from, size_t from_row, float *to, size_t to_row) {
    for (size_t i = 0; i < rows; i++) memcpy(to + i * to_row, from + i * from_row, columns * sizeof *to);
}

/* Adds a group's sums to dw, or begins them. */
static void filter_gradient(const dcnn_conv *shape, const bf16_gathered *g, const memory *m, bool add, float *dw) {
    const size_t k = (size_t)shape->k, tiles = tiles_of(k), row = bf16_transposed_row(g->rows);
    float sums[BF16_BLOCK * BF16_BLOCK] __attribute__((aligned(64))) = {0};
    size_t chunks = 0;
    for (size_t line = 0; line < g->lines; line++)
        for (size_t first = 0; first < g->line; first += BF16_CHUNK)
            m->left_at[chunks++] = (int32_t)(bf16_line_rows(g, line) + first);
    for (size_t tile = 0; tile < tiles; tile += 2) {
        const size_t column_tiles = panel_tiles(tiles, tile), columns = least(BF16_BLOCK, k - tile * BF16_TILE);
        for (size_t channel = 0; channel < g->channels; channel += BF16_BLOCK) {
            const size_t rows = least(BF16_BLOCK, g->channels - channel), row_tiles = tiles_of(rows);
            const bool whole = rows % BF16_TILE == 0 && columns % BF16_TILE == 0;
            for (size_t tap = 0; tap < g->taps; tap++) {
                float *to = dw + (tap * g->channels + channel) * k + tile * BF16_TILE;
                const size_t shift = bf16_tap_rows(shape, g, tap / (size_t)shape->s, tap % (size_t)shape->s);
                if (add && !whole) copy_block(rows, columns, to, k, sums, BF16_BLOCK);
                const dcnn_product_bf16 p = {.chunks = chunks,
                                             .left = m->columns + channel * row + shift,
                                             .left_at = m->left_at,
                                             .left_row = row,
                                             .right = m->pairs + tile * BF16_TILE_SIZE,
                                             .right_chunk = tiles * BF16_TILE_SIZE,
                                             .add = add,
                                             .out = whole ? to : sums,
                                             .out_row = whole ? k : BF16_BLOCK};
                PRODUCT(row_tiles, column_tiles, &p);
                if (!whole) copy_block(rows, columns, sums, BF16_BLOCK, to, k);
            }
        }
    }
}

/* --- backward, all together --------------------------------------------------------------------------------------- */

typedef struct backward_task {
    const float *x, *in_scale, *in_shift, *packed;
    const uint8_t *argmax; /* of the pooling behind, or NULL */
    const float *dy;
    float *dx, *dw, *dbias; /* any may be NULL */
} backward_task;

static void run_backward(const dcnn_conv *shape, const backward_task *task, float *scratch) {
    const bool pooled = task->argmax != NULL;
    const bf16_gathered g = bf16_gathered_of(shape, pooled);
    const memory m = carve(shape, &g, scratch);
    const bf16_gradient d = bf16_gradient_of(shape, &g, task->dx != NULL);
    const size_t k = (size_t)shape->k, n = (size_t)shape->n, positions = g.oh * g.ow / (pooled ? 4 : 1);
    const size_t in = (size_t)shape->h * (size_t)shape->w * (size_t)shape->c, out = positions * k;
    for (size_t image = 0; image < n; image += g.images) {
        const size_t count = least(g.images, n - image);
        DCNN_SIMD_NAME(dcnn_bf16_gather_gradient)
        (shape, &d, task->dy + image * out, pooled ? task->argmax + image * out : NULL, count, m.gradient);
        if (task->dx != NULL) input_gradient(shape, &g, &d, &m, task->packed, count, task->dx + image * in);
        if (task->dw == NULL) continue;
        DCNN_SIMD_NAME(dcnn_bf16_gather_input)
        (shape, &g, task->x + image * in, count, task->in_scale, task->in_shift, m.rows);
        DCNN_SIMD_NAME(dcnn_bf16_transpose)(g.rows, g.depth, g.channels, m.rows, m.columns);
        DCNN_SIMD_NAME(dcnn_bf16_pair_gradient)(&g, &d, tiles_of(k), m.gradient, m.pairs);
        filter_gradient(shape, &g, &m, image > 0, task->dw);
    }
    if (task->dbias != NULL)
        DCNN_SIMD_NAME(dcnn_bf16_bias_gradient)(n * positions, k, task->dy, task->argmax, task->dbias);
}

/* --- the table's rows --------------------------------------------------------------------------------------------- */

/* What fp32 does, for shapes that stay with it: the table as it was. */
static dcnn_kernels fp32;

static size_t conv_scratch(const dcnn_conv *shape) {
    return bf16_pays(shape) ? scratch_of(shape, false) : fp32.conv_scratch(shape);
}

static size_t conv_packed(const dcnn_conv *shape) {
    return bf16_pays(shape) ? packed_floats(shape) : fp32.conv_packed(shape);
}

static void conv_pack(const dcnn_conv *shape, const float *w, float *packed, int part, int parts) {
    (bf16_pays(shape) ? pack : fp32.conv_pack)(shape, w, packed, part, parts);
}

static void conv_forward(const dcnn_conv *shape, const float *x, const float *packed, const float *bias,
                         dcnn_fused fused, float *y, float *scratch) {
    (bf16_pays(shape) ? forward : fp32.conv_forward)(shape, x, packed, bias, fused, y, scratch);
}

static void conv_backward_input(const dcnn_conv *shape, const float *dy, const float *packed, float *dx,
                                float *scratch) {
    if (bf16_pays(shape))
        run_backward(shape, &(backward_task){.dy = dy, .packed = packed, .dx = dx}, scratch);
    else
        fp32.conv_backward_input(shape, dy, packed, dx, scratch);
}

static void conv_backward_filter(const dcnn_conv *shape, const float *x, const float *dy, float *dw, float *dbias,
                                 float *scratch) {
    if (bf16_pays(shape))
        run_backward(shape, &(backward_task){.x = x, .dy = dy, .dw = dw, .dbias = dbias}, scratch);
    else
        fp32.conv_backward_filter(shape, x, dy, dw, dbias, scratch);
}

static bool pool_fits(const dcnn_conv *shape) {
    return bf16_pays(shape) ? shape->oh >= 2 && shape->ow >= 2 : fp32.conv_pool_fits(shape);
}

static size_t pool_scratch(const dcnn_conv *shape) {
    return bf16_pays(shape) ? scratch_of(shape, true) : fp32.conv_pool_scratch(shape);
}

static size_t pool_packed(const dcnn_conv *shape) {
    return bf16_pays(shape) ? packed_floats(shape) : fp32.conv_pool_packed(shape);
}

static void pool_pack(const dcnn_conv *shape, const float *w, float *packed, int part, int parts) {
    (bf16_pays(shape) ? pack : fp32.conv_pool_pack)(shape, w, packed, part, parts);
}

static void conv_pool_forward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                              const float *packed, const float *bias, float *y, uint8_t *argmax, float *scratch) {
    (bf16_pays(shape) ? pool_forward : fp32.conv_pool_forward)(shape, x, in_scale, in_shift, packed, bias, y, argmax,
                                                               scratch);
}

static void conv_pool_backward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                               const float *packed, const uint8_t *argmax, const float *dy, float *dx, float *dw,
                               float *dbias, float *scratch) {
    if (!bf16_pays(shape)) {
        fp32.conv_pool_backward(shape, x, in_scale, in_shift, packed, argmax, dy, dx, dw, dbias, scratch);
        return;
    }
    run_backward(shape,
                 &(backward_task){.x = x,
                                  .in_scale = in_scale,
                                  .in_shift = in_shift,
                                  .packed = packed,
                                  .argmax = argmax,
                                  .dy = dy,
                                  .dx = dx,
                                  .dw = dw,
                                  .dbias = dbias},
                 scratch);
}

/* A dense layer's view: images of one pixel. */
static dcnn_conv dense_shape(int rows, int in, int units) {
    return (dcnn_conv){
        .n = rows, .h = 1, .w = 1, .c = in, .k = units, .r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .oh = 1, .ow = 1};
}

static size_t dense_scratch(int rows, int in, int units) {
    const dcnn_conv shape = dense_shape(rows, in, units);
    return scratch_of(&shape, false);
}

static size_t dense_packed(int in, int units) {
    const dcnn_conv shape = dense_shape(1, in, units);
    return packed_floats(&shape);
}

static void dense_pack(int in, int units, const float *w, float *packed, int part, int parts) {
    const dcnn_conv shape = dense_shape(1, in, units);
    pack(&shape, w, packed, part, parts);
}

static void dense_forward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                          const float *bias, dcnn_fused fused, float *y, float *scratch) {
    (void)w;
    const dcnn_conv shape = dense_shape(rows, in, units);
    forward(&shape, x, packed, bias, fused, y, scratch);
}

static void dense_backward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                           const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    (void)w;
    const dcnn_conv shape = dense_shape(rows, in, units);
    run_backward(&shape, &(backward_task){.x = x, .packed = packed, .dy = dy, .dx = dx, .dw = dw, .dbias = dbias},
                 scratch);
}

void DCNN_SIMD_NAME(dcnn_register_bf16)(dcnn_kernels *table) {
    fp32 = *table;
    table->dense_scratch = dense_scratch;
    table->dense_packed = dense_packed;
    table->dense_pack = dense_pack;
    table->dense_forward = dense_forward;
    table->dense_backward = dense_backward;
    table->conv_scratch = conv_scratch;
    table->conv_packed = conv_packed;
    table->conv_pack = conv_pack;
    table->conv_forward = conv_forward;
    table->conv_backward_input = conv_backward_input;
    table->conv_backward_filter = conv_backward_filter;
    table->conv_pool_fits = pool_fits;
    table->conv_pool_scratch = pool_scratch;
    table->conv_pool_packed = pool_packed;
    table->conv_pool_pack = pool_pack;
    table->conv_pool_forward = conv_pool_forward;
    table->conv_pool_backward = conv_pool_backward;
}
