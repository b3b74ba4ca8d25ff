/* SPDX-License-Identifier: BSD-3-Clause */
/* test_balance.c — oversampling, class weights, and the end of a run by patience. */
#include <math.h>

#include "io_helpers.h"
#include "run/data/class_weights.h"
#include "run/data/sampler.h"
#include "run/stopping.h"

enum { TOTAL = 40, CLASSES = 5 };

/* 40 rows of which 20 are drawn for training: 11 of class 0, 6 of class 2, 3 of class 3; none of 1 and 4. */
static int64_t make_rows(int64_t *rows, int32_t *labels) {
    int64_t count = 0;
    const int classes[20] = {0, 2, 0, 0, 3, 2, 0, 0, 2, 0, 0, 3, 2, 2, 0, 0, 0, 3, 0, 2};
    for (int i = 0; i < TOTAL; i++) labels[i] = i % 2 ? classes[i / 2] : 4;
    for (int i = 19; i >= 0; i--) rows[count++] = 2 * i + 1;
    return count;
}

static void every_class_is_drawn_equally_often(void **state) {
    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        int64_t rows[20], class_first[CLASSES + 1], numbers[33];
        int32_t labels[TOTAL];
        int once_more[TOTAL] = {0};
        dcnn_sampler s = {.seed = 4, .rows = rows, .batch = 8, .accumulate = 1};
        s.count = make_rows(rows, labels);
        assert_int_equal(dcnn_sampler_even(&s, rows, labels, CLASSES, TOTAL, class_first), DCNN_OK);
        assert_true(s.count == 33 && s.class_draws == 11);
        if (chunked) dcnn_sampler_shuffle(&s, DCNN_SHUFFLE_CHUNKS, 100000);
        assert_true(chunked == (s.chunk_rows > 0));
        for (uint32_t epoch = 0; epoch < 40; epoch++) {
            int times[TOTAL] = {0}, of_class[CLASSES] = {0};
            dcnn_sampler_numbers(&s, epoch, 0, 33, numbers);
            for (int i = 0; i < 33; i++) {
                const int64_t row = numbers[i] % TOTAL;
                assert_true(row == dcnn_sampler_row(&s, epoch, i));
                times[row]++;
                of_class[labels[row]]++;
                for (int j = 0; j < i; j++) assert_true(numbers[j] != numbers[i]); /* augmented in another way */
            }
            assert_true(of_class[0] == 11 && of_class[2] == 11 && of_class[3] == 11);
            for (int row = 1; row < TOTAL; row += 2) {
                const int least = labels[row] == 0 ? 1 : labels[row] == 2 ? 1 : 3;
                assert_true(times[row] == least || (labels[row] != 0 && times[row] == least + 1));
                once_more[row] += times[row] > least;
            }
        }
        /* not always the same ones: of class 2 five of six each epoch, of class 3 two of three */
        for (int row = 1; row < TOTAL; row += 2)
            if (labels[row] != 0) assert_true(once_more[row] > 10 && once_more[row] < 40);
    }
}

static char *names[] = {"ant", "bee", "cat", "dog", "7"};
static const dcnn_dataset dataset = {.path = "x.h5", .count = TOTAL, .class_count = CLASSES, .class_names = names};

/* compute_class_weight("balanced"): 20 / (3 * n). */
static void balanced_weights_are_scikit_learns(void **state) {
    (void)state;
    int64_t rows[20];
    int32_t labels[TOTAL];
    const dcnn_split train = {.name = "train", .count = make_rows(rows, labels), .rows = rows};
    float weights[CLASSES];
    char text[200], said[300];
    assert_int_equal(dcnn_class_weights_make("balanced", &dataset, &train, labels, weights, said), DCNN_OK);
    const double expected[CLASSES] = {20.0 / 33, 1, 20.0 / 18, 20.0 / 9, 1};
    for (int c = 0; c < CLASSES; c++) assert_true(fabs((double)weights[c] - expected[c]) < 1e-6);
    assert_string_equal(dcnn_class_weights_text(&dataset, weights, text), "0.606 ('ant') to 2.22 ('dog')");
    assert_string_equal(said, "");
}

