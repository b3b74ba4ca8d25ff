/* SPDX-License-Identifier: BSD-3-Clause */
/** @file starting_net.h — the network that a run starts from, fitted to its data. */
#ifndef DCNN_RUN_STARTING_NET_H
#define DCNN_RUN_STARTING_NET_H

#include "io/dataset/dataset.h"
#include "nn/net.h"
#include "run/run.h"
#include "run/data/task.h"

/**
 * Makes the net that the options name: an .h5 with its weights, a Keras JSON or the recipe's with initial ones.
 * *Local.*
 *
 * The recipe's takes any data and task; a JSON takes the data's shape where it names no input shape, and the task's
 * units where its last layer has none. A momentum in the options replaces those of all BatchNormalization layers.
 * @param into  out: its net (free with dcnn_net_free()), the mean and std that its file says it expects, and the
 * classes that it names (malloc'd, each)
 * @return DCNN_OK; DCNN_BAD_INPUT: no such file, no net, or one that does not fit the data
 */
dcnn_status dcnn_starting_net(const dcnn_train_options *options, const dcnn_dataset *dataset, const dcnn_task *task,
                              dcnn_checkpoint *into);

/** Does this model file have weights (.h5, .keras), and not a description alone (JSON)? NULL: no. *Local.* */
bool dcnn_has_weights(const char *model);

/** The net of a model file of either kind, for its shape and layers; a description's weights are zero. *Local.*
 * @param input        shape where a description names none; rank 0: none is known
 * @param units        of its last layer where a description names none
 * @param activation   of that layer then, as Keras writes it; NULL: the description's
 * @param net          out; free with dcnn_net_free() */
dcnn_status dcnn_net_of_file(const char *model, dcnn_shape input, int units, const char *activation, dcnn_net **net);

/** momentum^steps above this: the moving averages have not arrived. Of the recipe's one epoch of 237 steps 9 % of the
 * variance 1 that they begin with is left, where a channel has 0.001: 13 % of the test images are right, 97.6 % with
 * exact statistics. */
extern const double dcnn_averages_missing;

/** The momentum of moving averages that arrive, and follow the weights, in so many steps: a twentieth of them counts,
 * 0.5 to Keras' 0.99. *Local.* */
double dcnn_momentum_for(int64_t steps);

/* Training in phases, as in Keras' guide to transfer learning: the head first, then some of the layers below it at a
 * low rate. A phase is what dcnn_train_options say; `next` leads to the one behind it. It starts from the last weights
 * of the one before, changed by its own freeze, unfreeze, freeze_below and train_last, with an optimizer and a schedule
 * that start anew, as when Keras compiles a model again. Epochs, steps, metrics and the best epoch go on; a checkpoint
 * knows its phase. */

/** Do the layers that later phases name exist, and does each leave something to train? *Local.*
 * @param net  as the phase of `options` trains it @return DCNN_OK; DCNN_BAD_INPUT; DCNN_FAILURE (memory) */
dcnn_status dcnn_phases_check(const dcnn_net *net, const dcnn_train_options *options);

/** What a phase starts from: the checkpoint that the one before ended with, changed. *Local.*
 * @param step  of that checkpoint
 * @param from  out; free with dcnn_checkpoint_free()
 * @return DCNN_OK; DCNN_BAD_INPUT (the checkpoint cannot be read); DCNN_FAILURE */
dcnn_status dcnn_phase_begin(const char *folder, int64_t step, const dcnn_train_options *phase, dcnn_checkpoint *from);

#endif
