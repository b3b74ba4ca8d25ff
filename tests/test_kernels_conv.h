/* SPDX-License-Identifier: BSD-3-Clause */
/** @file test_kernels_conv.h — the convolution half of test_kernels.c, which alone includes it. */
#ifndef DCNN_TESTS_TEST_KERNELS_CONV_H
#define DCNN_TESTS_TEST_KERNELS_CONV_H

#include "testing.h"

#include "kernels/kernels.h"

/* --- convolution ------------------------------------------------------------------------------------------------ */

static const dcnn_conv convolutions[] = {
    /* n, h, w, c, k, r, s, strides, pads, oh, ow */
    {1, 3, 3, 1, 1, 3, 3, 1, 1, 0, 0, 1, 1, 1, 1, 1, false, false, false, false}, /* the smallest */
    {2, 7, 5, 3, 5, 3, 3, 1, 1, 0, 0, 5, 3, 1, 1, 1, false, false, false, false}, /* three channels, odd sizes */
    {1, 6, 9, 1, 33, 2, 5,     1,     1,     0,
     0, 5, 5, 1, 1,  1, false, false, false, false}, /* an oblong filter, one channel, one sample */
    {3, 8, 8, 3, 17, 5, 5,     2,     2,     1,
     1, 4, 4, 1, 1,  1, false, false, false, false}, /* 'same' with stride 2: one zero above, two below */
    {2, 5, 6, 19, 18, 1, 1, 1, 1, 0, 0, 5, 6, 1, 1, 1, false, false, false, false}, /* 1x1: x is a matrix already */
    {2, 5, 5, 4, 3, 1, 1, 2, 2, 0, 0, 3, 3, 1, 1, 1, false, false, false, false},   /* 1x1 with stride */
    {2, 6, 6, 33, 20, 3, 3,     1,     1,     1,
     1, 6, 6, 1,  1,  1, false, false, false, false}, /* 'same' with more channels than a vector */
    {2, 9, 7, 5, 6, 2, 3,     3,     2,     0,
     1, 3, 4, 1, 1, 1, false, false, false, false}, /* strides differ; a row of the image is never read */
    {1, 2, 2, 2, 3, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 1, false, false, false, false}, /* a filter larger than the image */
    {2, 5, 4, 3, 7, 3, 3,     1,     1,     1,
     2, 5, 5, 1, 1, 1, false, false, false, false}, /* zeros to the right beyond the filter's reach */
    {4, 20, 20, 32, 8, 3, 3, 1, 1, 0, 0, 18, 18, 1, 1, 1, false, false, false, false},  /* few filters */
    {1, 4, 300, 100, 2, 3, 3, 1, 1, 0, 0, 2, 298, 1, 1, 1, false, false, false, false}, /* long lines */
    {2, 8, 7, 48, 16, 3, 3,     1,     1,     1,
     1, 8, 7, 1,  1,  1, false, false, false, false}, /* whole vectors; an odd number of columns, and of vectors */
    {16, 4, 4, 70, 100, 3, 3,     1,     1,     1,
     1,  4, 4, 1,  1,   1, false, false, false, false}, /* small images, several slices of channels */
    {5, 9, 9, 32, 33, 3, 3, 1, 1, 0, 0, 7, 7, 1, 1, 1, false, false, false, false}, /* 'valid': dx is 'full' */
    {3, 6, 6, 16, 64, 3, 3, 1, 1, 2, 2, 8, 8, 1, 1, 1, false, false, false, false}, /* 'full': dx is 'valid' */
    {2, 16, 16, 40, 48, 3, 3,     2,     2,     0,
     0, 8,  8,  1,  1,  1, false, false, false, false}, /* 'same' with stride 2, four phases */
    {2, 11, 12, 7, 10, 5, 5, 1, 1, 2, 2, 11, 12, 1, 1, 1, false, false, false, false}, /* 5x5 'same' */
    {1, 9, 9, 6, 5, 2, 2,     4,     3,     0,
     0, 2, 3, 1, 1, 1, false, false, false, false}, /* stride beyond the filter: phases without taps */
    {20, 7, 7, 24, 40, 1, 1, 1, 1, 0, 0, 7, 7, 1, 1, 1, false, false, false, false}, /* 1x1 on small images: one line */
    {2, 12, 12, 48, 20, 1, 1, 1, 1, 0, 0, 12, 12, 1, 1, 1, false, false, false, false}, /* 1x1 on large ones */
    {3, 14, 14, 1, 6, 5, 5,     1,     1,     0,
     0, 10, 10, 1, 1, 1, false, false, false, false}, /* LeNet-5's first layer, smaller */
    {2, 29, 29, 1, 8, 4, 3,     2,     1,     1,
     1, 14, 29, 1, 1, 1, false, false, false, false}, /* one channel, 8 filters, an odd number of outputs a line */
    {3, 5, 2, 1, 1, 1, 1,     1,     1,     0,
     0, 5, 2, 1, 1, 1, false, false, false, false}, /* 1x1 of one channel: one line of all images */
    {2, 6, 47, 1, 2, 3, 5,     1,     1,     1,
     4, 6, 50, 1, 1, 1, false, false, false, false}, /* two filters, zeros on both sides of long lines */
    {2, 2, 1, 17, 16, 3, 3, 1, 1, 1, 1, 2, 1, 1, 1, 1, false, false, false, false}, /* smaller than a tile */
};
enum {
    NAMED_CONVOLUTIONS = sizeof convolutions / sizeof convolutions[0],
    RANDOM_CONVOLUTIONS = 40,
    CONVOLUTIONS = NAMED_CONVOLUTIONS + RANDOM_CONVOLUTIONS,
};

