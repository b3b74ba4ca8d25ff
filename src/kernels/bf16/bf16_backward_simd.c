/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bf16_backward_simd.c — bf16 convolutions backward.
 *
 * dx   the forward product with the gradient's rows and the filters turned round, phase by phase of the strides
 * dw   rows are input channels, columns filters, depth the outputs of a group of images, tap by tap
 */
#include "kernels/bf16/bf16_conv_simd.h"

#define PRODUCT DCNN_SIMD_NAME(dcnn_product_bf16)

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
    size_t gradient_rows;
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

static void phase_backward(const dcnn_conv *shape, const bf16_gradient *d, const dx_phase *phase, const bf16_memory *m,
                           const uint16_t *weights, size_t count, float *dx) {
    const size_t taps = (size_t)(shape->r * shape->s), tiles = tiles_of((size_t)shape->c);
    const size_t line = (phase->columns.end - phase->columns.first) * d->images;
    const size_t row_chunks = phase->taps.columns * d->depth / BF16_CHUNK;
    size_t chunks = 0;
    float sums[BF16_BLOCK * BF16_BLOCK] __attribute__((aligned(64)));
    for (size_t r = 0; r < phase->taps.rows; r++)
        for (size_t s = 0; s < phase->taps.columns; s++)
            for (size_t at = 0; at < d->depth; at += BF16_CHUNK)
                m->left_at[chunks++] =
                    (int32_t)(((d->border_h - r) * d->w + d->border_w - s) * d->images * d->depth + at);
    for (size_t tile = 0; tile < tiles; tile += 2) {
        const size_t column_tiles = panel_tiles(tiles, tile), right_chunk = column_tiles * BF16_TILE_SIZE;
        for (size_t u = phase->rows.first; u < phase->rows.end; u++) {
            /* Filter row r lies over row u - r of the gradient; what is above or below is zeros: of 3x3 outputs to 5x5
             * inputs two fifths. */
            const size_t from = u + 1 > phase->gradient_rows ? u + 1 - phase->gradient_rows : 0;
            const size_t rows = least(phase->taps.rows, u + 1) - from, skipped = from * row_chunks;
            for (size_t first = 0; first < line; first += BF16_BLOCK) {
                const size_t row = (u * d->w + phase->columns.first) * d->images + first;
                const dcnn_product_bf16 p = {.chunks = rows * row_chunks,
                                             .left = m->gradient + row * d->depth,
                                             .left_at = m->left_at + skipped,
                                             .left_row = d->depth,
                                             .right =
                                                 weights + panel_at(tile, taps, d->depth) +
                                                 (phase->taps.first * d->depth / BF16_CHUNK + skipped) * right_chunk,
                                             .right_chunk = right_chunk,
                                             .out = sums,
                                             .out_row = BF16_BLOCK};
                PRODUCT(line - first > BF16_TILE ? 2 : 1, column_tiles, &p);
                finish_dx(shape, d, phase, u, first, count, tile * BF16_TILE, sums, dx);
            }
        }
    }
}

