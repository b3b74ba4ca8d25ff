/* SPDX-License-Identifier: BSD-3-Clause */
/** @file side.h — several trainings side by side on a job's ranks. */
#ifndef DCNN_CLI_SIDE_H
#define DCNN_CLI_SIDE_H

#include "cli/cli.h"

/** One of several pieces of work. `part` has the ranks that share it, and options of its own to change. */
typedef dcnn_status dcnn_side_work(dcnn_cli *part, int number, void *context);

/**
 * Does `count` pieces of work, numbers 0 to count - 1, on as many groups of ranks as there are, up to one a piece;
 * group g does pieces g, g + groups, and so on. A piece's bits are those that any number of ranks would make of it.
 * Groups that are done wait, asleep, for the others. Only warnings are told meanwhile. *Collective.*
 * @return DCNN_OK; else the worst status of all pieces, each group stopping at its first
 */
dcnn_status dcnn_side_by_side(dcnn_cli *cli, int count, dcnn_side_work *work, void *context);

/**
 * One training in a folder, without words, report or watchdog of its own; it goes on from its newest checkpoint, if
 * any. A run that is done is only tested again. *Collective* over the part's ranks.
 */
dcnn_status dcnn_train_quietly(dcnn_cli *part, const char *data, const char *folder, dcnn_train_result *result);

#endif
