/* SPDX-License-Identifier: BSD-3-Clause */
/* train.c — a training run: epochs, validation, saving, and the test of the best model. trainer.c has the step. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "nn/nets/receptive.h"
#include "run/catch_up.h"
#include "run/elastic.h"
#include "run/judged.h"
#include "run/record/run_folder.h"
#include "run/starting_net.h"
#include "run/record/run_record.h"
#include "guard/run_lock.h"
#include "guard/signals.h"
#include "guard/watchdog.h"

/* --- saving ----------------------------------------------------------------------------------------------------- */

static dcnn_status write_record(const dcnn_trainer *t) {
    return dcnn_run_record_write(
        t->run->folder,
        json_pack("{s:s, s:O?, s:I, s:i, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:O, s:I, s:f}", "dcnn", DCNN_VERSION,
                  "command", t->options->command, "step", (json_int_t)t->state.progress.step, "ranks",
                  dcnn_comm_size(t->comm), "nodes", dcnn_comm_node_count(t->comm), "threads",
                  dcnn_thread_pool_size(dcnn_engine_pool(t->engine)), "kernels", dcnn_engine_kernels(t->engine)->isa,
                  "mpi", dcnn_comm_version(), "openblas", dcnn_blas_version(), "openblas_core", dcnn_blas_core(),
                  "data", t->data.set.path, "options", t->options->record, "step_samples",
                  (json_int_t)(t->data.sampler.batch * t->data.sampler.accumulate), "peak_learning_rate",
                  t->options->optimizer.learning_rate));
}

/* A step may end with a finite loss and weights that are not: they must not replace the last good checkpoint. */
static dcnn_status check_finite(const dcnn_trainer *t) {
    const dcnn_net *net = t->state.net;
    bool finite = true;
    for (size_t i = 0; i < net->param_count; i++)
        finite = finite && isfinite(net->params[i]) && isfinite(t->state.v[i]);
    for (size_t i = 0; i < net->state_count; i++) finite = finite && isfinite(net->state[i]);
    if (finite) return DCNN_OK;
    char advice[256];
    return DCNN_FAIL(DCNN_DIVERGED, "the weights became infinite or not a number by step %lld: %s",
                     (long long)t->state.progress.step, dcnn_trainer_advice(t, advice));
}

/* A process that stood still for so long that another one took its run over must not write there any more. */
static dcnn_status check_lock(const dcnn_trainer *t) {
    if (t->run->lock == NULL || !dcnn_run_lock_lost(t->run->lock)) return DCNN_OK;
    if (access(t->run->folder, F_OK) != 0 && errno == ENOENT)
        return DCNN_FAIL(DCNN_FAILURE,
                         "%s: the run's folder is gone, removed or renamed: this training stops; what it "
                         "had written is where that folder went",
                         t->run->folder);
    return DCNN_FAIL(DCNN_FAILURE, "%s: another training has taken this run over: this one stops and writes nothing",
                     t->run->folder);
}

/* best.h5: what the epoch was judged by. */
static dcnn_status save_best(dcnn_trainer *t) {
    dcnn_status status = DCNN_OK;
    dcnn_trainer_exchange(t);
    if (dcnn_comm_rank(t->comm) == 0) {
        char *path = dcnn_path_join(t->run->folder, DCNN_RUN_BEST);
        dcnn_watchdog_work(true);
        status = check_lock(t);
        if (status == DCNN_OK)
            status = path ? dcnn_trainer_write(t, path, false) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
        dcnn_watchdog_work(false);
        free(path);
    }
    status = dcnn_comm_agree(t->comm, status);
    dcnn_trainer_exchange(t);
    return status;
}

