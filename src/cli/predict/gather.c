/* SPDX-License-Identifier: BSD-3-Clause */
/* gather.c — see gather.h. */
#include "cli/predict/gather.h"

#include <ctype.h>
#include <fts.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "io/dataset/pixels.h"
#include "io/file.h"
#include "io/input.h"
#include "io/kind.h"

static size_t values_of(const dcnn_gather_options *options) {
    return (size_t)options->wanted.h * (size_t)options->wanted.w * (size_t)options->wanted.channels;
}

static void note(dcnn_gather_note *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(dcnn_gather_note *to, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (to->count++ == 0) vsnprintf(to->first, sizeof to->first, format, arguments);
    va_end(arguments);
}

static void tell(const dcnn_gather_note *noted, bool warning) {
    char more[64] = "";
    if (noted->count > 1) snprintf(more, sizeof more, " (and %" PRId64 " more like it)", noted->count - 1);
    if (noted->count > 0 && warning) dcnn_warn("%s%s", noted->first, more);
    if (noted->count > 0 && !warning) dcnn_info("%s%s", noted->first, more);
}

/* Far from the training images; dark ink on white for a model of light ink on black is the common case. */
static void judge(const dcnn_gather_options *options, const char *name, const uint8_t *pixels, dcnn_gathered *to) {
    const size_t count = values_of(options);
    double mean = 0;
    if (!options->like_training) return;
    for (size_t i = 0; i < count; i++) mean += pixels[i] / 255.0;
    mean /= (double)count;
    const double away = fabs(mean - options->mean);
    if (away < 1.5 * options->std || away < 0.1) return;
    if (!options->invert && fabs(1 - mean - options->mean) < away / 2)
        note(&to->unlike, "%s is %s (mean %.2f), the training images were %s (%.2f): --invert swaps light and dark",
             name, mean > options->mean ? "light" : "dark", mean, mean > options->mean ? "dark" : "light",
             options->mean);
    else
        note(&to->unlike, "%s is far %s than the training images (mean %.2f, theirs %.2f): the prediction may be wrong",
             name, mean > options->mean ? "lighter" : "darker", mean, options->mean);
}

/* Room for one more; returns where its values go. */
static uint8_t *make_room(const dcnn_gather_options *options, dcnn_gathered *to) {
    const size_t values = values_of(options);
    if (to->count == to->room) {
        const int64_t twice = to->room > 0 ? 2 * to->room : 64, room = twice < options->most ? twice : options->most;
        uint8_t *pixels = realloc(to->pixels, (size_t)room * values);
        if (pixels == NULL) return NULL;
        to->pixels = pixels;
        to->room = room;
    }
    return to->pixels + (size_t)to->count * values;
}

/* The image whose values lie behind the last one counts now. */
static dcnn_status take(const dcnn_gather_options *options, const char *name, const char *id, dcnn_gathered *to) {
    const size_t values = values_of(options);
    uint8_t *pixels = to->pixels + (size_t)to->count * values;
    const int c = options->wanted.channels;
    for (size_t i = 0; options->invert && i < values; i++)
        if (c % 2 != 0 || (int)(i % (size_t)c) != c - 1) pixels[i] = (uint8_t)(255 - pixels[i]); /* alpha stays */
    judge(options, name, pixels, to);
    DCNN_TRY(dcnn_names_add(&to->files, name, strlen(name)));
    DCNN_TRY(dcnn_names_add(&to->ids, id ? id : "", id ? strlen(id) : 0));
    to->count++;
    return DCNN_OK;
}

/* Where there is no room for one more, those that are there are taken. */
static dcnn_status make_way(const dcnn_gather_options *options, dcnn_gathered *to) {
    return to->count < options->most ? DCNN_OK : options->full(options->context, to);
}

/* One that cannot be read: named, and the others go on. */
static dcnn_status leave_out(dcnn_status status, dcnn_gathered *to) {
    if (status != DCNN_BAD_INPUT) return status;
    dcnn_warn("%s", dcnn_error());
    to->bad++;
    return DCNN_OK;
}

static dcnn_status out_of_memory(void) {
    return DCNN_FAIL(DCNN_FAILURE, "out of memory: images to predict");
}

static const char *colour_word(int channels) {
    return channels == 1 ? "grey" : "RGB";
}

/* Checks and notes an image's own size, and its channels, unless they are 0: files have what they have. What an array's
 * two or four channels are nobody says. */
static dcnn_status check_size(const dcnn_gather_options *options, const char *name, int h, int w, int c,
                              dcnn_gathered *to) {
    const dcnn_image_options *wanted = &options->wanted;
    const int k = wanted->channels;
    const bool recoloured = c > 0 && c != k, sized = h == wanted->h && w == wanted->w;
    char own[16] = "", theirs[16] = "";
    if (sized && !recoloured) return DCNN_OK;
    if (recoloured && !((c == 1 || c == 3) && (k == 1 || k == 3)))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s has images of %dx%dx%d, the model takes %dx%dx%d: only grey and RGB become each other; "
                         "give the %d channel%s that the model was trained on",
                         name, h, w, c, wanted->h, wanted->w, k, k, k == 1 ? "" : "s");
    if (recoloured) {
        snprintf(own, sizeof own, "x%d", c);
        snprintf(theirs, sizeof theirs, "x%d", k);
    }
    if (!options->resize)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s has %dx%d%s pixels, the model takes %dx%d%s: leave out --no-resize", name,
                         h, w, own, wanted->h, wanted->w, theirs);
    if (sized)
        note(&to->resized, "%s: turned from %s into %s, which the model takes", name, colour_word(c), colour_word(k));
    else
        note(&to->resized, "%s: resized from %dx%d%s to the model's %dx%d%s", name, h, w, own, wanted->h, wanted->w,
             theirs);
    return DCNN_OK;
}

