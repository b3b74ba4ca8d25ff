/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * late.c — weights that the next step reads late are made late. A bucket's sum may still be on its way when a step
 * ends; its weights are made, and packed, just before the first stage of the next step that reads them, so that the
 * network has the time of that step's first layers too. Who looks at the weights in between has all of them made first
 * (dcnn_engine_settle()).
 *
 * Where there are many domains, each makes the weights of that part of a bucket which it has added up, as soon as the
 * step's loss is known to be a number, and what comes from the others is their weights instead of their sums: as many
 * bytes. Their moments and gradients come only where all are wanted, once an epoch. (As ZeRO's first stage: Rajbhandari
 * et al., ZeRO: Memory optimizations toward training trillion parameter models, 2020; but each domain keeps all
 * memory.)
 */
#include <stdlib.h>

#include "base/clock.h"
#include "engine/engine_private.h"

/* Norms, phases and constraints want all weights at once, averages and further batches of a step all of a step; of one
 * domain nothing is on its way; and what a rank that dies leaves half done would be of two steps. */
static bool can_be_late(const dcnn_engine *e) {
    return dcnn_comm_domain_count(e->comm) > 1 && !dcnn_comm_is_elastic(e->comm) && !e->options.plain_sums &&
           e->options.accumulate == 1 && e->average == NULL && !dcnn_update_wants_norms(&e->update) &&
           dcnn_update_phases(&e->update) == 0 && !e->update.constrains;
}

