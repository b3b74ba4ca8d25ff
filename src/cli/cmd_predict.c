/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_predict.c — dcnn predict CHECKPOINT INPUT... */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/progress.h"
#include "io/file.h"
#include "io/png.h"

/* The CSV as it grows, on the rank that speaks. */
typedef struct table {
    FILE *to;
    bool kaggle;
    bool people; /* a line for people about each picture instead */
    int class_count;
    const char *const *names; /* of the classes, or NULL */
    int64_t next;             /* number of the next picture */
} table;

/* Quoted where commas, quotes or line ends would break the line (RFC 4180). */
static void put_cell(FILE *to, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"') fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

static void put_header(const table *out) {
    if (out->kaggle) {
        fputs("ImageId,Label\n", out->to);
        return;
    }
    fputs("index,label", out->to);
    for (int i = 0; i < out->class_count; i++) fprintf(out->to, ",p%d", i);
    fputc('\n', out->to);
}

static void put_rows(table *out, int64_t count, const float *probabilities) {
    for (int64_t i = 0; i < count; i++) {
        const float *row = probabilities + i * out->class_count;
        int best = 0;
        for (int j = 1; j < out->class_count; j++)
            if (row[j] > row[best]) best = j;
        fprintf(out->to, "%" PRId64 ",", out->next++);
        if (out->names)
            put_cell(out->to, out->names[best]);
        else
            fprintf(out->to, "%d", best);
        for (int j = 0; !out->kaggle && j < out->class_count; j++) fprintf(out->to, ",%.9g", (double)row[j]);
        fputc('\n', out->to);
    }
}

/* The two likeliest classes of one picture. */
static void put_sentence(const table *out, const char *path, const float *row) {
    int best = 0, second = -1;
    for (int j = 1; j < out->class_count; j++)
        if (row[j] > row[best]) best = j;
    for (int j = 0; j < out->class_count; j++)
        if (j != best && (second < 0 || row[j] > row[second])) second = j;
    const int shown[2] = {best, second};
    for (int i = 0; i < 2 && shown[i] >= 0; i++) {
        if (i == 0)
            fprintf(out->to, "%s: ", path);
        else
            fputs(", then ", out->to);
        if (out->names)
            fputs(out->names[shown[i]], out->to);
        else
            fprintf(out->to, "%d", shown[i]);
        fprintf(out->to, " (%.1f %%)", 100.0 * (double)row[shown[i]]);
    }
    fputc('\n', out->to);
}

/* --- inputs ----------------------------------------------------------------------------------------------------- */

typedef enum input_kind { INPUT_DATASET, INPUT_CSV, INPUT_IDX, INPUT_PNG } input_kind;

/* Rank 0 looks, for pictures need to lie on its node only. */
static input_kind find_kind(const dcnn_cli *cli, const char *path) {
    int kind = INPUT_DATASET;
    if (dcnn_is_csv(path))
        kind = INPUT_CSV;
    else if (cli->speaks && dcnn_is_idx(path))
        kind = INPUT_IDX;
    else if (cli->speaks && dcnn_is_png(path))
        kind = INPUT_PNG;
    dcnn_comm_broadcast(cli->comm, &kind, sizeof kind);
    return (input_kind)kind;
}

static dcnn_status predict_dataset(const dcnn_cli *cli, const dcnn_checkpoint *checkpoint, const char *path,
                                   dcnn_evaluation *evaluation) {
    const dcnn_options *o = cli->options;
    dcnn_dataset dataset = {0};
    const dcnn_split *split;
    dcnn_status status = dcnn_dataset_share(cli->comm, path, o->split ? o->split : "", &dataset, &split);
    if (status == DCNN_USAGE && o->split == NULL)
        status = DCNN_FAIL(DCNN_USAGE, "%s is a data set: say which split of it, as --split test", path);
    DCNN_TRY_DONE(status);
    DCNN_TRY_DONE(dcnn_check_fit(checkpoint, o->operands[0], path, dataset.h, dataset.w, dataset.c));
    const dcnn_samples samples = {.dataset = &dataset,
                                  .split = split,
                                  .input = {o->mean, o->std, o->scale},
                                  .cache_bytes = o->cache_memory,
                                  .on_progress = dcnn_bar_count,
                                  .context = "predicting"};
    DCNN_TRY_DONE(dcnn_evaluate(cli->comm, checkpoint, &samples, (int)o->threads, true, evaluation));
done:
    dcnn_dataset_free(&dataset);
    return status;
}

static dcnn_status read_pictures(const dcnn_cli *cli, const dcnn_checkpoint *checkpoint, const char *path,
                                 input_kind kind, dcnn_images *images) {
    const dcnn_shape takes = checkpoint->net->nodes[0].shape;
    const int *given = cli->options->shape;
    if (kind == INPUT_CSV && given[0] > 0)
        DCNN_TRY(dcnn_csv_read(path, given[0], given[1], given[2], NULL, images));
    else if (kind == INPUT_CSV)
        DCNN_TRY(dcnn_csv_read(path, takes.h, takes.w, takes.c, NULL, images));
    else if (kind == INPUT_PNG)
        DCNN_TRY(dcnn_png_read(path, takes.c, images));
    else
        DCNN_TRY(dcnn_idx_read_images(path, images));
    free(images->labels); /* to predict is not to look */
    images->labels = NULL;
    return dcnn_check_fit(checkpoint, cli->options->operands[0], path, images->h, images->w, images->c);
}

static dcnn_status predict_pictures(const dcnn_cli *cli, const dcnn_checkpoint *checkpoint, const char *path,
                                    input_kind kind, dcnn_evaluation *evaluation) {
    dcnn_images images = {0};
    dcnn_status status = cli->speaks ? read_pictures(cli, checkpoint, path, kind, &images) : DCNN_OK;
    DCNN_TRY_DONE(dcnn_comm_agree(cli->comm, status));
    const dcnn_samples samples = {.images = cli->speaks ? &images : NULL,
                                  .input = {cli->options->mean, cli->options->std, cli->options->scale},
                                  .on_progress = dcnn_bar_count,
                                  .context = "predicting"};
    DCNN_TRY_DONE(dcnn_evaluate(cli->comm, checkpoint, &samples, (int)cli->options->threads, true, evaluation));
done:
    dcnn_images_free(&images);
    return status;
}

static dcnn_status predict_input(const dcnn_cli *cli, const dcnn_checkpoint *checkpoint, const char *path, table *out) {
    dcnn_evaluation evaluation = {0};
    const input_kind kind = find_kind(cli, path);
    if (cli->speaks) dcnn_bar_begin(cli->options->quiet, 0.5);
    if (kind == INPUT_DATASET)
        DCNN_TRY(predict_dataset(cli, checkpoint, path, &evaluation));
    else
        DCNN_TRY(predict_pictures(cli, checkpoint, path, kind, &evaluation));
    dcnn_bar_end();
    if (cli->speaks && out->people)
        put_sentence(out, path, evaluation.probabilities);
    else if (cli->speaks)
        put_rows(out, evaluation.count, evaluation.probabilities);
    dcnn_evaluation_free(&evaluation);
    return DCNN_OK;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

/* A person asks about pictures: neither a CSV nor its file is asked for. */
static bool is_for_people(const dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    bool people = o->output == NULL && !o->given[dcnn_option_find(DCNN_COMMAND_PREDICT, "format") - dcnn_option_table];
    for (int i = 1; i < o->operand_count; i++) people = find_kind(cli, o->operands[i]) == INPUT_PNG && people;
    return people;
}

static dcnn_status predict_all(const dcnn_cli *cli, const dcnn_checkpoint *checkpoint, table *out) {
    out->people = is_for_people(cli);
    if (cli->speaks && !out->people) put_header(out);
    for (int i = 1; i < cli->options->operand_count; i++)
        DCNN_TRY(predict_input(cli, checkpoint, cli->options->operands[i], out));
    return DCNN_OK;
}

static dcnn_status deliver(const char *path, const char *text, size_t length) {
    if (path) return dcnn_file_write(path, text, length, false);
    fwrite(text, 1, length, stdout);
    return DCNN_OK;
}

dcnn_status dcnn_cmd_predict(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    dcnn_checkpoint checkpoint;
    char *text = NULL;
    size_t length = 0;
    table out = {.kaggle = strcmp(o->format, "kaggle") == 0};
    dcnn_status status = dcnn_checkpoint_share(cli->comm, o->operands[0], &checkpoint);
    if (status != DCNN_OK) goto done;
    out.class_count = checkpoint.net->class_count;
    out.names = dcnn_class_names(&checkpoint, NULL);
    out.next = out.kaggle ? 1 : 0;
    if (cli->speaks && (out.to = open_memstream(&text, &length)) == NULL)
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: the predictions");
    DCNN_TRY_DONE(dcnn_comm_agree(cli->comm, status));
    status = predict_all(cli, &checkpoint, &out);
    if (out.to && fclose(out.to) != 0 && status == DCNN_OK)
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory: the predictions");
    if (cli->speaks && status == DCNN_OK) status = deliver(o->output, text, length);
done:
    free(text);
    dcnn_checkpoint_free(&checkpoint);
    return status;
}