/* Rank 0 writes for all: the state is the same everywhere. */
static dcnn_status save(dcnn_trainer *t) {
    dcnn_engine_settle(t->engine);
    DCNN_TRY(check_finite(t));
    dcnn_status status = dcnn_history_append_steps(&t->state.history, t->notes.count, t->notes.steps);
    t->notes.count = 0;
    t->state.progress.elapsed_s = dcnn_now_s() - t->pace.started_s;
    if (dcnn_comm_rank(t->comm) == 0 && status == DCNN_OK) {
        char *path = dcnn_checkpoint_path(t->run->folder, t->state.progress.step);
        dcnn_watchdog_work(true);
        status = check_lock(t);
        if (status == DCNN_OK)
            status = path ? dcnn_trainer_write(t, path, true) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
        free(path);
        if (status == DCNN_OK) status = dcnn_history_write(t->run->folder, t->state.history);
        if (status == DCNN_OK) dcnn_checkpoint_prune(t->run->folder, (int)t->options->keep);
        if (status == DCNN_OK && t->options->on_save) t->options->on_save(t->options->context);
        dcnn_watchdog_work(false);
    }
    status = dcnn_comm_agree(t->comm, status);
    t->saved = t->saved || status == DCNN_OK;
    return status;
}

/* Replicas that drift apart would do so unseen: compare with rank 0 once an epoch. */
static dcnn_status check_replicas(dcnn_trainer *t) {
    const uint64_t mine = dcnn_weights_hash(t->state.net);
    uint64_t first = mine;
    dcnn_comm_broadcast(t->comm, &first, sizeof first);
    dcnn_status status = DCNN_OK;
    if (first != mine)
        status = DCNN_FAIL(
            DCNN_FAILURE,
            "the weights of rank %d differ from those of rank 0 at step %lld: a machine computes wrong results",
            dcnn_comm_rank(t->comm), (long long)t->state.progress.step);
    return dcnn_comm_agree(t->comm, status);
}

/* --- epochs ----------------------------------------------------------------------------------------------------- */

/* Of each sample, those that are right or wrong: several labels, or one answer. */
static int64_t answers_of(const dcnn_trainer *t) {
    return dcnn_loss_answers(&t->state.net->loss, t->state.net->output_count, t->task.values);
}

static void begin_epoch(dcnn_trainer *t) {
    t->pace.began_s = dcnn_now_s();
    t->pace.began_train_s = t->pace.train_s;
    t->pace.began_trained = t->pace.trained;
}

/* Of the epoch's steps, those of this start. */
static double epoch_speed(const dcnn_trainer *t) {
    const double seconds = t->pace.train_s - t->pace.began_train_s;
    return seconds > 0 ? (double)(t->pace.trained - t->pace.began_trained) / seconds : 0.0;
}

/* Where the epoch's time went: the mean over all threads, for a job's first rank may have less to do than others. */
static void take_phases(dcnn_trainer *t, double phases_s[DCNN_PHASE_COUNT]) {
    const double unit_s = 1e-9;
    int64_t sums[DCNN_PHASE_COUNT];
    dcnn_engine_phases(t->engine, phases_s);
    dcnn_engine_forget_times(t->engine);
    for (int i = 0; i < DCNN_PHASE_COUNT; i++) sums[i] = llround(phases_s[i] / unit_s);
    dcnn_comm_add_integers(t->comm, sums, DCNN_PHASE_COUNT);
    for (int i = 0; i < DCNN_PHASE_COUNT; i++) phases_s[i] = unit_s * (double)sums[i] / dcnn_comm_size(t->comm);
}

/* The time that threads have waited for images, the mean over all of them. */
static double take_stall(dcnn_trainer *t) {
    int64_t sums[2] = {llround(1e9 * dcnn_loader_stall_s(&t->data.loader)),
                       dcnn_thread_pool_size(dcnn_engine_pool(t->engine))};
    dcnn_comm_add_integers(t->comm, sums, 2);
    return 1e-9 * (double)sums[0] / (double)sums[1];
}

