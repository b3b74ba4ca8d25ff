/* SPDX-License-Identifier: BSD-3-Clause */
/** @file test_kernels_conv_max.h — the kernels conv_max_*, for test_kernels.c alone. */
#ifndef DCNN_TESTS_TEST_KERNELS_CONV_MAX_H
#define DCNN_TESTS_TEST_KERNELS_CONV_MAX_H

#include "test_kernels_conv.h"

/* --- convolution + bias + MaxPooling of any window -------------------------------------------------------------- */

/* A convolution of 3x3 and the windows behind it. */
typedef struct max_case {
    int n, h, w, c, k, pad;
    int r, s, stride_h, stride_w, pad_h, pad_w, ph, pw;
} max_case;

static const max_case max_cases[] = {
    {16, 5, 5, 128, 256, 0, 3, 3, 3, 3, 0, 0, 1, 1}, /* the recipe's last with a pooling of 3x3 */
    {3, 13, 13, 20, 40, 0, 2, 2, 2, 2, 0, 0, 5, 5},  /* 2x2, of which a line and a column is not read */
    {2, 8, 9, 17, 33, 1, 3, 3, 2, 2, 0, 0, 3, 4},    /* windows that overlap */
    {2, 8, 9, 17, 33, 1, 3, 3, 2, 2, 1, 1, 4, 5},    /* ... and reach outside */
    {3, 5, 7, 16, 70, 1, 2, 2, 2, 2, 0, 0, 3, 4},    /* 'same': the last windows are cut */
    {2, 11, 10, 33, 16, 1, 3, 3, 3, 3, 0, 0, 3, 3},  /* several windows of 3x3, a line not read */
    {2, 7, 7, 40, 37, 0, 5, 5, 5, 5, 0, 0, 1, 1},    /* global */
    {1, 9, 12, 6, 18, 1, 2, 4, 3, 4, 0, 0, 3, 3},    /* oblong, with gaps; few channels */
    {20, 4, 4, 24, 20, 0, 2, 2, 2, 2, 0, 0, 1, 1},   /* many small images */
    {2, 30, 31, 18, 19, 1, 4, 4, 4, 4, 0, 0, 7, 7},
    {3, 28, 27, 1, 40, 0, 2, 2, 2, 2, 0, 0, 13, 12}, /* 2x2 behind a first layer */
    {2, 24, 22, 3, 20, 1, 2, 2, 2, 2, 0, 0, 12, 11}, /* ... of colours, in tiles of 5x5 */
    {2, 8, 9, 17, 33, 1, 2, 2, 2, 2, 0, 0, 4, 4},    /* ... at inference in tiles of 4x4 */
};
enum { MAX_CASES = sizeof max_cases / sizeof max_cases[0] };

/* One case's shapes, data, and what the reference makes of it; an affine map and no bias in every second. */
typedef struct max_data {
    dcnn_conv shape;
    dcnn_pool pool;
    conv_sizes size;
    size_t pooled;
    float *x, *scale, *shift, *w, *bias, *packed, *scratch, *y;
    uint8_t *argmax;
} max_data;

static dcnn_conv max_shape(const max_case *m) {
    return (dcnn_conv){
        m->n, m->h, m->w, m->c,  m->k,  3,     3,    1, 1, m->pad, m->pad, m->h - 2 + 2 * m->pad, m->w - 2 + 2 * m->pad,
        1,    1,    1,    false, false, false, false};
}

static dcnn_pool max_pool_of(const max_case *m, const dcnn_conv *shape) {
    return (dcnn_pool){m->n,     shape->oh, shape->ow, m->k,  m->r,  m->s,  m->stride_h, m->stride_w,
                       m->pad_h, m->pad_w,  m->ph,     m->pw, false, false, false};
}

