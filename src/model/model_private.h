/* SPDX-License-Identifier: BSD-3-Clause */
/* model_private.h — what model_read.c and model_write.c share. */
#ifndef DCNN_MODEL_PRIVATE_H
#define DCNN_MODEL_PRIVATE_H

#include "io/hdf5/hdf5.h"
#include "model/model.h"

enum { DCNN_CHECKPOINT_VERSION = 1 };

/* Bytes of a JSON text that describes a model, or lists its weights: those of the most layers need a tenth of them, and
 * in memory they become fifty times as many. */
enum { DCNN_MOST_TEXT = 16 << 20 };

/* The fields of dcnn_progress, each an attribute of /dcnn of the same name: X(type in HDF5, name). */
#define DCNN_PROGRESS_FIELDS(X)                                                                                        \
    X(UINT64, seed)                                                                                                    \
    X(INT64, epoch)                                                                                                    \
    X(INT64, cursor)                                                                                                   \
    X(INT64, step)                                                                                                     \
    X(DOUBLE, loss_sum)                                                                                                \
    X(INT64, correct)                                                                                                  \
    X(DOUBLE, best_loss)                                                                                               \
    X(INT64, best_correct)                                                                                             \
    X(INT64, best_epoch)                                                                                               \
    X(DOUBLE, elapsed_s)                                                                                               \
    X(UINT64, data_checksum)

/* Those that came later: 0 in files that lack them. */
#define DCNN_PROGRESS_LATER_FIELDS(X)                                                                                  \
    X(INT64, descent_epoch)                                                                                            \
    X(DOUBLE, absolute_sum)                                                                                            \
    X(DOUBLE, best_value)                                                                                              \
    X(INT64, phase)                                                                                                    \
    X(INT64, phase_epoch)                                                                                              \
    X(INT64, phase_step)                                                                                               \
    X(INT64, plateau_epochs)                                                                                           \
    X(INT64, plateau_wait)                                                                                             \
    X(INT64, plateau_cooldown)                                                                                         \
    X(DOUBLE, plateau_best)                                                                                            \
    X(DOUBLE, plateau_rate)

/* The compile state of a model file, by Keras' keys; for `.keras`, or for a legacy file. NULL if Keras does not know
 * the optimizer. New reference. */
json_t *dcnn_compile_state_describe(const dcnn_net *net, const dcnn_optimizer *optimizer, bool archive);

/* Takes a file's loss for the net, and notes in into->compiled what becomes of the rest. `state` may be NULL. */
dcnn_status dcnn_compile_state_take(const json_t *state, dcnn_checkpoint *into);

/* What the outputs mean, {"class_name": a loss, "config": {…}}; NULL if the last layer by itself means that. New
 * reference. */
json_t *dcnn_loss_describe(const dcnn_checkpoint *from);

/* Takes that again, or what Keras' compile() was given; NULL: nothing is said. Sets the class count too. */
void dcnn_loss_take(const json_t *loss, dcnn_checkpoint *into);

/* What dcnn knows of a model besides layers and weights, for formats that have room for words: {"created_by", "mean",
 * "std", "input": a sentence, "class_names", "loss"}, each only if it is known. New reference. */
json_t *dcnn_metadata_describe(const dcnn_checkpoint *from);

/* Takes that again; `metadata` may be NULL, or of another program that has such names. Needs into->net and class_count.
 */
dcnn_status dcnn_metadata_read(const json_t *metadata, const char *path, dcnn_checkpoint *into);

/* Its weight tensors that training changes. */
static inline int dcnn_count_trainable(const dcnn_net *net) {
    int count = 0;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) count += net->nodes[i].params[j].trainable;
    return count;
}

/* A weight's shape as HDF5 wants it. Returns its rank. */
static inline int dcnn_param_shape(const dcnn_param *param, int64_t shape[4]) {
    for (int i = 0; i < param->rank; i++) shape[i] = param->dims[i];
    return param->rank;
}

#endif
