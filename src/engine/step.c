/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step.c — a batch's way, from its samples to new weights.
 *
 * The batch is cut into grains; this rank's are a contiguous share, and so are each thread's. In each stage every grain
 * runs through the stage's layers; the grains' sums are added along the tree and agreed by all ranks; the gradients
 * that the stage completed set out to the other ranks while the next stage computes. At the end each rank
 * steps its slice of the weights (update.c), and packs its part of them for the next step.
 */
#include <math.h>
#include <string.h>

#include "engine/engine_private.h"

enum { FEED_FAILED = 1 << 20 }; /* rides with the stop flags, above them all */

static void prepare(void *argument, int worker) {
    dcnn_plan_prepare(((dcnn_engine *)argument)->plan, worker);
}

static int grain_size(const dcnn_engine *e, int64_t slot) {
    const int64_t left = e->batch - (e->shares.first + slot) * e->options.grain;
    return (int)(left < e->options.grain ? left : e->options.grain);
}

/* The first thread to fail says why: its error record is its own. */
static void note_failure(dcnn_engine *e, dcnn_status status) {
    int none = DCNN_OK;
    if (!atomic_compare_exchange_strong(&e->failed, &none, (int)status)) return;
    strncpy(e->failure, dcnn_error(), sizeof e->failure - 1);
}

/* What the samples of a slot's grain should come to. */
static dcnn_targets targets_of(const dcnn_engine *e, int64_t slot) {
    const int64_t at = slot * e->options.grain;
    return (dcnn_targets){.labels = e->labels ? e->labels + at : NULL,
                          .values = e->values ? e->values + at * e->net->output_count : NULL,
                          .others = e->others ? e->others + at : NULL,
                          .shares = e->others ? e->shares_of_first + at : NULL,
                          .weights = e->others ? e->weights + at : NULL};
}

static void load_grain(dcnn_engine *e, int worker, int64_t slot, int n) {
    const int64_t at = slot * e->options.grain;
    const dcnn_inputs inputs = {.worker = worker,
                                .x = dcnn_plan_input(e->plan, (int)slot),
                                .labels = e->labels ? e->labels + at : NULL,
                                .values = e->values ? e->values + at * e->net->output_count : NULL,
                                .others = e->others ? e->others + at : NULL,
                                .shares = e->others ? e->shares_of_first + at : NULL,
                                .weights = e->others ? e->weights + at : NULL,
                                .samples = e->samples + at};
    const int64_t first = e->first + (e->shares.first + slot) * e->options.grain;
    const dcnn_status status = e->step->feed.fill(e->step->feed.context, first, n, &inputs);
    if (status != DCNN_OK) note_failure(e, status);
}

/* Moves gradients on, by the first thread: between two grains, and where images have been read, for what the last stage
 * completed is then on its way and soon waited for. run_batch() looks before the first grain, too. */
static void look_at_link(dcnn_engine *e) {
    dcnn_comm_progress(e->comm);
    dcnn_lap_book(&e->workers[0].lap, DCNN_PHASE_GRADIENT);
}

/* A worker's grains of one stage; its gradients end as a few vectors, the blocks of its share of the tree. */
static void run_stage(void *argument, int worker) {
    dcnn_engine *e = argument;
    dcnn_worker *mine = &e->workers[worker];
    const dcnn_range bucket = e->net->buckets[e->stage];
    const int workers = dcnn_thread_pool_size(e->pool);
    const int64_t end = dcnn_share_first(e->shares.count, worker + 1, workers);
    dcnn_tree tree = {0};
    dcnn_lap_start(&mine->lap);
    for (int64_t slot = dcnn_share_first(e->shares.count, worker, workers); slot < end; slot++) {
        dcnn_grain grain = {.n = grain_size(e, slot),
                            .samples = e->measures ? NULL : e->samples + slot * e->options.grain, /* nothing is drawn */
                            .targets = targets_of(e, slot),
                            .seed = e->options.seed,
                            .epoch = e->step->epoch,
                            .clean = e->measures,
                            .dparams = mine->vectors[tree.depth],
                            .sums = e->sums + slot * e->sum_stride,
                            .times = e->measures ? NULL : mine->times};
        if (e->stage == 0) load_grain(e, worker, slot, grain.n);
        dcnn_lap_book(&mine->lap, DCNN_PHASE_LOAD);
        if (e->stage == 0 && worker == 0) look_at_link(e);
        dcnn_plan_run(e->plan, e->stage, (int)slot, worker, &grain);
        if (e->options.on_grain) e->options.on_grain();
        dcnn_lap_book_run(&mine->lap, e->stage, e->shares.first + slot);
        int depth = tree.depth + 1;
        for (int m = dcnn_tree_push(&tree, (dcnn_block){0, e->shares.first + slot}, e->shares.grains); m > 0;
             m--, depth--)
            e->kernels->add(bucket.count, mine->vectors[depth - 2] + bucket.offset,
                            mine->vectors[depth - 1] + bucket.offset, mine->vectors[depth - 2] + bucket.offset);
        dcnn_lap_book(&mine->lap, DCNN_PHASE_ADD);
        if (worker == 0) look_at_link(e);
    }
}

