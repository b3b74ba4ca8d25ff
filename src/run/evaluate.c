/* SPDX-License-Identifier: BSD-3-Clause */
/* evaluate.c — a trained model over the samples of a data set, or over images in memory. */
#include <stdlib.h>

#include "base/log.h"
#include "guard/watchdog.h"
#include "nn/nets/ensemble.h"
#include "run/data/feeds.h"
#include "run/run.h"
#include "run/views.h"

static dcnn_status check_fit(const dcnn_checkpoint *checkpoint, const dcnn_loader *loader, int data_classes) {
    DCNN_TRY(dcnn_net_check_shape(checkpoint->net, "the model", loader->h, loader->w, loader->c, "the data"));
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

/* Opens the samples and sets them to what the model was trained on. *Collective.* */
static dcnn_status open_samples(dcnn_comm *comm, const dcnn_checkpoint *checkpoint, const dcnn_samples *samples,
                                dcnn_loader *loader) {
    const dcnn_loader_options options = {.cache_bytes = samples->cache_bytes, .split = samples->split};
    DCNN_TRY(samples->dataset ? dcnn_loader_open(comm, samples->dataset, &options, loader)
                              : dcnn_loader_open_images(comm, samples->images, loader));
    DCNN_TRY(check_fit(checkpoint, loader, samples->dataset ? samples->dataset->class_count : classes_of(loader)));
    dcnn_input input;
    const dcnn_dataset *data = samples->dataset;
    DCNN_TRY(dcnn_input_choose(checkpoint, &samples->input, data ? data->mean : NULL, data ? data->std : NULL, &input));
    if (!input.from_model) dcnn_info("input %s", input.told);
    dcnn_loader_normalise(loader, input.mean, input.std);
    return DCNN_OK;
}

dcnn_status dcnn_evaluate(dcnn_comm *comm, const dcnn_checkpoint *checkpoint, const dcnn_samples *samples, int threads,
                          bool want_probabilities, dcnn_evaluation *evaluation) {
    const dcnn_kernels *kernels = dcnn_kernels_of(dcnn_comm_isa(comm));
    dcnn_thread_pool *pool = NULL;
    dcnn_evaluator *evaluator = NULL;
    dcnn_loader loader = {0};
    *evaluation = (dcnn_evaluation){0};
    dcnn_status status;
    DCNN_TRY_DONE(open_samples(comm, checkpoint, samples, &loader));
    DCNN_TRY_DONE(dcnn_comm_reserve_sums(comm, DCNN_LOSS_SUMS));
    status = dcnn_thread_pool_create(threads > 0 ? threads : dcnn_comm_cores(comm), &pool);
    if (status == DCNN_OK)
        status = dcnn_evaluator_create(comm, pool, kernels, checkpoint->net, DCNN_GRAIN, true, 0, &evaluator);
    DCNN_TRY_DONE(dcnn_comm_agree(comm, status));
    const int64_t count = samples->split ? samples->split->count : loader.count;
    const int64_t *rows = samples->split ? samples->split->rows : NULL;
    const dcnn_rows_feed feed = {.loader = &loader, .kernels = kernels, .rows = rows, .count = count};
    const dcnn_evaluation_options options = {.unlabelled = loader.labels == NULL,
                                             .want_probabilities = want_probabilities,
                                             .on_grain = dcnn_watchdog_progress,
                                             .on_progress = dcnn_comm_rank(comm) == 0 ? samples->on_progress : NULL,
                                             .context = samples->context};
    const dcnn_views views = {comm, pool, kernels, checkpoint, &loader, rows, count, samples->views, &options};
    if (samples->views > 1 || dcnn_ensemble_count(checkpoint->net) > 1)
        status = dcnn_views_run(&views, evaluation);
    else
        status = dcnn_evaluator_run(evaluator, count, dcnn_feed_of_rows(&feed), &options, evaluation);
done:
    dcnn_evaluator_free(evaluator);
    dcnn_thread_pool_free(pool);
    dcnn_loader_close(comm, &loader);
    return status;
}
