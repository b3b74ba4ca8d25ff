/* SPDX-License-Identifier: BSD-3-Clause */
/* test_augment.c — the table of changes, walked: each is a pure function, stays in its range, takes any channels. */
#include <math.h>
#include <stdbool.h>

#include "run/data/augment.h"
#include "testing.h"

enum { H = 12, W = 16, VALUES = H * W * 4 };

static const dcnn_kernels *kernels(void) {
    return dcnn_kernels_of(dcnn_isa_best());
}

/* An image without an axis of symmetry, its values from `low` to `high`. */
static void draw(int c, int low, int high, uint8_t *x) {
    for (int i = 0; i < H * W * c; i++) x[i] = (uint8_t)(low + (i * 37 + i / (W * c) * 11) % (high - low + 1));
}

/* Bytes as floats, so that they can be compared with the bytes. */
static void change(const dcnn_augment *ranges, uint32_t epoch, int64_t sample, int c, const uint8_t *x, float *y) {
    static const float one[4] = {1, 1, 1, 1}, none[4] = {0}, blank[4] = {77, 78, 79, 80};
    static _Alignas(64) char scratch[64 * VALUES];
    const dcnn_augment_form form = {H, W, c, one, none, blank};
    const dcnn_augment_key key = {5, epoch, sample};
    assert_true(dcnn_augment_scratch(ranges, H, W, c) <= sizeof scratch);
    dcnn_augment_image(ranges, kernels(), &key, &form, x, scratch, y);
}

static float warped[6];

static void keep_map(int h, int w, int c, const uint8_t *x, const float map[6], const float *scale, const float *shift,
                     float *y) {
    (void)h, (void)w, (void)c, (void)x, (void)scale, (void)shift, (void)y;
    memcpy(warped, map, sizeof warped);
}

/* The affine part of a change: what the kernel is told. */
static void map_of(const dcnn_augment *ranges, dcnn_augment_key key, int h, int w, float map[6]) {
    static const float zero[1];
    static const uint8_t byte[1];
    float nothing[1];
    const dcnn_augment_form form = {h, w, 1, zero, zero, zero};
    dcnn_kernels table = *kernels();
    table.warp = keep_map;
    dcnn_augment_image(ranges, &table, &key, &form, byte, NULL, nothing);
    memcpy(map, warped, sizeof warped);
}

static dcnn_augment only(int row, double value) {
    dcnn_augment ranges = {.rand_magnitude = 9};
    dcnn_augment_set(&ranges, row, value);
    return ranges;
}

/* A value that is well inside of the row's range. */
static double some(int row) {
    const dcnn_augment_row *about = &dcnn_augment_table[row];
    return about->whole ? 2 : about->low + 0.4 * (about->high - about->low);
}

static bool same(int c, const float *a, const float *b) {
    return memcmp(a, b, (size_t)(H * W * c) * sizeof *a) == 0;
}

static void every_change_is_a_function_of_epoch_and_sample(void **state) {
    (void)state;
    for (int row = 0; row < DCNN_AUGMENT_COUNT; row++)
        for (int c = 1; c <= 4; c++) {
            const dcnn_augment ranges = only(row, some(row)), none = {0};
            uint8_t x[VALUES];
            float still[VALUES], first[VALUES], again[VALUES];
            int epochs = 0, samples = 0, changed = 0;
            draw(c, 40, 200, x);
            change(&none, 1, 1, c, x, still);
            for (int i = 0; i < H * W * c; i++) assert_float_equal(still[i], x[i], 1e-3);
            for (uint32_t i = 0; i < 8; i++) {
                change(&ranges, i, 3, c, x, first);
                change(&ranges, i, 3, c, x, again);
                assert_true(same(c, first, again));
                for (int j = 0; j < H * W * c; j++) assert_true(first[j] >= 0 && first[j] <= 255.001F);
                changed += !same(c, first, still);
                change(&ranges, i + 8, 3, c, x, again);
                epochs += !same(c, first, again);
                change(&ranges, i, 4, c, x, again);
                samples += !same(c, first, again);
            }
            const bool acts = dcnn_augment_table[row].alone && !dcnn_augment_table[row].in_pairs && /* test_mix.c */
                              dcnn_augment_suits(row, c);
            if (acts != (epochs > 0 && samples > 0 && changed > 0))
                fail_msg("%s with %d channels: changed %d, by epoch %d, by sample %d of 8",
                         dcnn_augment_table[row].option, c, changed, epochs, samples);
        }
}

