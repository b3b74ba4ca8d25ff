/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan.c — from a net to operations, steps and memory; and running them.
 *
 * Three lists. *Operations*: what is computed (one a layer, fused pairs as one, none for Flatten). *Steps*: when, as
 * (operation, phase) in stage order. *Tensors*: each operation's output, its gradient and what it saves, each with the
 * first and last step that touches it. A tensor that lives inside one stage is the worker's and is reused grain after
 * grain while it is in cache; one that crosses stages is the slot's. Lifetimes that do not overlap share memory.
 */
#include "nn/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"

typedef enum phase { FORWARD, FORWARD_SUMS, LOSS, BACKWARD_SUMS, BACKWARD } phase;

typedef struct step {
    phase phase;
    int op;                                    /* -1: the loss */
    int sum_offset;                            /* in the stage's sums */
    bool accumulate[DCNN_MAX_INPUTS];          /* another consumer has written this input's gradient before */
    enum { ALONE, FIRST, BETWEEN, LAST } turn; /* among the calls of a layer that make its weights' gradient together */
} step;

typedef struct tensor {
    size_t bytes;
    int first, last; /* steps that touch it; first < 0: unused */
    bool in_slot;
    size_t offset;
} tensor;

struct dcnn_plan {
    dcnn_net *net;
    const dcnn_kernels *kernels;
    dcnn_plan_options options;
    int op_count, step_count, value_count; /* values: the input, then one an operation */
    dcnn_op *ops;
    step *steps;
    int *stage_first;                   /* [stages + 1] first step of each stage */
    int *stage_sums;                    /* [stages] */
    tensor *values, *gradients, *saved; /* [value_count], [value_count], [op_count] */
    tensor *partials; /* [nodes] gradients of the weights of a layer that is called several times, so far */
    tensor probabilities;
    int logits; /* the value that the loss reads */
    size_t scratch_offset, addend_offset, slot_bytes, worker_bytes, block_bytes;
    char *block, *slots, *workers;
    int part, parts; /* of the packed weights */
};

/* --- operations --------------------------------------------------------------------------------------------------- */

static int consumers_of(const dcnn_net *net, int node) {
    int count = 0;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].input_count; j++) count += net->nodes[i].inputs[j] == node;
    return count;
}

/* The operation that makes a value, or NULL for the input. */
static dcnn_op *producer(const dcnn_plan *plan, int value) {
    return value > 0 ? &plan->ops[value - 1] : NULL;
}

static const dcnn_kernels *kernels_for(const dcnn_plan *plan, const dcnn_node *node) {
    return node->bf16 ? plan->kernels->bf16 : plan->kernels;
}

/* The pooling that fuses with node i, or -1. What a frozen convolution gives back needs its parts one by one. */
static int fuses_with(const dcnn_plan *plan, int i) {
    const dcnn_net *net = plan->net;
    const dcnn_node *head = &net->nodes[i];
    int next = i + 1;
    if (!plan->options.fuse || head->input_count != 1 || consumers_of(net, i) != 1) return -1;
    if (plan->options.training && head->learns && !head->trainable) return -1;
    while (next < net->node_count && (net->nodes[next].input_count != 1 || net->nodes[next].inputs[0] != i)) next++;
    if (next == net->node_count) return -1;
    return dcnn_conv_pool_matches(kernels_for(plan, head), head, net->nodes[head->inputs[0]].shape, &net->nodes[next])
               ? next
               : -1;
}

/* Is a node's output its input? Then it needs no operation. `last`: the loss takes its activation over. */
static bool is_view(const dcnn_plan *plan, const dcnn_node *node, bool last) {
    const dcnn_layer *layer = node->layer;
    if (layer->op == NULL || (layer->is_view && layer->is_view(node))) return true;
    if (layer->only_training && (!plan->options.training || node->inference)) return true;
    return last && layer->activation && dcnn_net_param(plan->net, node, 0) == NULL;
}

static dcnn_op *add_operation(dcnn_plan *plan, const dcnn_op_kind *kind, const dcnn_node *node, dcnn_shape in) {
    dcnn_op *op = &plan->ops[plan->op_count++];
    *op = (dcnn_op){.kind = kind,
                    .kernels = kernels_for(plan, node),
                    .head = node,
                    .node = node,
                    .training = plan->options.training,
                    .in = in,
                    .in_of = {in},
                    .input_count = 1,
                    .output = plan->value_count++};
    return op;
}

