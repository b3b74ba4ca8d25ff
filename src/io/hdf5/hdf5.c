/* SPDX-License-Identifier: BSD-3-Clause */
/* hdf5.c — HDF5 files and groups, and what HDF5 says when a call fails. */
#include "io/hdf5/hdf5.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/file.h"
#include "io/hdf5/hdf5_file.h"
#include "io/hdf5/hdf5_reader.h"
#include "io/input.h"
#include "io/kind.h"

enum { SMALLEST_IMAGE_BYTES = 1 << 16 };

/* Of files in memory: HDF5 opens a file of the name to be created, if there is one, and reads it whole into memory. No
 * file is below this one. Messages do without. */
#define NOWHERE "/dev/null/"

/* --- errors ----------------------------------------------------------------------------------------------------- */

static herr_t keep_description(unsigned depth, const H5E_error2_t *error, void *text) {
    (void)depth;
    snprintf(text, 160, "%s", error->desc ? error->desc : "");
    return 1; /* the first is the innermost, and says most: stop */
}

/* Must come before any other call, each of which clears HDF5's error stack. */
static void last_reason(char reason[160]) {
    reason[0] = '\0';
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_description, reason);
}

dcnn_status dcnn_h5_fail(dcnn_status code, hid_t where, const char *kind, const char *name, const char *format, ...) {
    char reason[160], text[400], file[300] = "HDF5", group[200] = "";
    last_reason(reason);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    H5Fget_name(where, file, sizeof file);
    const char *name_of_file = strncmp(file, NOWHERE, sizeof NOWHERE - 1) == 0 ? file + sizeof NOWHERE - 1 : file;
    H5Iget_name(where, group, sizeof group);
    bool inside = group[0] != '\0' && strcmp(group, "/") != 0;
    if (strstr(text, "another copy")) reason[0] = '\0'; /* what HDF5 met inside helps nobody then */
    return DCNN_FAIL(code, "%s: %s '%s'%s%s %s%s%s%s", name_of_file, kind, name, inside ? " of " : "",
                     inside ? group : "", text, reason[0] ? " (HDF5: " : "", reason, reason[0] ? ")" : "");
}

dcnn_status dcnn_h5_fail_file(dcnn_status code, const char *name, const char *what) {
    char reason[160];
    last_reason(reason);
    return DCNN_FAIL(code, "%s: %s%s%s%s", name, what, reason[0] ? " (HDF5: " : "", reason, reason[0] ? ")" : "");
}

dcnn_status dcnn_h5_fail_open(hid_t where, const char *kind, const char *name) {
    char reason[160], version[32], path[300] = "old.h5";
    last_reason(reason);
    if (!strstr(reason, "version number")) return dcnn_h5_fail(DCNN_BAD_INPUT, where, kind, name, "cannot be opened");
    H5Fget_name(where, path, sizeof path);
    return DCNN_FAIL(
        DCNN_BAD_INPUT,
        "%s: its %s '%s' was written by a newer HDF5 than this one (%s), in a form that it does not know "
        "(libver='latest'); in Python: a = h5py.File('%s'); b = h5py.File('new.h5', 'w'); "
        "b.attrs.update(a.attrs); a.visititems(lambda n, d: (b.create_dataset(n, data=d[()]) if hasattr(d, "
        "'shape') else b.require_group(n)).attrs.update(d.attrs)); b.close()",
        path, kind, name, dcnn_hdf5_version(version), path);
}

dcnn_status dcnn_h5_fail_version(hid_t where, const char *path, int64_t version, int latest) {
    char *author = NULL;
    const bool signed_by =
        dcnn_h5_attribute_has(where, "created_by") && dcnn_h5_text_read(where, "created_by", &author) == DCNN_OK;
    const dcnn_status status = DCNN_FAIL(
        DCNN_BAD_INPUT,
        "%s: has format version %lld, this dcnn (" DCNN_VERSION ") reads versions 1 to %d: read it with %s%.60s", path,
        (long long)version, latest, signed_by ? "who wrote it, " : "a newer one", signed_by ? author : "");
    free(author);
    return status;
}

/* --- files ------------------------------------------------------------------------------------------------------ */

hid_t dcnn_h5_access(void) {
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0) return access;
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG); /* a group left open on an error path must not keep the file open */
#if (H5_VERS_MAJOR == 1 && H5_VERS_MINOR == 10 && H5_VERS_RELEASE >= 7) || H5_VERSION_GE(1, 12, 1)
    H5Pset_file_locking(access, false, true);
#else
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
#endif
    return access;
}

/* Does nothing stand behind HDF5's end but a seal? Only so a file passes as unsealed that has lost part of its seal. */
static dcnn_status check_end(hid_t file, const char *path, int64_t size, dcnn_seal seal) {
    haddr_t end;
    if (H5Fget_eoa(file, &end) < 0) return dcnn_h5_fail_file(DCNN_BAD_INPUT, path, "cannot be read");
    uint64_t expected = (uint64_t)end + dcnn_seal_bytes(seal);
    if ((uint64_t)size != expected)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: damaged: it has %lld bytes, but should have %llu (cut or lengthened); use another copy",
                         path, (long long)size, (unsigned long long)expected);
    return DCNN_OK;
}

