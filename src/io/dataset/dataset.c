/* SPDX-License-Identifier: BSD-3-Clause */
/* dataset.c — opening and reading the HDF5 data set. */
#include "io/dataset/dataset.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/log.h"
#include "base/text.h"
#include "io/hdf5/hdf5.h"
#include "io/dataset/pixels.h"

enum { FORMAT_VERSION = 2, SAMPLED_IMAGES = 64 };

/* --- the description -------------------------------------------------------------------------------------------- */

/* A file of ours is always sealed; without its seal it was cut or changed, and nothing else would tell. */
static dcnn_status check_seal(hid_t file, const dcnn_dataset *set) {
    if (set->sealed || !dcnn_h5_attribute_has(file, "created_by")) return DCNN_OK;
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
    if (dcnn_h5_attribute_has(file, "model_config"))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a model, not a data set ('dcnn info' says what is in it)", set->path);
    DCNN_TRY(dcnn_h5_text_read(file, "format", &format));
    bool right = strcmp(format, "dcnn data set") == 0;
    free(format);
    if (!right) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its attribute 'format' does not say 'dcnn data set'", set->path);
    int64_t version;
    DCNN_TRY(dcnn_h5_attribute_read(file, "format_version", DCNN_H5_INT64, -1, &version));
    if (version < 1 || version > FORMAT_VERSION) return dcnn_h5_fail_version(file, set->path, version, FORMAT_VERSION);
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
    DCNN_TRY(dcnn_h5_check_type(file, "images", DCNN_H5_UINT8));
    set->count = shape[0];
    set->h = (int)shape[1];
    set->w = (int)shape[2];
    set->c = (int)shape[3];
    set->has_ids = dcnn_h5_has(file, "ids");
    if (dcnn_h5_has(file, "targets")) {
        DCNN_TRY(dcnn_h5_shape(file, "targets", &rank, labels));
        if (rank != 2 || labels[0] != set->count || labels[1] < 1 || labels[1] > INT_MAX)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: /targets is not [N,K], a row of numbers for each of the %lld images",
                             set->path, (long long)set->count);
        set->target_width = (int)labels[1];
    }
    set->has_labels = set->target_width == 0 || dcnn_h5_has(file, "labels");
    if (!set->has_labels) return DCNN_OK;
    DCNN_TRY(dcnn_h5_shape(file, "labels", &rank, labels));
    if (rank != 1 || labels[0] != set->count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: /labels does not hold one label for each of the %lld images", set->path,
                         (long long)set->count);
    return DCNN_OK;
}

/* Checksums of the pixels are optional: other programs do not write any. */
static dcnn_status read_checksums(hid_t file, dcnn_dataset *set) {
    if (!dcnn_h5_has(file, "image_checksums")) return DCNN_OK;
    DCNN_TRY(dcnn_h5_attribute_read(file, "image_checksum_rows", DCNN_H5_INT64, -1, &set->block_rows));
    if (set->block_rows < 1)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its checksums cannot cover %lld images each", set->path,
                         (long long)set->block_rows);
    const int64_t blocks = (set->count - 1) / set->block_rows + 1;
    set->checksums = malloc((size_t)blocks * sizeof *set->checksums);
    if (!set->checksums) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for checksums", set->path);
    return dcnn_h5_read(file, "image_checksums", DCNN_H5_UINT64, 1, &blocks, set->checksums);
}

static dcnn_status read_moments(hid_t file, dcnn_dataset *set) {
    DCNN_TRY(dcnn_h5_attribute_read(file, "mean", DCNN_H5_DOUBLE, set->c, set->mean));
    DCNN_TRY(dcnn_h5_attribute_read(file, "std", DCNN_H5_DOUBLE, set->c, set->std));
    for (int i = 0; i < set->c; i++)
        if (!isfinite(set->mean[i]) || !(isfinite(set->std[i]) && set->std[i] > 0))
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: mean %g and std %g of channel %d are impossible; std must be above 0",
                             set->path, set->mean[i], set->std[i], i);
    for (int i = 0; i < set->c; i++) /* numbers from 0 to 1 deviate by a half at most; a constant channel has 1 */
        if (set->mean[i] < 0 || set->mean[i] > 1 || (set->std[i] > 0.5 && set->std[i] != 1))
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "%s: mean %g and std %g of channel %d are not those of pixel / 255; divide both by 255",
                             set->path, set->mean[i], set->std[i], i);
    return DCNN_OK;
}

