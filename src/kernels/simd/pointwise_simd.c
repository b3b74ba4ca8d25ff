/* SPDX-License-Identifier: BSD-3-Clause */
/* pointwise_simd.c — element by element and column by column: vectors, Adam, BatchNormalization, images. */
#include <math.h>

#include "kernels/register.h"
#include "kernels/simd/halves_simd.h"

/* Vectors of columns that one walk down the rows sums: as many as their double accumulators leave registers for. */
enum { TILE = SIMD_REGISTERS / 8 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* --- vectors ---------------------------------------------------------------------------------------------------- */

static void add(size_t count, const float *a, const float *b, float *sum) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        simd_put(sum + i, lanes, simd_take(a + i, lanes) + simd_take(b + i, lanes));
    }
}

static void relu_forward(size_t count, const float *x, float *y) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        simd_put(y + i, lanes, simd_max(simd_zero(), simd_take(x + i, lanes))); /* this way round, a NaN passes */
    }
}

static void relu_backward(size_t count, const float *y, const float *dy, float *dx) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        const simd_mask open = simd_greater(simd_take(y + i, lanes), simd_zero());
        simd_put(dx + i, lanes, simd_select(open, simd_take(dy + i, lanes), simd_zero()));
    }
}

/* Moves both moments of one vector by its gradient; Adam's change of the parameters. */
static inline simd_float adam_change(size_t lanes, const dcnn_adam_step *step, const float *gradient, float *m,
                                     float *v) {
    const float towards_m = 1.0f - step->beta1, towards_v = 1.0f - step->beta2;
    const simd_float g = simd_take(gradient, lanes) * step->gradient_scale;
    const simd_float old_m = simd_take(m, lanes), old_v = simd_take(v, lanes);
    const simd_float new_m = simd_scaled_sum(towards_m, g - old_m, old_m);
    const simd_float new_v = simd_scaled_sum(towards_v, simd_multiply_add(g, g, -old_v), old_v);
    simd_put(m, lanes, new_m);
    simd_put(v, lanes, new_v);
    return step->alpha * new_m / (simd_sqrt(new_v) + step->epsilon);
}

static void adam(size_t count, const dcnn_adam_step *step, const float *gradient, float *m, float *v,
                 float *parameter) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        const simd_float change = adam_change(lanes, step, gradient + i, m + i, v + i);
        simd_put(parameter + i, lanes, simd_take(parameter + i, lanes) - change);
    }
}

static void sgd_momentum(size_t count, const dcnn_sgd_momentum_step *step, const float *gradient, float *velocity,
                         float *parameter) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        const simd_float old = simd_take(parameter + i, lanes);
        const simd_float g =
            simd_scaled_sum(step->gradient_scale, simd_take(gradient + i, lanes), step->weight_decay * old);
        const simd_float moved = simd_scaled_sum(step->momentum, simd_take(velocity + i, lanes), -(step->rate * g));
        simd_put(velocity + i, lanes, moved);
        simd_put(parameter + i, lanes, old + moved);
    }
}

static void lamb_direction(size_t count, const dcnn_adam_step *step, float weight_decay, float *gradient, float *m,
                           float *v, const float *parameter) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        const simd_float direction = adam_change(lanes, step, gradient + i, m + i, v + i);
        simd_put(gradient + i, lanes, simd_scaled_sum(weight_decay, simd_take(parameter + i, lanes), direction));
    }
}

static void axpy(size_t count, float rate, const float *direction, float *parameter) {
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        simd_put(parameter + i, lanes,
                 simd_scaled_sum(-rate, simd_take(direction + i, lanes), simd_take(parameter + i, lanes)));
    }
}

/* --- matrices --------------------------------------------------------------------------------------------------- */

