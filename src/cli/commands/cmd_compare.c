/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_compare.c — dcnn compare RUN RUN...: several runs side by side: what they came to, which options differ, and on
 * which images their models disagree. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/largest.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/runs/spare.h"
#include "engine/engine.h"
#include "io/file.h"
#include "io/input.h"
#include "io/output.h"
#include "report/overlay.h"
#include "run/record/run_folder.h"
#include "run/record/run_record.h"

enum { MOST_RUNS = 32 };

/* What a run's folder says. */
typedef struct compared {
    const char *folder;
    json_t *record, *result;
    char *history;
    json_t *epoch;        /* without a result: the metrics of the epoch that best.h5 is of, NULL: not known */
    int64_t epochs, best; /* ... the epochs that there are, and the number of that one */
    double seconds;       /* ... that they took */
    int32_t *predicted;   /* [count] of the split, on the rank that speaks */
} compared;

typedef struct comparison {
    const dcnn_cli *cli;
    int count;
    compared runs[MOST_RUNS];
    int64_t images;  /* of the split that all were evaluated on; 0: they were not */
    int32_t *labels; /* [images] */
    char *split;
} comparison;

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* A run that has just begun has none. */
static dcnn_status read_history(const char *folder, char **text) {
    char *path = dcnn_path_join(folder, DCNN_RUN_METRICS);
    uint8_t *bytes = NULL;
    int64_t size = 0;
    size_t length;
    int descriptor;
    dcnn_status status = path ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    if (status == DCNN_OK && access(path, F_OK) == 0) {
        status = dcnn_input_open(path, false, &descriptor, &size);
        if (status == DCNN_OK) close(descriptor);
    }
    if (status == DCNN_OK && size > 0) status = dcnn_file_read(path, &bytes, &length);
    *text = (char *)bytes;
    free(path);
    return status;
}

/* The epoch that best.h5 is of; 0: it does not say. */
static int64_t epoch_of_best(const char *folder) {
    char *path = dcnn_path_join(folder, DCNN_RUN_BEST);
    dcnn_checkpoint best = {0};
    int64_t epoch = 0;
    if (path && access(path, R_OK) == 0 && dcnn_checkpoint_read(path, &best) == DCNN_OK)
        epoch = best.progress.best_epoch;
    dcnn_checkpoint_free(&best);
    free(path);
    return epoch;
}

/* Of a run that has no result yet: what its epochs came to. */
static void read_epochs(compared *run) {
    run->best = epoch_of_best(run->folder);
    for (const char *line = run->history; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
        json_t *epoch = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        const int64_t number = json_integer_value(json_object_get(epoch, "epoch"));
        if (number > run->epochs) run->epochs = number;
        run->seconds += json_number_value(json_object_get(epoch, "seconds"));
        if (number > 0 && number == run->best) {
            json_decref(run->epoch);
            run->epoch = json_incref(epoch);
        }
        json_decref(epoch);
    }
}

static dcnn_status read_runs(comparison *c) {
    const char *output = c->cli->options->output;
    for (int i = 0; i < c->count; i++) {
        compared *run = &c->runs[i];
        bool damaged;
        if (output) DCNN_TRY(dcnn_spare_run(output, "-o", "the figure", run->folder));
        DCNN_TRY(dcnn_run_record_read(run->folder, &run->record, &damaged));
        if (run->record == NULL)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: not the folder of a run: there is no " DCNN_RUN_RECORD " in it",
                             run->folder);
        const char *data = json_string_value(json_object_get(run->record, "data"));
        if (output) DCNN_TRY(dcnn_spare_files(output, "-o", "the figure", 1, &data));
        DCNN_TRY(dcnn_run_result_read(run->folder, &run->result));
        DCNN_TRY(read_history(run->folder, &run->history));
        if (run->result == NULL && c->cli->speaks) read_epochs(run);
    }
    const bool keep = output && c->cli->speaks && !c->cli->options->force && !dcnn_output_is_straight(output);
    return keep && access(output, F_OK) == 0 ? dcnn_output_exists(output) : DCNN_OK;
}

