/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_predict.c — dcnn predict CHECKPOINT INPUT... */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/predict/answers.h"
#include "cli/predict/gather.h"
#include "cli/progress.h"
#include "cli/runs/spare.h"
#include "io/hdf5/hdf5_file.h"
#include "io/kind.h"
#include "io/output.h"

/* What all of it needs. */
typedef struct prediction {
    const dcnn_cli *cli;
    const dcnn_checkpoint *checkpoint;
    dcnn_answers *answers; /* on the rank that speaks */
    dcnn_gather_options how;
    dcnn_gathered gathered;      /* likewise */
    const dcnn_dataset *gathers; /* the data set that images are gathered of, or NULL */
    bool failed;                 /* in what all ranks do together: all know it */
    bool told;                   /* how bytes become input */
} prediction;

/* --- images in memory --------------------------------------------------------------------------------------------- */

/* How many there will be is not known before all are gathered. */
static void count_on(void *answers, int64_t done, int64_t count) {
    static char what[] = "predicting";
    const dcnn_answers *a = answers;
    dcnn_bar_count(what, a->count + done, a->count + count);
}

/* Predicts what rank 0 has gathered; nothing there means that there is no more of it for now. *Collective.* */
static dcnn_status predict_block(prediction *p) {
    const dcnn_shape takes = p->checkpoint->net->nodes[0].shape;
    const dcnn_options *o = p->cli->options;
    dcnn_gathered *from = &p->gathered;
    dcnn_images images = {.count = from->count, .h = takes.h, .w = takes.w, .c = takes.c, .pixels = from->pixels};
    dcnn_evaluation evaluation = {0};
    const dcnn_samples samples = {.images = p->cli->speaks ? &images : NULL,
                                  .input = o->train.input,
                                  .like = p->gathers,
                                  .told = p->told,
                                  .views = (int)o->views,
                                  .on_progress = count_on,
                                  .context = p->answers};
    dcnn_status status = dcnn_evaluate(p->cli->comm, p->checkpoint, &samples, (int)o->train.threads, true, &evaluation);
    if (status == DCNN_OK && p->cli->speaks)
        status = dcnn_answers_add(p->answers, &from->files, &from->ids, NULL, from->has_files, &evaluation);
    status = dcnn_comm_agree(p->cli->comm, status);
    dcnn_evaluation_free(&evaluation);
    dcnn_gathered_empty(from);
    p->told = true;
    p->failed = status != DCNN_OK;
    return status;
}

/* What rank 0 does with images once there are enough of them. The others stand in help(). */
static dcnn_status take_block(void *context, dcnn_gathered *gathered) {
    prediction *p = context;
    dcnn_comm_broadcast(p->cli->comm, &gathered->count, sizeof gathered->count);
    return predict_block(p);
}

/* The other ranks, until rank 0 has no more. */
static dcnn_status help(prediction *p) {
    for (;;) {
        int64_t count = 0;
        dcnn_comm_broadcast(p->cli->comm, &count, sizeof count);
        if (count == 0) return DCNN_OK;
        DCNN_TRY(predict_block(p));
    }
}

/* Rank 0 has done its part: the others leave help(), where they have not failed together. */
static dcnn_status end_help(prediction *p, dcnn_status status) {
    int64_t none = 0;
    if (!p->failed) dcnn_comm_broadcast(p->cli->comm, &none, sizeof none);
    return status;
}

/* Predicts what is left. *Collective.* */
static dcnn_status predict_rest(prediction *p) {
    if (!p->cli->speaks) return help(p);
    return end_help(p, p->gathered.count > 0 ? take_block(p, &p->gathered) : DCNN_OK);
}

/* On rank 0. One that is no good does not stop the others. */
static dcnn_status gather(prediction *p, const char *path) {
    const dcnn_status status = dcnn_gather(path, &p->how, &p->gathered);
    if (p->failed || status != DCNN_BAD_INPUT || p->cli->options->operand_count == 2) return status;
    dcnn_warn("%s", dcnn_error());
    p->gathered.bad++;
    return DCNN_OK;
}

