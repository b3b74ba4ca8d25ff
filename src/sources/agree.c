/* SPDX-License-Identifier: BSD-3-Clause */
/* agree.c — one list of classes and one shape for all sources. */
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread_pool.h"
#include "sources/source_private.h"

enum { MOST_CLASSES = 65536 };

/* --- classes ------------------------------------------------------------------------------------------------------ */

dcnn_status dcnn_sources_targets(const dcnn_sources *sources, int *width, const dcnn_names **names) {
    const dcnn_source *first = NULL;
    for (int i = 0; i < sources->count && !first; i++)
        if (sources->items[i].targets) first = &sources->items[i];
    *width = first ? first->target_width : 0;
    *names = first && first->target_names.count == first->target_width ? &first->target_names : NULL;
    for (int i = 0; first && i < sources->count; i++) {
        const dcnn_source *s = &sources->items[i];
        if (s->targets == NULL)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has classes where %s has numbers to predict; prepare them apart",
                             s->name, first->name);
        if (s->target_width != first->target_width)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has %d number%s to predict for each image, but %s has %d", s->name,
                             s->target_width, s->target_width == 1 ? "" : "s", first->name, first->target_width);
    }
    return DCNN_OK;
}

static dcnn_status check_labels(const dcnn_source *s) {
    if (!s->labels && !s->from_table && s->role != DCNN_ROLE_POOL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has no labels; say %s once more for the file that holds them", s->name,
                         s->role == DCNN_ROLE_VALIDATION ? "--validation" : "--test");
    if (!s->labels)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         s->from_table ? "%s: has no column of labels; --label-column names it (--target-columns: "
                                         "numbers to predict instead), and `dcnn predict` takes images without labels"
                                       : "%s: has no labels; name the file that holds them beside it (`dcnn predict` "
                                         "takes images without labels)",
                         s->name);
    for (int64_t i = 0; i < s->count && s->class_names.count > 0; i++)
        if (s->labels[i] < 0 || s->labels[i] >= s->class_names.count)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "%s: sample %" PRId64 " has label %d, but there are names for %" PRId64 " classes",
                             s->name, i, s->labels[i], s->class_names.count);
    return DCNN_OK;
}

/* Numbers from the least to the largest of the sources; the pool's alone are the classes. */
static void find_range(const dcnn_sources *sources, bool pool_only, int64_t *least, int64_t *most) {
    *least = INT64_MAX;
    *most = INT64_MIN;
    for (int i = 0; i < sources->count; i++) {
        const dcnn_source *s = &sources->items[i];
        for (int64_t j = 0; j < s->count && !(pool_only && s->role != DCNN_ROLE_POOL); j++) {
            if (s->labels[j] < *least) *least = s->labels[j];
            if (s->labels[j] > *most) *most = s->labels[j];
        }
    }
}

/* Gives a source of numbers names: each number that occurs. */
static dcnn_status name_numbers(dcnn_source *s) {
    dcnn_names texts = {0};
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0; i < s->count && status == DCNN_OK; i++) status = dcnn_names_print(&texts, "%d", s->labels[i]);
    free(s->labels);
    s->labels = NULL;
    if (status == DCNN_OK) status = dcnn_source_label(s, &texts);
    dcnn_names_free(&texts);
    return status;
}

static bool same_names(const dcnn_names *a, const dcnn_names *b) {
    if (a->count != b->count) return false;
    for (int64_t i = 0; i < a->count; i++)
        if (strcmp(a->text[i], b->text[i]) != 0) return false;
    return true;
}

static dcnn_status copy_names(const dcnn_names *from, dcnn_names *to) {
    for (int64_t i = 0; i < from->count; i++) DCNN_TRY(dcnn_names_add(to, from->text[i], strlen(from->text[i])));
    return DCNN_OK;
}

/* A class and its place in a list of any order. */
typedef struct placed {
    const char *text;
    int32_t place;
} placed;

static int by_text(const void *a, const void *b) {
    return strcmp(((const placed *)a)->text, ((const placed *)b)->text);
}

