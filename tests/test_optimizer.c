/* SPDX-License-Identifier: BSD-3-Clause */
/* test_optimizer.c — steps of each optimizer and rates of each schedule against tools/make_expected.py, which writes
 * the papers' formulas out in numpy; and that a step's bits do not depend on how it is shared out. */
#include <math.h>

#include "expected_helpers.h"
#include "nn/optimizers/optimizer.h"
#include "nn/optimizers/schedule.h"

/* Relative to the largest magnitude of a tensor. */
static const double weight_bound = 1e-6;

static hid_t file;

/* Like the ranks and threads of a run: how a step is cut. */
typedef struct sharing {
    size_t floats;  /* of a range, whole cache lines */
    int64_t chunks; /* measured at a time */
    int parts;      /* of a phase */
} sharing;

static const sharing whole = {SIZE_MAX / 2, INT64_MAX / 2, 1}, cut = {16 * 37, 1, 7};

static double read_double(hid_t where, const char *name) {
    double value;
    assert_ok(dcnn_h5_attribute_read(where, name, DCNN_H5_DOUBLE, -1, &value));
    return value;
}

static hid_t open_object(const char *name) {
    hid_t object = H5Oopen(file, name, H5P_DEFAULT);
    assert_true(object >= 0);
    return object;
}

/* --- optimizers ------------------------------------------------------------------------------------------------- */

static dcnn_optimizer settings_of(dcnn_optimizer_kind kind) {
    hid_t group = open_object(dcnn_optimizer_table[kind].name);
    const dcnn_optimizer optimizer = {.kind = kind,
                                      .learning_rate = read_double(group, "learning_rate"),
                                      .beta1 = read_double(group, "beta_1"),
                                      .beta2 = read_double(group, "beta_2"),
                                      .epsilon = read_double(group, "epsilon"),
                                      .momentum = read_double(group, "momentum"),
                                      .nesterov = kind == DCNN_MUON,
                                      .weight_decay = read_double(group, "weight_decay"),
                                      .trust_coefficient = read_double(group, "trust_coefficient")};
    H5Oclose(group);
    return optimizer;
}

static void draw_gradient(const dcnn_net *net, int step, float *gradient) {
    uint64_t state = (uint64_t)read_integer(file, "seed") + 1 + (uint64_t)step;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            for (size_t k = 0; param->trainable && k < param->count; k++)
                gradient[param->offset + k] = (float)(96 * next_unit(&state));
        }
}

static void for_ranges(const dcnn_update *update, size_t count, size_t at_once,
                       void (*part)(const dcnn_update *, dcnn_range)) {
    for (size_t at = 0; at < count; at += at_once)
        part(update, (dcnn_range){at, count - at < at_once ? count - at : at_once});
}

static void step_once(dcnn_update *update, size_t count, sharing shares, double rate, int step) {
    dcnn_update_begin(update, rate, step, read_integer(file, "samples"));
    if (dcnn_update_wants_norms(update)) {
        for_ranges(update, count, shares.floats, dcnn_update_directions);
        for (int64_t at = 0; at < update->chunk_count; at += shares.chunks)
            dcnn_update_measure(update, at, shares.chunks);
    }
    for (int phase = 0; phase < dcnn_update_phases(update); phase++)
        for (int part = 0; part < shares.parts; part++) dcnn_update_phase(update, phase, part, shares.parts);
    for_ranges(update, count, shares.floats, dcnn_update_apply);
}

/* What matrices need beside the vectors; NULL if nothing. */
static void *place_matrices(dcnn_update *update) {
    void *block = NULL;
    dcnn_arena arena = {0};
    dcnn_muon_place(&update->muon, &arena);
    if (arena.used > 0) assert_ok(dcnn_block_create(arena.used, "matrices", &block));
    arena = (dcnn_arena){.base = block};
    dcnn_muon_place(&update->muon, &arena);
    return block;
}

/* Twenty steps from the file's weights. */
static dcnn_net *train(dcnn_optimizer_kind kind, dcnn_isa isa, sharing shares) {
    dcnn_net *net = read_described_net(file);
    const dcnn_optimizer optimizer = settings_of(kind);
    dcnn_update update;
    set_drawn_weights(file, net);
    assert_ok(dcnn_update_create(net, dcnn_kernels_of(isa), &optimizer, &update));
    update.norms = allocate((size_t)update.chunk_count, sizeof *update.norms);
    update.gradient = allocate(net->param_count, sizeof(float));
    update.m = allocate(net->param_count, sizeof(float));
    update.v = allocate(net->param_count, sizeof(float));
    update.params = net->params;
    void *matrices = place_matrices(&update);
    for (int step = 0; step < 20; step++) {
        draw_gradient(net, step, update.gradient);
        step_once(&update, net->param_count, shares, optimizer.learning_rate * (1.0 + 0.1 * step), step + 1);
    }
    free(update.norms);
    free(update.gradient);
    free(update.m);
    free(update.v);
    dcnn_block_free(matrices);
    dcnn_update_free(&update);
    return net;
}

