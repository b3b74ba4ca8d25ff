/* SPDX-License-Identifier: BSD-3-Clause */
/* ensemble.c — see ensemble.h. */
#include "cli/runs/ensemble.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/runs/side.h"
#include "cli/runs/start.h"
#include "nn/nets/ensemble.h"
#include "run/record/run_folder.h"
#include "run/record/run_record.h"

enum { MOST_MEMBERS = DCNN_MAX_INPUTS };

static void member_folder(const dcnn_run *run, int number, char path[4096]) {
    snprintf(path, 4096, "%s/" DCNN_RUN_MEMBER "%d", run->folder, number + 1);
}

static dcnn_status train_member(dcnn_cli *part, int number, void *context) {
    const dcnn_run *run = context;
    char folder[4096];
    dcnn_train_result result;
    member_folder(run, number, folder);
    part->options->train.seed += (uint64_t)number;
    part->options->ensemble = 0;
    DCNN_TRY(dcnn_train_quietly(part, run->data, folder, &result));
    if (part->speaks && result.best_count > 0) {
        char text[96];
        fprintf(stderr, "member %d: seed %" PRIu64 ", best epoch %" PRId64 ", %s accuracy %s\n", number + 1,
                part->options->train.seed, result.best_epoch, result.best_validates ? "validation" : "training",
                dcnn_accuracy_text(result.best_correct, result.best_count, text));
    }
    return DCNN_OK;
}

/* --- one model of them all ---------------------------------------------------------------------------------------- */

static dcnn_status join(dcnn_checkpoint *members, int count, const char *path) {
    const dcnn_net *nets[MOST_MEMBERS];
    dcnn_checkpoint joined = members[0];
    for (int k = 0; k < count; k++) nets[k] = members[k].net;
    DCNN_TRY(dcnn_ensemble_create(count, nets, &joined.net));
    joined.m = joined.v = joined.average = NULL;
    joined.history = NULL;
    const dcnn_status status = dcnn_checkpoint_write(path, &joined, NULL);
    dcnn_net_free(joined.net);
    return status;
}

static dcnn_status join_members(const dcnn_run *run, int count, const char *path) {
    dcnn_checkpoint members[MOST_MEMBERS] = {{0}};
    dcnn_status status = DCNN_OK;
    for (int k = 0; k < count && status == DCNN_OK; k++) {
        char folder[4096];
        member_folder(run, k, folder);
        char *best = dcnn_path_join(folder, DCNN_RUN_BEST);
        status = best ? dcnn_checkpoint_read(best, &members[k]) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
        free(best);
    }
    if (status == DCNN_OK) status = join(members, count, path);
    for (int k = 0; k < count; k++) dcnn_checkpoint_free(&members[k]);
    return status;
}

/* --- its test ----------------------------------------------------------------------------------------------------- */

static dcnn_status test_on(const dcnn_cli *cli, const dcnn_checkpoint *model, const dcnn_dataset *dataset,
                           const char *split, int64_t *correct, int64_t *count) {
    char text[2][96];
    dcnn_number number;
    dcnn_evaluation e = {0};
    const dcnn_samples samples = {.dataset = dataset,
                                  .split = dcnn_dataset_split(dataset, split),
                                  .cache_bytes = cli->options->train.cache_bytes};
    if (samples.split == NULL || samples.split->count == 0) return DCNN_OK;
    DCNN_TRY(dcnn_evaluate(cli->comm, model, &samples, (int)cli->options->train.threads, true, &e));
    int64_t disagreed = 0;
    for (int64_t i = 0; e.disagreement && i < e.count; i++) disagreed += e.disagreement[i] > 0.0f;
    if (cli->speaks)
        printf("%s accuracy %s, by vote %s; members disagree on %s\n", split,
               dcnn_accuracy_text(e.correct, e.count, text[0]), dcnn_accuracy_text(e.vote_correct, e.count, text[1]),
               dcnn_number_text(disagreed, &number));
    *correct = e.correct;
    *count = e.count;
    dcnn_evaluation_free(&e);
    return DCNN_OK;
}

