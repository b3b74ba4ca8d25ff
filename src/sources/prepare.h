/* SPDX-License-Identifier: BSD-3-Clause */
/** @file prepare.h — from sources to one data set: classes, splits, pixels, and what is worth a word about them. */
#ifndef DCNN_SOURCES_PREPARE_H
#define DCNN_SOURCES_PREPARE_H

#include "io/dataset/split.h"
#include "sources/share.h"

/** How a data set is made. All zero: all images as they are, all for training. */
typedef struct dcnn_prepare_options {
    dcnn_split_options split;             /**< fractions, seed; for roles that are given none is drawn */
    bool stratify_always, stratify_never; /**< neither: folders and tables are split class by class, others are not */
    int64_t limit;                        /**< of the images that are split, spread over the classes; 0: all */
    dcnn_source_options read;
    dcnn_image_options image;    /**< size and channels of all, or 0 */
    bool only_new;               /**< a file of the output's name is not replaced, even if it appears meanwhile */
    bool official;               /**< sources without test images of their own, or given, are refused */
    int threads;                 /**< that decode; 0: all cores that this process has */
    const dcnn_helpers *helpers; /**< processes that decode images too; NULL: none */
    int validation_count, test_count;
    char *const *validation; /**< more sources, kept for that */
    char *const *test;
    /** Called now and then: `done` of `count` images are there; may be NULL. Context: read.context. */
    void (*on_progress)(void *context, int64_t done, int64_t count);
} dcnn_prepare_options;

/**
 * Reads sources, splits, and writes one data set, atomically, in memory for a block of images at a time. *Local.*
 *
 * Test and validation are drawn by `seed` (DCNN_RANDOM_SPLIT): floor(fraction * n + 0.5) images each (0: no such
 * split); the row lists are sorted. What is understood, and what is odd about the images (classes without any, ones
 * that are there twice or blank), goes to `read.tell`.
 * @param summary  out, may be NULL: one line about what was written; caller frees
 * @return DCNN_OK; DCNN_BAD_INPUT (a source; a split that would be empty; fewer than two classes); DCNN_USAGE (also:
 * `only_new`, and the file exists); DCNN_FAILURE
 */
dcnn_status dcnn_dataset_prepare(int source_count, char *const sources[], const dcnn_prepare_options *options,
                                 const char *output, char **summary);

#endif
