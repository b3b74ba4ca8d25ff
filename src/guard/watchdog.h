/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file watchdog.h — ends a training when a rank has died, stands still, or cannot be reached; MPI alone would hang.
 *
 * It knows no MPI. Each rank has one thread that sleeps. Once a second it sends a heartbeat (step, signs of progress)
 * over a TCP connection of its own: rank 0 hears all ranks, all ranks hear rank 0.
 *
 *     what happens                      how it shows
 *     a process dies (kill -9)          its connection is closed without a farewell: at once
 *     a process stands still (SIGSTOP)  no heartbeats
 *     a host dies, a link is cut        no heartbeats
 *     a link between two other hosts    heartbeats of all, but no rank makes progress
 *     a machine loses a message         the same
 *
 * Then one line names rank, host and last step, and every rank ends with exit code 75, without MPI. Time in which this
 * process stood still itself does not count, so a whole job may be stopped and continued. A rank that has never made
 * progress is an idle one (comm.h) and need not. While a rank says that it is at long work of its own
 * (dcnn_watchdog_work), it need not make progress, for ten times as long.
 *
 * In an elastic run (elastic.h) a process that dies ends nothing: the others start the watchdog again among themselves.
 * Until then, without rank 0, each rank judges its own progress.
 */
#ifndef DCNN_GUARD_WATCHDOG_H
#define DCNN_GUARD_WATCHDOG_H

#include "comm/comm.h"

/**
 * Starts watching; with one rank, or timeout_s 0, nothing happens. *Collective.*
 * @param timeout_s  the job ends within so many seconds; rank 0's counts
 * @param elastic    ranks may die: dcnn_watchdog_restart() follows
 * @param folder     of the run, for the line; read on rank 0 only
 * @param tell       called with the line, on one rank, by the watchdog's thread; the process ends when it returns
 * @return DCNN_OK (where ranks cannot reach rank 0, with a warning); DCNN_FAILURE (no thread, no memory)
 */
dcnn_status dcnn_watchdog_start(dcnn_comm *comm, double timeout_s, bool elastic, const char *folder,
                                void (*tell)(const char *line));

/** Goes on watching, as dcnn_watchdog_start() was told, the ranks that are left. *Collective.* @return the same */
dcnn_status dcnn_watchdog_restart(dcnn_comm *comm);

/** Ends watching, with a farewell to the others. *Local.* */
void dcnn_watchdog_stop(void);

/* What the threads that train tell it; without a watchdog nothing happens. All *Local*. */

/** Steps done so far. */
void dcnn_watchdog_step(int64_t step);

/** Something was computed: a grain. */
void dcnn_watchdog_progress(void);

/** From now on long work that makes no visible progress (files), or its end. */
void dcnn_watchdog_work(bool begins);

#endif
