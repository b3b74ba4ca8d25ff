/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_train.c — dcnn train [DATA.h5] */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "cli/runs/ensemble.h"
#include "cli/runs/side.h"
#include "cli/runs/spare.h"
#include "cli/settings/phases.h"
#include "cli/settings/recipes.h"
#include "cli/settings/train_settings.h"
#include "cli/cli.h"
#include "io/kind.h"
#include "cli/progress.h"
#include "cli/settings/data_settings.h"
#include "guard/run_lock.h"
#include "guard/signals.h"
#include "guard/watchdog.h"
#include "report/report.h"
#include "run/data/class_weights.h"
#include "run/record/run_folder.h"
#include "run/record/run_record.h"
#include "run/record/trace.h"
#include "run/starting_net.h"

/* What the training tells of itself, and to whom. */
typedef struct narrator {
    dcnn_cli *cli;
    dcnn_run *run;
} narrator;

static void tell_epoch(void *context, const char *line) {
    (void)context;
    dcnn_info("%s", line);
}

static void tell_tensorboard(void *context) {
    const narrator *n = context;
    if (!n->cli->options->tensorboard || !dcnn_report_is_built()) return;
    char before[1024]; /* the trainer may be about to tell of a failure of its own */
    snprintf(before, sizeof before, "%s", dcnn_error());
    if (dcnn_run_events(n->run->folder) != DCNN_OK) dcnn_warn("no TensorBoard file: %s", dcnn_error());
    dcnn_error_set(before);
}

/* Called by another thread of a process that ends: one write, no locks. */
static void tell_last(const char *line) {
    char text[4096];
    const int length = snprintf(text, sizeof text, "dcnn: %s\n", line);
    const size_t there = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    if (write(STDERR_FILENO, text, there) < 0) return;
}

static void tell_step(void *context, const dcnn_train_step_report *report) {
    (void)context;
    const dcnn_bar bar = {"epoch",      report->epoch,    report->epochs,
                          report->step, report->steps,    report->images_per_s,
                          report->loss, report->accuracy, report->left_s};
    dcnn_bar_draw(&bar);
}

/* Ranks were lost: whoever is rank 0 now speaks, and holds the run's folder. */
static void take_rank(void *context, int rank) {
    const narrator *n = context;
    if (rank != 0 || n->run->lock) return;
    dcnn_cli_speak(n->cli);
    if (dcnn_run_lock_take(n->run->folder, &n->run->lock) != DCNN_OK) dcnn_warn("%s", dcnn_error());
}

/* An image that cannot be drawn is no failure of a training that is done. */
static void draw_report(const dcnn_cli *cli, const dcnn_run *run) {
    char word[DCNN_SHELL_WORD];
    if (!cli->options->report) return;
    if (!dcnn_report_is_built()) {
        dcnn_info("no report and no TensorBoard file: this dcnn was built without them (-DDCNN_REPORT=OFF)");
        return;
    }
    dcnn_watchdog_work(true);
    if (dcnn_run_report(cli, run->folder, run->data, NULL) != DCNN_OK)
        dcnn_warn("no report: %s; try again: dcnn report %s", dcnn_error(),
                  dcnn_shell_word(run->folder, word, sizeof word));
    else if (cli->speaks)
        printf("%s/" DCNN_RUN_PAGE ", " DCNN_RUN_FIGURES "/\n", run->folder);
    dcnn_watchdog_work(false);
}

/* Of a run that goes on: that there is nothing left to do, or that another --epochs gives another learning rate. */
static void tell_going_on(const dcnn_cli *cli, const dcnn_run *run, const dcnn_checkpoint *from,
                          const dcnn_split *train) {
    const dcnn_options *o = cli->options;
    char text[512], word[DCNN_SHELL_WORD];
    if (from->progress.phase > 0 || o->then.count > 0) return; /* its phases are told one by one */
    if (from->progress.epoch >= o->train.epochs && from->progress.cursor == 0)
        dcnn_info(
            "run   %s is complete (%" PRId64 " epoch%s): nothing is left to train; to continue: dcnn train --run %s "
            "--resume --epochs %" PRId64,
            run->folder, from->progress.epoch, from->progress.epoch == 1 ? "" : "s",
            dcnn_shell_word(run->folder, word, sizeof word), dcnn_train_settings_more_epochs(from->progress.epoch));
    else if (train && dcnn_train_settings_rate_moves(o, from, train->count, text))
        dcnn_info("rate  %s", text);
}

