/* SPDX-License-Identifier: BSD-3-Clause */
/* test_kernels.c — every kernel of every instruction set of this machine against the reference.
 *
 * DCNN_KERNEL_LIST makes the list of tests: a kernel without its test_<name> does not compile. The reference itself is
 * held to values made by hand and to adjointness in test_reference.c. */
#include "testing.h"

#include "kernels/bf16.h"
#include "kernels/kernels.h"
#include "test_kernels_conv.h"
#include "test_kernels_conv_max.h"
#include "test_kernels_norm.h"
#include "test_kernels_vectors.h"

/* Rows and columns: fewer than a vector, whole vectors, more than a tile of vectors, tails. */
static const struct {
    size_t rows;
    int columns;
} matrices[] = {{1, 1}, {5, 3}, {7, 10}, {3, 16}, {33, 17}, {9, 64}, {4, 70}, {6, 200}, {700, 5}};
enum { MATRICES = sizeof matrices / sizeof matrices[0] };

typedef void kernel_test(const dcnn_kernels *fast, const dcnn_kernels *slow);

/* --- matrices --------------------------------------------------------------------------------------------------- */

static void check_sgemm(const dcnn_kernels *fast, const dcnn_kernels *slow, bool ta, bool tb, int m, int n, int k,
                        float beta) {
    const int lda = (ta ? m : k) + 2, ldb = (tb ? k : n) + 1, ldc = n + 3;
    const float *a = test_random((size_t)(lda * (ta ? k : m)), 11), *b = test_random((size_t)(ldb * (tb ? n : k)), 12);
    const float *old = test_random((size_t)(ldc * m), 13);
    float *expected = test_copy((size_t)(ldc * m), old), *c = test_copy((size_t)(ldc * m), old);
    if (beta == 0)
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) c[i * ldc + j] = NAN;
    fast->sgemm(ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc);
    slow->sgemm(ta, tb, m, n, k, a, lda, b, ldb, beta, expected, ldc);
    test_close("c", (size_t)(ldc * m), c, expected, 1e-6 + 2e-7 * k, 0);
    test_release();
}

static void test_sgemm(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    static const int shapes[][3] = {{1, 1, 1}, {3, 5, 7}, {17, 16, 9}, {40, 10, 100}, {33, 65, 300}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int flags = 0; flags < 12; flags++)
            check_sgemm(fast, slow, flags % 2, flags / 2 % 2, shapes[i][0], shapes[i][1], shapes[i][2],
                        0.5f * (float)(flags / 4));
}

static void test_bias(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < 4 * MATRICES; i++) {
        const size_t rows = matrices[i / 4].rows;
        const int columns = matrices[i / 4].columns;
        const size_t count = rows * (size_t)columns;
        const float *x = test_random(count, 14), *bias = i % 2 ? test_random((size_t)columns, 15) : NULL;
        const dcnn_fused fused = i / 2 % 2 ? DCNN_FUSED_RELU : DCNN_FUSED_NONE;
        float *y = test_copy(count, x), *expected = test_copy(count, x);
        fast->bias(rows, columns, bias, fused, y);
        slow->bias(rows, columns, bias, fused, expected);
        test_close("y", count, y, expected, 0, 0);
        test_release();
    }
}

static void test_column_sums(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MATRICES; i++) {
        const size_t columns = (size_t)matrices[i].columns;
        const float *x = test_random(matrices[i].rows * columns, 16);
        float *sums = test_floats(columns), *expected = test_floats(columns);
        fast->column_sums(matrices[i].rows, matrices[i].columns, x, sums);
        slow->column_sums(matrices[i].rows, matrices[i].columns, x, expected);
        test_close("sums", columns, sums, expected, 1e-6, 1e-6);
        test_release();
    }
}

