/* SPDX-License-Identifier: BSD-3-Clause */
/* prepare.c — from IDX or CSV to one HDF5 data set. */
#include "io/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "io/dataset_writer.h"
#include "io/file.h"
#include "io/split.h"

enum { MAX_FILES = 64 };

/* What goes into the data set. */
typedef struct preparation {
    const dcnn_prepare_options *options;
    dcnn_images labelled; /* what is split; behind it, in the same arrays, the official test images */
    int64_t official;     /* how many those are */
    int class_count;
    dcnn_split splits[DCNN_PART_COUNT + 1];
    int split_count;
    int file_count;
    char *files[MAX_FILES]; /* every file that was read, in order; owned */
} preparation;

/* --- reading ---------------------------------------------------------------------------------------------------- */

static dcnn_status note_file(preparation *made, const char *path) {
    if (made->file_count == MAX_FILES)
        return DCNN_FAIL(DCNN_USAGE, "more than %d source files; join some of them", MAX_FILES);
    made->files[made->file_count] = strdup(path);
    if (!made->files[made->file_count]) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    made->file_count++;
    return DCNN_OK;
}

/* Adds the pictures of `more` behind those of `images` and frees it. */
static dcnn_status append_images(dcnn_images *images, dcnn_images *more, const char *path) {
    dcnn_status status = DCNN_OK;
    if (images->count == 0) {
        *images = *more;
        *more = (dcnn_images){0};
        return DCNN_OK;
    }
    if (images->h != more->h || images->w != more->w || images->c != more->c) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: its pictures are %dx%dx%d, those read before are %dx%dx%d", path,
                           more->h, more->w, more->c, images->h, images->w, images->c);
        goto done;
    }
    size_t picture = (size_t)images->h * (size_t)images->w * (size_t)images->c;
    size_t old = (size_t)images->count, new = (size_t)more->count;
    uint8_t *pixels = realloc(images->pixels, (old + new) * picture);
    if (pixels) images->pixels = pixels;
    int32_t *labels = realloc(images->labels, (old + new) * sizeof *labels);
    if (labels) images->labels = labels;
    if (!pixels || !labels) {
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %zu pictures", path, old + new);
        goto done;
    }
    memcpy(pixels + old * picture, more->pixels, new *picture);
    memcpy(labels + old, more->labels, new * sizeof *labels);
    images->count += more->count;
done:
    dcnn_images_free(more);
    return status;
}

static dcnn_status read_idx_pair(preparation *made, const char *images_path, const char *labels_path,
                                 dcnn_images *into) {
    *into = (dcnn_images){0};
    DCNN_TRY(note_file(made, images_path));
    DCNN_TRY(note_file(made, labels_path));
    dcnn_status status = dcnn_idx_read_images(images_path, into);
    if (status == DCNN_OK) status = dcnn_idx_read_labels(labels_path, into);
    if (status != DCNN_OK) dcnn_images_free(into);
    return status;
}

/* The pair of IDX files of a folder. `found` is false, and nothing read, if neither is there. */
static dcnn_status read_folder_pair(preparation *made, const char *folder, const char *which, dcnn_images *into,
                                    bool *found) {
    char images_name[40], labels_name[40];
    snprintf(images_name, sizeof images_name, "%s-images-idx3-ubyte", which);
    snprintf(labels_name, sizeof labels_name, "%s-labels-idx1-ubyte", which);
    char *images_path = dcnn_idx_find(folder, images_name), *labels_path = dcnn_idx_find(folder, labels_name);
    dcnn_status status = DCNN_OK;
    *into = (dcnn_images){0};
    *found = images_path || labels_path;
    if (images_path && labels_path)
        status = read_idx_pair(made, images_path, labels_path, into);
    else if (*found)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: has %s but not %s(.gz); both are needed", folder,
                           images_path ? images_name : labels_name, images_path ? labels_name : images_name);
    free(images_path);
    free(labels_path);
    return status;
}

/* Cuts to the first `limit` samples. */
static void keep_first(dcnn_images *images, int64_t limit) {
    if (limit > 0 && limit < images->count) images->count = limit;
}

