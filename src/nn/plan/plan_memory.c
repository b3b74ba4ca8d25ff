/* SPDX-License-Identifier: BSD-3-Clause */
/* plan_memory.c — the tensors of a plan: how large each is, when it is touched, where it lies. */
#include "nn/plan/plan_private.h"

#include <stdlib.h>
#include <string.h>

static void touch(dcnn_plan_tensor *t, int at) {
    if (t->first < 0) t->first = at;
    t->last = at;
}

int dcnn_plan_value_read_by(const dcnn_op *op, int input) {
    return op->affine && input == 0 ? op->affine->inputs[0] : op->inputs[input];
}

static bool is_second(dcnn_plan_phase phase) {
    return phase == BACKWARD_SUMS || phase == BACKWARD || phase == AGAIN;
}

const dcnn_plan_tensor *dcnn_plan_value_in(const dcnn_plan *plan, int value, dcnn_plan_phase phase) {
    return is_second(phase) && plan->dropped[value] ? &plan->again[value] : &plan->values[value];
}

const dcnn_plan_tensor *dcnn_plan_saved_in(const dcnn_plan *plan, int op, dcnn_plan_phase phase) {
    return is_second(phase) && plan->dropped[op + 1] ? &plan->saved_again[op] : &plan->saved[op];
}

/* As long as the plan is being made, they may be written. */
static dcnn_plan_tensor *value_in(dcnn_plan *plan, int value, dcnn_plan_phase phase) {
    return (dcnn_plan_tensor *)(uintptr_t)dcnn_plan_value_in(plan, value, phase);
}

static dcnn_plan_tensor *saved_in(dcnn_plan *plan, int op, dcnn_plan_phase phase) {
    return (dcnn_plan_tensor *)(uintptr_t)dcnn_plan_saved_in(plan, op, phase);
}

static void touch_all(dcnn_plan *plan) {
    touch(&plan->values[0], 0); /* the loader fills it */
    for (int at = 0; at < plan->step_count; at++) {
        const dcnn_plan_step *s = &plan->steps[at];
        const dcnn_op *op = s->op < 0 ? NULL : &plan->ops[s->op];
        if (s->phase == LOSS) {
            touch(&plan->values[plan->logits], at);
            touch(&plan->probabilities, at);
            if (plan->options.training) touch(&plan->gradients[plan->logits], at);
            continue;
        }
        const bool backward = s->phase == BACKWARD || s->phase == BACKWARD_SUMS;
        for (int j = 0; j < op->input_count; j++) {
            if (!backward || op->kind->backward_reads_x)
                touch(value_in(plan, dcnn_plan_value_read_by(op, j), s->phase), at);
            if (s->phase == BACKWARD && dcnn_plan_value_learns(plan, op->inputs[j]))
                touch(&plan->gradients[op->inputs[j]], at);
        }
        const bool makes = s->phase == FORWARD || s->phase == AGAIN;
        if (makes || (s->phase == BACKWARD && op->kind->backward_reads_y))
            touch(value_in(plan, op->output, s->phase), at);
        if (backward) touch(&plan->gradients[op->output], at);
        if (s->turn != ALONE) touch(&plan->partials[op->head->owner], at);
        if (op->saved_bytes && (makes || s->phase == BACKWARD)) touch(saved_in(plan, s->op, s->phase), at);
    }
    if (plan->options.last > 0) touch(&plan->values[plan->logits], plan->step_count - 1); /* read by the caller */
}

static int stage_of(const dcnn_plan *plan, int at) {
    int stage = 0;
    while (plan->stage_first[stage + 1] <= at) stage++;
    return stage;
}

