/* SPDX-License-Identifier: BSD-3-Clause */
/** @file launch.h — how this program was started, and whether that can be meant. */
#ifndef DCNN_GUARD_LAUNCH_H
#define DCNN_GUARD_LAUNCH_H

#include "base/status.h"

/**
 * Refuses tasks of srun that have no process manager in common with this MPI: each would be alone, or MPI would end it
 * with a page of text. Before MPI starts. *Local.*
 * @param mpi_version  "Open MPI v4.1.4", "MPICH …"
 * @return DCNN_OK; DCNN_USAGE, with the command that works
 */
dcnn_status dcnn_launch_check_srun(const char *mpi_version);

/** Refuses settings of the environment that would be ignored: numbers of ranks (DCNN_DOMAIN_RANKS, …) that are none.
 * *Local.*
 * @return DCNN_OK; DCNN_USAGE */
dcnn_status dcnn_launch_check_environment(void);

/**
 * Sees to stacks of at least 1 MiB, for this thread and for those yet to start: raises a lower `ulimit -s` where that
 * is allowed. Without it a command would end by a segmentation fault. Before there are other threads. *Local.*
 * @return DCNN_OK; DCNN_USAGE, with the limit
 */
dcnn_status dcnn_launch_check_stack(void);

/**
 * Refuses more ranks on a node than it has cores for them, unless the launcher was told to (mpirun --oversubscribe):
 * such a run is no faster than one with fewer ranks, to the same bits. *Local.*
 * @param ranks  on this node
 * @param cores  that they may use, all together
 * @return DCNN_OK; DCNN_USAGE, with the command that works
 */
dcnn_status dcnn_launch_check_cores(int ranks, int cores);

/**
 * For a process that is about to end because another one is gone. Open MPI's mpirun, told of that end, waits for the
 * daemons of all hosts, for many minutes if one of them is gone too: if it started this process and still lives after
 * `grace_s`, a helper ends it. Under other launchers nothing happens. *Local.*
 */
void dcnn_launch_end_later(double grace_s);

#endif
