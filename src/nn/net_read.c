/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_read.c — from a Keras description to nodes. A Sequential is a list; a Functional is a graph of *calls*: a layer
 * may be called several times, each time on other values. A model inside a model is taken apart into its layers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "nn/config.h"
#include "nn/net_private.h"

/* Where one reads: the net, and which node stands for each layer of the file (its JSON object) at its first call. */
typedef struct reader {
    dcnn_net *net;
    const json_t **items; /* [node_count] */
    int room;
    bool keras2;         /* Keras 2 wrote the description, as it says */
    const json_t *outer; /* layers of the outermost model, whose names stay as they are */
    json_t *made;        /* layers that stand for operations, by these; owned */
    json_t *numbers;     /* the last number that was given to a layer without a name, by its class; owned */
    size_t calls;        /* of all models that were read, each as often as it is called */
} reader;

/* A model inside a model, called twice each, has 2^depth of layers in a few lines. */
enum { MOST_CALLS = 1 << 16 };

static dcnn_status check_calls(reader *r, size_t more) {
    r->calls += more;
    if (r->calls <= MOST_CALLS) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "the model, and those inside it, have more than %d layers", DCNN_MOST_LAYERS);
}

/* What a layer inherits from the models around it, and from the call. */
typedef struct surroundings {
    const char *model;         /* name of the model that it lies in; NULL: the outermost */
    const char *path;          /* of the model, in Keras 3 files of weights: "" or "layers/functional/" */
    char own[DCNN_PATH_BYTES]; /* of the layer called */
    bool frozen, inference;
    int outer;
} surroundings;

static dcnn_status read_model(reader *r, const json_t *model, int input, surroundings around, int *output);

/* --- names -------------------------------------------------------------------------------------------------------- */

static const char *class_of(const json_t *item) {
    return json_string_value(json_object_get(item, "class_name"));
}

static const char *name_of(const json_t *item) {
    const char *name = json_string_value(json_object_get(json_object_get(item, "config"), "name"));
    return name ? name : json_string_value(json_object_get(item, "name"));
}

static bool has_name(const json_t *item, const char *name) {
    const char *own = name_of(item);
    return own && strcmp(own, name) == 0;
}

static bool is_taken(const dcnn_net *net, const char *name) {
    for (int i = 0; i < net->node_count; i++)
        if (strcmp(net->nodes[i].name, name) == 0) return true;
    return false;
}

static void default_name(const reader *r, const char *class_name, char *name) {
    char base[DCNN_NAME_BYTES - 12] = "";
    size_t length = 0;
    for (const char *p = class_name; *p && length + 2 < sizeof base;
         p++) { /* MaxPooling2D -> max_pooling2d, as Keras */
        if (*p >= 'A' && *p <= 'Z' && p > class_name && p[-1] >= 'a' && p[-1] <= 'z') base[length++] = '_';
        base[length++] = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    }
    int number = (int)json_integer_value(json_object_get(r->numbers, base));
    snprintf(name, DCNN_NAME_BYTES, "%s", base);
    if (number > 0) snprintf(name, DCNN_NAME_BYTES, "%s_%d", base, number);
    while (is_taken(r->net, name)) snprintf(name, DCNN_NAME_BYTES, "%s_%d", base, ++number);
    json_object_set_new(r->numbers, base, json_integer(number));
}

/* Names are the outermost model's; of a layer deeper inside, the model's name stands before it if it is taken. */
static dcnn_status choose_name(const reader *r, const char *given, const char *class_name, const char *model,
                               char *name) {
    const dcnn_net *net = r->net;
    char inner[2 * DCNN_NAME_BYTES];
    bool outer = false;
    if (given == NULL) {
        default_name(r, class_name, name);
        return DCNN_OK;
    }
    for (size_t i = 0; model && i < json_array_size(r->outer); i++)
        outer = outer || has_name(json_array_get(r->outer, i), given);
    if (model && (outer || is_taken(net, given))) {
        snprintf(inner, sizeof inner, "%.62s_%.62s", model, given);
        given = inner;
    }
    if (strlen(given) == 0 || strlen(given) >= DCNN_NAME_BYTES || strchr(given, '/'))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer name '%.80s' must have 1 to %d characters and no '/'", given,
                         DCNN_NAME_BYTES - 1);
    if (is_taken(net, given)) return DCNN_FAIL(DCNN_BAD_INPUT, "two layers are named '%s'", given);
    snprintf(name, DCNN_NAME_BYTES, "%s", given);
    if (dcnn_text_clean(name))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer name '%s' has control characters, or bytes that are not UTF-8", name);
    return DCNN_OK;
}

