/* SPDX-License-Identifier: BSD-3-Clause */
/* test_refused_models.c — files of models that are whole, but of another model, or hold what no model has. */
#include "model_helpers.h"

#include <zip.h>

#include "model/input.h"
#include "model/keras_archive.h"
#include "model/model_private.h"
#include "model/onnx/onnx.h"
#include "model/safetensors.h"

/* Images of 2x2 and so many channels, flattened, then a layer 'd' of so many units, and another one if `more`. */
static dcnn_checkpoint make(int channels, int units, bool more) {
    char layers[600];
    snprintf(layers, sizeof layers,
             "[{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 2, 2, %d]}},"
             " {'class_name': 'Flatten', 'config': {'name': 'f'}},"
             " %s"
             " {'class_name': 'Dense', 'config': {'name': 'd', 'units': %d, 'activation': 'softmax'}}]",
             channels,
             more ? "{'class_name': 'Dense', 'config': {'name': 'm', 'units': 4, 'activation': 'relu'}}," : "", units);
    dcnn_checkpoint model = {.net = make_net(layers)};
    model.class_count = model.net->class_count;
    dcnn_net_initialise(model.net, 1);
    return model;
}

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

/* --- which images it takes ---------------------------------------------------------------------------------------- */

static void refuse_input(int channels, dcnn_input_given given, dcnn_status code, const char *fragment,
                         const char *place) {
    dcnn_checkpoint model = make(channels, 3, false);
    dcnn_input input;
    assert_fails(dcnn_input_choose(&model, &given, NULL, NULL, &input), code, fragment, place);
    dcnn_checkpoint_free(&model);
}

static void inputs_that_no_image_has_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",         "x",           "0.5,0.4", "0.5,0.4,0.3,0.2",
                                      "0.5,,0.3", "0.5 0.4 0.3", "nan",     "0.5,0.4,inf"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        refuse_input(3, (dcnn_input_given){.mean = bad[i]}, DCNN_USAGE, "one for each of the 3 channels", "--mean ");
        refuse_input(3, (dcnn_input_given){.std = bad[i]}, DCNN_USAGE, "as in --std 0.5,0.5,0.5", "--std ");
    }
    refuse_input(1, (dcnn_input_given){.mean = "0.5,0.4"}, DCNN_USAGE, "one number for the one channel",
                 "--mean 0.5,0.4");
    refuse_input(3, (dcnn_input_given){.std = "0.5,-1,0.5"}, DCNN_USAGE, "it must be above 0", "--std 0.5,-1,0.5");
    refuse_input(9, (dcnn_input_given){.mean = "1,2"}, DCNN_USAGE, "one for each of the 9 channels",
                 "as in --mean 0.5");
    refuse_input(DCNN_MAX_CHANNELS + 1, (dcnn_input_given){0}, DCNN_BAD_INPUT, "its input has 65 channels",
                 "does not take images");
    refuse_input(1, (dcnn_input_given){.mean = "0.5", .order = "bgr"}, DCNN_USAGE, "is for images of three channels",
                 "the model takes images of 1");
}

/* --- what stands beside the weights ------------------------------------------------------------------------------- */

static void refuse_metadata(int channels, const char *text, const char *fragment) {
    dcnn_checkpoint model = make(channels, 3, false);
    json_t *metadata = parse(text);
    assert_fails(dcnn_metadata_read(metadata, "x.keras", &model), DCNN_BAD_INPUT, fragment, "x.keras: ");
    json_decref(metadata);
    dcnn_checkpoint_free(&model);
}

static void odd_metadata_is_refused(void **state) {
    (void)state;
    refuse_metadata(3, "{'mean': [0, 0], 'std': [1, 1, 1]}",
                    "names mean and std of 2 and 3 channels, its model takes images of 3");
    refuse_metadata(3, "{'mean': [0, 0, 0]}", "names mean and std of 3 and 0 channels");
    refuse_metadata(2, "{'mean': [0, 0], 'std': [1, 0]}", "mean and std of channel 1 must be finite, and std above 0");
    refuse_metadata(1, "{'mean': [0], 'std': [-1]}", "mean and std of channel 0");
    refuse_metadata(1, "{'mean': [0], 'std': ['1']}", "mean and std of channel 0");
    static const char *const orders[] = {"[0, 1]",       "[1, 0, 2]", "[0, 2, 1]", "[2, 1, 1]",
                                         "[0, 1, 2, 3]", "'rgb'",     "[]"};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        char text[64];
        snprintf(text, sizeof text, "{'channel_order': %s}", orders[i]);
        refuse_metadata(3, text, "its channel_order must be [0, 1, 2] or [2, 1, 0]");
    }
    refuse_metadata(1, "{'channel_order': [2, 1, 0]}", "for three channels");
    refuse_metadata(1, "{'class_names': ['a', 'b']}", "names 2 classes, but its model has 3");
    refuse_metadata(1, "{'class_names': ['a', 'b', 'c', 'd']}", "names 4 classes, but its model has 3");
}

