/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file dcnn.h
 * @brief The public header of libdcnn: convolutional networks that a C program makes, trains and uses, on arrays.
 *
 *     dcnn_model *model;
 *     dcnn_model_load("best.h5", &model);
 *     dcnn_model_predict(model, 1, pixels, probabilities);
 *     puts(dcnn_model_class(model, 7));
 *     dcnn_model_free(model);
 *
 * Everything that can fail returns a ::dcnn_status; dcnn_error() then tells in one sentence what went wrong, where, and
 * what to do. The library never prints, exits or asserts on input. Functions are *Local* unless they say *Collective*:
 * then every rank calls them with the same arguments, and all return the same status. One model is for one thread at a
 * time.
 *
 * Within a version 0.x a release with the same x only adds functions and members at a structure's end; the soname
 * (libdcnn.so.0) changes with anything that would break a program already built.
 */
#ifndef DCNN_H
#define DCNN_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define DCNN_API __attribute__((visibility("default")))
#else
#define DCNN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Result of every call that can fail; also the exit codes of the program. */
typedef enum dcnn_status {
    DCNN_OK = 0,        /**< done */
    DCNN_FAILURE = 1,   /**< the machine failed: out of memory, disk full, MPI or HDF5 error */
    DCNN_USAGE = 2,     /**< a wrong call or option */
    DCNN_BAD_INPUT = 3, /**< a file that is missing, damaged or does not fit */
    DCNN_DIVERGED = 4,  /**< the loss became NaN or infinite */
    DCNN_STOPPED = 75   /**< stopped early with a good checkpoint: start again with --resume (EX_TEMPFAIL) */
} dcnn_status;

/** Text of the last failure in this thread: one sentence, never NULL. Valid until the next failing call. */
DCNN_API const char *dcnn_error(void);

/** The library's version, "0.1.0". */
DCNN_API const char *dcnn_version(void);

/* --- models ------------------------------------------------------------------------------------------------------- */

/** A network with its weights. Opaque; free with dcnn_model_free(). */
typedef struct dcnn_model dcnn_model;

/**
 * Loads a model or checkpoint (a Keras whole-model `.h5`). It knows how its inputs are made of bytes if dcnn wrote it;
 * for one that Keras wrote, see dcnn_model_set_inputs().
 * @param path   the file
 * @param model  out; the caller owns it and frees it with dcnn_model_free()
 * @return DCNN_OK, DCNN_BAD_INPUT, DCNN_FAILURE
 */
DCNN_API dcnn_status dcnn_model_load(const char *path, dcnn_model **model);

/**
 * Makes a new network from a Keras description, with weights drawn from `seed`. Its inputs are byte / 255 until
 * dcnn_model_set_inputs() says otherwise.
 * @param json   the text of model.to_json(), where defaults may be left out
 * @param shape  height, width, channels of an input; NULL: as the description says
 * @return DCNN_OK, DCNN_BAD_INPUT, DCNN_FAILURE
 */
DCNN_API dcnn_status dcnn_model_create(const char *json, const int shape[3], uint64_t seed, dcnn_model **model);

/**
 * Says how inputs are made of bytes: (byte / 255 - mean) / std in each channel, in the order that images have them: a
 * model that took blue first takes red first from here on. It is saved with the model.
 * @param mean,std  [channels] of byte / 255 over the training images; std above 0
 * @return DCNN_OK, DCNN_USAGE
 */
DCNN_API dcnn_status dcnn_model_set_inputs(dcnn_model *model, const double *mean, const double *std);

/** Names the classes; they are copied, and saved with the model. @return DCNN_OK; DCNN_USAGE: a name is NULL, or the
 * model gives numbers; DCNN_FAILURE */
DCNN_API dcnn_status dcnn_model_set_classes(dcnn_model *model, const char *const *names);

/**
 * Says what training lessens: "mean_squared_error", "mean_absolute_error", "huber", "binary_crossentropy" or
 * "categorical_crossentropy", Keras' names. Without it the last layer says it (softmax or none: categorical, sigmoid:
 * binary), or the file; of a file that was compiled with a loss that dcnn does not have, predictions (where the last
 * layer leaves open what they are), evaluations and trainings are refused until this is called. Before training begins.
 * @return DCNN_OK; DCNN_USAGE: no such loss, or not of such a last layer
 */
DCNN_API dcnn_status dcnn_model_set_loss(dcnn_model *model, const char *name);

/** Values of one prediction: a probability of each class or label, or the numbers that the network gives. */
DCNN_API int dcnn_model_outputs(const dcnn_model *model);

/** Shape of one input, `{height, width, channels}`, and the number of classes; 0 classes: the network gives numbers. */
DCNN_API void dcnn_model_shape(const dcnn_model *model, int shape[3], int *class_count);

/** A class' name, which belongs to the model; NULL if it has none, or there is no such class. */
DCNN_API const char *dcnn_model_class(const dcnn_model *model, int class_number);