void dcnn_net_place_name(const char *class_name, int before, char *name) {
    size_t length = 0;
    for (const char *p = class_name; *p && length + 14 < DCNN_NAME_BYTES; p++) {
        const bool capital = *p >= 'A' && *p <= 'Z';
        const bool word = (p[1] >= 'a' && p[1] <= 'z') || (p > class_name && p[-1] >= 'a' && p[-1] <= 'z');
        if (capital && p > class_name && word) name[length++] = '_';
        name[length++] = (char)(capital ? *p + 32 : *p);
    }
    name[length] = '\0';
    if (before > 0) snprintf(name + length, DCNN_NAME_BYTES - length, "_%d", before);
}

/* Where Keras 3 keeps the weights of layer `index` of a model: by its class, and its number among those of this class.
 */
static void find_place(const json_t *layers, size_t index, const char *model, char *path) {
    const char *class_name = class_of(json_array_get(layers, index));
    char name[DCNN_NAME_BYTES];
    int before = 0;
    for (size_t i = 0; class_name && i < index; i++) {
        const char *other = class_of(json_array_get(layers, i));
        before += other && strcmp(other, class_name) == 0;
    }
    dcnn_net_place_name(class_name ? class_name : "?", before, name);
    snprintf(path, DCNN_PATH_BYTES, "%.180slayers/%s", model, name);
}

static bool is_model(const json_t *item) {
    const char *class_name = class_of(item);
    return class_name && (strcmp(class_name, "Sequential") == 0 || strcmp(class_name, "Functional") == 0 ||
                          strcmp(class_name, "Model") == 0);
}

static bool is_input(const json_t *item) {
    const char *class_name = class_of(item);
    return class_name && strcmp(class_name, "InputLayer") == 0;
}

/* --- one node ----------------------------------------------------------------------------------------------------- */

static dcnn_status make_room(reader *r) {
    if (r->net->node_count >= DCNN_MOST_LAYERS) return check_calls(r, MOST_CALLS);
    if (r->net->node_count < r->room) return DCNN_OK;
    const int room = 2 * r->room + 16;
    dcnn_node *nodes = realloc(r->net->nodes, (size_t)room * sizeof *nodes);
    if (nodes) r->net->nodes = nodes;
    const json_t **items = realloc(r->items, (size_t)room * sizeof *items);
    if (items) r->items = items;
    if (nodes == NULL || items == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a model of %d layers", room);
    r->room = room;
    return DCNN_OK;
}

/* The weights of a layer's second call are those of its first. */
static dcnn_status share_weights(dcnn_net *net, dcnn_node *node, int owner) {
    const dcnn_node *first = &net->nodes[owner];
    bool same = first->param_count == node->param_count;
    for (int i = 0; same && i < node->param_count; i++)
        same = first->params[i].rank == node->params[i].rank &&
               memcmp(first->params[i].dims, node->params[i].dims, sizeof first->params[i].dims) == 0;
    if (!same)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' is called on inputs of different shapes: it cannot share weights",
                         first->name);
    node->owner = owner;
    node->param_count = 0;
    return DCNN_OK;
}

static dcnn_status build_node(reader *r, dcnn_node *node, dcnn_shape input) {
    dcnn_shape inputs[DCNN_MAX_INPUTS] = {input};
    char text[48];
    for (int j = 0; j < node->input_count; j++) inputs[j] = r->net->nodes[node->inputs[j]].shape;
    DCNN_TRY(node->layer->build(node, inputs));
    if (!dcnn_shape_fits(node->shape))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': an output of shape %s is too large", node->name,
                         dcnn_shape_text(node->shape, text));
    for (int j = 0; j < node->param_count; j++)
        if (node->params[j].count > INT32_MAX)
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): its weight '%s' is too large", node->name,
                             node->layer->class_name, node->params[j].name);
    return DCNN_OK;
}

