/* SPDX-License-Identifier: BSD-3-Clause */
/* model.c — the public API: a model in one process, without MPI. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "api/api.h"
#include "base/largest.h"
#include "nn/net_edit.h"

/* --- making ------------------------------------------------------------------------------------------------------- */

static dcnn_shape shape_of(const dcnn_model *model) {
    return model->checkpoint.net->nodes[0].shape;
}

static size_t values_of(const dcnn_model *model) {
    const dcnn_shape shape = shape_of(model);
    return (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
}

/* What follows from the checkpoint: kernels, and how inputs are made of bytes. */
static dcnn_status set_up(dcnn_model *model) {
    dcnn_isa isa;
    DCNN_TRY(dcnn_isa_choose(&isa));
    model->kernels = dcnn_kernels_of(isa);
    const dcnn_shape shape = shape_of(model);
    if (shape.rank != 3 || shape.c > DCNN_MAX_CHANNELS)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model does not take images");
    dcnn_input input; /* what is not known here, dcnn_model_predict() refuses */
    if (dcnn_input_choose(&model->checkpoint, NULL, NULL, NULL, &input) != DCNN_OK) return DCNN_OK;
    DCNN_TRY(dcnn_model_set_inputs(model, input.mean, input.std));
    model->checkpoint.blue_first = input.blue_first;
    return DCNN_OK;
}

/* Hands a model over, or frees it. */
static dcnn_status give(dcnn_model *model, dcnn_status status, dcnn_model **out) {
    if (status == DCNN_OK)
        *out = model;
    else
        dcnn_model_free(model);
    return status;
}

dcnn_status dcnn_model_load(const char *path, dcnn_model **out) {
    *out = NULL;
    dcnn_model *model = calloc(1, sizeof *model);
    if (model == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a model");
    dcnn_status status = dcnn_checkpoint_read(path, &model->checkpoint);
    if (status == DCNN_OK) status = dcnn_net_settle_crops(&model->checkpoint.net);
    if (status == DCNN_OK) {
        status = set_up(model);
        if (status != DCNN_OK) dcnn_error_prefix("%s", path);
    }
    return give(model, status, out);
}

dcnn_status dcnn_model_create(const char *json, const int shape[3], uint64_t seed, dcnn_model **out) {
    json_error_t error;
    *out = NULL;
    for (int i = 0; shape && i < 3; i++)
        if (shape[i] < 1 || shape[i] > 1 << 16)
            return DCNN_FAIL(DCNN_BAD_INPUT, "a model cannot take inputs of shape (%d, %d, %d)", shape[0], shape[1],
                             shape[2]);
    json_t *description;
    const dcnn_status parsed = dcnn_json_parse(json, strlen(json), JSON_REJECT_DUPLICATES, &description, &error);
    if (parsed == DCNN_FAILURE) return parsed;
    if (parsed != DCNN_OK)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model's description, line %d: %s", error.line, error.text);
    const dcnn_shape input = shape ? (dcnn_shape){3, shape[0], shape[1], shape[2]} : (dcnn_shape){0};
    dcnn_model *model = calloc(1, sizeof *model);
    dcnn_status status = model ? dcnn_net_create(description, input, &model->checkpoint.net)
                               : DCNN_FAIL(DCNN_FAILURE, "out of memory: a model");
    json_decref(description);
    if (status == DCNN_OK) status = dcnn_net_settle_crops(&model->checkpoint.net);
    if (status == DCNN_OK) {
        dcnn_net_initialise(model->checkpoint.net, seed);
        model->checkpoint.normalised = true; /* as byte / 255 */
        for (int c = 0; c < DCNN_MAX_CHANNELS; c++) model->checkpoint.std[c] = 1.0;
        status = set_up(model);
    }
    return give(model, status, out);
}

dcnn_status dcnn_model_set_inputs(dcnn_model *model, const double *mean, const double *std) {
    const int channels = shape_of(model).c;
    for (int c = 0; c < channels; c++)
        if (!isfinite(mean[c]) || !isfinite(std[c]) || std[c] <= 0.0)
            return DCNN_FAIL(DCNN_USAGE,
                             "mean %g and standard deviation %g of channel %d: both must be finite, and the "
                             "deviation above 0",
                             mean[c], std[c], c);
    for (int c = 0; c < channels; c++) {
        model->checkpoint.mean[c] = mean[c];
        model->checkpoint.std[c] = std[c];
    }
    dcnn_input_scale(channels, mean, std, model->scale, model->shift);
    model->checkpoint.normalised = true;
    model->checkpoint.blue_first = false;
    return DCNN_OK;
}

static void free_names(int count, char **names) {
    for (int i = 0; i < count && names; i++) free(names[i]);
    free(names);
}

static void forget_names(dcnn_checkpoint *checkpoint) {
    free_names(checkpoint->class_count, checkpoint->class_names);
    checkpoint->class_names = NULL;
    checkpoint->class_count = 0;
}

dcnn_status dcnn_model_set_classes(dcnn_model *model, const char *const *names) {
    dcnn_checkpoint *c = &model->checkpoint;
    const int count = c->net->class_count;
    if (count == 0) return DCNN_FAIL(DCNN_USAGE, "the model gives numbers, so there are no classes to name");
    char **copies = calloc((size_t)count, sizeof *copies);
    bool good = copies != NULL;
    for (int i = 0; i < count && good; i++) {
        if (names[i] == NULL) {
            free_names(count, copies);
            return DCNN_FAIL(DCNN_USAGE, "class %d of %d has no name", i, count);
        }
        good = (copies[i] = strdup(names[i])) != NULL;
    }
    if (!good) {
        free_names(count, copies);
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: class names");
    }
    forget_names(c); /* only now: some may be among those given */
    c->class_names = copies;
    c->class_count = count;
    return DCNN_OK;
}

dcnn_status dcnn_model_save(const dcnn_model *model, const char *path) {
    dcnn_checkpoint bare = model->checkpoint; /* its moments are not those of these weights */
    bare.m = bare.v = bare.average = NULL;
    return dcnn_checkpoint_write(path, &bare, NULL);
}

void dcnn_model_free(dcnn_model *model) {
    if (model == NULL) return;
    dcnn_plan_free(model->plan);
    dcnn_checkpoint_free(&model->checkpoint);
    free(model);
}

/* --- what it is like ---------------------------------------------------------------------------------------------- */

const char *dcnn_version(void) {
    return DCNN_VERSION;
}

void dcnn_model_shape(const dcnn_model *model, int shape[3], int *class_count) {
    const dcnn_shape input = shape_of(model);
    shape[0] = input.h;
    shape[1] = input.w;
    shape[2] = input.c;
    *class_count = model->checkpoint.net->class_count;
}

const char *dcnn_model_class(const dcnn_model *model, int class_number) {
    const dcnn_checkpoint *c = &model->checkpoint;
    if (c->class_names == NULL || class_number < 0 || class_number >= c->class_count) return NULL;
    return c->class_names[class_number];
}

/* --- using it ----------------------------------------------------------------------------------------------------- */

static dcnn_status check_bytes(const dcnn_model *model) {
    if (model->checkpoint.normalised) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE, "the model file does not say how its inputs were standardised (Keras wrote it): call "
                                 "dcnn_model_set_inputs(), or give floats");
}

/* What the outputs are, a loss that dcnn does not have leaves open where the last layer does not say it; and no loss
 * can be computed. */
static dcnn_status check_loss(const dcnn_model *model, bool computes) {
    const dcnn_checkpoint *c = &model->checkpoint;
    const bool open = dcnn_net_output_activation(c->net) == DCNN_LINEAR;
    if (c->unknown_loss[0] == '\0' || (!open && !computes)) return DCNN_OK;
    return DCNN_FAIL(
        DCNN_USAGE,
        "the model was compiled with the loss %s, which dcnn does not have%s: say by dcnn_model_set_loss() "
        "which one is meant",
        c->unknown_loss, open ? ", and its last layer does not say what its outputs are" : "");
}

dcnn_status dcnn_model_check_training(const dcnn_model *model) {
    if (model->in_training) return DCNN_FAIL(DCNN_USAGE, "the model is being trained already: end that training first");
    DCNN_TRY(check_loss(model, true));
    if (model->checkpoint.net->untrainable[0] == '\0') return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "the model cannot be trained: %s", model->checkpoint.net->untrainable);
}

