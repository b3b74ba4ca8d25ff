/* SPDX-License-Identifier: BSD-3-Clause */
/* norm_relu_simd.c — BatchNormalization, ReLU and MaxPooling 2x2 in one pass, channels in vectors. */
#include "kernels/register.h"
#include "kernels/simd/window_simd.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Vectors of channels whose sums in double stay in registers during a walk over all positions. */
enum { TILE = SIMD_REGISTERS / 8 };

ALWAYS_INLINE bool is_pooled(const dcnn_pool *shape) {
    return shape->r == 2;
}

static size_t positions_of(const dcnn_pool *shape) {
    return (size_t)shape->n * (size_t)shape->h * (size_t)shape->w;
}

/* From the first cell of an output's window to its four. */
typedef struct window_cells {
    size_t at[4];
} window_cells;

static window_cells cells_of(const dcnn_pool *shape) {
    const size_t c = (size_t)shape->c, line = (size_t)shape->w * c;
    return (window_cells){{0, c, line, line + c}};
}

/* Where the first cell of window (i, 0) of an image lies. */
static size_t line_at(const dcnn_pool *shape, int n, int i) {
    return ((size_t)n * (size_t)shape->h + 2 * (size_t)i) * (size_t)shape->w * (size_t)shape->c;
}

ALWAYS_INLINE simd_float affine_of(const float *x, const float *scale, const float *shift, size_t lanes) {
    return simd_multiply_add(simd_take(x, lanes), simd_take(scale, lanes), simd_take(shift, lanes));
}

/* --- forward ------------------------------------------------------------------------------------------------------ */

static void forward_plain(const dcnn_pool *shape, const float *x, const float *scale, const float *shift, float *y) {
    const size_t channels = (size_t)shape->c, rows = positions_of(shape);
    for (size_t i = 0; i < rows; i++, x += channels, y += channels)
        for (size_t c = 0; c < channels; c += SIMD_LANES) {
            const size_t lanes = simd_lanes(channels, c);
            /* This way round, a NaN passes. */
            simd_put(y + c, lanes, simd_max(simd_zero(), affine_of(x + c, scale + c, shift + c, lanes)));
        }
}

static void forward_pooled(const dcnn_pool *shape, const float *x, const float *scale, const float *shift, float *y,
                           uint8_t *argmax) {
    const size_t channels = (size_t)shape->c;
    const window_cells cells = cells_of(shape);
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++) {
            const float *from = x + line_at(shape, n, i);
            for (int j = 0; j < shape->ow; j++, from += 2 * channels, y += channels) {
                for (size_t c = 0; c < channels; c += SIMD_LANES) {
                    const size_t lanes = simd_lanes(channels, c);
                    simd_float cell[4];
                    simd_int codes;
                    for (int k = 0; k < 4; k++)
                        cell[k] = affine_of(from + cells.at[k] + c, scale + c, shift + c, lanes);
                    simd_put(y + c, lanes, pool_window(cell, simd_zero(), false, &codes));
                    if (argmax) store_codes(argmax + c, lanes, codes);
                }
                if (argmax) argmax += channels;
            }
        }
}

static void norm_relu_forward(const dcnn_pool *shape, const float *x, const float *scale, const float *shift, float *y,
                              uint8_t *argmax) {
    if (is_pooled(shape))
        forward_pooled(shape, x, scale, shift, y, argmax);
    else
        forward_plain(shape, x, scale, shift, y);
}

/* --- sums of the gradient ----------------------------------------------------------------------------------------- */

typedef struct tile_sums {
    simd_double low[TILE], high[TILE], product_low[TILE], product_high[TILE];
} tile_sums;

ALWAYS_INLINE void add_gradient(tile_sums *sums, int v, simd_float gradient, simd_float centred) {
    const simd_double low = simd_low_double(gradient), high = simd_high_double(gradient);
    sums->low[v] += low;
    sums->high[v] += high;
    sums->product_low[v] += low * simd_low_double(centred);
    sums->product_high[v] += high * simd_high_double(centred);
}