static dcnn_status read_optional_text(hid_t file, const char *name, char **text) {
    if (dcnn_h5_attribute_has(file, name)) {
        DCNN_TRY(dcnn_h5_text_read(file, name, text));
        dcnn_text_clean(*text); /* it is shown */
        return DCNN_OK;
    }
    *text = strdup("");
    return *text ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "attribute '%s': out of memory", name);
}

/* What a data set made by another program may do without. */
static dcnn_status read_origin(hid_t file, dcnn_dataset *set) {
    DCNN_TRY(read_optional_text(file, "source", &set->source));
    DCNN_TRY(read_optional_text(file, "source_checksum", &set->source_checksum));
    DCNN_TRY(read_optional_text(file, "pictures", &set->image_kind));
    if (!dcnn_h5_attribute_has(file, "seed")) return DCNN_OK;
    if (dcnn_h5_attribute_read(file, "seed", DCNN_H5_UINT64, -1, &set->seed) == DCNN_OK) return DCNN_OK;
    int64_t seed; /* h5py writes Python's integers signed */
    DCNN_TRY(dcnn_h5_attribute_read(file, "seed", DCNN_H5_INT64, -1, &seed));
    if (seed < 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its seed is %lld, but must not be negative", set->path, (long long)seed);
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
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: split '%s' names row %lld, but there are %lld", set->path,
                               split->name, (long long)row, (long long)set->count);
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
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: split '%s': there are more than %d splits, or its name is longer than %zu characters",
                         set->path, name, DCNN_MAX_SPLITS, sizeof set->splits->name - 1);
    dcnn_split *split = &set->splits[set->split_count];
    strcpy(split->name, name);
    dcnn_text_clean(split->name); /* it is shown */
    snprintf(path, sizeof path, "splits/%s", name);
    DCNN_TRY(dcnn_h5_shape(file, path, &rank, shape));
    if (rank != 1 || shape[0] < 1 || shape[0] > set->count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: split '%s' is not a list of 1 to %lld rows", set->path, name,
                         (long long)set->count);
    split->rows = malloc((size_t)shape[0] * sizeof *split->rows);
    if (!split->rows) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for split '%s'", set->path, name);
    split->count = shape[0];
    set->split_count++;
    DCNN_TRY(dcnn_h5_read(file, path, DCNN_H5_INT64, 1, shape, split->rows));
    return check_rows(set, split);
}

/* Names of the targets; where another program has written none, their numbers from 0. */
static dcnn_status read_target_names(hid_t file, dcnn_dataset *set) {
    int count = set->target_width;
    if (count == 0) return DCNN_OK;
    if (dcnn_h5_has(file, "target_names")) {
        DCNN_TRY(dcnn_h5_strings_read(file, "target_names", &count, &set->target_names));
        for (int i = 0; i < count; i++) dcnn_text_clean(set->target_names[i]);
        if (count == set->target_width) return DCNN_OK;
        dcnn_h5_names_free(count, set->target_names);
        set->target_names = NULL;
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: /target_names has %d names for %d targets", set->path, count,
                         set->target_width);
    }
    set->target_names = calloc((size_t)count, sizeof *set->target_names);
    for (int i = 0; set->target_names && i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        if ((set->target_names[i] = strdup(number)) == NULL)
            return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for names", set->path);
    }
    return set->target_names ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for names", set->path);
}

