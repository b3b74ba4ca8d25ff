/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file loss.h — the table of losses: from a net's last sums (logits, say) and the targets to outputs, gradients and
 * sums.
 *
 * A loss of a batch is the mean over its samples, as in Keras' `sum_over_batch_size`: kernels make sums, divided once
 * (law 1). With x the sums [n, outputs] and t the targets, a sample's loss is
 * - categorical_crossentropy     sum_j t_j (log sum_k exp x_k - x_j); outputs softmax(x)
 * - binary_crossentropy          mean_j (max(x_j, 0) - x_j t_j + log(1 + exp(-|x_j|))); outputs 1 / (1 + exp(-x))
 * - mean_squared_error           mean_j (x_j - t_j)^2; outputs x, as the others below
 * - mean_absolute_error          mean_j |x_j - t_j|
 * - huber                        mean_j of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2), e = x_j - t_j
 * times the sample's weight.
 */
#ifndef DCNN_NN_LOSS_H
#define DCNN_NN_LOSS_H

#include "kernels/kernels.h"
#include "nn/activation.h"

/* One row a loss: X(ID, --loss' word; Keras' name, of whole numbers for classes, or numbers; all names that mean it, as
 * Keras writes them; regression; its function). */
/* clang-format off */
#define DCNN_LOSSES(X)                                                                                                 \
    X(CATEGORICAL, "categorical_crossentropy", "sparse_categorical_crossentropy", " sparse_categorical_crossentropy "  \
      "categorical_crossentropy SparseCategoricalCrossentropy CategoricalCrossentropy ", false, categorical)           \
    X(BINARY, "binary_crossentropy", "binary_crossentropy", " binary_crossentropy BinaryCrossentropy ", false, binary) \
    X(SQUARED, "mean_squared_error", "mean_squared_error", " mean_squared_error mse MSE MeanSquaredError ", true,      \
      squared)                                                                                                         \
    X(ABSOLUTE, "mean_absolute_error", "mean_absolute_error", " mean_absolute_error mae MAE MeanAbsoluteError ", true, \
      absolute)                                                                                                        \
    X(HUBER, "huber", "huber", " huber huber_loss Huber ", true, huber)
/* clang-format on */

#define DCNN_LOSS_ID(id, ...) DCNN_LOSS_##id,
typedef enum dcnn_loss_kind { DCNN_LOSSES(DCNN_LOSS_ID) DCNN_LOSS_COUNT } dcnn_loss_kind;
#undef DCNN_LOSS_ID

/** A loss with its settings. Zeroed: plain categorical cross-entropy. */
typedef struct dcnn_loss {
    dcnn_loss_kind kind;
    double smoothing; /**< label smoothing of the cross-entropies: t (1 - s) + s / classes, or + s / 2 */
    double delta;     /**< of huber; 0 counts as Keras' 1 */
} dcnn_loss;

/** What one grain's outputs should have been. */
typedef struct dcnn_targets {
    const int32_t *labels; /**< [n] classes; NULL: `values` are the targets; both NULL: no loss is wanted */
    const int32_t *others; /**< [n] second classes (mixup); NULL: none */
    const float *shares;   /**< [n] of the first class, the second one has the rest; with `others` only */
    const float *weights;  /**< [n] of the samples' losses (class weights); NULL: 1 each */
    const float *values;   /**< [n, outputs] numbers, or 0 and 1 of each label (multi-label) */
} dcnn_targets;

/** Sums over samples, by name; all are exact at any rank count. Those that a loss does not have are 0. */
enum {
    DCNN_SUM_LOSS,
    DCNN_SUM_CORRECT, /**< answers that are right: samples whose likeliest class is (of mixed ones the larger share's),
                           or labels, where `values` say several of each sample */
    DCNN_SUM_SAMPLES,
    DCNN_SUM_TOP,      /**< samples whose class is among the 5 likeliest (without gradients only) */
    DCNN_SUM_ABSOLUTE, /**< mean absolute errors of the samples, of the last three losses */
    DCNN_LOSS_SUMS
};
enum { DCNN_TOP = 5 };

/** The row of one of Keras' names ("sparse_categorical_crossentropy", "CategoricalCrossentropy", "mse"), or
 * DCNN_LOSS_COUNT. *Local.* */
dcnn_loss_kind dcnn_loss_find(const char *name);

/** Keras' name as `compile` takes it; cross-entropy's with whole numbers for classes. *Local.* */
const char *dcnn_loss_name(dcnn_loss_kind kind);

/** Its name for people, as --loss takes it. *Local.* */
const char *dcnn_loss_word(dcnn_loss_kind kind);

/** Which loss a last layer of this activation means, without a word on it; DCNN_LOSS_COUNT: none. *Local.* */
dcnn_loss_kind dcnn_loss_of_output(dcnn_activation_kind activation);

/** Does the loss make numbers, not classes? *Local.* */
bool dcnn_loss_is_regression(dcnn_loss_kind kind);

/** Answers of a sample that DCNN_SUM_CORRECT counts: one, or each output's. *Local.*
 * @param values  targets are numbers, as in dcnn_targets */
int dcnn_loss_answers(const dcnn_loss *loss, int outputs, bool values);

/** Outputs y of sums x [rows, outputs]: what a prediction says. In place allowed. *Local.* */
void dcnn_loss_outputs(const dcnn_loss *loss, const dcnn_kernels *kernels, size_t rows, int outputs, const float *x,
                       float *y);

/**
 * Outputs, the gradient of the SUM of losses, and sums, of one grain. *Local.*
 * @param x     [rows, outputs]
 * @param y     out [rows, outputs]
 * @param dx    out [rows, outputs], or NULL; may be x
 * @param sums  out [DCNN_LOSS_SUMS]
 */
void dcnn_loss_run(const dcnn_loss *loss, const dcnn_kernels *kernels, size_t rows, int outputs, const float *x,
                   const dcnn_targets *targets, float *y, float *dx, double *sums);

#endif
