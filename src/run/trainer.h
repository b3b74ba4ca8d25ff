/* SPDX-License-Identifier: BSD-3-Clause */
/* trainer.h — the state of a training run, shared by trainer.c (setting up), train.c (epochs, saving) and train_step.c
 * (a step).
 */
#ifndef DCNN_RUN_TRAINER_H
#define DCNN_RUN_TRAINER_H

#include "base/team.h"
#include "nn/optimizer.h"
#include "nn/plan.h"
#include "run/evaluator.h"
#include "run/loader.h"
#include "run/run_folder.h"
#include "run/sampler.h"
#include "run/trace.h"
#include "comm/tree.h"

/* What one thread needs: the partial gradient sums of its contiguous grains, as a stack of vectors along the tree. */
typedef struct dcnn_worker {
    float **vectors; /* [depth] each [param_count] */
    int depth;       /* blocks in use after a stage */
} dcnn_worker;

/* What an elastic run takes back when a rank is lost; see elastic.h. */
typedef struct dcnn_memory {
    dcnn_progress progress;
    size_t history;    /* its length */
    float *statistics; /* [state_count] */
} dcnn_memory;

typedef struct dcnn_trainer {
    dcnn_comm *comm;
    const dcnn_kernels *kernels;
    const dcnn_train_options *options; /* borrowed; `augment` may change between steps */
    const dcnn_run *run;
    dcnn_dataset dataset;
    dcnn_loader loader;
    dcnn_sampler sampler;
    dcnn_team *team;
    dcnn_plan *plan;
    dcnn_evaluator *evaluator;
    dcnn_checkpoint state; /* net, moments, progress, history: what a checkpoint holds is what a run is */
    void *shared;       /* the domain's: weights, moments, gradient, packed weights, and each rank's worker vectors */
    float *gradient;    /* [param_count] of the global batch, a sum */
    float *accumulated; /* [param_count] of the step's micro-batches before this one; NULL if a step has one */
    void *block;        /* this rank's: sums, samples, labels */
    dcnn_worker *workers;
    double *sums; /* [slots][sum_stride] of the stage in progress */
    int sum_stride, slots;
    int64_t *samples;      /* [slots][grain] rows of this rank's grains of the batch in progress */
    int32_t *labels;       /* [slots][grain] */
    char *augment_scratch; /* [workers][augment_scratch_bytes] */
    size_t augment_scratch_bytes;
    dcnn_memory before;   /* the step in progress */
    int64_t batch;        /* samples of the global (micro-)batch */
    int64_t step_samples; /* of its micro-batches so far */
    dcnn_shares shares;
    int stage;
    int stop_signal; /* that some rank wants to end for; see signals.h */
    int micro_batch; /* of the step, from 0 */
    bool micro_batch_is_last;
    dcnn_update update;
    double train_s;                    /* time in steps, this start */
    double booked_s;                   /* until when the step's time is booked */
    double phases_s[DCNN_PHASE_COUNT]; /* of worker 0, but for forward and backward; see dcnn_trainer_phases() */
    dcnn_trace *trace;                 /* or NULL */
    dcnn_op_times *times;              /* [operations + 1] of worker 0, the loss last */
    int64_t trained;                   /* images, this start */
    int64_t steps;                     /* steps, this start */
    dcnn_step_metrics *noted;          /* [noted_room] of steps since the last checkpoint, every log_every-th */
    int noted_count, noted_room;
    struct {
        double now_s, train_s;
        int64_t trained;
    } began;          /* what these were when the epoch, or this start in its middle, began */
    double started_s; /* dcnn_now_s() minus the time of earlier starts */
} dcnn_trainer;

/**
 * Sets a run up, up to its first step: data, net, memory, threads. *Collective.*
 * @param run       borrowed; its data set is read unless there are pictures
 * @param from      the checkpoint to go on from, or NULL
 * @param options   borrowed
 * @param pictures  NULL, or labelled pictures that are the split "train" instead (pixels and labels on rank 0, the
 *                  rest on every rank)
 * @param classes   of the pictures
 * @param trainer   out; free with dcnn_trainer_close(), after a failure too
 */
dcnn_status dcnn_trainer_open(dcnn_comm *comm, const dcnn_run *run, const dcnn_checkpoint *from,
                              const dcnn_train_options *options, const dcnn_images *pictures, int classes,
                              dcnn_trainer **trainer);

/** Frees a trainer; NULL is allowed. *Collective.* */
void dcnn_trainer_close(dcnn_trainer *trainer);

/**
 * One step: the next batch, or micro-batches, forward and backward, gradients summed exactly, new weights.
 * *Collective.*
 * @return DCNN_OK; DCNN_DIVERGED: weights are as before the step, but for the moving statistics
 * @param stop  out: some rank wants to stop (after this step, which is complete)
 */
dcnn_status dcnn_train_step(dcnn_trainer *trainer, bool *stop);

/** The parts of a step after a (micro-)batch's gradient: adds it to the step's; makes new weights (update.c).
 * *Collective.* */
void dcnn_trainer_accumulate(dcnn_trainer *trainer);
void dcnn_trainer_update(dcnn_trainer *trainer);

/** Where the time of the steps since dcnn_trainer_forget_times() went, on this rank's first thread; the sum is the
 * time in steps. *Local.* */
void dcnn_trainer_phases(const dcnn_trainer *trainer, double phases_s[DCNN_PHASE_COUNT]);
void dcnn_trainer_forget_times(dcnn_trainer *trainer);

#endif
