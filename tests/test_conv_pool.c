/* SPDX-License-Identifier: BSD-3-Clause */
/* The fused Convolution 3x3 + bias + ReLU + MaxPooling or AveragePooling 2x2 kernels of every instruction set against
 * plain double loops. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernels.h"

static uint64_t random_state;

static float random_float(void) {
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (float)((double)(random_state >> 11) * 0x1p-52 - 1.0);
}

static void *allocate(size_t bytes) {
    void *memory = NULL;
    assert_int_equal(posix_memalign(&memory, 64, bytes + 64), 0);
    memset(memory, 0xFF, bytes + 64);
    return memory;
}

static float *random_floats(size_t count, float scale) {
    float *values = allocate(count * sizeof(float));
    for (size_t i = 0; i < count; i++) values[i] = scale * random_float();
    return values;
}

/* 64 bytes of 0xFF stand behind each array. */
static void check_fence(const void *memory, size_t bytes, const char *what) {
    const unsigned char *fence = (const unsigned char *)memory + bytes;
    for (int i = 0; i < 64; i++) {
        if (fence[i] != 0xFF) fail_msg("%s: written past its end", what);
    }
}

typedef struct problem {
    dcnn_conv shape;
    size_t x_count, w_count, y_count, scratch_count, packed_count;
    float *x, *in_scale, *in_shift, *w, *bias, *dy;
    float *y, *dx, *dw, *dbias, *packed, *scratch;
    uint8_t *argmax;
    double cells_rms; /* of the convolution's outputs before ReLU, from check_forward() */
} problem;

static void create_problem(problem *p, const dcnn_kernels *kernels, const dcnn_conv *shape, bool affine) {
    const size_t n = (size_t)shape->n, c = (size_t)shape->c, k = (size_t)shape->k;
    *p = (problem){.shape = *shape, .w_count = 9 * c * k};
    p->x_count = n * (size_t)shape->h * (size_t)shape->w * c;
    p->y_count = n * (size_t)(shape->oh / 2) * (size_t)(shape->ow / 2) * k;
    p->scratch_count = kernels->conv_pool_scratch(shape);
    p->packed_count = kernels->conv_pool_packed(shape);
    p->x = random_floats(p->x_count, 1);
    p->w = random_floats(p->w_count, 1 / sqrtf(9 * (float)c));
    p->bias = random_floats(k, 0.1F);
    p->dy = random_floats(p->y_count, 1);
    if (affine) {
        p->in_scale = random_floats(c, 2);
        p->in_shift = random_floats(c, 1);
    }
    p->y = allocate(p->y_count * sizeof(float));
    p->argmax = allocate(p->y_count);
    p->dx = allocate(p->x_count * sizeof(float));
    p->dw = allocate(p->w_count * sizeof(float));
    p->dbias = allocate(k * sizeof(float));
    p->packed = allocate(p->packed_count * sizeof(float));
    p->scratch = allocate(p->scratch_count * sizeof(float));
}