/* Of equal names the last one. */
static int by_text_then_place(const void *a, const void *b) {
    const int order = by_text(a, b);
    return order != 0 ? order : ((const placed *)a)->place < ((const placed *)b)->place ? -1 : 1;
}

/* The classes in the order of their names, each name once. @return how many */
static size_t sort_classes(const dcnn_names *classes, placed *sorted) {
    size_t kept = 0;
    for (int64_t i = 0; i < classes->count; i++) sorted[i] = (placed){classes->text[i], (int32_t)i};
    qsort(sorted, (size_t)classes->count, sizeof *sorted, by_text_then_place);
    for (int64_t i = 0; i < classes->count; i++) {
        if (kept > 0 && strcmp(sorted[kept - 1].text, sorted[i].text) == 0) kept--;
        sorted[kept++] = sorted[i];
    }
    return kept;
}

/* Place of a name in any list; a class that only a test has cannot be learnt. */
static dcnn_status map_labels(dcnn_source *s, const dcnn_names *classes) {
    int32_t *places = malloc((size_t)s->class_names.count * sizeof *places);
    placed *sorted = malloc((size_t)(classes->count + 1) * sizeof *sorted);
    if (!places || !sorted) {
        free(places);
        free(sorted);
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its classes", s->name);
    }
    const size_t count = sort_classes(classes, sorted);
    for (int64_t i = 0; i < s->class_names.count; i++) {
        const placed *found =
            bsearch(&(placed){.text = s->class_names.text[i]}, sorted, count, sizeof *sorted, by_text);
        places[i] = found ? found->place : -1;
    }
    free(sorted);
    dcnn_status status = DCNN_OK;
    for (int64_t i = 0; i < s->count && status == DCNN_OK; i++) {
        const int32_t place = places[s->labels[i]];
        if (place < 0)
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: has the class '%s', which the training images do not have", s->name,
                               s->class_names.text[s->labels[i]]);
        s->labels[i] = place;
    }
    free(places);
    return status;
}

static dcnn_status agree_on_names(dcnn_sources *sources, dcnn_names *classes) {
    bool same = true;
    const dcnn_source *first = NULL;
    for (int i = 0; i < sources->count; i++) {
        dcnn_source *s = &sources->items[i];
        if (s->class_names.count == 0) DCNN_TRY(name_numbers(s));
        if (s->role != DCNN_ROLE_POOL) continue;
        same = same && (!first || same_names(&first->class_names, &s->class_names));
        first = first ? first : s;
    }
    for (int i = 0; i < sources->count; i++)
        if (sources->items[i].role == DCNN_ROLE_POOL && (!same || &sources->items[i] == first))
            DCNN_TRY(copy_names(&sources->items[i].class_names, classes));
    if (!same) dcnn_names_unite(classes);
    for (int i = 0; i < sources->count; i++) DCNN_TRY(map_labels(&sources->items[i], classes));
    return DCNN_OK;
}

static dcnn_status agree_on_numbers(dcnn_sources *sources, const dcnn_source_options *options, int64_t least,
                                    int64_t most, dcnn_names *classes) {
    if (most >= MOST_CLASSES)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: its labels go up to %" PRId64 "; at most %d classes are supported. Is the label another "
                         "column (--label-column)?",
                         sources->items[0].name, most, MOST_CLASSES);
    const int32_t shift = least == 1 ? 1 : 0;
    if (shift)
        dcnn_source_tell(
            options, "labels begin at 1: the classes are numbered from 0 and keep their names, 1 to %" PRId64, most);
    for (int64_t i = shift; i <= most; i++) DCNN_TRY(dcnn_names_print(classes, "%" PRId64, i));
    for (int i = 0; i < sources->count; i++)
        for (int64_t j = 0; j < sources->items[i].count; j++) {
            int32_t *label = &sources->items[i].labels[j];
            if (*label > most)
                return DCNN_FAIL(DCNN_BAD_INPUT,
                                 "%s: sample %" PRId64 " has label %d, but the training labels end at %" PRId64,
                                 sources->items[i].name, j, *label, most);
            *label -= shift;
        }
    return DCNN_OK;
}

