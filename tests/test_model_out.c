/* SPDX-License-Identifier: BSD-3-Clause */
/* test_model_out.c — what leaves for other programs and comes back: safetensors; a model of bytes. The model is the
 * recorded one of every layer (tools/record_keras.py). */
#include <math.h>
#include <unistd.h>

#include "expected_helpers.h"
#include "io/file.h"
#include "model/input.h"
#include "model/keras_archive.h"
#include "nn/net_edit.h"
#include "model/safetensors.h"
#include "nn/layer.h"
#include "nn/plan/plan.h"

static const char *const names[4] = {"cat", "dog", "\xc3\xa4pfel", "d \"q\""};

static void read_graph(dcnn_checkpoint *model) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/expected/keras_graph.keras", DCNN_SOURCE_DIR);
    assert_ok(dcnn_checkpoint_read(path, model));
    model->normalised = true;
    for (int c = 0; c < 3; c++) {
        model->mean[c] = 0.1 * (c + 1);
        model->std[c] = 0.2 + 0.1 * c;
    }
    model->class_names = calloc(4, sizeof *model->class_names);
    for (int i = 0; i < 4; i++) model->class_names[i] = strdup(names[i]);
}

static const char *scratch(char path[64]) {
    snprintf(path, 64, "/tmp/dcnn-out-%d.safetensors", (int)getpid());
    return path;
}

static void safetensors_come_back(void **state) {
    (void)state;
    dcnn_checkpoint model, again;
    char path[64];
    read_graph(&model);
    assert_ok(dcnn_safetensors_write(scratch(path), &model));
    const uint64_t hash = dcnn_weights_hash(model.net);
    read_graph(&again);
    for (int i = 0; i < 4; i++) free(again.class_names[i]);
    free(again.class_names);
    again.class_names = NULL;
    again.normalised = false;
    memset(again.net->params, 0, again.net->param_count * sizeof(float));
    memset(again.net->state, 0, again.net->state_count * sizeof(float));
    assert_true(dcnn_weights_hash(again.net) != hash);
    assert_ok(dcnn_safetensors_read(path, &again));
    assert_true(dcnn_weights_hash(again.net) == hash);
    for (int i = 0; i < 4; i++) assert_string_equal(again.class_names[i], names[i]);
    dcnn_checkpoint_free(&again);
    dcnn_checkpoint_free(&model);
    unlink(path);
}

/* A header and some bytes as a file. */
static void expect_refused(const char *header, uint64_t said, size_t bytes, const char *word) {
    uint8_t image[1024] = {0};
    dcnn_checkpoint model;
    char path[64];
    memcpy(image, &said, sizeof said);
    memcpy(image + 8, header, strlen(header));
    assert_ok(dcnn_file_write(scratch(path), image, 8 + strlen(header) + bytes, false));
    read_graph(&model);
    assert_int_equal(dcnn_safetensors_read(path, &model), DCNN_BAD_INPUT);
    if (strstr(dcnn_error(), word) == NULL) fail_msg("%s: %s", header, dcnn_error());
    dcnn_checkpoint_free(&model);
    unlink(path);
}

static void damaged_safetensors_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{\"conv2d/kernel\":{\"dtype\":\"F32\",\"shape\":[3,3,3,8],\"data_offsets\":[0,99]}}",
        "{\"conv2d/kernel\":{\"dtype\":\"F32\",\"shape\":[3,3,3,8],\"data_offsets\":[-4,860]}}",
        "{\"conv2d/kernel\":{\"dtype\":\"F32\",\"shape\":[3,3,3,8],\"data_offsets\":[9223372036854774944,"
        "9223372036854775807]}}",
        "{\"conv2d/kernel\":{\"dtype\":\"F32\",\"shape\":[3,3,3,8]}}"};
    for (int i = 0; i < 4; i++) expect_refused(bad[i], strlen(bad[i]), 99, "damaged");
    expect_refused("{}", 2, 0, "has no weight");
    expect_refused("[]", 2, 0, "not a JSON object");
    expect_refused("{}", UINT64_MAX, 0, "damaged");
    expect_refused("{}", 3, 0, "damaged");
    expect_refused("{\"conv2d/kernel\":{\"dtype\":\"I8\"}}", 32, 0, "of type I8");
}

