/* SPDX-License-Identifier: BSD-3-Clause */
/* reference.c — vectors, matrices, BatchNormalization and images in plain loops: the definition of right. */
#include <math.h>

#include "kernels/bf16.h"
#include "kernels/register.h"
#include "base/largest.h"

/* --- vectors ------------------------------------------------------------------------------------------------------ */

static void add(size_t count, const float *a, const float *b, float *sum) {
    for (size_t i = 0; i < count; i++) sum[i] = a[i] + b[i];
}

static void relu_forward(size_t count, const float *x, float *y) {
    for (size_t i = 0; i < count; i++) y[i] = x[i] < 0 ? 0 : x[i]; /* this way round, a NaN passes */
}

static void relu_backward(size_t count, const float *y, const float *dy, float *dx) {
    for (size_t i = 0; i < count; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
}

static void sigmoid_forward(size_t count, const float *x, float *y) {
    for (size_t i = 0; i < count; i++) y[i] = (float)(1.0 / (1.0 + exp(-(double)x[i])));
}

static void sigmoid_backward(size_t count, const float *y, const float *dy, float *dx) {
    for (size_t i = 0; i < count; i++) dx[i] = (float)((double)dy[i] * y[i] * (1.0 - (double)y[i]));
}

static void tanh_forward(size_t count, const float *x, float *y) {
    for (size_t i = 0; i < count; i++) y[i] = (float)tanh((double)x[i]);
}

static void tanh_backward(size_t count, const float *y, const float *dy, float *dx) {
    for (size_t i = 0; i < count; i++) dx[i] = (float)((double)dy[i] * (1.0 - (double)y[i] * y[i]));
}

/* Moves both moments by one gradient; Adam's change of the parameter. */
static double adam_change(const dcnn_adam_step *step, float gradient, float *m, float *v) {
    const double g = (double)step->gradient_scale * gradient;
    const double new_m = *m + (1.0 - (double)step->beta1) * (g - *m);
    const double new_v = *v + (1.0 - (double)step->beta2) * (g * g - *v);
    *m = (float)new_m;
    *v = (float)new_v;
    return step->alpha * new_m / (sqrt(new_v) + step->epsilon);
}

static void adam(size_t count, const dcnn_adam_step *step, const float *gradient, float *m, float *v,
                 float *parameter) {
    for (size_t i = 0; i < count; i++)
        parameter[i] = (float)(parameter[i] - adam_change(step, gradient[i], &m[i], &v[i]));
}

static void sgd_momentum(size_t count, const dcnn_sgd_momentum_step *step, const float *gradient, float *velocity,
                         float *parameter) {
    for (size_t i = 0; i < count; i++) {
        const double g = (double)step->gradient_scale * gradient[i] + (double)step->weight_decay * parameter[i];
        const double new_velocity = (double)step->momentum * velocity[i] - step->rate * g;
        velocity[i] = (float)new_velocity;
        parameter[i] = (float)(parameter[i] + new_velocity);
    }
}

static void lamb_direction(size_t count, const dcnn_adam_step *step, float weight_decay, float *gradient, float *m,
                           float *v, const float *parameter) {
    for (size_t i = 0; i < count; i++)
        gradient[i] = (float)(adam_change(step, gradient[i], &m[i], &v[i]) + (double)weight_decay * parameter[i]);
}

static void axpy(size_t count, float rate, const float *direction, float *parameter) {
    for (size_t i = 0; i < count; i++) parameter[i] = (float)(parameter[i] - (double)rate * direction[i]);
}

static double sum_squares(size_t count, const float *x) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)x[i] * x[i];
    return sum;
}

/* --- matrices ----------------------------------------------------------------------------------------------------- */

static void sgemm(bool transpose_a, bool transpose_b, int m, int n, int k, const float *a, int lda, const float *b,
                  int ldb, float beta, float *c, int ldc) {
    for (ptrdiff_t i = 0; i < m; i++) {
        for (ptrdiff_t j = 0; j < n; j++) {
            double sum = 0;
            for (ptrdiff_t l = 0; l < k; l++)
                sum += (double)(transpose_a ? a[l * lda + i] : a[i * lda + l]) *
                       (double)(transpose_b ? b[j * ldb + l] : b[l * ldb + j]);
            float *out = &c[i * ldc + j];
            *out = (float)(beta == 0 ? sum : sum + (double)beta * *out);
        }
    }
}

static void bias(size_t rows, int columns, const float *values, dcnn_fused fused, float *y) {
    for (size_t i = 0; i < rows; i++) {
        for (int j = 0; j < columns; j++) {
            const float sum = values ? y[j] + values[j] : y[j];
            y[j] = fused == DCNN_FUSED_RELU && sum < 0 ? 0 : sum;
        }
        y += columns;
    }
}

