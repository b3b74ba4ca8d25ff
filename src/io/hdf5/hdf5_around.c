/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hdf5_around.c — a new HDF5 file whose pixels lie elsewhere: HDF5 sees one file, but only what stands before and
 * behind a hole in it is kept, in memory. So 100 GB of pixels can be written by write(), with errors that we see, and
 * HDF5 never meets a disk that fills up.
 */
#include <stdlib.h>
#include <string.h>

#include "io/hdf5/hdf5.h"
#include "io/hdf5/hdf5_driver.h"

/* What HDF5 knows as an open file. */
typedef struct around_file {
    dcnn_h5_driver_file driver; /* first */
    dcnn_h5_around parts;
    size_t room;    /* of parts.tail */
    bool is_placed; /* the hole has its data set */
} around_file;

typedef struct around_settings {
    uint64_t hole_begin, hole_end;
} around_settings;

static H5FD_t *open_around(const char *name, unsigned flags, hid_t access, haddr_t most) {
    (void)name;
    (void)flags;
    (void)most;
    const around_settings *settings = H5Pget_driver_info(access);
    around_file *file = calloc(1, sizeof *file);
    if (!file || !settings) {
        free(file);
        return NULL;
    }
    file->parts.hole_begin = settings->hole_begin;
    file->parts.hole_end = settings->hole_end;
    file->parts.head = calloc(1, settings->hole_begin);
    if (file->parts.head) return &file->driver.base;
    free(file);
    return NULL;
}

static herr_t close_around(H5FD_t *base) {
    around_file *file = (around_file *)base;
    free(file->parts.head);
    free(file->parts.tail);
    free(file);
    return 0;
}

static herr_t query(const H5FD_t *base, unsigned long *flags) {
    (void)base;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA;
    return 0;
}

/* Space for an object: at the file's end, but for the first data set, whose place is the hole. */
static haddr_t allocate(H5FD_t *base, H5FD_mem_t type, hid_t transfer, hsize_t size) {
    (void)transfer;
    around_file *file = (around_file *)base;
    haddr_t at = file->driver.end_of_address_space;
    if (type == H5FD_MEM_DRAW && !file->is_placed) {
        if (at > file->parts.hole_begin || size != file->parts.hole_end - file->parts.hole_begin) return HADDR_UNDEF;
        file->is_placed = true;
        at = file->parts.hole_begin;
    }
    file->driver.end_of_address_space = at + size;
    return at;
}

static herr_t get_handle(H5FD_t *base, hid_t access, void **handle) {
    (void)access;
    *handle = &((around_file *)base)->parts;
    return 0;
}

/* Makes the tail so long, zeroed behind its old end. */
static bool grow_tail(around_file *file, size_t length) {
    dcnn_h5_around *parts = &file->parts;
    if (length <= parts->tail_bytes) return true;
    if (length > file->room) {
        const size_t room = length + length / 2 + 4096;
        unsigned char *tail = realloc(parts->tail, room);
        if (!tail) return false;
        parts->tail = tail;
        file->room = room;
    }
    memset(parts->tail + parts->tail_bytes, 0, length - parts->tail_bytes);
    parts->tail_bytes = length;
    return true;
}

/* The memory of a part of the file; NULL: in the hole, or no memory. */
static unsigned char *memory_of(around_file *file, haddr_t address, size_t size) {
    dcnn_h5_around *parts = &file->parts;
    if (size <= parts->hole_begin && address <= parts->hole_begin - size) return parts->head + address;
    if (address < parts->hole_end || !grow_tail(file, (size_t)(address - parts->hole_end) + size)) return NULL;
    return parts->tail + (address - parts->hole_end);
}

static herr_t read_around(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size, void *buffer) {
    (void)type;
    (void)transfer;
    const unsigned char *from = memory_of((around_file *)base, address, size);
    if (!from) return -1;
    memcpy(buffer, from, size);
    return 0;
}

static herr_t write_around(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                           const void *buffer) {
    (void)type;
    (void)transfer;
    around_file *file = (around_file *)base;
    unsigned char *to = memory_of(file, address, size);
    if (!to) return -1;
    memcpy(to, buffer, size);
    if (address + size > file->driver.end_of_file) file->driver.end_of_file = address + size;
    return 0;
}

static const H5FD_class_t around_class = {
    DCNN_H5_DRIVER(497),   .name = "dcnn around a hole", .fapl_size = sizeof(around_settings),
    .open = open_around,   .close = close_around,        .query = query,
    .alloc = allocate,     .get_handle = get_handle,     .read = read_around,
    .write = write_around,
};

/* Registered once and for all: the last file that is closed would else free the driver, and HDF5 then read it. */
static hid_t around_driver(void) {
    static hid_t driver = H5I_INVALID_HID;
    if (driver < 0 || H5Iget_type(driver) != H5I_VFL) driver = H5FDregister(&around_class);
    return driver;
}

dcnn_status dcnn_h5_create_around(const char *name, uint64_t hole_begin, uint64_t hole_bytes, hid_t *file) {
    const around_settings settings = {hole_begin, hole_begin + hole_bytes};
    hid_t access = dcnn_h5_access(), driver = around_driver();
    /* without blocks of small data: each data set is allocated by itself, as allocate() wants it */
    const bool ready =
        driver >= 0 && H5Pset_driver(access, driver, &settings) >= 0 && H5Pset_small_data_block_size(access, 0) >= 0;
    *file = ready ? H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, access) : H5I_INVALID_HID;
    dcnn_status status = *file < 0 ? dcnn_h5_fail_file(DCNN_FAILURE, name, "cannot be made in memory") : DCNN_OK;
    H5Pclose(access);
    return status;
}

dcnn_status dcnn_h5_around_parts(hid_t file, const dcnn_h5_around **parts) {
    around_file *known;
    void *handle = NULL;
    if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 || H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0)
        return dcnn_h5_fail(DCNN_FAILURE, file, "file", "in memory", "cannot be finished");
    known = (around_file *)(void *)((char *)handle - offsetof(around_file, parts));
    if (known->driver.end_of_address_space < known->parts.hole_end ||
        !grow_tail(known, (size_t)(known->driver.end_of_address_space - known->parts.hole_end)))
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: the end of a data set");
    *parts = &known->parts;
    return DCNN_OK;
}

dcnn_status dcnn_h5_write_hole(hid_t file, const char *name, int rank, const int64_t *shape) {
    hsize_t sizes[DCNN_H5_MAX_RANK] = {0};
    for (int i = 0; i < rank; i++) sizes[i] = (hsize_t)shape[i];
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, sizes, NULL);
    H5Pset_obj_track_times(creation, false);
    H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    hid_t data = H5Dcreate2(file, name, H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    void *handle = NULL;
    dcnn_status status = DCNN_OK;
    if (data < 0 || H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0 ||
        H5Dget_offset(data) != ((const dcnn_h5_around *)handle)->hole_begin)
        status = dcnn_h5_fail(DCNN_FAILURE, file, "data set", name, "cannot be placed where its bytes are");
    if (data >= 0) H5Dclose(data);
    H5Pclose(creation);
    H5Sclose(space);
    return status;
}
