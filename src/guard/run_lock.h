/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file run_lock.h — one run folder, one training: FOLDER/run.lock says who is at it.
 *
 * File locks of the system are not for shared disks: on NFS and Lustre they fail or do nothing. So the lock is a file
 * that only one can create; it tells host, process and Slurm job, and its holder touches it every few seconds. A lock
 * is stale if its process is gone (told on its own host), if it belongs to an earlier start of the same Slurm job, or
 * if nobody has touched it for a while.
 */
#ifndef DCNN_GUARD_RUN_LOCK_H
#define DCNN_GUARD_RUN_LOCK_H

#include <stdbool.h>

#include "base/status.h"

typedef struct dcnn_run_lock dcnn_run_lock;

/**
 * Takes a run's folder, which is made if need be. Where another host holds it, this waits up to 15 s for a sign of
 * life. A stale lock is taken over, with a warning. *Local*: rank 0 calls it.
 * @param lock  out; give it back with dcnn_run_lock_release()
 * @return DCNN_OK; DCNN_USAGE: another training is at it, with its host, process and job; DCNN_FAILURE
 */
dcnn_status dcnn_run_lock_take(const char *folder, dcnn_run_lock **lock);

/** Whether another training has taken the folder over meanwhile: this process must have stood still for long. *Local.*
 */
bool dcnn_run_lock_lost(const dcnn_run_lock *lock);

/** Gives the folder back; NULL is allowed. *Local.* */
void dcnn_run_lock_release(dcnn_run_lock *lock);

#endif