static dcnn_status test(const dcnn_cli *cli, const dcnn_run *run, const char *path, dcnn_train_result *result) {
    dcnn_checkpoint model = {0};
    dcnn_dataset dataset = {0};
    const dcnn_split *split;
    dcnn_status status = dcnn_checkpoint_share(cli->comm, path, &model);
    if (status == DCNN_OK) status = dcnn_dataset_share(cli->comm, run->data, "train", &dataset, &split);
    if (status == DCNN_OK)
        status = dcnn_comm_agree(cli->comm,
                                 dcnn_dataset_adopt_classes(&dataset, model.class_count, model.class_names, path));
    if (status == DCNN_OK)
        status = test_on(cli, &model, &dataset, "validation", &result->best_correct, &result->best_count);
    if (status == DCNN_OK) status = test_on(cli, &model, &dataset, "test", &result->test_correct, &result->test_count);
    if (status == DCNN_OK)
        status = test_on(cli, &model, &dataset, "official-test", &result->official_correct, &result->official_count);
    result->best_validates = true;
    result->epochs = cli->options->train.epochs;
    result->weights_hash = model.net ? dcnn_weights_hash(model.net) : 0;
    dcnn_dataset_free(&dataset);
    dcnn_checkpoint_free(&model);
    return status;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* What the user has said of data and options: members that a later start begins choose the rest as these do. */
static json_t *names_given(const dcnn_options *options) {
    json_t *names = json_array();
    for (int i = 0; i < dcnn_option_count; i++)
        if (dcnn_option_given(DCNN_COMMAND_TRAIN, dcnn_option_table[i].name, options))
            json_array_append_new(names, json_string(dcnn_option_table[i].name));
    return names;
}

static dcnn_status write_record(const dcnn_cli *cli, const dcnn_run *run) {
    return dcnn_run_record_write(run->folder,
                                 json_pack("{s:s, s:O?, s:i, s:I, s:s, s:b, s:o, s:o}", "dcnn", DCNN_VERSION, "command",
                                           cli->command, "ranks", dcnn_comm_size(cli->comm), "ensemble",
                                           (json_int_t)cli->options->ensemble, "data", run->data, "own_data",
                                           cli->options->operand_count > 0, "given", names_given(cli->options),
                                           "options", dcnn_options_record(DCNN_COMMAND_TRAIN, cli->options)));
}

dcnn_status dcnn_ensemble_take_up(const json_t *record, dcnn_run *run, dcnn_options *options) {
    const json_t *name;
    size_t i;
    if (json_integer_value(json_object_get(record, "ensemble")) == 0) return DCNN_OK;
    DCNN_TRY(dcnn_options_resume(DCNN_COMMAND_TRAIN, json_object_get(record, "options"), options));
    json_array_foreach(json_object_get(record, "given"), i, name) {
        const char *text = json_string_value(name);
        const dcnn_option *option = text ? dcnn_option_find(DCNN_COMMAND_TRAIN, text) : NULL;
        /* members that go on need no model: theirs is in their checkpoints */
        if (option && strcmp(text, "model") != 0) options->given[option - dcnn_option_table] = true;
    }
    if (options->operand_count == 0 && json_is_true(json_object_get(record, "own_data"))) {
        options->operands = &run->data;
        options->operand_count = 1;
    }
    return DCNN_OK;
}

/* Can members begin, and be joined once they are trained? */
static dcnn_status check_start(const dcnn_cli *cli, const dcnn_run *run) {
    dcnn_checkpoint state = {0};
    dcnn_dataset data = {0};
    dcnn_status status = dcnn_dataset_open(run->data, &data);
    if (status == DCNN_OK) status = dcnn_start_net(cli->options, cli->options->train.model, &data, &state);
    if (status == DCNN_OK) status = dcnn_ensemble_can_take(state.net);
    dcnn_checkpoint_free(&state);
    dcnn_dataset_free(&data);
    return status;
}

/* On rank 0. */
static dcnn_status begin(const dcnn_cli *cli, const dcnn_run *run) {
    if (run->replaces || !cli->options->resume) DCNN_TRY(check_start(cli, run));
    DCNN_TRY(dcnn_run_clear(run));
    return write_record(cli, run);
}

dcnn_status dcnn_train_ensemble(dcnn_cli *cli, const dcnn_run *run) {
    const int count = (int)cli->options->ensemble, ranks = dcnn_comm_size(cli->comm);
    dcnn_train_result result = {0};
    if (count < 2) return DCNN_FAIL(DCNN_USAGE, "--ensemble %d: give 2 networks or more", count);
    if (cli->options->train.elastic)
        return DCNN_FAIL(DCNN_USAGE, "--ensemble and --elastic do not go together: leave out --elastic");
    DCNN_TRY(dcnn_comm_agree(cli->comm, dcnn_comm_rank(cli->comm) == 0 ? begin(cli, run) : DCNN_OK));
    char *checkpoints = dcnn_path_join(run->folder, DCNN_RUN_CHECKPOINTS); /* only members have some */
    if (checkpoints && dcnn_comm_rank(cli->comm) == 0) rmdir(checkpoints);
    free(checkpoints);
    dcnn_info("run   %s: %d networks on %d rank%s, %d at a time", run->folder, count, ranks, ranks == 1 ? "" : "s",
              count < ranks ? count : ranks);
    dcnn_comm_call(cli->job, DCNN_CALL_WATCH);
    DCNN_TRY(dcnn_cli_watch(cli, run->folder));
    DCNN_TRY(dcnn_side_by_side(cli, count, train_member, (void *)(uintptr_t)run));
    char *path = dcnn_path_join(run->folder, DCNN_RUN_BEST);
    dcnn_status status = path ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    if (status == DCNN_OK && dcnn_comm_rank(cli->comm) == 0) status = join_members(run, count, path);
    status = dcnn_comm_agree(cli->comm, status);
    if (status == DCNN_OK) status = test(cli, run, path, &result);
    if (status == DCNN_OK && dcnn_comm_rank(cli->comm) == 0) status = dcnn_run_result_write(run->folder, &result);
    status = dcnn_comm_agree(cli->comm, status);
    if (status == DCNN_OK && cli->speaks)
        printf("weights hash %016" PRIx64 " of " DCNN_RUN_BEST "\n%s: " DCNN_RUN_BEST
               ", one model of %d; member-1 to member-%d\n",
               result.weights_hash, run->folder, count, count);
    free(path);
    return status;
}
