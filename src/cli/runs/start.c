/* SPDX-License-Identifier: BSD-3-Clause */
/* start.c — see start.h. */
#include "cli/runs/start.h"

#include "run/starting_net.h"

dcnn_status dcnn_start_net(const dcnn_options *options, const char *model, const dcnn_dataset *data,
                           dcnn_checkpoint *into) {
    dcnn_train_options train = options->train;
    dcnn_task task;
    *into = (dcnn_checkpoint){0};
    train.model = model;
    train.freeze = (dcnn_patterns){options->freeze.count, options->freeze.text};
    train.unfreeze = (dcnn_patterns){options->unfreeze.count, options->unfreeze.text};
    DCNN_TRY(dcnn_task_choose(train.loss, data, &task));
    return dcnn_starting_net(&train, data, &task, into);
}
