/* SPDX-License-Identifier: BSD-3-Clause */
/** @file views.h — test-time augmentation, and the members of an ensemble: the mean of several predictions. */
#ifndef DCNN_RUN_VIEWS_H
#define DCNN_RUN_VIEWS_H

#include "engine/evaluator.h"
#include "run/data/feeds.h"
#include "run/run.h"

/** What the mean is taken over. */
typedef struct dcnn_views {
    dcnn_comm *comm;
    dcnn_thread_pool *pool;
    const dcnn_kernels *kernels;
    const dcnn_checkpoint *checkpoint;
    const dcnn_loader *loader;
    const int64_t *rows; /**< [count], or NULL: all */
    int64_t count;
    int views; /**< of each image, itself the first; 0 counts as 1 */
    const dcnn_evaluation_options *options;
} dcnn_views;

/**
 * Evaluates each member of the net (nn/nets/ensemble.h) on each view of each image. Probabilities are means, and so is
 * what is counted; the loss is that of these means. Members and views vote, too: evaluation->voters, vote_correct and,
 * on rank 0, disagreement. *Collective.* @return as dcnn_evaluator_run(); DCNN_USAGE: the net gives numbers
 */
dcnn_status dcnn_views_run(const dcnn_views *views, dcnn_evaluation *evaluation);

#endif
