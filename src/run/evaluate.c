/* SPDX-License-Identifier: BSD-3-Clause */
/* evaluate.c — inference over grains: exact counts, the loss along the tree, probabilities gathered in order. */
#include <stdlib.h>
#include <string.h>

#include "run/evaluator.h"
#include "comm/tree.h"
#include "guard/watchdog.h"

struct dcnn_evaluator {
    dcnn_comm *comm;
    dcnn_team *team;
    const dcnn_kernels *kernels;
    const dcnn_net *net;
    const dcnn_loader *loader;
    dcnn_plan *plan;
    int grain;
    int32_t *labels;          /* [workers][grain] */
    const dcnn_samples *told; /* whom to tell of progress, or NULL */
    /* of the run in progress */
    const int64_t *rows;
    int64_t count;
    dcnn_shares shares;
    double *sums;         /* [local grains][DCNN_LOSS_SUMS] */
    float *probabilities; /* [local samples][classes] */
};

dcnn_status dcnn_evaluator_create(dcnn_comm *comm, dcnn_team *team, const dcnn_kernels *kernels, dcnn_net *net,
                                  const dcnn_loader *loader, int grain, bool fuse, dcnn_evaluator **out) {
    *out = NULL;
    const int workers = dcnn_team_size(team);
    dcnn_evaluator *e = calloc(1, sizeof *e);
    if (e) e->labels = calloc((size_t)(workers * grain), sizeof *e->labels);
    if (e == NULL || e->labels == NULL) {
        dcnn_evaluator_free(e);
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: an evaluator");
    }
    e->comm = comm;
    e->team = team;
    e->kernels = kernels;
    e->net = net;
    e->loader = loader;
    e->grain = grain;
    const dcnn_plan_options options = {.grain = grain, .slots = workers, .workers = workers, .fuse = fuse};
    dcnn_status status = dcnn_plan_create(net, kernels, &options, &e->plan);
    if (status != DCNN_OK) {
        dcnn_evaluator_free(e);
        return status;
    }
    *out = e;
    return DCNN_OK;
}

void dcnn_evaluator_free(dcnn_evaluator *e) {
    if (e == NULL) return;
    dcnn_plan_free(e->plan);
    free(e->labels);
    free(e);
}

static void prepare(void *argument, int worker) {
    dcnn_plan_prepare(((dcnn_evaluator *)argument)->plan, worker);
}

static int samples_in(const dcnn_evaluator *e, int64_t grain) {
    const int64_t left = e->count - grain * e->grain;
    return (int)(left < e->grain ? left : e->grain);
}

static void run_share(void *argument, int worker) {
    dcnn_evaluator *e = argument;
    const int workers = dcnn_team_size(e->team);
    const size_t classes = (size_t)e->net->class_count;
    int32_t *labels = e->labels + worker * e->grain;
    const int64_t end = dcnn_share_first(e->shares.count, worker + 1, workers);
    for (int64_t i = dcnn_share_first(e->shares.count, worker, workers); i < end; i++) {
        const int64_t first = (e->shares.first + i) * e->grain;
        dcnn_grain grain = {.n = samples_in(e, e->shares.first + i),
                            .samples = e->rows + first,
                            .labels = e->loader->labels ? labels : NULL,
                            .sums = e->sums + i * DCNN_LOSS_SUMS};
        dcnn_loader_fill(e->loader, e->kernels, NULL, 0, 0, NULL, e->rows + first, grain.n,
                         dcnn_plan_input(e->plan, worker), grain.labels ? labels : NULL);
        dcnn_plan_run(e->plan, 0, worker, worker, &grain);
        dcnn_watchdog_progress();
        memcpy(e->probabilities + (size_t)(i * e->grain) * classes, dcnn_plan_output(e->plan, worker),
               (size_t)grain.n * classes * sizeof(float));
        if (e->told && worker == 0) /* whose share begins at 0: the others are about as far */
            e->told->on_progress(e->told->context, e->count * (i + 1) / end, e->count);
    }
}

