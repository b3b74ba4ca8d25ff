/* SPDX-License-Identifier: BSD-3-Clause */
/* dataset_writer.c — see dataset_writer.h. */
#include "io/dataset/dataset_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "io/file.h"
#include "io/hdf5/hdf5.h"
#include "io/output.h"
#include "io/dataset/split.h"

enum { BUFFER_BYTES = 1 << 20 };

/* Values that grow. */
typedef struct column {
    void *values;
    size_t used, room; /* bytes */
} column;

/* Bytes on their way to a file. */
typedef struct stream {
    dcnn_output to;
    uint8_t *buffer; /* [BUFFER_BYTES] */
    size_t used;
} stream;

struct dcnn_dataset_writer {
    dcnn_output output;
    char *path; /* output's */
    int h, w, c, target_width;
    int64_t count, block_rows;
    stream pixels; /* to the output itself, or to a scratch file if that takes bytes only in order */
    stream sums;   /* to a scratch file: [count][c][2], of pixels and of their squares */
    XXH3_state_t *block;
    int64_t in_block; /* images hashed of the block in progress */
    column checksums, labels, targets, ids;
    int32_t highest_label;
};

/* --- columns and streams ---------------------------------------------------------------------------------------- */

static dcnn_status put_values(column *to, const void *values, size_t bytes) {
    if (to->used + bytes > to->room) {
        const size_t room = 2 * (to->used + bytes) + 4096;
        void *longer = realloc(to->values, room);
        if (!longer) return DCNN_FAIL(DCNN_FAILURE, "out of memory: %zu bytes of a data set's lists", room);
        to->values = longer;
        to->room = room;
    }
    memcpy((char *)to->values + to->used, values, bytes);
    to->used += bytes;
    return DCNN_OK;
}

static dcnn_status flush_stream(stream *s) {
    const size_t used = s->used;
    s->used = 0;
    return dcnn_output_write(&s->to, s->buffer, used);
}

static dcnn_status put_bytes(stream *s, const void *bytes, size_t length) {
    if (s->used + length > BUFFER_BYTES) DCNN_TRY(flush_stream(s));
    if (length > BUFFER_BYTES) return dcnn_output_write(&s->to, bytes, length);
    memcpy(s->buffer + s->used, bytes, length);
    s->used += length;
    return DCNN_OK;
}

static dcnn_status seek(const stream *s, uint64_t offset) {
    if (lseek(s->to.descriptor, (off_t)offset, SEEK_SET) >= 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_FAILURE, "%s: cannot be written in parts: %s", s->to.path, strerror(errno));
}

/* Up to `length` bytes; fewer only at the end. */
static dcnn_status get_bytes(const stream *s, void *bytes, size_t length, size_t *got) {
    for (*got = 0; *got < length;) {
        const ssize_t part = read(s->to.descriptor, (char *)bytes + *got, length - *got);
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) return DCNN_FAIL(DCNN_FAILURE, "%s: cannot read back: %s", s->to.path, strerror(errno));
        if (part == 0) break;
        *got += (size_t)part;
    }
    return DCNN_OK;
}

/* A file without a name, in the folder of the output's where that is a file. */
static dcnn_status open_scratch(const dcnn_output *output, int *descriptor) {
    const char *parent = getenv("TMPDIR"), *slash = output->temporary ? strrchr(output->temporary, '/') : NULL;
    char *name = NULL, *folder = slash ? strndup(output->temporary, (size_t)(slash - output->temporary) + 1)
                                 : output->temporary ? strdup(".")
                                                     : strdup(parent && *parent ? parent : "/tmp");
    *descriptor = folder ? open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600) : -1;
    if (*descriptor < 0 && folder && asprintf(&name, "%s/dcnn-XXXXXX", folder) >= 0) { /* not every file system can */
        *descriptor = mkostemp(name, O_CLOEXEC);
        if (*descriptor >= 0) unlink(name);
        free(name);
    }
    const int reason = errno;
    free(folder);
    if (*descriptor >= 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_FAILURE, "%s: cannot make a temporary file: %s", output->path, strerror(reason));
}