static void cut_safetensors_are_refused(void **state) {
    (void)state;
    dcnn_checkpoint model;
    uint8_t *bytes;
    size_t length;
    char path[64];
    read_graph(&model);
    assert_ok(dcnn_safetensors_write(scratch(path), &model));
    dcnn_checkpoint_free(&model);
    assert_ok(dcnn_file_read(path, &bytes, &length));
    for (size_t cut = 1; cut < length; cut += 997) {
        assert_ok(dcnn_file_write(path, bytes, cut, false));
        read_graph(&model);
        assert_int_equal(dcnn_safetensors_read(path, &model), DCNN_BAD_INPUT);
        dcnn_checkpoint_free(&model);
    }
    uint8_t *longer = calloc(length + 3, 1); /* bytes that went in somewhere: all behind them would be shifted */
    memcpy(longer, bytes, length);
    assert_ok(dcnn_file_write(path, longer, length + 3, false));
    read_graph(&model);
    assert_int_equal(dcnn_safetensors_read(path, &model), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "bytes of weights, but its header tells of"));
    dcnn_checkpoint_free(&model);
    free(longer);
    free(bytes);
    unlink(path);
}

/* Mean and std of another number of channels than the model's, or one without the other, are not left out silently. */
static void expect_odd_metadata(const char *from, const char *to, const char *word) {
    dcnn_checkpoint model;
    uint8_t *bytes;
    size_t length;
    char path[64];
    read_graph(&model);
    assert_ok(dcnn_safetensors_write(scratch(path), &model));
    assert_ok(dcnn_file_read(path, &bytes, &length));
    uint8_t *at = memmem(bytes, length, from, strlen(from));
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
    assert_ok(dcnn_file_write(path, bytes, length, false));
    for (int i = 0; i < 4; i++) free(model.class_names[i]);
    free(model.class_names);
    model.class_names = NULL;
    assert_int_equal(dcnn_safetensors_read(path, &model), DCNN_BAD_INPUT);
    if (strstr(dcnn_error(), word) == NULL) fail_msg("%s: %s", to, dcnn_error());
    dcnn_checkpoint_free(&model);
    free(bytes);
    unlink(path);
}

static void odd_metadata_are_refused(void **state) {
    (void)state;
    expect_odd_metadata("\"mean\":\"[0.10000000000000001,", "\"mean\":\"[                    ",
                        "mean and std of 2 and 3 channels, its model takes");
    expect_odd_metadata("\"std\":", "\"sta\":", "mean and std of 3 and 0 channels");
    expect_odd_metadata("\"mean\":", "\"meen\":", "mean and std of 0 and 3 channels");
    expect_odd_metadata("\"mean\":\"[0.1", "\"mean\":\"x0.1", "'mean' of its __metadata__ is not a list");
}

/* --- a model of bytes --------------------------------------------------------------------------------------------- */

static void predict(const dcnn_net *net, const float *images, size_t count, float outputs[4]) {
    dcnn_plan *plan;
    const dcnn_plan_options options = {.grain = 1, .slots = 1, .workers = 1};
    assert_ok(dcnn_plan_create((dcnn_net *)(uintptr_t)net, dcnn_kernels_of(DCNN_ISA_REFERENCE), &options, &plan));
    memcpy(dcnn_plan_input(plan, 0), images, count * sizeof *images);
    dcnn_plan_prepare(plan, 0);
    dcnn_plan_run(plan, 0, 0, 0, &(dcnn_grain){.n = 1});
    memcpy(outputs, dcnn_plan_output(plan, 0), 4 * sizeof *outputs);
    dcnn_plan_free(plan);
}

static const char chain[] =
    "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":"
    "[null,4,3,2]}},{\"class_name\":\"Flatten\",\"config\":{}},{\"class_name\":\"Dense\",\"config\":{\"units\":4,"
    "\"activation\":\"softmax\"}}]}}",
                  branches[] = "{\"class_name\":\"Functional\",\"config\":{\"layers\":["
                               "{\"class_name\":\"InputLayer\",\"name\":\"a\",\"config\":{\"name\":\"a\","
                               "\"batch_shape\":[null,4,3,2]},\"inbound_nodes\":[]},"
                               "{\"class_name\":\"Add\",\"name\":\"b\",\"config\":{\"name\":\"b\"},\"inbound_nodes\":"
                               "[[[\"a\",0,0,{}],[\"a\",0,0,{}]]]},"
                               "{\"class_name\":\"Flatten\",\"name\":\"c\",\"config\":{\"name\":\"c\"},"
                               "\"inbound_nodes\":[[[\"b\",0,0,{}]]]},"
                               "{\"class_name\":\"Dense\",\"name\":\"d\",\"config\":{\"name\":\"d\",\"units\":4,"
                               "\"activation\":\"softmax\"},\"inbound_nodes\":[[[\"c\",0,0,{}]]]}],"
                               "\"input_layers\":[[\"a\",0,0]],\"output_layers\":[[\"d\",0,0]]}}";

