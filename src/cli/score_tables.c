/* SPDX-License-Identifier: BSD-3-Clause */
/* score_tables.c — see score_tables.h. */
#include "cli/score_tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { LEAST_WIDTH = 12, MOST_WIDTH = 40 };

static const char *name_of(const char *const *names, int i, char number[16]) {
    snprintf(number, 16, "%d", i);
    return names ? names[i] : number;
}

/* Characters of UTF-8. */
static int text_width(const char *text) {
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static int column_width(int count, const char *const *names) {
    int width = LEAST_WIDTH;
    char number[16];
    for (int i = 0; i < count; i++) {
        const int its = text_width(name_of(names, i, number));
        if (its > width) width = its < MOST_WIDTH ? its : MOST_WIDTH;
    }
    return width;
}

static void put_name(FILE *to, const char *name, int width) {
    const int its = text_width(name);
    fprintf(to, "%*s%s", its < width ? width - its : 0, "", name);
}

static void put_score(FILE *to, double value) {
    if (isfinite(value))
        fprintf(to, " %10.4f", value);
    else
        fprintf(to, " %10s", "-");
}

/* --- labels ------------------------------------------------------------------------------------------------------- */

static int64_t support_of(const dcnn_label_scores *s) {
    return s->true_positives + s->false_negatives;
}

static void put_label(FILE *to, const char *name, int width, const dcnn_label_scores *s) {
    put_name(to, name, width);
    put_score(to, dcnn_label_precision(s));
    put_score(to, dcnn_label_recall(s));
    put_score(to, dcnn_label_f1(s));
    fprintf(to, " %10" PRId64, support_of(s));
    put_score(to, s->auc);
    fputc('\n', to);
}

void dcnn_label_table(FILE *to, const dcnn_evaluation *e, const char *const *names) {
    const int width = column_width(e->label_count, names);
    dcnn_label_scores all = dcnn_label_sum(e->label_count, e->labels);
    char number[16];
    all.auc = e->auc;
    fprintf(to, "%*s %10s %10s %10s %10s %10s\n\n", width, "", "precision", "recall", "f1-score", "support", "AUC");
    for (int i = 0; i < e->label_count; i++) put_label(to, name_of(names, i, number), width, &e->labels[i]);
    fputc('\n', to);
    put_label(to, "all", width, &all);
}

static json_t *one_label(const dcnn_label_scores *s) {
    return json_pack("{s:f, s:f, s:f, s:I, s:o}", "precision", dcnn_label_precision(s), "recall", dcnn_label_recall(s),
                     "f1-score", dcnn_label_f1(s), "support", (json_int_t)support_of(s), "auc",
                     dcnn_json_number(s->auc));
}

json_t *dcnn_label_json(const dcnn_evaluation *e, const char *const *names) {
    json_t *json = json_object();
    dcnn_label_scores all = dcnn_label_sum(e->label_count, e->labels);
    char number[16];
    for (int i = 0; i < e->label_count; i++)
        dcnn_json_add(json, name_of(names, i, number), NULL, i, one_label(&e->labels[i]));
    all.auc = e->auc;
    return json_pack("{s:o, s:o}", "each", json, "all", one_label(&all));
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

/* The mean of all, R2 of those that have one. */
static dcnn_number_scores mean_of(const dcnn_evaluation *e) {
    dcnn_number_scores mean = {0};
    int with = 0;
    for (int i = 0; i < e->number_count; i++) {
        mean.absolute += e->numbers[i].absolute / e->number_count;
        mean.squared += e->numbers[i].squared / e->number_count;
        if (isfinite(e->numbers[i].r2)) mean.r2 += e->numbers[i].r2, with++;
    }
    mean.r2 = with > 0 ? mean.r2 / with : (double)NAN;
    return mean;
}

static void put_number(FILE *to, const char *name, int width, const dcnn_number_scores *s) {
    put_name(to, name, width);
    fprintf(to, " %12.6g %12.6g", s->absolute, sqrt(s->squared));
    put_score(to, s->r2);
    fputc('\n', to);
}

void dcnn_number_table(FILE *to, const dcnn_evaluation *e, const char *const *names) {
    const int width = column_width(e->number_count, names);
    const dcnn_number_scores mean = mean_of(e);
    char number[16];
    fprintf(to, "%*s %12s %12s %10s\n\n", width, "", "MAE", "RMSE", "R2");
    for (int i = 0; i < e->number_count; i++) put_number(to, name_of(names, i, number), width, &e->numbers[i]);
    if (e->number_count < 2) return;
    fputc('\n', to);
    put_number(to, "all", width, &mean);
}

static json_t *one_number(const dcnn_number_scores *s) {
    return json_pack("{s:o, s:o, s:o}", "mae", dcnn_json_number(s->absolute), "mse", dcnn_json_number(s->squared), "r2",
                     dcnn_json_number(s->r2));
}

json_t *dcnn_number_json(const dcnn_evaluation *e, const char *const *names) {
    json_t *json = json_object();
    const dcnn_number_scores mean = mean_of(e);
    char number[16];
    for (int i = 0; i < e->number_count; i++)
        dcnn_json_add(json, name_of(names, i, number), NULL, i, one_number(&e->numbers[i]));
    return json_pack("{s:o, s:o}", "each", json, "all", one_number(&mean));
}

/* --- a page's table ----------------------------------------------------------------------------------------------- */

static void fill_row(const dcnn_evaluation *e, int i, double *row) {
    if (e->number_count > 0) {
        const dcnn_number_scores of = i < e->number_count ? e->numbers[i] : mean_of(e);
        memcpy(row, (const double[]){of.absolute, sqrt(of.squared), of.r2}, 3 * sizeof *row);
        return;
    }
    dcnn_label_scores of = i < e->label_count ? e->labels[i] : dcnn_label_sum(e->label_count, e->labels);
    if (i == e->label_count) of.auc = e->auc;
    memcpy(row,
           (const double[]){dcnn_label_precision(&of), dcnn_label_recall(&of), dcnn_label_f1(&of),
                            (double)support_of(&of), of.auc},
           5 * sizeof *row);
}

dcnn_status dcnn_score_table_create(const dcnn_evaluation *e, const char *const *names, dcnn_report_table *table) {
    static const char *const of_labels[] = {"precision", "recall", "F1", "support", "AUC"};
    static const char *const of_numbers[] = {"MAE", "RMSE", "R2"};
    const bool numbers = e->number_count > 0;
    const int count = (numbers ? e->number_count : e->label_count) + 1;
    char **rows = calloc((size_t)count, sizeof *rows), number[16];
    double *values = calloc((size_t)count * 5, sizeof *values);
    bool good = rows && values;
    *table = (dcnn_report_table){.title = numbers ? "Numbers" : "Labels",
                                 .column_count = numbers ? 3 : 5,
                                 .row_count = rows ? count : 0,
                                 .columns = numbers ? of_numbers : of_labels,
                                 .rows = (const char *const *)rows,
                                 .values = values};
    for (int i = 0; good && i < count; i++) {
        rows[i] = strdup(i + 1 < count ? name_of(names, i, number) : "all");
        good = rows[i] != NULL;
        fill_row(e, i, values + i * table->column_count);
    }
    if (good) return DCNN_OK;
    dcnn_score_table_free(table);
    return DCNN_FAIL(DCNN_FAILURE, "out of memory: a table of scores");
}

void dcnn_score_table_free(dcnn_report_table *table) {
    for (int i = 0; i < table->row_count; i++) free((void *)(uintptr_t)table->rows[i]);
    free((void *)(uintptr_t)table->rows);
    free((void *)(uintptr_t)table->values);
    *table = (dcnn_report_table){0};
}
