/* SPDX-License-Identifier: BSD-3-Clause */
/* pixels.c — see pixels.h. */
#include "io/input.h"
#include "io/dataset/pixels.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>
#include <zlib.h>

#include "io/hdf5/hdf5.h"
#include "io/mapped.h"

/* An unpacked chunk. */
typedef struct slot {
    int64_t chunk; /* -1: none */
    uint64_t used; /* when last */
    uint8_t *bytes;
} slot;

struct dcnn_pixels {
    const dcnn_dataset *dataset;
    size_t row_bytes;
    int descriptor;
    struct stat written; /* its size and when it was last written, as it was opened */
    hid_t file;          /* open while HDF5 alone can read it */
    dcnn_h5_layout layout;
    atomic_uchar *marks, *own_marks; /* [blocks] of checksums; NULL: there are none */
    /* of packed chunks */
    pthread_mutex_t lock;
    int slot_count;
    slot *slots;
    uint64_t uses;
    uint8_t *packed, *spare; /* [most_packed] each: as read, and between two filters */
    size_t most_packed;
};

static int64_t block_count(const dcnn_dataset *d) {
    return d->checksums ? (d->count - 1) / d->block_rows + 1 : 0; /* the rows of a block are any number */
}

static size_t chunk_bytes(const dcnn_pixels *p) {
    return (size_t)p->layout.chunk_rows * p->row_bytes;
}

static dcnn_status read_at(const dcnn_pixels *p, uint8_t *out, size_t length, uint64_t offset) {
    size_t got;
    errno = dcnn_input_read(p->descriptor, out, length, offset, &got);
    if (errno != 0) return dcnn_input_fail(p->dataset->path, "read");
    if (got == length) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: became shorter while it was being read; start again", p->dataset->path);
}

/* --- packed chunks ---------------------------------------------------------------------------------------------- */

static dcnn_status fail_chunk(const dcnn_pixels *p, int64_t chunk, const char *what) {
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: the images from %lld on %s; use another copy", p->dataset->path,
                     (long long)(chunk * p->layout.chunk_rows), what);
}

/* As the HDF5 library sums up: 16-bit words, big-endian, modulo 65535. */
static uint32_t fletcher32(const uint8_t *bytes, size_t length) {
    uint32_t sum = 0, sums = 0;
    for (size_t words = length / 2; words > 0;) {
        size_t some = words < 360 ? words : 360; /* before the sums overflow */
        words -= some;
        for (; some > 0; some--, bytes += 2) {
            sum += (uint32_t)bytes[0] << 8 | bytes[1];
            sums += sum;
        }
        sum = (sum & 0xffff) + (sum >> 16);
        sums = (sums & 0xffff) + (sums >> 16);
    }
    if (length % 2) {
        sum += (uint32_t)bytes[0] << 8;
        sums += sum;
        sum = (sum & 0xffff) + (sum >> 16);
        sums = (sums & 0xffff) + (sums >> 16);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sums = (sums & 0xffff) + (sums >> 16);
    return sums << 16 | sum;
}

static bool check_fletcher32(const uint8_t *bytes, size_t *length) {
    if (*length < 4) return false;
    *length -= 4;
    const uint8_t *kept = bytes + *length;
    const uint32_t sum = (uint32_t)kept[0] | (uint32_t)kept[1] << 8 | (uint32_t)kept[2] << 16 | (uint32_t)kept[3] << 24;
    return sum == fletcher32(bytes, *length);
}

/* Undoes the filters, last one first. The result lies in `packed` or `spare`, or in `out`. */
static dcnn_status unpack(dcnn_pixels *p, int64_t number, uint8_t *out) {
    const dcnn_h5_chunk *chunk = &p->layout.chunks[number];
    uint8_t *from = p->packed, *to = p->spare;
    size_t length = (size_t)chunk->bytes;
    DCNN_TRY(read_at(p, from, length, chunk->offset));
    for (int i = p->layout.filter_count - 1; i >= 0; i--) {
        if (chunk->skipped_filters >> i & 1) continue;
        if (p->layout.filters[i] == H5Z_FILTER_FLETCHER32 && !check_fletcher32(from, &length))
            return fail_chunk(p, number, "do not match their checksum");
        if (p->layout.filters[i] != H5Z_FILTER_DEFLATE) continue;
        uLongf unpacked = p->most_packed;
        if (uncompress(to, &unpacked, from, length) != Z_OK) return fail_chunk(p, number, "cannot be decompressed");
        uint8_t *other = from;
        from = to;
        to = other;
        length = unpacked;
    }
    if (length != chunk_bytes(p)) return fail_chunk(p, number, "are not as many bytes as they should be");
    memcpy(out, from, length);
    return DCNN_OK;
}

/* Copies rows of one packed chunk, which is unpacked into the slot that was used longest ago if it is in none. */
static dcnn_status copy_from_chunk(dcnn_pixels *p, int64_t chunk, int64_t first, int64_t count, uint8_t *out) {
    slot *found = &p->slots[0];
    dcnn_status status = DCNN_OK;
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < p->slot_count && found->chunk != chunk; i++)
        if (p->slots[i].chunk == chunk || p->slots[i].used < found->used) found = &p->slots[i];
    if (found->chunk != chunk) {
        found->chunk = -1;
        status = unpack(p, chunk, found->bytes);
    }
    if (status == DCNN_OK) {
        found->chunk = chunk;
        found->used = ++p->uses;
        memcpy(out, found->bytes + (size_t)first * p->row_bytes, (size_t)count * p->row_bytes);
    }
    pthread_mutex_unlock(&p->lock);
    return status;
}

