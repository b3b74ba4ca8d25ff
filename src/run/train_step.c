/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * train_step.c — a batch's way, from sample numbers to new weights.
 *
 * The batch is cut into grains; this rank's are a contiguous share, and so are each thread's. In each stage every grain
 * runs through the stage's layers; the grains' sums are added along the tree and agreed by all ranks; the gradients
 * that the stage completed start on their way to the other ranks while the next stage computes. At the end each rank
 * steps its slice of the weights (update.c), and packs its part of them for the next step.
 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "guard/signals.h"
#include "run/trainer.h"
#include "guard/watchdog.h"

/* The time since the last booking goes to this phase, but for the waits in it. By worker 0 alone. */
static void book(dcnn_trainer *t, dcnn_phase phase) {
    const double now_s = dcnn_now_s();
    const bool traced = dcnn_trace_is_on(t->trace);
    if (traced) dcnn_trace_add(t->trace, 0, dcnn_phase_names[phase], -1, -1, t->booked_s, now_s);
    dcnn_wait waits[DCNN_MOST_WAITS];
    const int count = dcnn_comm_waits(t->comm, waits);
    for (int i = 0; i < count; i++) {
        const dcnn_phase wait = waits[i].network ? DCNN_PHASE_NETWORK : DCNN_PHASE_IMBALANCE;
        const double waited_s = waits[i].to_s - waits[i].from_s;
        t->phases_s[wait] += waited_s;
        t->phases_s[phase] -= waited_s;
        if (traced) dcnn_trace_add(t->trace, 0, dcnn_phase_names[wait], -1, -1, waits[i].from_s, waits[i].to_s);
    }
    t->phases_s[phase] += now_s - t->booked_s;
    t->booked_s = now_s;
}

static void prepare(void *argument, int worker) {
    dcnn_plan_prepare(((dcnn_trainer *)argument)->plan, worker);
}

static void load_grain(dcnn_trainer *t, int worker, int64_t slot, dcnn_grain *grain) {
    int64_t *samples = t->samples + slot * t->options->grain;
    int32_t *labels = t->labels + slot * t->options->grain;
    const uint32_t epoch = (uint32_t)t->state.progress.epoch;
    grain->n = dcnn_sampler_grain(&t->sampler, epoch, t->state.progress.cursor, t->shares.first + slot, samples);
    dcnn_loader_fill(&t->loader, t->kernels, t->options->augment ? &t->options->ranges : NULL, t->options->seed, epoch,
                     t->augment_scratch + (size_t)worker * t->augment_scratch_bytes, samples, grain->n,
                     dcnn_plan_input(t->plan, (int)slot), labels);
}

static int grain_size(const dcnn_trainer *t, int64_t slot) {
    const int64_t left = t->batch - (t->shares.first + slot) * t->options->grain;
    return (int)(left < t->options->grain ? left : t->options->grain);
}

static void run_grain(dcnn_trainer *t, int worker, int slot, const dcnn_grain *grain) {
    const double from_s = dcnn_trace_is_on(t->trace) ? dcnn_now_s() : 0.0;
    dcnn_plan_run(t->plan, t->stage, slot, worker, grain);
    if (dcnn_trace_is_on(t->trace))
        dcnn_trace_add(t->trace, worker, "stage", t->stage, t->shares.first + slot, from_s, dcnn_now_s());
}