dcnn_status dcnn_sources_agree(dcnn_sources *sources, const dcnn_source_options *options, dcnn_names *classes) {
    bool names = false;
    int64_t least, most, pool_least, pool_most;
    for (int i = 0; i < sources->count; i++) {
        DCNN_TRY(check_labels(&sources->items[i]));
        names = names || sources->items[i].class_names.count > 0;
    }
    if (names) return agree_on_names(sources, classes);
    find_range(sources, false, &least, &most);
    find_range(sources, true, &pool_least, &pool_most);
    if (least >= 0) return agree_on_numbers(sources, options, least, pool_most, classes);
    DCNN_TRY(agree_on_names(sources, classes));
    dcnn_source_tell(options, "labels begin at %" PRId64 ": they are taken as names of the classes, of which 0 is '%s'",
                     least, classes->text[0]);
    return DCNN_OK;
}

/* --- shape -------------------------------------------------------------------------------------------------------- */

/* One look at each file, shared out over threads. */
typedef struct look {
    const dcnn_source *source;
    int threads;
    int (*sizes)[3];      /* [count]: h, w, c; h 0: it cannot be read */
    char **why;           /* [count] or NULL */
    atomic_bool is_short; /* of memory */
} look;

static void look_at_files(void *argument, int worker) {
    look *l = argument;
    for (int64_t i = worker; i < l->source->count; i += l->threads) {
        int *size = l->sizes[i];
        const dcnn_status status = dcnn_image_size(l->source->files.text[i], &size[0], &size[1], &size[2]);
        if (status == DCNN_OK) continue;
        size[0] = 0;
        l->why[i] = strdup(dcnn_error());
        if (status == DCNN_FAILURE) l->is_short = true; /* nothing is wrong with the image */
    }
}

/* Sizes that were met, and how often. */
typedef struct census {
    int h, w;
    int64_t count;
} census;

/* What the images are like. */
typedef struct found {
    census sizes[256];
    int used;
    int least_channels, most_channels;
    int64_t grey, color, broken;
} found;

static int by_count(const void *a, const void *b) {
    const census *left = a, *right = b;
    return left->count == right->count ? 0 : left->count > right->count ? -1 : 1;
}

static void count_image(found *f, int h, int w, int c, int64_t count) {
    *(c >= 3 ? &f->color : &f->grey) += count;
    if (c < f->least_channels) f->least_channels = c;
    if (c > f->most_channels) f->most_channels = c;
    for (int i = 0; i < f->used; i++)
        if (f->sizes[i].h == h && f->sizes[i].w == w) {
            f->sizes[i].count += count;
            return;
        }
    if (f->used < 256) f->sizes[f->used++] = (census){h, w, count};
}

/* Suggests the commonest size where most images have it, else one that trains in reasonable time. */
static dcnn_status fail_sizes(const char *name, found *f) {
    enum { USUAL = 64 };
    char text[200] = "";
    size_t length = 0;
    dcnn_count_text count;
    qsort(f->sizes, (size_t)f->used, sizeof *f->sizes, by_count);
    for (int i = 0; i < f->used && i < 4; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%dx%d (%s)", i ? ", " : "", f->sizes[i].h,
                                   f->sizes[i].w, dcnn_count(f->sizes[i].count, &count));
    const bool common = 2 * f->sizes[0].count > f->grey + f->color || f->sizes[0].h < USUAL || f->sizes[0].w < USUAL;
    const int h = common ? f->sizes[0].h : USUAL, w = common ? f->sizes[0].w : USUAL;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its images have %s%d sizes: %s%s; --size brings all to one, as --size %dx%d",
                     name, f->used == 256 ? "more than " : "", f->used, text, f->used > 4 ? ", ..." : "", h, w);
}