/* --- what they came to -------------------------------------------------------------------------------------------- */

static const char *split_text(const compared *run, const char *split, char text[96]) {
    const json_t *figures = json_object_get(run->result, split);
    const bool of_epoch = run->result == NULL && strcmp(split, "validation") == 0;
    const json_t *count = of_epoch ? json_object_get(run->epoch, "val_count") : json_object_get(figures, "count");
    const json_t *correct = of_epoch ? json_object_get(run->epoch, "val_correct") : json_object_get(figures, "correct");
    const json_t *absolute = of_epoch ? json_object_get(run->epoch, "val_mae") : json_object_get(figures, "mae");
    if (json_integer_value(count) == 0) return "-";
    if (correct) return dcnn_accuracy_text(json_integer_value(correct), json_integer_value(count), text);
    snprintf(text, 96, "mae %.6g", json_number_value(absolute));
    return text;
}

/* What there is of a run without a result: one that others compute right now has a lock. */
static void print_unfinished(const compared *run, int width) {
    const json_t *options = json_object_get(run->record, "options");
    const bool one_phase = json_array_size(json_object_get(options, "then")) == 0;
    const int64_t all = one_phase ? json_integer_value(json_object_get(options, "epochs")) : 0;
    char *lock = dcnn_path_join(run->folder, DCNN_RUN_LOCK), of[32] = "";
    if (all > 0) snprintf(of, sizeof of, " of %" PRId64, all);
    printf("%-*s  (%s %" PRId64 "%s epoch%s)\n", width, "",
           lock && access(lock, F_OK) == 0 ? "not finished:" : "stopped after", run->epochs, of,
           (all > 0 ? all : run->epochs) == 1 ? "" : "s");
    free(lock);
}

static void print_results(const comparison *c) {
    static const char *const splits[] = {"validation", "test", "official-test"};
    int width = 4;
    for (int i = 0; i < c->count; i++)
        if ((int)strlen(c->runs[i].folder) > width) width = (int)strlen(c->runs[i].folder);
    printf("%-*s  %-6s %-28s %-28s %-28s %s\n", width, "run", "epoch", splits[0], splits[1], splits[2], "seconds");
    for (int i = 0; i < c->count; i++) {
        const compared *run = &c->runs[i];
        const int64_t best = run->result ? json_integer_value(json_object_get(run->result, "best_epoch")) : run->best;
        char text[3][96], epoch[24] = "-";
        if (best > 0) snprintf(epoch, sizeof epoch, "%" PRId64, best);
        printf("%-*s  %-6s %-28s %-28s %-28s %.1f\n", width, run->folder, epoch, split_text(run, splits[0], text[0]),
               split_text(run, splits[1], text[1]), split_text(run, splits[2], text[2]),
               run->result ? json_number_value(json_object_get(run->result, "elapsed_s")) : run->seconds);
        if (run->result == NULL) print_unfinished(run, width);
    }
}

/* --- which options differ ----------------------------------------------------------------------------------------- */

static const json_t *option_of(const compared *run, const char *name) {
    return json_object_get(json_object_get(run->record, "options"), name);
}

/* Where a run is, how it was called and what it told are no part of what it computed. */
static bool matters(const char *name) {
    const dcnn_option *option = dcnn_option_find(DCNN_COMMAND_TRAIN, name);
    return option && option->resume != DCNN_RESUME_FORGET;
}

static bool is_same_everywhere(const comparison *c, const char *name) {
    for (int i = 1; i < c->count; i++) {
        const json_t *a = option_of(&c->runs[0], name), *b = option_of(&c->runs[i], name);
        const bool both_numbers = json_is_number(a) && json_is_number(b);
        if (both_numbers ? json_number_value(a) != json_number_value(b) : !json_equal(a, b)) return false;
    }
    return true;
}