static void test_softmax_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < 2 * MATRICES; i++) {
        const size_t rows = matrices[i / 2].rows, count = rows * (size_t)matrices[i / 2].columns;
        const double range = i % 2 ? 300 : 5; /* exp(300) overflows unless the row's top is taken off first */
        const float *x = test_random_between(count, 17, -range, range);
        float *y = test_floats(count), *expected = test_floats(count), *over = test_copy(count, x);
        fast->softmax_forward(rows, matrices[i / 2].columns, x, y);
        fast->softmax_forward(rows, matrices[i / 2].columns, over, over);
        slow->softmax_forward(rows, matrices[i / 2].columns, x, expected);
        /* Of exp(-69) = 1e-30 the argument alone is rounded by up to 4e-6. */
        test_close("y", count, y, expected, 1e-30, i % 2 ? 5e-6 : 2e-6);
        assert_memory_equal(over, y, count * sizeof(float));
        test_release();
    }
}

static void test_softmax_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MATRICES; i++) {
        const size_t rows = matrices[i].rows, count = rows * (size_t)matrices[i].columns;
        const float *y = test_random(count, 18), *dy = test_random(count, 19);
        float *dx = test_floats(count), *expected = test_floats(count), *over = test_copy(count, dy);
        fast->softmax_backward(rows, matrices[i].columns, y, dy, dx);
        fast->softmax_backward(rows, matrices[i].columns, y, over, over);
        slow->softmax_backward(rows, matrices[i].columns, y, dy, expected);
        test_close("dx", count, dx, expected, 1e-6, 1e-6);
        assert_memory_equal(over, dx, count * sizeof(float));
        test_release();
    }
}

static void check_cross_entropy(const dcnn_kernels *fast, const dcnn_kernels *slow, size_t rows, int classes) {
    const size_t count = rows * (size_t)classes;
    float *x = test_random_between(count, 20, -4, 4);
    int32_t *labels = test_input(rows * sizeof(int32_t));
    for (size_t i = 0; i < count; i++) x[i] = rintf(x[i]); /* ties: the first largest must win */
    for (size_t i = 0; i < rows; i++) labels[i] = (int32_t)test_uniform(21, i, 0, classes);
    float *y = test_floats(count), *dx = test_floats(count), *over = test_copy(count, x);
    float *expected_y = test_floats(count), *expected_dx = test_floats(count);
    double loss = NAN, expected_loss = NAN;
    int64_t correct = -1, expected_correct = -1;
    slow->cross_entropy(rows, classes, x, labels, expected_y, expected_dx, &expected_loss, &expected_correct);
    fast->cross_entropy(rows, classes, x, labels, y, NULL, &loss, &correct);
    test_close_one("loss", 0, loss, expected_loss, 1e-6 * (double)rows, 1e-6);
    assert_int_equal(correct, expected_correct);
    fast->cross_entropy(rows, classes, x, labels, y, dx, &loss, &correct);
    test_close("y", count, y, expected_y, 1e-30, 2e-6);
    test_close("dx", count, dx, expected_dx, 1e-6, 2e-6);
    fast->cross_entropy(rows, classes, over, labels, y, over, &loss, &correct);
    assert_memory_equal(over, dx, count * sizeof(float));
    test_close_one("loss in place", 0, loss, expected_loss, 1e-6 * (double)rows, 1e-6);
    assert_int_equal(correct, expected_correct);
    x[count / 2] = NAN;
    fast->cross_entropy(rows, classes, x, labels, y, dx, &loss, &correct);
    assert_true(isnan(loss));
    test_release();
}

static void test_cross_entropy(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MATRICES; i++) check_cross_entropy(fast, slow, matrices[i].rows, matrices[i].columns);
}

/* --- pooling ---------------------------------------------------------------------------------------------------- */

