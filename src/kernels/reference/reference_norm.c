/* SPDX-License-Identifier: BSD-3-Clause */
/* reference_norm.c — BatchNormalization, ReLU and MaxPooling in one pass, in plain loops. */
#include <math.h>

#include "kernels/register.h"

/* Where a cell of an output's window lies in x. */
static size_t cell_of(const dcnn_pool *shape, int n, int i, int j, int cell, int c) {
    const int row = i * shape->r + cell / shape->s, column = j * shape->s + cell % shape->s;
    return (((size_t)n * (size_t)shape->h + (size_t)row) * (size_t)shape->w + (size_t)column) * (size_t)shape->c +
           (size_t)c;
}

static void norm_relu_forward(const dcnn_pool *shape, const float *x, const float *scale, const float *shift, float *y,
                              uint8_t *argmax) {
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++)
            for (int j = 0; j < shape->ow; j++)
                for (int c = 0; c < shape->c; c++, y++) {
                    float best = 0.0f;
                    int first = DCNN_SHUT;
                    for (int cell = 0; cell < shape->r * shape->s; cell++) {
                        const float value = x[cell_of(shape, n, i, j, cell, c)] * scale[c] + shift[c];
                        if (!(value > best) && !isnan(value)) continue;
                        best = value;
                        first = cell;
                    }
                    *y = best;
                    if (argmax) *argmax++ = (uint8_t)first;
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
    if (shape->r * shape->s > 1) return argmax[out] == cell ? dy[out] : 0.0f;
    return x[cell_of(shape, n, i, j, 0, c)] * scale[c] + shift[c] > 0.0f ? dy[out] : 0.0f;
}

static void norm_relu_sums(const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,
                           const float *scale, const float *shift, const float *mean, const float *inverse_deviation,
                           double *sums) {
    for (int c = 0; c < shape->c; c++) {
        double sum = 0, product = 0;
        const float *at = x + c;
        for (int n = 0; n < shape->n; n++)
            for (int row = 0; row < shape->h; row++)
                for (int column = 0; column < shape->w; column++, at += shape->c) {
                    const double g = (double)gradient_at(shape, x, dy, argmax, scale, shift, n, row, column, c);
                    sum += g;
                    product += g * ((double)*at - (double)mean[c]);
                }
        sums[c] = sum;
        sums[shape->c + c] = product * (double)inverse_deviation[c];
    }
}

static void norm_relu_backward(const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,
                               const float *scale, const float *shift, const float *a, const float *b, const float *e,
                               float *dx) {
    const float *at = x;
    for (int n = 0; n < shape->n; n++)
        for (int row = 0; row < shape->h; row++)
            for (int column = 0; column < shape->w; column++)
                for (int c = 0; c < shape->c; c++, at++)
                    *dx++ =
                        a[c] * gradient_at(shape, x, dy, argmax, scale, shift, n, row, column, c) + (b[c] * *at + e[c]);
}

void dcnn_register_reference_norm(dcnn_kernels *table) {
    table->norm_relu_forward = norm_relu_forward;
    table->norm_relu_sums = norm_relu_sums;
    table->norm_relu_backward = norm_relu_backward;
}
