/* SPDX-License-Identifier: BSD-3-Clause */
/* trainer.c — setting a training run up, its steps, and taking it down; train.c runs it. */
#include "run/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "guard/signals.h"
#include "guard/watchdog.h"
#include "run/data/class_weights.h"
#include "run/data/features.h"
#include "run/data/mix.h"
#include "run/elastic.h"
#include "run/memory.h"
#include "run/starting_net.h"

/* --- the model -------------------------------------------------------------------------------------------------- */

static dcnn_status check_fit(const dcnn_trainer *t) {
    DCNN_TRY(
        dcnn_net_check_shape(t->state.net, "the model", t->dataset.h, t->dataset.w, t->dataset.c, t->dataset.path));
    if (t->state.net->class_count == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model gives numbers (loss %s), but %s has classes",
                         dcnn_loss_name(t->state.net->loss.kind), t->dataset.path);
    if (t->state.net->untrainable[0])
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model cannot be trained: %s", t->state.net->untrainable);
    if (t->state.net->class_count != t->dataset.class_count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model's last layer '%s' has %d units, but %s has %d classes%s",
                         t->state.net->nodes[t->state.net->node_count - 1].name, t->state.net->class_count,
                         t->dataset.path, t->dataset.class_count,
                         dcnn_has_weights(t->options->model) ? ": --replace-head fits it to them" : "");
    return DCNN_OK;
}

/* --- the state: fresh, or a checkpoint's ------------------------------------------------------------------------ */

/* The images that the model expects; a run that goes on keeps its own. */
static dcnn_status choose_input(dcnn_trainer *t, const dcnn_checkpoint *from) {
    dcnn_input input;
    DCNN_TRY(dcnn_input_choose(from ? from : &t->state, from ? NULL : &t->options->input, t->dataset.mean,
                               t->dataset.std, &input));
    const bool is_file = dcnn_has_weights(t->options->model);
    const bool is_given = t->options->input.mean || t->options->input.std || t->options->input.scale > 0.0;
    if (!input.from_model && from == NULL && (is_file || is_given || dcnn_net_takes_bytes(t->state.net)))
        dcnn_info("input %s", input.told);
    dcnn_loader_normalise(&t->loader, input.mean, input.std);
    memcpy(t->state.mean, input.mean, sizeof input.mean);
    memcpy(t->state.std, input.std, sizeof input.std);
    t->state.normalised = true;
    return DCNN_OK;
}

static dcnn_status smooth_labels(dcnn_trainer *t) {
    dcnn_loss loss = t->state.net->loss;
    if (t->options->label_smoothing == 0.0) return DCNN_OK;
    if (dcnn_loss_is_regression(loss.kind))
        return DCNN_FAIL(DCNN_USAGE, "--label-smoothing is for classes, but the model's loss is %s: leave it out",
                         dcnn_loss_name(loss.kind));
    loss.smoothing = t->options->label_smoothing;
    return dcnn_net_set_loss(t->state.net, &loss);
}

static dcnn_status take_state(dcnn_trainer *t, const dcnn_checkpoint *from) {
    dcnn_progress *progress = &t->state.progress;
    DCNN_TRY(dcnn_net_set_rates(t->state.net, t->options->rates));
    DCNN_TRY(smooth_labels(t));
    DCNN_TRY(check_fit(t));
    if (from) {
        if (!from->resumable)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s has no state to go on from: use it as --model instead",
                             t->run->checkpoint);
        *progress = from->progress;
        if (progress->data_checksum == 0 && !t->dataset.sealed) /* dcnn 0.1.0 did not know */
            progress->data_checksum = t->dataset.checksum;
        if (progress->data_checksum != t->dataset.checksum)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "%s is not the data set that this run was started with (%s): its content "
                             "differs",
                             t->dataset.path, from->data_path ? from->data_path : "?");
        if (dcnn_ending_go_on(&t->ending, progress))
            dcnn_info("rate  without patience it falls no faster any more: back to that of the cosine");
        t->state.history = from->history ? strdup(from->history) : NULL;
    } else {
        *progress = (dcnn_progress){
            .seed = t->options->seed, .best_loss = INFINITY, .best_correct = -1, .data_checksum = t->dataset.checksum};
    }
    DCNN_TRY(choose_input(t, from));
    /* What a checkpoint tells of the data is the data set's own; borrowed, see dcnn_trainer_close(). */
    t->state.class_count = t->dataset.class_count;
    t->state.class_names = t->dataset.class_names;
    t->state.data_path = t->dataset.path;
    t->state.options = json_incref((json_t *)(uintptr_t)t->options->record);
    return DCNN_OK;
}

