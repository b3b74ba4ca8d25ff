/* SPDX-License-Identifier: BSD-3-Clause */
/* engine.c — makes a net ready for training, and takes it down; step.c trains. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "engine/engine_private.h"

/* --- which batches occur ------------------------------------------------------------------------------------------ */

static int64_t grains_of(const dcnn_engine *e, int64_t samples) {
    return (samples + e->options.grain - 1) / e->options.grain;
}

/* Batches of hundreds of cores. On one core grains of 8 take 3 % longer than of 16, to add up twice as many gradients
 * (the recipe's, `dcnn bench --threads 1 --batch-size 1024 --grain N`, Xeon); on 1,024 cores a batch of 8,192 in grains
 * of 16 leaves half of them idle. From 16,384 on there are 1,024 grains of 16. */
enum { MANY_GRAINS = 512, SMALL_GRAIN = DCNN_GRAIN / 2 };

int dcnn_engine_grain(int64_t batch) {
    const bool many = batch >= (int64_t)MANY_GRAINS * SMALL_GRAIN && batch < (int64_t)2 * MANY_GRAINS * DCNN_GRAIN;
    return many ? SMALL_GRAIN : dcnn_grain_of(batch);
}

/* The grain counts of all batches that occur, each once. */
typedef struct batches {
    int count;
    int64_t *grains;
} batches;

