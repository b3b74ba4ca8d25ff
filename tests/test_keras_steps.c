/* SPDX-License-Identifier: BSD-3-Clause */
/* test_keras_steps.c — small nets of all kinds, with each loss, optimizer, regularizer and constraint, trained for 20
 * steps beside real Keras, as tools/record_steps.py recorded it: outputs before, the loss of each step, weights after.
 */
#include <math.h>

#include "engine/engine.h"
#include "engine/evaluator.h"
#include "arrays_feed.h"
#include "expected_helpers.h"
#include "nn/layer.h"
#include "nn/net_edit.h"

enum { STEPS = 20, SAMPLES = 24, GRAIN = 4 };

/* Of single precision, on both sides; relative to the loss, and to a tensor's largest weight. */
static const double output_bound = 2e-6, loss_bound = 1e-5, weight_bound = 3e-5;

static hid_t file;

/* Rows of the tables that a recorded case trained. */
static bool trained_layer[100], trained_loss[DCNN_LOSS_COUNT], trained_optimizer[DCNN_OPTIMIZER_COUNT];

/* --- a case of the file ------------------------------------------------------------------------------------------- */

typedef struct recorded {
    const char *name;
    hid_t group;
    dcnn_net *net;
    dcnn_optimizer optimizer;
    int64_t batch;
    float *x, *targets;
    int32_t *labels;
} recorded;

static json_t *read_json(hid_t group, const char *attribute) {
    char *text;
    assert_ok(dcnn_h5_text_read(group, attribute, &text));
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    free(text);
    return json;
}

static double number(const json_t *config, const char *key) {
    return json_number_value(json_object_get(config, key));
}

static dcnn_optimizer read_optimizer(const recorded *r) {
    json_t *json = read_json(r->group, "optimizer");
    const json_t *config = json_object_get(json, "config");
    const char *class_name = json_string_value(json_object_get(json, "class_name"));
    dcnn_optimizer o = {.learning_rate = number(config, "learning_rate"),
                        .beta1 = number(config, "beta_1"),
                        .beta2 = number(config, "beta_2"),
                        .epsilon = number(config, "epsilon"),
                        .momentum = number(config, "momentum"),
                        .weight_decay = number(config, "weight_decay"),
                        .nesterov = json_is_true(json_object_get(config, "nesterov")),
                        .clip_norm = number(config, "global_clipnorm"),
                        .clip_value = number(config, "clipvalue")};
    if (json_is_true(json_object_get(config, "use_ema"))) o.ema_momentum = number(config, "ema_momentum");
    o.ema_overwrite = json_integer_value(json_object_get(config, "ema_overwrite_frequency"));
    while (dcnn_optimizer_table[o.kind].keras_class == NULL ||
           strcmp(dcnn_optimizer_table[o.kind].keras_class, class_name) != 0)
        o.kind++;
    if (json_object_get(config, "rho")) o.beta2 = number(config, "rho");
    if (o.kind == DCNN_MUON) {
        o.beta1 = number(config, "adam_beta_1");
        o.beta2 = number(config, "adam_beta_2");
    }
    json_decref(json);
    return o;
}

static void read_loss(const recorded *r) {
    json_t *json = read_json(r->group, "loss");
    const json_t *config = json_object_get(json, "config");
    const char *name =
        json_is_string(json) ? json_string_value(json) : json_string_value(json_object_get(json, "class_name"));
    const dcnn_loss loss = {
        .kind = dcnn_loss_find(name), .smoothing = number(config, "label_smoothing"), .delta = number(config, "delta")};
    assert_ok(dcnn_net_set_loss(r->net, &loss));
    json_decref(json);
}

/* Weights of all layers, each as one flat list. */
static void for_weights(const recorded *r, const char *when,
                        void (*take)(const recorded *, const char *place, const dcnn_param *, float *,
                                     const double *)) {
    for (int i = 0; i < r->net->node_count; i++) {
        const dcnn_node *node = &r->net->nodes[i];
        size_t count = 0, at = 0;
        char name[100];
        if (node->param_count == 0) continue;
        for (int j = 0; j < node->param_count; j++) count += node->params[j].count;
        snprintf(name, sizeof name, "%s/%s", when, node->name);
        double *values = read_doubles(r->group, name, (int64_t)count);
        for (int j = 0; j < node->param_count; at += node->params[j++].count)
            take(r, name, &node->params[j], dcnn_net_values(r->net, &node->params[j]), values + at);
        free(values);
    }
}