static dcnn_status read_folder(preparation *made, const char *folder) {
    bool found;
    DCNN_TRY(read_folder_pair(made, folder, "train", &made->labelled, &found));
    if (!found)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: the folder has no train-images-idx3-ubyte(.gz); name the files instead",
                         folder);
    keep_first(&made->labelled, made->options->limit);
    dcnn_images official;
    DCNN_TRY(read_folder_pair(made, folder, "t10k", &official, &found));
    if (!found) return DCNN_OK;
    made->official = official.count;
    return append_images(&made->labelled, &official, folder);
}

/* An images file and a labels file, in either order. */
static dcnn_status read_idx_files(preparation *made, char *const sources[]) {
    bool labels_first = dcnn_idx_rank(sources[0]) == 1;
    DCNN_TRY(read_idx_pair(made, sources[labels_first], sources[!labels_first], &made->labelled));
    keep_first(&made->labelled, made->options->limit);
    return DCNN_OK;
}

static void tell_progress(void *context, int64_t done, int64_t count) {
    const preparation *made = context;
    made->options->on_progress(made->options->context, made->file_count, done, count);
}

static dcnn_status read_csv_files(preparation *made, int count, char *const sources[]) {
    const dcnn_prepare_options *options = made->options;
    const dcnn_watcher watcher = {options->on_progress ? tell_progress : NULL, made};
    for (int i = 0; i < count; i++) {
        dcnn_images more;
        DCNN_TRY(note_file(made, sources[i]));
        DCNN_TRY(dcnn_csv_read(sources[i], options->h, options->w, options->c, &watcher, &more));
        if (!more.labels) {
            dcnn_images_free(&more);
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "%s: has no labels (its first column is not 'label'); it cannot be learnt from",
                             sources[i]);
        }
        DCNN_TRY(append_images(&made->labelled, &more, sources[i]));
    }
    keep_first(&made->labelled, options->limit);
    return DCNN_OK;
}

static dcnn_status read_sources(preparation *made, int count, char *const sources[]) {
    struct stat about;
    int idx = 0, csv = 0;
    for (int i = 0; i < count; i++) {
        if (stat(sources[i], &about) != 0)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: there is no such file or folder", sources[i]);
        bool is_folder = S_ISDIR(about.st_mode);
        if (is_folder && count == 1) return read_folder(made, sources[0]);
        csv += !is_folder && dcnn_is_csv(sources[i]);
        idx += !is_folder && !dcnn_is_csv(sources[i]);
    }
    if (count > 0 && csv == count) return read_csv_files(made, count, sources);
    if (count == 2 && idx == 2) return read_idx_files(made, sources);
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: the sources must be one folder with IDX files, one IDX file of images and one of labels, or "
                     "CSV files (.csv, .csv.gz)",
                     count > 0 ? sources[0] : "no source");
}

/* --- checking and splitting ------------------------------------------------------------------------------------- */

static dcnn_status count_classes(preparation *made) {
    const dcnn_images *all = &made->labelled;
    int64_t count = all->count - made->official;
    int highest = 0;
    for (int64_t i = 0; i < count; i++)
        if (all->labels[i] > highest) highest = all->labels[i];
    made->class_count = highest + 1;
    if (made->class_count < 2)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: all %lld samples have label 0; at least two classes are needed",
                         made->files[0], (long long)count);
    for (int64_t i = count; i < all->count; i++)
        if (all->labels[i] > highest)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: sample %lld has label %d, the training labels end at %d",
                             made->files[made->file_count - 1], (long long)(i - count), all->labels[i], highest);
    return DCNN_OK;
}

