/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_winograd3_simd.c — F(3x3,3x3), for small maps: 3x3 outputs are one tile of 25 products, where F(4x4,3x3)
 * takes 36. The points are 3/8, -3/8, 5/4, -5/4 and infinity: errors of 4e-7 of the results' rms, half of those with
 * the usual points 0, 1, -1, 1/2. */
#include "kernels/conv/conv_winograd3_simd.h"

enum { TILE = 3, EDGE = 5 };

/* G g: a filter's line at the five points, times AT_NEAR or AT_FAR: what would else stand as fractions in
 * transform_line(). */
static inline void evaluate_line(const simd_float g[3], simd_float u[EDGE]) {
    const simd_float near_even = AT_NEAR * simd_scaled_sum(NEAR2, g[2], g[0]);
    const simd_float far_even = AT_FAR * simd_scaled_sum(FAR2, g[2], g[0]);
    u[0] = simd_scaled_sum(AT_NEAR * NEAR, g[1], near_even);
    u[1] = simd_scaled_sum(AT_NEAR * NEAR, g[1], -near_even);
    u[2] = simd_scaled_sum(AT_FAR * FAR, g[1], far_even);
    u[3] = simd_scaled_sum(AT_FAR * FAR, g[1], -far_even);
    u[4] = g[2];
}

/* B^T d. */
static inline void transform_line(const simd_float d[EDGE], simd_float v[EDGE]) {
    transform_at_points(d, v);
}

/* B v: the adjoint of transform_line(). */
static inline void collect_line(const simd_float v[EDGE], simd_float d[EDGE]) {
    const simd_float near_sum = v[0] + v[1], near_difference = v[0] - v[1];
    const simd_float far_sum = v[2] + v[3], far_difference = v[2] - v[3];
    const simd_float ends = simd_scaled_sum(-NEAR2 * FAR, far_difference, NEAR2 * FAR2 * v[4]);
    const simd_float middle = simd_scaled_sum(FAR, far_difference, -(NEAR2 + FAR2) * v[4]);
    d[0] = simd_scaled_sum(-FAR2 * NEAR, near_difference, ends);
    d[1] = simd_scaled_sum(-FAR2, near_sum, -NEAR2 * far_sum);
    d[2] = simd_scaled_sum(NEAR, near_difference, middle);
    d[3] = near_sum + far_sum;
    d[4] = v[4];
}

/* A^T m: row i has the points' i-th powers. */
static inline void interpolate_line(const simd_float m[EDGE], simd_float y[TILE]) {
    const simd_float near_sum = m[0] + m[1], far_sum = m[2] + m[3];
    y[0] = near_sum + far_sum;
    y[1] = simd_scaled_sum(NEAR, m[0] - m[1], FAR * (m[2] - m[3]));
    y[2] = simd_scaled_sum(FAR2, far_sum, simd_scaled_sum(NEAR2, near_sum, m[4]));
}

/* A y. */
static inline void spread_line(const simd_float y[TILE], simd_float m[EDGE]) {
    const simd_float near_even = simd_scaled_sum(NEAR2, y[2], y[0]), far_even = simd_scaled_sum(FAR2, y[2], y[0]);
    m[0] = simd_scaled_sum(NEAR, y[1], near_even);
    m[1] = simd_scaled_sum(-NEAR, y[1], near_even);
    m[2] = simd_scaled_sum(FAR, y[1], far_even);
    m[3] = simd_scaled_sum(-FAR, y[1], far_even);
    m[4] = y[2];
}

/* G^T s: the adjoint of evaluate_line(). */
static inline void gather_line(const simd_float s[EDGE], simd_float g[3]) {
    const simd_float near = s[0] - s[1], far = s[2] - s[3];
    g[0] = simd_scaled_sum(AT_NEAR, near, AT_FAR * far);
    g[1] = simd_scaled_sum(AT_NEAR * NEAR, s[0] + s[1], AT_FAR * FAR * (s[2] + s[3]));
    g[2] = simd_scaled_sum(AT_NEAR * NEAR2, near, simd_scaled_sum(AT_FAR * FAR2, far, s[4]));
}

#define WINOGRAD_TILES DCNN_SIMD_NAME(dcnn_winograd3)
#include "kernels/conv/conv_winograd_body.h"
