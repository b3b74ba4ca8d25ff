/* SPDX-License-Identifier: BSD-3-Clause */
/** @file image_formats.h — the decoders behind image.h: whole files in memory to 8-bit images as they are. */
#ifndef DCNN_SOURCES_IMAGE_FORMATS_H
#define DCNN_SOURCES_IMAGE_FORMATS_H

#include "sources/images/image.h"

/** A decoder: `image` is zeroed before; what it holds after a failure is freed by the caller. Messages begin with
 * `name`. With `size_only` the header is read and no pixels are made. */
typedef dcnn_status dcnn_image_decoder(const char *name, const uint8_t *bytes, size_t length, bool size_only,
                                       dcnn_image *image);

dcnn_image_decoder dcnn_png_decode, dcnn_jpeg_decode, dcnn_bmp_decode, dcnn_pnm_decode, dcnn_webp_decode;

/** Checks a size and notes it. @return DCNN_OK, DCNN_BAD_INPUT (impossible) */
dcnn_status dcnn_image_shape(const char *name, int64_t h, int64_t w, int c, dcnn_image *image);

/** Checks a size and allocates the pixels, zeroed. @return DCNN_OK, DCNN_BAD_INPUT (impossible), DCNN_FAILURE */
dcnn_status dcnn_image_allocate(const char *name, int64_t h, int64_t w, int c, dcnn_image *image);

#endif
