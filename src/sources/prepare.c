/* SPDX-License-Identifier: BSD-3-Clause */
/* prepare.c — see prepare.h. */
#include "sources/prepare.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <jansson.h>

#include "base/cores.h"
#include "base/thread_pool.h"
#include "io/dataset/classes.h"
#include "io/dataset/dataset_writer.h"
#include "io/file.h"
#include "io/kind.h"
#include "io/output.h"
#include "io/spill.h"
#include "sources/image_checks.h"
#include "sources/source_private.h"

enum { MOST_THREADS = 64, BLOCK_BYTES = 1 << 23, BLOCK_IMAGES = 1024 };

/* What goes into the data set. */
typedef struct preparation {
    const dcnn_prepare_options *options;
    dcnn_split_options split; /* what is drawn */
    dcnn_sources sources;
    dcnn_names class_names;
    int target_width; /* numbers an image to be predicted; 0: classes are */
    const dcnn_names *target_names;
    dcnn_image_options image; /* size and channels of all */
    dcnn_dataset_writer *writer;
    dcnn_image_checks checks;
    int64_t in_role[DCNN_ROLE_COUNT]; /* images written, by what they are for */
    int64_t total, broken;
    bool has_ids; /* each image has a name of its own */
    int threads;
    dcnn_split splits[DCNN_PART_COUNT + DCNN_ROLE_COUNT];
    int split_count;
} preparation;

