/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file run.h — the runs a user starts: train, evaluate, predict; their options and results.
 *
 * All functions here are *Collective*: every rank calls them with the same arguments, and all return the same status.
 */
#ifndef DCNN_RUN_RUN_H
#define DCNN_RUN_RUN_H

#include "model/input.h"
#include "model/model.h"
#include "nn/net_edit.h"
#include "nn/optimizers/optimizer.h"
#include "nn/optimizers/schedule.h"
#include "run/data/sampler.h"
#include "comm/comm.h"
#include "engine/evaluator.h"
#include "run/data/augment.h"
#include "run/stopping.h"

typedef struct dcnn_run_lock dcnn_run_lock; /* run_lock.h */

/** Where a training run lives, what it reads, and what it starts from. All owned; free with dcnn_run_free(). */
typedef struct dcnn_run {
    char *folder;        /**< made if need be */
    char *data;          /**< the data set */
    char *checkpoint;    /**< the newest whole one when resuming, else NULL: from the start */
    dcnn_run_lock *lock; /**< on rank 0, until dcnn_run_free() */
    char *made;          /**< on rank 0: the topmost folder that had to be made for `folder`, or NULL */
    bool replaces;       /**< on rank 0: the folder holds a run, which dcnn_run_clear() is to remove */
} dcnn_run;

/**
 * Settles a run's folder and start, by rank 0, for all ranks. *Collective.*
 * - data NULL: the embedded digits, prepared by the recipe's protocol at runs/mnist.h5 if that is not there yet; when
 *   resuming a named folder, the data set that its run was started with.
 * - folder NULL: runs/NAME of the data set's name; if that holds a run already, the next free runs/NAME-2, -3, …; with
 *   `resume` the last of those that exists.
 * - resume: from the newest whole checkpoint (damaged ones are renamed *.bad, with a warning); from the start if there
 * is none yet, so that a job script may always say --resume; refused where files are there that followed one.
 * - a named folder that holds a run, without resume: refused, unless overwrite: dcnn_run_clear() then removes it.
 * - a folder where another training is at work (run_lock.h): refused.
 * Folders that it makes are gone after dcnn_run_free() if no run began in them.
 * @return DCNN_OK; DCNN_USAGE (folder holds a run, or is taken); DCNN_BAD_INPUT; DCNN_FAILURE
 */
dcnn_status dcnn_run_open(dcnn_comm *comm, const char *data, const char *folder, bool resume, bool overwrite,
                          dcnn_run *run);
void dcnn_run_free(dcnn_run *run);

/**
 * Removes the run that --overwrite replaces, if there is one: once the new one's data, network and options are known to
 * be good, and before it writes anything. *Local*, for rank 0.
 * @return DCNN_OK, DCNN_FAILURE (a file cannot be removed)
 */
dcnn_status dcnn_run_clear(const dcnn_run *run);

/** How far a training run is, after a step. */
typedef struct dcnn_train_step_report {
    int64_t epoch, epochs; /**< the epoch in progress, from 1 */
    int64_t step, steps;   /**< of the epoch: done, in all */
    double images_per_s;   /**< of the epoch's steps of this start */
    double loss, accuracy; /**< of the epoch so far */
    double left_s;         /**< until the epoch's last step, at that speed */
} dcnn_train_step_report;