/* What is learnt must not be tested on: no row is in two of the usual splits. Others may be any selection. */
static dcnn_status check_apart(const dcnn_dataset *set) {
    static const char *const usual[] = {"train", "validation", "test", "official-test"};
    uint8_t *seen = calloc((size_t)set->count, 1);
    if (!seen) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", set->path);
    int64_t twice = 0;
    int first = -1, second = -1;
    for (int i = 0; i < set->split_count; i++) {
        bool known = false;
        for (size_t j = 0; j < sizeof usual / sizeof *usual; j++)
            known = known || strcmp(set->splits[i].name, usual[j]) == 0;
        for (int64_t j = 0; known && j < set->splits[i].count; j++) {
            uint8_t *before = &seen[set->splits[i].rows[j]];
            if (*before != 0 && twice++ == 0) {
                first = *before - 1;
                second = i;
            }
            *before = (uint8_t)(i + 1);
        }
    }
    free(seen);
    if (twice == 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: %lld rows are in two splits (%s and %s), so images trained on would also be tested on; "
                     "splits must not share rows",
                     set->path, (long long)twice, set->splits[first].name, set->splits[second].name);
}

/* Other programs call it otherwise; without one a run would choose its best epoch by nothing. */
static void rename_validation(dcnn_dataset *set) {
    static const char *const others[] = {"val", "valid", "dev", "Validation", "VAL"};
    if (dcnn_dataset_split(set, "validation")) return;
    for (int i = 0; i < set->split_count; i++)
        for (size_t j = 0; j < sizeof others / sizeof *others; j++) {
            if (strcmp(set->splits[i].name, others[j]) != 0) continue;
            dcnn_info("%s: its split '%s' is taken for 'validation'", set->path, others[j]);
            strcpy(set->splits[i].name, "validation");
            return;
        }
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
    if (status == DCNN_OK) rename_validation(set);
    if (status == DCNN_OK) status = check_apart(set);
done:
    dcnn_h5_names_free(count, names);
    return status;
}

/* --- opening and reading ---------------------------------------------------------------------------------------- */

static dcnn_status read_description(hid_t file, dcnn_dataset *set) {
    DCNN_TRY(check_format(file, set));
    DCNN_TRY(read_shapes(file, set));
    DCNN_TRY(read_checksums(file, set));
    if (set->has_labels || dcnn_h5_has(file, "class_names"))
        DCNN_TRY(dcnn_h5_strings_read(file, "class_names", &set->class_count, &set->class_names));
    bool changed = false;
    for (int i = 0; i < set->class_count; i++) changed = dcnn_text_clean(set->class_names[i]) || changed;
    if (changed)
        dcnn_warn("%s: class names contain control characters or bytes that are not UTF-8, shown as '?'", set->path);
    if (set->has_labels && set->class_count < 2)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: /class_names holds %d, but at least two are needed", set->path,
                         set->class_count);
    DCNN_TRY(read_target_names(file, set));
    DCNN_TRY(read_moments(file, set));
    DCNN_TRY(read_origin(file, set));
    return read_splits(file, set);
}

/* What another program wrote is nearly right, as a rule: `dcnn prepare` reads more, and says what it cannot read. */
static dcnn_status advise(const char *path, dcnn_status status) {
    char why[600], word[DCNN_SHELL_WORD];
    snprintf(why, sizeof why, "%s", dcnn_error());
    if (status != DCNN_BAD_INPUT || strstr(why, "damaged") || strstr(why, "two splits") || strstr(why, "newer HDF5"))
        return status;
    return DCNN_FAIL(status,
                     "%s; if another program wrote it, `dcnn prepare %s -o NEW.h5` makes a data set of what is exact",
                     why, dcnn_shell_word(path, word, sizeof word));
}

