/* SPDX-License-Identifier: BSD-3-Clause */
/* test_onnx.c — networks that PyTorch exported (tools/record_onnx.py): dcnn's predictions are PyTorch's. What dcnn
 * writes it reads as the same: every layer. Damaged files are refused. */
#include <math.h>
#include <unistd.h>

#include "expected_helpers.h"
#include "io/file.h"
#include "model/onnx/onnx.h"
#include "model/onnx/write.h"
#include "nn/layer.h"
#include "nn/plan/plan.h"
#include <onnx.pb-c.h>

enum { MOST_OUTPUTS = 32 };

static const char *expected_path(const char *name, char path[512]) {
    snprintf(path, 512, "%s/tests/expected/%s", DCNN_SOURCE_DIR, name);
    return path;
}

static const char *scratch(char path[64]) {
    snprintf(path, 64, "/tmp/dcnn-onnx-%d.onnx", (int)getpid());
    return path;
}

/* Outputs of all samples of a file's "inputs". */
static void predict(dcnn_net *net, const char *file_name, int samples, float *outputs) {
    char path[512];
    hid_t file;
    dcnn_plan *plan;
    const dcnn_shape in = net->nodes[0].shape;
    const dcnn_plan_options options = {.grain = samples, .slots = 1, .workers = 1, .fuse = true};
    assert_ok(dcnn_plan_create(net, dcnn_kernels_of(dcnn_isa_best()), &options, &plan));
    assert_ok(dcnn_h5_open(expected_path(file_name, path), &file, NULL));
    assert_ok(dcnn_h5_read(file, "inputs", DCNN_H5_FLOAT, 4, (int64_t[]){samples, in.h, in.w, in.c},
                           dcnn_plan_input(plan, 0)));
    dcnn_h5_close(file);
    dcnn_plan_prepare(plan, 0);
    dcnn_plan_run(plan, 0, 0, 0, &(dcnn_grain){.n = samples});
    memcpy(outputs, dcnn_plan_output(plan, 0), (size_t)(samples * net->output_count) * sizeof *outputs);
    dcnn_plan_free(plan);
}

static void expect(dcnn_net *net, const char *file_name, const char *name, int samples) {
    char path[512];
    hid_t file;
    float outputs[MOST_OUTPUTS], expected[MOST_OUTPUTS];
    predict(net, file_name, samples, outputs);
    assert_ok(dcnn_h5_open(expected_path(file_name, path), &file, NULL));
    assert_ok(dcnn_h5_read(file, name, DCNN_H5_FLOAT, 2, (int64_t[]){samples, net->output_count}, expected));
    dcnn_h5_close(file);
    for (int i = 0; i < samples * net->output_count; i++)
        if (!(fabsf(outputs[i] - expected[i]) <= 2e-6f))
            fail_msg("%s: output %d is %.9g, it should be %.9g", name, i, (double)outputs[i], (double)expected[i]);
}

static const char *const torch_nets[] = {"resnet", "mobile", "odd", "plain", "next"};

static void pytorch_networks_predict_as_there(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        char path[512], name[64];
        dcnn_checkpoint model;
        snprintf(name, sizeof name, "onnx_%s.onnx", torch_nets[i]);
        assert_ok(dcnn_onnx_read(expected_path(name, path), &model));
        assert_int_equal(strcmp(torch_nets[i], "odd") == 0, strstr(model.compiled, "LogSoftmax") != NULL);
        assert_false(model.normalised);
        expect(model.net, "onnx_outputs.h5", torch_nets[i], 2);
        dcnn_checkpoint_free(&model);
    }
}