static void compare_tensor(const char *kind, const dcnn_net *net, const dcnn_node *node, const dcnn_param *param) {
    char name[200];
    snprintf(name, sizeof name, "%s/%s/%s", kind, node->name, param->name);
    const size_t count = param->count < 256 ? param->count : 256;
    double *expected = read_doubles(file, name, (int64_t)count), scale = 0.0;
    for (size_t i = 0; i < count; i++) scale = fmax(scale, fabs(expected[i]));
    for (size_t i = 0; i < count; i++) {
        const double actual = (double)dcnn_net_values(net, param)[i * param->count / count];
        if (!(fabs(actual - expected[i]) <= weight_bound * scale))
            fail_msg("%s[%zu] is %.9g, expected %.9g", name, i, actual, expected[i]);
    }
    free(expected);
}

static void steps_are_those_of_the_papers(void **state) {
    (void)state;
    for (int kind = 0; kind < DCNN_OPTIMIZER_COUNT; kind++)
        for (int isa = 0; isa <= (int)dcnn_isa_best(); isa++) {
            dcnn_net *net = train((dcnn_optimizer_kind)kind, (dcnn_isa)isa, whole);
            for (int i = 0; i < net->node_count; i++)
                for (int j = 0; j < net->nodes[i].param_count; j++)
                    if (net->nodes[i].params[j].trainable)
                        compare_tensor(dcnn_optimizer_table[kind].name, net, &net->nodes[i], &net->nodes[i].params[j]);
            dcnn_net_free(net);
        }
}

static void a_step_has_the_same_bits_however_it_is_shared_out(void **state) {
    (void)state;
    for (int kind = 0; kind < DCNN_OPTIMIZER_COUNT; kind++)
        for (int isa = 0; isa <= (int)dcnn_isa_best(); isa++) {
            dcnn_net *one = train((dcnn_optimizer_kind)kind, (dcnn_isa)isa, whole);
            dcnn_net *many = train((dcnn_optimizer_kind)kind, (dcnn_isa)isa, cut);
            assert_memory_equal(one->params, many->params, one->param_count * sizeof(float));
            dcnn_net_free(one);
            dcnn_net_free(many);
        }
}

/* Norms of nothing, and gradients of nothing: a ratio of 1, and no NaN. */
static void norms_of_zero_do_no_harm(void **state) {
    (void)state;
    for (int kind = DCNN_LARS; kind <= DCNN_LAMB; kind++)
        for (int zero_weights = 0; zero_weights < 2; zero_weights++) {
            dcnn_net *net = read_described_net(file);
            const dcnn_optimizer optimizer = settings_of((dcnn_optimizer_kind)kind);
            dcnn_update update;
            if (!zero_weights) set_drawn_weights(file, net);
            assert_ok(dcnn_update_create(net, dcnn_kernels_of(dcnn_isa_best()), &optimizer, &update));
            update.norms = allocate((size_t)update.chunk_count, sizeof *update.norms);
            float *zeros = allocate(3 * net->param_count, sizeof(float));
            update.gradient = zeros;
            update.m = zeros + net->param_count;
            update.v = zeros + 2 * net->param_count;
            update.params = net->params;
            if (zero_weights) draw_gradient(net, 0, update.gradient);
            step_once(&update, net->param_count, whole, 0.01, 1);
            for (size_t i = 0; i < net->param_count; i++) assert_true(isfinite(net->params[i]));
            assert_true(zero_weights == 0 || net->params[0] != 0.0f);
            free(update.norms);
            free(zeros);
            dcnn_update_free(&update);
            dcnn_net_free(net);
        }
}

