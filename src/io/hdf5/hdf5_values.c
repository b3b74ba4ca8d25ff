/* SPDX-License-Identifier: BSD-3-Clause */
/* hdf5_values.c — attributes and data sets: numbers and strings. */
#include "io/hdf5/hdf5.h"
#include "io/hdf5/hdf5_reader.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* An attribute or a data set, open: the two differ only in which call reads them. */
typedef struct source {
    hid_t where, id, type, space;
    const char *kind, *name;
    bool is_attribute;
} source;

static hid_t type_on_disk(dcnn_h5_type type) {
    switch (type) {
    case DCNN_H5_UINT8:
        return H5T_STD_U8LE;
    case DCNN_H5_INT32:
        return H5T_STD_I32LE;
    case DCNN_H5_INT64:
        return H5T_STD_I64LE;
    case DCNN_H5_UINT64:
        return H5T_STD_U64LE;
    case DCNN_H5_FLOAT:
        return H5T_IEEE_F32LE;
    case DCNN_H5_DOUBLE:
        return H5T_IEEE_F64LE;
    }
    return H5I_INVALID_HID;
}

static hid_t type_in_memory(dcnn_h5_type type) {
    switch (type) {
    case DCNN_H5_UINT8:
        return H5T_NATIVE_UINT8;
    case DCNN_H5_INT32:
        return H5T_NATIVE_INT32;
    case DCNN_H5_INT64:
        return H5T_NATIVE_INT64;
    case DCNN_H5_UINT64:
        return H5T_NATIVE_UINT64;
    case DCNN_H5_FLOAT:
        return H5T_NATIVE_FLOAT;
    case DCNN_H5_DOUBLE:
        return H5T_NATIVE_DOUBLE;
    }
    return H5I_INVALID_HID;
}

static const char *type_name(dcnn_h5_type type) {
    static const char *const names[] = {"uint8", "int32", "int64", "uint64", "float32", "float64"};
    return names[type];
}

/* --- opening ---------------------------------------------------------------------------------------------------- */

static void close_source(source *from) {
    if (from->type >= 0) H5Tclose(from->type);
    if (from->space >= 0) H5Sclose(from->space);
    if (from->id >= 0 && from->is_attribute)
        H5Aclose(from->id);
    else if (from->id >= 0)
        H5Dclose(from->id);
}

static dcnn_status open_source(hid_t where, bool is_attribute, const char *name, source *from) {
    *from = (source){.where = where,
                     .id = -1,
                     .type = -1,
                     .space = -1,
                     .name = name,
                     .is_attribute = is_attribute,
                     .kind = is_attribute ? "attribute" : "data set"};
    if (!(is_attribute ? dcnn_h5_attribute_has(where, name) : dcnn_h5_has(where, name))) {
        H5Eclear2(H5E_DEFAULT);
        return dcnn_h5_fail(DCNN_BAD_INPUT, where, from->kind, name, "is missing");
    }
    if (is_attribute) {
        from->id = H5Aopen(where, name, H5P_DEFAULT);
    } else {
        hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
        H5Pset_chunk_cache(access, 1, 0,
                           0); /* whole data sets are read: the cache would only copy each chunk once more */
        from->id = H5Dopen2(where, name, access);
        const hid_t reasons = H5Eget_current_stack(); /* the next call would clear them */
        H5Pclose(access);
        H5Eset_current_stack(reasons);
    }
    if (from->id >= 0) {
        from->type = is_attribute ? H5Aget_type(from->id) : H5Dget_type(from->id);
        from->space = is_attribute ? H5Aget_space(from->id) : H5Dget_space(from->id);
    }
    if (from->id >= 0 && from->type >= 0 && from->space >= 0) return DCNN_OK;
    dcnn_status status = dcnn_h5_fail_open(where, from->kind, name);
    close_source(from);
    return status;
}