static int64_t first_largest(const float *row, int count) {
    int best = 0;
    for (int i = 1; i < count; i++)
        if (row[i] > row[best]) best = i;
    return best;
}

static void count_confusion(const dcnn_evaluator *e, int64_t first, int64_t count, int64_t *confusion) {
    const int classes = e->net->class_count;
    for (int64_t i = 0; i < count; i++)
        confusion[e->loader->labels[e->rows[first + i]] * classes +
                  first_largest(e->probabilities + i * classes, classes)]++;
}

static dcnn_status gather_probabilities(dcnn_evaluator *e, int64_t mine, dcnn_evaluation *evaluation) {
    const int classes = e->net->class_count, size = dcnn_comm_size(e->comm);
    int64_t *counts = calloc((size_t)size, sizeof *counts);
    dcnn_status status = DCNN_OK;
    if (dcnn_comm_rank(e->comm) == 0)
        evaluation->probabilities = calloc((size_t)(e->count * classes) + 1, sizeof(float));
    if (counts == NULL || (dcnn_comm_rank(e->comm) == 0 && evaluation->probabilities == NULL))
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: probabilities of %lld samples", (long long)e->count);
    status = dcnn_comm_agree(e->comm, status);
    for (int rank = 0; status == DCNN_OK && rank < size; rank++) {
        const int64_t first = dcnn_share_first(e->shares.grains, rank, size) * e->grain;
        int64_t end = dcnn_share_first(e->shares.grains, rank + 1, size) * e->grain;
        if (end > e->count) end = e->count;
        counts[rank] = (end - first) * classes * (int64_t)sizeof(float);
    }
    if (status == DCNN_OK)
        dcnn_comm_gather(e->comm, e->probabilities, mine * classes * (int64_t)sizeof(float), evaluation->probabilities,
                         counts);
    free(counts);
    return status;
}

dcnn_status dcnn_evaluator_run(dcnn_evaluator *e, const int64_t *rows, int64_t count, bool want_probabilities,
                               dcnn_evaluation *evaluation) {
    const int classes = e->net->class_count;
    *evaluation = (dcnn_evaluation){.class_count = classes, .count = count};
    if (count == 0) return DCNN_OK;
    e->rows = rows;
    e->count = count;
    e->shares = dcnn_comm_shares(e->comm, (count + e->grain - 1) / e->grain);
    const int64_t first = e->shares.first * e->grain;
    int64_t mine = (e->shares.first + e->shares.count) * e->grain;
    mine = (mine < count ? mine : count) - first;
    if (mine < 0) mine = 0;
    dcnn_status status = DCNN_OK;
    e->sums = calloc((size_t)(e->shares.count + 1) * DCNN_LOSS_SUMS, sizeof *e->sums);
    e->probabilities = calloc((size_t)(mine * classes) + 1, sizeof *e->probabilities);
    evaluation->confusion = calloc((size_t)(classes * classes), sizeof *evaluation->confusion);
    if (e->sums == NULL || e->probabilities == NULL || evaluation->confusion == NULL)
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: evaluating %lld samples", (long long)count);
    DCNN_TRY_DONE(dcnn_comm_agree(e->comm, status));
    dcnn_team_run(e->team, prepare, e);
    dcnn_team_run(e->team, run_share, e);
    if (e->loader->labels) {
        double totals[DCNN_LOSS_SUMS];
        int wish = 0;
        dcnn_comm_sum(e->comm, e->shares, DCNN_LOSS_SUMS, e->sums, DCNN_LOSS_SUMS, totals, &wish);
        evaluation->loss = totals[DCNN_SUM_LOSS] / (double)count;
        count_confusion(e, first, mine, evaluation->confusion);
        dcnn_comm_add_integers(e->comm, evaluation->confusion, classes * classes);
        for (int i = 0; i < classes; i++) evaluation->correct += evaluation->confusion[i * classes + i];
    }
    if (want_probabilities) DCNN_TRY_DONE(gather_probabilities(e, mine, evaluation));
    if (dcnn_comm_is_broken(e->comm)) status = dcnn_comm_fail_broken();
done:
    free(e->sums);
    free(e->probabilities);
    e->sums = NULL;
    e->probabilities = NULL;
    if (status != DCNN_OK) dcnn_evaluation_free(evaluation);
    return status;
}

