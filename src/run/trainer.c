/* SPDX-License-Identifier: BSD-3-Clause */
/* trainer.c — setting a training run up, its steps, and taking it down; train.c runs it. */
#include "run/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/signals.h"
#include "guard/watchdog.h"
#include "nn/net_edit.h"
#include "run/data/features.h"
#include "run/data/feeds.h"
#include "run/data/mix.h"
#include "run/elastic.h"
#include "run/memory.h"
#include "run/starting_net.h"

/* --- the model -------------------------------------------------------------------------------------------------- */

static dcnn_status check_fit(const dcnn_trainer *t) {
    DCNN_TRY(dcnn_net_check_shape(t->state.net, "the model", t->data.loader.h, t->data.loader.w, t->data.loader.c,
                                  t->data.set.path));
    if (t->state.net->untrainable[0])
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model cannot be trained: %s", t->state.net->untrainable);
    DCNN_TRY(dcnn_task_fit(&t->task, &t->data.set, dcnn_has_weights(t->options->model), t->state.net));
    return dcnn_monitor_check(dcnn_monitor_for(t->options->monitor, t->state.net), t->state.net);
}

/* What may be meant, and more often is not. */
static void tell_doubts(const dcnn_trainer *t) {
    const dcnn_train_options *o = t->options;
    static bool told; /* of one of several runs is enough */
    if (o->of_several && told) return;
    told = true;
    const bool frozen = o->train_last > 0 || o->freeze_below || o->freeze.count > 0;
    if (t->task.loss == DCNN_LOSS_BINARY && !t->task.values && t->data.set.class_count > 2)
        dcnn_info("loss  %s decides on each of the %d classes by itself, though an image has one of them; "
                  "categorical_crossentropy chooses one",
                  dcnn_loss_word(t->task.loss), t->data.set.class_count);
    if (frozen && !dcnn_has_weights(o->model) && o->weights == NULL)
        dcnn_warn("--%s leaves layers as they are, but these have learned nothing: their weights are drawn at random; "
                  "--model takes a trained network (.keras, .h5, .onnx), --weights the weights of one",
                  o->train_last > 0 ? "train-last"
                  : o->freeze_below ? "freeze-below"
                                    : "freeze");
}

/* What is for classes: numbers have neither weights nor partners. */
static dcnn_status check_class_options(const dcnn_trainer *t) {
    const dcnn_train_options *o = t->options;
    const bool mixes = o->augment && dcnn_mix_is_active(&o->ranges);
    if (!t->task.values || (!o->class_weight && !o->oversample && !mixes)) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE, "--%s is for classes, but %s has numbers to predict: leave it out",
                     o->class_weight         ? "class-weight"
                     : o->oversample         ? "oversample"
                     : o->ranges.mixup > 0.0 ? "mixup"
                                             : "cutmix",
                     t->data.set.path);
}

/* --- the state: fresh, or a checkpoint's ------------------------------------------------------------------------ */

/* The images that the model expects; a run that goes on keeps its own. */
static dcnn_status choose_input(dcnn_trainer *t, const dcnn_checkpoint *from) {
    double mean[DCNN_MAX_CHANNELS], std[DCNN_MAX_CHANNELS];
    dcnn_input input;
    dcnn_loader_fit_channels(t->data.set.c, t->data.loader.c, t->data.set.mean, mean);
    dcnn_loader_fit_channels(t->data.set.c, t->data.loader.c, t->data.set.std, std);
    DCNN_TRY(dcnn_input_choose(from ? from : &t->state, from ? NULL : &t->options->input, mean, std, &input));
    const bool is_file = dcnn_has_weights(t->options->model);
    const bool is_given = dcnn_input_is_given(&t->options->input);
    if (!input.from_model && from == NULL && (is_file || is_given || dcnn_net_takes_bytes(t->state.net)))
        dcnn_info("input %s", input.told);
    dcnn_loader_normalise(&t->data.loader, input.mean, input.std);
    t->data.loader.blue_first = input.blue_first;
    t->state.blue_first = input.blue_first;
    memcpy(t->state.mean, input.mean, sizeof input.mean);
    memcpy(t->state.std, input.std, sizeof input.std);
    t->state.normalised = true;
    return DCNN_OK;
}