/* A worker's grains of one stage; its gradients end as a few vectors, the blocks of its share of the tree. */
static void run_stage(void *argument, int worker) {
    dcnn_trainer *t = argument;
    dcnn_worker *mine = &t->workers[worker];
    const dcnn_range bucket = t->state.net->buckets[t->stage];
    const int workers = dcnn_team_size(t->team);
    const int64_t end = dcnn_share_first(t->shares.count, worker + 1, workers);
    dcnn_tree tree = {0};
    for (int64_t slot = dcnn_share_first(t->shares.count, worker, workers); slot < end; slot++) {
        dcnn_grain grain = {.n = grain_size(t, slot),
                            .samples = t->samples + slot * t->options->grain,
                            .labels = t->labels + slot * t->options->grain,
                            .seed = t->options->seed,
                            .epoch = (uint32_t)t->state.progress.epoch,
                            .dparams = mine->vectors[tree.depth],
                            .sums = t->sums + slot * t->sum_stride,
                            .times = worker == 0 ? t->times : NULL};
        if (t->stage == 0) load_grain(t, worker, slot, &grain);
        if (worker == 0) book(t, DCNN_PHASE_LOAD);
        run_grain(t, worker, (int)slot, &grain);
        dcnn_watchdog_progress();
        if (worker == 0) t->booked_s = dcnn_now_s(); /* `times` has it */
        int depth = tree.depth + 1;
        for (int m = dcnn_tree_push(&tree, (dcnn_block){0, t->shares.first + slot}, t->shares.grains); m > 0;
             m--, depth--)
            t->kernels->add(bucket.count, mine->vectors[depth - 2] + bucket.offset,
                            mine->vectors[depth - 1] + bucket.offset, mine->vectors[depth - 2] + bucket.offset);
        if (worker != 0) continue;
        book(t, DCNN_PHASE_ADD);
        dcnn_comm_progress(t->comm);
        book(t, DCNN_PHASE_GRADIENT);
    }
    mine->depth = tree.depth;
}

/* The workers' blocks become the rank's: pushed in order, merging where they complete a subtree. Each worker adds its
 * own slice of the vectors; every one walks the same tree. */
typedef struct merge {
    dcnn_trainer *trainer;
    float *blocks[DCNN_TREE_DEPTH]; /* out, at bucket.offset */
    int depth;
} merge;

static void merge_slice(void *argument, int worker) {
    merge *m = argument;
    dcnn_trainer *t = m->trainer;
    const dcnn_range bucket = t->state.net->buckets[t->stage];
    const int workers = dcnn_team_size(t->team);
    const size_t first = (size_t)dcnn_share_first((int64_t)bucket.count, worker, workers);
    const size_t count = (size_t)dcnn_share_first((int64_t)bucket.count, worker + 1, workers) - first;
    float *stack[DCNN_TREE_DEPTH];
    dcnn_tree tree = {0};
    for (int from = 0; from < workers; from++) {
        const int64_t grain = t->shares.first + dcnn_share_first(t->shares.count, from, workers);
        const int64_t end = t->shares.first + dcnn_share_first(t->shares.count, from + 1, workers);
        const dcnn_tree theirs = dcnn_tree_share(grain, end - grain, t->shares.grains);
        for (int i = 0; i < theirs.depth; i++) {
            int depth = tree.depth + 1;
            stack[tree.depth] = t->workers[from].vectors[i] + bucket.offset;
            for (int n = dcnn_tree_push(&tree, theirs.blocks[i], t->shares.grains); n > 0; n--, depth--)
                t->kernels->add(count, stack[depth - 2] + first, stack[depth - 1] + first, stack[depth - 2] + first);
        }
    }
    if (worker != 0) return; /* every worker found the same blocks */
    memcpy(m->blocks, stack, (size_t)tree.depth * sizeof *stack);
    m->depth = tree.depth;
}

static void send_gradients(dcnn_trainer *t) {
    const dcnn_range bucket = t->state.net->buckets[t->stage];
    if (bucket.count == 0) return;
    merge m = {.trainer = t};
    dcnn_team_run(t->team, merge_slice, &m);
    book(t, DCNN_PHASE_ADD);
    if (t->options->plain_sums)
        dcnn_comm_gradient_plain(t->comm, t->kernels, bucket.count, m.depth, m.blocks, t->gradient + bucket.offset);
    else
        dcnn_comm_gradient_begin(t->comm, t->kernels, t->stage, t->shares, bucket.count, m.blocks,
                                 t->gradient + bucket.offset);
    book(t, DCNN_PHASE_GRADIENT);
}