static int random_int(size_t index, int low, int high) {
    return (int)test_uniform(29, index, low, high + 1);
}

/* Convolution number i: one of the above, or a random one; half of those are 3x3 with stride 1. */
static dcnn_conv convolution(int i) {
    if (i < NAMED_CONVOLUTIONS) return convolutions[i];
    const size_t at = 16 * (size_t)i;
    const bool winograd = i % 2 == 0;
    dcnn_conv shape = {.n = random_int(at, 1, 4), .c = random_int(at + 1, 1, 50), .k = random_int(at + 2, 1, 50)};
    shape.r = winograd ? 3 : random_int(at + 3, 1, 5);
    shape.s = winograd ? 3 : random_int(at + 4, 1, 5);
    shape.stride_h = winograd ? 1 : random_int(at + 5, 1, 4);
    shape.stride_w = winograd ? 1 : random_int(at + 6, 1, 4);
    shape.pad_h = random_int(at + 7, 0, shape.r - 1);
    shape.pad_w = random_int(at + 8, 0, shape.s - 1);
    shape.oh = random_int(at + 9, 1, 9);
    shape.ow = random_int(at + 10, 1, 20 / shape.stride_w);
    /* The filter's last row reaches up to r - 1 rows below the image, or leaves some of it unread. */
    shape.h = (shape.oh - 1) * shape.stride_h + shape.r - shape.pad_h - random_int(at + 11, 0, shape.r - 1) +
              random_int(at + 12, 0, 2);
    shape.w = (shape.ow - 1) * shape.stride_w + shape.s - shape.pad_w - random_int(at + 13, 0, shape.s - 1) +
              random_int(at + 14, 0, 2);
    if (shape.h < 1) shape.h = 1;
    if (shape.w < 1) shape.w = 1;
    return shape;
}

/* The same at inference, 3x3 with stride 2 in place of the random ones, and many channels: by tiles, where these are
 * full enough. */
static dcnn_conv convolution_at_inference(int i) {
    static const int sizes[][2] = {{8, 8}, {4, 4}, {8, 7}, {12, 11}, {7, 7}, {5, 20}, {16, 4}, {3, 3}};
    dcnn_conv shape = convolution(i);
    shape.inference = true;
    if (i < NAMED_CONVOLUTIONS) return shape;
    const int *size = sizes[i % 8], over = i / 8 % 3; /* beside the image: none, right and below, left and above */
    shape.r = shape.s = 3;
    shape.stride_h = shape.stride_w = 2;
    shape.c = shape.c % 35 + 16 - i % 2;
    shape.k = shape.k % 35 + 16;
    shape.oh = size[0];
    shape.ow = size[1];
    shape.pad_h = shape.pad_w = over == 2;
    shape.h = 2 * size[0] + 1 - (over > 0);
    shape.w = 2 * size[1] + 1 - (over > 0);
    return shape;
}

typedef struct conv_sizes {
    size_t x, w, y, k, depth; /* floats of x, w, y; filters; multiply-adds of one output */
} conv_sizes;

static conv_sizes sizes_of(const dcnn_conv *shape) {
    const size_t depth = (size_t)(shape->r * shape->s * shape->c), k = (size_t)shape->k;
    return (conv_sizes){(size_t)shape->n * (size_t)(shape->h * shape->w * shape->c), depth * k,
                        (size_t)shape->n * (size_t)(shape->oh * shape->ow) * k, k, depth};
}

/* Scratch of exactly the told size, aligned as the contract says; full of NaNs. Freed by the caller. */
static float *scratch_of(size_t count) {
    float *scratch = aligned_alloc(64, (count * sizeof(float) + 64) / 64 * 64);
    assert_non_null(scratch);
    memset(scratch, TEST_UNWRITTEN, count * sizeof(float));
    return scratch;
}

