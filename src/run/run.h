/**
 * @file run.h — the runs a user starts: train, evaluate, predict; their options and results.
 *
 * All functions here are *Collective*: every rank calls them with the same arguments, and all return the same status.
 */
#ifndef DCNN_RUN_RUN_H
#define DCNN_RUN_RUN_H

#include "io/model.h"
#include "run/comm.h"

/** Options of a training run; the option table (cli/options.c) gives names, ranges, defaults and help. */
typedef struct dcnn_train_options {
    const char *data;        /**< data set, or NULL: the embedded digits, prepared if need be at runs/mnist.h5 */
    const char *run;         /**< run folder, or NULL: runs/NAME, or runs/NAME-2, … if that holds a run */
    const char *model;       /**< Keras JSON or .h5 with weights to start from, or NULL: the recipe's net */
    bool resume;             /**< go on from the newest whole checkpoint of the run */
    bool overwrite;          /**< start afresh in a folder that holds a run */
    int epochs;
    int batch_size;          /**< of the global batch */
    int grain;               /**< samples a grain; part of the arithmetic (law 2) */
    dcnn_adam adam;
    uint64_t seed;
    bool augment;
    double rotation_range;   /**< degrees, either way */
    double zoom_range;       /**< 0.1: 0.9 to 1.1, each axis its own */
    double width_shift_range, height_shift_range; /**< fractions of the picture, either way */
    int64_t checkpoint_every; /**< steps; 0: only at each epoch's end */
    int keep;                /**< newest checkpoints to keep, >= 1 */
    int threads;             /**< per rank; 0: cores / ranks on the node */
    bool fuse;               /**< fused kernels where there are any */
    int64_t stop_after;      /**< stop as a signal would after so many steps of this start; 0: never */
    const char *options_text; /**< every option as JSON text, for run.json and checkpoints */
} dcnn_train_options;

/** What a training run came to. */
typedef struct dcnn_train_result {
    char *run;               /**< the run folder; caller frees */
    int64_t epochs, steps;   /**< done in all */
    int64_t test_correct, test_count; /**< of the best model on the split `test`; 0 of 0 if there is none */
    int64_t official_correct, official_count; /**< on `official-test` */
    double images_per_s;     /**< of training steps in this start, without validation */
    double elapsed_s;
    uint64_t weights_hash;   /**< of the last weights */
} dcnn_train_result;

/**
 * Trains. Writes DIR/run.json, metrics.csv, metrics.jsonl, checkpoints/step-NNNNNNNN.h5, best.h5 (by validation accuracy,
 * then loss) and final.h5. *Collective.*
 * @return DCNN_OK; DCNN_STOPPED (signal or stop_after; checkpoint saved); DCNN_DIVERGED; DCNN_BAD_INPUT; DCNN_FAILURE
 */
dcnn_status dcnn_train(dcnn_comm *comm, const dcnn_train_options *options, dcnn_train_result *result);

/** Exact metrics of a model on pictures. */
typedef struct dcnn_evaluation {
    int class_count;
    int64_t count, correct;  /**< samples and hits */
    double loss;             /**< mean cross-entropy */
    int64_t *confusion;      /**< [class_count, class_count], row = true class; caller frees; on every rank */
    float *probabilities;    /**< [count, class_count] in split order, on rank 0 if asked for, else NULL; caller frees */
} dcnn_evaluation;

/** Where a model's inputs come from: a data set's split (labels there), or pictures in memory of rank 0. */
typedef struct dcnn_samples {
    const dcnn_dataset *dataset; /**< or NULL */
    const dcnn_split *split;     /**< rows of it */
    const dcnn_images *images;   /**< on rank 0, if dataset is NULL */
} dcnn_samples;

/**
 * Runs a trained model over samples, shared out over ranks and threads; the counts are the same integers at any rank
 * count. Without labels only probabilities are made. *Collective.*
 * @param checkpoint  read by every rank from the same file
 */
dcnn_status dcnn_evaluate(dcnn_comm *comm, const dcnn_checkpoint *checkpoint, const dcnn_samples *samples, int threads,
                          bool want_probabilities, dcnn_evaluation *evaluation);

void dcnn_evaluation_free(dcnn_evaluation *evaluation);

/** The newest whole checkpoint in DIR/checkpoints; damaged ones are renamed `.bad` with a warning. *Local.* Malloc'd path
 * in *path, or NULL if there is none. */
dcnn_status dcnn_checkpoint_newest(const char *run, char **path);

#endif
