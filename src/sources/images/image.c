/* SPDX-License-Identifier: BSD-3-Clause */
/* image.c — which decoder an image needs, and what is made of its channels. */
#include "sources/images/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "io/file.h"
#include "io/kind.h"
#include "sources/images/image_formats.h"

enum { MOST_SIDE = 32768, MOST_BYTES = 1 << 28 /* a file of 260 KB can claim as much */ };

dcnn_status dcnn_image_shape(const char *name, int64_t h, int64_t w, int c, dcnn_image *image) {
    if (h < 1 || w < 1 || h > MOST_SIDE || w > MOST_SIDE || h * w * c > MOST_BYTES)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: an image of %lldx%lldx%d; at most %d pixels a side and %d million values in all are supported", name,
            (long long)h, (long long)w, c, MOST_SIDE, MOST_BYTES / 1000000);
    image->h = (int)h;
    image->w = (int)w;
    image->c = c;
    return DCNN_OK;
}

dcnn_status dcnn_image_allocate(const char *name, int64_t h, int64_t w, int c, dcnn_image *image) {
    DCNN_TRY(dcnn_image_shape(name, h, w, c, image));
    image->pixels = calloc((size_t)(h * w * c), 1);
    if (!image->pixels)
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: an image of %lldx%lld", name, (long long)h, (long long)w);
    return DCNN_OK;
}

void dcnn_image_free(dcnn_image *image) {
    free(image->pixels);
    *image = (dcnn_image){0};
}

/* --- channels ---------------------------------------------------------------------------------------------------- */

/* Luma of ITU-R BT.601 in 16 bits, as Pillow computes it. */
static uint8_t grey_of(const uint8_t *rgb) {
    return (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 0x8000u) >> 16);
}

static bool is_one_color(const dcnn_image *p, int channels) {
    const size_t count = (size_t)p->h * (size_t)p->w;
    for (size_t i = 1; i < count; i++)
        if (memcmp(p->pixels + i * (size_t)p->c, p->pixels, (size_t)channels) != 0) return false;
    return true;
}

static bool is_opaque(const dcnn_image *p) {
    const size_t count = (size_t)p->h * (size_t)p->w;
    for (size_t i = 0; i < count; i++)
        if (p->pixels[i * (size_t)p->c + (size_t)p->c - 1] != 255) return false;
    return true;
}

/* Puts an image with alpha on a background, in place. */
static void flatten(dcnn_image *p, const uint8_t background[3]) {
    const int colors = p->c - 1;
    const uint8_t grey = grey_of(background), *under = colors == 1 ? &grey : background;
    const size_t count = (size_t)p->h * (size_t)p->w;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *from = p->pixels + i * (size_t)p->c;
        const unsigned alpha = from[colors];
        uint8_t *to = p->pixels + i * (size_t)colors;
        for (int j = 0; j < colors; j++) to[j] = (uint8_t)((from[j] * alpha + under[j] * (255u - alpha) + 127u) / 255u);
    }
    p->c = colors;
}

static void flatten_noting(dcnn_image *p, const uint8_t background[3], dcnn_image_notes *notes) {
    const bool opaque = is_opaque(p), was_blank = is_one_color(p, p->c);
    flatten(p, background);
    notes->had_alpha = !opaque;
    notes->blank_by_alpha = !opaque && !was_blank && is_one_color(p, p->c);
}

/* Grey to colour or back, alpha kept, added as opaque, or absent as `channels` has it. */
static dcnn_status convert(const char *name, dcnn_image *p, int channels) {
    dcnn_image made = {0};
    DCNN_TRY(dcnn_image_allocate(name, p->h, p->w, channels, &made));
    const int from_colors = p->c >= 3 ? 3 : 1, to_colors = channels >= 3 ? 3 : 1;
    const size_t count = (size_t)p->h * (size_t)p->w;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *from = p->pixels + i * (size_t)p->c;
        uint8_t *to = made.pixels + i * (size_t)channels;
        if (to_colors == 1)
            to[0] = from_colors == 1 ? from[0] : grey_of(from);
        else
            for (int j = 0; j < 3; j++) to[j] = from[from_colors == 1 ? 0 : j];
        if (channels % 2 == 0) to[channels - 1] = p->c % 2 == 0 ? from[p->c - 1] : 255;
    }
    dcnn_image_free(p);
    *p = made;
    return DCNN_OK;
}