static dcnn_status predict_images(prediction *p, const char *path) {
    const dcnn_status status = p->cli->speaks ? end_help(p, gather(p, path)) : help(p);
    return dcnn_comm_agree(p->cli->comm, status);
}

/* --- data sets ---------------------------------------------------------------------------------------------------- */

/* What a data set calls the images of a split. */
static dcnn_status name_images(const dcnn_dataset *dataset, const dcnn_split *split, dcnn_names *ids) {
    char **all;
    if (!dataset->has_ids) return DCNN_OK;
    DCNN_TRY(dcnn_dataset_read_ids(dataset, &all));
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0; status == DCNN_OK && i < split->count; i++)
        status = dcnn_names_add(ids, all[split->rows[i]], strlen(all[split->rows[i]]));
    dcnn_dataset_free_ids(dataset, all);
    return status;
}

/* Images as the model takes them: read where they lie, by all ranks. */
static dcnn_status predict_rows(prediction *p, const char *path, const dcnn_dataset *dataset, const dcnn_split *split) {
    const dcnn_options *o = p->cli->options;
    const dcnn_samples samples = {.dataset = dataset,
                                  .split = split,
                                  .unlabelled = true,
                                  .input = o->train.input,
                                  .cache_bytes = o->train.cache_bytes,
                                  .views = (int)o->views,
                                  .on_progress = dcnn_bar_count,
                                  .context = "predicting"};
    dcnn_evaluation evaluation = {0};
    dcnn_names ids = {0};
    dcnn_status status = dcnn_evaluate(p->cli->comm, p->checkpoint, &samples, (int)o->train.threads, true, &evaluation);
    if (status == DCNN_OK && p->cli->speaks) status = name_images(dataset, split, &ids);
    if (status == DCNN_OK && p->cli->speaks)
        status = dcnn_answers_add(p->answers, NULL, &ids, path, false, &evaluation);
    dcnn_names_free(&ids);
    dcnn_evaluation_free(&evaluation);
    return dcnn_comm_agree(p->cli->comm, status);
}

/* Images of another size, or to be inverted: rank 0 reads and changes them, as it does with files. */
static dcnn_status change_rows(prediction *p, const dcnn_dataset *dataset, const dcnn_split *split) {
    dcnn_status status;
    p->gathers = dataset;
    if (p->cli->speaks)
        status = end_help(p, dcnn_gather_dataset(dataset, split, &p->how, &p->gathered));
    else
        status = help(p);
    status = dcnn_comm_agree(p->cli->comm, status);
    if (status == DCNN_OK) status = predict_rest(p);
    p->gathers = NULL;
    return status;
}

static dcnn_status predict_dataset(prediction *p, const char *path) {
    const dcnn_options *o = p->cli->options;
    const dcnn_net *net = p->checkpoint->net;
    const dcnn_shape takes = net->nodes[0].shape;
    dcnn_dataset dataset = {0};
    const dcnn_split *split;
    dcnn_status status = dcnn_dataset_share(p->cli->comm, path, o->split ? o->split : "", &dataset, &split);
    if (status == DCNN_USAGE && o->split == NULL)
        status = DCNN_FAIL(DCNN_USAGE, "%s is a data set: name one of its splits, for example --split test", path);
    DCNN_TRY_DONE(status);
    /* a model without names answers by numbers, whatever the data set calls its classes, or some of them */
    char *const *names = p->checkpoint->class_names;
    const int count = net->class_count > 0 && names ? p->checkpoint->class_count : 0;
    const bool some = dataset.class_count < count && dcnn_classes_are_numbers(count, names);
    DCNN_TRY_DONE(
        dcnn_comm_agree(p->cli->comm, dcnn_dataset_adopt_classes(&dataset, some ? 0 : count, names, o->operands[0])));
    const bool fits = dataset.h == takes.h && dataset.w == takes.w && dataset.c == takes.c;
    status = fits && !o->invert ? predict_rows(p, path, &dataset, split) : change_rows(p, &dataset, split);
done:
    dcnn_dataset_free(&dataset);
    return status;
}

/* --- inputs ------------------------------------------------------------------------------------------------------- */

