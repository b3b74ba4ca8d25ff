/* SPDX-License-Identifier: BSD-3-Clause */
/* hdf5.c — HDF5 by other hands: X_train and y_train, images and labels; and data sets nearly as dcnn has them, whose
 * splits and class names are kept. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/hdf5/hdf5_arrays.h"
#include "io/hdf5/hdf5_file.h"
#include "io/spill.h"
#include "sources/readers/array.h"
#include "sources/readers/mat.h"

enum { FORGET_ROWS = 4096 };

/* One array of a file, brought into memory. */
static dcnn_status read_one(const char *path, dcnn_h5_array *from, dcnn_array_list *arrays) {
    static const dcnn_number_kind kinds[] = {DCNN_NUMBER_UNSIGNED, DCNN_NUMBER_SIGNED, DCNN_NUMBER_FLOAT,
                                             DCNN_NUMBER_BOOL,     DCNN_NUMBER_BYTES,  DCNN_NUMBER_OTHER};
    dcnn_array *a = dcnn_array_list_add(arrays);
    if (!a) return DCNN_FAILURE;
    a->word = strdup(from->name);
    if (!a->word || asprintf(&a->name, "%s: %s", path, from->name) < 0)
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    if (from->kind != DCNN_H5_OTHER)
        DCNN_TRY(dcnn_h5_array_read(path, from, arrays->aside, &a->memory, &a->mapped_bytes));
    a->data = a->memory;
    a->kind = kinds[from->kind];
    a->bytes = from->bytes;
    a->rank = from->rank;
    memcpy(a->shape, from->shape, sizeof a->shape);
    dcnn_array_stride(a, false);
    return DCNN_OK;
}

/* --- data sets of dcnn's layout ----------------------------------------------------------------------------------- */

static const dcnn_array *find(const dcnn_array_list *arrays, const char *name) {
    for (int i = 0; i < arrays->count; i++)
        if (strcmp(arrays->items[i].word, name) == 0) return &arrays->items[i];
    return NULL;
}

static bool is_split(const dcnn_array *a) {
    return strncmp(a->word, "splits/", 7) == 0 && a->rank == 1 && a->kind <= DCNN_NUMBER_SIGNED && a->bytes == 8 &&
           a->shape[0] > 0;
}

static int64_t row_at(const dcnn_array *split, int64_t i) {
    int64_t row;
    memcpy(&row, split->data + 8 * i, sizeof row);
    return row;
}

/* Every row there, and in one split. */
static dcnn_status check_rows(const char *path, const dcnn_array_list *arrays, int64_t count) {
    uint8_t *seen = calloc((size_t)count, 1);
    int64_t twice = 0, left = 0;
    dcnn_status status = seen ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    for (int i = 0; i < arrays->count && status == DCNN_OK; i++)
        for (int64_t j = 0; is_split(&arrays->items[i]) && j < arrays->items[i].shape[0] && status == DCNN_OK; j++) {
            const int64_t row = row_at(&arrays->items[i], j);
            if (row < 0 || row >= count)
                status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: split '%s' names row %lld, but there are %lld", path,
                                   arrays->items[i].word + 7, (long long)row, (long long)count);
            else
                twice += seen[row]++ == 1;
        }
    for (int64_t i = 0; i < count && status == DCNN_OK; i++) left += seen[i] == 0;
    free(seen);
    if (status == DCNN_OK && twice > 0)
        status = DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: %lld rows are in two splits, so images trained on would also be tested on; splits must not share rows",
            path, (long long)twice);
    return status;
}

