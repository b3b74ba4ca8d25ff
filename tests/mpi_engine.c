/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpi_engine.c — the engine on arrays, without files: what it trains with all ranks is what it trains alone, its sums
 * are exact, a failure of one rank's feed is everyone's, and its clock sees every thread.
 */
#include <math.h>

#include "engine/evaluator.h"
#include "engine_helpers.h"

/* How often the share of a batch was asked for: once a size of batch that set-up walks, in each of its passes. */
static int64_t shares_asked;
dcnn_shares __real_dcnn_comm_shares(const dcnn_comm *comm, int64_t grains);
dcnn_shares __wrap_dcnn_comm_shares(const dcnn_comm *comm, int64_t grains);
dcnn_shares __wrap_dcnn_comm_shares(const dcnn_comm *comm, int64_t grains) {
    shares_asked++;
    return __real_dcnn_comm_shares(comm, grains);
}

static int64_t sizes_walked(int64_t grains, int64_t last_batch) {
    dcnn_engine_options options = options_for(1, last_batch);
    options.batch_size = grains * GRAIN;
    shares_asked = 0;
    dcnn_engine_free(make_engine(everyone, &options));
    return shares_asked;
}

/* Setting up costs what the batches cost that occur, not what all smaller ones would. */
static void only_sizes_that_occur_are_walked(void **state) {
    (void)state;
    const int64_t two = sizes_walked(2, GRAIN);
    assert_true(two > 0);
    assert_int_equal(sizes_walked(200, 3 * GRAIN), two);
    assert_true(sizes_walked(200, -1) >= 200); /* any: all of them */
}

static void many_ranks_train_what_one_trains(void **state) {
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        const dcnn_engine_options fixed = options_for(threads, COUNT % BATCH), any = options_for(3 - threads, -1);
        dcnn_engine *ours = make_engine(everyone, &fixed), *mine = make_engine(alone, &any);
        const dcnn_step_sums all = train(ours), one = train(mine);
        const dcnn_net *a = dcnn_engine_net(ours), *b = dcnn_engine_net(mine);
        assert_memory_equal(a->params, b->params, a->param_count * sizeof(float));
        assert_memory_equal(a->state, b->state, a->state_count * sizeof(float));
        assert_memory_equal(dcnn_engine_m(ours), dcnn_engine_m(mine), a->param_count * sizeof(float));
        assert_memory_equal(&all.loss, &one.loss, sizeof all.loss);
        assert_int_equal(all.correct, one.correct);
        assert_true(one.loss < 0.5 * COUNT); /* a guess has log 4 = 1.39 a sample */

        dcnn_evaluator *evaluator;
        dcnn_evaluation evaluation;
        const dcnn_arrays data = arrays_from(0, COUNT);
        assert_int_equal(dcnn_evaluator_create(everyone, dcnn_engine_pool(ours), dcnn_engine_kernels(ours),
                                               dcnn_engine_net(ours), GRAIN, true, 0, &evaluator),
                         DCNN_OK);
        const dcnn_evaluation_options want = {.want_probabilities = true};
        assert_int_equal(dcnn_evaluator_run(evaluator, COUNT, dcnn_arrays_feed(&data), &want, &evaluation), DCNN_OK);
        int64_t sum = 0;
        for (int i = 0; i < CLASSES * CLASSES; i++) sum += evaluation.confusion[i];
        assert_int_equal(sum, COUNT);
        assert_true(evaluation.correct > COUNT * 3 / 4);
        assert_int_equal(evaluation.probabilities != NULL, everyone->rank == 0);
        int64_t hits = 0;
        for (int64_t i = 0; evaluation.probabilities && i < COUNT; i++) {
            const float *row = evaluation.probabilities + i * CLASSES;
            int best = 0;
            for (int c = 1; c < CLASSES; c++)
                if (row[c] > row[best]) best = c;
            hits += best == labels[i];
        }
        if (everyone->rank == 0) assert_int_equal(hits, evaluation.correct);
        dcnn_evaluation_free(&evaluation);
        dcnn_evaluator_free(evaluator);
        dcnn_engine_free(mine);
        dcnn_engine_free(ours);
    }
}

