/* SPDX-License-Identifier: BSD-3-Clause */
/** @file zipped.h — members of zip archives (libzip), in memory (io/spill.h). */
#ifndef DCNN_SOURCES_ZIPPED_H
#define DCNN_SOURCES_ZIPPED_H

#include "sources/names.h"

/** Names of an archive's files, folders and what file managers leave behind left out. */
dcnn_status dcnn_zip_list(const char *path, dcnn_names *members);

/** Reads one member; a NUL follows its last byte. @param memory  out; dcnn_spill_release() ends it */
dcnn_status dcnn_zip_read(const char *aside, const char *path, const char *member, void **memory, size_t *length,
                          size_t *mapped);

/** Reads the only file of an archive; refuses others by name. @param member  out: its name; the caller frees */
dcnn_status dcnn_zip_read_only_one(const char *aside, const char *path, char **member, void **memory, size_t *length,
                                   size_t *mapped);

#endif
