/* SPDX-License-Identifier: BSD-3-Clause */
/* test_expected.c — one training step of whole nets against tools/make_expected.py: numpy, double precision, no line of
 * code in common. Each net runs with every instruction set, fused and unfused, in grains of 4 and of 16. */
#include <math.h>

#include "expected_helpers.h"
#include "nn/optimizers/optimizer.h"
#include "nn/plan/plan.h"

/* Errors allowed, relative to the largest magnitude of what is compared; DCNN_TEST_VERBOSE=1 prints those found. */
static const double probability_bound = 2e-6, loss_bound = 2e-6, gradient_bound = 2e-5, state_bound = 5e-7,
                    after_bound = 5e-7;

/* One net on one table of kernels. */
typedef struct trial {
    hid_t file;
    char label[80];
    dcnn_net *net;
    const dcnn_kernels *kernels;
    dcnn_plan_options options;
    int64_t n;         /* samples */
    float *inputs;     /* [n, ...] */
    int32_t *labels;   /* [n] */
    int64_t *samples;  /* [n] */
    float *dparams;    /* [grains, param_count] */
    double *gradient;  /* [param_count] the grains' sum */
    double *sums;      /* [grains, sum_count_max] */
    double loss, hits; /* of the step */
    double worst[5];   /* largest errors found, as parts of their bounds */
} trial;

/* --- what the file says ----------------------------------------------------------------------------------------- */

static void read_samples(trial *t) {
    int rank;
    int64_t shape[DCNN_H5_MAX_RANK];
    assert_ok(dcnn_h5_shape(t->file, "inputs", &rank, shape));
    t->n = shape[0];
    t->inputs = allocate((size_t)t->n * dcnn_shape_count(t->net->nodes[0].shape), sizeof(float));
    t->labels = allocate((size_t)t->n, sizeof *t->labels);
    t->samples = allocate((size_t)t->n, sizeof *t->samples);
    assert_ok(dcnn_h5_read(t->file, "inputs", DCNN_H5_FLOAT, rank, shape, t->inputs));
    assert_ok(dcnn_h5_read(t->file, "labels", DCNN_H5_INT32, 1, &t->n, t->labels));
    for (int64_t i = 0; i < t->n; i++) t->samples[i] = i;
}

/* --- closeness -------------------------------------------------------------------------------------------------- */

/* Fails unless each value is within bound * the largest expected magnitude (or `scale`); a NaN fails. */
static void compare(trial *t, int kind, const char *what, size_t count, const double *actual, const double *expected,
                    double bound, double scale) {
    for (size_t i = 0; i < count; i++) scale = fmax(scale, fabs(expected[i]));
    assert_true(isfinite(scale));
    for (size_t i = 0; i < count; i++) {
        const double error = fabs(actual[i] - expected[i]) / scale;
        if (!(error <= bound))
            fail_msg("%s: %s[%zu] is %.9g, expected %.9g (error %.2e of %.3g, allowed %.2e)", t->label, what, i,
                     actual[i], expected[i], error, scale, bound);
        if (error / bound > t->worst[kind]) t->worst[kind] = error / bound;
    }
}

/* The sampled elements of a weight tensor, against data set WHAT/LAYER/WEIGHT. */
static void compare_sampled(trial *t, int kind, const char *what, const dcnn_node *node, const dcnn_param *param,
                            const double *values, double bound, double scale) {
    char name[160];
    snprintf(name, sizeof name, "%s/%s/%s", what, node->name, param->name);
    const size_t count = param->count < 256 ? param->count : 256;
    double *expected = read_doubles(t->file, name, (int64_t)count), *actual = allocate(count, sizeof *actual);
    for (size_t i = 0; i < count; i++) actual[i] = values[i * param->count / count];
    compare(t, kind, name, count, actual, expected, bound, scale);
    free(expected);
    free(actual);
}

/* --- one step --------------------------------------------------------------------------------------------------- */

static int64_t grain_count(const trial *t) {
    return (t->n + t->options.grain - 1) / t->options.grain;
}

static dcnn_grain grain_of(const trial *t, int64_t index, int64_t sum_stride) {
    const int64_t first = index * t->options.grain, left = t->n - first;
    return (dcnn_grain){.n = (int)(left < t->options.grain ? left : t->options.grain),
                        .samples = t->samples + first,
                        .targets = {.labels = t->labels + first},
                        .dparams = t->dparams ? t->dparams + (size_t)index * t->net->param_count : NULL,
                        .sums = t->sums + index * sum_stride};
}

