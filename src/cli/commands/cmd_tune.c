/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_tune.c — dcnn tune [DATA.h5] NAME=VALUES...: a search over options of dcnn train, side by side on the job's
 * ranks.
 *
 * Which values a trial has is a pure function of its number, so a search that was killed goes on where it was: trials
 * that are done are read, others go on from their checkpoints. Trials are judged by what makes an epoch better, which
 * is validation unless --monitor says otherwise; the test images have no say.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/runs/side.h"
#include "cli/runs/space.h"
#include "cli/runs/spare.h"
#include "cli/runs/start.h"
#include "cli/settings/recipes.h"
#include "cli/settings/train_settings.h"
#include "base/text.h"
#include "io/file.h"
#include "report/overlay.h"
#include "report/report.h"
#include "run/data/class_weights.h"
#include "run/record/run_folder.h"
#include "run/record/run_record.h"

enum { ETA = 3, CSV_BYTES = 512 };

#define NAME(id, word) word,
static const char *const search_names[DCNN_SEARCH_COUNT] = {DCNN_SEARCHES(NAME)};

/* A trial; what it came to is 0 until then. Integers, for ranks add them up. */
typedef struct trial {
    int64_t number, epochs;
    int64_t done, diverged, numbers, correct, count, best_epoch, microseconds;
    double loss, value; /* of what is monitored: more is better */
} trial;

typedef struct tuning {
    dcnn_cli *cli;
    dcnn_run base;
    dcnn_space space;
    dcnn_search how;
    int count;      /* of trials */
    trial *trials;  /* [count], in the order of the last rung */
    int64_t epochs; /* of the rung in progress */
} tuning;

/* --- a trial ------------------------------------------------------------------------------------------------------ */

static void value_of(const tuning *t, int64_t number, int dimension, char text[DCNN_VALUE_BYTES]) {
    if (t->how == DCNN_SEARCH_GRID)
        dcnn_space_grid_value(&t->space, (int)number, dimension, text);
    else
        dcnn_space_random_value(&t->space, t->cli->options->train.seed, (int)number, dimension, text);
}

static void folder_of(const tuning *t, const trial *one, char path[4096]) {
    if (one->epochs == t->cli->options->train.epochs)
        snprintf(path, 4096, "%s/" DCNN_RUN_TRIAL "%03" PRId64, t->base.folder, one->number + 1);
    else
        snprintf(path, 4096, "%s/" DCNN_RUN_TRIAL "%03" PRId64 DCNN_RUN_RUNG "%" PRId64, t->base.folder,
                 one->number + 1, one->epochs);
}

/* "learning-rate 0.001, batch-size 64" */
static const char *settings_text(const tuning *t, const trial *one, char text[CSV_BYTES]) {
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < t->space.count && used < CSV_BYTES - 1; i++) {
        char value[DCNN_VALUE_BYTES];
        value_of(t, one->number, i, value);
        used += (size_t)snprintf(text + used, CSV_BYTES - used, "%s%s %s", i ? ", " : "",
                                 t->space.dimensions[i].option->name, value);
    }
    return text;
}

/* The options of a trial; `values` holds their texts. */
static dcnn_status set_options(const tuning *t, const trial *one, char (*values)[DCNN_VALUE_BYTES],
                               dcnn_options *options) {
    for (int i = 0; i < t->space.count; i++) {
        const dcnn_option *option = t->space.dimensions[i].option;
        value_of(t, one->number, i, values[i]);
        DCNN_TRY(dcnn_option_set(option, values[i], options));
        options->given[option - dcnn_option_table] = true;
    }
    options->train.epochs = one->epochs;
    dcnn_train_settings_defaults(options);
    return dcnn_train_settings_check(options);
}

/* Its accuracy; a network that gives numbers has none, but a loss. */
static const char *outcome_text(const trial *one, const char *of_numbers, char text[96]) {
    if (one->diverged) return "diverged";
    return one->numbers ? of_numbers : dcnn_accuracy_text(one->correct, one->count, text);
}

