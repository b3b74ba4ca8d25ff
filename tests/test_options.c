/* SPDX-License-Identifier: BSD-3-Clause */
/* test_options.c — the table of options: every row parses, shows in the help, is recorded and comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/nearest.h"
#include "cli/options.h"

enum { MOST_WORDS = 16 };

/* Parses "word word …" as the arguments of a command. The words live until the next call. */
static dcnn_status parse(dcnn_command_id command, const char *line, dcnn_options *options) {
    static char words[512];
    static char *argv[MOST_WORDS];
    int argc = 0;
    snprintf(words, sizeof words, "%s %s", dcnn_command_table[command].name, line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        assert_true(argc < MOST_WORDS);
        argv[argc++] = word;
    }
    return dcnn_options_parse(command, argc, argv, options);
}

static void expect_refusal(dcnn_command_id command, const char *line, const char *message) {
    dcnn_options options;
    assert_int_equal(parse(command, line, &options), DCNN_USAGE);
    assert_string_equal(dcnn_error(), message);
}

static void defaults_are_the_recipe(void **state) {
    (void)state;
    dcnn_options o;
    assert_int_equal(parse(DCNN_COMMAND_TRAIN, "", &o), DCNN_OK);
    assert_int_equal(o.train.epochs, 15);
    assert_int_equal(o.train.batch_size, 128);
    assert_int_equal(o.train.grain, 0); /* by the size of the batch */
    assert_true(o.learning_rate == 0.001 && o.beta_1 == 0.9 && o.beta_2 == 0.999 && o.epsilon == 1e-7);
    assert_true(o.train.augment && o.train.fuse && !o.train.plain_sums && !o.resume);
    assert_true(o.train.ranges.rotation_range == 10.0 && o.train.ranges.zoom_range == 0.1);
    assert_true(o.train.ranges.width_shift_range == 0.1 && o.train.ranges.height_shift_range == 0.1);
    assert_int_equal(o.train.seed, 42);
    assert_null(o.run);
    assert_null(o.train.model);
    assert_int_equal(o.operand_count, 0);
    assert_int_equal(parse(DCNN_COMMAND_PREPARE, "x", &o), DCNN_OK);
    assert_true(o.test_split == 0.1 && o.validation_split == 0.2 && o.limit == 0 && o.shape[0] == 0);
}

static void values_are_read_in_every_form(void **state) {
    (void)state;
    dcnn_options o;
    assert_int_equal(parse(DCNN_COMMAND_TRAIN,
                           "--epochs=3 data.h5 --learning-rate 2e-2 --no-augment --fuse --seed 18446744073709551615 -q",
                           &o),
                     DCNN_OK);
    assert_int_equal(o.train.epochs, 3);
    assert_true(o.learning_rate == 0.02 && !o.train.augment && o.train.fuse && o.quiet && o.train.seed == UINT64_MAX);
    assert_int_equal(o.operand_count, 1);
    assert_string_equal(o.operands[0], "data.h5");
    for (int i = 0; i < dcnn_option_count; i++) {
        const char *name = dcnn_option_table[i].name;
        const bool given = (dcnn_option_table[i].commands >> DCNN_COMMAND_TRAIN & 1) &&
                           (!strcmp(name, "epochs") || !strcmp(name, "learning-rate") || !strcmp(name, "augment") ||
                            !strcmp(name, "fuse") || !strcmp(name, "seed") || !strcmp(name, "quiet"));
        assert_int_equal(o.given[i], given);
    }
    assert_int_equal(parse(DCNN_COMMAND_PREPARE, "-o out.h5 --shape 32x31x3 -- --odd-name", &o), DCNN_OK);
    assert_string_equal(o.output, "out.h5");
    assert_true(o.shape[0] == 32 && o.shape[1] == 31 && o.shape[2] == 3);
    assert_string_equal(o.operands[0], "--odd-name");
    assert_int_equal(parse(DCNN_COMMAND_PREPARE, "--shape 9x8 x", &o), DCNN_OK);
    assert_true(o.shape[0] == 9 && o.shape[1] == 8 && o.shape[2] == 1);
}

