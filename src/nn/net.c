/* SPDX-License-Identifier: BSD-3-Clause */
/* net.c — what a net is made of besides its nodes: stages, and the flat vectors of weights. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "nn/config.h"
#include "nn/net_private.h"

const dcnn_param *dcnn_net_param(const dcnn_net *net, const dcnn_node *node, int number) {
    const dcnn_node *owner = &net->nodes[node->owner];
    return number < owner->param_count ? &owner->params[number] : NULL;
}

float *dcnn_net_values(const dcnn_net *net, const dcnn_param *param) {
    return (param->trainable ? net->params : net->state) + param->offset;
}

bool dcnn_net_is_input(const dcnn_net *net, int node) {
    while (node > 0 && (net->nodes[node].layer->only_training || net->nodes[node].layer->draws ||
                        net->nodes[node].layer == &dcnn_layer_resizing))
        node = net->nodes[node].inputs[0];
    return node == 0;
}

dcnn_status dcnn_net_copy(const dcnn_net *net, dcnn_net **copy) {
    json_t *description = dcnn_net_describe(net);
    dcnn_status status = dcnn_net_create(description, net->nodes[0].shape, copy);
    json_decref(description);
    DCNN_TRY(status);
    DCNN_TRY(dcnn_net_set_loss(*copy, &net->loss));
    memcpy((*copy)->base, net->base, sizeof net->base);
    snprintf((*copy)->untrainable, sizeof(*copy)->untrainable, "%s", net->untrainable);
    memcpy((*copy)->params, net->params, net->param_count * sizeof(float));
    memcpy((*copy)->state, net->state, net->state_count * sizeof(float));
    return DCNN_OK;
}

dcnn_status dcnn_net_check_shape(const dcnn_net *net, const char *model, int h, int w, int c, const char *data) {
    const dcnn_shape takes = net->nodes[0].shape;
    if (takes.h == h && takes.w == w && takes.c == c) return DCNN_OK;
    char text[48];
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s takes images of shape %s, but those of %s have shape (%d, %d, %d)", model,
                     dcnn_shape_text(takes, text), data, h, w, c);
}

void dcnn_net_free(dcnn_net *net) {
    if (net == NULL) return;
    for (int i = 0; i < net->node_count; i++) {
        free(net->nodes[i].config);
        json_decref(net->nodes[i].kept);
    }
    free(net->nodes);
    free(net->buckets);
    if (!net->params_elsewhere) dcnn_block_free(net->params);
    dcnn_block_free(net->state);
    free(net);
}

void dcnn_net_place_params(dcnn_net *net, float *params) {
    if (!net->params_elsewhere) dcnn_block_free(net->params);
    net->params = params;
    net->params_elsewhere = true;
}

void dcnn_net_set_bf16(dcnn_net *net, bool bf16) {
    for (int i = 1; i < net->node_count; i++) net->nodes[i].bf16 = bf16;
}

bool dcnn_net_has_bf16(const dcnn_net *net) {
    for (int i = 1; i < net->node_count; i++)
        if (net->nodes[i].bf16) return true;
    return false;
}

/* A gradient is wanted where a weight is to be trained, and of all that stands behind one. */
static void find_learners(dcnn_net *net) {
    for (int i = 0; i < net->node_count; i++) {
        dcnn_node *node = &net->nodes[i];
        const dcnn_node *owner = &net->nodes[node->owner];
        for (int j = 0; j < owner->param_count; j++) node->learns = node->learns || owner->params[j].trainable;
        for (int j = 0; j < node->input_count; j++) node->learns = node->learns || net->nodes[node->inputs[j]].learns;
    }
}

/*
 * Stages: a node's output exists after as many forward synchronisations as lie before it; its gradient after as many
 * backward ones as lie behind it. A synchronised node's own gradients come out of its sums, one stage earlier.
 */
static void number_stages(dcnn_net *net) {
    for (int i = 0; i < net->node_count; i++) {
        dcnn_node *node = &net->nodes[i];
        node->stage_forward = 0;
        for (int j = 0; j < node->input_count; j++) {
            int before = net->nodes[node->inputs[j]].stage_forward;
            if (before > node->stage_forward) node->stage_forward = before;
        }
        node->stage_forward += node->synchronised + node->cut;
        node->stage_backward = 0;
    }
    net->loss_stage = net->nodes[net->node_count - 1].stage_forward;
    net->stage_count = net->loss_stage + 1;
    for (int i = net->node_count - 1; i >= 0; i--) {
        dcnn_node *node = &net->nodes[i];
        if (node->stage_backward < net->loss_stage) node->stage_backward = net->loss_stage;
        if (!node->learns) continue;
        node->stage_backward += node->synchronised + node->cut;
        for (int j = 0; j < node->input_count; j++) {
            dcnn_node *input = &net->nodes[node->inputs[j]];
            if (input->stage_backward < node->stage_backward) input->stage_backward = node->stage_backward;
        }
        if (net->stage_count < node->stage_backward + 1) net->stage_count = node->stage_backward + 1;
    }
}

