/* SPDX-License-Identifier: BSD-3-Clause */
/* update.c — the end of a step: the gradients of its batches added, and new weights made of them. Each rank does
 * its slices, for all ranks of its domain, and each of its threads a part of them. */
#include <math.h>
#include <string.h>

#include "engine/engine_private.h"

dcnn_range dcnn_engine_part(const dcnn_engine *e, int bucket_number, int worker) {
    const dcnn_range bucket = e->net->buckets[bucket_number];
    const int workers = dcnn_thread_pool_size(e->pool);
    size_t first, length;
    dcnn_comm_slice(e->comm, bucket.count, &first, &length);
    const int64_t lines = (int64_t)length / 16;
    const size_t at = (size_t)dcnn_share_first(lines, worker, workers) * 16;
    const size_t end = (size_t)dcnn_share_first(lines, worker + 1, workers) * 16;
    return (dcnn_range){bucket.offset + first + at, end - at};
}

/* --- batches ---------------------------------------------------------------------------------------------- */

static void accumulate(void *argument, int worker) {
    dcnn_engine *e = argument;
    for (int stage = 0; stage < e->net->stage_count; stage++) {
        const dcnn_range part = dcnn_engine_part(e, stage, worker);
        float *gradient = e->gradient + part.offset, *accumulated = e->accumulated + part.offset;
        if (e->batch_number == 0)
            memcpy(accumulated, gradient, part.count * sizeof(float));
        else
            e->kernels->add(part.count, accumulated, gradient, e->batch_is_last ? gradient : accumulated);
    }
}

void dcnn_engine_accumulate(dcnn_engine *e) {
    if (e->batch_number == 0 && e->batch_is_last) return;
    dcnn_thread_pool_run(e->pool, accumulate, e);
    if (!e->batch_is_last) dcnn_comm_domain_barrier(e->comm); /* others have read this rank's blocks */
}

/* --- new weights ------------------------------------------------------------------------------------------------ */

static void directions(void *argument, int worker) {
    dcnn_engine *e = argument;
    for (int stage = 0; stage < e->net->stage_count; stage++)
        dcnn_update_directions(&e->update, dcnn_engine_part(e, stage, worker));
}

static void measure(void *argument, int worker) {
    dcnn_engine *e = argument;
    const int rank = dcnn_comm_domain_rank(e->comm), size = dcnn_comm_domain_size(e->comm);
    const int64_t first = dcnn_share_first(e->update.chunk_count, rank, size);
    const int64_t count = dcnn_share_first(e->update.chunk_count, rank + 1, size) - first;
    const int64_t at = dcnn_share_first(count, worker, dcnn_thread_pool_size(e->pool));
    const int64_t end = dcnn_share_first(count, worker + 1, dcnn_thread_pool_size(e->pool));
    dcnn_update_measure(&e->update, first + at, end - at);
}

static void apply(void *argument, int worker) {
    dcnn_engine *e = argument;
    for (int stage = 0; stage < e->net->stage_count; stage++)
        dcnn_update_apply(&e->update, dcnn_engine_part(e, stage, worker));
}

/* Keras' use_ema, with its ema_overwrite_frequency: average = m average + (1 - m) weight, and the weight itself after
 * the first step. */
static void average(void *argument, int worker) {
    dcnn_engine *e = argument;
    const double momentum = e->step->number > 1 ? e->options.optimizer.ema_momentum : 0.0;
    const int64_t every = e->options.optimizer.ema_overwrite;
    for (int stage = 0; stage < e->net->stage_count; stage++) {
        const dcnn_range part = dcnn_engine_part(e, stage, worker);
        float *weights = e->net->params + part.offset;
        float *averages = e->average + part.offset;
        for (size_t i = 0; i < part.count; i++)
            averages[i] = (float)(momentum * (double)averages[i] + (1.0 - momentum) * (double)weights[i]);
        if (every > 0 && e->step->number % every == 0) memcpy(weights, averages, part.count * sizeof(float));
    }
}

static void exchange(void *argument, int worker) {
    dcnn_engine *e = argument;
    for (int stage = 0; stage < e->net->stage_count; stage++) {
        const dcnn_range part = dcnn_engine_part(e, stage, worker);
        float *weights = e->net->params + part.offset, *averages = e->average + part.offset;
        for (size_t i = 0; i < part.count; i++) {
            const float weight = weights[i];
            weights[i] = averages[i];
            averages[i] = weight;
        }
    }
}

void dcnn_engine_exchange(dcnn_engine *e) {
    dcnn_engine_settle(e);
    if (e->average == NULL) return;
    dcnn_comm_domain_barrier(e->comm); /* others may still read them */
    dcnn_thread_pool_run(e->pool, exchange, e);
    dcnn_comm_domain_barrier(e->comm);
}

static void constrain(void *argument, int worker) {
    dcnn_engine *e = argument;
    const int workers = dcnn_thread_pool_size(e->pool);
    dcnn_update_constrain(&e->update, dcnn_comm_domain_rank(e->comm) * workers + worker,
                          dcnn_comm_domain_size(e->comm) * workers);
}

/* A phase of an update that has such, as e->phase says. */
static void phase(void *argument, int worker) {
    dcnn_engine *e = argument;
    const int workers = dcnn_thread_pool_size(e->pool);
    dcnn_update_phase(&e->update, e->phase, dcnn_comm_domain_rank(e->comm) * workers + worker,
                      dcnn_comm_domain_size(e->comm) * workers);
}

dcnn_status dcnn_engine_update(dcnn_engine *e, double *penalty) {
    *penalty = 0.0;
    dcnn_update_begin(&e->update, e->step->rate, e->step->number, e->step->samples);
    if (dcnn_update_wants_norms(&e->update)) {
        dcnn_thread_pool_run(e->pool, directions, e);
        dcnn_comm_domain_barrier(e->comm);
        dcnn_thread_pool_run(e->pool, measure, e);
        dcnn_comm_domain_barrier(e->comm);
        *penalty = dcnn_update_penalty(&e->update);
        if (!isfinite(*penalty)) /* all ranks see the same, and apply nothing */
            return DCNN_FAIL(DCNN_DIVERGED, "the regularizers' part of the loss became infinite or not a number");
    }
    if (dcnn_update_phases(&e->update) > 0) dcnn_comm_domain_barrier(e->comm); /* all gradients are there */
    for (e->phase = 0; e->phase < dcnn_update_phases(&e->update); e->phase++) {
        dcnn_thread_pool_run(e->pool, phase, e);
        dcnn_comm_domain_barrier(e->comm);
    }
    dcnn_thread_pool_run(e->pool, apply, e);
    dcnn_comm_domain_barrier(e->comm);
    if (e->update.constrains) {
        dcnn_thread_pool_run(e->pool, constrain, e);
        dcnn_comm_domain_barrier(e->comm);
    }
    if (e->average) {
        dcnn_thread_pool_run(e->pool, average, e);
        dcnn_comm_domain_barrier(e->comm); /* a checkpoint reads all parts, a step weights that these were put in */
    }
    return DCNN_OK;
}
