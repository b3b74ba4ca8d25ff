/* SPDX-License-Identifier: BSD-3-Clause */
/** @file manual.h — man pages and shell completions, from the tables of commands and options. */
#ifndef DCNN_CLI_MANUAL_H
#define DCNN_CLI_MANUAL_H

#include <stdio.h>

#include "base/status.h"

/** Writes a man page: dcnn-COMMAND(1), or dcnn(1) for command < 0. *Local.* */
void dcnn_manual_page(int command, FILE *to);

/** Writes the completion of a shell. *Local.* @return DCNN_OK; DCNN_USAGE if it is not bash, zsh or fish */
dcnn_status dcnn_completion(const char *shell, FILE *to);

#endif
