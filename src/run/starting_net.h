/* SPDX-License-Identifier: BSD-3-Clause */
/** @file starting_net.h — the network that a run starts from, fitted to its data. */
#ifndef DCNN_RUN_STARTING_NET_H
#define DCNN_RUN_STARTING_NET_H

#include "io/dataset/dataset.h"
#include "nn/net.h"
#include "run/run.h"

/**
 * Makes the net that the options name: an .h5 with its weights, a Keras JSON or the recipe's with initial ones.
 * *Local.*
 *
 * The recipe's takes any data; a JSON takes the data's shape where it names no input shape, and the data's number of
 * classes where its last layer has no units. A momentum in the options replaces those of all BatchNormalization layers.
 * @param into  out: its net (free with dcnn_net_free()), and the mean and std that its file says it expects
 * @return DCNN_OK; DCNN_BAD_INPUT: no such file, no net, or one that does not fit the data
 */
dcnn_status dcnn_starting_net(const dcnn_train_options *options, const dcnn_dataset *dataset, dcnn_checkpoint *into);

/** Do the options name a model with weights? *Local.* */
bool dcnn_starts_with_weights(const dcnn_train_options *options);

/** A model's description with what it leaves out taken from the data: the units of its last layer. *Local.* */
void dcnn_description_fit(json_t *description, int class_count);

/** momentum^steps above this: the moving averages have not arrived. */
extern const double dcnn_averages_missing;

/** The momentum of moving averages that arrive, and follow the weights, in so many steps: a twentieth of them counts,
 * 0.5 to Keras' 0.99. *Local.* */
double dcnn_momentum_for(int64_t steps);

#endif