/* What --then asks for, and what of it is done. */
static void tell_phases(const dcnn_options *o, const dcnn_checkpoint *from) {
    dcnn_phases phases;
    char text[512];
    if (o->then.count == 0 || dcnn_phases_read(o, &phases) != DCNN_OK) return; /* the training says why */
    for (int i = 0; i < phases.count; i++)
        dcnn_info("then  %s: %" PRId64 " epoch%s, %s; the optimizer starts anew, as when Keras compiles again",
                  o->then.text[i], phases.options[i].train.epochs, phases.options[i].train.epochs == 1 ? "" : "s",
                  dcnn_train_settings_text(&phases.options[i], text));
    if (from)
        dcnn_info("phase %" PRId64 " of %d is where the run goes on, with epoch %" PRId64, from->progress.phase + 1,
                  phases.count + 1, from->progress.epoch + 1);
    dcnn_phases_free(&phases);
}

/* What a user wants to see before the first epoch is over. Trouble with the data set is dcnn_train()'s to tell. */
static void tell_start(const dcnn_cli *cli, const dcnn_run *run, const dcnn_checkpoint *from,
                       const dcnn_dataset *dataset, const dcnn_data_facts *facts) {
    const int ranks = dcnn_comm_size(cli->job), nodes = dcnn_comm_node_count(cli->job);
    const int workers = dcnn_comm_size(cli->comm);
    const int threads = cli->options->train.threads > 0 ? (int)cli->options->train.threads : dcnn_comm_cores(cli->comm);
    char text[512], at_work[64] = "";
    if (workers < ranks) snprintf(at_work, sizeof at_work, ", %d of them working, one per core", workers);
    dcnn_info("dcnn " DCNN_VERSION ": %d rank%s x %d thread%s on %d node%s%s, %s kernels, OpenBLAS %s", ranks,
              ranks == 1 ? "" : "s", threads, threads == 1 ? "" : "s", nodes, nodes == 1 ? "" : "s", at_work,
              dcnn_isa_name(dcnn_comm_isa(cli->comm)), dcnn_blas_core());
    if (dataset) {
        dcnn_dataset_text(dataset, text);
        dcnn_info("data  %s: %s", run->data, text);
    }
    if (from)
        dcnn_info("run   %s, going on from %s (step %" PRId64 ")", run->folder, run->checkpoint, from->progress.step);
    else
        dcnn_info("run   %s", run->folder);
    char recipe[640];
    if (dcnn_recipe_text(cli->options, recipe)) dcnn_info("recipe %s", recipe);
    dcnn_info("step  %s", dcnn_train_settings_text(cli->options, text));
    tell_phases(cli->options, from);
    if (cli->options->train.augment && dataset && dcnn_data_settings_text(facts, cli->options, text)[0])
        dcnn_info("vary  %s", text);
    const dcnn_schedule schedule = dcnn_train_settings_schedule(cli->options);
    if (cli->options->train.patience > 0 && schedule.kind == DCNN_SCHEDULE_ONE_CYCLE)
        dcnn_info(
            "rate  %s falls over all %" PRId64
            " epochs, so a run that stops early ends at a higher rate; with cosine or constant it does not matter",
            dcnn_schedule_names[schedule.kind], cli->options->train.epochs);
    const int64_t epochs = cli->options->train.epochs, patience = cli->options->train.patience;
    if (patience > 0 && schedule.kind == DCNN_SCHEDULE_COSINE && epochs > 2 * patience + 1)
        dcnn_info("rate  cosine over %" PRId64 " epochs; once %" PRId64
                  " %s passed without a better one it falls to 0 in %" PRId64 " more, and the run ends",
                  epochs, patience, patience == 1 ? "has" : "have", patience);
    else if (patience > 0 && schedule.kind == DCNN_SCHEDULE_COSINE)
        dcnn_info("rate  cosine over %" PRId64 " epoch%s: too few for --patience %" PRId64
                  " to end the run (from %" PRId64 " on it can)",
                  epochs, epochs == 1 ? "" : "s", patience, 2 * patience + 2);
    if (dataset && from) tell_going_on(cli, run, from, dcnn_dataset_split(dataset, "train"));
    const dcnn_split *train = dataset ? dcnn_dataset_split(dataset, "train") : NULL;
    if (train && cli->options->train.batch_size > train->count &&
        dcnn_option_given(DCNN_COMMAND_TRAIN, "batch-size", cli->options))
        dcnn_warn("--batch-size %" PRId64 ": there are %" PRId64
                  " training images, so an epoch is one step of all of them",
                  cli->options->train.batch_size, train->count);
    if (dcnn_train_settings_idle(cli->options, workers, threads, text)) dcnn_warn("%s", text);
}

