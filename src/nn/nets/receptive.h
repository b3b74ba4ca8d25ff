/* SPDX-License-Identifier: BSD-3-Clause */
/** @file receptive.h — which pixels of an image a net's outputs depend on: the union of its receptive fields. */
#ifndef DCNN_NN_RECEPTIVE_H
#define DCNN_NN_RECEPTIVE_H

#include "nn/net.h"

/** The pixels that are read, and the box around them. */
typedef struct dcnn_receptive {
    int h, w;                     /**< of the image; 0: the net takes no images */
    int top, bottom, left, right; /**< rows [top, bottom), columns [left, right) */
    int64_t pixels;               /**< that are read */
} dcnn_receptive;

/** Below this part of the pixels a training says so. */
extern const double dcnn_receptive_little;

/**
 * Follows the net back from its last layer. Layers of windows (convolutions, pooling, padding, cropping) read what
 * their windows cover of what is wanted of them, those that keep rows and columns the same place, all others
 * everything. So a convolution's positions that a pooling behind it leaves out count for nothing. *Local.*
 * @return DCNN_OK; DCNN_FAILURE (memory)
 */
dcnn_status dcnn_net_receptive(const dcnn_net *net, dcnn_receptive *receptive);

/** Part of the pixels that are read, 0 to 1; 1 for a net that takes no images. *Local.* */
double dcnn_receptive_part(const dcnn_receptive *receptive);

#endif
