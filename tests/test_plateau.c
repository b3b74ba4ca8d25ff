/* SPDX-License-Identifier: BSD-3-Clause */
/* test_plateau.c — the rates of --schedule plateau beside those of Keras' ReduceLROnPlateau, which was given the same
 * metrics (SGD(0.5), Keras 3.15), and that a run that is taken up from a checkpoint's numbers goes on alike. */
#include <math.h>

#include "run/stopping.h"
#include "testing.h"

enum { EPOCHS = 18 };

static const double losses[EPOCHS] = {1.0,  0.8,  0.79995, 0.81, 0.7, 0.71, 0.72, 0.73, 0.74,
                                      0.75, 0.76, 0.5,     0.6,  0.6, 0.6,  0.6,  0.6,  0.6};

static void expect(const dcnn_plateau *plateau, dcnn_monitor monitor, const double rates[EPOCHS]) {
    dcnn_progress progress = {0};
    for (int i = 0; i < EPOCHS; i++) {
        const dcnn_progress saved = progress; /* as a checkpoint holds it */
        const dcnn_epoch_metrics metrics = {
            .validation_loss = losses[i], .correct = 100000 - (int64_t)llround(100000 * losses[i]), .count = 100000};
        dcnn_progress resumed = saved;
        const double before = dcnn_plateau_rate(&progress, 0.5);
        const bool lowered = dcnn_plateau_take(plateau, monitor, 0.5, &metrics, &progress);
        const double rate = dcnn_plateau_rate(&progress, 0.5);
        assert_true(lowered == (rate != before));
        if (!(fabs(rate - rates[i]) <= 1e-7)) fail_msg("epoch %d: %.9g, Keras has %.9g", i + 1, rate, rates[i]);
        dcnn_plateau_take(plateau, monitor, 0.5, &metrics, &resumed);
        assert_memory_equal(&resumed, &progress, sizeof progress);
    }
}

/* ReduceLROnPlateau("val_loss", factor=0.5, patience=2), and by "accuracy" (1 - these) with cooldown=1 alike. */
static void rates_are_those_of_keras(void **state) {
    (void)state;
    static const double halved[EPOCHS] = {0.5,     0.5,      0.5,      0.25,      0.25,      0.25,
                                          0.125,   0.125,    0.0625,   0.0625,    0.03125,   0.03125,
                                          0.03125, 0.015625, 0.015625, 0.0078125, 0.0078125, 0.00390625};
    static const double cooled[EPOCHS] = {0.5,  0.5,  0.15, 0.15, 0.15, 0.045, 0.045, 0.02, 0.02,
                                          0.02, 0.02, 0.02, 0.02, 0.02, 0.02,  0.02,  0.02, 0.02};
    const dcnn_plateau two = {.factor = 0.5, .patience = 2, .min_delta = 1e-4};
    const dcnn_plateau with_cooldown = {.factor = 0.5, .patience = 2, .cooldown = 1, .min_delta = 1e-4};
    const dcnn_plateau floored = {.factor = 0.3, .patience = 1, .cooldown = 2, .min_delta = 0.05, .min_rate = 0.02};
    expect(&two, DCNN_MONITOR_VAL_LOSS, halved);
    expect(&with_cooldown, DCNN_MONITOR_ACCURACY, halved);
    expect(&floored, DCNN_MONITOR_VAL_LOSS, cooled);
}

