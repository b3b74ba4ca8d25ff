/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_general_simd.c — convolutions with dilation and groups: plain loops whose innermost runs over neighbouring
 * channels, for the compiler to make vectors of. Depthwise ones mostly are conv_depthwise_simd.c's. */
#include <string.h>

#include "kernels/conv/conv_depthwise_simd.h"
#include "kernels/register.h"

/* y += x * w over channels of one position and one filter cell; a depthwise convolution is one multiply-add a lane. */
static inline void add_cell(const dcnn_conv *s, const float *restrict x, const float *restrict w, float *restrict y) {
    const int inner = s->c / s->groups, outer = s->k / s->groups;
    if (inner == 1 && outer == 1) {
        for (int c = 0; c < s->c; c++) y[c] = __builtin_fmaf(x[c], w[c], y[c]);
        return;
    }
    for (int c = 0; c < s->c; c++) {
        const int group = c / inner;
        const float value = x[c], *row = w + (size_t)(c % inner) * (size_t)s->k + group * outer;
        float *out = y + group * outer;
        for (int k = 0; k < outer; k++) out[k] = __builtin_fmaf(value, row[k], out[k]);
    }
}

/* dx += w dy likewise. */
static inline void add_cell_back(const dcnn_conv *s, const float *restrict dy, const float *restrict w,
                                 float *restrict dx) {
    const int inner = s->c / s->groups, outer = s->k / s->groups;
    if (inner == 1 && outer == 1) {
        for (int c = 0; c < s->c; c++) dx[c] = __builtin_fmaf(dy[c], w[c], dx[c]);
        return;
    }
    for (int c = 0; c < s->c; c++) {
        const int group = c / inner;
        const float *row = w + (size_t)(c % inner) * (size_t)s->k + group * outer, *in = dy + group * outer;
        float sum = 0.0f;
        for (int k = 0; k < outer; k++) sum = __builtin_fmaf(in[k], row[k], sum);
        dx[c] += sum;
    }
}

/* dw += x dy likewise. */
static inline void add_cell_filter(const dcnn_conv *s, const float *restrict x, const float *restrict dy,
                                   float *restrict dw) {
    const int inner = s->c / s->groups, outer = s->k / s->groups;
    if (inner == 1 && outer == 1) {
        for (int c = 0; c < s->c; c++) dw[c] = __builtin_fmaf(x[c], dy[c], dw[c]);
        return;
    }
    for (int c = 0; c < s->c; c++) {
        const int group = c / inner;
        const float value = x[c], *in = dy + group * outer;
        float *row = dw + (size_t)(c % inner) * (size_t)s->k + group * outer;
        for (int k = 0; k < outer; k++) row[k] = __builtin_fmaf(value, in[k], row[k]);
    }
}

/* Places of one output position's filter cells, for all samples and positions. */
#define EACH_CELL(s, BODY)                                                                                             \
    for (int n = 0; n < (s)->n; n++)                                                                                   \
        for (int i = 0; i < (s)->oh; i++)                                                                              \
            for (int j = 0; j < (s)->ow; j++) {                                                                        \
                const size_t out =                                                                                     \
                    (((size_t)n * (size_t)(s)->oh + (size_t)i) * (size_t)(s)->ow + (size_t)j) * (size_t)(s)->k;        \
                for (int a = 0; a < (s)->r; a++) {                                                                     \
                    const int row = i * (s)->stride_h - (s)->pad_h + a * (s)->dilation_h;                              \
                    if (row < 0 || row >= (s)->h) continue;                                                            \
                    for (int b = 0; b < (s)->s; b++) {                                                                 \
                        const int column = j * (s)->stride_w - (s)->pad_w + b * (s)->dilation_w;                       \
                        if (column < 0 || column >= (s)->w) continue;                                                  \
                        const size_t in =                                                                              \
                            (((size_t)n * (size_t)(s)->h + (size_t)row) * (size_t)(s)->w + (size_t)column) *           \
                            (size_t)(s)->c;                                                                            \
                        const size_t at = (size_t)(a * (s)->s + b) * (size_t)((s)->c / (s)->groups) * (size_t)(s)->k;  \
                        BODY;                                                                                          \
                    }                                                                                                  \
                }                                                                                                      \
            }

static void general_forward(const dcnn_conv *s, const float *x, const float *w, const float *bias, float *y) {
    if (DCNN_SIMD_NAME(dcnn_depthwise_fits)(s)) {
        DCNN_SIMD_NAME(dcnn_depthwise_forward)(s, x, w, bias, y);
        return;
    }
    const size_t positions = (size_t)s->n * (size_t)s->oh * (size_t)s->ow, k = (size_t)s->k;
    for (size_t p = 0; p < positions; p++)
        if (bias)
            memcpy(y + p * k, bias, k * sizeof *y);
        else
            memset(y + p * k, 0, k * sizeof *y);
    EACH_CELL(s, add_cell(s, x + in, w + at, y + out))
}

static void general_backward_input(const dcnn_conv *s, const float *dy, const float *w, float *dx) {
    if (DCNN_SIMD_NAME(dcnn_depthwise_fits)(s)) {
        DCNN_SIMD_NAME(dcnn_depthwise_backward_input)(s, dy, w, dx);
        return;
    }
    memset(dx, 0, (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->c * sizeof *dx);
    EACH_CELL(s, add_cell_back(s, dy + out, w + at, dx + in))
}

static void general_backward_filter(const dcnn_conv *s, const float *x, const float *dy, float *dw) {
    if (DCNN_SIMD_NAME(dcnn_depthwise_fits)(s)) {
        DCNN_SIMD_NAME(dcnn_depthwise_backward_filter)(s, x, dy, dw);
        return;
    }
    memset(dw, 0, (size_t)(s->r * s->s) * (size_t)(s->c / s->groups) * (size_t)s->k * sizeof *dw);
    EACH_CELL(s, add_cell_filter(s, x + in, dy + out, dw + at))
}

void DCNN_SIMD_NAME(dcnn_register_conv_general)(dcnn_kernels *table) {
    table->general_forward = general_forward;
    table->general_backward_input = general_backward_input;
    table->general_backward_filter = general_backward_filter;
}
