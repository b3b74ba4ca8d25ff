/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpi_late.c — gradients on their way while the engine computes: in which buckets and when they set out, and weights
 * that are made of them late, or by the domain that has added them up.
 */
#include <math.h>

#include "engine_helpers.h"

/* What a step calls of these, in order: a letter each. */
static char called[32];
static void note_call(char letter) {
    const size_t length = strlen(called);
    if (length + 1 < sizeof called) called[length] = letter;
}

void __real_dcnn_comm_gradient_begin(dcnn_comm *comm, const dcnn_kernels *kernels, int bucket, dcnn_shares shares,
                                     size_t count, float *const *blocks, float *total);
void __wrap_dcnn_comm_gradient_begin(dcnn_comm *comm, const dcnn_kernels *kernels, int bucket, dcnn_shares shares,
                                     size_t count, float *const *blocks, float *total);
void __wrap_dcnn_comm_gradient_begin(dcnn_comm *comm, const dcnn_kernels *kernels, int bucket, dcnn_shares shares,
                                     size_t count, float *const *blocks, float *total) {
    note_call('g');
    __real_dcnn_comm_gradient_begin(comm, kernels, bucket, shares, count, blocks, total);
}

void __real_dcnn_comm_sum(dcnn_comm *comm, dcnn_shares shares, int count, const double *grain_sums, int stride,
                          double *totals, int *flag);
void __wrap_dcnn_comm_sum(dcnn_comm *comm, dcnn_shares shares, int count, const double *grain_sums, int stride,
                          double *totals, int *flag);
void __wrap_dcnn_comm_sum(dcnn_comm *comm, dcnn_shares shares, int count, const double *grain_sums, int stride,
                          double *totals, int *flag) {
    note_call('s');
    __real_dcnn_comm_sum(comm, shares, count, grain_sums, stride, totals, flag);
}

/* The ranks of a domain meet in a small sum, and what they published before may then be added and sent. */
static void a_stages_gradient_is_published_before_its_sum(void **state) {
    (void)state;
    dcnn_engine_options options = options_for(1, BATCH);
    dcnn_engine *engine = make_engine(everyone, &options);
    const dcnn_arrays batch = arrays_from(0, BATCH);
    dcnn_step_sums sums = {0};
    memset(called, 0, sizeof called);
    if (step_on(engine, &batch, 1, &sums) != DCNN_OK) fail_msg("%s", dcnn_error());
    assert_string_equal(called, "sgsg"); /* BatchNormalization; the loss and what is behind it; what is before it */
    dcnn_engine_free(engine);
}

/* Few are many here. */
static int many_domains = 1000;
bool __wrap_dcnn_comm_has_many_domains(const dcnn_comm *comm);
bool __wrap_dcnn_comm_has_many_domains(const dcnn_comm *comm) {
    return dcnn_comm_domain_count(comm) >= many_domains;
}

/* Vectors that were brought round. */
static int vectors_spread;
void __real_dcnn_comm_gradient_spread(dcnn_comm *comm, int bucket, float *vector);
void __wrap_dcnn_comm_gradient_spread(dcnn_comm *comm, int bucket, float *vector);
void __wrap_dcnn_comm_gradient_spread(dcnn_comm *comm, int bucket, float *vector) {
    vectors_spread++;
    __real_dcnn_comm_gradient_spread(comm, bucket, vector);
}

/* Where there is a network, gradients of a net without BatchNormalization set out before the backward pass is over, and
 * the first layer's on their own, for the next step waits for them; the bits do not know. */
static void buckets_are_cut_by_bytes(void **state) {
    (void)state;
    const char *const models[] = {wide_model, narrow_model};
    const dcnn_engine_options options = options_for(2, COUNT % BATCH);
    for (int i = 0; i < 2; i++) {
        dcnn_engine *ours, *mine;
        assert_int_equal(dcnn_engine_create(everyone, net_of(models[i]), NULL, NULL, &options, &ours), DCNN_OK);
        assert_int_equal(dcnn_engine_create(alone, net_of(models[i]), NULL, NULL, &options, &mine), DCNN_OK);
        const dcnn_net *a = dcnn_engine_net(ours), *b = dcnn_engine_net(mine);
        assert_int_equal(b->stage_count, 1);
        assert_int_equal(a->stage_count, dcnn_comm_domain_count(everyone) > 1 ? 3 : 1); /* forward, loss, backward */
        if (a->stage_count == 3 && models[i] == narrow_model)
            assert_int_equal(a->buckets[2].count, 48 + 16); /* 36 weights and 4 biases, on lines */
        const dcnn_step_sums all = train(ours), one = train(mine);
        assert_memory_equal(a->params, b->params, a->param_count * sizeof(float));
        assert_memory_equal(&all.loss, &one.loss, sizeof all.loss);
        dcnn_engine_free(mine);
        dcnn_engine_free(ours);
    }
}

static void expect_same(const dcnn_engine *ours, const dcnn_engine *mine) {
    const size_t bytes = dcnn_engine_net(ours)->param_count * sizeof(float);
    assert_memory_equal(dcnn_engine_net(ours)->params, dcnn_engine_net(mine)->params, bytes);
    assert_memory_equal(dcnn_engine_m(ours), dcnn_engine_m(mine), bytes);
    assert_memory_equal(dcnn_engine_v(ours), dcnn_engine_v(mine), bytes);
}

/* Where there is a network, steps that go on leave weights to be made by the next one, or by who wants to see them;
 * after a step that fails they are those of the step before. */
