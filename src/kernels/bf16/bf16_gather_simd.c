/* SPDX-License-Identifier: BSD-3-Clause */
/* bf16_gather_simd.c — images and gradients into the rows, columns and pairs that bf16 products read. */
#include "kernels/bf16/bf16_simd.h"

/* --- input -------------------------------------------------------------------------------------------------------- */

/* The pixels of one image: phase by phase. */
static void gather_pixels(const dcnn_conv *shape, const bf16_gathered *g, const void *x, const float *scale,
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
                const void *from = bf16_at(x, shape->x_half, cell * g->channels);
                if (shape->x_half)
                    bf16_copy_row(from, g->channels, g->depth, rows);
                else
                    bf16_round_row(from, g->channels, scale, shift, g->depth, rows);
            }
        }
}

/* A line of an image to bf16, seen through an affine map unless scale is NULL. */
static void round_pixels(const dcnn_conv *shape, const void *x, size_t first, size_t pixels, const float *scale,
                         const float *shift, uint16_t *to) {
    const size_t c = (size_t)shape->c, count = pixels * c;
    if (scale == NULL && !shape->x_half) {
        bf16_round_row((const float *)x + first, count, NULL, NULL, count, to);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const float value = bf16_read(x, shape->x_half, first + i);
        to[i] = bf16_round(scale ? fmaf(value, scale[i % c], shift[i % c]) : value);
    }
}

/* The image with the zeros around it. */
static void pad_image(const dcnn_conv *shape, const void *x, const float *scale, const float *shift, uint16_t *to) {
    const size_t c = (size_t)shape->c, w = bf16_padded_w(shape), left = (size_t)shape->pad_w;
    const size_t pixels = least((size_t)shape->w, w - least(left, w));
    for (size_t i = 0; i < bf16_padded_h(shape); i++, to += w * c) {
        const bool inside = i >= (size_t)shape->pad_h && i < (size_t)(shape->pad_h + shape->h);
        memset(to, 0, w * c * sizeof *to);
        if (inside)
            round_pixels(shape, x, (i - (size_t)shape->pad_h) * (size_t)(shape->w * shape->c), pixels, scale, shift,
                         to + left * c);
    }
}

/* `count` numbers, and zeros up to `whole`; up to a vector more of `from` is read. */
INLINE void copy_numbers(const uint16_t *from, size_t count, size_t whole, uint16_t *to) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    for (size_t at = 0; at < whole; at += V) {
        const size_t left = at < count ? count - at : 0;
        const __mmask16 reads = (__mmask16)(left < V ? (1u << left) - 1 : 0xffff);
        const __mmask16 writes = (__mmask16)(whole - at < V ? (1u << (whole - at)) - 1 : 0xffff);
        _mm256_mask_storeu_epi16(to + at, writes, _mm256_maskz_loadu_epi16(reads, from + at));
    }
#else
    memcpy(to, from, count * sizeof *to);
    memset(to + count, 0, (whole - count) * sizeof *to);
#endif
}

/* The patches of one image: all that an output's taps read, in their order. */
static void gather_patches(const dcnn_conv *shape, const bf16_gathered *g, const void *x, const float *scale,
                           const float *shift, uint16_t *image, uint16_t *rows) {
    const size_t c = (size_t)shape->c, line = bf16_padded_w(shape) * c, run = (size_t)shape->s * c;
    const size_t taps_h = (size_t)shape->r, stride_h = (size_t)shape->stride_h, stride_w = (size_t)shape->stride_w;
    pad_image(shape, x, scale, shift, image);
    for (size_t i = 0; i < g->oh; i++)
        for (size_t j = 0; j < g->ow; j++, rows += g->images * g->depth) {
            const uint16_t *from = image + i * stride_h * line + j * stride_w * c;
            size_t at = 0;
            for (size_t r = 0; r + 1 < taps_h; r++, at += run) copy_numbers(from + r * line, run, run, rows + at);
            copy_numbers(from + (taps_h - 1) * line, run, g->depth - at, rows + at);
        }
}

