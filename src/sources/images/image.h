/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file image.h — one image out of a file of any usual format, as bytes.
 *
 * PNG, JPEG, BMP, PGM/PPM/PBM, and WebP where its library was there at the build; known by content, not by name. All of
 * it is integer arithmetic (JPEG by libjpeg-turbo's accurate integer method), so the same file gives the same bytes on
 * every machine. Colour profiles and PNG's gamma are left alone, as Pillow and OpenCV leave them.
 */
#ifndef DCNN_SOURCES_IMAGE_H
#define DCNN_SOURCES_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** An image: grey, grey and alpha, RGB, or RGB and alpha. */
typedef struct dcnn_image {
    int h, w, c;     /**< c: 1..4 */
    uint8_t *pixels; /**< [h,w,c]; owned */
} dcnn_image;

/* How an image is brought to a size that its own does not have: X(ID, --fit's word).
 * - crop     its middle, as large as the shape allows
 * - pad      all of it, the background beside it
 * - stretch  all of it, out of shape */
#define DCNN_FITS(X) X(CROP, "crop") X(PAD, "pad") X(STRETCH, "stretch")

#define DCNN_FIT_ID(id, word) DCNN_FIT_##id,
typedef enum dcnn_fit { DCNN_FITS(DCNN_FIT_ID) DCNN_FIT_COUNT } dcnn_fit;
#undef DCNN_FIT_ID

/** What an image shall be like. All zero: as the file has it, alpha flattened on black. */
typedef struct dcnn_image_options {
    int channels;          /**< 0: 1 or 3 as the file has it; 1 grey, 3 colour; 2 and 4: with alpha */
    int h, w;              /**< 0: its own size */
    dcnn_fit fit;          /**< if its size is another */
    uint8_t background[3]; /**< RGB: under what is transparent, and beside a padded image */
} dcnn_image_options;

/** What was noticed on the way; for a line to the user. */
typedef struct dcnn_image_notes {
    int h, w;            /**< its size in the file (turned as EXIF says) */
    bool had_alpha;      /**< and not all of it was opaque */
    bool blank_by_alpha; /**< one colour once its alpha was flattened, though it was not before */
} dcnn_image_notes;

/**
 * Reads one image. *Local*, may be called from several threads.
 * @param options  NULL: as the file has it
 * @param notes    out, may be NULL
 * @param image  out; free with dcnn_image_free()
 * @return DCNN_OK; DCNN_BAD_INPUT: no such file, no image (it says what it is), cut or damaged; DCNN_FAILURE: memory
 */
dcnn_status dcnn_image_read(const char *path, const dcnn_image_options *options, dcnn_image_notes *notes,
                            dcnn_image *image);

/** The same out of memory. @param name  what messages call it */
dcnn_status dcnn_image_decode(const char *name, const uint8_t *bytes, size_t length, const dcnn_image_options *options,
                              dcnn_image_notes *notes, dcnn_image *image);

/** Only its size, from its header (turned as EXIF says), and 1 or 3 channels, grey or colour. *Local.* */
dcnn_status dcnn_image_size(const char *path, int *h, int *w, int *c);

/** Brings an image to `wanted->channels` (1 to 4), as dcnn_image_read() does. *Local.* */
dcnn_status dcnn_image_channels(const char *name, dcnn_image *image, const dcnn_image_options *wanted);

/** Frees what an image holds and zeroes it. */
void dcnn_image_free(dcnn_image *image);

/**
 * Resizes: each axis by itself, by the mean over the area where it shrinks and linearly where it grows (pixel centres
 * at halves, edges repeated), in integers. *Local.*
 * @param from  the part of it that is taken: `h` x `w` pixels from (`top`, `left`) on
 * @param to    [to_h,to_w,c], its lines `stride` pixels apart
 * @return DCNN_OK, DCNN_FAILURE (memory)
 */
dcnn_status dcnn_image_scale(const dcnn_image *from, int top, int left, int h, int w, uint8_t *to, int to_h, int to_w,
                             int stride);

/** Brings an image to `h` x `w` as `fit` says; itself if it has that size. *Local.* */
dcnn_status dcnn_image_fit(dcnn_image *image, int h, int w, dcnn_fit fit, const uint8_t background[3]);

/** "crop", "pad", "stretch". @return DCNN_OK, DCNN_USAGE */
dcnn_status dcnn_fit_parse(const char *text, dcnn_fit *fit);

/** "black", "white", "gray", "#rrggbb". @return DCNN_OK, DCNN_USAGE */
dcnn_status dcnn_color_parse(const char *text, uint8_t color[3]);

#endif