static void check_late_weights(void) {
    const char *const models[] = {model, wide_model, narrow_model};
    const dcnn_engine_options options = options_for(2, -1);
    bool fails = true;
    const dcnn_step failing = {
        .samples = BATCH, .number = 10, .rate = 1e-2, .feed = {fail_late, &fails}, .goes_on = true};
    for (int i = 0; i < 3; i++) {
        dcnn_engine *ours, *mine;
        assert_int_equal(dcnn_engine_create(everyone, net_of(models[i]), NULL, NULL, &options, &ours), DCNN_OK);
        assert_int_equal(dcnn_engine_create(alone, net_of(models[i]), NULL, NULL, &options, &mine), DCNN_OK);
        const dcnn_net *a = dcnn_engine_net(ours), *b = dcnn_engine_net(mine);
        const size_t bytes = a->param_count * sizeof(float);
        const dcnn_step_sums one = train(mine);
        goes_on = true;
        dcnn_step_sums all = train(ours);
        if (dcnn_comm_domain_count(everyone) > 1 && many_domains > dcnn_comm_domain_count(everyone))
            assert_true(memcmp(a->params, b->params, bytes) != 0); /* what others make may have come by now */
        assert_int_equal(dcnn_engine_step(ours, &failing, &all), DCNN_BAD_INPUT);
        goes_on = false;
        expect_same(ours, mine);
        assert_memory_equal(&all.loss, &one.loss, sizeof all.loss);
        goes_on = true;
        all = train(ours);
        goes_on = false;
        dcnn_engine_settle(ours);
        train(mine);
        expect_same(ours, mine);
        assert_memory_equal(dcnn_engine_gradient(ours), dcnn_engine_gradient(mine), bytes);
        goes_on = true;
        train(ours);
        goes_on = false;
        train(ours); /* nothing is left over */
        train(mine);
        train(mine);
        expect_same(ours, mine);
        dcnn_engine_free(mine);
        dcnn_engine_free(ours);
    }
}

static void late_weights_are_the_same(void **state) {
    (void)state;
    check_late_weights();
}

/* Of many domains each makes its part of them. */
static void shared_out_weights_are_the_same(void **state) {
    (void)state;
    many_domains = 2;
    vectors_spread = 0;
    check_late_weights();
    many_domains = 1000;
    assert_true((vectors_spread > 0) == (dcnn_comm_domain_count(everyone) > 1));
}

/* A loss that is no number is known before any weight is made. */
static void nothing_is_made_of_a_step_that_diverges(void **state) {
    (void)state;
    const dcnn_engine_options options = options_for(1, -1);
    static float wrong[BATCH * VALUES];
    const dcnn_arrays good = arrays_from(0, BATCH);
    dcnn_arrays bad = good;
    bad.x = wrong;
    for (size_t i = 0; i < BATCH * VALUES; i++) wrong[i] = NAN;
    many_domains = 2;
    dcnn_engine *ours = make_engine(everyone, &options), *mine = make_engine(alone, &options);
    dcnn_step_sums sums = {0};
    if (step_on(mine, &good, 1, &sums) != DCNN_OK) fail_msg("%s", dcnn_error());
    goes_on = true;
    if (step_on(ours, &good, 1, &sums) != DCNN_OK) fail_msg("%s", dcnn_error());
    assert_int_equal(step_on(ours, &bad, 2, &sums), DCNN_DIVERGED);
    goes_on = false;
    expect_same(ours, mine);
    many_domains = 1000;
    dcnn_engine_free(ours);
    dcnn_engine_free(mine);
}

/* Nodes may have other cores, and their ranks other threads: all go one way. */
static void ranks_of_other_threads_share_out_alike(void **state) {
    (void)state;
    const bool first = dcnn_comm_rank(everyone) == 0;
    const dcnn_engine_options options = options_for(first ? dcnn_comm_domain_count(everyone) + 1 : 1, COUNT % BATCH);
    const dcnn_engine_options one = options_for(1, COUNT % BATCH);
    many_domains = 2;
    dcnn_engine *ours = make_engine(everyone, &options), *mine = make_engine(alone, &one);
    goes_on = true;
    train(ours);
    goes_on = false;
    dcnn_engine_settle(ours);
    train(mine);
    expect_same(ours, mine);
    many_domains = 1000;
    dcnn_engine_free(mine);
    dcnn_engine_free(ours);
}

/* As where a trace cannot be written: nothing of it is left on its way. */
static void an_engine_ends_after_a_step_that_goes_on(void **state) {
    (void)state;
    const dcnn_engine_options options = options_for(1, COUNT % BATCH);
    for (many_domains = 2; many_domains <= 1000; many_domains += 998) {
        goes_on = true;
        dcnn_engine *first = make_engine(everyone, &options);
        train(first);
        dcnn_engine_free(first);
        goes_on = false;
        dcnn_engine *ours = make_engine(everyone, &options), *mine = make_engine(alone, &options);
        train(ours);
        train(mine);
        expect_same(ours, mine);
        dcnn_engine_free(mine);
        dcnn_engine_free(ours);
    }
    many_domains = 1000;
}

int main(int argc, char **argv) {
    if (!start_ranks(&argc, &argv)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stages_gradient_is_published_before_its_sum),
        cmocka_unit_test(buckets_are_cut_by_bytes),
        cmocka_unit_test(late_weights_are_the_same),
        cmocka_unit_test(shared_out_weights_are_the_same),
        cmocka_unit_test(nothing_is_made_of_a_step_that_diverges),
        cmocka_unit_test(ranks_of_other_threads_share_out_alike),
        cmocka_unit_test(an_engine_ends_after_a_step_that_goes_on),
    };
    return end_ranks(cmocka_run_group_tests_name("late", tests, NULL, NULL));
}