/* Settings of the loss that are given; else the model's own stay. */
static dcnn_status set_loss(dcnn_trainer *t) {
    dcnn_loss loss = t->state.net->loss;
    const double smoothing = t->options->label_smoothing, delta = t->options->huber_delta;
    if (smoothing > 0.0 && dcnn_loss_is_regression(loss.kind))
        return DCNN_FAIL(DCNN_USAGE, "--label-smoothing is for classes, but the model's loss is %s: leave it out",
                         dcnn_loss_word(loss.kind));
    if (delta > 0.0 && loss.kind != DCNN_LOSS_HUBER)
        return DCNN_FAIL(DCNN_USAGE,
                         "--huber-delta is for the loss huber, but the model's loss is %s: give --loss huber",
                         dcnn_loss_word(loss.kind));
    if (smoothing > 0.0) loss.smoothing = smoothing;
    if (delta > 0.0) loss.delta = delta;
    return dcnn_net_set_loss(t->state.net, &loss);
}

static dcnn_status take_state(dcnn_trainer *t, const dcnn_checkpoint *from) {
    dcnn_progress *progress = &t->state.progress;
    DCNN_TRY(dcnn_net_set_rates(t->state.net, t->options->rates));
    DCNN_TRY(dcnn_net_set_decay(t->state.net, t->options->undecayed));
    DCNN_TRY(check_fit(t)); /* which chooses the loss */
    if (from == NULL) tell_doubts(t);
    DCNN_TRY(set_loss(t));
    if (from) {
        *progress = from->progress;
        progress->data_checksum = t->data.set.checksum; /* dcnn 0.1.0 did not know that of a set without a seal */
        if (dcnn_ending_go_on(&t->ending, progress))
            dcnn_info("rate  without patience it falls no faster any more: back to that of the cosine");
        t->state.history = from->history ? strdup(from->history) : NULL;
    } else {
        *progress = (dcnn_progress){
            .seed = t->options->seed, .best_loss = INFINITY, .best_correct = -1, .data_checksum = t->data.set.checksum};
    }
    DCNN_TRY(choose_input(t, from));
    /* What a checkpoint tells of the data is the data set's own; borrowed, see dcnn_trainer_close(). */
    t->state.class_count = t->task.values ? t->data.set.target_width : t->data.set.class_count;
    t->state.class_names = t->task.values ? t->data.set.target_names : t->data.set.class_names;
    t->state.data_path = t->data.set.path;
    t->state.options = json_incref((json_t *)(uintptr_t)t->options->record);
    return DCNN_OK;
}

/* --- the engine --------------------------------------------------------------------------------------------------- */

static dcnn_status measure_need(const dcnn_trainer *t, const dcnn_engine_options *options, dcnn_need *need) {
    dcnn_engine_bytes bytes;
    DCNN_TRY(dcnn_engine_measure(t->comm, t->state.net, options, &bytes));
    *need = dcnn_need_of(t->comm, &bytes, t->state.net->param_count * sizeof(float));
    return DCNN_OK;
}

/* What training takes, where that is much, and what it would take the other way. */
static dcnn_status tell_memory(const dcnn_trainer *t, const dcnn_engine_options *options, const dcnn_need *need,
                               dcnn_free_memory left) {
    enum { MUCH = 1 << 30 };
    dcnn_engine_options otherwise = *options;
    dcnn_need other;
    char all[32], images[32], others[32], weights[32], there[32];
    if (need->node < MUCH && !options->recompute) return DCNN_OK;
    otherwise.recompute = !options->recompute;
    DCNN_TRY(measure_need(t, &otherwise, &other));
    dcnn_info(
        "memory %s on this node: activations %s (%s with%s --recompute), weights, gradients and checkpoints %s; %s "
        "leaves %s",
        dcnn_bytes_text(need->node, all), dcnn_bytes_text(need->images, images), dcnn_bytes_text(other.images, others),
        options->recompute ? "out" : "", dcnn_bytes_text(need->weights, weights), left.bound_by,
        dcnn_bytes_text(left.bytes, there));
    return DCNN_OK;
}

