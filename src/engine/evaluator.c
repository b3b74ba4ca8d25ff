/* SPDX-License-Identifier: BSD-3-Clause */
/* evaluator.c — inference over grains: exact counts, the loss along the tree, probabilities gathered in order. */
#include "engine/evaluator.h"

#include <stdlib.h>
#include <string.h>

#include "comm/tree.h"
#include "base/largest.h"

struct dcnn_evaluator {
    dcnn_comm *comm;
    dcnn_thread_pool *pool;
    const dcnn_net *net;
    dcnn_plan *plan;
    int grain;
    dcnn_status *fed; /* [workers] what the feed said, the first failure of each */
    char (*failures)[512];
    /* of the run in progress */
    const dcnn_evaluation_options *options;
    dcnn_feed feed;
    int64_t count;
    dcnn_shares shares;
    int32_t *labels;      /* [local grains][grain], or NULL */
    float *values;        /* [local grains][grain][outputs], or NULL */
    double *sums;         /* [local grains][DCNN_LOSS_SUMS] */
    float *probabilities; /* [local samples][predictions] */
};

dcnn_status dcnn_evaluator_can_count(const dcnn_net *net) {
    if (net->class_count <= DCNN_MOST_CLASSES) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "the model tells %d classes apart: how often each is taken for each can be counted of %d at most",
                     net->class_count, DCNN_MOST_CLASSES);
}

dcnn_status dcnn_evaluator_create(dcnn_comm *comm, dcnn_thread_pool *pool, const dcnn_kernels *kernels, dcnn_net *net,
                                  int grain, bool fuse, int first, dcnn_evaluator **out) {
    const int workers = dcnn_thread_pool_size(pool), most = dcnn_grain_most(net);
    if (grain > most) grain = most;
    const dcnn_plan_options options = {
        .grain = grain, .slots = workers, .workers = workers, .fuse = fuse, .first = first};
    dcnn_evaluator *e = *out = calloc(1, sizeof *e);
    dcnn_status status = DCNN_OK;
    if (e) e->fed = calloc((size_t)workers, sizeof *e->fed);
    if (e) e->failures = calloc((size_t)workers, sizeof *e->failures);
    if (e == NULL || e->fed == NULL || e->failures == NULL)
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: an evaluator");
    if (status == DCNN_OK) status = dcnn_plan_create(net, kernels, &options, &e->plan);
    if (status == DCNN_OK) {
        e->comm = comm;
        e->pool = pool;
        e->net = net;
        e->grain = grain;
        return DCNN_OK;
    }
    dcnn_evaluator_free(e);
    *out = NULL;
    return status;
}

void dcnn_evaluator_free(dcnn_evaluator *e) {
    if (e == NULL) return;
    dcnn_plan_free(e->plan);
    free(e->fed);
    free(e->failures);
    free(e);
}

static void prepare(void *argument, int worker) {
    dcnn_plan_prepare(((dcnn_evaluator *)argument)->plan, worker);
}

static int samples_in(const dcnn_evaluator *e, int64_t grain) {
    const int64_t left = e->count - grain * e->grain;
    return (int)(left < e->grain ? left : e->grain);
}

static void note_failure(dcnn_evaluator *e, int worker, dcnn_status status) {
    if (status == DCNN_OK || e->fed[worker] != DCNN_OK) return;
    e->fed[worker] = status;
    strncpy(e->failures[worker], dcnn_error(), sizeof e->failures[worker] - 1);
}

static void run_share(void *argument, int worker) {
    dcnn_evaluator *e = argument;
    const dcnn_evaluation_options *o = e->options;
    const int workers = dcnn_thread_pool_size(e->pool);
    const size_t columns = (size_t)dcnn_net_prediction_count(e->net);
    const int64_t end = dcnn_share_first(e->shares.count, worker + 1, workers);
    e->fed[worker] = DCNN_OK;
    for (int64_t i = dcnn_share_first(e->shares.count, worker, workers); i < end; i++) {
        const int64_t first = (e->shares.first + i) * e->grain;
        int32_t *labels = e->labels ? e->labels + i * e->grain : NULL;
        float *values = e->values ? e->values + i * e->grain * e->net->output_count : NULL;
        const dcnn_grain grain = {.n = samples_in(e, e->shares.first + i),
                                  .targets = {.labels = labels, .values = values},
                                  .sums = e->sums + i * DCNN_LOSS_SUMS};
        const dcnn_inputs inputs = {
            .worker = worker, .x = dcnn_plan_input(e->plan, worker), .labels = labels, .values = values};
        note_failure(e, worker, e->feed.fill(e->feed.context, first, grain.n, &inputs));
        dcnn_plan_run(e->plan, 0, worker, worker, &grain);
        if (o->on_grain) o->on_grain();
        dcnn_net_probabilities(e->net, (size_t)grain.n, dcnn_plan_output(e->plan, worker),
                               e->probabilities + (size_t)(i * e->grain) * columns);
        if (o->on_progress && worker == 0) /* whose share begins at 0: the others are about as far */
            o->on_progress(o->context, e->count * (i + 1) / end, e->count);
    }
}