ALWAYS_INLINE void store_half(simd_double value, size_t first, size_t lanes, double *to) {
    double all[SIMD_LANES / 2];
    memcpy(all, &value, sizeof all);
    for (size_t lane = 0; lane < SIMD_LANES / 2 && first + lane < lanes; lane++) to[first + lane] = all[lane];
}

/* Everything about a tile of channels that does not change from position to position. */
typedef struct sums_task {
    const dcnn_pool *shape;
    const float *x, *dy, *scale, *shift, *mean;
    const uint8_t *argmax;
} sums_task;

ALWAYS_INLINE void sum_plain(const sums_task *t, tile_sums *sums, int vectors, size_t lanes) {
    const size_t channels = (size_t)t->shape->c, rows = positions_of(t->shape);
    const float *x = t->x, *dy = t->dy;
    for (size_t i = 0; i < rows; i++, x += channels, dy += channels)
        for (int v = 0; v < vectors; v++) {
            const size_t at = (size_t)v * SIMD_LANES;
            const simd_float value = simd_take(x + at, lanes);
            const simd_float y =
                simd_multiply_add(value, simd_take(t->scale + at, lanes), simd_take(t->shift + at, lanes));
            const simd_float gradient =
                simd_select(simd_greater(y, simd_zero()), simd_take(dy + at, lanes), simd_zero());
            add_gradient(sums, v, gradient, value - simd_take(t->mean + at, lanes));
        }
}

ALWAYS_INLINE void sum_pooled(const sums_task *t, tile_sums *sums, int vectors, size_t lanes) {
    const dcnn_pool *shape = t->shape;
    const size_t channels = (size_t)shape->c;
    const window_cells cells = cells_of(shape);
    const float *dy = t->dy;
    const uint8_t *argmax = t->argmax;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++) {
            const float *from = t->x + line_at(shape, n, i);
            for (int j = 0; j < shape->ow; j++, from += 2 * channels, dy += channels, argmax += channels)
                for (int v = 0; v < vectors; v++) {
                    const size_t at = (size_t)v * SIMD_LANES;
                    const simd_int codes = load_codes(argmax + at, lanes);
                    const simd_mask shut = simd_equal_int(codes, simd_splat_int(DCNN_SHUT));
                    simd_float value = simd_take(from + at, lanes);
                    for (int k = 1; k < 4; k++)
                        value = simd_select(simd_equal_int(codes, simd_splat_int(k)),
                                            simd_take(from + cells.at[k] + at, lanes), value);
                    add_gradient(sums, v, simd_select(shut, simd_zero(), simd_take(dy + at, lanes)),
                                 value - simd_take(t->mean + at, lanes));
                }
        }
}

ALWAYS_INLINE void sum_tile(const sums_task *t, const float *inverse_deviation, double *out, int vectors,
                            size_t lanes) {
    tile_sums sums = {0};
    if (is_pooled(t->shape))
        sum_pooled(t, &sums, vectors, lanes);
    else
        sum_plain(t, &sums, vectors, lanes);
    for (int v = 0; v < vectors; v++) {
        double *to = out + v * SIMD_LANES, *products = to + t->shape->c;
        const simd_float scale = simd_take(inverse_deviation + v * SIMD_LANES, lanes);
        store_half(sums.low[v], 0, lanes, to);
        store_half(sums.high[v], SIMD_LANES / 2, lanes, to);
        store_half(sums.product_low[v] * simd_low_double(scale), 0, lanes, products);
        store_half(sums.product_high[v] * simd_high_double(scale), SIMD_LANES / 2, lanes, products);
    }
}

static void norm_relu_sums(const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,
                           const float *scale, const float *shift, const float *mean, const float *inverse_deviation,
                           double *sums) {
    const size_t count = (size_t)shape->c;
    for (size_t c = 0; c < count;) {
        const sums_task t = {shape, x + c, dy + c, scale + c, shift + c, mean + c, argmax ? argmax + c : NULL};
        if (c + TILE * SIMD_LANES <= count) {
            sum_tile(&t, inverse_deviation + c, sums + c, TILE, SIMD_LANES);
            c += TILE * SIMD_LANES;
        } else {
            sum_tile(&t, inverse_deviation + c, sums + c, 1, simd_lanes(count, c));
            c += SIMD_LANES;
        }
    }
}