static bool is_frozen(const json_t *item, surroundings around) {
    return around.frozen || json_is_false(json_object_get(json_object_get(item, "config"), "trainable"));
}

static dcnn_status fail_class(const char *name, const char *class_name) {
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%.60s': dcnn has no layer %.60s; docs/networks.md lists those it has",
                     name ? name : "?", class_name);
}

/* Appends a call of a layer on nodes; `input` is the shape of the net's input, for node 0. */
static dcnn_status add_node(reader *r, const json_t *item, int input_count, const int *inputs, surroundings around,
                            dcnn_shape input) {
    const char *class_name = class_of(item), *given = name_of(item);
    const json_t *config = json_object_get(item, "config");
    if (class_name == NULL) return DCNN_FAIL(DCNN_BAD_INPUT, "layer %d has no \"class_name\"", r->net->node_count);
    const dcnn_layer *layer = dcnn_layer_find(class_name);
    if (layer == NULL) return fail_class(given, class_name);
    DCNN_TRY(dcnn_config_check_module(item, class_name, given));
    DCNN_TRY(make_room(r));
    dcnn_net *net = r->net;
    const int number = net->node_count;
    int owner = 0;
    while (owner < number && r->items[owner] != item) owner++;
    dcnn_node *node = &net->nodes[number];
    *node = (dcnn_node){.layer = layer,
                        .input_count = input_count,
                        .owner = number,
                        .outer = around.outer,
                        .trainable = !is_frozen(item, around),
                        .inference = around.inference};
    snprintf(node->path, sizeof node->path, "%s", around.own);
    for (int i = 0; i < input_count; i++) node->inputs[i] = inputs[i];
    if (owner < number)
        snprintf(node->name, sizeof node->name, "%s", net->nodes[owner].name);
    else
        DCNN_TRY(choose_name(r, given, class_name, around.model, node->name));
    if (number > 0 && (input_count < 1 || layer->merges != (input_count > 1)))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s) is called on %d inputs; it takes %s", node->name, class_name,
                         input_count, layer->merges ? "two or more" : "one");
    node->config = calloc(1, layer->config_bytes + 1);
    if (node->config == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: layer '%s'", node->name);
    r->items[number] = item;
    net->node_count++;                                               /* from here on dcnn_net_free() frees it */
    if (number > 0) DCNN_TRY(dcnn_config_read_policy(node, config)); /* an input's type is looked at in the end */
    const char *activation = json_string_value(json_object_get(config, "activation"));
    if (r->keras2 && activation && strcmp(activation, "hard_sigmoid") == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s': hard_sigmoid of Keras 2 (0.2 x + 0.5) differs from that of Keras 3 (x / 6 + "
                         "0.5), which is the one that dcnn has",
                         node->name);
    DCNN_TRY(layer->parse(node, config));
    DCNN_TRY(dcnn_net_check_axes(net, node));
    DCNN_TRY(build_node(r, node, input));
    DCNN_TRY(dcnn_config_check_activation(node, config));
    if (!json_is_true(json_object_get(item, DCNN_NET_STAND_IN))) DCNN_TRY(dcnn_config_check_keys(node, config));
    node->synchronised = layer->synchronised && node->trainable && !node->inference;
    return owner < number ? share_weights(net, node, owner) : DCNN_OK;
}

/* Appends a call of a layer or of a model. */
static dcnn_status add_call(reader *r, const json_t *item, int input_count, const int *inputs, surroundings around,
                            int *output) {
    if (is_model(item)) {
        if (input_count != 1)
            return DCNN_FAIL(DCNN_BAD_INPUT, "the model '%s' is called on %d inputs; dcnn takes models of one",
                             name_of(item) ? name_of(item) : "?", input_count);
        around.frozen = is_frozen(item, around);
        char path[DCNN_PATH_BYTES];
        snprintf(path, sizeof path, "%.250s/", around.own);
        around.path = path;
        return read_model(r, item, inputs[0], around, output);
    }
    DCNN_TRY(add_node(r, item, input_count, inputs, around, (dcnn_shape){0}));
    *output = r->net->node_count - 1;
    return DCNN_OK;
}