/* dcnn's own files hold means of 64 channels at the most. */
static void means_of_many_channels_are_not_written(void **state) {
    (void)state;
    dcnn_checkpoint model = make(DCNN_MAX_CHANNELS + 1, 3, false);
    model.normalised = true;
    assert_fails(dcnn_checkpoint_write(in_scratch("many.h5"), &model, NULL), DCNN_USAGE, "means of 65 channels",
                 "at most 64 are supported");
    assert_int_not_equal(access(in_scratch("many.h5"), F_OK), 0);
    dcnn_checkpoint_free(&model);
}

/* --- weights of another model ------------------------------------------------------------------------------------- */

static void weights_of_another_model_are_refused(void **state) {
    (void)state;
    const char *tensors = in_scratch("w.safetensors"), *keras = in_scratch("w.weights.h5");
    dcnn_checkpoint model = make(1, 3, true), other = make(1, 5, true), less = make(1, 3, false);
    assert_ok(dcnn_safetensors_write(tensors, &model));
    assert_ok(dcnn_keras_weights_write(keras, &model));
    assert_fails(dcnn_safetensors_read(tensors, &other), DCNN_BAD_INPUT, "weight 'd",
                 "has another shape than the model needs");
    assert_fails(dcnn_keras_weights_read(keras, &other), DCNN_BAD_INPUT, "layer 'd': weight 'kernel'",
                 "has another shape than the model needs");
    dcnn_checkpoint_free(&model);
    model = make(1, 3, false);
    dcnn_checkpoint more = make(1, 4, true);
    assert_ok(dcnn_safetensors_write(tensors, &less));
    assert_ok(dcnn_keras_weights_write(keras, &less));
    assert_fails(dcnn_safetensors_read(tensors, &more), DCNN_BAD_INPUT, "has no weight 'm", "which the model needs");
    assert_fails(dcnn_keras_weights_read(keras, &more), DCNN_BAD_INPUT, "weight 'kernel'", "w.weights.h5: layer 'm'");
    assert_ok(dcnn_safetensors_read(tensors, &model));
    assert_true(dcnn_weights_hash(model.net) == dcnn_weights_hash(less.net));
    dcnn_checkpoint_free(&model);
    dcnn_checkpoint_free(&other);
    dcnn_checkpoint_free(&less);
    dcnn_checkpoint_free(&more);
}

/* Weights of a layer that has no bias, for one that has; and, beside them, words that are none. */
static void weights_of_half_a_layer_are_refused(void **state) {
    (void)state;
    const char *path = in_scratch("half.weights.h5");
    dcnn_checkpoint bare = {.net = make_net("[{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 2]}},"
                                            " {'class_name': 'Dense', 'config': {'name': 'd', 'units': 2,"
                                            " 'use_bias': false}}]")};
    dcnn_checkpoint biased = {.net = make_net("[{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 2]}},"
                                              " {'class_name': 'Dense', 'config': {'name': 'd', 'units': 2}}]")};
    dcnn_net_initialise(bare.net, 1);
    assert_ok(dcnn_keras_weights_write(path, &bare));
    assert_fails(dcnn_keras_weights_read(path, &biased), DCNN_BAD_INPUT, "layer 'd': its weight 'bias' is missing",
                 path);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    assert_true(H5Adelete(file, "dcnn") >= 0);
    assert_ok(dcnn_h5_text_write(file, "dcnn", "{\"class_names\": "));
    H5Fclose(file);
    assert_fails(dcnn_keras_weights_read(path, &bare), DCNN_BAD_INPUT, "its attribute 'dcnn' is not valid JSON", path);
    dcnn_checkpoint_free(&bare);
    dcnn_checkpoint_free(&biased);
}

/* A checkpoint whose list of names is another one; sealed again, as a program could. */
static void put_names(const char *path, const char *where, const char *list, int count, const char *const *names) {
    size_t length;
    uint8_t *bytes = get_file(path, &length);
    put_file(path, bytes, length - 32);
    free(bytes);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), group;
    assert_true(file >= 0);
    assert_ok(dcnn_h5_group_open(file, where, &group));
    assert_ok(dcnn_h5_names_write(group, list, count, names));
    dcnn_h5_group_close(group);
    H5Fclose(file);
    bytes = get_file(path, &length);
    assert_ok(dcnn_file_write(path, bytes, length, true));
    free(bytes);
}