static void tell(const preparation *made, const char *line) {
    if (made->options->read.tell) made->options->read.tell(made->options->read.context, line);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static int64_t count_role(const preparation *made, dcnn_role role) {
    int64_t count = 0;
    for (int i = 0; i < made->sources.count; i++)
        if (made->sources.items[i].role == role) count += made->sources.items[i].count;
    return count;
}

/* For a role that is given, none is drawn. */
static void choose_splits(preparation *made) {
    bool by_class = false;
    made->split = made->options->split;
    if (count_role(made, DCNN_ROLE_TEST) > 0) made->split.test_fraction = 0;
    if (count_role(made, DCNN_ROLE_VALIDATION) > 0) made->split.validation_fraction = 0;
    for (int i = 0; i < made->sources.count; i++)
        by_class = by_class || made->sources.items[i].files.count > 0 || made->sources.items[i].from_table;
    made->split.stratify =
        made->target_width == 0 && (made->options->stratify_always || (by_class && !made->options->stratify_never));
}

static dcnn_status open_sources(preparation *made, int count, char *const sources[]) {
    const dcnn_prepare_options *o = made->options;
    if (count == 0) return DCNN_FAIL(DCNN_USAGE, "no source was named");
    DCNN_TRY(dcnn_sources_open(count, sources, DCNN_ROLE_POOL, &o->read, &made->sources));
    DCNN_TRY(dcnn_sources_open(o->validation_count, o->validation, DCNN_ROLE_VALIDATION, &o->read, &made->sources));
    DCNN_TRY(dcnn_sources_open(o->test_count, o->test, DCNN_ROLE_TEST, &o->read, &made->sources));
    if (count_role(made, DCNN_ROLE_POOL) == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has nothing to train on", sources[0]);
    return DCNN_OK;
}

static dcnn_status check_spared(const char *output, const dcnn_names *files) {
    const int64_t at = dcnn_output_among(output, files->count, files->text);
    if (at < 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE,
                     "%s: is one of the files that the data set is made of (%s), which it would replace: name another "
                     "file with -o",
                     dcnn_output_name(output), files->text[at]);
}

/* The data set must not replace what it is made of. No picture is an HDF5 file: where one is replaced, as a rule, the
 * pictures need not be looked at. */
static dcnn_status spare_sources(const preparation *made, const char *output) {
    DCNN_TRY(check_spared(output, &made->sources.files));
    if (strcmp(output, "-") != 0 && dcnn_kind_of_file(output) == DCNN_KIND_HDF5) return DCNN_OK;
    for (int i = 0; i < made->sources.count; i++) DCNN_TRY(check_spared(output, &made->sources.items[i].files));
    return DCNN_OK;
}

/* --- fewer of them ------------------------------------------------------------------------------------------------ */

/* How many of each class: in proportion, at least one of each that occurs, `limit` in all if there are so many classes.
 * What rounding leaves goes to the largest remainders. */
static dcnn_status share_out(const dcnn_class_census *census, int64_t total, int64_t limit, int64_t *quota) {
    int64_t given = 0;
    for (int i = 0; i < census->class_count; i++) {
        quota[i] = (int64_t)((double)limit * (double)census->counts[i] / (double)total);
        if (quota[i] == 0 && census->counts[i] > 0) quota[i] = 1;
        given += quota[i];
    }
    while (given != limit) {
        int best = -1;
        double largest = -1;
        for (int i = 0; i < census->class_count; i++) {
            const double due = (double)limit * (double)census->counts[i] / (double)total - (double)quota[i];
            const double need = given < limit ? due : -due;
            const bool can = given < limit ? quota[i] < census->counts[i] : quota[i] > 1;
            if (can && (best < 0 || need > largest)) {
                best = i;
                largest = need;
            }
        }
        if (best < 0) break; /* more classes than images were asked for */
        quota[best] += given < limit ? 1 : -1;
        given += given < limit ? 1 : -1;
    }
    return DCNN_OK;
}

static dcnn_status census_of_pool(const preparation *made, dcnn_class_census *census) {
    const int classes = (int)made->class_names.count;
    DCNN_TRY(dcnn_class_census_take(classes, 0, NULL, NULL, census));
    for (int i = 0; i < made->sources.count; i++) {
        const dcnn_source *s = &made->sources.items[i];
        dcnn_class_census part;
        if (s->role != DCNN_ROLE_POOL) continue;
        const dcnn_status status = dcnn_class_census_take(classes, s->count, s->labels, NULL, &part);
        for (int j = 0; j < classes && status == DCNN_OK; j++) census->counts[j] += part.counts[j];
        dcnn_class_census_free(&part);
        DCNN_TRY(status);
    }
    for (int j = 0; j < classes; j++) census->occurring += census->counts[j] > 0;
    return DCNN_OK;
}

/* Do the first `limit` images hold each class that there is, with half its share or more? */
static dcnn_status head_is_fair(const preparation *made, const dcnn_class_census *all, int64_t total, bool *fair) {
    int64_t *counts = calloc((size_t)all->class_count + 1, sizeof *counts), left = made->options->limit;
    if (!counts) return DCNN_FAIL(DCNN_FAILURE, "out of memory for a limit");
    for (int i = 0; i < made->sources.count; i++) {
        const dcnn_source *s = &made->sources.items[i];
        for (int64_t j = 0; s->role == DCNN_ROLE_POOL && j < s->count && left > 0; j++, left--) counts[s->labels[j]]++;
    }
    *fair = true;
    for (int i = 0; i < all->class_count; i++) {
        const double due = (double)made->options->limit * (double)all->counts[i] / (double)total;
        if (all->counts[i] > 0 && (counts[i] == 0 || (double)counts[i] < due / 2)) *fair = false;
    }
    free(counts);
    return DCNN_OK;
}

/* The first images; of sources sorted by class the first ones of each class, as many as it shall have. */
static dcnn_status limit_pool(preparation *made) {
    const int64_t total = count_role(made, DCNN_ROLE_POOL), limit = made->options->limit;
    if (limit == 0 || limit >= total) return DCNN_OK;
    dcnn_class_census census;
    int64_t *quota = calloc((size_t)made->class_names.count + 1, sizeof *quota);
    uint8_t *keep = malloc((size_t)total);
    bool fair = made->target_width > 0; /* numbers have no shares */
    dcnn_status status = quota && keep ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory for a limit");
    DCNN_TRY_DONE(status);
    if (!fair) {
        DCNN_TRY_DONE(census_of_pool(made, &census));
        status = head_is_fair(made, &census, total, &fair);
        fair = fair || limit < census.occurring;
        if (status == DCNN_OK && !fair) status = share_out(&census, total, limit, quota);
        dcnn_class_census_free(&census);
    }
    if (status == DCNN_OK && !fair)
        tell(made, "the first images do not have every class in its share: each class is limited instead");
    int64_t left = limit;
    for (int i = 0; i < made->sources.count && status == DCNN_OK; i++) {
        dcnn_source *s = &made->sources.items[i];
        if (s->role != DCNN_ROLE_POOL) continue;
        for (int64_t j = 0; j < s->count; j++) {
            keep[j] = fair ? left-- > 0 : quota[s->labels[j]]-- > 0;
        }
        status = dcnn_source_keep(s, keep);
    }
done:
    free(quota);
    free(keep);
    return status;
}

/* --- pixels ------------------------------------------------------------------------------------------------------- */

/* A block of one source's images; each worker takes every threads-th of them. */
typedef struct block {
    const preparation *made;
    const dcnn_source *source;
    int64_t first, count;
    size_t size;          /* of an image */
    uint8_t *pixels;      /* [BLOCK][size] */
    char **why;           /* [BLOCK]: what is wrong with an image, or NULL */
    atomic_bool is_short; /* of memory: it decides over what stands in `why`, or is missing there */
} block;

static void read_block(void *argument, int worker) {
    block *b = argument;
    for (int64_t i = worker; i < b->count; i += b->made->threads) {
        const dcnn_status status =
            dcnn_source_read(b->source, b->first + i, &b->made->image, b->pixels + (size_t)i * b->size);
        if (status != DCNN_OK && (!(b->why[i] = strdup(dcnn_error())) || status == DCNN_FAILURE))
            b->is_short = true; /* nothing is wrong with the image */
    }
}

static dcnn_status read_together(const preparation *made, dcnn_thread_pool *pool, block *b) {
    const dcnn_shared_block wanted = {.image = &made->image,
                                      .count = b->count,
                                      .files = b->source->files.text + b->first,
                                      .pixels = b->pixels,
                                      .why = b->why};
    return dcnn_share_read(made->options->helpers, pool, &wanted);
}

/* An image without a text in `why` is a good one. */
static dcnn_status read_images(const preparation *made, dcnn_thread_pool *pool, block *b) {
    if (made->options->helpers && !b->source->pixels) return read_together(made, pool, b);
    b->is_short = false;
    dcnn_thread_pool_run(pool, read_block, b);
    return b->is_short
               ? DCNN_FAIL(
                     DCNN_FAILURE,
                     "reading images failed for lack of memory or an I/O error, not because of the images: try again")
               : DCNN_OK;
}

/* An id of a table, or a file's path. */
static const char *const *ids_of(const dcnn_source *s) {
    return (const char *const *)(s->ids.count > 0 ? s->ids.text : s->files.text);
}

/* What can be read is appended, the rest left out or refused. */
static dcnn_status append_block(preparation *made, block *b) {
    const dcnn_source *s = b->source;
    const dcnn_image_options *p = &made->image;
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0, run; i < b->count && status == DCNN_OK; i = run) {
        run = i + 1;
        if (b->why[i]) {
            status = dcnn_source_meet_broken(&made->options->read, b->why[i], &made->broken);
            continue;
        }
        while (run < b->count && !b->why[run]) run++;
        const uint8_t *pixels = b->pixels + (size_t)i * b->size;
        const dcnn_samples_in samples = {.count = run - i,
                                         .pixels = pixels,
                                         .labels = s->labels ? s->labels + b->first + i : NULL,
                                         .targets = s->targets ? s->targets + (b->first + i) * s->target_width : NULL,
                                         .ids = made->has_ids ? ids_of(s) + b->first + i : NULL};
        status = dcnn_image_checks_note(&made->checks, run - i, p->h, p->w, p->channels, pixels);
        if (status == DCNN_OK) status = dcnn_dataset_writer_append(made->writer, &samples);
        made->in_role[s->role] += run - i;
    }
    return status;
}

static dcnn_status write_source(preparation *made, dcnn_thread_pool *pool, const dcnn_source *s, block *b,
                                int64_t *done) {
    int64_t most = BLOCK_BYTES / (int64_t)b->size;
    most = most < made->threads ? made->threads : most > BLOCK_IMAGES ? BLOCK_IMAGES : most;
    b->source = s;
    for (b->first = 0; b->first < s->count; b->first += b->count) {
        b->count = s->count - b->first < most ? s->count - b->first : most;
        memset(b->why, 0, (size_t)b->count * sizeof *b->why);
        dcnn_status status = read_images(made, pool, b);
        if (status == DCNN_OK) status = append_block(made, b);
        for (int64_t i = 0; i < b->count; i++) free(b->why[i]);
        DCNN_TRY(status);
        *done += b->count;
        dcnn_spill_forget(s->memory, s->mapped_bytes);
        if (made->options->on_progress) made->options->on_progress(made->options->read.context, *done, made->total);
    }
    return DCNN_OK;
}

/* All images in the order of their roles: what is split stands first. */
static dcnn_status write_pixels(preparation *made) {
    const dcnn_image_options *p = &made->image;
    block b = {.made = made, .size = (size_t)p->h * (size_t)p->w * (size_t)p->channels};
    const size_t most = BLOCK_IMAGES + MOST_THREADS;
    dcnn_thread_pool *pool = NULL;
    int64_t done = 0;
    const int64_t in_block = BLOCK_BYTES / (int64_t)b.size + MOST_THREADS;
    b.pixels = malloc(b.size * (in_block < (int64_t)most ? (size_t)in_block : most));
    b.why = calloc(most, sizeof *b.why);
    dcnn_status status = b.pixels && b.why ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory for a block of images");
    if (status == DCNN_OK) status = dcnn_thread_pool_create(made->threads, &pool);
    for (int role = 0; role < DCNN_ROLE_COUNT; role++)
        for (int i = 0; i < made->sources.count && status == DCNN_OK; i++)
            if (made->sources.items[i].role == (dcnn_role)role)
                status = write_source(made, pool, &made->sources.items[i], &b, &done);
    dcnn_thread_pool_free(pool);
    free(b.pixels);
    free(b.why);
    return status;
}

/* --- splits ------------------------------------------------------------------------------------------------------- */

static dcnn_status add_given(preparation *made, dcnn_role role, const char *name, int64_t *first) {
    const int64_t count = made->in_role[role];
    if (count == 0) return DCNN_OK;
    dcnn_split *split = &made->splits[made->split_count];
    snprintf(split->name, sizeof split->name, "%s", name);
    split->rows = malloc((size_t)count * sizeof *split->rows);
    if (!split->rows) return DCNN_FAIL(DCNN_FAILURE, "out of memory for a split of %" PRId64 " images", count);
    split->count = count;
    made->split_count++;
    for (int64_t i = 0; i < count; i++) split->rows[i] = *first + i;
    *first += count;
    return DCNN_OK;
}

/* What is drawn, then what was given; a split without images is not a split, and training is never empty. */
static dcnn_status split_images(preparation *made) {
    dcnn_split drawn[DCNN_PART_COUNT];
    int64_t first = made->in_role[DCNN_ROLE_POOL];
    const dcnn_status status = dcnn_splits_draw(first, dcnn_dataset_writer_labels(made->writer),
                                                (int)made->class_names.count, &made->split, drawn);
    for (int part = 0; part < DCNN_PART_COUNT; part++)
        if (status == DCNN_OK && drawn[part].count > 0)
            made->splits[made->split_count++] = drawn[part];
        else
            free(drawn[part].rows);
    DCNN_TRY(status);
    DCNN_TRY(add_given(made, DCNN_ROLE_VALIDATION, "validation", &first));
    DCNN_TRY(add_given(made, DCNN_ROLE_TEST, "test", &first));
    DCNN_TRY(add_given(made, DCNN_ROLE_OFFICIAL_TEST, "official-test", &first));
    if (!made->options->official || made->in_role[DCNN_ROLE_TEST] > 0 || made->in_role[DCNN_ROLE_OFFICIAL_TEST] > 0)
        return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "--official: the source has no test images of its own; name some with --test");
}