/* --- Sequential --------------------------------------------------------------------------------------------------- */

static const json_t *layers_of(const json_t *model) {
    const json_t *config = json_object_get(model, "config");
    return json_is_array(config) ? config : json_object_get(config, "layers");
}

static dcnn_status read_sequential(reader *r, const json_t *model, int input, surroundings around, int *output) {
    const json_t *layers = layers_of(model);
    int at = input;
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *item = json_array_get(layers, i);
        if (is_input(item) && i == 0) continue;
        if (is_input(item))
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': an InputLayer can only come first",
                             name_of(item) ? name_of(item) : "?");
        if (around.model == NULL) around.outer = (int)i;
        find_place(layers, i, around.path, around.own);
        DCNN_TRY(add_call(r, item, 1, &at, around, &at));
    }
    *output = at;
    return DCNN_OK;
}

/* --- Functional --------------------------------------------------------------------------------------------------- */

/* One call of a layer, by its place among the layer's calls. */
typedef struct call {
    const json_t *item;
    int layer, index; /* number of the layer in its model, of the call among the layer's */
    bool inference, wanted;
    dcnn_operands on; /* of an operation: the numbers among its arguments, as in x + 3 */
    int input_count;
    int inputs[DCNN_MAX_INPUTS]; /* calls */
    int node;                    /* of the net, or -1 */
} call;

typedef struct graph {
    const json_t *layers;
    json_t *first; /* of a layer's calls, which stand side by side, the number of the first one, by its name; owned */
    call *calls;
    int count;
} graph;

static int find_call(const graph *g, const char *name, json_int_t index) {
    const json_t *first = name ? json_object_get(g->first, name) : NULL;
    if (first == NULL || index < 0 || index >= g->count - json_integer_value(first)) return -1;
    const int at = (int)(json_integer_value(first) + index);
    return has_name(g->calls[at].item, name) ? at : -1;
}

static dcnn_status fail_graph(const call *c, const char *what) {
    const char *name = name_of(c->item);
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': its \"inbound_nodes\" %s", name ? name : "?", what);
}

/* A value as ["conv2d", 0, 0] names it. */
static dcnn_status add_input(const graph *g, call *c, const json_t *history) {
    const int from =
        find_call(g, json_string_value(json_array_get(history, 0)), json_integer_value(json_array_get(history, 1)));
    if (from < 0) return fail_graph(c, "name a layer that does not exist");
    if (json_integer_value(json_array_get(history, 2)) != 0)
        return fail_graph(c, "name a second output; dcnn takes layers and models of one");
    if (c->input_count == DCNN_MAX_INPUTS) return fail_graph(c, "name more than 16 values");
    c->inputs[c->input_count++] = from;
    return DCNN_OK;
}

static dcnn_status read_keywords(call *c, const json_t *keywords) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)keywords, key, value) {
        if (json_is_null(value)) continue;
        const bool training = strcmp(key, "training") == 0 && json_is_boolean(value);
        if (training && json_is_false(value)) c->inference = true;
        if (!training) return fail_graph(c, "have an argument that dcnn does not know");
    }
    return DCNN_OK;
}

/* Keras 3: {"args": [VALUE or [VALUE, …]], "kwargs": {…}} with VALUE {"config": {"keras_history": [name, call, 0]}}. */
static dcnn_status read_arguments(const graph *g, call *c, const json_t *argument) {
    if (json_is_null(argument)) return DCNN_OK;
    if (json_is_number(argument) && dcnn_net_is_operation(c->item)) {
        c->on.numbers++;
        c->on.number = json_number_value(argument);
        c->on.number_first = c->input_count == 0;
        return DCNN_OK;
    }
    const json_t *list = dcnn_net_is_operation(c->item) ? dcnn_net_numbers(argument) : NULL;
    if (list) {
        c->on.numbers++;
        c->on.list = list;
        c->on.number_first = c->input_count == 0;
        return DCNN_OK;
    }
    for (size_t i = 0; i < json_array_size(argument); i++) DCNN_TRY(read_arguments(g, c, json_array_get(argument, i)));
    if (json_is_array(argument)) return DCNN_OK;
    const json_t *history = json_object_get(json_object_get(argument, "config"), "keras_history");
    if (history == NULL) return fail_graph(c, "have an argument that is not a layer's output");
    return add_input(g, c, history);
}

