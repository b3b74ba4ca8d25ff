/* SPDX-License-Identifier: BSD-3-Clause */
/** @file leftovers.h — what MPI leaves behind when all of a job's processes are killed at once. */
#ifndef DCNN_GUARD_LEFTOVERS_H
#define DCNN_GUARD_LEFTOVERS_H

/**
 * Removes Open MPI's shared-memory files of this host and user that no process uses any more (4 MB a rank each), and
 * tells how many there were. A file counts as unused if it is older than a minute, by when a job's ranks have found
 * each other, and no process of this host maps it. With DCNN_KEEP_LEFTOVERS=1 they stay. *Local*: one rank of a host is
 * enough.
 */
void dcnn_leftovers_remove(void);

#endif