/**
 * Class probabilities of images, or the numbers that the network gives. Single-threaded.
 * @param images         [count, height, width, channels] bytes, 0..255
 * @param probabilities  out [count, dcnn_model_outputs()]
 * @return DCNN_OK; DCNN_USAGE: the model's file does not say how its inputs are made of bytes, or what its outputs are
 */
DCNN_API dcnn_status dcnn_model_predict(dcnn_model *model, int64_t count, const uint8_t *images, float *probabilities);

/** The same of inputs as the network takes them, standardised or whatever it was trained on.
 * @param inputs  [count, height, width, channels] */
DCNN_API dcnn_status dcnn_model_predict_floats(dcnn_model *model, int64_t count, const float *inputs,
                                               float *probabilities);

/** Images or inputs with their classes: what training and evaluation take. Zero what is not given. */
typedef struct dcnn_batch {
    int64_t count;
    const uint8_t *images; /**< [count, height, width, channels] bytes; or NULL, and … */
    const float *inputs;   /**< … the same as the network takes them */
    const int32_t *labels; /**< [count] classes, from 0; or NULL, and … */
    const float *targets;  /**< … [count, dcnn_model_outputs()] numbers, or 0 and 1 of each of several labels */
} dcnn_batch;

/** What a network makes of a batch; counts are exact. */
typedef struct dcnn_score {
    int64_t count, correct; /**< of several labels each counts among `correct`; of numbers that is 0 */
    double loss;            /**< mean */
    double absolute;        /**< mean absolute error of numbers, else 0 */
} dcnn_score;

/** Evaluates a model. Single-threaded; within a training dcnn_training_evaluate() shares the work out.
 * @return DCNN_OK, DCNN_USAGE, DCNN_BAD_INPUT (a label that is not a class) */
DCNN_API dcnn_status dcnn_model_evaluate(dcnn_model *model, const dcnn_batch *batch, dcnn_score *score);

/** Writes a model as a Keras whole-model `.h5`, whole or not at all. With MPI one rank calls it.
 * @return DCNN_OK, DCNN_FAILURE (disk full, no such folder) */
DCNN_API dcnn_status dcnn_model_save(const dcnn_model *model, const char *path);

/** Frees a model; NULL is allowed. Not while it is trained. */
DCNN_API void dcnn_model_free(dcnn_model *model);

/* --- training ----------------------------------------------------------------------------------------------------- */

/** A training in progress. Opaque; free with dcnn_training_free(). */
typedef struct dcnn_training dcnn_training;

/** How to train. Zeroed, it is the recipe: Adam with Keras' defaults, batches of 128, all cores of this process. */
typedef struct dcnn_training_options {
    int batch_size;        /**< samples of the largest step, over all ranks; 0: 128 */
    int threads;           /**< of this process; 0: its cores */
    const char *optimizer; /**< a name that 'dcnn train --optimizer' takes; NULL: adam */
    double momentum;       /**< of sgd and lars; 0: 0.9; below 0: none */
    double weight_decay;   /**< of kernels */
    uint64_t seed;         /**< of dropout */
    const void *mpi_comm;  /**< address of an MPI_Comm whose ranks train together, in a program that has started MPI;
                              NULL:  this process alone, without MPI */
} dcnn_training_options;

/**
 * Begins to train a model, from its present weights. The same steps give the same bits on any number of ranks and
 * threads. *Collective* over options->mpi_comm.
 * @param model    with the same weights on every rank; it is trained in place, may be used between steps, and must live
 *                 longer than the training
 * @param options  NULL: the recipe's
 * @return DCNN_OK; DCNN_USAGE: an option that cannot be, or the model is in another training; DCNN_BAD_INPUT: it cannot
 * be trained; DCNN_FAILURE
 */
DCNN_API dcnn_status dcnn_training_create(dcnn_model *model, const dcnn_training_options *options,
                                          dcnn_training **training);

/**
 * One step: forward, backward, new weights. *Collective.*
 * @param batch          the whole batch, of up to options->batch_size samples; the same on every rank, each of which
 *                       reads its share
 * @param learning_rate  of this step, 0 or above
 * @param score          out: of the batch, before the step; may be NULL
 * @return DCNN_OK; DCNN_DIVERGED: the weights are as before; DCNN_USAGE; DCNN_BAD_INPUT (a label that is not a class)
 */
DCNN_API dcnn_status dcnn_training_step(dcnn_training *training, const dcnn_batch *batch, double learning_rate,
                                        dcnn_score *score);

/** Evaluates the present weights, on all ranks and threads. *Collective.* */
DCNN_API dcnn_status dcnn_training_evaluate(dcnn_training *training, const dcnn_batch *batch, dcnn_score *score);

/** Ends a training; the model keeps the weights. NULL is allowed. *Collective.*
 * @return DCNN_OK; DCNN_FAILURE (memory): the model's weights are lost, free it */
DCNN_API dcnn_status dcnn_training_free(dcnn_training *training);

#ifdef __cplusplus
}
#endif
#endif
