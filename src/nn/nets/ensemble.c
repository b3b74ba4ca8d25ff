/* SPDX-License-Identifier: BSD-3-Clause */
/* ensemble.c — see ensemble.h. Nets are described, joined or cut as descriptions, and their weights copied by name. */
#include "nn/nets/ensemble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/layer.h"

static const char INPUT_NAME[] = "input", OUTPUT_NAME[] = "ensemble";

static const dcnn_node *last_of(const dcnn_net *net) {
    return &net->nodes[net->node_count - 1];
}

int dcnn_ensemble_count(const dcnn_net *net) {
    return net->averages ? last_of(net)->input_count : 1;
}

/* As a Functional model, which names the inputs of each layer. */
static json_t *describe(const dcnn_net *net) {
    dcnn_net view = *net;
    view.functional = true;
    return dcnn_net_describe(&view);
}

static json_t *layers_of(const json_t *description) {
    return json_object_get(json_object_get(description, "config"), "layers");
}

static void member_name(int member, const char *name, char out[DCNN_NAME_BYTES]) {
    snprintf(out, DCNN_NAME_BYTES, "m%d_%.*s", member + 1, DCNN_NAME_BYTES - 16, name);
}

/* Every reference to a layer ("keras_history": [name, …]) by its new name. */
static void rename_references(json_t *value, int member, const char *input) {
    char name[DCNN_NAME_BYTES];
    const char *key;
    json_t *item;
    size_t i;
    json_array_foreach(value, i, item) rename_references(item, member, input);
    json_object_foreach(value, key, item) {
        if (strcmp(key, "keras_history") != 0) {
            rename_references(item, member, input);
            continue;
        }
        const char *old = json_string_value(json_array_get(item, 0));
        member_name(member, old, name);
        json_array_set_new(item, 0, json_string(strcmp(old, input) == 0 ? INPUT_NAME : name));
    }
}

static void append_member(json_t *layers, const dcnn_net *net, int member) {
    json_t *description = describe(net);
    const char *input = net->nodes[0].name;
    size_t i;
    json_t *layer;
    json_array_foreach(layers_of(description), i, layer) {
        char name[DCNN_NAME_BYTES];
        const bool is_input = strcmp(json_string_value(json_object_get(layer, "name")), input) == 0;
        if (is_input && member > 0) continue;
        member_name(member, json_string_value(json_object_get(layer, "name")), name);
        json_object_set_new(layer, "name", json_string(is_input ? INPUT_NAME : name));
        json_object_set_new(json_object_get(layer, "config"), "name", json_string(is_input ? INPUT_NAME : name));
        rename_references(json_object_get(layer, "inbound_nodes"), member, input);
        json_array_append(layers, layer);
    }
    json_decref(description);
}

static json_t *average_of(int count, const dcnn_net *const *members) {
    json_t *values = json_array();
    for (int k = 0; k < count; k++) {
        char name[DCNN_NAME_BYTES];
        member_name(k, last_of(members[k])->name, name);
        json_array_append_new(values, json_pack("{s:s, s:{s:[n,i], s:s, s:[s,i,i]}}", "class_name", "__keras_tensor__",
                                                "config", "shape", members[k]->output_count, "dtype", "float32",
                                                "keras_history", name, 0, 0));
    }
    return json_pack("{s:s, s:s, s:{s:s, s:b, s:s}, s:n, s:s, s:[{s:[o], s:{}}]}", "module", "keras.layers",
                     "class_name", "Average", "config", "name", OUTPUT_NAME, "trainable", 1, "dtype", "float32",
                     "registered_name", "name", OUTPUT_NAME, "inbound_nodes", "args", values, "kwargs");
}

static json_t *functional(json_t *layers, const char *name, const char *input, const char *output) {
    return json_pack("{s:s, s:s, s:{s:s, s:b, s:o, s:[[s,i,i]], s:[[s,i,i]]}, s:s}", "module",
                     "keras.src.models.functional", "class_name", "Functional", "config", "name", name, "trainable", 1,
                     "layers", layers, "input_layers", input, 0, 0, "output_layers", output, 0, 0, "registered_name",
                     "Functional");
}

