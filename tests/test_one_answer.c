/* SPDX-License-Identifier: BSD-3-Clause */
/* test_one_answer.c — kernels that make a run's bits make the same ones with each instruction set, so that runs do;
 * test_training_bits.c has runs. */
#include "testing.h"

#include "kernels/kernels.h"

/* Each instruction set in turn; one that this CPU has not is the first again. */
enum { SETS = 3 };
static const dcnn_isa isas[SETS] = {DCNN_ISA_GENERIC, DCNN_ISA_AVX2, DCNN_ISA_AVX512};

static const dcnn_kernels *set(int number) {
    return dcnn_kernels_of(isas[number] <= dcnn_isa_best() ? isas[number] : DCNN_ISA_GENERIC);
}

static void same(const char *what, size_t count, const float *const values[SETS]) {
    for (int n = 1; n < SETS; n++)
        for (size_t i = 0; i < count; i++)
            if (memcmp(&values[0][i], &values[n][i], sizeof(float)) != 0)
                fail_msg("%s[%zu] is %.9g on %s, %.9g on %s", what, i, (double)values[0][i], set(0)->isa,
                         (double)values[n][i], set(n)->isa);
}

/* What several calls write, on each instruction set. */
typedef struct trio {
    float *of[SETS];
} trio;

static trio make_trio(size_t count) {
    return (trio){{test_floats(count), test_floats(count), test_floats(count)}};
}

static void check_trio(const char *what, size_t count, trio p) {
    same(what, count, (const float *const[SETS]){p.of[0], p.of[1], p.of[2]});
}

static float *scratch_of(size_t count) {
    float *scratch = aligned_alloc(64, (count * sizeof(float) + 64) / 64 * 64);
    assert_non_null(scratch);
    memset(scratch, 0, count * sizeof(float));
    return scratch;
}

static const dcnn_conv shapes[] = {
    /* n, h, w, c, k, r, s, strides, pads, oh, ow: the recipe's layers first */
    {5, 28, 28, 1, 64, 3, 3, 1, 1, 0, 0, 26, 26, 1, 1, 1, false, false, false, false},
    {5, 13, 13, 64, 128, 3, 3, 1, 1, 0, 0, 11, 11, 1, 1, 1, false, false, false, false},
    {16, 5, 5, 128, 256, 3, 3, 1, 1, 0, 0, 3, 3, 1, 1, 1, false, false, false, false},
    {3, 16, 15, 19, 37, 3, 3, 1, 1, 1, 1, 16, 15, 1, 1, 1, false, false, false, false},
    {3, 14, 14, 16, 40, 5, 5, 1, 1, 0, 0, 10, 10, 1, 1, 1, false, false, false, false},
    {2, 9, 9, 48, 33, 3, 3, 2, 2, 0, 0, 4, 4, 1, 1, 1, false, false, false, false},
    {4, 7, 7, 40, 24, 1, 1, 1, 1, 0, 0, 7, 7, 1, 1, 1, false, false, false, false},
    {4, 4, 4, 32, 48, 3, 3, 1, 1, 0, 0, 2, 2, 1, 1, 1, false, false, false, false},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static void convolutions_agree(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        const dcnn_conv *s = &shapes[i];
        const size_t xs = (size_t)(s->n * s->h * s->w * s->c), ys = (size_t)(s->n * s->oh * s->ow * s->k);
        const size_t ws = (size_t)(s->r * s->s * s->c * s->k), k = (size_t)s->k;
        const float *x = test_random(xs, 1), *w = test_random(ws, 2), *bias = test_random(k, 3);
        const float *dy = test_random(ys, 4);
        const trio y = make_trio(ys), dx = make_trio(xs), dw = make_trio(ws), dbias = make_trio(k);
        for (int n = 0; n < SETS; n++) {
            float *packed = scratch_of(set(n)->conv_packed(s)), *scratch = scratch_of(set(n)->conv_scratch(s));
            set(n)->conv_pack(s, w, packed, 0, 1);
            set(n)->conv_forward(s, x, packed, bias, DCNN_FUSED_RELU, y.of[n], scratch);
            set(n)->conv_backward(s, x, packed, dy, dx.of[n], dw.of[n], dbias.of[n], scratch);
            free(packed);
            free(scratch);
        }
        check_trio("y", ys, y);
        check_trio("dx", xs, dx);
        check_trio("dw", ws, dw);
        check_trio("dbias", k, dbias);
        test_release();
    }
}

/* Behind a ReLU with a pooling of 2x2, of the largest (window 1) and of the mean (0), and without one with windows of
 * 2x2 and 3x3. */
