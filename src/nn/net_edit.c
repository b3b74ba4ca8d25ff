/* SPDX-License-Identifier: BSD-3-Clause */
/* net_edit.c — see net_edit.h. What is trained decides where weights lie, so a net is described, changed and made
 * anew. */
#include "nn/net_edit.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/layer.h"

/* --- patterns ----------------------------------------------------------------------------------------------------- */

/* The next of the patterns in a text, which moves on behind it; false: there is none left. */
static bool next_pattern(const char **text, char pattern[DCNN_NAME_BYTES * 2]) {
    while (**text == ',') ++*text;
    const size_t length = strcspn(*text, ",");
    snprintf(pattern, DCNN_NAME_BYTES * 2, "%.*s", (int)length, *text);
    *text += length;
    return length > 0;
}

/* Layers with weights, as far as they fit, for a message. */
static const char *names_text(const dcnn_net *net, char text[400]) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < net->node_count && used < 300; i++)
        if (net->nodes[i].param_count > 0)
            used += (size_t)snprintf(text + used, 400 - used, "%s%s", used ? ", " : "", net->nodes[i].name);
    if (used >= 300) snprintf(text + used, 400 - used, ", …");
    return text;
}

static dcnn_status fail_match(const dcnn_net *net, const char *option, const char *pattern) {
    char names[400];
    return DCNN_FAIL(DCNN_BAD_INPUT, "--%s %s: no layer with weights has this name; there are %s", option, pattern,
                     names_text(net, names));
}

/* --- frozen layers, and the head ---------------------------------------------------------------------------------- */

static json_t *config_of(const json_t *description, const char *name) {
    const json_t *layers = json_object_get(json_object_get(description, "config"), "layers");
    for (size_t i = 0; i < json_array_size(layers); i++) {
        json_t *config = json_object_get(json_array_get(layers, i), "config");
        const char *its = json_string_value(json_object_get(config, "name"));
        if (its && strcmp(its, name) == 0) return config;
    }
    return NULL;
}

static dcnn_status set_trainable(const dcnn_net *net, const char *text, bool trainable, json_t *description) {
    char pattern[DCNN_NAME_BYTES * 2];
    while (next_pattern(&text, pattern)) {
        bool found = false;
        for (int i = 0; i < net->node_count; i++) {
            const dcnn_node *node = &net->nodes[i];
            if (node->param_count == 0 || fnmatch(pattern, node->name, 0) != 0) continue;
            json_object_set_new(config_of(description, node->name), "trainable", json_boolean(trainable));
            found = true;
        }
        if (!found) return fail_match(net, trainable ? "unfreeze" : "freeze", pattern);
    }
    return DCNN_OK;
}

/* What the model's file froze behind `end` is trained again: so a second phase follows the first. */
static void freeze_before(const dcnn_net *net, int end, json_t *description) {
    for (int i = 0; i < net->node_count; i++)
        if (net->nodes[i].param_count > 0)
            json_object_set_new(config_of(description, net->nodes[i].name), "trainable", json_boolean(i >= end));
}

static dcnn_status freeze_below(const dcnn_net *net, const char *name, json_t *description) {
    char names[400];
    int at = 0;
    while (at < net->node_count && strcmp(net->nodes[at].name, name) != 0) at++;
    if (at == net->node_count)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "--freeze-below %s: the model has no layer of this name; with weights there are %s", name,
                         names_text(net, names));
    freeze_before(net, at, description);
    return DCNN_OK;
}

static dcnn_status train_last(const dcnn_net *net, int count, json_t *description) {
    int at = net->node_count, found = 0;
    while (found < count && at > 0) found += net->nodes[--at].param_count > 0;
    if (found < count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "--train-last %d: the model has only %d layers with weights", count, found);
    freeze_before(net, at, description);
    return DCNN_OK;
}

static int last_with_weights(const dcnn_net *net) {
    int last = net->node_count - 1;
    while (last > 0 && net->nodes[last].param_count == 0) last--;
    return last;
}

bool dcnn_net_has_head(const dcnn_net *net) {
    const dcnn_node *node = &net->nodes[last_with_weights(net)];
    const bool point = node->shape.h == 1 && node->shape.w == 1;
    return node->layer == &dcnn_layer_dense || (node->layer == &dcnn_layer_conv2d && point);
}

