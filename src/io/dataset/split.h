/* SPDX-License-Identifier: BSD-3-Clause */
/** @file split.h — which samples are test, validation and training, and the training pixels' mean and deviation. */
#ifndef DCNN_IO_SPLIT_H
#define DCNN_IO_SPLIT_H

#include "io/dataset/dataset.h"

/** Where `dcnn prepare` puts each labelled sample. */
typedef enum dcnn_split_part { DCNN_PART_TRAIN, DCNN_PART_VALIDATION, DCNN_PART_TEST, DCNN_PART_COUNT } dcnn_split_part;

/** How splits are drawn. */
typedef struct dcnn_split_options {
    double test_fraction;       /**< of all; 0..1 */
    double validation_fraction; /**< of what test leaves */
    bool stratify;              /**< class by class, so that each split has the same shares */
    uint64_t seed;
} dcnn_split_options;

/**
 * Draws the splits: floor(fraction * n + 0.5) samples for test, then as much of the rest for validation. *Local.*
 * A fraction of 0 leaves that split empty. With `stratify` so many of each class; where classes are so small that a
 * split would have none, what rounding leaves of one class is passed on to the next.
 * @param splits  out [DCNN_PART_COUNT], names and ascending rows; the caller frees the rows, after a failure too
 * @return DCNN_OK, DCNN_USAGE (fractions), DCNN_BAD_INPUT (a split that would be empty), DCNN_FAILURE
 */
dcnn_status dcnn_splits_draw(int64_t count, const int32_t *labels, int class_count, const dcnn_split_options *options,
                             dcnn_split splits[DCNN_PART_COUNT]);

/** Sums of one image's pixels, and of their squares, in each channel. *Local.*
 * @param pixels  [area,channels]
 * @param sums    out [channels,2] */
void dcnn_image_sums(const uint8_t *pixels, int64_t area, int channels, uint64_t *sums);

/**
 * Mean and standard deviation (over the population) of pixel / 255 in each channel, from exact integer sums. A channel
 * that never changes gets deviation 1, so that standardising makes it 0 and not NaN. *Local.*
 * @param sums   [channels,2] of all images that count
 * @param count  pixels that were summed in each channel
 */
void dcnn_sums_moments(const uint64_t *sums, uint64_t count, int channels, double *mean, double *std);

#endif
