/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hdf5_packed.c — what packed chunks unpack to is counted before HDF5 unpacks them.
 *
 * libhdf5 (1.10.8) takes whatever a chunk's filters leave for a whole chunk: if it is less, it reads past its end. So
 * each chunk of a packed data set is looked at before a value of it is read, once while its file is open.
 */
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "io/hdf5/hdf5.h"
#include "io/hdf5/hdf5_reader.h"

enum { SCRATCH_BYTES = 1 << 16, MOST_REMEMBERED = 1 << 24 };

/* A packed data set whose chunks are looked at. */
typedef struct packed {
    hid_t data;
    H5Z_filter_t filters[DCNN_H5_MAX_FILTERS];
    int filter_count;
    dcnn_h5_grid grid;
    uint64_t chunk_bytes;
    uint8_t *bytes; /* of one chunk as it is stored */
    uint64_t room;
} packed;

/* Which chunks of one data set were found whole. */
struct dcnn_h5_seen {
    dcnn_h5_seen *next;
    haddr_t object;
    hsize_t count;
    uint8_t whole[]; /* a bit each */
};

void dcnn_h5_seen_free(dcnn_h5_seen *seen) {
    for (dcnn_h5_seen *next; seen; seen = next) {
        next = seen->next;
        free(seen);
    }
}

/* Of a data set of that file. @return NULL: too many chunks, or no memory; then each is looked at each time */
static uint8_t *find_seen(hid_t data, hsize_t count) {
    H5O_info_t about;
    dcnn_h5_seen **list = dcnn_h5_reader_seen(data);
    if (!list || count > MOST_REMEMBERED || H5Oget_info1(data, &about) < 0) return NULL;
    for (dcnn_h5_seen *seen = *list; seen; seen = seen->next)
        if (seen->object == about.addr) return seen->count == count ? seen->whole : NULL;
    dcnn_h5_seen *seen = calloc(1, sizeof *seen + (size_t)(count / 8 + 1));
    if (!seen) return NULL;
    seen->next = *list;
    seen->object = about.addr;
    seen->count = count;
    *list = seen;
    return seen->whole;
}

/* --- the grid of chunks ------------------------------------------------------------------------------------------ */

bool dcnn_h5_grid_find(hid_t data, hid_t creation, dcnn_h5_grid *grid) {
    hid_t space = H5Dget_space(data);
    *grid = (dcnn_h5_grid){.row_chunks = 1};
    grid->rank = H5Sget_simple_extent_dims(space, grid->sizes, NULL);
    if (space >= 0) H5Sclose(space);
    if (grid->rank < 1 || H5Pget_layout(creation) != H5D_CHUNKED ||
        H5Pget_chunk(creation, H5S_MAX_RANK, grid->chunk) != grid->rank)
        return false;
    for (int i = 0; i < grid->rank; i++) {
        if (grid->chunk[i] == 0) return false;
        grid->counts[i] = grid->sizes[i] / grid->chunk[i] + (grid->sizes[i] % grid->chunk[i] != 0);
        if (i > 0 && __builtin_mul_overflow(grid->row_chunks, grid->counts[i], &grid->row_chunks)) return false;
    }
    return !__builtin_mul_overflow(grid->row_chunks, grid->counts[0], &grid->chunks);
}

void dcnn_h5_grid_at(const dcnn_h5_grid *grid, hsize_t number, hsize_t *at) {
    for (int i = grid->rank - 1; i >= 0; number /= grid->counts[i--]) at[i] = number % grid->counts[i] * grid->chunk[i];
}

/* --- one chunk --------------------------------------------------------------------------------------------------- */

/* @return bytes that it unpacks to, counted up to one more than `most`; UINT64_MAX: it cannot be unpacked */
static uint64_t inflated_bytes(const uint8_t *from, uint64_t length, uint64_t most) {
    static uint8_t scratch[SCRATCH_BYTES]; /* HDF5 is for one thread at a time, and so is this */
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)from};
    uint64_t bytes = 0;
    int result = inflateInit(&stream) == Z_OK ? Z_OK : Z_MEM_ERROR;
    while (result == Z_OK && bytes <= most) {
        if (stream.avail_in == 0) {
            stream.avail_in = (uInt)(length < SCRATCH_BYTES ? length : SCRATCH_BYTES);
            length -= stream.avail_in;
        }
        stream.next_out = scratch;
        stream.avail_out = SCRATCH_BYTES;
        result = inflate(&stream, Z_NO_FLUSH);
        bytes += SCRATCH_BYTES - stream.avail_out;
    }
    inflateEnd(&stream);
    return result == Z_STREAM_END || (result == Z_OK && bytes > most) ? bytes : UINT64_MAX;
}

static dcnn_status fail(const packed *p, hid_t where, const char *name, const char *what) {
    H5Eclear2(H5E_DEFAULT);
    return dcnn_h5_fail(DCNN_BAD_INPUT, where, "data set", name,
                        "is damaged: a packed chunk %s (chunks of %llu bytes); use another copy", what,
                        (unsigned long long)p->chunk_bytes);
}

