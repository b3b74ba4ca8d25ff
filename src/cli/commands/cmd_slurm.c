/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_slurm.c — dcnn slurm [options of train] --nodes N --time T: prints a job script that is ready for sbatch.
 *
 * It is jobs/train.sbatch with the call's values in its #SBATCH lines, and jobs/env.sh and jobs/functions.sh in the
 * place where they are read.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "cli/settings/data_settings.h"
#include "cli/settings/recipes.h"
#include "cli/settings/train_settings.h"
#include "cli/cli.h"
#include "cli/jobs.h"

/* --- what is given ---------------------------------------------------------------------------------------------- */

/* "4", or "1-4": the least and the most. */
static bool is_node_count(const char *text) {
    int least = 0, most = 0, end = 0;
    if (text[strspn(text, "0123456789-")] != '\0') return false;
    if (sscanf(text, "%d%n", &least, &end) == 1 && text[end] == '\0') return least > 0;
    return sscanf(text, "%d-%d%n", &least, &most, &end) == 2 && text[end] == '\0' && least > 0 && least <= most;
}

static int64_t most_nodes(const char *text) {
    const char *dash = strchr(text, '-');
    return atoll(dash ? dash + 1 : text);
}

/* Minutes, M:S, H:M:S, D-H, D-H:M or D-H:M:S, as sbatch takes them; a job without time is a mistake. */
static bool is_time(const char *text) {
    const char *dash = strchr(text, '-');
    int parts = 0;
    bool more_than_zero = false;
    for (const char *p = text;; p++) {
        if (*p < '0' || *p > '9') return false;
        while (*p >= '0' && *p <= '9') more_than_zero = *p++ != '0' || more_than_zero;
        parts++;
        if (*p == '\0') break;
        if (*p != ':' && p != dash) return false;
        if (p == dash && parts > 1) return false;
    }
    return more_than_zero && parts <= (dash ? 4 : 3);
}

/* What stands behind -- is sbatch's: --NAME, --NAME=VALUE, -xVALUE; a line of its own in the script. */
static bool is_for_sbatch(const char *word) {
    return word[0] == '-' && word[1] != '\0' && strpbrk(word, "\n\r") == NULL;
}

static const char *data_of(const dcnn_options *o) {
    return o->operand_count > 0 && !is_for_sbatch(o->operands[0]) ? o->operands[0] : NULL;
}

static dcnn_status check(const dcnn_options *o) {
    if (o->nodes == NULL || o->time == NULL)
        return DCNN_FAIL(DCNN_USAGE, "a job needs --nodes and --time: dcnn slurm --nodes 4 --time 2:00:00");
    if (!is_node_count(o->nodes))
        return DCNN_FAIL(DCNN_USAGE, "--nodes '%.100s': it takes a number of nodes or a range: 4, 1-4", o->nodes);
    if (!is_time(o->time))
        return DCNN_FAIL(DCNN_USAGE, "--time '%.100s': it takes minutes, H:M:S or D-H:M:S: 90, 1:30:00, 2-00:00:00",
                         o->time);
    if (o->overwrite)
        return DCNN_FAIL(DCNN_USAGE, "--overwrite would remove the run each time that the job starts again: remove it "
                                     "by hand, or name another folder (--run)");
    const char *data = data_of(o);
    char word[DCNN_SHELL_WORD];
    if (data && access(data, R_OK) != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: there is no such data set; make one with: dcnn prepare SOURCE -o %s",
                         data, dcnn_shell_word(data, word, sizeof word));
    for (int i = data ? 1 : 0; i < o->operand_count; i++)
        if (!is_for_sbatch(o->operands[i]))
            return DCNN_FAIL(
                DCNN_USAGE,
                "'%.100s': dcnn slurm takes one data set, and behind -- options of sbatch in one word each: "
                "-- --qos=long",
                o->operands[i]);
    return DCNN_OK;
}

/* --- words of a shell ------------------------------------------------------------------------------------------- */

static void put_word(const char *word) {
    const size_t room = 4 * strlen(word) + 3;
    char *text = malloc(room);
    fputs(dcnn_shell_word(word, text, text ? room : 0), stdout);
    free(text);
}

/* The shortest decimal that is this number. */
static void put_real(double value) {
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    fputs(text, stdout);
}

static void put_value(const json_t *value) {
    if (json_is_string(value))
        put_word(json_string_value(value));
    else if (json_is_integer(value))
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        put_real(json_real_value(value));
}

/* The options that were given and that dcnn train has, but for those that the script settles itself. */
static void put_train_options(const dcnn_options *options, const json_t *record) {
    for (int i = 0; i < dcnn_option_count; i++) {
        const dcnn_option *row = &dcnn_option_table[i];
        if (!options->given[i] || !(row->commands >> DCNN_COMMAND_TRAIN & 1)) continue;
        if (strcmp(row->name, "resume") == 0 || strcmp(row->name, "threads") == 0) continue;
        const json_t *value = json_object_get(record, row->name);
        if (json_is_boolean(value)) {
            printf(" --%s%s", json_is_true(value) ? "" : "no-", row->name);
        } else {
            const size_t count = json_is_array(value) ? json_array_size(value) : 1;
            for (size_t k = 0; k < count; k++) {
                printf(" --%s ", row->name);
                put_value(json_is_array(value) ? json_array_get(value, k) : value);
            }
        }
    }
}

/* --- the script ------------------------------------------------------------------------------------------------- */

static bool begins(const char *line, const char *with) {
    return strncmp(line, with, strlen(with)) == 0;
}

