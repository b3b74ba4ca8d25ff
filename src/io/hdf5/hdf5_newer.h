/* SPDX-License-Identifier: BSD-3-Clause */
/** @file hdf5_newer.h — inside io/hdf5: what HDF5 2.0 writes, shown to an older HDF5 in the form that it knows. */
#ifndef DCNN_IO_HDF5_NEWER_H
#define DCNN_IO_HDF5_NEWER_H

#include <stdint.h>

#include <hdf5.h>

/** Bytes that HDF5 is shown in place of those in the file. */
typedef struct dcnn_h5_shown dcnn_h5_shown;

/** Looks through a file that is open for what HDF5 2.0 writes differently. *Local.*
 * @return what to show to this HDF5 instead, for a file that is opened anew; NULL: nothing. Free it when that is
 * closed. What is damaged, and what has no older form, is not in it: HDF5 then says that it cannot read it. */
dcnn_h5_shown *dcnn_h5_newer_find(hid_t file, int descriptor);

/** Puts what is shown over bytes that were read at `address`; NULL shows nothing. *Local.* */
void dcnn_h5_newer_put(const dcnn_h5_shown *shown, uint64_t address, uint64_t length, uint8_t *bytes);

void dcnn_h5_newer_free(dcnn_h5_shown *shown);

#endif
