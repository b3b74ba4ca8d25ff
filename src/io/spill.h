/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file spill.h — memory for what may be larger than memory: above 64 MiB the pages of a file without a name, which the
 * system writes out and reads again as it needs.
 *
 * `aside` is the folder of that file; NULL, or where no file can be made: plain memory. `mapped` is 0 for plain memory.
 */
#ifndef DCNN_IO_SPILL_H
#define DCNN_IO_SPILL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/** Takes so many bytes, not zeroed. *Local.* @param memory  out; ends with dcnn_spill_release()
 * @return DCNN_OK; DCNN_FAILURE: no memory, recorded as such of `name` */
dcnn_status dcnn_spill_take(const char *aside, const char *name, size_t bytes, void **memory, size_t *mapped);

/** Makes it larger, its first `used` bytes stay; memory NULL: takes it. *Local.* After a failure the old one is there.
 */
dcnn_status dcnn_spill_grow(const char *aside, const char *name, size_t used, size_t bytes, void **memory,
                            size_t *mapped);

/** Lets pages go from this process's memory that are not looked at for now; they stay in their file. *Local.* */
void dcnn_spill_forget(void *memory, size_t mapped);

/** Ends it; also of files that were mapped. *Local.* */
void dcnn_spill_release(void *memory, size_t mapped);

/**
 * A whole file, unpacked if it is gzipped, a NUL behind it: large plain ones are mapped, large packed ones spilled.
 * *Local.* @return as dcnn_file_read()
 */
dcnn_status dcnn_spill_read(const char *aside, const char *path, void **memory, size_t *length, size_t *mapped);

#endif
