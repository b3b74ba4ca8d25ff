/* SPDX-License-Identifier: BSD-3-Clause */
/* file.c — whole or absent: atomic writes, seals, and reading files that may be gzipped. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

static const char SEAL_MAGIC[8] = "DCNNSEAL";

enum { SEAL_VERSION = 1, SEAL_BYTES = 32, TAIL_BYTES = 2 * SEAL_BYTES, BLOCK_BYTES = 1 << 20 };

static void put_little(unsigned char *to, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) to[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_little(const unsigned char *from, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static dcnn_status write_fully(int descriptor, const char *path, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        ssize_t written = write(descriptor, next, length);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0)
            return DCNN_FAIL(DCNN_FAILURE, "%s: cannot write: %s; see that the disk has room and quota", path,
                             strerror(errno));
        next += written;
        length -= (size_t)written;
    }
    return DCNN_OK;
}

/* Up to `length` bytes from `offset`; fewer only at the file's end. */
static dcnn_status read_at(int descriptor, const char *path, void *bytes, size_t length, off_t offset, size_t *got) {
    *got = 0;
    while (*got < length) {
        ssize_t part = pread(descriptor, (char *)bytes + *got, length - *got, offset + (off_t)*got);
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot read: %s", path, strerror(errno));
        if (part == 0) break;
        *got += (size_t)part;
    }
    return DCNN_OK;
}

/* Feeds the first `length` bytes to the hash, which may have seen others before. */
static dcnn_status hash_file(int descriptor, const char *path, uint64_t length, XXH3_state_t *hash) {
    unsigned char *block = malloc(BLOCK_BYTES);
    if (!block) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for a read buffer", path);
    dcnn_status status = DCNN_OK;
    for (uint64_t offset = 0; offset < length;) {
        size_t want = length - offset < BLOCK_BYTES ? (size_t)(length - offset) : BLOCK_BYTES, got;
        DCNN_TRY_DONE(read_at(descriptor, path, block, want, (off_t)offset, &got));
        if (got < want) {
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: became shorter while it was read; try again", path);
            goto done;
        }
        XXH3_64bits_update(hash, block, got);
        offset += got;
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

static void make_seal(unsigned char seal[SEAL_BYTES], uint64_t length, uint64_t checksum) {
    memcpy(seal, SEAL_MAGIC, sizeof SEAL_MAGIC);
    put_little(seal + 8, SEAL_VERSION, 4);
    put_little(seal + 12, 0, 4);
    put_little(seal + 16, length, 8);
    put_little(seal + 24, checksum, 8);
}

char *dcnn_file_temporary(const char *path) {
    size_t length = strlen(path);
    char *temporary = malloc(length + sizeof ".tmp");
    if (!temporary) return NULL;
    memcpy(temporary, path, length);
    memcpy(temporary + length, ".tmp", sizeof ".tmp");
    return temporary;
}

/* Makes a rename survive a power cut. Some file systems cannot fsync a folder; there the rename is as safe as it gets.
 */
static dcnn_status sync_folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!folder) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    dcnn_status status = DCNN_OK;
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0 && fsync(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: cannot flush the folder: %s", folder, strerror(errno));
    if (descriptor >= 0) close(descriptor);
    free(folder);
    return status;
}

/* Closes a written temporary file and gives it its final name. */
static dcnn_status publish(int descriptor, const char *temporary, const char *path) {
    int flushed = fsync(descriptor), flush_error = errno, closed = close(descriptor);
    if (flushed != 0 || closed != 0)
        return DCNN_FAIL(DCNN_FAILURE, "%s: cannot flush to disk: %s; see that the disk has room and quota", temporary,
                         strerror(flushed != 0 ? flush_error : errno));
    if (rename(temporary, path) != 0)
        return DCNN_FAIL(DCNN_FAILURE, "%s: cannot put the finished file in place: %s", path, strerror(errno));
    return sync_folder_of(path);
}

dcnn_status dcnn_file_write(const char *path, const void *bytes, size_t length, bool sealed) {
    char *temporary = dcnn_file_temporary(path);
    if (!temporary) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        dcnn_status failed = DCNN_FAIL(
            DCNN_FAILURE, "%s: cannot create: %s; see that its folder exists and is writable", path, strerror(errno));
        free(temporary);
        return failed;
    }
    dcnn_status status = write_fully(descriptor, temporary, bytes, length);
    if (status == DCNN_OK && sealed) {
        unsigned char seal[SEAL_BYTES];
        make_seal(seal, length, XXH3_64bits(bytes, length));
        status = write_fully(descriptor, temporary, seal, sizeof seal);
    }
    if (status == DCNN_OK)
        status = publish(descriptor, temporary, path);
    else
        close(descriptor);
    if (status != DCNN_OK) unlink(temporary);
    free(temporary);
    return status;
}