static void bytes_are_standardised_in_front(void **state) {
    (void)state;
    const char *const descriptions[] = {chain, branches};
    for (int k = 0; k < 2; k++) {
        dcnn_checkpoint model = {.normalised = true, .mean = {0.1, 0.4}, .std = {0.3, 0.2}};
        json_t *description = json_loads(descriptions[k], 0, NULL);
        float bytes[24], floats[24], expected[4], got[4];
        assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &model.net));
        json_decref(description);
        dcnn_net_initialise(model.net, 3);
        for (int i = 0; i < 24; i++) {
            bytes[i] = (float)(i * 11);
            floats[i] = (float)(((double)bytes[i] / 255.0 - model.mean[i % 2]) / model.std[i % 2]);
        }
        predict(model.net, floats, 24, expected);
        const uint64_t hash = dcnn_weights_hash(model.net);
        assert_ok(dcnn_input_take_bytes(&model));
        assert_true(dcnn_net_takes_bytes(model.net) && !model.normalised && dcnn_weights_hash(model.net) == hash);
        predict(model.net, bytes, 24, got);
        for (int i = 0; i < 4; i++) assert_true(fabsf(got[i] - expected[i]) < 1e-5f);
        dcnn_checkpoint_free(&model);
    }
}

/* Where images have no axis of channels, a Normalization in front would take the width for one. */
static void bytes_without_channels_are_rescaled(void **state) {
    (void)state;
    const char *const descriptions[] = {
        "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"plain\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,3,4]}},"
        "{\"class_name\":\"Flatten\",\"config\":{}},"
        "{\"class_name\":\"Dense\",\"config\":{\"units\":4,\"activation\":\"softmax\"}}]}}",
        "{\"class_name\":\"Functional\",\"config\":{\"name\":\"plain\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"name\":\"a\",\"config\":{\"name\":\"a\",\"batch_shape\":[null,3,4]},"
        "\"inbound_nodes\":[]},"
        "{\"class_name\":\"Flatten\",\"name\":\"b\",\"config\":{\"name\":\"b\"},\"inbound_nodes\":[[[\"a\",0,0,{}]]]},"
        "{\"class_name\":\"Dense\",\"name\":\"c\",\"config\":{\"name\":\"c\",\"units\":4,\"activation\":\"softmax\"},"
        "\"inbound_nodes\":[[[\"b\",0,0,{}]]]}],\"input_layers\":[[\"a\",0,0]],\"output_layers\":[[\"c\",0,0]]}}"};
    for (int k = 0; k < 2; k++) {
        dcnn_checkpoint model = {.normalised = true, .mean = {0.1}, .std = {0.3}};
        json_t *description = json_loads(descriptions[k], 0, NULL);
        float bytes[12], floats[12], expected[4], got[4];
        assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &model.net));
        json_decref(description);
        dcnn_net_initialise(model.net, 3);
        for (int i = 0; i < 12; i++) {
            bytes[i] = (float)(i * 21);
            floats[i] = (float)(((double)bytes[i] / 255.0 - model.mean[0]) / model.std[0]);
        }
        predict(model.net, floats, 12, expected);
        assert_ok(dcnn_input_take_bytes(&model));
        assert_true(dcnn_net_takes_bytes(model.net) && model.net->plain_input);
        assert_true(model.net->nodes[1].layer == &dcnn_layer_rescaling);
        predict(model.net, bytes, 12, got);
        for (int i = 0; i < 4; i++) assert_true(fabsf(got[i] - expected[i]) < 1e-5f);
        dcnn_checkpoint_free(&model);
    }
}

/* A network of such a name; or one that has it as its base, behind augmentation, as Keras' guide builds it. */
static json_t *describe_named(const char *name, bool as_base) {
    json_t *layers =
        json_pack("[{s:s, s:{s:[n,i,i,i]}}]", "class_name", "InputLayer", "config", "batch_shape", 2, 2, 3);
    json_t *flat = json_pack("[{s:s, s:{}}]", "class_name", "Flatten", "config");
    json_t *head =
        json_pack("[{s:s, s:{s:i, s:s}}]", "class_name", "Dense", "config", "units", 4, "activation", "softmax");
    if (as_base) {
        json_array_append_new(layers, json_pack("{s:s, s:{s:s, s:[{s:s, s:{}}]}}", "class_name", "Sequential", "config",
                                                "name", "changes", "layers", "class_name", "RandomFlip", "config"));
        json_array_append_new(layers, json_pack("{s:s, s:{s:s, s:O}}", "class_name", "Sequential", "config", "name",
                                                name, "layers", flat));
    } else {
        json_array_extend(layers, flat);
    }
    json_array_extend(layers, head);
    json_decref(flat);
    json_decref(head);
    return json_pack("{s:s, s:{s:s, s:o}}", "class_name", "Sequential", "config", "name", as_base ? "mine" : name,
                     "layers", layers);
}

