/* SPDX-License-Identifier: BSD-3-Clause */
/* plan.c — from a net to operations, steps and memory: plan_private.h has the picture. */
#include "nn/plan/plan_private.h"

#include <limits.h>
#include <stdlib.h>

/* A batch of 16 on two threads trains at 14,400 images/s in two grains of 8, at 8,100 in one of 16, where one thread
 * idles; one of 128 at 16,000 (the recipe, `dcnn bench --threads 2 --batch-size 16 --grain N`, Zen 5). */
int dcnn_grain_of(int64_t batch) {
    int grain = DCNN_GRAIN;
    while (grain > 2 && batch < 2 * grain) grain /= 2;
    return grain;
}

/* The layer with the most values in a sample. */
static const dcnn_node *largest_node(const dcnn_net *net) {
    const dcnn_node *largest = &net->nodes[0];
    for (int i = 1; i < net->node_count; i++)
        if (dcnn_shape_count(net->nodes[i].shape) > dcnn_shape_count(largest->shape)) largest = &net->nodes[i];
    return largest;
}

int dcnn_grain_most(const dcnn_net *net) {
    return (int)((size_t)INT_MAX / dcnn_shape_count(largest_node(net)->shape)); /* 7 at least: DCNN_SHAPE_MOST */
}

static dcnn_status check_grain(const dcnn_net *net, int grain) {
    const dcnn_node *largest = largest_node(net);
    char text[48];
    if (grain <= dcnn_grain_most(net)) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s': %d outputs of shape %s are too many values to be computed at a time; use --grain %d, "
                     "or smaller images",
                     largest->name, grain, dcnn_shape_text(largest->shape, text), dcnn_grain_most(net));
}

static dcnn_status make_lists(dcnn_plan *plan) {
    const size_t nodes = (size_t)plan->net->node_count, stages = (size_t)dcnn_plan_stage_count(plan);
    plan->ops = calloc(2 * nodes, sizeof *plan->ops);
    plan->steps = calloc(10 * nodes + 1, sizeof *plan->steps);
    plan->stage_first = calloc(stages + 1, sizeof *plan->stage_first);
    plan->stage_sums = calloc(stages, sizeof *plan->stage_sums);
    plan->values = calloc(2 * nodes + 1, sizeof *plan->values);
    plan->gradients = calloc(2 * nodes + 1, sizeof *plan->gradients);
    plan->saved = calloc(2 * nodes + 1, sizeof *plan->saved);
    plan->again = calloc(2 * nodes + 1, sizeof *plan->again);
    plan->saved_again = calloc(2 * nodes + 1, sizeof *plan->saved_again);
    plan->dropped = calloc(2 * nodes + 1, sizeof *plan->dropped);
    plan->partials = calloc(nodes, sizeof *plan->partials);
    int *value_of = calloc(nodes, sizeof *value_of);
    bool *has_gradient = calloc(2 * nodes + 1, sizeof *has_gradient);
    bool good = plan->ops && plan->steps && plan->stage_first && plan->stage_sums && plan->values && plan->gradients &&
                plan->saved && plan->again && plan->saved_again && plan->dropped && plan->partials && value_of &&
                has_gradient;
    if (good) {
        dcnn_plan_list_operations(plan, value_of);
        for (int i = 0; i < plan->op_count; i++)
            if (plan->ops[i].kind->measure)
                plan->ops[i].kind->measure(&plan->ops[i], plan->ops[i].kernels, plan->options.grain);
        good = dcnn_plan_choose_dropped(plan);
        if (good) dcnn_plan_list_steps(plan, has_gradient);
    }
    free(value_of);
    free(has_gradient);
    return good ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: planning a net of %zu layers", nodes);
}

dcnn_status dcnn_plan_create(dcnn_net *net, const dcnn_kernels *kernels, const dcnn_plan_options *options,
                             dcnn_plan **out) {
    *out = NULL;
    DCNN_TRY(check_grain(net, options->grain));
    dcnn_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a plan");
    plan->net = net;
    plan->kernels = kernels;
    plan->options = *options;
    if (net->nodes[net->node_count - 1].learns) plan->frozen_end = dcnn_net_frozen_end(net);
    plan->parts = 1;
    dcnn_status status = make_lists(plan);
    if (status == DCNN_OK) status = dcnn_plan_make_memory(plan);
    if (status != DCNN_OK) {
        dcnn_plan_free(plan);
        return status;
    }
    *out = plan;
    return DCNN_OK;
}

void dcnn_plan_free(dcnn_plan *plan) {
    if (plan == NULL) return;
    free(plan->ops);
    free(plan->steps);
    free(plan->stage_first);
    free(plan->stage_sums);
    free(plan->values);
    free(plan->gradients);
    free(plan->saved);
    free(plan->again);
    free(plan->saved_again);
    free(plan->dropped);
    free(plan->partials);
    dcnn_block_free(plan->block);
    free(plan);
}

int dcnn_plan_stage_count(const dcnn_plan *plan) {
    return plan->options.training ? plan->net->stage_count : 1;
}

int dcnn_plan_sum_count(const dcnn_plan *plan, int stage) {
    return plan->stage_sums[stage];
}

int dcnn_plan_sum_count_max(const dcnn_plan *plan) {
    int most = 0;
    for (int stage = 0; stage < dcnn_plan_stage_count(plan); stage++)
        if (plan->stage_sums[stage] > most) most = plan->stage_sums[stage];
    return most;
}

float *dcnn_plan_input(const dcnn_plan *plan, int slot) {
    return (float *)dcnn_plan_memory_of(plan, &plan->values[0], slot, 0);
}

const float *dcnn_plan_output(const dcnn_plan *plan, int worker) {
    if (plan->options.last > 0)
        return (const float *)dcnn_plan_memory_of(plan, &plan->values[plan->logits], worker, worker);
    return (const float *)dcnn_plan_memory_of(plan, &plan->probabilities, 0, worker);
}

size_t dcnn_plan_bytes(const dcnn_plan *plan) {
    return plan->block_bytes;
}

size_t dcnn_plan_packed_bytes(const dcnn_plan *plan) {
    size_t bytes = 0;
    for (int i = 0; i < plan->op_count; i++) bytes += dcnn_plan_line(plan->ops[i].packed_floats * sizeof(float));
    return bytes;
}

void dcnn_plan_place_packed(dcnn_plan *plan, void *block, int part, int parts) {
    dcnn_arena arena = {.base = block};
    dcnn_plan_carve_packed(plan, &arena);
    plan->part = part;
    plan->parts = parts;
}

int dcnn_plan_op_count(const dcnn_plan *plan) {
    return plan->op_count;
}

int dcnn_plan_backward_count(const dcnn_plan *plan) {
    int count = 0;
    for (int at = 0; at < plan->step_count; at++) count += plan->steps[at].phase == BACKWARD;
    return count;
}

const dcnn_op *dcnn_plan_op(const dcnn_plan *plan, int index) {
    return &plan->ops[index];
}
