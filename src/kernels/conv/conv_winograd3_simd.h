/* SPDX-License-Identifier: BSD-3-Clause */
/** @file conv_winograd3_simd.h — the points 3/8, -3/8, 5/4, -5/4 and infinity, at which F(3,3) and F(4,2) take their
 * polynomials. */
#ifndef DCNN_KERNELS_CONV_WINOGRAD3_SIMD_H
#define DCNN_KERNELS_CONV_WINOGRAD3_SIMD_H

#include "kernels/conv/conv_winograd_simd.h"

/* The points' distances from 0 and their squares. */
#define NEAR  0.375F
#define FAR   1.25F
#define NEAR2 (NEAR * NEAR)
#define FAR2  (FAR * FAR)

/* One over the product of a point's distances to the other finite ones. */
#define AT_NEAR (1 / (2 * NEAR * (NEAR2 - FAR2)))
#define AT_FAR  (1 / (2 * FAR * (FAR2 - NEAR2)))

/* B^T d. With P = (x^2 - NEAR2) (x^2 - FAR2), row i has the coefficients of P / (x - point i), and the last those of P.
 */
static inline void transform_at_points(const simd_float d[5], simd_float v[5]) {
    const simd_float near_odd = simd_scaled_sum(-FAR2, d[1], d[3]), near_even = simd_scaled_sum(-FAR2, d[0], d[2]);
    const simd_float far_odd = simd_scaled_sum(-NEAR2, d[1], d[3]), far_even = simd_scaled_sum(-NEAR2, d[0], d[2]);
    v[0] = simd_scaled_sum(NEAR, near_even, near_odd);
    v[1] = simd_scaled_sum(-NEAR, near_even, near_odd);
    v[2] = simd_scaled_sum(FAR, far_even, far_odd);
    v[3] = simd_scaled_sum(-FAR, far_even, far_odd);
    v[4] = simd_scaled_sum(NEAR2 * FAR2, d[0], simd_scaled_sum(-(NEAR2 + FAR2), d[2], d[4]));
}

#endif
