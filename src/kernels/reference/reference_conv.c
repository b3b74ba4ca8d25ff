/* SPDX-License-Identifier: BSD-3-Clause */
/* reference_conv.c — convolution and pooling in plain loops: the definition of right.
 *
 * Every kernel here gathers: each output value is one sum, made in double and written once. */
#include <math.h>
#include <string.h>

#include "kernels/register.h"

/* Offset of pixel (row, column) of image n in [n,height,width,depth]. */
static size_t pixel(int n, int row, int column, int height, int width, int depth) {
    return (((size_t)n * (size_t)height + (size_t)row) * (size_t)width + (size_t)column) * (size_t)depth;
}

static bool inside(int row, int column, int height, int width) {
    return row >= 0 && row < height && column >= 0 && column < width;
}

/* The output position whose window, at its cell `cell`, lies over input position `position`; -1 if there is none. */
static int output_over(int position, int pad, int cell, int stride, int count) {
    const int distance = position + pad - cell;
    if (distance < 0 || distance % stride != 0 || distance / stride >= count) return -1;
    return distance / stride;
}

/* --- convolution -------------------------------------------------------------------------------------------------- */

static size_t filter_at(const dcnn_conv *shape, int r, int s, int c) {
    return (((size_t)r * (size_t)shape->s + (size_t)s) * (size_t)shape->c + (size_t)c) * (size_t)shape->k;
}

/* One input value behind the affine map, a zero outside the image. */
static double input_at(const dcnn_conv *shape, const float *x, const float *scale, const float *shift, int n, int row,
                       int column, int c) {
    if (!inside(row, column, shape->h, shape->w)) return 0;
    const double value = x[pixel(n, row, column, shape->h, shape->w, shape->c) + (size_t)c];
    return scale ? value * scale[c] + shift[c] : value;
}

/* One output value of the convolution, without bias. */
static double product_at(const dcnn_conv *shape, const float *x, const float *scale, const float *shift, const float *w,
                         int n, int i, int j, int k) {
    const int row = i * shape->stride_h - shape->pad_h, column = j * shape->stride_w - shape->pad_w;
    double sum = 0;
    for (int r = 0; r < shape->r; r++)
        for (int s = 0; s < shape->s; s++)
            for (int c = 0; c < shape->c; c++)
                sum += input_at(shape, x, scale, shift, n, row + r, column + s, c) *
                       w[filter_at(shape, r, s, c) + (size_t)k];
    return sum;
}

static size_t conv_scratch(const dcnn_conv *shape) {
    (void)shape;
    return 0;
}

static size_t conv_packed(const dcnn_conv *shape) {
    return filter_at(shape, shape->r, 0, 0);
}

static void conv_pack(const dcnn_conv *shape, const float *w, float *packed, int part, int parts) {
    const size_t count = conv_packed(shape);
    const size_t begin = count * (size_t)part / (size_t)parts, end = count * (size_t)(part + 1) / (size_t)parts;
    memcpy(packed + begin, w + begin, (end - begin) * sizeof(float));
}

static void conv_forward(const dcnn_conv *shape, const float *x, const float *packed, const float *bias,
                         dcnn_fused fused, float *y, float *scratch) {
    (void)scratch;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++)
            for (int j = 0; j < shape->ow; j++)
                for (int k = 0; k < shape->k; k++) {
                    const double sum = product_at(shape, x, NULL, NULL, packed, n, i, j, k) + (bias ? bias[k] : 0);
                    *y++ = (float)(fused == DCNN_FUSED_RELU && sum < 0 ? 0 : sum);
                }
}

static double input_gradient_at(const dcnn_conv *shape, const float *dy, const float *w, int n, int row, int column,
                                int c) {
    double sum = 0;
    for (int r = 0; r < shape->r; r++)
        for (int s = 0; s < shape->s; s++) {
            const int i = output_over(row, shape->pad_h, r, shape->stride_h, shape->oh);
            const int j = output_over(column, shape->pad_w, s, shape->stride_w, shape->ow);
            if (i < 0 || j < 0) continue;
            const float *from = dy + pixel(n, i, j, shape->oh, shape->ow, shape->k);
            const float *filter = w + filter_at(shape, r, s, c);
            for (int k = 0; k < shape->k; k++) sum += (double)from[k] * (double)filter[k];
        }
    return sum;
}

static void conv_backward_input(const dcnn_conv *shape, const float *dy, const float *packed, float *dx,
                                float *scratch) {
    (void)scratch;
    for (int n = 0; n < shape->n; n++)
        for (int row = 0; row < shape->h; row++)
            for (int column = 0; column < shape->w; column++)
                for (int c = 0; c < shape->c; c++)
                    *dx++ = (float)input_gradient_at(shape, dy, packed, n, row, column, c);
}

