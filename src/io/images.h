/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file images.h — labelled images in memory, and the foreign formats they come from: IDX and Kaggle CSV.
 */
#ifndef DCNN_IO_IMAGES_H
#define DCNN_IO_IMAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** Images as bytes, with or without labels. */
typedef struct dcnn_images {
    int64_t count;
    int h, w, c;
    uint8_t *pixels; /**< [count,h,w,c]; owned */
    int32_t *labels; /**< [count] or NULL if the source has none; owned */
} dcnn_images;

/** Who is told now and then how far a long reading is: so many of `count` images are there. */
typedef struct dcnn_watcher {
    void (*tell)(void *context, int64_t done, int64_t count); /**< may be NULL */
    void *context;
} dcnn_watcher;

/** Frees what an image set holds and zeroes it. */
void dcnn_images_free(dcnn_images *images);

/**
 * Reads an IDX file of images (magic 0x00000803: [N,H,W], or 0x00000804: [N,H,W,C]), raw or gzipped. No labels.
 * *Local.*
 * @return DCNN_OK, DCNN_BAD_INPUT (missing, empty, wrong magic, size that does not fit its header), DCNN_FAILURE
 */
dcnn_status dcnn_idx_read_images(const char *path, dcnn_images *images);

/** Reads an IDX file of labels (magic 0x00000801) into `images->labels`; their number must be images->count. *Local.*
 */
dcnn_status dcnn_idx_read_labels(const char *path, dcnn_images *images);

/**
 * Reads a Kaggle CSV with header, raw or gzipped: `label,pixel0,…` or, without labels, `pixel0,…`; LF or CRLF; integer
 * cells 0..255. *Local.*
 * @param h,w,c    the shape of a row; all 0: a square image of one channel
 * @param watcher  NULL: nobody
 * @return DCNN_OK; DCNN_BAD_INPUT naming line and column of the first bad cell; DCNN_FAILURE
 */
dcnn_status dcnn_csv_read(const char *path, int h, int w, int c, const dcnn_watcher *watcher, dcnn_images *images);

/** Is this path a CSV by name (`.csv`, `.csv.gz`)? */
bool dcnn_is_csv(const char *path);

/** Is the file an IDX file by its first bytes (gzipped or not)? False for missing files. *Local.* */
bool dcnn_is_idx(const char *path);

/** Dimensions of an IDX file of bytes by its first bytes: 1 labels, 3 or 4 images; 0: missing, or no such file.
 * *Local.* */
int dcnn_idx_rank(const char *path);

/** Finds one IDX file of a folder: tries `NAME`, `NAME.gz`, and with `-idx` written `.idx`. @return malloc'd path or
 * NULL */
char *dcnn_idx_find(const char *folder, const char *name);

#endif