/** Options of a training run; the option table (cli/options.c) gives names, ranges, defaults and help. */
typedef struct dcnn_train_options {
    const char
        *model; /**< Keras JSON or .h5 with weights to start from, or NULL: the recipe's net, fitted to the data */
    const char *loss;         /**< Keras' name of it; NULL or "auto": what model and data mean (task.h) */
    const char *weights;      /**< Keras' .weights.h5 for a model described by JSON, or NULL */
    dcnn_input_given input;   /**< what the user says of the model's input */
    dcnn_patterns freeze;     /**< layers that stay as they are */
    dcnn_patterns unfreeze;   /**< layers that are trained, whatever the model says */
    const char *freeze_below; /**< so do those before this one, or NULL */
    bool keep_features;       /**< what frozen layers make of an image is computed once, where it does not change */
    int64_t feature_variants; /**< ... and so many times for each training image where augmentation changes it; 0: then
                                   nothing is kept */
    int64_t train_last;       /**< so do all but so many of those with weights; 0: none */
    dcnn_patterns rates;      /**< learning rates of layers, as dcnn_net_set_rates() takes them */
    dcnn_patterns undecayed;  /**< weights without weight decay, as dcnn_net_set_decay() takes them */
    bool replace_head;        /**< of a model with weights: its last Dense is fitted to the data, with new weights */
    const char *precision;    /**< of products: "fp32", "bf16", or NULL: as the model says, else fp32 */
    int64_t epochs;           /**< of this phase */
    int64_t batch_size;       /**< of the global batch */
    int64_t accumulate; /**< batches whose gradients make one step (then micro-batches); each has BatchNormalization
                         statistics of its own, and moves the moving ones; 0 counts as 1 */
    int64_t grain;      /**< samples a grain; part of the arithmetic (law 2) */
    dcnn_optimizer optimizer;
    dcnn_schedule schedule; /**< of optimizer.learning_rate, over all epochs */
    dcnn_plateau plateau;   /**< where that is DCNN_SCHEDULE_PLATEAU */
    uint64_t seed;
    dcnn_shuffle shuffle; /**< of the training images, each epoch */
    int64_t cache_bytes;  /**< of a node's memory for images; 0: as loader.h says */
    bool augment;
    dcnn_augment ranges;      /**< of the augmentation */
    const char *class_weight; /**< as dcnn_class_weights_read() gives it, or NULL: 1 each */
    bool oversample;          /**< each class is drawn equally often */
    int64_t patience; /**< epochs without a better one until the run ends, or, by the cosine schedule, until the rate
                           begins to fall to 0 (stopping.h); 0: it does not end early */
    dcnn_monitor monitor;     /**< what makes an epoch better, and best.h5 */
    double label_smoothing;   /**< of the cross-entropy; 0: the model's own */
    double huber_delta;       /**< where huber's parabola ends; 0: the model's own, or Keras' 1 */
    bool exact_statistics;    /**< BatchNormalization's are made anew at each epoch's end (judged.h) */
    double bn_momentum;       /**< of BatchNormalization's moving averages; 0: the model's own */
    int64_t checkpoint_every; /**< steps; 0: only at each epoch's end */
    int64_t keep;             /**< newest checkpoints to keep, >= 1 */
    int64_t threads;          /**< per rank; 0: cores / ranks on the node */
    bool fuse;                /**< fused kernels where there are any */
    bool recompute;           /**< activations that only the backward pass needs are made again, not kept */
    bool plain_sums;          /**< plain MPI_Allreduce of fp32 batch sums: to measure what exactness costs */
    bool elastic;             /**< the comm is (dcnn_comm_make_elastic): go on when ranks die */
    bool of_several;          /**< one of the process' runs: what their options would warn of in each is told once */
    const char *trace;        /**< file for a trace of a few steps (trace.h), or NULL */
    int64_t stop_after;       /**< stop as a signal would after so many steps of this start; 0: never */
    int64_t end_margin_s;     /**< stop so long before the job's end (signals.h); 0: do not look at it */
    const json_t *record;     /**< every option by its name, for run.json and checkpoints; borrowed */
    json_t *command;          /**< the words of the command line, for run.json; borrowed, may be NULL */
    int64_t log_every;        /**< steps; metrics of each such step's batch alone go to steps.jsonl; 0: none */
    bool histograms;          /**< of weights and gradients at each epoch's end, to histograms.jsonl */
    /** Called on every rank after each epoch with a line for people; may be NULL. */
    void (*on_epoch)(void *context, const char *line);
    /** Called on rank 0 after each checkpoint, when the files of metrics are up to date; may be NULL. */
    void (*on_save)(void *context);
    /** Called on rank 0 after each step; may be NULL. It is part of the step's time: return soon. */
    void (*on_step)(void *context, const dcnn_train_step_report *report);
    /** Called on every rank when ranks were lost, with its new number: rank 0 may be another one; may be NULL. */
    void (*on_rank)(void *context, int rank);
    void *context;
    const struct dcnn_train_options *next; /**< of the phase behind this one (starting_net.h), or NULL; borrowed */
} dcnn_train_options;