static void tell_trial(const tuning *t, const trial *one) {
    char settings[CSV_BYTES], accuracy[96], loss[48];
    snprintf(loss, sizeof loss, "loss %.6f", one->loss);
    fprintf(stderr, "trial %" PRId64 ": %s: %s\n", one->number + 1, settings_text(t, one, settings),
            outcome_text(one, loss, accuracy));
}

static dcnn_status run_trial(dcnn_cli *part, int index, void *context) {
    tuning *t = context;
    trial *one = &t->trials[index];
    char folder[4096], values[DCNN_MOST_DIMENSIONS][DCNN_VALUE_BYTES];
    dcnn_train_result result = {0};
    folder_of(t, one, folder);
    dcnn_status status = dcnn_comm_agree(part->comm, set_options(t, one, values, part->options));
    if (status == DCNN_OK) status = dcnn_train_quietly(part, t->base.data, folder, &result);
    if (status != DCNN_OK && status != DCNN_DIVERGED) {
        char settings[CSV_BYTES];
        dcnn_error_prefix("trial %" PRId64 " (%s)", one->number + 1, settings_text(t, one, settings));
        return status;
    }
    if (dcnn_comm_rank(part->comm) != 0) return DCNN_OK; /* one rank a group tells */
    one->done = 1;
    one->diverged = status == DCNN_DIVERGED;
    one->numbers = result.numbers;
    one->correct = result.best_correct;
    one->count = result.best_count;
    one->loss = one->diverged ? INFINITY : result.best_loss;
    one->value = result.best_value;
    one->best_epoch = result.best_epoch;
    one->microseconds = llround(1e6 * result.elapsed_s);
    if (part->speaks) tell_trial(t, one);
    return DCNN_OK;
}

/* --- all trials --------------------------------------------------------------------------------------------------- */

static int compare_trials(const void *a, const void *b) {
    const trial *x = a, *y = b;
    if (x->diverged != y->diverged) return x->diverged ? 1 : -1;
    if (x->value != y->value) return x->value < y->value ? 1 : -1;
    if (x->loss != y->loss) return x->loss > y->loss ? 1 : -1;
    return (x->number > y->number) - (x->number < y->number);
}

/* What each group knows, to all. */
static void share_results(tuning *t, int count) {
    for (int i = 0; i < count; i++) {
        trial *one = &t->trials[i];
        int64_t loss, value, numbers[9];
        memcpy(&loss, &one->loss, sizeof loss);
        memcpy(&value, &one->value, sizeof value);
        const int64_t mine[9] = {one->done,       one->diverged,     one->correct,         one->count,
                                 one->best_epoch, one->microseconds, one->done ? loss : 0, one->done ? value : 0,
                                 one->numbers};
        memcpy(numbers, mine, sizeof numbers);
        dcnn_comm_add_integers(t->cli->comm, numbers, 9);
        one->done = numbers[0];
        one->diverged = numbers[1];
        one->correct = numbers[2];
        one->count = numbers[3];
        one->best_epoch = numbers[4];
        one->microseconds = numbers[5];
        memcpy(&one->loss, &numbers[6], sizeof one->loss);
        memcpy(&one->value, &numbers[7], sizeof one->value);
        one->numbers = numbers[8];
    }
}

static dcnn_status run_rung(tuning *t, int count, int64_t epochs) {
    for (int i = 0; i < count; i++) t->trials[i] = (trial){.number = t->trials[i].number, .epochs = epochs};
    DCNN_TRY(dcnn_side_by_side(t->cli, count, run_trial, t));
    share_results(t, count);
    qsort(t->trials, (size_t)count, sizeof *t->trials, compare_trials);
    return DCNN_OK;
}

/* Successive halving (Jamieson and Talwalkar, 2016), a third at a time: all trials with few epochs, the best third with
 * three times as many, until the best have all. Each rung trains anew, so a schedule is that of its epochs. */