/* The stage in which the last of each layer's calls has made its gradient, at the owner's place. */
static void find_gradient_stages(const dcnn_net *net, int *stages) {
    for (int i = 0; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        const int stage = node->stage_backward - (node->learns ? node->synchronised : 0);
        if (stage > stages[node->owner]) stages[node->owner] = stage;
    }
}

/* Places weights in the flat vectors, those whose gradient is ready first in front. */
static dcnn_status place_weights(dcnn_net *net) {
    net->buckets = calloc((size_t)net->stage_count, sizeof *net->buckets);
    int *stages = calloc((size_t)net->node_count & INT32_MAX, sizeof *stages);
    if (net->buckets == NULL || stages == NULL) {
        free(stages);
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: stages");
    }
    find_gradient_stages(net, stages);
    for (int stage = 0; stage < net->stage_count; stage++) {
        net->buckets[stage].offset = net->param_count;
        for (int i = 0; i < net->node_count; i++) {
            dcnn_node *node = &net->nodes[i];
            for (int j = 0; j < node->param_count && stages[i] == stage; j++) {
                dcnn_param *param = &node->params[j];
                size_t *end = param->trainable ? &net->param_count : &net->state_count;
                param->offset = *end;
                *end += (param->count + 15) / 16 * 16; /* each tensor starts on a cache line; the gap stays zero */
            }
        }
        net->buckets[stage].count = net->param_count - net->buckets[stage].offset;
    }
    free(stages);
    DCNN_TRY(dcnn_block_create(net->param_count * sizeof(float), "the weights", (void **)&net->params));
    return dcnn_block_create(net->state_count * sizeof(float), "the moving statistics", (void **)&net->state);
}

/* --- buckets by bytes --------------------------------------------------------------------------------------------- */

static size_t trainable_bytes(const dcnn_node *node) {
    size_t count = 0;
    for (int j = 0; j < node->param_count; j++)
        if (node->params[j].trainable) count += node->params[j].count;
    return count * sizeof(float);
}

/* Cuts before a layer with weights, where those behind it in its stage have as many bytes; before the first one where
 * they have a quarter: its gradient is the last, and the next step reads its weights first. */
static bool choose_cuts(dcnn_net *net, size_t bytes) {
    size_t behind = 0;
    bool any = false;
    int front = 1;
    while (front < net->node_count && trainable_bytes(&net->nodes[front]) == 0) front++;
    for (int i = net->node_count - 1; i > 0; i--) {
        dcnn_node *node = &net->nodes[i];
        const size_t own = node->learns ? trainable_bytes(node) : 0;
        if (node->learns && node->synchronised) behind = 0;
        node->cut = own > 0 && behind >= (i == front ? bytes / 4 : bytes) && !node->synchronised;
        behind = own + (node->cut ? 0 : behind);
        any = any || node->cut;
    }
    return any;
}

/* Each stage's gradients where they lie already; false: not in one piece. */
static bool find_buckets(const dcnn_net *net, const int *stages, dcnn_range *buckets) {
    size_t held = 0;
    for (int stage = 0; stage < net->stage_count; stage++) {
        size_t first = net->param_count, end = 0, count = 0;
        for (int i = 0; i < net->node_count; i++)
            for (int j = 0; j < net->nodes[i].param_count && stages[i] == stage; j++) {
                const dcnn_param *param = &net->nodes[i].params[j];
                if (!param->trainable) continue;
                const size_t lines = (param->count + 15) / 16 * 16;
                if (param->offset < first) first = param->offset;
                if (param->offset + lines > end) end = param->offset + lines;
                count += lines;
            }
        if (count > 0 && count != end - first) return false;
        buckets[stage] = (dcnn_range){count > 0 ? first : 0, count};
        held += count;
    }
    return held == net->param_count;
}

dcnn_status dcnn_net_cut(dcnn_net *net, size_t bytes) {
    if (!choose_cuts(net, bytes)) return DCNN_OK;
    number_stages(net);
    int *stages = calloc((size_t)net->node_count & INT32_MAX, sizeof *stages);
    dcnn_range *buckets = calloc((size_t)net->stage_count, sizeof *buckets);
    dcnn_status status = DCNN_OK;
    if (stages == NULL || buckets == NULL) status = DCNN_FAIL(DCNN_FAILURE, "out of memory: stages");
    if (status == DCNN_OK) find_gradient_stages(net, stages);
    if (status == DCNN_OK && find_buckets(net, stages, buckets)) {
        free(net->buckets);
        net->buckets = buckets;
    } else {
        for (int i = 0; i < net->node_count; i++) net->nodes[i].cut = false;
        number_stages(net);
        free(buckets);
    }
    free(stages);
    return status;
}