static dcnn_status check_chunk(packed *p, hid_t where, const char *name, const hsize_t *at) {
    hsize_t stored = 0;
    unsigned skipped;
    haddr_t address = 0;
    /* the second walks through all chunks, but knows those that were never written from those that cannot be found */
    if (H5Dget_chunk_storage_size(p->data, at, &stored) < 0 &&
        H5Dget_chunk_info_by_coord(p->data, at, &skipped, &address, &stored) < 0)
        return fail(p, where, name, "cannot be found");
    if (address == HADDR_UNDEF || stored == 0) return DCNN_OK; /* HDF5 fills it */
    /* deflate adds at most 5 bytes to each 16 KiB, and 11 */
    if (stored > p->chunk_bytes + p->chunk_bytes / 1024 + 1024) return fail(p, where, name, "is too long");
    if (stored > p->room) {
        uint8_t *bytes = realloc(p->bytes, (size_t)stored);
        if (!bytes) return DCNN_FAIL(DCNN_FAILURE, "data set '%s': out of memory for a chunk", name);
        p->bytes = bytes;
        p->room = stored;
    }
    uint32_t mask;
    if (!dcnn_h5_read_chunk(p->data, at, &mask, p->bytes))
        return fail(p, where, name, "cannot be read: it is damaged; use another copy");
    uint64_t left = stored;
    for (int i = p->filter_count - 1; i >= 0; i--) {
        if (mask >> i & 1) continue;
        if (p->filters[i] == H5Z_FILTER_FLETCHER32) {
            if (left < 4) return fail(p, where, name, "has no checksum");
            left -= 4;
        } else if (p->filters[i] == H5Z_FILTER_DEFLATE) {
            left = inflated_bytes(p->bytes, left, p->chunk_bytes + 4 * DCNN_H5_MAX_FILTERS);
            if (left == UINT64_MAX) return fail(p, where, name, "cannot be unpacked");
        }
    }
    return left == p->chunk_bytes ? DCNN_OK : fail(p, where, name, "unpacks to another size");
}

/* --- a data set -------------------------------------------------------------------------------------------------- */

/* @return DCNN_BAD_INPUT: packed in a way that is not looked through */
static dcnn_status find_filters(packed *p, hid_t creation, hid_t where, const char *name) {
    int deflated = 0;
    for (int i = 0; i < p->filter_count; i++) {
        char filter[80] = "";
        unsigned flags;
        size_t values = 0;
        const H5Z_filter_t id = i < DCNN_H5_MAX_FILTERS ? H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL,
                                                                         sizeof filter, filter, NULL)
                                                        : H5Z_FILTER_ERROR;
        deflated += id == H5Z_FILTER_DEFLATE;
        if ((id == H5Z_FILTER_DEFLATE && deflated == 1) || id == H5Z_FILTER_SHUFFLE || id == H5Z_FILTER_FLETCHER32) {
            p->filters[i] = id;
            continue;
        }
        if (!filter[0]) snprintf(filter, sizeof filter, "number %d", (int)id);
        H5Eclear2(H5E_DEFAULT);
        return dcnn_h5_fail(DCNN_BAD_INPUT, where, "data set", name,
                            "is compressed by the filter '%s'%s; in Python, write it with compression='gzip' or none",
                            filter, deflated > 1 ? " more than once" : ", which dcnn does not read");
    }
    return DCNN_OK;
}

/* All chunks that hold some of the rows [first, first + rows). */
static dcnn_status check_rows(packed *p, hid_t where, const char *name, hsize_t first, hsize_t rows) {
    const dcnn_h5_grid *grid = &p->grid;
    uint8_t *seen = find_seen(p->data, grid->chunks);
    const hsize_t each = grid->row_chunks, begin = first / grid->chunk[0] * each,
                  end = ((first + rows - 1) / grid->chunk[0] + 1) * each;
    for (hsize_t i = begin; i < end; i++) {
        hsize_t at[H5S_MAX_RANK];
        if (seen && (seen[i / 8] >> i % 8 & 1)) continue;
        dcnn_h5_grid_at(grid, i, at);
        DCNN_TRY(check_chunk(p, where, name, at));
        if (seen) seen[i / 8] |= (uint8_t)(1u << i % 8);
    }
    return DCNN_OK;
}

static dcnn_status check_packed(packed *p, hid_t creation, hid_t where, const char *name, hsize_t first, hsize_t rows) {
    hid_t type = H5Dget_type(p->data);
    p->chunk_bytes = type >= 0 ? H5Tget_size(type) : 0;
    if (type >= 0) H5Tclose(type);
    if (p->chunk_bytes == 0 || !dcnn_h5_grid_find(p->data, creation, &p->grid))
        return fail(p, where, name, "has no shape, or is one of too many");
    for (int i = 0; i < p->grid.rank; i++)
        if (__builtin_mul_overflow(p->chunk_bytes, p->grid.chunk[i], &p->chunk_bytes) || p->chunk_bytes > UINT32_MAX)
            return fail(p, where, name, "has no shape");
    if (first > p->grid.sizes[0]) first = p->grid.sizes[0];
    if (rows > p->grid.sizes[0] - first) rows = p->grid.sizes[0] - first;
    return rows == 0 || p->grid.chunks == 0 ? DCNN_OK : check_rows(p, where, name, first, rows);
}

dcnn_status dcnn_h5_check_packed(hid_t where, const char *name, hid_t data, hsize_t first, hsize_t rows) {
    hid_t creation = H5Dget_create_plist(data);
    packed p = {.data = data};
    dcnn_status status = DCNN_OK;
    if (creation < 0)
        return dcnn_h5_fail(DCNN_BAD_INPUT, where, "data set", name, "cannot be read: it is damaged; use another copy");
    if (H5Pget_layout(creation) == H5D_CHUNKED) p.filter_count = H5Pget_nfilters(creation);
    if (p.filter_count > 0) status = find_filters(&p, creation, where, name);
    if (p.filter_count > 0 && status == DCNN_OK) status = check_packed(&p, creation, where, name, first, rows);
    H5Pclose(creation);
    free(p.bytes);
    return status;
}