static dcnn_status run_rungs(tuning *t, int *finalists) {
    const int64_t epochs = t->cli->options->train.epochs;
    int rungs = 0, count = t->count;
    for (int n = t->count; t->how == DCNN_SEARCH_HALVING && n >= ETA; n /= ETA) rungs++;
    for (int rung = 0;; rung++) {
        const double part = pow(ETA, rung - rungs);
        const int64_t some = llround((double)epochs * part);
        if (rungs > 0 && t->cli->speaks)
            dcnn_info("rung  %d of %d: %d trial%s of %" PRId64 " epoch%s", rung + 1, rungs + 1, count,
                      count == 1 ? "" : "s", some > 1 ? some : 1, some > 1 ? "s" : "");
        DCNN_TRY(run_rung(t, count, some > 1 ? some : 1));
        *finalists = count;
        if (rung == rungs) return DCNN_OK;
        count = count / ETA > 1 ? count / ETA : 1;
    }
}

/* --- what is told ------------------------------------------------------------------------------------------------- */

static void print_table(const tuning *t, int count) {
    char text[96], settings[CSV_BYTES];
    printf("%-6s %-7s %-30s %-10s %s\n", "trial", "epochs", "validation", "loss", "options");
    for (int i = 0; i < count; i++) {
        const trial *one = &t->trials[i];
        printf("%-6" PRId64 " %-7" PRId64 " %-30s %-10.6f %s\n", one->number + 1, one->epochs,
               outcome_text(one, "-", text), one->loss, settings_text(t, one, settings));
    }
}

static dcnn_status write_csv(const tuning *t, int count) {
    char *text = NULL, *path = dcnn_path_join(t->base.folder, DCNN_RUN_TRIALS_CSV);
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    if (path == NULL || to == NULL) {
        if (to) fclose(to);
        free(text);
        free(path);
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: the table of trials");
    }
    fprintf(to, "trial,epochs,accuracy,correct,count,loss,best_epoch,seconds,diverged");
    for (int i = 0; i < t->space.count; i++) fprintf(to, ",%s", t->space.dimensions[i].option->name);
    fputc('\n', to);
    for (int k = 0; k < count; k++) {
        const trial *one = &t->trials[k];
        fprintf(to, "%" PRId64 ",%" PRId64 ",", one->number + 1, one->epochs);
        if (one->numbers)
            fprintf(to, ",,%" PRId64, one->count);
        else
            fprintf(to, "%.9g,%" PRId64 ",%" PRId64, one->count > 0 ? (double)one->correct / (double)one->count : 0.0,
                    one->correct, one->count);
        fprintf(to, ",%.9g,%" PRId64 ",%.3f,%d", one->loss, one->best_epoch, 1e-6 * (double)one->microseconds,
                (int)one->diverged);
        for (int i = 0; i < t->space.count; i++) {
            char value[DCNN_VALUE_BYTES];
            value_of(t, one->number, i, value);
            fprintf(to, ",%s", value);
        }
        fputc('\n', to);
    }
    dcnn_status status = fclose(to) == 0 ? dcnn_file_write(path, text, length, false)
                                         : DCNN_FAIL(DCNN_FAILURE, "out of memory: the table of trials");
    free(text);
    free(path);
    return status;
}

static dcnn_status draw(const tuning *t, int count) {
    dcnn_overlay_run *runs = calloc((size_t)count + 1, sizeof *runs);
    char(*names)[CSV_BYTES + 32] = calloc((size_t)count + 1, sizeof *names), *path;
    path = dcnn_path_join(t->base.folder, DCNN_RUN_TRIALS_FIGURE);
    dcnn_status status = runs && names && path ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: a figure");
    int drawn = 0;
    for (int i = 0; i < count && status == DCNN_OK; i++) {
        char folder[4096], settings[CSV_BYTES];
        size_t length;
        folder_of(t, &t->trials[i], folder);
        char *metrics = dcnn_path_join(folder, DCNN_RUN_METRICS);
        uint8_t *text = NULL;
        if (metrics && access(metrics, R_OK) == 0) status = dcnn_file_read(metrics, &text, &length);
        free(metrics);
        if (text == NULL) continue;
        snprintf(names[drawn], sizeof *names, "trial %" PRId64 ": %s", t->trials[i].number + 1,
                 settings_text(t, &t->trials[i], settings));
        runs[drawn] = (dcnn_overlay_run){names[drawn], (const char *)text};
        drawn++;
    }
    if (status == DCNN_OK && drawn > 0) status = dcnn_overlay_write(path, "Trials, the best first", drawn, runs);
    for (int i = 0; i < drawn; i++) free((void *)(uintptr_t)runs[i].history);
    free(runs);
    free(names);
    free(path);
    return status;
}

