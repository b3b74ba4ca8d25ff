/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file array.h — an array of numbers or texts out of any file, and what it is taken for: images or labels.
 *
 * Only what is exact is taken: numbers that are bytes, whatever their type. All else is refused with type and shape and
 * the line of Python that mends it.
 */
#ifndef DCNN_SOURCES_ARRAY_H
#define DCNN_SOURCES_ARRAY_H

#include "sources/source_private.h"

enum { DCNN_ARRAY_RANK = 8 };

typedef enum dcnn_number_kind {
    DCNN_NUMBER_UNSIGNED,
    DCNN_NUMBER_SIGNED,
    DCNN_NUMBER_FLOAT,
    DCNN_NUMBER_BOOL,
    DCNN_NUMBER_BYTES, /**< texts of fixed length, padded with NULs */
    DCNN_NUMBER_UCS4,  /**< the same in 4 bytes a character, as NumPy has them */
    DCNN_NUMBER_OTHER
} dcnn_number_kind;

/** An array in memory. */
typedef struct dcnn_array {
    char *name; /**< path and member, for messages; owned */
    char *word; /**< what its part and role are read from: "x_train", "train-images"; owned */
    dcnn_number_kind kind;
    int bytes;    /**< of a value */
    bool swapped; /**< big-endian */
    int rank;
    int64_t shape[DCNN_ARRAY_RANK], strides[DCNN_ARRAY_RANK]; /**< strides in bytes */
    const uint8_t *data;
    void *memory;        /**< what holds it; owned until a source takes it over */
    size_t mapped_bytes; /**< 0: memory is freed, else unmapped */
} dcnn_array;

/** "uint8 (60000, 28, 28)" */
const char *dcnn_array_text(const dcnn_array *array, char text[160]);

/** Sets the strides of an array whose last index (or, as Fortran has it, its first) runs fastest. */
void dcnn_array_stride(dcnn_array *array, bool fortran);

/** Values in all; -1 if they cannot be counted. */
int64_t dcnn_array_count(const dcnn_array *array);

/** One value a row: [N], [N,1], [N,1,1], …? */
bool dcnn_array_is_list(const dcnn_array *array);

/** Could it be images: two dimensions with lines that make an image, or three or four? Else labels. */
bool dcnn_array_is_images(const dcnn_array *array);

/** Takes images into a source: [N,H,W], [N,H,W,C], [N,C,H,W] or [N,pixels]. Plain bytes stay where they are. */
dcnn_status dcnn_array_take_images(dcnn_array *array, const dcnn_source_options *options, dcnn_source *source);

/** Takes labels into a source that has its images: [N], [N,1], one-hot [N,K], QMNIST's [N,8], or texts. */
dcnn_status dcnn_array_take_labels(const dcnn_array *array, const dcnn_source_options *options, dcnn_source *source);

/** Texts as a list: class names. */
dcnn_status dcnn_array_take_texts(const dcnn_array *array, dcnn_names *texts);

/** Many of them. */
typedef struct dcnn_array_list {
    const char *aside; /**< as dcnn_source_options has it */
    bool unlabelled;   /**< likewise: an archive's arrays that are no numbers are passed over */
    int count;
    dcnn_array *items;
} dcnn_array_list;

/** Appends an empty one. NULL: no memory, recorded. */
dcnn_array *dcnn_array_list_add(dcnn_array_list *arrays);

void dcnn_array_list_free(dcnn_array_list *arrays);

/**
 * Makes sources of arrays: images and their labels are found by their names ("x_train" and "y_train", "train-images"
 * and "train-labels", "images" and "labels") and their shapes. *Local.*
 * @param test  the role of what is called test: official for IDX
 */
dcnn_status dcnn_array_list_pair(const dcnn_opening *opening, const char *path, dcnn_array_list *arrays,
                                 dcnn_role test);

/* The readers; each appends what a file holds. */
dcnn_status dcnn_npy_read(const char *path, dcnn_array_list *arrays);
dcnn_status dcnn_npz_read(const char *path, dcnn_array_list *arrays);
dcnn_status dcnn_idx_read(const char *path, dcnn_array_list *arrays);

/** Of sources from number `first` on: tells that EMNIST's images lie on their side, and gives them the class names of
 * its mapping, if that lies beside their images. */
dcnn_status dcnn_emnist_look(const dcnn_opening *opening, int first);

/** Appends the sources of an HDF5 file; of one with a lone array only that, to `single`: images and labels may be two
 * files. */
dcnn_status dcnn_hdf5_open(const dcnn_opening *opening, const char *path, dcnn_array_list *single);

#endif
