/* SPDX-License-Identifier: BSD-3-Clause */
/** @file status.h — the error record and the two macros that every fallible function uses. */
#ifndef DCNN_BASE_STATUS_H
#define DCNN_BASE_STATUS_H

#include "dcnn.h"

/**
 * Records the message of a failure for dcnn_error() and returns `code`. One sentence: what, where, what to do.
 * The record is per thread. *Local.*
 */
dcnn_status dcnn_fail(dcnn_status code, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** Puts `"prefix: "` before the recorded message: the caller knows the file's name, the callee what is wrong in it. */
void dcnn_error_prefix(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Replaces the recorded message (used when another thread's or rank's failure becomes ours). */
void dcnn_error_set(const char *message);

/** Where the last failure was recorded, `file:line`, for `DCNN_LOG=debug`. */
const char *dcnn_error_place(void);

/** Fails with a status and a printf message: `return DCNN_FAIL(DCNN_BAD_INPUT, "%s: ...", path)`. */
#define DCNN_FAIL(code, ...) dcnn_fail((code), __FILE__, __LINE__, __VA_ARGS__)

/** Passes a failure up unchanged. Only in functions that hold nothing; others `goto done`. */
#define DCNN_TRY(call)                                                                                                 \
    do {                                                                                                               \
        dcnn_status dcnn_try_status_ = (call);                                                                         \
        if (dcnn_try_status_ != DCNN_OK) return dcnn_try_status_;                                                      \
    } while (0)

/** Like DCNN_TRY in a function that holds something: stores the status in `status` and jumps to `done`. */
#define DCNN_TRY_DONE(call)                                                                                            \
    do {                                                                                                               \
        status = (call);                                                                                               \
        if (status != DCNN_OK) goto done;                                                                              \
    } while (0)

#endif
