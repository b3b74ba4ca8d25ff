/* SPDX-License-Identifier: BSD-3-Clause */
/** @file png.h — one image from a PNG file. */
#ifndef DCNN_IO_PNG_H
#define DCNN_IO_PNG_H

#include "io/images.h"

/** Is the file a PNG by its first bytes? False for missing files. *Local.* */
bool dcnn_is_png(const char *path);

/**
 * Reads a PNG of any kind as one image without a label. *Local.* What is transparent becomes black where the channels
 * have no alpha; colours become grey by their luminance.
 * @param channels  1 grey, 2 grey and alpha, 3 red, green, blue, 4 those and alpha
 * @param images    out; free with dcnn_images_free()
 * @return DCNN_OK; DCNN_BAD_INPUT (missing, no PNG, damaged, another number of channels); DCNN_FAILURE
 */
dcnn_status dcnn_png_read(const char *path, int channels, dcnn_images *images);

#endif
