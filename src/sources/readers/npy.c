/* SPDX-License-Identifier: BSD-3-Clause */
/* npy.c — NumPy's .npy (format 1.0 to 3.0, numpy.lib.format) and .npz, a zip of these. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/spill.h"
#include "sources/readers/array.h"
#include "sources/readers/zipped.h"

/* The text behind a key of the header, which is a Python dictionary: "{'descr': '<f4', 'fortran_order': False, …}". */
static const char *behind(const char *header, const char *key) {
    const char *at = strstr(header, key);
    return at && (at = strchr(at, ':')) ? at + 1 + strspn(at + 1, " ") : NULL;
}

static dcnn_status read_type(const char *descr, dcnn_array *a) {
    if (!descr || (*descr != '\'' && *descr != '"') || strlen(descr) < 4)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds records, not one array of numbers", a->name);
    const char order = descr[1], kind = descr[2];
    a->swapped = order == '>';
    a->bytes = atoi(descr + 3);
    static const char kinds[] = {'u', 'i', 'f', 'b', 'S', 'U'};
    a->kind = DCNN_NUMBER_OTHER;
    for (int i = 0; i < (int)sizeof kinds; i++)
        if (kind == kinds[i]) a->kind = (dcnn_number_kind)i;
    if (kind == 'O')
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: holds Python objects, and reading those may run code, so dcnn does not; in Python: "
                         "x = numpy.stack(list(x)).astype('uint8') makes an array of images, y = y.astype(str) one of "
                         "labels",
                         a->name);
    if (a->kind == DCNN_NUMBER_UCS4) a->bytes = a->bytes > 0 && a->bytes <= 1 << 14 ? 4 * a->bytes : 0;
    const bool number = a->bytes == 1 || a->bytes == 2 || a->bytes == 4 || a->bytes == 8;
    const bool right = a->kind == DCNN_NUMBER_FLOAT  ? number && a->bytes > 1
                       : a->kind <= DCNN_NUMBER_BOOL ? number
                                                     : a->bytes > 0 && a->bytes <= 1 << 16;
    if (a->kind == DCNN_NUMBER_OTHER || !right)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: holds values of NumPy's type '%.*s', which are neither numbers nor strings", a->name,
                         (int)strcspn(descr + 1, "'\""), descr + 1);
    return DCNN_OK;
}

static dcnn_status read_shape(const char *shape, dcnn_array *a) {
    if (!shape || *shape != '(') return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged NumPy array: no shape", a->name);
    for (shape++; *shape && *shape != ')';) {
        char *end;
        const long long size = strtoll(shape, &end, 10);
        if (end == shape || size < 0 || a->rank == DCNN_ARRAY_RANK)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged NumPy array: its shape cannot be read", a->name);
        a->shape[a->rank++] = size;
        shape = end + strspn(end, ", ");
    }
    return DCNN_OK;
}

/* Fills an array whose name and memory are set. */
static dcnn_status parse(dcnn_array *a, const uint8_t *bytes, size_t length) {
    if (length < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is not a NumPy array", a->name);
    const bool is_short = bytes[6] == 1;
    size_t header = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (!is_short) header |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    const size_t begin = is_short ? 10 : 12;
    if (header > length - begin)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a damaged NumPy array: it ends too early", a->name);
    char *text = strndup((const char *)bytes + begin, header);
    if (!text) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", a->name);
    const char *order = behind(text, "'fortran_order'");
    dcnn_status status = read_type(behind(text, "'descr'"), a);
    if (status == DCNN_OK) status = read_shape(behind(text, "'shape'"), a);
    if (status == DCNN_OK) dcnn_array_stride(a, order && *order == 'T');
    free(text);
    DCNN_TRY(status);
    int64_t count = dcnn_array_count(a), need;
    a->data = bytes + begin + header;
    const size_t left = length - begin - header;
    if (count < 0 || __builtin_mul_overflow(count, (int64_t)a->bytes, &need) || (uint64_t)need != left)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: a damaged NumPy array: it has %zu bytes of values, but its header says %lld of %d",
                         a->name, left, (long long)count, a->bytes);
    return DCNN_OK;
}

static char *stem_of(const char *path) {
    const char *slash = strrchr(path, '/'), *begin = slash ? slash + 1 : path, *dot = strrchr(begin, '.');
    return dot ? strndup(begin, (size_t)(dot - begin)) : strdup(begin);
}

dcnn_status dcnn_npy_read(const char *path, dcnn_array_list *arrays) {
    dcnn_array *a = dcnn_array_list_add(arrays);
    if (!a) return DCNN_FAILURE;
    a->name = strdup(path);
    a->word = stem_of(path);
    if (!a->name || !a->word) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    size_t length;
    DCNN_TRY(dcnn_spill_read(arrays->aside, path, &a->memory, &length, &a->mapped_bytes));
    return parse(a, a->memory, length);
}

dcnn_status dcnn_npz_read(const char *path, dcnn_array_list *arrays) {
    dcnn_names members = {0};
    char *why = NULL;
    dcnn_status status = dcnn_zip_list(path, &members);
    for (int64_t i = 0; i < members.count && status == DCNN_OK; i++) {
        const char *member = members.text[i];
        dcnn_array *a = dcnn_array_list_add(arrays);
        if (!a) {
            status = DCNN_FAILURE;
            break;
        }
        char *stem = stem_of(member), *file = stem_of(path);
        /* KMNIST: what a lone array is for stands in the file's name */
        a->word = strdup(members.count == 1 && file ? file : stem ? stem : "");
        if (!stem || !file || !a->word || asprintf(&a->name, "%s: %s", path, stem) < 0)
            status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
        free(stem);
        free(file);
        size_t length = 0;
        if (status == DCNN_OK)
            status = dcnn_zip_read(arrays->aside, path, member, &a->memory, &length, &a->mapped_bytes);
        if (status == DCNN_OK) status = parse(a, a->memory, length);
        if (status == DCNN_BAD_INPUT && arrays->unlabelled && a->kind == DCNN_NUMBER_OTHER) {
            /* labels as Python objects are no hindrance where none are looked for */
            if (!why) why = strdup(dcnn_error());
            a->rank = 0;
            status = DCNN_OK;
        }
    }
    bool any = false;
    for (int i = 0; i < arrays->count; i++)
        any = any || (arrays->items[i].kind != DCNN_NUMBER_OTHER && dcnn_array_is_images(&arrays->items[i]));
    if (status == DCNN_OK && why && !any) status = DCNN_FAIL(DCNN_BAD_INPUT, "%s", why);
    free(why);
    if (status == DCNN_OK && members.count == 0) status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds no arrays", path);
    dcnn_names_free(&members);
    return status;
}
