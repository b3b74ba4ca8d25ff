/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file thread_pool.h — a fixed pool of threads that runs one function together.
 *
 * Worker 0 is the caller itself, so a pool of one is a plain call. Work is shared by number, never by who is free
 * first: which worker does what is arithmetic (law 2 needs no more, but runs are then also alike in time).
 */
#ifndef DCNN_BASE_THREAD_POOL_H
#define DCNN_BASE_THREAD_POOL_H

#include "base/status.h"

typedef struct dcnn_thread_pool dcnn_thread_pool;

/** What a pool runs: `worker` is 0..size-1. */
typedef void dcnn_thread_pool_task(void *argument, int worker);

/** Starts `size - 1` threads, asleep. Free with dcnn_thread_pool_free(). *Local.* */
dcnn_status dcnn_thread_pool_create(int size, dcnn_thread_pool **pool);

/** Runs the task once on each worker and returns when all are done. *Local.* */
void dcnn_thread_pool_run(dcnn_thread_pool *pool, dcnn_thread_pool_task *task, void *argument);

/** Number of workers, the caller included. */
int dcnn_thread_pool_size(const dcnn_thread_pool *pool);

/** Ends the threads; NULL is allowed. *Local.* */
void dcnn_thread_pool_free(dcnn_thread_pool *pool);

#endif
