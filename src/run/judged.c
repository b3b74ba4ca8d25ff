/* SPDX-License-Identifier: BSD-3-Clause */
/* judged.c — see judged.h. */
#include "run/judged.h"

#include "run/data/feeds.h"

/* A pass over the training images as they are. */
static dcnn_status make_statistics(dcnn_trainer *t) {
    const dcnn_epoch_feed feed = {.loader = &t->data.loader,
                                  .kernels = dcnn_engine_kernels(t->engine),
                                  .sampler = &t->data.sampler,
                                  .epoch = (uint32_t)t->state.progress.epoch,
                                  .unordered = true};
    return dcnn_engine_statistics(t->engine, t->data.sampler.count, feed.epoch, dcnn_feed_of_epoch(&feed));
}

dcnn_status dcnn_trainer_judge(dcnn_trainer *t) {
    dcnn_trainer_exchange(t);
    if (t->state.average == NULL && !t->options->exact_statistics) return DCNN_OK;
    return make_statistics(t);
}

void dcnn_trainer_exchange(dcnn_trainer *t) {
    float *now = t->state.net->state, *other = t->judged.statistics;
    if (t->state.average == NULL) return;
    dcnn_engine_exchange(t->engine);
    for (size_t i = 0; i < t->state.net->state_count; i++) {
        const float value = now[i];
        now[i] = other[i];
        other[i] = value;
    }
    t->judged.exchanged = !t->judged.exchanged;
}