static dcnn_monitor plateau_monitor(const dcnn_trainer *t) {
    const dcnn_split *split = dcnn_dataset_split(&t->data.set, "validation");
    return dcnn_plateau_monitor(&t->options->plateau, split && split->count > 0);
}

static bool lower_rate(dcnn_trainer *t, const dcnn_epoch_metrics *metrics) {
    return t->options->schedule.kind == DCNN_SCHEDULE_PLATEAU &&
           dcnn_plateau_take(&t->options->plateau, plateau_monitor(t), t->options->optimizer.learning_rate, metrics,
                             &t->state.progress);
}

/* After the last step of an epoch: validation, metrics, the best so far, a checkpoint, a line. */
static dcnn_status end_epoch(dcnn_trainer *t) {
    dcnn_progress *p = &t->state.progress;
    const dcnn_split *split = dcnn_dataset_split(&t->data.set, "validation");
    dcnn_evaluation validation = {0};
    dcnn_engine_settle(t->engine);
    if (t->options->histograms)
        DCNN_TRY(dcnn_history_append_histograms(&t->state.history, p->epoch + 1, t->state.net,
                                                dcnn_engine_gradient(t->engine), 1.0 / (double)t->last.samples));
    const double trained_s = dcnn_now_s();
    DCNN_TRY(dcnn_trainer_judge(t));
    if (split) DCNN_TRY(dcnn_trainer_evaluate(t, split->rows, split->count, &validation));
    const double validation_s = dcnn_now_s() - trained_s;
    DCNN_TRY(check_replicas(t));
    if (dcnn_comm_rank(t->comm) == 0) dcnn_loader_warn_of_changes(&t->data.loader);
    dcnn_trainer_exchange(t);
    const dcnn_label_scores labels = dcnn_label_sum(validation.label_count, validation.labels);
    const bool numbers = t->state.net->class_count == 0, many = t->state.net->class_count > DCNN_TOP;
    dcnn_epoch_metrics metrics = {.epoch = p->epoch + 1,
                                  .steps = p->step,
                                  .loss = p->loss_sum / (double)t->data.sampler.count,
                                  .correct = p->correct,
                                  .count = t->data.sampler.count * answers_of(t),
                                  .validation_loss = validation.loss,
                                  .validation_correct = validation.correct,
                                  .validation_count = validation.count * validation.answers,
                                  .numbers = numbers,
                                  .absolute = p->absolute_sum / (double)t->data.sampler.count,
                                  .validation_absolute = validation.absolute,
                                  .labels = validation.label_count > 0,
                                  .validation_precision = dcnn_label_precision(&labels),
                                  .validation_recall = dcnn_label_recall(&labels),
                                  .validation_auc = validation.auc,
                                  .many = many && t->state.net->loss.kind == DCNN_LOSS_CATEGORICAL,
                                  .validation_top = validation.top,
                                  .seconds = dcnn_now_s() - t->pace.began_s,
                                  .validation_s = validation_s,
                                  .images_per_s = epoch_speed(t)};
    take_phases(t, metrics.phases_s);
    metrics.stall_s = take_stall(t);
    dcnn_evaluation_free(&validation);
    DCNN_TRY(dcnn_history_append(&t->state.history, &metrics));
    const dcnn_monitor monitor = dcnn_monitor_for(t->options->monitor, t->state.net);
    const bool better = dcnn_monitor_take(monitor, &metrics, p);
    if (p->epoch == p->phase_epoch && !dcnn_monitor_is_number(monitor, &metrics))
        dcnn_warn(
            "%s is not a number after epoch %lld: an epoch where it is one counts as better, and among the others "
            "the one of less loss",
            dcnn_monitor_names[monitor], (long long)p->epoch + 1);
    p->epoch++;
    p->cursor = 0;
    p->loss_sum = 0.0;
    p->correct = 0;
    p->absolute_sum = 0.0;
    const bool descends = dcnn_ending_descend(&t->ending, p), lowered = lower_rate(t, &metrics);
    dcnn_status status = save(t);
    if (status == DCNN_OK && better) status = save_best(t);
    char *line = dcnn_epoch_line(&metrics, t->options->epochs);
    if (line && t->options->on_epoch) t->options->on_epoch(t->options->context, line);
    free(line);
    if (descends)
        dcnn_info("rate  no better epoch for %lld: it falls to 0 over %lld more, from %.3g",
                  (long long)t->ending.patience, (long long)t->ending.patience, t->last.rate);
    if (lowered)
        dcnn_info("rate  no better %s for %lld epoch%s: %.3g from here on", dcnn_monitor_names[plateau_monitor(t)],
                  (long long)t->options->plateau.patience, t->options->plateau.patience == 1 ? "" : "s",
                  p->plateau_rate);
    return status == DCNN_OK ? dcnn_trainer_remember(t) : status;
}