static const dcnn_pool poolings[] = {
    /* n, h, w, c, r, s, strides, pads, oh, ow */
    {1, 2, 2, 1, 2, 2, 2, 2, 0, 0, 1, 1, false, false, false},
    {2, 7, 5, 3, 2, 2, 2, 2, 0, 0, 3, 2, false, false, false},
    {2, 6, 7, 17, 3, 3, 2, 2, 0, 1, 3, 4, false, false, false}, /* 'same' with stride 2: windows overlap and reach
                                                                   outside */
    {1, 5, 5, 16, 3, 3, 1, 1, 1, 1, 5, 5, false, false, false},
    {3, 4, 9, 40, 2, 3, 1, 2, 0, 0, 3, 4, false, false, false},
    {2, 5, 6, 20, 5, 6, 5, 6, 0, 0, 1, 1, false, false, false}, /* global */
};
enum { POOLINGS = sizeof poolings / sizeof poolings[0] };

static size_t pool_input(const dcnn_pool *shape) {
    return (size_t)(shape->n * shape->h * shape->w * shape->c);
}

static size_t pool_output(const dcnn_pool *shape) {
    return (size_t)(shape->n * shape->oh * shape->ow * shape->c);
}

static void test_max_pool_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < POOLINGS; i++) {
        const dcnn_pool *shape = &poolings[i];
        const size_t from = pool_input(shape), to = pool_output(shape);
        float *x = test_random_between(from, 50, -5, -1);
        for (size_t at = 0; at < from; at++) x[at] = rintf(x[at]); /* ties; and no zero of the padding may win */
        float *y = test_floats(to), *expected = test_floats(to), *again = test_floats(to);
        uint16_t *argmax = test_output(to * sizeof(uint16_t)), *expected_argmax = test_output(to * sizeof(uint16_t));
        fast->max_pool_forward(shape, x, y, argmax);
        fast->max_pool_forward(shape, x, again, NULL);
        slow->max_pool_forward(shape, x, expected, expected_argmax);
        assert_memory_equal(y, expected, to * sizeof(float));
        assert_memory_equal(again, expected, to * sizeof(float));
        assert_memory_equal(argmax, expected_argmax, to * sizeof(uint16_t));
        x[shape->w > 1 ? shape->c : 0] = NAN; /* not the cell that a search starts from */
        fast->max_pool_forward(shape, x, y, argmax);
        assert_true(isnan(y[0]));
        test_release();
    }
}

static void test_max_pool_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < POOLINGS; i++) {
        const dcnn_pool *shape = &poolings[i];
        const size_t from = pool_input(shape), to = pool_output(shape);
        const float *x = test_random(from, 51), *dy = test_random(to, 52);
        float *y = test_floats(to), *dx = test_floats(from), *expected = test_floats(from);
        uint16_t *argmax = test_output(to * sizeof(uint16_t));
        slow->max_pool_forward(shape, x, y, argmax);
        fast->max_pool_backward(shape, argmax, dy, dx);
        slow->max_pool_backward(shape, argmax, dy, expected);
        test_close("dx", from, dx, expected, 1e-6, 0);
        test_release();
    }
}

static void test_average_pool_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < POOLINGS; i++) {
        const dcnn_pool *shape = &poolings[i];
        const float *x = test_random(pool_input(shape), 53);
        float *y = test_floats(pool_output(shape)), *expected = test_floats(pool_output(shape));
        fast->average_pool_forward(shape, x, y);
        slow->average_pool_forward(shape, x, expected);
        test_close("y", pool_output(shape), y, expected, 5e-7, 0);
        test_release();
    }
}

static void test_average_pool_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < POOLINGS; i++) {
        const dcnn_pool *shape = &poolings[i];
        const float *dy = test_random(pool_output(shape), 54);
        float *dx = test_floats(pool_input(shape)), *expected = test_floats(pool_input(shape));
        fast->average_pool_backward(shape, dy, dx);
        slow->average_pool_backward(shape, dy, expected);
        test_close("dx", pool_input(shape), dx, expected, 1e-6, 0);
        test_release();
    }
}

/* --- BatchNormalization ----------------------------------------------------------------------------------------- */