/* --- what is told ------------------------------------------------------------------------------------------------- */

static dcnn_status fail_one_class(const preparation *made, const dcnn_class_census *census, int64_t images) {
    const char *name = made->sources.items[0].name,
               *only = census->most < 0 ? "" : made->class_names.text[census->most];
    dcnn_count_text count;
    if (images == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: none of its images can be read", name);
    if (images == 1)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: there is one image alone, of class '%.60s'; at least two classes are needed", name, only);
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: all %s are of one class, '%.60s'; at least two classes are needed", name,
                     dcnn_count_images(images, &count), only);
}

/* Known before pixels are read, which takes time. */
static dcnn_status check_two_classes(const preparation *made) {
    dcnn_class_census census = {0};
    dcnn_status status = census_of_pool(made, &census);
    if (status == DCNN_OK && census.occurring < 2) {
        for (int i = 0; i < census.class_count; i++)
            if (census.counts[i] > 0) census.most = i;
        status = fail_one_class(made, &census, count_role(made, DCNN_ROLE_POOL));
    }
    dcnn_class_census_free(&census);
    return status;
}

/* Counted over what is split, before a limit: a class that is too small to be met is no error, one alone is. */
static dcnn_status check_classes(const preparation *made) {
    const char *const *names = (const char *const *)made->class_names.text;
    dcnn_class_census census;
    DCNN_TRY(dcnn_class_census_take((int)made->class_names.count, made->in_role[DCNN_ROLE_POOL],
                                    dcnn_dataset_writer_labels(made->writer), NULL, &census));
    char text[300], line[400];
    dcnn_status status = DCNN_OK;
    if (census.occurring < 2) {
        status = fail_one_class(made, &census, made->in_role[DCNN_ROLE_POOL]);
    } else {
        const bool pool_only = made->in_role[DCNN_ROLE_POOL] < made->total;
        snprintf(line, sizeof line, "%d classes: %s%s", census.class_count,
                 dcnn_class_census_range(&census, names, text),
                 pool_only ? ", not counting the sets given for validation or test" : "");
        tell(made, line);
        if (dcnn_class_census_empty(&census, NULL, names, text)) tell(made, text);
    }
    dcnn_class_census_free(&census);
    return status;
}