static void free_problem(problem *p) {
    float *all[] = {p->x, p->in_scale, p->in_shift, p->w,     p->bias,   p->dy,
                    p->y, p->dx,       p->dw,       p->dbias, p->packed, p->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(p->argmax);
}

static void run_forward(problem *p, const dcnn_kernels *kernels) {
    kernels->conv_pool_pack(&p->shape, p->w, p->packed, 0, 1);
    kernels->conv_pool_forward(&p->shape, p->x, p->in_scale, p->in_shift, p->packed, p->bias, p->y,
                               p->shape.inference ? NULL : p->argmax, p->scratch);
}

static void run_backward(problem *p, const dcnn_kernels *kernels) {
    kernels->conv_pool_backward(&p->shape, p->x, p->in_scale, p->in_shift, p->packed, p->argmax, p->dy, p->dx, p->dw,
                                p->dbias, p->scratch);
}

static void check_fences(const problem *p) {
    check_fence(p->y, p->y_count * sizeof(float), "y");
    check_fence(p->argmax, p->y_count, "argmax");
    check_fence(p->dx, p->x_count * sizeof(float), "dx");
    check_fence(p->dw, p->w_count * sizeof(float), "dw");
    check_fence(p->dbias, (size_t)p->shape.k * sizeof(float), "dbias");
    check_fence(p->packed, p->packed_count * sizeof(float), "packed");
    check_fence(p->scratch, p->scratch_count * sizeof(float), "scratch");
}

/* --- the plain loops -------------------------------------------------------------------------------------------- */

/* Index of input cell (i, j) of image n, or -1 in the padding. */
static int64_t cell_at(const dcnn_conv *s, int n, int i, int j) {
    if (i < 0 || j < 0 || i >= s->h || j >= s->w) return -1;
    return (((int64_t)n * s->h + i) * s->w + j) * s->c;
}

static double input_at(const problem *p, int64_t cell, int c) {
    const double value = p->x[cell + c];
    return p->in_scale == NULL ? value : value * p->in_scale[c] + p->in_shift[c];
}

/* All filters' outputs of the convolution at (i, j), with bias. */
static void convolve(const problem *p, int n, int i, int j, double *sums) {
    const dcnn_conv *s = &p->shape;
    for (int k = 0; k < s->k; k++) sums[k] = p->bias[k];
    for (int tap = 0; tap < 9; tap++) {
        const int64_t cell = cell_at(s, n, i - s->pad_h + tap / 3, j - s->pad_w + tap % 3);
        const float *w = p->w + (int64_t)tap * s->c * s->k;
        for (int c = 0; cell >= 0 && c < s->c; c++, w += s->k) {
            const double input = input_at(p, cell, c);
            for (int k = 0; k < s->k; k++) sums[k] += input * w[k];
        }
    }
}

static double rms(const double *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += values[i] * values[i];
    return sqrt(sum / (double)count);
}

/* Largest error allowed, of the rms (of the convolution's outputs before ReLU). Winograd's F(2x2,3x3) reaches about
 * 2e-6, sums of 400 windows in float 4e-6. The outputs of F(5x5,3x3), which needs more than two windows each way, reach
 * 4e-5. */
static const double narrow_bound = 1e-5, wide_bound = 8e-5;
/* The rms of the outputs' errors: that of F(5x5,3x3) reaches 3e-6 of the outputs' rms, 5e-6 where there are few. */
static const double mean_share = 0.15;

/* Those of F(4x4,3x3), at inference: 1.7e-5 and 1.4e-6. */
static const double four_bound = 4e-5, four_mean = 2e-6;

static double output_bound(const dcnn_conv *shape) {
    if (shape->inference) return four_bound;
    return shape->c > 1 && shape->oh >= 6 && shape->ow >= 6 ? wide_bound : narrow_bound;
}

static void check_close(const char *what, const float *is, const double *should, size_t count, double bound) {
    for (size_t i = 0; i < count; i++) {
        const double error = fabs(is[i] - should[i]);
        if (!(error <= bound)) fail_msg("%s[%zu] is %.9g, should be %.9g (bound %g)", what, i, is[i], should[i], bound);
    }
}

static void check_mean_error(const char *what, const float *is, const double *should, size_t count, double bound) {
    double errors = 0;
    for (size_t i = 0; i < count; i++) errors += (is[i] - should[i]) * (is[i] - should[i]);
    const double error = sqrt(errors / (double)count);
    if (!(error <= bound)) fail_msg("the error of %s is %g in the mean, should be at most %g", what, error, bound);
}

/* What a code says of a window's cell: 1 where all of dy goes through, 1/4 where it is one of a mean, 0 where it is
 * shut. */
static double share_of_cell(const dcnn_conv *shape, int code, int cell) {
    if (shape->mean) return (code >> cell & 1) / 4.0;
    return code == cell;
}

static void check_codes(const problem *p, const double *cells, const double *y, double bound) {
    for (size_t at = 0; at < p->y_count; at++) {
        const int code = p->argmax[at];
        if (p->shape.mean) {
            assert_in_range(code, 0, 15);
            for (int cell = 0; cell < 4; cell++) {
                const double value = cells[4 * at + (size_t)cell];
                if (fabs(value) > bound) assert_int_equal(code >> cell & 1, value > 0);
            }
            assert_int_equal(code == 0, p->y[at] == 0);
        } else {
            assert_in_range(code, 0, DCNN_SHUT);
            assert_int_equal(code == DCNN_SHUT, p->y[at] == 0);
            if (code != DCNN_SHUT) assert_true(cells[4 * at + (size_t)code] >= y[at] - 2 * bound);
        }
    }
}

static void check_forward(problem *p) {
    const dcnn_conv *s = &p->shape;
    double *y = calloc(p->y_count, sizeof *y), *cells = calloc(4 * p->y_count, sizeof *cells);
    double *sums = calloc((size_t)s->k, sizeof *sums);
    size_t at = 0;
    for (int n = 0; n < s->n; n++)
        for (int i = 0; i < s->oh / 2; i++)
            for (int j = 0; j < s->ow / 2; j++, at += (size_t)s->k)
                for (int cell = 0; cell < 4; cell++) {
                    convolve(p, n, 2 * i + cell / 2, 2 * j + cell % 2, sums);
                    for (size_t k = 0; k < (size_t)s->k; k++) {
                        cells[4 * (at + k) + (size_t)cell] = sums[k];
                        y[at + k] = s->mean ? y[at + k] + fmax(sums[k], 0) / 4 : fmax(y[at + k], sums[k]);
                    }
                }
    p->cells_rms = rms(cells, 4 * p->y_count);
    const double bound = output_bound(s) * p->cells_rms;
    check_close("y", p->y, y, p->y_count, bound);
    check_mean_error("y", p->y, y, p->y_count, s->inference ? four_mean * p->cells_rms : mean_share * bound);
    if (!s->inference) check_codes(p, cells, y, bound);
    free(y);
    free(cells);
    free(sums);
}

/* The input's cells as the convolution takes them. */
static double *inputs_of(const problem *p) {
    double *inputs = calloc(p->x_count, sizeof *inputs);
    const size_t c = (size_t)p->shape.c;
    for (size_t i = 0; i < p->x_count; i++) inputs[i] = input_at(p, (int64_t)(i - i % c), (int)(i % c));
    return inputs;
}

/* Weights [tap][c][k] as [k][tap][c], where what one output's gradient reads lies together. */
static double *turned(const problem *p) {
    double *w = calloc(p->w_count, sizeof *w);
    const size_t rows = 9 * (size_t)p->shape.c, k_count = (size_t)p->shape.k;
    for (size_t i = 0; i < p->w_count; i++) w[i % k_count * rows + i / k_count] = p->w[i];
    return w;
}

/* What the gradient of output (i, j, k) of image n adds; w and dw are those of filter k. */
static void add_cell(const dcnn_conv *s, const double *inputs, const double *w, int n, int i, int j, double gradient,
                     double *dx, double *dw) {
    for (int tap = 0; tap < 9; tap++, w += s->c, dw += s->c) {
        const int64_t cell = cell_at(s, n, i - s->pad_h + tap / 3, j - s->pad_w + tap % 3);
        for (int c = 0; cell >= 0 && c < s->c; c++) {
            dw[c] += gradient * inputs[cell + c];
            dx[cell + c] += gradient * w[c];
        }
    }
}

static void check_backward(const problem *p) {
    const dcnn_conv *s = &p->shape;
    const size_t rows = 9 * (size_t)s->c, k_count = (size_t)s->k;
    double *dx = calloc(p->x_count, sizeof *dx), *dw = calloc(p->w_count, sizeof *dw);
    double *dbias = calloc(k_count, sizeof *dbias), *turned_dw = calloc(p->w_count, sizeof *dw);
    double *inputs = inputs_of(p), *w = turned(p);
    size_t at = 0;
    for (int n = 0; n < s->n; n++)
        for (int i = 0; i < s->oh / 2; i++)
            for (int j = 0; j < s->ow / 2; j++)
                for (size_t k = 0; k < k_count; k++, at++)
                    for (int place = 0; place < 4; place++) {
                        const double gradient = share_of_cell(s, p->argmax[at], place) * p->dy[at];
                        if (gradient == 0) continue;
                        dbias[k] += gradient;
                        add_cell(s, inputs, w + k * rows, n, 2 * i + place / 2, 2 * j + place % 2, gradient, dx,
                                 turned_dw + k * rows);
                    }
    for (size_t i = 0; i < p->w_count; i++) dw[i] = turned_dw[i % k_count * rows + i / k_count];
    /* A mean's are F(4x4,3x3)'s: up to 1.7e-5 of the rms, 1.6e-6 in the mean. */
    const double bound = s->mean ? 4e-5 : narrow_bound;
    check_close("dbias", p->dbias, dbias, k_count, narrow_bound * fmax(1, rms(dbias, k_count)));
    check_close("dw", p->dw, dw, p->w_count, bound * rms(dw, p->w_count));
    check_close("dx", p->dx, dx, p->x_count, bound * rms(dx, p->x_count));
    if (s->mean) {
        check_mean_error("dw", p->dw, dw, p->w_count, 3e-6 * rms(dw, p->w_count));
        check_mean_error("dx", p->dx, dx, p->x_count, 3e-6 * rms(dx, p->x_count));
    }
    double *all[] = {dx, dw, dbias, turned_dw, inputs, w};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* y is linear where the open cells stay, so <y, dy> = <w, dw> + <bias, dbias> = <x', dx> + <bias, dbias>. What these
 * may differ by follows from the errors allowed above, by Cauchy and Schwarz. It has nothing to do with their own size:
 * that may be small by chance, the terms being of either sign. */
static void check_adjoint(const problem *p) {
    const size_t k_count = (size_t)p->shape.k;
    double out = 0, bias = 0, weights = 0, inputs = 0;
    double dy2 = 0, bias2 = 0, dbias2 = 0, w2 = 0, dw2 = 0, x2 = 0, dx2 = 0; /* sums of squares */
    for (size_t i = 0; i < p->y_count; i++) {
        if (p->y[i] == 0) continue;
        out += (double)p->y[i] * p->dy[i];
        dy2 += (double)p->dy[i] * p->dy[i];
    }
    for (size_t k = 0; k < k_count; k++) {
        bias += (double)p->bias[k] * p->dbias[k];
        bias2 += (double)p->bias[k] * p->bias[k];
        dbias2 += (double)p->dbias[k] * p->dbias[k];
    }
    for (size_t i = 0; i < p->w_count; i++) {
        weights += (double)p->w[i] * p->dw[i];
        w2 += (double)p->w[i] * p->w[i];
        dw2 += (double)p->dw[i] * p->dw[i];
    }
    for (size_t i = 0; i < p->x_count; i++) {
        const int c = (int)(i % (size_t)p->shape.c);
        const double x = input_at(p, (int64_t)i - c, c);
        inputs += x * p->dx[i];
        x2 += x * x;
        dx2 += (double)p->dx[i] * p->dx[i];
    }
    const double out_bound = mean_share * output_bound(&p->shape) * p->cells_rms * sqrt((double)p->y_count * dy2) +
                             narrow_bound * sqrt(bias2 * fmax((double)k_count, dbias2));
    const double weights_bound = out_bound + narrow_bound * sqrt(w2 * dw2);
    const double inputs_bound = out_bound + narrow_bound * sqrt(x2 * dx2);
    if (!(fabs(weights + bias - out) <= weights_bound))
        fail_msg("<w, dw> + <bias, dbias> = %g, not %g (bound %g)", weights + bias, out, weights_bound);
    if (!(fabs(inputs + bias - out) <= inputs_bound))
        fail_msg("<x', dx> + <bias, dbias> = %g, not %g (bound %g)", inputs + bias, out, inputs_bound);
}

/* --- tests ------------------------------------------------------------------------------------------------------ */

static dcnn_conv conv_of(int n, int h, int w, int c, int k, bool same) {
    return (dcnn_conv){.n = n,
                       .h = h,
                       .w = w,
                       .c = c,
                       .k = k,
                       .r = 3,
                       .s = 3,
                       .stride_h = 1,
                       .stride_w = 1,
                       .pad_h = same,
                       .pad_w = same,
                       .oh = same ? h : h - 2,
                       .ow = same ? w : w - 2};
}

static dcnn_conv mean_of(dcnn_conv shape) {
    shape.mean = true;
    return shape;
}

static void check_pooling(const dcnn_kernels *kernels, const dcnn_conv *shape, bool affine) {
    problem p;
    assert_true(kernels->conv_pool_fits(shape));
    create_problem(&p, kernels, shape, affine);
    run_forward(&p, kernels);
    check_forward(&p);
    run_backward(&p, kernels);
    check_backward(&p);
    check_adjoint(&p);
    check_fences(&p);
    free_problem(&p);
}

static void check_shape(const dcnn_kernels *kernels, const dcnn_conv *shape, bool affine) {
    const dcnn_conv mean = mean_of(*shape);
    check_pooling(kernels, shape, affine);
    check_pooling(kernels, &mean, affine);
}

static void for_each_isa(void (*check)(const dcnn_kernels *kernels)) {
    for (int isa = DCNN_ISA_GENERIC; isa <= (int)dcnn_isa_best(); isa++) {
        print_message("  %s, seed %llu\n", dcnn_isa_name((dcnn_isa)isa), (unsigned long long)random_state);
        check(dcnn_kernels_of((dcnn_isa)isa));
    }
}

static void check_table(const dcnn_kernels *kernels) {
    static const int channels[] = {1, 2, 3, 5, 16, 64, 100}, filters[] = {1, 10, 16, 64, 96, 130},
                     images[] = {1, 3, 16};
    static const int sizes[][3] = {{4, 4, 0},   {5, 5, 0}, {7, 6, 1},   {2, 3, 1},  {6, 11, 0},
                                   {13, 13, 0}, {9, 8, 1}, {11, 17, 0}, {16, 7, 1}, {23, 14, 1}};
    unsigned number = 0;
    for (size_t c = 0; c < sizeof channels / sizeof *channels; c++) {
        for (size_t k = 0; k < sizeof filters / sizeof *filters; k++) {
            for (int i = 0; i < 3; i++, number++) {
                const int *size = sizes[number % (sizeof sizes / sizeof *sizes)];
                const dcnn_conv shape = conv_of(images[number % 3], size[0], size[1], channels[c], filters[k], size[2]);
                check_shape(kernels, &shape, number % 2 == 0);
            }
        }
    }
}

static void test_table(void **state) {
    (void)state;
    for_each_isa(check_table);
}

static void check_recipe(const dcnn_kernels *kernels) {
    const dcnn_conv layers[] = {conv_of(16, 28, 28, 1, 64, false), conv_of(16, 13, 13, 64, 128, false),
                                conv_of(16, 5, 5, 128, 256, false), conv_of(2, 32, 32, 3, 32, true)};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) check_shape(kernels, &layers[i], i > 0);
}

static void test_recipe(void **state) {
    (void)state;
    for_each_isa(check_recipe);
}

/* The same bits from other garbage in scratch, other addresses, and shares of packing. */
static void check_bits(const dcnn_kernels *kernels) {
    const dcnn_conv shapes[] = {conv_of(5, 13, 13, 20, 40, false), conv_of(3, 9, 10, 1, 37, true),
                                mean_of(conv_of(5, 13, 13, 20, 40, false)), mean_of(conv_of(3, 9, 10, 1, 37, true))};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        problem p;
        create_problem(&p, kernels, &shapes[i], true);
        run_forward(&p, kernels);
        run_backward(&p, kernels);
        float *packed = allocate(p.packed_count * sizeof(float)), *dx = allocate((p.x_count + 1) * sizeof(float));
        float *x = allocate((p.x_count + 1) * sizeof(float)), *y = allocate((p.y_count + 1) * sizeof(float));
        float *dw = allocate((p.w_count + 1) * sizeof(float));
        memcpy(x + 1, p.x, p.x_count * sizeof(float));
        memset(p.scratch, 0x41, p.scratch_count * sizeof(float));
        for (int part = 6; part >= 0; part--) kernels->conv_pool_pack(&p.shape, p.w, packed, part, 7);
        kernels->conv_pool_forward(&p.shape, x + 1, p.in_scale, p.in_shift, packed, p.bias, y + 1, NULL, p.scratch);
        memset(p.scratch, 0x42, p.scratch_count * sizeof(float));
        kernels->conv_pool_backward(&p.shape, x + 1, p.in_scale, p.in_shift, packed, p.argmax, p.dy, dx + 1, dw + 1,
                                    p.dbias, p.scratch);
        assert_memory_equal(y + 1, p.y, p.y_count * sizeof(float));
        assert_memory_equal(dx + 1, p.dx, p.x_count * sizeof(float));
        assert_memory_equal(dw + 1, p.dw, p.w_count * sizeof(float));
        kernels->conv_pool_backward(&p.shape, x + 1, p.in_scale, p.in_shift, packed, p.argmax, p.dy, NULL, dw + 1,
                                    p.dbias, p.scratch);
        assert_memory_equal(dw + 1, p.dw, p.w_count * sizeof(float));
        float *all[] = {packed, dx, x, y, dw};
        for (size_t j = 0; j < 5; j++) free(all[j]);
        free_problem(&p);
    }
}