/* --- images ----------------------------------------------------------------------------------------------------- */

/* One that is decoded. */
static dcnn_status take_decoded(const dcnn_gather_options *options, const char *name, const dcnn_image_notes *notes,
                                const uint8_t *decoded, dcnn_gathered *to) {
    uint8_t *pixels = make_room(options, to);
    if (pixels == NULL) return out_of_memory();
    DCNN_TRY(check_size(options, name, notes->h, notes->w, 0, to));
    memcpy(pixels, decoded, values_of(options));
    to->has_files = true;
    if (notes->blank_by_alpha)
        note(&to->blank, "%s is blank once its transparency is gone: --background white or black keeps what is drawn",
             name);
    return take(options, name, NULL, to);
}

/* From bytes, or from the file if there are none. */
static dcnn_status take_image(const dcnn_gather_options *options, const char *name, const uint8_t *bytes, size_t length,
                              dcnn_gathered *to) {
    dcnn_image image = {0};
    dcnn_image_notes notes;
    DCNN_TRY(bytes ? dcnn_image_decode(name, bytes, length, &options->wanted, &notes, &image)
                   : dcnn_image_read(name, &options->wanted, &notes, &image));
    const dcnn_status status = take_decoded(options, name, &notes, image.pixels, to);
    dcnn_image_free(&image);
    return status;
}

/* A file that is decoded with others, by all threads. */
typedef struct decoded {
    dcnn_status status;
    char *why; /* if it is no good; owned */
    dcnn_image_notes notes;
    dcnn_image image;
} decoded;

typedef struct decoding {
    const dcnn_gather_options *options;
    const dcnn_names *files;
    decoded *all; /* [files->count] */
} decoding;

static void decode(void *argument, int worker) {
    const decoding *d = argument;
    for (int64_t i = worker; i < d->files->count; i += dcnn_thread_pool_size(d->options->pool)) {
        decoded *one = &d->all[i];
        one->status = dcnn_image_read(d->files->text[i], &d->options->wanted, &one->notes, &one->image);
        if (one->status != DCNN_OK && !(one->why = strdup(dcnn_error()))) one->status = DCNN_FAILURE;
    }
}

/* Decodes the files that wait, and takes them in their order, as if each had been read when it was met. */
static dcnn_status take_waiting(const dcnn_gather_options *options, dcnn_gathered *to) {
    if (to->waiting.count == 0) return DCNN_OK;
    decoding d = {options, &to->waiting, calloc((size_t)to->waiting.count, sizeof *d.all)};
    if (d.all == NULL) return out_of_memory();
    dcnn_thread_pool_run(options->pool, decode, &d);
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0; i < to->waiting.count; i++) {
        decoded *one = &d.all[i];
        if (status == DCNN_OK) {
            status = one->status == DCNN_OK
                         ? take_decoded(options, to->waiting.text[i], &one->notes, one->image.pixels, to)
                     : one->why ? DCNN_FAIL(one->status, "%s", one->why)
                                : out_of_memory();
            if (status == DCNN_BAD_INPUT && to->list) dcnn_error_prefix("%s, read as a list of images", to->list);
            status = leave_out(status, to);
            if (status == DCNN_OK) status = make_way(options, to);
        }
        free(one->why);
        dcnn_image_free(&one->image);
    }
    free(d.all);
    dcnn_names_free(&to->waiting);
    return status;
}