static void print_numbers(const char *what, double loss, double absolute, int64_t count) {
    dcnn_number number;
    if (count > 0)
        printf("%s loss %.6g, mean absolute error %.6g (of %s images)\n", what, loss, absolute,
               dcnn_number_text(count, &number));
}

static void print_split(const char *what, int64_t correct, int64_t count) {
    char text[96];
    if (count > 0) printf("%s accuracy %s\n", what, dcnn_accuracy_text(correct, count, text));
}

static void print_result(const dcnn_run *run, const dcnn_train_result *result) {
    dcnn_number number;
    printf("best epoch %" PRId64 " of %" PRId64 "%s\n", result->best_epoch, result->epochs,
           result->stopped_early ? ", stopped early; best.h5 is that epoch's" : "");
    if (result->numbers) {
        print_numbers("test", result->test_loss, result->test_absolute, result->test_count);
        print_numbers("official test", result->official_loss, result->official_absolute, result->official_count);
    } else {
        print_split("test", result->test_correct, result->test_count);
        print_split("official test", result->official_correct, result->official_count);
    }
    if (result->images_per_s > 0.0)
        printf("%s images/s in training, %.1f s in all\n",
               dcnn_number_text((int64_t)(result->images_per_s + 0.5), &number), result->elapsed_s);
    printf("weights hash %016" PRIx64 " after the last step; " DCNN_RUN_BEST " has the best epoch's\n",
           result->weights_hash);
    printf("%s: " DCNN_RUN_BEST ", " DCNN_RUN_CHECKPOINTS "/, " DCNN_RUN_CSV ", " DCNN_RUN_METRICS ", " DCNN_RUN_RECORD
           "\n",
           run->folder);
}

/* --- going on --------------------------------------------------------------------------------------------------- */

/* ... and what each phase has frozen and unfrozen. */
static dcnn_status edit_by_phases(const dcnn_options *options, int64_t phase, dcnn_net **net) {
    dcnn_phases phases;
    DCNN_TRY(dcnn_phases_read(options, &phases));
    dcnn_status status = DCNN_OK;
    for (int i = 0; i < phase && i < phases.count && status == DCNN_OK; i++) {
        const dcnn_options *o = &phases.options[i];
        const dcnn_net_edit edit = {.freeze = {o->freeze.count, o->freeze.text},
                                    .unfreeze = {o->unfreeze.count, o->unfreeze.text},
                                    .freeze_below = o->train.freeze_below,
                                    .train_last = (int)o->train.train_last};
        status = dcnn_net_edit_apply(&edit, net);
        if (status == DCNN_OK && o->train.bn_momentum > 0) dcnn_net_set_momentum(*net, o->train.bn_momentum);
    }
    dcnn_phases_free(&phases);
    return status;
}