static dcnn_status read_call(const graph *g, call *c) {
    const json_t *inbound = json_array_get(json_object_get(c->item, "inbound_nodes"), (size_t)c->index);
    if (inbound == NULL) return DCNN_OK; /* an InputLayer */
    if (json_is_object(inbound)) {
        const json_t *arguments = json_object_get(inbound, "args");
        const bool part = dcnn_net_is_operation(c->item) && strcmp(class_of(c->item), "GetItem") == 0;
        if (part) c->on.key = json_array_get(arguments, 1);
        DCNN_TRY(read_arguments(g, c, part ? json_array_get(arguments, 0) : arguments));
        return read_keywords(c, json_object_get(inbound, "kwargs"));
    }
    for (size_t i = 0; i < json_array_size(inbound); i++) { /* Keras 2: [[name, call, 0, {…}], …] */
        const json_t *value = json_array_get(inbound, i);
        DCNN_TRY(add_input(g, c, value));
        DCNN_TRY(read_keywords(c, json_array_get(value, 3)));
    }
    return DCNN_OK;
}

static dcnn_status list_calls(reader *r, graph *g) {
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(g->layers); i++)
        count += json_array_size(json_object_get(json_array_get(g->layers, i), "inbound_nodes")) + 1;
    DCNN_TRY(check_calls(r, count));
    g->calls = calloc(count + 1, sizeof *g->calls);
    g->first = json_object();
    if (g->calls == NULL || g->first == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: a model of %zu layers", count);
    for (size_t i = 0; i < json_array_size(g->layers); i++) {
        const json_t *item = json_array_get(g->layers, i);
        const char *name = name_of(item); /* by which calls are named */
        if (name && json_object_get(g->first, name))
            return DCNN_FAIL(DCNN_BAD_INPUT, "two layers are named '%.80s'", name);
        if (name && json_object_set_new(g->first, name, json_integer(g->count)) != 0)
            return DCNN_FAIL(DCNN_FAILURE, "out of memory: a model of %zu layers", count);
        const int calls = (int)json_array_size(json_object_get(item, "inbound_nodes"));
        for (int index = 0; index < calls || (index == 0 && is_input(item)); index++)
            g->calls[g->count++] = (call){.item = item, .layer = (int)i, .index = index, .node = -1};
    }
    for (int i = 0; i < g->count; i++) DCNN_TRY(read_call(g, &g->calls[i]));
    return DCNN_OK;
}

/* The one input or output of a model: ["input", 0, 0], [["input", 0, 0]], or {"picture": ["input", 0, 0]}. */
static dcnn_status find_end(const graph *g, const json_t *config, const char *key, int *at) {
    const json_t *ends = json_object_get(config, key);
    if (json_is_object(ends) && json_object_size(ends) != 1)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model has %zu \"%s\": dcnn takes models of one input and one output",
                         json_object_size(ends), key);
    if (json_is_object(ends)) ends = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)ends));
    const json_t *end = json_is_array(json_array_get(ends, 0)) ? json_array_get(ends, 0) : ends;
    if (end != ends && json_array_size(ends) != 1)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model has %zu \"%s\": dcnn takes models of one input and one output",
                         json_array_size(ends), key);
    *at = find_call(g, json_string_value(json_array_get(end, 0)), json_integer_value(json_array_get(end, 1)));
    if (*at < 0) return DCNN_FAIL(DCNN_BAD_INPUT, "the model's \"%s\" name a layer that does not exist", key);
    return DCNN_OK;
}

static void want(const graph *g, int at, int depth) {
    if (g->calls[at].wanted || depth > g->count) return;
    g->calls[at].wanted = true;
    for (int j = 0; j < g->calls[at].input_count; j++) want(g, g->calls[at].inputs[j], depth + 1);
}