/* --- dx ----------------------------------------------------------------------------------------------------------- */

/* a, b and e of some channels: dx = a gradient + (b x + e). */
typedef struct closed_form {
    const float *a, *b, *e;
} closed_form;

ALWAYS_INLINE void put_dx(const closed_form *f, size_t c, size_t lanes, simd_float x, simd_float gradient, float *dx) {
    const simd_float base = simd_multiply_add(simd_take(f->b + c, lanes), x, simd_take(f->e + c, lanes));
    simd_put(dx + c, lanes, simd_multiply_add(simd_take(f->a + c, lanes), gradient, base));
}

static void backward_plain(const dcnn_pool *shape, const float *x, const float *dy, const float *scale,
                           const float *shift, const closed_form *f, float *dx) {
    const size_t channels = (size_t)shape->c, rows = positions_of(shape);
    for (size_t i = 0; i < rows; i++, x += channels, dy += channels, dx += channels)
        for (size_t c = 0; c < channels; c += SIMD_LANES) {
            const size_t lanes = simd_lanes(channels, c);
            const simd_mask open = simd_greater(affine_of(x + c, scale + c, shift + c, lanes), simd_zero());
            const simd_float gradient = simd_select(open, simd_take(dy + c, lanes), simd_zero());
            put_dx(f, c, lanes, simd_take(x + c, lanes), gradient, dx);
        }
}

/* Cells that no window has: to the right, and below. */
static void outside_windows(const dcnn_pool *shape, size_t first, size_t end, const float *x, const closed_form *f,
                            float *dx) {
    const size_t channels = (size_t)shape->c;
    for (size_t i = first; i < end; i++)
        for (size_t c = 0; c < channels; c += SIMD_LANES) {
            const size_t lanes = simd_lanes(channels, c);
            put_dx(f, c, lanes, simd_take(x + i * channels + c, lanes), simd_zero(), dx + i * channels);
        }
}

static void backward_pooled(const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,
                            const closed_form *f, float *dx) {
    const size_t channels = (size_t)shape->c, w = (size_t)shape->w, inside = 2 * (size_t)shape->ow;
    const window_cells cells = cells_of(shape);
    for (int n = 0; n < shape->n; n++) {
        for (int i = 0; i < shape->oh; i++) {
            size_t at = line_at(shape, n, i);
            outside_windows(shape, inside, w, x + at, f, dx + at);
            outside_windows(shape, w + inside, 2 * w, x + at, f, dx + at);
            for (int j = 0; j < shape->ow; j++, at += 2 * channels, dy += channels, argmax += channels)
                for (size_t c = 0; c < channels; c += SIMD_LANES) {
                    const size_t lanes = simd_lanes(channels, c);
                    const simd_int codes = load_codes(argmax + c, lanes);
                    const simd_float all = simd_take(dy + c, lanes);
                    for (int k = 0; k < 4; k++) {
                        const simd_float gradient =
                            simd_select(simd_equal_int(codes, simd_splat_int(k)), all, simd_zero());
                        put_dx(f, c, lanes, simd_take(x + at + cells.at[k] + c, lanes), gradient,
                               dx + at + cells.at[k]);
                    }
                }
        }
        const size_t left = (size_t)(shape->h - 2 * shape->oh) * w, below = line_at(shape, n, shape->oh);
        outside_windows(shape, 0, left, x + below, f, dx + below);
    }
}

static void norm_relu_backward(const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,
                               const float *scale, const float *shift, const float *a, const float *b, const float *e,
                               float *dx) {
    const closed_form f = {a, b, e};
    if (is_pooled(shape))
        backward_pooled(shape, x, dy, argmax, &f, dx);
    else
        backward_plain(shape, x, dy, scale, shift, &f, dx);
}

void DCNN_SIMD_NAME(dcnn_register_norm_relu)(dcnn_kernels *table) {
    table->norm_relu_forward = norm_relu_forward;
    table->norm_relu_sums = norm_relu_sums;
    table->norm_relu_backward = norm_relu_backward;
}
