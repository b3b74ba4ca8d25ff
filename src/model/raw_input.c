/* SPDX-License-Identifier: BSD-3-Clause */
/* raw_input.c — a model that takes images as bytes: a Normalization layer in front of it, as Keras has it, or a
 * Rescaling where images have no axis of channels; and where it wants blue first a convolution of one pixel that turns
 * the channels round, exactly. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "model/input.h"

/* A name that no layer has. */
static void free_name(const dcnn_net *net, const char *wanted, char name[DCNN_NAME_BYTES]) {
    bool taken = true;
    for (int number = 0; taken; number++) {
        if (number > 0)
            snprintf(name, DCNN_NAME_BYTES, "%s_%d", wanted, number);
        else
            snprintf(name, DCNN_NAME_BYTES, "%s", wanted);
        taken = false;
        for (int i = 0; i < net->node_count; i++) taken = taken || strcmp(net->nodes[i].name, name) == 0;
    }
}

/* Bytes b: (b / 255 - mean) / std is (b - 255 mean) / (255 std). */
static json_t *describe_front(const dcnn_checkpoint *model, const char *name) {
    if (model->net->plain_input) /* Normalization's last axis would be the width */
        return json_pack("{s:s, s:s, s:s, s:{s:s, s:f, s:f}}", "module", "keras.layers", "class_name", "Rescaling",
                         "name", name, "config", "name", name, "scale", 1.0 / (255.0 * model->std[0]), "offset",
                         -model->mean[0] / model->std[0]);
    json_t *mean = json_array(), *variance = json_array();
    for (int c = 0; c < model->net->nodes[0].shape.c; c++) {
        json_array_append_new(mean, json_real(255.0 * model->mean[c]));
        json_array_append_new(variance, json_real(255.0 * 255.0 * model->std[c] * model->std[c]));
    }
    return json_pack("{s:s, s:s, s:s, s:{s:s, s:i, s:o, s:o}}", "module", "keras.layers", "class_name", "Normalization",
                     "name", name, "config", "name", name, "axis", -1, "mean", mean, "variance", variance);
}

static json_t *describe_turn(const char *name) {
    return json_pack("{s:s, s:s, s:s, s:{s:s, s:b, s:i, s:[i,i], s:b}}", "module", "keras.layers", "class_name",
                     "Conv2D", "name", name, "config", "name", name, "trainable", 0, "filters", 3, "kernel_size", 1, 1,
                     "use_bias", 0);
}

/* Whatever took the input's value takes the new layer's. */
static void rename_values(json_t *json, const char *from, const char *to) {
    const char *key;
    json_t *value;
    size_t i;
    json_t *history = json_object_get(json, "keras_history");
    const char *name = json_string_value(json_array_get(history, 0));
    if (name && strcmp(name, from) == 0) json_array_set_new(history, 0, json_string(to));
    json_object_foreach(json, key, value) rename_values(value, from, to);
    if (json_is_array(json)) json_array_foreach(json, i, value) rename_values(value, from, to);
}

/* The call of a new layer on the input, or on the layer of this name. */
static json_t *describe_call(const dcnn_net *net, const char *name) {
    const dcnn_shape in = net->nodes[0].shape;
    json_t *shape = json_pack("[n]");
    if (in.rank == 3) json_array_append_new(shape, json_integer(in.h));
    if (in.rank == 3) json_array_append_new(shape, json_integer(in.w));
    if (!net->plain_input) json_array_append_new(shape, json_integer(in.c));
    return json_pack("[{s:[{s:s, s:{s:o, s:s, s:[s,i,i]}}], s:{}}]", "args", "class_name", "__keras_tensor__", "config",
                     "shape", shape, "dtype", "float32", "keras_history", name, 0, 0, "kwargs");
}

static json_t *describe_with_front(const dcnn_checkpoint *model) {
    const dcnn_node *input = &model->net->nodes[0];
    char name[DCNN_NAME_BYTES], turned[DCNN_NAME_BYTES];
    free_name(model->net, model->net->plain_input ? "input_rescaling" : "input_normalization", name);
    free_name(model->net, "input_blue_first", turned);
    json_t *turn = model->blue_first ? describe_turn(turned) : NULL;
    json_t *description = dcnn_net_describe(model->net), *front = describe_front(model, name);
    json_t *layers = json_object_get(json_object_get(description, "config"), "layers");
    if (strcmp(json_string_value(json_object_get(description, "class_name")), "Sequential") != 0) {
        rename_values(layers, input->name, turn ? turned : name);
        json_object_set_new(front, "inbound_nodes", describe_call(model->net, input->name));
        if (turn) json_object_set_new(turn, "inbound_nodes", describe_call(model->net, name));
    }
    json_array_insert_new(layers, 1, front);
    if (turn) json_array_insert_new(layers, 2, turn);
    return description;
}

/* Moments lie where their weights do; `added` nodes stand in front of them. */
static dcnn_status move_moments(const dcnn_net *from, const dcnn_net *to, int added, float **moments) {
    float *moved;
    if (*moments == NULL) return DCNN_OK;
    DCNN_TRY(dcnn_block_create(to->param_count * sizeof *moved, "an optimizer's moments", (void **)&moved));
    memset(moved, 0, to->param_count * sizeof *moved);
    for (int i = 1; i < from->node_count; i++)
        for (int j = 0; j < from->nodes[i].param_count; j++) {
            const dcnn_param *old = &from->nodes[i].params[j], *new = &to->nodes[i + added].params[j];
            if (old->trainable) memcpy(moved + new->offset, *moments + old->offset, old->count * sizeof *moved);
        }
    dcnn_block_free(*moments);
    *moments = moved;
    return DCNN_OK;
}

dcnn_status dcnn_input_take_bytes(dcnn_checkpoint *model) {
    dcnn_net *old = model->net, *net;
    const int added = model->blue_first ? 2 : 1;
    if (dcnn_net_takes_bytes(old)) return DCNN_OK;
    json_t *description = describe_with_front(model);
    dcnn_status status = dcnn_net_create(description, (dcnn_shape){0}, &net);
    json_decref(description);
    DCNN_TRY(status);
    if (model->blue_first) { /* kernel [1,1,3,3] */
        float *turn = dcnn_net_values(net, &net->nodes[2].params[0]);
        for (int i = 0; i < 9; i++) turn[i] = i == 2 || i == 4 || i == 6 ? 1.0f : 0.0f;
    }
    for (int i = 1; i < old->node_count; i++)
        for (int j = 0; j < old->nodes[i].param_count; j++) {
            const dcnn_param *param = &old->nodes[i].params[j];
            memcpy(dcnn_net_values(net, &net->nodes[i + added].params[j]), dcnn_net_values(old, param),
                   param->count * sizeof(float));
        }
    status = dcnn_net_set_loss(net, &old->loss);
    if (status == DCNN_OK) status = move_moments(old, net, added, &model->m);
    if (status == DCNN_OK) status = move_moments(old, net, added, &model->v);
    if (status == DCNN_OK) status = move_moments(old, net, added, &model->average);
    if (status != DCNN_OK) {
        dcnn_net_free(net);
        return status;
    }
    dcnn_net_free(old);
    model->net = net;
    model->normalised = model->blue_first = false;
    return DCNN_OK;
}