static dcnn_status stop_here(dcnn_trainer *t) {
    char word[DCNN_SHELL_WORD];
    DCNN_TRY(save(t));
    return DCNN_FAIL(DCNN_STOPPED, "stopped by %s after step %lld, saved: go on with --resume --run %s",
                     t->last.stop_signal ? dcnn_signal_name(t->last.stop_signal) : "--stop-after",
                     (long long)t->state.progress.step, dcnn_shell_word(t->run->folder, word, sizeof word));
}

/* Keeps the metrics of the step just done, if it is one of those to be logged. */
static void note_step(dcnn_trainer *t, const dcnn_progress *before) {
    const dcnn_progress *p = &t->state.progress;
    const bool numbers = t->state.net->class_count == 0;
    const double answers = (double)(t->last.samples * answers_of(t));
    const double absolute = (p->absolute_sum - before->absolute_sum) / (double)t->last.samples;
    if (t->options->log_every == 0 || p->step % t->options->log_every != 0) return;
    t->notes.steps[t->notes.count++] = (dcnn_step_metrics){
        .epoch = p->epoch + 1,
        .step = p->step,
        .numbers = numbers,
        .loss = (p->loss_sum - before->loss_sum) / (double)t->last.samples,
        .accuracy = numbers ? absolute : (double)(p->correct - before->correct) / answers,
        .learning_rate = t->last.rate,
        .wall_time = dcnn_wall_time(),
    };
}

static void tell_step(const dcnn_trainer *t) {
    const dcnn_progress *p = &t->state.progress;
    const int64_t batch = t->data.sampler.batch * t->data.sampler.accumulate, count = t->data.sampler.count;
    if (t->options->on_step == NULL || dcnn_comm_rank(t->comm) != 0) return;
    const double images_per_s = epoch_speed(t);
    const dcnn_train_step_report report = {
        .epoch = p->epoch + 1,
        .epochs = t->options->epochs,
        .step = (p->cursor + batch - 1) / batch,
        .steps = dcnn_sampler_steps(&t->data.sampler),
        .images_per_s = images_per_s,
        .loss = p->loss_sum / (double)p->cursor,
        .accuracy = t->state.net->class_count == 0 ? -1.0 : (double)p->correct / (double)(p->cursor * answers_of(t)),
        .left_s = images_per_s > 0 ? (double)(count - p->cursor) / images_per_s : -1.0,
    };
    t->options->on_step(t->options->context, &report);
}

/* Does another step follow the next one at once? A signal may stop it all the same. */
static bool goes_on(const dcnn_trainer *t) {
    const dcnn_progress *p = &t->state.progress;
    const int64_t batch = t->data.sampler.batch * t->data.sampler.accumulate, every = t->options->checkpoint_every;
    const bool saves = every > 0 && (p->step + 1) % every == 0;
    const bool stops = t->options->stop_after > 0 && t->pace.steps + 1 >= t->options->stop_after;
    return p->cursor + batch < t->data.sampler.count && !saves && !stops;
}

