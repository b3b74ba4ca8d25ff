/* SPDX-License-Identifier: BSD-3-Clause */
/* test_refused_nets.h — descriptions of networks that are too large or do not fit together; for test_refused_models.c
 * alone. */
#ifndef DCNN_TESTS_TEST_REFUSED_NETS_H
#define DCNN_TESTS_TEST_REFUSED_NETS_H

#include "model_helpers.h"

/* --- networks that are too large, in few words -------------------------------------------------------------------- */

static void refuse_net(json_t *description, const char *fragment, const char *place) {
    dcnn_net *net;
    assert_non_null(description);
    assert_fails(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_BAD_INPUT, fragment, place);
    assert_null(net);
    json_decref(description);
}

#define GRAPH(shape, layers, last)                                                                                     \
    "{'class_name': 'Functional', 'config': {'name': 'm', 'layers': [{'class_name': 'InputLayer', 'config': {'name':"  \
    " 'in', 'batch_shape': " shape "}, 'inbound_nodes': []}, " layers                                                  \
    "], 'input_layers': [['in', 0, 0]], 'output_layers': [['" last "', 0, 0]]}}"
#define LAYER(class_name, name, settings, inputs)                                                                      \
    "{'class_name': '" class_name "', 'config': {'name': '" name "', " settings "}, 'inbound_nodes': [[" inputs "]]}"
#define ON(name) "['" name "', 0, 0, {}]"

static void products_and_sums_of_sizes_are_bounded(void **state) {
    (void)state;
    static const char large[] = GRAPH(
        "[null, 1, 1, 1]",
        LAYER("UpSampling2D", "up", "'size': 16384", ON("in")) ", " LAYER("Flatten", "flat", "'trainable': true", ON("up")) ", " LAYER(
            "Concatenate", "odd",
            "'axis': -1",
            ON("flat") "," ON("flat") "," ON("flat") "," ON("flat") "," ON("flat") "," ON("flat") "," ON("flat") "," ON("flat") "," ON("flat") "," ON("flat") "," ON(
                "flat") "," ON("flat") "," ON("flat") "," ON("flat") "," ON("flat") "," ON("flat")) ", " LAYER("Dense",
                                                                                                               "end",
                                                                                                               "'units'"
                                                                                                               ": 2, "
                                                                                                               "'activa"
                                                                                                               "tion': "
                                                                                                               "'softma"
                                                                                                               "x'",
                                                                                                               ON("od"
                                                                                                                  "d")),
        "end");
    refuse_net(parse(large), "too large", "'odd'"); /* 16 times 2^28 are no int */
    static const char wide[] = GRAPH(
        "[null, 1]",
        LAYER("Dense", "a", "'units': 4194304", ON("in")) ", " LAYER("Reshape", "rows", "'target_shape': [4194304, 1, 1]", ON("a")) ", " LAYER(
            "Reshape", "columns", "'target_shape': [1, 4194304, 1]",
            ON("a")) ", " LAYER("Dense", "b", "'units': 1048576",
                                ON("in")) ", " LAYER("Reshape", "channels", "'target_shape': [1, 1, 1048576]",
                                                     ON("b")) ", " LAYER("Add", "odd", "'trainable': true",
                                                                         ON("rows") "," ON("columns") "," ON(
                                                                             "channels")) ", " LAYER("Flatten", "flat",
                                                                                                     "'trainable': "
                                                                                                     "true",
                                                                                                     ON("odd")) ","
                                                                                                                " " LAYER(
                                                                                                                    "De"
                                                                                                                    "ns"
                                                                                                                    "e",
                                                                                                                    "en"
                                                                                                                    "d",
                                                                                                                    "'u"
                                                                                                                    "ni"
                                                                                                                    "ts"
                                                                                                                    "':"
                                                                                                                    " 2"
                                                                                                                    ", "
                                                                                                                    "'a"
                                                                                                                    "ct"
                                                                                                                    "iv"
                                                                                                                    "at"
                                                                                                                    "io"
                                                                                                                    "n'"
                                                                                                                    ": "
                                                                                                                    "'s"
                                                                                                                    "of"
                                                                                                                    "tm"
                                                                                                                    "ax"
                                                                                                                    "'",
                                                                                                                    ON("flat")),
        "end");
    refuse_net(parse(wide), "is too large", "'odd'"); /* 2^64 values */
    static const char axis[] =
        GRAPH("[null, 4]", LAYER("Concatenate", "odd", "'axis': 4294967295", ON("in") "," ON("in")), "odd");
    refuse_net(parse(axis), "its inputs have no axis", "'odd'");
}