/* PyTorch's momentum of 0.1 is Keras' 0.9; a BatchNormalization stays one, to be trained. */
static void layers_are_keras_own(void **state) {
    (void)state;
    char path[512];
    dcnn_checkpoint model;
    int normalizations = 0;
    assert_ok(dcnn_checkpoint_read(expected_path("onnx_resnet.onnx", path), &model));
    for (int i = 0; i < model.net->node_count; i++)
        normalizations += model.net->nodes[i].layer == &dcnn_layer_batch_normalization;
    assert_int_equal(normalizations, 6);
    assert_true(fabs(dcnn_net_momentum(model.net) - 0.9) < 1e-6);
    dcnn_checkpoint_free(&model);
}

/* --- out and in again --------------------------------------------------------------------------------------------- */

static void what_is_written_is_read_again(void **state) {
    (void)state;
    char path[512], written[64];
    dcnn_checkpoint model, again;
    assert_ok(dcnn_checkpoint_read(expected_path("keras_graph.keras", path), &model));
    model.class_names = calloc(4, sizeof *model.class_names);
    for (int i = 0; i < 4; i++) model.class_names[i] = strdup(i == 2 ? "\xc3\xa4pfel" : "a \"b\"");
    assert_ok(dcnn_onnx_write(scratch(written), &model, false));
    assert_ok(dcnn_checkpoint_read(written, &again));
    expect(again.net, "keras_graph_outputs.h5", "outputs", 5);
    for (int i = 0; i < 4; i++) assert_string_equal(again.class_names[i], model.class_names[i]);
    dcnn_checkpoint_free(&again);
    dcnn_checkpoint_free(&model);
    unlink(written);
}

/* A net of one layer behind the input [5, 4, 6], as rows of its description. */
static dcnn_status make(const char *layers, dcnn_checkpoint *model) {
    char text[2048];
    snprintf(
        text, sizeof text,
        "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"InputLayer\",\"config\":"
        "{\"batch_shape\":[null,12,10,3]}},%s,{\"class_name\":\"Flatten\",\"config\":{}},{\"class_name\":\"Dense\","
        "\"config\":{\"units\":4,\"activation\":\"softmax\"}}]}}",
        layers);
    json_t *description = json_loads(text, 0, NULL);
    assert_non_null(description);
    *model = (dcnn_checkpoint){.normalised = true, .mean = {0.5, 0.25, 0.125}, .std = {0.5, 1, 2}};
    dcnn_status status = dcnn_net_create(description, (dcnn_shape){0}, &model->net);
    json_decref(description);
    if (status == DCNN_OK) dcnn_net_initialise(model->net, 11);
    return status;
}

static void expect_same_again(const char *layers) {
    char written[64];
    dcnn_checkpoint model, again;
    float before[MOST_OUTPUTS], after[MOST_OUTPUTS];
    assert_ok(make(layers, &model));
    assert_ok(dcnn_onnx_write(scratch(written), &model, false));
    assert_ok(dcnn_onnx_read(written, &again));
    assert_true(again.normalised && again.mean[1] == 0.25 && again.std[2] == 2);
    predict(model.net, "keras_graph_outputs.h5", 5, before);
    predict(again.net, "keras_graph_outputs.h5", 5, after);
    for (int i = 0; i < 20; i++)
        if (!(fabsf(before[i] - after[i]) <= 2e-6f)) fail_msg("%s: output %d changed", layers, i);
    dcnn_checkpoint_free(&again);
    dcnn_checkpoint_free(&model);
    unlink(written);
}

