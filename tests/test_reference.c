/* SPDX-License-Identifier: BSD-3-Clause */
/* test_reference.c — the reference kernels against values made by hand and against their own adjoints; the choice of
 * an instruction set; and law 2 for a kernel: same arguments, same bits, at any address. */
#include "testing.h"

#include "kernels/kernels.h"

static const dcnn_kernels *reference(void) {
    return dcnn_kernels_of(DCNN_ISA_REFERENCE);
}

static void check_values(const char *what, size_t count, const float *actual, const float *expected) {
    test_close(what, count, actual, expected, 1e-6, 1e-6);
}

/* --- by hand ---------------------------------------------------------------------------------------------------- */

static const dcnn_conv small = {1, 3, 3, 1, 1, 2, 2, 1, 1, 0, 0, 2, 2, 1, 1, 1, false, false, false, false};
static const float small_x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const float small_w[4] = {1, 2, 3, -4};

static void test_convolution_by_hand(void **state) {
    (void)state;
    /* 1 + 4 + 12 - 20, 2 + 6 + 15 - 24, 4 + 10 + 21 - 32, 5 + 12 + 24 - 36, plus 2 */
    const float bias = 2, shut[4] = {0, 1, 5, 7}, open[4] = {-3, -1, 3, 5};
    float y[4];
    reference()->conv_forward(&small, small_x, small_w, &bias, DCNN_FUSED_RELU, y, NULL);
    check_values("relu(x * w + 2)", 4, y, shut);
    reference()->conv_forward(&small, small_x, small_w, NULL, DCNN_FUSED_NONE, y, NULL);
    check_values("x * w", 4, y, open);

    const float dy[4] = {1, 0, 0, -1}, dx_expected[9] = {1, 2, 0, 3, -5, -2, 0, -3, 4};
    const float dw_expected[4] = {1 - 5, 2 - 6, 4 - 8, 5 - 9}, dbias_expected = 0;
    float dx[9], dw[4], dbias;
    reference()->conv_backward_input(&small, dy, small_w, dx, NULL);
    check_values("dx", 9, dx, dx_expected);
    reference()->conv_backward_filter(&small, small_x, dy, dw, &dbias, NULL);
    check_values("dw", 4, dw, dw_expected);
    check_values("dbias", 1, &dbias, &dbias_expected);
}

/* Two filters see two channels, 'same' padding and stride 2: only channel and filter order can be confused here. */
static void test_channel_order_by_hand(void **state) {
    (void)state;
    const dcnn_conv shape = {1, 2, 2, 2, 2, 2, 2, 2, 2, 1, 0, 1, 1, 1, 1, 1, false, false, false, false};
    const float x[8] = {1, 10, 2, 20, 3, 30, 4, 40};                      /* only row 0 is under the filter */
    const float w[16] = {9, 9, 9, 9, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8}; /* its row 0 lies on zeros */
    const float expected[2] = {1 + 30 + 10 + 140, 2 + 40 + 12 + 160};
    float y[2];
    reference()->conv_forward(&shape, x, w, NULL, DCNN_FUSED_NONE, y, NULL);
    check_values("y", 2, y, expected);
}

static void test_fused_pooling_by_hand(void **state) {
    (void)state;
    const float scale = 2, shift = 1, open_bias = 1, shut_bias = -100, dy = 3;
    /* x' = 3 5 7 / 9 11 13 / 15 17 19; x' * w = -4, 0, 8, 12: the last cell is the largest */
    float y, dx[9], dw[4], dbias;
    uint8_t argmax;
    reference()->conv_pool_forward(&small, small_x, &scale, &shift, small_w, &open_bias, &y, &argmax, NULL);
    assert_true(y == 13 && argmax == 3);
    reference()->conv_pool_backward(&small, small_x, &scale, &shift, small_w, &argmax, &dy, dx, dw, &dbias, NULL);
    const float dx_expected[9] = {0, 0, 0, 0, 3, 6, 0, 9, -12}, dw_expected[4] = {33, 39, 51, 57};
    check_values("dx", 9, dx, dx_expected);
    check_values("dw", 4, dw, dw_expected);
    assert_true(dbias == 3);

    reference()->conv_pool_forward(&small, small_x, &scale, &shift, small_w, &shut_bias, &y, &argmax, NULL);
    assert_true(y == 0 && argmax == DCNN_SHUT);
    reference()->conv_pool_backward(&small, small_x, &scale, &shift, small_w, &argmax, &dy, dx, dw, &dbias, NULL);
    for (int i = 0; i < 9; i++) assert_true(dx[i] == 0);
    assert_true(dw[0] == 0 && dw[3] == 0 && dbias == 0);
}