static double filter_gradient_at(const dcnn_conv *shape, const float *x, const float *dy, int r, int s, int c, int k) {
    double sum = 0;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++)
            for (int j = 0; j < shape->ow; j++)
                sum += input_at(shape, x, NULL, NULL, n, i * shape->stride_h - shape->pad_h + r,
                                j * shape->stride_w - shape->pad_w + s, c) *
                       dy[pixel(n, i, j, shape->oh, shape->ow, shape->k) + (size_t)k];
    return sum;
}

static void conv_backward_filter(const dcnn_conv *shape, const float *x, const float *dy, float *dw, float *dbias,
                                 float *scratch) {
    (void)scratch;
    for (int r = 0; r < shape->r; r++)
        for (int s = 0; s < shape->s; s++)
            for (int c = 0; c < shape->c; c++)
                for (int k = 0; k < shape->k; k++) *dw++ = (float)filter_gradient_at(shape, x, dy, r, s, c, k);
    const size_t positions = (size_t)shape->n * (size_t)shape->oh * (size_t)shape->ow;
    for (size_t k = 0; dbias && k < (size_t)shape->k; k++) {
        double sum = 0;
        for (size_t i = 0; i < positions; i++) sum += dy[i * (size_t)shape->k + k];
        dbias[k] = (float)sum;
    }
}

static void conv_backward(const dcnn_conv *shape, const float *x, const float *packed, const float *dy, float *dx,
                          float *dw, float *dbias, float *scratch) {
    if (dw != NULL) conv_backward_filter(shape, x, dy, dw, dbias, scratch);
    if (dx != NULL) conv_backward_input(shape, dy, packed, dx, scratch);
}

/* Not in fp32: so only its own test calls what is below. */
static bool conv_halves(const dcnn_conv *shape) {
    (void)shape;
    return false;
}

static void conv_relu_backward(const dcnn_conv *shape, const float *x, const float *packed, const float *y,
                               const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    const size_t count = (size_t)shape->n * (size_t)shape->oh * (size_t)shape->ow * (size_t)shape->k;
    for (size_t i = 0; i < count; i++) scratch[i] = y[i] > 0.0f ? dy[i] : 0.0f;
    conv_backward(shape, x, packed, scratch, dx, dw, dbias, NULL);
}

/* --- convolution + bias + ReLU + MaxPooling 2x2 ------------------------------------------------------------------- */

static bool conv_pool_fits(const dcnn_conv *shape) {
    return shape->oh >= 2 && shape->ow >= 2;
}

static size_t conv_pool_scratch(const dcnn_conv *shape) {
    (void)shape;
    return 0;
}

/* The mean of a window's cells behind the ReLU, and a bit for each that is open. */
static float mean_of_window(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                            const float *packed, const float *bias, int n, int i, int j, int k, uint8_t *code) {
    double sum = 0;
    *code = 0;
    for (int cell = 0; cell < 4; cell++) {
        const double value =
            bias[k] + product_at(shape, x, in_scale, in_shift, packed, n, 2 * i + cell / 2, 2 * j + cell % 2, k);
        if (value <= 0) continue;
        sum += value;
        *code = (uint8_t)(*code | 1 << cell);
    }
    return (float)(sum / 4);
}

static void conv_pool_forward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                              const float *packed, const float *bias, float *y, uint8_t *argmax, float *scratch) {
    (void)scratch;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh / 2; i++)
            for (int j = 0; j < shape->ow / 2; j++)
                for (int k = 0; k < shape->k; k++) {
                    double best = 0;
                    int first = 0;
                    uint8_t code;
                    if (shape->mean) {
                        *y++ = mean_of_window(shape, x, in_scale, in_shift, packed, bias, n, i, j, k, &code);
                        if (argmax) *argmax++ = code;
                        continue;
                    }
                    for (int cell = 0; cell < 4; cell++) {
                        const double value =
                            product_at(shape, x, in_scale, in_shift, packed, n, 2 * i + cell / 2, 2 * j + cell % 2, k);
                        if (cell > 0 && !(value > best || isnan(value))) continue;
                        best = value;
                        first = cell;
                    }
                    best += bias[k];
                    *y = (float)(best < 0 ? 0 : best);
                    if (argmax) *argmax++ = (uint8_t)(*y == 0 ? DCNN_SHUT : first);
                    y++;
                }
}

/* The gradient of convolution output (i, j, k): dy of its window if it is that window's argmax, or of a mean's a
 * quarter if it is open, else 0. */
