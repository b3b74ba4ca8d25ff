/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_winograd4_simd.c — F(4x4,3x3). The points are 0, 5/8, -5/8, 3/2, -3/2 and infinity: errors of 8e-7 of the
 * results' rms, three times those of F(2x2,3x3), with 36 products for 16 outputs instead of 64. With the usual points
 * 0, 1, -1, 2, -2 they are twice as large. */
#include "kernels/conv/conv_winograd_simd.h"

enum { TILE = 4, EDGE = 6 };

/* The points' distances from 0 and their squares. */
#define NEAR  0.625F
#define FAR   1.5F
#define NEAR2 (NEAR * NEAR)
#define FAR2  (FAR * FAR)

/* G g: a filter's line at the six points, each divided by the product of that point's distances to the other finite
 * ones: what would else stand as fractions in transform_line(). */
static inline void evaluate_line(const simd_float g[3], simd_float u[EDGE]) {
    const float at_zero = 1 / (NEAR2 * FAR2), at_near = 1 / (2 * NEAR2 * (NEAR2 - FAR2)),
                at_far = 1 / (2 * FAR2 * (FAR2 - NEAR2));
    const simd_float near_even = simd_scaled_sum(NEAR2, g[2], g[0]), near_odd = at_near * NEAR * g[1];
    const simd_float far_even = simd_scaled_sum(FAR2, g[2], g[0]), far_odd = at_far * FAR * g[1];
    u[0] = at_zero * g[0];
    u[1] = simd_scaled_sum(at_near, near_even, near_odd);
    u[2] = simd_scaled_sum(at_near, near_even, -near_odd);
    u[3] = simd_scaled_sum(at_far, far_even, far_odd);
    u[4] = simd_scaled_sum(at_far, far_even, -far_odd);
    u[5] = g[2];
}

/* B^T d. With P = x (x^2 - NEAR2) (x^2 - FAR2), row i has the coefficients of P / (x - point i), and the last those of
 * P. */
static inline void transform_line(const simd_float d[EDGE], simd_float v[EDGE]) {
    const simd_float near_even = simd_scaled_sum(-FAR2, d[2], d[4]), near_odd = simd_scaled_sum(-FAR2, d[1], d[3]);
    const simd_float far_even = simd_scaled_sum(-NEAR2, d[2], d[4]), far_odd = simd_scaled_sum(-NEAR2, d[1], d[3]);
    v[0] = simd_scaled_sum(NEAR2 * FAR2, d[0], simd_scaled_sum(-(NEAR2 + FAR2), d[2], d[4]));
    v[1] = simd_scaled_sum(NEAR, near_odd, near_even);
    v[2] = simd_scaled_sum(-NEAR, near_odd, near_even);
    v[3] = simd_scaled_sum(FAR, far_odd, far_even);
    v[4] = simd_scaled_sum(-FAR, far_odd, far_even);
    v[5] = simd_scaled_sum(NEAR2 * FAR2, d[1], simd_scaled_sum(-(NEAR2 + FAR2), d[3], d[5]));
}

/* B v: the adjoint of transform_line(). */
static inline void collect_line(const simd_float v[EDGE], simd_float d[EDGE]) {
    const simd_float near_sum = v[1] + v[2], near_difference = NEAR * (v[1] - v[2]);
    const simd_float far_sum = v[3] + v[4], far_difference = FAR * (v[3] - v[4]);
    d[0] = NEAR2 * FAR2 * v[0];
    d[1] = simd_scaled_sum(NEAR2 * FAR2, v[5], -simd_scaled_sum(FAR2, near_difference, NEAR2 * far_difference));
    d[2] = simd_scaled_sum(-(NEAR2 + FAR2), v[0], -simd_scaled_sum(FAR2, near_sum, NEAR2 * far_sum));
    d[3] = simd_scaled_sum(-(NEAR2 + FAR2), v[5], near_difference + far_difference);
    d[4] = v[0] + (near_sum + far_sum);
    d[5] = v[5];
}

/* A^T m: row i has the points' i-th powers. */
static inline void interpolate_line(const simd_float m[EDGE], simd_float y[TILE]) {
    const simd_float near_sum = m[1] + m[2], near_difference = NEAR * (m[1] - m[2]);
    const simd_float far_sum = m[3] + m[4], far_difference = FAR * (m[3] - m[4]);
    y[0] = m[0] + (near_sum + far_sum);
    y[1] = near_difference + far_difference;
    y[2] = simd_scaled_sum(NEAR2, near_sum, FAR2 * far_sum);
    y[3] = simd_scaled_sum(FAR2, far_difference, simd_scaled_sum(NEAR2, near_difference, m[5]));
}

/* A y. */
static inline void spread_line(const simd_float y[TILE], simd_float m[EDGE]) {
    const simd_float near_even = simd_scaled_sum(NEAR2, y[2], y[0]), near_odd = simd_scaled_sum(NEAR2, y[3], y[1]);
    const simd_float far_even = simd_scaled_sum(FAR2, y[2], y[0]), far_odd = simd_scaled_sum(FAR2, y[3], y[1]);
    m[0] = y[0];
    m[1] = simd_scaled_sum(NEAR, near_odd, near_even);
    m[2] = simd_scaled_sum(-NEAR, near_odd, near_even);
    m[3] = simd_scaled_sum(FAR, far_odd, far_even);
    m[4] = simd_scaled_sum(-FAR, far_odd, far_even);
    m[5] = y[3];
}

/* G^T s: the adjoint of evaluate_line(). */
static inline void gather_line(const simd_float s[EDGE], simd_float g[3]) {
    const float at_zero = 1 / (NEAR2 * FAR2), at_near = 1 / (2 * NEAR2 * (NEAR2 - FAR2)),
                at_far = 1 / (2 * FAR2 * (FAR2 - NEAR2));
    const simd_float near_sum = at_near * (s[1] + s[2]), far_sum = at_far * (s[3] + s[4]);
    g[0] = simd_scaled_sum(at_zero, s[0], near_sum + far_sum);
    g[1] = simd_scaled_sum(at_near * NEAR, s[1] - s[2], at_far * FAR * (s[3] - s[4]));
    g[2] = s[5] + simd_scaled_sum(NEAR2, near_sum, FAR2 * far_sum);
}

#define WINOGRAD_TILES DCNN_SIMD_NAME(dcnn_winograd4)
#include "kernels/conv/conv_winograd_body.h"