/* The workers' blocks become the rank's: pushed in order, merging where they complete a subtree. Each worker adds its
 * own slice of the vectors; every one walks the same tree. */
typedef struct merge {
    dcnn_engine *engine;
    float *blocks[DCNN_TREE_DEPTH]; /* out, at bucket.offset */
    int depth;
} merge;

static void merge_slice(void *argument, int worker) {
    merge *m = argument;
    dcnn_engine *e = m->engine;
    const dcnn_range bucket = e->net->buckets[e->stage];
    const int workers = dcnn_thread_pool_size(e->pool);
    const size_t first = (size_t)dcnn_share_first((int64_t)bucket.count, worker, workers);
    const size_t count = (size_t)dcnn_share_first((int64_t)bucket.count, worker + 1, workers) - first;
    float *stack[DCNN_TREE_DEPTH];
    dcnn_tree tree = {0};
    for (int from = 0; from < workers; from++) {
        const int64_t grain = e->shares.first + dcnn_share_first(e->shares.count, from, workers);
        const int64_t end = e->shares.first + dcnn_share_first(e->shares.count, from + 1, workers);
        const dcnn_tree theirs = dcnn_tree_share(grain, end - grain, e->shares.grains);
        for (int i = 0; i < theirs.depth; i++) {
            int depth = tree.depth + 1;
            stack[tree.depth] = e->workers[from].vectors[i] + bucket.offset;
            for (int n = dcnn_tree_push(&tree, theirs.blocks[i], e->shares.grains); n > 0; n--, depth--)
                e->kernels->add(count, stack[depth - 2] + first, stack[depth - 1] + first, stack[depth - 2] + first);
        }
    }
    if (worker != 0) return; /* every worker found the same blocks */
    memcpy(m->blocks, stack, (size_t)tree.depth * sizeof *stack);
    m->depth = tree.depth;
}

/* May the step's gradients travel on when it ends? */
static bool is_late(const dcnn_engine *e) {
    return e->late.can && e->step->goes_on;
}

/* Before the stage's small sum, in which the ranks of a domain meet: so they may add them up as they wait for that. */
static void publish_gradients(dcnn_engine *e) {
    const dcnn_range bucket = e->net->buckets[e->stage];
    if (bucket.count == 0) return;
    merge m = {.engine = e};
    dcnn_thread_pool_run(e->pool, merge_slice, &m);
    dcnn_stopwatch_book(&e->watch, DCNN_PHASE_ADD);
    if (e->options.plain_sums)
        dcnn_comm_gradient_plain(e->comm, e->kernels, bucket.count, m.depth, m.blocks, e->gradient + bucket.offset);
    else {
        dcnn_engine_share_out(e, is_late(e));
        dcnn_comm_gradient_begin(e->comm, e->kernels, e->stage, e->shares, bucket.count, m.blocks,
                                 e->gradient + bucket.offset);
    }
    dcnn_stopwatch_book(&e->watch, DCNN_PHASE_GRADIENT);
}