static void set_weights(const recorded *r, const char *place, const dcnn_param *param, float *w, const double *values) {
    (void)r;
    (void)place;
    for (size_t i = 0; i < param->count; i++) w[i] = (float)values[i];
}

static void compare_weights(const recorded *r, const char *place, const dcnn_param *param, float *w,
                            const double *expected) {
    double scale = 0.1;
    for (size_t i = 0; i < param->count; i++) scale = fmax(scale, fabs(expected[i]));
    for (size_t i = 0; i < param->count; i++)
        if (!(fabs((double)w[i] - expected[i]) <= weight_bound * scale))
            fail_msg("%s: %s, %s[%zu] is %.9g, Keras has %.9g", r->name, place, param->name, i, (double)w[i],
                     expected[i]);
}

static recorded read_case(const char *name) {
    recorded r = {.name = name, .group = H5Gopen2(file, name, H5P_DEFAULT)};
    char place[64];
    assert_true(r.group >= 0);
    r.net = read_described_net(r.group);
    read_loss(&r);
    r.optimizer = read_optimizer(&r);
    r.batch = read_integer(r.group, "batch");
    const dcnn_shape in = r.net->nodes[0].shape;
    const int64_t shape[4] = {SAMPLES, in.h, in.w, in.c}, outputs[2] = {SAMPLES, r.net->output_count};
    snprintf(place, sizeof place, "x/%dx%dx%d", in.h, in.w, in.c);
    r.x = allocate((size_t)SAMPLES * dcnn_shape_count(in), sizeof(float));
    assert_ok(dcnn_h5_read(file, place, DCNN_H5_FLOAT, 4, shape, r.x));
    if (dcnn_h5_has(r.group, "labels")) {
        r.labels = allocate(SAMPLES, sizeof *r.labels);
        assert_ok(dcnn_h5_read(r.group, "labels", DCNN_H5_INT32, 1, shape, r.labels));
    } else {
        r.targets = allocate((size_t)(SAMPLES * r.net->output_count), sizeof(float));
        assert_ok(dcnn_h5_read(r.group, "targets", DCNN_H5_FLOAT, 2, outputs, r.targets));
    }
    for_weights(&r, "before", set_weights);
    return r;
}

/* --- training ----------------------------------------------------------------------------------------------------- */

static void compare_outputs(const recorded *r, dcnn_comm *comm, dcnn_engine *engine) {
    const int outputs = r->net->output_count;
    const dcnn_plan_options options = {.grain = SAMPLES, .slots = 1, .workers = 1, .fuse = true};
    dcnn_plan *plan;
    (void)comm;
    assert_ok(dcnn_plan_create(r->net, dcnn_engine_kernels(engine), &options, &plan));
    memcpy(dcnn_plan_input(plan, 0), r->x, SAMPLES * dcnn_shape_count(r->net->nodes[0].shape) * sizeof(float));
    dcnn_plan_prepare(plan, 0);
    dcnn_plan_run(plan, 0, 0, 0, &(dcnn_grain){.n = SAMPLES});
    double *expected = read_doubles(r->group, "outputs", (int64_t)SAMPLES * outputs);
    const float *y = dcnn_plan_output(plan, 0);
    const bool logits = dcnn_net_output_activation(r->net) == DCNN_LINEAR && r->net->class_count > 0;
    for (int i = 0; i < SAMPLES * outputs && !logits; i++)
        if (!(fabs((double)y[i] - expected[i]) <= output_bound))
            fail_msg("%s: output %d is %.9g, Keras has %.9g", r->name, i, (double)y[i], expected[i]);
    free(expected);
    dcnn_plan_free(plan);
}

