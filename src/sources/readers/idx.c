/* SPDX-License-Identifier: BSD-3-Clause */
/* idx.c — IDX, the format of the MNIST database (yann.lecun.com/exdb/mnist): two zero bytes, the type of the values,
 * the number of dimensions, each dimension as a big-endian uint32, the values, big-endian too. */
#include <stdlib.h>
#include <string.h>

#include "io/kind.h"
#include "io/spill.h"
#include "sources/readers/array.h"

static uint32_t get_big(const uint8_t *from) {
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static bool find_type(uint8_t code, dcnn_array *a) {
    static const struct {
        uint8_t code, bytes;
        dcnn_number_kind kind;
    } types[] = {{0x08, 1, DCNN_NUMBER_UNSIGNED}, {0x09, 1, DCNN_NUMBER_SIGNED}, {0x0b, 2, DCNN_NUMBER_SIGNED},
                 {0x0c, 4, DCNN_NUMBER_SIGNED},   {0x0d, 4, DCNN_NUMBER_FLOAT},  {0x0e, 8, DCNN_NUMBER_FLOAT}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].code != code) continue;
        a->kind = types[i].kind;
        a->bytes = types[i].bytes;
        return true;
    }
    return false;
}

static dcnn_status parse(dcnn_array *a, const uint8_t *bytes, size_t length) {
    /* whoever comes here has seen such a beginning (io/kind.h), but the file may have changed since */
    if (length < 4 || bytes[0] != 0 || bytes[1] != 0 || !find_type(bytes[2], a) || bytes[3] < 1 ||
        bytes[3] > DCNN_ARRAY_RANK)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is not an IDX file", a->name);
    a->rank = bytes[3];
    a->swapped = true;
    const size_t header = 4 + 4 * (size_t)a->rank;
    if (length < header)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has only %zu bytes, but its IDX header needs %zu", a->name, length,
                         header);
    const char *what = a->rank > 1 ? "pixels" : "labels";
    size_t total = (size_t)a->bytes;
    for (int i = 0; i < a->rank; i++) {
        const uint32_t size = get_big(bytes + 4 + 4 * i);
        if (size == 0)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds no %s (dimension %d is 0)", a->name,
                             a->rank > 1 ? "images" : "labels", i + 1);
        if (size > INT32_MAX || __builtin_mul_overflow(total, size, &total))
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: dimension %d is %u, too large to be right; the header is damaged",
                             a->name, i + 1, size);
        a->shape[i] = size;
    }
    dcnn_array_stride(a, false);
    a->data = bytes + header;
    if (length - header == total) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds %zu bytes of %s, but its header says %zu: the file is %s", a->name,
                     length - header, what, total, length - header < total ? "cut" : "too long");
}

dcnn_status dcnn_idx_read(const char *path, dcnn_array_list *arrays) {
    const char *slash = strrchr(path, '/');
    dcnn_array *a = dcnn_array_list_add(arrays);
    if (!a) return DCNN_FAILURE;
    a->name = strdup(path);
    a->word = strdup(slash ? slash + 1 : path);
    if (!a->name || !a->word) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    size_t length;
    DCNN_TRY(dcnn_spill_read(arrays->aside, path, &a->memory, &length, &a->mapped_bytes));
    return parse(a, a->memory, length);
}
