/* SPDX-License-Identifier: BSD-3-Clause */
/* plan_run.c — running a plan: stage by stage, each grain through all its operations. */
#include "nn/plan/plan_private.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

/* The softmax of logarithms of probabilities is these probabilities: so a loss of logits does for an ensemble. */
static void take_logarithms(size_t count, float *probabilities) {
    for (size_t i = 0; i < count; i++) probabilities[i] = (float)log(fmax((double)probabilities[i], 1e-30));
}

static void run_loss(const dcnn_plan *plan, const dcnn_plan_step *s, int slot, int worker, const dcnn_grain *grain) {
    float *logits = dcnn_plan_memory_of(plan, &plan->values[plan->logits], slot, worker);
    float *y = dcnn_plan_memory_of(plan, &plan->probabilities, slot, worker);
    const dcnn_net *net = plan->net;
    if (net->averages) take_logarithms((size_t)grain->n * (size_t)net->output_count, logits);
    if (grain->targets.labels == NULL && grain->targets.values == NULL) {
        dcnn_loss_outputs(&net->loss, plan->kernels, (size_t)grain->n, net->output_count, logits, y);
        return;
    }
    float *dx = plan->options.training ? dcnn_plan_memory_of(plan, &plan->gradients[plan->logits], slot, worker) : NULL;
    dcnn_loss_run(&net->loss, plan->kernels, (size_t)grain->n, net->output_count, logits, &grain->targets, y, dx,
                  grain->sums + s->sum_offset);
}

/* The calls of a layer, each of which writes the gradient of its weights, add these up. */
static void take_turn(const dcnn_plan *plan, const dcnn_plan_step *s, int slot, int worker, const dcnn_grain *grain) {
    const int owner = plan->ops[s->op].head->owner;
    const dcnn_range range = dcnn_plan_range_of(&plan->net->nodes[owner]);
    float *now = grain->dparams + range.offset, *sum = dcnn_plan_memory_of(plan, &plan->partials[owner], slot, worker);
    if (range.count == 0) return;
    if (s->turn == FIRST)
        memcpy(sum, now, range.count * sizeof(float));
    else
        plan->kernels->add(range.count, sum, now, s->turn == LAST ? now : sum);
}

static void run_backward(const dcnn_plan *plan, const dcnn_plan_step *s, int slot, int worker, const dcnn_grain *grain,
                         dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    size_t addend = (size_t)worker * plan->worker_bytes + plan->addend_offset;
    for (int j = 0; j < op->input_count; j++) {
        pass->dx[j] = dcnn_plan_memory_of(plan, &plan->gradients[op->inputs[j]], slot, worker);
        if (!s->accumulate[j]) continue;
        pass->dx[j] = (float *)(void *)(plan->workers + addend);
        addend += plan->values[op->inputs[j]].bytes;
    }
    op->kind->backward(pass);
    for (int j = 0; j < op->input_count; j++) {
        if (!s->accumulate[j]) continue;
        float *dx = dcnn_plan_memory_of(plan, &plan->gradients[op->inputs[j]], slot, worker);
        plan->kernels->add((size_t)grain->n * dcnn_shape_count(op->in_of[j]), dx, pass->dx[j], dx);
    }
}

static void pass_on(const dcnn_pass *pass) {
    if (pass->y != pass->x[0])
        memcpy(pass->y, pass->x[0], (size_t)pass->n * dcnn_shape_count(pass->op->in) * sizeof(float));
}

