/* SPDX-License-Identifier: BSD-3-Clause */
/* update.c — the end of a step: the gradients of its micro-batches added, and new weights made of them. Each rank does
 * its slices, for all ranks of its domain, and each of its threads a part of them. */
#include <string.h>

#include "run/trainer.h"

/* A worker's part of this rank's slice of a bucket. A bucket is whole cache lines. */
static dcnn_range part_of_bucket(const dcnn_trainer *t, int stage, int worker) {
    const dcnn_range bucket = t->state.net->buckets[stage];
    const int workers = dcnn_team_size(t->team);
    size_t first, length;
    dcnn_comm_slice(t->comm, bucket.count, &first, &length);
    const int64_t lines = (int64_t)length / 16;
    const size_t at = (size_t)dcnn_share_first(lines, worker, workers) * 16;
    const size_t end = (size_t)dcnn_share_first(lines, worker + 1, workers) * 16;
    return (dcnn_range){bucket.offset + first + at, end - at};
}

/* --- micro-batches ---------------------------------------------------------------------------------------------- */

static void accumulate(void *argument, int worker) {
    dcnn_trainer *t = argument;
    for (int stage = 0; stage < t->state.net->stage_count; stage++) {
        const dcnn_range part = part_of_bucket(t, stage, worker);
        float *gradient = t->gradient + part.offset, *accumulated = t->accumulated + part.offset;
        if (t->micro_batch == 0)
            memcpy(accumulated, gradient, part.count * sizeof(float));
        else
            t->kernels->add(part.count, accumulated, gradient, t->micro_batch_is_last ? gradient : accumulated);
    }
}

void dcnn_trainer_accumulate(dcnn_trainer *t) {
    if (t->micro_batch == 0 && t->micro_batch_is_last) return;
    dcnn_team_run(t->team, accumulate, t);
    if (!t->micro_batch_is_last) dcnn_comm_domain_barrier(t->comm); /* others have read this rank's blocks */
}

/* --- new weights ------------------------------------------------------------------------------------------------ */

static void direct(void *argument, int worker) {
    dcnn_trainer *t = argument;
    for (int stage = 0; stage < t->state.net->stage_count; stage++)
        dcnn_update_direct(&t->update, part_of_bucket(t, stage, worker));
}

static void measure(void *argument, int worker) {
    dcnn_trainer *t = argument;
    const int rank = dcnn_comm_domain_rank(t->comm), size = dcnn_comm_domain_size(t->comm);
    const int64_t first = dcnn_share_first(t->update.chunk_count, rank, size);
    const int64_t count = dcnn_share_first(t->update.chunk_count, rank + 1, size) - first;
    const int64_t at = dcnn_share_first(count, worker, dcnn_team_size(t->team));
    const int64_t end = dcnn_share_first(count, worker + 1, dcnn_team_size(t->team));
    dcnn_update_measure(&t->update, first + at, end - at);
}

static void apply(void *argument, int worker) {
    dcnn_trainer *t = argument;
    for (int stage = 0; stage < t->state.net->stage_count; stage++)
        dcnn_update_apply(&t->update, part_of_bucket(t, stage, worker));
}

void dcnn_trainer_update(dcnn_trainer *t) {
    const double rate = dcnn_schedule_rate(&t->options->schedule, t->options->optimizer.learning_rate,
                                           t->state.progress.step, t->options->epochs, dcnn_sampler_steps(&t->sampler));
    dcnn_update_begin(&t->update, rate, t->state.progress.step + 1, t->step_samples);
    if (dcnn_update_wants_norms(&t->update)) {
        dcnn_team_run(t->team, direct, t);
        dcnn_comm_domain_barrier(t->comm);
        dcnn_team_run(t->team, measure, t);
        dcnn_comm_domain_barrier(t->comm);
    }
    dcnn_team_run(t->team, apply, t);
    dcnn_comm_domain_barrier(t->comm);
}