/* In each split that is large enough the classes that there are should be met. */
static dcnn_status tell_splits(const preparation *made) {
    const char *const *names = (const char *const *)made->class_names.text;
    const int32_t *labels = dcnn_dataset_writer_labels(made->writer);
    const int classes = (int)made->class_names.count;
    dcnn_class_census all;
    DCNN_TRY(dcnn_class_census_take(classes, made->in_role[DCNN_ROLE_POOL], labels, NULL, &all));
    dcnn_status status = DCNN_OK;
    for (int i = 0; i < made->split_count && status == DCNN_OK; i++) {
        const dcnn_split *split = &made->splits[i];
        dcnn_class_census census;
        char text[300], line[400];
        status = dcnn_class_census_take(classes, split->count, labels, split->rows, &census);
        const bool large = strcmp(split->name, "train") == 0 || split->count >= 2 * (int64_t)all.occurring;
        if (status == DCNN_OK && large && dcnn_class_census_empty(&census, &all, names, text)) {
            snprintf(line, sizeof line, "split '%s': %s", split->name, text);
            tell(made, line);
        }
        dcnn_class_census_free(&census);
    }
    dcnn_class_census_free(&all);
    return status;
}

static const char *target_name(const preparation *made, int i, char number[16]) {
    snprintf(number, 16, "%d", i);
    return made->target_names ? made->target_names->text[i] : number;
}