/* Those that the recorded model has not, or not so. */
static void options_are_read_again(void **state) {
    (void)state;
    static const char scale[] = "{\"class_name\":\"Rescaling\",\"config\":{\"scale\":0.01,\"offset\":-1}},";
    static const char *const rows[] = {
        "{\"class_name\":\"Conv2D\",\"config\":{\"filters\":4,\"kernel_size\":2,\"strides\":3,\"padding\":\"same\"}}",
        "{\"class_name\":\"Conv2D\",\"config\":{\"filters\":6,\"kernel_size\":3,\"groups\":3,\"use_bias\":false}}",
        "{\"class_name\":\"DepthwiseConv2D\",\"config\":{\"kernel_size\":3,\"strides\":2,\"padding\":\"same\","
        "\"depth_multiplier\":2}}",
        "{\"class_name\":\"Conv2DTranspose\",\"config\":{\"filters\":4,\"kernel_size\":[4,3],\"strides\":[2,3]}}",
        "{\"class_name\":\"Conv2DTranspose\",\"config\":{\"filters\":4,\"kernel_size\":1,\"strides\":2}}",
        "{\"class_name\":\"Conv2DTranspose\",\"config\":{\"filters\":4,\"kernel_size\":[4,2],\"strides\":[2,3],"
        "\"padding\":\"same\",\"output_padding\":0}}",
        "{\"class_name\":\"MaxPooling2D\",\"config\":{\"pool_size\":3,\"strides\":2,\"padding\":\"same\"}}",
        "{\"class_name\":\"AveragePooling2D\",\"config\":{\"pool_size\":[2,3],\"padding\":\"same\"}}",
        "{\"class_name\":\"GlobalAveragePooling2D\",\"config\":{}}",
        "{\"class_name\":\"Flatten\",\"config\":{}},{\"class_name\":\"Reshape\",\"config\":{\"target_shape\":[6,12,5]}}"
        ","
        "{\"class_name\":\"Conv2D\",\"config\":{\"filters\":3,\"kernel_size\":2}}",
        "{\"class_name\":\"Flatten\",\"config\":{\"data_format\":\"channels_first\"}},{\"class_name\":\"Dense\","
        "\"config\":{\"units\":5,\"use_bias\":false}},{\"class_name\":\"LayerNormalization\",\"config\":{}}",
        "{\"class_name\":\"Dense\",\"config\":{\"units\":5,\"activation\":\"gelu\"}}",
        "{\"class_name\":\"ReLU\",\"config\":{\"max_value\":0.5}}",
        "{\"class_name\":\"ReLU\",\"config\":{\"max_value\":0.5,\"threshold\":0.2}}",
        "{\"class_name\":\"ReLU\",\"config\":{\"max_value\":0.5,\"threshold\":0.2,\"negative_slope\":0.3}}",
        "{\"class_name\":\"ReLU\",\"config\":{\"max_value\":0.5,\"negative_slope\":0.3}}",
        "{\"class_name\":\"Softmax\",\"config\":{\"axis\":1}}",
        "{\"class_name\":\"Softmax\",\"config\":{\"axis\":[1,2]}}",
        "{\"class_name\":\"Softmax\",\"config\":{\"axis\":[1,3]}}",
        "{\"class_name\":\"Softmax\",\"config\":{\"axis\":[2,3]}}",
        "{\"class_name\":\"Softmax\",\"config\":{\"axis\":[1,2,3]}}",
        "{\"class_name\":\"Normalization\",\"config\":{\"mean\":[0.1,0.2,0.3],\"variance\":2,\"invert\":true}}",
        "{\"class_name\":\"RandomCrop\",\"config\":{\"height\":5,\"width\":7}}",
        "{\"class_name\":\"Resizing\",\"config\":{\"height\":5,\"width\":9,\"crop_to_aspect_ratio\":true}}",
        "{\"class_name\":\"Resizing\",\"config\":{\"height\":5,\"width\":9,\"pad_to_aspect_ratio\":true}}",
        "{\"class_name\":\"Conv2D\",\"config\":{\"filters\":5,\"kernel_size\":2}},{\"class_name\":\"LayerScale\","
        "\"config\":{\"init_values\":0.3,\"projection_dim\":5}}",
        "{\"class_name\":\"LeakyReLU\",\"config\":{\"negative_slope\":0.1}}",
        "{\"class_name\":\"PReLU\",\"config\":{\"alpha_initializer\":\"ones\"}}",
        "{\"class_name\":\"Permute\",\"config\":{\"dims\":[3,1,2]}}",
        "{\"class_name\":\"Reshape\",\"config\":{\"target_shape\":[12,5,2,3]}},{\"class_name\":\"Permute\",\"config\":"
        "{\"dims\":[1,2,4,3]}},{\"class_name\":\"Reshape\",\"config\":{\"target_shape\":[12,5,6]}}",
        "{\"class_name\":\"BatchNormalization\",\"config\":{\"scale\":false}}",
        "{\"class_name\":\"GroupNormalization\",\"config\":{\"groups\":-1}}",
        "{\"class_name\":\"LayerScale\",\"config\":{\"init_values\":0.3,\"projection_dim\":3}}",
        "{\"class_name\":\"StochasticDepth\",\"config\":{\"drop_path_rate\":0.3}}",
        "{\"class_name\":\"Identity\",\"config\":{}}",
        "{\"class_name\":\"Resizing\",\"config\":{\"height\":5,\"width\":9}}",
        "{\"class_name\":\"Resizing\",\"config\":{\"height\":5,\"width\":9,\"interpolation\":\"nearest\"}}",
        "{\"class_name\":\"Resizing\",\"config\":{\"height\":5,\"width\":9,\"interpolation\":\"bicubic\"}}",
        "{\"class_name\":\"UpSampling2D\",\"config\":{\"size\":[2,3],\"interpolation\":\"bicubic\"}}",
        "{\"class_name\":\"Dropout\",\"config\":{\"rate\":0.5}}"};
    static const char *const activations[] = {
        "sigmoid",   "tanh",         "softmax",   "relu6",    "elu",      "selu",        "celu",        "silu",
        "hard_silu", "hard_sigmoid", "hard_tanh", "softplus", "softsign", "log_sigmoid", "exponential", "mish"};
    char layers[1024];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(layers, sizeof layers, "%s%s", scale, rows[i]);
        expect_same_again(layers);
    }
    /* in front of all: no sign that the image's channels come last in the file */
    expect_same_again("{\"class_name\":\"Permute\",\"config\":{\"dims\":[3,1,2]}}");
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
        snprintf(layers, sizeof layers, "%s{\"class_name\":\"Activation\",\"config\":{\"activation\":\"%s\"}}", scale,
                 activations[i]);
        expect_same_again(layers);
    }
}

