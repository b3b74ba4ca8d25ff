/* SPDX-License-Identifier: BSD-3-Clause */
/* muon.c — see muon.h. X X^T and B X are a dense layer's two products, so one packing of X serves both. */
#include "nn/optimizers/muon.h"

#include <math.h>
#include <stdlib.h>

#include "nn/layer.h"

/* Keras' muon_a, muon_b, muon_c, ns_steps and rms_rate. */
static const double coefficients[3] = {3.4445, -4.7750, 2.0315}, rms_rate = 0.2;

enum { ITERATIONS = 5 };

/* A step's phases: two to make X, then in each iteration these. */
enum { DIRECTION, SCALE, FIRST_PHASES, PACK = 0, SQUARE, PACK_SQUARES, MIX, MOVE, ITERATION_PHASES };

const dcnn_node *dcnn_muon_head(const dcnn_net *net) {
    for (int i = net->node_count - 1; i > 0; i--)
        if (net->nodes[i].param_count > 0) return net->nodes[i].layer == &dcnn_layer_dense ? &net->nodes[i] : NULL;
    return NULL;
}

bool dcnn_muon_takes(const dcnn_net *net, const dcnn_param *param) {
    const dcnn_node *head = dcnn_muon_head(net);
    return param->trainable && param->rank == 2 && (head == NULL || param != &head->params[0]);
}

dcnn_status dcnn_muon_create(const dcnn_net *net, const dcnn_kernels *kernels, dcnn_muon *muon) {
    *muon = (dcnn_muon){.kernels = kernels};
    muon->matrices = calloc((size_t)net->node_count * DCNN_MAX_PARAMS, sizeof *muon->matrices);
    if (muon->matrices == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a list of matrices");
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            const bool transposed = param->dims[0] > param->dims[1];
            if (dcnn_muon_takes(net, param))
                muon->matrices[muon->count++] = (dcnn_muon_matrix){.place = {param->offset, param->count},
                                                                   .rows = param->dims[transposed],
                                                                   .columns = param->dims[!transposed],
                                                                   .transposed = transposed};
        }
    return DCNN_OK;
}

void dcnn_muon_free(dcnn_muon *muon) {
    free(muon->matrices);
    *muon = (dcnn_muon){0};
}

void dcnn_muon_place(dcnn_muon *muon, dcnn_arena *arena) {
    for (int i = 0; i < muon->count; i++) {
        dcnn_muon_matrix *a = &muon->matrices[i];
        const size_t all = a->place.count * sizeof(float), rows = (size_t)a->rows;
        a->x = dcnn_arena_take(arena, all);
        a->next = dcnn_arena_take(arena, all);
        a->squares = dcnn_arena_take(arena, rows * rows * sizeof(float));
        a->mixed = dcnn_arena_take(arena, rows * rows * sizeof(float));
        a->packed = dcnn_arena_take(arena, muon->kernels->dense_packed(a->rows, a->columns) * sizeof(float));
        a->packed_squares = dcnn_arena_take(arena, muon->kernels->dense_packed(a->rows, a->rows) * sizeof(float));
        a->norms = dcnn_arena_take(arena, rows * sizeof(double));
    }
}

int dcnn_muon_phases(void) {
    return FIRST_PHASES + ITERATIONS * ITERATION_PHASES;
}

/* --- one row of a phase ------------------------------------------------------------------------------------------- */

/* Where value `column` of row `row` of X lies in the weights, from the matrix's first. */
static size_t weight_of(const dcnn_muon_matrix *a, size_t row, size_t column) {
    return a->transposed ? column * (size_t)a->rows + row : row * (size_t)a->columns + column;
}

static void make_direction(const dcnn_muon_matrix *a, const dcnn_muon_step *step, size_t row) {
    const size_t columns = (size_t)a->columns;
    double squares = 0.0;
    for (size_t j = 0; j < columns; j++) {
        const size_t at = a->place.offset + weight_of(a, row, j);
        const double g = (double)step->gradient[at] * step->gradient_scale;
        const double m = step->momentum * (double)step->m[at] + g;
        const float direction = (float)(step->nesterov ? g + step->momentum * m : m);
        step->m[at] = (float)m;
        a->x[row * columns + j] = direction;
        squares += (double)direction * (double)direction;
    }
    a->norms[row] = squares;
}