static void put_inputs(const trial *t, const dcnn_plan *plan, int slot, int64_t grain_index, int n) {
    const size_t floats = dcnn_shape_count(t->net->nodes[0].shape);
    memcpy(dcnn_plan_input(plan, slot), t->inputs + (size_t)grain_index * (size_t)t->options.grain * floats,
           (size_t)n * floats * sizeof(float));
}

static void keep_probabilities(const trial *t, const dcnn_plan *plan, int64_t grain_index, int n, double *kept) {
    const int classes = t->net->class_count;
    for (int i = 0; i < n * classes; i++)
        kept[grain_index * t->options.grain * classes + i] = (double)dcnn_plan_output(plan, 0)[i];
}

/* Runs all stages; leaves the gradient's sum in t->gradient. */
static void run_step(trial *t, double *probabilities) {
    dcnn_plan *plan;
    const int64_t grains = grain_count(t);
    t->options.slots = (int)grains;
    assert_ok(dcnn_plan_create(t->net, t->kernels, &t->options, &plan));
    const int stride = dcnn_plan_sum_count_max(plan);
    t->sums = allocate((size_t)(grains * stride), sizeof(double));
    t->dparams = allocate((size_t)grains * t->net->param_count, sizeof(float));
    memset(t->dparams, 0xff, (size_t)grains * t->net->param_count * sizeof(float)); /* NaN where nothing is written */
    double *totals = allocate((size_t)stride, sizeof *totals);
    dcnn_plan_prepare(plan, 0);
    for (int stage = 0; stage < dcnn_plan_stage_count(plan); stage++) {
        const int sum_count = dcnn_plan_sum_count(plan, stage);
        memset(totals, 0, (size_t)stride * sizeof *totals);
        for (int64_t g = 0; g < grains; g++) {
            dcnn_grain grain = grain_of(t, g, stride);
            if (stage == 0) put_inputs(t, plan, (int)g, g, grain.n);
            dcnn_plan_run(plan, stage, (int)g, 0, &grain);
            for (int i = 0; i < sum_count; i++) totals[i] += grain.sums[i];
            if (stage == t->net->loss_stage) keep_probabilities(t, plan, g, grain.n, probabilities);
        }
        if (stage == t->net->loss_stage) {
            const double *loss = totals + sum_count - DCNN_LOSS_SUMS;
            t->loss = loss[DCNN_SUM_LOSS];
            t->hits = loss[DCNN_SUM_CORRECT];
            assert_true(loss[DCNN_SUM_SAMPLES] == (double)t->n);
        }
        dcnn_plan_agreed(plan, stage, totals, t->n);
    }
    t->gradient = allocate(t->net->param_count, sizeof(double));
    for (int64_t g = 0; g < grains; g++)
        for (size_t i = 0; i < t->net->param_count; i++)
            t->gradient[i] += (double)t->dparams[(size_t)g * t->net->param_count + i];
    free(totals);
    dcnn_plan_free(plan);
}

static void run_inference(trial *t, double *probabilities) {
    dcnn_plan *plan;
    dcnn_plan_options options = t->options;
    options.slots = 1;
    options.training = false;
    assert_ok(dcnn_plan_create(t->net, t->kernels, &options, &plan));
    dcnn_plan_prepare(plan, 0);
    for (int64_t g = 0; g < grain_count(t); g++) {
        dcnn_grain grain = grain_of(t, g, 0);
        grain.targets = (dcnn_targets){0};
        put_inputs(t, plan, 0, g, grain.n);
        dcnn_plan_run(plan, 0, 0, 0, &grain);
        keep_probabilities(t, plan, g, grain.n, probabilities);
    }
    dcnn_plan_free(plan);
}

/* Adam's step STEP from moments by formula, on one tensor. */
static void step_tensor(trial *t, const dcnn_adam_step *step, const dcnn_param *param, uint64_t *random_m,
                        uint64_t *random_v, double *after) {
    float *m = allocate(param->count, sizeof *m), *v = allocate(param->count, sizeof *v);
    float *gradient = allocate(param->count, sizeof *gradient), *values = dcnn_net_values(t->net, param);
    for (size_t i = 0; i < param->count; i++) {
        m[i] = (float)(0.02 * next_unit(random_m));
        v[i] = (float)(4e-4 + 3e-4 * next_unit(random_v));
        gradient[i] = (float)t->gradient[param->offset + i];
    }
    t->kernels->adam(param->count, step, gradient, m, v, values);
    for (size_t i = 0; i < param->count; i++) after[i] = (double)values[i];
    free(m);
    free(v);
    free(gradient);
}

