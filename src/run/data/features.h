/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file features.h — what a net's frozen layers make of the images, computed once and kept.
 *
 * Fine-tuning a head on a frozen base costs the base once instead of once an epoch: the loader then gives the base's
 * output, and engine and evaluator begin behind it (dcnn_plan_options.first).
 */
#ifndef DCNN_RUN_FEATURES_H
#define DCNN_RUN_FEATURES_H

#include "nn/net.h"
#include "run/data/loader.h"

typedef struct dcnn_features_wish {
    dcnn_comm *comm;
    const dcnn_dataset *dataset;
    dcnn_net *net;
    int grain, threads; /**< threads: 0: this rank's share of the node's cores */
    bool fuse;
    const dcnn_augment *changes; /**< images are augmented: another one each epoch; NULL: they are not */
    uint64_t seed;               /**< of these changes */
    int variants;                /**< of each training image, taken in turn, epoch by epoch; 0: none, so that nothing is
                                      kept of images that change */
    bool wanted;
} dcnn_features_wish;

/**
 * Computes and keeps features if the net begins with frozen layers (dcnn_net_frozen_end()), images do not change or
 * some variants of each will do, and memory has room for them; says so, or why not. *Collective.* The same bits on any
 * number of ranks, and those of a training that computes the frozen layers in each step; of variants, if there are as
 * many as epochs.
 * @param loader  in and out: of images, normalised; then of features
 * @param first   out: the node whose output the loader has; 0: it has images still
 * @return DCNN_OK; DCNN_FAILURE (memory, threads); DCNN_BAD_INPUT (images cannot be read)
 */
dcnn_status dcnn_features_take(const dcnn_features_wish *wish, dcnn_loader *loader, int *first);

#endif
