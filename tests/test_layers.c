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
#include "nn/net_edit.h"
#include "nn/optimizers/optimizer.h"
#include "nn/plan/plan.h"
#include "layer_cases.h"

enum { GRAIN = 2, BATCH = 5, GRAINS = (BATCH + GRAIN - 1) / GRAIN };

static const dcnn_kernels *double_kernels(void) {
    static dcnn_kernels table;
    table.isa = "reference in double";
    dcnn_register_reference(&table);
    dcnn_register_reference_conv(&table);
    dcnn_register_reference_norm(&table);
    dcnn_register_reference_functions(&table);
    dcnn_register_reference_conv_general(&table);
    return &table;
}

/* --- losses ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *what;
    dcnn_loss loss;
    int outputs;
    bool mixed, weighted, numbers; /* soft labels; weights of samples; targets that are numbers */
} losses[] = {
    {"categorical", {DCNN_LOSS_CATEGORICAL, 0.0, 0.0}, 4, false, false, false},
    {"categorical, smoothed", {DCNN_LOSS_CATEGORICAL, 0.1, 0.0}, 4, false, false, false},
    {"categorical, weighted", {DCNN_LOSS_CATEGORICAL, 0.0, 0.0}, 4, false, true, false},
    {"categorical, mixed", {DCNN_LOSS_CATEGORICAL, 0.2, 0.0}, 4, true, true, false},
    {"binary", {DCNN_LOSS_BINARY, 0.0, 0.0}, 1, false, true, false},
    {"binary, mixed", {DCNN_LOSS_BINARY, 0.1, 0.0}, 1, true, false, false},
    {"multi-label", {DCNN_LOSS_BINARY, 0.1, 0.0}, 3, false, true, true},
    {"squared", {DCNN_LOSS_SQUARED, 0.0, 0.0}, 3, false, true, true},
    {"absolute", {DCNN_LOSS_ABSOLUTE, 0.0, 0.0}, 3, false, true, true},
    {"huber", {DCNN_LOSS_HUBER, 0.0, 0.4}, 3, false, true, true},
};
enum { LOSSES = sizeof losses / sizeof losses[0], ROWS = 5 };

/* The derivative of the summed loss; and that weights of one and shares of one are no weights and no shares. */
static void each_loss_has_its_gradient(void **state) {
    (void)state;
    for (size_t k = 0; k < LOSSES; k++) {
        const int outputs = losses[k].outputs, classes = outputs > 1 ? outputs : 2;
        const size_t count = (size_t)(ROWS * outputs);
        int32_t labels[ROWS], others[ROWS];
        float x[ROWS * 4], y[ROWS * 4], dx[ROWS * 4], values[ROWS * 4], shares[ROWS], weights[ROWS];
        double sums[DCNN_LOSS_SUMS], above[DCNN_LOSS_SUMS], below[DCNN_LOSS_SUMS];
        for (int i = 0; i < ROWS; i++) {
            labels[i] = i % classes;
            others[i] = (i + 2) % classes;
            shares[i] = test_uniform(7, (size_t)i, 0.0, 1.0);
            weights[i] = test_uniform(8, (size_t)i, 0.5, 2.0);
        }
        for (size_t i = 0; i < count; i++) {
            x[i] = test_uniform(5, i, -2.0, 2.0);
            values[i] = losses[k].loss.kind == DCNN_LOSS_BINARY ? (double)(i % 3 == 0) : test_uniform(6, i, -2.0, 2.0);
        }
        const dcnn_targets targets = {.labels = losses[k].numbers ? NULL : labels,
                                      .values = losses[k].numbers ? values : NULL,
                                      .others = losses[k].mixed ? others : NULL,
                                      .shares = losses[k].mixed ? shares : NULL,
                                      .weights = losses[k].weighted ? weights : NULL};
        dcnn_loss_run(&losses[k].loss, double_kernels(), ROWS, outputs, x, &targets, y, dx, sums);
        assert_true(sums[DCNN_SUM_LOSS] > 0.1 && sums[DCNN_SUM_SAMPLES] == ROWS);
        for (size_t i = 0; i < count; i++) {
            const double h = 1e-5, kept = x[i];
            x[i] = kept + h;
            dcnn_loss_run(&losses[k].loss, double_kernels(), ROWS, outputs, x, &targets, y, NULL, above);
            x[i] = kept - h;
            dcnn_loss_run(&losses[k].loss, double_kernels(), ROWS, outputs, x, &targets, y, NULL, below);
            x[i] = kept;
            const double difference = (above[DCNN_SUM_LOSS] - below[DCNN_SUM_LOSS]) / (2 * h);
            if (!(fabs(difference - dx[i]) <= 1e-8))
                fail_msg("%s: d loss / d x %zu is %.9g, by finite differences %.9g", losses[k].what, i, (double)dx[i],
                         difference);
        }
    }
}

