/* SPDX-License-Identifier: BSD-3-Clause */
/* Convolution 3x3 + bias + ReLU + MaxPooling 2x2 by Winograd F(5x5,3x3) at the points 0, 1, -1, 2, -2, 1/2 and
 * infinity: 49 multiplications for 25 outputs, where F(2x2,3x3) takes 100. Its fp32 error is about ten times that of
 * F(2x2,3x3), 3e-6 of the outputs' rms; no other points do much better.
 *
 * Two tiles by two hold five pooling windows by five: a *field*, less of it at an image's lower and right edge. A block
 * is some fields; their tiles are transformed to V, multiplied with U a pair of output vectors at a time, and the
 * products M become a field's outputs, which are pooled while they are in L1. */
#include "kernels/fused/conv_pool_tiles_simd.h"

enum {
    TILE = 5, /* outputs along a tile */
    EDGE = 7, /* inputs along a tile */
    FIELD = 2 * TILE,
    FIELD_EDGE = FIELD + 2,
    FIELD_TILES = 4,
    /* Of V in a block. A digit in the recipe's second layer: 32.4 us, 33.3 with 448 KiB; 32x32x32 to 64 channels: 115,
     * 117; 121 with 896 KiB (Zen 4 with 1 MiB of L2). F(2x2,3x3): 61.2 us and 172. */
    V_BYTES = 224 * 1024,
};

/* A field's place, and what of it lies within the image. */
typedef struct field {
    size_t image, row, column; /* first window */
    size_t window_rows, window_columns;
    size_t tile_rows, tile_columns;
} field;

static size_t field_columns(const conv_pool_plan *plan) {
    return divide_up(plan->window_columns, FIELD_WINDOWS);
}

static size_t fields_of_image(const conv_pool_plan *plan) {
    return divide_up(plan->windows / plan->window_columns, FIELD_WINDOWS) * field_columns(plan);
}

static field field_at(const conv_pool_plan *plan, size_t number) {
    const size_t columns = field_columns(plan), inside = number % fields_of_image(plan);
    field f = {.image = number / fields_of_image(plan),
               .row = inside / columns * FIELD_WINDOWS,
               .column = inside % columns * FIELD_WINDOWS};
    f.window_rows = least(FIELD_WINDOWS, plan->windows / plan->window_columns - f.row);
    f.window_columns = least(FIELD_WINDOWS, plan->window_columns - f.column);
    f.tile_rows = wide_tiles(f.window_rows);
    f.tile_columns = wide_tiles(f.window_columns);
    return f;
}

static size_t fields_of_block(const dcnn_conv *shape, const conv_pool_plan *plan) {
    const size_t fields = V_BYTES / (FIELD_TILES * WIDE_ELEMENTS * plan->c_blocks * V * sizeof(float));
    return least(fields < 2 ? 2 : fields, (size_t)shape->n * fields_of_image(plan));
}

size_t DCNN_SIMD_NAME(dcnn_conv_pool_wide_scratch)(const dcnn_conv *shape) {
    const conv_pool_plan plan = plan_of(shape);
    const size_t tiles = FIELD_TILES * fields_of_block(shape, &plan);
    return FIELD_EDGE * FIELD_EDGE * V + v_floats(&plan, tiles) + m_floats(&plan, tiles);
}

/* --- packing ---------------------------------------------------------------------------------------------------- */

/* The values of a filter's line at the seven points, each divided by the product of that point's distances to the other
 * five: what would else stand as fractions in transform_line(). */
static inline void evaluate_line(const simd_float g[3], simd_float u[EDGE]) {
    const simd_float at_one = g[0] + g[2], at_two = simd_scaled_sum(4.0F, g[2], g[0]),
                     at_half = simd_scaled_sum(0.25F, g[2], g[0]);
    u[0] = -0.5F * g[0];
    u[1] = (-1.0F / 3) * (at_one + g[1]);
    u[2] = (1.0F / 9) * (at_one - g[1]);
    u[3] = (1.0F / 36) * simd_scaled_sum(2.0F, g[1], at_two);
    u[4] = (-1.0F / 60) * simd_scaled_sum(-2.0F, g[1], at_two);
    u[5] = (32.0F / 45) * simd_scaled_sum(0.5F, g[1], at_half);
    u[6] = g[2];
}