void dcnn_evaluation_free(dcnn_evaluation *evaluation) {
    free(evaluation->confusion);
    free(evaluation->probabilities);
    *evaluation = (dcnn_evaluation){0};
}

/* --- a trained model over samples ------------------------------------------------------------------------------- */

static dcnn_status check_fit(const dcnn_checkpoint *checkpoint, const dcnn_loader *loader, int data_classes) {
    const dcnn_shape takes = checkpoint->net->nodes[0].shape;
    char text[48];
    if (takes.h != loader->h || takes.w != loader->w || takes.c != loader->c)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model takes pictures of shape %s, but the data has shape (%d, %d, %d)",
                         dcnn_shape_text(takes, text), loader->h, loader->w, loader->c);
    if (data_classes > checkpoint->net->class_count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model knows %d classes, but the data has %d",
                         checkpoint->net->class_count, data_classes);
    return DCNN_OK;
}

static int classes_of(const dcnn_loader *loader) {
    int most = 0;
    for (int64_t i = 0; loader->labels && i < loader->count; i++)
        if (loader->labels[i] >= most) most = loader->labels[i] + 1;
    return most;
}

dcnn_status dcnn_evaluate(dcnn_comm *comm, const dcnn_checkpoint *checkpoint, const dcnn_samples *samples, int threads,
                          bool want_probabilities, dcnn_evaluation *evaluation) {
    enum { GRAIN = 16 }; /* any will do; a fixed one gives the same bits at any rank count */
    dcnn_status status = DCNN_OK;
    dcnn_team *team = NULL;
    dcnn_evaluator *evaluator = NULL;
    int64_t count, *all = NULL;
    dcnn_loader loader = {0};
    *evaluation = (dcnn_evaluation){0};
    DCNN_TRY(samples->dataset ? dcnn_loader_open(comm, samples->dataset, &loader)
                              : dcnn_loader_open_images(comm, samples->images, &loader));
    DCNN_TRY(check_fit(checkpoint, &loader, samples->dataset ? samples->dataset->class_count : classes_of(&loader)));
    if (checkpoint->normalised)
        dcnn_loader_normalise(&loader, checkpoint->mean, checkpoint->std);
    else if (samples->dataset == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model file does not say by which mean and deviation its inputs were "
                                         "standardised (Keras wrote it): predict from a data set instead");
    DCNN_TRY_DONE(status);
    count = samples->split ? samples->split->count : loader.count;
    all = samples->split ? NULL : calloc((size_t)count + 1, sizeof *all);
    for (int64_t i = 0; all && i < count; i++) all[i] = i;
    if (samples->split == NULL && all == NULL) status = DCNN_FAIL(DCNN_FAILURE, "out of memory: row numbers");
    if (status == DCNN_OK) status = dcnn_team_create(threads > 0 ? threads : dcnn_comm_cores(comm), &team);
    if (status == DCNN_OK) status = dcnn_comm_reserve_sums(comm, DCNN_LOSS_SUMS);
    if (status == DCNN_OK)
        status = dcnn_evaluator_create(comm, team, dcnn_kernels_of(dcnn_comm_isa(comm)), checkpoint->net, &loader,
                                       GRAIN, true, &evaluator);
    DCNN_TRY_DONE(dcnn_comm_agree(comm, status));
    evaluator->told = samples->on_progress && dcnn_comm_rank(comm) == 0 ? samples : NULL;
    status = dcnn_evaluator_run(evaluator, samples->split ? samples->split->rows : all, count, want_probabilities,
                                evaluation);
done:
    dcnn_evaluator_free(evaluator);
    dcnn_team_free(team);
    dcnn_loader_close(comm, &loader);
    free(all);
    return status;
}
