/* SPDX-License-Identifier: BSD-3-Clause */
/* classification.c — see classification.h. */
#include "report/classification.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- scores ----------------------------------------------------------------------------------------------------- */

static double ratio(int64_t part, int64_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0.0;
}

static dcnn_class_scores score_class(int class_count, const int64_t *confusion, int class) {
    int64_t support = 0, predicted = 0;
    for (int i = 0; i < class_count; i++) {
        support += confusion[class * class_count + i];
        predicted += confusion[i * class_count + class];
    }
    const int64_t hits = confusion[class * class_count + class];
    return (dcnn_class_scores){ratio(hits, predicted), ratio(hits, support), ratio(2 * hits, predicted + support),
                               support};
}

/* A score of a class, times the weight that it has in an average. */
typedef double weighted_score(const dcnn_class_scores *scores, bool by_support);

static double precision_of(const dcnn_class_scores *scores, bool by_support) {
    return by_support ? scores->precision * (double)scores->support : scores->precision;
}

static double recall_of(const dcnn_class_scores *scores, bool by_support) {
    return by_support ? scores->recall * (double)scores->support : scores->recall;
}

static double f1_of(const dcnn_class_scores *scores, bool by_support) {
    return by_support ? scores->f1 * (double)scores->support : scores->f1;
}

/* Adds in the order of NumPy's pairwise sum (numpy/_core/src/umath/loops_utils.h.src), with which scikit-learn
 * averages: a mean that lies between two printed numbers then goes to the same one. */
static double add_pairwise(const dcnn_class_scores *scores, int count, weighted_score *of, bool by_support) {
    enum { LANES = 8, BLOCK = 128 };
    if (count > BLOCK) {
        const int half = count / 2 - count / 2 % LANES;
        return add_pairwise(scores, half, of, by_support) + add_pairwise(scores + half, count - half, of, by_support);
    }
    double r[LANES] = {0}, sum;
    int i = 0;
    for (; i < count - count % LANES; i++) r[i % LANES] += of(&scores[i], by_support);
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < count; i++) sum += of(&scores[i], by_support);
    return sum;
}

/* Means of the classes' scores, each class weighing as much as its support, or all the same. */
static dcnn_class_scores average(const dcnn_classification *all, bool by_support) {
    const double total = by_support ? (double)all->count : (double)all->class_count;
    if (!(total > 0.0)) return (dcnn_class_scores){.support = all->count};
    return (dcnn_class_scores){add_pairwise(all->classes, all->class_count, precision_of, by_support) / total,
                               add_pairwise(all->classes, all->class_count, recall_of, by_support) / total,
                               add_pairwise(all->classes, all->class_count, f1_of, by_support) / total, all->count};
}

dcnn_status dcnn_classification_create(int class_count, const int64_t *confusion, dcnn_classification *made) {
    *made = (dcnn_classification){.class_count = class_count};
    made->classes = calloc((size_t)class_count, sizeof *made->classes);
    if (made->classes == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: scores of %d classes", class_count);
    for (int i = 0; i < class_count; i++) {
        made->classes[i] = score_class(class_count, confusion, i);
        made->count += made->classes[i].support;
        made->correct += confusion[i * class_count + i];
    }
    made->accuracy = ratio(made->correct, made->count);
    made->macro = average(made, false);
    made->weighted = average(made, true);
    return DCNN_OK;
}

void dcnn_classification_free(dcnn_classification *classification) {
    free(classification->classes);
    *classification = (dcnn_classification){0};
}

/* --- text ------------------------------------------------------------------------------------------------------- */

/* Characters of a UTF-8 text: bytes that do not continue one. */
static int text_width(const char *text) {
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static const char *class_name(const char *const *names, int class, char number[16]) {
    if (names) return names[class];
    snprintf(number, 16, "%d", class);
    return number;
}

static int widest_name(int class_count, const char *const *names, int least) {
    char number[16];
    for (int i = 0; i < class_count; i++) {
        const int width = text_width(class_name(names, i, number));
        if (width > least) least = width;
    }
    return least;
}

/* Right-aligned in `width` characters; printf's own width would count bytes. */
static void put_name(FILE *to, int width, const char *name) {
    fprintf(to, "%*s%s", width - text_width(name), "", name);
}

static void put_scores(FILE *to, int width, const char *name, const dcnn_class_scores *scores) {
    put_name(to, width, name);
    fprintf(to, "  %9.2f %9.2f %9.2f %9" PRId64 "\n", scores->precision, scores->recall, scores->f1, scores->support);
}

char *dcnn_classification_text(const dcnn_classification *all, const char *const *names) {
    char *text = NULL, number[16];
    size_t length;
    FILE *to = open_memstream(&text, &length);
    if (to == NULL) return NULL;
    const int width = widest_name(all->class_count, names, (int)strlen("weighted avg"));
    fprintf(to, "%*s  %9s %9s %9s %9s\n\n", width, "", "precision", "recall", "f1-score", "support");
    for (int i = 0; i < all->class_count; i++) put_scores(to, width, class_name(names, i, number), &all->classes[i]);
    fputc('\n', to);
    put_name(to, width, "accuracy");
    fprintf(to, "  %9s %9s %9.2f %9" PRId64 "\n", "", "", all->accuracy, all->count);
    put_scores(to, width, "macro avg", &all->macro);
    put_scores(to, width, "weighted avg", &all->weighted);
    return fclose(to) == 0 ? text : NULL;
}

static json_t *scores_json(const dcnn_class_scores *scores) {
    return json_pack("{s:f, s:f, s:f, s:I}", "precision", scores->precision, "recall", scores->recall, "f1-score",
                     scores->f1, "support", (json_int_t)scores->support);
}

json_t *dcnn_classification_json(const dcnn_classification *all, const char *const *names) {
    char number[16];
    json_t *json = json_object();
    bool good = json != NULL;
    for (int i = 0; good && i < all->class_count; i++)
        good = json_object_set_new(json, class_name(names, i, number), scores_json(&all->classes[i])) == 0;
    good = good && json_object_set_new(json, "accuracy", json_real(all->accuracy)) == 0 &&
           json_object_set_new(json, "macro avg", scores_json(&all->macro)) == 0 &&
           json_object_set_new(json, "weighted avg", scores_json(&all->weighted)) == 0;
    if (good) return json;
    json_decref(json);
    return NULL;
}

char *dcnn_confusion_text(int class_count, const int64_t *confusion, const char *const *names) {
    char *text = NULL, number[24];
    size_t length;
    FILE *to = open_memstream(&text, &length);
    if (to == NULL) return NULL;
    const int first = widest_name(class_count, names, 4);
    int cell = widest_name(class_count, names, 1);
    for (int i = 0; i < class_count * class_count; i++) {
        const int digits = snprintf(number, sizeof number, "%" PRId64, confusion[i]);
        if (digits > cell) cell = digits;
    }
    put_name(to, first, "true");
    for (int j = 0; j < class_count; j++) put_name(to, cell + 2, class_name(names, j, number));
    fputs("  predicted\n", to);
    for (int i = 0; i < class_count; i++) {
        put_name(to, first, class_name(names, i, number));
        for (int j = 0; j < class_count; j++) fprintf(to, "  %*" PRId64, cell, confusion[i * class_count + j]);
        fputc('\n', to);
    }
    return fclose(to) == 0 ? text : NULL;
}