static void test_pooling_by_hand(void **state) {
    (void)state;
    const dcnn_pool shape = {1, 3, 3, 1, 2,     2,     2,    2,
                             0, 0, 2, 2, false, false, false}; /* the windows right and below reach outside */
    const float x[9] = {1, 5, 2, 5, 3, 2, -1, -2, -4}, dy[4] = {1, 2, 3, 4};
    const float largest[4] = {5, 2, -1, -4}, mean[4] = {3.5f, 2, -1.5f, -4};
    const float largest_dx[9] = {0, 1, 2, 0, 0, 0, 3, 0, 4}, mean_dx[9] = {.25f, .25f, 1, .25f, .25f, 1, 1.5f, 1.5f, 4};
    const uint16_t codes[4] = {1, 0, 0, 0}; /* the first of two fives, the first of two twos */
    float y[4], dx[9];
    uint16_t argmax[4];
    reference()->max_pool_forward(&shape, x, y, argmax);
    check_values("largest", 4, y, largest);
    assert_memory_equal(argmax, codes, sizeof codes);
    reference()->max_pool_backward(&shape, argmax, dy, dx);
    check_values("dx of largest", 9, dx, largest_dx);
    reference()->average_pool_forward(&shape, x, y);
    check_values("mean", 4, y, mean);
    reference()->average_pool_backward(&shape, dy, dx);
    check_values("dx of mean", 9, dx, mean_dx);
}

static void test_matrices_by_hand(void **state) {
    (void)state;
    const float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {1, 0, -1, 2, 1, 1};
    const float plain[4] = {2, 7, 5, 16}, transposed[9] = {9, 4, 3, 12, 5, 3, 15, 6, 3};
    float c[9] = {1, 1, 1, 1};
    reference()->sgemm(false, false, 2, 2, 3, a, 3, b, 2, 0, c, 2); /* [1 2 3; 4 5 6] [1 0; -1 2; 1 1] */
    check_values("a b", 4, c, plain);
    reference()->sgemm(false, false, 2, 2, 3, a, 3, b, 2, -1, c, 2);
    for (int i = 0; i < 4; i++) assert_true(c[i] == 0);
    reference()->sgemm(true, false, 3, 3, 2, a, 3, b, 3, 0, c, 3); /* [1 4; 2 5; 3 6] [1 0 -1; 2 1 1] */
    check_values("a' b", 9, c, transposed);
    const float both[4] = {-2, 7, -2, 19}; /* [1 2 3; 4 5 6] [1 2; 0 1; -1 1] */
    reference()->sgemm(false, true, 2, 2, 3, a, 3, b, 3, 0, c, 2);
    check_values("a b'", 4, c, both);
}

static void test_losses_by_hand(void **state) {
    (void)state;
    const float x[6] = {0, (float)log(2), (float)log(5), 1, 1, 1};
    const int32_t labels[2] = {1, 1};
    const float y_expected[6] = {.125f, .25f, .625f, 1 / 3.0f, 1 / 3.0f, 1 / 3.0f};
    const float dx_expected[6] = {.125f, -.75f, .625f, 1 / 3.0f, -2 / 3.0f, 1 / 3.0f};
    float y[6], dx[6];
    double loss;
    int64_t correct;
    reference()->cross_entropy(2, 3, x, labels, y, dx, &loss, &correct);
    check_values("y", 6, y, y_expected);
    check_values("dx", 6, dx, dx_expected);
    test_close_one("loss", 0, loss, log(4) + log(3), 1e-6, 0);
    assert_int_equal(correct, 0); /* 1 is not the first of the three that tie */

    const float dy[3] = {1, 0, 0}, softmax_dx[3] = {.125f * .875f, -.125f * .25f, -.125f * .625f};
    reference()->softmax_backward(1, 3, y_expected, dy, dx);
    check_values("softmax dx", 3, dx, softmax_dx);
}

static void test_adam_by_hand(void **state) {
    (void)state;
    const dcnn_adam_step step = {0.1f, 0.9f, 0.999f, 0.01f, 0.5f};
    const float gradient = 4;
    float m = 1, v = 1, parameter = 1; /* g = 2: m = 1.1, v = 1.003 */
    reference()->adam(1, &step, &gradient, &m, &v, &parameter);
    test_close_one("m", 0, m, 1.1, 1e-6, 0);
    test_close_one("v", 0, v, 1.003, 1e-6, 0);
    test_close_one("parameter", 0, parameter, 1 - 0.11 / (sqrt(1.003) + 0.01), 1e-6, 0);
}