static void wrong_words_are_refused(void **state) {
    (void)state;
    expect_refusal(DCNN_COMMAND_TRAIN, "--epoch 3",
                   "unknown option --epoch; did you mean --epochs? (see 'dcnn train --help')");
    expect_refusal(DCNN_COMMAND_TRAIN, "--no-agument",
                   "unknown option --no-agument; did you mean --no-augment? (see 'dcnn train --help')");
    expect_refusal(DCNN_COMMAND_TRAIN, "--no-epochs",
                   "unknown option --no-epochs; did you mean --epochs? (see 'dcnn train --help')");
    expect_refusal(DCNN_COMMAND_TRAIN, "--xyzzy=1", "unknown option --xyzzy (see 'dcnn train --help')");
    expect_refusal(DCNN_COMMAND_TRAIN, "-z", "unknown option -z (see 'dcnn train --help')");
    expect_refusal(DCNN_COMMAND_INFO, "--stratify",
                   "--stratify is an option of 'dcnn prepare', not of 'dcnn info' (see 'dcnn info --help')");
    expect_refusal(DCNN_COMMAND_TRAIN, "--augment=no", "--augment takes no value: write --augment or --no-augment");
    expect_refusal(DCNN_COMMAND_TRAIN, "--run", "--run needs a value: a non-empty text");
    expect_refusal(DCNN_COMMAND_INFO, "",
                   "'dcnn info' needs more arguments: dcnn info FILE [DATA.h5] (see 'dcnn info --help')");
    expect_refusal(DCNN_COMMAND_TRAIN, "a b",
                   "'dcnn train' does not take 'b': dcnn train [DATA.h5] (see 'dcnn train --help')");
}

static void wrong_values_are_refused(void **state) {
    (void)state;
    static const struct {
        dcnn_command_id command;
        const char *line;
    } lines[] = {
        {DCNN_COMMAND_TRAIN, "--epochs 0"},
        {DCNN_COMMAND_TRAIN, "--epochs -1"},
        {DCNN_COMMAND_TRAIN, "--epochs 1.5"},
        {DCNN_COMMAND_TRAIN, "--epochs 1e3"},
        {DCNN_COMMAND_TRAIN, "--epochs=3x"},
        {DCNN_COMMAND_TRAIN, "--epochs="},
        {DCNN_COMMAND_TRAIN, "--epochs 1000001"},
        {DCNN_COMMAND_TRAIN, "--epochs 99999999999999999999"},
        {DCNN_COMMAND_TRAIN, "--learning-rate 0"},
        {DCNN_COMMAND_TRAIN, "--learning-rate -0.1"},
        {DCNN_COMMAND_TRAIN, "--learning-rate nan"},
        {DCNN_COMMAND_TRAIN, "--learning-rate inf"},
        {DCNN_COMMAND_TRAIN, "--learning-rate 1e999"},
        {DCNN_COMMAND_TRAIN, "--beta-1 1"},
        {DCNN_COMMAND_TRAIN, "--zoom-range 1"},
        {DCNN_COMMAND_TRAIN, "--rotation-range 181"},
        {DCNN_COMMAND_TRAIN, "--seed -1"},
        {DCNN_COMMAND_TRAIN, "--seed 18446744073709551616"},
        {DCNN_COMMAND_TRAIN, "--seed 0x10"},
        {DCNN_COMMAND_TRAIN, "--run="},
        {DCNN_COMMAND_PREPARE, "x --test-split 1"},
        {DCNN_COMMAND_PREPARE, "x --shape 28"},
        {DCNN_COMMAND_PREPARE, "x --shape 0x3x1"},
        {DCNN_COMMAND_PREPARE, "x --shape 2x3x"},
        {DCNN_COMMAND_PREPARE, "x --shape 2x3x4x5"},
        {DCNN_COMMAND_PREPARE, "x --shape -2x3"},
        {DCNN_COMMAND_PREDICT, "a b --format js"},
        {DCNN_COMMAND_PREDICT, "a b --format cs"},
        {DCNN_COMMAND_PREDICT, "a b --format csvs"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        dcnn_options options;
        if (parse(lines[i].command, lines[i].line, &options) != DCNN_USAGE) fail_msg("taken: %s", lines[i].line);
        if (!strstr(dcnn_error(), "it takes ")) fail_msg("no range told: %s", dcnn_error());
    }
    expect_refusal(DCNN_COMMAND_TRAIN, "--batch-size 0",
                   "--batch-size '0' is out of range: it takes an integer from 1 to 1048576");
    expect_refusal(DCNN_COMMAND_TRAIN, "--beta-2 two",
                   "--beta-2 'two' is not a number: it takes a number from 0 to below 1");
}

/* Each row must be whole: unique in its commands, its default in its own range, and all of it in the help. */
static void every_row_is_sound(void **state) {
    (void)state;
    for (int i = 0; i < dcnn_option_count; i++) {
        const dcnn_option *row = &dcnn_option_table[i];
        assert_non_null(row->name);
        assert_non_null(row->help);
        assert_non_null(row->group);
        assert_true(row->commands != 0 && row->offset < offsetof(dcnn_options, given));
        assert_true((row->type == DCNN_OPTION_FLAG) == (row->metavar == NULL));
        assert_true((row->type == DCNN_OPTION_CHOICE) == (row->choices != NULL));
        for (int j = 0; j < i; j++)
            if ((dcnn_option_table[j].commands & row->commands) && strcmp(dcnn_option_table[j].name, row->name) == 0)
                fail_msg("two rows --%s", row->name);
        dcnn_options options = {0};
        if (row->fallback && dcnn_option_set(row, row->fallback, &options) != DCNN_OK) fail_msg("%s", dcnn_error());
    }
}

static void help_fits_80_columns_and_two_screens(void **state) {
    (void)state;
    for (int command = 0; command < DCNN_COMMAND_COUNT; command++) {
        char *text = NULL;
        size_t length;
        FILE *to = open_memstream(&text, &length);
        dcnn_options_help((dcnn_command_id)command, to);
        fclose(to);
        int lines = 0;
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1, lines++)
            if (strcspn(line, "\n") > 80) fail_msg("too long: %.100s", line);
        if (lines > 130) fail_msg("%d lines of help for %s", lines, dcnn_command_table[command].name);
        for (int i = 0; i < dcnn_option_count; i++) {
            char name[64];
            const dcnn_option *row = &dcnn_option_table[i];
            snprintf(name, sizeof name, "%s%s", row->type == DCNN_OPTION_FLAG && row->fallback ? "--[no-]" : "--",
                     row->name);
            if (dcnn_option_is_own((dcnn_command_id)command, row) && !strstr(text, name))
                fail_msg("the help lacks %s", name);
        }
        free(text);
    }
}