/* The first call in the file's order whose inputs are all there, or -1. */
static int next_ready(const graph *g) {
    for (int i = 0; i < g->count; i++) {
        bool ready = g->calls[i].wanted && g->calls[i].node < 0;
        for (int j = 0; ready && j < g->calls[i].input_count; j++) ready = g->calls[g->calls[i].inputs[j]].node >= 0;
        if (ready) return i;
    }
    return -1;
}

/* Keras 3 writes training=False for Dropout because that is its default, and fit() goes over it: there it means
 * something where dcnn wrote it alone. */
static bool is_said(const json_t *item) {
    const char *class_name = class_of(item);
    const dcnn_layer *layer = class_name ? dcnn_layer_find(class_name) : NULL;
    return layer == NULL || !layer->unsaid || json_is_true(json_object_get(item, DCNN_NET_INFERENCE));
}

/* The layer that stands for an operation: the same at each call with the same numbers. */
static dcnn_status find_stand_in(reader *r, const call *c, int input, json_t **layer) {
    char item[32], key[192], name[2 * DCNN_NAME_BYTES];
    dcnn_operands on = c->on;
    on.values = c->input_count;
    on.shape = r->net->nodes[input].shape;
    on.plain = input == 0 && r->net->plain_input;
    snprintf(item, sizeof item, "%p", (const void *)c->item);
    snprintf(key, sizeof key, "%s %d %d %d %a %p %p %d %d %d", item, on.values, on.numbers, on.number_first, on.number,
             (const void *)on.list, (const void *)on.key, on.shape.h, on.shape.w, on.shape.c);
    *layer = json_object_get(r->made, key);
    if (*layer) return DCNN_OK;
    DCNN_TRY(dcnn_net_operation(c->item, &on, layer));
    if (r->made == NULL) r->made = json_object();
    if (json_object_get(r->made, item)) { /* called with other numbers before: another layer, of another name */
        snprintf(name, sizeof name, "%.100s_at_%d", name_of(c->item), r->net->node_count);
        json_object_set_new(json_object_get(*layer, "config"), "name", json_string(name));
    }
    json_object_set_new(r->made, item, json_true());
    return json_object_set_new(r->made, key, *layer) == 0 ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a model");
}

static dcnn_status add_calls(reader *r, const graph *g, int output, surroundings around) {
    for (int at = next_ready(g); at >= 0; at = next_ready(g)) {
        call *c = &g->calls[at];
        int inputs[DCNN_MAX_INPUTS];
        surroundings here = around;
        if (is_input(c->item))
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': the model has a second input; dcnn takes models of one",
                             name_of(c->item) ? name_of(c->item) : "?");
        for (int j = 0; j < c->input_count; j++) inputs[j] = g->calls[c->inputs[j]].node;
        here.inference = here.inference || (c->inference && is_said(c->item));
        if (around.model == NULL) here.outer = c->layer;
        find_place(g->layers, (size_t)c->layer, around.path, here.own);
        const json_t *item = c->item;
        int count = c->input_count;
        if (dcnn_net_is_operation(item)) {
            json_t *stand_in;
            if (count == 0) return fail_graph(c, "name no value");
            DCNN_TRY(find_stand_in(r, c, inputs[0], &stand_in));
            item = stand_in;
            const dcnn_layer *layer = dcnn_layer_find(class_of(item));
            if (count == 1 && layer && layer->merges) inputs[count++] = inputs[0];
        }
        DCNN_TRY(add_call(r, item, count, inputs, here, &c->node));
    }
    if (g->calls[output].node < 0) return DCNN_FAIL(DCNN_BAD_INPUT, "the model's graph has a cycle");
    return DCNN_OK;
}

static dcnn_status read_functional(reader *r, const json_t *model, int input, surroundings around, int *output) {
    const json_t *config = json_object_get(model, "config");
    graph g = {.layers = layers_of(model)};
    int first = -1, last = -1;
    dcnn_status status = list_calls(r, &g);
    if (status == DCNN_OK) status = find_end(&g, config, "input_layers", &first);
    if (status == DCNN_OK) status = find_end(&g, config, "output_layers", &last);
    if (status == DCNN_OK) {
        g.calls[first].node = input;
        want(&g, last, 0);
        status = add_calls(r, &g, last, around);
    }
    if (status == DCNN_OK) *output = g.calls[last].node;
    free(g.calls);
    json_decref(g.first);
    return status;
}

