/* SPDX-License-Identifier: BSD-3-Clause */
/* catch_up.c — see catch_up.h. */
#include "run/catch_up.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "run/judged.h"
#include "guard/watchdog.h"

typedef enum best_file {
    BEST_FITS,   /* the checkpoint's best epoch */
    BEST_LATER,  /* of an epoch that the checkpoint does not know of: a later checkpoint was damaged */
    BEST_ANOTHER /* missing, damaged, or another run's */
} best_file;

/* Has this checkpoint's run just ended its best epoch, so that best.h5 is what this checkpoint is? */
static bool is_best(const dcnn_progress *p) {
    return p->cursor == 0 && p->best_epoch == p->epoch && p->epoch > 0;
}

static best_file compare(const dcnn_trainer *t, const dcnn_checkpoint *best) {
    const dcnn_progress *p = &t->state.progress, *b = &best->progress;
    if (!best->own || b->seed != p->seed || b->data_checksum != p->data_checksum || !is_best(b)) return BEST_ANOTHER;
    if (b->epoch > p->epoch) return BEST_LATER;
    if (b->epoch != p->best_epoch || b->best_correct != p->best_correct || b->best_loss != p->best_loss)
        return BEST_ANOTHER;
    if (is_best(p) && dcnn_weights_hash(best->net) != dcnn_weights_hash(t->state.net)) return BEST_ANOTHER;
    return BEST_FITS;
}

/* Looks at best.h5. One that could not be read may be good: that is a failure, and nothing is changed. */
static dcnn_status look(const dcnn_trainer *t, const char *path, best_file *found) {
    struct stat about;
    dcnn_seal seal;
    dcnn_checkpoint best = {0};
    *found = BEST_ANOTHER;
    if (stat(path, &about) != 0 && errno == ENOENT) return DCNN_OK;
    dcnn_status status = dcnn_file_verify(path, &seal);
    if (seal == DCNN_SEAL_BAD || (status == DCNN_OK && seal == DCNN_SEAL_NONE)) return DCNN_OK;
    if (status == DCNN_OK) status = dcnn_checkpoint_read(path, &best);
    if (status == DCNN_OK) *found = compare(t, &best);
    dcnn_checkpoint_free(&best);
    return status;
}

/* The best epoch's weights are gone: the best is that of the epochs from here on, or the last. */
static void forget_best(dcnn_trainer *t, const char *path, best_file found) {
    dcnn_progress *p = &t->state.progress;
    const bool at_end = p->epoch >= t->options->epochs && p->cursor == 0;
    if (at_end)
        dcnn_warn("%s: missing, damaged or not of this run, whose best epoch was %lld: the last epoch's network takes "
                  "its place",
                  path, (long long)p->best_epoch);
    else if (found != BEST_LATER) /* else the epochs from here on make it again, bit by bit */
        dcnn_warn("%s: missing, damaged or not of this run, whose best epoch was %lld: the best epoch is now looked "
                  "for from here on",
                  path, (long long)p->best_epoch);
    p->best_epoch = at_end ? p->epoch : 0;
    if (!at_end) p->best_correct = -1;
    if (!at_end) p->best_loss = INFINITY;
}

static dcnn_status settle_best(dcnn_trainer *t) {
    dcnn_progress *p = &t->state.progress;
    best_file found = BEST_ANOTHER;
    if (p->best_epoch == 0) return DCNN_OK;
    char *path = dcnn_path_join(t->run->folder, DCNN_RUN_BEST);
    dcnn_status status = path ? look(t, path, &found) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    if (status == DCNN_OK && found != BEST_FITS) {
        if (!is_best(p)) forget_best(t, path, found);
        if (is_best(p)) status = dcnn_trainer_write(t, path, false);
    }
    free(path);
    return status;
}

/* May best.h5 have to be written, of averaged weights that no file has? All ranks make those. */
static bool needs_average(const dcnn_trainer *t) {
    const dcnn_progress *p = &t->state.progress;
    return t->state.average && p->cursor == 0 && (is_best(p) || p->epoch >= t->options->epochs);
}

/* As at the end of the epoch, whose number the sampler went by. */
static dcnn_status judge_again(dcnn_trainer *t) {
    t->state.progress.epoch--;
    const dcnn_status status = dcnn_trainer_judge(t);
    t->state.progress.epoch++;
    return status;
}

dcnn_status dcnn_trainer_catch_up(dcnn_trainer *t) {
    dcnn_status status = DCNN_OK;
    const bool averaged = needs_average(t);
    if (averaged) DCNN_TRY(judge_again(t));
    if (dcnn_comm_rank(t->comm) == 0) {
        dcnn_watchdog_work(true);
        status = settle_best(t);
        if (status == DCNN_OK) status = dcnn_history_write(t->run->folder, t->state.history);
        if (status == DCNN_OK) dcnn_checkpoint_prune(t->run->folder, (int)t->options->keep);
        if (status == DCNN_OK && t->options->on_save) t->options->on_save(t->options->context);
        dcnn_watchdog_work(false);
    }
    status = dcnn_comm_agree(t->comm, status);
    if (averaged) dcnn_trainer_exchange(t);
    DCNN_TRY(status);
    dcnn_comm_broadcast(t->comm, &t->state.progress, sizeof t->state.progress);
    return DCNN_OK;
}