/* A record as a checkpoint keeps it: written as text and read again. */
static json_t *stored(json_t *record) {
    char *text = json_dumps(record, 0);
    assert_non_null(text);
    json_t *read = json_loads(text, 0, NULL);
    assert_non_null(read);
    free(text);
    json_decref(record);
    return read;
}

static json_t *started_with(const char *line) {
    dcnn_options options;
    assert_int_equal(parse(DCNN_COMMAND_TRAIN, line, &options), DCNN_OK);
    return stored(dcnn_options_record(DCNN_COMMAND_TRAIN, &options));
}

static void record_names_every_option(void **state) {
    (void)state;
    json_t *record = started_with("--learning-rate 0.1 --no-augment --model net.json");
    for (int i = 0; i < dcnn_option_count; i++)
        if ((dcnn_option_table[i].commands >> DCNN_COMMAND_TRAIN & 1) && strcmp(dcnn_option_table[i].name, "help") != 0)
            assert_non_null(json_object_get(record, dcnn_option_table[i].name));
    assert_true(json_real_value(json_object_get(record, "learning-rate")) == 0.1);
    assert_true(json_is_false(json_object_get(record, "augment")));
    assert_true(json_is_null(json_object_get(record, "run")));
    assert_int_equal(json_integer_value(json_object_get(record, "batch-size")), 128);
    assert_string_equal(json_string_value(json_object_get(record, "model")), "net.json");
    json_decref(record);
}

static void resume_takes_what_was_recorded(void **state) {
    (void)state;
    dcnn_options o;
    json_t *record = started_with("--epochs 30 --batch-size 64 --learning-rate 0.0123456789012345 --no-augment "
                                  "--seed 18446744073709551615 --threads 7 --stop-after 5 --model m.json");
    assert_int_equal(parse(DCNN_COMMAND_TRAIN, "--resume --keep 9", &o), DCNN_OK);
    assert_int_equal(dcnn_options_resume(DCNN_COMMAND_TRAIN, record, &o), DCNN_OK);
    assert_true(o.train.epochs == 30 && o.train.batch_size == 64 && o.learning_rate == 0.0123456789012345 &&
                !o.train.augment);
    assert_true(o.train.seed == UINT64_MAX && o.train.keep == 9 && o.resume);
    assert_true(o.train.threads == 0 && o.train.stop_after == 0); /* of one start alone */
    assert_string_equal(o.train.model, "m.json");
    json_decref(record);
}

static void resume_refuses_another_run(void **state) {
    (void)state;
    dcnn_options o;
    json_t *record = started_with("--batch-size 64 --no-augment");
    assert_int_equal(parse(DCNN_COMMAND_TRAIN, "--resume --batch-size 64 --no-augment --epochs 40", &o), DCNN_OK);
    assert_int_equal(dcnn_options_resume(DCNN_COMMAND_TRAIN, record, &o), DCNN_OK); /* the same value may be said */
    assert_int_equal(o.train.epochs, 40);
    assert_int_equal(parse(DCNN_COMMAND_TRAIN, "--resume --batch-size 32", &o), DCNN_OK);
    assert_int_equal(dcnn_options_resume(DCNN_COMMAND_TRAIN, record, &o), DCNN_USAGE);
    assert_string_equal(dcnn_error(),
                        "the run was started with --batch-size 64, now --batch-size 32 is given: leave it "
                        "out to go on, or start another run (--run, --overwrite)");
    assert_int_equal(parse(DCNN_COMMAND_TRAIN, "--resume --augment", &o), DCNN_OK);
    assert_int_equal(dcnn_options_resume(DCNN_COMMAND_TRAIN, record, &o), DCNN_USAGE);
    assert_non_null(strstr(dcnn_error(), "started with --no-augment, now --augment"));
    json_object_set_new(record, "batch-size", json_integer(0));
    assert_int_equal(parse(DCNN_COMMAND_TRAIN, "--resume", &o), DCNN_OK);
    assert_int_equal(dcnn_options_resume(DCNN_COMMAND_TRAIN, record, &o), DCNN_BAD_INPUT);
    json_decref(record);
}