void DCNN_SIMD_NAME(dcnn_bias)(size_t rows, int columns, const float *bias, dcnn_fused fused, float *y) {
    const size_t count = (size_t)columns;
    if (bias == NULL) {
        if (fused == DCNN_FUSED_RELU) relu_forward(rows * count, y, y);
        return;
    }
    const simd_float floor = simd_splat(fused == DCNN_FUSED_RELU ? 0.0f : -INFINITY);
    for (size_t i = 0; i < rows; i++, y += count)
        for (size_t j = 0; j < count; j += SIMD_LANES) {
            const size_t lanes = simd_lanes(count, j);
            simd_put(y + j, lanes, simd_max(floor, simd_take(y + j, lanes) + simd_take(bias + j, lanes)));
        }
}

/* Sums of float vectors in double, in two halves. */
typedef struct wide_sum {
    simd_double low, high;
} wide_sum;

ALWAYS_INLINE void wide_add(wide_sum *sum, simd_float value) {
    sum->low += simd_low_double(value);
    sum->high += simd_high_double(value);
}

ALWAYS_INLINE void wide_store(const wide_sum *sum, size_t lanes, double *to) {
    double all[SIMD_LANES];
    simd_store_double(all, sum->low);
    simd_store_double(all + SIMD_LANES / 2, sum->high);
    memcpy(to, all, lanes * sizeof(double));
}

/* In 16 lanes whatever the instruction set has: the order of a sum is part of a run's bits. */
static double sum_squares(size_t count, const float *x) {
    enum { LANES = 16, PARTS = LANES / SIMD_LANES };
    wide_sum sums[PARTS] = {0};
    double lane_sums[LANES], sum = 0;
    for (size_t i = 0; i < count; i += LANES)
        for (size_t part = 0; part < PARTS && i + part * SIMD_LANES < count; part++) {
            const size_t at = i + part * SIMD_LANES;
            const simd_float value = simd_take(x + at, simd_lanes(count, at));
            const simd_double low = simd_low_double(value), high = simd_high_double(value);
            sums[part].low += low * low;
            sums[part].high += high * high;
        }
    for (size_t part = 0; part < PARTS; part++) wide_store(&sums[part], SIMD_LANES, lane_sums + part * SIMD_LANES);
    for (int lane = 0; lane < LANES; lane++) sum += lane_sums[lane];
    return sum;
}

/* `vectors` and, but for the last tile, `lanes` are constants at each call: the sums then live in registers. */
ALWAYS_INLINE void column_tile(size_t rows, size_t columns, const float *x, float *sums, int vectors, size_t lanes) {
    wide_sum sum[TILE] = {0};
    for (size_t i = 0; i < rows; i++, x += columns)
        for (int v = 0; v < vectors; v++) wide_add(&sum[v], simd_take(x + v * SIMD_LANES, lanes));
    for (int v = 0; v < vectors; v++) {
        double all[SIMD_LANES];
        wide_store(&sum[v], lanes, all);
        for (size_t lane = 0; lane < lanes; lane++) sums[(size_t)v * SIMD_LANES + lane] = (float)all[lane];
    }
}

void DCNN_SIMD_NAME(dcnn_column_sums)(size_t rows, int columns, const float *x, float *sums) {
    const size_t count = (size_t)columns;
    size_t j = 0;
    for (; j + TILE * SIMD_LANES <= count; j += TILE * SIMD_LANES)
        column_tile(rows, count, x + j, sums + j, TILE, SIMD_LANES);
    for (; j < count; j += SIMD_LANES) column_tile(rows, count, x + j, sums + j, 1, simd_lanes(count, j));
}

/* --- BatchNormalization ----------------------------------------------------------------------------------------- */

ALWAYS_INLINE void moments_tile(const bool half, size_t rows, size_t channels, const void *x, double *sums, int vectors,
                                size_t lanes) {
    wide_sum sum[TILE] = {0}, square[TILE] = {0};
    for (size_t i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++) {
            const simd_float value = take_numbers(x, half, i * channels + (size_t)v * SIMD_LANES, lanes);
            const simd_double low = simd_low_double(value), high = simd_high_double(value);
            sum[v].low += low;
            sum[v].high += high;
            square[v].low += low * low;
            square[v].high += high * high;
        }
    for (int v = 0; v < vectors; v++) {
        wide_store(&sum[v], lanes, sums + v * SIMD_LANES);
        wide_store(&square[v], lanes, sums + channels + v * SIMD_LANES);
    }
}

