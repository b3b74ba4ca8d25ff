/* SPDX-License-Identifier: BSD-3-Clause */
/** @file histogram.h — how the values of a tensor are distributed, as TensorFlow's HistogramProto tells it. */
#ifndef DCNN_RUN_HISTOGRAM_H
#define DCNN_RUN_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { DCNN_HISTOGRAM_BINS = 30 };

/** Bins of equal width from the least to the greatest finite value; one bin if they are the same. */
typedef struct dcnn_histogram {
    double min, max, sum, sum_squares; /**< of the finite values */
    int64_t num;                       /**< how many those are; 0: nothing else holds */
    int bin_count;
    double limits[DCNN_HISTOGRAM_BINS]; /**< the bins' upper ends */
    int64_t counts[DCNN_HISTOGRAM_BINS];
} dcnn_histogram;

/** Counts values, each times `scale` first. *Local.* */
void dcnn_histogram_count(const float *values, size_t count, double scale, dcnn_histogram *histogram);

#endif