static void affine_changes_stay_in_their_ranges(void **state) {
    (void)state;
    const dcnn_augment still = {0}, one[] = {{.rotation_range = 10},
                                             {.zoom_range = 0.1},
                                             {.width_shift_range = 0.1},
                                             {.height_shift_range = 0.1},
                                             {.shear_range = 10}};
    enum { KINDS = sizeof one / sizeof one[0] };
    float map[6];
    assert_false(dcnn_augment_is_active(&still));
    map_of(&still, (dcnn_augment_key){1, 2, 3}, 28, 28, map);
    const float identity[6] = {1, 0, 0, 0, 1, 0};
    for (int i = 0; i < 6; i++) assert_true(fabsf(map[i] - identity[i]) <= 1e-6f);
    float least[KINDS] = {9, 9, 9, 9, 9}, most[KINDS] = {-9, -9, -9, -9, -9};
    for (int64_t sample = 0; sample < 2000; sample++) {
        for (int kind = 0; kind < KINDS; kind++) {
            assert_true(dcnn_augment_is_active(&one[kind]));
            map_of(&one[kind], (dcnn_augment_key){1, 0, sample}, 28, 28, map);
            /* sine of the angle; zoom of the rows; shift of columns and rows; sine of the shear */
            const float value[KINDS] = {map[3], map[0], map[5], map[2], -map[1]};
            least[kind] = fminf(least[kind], value[kind]);
            most[kind] = fmaxf(most[kind], value[kind]);
            if (kind == 0) assert_true(fabsf(map[0] * map[0] + map[3] * map[3] - 1) <= 1e-5f);
            if (kind == 4) assert_true(fabsf(map[1] * map[1] + map[4] * map[4] - 1) <= 1e-5f);
        }
    }
    const float low[KINDS] = {-0.17365f, 0.9f, -2.8f, -2.8f, -0.17365f};
    const float high[KINDS] = {0.17365f, 1.1f, 2.8f, 2.8f, 0.17365f};
    for (int kind = 0; kind < KINDS; kind++) {
        const float width = high[kind] - low[kind];
        assert_true(least[kind] >= low[kind] - 1e-5f && least[kind] < low[kind] + 0.01f * width);
        assert_true(most[kind] <= high[kind] + 1e-5f && most[kind] > high[kind] - 0.01f * width);
    }
}

static void flips_swap_sides_as_often_as_said(void **state) {
    (void)state;
    uint8_t x[VALUES];
    float y[VALUES];
    draw(3, 0, 255, x);
    for (int down = 0; down < 2; down++) {
        const int row = down ? DCNN_AUGMENT_vertical_flip : DCNN_AUGMENT_horizontal_flip;
        const dcnn_augment always = only(row, 1), often = only(row, 0.25);
        change(&always, 0, 7, 3, x, y);
        for (int i = 0; i < H; i++)
            for (int j = 0; j < W; j++)
                for (int c = 0; c < 3; c++)
                    assert_true(y[(i * W + j) * 3 + c] ==
                                x[((down ? H - 1 - i : i) * W + (down ? j : W - 1 - j)) * 3 + c]);
        int flipped = 0;
        for (int64_t sample = 0; sample < 4000; sample++) {
            float map[6];
            map_of(&often, (dcnn_augment_key){9, 1, sample}, H, W, map);
            flipped += map[down ? 0 : 4] < 0;
        }
        assert_true(flipped > 900 && flipped < 1100);
    }
}

static int nearest(int at, int length) {
    return at < 0 ? 0 : at < length ? at : length - 1;
}