static void test_moments(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MATRICES; i++) {
        const size_t rows = matrices[i].rows, channels = (size_t)matrices[i].columns;
        float *x =
            test_random_between(rows * channels, 60, 999, 1001); /* a mean that a float sum of squares drowns in */
        double *sums = test_output(2 * channels * sizeof(double)),
               *expected = test_output(2 * channels * sizeof(double));
        fast->moments(rows, matrices[i].columns, x, sums);
        slow->moments(rows, matrices[i].columns, x, expected);
        test_close_double("sums", 2 * channels, sums, expected, 0, 1e-13);
        x[channels - 1] = NAN;
        fast->moments(rows, matrices[i].columns, x, sums);
        assert_true(isnan(sums[channels - 1]) && isnan(sums[2 * channels - 1]));
        test_release();
    }
}

static void test_half_moments(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MATRICES; i++) {
        const size_t rows = matrices[i].rows, channels = (size_t)matrices[i].columns, count = rows * channels;
        const float *from = test_random_between(count, 60, 999, 1001);
        uint16_t *x = test_output(count * sizeof *x);
        float *widened = test_floats(count);
        double *sums = test_output(2 * channels * sizeof(double)),
               *expected = test_output(2 * channels * sizeof(double));
        for (size_t k = 0; k < count; k++) widened[k] = bf16_widen(x[k] = bf16_round(from[k]));
        fast->half_moments(rows, matrices[i].columns, x, sums);
        slow->half_moments(rows, matrices[i].columns, x, expected);
        test_close_double("sums", 2 * channels, sums, expected, 0, 1e-13);
        slow->moments(rows, matrices[i].columns, widened, expected);
        test_close_double("sums of the same floats", 2 * channels, sums, expected, 0, 1e-13);
        test_release();
    }
}

static void test_affine(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MATRICES; i++) {
        const size_t rows = matrices[i].rows, channels = (size_t)matrices[i].columns, count = rows * channels;
        const float *x = test_random(count, 61), *scale = test_random(channels, 62), *shift = test_random(channels, 63);
        float *y = test_floats(count), *expected = test_floats(count), *over = test_copy(count, x);
        fast->affine(rows, matrices[i].columns, x, scale, shift, y);
        fast->affine(rows, matrices[i].columns, over, scale, shift, over);
        slow->affine(rows, matrices[i].columns, x, scale, shift, expected);
        test_close("y", count, y, expected, 2e-7, 0);
        assert_memory_equal(over, y, count * sizeof(float));
        test_release();
    }
}

static void test_gradient_moments(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MATRICES; i++) {
        const size_t rows = matrices[i].rows, channels = (size_t)matrices[i].columns;
        const float *x = test_random(rows * channels, 64), *dy = test_random(rows * channels, 65);
        const float *mean = test_random(channels, 66), *inverse = test_random_between(channels, 67, 0.5, 2);
        double *sums = test_output(2 * channels * sizeof(double)),
               *expected = test_output(2 * channels * sizeof(double));
        fast->gradient_moments(rows, matrices[i].columns, x, dy, mean, inverse, sums);
        slow->gradient_moments(rows, matrices[i].columns, x, dy, mean, inverse, expected);
        test_close_double("sum of dy", channels, sums, expected, 1e-12, 1e-12);
        test_close_double("sum of dy x", channels, sums + channels, expected + channels, 2e-7 * (double)rows, 0);
        test_release();
    }
}

static void test_affine_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < MATRICES; i++) {
        const size_t rows = matrices[i].rows, channels = (size_t)matrices[i].columns, count = rows * channels;
        const float *x = test_random(count, 68), *dy = test_random(count, 69), *a = test_random(channels, 70);
        const float *b = test_random(channels, 71), *e = test_random(channels, 72);
        float *dx = test_floats(count), *expected = test_floats(count), *over = test_copy(count, dy);
        fast->affine_backward(rows, matrices[i].columns, x, dy, a, b, e, dx);
        fast->affine_backward(rows, matrices[i].columns, x, over, a, b, e, over);
        slow->affine_backward(rows, matrices[i].columns, x, dy, a, b, e, expected);
        test_close("dx", count, dx, expected, 5e-7, 0);
        assert_memory_equal(over, dx, count * sizeof(float));
        test_release();
    }
}

