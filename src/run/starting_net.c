/* SPDX-License-Identifier: BSD-3-Clause */
/* starting_net.c — see starting_net.h. */
#include "run/starting_net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/text.h"
#include "io/hdf5/hdf5_file.h"
#include "io/kind.h"
#include "model/keras_archive.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "run/record/run_folder.h"

const double dcnn_averages_missing = 0.05;

double dcnn_momentum_for(int64_t steps) {
    const double momentum = floor(100.0 * (1.0 - 20.0 / (double)(steps > 0 ? steps : 1)) + 0.5) / 100.0;
    return fmin(0.99, fmax(0.5, momentum));
}

static json_t *layers_of(const json_t *description) {
    return json_object_get(json_object_get(description, "config"), "layers");
}

/* The recipe's net takes any data: its input shape and its last layer's units are set to fit. */
static dcnn_status fit_recipe(json_t *description, const dcnn_dataset *dataset, const dcnn_task *task) {
    json_t *layers = layers_of(description);
    json_t *input = json_object_get(json_array_get(layers, 0), "config");
    json_t *last = json_object_get(json_array_get(layers, json_array_size(layers) - 1), "config");
    if (input == NULL || last == NULL) return DCNN_FAIL(DCNN_BAD_INPUT, "the recipe's model has no layers");
    json_object_set_new(input, "batch_shape", json_pack("[n,i,i,i]", dataset->h, dataset->w, dataset->c));
    json_object_set_new(last, "units", json_integer(task->units));
    json_object_set_new(last, "activation", json_string(dcnn_task_activation(task)));
    return DCNN_OK;
}

/* The last layer that has units, if behind it stand only activations. One that is left open takes the activation too,
 * if it is the last of all. */
static void fit_units(json_t *description, int wanted, const char *activation) {
    json_t *layers = layers_of(description);
    for (size_t i = json_array_size(layers); i-- > 0;) {
        json_t *layer = json_array_get(layers, i), *config = json_object_get(layer, "config");
        const char *kind = json_string_value(json_object_get(layer, "class_name"));
        if (kind && strcmp(kind, "Dense") == 0) {
            const json_t *units = json_object_get(config, "units");
            if (config == NULL && json_object_set_new(layer, "config", config = json_object()) != 0) return;
            if (units && !json_is_null(units)) return;
            json_object_set_new(config, "units", json_integer(wanted));
            if (activation && i + 1 == json_array_size(layers))
                json_object_set_new(config, "activation", json_string(activation));
            return;
        }
        if (kind == NULL || (strcmp(kind, "Softmax") != 0 && strcmp(kind, "Activation") != 0)) return;
    }
}

bool dcnn_has_weights(const char *model) {
    const dcnn_kind_id kind = model ? dcnn_kind_of_file(model) : DCNN_KIND_UNKNOWN;
    return kind == DCNN_KIND_HDF5 || kind == DCNN_KIND_KERAS || kind == DCNN_KIND_ONNX;
}

dcnn_status dcnn_net_of_file(const char *model, dcnn_shape input, int units, const char *activation, dcnn_net **net) {
    json_t *description = NULL;
    *net = NULL;
    if (dcnn_has_weights(model)) {
        dcnn_checkpoint file;
        const dcnn_status status = dcnn_checkpoint_read(model, &file);
        if (status == DCNN_OK) *net = file.net;
        if (status == DCNN_OK) file.net = NULL;
        dcnn_checkpoint_free(&file);
        return status;
    }
    dcnn_status status = dcnn_description_read(model, &description);
    if (status == DCNN_OK) {
        fit_units(description, units, activation);
        status = dcnn_net_create(description, input, net);
        if (status != DCNN_OK) dcnn_error_prefix("%s", model);
    }
    json_decref(description);
    return status;
}

/* The images that a file says it expects, and its classes. */
static void take_knowledge(dcnn_checkpoint *file, dcnn_checkpoint *into) {
    into->normalised = file->normalised;
    into->blue_first = file->blue_first;
    memcpy(into->mean, file->mean, sizeof file->mean);
    memcpy(into->std, file->std, sizeof file->std);
    into->class_count = file->class_count;
    into->class_names = file->class_names;
    file->class_names = NULL;
}

