/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file dataset_writer.h — writing a data set (format 2) image by image, in little memory.
 *
 *     dcnn_dataset_writer_open("data.h5", 32, 32, 3, &writer);
 *     dcnn_dataset_writer_append(writer, &(dcnn_samples_in){.count = n, .pixels = …, .labels = …});   again and again
 *     dcnn_splits_draw(dcnn_dataset_writer_count(writer), dcnn_dataset_writer_labels(writer), …, splits);
 *     dcnn_dataset_writer_finish(writer, &about);         or dcnn_dataset_writer_abandon(writer)
 *
 * Pixels go straight to the file. In memory stay 4 bytes an image for its label, 8 for each split that names it, the
 * ids and targets, if any, and 8 for each block of pixels (256 KiB). Mean and deviation of the training split are
 * exact: sums of integers. The file appears at the end, whole and sealed (output.h), or not at all. *Local*, all of it.
 */
#ifndef DCNN_IO_DATASET_WRITER_H
#define DCNN_IO_DATASET_WRITER_H

#include "io/dataset/dataset.h"

typedef struct dcnn_dataset_writer dcnn_dataset_writer;

/** Some images in order. What one append has, all must have. */
typedef struct dcnn_samples_in {
    int64_t count;
    const uint8_t *pixels;  /**< [count,h,w,c] */
    const int32_t *labels;  /**< [count], from 0; NULL: none, then there must be targets */
    const float *targets;   /**< [count,target_width] or NULL */
    const char *const *ids; /**< [count] names of the images (file, id), UTF-8, or NULL */
} dcnn_samples_in;

/** All else that a data set says. Borrowed. */
typedef struct dcnn_dataset_about {
    int class_count;
    const char *const *class_names; /**< [class_count], or NULL: "0", "1", … */
    int split_count;
    const dcnn_split *splits;    /**< one of them is `train`: of it are mean and std */
    uint64_t seed;               /**< that drew the splits */
    const char *source;          /**< where it came from, one line */
    const char *source_checksum; /**< 16 hexadecimal digits */
    const char *options;         /**< JSON text, or NULL */
    const char *image_kind;      /**< what they are: "digits", "grey", "colour", "photo", or NULL: not known */
    int target_width;
    const char *const *target_names; /**< [target_width] or NULL */
} dcnn_dataset_about;

/**
 * Begins a data set of images [h,w,c]. Nothing of that name is touched until it is finished.
 * @param target_width  numbers in each image's target (regression, several labels); 0: none
 * @param writer        out; ends with dcnn_dataset_writer_finish() or dcnn_dataset_writer_abandon()
 * @return DCNN_OK; DCNN_BAD_INPUT (shape); DCNN_FAILURE (folder, disk, memory)
 */
dcnn_status dcnn_dataset_writer_open(const char *output, int h, int w, int c, int target_width,
                                     dcnn_dataset_writer **writer);

/** From here on a file of the output's name that is there by the end is not replaced: dcnn_dataset_writer_finish()
 * fails with DCNN_USAGE. */
void dcnn_dataset_writer_only_new(dcnn_dataset_writer *writer);

/** Appends images behind those before. @return DCNN_OK; DCNN_BAD_INPUT (a negative label, labels in some appends
 * only); DCNN_FAILURE (disk, memory) */
dcnn_status dcnn_dataset_writer_append(dcnn_dataset_writer *writer, const dcnn_samples_in *samples);

/** How many images there are, and their labels [count] (NULL: none), to draw splits from. */
int64_t dcnn_dataset_writer_count(const dcnn_dataset_writer *writer);
const int32_t *dcnn_dataset_writer_labels(const dcnn_dataset_writer *writer);

/** Writes the rest and puts the file in its place; frees the writer, after a failure too.
 * @return DCNN_OK; DCNN_BAD_INPUT (no images, no split `train`, a label beyond the classes); DCNN_FAILURE */
dcnn_status dcnn_dataset_writer_finish(dcnn_dataset_writer *writer, const dcnn_dataset_about *about);

/** Ends without a file; NULL is allowed. */
void dcnn_dataset_writer_abandon(dcnn_dataset_writer *writer);

#endif