static dcnn_status run_epoch(dcnn_trainer *t) {
    dcnn_progress *p = &t->state.progress;
    begin_epoch(t);
    while (p->cursor < t->data.sampler.count) {
        bool stop = false;
        const dcnn_progress before = *p;
        DCNN_TRY(dcnn_trainer_step(t, goes_on(t), &stop));
        note_step(t, &before);
        DCNN_TRY(dcnn_trainer_remember(t));
        dcnn_watchdog_step(p->step);
        tell_step(t);
        stop = stop || (t->options->stop_after > 0 && t->pace.steps >= t->options->stop_after);
        const bool last = p->cursor >= t->data.sampler.count;
        if (stop && !last) return stop_here(t);
        if (stop) {
            DCNN_TRY(end_epoch(t));
            return dcnn_ending_is_here(&t->ending, p) && t->options->next == NULL ? DCNN_OK : stop_here(t);
        }
        if (!last && t->options->checkpoint_every > 0 && p->step % t->options->checkpoint_every == 0) DCNN_TRY(save(t));
    }
    return end_epoch(t);
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

/* What the best model comes to on a split; all 0 if there is none. */
typedef struct tested {
    int64_t correct, count;
    double loss, absolute;
} tested;

/* Does the net in training have the best epoch's layers to train, so that its weights fit? Not where that was of an
 * earlier phase; what was computed of frozen layers is then not of the best's either (data/features.h). */
static bool is_of_this_phase(const dcnn_trainer *t, const dcnn_checkpoint *best) {
    return best->progress.phase == t->state.progress.phase && best->net->param_count == t->state.net->param_count &&
           best->net->state_count == t->state.net->state_count;
}

/* Puts the best epoch's weights in the net. */
static void take_best(dcnn_trainer *t, const dcnn_net *best) {
    if (dcnn_comm_domain_rank(t->comm) == 0)
        memcpy(t->state.net->params, best->params, best->param_count * sizeof(float));
    dcnn_comm_domain_barrier(t->comm);
    memcpy(t->state.net->state, best->state, best->state_count * sizeof(float));
}

/* By the net in training, or by `best` itself if that is given. */
static dcnn_status test_split(dcnn_trainer *t, const dcnn_checkpoint *best, const char *name, tested *result) {
    const dcnn_split *split = dcnn_dataset_split(&t->data.set, name);
    if (split == NULL) return DCNN_OK;
    dcnn_evaluation evaluation;
    const dcnn_samples samples = {
        .dataset = &t->data.set, .split = split, .cache_bytes = t->options->cache_bytes, .told = true};
    DCNN_TRY(best ? dcnn_evaluate(t->comm, best, &samples, (int)t->options->threads, false, &evaluation)
                  : dcnn_trainer_evaluate(t, split->rows, split->count, &evaluation));
    *result = (tested){evaluation.correct, evaluation.count * evaluation.answers, evaluation.loss, evaluation.absolute};
    dcnn_evaluation_free(&evaluation);
    return DCNN_OK;
}

/* Counts the best epoch's hits on what it has never seen. */
static dcnn_status test_best(dcnn_trainer *t, dcnn_train_result *result) {
    char *path = dcnn_path_join(t->run->folder, DCNN_RUN_BEST);
    dcnn_checkpoint best = {0};
    tested test = {0}, official = {0};
    dcnn_status status = path ? dcnn_checkpoint_read(path, &best) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    free(path);
    status = dcnn_comm_agree(t->comm, status);
    const bool fits = status == DCNN_OK && is_of_this_phase(t, &best);
    if (fits) take_best(t, best.net);
    if (status == DCNN_OK) status = test_split(t, fits ? NULL : &best, "test", &test);
    if (status == DCNN_OK) status = test_split(t, fits ? NULL : &best, "official-test", &official);
    result->test_correct = test.correct;
    result->test_count = test.count;
    result->test_loss = test.loss;
    result->test_absolute = test.absolute;
    result->official_correct = official.correct;
    result->official_count = official.count;
    result->official_loss = official.loss;
    result->official_absolute = official.absolute;
    dcnn_checkpoint_free(&best);
    return status;
}

static void note_best(const dcnn_trainer *t, dcnn_train_result *result) {
    const dcnn_split *split = dcnn_dataset_split(&t->data.set, "validation");
    const dcnn_monitor monitor = dcnn_monitor_for(t->options->monitor, t->state.net);
    const bool validates = dcnn_monitor_validates(monitor);
    const int64_t count = !validates ? t->data.sampler.count : split ? split->count : 0;
    result->numbers = t->state.net->class_count == 0;
    result->best_correct = t->state.progress.best_correct;
    result->best_loss = t->state.progress.best_loss;
    result->best_value = dcnn_monitor_best(monitor, &t->state.progress);
    result->best_count = count * answers_of(t);
    result->best_validates = validates;
}

/* 507274 -> "507,274", for people. */
static const char *grouped(int64_t value, char text[32]) {
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

/* What products are made of, or could be. */
static const char *precision_text(const dcnn_net *net, dcnn_isa isa) {
    if (dcnn_net_has_bf16(net)) return ", products of bf16";
    return isa == DCNN_ISA_AMX ? "; this CPU's AMX is idle: --precision bf16 uses it" : "";
}

static void tell_model(const dcnn_net *net, dcnn_isa isa) {
    int64_t trainable = 0;
    char weights[32], work[32];
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++)
            if (net->nodes[i].params[j].trainable) trainable += (int64_t)net->nodes[i].params[j].count;
    dcnn_info("model %s: %s trainable parameters in %d layers, %s multiply-adds per image%s", net->name,
              grouped(trainable, weights), net->node_count - 1, grouped(dcnn_net_multiply_adds(net, -1), work),
              precision_text(net, isa));
    if (dcnn_net_has_bf16(net) && isa != DCNN_ISA_AMX && isa != DCNN_ISA_AVX512_BF16)
        dcnn_info("bf16  is slower than fp32 here: %s", dcnn_isa_best() == DCNN_ISA_AMX
                                                            ? "not all ranks have AMX"
                                                            : "this CPU has no AMX, or may not use it");
}

/* Where not all layers are trained: which, and what that saves. */
static void tell_frozen(const dcnn_net *net, const dcnn_plan *plan) {
    int frozen = 0, layers = 0, first = -1;
    for (int i = 0; i < net->node_count; i++) {
        if (net->nodes[i].param_count == 0) continue;
        layers++;
        frozen += !net->nodes[i].trainable;
        if (first < 0 && net->nodes[i].trainable) first = i;
    }
    if (frozen == 0 || first < 0) return;
    dcnn_info("train %d of %d layers with weights, from '%s' on: gradients of %d of %d operation%s", layers - frozen,
              layers, net->nodes[first].name, dcnn_plan_backward_count(plan), dcnn_plan_op_count(plan),
              dcnn_plan_op_count(plan) == 1 ? "" : "s");
}

/* Of several runs the first one speaks for all. @return what is to be added to its words, or NULL: be silent */
static const char *speak_for_all(const dcnn_train_options *options, bool *told) {
    if (!options->of_several) return "";
    if (*told) return NULL;
    *told = true;
    return "; told of the first such run only";
}

/* What lies outside cannot matter, however it is trained. */
static void warn_of_unread(const dcnn_trainer *t) {
    static bool told;
    dcnn_receptive r;
    if (dcnn_net_receptive(t->state.net, &r) != DCNN_OK || dcnn_receptive_part(&r) >= dcnn_receptive_little) return;
    const char *more = speak_for_all(t->options, &told);
    if (more == NULL) return;
    dcnn_warn(
        "the network reads %dx%d of the images' %dx%d pixels (%.0f %%: rows %d to %d, columns %d to %d), and what "
        "lies outside cannot count: padding \"same\", or a wider window in its last pooling, reads more "
        "(--recipe best)%s",
        r.bottom - r.top, r.right - r.left, r.h, r.w, 100.0 * dcnn_receptive_part(&r), r.top, r.bottom - 1, r.left,
        r.right - 1, more);
}

/* Moving averages that will not have arrived when the run ends: validation is then far worse than training. Those of
 * a model with weights have. */
static void warn_of_averages(const dcnn_trainer *t) {
    static bool told;
    const double momentum = dcnn_net_momentum(t->state.net);
    const int64_t steps = t->options->epochs * dcnn_sampler_steps(&t->data.sampler);
    if (t->options->exact_statistics || t->state.average) return;
    if (pow(momentum, (double)steps) <= dcnn_averages_missing) return;
    const char *more = speak_for_all(t->options, &told);
    if (more == NULL) return;
    char advice[48] = "";
    if (dcnn_momentum_for(steps) < momentum)
        snprintf(advice, sizeof advice, "--bn-momentum %g, ", dcnn_momentum_for(steps));
    dcnn_warn(
        "BatchNormalization's moving averages (momentum %g) will not catch up with the weights in this run's few "
        "steps (%lld), so validation will be worse than training: give --exact-statistics, %sa smaller --batch-size "
        "or more --epochs%s",
        momentum, (long long)steps, advice, more);
}

/* Patience with what is never measured would be endless. */
static dcnn_status check_monitor(const dcnn_trainer *t) {
    const dcnn_split *split = dcnn_dataset_split(&t->data.set, "validation");
    const dcnn_monitor monitor = dcnn_monitor_for(t->options->monitor, t->state.net);
    if (t->options->schedule.kind == DCNN_SCHEDULE_PLATEAU) {
        DCNN_TRY(dcnn_monitor_check(plateau_monitor(t), t->state.net));
        if (dcnn_monitor_validates(plateau_monitor(t)) && !(split && split->count > 0))
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s has no split 'validation' for --plateau monitor=%s: give monitor=loss",
                             t->data.set.path, dcnn_monitor_names[plateau_monitor(t)]);
    }
    if (t->options->patience == 0 || !dcnn_monitor_validates(monitor) || (split && split->count > 0)) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s has no split 'validation' for --patience to watch: --monitor loss",
                     t->data.set.path);
}

