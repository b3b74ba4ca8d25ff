/* SPDX-License-Identifier: BSD-3-Clause */
/* layer_cases.h — the nets of test_layers.c: each layer in a chain, and graphs. */
#ifndef DCNN_LAYER_CASES_H
#define DCNN_LAYER_CASES_H

#include "nn/net_edit.h"
#include "testing.h"

enum { CLASSES = 3 };

/* Each case stands between a convolution in front, so that its input gradient matters, and Flatten + Dense behind. */
static const struct {
    const char *class_name, *config;
    bool on_vectors; /* the layer takes vectors: a Flatten comes before it */
} cases[] = {
    {"InputLayer", NULL, false},
    {"Conv2D", "{\"filters\": 4, \"kernel_size\": 3, \"activation\": \"sigmoid\"}", false},
    {"Conv2D", "{\"filters\": 2, \"kernel_size\": [2, 3], \"strides\": [2, 1], \"padding\": \"same\"}", false},
    {"Conv2D", "{\"filters\": 3, \"kernel_size\": 1, \"use_bias\": false, \"activation\": \"tanh\"}", false},
    {"Conv2D",
     "{\"filters\": 3, \"kernel_size\": 5, \"strides\": 2, \"padding\": \"same\", \"activation\": \"softmax\"}", false},
    {"MaxPooling2D", "{}", false},
    {"MaxPooling2D", "{\"pool_size\": 3, \"strides\": 2, \"padding\": \"same\"}", false},
    {"AveragePooling2D", "{\"pool_size\": [2, 3], \"strides\": 1}", false},
    {"AveragePooling2D", "{\"pool_size\": 3, \"strides\": 2, \"padding\": \"same\"}", false},
    {"GlobalAveragePooling2D", "{\"keepdims\": true}", false},
    {"BatchNormalization", "{}", false},
    {"BatchNormalization", "{\"scale\": false, \"momentum\": 0.9}", false},
    {"BatchNormalization", "{\"center\": false, \"epsilon\": 0.01}", true},
    {"BatchNormalization", "{\"axis\": 1}", false},
    {"BatchNormalization", "{\"axis\": [-2], \"scale\": false}", false},
    {"Dense", "{\"units\": 4, \"activation\": \"relu\"}", true},
    {"Dense", "{\"units\": 4, \"activation\": \"softmax\", \"use_bias\": false}", true},
    {"Flatten", "{}", false},
    {"Flatten", "{\"data_format\": \"channels_first\"}", false},
    {"Identity", "{}", false},
    {"Conv2D",
     "{\"filters\": 4, \"kernel_size\": 2, \"activation\": {\"class_name\": \"LeakyReLU\", \"config\": "
     "{\"negative_slope\": 0.15}}}",
     false},
    {"Dropout", "{\"rate\": 0.4}", false},
    {"Dropout", "{\"rate\": 0.4, \"noise_shape\": [null, null, 1, 1]}", false},
    {"Dropout", "{\"rate\": 0.4, \"noise_shape\": [null, 1]}", true},
    {"StochasticDepth", "{\"drop_path_rate\": 0.4}", false},
    {"LayerScale", "{\"init_values\": 0.7, \"projection_dim\": 3}", false},
    {"Rescaling", "{\"scale\": 0.7, \"offset\": [0.1, 0.2, -0.3]}", false},
    {"Normalization", "{\"mean\": [0.1, 0.2, 0.3], \"variance\": 2.0}", false},
    {"Normalization", "{\"mean\": [0.1, 0.2, 0.3], \"variance\": 2.0, \"invert\": true}", false},
    {"Normalization", "{\"axis\": [1, 3], \"mean\": [0.1, 0.2, 0.3], \"variance\": [1.0, 2.0, 3.0]}", false},
    {"Activation", "{\"activation\": \"tanh\"}", false},
    {"ReLU", "{}", false},
    {"ReLU", "{\"max_value\": 0.5, \"negative_slope\": 0.1}", false},
    {"Activation", "{\"activation\": \"gelu\"}", false},
    {"Activation", "{\"activation\": \"mish\"}", false},
    {"Conv2D", "{\"filters\": 4, \"kernel_size\": 2, \"activation\": \"silu\"}", false},
    {"Dense", "{\"units\": 4, \"activation\": \"softplus\"}", true},
    {"Softmax", "{}", true},
    {"Softmax", "{\"axis\": 1}", false},
    {"Softmax", "{\"axis\": -2}", false},
    {"Softmax", "{\"axis\": [1, 2]}", false},
    {"Softmax", "{\"axis\": [1, 2, 3]}", false},
    {"Conv2D", "{\"filters\": 4, \"kernel_size\": 2, \"dilation_rate\": 2, \"activation\": \"relu\"}", false},
    {"Conv2D", "{\"filters\": 6, \"kernel_size\": 3, \"groups\": 3, \"padding\": \"same\"}", false},
    {"DepthwiseConv2D", "{\"kernel_size\": 3, \"padding\": \"same\", \"activation\": \"relu6\"}", false},
    {"DepthwiseConv2D", "{\"kernel_size\": 2, \"strides\": 2, \"depth_multiplier\": 2, \"use_bias\": false}", false},
    {"SeparableConv2D", "{\"filters\": 4, \"kernel_size\": 3, \"padding\": \"same\", \"activation\": \"tanh\"}", false},
    {"Conv2DTranspose", "{\"filters\": 2, \"kernel_size\": 3, \"strides\": 2, \"activation\": \"sigmoid\"}", false},
    {"Conv2DTranspose", "{\"filters\": 2, \"kernel_size\": 3, \"strides\": 2, \"padding\": \"same\"}", false},
    {"Conv2DTranspose", "{\"filters\": 2, \"kernel_size\": 1, \"strides\": 2}", false},
    {"ZeroPadding2D", "{\"padding\": [[1, 2], [0, 1]]}", false},
    {"Cropping2D", "{\"cropping\": [1, 2]}", false},
    {"UpSampling2D", "{\"size\": [2, 1]}", false},
    {"UpSampling2D", "{\"size\": [2, 3], \"interpolation\": \"bilinear\"}", false},
    {"Resizing", "{\"height\": 4, \"width\": 7}", false},
    {"Resizing", "{\"height\": 9, \"width\": 3, \"interpolation\": \"nearest\"}", false},
    {"Resizing", "{\"height\": 9, \"width\": 3, \"interpolation\": \"bicubic\"}", false},
    {"Resizing", "{\"height\": 4, \"width\": 7, \"interpolation\": \"lanczos3\"}", false},
    {"Resizing", "{\"height\": 2, \"width\": 3, \"interpolation\": \"lanczos5\", \"antialias\": true}", false},
    {"Resizing", "{\"height\": 3, \"width\": 9, \"antialias\": true}", false},
    {"Resizing", "{\"height\": 3, \"width\": 5, \"crop_to_aspect_ratio\": true}", false},
    {"Resizing", "{\"height\": 3, \"width\": 7, \"pad_to_aspect_ratio\": true, \"fill_value\": 0.3}", false},
    {"Resizing", "{\"height\": 8, \"width\": 3, \"pad_to_aspect_ratio\": true, \"interpolation\": \"bicubic\"}", false},
    {"Resizing", "{\"height\": 9, \"width\": 3, \"crop_to_aspect_ratio\": true, \"interpolation\": \"nearest\"}",
     false},
    {"UpSampling2D", "{\"size\": [2, 1], \"interpolation\": \"bicubic\"}", false},
    {"UpSampling2D", "{\"size\": [2, 3], \"interpolation\": \"lanczos5\"}", false},
    {"Conv2DTranspose", "{\"filters\": 2, \"kernel_size\": 3, \"strides\": 2, \"output_padding\": 1}", false},
    {"Conv2DTranspose",
     "{\"filters\": 2, \"kernel_size\": 3, \"strides\": 2, \"padding\": \"same\", \"output_padding\": [0, 1]}", false},
    {"Conv2DTranspose",
     "{\"filters\": 2, \"kernel_size\": 4, \"strides\": 2, \"padding\": \"same\", \"output_padding\": 0}", false},
    {"RandomFlip", "{}", false},
    {"RandomRotation", "{\"factor\": 0.2}", false},
    {"RandomRotation", "{\"factor\": [0.1, 0.3], \"fill_mode\": \"constant\", \"fill_value\": 0.5}", false},
    {"RandomZoom", "{\"height_factor\": 0.4, \"fill_mode\": \"wrap\"}", false},
    {"RandomZoom", "{\"height_factor\": [-0.4, 0.3], \"width_factor\": 0.2, \"fill_mode\": \"nearest\"}", false},
    {"RandomTranslation", "{\"height_factor\": 0.4, \"width_factor\": 0.3}", false},
    {"RandomContrast", "{\"factor\": 0.5, \"value_range\": [-0.6, 0.7]}", false},
    {"RandomBrightness", "{\"factor\": 0.3, \"value_range\": [-0.6, 0.7]}", false},
    {"RandomCrop", "{\"height\": 4, \"width\": 3}", false},
    {"RandomCrop", "{\"height\": 6, \"width\": 3}", false},
    {"RandomCrop", "{\"height\": 8, \"width\": 7}", false},
    {"LeakyReLU", "{\"negative_slope\": 0.2}", false},
    {"ELU", "{\"alpha\": 0.7}", false},
    {"PReLU", "{\"shared_axes\": [1, 2], \"alpha_initializer\": \"ones\"}", false},
    {"PReLU", "{}", false},
    {"LayerNormalization", "{}", false},
    {"LayerNormalization", "{\"center\": false}", true},
    {"LayerNormalization", "{\"axis\": [1, 2, 3]}", false},
    {"LayerNormalization", "{\"axis\": 1, \"scale\": false}", false},
    {"LayerNormalization", "{\"axis\": [1, 3]}", false},
    {"GroupNormalization", "{\"groups\": 3}", false},
    {"GroupNormalization", "{\"groups\": 1, \"scale\": false}", false},
    {"GroupNormalization", "{\"groups\": 2, \"axis\": 1}", false},
    {"GroupNormalization", "{\"groups\": -1, \"axis\": -2, \"center\": false}", false},
    {"SpatialDropout2D", "{\"rate\": 0.4}", false},
    {"GaussianNoise", "{\"stddev\": 0.2}", false},
    {"GaussianDropout", "{\"rate\": 0.2}", false},
    {"GlobalMaxPooling2D", "{\"keepdims\": true}", false},
    {"Reshape", "{\"target_shape\": [5, -1, 2]}", false},
    {"Permute", "{\"dims\": [3, 1, 2]}", false},
    {"Dense", "{\"units\": 4, \"activation\": \"tanh\"}", false},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static json_t *layer(const char *class_name, json_t *config) {
    return json_pack("{s:s, s:o}", "class_name", class_name, "config", config);
}

static dcnn_net *make_net(size_t which) {
    json_t *layers = json_array();
    json_array_append_new(layers, layer("InputLayer", json_pack("{s:[n,i,i,i]}", "batch_shape", 7, 6, 2)));
    json_array_append_new(
        layers, layer("Conv2D", json_pack("{s:i, s:i, s:s}", "filters", 3, "kernel_size", 2, "activation", "tanh")));
    if (cases[which].on_vectors) json_array_append_new(layers, layer("Flatten", json_object()));
    if (cases[which].config)
        json_array_append_new(layers, layer(cases[which].class_name, json_loads(cases[which].config, 0, NULL)));
    json_array_append_new(layers, layer("Flatten", json_pack("{s:s}", "name", "last_flatten")));
    json_array_append_new(layers, layer("Dense", json_pack("{s:i, s:s, s:s}", "units", CLASSES, "activation", "softmax",
                                                           "name", "classes")));
    json_t *description = json_pack("{s:s, s:{s:o}}", "class_name", "Sequential", "config", "layers", layers);
    dcnn_net *net;
    if (dcnn_net_create(description, (dcnn_shape){0}, &net) != DCNN_OK) fail_msg("%s", dcnn_error());
    json_decref(description);
    for (size_t i = 0; i < net->param_count; i++) net->params[i] = test_uniform(1, i, -0.6, 0.6);
    return net;
}

/* --- graphs ----------------------------------------------------------------------------------------------------- */

/* A Functional model in Keras 2's short form: layers "CLASS NAME CONFIG <- NAMES". The rest is as in make_net(). */
typedef struct graph_layer {
    const char *class_name, *name, *config, *inputs[4]; /* "name" or "name#call" */
} graph_layer;

static json_t *graph_inbound(const graph_layer *l) {
    json_t *values = json_array();
    for (int i = 0; i < 4 && l->inputs[i]; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s", l->inputs[i]);
        char *call = strchr(name, '#');
        if (call) *call++ = '\0';
        json_array_append_new(values, json_pack("[s,i,i,{}]", name, call ? atoi(call) : 0, 0));
    }
    return values;
}

/* Rows of one name are calls of one layer. */
static json_t *describe_graph(const graph_layer *rows, int count, const char *output) {
    json_t *layers = json_array();
    json_array_append_new(layers, json_loads("{\"class_name\": \"InputLayer\", \"name\": \"in\", \"inbound_nodes\": [],"
                                             "\"config\": {\"name\": \"in\", \"batch_shape\": [null, 7, 6, 2]}}",
                                             0, NULL));
    for (int i = 0; i < count; i++) {
        json_t *found = NULL, *item;
        size_t k;
        json_array_foreach(layers, k, item) {
            if (strcmp(json_string_value(json_object_get(item, "name")), rows[i].name) == 0) found = item;
        }
        if (found) {
            json_array_append_new(json_object_get(found, "inbound_nodes"), graph_inbound(&rows[i]));
            continue;
        }
        json_t *config = json_loads(rows[i].config, 0, NULL);
        assert_non_null(config);
        json_object_set_new(config, "name", json_string(rows[i].name));
        json_array_append_new(layers,
                              json_pack("{s:s, s:s, s:o, s:[o]}", "class_name", rows[i].class_name, "name",
                                        rows[i].name, "config", config, "inbound_nodes", graph_inbound(&rows[i])));
    }
    return json_pack("{s:s, s:{s:s, s:o, s:[s,i,i], s:[s,i,i]}}", "class_name", "Functional", "config", "name", "graph",
                     "layers", layers, "input_layers", "in", 0, 0, "output_layers", output, 0, 0);
}

#define CONV(name, from)                                                                                               \
    {                                                                                                                  \
        "Conv2D", name, "{\"filters\": 3, \"kernel_size\": 2, \"padding\": \"same\", \"activation\": \"tanh\"}", {     \
            from                                                                                                       \
        }                                                                                                              \
    }
#define TAIL(from)                                                                                                     \
    {"Flatten", "flat", "{}", {from}}, {                                                                               \
        "Dense", "classes", "{\"units\": 3, \"activation\": \"softmax\"}", {                                           \
            "flat"                                                                                                     \
        }                                                                                                              \
    }
#define MERGE_CASE(class_name)                                                                                         \
    {                                                                                                                  \
        class_name, {                                                                                                  \
            CONV("a", "in"), CONV("b", "in"), CONV("c", "a"), {class_name, "m", "{}", {"a", "b"}},                     \
                {"Add", "p", "{}", {"m", "c"}}, {class_name, "q", "{}", {"p", "b"}}, TAIL("q")                         \
        }                                                                                                              \
    }

/* Each value has several consumers, so that gradients are added up in every way. */
static const struct {
    const char *what;
    graph_layer layers[12];
} graphs[] = {
    MERGE_CASE("Add"),
    MERGE_CASE("Subtract"),
    MERGE_CASE("Multiply"),
    {"CustomScaleLayer",
     {CONV("a", "in"), CONV("b", "in"), {"CustomScaleLayer", "m", "{\"scale\": 0.3}", {"a", "b"}}, TAIL("m")}},
    MERGE_CASE("Average"),
    MERGE_CASE("Maximum"),
    MERGE_CASE("Minimum"),
    {"Concatenate",
     {CONV("a", "in"),
      CONV("b", "a"),
      {"Concatenate", "m", "{}", {"a", "b", "a"}},
      {"Concatenate", "n", "{\"axis\": 1}", {"a", "b"}},
      {"Conv2D", "k", "{\"filters\": 9, \"kernel_size\": 1}", {"n"}},
      {"Concatenate", "o", "{\"axis\": -3}", {"m", "k"}},
      TAIL("o")}},
    {"squeeze and excitation",
     {CONV("a", "in"),
      {"GlobalAveragePooling2D", "g", "{\"keepdims\": true}", {"a"}},
      {"Dense", "d", "{\"units\": 3, \"activation\": \"sigmoid\"}", {"g"}},
      {"Multiply", "m", "{}", {"d", "a"}},
      TAIL("m")}},
    {"an attention to places, and means of maps",
     {CONV("a", "in"),
      {"Conv2D", "p", "{\"filters\": 1, \"kernel_size\": 1, \"activation\": \"sigmoid\"}", {"a"}},
      {"GlobalAveragePooling2D", "g", "{\"keepdims\": true}", {"a"}},
      {"Multiply", "m", "{}", {"p", "a"}},
      {"Add", "s", "{}", {"g", "m", "p"}},
      {"Average", "v", "{}", {"s", "g"}},
      {"Maximum", "x", "{}", {"v", "p"}},
      {"Minimum", "n", "{}", {"g", "x"}},
      {"Subtract", "t", "{}", {"n", "g"}},
      TAIL("t")}},
    {"rows and columns",
     {CONV("a", "in"),
      {"AveragePooling2D", "r", "{\"pool_size\": [7, 1]}", {"a"}},
      {"AveragePooling2D", "c", "{\"pool_size\": [1, 6]}", {"a"}},
      {"Subtract", "s", "{}", {"r", "c"}},
      {"Multiply", "m", "{}", {"s", "c"}},
      TAIL("m")}},
    {"shuffled channels",
     {{"Conv2D", "a", "{\"filters\": 6, \"kernel_size\": 2}", {"in"}},
      {"Reshape", "r", "{\"target_shape\": [6, -1, 2, 3]}", {"a"}},
      {"Permute", "p", "{\"dims\": [1, 2, 4, 3]}", {"r"}},
      {"Reshape", "s", "{\"target_shape\": [6, 5, 6]}", {"p"}},
      {"Conv2D", "b", "{\"filters\": 4, \"kernel_size\": 2, \"groups\": 2, \"activation\": \"tanh\"}", {"s"}},
      TAIL("b")}},
    {"a square", {CONV("a", "in"), {"Multiply", "m", "{}", {"a", "a"}}, TAIL("m")}},
    {"residual through BatchNormalization",
     {CONV("a", "in"),
      {"BatchNormalization", "n", "{}", {"a"}},
      {"Activation", "r", "{\"activation\": \"relu\"}", {"n"}},
      CONV("b", "r"),
      {"BatchNormalization", "o", "{}", {"b"}},
      {"Add", "s", "{}", {"a", "o"}},
      {"Multiply", "t", "{}", {"s", "r"}},
      TAIL("t")}},
    {"a layer called thrice, with BatchNormalization between",
     {CONV("a", "in"),
      CONV("b", "a"),
      CONV("b", "b"),
      {"BatchNormalization", "n", "{}", {"b#1"}},
      CONV("b", "n"),
      {"Add", "s", "{}", {"b#2", "a"}},
      TAIL("s")}},
    {"a BatchNormalization called twice",
     {CONV("a", "in"),
      {"BatchNormalization", "n", "{}", {"a"}},
      CONV("b", "n"),
      {"BatchNormalization", "n", "{}", {"b"}},
      {"Multiply", "s", "{}", {"n", "n#1"}},
      TAIL("s")}},
    {"a first convolution, BatchNormalization, ReLU and a pooling",
     {{"Conv2D", "a", "{\"filters\": 3, \"kernel_size\": 3}", {"in"}},
      {"BatchNormalization", "n", "{}", {"a"}},
      {"Activation", "r", "{\"activation\": \"relu\"}", {"n"}},
      {"MaxPooling2D", "p", "{}", {"r"}},
      TAIL("p")}},
    {"... with a frozen filter",
     {{"Conv2D", "a", "{\"filters\": 3, \"kernel_size\": 3, \"trainable\": false}", {"in"}},
      {"BatchNormalization", "n", "{\"center\": false}", {"a"}},
      {"Activation", "r", "{\"activation\": \"relu\"}", {"n"}},
      {"MaxPooling2D", "p", "{}", {"r"}},
      TAIL("p")}},
    {"frozen layers behind trained ones",
     {CONV("a", "in"),
      {"BatchNormalization", "n", "{\"trainable\": false}", {"a"}},
      {"Conv2D",
       "b",
       "{\"filters\": 3, \"kernel_size\": 2, \"padding\": \"same\", \"activation\": \"relu\", "
       "\"trainable\": false}",
       {"n"}},
      {"MaxPooling2D", "m", "{}", {"b"}},
      TAIL("m")}},
    {"trained layers behind frozen ones",
     {{"Conv2D", "a", "{\"filters\": 3, \"kernel_size\": 2, \"activation\": \"relu\", \"trainable\": false}", {"in"}},
      {"BatchNormalization", "n", "{\"trainable\": false}", {"a"}},
      CONV("b", "n"),
      {"Add", "s", "{}", {"b", "n"}},
      TAIL("s")}},
};
enum { GRAPHS = sizeof graphs / sizeof graphs[0] };

static dcnn_net *make_graph(size_t which) {
    int count = 0;
    while (count < 12 && graphs[which].layers[count].class_name) count++;
    json_t *description = describe_graph(graphs[which].layers, count, "classes");
    dcnn_net *net;
    if (dcnn_net_create(description, (dcnn_shape){0}, &net) != DCNN_OK)
        fail_msg("%s: %s", graphs[which].what, dcnn_error());
    json_decref(description);
    for (size_t i = 0; i < net->param_count; i++) net->params[i] = test_uniform(1, i, -0.6, 0.6);
    for (size_t i = 0; i < net->state_count; i++) net->state[i] = test_uniform(4, i, 0.3, 0.9);
    return net;
}

#endif
