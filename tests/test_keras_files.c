/* SPDX-License-Identifier: BSD-3-Clause */
/* test_keras_files.c — a model of every kind of layer, saved by real Keras in each of its formats
 * (tools/record_keras.py): dcnn's predictions are Keras', and what dcnn writes it reads as the same. */
#include <math.h>
#include <unistd.h>

#include "expected_helpers.h"
#include "model/input.h"
#include "model/keras_archive.h"
#include "model/model_private.h"
#include "model/onnx/onnx.h"
#include "model/safetensors.h"
#include "nn/plan/plan.h"

enum { SAMPLES = 5, CLASSES = 4 };

static const char *expected_path(const char *name, char path[512]) {
    snprintf(path, 512, "%s/tests/expected/%s", DCNN_SOURCE_DIR, name);
    return path;
}

static void predict(dcnn_net *net, dcnn_isa isa, bool fuse, float *outputs) {
    char path[512];
    hid_t file;
    dcnn_plan *plan;
    const dcnn_plan_options options = {.grain = SAMPLES, .slots = 1, .workers = 1, .fuse = fuse};
    assert_ok(dcnn_plan_create(net, dcnn_kernels_of(isa), &options, &plan));
    assert_ok(dcnn_h5_open(expected_path("keras_graph_outputs.h5", path), &file, NULL));
    assert_ok(
        dcnn_h5_read(file, "inputs", DCNN_H5_FLOAT, 4, (int64_t[]){SAMPLES, 12, 10, 3}, dcnn_plan_input(plan, 0)));
    dcnn_h5_close(file);
    dcnn_plan_prepare(plan, 0);
    dcnn_plan_run(plan, 0, 0, 0, &(dcnn_grain){.n = SAMPLES});
    memcpy(outputs, dcnn_plan_output(plan, 0), SAMPLES * CLASSES * sizeof *outputs);
    dcnn_plan_free(plan);
}

static void expect_keras_outputs(dcnn_net *net) {
    char path[512];
    hid_t file;
    float outputs[SAMPLES * CLASSES];
    assert_ok(dcnn_h5_open(expected_path("keras_graph_outputs.h5", path), &file, NULL));
    double expected[SAMPLES * CLASSES];
    assert_ok(dcnn_h5_read(file, "outputs", DCNN_H5_DOUBLE, 2, (int64_t[]){SAMPLES, CLASSES}, expected));
    dcnn_h5_close(file);
    for (int isa = 0; isa <= (int)dcnn_isa_best(); isa++)
        for (int fuse = 0; fuse < 2; fuse++) {
            predict(net, (dcnn_isa)isa, fuse != 0, outputs);
            for (int i = 0; i < SAMPLES * CLASSES; i++)
                if (!(fabs((double)outputs[i] - expected[i]) <= 2e-6))
                    fail_msg("%s: output %d is %.9g, Keras has %.9g", dcnn_isa_name((dcnn_isa)isa), i,
                             (double)outputs[i], expected[i]);
        }
}

/* An adapted Normalization in a legacy .h5: its count is a whole number. Keras' prediction of 0, 1, … 26. */
static void adapted_layers_are_read(void **state) {
    (void)state;
    static const float expected[2] = {0.45261833f, 0.54738164f};
    char path[512];
    dcnn_checkpoint model;
    dcnn_plan *plan;
    const dcnn_plan_options options = {.grain = 1, .slots = 1, .workers = 1};
    assert_ok(dcnn_checkpoint_read(expected_path("keras_adapted.h5", path), &model));
    assert_ok(dcnn_plan_create(model.net, dcnn_kernels_of(dcnn_isa_best()), &options, &plan));
    for (int i = 0; i < 27; i++) dcnn_plan_input(plan, 0)[i] = (float)i;
    dcnn_plan_prepare(plan, 0);
    dcnn_plan_run(plan, 0, 0, 0, &(dcnn_grain){.n = 1});
    for (int i = 0; i < 2; i++) assert_true(fabsf(dcnn_plan_output(plan, 0)[i] - expected[i]) < 2e-6f);
    dcnn_plan_free(plan);
    dcnn_checkpoint_free(&model);
}

static void whole_models_predict_as_keras_does(void **state) {
    (void)state;
    static const char *const names[] = {"keras_graph.keras", "keras_graph.h5"};
    for (int i = 0; i < 2; i++) {
        char path[512];
        dcnn_checkpoint model;
        assert_ok(dcnn_checkpoint_read(expected_path(names[i], path), &model));
        assert_non_null(strstr(model.compiled, "sparse_categorical_crossentropy"));
        expect_keras_outputs(model.net);
        dcnn_checkpoint_free(&model);
    }
}

