/* SPDX-License-Identifier: BSD-3-Clause */
/* activations_simd.c — exponentials in vectors: sigmoid, tanh, softmax and cross-entropy. */
#include <math.h>

#include "kernels/register.h"
#include "kernels/simd/exponential_simd.h"

static void sigmoid_forward(size_t count, const float *x, float *y) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        simd_put(y + i, lanes, 1.0f / (1.0f + exponential(-simd_take(x + i, lanes))));
    }
}

static void sigmoid_backward(size_t count, const float *y, const float *dy, float *dx) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        const simd_float value = simd_take(y + i, lanes);
        simd_put(dx + i, lanes, simd_take(dy + i, lanes) * value * (1.0f - value));
    }
}

static void tanh_forward(size_t count, const float *x, float *y) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        simd_put(y + i, lanes, hyperbolic_tangent(simd_take(x + i, lanes)));
    }
}

static void tanh_backward(size_t count, const float *y, const float *dy, float *dx) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        const simd_float value = simd_take(y + i, lanes);
        simd_put(dx + i, lanes, simd_take(dy + i, lanes) * simd_multiply_add(-value, value, simd_splat(1.0f)));
    }
}

/* Sums over a row are made in lanes of double that are the same eight whatever the instruction set has: lane l gets
 * values l and l + 8 of each sixteen, as one sum. The order is part of a run's bits. */
enum { ROW_STEP = 16, PARTS = ROW_STEP / SIMD_LANES };

typedef struct row_sum {
    simd_double part[PARTS];
} row_sum;

/* Sixteen values or products in double, lower half of each vector first. */
typedef struct sixteen {
    simd_double half[2 * PARTS];
} sixteen;

static inline void add_sixteen(row_sum *sum, const sixteen *values) {
#pragma GCC unroll 4
    for (size_t part = 0; part < PARTS; part++) sum->part[part] += values->half[part] + values->half[PARTS + part];
}

static inline double sum_lanes(const row_sum *row) {
    double sum = 0;
    for (size_t part = 0; part < PARTS; part++)
        for (size_t lane = 0; lane < SIMD_LANES / 2; lane++) sum += row->part[part][lane];
    return sum;
}

static float largest_value(size_t columns, const float *x) {
    float largest = x[0];
    for (size_t j = 1; j < columns; j++) largest = x[j] > largest ? x[j] : largest;
    return largest;
}

/* y = exp(x - top); returns the sum of y. */
static double exponentials(size_t columns, const float *x, float top, float *y) {
    row_sum sum = {0};
    for (size_t j = 0; j < columns; j += ROW_STEP) {
        sixteen values = {0};
        for (size_t part = 0; part < PARTS && j + part * SIMD_LANES < columns; part++) {
            const size_t at = j + part * SIMD_LANES, lanes = simd_lanes(columns, at);
            simd_put(y + at, lanes, exponential(simd_take(x + at, lanes) - top));
            const simd_float kept = simd_take(y + at, lanes); /* the lanes beyond the row are 0 again */
            values.half[2 * part] = simd_low_double(kept);
            values.half[2 * part + 1] = simd_high_double(kept);
        }
        add_sixteen(&sum, &values);
    }
    return sum_lanes(&sum);
}

static void scale_row(size_t columns, float scale, float *y) {
    for (size_t j = 0; j < columns; j += SIMD_LANES) {
        const size_t lanes = simd_lanes(columns, j);
        simd_put(y + j, lanes, simd_take(y + j, lanes) * scale);
    }
}

static void softmax_forward(size_t rows, int columns, const float *x, float *y) {
    const size_t count = (size_t)columns;
    for (size_t i = 0; i < rows; i++) {
        const double sum = exponentials(count, x + i * count, largest_value(count, x + i * count), y + i * count);
        scale_row(count, (float)(1.0 / sum), y + i * count);
    }
}

static void softmax_backward(size_t rows, int columns, const float *y, const float *dy, float *dx) {
    const size_t count = (size_t)columns;
    for (size_t i = 0; i < rows; i++, y += count, dy += count, dx += count) {
        row_sum sum = {0};
        for (size_t j = 0; j < count; j += ROW_STEP) {
            sixteen values = {0};
            for (size_t part = 0; part < PARTS && j + part * SIMD_LANES < count; part++) {
                const size_t at = j + part * SIMD_LANES, lanes = simd_lanes(count, at);
                const simd_float a = simd_take(y + at, lanes), b = simd_take(dy + at, lanes);
                values.half[2 * part] = simd_low_double(a) * simd_low_double(b);
                values.half[2 * part + 1] = simd_high_double(a) * simd_high_double(b);
            }
            add_sixteen(&sum, &values);
        }
        const float dot = (float)sum_lanes(&sum);
        for (size_t j = 0; j < count; j += SIMD_LANES) {
            const size_t lanes = simd_lanes(count, j);
            simd_put(dx + j, lanes, simd_take(y + j, lanes) * (simd_take(dy + j, lanes) - dot));
        }
    }
}

/* log x for a normal x > 0, within a unit in the last place, by fdlibm's __ieee754_log (Sun Microsystems, 1993): libm's
 * differs from version to version and with the CPU. */
static double logarithm(double x) {
    int power;
    double fraction = frexp(x, &power); /* 0.5 to 1 */
    if (!isfinite(x) || x <= 0.0) return log(x);
    if (fraction < 0.70710678118654752440) {
        fraction *= 2.0;
        power--;
    }
    const double f = fraction - 1.0, s = f / (2.0 + f), z = s * s, w = z * z, half = 0.5 * f * f;
    const double even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    const double odd =
        z * (6.666666666666735130e-01 +
             w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    const double upper = power * 6.93147180369123816490e-01, lower = power * 1.90821492927058770002e-10; /* of log 2 */
    return upper - ((half - (s * (half + (odd + even)) + lower)) - f);
}

/* Is `label` the first of the values that equal `top`? */
static bool is_first_largest(const float *x, int32_t label, float top) {
    for (int32_t j = 0; j < label; j++)
        if (x[j] == top) return false;
    return x[label] == top;
}

static void cross_entropy(size_t rows, int classes, const float *x, const int32_t *labels, float *y, float *dx,
                          double *loss, int64_t *correct) {
    const size_t count = (size_t)classes;
    *loss = 0;
    *correct = 0;
    for (size_t i = 0; i < rows; i++, x += count, y += count) {
        const int32_t label = labels[i];
        const float top = largest_value(count, x);
        const double below = (double)x[label] - (double)top;
        *correct += is_first_largest(x, label, top);
        const double sum = exponentials(count, x, top, y);
        *loss += logarithm(sum) - below;
        scale_row(count, (float)(1.0 / sum), y);
        if (dx == NULL) continue;
        float *gradient = dx + i * count;
        for (size_t j = 0; j < count; j++) gradient[j] = y[j];
        gradient[label] -= 1.0f;
    }
}

void DCNN_SIMD_NAME(dcnn_register_activations)(dcnn_kernels *table) {
    table->sigmoid_forward = sigmoid_forward;
    table->sigmoid_backward = sigmoid_backward;
    table->tanh_forward = tanh_forward;
    table->tanh_backward = tanh_backward;
    table->softmax_forward = softmax_forward;
    table->softmax_backward = softmax_backward;
    table->cross_entropy = cross_entropy;
}
