/* SPDX-License-Identifier: BSD-3-Clause */
/** @file task.h — what a run learns of its data: classes, labels, or numbers; and by which loss. */
#ifndef DCNN_RUN_TASK_H
#define DCNN_RUN_TASK_H

#include "io/dataset/dataset.h"
#include "nn/net.h"

/** A run's task. */
typedef struct dcnn_task {
    bool values;         /**< the data set's numbers are learnt, else its classes */
    dcnn_loss_kind loss; /**< that is asked for or guessed; DCNN_LOSS_COUNT: the model's own */
    bool guessed;        /**< nobody asked: a model that knows better keeps its own */
    int units;           /**< of the last layer of a net that is fitted to the data */
} dcnn_task;

/**
 * Chooses: the loss that is asked for; else classes where there are labels; else, of numbers that are all 0 or 1,
 * binary cross-entropy, and of others the mean squared error. *Local.*
 * @param loss  one of Keras' names, or NULL or "auto"
 * @return DCNN_OK; DCNN_BAD_INPUT: the data have not what that loss needs; DCNN_FAILURE (memory)
 */
dcnn_status dcnn_task_choose(const char *loss, const dcnn_dataset *dataset, dcnn_task *task);

/** The activation of a last layer for the task, as Keras writes it. *Local.* */
const char *dcnn_task_activation(const dcnn_task *task);

/** Gives a net the task's loss, and checks that it fits the data. *Local.* @param head  what --replace-head could do,
 * for messages @return DCNN_OK, DCNN_BAD_INPUT */
dcnn_status dcnn_task_fit(const dcnn_task *task, const dcnn_dataset *dataset, bool head, dcnn_net *net);

/** Do names of a model's outputs say the same as a data set's targets? Another order is refused, other names are told.
 * *Local.* @param names  [count], or NULL: nothing is known */
dcnn_status dcnn_task_check_names(const dcnn_dataset *dataset, int count, char *const names[]);

#endif