static void train_beside_keras(const char *name) {
    recorded r = read_case(name);
    dcnn_comm *comm;
    dcnn_engine *engine;
    const dcnn_engine_options options = {.grain = GRAIN,
                                         .threads = 1,
                                         .fuse = true,
                                         .batch_size = r.batch,
                                         .accumulate = 1,
                                         .values = r.targets != NULL,
                                         .optimizer = r.optimizer};
    if (r.net->untrainable[0]) fail_msg("%s: %s", name, r.net->untrainable);
    assert_ok(dcnn_comm_create_alone(&comm));
    if (dcnn_h5_attribute_has(r.group, "exclude")) {
        char *word;
        assert_ok(dcnn_h5_text_read(r.group, "exclude", &word));
        assert_ok(dcnn_net_set_decay(r.net, (dcnn_patterns){1, &word}));
        free(word);
    }
    assert_ok(dcnn_engine_create(comm, r.net, NULL, NULL, &options, &engine));
    compare_outputs(&r, comm, engine);
    const int64_t values = (int64_t)dcnn_shape_count(r.net->nodes[0].shape);
    double *losses = read_doubles(r.group, "losses", STEPS);
    for (int number = 0; number < STEPS; number++) {
        const int64_t at = number * r.batch % SAMPLES;
        const dcnn_arrays batch = {.count = r.batch,
                                   .values = values,
                                   .x = r.x + at * values,
                                   .labels = r.labels ? r.labels + at : NULL,
                                   .targets = r.targets ? r.targets + at * r.net->output_count : NULL,
                                   .outputs = r.net->output_count};
        const dcnn_step step = {.samples = r.batch,
                                .number = number + 1,
                                .rate = r.optimizer.learning_rate,
                                .feed = dcnn_arrays_feed(&batch)};
        dcnn_step_sums sums = {0};
        assert_ok(dcnn_engine_step(engine, &step, &sums));
        const double loss = sums.loss / (double)r.batch;
        if (!(fabs(loss - losses[number]) <= loss_bound * losses[number]))
            fail_msg("%s: step %d has loss %.9g, Keras has %.9g", name, number + 1, loss, losses[number]);
    }
    for_weights(&r, "after", compare_weights);
    for (int i = 0; i < dcnn_layer_table_count; i++)
        for (int j = 0; j < r.net->node_count; j++)
            trained_layer[i] = trained_layer[i] || r.net->nodes[j].layer == dcnn_layer_table[i];
    trained_loss[r.net->loss.kind] = trained_optimizer[r.optimizer.kind] = true;
    if (r.optimizer.ema_momentum > 0.0) {
        dcnn_engine_exchange(engine);
        for_weights(&r, "average", compare_weights);
    }
    free(losses);
    free(r.x);
    free(r.targets);
    free(r.labels);
    H5Gclose(r.group);
    dcnn_engine_free(engine);
    dcnn_comm_free(comm);
}

/* --- the cases ---------------------------------------------------------------------------------------------------- */

static herr_t run_case(hid_t group, const char *name, const H5L_info_t *info, void *kind) {
    char path[100];
    (void)group;
    (void)info;
    snprintf(path, sizeof path, "%s/%s", (const char *)kind, name);
    train_beside_keras(path);
    return 0;
}

static void run_all(const char *kind) {
    char text[16];
    snprintf(text, sizeof text, "%s", kind);
    hid_t group = H5Gopen2(file, kind, H5P_DEFAULT);
    assert_true(group >= 0);
    assert_true(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, run_case, text) >= 0);
    H5Gclose(group);
}

static void nets_train_as_in_keras(void **state) {
    (void)state;
    run_all("net");
}

static void regularizers_and_constraints_are_those_of_keras(void **state) {
    (void)state;
    run_all("rule");
}

static void losses_are_those_of_keras(void **state) {
    (void)state;
    run_all("loss");
}

static void optimizers_are_those_of_keras(void **state) {
    (void)state;
    run_all("optimizer");
}

/* Runs behind them. Keras has no LARS, and its LAMB is another (optimizer.h): test_optimizer.c has the papers'. */
static void every_row_of_the_tables_has_a_case(void **state) {
    (void)state;
    assert_true((size_t)dcnn_layer_table_count <= sizeof trained_layer);
    for (int i = 0; i < dcnn_layer_table_count; i++)
        if (!trained_layer[i]) fail_msg("no recorded net has the layer %s", dcnn_layer_table[i]->class_name);
    for (int i = 0; i < DCNN_LOSS_COUNT; i++)
        if (!trained_loss[i]) fail_msg("no recorded net has the loss %s", dcnn_loss_name((dcnn_loss_kind)i));
    for (int i = 0; i < DCNN_OPTIMIZER_COUNT; i++)
        if (!trained_optimizer[i] && i != DCNN_LAMB && i != DCNN_LARS)
            fail_msg("no recorded net has the optimizer %s", dcnn_optimizer_table[i].name);
}

