/* SPDX-License-Identifier: BSD-3-Clause */
/* trainer.h — the state of a training run, shared by trainer.c (setting up), train.c (epochs, saving) and elastic.c. */
#ifndef DCNN_RUN_TRAINER_H
#define DCNN_RUN_TRAINER_H

#include "engine/engine.h"
#include "engine/evaluator.h"
#include "run/record/metrics.h"
#include "run/record/run_folder.h"
#include "run/data/task.h"
#include "run/record/trace.h"
#include "run/training_data.h"

/* What an elastic run takes back when a rank is lost; see elastic.h. */
typedef struct dcnn_memory {
    dcnn_progress progress;
    size_t history;    /* its length */
    float *statistics; /* [state_count] */
} dcnn_memory;

/* Metrics of steps since the last checkpoint, every log_every-th; a checkpoint, at an epoch's end at the latest,
 * empties them. */
typedef struct dcnn_notes {
    dcnn_step_metrics *steps; /* [room] */
    int count, room;
} dcnn_notes;

/* How fast this start is. */
typedef struct dcnn_pace {
    double train_s;         /* time in steps */
    int64_t trained, steps; /* images, steps */
    double began_s,
        began_train_s; /* what the clock and train_s were when the epoch, or this start in its middle, began */
    int64_t began_trained;
    double started_s; /* dcnn_now_s() minus the time of earlier starts */
} dcnn_pace;

/* The last step. */
typedef struct dcnn_last_step {
    int64_t samples;
    double rate;     /* its learning rate; 0: there was none yet */
    int stop_signal; /* that some rank wants to end for; see signals.h */
} dcnn_last_step;

/* Where there are averaged weights: which of the two are in the net; see judged.h. */
typedef struct dcnn_judged {
    float *statistics; /* [state_count] of the weights that are not in it */
    bool exchanged;    /* the averaged ones are */
} dcnn_judged;

typedef struct dcnn_trainer {
    dcnn_comm *comm;
    const dcnn_train_options *options; /* borrowed; `augment` may change between steps */
    const dcnn_run *run;
    dcnn_training_data data;
    dcnn_task task;
    dcnn_engine *engine;
    dcnn_evaluator *evaluator;
    dcnn_ending ending;
    dcnn_trace *trace;     /* or NULL */
    dcnn_checkpoint state; /* what a checkpoint holds is what a run is; net, moments and average are the engine's */
    dcnn_memory before;    /* the step in progress */
    dcnn_judged judged;
    dcnn_notes notes;
    dcnn_pace pace;
    dcnn_last_step last;
    bool saved; /* a checkpoint of this run is there, this start's or an earlier one's */
} dcnn_trainer;

/**
 * Sets a run up, up to its first step: data, net, memory, threads. *Collective.*
 * @param run       borrowed; its data set is read unless there are images
 * @param from      the checkpoint to go on from, or NULL
 * @param options   borrowed
 * @param images    NULL, or labelled images that are the split "train" instead (pixels and labels on rank 0, the
 *                  rest on every rank)
 * @param classes   of the images
 * @param trainer   out; free with dcnn_trainer_close(), after a failure too
 */
dcnn_status dcnn_trainer_open(dcnn_comm *comm, const dcnn_run *run, const dcnn_checkpoint *from,
                              const dcnn_train_options *options, const dcnn_images *images, int classes,
                              dcnn_trainer **trainer);

/** Frees a trainer; NULL is allowed. *Collective.* */
void dcnn_trainer_close(dcnn_trainer *trainer);

/** Writes the state, as Keras reads it too: the learning rate is that of the last step. *Local* (rank 0 alone calls
 * it).
 * @param moments  the optimizer's as well, a whole checkpoint; else a network of a third of the size (best.h5) */
dcnn_status dcnn_trainer_write(const dcnn_trainer *t, const char *path, bool moments);

/**
 * One step: the next batch, or micro-batches. *Collective.*
 * @param goes_on  see dcnn_step
 * @return as dcnn_engine_step()
 * @param stop  out: some rank wants to stop (after this step, which is complete)
 */
dcnn_status dcnn_trainer_step(dcnn_trainer *trainer, bool goes_on, bool *stop);

/** Of a run whose loss or weights are no numbers any more: what is left of it, and what to do. *Local.* */
const char *dcnn_trainer_advice(const dcnn_trainer *trainer, char text[256]);

/** The net's hits and loss on rows of the data. *Collective.* As dcnn_evaluator_run(). */
dcnn_status dcnn_trainer_evaluate(dcnn_trainer *trainer, const int64_t *rows, int64_t count,
                                  dcnn_evaluation *evaluation);

#endif
