/* SPDX-License-Identifier: BSD-3-Clause */
/* source.c — which reader a source needs, and reading its images. */
#include "sources/source.h"

#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/kind.h"
#include "io/spill.h"
#include "sources/readers/array.h"
#include "sources/readers/mat.h"
#include "sources/source_private.h"
#include "sources/readers/zipped.h"

/* A folder of IDX or CIFAR files, or of images. */
static dcnn_status open_folder(const dcnn_opening *opening, const char *path) {
    bool found;
    char *only = NULL;
    dcnn_status status = dcnn_idx_folder_open(opening, path, &found);
    if (status == DCNN_OK && !found) status = dcnn_cifar_open(opening, path, &found);
    if (status == DCNN_OK && !found) status = dcnn_folder_only(path, &only);
    /* torchvision's root has MNIST/raw below it */
    if (status == DCNN_OK && only) status = dcnn_idx_folder_open(opening, only, &found);
    if (status == DCNN_OK && only && !found) status = dcnn_cifar_open(opening, only, &found);
    free(only);
    return status != DCNN_OK || found ? status : dcnn_folder_open(opening, path);
}

static dcnn_status open_npz(const dcnn_opening *opening, const char *path, dcnn_array_list *single) {
    dcnn_names members = {0};
    dcnn_array_list arrays = {.aside = opening->options->aside, .unlabelled = opening->options->unlabelled};
    dcnn_status status = dcnn_zip_list(path, &members);
    const bool alone = members.count == 1;
    dcnn_names_free(&members);
    DCNN_TRY_DONE(status);
    DCNN_TRY_DONE(dcnn_source_note(opening, path));
    DCNN_TRY_DONE(dcnn_npz_read(path, alone ? single : &arrays));
    if (!alone) status = dcnn_array_list_pair(opening, path, &arrays, DCNN_ROLE_TEST);
done:
    dcnn_array_list_free(&arrays);
    return status;
}

static dcnn_status open_unknown(const dcnn_opening *opening, const char *path, dcnn_kind_id kind) {
    bool found = false;
    DCNN_TRY(dcnn_cifar_open(opening, path, &found));
    if (found) return DCNN_OK;
    if (dcnn_kind_is_image(kind))
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: is %s, which alone says nothing of its class; give a folder with a folder for each class, "
            "or a list of lines path,label",
            path, dcnn_kind_name(kind));
    if (kind == DCNN_KIND_PACKED) {
        uint8_t *bytes;
        size_t length;
        DCNN_TRY(dcnn_file_read(path, &bytes, &length)); /* a damaged gzip tells of itself */
        free(bytes);
    }
    return dcnn_kind_fail(path, kind,
                          "a source of images (folders of images, lists, tables, NumPy, IDX, CIFAR or HDF5 files)");
}

static dcnn_status open_mat(const dcnn_opening *opening, const char *path) {
    dcnn_array_list arrays = {.aside = opening->options->aside};
    dcnn_status status;
    int unread;
    DCNN_TRY_DONE(dcnn_source_note(opening, path));
    DCNN_TRY_DONE(dcnn_mat_read(path, &arrays, &unread));
    if (unread > 0)
        dcnn_source_tell(opening->options,
                         "%s: only the first %d of its %d variables can be read; the rest is left out", path,
                         arrays.count, arrays.count + unread);
    status = dcnn_array_list_pair(opening, path, &arrays, DCNN_ROLE_TEST);
done:
    dcnn_array_list_free(&arrays);
    return status;
}

/* `single` gathers files of one array each: images and labels are paired when all are there. */
static dcnn_status open_one(const dcnn_opening *opening, const char *path, dcnn_array_list *single) {
    const dcnn_kind_id kind = dcnn_kind_of_file(path);
    switch (kind) {
    case DCNN_KIND_FOLDER:
        return open_folder(opening, path);
    case DCNN_KIND_TABLE:
    case DCNN_KIND_TEXT:
    case DCNN_KIND_ZIP:
        return dcnn_table_open(opening, path);
    case DCNN_KIND_HDF5:
        return dcnn_hdf5_open(opening, path, single);
    case DCNN_KIND_MAT:
        return open_mat(opening, path);
    case DCNN_KIND_NPZ:
        return open_npz(opening, path, single);
    case DCNN_KIND_NPY:
        DCNN_TRY(dcnn_source_note(opening, path));
        return dcnn_npy_read(path, single);
    case DCNN_KIND_IDX:
        DCNN_TRY(dcnn_source_note(opening, path));
        return dcnn_idx_read(path, single);
    default:
        return open_unknown(opening, path, kind);
    }
}

static void tell_pool(const dcnn_opening *opening, int count, char *const paths[]) {
    if (count < 2 || opening->given != DCNN_ROLE_POOL) return;
    int pools = 0;
    for (int i = 0; i < opening->to->count; i++) pools += opening->to->items[i].role == DCNN_ROLE_POOL;
    if (pools < 2) return;
    bool named = false;
    for (int i = 0; i < count; i++) {
        dcnn_role role;
        const char *slash = strrchr(paths[i], '/');
        named = named || (dcnn_role_in(slash ? slash + 1 : paths[i], &role) && role != DCNN_ROLE_POOL);
    }
    dcnn_source_tell(opening->options, "%s and %s%s: pooled; the splits are drawn from all of them%s", paths[0],
                     paths[1], count > 2 ? ", ..." : "",
                     named ? " (--test FILE or --validation FILE keeps one for that)" : "");
}

