/* SPDX-License-Identifier: BSD-3-Clause */
/* image_jpeg.c — JPEG by libjpeg-turbo, always by its accurate integer transform, which is the same to the bit in its
 * SIMD and its C; CMYK as Adobe writes it; turned as EXIF says. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "sources/images/image_formats.h"

typedef struct reading {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf back;
    const char *name;
    dcnn_image *image;
    uint8_t *line; /* one of CMYK */
    bool size_only;
    dcnn_status status;
} reading;

static void leave(j_common_ptr jpeg) {
    reading *from = jpeg->client_data;
    char message[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, message);
    from->status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged JPEG image: %s", from->name, message);
    longjmp(from->back, 1);
}

/* libjpeg fills what is missing with grey and only warns. What follows an image, or fills a gap, does no harm. */
static void on_message(j_common_ptr jpeg, int level) {
    if (level >= 0) return;
    switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_ARITH_BAD_CODE:
        leave(jpeg);
        break;
    default:
        break;
    }
}

/* --- EXIF -------------------------------------------------------------------------------------------------------- */

static unsigned get16(const uint8_t *at, bool big) {
    return big ? (unsigned)at[0] << 8 | at[1] : (unsigned)at[1] << 8 | at[0];
}

static uint32_t get32(const uint8_t *at, bool big) {
    return big ? (uint32_t)get16(at, true) << 16 | get16(at + 2, true)
               : (uint32_t)get16(at + 2, false) << 16 | get16(at, false);
}

/* Tag 0x0112 of the first directory of "Exif\0\0" + TIFF (EXIF 2.3, 4.6.4): 1 upright, to 8; 1 where there is none. */
static int orientation_in(const uint8_t *data, size_t length) {
    if (length < 14 || memcmp(data, "Exif\0\0", 6) != 0) return 1;
    const uint8_t *tiff = data + 6;
    length -= 6;
    const bool big = tiff[0] == 'M';
    const size_t directory = get32(tiff + 4, big);
    if (directory > length - 2) return 1;
    const unsigned entries = get16(tiff + directory, big);
    for (unsigned i = 0; i < entries; i++) {
        const size_t at = directory + 2 + 12 * (size_t)i;
        if (at + 12 > length) return 1;
        if (get16(tiff + at, big) != 0x0112) continue;
        const unsigned value = get16(tiff + at + 8, big);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

static int orientation_of(j_decompress_ptr jpeg) {
    for (jpeg_saved_marker_ptr marker = jpeg->marker_list; marker; marker = marker->next)
        if (marker->marker == JPEG_APP0 + 1) return orientation_in(marker->data, marker->data_length);
    return 1;
}

/* Orientations 5 to 8 stand for images that lie on their side; 2, 4, 5, 7 are mirrored. */
static dcnn_status turn(const char *name, int orientation, dcnn_image *p) {
    if (orientation == 1) return DCNN_OK;
    const bool lies = orientation >= 5;
    dcnn_image made = {0};
    DCNN_TRY(dcnn_image_allocate(name, lies ? p->w : p->h, lies ? p->h : p->w, p->c, &made));
    const bool flip_y = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    const bool flip_x = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    for (int y = 0; y < made.h; y++)
        for (int x = 0; x < made.w; x++) {
            const int v = flip_y ? made.h - 1 - y : y, u = flip_x ? made.w - 1 - x : x;
            const size_t from = lies ? (size_t)u * (size_t)p->w + (size_t)v : (size_t)v * (size_t)p->w + (size_t)u;
            const size_t to = (size_t)y * (size_t)made.w + (size_t)x;
            memcpy(made.pixels + to * (size_t)p->c, p->pixels + from * (size_t)p->c, (size_t)p->c);
        }
    dcnn_image_free(p);
    *p = made;
    return DCNN_OK;
}

/* --- decoding ---------------------------------------------------------------------------------------------------- */

/* Adobe's CMYK is stored inverted, so that ink times black is light; others' is not. */
static void put_cmyk(const uint8_t *line, int w, bool inverted, uint8_t *to) {
    for (int x = 0; x < w; x++)
        for (int i = 0; i < 3; i++) {
            const unsigned ink = line[4 * x + i], black = line[4 * x + 3];
            const unsigned light = inverted ? ink * black : (255u - ink) * (255u - black);
            to[3 * x + i] = (uint8_t)((light + 127u) / 255u);
        }
}

static dcnn_status read_lines(reading *from) {
    struct jpeg_decompress_struct *jpeg = &from->jpeg;
    const bool cmyk = jpeg->out_color_space == JCS_CMYK;
    DCNN_TRY(dcnn_image_allocate(from->name, jpeg->output_height, jpeg->output_width,
                                 cmyk ? 3 : jpeg->output_components, from->image));
    const size_t width = (size_t)from->image->w * (size_t)from->image->c;
    if (cmyk && !(from->line = malloc(4 * (size_t)from->image->w)))
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for reading a JPEG", from->name);
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *line = from->image->pixels + jpeg->output_scanline * width, *into = cmyk ? from->line : line;
        jpeg_read_scanlines(jpeg, &into, 1);
        if (cmyk) put_cmyk(from->line, from->image->w, jpeg->saw_Adobe_marker, line);
    }
    return DCNN_OK;
}

static dcnn_status decode(reading *from, const uint8_t *bytes, size_t length) {
    struct jpeg_decompress_struct *jpeg = &from->jpeg;
    if (setjmp(from->back)) return from->status;
    jpeg_create_decompress(jpeg);
    jpeg_mem_src(jpeg, bytes, (unsigned long)length);
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(jpeg, TRUE);
    const int orientation = orientation_of(jpeg);
    if (from->size_only) {
        const bool lies = orientation >= 5;
        return dcnn_image_shape(from->name, lies ? jpeg->image_width : jpeg->image_height,
                                lies ? jpeg->image_height : jpeg->image_width, jpeg->num_components == 1 ? 1 : 3,
                                from->image);
    }
    if (jpeg->num_components == 4)
        jpeg->out_color_space = JCS_CMYK;
    else
        jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    jpeg->do_fancy_upsampling = TRUE;
    jpeg_start_decompress(jpeg);
    DCNN_TRY(read_lines(from));
    jpeg_finish_decompress(jpeg);
    return turn(from->name, orientation, from->image);
}

dcnn_status dcnn_jpeg_decode(const char *name, const uint8_t *bytes, size_t length, bool size_only, dcnn_image *image) {
    reading from = {.name = name, .image = image, .size_only = size_only};
    from.jpeg.err = jpeg_std_error(&from.errors);
    from.jpeg.client_data = &from;
    from.errors.error_exit = leave;
    from.errors.emit_message = on_message;
    const dcnn_status status = decode(&from, bytes, length);
    jpeg_destroy_decompress(&from.jpeg);
    free(from.line);
    return status;
}
