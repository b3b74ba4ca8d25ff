/* SPDX-License-Identifier: BSD-3-Clause */
/** @file source_private.h — what the readers of sources share. */
#ifndef DCNN_SOURCES_SOURCE_PRIVATE_H
#define DCNN_SOURCES_SOURCE_PRIVATE_H

#include "sources/source.h"

/** What one reader needs to know. */
typedef struct dcnn_opening {
    dcnn_sources *to;
    dcnn_role given;
    const dcnn_source_options *options;
} dcnn_opening;

/** Appends an empty source with a name and a role; its place may move with the next one. NULL: no memory, recorded. */
dcnn_source *dcnn_source_add(const dcnn_opening *opening, dcnn_role role, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Tells a line. */
void dcnn_source_tell(const dcnn_source_options *options, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Notes a file or folder as read. */
dcnn_status dcnn_source_note(const dcnn_opening *opening, const char *path);

/** Gives a source labels that are texts: its class_names are all different ones, sorted. The texts are kept. */
dcnn_status dcnn_source_label(dcnn_source *source, const dcnn_names *texts);

/** The role that a word like "train", "val", "x_test" names: its last part, or all of it. @return false: none */
bool dcnn_role_of(const char *word, dcnn_role *role);

/** "1,234" */
typedef struct dcnn_count_text {
    char text[32];
} dcnn_count_text;
const char *dcnn_count(int64_t value, dcnn_count_text *text);

/* The readers: each appends what it finds at `path`. */
dcnn_status dcnn_folder_open(const dcnn_opening *opening, const char *path);
dcnn_status dcnn_table_open(const dcnn_opening *opening, const char *path);
dcnn_status dcnn_idx_folder_open(const dcnn_opening *opening, const char *path, bool *found);
dcnn_status dcnn_arrays_open(const dcnn_opening *opening, int count, char *const paths[], int *used);
dcnn_status dcnn_foreign_hdf5_open(const dcnn_opening *opening, const char *path);

#endif