ALWAYS_INLINE void moments_of(const bool half, size_t rows, size_t count, const void *x, double *sums) {
    size_t c = 0;
    for (; c + TILE * SIMD_LANES <= count; c += TILE * SIMD_LANES)
        moments_tile(half, rows, count, bf16_at(x, half, c), sums + c, TILE, SIMD_LANES);
    for (; c < count; c += SIMD_LANES)
        moments_tile(half, rows, count, bf16_at(x, half, c), sums + c, 1, simd_lanes(count, c));
}

static void moments(size_t rows, int channels, const float *x, double *sums) {
    moments_of(false, rows, (size_t)channels, x, sums);
}

static void half_moments(size_t rows, int channels, const uint16_t *x, double *sums) {
    moments_of(true, rows, (size_t)channels, x, sums);
}

void DCNN_SIMD_NAME(dcnn_affine)(size_t rows, int channels, const float *x, const float *scale, const float *shift,
                                 float *y) {
    const size_t count = (size_t)channels;
    for (size_t i = 0; i < rows; i++, x += count, y += count)
        for (size_t c = 0; c < count; c += SIMD_LANES) {
            const size_t lanes = simd_lanes(count, c);
            const simd_float a = simd_take(scale + c, lanes), b = simd_take(shift + c, lanes);
            simd_put(y + c, lanes, simd_multiply_add(simd_take(x + c, lanes), a, b));
        }
}

ALWAYS_INLINE void gradient_moments_tile(size_t rows, size_t channels, const float *x, const float *dy,
                                         const float *mean, const float *inverse_deviation, double *sums, int vectors,
                                         size_t lanes) {
    wide_sum sum[TILE] = {0}, product[TILE] = {0};
    for (size_t i = 0; i < rows; i++, x += channels, dy += channels)
        for (int v = 0; v < vectors; v++) {
            const simd_float gradient = simd_take(dy + v * SIMD_LANES, lanes);
            const simd_float centred = simd_take(x + v * SIMD_LANES, lanes) - simd_take(mean + v * SIMD_LANES, lanes);
            wide_add(&sum[v], gradient);
            product[v].low += simd_low_double(gradient) * simd_low_double(centred);
            product[v].high += simd_high_double(gradient) * simd_high_double(centred);
        }
    for (int v = 0; v < vectors; v++) {
        const simd_float scale = simd_take(inverse_deviation + v * SIMD_LANES, lanes);
        product[v].low *= simd_low_double(scale);
        product[v].high *= simd_high_double(scale);
        wide_store(&sum[v], lanes, sums + v * SIMD_LANES);
        wide_store(&product[v], lanes, sums + channels + v * SIMD_LANES);
    }
}

static void gradient_moments(size_t rows, int channels, const float *x, const float *dy, const float *mean,
                             const float *inverse_deviation, double *sums) {
    const size_t count = (size_t)channels;
    size_t c = 0;
    for (; c + TILE * SIMD_LANES <= count; c += TILE * SIMD_LANES)
        gradient_moments_tile(rows, count, x + c, dy + c, mean + c, inverse_deviation + c, sums + c, TILE, SIMD_LANES);
    for (; c < count; c += SIMD_LANES)
        gradient_moments_tile(rows, count, x + c, dy + c, mean + c, inverse_deviation + c, sums + c, 1,
                              simd_lanes(count, c));
}

