/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_formats.c — see bench_formats.h. */
#include "formats/bench_formats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/random.h"
#include "formats/formats.h"

_Static_assert((int)DCNN_BENCH_FORMATS >= (int)DCNN_FORMATS_MOST, "each format has a place");

enum {
    TAPS = 3,
    MOST_EDGE = 7,
    MOST_COLUMNS = 256,
    MOST_DEPTH = 128,
    CHANNELS = 64, /* of the convolutions whose errors are measured, in and out */
    TILES = DCNN_FORMAT_ROWS,
    ROUNDS = 15,
};

const int dcnn_bench_depths[DCNN_BENCH_DEPTHS] = {64, 128};

/* 100 outputs are 25 tiles of F(2x2), 6.25 of F(4x4), 4 of F(5x5). */
const dcnn_bench_tiling dcnn_bench_tilings[DCNN_BENCH_TILINGS] = {
    {"direct", 1, 900}, {"F(2x2)", 2, 400}, {"F(4x4)", 4, 225}, {"F(5x5)", 5, 196}};

/* Their points but infinity, those of conv_pool_simd.c, conv_winograd_simd.c and conv_pool_wide_simd.c. */
static const double all_points[DCNN_BENCH_TILINGS][MOST_EDGE - 1] = {
    {0}, {0, 1, -1}, {0, 0.625, -0.625, 1.5, -1.5}, {0, 1, -1, 2, -2, 0.5}};

/* --- products --------------------------------------------------------------------------------------------------- */

/* Memory of all measurements. */
typedef struct work {
    float *left, *right, *out; /* one product */
    void *packed_left, *packed_right;
    float *x, *w;                /* tiles [TILES][edge^2][CHANNELS], filters [9][CHANNELS][CHANNELS] */
    double *y;                   /* right outputs [TILES][outputs^2][CHANNELS] */
    float *elements;             /* products [edge^2][TILES][CHANNELS] */
    float *left_all, *right_all; /* transformed [edge^2][...] */
} work;

static void carve(dcnn_arena *arena, work *w) {
    const size_t left = TILES * MOST_DEPTH, right = (size_t)MOST_DEPTH * MOST_COLUMNS;
    const size_t square = MOST_EDGE * MOST_EDGE, channels = CHANNELS;
    w->left = dcnn_arena_take(arena, left * sizeof(float));
    w->right = dcnn_arena_take(arena, right * sizeof(float));
    w->out = dcnn_arena_take(arena, (size_t)TILES * MOST_COLUMNS * sizeof(float));
    w->packed_left = dcnn_arena_take(arena, left * DCNN_FORMAT_BYTES);
    w->packed_right = dcnn_arena_take(arena, right * DCNN_FORMAT_BYTES);
    w->x = dcnn_arena_take(arena, TILES * square * channels * sizeof(float));
    w->w = dcnn_arena_take(arena, TAPS * TAPS * channels * channels * sizeof(float));
    w->y = dcnn_arena_take(arena, TILES * square * channels * sizeof(double));
    w->elements = dcnn_arena_take(arena, TILES * square * channels * sizeof(float));
    w->left_all = dcnn_arena_take(arena, TILES * square * channels * sizeof(float));
    w->right_all = dcnn_arena_take(arena, square * channels * channels * sizeof(float));
}

static void fill_normal(float *values, size_t count, uint32_t stream) {
    for (size_t i = 0; i < count; i++) {
        const dcnn_random_bits bits = dcnn_random(0, DCNN_RANDOM_NOISE, stream, (int64_t)i, 0);
        values[i] = (float)dcnn_random_normal(bits.word[0], bits.word[1]);
    }
}

static void multiply(const dcnn_format *format, size_t depth, size_t columns, work *w) {
    if (format->begin != NULL) format->begin();
    format->multiply(depth, columns, w->packed_left, w->packed_right, w->out);
    if (format->end != NULL) format->end();
}

static double relative_error(double squares_of_errors, double squares) {
    return sqrt(squares_of_errors / squares);
}