static void crops_move_by_whole_pixels_and_repeat_the_edge(void **state) {
    (void)state;
    const dcnn_augment ranges = only(DCNN_AUGMENT_crop_range, 0.25); /* 3 rows, 4 columns */
    uint8_t x[VALUES];
    float y[VALUES], map[6];
    int seen[9] = {0};
    draw(3, 0, 255, x);
    for (int64_t sample = 0; sample < 1800; sample++) {
        map_of(&ranges, (dcnn_augment_key){5, 2, sample}, H, W, map);
        const int rows = (int)map[2], columns = (int)map[5];
        assert_true((float)rows == map[2] && abs(rows) <= 3 && (float)columns == map[5] && abs(columns) <= 4);
        seen[columns + 4]++;
        if (sample > 20) continue;
        change(&ranges, 2, sample, 3, x, y);
        for (int i = 0; i < H; i++)
            for (int j = 0; j < W; j++)
                for (int c = 0; c < 3; c++)
                    assert_true(y[(i * W + j) * 3 + c] ==
                                x[(nearest(i + rows, H) * W + nearest(j + columns, W)) * 3 + c]);
    }
    for (int i = 0; i < 9; i++) assert_true(seen[i] > 140 && seen[i] < 260);
}

static double grey(const float *pixel) {
    return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
}

/* Of values in the middle of the range nothing is cut off. */
static void colours_change_as_they_are_defined(void **state) {
    (void)state;
    const dcnn_augment brightness = only(DCNN_AUGMENT_brightness_range, 0.2);
    const dcnn_augment contrast = only(DCNN_AUGMENT_contrast_range, 0.3);
    const dcnn_augment saturation = only(DCNN_AUGMENT_saturation_range, 0.5);
    const dcnn_augment hue = only(DCNN_AUGMENT_hue_range, 0.5);
    uint8_t x[VALUES];
    float y[VALUES], before[3];
    draw(3, 100, 150, x);
    double factors[2] = {9, 0};
    for (int64_t sample = 0; sample < 800; sample++) {
        change(&brightness, 0, sample, 3, x, y);
        const double factor = (double)y[0] / x[0];
        for (int i = 0; i < H * W * 3; i++) assert_float_equal(y[i], factor * x[i], 1e-2);
        factors[0] = fmin(factors[0], factor);
        factors[1] = fmax(factors[1], factor);

        double mean = 0, mean_before = 0;
        change(&contrast, 0, sample, 3, x, y);
        for (int i = 0; i < H * W; i++) {
            for (int c = 0; c < 3; c++) before[c] = x[3 * i + c];
            mean += grey(y + (ptrdiff_t)3 * i) / (H * W);
            mean_before += grey(before) / (H * W);
        }
        assert_float_equal(mean, mean_before, 1e-2);
        const double spread = (y[0] - mean) / (x[0] - mean_before);
        assert_true(spread > 0.699 && spread < 1.301);

        change(&saturation, 0, sample, 3, x, y);
        const float *after = y;
        for (int i = 0; i < H * W; i++, after += 3) {
            for (int c = 0; c < 3; c++) before[c] = x[3 * i + c];
            assert_float_equal(grey(after), grey(before), 1e-2);
        }
        change(&hue, 0, sample, 3, x, y);
        after = y;
        for (int i = 0; i < H * W; i++, after += 3) {
            for (int c = 0; c < 3; c++) before[c] = x[3 * i + c];
            assert_float_equal(grey(after), grey(before), 0.1); /* the matrices of YIQ have four digits */
        }
    }
    assert_true(factors[0] > 0.799 && factors[0] < 0.81 && factors[1] > 1.19 && factors[1] < 1.201);
}

static void cutout_erases_one_rectangle(void **state) {
    (void)state;
    const dcnn_augment ranges = only(DCNN_AUGMENT_cutout, 0.5);
    uint8_t x[VALUES];
    float y[VALUES];
    int most = 0;
    draw(2, 100, 200, x);
    for (int i = 0; i < H * W * 2; i++)
        if (x[i] == 77 || x[i] == 78) x[i] = 0; /* as the blank */
    for (int64_t sample = 0; sample < 300; sample++) {
        int top = H, bottom = 0, left = W, right = 0, erased = 0;
        change(&ranges, 0, sample, 2, x, y);
        for (int i = 0; i < H; i++)
            for (int j = 0; j < W; j++) {
                const float *at = y + (ptrdiff_t)(i * W + j) * 2;
                if (at[0] == 77 && at[1] == 78) {
                    erased++;
                    if (i < top) top = i;
                    if (i >= bottom) bottom = i + 1;
                    if (j < left) left = j;
                    if (j >= right) right = j + 1;
                } else {
                    assert_true(at[0] == x[(i * W + j) * 2] && at[1] == x[(i * W + j) * 2 + 1]);
                }
            }
        if (erased > 0) assert_int_equal(erased, (bottom - top) * (right - left));
        assert_true(erased == 0 || (bottom - top <= H / 2 + 1 && right - left <= W / 2 + 1));
        if (erased > most) most = erased;
    }
    assert_true(most > H * W / 6);
}

