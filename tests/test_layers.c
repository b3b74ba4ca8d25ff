/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_layers.c — every layer's gradient against finite differences, in double.
 *
 * nn/ and the reference kernels are compiled once more with `float` meaning double (tests/CMakeLists.txt), so the very
 * code that trains is differentiated with an error near 1e-9 instead of 1e-3. The cases walk the table of layers: a
 * layer without a case fails.
 */
#include <stdbool.h>

#include "base/random.h"
#include "kernels/register.h"
#include "nn/plan.h"
#include "testing.h"

enum { GRAIN = 2, BATCH = 5, CLASSES = 3, GRAINS = (BATCH + GRAIN - 1) / GRAIN };

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
    {"Dense", "{\"units\": 4, \"activation\": \"relu\"}", true},
    {"Dense", "{\"units\": 4, \"activation\": \"softmax\", \"use_bias\": false}", true},
    {"Flatten", "{}", false},
    {"Dropout", "{\"rate\": 0.4}", false},
    {"Activation", "{\"activation\": \"tanh\"}", false},
    {"ReLU", "{}", false},
    {"Softmax", "{}", true},
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

/* One step without its end: the loss of the batch and its gradient, grain by grain, summed plainly. */
static double loss_and_gradient(dcnn_plan *plan, dcnn_net *net, float *gradient) {
    const size_t values = dcnn_shape_count(net->nodes[0].shape);
    const int stages = dcnn_plan_stage_count(plan), most = dcnn_plan_sum_count_max(plan);
    double *sums = calloc((size_t)most, sizeof *sums), *totals = calloc((size_t)most, sizeof *totals), loss = 0;
    float *leaf = calloc(net->param_count, sizeof *leaf);
    memset(gradient, 0, net->param_count * sizeof *gradient);
    dcnn_plan_prepare(plan, 0);
    for (int stage = 0; stage < stages; stage++) {
        const int count = dcnn_plan_sum_count(plan, stage);
        memset(totals, 0, (size_t)most * sizeof *totals);
        for (int g = 0; g < GRAINS; g++) {
            int64_t samples[GRAIN];
            int32_t labels[GRAIN];
            dcnn_grain grain = {.n = BATCH - g * GRAIN < GRAIN ? BATCH - g * GRAIN : GRAIN,
                                .samples = samples,
                                .labels = labels,
                                .seed = 3,
                                .epoch = 1,
                                .dparams = leaf,
                                .sums = sums};
            for (int i = 0; i < grain.n; i++) {
                samples[i] = g * GRAIN + i;
                labels[i] = (int32_t)(samples[i] % CLASSES);
            }
            float *x = dcnn_plan_input(plan, g);
            for (size_t i = 0; i < (size_t)grain.n * values; i++)
                x[i] = test_uniform(2, (size_t)g * GRAIN * values + i, -1.0, 1.0);
            memset(leaf, 0, net->param_count * sizeof *leaf);
            dcnn_plan_run(plan, stage, g, 0, &grain);
            for (int i = 0; i < count; i++) totals[i] += sums[i];
            for (size_t i = 0; i < net->param_count; i++) gradient[i] += leaf[i];
        }
        dcnn_plan_agreed(plan, stage, totals, BATCH);
        if (stage == net->loss_stage) {
            assert_int_equal((int)totals[count - DCNN_LOSS_SUMS + DCNN_SUM_SAMPLES], BATCH);
            loss = totals[count - DCNN_LOSS_SUMS + DCNN_SUM_LOSS];
        }
    }
    free(sums);
    free(totals);
    free(leaf);
    return loss;
}

static const dcnn_kernels *double_kernels(void) {
    static dcnn_kernels table;
    table.isa = "reference in double";
    dcnn_register_reference(&table);
    dcnn_register_reference_conv(&table);
    return &table;
}