static double unpooled_at(const dcnn_conv *shape, const uint8_t *argmax, const float *dy, int n, int i, int j, int k) {
    const int rows = shape->oh / 2, columns = shape->ow / 2;
    if (i < 0 || j < 0 || i >= 2 * rows || j >= 2 * columns) return 0;
    const size_t at = pixel(n, i / 2, j / 2, rows, columns, shape->k) + (size_t)k;
    const int cell = i % 2 * 2 + j % 2;
    if (shape->mean) return argmax[at] >> cell & 1 ? dy[at] / 4.0 : 0;
    return argmax[at] == cell ? dy[at] : 0;
}

static double pooled_filter_gradient_at(const dcnn_conv *shape, const float *x, const float *scale, const float *shift,
                                        const uint8_t *argmax, const float *dy, int r, int s, int c, int k) {
    double sum = 0;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++)
            for (int j = 0; j < shape->ow; j++)
                sum += unpooled_at(shape, argmax, dy, n, i, j, k) * input_at(shape, x, scale, shift, n,
                                                                             i * shape->stride_h - shape->pad_h + r,
                                                                             j * shape->stride_w - shape->pad_w + s, c);
    return sum;
}

static double pooled_input_gradient_at(const dcnn_conv *shape, const float *w, const uint8_t *argmax, const float *dy,
                                       int n, int row, int column, int c) {
    double sum = 0;
    for (int r = 0; r < shape->r; r++)
        for (int s = 0; s < shape->s; s++) {
            const int i = output_over(row, shape->pad_h, r, shape->stride_h, shape->oh);
            const int j = output_over(column, shape->pad_w, s, shape->stride_w, shape->ow);
            const float *filter = w + filter_at(shape, r, s, c);
            for (int k = 0; k < shape->k; k++) sum += unpooled_at(shape, argmax, dy, n, i, j, k) * filter[k];
        }
    return sum;
}

static void conv_pool_backward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                               const float *packed, const uint8_t *argmax, const float *dy, float *dx, float *dw,
                               float *dbias, float *scratch) {
    (void)scratch;
    for (int r = 0; r < shape->r; r++)
        for (int s = 0; s < shape->s; s++)
            for (int c = 0; c < shape->c; c++)
                for (int k = 0; k < shape->k; k++)
                    *dw++ = (float)pooled_filter_gradient_at(shape, x, in_scale, in_shift, argmax, dy, r, s, c, k);
    for (int k = 0; k < shape->k; k++) {
        double sum = 0;
        for (int n = 0; n < shape->n; n++)
            for (int i = 0; i < shape->oh; i++)
                for (int j = 0; j < shape->ow; j++) sum += unpooled_at(shape, argmax, dy, n, i, j, k);
        dbias[k] = (float)sum;
    }
    for (int n = 0; dx && n < shape->n; n++)
        for (int row = 0; row < shape->h; row++)
            for (int column = 0; column < shape->w; column++)
                for (int c = 0; c < shape->c; c++)
                    *dx++ = (float)pooled_input_gradient_at(shape, packed, argmax, dy, n, row, column, c);
}

/* --- convolution + bias + MaxPooling of any window ---------------------------------------------------------------- */

static bool conv_max_fits(const dcnn_conv *shape, const dcnn_pool *pool) {
    (void)shape;
    return pool->r * pool->s <= UINT8_MAX;
}

static size_t conv_max_scratch(const dcnn_conv *shape, const dcnn_pool *pool) {
    (void)pool;
    return conv_scratch(shape);
}

static size_t conv_max_packed(const dcnn_conv *shape, const dcnn_pool *pool) {
    (void)pool;
    return conv_packed(shape);
}

static void conv_max_pack(const dcnn_conv *shape, const dcnn_pool *pool, const float *w, float *packed, int part,
                          int parts) {
    (void)pool;
    conv_pack(shape, w, packed, part, parts);
}

/* The first largest cell of each window, or with a sign of -1 the first smallest. */
static void pool_products(const dcnn_conv *shape, const dcnn_pool *pool, const float *x, const float *in_scale,
                          const float *in_shift, const float *packed, const float *bias, double sign, float *y,
                          uint8_t *argmax) {
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < pool->oh; i++)
            for (int j = 0; j < pool->ow; j++)
                for (int k = 0; k < shape->k; k++) {
                    double best = 0;
                    int first = -1;
                    for (int cell = 0; cell < pool->r * pool->s; cell++) {
                        const int row = i * pool->stride_h - pool->pad_h + cell / pool->s;
                        const int column = j * pool->stride_w - pool->pad_w + cell % pool->s;
                        if (!inside(row, column, shape->oh, shape->ow)) continue;
                        const double value = sign * product_at(shape, x, in_scale, in_shift, packed, n, row, column, k);
                        if (first >= 0 && !(value > best || isnan(value))) continue;
                        best = value;
                        first = cell;
                    }
                    *y++ = (float)(sign * best + (bias ? bias[k] : 0));
                    if (argmax) *argmax++ = (uint8_t)first;
                }
}

