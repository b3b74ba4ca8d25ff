/* SPDX-License-Identifier: BSD-3-Clause */
/* use_model.c — the public API: a trained model in one process, without MPI. */
#include "dcnn.h"

#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "nn/plan.h"

enum { GRAIN = 16 }; /* as `dcnn predict` has it, so that both give the same bits */

struct dcnn_model {
    dcnn_checkpoint checkpoint;
    dcnn_plan *plan;
    const dcnn_kernels *kernels;
    float scale[DCNN_MAX_CHANNELS], shift[DCNN_MAX_CHANNELS]; /* from bytes to what the net was trained on */
};

static dcnn_status set_up(dcnn_model *model, const char *path) {
    dcnn_isa isa;
    DCNN_TRY(dcnn_isa_choose(&isa));
    DCNN_TRY(dcnn_checkpoint_read(path, &model->checkpoint));
    const dcnn_shape shape = model->checkpoint.net->nodes[0].shape;
    if (shape.rank != 3 || shape.c > DCNN_MAX_CHANNELS)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: the model does not take pictures", path);
    for (int c = 0; c < shape.c; c++) { /* a model that Keras wrote tells nothing of its inputs: bytes / 255 then */
        const double std = model->checkpoint.normalised ? model->checkpoint.std[c] : 1.0;
        const double mean = model->checkpoint.normalised ? model->checkpoint.mean[c] : 0.0;
        model->scale[c] = (float)(1.0 / (255.0 * (std > 0.0 ? std : 1.0)));
        model->shift[c] = (float)(-mean / (std > 0.0 ? std : 1.0));
    }
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

dcnn_status dcnn_model_predict(dcnn_model *model, int64_t count, const uint8_t *images, float *probabilities) {
    const dcnn_shape input = model->checkpoint.net->nodes[0].shape;
    const size_t pixels = (size_t)input.h * (size_t)input.w, classes = (size_t)model->checkpoint.net->class_count;
    if (count < 0) return DCNN_FAIL(DCNN_USAGE, "dcnn_model_predict: %lld images", (long long)count);
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
