/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_predict.c — dcnn predict CHECKPOINT INPUT... */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/commands/gather.h"
#include "cli/progress.h"
#include "io/file.h"
#include "io/hdf5/hdf5_file.h"
#include "io/kind.h"
#include "base/largest.h"

/* Images that were predicted together, on the rank that speaks. */
typedef struct batch {
    dcnn_gathered from;  /* files and ids; its pixels are gone */
    const char *dataset; /* or the data set that they are of, */
    char **ids;          /* [count] and their names there, or NULL */
    int64_t count;
    float *probabilities; /* [count, classes] */
    float *disagreement;  /* [count], or NULL */
} batch;

/* All that is to be told. */
typedef struct table {
    FILE *to;
    bool kaggle;
    bool has_files, has_ids, has_votes;
    int columns;              /* of a prediction */
    bool numbers, labels;     /* it is such, else the probabilities of classes */
    const char *const *names; /* of the columns, or NULL */
    int64_t next;             /* number of the next image */
    int batch_count;
    batch *batches;
    int64_t bad, count;
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
    fprintf(out->to, "index%s%s%s", out->has_files ? ",file" : "", out->has_ids ? ",id" : "",
            out->numbers ? "" : ",label");
    for (int i = 0; i < out->columns; i++)
        if (out->numbers && out->names) {
            fputc(',', out->to);
            put_cell(out->to, out->names[i]);
        } else {
            fprintf(out->to, ",%s%d", out->numbers ? "y" : "p", i);
        }
    fputs(out->has_votes ? ",disagreement\n" : "\n", out->to);
}

static void put_name(const table *out, int column) {
    if (out->names)
        put_cell(out->to, out->names[column]);
    else
        fprintf(out->to, "%d", column);
}

/* The likeliest class; or all labels above a half, with semicolons between them. */
static void put_answer(const table *out, const float *row) {
    bool any = false;
    if (!out->labels) {
        put_name(out, dcnn_largest(out->columns, row));
        return;
    }
    for (int j = 0; j < out->columns; j++) {
        if (!(row[j] > 0.5f)) continue;
        if (any) fputc(';', out->to);
        put_name(out, j);
        any = true;
    }
}

static void put_row(table *out, const batch *of, int64_t i) {
    const float *row = of->probabilities + i * out->columns;
    const char *file = of->dataset ? of->dataset : of->from.files.text[i];
    const char *given = of->dataset ? "" : of->from.ids.text[i], *id = of->ids ? of->ids[i] : given;
    if (out->kaggle && id[0])
        put_cell(out->to, id);
    else
        fprintf(out->to, "%" PRId64, out->next);
    out->next++;
    for (int column = 0; column < 2 && !out->kaggle; column++)
        if (column == 0 ? out->has_files : out->has_ids) {
            fputc(',', out->to);
            put_cell(out->to, column == 0 ? file : id);
        }
    if (!out->numbers) {
        fputc(',', out->to);
        put_answer(out, row);
    }
    for (int j = 0; !out->kaggle && j < out->columns; j++) fprintf(out->to, ",%.9g", (double)row[j]);
    if (!out->kaggle && out->has_votes) fprintf(out->to, ",%.4g", of->disagreement ? (double)of->disagreement[i] : 0.0);
    fputc('\n', out->to);
}

/* Each number of one image, or each label that it has. */
static void put_all_of(const table *out, const char *path, const float *row) {
    bool any = false;
    fprintf(out->to, "%s:", path);
    for (int j = 0; j < out->columns; j++) {
        if (out->labels && !(row[j] > 0.5f)) continue;
        fputs(any ? ", " : " ", out->to);
        if (out->names)
            fputs(out->names[j], out->to);
        else
            fprintf(out->to, "%d", j);
        if (out->labels)
            fprintf(out->to, " (%.1f %%)", 100.0 * (double)row[j]);
        else
            fprintf(out->to, " %.6g", (double)row[j]);
        any = true;
    }
    fputs(any ? "\n" : " none\n", out->to);
}