static int larger_first(const void *a, const void *b) {
    const dcnn_plan_tensor *x = *(dcnn_plan_tensor *const *)a, *y = *(dcnn_plan_tensor *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->first - y->first;
}

/* First fit, largest first: each tensor at the lowest place where no tensor alive at the same time is. */
static size_t place(dcnn_plan_tensor **list, int count) {
    size_t end = 0;
    qsort(list, (size_t)count, sizeof *list, larger_first);
    for (int i = 0; i < count; i++) {
        size_t offset = 0;
        for (int j = 0; j < i; j++) {
            const bool together = list[j]->first <= list[i]->last && list[i]->first <= list[j]->last;
            const bool clash = offset < list[j]->offset + list[j]->bytes && list[j]->offset < offset + list[i]->bytes;
            if (!together || !clash) continue;
            offset = list[j]->offset + list[j]->bytes;
            j = -1; /* again from the first: the new place may clash with one before */
        }
        list[i]->offset = offset;
        if (offset + list[i]->bytes > end) end = offset + list[i]->bytes;
    }
    return end;
}

static void measure_tensors(dcnn_plan *plan) {
    const size_t grain = (size_t)plan->options.grain;
    plan->values[0].bytes =
        dcnn_plan_line(grain * dcnn_shape_count(plan->net->nodes[plan->options.first].shape) * sizeof(float));
    plan->values[0].first = plan->gradients[0].first = plan->again[0].first = -1;
    for (int i = 0; i < plan->op_count; i++) {
        const size_t number = plan->ops[i].y_half ? sizeof(uint16_t) : sizeof(float);
        const size_t bytes = dcnn_plan_line(grain * dcnn_shape_count(plan->ops[i].node->shape) * number);
        plan->values[i + 1] = plan->gradients[i + 1] = (dcnn_plan_tensor){.bytes = bytes, .first = -1};
        plan->again[i + 1] = plan->values[i + 1];
        plan->saved[i] = plan->saved_again[i] =
            (dcnn_plan_tensor){.bytes = dcnn_plan_line(plan->ops[i].saved_bytes), .first = -1};
    }
    for (int i = 0; i < plan->net->node_count; i++)
        plan->partials[i] = (dcnn_plan_tensor){
            .bytes = dcnn_plan_line(dcnn_plan_range_of(&plan->net->nodes[i]).count * sizeof(float)), .first = -1};
    plan->probabilities = (dcnn_plan_tensor){
        .bytes = dcnn_plan_line(grain * (size_t)plan->net->output_count * sizeof(float)), .first = -1};
}

static int tensor_count(const dcnn_plan *plan) {
    return 3 * plan->value_count + 2 * plan->op_count + plan->net->node_count + 1;
}

/* A worker's scratch, and behind it the gradients to be added to others, one an input. */
static void place_scratch(dcnn_plan *plan) {
    size_t scratch = 0, most = 0;
    for (int i = 0; i < plan->op_count; i++)
        if (plan->ops[i].scratch_floats * sizeof(float) > scratch)
            scratch = plan->ops[i].scratch_floats * sizeof(float);
    for (int at = 0; at < plan->step_count; at++) {
        size_t addends = 0;
        for (int j = 0; j < DCNN_MAX_INPUTS; j++)
            if (plan->steps[at].accumulate[j]) addends += plan->values[plan->ops[plan->steps[at].op].inputs[j]].bytes;
        if (addends > most) most = addends;
    }
    plan->addend_offset = plan->scratch_offset + dcnn_plan_line(scratch);
    plan->worker_bytes = plan->addend_offset + most;
}

/* Sorts tensors into the slot's and the worker's, and places each set. */
static void place_tensors(dcnn_plan *plan, dcnn_plan_tensor **list) {
    int all = 0, slot_count = 0, worker_count = 0;
    const int count = tensor_count(plan);
    dcnn_plan_tensor **slot_list = list + count, **worker_list = list + 2 * count;
    for (int i = 0; i < plan->value_count; i++) {
        list[all++] = &plan->values[i];
        list[all++] = &plan->gradients[i];
        list[all++] = &plan->again[i];
    }
    for (int i = 0; i < plan->op_count; i++) {
        list[all++] = &plan->saved[i];
        list[all++] = &plan->saved_again[i];
    }
    for (int i = 0; i < plan->net->node_count; i++) list[all++] = &plan->partials[i];
    plan->probabilities.last = plan->step_count; /* read by the caller after the stage: nothing may take its place */
    list[all++] = &plan->probabilities;
    for (int i = 0; i < all; i++) {
        dcnn_plan_tensor *t = list[i];
        if (t->first < 0) continue;
        t->in_slot =
            t == &plan->values[0] || (t != &plan->probabilities && stage_of(plan, t->first) != stage_of(plan, t->last));
        if (t->in_slot)
            slot_list[slot_count++] = t;
        else
            worker_list[worker_count++] = t;
    }
    plan->slot_bytes = place(slot_list, slot_count);
    plan->scratch_offset = place(worker_list, worker_count);
    place_scratch(plan);
}

void dcnn_plan_carve_packed(dcnn_plan *plan, dcnn_arena *arena) {
    for (int i = 0; i < plan->op_count; i++)
        plan->ops[i].packed = dcnn_arena_take(arena, plan->ops[i].packed_floats * sizeof(float));
}

static void carve(dcnn_plan *plan, dcnn_arena *arena) {
    if (!plan->options.packed_elsewhere) dcnn_plan_carve_packed(plan, arena);
    for (int i = 0; i < plan->op_count; i++)
        plan->ops[i].shared = dcnn_arena_take(arena, plan->ops[i].shared_floats * sizeof(float));
    plan->slots = dcnn_arena_take(arena, plan->slot_bytes * (size_t)plan->options.slots);
    plan->workers = dcnn_arena_take(arena, plan->worker_bytes * (size_t)plan->options.workers);
}

dcnn_status dcnn_plan_make_memory(dcnn_plan *plan) {
    const size_t count = (size_t)tensor_count(plan);
    dcnn_plan_tensor **list = calloc(3 * count, sizeof *list);
    if (list == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: planning a net of %d operations", plan->op_count);
    measure_tensors(plan);
    touch_all(plan);
    place_tensors(plan, list);
    free(list);
    dcnn_arena arena = {0};
    carve(plan, &arena);
    plan->block_bytes = arena.used;
    if (plan->options.unallocated) return DCNN_OK;
    DCNN_TRY(dcnn_block_create_untouched(plan->block_bytes, "the net's activations", (void **)&plan->block));
    arena = (dcnn_arena){.base = plan->block};
    carve(plan, &arena);
    memset(plan->block, 0, (size_t)(plan->slots - plan->block));
    for (int worker = 0; worker < plan->options.workers && !plan->options.untouched; worker++)
        dcnn_plan_touch(plan, worker);
    return DCNN_OK;
}

void dcnn_plan_touch(const dcnn_plan *plan, int worker) {
    const int64_t slots = plan->options.slots, workers = plan->options.workers;
    const size_t first = (size_t)(slots * worker / workers), end = (size_t)(slots * (worker + 1) / workers);
    memset(plan->slots + first * plan->slot_bytes, 0, (end - first) * plan->slot_bytes);
    memset(plan->workers + (size_t)worker * plan->worker_bytes, 0, plan->worker_bytes);
}