dcnn_status dcnn_engine_plan_late(dcnn_engine *e) {
    dcnn_late *late = &e->late;
    const int stages = e->net->stage_count;
    late->readers = calloc((size_t)stages, sizeof *late->readers);
    late->prepares = calloc((size_t)stages, sizeof *late->prepares);
    late->waits = calloc((size_t)stages, sizeof *late->waits);
    late->runs_s = calloc((size_t)stages, sizeof *late->runs_s);
    if (late->runs_s == NULL || late->readers == NULL || late->prepares == NULL || late->waits == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: stages");
    for (int stage = 0; stage < stages; stage++) {
        late->readers[stage] = dcnn_plan_first_reader(e->plan, e->net->buckets[stage]);
        late->prepares[stage] = dcnn_plan_prepares(e->plan, stage);
    }
    return DCNN_OK;
}

/* A domain's part is made by one thread of each rank. Nodes may have other cores, and their ranks other threads, but
 * what they send each other is of one kind. */
void dcnn_engine_choose_late(dcnn_engine *e) {
    dcnn_late *late = &e->late;
    int64_t slower = e->threads > dcnn_comm_domain_count(e->comm);
    dcnn_comm_add_integers(e->comm, &slower, 1);
    late->can = can_be_late(e);
    late->shares = late->can && dcnn_comm_has_many_domains(e->comm) && slower == 0;
}

void dcnn_engine_forget_late(dcnn_engine *e) {
    free(e->late.readers);
    free(e->late.prepares);
    free(e->late.waits);
    free(e->late.runs_s);
}

void dcnn_engine_begin_late(dcnn_engine *e) {
    e->late.lags = e->late.left > 0;
}

void dcnn_engine_expect(dcnn_engine *e, int stage) {
    e->late.run_began_s = dcnn_now_s();
    dcnn_comm_expect(e->comm, e->late.runs_s[stage] > 0.0 ? e->late.run_began_s + e->late.runs_s[stage] : 0.0);
}

void dcnn_engine_expected(dcnn_engine *e, int stage) {
    e->late.runs_s[stage] = dcnn_now_s() - e->late.run_began_s;
}

/* By the thread that moves gradients on. */
static void make_part(void *argument, int bucket, size_t first, size_t count) {
    dcnn_engine *e = argument;
    dcnn_update_apply(&e->update, (dcnn_range){e->net->buckets[bucket].offset + first, count});
}

void dcnn_engine_share_out(dcnn_engine *e, bool late) {
    const dcnn_making making = {.make = make_part,
                                .context = e,
                                .made = e->net->params + e->net->buckets[e->stage].offset,
                                .held = e->stage <= e->net->loss_stage};
    if (e->late.shares) dcnn_comm_gradient_make(e->comm, e->stage, late ? &making : NULL);
}

void dcnn_engine_release(dcnn_engine *e, bool good) {
    if (!e->late.shares) return;
    if (good) {
        dcnn_update_begin(&e->update, e->step->rate, e->step->number, e->step->samples);
        e->late.scattered = true;
    }
    dcnn_comm_gradient_release(e->comm, good);
}

/* Brings the domains' parts of a vector to all. */
static void collect(dcnn_engine *e, float *vector) {
    for (int bucket = 0; bucket < e->net->stage_count; bucket++)
        if (e->net->buckets[bucket].count > 0)
            dcnn_comm_gradient_spread(e->comm, bucket, vector + e->net->buckets[bucket].offset);
    dcnn_comm_gradient_finish(e->comm);
}

void dcnn_engine_collect_moments(dcnn_engine *e) {
    if (!e->late.scattered) return;
    const int moments = dcnn_optimizer_moments(&e->options.optimizer);
    if (moments > 0) collect(e, e->m);
    if (moments > 1) collect(e, e->v);
    dcnn_comm_domain_barrier(e->comm);
    e->late.scattered = false;
    dcnn_stopwatch_book(&e->watch, DCNN_PHASE_GRADIENT);
}

void dcnn_engine_be_late(dcnn_engine *e) {
    if (!e->late.shares) dcnn_update_begin(&e->update, e->step->rate, e->step->number, e->step->samples);
    for (int stage = 0; stage < e->net->stage_count; stage++) {
        e->late.waits[stage] = e->net->buckets[stage].count > 0;
        e->late.left += e->late.waits[stage];
    }
    dcnn_comm_domain_barrier(e->comm); /* others may still read the weights, and what is packed of them */
    dcnn_stopwatch_book(&e->watch, DCNN_PHASE_GRADIENT);
}

static bool is_wanted(const dcnn_engine *e, int bucket) {
    return e->late.waits[bucket] && e->late.readers[bucket] <= e->late.stage;
}

static void apply(void *argument, int worker) {
    dcnn_engine *e = argument;
    for (int bucket = 0; bucket < e->net->stage_count; bucket++)
        if (is_wanted(e, bucket)) dcnn_update_apply(&e->update, dcnn_engine_part(e, bucket, worker));
}

/* New weights of all buckets that are read until this stage. */
static void make_weights(dcnn_engine *e, int stage) {
    int count = 0;
    e->late.stage = stage;
    for (int bucket = e->net->stage_count - 1; bucket >= 0; bucket--) {
        if (!is_wanted(e, bucket)) continue;
        dcnn_comm_gradient_wait(e->comm, bucket);
        count++;
    }
    if (count == 0) return;
    dcnn_stopwatch_book(&e->watch, DCNN_PHASE_GRADIENT);
    if (!e->late.shares) dcnn_thread_pool_run(e->pool, apply, e);
    dcnn_comm_domain_barrier(e->comm);
    for (int bucket = 0; bucket < e->net->stage_count; bucket++)
        if (is_wanted(e, bucket)) e->late.waits[bucket] = false;
    e->late.left -= count;
    dcnn_stopwatch_book(&e->watch, DCNN_PHASE_ADAM);
}

static void prepare(void *argument, int worker) {
    dcnn_engine *e = argument;
    dcnn_plan_prepare_stage(e->plan, e->late.stage, worker);
}

void dcnn_engine_catch_up(dcnn_engine *e, int stage) {
    if (!e->late.lags || stage > e->net->loss_stage) return;
    make_weights(e, stage);
    if (!e->late.prepares[stage]) return;
    dcnn_thread_pool_run(e->pool, prepare, e);
    dcnn_comm_domain_barrier(e->comm);
    dcnn_stopwatch_book(&e->watch, DCNN_PHASE_PREPARE);
}

void dcnn_engine_settle(dcnn_engine *e) {
    if (e->late.left == 0 && !e->late.scattered) return;
    dcnn_stopwatch_start(&e->watch);
    make_weights(e, e->net->stage_count);
    if (!e->late.scattered) return;
    collect(e, e->gradient);
    dcnn_engine_collect_moments(e);
}
