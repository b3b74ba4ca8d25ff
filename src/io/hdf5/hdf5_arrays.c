/* SPDX-License-Identifier: BSD-3-Clause */
/* hdf5_arrays.c — see hdf5_arrays.h. */
#include "io/hdf5/hdf5_arrays.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/hdf5/hdf5.h"
#include "io/hdf5/hdf5_reader.h"
#include "io/spill.h"

typedef struct listing {
    int count;
    dcnn_h5_array *arrays;
} listing;

/* h5py writes booleans as an enumeration of FALSE and TRUE. */
static bool is_bool(hid_t type) {
    if (H5Tget_class(type) != H5T_ENUM || H5Tget_nmembers(type) != 2) return false;
    char *name = H5Tget_member_name(type, 0);
    const bool is = name && strcmp(name, "FALSE") == 0;
    H5free_memory(name);
    return is;
}

static void describe_type(hid_t type, dcnn_h5_array *a) {
    a->bytes = (int)H5Tget_size(type);
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        a->kind = H5Tget_sign(type) == H5T_SGN_NONE ? DCNN_H5_UNSIGNED : DCNN_H5_SIGNED;
        break;
    case H5T_FLOAT:
        a->kind = DCNN_H5_REAL;
        if (a->bytes != 4) a->bytes = 8;
        break;
    case H5T_STRING:
        a->kind = DCNN_H5_TEXT;
        break;
    default:
        a->kind = is_bool(type) ? DCNN_H5_BOOL : DCNN_H5_OTHER;
        break;
    }
}

static herr_t add_object(hid_t file, const char *name, const H5L_info_t *info, void *to) {
    listing *all = to;
    if (all->count == DCNN_H5_ARRAYS) return 1;
    const hid_t object = H5Oopen(file, name, H5P_DEFAULT);
    if (object >= 0 && H5Iget_type(object) == H5I_DATASET && strlen(name) < sizeof all->arrays->name) {
        dcnn_h5_array *a = &all->arrays[all->count];
        *a = (dcnn_h5_array){0};
        strcpy(a->name, name);
        const hid_t type = H5Dget_type(object), space = H5Dget_space(object);
        hsize_t sizes[H5S_MAX_RANK];
        a->rank = H5Sget_simple_extent_dims(space, sizes, NULL);
        for (int i = 0; i < a->rank && i < DCNN_H5_ARRAY_RANK; i++) a->shape[i] = (int64_t)sizes[i];
        describe_type(type, a);
        if (a->rank >= 0 && a->rank <= DCNN_H5_ARRAY_RANK) all->count++;
        H5Tclose(type);
        H5Sclose(space);
    }
    if (object >= 0) H5Oclose(object);
    if (object < 0 && info->type == H5L_TYPE_HARD && strlen(name) < sizeof all->arrays->name) {
        dcnn_h5_array *a = &all->arrays[all->count++];
        *a = (dcnn_h5_array){.kind = DCNN_H5_OTHER, .rank = -1};
        strcpy(a->name, name);
    }
    return 0;
}

dcnn_status dcnn_h5_arrays_list(const char *path, int *count, dcnn_h5_array *arrays) {
    hid_t file;
    listing all = {.arrays = arrays};
    DCNN_TRY(dcnn_h5_open(path, &file, NULL));
    H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, add_object, &all);
    H5Eclear2(H5E_DEFAULT);
    *count = all.count;
    return dcnn_h5_end(file, path, DCNN_OK);
}

static hid_t memory_type(const dcnn_h5_array *a) {
    static const int rows = 4;
    const hid_t types[2][4] = {{H5T_STD_U8LE, H5T_STD_U16LE, H5T_STD_U32LE, H5T_STD_U64LE},
                               {H5T_STD_I8LE, H5T_STD_I16LE, H5T_STD_I32LE, H5T_STD_I64LE}};
    int place = 0;
    while (place < rows - 1 && 1 << place < a->bytes) place++;
    if (a->kind == DCNN_H5_REAL) return a->bytes == 4 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE;
    return types[a->kind == DCNN_H5_SIGNED][place];
}

