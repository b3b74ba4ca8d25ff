/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_evaluate.c — dcnn evaluate CHECKPOINT [DATA.h5] */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "report/classification.h"

typedef struct result {
    const char *model, *data, *split;
    const dcnn_evaluation *evaluation;
    const char *const *names;
} result;

static int64_t disagreed_on(const dcnn_evaluation *e) {
    int64_t count = 0;
    for (int64_t i = 0; e->disagreement && i < e->count; i++) count += e->disagreement[i] > 0.0f;
    return count;
}

/* Of an ensemble, or of several views of each image. */
static void print_votes(const dcnn_evaluation *e) {
    char text[96];
    dcnn_number number, of;
    if (e->voters < 2) return;
    printf("vote      %s: the class that most of %d predictions name\n",
           dcnn_accuracy_text(e->vote_correct, e->count, text), e->voters);
    printf("disagree  on %s of %s images (the accuracy is that of the mean probabilities)\n",
           dcnn_number_text(disagreed_on(e), &number), dcnn_number_text(e->count, &of));
}

static dcnn_status print_text(const result *r, const dcnn_classification *scores) {
    const dcnn_evaluation *e = r->evaluation;
    char text[96];
    char *report = dcnn_classification_text(scores, r->names);
    char *matrix = dcnn_confusion_text(e->class_count, e->confusion, r->names);
    char *absent = dcnn_absent_text(scores, r->names);
    dcnn_status status = DCNN_OK;
    if (report && matrix && absent) {
        printf("%s on the split '%s' of %s\n\nloss      %.6f\naccuracy  %s\n", r->model, r->split, r->data, e->loss,
               dcnn_accuracy_text(e->correct, e->count, text));
        print_votes(e);
        printf("\n%s", report);
        if (scores->absent_count > 0)
            printf("not listed, because no sample has these classes and none was predicted as one: %s\n", absent);
        printf("\n%s", matrix);
    } else {
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: the report");
    }
    free(report);
    free(matrix);
    free(absent);
    return status;
}

static json_t *matrix_json(const dcnn_evaluation *e) {
    json_t *rows = json_array();
    for (int i = 0; rows && i < e->class_count; i++) {
        json_t *row = json_array();
        for (int j = 0; row && j < e->class_count; j++)
            json_array_append_new(row, json_integer((json_int_t)e->confusion[i * e->class_count + j]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static dcnn_status print_json(const result *r, const dcnn_classification *scores) {
    const dcnn_evaluation *e = r->evaluation;
    json_t *json = json_pack("{s:s, s:s, s:s, s:f, s:f, s:I, s:I, s:o, s:o}", "model", r->model, "data", r->data,
                             "split", r->split, "loss", e->loss, "accuracy", scores->accuracy, "correct",
                             (json_int_t)e->correct, "count", (json_int_t)e->count, "report",
                             dcnn_classification_json(scores, r->names), "confusion", matrix_json(e));
    if (json && e->voters > 1)
        json_object_set_new(json, "vote",
                            json_pack("{s:i, s:I, s:I}", "voters", e->voters, "correct", (json_int_t)e->vote_correct,
                                      "disagreed_on", (json_int_t)disagreed_on(e)));
    return dcnn_json_print(json);
}

static dcnn_status print_result(const dcnn_cli *cli, const result *r) {
    dcnn_classification scores;
    DCNN_TRY(dcnn_classification_create(r->evaluation->class_count, r->evaluation->confusion, &scores));
    dcnn_status status = cli->options->json ? print_json(r, &scores) : print_text(r, &scores);
    dcnn_classification_free(&scores);
    return status;
}

dcnn_status dcnn_cmd_evaluate(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    const char *model = o->operands[0];
    dcnn_checkpoint checkpoint;
    dcnn_dataset dataset = {0};
    dcnn_evaluation evaluation = {0};
    const dcnn_split *split = NULL;
    dcnn_status status = dcnn_checkpoint_share(cli->comm, model, &checkpoint);
    if (status != DCNN_OK) goto done;
    const char *data = o->operand_count > 1 ? o->operands[1] : checkpoint.data_path;
    if (data == NULL) {
        status =
            DCNN_FAIL(DCNN_USAGE, "%s does not say what it was trained on: name a data set, dcnn evaluate %s DATA.h5",
                      model, model);
        goto done;
    }
    DCNN_TRY_DONE(dcnn_dataset_share(cli->comm, data, o->split, &dataset, &split));
    DCNN_TRY_DONE(dcnn_net_check_shape(checkpoint.net, model, dataset.h, dataset.w, dataset.c, data));
    DCNN_TRY_DONE(dcnn_comm_agree(
        cli->comm, dcnn_dataset_adopt_classes(&dataset, checkpoint.class_count, checkpoint.class_names, model)));
    const dcnn_samples samples = {.dataset = &dataset,
                                  .split = split,
                                  .input = {o->train.input.mean, o->train.input.std, o->train.input.scale},
                                  .cache_bytes = o->train.cache_bytes,
                                  .views = (int)o->views,
                                  .on_progress = dcnn_bar_count,
                                  .context = "evaluating"};
    if (cli->speaks) dcnn_bar_begin(o->quiet, 0.5);
    DCNN_TRY_DONE(dcnn_evaluate(cli->comm, &checkpoint, &samples, (int)o->train.threads, false, &evaluation));
    dcnn_bar_end();
    const result r = {model, data, split->name, &evaluation, dcnn_class_names(&checkpoint, &dataset)};
    if (cli->speaks) status = print_result(cli, &r);
done:
    dcnn_evaluation_free(&evaluation);
    dcnn_dataset_free(&dataset);
    dcnn_checkpoint_free(&checkpoint);
    return status;
}
