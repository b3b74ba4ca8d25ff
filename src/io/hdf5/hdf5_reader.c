/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hdf5_reader.c — how HDF5 reads a file: from the descriptor whose seal was checked, and from no other file, whatever
 * links or virtual data sets name. And a read that the system failed is remembered: HDF5 makes of it anything from
 * "damaged" to "no such group", though the file may be good.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/hdf5/hdf5.h"
#include "io/hdf5/hdf5_driver.h"
#include "io/hdf5/hdf5_newer.h"
#include "io/hdf5/hdf5_reader.h"
#include "io/input.h"

typedef struct reader_file {
    dcnn_h5_driver_file driver; /* first */
    int descriptor;             /* what H5Fget_vfd_handle() shows */
    dcnn_h5_seen *seen;         /* chunks that are known to be whole */
    dcnn_h5_shown *shown;       /* in place of what this HDF5 does not know */
    bool asks;                  /* where pixels are read is wanted, not they */
    haddr_t asked;              /* HADDR_UNDEF: none were read */
} reader_file;

typedef struct reader_settings {
    const char *path;
    int descriptor;
    dcnn_h5_shown **shown; /* the file that is opened takes it over */
} reader_settings;

static int trouble; /* the errno of a failed read since the last file was opened; 0: none failed */

static H5FD_t *open_reader(const char *name, unsigned flags, hid_t access, haddr_t most) {
    (void)most;
    const reader_settings *settings = H5Pget_driver_info(access);
    struct stat about;
    if (!settings || strcmp(name, settings->path) != 0 || (flags & H5F_ACC_RDWR)) return NULL;
    reader_file *file = calloc(1, sizeof *file);
    if (!file) {
        trouble = ENOMEM;
        return NULL;
    }
    file->descriptor = fcntl(settings->descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (file->descriptor < 0 || fstat(file->descriptor, &about) != 0) {
        trouble = errno;
        if (file->descriptor >= 0) close(file->descriptor);
        free(file);
        return NULL;
    }
    file->driver.end_of_file = (haddr_t)about.st_size;
    file->shown = *settings->shown;
    *settings->shown = NULL;
    return &file->driver.base;
}

static herr_t close_reader(H5FD_t *base) {
    reader_file *file = (reader_file *)base;
    close(file->descriptor);
    dcnn_h5_seen_free(file->seen);
    dcnn_h5_newer_free(file->shown);
    free(file);
    return 0;
}

static herr_t query(const H5FD_t *base, unsigned long *flags) {
    (void)base;
    /* the last is what H5Fget_eoa() asks for */
    *flags = H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_SUPPORTS_SWMR_IO;
    return 0;
}

static herr_t get_handle(H5FD_t *base, hid_t access, void **handle) {
    (void)access;
    *handle = &((reader_file *)base)->descriptor;
    return 0;
}

static herr_t read_file(int descriptor, haddr_t address, size_t size, char *to) {
    size_t got;
    const int reason = dcnn_input_read(descriptor, to, size, address, &got);
    if (reason != 0 && reason != EINVAL) trouble = reason; /* an address that no file has is the file's fault */
    if (reason != 0) return -1;
    memset(to + got, 0, size - got); /* behind the end, where HDF5 expects zeros */
    return 0;
}

static herr_t read_bytes(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size, void *buffer) {
    (void)transfer;
    reader_file *file = (reader_file *)base;
    if (file->asks && type == H5FD_MEM_DRAW) {
        file->asked = address;
        return 0;
    }
    if (read_file(file->descriptor, address, size, buffer) < 0) return -1;
    dcnn_h5_newer_put(file->shown, address, size, buffer);
    return 0;
}

static herr_t refuse_write(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                           const void *buffer) {
    (void)base;
    (void)type;
    (void)transfer;
    (void)address;
    (void)size;
    (void)buffer;
    return -1;
}

static const H5FD_class_t reader_class = {
    DCNN_H5_DRIVER(498),      .name = "dcnn reader", .fapl_size = sizeof(reader_settings),
    .open = open_reader,      .close = close_reader, .query = query,
    .get_handle = get_handle, .read = read_bytes,    .write = refuse_write,
};

/* Registered once and for all: the last file that is closed would else free the driver, and HDF5 then call it. */
static hid_t reader_driver(void) {
    static hid_t driver = H5I_INVALID_HID;
    if (driver < 0 || H5Iget_type(driver) != H5I_VFL) driver = H5FDregister(&reader_class);
    return driver;
}

hid_t dcnn_h5_reader_open(const char *path, int descriptor) {
    dcnn_h5_shown *shown = NULL;
    const reader_settings settings = {path, descriptor, &shown};
    hid_t access = dcnn_h5_access(), driver = reader_driver();
    trouble = 0;
    hid_t file = driver >= 0 && H5Pset_driver(access, driver, &settings) >= 0 ? H5Fopen(path, H5F_ACC_RDONLY, access)
                                                                              : H5I_INVALID_HID;
    if (file >= 0 && (shown = dcnn_h5_newer_find(file, descriptor))) {
        H5Fclose(file); /* it keeps what it has read */
        file = H5Fopen(path, H5F_ACC_RDONLY, access);
        dcnn_h5_newer_free(shown); /* not taken over: it could not be opened */
    }
    const hid_t reasons = H5Eget_current_stack(); /* the next calls would clear them */
    H5Pclose(access);
    H5Eset_current_stack(reasons);
    return file;
}

/* @return NULL: the object's file is none that was opened here */
static reader_file *reader_of(hid_t object) {
    hid_t file = H5Iget_file_id(object), access = file >= 0 ? H5Fget_access_plist(file) : H5I_INVALID_HID;
    void *handle = NULL;
    reader_file *reader = NULL;
    if (access >= 0 && H5Pget_driver(access) == reader_driver() && H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0)
        reader = (reader_file *)(void *)((char *)handle - offsetof(reader_file, descriptor));
    if (access >= 0) H5Pclose(access);
    if (file >= 0) H5Fclose(file);
    return reader;
}

dcnn_h5_seen **dcnn_h5_reader_seen(hid_t object) {
    reader_file *reader = reader_of(object);
    return reader ? &reader->seen : NULL;
}

bool dcnn_h5_read_chunk(hid_t data, const hsize_t *at, uint32_t *skipped, void *bytes) {
#if H5_VERSION_GE(2, 0, 0)
    return H5Dread_chunk1(data, H5P_DEFAULT, at, skipped, bytes) >= 0;
#else
    return H5Dread_chunk(data, H5P_DEFAULT, at, skipped, bytes) >= 0;
#endif
}

bool dcnn_h5_reader_find_chunk(hid_t data, const hsize_t *at, dcnn_h5_chunk *chunk) {
    reader_file *reader = reader_of(data);
    hsize_t stored = 0;
    uint32_t skipped = 0;
    uint8_t nothing; /* is read into it */
    if (!reader || H5Dget_chunk_storage_size(data, at, &stored) < 0 || stored == 0) return false;
    reader->asked = HADDR_UNDEF;
    reader->asks = true;
    const bool found = dcnn_h5_read_chunk(data, at, &skipped, &nothing) && reader->asked != HADDR_UNDEF;
    reader->asks = false;
    *chunk = (dcnn_h5_chunk){reader->asked, stored, skipped};
    return found;
}

dcnn_status dcnn_h5_blame(const char *path, dcnn_status so_far) {
    if (trouble == 0) return so_far;
    errno = trouble;
    dcnn_input_fail(path, "read");
    return DCNN_FAILURE;
}

dcnn_status dcnn_h5_end(hid_t file, const char *path, dcnn_status so_far) {
    dcnn_h5_close(file);
    return dcnn_h5_blame(path, so_far);
}