/* One that may wait for others. */
static dcnn_status take_file(const dcnn_gather_options *options, const char *name, dcnn_gathered *to) {
    enum { A_THREAD = 8 };
    DCNN_TRY(dcnn_names_add(&to->waiting, name, strlen(name)));
    return to->waiting.count < (int64_t)A_THREAD * dcnn_thread_pool_size(options->pool) ? DCNN_OK
                                                                                        : take_waiting(options, to);
}

static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* All images of a folder and those in it, sorted; links are followed, what else lies there is counted. */
static dcnn_status take_folder(const dcnn_gather_options *options, const char *path, dcnn_gathered *to, bool *found) {
    char *const paths[] = {(char *)(uintptr_t)path, NULL};
    dcnn_gather_note others = {0};
    FTS *walk = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    dcnn_status status = walk ? DCNN_OK : DCNN_FAIL(DCNN_BAD_INPUT, "%s: the folder cannot be read", path);
    for (FTSENT *entry; status == DCNN_OK && (entry = fts_read(walk)) != NULL;) {
        const bool hidden = entry->fts_level > 0 && entry->fts_name[0] == '.';
        if (entry->fts_info == FTS_D && hidden) (void)fts_set(walk, entry, FTS_SKIP);
        if (entry->fts_info == FTS_DNR)
            status = leave_out(DCNN_FAIL(DCNN_BAD_INPUT, "%s: cannot open the folder: %s", entry->fts_path,
                                         strerror(entry->fts_errno)),
                               to);
        const bool file = entry->fts_info == FTS_F || entry->fts_info == FTS_SLNONE;
        if (!file || hidden) continue;
        const dcnn_kind_id kind =
            dcnn_name_is_image(entry->fts_name) ? DCNN_KIND_PNG : dcnn_kind_of_file(entry->fts_path);
        if (dcnn_kind_is_foreign_image(kind)) {
            *found = true;
            status = take_waiting(options, to); /* so that messages come in order */
            if (status == DCNN_OK)
                status = leave_out(dcnn_kind_fail(entry->fts_path, kind, "one that can be read"), to);
            continue;
        }
        if (!dcnn_kind_is_image(kind)) {
            note(&others, "%s: not read, as it is not an image", entry->fts_path);
            continue;
        }
        *found = true;
        status = take_file(options, entry->fts_path, to);
    }
    if (walk) fts_close(walk);
    if (status == DCNN_OK) status = take_waiting(options, to);
    if (*found) tell(&others, false);
    return status;
}

/* A column's name above the paths. */
static bool is_heading(const char *line) {
    static const char *const words[] = {"path", "file", "filename", "file_name", "filepath", "image", "name", "images"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(line, words[i]) == 0) return access(line, F_OK) != 0;
    return false;
}