/* --- networks that do not fit together ---------------------------------------------------------------------------- */

#define MAP       "[null, 8, 8, 2]"
#define SOFT      LAYER("Flatten", "flat", "'trainable': true", ON("odd")) ", " DENSE("flat")
#define DENSE(on) LAYER("Dense", "end", "'units': 2, 'activation': 'softmax'", ON(on))
#define SMALLER   LAYER("MaxPooling2D", "less", "'pool_size': 2", ON("in")) ", "

static void graphs_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *model, *fragment, *place;
    } rows[] = {
        {GRAPH(MAP, SMALLER LAYER("Add", "odd", "'trainable': true", ON("in") ", " ON("less")) ", " SOFT, "end"),
         "which do not fit together", "'odd' (Add)"},
        {GRAPH(MAP, LAYER("Subtract", "odd", "'trainable': true", ON("in") ", " ON("in") ", " ON("in")) ", " SOFT,
               "end"),
         "takes two inputs, not 3", "'odd' (Subtract)"},
        {GRAPH(MAP, LAYER("Add", "odd", "'trainable': true", ON("in")) ", " SOFT, "end"),
         "is called on 1 inputs; it takes two or more", "'odd' (Add)"},
        {GRAPH(MAP, LAYER("ReLU", "odd", "'trainable': true", ON("in") ", " ON("in")) ", " SOFT, "end"),
         "is called on 2 inputs; it takes one", "'odd' (ReLU)"},
        {GRAPH(MAP, LAYER("Concatenate", "odd", "'axis': 4", ON("in") ", " ON("in")) ", " SOFT, "end"),
         "its inputs have no axis 4", "'odd' (Concatenate)"},
        {GRAPH("[null, 8]", LAYER("Concatenate", "odd", "'axis': 2", ON("in") ", " ON("in")) ", " DENSE("odd"), "end"),
         "its inputs have no axis 2", "'odd' (Concatenate)"},
        {GRAPH(MAP, LAYER("ReLU", "odd", "'trainable': true", ON("nobody")) ", " SOFT, "end"),
         "name a layer that does not exist", "'odd'"},
        {GRAPH(MAP, LAYER("ReLU", "odd", "'trainable': true", "['in', 0, 1, {}]") ", " SOFT, "end"),
         "name a second output", "'odd'"},
        {GRAPH(MAP, LAYER("ReLU", "odd", "'trainable': true", ON("end")) ", " SOFT, "end"), "has a cycle", "graph"},
        {GRAPH(MAP, LAYER("ReLU", "odd", "'trainable': true", ON("in")) ", " SOFT, "nobody"),
         "name a layer that does not exist", "output_layers"},
        {GRAPH(MAP,
               "{'class_name': 'InputLayer', 'config': {'name': 'two', 'batch_shape': [null, 8, 8, 2]}, "
               "'inbound_nodes': []}, " LAYER("Add", "odd", "'trainable': true", ON("in") ", " ON("two")) ", " SOFT,
               "end"),
         "the model has a second input", "'two'"},
        {"{'class_name': 'Functional', 'config': {'name': 'm', 'layers': [{'class_name': 'InputLayer', 'config': "
         "{'name':"
         " 'in', 'batch_shape': [null, 8, 8, 2]}, 'inbound_nodes': []}], 'input_layers': [['in', 0, 0], ['in', 0, 0]],"
         " 'output_layers': [['in', 0, 0]]}}",
         "the model has 2 \"input_layers\"", "one input"},
        {GRAPH(
             MAP,
             "{'class_name': 'Conv2D', 'config': {'name': 'odd', 'filters': 2, 'kernel_size': 3}, 'inbound_nodes': "
             "[[" ON("in") "], [" ON("slim") "]]}, " LAYER(
                 "Conv2D", "slim", "'filters': 1, 'kernel_size': 1",
                 ON("in")) ", " LAYER("Add", "both", "'trainable': true",
                                      "['odd', 0, 0, {}], ['odd', 1, 0, {}]") ", " LAYER("Flatten", "flat",
                                                                                         "'trainable': true",
                                                                                         ON("both")) ", " DENSE("flat"),
             "end"),
         "is called on inputs of different shapes", "'odd'"},
        {"{'class_name': 'Functional', 'config': {'name': 'm', 'layers': [], 'input_layers': [], 'output_layers': []}}",
         "the model has no layers", ""},
        {GRAPH(MAP, LAYER("CustomScaleLayer", "odd", "'scale': 2.0", ON("in") ", " ON("in") ", " ON("in")) ", " SOFT,
               "end"),
         "takes two inputs, not 3", "'odd' (CustomScaleLayer)"},
        {GRAPH("[null, 8, 8, 32]",
               LAYER("DepthwiseConv2D", "odd", "'kernel_size': 3, 'depth_multiplier': 16777216", ON("in")) ", " SOFT,
               "end"),
         "16777216 channels of each of 32 are too many", "'odd' (DepthwiseConv2D)"},
        {GRAPH(
             "[null, 64, 64, 1]",
             LAYER("Conv2DTranspose", "odd", "'filters': 1, 'kernel_size': 3, 'strides': 16777216", ON("in")) ", " SOFT,
             "end"),
         "its padding, strides and output_padding do not fit together", "'odd' (Conv2DTranspose)"},
        {GRAPH("[null, 64, 64, 1]",
               LAYER("Resizing", "odd", "'height': 65536, 'width': 1, 'pad_to_aspect_ratio': true", ON("in")) ", " SOFT,
               "end"),
         "an input of shape (64, 64, 1) is padded too far", "'odd' (Resizing)"},
        {GRAPH("[null, 256, 256, 1]",
               LAYER("GlobalAveragePooling2D", "odd", "'keepdims': false", ON("in")) ", " DENSE("odd"), "end"),
         "a map of shape (256, 256, 1) is too large to pool", "'odd'"},
        {GRAPH(MAP,
               "{'class_name': 'Sequential', 'config': {'name': 'odd', 'layers': [{'class_name': 'ReLU'}]}, "
               "'inbound_nodes': [[" ON("in") ", " ON("in") "]]}, " SOFT,
               "end"),
         "is called on 2 inputs; dcnn takes models of one", "the model 'odd'"},
        {"{'class_name': 'Functional', 'config': {'name': 'm', 'layers': [{'class_name': 'InputLayer', 'config': "
         "{'name': 'in', 'batch_shape': [null, 8, 8, 2]}, 'inbound_nodes': []}], 'input_layers': {'a': ['in', 0, 0],"
         " 'b': ['in', 0, 0]}, 'output_layers': [['in', 0, 0]]}}",
         "the model has 2 \"input_layers\"", "one input"},
        {GRAPH(MAP, LAYER("ReLU", "odd", "'trainable': true", ON("in")), "odd"), "must give one number a class",
         "shape (8, 8, 2)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuse_net(parse(rows[i].model), rows[i].fragment, rows[i].place);
}

/* A model's layers, one after the other. */
static void layers_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *layer, *fragment;
    } rows[] = {
        {"'class_name': 'Conv2D', 'config': {'name': 'odd', 'filters': 2, 'kernel_size': 3, 'padding': 'full'}",
         "\"padding\" must be \"valid\" or \"same\", not 'full'"},
        {"'class_name': 'UpSampling2D', 'config': {'name': 'odd', 'interpolation': 'area'}",
         "\"interpolation\" must be"},
        {"'class_name': 'Resizing', 'config': {'name': 'odd', 'height': 4, 'width': 4, 'interpolation': 'area'}",
         "\"interpolation\" must be"},
        {"'class_name': 'Resizing', 'config': {'name': 'odd', 'height': 4, 'width': 4, 'crop_to_aspect_ratio': true,"
         " 'pad_to_aspect_ratio': true}",
         "only one of"},
        {"'class_name': 'RandomCrop', 'config': {'name': 'odd', 'height': 70000, 'width': 4}", "is too large"},
        {"'class_name': 'ReLU', 'config': {'name': 'o/dd'}", "and no '/'"},
        {"'class_name': 'LayerScale', 'config': {'name': 'odd', 'init_values': 1e-6, 'projection_dim': 7}",
         "\"projection_dim\" is 7"},
        {"'config': {'name': 'odd'}", "has no \"class_name\""},
        {"'class_name': 'InputLayer', 'config': {'name': 'odd', 'batch_shape': [null, 8, 8, 2]}",
         "can only come first"},
        {"'class_name': 'RandomRotation', 'config': {'name': 'odd', 'factor': 0.1, 'interpolation': 'area'}",
         "\"interpolation\" must be \"nearest\" or \"bilinear\" in dcnn, not 'area'"},
        {"'class_name': 'ReLU', 'config': {'name': 'odd', 'dtype': 'float16'}",
         "cannot compute in dtype 'float16': give it \"float32\" or \"mixed_bfloat16\""},
        {"'class_name': 'ReLU', 'config': {'name': 'o\\u0007dd'}", "has control characters"},
        {"'class_name': 'Sequential', 'config': {'name': 'odd', 'layers': []}", "the model has no layers"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char layers[600];
        snprintf(
            layers, sizeof layers,
            "[{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 8, 8, 2]}}, {'class_name': 'ReLU'}, {%s},"
            " {'class_name': 'Flatten'}, {'class_name': 'Dense', 'config': {'units': 2, 'activation': 'softmax'}}]",
            rows[i].layer);
        refuse_net(sequential(layers), rows[i].fragment, "");
    }
}