/* --- images --------------------------------------------------------------------------------------------------- */

static uint8_t *random_bytes(size_t count, uint32_t stream) {
    uint8_t *bytes = test_input(count);
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)test_uniform(stream, i, 0, 256);
    return bytes;
}

static void test_normalise(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    static const int depths[] = {1, 2, 3, 4, 16, 17, 40};
    for (size_t i = 0; i < COUNTS * sizeof depths / sizeof depths[0]; i++) {
        const int channels = depths[i / COUNTS];
        const size_t pixels = counts[i % COUNTS], count = pixels * (size_t)channels;
        const uint8_t *x = random_bytes(count, 73);
        const float *scale = test_random((size_t)channels, 74), *shift = test_random((size_t)channels, 75);
        float *y = test_floats(count), *expected = test_floats(count);
        fast->normalise(pixels, channels, x, scale, shift, y);
        slow->normalise(pixels, channels, x, scale, shift, expected);
        test_close("y", count, y, expected, 3e-5, 0); /* values up to 256 */
        test_release();
    }
}

static void check_warp(const dcnn_kernels *fast, const dcnn_kernels *slow, int h, int w, int c, const float map[6]) {
    const size_t count = (size_t)(h * w * c);
    const uint8_t *x = random_bytes(count, 76);
    const float *scale = test_random_between((size_t)c, 77, 0.002, 0.004), *shift = test_random((size_t)c, 78);
    float *y = test_floats(count), *expected = test_floats(count);
    fast->warp(h, w, c, x, map, scale, shift, y);
    slow->warp(h, w, c, x, map, scale, shift, expected);
    test_close("y", count, y, expected, 5e-5, 0); /* a position's rounding times a step of up to 255 */
    test_release();
}

static void test_warp(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    static const int sizes[][3] = {{28, 28, 1}, {1, 1, 1}, {1, 7, 3}, {9, 33, 3}, {5, 2, 1},
                                   {7, 1, 20},  {2, 2, 1}, {2, 2, 2}, {2, 2, 3},  {3, 2, 4}};
    static const float maps[][6] = {{1, 0, 0, 0, 1, 0},                 /* as it is */
                                    {1, 0, 1.5f, 0, 1, -2.25f},         /* shifted: edges repeat */
                                    {0.98f, -0.2f, 3, 0.2f, 0.98f, -3}, /* turned */
                                    {-1.1f, 0, 27, 0, 0.9f, 1},         /* upside down and zoomed */
                                    {50, 0, -500, 0, -50, 500}};        /* mostly outside */
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t j = 0; j < sizeof maps / sizeof maps[0]; j++)
            check_warp(fast, slow, sizes[i][0], sizes[i][1], sizes[i][2], maps[j]);
        const float broken[6] = {NAN,      0, 0,
                                 INFINITY, 1, 0}; /* no bits are promised, only that nothing outside is read */
        const size_t count = (size_t)(sizes[i][0] * sizes[i][1] * sizes[i][2]);
        const float *scale = test_random((size_t)sizes[i][2], 79);
        fast->warp(sizes[i][0], sizes[i][1], sizes[i][2], random_bytes(count, 80), broken, scale, scale,
                   test_floats(count));
        test_release();
    }
}

static void test_remap(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    static const int sizes[][3] = {{28, 28, 1}, {1, 1, 1}, {1, 7, 3}, {9, 33, 3}, {5, 2, 1}, {7, 1, 20}, {3, 3, 4}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const int h = sizes[i][0], w = sizes[i][1], c = sizes[i][2];
        const size_t pixels = (size_t)(h * w), count = pixels * (size_t)c;
        const uint8_t *x = random_bytes(count, 82);
        const float *rows = test_random_between(pixels, 83, -2, h + 1), *scale = test_random((size_t)c, 85);
        const float *columns = test_random_between(pixels, 84, -2, w + 1), *shift = test_random((size_t)c, 86);
        float *y = test_floats(count), *expected = test_floats(count);
        fast->remap(h, w, c, x, rows, columns, scale, shift, y);
        slow->remap(h, w, c, x, rows, columns, scale, shift, expected);
        test_close("y", count, y, expected, 1e-2, 0); /* a position's rounding times a step of up to 255 */
        test_release();
    }
}

