/* SPDX-License-Identifier: BSD-3-Clause */
/* test_kernels_vectors.h — tests of kernels over vectors: sums, activations, general convolutions, updates of weights.
 */
#ifndef DCNN_TESTS_KERNELS_VECTORS_H
#define DCNN_TESTS_KERNELS_VECTORS_H

#include "testing.h"

#include "kernels/kernels.h"

enum { COUNTS = 10 };
static const size_t counts[COUNTS] = {0, 1, 3, 4, 15, 16, 17, 33, 100, 1003};

static void test_add(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < COUNTS; i++) {
        const size_t count = counts[i];
        const float *a = test_random(count, 1), *b = test_random(count, 2);
        float *expected = test_floats(count), *sum = test_floats(count);
        float *over_a = test_copy(count, a), *over_b = test_copy(count, b);
        slow->add(count, a, b, expected);
        fast->add(count, a, b, sum);
        fast->add(count, over_a, b, over_a);
        fast->add(count, a, over_b, over_b);
        assert_memory_equal(sum, expected, count * sizeof(float));
        assert_memory_equal(over_a, expected, count * sizeof(float));
        assert_memory_equal(over_b, expected, count * sizeof(float));
        test_release();
    }
}

typedef void forward_kernel(size_t count, const float *x, float *y);
typedef void backward_kernel(size_t count, const float *y, const float *dy, float *dx);

static void check_forward(forward_kernel *fast, forward_kernel *slow, double range, double absolute, double relative) {
    for (int i = 0; i < COUNTS; i++) {
        const size_t count = counts[i];
        const float *x = test_random_between(count, 3, -range, range);
        float *expected = test_floats(count), *y = test_floats(count), *over = test_copy(count, x);
        slow(count, x, expected);
        fast(count, x, y);
        fast(count, over, over);
        test_close("y", count, y, expected, absolute, relative);
        assert_memory_equal(over, y, count * sizeof(float));
        test_release();
    }
}

static void check_backward(backward_kernel *fast, backward_kernel *slow, double absolute) {
    for (int i = 0; i < COUNTS; i++) {
        const size_t count = counts[i];
        const float *y = test_random(count, 4), *dy = test_random(count, 5);
        float *expected = test_floats(count), *dx = test_floats(count), *over = test_copy(count, dy);
        slow(count, y, dy, expected);
        fast(count, y, dy, dx);
        fast(count, y, over, over);
        test_close("dx", count, dx, expected, absolute, 0);
        assert_memory_equal(over, dx, count * sizeof(float));
        test_release();
    }
}

static void test_relu_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    check_forward(fast->relu_forward, slow->relu_forward, 1, 0, 0);
}

static void test_relu_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    check_backward(fast->relu_backward, slow->relu_backward, 0);
    float y[3] = {0.0f, -0.0f, 1.0f}, dy[3] = {1, 1, 1}, dx[3];
    fast->relu_backward(3, y, dy, dx);
    assert_true(dx[0] == 0 && dx[1] == 0 && dx[2] == 1);
}

static void test_sigmoid_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    check_forward(fast->sigmoid_forward, slow->sigmoid_forward, 20, 1e-30, 2e-6);
    check_forward(fast->sigmoid_forward, slow->sigmoid_forward, 1000, 1e-30, 2e-5);
}

static void test_sigmoid_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    check_backward(fast->sigmoid_backward, slow->sigmoid_backward, 5e-7);
}

static void test_tanh_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    check_forward(fast->tanh_forward, slow->tanh_forward, 2, 0, 5e-7);
    check_forward(fast->tanh_forward, slow->tanh_forward, 1e-3, 0, 5e-7);
    check_forward(fast->tanh_forward, slow->tanh_forward, 1000, 0, 5e-7);
}

static void test_tanh_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    check_backward(fast->tanh_backward, slow->tanh_backward, 5e-7);
}

static const float function_settings[3] = {1.5f, 0.25f, 0.5f};

