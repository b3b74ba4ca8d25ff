/* SPDX-License-Identifier: BSD-3-Clause */
/* file.c — whole or absent: atomic writes, seals, and reading files that may be gzipped. */
#include "io/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "io/input.h"

static const char SEAL_MAGIC[8] = "DCNNSEAL";

enum {
    SEAL_VERSION = 1,
    AROUND_VERSION = 2,
    LATEST_VERSION = 99,
    SEAL_BYTES = 32,
    HOLE_BYTES = 16,
    BLOCK_BYTES = 1 << 20
};
enum { TAIL_BYTES = 2 * SEAL_BYTES + HOLE_BYTES };

static void put_little(unsigned char *to, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) to[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_little(const unsigned char *from, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)from[i] << (8 * i);
    return value;
}

/* So many bytes from `offset`, where they were a moment ago. */
static dcnn_status read_at(int descriptor, const char *path, void *bytes, size_t length, uint64_t offset) {
    size_t got;
    errno = dcnn_input_read(descriptor, bytes, length, offset, &got);
    if (errno != 0) return dcnn_input_fail(path, "read");
    if (got == length) return DCNN_OK;
    return DCNN_FAIL(DCNN_FAILURE, "%s: became shorter while it was being read; try again", path);
}

/* Feeds the bytes from `offset` to `end` to the hash, which may have seen others before. */
static dcnn_status hash_file(int descriptor, const char *path, uint64_t offset, uint64_t end, XXH3_state_t *hash) {
    unsigned char *block = malloc(BLOCK_BYTES);
    if (!block) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for a read buffer", path);
    dcnn_status status = DCNN_OK;
    while (offset < end) {
        const size_t part = end - offset < BLOCK_BYTES ? (size_t)(end - offset) : BLOCK_BYTES;
        DCNN_TRY_DONE(read_at(descriptor, path, block, part, offset));
        XXH3_64bits_update(hash, block, part);
        offset += part;
    }
done:
    free(block);
    return status;
}

static dcnn_status hash_create(const char *path, XXH3_state_t **hash) {
    *hash = XXH3_createState();
    if (!*hash) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for a checksum", path);
    XXH3_64bits_reset(*hash);
    return DCNN_OK;
}

static void make_seal(unsigned char seal[SEAL_BYTES], uint64_t version, uint64_t length, uint64_t checksum) {
    memcpy(seal, SEAL_MAGIC, sizeof SEAL_MAGIC);
    put_little(seal + 8, version, 4);
    put_little(seal + 12, 0, 4);
    put_little(seal + 16, length, 8);
    put_little(seal + 24, checksum, 8);
}

dcnn_status dcnn_file_put(const char *path, const void *bytes, size_t length, bool sealed, bool only_new) {
    dcnn_output output;
    DCNN_TRY(dcnn_output_open(path, &output));
    output.only_new = only_new;
    dcnn_status status = dcnn_output_write(&output, bytes, length);
    if (status == DCNN_OK && sealed) {
        unsigned char seal[SEAL_BYTES];
        make_seal(seal, SEAL_VERSION, length, XXH3_64bits(bytes, length));
        status = dcnn_output_write(&output, seal, sizeof seal);
    }
    return dcnn_output_close(&output, status);
}

dcnn_status dcnn_file_write(const char *path, const void *bytes, size_t length, bool sealed) {
    return dcnn_file_put(path, bytes, length, sealed, false);
}

dcnn_status dcnn_seal_make_around(const void *head, uint64_t hole_begin, uint64_t hole_end, const void *tail,
                                  size_t tail_bytes, unsigned char seal[DCNN_SEAL_AROUND_BYTES]) {
    XXH3_state_t *hash;
    DCNN_TRY(hash_create("seal", &hash));
    put_little(seal, hole_begin, 8);
    put_little(seal + 8, hole_end, 8);
    XXH3_64bits_update(hash, head, hole_begin);
    XXH3_64bits_update(hash, tail, tail_bytes);
    XXH3_64bits_update(hash, seal, HOLE_BYTES);
    make_seal(seal + HOLE_BYTES, AROUND_VERSION, hole_end + tail_bytes, XXH3_64bits_digest(hash));
    XXH3_freeState(hash);
    return DCNN_OK;
}

/* --- checking seals --------------------------------------------------------------------------------------------- */

size_t dcnn_seal_bytes(dcnn_seal seal) {
    static const size_t bytes[] = {0, SEAL_BYTES, DCNN_SEAL_AROUND_BYTES, 0};
    return bytes[seal];
}

/* A seal as it stands at the end of a file. */
typedef struct trailer {
    dcnn_seal kind;
    uint64_t length, hole_begin, hole_end; /* of what stands before it; what of that it leaves out */
    uint64_t checksum;
    unsigned char hole[HOLE_BYTES];
} trailer;

static bool read_fields(const unsigned char *seal, uint64_t size, trailer *found) {
    const uint64_t version = get_little(seal + 8, 4);
    const dcnn_seal kind = version == SEAL_VERSION     ? DCNN_SEAL_GOOD
                           : version == AROUND_VERSION ? DCNN_SEAL_AROUND
                                                       : DCNN_SEAL_NONE;
    *found = (trailer){.kind = kind, .length = get_little(seal + 16, 8), .checksum = get_little(seal + 24, 8)};
    if (kind == DCNN_SEAL_NONE || get_little(seal + 12, 4) != 0 || size < dcnn_seal_bytes(kind) ||
        found->length != size - dcnn_seal_bytes(kind))
        return false;
    if (kind == DCNN_SEAL_GOOD) return true;
    memcpy(found->hole, seal - HOLE_BYTES, HOLE_BYTES);
    found->hole_begin = get_little(found->hole, 8);
    found->hole_end = get_little(found->hole + 8, 8);
    return found->hole_begin <= found->hole_end && found->hole_end <= found->length;
}