static void weights_alone_fill_a_description(void **state) {
    (void)state;
    char path[512];
    json_t *description;
    dcnn_checkpoint model = {0};
    assert_ok(dcnn_description_read(expected_path("keras_graph.json", path), &description));
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &model.net));
    json_decref(description);
    assert_ok(dcnn_keras_weights_read(expected_path("keras_graph.weights.h5", path), &model));
    assert_true(model.class_names == NULL && !model.normalised); /* Keras says nothing of them */
    expect_keras_outputs(model.net);
    dcnn_checkpoint_free(&model);
}

/* Beside the weights there are class names and which images they want. */
static void weights_alone_keep_what_is_known(void **state) {
    (void)state;
    static const char *const names[CLASSES] = {"bee", "wasp", "fly \xc3\xa4", "moth"};
    char path[512], written[64];
    dcnn_checkpoint model, again = {0};
    json_t *description;
    assert_ok(dcnn_checkpoint_read(expected_path("keras_graph.keras", path), &model));
    model.normalised = model.blue_first = true;
    for (int c = 0; c < 3; c++) model.std[c] = 1.0 / 255.0;
    model.class_names = calloc(CLASSES, sizeof *model.class_names);
    for (int i = 0; i < CLASSES; i++) model.class_names[i] = strdup(names[i]);
    snprintf(written, sizeof written, "/tmp/dcnn-keras-%d.weights.h5", (int)getpid());
    assert_ok(dcnn_keras_weights_write(written, &model));
    description = dcnn_net_describe(model.net);
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &again.net));
    json_decref(description);
    again.class_count = again.net->class_count;
    assert_ok(dcnn_keras_weights_read(written, &again));
    assert_true(dcnn_weights_hash(again.net) == dcnn_weights_hash(model.net));
    assert_true(again.normalised && again.std[2] == 1.0 / 255.0 && again.blue_first);
    for (int i = 0; i < CLASSES; i++) assert_string_equal(again.class_names[i], names[i]);
    unlink(written);
    dcnn_checkpoint_free(&again);
    dcnn_checkpoint_free(&model);
}

