/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file pixels.h — a data set's pixels, read from its file row by row, without HDF5 and in several threads at once.
 *
 * Where the rows lie is asked of HDF5 once; then they are read by pread(), so that the system's page cache holds them
 * once for all ranks of a node. Gzipped chunks are unpacked into a small cache. The checksum of a block of images
 * (format 2) is checked when the first of them is read.
 */
#ifndef DCNN_IO_PIXELS_H
#define DCNN_IO_PIXELS_H

#include "io/dataset/dataset.h"

typedef struct dcnn_pixels dcnn_pixels;

/**
 * Opens the pixels of an open data set. *Local.*
 * @param cache_bytes  memory for unpacked chunks, if they are packed: at least one is held
 * @param pixels       out; close with dcnn_pixels_close()
 * @return DCNN_OK; DCNN_BAD_INPUT (the file was replaced, or cannot be read); DCNN_FAILURE (memory)
 */
dcnn_status dcnn_pixels_open(const dcnn_dataset *dataset, size_t cache_bytes, dcnn_pixels **pixels);

/** NULL is allowed. *Local.* */
void dcnn_pixels_close(dcnn_pixels *pixels);

/** Can single rows be read, at a cost that is theirs? If not, only dcnn_pixels_read() of everything is sensible.
 * *Local.* */
bool dcnn_pixels_are_rows(const dcnn_pixels *pixels);

/** Bytes of an unpacked chunk where chunks are packed, else 0. *Local.* */
size_t dcnn_pixels_chunk_bytes(const dcnn_pixels *pixels);

/**
 * Reads rows [first, first + count). *Local*; any number of threads, unless dcnn_pixels_are_rows() is false.
 * @param out  [count,h,w,c]
 * @return DCNN_OK; DCNN_BAD_INPUT (damaged, unreadable)
 */
dcnn_status dcnn_pixels_read(dcnn_pixels *pixels, int64_t first, int64_t count, uint8_t *out);

/** Has the file been written to since it was opened, or since the last call? By its size and time, so nothing is read:
 * the content may be the same. *Local*; one thread. */
bool dcnn_pixels_have_changed(dcnn_pixels *pixels);

/** Tells the system that these rows will be read soon. *Local.* */
void dcnn_pixels_expect(const dcnn_pixels *pixels, int64_t first, int64_t count);

/** Marks of blocks that were found right, one byte each: how many, and where they are to be kept from now on (zeroed
 * memory that the ranks of a node share, so that each block is checked once). *Local.* */
size_t dcnn_pixels_marks(const dcnn_pixels *pixels);
void dcnn_pixels_place_marks(dcnn_pixels *pixels, void *marks);

/** All pixels, to look at a few of them. */
typedef struct dcnn_pixels_view {
    const uint8_t *pixels; /**< [count,h,w,c] */
    void *memory;
    size_t mapped_bytes; /**< of `memory`, which is the file's; 0: it was read */
} dcnn_pixels_view;

/** Maps the pixels from the file where they lie in one piece there, as dcnn writes them: what is not looked at costs
 * nothing, and no checksum is checked; else reads them. *Local.* @param view  out; ends with dcnn_pixels_view_close()
 */
dcnn_status dcnn_pixels_view_open(const dcnn_dataset *dataset, dcnn_pixels_view *view);
void dcnn_pixels_view_close(dcnn_pixels_view *view);

#endif