static void column_sums(size_t rows, int columns, const float *x, float *sums) {
    for (size_t j = 0; j < (size_t)columns; j++) {
        double sum = 0;
        for (size_t i = 0; i < rows; i++) sum += x[i * (size_t)columns + j];
        sums[j] = (float)sum;
    }
}

/* --- dense layers ----------------------------------------------------------------------------------------------- */

static size_t dense_scratch(int rows, int in, int units) {
    (void)rows, (void)in, (void)units;
    return 0;
}

static size_t dense_packed(int in, int units) {
    (void)in, (void)units;
    return 0;
}

static void dense_pack(int in, int units, const float *w, float *packed, int part, int parts) {
    (void)in, (void)units, (void)w, (void)packed, (void)part, (void)parts;
}

static void dense_forward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                          const float *values, dcnn_fused fused, float *y, float *scratch) {
    (void)packed, (void)scratch;
    sgemm(false, false, rows, units, in, x, in, w, units, 0, y, units);
    bias((size_t)rows, units, values, fused, y);
}

static void dense_backward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                           const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    (void)packed, (void)scratch;
    if (dw) sgemm(true, false, in, units, rows, x, in, dy, units, 0, dw, units);
    if (dbias) column_sums((size_t)rows, units, dy, dbias);
    if (dx) sgemm(false, true, rows, in, units, dy, units, w, units, 0, dx, in);
}

/* Sum of exp(x - top) of a row. */
static double exponential_sum(int columns, const float *x, double top) {
    double sum = 0;
    for (int j = 0; j < columns; j++) sum += exp((double)x[j] - top);
    return sum;
}

static void softmax_forward(size_t rows, int columns, const float *x, float *y) {
    for (size_t i = 0; i < rows; i++) {
        const double top = x[dcnn_largest(columns, x)];
        const double sum = exponential_sum(columns, x, top);
        for (int j = 0; j < columns; j++) y[j] = (float)(exp((double)x[j] - top) / sum);
        x += columns;
        y += columns;
    }
}

static void softmax_backward(size_t rows, int columns, const float *y, const float *dy, float *dx) {
    for (size_t i = 0; i < rows; i++) {
        double dot = 0;
        for (int j = 0; j < columns; j++) dot += (double)dy[j] * (double)y[j];
        for (int j = 0; j < columns; j++) dx[j] = (float)((double)y[j] * ((double)dy[j] - dot));
        y += columns;
        dy += columns;
        dx += columns;
    }
}

static void cross_entropy(size_t rows, int classes, const float *x, const int32_t *labels, float *y, float *dx,
                          double *loss, int64_t *correct) {
    *loss = 0;
    *correct = 0;
    for (size_t i = 0; i < rows; i++) {
        const int32_t label = labels[i];
        const int best = dcnn_largest(classes, x);
        const double top = x[best], sum = exponential_sum(classes, x, top);
        *loss += log(sum) - ((double)x[label] - top);
        *correct += best == label;
        softmax_forward(1, classes, x, y);
        if (dx) {
            for (int j = 0; j < classes; j++) dx[j] = j == label ? y[j] - 1 : y[j];
            dx += classes;
        }
        x += classes;
        y += classes;
    }
}

/* --- BatchNormalization ------------------------------------------------------------------------------------------- */

static void moments(size_t rows, int channels, const float *x, double *sums) {
    for (int c = 0; c < 2 * channels; c++) sums[c] = 0;
    for (size_t i = 0; i < rows; i++) {
        for (int c = 0; c < channels; c++) {
            sums[c] += x[c];
            sums[channels + c] += (double)x[c] * (double)x[c];
        }
        x += channels;
    }
}

static void half_moments(size_t rows, int channels, const uint16_t *x, double *sums) {
    for (int c = 0; c < 2 * channels; c++) sums[c] = 0;
    for (size_t i = 0; i < rows * (size_t)channels; i++) {
        const int c = (int)(i % (size_t)channels);
        sums[c] += (double)bf16_widen(x[i]);
        sums[channels + c] += (double)bf16_widen(x[i]) * (double)bf16_widen(x[i]);
    }
}

static void affine(size_t rows, int channels, const float *x, const float *scale, const float *shift, float *y) {
    for (size_t i = 0; i < rows; i++) {
        for (int c = 0; c < channels; c++) y[c] = (float)((double)x[c] * scale[c] + shift[c]);
        x += channels;
        y += channels;
    }
}

static void gradient_moments(size_t rows, int channels, const float *x, const float *dy, const float *mean,
                             const float *inverse_deviation, double *sums) {
    for (int c = 0; c < 2 * channels; c++) sums[c] = 0;
    for (size_t i = 0; i < rows; i++) {
        for (int c = 0; c < channels; c++) {
            sums[c] += dy[c];
            sums[channels + c] += dy[c] * ((double)x[c] - mean[c]) * inverse_deviation[c];
        }
        x += channels;
        dy += channels;
    }
}

