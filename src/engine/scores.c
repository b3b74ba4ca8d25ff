/* SPDX-License-Identifier: BSD-3-Clause */
/* scores.c — see scores.h. */
#include "engine/scores.h"

#include <math.h>
#include <stdlib.h>

#include "nn/loss.h"

/* --- labels ------------------------------------------------------------------------------------------------------- */

/* Keras' AUC: thresholds -1e-7, 1/199, 2/199, …, 198/199, 1 + 1e-7. */
enum { THRESHOLDS = 200, BUCKETS = THRESHOLDS + 1 };

double dcnn_label_precision(const dcnn_label_scores *s) {
    const int64_t claimed = s->true_positives + s->false_positives;
    return claimed > 0 ? (double)s->true_positives / (double)claimed : 0.0;
}

double dcnn_label_recall(const dcnn_label_scores *s) {
    const int64_t there = s->true_positives + s->false_negatives;
    return there > 0 ? (double)s->true_positives / (double)there : 0.0;
}

double dcnn_label_f1(const dcnn_label_scores *s) {
    const int64_t all = 2 * s->true_positives + s->false_positives + s->false_negatives;
    return all > 0 ? 2.0 * (double)s->true_positives / (double)all : 0.0;
}

dcnn_label_scores dcnn_label_sum(int count, const dcnn_label_scores *scores) {
    dcnn_label_scores sum = {.auc = (double)NAN};
    for (int i = 0; i < count; i++) {
        sum.true_positives += scores[i].true_positives;
        sum.false_positives += scores[i].false_positives;
        sum.false_negatives += scores[i].false_negatives;
        sum.true_negatives += scores[i].true_negatives;
    }
    return sum;
}

/* Thresholds that lie below a probability. */
static int bucket_of(float probability) {
    int inner = (int)((double)probability * (THRESHOLDS - 1));
    if (!(probability >= 0.0f)) return 0; /* a NaN beats none */
    if (inner > THRESHOLDS - 2) inner = THRESHOLDS - 2;
    while (inner < THRESHOLDS - 2 && (float)((double)(inner + 1) / (THRESHOLDS - 1)) < probability) inner++;
    while (inner > 0 && !((float)((double)inner / (THRESHOLDS - 1)) < probability)) inner--;
    return inner + 1;
}

/* Trapezoids between the thresholds. */
static double area(const int64_t *with, const int64_t *without) {
    double sum = 0.0;
    int64_t hits = 0, all_with = 0, all_without = 0;
    for (int b = 0; b < BUCKETS; b++) {
        all_with += with[b];
        all_without += without[b];
    }
    if (all_with == 0 || all_without == 0) return (double)NAN;
    for (int b = BUCKETS - 1; b > 0; b--) { /* from the highest threshold down */
        const double height = (double)(2 * hits + with[b]) / 2.0 / (double)all_with;
        sum += (double)without[b] / (double)all_without * height;
        hits += with[b];
    }
    return sum;
}

dcnn_status dcnn_scores_labels(dcnn_comm *comm, const dcnn_predictions *p, dcnn_label_scores *scores, double *auc) {
    const int each = 2 * BUCKETS + 4;
    int64_t *counts = calloc((size_t)p->outputs * (size_t)each, sizeof *counts), pooled[2][BUCKETS] = {{0}};
    const dcnn_status status =
        dcnn_comm_agree(comm, counts ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: counts of labels"));
    if (status != DCNN_OK) {
        free(counts);
        return status;
    }
    for (int64_t i = 0; i < p->count; i++)
        for (int j = 0; j < p->outputs; j++) {
            const float probability = p->predicted[i * p->stride + p->first + j];
            const bool there = p->values         ? p->values[i * p->outputs + j] > 0.5f
                               : p->outputs == 1 ? p->labels[i] == 1
                                                 : p->labels[i] == j;
            int64_t *of = counts + (size_t)j * (size_t)each;
            of[(there ? 0 : BUCKETS) + bucket_of(probability)]++;
            of[2 * BUCKETS + (there ? 0 : 2) + (probability > 0.5f ? 0 : 1)]++;
        }
    for (int j = 0; j < p->outputs; j++) dcnn_comm_add_integers(comm, counts + (size_t)j * (size_t)each, each);
    for (int j = 0; j < p->outputs; j++) {
        const int64_t *of = counts + (size_t)j * (size_t)each, *marks = of + 2 * BUCKETS;
        scores[j] = (dcnn_label_scores){.true_positives = marks[0],
                                        .false_negatives = marks[1],
                                        .false_positives = marks[2],
                                        .true_negatives = marks[3],
                                        .auc = area(of, of + BUCKETS)};
        for (int b = 0; b < 2 * BUCKETS; b++) pooled[b / BUCKETS][b % BUCKETS] += of[b];
    }
    *auc = area(pooled[0], pooled[1]);
    free(counts);
    return DCNN_OK;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

enum { ABSOLUTE, SQUARED, SUM, SQUARES, SUMS };

/* One output: its sums of each grain, then of all along the tree. */
static void sum_output(dcnn_comm *comm, const dcnn_predictions *p, int output, double *sums, double totals[SUMS]) {
    int no_flag = 0;
    for (int64_t i = 0; i < p->shares.count * SUMS; i++) sums[i] = 0.0;
    for (int64_t i = 0; i < p->count; i++) {
        double *of = sums + i / p->grain * SUMS;
        const double target = (double)p->values[i * p->outputs + output];
        const double error = (double)p->predicted[i * p->stride + p->first + output] - target;
        of[ABSOLUTE] += fabs(error);
        of[SQUARED] += error * error;
        of[SUM] += target;
        of[SQUARES] += target * target;
    }
    _Static_assert((int)SUMS <= (int)DCNN_LOSS_SUMS, "the comm has room for no more");
    dcnn_comm_sum(comm, p->shares, SUMS, sums, SUMS, totals, &no_flag);
}

dcnn_status dcnn_scores_numbers(dcnn_comm *comm, const dcnn_predictions *p, int64_t all, dcnn_number_scores *scores) {
    double *sums = calloc((size_t)(p->shares.count + 1) * SUMS, sizeof *sums);
    const dcnn_status status =
        dcnn_comm_agree(comm, sums ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: sums of errors"));
    for (int j = 0; status == DCNN_OK && j < p->outputs; j++) {
        double totals[SUMS];
        sum_output(comm, p, j, sums, totals);
        const double n = (double)all, mean = totals[SUM] / n, variance = totals[SQUARES] / n - mean * mean;
        scores[j] = (dcnn_number_scores){.absolute = totals[ABSOLUTE] / n, .squared = totals[SQUARED] / n};
        scores[j].r2 = variance > 1e-12 * (mean * mean) ? 1.0 - scores[j].squared / variance : (double)NAN;
    }
    free(sums);
    return status;
}