/* Two batches a step are not one batch of both (BatchNormalization), but the same step however they are cut. */
static void a_step_of_several_batches_is_the_same_on_any_ranks(void **state) {
    (void)state;
    dcnn_engine_options options = options_for(2, -1);
    options.accumulate = 3;
    dcnn_engine *ours = make_engine(everyone, &options), *mine = make_engine(alone, &options);
    const dcnn_arrays all = arrays_from(0, COUNT);
    dcnn_step_sums a = {0}, b = {0};
    for (int64_t number = 1; number <= 2; number++) {
        assert_int_equal(step_on(ours, &all, number, &a), DCNN_OK);
        assert_int_equal(step_on(mine, &all, number, &b), DCNN_OK);
    }
    const dcnn_net *net = dcnn_engine_net(ours);
    assert_memory_equal(net->params, dcnn_engine_net(mine)->params, net->param_count * sizeof(float));
    assert_memory_equal(&a.loss, &b.loss, sizeof a.loss);
    dcnn_engine_free(mine);
    dcnn_engine_free(ours);
}

/* Dropout before, where it would be half of what the layer sees in training. */
static const char normalized[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"layers\": ["
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 10, 10, 1]}},"
    "{\"class_name\": \"Dropout\", \"config\": {\"rate\": 0.5}},"
    "{\"class_name\": \"BatchNormalization\", \"config\": {\"name\": \"first\"}},"
    "{\"class_name\": \"Conv2D\", \"config\": {\"filters\": 6, \"kernel_size\": 3, \"activation\": \"relu\"}},"
    "{\"class_name\": \"BatchNormalization\", \"config\": {\"momentum\": 0.5}},"
    "{\"class_name\": \"Flatten\", \"config\": {}},"
    "{\"class_name\": \"Dense\", \"config\": {\"units\": 4, \"activation\": \"softmax\"}}]}}";

/* The first layer's are the mean and variance of all samples; the second's are the same bytes on any ranks; the phases
 * of the steps before are as they were. */