/* Weights of the node of that name. */
static void copy_weights(const dcnn_node *from, const dcnn_net *source, const char *name, dcnn_net *to) {
    for (int i = 0; i < to->node_count; i++) {
        if (strcmp(to->nodes[i].name, name) != 0) continue;
        for (int j = 0; j < to->nodes[i].param_count && j < from->param_count; j++)
            memcpy(dcnn_net_values(to, &to->nodes[i].params[j]), dcnn_net_values(source, &from->params[j]),
                   from->params[j].count * sizeof(float));
    }
}

dcnn_status dcnn_ensemble_can_take(const dcnn_net *net) {
    if (dcnn_net_output_activation(net) == DCNN_SOFTMAX) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "a member of an ensemble must end in softmax, but '%s' does not",
                     last_of(net)->name);
}

static dcnn_status check_members(int count, const dcnn_net *const *members) {
    const dcnn_net *first = members[0];
    if (count < 2 || count > DCNN_MAX_INPUTS)
        return DCNN_FAIL(DCNN_USAGE, "an ensemble of %d: it has 2 to %d members", count, DCNN_MAX_INPUTS);
    for (int k = 0; k < count; k++) {
        DCNN_TRY(dcnn_ensemble_can_take(members[k]));
        const dcnn_shape shape = members[k]->nodes[0].shape, other = first->nodes[0].shape;
        if (shape.h != other.h || shape.w != other.w || shape.c != other.c ||
            members[k]->output_count != first->output_count)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "member %d of the ensemble takes other images, or has other classes, than "
                             "the first one",
                             k + 1);
    }
    return DCNN_OK;
}

dcnn_status dcnn_ensemble_create(int count, const dcnn_net *const *members, dcnn_net **net) {
    *net = NULL;
    DCNN_TRY(check_members(count, members));
    json_t *layers = json_array();
    for (int k = 0; k < count; k++) append_member(layers, members[k], k);
    json_array_append_new(layers, average_of(count, members));
    json_t *description = functional(layers, OUTPUT_NAME, INPUT_NAME, OUTPUT_NAME);
    dcnn_status status = dcnn_net_create(description, members[0]->nodes[0].shape, net);
    json_decref(description);
    for (int k = 0; status == DCNN_OK && k < count; k++)
        for (int i = 1; i < members[k]->node_count; i++) {
            char name[DCNN_NAME_BYTES];
            member_name(k, members[k]->nodes[i].name, name);
            copy_weights(&members[k]->nodes[i], members[k], name, *net);
        }
    return status;
}

/* The nodes that a node's output is made of. */
static void mark_ancestors(const dcnn_net *net, int node, bool *marked) {
    marked[node] = true;
    for (int i = node; i > 0; i--)
        for (int k = 0; marked[i] && k < net->nodes[i].input_count; k++) marked[net->nodes[i].inputs[k]] = true;
}

static bool is_marked(const dcnn_net *net, const char *name, const bool *marked) {
    bool found = false;
    for (int i = 0; i < net->node_count; i++) found = found || (marked[i] && strcmp(net->nodes[i].name, name) == 0);
    return found;
}

dcnn_status dcnn_ensemble_member(const dcnn_net *net, int number, dcnn_net **member) {
    const int end = last_of(net)->inputs[number];
    bool *marked = calloc((size_t)net->node_count, sizeof *marked);
    *member = NULL;
    if (marked == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a member of an ensemble");
    mark_ancestors(net, end, marked);
    json_t *all = describe(net), *layers = json_array(), *layer;
    size_t i;
    json_array_foreach(layers_of(all), i, layer) if (is_marked(net, json_string_value(json_object_get(layer, "name")),
                                                               marked)) json_array_append(layers, layer);
    json_t *description = functional(layers, net->name, net->nodes[0].name, net->nodes[end].name);
    dcnn_status status = dcnn_net_create(description, net->nodes[0].shape, member);
    json_decref(description);
    json_decref(all);
    free(marked);
    for (int k = 1; status == DCNN_OK && k < net->node_count; k++)
        copy_weights(&net->nodes[k], net, net->nodes[k].name, *member);
    return status;
}
