/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file dataset.h — the HDF5 data set: bytes on disk, splits as index lists, statistics of the training split.
 *
 * Layout (format version 2; sealed around the pixels, see file.h):
 *   /images        uint8 [N,H,W,C], contiguous from byte 4096 of the file on
 *   /image_checksums  uint64 [ceil(N / R)]: XXH3-64 of each R images' bytes; R is the attribute image_checksum_rows
 *                  (int64), the most images, a power of two, that 256 KiB hold
 *   /labels        int32 [N]; may be missing where there are targets
 *   /targets       float32 [N,K], optional: numbers instead of, or beside, classes; /target_names strings [K]
 *   /ids           strings [N], optional: each image's name (its file, its id in a table)
 *   /class_names   variable-length UTF-8 strings [classes]
 *   /splits/NAME   int64 [..] rows of /images; NAME is train, validation, test, and perhaps official-test
 *   attributes of /: format ("dcnn data set"), format_version, mean [C], std [C] (float64, of pixel / 255 over the
 *   training split alone, exact sums), seed, source (text: the files' names), source_checksum (XXH3-64 of them, hex),
 *   options (JSON text), created_by ("dcnn 0.1.0"), pictures (optional: digits, grey,
 *   colour or photo)
 *
 * Format version 1 is the same with /images chunked by 64 samples, without checksums of its own, targets and ids, and
 * sealed as a whole. Files of other programs (h5py) may have either version number, no seal, any layout that HDF5
 * reads, and leave out seed, source, source_checksum, options, created_by, pictures and image_checksums.
 */
#ifndef DCNN_IO_DATASET_H
#define DCNN_IO_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "io/images.h"

enum { DCNN_MAX_CHANNELS = 64, DCNN_MAX_SPLITS = 8, DCNN_PIXELS_OFFSET = 4096, DCNN_BLOCK_BYTES = 1 << 18 };

/** One split: which rows of the data set. */
typedef struct dcnn_split {
    char name[32];
    int64_t count;
    int64_t *rows; /**< owned by the data set */
} dcnn_split;

/** A data set's description, without its pixels. */
typedef struct dcnn_dataset {
    char *path;
    int64_t count;
    int h, w, c;
    int class_count;
    char **class_names; /**< [class_count] */
    int split_count;
    dcnn_split splits[DCNN_MAX_SPLITS];
    double mean[DCNN_MAX_CHANNELS], std[DCNN_MAX_CHANNELS];
    uint64_t seed;
    char *source; /**< where it came from, one line */
    char *source_checksum;
    char *image_kind;    /**< "digits", "grey", "colour", "photo", or "" */
    bool sealed;         /**< dcnn wrote it, and it is as it was */
    uint64_t checksum;   /**< identifies the content in checkpoints: the seal's, else dcnn_dataset_identify()'s */
    int64_t block_rows;  /**< images under one of the checksums */
    uint64_t *checksums; /**< [ceil(count / block_rows)], or NULL */
    bool has_labels, has_ids;
    int32_t *label_map; /**< [labels_on_disk]: a label's class, after dcnn_dataset_adopt_classes(); or NULL */
    int labels_on_disk;
    int target_width;    /**< 0: no targets */
    char **target_names; /**< [target_width] */
} dcnn_dataset;

/** The embedded digits' folder (dcnn_data_path()): malloc'd path or NULL. *Local.* */
char *dcnn_embedded_digits(void);

/** Opens a data set and reads everything but its pixels, labels, targets and ids. *Local.* Zeroes `dataset` first; free
 * with dcnn_dataset_free(). A seal is checked over all that it covers: in format 1 that is the whole file. */
dcnn_status dcnn_dataset_open(const char *path, dcnn_dataset *dataset);

/** The same for a data set that this process, or another one of the job, has opened before: its seal is believed. */
dcnn_status dcnn_dataset_reopen(const char *path, dcnn_dataset *dataset);

/**
 * Gives a data set without a seal a checksum of its content: of shape, classes, mean, std, splits, labels, and of 64
 * images evenly spread over it, the first and the last among them. Does nothing to a sealed one. *Local.*
 */
dcnn_status dcnn_dataset_identify(dcnn_dataset *dataset);

/** Reads the labels. *Local.* @param labels  out [count], each checked to be in 0..class_count-1 */
dcnn_status dcnn_dataset_read_labels(const dcnn_dataset *dataset, int32_t *labels);

/** Reads the targets. *Local.* @param targets  out [count,target_width], each checked to be a number */
dcnn_status dcnn_dataset_read_targets(const dcnn_dataset *dataset, float *targets);

/** Reads the ids. *Local.* @param ids  out [count]; free with dcnn_dataset_free_ids() */
dcnn_status dcnn_dataset_read_ids(const dcnn_dataset *dataset, char ***ids);
void dcnn_dataset_free_ids(const dcnn_dataset *dataset, char **ids);

/** Reads all pixels and checks their checksums, if they have any. *Local.* */
dcnn_status dcnn_dataset_verify(const dcnn_dataset *dataset);

/**
 * Takes over a model's list of classes: labels that are read from now on are the model's, found by name. *Local.*
 *
 * Where the model lacks one of the names: classes that are numbered and not named ("0", "1", …, of either side) are the
 * same by number, and have the names of the other side. Told, except where all names are the same. Names of fewer
 * classes than a model has numbers for have no place there.
 * @param names  [count] of the model, or NULL: nothing is known; that the order is a guess is told, unless the data set
 * has only numbers too
 * @param model  its path, for messages
 * @return DCNN_OK; DCNN_BAD_INPUT: the data set has a class that the model does not have, or that may be any of its
 * classes; DCNN_FAILURE
 */
dcnn_status dcnn_dataset_adopt_classes(dcnn_dataset *dataset, int count, char *const names[], const char *model);

/** Are they "0", "1", …, which nobody has named? *Local.* */
bool dcnn_classes_are_numbers(int count, char *const names[]);

/** The split of that name, or NULL. */
const dcnn_split *dcnn_dataset_split(const dcnn_dataset *dataset, const char *name);

void dcnn_dataset_free(dcnn_dataset *dataset);

#endif