/* What is to be predicted, and in which range. */
static void tell_targets(const preparation *made) {
    enum { MOST_TOLD = 8 };
    char line[700], number[16];
    size_t used = (size_t)snprintf(line, sizeof line, "%d number%s an image to predict:", made->target_width,
                                   made->target_width == 1 ? "" : "s");
    for (int i = 0; i < made->target_width && i < MOST_TOLD; i++) {
        double least = INFINITY, most = -INFINITY;
        for (int j = 0; j < made->sources.count; j++)
            for (int64_t k = 0; k < made->sources.items[j].count; k++) {
                const double value = (double)made->sources.items[j].targets[k * made->target_width + i];
                least = value < least ? value : least;
                most = value > most ? value : most;
            }
        used += (size_t)snprintf(line + used, sizeof line - used, "%s '%.40s' from %.6g to %.6g", i ? "," : "",
                                 target_name(made, i, number), least, most);
    }
    if (made->target_width > MOST_TOLD) snprintf(line + used, sizeof line - used, ", ...");
    tell(made, line);
}

/* What suits the images; training chooses its changes of them by it. */
static const char *what_they_are(const preparation *made) {
    static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    bool are_digits = made->image.channels == 1 && made->class_names.count == 10, files = true;
    for (int i = 0; are_digits && i < 10; i++) are_digits = strcmp(made->class_names.text[i], digits[i]) == 0;
    for (int i = 0; i < made->sources.count; i++) files = files && made->sources.items[i].files.count > 0;
    if (are_digits) return "digits";
    if (made->image.channels < 3) return "grey";
    return files ? "photo" : "colour";
}