/* Nested models are written flat: the layers are the same, and so are their weights and the predictions. */
static void what_is_written_is_read_again(void **state) {
    (void)state;
    static const char *const endings[] = {"keras", "h5"};
    char path[512], written[64];
    dcnn_checkpoint model, again;
    const dcnn_optimizer adam = {.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
    assert_ok(dcnn_checkpoint_read(expected_path("keras_graph.keras", path), &model));
    model.normalised = true;
    model.blue_first = true;
    for (int c = 0; c < 3; c++) model.std[c] = 1.0 / 255.0;
    for (int i = 0; i < 2; i++) {
        snprintf(written, sizeof written, "/tmp/dcnn-keras-%d.%s", (int)getpid(), endings[i]);
        if (i == 0)
            assert_ok(dcnn_keras_write(written, &model, &adam));
        else
            assert_ok(dcnn_checkpoint_write(written, &model, &adam));
        assert_ok(dcnn_checkpoint_read(written, &again));
        assert_true(dcnn_weights_hash(again.net) == dcnn_weights_hash(model.net));
        assert_true(again.normalised && again.std[2] == 1.0 / 255.0 && again.blue_first);
        expect_keras_outputs(again.net);
        dcnn_checkpoint_free(&again);
        unlink(written);
    }
    dcnn_checkpoint_free(&model);
}

/* A model that ends in no activation is taken for a softmax's logits, unless its file says what its loss was: after
 * every export, and after an export of that. What dcnn does not have it still names. */
static void what_outputs_mean_is_kept(void **state) {
    (void)state;
    static const char *const endings[] = {"keras", "h5", "onnx"};
    static const struct {
        const char *name;
        double smoothing, delta;
        dcnn_loss_kind kind;
        const char *unknown;
        int classes;
    } cases[] = {
        {"mse", 0.0, 0.0, DCNN_LOSS_SQUARED, "", 0},
        {"Huber", 0.0, 0.25, DCNN_LOSS_HUBER, "", 0},
        {"mean_absolute_error", 0.0, 0.0, DCNN_LOSS_ABSOLUTE, "", 0},
        {"BinaryCrossentropy", 0.125, 0.0, DCNN_LOSS_BINARY, "", 3},
        {"categorical_crossentropy", 0.0, 0.0, DCNN_LOSS_CATEGORICAL, "", 3},
        {"LogCosh", 0.0, 0.0, DCNN_LOSS_SQUARED, "LogCosh", 0},
        {"mape", 0.0, 0.0, DCNN_LOSS_SQUARED, "mape", 0},
        {"BinaryFocalCrossentropy", 0.0, 0.0, DCNN_LOSS_BINARY, "BinaryFocalCrossentropy", 3},
        {"my_loss", 0.0, 0.0, DCNN_LOSS_CATEGORICAL, "my_loss", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int ending = 0; ending < 3; ending++) {
            json_t *description = json_pack("{s:s, s:{s:s, s:[{s:s, s:{s:[n,i,i,i]}}, {s:s, s:{}}, {s:s, s:{s:i}}]}}",
                                            "class_name", "Sequential", "config", "name", "net", "layers", "class_name",
                                            "InputLayer", "config", "batch_shape", 4, 4, 1, "class_name", "Flatten",
                                            "config", "class_name", "Dense", "config", "units", 3);
            json_t *compiled = json_pack("{s:{s:s, s:{s:f, s:f}}}", "loss", "class_name", cases[i].name, "config",
                                         "label_smoothing", cases[i].smoothing, "delta", cases[i].delta);
            dcnn_checkpoint model = {0}, again;
            char written[64];
            assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &model.net));
            assert_ok(dcnn_compile_state_take(compiled, &model));
            snprintf(written, sizeof written, "/tmp/dcnn-keras-%d.%s", (int)getpid(), endings[ending]);
            for (int turn = 0; turn < 2; turn++) {
                assert_ok(ending == 0   ? dcnn_keras_write(written, &model, NULL)
                          : ending == 1 ? dcnn_checkpoint_write(written, &model, NULL)
                                        : dcnn_onnx_write(written, &model, false));
                assert_ok(dcnn_checkpoint_read(written, &again));
                assert_int_equal(again.net->loss.kind, cases[i].kind);
                assert_true(again.net->loss.smoothing == cases[i].smoothing);
                assert_true(again.net->loss.delta == cases[i].delta);
                assert_string_equal(again.unknown_loss, cases[i].unknown);
                assert_int_equal(again.net->class_count, cases[i].classes);
                assert_int_equal(again.class_count, cases[i].classes);
                assert_true((again.net->untrainable[0] != '\0') == (cases[i].unknown[0] != '\0'));
                dcnn_checkpoint_free(&model);
                model = again;
            }
            unlink(written);
            dcnn_checkpoint_free(&model);
            json_decref(compiled);
            json_decref(description);
        }
}

/* In each format that a model is exported to. */
static void model_that_must_be_new_replaces_none(void **state) {
    (void)state;
    char path[512], written[64], text[16] = "";
    dcnn_checkpoint model;
    snprintf(written, sizeof written, "/tmp/dcnn-keras-new-%d", (int)getpid());
    assert_ok(dcnn_checkpoint_read(expected_path("keras_graph.keras", path), &model));
    model.only_new = true;
    for (int format = 0; format < 5; format++) {
        for (int there = 0; there < 2; there++) {
            if (there) assert_ok(dcnn_file_write(written, "early", 5, false));
            const dcnn_status status = format == 0   ? dcnn_keras_write(written, &model, NULL)
                                       : format == 1 ? dcnn_checkpoint_write(written, &model, NULL)
                                       : format == 2 ? dcnn_keras_weights_write(written, &model)
                                       : format == 3 ? dcnn_safetensors_write(written, &model)
                                                     : dcnn_onnx_write(written, &model, false);
            assert_int_equal(status, there ? DCNN_USAGE : DCNN_OK);
            if (there) assert_non_null(strstr(dcnn_error(), "already exists"));
        }
        FILE *file = fopen(written, "r");
        assert_non_null(file);
        assert_non_null(fgets(text, sizeof text, file));
        assert_string_equal(text, "early");
        fclose(file);
        unlink(written);
    }
    dcnn_checkpoint_free(&model);
}

/* Opens the weights inside a .keras, which lie there uncompressed. */
static hid_t open_weights(const char *path, uint8_t **bytes) {
    static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    FILE *stream = fopen(path, "rb");
    hid_t file = -1;
    assert_non_null(stream);
    *bytes = malloc(1 << 20);
    const size_t length = fread(*bytes, 1, 1 << 20, stream);
    fclose(stream);
    for (size_t at = 0; at + sizeof signature < length && file < 0; at++)
        if (memcmp(*bytes + at, signature, sizeof signature) == 0)
            assert_ok(dcnn_h5_open_image("weights", *bytes + at, length - at, &file));
    assert_true(file >= 0);
    return file;
}

