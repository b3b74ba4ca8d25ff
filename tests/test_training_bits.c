/* SPDX-License-Identifier: BSD-3-Clause */
/* test_training_bits.c — a few steps of training end with the recorded weights, to the last bit, on any CPU: with each
 * instruction set that this one has, in fp32 and in bf16. A machine that disagrees fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arrays_feed.h"
#include "base/json.h"
#include "base/random.h"
#include "engine/engine.h"

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        if ((call) != DCNN_OK) fail_msg("%s: %s", #call, dcnn_error());                                                \
    } while (0)

/* What no file of data/models has: residuals, strides, 1x1, depthwise and separable convolutions, GELU, other
 * poolings and normalizations. */
static const char residual[] =
    "{'class_name': 'Functional', 'config': {'name': 'residual', 'layers': ["
    "{'class_name': 'InputLayer', 'name': 'in', 'config': {'batch_shape': [null, 12, 12, 3]}, 'inbound_nodes': []},"
    "{'class_name': 'Conv2D', 'name': 'a', 'config': {'filters': 20, 'kernel_size': 3, 'padding': 'same'},"
    " 'inbound_nodes': [[['in', 0, 0, {}]]]},"
    "{'class_name': 'BatchNormalization', 'name': 'b', 'config': {}, 'inbound_nodes': [[['a', 0, 0, {}]]]},"
    "{'class_name': 'Activation', 'name': 'c', 'config': {'activation': 'relu'}, 'inbound_nodes': [[['b', 0, 0, {}]]]},"
    "{'class_name': 'Conv2D', 'name': 'd', 'config': {'filters': 20, 'kernel_size': 3, 'padding': 'same'},"
    " 'inbound_nodes': [[['c', 0, 0, {}]]]},"
    "{'class_name': 'Add', 'name': 'e', 'config': {}, 'inbound_nodes': [[['c', 0, 0, {}], ['d', 0, 0, {}]]]},"
    "{'class_name': 'Activation', 'name': 'f', 'config': {'activation': 'gelu'}, 'inbound_nodes': [[['e', 0, 0, {}]]]},"
    "{'class_name': 'Conv2D', 'name': 'g', 'config': {'filters': 33, 'kernel_size': 3, 'strides': 2,"
    " 'activation': 'silu'}, 'inbound_nodes': [[['f', 0, 0, {}]]]},"
    "{'class_name': 'SeparableConv2D', 'name': 'h', 'config': {'filters': 24, 'kernel_size': 3, 'padding': 'same'},"
    " 'inbound_nodes': [[['g', 0, 0, {}]]]},"
    "{'class_name': 'LayerNormalization', 'name': 'i', 'config': {}, 'inbound_nodes': [[['h', 0, 0, {}]]]},"
    "{'class_name': 'DepthwiseConv2D', 'name': 'j', 'config': {'kernel_size': 3, 'activation': 'elu'},"
    " 'inbound_nodes': [[['i', 0, 0, {}]]]},"
    "{'class_name': 'Conv2D', 'name': 'k', 'config': {'filters': 18, 'kernel_size': 1, 'activation': 'softplus'},"
    " 'inbound_nodes': [[['j', 0, 0, {}]]]},"
    "{'class_name': 'AveragePooling2D', 'name': 'l', 'config': {'pool_size': 2, 'strides': 1},"
    " 'inbound_nodes': [[['k', 0, 0, {}]]]},"
    "{'class_name': 'Flatten', 'name': 'm', 'config': {}, 'inbound_nodes': [[['l', 0, 0, {}]]]},"
    "{'class_name': 'Dropout', 'name': 'n', 'config': {'rate': 0.25}, 'inbound_nodes': [[['m', 0, 0, {}]]]},"
    "{'class_name': 'Dense', 'name': 'o', 'config': {'units': 10, 'activation': 'softmax'},"
    " 'inbound_nodes': [[['n', 0, 0, {}]]]}],"
    "'input_layers': [['in', 0, 0]], 'output_layers': [['o', 0, 0]]}}";