static dcnn_status read_source(const source *from, hid_t memory_type, void *values) {
    if (!from->is_attribute) DCNN_TRY(dcnn_h5_check_packed(from->where, from->name, from->id, 0, H5S_UNLIMITED));
    herr_t result = from->is_attribute ? H5Aread(from->id, memory_type, values)
                                       : H5Dread(from->id, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    if (result < 0)
        return dcnn_h5_fail(DCNN_BAD_INPUT, from->where, from->kind, from->name,
                            "cannot be read: it is damaged; use another copy");
    return DCNN_OK;
}

static dcnn_status source_shape(const source *from, int *rank, int64_t *shape) {
    hsize_t sizes[H5S_MAX_RANK];
    *rank = H5Sget_simple_extent_ndims(from->space);
    if (*rank < 0 || *rank > DCNN_H5_MAX_RANK || H5Sget_simple_extent_dims(from->space, sizes, NULL) < 0)
        return dcnn_h5_fail(DCNN_BAD_INPUT, from->where, from->kind, from->name, "has more than %d dimensions",
                            DCNN_H5_MAX_RANK);
    for (int i = 0; i < *rank; i++) {
        if (sizes[i] > INT64_MAX)
            return dcnn_h5_fail(DCNN_BAD_INPUT, from->where, from->kind, from->name, "is impossibly large");
        shape[i] = (int64_t)sizes[i];
    }
    return DCNN_OK;
}

/* HDF5 clips what does not fit and says nothing: only types whose every value fits are let through. */
static bool converts_exactly(hid_t from, hid_t to) {
    H5T_class_t kind = H5Tget_class(from);
    if (kind != H5Tget_class(to)) return false;
    if (kind == H5T_FLOAT) return true;
    bool from_signed = H5Tget_sign(from) != H5T_SGN_NONE, to_signed = H5Tget_sign(to) != H5T_SGN_NONE;
    size_t from_bytes = H5Tget_size(from), to_bytes = H5Tget_size(to);
    if (from_signed == to_signed) return from_bytes <= to_bytes;
    return to_signed && from_bytes < to_bytes;
}

static dcnn_status check_type(const source *from, dcnn_h5_type type) {
    if (converts_exactly(from->type, type_in_memory(type))) return DCNN_OK;
    H5Eclear2(H5E_DEFAULT);
    return dcnn_h5_fail(DCNN_BAD_INPUT, from->where, from->kind, from->name, "does not hold numbers that fit %s",
                        type_name(type));
}

static dcnn_status read_numbers(const source *from, dcnn_h5_type type, void *values) {
    DCNN_TRY(check_type(from, type));
    return read_source(from, type_in_memory(type), values);
}

/* --- numbers ---------------------------------------------------------------------------------------------------- */

bool dcnn_h5_attribute_has(hid_t where, const char *name) {
    return H5Aexists(where, name) > 0;
}

/* Makes an attribute and writes it; takes the ids of type and space over. */
static dcnn_status put_attribute(hid_t where, const char *name, hid_t disk_type, hid_t memory_type, hid_t space,
                                 const void *values) {
    if (dcnn_h5_attribute_has(where, name)) H5Adelete(where, name);
    hid_t attribute = H5Acreate2(where, name, disk_type, space, H5P_DEFAULT, H5P_DEFAULT);
    dcnn_status status = DCNN_OK;
    /* HDF5 wants a pointer even for no values at all */
    if (attribute < 0 || H5Awrite(attribute, memory_type, values ? values : "") < 0)
        status = dcnn_h5_fail(DCNN_FAILURE, where, "attribute", name, "cannot be written");
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
    return status;
}

static hid_t space_of(int count) {
    return count < 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &(hsize_t){(hsize_t)count}, NULL);
}

dcnn_status dcnn_h5_attribute_write(hid_t where, const char *name, dcnn_h5_type type, int count, const void *values) {
    return put_attribute(where, name, type_on_disk(type), type_in_memory(type), space_of(count), values);
}

dcnn_status dcnn_h5_attribute_read(hid_t where, const char *name, dcnn_h5_type type, int count, void *values) {
    source from;
    DCNN_TRY(open_source(where, true, name, &from));
    dcnn_status status;
    hssize_t found = H5Sget_simple_extent_npoints(from.space), wanted = count < 0 ? 1 : count;
    if (found != wanted)
        status = dcnn_h5_fail(DCNN_BAD_INPUT, where, from.kind, name, "has %lld values instead of %lld",
                              (long long)found, (long long)wanted);
    else
        status = read_numbers(&from, type, values);
    close_source(&from);
    return status;
}

