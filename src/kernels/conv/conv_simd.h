/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file conv_simd.h — the two ways of the general convolutions, between which conv_simd.c chooses by shape: Winograd
 * (3x3, stride 1, and at inference 2) and direct (any shape). Each has the kernels of the table, with packed weights of
 * its own.
 */
#ifndef DCNN_KERNELS_CONV_SIMD_H
#define DCNN_KERNELS_CONV_SIMD_H

#include "kernels/conv/product_simd.h"
#include "kernels/kernels.h"

/** A 3x3 convolution with stride 1? */
static inline bool winograd_fits(const dcnn_conv *shape) {
    return shape->r == 3 && shape->s == 3 && shape->stride_h == 1 && shape->stride_w == 1;
}

/** One with stride 2 at inference? */
static inline bool winograd_strides(const dcnn_conv *shape) {
    return shape->inference && shape->r == 3 && shape->s == 3 && shape->stride_h == 2 && shape->stride_w == 2;
}

#define DCNN_CONV_WAY(way)                                                                                             \
    size_t DCNN_SIMD_NAME(dcnn_conv_##way##_scratch)(const dcnn_conv *shape);                                          \
    size_t DCNN_SIMD_NAME(dcnn_conv_##way##_packed)(const dcnn_conv *shape);                                           \
    void DCNN_SIMD_NAME(dcnn_conv_##way##_pack)(const dcnn_conv *shape, const float *w, float *packed, int part,       \
                                                int parts);                                                            \
    void DCNN_SIMD_NAME(dcnn_conv_##way##_forward)(const dcnn_conv *shape, const float *x, const float *packed,        \
                                                   const float *bias, dcnn_fused fused, float *y, float *scratch);     \
    void DCNN_SIMD_NAME(dcnn_conv_##way##_backward_input)(const dcnn_conv *shape, const float *dy,                     \
                                                          const float *packed, float *dx, float *scratch);             \
    void DCNN_SIMD_NAME(dcnn_conv_##way##_backward_filter)(const dcnn_conv *shape, const float *x, const float *dy,    \
                                                           float *dw, float *scratch);
DCNN_CONV_WAY(winograd)
DCNN_CONV_WAY(direct)

/** Forward of one channel with few filters (conv_pairs_simd.c), a way that conv_direct_simd.c takes: what all lines
 * have in common. */
typedef struct conv_pairs {
    size_t rows, columns, pitch, k; /**< of the filter; floats from row to row of the image; filters */
    const float *packed;
    bool relu;
    float start[V];    /**< no vectors: AddressSanitizer's stack would not be aligned for them */
    int32_t places[V]; /**< of a pair's outputs, in the order in which they are stored */
} conv_pairs;

bool DCNN_SIMD_NAME(dcnn_conv_pairs_fits)(const dcnn_conv *shape);

/** One tap's weights to packed [tap][V]. */
void DCNN_SIMD_NAME(dcnn_conv_pairs_pack)(const dcnn_conv *shape, const float *w, float *packed, size_t tap);
conv_pairs DCNN_SIMD_NAME(dcnn_conv_pairs_plan)(const dcnn_conv *shape, size_t pitch, const float *packed,
                                                const float *bias, bool relu);

/** A line of outputs (2 at least); `source` is what the filter's corner sees for the first. */
void DCNN_SIMD_NAME(dcnn_conv_pairs_line)(const conv_pairs *p, size_t outputs, const float *source, float *out);

#endif
