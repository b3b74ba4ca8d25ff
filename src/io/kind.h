/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file kind.h — what a file is, by its content: one table of kinds, each with its name in a sentence and the command
 * that takes it. Every command that meets a file which it does not know tells it by this table.
 */
#ifndef DCNN_IO_KIND_H
#define DCNN_IO_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum dcnn_kind_id {
    DCNN_KIND_UNKNOWN, /**< bytes of which nothing is known */
    DCNN_KIND_MISSING, /**< there is no such file, or it cannot be opened */
    DCNN_KIND_EMPTY,
    DCNN_KIND_FOLDER,
    DCNN_KIND_SPECIAL, /**< a device, pipe or socket */
    DCNN_KIND_HDF5,
    DCNN_KIND_PNG,
    DCNN_KIND_JPEG,
    DCNN_KIND_BMP,
    DCNN_KIND_PNM,
    DCNN_KIND_WEBP,
    DCNN_KIND_GIF,
    DCNN_KIND_TIFF,
    DCNN_KIND_HEIF,
    DCNN_KIND_SVG,
    DCNN_KIND_IDX,
    DCNN_KIND_NPY,
    DCNN_KIND_NPZ,
    DCNN_KIND_KERAS, /**< a zip as Keras 3 writes it */
    DCNN_KIND_TORCH, /**< a zip as torch.save() writes it */
    DCNN_KIND_ZIP,   /**< a zip of anything else: perhaps one table */
    DCNN_KIND_MAT,   /**< MATLAB 5 to 7 */
    DCNN_KIND_TABLE, /**< text in columns */
    DCNN_KIND_JSON,
    DCNN_KIND_TEXT,
    DCNN_KIND_UTF16,
    DCNN_KIND_HTML,
    DCNN_KIND_LFS,
    DCNN_KIND_PICKLE,
    DCNN_KIND_PARQUET,
    DCNN_KIND_TAR,
    DCNN_KIND_PACKED, /**< by a program whose files are not unpacked here: xz, bzip2, zstd, 7z, rar */
    DCNN_KIND_PDF,
    DCNN_KIND_ONNX,
    DCNN_KIND_SAFETENSORS,
    DCNN_KIND_PROGRAM,
    DCNN_KIND_COUNT
} dcnn_kind_id;

/** What bytes, not packed by gzip, seem to be; `length` may be less than the whole: 512 do. *Local.* */
dcnn_kind_id dcnn_kind_of_bytes(const uint8_t *bytes, size_t length);

/** What a file is; one that gzip packed is what it holds. *Local.* */
dcnn_kind_id dcnn_kind_of_file(const char *path);

/** Its name in a sentence: "a JPEG image". */
const char *dcnn_kind_name(dcnn_kind_id kind);

/** Is it an image that cannot be read: GIF, TIFF, HEIF, SVG? */
bool dcnn_kind_is_foreign_image(dcnn_kind_id kind);

/** Is it an image that can be read (sources/images/image.h)? */
bool dcnn_kind_is_image(dcnn_kind_id kind);

/** Does a file's name end like that of such an image (".png", ".JPG")? */
bool dcnn_name_is_image(const char *name);

/**
 * Records that a file is not what is wanted: "a.jpg is a JPEG image, not a data set: `dcnn predict MODEL a.jpg`
 * takes it, ...".
 * @param wanted  "a data set", "a model"
 * @return DCNN_BAD_INPUT
 */
dcnn_status dcnn_kind_fail(const char *path, dcnn_kind_id kind, const char *wanted);

#endif
