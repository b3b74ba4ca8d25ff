/* SPDX-License-Identifier: BSD-3-Clause */
/** @file gather.h — images to predict out of whatever is named: images, folders, lists, tables, arrays, a pipe. */
#ifndef DCNN_CLI_GATHER_H
#define DCNN_CLI_GATHER_H

#include <stdint.h>

#include "base/thread_pool.h"
#include "io/dataset/dataset.h"
#include "sources/source.h"

typedef struct dcnn_gathered dcnn_gathered;

/** How images are brought to what the model takes, and who takes them. */
typedef struct dcnn_gather_options {
    dcnn_image_options wanted; /**< the model's size and channels, all set */
    int given[3];              /**< shape of a table's line, or 0: as wanted */
    bool resize;               /**< others are brought to that size, else refused */
    bool invert;               /**< light for dark */
    bool like_training;        /**< mean and std are those of the training images; images far from them are told */
    double mean, std;          /**< of values / 255 */
    const char *aside;         /**< folder for what memory should not hold (io/spill.h), or NULL */
    int64_t most;              /**< images that memory holds at a time */
    dcnn_thread_pool *pool;    /**< decodes files; not needed for data sets */
    /** Called when so many are there: empties it (dcnn_gathered_empty()). A failure ends the gathering. */
    dcnn_status (*full)(void *context, dcnn_gathered *gathered);
    void *context;
} dcnn_gather_options;

/** What has been noticed of the images, told once at the end. */
typedef struct dcnn_gather_note {
    int64_t count;
    char first[512]; /**< the first of them, and what is said of it */
} dcnn_gather_note;

/** Images in the model's shape. All zero: none. */
struct dcnn_gathered {
    int64_t count, room;
    uint8_t *pixels;    /**< [count,h,w,c]; owned */
    dcnn_names files;   /**< [count] where each is from */
    dcnn_names ids;     /**< [count] of a table's id column, or "" */
    bool has_files;     /**< some are files of their own */
    dcnn_names waiting; /**< files that are to be decoded together */
    const char *list;   /**< whose lines name these, for messages, or NULL; borrowed */
    int64_t bad;        /**< that could not be read, in all; each has been told as a warning */
    dcnn_gather_note resized, unlike, blank;
};

/**
 * Appends the images at a path: an image; a folder of them, searched through; a list or table; arrays; "-": a
 * image, or lines with paths, from standard input. *Local.* An image that cannot be read is told, counted and left
 * out.
 * @return DCNN_OK; DCNN_BAD_INPUT: nothing at all can be read there; DCNN_FAILURE
 */
dcnn_status dcnn_gather(const char *path, const dcnn_gather_options *options, dcnn_gathered *to);

/** Appends the images of a split of a data set, which may have another shape, with its ids. *Local.* */
dcnn_status dcnn_gather_dataset(const dcnn_dataset *dataset, const dcnn_split *split,
                                const dcnn_gather_options *options, dcnn_gathered *to);

/** Lets the images go; what was noticed and counted stays. *Local.* */
void dcnn_gathered_empty(dcnn_gathered *gathered);

/** Tells what was noticed. *Local.* */
void dcnn_gather_tell(const dcnn_gathered *gathered);

void dcnn_gathered_free(dcnn_gathered *gathered);

#endif
