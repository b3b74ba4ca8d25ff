/* SPDX-License-Identifier: BSD-3-Clause */
/* cost.c — see cost.h. */
#include "bench/cost.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/cores.h"
#include "nn/plan/plan.h"

/* Steps that are timed, after one that is not: no more than these, and no longer than that. */
enum { MOST_STEPS = 5 };
static const double LONG_S = 2.0;

/* A gradient costs as many multiply-adds as the layer itself: one for its weights, one for what it reads. */
static void count(const dcnn_net *net, int first, dcnn_cost *cost) {
    for (int i = first + 1; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        const int64_t own = dcnn_net_multiply_adds(net, i);
        bool below = false;
        for (int j = 0; j < node->input_count; j++) below = below || net->nodes[node->inputs[j]].learns;
        cost->forward += own;
        if (node->learns && net->nodes[node->owner].trainable) cost->backward += own;
        if (below) cost->backward += own;
    }
    for (int i = 0; i < net->node_count; i++) {
        if (net->nodes[i].param_count == 0) continue;
        cost->layers++;
        cost->trained += net->nodes[i].trainable;
        if (cost->first_trained == 0 && net->nodes[i].trainable) cost->first_trained = i;
    }
}

/* One grain's step, again and again: what it needs besides the plan. */
typedef struct trial {
    dcnn_plan *plan;
    dcnn_grain grain;
    int64_t *samples;
    int32_t *labels;
    float *values;
} trial;

static dcnn_status make(dcnn_net *net, int first, trial *t) {
    const int n = t->grain.n;
    const size_t inputs = dcnn_shape_count(net->nodes[first].shape) * (size_t)n;
    void *dparams;
    t->samples = calloc((size_t)n, sizeof *t->samples);
    t->labels = calloc((size_t)n, sizeof *t->labels);
    t->values = calloc((size_t)n * (size_t)net->output_count, sizeof *t->values);
    t->grain.sums = calloc((size_t)dcnn_plan_sum_count_max(t->plan), sizeof *t->grain.sums);
    if (!t->samples || !t->labels || !t->values || !t->grain.sums)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: a step to measure");
    DCNN_TRY(dcnn_block_create((net->param_count + 1) * sizeof(float), "a gradient to measure", &dparams));
    t->grain.dparams = dparams;
    for (int i = 0; i < n; i++) t->samples[i] = i;
    for (size_t i = 0; i < inputs; i++)
        dcnn_plan_input(t->plan, 0)[i] = (float)(i * 2654435761U % 1000) / 1000.0F - 0.5F;
    t->grain.samples = t->samples;
    if (net->class_count == 0 || (net->loss.kind == DCNN_LOSS_BINARY && net->output_count > 1))
        t->grain.targets.values = t->values;
    else
        t->grain.targets.labels = t->labels;
    return DCNN_OK;
}

static double run(const trial *t) {
    const double began_s = dcnn_now_s();
    dcnn_plan_prepare(t->plan, 0);
    for (int stage = 0; stage < dcnn_plan_stage_count(t->plan); stage++) {
        dcnn_plan_run(t->plan, stage, 0, 0, &t->grain);
        dcnn_plan_agreed(t->plan, stage, t->grain.sums, t->grain.n);
    }
    return dcnn_now_s() - began_s;
}

static dcnn_status measure(dcnn_net *net, dcnn_isa isa, const dcnn_plan_options *options, dcnn_cost *cost) {
    trial t = {.grain = {.n = options->grain}};
    double best_s = INFINITY, all_s = 0.0;
    dcnn_status status;
    DCNN_TRY_DONE(dcnn_plan_create(net, dcnn_kernels_of(isa), options, &t.plan));
    DCNN_TRY_DONE(make(net, options->first, &t));
    run(&t);
    for (int i = 0; i < MOST_STEPS && all_s < LONG_S; i++) {
        const double s = run(&t);
        best_s = fmin(best_s, s);
        all_s += s;
    }
    cost->image_s = best_s / options->grain;
done:
    dcnn_plan_free(t.plan);
    dcnn_block_free(t.grain.dparams);
    free(t.grain.sums);
    free(t.samples);
    free(t.labels);
    free(t.values);
    return status;
}

dcnn_status dcnn_cost_of(dcnn_net *net, const dcnn_cost_options *o, dcnn_cost *cost) {
    enum { VECTORS = 4 };
    dcnn_plan *plan;
    dcnn_isa isa;
    DCNN_TRY(dcnn_isa_choose(&isa));
    *cost = (dcnn_cost){.threads = o->threads > 0 ? o->threads : dcnn_cores(),
                        .weights = VECTORS * (uint64_t)net->param_count * sizeof(float)};
    dcnn_plan_options options = {.grain = o->grain,
                                 .slots = (int)((o->batch + o->grain - 1) / o->grain),
                                 .workers = cost->threads,
                                 .training = true,
                                 .fuse = o->fuse,
                                 .recompute = o->recompute,
                                 .first = o->first,
                                 .unallocated = true};
    count(net, o->first, cost);
    DCNN_TRY(dcnn_plan_create(net, dcnn_kernels_of(isa), &options, &plan));
    cost->activations = dcnn_plan_bytes(plan);
    cost->ops = dcnn_plan_op_count(plan);
    cost->backward_ops = dcnn_plan_backward_count(plan);
    dcnn_plan_free(plan);
    options.unallocated = false;
    options.slots = options.workers = 1;
    return o->measured ? measure(net, isa, &options, cost) : DCNN_OK;
}