/* Lines that each name an image; they may end with NUL, as those of `find -print0`. */
static dcnn_status take_lines(const dcnn_gather_options *options, const char *name, char *text, size_t length,
                              dcnn_gathered *to) {
    to->list = name;
    for (char *line = text, *end = text + length; line < end;) {
        size_t used = strcspn(line, "\n");
        char *next = line + used + 1;
        while (used > 0 && isspace((unsigned char)line[used - 1])) used--;
        line[used] = '\0';
        if (line == text && is_heading(line))
            dcnn_info("%s: its first line, '%s', is taken for a heading", name, line);
        else if (used > 0)
            DCNN_TRY(take_file(options, line, to));
        line = next;
    }
    const dcnn_status status = take_waiting(options, to);
    to->list = NULL;
    return status;
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

static dcnn_status take_row(const dcnn_gather_options *options, const dcnn_source *source, int64_t row,
                            dcnn_gathered *to) {
    if (source->pixels == NULL) return take_file(options, source->files.text[row], to);
    uint8_t *pixels = make_room(options, to);
    if (pixels == NULL) return out_of_memory();
    DCNN_TRY(dcnn_source_read(source, row, &options->wanted, pixels));
    return take(options, source->name, source->ids.count > 0 ? source->ids.text[row] : NULL, to);
}

/* What was understood of a source is told once it is known to hold. */
static void keep_line(void *lines, const char *line) {
    (void)dcnn_names_add(lines, line, strlen(line));
}

/* The model's shape is tried first. Numbers that are no bytes, but all from 0 to 1, are taken times 255: a model has no
 * other use for them. */
static dcnn_status open_sources(const dcnn_gather_options *options, char *path, dcnn_sources *sources) {
    const bool given = options->given[0] > 0;
    dcnn_names told = {0};
    dcnn_source_options read = {.h = given ? options->given[0] : options->wanted.h,
                                .w = given ? options->given[1] : options->wanted.w,
                                .c = given ? options->given[2] : options->wanted.channels,
                                .shape_may_differ = !given,
                                .unlabelled = true,
                                .aside = options->aside,
                                .tell = keep_line,
                                .context = &told};
    char *paths[] = {path}, *why = NULL;
    dcnn_status status = dcnn_sources_open(1, paths, DCNN_ROLE_POOL, &read, sources);
    if (status == DCNN_BAD_INPUT && (why = strdup(dcnn_error())) != NULL) {
        dcnn_sources_free(sources);
        dcnn_names_free(&told);
        read.scale = 255;
        status = dcnn_sources_open(1, paths, DCNN_ROLE_POOL, &read, sources);
        if (status == DCNN_OK)
            dcnn_info("%s: its numbers, from 0 to 1, are taken times 255", path);
        else
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s", why);
        free(why);
    }
    for (int64_t i = 0; status == DCNN_OK && i < told.count; i++) dcnn_info("%s", told.text[i]);
    dcnn_names_free(&told);
    return status;
}

/* Tables, lists with columns, arrays. */
static dcnn_status take_sources(const dcnn_gather_options *options, const char *path, dcnn_gathered *to) {
    dcnn_sources sources = {0};
    dcnn_status status = open_sources(options, (char *)(uintptr_t)path, &sources);
    for (int i = 0; i < sources.count && status == DCNN_OK; i++) {
        const dcnn_source *source = &sources.items[i];
        if (source->pixels && source->count > 0)
            status = check_size(options, source->name, source->h, source->w, source->c, to);
        for (int64_t row = 0; row < source->count && status == DCNN_OK; row++) {
            status = take_row(options, source, row, to);
            if (status == DCNN_OK && source->pixels) status = make_way(options, to);
        }
        if (status == DCNN_OK) status = take_waiting(options, to);
    }
    to->bad += sources.broken;
    dcnn_sources_free(&sources);
    return status;
}

/* A program that never ends its output must not fill the memory: what is larger is given as a file. */
static dcnn_status read_pipe(uint8_t **bytes, size_t *length) {
    enum { MOST_BYTES = 1 << 28 };
    size_t room = 0;
    *length = 0;
    *bytes = NULL;
    for (;;) {
        if (*length > MOST_BYTES)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "standard input: is more than %d MiB; an image, or lines that name images, are read from "
                             "there: save it as a file, and name that",
                             MOST_BYTES >> 20);
        if (*length + 1 >= room) {
            room = room > 0 ? 2 * room : 65536;
            uint8_t *more = realloc(*bytes, room);
            if (more == NULL) return out_of_memory();
            *bytes = more;
        }
        const size_t got = fread(*bytes + *length, 1, room - *length - 1, stdin);
        if (got == 0) break;
        *length += got;
    }
    if (ferror(stdin)) return dcnn_input_fail("standard input", "read");
    (*bytes)[*length] = '\0';
    return *length > 0 ? DCNN_OK
                       : DCNN_FAIL(DCNN_BAD_INPUT, "standard input is empty: give an image, or one path per line");
}

/* Does the first line name a file? Commas and digits in it look like a table. */
static bool names_file(const char *text) {
    char *line = strndup(text, strcspn(text, "\r\n"));
    const bool names = line && *line && access(line, F_OK) == 0;
    free(line);
    return names;
}