/* What a net of one such layer makes of the recorded images. */
static void expect_random(hid_t group, const char *name, dcnn_net *net, bool training) {
    const int64_t shape[4] = {SAMPLES, 9, 7, 3};
    const size_t pixels = SAMPLES * 9 * 7 * 3, values = SAMPLES * (size_t)net->output_count;
    const dcnn_plan_options options = {.grain = SAMPLES, .slots = 1, .workers = 1, .training = training};
    const bool other = !training && dcnn_h5_has(group, "inference");
    int64_t samples[SAMPLES] = {0};
    dcnn_plan *plan;
    float *x = allocate(pixels, sizeof(float));
    assert_ok(dcnn_h5_read(file, "x/9x7x3", DCNN_H5_FLOAT, 4, shape, x));
    assert_ok(dcnn_plan_create(net, dcnn_kernels_of(dcnn_isa_best()), &options, &plan));
    memcpy(dcnn_plan_input(plan, 0), x, pixels * sizeof(float));
    dcnn_plan_prepare(plan, 0);
    dcnn_plan_run(plan, 0, 0, 0, &(dcnn_grain){.n = SAMPLES, .samples = samples});
    double *expected = training || other ? read_doubles(group, other ? "inference" : "y", (int64_t)values) : NULL;
    for (size_t i = 0; i < values; i++) {
        const double is = (double)dcnn_plan_output(plan, 0)[i], should = expected ? expected[i] : (double)x[i];
        if (!(fabs(is - should) <= 1e-5))
            fail_msg("%s%s: value %zu is %.7g, should be %.7g", name, training ? "" : " at inference", i, is, should);
    }
    free(expected);
    free(x);
    dcnn_plan_free(plan);
}

/* A layer that draws from a range of one value, on the recorded images, in training and at inference. */
static herr_t run_random(hid_t all, const char *name, const H5L_info_t *info, void *nothing) {
    hid_t group = H5Gopen2(all, name, H5P_DEFAULT);
    (void)info;
    (void)nothing;
    json_t *description = json_pack("{s:s, s:{s:[{s:s, s:{s:[n,i,i,i]}}, o, {s:s, s:{}}]}}", "class_name", "Sequential",
                                    "config", "layers", "class_name", "InputLayer", "config", "batch_shape", 9, 7, 3,
                                    read_json(group, "layer"), "class_name", "Flatten", "config");
    dcnn_net *net;
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &net));
    assert_ok(dcnn_net_set_loss(net, &(dcnn_loss){.kind = DCNN_LOSS_SQUARED})); /* outputs are as they come */
    for (int training = 0; training < 2; training++) expect_random(group, name, net, training == 1);
    dcnn_net_free(net);
    json_decref(description);
    H5Gclose(group);
    return 0;
}

static void random_layers_are_those_of_keras(void **state) {
    (void)state;
    hid_t group = H5Gopen2(file, "random", H5P_DEFAULT);
    assert_true(group >= 0);
    assert_true(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, run_random, NULL) >= 0);
    H5Gclose(group);
}

static int open_file(void **state) {
    (void)state;
    return dcnn_h5_open(DCNN_SOURCE_DIR "/tests/expected/keras_steps.h5", &file, NULL) == DCNN_OK ? 0 : -1;
}

static int close_file(void **state) {
    (void)state;
    dcnn_h5_close(file);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nets_train_as_in_keras),
        cmocka_unit_test(regularizers_and_constraints_are_those_of_keras),
        cmocka_unit_test(losses_are_those_of_keras),
        cmocka_unit_test(optimizers_are_those_of_keras),
        cmocka_unit_test(every_row_of_the_tables_has_a_case),
        cmocka_unit_test(random_layers_are_those_of_keras),
    };
    return cmocka_run_group_tests(tests, open_file, close_file);
}