static char *options_text(const preparation *made) {
    const dcnn_prepare_options *o = made->options;
    json_t *json =
        json_pack("{s:I, s:f, s:f, s:b, s:[i,i,i]}", "limit", (json_int_t)o->limit, "test_fraction",
                  made->split.test_fraction, "validation_fraction", made->split.validation_fraction, "stratify",
                  (int)made->split.stratify, "shape", made->image.h, made->image.w, made->image.channels);
    char *text = json ? json_dumps(json, JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json);
    return text;
}

/* Names without their folders, and a checksum of the files, or of the pixels where there are many: the same images
 * prepared on another machine are the same data set, byte for byte. */
static dcnn_status describe_source(const preparation *made, char text[2048], char checksum[17]) {
    const dcnn_names *files = &made->sources.files;
    bool many = false;
    size_t used = 0;
    for (int64_t i = 0; i < files->count && used < 2000; i++) {
        const char *slash = strrchr(files->text[i], '/');
        used += (size_t)snprintf(text + used, 2048 - used, "%s%s", i ? ", " : "", slash ? slash + 1 : files->text[i]);
    }
    for (int i = 0; i < made->sources.count; i++) many = many || made->sources.items[i].files.count > 0;
    uint64_t hash = dcnn_image_checks_checksum(&made->checks);
    if (!many) DCNN_TRY(dcnn_files_checksum((int)files->count, files->text, &hash));
    snprintf(checksum, 17, "%016" PRIx64, hash);
    return DCNN_OK;
}

static dcnn_status finish(preparation *made, const char *output, char **summary) {
    char source[2048] = "", checksum[17], text[512];
    DCNN_TRY(describe_source(made, source, checksum));
    DCNN_TRY(dcnn_image_checks_tell(&made->checks, dcnn_dataset_writer_labels(made->writer), made->split_count,
                                    made->splits, &made->options->read));
    char *options = options_text(made);
    if (!options) return DCNN_FAIL(DCNN_FAILURE, "out of memory for the options");
    const dcnn_dataset_about about = {.class_count = (int)made->class_names.count,
                                      .class_names = (const char *const *)made->class_names.text,
                                      .split_count = made->split_count,
                                      .splits = made->splits,
                                      .seed = made->split.seed,
                                      .source = source,
                                      .source_checksum = checksum,
                                      .options = options,
                                      .image_kind = what_they_are(made),
                                      .target_width = made->target_width,
                                      .target_names =
                                          made->target_names ? (const char *const *)made->target_names->text : NULL};
    const int64_t count = dcnn_dataset_writer_count(made->writer);
    const dcnn_status status = dcnn_dataset_writer_finish(made->writer, &about);
    made->writer = NULL;
    free(options);
    DCNN_TRY(status);
    if (!summary) return DCNN_OK;
    const bool numbers = made->target_width > 0;
    int used = snprintf(text, sizeof text, "%" PRId64 " images of %dx%dx%d %s %d %s:", count, made->image.h,
                        made->image.w, made->image.channels, numbers ? "with" : "in",
                        numbers ? made->target_width : about.class_count, numbers ? "numbers to predict" : "classes");
    for (int i = 0; i < made->split_count; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s %s %" PRId64, i ? "," : "", made->splits[i].name,
                         made->splits[i].count);
    if (asprintf(summary, "%s: %s", dcnn_output_name(output), text) >= 0) return DCNN_OK;
    *summary = NULL;
    return DCNN_FAIL(DCNN_FAILURE, "out of memory for a summary");
}