bool dcnn_model_takes_targets(const dcnn_model *model) {
    const dcnn_net *net = model->checkpoint.net;
    return net->class_count == 0 || (net->loss.kind == DCNN_LOSS_BINARY && net->output_count > 1);
}

dcnn_status dcnn_model_set_loss(dcnn_model *model, const char *name) {
    const dcnn_loss loss = {.kind = dcnn_loss_find(name)};
    if (model->in_training) return DCNN_FAIL(DCNN_USAGE, "the model is being trained: set its loss before that");
    if (loss.kind == DCNN_LOSS_COUNT) return DCNN_FAIL(DCNN_USAGE, "there is no loss '%.60s'", name);
    if (dcnn_net_set_loss(model->checkpoint.net, &loss) != DCNN_OK) return DCNN_USAGE;
    if (strstr(model->checkpoint.net->untrainable, "compiled with the loss"))
        model->checkpoint.net->untrainable[0] = '\0';
    model->checkpoint.unknown_loss[0] = '\0';
    forget_names(&model->checkpoint);
    dcnn_plan_free(model->plan);
    model->plan = NULL;
    return DCNN_OK;
}

int dcnn_model_outputs(const dcnn_model *model) {
    return dcnn_net_prediction_count(model->checkpoint.net);
}

dcnn_status dcnn_model_check_batch(const dcnn_model *model, const dcnn_batch *batch) {
    const int classes = model->checkpoint.net->class_count;
    DCNN_TRY(check_loss(model, true));
    if (batch->count < 0) return DCNN_FAIL(DCNN_USAGE, "a batch cannot have %lld samples", (long long)batch->count);
    if (dcnn_model_takes_targets(model)) {
        if (batch->targets == NULL || batch->labels)
            return DCNN_FAIL(DCNN_USAGE,
                             "training and evaluation of a model of numbers or several labels need targets");
    } else if (batch->labels == NULL || batch->targets) {
        return DCNN_FAIL(DCNN_USAGE, "training and evaluation need labels");
    }
    if ((batch->images == NULL) == (batch->inputs == NULL))
        return DCNN_FAIL(DCNN_USAGE, "a batch has either images or inputs, not both or neither");
    if (batch->images) DCNN_TRY(check_bytes(model));
    for (int64_t i = 0; i < batch->count * model->checkpoint.net->output_count && batch->targets; i++)
        if (!isfinite(batch->targets[i]))
            return DCNN_FAIL(DCNN_BAD_INPUT, "target %lld of sample %lld is infinite or not a number",
                             (long long)i % model->checkpoint.net->output_count,
                             (long long)i / model->checkpoint.net->output_count);
    for (int64_t i = 0; i < batch->count && batch->labels; i++)
        if (batch->labels[i] < 0 || batch->labels[i] >= classes)
            return DCNN_FAIL(DCNN_BAD_INPUT, "the label of sample %lld is %d, but there are %d classes, from 0",
                             (long long)i, (int)batch->labels[i], classes);
    return DCNN_OK;
}