static dcnn_status make_slots(dcnn_pixels *p, size_t cache_bytes) {
    const size_t bytes = chunk_bytes(p);
    size_t count = cache_bytes / bytes;
    if (count < 1) count = 1;
    if (count > (size_t)p->layout.chunk_count) count = (size_t)p->layout.chunk_count;
    p->most_packed = bytes + 64; /* deflated or not, with a checksum */
    for (int64_t i = 0; i < p->layout.chunk_count; i++)
        if (p->layout.chunks[i].bytes > p->most_packed) p->most_packed = p->layout.chunks[i].bytes;
    p->packed = malloc(p->most_packed);
    p->spare = malloc(p->most_packed);
    p->slots = calloc(count, sizeof *p->slots);
    for (size_t i = 0; p->slots && i < count; i++, p->slot_count++) {
        p->slots[i] = (slot){.chunk = -1, .bytes = malloc(bytes)};
        if (!p->slots[i].bytes) break;
    }
    if (p->packed && p->spare && p->slots && (size_t)p->slot_count == count) return DCNN_OK;
    return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %zu chunks of %zu bytes", p->dataset->path, count, bytes);
}

/* --- plain chunks ----------------------------------------------------------------------------------------------- */

static dcnn_status read_plain(const dcnn_pixels *p, int64_t first, int64_t count, uint8_t *out) {
    while (count > 0) {
        const int64_t chunk = first / p->layout.chunk_rows, inside = first % p->layout.chunk_rows;
        const int64_t rows = count < p->layout.chunk_rows - inside ? count : p->layout.chunk_rows - inside;
        const size_t bytes = (size_t)rows * p->row_bytes;
        DCNN_TRY(read_at(p, out, bytes, p->layout.chunks[chunk].offset + (uint64_t)inside * p->row_bytes));
        first += rows;
        count -= rows;
        out += bytes;
    }
    return DCNN_OK;
}

static dcnn_status read_packed(dcnn_pixels *p, int64_t first, int64_t count, uint8_t *out) {
    while (count > 0) {
        const int64_t chunk = first / p->layout.chunk_rows, inside = first % p->layout.chunk_rows;
        const int64_t rows = count < p->layout.chunk_rows - inside ? count : p->layout.chunk_rows - inside;
        DCNN_TRY(copy_from_chunk(p, chunk, inside, rows, out));
        first += rows;
        count -= rows;
        out += (size_t)rows * p->row_bytes;
    }
    return DCNN_OK;
}

/* Chunks that follow each other in the file are one. */
static void join_chunks(dcnn_pixels *p) {
    dcnn_h5_layout *l = &p->layout;
    for (int64_t i = 1; i < l->chunk_count; i++)
        if (l->chunks[i].offset != l->chunks[0].offset + (uint64_t)i * chunk_bytes(p)) return;
    l->chunk_count = 1;
    l->chunk_rows = p->dataset->count;
}

/* --- checksums -------------------------------------------------------------------------------------------------- */

static dcnn_status check_block(const dcnn_pixels *p, int64_t block, const uint8_t *bytes, size_t length) {
    const dcnn_dataset *d = p->dataset;
    if (XXH3_64bits(bytes, length) != d->checksums[block])
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: damaged: the images from %lld on do not match their checksum; use another copy", d->path,
                         (long long)(block * d->block_rows));
    atomic_store_explicit(&p->marks[block], 1, memory_order_relaxed);
    return DCNN_OK;
}

