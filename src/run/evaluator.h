/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file evaluator.h — runs a net over samples without training it, shared out over ranks and threads.
 */
#ifndef DCNN_RUN_EVALUATOR_H
#define DCNN_RUN_EVALUATOR_H

#include "base/team.h"
#include "nn/plan.h"
#include "run/loader.h"
#include "run/run.h"

typedef struct dcnn_evaluator dcnn_evaluator;

/** Plans inference of `net` on grains of `grain` samples. All arguments must outlive the evaluator. *Local.* */
dcnn_status dcnn_evaluator_create(dcnn_comm *comm, dcnn_team *team, const dcnn_kernels *kernels, dcnn_net *net,
                                  const dcnn_loader *loader, int grain, bool fuse, dcnn_evaluator **evaluator);

/**
 * Evaluates rows of the loader with the net's present weights. *Collective.*
 * @param rows                [count], the same on all ranks
 * @param want_probabilities  fill evaluation->probabilities on rank 0
 * @param evaluation          out; free with dcnn_evaluation_free()
 */
dcnn_status dcnn_evaluator_run(dcnn_evaluator *evaluator, const int64_t *rows, int64_t count, bool want_probabilities,
                               dcnn_evaluation *evaluation);

void dcnn_evaluator_free(dcnn_evaluator *evaluator);

#endif
