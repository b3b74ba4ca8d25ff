/* SPDX-License-Identifier: BSD-3-Clause */
/** @file start.h — whether runs could begin, asked before what they replace is removed. */
#ifndef DCNN_CLI_START_H
#define DCNN_CLI_START_H

#include "cli/options.h"
#include "io/dataset/dataset.h"
#include "model/model.h"

/**
 * The net that a training with these options begins with, fitted to the data. *Local.*
 * @param into  out; dcnn_checkpoint_free() ends it, after a failure, too
 * @return DCNN_OK; DCNN_BAD_INPUT, DCNN_USAGE: what keeps the training from beginning; DCNN_FAILURE (memory)
 */
dcnn_status dcnn_start_net(const dcnn_options *options, const char *model, const dcnn_dataset *data,
                           dcnn_checkpoint *into);

#endif
