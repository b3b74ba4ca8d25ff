/* SPDX-License-Identifier: BSD-3-Clause */
/* test_classification.c — reports against text that scikit-learn 1.9.1 printed (zero_division=0). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/classification.h"

static void expect_report(int class_count, const int64_t *confusion, const char *const *names, const char *expected) {
    dcnn_classification scores;
    assert_int_equal(dcnn_classification_create(class_count, confusion, &scores), DCNN_OK);
    char *text = dcnn_classification_text(&scores, names);
    assert_string_equal(text, expected);
    free(text);
    dcnn_classification_free(&scores);
}

static void report_is_that_of_scikit_learn(void **state) {
    (void)state;
    static const int64_t confusion[] = {50, 3, 0, 2, 40, 7, 1, 0, 8};
    expect_report(3, confusion, NULL,
                  "              precision    recall  f1-score   support\n"
                  "\n"
                  "           0       0.94      0.94      0.94        53\n"
                  "           1       0.93      0.82      0.87        49\n"
                  "           2       0.53      0.89      0.67         9\n"
                  "\n"
                  "    accuracy                           0.88       111\n"
                  "   macro avg       0.80      0.88      0.83       111\n"
                  "weighted avg       0.90      0.88      0.89       111\n");
}

/* "dog" never occurs, but is predicted, the third class is never predicted. */
static void missing_classes_and_long_names(void **state) {
    (void)state;
    static const int64_t confusion[] = {5, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 1, 0, 1, 0, 11};
    static const char *const names[] = {"cat", "dog", "Übergröße, sehr lang", "x"};
    expect_report(4, confusion, names,
                  "                      precision    recall  f1-score   support\n"
                  "\n"
                  "                 cat       0.62      0.71      0.67         7\n"
                  "                 dog       0.00      0.00      0.00         0\n"
                  "Übergröße, sehr lang       0.00      0.00      0.00         4\n"
                  "                   x       0.79      0.92      0.85        12\n"
                  "\n"
                  "            accuracy                           0.70        23\n"
                  "           macro avg       0.35      0.41      0.38        23\n"
                  "        weighted avg       0.60      0.70      0.64        23\n");
}

/* The mean precision lies between 0.57 and 0.58: added from first to last it would be 0.58 (tools/check_sklearn has
 * 600 more). */
static void means_round_as_those_of_numpy(void **state) {
    (void)state;
    enum { N = 8 };
    static const int64_t hits[N] = {7, 7, 5, 7, 8, 2, 7, 8}, taken_for_the_next[N] = {4, 1, 8, 8, 4, 8, 3, 4};
    int64_t confusion[N * N] = {0};
    for (int i = 0; i < N; i++) {
        confusion[i * N + i] = hits[i];
        confusion[i * N + (i + 1) % N] = taken_for_the_next[i];
    }
    expect_report(N, confusion, NULL,
                  "              precision    recall  f1-score   support\n"
                  "\n"
                  "           0       0.64      0.64      0.64        11\n"
                  "           1       0.64      0.88      0.74         8\n"
                  "           2       0.83      0.38      0.53        13\n"
                  "           3       0.47      0.47      0.47        15\n"
                  "           4       0.50      0.67      0.57        12\n"
                  "           5       0.33      0.20      0.25        10\n"
                  "           6       0.47      0.70      0.56        10\n"
                  "           7       0.73      0.67      0.70        12\n"
                  "\n"
                  "    accuracy                           0.56        91\n"
                  "   macro avg       0.57      0.57      0.56        91\n"
                  "weighted avg       0.58      0.56      0.55        91\n");
}

/* Labels 1 to 4 of five classes, and one that is only predicted: scikit-learn averages over what occurs in truth or
 * prediction, and lists no other class. */
static void averages_leave_out_absent_classes(void **state) {
    (void)state;
    enum { N = 6 };
    static const int64_t confusion[N * N] = {
        0, 0, 0, 0, 0, 0, /* absent */
        0, 7, 1, 0, 0, 2, /**/
        0, 2, 5, 1, 0, 0, /**/
        0, 0, 0, 9, 0, 0, /**/
        0, 0, 0, 0, 0, 0, /* absent */
        0, 0, 0, 0, 0, 0  /* predicted twice */
    };
    static const char *const names[N] = {"zero, which no longer occurs anywhere", "one", "two", "three", "4", "five"};
    expect_report(N, confusion, names,
                  "              precision    recall  f1-score   support\n"
                  "\n"
                  "         one       0.78      0.70      0.74        10\n"
                  "         two       0.83      0.62      0.71         8\n"
                  "       three       0.90      1.00      0.95         9\n"
                  "        five       0.00      0.00      0.00         0\n"
                  "\n"
                  "    accuracy                           0.78        27\n"
                  "   macro avg       0.63      0.58      0.60        27\n"
                  "weighted avg       0.83      0.78      0.80        27\n");
    dcnn_classification scores;
    assert_int_equal(dcnn_classification_create(N, confusion, &scores), DCNN_OK);
    assert_int_equal(scores.absent_count, 2);
    char *absent = dcnn_absent_text(&scores, names);
    assert_string_equal(absent, "zero, which no longer occurs anywhere, 4");
    free(absent);
    json_t *json = dcnn_classification_json(&scores, names);
    assert_null(json_object_get(json, "4"));
    assert_non_null(json_object_get(json, "five"));
    json_decref(json);
    dcnn_classification_free(&scores);
}