/* What a run tells and writes before the first step of a start. */
static dcnn_status begin_run(const dcnn_trainer *t) {
    DCNN_TRY(dcnn_comm_agree(t->comm, dcnn_phases_check(t->state.net, t->options)));
    DCNN_TRY(check_monitor(t));
    DCNN_TRY(dcnn_comm_agree(t->comm, dcnn_comm_rank(t->comm) == 0 ? dcnn_run_clear(t->run) : DCNN_OK));
    DCNN_TRY(dcnn_comm_agree(t->comm, dcnn_comm_rank(t->comm) == 0 ? write_record(t) : DCNN_OK));
    if (t->state.progress.step == 0) warn_of_unread(t);
    if (t->options->exact_statistics && t->state.net->loss_stage == 0)
        dcnn_info("norm  no layer has statistics of batches: there is nothing for --exact-statistics to make anew");
    if (t->state.progress.step == 0 && !dcnn_has_weights(t->options->model)) warn_of_averages(t);
    dcnn_signals_catch();
    const int64_t left_s = dcnn_signals_watch_deadline(t->options->end_margin_s);
    if (left_s >= 0) dcnn_info("time  stopping in %lld s, before the job's time runs out", (long long)left_s);
    return DCNN_OK;
}

/* All but the test, which is of the last phase. */
static dcnn_status end_phase(dcnn_trainer *t, dcnn_train_result *result) {
    DCNN_TRY(dcnn_trace_step(t->trace, t->comm, INT64_MAX)); /* if there were few */
    result->epochs = t->state.progress.epoch;
    result->stopped_early = result->epochs < t->options->epochs;
    result->steps = t->state.progress.step;
    result->best_epoch = t->state.progress.best_epoch;
    note_best(t, result);
    result->images_per_s = t->pace.train_s > 0 ? (double)t->pace.trained / t->pace.train_s : 0.0;
    result->elapsed_s = dcnn_now_s() - t->pace.started_s;
    result->weights_hash = dcnn_weights_hash(t->state.net);
    return DCNN_OK;
}