/* The layers of the model that is given, changed as the options say; a Keras JSON is completed by building it. */
static dcnn_status read_model(const dcnn_options *options, const dcnn_net *own, int64_t phase, json_t **described) {
    const char *path = options->train.model;
    dcnn_net *net;
    char crops[256];
    const char *activation =
        own->loss.kind == DCNN_LOSS_CATEGORICAL ? NULL : dcnn_activation_name(dcnn_net_output_activation(own));
    dcnn_status status = dcnn_net_of_file(path, own->nodes[0].shape, own->output_count, activation, &net);
    const dcnn_net_edit edit = {.freeze = {options->freeze.count, options->freeze.text},
                                .unfreeze = {options->unfreeze.count, options->unfreeze.text},
                                .freeze_below = options->train.freeze_below,
                                .train_last = (int)options->train.train_last,
                                .head_units = options->train.replace_head ? own->output_count : 0,
                                .head_numbers = own->class_count == 0,
                                .head_labels = own->loss.kind == DCNN_LOSS_BINARY};
    if (status == DCNN_OK) status = dcnn_net_edit_apply(&edit, &net);
    if (status == DCNN_OK && options->train.bn_momentum > 0) dcnn_net_set_momentum(net, options->train.bn_momentum);
    /* a run of an older dcnn has no Resizing behind its RandomCrop */
    if (status == DCNN_OK && !dcnn_net_crops(own, crops)) status = dcnn_net_settle_crops(&net);
    if (status == DCNN_OK) status = edit_by_phases(options, phase, &net);
    if (status == DCNN_OK && options->train.precision)
        dcnn_net_set_bf16(net, strcmp(options->train.precision, "bf16") == 0);
    if (status == DCNN_OK) *described = dcnn_net_describe(net);
    dcnn_net_free(net);
    return status;
}

/* A --model given to a resumed run must be that of its checkpoint, by content, wherever the file is now. */
static dcnn_status check_same_model(const dcnn_options *options, const dcnn_run *run, const dcnn_checkpoint *from) {
    json_t *given = NULL, *own = dcnn_net_describe(from->net);
    dcnn_status status = read_model(options, from->net, from->progress.phase, &given);
    const json_t *given_layers = json_object_get(json_object_get(given, "config"), "layers");
    const json_t *own_layers = json_object_get(json_object_get(own, "config"), "layers");
    if (status == DCNN_OK && !json_equal(given_layers, own_layers))
        status = DCNN_FAIL(DCNN_BAD_INPUT,
                           "%s is a checkpoint of another model than %s: leave out --model to go on, or start another "
                           "run (--run, --overwrite)",
                           run->checkpoint, options->train.model);
    json_decref(given);
    json_decref(own);
    return status;
}

static dcnn_status take_up(const dcnn_cli *cli, const dcnn_run *run, dcnn_checkpoint *from) {
    dcnn_options *options = cli->options;
    DCNN_TRY(dcnn_checkpoint_share(cli->comm, run->checkpoint, from));
    dcnn_status status = DCNN_OK;
    if (options->ensemble > 0) /* an ensemble's own folder has no checkpoint */
        status =
            DCNN_FAIL(DCNN_USAGE,
                      "%s holds a single training, not an ensemble: leave out --ensemble to go on with it, or name "
                      "another folder (--run)",
                      run->folder);
    if (status == DCNN_OK) status = dcnn_options_resume(DCNN_COMMAND_TRAIN, from->options, options);
    if (status == DCNN_BAD_INPUT) dcnn_error_prefix("%s", run->checkpoint);
    if (status == DCNN_OK && from->progress.phase > 0 && dcnn_option_given(DCNN_COMMAND_TRAIN, "epochs", options) &&
        options->train.epochs != json_integer_value(json_object_get(from->options, "epochs")))
        status = DCNN_FAIL(DCNN_USAGE,
                           "--epochs %" PRId64 " is of the first phase, which is over (the run is in phase %" PRId64
                           "): leave it out to go on",
                           options->train.epochs, from->progress.phase + 1);
    /* once the run's own --freeze, --precision and so on are known: they are in the checkpoint's model */
    if (status == DCNN_OK && dcnn_option_given(DCNN_COMMAND_TRAIN, "model", options))
        status = check_same_model(options, run, from);
    if (status == DCNN_OK && options->train.weights && cli->speaks)
        dcnn_info("--weights %s: not read, since the run goes on from its checkpoint", options->train.weights);
    return dcnn_comm_agree(cli->comm, status);
}