/* fp32 sums of `terms` products of values in [-1, 1): ten times what was seen, far below a lost term. */
static double sum_bound(size_t terms) {
    return 2e-6 + 2e-7 * (double)terms;
}

/* The rms of errors, of the results' rms: F(4x4,3x3) reaches 1.2e-6, sums as they stand 2e-7. Few results say little.
 */
static void check_mean_error(const char *what, size_t count, const float *actual, const float *expected) {
    double errors = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        errors += ((double)actual[i] - expected[i]) * ((double)actual[i] - expected[i]);
        squares += (double)expected[i] * expected[i];
    }
    if (count >= 100) test_close_one(what, count, sqrt(errors / squares), 0, 2e-6, 0);
}

/* Packed weights, of exactly the told size. Freed by test_release(). */
static float *packed_of(const dcnn_kernels *kernels, const dcnn_conv *shape, const float *w) {
    float *packed = test_floats(kernels->conv_packed(shape));
    kernels->conv_pack(shape, w, packed, 0, 1);
    return packed;
}

static void test_conv_packed(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < CONVOLUTIONS; i++) {
        const dcnn_conv shape = convolution(i);
        assert_int_equal(slow->conv_packed(&shape), sizes_of(&shape).w);
        assert_true(fast->conv_packed(&shape) >= sizes_of(&shape).w);
        const dcnn_conv other = convolution_at_inference(i);
        assert_int_equal(slow->conv_packed(&other), sizes_of(&other).w);
        assert_true(fast->conv_packed(&other) >= sizes_of(&other).w);
    }
}

/* The shares of any number of workers make the same bits, also more workers than there is work. */
static void test_conv_pack(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    (void)slow;
    for (int i = 0; i < 2 * CONVOLUTIONS; i++) {
        const dcnn_conv numbered = i % 2 ? convolution(i / 2) : convolution_at_inference(i / 2), *shape = &numbered;
        const size_t count = fast->conv_packed(shape);
        const float *w = test_random(sizes_of(shape).w, 31);
        const float *whole = packed_of(fast, shape, w), *again = packed_of(fast, shape, w);
        float *shares = test_floats(count);
        for (int part = 98; part >= 0; part--) fast->conv_pack(shape, w, shares, part, 99);
        assert_memory_equal(again, whole, count * sizeof(float));
        assert_memory_equal(shares, whole, count * sizeof(float));
        test_release();
    }
}

static void test_conv_scratch(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < CONVOLUTIONS; i++) {
        const dcnn_conv shape = convolution(i);
        assert_int_equal(slow->conv_scratch(&shape), 0);
        assert_int_equal(fast->conv_scratch(&shape), fast->conv_scratch(&shape));
    }
}

static void check_conv_forward(const dcnn_kernels *fast, const dcnn_kernels *slow, const dcnn_conv *shape, bool biased,
                               dcnn_fused fused) {
    const conv_sizes size = sizes_of(shape);
    const float *x = test_random(size.x, 30), *w = test_random(size.w, 31);
    const float *bias = biased ? test_random(size.k, 32) : NULL;
    float *y = test_floats(size.y), *expected = test_floats(size.y), *scratch = scratch_of(fast->conv_scratch(shape));
    fast->conv_forward(shape, x, packed_of(fast, shape, w), bias, fused, y, scratch);
    slow->conv_forward(shape, x, w, bias, fused, expected, NULL);
    free(scratch);
    test_close("y", size.y, y, expected, sum_bound(size.depth), 0);
    check_mean_error("rms of y's errors", size.y, y, expected);
    test_release();
}

/* Where the reference has a NaN, there is one; none in another sample. */
static void check_nan_reaches(const char *what, size_t samples, size_t count, const float *actual,
                              const float *expected) {
    for (size_t sample = 0; sample < samples; sample++) {
        size_t wanted = 0, found = 0;
        for (size_t i = sample * count; i < (sample + 1) * count; i++) {
            wanted += isnan(expected[i]) ? 1 : 0;
            found += isnan(actual[i]) ? 1 : 0;
            if (isnan(expected[i]) && !isnan(actual[i])) fail_msg("%s[%zu] is %g, not NaN", what, i, actual[i]);
        }
        if (wanted == 0 && found > 0) fail_msg("%s: sample %zu has %zu NaN, expected none", what, sample, found);
    }
}

