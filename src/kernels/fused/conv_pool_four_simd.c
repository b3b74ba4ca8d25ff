/* SPDX-License-Identifier: BSD-3-Clause */
/* Convolution 3x3 + bias + ReLU + pooling 2x2 at inference by Winograd F(4x4,3x3), of which a tile holds two windows by
 * two: the general convolution's tiles (conv_winograd_body.h), pooled where they are transformed back. In training it
 * would change the bits of F(5x5,3x3) and F(2x2,3x3). */
#include "kernels/conv/conv_winograd_simd.h"

static const winograd_tiles *tiles_of(void) {
    return &DCNN_SIMD_NAME(dcnn_winograd4);
}

/* What of the convolution pooling reads. */
static scheme scheme_of(const dcnn_conv *shape) {
    dcnn_conv read = *shape;
    read.oh = shape->oh / 2 * 2;
    read.ow = shape->ow / 2 * 2;
    scheme s = DCNN_SIMD_NAME(dcnn_winograd_forward_scheme)(tiles_of(), &read);
    s.rows = least(s.rows, s.oh + 2 - (size_t)shape->pad_h);
    s.columns = least(s.columns, s.ow + 2 - (size_t)shape->pad_w);
    return s;
}

size_t DCNN_SIMD_NAME(dcnn_conv_pool_four_scratch)(const dcnn_conv *shape) {
    const scheme s = scheme_of(shape);
    return tiles_of()->scratch(&s);
}

size_t DCNN_SIMD_NAME(dcnn_conv_pool_four_packed)(const dcnn_conv *shape) {
    return tiles_of()->packed((size_t)shape->c, (size_t)shape->k);
}

void DCNN_SIMD_NAME(dcnn_conv_pool_four_pack)(const dcnn_conv *shape, const float *w, float *packed, int part,
                                              int parts) {
    tiles_of()->pack((size_t)shape->c, (size_t)shape->k, w, packed, (size_t)part, (size_t)parts);
}

void DCNN_SIMD_NAME(dcnn_conv_pool_four_forward)(const dcnn_conv *shape, const conv_pool_plan *plan, const float *x,
                                                 const float *in_scale, const float *in_shift, const float *packed,
                                                 const float *bias, float *y, float *scratch) {
    const scheme s = scheme_of(shape);
    const convolution task = {
        .x = x, .in_scale = in_scale, .in_shift = in_shift, .u = packed, .bias = bias, .pool = plan, .y = y};
    tiles_of()->convolve(&s, &task, scratch);
}
