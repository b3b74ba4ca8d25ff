/* SPDX-License-Identifier: BSD-3-Clause */
/** @file training_cost.h — what `dcnn info` says of training a model: which layers, and what an epoch costs. */
#ifndef DCNN_CLI_TRAINING_COST_H
#define DCNN_CLI_TRAINING_COST_H

#include "cli/options.h"
#include "nn/net.h"

/**
 * Lines about a training by these options: --freeze and so on, --batch-size, --threads; with a data set, the second
 * operand, about an epoch of it too, which is estimated by running a grain of a step. *Local.*
 * @param net   of the model, the first operand; it stays as it is
 * @param json  NULL: lines are printed; else where the same goes as "training"
 * @return DCNN_OK; as dcnn_starting_net(); DCNN_USAGE; DCNN_FAILURE
 */
dcnn_status dcnn_training_cost_tell(const dcnn_options *options, const dcnn_net *net, json_t *json);

#endif
