/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file model.h — models and checkpoints, one format: a Keras whole-model `.h5` plus a group `/dcnn`.
 *
 * Layout (format version 1; sealed, see file.h):
 *   attributes of /     keras_version, backend ("dcnn"), model_config (JSON), training_config (JSON)
 *   /model_weights      attributes layer_names, backend, keras_version; a group a layer with attribute weight_names and
 *                       its weights (/model_weights/conv2d/conv2d/kernel); an empty group top_level_model_weights
 *   /dcnn/optimizer_weights
 *                       attribute weight_names; iteration, learning_rate, then m and v of each trainable weight, as
 *                       Keras 3 orders and names Adam's (adam/conv2d_kernel_momentum, …_velocity), whatever the
 *                       optimizer; m alone of lars and lion, of rmsprop without momentum, and of sgd (none without
 *                       momentum); best.h5 has none. Not at Keras' own place,
 *                       /optimizer_weights, where dcnn 0.1.0 had them: Keras 3 builds an optimizer of no weights from
 *                       there, and its fit() fails. Keras knows no LARS, and its .h5 reader no Lamb: without
 *                       training_config it loads such models uncompiled
 *   /dcnn/average_weights
 *                       the averaged weights of a run with an EMA, LAYER/kernel, …, each shaped as its weight; best.h5
 *                       has none, for there they are the weights
 *   /dcnn               attributes format_version, created_by, the fields of dcnn_progress, mean and std of the data it
 *                       was trained on, loss (JSON; only if the last layer does not tell it), data_path, options
 * (JSON), history (JSON lines); data set class_names
 *
 * A file that Keras wrote has no /dcnn: it loads as a model, but cannot be resumed. keras_archive.h has Keras 3's own
 * formats.
 */
#ifndef DCNN_MODEL_H
#define DCNN_MODEL_H

#include "io/dataset/dataset.h"
#include "io/file.h"
#include "nn/optimizers/optimizer.h"
#include "nn/net.h"

/** Where a run stands: all that a resume needs besides weights and moments. Plain numbers, exact. */
typedef struct dcnn_progress {
    uint64_t seed;
    int64_t epoch;         /**< epochs completed */
    int64_t cursor;        /**< samples of the current epoch already trained on (a multiple of the batch size) */
    int64_t step;          /**< optimizer steps done */
    double loss_sum;       /**< of the current epoch so far */
    int64_t correct;       /**< hits of the current epoch so far */
    double absolute_sum;   /**< mean absolute errors of the samples of the current epoch so far, of numbers */
    double best_loss;      /**< of the best epoch by validation so far (infinite: none) */
    int64_t best_correct;  /**< its hits in validation (-1: none) */
    double best_value;     /**< of the metric that is monitored, where that is neither accuracy nor loss */
    int64_t best_epoch;    /**< its number, from 1 (0: none) */
    int64_t descent_epoch; /**< epochs that were completed when patience was over and the rate began to fall to 0 (0:
                                it has not been over) */
    int64_t phase;       /**< of the training, from 0: how often the optimizer has started anew (run/starting_net.h) */
    int64_t phase_epoch; /**< epochs that were completed when it began */
    int64_t phase_step;  /**< steps likewise */
    int64_t plateau_epochs, plateau_wait, plateau_cooldown; /**< a falling rate (run/stopping.h): epochs seen, without a
                                 better one, and to come that do not count */
    double plateau_best;                                    /**< ... its metric at its best */
    double plateau_rate;                                    /**< ... the rate that is in force (0: the first one) */
    double elapsed_s;                                       /**< training time so far, over all starts */
    uint64_t data_checksum;                                 /**< of the data set's file (dcnn_dataset.checksum) */
} dcnn_progress;

/** A checkpoint in memory. */
typedef struct dcnn_checkpoint {
    dcnn_net *net; /**< description and weights */
    float *m, *v; /**< the optimizer's moments [net->param_count], laid out as net->params, zero where it has none; NULL
                      if the file has no optimizer */
    float *average;     /**< averaged weights [net->param_count] of a run with an EMA, laid out likewise, or NULL */
    char compiled[240]; /**< what becomes of the compile state that Keras left in the file, a sentence; empty: none */
    char unknown_loss[64];    /**< that it was compiled with, where dcnn does not have it; empty: it has */
    bool own;                 /**< the file has /dcnn: progress, options and history are known */
    bool resumable;           /**< ... and moments */
    bool has_optimizer;       /**< dcnn wrote the file, and what it was trained by is in it: `optimizer` */
    dcnn_optimizer optimizer; /**< its learning rate is the one that was in force */
    dcnn_progress progress;
    bool normalised;                                        /**< mean and std are known (from /dcnn) */
    double mean[DCNN_MAX_CHANNELS], std[DCNN_MAX_CHANNELS]; /**< of the images' channels: red, green, blue */
    bool blue_first;                                        /**< the net takes the three channels turned round */
    int class_count; /**< of class_names: the net's classes, or the numbers or labels that its outputs are */
    char **class_names;
    char *data_path; /**< the data set it was trained on */
    json_t *options; /**< every option of the run, as the option table names them */
    char *history;   /**< metrics so far: JSON lines (run/record/metrics.h) */
    dcnn_seal seal;  /**< was the file sealed? set by read */
    bool only_new;   /**< whatever writes it, in any format, does not replace a file (io/output.h) */
} dcnn_checkpoint;

/**
 * Writes a checkpoint: an image in memory, then one atomic, sealed file. *Local* (rank 0 alone calls it).
 * Reads net, m, v (may be NULL: a bare model), progress, mean, std, class names, data_path, options and history.
 * @param optimizer  its settings; may be NULL, then moments are not written, and Keras loads the model uncompiled
 * @return DCNN_OK; DCNN_FAILURE (disk full, folder not writable): the old file, if any, is untouched
 */
dcnn_status dcnn_checkpoint_write(const char *path, const dcnn_checkpoint *checkpoint, const dcnn_optimizer *optimizer);

/**
 * Reads a checkpoint, a Keras whole-model `.h5` or a `.keras` (by content, not by name), checking the seal, every shape
 * and that every weight is there. *Local.* Weights are matched in order, as Keras does. Zeroes `checkpoint` first; free
 * with dcnn_checkpoint_free().
 * @return DCNN_OK, DCNN_BAD_INPUT (missing, damaged, not a model, a layer or shape that does not fit), DCNN_FAILURE
 */
dcnn_status dcnn_checkpoint_read(const char *path, dcnn_checkpoint *checkpoint);

void dcnn_checkpoint_free(dcnn_checkpoint *checkpoint);

/** Words of the weights' names without weight decay, as Keras' exclude_from_weight_decay(var_names=...) takes them, for
 * which Keras' files have no place: a list, empty if all weights have it; NULL: there is none at all. New reference.
 * *Local.* */
json_t *dcnn_checkpoint_undecayed(const dcnn_checkpoint *checkpoint);

/** XXH3-64 of each weight tensor in Keras' order, seeded with the hash of those before it (0 at first): equal weights,
 * equal hash. *Local.* */
uint64_t dcnn_weights_hash(const dcnn_net *net);

/** Reads a Keras JSON model description file. New reference in *description. *Local.* @return DCNN_OK, DCNN_BAD_INPUT
 */
dcnn_status dcnn_description_read(const char *path, json_t **description);

#endif