/* optimizer.variables of Keras 3.15 behind iteration and learning rate, of a net of a Conv2D and a Dense layer: each
 * weight (K, B, k, b) with its moment (m or v as dcnn has them), and Nadam's product P. */
static void moments_lie_where_keras_has_them(void **state) {
    (void)state;
    static const struct {
        dcnn_optimizer_kind kind;
        double momentum;
        const char *order;
    } cases[] = {
        {DCNN_RMSPROP, 0.0, "Km Bm km bm"},
        {DCNN_RMSPROP, 0.5, "Km Bm km bm Kv Bv kv bv"},
        {DCNN_SGD, 0.0, ""},
        {DCNN_SGD, 0.9, "Km Bm km bm"},
        {DCNN_ADAM, 0.0, "Km Kv Bm Bv km kv bm bv"},
        {DCNN_ADAMW, 0.0, "Km Kv Bm Bv km kv bm bv"},
        {DCNN_NADAM, 0.0, "Km Kv Bm Bv km kv bm bv P"},
        {DCNN_LION, 0.0, "Km Bm km bm"},
    };
    json_t *description = json_pack(
        "{s:s, s:{s:s, s:[{s:s, s:{s:[n,i,i,i]}}, {s:s, s:{s:i, s:i}}, {s:s, s:{}}, {s:s, s:{s:i, s:s}}]}}",
        "class_name", "Sequential", "config", "name", "net", "layers", "class_name", "InputLayer", "config",
        "batch_shape", 4, 4, 1, "class_name", "Conv2D", "config", "filters", 2, "kernel_size", 3, "class_name",
        "Flatten", "config", "class_name", "Dense", "config", "units", 3, "activation", "softmax");
    dcnn_checkpoint model = {.progress.step = 2};
    char written[64], place[64];
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &model.net));
    json_decref(description);
    assert_ok(dcnn_block_create(model.net->param_count * sizeof(float), "m", (void **)&model.m));
    assert_ok(dcnn_block_create(model.net->param_count * sizeof(float), "v", (void **)&model.v));
    const dcnn_param *params[4] = {&model.net->nodes[1].params[0], &model.net->nodes[1].params[1],
                                   &model.net->nodes[3].params[0], &model.net->nodes[3].params[1]};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < (size_t)params[i]->count; j++) {
            model.m[params[i]->offset + j] = (float)(10 * i);
            model.v[params[i]->offset + j] = (float)(10 * i + 1);
        }
    snprintf(written, sizeof written, "/tmp/dcnn-keras-%d.keras", (int)getpid());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const dcnn_optimizer optimizer = {
            .kind = cases[i].kind, .learning_rate = 1e-3, .beta1 = 0.9, .momentum = cases[i].momentum};
        uint8_t *bytes;
        int number = 2;
        assert_ok(dcnn_keras_write(written, &model, &optimizer));
        const hid_t file = open_weights(written, &bytes);
        for (const char *at = cases[i].order; *at; at += at[1] == '\0' ? 1 : at[2] == '\0' ? 2 : 3) {
            float values[64];
            int64_t shape[4];
            snprintf(place, sizeof place, "optimizer/vars/%d", number++);
            if (*at == 'P') { /* 0.9 (1 - 0.5 0.96) 0.9 (1 - 0.5 0.96^2) */
                assert_ok(dcnn_h5_read(file, place, DCNN_H5_FLOAT, 0, NULL, values));
                assert_true(fabs((double)values[0] - 0.468 * 0.48528) < 1e-7);
                continue;
            }
            const size_t weight = (size_t)(strchr("KBkb", *at) - "KBkb");
            for (int k = 0; k < params[weight]->rank; k++) shape[k] = params[weight]->dims[k];
            assert_ok(dcnn_h5_read(file, place, DCNN_H5_FLOAT, params[weight]->rank, shape, values));
            assert_true(values[0] == (float)(10 * weight + (at[1] == 'v')));
        }
        snprintf(place, sizeof place, "optimizer/vars/%d", number);
        assert_false(dcnn_h5_has(file, place));
        dcnn_h5_close(file);
        free(bytes);
    }
    unlink(written);
    dcnn_checkpoint_free(&model);
}