static dcnn_status open_set(const char *path, dcnn_dataset *set,
                            dcnn_status (*open_file)(const char *, hid_t *, uint64_t *)) {
    memset(set, 0, sizeof *set);
    hid_t file;
    DCNN_TRY(open_file(path, &file, &set->checksum));
    set->sealed = set->checksum != 0;
    set->path = strdup(path);
    dcnn_status status = set->path ? read_description(file, set) : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    status = dcnn_h5_end(file, path, status);
    if (status != DCNN_OK && !set->sealed) status = advise(path, status);
    if (status != DCNN_OK) dcnn_dataset_free(set);
    return status;
}

dcnn_status dcnn_dataset_open(const char *path, dcnn_dataset *dataset) {
    return open_set(path, dataset, dcnn_h5_open);
}

dcnn_status dcnn_dataset_reopen(const char *path, dcnn_dataset *dataset) {
    return open_set(path, dataset, dcnn_h5_reopen);
}

/* The file once more, if it is still the one that was opened. */
static dcnn_status open_again(const dcnn_dataset *set, hid_t *file) {
    uint64_t checksum;
    DCNN_TRY(dcnn_h5_reopen(set->path, file, &checksum));
    if (checksum == (set->sealed ? set->checksum : 0)) return DCNN_OK;
    dcnn_h5_close(*file);
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has changed since it was opened; start again", set->path);
}

dcnn_status dcnn_dataset_read_labels(const dcnn_dataset *set, int32_t *labels) {
    hid_t file;
    if (!set->has_labels)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its images have targets, but no labels, so it has no classes to learn",
                         set->path);
    DCNN_TRY(open_again(set, &file));
    int64_t *wide = malloc((size_t)set->count * sizeof *wide);
    dcnn_status status =
        wide ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld labels", set->path, (long long)set->count);
    if (status == DCNN_OK) status = dcnn_h5_read(file, "labels", DCNN_H5_INT64, 1, &set->count, wide);
    const int classes = set->label_map ? set->labels_on_disk : set->class_count;
    for (int64_t i = 0; i < set->count && status == DCNN_OK; i++) {
        if (wide[i] < 0 || wide[i] >= classes)
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: row %lld has label %lld, but there are %d classes", set->path,
                               (long long)i, (long long)wide[i], classes);
        else
            labels[i] = set->label_map ? set->label_map[wide[i]] : (int32_t)wide[i];
    }
    free(wide);
    return dcnn_h5_end(file, set->path, status);
}

dcnn_status dcnn_dataset_read_targets(const dcnn_dataset *set, float *targets) {
    const int64_t shape[2] = {set->count, set->target_width};
    hid_t file;
    DCNN_TRY(open_again(set, &file));
    DCNN_TRY(dcnn_h5_end(file, set->path, dcnn_h5_read(file, "targets", DCNN_H5_FLOAT, 2, shape, targets)));
    for (int64_t i = 0; i < set->count * set->target_width; i++)
        if (!isfinite(targets[i]))
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: target '%s' of row %lld is not a number", set->path,
                             set->target_names[i % set->target_width], (long long)(i / set->target_width));
    return DCNN_OK;
}

dcnn_status dcnn_dataset_read_ids(const dcnn_dataset *set, char ***ids) {
    int count;
    hid_t file;
    *ids = NULL;
    DCNN_TRY(open_again(set, &file));
    dcnn_status status = dcnn_h5_end(file, set->path, dcnn_h5_strings_read(file, "ids", &count, ids));
    if (status == DCNN_OK && count == set->count) return DCNN_OK;
    if (*ids) dcnn_h5_names_free(count, *ids);
    *ids = NULL;
    if (status != DCNN_OK) return status;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: /ids has %d names for %lld images", set->path, count, (long long)set->count);
}

void dcnn_dataset_free_ids(const dcnn_dataset *set, char **ids) {
    dcnn_h5_names_free((int)set->count, ids);
}