static max_data make_max_data(const dcnn_kernels *fast, const dcnn_kernels *slow, int i) {
    const max_case *m = &max_cases[i];
    max_data d = {.shape = max_shape(m)};
    d.pool = max_pool_of(m, &d.shape);
    d.size = sizes_of(&d.shape);
    d.pooled = (size_t)(m->n * m->ph * m->pw) * d.size.k;
    d.x = test_random(d.size.x, 100);
    d.w = test_random(d.size.w, 101);
    if (i % 2) {
        d.scale = test_random_between((size_t)m->c, 102, -1, 1);
        d.shift = test_random_between((size_t)m->c, 103, -0.25, 0.25);
    } else {
        d.bias = test_random(d.size.k, 104);
    }
    d.packed = test_floats(fast->conv_max_packed(&d.shape, &d.pool));
    for (int part = 2; part >= 0; part--) fast->conv_max_pack(&d.shape, &d.pool, d.w, d.packed, part, 3);
    d.scratch = scratch_of(fast->conv_max_scratch(&d.shape, &d.pool));
    d.y = test_floats(d.pooled);
    d.argmax = test_output(d.pooled);
    slow->conv_max_forward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.w, d.bias, d.y, d.argmax, NULL);
    return d;
}

static void release_max_data(max_data *d) {
    free(d->scratch);
    test_release();
}

static void test_conv_max_fits(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MAX_CASES; i++) {
        const dcnn_conv shape = max_shape(&max_cases[i]);
        const dcnn_pool pool = max_pool_of(&max_cases[i], &shape);
        assert_true(slow->conv_max_fits(&shape, &pool));
        assert_true(fast->conv_max_fits(&shape, &pool));
    }
    const dcnn_conv shape = max_shape(&max_cases[0]);
    dcnn_pool pool = max_pool_of(&max_cases[0], &shape);
    pool.r = pool.s = 16; /* codes of a byte end at 255 */
    assert_false(fast->conv_max_fits(&shape, &pool));
}

static void test_conv_max_scratch(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    const dcnn_conv shape = max_shape(&max_cases[0]);
    const dcnn_pool pool = max_pool_of(&max_cases[0], &shape);
    assert_int_equal(slow->conv_max_scratch(&shape, &pool), 0);
    (void)fast; /* that it is enough shows in the kernels' own tests, under AddressSanitizer */
}

static void test_conv_max_packed(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MAX_CASES; i++) {
        const dcnn_conv shape = max_shape(&max_cases[i]);
        const dcnn_pool pool = max_pool_of(&max_cases[i], &shape);
        assert_int_equal(slow->conv_max_packed(&shape, &pool), sizes_of(&shape).w);
        assert_true(fast->conv_max_packed(&shape, &pool) >= sizes_of(&shape).w);
    }
}

static void test_conv_max_pack(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MAX_CASES; i++) {
        max_data d = make_max_data(fast, slow, i);
        const size_t count = fast->conv_max_packed(&d.shape, &d.pool);
        float *whole = test_floats(count), *again = test_floats(count), *shares = test_floats(count);
        fast->conv_max_pack(&d.shape, &d.pool, d.w, whole, 0, 1);
        fast->conv_max_pack(&d.shape, &d.pool, d.w, again, 0, 1);
        for (int part = 63; part >= 0; part--) fast->conv_max_pack(&d.shape, &d.pool, d.w, shares, part, 64);
        assert_memory_equal(again, whole, count * sizeof(float));
        assert_memory_equal(shares, whole, count * sizeof(float));
        assert_memory_equal(d.packed, whole, count * sizeof(float));
        release_max_data(&d);
    }
}

/* The cell that argmax names is as large as y says: where two nearly tie, either may be named. */
static void check_max_codes(const dcnn_kernels *slow, const max_data *d, const uint8_t *argmax, double bound) {
    const dcnn_pool *pool = &d->pool;
    float *seen = test_copy(d->size.x, d->x), *z = test_floats(d->size.y);
    if (d->scale) slow->affine(d->size.x / (size_t)d->shape.c, d->shape.c, d->x, d->scale, d->shift, seen);
    slow->conv_forward(&d->shape, seen, d->w, d->bias, DCNN_FUSED_NONE, z, NULL);
    for (size_t at = 0; at < d->pooled; at++) {
        const int k = (int)(at % d->size.k), window = (int)(at / d->size.k);
        const int n = window / (pool->oh * pool->ow), i = window / pool->ow % pool->oh, j = window % pool->ow;
        const int row = i * pool->stride_h - pool->pad_h + argmax[at] / pool->s;
        const int column = j * pool->stride_w - pool->pad_w + argmax[at] % pool->s;
        assert_in_range(row, 0, pool->h - 1);
        assert_in_range(column, 0, pool->w - 1);
        const size_t cell = (size_t)((n * pool->h + row) * pool->w + column);
        test_close_one("cell named by argmax", at, z[cell * d->size.k + (size_t)k], d->y[at], bound, 0);
    }
}