/* --- training --------------------------------------------------------------------------------------------------- */

static dcnn_train_options train_options(const dcnn_options *o) {
    dcnn_train_options options = o->train;
    options.freeze = (dcnn_patterns){o->freeze.count, o->freeze.text};
    options.unfreeze = (dcnn_patterns){o->unfreeze.count, o->unfreeze.text};
    options.rates = (dcnn_patterns){o->learning_rate_of.count, o->learning_rate_of.text};
    options.optimizer = dcnn_train_settings_optimizer(o);
    options.schedule = dcnn_train_settings_schedule(o);
    options.shuffle = dcnn_train_settings_shuffle(o);
    options.monitor = (dcnn_monitor)dcnn_word_find(dcnn_monitor_names, DCNN_MONITOR_COUNT, o->monitor);
    options.plateau = dcnn_train_settings_plateau(o);
    options.undecayed = (dcnn_patterns){o->undecayed.count, o->undecayed.text};
    options.on_epoch = tell_epoch;
    options.on_save = tell_tensorboard;
    options.on_step = tell_step;
    options.on_rank = take_rank;
    return options;
}

dcnn_status dcnn_cli_watch(const dcnn_cli *cli, const char *folder) {
    const dcnn_options *o = cli->options;
    dcnn_signals_share(dcnn_comm_signal(cli->job));
    return dcnn_watchdog_start(cli->job, (double)o->timeout, o->train.elastic, folder, tell_last);
}

/* What the data are like decides what nobody has said; all ranks come to the same. */
static dcnn_status suit_and_tell(dcnn_cli *cli, const dcnn_run *run, const dcnn_checkpoint *from) {
    dcnn_dataset dataset;
    const dcnn_status opening = cli->speaks ? dcnn_dataset_reopen(run->data, &dataset) : DCNN_OK;
    const bool opened = cli->speaks && opening == DCNN_OK;
    DCNN_TRY(dcnn_comm_agree(cli->comm, opening)); /* before anything is told of a run that cannot be */
    const dcnn_data_facts facts = dcnn_data_facts_share(cli->comm, opened ? &dataset : NULL, cli->options->train.loss,
                                                        cli->options->train.oversample);
    const int64_t usual = cli->options->train.batch_size;
    const int64_t usual_steps = dcnn_data_facts_epoch_steps(&facts, cli->options);
    const bool shrunk = from == NULL && dcnn_data_settings_shrink(&facts, cli->options);
    const bool momentum = from == NULL && dcnn_data_settings_apply(&facts, cli->options);
    const bool grown = from == NULL && dcnn_data_settings_grow(&facts, cli->options);
    dcnn_status status = dcnn_data_settings_check(&facts, cli->options);
    if (cli->speaks && status == DCNN_OK) tell_start(cli, run, from, opened ? &dataset : NULL, &facts);
    if (cli->speaks && status == DCNN_OK && shrunk)
        dcnn_info("batch %" PRId64 " images a step, because the usual %" PRId64 " would make %" PRId64
                  " step%s an epoch of so few images; --batch-size sets another",
                  cli->options->train.batch_size, usual, usual_steps, usual_steps == 1 ? "" : "s");
    if (cli->speaks && status == DCNN_OK && grown)
        dcnn_info("rate  chosen for steps this large: --lr-scale sqrt --warmup %g; --lr-scale none leaves the "
                  "rate alone",
                  cli->options->warmup);
    if (cli->speaks && status == DCNN_OK && momentum)
        dcnn_info("norm  BatchNormalization with momentum %g, because this run has few steps (%" PRId64
                  "); --bn-momentum sets another",
                  cli->options->train.bn_momentum, dcnn_data_facts_steps(&facts, cli->options));
    if (opened) dcnn_dataset_free(&dataset);
    return status;
}

