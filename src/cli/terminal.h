/* SPDX-License-Identifier: BSD-3-Clause */
/** @file terminal.h — the terminal on which people see what this process writes to standard error. */
#ifndef DCNN_CLI_TERMINAL_H
#define DCNN_CLI_TERMINAL_H

#include <stdbool.h>

/** A terminal, or none. */
typedef struct dcnn_terminal {
    int descriptor; /**< to ask for its size; -1: none */
    bool relayed;   /**< mpirun passes on what is written, a moment later */
} dcnn_terminal;

/**
 * Finds the terminal that standard error ends on: standard error itself, or, if mpirun started this process and
 * passes its bytes on unchanged, mpirun's. *Local.* Close it with dcnn_terminal_close().
 */
dcnn_terminal dcnn_terminal_open(void);
void dcnn_terminal_close(dcnn_terminal *terminal);

/** Columns, as many as there are now; 80 if it does not say. *Local.* */
int dcnn_terminal_columns(const dcnn_terminal *terminal);

#endif