/* Agrees the stage's sums; in the loss stage they carry the loss, and with it the wish to stop. */
static dcnn_status agree_stage(dcnn_trainer *t, bool *stop) {
    const int count = dcnn_plan_sum_count(t->plan, t->stage);
    if (count == 0) return DCNN_OK;
    double *totals = t->sums + (int64_t)t->slots * t->sum_stride;
    int signal = dcnn_signals_caught();
    dcnn_comm_sum(t->comm, t->shares, count, t->sums, t->sum_stride, totals, &signal);
    if (dcnn_comm_is_broken(t->comm)) return dcnn_comm_fail_broken();
    dcnn_plan_agreed(t->plan, t->stage, totals, t->batch);
    if (t->stage != t->state.net->loss_stage) return DCNN_OK;
    const double *loss = totals + count - DCNN_LOSS_SUMS;
    if (signal != 0) t->stop_signal = signal;
    *stop = *stop || signal != 0;
    if (!isfinite(loss[DCNN_SUM_LOSS]))
        return DCNN_FAIL(DCNN_DIVERGED,
                         "the loss became %s in epoch %lld, step %lld: the last good checkpoint is kept; try a smaller "
                         "--learning-rate",
                         isnan(loss[DCNN_SUM_LOSS]) ? "not a number" : "infinite",
                         (long long)t->state.progress.epoch + 1, (long long)t->state.progress.step + 1);
    t->state.progress.loss_sum += loss[DCNN_SUM_LOSS];
    t->state.progress.correct += (int64_t)loss[DCNN_SUM_CORRECT];
    return DCNN_OK;
}

/* The next batch's gradient: forward and backward, summed over all ranks. */
static dcnn_status run_batch(dcnn_trainer *t, bool *stop) {
    dcnn_status status = DCNN_OK;
    t->batch = dcnn_sampler_batch(&t->sampler, t->state.progress.cursor);
    t->shares = dcnn_comm_shares(t->comm, dcnn_sampler_grains(&t->sampler, t->batch));
    dcnn_team_run(t->team, prepare, t);
    dcnn_comm_domain_barrier(t->comm);
    book(t, DCNN_PHASE_PREPARE);
    for (t->stage = 0; t->stage < t->state.net->stage_count && status == DCNN_OK; t->stage++) {
        dcnn_team_run(t->team, run_stage, t);
        book(t, DCNN_PHASE_WAIT);
        status = agree_stage(t, stop);
        book(t, DCNN_PHASE_AGREE);
        if (status == DCNN_OK) send_gradients(t);
    }
    dcnn_comm_gradient_finish(t->comm);
    book(t, DCNN_PHASE_GRADIENT);
    return status == DCNN_OK && dcnn_comm_is_broken(t->comm) ? dcnn_comm_fail_broken() : status;
}

dcnn_status dcnn_train_step(dcnn_trainer *t, bool *stop) {
    dcnn_progress *progress = &t->state.progress;
    DCNN_TRY(dcnn_trace_step(t->trace, t->comm, t->steps + 1));
    dcnn_wait before[DCNN_MOST_WAITS];
    (void)dcnn_comm_waits(t->comm, before); /* of what is no step: evaluation, saving */
    const double began_s = t->booked_s = dcnn_now_s();
    t->step_samples = 0;
    *stop = false;
    t->micro_batch_is_last = false;
    for (t->micro_batch = 0; !t->micro_batch_is_last; t->micro_batch++) {
        DCNN_TRY(run_batch(t, stop));
        t->step_samples += t->batch;
        progress->cursor += t->batch;
        t->micro_batch_is_last = t->micro_batch + 1 == t->sampler.accumulate || progress->cursor >= t->sampler.count;
        dcnn_trainer_accumulate(t);
        book(t, DCNN_PHASE_ADD);
    }
    dcnn_trainer_update(t);
    book(t, DCNN_PHASE_ADAM);
    progress->step++;
    t->steps++;
    t->trained += t->step_samples;
    t->train_s += t->booked_s - began_s;
    return DCNN_OK;
}

void dcnn_trainer_phases(const dcnn_trainer *t, double phases_s[DCNN_PHASE_COUNT]) {
    memcpy(phases_s, t->phases_s, sizeof t->phases_s);
    for (int i = 0; i <= dcnn_plan_op_count(t->plan); i++) {
        phases_s[DCNN_PHASE_FORWARD] += t->times[i].forward_s;
        phases_s[DCNN_PHASE_BACKWARD] += t->times[i].backward_s;
    }
}

void dcnn_trainer_forget_times(dcnn_trainer *t) {
    memset(t->phases_s, 0, sizeof t->phases_s);
    memset(t->times, 0, (size_t)(dcnn_plan_op_count(t->plan) + 1) * sizeof *t->times);
}
