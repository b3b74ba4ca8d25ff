/* SPDX-License-Identifier: BSD-3-Clause */
/** @file mat.h — MATLAB's files: version 5 to 7 by libmatio, where it was there at the build; 7.3 is HDF5 (hdf5.c). */
#ifndef DCNN_SOURCES_MAT_H
#define DCNN_SOURCES_MAT_H

#include "sources/readers/array.h"

/** Is this HDF5 file one that MATLAB wrote (version 7.3)? *Local.* */
bool dcnn_mat_is_hdf5(const char *path);

/**
 * Brings arrays as MATLAB has them, first index fastest, into NumPy's order: vectors lose their second dimension, and
 * where images stand along the last dimension, as in SVHN's X [32,32,3,N], that comes first. The images are as many as
 * the labels beside them. Values stay where they are. *Local.*
 * @param arrays  with strides set
 */
void dcnn_mat_order(dcnn_array_list *arrays);

/**
 * Reads the variables of a file of version 5 to 7. *Local.*
 * @param unread  out: variables at the end that libmatio cannot read
 * @return DCNN_OK; DCNN_BAD_INPUT (damaged; libmatio was not there at the build); DCNN_FAILURE
 */
dcnn_status dcnn_mat_read(const char *path, dcnn_array_list *arrays, int *unread);

#endif