static void check_case(size_t which, bool fuse) {
    dcnn_net *net = make_net(which);
    dcnn_plan *plan;
    const dcnn_plan_options options = {.grain = GRAIN, .slots = GRAINS, .workers = 1, .training = true, .fuse = fuse};
    assert_int_equal(dcnn_plan_create(net, double_kernels(), &options, &plan), DCNN_OK);
    float *gradient = calloc(net->param_count, sizeof *gradient), *scrap = calloc(net->param_count, sizeof *scrap);
    loss_and_gradient(plan, net, gradient);
    double largest = 0;
    for (size_t i = 0; i < net->param_count; i++) largest = fmax(largest, fabs(gradient[i]));
    assert_true(largest > 1e-4); /* a gradient of zeros would agree with anything dead */
    for (size_t i = 0; i < net->param_count; i++) {
        const double h = 1e-5, kept = net->params[i];
        net->params[i] = kept + h;
        const double above = loss_and_gradient(plan, net, scrap);
        net->params[i] = kept - h;
        const double below = loss_and_gradient(plan, net, scrap);
        net->params[i] = kept;
        const double difference = (above - below) / (2 * h);
        if (!(fabs(difference - gradient[i]) <= 2e-7 * (1 + largest)))
            fail_msg("%s %s: d loss / d parameter %zu is %.9g, by finite differences %.9g", cases[which].class_name,
                     cases[which].config ? cases[which].config : "", i, (double)gradient[i], difference);
    }
    free(gradient);
    free(scrap);
    dcnn_plan_free(plan);
    dcnn_net_free(net);
}

static void each_layer_has_its_gradient(void **state) {
    (void)state;
    assert_int_equal(sizeof(float), sizeof(double));
    for (size_t i = 0; i < CASES; i++) check_case(i, false);
}

static void fused_operations_have_the_same_gradient(void **state) {
    (void)state;
    json_t *description = json_loads(
        "{\"class_name\": \"Sequential\", \"config\": {\"layers\": ["
        "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 12, 11, 2]}},"
        "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": 3, \"kernel_size\": 3, \"activation\": \"relu\"}},"
        "{\"class_name\": \"MaxPooling2D\", \"config\": {}},"
        "{\"class_name\": \"BatchNormalization\", \"config\": {}},"
        "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": 4, \"kernel_size\": 3, \"padding\": \"same\", "
        "\"activation\": \"relu\"}},"
        "{\"class_name\": \"MaxPooling2D\", \"config\": {}},"
        "{\"class_name\": \"BatchNormalization\", \"config\": {}},"
        "{\"class_name\": \"Flatten\", \"config\": {}},"
        "{\"class_name\": \"Dense\", \"config\": {\"units\": 3, \"activation\": \"softmax\"}}]}}",
        0, NULL);
    float *gradients[2];
    double losses[2];
    size_t count = 0;
    for (int fuse = 0; fuse < 2; fuse++) {
        dcnn_net *net;
        assert_int_equal(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_OK);
        for (size_t i = 0; i < net->param_count; i++) net->params[i] = test_uniform(1, i, -0.6, 0.6);
        dcnn_plan *plan;
        const dcnn_plan_options options = {
            .grain = GRAIN, .slots = GRAINS, .workers = 1, .training = true, .fuse = fuse != 0};
        assert_int_equal(dcnn_plan_create(net, double_kernels(), &options, &plan), DCNN_OK);
        assert_int_equal(dcnn_plan_op_count(plan), fuse ? 5 : 7); /* two pairs of convolution and pooling */
        count = net->param_count;
        gradients[fuse] = calloc(count, sizeof(float));
        losses[fuse] = loss_and_gradient(plan, net, gradients[fuse]);
        dcnn_plan_free(plan);
        dcnn_net_free(net);
    }
    assert_true(fabs(losses[0] - losses[1]) <= 1e-10);
    for (size_t i = 0; i < count; i++) assert_true(fabs(gradients[0][i] - gradients[1][i]) <= 1e-10);
    free(gradients[0]);
    free(gradients[1]);
    json_decref(description);
}

static void the_table_is_covered(void **state) {
    (void)state;
    for (int i = 0; i < dcnn_layer_table_count; i++) {
        bool found = false;
        for (size_t j = 0; j < CASES; j++)
            found = found || strcmp(cases[j].class_name, dcnn_layer_table[i]->class_name) == 0;
        if (!found) fail_msg("no case for layer %s", dcnn_layer_table[i]->class_name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_covered),
        cmocka_unit_test(each_layer_has_its_gradient),
        cmocka_unit_test(fused_operations_have_the_same_gradient),
    };
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
