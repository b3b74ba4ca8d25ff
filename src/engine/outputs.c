/* SPDX-License-Identifier: BSD-3-Clause */
/* outputs.c — see outputs.h. */
#include "engine/outputs.h"

#include <stdlib.h>
#include <string.h>

#include "comm/tree.h"

typedef struct job {
    const dcnn_outputs *what;
    dcnn_plan *plan;
    dcnn_feed feed;
    int64_t count;
    size_t values; /* of a sample's output */
    dcnn_shares shares;
    float *mine; /* [local samples][values] */
    dcnn_status *fed;
    char (*failures)[512]; /* [workers] the first of each */
} job;

static int64_t samples_before(const job *j, int64_t grain) {
    const int64_t first = grain * j->what->grain;
    return first < j->count ? first : j->count;
}

static void prepare(void *argument, int worker) {
    dcnn_plan_prepare(((job *)argument)->plan, worker);
}

static void run_share(void *argument, int worker) {
    job *j = argument;
    const dcnn_outputs *w = j->what;
    const int workers = dcnn_thread_pool_size(w->pool);
    const int64_t mine = samples_before(j, j->shares.first);
    const int64_t end = dcnn_share_first(j->shares.count, worker + 1, workers);
    for (int64_t i = dcnn_share_first(j->shares.count, worker, workers); i < end && j->fed[worker] == DCNN_OK; i++) {
        const int64_t first = samples_before(j, j->shares.first + i);
        const dcnn_grain grain = {.n = (int)(samples_before(j, j->shares.first + i + 1) - first)};
        const dcnn_inputs inputs = {.worker = worker, .x = dcnn_plan_input(j->plan, worker)};
        j->fed[worker] = j->feed.fill(j->feed.context, first, grain.n, &inputs);
        if (j->fed[worker] != DCNN_OK) strncpy(j->failures[worker], dcnn_error(), sizeof j->failures[worker] - 1);
        dcnn_plan_run(j->plan, 0, worker, worker, &grain);
        memcpy(j->mine + (size_t)(first - mine) * j->values, dcnn_plan_output(j->plan, worker),
               (size_t)grain.n * j->values * sizeof(float));
        if (w->on_grain) w->on_grain();
    }
}

static dcnn_status make(job *j) {
    const dcnn_outputs *w = j->what;
    const int workers = dcnn_thread_pool_size(w->pool);
    const int64_t samples = samples_before(j, j->shares.first + j->shares.count) - samples_before(j, j->shares.first);
    const dcnn_plan_options options = {
        .grain = w->grain, .slots = workers, .workers = workers, .fuse = w->fuse, .last = w->node};
    j->mine = malloc((size_t)samples * j->values * sizeof(float) + 1);
    j->fed = calloc((size_t)workers, sizeof *j->fed);
    j->failures = calloc((size_t)workers, sizeof *j->failures);
    if (j->mine == NULL || j->fed == NULL || j->failures == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: outputs of %lld samples", (long long)samples);
    return dcnn_plan_create(w->net, w->kernels, &options, &j->plan);
}

static dcnn_status feed_status(const job *j) {
    for (int worker = 0; worker < dcnn_thread_pool_size(j->what->pool); worker++)
        if (j->fed[worker] != DCNN_OK) {
            dcnn_error_set(j->failures[worker]);
            return j->fed[worker];
        }
    return DCNN_OK;
}

static dcnn_status gather(const job *j, float *outputs) {
    dcnn_comm *comm = j->what->comm;
    const int size = dcnn_comm_size(comm);
    int64_t *lengths = calloc((size_t)size, sizeof *lengths);
    const dcnn_status status =
        dcnn_comm_agree(comm, lengths ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: outputs of %d ranks", size));
    for (int rank = 0; status == DCNN_OK && rank < size; rank++) {
        const dcnn_shares s = dcnn_comm_shares_of(comm, j->shares.grains, rank);
        lengths[rank] =
            (samples_before(j, s.first + s.count) - samples_before(j, s.first)) * (int64_t)(j->values * sizeof(float));
    }
    if (status == DCNN_OK) dcnn_comm_gather(comm, j->mine, lengths[dcnn_comm_rank(comm)], outputs, lengths);
    free(lengths);
    return status;
}

dcnn_status dcnn_outputs_run(const dcnn_outputs *what, int64_t count, dcnn_feed feed, float *outputs) {
    job j = {.what = what,
             .feed = feed,
             .count = count,
             .values = dcnn_shape_count(what->net->nodes[what->node].shape),
             .shares = dcnn_comm_shares(what->comm, (count + what->grain - 1) / what->grain)};
    dcnn_status status = dcnn_comm_agree(what->comm, make(&j));
    if (status == DCNN_OK) {
        dcnn_thread_pool_run(what->pool, prepare, &j);
        dcnn_thread_pool_run(what->pool, run_share, &j);
        status = dcnn_comm_agree(what->comm, feed_status(&j));
    }
    if (status == DCNN_OK) status = gather(&j, outputs);
    dcnn_plan_free(j.plan);
    free(j.mine);
    free(j.fed);
    free(j.failures);
    return status;
}