/* --- beginning and appending ------------------------------------------------------------------------------------ */

/* Pixels that one checksum covers: the most images, a power of two, that 256 KiB hold; at least one. */
static int64_t rows_of_block(int64_t image_bytes) {
    int64_t rows = 1;
    while (2 * rows * image_bytes <= DCNN_BLOCK_BYTES) rows *= 2;
    return rows;
}

static dcnn_status begin(dcnn_dataset_writer *w, const char *output) {
    w->path = strdup(output);
    w->pixels.buffer = malloc(BUFFER_BYTES);
    w->sums.buffer = malloc(BUFFER_BYTES);
    w->block = XXH3_createState();
    if (!w->path || !w->pixels.buffer || !w->sums.buffer || !w->block)
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for buffers", output);
    XXH3_64bits_reset(w->block);
    DCNN_TRY(dcnn_output_open(w->path, &w->output));
    w->pixels.to.path = w->sums.to.path = w->path;
    DCNN_TRY(open_scratch(&w->output, &w->sums.to.descriptor));
    if (w->output.temporary)
        w->pixels.to.descriptor = w->output.descriptor;
    else
        DCNN_TRY(open_scratch(&w->output, &w->pixels.to.descriptor));
    return seek(&w->pixels, DCNN_PIXELS_OFFSET);
}

dcnn_status dcnn_dataset_writer_open(const char *output, int h, int w, int c, int target_width,
                                     dcnn_dataset_writer **writer) {
    *writer = NULL;
    int64_t bytes = c;
    if (h < 1 || w < 1 || c < 1 || c > DCNN_MAX_CHANNELS || target_width < 0 ||
        __builtin_mul_overflow(bytes, h, &bytes) || __builtin_mul_overflow(bytes, w, &bytes) || bytes > INT32_MAX)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: images of %dx%dx%d are too large (at most %d channels, 2 GiB)", output, h,
                         w, c, DCNN_MAX_CHANNELS);
    dcnn_dataset_writer *made = calloc(1, sizeof *made);
    if (!made) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", output);
    made->h = h;
    made->w = w;
    made->c = c;
    made->target_width = target_width;
    made->block_rows = rows_of_block(bytes);
    made->output.descriptor = made->pixels.to.descriptor = made->sums.to.descriptor = -1;
    dcnn_status status = begin(made, output);
    if (status == DCNN_OK)
        *writer = made;
    else
        dcnn_dataset_writer_abandon(made);
    return status;
}

void dcnn_dataset_writer_only_new(dcnn_dataset_writer *w) {
    w->output.only_new = true;
}

static dcnn_status close_block(dcnn_dataset_writer *w) {
    const uint64_t checksum = XXH3_64bits_digest(w->block);
    XXH3_64bits_reset(w->block);
    w->in_block = 0;
    return put_values(&w->checksums, &checksum, sizeof checksum);
}

static dcnn_status append_image(dcnn_dataset_writer *w, const uint8_t *pixels) {
    const int64_t area = (int64_t)w->h * w->w;
    const size_t bytes = (size_t)area * (size_t)w->c;
    uint64_t sums[2 * DCNN_MAX_CHANNELS];
    DCNN_TRY(put_bytes(&w->pixels, pixels, bytes));
    dcnn_image_sums(pixels, area, w->c, sums);
    DCNN_TRY(put_bytes(&w->sums, sums, 2 * (size_t)w->c * sizeof *sums));
    XXH3_64bits_update(w->block, pixels, bytes);
    return ++w->in_block == w->block_rows ? close_block(w) : DCNN_OK;
}

static dcnn_status check_samples(const dcnn_dataset_writer *w, const dcnn_samples_in *in) {
    const bool began = w->count > 0;
    if ((w->target_width > 0) != (in->targets != NULL) || (!in->labels && !in->targets) ||
        (began && (w->labels.used > 0) != (in->labels != NULL)) || (began && (w->ids.used > 0) != (in->ids != NULL)))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: some of its images have labels, targets or ids, and others do not",
                         w->path);
    for (int64_t i = 0; in->labels && i < in->count; i++)
        if (in->labels[i] < 0)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: image %lld has label %d; labels count from 0", w->path,
                             (long long)(w->count + i), in->labels[i]);
    return DCNN_OK;
}