/* Every rank measures what it is about to take, and all go on or none. *Collective.* */
static dcnn_status check_memory(const dcnn_trainer *t, const dcnn_engine_options *options) {
    dcnn_need need;
    dcnn_status status = measure_need(t, options, &need);
    if (status == DCNN_OK) {
        const dcnn_free_memory left = dcnn_free_memory_of_node("");
        status = tell_memory(t, options, &need, left);
        if (status == DCNN_OK) status = dcnn_need_check(&need, left, dcnn_free_address_space(""));
    }
    return dcnn_comm_agree(t->comm, status);
}

/* The engine takes the net over and starts from the checkpoint's moments. */
static dcnn_status make_engine(dcnn_trainer *t, const dcnn_checkpoint *from) {
    const dcnn_train_options *o = t->options;
    const int64_t batch = t->data.sampler.batch < t->data.sampler.count ? t->data.sampler.batch : t->data.sampler.count;
    const dcnn_engine_options options = {.grain = (int)o->grain,
                                         .threads = (int)o->threads,
                                         .fuse = o->fuse,
                                         .recompute = o->recompute,
                                         .first = t->data.first_node,
                                         .plain_sums = o->plain_sums,
                                         .batch_size = batch,
                                         .last_batch = t->data.sampler.count % batch,
                                         .accumulate = t->data.sampler.accumulate,
                                         .seed = o->seed,
                                         .soft_targets =
                                             t->data.class_weights || (o->augment && dcnn_mix_is_active(&o->ranges)),
                                         .values = t->task.values,
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
    t->judged.statistics = calloc(t->state.net->state_count + 1, sizeof(float));
    if (t->judged.statistics == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: statistics of averaged weights");
    t->before.statistics = calloc(t->state.net->state_count + 1, sizeof(float));
    if (t->before.statistics == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a step to take back");
    if (t->options->log_every == 0) return DCNN_OK;
    notes->room = (int)(dcnn_sampler_steps(&t->data.sampler) / t->options->log_every) + 1;
    notes->steps = calloc((size_t)notes->room, sizeof *notes->steps);
    return notes->steps ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: metrics of %d steps", notes->room);
}

/* --- setting up and taking down ----------------------------------------------------------------------------------- */

static dcnn_status set_up_local(dcnn_trainer *t, const dcnn_checkpoint *from) {
    const dcnn_train_options *o = t->options;
    DCNN_TRY(dcnn_training_data_order(&t->data, o));
    t->ending = (dcnn_ending){o->epochs, o->patience, o->schedule.kind == DCNN_SCHEDULE_COSINE};
    DCNN_TRY(take_state(t, from));
    const int threads = o->threads > 0 ? (int)o->threads : dcnn_comm_cores(t->comm);
    return o->trace ? dcnn_trace_create(o->trace, threads, &t->trace) : DCNN_OK;
}

static dcnn_status set_up_rest(dcnn_trainer *t) {
    dcnn_thread_pool *pool = dcnn_engine_pool(t->engine);
    DCNN_TRY(dcnn_training_data_make_scratch(&t->data, &t->options->ranges, dcnn_thread_pool_size(pool)));
    DCNN_TRY(make_notes(t));
    return dcnn_evaluator_create(t->comm, pool, dcnn_engine_kernels(t->engine), t->state.net, (int)t->options->grain,
                                 t->options->fuse, t->data.first_node, &t->evaluator);
}

/* What frozen layers make of the images is computed once, where it is the same in every epoch or some variants of it
 * will do. *Collective.* */
static dcnn_status take_features(dcnn_trainer *t) {
    const dcnn_train_options *o = t->options;
    const bool changes = dcnn_augment_is_active(&o->ranges);
    if (o->feature_variants > 0 && o->next == NULL && t->state.progress.phase == 0 &&
        dcnn_net_frozen_end(t->state.net) == 0)
        dcnn_warn(
            "--feature-variants has no effect here, for no layers at the model's beginning are frozen (--freeze)");
    const dcnn_features_wish wish = {.comm = t->comm,
                                     .dataset = &t->data.set,
                                     .net = t->state.net,
                                     .grain = (int)o->grain,
                                     .threads = (int)o->threads,
                                     .fuse = o->fuse,
                                     .changes = o->augment && changes ? &o->ranges : NULL,
                                     .seed = o->seed,
                                     .variants =
                                         (int)(o->feature_variants < o->epochs ? o->feature_variants : o->epochs),
                                     .wanted = o->keep_features};
    return dcnn_features_take(&wish, &t->data.loader, &t->data.first_node);
}

/* Classes of other names: a new last layer learns them. */
static dcnn_status advise_head(const dcnn_trainer *t, dcnn_status status) {
    char why[1024];
    if (status != DCNN_BAD_INPUT || !dcnn_has_weights(t->options->model) || !dcnn_net_has_head(t->state.net))
        return status;
    snprintf(why, sizeof why, "%s", dcnn_error());
    return DCNN_FAIL(status, "%s; --replace-head trains a new last layer for the classes of the data set", why);
}

/* Before anything is said of its data: can this run go on with them? */
static dcnn_status check_goes_on(const dcnn_trainer *t, const dcnn_checkpoint *from) {
    const dcnn_dataset *set = &t->data.set;
    const uint64_t then = from->progress.data_checksum;
    const char *name = from->data_path ? from->data_path : "another file";
    if (!from->resumable)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s has no state to go on from: use it as --model instead",
                         t->run->checkpoint);
    if (then == set->checksum || (then == 0 && !set->sealed)) return DCNN_OK;
    if (strcmp(name, set->path) == 0)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s is no longer what this run was started with, its content differs: restore it to go on, or start "
            "another run (--run)",
            set->path);
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s is not the data set this run was started with (%s), its content differs: leave it out to go "
                     "on, or start another run (--run)",
                     set->path, name);
}