static dcnn_status split_samples(preparation *made) {
    const dcnn_images *all = &made->labelled;
    DCNN_TRY(
        dcnn_splits_draw(all->count - made->official, all->labels, made->class_count, made->options, made->splits));
    for (int part = 0; part < DCNN_PART_COUNT;
         part++) /* a split without samples is no split; training is never empty */
        if (made->splits[part].count > 0) made->splits[made->split_count++] = made->splits[part];
    for (int i = made->split_count; i < DCNN_PART_COUNT; i++) made->splits[i] = (dcnn_split){.count = 0};
    if (made->official == 0) return DCNN_OK;
    dcnn_split *split = &made->splits[made->split_count++];
    snprintf(split->name, sizeof split->name, "official-test");
    split->count = made->official;
    split->rows = malloc((size_t)split->count * sizeof *split->rows);
    if (!split->rows)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory for a split of %lld samples", (long long)split->count);
    for (int64_t i = 0; i < split->count; i++) split->rows[i] = all->count - split->count + i;
    return DCNN_OK;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static char *options_text(const dcnn_prepare_options *options) {
    json_t *json = json_pack("{s:I, s:f, s:f, s:b, s:[i,i,i]}", "limit", (json_int_t)options->limit, "test_fraction",
                             options->test_fraction, "validation_fraction", options->validation_fraction, "stratify",
                             (int)options->stratify, "shape", options->h, options->w, options->c);
    char *text = json ? json_dumps(json, JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json);
    return text;
}

/* Names without their folders: the same digits prepared on another machine are the same data set, byte for byte. */
static dcnn_status describe_source(const preparation *made, char text[2048], char checksum[17]) {
    size_t used = 0;
    for (int i = 0; i < made->file_count && used < 2048; i++) {
        const char *slash = strrchr(made->files[i], '/');
        int more = snprintf(text + used, 2048 - used, "%s%s", i ? ", " : "", slash ? slash + 1 : made->files[i]);
        used += (size_t)more;
    }
    uint64_t hash;
    DCNN_TRY(dcnn_files_checksum(made->file_count, made->files, &hash));
    snprintf(checksum, 17, "%016" PRIx64, hash);
    return DCNN_OK;
}

static dcnn_status write_dataset(const preparation *made, const char *output) {
    const dcnn_images *all = &made->labelled;
    const dcnn_samples_in samples = {.count = all->count, .pixels = all->pixels, .labels = all->labels};
    char source[2048] = "", checksum[17];
    dcnn_dataset_writer *writer;
    DCNN_TRY(describe_source(made, source, checksum));
    char *options = options_text(made->options);
    const dcnn_dataset_about about = {.class_count = made->class_count,
                                      .split_count = made->split_count,
                                      .splits = made->splits,
                                      .seed = made->options->seed,
                                      .source = source,
                                      .source_checksum = checksum,
                                      .options = options};
    dcnn_status status = options ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory for the options");
    DCNN_TRY_DONE(dcnn_dataset_writer_open(output, all->h, all->w, all->c, 0, &writer));
    status = dcnn_dataset_writer_append(writer, &samples);
    if (status == DCNN_OK)
        status = dcnn_dataset_writer_finish(writer, &about);
    else
        dcnn_dataset_writer_abandon(writer);
done:
    free(options);
    return status;
}

static dcnn_status summarise(const preparation *made, const char *output, char **summary) {
    const dcnn_images *all = &made->labelled;
    char text[512];
    int used = snprintf(text, sizeof text, "%lld images of %dx%dx%d in %d classes:", (long long)all->count, all->h,
                        all->w, all->c, made->class_count);
    for (int i = 0; i < made->split_count; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s %s %lld", i ? "," : "", made->splits[i].name,
                         (long long)made->splits[i].count);
    if (asprintf(summary, "%s: %s", dcnn_output_name(output), text) < 0) {
        *summary = NULL;
        return DCNN_FAIL(DCNN_FAILURE, "out of memory for a summary");
    }
    return DCNN_OK;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static void free_preparation(preparation *made) {
    dcnn_images_free(&made->labelled);
    for (int i = 0; i < made->file_count; i++) free(made->files[i]);
    for (int i = 0; i <= DCNN_PART_COUNT; i++) free(made->splits[i].rows);
}

dcnn_status dcnn_dataset_prepare(int source_count, char *const sources[], const dcnn_prepare_options *options,
                                 const char *output, char **summary) {
    if (summary) *summary = NULL;
    if (options->limit < 0)
        return DCNN_FAIL(DCNN_USAGE, "the limit cannot be %lld samples; 0 means all", (long long)options->limit);
    preparation made = {.options = options};
    dcnn_status status;
    DCNN_TRY_DONE(read_sources(&made, source_count, sources));
    if (made.labelled.c > DCNN_MAX_CHANNELS) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: %d channels, at most %d are possible", made.files[0], made.labelled.c,
                           DCNN_MAX_CHANNELS);
        goto done;
    }
    DCNN_TRY_DONE(count_classes(&made));
    DCNN_TRY_DONE(split_samples(&made));
    DCNN_TRY_DONE(write_dataset(&made, output));
    if (summary) DCNN_TRY_DONE(summarise(&made, output, summary));
done:
    free_preparation(&made);
    return status;
}

char *dcnn_embedded_digits(void) {
    return dcnn_data_path("mnist");
}