/* An activation whose gradient needs more than its output stands behind the layer as an operation of its own. */
static void set_activation(dcnn_plan *plan, dcnn_op *op, bool last) {
    const dcnn_node *node = op->node;
    if (node->layer->activation == NULL || last) return;
    const dcnn_activation activation = node->layer->activation(node);
    if (!dcnn_activation_reads_x(activation.kind)) {
        op->activation = activation;
        return;
    }
    dcnn_op *behind = op;
    if (op->kind == &dcnn_op_activation) {
        op->kind = &dcnn_op_function;
    } else {
        behind = add_operation(plan, &dcnn_op_function, node, node->shape);
        behind->inputs[0] = op->output;
    }
    behind->activation = activation;
}

static void list_operations(dcnn_plan *plan, int *value_of) {
    const dcnn_net *net = plan->net;
    plan->value_count = 1;
    for (int i = 0; i < net->node_count; i++) value_of[i] = -1;
    for (int i = 0; i < net->node_count; i++) {
        const dcnn_node *head = &net->nodes[i];
        const bool last = i + 1 == net->node_count;
        if (value_of[i] >= 0) continue; /* fused */
        if (is_view(plan, head, last)) {
            value_of[i] = head->input_count ? value_of[head->inputs[0]] : 0;
            continue;
        }
        dcnn_op *op = add_operation(plan, head->layer->op, head, net->nodes[head->inputs[0]].shape);
        op->input_count = head->input_count;
        for (int j = 0; j < head->input_count; j++) {
            op->inputs[j] = value_of[head->inputs[j]];
            op->in_of[j] = net->nodes[head->inputs[j]].shape;
        }
        const int pool = fuses_with(plan, i);
        if (pool >= 0) {
            op->kind = &dcnn_op_conv_pool;
            op->node = &net->nodes[pool];
            value_of[pool] = op->output;
        }
        set_activation(plan, op, last); /* it may add an operation, whose output is the node's then */
        value_of[i] = plan->value_count - 1;
    }
    plan->logits = value_of[net->node_count - 1];
}

/* A BatchNormalization read only by fused convolutions needs no output of its own: they apply its scale and shift. */
static void fold_batch_normalizations(dcnn_plan *plan) {
    for (int i = 0; i < plan->op_count; i++) {
        dcnn_op *op = &plan->ops[i];
        dcnn_op *before = producer(plan, op->inputs[0]);
        if (op->kind != &dcnn_op_conv_pool || before == NULL || before->kind->forward_sums == NULL) continue;
        int readers = plan->logits == before->output;
        for (int k = 0; k < plan->op_count; k++)
            for (int j = 0; j < plan->ops[k].input_count; j++) readers += plan->ops[k].inputs[j] == before->output;
        if (readers == 1) op->affine = before;
    }
}