static dcnn_status find_head(const dcnn_net *net, int *head) {
    *head = last_with_weights(net);
    const dcnn_node *node = &net->nodes[*head];
    if (dcnn_net_has_head(net)) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "--replace-head replaces a Dense, or a Conv2D whose output is one position, but the model's last "
                     "layer with weights is '%s' (%s)",
                     node->name, node->layer->class_name);
}

/* From the head on: softmax instead of sigmoids, or no activation at all. */
static dcnn_status replace_head(const dcnn_net *net, const dcnn_net_edit *edit, int head, json_t *description) {
    for (int i = head; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        json_t *config = config_of(description, node->name);
        if (i > head && node->layer == &dcnn_layer_reshape && node->shape.rank == 1)
            json_object_set_new(config, "target_shape", json_pack("[i]", edit->head_units));
        if (node->layer->activation == NULL) continue;
        const dcnn_activation_kind kind = node->layer->activation(node).kind;
        if (i > head && edit->head_numbers && kind != DCNN_LINEAR && node->layer != &dcnn_layer_activation)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "--replace-head: the layer '%s' (%s) after the last Dense does not give numbers",
                             node->name, node->layer->class_name);
        if (edit->head_numbers && json_object_get(config, "activation"))
            json_object_set_new(config, "activation", json_string("linear"));
        else if (edit->head_labels && kind == DCNN_SOFTMAX && json_object_get(config, "activation"))
            json_object_set_new(config, "activation", json_string("sigmoid"));
        else if (!edit->head_labels && kind == DCNN_SIGMOID)
            json_object_set_new(config, "activation", json_string("softmax"));
    }
    json_t *config = config_of(description, net->nodes[head].name);
    const bool dense = net->nodes[head].layer == &dcnn_layer_dense;
    json_object_set_new(config, dense ? "units" : "filters", json_integer(edit->head_units));
    json_object_set_new(config, "trainable", json_true());
    return DCNN_OK;
}

static void copy_weights(const dcnn_net *from, int head, dcnn_net *to) {
    for (int i = 0; i < from->node_count; i++)
        for (int j = 0; i != head && j < from->nodes[i].param_count; j++)
            memcpy(dcnn_net_values(to, &to->nodes[i].params[j]), dcnn_net_values(from, &from->nodes[i].params[j]),
                   from->nodes[i].params[j].count * sizeof(float));
}

static dcnn_status make_anew(const dcnn_net_edit *edit, const dcnn_net *from, const json_t *description, int head,
                             dcnn_net **to) {
    DCNN_TRY(dcnn_net_create(description, from->nodes[0].shape, to));
    memcpy((*to)->base, from->base, sizeof from->base);
    dcnn_net_initialise(*to, edit->seed);
    copy_weights(from, head, *to);
    if (head >= 0) return DCNN_OK; /* its loss is what the new head means */
    snprintf((*to)->untrainable, sizeof(*to)->untrainable, "%s", from->untrainable);
    return dcnn_net_set_loss(*to, &from->loss);
}

dcnn_status dcnn_net_edit_apply(const dcnn_net_edit *edit, dcnn_net **net) {
    dcnn_net *from = *net, *to = NULL;
    int head = -1;
    if (edit->freeze.count == 0 && edit->unfreeze.count == 0 && edit->freeze_below == NULL && edit->train_last == 0 &&
        edit->head_units == 0)
        return DCNN_OK;
    if (edit->head_units > 0) DCNN_TRY(find_head(from, &head));
    json_t *description = dcnn_net_describe(from);
    dcnn_status status = DCNN_OK;
    if (edit->freeze_below) status = freeze_below(from, edit->freeze_below, description);
    if (status == DCNN_OK && edit->train_last > 0) status = train_last(from, edit->train_last, description);
    for (int i = 0; i < edit->unfreeze.count && status == DCNN_OK; i++)
        status = set_trainable(from, edit->unfreeze.text[i], true, description);
    for (int i = 0; i < edit->freeze.count && status == DCNN_OK; i++)
        status = set_trainable(from, edit->freeze.text[i], false, description);
    if (status == DCNN_OK && head >= 0) status = replace_head(from, edit, head, description);
    if (status == DCNN_OK) status = make_anew(edit, from, description, head, &to);
    json_decref(description);
    if (status == DCNN_OK && to->param_count == 0)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "--freeze leaves nothing to train: all layers with weights are frozen");
    dcnn_net_free(status == DCNN_OK ? from : to);
    if (status == DCNN_OK) *net = to;
    return status;
}

