/* SPDX-License-Identifier: BSD-3-Clause */
/* zipped.c — see zipped.h. */
#include "sources/readers/zipped.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zip.h>

#include "io/file.h"
#include "io/spill.h"

enum { PART_BYTES = 1 << 24 };

/* Of all members together: several may name the same bytes. */
static dcnn_status check_proportion(const char *path, zip_t *archive) {
    struct stat file;
    uint64_t unpacked = 0;
    const zip_int64_t count = zip_get_num_entries(archive, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        zip_stat_t about;
        if (zip_stat_index(archive, (zip_uint64_t)i, 0, &about) == 0 && (about.valid & ZIP_STAT_SIZE) &&
            __builtin_add_overflow(unpacked, about.size, &unpacked))
            unpacked = UINT64_MAX;
    }
    return stat(path, &file) == 0 ? dcnn_file_check_unpacked(path, (uint64_t)file.st_size, unpacked) : DCNN_OK;
}

static dcnn_status open_archive(const char *path, zip_t **archive) {
    int code;
    *archive = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &code);
    if (*archive) {
        const dcnn_status status = check_proportion(path, *archive);
        if (status != DCNN_OK) zip_discard(*archive);
        return status;
    }
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const dcnn_status status =
        DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot be opened as a zip archive: %s", path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
}

dcnn_status dcnn_zip_list(const char *path, dcnn_names *members) {
    zip_t *archive;
    DCNN_TRY(open_archive(path, &archive));
    dcnn_status status = DCNN_OK;
    const zip_int64_t count = zip_get_num_entries(archive, 0);
    for (zip_int64_t i = 0; i < count && status == DCNN_OK; i++) {
        const char *name = zip_get_name(archive, (zip_uint64_t)i, 0);
        if (!name || !*name || name[strlen(name) - 1] == '/' || strncmp(name, "__MACOSX", 8) == 0) continue;
        status = dcnn_names_add(members, name, strlen(name));
    }
    zip_discard(archive);
    return status;
}

static dcnn_status read_member(zip_t *archive, const char *aside, const char *path, const char *member, void **memory,
                               size_t *length, size_t *mapped) {
    zip_stat_t about;
    if (zip_stat(archive, member, 0, &about) != 0 || !(about.valid & ZIP_STAT_SIZE) || about.size > SIZE_MAX / 2)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its file %s cannot be read: %s", path, member, zip_strerror(archive));
    *length = (size_t)about.size;
    DCNN_TRY(dcnn_spill_take(aside, path, *length + 1, memory, mapped));
    uint8_t *bytes = *memory;
    zip_file_t *file = zip_fopen(archive, member, 0);
    if (!file)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its file %s cannot be read: %s", path, member, zip_strerror(archive));
    size_t used = 0;
    zip_int64_t got = 1;
    while (used < *length && got > 0) {
        got = zip_fread(file, bytes + used, *length - used < PART_BYTES ? *length - used : PART_BYTES);
        if (got > 0) used += (size_t)got;
        dcnn_spill_forget(*memory, *mapped);
    }
    char rest;
    const bool whole = used == *length && zip_fread(file, &rest, 1) == 0; /* the checksum is compared at the end */
    dcnn_status status = DCNN_OK;
    if (!whole)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: its file %s: %s; use another copy", path, member,
                           got < 0 || used == *length ? zip_file_strerror(file) : "it ends too early");
    zip_fclose(file);
    bytes[*length] = 0;
    return status;
}

dcnn_status dcnn_zip_read(const char *aside, const char *path, const char *member, void **memory, size_t *length,
                          size_t *mapped) {
    zip_t *archive;
    *memory = NULL;
    *length = *mapped = 0;
    DCNN_TRY(open_archive(path, &archive));
    const dcnn_status status = read_member(archive, aside, path, member, memory, length, mapped);
    zip_discard(archive);
    if (status != DCNN_OK) {
        dcnn_spill_release(*memory, *mapped);
        *memory = NULL;
        *mapped = 0;
    }
    return status;
}

dcnn_status dcnn_zip_read_only_one(const char *aside, const char *path, char **member, void **memory, size_t *length,
                                   size_t *mapped) {
    dcnn_names members = {0};
    *member = NULL;
    *memory = NULL;
    *mapped = 0;
    dcnn_status status = dcnn_zip_list(path, &members);
    if (status == DCNN_OK && members.count == 0)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: a zip archive without files", path);
    if (status == DCNN_OK && members.count > 1)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: a zip archive of %lld files (%s, %s, ...); unpack it and name them",
                           path, (long long)members.count, members.text[0], members.text[1]);
    if (status == DCNN_OK) status = dcnn_zip_read(aside, path, members.text[0], memory, length, mapped);
    if (status == DCNN_OK && !(*member = strdup(members.text[0])))
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    dcnn_names_free(&members);
    return status;
}