/* Appends the seal of what the file holds. */
static dcnn_status append_seal(int descriptor, const char *path) {
    off_t length = lseek(descriptor, 0, SEEK_END);
    if (length < 0) return DCNN_FAIL(DCNN_FAILURE, "%s: cannot tell its length: %s", path, strerror(errno));
    XXH3_state_t *hash;
    DCNN_TRY(hash_create(path, &hash));
    dcnn_status status = hash_file(descriptor, path, (uint64_t)length, hash);
    if (status == DCNN_OK) {
        unsigned char seal[SEAL_BYTES];
        make_seal(seal, (uint64_t)length, XXH3_64bits_digest(hash));
        status = write_fully(descriptor, path, seal, sizeof seal);
    }
    XXH3_freeState(hash);
    return status;
}

dcnn_status dcnn_file_commit(const char *temporary, const char *path, bool sealed) {
    int descriptor = open(temporary, O_RDWR | O_CLOEXEC);
    dcnn_status status;
    if (descriptor < 0) {
        status = DCNN_FAIL(DCNN_FAILURE, "%s: cannot open the finished temporary file: %s", temporary, strerror(errno));
    } else {
        status = sealed ? append_seal(descriptor, temporary) : DCNN_OK;
        if (status == DCNN_OK)
            status = publish(descriptor, temporary, path);
        else
            close(descriptor);
    }
    if (status != DCNN_OK) unlink(temporary);
    return status == DCNN_OK ? DCNN_OK : DCNN_FAILURE;
}

/* Which of a seal's two halves are there: either is enough to say that the file was once sealed, so that a byte changed
 * inside the seal itself does not make the file pass for one without. */
static dcnn_status find_seal(int descriptor, const char *path, uint64_t size, unsigned char seal[SEAL_BYTES],
                             bool *found) {
    unsigned char tail[TAIL_BYTES];
    size_t length = size < TAIL_BYTES ? (size_t)size : TAIL_BYTES, got;
    *found = false;
    DCNN_TRY(read_at(descriptor, path, tail, length, (off_t)(size - length), &got));
    if (got < length) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: became shorter while it was read; try again", path);
    if (length < SEAL_BYTES) return DCNN_OK;
    memcpy(seal, tail + length - SEAL_BYTES, SEAL_BYTES);
    bool magic = memcmp(seal, SEAL_MAGIC, sizeof SEAL_MAGIC) == 0;
    bool fields = get_little(seal + 8, 4) == SEAL_VERSION && get_little(seal + 12, 4) == 0 &&
                  get_little(seal + 16, 8) == size - SEAL_BYTES;
    if (magic && fields)
        *found = true;
    else if (magic || fields || memmem(tail, length, SEAL_MAGIC, sizeof SEAL_MAGIC))
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: damaged: its seal does not fit (the file was cut, lengthened or changed); use another copy", path);
    return DCNN_OK;
}

dcnn_status dcnn_seal_verify(int descriptor, const char *path, dcnn_seal *seal, uint64_t *checksum) {
    struct stat about;
    *seal = DCNN_SEAL_NONE;
    if (checksum) *checksum = 0;
    if (fstat(descriptor, &about) != 0) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot read: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode)) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is no regular file", path);
    unsigned char trailer[SEAL_BYTES];
    bool found;
    DCNN_TRY(find_seal(descriptor, path, (uint64_t)about.st_size, trailer, &found));
    if (!found) return DCNN_OK;
    XXH3_state_t *hash;
    DCNN_TRY(hash_create(path, &hash));
    dcnn_status status = hash_file(descriptor, path, (uint64_t)about.st_size - SEAL_BYTES, hash);
    uint64_t actual = XXH3_64bits_digest(hash);
    XXH3_freeState(hash);
    DCNN_TRY(status);
    if (actual != get_little(trailer + 24, 8))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: its content does not fit its checksum; use another copy", path);
    *seal = DCNN_SEAL_GOOD;
    if (checksum) *checksum = actual;
    return DCNN_OK;
}

dcnn_status dcnn_file_verify(const char *path, dcnn_seal *seal) {
    *seal = DCNN_SEAL_NONE;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot open: %s", path, strerror(errno));
    dcnn_status status = dcnn_seal_verify(descriptor, path, seal, NULL);
    close(descriptor);
    return status;
}

dcnn_status dcnn_files_checksum(int count, char *const paths[], uint64_t *checksum) {
    XXH3_state_t *hash;
    DCNN_TRY(hash_create("checksum", &hash));
    dcnn_status status = DCNN_OK;
    for (int i = 0; i < count && status == DCNN_OK; i++) {
        struct stat about;
        int descriptor = open(paths[i], O_RDONLY | O_CLOEXEC);
        if (descriptor < 0 || fstat(descriptor, &about) != 0)
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot open: %s", paths[i], strerror(errno));
        else
            status = hash_file(descriptor, paths[i], (uint64_t)about.st_size, hash);
        if (descriptor >= 0) close(descriptor);
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
                               errno == EEXIST ? "a file of that name is in the way" : strerror(errno));
        *end = kept;
    }
    free(part);
    return status;
}