/* --- what a RandomCrop is outside training ------------------------------------------------------------------------ */

static bool has_name(const dcnn_net *net, const char *name) {
    bool found = false;
    for (int i = 0; i < net->node_count; i++) found = found || strcmp(net->nodes[i].name, name) == 0;
    return found;
}

static void name_resizing(const dcnn_net *net, const char *crop, char name[DCNN_NAME_BYTES]) {
    snprintf(name, DCNN_NAME_BYTES, "%.45s_resizing", crop);
    for (int k = 1; has_name(net, name); k++) snprintf(name, DCNN_NAME_BYTES, "%.40s_resizing_%d", crop, k);
}

/* Whoever reads the layer `from` reads the layer `to` now. */
static void read_another(json_t *json, const char *from, const char *to) {
    json_t *history = json_object_get(json, "keras_history"), *value;
    const char *key, *its = json_string_value(json_array_get(history, 0));
    size_t i;
    if (its && strcmp(its, from) == 0) json_array_set_new(history, 0, json_string(to));
    json_object_foreach(json, key, value) read_another(value, from, to);
    json_array_foreach(json, i, value) read_another(value, from, to);
}

static json_t *call_on(const dcnn_node *crop, int number) {
    return json_pack("{s:[{s:s, s:{s:[n,i,i,i], s:s, s:[s,i,i]}}], s:{}}", "args", "class_name", "__keras_tensor__",
                     "config", "shape", crop->shape.h, crop->shape.w, crop->shape.c, "dtype", "float32",
                     "keras_history", crop->name, number, 0, "kwargs");
}

/* One layer, called as often as the RandomCrop is. */
static void put_resizing(const dcnn_net *net, int owner, json_t *layers) {
    const dcnn_node *crop = &net->nodes[owner];
    char name[DCNN_NAME_BYTES];
    size_t at = 0;
    while (strcmp(json_string_value(json_object_get(json_object_get(json_array_get(layers, at), "config"), "name")),
                  crop->name) != 0)
        at++;
    json_t *config = json_object_get(json_array_get(layers, at), "config"), *item;
    name_resizing(net, crop->name, name);
    json_t *resizing = json_pack("{s:s, s:s, s:{s:s, s:O, s:i, s:i, s:s, s:b}, s:n}", "module", "keras.layers",
                                 "class_name", dcnn_layer_resizing.class_name, "config", "name", name, "dtype",
                                 json_object_get(config, "dtype"), "height", crop->shape.h, "width", crop->shape.w,
                                 "interpolation", "bilinear", "crop_to_aspect_ratio", 1, "registered_name");
    if (json_object_get(json_array_get(layers, at), "inbound_nodes")) { /* a Functional */
        size_t i;
        int calls = 0;
        json_array_foreach(layers, i, item) read_another(json_object_get(item, "inbound_nodes"), crop->name, name);
        json_object_set_new(resizing, "name", json_string(name));
        json_object_set_new(resizing, "inbound_nodes", json_array());
        for (int k = owner; k < net->node_count; k++)
            if (net->nodes[k].owner == owner)
                json_array_append_new(json_object_get(resizing, "inbound_nodes"), call_on(&net->nodes[k], calls++));
    }
    json_array_insert_new(layers, at + 1, resizing);
}

static bool one_hands_on(const dcnn_net *net, int owner) {
    bool found = false;
    for (int i = owner; i < net->node_count; i++)
        found = found || (net->nodes[i].owner == owner && dcnn_net_hands_on(net, i));
    return found;
}

dcnn_status dcnn_net_settle_crops(dcnn_net **net) {
    dcnn_net *from = *net, *to = NULL;
    char text[256];
    if (!dcnn_net_crops(from, text)) return DCNN_OK;
    json_t *description = dcnn_net_describe(from);
    for (int i = 1; i < from->node_count; i++)
        if (one_hands_on(from, i))
            put_resizing(from, i, json_object_get(json_object_get(description, "config"), "layers"));
    dcnn_status status = dcnn_net_create(description, from->nodes[0].shape, &to);
    json_decref(description);
    if (status == DCNN_OK) status = dcnn_net_set_loss(to, &from->loss);
    if (status != DCNN_OK) {
        dcnn_net_free(to);
        return status;
    }
    memcpy(to->base, from->base, sizeof from->base);
    snprintf(to->untrainable, sizeof to->untrainable, "%s", from->untrainable);
    memcpy(to->params, from->params, from->param_count * sizeof(float));
    memcpy(to->state, from->state, from->state_count * sizeof(float));
    dcnn_net_free(from);
    *net = to;
    return DCNN_OK;
}

