/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file team.h — a fixed team of threads that runs one function together.
 *
 * Worker 0 is the caller itself, so a team of one is a plain call. Work is shared by number, never by who is free
 * first: which worker does what is arithmetic (law 2 needs no more, but runs are then also alike in time).
 */
#ifndef DCNN_BASE_TEAM_H
#define DCNN_BASE_TEAM_H

#include "base/status.h"

typedef struct dcnn_team dcnn_team;

/** What a team runs: `worker` is 0..size-1. */
typedef void dcnn_team_task(void *argument, int worker);

/** Starts `size - 1` threads, asleep. Free with dcnn_team_free(). *Local.* */
dcnn_status dcnn_team_create(int size, dcnn_team **team);

/** Runs the task once on each worker and returns when all are done. *Local.* */
void dcnn_team_run(dcnn_team *team, dcnn_team_task *task, void *argument);

/** Number of workers, the caller included. */
int dcnn_team_size(const dcnn_team *team);

/** Ends the threads; NULL is allowed. *Local.* */
void dcnn_team_free(dcnn_team *team);

#endif