static const char *put(const char *content) {
    const char *path = in_scratch("weights");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    return path;
}

static void weights_are_given_by_json_or_lines(void **state) {
    (void)state;
    char said[300];
    const char *good[] = {"{\"bee\": 2.5, \"dog\": 1}", "class,weight\nbee,2.5\ndog,1.0\n",
                          "\xef\xbb\xbf\"dog\"; 1\r\nbee;2.5\r\n", "dog\t1\nbee\t2.5"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char *text;
        float weights[CLASSES];
        assert_int_equal(dcnn_class_weights_read(put(good[i]), &text), DCNN_OK);
        assert_int_equal(dcnn_class_weights_make(text, &dataset, NULL, NULL, weights, said), DCNN_OK);
        const float expected[CLASSES] = {1, 2.5F, 1, 1, 1};
        assert_memory_equal(weights, expected, sizeof weights);
        assert_string_equal(said, "; 1 for classes that --class-weight does not name: 'ant', 'cat', '7'");
        char *again;
        assert_int_equal(dcnn_class_weights_read(text, &again), DCNN_OK); /* as a resumed run has it */
        assert_string_equal(again, text);
        free(text);
        free(again);
    }
    const char *bad[][2] = {
        {"{\"bee\": -1}", "from 0"},
        {"{\"bee\": \"x\"}", "from 0"},
        {"bee,2\ndog,much\n", "not a weight"},
        {"bee 2\n", "class,weight"},
        {"{\"bee\": 1", "JSON"},
        {"{}", "no class a weight"},
        {"{\"bee\": 1, \"bee\": 2}", "JSON"},
        {"bee,2\ndog,1\n\n'bee',3\n", "weights:4: class 'bee' has a weight already"},
        {"\nclass,weight\n\n\ndog,1\n\nbee\n", "weights:7: a line must be"},
        {"class,weight\r\n\r\nbee,x\r\n", "weights:3: 'x' is not a weight"},
        {"bee,2\nd\xffg,1\n", "weights:2: the class's name is not UTF-8"},
        {"bee,2\ndog,1e999\n", "weights:2: the class's name is not UTF-8, or its weight is not a number"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text;
        assert_int_equal(dcnn_class_weights_read(put(bad[i][0]), &text), DCNN_BAD_INPUT);
        assert_non_null(strstr(dcnn_error(), bad[i][1]));
    }
    char *none;
    put_file(in_scratch("weights"), "bee,2\0dog,1", 11);
    assert_fails(dcnn_class_weights_read(in_scratch("weights"), &none), DCNN_BAD_INPUT,
                 "not class weights, which are JSON", "--class-weight: ");
    assert_null(none);
    float weights[CLASSES];
    assert_fails(dcnn_class_weights_make("{\"ant\":-1,\"bee\":3}", &dataset, NULL, NULL, weights, said), DCNN_BAD_INPUT,
                 "the weight of class 'ant' must be a number from 0 to 1e6", "--class-weight: ");
    assert_fails(dcnn_class_weights_make("{\"bee\":0,\"ant\":0,\"cat\":0,\"dog\":0,\"7\":0}", &dataset, NULL, NULL,
                                         weights, said),
                 DCNN_BAD_INPUT, "every weight is 0", "nothing would be learned");
    assert_fails(dcnn_class_weights_make("bee", &dataset, NULL, NULL, weights, said), DCNN_BAD_INPUT,
                 "'bee' is not JSON", "--class-weight");
    assert_int_equal(dcnn_class_weights_make("{\"0\":3,\"7\":2}", &dataset, NULL, NULL, weights, said),
                     DCNN_OK); /* a number; a name first */
    assert_true(weights[0] == 3 && weights[4] == 2);
    assert_int_equal(dcnn_class_weights_make("{\"elk\":3}", &dataset, NULL, NULL, weights, said), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "no class 'elk'"));
    assert_int_equal(dcnn_class_weights_make("{\"1\":3,\"01\":2}", &dataset, NULL, NULL, weights, said),
                     DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "'1' and '01' are the same class"));
    assert_int_equal(dcnn_class_weights_make("{\"bee\":3,\"1\":3}", &dataset, NULL, NULL, weights, said),
                     DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "are the same class of"));
    char *whole, *real;
    assert_int_equal(dcnn_class_weights_read("{\"bee\": 3}", &whole), DCNN_OK);
    assert_int_equal(dcnn_class_weights_read("{\"bee\": 3.0}", &real), DCNN_OK);
    assert_string_equal(whole, real);
    free(whole);
    free(real);
}

