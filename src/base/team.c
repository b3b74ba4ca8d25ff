/* SPDX-License-Identifier: BSD-3-Clause */
/* team.c — pthreads that sleep on a condition between tasks, after a short spin. */
#include "base/team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* A stage's tasks follow each other within tens of microseconds: yielding this often before going to sleep saves the
 * wake-up, and a yield gives the core away at once when ranks are oversubscribed. */
enum { SPINS = 200 };

struct dcnn_team {
    int size;
    pthread_t *threads;
    pthread_mutex_t mutex;
    pthread_cond_t wake, idle;
    dcnn_team_task *task;
    void *argument;
    atomic_uint round;  /* counts tasks; a change wakes the workers */
    atomic_int running; /* workers still busy with this round */
    bool stop;
    int started; /* threads that exist; each takes its number at birth */
};

struct birth {
    dcnn_team *team;
    int worker;
};

static void *work(void *argument) {
    struct birth birth = *(struct birth *)argument;
    free(argument);
    dcnn_team *team = birth.team;
    unsigned seen = 0;
    for (;;) {
        for (int spin = 0; spin < SPINS && atomic_load(&team->round) == seen; spin++) sched_yield();
        pthread_mutex_lock(&team->mutex);
        while (atomic_load(&team->round) == seen) pthread_cond_wait(&team->wake, &team->mutex);
        seen = atomic_load(&team->round);
        bool stop = team->stop;
        pthread_mutex_unlock(&team->mutex);
        if (stop) return NULL;
        team->task(team->argument, birth.worker);
        if (atomic_fetch_sub(&team->running, 1) == 1) {
            pthread_mutex_lock(&team->mutex);
            pthread_cond_signal(&team->idle);
            pthread_mutex_unlock(&team->mutex);
        }
    }
}

static void start_round(dcnn_team *team, bool stop) {
    pthread_mutex_lock(&team->mutex);
    team->stop = stop;
    atomic_store(&team->running, team->started);
    atomic_fetch_add(&team->round, 1u);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

dcnn_status dcnn_team_create(int size, dcnn_team **out) {
    *out = NULL;
    dcnn_team *team = calloc(1, sizeof *team);
    if (team == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a team of %d threads", size);
    team->size = size;
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_cond_init(&team->idle, NULL);
    team->threads = calloc((size_t)size, sizeof *team->threads);
    for (int worker = 1; worker < size; worker++) {
        struct birth *birth = malloc(sizeof *birth);
        if (team->threads == NULL || birth == NULL) {
            free(birth);
            dcnn_team_free(team);
            return DCNN_FAIL(DCNN_FAILURE, "out of memory: a team of %d threads", size);
        }
        *birth = (struct birth){team, worker};
        if (pthread_create(&team->threads[team->started], NULL, work, birth) != 0) {
            free(birth);
            dcnn_team_free(team);
            return DCNN_FAIL(DCNN_FAILURE, "cannot start thread %d of %d: ask for fewer with --threads", worker, size);
        }
        team->started++;
    }
    *out = team;
    return DCNN_OK;
}

void dcnn_team_run(dcnn_team *team, dcnn_team_task *task, void *argument) {
    if (team->started == 0) {
        task(argument, 0);
        return;
    }
    team->task = task;
    team->argument = argument;
    start_round(team, false);
    task(argument, 0);
    for (int spin = 0; spin < SPINS && atomic_load(&team->running) > 0; spin++) sched_yield();
    pthread_mutex_lock(&team->mutex);
    while (atomic_load(&team->running) > 0) pthread_cond_wait(&team->idle, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
}

int dcnn_team_size(const dcnn_team *team) {
    return team->size;
}

void dcnn_team_free(dcnn_team *team) {
    if (team == NULL) return;
    if (team->started > 0) {
        start_round(team, true);
        for (int i = 0; i < team->started; i++) pthread_join(team->threads[i], NULL);
    }
    pthread_mutex_destroy(&team->mutex);
    pthread_cond_destroy(&team->wake);
    pthread_cond_destroy(&team->idle);
    free(team->threads);
    free(team);
}