/* Why HDF5 does not open a file: most often it is another one altogether. */
static dcnn_status fail_open(const char *path) {
    const dcnn_kind_id kind = dcnn_kind_of_file(path);
    if (kind == DCNN_KIND_HDF5)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is a damaged HDF5 file, or one of a newer kind; use another copy", path);
    if (kind == DCNN_KIND_UNKNOWN)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is not an HDF5 file, or is damaged; use another copy", path);
    return dcnn_kind_fail(path, kind, "an HDF5 file (a data set or a model)");
}

static dcnn_status open_checked(const char *path, int descriptor, int64_t size, dcnn_seal seal, bool believe,
                                hid_t *file) {
    *file = dcnn_h5_reader_open(path, descriptor);
    dcnn_status status = *file < 0 ? fail_open(path) : check_end(*file, path, size, seal);
    if (status == DCNN_OK && !believe) status = dcnn_h5_check_links(*file, path);
    status = dcnn_h5_blame(path, status);
    if (status != DCNN_OK) {
        dcnn_h5_close(*file);
        *file = H5I_INVALID_HID;
    }
    return status;
}

static dcnn_status open_file(const char *path, bool believe, hid_t *file, uint64_t *checksum) {
    *file = H5I_INVALID_HID;
    if (checksum) *checksum = 0;
    int descriptor;
    int64_t size;
    dcnn_seal seal = DCNN_SEAL_NONE;
    DCNN_TRY(dcnn_input_open(path, false, &descriptor, &size));
    dcnn_status status = size == 0 ? DCNN_FAIL(DCNN_BAD_INPUT, "%s: the file is empty", path) : DCNN_OK;
    if (status == DCNN_OK) status = (believe ? dcnn_seal_find : dcnn_seal_verify)(descriptor, path, &seal, checksum);
    if (status == DCNN_OK && seal == DCNN_SEAL_NONE && !believe) status = dcnn_h5_try(path, descriptor);
    if (status == DCNN_OK) status = open_checked(path, descriptor, size, seal, believe, file);
    close(descriptor);
    return status;
}

dcnn_status dcnn_h5_open(const char *path, hid_t *file, uint64_t *checksum) {
    return open_file(path, false, file, checksum);
}

dcnn_status dcnn_h5_reopen(const char *path, hid_t *file, uint64_t *checksum) {
    return open_file(path, true, file, checksum);
}

dcnn_status dcnn_h5_create(const char *name, size_t expected_bytes, hid_t *file) {
    hid_t access = dcnn_h5_access();
    H5Pset_fapl_core(access, expected_bytes > SMALLEST_IMAGE_BYTES ? expected_bytes : SMALLEST_IMAGE_BYTES, false);
    char *nowhere = NULL;
    *file = asprintf(&nowhere, NOWHERE "%s", name) < 0 ? -1 : H5Fcreate(nowhere, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    free(nowhere);
    dcnn_status status = *file < 0 ? dcnn_h5_fail_file(DCNN_FAILURE, name, "cannot be made in memory") : DCNN_OK;
    H5Pclose(access);
    return status;
}

dcnn_status dcnn_h5_image(hid_t file, const void **bytes, size_t *length) {
    void **memory = NULL;
    ssize_t used = -1;
    /* H5Fget_file_image() would copy; the core driver's handle is a pointer to its memory, which may be longer */
    if (H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 || (used = H5Fget_file_image(file, NULL, 0)) < 0 ||
        H5Fget_vfd_handle(file, H5P_DEFAULT, (void **)&memory) < 0)
        return dcnn_h5_fail(DCNN_FAILURE, file, "file", "in memory", "cannot be finished");
    *bytes = *memory;
    *length = (size_t)used;
    return DCNN_OK;
}

/* A file without a name that holds these bytes. @return its descriptor; -1: errno says why */
static int memory_file(const char *bytes, size_t length) {
    const int descriptor = memfd_create("dcnn", MFD_CLOEXEC);
    while (descriptor >= 0 && length > 0) {
        const ssize_t put = write(descriptor, bytes, length);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            close(descriptor);
            return -1;
        }
        bytes += put;
        length -= (size_t)put;
    }
    return descriptor;
}