static dcnn_status read_weights(const char *model, dcnn_checkpoint *into) {
    dcnn_checkpoint start;
    DCNN_TRY(dcnn_checkpoint_read(model, &start));
    into->net = start.net;
    start.net = NULL;
    take_knowledge(&start, into);
    if (start.compiled[0]) dcnn_info("model %s", start.compiled);
    dcnn_checkpoint_free(&start);
    return DCNN_OK;
}

/* Those of a whole model would be read for nothing, or not at all. */
static dcnn_status check_weights(const char *model, const char *weights) {
    if (dcnn_has_weights(model))
        return DCNN_FAIL(DCNN_USAGE,
                         "--weights %s: the --model %s has weights of its own; leave out --weights, or give the "
                         "model's description (.json) as --model",
                         weights, model);
    const dcnn_kind_id kind = dcnn_kind_of_file(weights);
    char word[DCNN_SHELL_WORD];
    if (kind == DCNN_KIND_KERAS || kind == DCNN_KIND_ONNX ||
        (kind == DCNN_KIND_HDF5 && dcnn_hdf5_has_attribute(weights, "model_config")))
        return DCNN_FAIL(DCNN_USAGE,
                         "--weights %s: is a whole model, not weights alone; give it as --model %s, without --weights",
                         weights, dcnn_shell_word(weights, word, sizeof word));
    return DCNN_OK;
}

/* Weights for a description; a file that says which images they are of is believed. */
static dcnn_status read_weights_alone(const char *path, dcnn_checkpoint *into) {
    dcnn_checkpoint start = {.net = into->net, .class_count = into->net->class_count};
    dcnn_status status = dcnn_kind_of_file(path) == DCNN_KIND_SAFETENSORS ? dcnn_safetensors_read(path, &start)
                                                                          : dcnn_keras_weights_read(path, &start);
    take_knowledge(&start, into);
    start.net = NULL;
    dcnn_checkpoint_free(&start);
    return status;
}

/* Three valid convolutions and three poolings need as much: 22, 20, 10, 8, 4, 2, 1. */
static dcnn_status check_size(const dcnn_dataset *dataset) {
    enum { LEAST = 22 };
    if (dataset->h >= LEAST && dataset->w >= LEAST) return DCNN_OK;
    char *small = dcnn_data_path("models/small.json"), word[DCNN_SHELL_WORD];
    const dcnn_status status =
        DCNN_FAIL(DCNN_BAD_INPUT,
                  "images of %dx%d are too small for the recipe's network, which needs %dx%d: --model %s takes them",
                  dataset->h, dataset->w, LEAST, LEAST, small ? dcnn_shell_word(small, word, sizeof word) : "FILE");
    free(small);
    return status;
}

/* What the user wants changed in it. */
static dcnn_status edit_net(const dcnn_train_options *options, const dcnn_task *task, dcnn_net **net) {
    const bool values = options->replace_head && task->values;
    const dcnn_net_edit edit = {.freeze = options->freeze,
                                .unfreeze = options->unfreeze,
                                .freeze_below = options->freeze_below,
                                .train_last = (int)options->train_last,
                                .head_units = options->replace_head ? task->units : 0,
                                .head_numbers = values && task->loss != DCNN_LOSS_BINARY,
                                .head_labels = options->replace_head && task->loss == DCNN_LOSS_BINARY,
                                .seed = options->seed};
    if (options->replace_head && !dcnn_has_weights(options->model))
        return DCNN_FAIL(DCNN_USAGE, "--replace-head is for a --model with weights (.keras, .h5)");
    return dcnn_net_edit_apply(&edit, net);
}