/* A convolution, BatchNormalization, ReLU and pooling, and that again: the layers of data/models/vgg.json, small. */
static const char vgg[] = "{'class_name': 'Sequential', 'config': {'name': 'vgg', 'layers': ["
                          "{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 16, 16, 3]}},"
                          "{'class_name': 'Conv2D', 'config': {'filters': 24, 'kernel_size': 3, 'padding': 'same'}},"
                          "{'class_name': 'BatchNormalization', 'config': {}},"
                          "{'class_name': 'Activation', 'config': {'activation': 'relu'}},"
                          "{'class_name': 'Conv2D', 'config': {'filters': 40, 'kernel_size': 3, 'padding': 'same'}},"
                          "{'class_name': 'BatchNormalization', 'config': {}},"
                          "{'class_name': 'Activation', 'config': {'activation': 'relu'}},"
                          "{'class_name': 'MaxPooling2D', 'config': {'pool_size': 2}},"
                          "{'class_name': 'Conv2D', 'config': {'filters': 48, 'kernel_size': 3, 'padding': 'same',"
                          " 'activation': 'leaky_relu'}},"
                          "{'class_name': 'MaxPooling2D', 'config': {'pool_size': 3, 'strides': 2}},"
                          "{'class_name': 'GlobalAveragePooling2D', 'config': {}},"
                          "{'class_name': 'Dense', 'config': {'units': 10, 'activation': 'softmax'}}]}}";

/* A first layer whose convolution is one with its BatchNormalization, ReLU and pooling. */
static const char normed[] = "{'class_name': 'Sequential', 'config': {'name': 'normed', 'layers': ["
                             "{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 20, 18, 1]}},"
                             "{'class_name': 'Conv2D', 'config': {'filters': 24, 'kernel_size': 3}},"
                             "{'class_name': 'BatchNormalization', 'config': {}},"
                             "{'class_name': 'Activation', 'config': {'activation': 'relu'}},"
                             "{'class_name': 'MaxPooling2D', 'config': {'pool_size': 2}},"
                             "{'class_name': 'Conv2D', 'config': {'filters': 40, 'kernel_size': 3,"
                             " 'activation': 'gelu'}},"
                             "{'class_name': 'MaxPooling2D', 'config': {'pool_size': 2}},"
                             "{'class_name': 'Flatten', 'config': {}},"
                             "{'class_name': 'Dense', 'config': {'units': 10, 'activation': 'softmax'}}]}}";

/* Convolutions with ReLU and AveragePooling: a first one, and one behind a BatchNormalization. */
static const char averaged[] = "{'class_name': 'Sequential', 'config': {'name': 'averaged', 'layers': ["
                               "{'class_name': 'InputLayer', 'config': {'batch_shape': [null, 21, 18, 1]}},"
                               "{'class_name': 'Conv2D', 'config': {'filters': 24, 'kernel_size': 3,"
                               " 'activation': 'relu'}},"
                               "{'class_name': 'AveragePooling2D', 'config': {'pool_size': 2}},"
                               "{'class_name': 'BatchNormalization', 'config': {}},"
                               "{'class_name': 'Conv2D', 'config': {'filters': 40, 'kernel_size': 3,"
                               " 'activation': 'relu'}},"
                               "{'class_name': 'AveragePooling2D', 'config': {'pool_size': 2}},"
                               "{'class_name': 'Flatten', 'config': {}},"
                               "{'class_name': 'Dense', 'config': {'units': 10, 'activation': 'softmax'}}]}}";

/* Values that --precision bf16 keeps as bf16: between convolutions, with ReLU or without, and in front of and behind
 * BatchNormalizations alone, one of which an Add reads. */
