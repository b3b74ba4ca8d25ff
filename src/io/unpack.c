/* SPDX-License-Identifier: BSD-3-Clause */
/* unpack.c — reading a whole file, gzipped or not. zlib's gzread lets garbage behind the packed data pass and tells a
 * cut file only when it is closed, so the file is read first and inflated strictly. */
#include "io/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "io/input.h"

enum { FIRST_BYTES = 1 << 16, USUAL_PACKING = 16 };

dcnn_status dcnn_file_check_unpacked(const char *path, uint64_t packed, uint64_t unpacked) {
    enum { MOST_RATIO = 100 };
    static const uint64_t free_bytes = (uint64_t)256 << 20;
    if (unpacked <= free_bytes || unpacked / MOST_RATIO <= packed) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: its %llu bytes unpack to %.0f MiB or more, which is out of proportion; if that is right, "
                     "unpack it first",
                     path, (unsigned long long)packed, (double)unpacked / (1 << 20));
}

typedef struct buffer {
    uint8_t *bytes;
    size_t length, capacity;
} buffer;

/* Room for `capacity` bytes and a NUL. */
static dcnn_status resize(buffer *into, size_t capacity, const char *path) {
    uint8_t *bytes = capacity < SIZE_MAX ? realloc(into->bytes, capacity + 1) : NULL;
    if (!bytes) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %zu bytes", path, capacity);
    into->bytes = bytes;
    into->capacity = capacity;
    return DCNN_OK;
}

static dcnn_status grow(buffer *into, const char *path) {
    size_t half = into->capacity / 2 > FIRST_BYTES ? into->capacity / 2 : FIRST_BYTES;
    return resize(into, into->capacity < SIZE_MAX - half ? into->capacity + half : SIZE_MAX, path);
}

/* All of a file as it is on disk; pipes are read to their end. */
static dcnn_status read_packed(const char *path, buffer *into) {
    int descriptor;
    int64_t size;
    DCNN_TRY(dcnn_input_open(path, true, &descriptor, &size));
    /* one byte more than the file has, so that its end is seen without growing */
    dcnn_status status = resize(into, size > 0 ? (size_t)size + 1 : FIRST_BYTES, path);
    while (status == DCNN_OK) {
        if (into->length == into->capacity && (status = grow(into, path)) != DCNN_OK) break;
        ssize_t got = read(descriptor, into->bytes + into->length, into->capacity - into->length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) status = dcnn_input_fail(path, "read");
        if (got <= 0) break;
        into->length += (size_t)got;
    }
    close(descriptor);
    if (status == DCNN_OK && into->length == 0) status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: the file is empty", path);
    return status;
}

/* A gzip file's last four bytes tell its last member's unpacked length modulo 2^32: only a hint, they may be wrong. So
 * no more than a usual ratio is believed; what is larger grows. */
static size_t guess_unpacked(const buffer *packed) {
    if (packed->length < 4) return FIRST_BYTES;
    const uint8_t *end = packed->bytes + packed->length;
    size_t told = (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
    size_t most = packed->length < SIZE_MAX / USUAL_PACKING ? packed->length * USUAL_PACKING : SIZE_MAX;
    return (told < most ? told : most) + 1;
}

static bool is_gzip(const uint8_t *bytes, size_t length) {
    return length >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/* Zero bytes up to the end, which tapes and block devices leave behind, and gzip passes over; 0 if others follow. */
static size_t zeros_from(const buffer *packed, size_t used) {
    size_t end = used;
    while (end < packed->length && packed->bytes[end] == 0) end++;
    return end == packed->length ? end - used : 0;
}

/* Inflates one member after another until the input ends exactly with one, but for zeros. */
static dcnn_status inflate_members(z_stream *stream, const buffer *packed, buffer *into, const char *path) {
    size_t used = 0;
    for (;;) {
        size_t left = packed->length - used, room = into->capacity - into->length;
        stream->next_in = packed->bytes + used;
        stream->avail_in = left < UINT_MAX ? (uInt)left : UINT_MAX;
        stream->next_out = into->bytes + into->length;
        stream->avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
        int result = inflate(stream, Z_NO_FLUSH);
        used = (size_t)(stream->next_in - packed->bytes);
        into->length = (size_t)(stream->next_out - into->bytes);
        if (result == Z_STREAM_END) {
            used += zeros_from(packed, used);
            if (used == packed->length) return dcnn_file_check_unpacked(path, packed->length, into->length);
            if (!is_gzip(packed->bytes + used, packed->length - used))
                return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged gzip: %zu extra bytes at its end", path,
                                 packed->length - used);
            inflateReset(stream);
        } else if (result == Z_MEM_ERROR) {
            return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory while unpacking", path);
        } else if (result != Z_OK && result != Z_BUF_ERROR) {
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged gzip: %s; use another copy", path,
                             stream->msg ? stream->msg : "bad data");
        } else if (into->length == into->capacity) {
            DCNN_TRY(dcnn_file_check_unpacked(path, packed->length, into->length));
            DCNN_TRY(grow(into, path));
        } else if (used == packed->length) {
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged gzip: it ends too early; use another copy", path);
        }
    }
}

static dcnn_status unpack(const buffer *packed, buffer *into, const char *path) {
    DCNN_TRY(resize(into, guess_unpacked(packed), path));
    z_stream stream = {0};
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory while unpacking", path);
    dcnn_status status = inflate_members(&stream, packed, into, path);
    inflateEnd(&stream);
    if (status == DCNN_OK && into->length == 0)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: the file is empty once unpacked", path);
    return status;
}

dcnn_status dcnn_file_read(const char *path, uint8_t **bytes, size_t *length) {
    buffer packed = {0}, unpacked = {0};
    *bytes = NULL;
    *length = 0;
    dcnn_status status;
    DCNN_TRY_DONE(read_packed(path, &packed));
    if (is_gzip(packed.bytes, packed.length)) {
        DCNN_TRY_DONE(unpack(&packed, &unpacked, path));
    } else {
        unpacked = packed;
        packed.bytes = NULL;
    }
    unpacked.bytes[unpacked.length] = 0;
    *bytes = unpacked.bytes;
    *length = unpacked.length;
    unpacked.bytes = NULL;
done:
    free(packed.bytes);
    free(unpacked.bytes);
    return status;
}