static void images_of_another_shape_are_refused(void **state) {
    (void)state;
    dcnn_net *net;
    json_t *description =
        parse(GRAPH(MAP, LAYER("Flatten", "flat", "'trainable': true", ON("in")) ", " DENSE("flat"), "end"));
    assert_fails(dcnn_net_create(description, (dcnn_shape){3, 9, 8, 2}, &net), DCNN_BAD_INPUT,
                 "takes inputs of shape (8, 8, 2)", "the data has shape (9, 8, 2)");
    assert_null(net);
    json_decref(description);
}

/* A model inside a model, each called twice. */
static json_t *nested(int depth) {
    json_t *layer = json_pack("{s:s, s:{s:s, s:i}}", "class_name", "Dense", "config", "name", "d", "units", 2);
    for (int i = 0; i < depth; i++) {
        char input[16], model[16];
        snprintf(input, sizeof input, "in%d", i);
        snprintf(model, sizeof model, "m%d", i);
        json_t *name = json_incref(json_object_get(json_object_get(layer, "config"), "name"));
        json_object_set_new(layer, "inbound_nodes", json_pack("[[[s,i,i,{}]], [[O,i,i,{}]]]", input, 0, 0, name, 0, 0));
        layer = json_pack("{s:s, s:{s:s, s:[{s:s, s:{s:s, s:[n,i]}, s:[]}, o], s:[[s,i,i]], s:[[o,i,i]]}}",
                          "class_name", "Functional", "config", "name", model, "layers", "class_name", "InputLayer",
                          "config", "name", input, "batch_shape", 2, "inbound_nodes", layer, "input_layers", input, 0,
                          0, "output_layers", name, 1, 0);
    }
    return layer;
}

