/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file dcnn.h
 * @brief The public header of libdcnn: status codes, error text, version, and using a trained model.
 *
 * Everything that can fail returns a ::dcnn_status; dcnn_error() then tells in one sentence what went wrong, where, and
 * what to do. The library never prints, exits or asserts on input. The status values are the program's exit codes.
 */
#ifndef DCNN_H
#define DCNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DCNN_VERSION "0.1.0"

/** Result of every call that can fail; also the exit codes of the program. */
typedef enum dcnn_status {
    DCNN_OK = 0,        /**< done */
    DCNN_FAILURE = 1,   /**< the machine failed: out of memory, disk full, MPI or HDF5 error */
    DCNN_USAGE = 2,     /**< a wrong call or option */
    DCNN_BAD_INPUT = 3, /**< a file that is missing, damaged or does not fit */
    DCNN_DIVERGED = 4,  /**< the loss became NaN or infinite */
    DCNN_STOPPED = 75   /**< stopped early with a good checkpoint: start again with --resume (EX_TEMPFAIL) */
} dcnn_status;

/** Text of the last failure in this thread: one sentence, never NULL. Valid until the next failing call. *Local.* */
const char *dcnn_error(void);

/** A network with its weights, ready for inference. Opaque; create with dcnn_model_load(), free with dcnn_model_free().
 */
typedef struct dcnn_model dcnn_model;

/**
 * Loads a model or checkpoint (a Keras whole-model `.h5`) for inference in this process. *Local.*
 * @param path   the file
 * @param model  out; the caller owns it and frees it with dcnn_model_free()
 * @return DCNN_OK, DCNN_BAD_INPUT, DCNN_FAILURE
 */
dcnn_status dcnn_model_load(const char *path, dcnn_model **model);

/** Shape of one input sample, `{height, width, channels}`, and the number of classes. *Local.* */
void dcnn_model_shape(const dcnn_model *model, int shape[3], int *class_count);

/**
 * Says how bytes become the model's input: (byte / 255 - mean) / std of each channel. Files that dcnn wrote say it
 * themselves, and so do models with a Rescaling or Normalization layer in front; without it dcnn_model_predict()
 * refuses the others. *Local.*
 * @param mean,std  [channels]
 * @return DCNN_OK, DCNN_USAGE
 */
dcnn_status dcnn_model_set_input(dcnn_model *model, const double *mean, const double *std);

/**
 * Class probabilities of a batch of images. *Local*, single-threaded; one model must not be used by two threads at
 * once.
 * @param images         [count, height, width, channels] bytes, 0..255
 * @param probabilities  out [count, class_count] float
 */
dcnn_status dcnn_model_predict(dcnn_model *model, int64_t count, const uint8_t *images, float *probabilities);

/** Frees a model; NULL is allowed. *Local.* */
void dcnn_model_free(dcnn_model *model);

#ifdef __cplusplus
}
#endif
#endif