dcnn_status dcnn_sources_open(int count, char *const paths[], dcnn_role given, const dcnn_source_options *options,
                              dcnn_sources *sources) {
    const dcnn_opening opening = {.to = sources, .given = given, .options = options};
    dcnn_array_list single = {.aside = options->aside};
    dcnn_status status = DCNN_OK;
    for (int i = 0; i < count; i++) DCNN_TRY_DONE(open_one(&opening, paths[i], &single));
    const int before = sources->count;
    if (single.count > 0) DCNN_TRY_DONE(dcnn_array_list_pair(&opening, paths[0], &single, DCNN_ROLE_TEST));
    DCNN_TRY_DONE(dcnn_emnist_look(&opening, before));
    tell_pool(&opening, count, paths);
done:
    dcnn_array_list_free(&single);
    return status;
}

void dcnn_sources_free(dcnn_sources *sources) {
    for (int i = 0; i < sources->count; i++) {
        dcnn_source *s = &sources->items[i];
        dcnn_spill_release(s->memory, s->mapped_bytes);
        dcnn_names_free(&s->files);
        dcnn_names_free(&s->class_names);
        dcnn_names_free(&s->ids);
        dcnn_names_free(&s->target_names);
        free(s->labels);
        free(s->targets);
        free(s->rows);
        free(s->name);
    }
    free(sources->items);
    dcnn_names_free(&sources->files);
    *sources = (dcnn_sources){0};
}

static void keep_texts(dcnn_names *names, const uint8_t *keep) {
    int64_t kept = 0;
    for (int64_t i = 0; i < names->count; i++)
        if (keep[i])
            names->text[kept++] = names->text[i];
        else
            free(names->text[i]);
    names->count = kept;
}

dcnn_status dcnn_source_keep(dcnn_source *s, const uint8_t *keep) {
    if (s->pixels && !s->rows) {
        s->rows = malloc((size_t)(s->count + 1) * sizeof *s->rows);
        if (!s->rows) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld rows", s->name, (long long)s->count);
        for (int64_t i = 0; i < s->count; i++) s->rows[i] = i;
    }
    keep_texts(&s->files, keep);
    keep_texts(&s->ids, keep);
    int64_t kept = 0;
    for (int64_t i = 0; i < s->count; i++) {
        if (!keep[i]) continue;
        if (s->labels) s->labels[kept] = s->labels[i];
        if (s->targets)
            memmove(s->targets + kept * s->target_width, s->targets + i * s->target_width,
                    (size_t)s->target_width * sizeof *s->targets);
        if (s->rows) s->rows[kept] = s->rows[i];
        kept++;
    }
    s->count = kept;
    return DCNN_OK;
}

dcnn_status dcnn_source_make_targets(dcnn_source *s, int width) {
    s->target_width = width;
    s->targets = calloc((size_t)s->count * (size_t)width + 1, sizeof *s->targets);
    return s->targets ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its targets", s->name);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static size_t place_of(const dcnn_source *s, int64_t row) {
    return (size_t)(s->rows ? s->rows[row] : row);
}

/* An image of an array, in memory of its own. */
static dcnn_status copy_row(const dcnn_source *s, int64_t row, dcnn_image *image) {
    const size_t size = (size_t)s->h * (size_t)s->w * (size_t)s->c;
    *image = (dcnn_image){.h = s->h, .w = s->w, .c = s->c, .pixels = malloc(size)};
    if (!image->pixels) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: an image", s->name);
    memcpy(image->pixels, s->pixels + place_of(s, row) * size, size);
    return DCNN_OK;
}

dcnn_status dcnn_source_read(const dcnn_source *s, int64_t row, const dcnn_image_options *wanted, uint8_t *pixels) {
    const size_t size = (size_t)wanted->h * (size_t)wanted->w * (size_t)wanted->channels;
    dcnn_image image = {0};
    if (!s->pixels) {
        DCNN_TRY(dcnn_image_read(s->files.text[row], wanted, NULL, &image));
    } else if (s->h == wanted->h && s->w == wanted->w && s->c == wanted->channels) {
        memcpy(pixels, s->pixels + place_of(s, row) * size, size);
        return DCNN_OK;
    } else {
        DCNN_TRY(copy_row(s, row, &image));
        dcnn_status status = dcnn_image_channels(s->name, &image, wanted);
        if (status == DCNN_OK) status = dcnn_image_fit(&image, wanted->h, wanted->w, wanted->fit, wanted->background);
        if (status != DCNN_OK) {
            dcnn_image_free(&image);
            return status;
        }
    }
    memcpy(pixels, image.pixels, size);
    dcnn_image_free(&image);
    return DCNN_OK;
}
