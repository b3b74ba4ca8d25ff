/* SPDX-License-Identifier: BSD-3-Clause */
/** @file training_data.h — what a run trains on: a data set, its images, their order, and their weights. */
#ifndef DCNN_RUN_TRAINING_DATA_H
#define DCNN_RUN_TRAINING_DATA_H

#include "io/images.h"
#include "run/data/loader.h"
#include "run/data/sampler.h"
#include "run/run.h"

typedef struct dcnn_training_data {
    dcnn_dataset set;
    dcnn_loader loader;
    int first_node; /**< whose output the loader has instead of images (data/features.h); 0: images */
    dcnn_sampler sampler;
    int64_t *class_first; /**< [classes + 1] the sampler's, or NULL */
    float *class_weights; /**< [classes] of the losses, or NULL: 1 each */
    char *scratch;        /**< [threads][scratch_bytes] for the augmentation */
    size_t scratch_bytes;
} dcnn_training_data;

/**
 * Opens the data set, or describes the images that are one. *Collective.* End it with dcnn_training_data_close(), after
 * a failure too.
 * @param path     the data set, unless there are images
 * @param images   NULL, or labelled images that are the split "train" instead (pixels and labels on rank 0, the rest on
 *                 every rank)
 * @param classes  of the images
 * @param data     zeroed
 */
dcnn_status dcnn_training_data_open(dcnn_comm *comm, const char *path, const dcnn_images *images, int classes,
                                    dcnn_training_data *data);

/** Opens its samples, once the classes of its labels are settled. *Collective.* @param shape  they are brought to, as
 * dcnn_loader_options has it @return as dcnn_loader_open() */
dcnn_status dcnn_training_data_load(dcnn_comm *comm, int64_t cache_bytes, dcnn_shape shape, const dcnn_images *images,
                                    dcnn_training_data *data);

/** Sets up the order of the training split, oversampling and class weights. *Local.*
 * @return DCNN_OK; DCNN_BAD_INPUT (no training split, no such class); DCNN_FAILURE (memory) */
dcnn_status dcnn_training_data_order(dcnn_training_data *data, const dcnn_train_options *options);

/** Makes room for the augmentation of so many threads. *Local.* */
dcnn_status dcnn_training_data_make_scratch(dcnn_training_data *data, const dcnn_augment *ranges, int threads);

/** Frees everything. *Collective.* */
void dcnn_training_data_close(dcnn_comm *comm, dcnn_training_data *data);

#endif