static void test_other_optimizers_by_hand(void **state) {
    (void)state;
    const dcnn_sgd_momentum_step sgd_momentum = {0.1f, 0.5f, 0.25f, 0.5f};
    float gradient = 4, velocity = 1, parameter = 4; /* g = 2 + 1: velocity = 0.5 - 0.3 */
    reference()->sgd_momentum(1, &sgd_momentum, &gradient, &velocity, &parameter);
    test_close_one("velocity", 0, velocity, 0.2, 1e-6, 0);
    test_close_one("parameter", 0, parameter, 4.2, 1e-6, 0);

    const dcnn_adam_step step = {2.0f, 0.9f, 0.999f, 0.01f, 0.5f};
    float m = 1, v = 1; /* as Adam above: m = 1.1, v = 1.003 */
    parameter = 3;
    reference()->lamb_direction(1, &step, 0.5f, &gradient, &m, &v, &parameter);
    test_close_one("m", 0, m, 1.1, 1e-6, 0);
    test_close_one("v", 0, v, 1.003, 1e-6, 0);
    test_close_one("direction", 0, gradient, 2.2 / (sqrt(1.003) + 0.01) + 1.5, 1e-6, 0);

    const float direction[2] = {1, -2}, expected[2] = {2.5f, 5};
    float moved[2] = {3, 4};
    reference()->axpy(2, 0.5f, direction, moved);
    check_values("moved", 2, moved, expected);
    assert_true(reference()->sum_squares(2, expected) == 31.25);
}

static void test_statistics_by_hand(void **state) {
    (void)state;
    const float x[4] = {1, 2, 3, 6}, dy[4] = {1, 1, -2, 3}, mean[2] = {2, 4}, inverse[2] = {1, 0.5f};
    const double expected[4] = {4, 8, 10, 40}, gradient_expected[4] = {-1, 4, -3, 2};
    double sums[4];
    reference()->moments(2, 2, x, sums);
    test_close_double("moments", 4, sums, expected, 0, 0);
    reference()->gradient_moments(2, 2, x, dy, mean, inverse, sums);
    test_close_double("gradient moments", 4, sums, gradient_expected, 0, 0);
}

static void test_warp_by_hand(void **state) {
    (void)state;
    const uint8_t x[4] = {0, 100, 200, 40};
    const float quarter[6] = {1, 0, 0.5f, 0, 1, 0.25f}, scale = 0.5f, shift = 1;
    const float expected[4] = {1 + 0.5f * 92.5f, 1 + 0.5f * 70, 1 + 0.5f * 160, 1 + 0.5f * 40};
    float y[4]; /* (0, 0) is halfway between 25 and 160; (0, 1) between 100 and 40; the rest at the edge */
    reference()->warp(2, 2, 1, x, quarter, &scale, &shift, y);
    check_values("warp", 4, y, expected);
}

/* --- adjoints: <conv(x, w), dy> = <x, backward_input(dy, w)> = <w, backward_filter(x, dy)> ---------------------- */

static double inner(size_t count, const float *a, const float *b) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void test_convolution_adjoints(void **state) {
    (void)state;
    static const dcnn_conv shapes[] = {{2, 5, 6, 3, 4, 3, 3, 1, 1, 0, 0, 3, 4, 1, 1, 1, false, false, false, false},
                                       {1, 8, 7, 2, 5, 3, 2, 2, 3, 1, 0, 4, 2, 1, 1, 1, false, false, false, false},
                                       {3, 4, 4, 1, 2, 5, 5, 1, 1, 2, 2, 4, 4, 1, 1, 1, false, false, false, false}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const dcnn_conv *shape = &shapes[i];
        const size_t xs = (size_t)(shape->n * shape->h * shape->w * shape->c);
        const size_t ws = (size_t)(shape->r * shape->s * shape->c * shape->k);
        const size_t ys = (size_t)(shape->n * shape->oh * shape->ow * shape->k);
        const float *x = test_random(xs, 1), *w = test_random(ws, 2), *dy = test_random(ys, 3);
        float *y = test_floats(ys), *dx = test_floats(xs), *dw = test_floats(ws);
        reference()->conv_forward(shape, x, w, NULL, DCNN_FUSED_NONE, y, NULL);
        reference()->conv_backward_input(shape, dy, w, dx, NULL);
        reference()->conv_backward_filter(shape, x, dy, dw, NULL, NULL);
        test_close_one("<x, dx>", i, inner(xs, x, dx), inner(ys, y, dy), 1e-5, 0);
        test_close_one("<w, dw>", i, inner(ws, w, dw), inner(ys, y, dy), 1e-5, 0);
        test_release();
    }
}

