/* SPDX-License-Identifier: BSD-3-Clause */
/* histogram.c — see histogram.h. */
#include "run/record/histogram.h"

#include <math.h>

static void find_range(const float *values, size_t count, double scale, dcnn_histogram *h) {
    h->min = HUGE_VAL;
    h->max = -HUGE_VAL;
    for (size_t i = 0; i < count; i++) {
        const double value = scale * (double)values[i];
        if (!isfinite(value)) continue;
        h->min = fmin(h->min, value);
        h->max = fmax(h->max, value);
    }
}

void dcnn_histogram_count(const float *values, size_t count, double scale, dcnn_histogram *h) {
    *h = (dcnn_histogram){0};
    find_range(values, count, scale, h);
    if (h->min > h->max) return;
    h->bin_count = h->max > h->min ? DCNN_HISTOGRAM_BINS : 1;
    const double width = (h->max - h->min) / h->bin_count;
    for (int i = 0; i < h->bin_count; i++) h->limits[i] = i + 1 < h->bin_count ? h->min + (i + 1) * width : h->max;
    for (size_t i = 0; i < count; i++) {
        const double value = scale * (double)values[i];
        if (!isfinite(value)) continue;
        const int bin = width > 0 ? (int)((value - h->min) / width) : 0;
        h->counts[bin < h->bin_count ? bin : h->bin_count - 1]++;
        h->num++;
        h->sum += value;
        h->sum_squares += value * value;
    }
}
