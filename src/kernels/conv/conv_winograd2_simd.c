/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_winograd2_simd.c — F(2x2,3x3), for maps of 2x2: the points are 0, 1, -1 and infinity. */
#include "kernels/conv/conv_winograd_simd.h"

enum { TILE = 2, EDGE = 4 };

/* G g: a filter's line at the four points, halved at 1 and -1: what would else stand as fractions in transform_line().
 */
static inline void evaluate_line(const simd_float g[3], simd_float u[EDGE]) {
    const simd_float even = g[0] + g[2], odd = 0.5F * g[1];
    u[0] = g[0];
    u[1] = simd_scaled_sum(0.5F, even, odd);
    u[2] = simd_scaled_sum(0.5F, even, -odd);
    u[3] = g[2];
}

/* B^T d. */
static inline void transform_line(const simd_float d[EDGE], simd_float v[EDGE]) {
    v[0] = d[0] - d[2];
    v[1] = d[2] + d[1];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
}

/* B v: the adjoint of transform_line(). */
static inline void collect_line(const simd_float v[EDGE], simd_float d[EDGE]) {
    d[0] = v[0];
    d[1] = (v[1] - v[2]) - v[3];
    d[2] = (v[1] + v[2]) - v[0];
    d[3] = v[3];
}

/* A^T m: row i has the points' i-th powers. */
static inline void interpolate_line(const simd_float m[EDGE], simd_float y[TILE]) {
    y[0] = m[0] + (m[1] + m[2]);
    y[1] = (m[1] - m[2]) + m[3];
}

/* A y: the adjoint of interpolate_line(). */
static inline void spread_line(const simd_float y[TILE], simd_float m[EDGE]) {
    m[0] = y[0];
    m[1] = y[0] + y[1];
    m[2] = y[0] - y[1];
    m[3] = y[1];
}

/* G^T s: the adjoint of evaluate_line(). */
static inline void gather_line(const simd_float s[EDGE], simd_float g[3]) {
    const simd_float even = s[1] + s[2];
    g[0] = simd_scaled_sum(0.5F, even, s[0]);
    g[1] = 0.5F * (s[1] - s[2]);
    g[2] = simd_scaled_sum(0.5F, even, s[3]);
}

#define WINOGRAD_TILES DCNN_SIMD_NAME(dcnn_winograd2)
#include "kernels/conv/conv_winograd_body.h"
