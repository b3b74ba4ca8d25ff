/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file options.h — the one table of options; parsing, help, records and resuming all follow from it.
 *
 * A row says all there is to know of an option: which commands have it, its type, where its value goes in dcnn_options,
 * its default, range and help. Nothing else lists options.
 */
#ifndef DCNN_CLI_OPTIONS_H
#define DCNN_CLI_OPTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "cli/commands.h"
#include "run/run.h"

enum { DCNN_MAX_OPTIONS = 192 };

/** Type of an option's value, and what its row's offset points to. */
typedef enum dcnn_option_type {
    DCNN_OPTION_FLAG,    /**< bool; --name or --no-name */
    DCNN_OPTION_INTEGER, /**< int64_t */
    DCNN_OPTION_REAL,    /**< double */
    DCNN_OPTION_SEED,    /**< uint64_t */
    DCNN_OPTION_BYTES,   /**< int64_t; written 1000, 64K, 256M, 8G or 1T; 0 if not given */
    DCNN_OPTION_TEXT,    /**< const char *, NULL if not given */
    DCNN_OPTION_LIST,    /**< dcnn_text_list; may be given again */
    DCNN_OPTION_CHOICE,  /**< const char *, one of the row's choices */
    DCNN_OPTION_SHAPE    /**< int[3]: HxWxC or HxW; all 0 if not given */
} dcnn_option_type;

/** Which ends of a range do not belong to it. */
typedef enum dcnn_option_bounds { DCNN_CLOSED, DCNN_OPEN_LOW, DCNN_OPEN_HIGH } dcnn_option_bounds;

/** What a resumed run does with the value that the run was started with. */
typedef enum dcnn_option_resume {
    DCNN_RESUME_FORGET, /**< nothing: the value belongs to one start */
    DCNN_RESUME_KEEP,   /**< takes it, unless another one is given */
    DCNN_RESUME_FIXED   /**< takes it; another one is refused, for the run would no longer be the same */
} dcnn_option_resume;

/** A row of the table. */
typedef struct dcnn_option {
    const char *name;
    char letter;       /**< its short form, or 0 */
    unsigned commands; /**< bit mask of 1 << dcnn_command_id */
    dcnn_option_type type;
    size_t offset;        /**< of its value in dcnn_options */
    const char *fallback; /**< default, as a user would write it; flags: "true" or NULL; NULL: none */
    double low, high;     /**< range of numbers */
    dcnn_option_bounds bounds;
    const char *choices; /**< "csv kaggle" */
    const char *metavar; /**< NULL for flags */
    const char *group;   /**< heading in the help */
    const char *help;    /**< {readers}: the optimizers or schedules that read it; {rates}: those whose learning rate is
                              another than the default (dcnn_option_help()) */
    const char
        *also; /**< what other programs call it, "lr rate": not understood, but answered with the name; or NULL */
    dcnn_option_resume resume;
    bool phase; /**< a later phase of a training may have another value (--then) */
} dcnn_option;

extern const dcnn_option dcnn_option_table[];
extern const int dcnn_option_count;

enum { DCNN_LIST_TEXTS = 32 };

/** Texts in the order in which they were given. */
typedef struct dcnn_text_list {
    int count;
    char *text[DCNN_LIST_TEXTS];
} dcnn_text_list;

/** The values. */
typedef struct dcnn_options {
    bool help, verbose, quiet;
    /* train: what a run takes as it is; its optimizer, schedule, monitor, order and lists of layers are what these
       words come to (train_settings.h) */
    dcnn_train_options train;
    const char *run;
    dcnn_text_list freeze, unfreeze, then, learning_rate_of, undecayed;
    bool resume, overwrite;
    const char *recipe;
    const char *optimizer, *lr_scale, *shuffle, *monitor, *pieces, *plateau;
    double learning_rate, beta_1, beta_2, epsilon, momentum, weight_decay, trust_coefficient;
    double clip_norm, clip_value, ema;
    int64_t ema_overwrite;
    bool nesterov, keras_warmup;
    double warmup, decay_rate, decay_epochs, decay_power;
    bool resize, invert;
    int64_t timeout;
    bool report, tensorboard;
    /* the other commands */
    const char *output, *format, *header, *split, *schedule;
    int64_t limit, index, views, ensemble, trials;
    const char *search, *space;
    uint64_t seed; /* of prepare */
    double test_split, validation_split, seconds;
    bool official, stratify, force, raw_input, json, comm;
    int shape[3], size[3];
    dcnn_text_list test, validation;
    bool gray, skip_broken, transpose;
    double scale;
    const char *fit, *background, *label_column, *target_columns;
    /* slurm */
    const char *nodes, *time, *partition, *account, *job_name, *launcher, *mem, *constraint, *mail;
    int64_t ranks_per_node;

    bool given[DCNN_MAX_OPTIONS]; /**< row by row: was it set explicitly? */
    int operand_count;
    char **operands; /**< in argv */
} dcnn_options;

