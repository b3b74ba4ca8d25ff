/* SPDX-License-Identifier: BSD-3-Clause */
/* hdf5_layout.c — where the bytes of a data set lie in its file, and reading some rows of it. */
#include <stdlib.h>
#include <string.h>

#include "io/hdf5/hdf5.h"
#include "io/hdf5/hdf5_reader.h"

/* --- where ------------------------------------------------------------------------------------------------------ */

static bool find_contiguous(hid_t data, uint64_t bytes, dcnn_h5_layout *layout) {
    const haddr_t offset = H5Dget_offset(data);
    if (offset == HADDR_UNDEF) return false; /* never written, or in other files */
    layout->chunks[0] = (dcnn_h5_chunk){.offset = offset, .bytes = bytes};
    return true;
}

/* Filters that are undone without HDF5. Shuffling single bytes changes nothing. */
static bool know_filters(hid_t creation, dcnn_h5_layout *layout) {
    layout->filter_count = H5Pget_nfilters(creation);
    if (layout->filter_count < 0 || layout->filter_count > DCNN_H5_MAX_FILTERS) return false;
    for (int i = 0; i < layout->filter_count; i++) {
        unsigned flags, config, values[8];
        size_t count = sizeof values / sizeof *values;
        const H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &count, values, 0, NULL, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
            return false;
        layout->filters[i] = filter;
    }
    return true;
}

static bool find_chunks(hid_t data, dcnn_h5_layout *layout) {
    for (int64_t i = 0; i < layout->chunk_count; i++) {
        const hsize_t at[DCNN_H5_MAX_RANK] = {(hsize_t)(i * layout->chunk_rows)};
        if (!dcnn_h5_reader_find_chunk(data, at, &layout->chunks[i])) return false;
    }
    return true;
}

/* Are the chunks whole rows? */
static bool has_row_chunks(hid_t creation, int rank, const hsize_t *sizes, dcnn_h5_layout *layout) {
    hsize_t chunk[DCNN_H5_MAX_RANK];
    if (H5Pget_chunk(creation, DCNN_H5_MAX_RANK, chunk) != rank || chunk[0] < 1 || chunk[0] > INT64_MAX) return false;
    for (int i = 1; i < rank; i++)
        if (chunk[i] != sizes[i]) return false;
    layout->chunk_rows = (int64_t)chunk[0];
    return true;
}

static bool find_all(hid_t data, hid_t creation, int rank, const hsize_t *sizes, dcnn_h5_layout *layout) {
    uint64_t bytes = 1;
    for (int i = 0; i < rank; i++) bytes *= sizes[i];
    const H5D_layout_t kind = H5Pget_layout(creation);
    if ((kind != H5D_CONTIGUOUS && kind != H5D_CHUNKED) || H5Pget_external_count(creation) > 0) return false;
    layout->chunk_rows = (int64_t)sizes[0];
    if (kind == H5D_CHUNKED && (!has_row_chunks(creation, rank, sizes, layout) || !know_filters(creation, layout)))
        return false;
    layout->chunk_count = ((int64_t)sizes[0] + layout->chunk_rows - 1) / layout->chunk_rows;
    layout->chunks = calloc((size_t)layout->chunk_count, sizeof *layout->chunks);
    if (!layout->chunks) return false;
    return kind == H5D_CHUNKED ? find_chunks(data, layout) : find_contiguous(data, bytes, layout);
}

void dcnn_h5_layout_free(dcnn_h5_layout *layout) {
    free(layout->chunks);
    *layout = (dcnn_h5_layout){0};
}

bool dcnn_h5_layout_find(hid_t file, const char *name, dcnn_h5_layout *layout) {
    *layout = (dcnn_h5_layout){0};
    const hid_t data = H5Dopen2(file, name, H5P_DEFAULT);
    if (data < 0) return false;
    hid_t creation = H5Dget_create_plist(data), space = H5Dget_space(data), type = H5Dget_type(data);
    hsize_t sizes[H5S_MAX_RANK];
    const int rank = H5Sget_simple_extent_ndims(space);
    const bool known = creation >= 0 && rank >= 1 && rank <= DCNN_H5_MAX_RANK &&
                       H5Sget_simple_extent_dims(space, sizes, NULL) == rank && H5Tget_size(type) == 1 &&
                       find_all(data, creation, rank, sizes, layout);
    if (creation >= 0) H5Pclose(creation);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    H5Dclose(data);
    H5Eclear2(H5E_DEFAULT);
    if (!known) dcnn_h5_layout_free(layout);
    return known;
}

/* --- some rows -------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_h5_read_rows(hid_t file, const char *name, int rank, const int64_t *shape, int64_t first,
                              int64_t count, uint8_t *values) {
    hsize_t from[DCNN_H5_MAX_RANK] = {(hsize_t)first}, sizes[DCNN_H5_MAX_RANK] = {0};
    for (int i = 0; i < rank; i++) sizes[i] = (hsize_t)(i == 0 ? count : shape[i]);
    const hid_t data = H5Dopen2(file, name, H5P_DEFAULT), space = data < 0 ? H5I_INVALID_HID : H5Dget_space(data);
    const hid_t memory = H5Screate_simple(rank, sizes, NULL);
    dcnn_status status = data < 0 ? DCNN_OK : dcnn_h5_check_packed(file, name, data, (hsize_t)first, (hsize_t)count);
    if (status != DCNN_OK) goto done;
    if (data < 0 || space < 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, sizes, NULL) < 0 ||
        H5Dread(data, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, values) < 0)
        status =
            dcnn_h5_fail(DCNN_BAD_INPUT, file, "data set", name, "cannot be read: it is damaged; use another copy");
done:
    if (space >= 0) H5Sclose(space);
    if (data >= 0) H5Dclose(data);
    H5Sclose(memory);
    return status;
}