static void test_conv_max_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MAX_CASES; i++) {
        max_data d = make_max_data(fast, slow, i);
        /* 2x2 may be done by F(5x5,3x3), which errs ten times more. */
        const bool may_be_wide = d.pool.r == 2 && d.pool.s == 2 && d.shape.c > 1 && d.shape.oh >= 6 && d.shape.ow >= 6;
        const double bound = (may_be_wide ? 16 : 2) * sum_bound(d.size.depth);
        float *y = test_floats(d.pooled), *again = test_floats(d.pooled);
        uint8_t *argmax = test_output(d.pooled);
        fast->conv_max_forward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.bias, y, argmax, d.scratch);
        fast->conv_max_forward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.bias, again, NULL, d.scratch);
        test_close("y", d.pooled, y, d.y, bound, 0);
        if (!may_be_wide) check_mean_error("rms of y's errors", d.pooled, y, d.y);
        assert_memory_equal(again, y, d.pooled * sizeof(float));
        check_max_codes(slow, &d, argmax, bound);
        /* A sample alone has the bits that it has among others. */
        dcnn_conv one = d.shape;
        one.n = 1;
        float *alone = test_floats(d.pooled / (size_t)d.shape.n);
        fast->conv_max_forward(&one, &d.pool, d.x, d.scale, d.shift, d.packed, d.bias, alone, NULL, d.scratch);
        assert_memory_equal(alone, y, d.pooled / (size_t)d.shape.n * sizeof(float));
        /* A NaN in the first cell that a window reads reaches every channel. */
        d.x[0] = NAN;
        fast->conv_max_forward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.bias, y, NULL, d.scratch);
        for (size_t k = 0; k < d.size.k; k++) assert_true(isnan(y[k]));
        release_max_data(&d);
    }
}

/* At inference 2x2 may be done by F(4x4,3x3): of the largest cells, and of the smallest. */
static void check_max_at_inference(const dcnn_kernels *fast, const dcnn_kernels *slow, max_data *d) {
    const dcnn_conv shape = d->shape;
    dcnn_conv inference = shape;
    inference.inference = true;
    const size_t count = fast->conv_max_packed(&inference, &d->pool);
    float *packed = test_floats(count), *scratch = test_floats(fast->conv_max_scratch(&inference, &d->pool));
    float *y = test_floats(2 * d->pooled), *expected = test_floats(2 * d->pooled);
    for (int part = 4; part >= 0; part--) fast->conv_max_pack(&inference, &d->pool, d->w, packed, part, 5);
    slow->conv_extremes_forward(&shape, &d->pool, d->x, d->scale, d->shift, d->w, d->bias, expected, NULL, NULL);
    fast->conv_max_forward(&inference, &d->pool, d->x, d->scale, d->shift, packed, d->bias, y, NULL, scratch);
    test_close("largest", d->pooled, y, expected, 16 * sum_bound(d->size.depth), 0);
    fast->conv_extremes_forward(&inference, &d->pool, d->x, d->scale, d->shift, packed, d->bias, y, NULL, scratch);
    test_close("largest and smallest", 2 * d->pooled, y, expected, 16 * sum_bound(d->size.depth), 0);
}

