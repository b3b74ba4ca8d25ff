/* SPDX-License-Identifier: BSD-3-Clause */
/* dataset.c — opening and reading the HDF5 data set. */
#include "io/dataset.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/hdf5.h"

enum { FORMAT_VERSION = 1 };

/* --- the description -------------------------------------------------------------------------------------------- */

/* A file of ours is always sealed; without its seal it was cut or changed, and nothing else would tell. */
static dcnn_status check_seal(hid_t file, const dcnn_dataset *set) {
    if (set->checksum != 0 || !dcnn_h5_attribute_has(file, "created_by")) return DCNN_OK;
    char *creator;
    DCNN_TRY(dcnn_h5_text_read(file, "created_by", &creator));
    bool ours = strncmp(creator, "dcnn ", 5) == 0;
    free(creator);
    if (ours)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: damaged: dcnn wrote it, but its seal is gone; prepare it again, or delete its attribute "
                         "created_by if you changed it yourself",
                         set->path);
    return DCNN_OK;
}

static dcnn_status check_format(hid_t file, const dcnn_dataset *set) {
    char *format;
    DCNN_TRY(dcnn_h5_text_read(file, "format", &format));
    bool right = strcmp(format, "dcnn data set") == 0;
    free(format);
    if (!right) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its attribute 'format' does not say 'dcnn data set'", set->path);
    int64_t version;
    DCNN_TRY(dcnn_h5_attribute_read(file, "format_version", DCNN_H5_INT64, -1, &version));
    if (version != FORMAT_VERSION)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has format version %lld, this dcnn reads version %d", set->path,
                         (long long)version, FORMAT_VERSION);
    return check_seal(file, set);
}

static dcnn_status read_shapes(hid_t file, dcnn_dataset *set) {
    int64_t shape[DCNN_H5_MAX_RANK], labels[DCNN_H5_MAX_RANK], bytes;
    int rank;
    DCNN_TRY(dcnn_h5_shape(file, "images", &rank, shape));
    if (rank != 4) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: /images has %d dimensions, not 4 [N,H,W,C]", set->path, rank);
    bool right = shape[0] > 0;
    bytes = shape[0];
    for (int i = 1; i < 4; i++)
        right = right && shape[i] > 0 && shape[i] <= INT_MAX && !__builtin_mul_overflow(bytes, shape[i], &bytes);
    if (!right || shape[3] > DCNN_MAX_CHANNELS)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: /images has shape [%lld,%lld,%lld,%lld]; each must be at least 1, and channels at most %d", set->path,
            (long long)shape[0], (long long)shape[1], (long long)shape[2], (long long)shape[3], DCNN_MAX_CHANNELS);
    set->count = shape[0];
    set->h = (int)shape[1];
    set->w = (int)shape[2];
    set->c = (int)shape[3];
    DCNN_TRY(dcnn_h5_shape(file, "labels", &rank, labels));
    if (rank != 1 || labels[0] != set->count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: /labels does not hold one label for each of the %lld images", set->path,
                         (long long)set->count);
    return DCNN_OK;
}

static dcnn_status read_moments(hid_t file, dcnn_dataset *set) {
    DCNN_TRY(dcnn_h5_attribute_read(file, "mean", DCNN_H5_DOUBLE, set->c, set->mean));
    DCNN_TRY(dcnn_h5_attribute_read(file, "std", DCNN_H5_DOUBLE, set->c, set->std));
    for (int i = 0; i < set->c; i++)
        if (!isfinite(set->mean[i]) || !(isfinite(set->std[i]) && set->std[i] > 0))
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: mean %g and std %g of channel %d cannot be; std must be above 0",
                             set->path, set->mean[i], set->std[i], i);
    return DCNN_OK;
}

static dcnn_status read_optional_text(hid_t file, const char *name, char **text) {
    if (dcnn_h5_attribute_has(file, name)) return dcnn_h5_text_read(file, name, text);
    *text = strdup("");
    return *text ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "attribute '%s': out of memory", name);
}

/* What a data set made by another program may do without. */
static dcnn_status read_origin(hid_t file, dcnn_dataset *set) {
    DCNN_TRY(read_optional_text(file, "source", &set->source));
    DCNN_TRY(read_optional_text(file, "source_checksum", &set->source_checksum));
    if (!dcnn_h5_attribute_has(file, "seed")) return DCNN_OK;
    if (dcnn_h5_attribute_read(file, "seed", DCNN_H5_UINT64, -1, &set->seed) == DCNN_OK) return DCNN_OK;
    int64_t seed; /* h5py writes Python's integers signed */
    DCNN_TRY(dcnn_h5_attribute_read(file, "seed", DCNN_H5_INT64, -1, &seed));
    if (seed < 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its seed is %lld, it must not be negative", set->path, (long long)seed);
    set->seed = (uint64_t)seed;
    return DCNN_OK;
}

/* --- splits ----------------------------------------------------------------------------------------------------- */

/* Every row must be in the data set, and none twice: a sample counts once. */
static dcnn_status check_rows(const dcnn_dataset *set, const dcnn_split *split) {
    uint8_t *seen = calloc((size_t)set->count, 1);
    if (!seen) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", set->path);
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0; i < split->count && status == DCNN_OK; i++) {
        int64_t row = split->rows[i];
        if (row < 0 || row >= set->count)
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: split '%s' names row %lld, there are %lld", set->path, split->name,
                               (long long)row, (long long)set->count);
        else if (seen[row]++)
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: split '%s' names row %lld twice", set->path, split->name,
                               (long long)row);
    }
    free(seen);
    return status;
}