static void weights_and_shares_of_one_change_nothing(void **state) {
    (void)state;
    const float x[8] = {0.3, -1, 2, 0.5, 1, 1, -0.2, 0}, ones[2] = {1, 1};
    const int32_t labels[2] = {2, 3}, others[2] = {0, 1};
    float y[2][8], dx[2][8];
    double sums[2][DCNN_LOSS_SUMS];
    const dcnn_loss loss = {0};
    const dcnn_targets targets[2] = {{.labels = labels},
                                     {.labels = labels, .others = others, .shares = ones, .weights = ones}};
    for (int k = 0; k < 2; k++) dcnn_loss_run(&loss, double_kernels(), 2, 4, x, &targets[k], y[k], dx[k], sums[k]);
    for (int i = 0; i < 8; i++) assert_true(fabs(dx[0][i] - dx[1][i]) <= 1e-12);
    assert_true(fabs(sums[0][DCNN_SUM_LOSS] - sums[1][DCNN_SUM_LOSS]) <= 1e-12);
    assert_true(sums[0][DCNN_SUM_CORRECT] == 1 && sums[1][DCNN_SUM_CORRECT] == 1);
}

/* Two grains at least, for two threads; large batches keep the grain that their bits were made with. */
static void grains_follow_the_batch(void **state) {
    (void)state;
    static const int batches[][2] = {{1, 2},  {4, 2},  {7, 2},   {8, 4},    {15, 4},
                                     {16, 8}, {31, 8}, {32, 16}, {128, 16}, {100000, 16}};
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++)
        assert_int_equal(dcnn_grain_of(batches[i][0]), batches[i][1]);
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
                                .targets = {.labels = labels},
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
            for (size_t i = 0; i < net->buckets[stage].count; i++)
                gradient[net->buckets[stage].offset + i] += leaf[net->buckets[stage].offset + i];
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

#include "test_layers_fusion.h"

static void check_net(dcnn_net *net, const char *what, const char *settings, bool fuse) {
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
            fail_msg("%s %s: d loss / d parameter %zu is %.9g, by finite differences %.9g", what, settings, i,
                     (double)gradient[i], difference);
    }
    free(gradient);
    free(scrap);
    dcnn_plan_free(plan);
    dcnn_net_free(net);
}

static void each_layer_has_its_gradient(void **state) {
    (void)state;
    assert_int_equal(sizeof(float), sizeof(double));
    for (size_t i = 0; i < CASES; i++)
        check_net(make_net(i), cases[i].class_name, cases[i].config ? cases[i].config : "", false);
}

/* A product of values with other consumers was wrong by 7 where all its inputs' gradients went through one buffer. */
static void each_graph_has_its_gradient(void **state) {
    (void)state;
    for (size_t i = 0; i < GRAPHS; i++)
        for (int fuse = 0; fuse < 2; fuse++) check_net(make_graph(i), graphs[i].what, "", fuse != 0);
}

/* What regularizers add to the gradient is the slope of what they add to the loss; no layer is below the lowest one
 * that is trained. */
