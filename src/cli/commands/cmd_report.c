/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_report.c — dcnn report RUN [DATA.h5]: gathers what report/ draws. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/commands/augmented.h"
#include "cli/cli.h"
#include "cli/score_tables.h"
#include "io/dataset/pixels.h"
#include "io/kind.h"
#include "report/events.h"
#include "report/report.h"
#include "run/data/loader.h"
#include "run/record/run_folder.h"
#include "run/record/run_places.h"
#include "run/record/run_record.h"

/* What rank 0 holds besides the model and the data set's description. */
typedef struct sources {
    char *history, *steps;
    json_t *record;
    dcnn_pixels_view view;
    dcnn_augmented augmented;
    int32_t *labels;
} sources;

/* --- rank 0: reading and writing -------------------------------------------------------------------------------- */

static dcnn_status read_text(const char *folder, const char *name, char **text) {
    size_t length;
    char *path = dcnn_path_join(folder, name);
    dcnn_status status = path ? dcnn_file_read(path, (uint8_t **)(void *)text, &length)
                              : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    free(path);
    return status;
}

static dcnn_status read_record(const char *folder, json_t **record) {
    bool damaged;
    DCNN_TRY(dcnn_run_record_read(folder, record, &damaged));
    if (*record) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s/" DCNN_RUN_RECORD ": cannot open: %s", folder, strerror(ENOENT));
}

/* A file of the run, or NULL if it has none of that name, or an empty one. */
static dcnn_status read_if_there(const char *folder, const char *name, char **text) {
    struct stat about;
    char *path = dcnn_path_join(folder, name);
    const bool there = path == NULL || (stat(path, &about) == 0 && about.st_size > 0);
    *text = NULL;
    free(path);
    return there ? read_text(folder, name, text) : DCNN_OK;
}

static dcnn_status read_samples(sources *s, dcnn_report_data *data) {
    const dcnn_dataset *d = data->dataset;
    s->labels = d->has_labels ? malloc((size_t)d->count * sizeof *s->labels) : NULL;
    if (s->labels == NULL && d->has_labels) return DCNN_FAIL(DCNN_FAILURE, "out of memory: labels of %s", d->path);
    data->labels = s->labels;
    if (d->has_labels) DCNN_TRY(dcnn_dataset_read_labels(d, s->labels));
    DCNN_TRY(dcnn_pixels_view_open(d, &s->view));
    data->pixels = s->view.pixels;
    return DCNN_OK;
}

static dcnn_status draw(const dcnn_cli *cli, const char *folder, dcnn_report_data *data) {
    sources s = {0};
    dcnn_status status;
    DCNN_TRY_DONE(read_record(folder, &s.record));
    DCNN_TRY_DONE(read_if_there(folder, DCNN_RUN_METRICS, &s.history)); /* an ensemble has none */
    DCNN_TRY_DONE(read_if_there(folder, DCNN_RUN_STEPS, &s.steps));
    DCNN_TRY_DONE(read_samples(&s, data));
    DCNN_TRY_DONE(dcnn_augmented_make(dcnn_kernels_of(dcnn_comm_isa(cli->comm)), data, &s.augmented));
    data->history = s.history ? s.history : "";
    data->steps = s.steps;
    data->record = s.record;
    status = dcnn_report_write(folder, data);
done:
    free(s.history);
    free(s.steps);
    json_decref(s.record);
    dcnn_pixels_view_close(&s.view);
    free(s.labels);
    dcnn_augmented_free(&s.augmented);
    return status;
}

/* --- all ranks: the model's predictions ------------------------------------------------------------------------- */

/* The split to show where none is named: the first of these that the data set has. */
static const char *choose_split(const char *data) {
    static const char *const names[] = {"test", "official-test", "validation", "train"};
    const char *chosen = names[0];
    dcnn_dataset dataset;
    if (dcnn_dataset_reopen(data, &dataset) != DCNN_OK) return chosen;
    for (int i = 3; i >= 0; i--)
        if (dcnn_dataset_split(&dataset, names[i])) chosen = names[i];
    dcnn_dataset_free(&dataset);
    return chosen;
}

static dcnn_status check_classes(const dcnn_checkpoint *checkpoint, const char *model, const dcnn_dataset *dataset) {
    DCNN_TRY(
        dcnn_loader_can_fit(checkpoint->net->nodes[0].shape, model, dataset->h, dataset->w, dataset->c, dataset->path));
    if (checkpoint->net->class_count == dataset->class_count || !dataset->has_labels) return DCNN_OK;
    if (checkpoint->net->class_count == 0 && dataset->target_width > 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s knows %d classes, %s has %d: a report needs the same classes", model,
                     checkpoint->net->class_count, dataset->path, dataset->class_count);
}

/* The split's true numbers, sample by sample. */
static dcnn_status read_targets(const dcnn_dataset *dataset, const dcnn_split *split, float **targets) {
    const size_t width = (size_t)dataset->target_width;
    float *all = calloc((size_t)dataset->count * width + 1, sizeof *all);
    *targets = calloc((size_t)split->count * width + 1, sizeof **targets);
    dcnn_status status =
        all && *targets ? dcnn_dataset_read_targets(dataset, all) : DCNN_FAIL(DCNN_FAILURE, "out of memory: targets");
    for (int64_t i = 0; i < split->count && status == DCNN_OK; i++)
        memcpy(*targets + (size_t)i * width, all + (size_t)split->rows[i] * width, width * sizeof(float));
    free(all);
    return status;
}

