/* SPDX-License-Identifier: BSD-3-Clause */
/* reference_conv_general.c — convolutions with dilation and groups, value by value, each sum in double. */
#include "kernels/register.h"

/* Places in x and w of output (n, i, j, k) at filter cell (a, b) and input channel c of its group; false: outside. */
static bool places(const dcnn_conv *s, const int at[4], int a, int b, int c, size_t *x, size_t *w) {
    const int inner = s->c / s->groups, group = at[3] / (s->k / s->groups);
    const int row = at[1] * s->stride_h - s->pad_h + a * s->dilation_h;
    const int column = at[2] * s->stride_w - s->pad_w + b * s->dilation_w;
    if (row < 0 || row >= s->h || column < 0 || column >= s->w) return false;
    *x = (((size_t)at[0] * (size_t)s->h + (size_t)row) * (size_t)s->w + (size_t)column) * (size_t)s->c +
         (size_t)(group * inner + c);
    *w = ((size_t)(a * s->s + b) * (size_t)inner + (size_t)c) * (size_t)s->k + (size_t)at[3];
    return true;
}

static size_t output_place(const dcnn_conv *s, const int at[4]) {
    return (((size_t)at[0] * (size_t)s->oh + (size_t)at[1]) * (size_t)s->ow + (size_t)at[2]) * (size_t)s->k +
           (size_t)at[3];
}

#define EACH_OUTPUT(s, at)                                                                                             \
    for ((at)[0] = 0; (at)[0] < (s)->n; (at)[0]++)                                                                     \
        for ((at)[1] = 0; (at)[1] < (s)->oh; (at)[1]++)                                                                \
            for ((at)[2] = 0; (at)[2] < (s)->ow; (at)[2]++)                                                            \
                for ((at)[3] = 0; (at)[3] < (s)->k; (at)[3]++)

#define EACH_CELL(s, a, b, c)                                                                                          \
    for (int a = 0; a < (s)->r; a++)                                                                                   \
        for (int b = 0; b < (s)->s; b++)                                                                               \
            for (int c = 0; c < (s)->c / (s)->groups; c++)

static void general_forward(const dcnn_conv *s, const float *x, const float *w, const float *bias, float *y) {
    int at[4];
    EACH_OUTPUT(s, at) {
        double sum = bias ? (double)bias[at[3]] : 0.0;
        size_t in, cell;
        EACH_CELL(s, a, b, c) {
            if (places(s, at, a, b, c, &in, &cell)) sum += (double)x[in] * (double)w[cell];
        }
        y[output_place(s, at)] = (float)sum;
    }
}

static void general_backward_input(const dcnn_conv *s, const float *dy, const float *w, float *dx) {
    const size_t count = (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->c;
    int at[4];
    size_t in, cell;
    for (size_t i = 0; i < count; i++) dx[i] = 0.0f;
    EACH_OUTPUT(s, at) {
        EACH_CELL(s, a, b, c) {
            if (places(s, at, a, b, c, &in, &cell)) dx[in] += dy[output_place(s, at)] * w[cell];
        }
    }
}

static void general_backward_filter(const dcnn_conv *s, const float *x, const float *dy, float *dw) {
    const size_t count = (size_t)(s->r * s->s) * (size_t)(s->c / s->groups) * (size_t)s->k;
    int at[4];
    size_t in, cell;
    for (size_t i = 0; i < count; i++) dw[i] = 0.0f;
    EACH_OUTPUT(s, at) {
        EACH_CELL(s, a, b, c) {
            if (places(s, at, a, b, c, &in, &cell)) dw[cell] += x[in] * dy[output_place(s, at)];
        }
    }
}

void dcnn_register_reference_conv_general(dcnn_kernels *table) {
    table->general_forward = general_forward;
    table->general_backward_input = general_backward_input;
    table->general_backward_filter = general_backward_filter;
}