static void layers_that_are_named_twice_are_refused(void **state) {
    (void)state;
    const char *path = in_scratch("twice.h5");
    static const char *const right[] = {"b", "a"}, *const twice[] = {"a", "a"};
    json_t *description = parse(GRAPH("[null, 2]",
                                      LAYER("Dense", "a", "'units': 2", ON("in")) ", " LAYER(
                                          "Dense", "b", "'units': 2, 'activation': 'softmax'", ON("a")),
                                      "b"));
    dcnn_checkpoint made = {0}, read;
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &made.net));
    json_decref(description);
    dcnn_net_initialise(made.net, 1);
    const dcnn_optimizer adam = {.kind = DCNN_ADAM, .learning_rate = 1e-3};
    assert_ok(dcnn_checkpoint_write(path, &made, &adam));
    put_names(path, "model_weights", "layer_names", 2, right);
    assert_ok(dcnn_checkpoint_read(path, &read));
    assert_true(dcnn_weights_hash(read.net) == dcnn_weights_hash(made.net));
    dcnn_checkpoint_free(&read);
    put_names(path, "model_weights", "layer_names", 2, twice);
    assert_fails(dcnn_checkpoint_read(path, &read), DCNN_BAD_INPUT, "name the layer 'a' twice", path);
    dcnn_checkpoint_free(&made);
}

static void moments_of_another_optimizer_are_refused(void **state) {
    (void)state;
    const char *path = in_scratch("moments.h5");
    const dcnn_optimizer adam = {.kind = DCNN_ADAM, .learning_rate = 1e-3};
    dcnn_checkpoint made = make(1, 3, false), read;
    const size_t bytes = made.net->param_count * sizeof(float);
    made.m = calloc(1, bytes);
    made.v = calloc(1, bytes);
    assert_non_null(made.m);
    assert_non_null(made.v);
    assert_ok(dcnn_checkpoint_write(path, &made, &adam));
    char **names;
    int count;
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), group;
    assert_ok(dcnn_h5_group_open(file, "dcnn/optimizer_weights", &group));
    assert_ok(dcnn_h5_names_read(group, "weight_names", &count, &names));
    dcnn_h5_group_close(group);
    H5Fclose(file);
    assert_int_equal(count, 2 + 2 * 2);
    const char *more[7];
    for (int i = 0; i < 7; i++) more[i] = names[i < count ? i : 2];
    put_names(path, "dcnn/optimizer_weights", "weight_names", 5, more);
    assert_fails(dcnn_checkpoint_read(path, &read), DCNN_BAD_INPUT,
                 "layer 'd': the optimizer's moments of 'bias' are missing", path);
    put_names(path, "dcnn/optimizer_weights", "weight_names", 7, more);
    assert_fails(dcnn_checkpoint_read(path, &read), DCNN_BAD_INPUT, "has 7 optimizer weights, but the model needs 6",
                 path);
    put_names(path, "dcnn/optimizer_weights", "weight_names", 6, more);
    assert_ok(dcnn_checkpoint_read(path, &read));
    dcnn_checkpoint_free(&read);
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
    dcnn_checkpoint_free(&made);
}

/* A model whose first layers are those of the file, whose weights go on. */
static void weights_that_are_left_over_are_refused(void **state) {
    (void)state;
    const char *path = in_scratch("left.safetensors");
    dcnn_checkpoint whole = {.net = make_net("[{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 2]}},"
                                             " {'class_name': 'Dense', 'config': {'name': 'd', 'units': 2}},"
                                             " {'class_name': 'Dense', 'config': {'name': 'e', 'units': 3}}]")};
    dcnn_checkpoint part = {.net = make_net("[{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 2]}},"
                                            " {'class_name': 'Dense', 'config': {'name': 'd', 'units': 2}}]")};
    dcnn_net_initialise(whole.net, 1);
    assert_ok(dcnn_safetensors_write(path, &whole));
    assert_fails(dcnn_safetensors_read(path, &part), DCNN_BAD_INPUT,
                 "has 4 weights, but the model needs 2: it belongs to another model", path);
    dcnn_checkpoint_free(&whole);
    dcnn_checkpoint_free(&part);
}

/* --- zips --------------------------------------------------------------------------------------------------------- */

static void put_zip(const char *path, const char *member, const char *text) {
    int error;
    unlink(path);
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    assert_non_null(zip);
    assert_true(zip_file_add(zip, member, zip_source_buffer(zip, text, strlen(text), 0), 0) >= 0);
    assert_int_equal(zip_close(zip), 0);
}