static void clear_image(size_t pixels, size_t images, size_t depth, uint16_t *rows) {
    for (size_t i = 0; i < pixels; i++, rows += images * depth) memset(rows, 0, depth * sizeof *rows);
}

static void clear_end(size_t rows, size_t depth, uint16_t *matrix) {
    memset(matrix + rows * depth, 0, (bf16_rows_size(rows, depth) - rows * depth) * sizeof *matrix);
}

void DCNN_SIMD_NAME(dcnn_bf16_gather_input)(const dcnn_conv *shape, const bf16_gathered *g, const void *x, size_t count,
                                            const float *scale, const float *shift, uint16_t *image, uint16_t *rows) {
    const size_t size = (size_t)shape->h * (size_t)shape->w * (size_t)shape->c;
    for (size_t i = 0; i < g->images; i++) {
        uint16_t *mine = rows + i * g->depth;
        if (i < count && bf16_takes_patches(shape))
            gather_patches(shape, g, bf16_at(x, shape->x_half, i * size), scale, shift, image, mine);
        else if (i < count)
            gather_pixels(shape, g, bf16_at(x, shape->x_half, i * size), scale, shift, mine);
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

/* Where a line of gradients comes from and goes to. */
typedef struct gradient_line {
    size_t pixels, k, step; /* from pixel to pixel in rows */
    const void *y, *dy;
    float *dbias;
    uint16_t *rows;
} gradient_line;

enum { LINE_VECTORS = 4 };

/* Some vectors of a line's channels: where y is given, only those gradients that its ReLU lets pass. They are added to
 * the bias' gradient. */
INLINE void gather_channels(const bool half, const size_t vectors, const gradient_line *line, size_t at, size_t lanes) {
    simd_float sum[LINE_VECTORS];
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++)
        sum[j] = line->dbias ? simd_take(line->dbias + at + j * V, lanes) : simd_zero();
    for (size_t i = 0; i < line->pixels; i++) {
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++) {
            const size_t number = i * line->k + at + j * V;
            simd_float value = take_numbers(line->dy, half, number, lanes);
            if (line->y)
                value = simd_select(simd_greater(take_numbers(line->y, half, number, lanes), simd_zero()), value,
                                    simd_zero());
            sum[j] += value;
            bf16_put(line->rows + i * line->step + at + j * V, lanes, value);
        }
    }
    if (line->dbias == NULL) return;
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++) simd_put(line->dbias + at + j * V, lanes, sum[j]);
}

INLINE void gather_line(const bool half, const gradient_line *line, size_t depth) {
    size_t at = 0;
    for (; at + LINE_VECTORS * V <= line->k; at += LINE_VECTORS * V) gather_channels(half, LINE_VECTORS, line, at, V);
    for (; at < line->k; at += V) gather_channels(half, 1, line, at, least(V, line->k - at));
    for (size_t i = 0; line->k < depth && i < line->pixels; i++)
        memset(line->rows + i * line->step + line->k, 0, (depth - line->k) * sizeof *line->rows);
}