/** What a training run came to. */
typedef struct dcnn_train_result {
    int64_t epochs, steps; /**< done in all */
    int64_t best_epoch;    /**< of best.h5 */
    bool stopped_early;    /**< for want of patience */
    int64_t best_correct,
        best_count; /**< of the best epoch, by what makes an epoch better; answers, as of the splits */
    double best_loss;
    double best_value;                /**< of what is monitored: more is better, and of equals the lesser loss */
    bool best_validates;              /**< … which is validation, not training */
    int64_t test_correct, test_count; /**< of best.h5 on the split `test`; 0 of 0 if there is none */
    int64_t official_correct, official_count; /**< likewise on `official-test` */
    bool numbers;                             /**< it gives numbers: errors instead of hits */
    double test_loss, test_absolute;          /**< of best.h5 on `test`: loss, mean absolute error */
    double official_loss, official_absolute;
    double images_per_s;   /**< of the training steps of this start, validation left out */
    double elapsed_s;      /**< training and validation, over all starts */
    uint64_t weights_hash; /**< of the last weights */
} dcnn_train_result;

/**
 * Trains. Writes FOLDER/run.json, result.json, metrics.csv, metrics.jsonl, steps.jsonl, histograms.jsonl,
 * checkpoints/step-NNNNNNNN.h5 and best.h5 (by validation accuracy, then loss; the last epoch's where there is no
 * validation split). *Collective.*
 * @param from  the checkpoint to go on from (run->checkpoint, read by the caller), or NULL
 * @return DCNN_OK; DCNN_STOPPED (signal or stop_after; checkpoint saved); DCNN_DIVERGED; DCNN_BAD_INPUT; DCNN_FAILURE
 */
dcnn_status dcnn_train(dcnn_comm *comm, const dcnn_run *run, const dcnn_checkpoint *from,
                       const dcnn_train_options *options, dcnn_train_result *result);

/** Where a model's inputs come from: a data set's split (labels there), or images in memory of rank 0. */
typedef struct dcnn_samples {
    const dcnn_dataset *dataset; /**< or NULL */
    const dcnn_split *split;     /**< rows of it */
    int64_t cache_bytes;         /**< of a node's memory for its images; 0: as loader.h says */
    const dcnn_images *images;   /**< on rank 0, if dataset is NULL */
    const dcnn_dataset *like;    /**< whose images those were, or NULL: standardised by its mean and std if need be */
    bool told;                   /**< how bytes become the model's input has been said before */
    int views;                   /**< of each image, whose predictions are averaged (views.h); 0 counts as 1 */
    bool unlabelled;             /**< predictions alone are wanted: labels and targets are not looked at */
    dcnn_input_given input;      /**< what the user says of the model's input */
    /** Called on rank 0 now and then: so many of all `count` samples are done if every thread of every rank is as far
     * in its share as rank 0's first one; may be NULL. */
    void (*on_progress)(void *context, int64_t done, int64_t count);
    void *context;
} dcnn_samples;

/**
 * Runs a trained model over samples, shared out over ranks and threads; the counts are the same integers at any rank
 * count. Without labels only probabilities are made. *Collective.*
 * @param checkpoint  read by every rank from the same file
 */
dcnn_status dcnn_evaluate(dcnn_comm *comm, const dcnn_checkpoint *checkpoint, const dcnn_samples *samples, int threads,
                          bool want_probabilities, dcnn_evaluation *evaluation);

#endif