void dcnn_model_fill(const dcnn_model *model, const dcnn_batch *batch, int64_t first, int n, float *inputs) {
    const dcnn_shape shape = shape_of(model);
    const size_t values = values_of(model), pixels = (size_t)shape.h * (size_t)shape.w;
    if (batch->images) {
        model->kernels->normalise((size_t)n * pixels, shape.c, batch->images + (size_t)first * values, model->scale,
                                  model->shift, inputs);
        if (model->checkpoint.blue_first) dcnn_input_turn((size_t)n * pixels, inputs);
    } else {
        memcpy(inputs, batch->inputs + (size_t)first * values, (size_t)n * values * sizeof *inputs);
    }
}

/* The plan of inference, with the present weights. */
static dcnn_status get_ready(dcnn_model *model) {
    const dcnn_plan_options options = {.grain = DCNN_GRAIN, .slots = 1, .workers = 1, .fuse = true};
    if (model->plan && !model->stale) return DCNN_OK;
    if (model->plan == NULL) DCNN_TRY(dcnn_plan_create(model->checkpoint.net, model->kernels, &options, &model->plan));
    dcnn_plan_prepare(model->plan, 0);
    model->stale = false;
    return DCNN_OK;
}

static dcnn_status predict(dcnn_model *model, const dcnn_batch *batch, float *probabilities) {
    const size_t columns = (size_t)dcnn_model_outputs(model);
    DCNN_TRY(check_loss(model, false));
    DCNN_TRY(get_ready(model));
    for (int64_t first = 0; first < batch->count; first += DCNN_GRAIN) {
        double no_sums[DCNN_LOSS_SUMS];
        const int n = (int)(batch->count - first < DCNN_GRAIN ? batch->count - first : DCNN_GRAIN);
        const dcnn_grain grain = {.n = n, .sums = no_sums};
        dcnn_model_fill(model, batch, first, n, dcnn_plan_input(model->plan, 0));
        dcnn_plan_run(model->plan, 0, 0, 0, &grain);
        dcnn_net_probabilities(model->checkpoint.net, (size_t)n, dcnn_plan_output(model->plan, 0),
                               probabilities + (size_t)first * columns);
    }
    return DCNN_OK;
}