/* --- comparing -------------------------------------------------------------------------------------------------- */

/* Elements alone would miss an error elsewhere; these four numbers see every element. */
static void compare_totals(trial *t, const dcnn_node *node, const dcnn_param *param, const double *gradient) {
    char name[160];
    snprintf(name, sizeof name, "totals/%s/%s", node->name, param->name);
    double *expected = read_doubles(t->file, name, 4), actual[4] = {0};
    for (size_t i = 0; i < param->count; i++) {
        const double g = gradient[i];
        actual[0] += g * g;
        actual[1] = isnan(g) ? g : fmax(actual[1], fabs(g));
        actual[2] += g;
        actual[3] += g * ((double)(i * 7919 % 1009) / 1009.0 - 0.5);
    }
    actual[0] = sqrt(actual[0]);
    /* the sums of many elements are compared on the scale of their norm: they may cancel to nearly nothing */
    const double scale = expected[0] * fmax(1.0, sqrt((double)param->count) / 16.0);
    compare(t, 2, name, 4, actual, expected, gradient_bound, scale);
    free(expected);
}

static void compare_step(trial *t) {
    const dcnn_optimizer adam = {.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7};
    const dcnn_adam_step step = dcnn_adam_at(&adam, read_integer(t->file, "step"), t->n);
    uint64_t random_m = (uint64_t)read_integer(t->file, "seed") + 1, random_v = random_m + 1;
    for (int i = 0; i < t->net->node_count; i++) {
        const dcnn_node *node = &t->net->nodes[i];
        for (int j = 0; j < node->param_count; j++) {
            const dcnn_param *param = &node->params[j];
            double *values = allocate(param->count, sizeof *values);
            if (param->trainable) {
                const double *gradient = t->gradient + param->offset;
                compare_totals(t, node, param, gradient);
                compare_sampled(t, 2, "gradient", node, param, gradient, gradient_bound, 0.0);
                step_tensor(t, &step, param, &random_m, &random_v, values);
                compare_sampled(t, 4, "after", node, param, values, after_bound, 0.0);
            } else {
                for (size_t k = 0; k < param->count; k++) values[k] = (double)dcnn_net_values(t->net, param)[k];
                compare_sampled(t, 3, "state", node, param, values, state_bound, 0.0);
            }
            free(values);
        }
    }
}

static void compare_outputs(trial *t, const char *what, const double *actual) {
    const int64_t count = t->n * t->net->class_count;
    double *expected = read_doubles(t->file, what, count);
    compare(t, 0, what, (size_t)count, actual, expected, probability_bound, 1.0);
    free(expected);
}

static void run_trial(trial *t) {
    t->net = read_described_net(t->file);
    set_drawn_weights(t->file, t->net);
    read_samples(t);
    double *probabilities = allocate((size_t)(t->n * t->net->class_count), sizeof *probabilities), loss;
    run_inference(t, probabilities);
    compare_outputs(t, "inference", probabilities);
    run_step(t, probabilities);
    compare_outputs(t, "probabilities", probabilities);
    assert_ok(dcnn_h5_attribute_read(t->file, "loss_sum", DCNN_H5_DOUBLE, -1, &loss));
    compare(t, 1, "loss", 1, &t->loss, &loss, loss_bound, 0.0);
    assert_true(t->hits == (double)read_integer(t->file, "correct"));
    compare_step(t);
    if (getenv("DCNN_TEST_VERBOSE"))
        printf("%-40s errors as parts of their bounds: probabilities %.2f, loss %.2f, gradient %.2f, state %.2f, after "
               "the step %.2f\n",
               t->label, t->worst[0], t->worst[1], t->worst[2], t->worst[3], t->worst[4]);
    free(probabilities);
    free(t->inputs);
    free(t->labels);
    free(t->samples);
    free(t->dparams);
    free(t->gradient);
    free(t->sums);
    dcnn_net_free(t->net);
}

