/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hdf5_try.c — a file without our seal is read in a child first.
 *
 * libhdf5 checks little of what it reads: of 28 damaged h5py files 16 crashed it and 3 kept it busy for ever; a virtual
 * data set that names itself overflows the stack. What happens to the child tells what would happen to us.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/trial.h"
#include "io/hdf5/hdf5.h"
#include "io/hdf5/hdf5_reader.h"

enum {
    MOST_CPU_S = 20,
    MOST_S = 120,      /* a network's disk may be slow */
    MOST_RATIO = 1100, /* deflate packs no better than 1032 to 1 */
    MOST_CHUNKS = 1 << 22,
    MOST_NAMES = 1 << 20, /* strings of a list */
    MESSAGE_BYTES = 600
};
static const size_t more_memory = (size_t)2 << 30, slack_bytes = (size_t)1 << 24, block_bytes = (size_t)1 << 25;

/* --- in the child: reading all there is -------------------------------------------------------------------------- */

/* Were there values of variable length that HDF5 could not read? Damaged ones may claim to be longer than the file, and
 * HDF5 asks for memory for all of it: the parent, who has no limit, would get it. */
static bool lengths_are_wrong;

static bool is_variable(hid_t type) {
    return H5Tdetect_class(type, H5T_VLEN) > 0 || H5Tis_variable_str(type) > 0;
}

/* HDF5 gives the memory of strings of variable length to us. */
static void take_back(herr_t read, hid_t type, hid_t space, void *values) {
    if (!is_variable(type)) return;
    if (read >= 0)
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
    else if (dcnn_h5_blame("", DCNN_OK) == DCNN_OK) /* no read of the file itself failed */
        lengths_are_wrong = true;
}

static herr_t try_attribute(hid_t where, const char *name, const H5A_info_t *about, void *unused) {
    (void)about;
    (void)unused;
    hid_t attribute = H5Aopen(where, name, H5P_DEFAULT);
    if (attribute < 0) return 0; /* reading it fails likewise, and is told there */
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    const size_t size = type >= 0 ? H5Tget_size(type) : 0;
    if (count > 0 && size > 0 && (size_t)count <= block_bytes / size) {
        hid_t memory = H5Tget_native_type(type, H5T_DIR_ASCEND);
        void *values = memory >= 0 ? calloc((size_t)count, H5Tget_size(memory)) : NULL;
        if (values) take_back(H5Aread(attribute, memory, values), memory, space, values);
        free(values);
        if (memory >= 0) H5Tclose(memory);
    }
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    H5Aclose(attribute);
    return 0;
}

/* Some rows of a data set. */
static void try_rows(hid_t data, hid_t type, hid_t space, int rank, const hsize_t *sizes, hsize_t first, hsize_t rows) {
    if (dcnn_h5_check_packed(data, "", data, first, rows) != DCNN_OK) return; /* who reads it will tell */
    hsize_t from[H5S_MAX_RANK] = {first}, count[H5S_MAX_RANK], values = 1;
    for (int i = 0; i < rank; i++) values *= count[i] = i == 0 ? rows : sizes[i];
    hid_t memory = H5Tget_native_type(type, H5T_DIR_ASCEND);
    hid_t shape = rank > 0 ? H5Screate_simple(rank, count, NULL) : H5Screate(H5S_SCALAR);
    void *bytes = memory >= 0 ? calloc((size_t)values, H5Tget_size(memory)) : NULL;
    const bool chosen = rank == 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, count, NULL) >= 0;
    if (bytes && chosen) take_back(H5Dread(data, memory, shape, space, H5P_DEFAULT, bytes), memory, shape, bytes);
    free(bytes);
    if (memory >= 0) H5Tclose(memory);
    H5Sclose(shape);
}

/* Its first and its last rows: a block of each. All chunks are looked up, for a tree that runs in circles. */
static void try_values(hid_t data, hid_t type, hid_t space, int rank, const hsize_t *sizes, size_t value_bytes) {
    hsize_t row_values = 1, chunks = 0;
    for (int i = 1; i < rank; i++) row_values *= sizes[i];
    const hsize_t rows = rank > 0 ? sizes[0] : 1;
    if (row_values == 0 || rows == 0) return;
    const hsize_t fit = block_bytes / value_bytes / row_values, some = fit == 0 ? 1 : fit < rows ? fit : rows;
    if (some * row_values > (more_memory >> 2) / value_bytes) return;
    try_rows(data, type, space, rank, sizes, 0, some);
    if (some < rows) try_rows(data, type, space, rank, sizes, rows - some, some);
    hid_t creation = H5Dget_create_plist(data);
    dcnn_h5_grid grid;
    if (dcnn_h5_grid_find(data, creation, &grid) && H5Dget_num_chunks(data, space, &chunks) >= 0 &&
        grid.chunks <= MOST_CHUNKS)
        for (hsize_t i = 0, at[H5S_MAX_RANK]; i < grid.chunks; i++) {
            dcnn_h5_chunk chunk;
            dcnn_h5_grid_at(&grid, i, at);
            dcnn_h5_reader_find_chunk(data, at, &chunk);
        }
    H5Pclose(creation);
}

/* What the data sets claim together: a small file may name one again and again, or many of which nothing is stored. */
typedef struct claims {
    double bytes, most;
} claims;

static claims begin_claims(hid_t file) {
    enum { EMPTY_ONES = 4 };
    hsize_t bytes = 0;
    H5Fget_filesize(file, &bytes);
    return (claims){.most = (double)bytes * MOST_RATIO + EMPTY_ONES * (double)slack_bytes};
}