/* A NaN in each of x's and dy's cells in turn reaches all that is made of it, by either way. */
static void check_conv_nan(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    static const dcnn_conv shapes[] = {{2, 7, 9, 17, 18, 3, 3, 1, 1, 1, 1, 7, 9, 1, 1, 1, false, false, false, false},
                                       {2, 5, 7, 3, 18, 3, 3, 2, 2, 1, 1, 3, 4, 1, 1, 1, false, false, false, false}};
    for (int i = 0; i < 2; i++) {
        const dcnn_conv *shape = &shapes[i];
        const conv_sizes size = sizes_of(shape);
        float *x = test_random(size.x, 35), *dy = test_random(size.y, 36), *w = test_random(size.w, 37);
        const float *packed = packed_of(fast, shape, w);
        float *scratch = scratch_of(fast->conv_scratch(shape));
        float *y[2] = {test_floats(size.y), test_floats(size.y)}, *dx[2] = {test_floats(size.x), test_floats(size.x)};
        float *dw[2] = {test_floats(size.w), test_floats(size.w)};
        for (size_t cell = 0; cell < size.x / 2; cell += (size_t)shape->c + 1) {
            const float kept = x[cell];
            x[cell] = NAN;
            fast->conv_forward(shape, x, packed, NULL, DCNN_FUSED_RELU, y[0], scratch);
            slow->conv_forward(shape, x, w, NULL, DCNN_FUSED_RELU, y[1], NULL);
            check_nan_reaches("y", 2, size.y / 2, y[0], y[1]);
            fast->conv_backward_filter(shape, x, dy, dw[0], NULL, scratch);
            slow->conv_backward_filter(shape, x, dy, dw[1], NULL, NULL);
            check_nan_reaches("dw", 1, size.w, dw[0], dw[1]);
            x[cell] = kept;
        }
        for (size_t cell = 0; cell < size.y / 2; cell += (size_t)shape->k + 1) {
            const float kept = dy[cell];
            dy[cell] = NAN;
            fast->conv_backward_input(shape, dy, packed, dx[0], scratch);
            slow->conv_backward_input(shape, dy, w, dx[1], NULL);
            check_nan_reaches("dx", 2, size.x / 2, dx[0], dx[1]);
            fast->conv_backward_filter(shape, x, dy, dw[0], NULL, scratch);
            slow->conv_backward_filter(shape, x, dy, dw[1], NULL, NULL);
            check_nan_reaches("dw", 1, size.w, dw[0], dw[1]);
            dy[cell] = kept;
        }
        free(scratch);
        test_release();
    }
}

/* At inference a convolution with stride 2 is made by tiles, where they are full enough, which shows in the last bits;
 * a sample has the same bits alone, and a NaN reaches all that it should. */
static void check_conv_strided(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = NAMED_CONVOLUTIONS; i < CONVOLUTIONS; i++) {
        dcnn_conv shape = convolution_at_inference(i), training = shape;
        training.inference = false;
        const conv_sizes size = sizes_of(&shape);
        const size_t xs = size.x / (size_t)shape.n, ys = size.y / (size_t)shape.n,
                     tiles = (size_t)((shape.oh + 3) / 4 * ((shape.ow + 3) / 4));
        const bool full = 810 * tiles <= 63 * (size_t)(shape.oh * shape.ow) && shape.c >= 16;
        float *x = test_random(size.x, 35), *w = test_random(size.w, 37);
        float *scratch = scratch_of(fast->conv_scratch(&shape)), *other = scratch_of(fast->conv_scratch(&training));
        float *y[3] = {test_floats(size.y), test_floats(size.y), test_floats(size.y)};
        const float *packed = packed_of(fast, &shape, w);
        fast->conv_forward(&shape, x, packed, NULL, DCNN_FUSED_NONE, y[0], scratch);
        fast->conv_forward(&training, x, packed_of(fast, &training, w), NULL, DCNN_FUSED_NONE, y[1], other);
        assert_int_equal(memcmp(y[0], y[1], size.y * sizeof(float)) != 0, full && strcmp(fast->isa, slow->isa) != 0);
        dcnn_conv alone = shape;
        alone.n = 1;
        for (size_t n = 0; n < (size_t)shape.n; n++)
            fast->conv_forward(&alone, x + n * xs, packed, NULL, DCNN_FUSED_NONE, y[2] + n * ys, scratch);
        assert_memory_equal(y[2], y[0], size.y * sizeof(float));
        for (size_t cell = 0; cell < xs; cell += 3 * (size_t)shape.c + 1) {
            const float kept = x[cell];
            x[cell] = NAN;
            fast->conv_forward(&shape, x, packed, NULL, DCNN_FUSED_RELU, y[0], scratch);
            slow->conv_forward(&shape, x, w, NULL, DCNN_FUSED_RELU, y[1], NULL);
            check_nan_reaches("y", (size_t)shape.n, ys, y[0], y[1]);
            x[cell] = kept;
        }
        free(scratch);
        free(other);
        test_release();
    }
}

