/* SPDX-License-Identifier: BSD-3-Clause */
/* image_plain.c — formats that are little more than a header: PBM, PGM, PPM (netpbm's P1 to P6) and BMP. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "sources/images/image_formats.h"

/* --- PBM, PGM, PPM ------------------------------------------------------------------------------------------------ */

typedef struct reading {
    const char *name;
    const uint8_t *next, *end;
} reading;

static dcnn_status fail_cut(const char *name, const char *format) {
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged %s image: it ends too early", name, format);
}

static void skip_blanks(reading *from) {
    while (from->next < from->end) {
        if (*from->next == '#')
            while (from->next < from->end && *from->next != '\n') from->next++;
        else if (!memchr(" \t\r\n\v\f", *from->next, 6))
            return;
        else
            from->next++;
    }
}

/* A number from `low` to `high`; -1: there is none. */
static int read_number(reading *from, int low, int high) {
    skip_blanks(from);
    int64_t value = -1;
    for (; from->next < from->end && *from->next >= '0' && *from->next <= '9' && value <= high; from->next++)
        value = 10 * (value < 0 ? 0 : value) + (*from->next - '0');
    return value >= low && value <= high ? (int)value : -1;
}

static dcnn_status read_numbers(reading *from, int most, dcnn_image *p) {
    const size_t count = (size_t)p->h * (size_t)p->w * (size_t)p->c;
    for (size_t i = 0; i < count; i++) {
        const int value = read_number(from, 0, most);
        if (value < 0)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged PGM or PPM image: value %zu of %zu is not a number to %d",
                             from->name, i + 1, count, most);
        p->pixels[i] = (uint8_t)((value * 255 + most / 2) / most);
    }
    return DCNN_OK;
}

static dcnn_status read_values(reading *from, int most, dcnn_image *p) {
    const size_t count = (size_t)p->h * (size_t)p->w * (size_t)p->c, each = most > 255 ? 2 : 1;
    if ((size_t)(from->end - from->next) < count * each) return fail_cut(from->name, "PGM or PPM");
    for (size_t i = 0; i < count; i++) {
        const int value = each == 1 ? from->next[i] : from->next[2 * i] << 8 | from->next[2 * i + 1];
        p->pixels[i] = (uint8_t)(((value < most ? value : most) * 255 + most / 2) / most);
    }
    return DCNN_OK;
}

/* Bits, from the highest of each byte on; 1 is black. P1 writes them as digits that nothing need keep apart. */
static dcnn_status read_bits(reading *from, bool as_text, dcnn_image *p) {
    const size_t line = ((size_t)p->w + 7) / 8;
    if (!as_text && (size_t)(from->end - from->next) < line * (size_t)p->h) return fail_cut(from->name, "PBM");
    for (int y = 0; y < p->h; y++)
        for (int x = 0; x < p->w; x++) {
            int bit;
            if (as_text) {
                skip_blanks(from);
                if (from->next == from->end) return fail_cut(from->name, "PBM");
                bit = *from->next++ == '1';
            } else {
                bit = from->next[(size_t)y * line + (size_t)x / 8] >> (7 - x % 8) & 1;
            }
            p->pixels[(size_t)y * (size_t)p->w + (size_t)x] = bit ? 0 : 255;
        }
    return DCNN_OK;
}

