/* SPDX-License-Identifier: BSD-3-Clause */
/* cli.c — what commands share: numbers for people, and files that every rank reads. */
#include "cli/cli.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "run/data/loader.h"

const char *dcnn_number_text(int64_t value, dcnn_number *number) {
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') number->text[used++] = ',';
        number->text[used++] = digits[i];
    }
    number->text[used] = '\0';
    return number->text;
}

const char *dcnn_accuracy_text(int64_t correct, int64_t count, char text[96]) {
    dcnn_number hits, all;
    snprintf(text, 96, "%.2f %% (%s of %s)", count > 0 ? 100.0 * (double)correct / (double)count : 0.0,
             dcnn_number_text(correct, &hits), dcnn_number_text(count, &all));
    return text;
}

void dcnn_dataset_text(const dcnn_dataset *dataset, char text[512]) {
    dcnn_number number;
    const bool numbers = dataset->target_width > 0;
    int used = snprintf(text, 512, "%s images of %dx%dx%d %s %d %s", dcnn_number_text(dataset->count, &number),
                        dataset->h, dataset->w, dataset->c, numbers ? "with" : "in",
                        numbers ? dataset->target_width : dataset->class_count,
                        !numbers                     ? "classes"
                        : dataset->target_width == 1 ? "number to predict"
                                                     : "numbers to predict");
    for (int i = 0; i < dataset->split_count; i++)
        used += snprintf(text + used, 512 - (size_t)used, "%s %s %s", i > 0 ? "," : ":", dataset->splits[i].name,
                         dcnn_number_text(dataset->splits[i].count, &number));
}

/* Whoever asks for predictions is to know what a loss that dcnn does not have left open. */
static void tell_unknown_loss(const char *path, const dcnn_checkpoint *model) {
    const dcnn_net *net = model->net;
    const bool logits = dcnn_net_output_activation(net) == DCNN_LINEAR, binary = net->loss.kind == DCNN_LOSS_BINARY;
    dcnn_warn(
        "%s: it was compiled with the loss %s, which dcnn does not have: its outputs are taken for %s, and losses "
        "are those of %s",
        path, model->unknown_loss,
        net->class_count == 0 ? "numbers"
        : binary              ? logits ? "a sigmoid's logits" : "a sigmoid's probabilities"
        : logits              ? "a softmax's logits"
                              : "a softmax's probabilities",
        dcnn_loss_word(net->loss.kind));
}

dcnn_status dcnn_checkpoint_share(dcnn_comm *comm, const char *path, dcnn_checkpoint *checkpoint) {
    const dcnn_status status = dcnn_comm_agree(comm, dcnn_checkpoint_read(path, checkpoint));
    char crops[256];
    if (status == DCNN_OK && checkpoint->unknown_loss[0]) tell_unknown_loss(path, checkpoint);
    if (status == DCNN_OK && dcnn_net_crops(checkpoint->net, crops)) dcnn_warn("%s: %s", path, crops);
    return status;
}

dcnn_status dcnn_trained_on(const char *command, const char *operand, const char *model, const char *given,
                            const char *trained_on, const char **path) {
    *path = given ? given : trained_on;
    if (*path == NULL)
        return DCNN_FAIL(DCNN_USAGE, "%s does not say what it was trained on: name a data set, dcnn %s %s DATA.h5",
                         model, command, operand);
    if (given || access(*path, R_OK) == 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s, which %s was trained on, cannot be read from here: say where it is, dcnn %s %s DATA.h5",
                     *path, model, command, operand);
}

void dcnn_warn_of_other_data(const char *path, const dcnn_checkpoint *model, dcnn_dataset *dataset) {
    const uint64_t then = model->progress.data_checksum;
    if (then == 0 || model->data_path == NULL || strcmp(model->data_path, dataset->path) != 0) return;
    if (dcnn_dataset_identify(dataset) != DCNN_OK || dataset->checksum == then) return;
    dcnn_warn(
        "%s is no longer the data set that %s was trained on: its content differs, so what is a test image now may "
        "have been trained on",
        dataset->path, path);
}

static dcnn_status fail_split(const dcnn_dataset *dataset, const char *name) {
    char names[DCNN_MAX_SPLITS * 34] = "";
    for (int i = 0; i < dataset->split_count; i++) {
        strcat(names, i > 0 ? ", " : "");
        strcat(names, dataset->splits[i].name);
    }
    return DCNN_FAIL(DCNN_USAGE, "%s has no split '%.32s'; it has: %s", dataset->path, name, names);
}

dcnn_status dcnn_dataset_share(dcnn_comm *comm, const char *path, const char *split_name, dcnn_dataset *dataset,
                               const dcnn_split **split) {
    dcnn_status status = dcnn_dataset_open_together(comm, path, dataset);
    if (status == DCNN_OK) {
        *split = dcnn_dataset_split(dataset, split_name);
        if (*split == NULL)
            status = fail_split(dataset, split_name);
        else if ((*split)->count == 0)
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: the split '%s' has no samples", path, split_name);
    }
    return dcnn_comm_agree(comm, status);
}

const char *const *dcnn_class_names(const dcnn_checkpoint *checkpoint, const dcnn_dataset *dataset) {
    const int count = checkpoint->net->class_count;
    if (checkpoint->class_names && checkpoint->class_count == count)
        return (const char *const *)checkpoint->class_names;
    return dataset && dataset->class_count == count ? (const char *const *)dataset->class_names : NULL;
}

const char *const *dcnn_output_names(const dcnn_checkpoint *checkpoint, const dcnn_dataset *dataset) {
    const int count = checkpoint->net->output_count;
    if (checkpoint->class_names && checkpoint->class_count == count)
        return (const char *const *)checkpoint->class_names;
    return dataset && dataset->target_width == count ? (const char *const *)dataset->target_names : NULL;
}

dcnn_status dcnn_json_print(json_t *json) {
    if (json == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: JSON of the result");
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(json);
    return DCNN_OK;
}