/* U = G g G^T of one input channel and one vector of output channels. */
void DCNN_SIMD_NAME(dcnn_conv_pool_wide_pack)(const conv_pool_plan *plan, const float *w, size_t channel, size_t vector,
                                              float *packed) {
    size_t stride;
    float *to = packed + u_place(plan, channel, vector, &stride);
    simd_float t[EDGE][3];
    for (size_t s = 0; s < 3; s++) {
        simd_float tap[3], line[EDGE];
        for (size_t r = 0; r < 3; r++) {
            const float *from = w + ((r * 3 + s) * plan->c + channel) * plan->k + vector * V;
            tap[r] = simd_take(from, lanes_of(plan->k, vector));
        }
        evaluate_line(tap, line);
        for (size_t r = 0; r < EDGE; r++) t[r][s] = line[r];
    }
    for (size_t r = 0; r < EDGE; r++) {
        simd_float line[EDGE];
        evaluate_line(t[r], line);
        for (size_t s = 0; s < EDGE; s++, to += stride) simd_store(to, line[s]);
    }
}

/* --- input ------------------------------------------------------------------------------------------------------ */

/* B^T d. With P = x (x^2 - 1) (x^2 - 4) (x - 1/2), row i has the coefficients of P / (x - point i), and the last those
 * of P; q is d times (x - 1/2). */
static inline void transform_line(const simd_float d[EDGE], simd_float v[EDGE]) {
    simd_float q[EDGE - 1];
#pragma GCC unroll 6
    for (size_t i = 0; i < EDGE - 1; i++) q[i] = simd_scaled_sum(-0.5F, d[i], d[i + 1]);
    const simd_float even_one = simd_scaled_sum(-4.0F, q[2], q[4]), odd_one = simd_scaled_sum(-4.0F, q[1], q[3]);
    const simd_float even_two = q[4] - q[2], odd_two = q[3] - q[1];
    v[0] = simd_scaled_sum(4.0F, q[0], simd_scaled_sum(-5.0F, q[2], q[4]));
    v[1] = even_one + odd_one;
    v[2] = even_one - odd_one;
    v[3] = simd_scaled_sum(2.0F, odd_two, even_two);
    v[4] = simd_scaled_sum(-2.0F, odd_two, even_two);
    v[5] = simd_scaled_sum(4.0F, d[1], simd_scaled_sum(-5.0F, d[3], d[5]));
    v[6] = simd_scaled_sum(4.0F, q[1], simd_scaled_sum(-5.0F, q[3], q[5]));
}

/* One channel block of a field's cells, seen through the affine map, to [FIELD_EDGE][FIELD_EDGE][V]; zeros where
 * padding is and where pooling reads nothing. */
static void gather_cells(const dcnn_conv *shape, const field *f, const float *x, size_t c_block, const float *in_scale,
                         const float *in_shift, float *cells) {
    const size_t c = (size_t)shape->c, at = c_block * V, lanes = lanes_of(c, c_block);
    const simd_float scale = in_scale == NULL ? simd_splat(1) : simd_take(in_scale + at, lanes);
    const simd_float shift = in_scale == NULL ? simd_zero() : simd_take(in_shift + at, lanes);
    for (size_t i = 0; i < f->tile_rows * TILE + 2; i++) {
        const int row = (int)(2 * f->row + i) - shape->pad_h;
        const bool row_inside = i < 2 * f->window_rows + 2 && row >= 0 && row < shape->h;
        const float *line = x + (f->image * (size_t)shape->h + (size_t)(row_inside ? row : 0)) * (size_t)shape->w * c;
        for (size_t j = 0; j < f->tile_columns * TILE + 2; j++) {
            const int column = (int)(2 * f->column + j) - shape->pad_w;
            simd_float value = simd_zero();
            if (row_inside && j < 2 * f->window_columns + 2 && column >= 0 && column < shape->w) {
                value = simd_multiply_add(simd_take(line + (size_t)column * c + at, lanes), scale, shift);
            }
            simd_store(cells + (i * FIELD_EDGE + j) * V, value);
        }
    }
}

