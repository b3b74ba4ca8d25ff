/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file share.h — images of files decoded by several processes: one prepares the data set, the others help it.
 *
 * The one (rank 0) says block by block which files are wanted, and how; each process, the one too, decodes every
 * `ranks`-th of them; what comes of it goes to the one, which goes on as if it had decoded all of them itself. So the
 * data set has the same bytes at any number of processes.
 */
#ifndef DCNN_SOURCES_SHARE_H
#define DCNN_SOURCES_SHARE_H

#include "base/thread_pool.h"
#include "sources/source.h"

/** Other processes, and how they are reached: this folder knows no MPI. */
typedef struct dcnn_helpers {
    int rank, ranks;
    /** Bytes of process `root` to all of them; all know how many. */
    void (*broadcast)(void *context, int root, void *bytes, size_t length);
    /** The worst status of all of them, with its message, on each. */
    dcnn_status (*agree)(void *context, dcnn_status status);
    void *context;
} dcnn_helpers;

/** A block of files that is wanted as images. */
typedef struct dcnn_shared_block {
    const dcnn_image_options *image; /**< h, w, channels set */
    int64_t count;
    char *const *files; /**< [count] */
    uint8_t *pixels;    /**< out [count,h,w,channels] */
    char **why;         /**< out [count] what is wrong with an image, malloc'd, or NULL */
} dcnn_shared_block;

/** Decodes a block with the others' help. *Collective* with dcnn_share_help(), called by rank 0.
 * @return DCNN_FAILURE: no memory, on any of them */
dcnn_status dcnn_share_read(const dcnn_helpers *helpers, dcnn_thread_pool *pool, const dcnn_shared_block *block);

/** Says that no more blocks come. Called by rank 0, in the end, after a failure too. */
void dcnn_share_end(const dcnn_helpers *helpers);

/** Helps until no more blocks come. *Collective*, called by all but rank 0. @return DCNN_FAILURE: no memory, though the
 * blocks went on to their end */
dcnn_status dcnn_share_help(const dcnn_helpers *helpers, dcnn_thread_pool *pool);

#endif
