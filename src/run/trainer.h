/* trainer.h — the state of a training run, shared by trainer.c (setting up, epochs, saving) and train_step.c (a step).
 */
#ifndef DCNN_RUN_TRAINER_H
#define DCNN_RUN_TRAINER_H

#include "base/team.h"
#include "nn/plan.h"
#include "run/evaluator.h"
#include "run/loader.h"
#include "run/run.h"
#include "run/sampler.h"
#include "run/tree.h"

/* What one thread needs: the partial gradient sums of its contiguous grains, as a stack of vectors along the tree. */
typedef struct dcnn_worker {
    float **vectors; /* [depth] each [param_count] */
    int depth;       /* blocks in use after a stage */
} dcnn_worker;

typedef struct dcnn_trainer {
    dcnn_comm *comm;
    const dcnn_kernels *kernels;
    const dcnn_train_options *options;
    const dcnn_run *run;
    dcnn_dataset dataset;
    dcnn_loader loader;
    dcnn_sampler sampler;
    dcnn_augment augment;
    dcnn_team *team;
    dcnn_plan *plan;
    dcnn_evaluator *evaluator;
    dcnn_checkpoint state; /* net, moments, progress, history: what a checkpoint holds is what a run is */
    void *block;           /* gradient, worker vectors, sums: one block */
    float *gradient;       /* [param_count] of the global batch, a sum */
    dcnn_worker *workers;
    double *sums; /* [slots][sum_stride] of the stage in progress */
    int sum_stride, slots;
    int64_t *samples; /* [slots][grain] rows of this rank's grains of the batch in progress */
    int32_t *labels;  /* [slots][grain] */
    /* the step in progress */
    int64_t batch; /* samples of the global batch */
    dcnn_shares shares;
    int stage;
    dcnn_adam_step adam;
    double train_s;   /* time in steps, this start */
    int64_t trained;  /* images, this start */
    int64_t steps;    /* steps, this start */
    double started_s; /* dcnn_now_s() minus the time of earlier starts */
} dcnn_trainer;

/**
 * One step: the next batch forward and backward, gradients summed exactly, Adam. *Collective.*
 * @return DCNN_OK; DCNN_DIVERGED: weights are as before the step, but for the moving statistics
 * @param stop  out: some rank wants to stop (after this step, which is complete)
 */
dcnn_status dcnn_train_step(dcnn_trainer *trainer, bool *stop);

#endif