/* A sample gives the same bits alone, from whatever lies in scratch, as among others. */
static void assert_alone_alike(const dcnn_kernels *kernels, const dcnn_conv *shape) {
    problem p;
    create_problem(&p, kernels, shape, true);
    run_forward(&p, kernels);
    dcnn_conv one = *shape;
    one.n = 1;
    const size_t n = (size_t)shape->n, x_count = p.x_count / n, y_count = p.y_count / n,
                 floats = kernels->conv_pool_scratch(&one);
    float *y = allocate(y_count * sizeof *y), *scratch = allocate(floats * sizeof *scratch);
    for (size_t sample = 0; sample < n; sample++) {
        memset(scratch, 0x40 + (int)sample, floats * sizeof *scratch);
        kernels->conv_pool_forward(&one, p.x + sample * x_count, p.in_scale, p.in_shift, p.packed, p.bias, y, NULL,
                                   scratch);
        assert_memory_equal(y, p.y + sample * y_count, y_count * sizeof *y);
    }
    free(y);
    free(scratch);
    free_problem(&p);
}

static void check_alone(const dcnn_kernels *kernels) {
    const dcnn_conv shapes[] = {conv_of(7, 13, 13, 20, 40, false), conv_of(5, 22, 11, 3, 16, true),
                                conv_of(16, 5, 5, 17, 33, false), mean_of(conv_of(7, 13, 13, 20, 40, false)),
                                mean_of(conv_of(5, 12, 11, 1, 16, true))};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) assert_alone_alike(kernels, &shapes[i]);
}