/* The command that repeats a trial: what was given, and its values. */
static void print_command(const tuning *t, const trial *best) {
    const dcnn_options *o = t->cli->options;
    char word[DCNN_SHELL_WORD];
    printf("best on %s: trial %" PRId64 "; to repeat it:\n  dcnn train %s",
           strcmp(o->monitor, "auto") == 0 ? "validation" : o->monitor, best->number + 1,
           dcnn_shell_word(t->base.data, word, sizeof word));
    for (int row = 0; row < dcnn_option_count; row++) {
        const dcnn_option *option = &dcnn_option_table[row];
        bool searched = false;
        for (int i = 0; i < t->space.count; i++) searched = searched || t->space.dimensions[i].option == option;
        if (!o->given[row] || searched || option->resume == DCNN_RESUME_FORGET ||
            dcnn_option_find(DCNN_COMMAND_TRAIN, option->name) != option)
            continue;
        putchar(' ');
        dcnn_option_write(option, o, stdout);
    }
    for (int i = 0; i < t->space.count; i++) {
        char value[DCNN_VALUE_BYTES];
        value_of(t, best->number, i, value);
        const dcnn_option *option = t->space.dimensions[i].option;
        if (option->type != DCNN_OPTION_FLAG)
            printf(" --%s %s", option->name, dcnn_shell_word(value, word, sizeof word));
        else
            printf(" --%s%s", strcmp(value, "true") == 0 ? "" : "no-", option->name);
    }
    putchar('\n');
}