static void fused_convolutions_agree(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++)
        for (int window = 0; window <= 3; window++) {
            dcnn_conv pooled = shapes[i];
            pooled.mean = window == 0;
            const dcnn_conv *s = &pooled;
            const int step = window <= 1 ? 2 : window;
            const dcnn_pool pool = {s->n, s->oh, s->ow,        s->k,         step,  step,  step, step,
                                    0,    0,     s->oh / step, s->ow / step, false, false, false};
            const size_t xs = (size_t)(s->n * s->h * s->w * s->c), ws = (size_t)(9 * s->c * s->k), k = (size_t)s->k;
            const size_t ys = (size_t)(s->n * pool.oh * pool.ow) * k;
            const bool relu = window <= 1;
            if (!relu && !set(0)->conv_max_fits(s, &pool)) continue;
            const float *x = test_random(xs, 1), *w = test_random(ws, 2), *bias = test_random(k, 3);
            const float *scale = test_random((size_t)s->c, 5), *dy = test_random(ys, 4);
            const trio y = make_trio(ys), dx = make_trio(xs), dw = make_trio(ws), dbias = make_trio(k);
            uint8_t *argmax[SETS] = {test_output(ys), test_output(ys), test_output(ys)};
            for (int n = 0; n < SETS; n++) {
                const dcnn_kernels *kernels = set(n);
                float *packed = scratch_of(relu ? kernels->conv_pool_packed(s) : kernels->conv_max_packed(s, &pool));
                float *scratch = scratch_of(relu ? kernels->conv_pool_scratch(s) : kernels->conv_max_scratch(s, &pool));
                if (relu) {
                    kernels->conv_pool_pack(s, w, packed, 0, 1);
                    kernels->conv_pool_forward(s, x, scale, scale, packed, bias, y.of[n], argmax[n], scratch);
                    kernels->conv_pool_backward(s, x, scale, scale, packed, argmax[n], dy, dx.of[n], dw.of[n],
                                                dbias.of[n], scratch);
                } else {
                    kernels->conv_max_pack(s, &pool, w, packed, 0, 1);
                    kernels->conv_max_forward(s, &pool, x, scale, scale, packed, bias, y.of[n], argmax[n], scratch);
                    kernels->conv_max_backward(s, &pool, x, scale, scale, packed, argmax[n], dy, dx.of[n], dw.of[n],
                                               dbias.of[n], scratch);
                }
                free(packed);
                free(scratch);
            }
            check_trio("y", ys, y);
            for (int n = 1; n < SETS; n++) assert_memory_equal(argmax[0], argmax[n], ys);
            check_trio("dx", xs, dx);
            check_trio("dw", ws, dw);
            check_trio("dbias", k, dbias);
            test_release();
        }
}

/* Where F(4x4,3x3) is taken: largest and mean behind a ReLU, largest as it is, largest and smallest. */
static void inference_agrees(void **state) {
    (void)state;
    dcnn_conv s = shapes[3];
    s.inference = true;
    const dcnn_pool pool = {s.n, s.oh, s.ow, s.k, 2, 2, 2, 2, 0, 0, s.oh / 2, s.ow / 2, false, false, false};
    const size_t xs = (size_t)(s.n * s.h * s.w * s.c), k = (size_t)s.k, ys = (size_t)(s.n * pool.oh * pool.ow) * k;
    const float *x = test_random(xs, 1), *w = test_random((size_t)(9 * s.c) * k, 2), *bias = test_random(k, 3);
    const float *scale = test_random((size_t)s.c, 5);
    for (int way = 0; way < 4; way++) {
        s.mean = way == 1;
        const trio y = make_trio(way == 3 ? 2 * ys : ys);
        for (int n = 0; n < SETS; n++) {
            const dcnn_kernels *kernels = set(n);
            float *packed = scratch_of(way < 2 ? kernels->conv_pool_packed(&s) : kernels->conv_max_packed(&s, &pool));
            float *scratch =
                scratch_of(way < 2 ? kernels->conv_pool_scratch(&s) : kernels->conv_max_scratch(&s, &pool));
            if (way < 2) {
                kernels->conv_pool_pack(&s, w, packed, 0, 1);
                kernels->conv_pool_forward(&s, x, scale, scale, packed, bias, y.of[n], NULL, scratch);
            } else {
                kernels->conv_max_pack(&s, &pool, w, packed, 0, 1);
                (way == 2 ? kernels->conv_max_forward : kernels->conv_extremes_forward)(
                    &s, &pool, x, scale, scale, packed, bias, y.of[n], NULL, scratch);
            }
            free(packed);
            free(scratch);
        }
        check_trio("y at inference", way == 3 ? 2 * ys : ys, y);
    }
    test_release();
    /* with stride 2, by tiles of 9x9 cells */
    const dcnn_conv strided = {3, 17, 16, 37, 41, 3, 3, 2, 2, 0, 0, 8, 8, 1, 1, 1, false, false, false, true};
    const size_t size = (size_t)(17 * 16 * 37 * 3), filters = 9 * 37 * 41, outputs = (size_t)(3 * 8 * 8 * 41);
    const float *image = test_random(size, 1), *filter = test_random(filters, 2);
    const trio answer = make_trio(outputs);
    for (int n = 0; n < SETS; n++) {
        float *packed = scratch_of(set(n)->conv_packed(&strided)),
              *scratch = scratch_of(set(n)->conv_scratch(&strided));
        set(n)->conv_pack(&strided, filter, packed, 0, 1);
        set(n)->conv_forward(&strided, image, packed, NULL, DCNN_FUSED_NONE, answer.of[n], scratch);
        free(packed);
        free(scratch);
    }
    check_trio("y with stride 2 at inference", outputs, answer);
    test_release();
}