/* The net first, for it may know classes: what a model knows is kept, and the labels follow its order. */
static dcnn_status take_net(dcnn_trainer *t, const dcnn_checkpoint *from) {
    const dcnn_train_options *o = t->options;
    dcnn_checkpoint *state = &t->state;
    if (from) DCNN_TRY(check_goes_on(t, from));
    DCNN_TRY(dcnn_task_choose(o->loss, &t->data.set, &t->task));
    DCNN_TRY(check_class_options(t));
    if (t->task.guessed && from == NULL)
        dcnn_info("loss  %s, for the %d number%s to predict (--loss says otherwise)", dcnn_loss_word(t->task.loss),
                  t->task.units, t->task.units == 1 ? "" : "s");
    if (from) {
        DCNN_TRY(dcnn_net_copy(from->net, &state->net));
        return t->task.values ? DCNN_OK /* it is the same data set */
                              : dcnn_dataset_adopt_classes(&t->data.set, from->class_count, from->class_names,
                                                           "the run's checkpoint");
    }
    dcnn_status status = dcnn_starting_net(o, &t->data.set, &t->task, state);
    if (status == DCNN_OK && !o->replace_head && !t->task.values && t->data.set.class_names &&
        state->class_count == t->data.set.class_count) /* check_fit() says more of another number */
        status = advise_head(t, dcnn_dataset_adopt_classes(&t->data.set, state->class_count, state->class_names,
                                                           o->weights ? o->weights : o->model));
    for (int i = 0; state->class_names && i < state->class_count; i++) free(state->class_names[i]);
    free(state->class_names);
    state->class_names = NULL;
    return status;
}