static void the_metric_is_keras_own(void **state) {
    (void)state;
    const dcnn_plateau plateau = {.monitor = DCNN_MONITOR_AUTO}, other = {.monitor = DCNN_MONITOR_VAL_AUC};
    assert_int_equal(dcnn_plateau_monitor(&plateau, true), DCNN_MONITOR_VAL_LOSS);
    assert_int_equal(dcnn_plateau_monitor(&plateau, false), DCNN_MONITOR_LOSS);
    assert_int_equal(dcnn_plateau_monitor(&other, true), DCNN_MONITOR_VAL_AUC);
    const dcnn_epoch_metrics metrics = {.loss = 1.0,
                                        .validation_loss = 2.0,
                                        .correct = 1,
                                        .count = 4,
                                        .validation_correct = 2,
                                        .validation_count = 16,
                                        .absolute = 3.0,
                                        .validation_absolute = 4.0,
                                        .validation_top = 12};
    const struct {
        dcnn_monitor monitor;
        double value;
        bool falls;
    } rows[] = {{DCNN_MONITOR_LOSS, 1.0, true},       {DCNN_MONITOR_VAL_LOSS, 2.0, true},
                {DCNN_MONITOR_ACCURACY, 0.25, false}, {DCNN_MONITOR_VAL_ACCURACY, 0.125, false},
                {DCNN_MONITOR_MAE, 3.0, true},        {DCNN_MONITOR_VAL_MAE, 4.0, true},
                {DCNN_MONITOR_VAL_TOP5, 0.75, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(dcnn_monitor_metric(rows[i].monitor, &metrics) == rows[i].value);
        assert_true(dcnn_monitor_falls(rows[i].monitor) == rows[i].falls);
    }
}

/* A first epoch without a number must not stay the best one, nor hold a rate down. */
static void what_is_no_number_is_worse_than_any(void **state) {
    (void)state;
    const struct {
        dcnn_monitor monitor;
        dcnn_epoch_metrics first, second;
    } rows[] = {{DCNN_MONITOR_VAL_LOSS,
                 {.epoch = 1, .validation_count = 4, .validation_loss = (double)NAN},
                 {.epoch = 2, .validation_count = 4, .validation_loss = 3.0}},
                {DCNN_MONITOR_VAL_AUC,
                 {.epoch = 1, .validation_count = 4, .validation_auc = (double)NAN, .validation_loss = 1.0},
                 {.epoch = 2, .validation_count = 4, .validation_auc = 0.5, .validation_loss = 2.0}},
                {DCNN_MONITOR_VAL_AUC,
                 {.epoch = 1, .validation_count = 4, .validation_auc = (double)NAN, .validation_loss = 2.0},
                 {.epoch = 2, .validation_count = 4, .validation_auc = (double)NAN, .validation_loss = 1.0}},
                {DCNN_MONITOR_VAL_ACCURACY,
                 {.epoch = 1, .validation_count = 4, .validation_correct = 1, .validation_loss = (double)NAN},
                 {.epoch = 2, .validation_count = 4, .validation_correct = 1, .validation_loss = 9.0}}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dcnn_progress progress = {.best_loss = (double)INFINITY, .best_correct = -1};
        assert_true(dcnn_monitor_take(rows[i].monitor, &rows[i].first, &progress));
        assert_false(dcnn_monitor_take(rows[i].monitor, &rows[i].first, &progress));
        assert_true(dcnn_monitor_take(rows[i].monitor, &rows[i].second, &progress));
        assert_false(dcnn_monitor_take(rows[i].monitor, &rows[i].first, &progress));
        assert_int_equal(progress.best_epoch, 2);
        assert_false(isnan(progress.best_loss) || isnan(dcnn_monitor_best(rows[i].monitor, &progress)));
    }
    assert_false(dcnn_monitor_is_number(rows[0].monitor, &rows[0].first));
    assert_true(dcnn_monitor_is_number(rows[1].monitor, &rows[1].second));
    const dcnn_plateau plateau = {.factor = 0.5, .patience = 1, .min_delta = 1e-4};
    dcnn_progress progress = {0};
    dcnn_plateau_take(&plateau, DCNN_MONITOR_VAL_LOSS, 0.5, &rows[0].first, &progress);
    assert_false(dcnn_plateau_take(&plateau, DCNN_MONITOR_VAL_LOSS, 0.5, &rows[0].second, &progress));
    assert_true(progress.plateau_best == 3.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_those_of_keras),
        cmocka_unit_test(the_metric_is_keras_own),
        cmocka_unit_test(what_is_no_number_is_worse_than_any),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