/* Resuming a run of `record` with `line` is refused with those words. */
static void assert_refused(const json_t *record, const char *line, const char *words) {
    dcnn_options o;
    assert_int_equal(parse(DCNN_COMMAND_TRAIN, line, &o), DCNN_OK);
    assert_int_equal(dcnn_options_resume(DCNN_COMMAND_TRAIN, record, &o), DCNN_USAGE);
    if (!strstr(dcnn_error(), words)) fail_msg("'%s' does not say '%s'", dcnn_error(), words);
}

/* What the run never had, by its record or because dcnn had no such option then, is not added on the way. */
static void resume_refuses_what_the_run_had_not(void **state) {
    (void)state;
    json_t *record = started_with("--batch-size 64");
    assert_refused(record, "--resume --class-weight balanced",
                   "started with no --class-weight, now --class-weight balanced is given");
    assert_refused(record, "--resume --precision bf16", "started with no --precision, now --precision bf16 is given");
    assert_refused(record, "--resume --mean 0.5", "started with no --mean, now --mean 0.5 is given");
    assert_refused(record, "--resume --freeze conv2d", "started with no --freeze, now --freeze conv2d is given");
    json_object_del(record, "clip-norm");
    json_object_del(record, "class-weight");
    assert_refused(record, "--resume --clip-norm 0.1", "started with --clip-norm 0, now --clip-norm 0.1 is given");
    assert_refused(record, "--resume --class-weight balanced", "started with no --class-weight, now");
    json_decref(record);
}

/* Long values differ where no message shows them. */
static void resume_compares_whole_values(void **state) {
    (void)state;
    enum { LENGTH = 150 };
    dcnn_options o;
    char line[LENGTH + 40];
    json_t *record = started_with("--batch-size 64 --learning-rate 0.1");
    char mean[LENGTH + 1];
    for (int i = 0; i < LENGTH; i++) mean[i] = i % 2 ? ',' : '1';
    mean[LENGTH] = '\0';
    mean[LENGTH - 1] = '2';
    json_object_set_new(record, "mean", json_string(mean));
    snprintf(line, sizeof line, "--resume --mean %s --learning-rate 1e-1", mean);
    assert_int_equal(parse(DCNN_COMMAND_TRAIN, line, &o), DCNN_OK);
    assert_int_equal(dcnn_options_resume(DCNN_COMMAND_TRAIN, record, &o), DCNN_OK);
    mean[LENGTH - 1] = '3';
    snprintf(line, sizeof line, "--resume --mean %s", mean);
    assert_refused(record, line, "started with --mean 1,1,1");
    assert_refused(record, "--resume --learning-rate 0.1000000000000001",
                   "started with --learning-rate 0.1, now --learning-rate 0.1000000000000001 is given");
    json_decref(record);
}

static void names_have_distances(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        int distance;
    } pairs[] = {{"", "", 0},       {"", "abc", 3},           {"abc", "", 3},        {"abc", "abc", 0},
                 {"abc", "acb", 1}, {"abc", "abd", 1},        {"abc", "ab", 1},      {"abc", "xabc", 1},
                 {"ca", "abc", 3},  {"kitten", "sitting", 3}, {"trian", "train", 1}, {"eopch", "epoch", 1}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_int_equal(dcnn_name_distance(pairs[i].a, pairs[i].b), pairs[i].distance);
        assert_int_equal(dcnn_name_distance(pairs[i].b, pairs[i].a), pairs[i].distance);
    }
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(dcnn_name_distance(longer, "a"), 62); /* cut at 63 letters */
    assert_string_equal(dcnn_command_nearest("evalaute"), "evaluate");
    assert_null(dcnn_command_nearest("frobnicate"));
    assert_null(dcnn_command_nearest("x"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_recipe),      cmocka_unit_test(values_are_read_in_every_form),
        cmocka_unit_test(wrong_words_are_refused),      cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(every_row_is_sound),           cmocka_unit_test(help_fits_80_columns_and_two_screens),
        cmocka_unit_test(record_names_every_option),    cmocka_unit_test(resume_takes_what_was_recorded),
        cmocka_unit_test(resume_refuses_another_run),   cmocka_unit_test(resume_refuses_what_the_run_had_not),
        cmocka_unit_test(resume_compares_whole_values), cmocka_unit_test(names_have_distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
