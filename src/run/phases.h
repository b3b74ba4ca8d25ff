/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file phases.h — training in several phases, as in Keras' guide to transfer learning: the head first, then some of
 * the layers below it at a low rate.
 *
 * A phase is what dcnn_train_options say; `next` leads to the one behind it. It starts from the last weights of the one
 * before, changed by its own freeze, unfreeze, freeze_below and train_last, with an optimizer and a schedule that start
 * anew, as when Keras compiles a model again. Epochs, steps, metrics and the best epoch go on; a checkpoint knows its
 * phase.
 */
#ifndef DCNN_RUN_PHASES_H
#define DCNN_RUN_PHASES_H

#include "run/run.h"

/** Do the layers that later phases name exist, and does each leave something to train? *Local.*
 * @param net  as the phase of `options` trains it @return DCNN_OK; DCNN_BAD_INPUT; DCNN_FAILURE (memory) */
dcnn_status dcnn_phases_check(const dcnn_net *net, const dcnn_train_options *options);

/** What a phase starts from: the checkpoint that the one before ended with, changed. *Local.*
 * @param step  of that checkpoint
 * @param from  out; free with dcnn_checkpoint_free()
 * @return DCNN_OK; DCNN_BAD_INPUT (the checkpoint cannot be read); DCNN_FAILURE */
dcnn_status dcnn_phase_begin(const char *folder, int64_t step, const dcnn_train_options *phase, dcnn_checkpoint *from);

#endif
