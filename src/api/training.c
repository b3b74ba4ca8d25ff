/* SPDX-License-Identifier: BSD-3-Clause */
/* training.c — the public API: an engine over a caller's arrays. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "engine/engine.h"
#include "engine/evaluator.h"
#include "nn/optimizers/schedule.h"

struct dcnn_training {
    dcnn_model *model;
    dcnn_comm *comm;
    dcnn_engine *engine;
    dcnn_evaluator *evaluator;
    const dcnn_batch *batch; /* of the call in progress */
    int64_t steps;
};

static dcnn_status fill(void *context, int64_t first, int n, const dcnn_inputs *inputs) {
    const dcnn_training *t = context;
    dcnn_model_fill(t->model, t->batch, first, n, inputs->x);
    const size_t outputs = (size_t)t->model->checkpoint.net->output_count;
    if (inputs->values)
        memcpy(inputs->values, t->batch->targets + (size_t)first * outputs, (size_t)n * outputs * sizeof(float));
    if (inputs->labels) memcpy(inputs->labels, t->batch->labels + first, (size_t)n * sizeof *inputs->labels);
    for (int i = 0; i < n && inputs->samples; i++) inputs->samples[i] = first + i;
    return DCNN_OK;
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

static dcnn_status choose_optimizer(const dcnn_training_options *options, dcnn_optimizer *optimizer) {
    const char *name = options->optimizer ? options->optimizer : dcnn_optimizer_table[DCNN_ADAM].name;
    *optimizer = (dcnn_optimizer){.beta1 = 0.9,
                                  .beta2 = 0.999,
                                  .epsilon = 1e-7,
                                  .momentum = options->momentum < 0.0   ? 0.0
                                              : options->momentum > 0.0 ? options->momentum
                                                                        : 0.9,
                                  .weight_decay = options->weight_decay,
                                  .trust_coefficient = 1e-3,
                                  .nesterov = strcmp(name, dcnn_optimizer_table[DCNN_MUON].name) == 0};
    for (int kind = 0; kind < DCNN_OPTIMIZER_COUNT; kind++) {
        if (strcmp(dcnn_optimizer_table[kind].name, name) != 0) continue;
        optimizer->kind = (dcnn_optimizer_kind)kind;
        return DCNN_OK;
    }
    return DCNN_FAIL(DCNN_USAGE, "there is no optimizer '%.40s': 'dcnn help train' lists them", name);
}

/* Zero is the recipe's; what is no such number must not be taken for it. */
static dcnn_status check_options(const dcnn_training_options *o) {
    if (o->batch_size < 0) return DCNN_FAIL(DCNN_USAGE, "a step cannot have %d samples", o->batch_size);
    if (o->threads < 0) return DCNN_FAIL(DCNN_USAGE, "there cannot be %d threads", o->threads);
    if (!isfinite(o->momentum) || o->momentum >= 1.0)
        return DCNN_FAIL(DCNN_USAGE, "a momentum of %g: it must be below 1", o->momentum);
    if (!(o->weight_decay >= 0.0 && isfinite(o->weight_decay)))
        return DCNN_FAIL(DCNN_USAGE, "a weight decay of %g: it must be 0 or above", o->weight_decay);
    return DCNN_OK;
}

static dcnn_status start(dcnn_training *t, const dcnn_training_options *options) {
    const int64_t batch = options->batch_size > 0 ? options->batch_size : DCNN_RECIPE_BATCH;
    dcnn_engine_options o = {.grain = dcnn_engine_grain(batch),
                             .threads = options->threads,
                             .fuse = true,
                             .batch_size = batch,
                             .last_batch = -1,
                             .accumulate = 1,
                             .values = dcnn_model_takes_targets(t->model),
                             .seed = options->seed};
    dcnn_net *net = NULL;
    DCNN_TRY(dcnn_model_check_training(t->model));
    DCNN_TRY(check_options(options));
    DCNN_TRY(choose_optimizer(options, &o.optimizer));
    DCNN_TRY(options->mpi_comm ? dcnn_comm_create_over(options->mpi_comm, &t->comm) : dcnn_comm_create_alone(&t->comm));
    dcnn_status status = dcnn_comm_agree(t->comm, dcnn_net_copy(t->model->checkpoint.net, &net));
    if (status != DCNN_OK) dcnn_net_free(net); /* another rank may have none */
    DCNN_TRY(status);
    DCNN_TRY(dcnn_engine_create(t->comm, net, NULL, NULL, &o, &t->engine));
    net = dcnn_engine_net(t->engine);
    DCNN_TRY(dcnn_comm_agree(t->comm,
                             dcnn_evaluator_create(t->comm, dcnn_engine_pool(t->engine), dcnn_engine_kernels(t->engine),
                                                   net, DCNN_GRAIN, true, 0, &t->evaluator)));
    dcnn_plan_free(t->model->plan);
    t->model->plan = NULL;
    dcnn_net_free(t->model->checkpoint.net);
    t->model->checkpoint.net = net;
    t->model->in_training = true;
    return DCNN_OK;
}

static void take_down(dcnn_training *t) {
    dcnn_evaluator_free(t->evaluator);
    dcnn_engine_free(t->engine);
    dcnn_comm_free(t->comm);
    free(t);
}

dcnn_status dcnn_training_create(dcnn_model *model, const dcnn_training_options *options, dcnn_training **out) {
    static const dcnn_training_options recipe;
    *out = NULL;
    dcnn_training *t = calloc(1, sizeof *t);
    if (t == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a training");
    t->model = model;
    const dcnn_status status = start(t, options ? options : &recipe);
    if (status == DCNN_OK)
        *out = t;
    else
        take_down(t);
    return status;
}

dcnn_status dcnn_training_free(dcnn_training *t) {
    if (t == NULL) return DCNN_OK;
    dcnn_net *net = NULL;
    dcnn_comm_domain_barrier(t->comm); /* every rank has done its part of the last step */
    const dcnn_status status = dcnn_comm_agree(t->comm, dcnn_net_copy(dcnn_engine_net(t->engine), &net));
    dcnn_plan_free(t->model->plan);
    t->model->plan = NULL;
    t->model->checkpoint.net = net;
    t->model->in_training = false;
    take_down(t);
    return status;
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static void put_score(const dcnn_batch *batch, double loss_sum, double absolute_sum, int64_t correct,
                      dcnn_score *score) {
    const double each = batch->count > 0 ? 1.0 / (double)batch->count : 0.0;
    *score = (dcnn_score){batch->count, correct, loss_sum * each, absolute_sum * each};
}

dcnn_status dcnn_training_step(dcnn_training *t, const dcnn_batch *batch, double learning_rate, dcnn_score *score) {
    dcnn_step_sums sums = {0};
    DCNN_TRY(dcnn_comm_agree(t->comm, dcnn_model_check_batch(t->model, batch)));
    if (!(learning_rate >= 0.0 && isfinite(learning_rate)))
        return DCNN_FAIL(DCNN_USAGE, "a learning rate of %g: it must be 0 or above, and finite", learning_rate);
    if (batch->count == 0) return DCNN_FAIL(DCNN_USAGE, "a step needs at least one sample");
    t->batch = batch;
    t->model->stale = true;
    const dcnn_step step = {.samples = batch->count,
                            .number = t->steps + 1,
                            .epoch = (uint32_t)t->steps, /* of dropout: each step's samples are others */
                            .rate = learning_rate,
                            .feed = {fill, t}};
    DCNN_TRY(dcnn_engine_step(t->engine, &step, &sums));
    t->steps++;
    if (score) put_score(batch, sums.loss, sums.absolute, sums.correct, score);
    return DCNN_OK;
}

dcnn_status dcnn_training_evaluate(dcnn_training *t, const dcnn_batch *batch, dcnn_score *score) {
    dcnn_evaluation evaluation = {0};
    DCNN_TRY(dcnn_comm_agree(t->comm, dcnn_model_check_batch(t->model, batch)));
    t->batch = batch;
    DCNN_TRY(dcnn_evaluator_run(t->evaluator, batch->count, (dcnn_feed){fill, t},
                                &(dcnn_evaluation_options){.values = dcnn_model_takes_targets(t->model)}, &evaluation));
    put_score(batch, evaluation.loss * (double)batch->count, evaluation.absolute * (double)batch->count,
              evaluation.correct, score);
    dcnn_evaluation_free(&evaluation);
    return DCNN_OK;
}
