/* SPDX-License-Identifier: BSD-3-Clause */
/* loss.c — the table of losses. */
#include "nn/loss.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One sample: its loss and, if dx is not NULL, its gradient. `t` gives target j. */
typedef struct sample {
    const dcnn_loss *loss;
    int outputs;
    const float *x, *y; /* [outputs]; dx may be x */
    const dcnn_targets *targets;
    size_t row;
    double weight;
} sample;

static double target_of(const sample *s, int j) {
    const dcnn_targets *t = s->targets;
    const double smoothing = s->loss->smoothing;
    const bool binary = s->loss->kind == DCNN_LOSS_BINARY;
    double value;
    if (t->labels == NULL)
        value = (double)t->values[s->row * (size_t)s->outputs + (size_t)j];
    else if (binary && s->outputs == 1)
        value = t->labels[s->row]; /* one output: class 1, or not */
    else
        value = t->labels[s->row] == j;
    if (t->others) {
        const double share = (double)t->shares[s->row];
        const double other = binary && s->outputs == 1 ? t->others[s->row] : (double)(t->others[s->row] == j);
        value = share * value + (1.0 - share) * other;
    }
    if (smoothing == 0.0 || dcnn_loss_is_regression(s->loss->kind)) return value;
    return value * (1.0 - smoothing) + smoothing / (binary ? 2.0 : (double)s->outputs);
}

static double categorical(const sample *s, float *dx) {
    double top = (double)s->x[0], sum = 0.0, loss = 0.0;
    for (int j = 1; j < s->outputs; j++) top = (double)s->x[j] > top ? (double)s->x[j] : top;
    for (int j = 0; j < s->outputs; j++) sum += exp((double)s->x[j] - top);
    for (int j = 0; j < s->outputs; j++) {
        const double t = target_of(s, j);
        if (t != 0.0) loss += t * (log(sum) - ((double)s->x[j] - top));
        if (dx) dx[j] = (float)(s->weight * ((double)s->y[j] - t));
    }
    return isnan(sum) ? sum : loss;
}

static double binary(const sample *s, float *dx) {
    double loss = 0.0;
    for (int j = 0; j < s->outputs; j++) {
        const double x = (double)s->x[j], t = target_of(s, j);
        loss += (x > 0 ? x : 0.0) - x * t + log1p(exp(-fabs(x)));
        if (dx) dx[j] = (float)(s->weight * ((double)s->y[j] - t) / s->outputs);
    }
    return loss / s->outputs;
}

static double squared(const sample *s, float *dx) {
    double loss = 0.0;
    for (int j = 0; j < s->outputs; j++) {
        const double e = (double)s->x[j] - target_of(s, j);
        loss += e * e;
        if (dx) dx[j] = (float)(s->weight * 2.0 * e / s->outputs);
    }
    return loss / s->outputs;
}

static double absolute(const sample *s, float *dx) {
    double loss = 0.0;
    for (int j = 0; j < s->outputs; j++) {
        const double e = (double)s->x[j] - target_of(s, j);
        loss += fabs(e);
        if (dx) dx[j] = (float)(s->weight * (e > 0 ? 1.0 : e < 0 ? -1.0 : e) / s->outputs);
    }
    return loss / s->outputs;
}

static double huber(const sample *s, float *dx) {
    const double delta = s->loss->delta > 0.0 ? s->loss->delta : 1.0;
    double loss = 0.0;
    for (int j = 0; j < s->outputs; j++) {
        const double e = (double)s->x[j] - target_of(s, j), size = fabs(e);
        loss += size <= delta ? 0.5 * e * e : delta * (size - 0.5 * delta);
        if (dx) dx[j] = (float)(s->weight * (size <= delta ? e : e > 0 ? delta : -delta) / s->outputs);
    }
    return loss / s->outputs;
}

#define ROW(id, ...) [DCNN_LOSS_##id] = {__VA_ARGS__},
static const struct {
    const char *word, *name, *names;
    bool regression;
    double (*run)(const sample *s, float *dx);
} rows_of[DCNN_LOSS_COUNT] = {DCNN_LOSSES(ROW)};

dcnn_loss_kind dcnn_loss_find(const char *name) {
    char word[64];
    int kind = 0;
    snprintf(word, sizeof word, " %.60s ", name);
    while (kind < DCNN_LOSS_COUNT && strstr(rows_of[kind].names, word) == NULL) kind++;
    return (dcnn_loss_kind)kind;
}

const char *dcnn_loss_name(dcnn_loss_kind kind) {
    return rows_of[kind].name;
}

const char *dcnn_loss_word(dcnn_loss_kind kind) {
    return rows_of[kind].word;
}