dcnn_status dcnn_h5_open_image(const char *name, const void *bytes, size_t length, hid_t *file) {
    *file = H5I_INVALID_HID;
    const int descriptor = memory_file(bytes, length);
    if (descriptor < 0) return DCNN_FAIL(DCNN_FAILURE, "%s: cannot be held in memory: %s", name, strerror(errno));
    dcnn_status status = dcnn_h5_try(name, descriptor);
    if (status == DCNN_OK) *file = dcnn_h5_reader_open(name, descriptor);
    if (status == DCNN_OK && *file < 0)
        status = dcnn_h5_fail_file(DCNN_BAD_INPUT, name, "is not an HDF5 file, or is damaged");
    if (status == DCNN_OK) status = dcnn_h5_check_links(*file, name);
    if (status != DCNN_OK) {
        dcnn_h5_close(*file);
        *file = H5I_INVALID_HID;
    }
    close(descriptor);
    return status;
}

void dcnn_h5_close(hid_t file) {
    if (file >= 0) H5Fclose(file);
}

/* --- groups ----------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_h5_group_create(hid_t where, const char *name, hid_t *group) {
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t made = H5Gcreate2(where, name, links, H5P_DEFAULT, H5P_DEFAULT);
    dcnn_status status = made < 0 ? dcnn_h5_fail(DCNN_FAILURE, where, "group", name, "cannot be made") : DCNN_OK;
    H5Pclose(links);
    if (group)
        *group = made;
    else
        dcnn_h5_group_close(made);
    return status;
}

dcnn_status dcnn_h5_group_open(hid_t where, const char *name, hid_t *group) {
    *group = H5I_INVALID_HID;
    if (!dcnn_h5_has(where, name)) {
        H5Eclear2(H5E_DEFAULT);
        return dcnn_h5_fail(DCNN_BAD_INPUT, where, "group", name, "is missing");
    }
    *group = H5Gopen2(where, name, H5P_DEFAULT);
    if (*group < 0) return dcnn_h5_fail(DCNN_BAD_INPUT, where, "group", name, "cannot be opened");
    return DCNN_OK;
}

void dcnn_h5_group_close(hid_t group) {
    if (group >= 0) H5Gclose(group);
}

bool dcnn_h5_has(hid_t where, const char *name) {
    /* a missing group on the way is an error to HDF5, and a plain no to us */
    return H5Lexists(where, name, H5P_DEFAULT) > 0 && H5Oexists_by_name(where, name, H5P_DEFAULT) > 0;
}

dcnn_status dcnn_h5_list(hid_t where, const char *name, int *count, char ***names) {
    *count = 0;
    *names = NULL;
    hid_t group;
    DCNN_TRY(dcnn_h5_group_open(where, name, &group));
    H5G_info_t about;
    dcnn_status status = DCNN_OK;
    if (H5Gget_info(group, &about) < 0 || about.nlinks > 1 << 20) {
        status = dcnn_h5_fail(DCNN_BAD_INPUT, where, "group", name, "cannot be listed");
        goto done;
    }
    *names = calloc((size_t)about.nlinks + 1, sizeof **names);
    for (hsize_t i = 0; *names && i < about.nlinks; i++) {
        ssize_t length = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, NULL, 0, H5P_DEFAULT);
        char *text = length < 0 ? NULL : malloc((size_t)length + 1);
        if (!text) break;
        H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, text, (size_t)length + 1, H5P_DEFAULT);
        (*names)[(*count)++] = text;
    }
    if (!*names || (hsize_t)*count < about.nlinks) {
        status = dcnn_h5_fail(DCNN_FAILURE, where, "group", name, "cannot be listed: out of memory or damaged");
        dcnn_h5_names_free(*count, *names);
        *names = NULL;
        *count = 0;
    }
done:
    dcnn_h5_group_close(group);
    return status;
}

/* --- what a file holds ------------------------------------------------------------------------------------------ */

dcnn_status dcnn_hdf5_look(const char *path, dcnn_hdf5_content *content) {
    hid_t file;
    DCNN_TRY(dcnn_h5_open(path, &file, NULL));
    const dcnn_hdf5_content images = dcnn_h5_attribute_has(file, "format") ? DCNN_HDF5_DATASET : DCNN_HDF5_IMAGES;
    *content = dcnn_h5_has(file, "images")                                ? images
               : dcnn_h5_attribute_has(file, "model_config")              ? DCNN_HDF5_MODEL
               : dcnn_h5_has(file, "layers") && dcnn_h5_has(file, "vars") ? DCNN_HDF5_WEIGHTS
                                                                          : DCNN_HDF5_OTHER;
    return dcnn_h5_end(file, path, DCNN_OK);
}

bool dcnn_hdf5_has_attribute(const char *path, const char *name) {
    hid_t file;
    if (dcnn_h5_open(path, &file, NULL) != DCNN_OK) return false;
    const bool has = dcnn_h5_attribute_has(file, name);
    return dcnn_h5_end(file, path, DCNN_OK) == DCNN_OK && has;
}

const char *dcnn_hdf5_version(char text[32]) {
    unsigned major, minor, release;
    H5get_libversion(&major, &minor, &release);
    snprintf(text, 32, "%u.%u.%u", major, minor, release);
    return text;
}