static int threads_of(const dcnn_cli *cli) {
    return cli->options->train.threads > 0 ? (int)cli->options->train.threads : dcnn_comm_cores(cli->comm);
}

/* How many images are in memory at a time: so many that every thread has several grains, and as a rule 64 MiB. Whole
 * grains, so that no answer depends on it. */
static int64_t most_of(const dcnn_cli *cli, dcnn_shape takes) {
    enum { USUAL_BYTES = 1 << 26, GRAINS_A_THREAD = 4 };
    const int64_t bytes = (int64_t)takes.h * takes.w * takes.c, given = cli->options->train.cache_bytes / 2;
    const int64_t grains = (given > 0 ? given : USUAL_BYTES) / bytes / DCNN_GRAIN;
    const int64_t least = given > 0 ? 1 : (int64_t)threads_of(cli) * dcnn_comm_size(cli->comm) * GRAINS_A_THREAD;
    return (grains < least ? least : grains) * DCNN_GRAIN;
}

static dcnn_status gather_options(prediction *p, const char *aside) {
    const dcnn_options *o = p->cli->options;
    const dcnn_shape takes = p->checkpoint->net->nodes[0].shape;
    p->how = (dcnn_gather_options){.wanted = {.h = takes.h, .w = takes.w, .channels = takes.c},
                                   .given = {o->shape[0], o->shape[1], o->shape[2]},
                                   .resize = o->resize,
                                   .invert = o->invert,
                                   .aside = aside,
                                   .most = most_of(p->cli, takes),
                                   .full = take_block,
                                   .context = p};
    DCNN_TRY(dcnn_fit_parse(o->fit, &p->how.wanted.fit));
    for (int c = 0; c < takes.c; c++) {
        p->how.mean += p->checkpoint->mean[c] / takes.c;
        p->how.std += p->checkpoint->std[c] / takes.c;
    }
    /* a mean of 0, or a deviation of one step of a byte, is how bytes are scaled, not what the images were like */
    p->how.like_training = p->checkpoint->normalised && p->how.mean != 0.0 && p->how.std > 1.001 / 255.0;
    return dcnn_color_parse(o->background ? o->background : "black", p->how.wanted.background);
}

