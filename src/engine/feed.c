/* SPDX-License-Identifier: BSD-3-Clause */
/* feed.c — see feed.h. */
#include "engine/feed.h"

#include <string.h>

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

dcnn_feed dcnn_arrays_feed(const dcnn_arrays *arrays) {
    return (dcnn_feed){fill_from_arrays, (void *)(uintptr_t)arrays};
}