dcnn_status dcnn_dataset_writer_append(dcnn_dataset_writer *w, const dcnn_samples_in *in) {
    const size_t count = (size_t)in->count, bytes = (size_t)w->h * (size_t)w->w * (size_t)w->c;
    DCNN_TRY(check_samples(w, in));
    for (size_t i = 0; i < count; i++) DCNN_TRY(append_image(w, in->pixels + i * bytes));
    if (in->labels) DCNN_TRY(put_values(&w->labels, in->labels, count * sizeof *in->labels));
    if (in->targets)
        DCNN_TRY(put_values(&w->targets, in->targets, count * (size_t)w->target_width * sizeof *in->targets));
    for (size_t i = 0; in->ids && i < count; i++) DCNN_TRY(put_values(&w->ids, in->ids[i], strlen(in->ids[i]) + 1));
    for (size_t i = 0; in->labels && i < count; i++)
        if (in->labels[i] > w->highest_label) w->highest_label = in->labels[i];
    w->count += in->count;
    return DCNN_OK;
}

int64_t dcnn_dataset_writer_count(const dcnn_dataset_writer *w) {
    return w->count;
}

const int32_t *dcnn_dataset_writer_labels(const dcnn_dataset_writer *w) {
    return w->labels.values;
}

/* --- finishing -------------------------------------------------------------------------------------------------- */

/* Adds up the images of a split: their sums are read once, from the first image to the last. */
static dcnn_status measure(dcnn_dataset_writer *w, const dcnn_split *train, double *mean, double *std) {
    const size_t values = 2 * (size_t)w->c;
    uint64_t totals[2 * DCNN_MAX_CHANNELS] = {0};
    uint8_t *counts = calloc((size_t)w->count, 1);
    uint64_t *block = (uint64_t *)(void *)w->sums.buffer;
    if (!counts) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld rows", w->path, (long long)w->count);
    dcnn_status status;
    for (int64_t i = 0; i < train->count; i++) counts[train->rows[i]] = 1;
    DCNN_TRY_DONE(flush_stream(&w->sums));
    DCNN_TRY_DONE(seek(&w->sums, 0));
    const int64_t most = (int64_t)(BUFFER_BYTES / (values * sizeof *block));
    for (int64_t row = 0; row < w->count; row += most) {
        const int64_t rows = w->count - row < most ? w->count - row : most;
        const size_t wanted = (size_t)rows * values * sizeof *block;
        size_t got;
        DCNN_TRY_DONE(get_bytes(&w->sums, block, wanted, &got));
        if (got < wanted)
            DCNN_TRY_DONE(
                DCNN_FAIL(DCNN_FAILURE, "%s: cannot read back what was set aside: it has become shorter", w->path));
        for (int64_t i = 0; i < rows; i++)
            for (size_t v = 0; counts[row + i] && v < values; v++) totals[v] += block[(size_t)i * values + v];
    }
    dcnn_sums_moments(totals, (uint64_t)train->count * (uint64_t)w->h * (uint64_t)w->w, w->c, mean, std);
done:
    free(counts);
    return status;
}

static dcnn_status write_names(hid_t file, const char *name, int count, const char *const *given) {
    char(*text)[12] = calloc((size_t)count, sizeof *text);
    const char **names = calloc((size_t)count, sizeof *names);
    dcnn_status status;
    if (!text || !names) {
        status = DCNN_FAIL(DCNN_FAILURE, "out of memory for %d names", count);
        goto done;
    }
    for (int i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "%d", i);
        names[i] = given ? given[i] : text[i];
    }
    status = dcnn_h5_strings_write(file, name, count, names);
done:
    free(text);
    free(names);
    return status;
}

