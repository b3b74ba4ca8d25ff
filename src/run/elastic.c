/* SPDX-License-Identifier: BSD-3-Clause */
/* elastic.c — see elastic.h. */
#include "run/elastic.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "guard/watchdog.h"
#include "run/judged.h"

dcnn_status dcnn_trainer_remember(dcnn_trainer *t) {
    if (!t->options->elastic) return DCNN_OK;
    DCNN_TRY(dcnn_history_append_steps(&t->state.history, t->notes.count, t->notes.steps));
    t->notes.count = 0;
    dcnn_memory *before = &t->before;
    before->progress = t->state.progress;
    before->history = t->state.history ? strlen(t->state.history) : 0;
    memcpy(before->statistics, t->state.net->state, t->state.net->state_count * sizeof(float));
    return DCNN_OK;
}

static void take_back(dcnn_trainer *t) {
    const dcnn_memory *before = &t->before;
    if (t->judged.exchanged) dcnn_trainer_exchange(t); /* each rank's own: nothing is shared */
    t->state.progress = before->progress;
    if (t->state.history) t->state.history[before->history] = '\0';
    memcpy(t->state.net->state, before->statistics, t->state.net->state_count * sizeof(float));
}

/* The rank that is farthest: some may have ended a step, or an epoch, that others have taken back. */
static int find_newest(const dcnn_trainer *t) {
    const dcnn_progress *p = &t->state.progress;
    const int size = dcnn_comm_size(t->comm);
    int64_t *ages = calloc((size_t)size, sizeof *ages);
    int newest = 0;
    if (ages == NULL) dcnn_comm_abort(t->comm, DCNN_FAILURE);
    ages[dcnn_comm_rank(t->comm)] = 2 * p->step + (p->cursor == 0);
    dcnn_comm_add_integers(t->comm, ages, size);
    for (int rank = 1; rank < size; rank++)
        if (ages[rank] > ages[newest]) newest = rank;
    free(ages);
    return newest;
}

/* Its state becomes everyone's. */
static void share_newest(dcnn_trainer *t) {
    const int newest = find_newest(t);
    const size_t bytes = t->state.net->param_count * sizeof(float);
    size_t length = t->state.history ? strlen(t->state.history) + 1 : 0;
    dcnn_comm_broadcast_from(t->comm, newest, &t->state.progress, sizeof t->state.progress);
    dcnn_comm_broadcast_from(t->comm, newest, t->state.net->params, bytes);
    dcnn_comm_broadcast_from(t->comm, newest, dcnn_engine_gradient(t->engine),
                             bytes); /* of its last step: the epoch's end may want it */
    dcnn_comm_broadcast_from(t->comm, newest, t->state.m, bytes);
    dcnn_comm_broadcast_from(t->comm, newest, t->state.v, bytes);
    if (t->state.average) dcnn_comm_broadcast_from(t->comm, newest, t->state.average, bytes);
    dcnn_comm_broadcast_from(t->comm, newest, t->state.net->state, t->state.net->state_count * sizeof(float));
    dcnn_comm_broadcast_from(t->comm, newest, &length, sizeof length);
    if (length == 0 || dcnn_comm_is_broken(t->comm)) return;
    char *history = realloc(t->state.history, length);
    if (history == NULL) dcnn_comm_abort(t->comm, DCNN_FAILURE);
    t->state.history = history;
    dcnn_comm_broadcast_from(t->comm, newest, history, length);
}

static dcnn_status open_anew(dcnn_trainer *old, dcnn_trainer **out) {
    dcnn_checkpoint from = old->state; /* borrowed */
    from.resumable = true;
    dcnn_watchdog_work(true);
    const dcnn_status status = dcnn_trainer_open(old->comm, old->run, &from, old->options, NULL, 0, out);
    dcnn_watchdog_work(false);
    if (status != DCNN_OK) return status;
    dcnn_trainer *t = *out;
    memcpy(dcnn_engine_gradient(t->engine), dcnn_engine_gradient(old->engine),
           t->state.net->param_count * sizeof(float));
    t->last = old->last;
    t->saved = old->saved;
    t->pace = old->pace;
    return DCNN_OK;
}

dcnn_status dcnn_trainer_go_on(dcnn_trainer **trainer) {
    dcnn_trainer *old = *trainer, *t = NULL;
    dcnn_comm *comm = old->comm;
    dcnn_status status = DCNN_OK;
    int lost = 0;
    take_back(old);
    do { /* another rank may die meanwhile */
        dcnn_trainer_close(t);
        t = NULL;
        lost += dcnn_comm_shrink(comm);
        share_newest(old);
        if (!dcnn_comm_is_broken(comm)) status = open_anew(old, &t);
        if (!dcnn_comm_is_broken(comm) && status == DCNN_OK) status = dcnn_watchdog_restart(comm);
    } while (dcnn_comm_is_broken(comm));
    dcnn_trainer_close(old);
    *trainer = t;
    if (t == NULL) return status;
    if (t->options->on_rank) t->options->on_rank(t->options->context, dcnn_comm_rank(comm));
    if (status == DCNN_OK && dcnn_comm_rank(comm) == 0)
        dcnn_warn("%d rank%s lost after step %lld: going on with %d", lost, lost == 1 ? " was" : "s were",
                  (long long)t->state.progress.step, dcnn_comm_size(comm));
    return status;
}
