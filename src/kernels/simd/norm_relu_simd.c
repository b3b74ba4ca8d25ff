/* SPDX-License-Identifier: BSD-3-Clause */
/* norm_relu_simd.c — BatchNormalization, ReLU and MaxPooling 2x2 in one pass, channels in vectors. */
#include "kernels/register.h"
#include "kernels/simd/halves_simd.h"
#include "kernels/simd/window_simd.h"

/* Vectors of channels whose sums in double stay in registers during a walk over all positions. */
enum { TILE = SIMD_REGISTERS / 8 };

INLINE bool is_pooled(const dcnn_pool *shape) {
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

/* Which arrays are of bf16, and whether there are a ReLU and a pooling: constants wherever loops are, which are
 * compiled for each. */
typedef struct formats {
    bool x, y, relu, pooled;
} formats;

#define DCNN_IN_FORMAT(x, y, relu, pooled, call)                                                                       \
    do {                                                                                                               \
        const formats f = {x, y, relu, pooled};                                                                        \
        call;                                                                                                          \
    } while (0)

#define DCNN_IN_NUMBERS(shape, relu, pooled, call)                                                                     \
    do {                                                                                                               \
        if ((shape)->x_half && (shape)->y_half)                                                                        \
            DCNN_IN_FORMAT(true, true, relu, pooled, call);                                                            \
        else if ((shape)->x_half)                                                                                      \
            DCNN_IN_FORMAT(true, false, relu, pooled, call);                                                           \
        else if ((shape)->y_half)                                                                                      \
            DCNN_IN_FORMAT(false, true, relu, pooled, call);                                                           \
        else                                                                                                           \
            DCNN_IN_FORMAT(false, false, relu, pooled, call);                                                          \
    } while (0)

/* `call` with those of `shape` for `f`. Behind a pooling's codes nobody asks whether there was a ReLU. */
#define DCNN_IN_ITS_FORMATS(shape, call)                                                                               \
    do {                                                                                                               \
        if (is_pooled(shape))                                                                                          \
            DCNN_IN_NUMBERS(shape, true, true, call);                                                                  \
        else if ((shape)->linear)                                                                                      \
            DCNN_IN_NUMBERS(shape, false, false, call);                                                                \
        else                                                                                                           \
            DCNN_IN_NUMBERS(shape, true, false, call);                                                                 \
    } while (0)

INLINE simd_float affine_of(simd_float x, const float *scale, const float *shift, size_t lanes) {
    return simd_multiply_add(x, simd_take(scale, lanes), simd_take(shift, lanes));
}

/* The gradient in front of the ReLU that made y. */
INLINE simd_float passed(const formats f, simd_float y, simd_float dy) {
    return f.relu ? simd_select(simd_greater(y, simd_zero()), dy, simd_zero()) : dy;
}

/* --- forward ------------------------------------------------------------------------------------------------------ */

INLINE void forward_plain(const formats f, const dcnn_pool *shape, const void *x, const float *scale,
                          const float *shift, void *y) {
    const size_t channels = (size_t)shape->c, end = positions_of(shape) * channels;
    for (size_t i = 0; i < end; i += channels)
        for (size_t c = 0; c < channels; c += SIMD_LANES) {
            const size_t lanes = simd_lanes(channels, c);
            const simd_float value = affine_of(take_numbers(x, f.x, i + c, lanes), scale + c, shift + c, lanes);
            /* This way round, a NaN passes. */
            put_numbers(y, f.y, i + c, lanes, f.relu ? simd_max(simd_zero(), value) : value);
        }
}

INLINE void forward_pooled(const formats f, const dcnn_pool *shape, const void *x, const float *scale,
                           const float *shift, void *y, uint8_t *argmax) {
    const size_t channels = (size_t)shape->c;
    const window_cells cells = cells_of(shape);
    size_t to = 0;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++) {
            size_t from = line_at(shape, n, i);
            for (int j = 0; j < shape->ow; j++, from += 2 * channels, to += channels)
                for (size_t c = 0; c < channels; c += SIMD_LANES) {
                    const size_t lanes = simd_lanes(channels, c);
                    simd_float cell[4];
                    simd_int codes;
                    for (int k = 0; k < 4; k++)
                        cell[k] =
                            affine_of(take_numbers(x, f.x, from + cells.at[k] + c, lanes), scale + c, shift + c, lanes);
                    put_numbers(y, f.y, to + c, lanes, pool_window(cell, simd_zero(), !f.relu, &codes));
                    if (argmax) store_codes(argmax + to + c, lanes, codes);
                }
        }
}

INLINE void forward(const formats f, const dcnn_pool *shape, const void *x, const float *scale, const float *shift,
                    void *y, uint8_t *argmax) {
    if (f.pooled)
        forward_pooled(f, shape, x, scale, shift, y, argmax);
    else
        forward_plain(f, shape, x, scale, shift, y);
}