/* One phase, or what is left of it. `steps` counts those of this start. */
static dcnn_status run_phase(dcnn_comm *comm, const dcnn_run *run, const dcnn_checkpoint *from,
                             const dcnn_train_options *options, bool first, int64_t *steps, dcnn_train_result *result) {
    dcnn_trainer *t;
    dcnn_status status;
    dcnn_watchdog_work(true);
    DCNN_TRY_DONE(dcnn_trainer_open(comm, run, from, options, NULL, 0, &t));
    dcnn_watchdog_step(t->state.progress.step);
    dcnn_watchdog_work(false);
    tell_model(t->state.net, dcnn_comm_isa(comm));
    tell_frozen(t->state.net, dcnn_engine_plan(t->engine));
    t->pace.steps = *steps;
    if (first) DCNN_TRY_DONE(begin_run(t));
    if (first && from) DCNN_TRY_DONE(dcnn_trainer_catch_up(t));
    t->pace.started_s = dcnn_now_s() - t->state.progress.elapsed_s;
    while (!dcnn_ending_is_here(&t->ending, &t->state.progress)) {
        status = run_epoch(t);
        while (status != DCNN_OK && dcnn_comm_is_broken(comm)) status = dcnn_trainer_go_on(&t);
        DCNN_TRY_DONE(status);
    }
    DCNN_TRY_DONE(end_phase(t, result));
    *steps = t->pace.steps;
    if (options->next) goto done;
    DCNN_TRY_DONE(test_best(t, result));
    status = dcnn_comm_agree(comm, dcnn_comm_rank(comm) == 0 ? dcnn_run_result_write(run->folder, result) : DCNN_OK);
done:
    dcnn_trainer_close(t);
    return status;
}