static double product_error(const dcnn_format *format, size_t depth, size_t columns, work *w) {
    double errors = 0.0, squares = 0.0;
    format->pack(depth, columns, w->left, w->right, w->packed_left, w->packed_right);
    multiply(format, depth, columns, w);
    for (size_t i = 0; i < TILES; i++)
        for (size_t j = 0; j < columns; j++) {
            double sum = 0.0;
            for (size_t step = 0; step < depth; step++)
                sum += (double)w->left[i * depth + step] * w->right[step * columns + j];
            errors += (w->out[i * columns + j] - sum) * (w->out[i * columns + j] - sum);
            squares += sum * sum;
        }
    return relative_error(errors, squares);
}

static double time_products(const dcnn_format *format, size_t depth, size_t columns, int64_t times, work *w) {
    format->pack(depth, columns, w->left, w->right, w->packed_left, w->packed_right);
    multiply(format, depth, columns, w);
    if (format->begin != NULL) format->begin();
    const double began_s = dcnn_now_s();
    for (int64_t i = 0; i < times; i++) format->multiply(depth, columns, w->packed_left, w->packed_right, w->out);
    const double seconds = dcnn_now_s() - began_s;
    if (format->end != NULL) format->end();
    return seconds;
}

/* Formats in turn, so that a change of the clock's rate meets all; the least time of some windows. */
static void measure_products(const dcnn_format *const *formats, int depth_number, double seconds, work *w,
                             dcnn_bench_formats_result *result) {
    const size_t depth = (size_t)dcnn_bench_depths[depth_number], columns = 2 * depth;
    const double window_s = seconds / (ROUNDS + 1) / result->count;
    double least_s[DCNN_FORMATS_MOST];
    int64_t times[DCNN_FORMATS_MOST];
    fill_normal(w->left, TILES * depth, 1);
    fill_normal(w->right, depth * columns, 2);
    for (int i = 0; i < result->count; i++) {
        const double each_s = time_products(formats[i], depth, columns, 20, w) / 20;
        times[i] = 1 + (int64_t)(window_s / each_s);
        least_s[i] = INFINITY;
        result->formats[i].error[depth_number] = product_error(formats[i], depth, columns, w);
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < result->count; i++)
            least_s[i] = fmin(least_s[i], time_products(formats[i], depth, columns, times[i], w) / (double)times[i]);
    for (int i = 0; i < result->count; i++)
        result->formats[i].flop_per_s[depth_number] = 2.0 * TILES * (double)(depth * columns) / least_s[i];
}

/* --- convolutions ----------------------------------------------------------------------------------------------- */

/* y = A^T ((G w G^T) . (B^T x B)) A along one axis. */
typedef struct matrices {
    int outputs, edge;
    double b[MOST_EDGE][MOST_EDGE]; /* B^T */
    double g[MOST_EDGE][TAPS];
    double a[MOST_EDGE][MOST_EDGE]; /* A^T, [outputs][edge] */
} matrices;

/* Without points: nothing is transformed, a tile is one output. */
static void fill_direct(matrices *m) {
    for (int i = 0; i < TAPS; i++) m->b[i][i] = m->g[i][i] = m->a[0][i] = 1.0;
}

/* Toom and Cook's at the points and infinity, the last. Row i of B^T has the coefficients of
 * the product of (x - point) over all other points, infinity's over all. */
static void fill_winograd(matrices *m, const double *points) {
    const int finite = m->edge - 1;
    for (int i = 0; i < m->edge; i++) {
        double scale = 1.0, *product = m->b[i];
        product[0] = 1.0;
        for (int j = 0, degree = 0; j < finite; j++) {
            if (j == i) continue;
            degree++;
            for (int at = degree; at >= 0; at--)
                product[at] = (at > 0 ? product[at - 1] : 0.0) - points[j] * (at < degree ? product[at] : 0.0);
            if (i < finite) scale *= points[i] - points[j];
        }
        for (int s = 0; s < TAPS; s++) m->g[i][s] = i < finite ? pow(points[i], s) / scale : s == TAPS - 1;
        for (int s = 0; s < m->outputs; s++) m->a[s][i] = i < finite ? pow(points[i], s) : s == m->outputs - 1;
    }
}