static void affine_backward(size_t rows, int channels, const float *x, const float *dy, const float *a, const float *b,
                            const float *e, float *dx) {
    const size_t count = (size_t)channels;
    for (size_t i = 0; i < rows; i++, x += count, dy += count, dx += count)
        for (size_t c = 0; c < count; c += SIMD_LANES) {
            const size_t lanes = simd_lanes(count, c);
            const simd_float base =
                simd_multiply_add(simd_take(b + c, lanes), simd_take(x + c, lanes), simd_take(e + c, lanes));
            simd_put(dx + c, lanes, simd_multiply_add(simd_take(a + c, lanes), simd_take(dy + c, lanes), base));
        }
}

/* --- images --------------------------------------------------------------------------------------------------- */

/* Scale and shift repeat every `channels` values, so with up to SIMD_LANES channels a vector's pattern repeats every
 * `channels` vectors; more channels than that go by the same patterns, one whole pixel at a time. */
static void normalise(size_t pixels, int channels, const uint8_t *x, const float *scale, const float *shift, float *y) {
    const size_t depth = (size_t)channels, count = pixels * depth;
    if (depth > SIMD_LANES) {
        for (size_t i = 0; i < count; i += depth)
            for (size_t c = 0; c < depth; c += SIMD_LANES) {
                const size_t lanes = simd_lanes(depth, c);
                const simd_float value = simd_to_float(simd_take_bytes(x + i + c, lanes, 0));
                simd_put(y + i + c, lanes,
                         simd_multiply_add(value, simd_take(scale + c, lanes), simd_take(shift + c, lanes)));
            }
        return;
    }
    float scales[SIMD_LANES * SIMD_LANES], shifts[SIMD_LANES * SIMD_LANES];
    const size_t period = depth * SIMD_LANES;
    for (size_t i = 0; i < period; i++) {
        scales[i] = scale[i % depth];
        shifts[i] = shift[i % depth];
    }
    for (size_t i = 0, phase = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        const simd_float value = simd_to_float(simd_take_bytes(x + i, lanes, 0));
        simd_put(y + i, lanes, simd_multiply_add(value, simd_load(scales + phase), simd_load(shifts + phase)));
        phase = phase + SIMD_LANES == period ? 0 : phase + SIMD_LANES;
    }
}

/* `position` moved to the nearest of 0..last; a NaN goes to 0. */
ALWAYS_INLINE simd_float clamped(simd_float position, float last) {
    position = simd_max(position, simd_zero());
    return simd_select(simd_greater(position, simd_splat(last)), simd_splat(last), position);
}

/* Where a vector of output pixels reads: offset of the upper left neighbour, and the weights of the others. */
typedef struct warp_points {
    simd_float down, along;
    simd_int offset; /* of the upper left neighbour */
} warp_points;

/* The four neighbours of each pixel of a vector. */
typedef struct warp_corners {
    simd_float upper_left, upper_right, lower_left, lower_right;
} warp_corners;

/* The upper left neighbour is never in the last row or column (but its weight may be 0): the others are then inside. */
ALWAYS_INLINE warp_points points_at(int h, int w, int c, simd_float at_row, simd_float at_column) {
    const simd_float row = clamped(at_row, (float)(h - 1)), column = clamped(at_column, (float)(w - 1));
    const simd_int top = __builtin_convertvector(clamped(row, (float)(h > 1 ? h - 2 : 0)), simd_int);
    const simd_int left = __builtin_convertvector(clamped(column, (float)(w > 1 ? w - 2 : 0)), simd_int);
    return (warp_points){row - __builtin_convertvector(top, simd_float),
                         column - __builtin_convertvector(left, simd_float), (top * w + left) * c};
}

/* One coordinate of a map: map[0] i + map[1] j + map[2]. */
ALWAYS_INLINE simd_float along_map(const float map[3], float i, simd_float j) {
    return simd_scaled_sum(map[1], j, simd_splat(__builtin_fmaf(map[0], i, map[2])));
}

ALWAYS_INLINE warp_points find_points(int h, int w, int c, const float map[6], float i, simd_float j) {
    return points_at(h, w, c, along_map(map, i, j), along_map(map + 3, i, j));
}