static void norm_relu_forward(const dcnn_pool *shape, const float *x, const float *scale, const float *shift, float *y,
                              uint8_t *argmax) {
    if (is_pooled(shape) && shape->linear)
        DCNN_IN_NUMBERS(shape, false, true, forward_pooled(f, shape, x, scale, shift, y, argmax));
    else
        DCNN_IN_ITS_FORMATS(shape, forward(f, shape, x, scale, shift, y, argmax));
}

/* --- sums of the gradient ----------------------------------------------------------------------------------------- */

typedef struct tile_sums {
    simd_double low[TILE], high[TILE], product_low[TILE], product_high[TILE];
} tile_sums;

INLINE void add_gradient(tile_sums *sums, int v, simd_float gradient, simd_float centred) {
    const simd_double low = simd_low_double(gradient), high = simd_high_double(gradient);
    sums->low[v] += low;
    sums->high[v] += high;
    sums->product_low[v] += low * simd_low_double(centred);
    sums->product_high[v] += high * simd_high_double(centred);
}

INLINE void store_half(simd_double value, size_t first, size_t lanes, double *to) {
    double all[SIMD_LANES / 2];
    memcpy(all, &value, sizeof all);
    for (size_t lane = 0; lane < SIMD_LANES / 2 && first + lane < lanes; lane++) to[first + lane] = all[lane];
}

/* Everything about a tile of channels that does not change from position to position. */
typedef struct sums_task {
    const dcnn_pool *shape;
    const void *x, *dy;
    const float *scale, *shift, *mean;
    const uint8_t *argmax;
} sums_task;

INLINE void sum_plain(const formats f, const sums_task *t, tile_sums *sums, int vectors, size_t lanes) {
    const size_t channels = (size_t)t->shape->c, end = positions_of(t->shape) * channels;
    for (size_t i = 0; i < end; i += channels)
        for (int v = 0; v < vectors; v++) {
            const size_t at = (size_t)v * SIMD_LANES;
            const simd_float value = take_numbers(t->x, f.x, i + at, lanes);
            const simd_float y = affine_of(value, t->scale + at, t->shift + at, lanes);
            const simd_float gradient = passed(f, y, take_numbers(t->dy, f.y, i + at, lanes));
            add_gradient(sums, v, gradient, value - simd_take(t->mean + at, lanes));
        }
}

INLINE void sum_pooled(const formats f, const sums_task *t, tile_sums *sums, int vectors, size_t lanes) {
    const dcnn_pool *shape = t->shape;
    const size_t channels = (size_t)shape->c;
    const window_cells cells = cells_of(shape);
    size_t out = 0;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++) {
            size_t from = line_at(shape, n, i);
            for (int j = 0; j < shape->ow; j++, from += 2 * channels, out += channels)
                for (int v = 0; v < vectors; v++) {
                    const size_t at = (size_t)v * SIMD_LANES;
                    const simd_int codes = load_codes(t->argmax + out + at, lanes);
                    const simd_mask shut = simd_equal_int(codes, simd_splat_int(DCNN_SHUT));
                    simd_float value = take_numbers(t->x, f.x, from + at, lanes);
                    for (int k = 1; k < 4; k++)
                        value = simd_select(simd_equal_int(codes, simd_splat_int(k)),
                                            take_numbers(t->x, f.x, from + cells.at[k] + at, lanes), value);
                    add_gradient(sums, v, simd_select(shut, simd_zero(), take_numbers(t->dy, f.y, out + at, lanes)),
                                 value - simd_take(t->mean + at, lanes));
                }
        }
}

INLINE void sum_tile(const formats f, const sums_task *t, const float *inverse_deviation, double *out, int vectors,
                     size_t lanes) {
    tile_sums sums = {0};
    if (f.pooled)
        sum_pooled(f, t, &sums, vectors, lanes);
    else
        sum_plain(f, t, &sums, vectors, lanes);
    for (int v = 0; v < vectors; v++) {
        double *to = out + v * SIMD_LANES, *products = to + t->shape->c;
        const simd_float scale = simd_take(inverse_deviation + v * SIMD_LANES, lanes);
        store_half(sums.low[v], 0, lanes, to);
        store_half(sums.high[v], SIMD_LANES / 2, lanes, to);
        store_half(sums.product_low[v] * simd_low_double(scale), 0, lanes, products);
        store_half(sums.product_high[v] * simd_high_double(scale), SIMD_LANES / 2, lanes, products);
    }
}

INLINE void sum_tiles(const formats f, const sums_task *all, const float *inverse_deviation, double *sums) {
    const size_t count = (size_t)all->shape->c;
    for (size_t c = 0; c < count;) {
        const sums_task t = {all->shape,
                             bf16_at(all->x, f.x, c),
                             bf16_at(all->dy, f.y, c),
                             all->scale + c,
                             all->shift + c,
                             all->mean + c,
                             all->argmax ? all->argmax + c : NULL};
        if (c + TILE * SIMD_LANES <= count) {
            sum_tile(f, &t, inverse_deviation + c, sums + c, TILE, SIMD_LANES);
            c += TILE * SIMD_LANES;
        } else {
            sum_tile(f, &t, inverse_deviation + c, sums + c, 1, simd_lanes(count, c));
            c += SIMD_LANES;
        }
    }
}