/* The first failure of this rank's workers. */
static dcnn_status feed_status(const dcnn_evaluator *e) {
    for (int worker = 0; worker < dcnn_thread_pool_size(e->pool); worker++)
        if (e->fed[worker] != DCNN_OK) {
            dcnn_error_set(e->failures[worker]);
            return e->fed[worker];
        }
    return DCNN_OK;
}

static void count_confusion(const dcnn_evaluator *e, int64_t count, int64_t *confusion) {
    const int classes = e->net->class_count;
    for (int64_t i = 0; i < count; i++)
        confusion[(int64_t)e->labels[i] * classes + dcnn_largest(classes, e->probabilities + i * classes)]++;
}

/* What each label, or each number, came to. */
static dcnn_status score(const dcnn_evaluator *e, int64_t mine, dcnn_evaluation *evaluation) {
    const int outputs = e->net->output_count;
    const dcnn_predictions predictions = {.shares = e->shares,
                                          .grain = e->grain,
                                          .count = mine,
                                          .outputs = outputs,
                                          .predicted = e->probabilities,
                                          .stride = evaluation->prediction_count,
                                          .first = evaluation->prediction_count - outputs,
                                          .values = e->values,
                                          .labels = e->labels};
    if (evaluation->label_count > 0)
        return dcnn_scores_labels(e->comm, &predictions, evaluation->labels, &evaluation->auc);
    return evaluation->number_count > 0 ? dcnn_scores_numbers(e->comm, &predictions, e->count, evaluation->numbers)
                                        : DCNN_OK;
}

/* The loss, the confusion and the scores of all ranks. */
static dcnn_status sum_up(dcnn_evaluator *e, int64_t mine, dcnn_evaluation *evaluation) {
    const int classes = e->net->class_count;
    double totals[DCNN_LOSS_SUMS];
    int no_flag = 0;
    dcnn_comm_sum(e->comm, e->shares, DCNN_LOSS_SUMS, e->sums, DCNN_LOSS_SUMS, totals, &no_flag);
    evaluation->loss = totals[DCNN_SUM_LOSS] / (double)e->count + dcnn_net_penalty(e->net);
    evaluation->top = (int64_t)totals[DCNN_SUM_TOP];
    evaluation->absolute = totals[DCNN_SUM_ABSOLUTE] / (double)e->count;
    evaluation->correct = (int64_t)totals[DCNN_SUM_CORRECT];
    DCNN_TRY(score(e, mine, evaluation));
    if (evaluation->confusion == NULL) return DCNN_OK;
    count_confusion(e, mine, evaluation->confusion);
    dcnn_comm_add_integers(e->comm, evaluation->confusion, classes * classes);
    evaluation->correct = 0;
    for (int i = 0; i < classes; i++) evaluation->correct += evaluation->confusion[i * classes + i];
    return DCNN_OK;
}

static dcnn_status gather_probabilities(dcnn_evaluator *e, int64_t mine, dcnn_evaluation *evaluation) {
    const int columns = evaluation->prediction_count, size = dcnn_comm_size(e->comm);
    int64_t *counts = calloc((size_t)size, sizeof *counts);
    dcnn_status status = DCNN_OK;
    if (dcnn_comm_rank(e->comm) == 0)
        evaluation->probabilities = calloc((size_t)(e->count * columns) + 1, sizeof(float));
    if (counts == NULL || (dcnn_comm_rank(e->comm) == 0 && evaluation->probabilities == NULL))
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: probabilities of %lld samples", (long long)e->count);
    status = dcnn_comm_agree(e->comm, status);
    for (int rank = 0; status == DCNN_OK && rank < size; rank++) {
        const dcnn_shares shares = dcnn_comm_shares_of(e->comm, e->shares.grains, rank);
        int64_t first = shares.first * e->grain, end = first + shares.count * e->grain;
        if (first > e->count) first = e->count;
        if (end > e->count) end = e->count;
        counts[rank] = (end - first) * columns * (int64_t)sizeof(float);
    }
    if (status == DCNN_OK)
        dcnn_comm_gather(e->comm, e->probabilities, mine * columns * (int64_t)sizeof(float), evaluation->probabilities,
                         counts);
    free(counts);
    return status;
}

