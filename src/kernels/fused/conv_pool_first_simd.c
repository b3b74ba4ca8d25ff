/* SPDX-License-Identifier: BSD-3-Clause */
/* Convolution 3x3 + ReLU + MaxPooling or AveragePooling 2x2 of images with one channel, a net's first layer: lanes are
 * output channels.
 *
 * Forward is Winograd F(2,3) along the rows only: 24 multiplications a window instead of 36, four additions, and what
 * stands for a window's columns is a handful of numbers, made once for all output channels. F(2x2,3x3) would save
 * multiplications that its transforms then eat. A digit to 64 channels: 7.2 us, direct 8.7 (Zen 4). */
#include "kernels/fused/conv_pool_simd.h"

enum {
    POINTS = 4, /* of F(2,3) */
    AHEAD = 16, /* windows: 0.78 ms for the filter gradients of 128 digits, 0.86 with 8, 1.03 without (Zen 4) */
};

static size_t rows_of(const conv_pool_plan *plan) {
    return plan->cells / plan->columns;
}

/* Backward reads cells, forward four points for two columns; one row of cells before. */
size_t DCNN_SIMD_NAME(dcnn_conv_pool_first_scratch)(const dcnn_conv *shape) {
    const conv_pool_plan plan = plan_of(shape);
    return whole_lines(2 * plan.cells + plan.columns);
}

/* packed [k vector][filter row][point][V] */
void DCNN_SIMD_NAME(dcnn_conv_pool_first_pack)(const dcnn_conv *shape, const float *w, float *packed, size_t vector) {
    const conv_pool_plan plan = plan_of(shape);
    const simd_float half = simd_splat(0.5F);
    float *to = packed + vector * FIRST_TAPS * V;
    for (size_t r = 0; r < 3; r++, to += POINTS * V) {
        simd_float g[3];
        for (size_t s = 0; s < 3; s++) {
            g[s] = simd_take(w + (3 * r + s) * plan.k + vector * V, lanes_of(plan.k, vector));
        }
        simd_store(to, g[0]);
        simd_store(to + V, half * ((g[0] + g[2]) + g[1]));
        simd_store(to + 2 * V, half * ((g[0] + g[2]) - g[1]));
        simd_store(to + 3 * V, g[2]);
    }
}

/* One row of cells, with its padding, through the affine map; `row` may be outside the image. */
static void frame_row(const dcnn_conv *shape, size_t columns, const float *x, int row, const float *in_scale,
                      const float *in_shift, float *framed) {
    const float scale = in_scale == NULL ? 1 : in_scale[0], shift = in_scale == NULL ? 0 : in_shift[0];
    memset(framed, 0, columns * sizeof *framed);
    if (row < 0 || row >= shape->h) return;
    const float *from = x + (size_t)row * (size_t)shape->w;
    const size_t pad = (size_t)shape->pad_w, count = least((size_t)shape->w, columns - pad);
    for (size_t j = 0; j < count; j++) framed[pad + j] = __builtin_fmaf(from[j], scale, shift);
}

/* One image through the affine map, with its padding, exactly the rows and columns that pooling reads. */
static void frame_image(const dcnn_conv *shape, const conv_pool_plan *plan, const float *x, const float *in_scale,
                        const float *in_shift, float *framed) {
    for (size_t i = 0; i < rows_of(plan); i++) {
        frame_row(shape, plan->columns, x, (int)i - shape->pad_h, in_scale, in_shift, framed + i * plan->columns);
    }
}

/* The same image as [row][point][window column]: B^T d of F(2,3), B^T = (1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1). */
static void transform_image(const dcnn_conv *shape, const conv_pool_plan *plan, const float *x, const float *in_scale,
                            const float *in_shift, float *framed, float *points) {
    const size_t windows = plan->window_columns;
    for (size_t i = 0; i < rows_of(plan); i++, points += POINTS * windows) {
        frame_row(shape, plan->columns, x, (int)i - shape->pad_h, in_scale, in_shift, framed);
        for (size_t j = 0; j < windows; j++) {
            const float *d = framed + 2 * j;
            points[j] = d[0] - d[2];
            points[windows + j] = d[1] + d[2];
            points[2 * windows + j] = d[2] - d[1];
            points[3 * windows + j] = d[1] - d[3];
        }
    }
}

/* Products of a window's upper and lower outputs at one point, added to sum[0] and sum[1]; with `negative`, subtracted.
 * `points`: the first of four rows' numbers, `row` floats apart. */