static void test_alone(void **state) {
    (void)state;
    for_each_isa(check_alone);
}

static void test_bits(void **state) {
    (void)state;
    for_each_isa(check_bits);
}

static size_t count_nan(const float *values, size_t count) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) found += isnan(values[i]) ? 1 : 0;
    return found;
}

static void check_nan(const dcnn_kernels *kernels) {
    const dcnn_conv shapes[] = {conv_of(2, 13, 13, 20, 40, false), conv_of(2, 13, 13, 1, 40, false),
                                mean_of(conv_of(2, 13, 13, 20, 40, false)), mean_of(conv_of(2, 13, 13, 1, 40, false))};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const bool mean = shapes[i].mean;
        const int shut = mean ? 0 : DCNN_SHUT;
        problem p;
        create_problem(&p, kernels, &shapes[i], false);
        run_forward(&p, kernels);
        assert_int_equal(count_nan(p.y, p.y_count), 0);
        const size_t windows = p.y_count / 40;
        for (size_t weight = 0; weight < p.w_count; weight += 163) {
            const float kept = p.w[weight];
            p.w[weight] = NAN;
            run_forward(&p, kernels);
            assert_int_equal(count_nan(p.y, p.y_count), windows);
            p.w[weight] = kept;
        }
        for (size_t input = 0; input < 12; input++) {
            /* Rows and columns 0..11 of 13 are read. */
            const size_t cell = (input * 13 + (input * 5) % 12) * (size_t)shapes[i].c;
            const float kept = p.x[cell];
            p.x[cell] = NAN;
            run_forward(&p, kernels);
            assert_true(count_nan(p.y, p.y_count) >= 40);
            for (size_t at = 0; at < p.y_count; at++) {
                if (isnan(p.y[at])) assert_int_not_equal(p.argmax[at], shut);
            }
            p.x[cell] = kept;
        }
        run_forward(&p, kernels);
        size_t open = 0;
        while (p.argmax[open] == shut) open++;
        p.dy[open] = NAN;
        run_backward(&p, kernels);
        assert_int_equal(count_nan(p.dbias, 40), 1);
        assert_int_equal(count_nan(p.dw, p.w_count), 9 * (size_t)shapes[i].c);
        /* Of a mean several cells may be open, and a tile spreads what it has. */
        const size_t around = 9 * (size_t)shapes[i].c, found = count_nan(p.dx, p.x_count);
        assert_true(mean ? found >= around && found < p.x_count / 2 + 1 : found == around);
        free_problem(&p);
    }
}