static dcnn_status read_model(reader *r, const json_t *model, int input, surroundings around, int *output) {
    if (around.outer >= 0 && around.model == NULL) {
        around.model = name_of(model) ? name_of(model) : "model";
        const bool stand_in = json_is_true(json_object_get(model, DCNN_NET_STAND_IN));
        if (dcnn_net_is_input(r->net, input) &&
            !stand_in) { /* augmentation in a model of its own leaves it the input */
            snprintf(r->net->base, sizeof r->net->base, "%s", around.model);
            dcnn_text_clean(r->net->base); /* it is only shown */
        }
    }
    if (json_array_size(layers_of(model)) == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "the model has no layers");
    DCNN_TRY(check_calls(r, 1 + json_array_size(layers_of(model))));
    return strcmp(class_of(model), "Sequential") == 0 ? read_sequential(r, model, input, around, output)
                                                      : read_functional(r, model, input, around, output);
}

/* --- the outermost model ------------------------------------------------------------------------------------------ */

/* The layer that names the input's shape: the first of a Sequential, or of what that begins with; a Functional's input.
 */
static const json_t *first_layer(const json_t *model) {
    const json_t *layers = layers_of(model), *first = json_array_get(layers, 0);
    for (size_t i = 0; strcmp(class_of(model), "Sequential") != 0 && i < json_array_size(layers); i++)
        if (is_input(json_array_get(layers, i))) return json_array_get(layers, i);
    return is_model(first) && json_array_size(layers_of(first)) > 0 ? first_layer(first) : first;
}

static dcnn_status read_input(reader *r, const json_t *description, dcnn_shape input) {
    const json_t *first = first_layer(description);
    dcnn_shape named = {0};
    char text[2][48];
    DCNN_TRY(dcnn_net_read_shape(json_object_get(first, "config"), input, &named, &r->net->plain_input));
    if (named.rank && input.rank && (named.h != input.h || named.w != input.w || named.c != input.c))
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model takes inputs of shape %s, but the data has shape %s",
                         dcnn_shape_text(named, text[0]), dcnn_shape_text(input, text[1]));
    if (named.rank == 0) named = input;
    if (named.rank == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "the model does not give its input shape: give its first layer a \"batch_shape\"");
    json_t *implied = is_input(first) ? json_incref((json_t *)(uintptr_t)first)
                                      : json_pack("{s:s, s:{}}", "class_name", "InputLayer", "config");
    dcnn_status status = add_node(r, implied, 0, NULL, (surroundings){.path = "", .outer = -1}, named);
    json_decref(implied);
    if (r->net->node_count > 0) r->items[0] = NULL; /* it may be freed */
    return status;
}

dcnn_status dcnn_net_read(dcnn_net *net, const json_t *description, dcnn_shape input) {
    const char *class_name = class_of(description);
    if (!is_model(description))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "the model is of class '%s': dcnn reads Keras Sequential and Functional models",
                         class_name ? class_name : "?");
    if (json_array_size(layers_of(description)) == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "the model has no layers");
    const char *name = name_of(description);
    net->functional = strcmp(class_name, "Sequential") != 0;
    snprintf(net->name, sizeof net->name, "%s", name ? name : net->functional ? "functional" : "sequential");
    dcnn_text_clean(net->name); /* it is only shown */
    const char *version = json_string_value(json_object_get(description, "keras_version"));
    reader r = {.net = net,
                .keras2 = version && (version[0] == '1' || version[0] == '2') && version[1] == '.',
                .outer = layers_of(description),
                .numbers = json_object()};
    int output = 0;
    dcnn_status status = read_input(&r, description, input);
    if (status == DCNN_OK) status = read_model(&r, description, 0, (surroundings){.path = "", .outer = -1}, &output);
    if (status == DCNN_OK) status = dcnn_net_check_input(net, json_object_get(first_layer(description), "config"));
    free(r.items);
    json_decref(r.made);
    json_decref(r.numbers);
    return status;
}