/* As preprocess_input() of the family that a network's name tells. */
static void expect_keras_inputs(const char *name, const uint8_t *images, hid_t file) {
    float expected[2 * 9 * 3], inputs[2 * 9 * 3], scale[3], shift[3];
    dcnn_input input;
    json_t *description = json_pack("{s:s, s:{s:s, s:[{s:s, s:{s:[n,i,i,i]}}, {s:s, s:{}}, {s:s, s:{s:i, s:s}}]}}",
                                    "class_name", "Sequential", "config", "name", name, "layers", "class_name",
                                    "InputLayer", "config", "batch_shape", 3, 3, 3, "class_name", "Flatten", "config",
                                    "class_name", "Dense", "config", "units", 2, "activation", "softmax");
    dcnn_checkpoint model = {0};
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &model.net));
    json_decref(description);
    assert_ok(dcnn_input_choose(&model, NULL, NULL, NULL, &input));
    dcnn_net_free(model.net);
    dcnn_input_scale(3, input.mean, input.std, scale, shift);
    for (int i = 0; i < 2 * 9 * 3; i++) inputs[i] = (float)images[i] * scale[i % 3] + shift[i % 3];
    if (input.blue_first) dcnn_input_turn(2 * 9, inputs);
    assert_ok(dcnn_h5_read(file, name, DCNN_H5_FLOAT, 4, (int64_t[]){2, 3, 3, 3}, expected));
    for (int i = 0; i < 2 * 9 * 3; i++)
        if (!(fabs((double)inputs[i] - (double)expected[i]) <= 1e-6 * (1 + fabs((double)expected[i]))))
            fail_msg("%s: value %d is %.9g, Keras has %.9g", name, i, (double)inputs[i], (double)expected[i]);
}

/* A legacy file may have any number where Keras keeps a whole one. */
static void counts_that_are_none_are_refused(void **state) {
    (void)state;
    const float wrong[] = {1e30f, -1.0f, (float)NAN};
    char path[512], out[64];
    dcnn_checkpoint model;
    snprintf(out, sizeof out, "/tmp/dcnn-count-%d.keras", (int)getpid());
    assert_ok(dcnn_checkpoint_read(expected_path("keras_adapted.h5", path), &model));
    const dcnn_param *count = NULL;
    for (int i = 0; i < model.net->node_count; i++)
        for (int j = 0; j < model.net->nodes[i].param_count; j++)
            if (strcmp(model.net->nodes[i].params[j].name, "count") == 0) count = &model.net->nodes[i].params[j];
    assert_non_null(count);
    for (int i = 0; i < 3; i++) {
        *dcnn_net_values(model.net, count) = wrong[i];
        assert_int_equal(dcnn_keras_write(out, &model, NULL), DCNN_BAD_INPUT);
        if (!strstr(dcnn_error(), "counts nothing") || !strstr(dcnn_error(), out)) fail_msg("%s", dcnn_error());
    }
    assert_int_not_equal(access(out, F_OK), 0);
    dcnn_checkpoint_free(&model);
}

static void images_become_what_each_family_wants(void **state) {
    (void)state;
    static const char *const names[] = {
        "vgg16",       "vgg19",       "resnet50",     "resnet101",           "resnet152",
        "resnet50v2",  "resnet101v2", "resnet152v2",  "mobilenet_1.00_224",  "mobilenetv2_1.00_224",
        "densenet121", "xception",    "inception_v3", "inception_resnet_v2", "nasnet_mobile"};
    char path[512];
    uint8_t images[2 * 9 * 3];
    hid_t file;
    assert_ok(dcnn_h5_open(expected_path("keras_inputs.h5", path), &file, NULL));
    assert_ok(dcnn_h5_read(file, "images", DCNN_H5_UINT8, 4, (int64_t[]){2, 3, 3, 3}, images));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) expect_keras_inputs(names[i], images, file);
    dcnn_h5_close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adapted_layers_are_read),
        cmocka_unit_test(whole_models_predict_as_keras_does),
        cmocka_unit_test(weights_alone_fill_a_description),
        cmocka_unit_test(weights_alone_keep_what_is_known),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(model_that_must_be_new_replaces_none),
        cmocka_unit_test(images_become_what_each_family_wants),
        cmocka_unit_test(moments_lie_where_keras_has_them),
        cmocka_unit_test(what_outputs_mean_is_kept),
        cmocka_unit_test(counts_that_are_none_are_refused),
    };
    return cmocka_run_group_tests_name("files of Keras", tests, NULL, NULL);
}