/* --- the engine --------------------------------------------------------------------------------------------------- */

/* Every rank measures what it is about to take, and all go on or none. *Collective.* */
static dcnn_status check_memory(const dcnn_trainer *t, const dcnn_engine_options *options) {
    dcnn_engine_bytes bytes;
    dcnn_status status = dcnn_engine_measure(t->comm, t->state.net, options, &bytes);
    if (status == DCNN_OK) {
        const dcnn_need need = dcnn_need_of(t->comm, &bytes, t->state.net->param_count * sizeof(float));
        status = dcnn_need_check(&need, dcnn_free_memory_of_node(""), dcnn_free_address_space(""));
    }
    return dcnn_comm_agree(t->comm, status);
}

/* The engine takes the net over and starts from the checkpoint's moments. */
static dcnn_status make_engine(dcnn_trainer *t, const dcnn_checkpoint *from) {
    const dcnn_train_options *o = t->options;
    const int64_t batch = t->sampler.batch < t->sampler.count ? t->sampler.batch : t->sampler.count;
    const dcnn_engine_options options = {.grain = (int)o->grain,
                                         .threads = (int)o->threads,
                                         .fuse = o->fuse,
                                         .first = t->first_node,
                                         .plain_sums = o->plain_sums,
                                         .batch_size = batch,
                                         .last_batch = t->sampler.count % batch,
                                         .accumulate = t->sampler.accumulate,
                                         .seed = o->seed,
                                         .soft_targets =
                                             t->class_weights || (o->augment && dcnn_mix_is_active(&o->ranges)),
                                         .optimizer = o->optimizer,
                                         .average = from ? from->average : NULL,
                                         .spans = dcnn_trace_spans(t->trace),
                                         .on_grain = dcnn_watchdog_progress,
                                         .stop_flag = dcnn_signals_caught};
    dcnn_net *net = t->state.net;
    DCNN_TRY(check_memory(t, &options));
    t->state.net = NULL;
    DCNN_TRY(dcnn_engine_create(t->comm, net, from ? from->m : NULL, from ? from->v : NULL, &options, &t->engine));
    t->state.net = dcnn_engine_net(t->engine);
    t->state.m = dcnn_engine_m(t->engine);
    t->state.v = dcnn_engine_v(t->engine);
    t->state.average = dcnn_engine_average(t->engine);
    return DCNN_OK;
}

