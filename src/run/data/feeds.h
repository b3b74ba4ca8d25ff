/* SPDX-License-Identifier: BSD-3-Clause */
/** @file feeds.h — a data set's samples as the engine wants them (engine/feed.h). */
#ifndef DCNN_RUN_FEEDS_H
#define DCNN_RUN_FEEDS_H

#include "engine/feed.h"
#include "run/data/loader.h"
#include "run/data/sampler.h"

/** A step's samples: those of an epoch's order from `cursor` on, augmented unless `augment` is NULL. */
typedef struct dcnn_epoch_feed {
    const dcnn_loader *loader;
    const dcnn_kernels *kernels;
    const dcnn_sampler *sampler;
    const dcnn_augment *augment;
    uint32_t epoch;
    int64_t cursor;
    bool unordered;             /**< not those that the loader reads ahead: another pass over the epoch */
    const float *class_weights; /**< [classes] of the losses, or NULL: 1 each */
    char *scratch;              /**< [threads][scratch_bytes] for the augmentation */
    size_t scratch_bytes;
} dcnn_epoch_feed;

/** Samples by their rows, as they are. */
typedef struct dcnn_rows_feed {
    const dcnn_loader *loader;
    const dcnn_kernels *kernels;
    const int64_t *rows; /**< [count]; NULL: all, in their order */
    int64_t count;
    const dcnn_augment *augment; /**< NULL: as they are; else changed as in epoch `view` of a training by `seed` */
    uint64_t seed;
    uint32_t view;
    char *scratch; /**< [threads][scratch_bytes] for that */
    size_t scratch_bytes;
} dcnn_rows_feed;

/** The feeds themselves; what they read is borrowed. *Local.* */
dcnn_feed dcnn_feed_of_epoch(const dcnn_epoch_feed *source);
dcnn_feed dcnn_feed_of_rows(const dcnn_rows_feed *source);

#endif