static void test_function_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int f = 0; f < DCNN_FUNCTION_COUNT; f++)
        for (int i = 0; i < COUNTS; i++) {
            const size_t count = counts[i];
            const float *x = test_random_between(count, 3, -6, 6);
            float *expected = test_floats(count), *y = test_floats(count), *over = test_copy(count, x);
            slow->function_forward((dcnn_function)f, function_settings, count, x, expected);
            fast->function_forward((dcnn_function)f, function_settings, count, x, y);
            fast->function_forward((dcnn_function)f, function_settings, count, over, over);
            test_close("y", count, y, expected, 5e-7, 5e-7);
            assert_memory_equal(over, y, count * sizeof(float));
            test_release();
        }
}

static void test_function_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int f = 0; f < DCNN_FUNCTION_COUNT; f++)
        for (int i = 0; i < COUNTS; i++) {
            const size_t count = counts[i];
            const float *x = test_random_between(count, 3, -6, 6), *dy = test_random(count, 5);
            float *expected = test_floats(count), *dx = test_floats(count), *over = test_copy(count, dy);
            slow->function_backward((dcnn_function)f, function_settings, count, x, dy, expected);
            fast->function_backward((dcnn_function)f, function_settings, count, x, dy, dx);
            fast->function_backward((dcnn_function)f, function_settings, count, x, over, over);
            test_close("dx", count, dx, expected, 5e-7, 5e-7);
            assert_memory_equal(over, dx, count * sizeof(float));
            test_release();
        }
}

static void test_scale_by(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < COUNTS; i++) {
        const size_t count = counts[i];
        const float *factors = test_random(count, 6), *dy = test_random(count, 7);
        float *expected = test_floats(count), *dx = test_floats(count);
        slow->scale_by(count, factors, dy, expected);
        fast->scale_by(count, factors, dy, dx);
        for (size_t at = 0; at < count; at++) assert_true(expected[at] == factors[at] * dy[at]);
        assert_memory_equal(dx, expected, count * sizeof(float));
        test_release();
    }
}

/* Dilation, groups, depthwise with and without a multiplier, strides and padding. */
static const dcnn_conv general_shapes[] = {
    {2, 9, 8, 6, 6, 3, 3, 1, 1, 1, 1, 9, 8, 1, 1, 6, false, false, false, false},
    {2, 9, 8, 5, 10, 3, 2, 2, 1, 0, 0, 4, 7, 1, 1, 5, false, false, false, false},
    {3, 9, 9, 4, 7, 3, 3, 1, 1, 0, 0, 5, 5, 2, 2, 1, false, false, false, false},
    {1, 7, 6, 6, 9, 2, 3, 1, 2, 0, 1, 6, 3, 1, 1, 3, false, false, false, false},
    {2, 8, 8, 40, 40, 3, 3, 1, 1, 1, 1, 8, 8, 1, 1, 40, false, false, false, false},
    {1, 5, 5, 17, 3, 1, 1, 1, 1, 0, 0, 5, 5, 1, 1, 1, false, false, false, false},
    /* Depthwise: sides that the tiles of outputs do not divide, edges on every side, filters beyond the image. */
    {2, 9, 11, 33, 33, 3, 3, 2, 2, 0, 0, 5, 6, 1, 1, 33, false, false, false, false},
    {2, 8, 9, 17, 17, 3, 3, 2, 2, 1, 1, 4, 5, 1, 1, 17, false, false, false, false},
    {1, 13, 12, 32, 32, 3, 3, 1, 1, 0, 0, 11, 10, 1, 1, 32, false, false, false, false},
    {2, 10, 9, 20, 20, 5, 5, 1, 1, 2, 2, 10, 9, 1, 1, 20, false, false, false, false},
    {2, 11, 12, 16, 16, 5, 5, 2, 2, 1, 2, 5, 6, 1, 1, 16, false, false, false, false},
    {1, 9, 10, 18, 18, 7, 7, 1, 1, 3, 3, 9, 10, 1, 1, 18, false, false, false, false},
    {1, 9, 9, 5, 5, 7, 7, 2, 2, 3, 3, 5, 5, 1, 1, 5, false, false, false, false},
    {2, 1, 1, 19, 19, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 19, false, false, false, false},
    {1, 2, 3, 24, 24, 3, 3, 1, 1, 1, 1, 2, 3, 1, 1, 24, false, false, false, false},
    {1, 7, 7, 16, 16, 2, 4, 3, 2, 0, 1, 2, 3, 1, 1, 16, false, false, false, false},
    {1, 6, 6, 16, 16, 1, 1, 2, 2, 0, 0, 3, 3, 1, 1, 16, false, false, false, false},
    {2, 70, 40, 16, 16, 3, 3, 1, 2, 1, 1, 70, 20, 1, 1, 16, false, false, false, false},
};
enum { GENERAL_SHAPES = sizeof general_shapes / sizeof general_shapes[0] };