static dcnn_activation_kind activation_of(const dcnn_node *node) {
    return node->layer->activation ? node->layer->activation(node).kind : DCNN_LINEAR;
}

static bool passes_on(const dcnn_node *node) {
    return (node->layer->is_view && node->layer->is_view(node)) ||
           (node->layer == &dcnn_layer_activation && activation_of(node) == DCNN_LINEAR);
}

/* A layer of training alone (Dropout) between the last activation and the end, or NULL. */
static const dcnn_node *changer_of_end(const dcnn_net *net) {
    const dcnn_node *changer = NULL;
    int at = net->node_count - 1;
    while (at > 0 && (passes_on(&net->nodes[at]) || net->nodes[at].layer->only_training)) {
        if (net->nodes[at].layer->only_training) changer = &net->nodes[at];
        at = net->nodes[at].inputs[0];
    }
    return activation_of(&net->nodes[at]) == DCNN_LINEAR ? NULL : changer;
}

/* The softmax before a linear end, if only layers without weights stand between: their output is no logits. The same of
 * a sigmoid, unless it is only scaled, as numbers between bounds are. NULL: none */
static const dcnn_node *shares_before_end(const dcnn_net *net) {
    int at = net->node_count - 1;
    bool only_scaled = true;
    while (at > 0 && activation_of(&net->nodes[at]) == DCNN_LINEAR &&
           net->nodes[net->nodes[at].owner].param_count == 0) {
        const dcnn_node *node = &net->nodes[at];
        if (node->layer == &dcnn_layer_softmax_axes) return node;
        for (int j = 1; j < node->input_count; j++)
            if (node->inputs[j] != node->inputs[0]) return NULL; /* more than one value is in it */
        only_scaled = only_scaled && (passes_on(node) || node->layer == &dcnn_layer_rescaling);
        at = node->inputs[0];
    }
    const dcnn_activation_kind kind = at > 0 ? activation_of(&net->nodes[at]) : DCNN_LINEAR;
    return kind == DCNN_SOFTMAX || (kind == DCNN_SIGMOID && !only_scaled) ? &net->nodes[at] : NULL;
}

int dcnn_net_end(const dcnn_net *net) {
    const int last = net->node_count - 1;
    int at = last;
    while (at > 0 && passes_on(&net->nodes[at])) at = net->nodes[at].inputs[0];
    return activation_of(&net->nodes[at]) == DCNN_LINEAR ? last : at;
}

dcnn_activation_kind dcnn_net_output_activation(const dcnn_net *net) {
    return activation_of(&net->nodes[dcnn_net_end(net)]);
}

dcnn_status dcnn_net_set_loss(dcnn_net *net, const dcnn_loss *loss) {
    const dcnn_activation_kind activation = dcnn_net_output_activation(net);
    if (activation != DCNN_LINEAR && dcnn_loss_of_output(activation) != loss->kind)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the loss %s does not fit the last layer '%s', which ends in %s",
                         dcnn_loss_word(loss->kind), net->nodes[dcnn_net_end(net)].name,
                         dcnn_activation_name(activation));
    net->loss = *loss;
    net->class_count = dcnn_loss_is_regression(loss->kind)                        ? 0
                       : loss->kind == DCNN_LOSS_BINARY && net->output_count == 1 ? 2
                                                                                  : net->output_count;
    return DCNN_OK;
}

/* Then a linear end is probabilities, not logits. */
static bool averages_softmaxes(const dcnn_net *net) {
    const dcnn_node *last = &net->nodes[net->node_count - 1];
    bool all = last->layer == &dcnn_layer_average;
    for (int i = 0; i < last->input_count && all; i++) {
        const dcnn_node *member = &net->nodes[last->inputs[i]];
        all = member->layer->activation && member->layer->activation(member).kind == DCNN_SOFTMAX;
    }
    return all;
}