static dcnn_status make_notes(dcnn_trainer *t) {
    dcnn_notes *notes = &t->notes;
    t->other_statistics = calloc(t->state.net->state_count + 1, sizeof(float));
    if (t->other_statistics == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: statistics of averaged weights");
    t->before.statistics = calloc(t->state.net->state_count + 1, sizeof(float));
    if (t->before.statistics == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a step to take back");
    if (t->options->log_every == 0) return DCNN_OK;
    notes->room = (int)(dcnn_sampler_steps(&t->sampler) / t->options->log_every) + 1;
    notes->steps = calloc((size_t)notes->room, sizeof *notes->steps);
    return notes->steps ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: metrics of %d steps", notes->room);
}

/* Chunks are of neighbours in the file, in whatever order the split names them. */
static int compare_rows(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void order_rows(const dcnn_split *split) {
    qsort(split->rows, (size_t)split->count, sizeof *split->rows, compare_rows);
}

/* --- unbalanced classes ------------------------------------------------------------------------------------------- */

/* Each class as often as the largest one. */
static dcnn_status oversample(dcnn_trainer *t, const dcnn_split *train) {
    t->class_first = calloc((size_t)t->dataset.class_count + 1, sizeof *t->class_first);
    if (t->class_first == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: %d classes", t->dataset.class_count);
    DCNN_TRY(dcnn_sampler_even(&t->sampler, train->rows, t->loader.labels, t->dataset.class_count, t->dataset.count,
                               t->class_first));
    dcnn_info("even  each class is drawn %lld times an epoch, as often as the largest one has images: %lld images "
              "instead of %lld",
              (long long)t->sampler.class_draws, (long long)t->sampler.count, (long long)train->count);
    return DCNN_OK;
}

static dcnn_status weigh_classes(dcnn_trainer *t, const dcnn_split *train) {
    char text[200];
    t->class_weights = calloc((size_t)t->dataset.class_count, sizeof *t->class_weights);
    if (t->class_weights == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: %d weights", t->dataset.class_count);
    DCNN_TRY(dcnn_class_weights_make(t->options->class_weight, &t->dataset, train, t->loader.labels, t->class_weights));
    dcnn_info("weigh the loss of an image counts %s times, by its class",
              dcnn_class_weights_text(&t->dataset, t->class_weights, text));
    return DCNN_OK;
}

/* --- setting up and taking down ----------------------------------------------------------------------------------- */

static dcnn_status set_up_local(dcnn_trainer *t, const dcnn_checkpoint *from) {
    const dcnn_train_options *o = t->options;
    const dcnn_split *train = dcnn_dataset_split(&t->dataset, "train");
    if (train == NULL || train->count == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s has no split 'train'", t->dataset.path);
    t->sampler = (dcnn_sampler){.seed = o->seed,
                                .rows = train->rows,
                                .count = train->count,
                                .batch = o->batch_size,
                                .accumulate = (int)(o->accumulate > 1 ? o->accumulate : 1)};
    t->ending = (dcnn_ending){o->epochs, o->patience, o->schedule.kind == DCNN_SCHEDULE_COSINE};
    if (o->class_weight) DCNN_TRY(weigh_classes(t, train));
    if (o->oversample) DCNN_TRY(oversample(t, train));
    dcnn_sampler_shuffle(&t->sampler, o->shuffle, (size_t)t->dataset.h * (size_t)t->dataset.w * (size_t)t->dataset.c);
    if (t->sampler.chunk_rows > 0) {
        if (!o->oversample) order_rows(train);
        if (t->sampler.window_chunks < t->sampler.count / t->sampler.chunk_rows)
            dcnn_info("order by chunks of %lld neighbouring images, %lld of which are mixed at a time",
                      (long long)t->sampler.chunk_rows, (long long)t->sampler.window_chunks);
    }
    DCNN_TRY(take_state(t, from));
    const int threads = o->threads > 0 ? (int)o->threads : dcnn_comm_cores(t->comm);
    return o->trace ? dcnn_trace_create(o->trace, threads, &t->trace) : DCNN_OK;
}

static dcnn_status set_up_rest(dcnn_trainer *t) {
    dcnn_thread_pool *pool = dcnn_engine_pool(t->engine);
    const size_t needed = dcnn_augment_scratch(&t->options->ranges, t->loader.h, t->loader.w, t->loader.c);
    void *scratch;
    t->augment_scratch_bytes = (needed + 63) / 64 * 64;
    DCNN_TRY(dcnn_block_create((size_t)dcnn_thread_pool_size(pool) * t->augment_scratch_bytes, "images to change",
                               &scratch));
    t->augment_scratch = scratch;
    DCNN_TRY(make_notes(t));
    return dcnn_evaluator_create(t->comm, pool, dcnn_engine_kernels(t->engine), t->state.net, (int)t->options->grain,
                                 t->options->fuse, t->first_node, &t->evaluator);
}

/* What frozen layers make of the images is computed once, where it is the same in every epoch. *Collective.* */
static dcnn_status take_features(dcnn_trainer *t) {
    const dcnn_train_options *o = t->options;
    const dcnn_features_wish wish = {.comm = t->comm,
                                     .dataset = &t->dataset,
                                     .net = t->state.net,
                                     .grain = (int)o->grain,
                                     .threads = (int)o->threads,
                                     .fuse = o->fuse,
                                     .changing = o->augment && dcnn_augment_is_active(&o->ranges),
                                     .wanted = o->keep_features};
    return dcnn_features_take(&wish, &t->loader, &t->first_node);
}

/* A data set that is no file: all its images are for training. */
static dcnn_status describe_images(dcnn_dataset *d, const dcnn_images *images, int classes) {
    *d = (dcnn_dataset){.path = strdup("the images in memory"),
                        .count = images->count,
                        .h = images->h,
                        .w = images->w,
                        .c = images->c,
                        .class_count = classes,
                        .split_count = 1,
                        .splits = {{.name = "train", .count = images->count}}};
    d->splits[0].rows = calloc((size_t)images->count, sizeof(int64_t));
    if (d->path == NULL || d->splits[0].rows == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: rows of %lld images", (long long)images->count);
    for (int64_t row = 0; row < images->count; row++) d->splits[0].rows[row] = row;
    return DCNN_OK;
}

/* Mean and deviation of all bytes / 255, alike for every channel. */
static void measure_images(const dcnn_loader *loader, dcnn_dataset *d) {
    const size_t count = (size_t)loader->count * (size_t)loader->h * (size_t)loader->w * (size_t)loader->c;
    uint64_t sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += loader->pixels[i];
        squares += (uint64_t)loader->pixels[i] * loader->pixels[i];
    }
    const double mean = (double)sum / (double)count, variance = (double)squares / (double)count - mean * mean;
    for (int c = 0; c < loader->c; c++) {
        d->mean[c] = mean / 255.0;
        d->std[c] = sqrt(fmax(variance, 0.0)) / 255.0;
    }
}

/* The net first, for it may know classes: what a model knows is kept, and the labels follow its order. */
static dcnn_status take_net(dcnn_trainer *t, const dcnn_checkpoint *from) {
    const dcnn_train_options *o = t->options;
    dcnn_checkpoint *state = &t->state;
    if (from) {
        DCNN_TRY(dcnn_net_copy(from->net, &state->net));
        return dcnn_dataset_adopt_classes(&t->dataset, from->class_count, from->class_names, "the run's checkpoint");
    }
    dcnn_status status = dcnn_starting_net(o, &t->dataset, state);
    if (status == DCNN_OK && !o->replace_head && t->dataset.class_names &&
        state->class_count == t->dataset.class_count) /* check_fit() says more of another number */
        status = dcnn_dataset_adopt_classes(&t->dataset, state->class_count, state->class_names,
                                            o->weights ? o->weights : o->model);
    for (int i = 0; state->class_names && i < state->class_count; i++) free(state->class_names[i]);
    free(state->class_names);
    state->class_names = NULL;
    return status;
}

static dcnn_status open_data(dcnn_trainer *t, const dcnn_checkpoint *from, const dcnn_images *images, int classes) {
    if (images == NULL) {
        const dcnn_loader_options options = {.cache_bytes = t->options->cache_bytes};
        DCNN_TRY(dcnn_dataset_open_together(t->comm, t->run->data, &t->dataset));
        DCNN_TRY(dcnn_comm_agree(t->comm, take_net(t, from)));
        return dcnn_loader_open(t->comm, &t->dataset, &options, &t->loader);
    }
    DCNN_TRY(dcnn_comm_agree(t->comm, describe_images(&t->dataset, images, classes)));
    DCNN_TRY(dcnn_comm_agree(t->comm, take_net(t, from)));
    DCNN_TRY(dcnn_loader_open_images(t->comm, dcnn_comm_rank(t->comm) == 0 ? images : NULL, &t->loader));
    measure_images(&t->loader, &t->dataset);
    dcnn_loader_normalise(&t->loader, t->dataset.mean, t->dataset.std);
    return DCNN_OK;
}

dcnn_status dcnn_trainer_open(dcnn_comm *comm, const dcnn_run *run, const dcnn_checkpoint *from,
                              const dcnn_train_options *options, const dcnn_images *images, int classes,
                              dcnn_trainer **trainer) {
    dcnn_trainer *t = *trainer = calloc(1, sizeof *t);
    DCNN_TRY(dcnn_comm_agree(comm, t ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a trainer")));
    t->comm = comm;
    t->options = options;
    t->run = run;
    if (options->plain_sums) dcnn_comm_separate(comm);
    DCNN_TRY(open_data(t, from, images, classes));
    DCNN_TRY(dcnn_comm_agree(comm, set_up_local(t, from)));
    DCNN_TRY(take_features(t));
    DCNN_TRY(dcnn_loader_read_ahead(comm, &t->loader, &t->sampler, (int)options->grain, options->epochs));
    DCNN_TRY(make_engine(t, from));
    DCNN_TRY(dcnn_comm_agree(comm, set_up_rest(t)));
    return dcnn_trainer_remember(t);
}

void dcnn_trainer_close(dcnn_trainer *t) {
    if (t == NULL) return;
    dcnn_evaluator_free(t->evaluator);
    if (t->engine == NULL) dcnn_net_free(t->state.net);
    dcnn_engine_free(t->engine);
    dcnn_trace_free(t->trace);
    free(t->notes.steps);
    free(t->before.statistics);
    free(t->other_statistics);
    dcnn_block_free(t->augment_scratch);
    free(t->class_first);
    free(t->class_weights);
    free(t->state.history);
    json_decref(t->state.options);
    dcnn_loader_close(t->comm, &t->loader);
    dcnn_dataset_free(&t->dataset);
    free(t);
}

/* --- the rate ----------------------------------------------------------------------------------------------------- */

/* From what it was when patience was over. */
static double descent_rate(const dcnn_trainer *t) {
    const dcnn_progress *p = &t->state.progress;
    const int64_t steps = dcnn_sampler_steps(&t->sampler);
    return dcnn_ending_part(&t->ending, p, steps) *
           dcnn_schedule_rate(&t->options->schedule, t->options->optimizer.learning_rate, p->descent_epoch * steps,
                              t->options->epochs, steps);
}

/* Of the next step. */
static double rate_now(const dcnn_trainer *t) {
    if (t->state.progress.descent_epoch > 0) return descent_rate(t);
    return dcnn_schedule_rate(&t->options->schedule, t->options->optimizer.learning_rate, t->state.progress.step,
                              t->options->epochs, dcnn_sampler_steps(&t->sampler));
}

dcnn_status dcnn_trainer_write(const dcnn_trainer *t, const char *path, bool moments) {
    dcnn_checkpoint state = t->state;
    dcnn_optimizer optimizer = t->options->optimizer;
    optimizer.learning_rate = t->rate > 0.0 ? t->rate : rate_now(t);
    if (!moments) state.m = state.v = state.average = NULL;
    return dcnn_checkpoint_write(path, &state, &optimizer);
}

/* --- a step ------------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_trainer_step(dcnn_trainer *t, bool *stop) {
    dcnn_progress *p = &t->state.progress;
    const int64_t most = t->sampler.batch * t->sampler.accumulate, left = t->sampler.count - p->cursor;
    DCNN_TRY(dcnn_trace_step(t->trace, t->comm, t->pace.steps + 1));
    const double began_s = dcnn_now_s();
    t->step_samples = left < most ? left : most;
    t->rate = rate_now(t);
    const dcnn_epoch_feed feed = {.loader = &t->loader,
                                  .kernels = dcnn_engine_kernels(t->engine),
                                  .sampler = &t->sampler,
                                  .augment = t->options->augment ? &t->options->ranges : NULL,
                                  .scratch = t->augment_scratch,
                                  .scratch_bytes = t->augment_scratch_bytes,
                                  .epoch = (uint32_t)p->epoch,
                                  .cursor = p->cursor,
                                  .class_weights = t->class_weights};
    const dcnn_step step = {.samples = t->step_samples,
                            .number = p->step + 1,
                            .epoch = (uint32_t)p->epoch,
                            .rate = t->rate,
                            .feed = dcnn_feed_of_epoch(&feed)};
    dcnn_step_sums sums = {.loss = p->loss_sum, .correct = p->correct};
    dcnn_status status = dcnn_engine_step(t->engine, &step, &sums);
    if (status == DCNN_DIVERGED) {
        char what[128];
        snprintf(what, sizeof what, "%s", dcnn_error());
        status = DCNN_FAIL(DCNN_DIVERGED,
                           "%s in epoch %lld, step %lld: the last good checkpoint is kept; try a smaller "
                           "--learning-rate",
                           what, (long long)p->epoch + 1, (long long)p->step + 1);
    }
    if (sums.stop != 0) t->stop_signal = sums.stop;
    *stop = sums.stop != 0;
    DCNN_TRY(status);
    p->loss_sum = sums.loss;
    p->correct = sums.correct;
    p->cursor += t->step_samples;
    p->step++;
    t->pace.steps++;
    t->pace.trained += t->step_samples;
    t->pace.train_s += dcnn_now_s() - began_s;
    return DCNN_OK;
}

dcnn_status dcnn_trainer_evaluate(dcnn_trainer *t, const int64_t *rows, int64_t count, dcnn_evaluation *evaluation) {
    const dcnn_rows_feed feed = {
        .loader = &t->loader, .kernels = dcnn_engine_kernels(t->engine), .rows = rows, .count = count};
    const dcnn_evaluation_options options = {.on_grain = dcnn_watchdog_progress};
    return dcnn_evaluator_run(t->evaluator, count, dcnn_feed_of_rows(&feed), &options, evaluation);
}
