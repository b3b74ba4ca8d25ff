/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file source.h — what people bring, whatever it is: found out by content, told in a line, delivered image by
 * image.
 *
 *     dcnn_sources_open(count, paths, DCNN_ROLE_POOL, &options, &sources);    folders, lists, tables, arrays, IDX, HDF5
 *     dcnn_sources_open(…, DCNN_ROLE_TEST, …);                                 more may follow
 *     dcnn_sources_agree(&sources, …)                                          one list of classes, one shape
 *     dcnn_source_read(&sources.items[i], row, &options, pixels)               any row, from any thread
 *     dcnn_sources_free(&sources)
 *
 * One path may give several sources: what is for training, what is for testing. Tables and arrays lie in memory, large
 * ones as pages of their file or of one beside (io/spill.h), images stay files until they are read.
 */
#ifndef DCNN_SOURCES_SOURCE_H
#define DCNN_SOURCES_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "sources/names.h"
#include "sources/images/image.h"

/** What images are for, as far as it is known. */
typedef enum dcnn_role {
    DCNN_ROLE_POOL, /**< to be split, or all for training where the others are given */
    DCNN_ROLE_VALIDATION,
    DCNN_ROLE_TEST,
    DCNN_ROLE_OFFICIAL_TEST, /**< MNIST's t10k files, which stay apart from a test split that is drawn */
    DCNN_ROLE_COUNT
} dcnn_role;

/** The role that a word names: "train", "Val", "testing". *Local.* @return false: none */
bool dcnn_role_of(const char *word, dcnn_role *role);

/** What images come from: which options say how to read it depends on that (source_options.c). */
typedef enum dcnn_source_kind {
    DCNN_SOURCE_FOLDER, /**< pictures in folders */
    DCNN_SOURCE_LIST,   /**< a table that names pictures */
    DCNN_SOURCE_TABLE,  /**< lines of pixels */
    DCNN_SOURCE_ARRAY,  /**< IDX, NumPy, MATLAB, HDF5: images with sides */
    DCNN_SOURCE_FLAT,   /**< the same in lines of pixels */
    DCNN_SOURCE_CIFAR,
    DCNN_SOURCE_KIND_COUNT
} dcnn_source_kind;

/** Some images of one kind. */
typedef struct dcnn_source {
    char *name; /**< path, and the part of it, for messages */
    dcnn_role role;
    dcnn_source_kind kind;
    int64_t count;
    int h, w, c;            /**< of each image; 0: files, which may differ */
    const uint8_t *pixels;  /**< [..,h,w,c], or NULL: files */
    int64_t *rows;          /**< [count] places in pixels; NULL: each in its own; owned */
    dcnn_names files;       /**< [count] paths, or none */
    int32_t *labels;        /**< [count]: numbers as they stand there, or places in class_names; NULL: none; owned */
    dcnn_names class_names; /**< empty: the labels are numbers */
    float *targets;         /**< [count,target_width] numbers to be predicted, in place of labels; NULL: none; owned */
    int target_width;
    dcnn_names target_names; /**< [target_width] of a table's header, or none */
    dcnn_names ids;          /**< [count] of an id column, or none */
    bool from_table;         /**< a table or a list of files */
    void *memory;            /**< what holds the pixels; owned */
    size_t mapped_bytes;     /**< 0: memory is freed, else unmapped */
} dcnn_source;

/** How sources are read. All zero: as they are. */
typedef struct dcnn_source_options {
    int h, w, c;              /**< shape of a table's line or an array's row; 0: it is found */
    bool shape_may_differ;    /**< that shape where it fits, else it is found */
    const char *label_column; /**< a name, "first", "last" or a number from 1; NULL: it is found */
    const char
        *target_columns; /**< names or numbers, with commas between them: columns of a table, or of an array of
                              labels, that are numbers to be predicted; "all" of an array's; NULL: not asked for */
    double scale;        /**< times each number of a table or array, then rounded; 0: only whole numbers to 255 */
    bool transpose;      /**< lines and columns of IDX and arrays change places (EMNIST) */
    const char *aside;   /**< folder for what memory should not hold (io/spill.h); NULL: memory holds it */
    bool unlabelled;     /**< labels are neither needed nor looked for, and a source is not described (predict) */
    bool skip_broken; /**< files and lines of tables that cannot be read are left out, told and counted; else refused */
    /** Is told each line about what was understood; may be NULL. */
    void (*tell)(void *context, const char *line);
    void *context;
} dcnn_source_options;

/** Sources, in the order in which they were named, and every file that was opened for them. */
typedef struct dcnn_sources {
    int count;
    dcnn_source *items;
    dcnn_names files; /**< for checksums and the record; of images in folders only the folder */
    int64_t broken;   /**< lines of tables that were left out: by skip_broken, or one in which a file is cut off */
} dcnn_sources;

/**
 * Opens what stands at some paths and appends it to `sources` (zeroed before the first call). *Local.*
 * @param given  POOL: parts that are named so (test folders, x_test) take their own role; else all of it is for that,
 *               or, of a file with several parts, the part of that name
 * @return DCNN_OK; DCNN_BAD_INPUT with what it is and what can be done; DCNN_FAILURE
 */
dcnn_status dcnn_sources_open(int count, char *const paths[], dcnn_role given, const dcnn_source_options *options,
                              dcnn_sources *sources);

/** Refuses an option that none of the sources is read by. *Local.* @return DCNN_OK, DCNN_USAGE */
dcnn_status dcnn_sources_check_options(const dcnn_sources *sources, const dcnn_source_options *options);

void dcnn_sources_free(dcnn_sources *sources);

/**
 * Finds what the targets of all sources are, if they have such: then none has labels. *Local.*
 * @param width  out: numbers an image; 0: they have labels
 * @param names  out, borrowed: [width] what they are called, or NULL
 * @return DCNN_OK; DCNN_BAD_INPUT: some have targets and others not, or others
 */
dcnn_status dcnn_sources_targets(const dcnn_sources *sources, int *width, const dcnn_names **names);

/**
 * Brings the labels of all sources to one list of classes, in place. *Local.*
 *
 * Numbers from 0 on name the classes "0", "1", …; if the least of all is 1 they are shifted, and the names are "1",
 * "2", …; with any other text or a negative number the names are those texts, sorted (whole numbers by value).
 * @param class_names  out; free with dcnn_names_free()
 * @return DCNN_OK; DCNN_BAD_INPUT: no labels, fewer than two classes in the pool, a class that only a test has
 */
dcnn_status dcnn_sources_agree(dcnn_sources *sources, const dcnn_source_options *options, dcnn_names *class_names);

/** Leaves all images out whose `keep` [count] is 0. *Local.* */
dcnn_status dcnn_source_keep(dcnn_source *source, const uint8_t *keep);

/**
 * Finds the one shape of all sources and sets it in `wanted`, whose h, w and channels may say it before. *Local.*
 * @param threads  that look at files
 * @param broken   out: how many were left out, as their header cannot be read (options->skip_broken)
 * @return DCNN_OK; DCNN_BAD_INPUT: sizes that differ, with their counts
 */
dcnn_status dcnn_sources_shape(dcnn_sources *sources, const dcnn_source_options *options, int threads,
                               dcnn_image_options *wanted, int64_t *broken);

/** Reads one image as `wanted` has it (all of h, w, channels set). *Local*, from any thread.
 * @param pixels  out [h,w,channels] */
dcnn_status dcnn_source_read(const dcnn_source *source, int64_t row, const dcnn_image_options *wanted, uint8_t *pixels);

#endif