/* Looks at a source's files; those that cannot be read are refused, or left out and told. */
static dcnn_status look_at(dcnn_source *s, const dcnn_source_options *options, dcnn_thread_pool *pool, found *f) {
    const int64_t count = s->count;
    look l = {.source = s, .threads = dcnn_thread_pool_size(pool)};
    l.sizes = calloc((size_t)s->count + 1, sizeof *l.sizes);
    l.why = calloc((size_t)s->count + 1, sizeof *l.why);
    dcnn_status status = DCNN_OK;
    uint8_t *keep = calloc((size_t)s->count + 1, 1);
    if (!l.sizes || !l.why || !keep) {
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld sizes", s->name, (long long)s->count);
        goto done;
    }
    dcnn_thread_pool_run(pool, look_at_files, &l);
    if (l.is_short)
        status = DCNN_FAIL(
            DCNN_FAILURE,
            "%s: reading images failed for lack of memory or an I/O error, not because of the images: try again",
            s->name);
    for (int64_t i = 0; i < s->count && status == DCNN_OK; i++) {
        const int *size = l.sizes[i];
        keep[i] = size[0] > 0;
        if (keep[i])
            count_image(f, size[0], size[1], size[2], 1);
        else
            status = dcnn_source_meet_broken(options, l.why[i] ? l.why[i] : s->files.text[i], &f->broken);
    }
    if (status == DCNN_OK && f->broken > 0) status = dcnn_source_keep(s, keep);
done:
    for (int64_t i = 0; l.why && i < count; i++) free(l.why[i]);
    free(keep);
    free(l.why);
    free(l.sizes);
    return status;
}

dcnn_status dcnn_source_meet_broken(const dcnn_source_options *options, const char *why, int64_t *broken) {
    enum { NAMED = 5 };
    if (!options->skip_broken) {
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s; --skip-broken leaves such images out", why);
    }
    if (++*broken <= NAMED) dcnn_source_tell(options, "left out: %s", why);
    return DCNN_OK;
}

/* Grey where all are, else colour; other counts of channels must be the same everywhere. */
static dcnn_status agree_on_channels(const dcnn_sources *sources, const dcnn_source_options *options, const found *f,
                                     dcnn_image_options *wanted) {
    dcnn_count_text grey, color;
    if (wanted->channels > 0) return DCNN_OK;
    wanted->channels = f->most_channels;
    if (f->least_channels == f->most_channels) return DCNN_OK;
    if (f->most_channels > 3)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: some images have %d channels, others %d", sources->items[0].name,
                         f->least_channels, f->most_channels);
    dcnn_source_tell(options, "%s %s grey and %s %s in colour: all are taken as colour (--gray makes all grey)",
                     dcnn_count_images(f->grey, &grey), f->grey == 1 ? "is" : "are", dcnn_count(f->color, &color),
                     f->color == 1 ? "is" : "are");
    return DCNN_OK;
}

dcnn_status dcnn_sources_shape(dcnn_sources *sources, const dcnn_source_options *options, int threads,
                               dcnn_image_options *wanted, int64_t *broken) {
    found f = {.least_channels = INT_MAX};
    dcnn_thread_pool *pool;
    const bool known = wanted->h > 0 && wanted->channels > 0;
    *broken = 0;
    DCNN_TRY(dcnn_thread_pool_create(threads, &pool));
    dcnn_status status = DCNN_OK;
    for (int i = 0; i < sources->count && status == DCNN_OK; i++) {
        dcnn_source *s = &sources->items[i];
        if (s->pixels)
            count_image(&f, s->h, s->w, s->c, s->count);
        else if (!known)
            status = look_at(s, options, pool, &f);
    }
    dcnn_thread_pool_free(pool);
    *broken = f.broken;
    DCNN_TRY(status);
    if (wanted->h == 0 && f.used == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: none of its images can be read", sources->items[0].name);
    if (wanted->h == 0 && f.used > 1) return fail_sizes(sources->items[0].name, &f);
    if (wanted->h == 0) {
        wanted->h = f.sizes[0].h;
        wanted->w = f.sizes[0].w;
    }
    return agree_on_channels(sources, options, &f, wanted);
}