/* --- every instruction set -------------------------------------------------------------------------------------- */

#define CHECK_POINTER(result, name, arguments)                                                                         \
    if (table->name == NULL) fail_msg("%s has no " #name, table->isa);

static void test_tables_are_complete(void **state) {
    (void)state;
    for (int isa = 0; isa <= (int)dcnn_isa_best(); isa++) {
        const dcnn_kernels *table = dcnn_kernels_of((dcnn_isa)isa);
        assert_string_equal(table->isa, dcnn_isa_name((dcnn_isa)isa));
        DCNN_KERNEL_LIST(CHECK_POINTER)
    }
}

/* The same values at four different addresses. */
static void test_bits_do_not_depend_on_addresses(void **state) {
    (void)state;
    const dcnn_conv shape = {3, 9, 10, 20, 35, 3, 3, 1, 1, 1, 1, 9, 10, 1, 1, 1, false, false, false, false};
    const size_t xs = 3 * 9 * 10 * 20, ws = 9 * 20 * 35, ys = 3 * 9 * 10 * 35;
    for (int isa = 0; isa <= (int)dcnn_isa_best(); isa++) {
        const dcnn_kernels *table = dcnn_kernels_of((dcnn_isa)isa);
        const float *x = test_random(xs, 4), *w = test_random(ws, 5), *dy = test_random(ys, 6);
        float *x_room = test_floats(xs + 4), *w_room = test_floats(ws + 4), *dy_room = test_floats(ys + 4);
        float *y[4], *dx[4], *dw[4], *sums[4],
            *scratch = aligned_alloc(64, table->conv_scratch(&shape) * 4 / 64 * 64 + 64);
        assert_non_null(scratch);
        for (size_t shift = 0; shift < 4; shift++) {
            float *moved_x = memmove(x_room + shift, x, xs * sizeof(float));
            float *moved_w = memmove(w_room + shift, w, ws * sizeof(float));
            float *moved_dy = memmove(dy_room + shift, dy, ys * sizeof(float));
            y[shift] = test_floats(ys + 4) + shift;
            dx[shift] = test_floats(xs + 4) + shift;
            dw[shift] = test_floats(ws + 4) + shift;
            sums[shift] = test_floats(35 + 4) + shift;
            float *packed = test_floats(table->conv_packed(&shape) + 4) + shift;
            table->conv_pack(&shape, moved_w, packed, 0, 1);
            table->conv_forward(&shape, moved_x, packed, NULL, DCNN_FUSED_RELU, y[shift], scratch);
            table->conv_backward_input(&shape, moved_dy, packed, dx[shift], scratch);
            table->conv_backward_filter(&shape, moved_x, moved_dy, dw[shift], NULL, scratch);
            table->column_sums(ys / 35, 35, moved_dy, sums[shift]);
            assert_memory_equal(y[shift], y[0], ys * sizeof(float));
            assert_memory_equal(dx[shift], dx[0], xs * sizeof(float));
            assert_memory_equal(dw[shift], dw[0], ws * sizeof(float));
            assert_memory_equal(sums[shift], sums[0], 35 * sizeof(float));
        }
        free(scratch);
        test_release();
    }
}

/* A NaN in a weight, an input or a gradient comes out of what it goes into. */
static void test_nan_travels(void **state) {
    (void)state;
    const dcnn_conv shape = {1, 4, 4, 2, 17, 3, 3, 1, 1, 0, 0, 2, 2, 1, 1, 1, false, false, false, false};
    for (int isa = 0; isa <= (int)dcnn_isa_best(); isa++) {
        const dcnn_kernels *table = dcnn_kernels_of((dcnn_isa)isa);
        float *x = test_random(32, 7), *w = test_random(18 * 17, 8), *dy = test_random(4 * 17, 9);
        float *y = test_floats(4 * 17), *dx = test_floats(32), *dw = test_floats(18 * 17);
        float *scratch = aligned_alloc(64, table->conv_scratch(&shape) * 4 / 64 * 64 + 64);
        assert_non_null(scratch);
        w[3] = NAN;
        float *packed = test_floats(table->conv_packed(&shape));
        table->conv_pack(&shape, w, packed, 0, 1);
        table->conv_forward(&shape, x, packed, NULL, DCNN_FUSED_NONE, y, scratch);
        assert_true(isnan(y[3]) && !isnan(y[4]));
        dy[16] = NAN;
        table->conv_backward_input(&shape, dy, packed, dx, scratch);
        assert_true(isnan(dx[0]));
        table->conv_backward_filter(&shape, x, dy, dw, NULL, scratch);
        assert_true(isnan(dw[16]) && !isnan(dw[15]));
        x[5] = INFINITY;
        table->affine(16, 2, x, dw, dw, x);
        assert_true(isinf(x[5]));
        free(scratch);
        test_release();
    }
}

/* --- the choice ------------------------------------------------------------------------------------------------- */

static void test_isa_by_environment(void **state) {
    (void)state;
    dcnn_isa isa;
    unsetenv("DCNN_ISA");
    assert_int_equal(dcnn_isa_choose(&isa), DCNN_OK);
    assert_int_equal(isa, dcnn_isa_best());
    for (int wish = 0; wish < DCNN_ISA_COUNT; wish++) {
        setenv("DCNN_ISA", dcnn_isa_name((dcnn_isa)wish), 1);
        const dcnn_status status = dcnn_isa_choose(&isa);
        if (dcnn_isa_runs((dcnn_isa)wish)) {
            assert_int_equal(status, DCNN_OK);
            assert_int_equal(isa, wish);
        } else {
            assert_int_equal(status, DCNN_USAGE);
            assert_non_null(strstr(dcnn_error(), "this CPU cannot run it"));
            assert_non_null(strstr(dcnn_error(), "reference, generic"));
        }
    }
    setenv("DCNN_ISA", "avx1024", 1);
    assert_int_equal(dcnn_isa_choose(&isa), DCNN_USAGE);
    assert_non_null(strstr(dcnn_error(), "DCNN_ISA=avx1024"));
    assert_non_null(strstr(dcnn_error(), "reference, generic"));
    unsetenv("DCNN_ISA");
}

/* A run that goes on with another of them is told so, unless both make the same bits: run_record.c. */
static void test_isas_that_agree(void **state) {
    (void)state;
    static const char *const agree[] = {"generic", "avx2", "avx512", "amx"};
    for (int i = 0; i < 4; i++) assert_true(dcnn_isa_agrees(agree[i]));
    assert_false(dcnn_isa_agrees("reference"));
    assert_false(dcnn_isa_agrees("avx512_bf16"));
    assert_false(dcnn_isa_agrees("of another machine"));
}

static void test_blas_core(void **state) {
    (void)state;
    assert_true(strlen(dcnn_blas_core()) > 0);
    assert_non_null(strstr(dcnn_blas_version(), "OpenBLAS"));
    setenv("OPENBLAS_CORETYPE", "Prescott", 1); /* too late for the library, but it is the user's word */
    assert_null(dcnn_blas_better_core());
    unsetenv("OPENBLAS_CORETYPE");
    const char *better = dcnn_blas_better_core();
    if (better) assert_string_not_equal(better, dcnn_blas_core());
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_convolution_by_hand),
                                       cmocka_unit_test(test_channel_order_by_hand),
                                       cmocka_unit_test(test_fused_pooling_by_hand),
                                       cmocka_unit_test(test_pooling_by_hand),
                                       cmocka_unit_test(test_matrices_by_hand),
                                       cmocka_unit_test(test_losses_by_hand),
                                       cmocka_unit_test(test_adam_by_hand),
                                       cmocka_unit_test(test_other_optimizers_by_hand),
                                       cmocka_unit_test(test_statistics_by_hand),
                                       cmocka_unit_test(test_warp_by_hand),
                                       cmocka_unit_test(test_convolution_adjoints),
                                       cmocka_unit_test(test_tables_are_complete),
                                       cmocka_unit_test(test_bits_do_not_depend_on_addresses),
                                       cmocka_unit_test(test_nan_travels),
                                       cmocka_unit_test(test_isa_by_environment),
                                       cmocka_unit_test(test_isas_that_agree),
                                       cmocka_unit_test(test_blas_core)};
    (void)test_seed();
    return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