/* Its first half is conv_max_forward's; the second that of the filters turned about, whose largest is the smallest. */
static void test_conv_extremes_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MAX_CASES; i++) {
        max_data d = make_max_data(fast, slow, i);
        const bool may_be_wide = d.pool.r == 2 && d.pool.s == 2 && d.shape.c > 1 && d.shape.oh >= 6 && d.shape.ow >= 6;
        const double bound = (may_be_wide ? 16 : 2) * sum_bound(d.size.depth);
        float *y = test_floats(2 * d.pooled), *again = test_floats(2 * d.pooled), *largest = test_floats(d.pooled);
        float *expected = test_floats(2 * d.pooled), *turned = test_copy(d.size.w, d.w);
        uint8_t *argmax = test_output(2 * d.pooled), *codes = test_output(d.pooled);
        fast->conv_extremes_forward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.bias, y, argmax, d.scratch);
        fast->conv_extremes_forward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.bias, again, NULL, d.scratch);
        fast->conv_max_forward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.bias, largest, codes, d.scratch);
        slow->conv_extremes_forward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.w, d.bias, expected, NULL, NULL);
        assert_memory_equal(again, y, 2 * d.pooled * sizeof(float));
        assert_memory_equal(y, largest, d.pooled * sizeof(float));
        assert_memory_equal(argmax, codes, d.pooled);
        test_close("largest and smallest", 2 * d.pooled, y, expected, bound, 0);
        for (size_t at = 0; at < d.size.w; at++) turned[at] = -turned[at];
        float *minus = d.bias ? test_copy(d.size.k, d.bias) : NULL;
        for (size_t k = 0; k < d.size.k && minus; k++) minus[k] = -minus[k];
        slow->conv_max_forward(&d.shape, &d.pool, d.x, d.scale, d.shift, turned, minus, largest, NULL, NULL);
        for (size_t at = 0; at < d.pooled; at++) largest[at] = -largest[at];
        test_close("smallest", d.pooled, largest, expected + d.pooled, 1e-5, 0);
        check_max_at_inference(fast, slow, &d);
        memcpy(d.y, expected + d.pooled, d.pooled * sizeof(float));
        check_max_codes(slow, &d, argmax + d.pooled, bound);
        d.x[0] = NAN;
        fast->conv_extremes_forward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.bias, y, NULL, d.scratch);
        for (size_t k = 0; k < d.size.k; k++) assert_true(isnan(y[k]) && isnan(y[d.pooled + k]));
        release_max_data(&d);
    }
}

/* Pairs of arguments, the first not below the second, with a NaN, both alike, and 0 beside it. */
static float *pairs_of_arguments(size_t count) {
    float *x = test_random_between(2 * count, 110, -6, 6);
    for (size_t at = 0; at < count; at++)
        if (x[count + at] > x[at]) {
            const float larger = x[count + at];
            x[count + at] = x[at];
            x[at] = larger;
        }
    x[count - 1] = NAN;
    if (count > 6) {
        x[5] = x[count + 5];
        x[count + 4] = NAN;
        x[3] = x[count + 3] = 0;
    }
    return x;
}

/* By the function itself, of the same table: the better one's value, slope and code; the first's where none is better.
 */
static void check_better(const dcnn_kernels *table, dcnn_function f, size_t count, const float *x, const float *y,
                         const float *slope, const uint8_t *codes, const uint8_t *old) {
    float *all = test_floats(2 * count), *slopes = test_floats(2 * count), *one = test_floats(2 * count);
    for (size_t at = 0; at < 2 * count; at++) one[at] = 1;
    table->function_forward(f, NULL, 2 * count, x, all);
    table->function_backward(f, NULL, 2 * count, x, one, slopes);
    for (size_t at = 0; at < count; at++) {
        const size_t taken = all[count + at] > all[at] ? count + at : at;
        assert_true(y[at] == all[taken] || (isnan(y[at]) && isnan(all[taken])));
        assert_true(slope[at] == slopes[taken] || (isnan(slope[at]) && isnan(slopes[taken])));
        assert_int_equal(codes[at], old[taken]);
    }
}