/* @return 1, with a message, if the data set holds more than can be */
static herr_t check_claim(hid_t where, const char *name, hid_t data, claims *all) {
    hid_t type = H5Dget_type(data), space = H5Dget_space(data);
    hsize_t sizes[H5S_MAX_RANK] = {0};
    const int rank = H5Sget_simple_extent_dims(space, sizes, NULL);
    double count = 1.0; /* HDF5's own product may run over */
    for (int i = 0; i < rank; i++) count *= (double)sizes[i];
    const double stored = (double)H5Dget_storage_size(data),
                 claimed = count * (type >= 0 ? (double)H5Tget_size(type) : 0.0);
    herr_t result = 0;
    if (claimed > stored * MOST_RATIO + (double)slack_bytes) {
        dcnn_h5_fail(DCNN_BAD_INPUT, where, "data set", name, "claims %.0f bytes, but %.0f are stored", claimed,
                     stored);
        result = 1;
    } else if ((all->bytes += claimed) > all->most) {
        dcnn_h5_fail(DCNN_BAD_INPUT, where, "data set", name,
                     "claims, with those before it, %.0f bytes, but the file can hold no more than %.0f", all->bytes,
                     all->most);
        result = 1;
    } else if (count > MOST_NAMES && type >= 0 && H5Tget_class(type) == H5T_STRING && strcmp(name, "ids") != 0) {
        dcnn_h5_fail(DCNN_BAD_INPUT, where, "data set", name, "has %.0f strings; at most %d are supported", count,
                     MOST_NAMES);
        result = 1;
    }
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    return result;
}

static void try_dataset(hid_t data) {
    hid_t type = H5Dget_type(data), space = H5Dget_space(data);
    hsize_t sizes[H5S_MAX_RANK] = {0};
    const int rank = H5Sget_simple_extent_dims(space, sizes, NULL);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    const size_t size = type >= 0 ? H5Tget_size(type) : 0;
    if (count > 0 && size > 0 && rank >= 0) try_values(data, type, space, rank, sizes, size);
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
}

/* Values that lie in other files, or come from anywhere but where they seem to, are not this file's, and no seal covers
 * them. Keras refuses the same in models. */
static herr_t check_link(hid_t where, const char *name, const H5L_info_t *link, void *all) {
    if (link->type != H5L_TYPE_HARD) {
        dcnn_h5_fail(DCNN_BAD_INPUT, where, "link", name,
                     "points elsewhere; files with soft or external links are refused: save it again without");
        return 1;
    }
    hid_t object = H5Oopen(where, name, H5P_DEFAULT);
    bool elsewhere = false;
    herr_t refused = 0;
    if (object >= 0 && H5Iget_type(object) == H5I_DATASET) {
        hid_t creation = H5Dget_create_plist(object);
        elsewhere = H5Pget_external_count(creation) > 0 || H5Pget_layout(creation) == H5D_VIRTUAL;
        H5Pclose(creation);
        if (!elsewhere) refused = check_claim(where, name, object, all);
    }
    if (object >= 0) H5Oclose(object);
    if (!elsewhere) return refused;
    dcnn_h5_fail(DCNN_BAD_INPUT, where, "data set", name,
                 "keeps its values in another file; such files are refused: save it again with its values");
    return 1;
}

dcnn_status dcnn_h5_check_links(hid_t file, const char *path) {
    claims all = begin_claims(file);
    herr_t result = H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, check_link, &all);
    if (result < 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: its groups cannot be walked; use another copy", path);
    return result == 0 ? DCNN_OK : DCNN_BAD_INPUT;
}

static herr_t try_link(hid_t where, const char *name, const H5L_info_t *link, void *all) {
    if (check_link(where, name, link, all) != 0) return 1;
    hid_t object = H5Oopen(where, name, H5P_DEFAULT);
    if (object < 0) return 0;
    if (H5Iget_type(object) == H5I_DATASET) try_dataset(object);
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, try_attribute, NULL);
    H5Oclose(object);
    return 0;
}

/* A file that HDF5 does not open at all is none of this module's business: the parent will tell. */
static herr_t try_file(const char *path, int descriptor) {
    hid_t file = dcnn_h5_reader_open(path, descriptor);
    if (file < 0) return 0;
    H5Aiterate2(file, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, try_attribute, NULL);
    claims all = begin_claims(file);
    const herr_t result = H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, try_link, &all);
    dcnn_h5_close(file);
    if (result > 0) return 1;
    if (!lengths_are_wrong) return 0;
    DCNN_FAIL(DCNN_BAD_INPUT,
              "%s: damaged: it has values of variable length (texts) that cannot be read; use another copy", path);
    return 1;
}

/* --- the child and its parent ------------------------------------------------------------------------------------ */

static void be_child(const char *path, int descriptor, const dcnn_trial *trial) {
    const herr_t refused = try_file(path, descriptor);
    const char *message = refused ? dcnn_error() : "";
    dcnn_trial_write(trial, message, strnlen(message, MESSAGE_BYTES - 1));
    _exit(refused ? 1 : 0);
}

dcnn_status dcnn_h5_try(const char *path, int descriptor) {
    const dcnn_trial_limits limits = {more_memory, MOST_CPU_S, MOST_S};
    char message[MESSAGE_BYTES] = "";
    dcnn_trial trial;
    int state;
    H5open(); /* here, not in each child */
    DCNN_TRY(dcnn_trial_start(path, &limits, &trial));
    if (trial.is_child) be_child(path, descriptor, &trial);
    message[dcnn_trial_read(&trial, message, sizeof message - 1)] = '\0';
    dcnn_trial_end(&trial, &state);
    if (WIFEXITED(state) && WEXITSTATUS(state) == 1 && message[0] != '\0')
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s", message);
    return dcnn_trial_judge(path, "HDF5", &limits, state);
}
