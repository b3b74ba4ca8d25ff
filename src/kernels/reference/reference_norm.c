/* SPDX-License-Identifier: BSD-3-Clause */
/* reference_norm.c — BatchNormalization, ReLU and MaxPooling in one pass, and what a BatchNormalization takes of a
 * convolution's inputs, in plain loops. */
#include <math.h>

#include "kernels/bf16.h"
#include "kernels/register.h"

/* Number i of x, or of y and dy. */
static float x_at(const dcnn_pool *shape, const float *x, size_t i) {
    return bf16_read(x, shape->x_half, i);
}

static float y_at(const dcnn_pool *shape, const float *y, size_t i) {
    return bf16_read(y, shape->y_half, i);
}

/* Where a cell of an output's window lies in x. */
static size_t cell_of(const dcnn_pool *shape, int n, int i, int j, int cell, int c) {
    const int row = i * shape->r + cell / shape->s, column = j * shape->s + cell % shape->s;
    return (((size_t)n * (size_t)shape->h + (size_t)row) * (size_t)shape->w + (size_t)column) * (size_t)shape->c +
           (size_t)c;
}

static void norm_relu_forward(const dcnn_pool *shape, const float *x, const float *scale, const float *shift, float *y,
                              uint8_t *argmax) {
    size_t at = 0;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++)
            for (int j = 0; j < shape->ow; j++)
                for (int c = 0; c < shape->c; c++, at++) {
                    float best = 0.0f;
                    int first = DCNN_SHUT;
                    for (int cell = 0; cell < shape->r * shape->s; cell++) {
                        const float value = x_at(shape, x, cell_of(shape, n, i, j, cell, c)) * scale[c] + shift[c];
                        const bool starts = shape->linear && cell == 0;
                        if (!starts && !(value > best) && !isnan(value)) continue;
                        best = value;
                        first = cell;
                    }
                    bf16_write(y, shape->y_half, at, best);
                    if (argmax) argmax[at] = (uint8_t)first;
                }
}

/* The gradient of one cell of x: dy where its window is open and it is the largest. */
static float gradient_at(const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,
                         const float *scale, const float *shift, int n, int row, int column, int c) {
    const int i = row / shape->r, j = column / shape->s;
    if (i >= shape->oh || j >= shape->ow) return 0.0f;
    const size_t out =
        (((size_t)n * (size_t)shape->oh + (size_t)i) * (size_t)shape->ow + (size_t)j) * (size_t)shape->c + (size_t)c;
    const int cell = row % shape->r * shape->s + column % shape->s;
    if (shape->r * shape->s > 1) return argmax[out] == cell ? y_at(shape, dy, out) : 0.0f;
    const bool open = shape->linear || x_at(shape, x, cell_of(shape, n, i, j, 0, c)) * scale[c] + shift[c] > 0.0f;
    return open ? y_at(shape, dy, out) : 0.0f;
}

static void norm_relu_sums(const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,
                           const float *scale, const float *shift, const float *mean, const float *inverse_deviation,
                           double *sums) {
    for (int c = 0; c < shape->c; c++) {
        double sum = 0, product = 0;
        size_t at = (size_t)c;
        for (int n = 0; n < shape->n; n++)
            for (int row = 0; row < shape->h; row++)
                for (int column = 0; column < shape->w; column++, at += (size_t)shape->c) {
                    const double g = (double)gradient_at(shape, x, dy, argmax, scale, shift, n, row, column, c);
                    sum += g;
                    product += g * ((double)x_at(shape, x, at) - (double)mean[c]);
                }
        sums[c] = sum;
        sums[shape->c + c] = product * (double)inverse_deviation[c];
    }
}

static void norm_relu_backward(const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,
                               const float *scale, const float *shift, const float *a, const float *b, const float *e,
                               float *dx) {
    size_t at = 0;
    for (int n = 0; n < shape->n; n++)
        for (int row = 0; row < shape->h; row++)
            for (int column = 0; column < shape->w; column++)
                for (int c = 0; c < shape->c; c++, at++)
                    bf16_write(dx, shape->x_half, at,
                               a[c] * gradient_at(shape, x, dy, argmax, scale, shift, n, row, column, c) +
                                   (b[c] * x_at(shape, x, at) + e[c]));
}

/* The inputs under the filter at output (i, j) of image n, and a 1. */
static void take_patch(const dcnn_conv *shape, const float *x, int n, int i, int j, double *patch) {
    for (int r = 0; r < shape->r; r++)
        for (int s = 0; s < shape->s; s++) {
            const int row = i * shape->stride_h - shape->pad_h + r, column = j * shape->stride_w - shape->pad_w + s;
            const bool inside = row >= 0 && row < shape->h && column >= 0 && column < shape->w;
            for (int c = 0; c < shape->c; c++)
                *patch++ = inside ? (double)x[((n * shape->h + row) * shape->w + column) * shape->c + c] : 0.0;
        }
    *patch = 1.0;
}

static void patch_products(const dcnn_conv *shape, const float *x, double *products) {
    const int count = shape->r * shape->s * shape->c + 1;
    double patch[DCNN_PATCH];
    for (int at = 0; at < count * count; at++) products[at] = 0.0;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++)
            for (int j = 0; j < shape->ow; j++) {
                take_patch(shape, x, n, i, j, patch);
                for (int at = 0; at < count * count; at++) products[at] += patch[at / count] * patch[at % count];
            }
}

void dcnn_register_reference_norm(dcnn_kernels *table) {
    table->norm_relu_forward = norm_relu_forward;
    table->norm_relu_sums = norm_relu_sums;
    table->norm_relu_backward = norm_relu_backward;
    table->patch_products = patch_products;
}