static void regularizers_have_their_gradient(void **state) {
    (void)state;
    static const graph_layer rows[] = {
        {"Conv2D",
         "a",
         "{\"filters\": 3, \"kernel_size\": 2, \"kernel_regularizer\": \"l2\", \"bias_regularizer\": {\"class_name\": "
         "\"L1\", \"config\": {\"l1\": 0.3}}}",
         {"in"}},
        {"BatchNormalization", "n", "{\"gamma_regularizer\": \"L1\"}", {"a"}},
        {"DepthwiseConv2D",
         "d",
         "{\"kernel_size\": 2, \"depthwise_regularizer\": {\"class_name\": \"L1L2\", \"config\": {\"l1\": 0.2, "
         "\"l2\": 0.4}}}",
         {"n"}},
        TAIL("d")};
    json_t *description = describe_graph(rows, (int)(sizeof rows / sizeof rows[0]), "classes");
    dcnn_net *net;
    if (dcnn_net_create(description, (dcnn_shape){0}, &net) != DCNN_OK) fail_msg("%s", dcnn_error());
    json_decref(description);
    assert_int_equal(net->untrainable[0], '\0');
    for (size_t i = 0; i < net->param_count; i++) net->params[i] = test_uniform(1, i, -0.6, 0.6);
    float *gradient = calloc(net->param_count, sizeof(float));
    const dcnn_optimizer sgd = {.kind = DCNN_SGD};
    dcnn_update update;
    assert_int_equal(dcnn_update_create(net, double_kernels(), &sgd, &update), DCNN_OK);
    assert_true(update.regularizes && dcnn_update_wants_norms(&update));
    update.gradient = gradient;
    update.params = net->params;
    dcnn_update_begin(&update, 0.1, 1, 5);
    dcnn_update_directions(&update, (dcnn_range){0, net->param_count});
    int rules = 0;
    for (size_t i = 0; i < net->param_count; i++) {
        const double step = 1e-6, before = net->params[i];
        net->params[i] = before + step;
        const double above = dcnn_net_penalty(net);
        net->params[i] = before - step;
        const double slope = (above - dcnn_net_penalty(net)) / (2 * step);
        net->params[i] = before;
        rules += slope != 0.0;
        if (!(fabs(gradient[i] - 5 * slope) <= 1e-7)) fail_msg("weight %zu: %g, slope %g", i, gradient[i], 5 * slope);
    }
    assert_int_equal(rules, 24 + 3 + 3 + 12); /* kernel, bias, gamma, the other kernel */
    free(gradient);
    dcnn_update_free(&update);
    dcnn_net_free(net);
}

/* Only what learns has a backward pass: with all but the last layer frozen, that layer alone. */
static void nothing_is_computed_below_the_lowest_trained_layer(void **state) {
    (void)state;
    static const char *const freeze[][1] = {{"a"}, {"a,b"}, {"a,b,n"}};
    static const int backward[] = {3, 2, 1};
    const graph_layer rows[] = {CONV("a", "in"), CONV("b", "a"), {"BatchNormalization", "n", "{}", {"b"}}, TAIL("n")};
    for (size_t i = 0; i < 3; i++) {
        json_t *description = describe_graph(rows, (int)(sizeof rows / sizeof rows[0]), "classes");
        const dcnn_net_edit edit = {.freeze = {1, (char *const *)(uintptr_t)freeze[i]}};
        const dcnn_plan_options options = {.grain = GRAIN, .slots = 1, .workers = 1, .training = true};
        dcnn_net *net;
        dcnn_plan *plan;
        assert_int_equal(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_OK);
        assert_int_equal(dcnn_net_edit_apply(&edit, &net), DCNN_OK);
        assert_int_equal(dcnn_plan_create(net, double_kernels(), &options, &plan), DCNN_OK);
        if (dcnn_plan_backward_count(plan) != backward[i])
            fail_msg("%s frozen: %d backward passes", freeze[i][0], dcnn_plan_backward_count(plan));
        dcnn_plan_free(plan);
        dcnn_net_free(net);
        json_decref(description);
    }
}

/* A RandomCrop of numbered pixels makes parts of the image, of each sample and epoch others; and at inference, or where
 * nothing is drawn, the whole, smaller. */
