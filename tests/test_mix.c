/* SPDX-License-Identifier: BSD-3-Clause */
/* test_mix.c — mixup and cutmix: who is mixed with whom, how much of each, and what the loss makes of it. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "nn/loss.h"
#include "run/data/mix.h"
#include "testing.h"

enum { H = 6, W = 5, C = 2, VALUES = H * W * C, MOST = 16 };

typedef struct grain {
    float x[MOST * VALUES];
    int32_t labels[MOST], others[MOST];
    float shares[MOST];
    int64_t samples[MOST];
} grain;

static void mix(const dcnn_augment *ranges, uint32_t epoch, int n, int64_t first, grain *g) {
    for (int i = 0; i < n; i++) {
        g->samples[i] = first + i;
        g->labels[i] = i % 7;
        for (int j = 0; j < VALUES; j++) g->x[i * VALUES + j] = (float)(100 * i + j);
    }
    const dcnn_mix_grain of = {9, epoch, H, W, C, n, g->samples, g->labels};
    dcnn_mix(ranges, &of, g->x, g->others, g->shares);
}

static float old_value(int i, int j) {
    return (float)(100 * i + j);
}

static void each_image_is_blended_with_its_partner(void **state) {
    (void)state;
    const dcnn_augment ranges = {.mixup = 0.4};
    assert_true(dcnn_mix_is_active(&ranges));
    for (int n = 1; n <= MOST; n += 3) {
        grain g;
        mix(&ranges, 3, n, 50, &g);
        for (int i = 0; i < n; i++) {
            const int partner = n - 1 - i;
            assert_int_equal(g.others[i], partner % 7);
            assert_true(g.shares[i] >= 0 && g.shares[i] <= 1);
            if (partner == i) assert_true(g.shares[i] == 1.0F);
            for (int j = 0; j < VALUES; j++) {
                const double share = (double)g.shares[i];
                const double expected = share * (double)old_value(i, j) + (1 - share) * (double)old_value(partner, j);
                assert_true(fabs((double)g.x[i * VALUES + j] - expected) < 1e-3);
            }
        }
    }
}

static void a_box_comes_from_the_partner(void **state) {
    (void)state;
    const dcnn_augment ranges = {.cutmix = 1};
    bool some_of_both = false;
    for (uint32_t epoch = 0; epoch < 50; epoch++) {
        grain g;
        mix(&ranges, epoch, MOST, 0, &g);
        for (int i = 0; i < MOST; i++) {
            int its = 0, top = H, bottom = 0, left = W, right = 0;
            for (int j = 0; j < H * W; j++) {
                const bool is_its = g.x[i * VALUES + j * C] == old_value(MOST - 1 - i, j * C);
                for (int c = 0; c < C; c++)
                    assert_true(g.x[i * VALUES + j * C + c] == old_value(is_its ? MOST - 1 - i : i, j * C + c));
                if (!is_its) continue;
                its++;
                top = j / W < top ? j / W : top;
                bottom = j / W + 1 > bottom ? j / W + 1 : bottom;
                left = j % W < left ? j % W : left;
                right = j % W + 1 > right ? j % W + 1 : right;
            }
            if (its > 0) assert_int_equal(its, (bottom - top) * (right - left)); /* a box, whole */
            assert_true(fabs((double)g.shares[i] - (1 - (double)its / (H * W))) < 1e-6);
            some_of_both = some_of_both || (its > 0 && its < H * W);
        }
    }
    assert_true(some_of_both);
}

/* Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1)). */
static void shares_are_betas(void **state) {
    (void)state;
    const double alphas[] = {0.05, 0.2, 1, 4};
    for (size_t k = 0; k < sizeof alphas / sizeof *alphas; k++) {
        const dcnn_augment ranges = {.mixup = alphas[k]};
        double sum = 0, squares = 0;
        enum { GRAINS = 2000 };
        for (int at = 0; at < GRAINS; at++) {
            grain g;
            mix(&ranges, 1, MOST, (int64_t)at * MOST, &g);
            for (int i = 0; i < MOST; i++) {
                sum += (double)g.shares[i];
                squares += ((double)g.shares[i] - 0.5) * ((double)g.shares[i] - 0.5);
            }
        }
        const double count = (double)GRAINS * MOST, variance = 1 / (4 * (2 * alphas[k] + 1));
        assert_true(fabs(sum / count - 0.5) < 0.01);
        assert_true(fabs(squares / count - variance) < 0.02 * variance + 0.001);
    }
}