static bool is_folded(const dcnn_plan *plan, const dcnn_op *batch_normalization) {
    for (int i = 0; i < plan->op_count; i++)
        if (plan->ops[i].affine == batch_normalization) return true;
    return false;
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static void add_step(dcnn_plan *plan, phase what, int op, int stage) {
    step *added = &plan->steps[plan->step_count++];
    *added = (step){.phase = what, .op = op, .sum_offset = plan->stage_sums[stage]};
    if (what == FORWARD_SUMS || what == BACKWARD_SUMS) plan->stage_sums[stage] += plan->ops[op].sum_count;
    if (what == LOSS) plan->stage_sums[stage] += DCNN_LOSS_SUMS;
}

/* Does this operation, in training, need sums over the batch? */
static bool is_synchronised(const dcnn_plan *plan, const dcnn_op *op) {
    return plan->options.training && op->node->synchronised && op->kind->forward_sums;
}

static bool value_learns(const dcnn_plan *plan, int value) {
    return value > 0 && plan->ops[value - 1].node->learns;
}

static void add_backward(dcnn_plan *plan, int i, int stage, bool *has_gradient) {
    const dcnn_op *op = &plan->ops[i];
    add_step(plan, BACKWARD, i, stage);
    for (int j = 0; j < op->input_count; j++) {
        if (!value_learns(plan, op->inputs[j])) continue;
        plan->steps[plan->step_count - 1].accumulate[j] = has_gradient[op->inputs[j]];
        has_gradient[op->inputs[j]] = true;
    }
}

static void list_stage(dcnn_plan *plan, int stage, bool *has_gradient) {
    plan->stage_first[stage] = plan->step_count;
    for (int i = 0; i < plan->op_count; i++) {
        const dcnn_op *op = &plan->ops[i];
        const int forward = plan->options.training ? op->node->stage_forward : 0;
        if (is_synchronised(plan, op) && forward - 1 == stage) add_step(plan, FORWARD_SUMS, i, stage);
        if (forward == stage && !is_folded(plan, op)) add_step(plan, FORWARD, i, stage);
    }
    for (int i = plan->op_count - 1; i >= 0 && plan->options.training; i--) {
        const dcnn_op *op = &plan->ops[i];
        if (!op->node->learns) continue;
        if (is_synchronised(plan, op) && op->node->stage_backward - 1 == stage) add_step(plan, BACKWARD_SUMS, i, stage);
        if (op->node->stage_backward == stage) add_backward(plan, i, stage, has_gradient);
    }
}

/* The step that makes the gradient of its operation's weights; the owner of these, or -1. */
static int owner_of(const dcnn_plan *plan, const step *s) {
    if (s->op < 0) return -1;
    const dcnn_op *op = &plan->ops[s->op];
    const phase what = is_synchronised(plan, op) ? BACKWARD_SUMS : BACKWARD;
    return s->phase == what && op->kind != &dcnn_op_function ? op->head->owner : -1;
}

static void take_turns(dcnn_plan *plan) {
    for (int at = 0; at < plan->step_count; at++) {
        const int owner = owner_of(plan, &plan->steps[at]);
        int before = 0, after = 0;
        if (owner < 0 || plan->net->nodes[owner].param_count == 0) continue;
        for (int k = 0; k < plan->step_count; k++) {
            before += k < at && owner_of(plan, &plan->steps[k]) == owner;
            after += k > at && owner_of(plan, &plan->steps[k]) == owner;
        }
        if (before + after > 0) plan->steps[at].turn = before == 0 ? FIRST : after == 0 ? LAST : BETWEEN;
    }
}

/* Where the gradient of a node's weights lies. */
static dcnn_range range_of(const dcnn_node *node) {
    dcnn_range range = {0};
    for (int i = 0; i < node->param_count; i++) {
        const dcnn_param *param = &node->params[i];
        if (!param->trainable) continue;
        if (range.count == 0) range.offset = param->offset;
        range.count = param->offset + param->count - range.offset;
    }
    return range;
}

/* The loss stands between the forward and the backward half of its stage: its sums come last, its step where it
 * belongs. */
static void place_loss(dcnn_plan *plan, int stage) {
    int at = plan->stage_first[stage];
    while (at < plan->step_count && plan->steps[at].phase <= FORWARD_SUMS) at++;
    add_step(plan, LOSS, -1, stage);
    step loss = plan->steps[plan->step_count - 1];
    memmove(&plan->steps[at + 1], &plan->steps[at], (size_t)(plan->step_count - 1 - at) * sizeof(step));
    plan->steps[at] = loss;
}

static void list_steps(dcnn_plan *plan, bool *has_gradient) {
    const int stages = dcnn_plan_stage_count(plan);
    for (int stage = 0; stage < stages; stage++) {
        list_stage(plan, stage, has_gradient);
        if (stage == (plan->options.training ? plan->net->loss_stage : 0)) place_loss(plan, stage);
    }
    plan->stage_first[stages] = plan->step_count;
    take_turns(plan);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void touch(tensor *t, int at) {
    if (t->first < 0) t->first = at;
    t->last = at;
}

static int value_read_by(const dcnn_op *op, int input) {
    return op->affine && input == 0 ? op->affine->inputs[0] : op->inputs[input];
}

static void touch_all(dcnn_plan *plan) {
    touch(&plan->values[0], 0); /* the loader fills it */
    for (int at = 0; at < plan->step_count; at++) {
        const step *s = &plan->steps[at];
        const dcnn_op *op = s->op < 0 ? NULL : &plan->ops[s->op];
        if (s->phase == LOSS) {
            touch(&plan->values[plan->logits], at);
            touch(&plan->probabilities, at);
            if (plan->options.training) touch(&plan->gradients[plan->logits], at);
            continue;
        }
        const bool backward = s->phase == BACKWARD || s->phase == BACKWARD_SUMS;
        for (int j = 0; j < op->input_count; j++) {
            if (!backward || op->kind->backward_reads_x) touch(&plan->values[value_read_by(op, j)], at);
            if (s->phase == BACKWARD && value_learns(plan, op->inputs[j])) touch(&plan->gradients[op->inputs[j]], at);
        }
        if (s->phase == FORWARD || (s->phase == BACKWARD && op->kind->backward_reads_y))
            touch(&plan->values[op->output], at);
        if (backward) touch(&plan->gradients[op->output], at);
        if (s->turn != ALONE) touch(&plan->partials[op->head->owner], at);
        if (op->saved_bytes && (s->phase == FORWARD || s->phase == BACKWARD)) touch(&plan->saved[s->op], at);
    }
}

static int stage_of(const dcnn_plan *plan, int at) {
    int stage = 0;
    while (plan->stage_first[stage + 1] <= at) stage++;
    return stage;
}

static int larger_first(const void *a, const void *b) {
    const tensor *x = *(tensor *const *)a, *y = *(tensor *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->first - y->first;
}

/* First fit, largest first: each tensor at the lowest place where no tensor alive at the same time is. */
static size_t place(tensor **list, int count) {
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

static size_t line(size_t bytes) {
    return (bytes + DCNN_ALIGNMENT - 1) / DCNN_ALIGNMENT * DCNN_ALIGNMENT;
}

static void measure_tensors(dcnn_plan *plan) {
    const size_t grain = (size_t)plan->options.grain;
    plan->values[0].bytes = line(grain * dcnn_shape_count(plan->net->nodes[0].shape) * sizeof(float));
    plan->values[0].first = plan->gradients[0].first = -1;
    for (int i = 0; i < plan->op_count; i++) {
        const size_t bytes = line(grain * dcnn_shape_count(plan->ops[i].node->shape) * sizeof(float));
        plan->values[i + 1] = plan->gradients[i + 1] = (tensor){.bytes = bytes, .first = -1};
        plan->saved[i] = (tensor){.bytes = line(plan->ops[i].saved_bytes), .first = -1};
    }
    for (int i = 0; i < plan->net->node_count; i++)
        plan->partials[i] = (tensor){.bytes = line(range_of(&plan->net->nodes[i]).count * sizeof(float)), .first = -1};
    plan->probabilities = (tensor){.bytes = line(grain * (size_t)plan->net->output_count * sizeof(float)), .first = -1};
}

static int tensor_count(const dcnn_plan *plan) {
    return 2 * plan->value_count + plan->op_count + plan->net->node_count + 1;
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
    plan->addend_offset = plan->scratch_offset + line(scratch);
    plan->worker_bytes = plan->addend_offset + most;
}

/* Sorts tensors into the slot's and the worker's, and places each set. */
static void place_tensors(dcnn_plan *plan, tensor **list) {
    int all = 0, slot_count = 0, worker_count = 0;
    const int count = tensor_count(plan);
    tensor **slot_list = list + count, **worker_list = list + 2 * count;
    for (int i = 0; i < plan->value_count; i++) {
        list[all++] = &plan->values[i];
        list[all++] = &plan->gradients[i];
    }
    for (int i = 0; i < plan->op_count; i++) list[all++] = &plan->saved[i];
    for (int i = 0; i < plan->net->node_count; i++) list[all++] = &plan->partials[i];
    plan->probabilities.last = plan->step_count; /* read by the caller after the stage: nothing may take its place */
    list[all++] = &plan->probabilities;
    for (int i = 0; i < all; i++) {
        tensor *t = list[i];
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

static void carve_packed(dcnn_plan *plan, dcnn_arena *arena) {
    for (int i = 0; i < plan->op_count; i++)
        plan->ops[i].packed = dcnn_arena_take(arena, plan->ops[i].packed_floats * sizeof(float));
}

static void carve(dcnn_plan *plan, dcnn_arena *arena) {
    if (!plan->options.packed_elsewhere) carve_packed(plan, arena);
    for (int i = 0; i < plan->op_count; i++)
        plan->ops[i].shared = dcnn_arena_take(arena, plan->ops[i].shared_floats * sizeof(float));
    plan->slots = dcnn_arena_take(arena, plan->slot_bytes * (size_t)plan->options.slots);
    plan->workers = dcnn_arena_take(arena, plan->worker_bytes * (size_t)plan->options.workers);
}

static dcnn_status make_memory(dcnn_plan *plan) {
    const size_t count = (size_t)tensor_count(plan);
    tensor **list = calloc(3 * count, sizeof *list);
    if (list == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: planning a net of %d operations", plan->op_count);
    measure_tensors(plan);
    touch_all(plan);
    place_tensors(plan, list);
    free(list);
    dcnn_arena arena = {0};
    carve(plan, &arena);
    plan->block_bytes = arena.used;
    DCNN_TRY(dcnn_block_create(plan->block_bytes, "the net's activations", (void **)&plan->block));
    arena = (dcnn_arena){.base = plan->block};
    carve(plan, &arena);
    return DCNN_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static dcnn_status make_lists(dcnn_plan *plan) {
    const size_t nodes = (size_t)plan->net->node_count, stages = (size_t)dcnn_plan_stage_count(plan);
    plan->ops = calloc(2 * nodes, sizeof *plan->ops);
    plan->steps = calloc(8 * nodes + 1, sizeof *plan->steps);
    plan->stage_first = calloc(stages + 1, sizeof *plan->stage_first);
    plan->stage_sums = calloc(stages, sizeof *plan->stage_sums);
    plan->values = calloc(2 * nodes + 1, sizeof *plan->values);
    plan->gradients = calloc(2 * nodes + 1, sizeof *plan->gradients);
    plan->saved = calloc(2 * nodes + 1, sizeof *plan->saved);
    plan->partials = calloc(nodes, sizeof *plan->partials);
    int *value_of = calloc(nodes, sizeof *value_of);
    bool *has_gradient = calloc(2 * nodes + 1, sizeof *has_gradient);
    const bool good = plan->ops && plan->steps && plan->stage_first && plan->stage_sums && plan->values &&
                      plan->gradients && plan->saved && plan->partials && value_of && has_gradient;
    if (good) {
        list_operations(plan, value_of);
        fold_batch_normalizations(plan);
        for (int i = 0; i < plan->op_count; i++)
            if (plan->ops[i].kind->measure)
                plan->ops[i].kind->measure(&plan->ops[i], plan->ops[i].kernels, plan->options.grain);
        list_steps(plan, has_gradient);
    }
    free(value_of);
    free(has_gradient);
    return good ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: planning a net of %zu layers", nodes);
}

dcnn_status dcnn_plan_create(dcnn_net *net, const dcnn_kernels *kernels, const dcnn_plan_options *options,
                             dcnn_plan **out) {
    *out = NULL;
    dcnn_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a plan");
    plan->net = net;
    plan->kernels = kernels;
    plan->options = *options;
    plan->parts = 1;
    dcnn_status status = make_lists(plan);
    if (status == DCNN_OK) status = make_memory(plan);
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
    free(plan->partials);
    dcnn_block_free(plan->block);
    free(plan);
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static void *memory_of(const dcnn_plan *plan, const tensor *t, int slot, int worker) {
    if (t->first < 0) return NULL;
    return t->in_slot ? plan->slots + (size_t)slot * plan->slot_bytes + t->offset
                      : plan->workers + (size_t)worker * plan->worker_bytes + t->offset;
}

static void run_loss(const dcnn_plan *plan, const step *s, int slot, int worker, const dcnn_grain *grain) {
    const float *logits = memory_of(plan, &plan->values[plan->logits], slot, worker);
    float *y = memory_of(plan, &plan->probabilities, slot, worker);
    const dcnn_net *net = plan->net;
    if (grain->targets.labels == NULL && grain->targets.values == NULL) {
        dcnn_loss_outputs(&net->loss, plan->kernels, (size_t)grain->n, net->output_count, logits, y);
        return;
    }
    float *dx = plan->options.training ? memory_of(plan, &plan->gradients[plan->logits], slot, worker) : NULL;
    dcnn_loss_run(&net->loss, plan->kernels, (size_t)grain->n, net->output_count, logits, &grain->targets, y, dx,
                  grain->sums + s->sum_offset);
}

/* The calls of a layer, each of which writes the gradient of its weights, add these up. */
static void take_turn(const dcnn_plan *plan, const step *s, int slot, int worker, const dcnn_grain *grain) {
    const int owner = plan->ops[s->op].head->owner;
    const dcnn_range range = range_of(&plan->net->nodes[owner]);
    float *now = grain->dparams + range.offset, *sum = memory_of(plan, &plan->partials[owner], slot, worker);
    if (range.count == 0) return;
    if (s->turn == FIRST)
        memcpy(sum, now, range.count * sizeof(float));
    else
        plan->kernels->add(range.count, sum, now, s->turn == LAST ? now : sum);
}

static void run_backward(const dcnn_plan *plan, const step *s, int slot, int worker, const dcnn_grain *grain,
                         dcnn_pass *pass) {
    const dcnn_op *op = pass->op;
    size_t addend = (size_t)worker * plan->worker_bytes + plan->addend_offset;
    for (int j = 0; j < op->input_count; j++) {
        pass->dx[j] = memory_of(plan, &plan->gradients[op->inputs[j]], slot, worker);
        if (!s->accumulate[j]) continue;
        pass->dx[j] = (float *)(void *)(plan->workers + addend);
        addend += plan->values[op->inputs[j]].bytes;
    }
    op->kind->backward(pass);
    for (int j = 0; j < op->input_count; j++) {
        if (!s->accumulate[j]) continue;
        float *dx = memory_of(plan, &plan->gradients[op->inputs[j]], slot, worker);
        plan->kernels->add((size_t)grain->n * dcnn_shape_count(op->in_of[j]), dx, pass->dx[j], dx);
    }
}

static void run_step(const dcnn_plan *plan, const step *s, int slot, int worker, const dcnn_grain *grain) {
    const dcnn_op *op = &plan->ops[s->op];
    char *mine = plan->workers + (size_t)worker * plan->worker_bytes;
    dcnn_pass pass = {.op = op,
                      .kernels = op->kernels,
                      .net = plan->net,
                      .n = grain->n,
                      .y = memory_of(plan, &plan->values[op->output], slot, worker),
                      .dy = memory_of(plan, &plan->gradients[op->output], slot, worker),
                      .dparams = grain->dparams,
                      .saved = memory_of(plan, &plan->saved[s->op], slot, worker),
                      .scratch = (float *)(void *)(mine + plan->scratch_offset),
                      .sums = grain->sums + s->sum_offset,
                      .seed = grain->seed,
                      .epoch = grain->epoch,
                      .samples = grain->samples};
    for (int j = 0; j < op->input_count; j++)
        pass.x[j] = memory_of(plan, &plan->values[value_read_by(op, j)], slot, worker);
    switch (s->phase) {
    case FORWARD:
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
        const step *s = &plan->steps[at];
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

void dcnn_plan_prepare(const dcnn_plan *plan, int worker) {
    const int workers = plan->options.workers;
    for (int i = 0; i < plan->op_count; i++) {
        const dcnn_op *op = &plan->ops[i];
        if (op->kind->prepare == NULL) continue;
        if (op->packed_floats > 0)
            op->kind->prepare(op, op->kernels, plan->net, plan->part * workers + worker, plan->parts * workers);
        else
            op->kind->prepare(op, op->kernels, plan->net, worker, workers);
    }
}

void dcnn_plan_agreed(const dcnn_plan *plan, int stage, const double *totals, int64_t samples) {
    for (int at = plan->stage_first[stage]; at < plan->stage_first[stage + 1]; at++) {
        const step *s = &plan->steps[at];
        if (s->phase != FORWARD_SUMS && s->phase != BACKWARD_SUMS) continue;
        const dcnn_op *op = &plan->ops[s->op];
        if (s->phase == FORWARD_SUMS)
            op->kind->forward_agreed(op, plan->net, totals + s->sum_offset, samples);
        else
            op->kind->backward_agreed(op, plan->net, totals + s->sum_offset, samples);
    }
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
    return (float *)memory_of(plan, &plan->values[0], slot, 0);
}

const float *dcnn_plan_output(const dcnn_plan *plan, int worker) {
    return (const float *)memory_of(plan, &plan->probabilities, 0, worker);
}

size_t dcnn_plan_packed_bytes(const dcnn_plan *plan) {
    size_t bytes = 0;
    for (int i = 0; i < plan->op_count; i++) bytes += line(plan->ops[i].packed_floats * sizeof(float));
    return bytes;
}

void dcnn_plan_place_packed(dcnn_plan *plan, void *block, int part, int parts) {
    dcnn_arena arena = {.base = block};
    carve_packed(plan, &arena);
    plan->part = part;
    plan->parts = parts;
}

size_t dcnn_plan_bytes(const dcnn_plan *plan) {
    return plan->block_bytes;
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
