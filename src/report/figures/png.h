/* SPDX-License-Identifier: BSD-3-Clause */
/** @file png.h — writing PNG files of drawings: large, of few colours. */
#ifndef DCNN_REPORT_PNG_H
#define DCNN_REPORT_PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Takes bytes of a file, one part behind the other. @return whether there was room for them */
typedef bool dcnn_png_sink(void *context, const uint8_t *bytes, size_t length);

/**
 * Writes an image as a PNG of 8-bit RGB. *Local.*
 *
 * Each row is written as its difference to the one above: of a drawing that is mostly zeros, so it takes a fraction of
 * the time of trying every way for each row, as libpng does by itself, and is hardly larger.
 * @param pixels  rows of 0xRRGGBB, `stride` bytes apart; 1 to 2^31 - 1 of them, and as many in each
 * @return false: `sink` had no room, or there was no memory
 */
bool dcnn_png_write(const uint8_t *pixels, size_t stride, uint32_t width, uint32_t height, dcnn_png_sink *sink,
                    void *context);

#endif
