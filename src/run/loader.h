/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file loader.h — samples as bytes, once a node, and as floats, grain by grain.
 */
#ifndef DCNN_RUN_LOADER_H
#define DCNN_RUN_LOADER_H

#include "io/dataset.h"
#include "run/augment.h"
#include "comm/comm.h"

/** All samples of a data set in memory shared by the ranks of a node. */
typedef struct dcnn_loader {
    int h, w, c;
    int64_t count;
    const uint8_t *pixels;                                    /**< [count,h,w,c], in shared memory */
    const int32_t *labels;                                    /**< [count], or NULL; in shared memory */
    float scale[DCNN_MAX_CHANNELS], shift[DCNN_MAX_CHANNELS]; /**< (byte / 255 - mean) / std = byte * scale + shift */
} dcnn_loader;

/** Reads a data set's samples: one rank a node reads, all see them. *Collective.* */
dcnn_status dcnn_loader_open(dcnn_comm *comm, const dcnn_dataset *dataset, dcnn_loader *loader);

/** The same for pictures that rank 0 holds (NULL elsewhere). *Collective.* */
dcnn_status dcnn_loader_open_images(dcnn_comm *comm, const dcnn_images *images, dcnn_loader *loader);

/** Frees the samples of the loader opened last; a zeroed loader has none. *Collective.* */
void dcnn_loader_close(dcnn_comm *comm, dcnn_loader *loader);

/** Sets the standardisation. A deviation of 0 (constant pictures) counts as 1. *Local.* */
void dcnn_loader_normalise(dcnn_loader *loader, const double *mean, const double *std);

/**
 * Floats of a grain's samples, augmented if `augment` is not NULL. *Local.*
 * @param scratch dcnn_augment_scratch() bytes; NULL without `augment`
 * @param rows    [n] samples
 * @param x       out [n,h,w,c]
 * @param labels  out [n]; may be NULL
 */
void dcnn_loader_fill(const dcnn_loader *loader, const dcnn_kernels *kernels, const dcnn_augment *augment,
                      uint64_t seed, uint32_t epoch, void *scratch, const int64_t *rows, int n, float *x,
                      int32_t *labels);

#endif