/* Agrees the stage's sums; in the loss stage they carry the loss, and with it the stop flags. */
static dcnn_status agree_stage(dcnn_engine *e, dcnn_step_sums *sums) {
    const int count = dcnn_plan_sum_count(e->plan, e->stage);
    if (count == 0) return DCNN_OK;
    double *totals = e->sums + (int64_t)e->slots * e->sum_stride;
    int flag = atomic_load(&e->failed) ? FEED_FAILED : e->options.stop_flag ? e->options.stop_flag() : 0;
    dcnn_comm_sum(e->comm, e->shares, count, e->sums, e->sum_stride, totals, &flag);
    if (dcnn_comm_is_broken(e->comm)) return dcnn_comm_fail_broken();
    if (flag >= FEED_FAILED) {
        const dcnn_status failed = (dcnn_status)atomic_exchange(&e->failed, DCNN_OK);
        if (failed != DCNN_OK) dcnn_error_set(e->failure);
        return dcnn_comm_agree(e->comm, failed);
    }
    dcnn_plan_agreed(e->plan, e->stage, totals, e->batch);
    if (e->stage != e->net->loss_stage) return DCNN_OK;
    const double *loss = totals + count - DCNN_LOSS_SUMS;
    if (flag > sums->stop) sums->stop = flag;
    if (!isfinite(loss[DCNN_SUM_LOSS]))
        return DCNN_FAIL(DCNN_DIVERGED, "the loss became %s", isnan(loss[DCNN_SUM_LOSS]) ? "not a number" : "infinite");
    sums->loss += loss[DCNN_SUM_LOSS];
    sums->correct += (int64_t)loss[DCNN_SUM_CORRECT];
    sums->absolute += loss[DCNN_SUM_ABSOLUTE];
    return DCNN_OK;
}

/* The batch's gradient: forward and backward, summed over all ranks, or on its way. */
static dcnn_status run_batch(dcnn_engine *e, dcnn_step_sums *sums) {
    dcnn_status status = DCNN_OK;
    e->shares = dcnn_comm_shares(e->comm, (e->batch + e->options.grain - 1) / e->options.grain);
    dcnn_engine_begin_late(e);
    if (!e->late.lags) {
        dcnn_thread_pool_run(e->pool, prepare, e);
        dcnn_comm_domain_barrier(e->comm);
        dcnn_stopwatch_book(&e->watch, DCNN_PHASE_PREPARE);
    }
    for (e->stage = 0; e->stage < e->net->stage_count && status == DCNN_OK; e->stage++) {
        dcnn_engine_catch_up(e, e->stage);
        dcnn_engine_expect(e, e->stage);
        dcnn_comm_progress(e->comm);
        dcnn_stopwatch_book(&e->watch, DCNN_PHASE_GRADIENT);
        dcnn_thread_pool_run(e->pool, run_stage, e);
        dcnn_engine_expected(e, e->stage);
        dcnn_stopwatch_join(&e->watch, e->laps, dcnn_thread_pool_size(e->pool));
        publish_gradients(e);
        status = agree_stage(e, sums);
        if (is_late(e) && (status != DCNN_OK || e->stage == e->net->loss_stage))
            dcnn_engine_release(e, status == DCNN_OK);
        dcnn_stopwatch_book(&e->watch, DCNN_PHASE_AGREE);
    }
    if (status == DCNN_OK && is_late(e)) return DCNN_OK;
    dcnn_comm_gradient_finish(e->comm);
    dcnn_stopwatch_book(&e->watch, DCNN_PHASE_GRADIENT);
    if (status != DCNN_OK) dcnn_engine_settle(e); /* of the step before, where this one failed early */
    return status == DCNN_OK && dcnn_comm_is_broken(e->comm) ? dcnn_comm_fail_broken() : status;
}

static dcnn_status check_size(const dcnn_engine *e, int64_t samples) {
    const dcnn_engine_options *o = &e->options;
    const int64_t rest = samples % o->batch_size;
    if (samples > 0 && samples <= o->batch_size * o->accumulate &&
        (rest == 0 || o->last_batch < 0 || rest == o->last_batch))
        return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE,
                     "a step of %lld samples: the engine was made for steps of up to %lld in batches of %lld",
                     (long long)samples, (long long)(o->batch_size * o->accumulate), (long long)o->batch_size);
}