static const char chain[] =
    "{'class_name': 'Functional', 'config': {'name': 'chain', 'layers': ["
    "{'class_name': 'InputLayer', 'name': 'in', 'config': {'batch_shape': [null, 14, 13, 3]}, 'inbound_nodes': []},"
    "{'class_name': 'Conv2D', 'name': 'a', 'config': {'filters': 24, 'kernel_size': 3, 'padding': 'same',"
    " 'activation': 'relu'}, 'inbound_nodes': [[['in', 0, 0, {}]]]},"
    "{'class_name': 'Conv2D', 'name': 'b', 'config': {'filters': 32, 'kernel_size': 3, 'strides': 2, 'padding': 'same',"
    " 'activation': 'relu'}, 'inbound_nodes': [[['a', 0, 0, {}]]]},"
    "{'class_name': 'Conv2D', 'name': 'c', 'config': {'filters': 32, 'kernel_size': 3, 'padding': 'same'},"
    " 'inbound_nodes': [[['b', 0, 0, {}]]]},"
    "{'class_name': 'BatchNormalization', 'name': 'd', 'config': {}, 'inbound_nodes': [[['c', 0, 0, {}]]]},"
    "{'class_name': 'Add', 'name': 'e', 'config': {}, 'inbound_nodes': [[['b', 0, 0, {}], ['d', 0, 0, {}]]]},"
    "{'class_name': 'Conv2D', 'name': 'f', 'config': {'filters': 6, 'kernel_size': 1},"
    " 'inbound_nodes': [[['e', 0, 0, {}]]]},"
    "{'class_name': 'BatchNormalization', 'name': 'g', 'config': {}, 'inbound_nodes': [[['f', 0, 0, {}]]]},"
    "{'class_name': 'Conv2D', 'name': 'h', 'config': {'filters': 40, 'kernel_size': 3, 'activation': 'relu'},"
    " 'inbound_nodes': [[['g', 0, 0, {}]]]},"
    "{'class_name': 'GlobalAveragePooling2D', 'name': 'i', 'config': {}, 'inbound_nodes': [[['h', 0, 0, {}]]]},"
    "{'class_name': 'Dense', 'name': 'o', 'config': {'units': 10, 'activation': 'softmax'},"
    " 'inbound_nodes': [[['i', 0, 0, {}]]]}],"
    "'input_layers': [['in', 0, 0]], 'output_layers': [['o', 0, 0]]}}";

/* The weights after STEPS steps, hashed. They change with the arithmetic of a kernel, never with the CPU. */
enum { STEPS = 3 };
typedef struct training {
    const char *name, *text; /* a description, or NULL: data/models/<name>.json */
    dcnn_optimizer_kind optimizer;
    int batch;
    uint64_t hashes[DCNN_PRECISION_COUNT];
} training;

static const training trainings[] = {
    {"whole", NULL, DCNN_ADAM, 8, {0xf76aebfb12902d46, 0x52d6049999c3662f}},
    {"lenet5", NULL, DCNN_SGD, 24, {0xdb3ac91b10720f12, 0x593affa4a859f097}},
    {"residual", residual, DCNN_ADAMW, 20, {0x6e9f5f1145d76cef, 0xc899a22098a8bfb7}},
    {"vgg", vgg, DCNN_LAMB, 20, {0x1bc1e1476f95dcee, 0x84a77668be557415}},
    {"normed", normed, DCNN_ADAM, 20, {0xa602105928af53da, 0xb57ef7d2c2872b0a}},
    {"averaged", averaged, DCNN_ADAM, 20, {0x39e431bece4c1b5f, 0x212044bdebf17788}},
    {"chain", chain, DCNN_ADAM, 20, {0x878967b0ee511924, 0xe259d5ed4b9822dd}},
};
enum { TRAININGS = sizeof trainings / sizeof trainings[0] };

static json_t *describe(const training *t) {
    char place[300], quoted[sizeof residual];
    json_error_t error;
    if (t->text == NULL) {
        snprintf(place, sizeof place, "%s/data/models/%s.json", DCNN_SOURCE_DIR, t->name);
        json_t *json = json_load_file(place, 0, &error);
        if (json == NULL) fail_msg("%s: %s", place, error.text);
        return json;
    }
    snprintf(quoted, sizeof quoted, "%s", t->text);
    for (char *c = quoted; *c; c++)
        if (*c == '\'') *c = '"';
    json_t *json = json_loads(quoted, 0, &error);
    if (json == NULL) fail_msg("%s: %s", t->name, error.text);
    return json;
}

