/* SPDX-License-Identifier: BSD-3-Clause */
/** @file hdf5_driver.h — inside io/hdf5: what dcnn's two HDF5 file drivers (hdf5_around.c, hdf5_reader.c) share. */
#ifndef DCNN_IO_HDF5_DRIVER_H
#define DCNN_IO_HDF5_DRIVER_H

#include <hdf5.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#define DCNN_H5_DRIVER_NUMBER(number) .version = H5FD_CLASS_VERSION, .value = (H5FD_class_value_t)(number),
#else
#define DCNN_H5_DRIVER_NUMBER(number)
#endif

/** The beginning of what a driver keeps of an open file. */
typedef struct dcnn_h5_driver_file {
    H5FD_t base; /**< HDF5's own; first */
    haddr_t end_of_address_space, end_of_file;
} dcnn_h5_driver_file;

static inline haddr_t dcnn_h5_driver_get_eoa(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return ((const dcnn_h5_driver_file *)base)->end_of_address_space;
}

static inline herr_t dcnn_h5_driver_set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t address) {
    (void)type;
    ((dcnn_h5_driver_file *)base)->end_of_address_space = address;
    return 0;
}

static inline haddr_t dcnn_h5_driver_get_eof(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return ((const dcnn_h5_driver_file *)base)->end_of_file;
}

/** Members of H5FD_class_t that are the same in both. @param number  one of those that HDF5 leaves to experiments */
#define DCNN_H5_DRIVER(number)                                                                                         \
    DCNN_H5_DRIVER_NUMBER(number).maxaddr = (haddr_t)INT64_MAX, .fc_degree = H5F_CLOSE_STRONG,                         \
    .get_eoa = dcnn_h5_driver_get_eoa, .set_eoa = dcnn_h5_driver_set_eoa, .get_eof = dcnn_h5_driver_get_eof,           \
    .fl_map = H5FD_FLMAP_DICHOTOMY

#endif