/* The training itself, once it is known what is to be done. `alone`: nothing else runs in this job. */
static dcnn_status run_training(dcnn_cli *cli, dcnn_run *run, const dcnn_checkpoint *from, bool alone,
                                dcnn_train_result *result) {
    json_t *record = dcnn_options_record(DCNN_COMMAND_TRAIN, cli->options);
    dcnn_train_options phases[1 + DCNN_LIST_TEXTS], *const options = phases;
    narrator told = {cli, run};
    dcnn_phases later = {0};
    dcnn_status status = dcnn_phases_read(cli->options, &later);
    DCNN_TRY_DONE(dcnn_comm_agree(cli->comm, status));
    for (int i = 0; i <= later.count; i++) {
        phases[i] = train_options(i > 0 ? &later.options[i - 1] : cli->options);
        phases[i].record = record;
        phases[i].command = cli->command;
        phases[i].context = &told;
        phases[i].next = i < later.count ? &phases[i + 1] : NULL;
    }
    status = record ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: the record of options");
    DCNN_TRY_DONE(dcnn_comm_agree(cli->comm, status));
    if (options->elastic) DCNN_TRY_DONE(dcnn_comm_agree(cli->comm, dcnn_comm_make_elastic(cli->comm)));
    if (cli->speaks && alone) dcnn_bar_begin(cli->options->quiet, 0.0);
    if (alone) dcnn_comm_call(cli->job, DCNN_CALL_WATCH);
    if (alone) DCNN_TRY_DONE(dcnn_cli_watch(cli, run->folder));
    status = dcnn_train(cli->comm, run, from, options, result);
done:
    dcnn_phases_free(&later);
    json_decref(record);
    return status;
}

static dcnn_status train(dcnn_cli *cli, dcnn_run *run, const dcnn_checkpoint *from) {
    dcnn_train_result result;
    DCNN_TRY(suit_and_tell(cli, run, from));
    DCNN_TRY(run_training(cli, run, from, true, &result));
    dcnn_bar_end();
    if (cli->speaks) print_result(run, &result);
    draw_report(cli, run);
    return DCNN_OK;
}

dcnn_status dcnn_train_quietly(dcnn_cli *part, const char *data, const char *folder, dcnn_train_result *result) {
    dcnn_run run;
    dcnn_checkpoint from = {0};
    const bool anew = part->options->overwrite;
    DCNN_TRY(dcnn_run_open(part->comm, data, folder, !anew, anew, &run));
    dcnn_status status = run.checkpoint ? take_up(part, &run, &from) : DCNN_OK;
    if (status == DCNN_OK) status = suit_and_tell(part, &run, run.checkpoint ? &from : NULL);
    if (status == DCNN_OK) status = run_training(part, &run, run.checkpoint ? &from : NULL, false, result);
    dcnn_checkpoint_free(&from);
    dcnn_run_free(&run);
    return status;
}

/* Images as they came, where a data set is wanted: before a run's folder is made for them. */
static dcnn_status check_prepared(const char *data) {
    char *record = data ? dcnn_path_join(data, DCNN_RUN_RECORD) : NULL;
    const bool is_run = record && access(record, F_OK) == 0;
    char word[DCNN_SHELL_WORD];
    free(record);
    if (is_run)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a run, not a data set; to go on with it: dcnn train --run %s --resume",
                         data, dcnn_shell_word(data, word, sizeof word));
    const dcnn_kind_id kind = data ? dcnn_kind_of_file(data) : DCNN_KIND_HDF5;
    if (kind == DCNN_KIND_HDF5 || kind == DCNN_KIND_MISSING || kind == DCNN_KIND_UNKNOWN || kind == DCNN_KIND_EMPTY)
        return DCNN_OK; /* opening it says more */
    return dcnn_kind_fail(data, kind, "a data set");
}

