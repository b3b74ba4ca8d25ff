/* SPDX-License-Identifier: BSD-3-Clause */
/* use_model.c — the public API: a trained model in one process, without MPI. */
#include "dcnn.h"

#include <stdlib.h>
#include <string.h>

#include "model/input.h"
#include "model/model.h"
#include "nn/plan.h"

enum { GRAIN = 16 }; /* as `dcnn predict` has it, so that both give the same bits */

struct dcnn_model {
    dcnn_checkpoint checkpoint;
    dcnn_plan *plan;
    const dcnn_kernels *kernels;
    bool knows_input;
    float scale[DCNN_MAX_CHANNELS], shift[DCNN_MAX_CHANNELS]; /* from bytes to what the net was trained on */
};

static void set_input(dcnn_model *model, const double *mean, const double *std) {
    for (int c = 0; c < model->checkpoint.net->nodes[0].shape.c; c++) {
        model->scale[c] = (float)(1.0 / (255.0 * std[c]));
        model->shift[c] = (float)(-mean[c] / std[c]);
    }
}

static dcnn_status set_up(dcnn_model *model, const char *path) {
    dcnn_isa isa;
    DCNN_TRY(dcnn_isa_choose(&isa));
    DCNN_TRY(dcnn_checkpoint_read(path, &model->checkpoint));
    const dcnn_shape shape = model->checkpoint.net->nodes[0].shape;
    if (shape.rank != 3 || shape.c > DCNN_MAX_CHANNELS)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: the model does not take pictures", path);
    dcnn_input input;
    model->knows_input = dcnn_input_choose(&model->checkpoint, NULL, NULL, NULL, &input) == DCNN_OK;
    if (model->knows_input) set_input(model, input.mean, input.std);
    model->kernels = dcnn_kernels_of(isa);
    const dcnn_plan_options options = {.grain = GRAIN, .slots = 1, .workers = 1, .fuse = true};
    DCNN_TRY(dcnn_plan_create(model->checkpoint.net, model->kernels, &options, &model->plan));
    dcnn_plan_prepare(model->plan, 0);
    return DCNN_OK;
}

dcnn_status dcnn_model_load(const char *path, dcnn_model **out) {
    *out = NULL;
    dcnn_model *model = calloc(1, sizeof *model);
    if (model == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a model");
    dcnn_status status = set_up(model, path);
    if (status != DCNN_OK) {
        dcnn_model_free(model);
        return status;
    }
    *out = model;
    return DCNN_OK;
}

void dcnn_model_shape(const dcnn_model *model, int shape[3], int *class_count) {
    const dcnn_shape input = model->checkpoint.net->nodes[0].shape;
    shape[0] = input.h;
    shape[1] = input.w;
    shape[2] = input.c;
    *class_count = model->checkpoint.net->class_count;
}

dcnn_status dcnn_model_set_input(dcnn_model *model, const double *mean, const double *std) {
    for (int c = 0; c < model->checkpoint.net->nodes[0].shape.c; c++)
        if (!(std[c] > 0.0)) return DCNN_FAIL(DCNN_USAGE, "dcnn_model_set_input: a deviation of %g", std[c]);
    set_input(model, mean, std);
    model->knows_input = true;
    return DCNN_OK;
}

dcnn_status dcnn_model_predict(dcnn_model *model, int64_t count, const uint8_t *images, float *probabilities) {
    const dcnn_shape input = model->checkpoint.net->nodes[0].shape;
    const size_t pixels = (size_t)input.h * (size_t)input.w, classes = (size_t)model->checkpoint.net->class_count;
    if (count < 0) return DCNN_FAIL(DCNN_USAGE, "dcnn_model_predict: %lld images", (long long)count);
    if (!model->knows_input)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "the model file does not say which pictures it expects (Keras wrote it): say it "
                         "by dcnn_model_set_input(), with mean 0 and std 1 for x / 255");
    for (int64_t first = 0; first < count; first += GRAIN) {
        double no_sums[DCNN_LOSS_SUMS];
        const dcnn_grain grain = {.n = (int)(count - first < GRAIN ? count - first : GRAIN), .sums = no_sums};
        model->kernels->normalise((size_t)grain.n * pixels, input.c, images + (size_t)first * pixels * (size_t)input.c,
                                  model->scale, model->shift, dcnn_plan_input(model->plan, 0));
        dcnn_plan_run(model->plan, 0, 0, 0, &grain);
        dcnn_net_probabilities(model->checkpoint.net, (size_t)grain.n, dcnn_plan_output(model->plan, 0),
                               probabilities + (size_t)first * classes);
    }
    return DCNN_OK;
}

void dcnn_model_free(dcnn_model *model) {
    if (model == NULL) return;
    dcnn_plan_free(model->plan);
    dcnn_checkpoint_free(&model->checkpoint);
    free(model);
}