/* dx of a group from its gathered gradient, borders included. */
static void input_gradient(const dcnn_conv *shape, const bf16_gathered *g, const bf16_gradient *d, const bf16_memory *m,
                           const float *packed, size_t count, float *dx) {
    const uint16_t *weights = (const uint16_t *)(const void *)packed + forward_size(shape);
    clear_unreached(shape, g, count, dx);
    for (int h = 0; h < shape->stride_h; h++)
        for (int w = 0; w < shape->stride_w; w++) {
            dx_phase phase = {.h = h, .w = w, .taps = taps_of_phase(shape, h, w), .gradient_rows = g->oh};
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

/* Taps of one line of the filter at a time read nearly the same columns: a part of the depth after the other, which
 * then stays in L1. Short depths are done at once. */
enum { STRIP_TAPS = 4, STRIP_CHUNKS = 32 };

/* Some taps of a block of channels and filters. */
typedef struct filter_strip {
    size_t taps, rows, columns, step;
    bool aside, add; /* the sums lie aside meanwhile; they start from dw's */
    const uint16_t *left[STRIP_TAPS], *right;
    float *dw[STRIP_TAPS];
} filter_strip;

static void multiply_taps(const filter_strip *t, const int32_t *left_at, size_t chunks, size_t left_row, size_t k) {
    float sums[STRIP_TAPS][BF16_BLOCK * BF16_BLOCK] __attribute__((aligned(64)));
    const size_t column_tiles = tiles_of(t->columns), right_chunk = column_tiles * BF16_TILE_SIZE;
    for (size_t i = 0; i < t->taps && t->aside; i++) {
        if (t->rows % BF16_TILE != 0 || t->columns % BF16_TILE != 0) memset(sums[i], 0, sizeof sums[i]);
        if (t->add) copy_block(t->rows, t->columns, t->dw[i], k, sums[i], BF16_BLOCK);
    }
    for (size_t at = 0; at < chunks; at += t->step)
        for (size_t i = 0; i < t->taps; i++) {
            const dcnn_product_bf16 p = {.chunks = least(t->step, chunks - at),
                                         .left = t->left[i],
                                         .left_at = left_at + at,
                                         .left_row = left_row,
                                         .right = t->right + at * right_chunk,
                                         .right_chunk = right_chunk,
                                         .add = t->add || at > 0,
                                         .out = t->aside ? sums[i] : t->dw[i],
                                         .out_row = t->aside ? BF16_BLOCK : k};
            PRODUCT(tiles_of(t->rows), column_tiles, &p);
        }
    for (size_t i = 0; i < t->taps && t->aside; i++) copy_block(t->rows, t->columns, sums[i], BF16_BLOCK, t->dw[i], k);
}

/* Adds a group's sums to dw, or begins them. */
static void filter_gradient(const dcnn_conv *shape, const bf16_gathered *g, const bf16_memory *m, bool add, float *dw) {
    const size_t k = (size_t)shape->k, s = (size_t)shape->s, tiles = tiles_of(k), row = bf16_transposed_row(g->rows);
    size_t chunks = 0;
    for (size_t line = 0; line < g->lines; line++)
        for (size_t first = 0; first < g->line; first += BF16_CHUNK)
            m->left_at[chunks++] = (int32_t)(bf16_line_rows(g, line) + first);
    const bool split = chunks > 2 * STRIP_CHUNKS && s > 1;
    for (size_t tile = 0; tile < tiles; tile += 2)
        for (size_t channel = 0; channel < g->channels; channel += BF16_BLOCK)
            for (size_t tap = 0; tap < g->taps;) {
                filter_strip t = {.taps = split ? least(STRIP_TAPS, s - tap % s) : 1,
                                  .rows = least(BF16_BLOCK, g->channels - channel),
                                  .columns = least(BF16_BLOCK, k - tile * BF16_TILE),
                                  .step = split ? STRIP_CHUNKS : chunks,
                                  .add = add,
                                  .right = m->pairs + panel_at(tile, 1, chunks * BF16_CHUNK)};
                t.aside = split || t.rows % BF16_TILE != 0 || t.columns % BF16_TILE != 0;
                for (size_t i = 0; i < t.taps; i++, tap++) {
                    t.left[i] = m->columns + channel * row + bf16_tap_rows(shape, g, tap / s, tap % s);
                    t.dw[i] = dw + (tap * g->channels + channel) * k + tile * BF16_TILE;
                }
                multiply_taps(&t, m->left_at, chunks, row, k);
            }
}

/* --- backward, all together --------------------------------------------------------------------------------------- */

void DCNN_SIMD_NAME(dcnn_bf16_backward)(const dcnn_conv *shape, const bf16_backward_task *task, float *scratch) {
    const bool pooled = task->argmax != NULL;
    const bf16_gathered g = bf16_gathered_of(shape, pooled);
    const bf16_memory m = carve(shape, &g, scratch);
    const bf16_gradient d = bf16_gradient_of(shape, &g, task->dx != NULL);
    const size_t k = (size_t)shape->k, n = (size_t)shape->n, positions = g.oh * g.ow / (pooled ? 4 : 1);
    const size_t in = (size_t)shape->h * (size_t)shape->w * (size_t)shape->c, out = positions * k;
    for (size_t image = 0; image < n; image += g.images) {
        const size_t count = least(g.images, n - image);
        DCNN_SIMD_NAME(dcnn_bf16_gather_gradient)
        (shape, &d, task->dy + image * out, pooled ? task->argmax + image * out : NULL, count, m.gradient);
        if (task->dbias != NULL) DCNN_SIMD_NAME(dcnn_bf16_bias_gradient)
        (count * positions, k, task->dy + image * out, pooled ? task->argmax + image * out : NULL, image > 0,
         task->dbias);
        if (task->dx != NULL) input_gradient(shape, &g, &d, &m, task->packed, count, task->dx + image * in);
        if (task->dw == NULL) continue;
        DCNN_SIMD_NAME(dcnn_bf16_gather_input)
        (shape, &g, task->x + image * in, count, task->in_scale, task->in_shift, m.rows);
        DCNN_SIMD_NAME(dcnn_bf16_transpose)(g.rows, g.depth, g.channels, m.rows, m.columns);
        DCNN_SIMD_NAME(dcnn_bf16_pair_gradient)(&g, &d, tiles_of(k), m.gradient, m.pairs);
        filter_gradient(shape, &g, &m, image > 0, task->dw);
    }
}
