/* SPDX-License-Identifier: BSD-3-Clause */
/* Backward of Convolution 3x3 + ReLU + AveragePooling 2x2: every open cell of a window has a quarter of its gradient.
 *
 * Half of all cells are open, so lists of them (conv_pool_backward_simd.c) would save nothing: the gradient of the
 * convolution's outputs is made, of as many as pooling reads, and the general convolutions do the rest. A first layer's
 * filters do without it (conv_pool_first_simd.c). */
#include "kernels/conv/conv_winograd_simd.h"
#include "kernels/fused/conv_pool_simd.h"
#include "kernels/register.h"

/* The convolution of what pooling reads alone. */
static dcnn_conv read_outputs(const dcnn_conv *shape) {
    dcnn_conv read = *shape;
    read.mean = false;
    read.oh = shape->oh / 2 * 2;
    read.ow = shape->ow / 2 * 2;
    return read;
}

static size_t input_floats(const dcnn_conv *shape) {
    return whole_lines((size_t)shape->n * (size_t)shape->h * (size_t)shape->w * (size_t)shape->c);
}

static size_t output_floats(const dcnn_conv *read) {
    return whole_lines((size_t)read->n * (size_t)read->oh * (size_t)read->ow * (size_t)read->k);
}

size_t DCNN_SIMD_NAME(dcnn_conv_mean_backward_scratch)(const dcnn_conv *shape) {
    const dcnn_conv read = read_outputs(shape);
    const size_t general = input_floats(shape) + output_floats(&read) + DCNN_SIMD_NAME(dcnn_conv_scratch)(&read);
    const size_t first = DCNN_SIMD_NAME(dcnn_conv_pool_first_scratch)(shape);
    return first > general ? first : general;
}

size_t DCNN_SIMD_NAME(dcnn_conv_mean_backward_packed)(const dcnn_conv *shape) {
    const dcnn_conv read = read_outputs(shape);
    return DCNN_SIMD_NAME(dcnn_conv_packed)(&read);
}

void DCNN_SIMD_NAME(dcnn_conv_mean_backward_pack)(const dcnn_conv *shape, const float *w, float *packed, int part,
                                                  int parts) {
    const dcnn_conv read = read_outputs(shape);
    DCNN_SIMD_NAME(dcnn_conv_pack)(&read, w, packed, part, parts);
}

/* The gradient of the outputs that pooling reads, [N,2*PH,2*PW,K], from dy [N,PH,PW,K] and the codes. */
static void unpool(const conv_pool_plan *plan, size_t images, const uint8_t *codes, const float *dy, float *outputs) {
    const size_t rows = images * (plan->windows / plan->window_columns), line = 2 * plan->window_columns * plan->k;
    for (size_t row = 0; row < rows; row++, outputs += 2 * line) {
        for (size_t column = 0; column < plan->window_columns; column++, codes += plan->k, dy += plan->k) {
            for (size_t vector = 0; vector < plan->k_vectors; vector++) {
                const size_t at = vector * V, lanes = lanes_of(plan->k, vector);
                const simd_float gradient = simd_take(dy + at, lanes);
                const simd_int code = simd_take_bytes(codes + at, lanes, 0);
                float *to = outputs + 2 * column * plan->k + at;
#pragma GCC unroll 4
                for (int i = 0; i < 4; i++) {
                    simd_put(to + (size_t)(i / 2) * line + (size_t)(i % 2) * plan->k, lanes,
                             part_of_mean(gradient, code, i));
                }
            }
        }
    }
}

void DCNN_SIMD_NAME(dcnn_conv_mean_backward)(const dcnn_conv *shape, const float *x, const float *in_scale,
                                             const float *in_shift, const float *packed, const uint8_t *codes,
                                             const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    const dcnn_conv read = read_outputs(shape);
    const conv_pool_plan plan = plan_of(shape);
    const size_t cells = (size_t)shape->n * (size_t)shape->h * (size_t)shape->w;
    float *seen = scratch, *outputs = seen + input_floats(shape), *rest = outputs + output_floats(&read);
    if (plan.c == 1) {
        DCNN_SIMD_NAME(dcnn_conv_pool_first_filter)(shape, x, in_scale, in_shift, codes, dy, dw, dbias, scratch);
        if (dx == NULL) return;
        dw = dbias = NULL;
    }
    unpool(&plan, (size_t)shape->n, codes, dy, outputs);
    if (in_scale != NULL && dw != NULL) DCNN_SIMD_NAME(dcnn_affine)(cells, shape->c, x, in_scale, in_shift, seen);
    DCNN_SIMD_NAME(dcnn_conv_backward)
    (&read, in_scale != NULL ? seen : x, packed, outputs, dx, dw, dbias, rest);
}
