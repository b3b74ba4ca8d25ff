/* SPDX-License-Identifier: BSD-3-Clause */
/* calibration.c — see calibration.h. */
#include "report/calibration.h"

#include <math.h>

void dcnn_calibration_measure(int64_t count, const float *confidence, const bool *hit, dcnn_calibration *calibration) {
    double hits[DCNN_CALIBRATION_BINS] = {0}, sums[DCNN_CALIBRATION_BINS] = {0};
    *calibration = (dcnn_calibration){.count = count, .ece = count > 0 ? 0.0 : (double)NAN};
    for (int64_t i = 0; i < count; i++) {
        const double share = fmin((double)confidence[i], 1.0); /* a sum of rounded numbers may pass 1 */
        const int bin =
            confidence[i] > 0.0F ? (int)ceil(share * DCNN_CALIBRATION_BINS) - 1 : 0; /* NaN goes there, too */
        calibration->counts[bin]++;
        hits[bin] += hit[i];
        sums[bin] += (double)confidence[i];
    }
    for (int bin = 0; bin < DCNN_CALIBRATION_BINS; bin++) {
        const double samples = (double)calibration->counts[bin];
        calibration->accuracy[bin] = samples > 0 ? hits[bin] / samples : (double)NAN;
        calibration->confidence[bin] = samples > 0 ? sums[bin] / samples : (double)NAN;
        if (samples > 0) calibration->ece += fabs(hits[bin] - sums[bin]) / (double)count;
    }
}
