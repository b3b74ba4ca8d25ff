/* SPDX-License-Identifier: BSD-3-Clause */
/* test_refused_models.c — files of models that are whole, but of another model, or hold what no model has. */
#include "model_helpers.h"

#include <zip.h>

#include "model/input.h"
#include "model/keras_archive.h"
#include "model/model_private.h"
#include "model/onnx/onnx.h"
#include "model/safetensors.h"
#include "test_refused_nets.h"

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
        cmocka_unit_test(images_of_another_shape_are_refused),
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
