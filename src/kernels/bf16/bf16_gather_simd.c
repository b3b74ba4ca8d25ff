/* SPDX-License-Identifier: BSD-3-Clause */
/* bf16_gather_simd.c — images and gradients into the rows, columns and pairs that bf16 products read. */
#include "kernels/bf16/bf16_simd.h"

/* --- input -------------------------------------------------------------------------------------------------------- */

/* The pixels of one image: phase by phase. */
static void gather_pixels(const dcnn_conv *shape, const bf16_gathered *g, const float *x, const float *scale,
                          const float *shift, uint16_t *rows) {
    const size_t step = g->images * g->depth;
    for (int phase = 0; phase < (int)(g->phases_h * g->phases_w); phase++)
        for (int i = 0; i < (int)g->h; i++) {
            const int row = i * shape->stride_h + phase / (int)g->phases_w - shape->pad_h;
            for (int j = 0; j < (int)g->w; j++, rows += step) {
                const int column = j * shape->stride_w + phase % (int)g->phases_w - shape->pad_w;
                if (row < 0 || column < 0 || row >= shape->h || column >= shape->w) {
                    memset(rows, 0, g->depth * sizeof *rows);
                    continue;
                }
                const size_t cell = (size_t)row * (size_t)shape->w + (size_t)column;
                bf16_round_row(x + cell * g->channels, g->channels, scale, shift, g->depth, rows);
            }
        }
}

static void clear_image(size_t pixels, size_t images, size_t depth, uint16_t *rows) {
    for (size_t i = 0; i < pixels; i++, rows += images * depth) memset(rows, 0, depth * sizeof *rows);
}

static void clear_end(size_t rows, size_t depth, uint16_t *matrix) {
    memset(matrix + rows * depth, 0, (bf16_rows_size(rows, depth) - rows * depth) * sizeof *matrix);
}

void DCNN_SIMD_NAME(dcnn_bf16_gather_input)(const dcnn_conv *shape, const bf16_gathered *g, const float *x,
                                            size_t count, const float *scale, const float *shift, uint16_t *rows) {
    const size_t size = (size_t)shape->h * (size_t)shape->w * (size_t)shape->c;
    for (size_t i = 0; i < g->images; i++) {
        uint16_t *mine = rows + i * g->depth;
        if (i < count)
            gather_pixels(shape, g, x + i * size, scale, shift, mine);
        else
            clear_image(g->rows / g->images, g->images, g->depth, mine);
    }
    clear_end(g->rows, g->depth, rows);
}

/* --- gradient ----------------------------------------------------------------------------------------------------- */

static void clear_border(const bf16_gradient *d, uint16_t *rows) {
    const size_t pixel = d->images * d->depth, line = d->w * pixel, side = d->border_w * pixel;
    memset(rows, 0, d->border_h * line * sizeof *rows);
    memset(rows + (d->h - d->border_h) * line, 0, d->border_h * line * sizeof *rows);
    for (size_t i = d->border_h; i < d->h - d->border_h; i++) {
        memset(rows + i * line, 0, side * sizeof *rows);
        memset(rows + (i + 1) * line - side, 0, side * sizeof *rows);
    }
}

static void gather_plain(const dcnn_conv *shape, const bf16_gradient *d, const float *dy, uint16_t *rows) {
    const size_t k = (size_t)shape->k, step = d->images * d->depth;
    for (int i = 0; i < shape->oh; i++, rows += 2 * d->border_w * step)
        for (int j = 0; j < shape->ow; j++, dy += k, rows += step) bf16_round_row(dy, k, NULL, NULL, d->depth, rows);
}

/* A window's gradient to the cell that was largest, zeros to the three others. */
static void gather_window(size_t k, size_t depth, const float *dy, const uint8_t *argmax, uint16_t *const cell[4]) {
    for (size_t at = 0; at < depth; at += V) {
        const size_t lanes = at >= k ? 0 : least(V, k - at);
        if (lanes == 0) {
            for (int i = 0; i < 4; i++) bf16_store_lanes(cell[i] + at, V, simd_splat_int(0));
            continue;
        }
        const simd_int value = bf16_round_lanes(simd_take(dy + at, lanes)), codes = load_codes(argmax + at, lanes);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            bf16_store_lanes(cell[i] + at, V,
                             simd_select_int(simd_equal_int(codes, simd_splat_int(i)), value, simd_splat_int(0)));
    }
}

static void gather_windows(const dcnn_conv *shape, const bf16_gradient *d, const float *dy, const uint8_t *argmax,
                           uint16_t *rows) {
    const size_t k = (size_t)shape->k, step = d->images * d->depth, line = d->w * step;
    for (int i = 0; i < shape->oh / 2; i++, rows += 2 * line) {
        uint16_t *window = rows;
        for (int j = 0; j < shape->ow / 2; j++, dy += k, argmax += k, window += 2 * step) {
            uint16_t *const cell[4] = {window, window + step, window + line, window + line + step};
            gather_window(k, d->depth, dy, argmax, cell);
        }
    }
}