/* Lines of a matrix that nobody could read: what is confused most instead. */
static void many_classes_are_a_list_of_confusions(void **state) {
    (void)state;
    enum { N = 100 };
    int64_t *confusion = calloc(N * N, sizeof *confusion);
    assert_non_null(confusion);
    for (int i = 0; i < N; i++) confusion[i * N + i] = 90;
    confusion[7 * N + 3] = 10;
    confusion[99 * N + 0] = 30;
    confusion[2 * N + 99] = 10;
    char *text = dcnn_confusion_text(N, confusion, NULL);
    assert_string_equal(text, "all 3 of 3 kinds of confusion, the most frequent first (--json has the whole matrix)\n"
                              "     true  predicted    samples  of the class\n"
                              "       99          0         30        25.0 %\n"
                              "        2         99         10        10.0 %\n"
                              "        7          3         10        10.0 %\n");
    free(text);
    for (int i = 1; i < N; i++) confusion[i * N + i - 1] = i;
    text = dcnn_confusion_text(N, confusion, NULL);
    int lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++) lines++;
    assert_int_equal(lines, 22);
    assert_non_null(strstr(text, "20 of 102 kinds of confusion"));
    free(text);
    free(confusion);
}

static void no_samples_are_no_division(void **state) {
    (void)state;
    static const int64_t confusion[] = {0, 0, 0, 0};
    dcnn_classification scores;
    assert_int_equal(dcnn_classification_create(2, confusion, &scores), DCNN_OK);
    assert_true(scores.accuracy == 0.0 && scores.macro.f1 == 0.0 && scores.weighted.precision == 0.0);
    dcnn_classification_free(&scores);
}

static void json_has_the_same_numbers(void **state) {
    (void)state;
    static const int64_t confusion[] = {3, 1, 0, 4};
    static const char *const names[] = {"no", "yes"};
    dcnn_classification scores;
    assert_int_equal(dcnn_classification_create(2, confusion, &scores), DCNN_OK);
    json_t *json = dcnn_classification_json(&scores, names), *yes = json_object_get(json, "yes");
    assert_true(json_real_value(json_object_get(yes, "precision")) == 0.8);
    assert_true(json_real_value(json_object_get(yes, "recall")) == 1.0);
    assert_int_equal(json_integer_value(json_object_get(yes, "support")), 4);
    assert_true(json_real_value(json_object_get(json, "accuracy")) == 0.875);
    assert_true(json_real_value(json_object_get(json_object_get(json, "macro avg"), "recall")) == 0.875);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "weighted avg"), "support")), 8);
    json_decref(json);
    dcnn_classification_free(&scores);
}

/* No class is lost, whatever others and averages are called. */
static void json_has_every_class(void **state) {
    (void)state;
    static const int64_t confusion[] = {3, 1, 0, 0, 4, 0, 0, 0, 5};
    static const char *const names[] = {"cat", "cat", "accuracy"};
    static const char *const keys[] = {"cat", "cat (1)", "accuracy (2)"};
    dcnn_classification scores;
    assert_int_equal(dcnn_classification_create(3, confusion, &scores), DCNN_OK);
    json_t *json = dcnn_classification_json(&scores, names);
    assert_int_equal(json_object_size(json), 6);
    for (int i = 0; i < 3; i++)
        assert_int_equal(json_integer_value(json_object_get(json_object_get(json, keys[i]), "support")),
                         scores.classes[i].support);
    assert_true(json_real_value(json_object_get(json, "accuracy")) == scores.accuracy);
    json_decref(json);
    dcnn_classification_free(&scores);
}

static void confusion_is_aligned(void **state) {
    (void)state;
    static const int64_t confusion[] = {1234, 0, 7, 56};
    static const char *const names[] = {"für", "against it"};
    char *text = dcnn_confusion_text(2, confusion, names);
    assert_string_equal(text, "      true         für  against it  predicted\n"
                              "       für        1234           0\n"
                              "against it           7          56\n");
    free(text);
    text = dcnn_confusion_text(2, confusion, NULL);
    assert_string_equal(text, "true     0     1  predicted\n"
                              "   0  1234     0\n"
                              "   1     7    56\n");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_is_that_of_scikit_learn),
        cmocka_unit_test(missing_classes_and_long_names),
        cmocka_unit_test(means_round_as_those_of_numpy),
        cmocka_unit_test(no_samples_are_no_division),
        cmocka_unit_test(json_has_the_same_numbers),
        cmocka_unit_test(confusion_is_aligned),
        cmocka_unit_test(averages_leave_out_absent_classes),
        cmocka_unit_test(many_classes_are_a_list_of_confusions),
        cmocka_unit_test(json_has_every_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
