/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file input.h — opening what is to be read, without hanging on what never ends.
 *
 * Regular files only, but for who takes pipes too. A folder, a device or a socket is refused; a pipe that nobody writes
 * to is refused after a few seconds. Whoever names a file that is not there, or that he may not read, gets
 * DCNN_BAD_INPUT; where the machine fails (I/O error, no memory, no descriptors left), DCNN_FAILURE: the file may be
 * good all the same.
 */
#ifndef DCNN_IO_INPUT_H
#define DCNN_IO_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Opens a file for reading. *Local.*
 * @param pipes       pipes are taken, too
 * @param descriptor  out; -1 after a failure
 * @param size        out, may be NULL: bytes of the file, 0 of a pipe */
dcnn_status dcnn_input_open(const char *path, bool pipes, int *descriptor, int64_t *size);

/** Is this a regular file, which can be opened and looked into without waiting? *Local.* */
bool dcnn_input_is_file(const char *path);

/** Reads up to `length` bytes from `offset` of what is open, through interruptions; fewer only at its end. *Local.*
 * @param got  out
 * @return 0, or errno */
int dcnn_input_read(int descriptor, void *bytes, size_t length, uint64_t offset, size_t *got);

/** Records "PATH: cannot WHAT: REASON" by errno, and returns whose fault it is. *Local.* */
dcnn_status dcnn_input_fail(const char *path, const char *what);

#endif