static void test_conv_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < CONVOLUTIONS; i++) {
        const dcnn_conv shape = convolution(i);
        check_conv_forward(fast, slow, &shape, true, DCNN_FUSED_RELU);
        check_conv_forward(fast, slow, &shape, false, DCNN_FUSED_NONE);
        const dcnn_conv other = convolution_at_inference(i);
        check_conv_forward(fast, slow, &other, i % 3 == 0, i % 2 ? DCNN_FUSED_NONE : DCNN_FUSED_RELU);
    }
    check_conv_forward(fast, slow, &convolutions[1], true, DCNN_FUSED_NONE);
    check_conv_forward(fast, slow, &convolutions[1], false, DCNN_FUSED_RELU);
    check_conv_strided(fast, slow);
}

static void test_conv_backward_input(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < CONVOLUTIONS; i++) {
        const dcnn_conv numbered = convolution(i), *shape = &numbered;
        const conv_sizes size = sizes_of(shape);
        const float *dy = test_random(size.y, 33), *w = test_random(size.w, 34);
        float *dx = test_floats(size.x), *expected = test_floats(size.x);
        float *scratch = scratch_of(fast->conv_scratch(shape));
        fast->conv_backward_input(shape, dy, packed_of(fast, shape, w), dx, scratch);
        slow->conv_backward_input(shape, dy, w, expected, NULL);
        free(scratch);
        test_close("dx", size.x, dx, expected, sum_bound((size_t)(shape->r * shape->s * shape->k)), 0);
        check_mean_error("rms of dx's errors", size.x, dx, expected);
        test_release();
    }
}

static void test_conv_backward_filter(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < CONVOLUTIONS; i++) {
        const dcnn_conv numbered = convolution(i), *shape = &numbered;
        const conv_sizes size = sizes_of(shape);
        const float *x = test_random(size.x, 35), *dy = test_random(size.y, 36);
        float *dw = test_floats(size.w), *expected = test_floats(size.w), *again = test_floats(size.w);
        float *dbias = test_floats(size.k), *expected_dbias = test_floats(size.k);
        float *scratch = scratch_of(fast->conv_scratch(shape));
        fast->conv_backward_filter(shape, x, dy, dw, dbias, scratch);
        fast->conv_backward_filter(shape, x, dy, again, NULL, scratch);
        slow->conv_backward_filter(shape, x, dy, expected, expected_dbias, NULL);
        free(scratch);
        test_close("dw", size.w, dw, expected, sum_bound(size.y / size.k), 0);
        check_mean_error("rms of dw's errors", size.w, dw, expected);
        test_close("dbias", size.k, dbias, expected_dbias, sum_bound(size.y / size.k), 0);
        assert_memory_equal(again, dw, size.w * sizeof(float));
        test_release();
    }
    check_conv_nan(fast, slow);
}

/* Both gradients at once have the bits of each alone; either may be left out. */
static void test_conv_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    (void)slow;
    for (int i = 0; i < CONVOLUTIONS; i++) {
        const dcnn_conv numbered = convolution(i), *shape = &numbered;
        const conv_sizes size = sizes_of(shape);
        const float *x = test_random(size.x, 35), *dy = test_random(size.y, 36), *w = test_random(size.w, 34);
        float *dx[3], *dw[3], *dbias[3], *packed = packed_of(fast, shape, w);
        float *scratch = scratch_of(fast->conv_scratch(shape));
        for (int k = 0; k < 3; k++) {
            dx[k] = test_floats(size.x);
            dw[k] = test_floats(size.w);
            dbias[k] = test_floats(size.k);
        }
        fast->conv_backward_input(shape, dy, packed, dx[0], scratch);
        fast->conv_backward_filter(shape, x, dy, dw[0], dbias[0], scratch);
        fast->conv_backward(shape, x, packed, dy, dx[1], dw[1], dbias[1], scratch);
        fast->conv_backward(shape, x, packed, dy, dx[2], NULL, NULL, scratch);
        fast->conv_backward(shape, x, packed, dy, NULL, dw[2], dbias[2], scratch);
        free(scratch);
        for (int k = 1; k < 3; k++) {
            assert_memory_equal(dx[k], dx[0], size.x * sizeof(float));
            assert_memory_equal(dw[k], dw[0], size.w * sizeof(float));
            assert_memory_equal(dbias[k], dbias[0], size.k * sizeof(float));
        }
        test_release();
    }
}

/* Of products of bf16 alone, with which test_bf16.c holds both. */
static void test_conv_halves(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < CONVOLUTIONS; i++) {
        const dcnn_conv shape = convolution(i);
        assert_false(fast->conv_halves(&shape));
        assert_false(slow->conv_halves(&shape));
    }
}

