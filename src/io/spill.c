/* SPDX-License-Identifier: BSD-3-Clause */
/* spill.c — see spill.h. */
#include "io/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <zlib.h>

#include "io/file.h"
#include "io/mapped.h"

enum { WORTH_SPILLING = 1 << 26, WORTH_STREAMING = 1 << 23 };

/* Its room is reserved at once: a page that finds no room later would end the process. Where the file system cannot
 * (NFS before 4.2), there must be as much room now; posix_fallocate() would write to each page instead. */
static bool reserve(int file, size_t bytes) {
    struct statvfs room;
    int code;
    do {
        code = fallocate(file, 0, 0, (off_t)bytes) == 0 ? 0 : errno;
    } while (code == EINTR);
    if (code != EOPNOTSUPP) return code == 0;
    return fstatvfs(file, &room) == 0 && bytes / room.f_frsize < room.f_bavail && ftruncate(file, (off_t)bytes) == 0;
}

static void *map_file(const char *aside, size_t bytes) {
    char path[4096];
    int file = open(aside, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (file < 0 && snprintf(path, sizeof path, "%s/.dcnn-XXXXXX", aside) < (int)sizeof path) { /* NFS */
        file = mkostemp(path, O_CLOEXEC);
        if (file >= 0) unlink(path);
    }
    if (file < 0) return NULL;
    void *memory = MAP_FAILED;
    if (reserve(file, bytes)) memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return memory == MAP_FAILED ? NULL : memory;
}

static dcnn_status fail_room(const char *aside, const char *name, size_t bytes) {
    return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: %.1f MiB are needed, and there is no room for them%s", name,
                     (double)bytes / (1 << 20), aside ? ", neither in memory nor beside the data set" : "");
}

dcnn_status dcnn_spill_take(const char *aside, const char *name, size_t bytes, void **memory, size_t *mapped) {
    *mapped = 0;
    *memory = aside && bytes >= WORTH_SPILLING ? map_file(aside, bytes) : NULL;
    if (*memory) *mapped = bytes;
    if (!*memory) *memory = malloc(bytes > 0 ? bytes : 1);
    return *memory ? DCNN_OK : fail_room(aside, name, bytes);
}

dcnn_status dcnn_spill_grow(const char *aside, const char *name, size_t used, size_t bytes, void **memory,
                            size_t *mapped) {
    if (*mapped == 0 && (!aside || bytes < WORTH_SPILLING)) {
        void *longer = realloc(*memory, bytes > 0 ? bytes : 1);
        if (!longer) return fail_room(aside, name, bytes);
        *memory = longer;
        return DCNN_OK;
    }
    void *longer;
    size_t longer_mapped;
    DCNN_TRY(dcnn_spill_take(aside, name, bytes, &longer, &longer_mapped));
    for (size_t at = 0, part; at < used; at += part) { /* in parts, so that neither stays in memory as a whole */
        part = used - at < WORTH_SPILLING ? used - at : WORTH_SPILLING;
        memcpy((char *)longer + at, (const char *)*memory + at, part);
        dcnn_spill_forget(longer, longer_mapped);
        dcnn_spill_forget(*memory, *mapped);
    }
    dcnn_spill_release(*memory, *mapped);
    *memory = longer;
    *mapped = longer_mapped;
    return DCNN_OK;
}

void dcnn_spill_forget(void *memory, size_t mapped) {
    if (mapped > 0) (void)madvise(memory, mapped, MADV_DONTNEED);
}

void dcnn_spill_release(void *memory, size_t mapped) {
    if (mapped > 0) dcnn_mapped_forget(memory);
    if (mapped > 0)
        munmap(memory, mapped);
    else
        free(memory);
}

/* Maps a whole file for reading, a NUL behind it: a page of zeros stands behind the file's last one, which has them
 * itself unless the file fills it. */
static bool map_whole(int descriptor, size_t length, void **memory, size_t *mapped) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), all = (length / page + 1) * page;
    char *room = mmap(NULL, all, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return false;
    if (mmap(room, length, PROT_READ, MAP_PRIVATE | MAP_FIXED, descriptor, 0) == MAP_FAILED) {
        munmap(room, all);
        return false;
    }
    *memory = room;
    *mapped = all;
    return true;
}

/* --- packed files ------------------------------------------------------------------------------------------------- */

static dcnn_status unpack(gzFile file, uint64_t packed, const char *aside, const char *path, void **memory,
                          size_t *length, size_t *mapped) {
    size_t room = WORTH_SPILLING, kept = 0;
    *length = 0;
    DCNN_TRY(dcnn_spill_take(aside, path, room, memory, mapped));
    for (int got = 1; got > 0;) {
        if (room - *length < WORTH_STREAMING + 1) {
            DCNN_TRY(dcnn_file_check_unpacked(path, packed, *length));
            DCNN_TRY(dcnn_spill_grow(aside, path, *length, 2 * room, memory, mapped));
            room *= 2;
        }
        got = gzread(file, (char *)*memory + *length, WORTH_STREAMING);
        int code;
        const char *why = gzerror(file, &code);
        if (got < 0 || code != Z_OK)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged gzip: %s; use another copy", path,
                             code == Z_BUF_ERROR ? "it ends too early" : why);
        *length += (size_t)got;
        if (*length - kept > WORTH_SPILLING) {
            dcnn_spill_forget(*memory, *mapped);
            kept = *length;
        }
    }
    ((char *)*memory)[*length] = 0;
    return dcnn_file_check_unpacked(path, packed, *length);
}

dcnn_status dcnn_spill_read(const char *aside, const char *path, void **memory, size_t *length, size_t *mapped) {
    struct stat about;
    uint8_t magic[2] = {0};
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    *memory = NULL;
    *mapped = 0;
    const bool large = file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode) &&
                       about.st_size >= WORTH_STREAMING && read(file, magic, 2) == 2;
    const bool packed = magic[0] == 0x1f && magic[1] == 0x8b;
    bool is_mapped = false;
    if (large && !packed && about.st_size >= WORTH_SPILLING) {
        *length = (size_t)about.st_size;
        is_mapped = map_whole(file, *length, memory, mapped);
    }
    if (file >= 0) close(file);
    if (is_mapped) dcnn_mapped_note(*memory, *mapped, path);
    if (is_mapped) return DCNN_OK;
    if (large && packed && aside) {
        gzFile stream = gzopen(path, "rb");
        if (!stream) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot be opened", path);
        const dcnn_status status = unpack(stream, (uint64_t)about.st_size, aside, path, memory, length, mapped);
        gzclose(stream);
        if (status != DCNN_OK) {
            dcnn_spill_release(*memory, *mapped);
            *memory = NULL;
            *mapped = 0;
        }
        return status;
    }
    uint8_t *bytes;
    const dcnn_status status = dcnn_file_read(path, &bytes, length);
    *memory = bytes;
    return status;
}
