/* SPDX-License-Identifier: BSD-3-Clause */
/* test_kernels_norm.h — BatchNormalization, ReLU and pooling in one pass, for test_kernels.c. */
#ifndef DCNN_TEST_KERNELS_NORM_H
#define DCNN_TEST_KERNELS_NORM_H

#include "testing.h"

#include "kernels/bf16.h"
#include "kernels/kernels.h"

/* Images with rows and columns that no window has; channels in tiles, vectors and tails; one position. */
static const dcnn_pool norm_shapes[] = {
    /* n, h, w, c, windows, strides, pads, oh, ow */
    {2, 5, 4, 64, 1, 1, 1, 1, 0, 0, 5, 4, false, false, false},
    {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, false, false, false},
    {3, 3, 3, 37, 1, 1, 1, 1, 0, 0, 3, 3, false, false, false},
    {2, 4, 6, 64, 2, 2, 2, 2, 0, 0, 2, 3, false, false, false},
    {2, 5, 7, 37, 2, 2, 2, 2, 0, 0, 2, 3, false, false, false},
    {1, 2, 2, 3, 2, 2, 2, 2, 0, 0, 1, 1, false, false, false},
    {3, 3, 5, 133, 2, 2, 2, 2, 0, 0, 1, 2, false, false, false},
    {1, 8, 3, 16, 2, 2, 2, 2, 0, 0, 4, 1, false, false, false},
};
enum { NORM_SHAPES = sizeof norm_shapes / sizeof norm_shapes[0] };

typedef struct norm_case {
    const dcnn_pool *shape;
    size_t in, out, channels;
    const float *x, *dy, *scale, *shift, *mean, *inverse, *a, *b, *e;
    float *y;
    uint8_t *argmax; /* NULL: windows of one cell */
} norm_case;

static norm_case norm_case_of(const dcnn_kernels *slow, int i) {
    const dcnn_pool *s = &norm_shapes[i];
    norm_case t = {.shape = s, .channels = (size_t)s->c};
    t.in = (size_t)(s->n * s->h * s->w) * t.channels;
    t.out = (size_t)(s->n * s->oh * s->ow) * t.channels;
    t.x = test_random(t.in, 81);
    t.dy = test_random(t.out, 82);
    t.scale = test_random(t.channels, 83); /* some negative */
    t.shift = test_random(t.channels, 84);
    t.mean = test_random(t.channels, 85);
    t.inverse = test_random_between(t.channels, 86, 0.5, 2);
    t.a = test_random(t.channels, 87);
    t.b = test_random(t.channels, 88);
    t.e = test_random(t.channels, 89);
    t.y = test_floats(t.out);
    t.argmax = s->r == 2 ? test_output(t.out) : NULL;
    slow->norm_relu_forward(s, t.x, t.scale, t.shift, t.y, t.argmax);
    return t;
}

static void test_norm_relu_of_halves(const dcnn_kernels *fast, const dcnn_kernels *slow);

static void test_norm_relu_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < NORM_SHAPES; i++) {
        const norm_case t = norm_case_of(slow, i);
        float *y = test_floats(t.out), *again = test_floats(t.out), *bad = test_copy(t.in, t.x);
        uint8_t *argmax = t.argmax ? test_output(t.out) : NULL;
        fast->norm_relu_forward(t.shape, t.x, t.scale, t.shift, y, argmax);
        fast->norm_relu_forward(t.shape, t.x, t.scale, t.shift, again, NULL);
        test_close("y", t.out, y, t.y, 2e-7, 0);
        assert_memory_equal(again, y, t.out * sizeof(float));
        if (argmax) assert_memory_equal(argmax, t.argmax, t.out);
        bad[0] = NAN;
        fast->norm_relu_forward(t.shape, bad, t.scale, t.shift, y, argmax);
        assert_true(isnan(y[0]));
        test_release();
    }
    test_norm_relu_of_halves(fast, slow);
    test_norm_relu_of_halves(slow, slow);
}

static void test_norm_relu_sums(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < NORM_SHAPES; i++) {
        const norm_case t = norm_case_of(slow, i);
        double *sums = test_output(2 * t.channels * sizeof(double));
        double *expected = test_output(2 * t.channels * sizeof(double));
        fast->norm_relu_sums(t.shape, t.x, t.dy, t.argmax, t.scale, t.shift, t.mean, t.inverse, sums);
        slow->norm_relu_sums(t.shape, t.x, t.dy, t.argmax, t.scale, t.shift, t.mean, t.inverse, expected);
        test_close_double("sum of g", t.channels, sums, expected, 1e-12, 1e-12);
        test_close_double("sum of g x", t.channels, sums + t.channels, expected + t.channels,
                          2e-7 * (double)(t.in / t.channels), 0);
        test_release();
    }
}

static void test_norm_relu_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < NORM_SHAPES; i++) {
        const norm_case t = norm_case_of(slow, i);
        float *dx = test_floats(t.in), *expected = test_floats(t.in);
        fast->norm_relu_backward(t.shape, t.x, t.dy, t.argmax, t.scale, t.shift, t.a, t.b, t.e, dx);
        slow->norm_relu_backward(t.shape, t.x, t.dy, t.argmax, t.scale, t.shift, t.a, t.b, t.e, expected);
        test_close("dx", t.in, dx, expected, 5e-7, 0);
        test_release();
    }
}

/* Arrays of bf16, those before or those behind the operation, or both: what floats give that are rounded before and
 * after. */
typedef struct half_case {
    dcnn_pool shape;
    float *x, *dy;
    void *x_half, *dy_half, *y, *dx;
} half_case;