/* A file of jobs/ without what only its own reader needs. */
static void put_part(const unsigned char *text) {
    for (const char *line = (const char *)text; *line; line += strcspn(line, "\n") + 1)
        if (!begins(line, "# shellcheck shell=") && !begins(line, "# SPDX-"))
            printf("%.*s\n", (int)strcspn(line, "\n"), line);
}

static void put_program(const dcnn_options *options) {
    char program[4096];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    fputs("DCNN=${DCNN:-", stdout);
    put_word(length > 0 ? program : "dcnn");
    printf("}\nDCNN_LAUNCHER=${DCNN_LAUNCHER:-%s}\n\n", options->launcher);
}

static void put_request(const char *name, const char *value) {
    if (value == NULL) return;
    printf("\n#SBATCH --%s=", name);
    put_word(value);
}

/* An #SBATCH line of the template with the call's value; false: it stays as it is. */
static bool put_directive(const char *line, const dcnn_options *o) {
    const int64_t threads = o->train.threads > 0 ? o->train.threads : 1;
    if (begins(line, "#SBATCH --job-name=")) {
        fputs("#SBATCH --job-name=", stdout);
        put_word(o->job_name);
        put_request("partition", o->partition);
        put_request("account", o->account);
        put_request("mem", o->mem);
        put_request("constraint", o->constraint);
        put_request("mail-user", o->mail);
        put_request("mail-type", o->mail ? "END,FAIL,REQUEUE" : NULL);
        putchar('\n');
    } else if (begins(line, "#SBATCH --nodes=")) {
        printf("#SBATCH --nodes=%s\n", o->nodes);
    } else if (begins(line, "#SBATCH --ntasks-per-node=")) {
        const bool range = strchr(o->nodes, '-') != NULL; /* see there */
        printf("#SBATCH --%s=%" PRId64 "\n", range ? "mincpus" : "ntasks-per-node",
               range ? o->ranks_per_node * threads : o->ranks_per_node);
    } else if (begins(line, "#SBATCH --cpus-per-task=")) {
        printf("#SBATCH --cpus-per-task=%" PRId64 "\n", threads);
    } else if (begins(line, "#SBATCH --time=")) {
        printf("#SBATCH --time=%s\n", o->time);
    } else if (begins(line, "#SBATCH --output=")) { /* the last one: of two alike sbatch takes the later */
        printf("%.*s\n", (int)strcspn(line, "\n"), line);
        for (int i = data_of(o) ? 1 : 0; i < o->operand_count; i++) {
            fputs("#SBATCH ", stdout);
            put_word(o->operands[i]);
            putchar('\n');
        }
    } else {
        return false;
    }
    return true;
}

static void put_line(const char *line, const dcnn_options *o, const json_t *record) {
    if (begins(line, "jobs=") || begins(line, "# shellcheck ") || put_directive(line, o)) return;
    if (begins(line, "source \"$jobs/env.sh\"")) {
        put_program(o);
        put_part(dcnn_job_env);
        putchar('\n');
    } else if (begins(line, "source \"$jobs/functions.sh\"")) {
        put_part(dcnn_job_functions);
    } else if (begins(line, "train \"$@\"")) {
        fputs("train", stdout);
        if (data_of(o)) putchar(' ');
        if (data_of(o)) put_word(data_of(o));
        put_train_options(o, record);
        putchar('\n');
    } else {
        printf("%.*s\n", (int)strcspn(line, "\n"), line);
    }
}

/* Threads without work, by the batch that the training will take: a recipe's, or one that its data choose. */
static dcnn_status warn_of_idle(const dcnn_options *given) {
    dcnn_options o = *given;
    dcnn_recipe_words words;
    dcnn_dataset dataset;
    char text[512];
    const char *data = data_of(given);
    const int64_t ranks = most_nodes(o.nodes) * o.ranks_per_node, threads = o.train.threads > 0 ? o.train.threads : 1;
    bool shrunk = false;
    dcnn_status status = dcnn_recipe_apply(&o, &words);
    if (status == DCNN_OK) dcnn_train_settings_defaults(&o);
    if (status == DCNN_OK && data && !given->resume && dcnn_dataset_reopen(data, &dataset) == DCNN_OK) {
        const dcnn_data_facts facts = dcnn_data_facts_of(&dataset, o.train.loss, o.train.oversample);
        shrunk = dcnn_data_settings_shrink(&facts, &o);
        dcnn_dataset_free(&dataset);
    }
    const bool idle = status == DCNN_OK && dcnn_train_settings_idle(&o, ranks, threads, text);
    if (idle && shrunk)
        dcnn_warn("%s: of so few images dcnn train takes %" PRId64 " a step, work for %" PRId64
                  " threads, and the job asks for %" PRId64 ": fewer nodes or --ranks-per-node do",
                  data, o.train.batch_size, (o.train.batch_size + o.train.grain - 1) / o.train.grain, ranks * threads);
    else if (idle)
        dcnn_warn("%s", text);
    dcnn_recipe_words_free(&words);
    return status;
}

dcnn_status dcnn_cmd_slurm(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    DCNN_TRY(check(o));
    DCNN_TRY(warn_of_idle(o));
    json_t *record = dcnn_options_record(DCNN_COMMAND_SLURM, o);
    if (record == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: the record of options");
    printf("#!/bin/bash\n# A training that goes on by itself, by dcnn slurm (dcnn " DCNN_VERSION "). Submit it: sbatch "
           "THIS_FILE\n");
    const char *line = strstr((const char *)dcnn_job_train, "#SBATCH ");
    for (; line && *line; line += strcspn(line, "\n") + 1) put_line(line, o, record);
    json_decref(record);
    return DCNN_OK;
}