/* In fp32 there are the plain loops only. */
static void test_conv_relu_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    (void)fast;
    for (int i = 0; i < CONVOLUTIONS; i += 7) {
        const dcnn_conv numbered = convolution(i), *shape = &numbered;
        const conv_sizes size = sizes_of(shape);
        const float *x = test_random(size.x, 35), *dy = test_random(size.y, 36), *w = test_random(size.w, 34);
        const float *y = test_random(size.y, 37);
        float *passed = test_floats(size.y), *scratch = test_floats(size.y);
        float *dx = test_floats(size.x), *dw = test_floats(size.w), *dbias = test_floats(size.k);
        float *expected_dx = test_floats(size.x), *expected_dw = test_floats(size.w);
        slow->relu_backward(size.y, y, dy, passed);
        slow->conv_backward(shape, x, w, passed, expected_dx, expected_dw, dbias, NULL);
        slow->conv_relu_backward(shape, x, w, y, dy, dx, dw, dbias, scratch);
        assert_memory_equal(dx, expected_dx, size.x * sizeof(float));
        assert_memory_equal(dw, expected_dw, size.w * sizeof(float));
        test_release();
    }
}

/* --- convolution + bias + ReLU + MaxPooling --------------------------------------------------------------------- */

/* The recipe's three layers come first: on a SIMD instruction set they must fit. */
enum { RECIPE_LAYERS = 3 };
static const dcnn_conv pooled_convolutions[] = {
    {3, 28, 28, 1, 64, 3, 3, 1, 1, 0, 0, 26, 26, 1, 1, 1, false, false, false, false},
    {3, 13, 13, 64, 128, 3, 3, 1, 1, 0, 0, 11, 11, 1, 1, 1, false, false, false, false},
    {3, 5, 5, 128, 256, 3, 3, 1, 1, 0, 0, 3, 3, 1, 1, 1, false, false, false, false},
    {1, 4, 4, 1, 1, 3, 3, 1, 1, 0, 0, 2, 2, 1, 1, 1, false, false, false, false},
    {2, 9, 6, 3, 5, 3, 3, 1, 1, 0, 0, 7, 4, 1, 1, 1, false, false, false, false},
    {1, 8, 8, 16, 16, 3, 3, 1, 1, 1, 1, 8, 8, 1, 1, 1, false, false, false, false},
    {2, 7, 7, 17, 33, 3, 3, 1, 1, 1, 1, 7, 7, 1, 1, 1, false, false, false, false},
    {16, 5, 5, 32, 48, 3, 3, 1, 1, 0, 0, 3, 3, 1, 1, 1, false, false, false, false},
    {2, 9, 11, 3, 20, 5, 5, 1, 1, 2, 2, 9, 11, 1, 1, 1, false, false, false, false},
    {2, 8, 8, 6, 8, 3, 3, 2, 2, 0, 0, 3, 3, 1, 1, 1, false, false, false, false},
    {1, 6, 6, 4, 18, 1, 1, 1, 1, 0, 0, 6, 6, 1, 1, 1, false, false, false, false},
    {17, 12, 12, 1, 40, 3, 3, 1, 1, 0, 0, 10, 10, 1, 1, 1, false, false, false, false},
    {2, 10, 10, 3, 64, 3, 3, 1, 1, 1, 1, 10, 10, 1, 1, 1, false, false, false, false},
    {3, 14, 6, 64, 64, 3, 3, 1, 1, 1, 1, 14, 6, 1, 1, 1, false, false, false, false},
    {16, 28, 28, 1, 64, 3, 3, 1, 1, 0, 0, 26, 26, 1, 1, 1, false, false, false, false},
    {1, 21, 17, 20, 24, 3, 3, 1, 1, 0, 0, 19, 15, 1, 1, 1, false, false, false, false},
};
enum { POOLED_CONVOLUTIONS = sizeof pooled_convolutions / sizeof pooled_convolutions[0] };

/* One shape's data and what is expected of it; `scale` NULL in every second shape. */
typedef struct pooled_case {
    const dcnn_conv *shape;
    conv_sizes size;
    size_t pooled;                       /* floats of y */
    float *x, *scale, *shift, *w, *bias; /* given */
    float *packed, *scratch;             /* the fast kernels' */
    float *y;                            /* expected */
    uint8_t *argmax;
} pooled_case;

/* w -> packed in three shares, out of order. */
static void pack_in_shares(const dcnn_kernels *fast, const pooled_case *c) {
    fast->conv_pool_pack(c->shape, c->w, c->packed, 2, 3);
    fast->conv_pool_pack(c->shape, c->w, c->packed, 0, 3);
    fast->conv_pool_pack(c->shape, c->w, c->packed, 1, 3);
}

