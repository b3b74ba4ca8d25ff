/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file dataset.h — the HDF5 data set: bytes on disk, splits as index lists, statistics of the training split.
 *
 * Layout (format version 1; sealed, see file.h):
 *   /images       uint8 [N,H,W,C], chunked by 64 samples, not compressed
 *   /labels       int32 [N]
 *   /class_names  variable-length UTF-8 strings [classes]
 *   /splits/NAME  int64 [..] rows of /images; NAME is train, validation, test, and perhaps official-test
 *   attributes of /: format ("dcnn data set"), format_version, mean [C], std [C] (float64, of pixel / 255 over the
 *   training split alone, exact sums), seed, source (text: the files' names), source_checksum (XXH3-64 of them, hex),
 * options (JSON text), created_by ("dcnn 0.1.0")
 */
#ifndef DCNN_IO_DATASET_H
#define DCNN_IO_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "io/images.h"

enum { DCNN_MAX_CHANNELS = 64, DCNN_MAX_SPLITS = 8 };

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
    uint64_t checksum; /**< XXH3-64 of the file (its seal's), 0 if not sealed: identifies it in checkpoints */
} dcnn_dataset;

/** How `dcnn prepare` splits. */
typedef struct dcnn_prepare_options {
    int64_t limit;              /**< only the first so many labelled samples; 0: all */
    double test_fraction;       /**< of all; 0..1 */
    double validation_fraction; /**< of what test leaves */
    bool stratify;              /**< keep the classes' proportions in each split */
    uint64_t seed;
    int h, w, c; /**< shape of a CSV row, or 0 */
    /** Called now and then while the sources are read: the file (from 1), and what of its samples is there; may be
     * NULL. */
    void (*on_progress)(void *context, int file, int64_t done, int64_t count);
    void *context;
} dcnn_prepare_options;

/** The embedded digits' folder (dcnn_data_path()): malloc'd path or NULL. *Local.* */
char *dcnn_embedded_digits(void);

/**
 * Reads sources, splits, computes the training split's statistics, and writes one data set, atomically. *Local.*
 *
 * Sources: one IDX folder (train-images-idx3-ubyte etc.; its t10k files, if there, become the split `official-test`);
 * or an images file and a labels file in IDX, in either order; or one or more Kaggle CSV files with labels. Test and
 * validation are drawn by `seed` (DCNN_RANDOM_SPLIT): floor(fraction * n + 0.5) samples each (0: no such split); the
 * row lists are sorted. With `stratify` the same is done a class at a time.
 * @param summary  out, may be NULL: one line about what was written; caller frees
 * @return DCNN_OK, DCNN_BAD_INPUT (a source; a split that would be empty; fewer than two classes), DCNN_FAILURE
 */
dcnn_status dcnn_dataset_prepare(int source_count, char *const sources[], const dcnn_prepare_options *options,
                                 const char *output, char **summary);

/** Opens a data set and reads everything but its pixels. *Local.* Zeroes `dataset` first; free with
 * dcnn_dataset_free(). */
dcnn_status dcnn_dataset_open(const char *path, dcnn_dataset *dataset);

/**
 * Reads all pixels and labels into the caller's memory and checks the seal. *Local.*
 * @param pixels  out [count,h,w,c]
 * @param labels  out [count], each checked to be in 0..class_count-1
 */
dcnn_status dcnn_dataset_read(const dcnn_dataset *dataset, uint8_t *pixels, int32_t *labels);

/** The split of that name, or NULL. */
const dcnn_split *dcnn_dataset_split(const dcnn_dataset *dataset, const char *name);

void dcnn_dataset_free(dcnn_dataset *dataset);

#endif
