/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keras_peer.c — dcnn's side of tools/check_keras, which explains what is compared.
 *
 *   keras_peer write DESCRIPTION.json MODEL.h5           a model as after some steps, its values drawn at random
 *   keras_peer predict MODEL.h5 IN.bin OUT.bin           float32 samples, one behind the other -> probabilities
 *   keras_peer step MODEL.h5 IN.bin LABELS.bin OUT.h5    one training step on all samples as one batch (labels: int32)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/random.h"
#include "model/model.h"
#include "nn/plan/plan.h"

enum { SEED = 20, STEPS_DONE = 6, GRAIN = 16 };

static const dcnn_optimizer adam = {.learning_rate = 2e-3, .beta1 = 0.85, .beta2 = 0.99, .epsilon = 1e-5};

/* Samples in memory and a plan for them. */
typedef struct batch {
    dcnn_checkpoint model;
    dcnn_plan *plan;
    uint8_t *inputs, *labels; /* float [n, ...] and int32 [n] as the files have them */
    size_t floats;            /* of a sample */
    int64_t n, grains;
} batch;

static void fill_between(float *values, size_t count, int64_t stream, double low, double high) {
    for (size_t i = 0; i < count; i++)
        values[i] =
            (float)dcnn_random_between(dcnn_random(SEED, DCNN_RANDOM_INIT, (uint32_t)i, stream, 7).word[0], low, high);
}

static dcnn_status write_model(const char *description_path, const char *path) {
    json_t *description;
    dcnn_checkpoint made = {.progress.step = STEPS_DONE};
    dcnn_status status = dcnn_description_read(description_path, &description);
    if (status != DCNN_OK) return status;
    status = dcnn_net_create(description, (dcnn_shape){0}, &made.net);
    json_decref(description);
    if (status != DCNN_OK) return status;
    const dcnn_net *net = made.net;
    DCNN_TRY_DONE(dcnn_block_create(net->param_count * sizeof(float), "m", (void **)&made.m));
    DCNN_TRY_DONE(dcnn_block_create(net->param_count * sizeof(float), "v", (void **)&made.v));
    dcnn_net_initialise(made.net, SEED);
    fill_between(net->state, net->state_count, 0, 0.2, 0.9);
    fill_between(made.m, net->param_count, 1, -0.02, 0.02);
    fill_between(made.v, net->param_count, 2, 1e-4, 7e-4);
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            if (param->trainable && param->rank == 1) /* else zeros and ones would hide a mix-up */
                fill_between(dcnn_net_values(net, param), param->count, 3 + 4 * i + j, 0.1, 0.6);
        }
    status = dcnn_checkpoint_write(path, &made, &adam);
done:
    dcnn_checkpoint_free(&made);
    return status;
}

/* --- running ---------------------------------------------------------------------------------------------------- */

static dcnn_status open_batch(const char *model, const char *inputs, const char *labels, batch *b) {
    size_t bytes, label_bytes;
    *b = (batch){0};
    DCNN_TRY(dcnn_checkpoint_read(model, &b->model));
    DCNN_TRY(dcnn_file_read(inputs, &b->inputs, &bytes));
    if (labels) DCNN_TRY(dcnn_file_read(labels, &b->labels, &label_bytes));
    b->floats = dcnn_shape_count(b->model.net->nodes[0].shape);
    b->n = (int64_t)(bytes / (b->floats * sizeof(float)));
    b->grains = (b->n + GRAIN - 1) / GRAIN;
    if (labels && label_bytes != (size_t)b->n * sizeof(int32_t))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: not one label for each of %lld samples", labels, (long long)b->n);
    const dcnn_plan_options options = {
        .grain = GRAIN, .slots = labels ? (int)b->grains : 1, .workers = 1, .training = labels != NULL, .fuse = true};
    DCNN_TRY(dcnn_plan_create(b->model.net, dcnn_kernels_of(dcnn_isa_best()), &options, &b->plan));
    dcnn_plan_prepare(b->plan, 0);
    return DCNN_OK;
}

static void close_batch(batch *b) {
    dcnn_plan_free(b->plan);
    dcnn_checkpoint_free(&b->model);
    free(b->inputs);
    free(b->labels);
}

static dcnn_grain grain_of(const batch *b, int64_t index) {
    const int64_t left = b->n - index * GRAIN;
    return (dcnn_grain){.n = (int)(left < GRAIN ? left : GRAIN)};
}

static void put_inputs(const batch *b, int slot, int64_t grain) {
    const size_t bytes = b->floats * sizeof(float);
    memcpy(dcnn_plan_input(b->plan, slot), b->inputs + (size_t)grain * GRAIN * bytes,
           (size_t)grain_of(b, grain).n * bytes);
}