static dcnn_status report_model(const dcnn_cli *cli, const char *folder, const char *model, const char *data_path,
                                const char *split_name) {
    dcnn_checkpoint checkpoint;
    dcnn_dataset dataset = {0};
    dcnn_evaluation evaluation = {0};
    const dcnn_split *split = NULL;
    dcnn_status status = dcnn_checkpoint_share(cli->comm, model, &checkpoint);
    if (status != DCNN_OK) goto done;
    const char *path;
    DCNN_TRY_DONE(
        dcnn_comm_agree(cli->comm, dcnn_trained_on("report", folder, model, data_path, checkpoint.data_path, &path)));
    DCNN_TRY_DONE(dcnn_dataset_share(cli->comm, path, split_name ? split_name : choose_split(path), &dataset, &split));
    dcnn_warn_of_other_data(model, &checkpoint, &dataset);
    DCNN_TRY_DONE(dcnn_comm_agree(
        cli->comm, dcnn_dataset_adopt_classes(&dataset, checkpoint.net->class_count > 0 ? checkpoint.class_count : 0,
                                              checkpoint.class_names, model)));
    DCNN_TRY_DONE(check_classes(&checkpoint, model, &dataset));
    const dcnn_samples samples = {.dataset = &dataset, .split = split, .cache_bytes = cli->options->train.cache_bytes};
    DCNN_TRY_DONE(dcnn_evaluate(cli->comm, &checkpoint, &samples, (int)cli->options->train.threads, true, &evaluation));
    const bool classes = evaluation.confusion != NULL;
    dcnn_report_table scores = {0};
    if (!classes)
        DCNN_TRY_DONE(dcnn_comm_agree(
            cli->comm, dcnn_score_table_create(&evaluation, dcnn_output_names(&checkpoint, &dataset), &scores)));
    dcnn_report_data data = {.name = folder,
                             .model_path = model,
                             .model = &checkpoint,
                             .dataset = &dataset,
                             .split = classes ? split : NULL,
                             .probabilities = evaluation.probabilities,
                             .confusion = evaluation.confusion,
                             .loss = evaluation.loss,
                             .scores = classes ? NULL : &scores,
                             .scores_split = split->name};
    float *targets = NULL;
    status = cli->speaks && checkpoint.net->class_count == 0 ? read_targets(&dataset, split, &targets) : DCNN_OK;
    data.targets = targets;
    data.predictions = targets ? evaluation.probabilities : NULL;
    data.number_count = dataset.target_width;
    data.number_samples = split->count;
    data.number_names = dcnn_output_names(&checkpoint, &dataset);
    if (status == DCNN_OK && cli->speaks) status = draw(cli, folder, &data);
    free(targets);
    status = dcnn_comm_agree(cli->comm, status);
    dcnn_score_table_free(&scores);
done:
    dcnn_evaluation_free(&evaluation);
    dcnn_dataset_free(&dataset);
    dcnn_checkpoint_free(&checkpoint);
    return status;
}

dcnn_status dcnn_run_report(const dcnn_cli *cli, const char *folder, const char *data, const char *split) {
    if (!dcnn_report_is_built()) return dcnn_report_write(folder, NULL);
    char *model = dcnn_path_join(folder, DCNN_RUN_BEST);
    dcnn_status status = model ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    const dcnn_kind_id kind = dcnn_kind_of_file(folder);
    if (model && kind != DCNN_KIND_FOLDER && kind != DCNN_KIND_MISSING)
        status = dcnn_kind_fail(folder, kind, "the folder of a run");
    else if (model && access(model, F_OK) != 0)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s holds no run with a finished epoch (there is no best.h5 in it)", folder);
    if (status == DCNN_OK && cli->speaks) status = dcnn_run_places_check(folder, false);
    status = dcnn_comm_agree(cli->comm, status);
    if (status == DCNN_OK) status = report_model(cli, folder, model, data, split);
    free(model);
    return status;
}

dcnn_status dcnn_run_events(const char *folder) {
    char *epochs = NULL, *steps = NULL, *histograms = NULL;
    dcnn_status status = read_if_there(folder, DCNN_RUN_METRICS, &epochs);
    if (status == DCNN_OK) status = read_if_there(folder, DCNN_RUN_STEPS, &steps);
    if (status == DCNN_OK) status = read_if_there(folder, DCNN_RUN_HISTOGRAMS, &histograms);
    if (status == DCNN_OK && (epochs || steps))
        status = dcnn_events_update(folder, &(dcnn_metrics){epochs, steps, histograms});
    free(epochs);
    free(steps);
    free(histograms);
    return status;
}

dcnn_status dcnn_cmd_report(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    const char *folder = o->operands[0];
    DCNN_TRY(dcnn_run_report(cli, folder, o->operand_count > 1 ? o->operands[1] : NULL, o->split));
    DCNN_TRY(dcnn_comm_agree(cli->comm, cli->speaks && o->tensorboard ? dcnn_run_events(folder) : DCNN_OK));
    if (cli->speaks) printf("%s/" DCNN_RUN_PAGE ", %s/" DCNN_RUN_FIGURES "/\n", folder, folder);
    return DCNN_OK;
}