/* The two likeliest classes of one image. */
static void put_sentence(const table *out, const char *path, const float *row) {
    if (out->numbers || out->labels) {
        put_all_of(out, path, row);
        return;
    }
    const int best = dcnn_largest(out->columns, row);
    int second = -1;
    for (int j = 0; j < out->columns; j++)
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

/* Room for one more batch. */
static dcnn_status add_batch(table *out, batch **added) {
    batch *more = realloc(out->batches, (size_t)(out->batch_count + 1) * sizeof *more);
    if (more == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: the predictions");
    out->batches = more;
    *added = &more[out->batch_count++];
    **added = (batch){0};
    return DCNN_OK;
}

/* What a data set calls the images of a split. */
static dcnn_status name_images(const dcnn_dataset *dataset, const dcnn_split *split, table *out, batch *mine) {
    char **all;
    if (!dataset->has_ids) return DCNN_OK;
    DCNN_TRY(dcnn_dataset_read_ids(dataset, &all));
    mine->ids = calloc((size_t)mine->count, sizeof *mine->ids);
    dcnn_status status = mine->ids ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its ids", dataset->path);
    for (int64_t i = 0; status == DCNN_OK && i < mine->count; i++)
        if ((mine->ids[i] = strdup(all[split->rows[i]])) == NULL)
            status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its ids", dataset->path);
    dcnn_dataset_free_ids(dataset, all);
    out->has_ids = true;
    return status;
}

/* Of an ensemble, or of several views: which images their predictions disagree on. */
static void take_votes(dcnn_evaluation *evaluation, table *out, batch *mine) {
    mine->disagreement = evaluation->disagreement;
    evaluation->disagreement = NULL;
    out->has_votes = out->has_votes || evaluation->voters > 1;
}

static void free_batch(batch *of) {
    for (int64_t i = 0; of->ids && i < of->count; i++) free(of->ids[i]);
    free(of->ids);
    free(of->probabilities);
    free(of->disagreement);
    dcnn_gathered_free(&of->from);
}

static dcnn_status predict_dataset(const dcnn_cli *cli, const dcnn_checkpoint *checkpoint, const char *path,
                                   table *out) {
    const dcnn_options *o = cli->options;
    dcnn_dataset dataset = {0};
    dcnn_evaluation evaluation = {0};
    const dcnn_split *split;
    batch *mine = NULL;
    dcnn_status status = dcnn_dataset_share(cli->comm, path, o->split ? o->split : "", &dataset, &split);
    if (status == DCNN_USAGE && o->split == NULL)
        status = DCNN_FAIL(DCNN_USAGE, "%s is a data set: name one of its splits, for example --split test", path);
    DCNN_TRY_DONE(status);
    DCNN_TRY_DONE(dcnn_net_check_shape(checkpoint->net, o->operands[0], dataset.h, dataset.w, dataset.c, path));
    DCNN_TRY_DONE(dcnn_comm_agree(
        cli->comm, dcnn_dataset_adopt_classes(&dataset, checkpoint->net->class_count > 0 ? checkpoint->class_count : 0,
                                              checkpoint->class_names, o->operands[0])));
    const dcnn_samples samples = {.dataset = &dataset,
                                  .split = split,
                                  .unlabelled = true,
                                  .input = {o->train.input.mean, o->train.input.std, o->train.input.scale},
                                  .cache_bytes = o->train.cache_bytes,
                                  .views = (int)cli->options->views,
                                  .on_progress = dcnn_bar_count,
                                  .context = "predicting"};
    DCNN_TRY_DONE(dcnn_evaluate(cli->comm, checkpoint, &samples, (int)o->train.threads, true, &evaluation));
    DCNN_TRY_DONE(dcnn_comm_agree(cli->comm, add_batch(out, &mine)));
    mine->dataset = path;
    mine->count = evaluation.count;
    mine->probabilities = evaluation.probabilities;
    take_votes(&evaluation, out, mine);
    evaluation.probabilities = NULL;
    out->count += mine->count;
    status = dcnn_comm_agree(cli->comm, cli->speaks ? name_images(&dataset, split, out, mine) : DCNN_OK);
done:
    dcnn_evaluation_free(&evaluation);
    dcnn_dataset_free(&dataset);
    return status;
}

/* What rank 0 has gathered so far. */
static dcnn_status predict_gathered(const dcnn_cli *cli, const dcnn_checkpoint *checkpoint, dcnn_gathered *gathered,
                                    table *out) {
    const dcnn_shape takes = checkpoint->net->nodes[0].shape;
    dcnn_images images = {
        .count = gathered->count, .h = takes.h, .w = takes.w, .c = takes.c, .pixels = gathered->pixels};
    dcnn_evaluation evaluation = {0};
    batch *mine = NULL;
    dcnn_comm_broadcast(cli->comm, &images.count, sizeof images.count);
    if (images.count == 0) return DCNN_OK;
    const dcnn_samples samples = {
        .images = cli->speaks ? &images : NULL,
        .input = {cli->options->train.input.mean, cli->options->train.input.std, cli->options->train.input.scale},
        .views = (int)cli->options->views,
        .on_progress = dcnn_bar_count,
        .context = "predicting"};
    DCNN_TRY(dcnn_evaluate(cli->comm, checkpoint, &samples, (int)cli->options->train.threads, true, &evaluation));
    dcnn_status status = dcnn_comm_agree(cli->comm, add_batch(out, &mine));
    if (status == DCNN_OK) {
        out->has_files = out->has_files || gathered->has_files;
        out->has_ids = out->has_ids || gathered->has_ids;
        out->count += images.count;
        mine->count = images.count;
        mine->probabilities = evaluation.probabilities;
        take_votes(&evaluation, out, mine);
        evaluation.probabilities = NULL;
        mine->from = *gathered;
        *gathered = (dcnn_gathered){0};
        free(mine->from.pixels);
        mine->from.pixels = NULL;
    }
    dcnn_evaluation_free(&evaluation);
    return status;
}

/* On rank 0. One that is no good does not stop the others. */
static dcnn_status gather(const dcnn_cli *cli, const dcnn_gather_options *how, const char *path, dcnn_gathered *to) {
    const dcnn_status status = dcnn_gather(path, how, to);
    if (status != DCNN_BAD_INPUT || cli->options->operand_count == 2) return status;
    dcnn_warn("%s", dcnn_error());
    to->bad++;
    return DCNN_OK;
}

static dcnn_status gather_options(const dcnn_cli *cli, const dcnn_checkpoint *checkpoint, dcnn_gather_options *how) {
    const dcnn_options *o = cli->options;
    const dcnn_shape takes = checkpoint->net->nodes[0].shape;
    *how = (dcnn_gather_options){.wanted = {.h = takes.h, .w = takes.w, .channels = takes.c},
                                 .given = {o->shape[0], o->shape[1], o->shape[2]},
                                 .resize = o->resize,
                                 .invert = o->invert,
                                 .normalised = checkpoint->normalised};
    DCNN_TRY(dcnn_fit_parse(o->fit, &how->wanted.fit));
    for (int c = 0; c < takes.c; c++) {
        how->mean += checkpoint->mean[c] / takes.c;
        how->std += checkpoint->std[c] / takes.c;
    }
    return dcnn_color_parse(o->background ? o->background : "black", how->wanted.background);
}

static dcnn_status predict_all(const dcnn_cli *cli, const dcnn_checkpoint *checkpoint, table *out) {
    dcnn_gathered gathered = {0};
    dcnn_gather_options how;
    dcnn_status status = gather_options(cli, checkpoint, &how);
    if (status != DCNN_OK) return status;
    if (cli->speaks) dcnn_bar_begin(cli->options->quiet, 0.5);
    for (int i = 1; i < cli->options->operand_count && status == DCNN_OK; i++) {
        const char *path = cli->options->operands[i];
        /* rank 0 looks, for images need to lie on its node only */
        dcnn_hdf5_content content;
        int is_dataset = cli->speaks && strcmp(path, "-") != 0 && dcnn_kind_of_file(path) == DCNN_KIND_HDF5 &&
                         (dcnn_hdf5_look(path, &content) != DCNN_OK || content == DCNN_HDF5_DATASET);
        dcnn_comm_broadcast(cli->comm, &is_dataset, sizeof is_dataset);
        if (is_dataset) status = predict_gathered(cli, checkpoint, &gathered, out);
        if (status == DCNN_OK && is_dataset)
            status = predict_dataset(cli, checkpoint, path, out);
        else if (status == DCNN_OK)
            status = dcnn_comm_agree(cli->comm, cli->speaks ? gather(cli, &how, path, &gathered) : DCNN_OK);
    }
    if (status == DCNN_OK && cli->speaks) dcnn_gather_tell(&gathered);
    out->bad = gathered.bad;
    if (status == DCNN_OK) status = predict_gathered(cli, checkpoint, &gathered, out);
    dcnn_bar_end();
    dcnn_gathered_free(&gathered);
    return status;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

/* A person asks about images, each by its name: neither a CSV nor its file is asked for. */
static bool is_for_people(const dcnn_cli *cli, const table *out) {
    const dcnn_options *o = cli->options;
    bool images = out->batch_count > 0;
    for (int i = 0; i < out->batch_count; i++) images = images && out->batches[i].from.has_files;
    return images && o->output == NULL && !dcnn_option_given(DCNN_COMMAND_PREDICT, "format", o) &&
           out->count + out->bad == o->operand_count - 1;
}

static void put_all(const dcnn_cli *cli, table *out) {
    const bool people = is_for_people(cli, out);
    if (out->count == 0) return;
    if (!people) put_header(out);
    for (int b = 0; b < out->batch_count; b++) {
        const batch *of = &out->batches[b];
        for (int64_t i = 0; i < of->count; i++)
            if (people)
                put_sentence(out, of->from.files.text[i], of->probabilities + i * out->columns);
            else
                put_row(out, of, i);
    }
}

static dcnn_status deliver(const char *path, const char *text, size_t length) {
    if (path) return dcnn_file_write(path, text, length, false);
    fwrite(text, 1, length, stdout);
    return DCNN_OK;
}

/* On rank 0: the others are told, then the bad ones counted. */
static dcnn_status tell_all(const dcnn_cli *cli, table *out) {
    char *text = NULL;
    size_t length = 0;
    dcnn_status status = DCNN_OK;
    if ((out->to = open_memstream(&text, &length)) == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: the predictions");
    put_all(cli, out);
    if (fclose(out->to) != 0) status = DCNN_FAIL(DCNN_FAILURE, "out of memory: the predictions");
    if (status == DCNN_OK && out->count > 0) status = deliver(cli->options->output, text, length);
    free(text);
    if (status == DCNN_OK && out->count == 0)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "no image could be read, so nothing is predicted");
    if (status == DCNN_OK && out->bad > 0)
        status =
            DCNN_FAIL(DCNN_BAD_INPUT, "%" PRId64 " of %" PRId64 " could not be read (named above); the others are done",
                      out->bad, out->bad + out->count);
    return status;
}

dcnn_status dcnn_cmd_predict(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    dcnn_checkpoint checkpoint;
    table out = {.kaggle = strcmp(o->format, "kaggle") == 0};
    dcnn_status status = dcnn_checkpoint_share(cli->comm, o->operands[0], &checkpoint);
    if (status != DCNN_OK) goto done;
    const dcnn_net *net = checkpoint.net;
    out.columns = dcnn_net_prediction_count(net);
    out.numbers = net->class_count == 0;
    out.labels = net->loss.kind == DCNN_LOSS_BINARY && net->output_count > 1;
    out.names = out.numbers || out.labels ? dcnn_output_names(&checkpoint, NULL) : dcnn_class_names(&checkpoint, NULL);
    if (out.kaggle && (out.numbers || out.labels))
        DCNN_TRY_DONE(DCNN_FAIL(DCNN_USAGE, "--format kaggle is for classes; %s gives %s: --format csv has them",
                                o->operands[0], out.numbers ? "numbers" : "labels"));
    out.next = out.kaggle ? 1 : 0;
    DCNN_TRY_DONE(predict_all(cli, &checkpoint, &out));
    status = dcnn_comm_agree(cli->comm, cli->speaks ? tell_all(cli, &out) : DCNN_OK);
done:
    for (int i = 0; i < out.batch_count; i++) free_batch(&out.batches[i]);
    free(out.batches);
    dcnn_checkpoint_free(&checkpoint);
    return status;
}