static matrices matrices_of(int tiling) {
    const int outputs = dcnn_bench_tilings[tiling].outputs;
    matrices m = {.outputs = outputs, .edge = outputs + TAPS - 1};
    if (outputs == 1)
        fill_direct(&m);
    else
        fill_winograd(&m, all_points[tiling]);
    return m;
}

/* to = left from left^T, in float as a kernel would; from [columns][columns] and to [rows][rows], `stride` apart. */
static void transform(int rows, int columns, const double *left, int left_row, const float *from, size_t from_stride,
                      float *to, size_t to_stride) {
    float t[MOST_EDGE][MOST_EDGE];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            t[i][j] = 0.0f;
            for (int s = 0; s < columns; s++)
                t[i][j] += (float)left[i * left_row + s] * from[(size_t)(s * columns + j) * from_stride];
        }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            float sum = 0.0f;
            for (int s = 0; s < columns; s++) sum += t[i][s] * (float)left[j * left_row + s];
            to[(size_t)(i * rows + j) * to_stride] = sum;
        }
}

/* Tiles, filters, their transforms and the right outputs. */
static void make_convolution(const matrices *m, work *w) {
    const size_t channels = CHANNELS, edge = (size_t)m->edge, square = edge * edge, outputs = (size_t)m->outputs;
    fill_normal(w->x, TILES * square * channels, 3);
    fill_normal(w->w, TAPS * TAPS * channels * channels, 4);
    for (size_t tile = 0; tile < TILES; tile++)
        for (size_t c = 0; c < channels; c++)
            transform(m->edge, m->edge, m->b[0], MOST_EDGE, w->x + tile * square * channels + c, channels,
                      w->left_all + tile * channels + c, TILES * channels);
    for (size_t i = 0; i < channels * channels; i++)
        transform(m->edge, TAPS, m->g[0], TAPS, w->w + i, channels * channels, w->right_all + i, channels * channels);
    memset(w->y, 0, TILES * outputs * outputs * channels * sizeof *w->y);
    for (size_t tile = 0; tile < TILES; tile++)
        for (size_t out = 0; out < outputs * outputs; out++)
            for (size_t tap = 0; tap < TAPS * TAPS; tap++) {
                const size_t cell = (out / outputs + tap / TAPS) * edge + out % outputs + tap % TAPS;
                const float *x = w->x + (tile * square + cell) * channels;
                double *y = w->y + (tile * outputs * outputs + out) * channels;
                for (size_t c = 0; c < channels; c++)
                    for (size_t k = 0; k < channels; k++)
                        y[k] += (double)x[c] * w->w[(tap * channels + c) * channels + k];
            }
}

/* A power of two that brings the largest value to 1: what a kernel would pack into its weights, so that a format's
 * range is no matter. */
static float scale_of(const float *values, size_t count) {
    float largest = 0.0f;
    int exponent;
    for (size_t i = 0; i < count; i++) largest = fmaxf(largest, fabsf(values[i]));
    frexpf(largest, &exponent);
    return ldexpf(1.0f, -exponent);
}

static double convolution_error(const dcnn_format *format, const matrices *m, work *w) {
    const size_t channels = CHANNELS, square = (size_t)(m->edge * m->edge), cells = (size_t)(m->outputs * m->outputs);
    double errors = 0.0, squares = 0.0;
    for (size_t element = 0; element < square; element++) {
        const float *left = w->left_all + element * TILES * channels;
        const float *right = w->right_all + element * channels * channels;
        const float left_scale = scale_of(left, TILES * channels), right_scale = scale_of(right, channels * channels);
        for (size_t i = 0; i < TILES * channels; i++) w->left[i] = left_scale * left[i];
        for (size_t i = 0; i < channels * channels; i++) w->right[i] = right_scale * right[i];
        format->pack(channels, channels, w->left, w->right, w->packed_left, w->packed_right);
        multiply(format, channels, channels, w);
        for (size_t i = 0; i < TILES * channels; i++)
            w->elements[element * TILES * channels + i] = w->out[i] / (left_scale * right_scale);
    }
    for (size_t tile = 0; tile < TILES; tile++)
        for (size_t k = 0; k < channels; k++) {
            float y[MOST_EDGE * MOST_EDGE];
            transform(m->outputs, m->edge, m->a[0], MOST_EDGE, w->elements + tile * channels + k, TILES * channels, y,
                      1);
            for (size_t out = 0; out < cells; out++) {
                const double should = w->y[(tile * cells + out) * channels + k];
                errors += (y[out] - should) * (y[out] - should);
                squares += should * should;
            }
        }
    return relative_error(errors, squares);
}