static void affine_backward(size_t rows, int channels, const float *x, const float *dy, const float *a, const float *b,
                            const float *e, float *dx) {
    for (size_t i = 0; i < rows; i++) {
        for (int c = 0; c < channels; c++) dx[c] = (float)((double)a[c] * dy[c] + (double)b[c] * x[c] + e[c]);
        x += channels;
        dy += channels;
        dx += channels;
    }
}

/* --- images ----------------------------------------------------------------------------------------------------- */

static void normalise(size_t pixels, int channels, const uint8_t *x, const float *scale, const float *shift, float *y) {
    for (size_t i = 0; i < pixels; i++) {
        for (int c = 0; c < channels; c++) y[c] = (float)((double)x[c] * scale[c] + shift[c]);
        x += channels;
        y += channels;
    }
}

/* `position` moved to the nearest of 0..length-1; a NaN goes to 0. */
static double clamped(double position, int length) {
    if (!(position > 0)) return 0;
    return position < length - 1 ? position : length - 1;
}

/* One pixel of x at a point between its pixels, scaled and shifted. */
static void read_point(int h, int w, int c, const uint8_t *x, double at_row, double at_column, const float *scale,
                       const float *shift, float *y) {
    const double row = clamped(at_row, h), column = clamped(at_column, w);
    const int top = (int)row, left = (int)column;
    const int bottom = top + 1 < h ? top + 1 : top, right = left + 1 < w ? left + 1 : left;
    const double down = row - top, along = column - left;
    for (int channel = 0; channel < c; channel++) {
        const double upper =
            x[(top * w + left) * c + channel] * (1 - along) + x[(top * w + right) * c + channel] * along;
        const double lower =
            x[(bottom * w + left) * c + channel] * (1 - along) + x[(bottom * w + right) * c + channel] * along;
        y[channel] = (float)((upper * (1 - down) + lower * down) * scale[channel] + shift[channel]);
    }
}

static void warp(int h, int w, int c, const uint8_t *x, const float map[6], const float *scale, const float *shift,
                 float *y) {
    for (int i = 0; i < h; i++)
        for (int j = 0; j < w; j++, y += c)
            read_point(h, w, c, x, (double)map[0] * i + (double)map[1] * j + map[2],
                       (double)map[3] * i + (double)map[4] * j + map[5], scale, shift, y);
}

static void remap(int h, int w, int c, const uint8_t *x, const float *rows, const float *columns, const float *scale,
                  const float *shift, float *y) {
    for (int i = 0; i < h * w; i++, y += c) read_point(h, w, c, x, rows[i], columns[i], scale, shift, y);
}

static void recolour(size_t pixels, int channels, const float *factor, const float *offset, const float *scale,
                     const float *shift, float *y) {
    for (size_t i = 0; i < pixels; i++, y += channels) {
        double values[3] = {0};
        for (int c = 0; c < channels; c++) {
            double value = offset[c];
            if (channels == 3)
                for (int from = 0; from < 3; from++) value += (double)factor[3 * c + from] * y[from];
            else
                value += (double)factor[c] * y[c];
            value = fmin(fmax(value, 0), 255) * scale[c] + shift[c];
            if (channels == 3)
                values[c] = value; /* the others still read this pixel */
            else
                y[c] = (float)value;
        }
        for (int c = 0; channels == 3 && c < 3; c++) y[c] = (float)values[c];
    }
}

static void probe(size_t rounds, float a, float b, float *c) {
    for (int i = 0; i < DCNN_PROBE; i++)
        for (size_t round = 0; round < rounds; round++) c[i] = c[i] * a + b;
}

void dcnn_register_reference(dcnn_kernels *table) {
    table->add = add;
    table->relu_forward = relu_forward;
    table->relu_backward = relu_backward;
    table->sigmoid_forward = sigmoid_forward;
    table->sigmoid_backward = sigmoid_backward;
    table->tanh_forward = tanh_forward;
    table->tanh_backward = tanh_backward;
    table->adam = adam;
    table->sgd_momentum = sgd_momentum;
    table->lamb_direction = lamb_direction;
    table->axpy = axpy;
    table->sum_squares = sum_squares;
    table->sgemm = sgemm;
    table->bias = bias;
    table->column_sums = column_sums;
    table->dense_scratch = dense_scratch;
    table->dense_packed = dense_packed;
    table->dense_pack = dense_pack;
    table->dense_forward = dense_forward;
    table->dense_backward = dense_backward;
    table->softmax_forward = softmax_forward;
    table->softmax_backward = softmax_backward;
    table->cross_entropy = cross_entropy;
    table->moments = moments;
    table->half_moments = half_moments;
    table->affine = affine;
    table->gradient_moments = gradient_moments;
    table->affine_backward = affine_backward;
    table->normalise = normalise;
    table->warp = warp;
    table->remap = remap;
    table->recolour = recolour;
    table->probe = probe;
}