static inline __attribute__((always_inline)) void add_point(const float *points, size_t row, const simd_float *tap,
                                                            const bool negative, simd_float sum[2]) {
    simd_float p[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) p[i] = simd_splat(negative ? -points[i * row] : points[i * row]);
#pragma GCC unroll 3
    for (size_t r = 0; r < 3; r++) {
        sum[0] = simd_multiply_add(p[r], tap[r * POINTS], sum[0]);
        sum[1] = simd_multiply_add(p[r + 1], tap[r * POINTS], sum[1]);
    }
}

/* The four cells of a window, A^T of its products; A^T = (1 1 1 0; 0 1 -1 -1). */
static inline void convolve_window(const float *points, size_t windows, const simd_float tap[FIRST_TAPS],
                                   simd_float cell[4]) {
    const size_t row = POINTS * windows;
    simd_float plus[2] = {simd_zero(), simd_zero()}, minus[2] = {simd_zero(), simd_zero()};
    add_point(points + windows, row, tap + 1, false, plus);
    add_point(points + 2 * windows, row, tap + 2, false, minus);
    simd_float left[2] = {plus[0] + minus[0], plus[1] + minus[1]};
    simd_float right[2] = {plus[0] - minus[0], plus[1] - minus[1]};
    add_point(points, row, tap, false, left);
    add_point(points + 3 * windows, row, tap + 3, true, right);
    cell[0] = left[0];
    cell[1] = right[0];
    cell[2] = left[1];
    cell[3] = right[1];
}

/* All windows of one image for one vector of output channels; y and argmax point at its first cell. */
static void convolve_image(const conv_pool_plan *plan, const float *points, size_t vector, const float *packed,
                           const float *bias, float *y, uint8_t *argmax) {
    const size_t at = vector * V, lanes = lanes_of(plan->k, vector), rows = rows_of(plan) / 2 - 1;
    const simd_float shift = bias == NULL ? simd_zero() : simd_take(bias + at, lanes);
    simd_float tap[FIRST_TAPS];
#pragma GCC unroll 12
    for (size_t i = 0; i < FIRST_TAPS; i++) tap[i] = simd_load(packed + (vector * FIRST_TAPS + i) * V);
    for (size_t row = 0; row < rows; row++) {
        const float *from = points + row * 2 * POINTS * plan->window_columns;
        for (size_t column = 0; column < plan->window_columns; column++) {
            const size_t to = (row * plan->window_columns + column) * plan->k + at;
            simd_float cell[4];
            convolve_window(from + column, plan->window_columns, tap, cell);
            put_window(plan, cell, shift, lanes, y + to, argmax == NULL ? NULL : argmax + to);
        }
    }
}

void DCNN_SIMD_NAME(dcnn_conv_pool_first_forward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                                  const float *in_shift, const float *packed, const float *bias,
                                                  pool_mode mode, float *y, uint8_t *argmax, float *scratch) {
    conv_pool_plan plan = plan_of(shape);
    set_mode(&plan, shape, mode);
    float *points = scratch + plan.columns;
    for (size_t image = 0; image < (size_t)shape->n; image++) {
        const size_t first = image * plan.windows * plan.k;
        transform_image(shape, &plan, x + image * (size_t)shape->h * (size_t)shape->w, in_scale, in_shift, scratch,
                        points);
        for (size_t vector = 0; vector < plan.k_vectors; vector++) {
            convolve_image(&plan, points, vector, packed, bias, y + first, argmax == NULL ? NULL : argmax + first);
        }
    }
}

/* The sums over windows of one vector of output channels: nine taps and the bias. */
typedef struct filter_sums {
    simd_float tap[TAPS], bias;
} filter_sums;

/* Adds dy / 4 times the nine pixels under each of a window's open cells. */
static inline void add_mean(const float *from, size_t columns, simd_float gradient, simd_int code, filter_sums *sums) {
    simd_float part[4];
#pragma GCC unroll 4
    for (int cell = 0; cell < 4; cell++) {
        part[cell] = part_of_mean(gradient, code, cell);
        const float *origin = from + (size_t)(cell / 2) * columns + cell % 2;
#pragma GCC unroll 9
        for (size_t tap = 0; tap < TAPS; tap++) {
            const simd_float pixel = simd_splat(origin[tap / 3 * columns + tap % 3]);
            sums->tap[tap] = simd_multiply_add(part[cell], pixel, sums->tap[tap]);
        }
    }
    sums->bias += (part[0] + part[1]) + (part[2] + part[3]);
}