static dcnn_status read_split(hid_t file, dcnn_dataset *set, const char *name) {
    char path[64];
    int rank;
    int64_t shape[DCNN_H5_MAX_RANK];
    if (set->split_count == DCNN_MAX_SPLITS || strlen(name) >= sizeof set->splits->name)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: split '%s' is one of more than %d, or its name is longer than %zu",
                         set->path, name, DCNN_MAX_SPLITS, sizeof set->splits->name - 1);
    dcnn_split *split = &set->splits[set->split_count];
    strcpy(split->name, name);
    snprintf(path, sizeof path, "splits/%s", name);
    DCNN_TRY(dcnn_h5_shape(file, path, &rank, shape));
    if (rank != 1 || shape[0] < 1 || shape[0] > set->count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: split '%s' is no list of 1 to %lld rows", set->path, name,
                         (long long)set->count);
    split->rows = malloc((size_t)shape[0] * sizeof *split->rows);
    if (!split->rows) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for split '%s'", set->path, name);
    split->count = shape[0];
    set->split_count++;
    DCNN_TRY(dcnn_h5_read(file, path, DCNN_H5_INT64, 1, shape, split->rows));
    return check_rows(set, split);
}

/* The usual ones first, in their usual order, then others by name. */
static dcnn_status read_splits(hid_t file, dcnn_dataset *set) {
    static const char *const usual[] = {"train", "validation", "test", "official-test"};
    enum { USUAL = sizeof usual / sizeof *usual };
    int count;
    char **names;
    DCNN_TRY(dcnn_h5_list(file, "splits", &count, &names));
    dcnn_status status = DCNN_OK;
    for (int pass = 0; pass <= USUAL; pass++) {
        for (int i = 0; i < count; i++) {
            int place = 0;
            while (place < USUAL && strcmp(names[i], usual[place]) != 0) place++;
            if (place == pass) DCNN_TRY_DONE(read_split(file, set, names[i]));
        }
    }
    if (set->split_count == 0) status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: /splits holds no split", set->path);
done:
    dcnn_h5_names_free(count, names);
    return status;
}

/* --- opening and reading ---------------------------------------------------------------------------------------- */

static dcnn_status read_description(hid_t file, dcnn_dataset *set) {
    DCNN_TRY(check_format(file, set));
    DCNN_TRY(read_shapes(file, set));
    DCNN_TRY(dcnn_h5_strings_read(file, "class_names", &set->class_count, &set->class_names));
    if (set->class_count < 2)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: /class_names holds %d, at least two are needed", set->path,
                         set->class_count);
    DCNN_TRY(read_moments(file, set));
    DCNN_TRY(read_origin(file, set));
    return read_splits(file, set);
}

dcnn_status dcnn_dataset_open(const char *path, dcnn_dataset *dataset) {
    memset(dataset, 0, sizeof *dataset);
    hid_t file;
    DCNN_TRY(dcnn_h5_open(path, &file, &dataset->checksum));
    dataset->path = strdup(path);
    dcnn_status status =
        dataset->path ? read_description(file, dataset) : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    dcnn_h5_close(file);
    if (status != DCNN_OK) dcnn_dataset_free(dataset);
    return status;
}

static dcnn_status read_labels(hid_t file, const dcnn_dataset *set, int32_t *labels) {
    int64_t *wide = malloc((size_t)set->count * sizeof *wide);
    if (!wide) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld labels", set->path, (long long)set->count);
    dcnn_status status = dcnn_h5_read(file, "labels", DCNN_H5_INT64, 1, &set->count, wide);
    for (int64_t i = 0; i < set->count && status == DCNN_OK; i++) {
        if (wide[i] < 0 || wide[i] >= set->class_count)
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: row %lld has label %lld, there are %d classes", set->path,
                               (long long)i, (long long)wide[i], set->class_count);
        labels[i] = (int32_t)wide[i];
    }
    free(wide);
    return status;
}

dcnn_status dcnn_dataset_read(const dcnn_dataset *dataset, uint8_t *pixels, int32_t *labels) {
    hid_t file;
    uint64_t checksum;
    DCNN_TRY(dcnn_h5_open(dataset->path, &file, &checksum));
    dcnn_status status = DCNN_OK;
    if (checksum != dataset->checksum) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: was changed since it was opened; start again", dataset->path);
        goto done;
    }
    int64_t shape[4] = {dataset->count, dataset->h, dataset->w, dataset->c};
    DCNN_TRY_DONE(dcnn_h5_read(file, "images", DCNN_H5_UINT8, 4, shape, pixels));
    DCNN_TRY_DONE(read_labels(file, dataset, labels));
done:
    dcnn_h5_close(file);
    return status;
}

const dcnn_split *dcnn_dataset_split(const dcnn_dataset *dataset, const char *name) {
    for (int i = 0; i < dataset->split_count; i++)
        if (strcmp(dataset->splits[i].name, name) == 0) return &dataset->splits[i];
    return NULL;
}

void dcnn_dataset_free(dcnn_dataset *dataset) {
    for (int i = 0; i < dataset->split_count; i++) free(dataset->splits[i].rows);
    dcnn_h5_names_free(dataset->class_count, dataset->class_names);
    free(dataset->path);
    free(dataset->source);
    free(dataset->source_checksum);
    memset(dataset, 0, sizeof *dataset);
}
