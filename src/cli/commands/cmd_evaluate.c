/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_evaluate.c — dcnn evaluate CHECKPOINT [DATA.h5] */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/score_tables.h"
#include "cli/progress.h"
#include "report/classification.h"

typedef struct result {
    const char *model, *data, *split;
    const dcnn_evaluation *evaluation;
    const dcnn_net *net;
    const char *const *names;   /* of the classes */
    const char *const *outputs; /* of labels and numbers */
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

/* One line a metric, under the loss. */
static void print_metrics(const result *r) {
    const dcnn_evaluation *e = r->evaluation;
    char text[96];
    printf("%s on the split '%s' of %s\n\n", r->model, r->split, r->data);
    if (isnan(e->loss)) /* whose sign says nothing */
        puts("loss      nan");
    else
        printf("loss      %.6f\n", e->loss);
    if (e->number_count > 0) {
        printf("MAE       %.6g\n", e->absolute);
        return;
    }
    printf("accuracy  %s%s\n", dcnn_accuracy_text(e->correct, e->count * e->answers, text),
           e->answers > 1 ? ", of labels" : "");
    if (r->net->loss.kind == DCNN_LOSS_CATEGORICAL && e->class_count > DCNN_TOP)
        printf("top %d     %s\n", DCNN_TOP, dcnn_accuracy_text(e->top, e->count, text));
    if (e->label_count > 0 && isfinite(e->auc)) printf("AUC       %.6f\n", e->auc);
}

/* Models of labels and of numbers. */
static void print_tables(const result *r) {
    print_metrics(r);
    putchar('\n');
    if (r->evaluation->number_count > 0)
        dcnn_number_table(stdout, r->evaluation, r->outputs);
    else
        dcnn_label_table(stdout, r->evaluation, r->outputs);
}

static dcnn_status print_text(const result *r, const dcnn_classification *scores) {
    const dcnn_evaluation *e = r->evaluation;
    char *report = dcnn_classification_text(scores, r->names);
    char *matrix = dcnn_confusion_text(e->class_count, e->confusion, r->names);
    char *absent = dcnn_absent_text(scores, r->names);
    dcnn_status status = DCNN_OK;
    if (report && matrix && absent) {
        print_metrics(r);
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

/* @param scores  of classes, or NULL */
static dcnn_status print_json(const result *r, const dcnn_classification *scores) {
    const dcnn_evaluation *e = r->evaluation;
    const int64_t answers = e->count * e->answers;
    json_t *json = json_pack("{s:o, s:o, s:s, s:o}", "model", dcnn_json_shown(r->model), "data",
                             dcnn_json_shown(r->data), "split", r->split, "loss", dcnn_json_number(e->loss));
    if (e->number_count == 0) {
        json_object_set_new(json, "accuracy", json_real(answers > 0 ? (double)e->correct / (double)answers : 0.0));
        json_object_set_new(json, "correct", json_integer(e->correct));
    }
    json_object_set_new(json, "count", json_integer(answers));
    if (scores) json_object_set_new(json, "report", dcnn_classification_json(scores, r->names));
    if (scores) json_object_set_new(json, "confusion", dcnn_json_matrix(e->class_count, e->confusion));
    if (scores && r->net->loss.kind == DCNN_LOSS_CATEGORICAL && e->class_count > DCNN_TOP)
        json_object_set_new(json, "top5", json_real((double)e->top / (double)e->count));
    if (e->label_count > 0) json_object_set_new(json, "labels", dcnn_label_json(e, r->outputs));
    if (e->number_count > 0) json_object_set_new(json, "mae", dcnn_json_number(e->absolute));
    if (e->number_count > 0) json_object_set_new(json, "numbers", dcnn_number_json(e, r->outputs));
    if (json && e->voters > 1)
        json_object_set_new(json, "vote",
                            json_pack("{s:i, s:I, s:I}", "voters", e->voters, "correct", (json_int_t)e->vote_correct,
                                      "disagreed_on", (json_int_t)disagreed_on(e)));
    return dcnn_json_print(json);
}

static dcnn_status print_result(const dcnn_cli *cli, const result *r) {
    dcnn_classification scores;
    if (r->evaluation->confusion == NULL) {
        if (cli->options->json) return print_json(r, NULL);
        print_tables(r);
        return DCNN_OK;
    }
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
    const char *data, *given = o->operand_count > 1 ? o->operands[1] : NULL;
    DCNN_TRY_DONE(
        dcnn_comm_agree(cli->comm, dcnn_trained_on("evaluate", model, model, given, checkpoint.data_path, &data)));
    DCNN_TRY_DONE(dcnn_dataset_share(cli->comm, data, o->split, &dataset, &split));
    dcnn_warn_of_other_data(model, &checkpoint, &dataset);
    DCNN_TRY_DONE(dcnn_comm_agree(
        cli->comm, dcnn_dataset_adopt_classes(&dataset, checkpoint.net->class_count > 0 ? checkpoint.class_count : 0,
                                              checkpoint.class_names, model)));
    const dcnn_samples samples = {.dataset = &dataset,
                                  .split = split,
                                  .input = o->train.input,
                                  .cache_bytes = o->train.cache_bytes,
                                  .views = (int)o->views,
                                  .on_progress = dcnn_bar_count,
                                  .context = "evaluating"};
    if (cli->speaks) dcnn_bar_begin(o->quiet, 0.5);
    DCNN_TRY_DONE(dcnn_evaluate(cli->comm, &checkpoint, &samples, (int)o->train.threads, false, &evaluation));
    dcnn_bar_end();
    const result r = {model,
                      data,
                      split->name,
                      &evaluation,
                      checkpoint.net,
                      dcnn_class_names(&checkpoint, &dataset),
                      dcnn_output_names(&checkpoint, &dataset)};
    if (cli->speaks && !isfinite(evaluation.loss))
        dcnn_warn("%s: its loss is not a number, so some of its predictions are not, either: it has diverged, or its "
                  "weights or its input are wrong, and what is counted of them says nothing",
                  model);
    if (cli->speaks) status = print_result(cli, &r);
done:
    dcnn_evaluation_free(&evaluation);
    dcnn_dataset_free(&dataset);
    dcnn_checkpoint_free(&checkpoint);
    return status;
}