static void distortion_moves_no_pixel_too_far(void **state) {
    (void)state;
    const dcnn_augment ranges = only(DCNN_AUGMENT_distortion_range, 0.1);
    uint8_t x[VALUES];
    float y[VALUES];
    double most = 0;
    for (int i = 0; i < H * W; i++) x[i] = (uint8_t)(16 * (i % W)); /* columns tell where they come from */
    for (int64_t sample = 0; sample < 100; sample++) {
        change(&ranges, 0, sample, 1, x, y);
        for (int i = 0; i < H * W; i++) most = fmax(most, fabs((double)y[i] / 16 - i % W));
    }
    assert_true(most <= 0.1 * W + 1e-3 && most > 0.03 * W);
}

/* Which changes were drawn cannot be seen, but some of them show. */
static void the_list_is_drawn_from(void **state) {
    (void)state;
    dcnn_augment ranges = {.rand_augment = 1, .rand_magnitude = 30};
    uint8_t x[VALUES];
    float y[VALUES];
    int same_as_before = 0, stretched = 0, few_values = 0, turned_over = 0;
    enum { SAMPLES = 1400 };
    draw(3, 100, 150, x);
    for (int64_t sample = 0; sample < SAMPLES; sample++) {
        bool seen[256] = {false};
        int values = 0, low = 255, high = 0, unlike = 0, over = 0;
        change(&ranges, 0, sample, 3, x, y);
        for (int i = 0; i < H * W * 3; i++) {
            const int value = (int)lroundf(y[i]);
            values += !seen[value];
            seen[value] = true;
            low = value < low ? value : low;
            high = value > high ? value : high;
            unlike += fabsf(y[i] - x[i]) > 1e-3F;
            over += value == 255 - x[i];
        }
        same_as_before += unlike == 0;
        stretched += low == 0 && high == 255;
        few_values += values <= 4 && unlike > 0;
        turned_over += over == H * W * 3;
    }
    /* of 14: identity; autocontrast and equalize; posterize; solarize */
    assert_true(same_as_before > 60 && same_as_before < 140);
    assert_true(stretched > 140 && stretched < 260);
    assert_true(few_values > 60 && few_values < 140);
    assert_true(turned_over > 60 && turned_over < 140);
}

static void images_are_told_apart(void **state) {
    (void)state;
    char *things[] = {"cat", "dog"}, *digits[] = {"0", "10"}, *letters[] = {"a", "B"}, *mixed[] = {"7", "cat"};
    assert_int_equal(dcnn_augment_guess(3, 2, things), DCNN_AUGMENT_PHOTOS);
    assert_int_equal(dcnn_augment_guess(3, 2, mixed), DCNN_AUGMENT_PHOTOS);
    assert_int_equal(dcnn_augment_guess(1, 2, things), DCNN_AUGMENT_RECIPE);
    assert_int_equal(dcnn_augment_guess(3, 2, digits), DCNN_AUGMENT_RECIPE);
    assert_int_equal(dcnn_augment_guess(3, 2, letters), DCNN_AUGMENT_RECIPE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_is_a_function_of_epoch_and_sample),
        cmocka_unit_test(affine_changes_stay_in_their_ranges),
        cmocka_unit_test(flips_swap_sides_as_often_as_said),
        cmocka_unit_test(crops_move_by_whole_pixels_and_repeat_the_edge),
        cmocka_unit_test(colours_change_as_they_are_defined),
        cmocka_unit_test(cutout_erases_one_rectangle),
        cmocka_unit_test(distortion_moves_no_pixel_too_far),
        cmocka_unit_test(the_list_is_drawn_from),
        cmocka_unit_test(images_are_told_apart),
    };
    return cmocka_run_group_tests_name("augmentation", tests, NULL, NULL);
}