static void run_net(const char *name) {
    char path[512];
    hid_t file;
    snprintf(path, sizeof path, "%s/tests/expected/%s.h5", DCNN_SOURCE_DIR, name);
    assert_ok(dcnn_h5_open(path, &file, NULL));
    for (int isa = 0; isa <= (int)dcnn_isa_best(); isa++)
        for (int fuse = 0; fuse < 2; fuse++)
            for (int grain = 4; grain <= 16; grain += 12) {
                trial t = {.file = file,
                           .kernels = dcnn_kernels_of((dcnn_isa)isa),
                           .options = {.grain = grain, .workers = 1, .training = true, .fuse = fuse}};
                snprintf(t.label, sizeof t.label, "%s, %s%s, grain %d", name, dcnn_isa_name((dcnn_isa)isa),
                         fuse ? ", fused" : "", grain);
                run_trial(&t);
            }
    dcnn_h5_close(file);
}

static void test_every_layer(void **state) {
    (void)state;
    run_net("every_layer");
}

static void test_pooled(void **state) {
    (void)state;
    run_net("pooled");
}

static void test_digits(void **state) {
    (void)state;
    run_net("digits");
}

/* What a net says of four images, by the forward pass of training or at inference. */
static void answers_of(dcnn_net *net, int isa, bool training, float answers[12]) {
    const dcnn_plan_options options = {.grain = 4, .slots = 1, .workers = 1, .training = training, .fuse = true};
    const int64_t samples[4] = {0, 1, 2, 3};
    const int32_t labels[4] = {0, 1, 2, 0};
    double sums[DCNN_LOSS_SUMS];
    float *gradient = allocate(net->param_count, sizeof *gradient);
    uint64_t random = 5;
    const dcnn_grain grain = {
        .n = 4, .samples = samples, .targets = {.labels = labels}, .dparams = gradient, .sums = sums};
    dcnn_plan *plan;
    assert_ok(dcnn_plan_create(net, dcnn_kernels_of((dcnn_isa)isa), &options, &plan));
    assert_int_equal(dcnn_plan_stage_count(plan), 1);
    for (size_t i = 0; i < 4 * dcnn_shape_count(net->nodes[0].shape); i++)
        dcnn_plan_input(plan, 0)[i] = (float)(2 * next_unit(&random) - 1);
    dcnn_plan_prepare(plan, 0);
    dcnn_plan_run(plan, 0, 0, 0, &grain);
    memcpy(answers, dcnn_plan_output(plan, 0), 12 * sizeof *answers);
    dcnn_plan_free(plan);
    free(gradient);
}

/* A convolution that is pooled may be done by other tiles at inference than in training, whose bits are other ones; not
 * in frozen layers at the front, of which what training made may be kept. */
static void test_tiles_of_inference(void **state) {
    (void)state;
    for (int frozen = 0; frozen < 2; frozen++) {
        json_t *description = json_pack(
            "{s:s, s:{s:[{s:s, s:{s:[n,i,i,i]}}, {s:s, s:{s:i, s:i, s:s, s:s, s:b}}, {s:s, s:{}}, {s:s, s:{}}, {s:s, "
            "s:{s:i, s:s}}]}}",
            "class_name", "Sequential", "config", "layers", "class_name", "InputLayer", "config", "batch_shape", 8, 8,
            20, "class_name", "Conv2D", "config", "filters", 24, "kernel_size", 3, "padding", "same", "activation",
            "relu", "trainable", !frozen, "class_name", "MaxPooling2D", "config", "class_name", "Flatten", "config",
            "class_name", "Dense", "config", "units", 3, "activation", "softmax");
        dcnn_net *net;
        assert_non_null(description);
        assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &net));
        json_decref(description);
        dcnn_net_initialise(net, 8);
        float first[12], plain[12];
        answers_of(net, DCNN_ISA_REFERENCE, false, plain);
        for (int isa = DCNN_ISA_GENERIC; isa <= (int)dcnn_isa_best(); isa++) {
            float inference[12], training[12];
            answers_of(net, isa, false, inference);
            answers_of(net, isa, true, training);
            if (isa == DCNN_ISA_GENERIC) memcpy(first, inference, sizeof first);
            assert_memory_equal(inference, first, sizeof first);
            assert_int_equal(memcmp(inference, training, sizeof training) == 0, frozen);
            for (int i = 0; i < 12; i++) {
                assert_true(fabs((double)(inference[i] - plain[i])) <= probability_bound);
                assert_true(fabs((double)(training[i] - plain[i])) <= probability_bound);
            }
        }
        dcnn_net_free(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layer),
        cmocka_unit_test(test_pooled),
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_tiles_of_inference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