static pooled_case make_pooled_case(const dcnn_kernels *fast, const dcnn_kernels *slow, int i) {
    pooled_case c = {.shape = &pooled_convolutions[i], .size = sizes_of(&pooled_convolutions[i])};
    const size_t channels = (size_t)c.shape->c;
    c.pooled = (size_t)c.shape->n * (size_t)(c.shape->oh / 2 * (c.shape->ow / 2)) * c.size.k;
    c.x = test_random(c.size.x, 40);
    if (i % 2 || i == 2) {
        c.scale = test_random_between(channels, 41, 0.5, 1);
        c.shift = test_random_between(channels, 42, -0.25, 0.25);
    }
    c.w = test_random(c.size.w, 43);
    c.bias = test_random(c.size.k, 44);
    c.packed = test_floats(fast->conv_pool_packed(c.shape));
    c.scratch = scratch_of(fast->conv_pool_scratch(c.shape));
    c.y = test_floats(c.pooled);
    c.argmax = test_output(c.pooled);
    pack_in_shares(fast, &c);
    slow->conv_pool_forward(c.shape, c.x, c.scale, c.shift, c.w, c.bias, c.y, c.argmax, NULL);
    return c;
}

static void release_pooled_case(pooled_case *c) {
    free(c->scratch);
    test_release();
}

static void test_conv_pool_fits(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < POOLED_CONVOLUTIONS; i++) assert_true(slow->conv_pool_fits(&pooled_convolutions[i]));
    for (int i = 0; i < RECIPE_LAYERS; i++) assert_true(fast->conv_pool_fits(&pooled_convolutions[i]));
    const dcnn_conv too_small = {1, 3, 5, 1, 16, 3, 3, 1, 1, 0, 0, 1, 3, 1, 1, 1, false, false, false, false};
    assert_false(fast->conv_pool_fits(&too_small));
}

static void test_conv_pool_scratch(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < POOLED_CONVOLUTIONS; i++) assert_int_equal(slow->conv_pool_scratch(&pooled_convolutions[i]), 0);
    (void)fast; /* that it is enough shows in the kernels' own tests, under AddressSanitizer */
}

static void test_conv_pool_packed(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < POOLED_CONVOLUTIONS; i++) {
        const dcnn_conv *shape = &pooled_convolutions[i];
        assert_int_equal(slow->conv_pool_packed(shape), sizes_of(shape).w);
        if (fast->conv_pool_fits(shape)) assert_true(fast->conv_pool_packed(shape) > 0);
    }
}

/* The shares of any number of workers make the same bits, also more workers than there is work. */
static void test_conv_pool_pack(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < POOLED_CONVOLUTIONS; i++) {
        if (!fast->conv_pool_fits(&pooled_convolutions[i])) continue;
        pooled_case c = make_pooled_case(fast, slow, i);
        const size_t count = fast->conv_pool_packed(c.shape);
        float *whole = test_floats(count), *shares = test_floats(count);
        fast->conv_pool_pack(c.shape, c.w, whole, 0, 1);
        for (int part = 63; part >= 0; part--) fast->conv_pool_pack(c.shape, c.w, shares, part, 64);
        assert_memory_equal(c.packed, whole, count * sizeof(float));
        assert_memory_equal(shares, whole, count * sizeof(float));
        release_pooled_case(&c);
    }
}

/* Winograd F(5x5,3x3), which may do larger images, errs ten times more than F(2x2,3x3), within 8e-5 of the rms. */
static double output_bound(const pooled_case *c) {
    const bool may_be_wide = c->shape->c > 1 && c->shape->oh >= 6 && c->shape->ow >= 6;
    return (may_be_wide ? 16 : 2) * sum_bound(c->size.depth);
}

/* Where two cells of a window nearly tie, either may be the argmax: the one named must be as large as y says. */
static void check_argmax(const dcnn_kernels *slow, const pooled_case *c, const uint8_t *argmax, double bound) {
    const dcnn_conv *shape = c->shape;
    float *seen = test_copy(c->size.x, c->x), *z = test_floats(c->size.y);
    if (c->scale) slow->affine(c->size.x / (size_t)shape->c, shape->c, c->x, c->scale, c->shift, seen);
    slow->conv_forward(shape, seen, c->w, c->bias, DCNN_FUSED_NONE, z, NULL);
    const size_t k = c->size.k, ow = (size_t)shape->ow, ph = (size_t)shape->oh / 2, pw = ow / 2;
    for (size_t at = 0; at < c->pooled; at++) {
        if (argmax[at] == DCNN_SHUT) {
            test_close_one("y where argmax is shut", at, 0, c->y[at], bound, 0);
            continue;
        }
        assert_in_range(argmax[at], 0, 3);
        const size_t filter = at % k, j = at / k % pw, i = at / k / pw % ph, n = at / k / pw / ph;
        const size_t row = n * (size_t)shape->oh + 2 * i + argmax[at] / 2, column = 2 * j + argmax[at] % 2;
        const float value = z[(row * ow + column) * k + filter];
        test_close_one("cell named by argmax", at, value > 0 ? value : 0, c->y[at], bound, 0);
    }
}

