/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file output.h — opening what is to be written, wherever its name leads.
 *
 * Every file that dcnn writes whole, and every option that names an output, goes through here:
 * - a regular file at the end of the links, or no file and no link: written aside, beside the real file
 *   (`NAME.HOST-PID.tmp`, created anew, never through a link), flushed, fsynced, renamed over it; the folder is fsynced
 *   (law 5). Links stay links.
 * - a link to what is not there, or may not be looked at: refused, as cp does. Who made it may be another user, and
 * where it leads, no file is expected.
 * - `-`, and names that lead to this process's standard output or error (/dev/stdout): written straight to that stream.
 * - FIFOs and character devices (/dev/null, a terminal): written straight. A FIFO waits for its reader, and says so.
 * - folders, sockets and block devices: refused.
 *
 * Where `only_new` is set a file that has appeared meanwhile is not replaced: of several that write to one name at the
 * same time one succeeds, and the others are told that the file exists.
 */
#ifndef DCNN_IO_OUTPUT_H
#define DCNN_IO_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dcnn_output {
    const char *path; /**< as messages call it; the caller's */
    char *real;       /**< the file at the end of the links */
    char *temporary;  /**< what is written until dcnn_output_close(); NULL: written straight */
    int descriptor;   /**< to write to */
    bool only_new;    /**< a file is not replaced; set after dcnn_output_open(), which clears it. Straight: no effect */
} dcnn_output;

/** Does this name lead to a stream, FIFO or device, where bytes go straight through and cannot be read again? *Local.*
 */
bool dcnn_output_is_straight(const char *path);

/** The folder for what memory should not hold while an output is made: the output's own, where there will be room for
 * it anyway, or $TMPDIR (else /var/tmp) if that is none. *Local.*
 * @param path  NULL: standard output  @param folder  where it is written  @return `folder` */
const char *dcnn_output_aside(const char *path, char folder[4096]);

/** What messages call an output: "standard output" for "-", else its path. *Local.* */
const char *dcnn_output_name(const char *path);

/**
 * Which of some inputs is the file that an output would replace, under whatever name: links of both kinds lead to it
 * too. *Local.*
 * @param path  NULL: standard output, as "-" is; `inputs` may be "-" for standard input
 * @return its place; -1: none, or what stands there is no regular file
 */
int64_t dcnn_output_among(const char *path, int64_t count, char *const inputs[]);

/** Could an output be opened there? Asked before the work that it is for. *Local.*
 * @return DCNN_OK; DCNN_FAILURE: a link that leads nowhere, or a folder that is not there or may not be written to */
dcnn_status dcnn_output_check(const char *path);

/** Fails with DCNN_USAGE: the file exists, and --force was not given. *Local.* */
dcnn_status dcnn_output_exists(const char *path);

/** Opens `path` for writing. *Local.* @return DCNN_OK; DCNN_FAILURE with the reason. Then dcnn_output_close() is owed.
 */
dcnn_status dcnn_output_open(const char *path, dcnn_output *output);

/** Writes bytes behind those before. *Local.* @return DCNN_OK, DCNN_FAILURE (disk full, no reader) */
dcnn_status dcnn_output_write(const dcnn_output *output, const void *bytes, size_t length);

/**
 * Ends an output: if all went well so far it is flushed and put in its place, else what was written aside is removed.
 * *Local.*
 * @param so_far  what became of the writing; returned if it is a failure
 * @return DCNN_OK; `so_far`; DCNN_USAGE (`only_new`, and a file is there); DCNN_FAILURE
 */
dcnn_status dcnn_output_close(dcnn_output *output, dcnn_status so_far);

#endif