/* Checks a block that is not marked yet: from `rows`, if all of it was read there, else by reading it. */
static dcnn_status check_rows(const dcnn_pixels *p, int64_t block, int64_t first, int64_t count, const uint8_t *rows) {
    const dcnn_dataset *d = p->dataset;
    const int64_t from = block * d->block_rows, left = d->count - from;
    const int64_t in_block = left < d->block_rows ? left : d->block_rows;
    const size_t length = (size_t)in_block * p->row_bytes;
    if (atomic_load_explicit(&p->marks[block], memory_order_relaxed)) return DCNN_OK;
    if (first <= from && from + in_block <= first + count)
        return check_block(p, block, rows + (size_t)(from - first) * p->row_bytes, length);
    uint8_t *bytes = malloc(length); /* once a block and run */
    if (!bytes) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %zu bytes", d->path, length);
    dcnn_status status = read_plain(p, from, in_block, bytes);
    if (status == DCNN_OK) status = check_block(p, block, bytes, length);
    free(bytes);
    return status;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

bool dcnn_pixels_are_rows(const dcnn_pixels *p) {
    return p->layout.chunk_count > 0;
}

size_t dcnn_pixels_chunk_bytes(const dcnn_pixels *p) {
    return p->slots ? chunk_bytes(p) : 0;
}

dcnn_status dcnn_pixels_read(dcnn_pixels *p, int64_t first, int64_t count, uint8_t *out) {
    const dcnn_dataset *d = p->dataset;
    const int64_t shape[4] = {d->count, d->h, d->w, d->c};
    if (count == 0) return DCNN_OK;
    if (!dcnn_pixels_are_rows(p)) return dcnn_h5_read_rows(p->file, "images", 4, shape, first, count, out);
    if (p->slots) return read_packed(p, first, count, out);
    DCNN_TRY(read_plain(p, first, count, out));
    for (int64_t block = p->marks ? first / d->block_rows : 0; p->marks && block * d->block_rows < first + count;
         block++)
        DCNN_TRY(check_rows(p, block, first, count, out));
    return DCNN_OK;
}

void dcnn_pixels_expect(const dcnn_pixels *p, int64_t first, int64_t count) {
    while (count > 0 && dcnn_pixels_are_rows(p)) {
        const dcnn_h5_layout *l = &p->layout;
        const int64_t chunk = first / l->chunk_rows, inside = first % l->chunk_rows;
        const int64_t rows = count < l->chunk_rows - inside ? count : l->chunk_rows - inside;
        const uint64_t skip = p->slots ? 0 : (uint64_t)inside * p->row_bytes;
        (void)posix_fadvise(p->descriptor, (off_t)(l->chunks[chunk].offset + skip),
                            (off_t)(p->slots ? l->chunks[chunk].bytes : (uint64_t)rows * p->row_bytes),
                            POSIX_FADV_WILLNEED); /* a wish */
        first += rows;
        count -= rows;
    }
}

size_t dcnn_pixels_marks(const dcnn_pixels *p) {
    return p->marks ? (size_t)block_count(p->dataset) : 0;
}

void dcnn_pixels_place_marks(dcnn_pixels *p, void *marks) {
    if (p->marks) p->marks = marks;
}

/* HDF5's versions differ in whether a chunk's offset counts the user block: a row read both ways tells. */
static bool is_where_it_says(dcnn_pixels *p, int64_t row, uint8_t *both) {
    const dcnn_dataset *d = p->dataset;
    const int64_t shape[4] = {d->count, d->h, d->w, d->c};
    uint8_t *ours = both + p->row_bytes;
    return dcnn_h5_read_rows(p->file, "images", 4, shape, row, 1, both) == DCNN_OK &&
           (p->slots ? read_packed(p, row, 1, ours) : read_plain(p, row, 1, ours)) == DCNN_OK &&
           memcmp(both, ours, p->row_bytes) == 0;
}

static void shift_chunks(dcnn_pixels *p, uint64_t bytes) {
    for (int64_t i = 0; i < p->layout.chunk_count; i++) p->layout.chunks[i].offset += bytes;
}

static dcnn_status confirm_layout(dcnn_pixels *p) {
    uint8_t *both = malloc(2 * p->row_bytes);
    if (!both) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for two images", p->dataset->path);
    hsize_t user_block = 0;
    const hid_t creation = H5Fget_create_plist(p->file);
    H5Pget_userblock(creation, &user_block);
    H5Pclose(creation);
    bool right = is_where_it_says(p, 0, both) && is_where_it_says(p, p->dataset->count - 1, both);
    if (!right && user_block > 0) {
        shift_chunks(p, user_block);
        right = is_where_it_says(p, 0, both) && is_where_it_says(p, p->dataset->count - 1, both);
    }
    free(both);
    if (!right) dcnn_h5_layout_free(&p->layout);
    return DCNN_OK;
}

static dcnn_status find_rows(dcnn_pixels *p, size_t cache_bytes) {
    int *descriptor = NULL;
    if (H5Fget_vfd_handle(p->file, H5P_DEFAULT, (void **)&descriptor) < 0 || !descriptor ||
        (p->descriptor = fcntl(*descriptor, F_DUPFD_CLOEXEC, 0)) < 0)
        return dcnn_input_fail(p->dataset->path, "read");
    if (fstat(p->descriptor, &p->written) != 0) return dcnn_input_fail(p->dataset->path, "read");
    if (!dcnn_h5_layout_find(p->file, "images", &p->layout)) return DCNN_OK;
    if (p->layout.filter_count > 0) DCNN_TRY(make_slots(p, cache_bytes));
    DCNN_TRY(confirm_layout(p));
    if (dcnn_pixels_are_rows(p) && p->layout.filter_count == 0) join_chunks(p);
    if (!dcnn_pixels_are_rows(p) || p->slots || block_count(p->dataset) == 0) return DCNN_OK;
    p->marks = p->own_marks = calloc((size_t)block_count(p->dataset), sizeof *p->marks);
    return p->marks ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for marks", p->dataset->path);
}

dcnn_status dcnn_pixels_open(const dcnn_dataset *dataset, size_t cache_bytes, dcnn_pixels **pixels) {
    dcnn_pixels *p = *pixels = calloc(1, sizeof *p);
    if (!p) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", dataset->path);
    p->dataset = dataset;
    p->row_bytes = (size_t)dataset->h * (size_t)dataset->w * (size_t)dataset->c;
    p->descriptor = -1;
    pthread_mutex_init(&p->lock, NULL);
    uint64_t checksum;
    dcnn_status status = dcnn_h5_reopen(dataset->path, &p->file, &checksum);
    if (status == DCNN_OK && checksum != (dataset->sealed ? dataset->checksum : 0))
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: has changed since it was opened; start again", dataset->path);
    if (status == DCNN_OK) status = find_rows(p, cache_bytes);
    if (status == DCNN_OK && dcnn_pixels_are_rows(p)) {
        dcnn_h5_close(p->file);
        p->file = H5I_INVALID_HID;
    }
    if (status == DCNN_OK) return DCNN_OK;
    dcnn_pixels_close(p);
    *pixels = NULL;
    return status;
}

bool dcnn_pixels_have_changed(dcnn_pixels *p) {
    struct stat now;
    const struct stat *then = &p->written;
    if (fstat(p->descriptor, &now) != 0) return false;
    const bool same = now.st_size == then->st_size && now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
                      now.st_mtim.tv_nsec == then->st_mtim.tv_nsec;
    p->written = now;
    return !same;
}

void dcnn_pixels_close(dcnn_pixels *p) {
    if (!p) return;
    dcnn_h5_close(p->file);
    if (p->descriptor >= 0) close(p->descriptor);
    for (int i = 0; i < p->slot_count; i++) free(p->slots[i].bytes);
    free(p->slots);
    free(p->packed);
    free(p->spare);
    free(p->own_marks);
    dcnn_h5_layout_free(&p->layout);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* --- a look at some --------------------------------------------------------------------------------------------- */

static bool map_pixels(const dcnn_pixels *p, dcnn_pixels_view *view) {
    if (p->layout.chunk_count != 1 || p->slots) return false;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), offset = p->layout.chunks[0].offset;
    const size_t skip = (size_t)(offset % page);
    view->mapped_bytes = skip + (size_t)p->dataset->count * p->row_bytes;
    view->memory = mmap(NULL, view->mapped_bytes, PROT_READ, MAP_SHARED, p->descriptor, (off_t)(offset - skip));
    if (view->memory == MAP_FAILED) return false;
    dcnn_mapped_note(view->memory, view->mapped_bytes, p->dataset->path);
    view->pixels = (const uint8_t *)view->memory + skip;
    return true;
}

static dcnn_status read_pixels(dcnn_pixels *p, dcnn_pixels_view *view) {
    const size_t bytes = (size_t)p->dataset->count * p->row_bytes;
    uint8_t *pixels = malloc(bytes);
    *view = (dcnn_pixels_view){.pixels = pixels, .memory = pixels};
    if (!pixels) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %zu bytes of images", p->dataset->path, bytes);
    return dcnn_pixels_read(p, 0, p->dataset->count, pixels);
}

dcnn_status dcnn_pixels_view_open(const dcnn_dataset *dataset, dcnn_pixels_view *view) {
    dcnn_pixels *p;
    *view = (dcnn_pixels_view){0};
    DCNN_TRY(dcnn_pixels_open(dataset, 0, &p));
    dcnn_status status = map_pixels(p, view) ? DCNN_OK : read_pixels(p, view);
    dcnn_pixels_close(p);
    if (status != DCNN_OK) dcnn_pixels_view_close(view);
    return status;
}

void dcnn_pixels_view_close(dcnn_pixels_view *view) {
    if (view->mapped_bytes > 0) dcnn_mapped_forget(view->memory);
    if (view->mapped_bytes > 0)
        munmap(view->memory, view->mapped_bytes);
    else
        free(view->memory);
    *view = (dcnn_pixels_view){0};
}