/* Does a command line name an option, as "--name", "--no-name", "--name=…" or, in a search, "name=…"? What --then and a
 * search's file say is not looked into: a file may say anything. */
static bool names(const json_t *words, const char *name) {
    const size_t length = strlen(name);
    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (word == NULL) continue;
        if (strcmp(word, "--space") == 0 || strncmp(word, "--space=", 8) == 0) return true;
        if (strncmp(word, "--no-", 5) == 0 && strcmp(word + 5, name) == 0) return true;
        if (strncmp(word, "--", 2) == 0) word += 2;
        if (strncmp(word, name, length) == 0 && (word[length] == '\0' || word[length] == '=')) return true;
    }
    return false;
}

static bool is_told(const compared *run, const char *name) {
    const json_t *starts = json_object_get(run->record, "starts");
    for (size_t i = 0; i < json_array_size(starts); i++)
        if (names(json_object_get(json_array_get(starts, i), "command"), name)) return true;
    return json_array_size(starts) == 0; /* nothing is known */
}

static bool is_told_to_one(const comparison *c, const char *name) {
    for (int i = 0; i < c->count; i++)
        if (is_told(&c->runs[i], name)) return true;
    return false;
}

/* Samples at a time that follow from the batch are no choice of anyone's. */
static bool follows(const comparison *c, const char *name) {
    if (strcmp(name, "grain") != 0) return false;
    for (int i = 0; i < c->count; i++)
        if (json_integer_value(option_of(&c->runs[i], name)) !=
            dcnn_engine_grain(json_integer_value(option_of(&c->runs[i], "batch-size"))))
            return false;
    return true;
}

static void print_value(const char *name, const json_t *value) {
    char *text = json_is_string(value) ? strdup(json_string_value(value))
                 : value               ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6))
                                       : NULL;
    if (text) dcnn_text_clean(text); /* a file may say anything */
    if (strcmp(name, "bn-momentum") == 0 && json_number_value(value) == 0.0)
        printf(" %-14s", "the model's");
    else
        printf(" %-14s", text && !json_is_null(value) ? text : "-");
    free(text);
}

/* Those that were given to one of the runs, or those that were chosen for all of them. @return how many */
static int print_those(const comparison *c, bool told, const char *title) {
    int different = 0;
    for (int row = 0; row < dcnn_option_count; row++) {
        const char *name = dcnn_option_table[row].name;
        if (dcnn_option_find(DCNN_COMMAND_TRAIN, name) != &dcnn_option_table[row] || !matters(name) ||
            is_same_everywhere(c, name) || follows(c, name) || is_told_to_one(c, name) != told)
            continue;
        if (different++ == 0) {
            printf("\n%-22s", title);
            for (int i = 0; i < c->count; i++) printf(" %-14s", c->runs[i].folder);
            putchar('\n');
        }
        printf("%-22s", name);
        for (int i = 0; i < c->count; i++) print_value(name, option_of(&c->runs[i], name));
        putchar('\n');
    }
    return different;
}

static void print_differences(const comparison *c) {
    if (print_those(c, true, "options that differ") == 0) printf("\nno option that was given differs\n");
    print_those(c, false, "chosen by dcnn");
}

/* --- where they disagree ------------------------------------------------------------------------------------------ */

static const char *choose_split(const dcnn_dataset *dataset) {
    static const char *const names[] = {"test", "official-test", "validation", "train"};
    for (int i = 0; i < 4; i++)
        if (dcnn_dataset_split(dataset, names[i])) return names[i];
    return names[0];
}

