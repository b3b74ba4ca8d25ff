/* SPDX-License-Identifier: BSD-3-Clause */
/* patches_simd.c — products of the patches under a convolution's filters, summed over all positions.
 *
 * Positions are numbered through all images, and each 16th is added by the same lane whatever the vectors' width: so
 * the bits are the same with each instruction set. Products of two floats are exact in double. */
#include "kernels/register.h"
#include "kernels/simd/lanes_simd.h"

enum {
    LANES = 16,                       /* positions that are added side by side */
    DOUBLES = SIMD_LANES / 2,         /* of a vector */
    PARTS = LANES / DOUBLES,          /* vectors of them */
    BLOCK = 256,                      /* positions that are multiplied at a time */
    ROWS = 4,                         /* of a tile of sums */
    PATCH = (DCNN_PATCH + 3) / 4 * 4, /* in whole tiles */
};

typedef struct patches {
    size_t count;                     /* values of a patch, with the 1 */
    size_t filled;                    /* positions */
    double values[PATCH][BLOCK];      /* the 1 included; zeros behind it */
    double sums[PATCH][PATCH][LANES]; /* of row i those with rows 0..i, and maybe some more */
} patches;

/* Adds ROWS products of row i, those with rows j.. */
static void add_tile(patches *p, size_t i, size_t j, size_t length) {
    for (size_t part = 0; part < PARTS; part++) {
        const size_t lane = part * DOUBLES;
        simd_double sum[ROWS];
#pragma GCC unroll 4
        for (size_t row = 0; row < ROWS; row++) sum[row] = simd_load_double(&p->sums[i][j + row][lane]);
        for (size_t at = lane; at < length; at += LANES) {
            const simd_double left = simd_load_double(&p->values[i][at]);
#pragma GCC unroll 4
            for (size_t row = 0; row < ROWS; row++) sum[row] += left * simd_load_double(&p->values[j + row][at]);
        }
#pragma GCC unroll 4
        for (size_t row = 0; row < ROWS; row++) simd_store_double(&p->sums[i][j + row][lane], sum[row]);
    }
}

/* Adds what the block holds, and empties it. */
static void add_block(patches *p) {
    const size_t length = divide_up(p->filled, LANES) * LANES;
    for (size_t i = 0; i < p->count; i++) memset(&p->values[i][p->filled], 0, (length - p->filled) * sizeof(double));
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j <= i; j += ROWS) add_tile(p, i, j, length);
    p->filled = 0;
}

/* Values of one place in the patch at `count` positions of a row of outputs from (i, j) on; `line`: the row of inputs
 * there, NULL outside the image. */
static void fill_place(const dcnn_conv *shape, const float *line, int c, int column, size_t count, double *to) {
    for (size_t at = 0; at < count; at++, column += shape->stride_w)
        to[at] = line != NULL && column >= 0 && column < shape->w ? (double)line[column * shape->c + c] : 0.0;
}

/* The same where all columns are within the image and one channel apart: the usual first layer. */
static void fill_neighbours(const float *from, size_t count, double *to) {
    for (size_t at = 0; at < count; at++) to[at] = (double)from[at];
}

static void fill(const dcnn_conv *shape, const float *image, int i, int j, size_t count, patches *p) {
    size_t place = 0;
    for (int r = 0; r < shape->r; r++) {
        const int row = i * shape->stride_h - shape->pad_h + r;
        const float *line = row >= 0 && row < shape->h ? image + (size_t)row * (size_t)(shape->w * shape->c) : NULL;
        for (int s = 0; s < shape->s; s++) {
            const int column = j * shape->stride_w - shape->pad_w + s, end = column + (int)count;
            const bool plain = line != NULL && shape->c == 1 && shape->stride_w == 1 && column >= 0 && end <= shape->w;
            for (int c = 0; c < shape->c; c++, place++) {
                double *to = &p->values[place][p->filled];
                if (plain)
                    fill_neighbours(line + column, count, to);
                else
                    fill_place(shape, line, c, column, count, to);
            }
        }
    }
    for (size_t at = 0; at < count; at++) p->values[place][p->filled + at] = 1.0;
    p->filled += count;
}

static void patch_products(const dcnn_conv *shape, const float *x, double *products) {
    patches p;
    memset(&p, 0, sizeof p);
    p.count = (size_t)(shape->r * shape->s * shape->c) + 1;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++)
            for (int j = 0; j < shape->ow;) {
                const size_t count = least((size_t)(shape->ow - j), BLOCK - p.filled);
                fill(shape, x + (size_t)n * (size_t)(shape->h * shape->w * shape->c), i, j, count, &p);
                if (p.filled == BLOCK) add_block(&p);
                j += (int)count;
            }
    add_block(&p);
    for (size_t i = 0; i < p.count; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t lane = 0; lane < LANES; lane++) sum += p.sums[i][j][lane];
            products[i * p.count + j] = products[j * p.count + i] = sum;
        }
}

void DCNN_SIMD_NAME(dcnn_register_patches)(dcnn_kernels *table) {
    table->patch_products = patch_products;
}