static void patches_agree(void **state) {
    (void)state;
    static const dcnn_conv few[] = {{5, 28, 28, 1, 64, 3, 3, 1, 1, 0, 0, 26, 26, 1, 1, 1, false, false, false, false},
                                    {3, 9, 7, 3, 64, 3, 3, 1, 1, 1, 1, 9, 7, 1, 1, 1, false, false, false, false}};
    for (int i = 0; i < 2; i++) {
        const size_t xs = (size_t)(few[i].n * few[i].h * few[i].w * few[i].c), side = (size_t)(9 * few[i].c + 1);
        const float *x = test_random(xs, 1);
        double products[SETS][DCNN_PATCH * DCNN_PATCH];
        for (int n = 0; n < SETS; n++) set(n)->patch_products(&few[i], x, products[n]);
        for (int n = 1; n < SETS; n++) assert_memory_equal(products[0], products[n], side * side * sizeof(double));
        test_release();
    }
}

static void dense_layers_agree(void **state) {
    (void)state;
    static const int denses[][3] = {{16, 256, 512}, {5, 512, 10}, {16, 900, 70}, {1, 33, 5}};
    for (int i = 0; i < 4; i++) {
        const int rows = denses[i][0], in = denses[i][1], units = denses[i][2];
        const size_t xs = (size_t)(rows * in), ws = (size_t)(in * units), ys = (size_t)(rows * units);
        const float *x = test_random(xs, 1), *w = test_random(ws, 2), *bias = test_random((size_t)units, 3);
        const float *dy = test_random(ys, 4);
        const trio y = make_trio(ys), dx = make_trio(xs), dw = make_trio(ws), dbias = make_trio((size_t)units);
        for (int n = 0; n < SETS; n++) {
            float *packed = scratch_of(set(n)->dense_packed(in, units));
            float *scratch = scratch_of(set(n)->dense_scratch(rows, in, units));
            set(n)->dense_pack(in, units, w, packed, 0, 1);
            set(n)->dense_forward(rows, in, units, x, w, packed, bias, DCNN_FUSED_RELU, y.of[n], scratch);
            set(n)->dense_backward(rows, in, units, x, w, packed, dy, dx.of[n], dw.of[n], dbias.of[n], scratch);
            free(packed);
            free(scratch);
        }
        check_trio("y", ys, y);
        check_trio("dx", xs, dx);
        check_trio("dw", ws, dw);
        check_trio("dbias", (size_t)units, dbias);
        test_release();
    }
}

static void the_rest_agrees(void **state) {
    (void)state;
    enum { ROWS = 270, CHANNELS = 37, COUNT = ROWS * CHANNELS };
    const float *x = test_random(COUNT, 1), *dy = test_random(COUNT, 2), *a = test_random(CHANNELS, 3);
    double sums[SETS][4 * CHANNELS], squares[SETS], loss[SETS];
    int32_t labels[ROWS];
    const trio y = make_trio(COUNT), dx = make_trio(COUNT), tanh = make_trio(COUNT), p = make_trio(COUNT);
    for (int i = 0; i < ROWS; i++) labels[i] = i % CHANNELS;
    for (int n = 0; n < SETS; n++) {
        const dcnn_kernels *kernels = set(n);
        const dcnn_adam_step step = {1e-3f, 0.9f, 0.999f, 1e-7f, 1 / 128.0f};
        int64_t correct;
        float *m = test_copy(COUNT, x), *v = test_random_between(COUNT, 4, 0.1, 1);
        kernels->moments(ROWS, CHANNELS, x, sums[n]);
        kernels->gradient_moments(ROWS, CHANNELS, x, dy, a, a, sums[n] + 2 * CHANNELS);
        squares[n] = kernels->sum_squares(COUNT - 5, x);
        kernels->tanh_forward(COUNT, x, tanh.of[n]);
        kernels->cross_entropy(ROWS, CHANNELS, x, labels, y.of[n], dx.of[n], &loss[n], &correct);
        memcpy(p.of[n], x, COUNT * sizeof(float));
        kernels->adam(COUNT, &step, dy, m, v, p.of[n]);
    }
    for (int n = 1; n < SETS; n++) {
        assert_memory_equal(sums[0], sums[n], sizeof sums[0]);
        assert_memory_equal(&squares[0], &squares[n], sizeof squares[0]);
        assert_memory_equal(&loss[0], &loss[n], sizeof loss[0]);
    }
    check_trio("softmax", COUNT, y);
    check_trio("gradient of the loss", COUNT, dx);
    check_trio("tanh", COUNT, tanh);
    check_trio("weights behind Adam", COUNT, p);
    test_release();
}

