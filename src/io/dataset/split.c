/* SPDX-License-Identifier: BSD-3-Clause */
/* split.c — drawing the splits by arithmetic, and exact statistics of the training pixels. */
#include "io/dataset/split.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

__extension__ typedef unsigned __int128 uint128;

static const char *const part_names[DCNN_PART_COUNT] = {"train", "validation", "test"};

static int64_t share_of(double fraction, int64_t count) {
    return (int64_t)floor(fraction * (double)count + 0.5);
}

/* Marks the part of each of `count` samples; `members` are their numbers, or NULL for 0..count-1. */
static void draw(int64_t count, const int64_t *members, uint32_t stream, uint64_t seed, int64_t test,
                 int64_t validation, uint8_t *parts) {
    for (int64_t position = 0; position < count; position++) {
        int64_t drawn = dcnn_random_permute(seed, DCNN_RANDOM_SPLIT, stream, count, position);
        dcnn_split_part part = DCNN_PART_TRAIN;
        if (position < test)
            part = DCNN_PART_TEST;
        else if (position < test + validation)
            part = DCNN_PART_VALIDATION;
        parts[members ? members[drawn] : drawn] = (uint8_t)part;
    }
}

static void draw_all(int64_t count, const dcnn_split_options *options, uint8_t *parts) {
    const int64_t test = share_of(options->test_fraction, count);
    draw(count, NULL, 0, options->seed, test, share_of(options->validation_fraction, count - test), parts);
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Is a part of each class meant for training? */
static bool keeps_some(const dcnn_split_options *options) {
    return options->test_fraction < 1 && options->validation_fraction < 1;
}

/* Draws each class for itself. With `carry` what rounding leaves of one class is passed on to the next. */
static dcnn_status draw_stratified(int64_t count, const int32_t *labels, int class_count,
                                   const dcnn_split_options *options, bool carry, uint8_t *parts) {
    int64_t *members = malloc((size_t)count * sizeof *members);
    if (!members) return DCNN_FAIL(DCNN_FAILURE, "out of memory for a split of %lld samples", (long long)count);
    /* samples of the classes before, what test and validation have of them, and those that test left */
    int64_t before = 0, tested = 0, validated = 0, rest_before = 0;
    for (int label = 0; label < class_count; label++) {
        int64_t of_class = 0;
        for (int64_t i = 0; i < count; i++)
            if (labels[i] == label) members[of_class++] = i;
        const int64_t most = of_class > 1 && keeps_some(options) ? of_class - 1 : of_class; /* one is for training */
        const int64_t test = least(share_of(options->test_fraction, before + of_class) - tested, most);
        const int64_t validation =
            least(share_of(options->validation_fraction, rest_before + of_class - test) - validated, most - test);
        draw(of_class, members, (uint32_t)label, options->seed, test, validation, parts);
        if (!carry) continue;
        before += of_class;
        rest_before += of_class - test;
        tested += test;
        validated += validation;
    }
    free(members);
    return DCNN_OK;
}

/* Is there a part that was asked for, and has no sample? */
static bool lacks_part(int64_t count, const uint8_t *parts, const dcnn_split_options *options) {
    bool found[DCNN_PART_COUNT] = {false};
    for (int64_t i = 0; i < count; i++) found[parts[i]] = true;
    return !found[DCNN_PART_TRAIN] || (options->validation_fraction > 0 && !found[DCNN_PART_VALIDATION]) ||
           (options->test_fraction > 0 && !found[DCNN_PART_TEST]);
}

/* Turns the parts into ascending row lists. Only a part that was asked for with a fraction of 0 may be empty. */
static dcnn_status list_rows(int64_t count, const uint8_t *parts, const dcnn_split_options *options,
                             dcnn_split splits[DCNN_PART_COUNT]) {
    const double fractions[DCNN_PART_COUNT] = {1.0, options->validation_fraction, options->test_fraction};
    int64_t counts[DCNN_PART_COUNT] = {0};
    for (int64_t i = 0; i < count; i++) splits[parts[i]].count++;
    for (int part = 0; part < DCNN_PART_COUNT; part++) counts[part] = splits[part].count; /* those are used below */
    for (int part = 0; part < DCNN_PART_COUNT; part++) {
        dcnn_split *split = &splits[part];
        if (split->count == 0 && fractions[part] == 0.0) continue;
        if (split->count == 0)
            return DCNN_FAIL(
                DCNN_BAD_INPUT,
                "the split '%s' would be empty: of %lld image%s --test-split %g takes %lld, and of the rest "
                "--validation-split %g takes %lld; bring more images, or change these (0: no such split)",
                part_names[part], (long long)count, count == 1 ? "" : "s", options->test_fraction,
                (long long)counts[DCNN_PART_TEST], options->validation_fraction,
                (long long)counts[DCNN_PART_VALIDATION]);
        split->rows = malloc((size_t)split->count * sizeof *split->rows);
        if (!split->rows)
            return DCNN_FAIL(DCNN_FAILURE, "out of memory for a split of %lld samples", (long long)split->count);
        split->count = 0;
    }
    for (int64_t i = 0; i < count; i++) splits[parts[i]].rows[splits[parts[i]].count++] = i;
    return DCNN_OK;
}

dcnn_status dcnn_splits_draw(int64_t count, const int32_t *labels, int class_count, const dcnn_split_options *options,
                             dcnn_split splits[DCNN_PART_COUNT]) {
    memset(splits, 0, DCNN_PART_COUNT * sizeof *splits);
    for (int part = 0; part < DCNN_PART_COUNT; part++)
        snprintf(splits[part].name, sizeof splits[part].name, "%s", part_names[part]);
    double test = options->test_fraction, validation = options->validation_fraction;
    if (!(test >= 0 && test <= 1 && validation >= 0 && validation <= 1))
        return DCNN_FAIL(DCNN_USAGE, "test fraction %g and validation fraction %g: both must be from 0 to 1", test,
                         validation);
    uint8_t *parts = malloc((size_t)count);
    if (!parts) return DCNN_FAIL(DCNN_FAILURE, "out of memory for a split of %lld samples", (long long)count);
    dcnn_status status = DCNN_OK;
    if (options->stratify)
        status = draw_stratified(count, labels, class_count, options, false, parts);
    else
        draw_all(count, options, parts);
    if (status == DCNN_OK && options->stratify && lacks_part(count, parts, options)) /* classes of a few samples each */
        status = draw_stratified(count, labels, class_count, options, true, parts);
    if (status == DCNN_OK) status = list_rows(count, parts, options, splits);
    free(parts);
    return status;
}

/* An image has fewer than 2^31 pixels, so nothing overflows. */
void dcnn_image_sums(const uint8_t *pixels, int64_t area, int channels, uint64_t *sums) {
    for (int channel = 0; channel < channels; channel++) {
        uint64_t sum = 0, squares = 0;
        for (int64_t i = 0; i < area; i++) {
            uint32_t p = pixels[i * channels + channel];
            sum += p;
            squares += p * p;
        }
        sums[2 * channel] = sum;
        sums[2 * channel + 1] = squares;
    }
}

void dcnn_sums_moments(const uint64_t *sums, uint64_t count, int channels, double *mean, double *std) {
    for (int channel = 0; channel < channels; channel++) {
        const uint64_t sum = sums[2 * channel], squares = sums[2 * channel + 1];
        /* count * sum of squares - (sum)^2 cancels nearly all digits in floating point; in integers it is exact */
        uint128 spread = (uint128)count * squares - (uint128)sum * sum;
        mean[channel] = (double)sum / (double)count / 255.0;
        std[channel] = spread == 0 ? 1.0 : sqrt((double)spread) / (double)count / 255.0;
    }
}
