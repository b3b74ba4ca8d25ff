/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_winograd_strided_simd.c — 3x3 convolutions with stride 2 at inference. Along a line of outputs the filter's
 * first and third tap see the even cells, as a convolution with two taps and stride 1 does: F(4,2), of which four
 * outputs take five products. The middle tap sees the odd cells, one product an output. So a tile of 9x9 cells becomes
 * 81 elements, of which 16 outputs are made, instead of 144 products: errors of 4e-7 of the results' rms, as of
 * F(3x3,3x3), which has the same points. In training it would change the bits of the direct convolution. */
#include "kernels/conv/conv_winograd3_simd.h"

enum { TILE = 4, EDGE = 9, STRIDE = 2, EVEN = 5, U_EDGE = EVEN + 1 };

/* The outer taps at the five points, times AT_NEAR or AT_FAR as in F(3,3), and the middle one. */
static inline void evaluate_line(const simd_float g[3], simd_float u[U_EDGE]) {
    const simd_float near = AT_NEAR * g[0], far = AT_FAR * g[0];
    u[0] = simd_scaled_sum(AT_NEAR * NEAR, g[2], near);
    u[1] = simd_scaled_sum(AT_NEAR * NEAR, g[2], -near);
    u[2] = simd_scaled_sum(AT_FAR * FAR, g[2], far);
    u[3] = simd_scaled_sum(AT_FAR * FAR, g[2], -far);
    u[4] = g[2];
    u[5] = g[1];
}

/* The even cells at the points, then the odd ones. */
static inline void transform_line(const simd_float d[EDGE], simd_float v[EDGE]) {
    const simd_float even[EVEN] = {d[0], d[2], d[4], d[6], d[8]};
    transform_at_points(even, v);
    for (size_t i = 0; i < TILE; i++) v[EVEN + i] = d[2 * i + 1];
}

/* Powers of the points, to which the odd cells' products are added. */
static inline void interpolate_line(const simd_float m[EDGE], simd_float y[TILE]) {
    const simd_float near_sum = m[0] + m[1], near_difference = NEAR * (m[0] - m[1]);
    const simd_float far_sum = m[2] + m[3], far_difference = FAR * (m[2] - m[3]);
    y[0] = near_sum + (far_sum + m[5]);
    y[1] = near_difference + (far_difference + m[6]);
    y[2] = simd_scaled_sum(NEAR2, near_sum, simd_scaled_sum(FAR2, far_sum, m[7]));
    y[3] = simd_scaled_sum(NEAR2, near_difference, simd_scaled_sum(FAR2, far_difference, m[4] + m[8]));
}

#include "kernels/conv/conv_winograd_forward.h"

const winograd_tiles DCNN_SIMD_NAME(dcnn_winograd_strided) = {
    .tile = TILE, .edge = EDGE, .packed = u_floats, .pack = pack, .scratch = scheme_scratch, .convolve = convolve};