dcnn_status dcnn_image_channels(const char *name, dcnn_image *image, const dcnn_image_options *wanted) {
    dcnn_image_notes ignored = {0};
    const bool keeps_alpha = wanted->channels == 2 || wanted->channels == 4;
    if (image->c == wanted->channels) return DCNN_OK;
    if (image->c > 4 || wanted->channels > 4)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its %d channels cannot become %d", name, image->c, wanted->channels);
    if (image->c % 2 == 0 && !keeps_alpha) flatten_noting(image, wanted->background, &ignored);
    return image->c == wanted->channels ? DCNN_OK : convert(name, image, wanted->channels);
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

/* What this build reads, by kind. */
static dcnn_image_decoder *decoder_of(dcnn_kind_id kind) {
    switch (kind) {
    case DCNN_KIND_PNG:
        return dcnn_png_decode;
    case DCNN_KIND_JPEG:
        return dcnn_jpeg_decode;
    case DCNN_KIND_BMP:
        return dcnn_bmp_decode;
    case DCNN_KIND_PNM:
        return dcnn_pnm_decode;
    case DCNN_KIND_WEBP:
        return dcnn_webp_decode;
    default:
        return NULL;
    }
}

static dcnn_status decode(const char *name, const uint8_t *bytes, size_t length, bool size_only, dcnn_image *image) {
    dcnn_image_decoder *decoder = decoder_of(dcnn_kind_of_bytes(bytes, length));
    if (decoder) return decoder(name, bytes, length, size_only, image);
    return dcnn_kind_fail(name, dcnn_kind_of_bytes(bytes, length), "an image (PNG, JPEG, BMP, PGM, PPM, WebP)");
}

dcnn_status dcnn_image_decode(const char *name, const uint8_t *bytes, size_t length, const dcnn_image_options *options,
                              dcnn_image_notes *notes, dcnn_image *image) {
    static const dcnn_image_options none;
    dcnn_image_notes ignored;
    if (!options) options = &none;
    if (!notes) notes = &ignored;
    *image = (dcnn_image){0};
    *notes = (dcnn_image_notes){0};
    dcnn_status status;
    if (options->channels < 0 || options->channels > 4)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: an image has 1 to 4 channels, not %d", name, options->channels);
    DCNN_TRY_DONE(decode(name, bytes, length, false, image));
    notes->h = image->h;
    notes->w = image->w;
    const bool keeps_alpha = options->channels == 2 || options->channels == 4;
    if (image->c % 2 == 0 && !keeps_alpha) flatten_noting(image, options->background, notes);
    if (options->channels != 0 && image->c != options->channels) DCNN_TRY_DONE(convert(name, image, options->channels));
    if (options->h > 0 && options->w > 0)
        DCNN_TRY_DONE(dcnn_image_fit(image, options->h, options->w, options->fit, options->background));
done:
    if (status != DCNN_OK) dcnn_image_free(image);
    return status;
}

dcnn_status dcnn_image_read(const char *path, const dcnn_image_options *options, dcnn_image_notes *notes,
                            dcnn_image *image) {
    uint8_t *bytes;
    size_t length;
    *image = (dcnn_image){0};
    DCNN_TRY(dcnn_file_read(path, &bytes, &length));
    const dcnn_status status = dcnn_image_decode(path, bytes, length, options, notes, image);
    free(bytes);
    return status;
}

/* The first bytes of a file; more of it only where they do not reach. */
static dcnn_status read_size(const char *path, size_t most, dcnn_image *image) {
    FILE *file = fopen(path, "rb");
    if (!file) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot open: %s", path, strerror(errno));
    uint8_t *bytes = malloc(most);
    const size_t got = bytes ? fread(bytes, 1, most, file) : 0;
    dcnn_status status;
    if (!bytes)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    else if (got == 0)
        status = ferror(file) ? DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot read: %s", path, strerror(errno))
                              : DCNN_FAIL(DCNN_BAD_INPUT, "%s: the file is empty", path);
    else
        status = decode(path, bytes, got, true, image);
    fclose(file);
    free(bytes);
    return status;
}

dcnn_status dcnn_image_size(const char *path, int *h, int *w, int *c) {
    enum { FIRST_BYTES = 1 << 16, ALL_BYTES = 1 << 26 };
    dcnn_image image = {0};
    if (read_size(path, FIRST_BYTES, &image) != DCNN_OK) DCNN_TRY(read_size(path, ALL_BYTES, &image));
    *h = image.h;
    *w = image.w;
    *c = image.c >= 3 ? 3 : 1;
    return DCNN_OK;
}

/* --- words -------------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_fit_parse(const char *text, dcnn_fit *fit) {
#define WORD(id, word) word,
    static const char *const words[DCNN_FIT_COUNT] = {DCNN_FITS(WORD)};
    *fit = (dcnn_fit)dcnn_word_find(words, DCNN_FIT_COUNT, text);
    if (*fit < DCNN_FIT_COUNT) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE, "'%.40s' is not a way to fit an image: crop, pad or stretch", text);
}

dcnn_status dcnn_color_parse(const char *text, uint8_t color[3]) {
    static const struct {
        const char *name;
        uint8_t value;
    } greys[] = {{"black", 0}, {"gray", 128}, {"grey", 128}, {"white", 255}};
    for (size_t i = 0; i < sizeof greys / sizeof *greys; i++)
        if (strcmp(text, greys[i].name) == 0) {
            memset(color, greys[i].value, 3);
            return DCNN_OK;
        }
    const char *digits = text + (*text == '#');
    char *end;
    const unsigned long value = strtoul(digits, &end, 16);
    if (strlen(digits) != 6 || *end != '\0' || strspn(digits, "0123456789abcdefABCDEF") != 6)
        return DCNN_FAIL(DCNN_USAGE, "'%.40s' is not a colour: black, white, gray, or #rrggbb", text);
    for (int i = 0; i < 3; i++) color[i] = (uint8_t)(value >> (16 - 8 * i) & 255);
    return DCNN_OK;
}