/* All but those of test_training_bits that are done element by element there: functions, in vectors' ends too. */
static void functions_agree(void **state) {
    (void)state;
    enum { COUNT = 4001 };
    static const float settings[3] = {1.5f, 0.25f, 0.5f};
    const float *x = test_random_between(COUNT, 1, -9, 9), *dy = test_random(COUNT, 2);
    for (int f = 0; f < DCNN_FUNCTION_COUNT; f++) {
        const trio y = make_trio(COUNT), dx = make_trio(COUNT);
        for (int n = 0; n < SETS; n++) {
            set(n)->function_forward((dcnn_function)f, settings, COUNT, x, y.of[n]);
            set(n)->function_backward((dcnn_function)f, settings, COUNT, x, dy, dx.of[n]);
        }
        check_trio("y of a function", COUNT, y);
        check_trio("dx of a function", COUNT, dx);
    }
    float *pairs = test_copy(COUNT, x);
    for (int at = 0; at < COUNT / 2; at++) pairs[COUNT / 2 + at] = pairs[at] - (float)(at % 5);
    static const dcnn_function valleys[] = {DCNN_FUNCTION_GELU, DCNN_FUNCTION_GELU_TANH, DCNN_FUNCTION_SILU,
                                            DCNN_FUNCTION_HARD_SILU, DCNN_FUNCTION_MISH};
    for (size_t f = 0; f < sizeof valleys / sizeof valleys[0]; f++) {
        const trio y = make_trio(COUNT / 2), slope = make_trio(COUNT / 2);
        uint8_t codes[COUNT] = {0};
        for (int n = 0; n < SETS; n++) set(n)->take_better(valleys[f], COUNT / 2, pairs, y.of[n], slope.of[n], codes);
        check_trio("better of two", COUNT / 2, y);
        check_trio("slope of the better of two", COUNT / 2, slope);
    }
    test_release();
}

/* Sums and products at the ends of the range, where rounding twice shows: halfway cases, denormal numbers, overflow. */
static void multiply_adds_are_rounded_once(void **state) {
    (void)state;
    static const float values[] = {0,
                                   1,
                                   -1,
                                   1.5f,
                                   0x1.000002p0f,
                                   0x1.fffffep0f,
                                   0x1p-126f,
                                   0x1p-149f,
                                   0x1p-100f,
                                   -0x1.8p-140f,
                                   0x1p100f,
                                   0x1.fffffep127f,
                                   0x1.001p-60f,
                                   0x1p-24f,
                                   -0x1p-25f,
                                   0x1.000004p-50f,
                                   3,
                                   0x1.555556p-2f,
                                   -0x1p-126f,
                                   0x1p-48f,
                                   0x1.fffffcp-127f};
    enum { VALUES = sizeof values / sizeof values[0] };
    for (int n = 0; n < SETS; n++)
        for (int i = 0; i < VALUES; i++)
            for (int j = 0; j < VALUES; j++) {
                float x[VALUES], y[VALUES];
                const float scale[1] = {values[i]}, shift[1] = {values[j]};
                memcpy(x, values, sizeof x);
                set(n)->affine(VALUES, 1, x, scale, shift, y);
                for (int k = 0; k < VALUES; k++) {
                    const float expected = fmaf(x[k], values[i], values[j]);
                    if (memcmp(&expected, &y[k], sizeof expected) != 0 && !(isnan(expected) && isnan(y[k])))
                        fail_msg("%s: %a * %a + %a is %a, not %a", set(n)->isa, (double)x[k], (double)values[i],
                                 (double)values[j], (double)expected, (double)y[k]);
                }
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_agree), cmocka_unit_test(fused_convolutions_agree),
        cmocka_unit_test(inference_agrees),   cmocka_unit_test(patches_agree),
        cmocka_unit_test(dense_layers_agree), cmocka_unit_test(the_rest_agrees),
        cmocka_unit_test(functions_agree),    cmocka_unit_test(multiply_adds_are_rounded_once)};
    return cmocka_run_group_tests_name("one answer", tests, NULL, NULL);
}
