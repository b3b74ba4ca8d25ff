/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file hdf5.h — HDF5 with its errors turned into the error record.
 *
 * HDF5's own error printing and its file locks (they fail on NFS and Lustre) are off. Messages name file and object.
 * Reading fails with DCNN_BAD_INPUT, writing with DCNN_FAILURE. Names may be paths ("model_weights/conv2d"); groups on
 * the way are made. Files carry no time stamps: the same content gives the same bytes. The library is not
 * thread-safe: one thread at a time. *Local*, all of it.
 *
 * A file that is to be whole or absent (law 5) is made in memory and written by dcnn_file_write():
 *
 *     dcnn_h5_create("best.h5", 8 << 20, &file);  dcnn_h5_write(file, …);  dcnn_h5_text_write(file, …);
 *     dcnn_h5_image(file, &bytes, &length);       dcnn_file_write("best.h5", bytes, length, true);
 *     dcnn_h5_close(file);
 */
#ifndef DCNN_IO_HDF5_H
#define DCNN_IO_HDF5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hdf5.h>

#include "base/status.h"

enum { DCNN_H5_MAX_RANK = 8 };

/** Types of numbers in memory; on disk the same, little-endian. */
typedef enum dcnn_h5_type {
    DCNN_H5_UINT8,
    DCNN_H5_INT32,
    DCNN_H5_INT64,
    DCNN_H5_UINT64,
    DCNN_H5_FLOAT,
    DCNN_H5_DOUBLE
} dcnn_h5_type;

/**
 * Records a failure: `FILE: KIND 'NAME' of GROUP: text`, with HDF5's own reason behind it if its last call failed.
 * @param where  the file or group, for the names; the message does without if it is not a valid id
 * @param kind   "attribute", "data set", "group"
 */