/* --- what it comes to ------------------------------------------------------------------------------------------- */

/* The slower of the depths speaks for a format. */
static double slowest(const dcnn_bench_format *format, const dcnn_bench_format *fp32) {
    return fmin(format->flop_per_s[0] / fp32->flop_per_s[0], format->flop_per_s[1] / fp32->flop_per_s[1]);
}

static void judge(dcnn_bench_formats_result *result) {
    const int last = DCNN_BENCH_TILINGS - 1;
    dcnn_bench_format *fp32 = &result->formats[0];
    result->error_allowed = 2.0 * fp32->tile_error[last];
    for (int i = 0; i < result->count; i++) {
        dcnn_bench_format *format = &result->formats[i];
        format->tiling = last;
        while (format->tiling >= 0 && !(format->tile_error[format->tiling] <= result->error_allowed)) format->tiling--;
        if (format->tiling >= 0)
            format->gain =
                slowest(format, fp32) * dcnn_bench_tilings[last].products / dcnn_bench_tilings[format->tiling].products;
    }
}

double dcnn_bench_step_gain(double share, double gain) {
    return gain > 1.0 ? 1.0 / (1.0 - share + share / gain) : 1.0;
}

static dcnn_status measure_formats(const dcnn_format *const *formats, double seconds,
                                   dcnn_bench_formats_result *result) {
    dcnn_arena arena = {0};
    work w;
    void *block;
    carve(&arena, &w);
    DCNN_TRY(dcnn_block_create(arena.used, "products to measure number formats with", &block));
    arena = (dcnn_arena){.base = block};
    carve(&arena, &w);
    for (int i = 0; i < result->count; i++) result->formats[i].name = formats[i]->name;
    for (int i = 0; i < DCNN_BENCH_DEPTHS; i++) measure_products(formats, i, seconds / DCNN_BENCH_DEPTHS, &w, result);
    for (int tiling = 0; tiling < DCNN_BENCH_TILINGS; tiling++) {
        const matrices m = matrices_of(tiling);
        make_convolution(&m, &w);
        for (int i = 0; i < result->count; i++)
            result->formats[i].tile_error[tiling] = convolution_error(formats[i], &m, &w);
    }
    judge(result);
    dcnn_block_free(block);
    return DCNN_OK;
}

dcnn_status dcnn_bench_formats(dcnn_comm *comm, const dcnn_bench_options *options, dcnn_bench_formats_result *result) {
    const dcnn_format *formats[DCNN_FORMATS_MOST];
    dcnn_bench_options one = *options;
    dcnn_bench_result step;
    *result = (dcnn_bench_formats_result){.count = dcnn_formats_find(formats)};
    one.threads = 1;
    one.seconds = options->seconds / 2;
    dcnn_status status = dcnn_bench(comm, &one, &step);
    if (status == DCNN_OK) {
        result->step_s = step.step_s;
        for (int i = 0; i < step.op_count; i++) {
            const double images = step.images / step.ranks / step.step_s;
            if (!step.ops[i].tiles) continue;
            result->forward_share += step.ops[i].forward_s * images;
            result->both_share += (step.ops[i].forward_s + step.ops[i].backward_s) * images;
        }
        if (result->count > 0) status = measure_formats(formats, options->seconds / 2, result);
    }
    dcnn_bench_free(&step);
    return dcnn_comm_agree(comm, status);
}