/* With weights of zero all four cells of a window are the bias: the first is the argmax. */
static void check_ties(const dcnn_kernels *fast, const pooled_case *c) {
    float *w = test_random_between(c->size.w, 46, 0, 0), *bias = test_random_between(c->size.k, 47, 0.5, 1);
    float *packed = test_floats(fast->conv_pool_packed(c->shape)), *y = test_floats(c->pooled);
    uint8_t *argmax = test_output(c->pooled);
    fast->conv_pool_pack(c->shape, w, packed, 0, 1);
    fast->conv_pool_forward(c->shape, c->x, c->scale, c->shift, packed, bias, y, argmax, c->scratch);
    for (size_t at = 0; at < c->pooled; at++) {
        assert_int_equal(argmax[at], 0);
        assert_true(y[at] == bias[at % c->size.k]);
    }
}

/* A NaN in the input reaches every output that sees it. */
static void check_pooled_nan(const dcnn_kernels *fast, const pooled_case *c) {
    const float kept = c->x[0];
    float *y = test_floats(c->pooled);
    c->x[0] = NAN;
    fast->conv_pool_forward(c->shape, c->x, c->scale, c->shift, c->packed, c->bias, y, NULL, c->scratch);
    c->x[0] = kept;
    for (size_t k = 0; k < c->size.k; k++) assert_true(isnan(y[k]));
}

static void test_conv_pool_forward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < POOLED_CONVOLUTIONS; i++) {
        if (!fast->conv_pool_fits(&pooled_convolutions[i])) continue;
        pooled_case c = make_pooled_case(fast, slow, i);
        const double bound = output_bound(&c);
        float *y = test_floats(c.pooled), *again = test_floats(c.pooled);
        uint8_t *argmax = test_output(c.pooled);
        fast->conv_pool_forward(c.shape, c.x, c.scale, c.shift, c.packed, c.bias, y, argmax, c.scratch);
        fast->conv_pool_forward(c.shape, c.x, c.scale, c.shift, c.packed, c.bias, again, NULL, c.scratch);
        test_close("y", c.pooled, y, c.y, bound, 0);
        assert_memory_equal(again, y, c.pooled * sizeof(float));
        for (size_t at = 0; at < c.pooled; at++) assert_int_equal(argmax[at] == DCNN_SHUT, y[at] == 0);
        check_argmax(slow, &c, argmax, bound);
        check_ties(fast, &c);
        check_pooled_nan(fast, &c);
        release_pooled_case(&c);
    }
}

static void test_conv_pool_backward(const dcnn_kernels *fast, const dcnn_kernels *slow) {
    for (int i = 0; i < POOLED_CONVOLUTIONS; i++) {
        if (!fast->conv_pool_fits(&pooled_convolutions[i])) continue;
        pooled_case c = make_pooled_case(fast, slow, i);
        const float *dy = test_random(c.pooled, 45);
        float *dx[2] = {test_floats(c.size.x), test_floats(c.size.x)};
        float *dw[3] = {test_floats(c.size.w), test_floats(c.size.w), test_floats(c.size.w)};
        float *dbias[3] = {test_floats(c.size.k), test_floats(c.size.k), test_floats(c.size.k)};
        slow->conv_pool_backward(c.shape, c.x, c.scale, c.shift, c.w, c.argmax, dy, dx[0], dw[0], dbias[0], NULL);
        fast->conv_pool_backward(c.shape, c.x, c.scale, c.shift, c.packed, c.argmax, dy, dx[1], dw[1], dbias[1],
                                 c.scratch);
        fast->conv_pool_backward(c.shape, c.x, c.scale, c.shift, c.packed, c.argmax, dy, NULL, dw[2], dbias[2],
                                 c.scratch);
        const double bound = 2 * sum_bound(c.pooled / c.size.k);
        test_close("dx", c.size.x, dx[1], dx[0], 2 * sum_bound((size_t)(c.shape->r * c.shape->s) * c.size.k), 0);
        for (int run = 1; run < 3; run++) {
            test_close("dw", c.size.w, dw[run], dw[0], bound, 0);
            test_close("dbias", c.size.k, dbias[run], dbias[0], bound, 0);
        }
        release_pooled_case(&c);
    }
}

#endif