/* Which of the three kernels; each against the reference. */
static void check_general(const dcnn_kernels *fast, const dcnn_kernels *slow, int which) {
    for (int i = 0; i < GENERAL_SHAPES; i++) {
        const dcnn_conv *s = &general_shapes[i];
        const size_t xs = (size_t)(s->n * s->h * s->w * s->c), ys = (size_t)(s->n * s->oh * s->ow * s->k);
        const size_t ws = (size_t)(s->r * s->s * s->c / s->groups * s->k);
        const size_t count = which == 0 ? ys : which == 1 ? xs : ws;
        const float *x = test_random(xs, 1), *dy = test_random(ys, 2), *w = test_random(ws, 3);
        const float *bias = i % 2 ? test_random((size_t)s->k, 4) : NULL;
        float *results[2] = {test_floats(count), test_floats(count)};
        for (int k = 0; k < 2; k++) {
            const dcnn_kernels *kernels = k == 0 ? fast : slow;
            if (which == 0) kernels->general_forward(s, x, w, bias, results[k]);
            if (which == 1) kernels->general_backward_input(s, dy, w, results[k]);
            if (which == 2) kernels->general_backward_filter(s, x, dy, results[k]);
        }
        test_close("result", count, results[0], results[1], 2e-5, 2e-5);
        test_release();
    }
}

/* A NaN of x or dy goes where the plain loops take it, and nowhere else. */
static void check_general_nan(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < GENERAL_SHAPES; i++) {
        const dcnn_conv *s = &general_shapes[i];
        const size_t xs = (size_t)(s->n * s->h * s->w * s->c), ys = (size_t)(s->n * s->oh * s->ow * s->k);
        const size_t ws = (size_t)(s->r * s->s * s->c / s->groups * s->k);
        float *x = test_copy(xs, test_random(xs, 1)), *dy = test_copy(ys, test_random(ys, 2));
        const float *w = test_random(ws, 3);
        float *y[2] = {test_floats(ys), test_floats(ys)}, *dx[2] = {test_floats(xs), test_floats(xs)};
        float *dw[2] = {test_floats(ws), test_floats(ws)};
        x[xs / 3] = NAN;
        dy[ys / 2] = NAN;
        for (int k = 0; k < 2; k++) {
            const dcnn_kernels *kernels = k == 0 ? fast : slow;
            kernels->general_forward(s, x, w, NULL, y[k]);
            kernels->general_backward_input(s, dy, w, dx[k]);
            kernels->general_backward_filter(s, x, dy, dw[k]);
        }
        for (size_t at = 0; at < ys; at++) assert_int_equal(isnan(y[0][at]), isnan(y[1][at]));
        for (size_t at = 0; at < xs; at++) assert_int_equal(isnan(dx[0][at]), isnan(dx[1][at]));
        for (size_t at = 0; at < ws; at++) assert_int_equal(isnan(dw[0][at]), isnan(dw[1][at]));
        test_release();
    }
}

static void test_general_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    check_general(fast, slow, 0);
    check_general_nan(fast, slow);
}

static void test_general_backward_input(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    check_general(fast, slow, 1);
}

static void test_general_backward_filter(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    check_general(fast, slow, 2);
}