/* Without a checkpoint a run begins anew; an ensemble's own folder never has one, and its record says how it was
 * started. The options point into *record and `run`. */
static dcnn_status take_up_record(dcnn_cli *cli, dcnn_run *run, json_t **record) {
    bool damaged;
    const dcnn_status status = dcnn_run_record_read(run->folder, record, &damaged);
    if (!damaged) DCNN_TRY(status); /* what is damaged is told when the record is written anew */
    if (*record && json_object_get(*record, "ensemble") == NULL)
        dcnn_info(
            "%s has no checkpoint yet: the run begins anew with the options of this command; run.json has those it "
            "was begun with",
            run->folder);
    return dcnn_ensemble_take_up(*record, run, cli->options);
}

static dcnn_status check_options(const dcnn_options *o) {
    dcnn_phases phases;
    DCNN_TRY(dcnn_train_settings_check(o));
    DCNN_TRY(dcnn_phases_read(o, &phases));
    dcnn_phases_free(&phases);
    if (o->then.count > 0 && o->ensemble > 0)
        return DCNN_FAIL(DCNN_USAGE, "--then is not for an --ensemble: give only one of them");
    return DCNN_OK;
}

static dcnn_status open_and_train(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    dcnn_run run;
    dcnn_checkpoint from = {0};
    json_t *record = NULL;
    if (!o->resume) DCNN_TRY(check_options(o)); /* else once the run's own options are known */
    const char *data = o->operand_count > 0 ? o->operands[0] : NULL;
    DCNN_TRY(dcnn_comm_agree(cli->comm, check_prepared(data)));
    DCNN_TRY(dcnn_run_open(cli->comm, data, o->run, o->resume, o->overwrite, &run));
    dcnn_status status = dcnn_comm_agree(cli->comm, cli->speaks ? dcnn_spare_for_trace(o, &run) : DCNN_OK);
    DCNN_TRY_DONE(status);
    if (run.checkpoint) DCNN_TRY_DONE(take_up(cli, &run, &from));
    if (o->resume && run.checkpoint == NULL)
        DCNN_TRY_DONE(dcnn_comm_agree(cli->comm, take_up_record(cli, &run, &record)));
    if (o->resume && run.checkpoint == NULL) DCNN_TRY_DONE(check_options(o));
    if (o->ensemble > 0) {
        DCNN_TRY_DONE(dcnn_train_ensemble(cli, &run));
        draw_report(cli, &run);
        goto done;
    }
    status = train(cli, &run, run.checkpoint ? &from : NULL);
done:
    dcnn_checkpoint_free(&from);
    dcnn_run_free(&run);
    json_decref(record);
    return status;
}

/* What a file says is read here and recorded with the run, which then needs the file no more. */
static dcnn_status read_weights(dcnn_options *o, char **weights) {
    if (o->train.class_weight) DCNN_TRY(dcnn_class_weights_read(o->train.class_weight, weights));
    if (o->train.class_weight) o->train.class_weight = *weights;
    return DCNN_OK;
}

dcnn_status dcnn_cmd_train(dcnn_cli *cli) {
    dcnn_options *o = cli->options;
    char *weights = NULL;
    dcnn_recipe_words words;
    if (o->resume && o->overwrite)
        return DCNN_FAIL(DCNN_USAGE, "--resume goes on with a run, --overwrite removes it: give only one of them");
    dcnn_status status = dcnn_comm_agree(cli->comm, dcnn_recipe_apply(o, &words));
    if (status == DCNN_OK) dcnn_train_settings_defaults(o);
    if (status == DCNN_OK) status = dcnn_comm_agree(cli->comm, cli->speaks ? dcnn_spare_for_trace(o, NULL) : DCNN_OK);
    if (status == DCNN_OK) status = dcnn_comm_agree(cli->comm, read_weights(o, &weights));
    if (status == DCNN_OK) status = open_and_train(cli);
    free(weights);
    dcnn_recipe_words_free(&words);
    return status;
}
