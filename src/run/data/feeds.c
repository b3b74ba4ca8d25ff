/* SPDX-License-Identifier: BSD-3-Clause */
/* feeds.c — see feeds.h. */
#include "run/data/feeds.h"

#include "run/data/mix.h"

/* Second classes, their shares, and weights: a mixed sample's is mixed too. */
static void soften(const dcnn_epoch_feed *s, int n, const dcnn_inputs *inputs) {
    for (int i = 0; i < n; i++) {
        inputs->others[i] = inputs->labels[i];
        inputs->shares[i] = inputs->weights[i] = 1.0F;
    }
    if (s->augment && dcnn_mix_is_active(s->augment)) {
        const dcnn_mix_grain grain = {.seed = s->sampler->seed,
                                      .epoch = s->epoch,
                                      .h = s->loader->h,
                                      .w = s->loader->w,
                                      .c = s->loader->c,
                                      .n = n,
                                      .samples = inputs->samples,
                                      .labels = inputs->labels};
        dcnn_mix(s->augment, &grain, inputs->x, inputs->others, inputs->shares);
    }
    for (int i = 0; s->class_weights && i < n; i++)
        inputs->weights[i] = (float)((double)inputs->shares[i] * (double)s->class_weights[inputs->labels[i]] +
                                     (1.0 - (double)inputs->shares[i]) * (double)s->class_weights[inputs->others[i]]);
}

static dcnn_status fill_from_epoch(void *context, int64_t first, int n, const dcnn_inputs *inputs) {
    const dcnn_epoch_feed *s = context;
    const int64_t position = s->unordered ? -1 : s->cursor + first;
    char *scratch = s->scratch ? s->scratch + (size_t)inputs->worker * s->scratch_bytes : NULL;
    dcnn_sampler_numbers(s->sampler, s->epoch, s->cursor + first, n, inputs->samples);
    DCNN_TRY(dcnn_loader_fill(s->loader, s->kernels, s->augment, s->sampler->seed, s->epoch, position, scratch,
                              inputs->samples, n, inputs->x, inputs->labels));
    if (inputs->values) dcnn_loader_targets(s->loader, inputs->samples, n, inputs->values);
    if (inputs->others) soften(s, n, inputs);
    return DCNN_OK;
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
        char *scratch = s->scratch ? s->scratch + (size_t)inputs->worker * s->scratch_bytes : NULL;
        DCNN_TRY(dcnn_loader_fill(s->loader, s->kernels, s->augment, s->seed, s->view, -1, scratch, rows, count,
                                  inputs->x + (size_t)at * values, inputs->labels ? inputs->labels + at : NULL));
        if (inputs->values)
            dcnn_loader_targets(s->loader, rows, count, inputs->values + (int64_t)at * s->loader->target_width);
    }
    return DCNN_OK;
}

dcnn_feed dcnn_feed_of_rows(const dcnn_rows_feed *source) {
    return (dcnn_feed){fill_from_rows, (void *)(uintptr_t)source};
}