/* Which of a seal's two halves are there: either is enough to say that the file was once sealed, so that a byte changed
 * inside the seal itself does not make the file pass for one without. */
static dcnn_status find_seal(int descriptor, const char *path, trailer *found) {
    unsigned char tail[TAIL_BYTES];
    struct stat about;
    *found = (trailer){0};
    if (fstat(descriptor, &about) != 0) return dcnn_input_fail(path, "read");
    if (!S_ISREG(about.st_mode)) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is not a regular file", path);
    const uint64_t size = (uint64_t)about.st_size;
    const size_t length = size < TAIL_BYTES ? (size_t)size : TAIL_BYTES;
    DCNN_TRY(read_at(descriptor, path, tail, length, size - length));
    if (length < SEAL_BYTES) return DCNN_OK;
    const unsigned char *seal = tail + length - SEAL_BYTES;
    const bool magic = memcmp(seal, SEAL_MAGIC, sizeof SEAL_MAGIC) == 0, fields = read_fields(seal, size, found);
    if (magic && fields) return DCNN_OK;
    *found = (trailer){0};
    const uint64_t version = get_little(seal + 8, 4), sealed = get_little(seal + 16, 8);
    if (magic && version > AROUND_VERSION && version <= LATEST_VERSION && get_little(seal + 12, 4) == 0 &&
        sealed < size)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: has a seal of version %u, this dcnn knows 1 and %d: a newer dcnn wrote it, or it is damaged", path,
            (unsigned)version, AROUND_VERSION);
    if (magic || fields || memmem(tail, length, SEAL_MAGIC, sizeof SEAL_MAGIC)) {
        found->kind = DCNN_SEAL_BAD;
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: damaged: its seal does not match (the file was cut, lengthened or changed); use another copy", path);
    }
    return DCNN_OK;
}

dcnn_status dcnn_seal_find(int descriptor, const char *path, dcnn_seal *seal, uint64_t *checksum) {
    trailer found;
    dcnn_status status = find_seal(descriptor, path, &found);
    *seal = found.kind;
    if (checksum) *checksum = found.checksum;
    return status;
}

static dcnn_status hash_around(int descriptor, const char *path, const trailer *found, XXH3_state_t *hash) {
    if (found->kind == DCNN_SEAL_GOOD) return hash_file(descriptor, path, 0, found->length, hash);
    DCNN_TRY(hash_file(descriptor, path, 0, found->hole_begin, hash));
    DCNN_TRY(hash_file(descriptor, path, found->hole_end, found->length, hash));
    XXH3_64bits_update(hash, found->hole, HOLE_BYTES);
    return DCNN_OK;
}

dcnn_status dcnn_seal_verify(int descriptor, const char *path, dcnn_seal *seal, uint64_t *checksum) {
    trailer found;
    *seal = DCNN_SEAL_NONE;
    if (checksum) *checksum = 0;
    dcnn_status status = find_seal(descriptor, path, &found);
    if (status != DCNN_OK || found.kind == DCNN_SEAL_NONE) {
        *seal = found.kind;
        return status;
    }
    XXH3_state_t *hash;
    DCNN_TRY(hash_create(path, &hash));
    status = hash_around(descriptor, path, &found, hash);
    uint64_t actual = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    DCNN_TRY(status);
    *seal = actual == found.checksum ? found.kind : DCNN_SEAL_BAD;
    if (*seal == DCNN_SEAL_BAD)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: its content does not match its checksum; use another copy",
                         path);
    if (checksum) *checksum = actual;
    return DCNN_OK;
}

dcnn_status dcnn_file_verify(const char *path, dcnn_seal *seal) {
    int descriptor;
    *seal = DCNN_SEAL_NONE;
    DCNN_TRY(dcnn_input_open(path, false, &descriptor, NULL));
    dcnn_status status = dcnn_seal_verify(descriptor, path, seal, NULL);
    close(descriptor);
    return status;
}

dcnn_status dcnn_files_checksum(int count, char *const paths[], uint64_t *checksum) {
    XXH3_state_t *hash;
    DCNN_TRY(hash_create("checksum", &hash));
    dcnn_status status = DCNN_OK;
    for (int i = 0; i < count && status == DCNN_OK; i++) {
        int descriptor;
        int64_t size;
        status = dcnn_input_open(paths[i], false, &descriptor, &size);
        if (status != DCNN_OK) break;
        status = hash_file(descriptor, paths[i], 0, (uint64_t)size, hash);
        close(descriptor);
    }
    *checksum = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    return status;
}

dcnn_status dcnn_folder_create(const char *path) {
    char *part = strdup(path);
    if (!part) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    dcnn_status status = DCNN_OK;
    for (char *end = part; status == DCNN_OK && *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        char kept = *end;
        *end = '\0';
        struct stat about;
        if (mkdir(part, 0777) != 0 && (errno != EEXIST || stat(part, &about) != 0 || !S_ISDIR(about.st_mode)))
            status = DCNN_FAIL(DCNN_FAILURE, "%s: cannot make the folder: %s", part,
                               errno == EEXIST                               ? "a file of that name is in the way"
                               : errno == ENOENT && lstat(part, &about) == 0 ? "a link that leads nowhere is in the way"
                                                                             : strerror(errno));
        *end = kept;
    }
    free(part);
    return status;
}