/* keras.applications' preprocess_input() of 100, by network; (byte / 255 - mean) / std. */
static void names_of_keras_applications_say_their_input(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double input[3]; /* 0: the data set's */
    } cases[] = {
        {"mobilenetv2_1.00_96", {100 / 127.5 - 1, 100 / 127.5 - 1, 100 / 127.5 - 1}},
        {"resnet50v2", {100 / 127.5 - 1, 100 / 127.5 - 1, 100 / 127.5 - 1}},
        {"densenet121", {(100 / 255.0 - 0.485) / 0.229, (100 / 255.0 - 0.456) / 0.224, (100 / 255.0 - 0.406) / 0.225}},
        {"resnet50", {100 - 123.68, 100 - 116.779, 100 - 103.939}},
        {"resnet5", {0}},
    };
    static const double mean[3] = {0.1, 0.2, 0.3}, std[3] = {0.4, 0.5, 0.6};
    enum { CASES = sizeof cases / sizeof *cases };
    for (size_t k = 0; k < 2 * CASES; k++) {
        const double *wanted = cases[k % CASES].input;
        const dcnn_net_edit edit = {.head_units = 5};
        dcnn_checkpoint model = {0};
        dcnn_input input;
        json_t *description = describe_named(cases[k % CASES].name, k >= CASES);
        assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &model.net));
        json_decref(description);
        assert_ok(dcnn_net_edit_apply(&edit, &model.net)); /* a new head changes nothing of it */
        assert_ok(dcnn_input_choose(&model, NULL, mean, std, &input));
        for (int c = 0; c < 3; c++) {
            const double of_data = (100 / 255.0 - mean[c]) / std[c];
            const double expected = wanted[0] != 0.0 ? wanted[c] : of_data;
            assert_true(fabs((100 / 255.0 - input.mean[c]) / input.std[c] - expected) < 1e-12);
        }
        const bool is_resnet = k % CASES == 3;
        assert_true(input.blue_first == is_resnet);
        /* another mean leaves the order of channels as it is, unless that is given, too */
        const dcnn_input_given scale = {.scale = 1.0}, order = {.scale = 1.0, .order = "rgb"};
        assert_ok(dcnn_input_choose(&model, &scale, mean, std, &input));
        assert_true(input.blue_first == is_resnet && (strstr(input.told, "blue, green, red") != NULL) == is_resnet);
        assert_ok(dcnn_input_choose(&model, &order, mean, std, &input));
        assert_false(input.blue_first);
        dcnn_checkpoint_free(&model);
    }
}

/* Weights of a layer beyond those that its description gives it. */
static void weights_beyond_the_description_are_named(void **state) {
    (void)state;
    char path[64];
    static const char layers[] =
        "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"InputLayer\","
        "\"config\":{\"batch_shape\":[null,4]}},{\"class_name\":\"Dense\",\"config\":{\"name\":"
        "\"odd\",\"units\":3,\"use_bias\":%s,\"activation\":\"softmax\"}}]}}";
    dcnn_checkpoint made[2] = {{0}, {0}};
    for (int i = 0; i < 2; i++) {
        char text[400];
        snprintf(text, sizeof text, layers, i ? "false" : "true");
        json_t *description = json_loads(text, 0, NULL);
        assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &made[i].net));
        json_decref(description);
    }
    assert_ok(dcnn_keras_weights_write(scratch(path), &made[0]));
    assert_ok(dcnn_keras_weights_read(path, &made[0]));
    assert_int_equal(dcnn_keras_weights_read(path, &made[1]), DCNN_BAD_INPUT);
    if (!strstr(dcnn_error(), "'odd'") || !strstr(dcnn_error(), "use_bias")) fail_msg("%s", dcnn_error());
    for (int i = 0; i < 2; i++) dcnn_checkpoint_free(&made[i]);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_come_back),
        cmocka_unit_test(weights_beyond_the_description_are_named),
        cmocka_unit_test(damaged_safetensors_are_refused),
        cmocka_unit_test(cut_safetensors_are_refused),
        cmocka_unit_test(odd_metadata_are_refused),
        cmocka_unit_test(bytes_are_standardised_in_front),
        cmocka_unit_test(bytes_without_channels_are_rescaled),
        cmocka_unit_test(names_of_keras_applications_say_their_input),
    };
    return cmocka_run_group_tests_name("models for other programs", tests, NULL, NULL);
}