/* B^T d B of one tile; 49 vectors, `stride` floats apart. */
static inline void transform_tile(const float *from, float *to, size_t stride) {
    simd_float t[EDGE][EDGE];
    for (size_t j = 0; j < EDGE; j++) {
        simd_float d[EDGE], line[EDGE];
        for (size_t i = 0; i < EDGE; i++) d[i] = simd_load(from + (i * FIELD_EDGE + j) * V);
        transform_line(d, line);
        for (size_t i = 0; i < EDGE; i++) t[i][j] = line[i];
    }
    for (size_t i = 0; i < EDGE; i++) {
        simd_float line[EDGE];
        transform_line(t[i], line);
        for (size_t j = 0; j < EDGE; j++, to += stride) simd_store(to, line[j]);
    }
}

/* Where V has a tile's first channel block; `step` is from one channel block to the next. */
static float *v_at(const conv_pool_plan *plan, const tile_block *block, size_t tile, size_t *step) {
    const size_t panel = ((tile + 1) * block->panels - 1) / block->tiles, start = panel_start(block, panel);
    *step = (panel_start(block, panel + 1) - start) * V;
    return block->v + start * plan->c_blocks * V + (tile - start) * V;
}

/* V of one field, whose first tile in the block is number `first`. */
static void transform_field(const dcnn_conv *shape, const conv_pool_plan *plan, const field *f, const float *x,
                            const float *in_scale, const float *in_shift, size_t first, const tile_block *block,
                            float *cells) {
    for (size_t c_block = 0; c_block < plan->c_blocks; c_block++) {
        gather_cells(shape, f, x, c_block, in_scale, in_shift, cells);
        for (size_t i = 0; i < f->tile_rows; i++) {
            for (size_t j = 0; j < f->tile_columns; j++) {
                size_t step;
                float *to = v_at(plan, block, first + i * f->tile_columns + j, &step);
                transform_tile(cells + (i * FIELD_EDGE + j) * TILE * V, to + c_block * step, block->v_stride);
            }
        }
    }
}

/* --- output ----------------------------------------------------------------------------------------------------- */

/* A^T m: row i has the points' i-th powers. */
static inline void interpolate_line(const simd_float m[EDGE], simd_float y[TILE]) {
    const simd_float sum_one = m[1] + m[2], difference_one = m[1] - m[2];
    const simd_float sum_two = m[3] + m[4], difference_two = m[3] - m[4];
    y[0] = (m[0] + m[5]) + (sum_one + sum_two);
    y[1] = simd_scaled_sum(0.5F, m[5], simd_scaled_sum(2.0F, difference_two, difference_one));
    y[2] = simd_scaled_sum(0.25F, m[5], simd_scaled_sum(4.0F, sum_two, sum_one));
    y[3] = simd_scaled_sum(0.125F, m[5], simd_scaled_sum(8.0F, difference_two, difference_one));
    y[4] = simd_scaled_sum(0.0625F, m[5], simd_scaled_sum(16.0F, sum_two, sum_one + m[6]));
}

/* A^T m A of one tile to 5x5 cells in rows of FIELD. */
static inline void interpolate_tile(const float *m, size_t stride, float *to) {
    simd_float t[TILE][EDGE];
    for (size_t j = 0; j < EDGE; j++) {
        simd_float line[EDGE], y[TILE];
        for (size_t i = 0; i < EDGE; i++) line[i] = simd_load(m + (i * EDGE + j) * stride);
        interpolate_line(line, y);
        for (size_t i = 0; i < TILE; i++) t[i][j] = y[i];
    }
    for (size_t i = 0; i < TILE; i++) {
        simd_float y[TILE];
        interpolate_line(t[i], y);
        for (size_t j = 0; j < TILE; j++) simd_store(to + (i * FIELD + j) * V, y[j]);
    }
}