/* A run of 100 epochs of 10 steps whose best epoch was the fourth. */
static void a_cosine_falls_once_patience_is_over(void **state) {
    (void)state;
    const dcnn_ending cosine = {100, 3, true}, constant = {100, 3, false}, short_run = {9, 3, true};
    dcnn_progress p = {.best_epoch = 4, .epoch = 6, .step = 60};
    assert_false(dcnn_ending_descend(&cosine, &p) || dcnn_ending_is_here(&cosine, &p));
    p.epoch = 7;
    p.step = 70;
    assert_true(dcnn_ending_is_here(&constant, &p));
    assert_false(dcnn_ending_descend(&constant, &p));
    assert_true(dcnn_ending_descend(&cosine, &p));
    assert_int_equal(p.descent_epoch, 7);
    assert_false(dcnn_ending_descend(&cosine, &p) || dcnn_ending_is_here(&cosine, &p));
    assert_true(dcnn_ending_part(&cosine, &p, 10) == 1.0);
    p.step = 85;
    assert_true(fabs(dcnn_ending_part(&cosine, &p, 10) - 0.5) < 1e-12);
    p.epoch = 9;
    p.best_epoch = 9; /* a better one does not end it */
    assert_false(dcnn_ending_is_here(&cosine, &p));
    p.epoch = 10;
    assert_true(dcnn_ending_is_here(&cosine, &p));
    p = (dcnn_progress){.best_epoch = 4, .epoch = 7}; /* the cosine's own end is near enough */
    assert_false(dcnn_ending_descend(&short_run, &p) || dcnn_ending_is_here(&short_run, &p));
    p.epoch = 9;
    assert_true(dcnn_ending_is_here(&short_run, &p));
}

/* Taken up without patience, a run whose descent had begun goes on to its last epoch; with another one it descends. */
static void without_patience_no_descent_goes_on(void **state) {
    (void)state;
    const dcnn_ending endless = {100, 0, true}, longer = {100, 5, true};
    dcnn_progress p = {.best_epoch = 4, .epoch = 10, .step = 100, .descent_epoch = 7};
    assert_false(dcnn_ending_go_on(&longer, &p));
    assert_int_equal(p.descent_epoch, 7);
    assert_false(dcnn_ending_is_here(&longer, &p));
    assert_true(dcnn_ending_go_on(&endless, &p));
    assert_int_equal(p.descent_epoch, 0);
    assert_false(dcnn_ending_is_here(&endless, &p) || dcnn_ending_descend(&endless, &p));
    assert_false(dcnn_ending_go_on(&endless, &p));
    p.epoch = 100;
    assert_true(dcnn_ending_is_here(&endless, &p));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_is_drawn_equally_often),  cmocka_unit_test(balanced_weights_are_scikit_learns),
        cmocka_unit_test(weights_are_given_by_json_or_lines),  cmocka_unit_test(a_cosine_falls_once_patience_is_over),
        cmocka_unit_test(without_patience_no_descent_goes_on),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