static void scale(const dcnn_muon_matrix *a, size_t row) {
    double squares = 0.0;
    for (int i = 0; i < a->rows; i++) squares += a->norms[i]; /* by everyone in the same order (law 2) */
    const double factor = 1.0 / (sqrt(squares) + 1e-7);
    float *x = a->x + row * (size_t)a->columns;
    for (int j = 0; j < a->columns; j++) x[j] = (float)((double)x[j] * factor);
}

/* to = factor from + other factor to, each [count]. */
static void blend(size_t count, double factor, const float *from, double other, float *to) {
    const float f = (float)factor, o = (float)other;
    for (size_t i = 0; i < count; i++) to[i] = f * from[i] + o * to[i];
}

static void multiply(const dcnn_muon *muon, const dcnn_muon_matrix *a, int phase, bool odd, size_t first, int rows) {
    const dcnn_kernels *k = muon->kernels;
    const size_t n = (size_t)a->rows, m = (size_t)a->columns;
    float *x = odd ? a->next : a->x, *next = odd ? a->x : a->next;
    float *squares = a->squares + first * n, *mixed = a->mixed + first * n;
    if (rows == 0) return;
    switch (phase) {
    case SQUARE:
        k->dense_backward(rows, a->rows, a->columns, NULL, x, a->packed, x + first * m, squares, NULL, NULL, NULL);
        break;
    case MIX:
        k->dense_forward(rows, a->rows, a->rows, squares, a->squares, a->packed_squares, NULL, DCNN_FUSED_NONE, mixed,
                         NULL);
        blend((size_t)rows * n, coefficients[1], squares, coefficients[2], mixed);
        break;
    default:
        k->dense_forward(rows, a->rows, a->columns, mixed, x, a->packed, NULL, DCNN_FUSED_NONE, next + first * m, NULL);
        blend((size_t)rows * m, coefficients[0], x + first * m, 1.0, next + first * m);
        break;
    }
}

void dcnn_muon_run(const dcnn_muon *muon, const dcnn_muon_step *step, int phase, int part, int parts) {
    const int iteration = (phase - FIRST_PHASES) / ITERATION_PHASES;
    const int inner = (phase - FIRST_PHASES) % ITERATION_PHASES;
    for (int i = 0; i < muon->count; i++) {
        const dcnn_muon_matrix *a = &muon->matrices[i];
        const int first = (int)((int64_t)a->rows * part / parts), end = (int)((int64_t)a->rows * (part + 1) / parts);
        if (phase == DIRECTION)
            for (int row = first; row < end; row++) make_direction(a, step, (size_t)row);
        else if (phase == SCALE)
            for (int row = first; row < end; row++) scale(a, (size_t)row);
        else if (inner == PACK)
            muon->kernels->dense_pack(a->rows, a->columns, iteration % 2 ? a->next : a->x, a->packed, part, parts);
        else if (inner == PACK_SQUARES)
            muon->kernels->dense_pack(a->rows, a->rows, a->squares, a->packed_squares, part, parts);
        else
            multiply(muon, a, inner, iteration % 2 == 1, (size_t)first, end - first);
    }
}

void dcnn_muon_apply(const dcnn_muon *muon, double rate, dcnn_range range, float *params) {
    for (int i = 0; i < muon->count; i++) {
        const dcnn_muon_matrix *a = &muon->matrices[i];
        if (range.offset < a->place.offset || range.offset >= a->place.offset + a->place.count) continue;
        const double adjusted = rate * sqrt((double)a->columns) * rms_rate; /* columns are the longer side */
        const float *x = ITERATIONS % 2 ? a->next : a->x;
        const size_t width = (size_t)(a->transposed ? a->rows : a->columns);
        for (size_t k = 0; k < range.count; k++) {
            const size_t at = range.offset - a->place.offset + k, row = at / width, column = at % width;
            const size_t from = a->transposed ? column * (size_t)a->columns + row : at;
            params[range.offset + k] = (float)((double)params[range.offset + k] - adjusted * (double)x[from]);
        }
    }
}
