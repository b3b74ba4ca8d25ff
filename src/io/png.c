/* SPDX-License-Identifier: BSD-3-Clause */
/* png.c — one image from a PNG file, by libpng's simplified interface. */
#include "io/png.h"
#include "io/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

bool dcnn_is_png(const char *path) {
    static const unsigned char magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    unsigned char bytes[8];
    FILE *file = dcnn_input_is_file(path) ? fopen(path, "rb") : NULL;
    if (file == NULL) return false;
    const bool is = fread(bytes, 1, sizeof bytes, file) == sizeof bytes && memcmp(bytes, magic, sizeof magic) == 0;
    fclose(file);
    return is;
}

dcnn_status dcnn_png_read(const char *path, int channels, dcnn_images *images) {
    static const png_uint_32 formats[5] = {0, PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB, PNG_FORMAT_RGBA};
    enum { MOST_SIDE = 32768, MOST_PIXELS = 1 << 26 };
    png_image png = {.version = PNG_IMAGE_VERSION};
    dcnn_status status = DCNN_OK;
    *images = (dcnn_images){0};
    if (channels < 1 || channels > 4)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a PNG has 1 to 4 channels, %d are wanted", path, channels);
    if (!png_image_begin_read_from_file(&png, path)) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot be read as a PNG: %s", path, png.message);
        goto done;
    }
    if (png.width > MOST_SIDE || png.height > MOST_SIDE || (size_t)png.width * png.height > MOST_PIXELS) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: %ux%u pixels; at most %d a side and %d in all are possible", path,
                           png.height, png.width, MOST_SIDE, MOST_PIXELS);
        goto done;
    }
    png.format = formats[channels];
    *images = (dcnn_images){.count = 1, .h = (int)png.height, .w = (int)png.width, .c = channels};
    images->pixels = calloc(PNG_IMAGE_SIZE(png), 1);
    if (images->pixels == NULL)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: an image of %ux%u", path, png.height, png.width);
    else if (!png_image_finish_read(&png, NULL, images->pixels, 0, NULL))
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: %s", path, png.message);
done:
    png_image_free(&png);
    if (status != DCNN_OK) dcnn_images_free(images);
    return status;
}