static void statistics_are_those_of_all_samples(void **state) {
    (void)state;
    const char *usual = model_in_use;
    model_in_use = normalized;
    double sum = 0.0, squares = 0.0, before_s[DCNN_PHASE_COUNT], after_s[DCNN_PHASE_COUNT];
    for (int i = 0; i < COUNT * VALUES; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    const double mean = sum / (COUNT * VALUES), variance = squares / (COUNT * VALUES) - mean * mean;
    const dcnn_engine_options fixed = options_for(2, COUNT % BATCH), any = options_for(1, -1);
    dcnn_engine *ours = make_engine(everyone, &fixed), *mine = make_engine(alone, &any);
    const dcnn_arrays data = arrays_from(0, COUNT), odd = arrays_from(0, 7);
    train(ours);
    train(mine);
    dcnn_engine_phases(ours, before_s);
    assert_int_equal(dcnn_engine_statistics(ours, COUNT, 0, dcnn_arrays_feed(&data)), DCNN_OK);
    assert_int_equal(dcnn_engine_statistics(mine, COUNT, 0, dcnn_arrays_feed(&data)), DCNN_OK);
    dcnn_engine_phases(ours, after_s);
    assert_memory_equal(before_s, after_s, sizeof before_s);
    const dcnn_net *a = dcnn_engine_net(ours), *b = dcnn_engine_net(mine);
    assert_memory_equal(a->state, b->state, a->state_count * sizeof(float));
    const dcnn_node *first = &a->nodes[2];
    assert_string_equal(first->name, "first");
    assert_float_equal(*dcnn_net_values(a, &first->params[2]), mean, 1e-6);
    assert_float_equal(*dcnn_net_values(a, &first->params[3]), variance, 1e-6);
    assert_int_equal(dcnn_engine_statistics(ours, 7, 0, dcnn_arrays_feed(&odd)), DCNN_USAGE);
    assert_string_equal(dcnn_error(), "statistics of 7 samples: the engine was not made for a last batch of 7");
    dcnn_engine_free(mine);
    dcnn_engine_free(ours);
    model_in_use = usual;
}

/* By Keras' formula, from the weights after each step, and there as a step returns, whichever rank made them; an engine
 * that starts from another's goes on with it; weights and averages change places and back. */
static void averages_follow_the_weights(void **state) {
    (void)state;
    enum { STEPS = 60 };
    const double momentum = 0.7;
    dcnn_engine_options options = options_for(2, -1);
    options.optimizer.ema_momentum = momentum;
    dcnn_engine *engine = make_engine(everyone, &options), *next = NULL;
    const dcnn_arrays batch = arrays_from(0, BATCH);
    dcnn_step_sums sums = {0};
    const dcnn_net *net = dcnn_engine_net(engine);
    const size_t bytes = net->param_count * sizeof(float);
    float *expected = malloc(bytes), *weights = malloc(bytes), *at_once = malloc(bytes);
    bool all_there = true;
    for (int64_t number = 1; number <= STEPS; number++) {
        assert_int_equal(step_on(engine, &batch, number, &sums), DCNN_OK);
        memcpy(at_once, dcnn_engine_average(engine), bytes);
        for (size_t i = 0; i < net->param_count; i++)
            expected[i] = number == 1
                              ? net->params[i]
                              : (float)(momentum * (double)expected[i] + (1.0 - momentum) * (double)net->params[i]);
        all_there = all_there && memcmp(at_once, expected, bytes) == 0;
        dcnn_comm_domain_barrier(everyone);
        if (number != STEPS / 2) continue;
        dcnn_net *copy;
        assert_int_equal(dcnn_net_copy(net, &copy), DCNN_OK);
        options.average = expected; /* which it copies */
        assert_int_equal(dcnn_engine_create(alone, copy, dcnn_engine_m(engine), dcnn_engine_v(engine), &options, &next),
                         DCNN_OK);
        dcnn_comm_domain_barrier(everyone);
    }
    for (int64_t number = STEPS / 2 + 1; number <= STEPS; number++)
        assert_int_equal(step_on(next, &batch, number, &sums), DCNN_OK);
    dcnn_comm_domain_barrier(everyone);
    assert_memory_equal(dcnn_engine_average(next), expected, bytes);
    memcpy(weights, net->params, bytes);
    dcnn_engine_exchange(engine);
    assert_memory_equal(net->params, expected, bytes);
    assert_memory_equal(dcnn_engine_average(engine), weights, bytes);
    dcnn_engine_exchange(engine);
    assert_memory_equal(net->params, weights, bytes);
    dcnn_comm_domain_barrier(everyone);
    assert_true(all_there);
    free(expected);
    free(weights);
    free(at_once);
    dcnn_engine_free(next);
    dcnn_engine_free(engine);
}

/* The last grain's rank cannot read it: no rank trains, all say why; the next step works. */
static void a_feed_that_fails_fails_on_all_ranks(void **state) {
    (void)state;
    const dcnn_engine_options options = options_for(2, 0);
    dcnn_engine *engine = make_engine(everyone, &options);
    bool fails = true;
    dcnn_step step = {.samples = BATCH, .number = 1, .rate = 1e-2, .feed = {fail_late, &fails}};
    dcnn_step_sums sums = {0};
    dcnn_net *fresh = make_net();
    assert_int_equal(dcnn_engine_step(engine, &step, &sums), DCNN_BAD_INPUT);
    assert_string_equal(dcnn_error(), "sample 24 cannot be read");
    assert_memory_equal(dcnn_engine_net(engine)->params, fresh->params, fresh->param_count * sizeof(float));
    fails = false;
    assert_int_equal(dcnn_engine_step(engine, &step, &sums), DCNN_OK);
    assert_true(memcmp(dcnn_engine_net(engine)->params, fresh->params, fresh->param_count * sizeof(float)) != 0);

    dcnn_evaluator *evaluator;
    dcnn_evaluation evaluation;
    fails = true;
    assert_int_equal(dcnn_evaluator_create(everyone, dcnn_engine_pool(engine), dcnn_engine_kernels(engine),
                                           dcnn_engine_net(engine), GRAIN, true, 0, &evaluator),
                     DCNN_OK);
    assert_int_equal(dcnn_evaluator_run(evaluator, BATCH, step.feed, NULL, &evaluation), DCNN_BAD_INPUT);
    assert_string_equal(dcnn_error(), "sample 24 cannot be read");
    dcnn_evaluator_free(evaluator);
    dcnn_net_free(fresh);
    dcnn_engine_free(engine);
}

static int stop_of_last_rank(void) {
    return everyone->rank == everyone->size - 1 ? 15 : 0;
}

static void what_cannot_be_done_is_said(void **state) {
    (void)state;
    dcnn_engine_options options = options_for(1, COUNT % BATCH);
    options.stop_flag = stop_of_last_rank;
    dcnn_engine *engine = make_engine(everyone, &options);
    dcnn_step_sums sums = {0};
    const dcnn_arrays none = arrays_from(0, 0), odd = arrays_from(0, 7), two = arrays_from(0, 2 * BATCH);
    assert_int_equal(step_on(engine, &none, 1, &sums), DCNN_USAGE);
    assert_int_equal(step_on(engine, &two, 1, &sums), DCNN_USAGE);
    assert_int_equal(step_on(engine, &odd, 1, &sums), DCNN_USAGE);
    assert_string_equal(dcnn_error(),
                        "a step of 7 samples: the engine was made for steps of up to 24 in batches of 24");
    dcnn_arrays unlabelled = arrays_from(0, BATCH);
    unlabelled.labels = NULL;
    assert_int_equal(step_on(engine, &unlabelled, 1, &sums), DCNN_USAGE);
    assert_string_equal(dcnn_error(), "training and evaluation need labels");
    const dcnn_arrays good = arrays_from(0, BATCH);
    assert_int_equal(step_on(engine, &good, 1, &sums), DCNN_OK);
    assert_int_equal(sums.stop, 15);
    dcnn_engine_net(engine)->params[0] = NAN;
    assert_int_equal(step_on(engine, &good, 2, &sums), DCNN_DIVERGED);
    assert_string_equal(dcnn_error(), "the loss became not a number");
    dcnn_engine_free(engine);
}

/* A penalty beyond all numbers ends the step, on all ranks, before any weight has changed. */
static void a_penalty_that_is_no_number_changes_nothing(void **state) {
    (void)state;
    static const char strict[] = "{\"class_name\": \"Sequential\", \"config\": {\"layers\": ["
                                 "{\"class_name\": \"InputLayer\", \"config\": {\"batch_shape\": [null, 10, 10, 1]}},"
                                 "{\"class_name\": \"Flatten\", \"config\": {}},"
                                 "{\"class_name\": \"Dense\", \"config\": {\"units\": 4, \"activation\": \"softmax\","
                                 " \"kernel_regularizer\": {\"class_name\": \"L2\", \"config\": {\"l2\": 1e308}}}}]}}";
    const char *const usual = model_in_use;
    const dcnn_engine_options options = options_for(1, 0);
    const dcnn_arrays good = arrays_from(0, BATCH);
    dcnn_step_sums sums = {0};
    model_in_use = strict;
    dcnn_engine *engine = make_engine(everyone, &options);
    dcnn_net *fresh = make_net();
    assert_int_equal(step_on(engine, &good, 1, &sums), DCNN_DIVERGED);
    assert_string_equal(dcnn_error(), "the regularizers' part of the loss became infinite or not a number");
    assert_memory_equal(dcnn_engine_net(engine)->params, fresh->params, fresh->param_count * sizeof(float));
    dcnn_net_free(fresh);
    dcnn_engine_free(engine);
    model_in_use = usual;
}

/* One grain on several threads: whoever computes it, the rank's forward and backward time is there, and the phases are
 * the whole of the step. */
static void the_clock_sees_every_thread(void **state) {
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        const dcnn_engine_options options = options_for(threads, GRAIN);
        dcnn_engine *engine = make_engine(alone, &options);
        const dcnn_arrays grain = arrays_from(0, GRAIN);
        dcnn_step_sums sums = {0};
        double phases_s[DCNN_PHASE_COUNT], sum = 0.0;
        for (int64_t number = 1; number <= 5; number++)
            assert_int_equal(step_on(engine, &grain, number, &sums), DCNN_OK);
        dcnn_engine_phases(engine, phases_s);
        for (int i = 0; i < DCNN_PHASE_COUNT; i++) {
            if (phases_s[i] < -1e-9) fail_msg("%s took %g s", dcnn_phase_names[i], phases_s[i]);
            sum += phases_s[i];
        }
        assert_true(phases_s[DCNN_PHASE_FORWARD] > 0.0 && phases_s[DCNN_PHASE_BACKWARD] > 0.0);
        assert_true(phases_s[DCNN_PHASE_LOAD] > 0.0);
        assert_true(sum > threads * phases_s[DCNN_PHASE_FORWARD]); /* one of them computed, the others waited */
        dcnn_engine_forget_times(engine);
        dcnn_engine_phases(engine, phases_s);
        for (int i = 0; i < DCNN_PHASE_COUNT; i++) assert_true(phases_s[i] == 0.0);
        assert_int_equal(dcnn_engine_share(engine, GRAIN), GRAIN);
        dcnn_engine_free(engine);
    }
    int64_t shares = 0;
    const dcnn_engine_options options = options_for(1, COUNT % BATCH);
    dcnn_engine *engine = make_engine(everyone, &options);
    shares = dcnn_engine_share(engine, COUNT % BATCH);
    dcnn_comm_add_integers(everyone, &shares, 1);
    assert_int_equal(shares, COUNT % BATCH);
    dcnn_engine_free(engine);
}