static inline simd_float byte_of(simd_int four, int byte) {
    return __builtin_convertvector((four >> 8 * byte) & 255, simd_float);
}

/* Of up to 3 channels four bytes hold a neighbour and the one beside it. They are read from the upper left one on, and
 * up to the lower right one, and so lie inside of an image of at least 2x2. Loading 128 digits takes 0.41 ms so, 1.07
 * ms with each read singly (AVX-512; AVX2 0.56 and 1.08). */
ALWAYS_INLINE warp_corners read_pairs(simd_int offset, const uint8_t *x, ptrdiff_t below, int c) {
    const simd_int upper = simd_gather_bytes(x, offset), lower = simd_gather_bytes(x + below + c - 3, offset);
    return (warp_corners){byte_of(upper, 0), byte_of(upper, c), byte_of(lower, 3 - c), byte_of(lower, 3)};
}

ALWAYS_INLINE warp_corners read_singly(simd_int offset, const uint8_t *x, ptrdiff_t below, ptrdiff_t beside) {
    uint8_t corner[4][SIMD_LANES];
    for (int lane = 0; lane < SIMD_LANES; lane++) {
        const uint8_t *from = x + offset[lane];
        corner[0][lane] = from[0];
        corner[1][lane] = from[beside];
        corner[2][lane] = from[below];
        corner[3][lane] = from[below + beside];
    }
    return (warp_corners){simd_to_float(simd_load_bytes(corner[0])), simd_to_float(simd_load_bytes(corner[1])),
                          simd_to_float(simd_load_bytes(corner[2])), simd_to_float(simd_load_bytes(corner[3]))};
}

ALWAYS_INLINE simd_float mix(const warp_points *points, const warp_corners *at) {
    const simd_float upper = simd_multiply_add(at->upper_right - at->upper_left, points->along, at->upper_left);
    const simd_float lower = simd_multiply_add(at->lower_right - at->lower_left, points->along, at->lower_left);
    return simd_multiply_add(lower - upper, points->down, upper);
}

/* A vector of points' pixels, all channels. */
ALWAYS_INLINE void read_points(int h, int w, int c, const uint8_t *x, const warp_points *points, size_t lanes,
                               const float *scale, const float *shift, float *to) {
    const ptrdiff_t below = h > 1 ? (ptrdiff_t)w * c : 0, beside = w > 1 ? c : 0;
    for (int channel = 0; channel < c; channel++) {
        const warp_corners corners = h > 1 && w > 1 && c <= 3 ? read_pairs(points->offset, x + channel, below, c)
                                                              : read_singly(points->offset, x + channel, below, beside);
        const simd_float value = simd_scaled_sum(scale[channel], mix(points, &corners), simd_splat(shift[channel]));
        if (c == 1)
            simd_put(to, lanes, value);
        else
            for (size_t lane = 0; lane < lanes; lane++) to[(ptrdiff_t)lane * c + channel] = value[lane];
    }
}

static void warp(int h, int w, int c, const uint8_t *x, const float map[6], const float *scale, const float *shift,
                 float *y) {
    simd_float steps;
    for (int lane = 0; lane < SIMD_LANES; lane++) steps[lane] = (float)lane;
    for (int i = 0; i < h; i++)
        for (int j = 0; j < w; j += SIMD_LANES) {
            const size_t lanes = simd_lanes((size_t)w, (size_t)j);
            const warp_points points = find_points(h, w, c, map, (float)i, steps + (float)j);
            read_points(h, w, c, x, &points, lanes, scale, shift, y + ((ptrdiff_t)i * w + j) * c);
        }
}

static void remap(int h, int w, int c, const uint8_t *x, const float *rows, const float *columns, const float *scale,
                  const float *shift, float *y) {
    const size_t count = (size_t)h * (size_t)w;
    for (size_t i = 0; i < count; i += SIMD_LANES) {
        const size_t lanes = simd_lanes(count, i);
        const warp_points points = points_at(h, w, c, simd_take(rows + i, lanes), simd_take(columns + i, lanes));
        read_points(h, w, c, x, &points, lanes, scale, shift, y + (ptrdiff_t)i * c);
    }
}