/* Clipping by value and by norm is a step with the gradient clipped beforehand; Nesterov's step by its formula. */
static void clipped_and_nesterov_steps_are_right(void **state) {
    (void)state;
    for (int trial = 0; trial < 3; trial++) {
        dcnn_net *net = read_described_net(file);
        dcnn_optimizer optimizer = {.kind = DCNN_SGD, .momentum = 0.9, .nesterov = trial == 2};
        dcnn_update update;
        set_drawn_weights(file, net);
        const size_t count = net->param_count;
        const double samples = (double)read_integer(file, "samples"), rate = 0.03;
        float *gradient = allocate(count, sizeof(float)), *before = allocate(count, sizeof(float));
        float *m = allocate(count, sizeof(float));
        draw_gradient(net, 0, gradient);
        memcpy(before, net->params, count * sizeof(float));
        double squares = 0.0, *g = allocate(count, sizeof(double));
        for (size_t i = 0; i < count; i++) squares += pow((double)gradient[i] / samples, 2);
        optimizer.clip_value = trial == 0 ? 0.7 : 0.0;
        optimizer.clip_norm = trial == 1 ? sqrt(squares) / 3 : 0.0;
        for (size_t i = 0; i < count; i++) {
            g[i] = (double)gradient[i] / samples;
            if (trial == 0) g[i] = fmax(-0.7, fmin(0.7, g[i]));
            if (trial == 1) g[i] /= 3;
        }
        assert_ok(dcnn_update_create(net, dcnn_kernels_of(dcnn_isa_best()), &optimizer, &update));
        update.norms = allocate((size_t)update.chunk_count, sizeof *update.norms);
        update.gradient = gradient;
        update.m = m;
        update.params = net->params;
        step_once(&update, count, cut, rate, 1);
        for (size_t i = 0; i < count; i++) {
            const double step = trial == 2 ? 1.9 * rate * g[i] : rate * g[i];
            assert_true(fabs((double)net->params[i] - ((double)before[i] - step)) <= 3e-7);
        }
        free(update.norms);
        free(gradient);
        free(before);
        free(m);
        free(g);
        dcnn_update_free(&update);
        dcnn_net_free(net);
    }
}

/* --- schedules -------------------------------------------------------------------------------------------------- */

static void rates_are_those_of_keras_and_pytorch(void **state) {
    (void)state;
    for (int kind = 0; kind < DCNN_SCHEDULE_RESTARTS; kind++) { /* the others: below */
        char name[64];
        snprintf(name, sizeof name, "schedule/%s", dcnn_schedule_names[kind]);
        hid_t object = open_object(name);
        const dcnn_schedule schedule = {.kind = (dcnn_schedule_kind)kind,
                                        .warmup_epochs = read_double(object, "warmup_epochs"),
                                        .decay_rate = read_double(object, "decay_rate"),
                                        .decay_epochs = read_double(object, "decay_epochs")};
        const int64_t epochs = read_integer(object, "epochs"), epoch_steps = read_integer(object, "epoch_steps");
        H5Oclose(object);
        double *expected = read_doubles(file, name, epochs * epoch_steps);
        for (int64_t step = 0; step < epochs * epoch_steps; step++) {
            const double rate = dcnn_schedule_rate(&schedule, 2.0, step, epochs, epoch_steps);
            if (!(fabs(rate - 2.0 * expected[step]) <= 1e-13))
                fail_msg("%s: step %d has rate %.17g, expected %.17g", name, (int)step, rate, 2.0 * expected[step]);
        }
        free(expected);
    }
}

/* What Keras 3 says, in float32: CosineDecayRestarts(2.0, 10)(s) and PolynomialDecay(2.0, 40, 0.0, 2.0)(s). */
static void restarts_and_powers_are_those_of_keras(void **state) {
    (void)state;
    static const struct {
        int64_t step;
        double rate;
    } restarts[] = {{0, 2.0},           {3, 1.58778524}, {9, 0.0489435196}, {10, 2.0},           {15, 1.70710683},
                    {29, 0.0123116374}, {30, 2.0},       {50, 0.99999994},  {69, 0.00308263302}, {70, 2.0}},
      powers[] = {{0, 2.0}, {1, 1.90125012}, {20, 0.5}, {39, 0.00124999764}, {40, 0.0}};
    const dcnn_schedule cycles = {.kind = DCNN_SCHEDULE_RESTARTS, .decay_epochs = 2.0};
    const dcnn_schedule square = {.kind = DCNN_SCHEDULE_POLYNOMIAL, .decay_power = 2.0};
    for (size_t i = 0; i < sizeof restarts / sizeof restarts[0]; i++)
        assert_true(fabs(dcnn_schedule_rate(&cycles, 2.0, restarts[i].step, 20, 5) - restarts[i].rate) < 1e-6);
    for (size_t i = 0; i < sizeof powers / sizeof powers[0]; i++)
        assert_true(fabs(dcnn_schedule_rate(&square, 2.0, powers[i].step, 8, 5) - powers[i].rate) < 1e-6);
}