dcnn_status dcnn_engine_step(dcnn_engine *e, const dcnn_step *step, dcnn_step_sums *sums) {
    DCNN_TRY(check_size(e, step->samples));
    e->step = step;
    sums->stop = 0;
    e->batch_is_last = false;
    dcnn_stopwatch_start(&e->watch);
    for (e->batch_number = 0; !e->batch_is_last; e->batch_number++) {
        e->first = e->batch_number * e->options.batch_size;
        const int64_t left = step->samples - e->first;
        e->batch = left < e->options.batch_size ? left : e->options.batch_size;
        e->batch_is_last = e->batch == left;
        DCNN_TRY(run_batch(e, sums));
        dcnn_engine_accumulate(e);
        dcnn_stopwatch_book(&e->watch, DCNN_PHASE_ADD);
    }
    double penalty;
    if (is_late(e)) {
        dcnn_engine_be_late(e);
        return DCNN_OK;
    }
    dcnn_engine_collect_moments(e);
    DCNN_TRY(dcnn_engine_update(e, &penalty));
    sums->loss += penalty * (double)step->samples;
    dcnn_stopwatch_book(&e->watch, DCNN_PHASE_ADAM);
    return DCNN_OK;
}

/* --- statistics -------------------------------------------------------------------------------------------------- */

static void set_batch(dcnn_engine *e, int64_t samples) {
    const int64_t left = samples - e->first;
    e->batch = left < e->options.batch_size ? left : e->options.batch_size;
    e->shares = dcnn_comm_shares(e->comm, (e->batch + e->options.grain - 1) / e->options.grain);
}

/* A batch through the forward stages; their totals are added to the pass's. */
static dcnn_status measure_batch(dcnn_engine *e) {
    const double *totals = e->sums + (int64_t)e->slots * e->sum_stride;
    dcnn_step_sums unused = {0};
    for (e->stage = 0; e->stage < e->net->loss_stage; e->stage++) {
        dcnn_thread_pool_run(e->pool, run_stage, e);
        dcnn_stopwatch_join(&e->watch, e->laps, dcnn_thread_pool_size(e->pool));
        DCNN_TRY(agree_stage(e, &unused));
        for (int i = 0; i < dcnn_plan_sum_count(e->plan, e->stage); i++)
            e->statistics[e->stage * e->sum_stride + i] += totals[i];
    }
    return DCNN_OK;
}

dcnn_status dcnn_engine_statistics(dcnn_engine *e, int64_t samples, uint32_t epoch, dcnn_feed feed) {
    const dcnn_step pass = {.samples = samples, .epoch = epoch, .feed = feed};
    const int64_t most = e->options.batch_size, rest = samples % most;
    double phases_s[DCNN_PHASE_COUNT];
    dcnn_status status = DCNN_OK;
    if (samples <= 0 || (rest > 0 && rest != e->options.last_batch && e->options.last_batch >= 0))
        return DCNN_FAIL(DCNN_USAGE, "statistics of %lld samples: the engine was not made for a last batch of %lld",
                         (long long)samples, (long long)rest);
    dcnn_engine_settle(e);
    memcpy(phases_s, e->watch.phases_s, sizeof phases_s);
    memset(e->statistics, 0, (size_t)e->net->loss_stage * (size_t)e->sum_stride * sizeof *e->statistics);
    e->step = &pass;
    e->measures = true;
    dcnn_thread_pool_run(e->pool, prepare, e);
    dcnn_comm_domain_barrier(e->comm);
    dcnn_stopwatch_start(&e->watch);
    for (e->first = 0; e->first < samples && status == DCNN_OK; e->first += e->batch) {
        set_batch(e, samples);
        status = measure_batch(e);
    }
    for (int stage = 0; stage < e->net->loss_stage && status == DCNN_OK; stage++)
        dcnn_plan_settle(e->plan, stage, e->statistics + (int64_t)stage * e->sum_stride, samples);
    e->measures = false;
    e->step = NULL;
    memcpy(e->watch.phases_s, phases_s, sizeof phases_s);
    return status;
}