static void test_nan(void **state) {
    (void)state;
    for_each_isa(check_nan);
}

/* Pooling of 9x9 outputs reads 8x8, of 10x10 inputs; NaN in the other inputs, though in the same tiles, stay there. */
static void check_unread(const dcnn_kernels *kernels) {
    const int channels[] = {1, 20};
    for (int i = 0; i < 2; i++) {
        const dcnn_conv shape = conv_of(2, 11, 11, channels[i], 40, false);
        problem p;
        create_problem(&p, kernels, &shape, true);
        for (int place = 0; place < 11; place++) {
            for (int c = 0; c < shape.c; c++) {
                p.x[(size_t)cell_at(&shape, 0, 10, place) + (size_t)c] = NAN;
                p.x[(size_t)cell_at(&shape, 1, place, 10) + (size_t)c] = NAN;
            }
        }
        run_forward(&p, kernels);
        assert_int_equal(count_nan(p.y, p.y_count), 0);
        free_problem(&p);
    }
}

static void test_unread(void **state) {
    (void)state;
    for_each_isa(check_unread);
}

#include "test_conv_pool_inference.h"

static void test_fits(void **state) {
    (void)state;
    for (int isa = DCNN_ISA_GENERIC; isa <= (int)dcnn_isa_best(); isa++) {
        const dcnn_kernels *kernels = dcnn_kernels_of((dcnn_isa)isa);
        dcnn_conv shape = conv_of(1, 3, 8, 4, 4, false);
        assert_false(kernels->conv_pool_fits(&shape));
        shape = conv_of(1, 8, 8, 4, 4, false);
        assert_true(kernels->conv_pool_fits(&shape));
        shape.stride_w = 2;
        assert_false(kernels->conv_pool_fits(&shape));
        shape = conv_of(1, 8, 8, 4, 4, false);
        shape.r = 5;
        shape.oh = 4;
        assert_false(kernels->conv_pool_fits(&shape));
    }
}

int main(void) {
    const char *seed = getenv("DCNN_TEST_SEED");
    random_state = seed == NULL ? 20261124 : strtoull(seed, NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fits),
                                       cmocka_unit_test(test_table),
                                       cmocka_unit_test(test_recipe),
                                       cmocka_unit_test(test_bits),
                                       cmocka_unit_test(test_alone),
                                       cmocka_unit_test(test_unread),
                                       cmocka_unit_test(test_nan),
                                       cmocka_unit_test(test_inference),
                                       cmocka_unit_test(test_inference_alike),
                                       cmocka_unit_test(test_inference_alone),
                                       cmocka_unit_test(test_inference_nan)};
    return cmocka_run_group_tests_name("conv_pool", tests, NULL, NULL);
}
