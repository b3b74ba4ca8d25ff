/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file bf16.h — the number format bf16: its rounding, the order in which products are summed, and the product kernel.
 *
 * An operand of a product is rounded to bf16 (the upper half of a float, to nearest, ties to even; denormals are
 * zeros); the sums are fp32.
 *
 * **The order of a sum** is that of AMX's TDPBF16PS (Intel SDM 2, checked bit by bit against the instruction by
 * test_bf16), and everything else follows it. The depth is cut into *chunks* of 32:
 *
 *     even = odd = +0; for i = 0..15: even = fma(a[2i], b[2i], even), odd = fma(a[2i+1], b[2i+1], odd)
 *     sum = sum + (even + odd)
 *
 * Denormal operands and results are zeros in each step. Zeros that fill a chunk change nothing.
 *
 * **Operands in memory.** The left one is read in rows of 32 numbers wherever they lie. The right one is packed in
 * tiles of 16 columns: 16 pairs of neighbours in depth, of each pair the 16 columns, of each column both (1 KiB).
 */
#ifndef DCNN_KERNELS_BF16_H
#define DCNN_KERNELS_BF16_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernels.h"

enum {
    BF16_CHUNK = 32,                         /**< depth of a tile */
    BF16_TILE = 16,                          /**< rows or columns of a tile */
    BF16_BLOCK = 2 * BF16_TILE,              /**< rows and columns of a product, at most */
    BF16_TILE_SIZE = BF16_CHUNK * BF16_TILE, /**< numbers of a tile */
    BF16_IMAGES = 16,                        /**< at most, of a group whose pixels lie side by side */
    BF16_GROUP_BYTES = 512 << 10,            /**< of a group's gathered input, if more than one image: part of L2 */
    BF16_LEAST_CHANNELS = 16,                /**< of fewer input channels patches are gathered, or they stay fp32 */
    BF16_PATCH_CHANNELS = 3,                 /**< least of a patch … */
    BF16_PATCH = 160,                        /**< … and its most values */
};

/** out[i][j] = sum over chunks and depth of left[i] * right[j]; all distances in elements. */
typedef struct dcnn_product_bf16 {
    size_t chunks;
    const uint16_t *left;
    const int32_t *left_at; /**< [chunks] from `left` to the chunk's first row */
    size_t left_row;        /**< from row to row */
    const uint16_t *right;
    const int32_t *right_at; /**< [chunks] from `right` to the chunk's first tile; NULL: tile behind tile */
    size_t right_tile;       /**< from a tile to that of the next 16 columns */
    bool add;                /**< the sums start from what is in `out` */
    float *out;
    size_t out_row;
} dcnn_product_bf16;

/** A chunk's first tile of the right operand. */
static inline const uint16_t *bf16_right(const dcnn_product_bf16 *p, size_t chunk) {
    return p->right + (p->right_at ? (size_t)p->right_at[chunk] : chunk * BF16_TILE_SIZE);
}

/** One or two tiles of rows by one or two tiles of columns. */
typedef void dcnn_product_bf16_kernel(size_t row_tiles, size_t column_tiles, const dcnn_product_bf16 *p);

/** `amx` is the instruction, `avx2` and `avx512` do its arithmetic with fused multiply-adds, `generic` does without
 * these; `avx512_bf16` sums in another order. */
#define DCNN_PRODUCT_BF16(id, isa, ...) dcnn_product_bf16_kernel dcnn_product_bf16_##isa;
DCNN_ISAS(DCNN_PRODUCT_BF16)

/** Does this CPU have AMX with bf16, and does the system let this process use it? Asks once. *Local.* */
bool dcnn_amx_permitted(void);