/* Options of layers for which ONNX has no operator, or one in a later version. */
static void options_that_onnx_lacks_are_refused(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"{\"class_name\":\"BatchNormalization\",\"config\":{\"axis\":1}}", "its axis"},
        {"{\"class_name\":\"LayerNormalization\",\"config\":{\"axis\":[1,2,3]}}", "its axis"},
        {"{\"class_name\":\"GroupNormalization\",\"config\":{\"axis\":2,\"groups\":5}}", "its axis"},
        {"{\"class_name\":\"Resizing\",\"config\":{\"height\":5,\"width\":9,\"interpolation\":\"lanczos3\"}}",
         "its interpolation"},
        {"{\"class_name\":\"UpSampling2D\",\"config\":{\"interpolation\":\"lanczos5\"}}", "its interpolation"},
        {"{\"class_name\":\"Resizing\",\"config\":{\"height\":5,\"width\":9,\"antialias\":true}}", "its antialiasing"}};
    char written[64];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dcnn_checkpoint model;
        assert_ok(make(rows[i][0], &model));
        assert_int_equal(dcnn_onnx_write(scratch(written), &model, false), DCNN_BAD_INPUT);
        if (strstr(dcnn_error(), rows[i][1]) == NULL) fail_msg("%s: %s", rows[i][0], dcnn_error());
        dcnn_checkpoint_free(&model);
    }
}

/* The table of layers: each is written. */
static void every_layer_has_an_answer(void **state) {
    (void)state;
    for (int i = 0; i < dcnn_layer_table_count; i++)
        if (dcnn_onnx_find(dcnn_layer_table[i]->class_name) == NULL)
            fail_msg("%s is not written as ONNX", dcnn_layer_table[i]->class_name);
}