static dcnn_status list_batches(const dcnn_engine *e, batches *list) {
    const int64_t most = grains_of(e, e->options.batch_size), last = grains_of(e, e->options.last_batch);
    const bool any = e->options.last_batch < 0;
    list->count = 0;
    list->grains = calloc(any ? (size_t)most : 2, sizeof *list->grains);
    if (list->grains == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: %lld batches", (long long)most);
    if (!any) {
        list->grains[list->count++] = most;
        if (last > 0 && last != most) list->grains[list->count++] = last;
    }
    for (int64_t grains = 1; any && grains <= most; grains++) list->grains[list->count++] = grains;
    return DCNN_OK;
}

/* Vectors that a worker's stack needs: the deepest that its share of any batch makes, one more for the leaf. */
static int deepest_stack(const dcnn_engine *e, const batches *list) {
    const int workers = e->threads;
    int deepest = 0;
    for (int b = 0; b < list->count; b++) {
        const dcnn_shares shares = dcnn_comm_shares(e->comm, list->grains[b]);
        for (int worker = 0; worker < workers; worker++) {
            dcnn_tree tree = {0};
            const int64_t end = dcnn_share_first(shares.count, worker + 1, workers);
            for (int64_t i = dcnn_share_first(shares.count, worker, workers); i < end; i++) {
                dcnn_tree_push(&tree, (dcnn_block){0, shares.first + i}, shares.grains);
                if (tree.depth > deepest) deepest = tree.depth;
            }
        }
    }
    return deepest + 1;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* What the ranks of a domain hold together; returns the packed weights. */
static void *carve_common(dcnn_engine *e, dcnn_arena *arena, float **params) {
    const size_t bytes = e->net->param_count * sizeof(float);
    *params = dcnn_arena_take(arena, bytes);
    e->m = dcnn_arena_take(arena, bytes);
    e->v = dcnn_arena_take(arena, bytes);
    e->gradient = dcnn_arena_take(arena, bytes);
    if (e->options.accumulate > 1) e->accumulated = dcnn_arena_take(arena, bytes);
    if (e->options.optimizer.ema_momentum > 0.0) e->average = dcnn_arena_take(arena, bytes);
    e->update.norms = dcnn_arena_take(arena, (size_t)e->update.chunk_count * sizeof *e->update.norms);
    dcnn_muon_place(&e->update.muon, arena);
    return dcnn_arena_take(arena, dcnn_plan_packed_bytes(e->plan));
}

/* What each of them lets the others read. */
static void carve_vectors(dcnn_engine *e, dcnn_arena *arena, int depth) {
    for (int worker = 0; worker < e->threads; worker++)
        for (int i = 0; i < depth; i++)
            e->workers[worker].vectors[i] = dcnn_arena_take(arena, e->net->param_count * sizeof(float));
}

static void carve_private(dcnn_engine *e, dcnn_arena *arena) {
    const size_t slots = (size_t)e->slots, grain = (size_t)e->options.grain;
    e->sums = dcnn_arena_take(arena, (slots + 1) * (size_t)e->sum_stride * sizeof(double));
    e->statistics = dcnn_arena_take(arena, (size_t)e->net->loss_stage * (size_t)e->sum_stride * sizeof *e->statistics);
    e->samples = dcnn_arena_take(arena, slots * grain * sizeof *e->samples);
    if (e->options.values)
        e->values = dcnn_arena_take(arena, slots * grain * (size_t)e->net->output_count * sizeof *e->values);
    else
        e->labels = dcnn_arena_take(arena, slots * grain * sizeof *e->labels);
    if (!e->options.soft_targets) return;
    e->others = dcnn_arena_take(arena, slots * grain * sizeof *e->others);
    e->shares_of_first = dcnn_arena_take(arena, slots * grain * sizeof *e->shares_of_first);
    e->weights = dcnn_arena_take(arena, slots * grain * sizeof *e->weights);
}

static dcnn_status make_workers(dcnn_engine *e, int depth) {
    const int workers = e->threads;
    const size_t ops = (size_t)dcnn_plan_op_count(e->plan) + 1;
    bool good = true;
    e->workers = calloc((size_t)workers, sizeof *e->workers);
    e->laps = calloc((size_t)workers, sizeof(dcnn_lap *));
    good = e->workers && e->laps;
    for (int worker = 0; good && worker < workers; worker++) {
        dcnn_worker *own = &e->workers[worker];
        own->vectors = calloc((size_t)depth, sizeof(float *));
        own->times = calloc(ops, sizeof *own->times);
        own->lap = (dcnn_lap){.spans = e->options.spans, .worker = worker};
        e->laps[worker] = &own->lap;
        good = own->vectors && own->times;
    }
    return good ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: %d workers", workers);
}

/* The rank's threads, the plan of its share, the update: what is known before memory is taken. *Local.* */
static dcnn_status make_plan(dcnn_engine *e, const batches *list, bool unallocated) {
    const dcnn_engine_options *o = &e->options;
    e->threads = o->threads > 0 ? o->threads : dcnn_comm_cores(e->comm);
    e->slots = 1;
    for (int b = 0; b < list->count; b++) {
        const int64_t share = dcnn_comm_shares(e->comm, list->grains[b]).count;
        if (share > e->slots) e->slots = (int)share;
    }
    const dcnn_plan_options plan = {.grain = o->grain,
                                    .slots = e->slots,
                                    .workers = e->threads,
                                    .training = true,
                                    .fuse = o->fuse,
                                    .recompute = o->recompute,
                                    .first = o->first,
                                    .packed_elsewhere = true,
                                    .untouched = true,
                                    .unallocated = unallocated};
    DCNN_TRY(dcnn_plan_create(e->net, e->kernels, &plan, &e->plan));
    e->sum_stride = dcnn_plan_sum_count_max(e->plan);
    return dcnn_update_create(e->net, e->kernels, &o->optimizer, &e->update);
}

static void touch_plan(void *engine, int worker) {
    dcnn_plan_touch(((dcnn_engine *)engine)->plan, worker);
}

/* What this rank needs for itself. *Local.* */
static dcnn_status make_own_memory(dcnn_engine *e, const batches *list) {
    const int cores = dcnn_comm_cores(e->comm);
    DCNN_TRY(make_plan(e, list, false));
    if (e->threads > cores)
        dcnn_warn("--threads %d: but each rank has %d of the node's cores; give fewer threads or ranks", e->threads,
                  cores);
    DCNN_TRY(dcnn_thread_pool_create(e->threads, &e->pool));
    dcnn_thread_pool_run(e->pool, touch_plan, e);
    dcnn_arena arena = {0};
    carve_private(e, &arena);
    DCNN_TRY(dcnn_block_create(arena.used, "sums", &e->block));
    arena = (dcnn_arena){.base = e->block};
    carve_private(e, &arena);
    return DCNN_OK;
}

/* A worker's vectors, near its core. */
static void touch_vectors(void *engine, int worker) {
    dcnn_engine *e = engine;
    for (int i = 0; i < e->depth; i++) memset(e->workers[worker].vectors[i], 0, e->net->param_count * sizeof(float));
}

/* Lays the state into memory that the domain shares; its first rank fills it. */
static dcnn_status share_state(dcnn_engine *e, const batches *list, const float *m, const float *v) {
    const size_t bytes = e->net->param_count * sizeof(float);
    const int depth = deepest_stack(e, list);
    DCNN_TRY(dcnn_comm_agree(e->comm, make_workers(e, depth)));
    dcnn_arena common = {0}, own = {0};
    float *params;
    carve_common(e, &common, &params);
    carve_vectors(e, &own, depth);
    void *vectors;
    dcnn_status status = dcnn_comm_share_domain(e->comm, common.used, own.used, &e->shared, &vectors);
    if (status != DCNN_OK && !dcnn_comm_is_separate(e->comm)) {
        dcnn_warn("%s; until then each rank holds its own copy of the weights, which is slower", dcnn_error());
        dcnn_comm_separate(e->comm);
        status = dcnn_comm_share_domain(e->comm, common.used, own.used, &e->shared, &vectors);
    }
    DCNN_TRY(status);
    common = (dcnn_arena){.base = e->shared};
    own = (dcnn_arena){.base = vectors};
    void *packed = carve_common(e, &common, &params);
    carve_vectors(e, &own, depth);
    e->depth = depth;
    dcnn_thread_pool_run(e->pool, touch_vectors, e);
    dcnn_plan_place_packed(e->plan, packed, dcnn_comm_domain_rank(e->comm), dcnn_comm_domain_size(e->comm));
    if (dcnn_comm_domain_rank(e->comm) == 0) {
        memcpy(params, e->net->params, bytes);
        if (m) memcpy(e->m, m, bytes);
        if (v) memcpy(e->v, v, bytes);
        if (e->average) memcpy(e->average, e->options.average ? e->options.average : e->net->params, bytes);
    }
    dcnn_net_place_params(e->net, params);
    e->update.gradient = e->gradient;
    e->update.m = e->m;
    e->update.v = e->v;
    e->update.params = params;
    e->options.average = NULL; /* copied */
    dcnn_comm_domain_barrier(e->comm);
    return DCNN_OK;
}

/* Floats of each bucket of the gradient; malloc'd, NULL: out of memory. */
static size_t *count_buckets(const dcnn_net *net) {
    size_t *counts = calloc((size_t)net->stage_count, sizeof *counts);
    for (int stage = 0; counts && stage < net->stage_count; stage++) counts[stage] = net->buckets[stage].count;
    return counts;
}

static dcnn_status reserve_sums(dcnn_engine *e, const batches *list) {
    size_t *counts = count_buckets(e->net);
    dcnn_status status = dcnn_comm_agree(e->comm, counts ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: buckets"));
    if (status == DCNN_OK)
        status = dcnn_comm_reserve_gradient(e->comm, list->count, list->grains, e->net->stage_count, counts);
    free(counts);
    DCNN_TRY(status);
    return dcnn_comm_reserve_sums(e->comm, e->sum_stride > DCNN_LOSS_SUMS ? e->sum_stride : DCNN_LOSS_SUMS);
}

/* --- setting up and taking down ----------------------------------------------------------------------------------- */

static dcnn_status set_up(dcnn_engine *e, const float *m, const float *v, batches *list) {
    dcnn_status status = list_batches(e, list);
    if (status == DCNN_OK) status = make_own_memory(e, list);
    DCNN_TRY(dcnn_comm_agree(e->comm, status));
    DCNN_TRY(share_state(e, list, m, v));
    DCNN_TRY(dcnn_comm_agree(e->comm, dcnn_engine_plan_late(e)));
    dcnn_engine_choose_late(e);
    return reserve_sums(e, list);
}

/* Bytes of a bucket that is worth a stage, where there is a network: 4 ms at 1 Gb/s. */
enum { BUCKET_BYTES = 512 << 10 };

static dcnn_status adopt(dcnn_engine *e, dcnn_comm *comm, dcnn_net *net, const dcnn_engine_options *options) {
    e->comm = comm;
    e->net = net;
    e->kernels = dcnn_kernels_of(dcnn_comm_isa(comm));
    e->options = *options;
    if (e->options.accumulate < 1) e->options.accumulate = 1;
    e->watch = (dcnn_stopwatch){.comm = comm, .spans = options->spans};
    return dcnn_comm_domain_count(comm) > 1 ? dcnn_net_cut(net, BUCKET_BYTES) : DCNN_OK;
}

dcnn_status dcnn_engine_measure(dcnn_comm *comm, dcnn_net *net, const dcnn_engine_options *options,
                                dcnn_engine_bytes *bytes) {
    batches list = {0};
    dcnn_engine *e = calloc(1, sizeof *e);
    *bytes = (dcnn_engine_bytes){0};
    if (e == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: an engine");
    dcnn_status status = adopt(e, comm, net, options);
    if (status == DCNN_OK) status = list_batches(e, &list);
    if (status == DCNN_OK) status = make_plan(e, &list, true);
    const int depth = status == DCNN_OK ? deepest_stack(e, &list) : 0;
    if (status == DCNN_OK) status = make_workers(e, depth);
    size_t *counts = count_buckets(net);
    if (status == DCNN_OK && counts == NULL) status = DCNN_FAIL(DCNN_FAILURE, "out of memory: buckets");
    if (status == DCNN_OK) {
        dcnn_arena own = {0}, common = {0}, vectors = {0};
        float *params;
        carve_private(e, &own);
        carve_common(e, &common, &params);
        carve_vectors(e, &vectors, depth);
        *bytes = (dcnn_engine_bytes){
            .activations = dcnn_plan_bytes(e->plan),
            .own = own.used + dcnn_plan_bytes(e->plan) +
                   dcnn_comm_gradient_bytes(comm, list.count, list.grains, net->stage_count, counts),
            .vectors = vectors.used,
            .common = common.used,
            .threads = e->threads};
    }
    free(counts);
    free(list.grains);
    e->net = NULL; /* the caller's */
    dcnn_engine_free(e);
    return status;
}

dcnn_status dcnn_engine_create(dcnn_comm *comm, dcnn_net *net, const float *m, const float *v,
                               const dcnn_engine_options *options, dcnn_engine **out) {
    batches list = {0};
    dcnn_engine *e = *out = calloc(1, sizeof *e);
    dcnn_status status = dcnn_comm_agree(comm, e ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: an engine"));
    if (e == NULL) dcnn_net_free(net);
    if (e) {
        if (options->plain_sums) dcnn_comm_separate(comm);
        if (status == DCNN_OK) status = dcnn_comm_agree(comm, adopt(e, comm, net, options));
    }
    if (status == DCNN_OK) status = set_up(e, m, v, &list);
    free(list.grains);
    if (status == DCNN_OK) return DCNN_OK;
    dcnn_engine_free(e);
    *out = NULL;
    return status;
}

void dcnn_engine_free(dcnn_engine *e) {
    if (e == NULL) return;
    if (e->late.left > 0) dcnn_engine_settle(e); /* what is on its way goes to memory that is freed here */
    dcnn_plan_free(e->plan);
    dcnn_update_free(&e->update);
    dcnn_engine_forget_late(e);
    for (int worker = 0; e->workers && worker < e->threads; worker++) {
        free(e->workers[worker].vectors);
        free(e->workers[worker].times);
    }
    free(e->workers);
    free(e->laps);
    dcnn_thread_pool_free(e->pool);
    dcnn_block_free(e->block);
    dcnn_net_free(e->net);
    dcnn_comm_unshare(e->comm, e->shared);
    free(e);
}

/* --- who is in it ------------------------------------------------------------------------------------------------- */

dcnn_net *dcnn_engine_net(const dcnn_engine *e) {
    return e->net;
}

float *dcnn_engine_m(const dcnn_engine *e) {
    return e->m;
}

float *dcnn_engine_v(const dcnn_engine *e) {
    return e->v;
}

float *dcnn_engine_gradient(const dcnn_engine *e) {
    return e->gradient;
}

float *dcnn_engine_average(const dcnn_engine *e) {
    return e->average;
}

const dcnn_plan *dcnn_engine_plan(const dcnn_engine *e) {
    return e->plan;
}

const dcnn_kernels *dcnn_engine_kernels(const dcnn_engine *e) {
    return e->kernels;
}

dcnn_thread_pool *dcnn_engine_pool(const dcnn_engine *e) {
    return e->pool;
}

int64_t dcnn_engine_share(const dcnn_engine *e, int64_t batch) {
    const dcnn_shares shares = dcnn_comm_shares(e->comm, grains_of(e, batch));
    const int64_t first = shares.first * e->options.grain, end = first + shares.count * e->options.grain;
    return (end < batch ? end : batch) - (first < batch ? first : batch);
}

/* --- times -------------------------------------------------------------------------------------------------------- */

dcnn_op_times dcnn_engine_op_times(const dcnn_engine *e, int op) {
    dcnn_op_times sum = {0};
    for (int worker = 0; worker < dcnn_thread_pool_size(e->pool); worker++) {
        sum.forward_s += e->workers[worker].times[op].forward_s;
        sum.backward_s += e->workers[worker].times[op].backward_s;
    }
    return sum;
}

void dcnn_engine_phases(const dcnn_engine *e, double phases_s[DCNN_PHASE_COUNT]) {
    memcpy(phases_s, e->watch.phases_s, sizeof e->watch.phases_s);
    for (int i = 0; i <= dcnn_plan_op_count(e->plan); i++) {
        const dcnn_op_times times = dcnn_engine_op_times(e, i);
        phases_s[DCNN_PHASE_FORWARD] += times.forward_s / dcnn_thread_pool_size(e->pool);
        phases_s[DCNN_PHASE_BACKWARD] += times.backward_s / dcnn_thread_pool_size(e->pool);
    }
}

void dcnn_engine_forget_times(dcnn_engine *e) {
    memset(e->watch.phases_s, 0, sizeof e->watch.phases_s);
    for (int worker = 0; worker < dcnn_thread_pool_size(e->pool); worker++)
        memset(e->workers[worker].times, 0, (size_t)(dcnn_plan_op_count(e->plan) + 1) * sizeof(dcnn_op_times));
}