/* Room for the samples of this rank and for what is to come of them. */
static dcnn_status make_room(dcnn_evaluator *e, int64_t mine, dcnn_evaluation *evaluation) {
    const dcnn_net *net = e->net;
    const size_t slots = (size_t)((e->shares.count + 1) * e->grain);
    const bool labelled = !e->options->unlabelled, values = labelled && e->options->values;
    const size_t classes = labelled ? (size_t)net->class_count : 0;
    if (labelled && !values) DCNN_TRY(dcnn_evaluator_can_count(net));
    evaluation->label_count = labelled && net->loss.kind == DCNN_LOSS_BINARY ? net->output_count : 0;
    evaluation->number_count = values && net->class_count == 0 ? net->output_count : 0;
    evaluation->answers = dcnn_loss_answers(&net->loss, net->output_count, values);
    e->sums = calloc((size_t)(e->shares.count + 1) * DCNN_LOSS_SUMS, sizeof *e->sums);
    e->labels = labelled && !values ? calloc(slots, sizeof *e->labels) : NULL;
    e->values = values ? calloc(slots * (size_t)net->output_count, sizeof *e->values) : NULL;
    e->probabilities = calloc((size_t)(mine * evaluation->prediction_count) + 1, sizeof *e->probabilities);
    evaluation->confusion = values ? NULL : calloc(classes * classes + 1, sizeof *evaluation->confusion);
    evaluation->labels = calloc((size_t)evaluation->label_count + 1, sizeof *evaluation->labels);
    evaluation->numbers = calloc((size_t)evaluation->number_count + 1, sizeof *evaluation->numbers);
    if (e->sums && (e->labels || e->values || !labelled) && e->probabilities && (evaluation->confusion || values) &&
        evaluation->labels && evaluation->numbers)
        return DCNN_OK;
    return DCNN_FAIL(DCNN_FAILURE, "out of memory: evaluating %lld samples", (long long)e->count);
}

dcnn_status dcnn_evaluator_run(dcnn_evaluator *e, int64_t count, dcnn_feed feed, const dcnn_evaluation_options *options,
                               dcnn_evaluation *evaluation) {
    static const dcnn_evaluation_options nothing;
    *evaluation = (dcnn_evaluation){.class_count = e->net->class_count,
                                    .prediction_count = dcnn_net_prediction_count(e->net),
                                    .count = count,
                                    .answers = 1};
    if (count == 0) return DCNN_OK;
    e->options = options ? options : &nothing;
    e->feed = feed;
    e->count = count;
    e->shares = dcnn_comm_shares(e->comm, (count + e->grain - 1) / e->grain);
    const int64_t first = e->shares.first * e->grain;
    int64_t mine = (e->shares.first + e->shares.count) * e->grain;
    mine = (mine < count ? mine : count) - first;
    if (mine < 0) mine = 0;
    dcnn_status status = make_room(e, mine, evaluation);
    DCNN_TRY_DONE(dcnn_comm_agree(e->comm, status));
    dcnn_thread_pool_run(e->pool, prepare, e);
    dcnn_thread_pool_run(e->pool, run_share, e);
    DCNN_TRY_DONE(dcnn_comm_agree(e->comm, feed_status(e)));
    if (!e->options->unlabelled) DCNN_TRY_DONE(sum_up(e, mine, evaluation));
    if (e->options->want_probabilities) DCNN_TRY_DONE(gather_probabilities(e, mine, evaluation));
    if (dcnn_comm_is_broken(e->comm)) status = dcnn_comm_fail_broken();
done:
    free(e->sums);
    free(e->labels);
    free(e->values);
    free(e->probabilities);
    e->sums = NULL;
    e->labels = NULL;
    e->values = NULL;
    e->probabilities = NULL;
    if (status != DCNN_OK) dcnn_evaluation_free(evaluation);
    return status;
}

void dcnn_evaluation_free(dcnn_evaluation *evaluation) {
    free(evaluation->confusion);
    free(evaluation->labels);
    free(evaluation->numbers);
    free(evaluation->probabilities);
    free(evaluation->disagreement);
    *evaluation = (dcnn_evaluation){0};
}