/* --- damage ------------------------------------------------------------------------------------------------------- */

static void what_dcnn_lacks_is_named(void **state) {
    (void)state;
    char path[512], written[64];
    uint8_t *bytes;
    size_t length;
    dcnn_checkpoint model;
    assert_ok(dcnn_file_read(expected_path("onnx_resnet.onnx", path), &bytes, &length));
    for (uint8_t *at = bytes; (at = memmem(at, length - (size_t)(at - bytes), "\x04Relu", 5)); at++)
        memcpy(at, "\x04Rosa", 5);
    assert_ok(dcnn_file_write(scratch(written), bytes, length, false));
    free(bytes);
    assert_int_equal(dcnn_onnx_read(written, &model), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "the operator Rosa"));
    unlink(written);
}

/* Without all the care that dcnn_file_write() takes, and its time. */
static void write_plainly(const char *path, const uint8_t *bytes, size_t length) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Cut anywhere, or with a byte changed anywhere: it is read, or refused. */
static void damage_is_told(void **state) {
    (void)state;
    for (int k = 0; k < 4; k++) {
        char path[512], written[64], name[64];
        uint8_t *bytes;
        size_t length;
        dcnn_checkpoint model;
        snprintf(name, sizeof name, "onnx_%s.onnx", torch_nets[k]);
        assert_ok(dcnn_file_read(expected_path(name, path), &bytes, &length));
        for (size_t i = 0; i < 600; i++) {
            const size_t at = i * 7919 % length;
            const uint8_t was = bytes[at];
            const bool cut = i % 4 == 0;
            if (!cut) bytes[at] ^= (uint8_t)(1u << i % 8 | (i % 3 ? 0u : 0x80u));
            write_plainly(scratch(written), bytes, cut ? at + 1 : length);
            const dcnn_status status = dcnn_onnx_read(written, &model);
            if (status == DCNN_OK) dcnn_checkpoint_free(&model);
            assert_true(status == DCNN_OK || status == DCNN_BAD_INPUT);
            bytes[at] = was;
        }
        free(bytes);
        unlink(scratch(written));
    }
}

/* A layer that is called on values of several widths has constants for each. */
static void a_layer_is_written_for_each_width(void **state) {
    (void)state;
    char written[64];
    dcnn_checkpoint model = {.net = NULL}, again;
    float before[MOST_OUTPUTS], after[MOST_OUTPUTS];
    json_t *description = json_loads(
        "{\"class_name\":\"Functional\",\"config\":{\"name\":\"net\",\"layers\":["
        "{\"class_name\":\"InputLayer\",\"name\":\"in\",\"config\":{\"name\":\"in\",\"batch_shape\":[null,12,10,3]},"
        "\"inbound_nodes\":[]},"
        "{\"class_name\":\"Rescaling\",\"name\":\"half\",\"config\":{\"name\":\"half\",\"scale\":0.5,\"offset\":0.25},"
        "\"inbound_nodes\":[[[\"in\",0,0,{}]],[[\"one\",0,0,{}]]]},"
        "{\"class_name\":\"Conv2D\",\"name\":\"one\",\"config\":{\"name\":\"one\",\"filters\":1,\"kernel_size\":[3,3]},"
        "\"inbound_nodes\":[[[\"half\",0,0,{}]]]},"
        "{\"class_name\":\"Flatten\",\"name\":\"flat\",\"config\":{\"name\":\"flat\"},\"inbound_nodes\":[[[\"half\",1,"
        "0,{}]]]},"
        "{\"class_name\":\"Dense\",\"name\":\"out\",\"config\":{\"name\":\"out\",\"units\":4,\"activation\":"
        "\"softmax\"},"
        "\"inbound_nodes\":[[[\"flat\",0,0,{}]]]}],"
        "\"input_layers\":[[\"in\",0,0]],\"output_layers\":[[\"out\",0,0]]}}",
        0, NULL);
    assert_non_null(description);
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &model.net));
    json_decref(description);
    dcnn_net_initialise(model.net, 11);
    assert_ok(dcnn_onnx_write(scratch(written), &model, false));
    assert_ok(dcnn_onnx_read(written, &again));
    predict(model.net, "keras_graph_outputs.h5", 5, before);
    predict(again.net, "keras_graph_outputs.h5", 5, after);
    for (int i = 0; i < 20; i++)
        if (!(fabsf(before[i] - after[i]) <= 2e-6f)) fail_msg("output %d changed", i);
    dcnn_checkpoint_free(&again);
    dcnn_checkpoint_free(&model);
    unlink(written);
}