static dcnn_status predict_all(prediction *p) {
    char aside[4096];
    p->answers->aside = dcnn_output_aside(p->cli->options->output, aside);
    dcnn_status status = gather_options(p, aside);
    if (status == DCNN_OK && p->cli->speaks) status = dcnn_thread_pool_create(threads_of(p->cli), &p->how.pool);
    status = dcnn_comm_agree(p->cli->comm, status);
    if (status != DCNN_OK) return status;
    if (p->cli->speaks) dcnn_bar_begin(p->cli->options->quiet, 0.5);
    for (int i = 1; i < p->cli->options->operand_count && status == DCNN_OK; i++) {
        const char *path = p->cli->options->operands[i];
        /* rank 0 looks, for images need to lie on its node only */
        dcnn_hdf5_content content;
        int is_dataset = p->cli->speaks && strcmp(path, "-") != 0 && dcnn_kind_of_file(path) == DCNN_KIND_HDF5 &&
                         (dcnn_hdf5_look(path, &content) != DCNN_OK || content == DCNN_HDF5_DATASET);
        dcnn_comm_broadcast(p->cli->comm, &is_dataset, sizeof is_dataset);
        if (is_dataset) status = predict_rest(p);
        if (status == DCNN_OK) status = is_dataset ? predict_dataset(p, path) : predict_images(p, path);
    }
    if (status == DCNN_OK && p->cli->speaks) dcnn_gather_tell(&p->gathered);
    if (status == DCNN_OK) status = predict_rest(p);
    p->answers->bad = p->gathered.bad;
    p->answers->aside = NULL;
    dcnn_bar_end();
    dcnn_thread_pool_free(p->how.pool);
    dcnn_gathered_free(&p->gathered);
    return status;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* A person asks about images, each by its name: neither a CSV nor its file is asked for. */
static bool is_for_people(const dcnn_cli *cli, const dcnn_answers *answers) {
    const dcnn_options *o = cli->options;
    return o->output == NULL && !dcnn_option_given(DCNN_COMMAND_PREDICT, "format", o) &&
           answers->count + answers->bad == o->operand_count - 1 && dcnn_answers_are_of_files(answers);
}

/* On rank 0: the others are told, then the bad ones counted. */
static dcnn_status tell_all(const dcnn_cli *cli, dcnn_answers *a) {
    if (a->count == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "no image could be read, so nothing is predicted");
    DCNN_TRY(dcnn_answers_write(a, cli->options->output, is_for_people(cli, a)));
    if (a->bad == 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%" PRId64 " of %" PRId64 " could not be read (named above); the others are done",
                     a->bad, a->bad + a->count);
}

/* The answers must not replace the model or what is asked about (the images of folders are looked at on the way), nor
 * what are no earlier answers: a network, a table with the true labels, notes. */
static dcnn_status check_output(const dcnn_options *o) {
    if (o->output == NULL) return DCNN_OK;
    DCNN_TRY(dcnn_spare_place(o->output, "-o", "predictions.csv"));
    const int64_t at = dcnn_output_among(o->output, o->operand_count, o->operands);
    const dcnn_kind_id there = dcnn_output_is_straight(o->output) ? DCNN_KIND_MISSING : dcnn_kind_of_file(o->output);
    if (at < 0 && o->force && (dcnn_kind_is_image(there) || dcnn_kind_is_foreign_image(there)))
        return DCNN_FAIL(DCNN_USAGE,
                         "%s: is %s, perhaps one that is asked about, and is not replaced, with --force either: name "
                         "another file with -o",
                         o->output, dcnn_kind_name(there));
    if (at < 0 && o->force) return DCNN_OK;
    if (at < 0)
        return dcnn_spare_others(o->output, "-o", "the predictions", dcnn_answers_are_in, "or replace it with --force");
    return DCNN_FAIL(DCNN_USAGE,
                     "%s: is the %s %s itself, which the predictions would replace: name another file with "
                     "-o",
                     dcnn_output_name(o->output), at == 0 ? "model" : "input", o->operands[at]);
}

dcnn_status dcnn_cmd_predict(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    dcnn_checkpoint checkpoint;
    dcnn_answers answers = {.header = strcmp(o->format, "kaggle") == 0 ? o->header : NULL};
    if (!answers.header && dcnn_option_given(DCNN_COMMAND_PREDICT, "header", o))
        return DCNN_FAIL(DCNN_USAGE, "--header names the columns of --format kaggle: give both");
    if (answers.header && (!strchr(answers.header, ',') || strchr(answers.header, ',') != strrchr(answers.header, ',')))
        return DCNN_FAIL(DCNN_USAGE, "--header %s: must be two names with a comma between them, as ImageId,Label",
                         answers.header);
    DCNN_TRY(dcnn_comm_agree(cli->comm, cli->speaks ? check_output(o) : DCNN_OK));
    answers.only_new = o->output && !o->force && access(o->output, F_OK) != 0;
    dcnn_status status = dcnn_checkpoint_share(cli->comm, o->operands[0], &checkpoint);
    if (status != DCNN_OK) goto done;
    const dcnn_net *net = checkpoint.net;
    answers.columns = dcnn_net_prediction_count(net);
    answers.numbers = net->class_count == 0;
    answers.labels = net->loss.kind == DCNN_LOSS_BINARY && net->output_count > 1;
    answers.names =
        answers.numbers || answers.labels ? dcnn_output_names(&checkpoint, NULL) : dcnn_class_names(&checkpoint, NULL);
    if (answers.header && (answers.numbers || answers.labels))
        DCNN_TRY_DONE(DCNN_FAIL(DCNN_USAGE, "--format kaggle is for classes; %s gives %s: --format csv has them",
                                o->operands[0], answers.numbers ? "numbers" : "labels"));
    prediction all = {.cli = cli, .checkpoint = &checkpoint, .answers = &answers};
    DCNN_TRY_DONE(predict_all(&all));
    status = dcnn_comm_agree(cli->comm, cli->speaks ? tell_all(cli, &answers) : DCNN_OK);
done:
    dcnn_answers_free(&answers);
    dcnn_checkpoint_free(&checkpoint);
    return status;
}
