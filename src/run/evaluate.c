/* SPDX-License-Identifier: BSD-3-Clause */
/* evaluate.c — a trained model over the samples of a data set, or over images in memory. */
#include <stdlib.h>

#include "base/log.h"
#include "guard/watchdog.h"
#include "nn/nets/ensemble.h"
#include "run/data/feeds.h"
#include "run/run.h"
#include "run/data/task.h"
#include "run/data/views.h"

/* Are the data set's numbers what the model is measured by? */
static bool takes_values(const dcnn_net *net, const dcnn_dataset *d) {
    if (d == NULL || d->target_width == 0) return false;
    return net->class_count == 0 || (net->loss.kind == DCNN_LOSS_BINARY && !d->has_labels);
}

static dcnn_status check_fit(const dcnn_checkpoint *checkpoint, const dcnn_loader *loader, const dcnn_samples *samples,
                             int data_classes) {
    const dcnn_net *net = checkpoint->net;
    const dcnn_dataset *d = samples->dataset;
    DCNN_TRY(dcnn_net_check_shape(net, "the model", loader->h, loader->w, loader->c, "the data"));
    if (samples->unlabelled) return DCNN_OK;
    if (takes_values(net, d)) {
        if (net->output_count != d->target_width)
            return DCNN_FAIL(DCNN_BAD_INPUT, "the model gives %d numbers, but %s has %d to predict", net->output_count,
                             d->path, d->target_width);
        return dcnn_task_check_names(d, checkpoint->class_count, checkpoint->class_names);
    }
    if (net->class_count == 0 && loader->labels)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model gives numbers (loss %s), but the data has classes",
                         dcnn_loss_word(net->loss.kind));
    if (d && d->target_width > 0 && !d->has_labels)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model tells %d classes apart, but %s has numbers to predict",
                         net->class_count, d->path);
    if (data_classes > net->class_count && net->class_count > 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model knows %d classes, but the data has %d", net->class_count,
                         data_classes);
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
    const dcnn_dataset *d = samples->dataset;
    const dcnn_loader_options options = {.cache_bytes = samples->cache_bytes,
                                         .split = samples->split,
                                         .shape = checkpoint->net->nodes[0].shape,
                                         .told = samples->told};
    if (d) DCNN_TRY(dcnn_loader_can_fit(options.shape, "the model", d->h, d->w, d->c, d->path));
    DCNN_TRY(samples->dataset ? dcnn_loader_open(comm, samples->dataset, &options, loader)
                              : dcnn_loader_open_images(comm, samples->images, loader));
    DCNN_TRY(
        check_fit(checkpoint, loader, samples, samples->dataset ? samples->dataset->class_count : classes_of(loader)));
    dcnn_input input;
    const dcnn_dataset *data = samples->dataset ? samples->dataset : samples->like;
    double mean[DCNN_MAX_CHANNELS], std[DCNN_MAX_CHANNELS];
    if (data) dcnn_loader_fit_channels(data->c, loader->c, data->mean, mean);
    if (data) dcnn_loader_fit_channels(data->c, loader->c, data->std, std);
    DCNN_TRY(dcnn_input_choose(checkpoint, &samples->input, data ? mean : NULL, data ? std : NULL, &input));
    if (!input.from_model && !samples->told) dcnn_info("input %s", input.told);
    dcnn_loader_normalise(loader, input.mean, input.std);
    loader->blue_first = input.blue_first;
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
    const bool values = !samples->unlabelled && takes_values(checkpoint->net, samples->dataset);
    const dcnn_evaluation_options options = {.unlabelled = samples->unlabelled || (loader.labels == NULL && !values),
                                             .values = values,
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
