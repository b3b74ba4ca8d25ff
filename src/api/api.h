/* SPDX-License-Identifier: BSD-3-Clause */
/** @file api.h — what model.c (making, using) and training.c share of the public API. */
#ifndef DCNN_API_API_H
#define DCNN_API_API_H

#include "model/input.h"
#include "model/model.h"
#include "nn/plan/plan.h"

struct dcnn_model {
    dcnn_checkpoint checkpoint; /* its net is the training's while there is one */
    const dcnn_kernels *kernels;
    dcnn_plan *plan;                                          /* of inference; NULL: to be made */
    bool stale;                                               /* the weights have changed since the plan was prepared */
    bool in_training;                                         /* its net is a training's */
    float scale[DCNN_MAX_CHANNELS], shift[DCNN_MAX_CHANNELS]; /* from bytes to the net's inputs */
};

/* Are its targets numbers, or several labels of each sample? */
bool dcnn_model_takes_targets(const dcnn_model *model);

/* Can it be trained, by what its file says? */
dcnn_status dcnn_model_check_training(const dcnn_model *model);

/* Does a batch hold what is needed, and labels that are classes? */
dcnn_status dcnn_model_check_batch(const dcnn_model *model, const dcnn_batch *batch);

/* Writes n of a batch's samples, from `first` on, as the net takes them. */
void dcnn_model_fill(const dcnn_model *model, const dcnn_batch *batch, int64_t first, int n, float *inputs);

#endif