static void gather_plain(const dcnn_conv *shape, const bf16_gradient *d, const void *y, const void *dy, float *dbias,
                         uint16_t *rows) {
    const size_t k = (size_t)shape->k, pixels = (size_t)shape->ow, step = d->images * d->depth;
    const bool half = shape->y_half;
    for (size_t i = 0; i < (size_t)shape->oh; i++) {
        const size_t at = i * pixels * k;
        const gradient_line line = {
            pixels, k, step, y ? bf16_at(y, half, at) : NULL, bf16_at(dy, half, at), dbias, rows + i * d->w * step};
        if (half)
            gather_line(true, &line, d->depth);
        else
            gather_line(false, &line, d->depth);
    }
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

/* The bias' gradient of windows: the sums of those that are open, one after the other. */
static void sum_windows(size_t windows, size_t k, const float *dy, const uint8_t *argmax, float *dbias) {
    for (size_t at = 0; at < k; at += V) {
        const size_t lanes = least(V, k - at);
        simd_float sum = simd_take(dbias + at, lanes);
        for (size_t i = 0; i < windows; i++) {
            const simd_mask shut = simd_equal_int(load_codes(argmax + i * k + at, lanes), simd_splat_int(DCNN_SHUT));
            sum += simd_select(shut, simd_zero(), simd_take(dy + i * k + at, lanes));
        }
        simd_put(dbias + at, lanes, sum);
    }
}

void DCNN_SIMD_NAME(dcnn_bf16_gather_gradient)(const dcnn_conv *shape, const bf16_gradient *d, const bf16_outputs *from,
                                               size_t count, float *dbias, uint16_t *rows) {
    const size_t k = (size_t)shape->k, inner = (d->border_h * d->w + d->border_w) * d->images * d->depth;
    const size_t h = (size_t)shape->oh, w = (size_t)shape->ow, size = from->argmax ? h / 2 * (w / 2) * k : h * w * k;
    clear_border(d, rows);
    for (size_t i = 0; i < d->images; i++) {
        const size_t at = i * size;
        uint16_t *mine = rows + inner + i * d->depth;
        if (i >= count)
            clear_image(d->h * d->w, d->images, d->depth, rows + i * d->depth);
        else if (from->argmax)
            gather_windows(shape, d, (const float *)from->dy + at, from->argmax + at, mine);
        else
            gather_plain(shape, d, from->y ? bf16_at(from->y, shape->y_half, at) : NULL,
                         bf16_at(from->dy, shape->y_half, at), dbias, mine);
    }
    if (dbias && from->argmax) sum_windows(count * size / k, k, from->dy, from->argmax, dbias);
    clear_end(d->rows, d->depth, rows);
}

/* --- products over rows ------------------------------------------------------------------------------------------- */

void DCNN_SIMD_NAME(dcnn_bf16_pair_input)(const bf16_gathered *g, const uint16_t *rows, uint16_t *to) {
    const size_t pairs = bf16_pairs_of(g), tiles = divide_up(g->channels, BF16_TILE), tile = pairs * BF16_BLOCK;
    for (size_t first = 0; first < bf16_parities(g); first++, to += tiles * tile)
        for (size_t pair = 0; pair < pairs - first; pair++) {
            const uint16_t *from = rows + (2 * pair + first) * g->depth;
            for (size_t i = 0; i < tiles; i++)
                bf16_store_pairs(to + i * tile + pair * BF16_BLOCK,
                                 bf16_pair_rows(from + i * BF16_TILE, from + g->depth + i * BF16_TILE));
        }
}

/* A tile of 16 columns from 32 rows, zeros from row `left` on. */
INLINE void transpose_tile(const uint16_t *from, size_t depth, size_t left, uint16_t *to) {
    static const uint16_t zeros[BF16_TILE];
    bf16_pairs pairs[BF16_TILE];
#pragma GCC unroll 16
    for (size_t i = 0; i < BF16_TILE; i++, from += 2 * depth)
        pairs[i] = bf16_pair_rows(2 * i < left ? from : zeros, 2 * i + 1 < left ? from + depth : zeros);
    bf16_store_transposed(to, BF16_CHUNK, pairs);
}

void DCNN_SIMD_NAME(dcnn_bf16_transpose_gradient)(const bf16_gathered *g, const bf16_gradient *d, size_t k,
                                                  const uint16_t *rows, uint16_t *to) {
    const size_t inner = (d->border_h * d->w + d->border_w) * d->images, tiles = divide_up(k, BF16_TILE);
    const size_t block = g->lines * bf16_whole(g->line, BF16_CHUNK) * BF16_BLOCK;
    for (size_t line = 0; line < g->lines; line++)
        for (size_t first = 0; first < g->line; first += BF16_CHUNK, to += BF16_CHUNK * BF16_BLOCK) {
            const uint16_t *from = rows + (inner + line * d->w * d->images + first) * d->depth;
            for (size_t tile = 0; tile < tiles; tile++) {
                uint16_t *at = to + tile / 2 * block + tile % 2 * BF16_TILE_SIZE;
                if (g->line - first >= BF16_CHUNK)
                    transpose_tile(from + tile * BF16_TILE, d->depth, BF16_CHUNK, at);
                else
                    transpose_tile(from + tile * BF16_TILE, d->depth, g->line - first, at);
            }
        }
}
