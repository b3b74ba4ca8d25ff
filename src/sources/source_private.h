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
void dcnn_source_tell(const dcnn_source_options *options, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** An image that cannot be read: refused with `why`, or told (the first few) and counted. */
dcnn_status dcnn_source_meet_broken(const dcnn_source_options *options, const char *why, int64_t *broken);

/** Notes a file or folder as read. */
dcnn_status dcnn_source_note(const dcnn_opening *opening, const char *path);

/** Gives a source labels that are texts: its class_names are all different ones, sorted. The texts are kept. */
dcnn_status dcnn_source_label(dcnn_source *source, const dcnn_names *texts);

/** A source's room for targets, all 0. @return DCNN_OK, DCNN_FAILURE (memory) */
dcnn_status dcnn_source_make_targets(dcnn_source *source, int width);

/** The next of some words with commas between them, which moves on behind it. @return false: there is none left */
bool dcnn_next_word(const char **text, char word[128]);

/** dcnn_role_of() of any part of a longer word: "x_test", "train-images-idx3-ubyte". */
bool dcnn_role_in(const char *word, dcnn_role *role);

/** Is one of some words (NULL at the end) a part of this one? A role may stand behind it: "xtrain". */
bool dcnn_word_in(const char *word, const char *const words[]);

/** "": for splitting; " for validation"; " for the test" */
const char *dcnn_role_text(dcnn_role role);

/** "1,234" */
typedef struct dcnn_count_text {
    char text[48];
} dcnn_count_text;
const char *dcnn_count(int64_t value, dcnn_count_text *text);

/** "1 image", "1,234 images" */
const char *dcnn_count_images(int64_t value, dcnn_count_text *text);

/* The readers: each appends what it finds at `path`. */
dcnn_status dcnn_folder_open(const dcnn_opening *opening, const char *path);

/** The folder that is all a folder holds. @param only  out: its path, the caller's; NULL: there is more, or none */
dcnn_status dcnn_folder_only(const char *path, char **only);

dcnn_status dcnn_table_open(const dcnn_opening *opening, const char *path);

/** IDX files of a folder and one level below it. @param found  out: there are any; else nothing is done */
dcnn_status dcnn_idx_folder_open(const dcnn_opening *opening, const char *path, bool *found);

/** CIFAR's binary files: one, or all of a folder. @param found  out: it is such; else nothing is done */
dcnn_status dcnn_cifar_open(const dcnn_opening *opening, const char *path, bool *found);

#endif
