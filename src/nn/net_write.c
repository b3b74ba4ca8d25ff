/* SPDX-License-Identifier: BSD-3-Clause */
/* net_write.c — a net as Keras 3 describes it: a Sequential where it is a chain, else a Functional. */
#include <string.h>

#include "nn/net_private.h"

/* Which call of its layer a node is, from 0. */
static int call_number(const dcnn_net *net, int number) {
    int calls = 0;
    for (int i = 0; i < number; i++) calls += net->nodes[i].owner == net->nodes[number].owner;
    return calls;
}

static json_t *describe_shape(const dcnn_net *net, int number) {
    const dcnn_shape shape = net->nodes[number].shape;
    if (number == 0 && net->plain_input) return json_pack("[n,i,i]", shape.h, shape.w);
    return shape.rank == 3 ? json_pack("[n,i,i,i]", shape.h, shape.w, shape.c) : json_pack("[n,i]", shape.c);
}

static json_t *describe_policy(const dcnn_node *node) {
    if (!node->bf16) return json_string("float32");
    return json_pack("{s:s, s:s, s:{s:s}, s:n}", "module", "keras", "class_name", "DTypePolicy", "config", "name",
                     "mixed_bfloat16", "registered_name");
}

static json_t *describe_layer(const dcnn_net *net, int number) {
    const dcnn_node *node = &net->nodes[number];
    json_t *config =
        json_pack("{s:s, s:b, s:o}", "name", node->name, "trainable", node->trainable, "dtype", describe_policy(node));
    node->layer->describe(node, config);
    if (number == 0) json_object_set_new(config, "batch_shape", describe_shape(net, 0));
    if (node->kept) json_object_update(config, node->kept);
    const char *module = node->layer->module;
    return json_pack("{s:s, s:s, s:o, s:s?}", "module", module ? module : "keras.layers", "class_name",
                     node->layer->class_name, "config", config, "registered_name",
                     module ? node->layer->class_name : NULL);
}

static json_t *describe_value(const dcnn_net *net, int number) {
    const dcnn_node *node = &net->nodes[number];
    return json_pack("{s:s, s:{s:o, s:s, s:[s,i,i]}}", "class_name", "__keras_tensor__", "config", "shape",
                     describe_shape(net, number), "dtype", "float32", "keras_history", node->name,
                     call_number(net, number), 0);
}

static json_t *describe_call(const dcnn_net *net, const dcnn_node *node) {
    json_t *values = json_array();
    for (int j = 0; j < node->input_count; j++) json_array_append_new(values, describe_value(net, node->inputs[j]));
    if (node->layer->merges) values = json_pack("[o]", values);
    json_t *keywords = node->inference ? json_pack("{s:b}", "training", 0) : json_object();
    return json_pack("{s:o, s:o}", "args", values, "kwargs", keywords);
}

static json_t *describe_calls(const dcnn_net *net, int owner) {
    json_t *calls = json_array();
    for (int i = 0; i < net->node_count; i++)
        if (net->nodes[i].owner == owner && net->nodes[i].input_count > 0)
            json_array_append_new(calls, describe_call(net, &net->nodes[i]));
    return calls;
}

static json_t *describe_functional(const dcnn_net *net) {
    const int last = net->node_count - 1;
    json_t *layers = json_array();
    for (int i = 0; i < net->node_count; i++) {
        if (net->nodes[i].owner != i) continue;
        json_t *layer = describe_layer(net, i);
        json_object_set_new(layer, "name", json_string(net->nodes[i].name));
        json_object_set_new(layer, "inbound_nodes", describe_calls(net, i));
        if (net->nodes[i].inference && net->nodes[i].layer->unsaid)
            json_object_set_new(layer, DCNN_NET_INFERENCE, json_true());
        json_array_append_new(layers, layer);
    }
    return json_pack("{s:s, s:s, s:{s:s, s:b, s:o, s:[[s,i,i]], s:[[s,i,i]]}, s:s}", "module",
                     "keras.src.models.functional", "class_name", "Functional", "config", "name", net->name,
                     "trainable", 1, "layers", layers, "input_layers", net->nodes[0].name, 0, 0, "output_layers",
                     net->nodes[last].name, call_number(net, last), 0, "registered_name", "Functional");
}

static bool is_chain(const dcnn_net *net) {
    bool chain = true;
    for (int i = 1; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        chain = chain && node->input_count == 1 && node->inputs[0] == i - 1 && node->owner == i && !node->inference;
    }
    return chain;
}

json_t *dcnn_net_describe(const dcnn_net *net) {
    if (net->functional || !is_chain(net)) return describe_functional(net);
    json_t *layers = json_array();
    for (int i = 0; i < net->node_count; i++) json_array_append_new(layers, describe_layer(net, i));
    return json_pack("{s:s, s:s, s:{s:s, s:b, s:s, s:o}, s:n, s:{s:o}}", "module", "keras", "class_name", "Sequential",
                     "config", "name", net->name, "trainable", 1, "dtype", "float32", "layers", layers,
                     "registered_name", "build_config", "input_shape", describe_shape(net, 0));
}

void dcnn_net_written_path(const dcnn_net *net, int node, char path[DCNN_PATH_BYTES]) {
    char name[DCNN_NAME_BYTES];
    int before = 0;
    const char *class_name = net->nodes[node].layer->class_name; /* several layers may have it: two kinds of Softmax */
    for (int i = 0; i < node; i++)
        before += net->nodes[i].owner == i && strcmp(net->nodes[i].layer->class_name, class_name) == 0;
    dcnn_net_place_name(class_name, before, name);
    snprintf(path, DCNN_PATH_BYTES, "layers/%s", name);
}
