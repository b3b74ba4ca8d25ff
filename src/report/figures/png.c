/* SPDX-License-Identifier: BSD-3-Clause */
/* png.c — see png.h. PNG (Portable Network Graphics) Specification, W3C, sections 5 (chunks), 9 (filters). */
#include "report/figures/png.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

/* Level 3 takes a third of the time of 6, and a seventh more bytes. */
enum { PART = 1 << 16, FILTER_UP = 2, LEVEL = 3 };

typedef struct png {
    dcnn_png_sink *sink;
    void *context;
    z_stream packer;
    uint8_t part[PART]; /* packed bytes, which become a chunk */
} png;

static void put_number(uint8_t bytes[4], uint32_t value) {
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Length, name, content, checksum of name and content. */
static bool put_chunk(const png *to, const char name[4], const uint8_t *bytes, uint32_t length) {
    uint8_t head[8], sum[4];
    put_number(head, length);
    memcpy(head + 4, name, 4);
    uLong checksum = crc32(0, head + 4, 4);
    if (length > 0) checksum = crc32(checksum, bytes, length);
    put_number(sum, (uint32_t)checksum);
    return to->sink(to->context, head, 8) && (length == 0 || to->sink(to->context, bytes, length)) &&
           to->sink(to->context, sum, 4);
}

/* Packs some bytes, with Z_FINISH all that is left, and writes what has become full. */
static bool pack(png *to, uint8_t *bytes, size_t length, int flush) {
    to->packer.next_in = bytes;
    to->packer.avail_in = (uInt)length;
    for (int result = Z_OK; result != Z_STREAM_END;) {
        result = deflate(&to->packer, flush);
        if (result == Z_STREAM_ERROR) return false;
        const uint32_t packed = PART - to->packer.avail_out;
        if (to->packer.avail_out > 0 && result != Z_STREAM_END) return true; /* all was taken */
        if (packed > 0 && !put_chunk(to, "IDAT", to->part, packed)) return false;
        to->packer.next_out = to->part;
        to->packer.avail_out = PART;
    }
    return true;
}

/* A row of RGB behind the number of its filter: the difference to the row above. */
static void filter_row(uint8_t *row, const uint8_t *pixels, const uint8_t *above, uint32_t width) {
    *row++ = FILTER_UP;
    for (uint32_t x = 0; x < width; x++) {
        uint32_t color, before = 0;
        memcpy(&color, pixels + sizeof color * x, sizeof color);
        if (above) memcpy(&before, above + sizeof before * x, sizeof before);
        for (int shift = 16; shift >= 0; shift -= 8) *row++ = (uint8_t)((color >> shift) - (before >> shift));
    }
}

bool dcnn_png_write(const uint8_t *pixels, size_t stride, uint32_t width, uint32_t height, dcnn_png_sink *sink,
                    void *context) {
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const size_t row_bytes = 1 + 3 * (size_t)width;
    uint8_t head[13] = {[8] = 8, [9] = 2}; /* 8 bits of each of 3 colours */
    png *to = calloc(1, sizeof *to);
    uint8_t *row = malloc(row_bytes);
    bool good = to && row && deflateInit(&to->packer, LEVEL) == Z_OK;
    const bool packs = good;
    if (good) {
        to->sink = sink;
        to->context = context;
        to->packer.next_out = to->part;
        to->packer.avail_out = PART;
        put_number(head, width);
        put_number(head + 4, height);
        good = sink(context, signature, sizeof signature) && put_chunk(to, "IHDR", head, sizeof head);
    }
    for (uint32_t y = 0; y < height && good; y++) {
        filter_row(row, pixels + y * stride, y > 0 ? pixels + (y - 1) * stride : NULL, width);
        good = pack(to, row, row_bytes, Z_NO_FLUSH);
    }
    good = good && pack(to, NULL, 0, Z_FINISH) && put_chunk(to, "IEND", NULL, 0);
    if (packs) deflateEnd(&to->packer);
    free(row);
    free(to);
    return good;
}
