/* test_classification.c — reports against text that scikit-learn 1.9.1 printed (labels: all, zero_division=0). */
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

/* "dog" never occurs and is never predicted, the third class is never predicted. */
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
        cmocka_unit_test(report_is_that_of_scikit_learn), cmocka_unit_test(missing_classes_and_long_names),
        cmocka_unit_test(no_samples_are_no_division),     cmocka_unit_test(json_has_the_same_numbers),
        cmocka_unit_test(confusion_is_aligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
