/* SPDX-License-Identifier: BSD-3-Clause */
/** @file test_conv_pool_inference.h — the fused kernels at inference, where F(4x4,3x3) may be taken; for
 * test_conv_pool.c alone. */
#ifndef DCNN_TESTS_TEST_CONV_POOL_INFERENCE_H
#define DCNN_TESTS_TEST_CONV_POOL_INFERENCE_H

static dcnn_conv inference_of(dcnn_conv shape) {
    shape.inference = true;
    return shape;
}

/* What is made of a problem's x at inference, which is to be freed. */
static float *infer(const problem *p, const dcnn_kernels *kernels) {
    const dcnn_conv shape = inference_of(p->shape);
    const size_t packed_bytes = kernels->conv_pool_packed(&shape) * sizeof(float),
                 scratch_bytes = kernels->conv_pool_scratch(&shape) * sizeof(float);
    float *y = allocate(p->y_count * sizeof(float)), *packed = allocate(packed_bytes),
          *scratch = allocate(scratch_bytes);
    for (int part = 4; part >= 0; part--) kernels->conv_pool_pack(&shape, p->w, packed, part, 5);
    kernels->conv_pool_forward(&shape, p->x, p->in_scale, p->in_shift, packed, p->bias, y, NULL, scratch);
    check_fence(y, p->y_count * sizeof(float), "y");
    check_fence(packed, packed_bytes, "packed");
    check_fence(scratch, scratch_bytes, "scratch");
    free(packed);
    free(scratch);
    return y;
}

/* Where F(4x4,3x3) takes fewer products than what training uses, which shows in the last bits. */
static const int four_sizes[][3] = {{16, 16, 1}, {8, 8, 1}, {9, 9, 1},  {11, 10, 0}, {10, 10, 0},
                                    {6, 6, 0},   {7, 9, 1}, {4, 17, 1}, {32, 8, 1},  {17, 18, 0}};
enum { FOUR_SIZES = sizeof four_sizes / sizeof *four_sizes };

static dcnn_conv four_of(int number) {
    static const int channels[] = {16, 64, 37, 20}, filters[] = {16, 130, 41};
    const int *size = four_sizes[number % FOUR_SIZES];
    const dcnn_conv shape =
        conv_of(number % 3 + 1, size[0], size[1], channels[number % 4], filters[number % 3], size[2]);
    return number / FOUR_SIZES % 2 == 0 ? shape : mean_of(shape);
}

static void check_inference(const dcnn_kernels *kernels) {
    for (int number = 0; number < 4 * FOUR_SIZES; number++) {
        const dcnn_conv training = four_of(number), shape = inference_of(training);
        const bool affine = number % 7 < 3;
        problem p;
        create_problem(&p, kernels, &training, affine);
        run_forward(&p, kernels);
        float *others = p.y;
        p.y = infer(&p, kernels);
        assert_memory_not_equal(p.y, others, p.y_count * sizeof(float));
        free(others);
        p.shape = shape;
        check_forward(&p);
        free_problem(&p);
    }
}

static void test_inference(void **state) {
    (void)state;
    for_each_isa(check_inference);
}

/* Elsewhere inference has training's bits. */
static void check_inference_alike(const dcnn_kernels *kernels) {
    const dcnn_conv shapes[] = {conv_of(3, 28, 28, 1, 64, false), conv_of(3, 13, 13, 64, 128, false),
                                conv_of(3, 5, 5, 128, 256, false), conv_of(3, 16, 16, 15, 64, true),
                                conv_of(3, 16, 16, 64, 15, true)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        problem p;
        create_problem(&p, kernels, &shapes[i], true);
        run_forward(&p, kernels);
        float *y = infer(&p, kernels);
        assert_memory_equal(y, p.y, p.y_count * sizeof(float));
        free(y);
        free_problem(&p);
    }
}

static void test_inference_alike(void **state) {
    (void)state;
    for_each_isa(check_inference_alike);
}

static void check_inference_alone(const dcnn_kernels *kernels) {
    for (int number = 0; number < 2 * FOUR_SIZES; number++) {
        dcnn_conv shape = inference_of(four_of(number));
        shape.n = 5;
        assert_alone_alike(kernels, &shape);
    }
}

static void test_inference_alone(void **state) {
    (void)state;
    for_each_isa(check_inference_alone);
}

/* A NaN reaches the windows that read it, of its image alone; what no window reads reaches none. */
static void check_inference_nan(const dcnn_kernels *kernels) {
    for (int mean = 0; mean < 2; mean++) {
        dcnn_conv shape = inference_of(conv_of(2, 11, 11, 20, 40, false));
        shape.mean = mean == 1;
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
        p.x[cell_at(&shape, 0, 5, 5) + 3] = NAN;
        run_forward(&p, kernels);
        for (int i = 1; i <= 2; i++)
            for (int j = 1; j <= 2; j++) assert_int_equal(count_nan(p.y + (i * 4 + j) * 40, 40), 40);
        assert_int_equal(count_nan(p.y + p.y_count / 2, p.y_count / 2), 0);
        p.w[7] = NAN;
        run_forward(&p, kernels);
        assert_int_equal(count_nan(p.y + p.y_count / 2, p.y_count / 2), 16);
        free_problem(&p);
    }
}

static void test_inference_nan(void **state) {
    (void)state;
    for_each_isa(check_inference_nan);
}

#endif