dcnn_status dcnn_pnm_decode(const char *name, const uint8_t *bytes, size_t length, bool size_only, dcnn_image *image) {
    reading from = {.name = name, .next = bytes + 2, .end = bytes + length};
    const char format = (char)bytes[1];
    const bool is_bits = format == '1' || format == '4', is_color = format == '3' || format == '6';
    const int w = read_number(&from, 1, INT_MAX), h = read_number(&from, 1, INT_MAX);
    const int most = is_bits ? 1 : read_number(&from, 1, 65535);
    if (w < 0 || h < 0 || most < 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged PGM or PPM image: its header has no size", name);
    if (size_only) return dcnn_image_shape(name, h, w, is_color ? 3 : 1, image);
    DCNN_TRY(dcnn_image_allocate(name, h, w, is_color ? 3 : 1, image));
    if (format >= '4' && from.next < from.end) from.next++; /* the one blank behind the header */
    if (is_bits) return read_bits(&from, format == '1', image);
    return format >= '4' ? read_values(&from, most, image) : read_numbers(&from, most, image);
}

/* --- BMP ---------------------------------------------------------------------------------------------------------- */

static uint32_t get16(const uint8_t *at) {
    return (uint32_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at) {
    return get16(at) | get16(at + 2) << 16;
}

typedef struct bitmap {
    const uint8_t *pixels, *palette;
    size_t stride;
    uint32_t masks[3];
    int bits, palette_bytes, colors;
} bitmap;

/* A value under a mask, brought to 8 bits. */
static uint8_t under_mask(uint32_t value, uint32_t mask) {
    if (mask == 0) return 0;
    const int shift = __builtin_ctz(mask);
    const uint64_t most = mask >> shift;
    return (uint8_t)(((uint64_t)((value & mask) >> shift) * 255 + most / 2) / most);
}

static void put_pixel(const bitmap *map, const uint8_t *line, int x, uint8_t rgb[3]) {
    uint32_t value;
    switch (map->bits) {
    case 24:
        for (int i = 0; i < 3; i++) rgb[i] = line[3 * x + 2 - i];
        return;
    case 16:
    case 32:
        value = map->bits == 16 ? get16(line + 2 * x) : get32(line + 4 * x);
        for (int i = 0; i < 3; i++) rgb[i] = under_mask(value, map->masks[i]);
        return;
    default:
        value = (uint32_t)(line[x * map->bits / 8] >> (8 - map->bits - x * map->bits % 8)) & ((1u << map->bits) - 1);
        for (int i = 0; i < 3; i++)
            rgb[i] = value < (uint32_t)map->colors
                         ? map->palette[value * (uint32_t)map->palette_bytes + 2 - (uint32_t)i]
                         : 0;
    }
}

/* Palettes of greys are how BMP says grey. */
static bool is_grey(const bitmap *map) {
    if (map->bits > 8) return false;
    for (int i = 0; i < map->colors; i++) {
        const uint8_t *bgr = map->palette + i * map->palette_bytes;
        if (bgr[0] != bgr[1] || bgr[0] != bgr[2]) return false;
    }
    return true;
}

/* Finds palette and pixels; the header's second length tells its kind (Microsoft, BITMAPCOREHEADER to V5HEADER). */
static dcnn_status read_header(const char *name, const uint8_t *bytes, size_t length, bitmap *map, int64_t *h,
                               int64_t *w) {
    if (length < 26) return fail_cut(name, "BMP");
    const uint32_t offset = get32(bytes + 10), header = get32(bytes + 14);
    const bool old = header == 12;
    if (!old && (header < 40 || header > 1024 || length < 54)) return fail_cut(name, "BMP");
    *w = old ? (int64_t)get16(bytes + 18) : (int64_t)(int32_t)get32(bytes + 18);
    *h = old ? (int64_t)get16(bytes + 20) : (int64_t)(int32_t)get32(bytes + 22);
    map->bits = (int)get16(bytes + (old ? 24 : 28));
    const uint32_t packing = old ? 0 : get32(bytes + 30);
    const bool bits_known =
        map->bits == 1 || map->bits == 4 || map->bits == 8 || map->bits == 16 || map->bits == 24 || map->bits == 32;
    if (!bits_known || (packing != 0 && !((packing == 3 || packing == 6) && map->bits >= 16)))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: a BMP image of %d bits, compression %u, which dcnn does not read; save it as PNG", name,
                         map->bits, packing);
    size_t palette = 14 + (size_t)header;
    const uint32_t fields[2][3] = {{0x7c00, 0x3e0, 0x1f}, {0xff0000, 0xff00, 0xff}};
    memcpy(map->masks, fields[map->bits == 32], sizeof map->masks);
    if (packing != 0) { /* the masks stand where a V4 header has them, or right behind a plain one */
        if (length < 66) return fail_cut(name, "BMP");
        for (int i = 0; i < 3; i++) map->masks[i] = get32(bytes + 54 + 4 * i);
    }
    map->palette_bytes = old ? 3 : 4;
    const uint32_t told = old ? 0 : get32(bytes + 46), all = map->bits <= 8 ? 1u << map->bits : 0;
    map->colors = (int)(told > 0 && told < all ? told : all);
    map->palette = bytes + palette;
    if (palette + (size_t)map->colors * (size_t)map->palette_bytes > length || offset > length)
        return fail_cut(name, "BMP");
    map->pixels = bytes + offset;
    map->stride = ((size_t)*w * (size_t)map->bits + 31) / 32 * 4;
    return DCNN_OK;
}

dcnn_status dcnn_bmp_decode(const char *name, const uint8_t *bytes, size_t length, bool size_only, dcnn_image *image) {
    bitmap map = {0};
    int64_t h = 0, w = 0;
    DCNN_TRY(read_header(name, bytes, length, &map, &h, &w));
    const bool from_top = h < 0; /* lines go upwards, unless the height is negative */
    if (size_only) return dcnn_image_shape(name, from_top ? -h : h, w, is_grey(&map) ? 1 : 3, image);
    DCNN_TRY(dcnn_image_allocate(name, from_top ? -h : h, w, is_grey(&map) ? 1 : 3, image));
    if (map.stride * (size_t)image->h > length - (size_t)(map.pixels - bytes)) return fail_cut(name, "BMP");
    for (int y = 0; y < image->h; y++) {
        const uint8_t *line = map.pixels + map.stride * (size_t)(from_top ? y : image->h - 1 - y);
        for (int x = 0; x < image->w; x++) {
            uint8_t rgb[3];
            put_pixel(&map, line, x, rgb);
            memcpy(image->pixels + ((size_t)y * (size_t)image->w + (size_t)x) * (size_t)image->c, rgb,
                   (size_t)image->c);
        }
    }
    return DCNN_OK;
}