/* What Keras 3 says, in float32: CosineDecay(0.0, 30, warmup_target=2.0, warmup_steps=10)(s), which is a run of 8
 * epochs of 5 steps with a warm-up of 2; and PiecewiseConstantDecay([9, 22], [2.0, 0.6, 0.02])(s), whose boundaries are
 * the last steps before epochs 2 and 4.6 end. */
static void warm_ups_and_pieces_are_those_of_keras(void **state) {
    (void)state;
    static const struct {
        int64_t step;
        double rate;
    } cosine[] = {{0, 0},           {1, 0.200000003}, {5, 1},           {9, 1.79999995},    {10, 2},
                  {11, 1.99452186}, {20, 1.5},        {25, 0.99999994}, {39, 0.00547808409}},
      constant[] = {{0, 2}, {9, 2}, {10, 0.600000024}, {22, 0.600000024}, {23, 0.0199999996}, {39, 0.0199999996}};
    const dcnn_schedule warm = {.kind = DCNN_SCHEDULE_COSINE, .warmup_epochs = 2.0, .keras_warmup = true};
    dcnn_schedule pieces = {.kind = DCNN_SCHEDULE_PIECEWISE};
    assert_ok(dcnn_schedule_read_pieces("2=0.3,4.6=0.01", &pieces));
    for (size_t i = 0; i < sizeof cosine / sizeof cosine[0]; i++)
        assert_true(fabs(dcnn_schedule_rate(&warm, 2.0, cosine[i].step, 8, 5) - cosine[i].rate) < 1e-6);
    for (size_t i = 0; i < sizeof constant / sizeof constant[0]; i++)
        assert_true(fabs(dcnn_schedule_rate(&pieces, 2.0, constant[i].step, 8, 5) - constant[i].rate) < 1e-6);
    static const char *const bad[] = {"", "2", "2=", "2=0", "0=0.1", "3=0.1,2=0.1", "2=0.1,", "2=0.1x", "2=nan"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(dcnn_schedule_read_pieces(bad[i], &pieces), DCNN_USAGE);
}

/* The end, and runs of a step or two. */
static void rates_of_the_shortest_runs_are_sound(void **state) {
    (void)state;
    for (int kind = 0; kind < DCNN_SCHEDULE_COUNT; kind++)
        for (int64_t steps = 1; steps < 6; steps++)
            for (int64_t step = 0; step <= steps; step++) {
                const dcnn_schedule schedule = {.kind = (dcnn_schedule_kind)kind,
                                                .warmup_epochs = 0.25,
                                                .decay_rate = 0.1,
                                                .decay_epochs = 5.0,
                                                .decay_power = 2.0};
                const double rate = dcnn_schedule_rate(&schedule, 1.0, step, 1, steps);
                assert_true(isfinite(rate) && rate >= 0.0 && rate <= 1.0);
            }
}

static void rates_follow_the_batch(void **state) {
    (void)state;
    assert_true(dcnn_rate_factor(DCNN_RATE_SCALE_NONE, 8192) == 1.0);
    assert_true(dcnn_rate_factor(DCNN_RATE_SCALE_SQRT, 8192) == 8.0);
    assert_true(dcnn_rate_factor(DCNN_RATE_SCALE_LINEAR, 8192) == 64.0);
    assert_true(dcnn_rate_factor(DCNN_RATE_SCALE_LINEAR, 128) == 1.0);
    assert_true(dcnn_rate_factor(DCNN_RATE_SCALE_SQRT, 32) == 0.5);
}

static int open_file(void **state) {
    (void)state;
    return dcnn_h5_open(DCNN_SOURCE_DIR "/tests/expected/optimizers.h5", &file, NULL) == DCNN_OK ? 0 : -1;
}

static int close_file(void **state) {
    (void)state;
    dcnn_h5_close(file);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_those_of_the_papers),
        cmocka_unit_test(a_step_has_the_same_bits_however_it_is_shared_out),
        cmocka_unit_test(norms_of_zero_do_no_harm),
        cmocka_unit_test(clipped_and_nesterov_steps_are_right),
        cmocka_unit_test(rates_are_those_of_keras_and_pytorch),
        cmocka_unit_test(restarts_and_powers_are_those_of_keras),
        cmocka_unit_test(warm_ups_and_pieces_are_those_of_keras),
        cmocka_unit_test(rates_of_the_shortest_runs_are_sound),
        cmocka_unit_test(rates_follow_the_batch),
    };
    return cmocka_run_group_tests(tests, open_file, close_file);
}
