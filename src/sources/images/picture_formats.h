/* SPDX-License-Identifier: BSD-3-Clause */
/** @file picture_formats.h — the decoders behind picture.h: whole files in memory to 8-bit images as they are. */
#ifndef DCNN_SOURCES_PICTURE_FORMATS_H
#define DCNN_SOURCES_PICTURE_FORMATS_H

#include "sources/images/picture.h"

/** A decoder: `picture` is zeroed before; what it holds after a failure is freed by the caller. Messages begin with
 * `name`. With `size_only` the header is read and no pixels are made. */
typedef dcnn_status dcnn_picture_decoder(const char *name, const uint8_t *bytes, size_t length, bool size_only,
                                         dcnn_picture *picture);

dcnn_picture_decoder dcnn_png_decode, dcnn_jpeg_decode, dcnn_bmp_decode, dcnn_pnm_decode, dcnn_webp_decode;

/** Checks a size and notes it. @return DCNN_OK, DCNN_BAD_INPUT (impossible) */
dcnn_status dcnn_picture_shape(const char *name, int64_t h, int64_t w, int c, dcnn_picture *picture);

/** Checks a size and allocates the pixels, zeroed. @return DCNN_OK, DCNN_BAD_INPUT (impossible), DCNN_FAILURE */
dcnn_status dcnn_picture_allocate(const char *name, int64_t h, int64_t w, int c, dcnn_picture *picture);

#endif
