/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file keras_archive.h — Keras 3's own formats: `.keras` (a zip of config.json, metadata.json and model.weights.h5)
 * and
 * `.weights.h5` (that inner file alone).
 *
 * Weights lie at layers/<class in snake case, numbered>/vars/0, 1, …, the optimizer's at optimizer/vars: iterations,
 * learning rate, then the moments. What dcnn knows besides (mean and std of the input, class names) stands in
 * metadata.json under "dcnn", and as attributes of the same names in model.weights.h5; Keras passes over it.
 */
#ifndef DCNN_MODEL_KERAS_ARCHIVE_H
#define DCNN_MODEL_KERAS_ARCHIVE_H

#include "model/model.h"

/** Reads a `.keras` file. Zeroes `checkpoint` first; free with dcnn_checkpoint_free(). *Local.*
 * @return DCNN_OK, DCNN_BAD_INPUT, DCNN_FAILURE */
dcnn_status dcnn_keras_read(const char *path, dcnn_checkpoint *checkpoint);

/** Fills the weights of checkpoint->net from a `.weights.h5` of the model that it was read from; what dcnn wrote beside
 * them, class names and which images they want, goes into the checkpoint. *Local.* */
dcnn_status dcnn_keras_weights_read(const char *path, dcnn_checkpoint *checkpoint);

/**
 * Writes a `.keras` file, whole or not at all; with moments and compile state if there are any and an optimizer is
 * given, so that Keras' fit() goes on from there. *Local.*
 * @param optimizer  its learning rate is the one in force; or NULL: a model that is not compiled
 */
dcnn_status dcnn_keras_write(const char *path, const dcnn_checkpoint *checkpoint, const dcnn_optimizer *optimizer);

/** Writes a `.weights.h5` file likewise, without moments. *Local.* */
dcnn_status dcnn_keras_weights_write(const char *path, const dcnn_checkpoint *checkpoint);

#endif
