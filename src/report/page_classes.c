/* SPDX-License-Identifier: BSD-3-Clause */
/* page_classes.c — the page's tables of classes: how each split is made up of them, and which are confused most. */
#include <stdlib.h>

#include "report/figures/plot.h"
#include "report/page_pieces.h"

enum { MOST_CLASSES = 200, MOST_PAIRS = 12 };

/* --- how the splits are made up ----------------------------------------------------------------------------------- */

static void count_split(const dcnn_report_data *data, const dcnn_split *split, int64_t *counts) {
    for (int64_t i = 0; i < split->count; i++) {
        const int32_t label = data->labels[split->rows[i]];
        if (label >= 0 && label < data->dataset->class_count) counts[label]++;
    }
}

void dcnn_page_distribution(FILE *out, const dcnn_view *view) {
    const dcnn_dataset *d = view->data->dataset;
    char text[32];
    int64_t *counts = calloc((size_t)d->split_count * (size_t)d->class_count + 1, sizeof *counts);
    if (counts == NULL || view->data->labels == NULL || d->class_count > MOST_CLASSES || d->class_count == 0) {
        free(counts);
        return;
    }
    fputs("<h2>Classes of each split</h2>\n<div class=\"scroll\"><table><thead><tr><th>class</th>", out);
    for (int s = 0; s < d->split_count; s++) {
        count_split(view->data, &d->splits[s], counts + (int64_t)s * d->class_count);
        fputs("<th class=\"n\">", out);
        dcnn_page_write(out, d->splits[s].name);
        fputs("</th>", out);
    }
    fputs("</tr></thead><tbody>\n", out);
    for (int c = 0; c < d->class_count; c++) {
        fputs("<tr><th scope=\"row\">", out);
        dcnn_page_write(out, d->class_names[c]);
        fputs("</th>", out);
        for (int s = 0; s < d->split_count; s++) {
            const int64_t count = counts[(int64_t)s * d->class_count + c], all = d->splits[s].count;
            fprintf(out, "<td class=\"n\">%s (%.1f %%)</td>", dcnn_text_integer(count, text),
                    all > 0 ? 100.0 * (double)count / (double)all : 0.0);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
    free(counts);
}

/* --- what is confused --------------------------------------------------------------------------------------------- */

typedef struct pair {
    int64_t count;
    int row, column;
} pair;

/* Keeps the most frequent ones, in order; of equal ones the first. */
static void take_pair(pair pairs[MOST_PAIRS], pair one) {
    for (int i = 0; i < MOST_PAIRS; i++) {
        if (one.count <= pairs[i].count) continue;
        const pair next = pairs[i];
        pairs[i] = one;
        one = next;
    }
}

void dcnn_page_confusions(FILE *out, const dcnn_view *view) {
    const int classes = view->classification.class_count;
    pair pairs[MOST_PAIRS] = {{0, 0, 0}};
    char text[32];
    for (int i = 0; i < classes; i++)
        for (int j = 0; j < classes; j++)
            if (i != j) take_pair(pairs, (pair){view->data->confusion[(int64_t)i * classes + j], i, j});
    if (pairs[0].count == 0) return;
    fputs("<h2>Most frequent confusions</h2>\n<div class=\"scroll\"><table><thead><tr><th>true class</th><th>taken "
          "for</th><th class=\"n\">times</th><th class=\"n\">of the class</th></tr></thead><tbody>\n",
          out);
    for (int i = 0; i < MOST_PAIRS && pairs[i].count > 0; i++) {
        const int64_t support = view->classification.classes[pairs[i].row].support;
        fputs("<tr><th scope=\"row\">", out);
        dcnn_page_write(out, dcnn_view_class(view, pairs[i].row));
        fputs("</th><td>", out);
        dcnn_page_write(out, dcnn_view_class(view, pairs[i].column));
        fprintf(out, "</td><td class=\"n\">%s</td><td class=\"n\">%.2f %%</td></tr>\n",
                dcnn_text_integer(pairs[i].count, text), 100.0 * (double)pairs[i].count / (double)support);
    }
    fputs("</tbody></table></div>\n", out);
}

int64_t dcnn_top_hits(const dcnn_report_data *data, int top) {
    const int classes = data->dataset->class_count;
    int64_t hits = 0;
    for (int64_t i = 0; i < data->split->count; i++) {
        const float *row = data->probabilities + i * classes;
        const int32_t label = data->labels[data->split->rows[i]];
        int better = 0;
        for (int j = 0; j < classes; j++) better += row[j] > row[label] || (row[j] == row[label] && j < label);
        hits += better < top;
    }
    return hits;
}
