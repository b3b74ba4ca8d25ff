/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bf16_backward_simd.c — bf16 convolutions backward.
 *
 * dx   the forward product with the gradient's rows and the filters turned round, phase by phase of the strides
 * dw   bf16_filter_simd.c
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

static void clear_unreached(const dcnn_conv *shape, const bf16_gathered *g, size_t count, void *dx) {
    const size_t number = shape->x_half ? sizeof(uint16_t) : sizeof(float);
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
                memset((char *)dx + ((image * h + (size_t)i) * w + (size_t)j) * c * number, 0, c * number);
        }
}

typedef struct dx_phase {
    int h, w;
    phase_taps taps;
    size_t gradient_rows;
    phase_reach rows, columns;
} dx_phase;

/* Where the inputs go that a block of rows is the gradient of. */
static block_rows rows_of_dx(const dcnn_conv *shape, const bf16_gradient *d, const dx_phase *phase, size_t u,
                             size_t first, size_t count, void *dx) {
    const size_t c = (size_t)shape->c, w = (size_t)shape->w;
    const size_t row = u * (size_t)shape->stride_h + (size_t)phase->h - (size_t)shape->pad_h;
    const size_t at = phase->columns.first * (size_t)shape->stride_w + (size_t)phase->w - (size_t)shape->pad_w;
    block_rows rows = rows_of_block(d->images, count, first, (phase->columns.end - phase->columns.first) * d->images,
                                    (row * w + at) * c, (size_t)shape->stride_w * c, (size_t)shape->h * w * c);
    rows.output = dx;
    rows.half = shape->x_half;
    return rows;
}

static void phase_backward(const dcnn_conv *shape, const bf16_gradient *d, const dx_phase *phase, const bf16_memory *m,
                           const uint16_t *weights, size_t count, void *dx) {
    const size_t taps = (size_t)(shape->r * shape->s), c = (size_t)shape->c, tiles = tiles_of(c);
    const size_t line = (phase->columns.end - phase->columns.first) * d->images;
    const size_t row_chunks = phase->taps.columns * d->depth / BF16_CHUNK;
    size_t chunks = 0;
    float sums[BF16_BLOCK * BF16_BLOCK] __attribute__((aligned(64)));
    for (size_t r = 0; r < phase->taps.rows; r++)
        for (size_t s = 0; s < phase->taps.columns; s++)
            for (size_t at = 0; at < d->depth; at += BF16_CHUNK)
                m->left_at[chunks++] =
                    (int32_t)(((d->border_h - r) * d->w + d->border_w - s) * d->images * d->depth + at);
    for (size_t u = phase->rows.first; u < phase->rows.end; u++) {
        /* Filter row r lies over row u - r of the gradient; what is above or below is zeros: of 3x3 outputs to 5x5
         * inputs two fifths. */
        const size_t from = u + 1 > phase->gradient_rows ? u + 1 - phase->gradient_rows : 0;
        const size_t rows = least(phase->taps.rows, u + 1) - from, skipped = from * row_chunks;
        for (size_t first = 0; first < line; first += BF16_BLOCK) {
            const size_t row = (u * d->w + phase->columns.first) * d->images + first;
            dcnn_product_bf16 p = {.chunks = rows * row_chunks,
                                   .left = m->gradient + row * d->depth,
                                   .left_at = m->left_at + skipped,
                                   .left_row = d->depth,
                                   .right_tile = packed_tile(taps, d->depth),
                                   .out = sums,
                                   .out_row = BF16_BLOCK};
            const block_rows to = rows_of_dx(shape, d, phase, u, first, count, dx);
            for (size_t tile = 0; tile < tiles; tile += 2) {
                p.right = weights + tile * p.right_tile +
                          (phase->taps.first * d->depth / BF16_CHUNK + skipped) * BF16_TILE_SIZE;
                PRODUCT(line - first > BF16_TILE ? 2 : 1, block_tiles(tiles, tile), &p);
                finish_block(&to, tile * BF16_TILE, least(BF16_BLOCK, c - tile * BF16_TILE), sums, NULL, false);
            }
        }
    }
}

/* dx of a group from its gathered gradient, borders included. */
static void input_gradient(const dcnn_conv *shape, const bf16_gathered *g, const bf16_gradient *d, const bf16_memory *m,
                           const float *packed, size_t count, void *dx) {
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

/* --- backward, all together --------------------------------------------------------------------------------------- */

void DCNN_SIMD_NAME(dcnn_bf16_backward)(const dcnn_conv *shape, const bf16_backward_task *task, float *scratch) {
    const bool pooled = task->outputs.argmax != NULL;
    const dcnn_conv inner = bf16_inner(shape);
    const bf16_gathered g = bf16_gathered_of(&inner, pooled);
    const bf16_memory m = carve(shape, &g, scratch);
    const size_t k = (size_t)shape->k, n = (size_t)shape->n, positions = g.oh * g.ow / (pooled ? 4 : 1);
    const size_t in = (size_t)shape->h * (size_t)shape->w * (size_t)shape->c, out = positions * k;
    if (task->dbias != NULL) memset(task->dbias, 0, k * sizeof *task->dbias);
    for (size_t image = 0; image < n; image += g.images) {
        const size_t count = least(g.images, n - image);
        bf16_gradient d = bf16_gradient_of(shape, &g, task->dx != NULL);
        bf16_outputs outputs = {.dy = bf16_at(task->outputs.dy, shape->y_half, image * out)};
        if (task->outputs.y) outputs.y = bf16_at(task->outputs.y, shape->y_half, image * out);
        if (pooled) outputs.argmax = task->outputs.argmax + image * out;
        DCNN_SIMD_NAME(dcnn_bf16_gather_gradient)(shape, &d, &outputs, count, task->dbias, m.gradient);
        if (task->dx != NULL)
            input_gradient(shape, &g, &d, &m, task->packed, count,
                           (char *)task->dx + image * in * (shape->x_half ? sizeof(uint16_t) : sizeof(float)));
        if (task->dw == NULL) continue;
        if (task->dx != NULL && bf16_takes_patches(shape)) { /* whose products run on from line to line */
            d = bf16_gradient_of(shape, &g, false);
            DCNN_SIMD_NAME(dcnn_bf16_gather_gradient)(shape, &d, &outputs, count, NULL, m.gradient);
        }
        DCNN_SIMD_NAME(dcnn_bf16_gather_input)
        (shape, &g, bf16_at(task->x, shape->x_half, image * in), count, task->in_scale, task->in_shift, m.image,
         m.rows);
        DCNN_SIMD_NAME(dcnn_bf16_pair_input)(&g, m.rows, m.pairs);
        DCNN_SIMD_NAME(dcnn_bf16_transpose_gradient)(&g, &d, k, m.gradient, m.transposed);
        DCNN_SIMD_NAME(dcnn_bf16_filter_gradient)(&inner, &g, &m, image == 0, image + g.images >= n, task->dw);
    }
}