/** What an option may be for, by its table: some of the optimizers, or of the schedules. */
typedef enum dcnn_option_reader { DCNN_READER_OPTIMIZER, DCNN_READER_SCHEDULE, DCNN_READER_COUNT } dcnn_option_reader;

/** Does the optimizer or schedule of that name read an option, or is the option for all of them? *Local.* */
bool dcnn_option_reads(dcnn_option_reader by, const char *name, const char *option);

/** "sgd, lars and rmsprop": those that read an option; empty: it is for all. *Local.* @param word  "and", "or" */
const char *dcnn_option_readers(dcnn_option_reader by, const char *option, const char *word, char text[160]);

/** A row's help, with what the tables of optimizers and schedules say of it. *Local.* */
const char *dcnn_option_help(const dcnn_option *option, char text[256]);

/** Whether that option was set explicitly. *Local.* */
bool dcnn_option_given(dcnn_command_id command, const char *name, const dcnn_options *options);

/** The table's row of that name for that command, or NULL. *Local.* */
const dcnn_option *dcnn_option_find(dcnn_command_id command, const char *name);

/** Sets the defaults of a command's options. *Local.* */
void dcnn_options_default(dcnn_command_id command, dcnn_options *options);

/**
 * Sets defaults, then reads a command's arguments; reorders argv so that operands come last. Texts point into argv.
 * *Local.*
 * @param argv  [argc]; argv[0] is the command's name
 * @return DCNN_OK; DCNN_USAGE naming the option, its range, or the nearest name. Where --help stands among good options
 *         the number of operands is not checked.
 */
dcnn_status dcnn_options_parse(dcnn_command_id command, int argc, char **argv, dcnn_options *options);

/** Sets one option from text, as from the command line, without marking it as given. *Local.* @return DCNN_USAGE */
dcnn_status dcnn_option_set(const dcnn_option *option, const char *text, dcnn_options *options);

/** Writes an option as a user gives it: "--batch-size 128", "--no-augment". *Local.* */
void dcnn_option_write(const dcnn_option *option, const dcnn_options *options, FILE *to);

/** "an integer from 1 to 100", "one of csv, kaggle": what an option takes. */
const char *dcnn_option_range(const dcnn_option *option, char text[128]);

/** "[10; 0 to 180]": an option's default and range, as short as can be read; empty if there is nothing to say. */
void dcnn_option_hint(const dcnn_option *option, char text[160]);

/** Is this row one of a command's own, which its help lists? */
bool dcnn_option_is_own(dcnn_command_id command, const dcnn_option *option);

/** Writes a command's help: usage, details, options with defaults and ranges, in 80 columns. */
void dcnn_options_help(dcnn_command_id command, FILE *to);

/** All values of a command's options by name, as JSON; NULL if memory ran out. New reference. *Local.* */
json_t *dcnn_options_record(dcnn_command_id command, const dcnn_options *options);

/**
 * Takes over what a run was started with, for its continuation: rows with DCNN_RESUME_KEEP and DCNN_RESUME_FIXED that
 * are not given explicitly. Texts point into `record`. *Local.*
 * @param record  from dcnn_options_record(); a name that it lacks was not there yet, so the run had the default; NULL:
 *                nothing is known, and options stay as they are
 * @return DCNN_OK; DCNN_USAGE if a fixed option was given another value, with both, or one where the run had none;
 *         DCNN_BAD_INPUT if the record is no good
 */
dcnn_status dcnn_options_resume(dcnn_command_id command, const json_t *record, dcnn_options *options);

#endif