static void norm_relu_sums(const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,
                           const float *scale, const float *shift, const float *mean, const float *inverse_deviation,
                           double *sums) {
    const sums_task all = {shape, x, dy, scale, shift, mean, argmax};
    DCNN_IN_ITS_FORMATS(shape, sum_tiles(f, &all, inverse_deviation, sums));
}

/* --- dx ----------------------------------------------------------------------------------------------------------- */

/* a, b and e of some channels: dx = a gradient + (b x + e). */
typedef struct closed_form {
    const float *a, *b, *e;
} closed_form;

INLINE void put_dx(const formats f, const closed_form *form, size_t c, size_t lanes, const void *x, size_t at,
                   simd_float gradient, void *dx) {
    const simd_float value = take_numbers(x, f.x, at, lanes);
    const simd_float base = simd_multiply_add(simd_take(form->b + c, lanes), value, simd_take(form->e + c, lanes));
    put_numbers(dx, f.x, at, lanes, simd_multiply_add(simd_take(form->a + c, lanes), gradient, base));
}

INLINE void backward_plain(const formats f, const dcnn_pool *shape, const void *x, const void *dy, const float *scale,
                           const float *shift, const closed_form *form, void *dx) {
    const size_t channels = (size_t)shape->c, end = positions_of(shape) * channels;
    for (size_t i = 0; i < end; i += channels)
        for (size_t c = 0; c < channels; c += SIMD_LANES) {
            const size_t lanes = simd_lanes(channels, c);
            const simd_float y = affine_of(take_numbers(x, f.x, i + c, lanes), scale + c, shift + c, lanes);
            const simd_float gradient = passed(f, y, take_numbers(dy, f.y, i + c, lanes));
            put_dx(f, form, c, lanes, x, i + c, gradient, dx);
        }
}

/* Cells that no window has: to the right, and below. */
INLINE void outside_windows(const formats f, const dcnn_pool *shape, size_t origin, size_t first, size_t end,
                            const void *x, const closed_form *form, void *dx) {
    const size_t channels = (size_t)shape->c;
    for (size_t i = first; i < end; i++)
        for (size_t c = 0; c < channels; c += SIMD_LANES)
            put_dx(f, form, c, simd_lanes(channels, c), x, origin + i * channels + c, simd_zero(), dx);
}

INLINE void backward_pooled(const formats f, const dcnn_pool *shape, const void *x, const void *dy,
                            const uint8_t *argmax, const closed_form *form, void *dx) {
    const size_t channels = (size_t)shape->c, w = (size_t)shape->w, inside = 2 * (size_t)shape->ow;
    const window_cells cells = cells_of(shape);
    size_t out = 0;
    for (int n = 0; n < shape->n; n++) {
        for (int i = 0; i < shape->oh; i++) {
            size_t at = line_at(shape, n, i);
            outside_windows(f, shape, at, inside, w, x, form, dx);
            outside_windows(f, shape, at, w + inside, 2 * w, x, form, dx);
            for (int j = 0; j < shape->ow; j++, at += 2 * channels, out += channels)
                for (size_t c = 0; c < channels; c += SIMD_LANES) {
                    const size_t lanes = simd_lanes(channels, c);
                    const simd_int codes = load_codes(argmax + out + c, lanes);
                    const simd_float all = take_numbers(dy, f.y, out + c, lanes);
                    for (int k = 0; k < 4; k++) {
                        const simd_float gradient =
                            simd_select(simd_equal_int(codes, simd_splat_int(k)), all, simd_zero());
                        put_dx(f, form, c, lanes, x, at + cells.at[k] + c, gradient, dx);
                    }
                }
        }
        const size_t left = (size_t)(shape->h - 2 * shape->oh) * w;
        outside_windows(f, shape, line_at(shape, n, shape->oh), 0, left, x, form, dx);
    }
}

INLINE void backward(const formats f, const dcnn_pool *shape, const void *x, const void *dy, const uint8_t *argmax,
                     const float *scale, const float *shift, const closed_form *form, void *dx) {
    if (f.pooled)
        backward_pooled(f, shape, x, dy, argmax, form, dx);
    else
        backward_plain(f, shape, x, dy, scale, shift, form, dx);
}

static void norm_relu_backward(const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,
                               const float *scale, const float *shift, const float *a, const float *b, const float *e,
                               float *dx) {
    const closed_form form = {a, b, e};
    DCNN_IN_ITS_FORMATS(shape, backward(f, shape, x, dy, argmax, scale, shift, &form, dx));
}

void DCNN_SIMD_NAME(dcnn_register_norm_relu)(dcnn_kernels *table) {
    table->norm_relu_forward = norm_relu_forward;
    table->norm_relu_sums = norm_relu_sums;
    table->norm_relu_backward = norm_relu_backward;
}
