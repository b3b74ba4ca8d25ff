/* SPDX-License-Identifier: BSD-3-Clause */
/** @file hdf5_reader.h — inside io/: the two doors of HDF5 files that are read. See hdf5_reader.c and hdf5_try.c. */
#ifndef DCNN_IO_HDF5_READER_H
#define DCNN_IO_HDF5_READER_H

#include <hdf5.h>

#include "base/status.h"

/** Opens an HDF5 file by its descriptor, which is not taken over. @return < 0: HDF5 cannot, or dcnn_h5_blame() knows */
hid_t dcnn_h5_reader_open(const char *path, int descriptor);

/** If the system has failed a read since the last file was opened: that failure, whatever was made of it. */
dcnn_status dcnn_h5_blame(const char *path, dcnn_status so_far);

/** Which packed chunks of a file were found whole; kept with the file. See hdf5_packed.c. */
typedef struct dcnn_h5_seen dcnn_h5_seen;
void dcnn_h5_seen_free(dcnn_h5_seen *seen);

/** Where those of an object's file are kept. *Local.* @return NULL: the file is none that was opened here */
dcnn_h5_seen **dcnn_h5_reader_seen(hid_t object);

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
