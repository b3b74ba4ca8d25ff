/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file scores.h — what an evaluation counts of labels and of numbers: integers, and sums along the tree, so that they
 * are the same at any rank count.
 */
#ifndef DCNN_ENGINE_SCORES_H
#define DCNN_ENGINE_SCORES_H

#include "comm/comm.h"

/** Of one label that a sample has or has not; it is predicted where its probability is above 0.5. */
typedef struct dcnn_label_scores {
    int64_t true_positives, false_positives, false_negatives, true_negatives;
    double auc; /**< area under the ROC curve, by 200 thresholds and trapezoids, as Keras' AUC(); NaN: all are alike */
} dcnn_label_scores;

/** tp / (tp + fp); 0 where nothing is predicted, as Keras and scikit-learn have it. *Local.* */
double dcnn_label_precision(const dcnn_label_scores *scores);
/** tp / (tp + fn); 0 where there is none. *Local.* */
double dcnn_label_recall(const dcnn_label_scores *scores);
/** 2 tp / (2 tp + fp + fn); 0 where there is none. *Local.* */
double dcnn_label_f1(const dcnn_label_scores *scores);
/** The counts of all labels together. *Local.* */
dcnn_label_scores dcnn_label_sum(int count, const dcnn_label_scores *scores);

/** Of one number that is predicted. */
typedef struct dcnn_number_scores {
    double absolute; /**< mean absolute error */
    double squared;  /**< mean squared error */
    double r2;       /**< 1 - squared / variance of the targets; NaN where these are all alike */
} dcnn_number_scores;

/** Predictions beside what they should be, of one rank's samples, which are those of its grains. */
typedef struct dcnn_predictions {
    dcnn_shares shares;
    int grain;              /**< samples of each but the last */
    int64_t count;          /**< of this rank's samples */
    int outputs;            /**< labels or numbers of each */
    const float *predicted; /**< [count, stride]; output j stands at j + first */
    int stride, first;
    const float *values;   /**< [count, outputs], or NULL: the class of each sample is its one label */
    const int32_t *labels; /**< [count] */
} dcnn_predictions;

/** Scores of each label. *Collective.* @param scores  out [outputs] @param auc  out: of all together */
dcnn_status dcnn_scores_labels(dcnn_comm *comm, const dcnn_predictions *p, dcnn_label_scores *scores, double *auc);

/** Scores of each number. *Collective.* @param all  samples of all ranks @param scores  out [outputs] */
dcnn_status dcnn_scores_numbers(dcnn_comm *comm, const dcnn_predictions *p, int64_t all, dcnn_number_scores *scores);

#endif