static void models_of_too_many_layers_are_refused(void **state) {
    (void)state;
    dcnn_net *net;
    json_t *some = nested(10);
    assert_ok(dcnn_net_create(some, (dcnn_shape){0}, &net));
    assert_int_equal(net->node_count, 1025);
    dcnn_net_free(net);
    json_decref(some);
    refuse_net(nested(60), "more than 8192 layers", "those inside it");
    json_t *layers = json_array(),
           *model = json_pack("{s:s, s:{s:o}}", "class_name", "Sequential", "config", "layers", json_incref(layers));
    json_array_append_new(layers, json_pack("{s:s, s:{s:[n,i]}}", "class_name", "InputLayer", "config", "batch_shape",
                                            2)); /* those behind it have no names */
    for (int i = 1; i < 1000; i++) json_array_append_new(layers, json_pack("{s:s}", "class_name", "ReLU"));
    json_array_append_new(layers, json_pack("{s:s, s:{s:i}}", "class_name", "Dense", "config", "units", 2));
    assert_ok(dcnn_net_create(model, (dcnn_shape){0}, &net));
    assert_string_equal(net->nodes[1].name, "re_lu");
    assert_string_equal(net->nodes[999].name, "re_lu_998");
    dcnn_net_free(net);
    json_decref(layers);
    json_decref(model);
}

#endif