static dcnn_status tell(const tuning *t, int count) {
    DCNN_TRY(write_csv(t, count));
    print_table(t, count);
    bool figure = dcnn_report_is_built() && !t->trials[0].numbers; /* which is of accuracies */
    if (figure && draw(t, count) != DCNN_OK) {
        dcnn_warn("no figure: %s", dcnn_error());
        figure = false;
    }
    if (t->trials[0].diverged)
        printf("every trial has diverged: try smaller learning rates\n");
    else
        print_command(t, &t->trials[0]);
    printf("%s/: " DCNN_RUN_TRIALS_CSV ", %s" DCNN_RUN_TRIAL "NNN/\n", t->base.folder,
           figure ? DCNN_RUN_TRIALS_FIGURE ", " : "");
    return DCNN_OK;
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

static dcnn_status read_space(const dcnn_options *o, dcnn_space *space, const char **data) {
    *data = NULL;
    if (o->space) DCNN_TRY(dcnn_space_read(space, o->space));
    for (int i = 0; i < o->operand_count; i++) {
        if (strchr(o->operands[i], '=')) {
            DCNN_TRY(dcnn_space_add(space, o->operands[i]));
        } else {
            if (*data) return DCNN_FAIL(DCNN_USAGE, "two data sets are given, %s and %s", *data, o->operands[i]);
            *data = o->operands[i];
        }
    }
    if (space->count > 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE, "nothing to search over: name options and values, dcnn tune DATA.h5 "
                                 "learning-rate=1e-4:1e-2:log batch-size=64,128");
}

static dcnn_status choose_search(tuning *t) {
    const dcnn_options *o = t->cli->options;
    bool lists = true;
    for (int i = 0; i < t->space.count; i++) lists = lists && t->space.dimensions[i].count > 0;
    t->how = lists ? DCNN_SEARCH_GRID : DCNN_SEARCH_RANDOM;
    const int named = dcnn_word_find(search_names, DCNN_SEARCH_COUNT, o->search);
    if (named < DCNN_SEARCH_COUNT) t->how = (dcnn_search)named;
    if (o->train.elastic || o->ensemble > 0)
        return DCNN_FAIL(DCNN_USAGE, "dcnn tune takes neither --elastic nor --ensemble: its trials are ordinary runs");
    if (t->how == DCNN_SEARCH_GRID && dcnn_option_given(DCNN_COMMAND_TUNE, "trials", o))
        return DCNN_FAIL(DCNN_USAGE, "--trials is for --search random and halving; a grid has all its points");
    t->count = (int)o->trials;
    if (t->how == DCNN_SEARCH_GRID) DCNN_TRY(dcnn_space_grid(&t->space, &t->count));
    t->trials = calloc((size_t)t->count + 1, sizeof *t->trials);
    if (t->trials == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: %d trials", t->count);
    for (int i = 0; i < t->count; i++) t->trials[i].number = i;
    return DCNN_OK;
}

/* Every trial's options go together: said before the first of them begins.
 * @param data  NULL, or what each is to begin with, and can */
static dcnn_status check_trials(const tuning *t, const dcnn_dataset *data) {
    for (int i = 0; i < t->count; i++) {
        dcnn_options options = *t->cli->options;
        char values[DCNN_MOST_DIMENSIONS][DCNN_VALUE_BYTES], settings[CSV_BYTES];
        trial one = {.number = i, .epochs = options.train.epochs};
        dcnn_checkpoint state = {0};
        dcnn_status status = set_options(t, &one, values, &options);
        if (status == DCNN_OK && data) status = dcnn_start_net(&options, options.train.model, data, &state);
        dcnn_checkpoint_free(&state);
        if (status != DCNN_OK) {
            dcnn_error_prefix("trial %d (%s)", i + 1, settings_text(t, &one, settings));
            return status;
        }
    }
    return DCNN_OK;
}

static json_t *describe(const tuning *t) {
    json_t *space = json_array();
    for (int i = 0; i < t->space.count; i++) {
        const dcnn_dimension *d = &t->space.dimensions[i];
        json_t *values = json_array();
        for (int k = 0; k < d->count; k++) json_array_append_new(values, json_string(d->values[k]));
        json_array_append_new(space, json_pack("{s:s, s:o, s:f, s:f, s:b}", "option", d->option->name, "values", values,
                                               "low", d->low, "high", d->high, "logarithmic", d->logarithmic));
    }
    return json_pack("{s:s, s:i, s:I, s:o}", "search", search_names[t->how], "trials", t->count, "epochs",
                     (json_int_t)t->cli->options->train.epochs, "space", space);
}

/* With all numbers as reals of ten digits, which do not tell 1 from 1.0; NULL: there is none. */
static char *comparable_text(const json_t *search) {
    char *text = search ? json_dumps(search, JSON_SORT_KEYS | JSON_REAL_PRECISION(12)) : NULL;
    json_t *reals = text ? json_loads(text, JSON_DECODE_INT_AS_REAL, NULL) : NULL;
    free(text);
    text = reals ? json_dumps(reals, JSON_SORT_KEYS | JSON_REAL_PRECISION(10)) : NULL;
    json_decref(reals);
    return text;
}

/* On rank 0: a search that goes on must be the same search. */
static dcnn_status keep_record(const tuning *t) {
    json_t *record;
    bool damaged;
    dcnn_status status = dcnn_run_record_read(t->base.folder, &record, &damaged);
    if (!damaged) DCNN_TRY(status); /* what is damaged is told when the record is written anew */
    json_t *mine = describe(t);
    char *then = comparable_text(json_object_get(record, "tune")), *same = comparable_text(mine);
    if (record && (then == NULL || same == NULL || strcmp(then, same) != 0))
        status = DCNN_FAIL(DCNN_USAGE, "%s holds %s: go on with the call that began it, or name another folder (--run)",
                           t->base.folder, then ? "another search" : "a run that is not a search");
    else
        status = dcnn_run_record_write(t->base.folder,
                                       json_pack("{s:s, s:O?, s:i, s:s, s:O, s:o}", "dcnn", DCNN_VERSION, "command",
                                                 t->cli->command, "ranks", dcnn_comm_size(t->cli->comm), "data",
                                                 t->base.data, "tune", mine, "options",
                                                 dcnn_options_record(DCNN_COMMAND_TRAIN, t->cli->options)));
    json_decref(mine);
    json_decref(record);
    free(then);
    free(same);
    return status;
}

/* On rank 0: what the search replaces goes once its trials can begin. */
static dcnn_status replace(const tuning *t) {
    dcnn_dataset data = {0};
    if (!t->base.replaces) return DCNN_OK;
    dcnn_status status = dcnn_dataset_open(t->base.data, &data);
    if (status == DCNN_OK) status = check_trials(t, &data);
    if (status == DCNN_OK) status = dcnn_run_clear(&t->base);
    dcnn_dataset_free(&data);
    return status;
}

static dcnn_status search_all(tuning *t) {
    dcnn_cli *cli = t->cli;
    int finalists = 0;
    if (t->base.checkpoint)
        return DCNN_FAIL(DCNN_USAGE, "%s holds a run that is not a search: name another folder (--run)",
                         t->base.folder);
    DCNN_TRY(dcnn_comm_agree(cli->comm, check_trials(t, NULL)));
    DCNN_TRY(dcnn_comm_agree(cli->comm, dcnn_comm_rank(cli->comm) == 0 ? replace(t) : DCNN_OK));
    DCNN_TRY(dcnn_comm_agree(cli->comm, dcnn_comm_rank(cli->comm) == 0 ? keep_record(t) : DCNN_OK));
    char *checkpoints = dcnn_path_join(t->base.folder, DCNN_RUN_CHECKPOINTS); /* only trials have some */
    if (checkpoints && dcnn_comm_rank(cli->comm) == 0) rmdir(checkpoints);
    free(checkpoints);
    const int ranks = dcnn_comm_size(cli->comm);
    dcnn_info("tune  %s: %s, %d trials on %d rank%s, %d at a time", t->base.folder, search_names[t->how], t->count,
              ranks, ranks == 1 ? "" : "s", t->count < ranks ? t->count : ranks);
    dcnn_comm_call(cli->job, DCNN_CALL_WATCH);
    DCNN_TRY(dcnn_cli_watch(cli, t->base.folder));
    DCNN_TRY(run_rungs(t, &finalists));
    return dcnn_comm_agree(cli->comm, cli->speaks ? tell(t, finalists) : DCNN_OK);
}

dcnn_status dcnn_cmd_tune(dcnn_cli *cli) {
    dcnn_options *o = cli->options;
    tuning t = {.cli = cli};
    dcnn_recipe_words words = {0};
    char *weights = NULL;
    const char *data;
    if (o->resume && o->overwrite)
        return DCNN_FAIL(DCNN_USAGE, "--resume goes on with a search, --overwrite removes it: give only one of them");
    dcnn_status status = read_space(o, &t.space, &data);
    o->operand_count = data ? 1 : 0; /* own data, or the embedded digits: trials choose by it */
    if (status == DCNN_OK) status = dcnn_recipe_apply(o, &words);
    if (status == DCNN_OK) status = choose_search(&t);
    if (status == DCNN_OK && cli->speaks) status = dcnn_spare_for_trace(o, NULL);
    if (status == DCNN_OK && o->train.class_weight) {
        status = dcnn_class_weights_read(o->train.class_weight, &weights);
        if (status == DCNN_OK) o->train.class_weight = weights;
    }
    status = dcnn_comm_agree(cli->comm, status);
    if (status == DCNN_OK)
        status = dcnn_run_open(cli->comm, data, o->run ? o->run : "runs/tune", o->resume, o->overwrite, &t.base);
    if (status == DCNN_OK) {
        status = dcnn_comm_agree(cli->comm, cli->speaks ? dcnn_spare_for_trace(o, &t.base) : DCNN_OK);
        if (status == DCNN_OK) status = search_all(&t);
        dcnn_run_free(&t.base);
    }
    free(t.trials);
    free(weights);
    dcnn_recipe_words_free(&words);
    return status;
}
