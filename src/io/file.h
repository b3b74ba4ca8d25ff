/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file file.h — files that are whole or absent (law 5), and files that carry their own checksum.
 *
 * A file is written aside, flushed, fsynced, renamed over its final name, and the folder is fsynced (output.h, which
 * also says what becomes of names that lead to devices and streams). On any failure the old file is untouched.
 *
 * A *sealed* file is an HDF5 file followed by a trailer of 32 bytes: "DCNNSEAL", format version (uint32), zero
 * (uint32), length of what stands before (uint64), and the XXH3-64 of it (uint64), little-endian. HDF5 ignores bytes
 * behind its own end, so h5py, Keras and h5dump open a sealed file as any other.
 *
 * A seal *around* a hole leaves out one part, which has checksums of its own (the pixels of a data set): before such a
 * trailer stand the hole's begin and end (uint64 each), its format version is 2, and its XXH3-64 is of what stands
 * before the hole, behind it, and of those 16 bytes.
 */
#ifndef DCNN_IO_FILE_H
#define DCNN_IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "io/output.h"

/** What dcnn_file_verify() found; DCNN_SEAL_NONE where it could not look. */
typedef enum dcnn_seal {
    DCNN_SEAL_NONE,   /**< no trailer: written by another program (Keras, h5py) */
    DCNN_SEAL_GOOD,   /**< trailer there and right */
    DCNN_SEAL_AROUND, /**< the same, for all but a hole */
    DCNN_SEAL_BAD     /**< proven wrong: the file was read, and is not what was sealed */
} dcnn_seal;

enum { DCNN_SEAL_AROUND_BYTES = 48 };

/** Bytes of such a trailer. *Local.* */
size_t dcnn_seal_bytes(dcnn_seal seal);

/** Writes `bytes` as the whole output `path`, by output.h; sealed if asked. *Local.*
 * @return DCNN_OK; DCNN_FAILURE with the reason (disk full, permission) */
dcnn_status dcnn_file_write(const char *path, const void *bytes, size_t length, bool sealed);

/** The same, and where `only_new` is set a file that is there by the end is not replaced. *Local.*
 * @return also DCNN_USAGE: a file is there */
dcnn_status dcnn_file_put(const char *path, const void *bytes, size_t length, bool sealed, bool only_new);

/**
 * Reads a file's trailer and, if there is one, checks length and checksum over the whole file. *Local.*
 * @param seal  out
 * @return DCNN_OK; DCNN_BAD_INPUT if the file is missing, or a trailer is there but does not fit ("damaged");
 * DCNN_FAILURE if it could not be read
 */
dcnn_status dcnn_file_verify(const char *path, dcnn_seal *seal);

/** The same for a file that is open already (at any position): what is checked is what is read. *Local.*
 * @param path      for messages
 * @param checksum  out, may be NULL: the seal's XXH3-64, 0 if there is none */
dcnn_status dcnn_seal_verify(int descriptor, const char *path, dcnn_seal *seal, uint64_t *checksum);

/** The same without reading the content: whether there is a seal, and what it says. *Local.* */
dcnn_status dcnn_seal_find(int descriptor, const char *path, dcnn_seal *seal, uint64_t *checksum);

/** Makes the trailer of a file that is head, a hole that it leaves out, and tail. *Local.*
 * @param head  [hole_begin]
 * @param seal  out: what to append to the file */
dcnn_status dcnn_seal_make_around(const void *head, uint64_t hole_begin, uint64_t hole_end, const void *tail,
                                  size_t tail_bytes, unsigned char seal[DCNN_SEAL_AROUND_BYTES]);

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

/** Refuses a file of `packed` bytes that unpacks to 100 times as many, if those are more than 256 MiB: a small file
 * must not fill memory or a disk. *Local.* @return DCNN_OK, DCNN_BAD_INPUT */
dcnn_status dcnn_file_check_unpacked(const char *path, uint64_t packed, uint64_t unpacked);

/** Reads a whole file, unpacked if it is gzipped (zlib); a NUL follows the last byte. *Local.*
 * @param bytes  out; the caller frees
 * @return DCNN_OK, DCNN_BAD_INPUT (missing, empty, damaged gzip, out of proportion), DCNN_FAILURE (memory) */
dcnn_status dcnn_file_read(const char *path, uint8_t **bytes, size_t *length);

#endif