dcnn_status dcnn_model_predict(dcnn_model *model, int64_t count, const uint8_t *images, float *probabilities) {
    if (count < 0)
        return DCNN_FAIL(DCNN_USAGE, "dcnn_model_predict: the number of images cannot be %lld", (long long)count);
    DCNN_TRY(check_bytes(model));
    return predict(model, &(dcnn_batch){.count = count, .images = images}, probabilities);
}

dcnn_status dcnn_model_predict_floats(dcnn_model *model, int64_t count, const float *inputs, float *probabilities) {
    if (count < 0)
        return DCNN_FAIL(DCNN_USAGE, "dcnn_model_predict_floats: the number of inputs cannot be %lld",
                         (long long)count);
    return predict(model, &(dcnn_batch){.count = count, .inputs = inputs}, probabilities);
}

dcnn_status dcnn_model_evaluate(dcnn_model *model, const dcnn_batch *batch, dcnn_score *score) {
    const int outputs = model->checkpoint.net->output_count;
    DCNN_TRY(dcnn_model_check_batch(model, batch));
    DCNN_TRY(get_ready(model));
    *score = (dcnn_score){.count = batch->count};
    for (int64_t first = 0; first < batch->count; first += DCNN_GRAIN) {
        double sums[DCNN_LOSS_SUMS] = {0};
        const int n = (int)(batch->count - first < DCNN_GRAIN ? batch->count - first : DCNN_GRAIN);
        const dcnn_grain grain = {.n = n,
                                  .targets = {.labels = batch->labels ? batch->labels + first : NULL,
                                              .values = batch->targets ? batch->targets + first * outputs : NULL},
                                  .sums = sums};
        dcnn_model_fill(model, batch, first, n, dcnn_plan_input(model->plan, 0));
        dcnn_plan_run(model->plan, 0, 0, 0, &grain);
        score->correct += (int64_t)sums[DCNN_SUM_CORRECT];
        score->loss += sums[DCNN_SUM_LOSS] / (double)batch->count;
        score->absolute += sums[DCNN_SUM_ABSOLUTE] / (double)batch->count;
    }
    return DCNN_OK;
}