static dcnn_status take_predictions(comparison *c, compared *run, const dcnn_dataset *dataset, const dcnn_split *split,
                                    const dcnn_evaluation *e) {
    int32_t *all = NULL;
    run->predicted = calloc((size_t)e->count + 1, sizeof *run->predicted);
    if (c->labels == NULL) {
        c->labels = calloc((size_t)e->count + 1, sizeof *c->labels);
        all = calloc((size_t)dataset->count + 1, sizeof *all);
        const dcnn_status status = c->labels && all ? dcnn_dataset_read_labels(dataset, all)
                                                    : DCNN_FAIL(DCNN_FAILURE, "out of memory: labels");
        for (int64_t i = 0; status == DCNN_OK && i < e->count; i++) c->labels[i] = all[split->rows[i]];
        free(all);
        DCNN_TRY(status);
        c->images = e->count;
    }
    if (run->predicted == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: predictions");
    for (int64_t i = 0; i < e->count; i++)
        run->predicted[i] = dcnn_largest(e->class_count, e->probabilities + i * e->class_count);
    return DCNN_OK;
}

static dcnn_status predict(comparison *c, compared *run, const char *data) {
    const dcnn_cli *cli = c->cli;
    dcnn_checkpoint model = {0};
    dcnn_dataset dataset = {0};
    dcnn_evaluation e = {0};
    const dcnn_split *split = NULL;
    char *best = dcnn_path_join(run->folder, DCNN_RUN_BEST);
    dcnn_status status =
        best ? dcnn_checkpoint_share(cli->comm, best, &model) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    if (status == DCNN_OK) status = dcnn_dataset_share(cli->comm, data, c->split, &dataset, &split);
    if (status == DCNN_OK) dcnn_warn_of_other_data(best, &model, &dataset);
    if (status == DCNN_OK)
        status = dcnn_comm_agree(cli->comm,
                                 dcnn_dataset_adopt_classes(&dataset, model.class_count, model.class_names, best));
    const dcnn_samples samples = {.dataset = &dataset, .split = split, .cache_bytes = cli->options->train.cache_bytes};
    if (status == DCNN_OK)
        status = dcnn_evaluate(cli->comm, &model, &samples, (int)cli->options->train.threads, true, &e);
    if (status == DCNN_OK)
        status = dcnn_comm_agree(cli->comm, cli->speaks ? take_predictions(c, run, &dataset, split, &e) : DCNN_OK);
    dcnn_evaluation_free(&e);
    dcnn_dataset_free(&dataset);
    dcnn_checkpoint_free(&model);
    free(best);
    return status;
}

/* The data set of all runs, or NULL with a word on it. */
static const char *common_data(const comparison *c) {
    const char *first = json_string_value(json_object_get(c->runs[0].record, "data"));
    for (int i = 1; i < c->count && first; i++) {
        const char *data = json_string_value(json_object_get(c->runs[i].record, "data"));
        if (data == NULL || strcmp(data, first) != 0) {
            dcnn_info("predictions are not compared: %s and %s were trained on different data sets", c->runs[0].folder,
                      c->runs[i].folder);
            return NULL;
        }
    }
    return first;
}

static dcnn_status predict_all(comparison *c) {
    dcnn_dataset dataset;
    const char *data = common_data(c);
    for (int i = 0; i < c->count && data; i++) {
        char *best = dcnn_path_join(c->runs[i].folder, DCNN_RUN_BEST);
        if (best == NULL || access(best, R_OK) != 0) data = NULL;
        free(best);
    }
    int have = data && dcnn_dataset_reopen(data, &dataset) == DCNN_OK;
    dcnn_comm_broadcast(c->cli->comm, &have, sizeof have);
    if (!have) return DCNN_OK;
    c->split = strdup(c->cli->options->split ? c->cli->options->split : choose_split(&dataset));
    dcnn_dataset_free(&dataset);
    DCNN_TRY(dcnn_comm_agree(c->cli->comm, c->split ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory")));
    for (int i = 0; i < c->count; i++) DCNN_TRY(predict(c, &c->runs[i], data));
    return DCNN_OK;
}

static int64_t count_differences(const comparison *c, int a, int b) {
    int64_t count = 0;
    for (int64_t i = 0; i < c->images; i++) count += c->runs[a].predicted[i] != c->runs[b].predicted[i];
    return count;
}

static void print_disagreement(const comparison *c) {
    enum { MOST_NAMED = 20 };
    int64_t all_wrong = 0, some_wrong = 0, named = 0;
    char word[DCNN_SHELL_WORD];
    if (c->images == 0) return;
    printf("\nimages of the split '%s' (%" PRId64 ") on which they name different classes\n%-22s", c->split, c->images,
           "");
    for (int i = 0; i < c->count; i++) printf(" %-14s", c->runs[i].folder);
    for (int a = 0; a < c->count; a++) {
        printf("\n%-22s", c->runs[a].folder);
        for (int b = 0; b < c->count; b++) printf(" %-14" PRId64, count_differences(c, a, b));
    }
    printf("\n\nwrong in some, right in others");
    for (int64_t i = 0; i < c->images; i++) {
        int wrong = 0;
        for (int run = 0; run < c->count; run++) wrong += c->runs[run].predicted[i] != c->labels[i];
        all_wrong += wrong == c->count;
        if (wrong == 0 || wrong == c->count) continue;
        some_wrong++;
        if (named < MOST_NAMED) printf("%s %" PRId64, named == 0 ? ":" : "", i);
        named++;
    }
    if (some_wrong == 0)
        printf(": none\n");
    else
        printf("%s (%" PRId64 " image%s; 'dcnn show DATA.h5 --split %s --index N' draws one)\n",
               named > MOST_NAMED ? " …" : "", some_wrong, some_wrong == 1 ? "" : "s",
               dcnn_shell_word(c->split, word, sizeof word));
    printf("wrong in all: %" PRId64 "\n", all_wrong);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static dcnn_status draw(const comparison *c, const char *path) {
    dcnn_overlay_run runs[MOST_RUNS];
    int count = 0;
    for (int i = 0; i < c->count; i++)
        if (c->runs[i].history) runs[count++] = (dcnn_overlay_run){c->runs[i].folder, c->runs[i].history};
    return dcnn_overlay_write(path, "Runs compared", count, runs);
}

static dcnn_status tell(const comparison *c) {
    print_results(c);
    print_differences(c);
    print_disagreement(c);
    if (c->cli->options->output == NULL) return DCNN_OK;
    DCNN_TRY(draw(c, c->cli->options->output));
    printf("%s\n", c->cli->options->output);
    return DCNN_OK;
}

static bool is_figure(const char *path) {
    const size_t length = strlen(path);
    return strcmp(path, "-") == 0 ||
           (length > 4 && (strcmp(path + length - 4, ".png") == 0 || strcmp(path + length - 4, ".svg") == 0));
}

dcnn_status dcnn_cmd_compare(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    comparison c = {.cli = cli, .count = o->operand_count};
    if (o->output)
        DCNN_TRY(dcnn_comm_agree(cli->comm, cli->speaks ? dcnn_spare_place(o->output, "-o", "runs.png") : DCNN_OK));
    if (o->output && !is_figure(o->output))
        return DCNN_FAIL(DCNN_USAGE, "%s: its ending names no format of a figure: it must be .png or .svg", o->output);
    if (c.count > MOST_RUNS) return DCNN_FAIL(DCNN_USAGE, "at most %d runs can be compared", MOST_RUNS);
    for (int i = 0; i < c.count; i++) c.runs[i].folder = o->operands[i];
    dcnn_status status = dcnn_comm_agree(cli->comm, read_runs(&c));
    if (status == DCNN_OK) status = predict_all(&c);
    if (status == DCNN_OK) status = dcnn_comm_agree(cli->comm, cli->speaks ? tell(&c) : DCNN_OK);
    for (int i = 0; i < c.count; i++) {
        json_decref(c.runs[i].record);
        json_decref(c.runs[i].result);
        json_decref(c.runs[i].epoch);
        free(c.runs[i].history);
        free(c.runs[i].predicted);
    }
    free(c.labels);
    free(c.split);
    return status;
}
