/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hdf5_newer.c — files of HDF5 2.0 with libver='latest', for HDF5 1.8 to 1.14.
 *
 * HDF5 2.0 gave two messages of an object's header a new version: the layout of packed chunks (5, because a chunk may
 * be larger than 4 GiB) and enumerations, which h5py's booleans are. An older library reads neither, though little else
 * changed: the layout says the same as version 4, and an index of packed chunks keeps 8 bytes for a chunk's size, where
 * version 4 keeps as many as the size of a whole chunk needs. So the reader (hdf5_reader.c) shows the older form: the
 * version number, and indexes with shorter entries in the same places. The pixels stay where they are.
 *
 * Taken: one chunk, fixed arrays (what h5py makes), extensible arrays (one unlimited dimension). Not taken: B-trees
 * (two unlimited dimensions). Each block's checksum is checked first: what is damaged stays so.
 *
 * Source: HDF5 File Format Specification 4.0, sections III.C-G, IV.A.
 */
#include "io/hdf5/hdf5_newer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/input.h"

typedef struct piece {
    struct piece *next; /* while they are gathered */
    uint64_t address, bytes;
    uint8_t data[];
} piece;

/* Sorted by address, and none over another: each read finds its own by halving. */
struct dcnn_h5_shown {
    size_t count;
    piece *blocks[];
};

void dcnn_h5_newer_free(dcnn_h5_shown *shown) {
    for (size_t i = 0; shown && i < shown->count; i++) free(shown->blocks[i]);
    free(shown);
}

void dcnn_h5_newer_put(const dcnn_h5_shown *shown, uint64_t address, uint64_t length, uint8_t *bytes) {
    if (shown == NULL) return;
    size_t first = 0, behind = shown->count;
    while (first < behind) { /* the first that ends behind `address` */
        const size_t middle = first + (behind - first) / 2;
        const piece *at = shown->blocks[middle];
        if (at->address + at->bytes <= address)
            first = middle + 1;
        else
            behind = middle;
    }
    for (size_t i = first; i < shown->count && shown->blocks[i]->address < address + length; i++) {
        const piece *at = shown->blocks[i];
        const uint64_t end = at->address + at->bytes;
        const uint64_t from = at->address > address ? at->address : address;
        const uint64_t to = end < address + length ? end : address + length;
        memcpy(bytes + (from - address), at->data + (from - at->address), to - from);
    }
}

#if H5_VERSION_GE(2, 0, 0)

dcnn_h5_shown *dcnn_h5_newer_find(hid_t file, int descriptor) {
    (void)file;
    (void)descriptor;
    return NULL;
}

#else

enum {
    OLD_ENTRY = 20, /* address, size, filters left out */
    SUM_BYTES = 4,
    ADDRESS_BYTES = 8,               /* and of lengths: h5py's, and what all files of today have */
    BLOCK_BYTES = 6 + ADDRESS_BYTES, /* before a block's own: signature, version, kind, its header's address */
    MOST_PARTS = 64,                 /* of an object's header */
    MESSAGE_TYPE = 3,
    MESSAGE_LAYOUT = 8,
    MESSAGE_ATTRIBUTE = 12,
    MESSAGE_CONTINUATION = 16,
    INDEX_SINGLE = 1,
    INDEX_IMPLICIT = 2,
    INDEX_FIXED = 3,
    INDEX_EXTENSIBLE = 4
};
static const uint64_t nowhere = UINT64_MAX, most_bytes = (uint64_t)1 << 30;

typedef struct newer {
    int descriptor;
    uint64_t base, end; /* where HDF5 counts addresses from, and the file's end */
    uint64_t left;      /* bytes that may still be read */
    bool bad;           /* the object at hand is damaged, or has no older form */
    piece *found, *of_object;
} newer;

/* --- blocks ------------------------------------------------------------------------------------------------------ */

