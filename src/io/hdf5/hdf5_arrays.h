/* SPDX-License-Identifier: BSD-3-Clause */
/** @file hdf5_arrays.h — what arrays an HDF5 file of any origin holds, and their values as they are. */
#ifndef DCNN_IO_HDF5_ARRAYS_H
#define DCNN_IO_HDF5_ARRAYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { DCNN_H5_ARRAY_RANK = 8, DCNN_H5_ARRAYS = 64 };

typedef enum dcnn_h5_kind {
    DCNN_H5_UNSIGNED,
    DCNN_H5_SIGNED,
    DCNN_H5_REAL,
    DCNN_H5_BOOL,
    DCNN_H5_TEXT,
    DCNN_H5_OTHER
} dcnn_h5_kind;

/** One data set of a file. */
typedef struct dcnn_h5_array {
    char name[128]; /**< path in the file, without a leading slash */
    dcnn_h5_kind kind;
    int bytes; /**< of a value as it is read; of texts the longest one's */
    int rank;  /**< -1: this HDF5 cannot open it */
    int64_t shape[DCNN_H5_ARRAY_RANK];
} dcnn_h5_array;

/** Lists the data sets of a file, in groups too, in alphabetic order. *Local.*
 * @param arrays  out [DCNN_H5_ARRAYS]; what is beyond that is left out */
dcnn_status dcnn_h5_arrays_list(const char *path, int *count, dcnn_h5_array *arrays);

/** Reads one, little-endian, last index fastest; texts padded with NULs to `bytes`. *Local.*
 * @param aside   of spill.h
 * @param values  out; dcnn_spill_release() ends it
 * @return DCNN_OK; DCNN_BAD_INPUT (a filter that is not there, named); DCNN_FAILURE (memory) */
dcnn_status dcnn_h5_array_read(const char *path, dcnn_h5_array *array, const char *aside, void **values,
                               size_t *mapped);

#endif
