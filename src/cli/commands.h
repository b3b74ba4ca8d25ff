/* SPDX-License-Identifier: BSD-3-Clause */
/** @file commands.h — the table of commands: what `dcnn help` lists, and what their help says. */
#ifndef DCNN_CLI_COMMANDS_H
#define DCNN_CLI_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

/** The commands, in the order of a user's first day. */
typedef enum dcnn_command_id {
    DCNN_COMMAND_PREPARE,
    DCNN_COMMAND_TRAIN,
    DCNN_COMMAND_EVALUATE,
    DCNN_COMMAND_PREDICT,
    DCNN_COMMAND_REPORT,
    DCNN_COMMAND_INFO,
    DCNN_COMMAND_EXPORT,
    DCNN_COMMAND_SHOW,
    DCNN_COMMAND_BENCH,
    DCNN_COMMAND_SLURM,
    DCNN_COMMAND_COUNT
} dcnn_command_id;

/** One command; its options are the rows of dcnn_option_table that have its bit. */
typedef struct dcnn_command {
    const char *name;
    const char *operands; /**< for the usage line */
    int least, most;      /**< how many operands; most < 0: any number */
    const char *summary;  /**< one line */
    const char *details;  /**< a few sentences for its help */
    const char *like;     /**< the command whose options it takes too; its help only says so; or NULL */
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
