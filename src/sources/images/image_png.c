/* SPDX-License-Identifier: BSD-3-Clause */
/* image_png.c — PNG of every kind by libpng: palettes, 1 to 16 bits, alpha, interlaced. Its simplified interface is
 * not used, for that one changes values by the file's gamma. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "sources/images/image_formats.h"

typedef struct reading {
    const char *name;
    const uint8_t *next, *end;
    dcnn_image *image;
    png_bytep *lines;
    bool size_only;
    dcnn_status status;
} reading;

/* libpng goes on after a warning and leaves by longjmp after an error. */
static void on_error(png_structp png, png_const_charp message) {
    reading *from = png_get_error_ptr(png);
    from->status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged PNG image: %s", from->name, message);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static void give_bytes(png_structp png, png_bytep to, size_t count) {
    reading *from = png_get_io_ptr(png);
    if ((size_t)(from->end - from->next) < count) png_error(png, "it ends too early");
    memcpy(to, from->next, count);
    from->next += count;
}

/* Everything becomes 8 bits of grey or RGB, with alpha where the file has any. */
static void ask_for_bytes(png_structp png, png_infop info) {
    if (png_get_bit_depth(png, info) == 16) png_set_scale_16(png);
    png_set_expand(png); /* palettes, fewer bits, a transparent colour */
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static dcnn_status read_lines(png_structp png, png_infop info, reading *from) {
    if (setjmp(png_jmpbuf(png))) return from->status;
    png_read_info(png, info);
    ask_for_bytes(png, info);
    const png_uint_32 h = png_get_image_height(png, info), w = png_get_image_width(png, info);
    if (from->size_only) return dcnn_image_shape(from->name, h, w, png_get_channels(png, info), from->image);
    DCNN_TRY(dcnn_image_allocate(from->name, h, w, png_get_channels(png, info), from->image));
    from->lines = calloc(h, sizeof *from->lines);
    if (!from->lines) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: an image of %ux%u", from->name, h, w);
    const size_t line = (size_t)w * (size_t)from->image->c;
    for (png_uint_32 i = 0; i < h; i++) from->lines[i] = from->image->pixels + i * line;
    png_read_image(png, from->lines);
    png_read_end(png, NULL);
    return DCNN_OK;
}

dcnn_status dcnn_png_decode(const char *name, const uint8_t *bytes, size_t length, bool size_only, dcnn_image *image) {
    reading from = {.name = name, .next = bytes, .end = bytes + length, .image = image, .size_only = size_only};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &from, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    dcnn_status status;
    if (info) {
        /* what has no part in the pixels: libpng takes memory for what such a chunk claims to hold */
        png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
        png_set_read_fn(png, &from, give_bytes);
        status = read_lines(png, info, &from);
    } else {
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for reading a PNG", name);
    }
    png_destroy_read_struct(&png, info ? &info : NULL, NULL);
    free(from.lines);
    return status;
}
