/* SPDX-License-Identifier: BSD-3-Clause */
/* plan_lists.c — from a net to operations and steps. */
#include "nn/plan/plan_private.h"

#include <string.h>

/* --- operations --------------------------------------------------------------------------------------------------- */

/* The operation that makes a value, or NULL for the input. */
static dcnn_op *producer(const dcnn_plan *plan, int value) {
    return value > 0 ? &plan->ops[value - 1] : NULL;
}

const dcnn_kernels *dcnn_plan_kernels_for(const dcnn_plan *plan, const dcnn_node *node) {
    return node->bf16 ? plan->kernels->bf16 : plan->kernels;
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
                    .kernels = dcnn_plan_kernels_for(plan, node),
                    .head = node,
                    .node = node,
                    .training = plan->options.training,
                    .free_bits = !plan->options.training && node - plan->net->nodes > plan->frozen_end,
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

/* Makes an operation that of its neighbours too. */
static void fuse(dcnn_plan *plan, dcnn_op *op, const dcnn_fusion *f) {
    op->kind = f->kind;
    op->node = f->node;
    op->norm = f->folded;
    if (f->norm) {
        op->conv = op->head;
        op->head = f->norm;
    }
    if (f->kind == &dcnn_op_conv_pool || f->kind == &dcnn_op_conv_average || f->norm)
        return; /* the activation is the kernels' own, or there is none */
    if (f->kind == &dcnn_op_norm_relu && (f->activation.kind == DCNN_RELU || f->activation.kind == DCNN_LINEAR)) {
        op->activation = f->activation;
        return;
    }
    if (f->folded && f->kind == f->node->layer->op && f->pool == NULL) {
        op->activation = f->activation;
        return;
    }
    const bool in_place = !dcnn_activation_reads_x(f->activation.kind);
    if (f->kind == &dcnn_op_conv_valley || f->kind == &dcnn_op_conv_max_norm ||
        (f->kind == &dcnn_op_conv_max && in_place)) {
        op->activation = f->activation;
        return;
    }
    const dcnn_node *pool = f->pool ? f->pool : f->node;
    int value = op->output;
    if (f->pool) {
        dcnn_op *pooling = add_operation(plan, pool->layer->op, pool, f->node->shape);
        pooling->inputs[0] = value;
        value = pooling->output;
    }
    dcnn_op *behind = add_operation(plan, in_place ? &dcnn_op_activation : &dcnn_op_function, pool, pool->shape);
    behind->inputs[0] = value;
    behind->activation = f->activation;
}

/* A BatchNormalization read only by fused convolutions needs no output of its own: they apply its scale and shift. */
static void fold_batch_normalizations(dcnn_plan *plan) {
    for (int i = 0; i < plan->op_count; i++) {
        dcnn_op *op = &plan->ops[i];
        dcnn_op *before = producer(plan, op->inputs[0]);
        const bool folds = op->kind == &dcnn_op_conv_pool || op->kind == &dcnn_op_conv_max ||
                           op->kind == &dcnn_op_conv_max_norm || op->kind == &dcnn_op_conv_valley;
        if (!folds || before == NULL || before->kind->forward_sums == NULL || before->kind == &dcnn_op_norm_relu ||
            before->conv || !dcnn_batch_normalization_is_last(before->head))
            continue;
        int readers = plan->logits == before->output;
        for (int k = 0; k < plan->op_count; k++)
            for (int j = 0; j < plan->ops[k].input_count; j++) readers += plan->ops[k].inputs[j] == before->output;
        if (readers == 1) op->affine = before;
    }
}

/* Is this BatchNormalization applied by another operation, which reads what it would have read? */
static bool is_folded(const dcnn_plan *plan, const dcnn_op *batch_normalization) {
    for (int i = 0; i < plan->op_count; i++)
        if (plan->ops[i].affine == batch_normalization) return true;
    return false;
}

static bool may_be_half(const dcnn_plan *plan, const dcnn_op *op) {
    if (is_folded(plan, op)) return false;
    /* in training it is not */
    if (op->kind == &dcnn_op_conv_pool && op->head - plan->net->nodes <= plan->frozen_end) return false;
    return op->kind->may_be_half && op->input_count == 1 && op->affine == NULL && op->kind->may_be_half(op);
}

/* Values between two operations that round them to bf16 anyway, or are of a layer whose policy says so, are kept as
 * bf16 numbers: half the memory, and half the traffic. */
static void choose_halves(dcnn_plan *plan, const int *value_of) {
    const int kept = plan->frozen_end > 0 ? value_of[plan->frozen_end] : 0;
    for (int i = 0; i < plan->op_count; i++) {
        dcnn_op *op = &plan->ops[i], *reader = NULL;
        int readers = plan->logits == op->output || kept == op->output;
        for (int k = 0; k < plan->op_count; k++)
            for (int j = 0; j < plan->ops[k].input_count; j++)
                if (plan->ops[k].inputs[j] == op->output) {
                    readers++;
                    reader = &plan->ops[k];
                }
        if (readers == 1 && reader && may_be_half(plan, op) && may_be_half(plan, reader))
            op->y_half = reader->x_half = true;
    }
}

void dcnn_plan_list_operations(dcnn_plan *plan, int *value_of) {
    const dcnn_net *net = plan->net;
    const int loss_end = dcnn_net_end(net);
    const int first = plan->options.first, end = plan->options.last > 0 ? plan->options.last + 1 : net->node_count;
    plan->value_count = 1;
    for (int i = 0; i < net->node_count; i++) value_of[i] = -1;
    if (first > 0) value_of[first] = 0;
    for (int i = first > 0 ? first + 1 : 0; i < end; i++) {
        const dcnn_node *head = &net->nodes[i];
        const bool last = i == loss_end;
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
        dcnn_fusion f = dcnn_plan_fuse_convolution(plan, i);
        if (f.kind == NULL) f = dcnn_plan_fuse_normalization(plan, i);
        for (int j = 0; j < f.count; j++)
            if (f.covered[j] >= end) f = (dcnn_fusion){0};
        if (f.kind == NULL)
            set_activation(plan, op, last); /* it may add an operation, whose output is the node's then */
        else
            fuse(plan, op, &f);
        for (int j = 0; j < f.count; j++) value_of[f.covered[j]] = plan->value_count - 1;
        value_of[i] = plan->value_count - 1;
    }
    plan->logits = value_of[end - 1];
    fold_batch_normalizations(plan);
    choose_halves(plan, value_of);
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static void add_step(dcnn_plan *plan, dcnn_plan_phase what, int op, int stage) {
    dcnn_plan_step *added = &plan->steps[plan->step_count++];
    *added = (dcnn_plan_step){.phase = what, .op = op, .sum_offset = plan->stage_sums[stage]};
    if (what == FORWARD_SUMS || what == BACKWARD_SUMS) plan->stage_sums[stage] += plan->ops[op].sum_count;
    if (what == LOSS) plan->stage_sums[stage] += DCNN_LOSS_SUMS;
}

/* Does this operation, in training, need sums over the batch? */
static bool is_synchronised(const dcnn_plan *plan, const dcnn_op *op) {
    return plan->options.training && op->head->synchronised && op->kind->forward_sums;
}

int dcnn_plan_first_stage(const dcnn_plan *plan, const dcnn_op *op) {
    return plan->options.training ? op->head->stage_forward - is_synchronised(plan, op) : 0;
}

/* Do the operation's layers have weights of this node's? */
static bool reads_weights_of(const dcnn_plan *plan, const dcnn_op *op, int node) {
    const int head = (int)(op->head - plan->net->nodes), last = (int)(op->node - plan->net->nodes);
    if (op->conv && (op->conv - plan->net->nodes == node || op->conv->owner == node)) return true;
    return head == node || last == node || op->head->owner == node || op->node->owner == node;
}

int dcnn_plan_first_reader(const dcnn_plan *plan, dcnn_range params) {
    const int stages = dcnn_plan_stage_count(plan);
    int first = stages;
    for (int i = 0; i < plan->net->node_count; i++) {
        const dcnn_range own = dcnn_plan_range_of(&plan->net->nodes[i]);
        if (own.count == 0 || own.offset >= params.offset + params.count || params.offset >= own.offset + own.count)
            continue;
        int reader = stages;
        for (int k = 0; k < plan->op_count; k++) {
            const dcnn_op *op = &plan->ops[k];
            const int stage = reads_weights_of(plan, op, i) ? dcnn_plan_first_stage(plan, op) : stages;
            if (stage < reader) reader = stage;
        }
        if (reader == stages) return 0;
        if (reader < first) first = reader;
    }
    return first < stages ? first : 0;
}

bool dcnn_plan_prepares(const dcnn_plan *plan, int stage) {
    for (int i = 0; i < plan->op_count; i++)
        if (plan->ops[i].kind->prepare && dcnn_plan_first_stage(plan, &plan->ops[i]) == stage) return true;
    return false;
}

bool dcnn_plan_value_learns(const dcnn_plan *plan, int value) {
    return value > 0 && plan->ops[value - 1].node->learns;
}

/* Makes a value that was dropped, and what that takes, before it is read. `again` of it notes what is there. */
static void make_again(dcnn_plan *plan, int value, int stage) {
    const dcnn_op *op = producer(plan, value);
    if (!plan->dropped[value] || plan->again[value].bytes > 0) return;
    plan->again[value].bytes = 1; /* measured later */
    for (int j = 0; j < op->input_count; j++) make_again(plan, dcnn_plan_value_read_by(op, j), stage);
    add_step(plan, AGAIN, value - 1, stage);
}

static void make_again_for(dcnn_plan *plan, int i, int stage) {
    const dcnn_op *op = &plan->ops[i];
    for (int j = 0; j < op->input_count && op->kind->backward_reads_x; j++)
        make_again(plan, dcnn_plan_value_read_by(op, j), stage);
    if (op->kind->backward_reads_y || op->saved_bytes > 0) make_again(plan, op->output, stage);
}

static void add_backward(dcnn_plan *plan, int i, int stage, bool *has_gradient) {
    const dcnn_op *op = &plan->ops[i];
    make_again_for(plan, i, stage);
    add_step(plan, BACKWARD, i, stage);
    for (int j = 0; j < op->input_count; j++) {
        if (!dcnn_plan_value_learns(plan, op->inputs[j])) continue;
        plan->steps[plan->step_count - 1].accumulate[j] = has_gradient[op->inputs[j]];
        has_gradient[op->inputs[j]] = true;
    }
}

static void list_stage(dcnn_plan *plan, int stage, bool *has_gradient) {
    plan->stage_first[stage] = plan->step_count;
    for (int i = 0; i < plan->op_count; i++) {
        const dcnn_op *op = &plan->ops[i];
        const int forward = plan->options.training ? op->head->stage_forward : 0;
        if (is_synchronised(plan, op) && forward - 1 == stage) add_step(plan, FORWARD_SUMS, i, stage);
        if (forward == stage && !is_folded(plan, op)) add_step(plan, FORWARD, i, stage);
    }
    for (int i = plan->op_count - 1; i >= 0 && plan->options.training; i--) {
        const dcnn_op *op = &plan->ops[i];
        if (!op->node->learns) continue;
        if (is_synchronised(plan, op) && op->head->stage_backward - 1 == stage) {
            make_again_for(plan, i, stage);
            add_step(plan, BACKWARD_SUMS, i, stage);
        }
        if (op->head->stage_backward == stage) add_backward(plan, i, stage, has_gradient);
    }
}

/* The step that makes the gradient of its operation's weights; the owner of these, or -1. */
static int owner_of(const dcnn_plan *plan, const dcnn_plan_step *s) {
    if (s->op < 0) return -1;
    const dcnn_op *op = &plan->ops[s->op];
    const dcnn_plan_phase what = is_synchronised(plan, op) ? BACKWARD_SUMS : BACKWARD;
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
dcnn_range dcnn_plan_range_of(const dcnn_node *node) {
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
    dcnn_plan_step loss = plan->steps[plan->step_count - 1];
    memmove(&plan->steps[at + 1], &plan->steps[at], (size_t)(plan->step_count - 1 - at) * sizeof(dcnn_plan_step));
    plan->steps[at] = loss;
}

void dcnn_plan_list_steps(dcnn_plan *plan, bool *has_gradient) {
    const int stages = dcnn_plan_stage_count(plan);
    for (int stage = 0; stage < stages; stage++) {
        list_stage(plan, stage, has_gradient);
        const bool loses = stage == (plan->options.training ? plan->net->loss_stage : 0);
        if (loses && plan->options.last == 0) place_loss(plan, stage);
    }
    plan->stage_first[stages] = plan->step_count;
    take_turns(plan);
}
