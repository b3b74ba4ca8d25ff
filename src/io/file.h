/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file file.h — files that are whole or absent (law 5), and files that carry their own checksum.
 *
 * A file is written beside its final name (`NAME.tmp`), flushed, fsynced, renamed over it, and the folder is fsynced.
 * On any failure the temporary file is removed and the old file is untouched.
 *
 * A *sealed* file is an HDF5 file followed by a trailer of 32 bytes: "DCNNSEAL", format version (uint32), zero
 * (uint32), length of what stands before (uint64), and the XXH3-64 of it (uint64), little-endian. HDF5 ignores bytes
 * behind its own end, so h5py, Keras and h5dump open a sealed file as any other.
 */
#ifndef DCNN_IO_FILE_H
#define DCNN_IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

/** What dcnn_file_verify() found. */
typedef enum dcnn_seal {
    DCNN_SEAL_NONE, /**< no trailer: written by another program (Keras, h5py) */
    DCNN_SEAL_GOOD  /**< trailer there and right */
} dcnn_seal;

/** Writes `bytes` as the whole file `path`, atomically; sealed if asked. *Local.*
 * @return DCNN_OK; DCNN_FAILURE with the reason (disk full, permission) */
dcnn_status dcnn_file_write(const char *path, const void *bytes, size_t length, bool sealed);

/** Name of the temporary file beside `path`: `path` + ".tmp". Caller frees. */
char *dcnn_file_temporary(const char *path);

/** Seals (if asked), fsyncs and renames a temporary file that the caller has written and closed; removes it on failure.
 * *Local.* */
dcnn_status dcnn_file_commit(const char *temporary, const char *path, bool sealed);

/**
 * Reads a file's trailer and, if there is one, checks length and checksum over the whole file. *Local.*
 * @param seal  out
 * @return DCNN_OK; DCNN_BAD_INPUT if the file is missing, or a trailer is there but does not fit ("damaged")
 */
dcnn_status dcnn_file_verify(const char *path, dcnn_seal *seal);

/** The same for a file that is open already (at any position): what is checked is what is read. *Local.*
 * @param path      for messages
 * @param checksum  out, may be NULL: the seal's XXH3-64, 0 if there is none */
dcnn_status dcnn_seal_verify(int descriptor, const char *path, dcnn_seal *seal, uint64_t *checksum);

/** XXH3-64 of some files' bytes, one behind the other, packed or not. *Local.* */
dcnn_status dcnn_files_checksum(int count, char *const paths[], uint64_t *checksum);

/** Makes a folder and its parents (mkdir -p). *Local.* @return DCNN_OK, DCNN_FAILURE */
dcnn_status dcnn_folder_create(const char *path);

/**
 * Finds a file or folder of dcnn's own data ("mnist", "models/digits.json"): in `$DCNN_DATA`, else beside the running
 * program (`../share/dcnn`), else where it was to be installed, else in the source tree. *Local.*
 * @return its path, malloc'd; NULL: it is in none of them
 */
char *dcnn_data_path(const char *name);

/** Reads a whole file, unpacked if it is gzipped (zlib); a NUL follows the last byte. *Local.*
 * @param bytes  out; the caller frees
 * @return DCNN_OK, DCNN_BAD_INPUT (missing, empty, damaged gzip), DCNN_FAILURE (memory) */
dcnn_status dcnn_file_read(const char *path, uint8_t **bytes, size_t *length);

#endif