static void conv_max_forward(const dcnn_conv *shape, const dcnn_pool *pool, const float *x, const float *in_scale,
                             const float *in_shift, const float *packed, const float *bias, float *y, uint8_t *argmax,
                             float *scratch) {
    (void)scratch;
    pool_products(shape, pool, x, in_scale, in_shift, packed, bias, 1, y, argmax);
}

static void conv_extremes_forward(const dcnn_conv *shape, const dcnn_pool *pool, const float *x, const float *in_scale,
                                  const float *in_shift, const float *packed, const float *bias, float *y,
                                  uint8_t *argmax, float *scratch) {
    (void)scratch;
    const size_t plane = (size_t)(pool->n * pool->oh * pool->ow) * (size_t)shape->k;
    pool_products(shape, pool, x, in_scale, in_shift, packed, bias, 1, y, argmax);
    pool_products(shape, pool, x, in_scale, in_shift, packed, bias, -1, y + plane, argmax ? argmax + plane : NULL);
}

/* What a window's dy adds: to dw through the inputs under its cell, to dx through the filter over it. */
static void conv_max_backward(const dcnn_conv *shape, const dcnn_pool *pool, const float *x, const float *in_scale,
                              const float *in_shift, const float *packed, const uint8_t *argmax, const float *dy,
                              float *dx, float *dw, float *dbias, float *scratch) {
    (void)scratch;
    const size_t filter = (size_t)shape->c * (size_t)shape->k;
    if (dx) memset(dx, 0, (size_t)shape->n * (size_t)(shape->h * shape->w * shape->c) * sizeof *dx);
    if (dw) memset(dw, 0, (size_t)(shape->r * shape->s) * filter * sizeof *dw);
    if (dbias) memset(dbias, 0, (size_t)shape->k * sizeof *dbias);
    for (int n = 0; n < shape->n; n++)
        for (int window = 0; window < pool->oh * pool->ow; window++)
            for (int k = 0; k < shape->k; k++, dy++, argmax++) {
                const int i = window / pool->ow * pool->stride_h - pool->pad_h + *argmax / pool->s;
                const int j = window % pool->ow * pool->stride_w - pool->pad_w + *argmax % pool->s;
                if (*dy == 0) continue;
                if (dbias) dbias[k] += *dy;
                for (int tap = 0; tap < shape->r * shape->s; tap++) {
                    const int row = i * shape->stride_h - shape->pad_h + tap / shape->s;
                    const int column = j * shape->stride_w - shape->pad_w + tap % shape->s;
                    if (!inside(row, column, shape->h, shape->w)) continue;
                    const size_t at = pixel(n, row, column, shape->h, shape->w, shape->c);
                    for (int c = 0; c < shape->c; c++) {
                        const size_t weight = filter_at(shape, tap / shape->s, tap % shape->s, c) + (size_t)k;
                        if (dx) dx[at + (size_t)c] += *dy * packed[weight];
                        if (dw) dw[weight] += *dy * (float)input_at(shape, x, in_scale, in_shift, n, row, column, c);
                    }
                }
            }
}

/* --- pooling ------------------------------------------------------------------------------------------------------ */

static void max_pool_forward(const dcnn_pool *shape, const float *x, float *y, uint16_t *argmax) {
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++)
            for (int j = 0; j < shape->ow; j++)
                for (int c = 0; c < shape->c; c++) {
                    float best = -INFINITY;
                    int first = -1;
                    for (int cell = 0; cell < shape->r * shape->s; cell++) {
                        const int row = i * shape->stride_h - shape->pad_h + cell / shape->s;
                        const int column = j * shape->stride_w - shape->pad_w + cell % shape->s;
                        if (!inside(row, column, shape->h, shape->w)) continue;
                        const float value = x[pixel(n, row, column, shape->h, shape->w, shape->c) + (size_t)c];
                        if (first >= 0 && !(value > best || isnan(value))) continue;
                        best = value;
                        first = cell;
                    }
                    *y++ = best;
                    if (argmax) *argmax++ = (uint16_t)first;
                }
}