static dcnn_status take_pipe(const dcnn_gather_options *options, dcnn_gathered *to) {
    uint8_t *bytes = NULL;
    size_t length;
    dcnn_status status = read_pipe(&bytes, &length);
    const dcnn_kind_id kind = status == DCNN_OK ? dcnn_kind_of_bytes(bytes, length) : DCNN_KIND_EMPTY;
    if (status == DCNN_OK && dcnn_kind_is_image(kind))
        status = take_image(options, "standard input", bytes, length, to);
    else if (status == DCNN_OK && (kind == DCNN_KIND_TEXT || names_file((char *)bytes)))
        status = take_lines(options, "standard input", (char *)bytes, length, to);
    else if (status == DCNN_OK)
        status =
            DCNN_FAIL(DCNN_BAD_INPUT,
                      "standard input: is %s; an image, or lines that name images, are read from there: save it as "
                      "a file, and name that",
                      dcnn_kind_name(kind));
    free(bytes);
    return status;
}

dcnn_status dcnn_gather(const char *path, const dcnn_gather_options *options, dcnn_gathered *to) {
    DCNN_TRY(make_way(options, to));
    if (strcmp(path, "-") == 0) return take_pipe(options, to);
    const dcnn_kind_id kind = dcnn_kind_of_file(path);
    if (dcnn_kind_is_image(kind)) return take_image(options, path, NULL, 0, to);
    bool found = false;
    if (kind == DCNN_KIND_FOLDER) DCNN_TRY(take_folder(options, path, to, &found));
    if (found) return DCNN_OK;
    if (kind == DCNN_KIND_TEXT) {
        uint8_t *text = NULL;
        size_t length;
        DCNN_TRY(dcnn_file_read(path, &text, &length));
        dcnn_status status = take_lines(options, path, (char *)text, length, to);
        free(text);
        return status;
    }
    return take_sources(options, path, to);
}

/* In the images' own shape, some at a time. */
static dcnn_status take_rows(const dcnn_dataset *dataset, const dcnn_split *split, char *const ids[],
                             const dcnn_gather_options *options, dcnn_gathered *to) {
    enum { CACHE_BYTES = 1 << 25 };
    uint8_t *pixels = malloc((size_t)dataset->h * (size_t)dataset->w * (size_t)dataset->c);
    dcnn_pixels *rows = NULL;
    const dcnn_source one = {
        .name = dataset->path, .count = 1, .h = dataset->h, .w = dataset->w, .c = dataset->c, .pixels = pixels};
    dcnn_status status = pixels ? dcnn_pixels_open(dataset, CACHE_BYTES, &rows) : out_of_memory();
    for (int64_t i = 0; i < split->count && status == DCNN_OK; i++) {
        uint8_t *place = make_room(options, to);
        status = place ? dcnn_pixels_read(rows, split->rows[i], 1, pixels) : out_of_memory();
        if (status == DCNN_OK) status = dcnn_source_read(&one, 0, &options->wanted, place);
        if (status == DCNN_OK) status = take(options, dataset->path, ids ? ids[split->rows[i]] : NULL, to);
        if (status == DCNN_OK) status = make_way(options, to);
    }
    dcnn_pixels_close(rows);
    free(pixels);
    return status;
}

dcnn_status dcnn_gather_dataset(const dcnn_dataset *dataset, const dcnn_split *split,
                                const dcnn_gather_options *options, dcnn_gathered *to) {
    char **ids = NULL;
    DCNN_TRY(check_size(options, dataset->path, dataset->h, dataset->w, dataset->c, to));
    if (dataset->has_ids) DCNN_TRY(dcnn_dataset_read_ids(dataset, &ids));
    const dcnn_status status = take_rows(dataset, split, ids, options, to);
    if (ids) dcnn_dataset_free_ids(dataset, ids);
    return status;
}

void dcnn_gather_tell(const dcnn_gathered *gathered) {
    tell(&gathered->resized, false);
    tell(&gathered->blank, true);
    tell(&gathered->unlike, true);
}

void dcnn_gathered_empty(dcnn_gathered *gathered) {
    dcnn_names_free(&gathered->files);
    dcnn_names_free(&gathered->ids);
    gathered->count = 0;
    gathered->has_files = false;
}

void dcnn_gathered_free(dcnn_gathered *gathered) {
    free(gathered->pixels);
    dcnn_names_free(&gathered->waiting);
    dcnn_names_free(&gathered->files);
    dcnn_names_free(&gathered->ids);
    *gathered = (dcnn_gathered){0};
}
