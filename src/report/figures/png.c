/* SPDX-License-Identifier: BSD-3-Clause */
/* png.c — see png.h; by libpng. */
#include "report/figures/png.h"

#include <stdlib.h>
#include <string.h>

#include <png.h>

/* Of 1 to 9: with 6, test_figures takes 4 s more of a processor, and files are a seventh smaller. */
enum { LEVEL = 3 };

typedef struct writing {
    dcnn_png_sink *sink;
    void *context;
    uint8_t *row; /* of RGB */
} writing;

/* libpng goes on after a warning and leaves by longjmp after an error. */
static void on_error(png_structp png, png_const_charp message) {
    (void)message;
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void take_bytes(png_structp png, png_bytep bytes, size_t count) {
    const writing *to = png_get_io_ptr(png);
    if (!to->sink(to->context, bytes, count)) png_error(png, "no room");
}

static void flush(png_structp png) {
    (void)png;
}

static bool write_rows(png_structp png, png_infop info, const writing *to, const uint8_t *pixels, size_t stride,
                       uint32_t width, uint32_t height) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, LEVEL);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_UP);
    png_write_info(png, info);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint32_t color;
            memcpy(&color, pixels + y * stride + sizeof color * x, sizeof color);
            for (int i = 0; i < 3; i++) to->row[3 * (size_t)x + (size_t)i] = (uint8_t)(color >> (16 - 8 * i));
        }
        png_write_row(png, to->row);
    }
    png_write_end(png, NULL);
    return true;
}

bool dcnn_png_write(const uint8_t *pixels, size_t stride, uint32_t width, uint32_t height, dcnn_png_sink *sink,
                    void *context) {
    writing to = {sink, context, malloc(3 * (size_t)width)};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool good = to.row != NULL && info != NULL;
    if (good) {
        png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* the canvas has its own */
        png_set_write_fn(png, &to, take_bytes, flush);
        good = write_rows(png, info, &to, pixels, stride, width, height);
    }
    png_destroy_write_struct(&png, &info);
    free(to.row);
    return good;
}
