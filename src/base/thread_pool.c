/* SPDX-License-Identifier: BSD-3-Clause */
/* thread_pool.c — pthreads that sleep on a condition between tasks, after a short spin. */
#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* A stage's tasks follow each other within tens of microseconds: yielding this often before going to sleep saves the
 * wake-up, and a yield gives the core away at once when ranks are oversubscribed. */
enum { SPINS = 200 };

struct dcnn_thread_pool {
    int size;
    pthread_t *threads;
    pthread_mutex_t mutex;
    pthread_cond_t wake, idle;
    dcnn_thread_pool_task *task;
    void *argument;
    atomic_uint round;  /* counts tasks; a change wakes the workers */
    atomic_int running; /* workers still busy with this round */
    bool stop;
    int started; /* threads that exist; each takes its number at birth */
};

struct birth {
    dcnn_thread_pool *pool;
    int worker;
};

static void *work(void *argument) {
    struct birth birth = *(struct birth *)argument;
    free(argument);
    dcnn_thread_pool *pool = birth.pool;
    unsigned seen = 0;
    for (;;) {
        for (int spin = 0; spin < SPINS && atomic_load(&pool->round) == seen; spin++) sched_yield();
        pthread_mutex_lock(&pool->mutex);
        while (atomic_load(&pool->round) == seen) pthread_cond_wait(&pool->wake, &pool->mutex);
        seen = atomic_load(&pool->round);
        bool stop = pool->stop;
        pthread_mutex_unlock(&pool->mutex);
        if (stop) return NULL;
        pool->task(pool->argument, birth.worker);
        if (atomic_fetch_sub(&pool->running, 1) == 1) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->idle);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

static void start_round(dcnn_thread_pool *pool, bool stop) {
    pthread_mutex_lock(&pool->mutex);
    pool->stop = stop;
    atomic_store(&pool->running, pool->started);
    atomic_fetch_add(&pool->round, 1u);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

dcnn_status dcnn_thread_pool_create(int size, dcnn_thread_pool **out) {
    *out = NULL;
    dcnn_thread_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a pool of %d threads", size);
    pool->size = size;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->idle, NULL);
    pool->threads = calloc((size_t)size, sizeof *pool->threads);
    for (int worker = 1; worker < size; worker++) {
        struct birth *birth = malloc(sizeof *birth);
        if (pool->threads == NULL || birth == NULL) {
            free(birth);
            dcnn_thread_pool_free(pool);
            return DCNN_FAIL(DCNN_FAILURE, "out of memory: a pool of %d threads", size);
        }
        *birth = (struct birth){pool, worker};
        if (pthread_create(&pool->threads[pool->started], NULL, work, birth) != 0) {
            free(birth);
            dcnn_thread_pool_free(pool);
            return DCNN_FAIL(DCNN_FAILURE, "cannot start thread %d of %d: ask for fewer with --threads", worker, size);
        }
        pool->started++;
    }
    *out = pool;
    return DCNN_OK;
}

void dcnn_thread_pool_run(dcnn_thread_pool *pool, dcnn_thread_pool_task *task, void *argument) {
    if (pool->started == 0) {
        task(argument, 0);
        return;
    }
    pool->task = task;
    pool->argument = argument;
    start_round(pool, false);
    task(argument, 0);
    for (int spin = 0; spin < SPINS && atomic_load(&pool->running) > 0; spin++) sched_yield();
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load(&pool->running) > 0) pthread_cond_wait(&pool->idle, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

int dcnn_thread_pool_size(const dcnn_thread_pool *pool) {
    return pool->size;
}

void dcnn_thread_pool_free(dcnn_thread_pool *pool) {
    if (pool == NULL) return;
    if (pool->started > 0) {
        start_round(pool, true);
        for (int i = 0; i < pool->started; i++) pthread_join(pool->threads[i], NULL);
    }
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->wake);
    pthread_cond_destroy(&pool->idle);
    free(pool->threads);
    free(pool);
}