/* --- weights in other files --------------------------------------------------------------------------------------- */

/* A small file may not name the same bytes of another one until they fill the memory, and of a large one no more is
 * read than is named. */
enum { APART = 2 };

static void entry(DcnnOnnx__Tensor *t, const char *key, const char *value) {
    DcnnOnnx__Entry *one = allocate(1, sizeof *one);
    dcnn_onnx__entry__init(one);
    one->key = strdup(key);
    one->value = strdup(value);
    t->external_data = realloc(t->external_data, (t->n_external_data + 1) * sizeof(DcnnOnnx__Entry *));
    assert_non_null(t->external_data);
    t->external_data[t->n_external_data++] = one;
}

static void move_out(DcnnOnnx__Tensor *t, const char *file, long offset, size_t length) {
    char number[32];
    entry(t, "location", strrchr(file, '/') + 1);
    snprintf(number, sizeof number, "%ld", offset);
    entry(t, "offset", number);
    snprintf(number, sizeof number, "%zu", length);
    entry(t, "length", number);
    t->has_data_location = true;
    t->data_location = 1;
}

static const char *apart_path(int number, char path[80]) {
    snprintf(path, 80, "/tmp/dcnn-onnx-%d.weights-%d", (int)getpid(), number);
    return path;
}

/* Every other tensor lies in the one file, the rest in the other. @return the largest tensor */
static DcnnOnnx__Tensor *move_all(DcnnOnnx__Model *model) {
    DcnnOnnx__Tensor *largest = NULL;
    size_t most = 0;
    FILE *files[APART];
    char path[80];
    for (int i = 0; i < APART; i++) assert_non_null(files[i] = fopen(apart_path(i, path), "wb"));
    for (size_t i = 0; i < model->graph->n_initializer; i++) {
        DcnnOnnx__Tensor *t = model->graph->initializer[i];
        FILE *to = files[i % APART];
        assert_true(t->has_raw_data);
        move_out(t, apart_path((int)(i % APART), path), ftell(to), t->raw_data.len);
        assert_int_equal(fwrite(t->raw_data.data, 1, t->raw_data.len, to), t->raw_data.len);
        if (t->raw_data.len > most) largest = t;
        most = t->raw_data.len > most ? t->raw_data.len : most;
        free(t->raw_data.data);
        t->raw_data = (ProtobufCBinaryData){0};
        t->has_raw_data = false;
    }
    for (int i = 0; i < APART; i++) {
        assert_int_equal(fclose(files[i]), 0);
        assert_int_equal(truncate(apart_path(i, path), (off_t)1 << (i == 0 ? 14 : 38)), 0); /* the second: 256 GiB */
    }
    return largest;
}

static DcnnOnnx__Model *unpack(const char *path) {
    uint8_t *bytes;
    size_t length;
    assert_ok(dcnn_file_read(path, &bytes, &length));
    DcnnOnnx__Model *model = dcnn_onnx__model__unpack(NULL, length, bytes);
    assert_non_null(model);
    free(bytes);
    return model;
}

static void pack(const char *path, const DcnnOnnx__Model *model) {
    const size_t length = dcnn_onnx__model__get_packed_size(model);
    uint8_t *bytes = allocate(length, 1);
    dcnn_onnx__model__pack(model, bytes);
    assert_ok(dcnn_file_write(path, bytes, length, false));
    free(bytes);
}

