/* SPDX-License-Identifier: BSD-3-Clause */
/* arrays_feed.h — a feed of plain arrays, for the tests that call the engine. */
#ifndef DCNN_TESTS_ARRAYS_FEED_H
#define DCNN_TESTS_ARRAYS_FEED_H

#include <string.h>

#include "engine/feed.h"

/* Samples in memory: the same arrays on every rank, each of which reads its own part. */
typedef struct dcnn_arrays {
    int64_t count;
    int64_t values;        /* floats of a sample, H * W * C */
    const float *x;        /* [count, values], standardised */
    const int32_t *labels; /* [count], or NULL */
    const float *targets;  /* [count, outputs] numbers, or NULL */
    int outputs;
    int64_t first_number; /* of sample 0 in the whole data, for dropout */
} dcnn_arrays;

static dcnn_status fill_from_arrays(void *context, int64_t first, int n, const dcnn_inputs *inputs) {
    const dcnn_arrays *a = context;
    if (first + n > a->count)
        return DCNN_FAIL(DCNN_USAGE, "samples up to %lld are wanted, but the arrays hold %lld", (long long)(first + n),
                         (long long)a->count);
    memcpy(inputs->x, a->x + first * a->values, (size_t)(n * a->values) * sizeof(float));
    for (int i = 0; i < n && inputs->samples; i++) inputs->samples[i] = a->first_number + first + i;
    if (inputs->values && a->targets == NULL) return DCNN_FAIL(DCNN_USAGE, "training and evaluation need targets");
    if (inputs->labels && a->labels == NULL) return DCNN_FAIL(DCNN_USAGE, "training and evaluation need labels");
    for (int i = 0; inputs->others && i < n; i++) {
        inputs->others[i] = 0;
        inputs->shares[i] = inputs->weights[i] = 1.0f;
    }
    if (inputs->values)
        memcpy(inputs->values, a->targets + first * a->outputs, (size_t)(n * a->outputs) * sizeof(float));
    if (inputs->labels) memcpy(inputs->labels, a->labels + first, (size_t)n * sizeof *inputs->labels);
    return DCNN_OK;
}

/* The arrays are borrowed. */
static inline dcnn_feed dcnn_arrays_feed(const dcnn_arrays *arrays) {
    return (dcnn_feed){fill_from_arrays, (void *)(uintptr_t)arrays};
}

#endif