dcnn_loss_kind dcnn_loss_of_output(dcnn_activation_kind activation) {
    return activation == DCNN_SOFTMAX   ? DCNN_LOSS_CATEGORICAL
           : activation == DCNN_SIGMOID ? DCNN_LOSS_BINARY
                                        : DCNN_LOSS_COUNT;
}

bool dcnn_loss_is_regression(dcnn_loss_kind kind) {
    return rows_of[kind].regression;
}

int dcnn_loss_answers(const dcnn_loss *loss, int outputs, bool values) {
    return loss->kind == DCNN_LOSS_BINARY && values ? outputs : 1;
}

void dcnn_loss_outputs(const dcnn_loss *loss, const dcnn_kernels *kernels, size_t rows, int outputs, const float *x,
                       float *y) {
    if (loss->kind == DCNN_LOSS_CATEGORICAL)
        kernels->softmax_forward(rows, outputs, x, y);
    else if (loss->kind == DCNN_LOSS_BINARY)
        kernels->sigmoid_forward(rows * (size_t)outputs, x, y);
    else if (y != x)
        memcpy(y, x, rows * (size_t)outputs * sizeof *y);
}

/* --- hits --------------------------------------------------------------------------------------------------------- */

/* Outputs that beat this one, the first of equal ones before the others. */
static int better_than(const float *y, int outputs, int32_t label) {
    int better = 0;
    for (int32_t j = 0; j < outputs; j++) better += y[j] > y[label] || (y[j] == y[label] && j < label);
    return better;
}

static int right_labels(const sample *s) {
    int right = 0;
    for (int j = 0; j < s->outputs; j++) right += (s->y[j] > 0.5f) == (target_of(s, j) > 0.5);
    return right;
}

/* Answers that are right. */
static int hits(const sample *s) {
    const dcnn_targets *t = s->targets;
    if (s->loss->kind == DCNN_LOSS_BINARY && (t->labels == NULL || s->outputs == 1)) return right_labels(s);
    if (rows_of[s->loss->kind].regression || t->labels == NULL) return 0;
    const bool first = t->others == NULL || t->shares[s->row] >= 0.5f;
    return better_than(s->y, s->outputs, first ? t->labels[s->row] : t->others[s->row]) == 0;
}

static double absolute_error(const sample *s) {
    double sum = 0.0;
    for (int j = 0; j < s->outputs; j++) sum += fabs((double)s->x[j] - target_of(s, j));
    return sum / s->outputs;
}

static void count_top(size_t rows, int outputs, const int32_t *labels, const float *y, double *sums) {
    for (size_t i = 0; i < rows; i++)
        sums[DCNN_SUM_TOP] += better_than(y + i * (size_t)outputs, outputs, labels[i]) < DCNN_TOP;
}

/* --- a grain ------------------------------------------------------------------------------------------------------ */

static void run_plain(const dcnn_kernels *kernels, size_t rows, int outputs, const float *x, const int32_t *labels,
                      float *y, float *dx, double *sums) {
    int64_t correct;
    kernels->cross_entropy(rows, outputs, x, labels, y, dx, &sums[DCNN_SUM_LOSS], &correct);
    sums[DCNN_SUM_CORRECT] = (double)correct;
}

void dcnn_loss_run(const dcnn_loss *loss, const dcnn_kernels *kernels, size_t rows, int outputs, const float *x,
                   const dcnn_targets *targets, float *y, float *dx, double *sums) {
    const bool classes = loss->kind == DCNN_LOSS_CATEGORICAL && targets->labels;
    for (int i = 0; i < DCNN_LOSS_SUMS; i++) sums[i] = 0.0;
    sums[DCNN_SUM_SAMPLES] = (double)rows;
    if (classes && targets->others == NULL && targets->weights == NULL && loss->smoothing == 0.0) {
        run_plain(kernels, rows, outputs, x, targets->labels, y, dx, sums);
    } else {
        dcnn_loss_outputs(loss, kernels, rows, outputs, x, y);
        for (size_t i = 0; i < rows; i++) {
            const size_t at = i * (size_t)outputs;
            const sample s = {.loss = loss,
                              .outputs = outputs,
                              .x = x + at,
                              .y = y + at,
                              .targets = targets,
                              .row = i,
                              .weight = targets->weights ? (double)targets->weights[i] : 1.0};
            if (rows_of[loss->kind].regression) sums[DCNN_SUM_ABSOLUTE] += absolute_error(&s);
            sums[DCNN_SUM_CORRECT] += hits(&s);
            sums[DCNN_SUM_LOSS] += s.weight * rows_of[loss->kind].run(&s, dx ? dx + at : NULL);
        }
    }
    if (dx == NULL && classes) count_top(rows, outputs, targets->labels, y, sums);
}