/* --- what is frozen from the input on ----------------------------------------------------------------------------- */

static bool is_fixed(const dcnn_node *node) {
    const bool draws = (node->layer->only_training || node->layer->draws) && !node->inference;
    return !node->learns && !draws && !node->synchronised;
}

/* Do nodes behind `end` read the output of no node before it? */
static bool is_neck(const dcnn_net *net, int end) {
    for (int i = end + 1; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].input_count; j++)
            if (net->nodes[i].inputs[j] < end) return false;
    return true;
}

int dcnn_net_frozen_end(const dcnn_net *net) {
    int end = 0;
    bool weights = false;
    for (int i = 1; i + 1 < net->node_count && is_fixed(&net->nodes[i]); i++) {
        weights = weights || net->nodes[net->nodes[i].owner].param_count > 0;
        /* a BatchNormalization may be folded into the convolution behind it, whose bits would change */
        if (weights && !net->nodes[i].layer->synchronised && is_neck(net, i)) end = i;
    }
    return end;
}

/* --- learning rates ----------------------------------------------------------------------------------------------- */

static bool matches(const char *pattern, const dcnn_node *node, const dcnn_param *param) {
    char name[2 * DCNN_NAME_BYTES];
    snprintf(name, sizeof name, "%s/%s", node->name, param->name);
    return fnmatch(pattern, node->name, 0) == 0 || fnmatch(pattern, name, FNM_PATHNAME) == 0;
}

static dcnn_status set_rate(dcnn_net *net, const char *pattern, double rate) {
    bool found = false;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            dcnn_param *param = &net->nodes[i].params[j];
            if (!param->trainable || !matches(pattern, &net->nodes[i], param)) continue;
            param->rate = rate;
            found = true;
        }
    return found ? DCNN_OK : fail_match(net, "learning-rate-of", pattern);
}

static bool has_any(const char *name, dcnn_patterns words) {
    for (int i = 0; i < words.count; i++)
        if (strstr(name, words.text[i])) return true;
    return false;
}

dcnn_status dcnn_net_set_decay(dcnn_net *net, dcnn_patterns words) {
    const bool none = words.count == 1 && strcmp(words.text[0], "none") == 0;
    bool found[64] = {false};
    if (words.count == 0) return DCNN_OK;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            dcnn_param *param = &net->nodes[i].params[j];
            param->decay = !none && has_any(param->name, words) ? -1 : 1;
            for (int k = 0; k < words.count && k < 64; k++)
                found[k] = found[k] || strstr(param->name, words.text[k]) != NULL;
        }
    for (int k = 0; k < words.count && k < 64 && !none; k++)
        if (!found[k])
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "--undecayed %s: no weight's name has this in it; names are kernel, bias, "
                             "gamma, beta and so on (dcnn info lists them)",
                             words.text[k]);
    return DCNN_OK;
}

dcnn_status dcnn_net_set_rates(dcnn_net *net, dcnn_patterns rates) {
    char pattern[DCNN_NAME_BYTES * 2], left[1024];
    for (int i = 0; i < rates.count; i++) {
        const char *sign = strrchr(rates.text[i], '='), *text = left;
        char *end = NULL;
        const double rate = sign ? strtod(sign + 1, &end) : 0.0;
        if (sign == NULL || end == sign + 1 || *end != '\0' || !(rate > 0.0 && rate <= 1e6))
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "--learning-rate-of %s: it takes LAYER=FACTOR with a factor above 0, as in 'conv*=0.1' "
                             "(--freeze keeps layers as they are)",
                             rates.text[i]);
        snprintf(left, sizeof left, "%.*s", (int)(sign - rates.text[i]), rates.text[i]);
        while (next_pattern(&text, pattern)) DCNN_TRY(set_rate(net, pattern, rate));
    }
    return DCNN_OK;
}