dcnn_status dcnn_starting_net(const dcnn_train_options *options, const dcnn_dataset *dataset, const dcnn_task *task,
                              dcnn_checkpoint *into) {
    const char *model = options->model;
    const dcnn_shape shape = {3, dataset->h, dataset->w, dataset->c};
    dcnn_status status = DCNN_OK;
    dcnn_net **net = &into->net;
    char crops[256];
    *net = NULL;
    if (options->weights) DCNN_TRY(check_weights(model, options->weights));
    if (dcnn_has_weights(model)) {
        status = read_weights(model, into);
    } else {
        char *path = model ? strdup(model) : dcnn_data_path("models/digits.json");
        json_t *description = NULL;
        status = path ? dcnn_description_read(path, &description)
                      : DCNN_FAIL(DCNN_BAD_INPUT, "the recipe's model is not installed: name one by --model, "
                                                  "or set DCNN_DATA to dcnn's data folder");
        if (status == DCNN_OK && model == NULL) status = check_size(dataset);
        if (status == DCNN_OK && model == NULL)
            status = fit_recipe(description, dataset, task);
        else if (status == DCNN_OK)
            fit_units(description, task->units, task->loss == DCNN_LOSS_COUNT ? NULL : dcnn_task_activation(task));
        if (status == DCNN_OK) {
            status = dcnn_net_create(description, shape, net);
            if (status != DCNN_OK) dcnn_error_prefix("%s", path);
        }
        if (status == DCNN_OK) dcnn_net_initialise(*net, options->seed);
        if (status == DCNN_OK && options->weights) status = read_weights_alone(options->weights, into);
        json_decref(description);
        free(path);
    }
    if (status == DCNN_OK && options->precision) dcnn_net_set_bf16(*net, strcmp(options->precision, "bf16") == 0);
    if (status == DCNN_OK) status = edit_net(options, task, net);
    if (status == DCNN_OK && options->bn_momentum > 0) dcnn_net_set_momentum(*net, options->bn_momentum);
    const bool crop = status == DCNN_OK && dcnn_net_crops(*net, crops);
    if (crop) status = dcnn_net_settle_crops(net);
    if (crop && status == DCNN_OK) dcnn_info("model %s, but for the Resizing that stands behind it now", crops);
    return status;
}

/* --- later phases ------------------------------------------------------------------------------------------------- */

static dcnn_status edit_for_phase(const dcnn_train_options *phase, dcnn_net **net) {
    const dcnn_net_edit edit = {.freeze = phase->freeze,
                                .unfreeze = phase->unfreeze,
                                .freeze_below = phase->freeze_below,
                                .train_last = (int)phase->train_last,
                                .seed = phase->seed};
    const dcnn_status status = dcnn_net_edit_apply(&edit, net);
    if (status != DCNN_OK) dcnn_error_prefix("--then");
    if (status == DCNN_OK && phase->bn_momentum > 0) dcnn_net_set_momentum(*net, phase->bn_momentum);
    return status;
}

dcnn_status dcnn_phases_check(const dcnn_net *net, const dcnn_train_options *options) {
    dcnn_net *copy;
    if (options->next == NULL) return DCNN_OK;
    DCNN_TRY(dcnn_net_copy(net, &copy));
    dcnn_status status = DCNN_OK;
    for (const dcnn_train_options *phase = options->next; phase && status == DCNN_OK; phase = phase->next)
        status = edit_for_phase(phase, &copy);
    dcnn_net_free(copy);
    return status;
}

dcnn_status dcnn_phase_begin(const char *folder, int64_t step, const dcnn_train_options *phase, dcnn_checkpoint *from) {
    char *path = dcnn_checkpoint_path(folder, step);
    *from = (dcnn_checkpoint){0};
    if (path == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    dcnn_status status = dcnn_checkpoint_read(path, from);
    free(path);
    if (status == DCNN_OK) status = edit_for_phase(phase, &from->net);
    dcnn_block_free(from->m);
    dcnn_block_free(from->v);
    dcnn_block_free(from->average);
    from->m = from->v = from->average = NULL;
    dcnn_progress *p = &from->progress;
    p->phase++;
    p->phase_epoch = p->epoch;
    p->phase_step = p->step;
    p->descent_epoch = 0;
    p->plateau_epochs = p->plateau_wait = p->plateau_cooldown = 0;
    p->plateau_best = p->plateau_rate = 0.0;
    return status;
}