/* Makes a data set and writes it; takes the id of the space over. */
static dcnn_status put_data(hid_t where, const char *name, hid_t disk_type, hid_t memory_type, hid_t space,
                            hid_t creation, const void *values) {
    hid_t links = H5Pcreate(H5P_LINK_CREATE), access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_chunk_cache(access, 1, 0, 0);
    H5Pset_obj_track_times(creation, false);
    hid_t data = H5Dcreate2(where, name, disk_type, space, links, creation, access);
    dcnn_status status = DCNN_OK;
    hssize_t points = H5Sget_simple_extent_npoints(space);
    if (data < 0 || (points > 0 && H5Dwrite(data, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0))
        status = dcnn_h5_fail(DCNN_FAILURE, where, "data set", name, "cannot be written");
    if (data >= 0) H5Dclose(data);
    H5Pclose(links);
    H5Pclose(access);
    H5Pclose(creation);
    H5Sclose(space);
    return status;
}

dcnn_status dcnn_h5_write(hid_t where, const char *name, dcnn_h5_type type, int rank, const int64_t *shape,
                          int64_t chunk_rows, const void *values) {
    if (rank < 0 || rank > DCNN_H5_MAX_RANK)
        return DCNN_FAIL(DCNN_USAGE, "data set '%s': %d dimensions, 0 to %d are allowed", name, rank, DCNN_H5_MAX_RANK);
    hsize_t sizes[DCNN_H5_MAX_RANK] = {0}, chunk[DCNN_H5_MAX_RANK] = {0};
    for (int i = 0; i < rank; i++) chunk[i] = sizes[i] = (hsize_t)shape[i];
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk_rows > 0 && rank > 0) {
        if ((hsize_t)chunk_rows < chunk[0]) chunk[0] = (hsize_t)chunk_rows;
        H5Pset_chunk(creation, rank, chunk);
    }
    hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, sizes, NULL);
    return put_data(where, name, type_on_disk(type), type_in_memory(type), space, creation, values);
}

static bool same_shape(int rank, const int64_t *shape, int found_rank, const int64_t *found) {
    if (rank != found_rank) return false;
    for (int i = 0; i < rank; i++)
        if (shape[i] != found[i]) return false;
    return true;
}