static void test_recolour(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    static const int depths[] = {1, 2, 3, 4, 16, 17, 40};
    for (size_t i = 0; i < COUNTS * sizeof depths / sizeof depths[0]; i++) {
        const int channels = depths[i / COUNTS];
        const size_t pixels = counts[i % COUNTS], depth = (size_t)channels, count = pixels * depth;
        const float *x = test_random_between(count, 87, 0, 255);
        const float *factor = test_random_between(channels == 3 ? 9 : depth, 88, -0.5, 1.5);
        const float *offset = test_random_between(depth, 89, -90, 90);
        const float *scale = test_random_between(depth, 90, 0.002, 0.02), *shift = test_random(depth, 91);
        float *y = test_copy(count, x), *expected = test_copy(count, x);
        fast->recolour(pixels, channels, factor, offset, scale, shift, y);
        slow->recolour(pixels, channels, factor, offset, scale, shift, expected);
        test_close("y", count, y, expected, 1e-5, 0);
        test_release();
    }
}

/* --- dense layers ----------------------------------------------------------------------------------------------- */

static const struct {
    int rows, in, units;
} denses[] = {{1, 1, 1},    {2, 3, 5},     {16, 17, 33}, {7, 64, 10}, {16, 100, 48},
              {20, 33, 64}, {16, 800, 40}, {3, 1200, 9}, {5, 20, 900}};
enum { DENSES = sizeof denses / sizeof denses[0] };

static float *dense_packed_of(const dcnn_kernels *kernels, int in, int units, const float *w) {
    float *packed = test_floats(kernels->dense_packed(in, units));
    for (int part = 2; part >= 0; part--) kernels->dense_pack(in, units, w, packed, part, 3);
    return packed;
}

static float *dense_scratch_of(const dcnn_kernels *kernels, int rows, int in, int units) {
    return scratch_of(kernels->dense_scratch(rows, in, units));
}

static void test_dense_scratch(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    assert_int_equal(slow->dense_scratch(3, 5, 7), 0);
    assert_true(fast->dense_scratch(3, 5, 7) <= fast->dense_scratch(30, 50, 70));
}

static void test_dense_packed(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    assert_int_equal(slow->dense_packed(5, 7), 0);
    assert_true(fast->dense_packed(5, 7) <= fast->dense_packed(50, 70));
}

static void test_dense_pack(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    (void)slow;
    for (int i = 0; i < DENSES; i++) {
        const int in = denses[i].in, units = denses[i].units;
        const size_t count = fast->dense_packed(in, units);
        const float *w = test_random((size_t)(in * units), 90);
        float *whole = test_floats(count);
        fast->dense_pack(in, units, w, whole, 0, 1);
        assert_memory_equal(dense_packed_of(fast, in, units, w), whole, count * sizeof(float));
        test_release();
    }
}

static void test_dense_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < 4 * DENSES; i++) {
        const int rows = denses[i / 4].rows, in = denses[i / 4].in, units = denses[i / 4].units;
        const size_t count = (size_t)(rows * units);
        const float *x = test_random((size_t)(rows * in), 91), *w = test_random((size_t)(in * units), 90);
        const float *bias = i % 2 ? test_random((size_t)units, 92) : NULL;
        const dcnn_fused fused = i / 2 % 2 ? DCNN_FUSED_RELU : DCNN_FUSED_NONE;
        float *y = test_floats(count), *expected = test_floats(count),
              *scratch = dense_scratch_of(fast, rows, in, units);
        fast->dense_forward(rows, in, units, x, w, dense_packed_of(fast, in, units, w), bias, fused, y, scratch);
        slow->dense_forward(rows, in, units, x, w, NULL, bias, fused, expected, NULL);
        test_close("y", count, y, expected, sum_bound((size_t)in), 0);
        free(scratch);
        test_release();
    }
}