dcnn_status dcnn_h5_fail(dcnn_status code, hid_t where, const char *kind, const char *name, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/** Records why a data set or an attribute cannot be opened, after the call that could not: it may be of a newer HDF5,
 * and then the line of Python stands there that rewrites the file. @return DCNN_BAD_INPUT */
dcnn_status dcnn_h5_fail_open(hid_t where, const char *kind, const char *name);

/** The same for a whole file: "NAME: what (HDF5: reason)". */
dcnn_status dcnn_h5_fail_file(dcnn_status code, const char *name, const char *what);

/** Records that a file is of a version that this dcnn does not read (it reads 1 to `latest`), and who wrote it: its
 * attribute `created_by`. @param where  the object that has it @return DCNN_BAD_INPUT */
dcnn_status dcnn_h5_fail_version(hid_t where, const char *path, int64_t version, int latest);

/* --- files ------------------------------------------------------------------------------------------------------ */

/**
 * Opens a file for reading. Its seal (file.h), if it has one, is checked over the whole file before HDF5 sees a byte;
 * bytes behind HDF5's end that are no seal are refused.
 * @param file      out; close with dcnn_h5_close()
 * @param checksum  out, may be NULL: the seal's XXH3-64, or 0 for a file without one (Keras, h5py)
 * A file without a seal is first read through in a child process, with limits of time and memory (hdf5_reader.h).
 * @return DCNN_OK, DCNN_BAD_INPUT (missing, empty, no HDF5, cut, damaged), DCNN_FAILURE (it could not be read)
 */
dcnn_status dcnn_h5_open(const char *path, hid_t *file, uint64_t *checksum);

/** The same for a file that this process, or another one of the job, has opened before: its seal is believed, its
 * content not read again. */
dcnn_status dcnn_h5_reopen(const char *path, hid_t *file, uint64_t *checksum);

/** Access properties that every file has; the first call of the module for most. Close with H5Pclose(). */
hid_t dcnn_h5_access(void);

/**
 * Starts a new file in memory.
 * @param name            what messages call it; nothing of that name is touched
 * @param expected_bytes  about how large it will be; it may grow beyond
 */
dcnn_status dcnn_h5_create(const char *name, size_t expected_bytes, hid_t *file);

/** The bytes of a file made by dcnn_h5_create(). @param bytes  out; HDF5's own memory, valid until the next call on it
 */
dcnn_status dcnn_h5_image(hid_t file, const void **bytes, size_t *length);

/** Opens a file that lies in memory, for reading, after a child process has tried it; the bytes are copied. */
dcnn_status dcnn_h5_open_image(const char *name, const void *bytes, size_t length, hid_t *file);

/** The bytes of a file made by dcnn_h5_create_around(): [0, hole_begin) and [hole_end, hole_end + tail_bytes). */
typedef struct dcnn_h5_around {
    uint64_t hole_begin, hole_end;
    unsigned char *head; /**< [hole_begin] */
    unsigned char *tail; /**< [tail_bytes] */
    size_t tail_bytes;
} dcnn_h5_around;

/**
 * Starts a new file in memory, all but a hole for one large data set whose bytes are written elsewhere: into the file
 * at hole_begin. Its first data set must be that one (dcnn_h5_write_hole()).
 * @param hole_begin  4096 or another power of two that HDF5's own beginning fits into
 */
dcnn_status dcnn_h5_create_around(const char *name, uint64_t hole_begin, uint64_t hole_bytes, hid_t *file);

/** Makes the uint8 data set that fills the hole; its bytes are not HDF5's business. */
dcnn_status dcnn_h5_write_hole(hid_t file, const char *name, int rank, const int64_t *shape);

/** The finished bytes around the hole. @param parts  out; HDF5's own memory, valid until the next call on the file */
dcnn_status dcnn_h5_around_parts(hid_t file, const dcnn_h5_around **parts);

/** Closes a file and all that is open in it; negative ids are allowed. */
void dcnn_h5_close(hid_t file);

/** The same at the end of reading. @return `so_far`; DCNN_FAILURE if the system failed a read since the file was
 * opened: then whatever was found in it, or not, says nothing about it */
dcnn_status dcnn_h5_end(hid_t file, const char *path, dcnn_status so_far);

/* --- groups ----------------------------------------------------------------------------------------------------- */

/** Makes a group. @param group  out, may be NULL; close with dcnn_h5_group_close() */
dcnn_status dcnn_h5_group_create(hid_t where, const char *name, hid_t *group);

/** Opens a group that is there. */
dcnn_status dcnn_h5_group_open(hid_t where, const char *name, hid_t *group);

/** Closes a group; negative ids are allowed. */
void dcnn_h5_group_close(hid_t group);

/** Is there an object of that name (each step of the path)? */
bool dcnn_h5_has(hid_t where, const char *name);

/** Names of what a group holds, in alphabetic order. @param names  out; free with dcnn_h5_names_free() */
dcnn_status dcnn_h5_list(hid_t where, const char *name, int *count, char ***names);

/* --- attributes ------------------------------------------------------------------------------------------------- */

/** Has this object an attribute of that name? */
bool dcnn_h5_attribute_has(hid_t where, const char *name);

/** Writes numbers as an attribute, replacing an old one. @param count  values, or -1 for one scalar */
dcnn_status dcnn_h5_attribute_write(hid_t where, const char *name, dcnn_h5_type type, int count, const void *values);

/**
 * Reads numbers from an attribute of exactly `count` values (-1: a scalar, or an array of one). Integers of any type
 * that fits wholly into `type`, and floats of any width, are converted.
 */
dcnn_status dcnn_h5_attribute_read(hid_t where, const char *name, dcnn_h5_type type, int count, void *values);

/** Writes a scalar string (variable length, UTF-8, as h5py does), replacing an old one. It may be long. */
dcnn_status dcnn_h5_text_write(hid_t where, const char *name, const char *text);

/** Reads a scalar string of variable or fixed length. @param text  out; the caller frees */
dcnn_status dcnn_h5_text_read(hid_t where, const char *name, char **text);

/** Writes an array of fixed-length strings, as Keras writes `layer_names` (NUL-padded, of the longest one's length).
 * HDF5 holds attributes up to 64 KiB; Keras continues longer lists in `NAME0`, `NAME1`, … */
dcnn_status dcnn_h5_names_write(hid_t where, const char *name, int count, const char *const *names);

/** Reads an array of strings of fixed or variable length; an array of no values may have any type (h5py writes an empty
 * list as floats). @param names  out; free with dcnn_h5_names_free() */
dcnn_status dcnn_h5_names_read(hid_t where, const char *name, int *count, char ***names);

/** Frees an array of strings; NULL is allowed. */
void dcnn_h5_names_free(int count, char **names);

/* --- data sets -------------------------------------------------------------------------------------------------- */

/**
 * Writes an array as a new data set.
 * @param rank,shape  rank 0: one scalar
 * @param chunk_rows  0: contiguous; else chunks of so many rows (first index), not compressed
 */
dcnn_status dcnn_h5_write(hid_t where, const char *name, dcnn_h5_type type, int rank, const int64_t *shape,
                          int64_t chunk_rows, const void *values);

/** Reads a whole data set whose shape must be this one; types as in dcnn_h5_attribute_read(). */
dcnn_status dcnn_h5_read(hid_t where, const char *name, dcnn_h5_type type, int rank, const int64_t *shape,
                         void *values);

/** Does a data set hold numbers that all fit this type? Fails if not. */
dcnn_status dcnn_h5_check_type(hid_t where, const char *name, dcnn_h5_type type);

/** Shape of a data set. @param shape  out, [DCNN_H5_MAX_RANK] */
dcnn_status dcnn_h5_shape(hid_t where, const char *name, int *rank, int64_t *shape);

/** Reads rows [first, first + count) of a uint8 data set of that shape. @param values  out, all of them */
dcnn_status dcnn_h5_read_rows(hid_t where, const char *name, int rank, const int64_t *shape, int64_t first,
                              int64_t count, uint8_t *values);

/** A stored piece of a data set. */
typedef struct dcnn_h5_chunk {
    uint64_t offset, bytes;   /**< in the file; of a contiguous one with a user block perhaps behind that */
    unsigned skipped_filters; /**< bit i: filter i was left out */
} dcnn_h5_chunk;

enum { DCNN_H5_MAX_FILTERS = 4 };

/** Where a data set of bytes lies in its file. */
typedef struct dcnn_h5_layout {
    int64_t chunk_rows, chunk_count; /**< one chunk, if it is contiguous */
    dcnn_h5_chunk *chunks; /**< [chunk_count] of whole rows, in order; the last is stored as long as the others */
    int filter_count,
        filters[DCNN_H5_MAX_FILTERS]; /**< deflate, shuffle (of nothing), fletcher32; as they were applied */
} dcnn_h5_layout;

/** Finds out. @return false: HDF5 alone can read it (pieces of rows, other filters, several files, parts never
 * written); also if there is no memory. Free with dcnn_h5_layout_free() */
bool dcnn_h5_layout_find(hid_t where, const char *name, dcnn_h5_layout *layout);
void dcnn_h5_layout_free(dcnn_h5_layout *layout);

/** Writes a data set of variable-length UTF-8 strings. */
dcnn_status dcnn_h5_strings_write(hid_t where, const char *name, int count, const char *const *strings);

/** Reads a data set of strings of fixed or variable length. @param strings  out; free with dcnn_h5_names_free() */
dcnn_status dcnn_h5_strings_read(hid_t where, const char *name, int *count, char ***strings);

#endif
