/* SPDX-License-Identifier: BSD-3-Clause */
/* idx.c — IDX, the format of the MNIST database (http://yann.lecun.com/exdb/mnist): two zero bytes, the type of the
 * values (8: unsigned byte), the number of dimensions, each dimension as a big-endian uint32, the values. */
#include "io/images.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "io/file.h"
#include "io/input.h"

enum { MAGIC_LABELS = 0x801, MAGIC_IMAGES = 0x803, MAGIC_IMAGES_CHANNELS = 0x804 };

static uint32_t get_big(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* What a file that is not what we want seems to be. */
static const char *describe(const uint8_t *bytes, uint32_t magic) {
    switch (magic) {
    case MAGIC_LABELS:
        return "an IDX file of labels";
    case MAGIC_IMAGES:
    case MAGIC_IMAGES_CHANNELS:
        return "an IDX file of images";
    case 0x89504e47:
        return "a PNG image";
    case 0x89484446:
        return "an HDF5 file";
    case 0x504b0304:
        return "a ZIP archive";
    default:
        break;
    }
    if (magic >> 16 == 0x1f8b) return "gzipped twice";
    if (magic >> 16 == 0xffd8) return "a JPEG image";
    if (magic >> 16 == 0 && (magic >> 8 & 0xff) >= 8 && (magic >> 8 & 0xff) <= 14)
        return "an IDX file of other values or dimensions";
    for (int i = 0; i < 4; i++)
        if (bytes[i] < 0x20 || bytes[i] > 0x7e) return "no IDX file";
    return "a text file";
}

/* Checks magic, dimensions and length; the values begin behind 4 + 4 * rank bytes. */
static dcnn_status check_header(const char *path, const uint8_t *bytes, size_t length, bool images, int dims[4]) {
    if (length < 4) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has only %zu bytes, an IDX header needs more", path, length);
    uint32_t magic = get_big(bytes);
    if (images ? magic != MAGIC_IMAGES && magic != MAGIC_IMAGES_CHANNELS : magic != MAGIC_LABELS)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is %s (magic number 0x%08x), expected an IDX file of %s", path,
                         describe(bytes, magic), magic,
                         images ? "images (0x00000803 or 0x00000804)" : "labels (0x00000801)");
    int rank = (int)(magic & 0xff);
    size_t header = 4 + 4 * (size_t)rank, total = 1;
    if (length < header)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has only %zu bytes, its IDX header needs %zu", path, length, header);
    for (int i = 0; i < rank; i++) {
        uint32_t size = get_big(bytes + 4 + 4 * i);
        if (size == 0)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds no %s (dimension %d is 0)", path, images ? "images" : "labels",
                             i + 1);
        if (size > INT32_MAX || __builtin_mul_overflow(total, size, &total))
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: dimension %d is %u, too large to be right; the header is damaged",
                             path, i + 1, size);
        dims[i] = (int)size;
    }
    if (length - header != total)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds %zu bytes of %s, its header says %zu: the file is %s", path,
                         length - header, images ? "pixels" : "labels", total,
                         length - header < total ? "cut" : "too long");
    return DCNN_OK;
}

void dcnn_images_free(dcnn_images *images) {
    free(images->pixels);
    free(images->labels);
    *images = (dcnn_images){0};
}

dcnn_status dcnn_idx_read_images(const char *path, dcnn_images *images) {
    *images = (dcnn_images){0};
    uint8_t *bytes;
    size_t length;
    int dims[4] = {0, 0, 0, 1};
    DCNN_TRY(dcnn_file_read(path, &bytes, &length));
    dcnn_status status = check_header(path, bytes, length, true, dims);
    if (status != DCNN_OK) {
        free(bytes);
        return status;
    }
    size_t header = 4 + 4 * (size_t)(get_big(bytes) & 0xff);
    memmove(bytes, bytes + header, length - header);
    *images = (dcnn_images){.count = dims[0], .h = dims[1], .w = dims[2], .c = dims[3], .pixels = bytes};
    return DCNN_OK;
}

dcnn_status dcnn_idx_read_labels(const char *path, dcnn_images *images) {
    uint8_t *bytes;
    size_t length;
    int dims[4];
    int32_t *labels = NULL;
    DCNN_TRY(dcnn_file_read(path, &bytes, &length));
    dcnn_status status = check_header(path, bytes, length, false, dims);
    if (status != DCNN_OK) goto done;
    if (dims[0] != images->count) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds %d labels for %lld images; the two files do not belong together",
                           path, dims[0], (long long)images->count);
        goto done;
    }
    labels = malloc((size_t)dims[0] * sizeof *labels);
    if (!labels) {
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %d labels", path, dims[0]);
        goto done;
    }
    for (int i = 0; i < dims[0]; i++) labels[i] = bytes[8 + i];
    free(images->labels);
    images->labels = labels;
done:
    free(bytes);
    return status;
}

int dcnn_idx_rank(const char *path) {
    uint8_t magic[4];
    gzFile file = dcnn_input_is_file(path) ? gzopen(path, "rb") : NULL; /* reads what is not gzipped as it is */
    if (!file) return 0;
    int got = gzread(file, magic, sizeof magic);
    gzclose(file);
    return got == 4 && magic[0] == 0 && magic[1] == 0 && magic[2] == 8 && magic[3] <= 4 ? magic[3] : 0;
}

bool dcnn_is_idx(const char *path) {
    return dcnn_idx_rank(path) > 0;
}

static char *name_if_there(const char *folder, const char *name, const char *ending) {
    size_t room = strlen(folder) + strlen(name) + strlen(ending) + 2;
    char *path = malloc(room);
    if (!path) return NULL;
    snprintf(path, room, "%s/%s%s", folder, name, ending);
    if (access(path, F_OK) == 0) return path;
    free(path);
    return NULL;
}

char *dcnn_idx_find(const char *folder, const char *name) {
    char *path = name_if_there(folder, name, "");
    if (!path) path = name_if_there(folder, name, ".gz");
    const char *dash = strstr(name, "-idx");
    if (path || !dash) return path;
    char *dotted = strdup(name);
    if (!dotted) return NULL;
    dotted[dash - name] = '.';
    path = name_if_there(folder, dotted, "");
    if (!path) path = name_if_there(folder, dotted, ".gz");
    free(dotted);
    return path;
}
