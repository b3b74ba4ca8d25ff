/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_simd.c — the general convolutions: which way a shape goes. */
#include "kernels/conv/conv_winograd_simd.h"
#include "kernels/register.h"

/* Winograd's tiles must save three tenths of the multiplications at least: at the edges they are part-empty. */
static bool by_winograd(const dcnn_conv *shape) {
    if (!winograd_fits(shape) && !winograd_strides(shape)) return false;
    return shape->c >= 16 && shape->k >= 16 &&
           10 * DCNN_SIMD_NAME(dcnn_conv_winograd_products)(shape) <= 63 * (size_t)(shape->oh * shape->ow);
}

#define DCNN_CHOOSE(shape, kernel)                                                                                     \
    (by_winograd(shape) ? DCNN_SIMD_NAME(dcnn_conv_winograd_##kernel) : DCNN_SIMD_NAME(dcnn_conv_direct_##kernel))

size_t DCNN_SIMD_NAME(dcnn_conv_scratch)(const dcnn_conv *shape) {
    return DCNN_CHOOSE(shape, scratch)(shape);
}

size_t DCNN_SIMD_NAME(dcnn_conv_forward_packed)(const dcnn_conv *shape) {
    return by_winograd(shape) ? DCNN_SIMD_NAME(dcnn_conv_winograd_forward_packed)(shape)
                              : DCNN_SIMD_NAME(dcnn_conv_direct_packed)(shape);
}

void DCNN_SIMD_NAME(dcnn_conv_forward_pack)(const dcnn_conv *shape, const float *w, float *packed, int part,
                                            int parts) {
    (by_winograd(shape) ? DCNN_SIMD_NAME(dcnn_conv_winograd_forward_pack)
                        : DCNN_SIMD_NAME(dcnn_conv_direct_pack))(shape, w, packed, part, parts);
}

void DCNN_SIMD_NAME(dcnn_conv_forward)(const dcnn_conv *shape, const float *x, const float *packed, const float *bias,
                                       float *y, float *scratch) {
    DCNN_CHOOSE(shape, forward)(shape, x, packed, bias, DCNN_FUSED_NONE, y, scratch);
}

size_t DCNN_SIMD_NAME(dcnn_conv_packed)(const dcnn_conv *shape) {
    return DCNN_CHOOSE(shape, packed)(shape);
}

void DCNN_SIMD_NAME(dcnn_conv_pack)(const dcnn_conv *shape, const float *w, float *packed, int part, int parts) {
    DCNN_CHOOSE(shape, pack)(shape, w, packed, part, parts);
}

static void conv_forward(const dcnn_conv *shape, const float *x, const float *packed, const float *bias,
                         dcnn_fused fused, float *y, float *scratch) {
    DCNN_CHOOSE(shape, forward)(shape, x, packed, bias, fused, y, scratch);
}

static void conv_backward_input(const dcnn_conv *shape, const float *dy, const float *packed, float *dx,
                                float *scratch) {
    DCNN_CHOOSE(shape, backward_input)(shape, dy, packed, dx, scratch);
}

static void conv_backward_filter(const dcnn_conv *shape, const float *x, const float *dy, float *dw, float *dbias,
                                 float *scratch) {
    DCNN_CHOOSE(shape, backward_filter)(shape, x, dy, dw, scratch);
    const size_t positions = (size_t)shape->n * (size_t)shape->oh * (size_t)shape->ow;
    if (dbias != NULL) DCNN_SIMD_NAME(dcnn_column_sums)(positions, shape->k, dy, dbias);
}

void DCNN_SIMD_NAME(dcnn_conv_backward)(const dcnn_conv *shape, const float *x, const float *packed, const float *dy,
                                        float *dx, float *dw, float *dbias, float *scratch) {
    if (dw != NULL) conv_backward_filter(shape, x, dy, dw, dbias, scratch);
    if (dx != NULL) conv_backward_input(shape, dy, packed, dx, scratch);
}

void DCNN_SIMD_NAME(dcnn_register_conv)(dcnn_kernels *table) {
    table->conv_scratch = DCNN_SIMD_NAME(dcnn_conv_scratch);
    table->conv_packed = DCNN_SIMD_NAME(dcnn_conv_packed);
    table->conv_pack = DCNN_SIMD_NAME(dcnn_conv_pack);
    table->conv_forward = conv_forward;
    table->conv_backward_input = conv_backward_input;
    table->conv_backward_filter = conv_backward_filter;
    table->conv_backward = DCNN_SIMD_NAME(dcnn_conv_backward);
}
