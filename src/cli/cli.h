/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file cli.h — what main.c hands to a command, and what commands share.
 *
 * A command is one function. It returns a status whose message stands in dcnn_error(); main.c tells it once. Results go
 * to stdout, everything else to the log (stderr). Only the process with `speaks` writes either.
 */
#ifndef DCNN_CLI_CLI_H
#define DCNN_CLI_CLI_H

#include "cli/options.h"
#include "run/run.h"

typedef struct dcnn_cli {
    dcnn_comm *comm; /**< of the ranks that work; NULL in a command of one process, and on an idle rank */
    dcnn_comm *job;  /**< of all ranks: the same, unless there are idle ones (comm/comm.h); else NULL likewise */
    dcnn_options *options;
    json_t *command; /**< the words of the command line, an array of strings */
    const char
        *refusal; /**< why MPI could not bring the job's ranks together, to a command that diagnoses; else NULL */
    bool speaks;  /**< rank 0, or the only process */
} dcnn_cli;

/**
 * What training does on every rank, idle ones too: signals that any of them catches count, and the watchdog watches
 * them. *Collective* over the job.
 * @param folder  of the run; read on rank 0 only
 * @return as dcnn_watchdog_start()
 */
dcnn_status dcnn_cli_watch(const dcnn_cli *cli, const char *folder);

/** From now on this process is the one that speaks. *Local.* */
void dcnn_cli_speak(dcnn_cli *cli);

/* The commands. Those of one process are *Local*, the others *Collective*. */
#define DCNN_COMMAND_FUNCTION(ID, name) dcnn_status dcnn_cmd_##name(dcnn_cli *cli);
DCNN_COMMANDS(DCNN_COMMAND_FUNCTION)
#undef DCNN_COMMAND_FUNCTION

/**
 * Evaluates a run's best.h5 and writes its figures and page (report/report.h). *Collective.*
 * @param data   the data set, or NULL: the one it was trained on
 * @param split  to evaluate on, or NULL: test, or what there is
 */
dcnn_status dcnn_run_report(const dcnn_cli *cli, const char *folder, const char *data, const char *split);

/** Brings a run's TensorBoard file in line with its metrics (report/events.h); without metrics nothing happens.
 * *Local*: rank 0 alone calls it. */
dcnn_status dcnn_run_events(const char *folder);

/** Room for a number of dcnn_number_text(). */
typedef struct dcnn_number {
    char text[32];
} dcnn_number;

/** 4176 -> "4,176". *Local.* */
const char *dcnn_number_text(int64_t value, dcnn_number *number);

/** "99.43 % (4,176 of 4,200)". *Local.* */
const char *dcnn_accuracy_text(int64_t correct, int64_t count, char text[96]);

/** "3 images of 28x28x1 in 10 classes: train 2, test 1". *Local.* */
void dcnn_dataset_text(const dcnn_dataset *dataset, char text[512]);

/** Reads a checkpoint on every rank; all come to the same status. *Collective.* Free with dcnn_checkpoint_free() even
 * after a failure. */
dcnn_status dcnn_checkpoint_share(dcnn_comm *comm, const char *path, dcnn_checkpoint *checkpoint);

/** The data set that is given, else the one that a model was trained on, if it still lies there. *Local.*
 * @param operand  what `dcnn COMMAND` was given for the model
 * @return DCNN_USAGE: neither is known; DCNN_BAD_INPUT: it cannot be read */
dcnn_status dcnn_trained_on(const char *command, const char *operand, const char *model, const char *given,
                            const char *trained_on, const char **path);

/** Warns where a data set has the name of the one that a model was trained on, but not its content. *Local.*
 * @param path  the model's file */
void dcnn_warn_of_other_data(const char *path, const dcnn_checkpoint *model, dcnn_dataset *dataset);

/** Opens a data set on every rank, and a split of it that is not empty. *Collective.* Free with dcnn_dataset_free()
 * even after a failure. @return DCNN_USAGE if there is no such split, with those there are */
dcnn_status dcnn_dataset_share(dcnn_comm *comm, const char *path, const char *split_name, dcnn_dataset *dataset,
                               const dcnn_split **split);

/** Names of a model's classes, from its file, else from the data set if that fits, else NULL. *Local.* */
const char *const *dcnn_output_names(const dcnn_checkpoint *checkpoint, const dcnn_dataset *dataset);
const char *const *dcnn_class_names(const dcnn_checkpoint *checkpoint, const dcnn_dataset *dataset);

/** Writes JSON to stdout and gives it back (decref). NULL: out of memory. *Local.* */
dcnn_status dcnn_json_print(json_t *json);

#endif