static dcnn_status take_split(const dcnn_opening *opening, const char *path, const dcnn_array *split,
                              const dcnn_source *whole) {
    dcnn_role role;
    dcnn_count_text count;
    if (!dcnn_role_of(split->word + 7, &role)) {
        dcnn_source_tell(opening->options, "%s: its split '%s' is not read (train, validation and test are)", path,
                         split->word + 7);
        return DCNN_OK;
    }
    if (opening->given != DCNN_ROLE_POOL && role != opening->given) return DCNN_OK;
    if (strcmp(split->word + 7, "val") == 0)
        dcnn_source_tell(opening->options, "%s: its split 'val' is taken for 'validation'", path);
    dcnn_source *s = dcnn_source_add(opening, role, "%s: split %s", path, split->word + 7);
    if (!s) return DCNN_FAILURE;
    const size_t size = (size_t)whole->h * (size_t)whole->w * (size_t)whole->c;
    s->kind = whole->kind;
    s->count = split->shape[0];
    s->h = whole->h;
    s->w = whole->w;
    s->c = whole->c;
    DCNN_TRY(dcnn_spill_take(opening->options->aside, path, (size_t)s->count * size, &s->memory, &s->mapped_bytes));
    uint8_t *pixels = s->memory;
    s->pixels = pixels;
    const int width = whole->target_width;
    s->labels = whole->labels ? malloc((size_t)s->count * sizeof *s->labels) : NULL;
    if (whole->labels && !s->labels) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its images", path);
    if (whole->targets) DCNN_TRY(dcnn_source_make_targets(s, width));
    for (int64_t i = 0; i < s->count; i++) {
        const int64_t row = row_at(split, i);
        if (i % FORGET_ROWS == FORGET_ROWS - 1) {
            dcnn_spill_forget(s->memory, s->mapped_bytes);
            dcnn_spill_forget(whole->memory, whole->mapped_bytes);
        }
        memcpy(pixels + (size_t)i * size, whole->pixels + (size_t)row * size, size);
        if (whole->labels) s->labels[i] = whole->labels[row];
        if (whole->targets)
            memcpy(s->targets + i * width, whole->targets + row * width, (size_t)width * sizeof *s->targets);
    }
    for (int64_t i = 0; i < whole->target_names.count; i++)
        DCNN_TRY(dcnn_names_print(&s->target_names, "%s", whole->target_names.text[i]));
    for (int64_t i = 0; i < whole->class_names.count; i++)
        DCNN_TRY(dcnn_names_add(&s->class_names, whole->class_names.text[i], strlen(whole->class_names.text[i])));
    if (!opening->options->unlabelled)
        dcnn_source_tell(opening->options, "%s: %s of %dx%dx%d%s", s->name, dcnn_count_images(s->count, &count), s->h,
                         s->w, s->c, dcnn_role_text(role));
    return DCNN_OK;
}

/* Names that fit the labels; a list beside labels from 1 would be off by one. */
static dcnn_status take_names(const dcnn_opening *opening, const dcnn_array_list *arrays, dcnn_source *whole) {
    const dcnn_array *names = find(arrays, "class_names");
    if (!names || names->kind != DCNN_NUMBER_BYTES || names->rank != 1 || whole->class_names.count > 0) return DCNN_OK;
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (int64_t i = 0; i < whole->count; i++) {
        if (whole->labels[i] < least) least = whole->labels[i];
        if (whole->labels[i] > most) most = whole->labels[i];
    }
    if (least == 1 && most == names->shape[0]) {
        for (int64_t i = 0; i < whole->count; i++) whole->labels[i]--;
        dcnn_source_tell(opening->options, "%s: its labels begin at 1, its class names fit them so: label 1 is '%.*s'",
                         whole->name, names->bytes, (const char *)names->data);
    }
    return dcnn_array_take_texts(names, &whole->class_names);
}

/* Labels, or numbers to be predicted where those are asked for, or are all that there is. */
static dcnn_status take_answers(const dcnn_opening *opening, const dcnn_array_list *arrays, dcnn_source *whole) {
    const dcnn_array *labels = find(arrays, "labels"), *targets = find(arrays, "targets");
    const dcnn_array *names = find(arrays, "target_names");
    dcnn_source_options options = *opening->options;
    const bool predicted = targets && (labels == NULL || options.target_columns);
    if (predicted && options.target_columns == NULL) options.target_columns = "all";
    DCNN_TRY(dcnn_array_take_labels(predicted ? targets : labels, &options, whole));
    if (!predicted || names == NULL || names->kind != DCNN_NUMBER_BYTES || names->rank != 1 ||
        names->shape[0] != whole->target_width)
        return DCNN_OK;
    return dcnn_array_take_texts(names, &whole->target_names);
}