static dcnn_status write_ids(hid_t file, const dcnn_dataset_writer *w) {
    if (w->ids.used == 0) return DCNN_OK;
    if (w->count > INT_MAX)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: %lld images with names; at most %d can have some", w->path,
                         (long long)w->count, INT_MAX);
    const char **ids = calloc((size_t)w->count, sizeof *ids), *id = w->ids.values;
    if (!ids) return DCNN_FAIL(DCNN_FAILURE, "out of memory for %lld ids", (long long)w->count);
    for (int64_t i = 0; i < w->count; i++, id += strlen(id) + 1) ids[i] = id;
    dcnn_status status = dcnn_h5_strings_write(file, "ids", (int)w->count, ids);
    free(ids);
    return status;
}

static dcnn_status write_attributes(hid_t file, const dcnn_dataset_about *about) {
    const int32_t version = 2;
    DCNN_TRY(dcnn_h5_text_write(file, "format", "dcnn data set"));
    DCNN_TRY(dcnn_h5_attribute_write(file, "format_version", DCNN_H5_INT32, -1, &version));
    DCNN_TRY(dcnn_h5_text_write(file, "created_by", "dcnn " DCNN_VERSION));
    DCNN_TRY(dcnn_h5_attribute_write(file, "seed", DCNN_H5_UINT64, -1, &about->seed));
    if (about->source) DCNN_TRY(dcnn_h5_text_write(file, "source", about->source));
    if (about->source_checksum) DCNN_TRY(dcnn_h5_text_write(file, "source_checksum", about->source_checksum));
    if (about->options) DCNN_TRY(dcnn_h5_text_write(file, "options", about->options));
    return about->image_kind ? dcnn_h5_text_write(file, "pictures", about->image_kind) : DCNN_OK;
}

static dcnn_status write_lists(hid_t file, const dcnn_dataset_writer *w, const dcnn_dataset_about *about) {
    const int64_t blocks = (int64_t)(w->checksums.used / sizeof(uint64_t)), targets[2] = {w->count, w->target_width};
    DCNN_TRY(dcnn_h5_write(file, "image_checksums", DCNN_H5_UINT64, 1, &blocks, 0, w->checksums.values));
    DCNN_TRY(dcnn_h5_attribute_write(file, "image_checksum_rows", DCNN_H5_INT64, -1, &w->block_rows));
    if (w->labels.used) DCNN_TRY(dcnn_h5_write(file, "labels", DCNN_H5_INT32, 1, &w->count, 0, w->labels.values));
    if (w->targets.used) DCNN_TRY(dcnn_h5_write(file, "targets", DCNN_H5_FLOAT, 2, targets, 0, w->targets.values));
    if (w->targets.used) DCNN_TRY(write_names(file, "target_names", w->target_width, about->target_names));
    DCNN_TRY(write_ids(file, w));
    for (int i = 0; i < about->split_count; i++) {
        char name[48];
        snprintf(name, sizeof name, "splits/%s", about->splits[i].name);
        DCNN_TRY(dcnn_h5_write(file, name, DCNN_H5_INT64, 1, &about->splits[i].count, 0, about->splits[i].rows));
    }
    return about->class_count > 0 ? write_names(file, "class_names", about->class_count, about->class_names) : DCNN_OK;
}

/* All that is not pixels, behind and before them. */
static dcnn_status write_around(dcnn_dataset_writer *w, const dcnn_dataset_about *about, const dcnn_split *train) {
    const int64_t shape[4] = {w->count, w->h, w->w, w->c};
    const uint64_t bytes = (uint64_t)w->count * (uint64_t)w->h * (uint64_t)w->w * (uint64_t)w->c;
    double mean[DCNN_MAX_CHANNELS], std[DCNN_MAX_CHANNELS];
    unsigned char seal[DCNN_SEAL_AROUND_BYTES];
    const dcnn_h5_around *parts;
    hid_t file;
    DCNN_TRY(measure(w, train, mean, std));
    DCNN_TRY(dcnn_h5_create_around(w->path, DCNN_PIXELS_OFFSET, bytes, &file));
    dcnn_status status;
    DCNN_TRY_DONE(dcnn_h5_write_hole(file, "images", 4, shape));
    DCNN_TRY_DONE(write_attributes(file, about));
    DCNN_TRY_DONE(dcnn_h5_attribute_write(file, "mean", DCNN_H5_DOUBLE, w->c, mean));
    DCNN_TRY_DONE(dcnn_h5_attribute_write(file, "std", DCNN_H5_DOUBLE, w->c, std));
    DCNN_TRY_DONE(write_lists(file, w, about));
    DCNN_TRY_DONE(dcnn_h5_around_parts(file, &parts));
    DCNN_TRY_DONE(flush_stream(&w->pixels));
    DCNN_TRY_DONE(dcnn_output_write(&w->pixels.to, parts->tail, parts->tail_bytes));
    DCNN_TRY_DONE(
        dcnn_seal_make_around(parts->head, parts->hole_begin, parts->hole_end, parts->tail, parts->tail_bytes, seal));
    DCNN_TRY_DONE(dcnn_output_write(&w->pixels.to, seal, sizeof seal));
    DCNN_TRY_DONE(seek(&w->pixels, 0));
    DCNN_TRY_DONE(dcnn_output_write(&w->pixels.to, parts->head, parts->hole_begin));
done:
    dcnn_h5_close(file);
    return status;
}

