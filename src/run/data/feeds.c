/* SPDX-License-Identifier: BSD-3-Clause */
/* feeds.c — see feeds.h. */
#include "run/data/feeds.h"

static dcnn_status fill_from_epoch(void *context, int64_t first, int n, const dcnn_inputs *inputs) {
    const dcnn_epoch_feed *s = context;
    dcnn_sampler_rows(s->sampler, s->epoch, s->cursor + first, n, inputs->samples);
    return dcnn_loader_fill(s->loader, s->kernels, s->augment, s->sampler->seed, s->epoch, s->cursor + first,
                            s->scratch + (size_t)inputs->worker * s->scratch_bytes, inputs->samples, n, inputs->x,
                            inputs->labels);
}

dcnn_feed dcnn_feed_of_epoch(const dcnn_epoch_feed *source) {
    return (dcnn_feed){fill_from_epoch, (void *)(uintptr_t)source};
}

/* Some grains before they are wanted: this thread goes on to those behind its own. */
static void expect_rows(const dcnn_rows_feed *s, int64_t first, int n) {
    enum { GRAINS_AHEAD = 32 };
    const int64_t from = first + (int64_t)GRAINS_AHEAD * n, left = s->count - from;
    if (s->rows && left > 0) dcnn_loader_expect(s->loader, s->rows + from, left < n ? left : n);
}

static dcnn_status fill_from_rows(void *context, int64_t first, int n, const dcnn_inputs *inputs) {
    enum { MOST = 64 };
    const dcnn_rows_feed *s = context;
    const size_t values = (size_t)s->loader->h * (size_t)s->loader->w * (size_t)s->loader->c;
    expect_rows(s, first, n);
    for (int at = 0; at < n; at += MOST) {
        int64_t rows[MOST];
        const int count = n - at < MOST ? n - at : MOST;
        for (int i = 0; i < count; i++) rows[i] = s->rows ? s->rows[first + at + i] : first + at + i;
        DCNN_TRY(dcnn_loader_fill(s->loader, s->kernels, NULL, 0, 0, -1, NULL, rows, count,
                                  inputs->x + (size_t)at * values, inputs->labels ? inputs->labels + at : NULL));
    }
    return DCNN_OK;
}

dcnn_feed dcnn_feed_of_rows(const dcnn_rows_feed *source) {
    return (dcnn_feed){fill_from_rows, (void *)(uintptr_t)source};
}