void DCNN_SIMD_NAME(dcnn_bf16_gather_gradient)(const dcnn_conv *shape, const bf16_gradient *d, const float *dy,
                                               const uint8_t *argmax, size_t count, uint16_t *rows) {
    const size_t k = (size_t)shape->k, inner = (d->border_h * d->w + d->border_w) * d->images * d->depth;
    const size_t h = (size_t)shape->oh, w = (size_t)shape->ow, size = argmax ? h / 2 * (w / 2) * k : h * w * k;
    clear_border(d, rows);
    for (size_t i = 0; i < d->images; i++) {
        if (i >= count)
            clear_image(d->h * d->w, d->images, d->depth, rows + i * d->depth);
        else if (argmax)
            gather_windows(shape, d, dy + i * size, argmax + i * size, rows + inner + i * d->depth);
        else
            gather_plain(shape, d, dy + i * size, rows + inner + i * d->depth);
    }
    clear_end(d->rows, d->depth, rows);
}

/* --- products over rows ------------------------------------------------------------------------------------------- */

void DCNN_SIMD_NAME(dcnn_bf16_transpose)(size_t rows, size_t depth, size_t channels, const uint16_t *from,
                                         uint16_t *to) {
    const size_t row = bf16_transposed_row(rows), end = bf16_whole(rows, BF16_CHUNK) + BF16_CHUNK;
    for (size_t first = 0; first < end; first += BF16_CHUNK, from += BF16_CHUNK * depth)
        for (size_t channel = 0; channel < channels; channel += BF16_TILE) {
            bf16_pairs pairs[BF16_TILE];
            const uint16_t *at = from + channel;
#pragma GCC unroll 16
            for (size_t i = 0; i < BF16_TILE; i++, at += 2 * depth) pairs[i] = bf16_pair_rows(at, at + depth);
            bf16_store_transposed(to + channel * row + first, row, pairs);
        }
}

void DCNN_SIMD_NAME(dcnn_bf16_pair_gradient)(const bf16_gathered *g, const bf16_gradient *d, size_t tiles,
                                             const uint16_t *rows, uint16_t *to) {
    static const uint16_t zeros[BF16_TILE];
    const size_t inner = (d->border_h * d->w + d->border_w) * d->images;
    const size_t panel = g->lines * bf16_whole(g->line, BF16_CHUNK) * BF16_BLOCK;
    size_t chunk = 0;
    for (size_t line = 0; line < g->lines; line++)
        for (size_t first = 0; first < g->line; first += BF16_CHUNK, chunk++) {
            const uint16_t *from = rows + (inner + line * d->w * d->images + first) * d->depth;
            const size_t left = g->line - first;
            for (size_t tile = 0; tile < tiles; tile++) {
                const size_t wide = tile / 2 * 2 + 1 < tiles ? 2 : 1;
                uint16_t *pair = to + tile / 2 * panel + (chunk * wide + tile % 2) * BF16_TILE_SIZE;
                const uint16_t *a = from + tile * BF16_TILE;
                for (size_t row = 0; row < BF16_CHUNK; row += 2, pair += BF16_BLOCK, a += 2 * d->depth)
                    bf16_store_pairs(pair,
                                     bf16_pair_rows(row < left ? a : zeros, row + 1 < left ? a + d->depth : zeros));
            }
        }
}

enum { BIAS_VECTORS = 4 };

INLINE void sum_columns(const size_t vectors, size_t rows, size_t k, const float *dy, const uint8_t *argmax,
                        size_t lanes, bool add, float *dbias) {
    simd_float sum[BIAS_VECTORS];
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++) sum[j] = add ? simd_take(dbias + j * V, lanes) : simd_zero();
    for (size_t i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++) {
            const simd_float value = simd_take(dy + i * k + j * V, lanes);
            if (argmax == NULL) {
                sum[j] += value;
            } else {
                const simd_int codes = load_codes(argmax + i * k + j * V, lanes);
                sum[j] += simd_select(simd_equal_int(codes, simd_splat_int(DCNN_SHUT)), simd_zero(), value);
            }
        }
    }
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++) simd_put(dbias + j * V, lanes, sum[j]);
}

void DCNN_SIMD_NAME(dcnn_bf16_bias_gradient)(size_t rows, size_t k, const float *dy, const uint8_t *argmax, bool add,
                                             float *dbias) {
    size_t at = 0;
    for (; at + BIAS_VECTORS * V <= k; at += BIAS_VECTORS * V)
        sum_columns(BIAS_VECTORS, rows, k, dy + at, argmax ? argmax + at : NULL, V, add, dbias + at);
    for (; at < k; at += V)
        sum_columns(1, rows, k, dy + at, argmax ? argmax + at : NULL, least(V, k - at), add, dbias + at);
}