static void *rounded(size_t count, const float *from, float *floats) {
    uint16_t *halves = test_output(count * sizeof *halves);
    for (size_t i = 0; i < count; i++) floats[i] = bf16_widen(halves[i] = bf16_round(from[i]));
    return halves;
}

static half_case half_case_of(const norm_case *t, int formats) {
    half_case h = {.shape = *t->shape, .x = test_floats(t->in), .dy = test_floats(t->out)};
    h.shape.x_half = formats % 2;
    h.shape.y_half = formats / 2 % 2;
    h.shape.linear = formats / 4;
    h.x_half = rounded(t->in, t->x, h.x);
    h.dy_half = rounded(t->out, t->dy, h.dy);
    h.y = test_output(t->out * sizeof(float));
    h.dx = test_output(t->in * sizeof(float));
    if (!h.shape.x_half) h.x_half = h.x;
    if (!h.shape.y_half) h.dy_half = h.dy;
    return h;
}

static void check_numbers(const char *what, size_t count, const void *actual, bool half, const float *expected) {
    for (size_t i = 0; i < count; i++) {
        const float number = half ? bf16_widen(bf16_round(expected[i])) : expected[i];
        if (bf16_read(actual, half, i) != number) fail_msg("%s [%zu]: not as of floats", what, i);
    }
}

/* The kernels of the layers one by one. */
static void check_without_relu(const dcnn_kernels *table, const norm_case *t, const float *x, const float *y,
                               const uint8_t *codes) {
    float *affine = test_floats(t->in), *pooled = test_floats(t->out);
    uint16_t *cells = test_output(t->out * sizeof *cells);
    table->affine(t->in / t->channels, t->shape->c, x, t->scale, t->shift, affine);
    table->max_pool_forward(t->shape, affine, pooled, cells);
    test_close("affine and largest", t->out, y, pooled, 2e-7, 0);
    for (size_t at = 0; at < t->out && codes; at++) assert_int_equal(codes[at], cells[at]);
}

static void test_norm_relu_of_halves(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < NORM_SHAPES; i++)
        for (int formats = 0; formats < 8; formats++) {
            const norm_case t = norm_case_of(slow, i);
            const half_case h = half_case_of(&t, formats);
            dcnn_pool floats = *t.shape;
            floats.linear = h.shape.linear;
            float *y = test_floats(t.out), *dx = test_floats(t.in);
            uint8_t *argmax = t.argmax ? test_output(t.out) : NULL, *codes = argmax ? test_output(t.out) : NULL;
            double *sums = test_output(2 * t.channels * sizeof(double));
            double *expected = test_output(2 * t.channels * sizeof(double));
            fast->norm_relu_forward(&floats, h.x, t.scale, t.shift, y, codes);
            fast->norm_relu_forward(&h.shape, h.x_half, t.scale, t.shift, h.y, argmax);
            check_numbers("y", t.out, h.y, h.shape.y_half, y);
            if (floats.linear) check_without_relu(fast, &t, h.x, y, codes);
            if (argmax) assert_memory_equal(argmax, codes, t.out);
            fast->norm_relu_sums(&floats, h.x, h.dy, codes, t.scale, t.shift, t.mean, t.inverse, expected);
            fast->norm_relu_sums(&h.shape, h.x_half, h.dy_half, codes, t.scale, t.shift, t.mean, t.inverse, sums);
            assert_memory_equal(sums, expected, 2 * t.channels * sizeof *sums);
            fast->norm_relu_backward(&floats, h.x, h.dy, codes, t.scale, t.shift, t.a, t.b, t.e, dx);
            fast->norm_relu_backward(&h.shape, h.x_half, h.dy_half, codes, t.scale, t.shift, t.a, t.b, t.e, h.dx);
            check_numbers("dx", t.in, h.dx, h.shape.x_half, dx);
            test_release();
        }
}

/* Odd sizes, padding, strides, more positions than a block holds, one alone; a NaN reaches every product that it is in.
 */
static void test_patch_products(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    static const dcnn_conv shapes[] = {
        {2, 28, 28, 1, 5, 3, 3, 1, 1, 0, 0, 26, 26, 1, 1, 1, false, false, false, false},
        {3, 7, 5, 2, 5, 3, 3, 1, 1, 1, 1, 7, 5, 1, 1, 1, false, false, false, false},
        {1, 3, 3, 1, 5, 3, 3, 1, 1, 0, 0, 1, 1, 1, 1, 1, false, false, false, false},
        {2, 9, 12, 3, 5, 3, 3, 2, 2, 0, 1, 4, 6, 1, 1, 1, false, false, false, false},
        {2, 4, 300, 3, 5, 3, 3, 1, 1, 1, 1, 4, 300, 1, 1, 1, false, false, false, false},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const dcnn_conv *s = &shapes[i];
        const size_t inputs = (size_t)(s->n * s->h * s->w * s->c), side = (size_t)(9 * s->c + 1), count = side * side;
        float *x = test_copy(inputs, test_random(inputs, 91));
        double *products = test_output(count * sizeof(double)), *expected = test_output(count * sizeof(double));
        slow->patch_products(s, x, expected);
        fast->patch_products(s, x, products);
        test_close_double("products", count, products, expected, 1e-12, 1e-12);
        assert_true(products[count - 1] == s->n * s->oh * s->ow);
        x[0] = NAN;
        slow->patch_products(s, x, expected);
        fast->patch_products(s, x, products);
        for (size_t at = 0; at < count; at++) assert_int_equal(isnan(products[at]), isnan(expected[at]));
        test_release();
    }
}

#endif