/* What the net comes to: one number a class. A linear end is taken for logits. */
static dcnn_status check_output(dcnn_net *net) {
    const dcnn_node *last = &net->nodes[net->node_count - 1], *end = &net->nodes[dcnn_net_end(net)];
    const dcnn_activation_kind activation = activation_of(end);
    char text[48];
    if (last->shape.rank != 1)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "the last layer '%s' must give one number a class, but its output has shape %s", last->name,
                         dcnn_shape_text(last->shape, text));
    if (activation != DCNN_LINEAR && dcnn_loss_of_output(activation) == DCNN_LOSS_COUNT)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "the last layer '%s' must end in softmax, sigmoid or no activation (logits), not in %s",
                         end->name, dcnn_activation_name(activation) ? dcnn_activation_name(activation) : "another");
    if (activation == DCNN_SOFTMAX && end->shape.c != last->shape.c)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "the softmax of '%s' is of the channels of each position of its output of shape %s, but the "
                         "net's output is one vector: put the softmax behind '%s'",
                         end->name, dcnn_shape_text(end->shape, text), last->name);
    const dcnn_node *changer = changer_of_end(net);
    if (changer)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s' (%s) changes what '%s' makes of the classes: dcnn takes it only before the last "
                         "activation",
                         changer->name, changer->layer->class_name, net->nodes[changer->inputs[0]].name);
    const dcnn_node *shares = activation == DCNN_LINEAR ? shares_before_end(net) : NULL;
    if (shares)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "the layers behind the %s of '%s', up to '%s' (%s), change its probabilities, and dcnn takes "
                         "those of the last layer alone: let the model end with it",
                         dcnn_activation_name(activation_of(shares)), shares->name, last->name,
                         last->layer->class_name);
    net->output_count = last->shape.c;
    net->averages = averages_softmaxes(net);
    if (net->averages)
        snprintf(net->untrainable, sizeof net->untrainable,
                 "it is an ensemble, the mean of %d networks' probabilities: train these", last->input_count);
    const dcnn_loss loss = {.kind =
                                activation == DCNN_LINEAR ? DCNN_LOSS_CATEGORICAL : dcnn_loss_of_output(activation)};
    return dcnn_net_set_loss(net, &loss);
}

/* Layers that are known at inference alone. */
static void read_others(dcnn_net *net) {
    for (int i = 0; i < net->node_count; i++)
        if (net->nodes[i].layer->instead && !net->nodes[i].inference)
            snprintf(net->untrainable, sizeof net->untrainable,
                     "dcnn does not have its layer '%.60s' (%s) in training: leave it out of the model, and give %s",
                     net->nodes[i].name, net->nodes[i].layer->class_name, net->nodes[i].layer->instead);
}

/* Regularizers and constraints. One that is unknown does not matter until the net is to be trained; but with a part of
 * them the loss would be neither the net's with them nor that without. */
static void read_training(dcnn_net *net) {
    for (int i = 0; i < net->node_count && net->untrainable[0] == '\0'; i++)
        if (net->nodes[i].owner == i && dcnn_config_read_training(&net->nodes[i]) != DCNN_OK)
            snprintf(net->untrainable, sizeof net->untrainable, "%.250s", dcnn_error());
    for (int i = 0; i < net->node_count && net->untrainable[0]; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            net->nodes[i].params[j].regularizer = (dcnn_regularizer){0};
            net->nodes[i].params[j].constraint = (dcnn_constraint){0};
        }
}

dcnn_status dcnn_net_create(const json_t *description, dcnn_shape input, dcnn_net **out) {
    *out = NULL;
    dcnn_net *net = calloc(1, sizeof *net);
    if (net == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a model");
    dcnn_status status = dcnn_net_read(net, description, input);
    if (status == DCNN_OK) status = check_output(net);
    if (status == DCNN_OK) {
        read_others(net);
        read_training(net);
        find_learners(net);
        number_stages(net);
        status = place_weights(net);
    }
    if (status != DCNN_OK) {
        dcnn_net_free(net);
        return status;
    }
    *out = net;
    return DCNN_OK;
}

void dcnn_net_initialise(dcnn_net *net, uint64_t seed) {
    int64_t number = 0;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            dcnn_initializer_fill(&param->initializer, seed, number++, param->rank, param->dims,
                                  dcnn_net_values(net, param));
        }
}

int64_t dcnn_net_multiply_adds(const dcnn_net *net, int node) {
    int64_t sum = 0;
    for (int i = node < 0 ? 0 : node; i <= (node < 0 ? net->node_count - 1 : node); i++)
        for (int j = 0; j < DCNN_MAX_PARAMS; j++) { /* kernels are used once a position */
            const dcnn_param *param = dcnn_net_param(net, &net->nodes[i], j);
            if (param && param->rank >= 2 && strstr(param->name, "kernel"))
                sum += (int64_t)param->count * net->nodes[i].shape.h * net->nodes[i].shape.w;
        }
    return sum;
}

int dcnn_net_prediction_count(const dcnn_net *net) {
    return net->class_count > 0 ? net->class_count : net->output_count;
}

void dcnn_net_probabilities(const dcnn_net *net, size_t rows, const float *outputs, float *probabilities) {
    if (net->class_count == net->output_count || net->class_count == 0) {
        memcpy(probabilities, outputs, rows * (size_t)net->output_count * sizeof *outputs);
        return;
    }
    for (size_t i = 0; i < rows && net->class_count == 2; i++) {
        probabilities[2 * i] = 1.0f - outputs[i];
        probabilities[2 * i + 1] = outputs[i];
    }
}