/* --- scores ------------------------------------------------------------------------------------------------------- */

/* This rank's part of samples that all hold. */
static dcnn_predictions part_of(dcnn_comm *comm, int64_t count, int outputs, const float *predicted,
                                const float *values) {
    const dcnn_shares shares = dcnn_comm_shares(comm, (count + GRAIN - 1) / GRAIN);
    const int64_t first = shares.first * GRAIN, end = (shares.first + shares.count) * GRAIN;
    const int64_t last = end < count ? end : count;
    return (dcnn_predictions){.shares = shares,
                              .grain = GRAIN,
                              .count = last > first ? last - first : 0,
                              .outputs = outputs,
                              .predicted = predicted + first * outputs,
                              .stride = outputs,
                              .values = values + first * outputs};
}

enum { SCORED = 61, OUTPUTS = 3 };

static void labels_are_counted_exactly(void **state) {
    (void)state;
    float predicted[SCORED * OUTPUTS], values[SCORED * OUTPUTS];
    dcnn_label_scores scores[OUTPUTS], same[OUTPUTS];
    double auc, same_auc;
    for (int i = 0; i < SCORED * OUTPUTS; i++) {
        values[i] = i * 7 % 5 < 2 || i % OUTPUTS == 2 ? 1.0f : 0.0f; /* the last label has each sample */
        predicted[i] = i % 11 == 0 ? values[i] : (float)test_uniform(1, (uint64_t)i, 0, 1) * 0.7f + 0.3f * values[i];
    }
    const dcnn_predictions ours = part_of(everyone, SCORED, OUTPUTS, predicted, values);
    const dcnn_predictions mine = part_of(alone, SCORED, OUTPUTS, predicted, values);
    assert_int_equal(dcnn_scores_labels(everyone, &ours, scores, &auc), DCNN_OK);
    assert_int_equal(dcnn_scores_labels(alone, &mine, same, &same_auc), DCNN_OK);
    assert_memory_equal(scores, same, sizeof scores);
    assert_memory_equal(&auc, &same_auc, sizeof auc);
    for (int j = 0; j < OUTPUTS; j++) {
        int64_t hits = 0, alarms = 0, misses = 0, with = 0;
        double area = 0, last[2] = {0, 0};
        for (int i = j; i < SCORED * OUTPUTS; i += OUTPUTS) {
            const bool there = values[i] > 0.5f, said = predicted[i] > 0.5f;
            with += there;
            hits += there && said;
            alarms += !there && said;
            misses += there && !said;
        }
        for (int k = 199; k >= 0; k--) { /* Keras' thresholds, from the highest down */
            const float threshold = k == 199 ? 1.0000001f : k == 0 ? -1e-7f : (float)(k / 199.0);
            double now[2] = {0, 0};
            for (int i = j; i < SCORED * OUTPUTS; i += OUTPUTS) now[values[i] > 0.5f] += predicted[i] > threshold;
            now[1] /= (double)with;
            now[0] /= (double)(SCORED - with);
            area += (now[0] - last[0]) * (now[1] + last[1]) / 2;
            memcpy(last, now, sizeof last);
        }
        assert_int_equal(scores[j].true_positives, hits);
        assert_int_equal(scores[j].false_positives, alarms);
        assert_int_equal(scores[j].false_negatives, misses);
        assert_int_equal(scores[j].true_negatives, SCORED - hits - alarms - misses);
        assert_true(with == SCORED ? isnan(scores[j].auc) : fabs(scores[j].auc - area) < 1e-12);
    }
}

