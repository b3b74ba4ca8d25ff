/* SPDX-License-Identifier: BSD-3-Clause */
/* pair.c — which arrays are images, which are their labels, and what each pair is for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sources/readers/array.h"

typedef enum part { IMAGES, LABELS, NAMES, OTHER } part;

static const char *const image_words[] = {"x",      "images",   "image",    "imgs",   "img", "data",
                                          "pixels", "pictures", "features", "inputs", NULL};
static const char *const label_words[] = {"y", "labels", "label", "lbls", "lbl", "targets", "target", "digits", NULL};
static const char *const name_words[] = {"names", "name", "list", NULL};
static const char *const class_words[] = {"class",  "classes",    "label",    "labels",
                                          "target", "categories", "category", NULL};
/* One for each image, yet no labels. */
static const char *const side_words[] = {"file",  "files", "filename", "filenames", "path",
                                         "paths", "id",    "ids",      "index",     NULL};

/* "class_names", "list_classes", "names"; not the names of files. */
static bool are_class_names(const char *word) {
    return !dcnn_word_in(word, side_words) && (strcasecmp(word, "classes") == 0 || strcasecmp(word, "names") == 0 ||
                                               (dcnn_word_in(word, name_words) && dcnn_word_in(word, class_words)));
}

/* Names decide where they say something that the shape does not contradict. */
static part part_of(const dcnn_array *a) {
    const bool texts = a->kind == DCNN_NUMBER_BYTES || a->kind == DCNN_NUMBER_UCS4;
    if (texts && a->rank == 1 && are_class_names(a->word)) return NAMES;
    if (a->rank < 1 || a->rank > 4 || a->kind == DCNN_NUMBER_OTHER) return OTHER;
    if (a->rank > 2 && !texts && dcnn_word_in(a->word, image_words)) return IMAGES; /* of 1x1, too */
    if (dcnn_array_is_list(a)) return dcnn_word_in(a->word, side_words) ? OTHER : LABELS;
    if (a->rank > 2) return texts ? OTHER : IMAGES;
    if (texts) return LABELS;
    if (dcnn_word_in(a->word, image_words)) return IMAGES;
    if (dcnn_word_in(a->word, label_words)) return LABELS;
    return dcnn_array_is_images(a) ? IMAGES : LABELS;
}

/* What is known of each array. */
typedef struct known {
    part part;
    dcnn_role role;
    bool named; /* its name tells its role */
    bool used;
} known;

static void look(const dcnn_opening *opening, const dcnn_array_list *arrays, dcnn_role test, known *of) {
    bool pool = false;
    for (int i = 0; i < arrays->count; i++) {
        of[i] = (known){.part = part_of(&arrays->items[i])};
        of[i].named = dcnn_role_in(arrays->items[i].word, &of[i].role);
        if (of[i].named && of[i].role == DCNN_ROLE_TEST) of[i].role = test;
        pool = pool || (of[i].part == IMAGES && of[i].role == DCNN_ROLE_POOL);
    }
    /* asked for as validation or test, or nothing but a test set: it is for what was asked */
    for (int i = 0; i < arrays->count; i++)
        if (!pool && opening->given == DCNN_ROLE_POOL) of[i].role = DCNN_ROLE_POOL;
}

/* With --test or --validation: the part of that name, or all that have no other. */
static bool is_wanted(const dcnn_opening *opening, const dcnn_array_list *arrays, const known *of, int i) {
    if (opening->given == DCNN_ROLE_POOL) return true;
    const bool for_test = opening->given == DCNN_ROLE_TEST;
    int same = 0;
    for (int j = 0; j < arrays->count; j++)
        same += of[j].part == IMAGES && of[j].named &&
                (of[j].role == opening->given || (for_test && of[j].role == DCNN_ROLE_OFFICIAL_TEST));
    if (same == 0) return true;
    return of[i].role == opening->given || (for_test && of[i].role == DCNN_ROLE_OFFICIAL_TEST);
}

/* The labels of a pair: of the same role, and of as many if there is a choice. */
static int find_labels(const dcnn_array_list *arrays, const known *of, int images) {
    int found = -1, others = -1, other_count = 0;
    for (int i = 0; i < arrays->count; i++) {
        if (of[i].part != LABELS || of[i].used) continue;
        const bool same_count = arrays->items[i].shape[0] == arrays->items[images].shape[0];
        if (of[i].role == of[images].role && of[i].named == of[images].named && (found < 0 || same_count)) {
            if (found >= 0 && arrays->items[found].shape[0] == arrays->items[images].shape[0]) continue;
            found = i;
        }
        if (same_count || other_count == 0) others = i;
        other_count++;
    }
    if (found >= 0) return found;
    return other_count == 1 || (others >= 0 && arrays->items[others].shape[0] == arrays->items[images].shape[0])
               ? others
               : -1;
}