static void test_dense_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < 2 * DENSES; i++) {
        const int rows = denses[i / 2].rows, in = denses[i / 2].in, units = denses[i / 2].units;
        const size_t inputs = (size_t)(rows * in), weights = (size_t)(in * units);
        const float *x = test_random(inputs, 91), *w = test_random(weights, 90);
        const float *dy = test_random((size_t)(rows * units), 93), *packed = dense_packed_of(fast, in, units, w);
        float *dx = i % 2 ? test_floats(inputs) : NULL, *dw = test_floats(weights), *dbias = test_floats((size_t)units);
        float *slow_dx = test_floats(inputs), *slow_dw = test_floats(weights), *slow_dbias = test_floats((size_t)units);
        float *scratch = dense_scratch_of(fast, rows, in, units);
        fast->dense_backward(rows, in, units, x, w, packed, dy, dx, dw, dbias, scratch);
        slow->dense_backward(rows, in, units, x, w, NULL, dy, slow_dx, slow_dw, slow_dbias, NULL);
        if (dx) test_close("dx", inputs, dx, slow_dx, sum_bound((size_t)units), 0);
        test_close("dw", weights, dw, slow_dw, sum_bound((size_t)rows), 0);
        test_close("dbias", (size_t)units, dbias, slow_dbias, sum_bound((size_t)rows), 0);
        free(scratch);
        test_release();
    }
}

/* --- the machine ------------------------------------------------------------------------------------------------ */

static void test_probe(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (size_t rounds = 0; rounds < 50; rounds += 7) {
        const float *start = test_random(DCNN_PROBE, 81);
        float *c = test_copy(DCNN_PROBE, start), *expected = test_copy(DCNN_PROBE, start);
        fast->probe(rounds, -0.75f, 0.5f, c);
        slow->probe(rounds, -0.75f, 0.5f, expected);
        test_close("c", DCNN_PROBE, c, expected, 1e-6, 0);
        if (rounds == 0) assert_memory_equal(c, start, DCNN_PROBE * sizeof(float));
        test_release();
    }
}

/* --- the walk --------------------------------------------------------------------------------------------------- */

typedef struct walk_case {
    const char *kernel;
    kernel_test *test;
    dcnn_isa isa;
    char title[64];
} walk_case;

#define TEST_ROW(result, name, arguments) {#name, test_##name, DCNN_ISA_REFERENCE, ""},
static const walk_case kernel_tests[] = {DCNN_KERNEL_LIST(TEST_ROW)};
enum { KERNELS = sizeof kernel_tests / sizeof kernel_tests[0] };

static void run_case(void **state) {
    const walk_case *walk = *state;
    walk->test(dcnn_kernels_of(walk->isa), dcnn_kernels_of(DCNN_ISA_REFERENCE));
}

int main(void) {
    static walk_case cases[KERNELS * DCNN_ISA_COUNT];
    static struct CMUnitTest tests[KERNELS * DCNN_ISA_COUNT];
    size_t count = 0;
    for (int isa = 0; isa <= (int)dcnn_isa_best(); isa++)
        for (int kernel = 0; kernel < KERNELS; kernel++, count++) {
            cases[count] = kernel_tests[kernel];
            cases[count].isa = (dcnn_isa)isa;
            snprintf(cases[count].title, sizeof cases[count].title, "%s %s", dcnn_isa_name((dcnn_isa)isa),
                     cases[count].kernel);
            tests[count] = (struct CMUnitTest){cases[count].title, run_case, NULL, NULL, &cases[count]};
        }
    (void)test_seed();
    return _cmocka_run_group_tests("kernels", tests, count, NULL, NULL);
}