/** To bf16, as VCVTNE2PS2BF16 does. */
static inline uint16_t bf16_round(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7f800000u) == 0) return (uint16_t)(bits >> 16 & 0x8000u);
    if (value != value) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static inline float bf16_widen(uint16_t number) {
    const uint32_t bits = (uint32_t)number << 16;
    float value = 0;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

/** Number i of x: of bf16, or a float. */
static inline const void *bf16_at(const void *x, bool half, size_t i) {
    return (const char *)x + i * (half ? sizeof(uint16_t) : sizeof(float));
}

static inline float bf16_read(const void *x, bool half, size_t i) {
    return half ? bf16_widen(((const uint16_t *)x)[i]) : ((const float *)x)[i];
}

static inline void bf16_write(void *x, bool half, size_t i, float value) {
    if (half)
        ((uint16_t *)x)[i] = bf16_round(value);
    else
        ((float *)x)[i] = value;
}

/* Sums and fused multiply-adds of AMX, with no FMA needed. A product of two bf16 and its sum with a float are exact in
 * double, or too far apart to matter for the rounding to float (16 bits of product, 24 of sum, 53 here). "Denormal" is
 * judged after rounding, hence the detour at the border. */
static inline float bf16_flush(double value) {
    if (fabs(value) >= (double)FLT_MIN || value == 0.0 || isnan(value)) return (float)value;
    const float scaled = (float)(value * 0x1p64);
    return copysignf(fabsf(scaled) < FLT_MIN * 0x1p64f ? 0.0f : FLT_MIN, scaled);
}

/** A denormal as the zero of its sign. */
static inline float bf16_normal(float value) {
    return fabsf(value) < FLT_MIN ? copysignf(0.0f, value) : value;
}

static inline float bf16_multiply_add(uint16_t a, uint16_t b, float sum) {
    return bf16_flush((double)bf16_normal(bf16_widen(a)) * (double)bf16_normal(bf16_widen(b)) + (double)sum);
}

static inline float bf16_add(float a, float b) {
    return bf16_flush((double)bf16_normal(a) + (double)bf16_normal(b));
}

/** Of few input channels a tap's chunk would be mostly zeros, so the depth is all taps of all channels: a *patch*. */
static inline bool bf16_takes_patches(const dcnn_conv *shape) {
    const int taps = shape->r * shape->s;
    return shape->c < BF16_LEAST_CHANNELS && shape->c >= BF16_PATCH_CHANNELS && taps > 1 &&
           taps * shape->c <= BF16_PATCH;
}

/** The convolution that products see: of 1x1 over patches, where these are taken. Its weights and their gradient lie as
 * those of `shape`; dx is no matter of it. */
static inline dcnn_conv bf16_inner(const dcnn_conv *shape) {
    dcnn_conv inner = *shape;
    if (!bf16_takes_patches(shape)) return inner;
    inner.c = shape->r * shape->s * shape->c;
    inner.h = shape->oh;
    inner.w = shape->ow;
    inner.r = inner.s = inner.stride_h = inner.stride_w = 1;
    inner.pad_h = inner.pad_w = 0;
    return inner;
}

/* --- geometry: how a convolution becomes products ----------------------------------------------------------------- */

static inline size_t bf16_whole(size_t count, size_t unit) {
    return (count + unit - 1) / unit * unit;
}

/**
 * How the input of a convolution is gathered. Images are taken in groups; of a group the pixels lie one after another,
 * of each pixel all images, of each image `depth` channels (zeros beyond c). So a tile of 16 rows is cut from a line of
 * outputs whatever their number, and a shift by a tap is a shift of rows. With strides the input is split into phases
 * (every stride_h-th row, every stride_w-th column), among whose pixels a tap is such a shift again.
 */
typedef struct bf16_gathered {
    size_t oh, ow;             /**< outputs that are wanted */
    size_t images;             /**< of a group: a power of two */
    size_t channels, depth;    /**< numbers of a row that are used; rounded up to whole chunks */
    size_t taps;               /**< filter positions */
    size_t phases_h, phases_w; /**< at most the strides */
    size_t h, w;               /**< of a phase */
    size_t rows;               /**< of all phases */
    size_t lines, line;        /**< lines of outputs, and rows in each */
} bf16_gathered;

/** Of bf16_inner(). With `pooled`, only outputs that windows of 2x2 read, whose lines stay apart. The order of a filter
 * gradient's sums follows from this: line after line, group after group. */
static inline bf16_gathered bf16_gathered_of(const dcnn_conv *shape, bool pooled) {
    const size_t r = (size_t)shape->r, s = (size_t)shape->s, c = (size_t)shape->c;
    const size_t stride_h = (size_t)shape->stride_h, stride_w = (size_t)shape->stride_w;
    bf16_gathered g = {.oh = (size_t)(pooled ? shape->oh / 2 * 2 : shape->oh),
                       .ow = (size_t)(pooled ? shape->ow / 2 * 2 : shape->ow),
                       .channels = c,
                       .taps = r * s,
                       .phases_h = r < stride_h ? r : stride_h,
                       .phases_w = s < stride_w ? s : stride_w};
    g.h = g.oh + (r - 1) / stride_h;
    g.w = g.ow + (s - 1) / stride_w;
    g.depth = bf16_whole(g.channels, BF16_CHUNK);
    const size_t pixels = g.phases_h * g.phases_w * g.h * g.w;
    g.images = BF16_IMAGES;
    while (g.images > 1 &&
           (g.images / 2 >= (size_t)shape->n || pixels * g.images * g.depth * sizeof(uint16_t) > BF16_GROUP_BYTES))
        g.images /= 2;
    g.rows = pixels * g.images;
    g.lines = g.oh;
    g.line = g.ow * g.images;
    if (!pooled && g.w == g.ow && g.h == g.oh) {
        g.line *= g.lines;
        g.lines = 1;
    }
    return g;
}

/** Rows from an output's own row to the row that its tap (r, s) reads. */
static inline size_t bf16_tap_rows(const dcnn_conv *shape, const bf16_gathered *g, size_t r, size_t s) {
    const size_t stride_h = (size_t)shape->stride_h, stride_w = (size_t)shape->stride_w;
    const size_t phase = r % stride_h * g->phases_w + s % stride_w;
    return ((phase * g->h + r / stride_h) * g->w + s / stride_w) * g->images;
}

/** First row of a line of outputs. */
static inline size_t bf16_line_rows(const bf16_gathered *g, size_t line) {
    return line * g->w * g->images;
}

/** Do all distances within a gathered image fit into 32 bits? Of 8,192 x 8,192 pixels with 32 channels they do not. */
static inline bool bf16_fits(const dcnn_conv *shape) {
    dcnn_conv inner = bf16_inner(shape);
    inner.n = 1;
    const bf16_gathered g = bf16_gathered_of(&inner, false);
    const size_t border_h = (size_t)((shape->r - 1) / shape->stride_h);
    const size_t border_w = (size_t)((shape->s - 1) / shape->stride_w);
    const size_t input = (g.rows + 2 * BF16_CHUNK) * (g.depth + BF16_CHUNK);
    const size_t outputs = g.oh * bf16_whole(g.ow, BF16_CHUNK) * BF16_CHUNK;
    const size_t border =
        ((border_h * (g.ow + 2 * border_w)) + border_w + 1) * bf16_whole((size_t)shape->k, BF16_CHUNK);
    return input <= INT32_MAX && outputs <= INT32_MAX && border <= INT32_MAX;
}

/** Convolutions of a single channel stay fp32, and those of long patches: fused with its pooling, one channel took 27
 * us an image forward by AMX and 9 by fp32's kernel. */
static inline bool bf16_pays(const dcnn_conv *shape) {
    const bool deep = shape->c >= BF16_LEAST_CHANNELS || shape->r * shape->s == 1 || bf16_takes_patches(shape);
    return deep && bf16_fits(shape);
}

#endif
