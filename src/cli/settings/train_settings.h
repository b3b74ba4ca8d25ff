/* SPDX-License-Identifier: BSD-3-Clause */
/** @file train_settings.h — the optimizer and the schedule of a run, from its options. */
#ifndef DCNN_CLI_TRAIN_SETTINGS_H
#define DCNN_CLI_TRAIN_SETTINGS_H

#include "cli/options.h"
#include "model/model.h"
#include "nn/optimizers/optimizer.h"
#include "nn/optimizers/schedule.h"
#include "run/data/sampler.h"

/** Sets the defaults that depend on other options: the learning rate of the optimizer. Before a resumed run's own
 * options come in. *Local.* */
void dcnn_train_settings_defaults(dcnn_options *options);

/** Checks that the options go together. *Local.* @return DCNN_OK; DCNN_USAGE naming the one that would have no effect
 */
dcnn_status dcnn_train_settings_check(const dcnn_options *options);

/** Settings of the optimizer; its learning rate is scaled. *Local.* */
dcnn_optimizer dcnn_train_settings_optimizer(const dcnn_options *options);
dcnn_schedule dcnn_train_settings_schedule(const dcnn_options *options);

/** What --schedule plateau goes by. *Local.* */
dcnn_plateau dcnn_train_settings_plateau(const dcnn_options *options);
dcnn_shuffle dcnn_train_settings_shuffle(const dcnn_options *options);

/** "8,192 samples in 2 micro-batches, …; lamb, learning rate 0.008 (0.001 x 8, sqrt), cosine after a warm-up of 2
 * epochs". *Local.* */
const char *dcnn_train_settings_text(const dcnn_options *options, char text[512]);

/** Has a step too few grains for so many ranks of so many threads each? *Local.* @param text  out: a sentence that says
 * how many are idle, and what gives them work */
bool dcnn_train_settings_idle(const dcnn_options *options, int64_t ranks, int64_t threads, char text[512]);

/** How many epochs to name to somebody whose run has done so many. *Local.* */
int64_t dcnn_train_settings_more_epochs(int64_t done);

/** Does another number of epochs than `from` was trained with change the learning rate at which the run goes on?
 * *Local.* @param samples  of the training split @param text  out: a sentence with both rates */
bool dcnn_train_settings_rate_moves(const dcnn_options *options, const dcnn_checkpoint *from, int64_t samples,
                                    char text[512]);

#endif