/* What is for classes alone, and a word about the numbers. */
static dcnn_status check_numbers(const preparation *made) {
    if (made->options->stratify_always)
        return DCNN_FAIL(DCNN_USAGE, "--stratify splits class by class, but %s has numbers to predict: leave it out",
                         made->sources.items[0].name);
    tell_targets(made);
    return DCNN_OK;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static int count_threads(int wanted) {
    const int count = wanted > 0 ? wanted : dcnn_cores();
    return count > MOST_THREADS ? MOST_THREADS : count;
}

static void free_preparation(preparation *made) {
    dcnn_dataset_writer_abandon(made->writer);
    dcnn_sources_free(&made->sources);
    dcnn_names_free(&made->class_names);
    dcnn_image_checks_free(&made->checks);
    for (int i = 0; i < made->split_count; i++) free(made->splits[i].rows);
}

dcnn_status dcnn_dataset_prepare(int source_count, char *const sources[], const dcnn_prepare_options *options,
                                 const char *output, char **summary) {
    if (summary) *summary = NULL;
    if (options->limit < 0)
        return DCNN_FAIL(DCNN_USAGE, "the limit cannot be %" PRId64 " samples; 0 means all", options->limit);
    preparation made = {.options = options, .image = options->image, .threads = count_threads(options->threads)};
    const dcnn_image_options *p = &made.image;
    dcnn_status status;
    DCNN_TRY_DONE(open_sources(&made, source_count, sources));
    DCNN_TRY_DONE(spare_sources(&made, output));
    DCNN_TRY_DONE(dcnn_sources_check_options(&made.sources, &options->read));
    DCNN_TRY_DONE(dcnn_sources_targets(&made.sources, &made.target_width, &made.target_names));
    if (options->read.target_columns && made.target_width == 0)
        DCNN_TRY_DONE(DCNN_FAIL(DCNN_BAD_INPUT,
                                "%s: has no numbers to predict, which --target-columns asks for: name the file that "
                                "holds them beside it",
                                made.sources.items[0].name));
    if (made.target_width == 0) {
        DCNN_TRY_DONE(dcnn_sources_agree(&made.sources, &options->read, &made.class_names));
        DCNN_TRY_DONE(check_two_classes(&made));
    } else {
        DCNN_TRY_DONE(check_numbers(&made));
    }
    choose_splits(&made);
    DCNN_TRY_DONE(limit_pool(&made));
    DCNN_TRY_DONE(dcnn_sources_shape(&made.sources, &options->read, made.threads, &made.image, &made.broken));
    if (p->channels > DCNN_MAX_CHANNELS) {
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: %d channels; at most %d are supported", sources[0], p->channels,
                           DCNN_MAX_CHANNELS);
        goto done;
    }
    made.has_ids = true;
    for (int i = 0; i < made.sources.count; i++) {
        made.total += made.sources.items[i].count;
        made.has_ids = made.has_ids && ids_of(&made.sources.items[i]) != NULL;
    }
    DCNN_TRY_DONE(dcnn_dataset_writer_open(output, p->h, p->w, p->channels, made.target_width, &made.writer));
    if (options->only_new) dcnn_dataset_writer_only_new(made.writer);
    DCNN_TRY_DONE(write_pixels(&made));
    if (made.target_width == 0) DCNN_TRY_DONE(check_classes(&made));
    DCNN_TRY_DONE(split_images(&made));
    if (made.target_width == 0) DCNN_TRY_DONE(tell_splits(&made));
    if (made.broken > 0)
        dcnn_source_tell(&options->read, "%" PRId64 " broken image%s left out", made.broken,
                         made.broken > 1 ? "s" : "");
    if (made.sources.broken > 0)
        dcnn_source_tell(&options->read, "%" PRId64 " line%s of tables left out", made.sources.broken,
                         made.sources.broken > 1 ? "s" : "");
    DCNN_TRY_DONE(finish(&made, output, summary));
done:
    free_preparation(&made);
    return status;
}