static void run_step(const dcnn_plan *plan, const dcnn_plan_step *s, int slot, int worker, const dcnn_grain *grain) {
    const dcnn_op *op = &plan->ops[s->op];
    char *mine = plan->workers + (size_t)worker * plan->worker_bytes;
    dcnn_pass pass = {.op = op,
                      .kernels = op->kernels,
                      .net = plan->net,
                      .n = grain->n,
                      .y = dcnn_plan_memory_of(plan, dcnn_plan_value_in(plan, op->output, s->phase), slot, worker),
                      .dy = dcnn_plan_memory_of(plan, &plan->gradients[op->output], slot, worker),
                      .dparams = grain->dparams,
                      .saved = dcnn_plan_memory_of(plan, dcnn_plan_saved_in(plan, s->op, s->phase), slot, worker),
                      .scratch = (float *)(void *)(mine + plan->scratch_offset),
                      .sums = grain->sums + s->sum_offset,
                      .seed = grain->seed,
                      .epoch = grain->epoch,
                      .samples = grain->samples};
    for (int j = 0; j < op->input_count; j++)
        pass.x[j] =
            dcnn_plan_memory_of(plan, dcnn_plan_value_in(plan, dcnn_plan_value_read_by(op, j), s->phase), slot, worker);
    switch (s->phase) {
    case FORWARD:
    case AGAIN:
        if (grain->clean && op->node->layer->only_training)
            pass_on(&pass);
        else
            op->kind->forward(&pass);
        break;
    case FORWARD_SUMS:
        op->kind->forward_sums(&pass);
        break;
    case BACKWARD_SUMS:
        op->kind->backward_sums(&pass);
        break;
    case BACKWARD:
        run_backward(plan, s, slot, worker, grain, &pass);
        break;
    case LOSS:
        break;
    }
    if (s->turn != ALONE) take_turn(plan, s, slot, worker, grain);
}

void dcnn_plan_run(const dcnn_plan *plan, int stage, int slot, int worker, const dcnn_grain *grain) {
    double before_s = grain->times ? dcnn_now_s() : 0.0;
    for (int at = plan->stage_first[stage]; at < plan->stage_first[stage + 1]; at++) {
        const dcnn_plan_step *s = &plan->steps[at];
        if (s->phase == LOSS)
            run_loss(plan, s, slot, worker, grain);
        else
            run_step(plan, s, slot, worker, grain);
        if (grain->times == NULL) continue;
        const double now_s = dcnn_now_s();
        dcnn_op_times *times = &grain->times[s->op < 0 ? plan->op_count : s->op];
        *(s->phase <= LOSS ? &times->forward_s : &times->backward_s) += now_s - before_s;
        before_s = now_s;
    }
}

static void prepare(const dcnn_plan *plan, const dcnn_op *op, int worker) {
    const int workers = plan->options.workers;
    if (op->kind->prepare == NULL) return;
    if (op->packed_floats > 0)
        op->kind->prepare(op, op->kernels, plan->net, plan->part * workers + worker, plan->parts * workers);
    else
        op->kind->prepare(op, op->kernels, plan->net, worker, workers);
}

void dcnn_plan_prepare(const dcnn_plan *plan, int worker) {
    for (int i = 0; i < plan->op_count; i++) prepare(plan, &plan->ops[i], worker);
}

void dcnn_plan_prepare_stage(const dcnn_plan *plan, int stage, int worker) {
    for (int i = 0; i < plan->op_count; i++)
        if (dcnn_plan_first_stage(plan, &plan->ops[i]) == stage) prepare(plan, &plan->ops[i], worker);
}

void dcnn_plan_agreed(const dcnn_plan *plan, int stage, const double *totals, int64_t samples) {
    for (int at = plan->stage_first[stage]; at < plan->stage_first[stage + 1]; at++) {
        const dcnn_plan_step *s = &plan->steps[at];
        if (s->phase != FORWARD_SUMS && s->phase != BACKWARD_SUMS) continue;
        const dcnn_op *op = &plan->ops[s->op];
        if (s->phase == FORWARD_SUMS)
            op->kind->forward_agreed(op, plan->net, totals + s->sum_offset, samples);
        else
            op->kind->backward_agreed(op, plan->net, totals + s->sum_offset, samples);
    }
}

void dcnn_plan_settle(const dcnn_plan *plan, int stage, const double *totals, int64_t samples) {
    for (int at = plan->stage_first[stage]; at < plan->stage_first[stage + 1]; at++) {
        const dcnn_plan_step *s = &plan->steps[at];
        if (s->phase != FORWARD_SUMS) continue;
        const dcnn_op *op = &plan->ops[s->op];
        if (op->kind->forward_settled) op->kind->forward_settled(op, plan->net, totals + s->sum_offset, samples);
    }
}