dcnn_status dcnn_dataset_verify(const dcnn_dataset *set) {
    dcnn_pixels *reader;
    if (!set->checksums) return DCNN_OK;
    const size_t bytes = (size_t)set->h * (size_t)set->w * (size_t)set->c;
    const int64_t most = set->block_rows < set->count ? set->block_rows : set->count; /* a file may say any number */
    uint8_t *rows = malloc((size_t)most * bytes);
    if (!rows) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for a block of images", set->path);
    dcnn_status status = dcnn_pixels_open(set, 0, &reader);
    for (int64_t row = 0; status == DCNN_OK && row < set->count; row += most)
        status = dcnn_pixels_read(reader, row, set->count - row < most ? set->count - row : most, rows);
    dcnn_pixels_close(reader);
    free(rows);
    return status;
}

/* --- what it holds, where no seal says it ----------------------------------------------------------------------- */

static void hash_description(const dcnn_dataset *set, XXH3_state_t *hash) {
    const int64_t shape[] = {set->count, set->h, set->w, set->c, set->class_count, set->split_count};
    XXH3_64bits_update(hash, shape, sizeof shape);
    XXH3_64bits_update(hash, set->mean, (size_t)set->c * sizeof *set->mean);
    XXH3_64bits_update(hash, set->std, (size_t)set->c * sizeof *set->std);
    for (int i = 0; i < set->class_count; i++)
        XXH3_64bits_update(hash, set->class_names[i], strlen(set->class_names[i]) + 1);
    for (int i = 0; i < set->split_count; i++) {
        XXH3_64bits_update(hash, set->splits[i].name, strlen(set->splits[i].name) + 1);
        XXH3_64bits_update(hash, set->splits[i].rows, (size_t)set->splits[i].count * sizeof *set->splits[i].rows);
    }
}

static dcnn_status hash_samples(const dcnn_dataset *set, uint8_t *image, XXH3_state_t *hash) {
    const int64_t some = set->count < SAMPLED_IMAGES ? set->count : SAMPLED_IMAGES;
    dcnn_pixels *reader;
    DCNN_TRY(dcnn_pixels_open(set, 0, &reader));
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0; status == DCNN_OK && i < some; i++) {
        status = dcnn_pixels_read(reader, some > 1 ? i * (set->count - 1) / (some - 1) : 0, 1, image);
        XXH3_64bits_update(hash, image, (size_t)set->h * (size_t)set->w * (size_t)set->c);
    }
    dcnn_pixels_close(reader);
    return status;
}

dcnn_status dcnn_dataset_identify(dcnn_dataset *set) {
    if (set->sealed || set->checksum != 0) return DCNN_OK;
    XXH3_state_t *hash = XXH3_createState();
    int32_t *labels = calloc((size_t)set->count, sizeof *labels);
    const size_t numbers = (size_t)set->count * (size_t)set->target_width;
    float *targets = calloc(numbers + 1, sizeof *targets);
    uint8_t *image = malloc((size_t)set->h * (size_t)set->w * (size_t)set->c);
    dcnn_status status = DCNN_OK;
    if (!hash || !labels || !targets || !image)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its checksum", set->path);
    if (status == DCNN_OK) {
        XXH3_64bits_reset(hash);
        hash_description(set, hash);
        if (set->has_labels) status = dcnn_dataset_read_labels(set, labels);
        if (set->target_width > 0 && status == DCNN_OK) status = dcnn_dataset_read_targets(set, targets);
    }
    if (status == DCNN_OK) {
        XXH3_64bits_update(hash, labels, (size_t)set->count * sizeof *labels);
        XXH3_64bits_update(hash, targets, numbers * sizeof *targets);
        status = hash_samples(set, image, hash);
    }
    if (status == DCNN_OK) set->checksum = XXH3_64bits_digest(hash);
    if (hash) XXH3_freeState(hash);
    free(labels);
    free(targets);
    free(image);
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
    if (dataset->target_names) dcnn_h5_names_free(dataset->target_width, dataset->target_names);
    free(dataset->label_map);
    free(dataset->path);
    free(dataset->source);
    free(dataset->source_checksum);
    free(dataset->image_kind);
    free(dataset->checksums);
    memset(dataset, 0, sizeof *dataset);
}