/* Texts of either length, into fields of the longest one's. */
static dcnn_status read_texts(hid_t file, dcnn_h5_array *a, void **values) {
    int count;
    char **texts;
    DCNN_TRY(dcnn_h5_strings_read(file, a->name, &count, &texts));
    a->bytes = 1;
    for (int i = 0; i < count; i++)
        if ((int)strlen(texts[i]) > a->bytes) a->bytes = (int)strlen(texts[i]);
    char *fields = *values = calloc((size_t)count * (size_t)a->bytes + 1, 1);
    for (int i = 0; fields && i < count; i++) memcpy(fields + (size_t)i * (size_t)a->bytes, texts[i], strlen(texts[i]));
    dcnn_h5_names_free(count, texts);
    return *values ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "'%s': out of memory for its strings", a->name);
}

/* Rows that are read at a time: whole chunks, about 16 MiB of values. */
static hsize_t rows_at_once(hid_t data, const dcnn_h5_array *a, size_t length) {
    enum { AT_ONCE = 1 << 24 };
    hsize_t chunk[H5S_MAX_RANK] = {1};
    const hid_t creation = H5Dget_create_plist(data);
    if (H5Pget_layout(creation) == H5D_CHUNKED) (void)H5Pget_chunk(creation, H5S_MAX_RANK, chunk);
    H5Pclose(creation);
    const size_t row = length / (size_t)a->shape[0];
    const hsize_t rows = row > 0 ? AT_ONCE / row : 1;
    const hsize_t whole = chunk[0] > 0 ? chunk[0] : 1;
    return rows <= whole ? whole : rows / whole * whole;
}

/* All values; those that lie in pages of a file are let go part by part. @return < 0: HDF5 cannot read them */
static herr_t read_values(hid_t data, hid_t type, const dcnn_h5_array *a, size_t length, char *values, size_t mapped) {
    if (length == 0) return 0;
    if (mapped == 0 || a->rank == 0) return H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    const hsize_t rows = (hsize_t)a->shape[0], most = rows_at_once(data, a, length);
    hsize_t start[DCNN_H5_ARRAY_RANK] = {0}, count[DCNN_H5_ARRAY_RANK];
    herr_t result = 0;
    for (int i = 0; i < a->rank; i++) count[i] = (hsize_t)a->shape[i];
    for (; start[0] < rows && result >= 0; start[0] += count[0]) {
        count[0] = rows - start[0] < most ? rows - start[0] : most;
        const hid_t from = H5Dget_space(data), to = H5Screate_simple(a->rank, count, NULL);
        result = H5Sselect_hyperslab(from, H5S_SELECT_SET, start, NULL, count, NULL);
        if (result >= 0)
            result = H5Dread(data, type, to, from, H5P_DEFAULT, values + length / (size_t)rows * (size_t)start[0]);
        H5Sclose(to);
        H5Sclose(from);
        dcnn_spill_forget(values, mapped);
    }
    return result;
}

static dcnn_status read_numbers(const char *path, hid_t file, const dcnn_h5_array *a, const char *aside, void **values,
                                size_t *mapped) {
    size_t length = (size_t)a->bytes;
    for (int i = 0; i < a->rank; i++)
        if (__builtin_mul_overflow(length, (size_t)a->shape[i], &length)) length = SIZE_MAX / 2;
    DCNN_TRY(dcnn_spill_take(aside, path, length + 1, values, mapped));
    const hid_t data = H5Dopen2(file, a->name, H5P_DEFAULT);
    if (data < 0) return dcnn_h5_fail_open(file, "data set", a->name);
    hid_t type = a->kind == DCNN_H5_BOOL ? H5Dget_type(data) : H5Tcopy(memory_type(a));
    dcnn_status status = DCNN_OK;
    if (length > 0) status = dcnn_h5_check_packed(file, a->name, data, 0, H5S_UNLIMITED);
    if (status == DCNN_OK && read_values(data, type, a, length, *values, *mapped) < 0)
        status =
            dcnn_h5_fail(DCNN_BAD_INPUT, file, "data set", a->name, "cannot be read: it is damaged; use another copy");
    H5Tclose(type);
    H5Dclose(data);
    return status;
}

dcnn_status dcnn_h5_array_read(const char *path, dcnn_h5_array *array, const char *aside, void **values,
                               size_t *mapped) {
    hid_t file;
    *values = NULL;
    *mapped = 0;
    DCNN_TRY(dcnn_h5_open(path, &file, NULL));
    const dcnn_status read = array->kind == DCNN_H5_TEXT ? read_texts(file, array, values)
                                                         : read_numbers(path, file, array, aside, values, mapped);
    const dcnn_status status = dcnn_h5_end(file, path, read);
    if (status != DCNN_OK) {
        dcnn_spill_release(*values, *mapped);
        *values = NULL;
        *mapped = 0;
    }
    return status;
}