static void test_adam(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < COUNTS; i++) {
        const size_t count = counts[i];
        const float *zeros = test_random_between(count, 6, 0, 0), *start = test_random(count, 7);
        float *m[2] = {test_copy(count, zeros), test_copy(count, zeros)};
        float *v[2] = {test_copy(count, zeros), test_copy(count, zeros)};
        float *p[2] = {test_copy(count, start), test_copy(count, start)};
        for (uint32_t t = 1; t <= 4; t++) {
            const float *gradient = test_random_between(count, 7 + t, -100, 100);
            const dcnn_adam_step step = {1e-2f / (float)t, 0.9f, 0.999f, 1e-7f, 1.0f / 128};
            fast->adam(count, &step, gradient, m[0], v[0], p[0]);
            slow->adam(count, &step, gradient, m[1], v[1], p[1]);
        }
        test_close("m", count, m[0], m[1], 1e-7, 1e-6);
        test_close("v", count, v[0], v[1], 1e-9, 1e-6);
        test_close("parameter", count, p[0], p[1], 1e-6, 1e-6);
        test_release();
    }
}

static void test_sgd_momentum(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < COUNTS; i++) {
        const size_t count = counts[i];
        const float *start = test_random(count, 7), *resting = test_random_between(count, 6, -1e-2, 1e-2);
        float *velocity[2] = {test_copy(count, resting), test_copy(count, resting)};
        float *p[2] = {test_copy(count, start), test_copy(count, start)};
        for (uint32_t t = 1; t <= 4; t++) {
            const float *gradient = test_random_between(count, 7 + t, -100, 100);
            const dcnn_sgd_momentum_step step = {1e-2f * (float)t, 0.9f, 1e-3f, 1.0f / 128};
            fast->sgd_momentum(count, &step, gradient, velocity[0], p[0]);
            slow->sgd_momentum(count, &step, gradient, velocity[1], p[1]);
        }
        test_close("velocity", count, velocity[0], velocity[1], 1e-7, 1e-6);
        test_close("parameter", count, p[0], p[1], 1e-6, 1e-6);
        test_release();
    }
}

static void test_lamb_direction(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < COUNTS; i++) {
        const size_t count = counts[i];
        const float *zeros = test_random_between(count, 6, 0, 0), *parameter = test_random(count, 7);
        float *m[2] = {test_copy(count, zeros), test_copy(count, zeros)};
        float *v[2] = {test_copy(count, zeros), test_copy(count, zeros)};
        for (uint32_t t = 1; t <= 4; t++) {
            const float *gradient = test_random_between(count, 7 + t, -100, 100);
            float *g[2] = {test_copy(count, gradient), test_copy(count, gradient)};
            const dcnn_adam_step step = {1.0f / (float)t, 0.9f, 0.999f, 1e-6f, 1.0f / 128};
            fast->lamb_direction(count, &step, 0.02f, g[0], m[0], v[0], parameter);
            slow->lamb_direction(count, &step, 0.02f, g[1], m[1], v[1], parameter);
            test_close("direction", count, g[0], g[1], 1e-6, 2e-6);
        }
        test_close("m", count, m[0], m[1], 1e-7, 1e-6);
        test_close("v", count, v[0], v[1], 1e-9, 1e-6);
        test_release();
    }
}

static void test_axpy(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < COUNTS; i++) {
        const size_t count = counts[i];
        const float *direction = test_random(count, 5), *start = test_random(count, 7);
        float *p[2] = {test_copy(count, start), test_copy(count, start)};
        for (int own = 0; own < 2; own++) {
            fast->axpy(count, 0.3f, own ? p[0] : direction, p[0]);
            slow->axpy(count, 0.3f, own ? p[1] : direction, p[1]);
        }
        test_close("parameter", count, p[0], p[1], 1e-7, 1e-6);
        test_release();
    }
}

static void test_sum_squares(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < COUNTS; i++) {
        const float *x = test_random_between(counts[i], 5, -1e4, 1e4);
        const double sums[2] = {fast->sum_squares(counts[i], x), slow->sum_squares(counts[i], x)};
        test_close_double("sum", 1, &sums[0], &sums[1], 0, 1e-13);
        test_release();
    }
}

#endif