static void crops_are_parts_of_the_image(void **state) {
    (void)state;
    enum { SAMPLES = 8, SIDE = 9, H = 3, W = 4 };
    json_t *description = json_loads("{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":"
                                     "\"InputLayer\",\"config\":{\"batch_shape\":"
                                     "[null,9,9,1]}},{\"class_name\":\"RandomCrop\",\"config\":{\"height\":3,\"width\":"
                                     "4}},{\"class_name\":\"Flatten\"}]}}",
                                     0, NULL);
    const dcnn_plan_options options = {.grain = SAMPLES, .slots = 1, .workers = 1, .training = true};
    int64_t samples[SAMPLES];
    int seen = 0;
    dcnn_net *net;
    dcnn_plan *plan;
    assert_int_equal(dcnn_net_create(description, (dcnn_shape){0}, &net), DCNN_OK);
    json_decref(description);
    assert_int_equal(dcnn_net_set_loss(net, &(dcnn_loss){.kind = DCNN_LOSS_SQUARED}), DCNN_OK);
    assert_int_equal(dcnn_plan_create(net, double_kernels(), &options, &plan), DCNN_OK);
    for (int i = 0; i < SAMPLES * SIDE * SIDE; i++) dcnn_plan_input(plan, 0)[i] = (float)(i % (SIDE * SIDE));
    for (int i = 0; i < SAMPLES; i++) samples[i] = i;
    dcnn_plan_prepare(plan, 0);
    bool places[SIDE * SIDE] = {false};
    for (uint32_t epoch = 0; epoch < 20; epoch++) {
        dcnn_plan_run(plan, 0, 0, 0, &(dcnn_grain){.n = SAMPLES, .samples = samples, .seed = 3, .epoch = epoch});
        for (int n = 0; n < SAMPLES; n++) {
            const float *y = dcnn_plan_output(plan, 0) + n * H * W;
            const int first = (int)y[0];
            assert_true(first / SIDE <= SIDE - H && first % SIDE <= SIDE - W);
            for (int i = 0; i < H * W; i++) assert_true(y[i] == (float)(first + i / W * SIDE + i % W));
            seen += !places[first];
            places[first] = true;
        }
    }
    assert_true(seen > 36); /* of 42 */
    dcnn_plan_run(plan, 0, 0, 0, &(dcnn_grain){.n = 1, .clean = true});
    assert_true(dcnn_plan_output(plan, 0)[0] > 9.0f); /* of 7x9 pixels the first rectangle */
    dcnn_plan_free(plan);
    dcnn_net_free(net);
}

static void the_tables_are_covered(void **state) {
    (void)state;
    for (int kind = 0; kind < DCNN_LOSS_COUNT; kind++) {
        bool found = false;
        for (size_t j = 0; j < LOSSES; j++) found = found || losses[j].loss.kind == (dcnn_loss_kind)kind;
        if (!found) fail_msg("no case for the loss %s", dcnn_loss_name((dcnn_loss_kind)kind));
    }
    for (int i = 0; i < dcnn_layer_table_count; i++) {
        bool found = false;
        for (size_t j = 0; j < CASES; j++)
            found = found || strcmp(cases[j].class_name, dcnn_layer_table[i]->class_name) == 0;
        for (size_t j = 0; j < GRAPHS; j++)
            found = found || strcmp(graphs[j].what, dcnn_layer_table[i]->class_name) == 0;
        if (!found) fail_msg("no case for layer %s", dcnn_layer_table[i]->class_name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_covered),
        cmocka_unit_test(each_layer_has_its_gradient),
        cmocka_unit_test(each_graph_has_its_gradient),
        cmocka_unit_test(each_loss_has_its_gradient),
        cmocka_unit_test(weights_and_shares_of_one_change_nothing),
        cmocka_unit_test(regularizers_have_their_gradient),
        cmocka_unit_test(nothing_is_computed_below_the_lowest_trained_layer),
        cmocka_unit_test(grains_follow_the_batch),
        cmocka_unit_test(crops_are_parts_of_the_image),
        cmocka_unit_test(fused_operations_have_the_same_gradient),
        cmocka_unit_test(normalizations_go_into_weights),
        cmocka_unit_test(normalizations_before_a_pooling),
    };
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}