static double max_pool_gradient_at(const dcnn_pool *shape, const uint16_t *argmax, const float *dy, int n, int row,
                                   int column, int c) {
    double sum = 0;
    for (int cell = 0; cell < shape->r * shape->s; cell++) {
        const int i = output_over(row, shape->pad_h, cell / shape->s, shape->stride_h, shape->oh);
        const int j = output_over(column, shape->pad_w, cell % shape->s, shape->stride_w, shape->ow);
        if (i < 0 || j < 0) continue;
        const size_t at = pixel(n, i, j, shape->oh, shape->ow, shape->c) + (size_t)c;
        if (argmax[at] == cell) sum += dy[at];
    }
    return sum;
}

static void max_pool_backward(const dcnn_pool *shape, const uint16_t *argmax, const float *dy, float *dx) {
    for (int n = 0; n < shape->n; n++)
        for (int row = 0; row < shape->h; row++)
            for (int column = 0; column < shape->w; column++)
                for (int c = 0; c < shape->c; c++)
                    *dx++ = (float)max_pool_gradient_at(shape, argmax, dy, n, row, column, c);
}

/* How many of a window's `cells` along one side lie inside the image. */
static int cells_inside(int output, int stride, int pad, int cells, int length) {
    int count = 0;
    for (int cell = 0; cell < cells; cell++) {
        const int position = output * stride - pad + cell;
        count += position >= 0 && position < length;
    }
    return count;
}

static double window_cells(const dcnn_pool *shape, int i, int j) {
    return cells_inside(i, shape->stride_h, shape->pad_h, shape->r, shape->h) *
           cells_inside(j, shape->stride_w, shape->pad_w, shape->s, shape->w);
}

static void average_pool_forward(const dcnn_pool *shape, const float *x, float *y) {
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++)
            for (int j = 0; j < shape->ow; j++)
                for (int c = 0; c < shape->c; c++) {
                    double sum = 0;
                    for (int cell = 0; cell < shape->r * shape->s; cell++) {
                        const int row = i * shape->stride_h - shape->pad_h + cell / shape->s;
                        const int column = j * shape->stride_w - shape->pad_w + cell % shape->s;
                        if (inside(row, column, shape->h, shape->w))
                            sum += x[pixel(n, row, column, shape->h, shape->w, shape->c) + (size_t)c];
                    }
                    *y++ = (float)(sum / window_cells(shape, i, j));
                }
}

static double average_pool_gradient_at(const dcnn_pool *shape, const float *dy, int n, int row, int column, int c) {
    double sum = 0;
    for (int cell = 0; cell < shape->r * shape->s; cell++) {
        const int i = output_over(row, shape->pad_h, cell / shape->s, shape->stride_h, shape->oh);
        const int j = output_over(column, shape->pad_w, cell % shape->s, shape->stride_w, shape->ow);
        if (i < 0 || j < 0) continue;
        sum += dy[pixel(n, i, j, shape->oh, shape->ow, shape->c) + (size_t)c] / window_cells(shape, i, j);
    }
    return sum;
}

static void average_pool_backward(const dcnn_pool *shape, const float *dy, float *dx) {
    for (int n = 0; n < shape->n; n++)
        for (int row = 0; row < shape->h; row++)
            for (int column = 0; column < shape->w; column++)
                for (int c = 0; c < shape->c; c++)
                    *dx++ = (float)average_pool_gradient_at(shape, dy, n, row, column, c);
}

void dcnn_register_reference_conv(dcnn_kernels *table) {
    table->conv_scratch = conv_scratch;
    table->conv_packed = conv_packed;
    table->conv_pack = conv_pack;
    table->conv_forward = conv_forward;
    table->conv_backward_input = conv_backward_input;
    table->conv_backward_filter = conv_backward_filter;
    table->conv_backward = conv_backward;
    table->conv_halves = conv_halves;
    table->conv_relu_backward = conv_relu_backward;
    table->conv_pool_fits = conv_pool_fits;
    table->conv_pool_scratch = conv_pool_scratch;
    table->conv_pool_packed = conv_packed;
    table->conv_pool_pack = conv_pack;
    table->conv_pool_forward = conv_pool_forward;
    table->conv_pool_backward = conv_pool_backward;
    table->conv_max_fits = conv_max_fits;
    table->conv_max_scratch = conv_max_scratch;
    table->conv_max_packed = conv_max_packed;
    table->conv_max_pack = conv_max_pack;
    table->conv_max_forward = conv_max_forward;
    table->conv_extremes_forward = conv_extremes_forward;
    table->conv_max_backward = conv_max_backward;
    table->max_pool_forward = max_pool_forward;
    table->max_pool_backward = max_pool_backward;
    table->average_pool_forward = average_pool_forward;
    table->average_pool_backward = average_pool_backward;
}