static dcnn_status open_splits(const dcnn_opening *opening, const char *path, dcnn_array_list *arrays) {
    dcnn_sources whole_list = {0};
    const dcnn_opening aside = {.to = &whole_list, .given = DCNN_ROLE_POOL, .options = opening->options};
    dcnn_source *whole = dcnn_source_add(&aside, DCNN_ROLE_POOL, "%s", path);
    if (!whole) return DCNN_FAILURE;
    dcnn_status status;
    DCNN_TRY_DONE(dcnn_array_take_images((dcnn_array *)(uintptr_t)find(arrays, "images"), opening->options, whole));
    DCNN_TRY_DONE(take_answers(opening, arrays, whole));
    if (whole->labels) DCNN_TRY_DONE(take_names(opening, arrays, whole));
    DCNN_TRY_DONE(check_rows(path, arrays, whole->count));
    if (dcnn_hdf5_has_attribute(path, "mean"))
        dcnn_source_tell(opening->options, "%s: its mean and std are left unread: they are computed anew", path);
    for (int i = 0; i < arrays->count; i++)
        if (is_split(&arrays->items[i])) DCNN_TRY_DONE(take_split(opening, path, &arrays->items[i], whole));
done:
    dcnn_sources_free(&whole_list);
    return status;
}

/* MATLAB's dimensions stand in HDF5 in reverse. */
static void turn_round(dcnn_array_list *arrays) {
    for (int i = 0; i < arrays->count; i++) {
        dcnn_array *a = &arrays->items[i];
        int64_t shape[DCNN_ARRAY_RANK];
        memcpy(shape, a->shape, sizeof shape);
        for (int axis = 0; axis < a->rank; axis++) a->shape[axis] = shape[a->rank - 1 - axis];
        dcnn_array_stride(a, true);
    }
    dcnn_mat_order(arrays);
}

/* --- any file ----------------------------------------------------------------------------------------------------- */

/* A file of one array: what it is for stands in the file's name, as a rule ("train_x.h5", "train_y.h5"). */
static dcnn_status read_lone(const char *path, dcnn_h5_array *from, dcnn_array_list *single) {
    DCNN_TRY(read_one(path, from, single));
    dcnn_array *a = &single->items[single->count - 1];
    const char *slash = strrchr(path, '/');
    free(a->word);
    a->word = NULL;
    if (asprintf(&a->word, "%s/%s", slash ? slash + 1 : path, from->name) >= 0) return DCNN_OK;
    a->word = NULL;
    return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
}

dcnn_status dcnn_hdf5_open(const dcnn_opening *opening, const char *path, dcnn_array_list *single) {
    dcnn_h5_array *listed = calloc(DCNN_H5_ARRAYS, sizeof *listed);
    dcnn_array_list arrays = {.aside = opening->options->aside};
    int count = 0;
    dcnn_status status = listed ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    DCNN_TRY_DONE(status);
    DCNN_TRY_DONE(dcnn_source_note(opening, path));
    DCNN_TRY_DONE(dcnn_h5_arrays_list(path, &count, listed));
    if (count == 0) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: is an HDF5 file without data sets", path);
        goto done;
    }
    for (int i = 0; i < count; i++)
        if (listed[i].rank < 0) {
            void *values;
            size_t mapped;
            status = dcnn_h5_array_read(path, &listed[i], arrays.aside, &values, &mapped); /* says why not */
            goto done;
        }
    bool model = false, splits = false;
    for (int i = 0; i < count; i++) {
        model = model || strncmp(listed[i].name, "model_weights/", 14) == 0;
        splits = splits || strncmp(listed[i].name, "splits/", 7) == 0;
    }
    if (model) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: is a model, not a source of images; `dcnn info` describes it", path);
        goto done;
    }
    if (count == 1 && !dcnn_mat_is_hdf5(path)) {
        status = read_lone(path, &listed[0], single);
        goto done;
    }
    for (int i = 0; i < count; i++) DCNN_TRY_DONE(read_one(path, &listed[i], &arrays));
    if (dcnn_mat_is_hdf5(path)) turn_round(&arrays);
    status = splits && find(&arrays, "images") && (find(&arrays, "labels") || find(&arrays, "targets"))
                 ? open_splits(opening, path, &arrays)
                 : dcnn_array_list_pair(opening, path, &arrays, DCNN_ROLE_TEST);
done:
    dcnn_array_list_free(&arrays);
    free(listed);
    return status;
}