static void numbers_are_measured_exactly(void **state) {
    (void)state;
    float predicted[SCORED * OUTPUTS], values[SCORED * OUTPUTS];
    dcnn_number_scores scores[OUTPUTS], same[OUTPUTS];
    for (int i = 0; i < SCORED * OUTPUTS; i++) {
        values[i] = i % OUTPUTS == 1 ? 4.0f : (float)test_uniform(2, (uint64_t)i, -3, 5); /* one never changes */
        predicted[i] = values[i] + (float)test_uniform(3, (uint64_t)i, -1, 1);
    }
    const dcnn_predictions ours = part_of(everyone, SCORED, OUTPUTS, predicted, values);
    const dcnn_predictions mine = part_of(alone, SCORED, OUTPUTS, predicted, values);
    assert_int_equal(dcnn_scores_numbers(everyone, &ours, SCORED, scores), DCNN_OK);
    assert_int_equal(dcnn_scores_numbers(alone, &mine, SCORED, same), DCNN_OK);
    assert_memory_equal(scores, same, sizeof scores);
    for (int j = 0; j < OUTPUTS; j++) {
        double absolute = 0, squared = 0, mean = 0, spread = 0;
        for (int i = j; i < SCORED * OUTPUTS; i += OUTPUTS) mean += (double)values[i] / SCORED;
        for (int i = j; i < SCORED * OUTPUTS; i += OUTPUTS) {
            const double error = (double)predicted[i] - (double)values[i], away = (double)values[i] - mean;
            absolute += fabs(error) / SCORED;
            squared += error * error / SCORED;
            spread += away * away / SCORED;
        }
        assert_true(fabs(scores[j].absolute - absolute) < 1e-12 && fabs(scores[j].squared - squared) < 1e-12);
        assert_true(j == 1 ? isnan(scores[j].r2) : fabs(scores[j].r2 - (1 - squared / spread)) < 1e-9);
    }
}

int main(int argc, char **argv) {
    if (!start_ranks(&argc, &argv)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_sizes_that_occur_are_walked),
        cmocka_unit_test(many_ranks_train_what_one_trains),
        cmocka_unit_test(a_step_of_several_batches_is_the_same_on_any_ranks),
        cmocka_unit_test(statistics_are_those_of_all_samples),
        cmocka_unit_test(averages_follow_the_weights),
        cmocka_unit_test(labels_are_counted_exactly),
        cmocka_unit_test(numbers_are_measured_exactly),
        cmocka_unit_test(a_feed_that_fails_fails_on_all_ranks),
        cmocka_unit_test(what_cannot_be_done_is_said),
        cmocka_unit_test(a_penalty_that_is_no_number_changes_nothing),
        cmocka_unit_test(the_clock_sees_every_thread),
    };
    return end_ranks(cmocka_run_group_tests_name("engine", tests, NULL, NULL));
}