static dcnn_status open_data(dcnn_trainer *t, const dcnn_checkpoint *from, const dcnn_images *images, int classes) {
    DCNN_TRY(dcnn_training_data_open(t->comm, t->run->data, images, classes, &t->data));
    DCNN_TRY(dcnn_comm_agree(t->comm, take_net(t, from)));
    /* a model with weights is of a size that stays, as is one that goes on: the images follow it */
    const bool follows = images == NULL && (from || dcnn_has_weights(t->options->model));
    const dcnn_dataset *d = &t->data.set;
    const dcnn_shape takes = t->state.net->nodes[0].shape, as_they_are = {0};
    dcnn_status status = follows  ? dcnn_loader_can_fit(takes, "the model", d->h, d->w, d->c, d->path)
                         : images ? DCNN_OK
                                  : dcnn_net_check_shape(t->state.net, "the model", d->h, d->w, d->c, d->path);
    DCNN_TRY(dcnn_comm_agree(t->comm, status));
    return dcnn_training_data_load(t->comm, t->options->cache_bytes, follows ? takes : as_they_are, images, &t->data);
}

dcnn_status dcnn_trainer_open(dcnn_comm *comm, const dcnn_run *run, const dcnn_checkpoint *from,
                              const dcnn_train_options *options, const dcnn_images *images, int classes,
                              dcnn_trainer **trainer) {
    dcnn_trainer *t = *trainer = calloc(1, sizeof *t);
    DCNN_TRY(dcnn_comm_agree(comm, t ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a trainer")));
    t->comm = comm;
    t->options = options;
    t->run = run;
    t->saved = from != NULL;
    if (options->plain_sums) dcnn_comm_separate(comm);
    DCNN_TRY(open_data(t, from, images, classes));
    DCNN_TRY(dcnn_comm_agree(comm, set_up_local(t, from)));
    DCNN_TRY(take_features(t));
    DCNN_TRY(dcnn_loader_read_ahead(comm, &t->data.loader, &t->data.sampler, (int)options->grain, options->epochs));
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
    free(t->judged.statistics);
    free(t->state.history);
    json_decref(t->state.options);
    dcnn_training_data_close(t->comm, &t->data);
    free(t);
}

/* --- the rate ----------------------------------------------------------------------------------------------------- */

/* From what it was when patience was over. */
static double descent_rate(const dcnn_trainer *t) {
    const dcnn_progress *p = &t->state.progress;
    const int64_t steps = dcnn_sampler_steps(&t->data.sampler);
    return dcnn_ending_part(&t->ending, p, steps) *
           dcnn_schedule_rate(&t->options->schedule, t->options->optimizer.learning_rate,
                              (p->descent_epoch - p->phase_epoch) * steps, t->options->epochs - p->phase_epoch, steps);
}

/* Of the next step. */
static double rate_now(const dcnn_trainer *t) {
    const dcnn_progress *p = &t->state.progress;
    if (p->descent_epoch > 0) return descent_rate(t);
    return dcnn_schedule_rate(&t->options->schedule, dcnn_plateau_rate(p, t->options->optimizer.learning_rate),
                              p->step - p->phase_step, t->options->epochs - p->phase_epoch,
                              dcnn_sampler_steps(&t->data.sampler));
}

dcnn_status dcnn_trainer_write(const dcnn_trainer *t, const char *path, bool moments) {
    dcnn_checkpoint state = t->state;
    dcnn_optimizer optimizer = t->options->optimizer;
    const bool falls = t->options->schedule.kind == DCNN_SCHEDULE_PLATEAU; /* it has, since the last step */
    optimizer.learning_rate = t->last.rate > 0.0 && !falls ? t->last.rate : rate_now(t);
    if (!moments) state.m = state.v = state.average = NULL;
    return dcnn_checkpoint_write(path, &state, &optimizer);
}

const char *dcnn_trainer_advice(const dcnn_trainer *t, char text[256]) {
    const double usual = 1e4; /* bytes as they are reach 255 */
    const char *kept = t->saved ? "the last good checkpoint is kept" : "nothing had been saved yet";
    double most = 0.0;
    for (int c = 0; c < t->state.net->nodes[0].shape.c; c++)
        most = fmax(most, fmax(fabs(t->state.mean[c]), fabs(1.0 - t->state.mean[c])) / t->state.std[c]);
    if (most > usual)
        snprintf(text, 256, "%s; the model takes images with values up to %.2g: check --mean, --std and --scale", kept,
                 most);
    else if (t->state.progress.step == 0)
        snprintf(text, 256, "%s; no weight has changed, so those that it starts with are too large, or no numbers",
                 kept);
    else
        snprintf(text, 256, "%s; try a smaller --learning-rate", kept);
    return text;
}

/* --- a step ------------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_trainer_step(dcnn_trainer *t, bool goes_on, bool *stop) {
    dcnn_progress *p = &t->state.progress;
    const int64_t most = t->data.sampler.batch * t->data.sampler.accumulate, left = t->data.sampler.count - p->cursor;
    DCNN_TRY(dcnn_trace_step(t->trace, t->comm, t->pace.steps + 1));
    const double began_s = dcnn_now_s();
    t->last.samples = left < most ? left : most;
    t->last.rate = rate_now(t);
    const dcnn_epoch_feed feed = {.loader = &t->data.loader,
                                  .kernels = dcnn_engine_kernels(t->engine),
                                  .sampler = &t->data.sampler,
                                  .augment = t->options->augment ? &t->options->ranges : NULL,
                                  .scratch = t->data.scratch,
                                  .scratch_bytes = t->data.scratch_bytes,
                                  .epoch = (uint32_t)p->epoch,
                                  .cursor = p->cursor,
                                  .class_weights = t->data.class_weights};
    const dcnn_step step = {.samples = t->last.samples,
                            .number = p->step - p->phase_step + 1,
                            .epoch = (uint32_t)p->epoch,
                            .rate = t->last.rate,
                            .feed = dcnn_feed_of_epoch(&feed),
                            .goes_on = goes_on};
    dcnn_step_sums sums = {.loss = p->loss_sum, .correct = p->correct, .absolute = p->absolute_sum};
    dcnn_status status = dcnn_engine_step(t->engine, &step, &sums);
    if (status == DCNN_DIVERGED) {
        char what[128], advice[256];
        snprintf(what, sizeof what, "%s", dcnn_error());
        status = DCNN_FAIL(DCNN_DIVERGED, "%s in epoch %lld, step %lld: %s", what, (long long)p->epoch + 1,
                           (long long)p->step + 1, dcnn_trainer_advice(t, advice));
    }
    if (sums.stop != 0) t->last.stop_signal = sums.stop;
    *stop = sums.stop != 0;
    DCNN_TRY(status);
    p->loss_sum = sums.loss;
    p->correct = sums.correct;
    p->absolute_sum = sums.absolute;
    p->cursor += t->last.samples;
    p->step++;
    t->pace.steps++;
    t->pace.trained += t->last.samples;
    t->pace.train_s += dcnn_now_s() - began_s;
    return DCNN_OK;
}

dcnn_status dcnn_trainer_evaluate(dcnn_trainer *t, const int64_t *rows, int64_t count, dcnn_evaluation *evaluation) {
    dcnn_engine_settle(t->engine);
    const dcnn_rows_feed feed = {
        .loader = &t->data.loader, .kernels = dcnn_engine_kernels(t->engine), .rows = rows, .count = count};
    const dcnn_evaluation_options options = {.values = t->task.values, .on_grain = dcnn_watchdog_progress};
    return dcnn_evaluator_run(t->evaluator, count, dcnn_feed_of_rows(&feed), &options, evaluation);
}
