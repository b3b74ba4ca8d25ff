/* SPDX-License-Identifier: BSD-3-Clause */
/** @file hdf5_file.h — what an HDF5 file holds, for who has nothing else to do with HDF5. */
#ifndef DCNN_IO_HDF5_FILE_H
#define DCNN_IO_HDF5_FILE_H

#include <stdbool.h>

#include "base/status.h"

typedef enum dcnn_hdf5_content {
    DCNN_HDF5_OTHER,
    DCNN_HDF5_DATASET,
    DCNN_HDF5_IMAGES, /**< named as in a data set, by a program that does not say so */
    DCNN_HDF5_MODEL,
    DCNN_HDF5_WEIGHTS /**< of a model, as Keras 3 and dcnn save them alone */
} dcnn_hdf5_content;

/** Has the file itself an attribute of that name? *Local.* */
bool dcnn_hdf5_has_attribute(const char *path, const char *name);

/** Checks a file's seal (file.h), if it has one, and looks what it holds. *Local.*
 * @return DCNN_OK; DCNN_BAD_INPUT (missing, empty, no HDF5, cut, damaged) */
dcnn_status dcnn_hdf5_look(const char *path, dcnn_hdf5_content *content);

/** "1.10.8", the library's version. *Local.* @return text */
const char *dcnn_hdf5_version(char text[32]);

#endif