/* Adds dy times the nine pixels under each lane's open cell; `from`: the window's 4x4 pixels. */
static inline void add_window(const float *from, size_t columns, simd_float gradient, simd_int code,
                              filter_sums *sums) {
    gradient = simd_select(simd_equal_int(code, simd_splat_int(DCNN_SHUT)), simd_zero(), gradient);
    sums->bias += gradient;
#if SIMD_LANES == 16 && defined(__AVX512DQ__)
    const __m512 upper =
        _mm512_insertf32x4(_mm512_castps128_ps512(_mm_loadu_ps(from)), _mm_loadu_ps(from + columns), 1);
    const __m256 lower = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + 2 * columns)),
                                              _mm_loadu_ps(from + 3 * columns), 1);
    const __m512 pixels = _mm512_insertf32x8(upper, lower, 1);
    const simd_int origin = (code >> 1) * 4 + (code & 1);
#pragma GCC unroll 9
    for (int tap = 0; tap < TAPS; tap++) {
        const simd_int place = origin + (tap / 3 * 4 + tap % 3);
        const simd_float pixel = (simd_float)_mm512_permutexvar_ps((__m512i)place, pixels);
        sums->tap[tap] = simd_multiply_add(gradient, pixel, sums->tap[tap]);
    }
#else
#pragma GCC unroll 4
    for (int32_t cell = 0; cell < 4; cell++) {
        const simd_float part = simd_select(simd_equal_int(code, simd_splat_int(cell)), gradient, simd_zero());
        const float *origin = from + (size_t)(cell / 2) * columns + cell % 2;
#pragma GCC unroll 9
        for (size_t tap = 0; tap < TAPS; tap++) {
            const simd_float pixel = simd_splat(origin[tap / 3 * columns + tap % 3]);
            sums->tap[tap] = simd_multiply_add(part, pixel, sums->tap[tap]);
        }
    }
#endif
}

/* Sums of one vector of output channels, `lanes` of them, over one image; argmax and dy at the image's first
 * window. */
static inline __attribute__((always_inline)) void add_image(const conv_pool_plan *plan, const bool mean,
                                                            const float *framed, size_t lanes, const uint8_t *argmax,
                                                            const float *dy, filter_sums *kept) {
    filter_sums sums = *kept;
    for (size_t row = 0; row < plan->windows / plan->window_columns; row++) {
        const float *from = framed + 2 * row * plan->columns;
        for (size_t column = 0; column < plan->window_columns; column++, argmax += plan->k, dy += plan->k) {
            prefetch_ahead(dy, AHEAD * plan->k * sizeof *dy);
            prefetch_ahead(argmax, AHEAD * plan->k);
            if (mean)
                add_mean(from + 2 * column, plan->columns, simd_take(dy, lanes), simd_take_bytes(argmax, lanes, 0),
                         &sums);
            else
                add_window(from + 2 * column, plan->columns, simd_take(dy, lanes), load_codes(argmax, lanes), &sums);
        }
    }
    *kept = sums;
}

void DCNN_SIMD_NAME(dcnn_conv_pool_first_filter)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                                 const float *in_shift, const uint8_t *argmax, const float *dy,
                                                 float *dw, float *dbias, float *scratch) {
    const conv_pool_plan plan = plan_of(shape);
    for (size_t image = 0; image < (size_t)shape->n; image++) {
        frame_image(shape, &plan, x + image * (size_t)shape->h * (size_t)shape->w, in_scale, in_shift, scratch);
        for (size_t vector = 0; vector < plan.k_vectors; vector++) {
            const size_t at = vector * V, lanes = lanes_of(plan.k, vector), first = image * plan.windows * plan.k + at;
            filter_sums sums = {.bias = simd_zero()};
            for (size_t tap = 0; tap < TAPS && image > 0; tap++)
                sums.tap[tap] = simd_take(dw + tap * plan.k + at, lanes);
            if (image > 0) sums.bias = simd_take(dbias + at, lanes);
            if (shape->mean)
                add_image(&plan, true, scratch, lanes, argmax + first, dy + first, &sums);
            else
                add_image(&plan, false, scratch, lanes, argmax + first, dy + first, &sums);
            for (size_t tap = 0; tap < TAPS; tap++) simd_put(dw + tap * plan.k + at, lanes, sums.tap[tap]);
            simd_put(dbias + at, lanes, sums.bias);
        }
    }
}