static void test_take_better(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    static const size_t sizes[] = {1, 7, 16, 33, 200, 4001};
    static const dcnn_function functions[] = {DCNN_FUNCTION_GELU, DCNN_FUNCTION_GELU_TANH, DCNN_FUNCTION_SILU,
                                              DCNN_FUNCTION_HARD_SILU, DCNN_FUNCTION_MISH};
    for (size_t i = 0; i < 5 * sizeof sizes / sizeof sizes[0]; i++) {
        const size_t count = sizes[i / 5];
        const dcnn_function f = functions[i % 5];
        float *x = pairs_of_arguments(count), *y = test_floats(count), *slope = test_floats(count);
        float *expected = test_floats(count), *again = test_floats(count), *over = test_copy(2 * count, x);
        uint8_t *codes = test_output(2 * count), *old = test_output(2 * count), *others = test_output(2 * count);
        for (size_t at = 0; at < 2 * count; at++) codes[at] = old[at] = others[at] = (uint8_t)(at * 7);
        fast->take_better(f, count, x, y, slope, codes);
        check_better(fast, f, count, x, y, slope, codes, old);
        slow->take_better(f, count, x, expected, again, others);
        test_close("y", count - 1, y, expected, 5e-7, 5e-7);
        assert_true(isnan(y[count - 1]) && isnan(expected[count - 1]));
        fast->take_better(f, count, over, again, over, codes);
        assert_memory_equal(over, slope, count * sizeof(float));
        fast->take_better(f, count, x, again, NULL, NULL);
        assert_memory_equal(again, y, count * sizeof(float));
        memcpy(others, old, 2 * count);
        slow->take_better(f, count, x, y, slope, others);
        check_better(slow, f, count, x, y, slope, others, old);
        test_release();
    }
}

/* dy as a ReLU leaves it, of which a part is 0, and all of one channel. */
static float *max_gradient(const max_data *d) {
    float *dy = test_random(d->pooled, 105);
    for (size_t at = 0; at < d->pooled; at++)
        if (test_uniform(106, at, 0, 1) < 0.4 || at % d->size.k == d->size.k / 2) dy[at] = 0;
    return dy;
}

static void test_conv_max_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MAX_CASES; i++) {
        max_data d = make_max_data(fast, slow, i);
        float *dy = max_gradient(&d), *dx[3], *dw[3], *dbias[3];
        for (int k = 0; k < 3; k++) {
            dx[k] = test_floats(d.size.x);
            dw[k] = test_floats(d.size.w);
            dbias[k] = test_floats(d.size.k);
        }
        slow->conv_max_backward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.w, d.argmax, dy, dx[0], dw[0], dbias[0],
                                NULL);
        fast->conv_max_backward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.argmax, dy, dx[1], dw[1],
                                dbias[1], d.scratch);
        fast->conv_max_backward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.argmax, dy, dx[2], NULL, NULL,
                                d.scratch);
        fast->conv_max_backward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.argmax, dy, NULL, dw[2], dbias[2],
                                d.scratch);
        const double bound = 2 * sum_bound(d.pooled / d.size.k);
        test_close("dx", d.size.x, dx[1], dx[0], 2 * sum_bound(9 * d.size.k), 0);
        test_close("dw", d.size.w, dw[1], dw[0], bound, 0);
        test_close("dbias", d.size.k, dbias[1], dbias[0], bound, 0);
        assert_memory_equal(dx[2], dx[1], d.size.x * sizeof(float));
        assert_memory_equal(dw[2], dw[1], d.size.w * sizeof(float));
        assert_memory_equal(dbias[2], dbias[1], d.size.k * sizeof(float));
        /* A NaN in dy reaches its filter's weights. */
        dy[0] = NAN;
        fast->conv_max_backward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.packed, d.argmax, dy, dx[1], dw[1],
                                dbias[1], d.scratch);
        assert_true(isnan(dbias[1][0]));
        slow->conv_max_backward(&d.shape, &d.pool, d.x, d.scale, d.shift, d.w, d.argmax, dy, NULL, dw[0], NULL, NULL);
        for (size_t at = 0; at < d.size.w; at++) {
            const bool wanted = isnan(dw[0][at]), found = isnan(dw[1][at]);
            if ((wanted && !found) || (found && at % d.size.k != 0)) fail_msg("dw[%zu] is %g", at, dw[1][at]);
        }
        release_max_data(&d);
    }
}

#endif