/* FNV-1a */
static uint64_t hash_of(uint64_t hash, size_t count, const float *values) {
    const unsigned char *bytes = (const unsigned char *)values;
    for (size_t i = 0; i < count * sizeof(float); i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* Images in [-1, 1), exactly representable, and labels. */
static void fill(size_t values, int batch, float *x, int32_t *labels) {
    for (size_t i = 0; i < values * (size_t)batch; i++) {
        const dcnn_random_bits bits = dcnn_random(7, DCNN_RANDOM_INIT, 1, (int64_t)(i / 4), 0);
        x[i] = (float)(int32_t)(bits.word[i % 4] >> 16) * 0x1p-15f - 1.0f;
    }
    for (int i = 0; i < batch; i++) labels[i] = (3 * i + i / 10) % 10;
}

static uint64_t train(const training *t, dcnn_precision precision) {
    json_t *description = describe(t);
    dcnn_net *net;
    dcnn_comm *comm;
    dcnn_engine *engine;
    assert_ok(dcnn_net_create(description, t->text ? (dcnn_shape){0} : (dcnn_shape){3, 28, 28, 1}, &net));
    json_decref(description);
    dcnn_net_set_bf16(net, precision == DCNN_BF16);
    dcnn_net_initialise(net, 42);
    const size_t values = dcnn_shape_count(net->nodes[0].shape);
    float *x = calloc(values * (size_t)t->batch, sizeof *x);
    int32_t *labels = calloc((size_t)t->batch, sizeof *labels);
    assert_non_null(x);
    assert_non_null(labels);
    fill(values, t->batch, x, labels);
    const dcnn_engine_options options = {.grain = 8,
                                         .threads = 1,
                                         .fuse = true,
                                         .batch_size = t->batch,
                                         .accumulate = 1,
                                         .seed = 42,
                                         .optimizer = {.kind = t->optimizer,
                                                       .learning_rate = 1e-3,
                                                       .beta1 = 0.9,
                                                       .beta2 = 0.999,
                                                       .epsilon = 1e-7,
                                                       .momentum = 0.9,
                                                       .weight_decay = t->optimizer == DCNN_ADAM ? 0 : 1e-3}};
    assert_ok(dcnn_comm_create_alone(&comm));
    assert_ok(dcnn_engine_create(comm, net, NULL, NULL, &options, &engine));
    const dcnn_arrays batch = {
        .count = t->batch, .values = (int64_t)values, .x = x, .labels = labels, .outputs = net->output_count};
    for (int number = 1; number <= STEPS; number++) {
        const dcnn_step step = {.samples = t->batch, .number = number, .rate = 1e-3, .feed = dcnn_arrays_feed(&batch)};
        dcnn_step_sums sums = {0};
        assert_ok(dcnn_engine_step(engine, &step, &sums));
    }
    uint64_t hash = hash_of(0xcbf29ce484222325u, net->param_count, net->params);
    hash = hash_of(hash, net->state_count, net->state);
    free(x);
    free(labels);
    dcnn_engine_free(engine);
    dcnn_comm_free(comm);
    return hash;
}

static void ends_as_recorded(dcnn_precision precision) {
    int wrong = 0;
    for (int isa = DCNN_ISA_GENERIC; isa <= (int)dcnn_isa_best(); isa++)
        for (int i = 0; i < TRAININGS; i++) {
            const training *t = &trainings[i];
            if (!dcnn_isa_agrees(dcnn_isa_name((dcnn_isa)isa))) continue; /* bits of its own */
            assert_int_equal(setenv("DCNN_ISA", dcnn_isa_name((dcnn_isa)isa), 1), 0);
            const uint64_t hash = train(t, precision);
            if (hash == t->hashes[precision]) continue;
            print_error("%s in %s on %s: the weights are 0x%016llx, recorded is 0x%016llx\n", t->name,
                        dcnn_precision_name(precision), dcnn_isa_name((dcnn_isa)isa), (unsigned long long)hash,
                        (unsigned long long)t->hashes[precision]);
            wrong++;
        }
    assert_int_equal(wrong, 0);
}

static void fp32_ends_as_recorded(void **state) {
    (void)state;
    ends_as_recorded(DCNN_FP32);
}

static void bf16_ends_as_recorded(void **state) {
    (void)state;
    ends_as_recorded(DCNN_BF16);
}

/* Batches that are for hundreds of cores have work for them; the bits of all others are those of their grains before.
 */
static void large_batches_have_smaller_grains(void **state) {
    (void)state;
    static const int batches[][2] = {{1, 2},    {16, 8},   {32, 16},   {128, 16},   {1024, 16},  {4095, 16},
                                     {4096, 8}, {8192, 8}, {16383, 8}, {16384, 16}, {65536, 16}, {1048576, 16}};
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++)
        assert_int_equal(dcnn_engine_grain(batches[i][0]), batches[i][1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(fp32_ends_as_recorded), cmocka_unit_test(bf16_ends_as_recorded),
                                       cmocka_unit_test(large_batches_have_smaller_grains)};
    return cmocka_run_group_tests_name("training bits", tests, NULL, NULL);
}
