/* SPDX-License-Identifier: BSD-3-Clause */
/* test_history.c — a run's metrics: lines that are kept, the files that are made of them, and histograms by hand. */
#include "report_helpers.h"

#include "run/record/histogram.h"
#include "run/record/metrics.h"
#include "run/record/run_folder.h"

static const char *folder;

/* A file of the run as a text to be freed; NULL: it is not there, or empty. */
static char *text_of(const char *name) {
    char path[600];
    uint8_t *bytes;
    size_t length;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct stat about;
    if (stat(path, &about) != 0 || about.st_size == 0) return NULL;
    assert_int_equal(dcnn_file_read(path, &bytes, &length), DCNN_OK);
    return (char *)bytes;
}

static int lines_of(const char *name) {
    char *text = text_of(name);
    int count = 0;
    for (const char *at = text; at && *at; at++) count += *at == '\n';
    free(text);
    return count;
}

/* The value of a key of a file's line, from 0. */
static double value_of(const char *name, int line, const char *key) {
    char *text = text_of(name), *at = text;
    assert_non_null(text);
    for (; line > 0; line--) at = strchr(at, '\n') + 1;
    json_t *json = json_loadb(at, strcspn(at, "\n"), 0, NULL);
    const double value = json_number_value(json_object_get(json, key));
    assert_non_null(json_object_get(json, key));
    json_decref(json);
    free(text);
    return value;
}

static void each_line_goes_to_its_file(void **state) {
    (void)state;
    char *history = NULL;
    const dcnn_step_metrics steps[] = {{1, 50, 0.7, 0.75, 1e-3, 1.7e9, false},
                                       {1, 100, 0.1 + 0.2, 0.5, 9e-4, 1.7e9 + 1, false}};
    const dcnn_epoch_metrics epoch = {.epoch = 1, .steps = 120, .loss = 1.0 / 3, .correct = 30, .count = 40};
    assert_int_equal(dcnn_history_append_steps(&history, 0, NULL), DCNN_OK);
    assert_null(history);
    assert_int_equal(dcnn_history_append_steps(&history, 2, steps), DCNN_OK);
    assert_int_equal(dcnn_history_write(folder, history), DCNN_OK);
    assert_int_equal(lines_of("steps.jsonl"), 2);
    assert_int_equal(lines_of("metrics.jsonl"), 0);
    assert_null(text_of("histograms.jsonl"));
    const double before = dcnn_wall_time();
    assert_int_equal(dcnn_history_append(&history, &epoch), DCNN_OK);
    assert_int_equal(dcnn_history_append_steps(&history, 1, steps), DCNN_OK);
    assert_int_equal(dcnn_history_write(folder, history), DCNN_OK);
    assert_int_equal(lines_of("steps.jsonl"), 3);
    assert_int_equal(lines_of("metrics.jsonl"), 1);
    assert_int_equal(lines_of("metrics.csv"), 2);
    assert_true(value_of("steps.jsonl", 1, "loss") == 0.1 + 0.2); /* to the last bit */
    assert_true(value_of("steps.jsonl", 1, "step") == 100);
    assert_true(value_of("metrics.jsonl", 0, "loss") == 1.0 / 3);
    assert_true(value_of("metrics.jsonl", 0, "accuracy") == 0.75);
    assert_true(value_of("metrics.jsonl", 0, "wall_time") >= before);
    free(history);
}

/* What a run that goes on from before the first of them must not keep. */
static void files_without_lines_are_removed(void **state) {
    (void)state;
    char *history = NULL;
    assert_int_equal(dcnn_history_append_steps(&history, 1, &(dcnn_step_metrics){.epoch = 1, .step = 1}), DCNN_OK);
    assert_int_equal(dcnn_history_write(folder, history), DCNN_OK);
    assert_int_equal(lines_of("steps.jsonl"), 1);
    assert_int_equal(dcnn_history_write(folder, NULL), DCNN_OK);
    assert_int_not_equal(access(in_scratch("run/steps.jsonl"), F_OK), 0);
    assert_int_equal(access(in_scratch("run/metrics.jsonl"), F_OK), 0);
    free(history);
}

static void histograms_of_weights_and_gradients(void **state) {
    (void)state;
    const fake_run run = {"histograms", 3, 1, 8, 8, 1, 1, false, false, false, 1};
    dcnn_net *net = fake_net(&run);
    float *gradient = calloc(net->param_count, sizeof *gradient);
    char *history = NULL;
    for (size_t i = 0; i < net->param_count; i++) gradient[i] = (float)i;
    net->params[net->nodes[1].params[0].offset] = (float)NAN; /* not counted */
    assert_int_equal(dcnn_history_append_histograms(&history, 7, net, gradient, 0.5), DCNN_OK);
    assert_int_equal(dcnn_history_write(folder, history), DCNN_OK);
    assert_int_equal(lines_of("histograms.jsonl"), 8); /* of two kernels and two biases */
    for (int line = 0; line < 8; line++) {
        const dcnn_param *param = &net->nodes[line < 4 ? 1 : 3].params[line / 2 % 2];
        const double count = (double)param->count - (line == 0), num = value_of("histograms.jsonl", line, "num");
        assert_true(num == count && value_of("histograms.jsonl", line, "epoch") == 7);
        if (line % 2 == 0) continue;
        assert_true(value_of("histograms.jsonl", line, "min") == 0.5 * (double)param->offset);
        assert_true(value_of("histograms.jsonl", line, "max") == 0.5 * (double)(param->offset + param->count - 1));
    }
    free(history);
    free(gradient);
    dcnn_net_free(net);
}

static void histograms_by_hand(void **state) {
    (void)state;
    dcnn_histogram h;
    const float values[] = {-15, 15, 14.5F, (float)INFINITY, -14.5F, 0, (float)NAN};
    dcnn_histogram_count(values, 7, 2, &h);
    assert_true(h.num == 5 && h.min == -30 && h.max == 30 && h.sum == 0 && h.sum_squares == 2 * 900 + 2 * 841);
    assert_int_equal(h.bin_count, 30); /* each 2 wide; the greatest value is in the last one */
    assert_true(h.limits[0] == -28 && h.limits[29] == 30);
    assert_true(h.counts[0] == 2 && h.counts[15] == 1 && h.counts[29] == 2);
    const float same[] = {0.25F, 0.25F};
    dcnn_histogram_count(same, 2, 1, &h);
    assert_true(h.num == 2 && h.bin_count == 1 && h.limits[0] == 0.25 && h.counts[0] == 2);
    dcnn_histogram_count(values + 3, 1, 1, &h);
    assert_true(h.num == 0);
    const float widest[] = {-3.4e38F, 3.4e38F};
    dcnn_histogram_count(widest, 2, 1, &h);
    assert_true(h.counts[0] == 1 && h.counts[29] == 1);
}

static int set_up_folder(void **state) {
    folder = in_scratch("run");
    (void)state;
    return dcnn_folder_create(folder) == DCNN_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_line_goes_to_its_file, set_up_folder),
        cmocka_unit_test_setup(files_without_lines_are_removed, set_up_folder),
        cmocka_unit_test_setup(histograms_of_weights_and_gradients, set_up_folder),
        cmocka_unit_test(histograms_by_hand),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