static uint64_t number(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

static void put_number(uint8_t *bytes, int count, uint64_t value) {
    for (int i = 0; i < count; i++, value >>= 8) bytes[i] = (uint8_t)value;
}

static uint32_t turn(uint32_t x, int bits) {
    return x << bits | x >> (32 - bits);
}

/* HDF5's checksum of metadata. Bob Jenkins' lookup3 (public domain), hashlittle() from 0. */
static uint32_t checksum(const uint8_t *bytes, uint64_t length) {
    uint32_t a = 0xdeadbeef + (uint32_t)length, b = a, c = a;
    for (; length > 12; length -= 12, bytes += 12) {
        a += (uint32_t)number(bytes, 4), b += (uint32_t)number(bytes + 4, 4), c += (uint32_t)number(bytes + 8, 4);
        a -= c, a ^= turn(c, 4), c += b;
        b -= a, b ^= turn(a, 6), a += c;
        c -= b, c ^= turn(b, 8), b += a;
        a -= c, a ^= turn(c, 16), c += b;
        b -= a, b ^= turn(a, 19), a += c;
        c -= b, c ^= turn(b, 4), b += a;
    }
    if (length == 0) return c;
    uint8_t rest[12] = {0};
    memcpy(rest, bytes, length);
    a += (uint32_t)number(rest, 4), b += (uint32_t)number(rest + 4, 4), c += (uint32_t)number(rest + 8, 4);
    c ^= b, c -= turn(b, 14);
    a ^= c, a -= turn(c, 11);
    b ^= a, b -= turn(a, 25);
    c ^= b, c -= turn(b, 16);
    a ^= c, a -= turn(c, 4);
    b ^= a, b -= turn(a, 14);
    c ^= b, c -= turn(b, 24);
    return c;
}

static bool read_at(newer *n, uint64_t address, uint64_t length, uint8_t *bytes) {
    if (address > n->end - n->base || length > n->end - n->base - address || length > n->left) return false;
    n->left -= length;
    size_t got;
    return dcnn_input_read(n->descriptor, bytes, length, n->base + address, &got) == 0 && got == length;
}

/* A block with its checksum at its end. @param signature  NULL: it has none @return NULL, bad: not there, or damaged */
static piece *take(newer *n, uint64_t address, uint64_t length, const char *signature) {
    piece *block = NULL;
    if (length > SUM_BYTES + 4 && length <= n->end && (block = malloc(sizeof *block + length)) &&
        read_at(n, address, length, block->data) && (!signature || memcmp(block->data, signature, 4) == 0) &&
        checksum(block->data, length - SUM_BYTES) == number(block->data + length - SUM_BYTES, SUM_BYTES)) {
        *block = (piece){.address = n->base + address, .bytes = length};
        return block;
    }
    n->bad = true;
    free(block);
    return NULL;
}

/* Shows a block as it is now, if the object proves good. */
static void show(newer *n, piece *block) {
    put_number(block->data + block->bytes - SUM_BYTES, SUM_BYTES, checksum(block->data, block->bytes - SUM_BYTES));
    block->next = n->of_object;
    n->of_object = block;
}

/* --- indexes of packed chunks ------------------------------------------------------------------------------------ */

typedef struct index_shape {
    int size_bytes; /* of a chunk's size in version 4 */
    int entry;      /* bytes of an entry */
} index_shape;

/* Shortens the `count` entries that begin `at` bytes into the block, and moves what stands behind them. */
static void shorten(newer *n, const index_shape *shape, piece *block, uint64_t at, uint64_t count) {
    uint8_t *to = block->data + at;
    const uint8_t *from = to;
    for (uint64_t i = 0; i < count; i++, from += OLD_ENTRY, to += shape->entry) {
        const uint64_t size = number(from + ADDRESS_BYTES, 8);
        if (shape->size_bytes < 8 && size >> (8 * shape->size_bytes)) n->bad = true;
        memmove(to, from, ADDRESS_BYTES + (size_t)shape->size_bytes); /* the lower bytes of the size */
        memmove(to + ADDRESS_BYTES + shape->size_bytes, from + ADDRESS_BYTES + 8, 4);
    }
    memmove(to, from, block->bytes - (uint64_t)(from - block->data));
    block->bytes -= (uint64_t)(from - to);
}

/* Entries in pages behind a block's beginning, each page with its checksum; those that were never written are left.
 * @param written  a bit a page, the highest first, from bit `bit` on */
static void shorten_pages(newer *n, const index_shape *shape, uint64_t address, uint64_t entries, uint64_t page,
                          const uint8_t *written, uint64_t bit) {
    const uint64_t step = page * OLD_ENTRY + SUM_BYTES, new_step = page * (uint64_t)shape->entry + SUM_BYTES;
    for (uint64_t i = 0; i * page < entries && !n->bad; i++, bit++) {
        if (!(written[bit / 8] & 0x80u >> bit % 8)) continue;
        const uint64_t count = entries - i * page < page ? entries - i * page : page;
        piece *block = take(n, address + i * step, count * OLD_ENTRY + SUM_BYTES, NULL);
        if (!block) return;
        shorten(n, shape, block, 0, count);
        block->address = n->base + address + i * new_step;
        show(n, block);
    }
}

static void shorten_fixed(newer *n, const index_shape *shape, uint64_t address) {
    piece *header = take(n, address, 24 + SUM_BYTES, "FAHD");
    if (!header) return;
    const uint64_t entries = number(header->data + 8, 8), data = number(header->data + 16, 8);
    const int page_bits = header->data[7];
    const bool known = header->data[4] == 0 && header->data[5] == 1 && header->data[6] == OLD_ENTRY && page_bits < 32 &&
                       entries < most_bytes;
    header->data[6] = (uint8_t)shape->entry;
    show(n, header);
    if (!known) n->bad = true;
    if (!known || data == nowhere) return;
    const uint64_t page = (uint64_t)1 << page_bits, pages = entries > page ? (entries + page - 1) / page : 0;
    const uint64_t begin = BLOCK_BYTES + (pages + 7) / 8;
    piece *block = take(n, data, begin + (pages ? 0 : entries * OLD_ENTRY) + SUM_BYTES, "FADB");
    if (!block) return;
    if (pages == 0) shorten(n, shape, block, begin, entries);
    if (pages > 0) shorten_pages(n, shape, data + begin + SUM_BYTES, entries, page, block->data + BLOCK_BYTES, 0);
    show(n, block);
}

/* An extensible array grows by groups ("super blocks") of data blocks: group s has 2^(s/2) blocks of 2^((s+1)/2) times
 * the least number of entries. The index block has some entries, the blocks of its first groups, and its other groups.
 */
typedef struct extensible {
    uint64_t first, least, page;
    uint64_t begin; /* bytes before a data block's entries */
    int groups, own_groups;
} extensible;

static uint64_t blocks_of(int group) {
    return (uint64_t)1 << group / 2;
}

static void shorten_data(newer *n, const index_shape *shape, const extensible *e, int group, uint64_t address,
                         const uint8_t *written, uint64_t bit) {
    if (address == nowhere || n->bad) return;
    const uint64_t entries = ((uint64_t)1 << (group + 1) / 2) * e->least;
    const bool paged = entries > e->page;
    if (paged && !written) n->bad = true;
    piece *block = take(n, address, e->begin + (paged ? 0 : entries * OLD_ENTRY) + SUM_BYTES, "EADB");
    if (!block) return;
    if (!paged) shorten(n, shape, block, e->begin, entries);
    if (paged && written) shorten_pages(n, shape, address + e->begin + SUM_BYTES, entries, e->page, written, bit);
    show(n, block);
}

/* A group that is a block of its own: which pages are written, and where its data blocks are. Its bytes stay. */
static void shorten_group(newer *n, const index_shape *shape, const extensible *e, int group, uint64_t address) {
    if (address == nowhere || n->bad) return;
    const uint64_t entries = ((uint64_t)1 << (group + 1) / 2) * e->least, count = blocks_of(group);
    const uint64_t pages = entries > e->page ? entries / e->page : 0, written = e->begin;
    const uint64_t begin = e->begin + count * ((pages + 7) / 8);
    piece *block = take(n, address, begin + count * ADDRESS_BYTES + SUM_BYTES, "EASB");
    if (!block) return;
    for (uint64_t i = 0; i < count; i++)
        shorten_data(n, shape, e, group, number(block->data + begin + i * ADDRESS_BYTES, 8), block->data + written,
                     i * pages);
    free(block);
}

static int log2_of(uint64_t value) {
    return 63 - __builtin_clzll(value | 1);
}

static void shorten_extensible(newer *n, const index_shape *shape, uint64_t address) {
    piece *header = take(n, address, 68 + SUM_BYTES, "EAHD");
    if (!header) return;
    const uint8_t *said = header->data;
    const uint64_t index = number(said + 60, 8);
    const int bits = said[7], least = said[9], pointers = said[10], page_bits = said[11];
    const bool known = said[4] == 0 && said[5] == 1 && said[6] == OLD_ENTRY && bits <= 40 && least > 0 &&
                       pointers > 0 && (least & (least - 1)) == 0 && (pointers & (pointers - 1)) == 0 &&
                       page_bits < 32 && bits >= log2_of((uint64_t)least);
    extensible e = {.first = said[8], .least = (uint64_t)least, .begin = BLOCK_BYTES + (uint64_t)(bits + 7) / 8};
    header->data[6] = (uint8_t)shape->entry;
    show(n, header);
    if (!known) n->bad = true;
    if (!known || index == nowhere) return;
    e.page = (uint64_t)1 << page_bits;
    e.groups = 1 + bits - log2_of((uint64_t)least);
    e.own_groups = 2 * log2_of((uint64_t)pointers);
    if (e.own_groups > e.groups) {
        n->bad = true;
        return;
    }
    const uint64_t begin = BLOCK_BYTES + e.first * OLD_ENTRY;
    const int blocks = 2 * (pointers - 1), others = e.groups - e.own_groups;
    piece *block = take(n, index, begin + (uint64_t)(blocks + others) * ADDRESS_BYTES + SUM_BYTES, "EAIB");
    if (!block) return;
    const uint8_t *next = block->data + begin;
    for (int group = 0; group < e.own_groups; group++)
        for (uint64_t i = 0; i < blocks_of(group); i++, next += ADDRESS_BYTES)
            shorten_data(n, shape, &e, group, number(next, 8), NULL, 0);
    for (int group = e.own_groups; group < e.groups; group++, next += ADDRESS_BYTES)
        shorten_group(n, shape, &e, group, number(next, 8));
    shorten(n, shape, block, BLOCK_BYTES, e.first);
    show(n, block);
}

/* --- an object's header ------------------------------------------------------------------------------------------ */

/* Layout of version 5: version, chunked, flags, dimensions, bytes of each, the chunk's sizes, kind of index, its
 * settings, its address. @return whether it was one, and is now of version 4 */
static bool mend_layout(newer *n, uint8_t *message, uint64_t length) {
    if (length < 5 || message[0] != 5 || message[1] != 2) return false;
    const int dimensions = message[3], each = message[4];
    const uint64_t at = 5 + (uint64_t)dimensions * (uint64_t)each;
    uint64_t chunk = 1;
    n->bad = n->bad || each < 1 || each > 8 || at + 1 + ADDRESS_BYTES > length;
    for (int i = 0; i < dimensions && !n->bad; i++)
        n->bad = __builtin_mul_overflow(chunk, number(message + 5 + i * each, each), &chunk) || chunk == 0;
    if (n->bad || chunk > UINT32_MAX) {
        n->bad = true;
        return false;
    }
    const int size_bytes = 1 + (log2_of(chunk) + 8) / 8;
    const index_shape shape = {size_bytes, ADDRESS_BYTES + size_bytes + 4};
    const int kind = message[at];
    const uint64_t settings = kind == INDEX_FIXED ? 1 : kind == INDEX_EXTENSIBLE ? 5 : 0;
    n->bad = at + 1 + settings + ADDRESS_BYTES > length;
    const uint64_t index = n->bad ? nowhere : number(message + at + 1 + settings, ADDRESS_BYTES);
    if (kind == INDEX_FIXED && index != nowhere)
        shorten_fixed(n, &shape, index);
    else if (kind == INDEX_EXTENSIBLE && index != nowhere)
        shorten_extensible(n, &shape, index);
    else if (kind < INDEX_SINGLE || kind > INDEX_EXTENSIBLE)
        n->bad = true;
    message[0] = 4;
    return true;
}

/* An enumeration (class 8) of version 5 is one of version 3. */
static bool mend_type(uint8_t *message, uint64_t length) {
    if (length == 0 || message[0] != (5 << 4 | 8)) return false;
    message[0] = 3 << 4 | 8;
    return true;
}

static bool mend_attribute(uint8_t *message, uint64_t length) {
    if (length < 9 || message[0] != 3 || (message[1] & 1)) return false; /* 1: its type stands elsewhere */
    const uint64_t at = 9 + number(message + 2, 2);
    return at < length && mend_type(message + at, length - at);
}

/* Where the parts of an object's header are; the first is its beginning. */
typedef struct parts {
    int count;
    uint64_t address[MOST_PARTS], length[MOST_PARTS];
} parts;

/* The messages of a part. @param head  bytes of a message before its own @return whether one was changed */
static bool mend_messages(newer *n, piece *part, uint64_t at, uint64_t head, parts *all) {
    const uint64_t end = part->bytes - SUM_BYTES;
    bool changed = false;
    while (at + head <= end) { /* less is a gap */
        uint8_t *message = part->data + at + head;
        const uint64_t length = number(part->data + at + 1, 2);
        const bool shared = part->data[at + 3] & 2;
        if (length > end - at - head) return changed;
        const int kind = shared ? 0 : part->data[at];
        if (kind == MESSAGE_LAYOUT) changed |= mend_layout(n, message, length);
        if (kind == MESSAGE_TYPE) changed |= mend_type(message, length);
        if (kind == MESSAGE_ATTRIBUTE) changed |= mend_attribute(message, length);
        if (kind == MESSAGE_CONTINUATION && length >= 16 && all->count < MOST_PARTS) {
            all->address[all->count] = number(message, 8);
            all->length[all->count++] = number(message + 8, 8);
        }
        at += head + length;
    }
    return changed;
}

/* Header of version 2: "OHDR", version, flags, times, limits of attributes, bytes of the first part. */
static void mend_object(newer *n, uint64_t address) {
    uint8_t begin[6 + 16 + 4 + 8];
    if (!read_at(n, address, 6, begin) || memcmp(begin, "OHDR", 4) != 0 || begin[4] != 2) return;
    const int flags = begin[5], width = 1 << (flags & 3);
    const uint64_t at = 6 + (flags & 0x20 ? 16u : 0u) + (flags & 0x10 ? 4u : 0u) + (uint64_t)width;
    if (!read_at(n, address, at, begin)) return;
    parts all = {.count = 1, .address = {address}, .length = {number(begin + at - width, width)}};
    if (all.length[0] > n->end) return;
    all.length[0] += at + SUM_BYTES;
    const uint64_t head = 4 + (flags & 4 ? 2u : 0u);
    for (int i = 0; i < all.count && !n->bad; i++) {
        piece *part = take(n, all.address[i], all.length[i], i == 0 ? "OHDR" : "OCHK");
        if (!part) return;
        if (mend_messages(n, part, i == 0 ? at : 4, head, &all))
            show(n, part);
        else
            free(part);
    }
}

static herr_t visit(hid_t file, const char *name, const H5O_info_t *about, void *all) {
    (void)file;
    (void)name;
    newer *n = all;
    n->bad = false;
    n->of_object = NULL;
    mend_object(n, about->addr);
    while (n->of_object) {
        piece *block = n->of_object;
        n->of_object = block->next;
        block->next = n->bad ? NULL : n->found;
        if (n->bad)
            free(block);
        else
            n->found = block;
    }
    return 0;
}

static int by_address(const void *a, const void *b) {
    const piece *const *x = a, *const *y = b;
    return (*x)->address < (*y)->address ? -1 : (*x)->address > (*y)->address;
}

/* The blocks in order. Where one lies over another, as no good file has them, the one behind is left out. @return NULL:
 * there are none, or no memory for them */
static dcnn_h5_shown *sort_found(piece *found) {
    size_t count = 0;
    for (const piece *at = found; at; at = at->next) count++;
    dcnn_h5_shown *shown = count > 0 ? malloc(sizeof *shown + count * sizeof shown->blocks[0]) : NULL;
    size_t i = 0;
    for (piece *next; found; found = next) {
        next = found->next;
        if (shown)
            shown->blocks[i++] = found;
        else
            free(found);
    }
    if (shown == NULL) return NULL;
    qsort(shown->blocks, count, sizeof shown->blocks[0], by_address);
    shown->count = 1;
    for (i = 1; i < count; i++) {
        const piece *before = shown->blocks[shown->count - 1];
        if (before->address + before->bytes <= shown->blocks[i]->address)
            shown->blocks[shown->count++] = shown->blocks[i];
        else
            free(shown->blocks[i]);
    }
    return shown;
}

dcnn_h5_shown *dcnn_h5_newer_find(hid_t file, int descriptor) {
    H5F_info2_t about;
    struct stat stored;
    hsize_t base = 0;
    size_t address_bytes = 0, length_bytes = 0;
    /* version 3 of the file's beginning is what libver='latest' writes */
    if (H5Fget_info2(file, &about) < 0 || about.super.version < 3 || fstat(descriptor, &stored) != 0) return NULL;
    hid_t creation = H5Fget_create_plist(file);
    const bool known = H5Pget_userblock(creation, &base) >= 0 &&
                       H5Pget_sizes(creation, &address_bytes, &length_bytes) >= 0 && address_bytes == ADDRESS_BYTES &&
                       length_bytes == ADDRESS_BYTES && base <= (hsize_t)stored.st_size;
    H5Pclose(creation);
    /* each byte is needed once or twice; a damaged index may name one block a million times */
    const uint64_t size = (uint64_t)stored.st_size, left = size < most_bytes / 8 ? 4 * size + 4096 : most_bytes;
    newer n = {.descriptor = descriptor, .base = base, .end = size, .left = left};
    if (known) H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_NATIVE, visit, &n, H5O_INFO_BASIC);
    return sort_found(n.found);
}

#endif