static dcnn_status list_arrays(const char *path, const dcnn_array_list *arrays, const char *problem) {
    char all[600] = "", text[160];
    size_t used = 0;
    for (int i = 0; i < arrays->count && used < 400; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%.60s: %s", i ? "; " : "", arrays->items[i].word,
                                 dcnn_array_text(&arrays->items[i], text));
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: %s; it holds %s. In Python: numpy.savez_compressed('data.npz', x_train=..., y_train=...)",
                     path, problem, all);
}

/* Test images without labels, as contests have them, beside labelled ones: told, and left unread. */
static bool is_for_predict(const dcnn_opening *opening, const dcnn_array_list *arrays, known *of, int images) {
    const bool test = of[images].role == DCNN_ROLE_TEST || of[images].role == DCNN_ROLE_OFFICIAL_TEST;
    if (!test || opening->given != DCNN_ROLE_POOL || opening->options->unlabelled) return false;
    for (int i = 0; i < arrays->count; i++)
        if (of[i].part == LABELS && (of[i].role == of[images].role || !of[i].named)) return false;
    of[images].used = true;
    dcnn_source_tell(opening->options, "%s: left unread, for it has no labels; `dcnn predict` labels such images",
                     arrays->items[images].name);
    return true;
}

static dcnn_status take_pair(const dcnn_opening *opening, dcnn_array_list *arrays, known *of, int images) {
    dcnn_array *a = &arrays->items[images];
    dcnn_count_text count;
    dcnn_source *source =
        dcnn_source_add(opening, opening->given == DCNN_ROLE_POOL ? of[images].role : opening->given, "%s", a->name);
    if (!source) return DCNN_FAILURE;
    DCNN_TRY(dcnn_array_take_images(a, opening->options, source));
    const int labels = find_labels(arrays, of, images);
    of[images].used = true;
    if (labels >= 0) of[labels].used = true;
    if (labels >= 0 && !opening->options->unlabelled)
        DCNN_TRY(dcnn_array_take_labels(&arrays->items[labels], opening->options, source));
    if (labels >= 0 && source->labels && !dcnn_word_in(arrays->items[labels].word, label_words))
        dcnn_source_tell(opening->options, "%s: '%s' is taken for its labels", source->name,
                         arrays->items[labels].word);
    for (int i = 0; i < arrays->count && source->labels && source->class_names.count == 0; i++) {
        if (of[i].part != NAMES || arrays->items[i].shape[0] < 2) continue;
        DCNN_TRY(dcnn_array_take_texts(&arrays->items[i], &source->class_names));
        of[i].used = true;
    }
    for (int i = 0; i < arrays->count && source->targets && source->target_names.count == 0; i++) {
        if (of[i].part != NAMES || arrays->items[i].shape[0] != source->target_width) continue;
        DCNN_TRY(dcnn_array_take_texts(&arrays->items[i], &source->target_names));
        of[i].used = true;
    }
    if (!opening->options->unlabelled)
        dcnn_source_tell(opening->options, "%s: %s of %dx%dx%d%s", source->name,
                         dcnn_count_images(source->count, &count), source->h, source->w, source->c,
                         dcnn_role_text(source->role));
    return DCNN_OK;
}

static void tell_left(const dcnn_opening *opening, const char *path, const dcnn_array_list *arrays, const known *of) {
    char all[300] = "", text[160];
    size_t used = 0;
    for (int i = 0; i < arrays->count && used < 200; i++)
        if (!of[i].used)
            used += (size_t)snprintf(all + used, sizeof all - used, "%s%.60s: %s", used ? ", " : "",
                                     arrays->items[i].word, dcnn_array_text(&arrays->items[i], text));
    if (used > 0) dcnn_source_tell(opening->options, "%s: not read: %s", path, all);
}

dcnn_status dcnn_array_list_pair(const dcnn_opening *opening, const char *path, dcnn_array_list *arrays,
                                 dcnn_role test) {
    known *of = calloc((size_t)arrays->count + 1, sizeof *of);
    if (!of) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    look(opening, arrays, test, of);
    dcnn_status status = DCNN_OK;
    int pairs = 0;
    for (int i = 0; i < arrays->count && status == DCNN_OK; i++) {
        if (of[i].part != IMAGES || !is_wanted(opening, arrays, of, i)) continue;
        if (is_for_predict(opening, arrays, of, i)) continue;
        status = take_pair(opening, arrays, of, i);
        pairs++;
    }
    if (status == DCNN_OK && pairs == 0) {
        if (arrays->count == 1 && of[0].part == LABELS)
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds only labels; name the file of their images too",
                               arrays->items[0].name);
        else
            status = list_arrays(path, arrays, "has no array of images");
    }
    if (status == DCNN_OK) tell_left(opening, path, arrays, of);
    free(of);
    return status;
}