static dcnn_status predict(const char *model, const char *inputs, const char *output) {
    batch b;
    float *probabilities = NULL;
    dcnn_status status;
    DCNN_TRY_DONE(open_batch(model, inputs, NULL, &b));
    const size_t classes = (size_t)b.model.net->class_count;
    DCNN_TRY_DONE(dcnn_block_create((size_t)b.n * classes * sizeof(float), "results", (void **)&probabilities));
    for (int64_t g = 0; g < b.grains; g++) {
        const dcnn_grain grain = grain_of(&b, g);
        put_inputs(&b, 0, g);
        dcnn_plan_run(b.plan, 0, 0, 0, &grain);
        memcpy(probabilities + (size_t)g * GRAIN * classes, dcnn_plan_output(b.plan, 0),
               (size_t)grain.n * classes * sizeof(float));
    }
    status = dcnn_file_write(output, probabilities, (size_t)b.n * classes * sizeof(float), false);
done:
    dcnn_block_free(probabilities);
    close_batch(&b);
    return status;
}

/* All stages. `gradients`: one vector a grain; the first holds their sum at the end. */
static void run_stages(const batch *b, const int64_t *samples, float *gradients, double *sums, double *totals) {
    const dcnn_net *net = b->model.net;
    for (int stage = 0; stage < dcnn_plan_stage_count(b->plan); stage++) {
        const int count = dcnn_plan_sum_count(b->plan, stage);
        memset(totals, 0, (size_t)count * sizeof *totals);
        for (int64_t g = 0; g < b->grains; g++) {
            dcnn_grain grain = grain_of(b, g);
            grain.samples = samples + g * GRAIN;
            grain.targets.labels = (const int32_t *)(const void *)b->labels + g * GRAIN;
            grain.dparams = gradients + (size_t)g * net->param_count;
            grain.sums = sums;
            if (stage == 0) put_inputs(b, (int)g, g);
            dcnn_plan_run(b->plan, stage, (int)g, 0, &grain);
            for (int i = 0; i < count; i++) totals[i] += sums[i];
        }
        dcnn_plan_agreed(b->plan, stage, totals, b->n);
    }
    for (int64_t g = 1; g < b->grains; g++)
        for (size_t i = 0; i < net->param_count; i++) gradients[i] += gradients[(size_t)g * net->param_count + i];
}

static dcnn_status train_step(const char *model, const char *inputs, const char *labels, const char *output) {
    batch b;
    float *gradients = NULL;
    double *sums = NULL;
    int64_t *samples = NULL;
    dcnn_status status;
    DCNN_TRY_DONE(open_batch(model, inputs, labels, &b));
    dcnn_checkpoint *m = &b.model;
    if (!m->resumable) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: has no moments", model);
        goto done;
    }
    const size_t count = m->net->param_count, sum_count = (size_t)dcnn_plan_sum_count_max(b.plan);
    DCNN_TRY_DONE(dcnn_block_create((size_t)b.grains * count * sizeof(float), "gradients", (void **)&gradients));
    DCNN_TRY_DONE(dcnn_block_create(2 * sum_count * sizeof(double), "sums", (void **)&sums));
    DCNN_TRY_DONE(dcnn_block_create((size_t)b.n * sizeof *samples, "samples", (void **)&samples));
    run_stages(&b, samples, gradients, sums, sums + sum_count);
    const dcnn_adam_step step = dcnn_adam_at(&adam, ++m->progress.step, b.n);
    dcnn_kernels_of(dcnn_isa_best())->adam(count, &step, gradients, m->m, m->v, m->net->params);
    status = dcnn_checkpoint_write(output, m, &adam);
done:
    dcnn_block_free(gradients);
    dcnn_block_free(sums);
    dcnn_block_free(samples);
    close_batch(&b);
    return status;
}

int main(int argc, char **argv) {
    dcnn_status status = DCNN_USAGE;
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        status = write_model(argv[2], argv[3]);
    else if (argc == 5 && strcmp(argv[1], "predict") == 0)
        status = predict(argv[2], argv[3], argv[4]);
    else if (argc == 6 && strcmp(argv[1], "step") == 0)
        status = train_step(argv[2], argv[3], argv[4], argv[5]);
    else
        DCNN_FAIL(DCNN_USAGE, "called by tools/check_keras");
    if (status != DCNN_OK) fprintf(stderr, "keras_peer: %s\n", dcnn_error());
    return (int)status;
}
