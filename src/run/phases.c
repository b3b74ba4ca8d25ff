/* SPDX-License-Identifier: BSD-3-Clause */
/* phases.c — see phases.h. */
#include "run/phases.h"

#include <stdlib.h>

#include "base/arena.h"
#include "run/run_folder.h"

static dcnn_status edit_net(const dcnn_train_options *phase, dcnn_net **net) {
    const dcnn_net_edit edit = {.freeze = phase->freeze,
                                .unfreeze = phase->unfreeze,
                                .freeze_below = phase->freeze_below,
                                .train_last = (int)phase->train_last,
                                .seed = phase->seed};
    const dcnn_status status = dcnn_net_edit_apply(&edit, net);
    if (status != DCNN_OK) dcnn_error_prefix("--then");
    if (status == DCNN_OK && phase->bn_momentum > 0) dcnn_net_set_momentum(*net, phase->bn_momentum);
    return status;
}

dcnn_status dcnn_phases_check(const dcnn_net *net, const dcnn_train_options *options) {
    dcnn_net *copy;
    if (options->next == NULL) return DCNN_OK;
    DCNN_TRY(dcnn_net_copy(net, &copy));
    dcnn_status status = DCNN_OK;
    for (const dcnn_train_options *phase = options->next; phase && status == DCNN_OK; phase = phase->next)
        status = edit_net(phase, &copy);
    dcnn_net_free(copy);
    return status;
}

dcnn_status dcnn_phase_begin(const char *folder, int64_t step, const dcnn_train_options *phase, dcnn_checkpoint *from) {
    char *path = dcnn_checkpoint_path(folder, step);
    *from = (dcnn_checkpoint){0};
    if (path == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    dcnn_status status = dcnn_checkpoint_read(path, from);
    free(path);
    if (status == DCNN_OK) status = edit_net(phase, &from->net);
    dcnn_block_free(from->m);
    dcnn_block_free(from->v);
    dcnn_block_free(from->average);
    from->m = from->v = from->average = NULL;
    dcnn_progress *p = &from->progress;
    p->phase++;
    p->phase_epoch = p->epoch;
    p->phase_step = p->step;
    p->descent_epoch = 0;
    return status;
}
