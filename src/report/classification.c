/* SPDX-License-Identifier: BSD-3-Clause */
/* classification.c — see classification.h. */
#include "report/classification.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

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
                               support, predicted};
}

bool dcnn_class_is_absent(const dcnn_class_scores *scores) {
    return scores->support == 0 && scores->predicted == 0;
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

/* Means of `number` classes' scores, each class weighing as much as its support, or all the same. */
static dcnn_class_scores average(int number, const dcnn_class_scores *classes, int64_t count, bool by_support) {
    const double total = by_support ? (double)count : (double)number;
    if (!(total > 0.0)) return (dcnn_class_scores){.support = count};
    return (dcnn_class_scores){add_pairwise(classes, number, precision_of, by_support) / total,
                               add_pairwise(classes, number, recall_of, by_support) / total,
                               add_pairwise(classes, number, f1_of, by_support) / total, count, 0};
}

/* The averages, over the classes that are not absent, side by side as scikit-learn has them. */
static bool average_present(dcnn_classification *all) {
    dcnn_class_scores *present = calloc((size_t)all->class_count, sizeof *present);
    int number = 0;
    if (present == NULL) return false;
    for (int i = 0; i < all->class_count; i++)
        if (!dcnn_class_is_absent(&all->classes[i])) present[number++] = all->classes[i];
    all->absent_count = all->class_count - number;
    all->macro = average(number, present, all->count, false);
    all->weighted = average(number, present, all->count, true);
    free(present);
    return true;
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
    if (average_present(made)) return DCNN_OK;
    dcnn_classification_free(made);
    return DCNN_FAIL(DCNN_FAILURE, "out of memory: scores of %d classes", class_count);
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

static int widest_present_name(const dcnn_classification *all, const char *const *names, int least) {
    char number[16];
    for (int i = 0; i < all->class_count; i++) {
        const int width = dcnn_class_is_absent(&all->classes[i]) ? 0 : text_width(class_name(names, i, number));
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
    const int width = widest_present_name(all, names, (int)strlen("weighted avg"));
    fprintf(to, "%*s  %9s %9s %9s %9s\n\n", width, "", "precision", "recall", "f1-score", "support");
    for (int i = 0; i < all->class_count; i++)
        if (!dcnn_class_is_absent(&all->classes[i]))
            put_scores(to, width, class_name(names, i, number), &all->classes[i]);
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
    static const char *const averages[] = {"accuracy", "macro avg", "weighted avg", NULL};
    char number[16];
    json_t *json = json_object();
    bool good = json != NULL;
    for (int i = 0; good && i < all->class_count; i++)
        if (!dcnn_class_is_absent(&all->classes[i]))
            good = dcnn_json_add(json, class_name(names, i, number), averages, i, scores_json(&all->classes[i]));
    good = good && json_object_set_new(json, "accuracy", json_real(all->accuracy)) == 0 &&
           json_object_set_new(json, "macro avg", scores_json(&all->macro)) == 0 &&
           json_object_set_new(json, "weighted avg", scores_json(&all->weighted)) == 0;
    if (good) return json;
    json_decref(json);
    return NULL;
}

char *dcnn_absent_text(const dcnn_classification *all, const char *const *names) {
    enum { MOST_NAMED = 20 };
    char *text = NULL, number[16];
    size_t length;
    int named = 0;
    FILE *to = open_memstream(&text, &length);
    if (to == NULL) return NULL;
    for (int i = 0; i < all->class_count && named < MOST_NAMED; i++) {
        if (!dcnn_class_is_absent(&all->classes[i])) continue;
        fprintf(to, "%s%s", named > 0 ? ", " : "", class_name(names, i, number));
        named++;
    }
    if (all->absent_count > named) fprintf(to, " and %d more", all->absent_count - named);
    return fclose(to) == 0 ? text : NULL;
}

/* --- confusions --------------------------------------------------------------------------------------------------- */

/* One cell beside the diagonal. */
typedef struct confusion_cell {
    int truth, predicted;
    int64_t count, support;
} confusion_cell;

/* The most frequent first; of equals the one that stands first in the matrix. */
static int by_count(const void *a, const void *b) {
    const confusion_cell *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return x->truth != y->truth ? x->truth - y->truth : x->predicted - y->predicted;
}

/* All cells beside the diagonal that are not 0, sorted; their number, or -1 without memory. */
static int64_t collect_confusions(int n, const int64_t *confusion, confusion_cell **cells) {
    int64_t count = 0, used = 0;
    for (int64_t i = 0; i < (int64_t)n * n; i++) count += confusion[i] > 0 && i / n != i % n;
    *cells = calloc((size_t)count + 1, sizeof **cells);
    if (*cells == NULL) return -1;
    for (int i = 0; i < n; i++) {
        int64_t support = 0;
        for (int j = 0; j < n; j++) support += confusion[(int64_t)i * n + j];
        for (int j = 0; j < n; j++)
            if (i != j && confusion[(int64_t)i * n + j] > 0)
                (*cells)[used++] = (confusion_cell){i, j, confusion[(int64_t)i * n + j], support};
    }
    qsort(*cells, (size_t)used, sizeof **cells, by_count);
    return used;
}

static bool put_confusions(FILE *to, int n, const int64_t *confusion, const char *const *names) {
    enum { MOST_SHOWN = 20 };
    confusion_cell *cells;
    char number[16];
    const int64_t count = collect_confusions(n, confusion, &cells);
    const int64_t shown = count < MOST_SHOWN ? count : MOST_SHOWN;
    if (count < 0) return false;
    int width = (int)strlen("predicted");
    for (int64_t i = 0; i < shown; i++) {
        const int truth = text_width(class_name(names, cells[i].truth, number));
        const int predicted = text_width(class_name(names, cells[i].predicted, number));
        width = truth > width ? truth : width;
        width = predicted > width ? predicted : width;
    }
    fprintf(to,
            "%s%" PRId64 " of %" PRId64 " kinds of confusion, the most frequent first (--json has the whole matrix)\n",
            shown < count ? "" : "all ", shown, count);
    put_name(to, width, "true");
    put_name(to, width + 2, "predicted");
    fprintf(to, "  %9s  of the class\n", "samples");
    for (int64_t i = 0; i < shown; i++) {
        put_name(to, width, class_name(names, cells[i].truth, number));
        put_name(to, width + 2, class_name(names, cells[i].predicted, number));
        fprintf(to, "  %9" PRId64 "  %10.1f %%\n", cells[i].count,
                100.0 * (double)cells[i].count / (double)cells[i].support);
    }
    free(cells);
    return true;
}

static void put_matrix(FILE *to, int n, const int64_t *confusion, const char *const *names, int first, int cell) {
    char number[16];
    put_name(to, first, "true");
    for (int j = 0; j < n; j++) put_name(to, cell + 2, class_name(names, j, number));
    fputs("  predicted\n", to);
    for (int i = 0; i < n; i++) {
        put_name(to, first, class_name(names, i, number));
        for (int j = 0; j < n; j++) fprintf(to, "  %*" PRId64, cell, confusion[(int64_t)i * n + j]);
        fputc('\n', to);
    }
}

char *dcnn_confusion_text(int class_count, const int64_t *confusion, const char *const *names) {
    enum { WIDEST = 132 };
    char *text = NULL, number[24];
    size_t length;
    FILE *to = open_memstream(&text, &length);
    if (to == NULL) return NULL;
    const int first = widest_name(class_count, names, 4);
    int cell = widest_name(class_count, names, 1);
    for (int64_t i = 0; i < (int64_t)class_count * class_count; i++) {
        const int digits = snprintf(number, sizeof number, "%" PRId64, confusion[i]);
        if (digits > cell) cell = digits;
    }
    bool good = true;
    if (first + class_count * (cell + 2) <= WIDEST)
        put_matrix(to, class_count, confusion, names, first, cell);
    else
        good = put_confusions(to, class_count, confusion, names);
    if (fclose(to) == 0 && good) return text;
    free(text);
    return NULL;
}
