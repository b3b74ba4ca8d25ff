/* SPDX-License-Identifier: BSD-3-Clause */
/** @file calibration.h — are probabilities worth their name? Reliability bins and the expected calibration error. */
#ifndef DCNN_REPORT_CALIBRATION_H
#define DCNN_REPORT_CALIBRATION_H

#include <stdbool.h>
#include <stdint.h>

enum { DCNN_CALIBRATION_BINS = 15 };

/** Samples sorted into bins of equal width by the probability of the predicted class; bin b is (b/B, (b+1)/B]. */
typedef struct dcnn_calibration {
    int64_t count;
    int64_t counts[DCNN_CALIBRATION_BINS];
    double accuracy[DCNN_CALIBRATION_BINS];   /**< hits / samples of the bin; NaN if it is empty */
    double confidence[DCNN_CALIBRATION_BINS]; /**< mean probability of the predicted class; NaN if empty */
    double ece; /**< sum over bins of counts / count * |accuracy - confidence|; NaN without samples */
} dcnn_calibration;

/**
 * Measures calibration (Guo et al., "On calibration of modern neural networks", ICML 2017, equations 2 to 5). *Local.*
 * @param confidence  [count] probability of the predicted class
 * @param hit         [count] was it right?
 */
void dcnn_calibration_measure(int64_t count, const float *confidence, const bool *hit, dcnn_calibration *calibration);

#endif