/* "(3, 3, 1, 64)" */
static const char *shape_text(int rank, const int64_t *shape, char text[200]) {
    size_t used = (size_t)snprintf(text, 200, "(");
    for (int i = 0; i < rank && used < 180; i++)
        used += (size_t)snprintf(text + used, 200 - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
    snprintf(text + used, 200 - used, ")");
    return text;
}

dcnn_status dcnn_h5_read(hid_t where, const char *name, dcnn_h5_type type, int rank, const int64_t *shape,
                         void *values) {
    source from;
    DCNN_TRY(open_source(where, false, name, &from));
    int64_t found[DCNN_H5_MAX_RANK];
    int found_rank;
    dcnn_status status;
    DCNN_TRY_DONE(source_shape(&from, &found_rank, found));
    if (!same_shape(rank, shape, found_rank, found)) {
        char is[200], wanted[200];
        status = dcnn_h5_fail(DCNN_BAD_INPUT, where, from.kind, name, "has shape %s, not %s",
                              shape_text(found_rank, found, is), shape_text(rank, shape, wanted));
        goto done;
    }
    if (H5Sget_simple_extent_npoints(from.space) > 0) DCNN_TRY_DONE(read_numbers(&from, type, values));
done:
    close_source(&from);
    return status;
}

dcnn_status dcnn_h5_shape(hid_t where, const char *name, int *rank, int64_t *shape) {
    source from;
    DCNN_TRY(open_source(where, false, name, &from));
    dcnn_status status = source_shape(&from, rank, shape);
    close_source(&from);
    return status;
}

dcnn_status dcnn_h5_check_type(hid_t where, const char *name, dcnn_h5_type type) {
    source from;
    DCNN_TRY(open_source(where, false, name, &from));
    dcnn_status status = check_type(&from, type);
    close_source(&from);
    return status;
}

/* --- strings ---------------------------------------------------------------------------------------------------- */

static hid_t variable_text_type(void) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

dcnn_status dcnn_h5_text_write(hid_t where, const char *name, const char *text) {
    hid_t type = variable_text_type();
    dcnn_status status = put_attribute(where, name, type, type, space_of(-1), &text);
    H5Tclose(type);
    return status;
}

dcnn_status dcnn_h5_strings_write(hid_t where, const char *name, int count, const char *const *strings) {
    hid_t type = variable_text_type();
    dcnn_status status = put_data(where, name, type, type, space_of(count), H5Pcreate(H5P_DATASET_CREATE), strings);
    H5Tclose(type);
    return status;
}

dcnn_status dcnn_h5_names_write(hid_t where, const char *name, int count, const char *const *names) {
    size_t width = 1;
    for (int i = 0; i < count; i++)
        if (strlen(names[i]) > width) width = strlen(names[i]);
    char *packed = calloc((size_t)count + 1, width);
    if (!packed) return DCNN_FAIL(DCNN_FAILURE, "attribute '%s': out of memory", name);
    for (int i = 0; i < count; i++) memcpy(packed + (size_t)i * width, names[i], strlen(names[i]));
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    dcnn_status status = put_attribute(where, name, type, type, space_of(count), packed);
    H5Tclose(type);
    free(packed);
    return status;
}

void dcnn_h5_names_free(int count, char **names) {
    for (int i = 0; names && i < count; i++) free(names[i]);
    free(names);
}

/* Copies `count` strings out of what HDF5 read: pointers (stride 0) or fields of `stride` bytes that end with a NUL. */
static bool copy_strings(size_t count, size_t stride, const char *fields, char *const *pointers, char **names) {
    for (size_t i = 0; i < count; i++) {
        const char *text = stride ? fields + i * stride : pointers[i];
        names[i] = strdup(text ? text : "");
        if (!names[i]) return false;
    }
    return true;
}

static dcnn_status read_strings(const source *from, size_t count, char **names) {
    if (count == 0) return DCNN_OK;
    if (H5Tget_class(from->type) != H5T_STRING)
        return dcnn_h5_fail(DCNN_BAD_INPUT, from->where, from->kind, from->name, "does not hold text");
    hid_t memory_type = H5Tcopy(from->type);
    bool variable = H5Tis_variable_str(from->type) > 0;
    size_t stride = variable ? 0 : H5Tget_size(from->type) + 1;
    if (!variable) {
        H5Tset_size(memory_type, stride);
        H5Tset_strpad(memory_type, H5T_STR_NULLTERM);
    }
    void *read = calloc(count, variable ? sizeof(char *) : stride);
    dcnn_status status;
    if (!read)
        status = DCNN_FAIL(DCNN_FAILURE, "'%s': out of memory for %zu strings", from->name, count);
    else
        status = read_source(from, memory_type, read);
    if (status == DCNN_OK && !copy_strings(count, stride, read, read, names))
        status = DCNN_FAIL(DCNN_FAILURE, "'%s': out of memory for %zu strings", from->name, count);
    if (read && variable) H5Dvlen_reclaim(memory_type, from->space, H5P_DEFAULT, read);
    free(read);
    H5Tclose(memory_type);
    return status;
}

static dcnn_status read_string_array(hid_t where, bool is_attribute, const char *name, int *count, char ***names) {
    *count = 0;
    *names = NULL;
    source from;
    DCNN_TRY(open_source(where, is_attribute, name, &from));
    hssize_t found = H5Sget_simple_extent_npoints(from.space);
    dcnn_status status;
    if (found < 0 || found > INT_MAX)
        status = dcnn_h5_fail(DCNN_BAD_INPUT, where, from.kind, name, "is impossibly large");
    else if (!(*names = calloc((size_t)found + 1, sizeof **names)))
        status = DCNN_FAIL(DCNN_FAILURE, "%s '%s': out of memory", from.kind, name);
    else
        status = read_strings(&from, (size_t)found, *names);
    if (status == DCNN_OK) {
        *count = (int)found;
    } else {
        dcnn_h5_names_free(found > INT_MAX ? 0 : (int)found, *names);
        *names = NULL;
    }
    close_source(&from);
    return status;
}

dcnn_status dcnn_h5_names_read(hid_t where, const char *name, int *count, char ***names) {
    return read_string_array(where, true, name, count, names);
}

dcnn_status dcnn_h5_strings_read(hid_t where, const char *name, int *count, char ***strings) {
    return read_string_array(where, false, name, count, strings);
}

dcnn_status dcnn_h5_text_read(hid_t where, const char *name, char **text) {
    int count;
    char **all;
    *text = NULL;
    DCNN_TRY(read_string_array(where, true, name, &count, &all));
    dcnn_status status = DCNN_OK;
    if (count == 1) {
        *text = all[0];
        all[0] = NULL;
    } else {
        status = dcnn_h5_fail(DCNN_BAD_INPUT, where, "attribute", name, "holds %d strings, not one", count);
    }
    dcnn_h5_names_free(count, all);
    return status;
}