/* To where bytes go in order only: the finished scratch file, from its beginning. */
static dcnn_status send_scratch(dcnn_dataset_writer *w) {
    size_t got;
    DCNN_TRY(seek(&w->pixels, 0));
    do {
        DCNN_TRY(get_bytes(&w->pixels, w->pixels.buffer, BUFFER_BYTES, &got));
        DCNN_TRY(dcnn_output_write(&w->output, w->pixels.buffer, got));
    } while (got == BUFFER_BYTES);
    return DCNN_OK;
}

static dcnn_status check_about(const dcnn_dataset_writer *w, const dcnn_dataset_about *about,
                               const dcnn_split **train) {
    *train = NULL;
    if (w->count == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: there are no images to write", w->path);
    if (w->labels.used && w->highest_label >= about->class_count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: an image has label %d, but there are %d classes", w->path,
                         w->highest_label, about->class_count);
    for (int i = 0; i < about->split_count; i++) {
        const dcnn_split *split = &about->splits[i];
        if (strcmp(split->name, "train") == 0 && split->count > 0) *train = split;
        for (int64_t j = 0; j < split->count; j++)
            if (split->rows[j] < 0 || split->rows[j] >= w->count)
                return DCNN_FAIL(DCNN_BAD_INPUT, "%s: split '%s' names row %lld, but there are %lld", w->path,
                                 split->name, (long long)split->rows[j], (long long)w->count);
    }
    if (*train) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: there is no split 'train', or it is empty", w->path);
}

/* Takes the output along: it is closed here, in its place or not at all. */
static dcnn_status finish(dcnn_dataset_writer *w, const dcnn_dataset_about *about) {
    const dcnn_split *train;
    dcnn_status status = check_about(w, about, &train);
    if (status == DCNN_OK && w->in_block > 0) status = close_block(w);
    if (status == DCNN_OK) status = write_around(w, about, train);
    if (status == DCNN_OK && !w->output.temporary) status = send_scratch(w);
    return dcnn_output_close(&w->output, status);
}

dcnn_status dcnn_dataset_writer_finish(dcnn_dataset_writer *w, const dcnn_dataset_about *about) {
    const bool is_scratch = w->output.temporary == NULL;
    dcnn_status status = finish(w, about);
    if (!is_scratch) w->pixels.to.descriptor = -1;
    dcnn_dataset_writer_abandon(w);
    return status;
}

void dcnn_dataset_writer_abandon(dcnn_dataset_writer *w) {
    if (!w) return;
    if (w->pixels.to.descriptor >= 0 && w->pixels.to.descriptor != w->output.descriptor) close(w->pixels.to.descriptor);
    if (w->output.descriptor >= 0) (void)dcnn_output_close(&w->output, DCNN_FAILURE);
    if (w->sums.to.descriptor >= 0) close(w->sums.to.descriptor);
    free(w->pixels.buffer);
    free(w->sums.buffer);
    if (w->block) XXH3_freeState(w->block);
    free(w->checksums.values);
    free(w->labels.values);
    free(w->targets.values);
    free(w->ids.values);
    free(w->path);
    free(w);
}