static void zips_that_are_no_models_are_refused(void **state) {
    (void)state;
    const char *path = in_scratch("x.keras");
    dcnn_checkpoint model;
    put_zip(path, "readme.txt", "nothing");
    assert_fails(dcnn_checkpoint_read(path, &model), DCNN_BAD_INPUT, "is a zip archive, not an HDF5 file", path);
    assert_fails(dcnn_keras_read(path, &model), DCNN_BAD_INPUT,
                 "a zip without config.json: not a model that Keras saved", path);
    put_zip(path, "config.json", "{'class_name'");
    assert_fails(dcnn_checkpoint_read(path, &model), DCNN_BAD_INPUT, "its config.json is not valid JSON", path);
    put_zip(path, "config.json", "{}");
    assert_fails(dcnn_checkpoint_read(path, &model), DCNN_BAD_INPUT, "the model is of class", path);
}

/* Seventeen megabytes of JSON, of which parsing makes fifty times as many: in a zip or a gzip they are some kilobytes.
 */
static void long_descriptions_are_refused(void **state) {
    (void)state;
    enum { LONG = 17 << 20 };
    const char *path = in_scratch("long.keras"), *json = in_scratch("long.json"),
               *tensors = in_scratch("l.safetensors");
    dcnn_checkpoint model = {0};
    json_t *description;
    char *text = malloc(LONG + 9);
    assert_non_null(text);
    memset(text, ' ', LONG + 8);
    memcpy(text, (const char[]){0, 0, LONG >> 16 & 0xff, LONG >> 24, 0, 0, 0, 0}, 8);
    text[8] = '{';
    text[LONG + 7] = '}';
    text[LONG + 8] = '\0';
    put_zip(path, "config.json", text + 8);
    assert_fails(dcnn_checkpoint_read(path, &model), DCNN_BAD_INPUT, "its config.json has 17825792 bytes; at most",
                 path);
    put_file(json, text + 8, LONG);
    assert_fails(dcnn_description_read(json, &description), DCNN_BAD_INPUT, "has 17825792 bytes; at most", json);
    put_file(tensors, text, LONG + 8);
    assert_fails(dcnn_safetensors_read(tensors, &model), DCNN_BAD_INPUT, "its header is longer than 16 MiB", tensors);
    free(text);
}

/* A zip that was cut, and one of whose bytes a disk has changed. */
static void damaged_zips_are_refused(void **state) {
    (void)state;
    const char *path = in_scratch("damaged.keras");
    dcnn_checkpoint model = make(1, 3, false), read;
    size_t length;
    assert_ok(dcnn_keras_write(path, &model, NULL));
    dcnn_checkpoint_free(&model);
    uint8_t *bytes = get_file(path, &length), *config = memmem(bytes, length, "Sequential", 10);
    assert_non_null(config);
    config[0] = 's';
    put_file(path, bytes, length);
    assert_fails(dcnn_keras_read(path, &read), DCNN_BAD_INPUT, "damaged: its config.json cannot be read", path);
    put_file(path, bytes, length / 2);
    assert_fails(dcnn_keras_read(path, &read), DCNN_BAD_INPUT, "damaged: a zip that cannot be opened", path);
    free(bytes);
}

static void files_that_are_no_graphs_are_refused(void **state) {
    (void)state;
    const char *path = in_scratch("x.onnx");
    dcnn_checkpoint model;
    put_text(path, "\x08\x07"); /* a version of ONNX, and no graph */
    const dcnn_status status = dcnn_onnx_read(path, &model);
    if (status != DCNN_OK && strstr(dcnn_error(), "built without ONNX")) skip();
    assert_fails(status, DCNN_BAD_INPUT, "damaged, or not an ONNX model: it has no graph", path);
    put_text(path, "\x08\x07:\x02\x12"); /* a graph that is cut off */
    assert_fails(dcnn_onnx_read(path, &model), DCNN_BAD_INPUT, "damaged", path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_and_sums_of_sizes_are_bounded),
        cmocka_unit_test(models_of_too_many_layers_are_refused),
        cmocka_unit_test(graphs_that_do_not_fit_are_refused),
        cmocka_unit_test(layers_that_do_not_fit_are_refused),
        cmocka_unit_test(inputs_that_no_image_has_are_refused),
        cmocka_unit_test(odd_metadata_is_refused),
        cmocka_unit_test(means_of_many_channels_are_not_written),
        cmocka_unit_test(weights_of_another_model_are_refused),
        cmocka_unit_test(weights_of_half_a_layer_are_refused),
        cmocka_unit_test(layers_that_are_named_twice_are_refused),
        cmocka_unit_test(moments_of_another_optimizer_are_refused),
        cmocka_unit_test(weights_that_are_left_over_are_refused),
        cmocka_unit_test(damaged_zips_are_refused),
        cmocka_unit_test(files_that_are_no_graphs_are_refused),
        cmocka_unit_test(zips_that_are_no_models_are_refused),
        cmocka_unit_test(long_descriptions_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