/* Pools a field's cells; y and argmax point at its first window and vector of output channels. */
static void pool_field(const conv_pool_plan *plan, const field *f, const float *cells, simd_float bias, size_t lanes,
                       float *y, uint8_t *argmax) {
    for (size_t i = 0; i < f->window_rows; i++) {
        for (size_t j = 0; j < f->window_columns; j++) {
            const float *from = cells + (i * FIELD + j) * 2 * V;
            const simd_float window[4] = {simd_load(from), simd_load(from + V), simd_load(from + FIELD * V),
                                          simd_load(from + (FIELD + 1) * V)};
            const size_t at = (i * plan->window_columns + j) * plan->k;
            simd_int code;
            simd_put(y + at, lanes, pool_window(window, bias, plan->linear, &code));
            if (argmax != NULL) store_codes(argmax + at, lanes, code);
        }
    }
}

/* Pooled cells of one field for one vector of output channels; m points at its first tile. */
static void finish_field(const conv_pool_plan *plan, const field *f, const float *m, size_t m_tile, size_t m_stride,
                         size_t vector, const float *bias, float *y, uint8_t *argmax, float *cells) {
    const size_t at = vector * V, lanes = lanes_of(plan->k, vector);
    const size_t corner = (f->image * plan->windows + f->row * plan->window_columns + f->column) * plan->k + at;
    for (size_t i = 0; i < f->tile_rows; i++) {
        for (size_t j = 0; j < f->tile_columns; j++, m += m_tile) {
            interpolate_tile(m, m_stride, cells + (i * FIELD + j) * TILE * V);
        }
    }
    pool_field(plan, f, cells, bias == NULL ? simd_zero() : simd_take(bias + at, lanes), lanes, y + corner,
               argmax == NULL ? NULL : argmax + corner);
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

/* Tiles of the fields from..to-1. */
static size_t count_tiles(const conv_pool_plan *plan, size_t from, size_t to) {
    size_t tiles = 0;
    for (size_t number = from; number < to; number++) {
        const field f = field_at(plan, number);
        tiles += f.tile_rows * f.tile_columns;
    }
    return tiles;
}

/* Pooled cells of the fields from..to-1 from V. */
static void multiply_fields(const conv_pool_plan *plan, const tile_block *block, size_t from, size_t to, const float *u,
                            const float *bias, float *y, uint8_t *argmax, float *cells) {
    for (size_t vector = 0; vector < plan->k_vectors; vector += 2) {
        const size_t vectors = least(2, plan->k_vectors - vector);
        DCNN_SIMD_NAME(dcnn_conv_pool_multiply)(plan, block, vector, vectors, u);
        const float *m = block->m;
        for (size_t number = from; number < to; number++) {
            const field f = field_at(plan, number);
            for (size_t j = 0; j < vectors; j++) {
                finish_field(plan, &f, m + j * V, vectors * V, block->m_stride, vector + j, bias, y, argmax, cells);
            }
            m += f.tile_rows * f.tile_columns * vectors * V;
        }
    }
}

void DCNN_SIMD_NAME(dcnn_conv_pool_wide_forward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                                 const float *in_shift, const float *packed, const float *bias,
                                                 bool linear, float *y, uint8_t *argmax, float *scratch) {
    conv_pool_plan plan = plan_of(shape);
    plan.linear = linear;
    const size_t most = fields_of_block(shape, &plan), fields = (size_t)shape->n * fields_of_image(&plan);
    const size_t blocks = divide_up(fields, most);
    float *cells = scratch;
    tile_block block = {.v = cells + FIELD_EDGE * FIELD_EDGE * V};
    block.m = block.v + v_floats(&plan, FIELD_TILES * most);
    for (size_t number = 0; number < blocks; number++) {
        const size_t from = fields * number / blocks, to = fields * (number + 1) / blocks;
        size_t tile = 0;
        DCNN_SIMD_NAME(dcnn_conv_pool_start_block)(&plan, count_tiles(&plan, from, to), &block);
        for (size_t i = from; i < to; i++) {
            const field f = field_at(&plan, i);
            transform_field(shape, &plan, &f, x, in_scale, in_shift, tile, &block, cells);
            tile += f.tile_rows * f.tile_columns;
        }
        multiply_fields(&plan, &block, from, to, packed, bias, y, argmax, cells);
    }
}
