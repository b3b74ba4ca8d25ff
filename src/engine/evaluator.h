/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file evaluator.h — runs a net over samples without training it, shared out over ranks and threads.
 */
#ifndef DCNN_ENGINE_EVALUATOR_H
#define DCNN_ENGINE_EVALUATOR_H

#include "base/thread_pool.h"
#include "comm/comm.h"
#include "engine/feed.h"
#include "engine/scores.h"
#include "nn/plan/plan.h"

typedef struct dcnn_evaluator dcnn_evaluator;

/** Exact metrics of a model on samples. */
typedef struct dcnn_evaluation {
    int class_count;        /**< 0: the model gives numbers */
    int prediction_count;   /**< numbers of a prediction: class_count, or the net's outputs */
    int64_t count, correct; /**< samples, and answers that are right */
    int answers;            /**< that each sample has: 1, or the labels that are right or wrong one by one */
    int64_t top;            /**< samples whose class is among the DCNN_TOP likeliest; of classes alone */
    double loss;            /**< mean over the samples, and what regularizers add to it */
    double absolute;        /**< mean absolute error of a model that gives numbers */
    int64_t
        *confusion; /**< [class_count, class_count], row = true class; on every rank; NULL where samples have no class
                     */
    dcnn_label_scores *labels;   /**< [label_count] of binary cross-entropy; on every rank */
    int label_count;             /**< outputs, or 0 */
    double auc;                  /**< of all labels together, as Keras' AUC() has it; NaN: all are alike */
    dcnn_number_scores *numbers; /**< [number_count] of a model that gives numbers; on every rank */
    int number_count;            /**< outputs, or 0 */
    float *probabilities; /**< [count, prediction_count] in order, on rank 0 if asked for, else NULL: probabilities, or
                               the numbers */
    /* Of several predictions of each sample (run/data/views.h), else 0 and NULL: */
    int voters;           /**< predictions of each */
    int64_t vote_correct; /**< hits of the class that most of them name */
    float *disagreement;  /**< [count] part of them that name another class than their mean does, on rank 0 */
} dcnn_evaluation;

/** What is wanted of an evaluation, and who is told. Zeroed: probabilities are not wanted, nobody is told. */
typedef struct dcnn_evaluation_options {
    bool unlabelled;         /**< no labels are asked for: no loss and no counts */
    bool values;             /**< the feed gives numbers [n, outputs], or 0 and 1 of each label, instead of classes */
    bool want_probabilities; /**< on rank 0 */
    void (*on_grain)(void);  /**< called by any thread after each grain; may be NULL */
    /** Called by this rank's first thread now and then: so many of all `count` samples are done if every thread of
     * every rank is as far in its share; may be NULL. */
    void (*on_progress)(void *context, int64_t done, int64_t count);
    void *context;
} dcnn_evaluation_options;

/** The most classes whose confusion matrix has no more cells than an int counts. */
enum { DCNN_MOST_CLASSES = 46340 };

/** Can a net's answers be counted, class by class? *Local.* @return DCNN_OK; DCNN_BAD_INPUT: it has too many classes */
dcnn_status dcnn_evaluator_can_count(const dcnn_net *net);

/**
 * Plans inference of `net` on grains of `grain` samples, whose feed gives the output of node `first` (0: images). All
 * arguments must outlive the evaluator, and the comm must have room for sums of DCNN_LOSS_SUMS
 * (dcnn_comm_reserve_sums()). *Local.*
 */
dcnn_status dcnn_evaluator_create(dcnn_comm *comm, dcnn_thread_pool *pool, const dcnn_kernels *kernels, dcnn_net *net,
                                  int grain, bool fuse, int first, dcnn_evaluator **evaluator);

/**
 * Evaluates `count` samples of a feed with the net's present weights; the counts are the same integers at any rank
 * count. *Collective.*
 * @param options     may be NULL
 * @param evaluation  out; free with dcnn_evaluation_free()
 * @return DCNN_OK; DCNN_FAILURE (memory); a feed's failure
 */
dcnn_status dcnn_evaluator_run(dcnn_evaluator *evaluator, int64_t count, dcnn_feed feed,
                               const dcnn_evaluation_options *options, dcnn_evaluation *evaluation);

void dcnn_evaluator_free(dcnn_evaluator *evaluator);
void dcnn_evaluation_free(dcnn_evaluation *evaluation);

#endif
