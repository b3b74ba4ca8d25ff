/* SPDX-License-Identifier: BSD-3-Clause */
/** @file commands.h — the table of commands: what `dcnn help` lists, and what their help says. */
#ifndef DCNN_CLI_COMMANDS_H
#define DCNN_CLI_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

/** The list of commands, X(ID, name), in the order of a user's first day: their numbers, their functions
 * (dcnn_cmd_NAME), their bits in the table of options and the pages that are installed follow from it. */
#define DCNN_COMMANDS(X)                                                                                               \
    X(PREPARE, prepare)                                                                                                \
    X(TRAIN, train)                                                                                                    \
    X(EVALUATE, evaluate)                                                                                              \
    X(PREDICT, predict)                                                                                                \
    X(REPORT, report)                                                                                                  \
    X(TUNE, tune)                                                                                                      \
    X(COMPARE, compare)                                                                                                \
    X(INFO, info)                                                                                                      \
    X(EXPORT, export)                                                                                                  \
    X(SHOW, show)                                                                                                      \
    X(BENCH, bench)                                                                                                    \
    X(SLURM, slurm)                                                                                                    \
    X(DOCTOR, doctor)

#define DCNN_COMMAND_ID(ID, name) DCNN_COMMAND_##ID,
typedef enum dcnn_command_id { DCNN_COMMANDS(DCNN_COMMAND_ID) DCNN_COMMAND_COUNT } dcnn_command_id;
#undef DCNN_COMMAND_ID

/** One command; its options are the rows of dcnn_option_table that have its bit. */
typedef struct dcnn_command {
    const char *name;
    const char *operands; /**< for the usage line */
    int least, most;      /**< how many operands; most < 0: any number */
    const char *summary;  /**< one line */
    const char *details;  /**< a few sentences for its help */
    const char *like;     /**< the command whose options it takes too; its help only says so; or NULL */
    bool helped;          /**< one process does it, and those that mpirun started beside help it */
    bool diagnoses;       /**< all ranks do it, idle ones too; and one of them where MPI cannot bring them together */
    bool parallel;        /**< shares its work over MPI ranks; else one process does it, and MPI is not started */
} dcnn_command;

extern const dcnn_command dcnn_command_table[DCNN_COMMAND_COUNT];

/** The command of that name, or -1. */
int dcnn_command_find(const char *name);

/** The command whose name is nearest to a mistyped one, or NULL if none is near. */
const char *dcnn_command_nearest(const char *name);

/** Writes the list of commands, as `dcnn --help` shows it. */
void dcnn_commands_help(FILE *to);

#endif