static void shares_are_functions_of_epoch_and_sample(void **state) {
    (void)state;
    const dcnn_augment both = {.mixup = 0.5, .cutmix = 1}, none = {.rotation_range = 10};
    grain a, b, c;
    int cuts = 0;
    assert_false(dcnn_mix_is_active(&none));
    mix(&both, 1, MOST, 0, &a);
    mix(&both, 1, MOST, 0, &b);
    assert_memory_equal(a.x, b.x, sizeof a.x);
    assert_memory_equal(a.shares, b.shares, sizeof a.shares);
    mix(&both, 2, MOST, 0, &c);
    assert_memory_not_equal(a.shares, c.shares, sizeof a.shares);
    mix(&both, 1, MOST, 1, &b); /* sample 1 stands elsewhere: its share is its own, where it is not a box's */
    for (int i = 1; i < MOST; i++) assert_true(a.shares[i] == b.shares[i - 1]);
    /* each of the two kinds about as often: a value that is neither own nor the partner's is a blend's */
    for (uint32_t epoch = 0; epoch < 100; epoch++) {
        mix(&both, epoch, MOST, 0, &a);
        for (int i = 0; i < MOST; i++) {
            bool whole = true;
            for (int j = 0; j < VALUES; j++)
                whole = whole &&
                        (a.x[i * VALUES + j] == old_value(i, j) || a.x[i * VALUES + j] == old_value(MOST - 1 - i, j));
            cuts += whole;
        }
    }
    assert_true(cuts > 100 * MOST * 0.42 && cuts < 100 * MOST * 0.65);
}

/* Two samples of three classes, by hand: softmax of (ln 1, ln 2, ln 5) is (1, 2, 5) / 8. */
static void the_loss_has_both_classes(void **state) {
    (void)state;
    const float x[2][3] = {{0, 0.6931471806F, 1.609437912F}, {0, 0.6931471806F, 1.609437912F}};
    const int32_t labels[2] = {0, 1}, others[2] = {2, 0};
    const float shares[2] = {0.25F, 0.75F}, weights[2] = {1.0F, 2.0F};
    const dcnn_targets targets = {.labels = labels, .others = others, .shares = shares, .weights = weights};
    const dcnn_loss loss = {.kind = DCNN_LOSS_CATEGORICAL};
    float y[2][3], dx[2][3];
    double sums[DCNN_LOSS_SUMS];
    dcnn_loss_run(&loss, dcnn_kernels_of(dcnn_isa_best()), 2, 3, x[0], &targets, y[0], dx[0], sums);
    const double first = -0.25 * log(1.0 / 8) - 0.75 * log(5.0 / 8),
                 second = -0.75 * log(2.0 / 8) - 0.25 * log(1.0 / 8);
    assert_true(fabs(sums[DCNN_SUM_LOSS] - (first + 2 * second)) < 1e-6);
    assert_true(sums[DCNN_SUM_CORRECT] == 1); /* class 2 is likeliest: the larger share of the first one only */
    const double expected[2][3] = {{0.125 - 0.25, 0.25, 0.625 - 0.75},
                                   {2 * (0.125 - 0.25), 2 * (0.25 - 0.75), 2 * 0.625}};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++) assert_true(fabs((double)dx[i][j] - expected[i][j]) < 1e-6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_image_is_blended_with_its_partner),
        cmocka_unit_test(a_box_comes_from_the_partner),
        cmocka_unit_test(shares_are_betas),
        cmocka_unit_test(shares_are_functions_of_epoch_and_sample),
        cmocka_unit_test(the_loss_has_both_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
