/* SPDX-License-Identifier: BSD-3-Clause */
/** @file hdf5_reader.h — inside io/: the two doors of HDF5 files that are read. See hdf5_reader.c and hdf5_try.c. */
#ifndef DCNN_IO_HDF5_READER_H
#define DCNN_IO_HDF5_READER_H

#include <stdbool.h>

#include <hdf5.h>

#include "base/status.h"
#include "io/hdf5/hdf5.h"

/** Opens an HDF5 file by its descriptor, which is not taken over. @return < 0: HDF5 cannot, or dcnn_h5_blame() knows */
hid_t dcnn_h5_reader_open(const char *path, int descriptor);

/** If the system has failed a read since the last file was opened: that failure, whatever was made of it. */
dcnn_status dcnn_h5_blame(const char *path, dcnn_status so_far);

/** Which packed chunks of a file were found whole; kept with the file. See hdf5_packed.c. */
typedef struct dcnn_h5_seen dcnn_h5_seen;
void dcnn_h5_seen_free(dcnn_h5_seen *seen);

/** Where those of an object's file are kept. *Local.* @return NULL: the file is none that was opened here */
dcnn_h5_seen **dcnn_h5_reader_seen(hid_t object);

/** The grid that the chunks of a data set are. */
typedef struct dcnn_h5_grid {
    int rank;
    hsize_t sizes[H5S_MAX_RANK], chunk[H5S_MAX_RANK], counts[H5S_MAX_RANK]; /**< values; values of a chunk; chunks */
    hsize_t row_chunks, chunks;                                             /**< of the first chunk's rows; of all */
} dcnn_h5_grid;

/** @return false: it is not chunked, or there are more chunks than can be counted */
bool dcnn_h5_grid_find(hid_t data, hid_t creation, dcnn_h5_grid *grid);

/** Where a chunk begins. @param number  counted row by row @param at  out, [H5S_MAX_RANK] */
void dcnn_h5_grid_at(const dcnn_h5_grid *grid, hsize_t number, hsize_t *at);

/** Reads a chunk as it is stored: `bytes` of them. @param at  dcnn_h5_grid_at()'s @param skipped  out: bit i: filter i
 * was left out. *Local.* */
bool dcnn_h5_read_chunk(hid_t data, const hsize_t *at, uint32_t *skipped, void *bytes);

/**
 * Finds where a chunk is stored, by a look into the index. (H5Dget_chunk_info() and its kin walk through all chunks of
 * a data set for each: 50,000 chunks, as many as images, would take minutes.) *Local.*
 * @param at  dcnn_h5_grid_at()'s
 * @return false: it was never written, or the file is damaged, or none that was opened here
 */
bool dcnn_h5_reader_find_chunk(hid_t data, const hsize_t *at, dcnn_h5_chunk *chunk);

/**
 * Looks whether the packed chunks that hold rows [first, first + rows) of a data set unpack to as many bytes as HDF5
 * will read, each once while the file is open. To be called before H5Dread(). *Local.*
 * @return DCNN_OK; DCNN_BAD_INPUT (damaged; a filter other than deflate, shuffle and fletcher32, named); DCNN_FAILURE
 */
dcnn_status dcnn_h5_check_packed(hid_t where, const char *name, hid_t data, hsize_t first, hsize_t rows);

/**
 * Reads a file that another program wrote once through in a child process, with limits of time and memory: damaged or
 * hostile files crash libhdf5, or keep it busy for ever. Refuses what dcnn does not take: soft and external links,
 * values in other files, far more values than are stored.
 * @return DCNN_OK: reading it does no harm; DCNN_BAD_INPUT; DCNN_FAILURE
 */
dcnn_status dcnn_h5_try(const char *path, int descriptor);

/** Refuses links to elsewhere, values in other files, and shapes that no file of that size can hold. *Local.* */
dcnn_status dcnn_h5_check_links(hid_t file, const char *path);

#endif