/* The largest tensor's bytes under so many more names. */
static void name_again(DcnnOnnx__Model *model, const DcnnOnnx__Tensor *largest, int times) {
    DcnnOnnx__Graph *g = model->graph;
    char name[32];
    g->initializer = realloc(g->initializer, (g->n_initializer + (size_t)times) * sizeof(DcnnOnnx__Tensor *));
    assert_non_null(g->initializer);
    for (int i = 0; i < times; i++) {
        DcnnOnnx__Tensor *t = allocate(1, sizeof *t);
        dcnn_onnx__tensor__init(t);
        snprintf(name, sizeof name, "again_%zu", g->n_initializer);
        t->name = strdup(name);
        t->has_data_type = true;
        t->data_type = largest->data_type;
        t->dims = allocate(largest->n_dims, sizeof *t->dims);
        memcpy(t->dims, largest->dims, largest->n_dims * sizeof *t->dims);
        t->n_dims = largest->n_dims;
        for (size_t k = 0; k < largest->n_external_data; k++)
            entry(t, largest->external_data[k]->key, largest->external_data[k]->value);
        t->has_data_location = true;
        t->data_location = 1;
        g->initializer[g->n_initializer++] = t;
    }
}

static void weights_in_other_files_take_what_they_need(void **state) {
    (void)state;
    char written[64], path[80];
    dcnn_checkpoint model, again;
    assert_ok(make("{\"class_name\":\"Conv2D\",\"config\":{\"filters\":24,\"kernel_size\":[5,5]}},"
                   "{\"class_name\":\"MaxPooling2D\",\"config\":{\"pool_size\":[6,6]}}",
                   &model));
    assert_ok(dcnn_onnx_write(scratch(written), &model, false));
    DcnnOnnx__Model *moved = unpack(written);
    const DcnnOnnx__Tensor *largest = move_all(moved);
    assert_int_equal(largest->dims[0], 24);
    assert_int_equal(largest->n_dims, 4); /* the convolution's kernel, of the first and small file */
    assert_string_equal(largest->external_data[0]->value, strrchr(apart_path(0, path), '/') + 1);
    pack(written, moved);
    assert_ok(dcnn_onnx_read(written, &again));
    assert_int_equal(dcnn_weights_hash(again.net), dcnn_weights_hash(model.net));
    dcnn_checkpoint_free(&again);

    name_again(moved, largest, 2); /* tied weights are no fault */
    pack(written, moved);
    assert_ok(dcnn_onnx_read(written, &again));
    dcnn_checkpoint_free(&again);
    name_again(moved, largest, 20);
    pack(written, moved);
    assert_int_equal(dcnn_onnx_read(written, &again), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "name the same bytes of their file again and again"));

    strcpy(moved->graph->initializer[0]->external_data[2]->value, "x");
    pack(written, moved);
    assert_int_equal(dcnn_onnx_read(written, &again), DCNN_BAD_INPUT);
    assert_non_null(strstr(dcnn_error(), "where its values lie is not a number"));
    dcnn_onnx__model__free_unpacked(moved, NULL);
    dcnn_checkpoint_free(&model);
    for (int i = 0; i < APART; i++) unlink(apart_path(i, path));
    unlink(written);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pytorch_networks_predict_as_there),
        cmocka_unit_test(layers_are_keras_own),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(options_are_read_again),
        cmocka_unit_test(options_that_onnx_lacks_are_refused),
        cmocka_unit_test(every_layer_has_an_answer),
        cmocka_unit_test(what_dcnn_lacks_is_named),
        cmocka_unit_test(weights_in_other_files_take_what_they_need),
        cmocka_unit_test(a_layer_is_written_for_each_width),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests_name("ONNX", tests, NULL, NULL);
}