ALWAYS_INLINE simd_float in_a_byte(simd_float value) {
    const simd_float above = simd_max(value, simd_zero());
    return simd_select(simd_greater(above, simd_splat(255.0f)), simd_splat(255.0f), above);
}

/* Three channels: a vector of pixels as three vectors of channels. (gcc 12 takes `split` for aligned to a vector, which
 * it is not where AddressSanitizer puts it.) */
__attribute__((no_sanitize_address)) static void recolour_three(size_t pixels, const float *factor, const float *offset,
                                                                const float *scale, const float *shift, float *y) {
    for (size_t i = 0; i < pixels; i += SIMD_LANES, y += (size_t)3 * SIMD_LANES) {
        const size_t lanes = simd_lanes(pixels, i);
        float split[3][SIMD_LANES] = {{0}};
        for (size_t lane = 0; lane < lanes; lane++)
            for (int c = 0; c < 3; c++) split[c][lane] = y[3 * lane + (size_t)c];
        const simd_float red = simd_load(split[0]), green = simd_load(split[1]), blue = simd_load(split[2]);
        for (int c = 0; c < 3; c++, factor += 3) {
            const simd_float value = simd_scaled_sum(factor[0], red, factor[1] * green) +
                                     simd_scaled_sum(factor[2], blue, simd_splat(offset[c]));
            simd_store(split[c], simd_scaled_sum(scale[c], in_a_byte(value), simd_splat(shift[c])));
        }
        factor -= 9;
        for (size_t lane = 0; lane < lanes; lane++)
            for (int c = 0; c < 3; c++) y[3 * lane + (size_t)c] = split[c][lane];
    }
}

static void recolour(size_t pixels, int channels, const float *factor, const float *offset, const float *scale,
                     const float *shift, float *y) {
    if (channels == 3) {
        recolour_three(pixels, factor, offset, scale, shift, y);
    } else if (channels == 1) {
        for (size_t i = 0; i < pixels; i += SIMD_LANES) {
            const size_t lanes = simd_lanes(pixels, i);
            const simd_float value = simd_scaled_sum(factor[0], simd_take(y + i, lanes), simd_splat(offset[0]));
            simd_put(y + i, lanes, simd_scaled_sum(scale[0], in_a_byte(value), simd_splat(shift[0])));
        }
    } else {
        for (size_t i = 0; i < pixels; i++, y += channels)
            for (size_t j = 0; j < (size_t)channels; j += SIMD_LANES) {
                const size_t lanes = simd_lanes((size_t)channels, j);
                const simd_float value = simd_multiply_add(simd_take(y + j, lanes), simd_take(factor + j, lanes),
                                                           simd_take(offset + j, lanes));
                simd_put(y + j, lanes,
                         simd_multiply_add(in_a_byte(value), simd_take(scale + j, lanes), simd_take(shift + j, lanes)));
            }
    }
}

void DCNN_SIMD_NAME(dcnn_register_pointwise)(dcnn_kernels *table) {
    table->add = add;
    table->relu_forward = relu_forward;
    table->relu_backward = relu_backward;
    table->adam = adam;
    table->sgd_momentum = sgd_momentum;
    table->lamb_direction = lamb_direction;
    table->axpy = axpy;
    table->sum_squares = sum_squares;
    table->bias = DCNN_SIMD_NAME(dcnn_bias);
    table->column_sums = DCNN_SIMD_NAME(dcnn_column_sums);
    table->moments = moments;
    table->half_moments = half_moments;
    table->affine = DCNN_SIMD_NAME(dcnn_affine);
    table->gradient_moments = gradient_moments;
    table->affine_backward = affine_backward;
    table->normalise = normalise;
    table->warp = warp;
    table->remap = remap;
    table->recolour = recolour;
}