dcnn_status dcnn_train(dcnn_comm *comm, const dcnn_run *run, const dcnn_checkpoint *from,
                       const dcnn_train_options *options, dcnn_train_result *result) {
    dcnn_checkpoint own = {0}; /* where a later phase starts */
    int64_t phase = from ? from->progress.phase : 0, steps = 0;
    dcnn_status status = DCNN_OK;
    *result = (dcnn_train_result){0};
    const dcnn_train_options *next = options;
    for (int64_t i = 0; i < phase && next; i++) next = next->next;
    if (next == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: it is in phase %lld, but names fewer (--then); use another copy",
                         run->checkpoint, (long long)phase + 1);
    for (bool first = true; next; next = next->next, first = false) {
        dcnn_train_options now = *next;
        if (!first) {
            now.trace = NULL; /* it has been written */
            status = dcnn_phase_begin(run->folder, result->steps, next, &own);
            DCNN_TRY_DONE(dcnn_comm_agree(comm, status));
            from = &own;
            dcnn_info("phase %lld, after epoch %lld: the optimizer starts anew", (long long)own.progress.phase + 1,
                      (long long)own.progress.epoch);
        }
        now.epochs += from ? from->progress.phase_epoch : 0;
        DCNN_TRY_DONE(run_phase(comm, run, from, &now, first, &steps, result));
        from = NULL;
        dcnn_checkpoint_free(&own);
        own = (dcnn_checkpoint){0};
    }
done:
    dcnn_checkpoint_free(&own);
    return status;
}
