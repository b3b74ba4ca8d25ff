/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file conv_depthwise_simd.h — depthwise convolutions that conv_depthwise_simd.c does; arguments and results are those
 * of the kernels general_*.
 */
#ifndef DCNN_KERNELS_CONV_DEPTHWISE_SIMD_H
#define DCNN_KERNELS_CONV_DEPTHWISE_SIMD_H

#include "kernels/kernels.h"
#include "kernels/simd/simd.h"

/** Of multiplier 1, without dilation. The others are called only if so. */
bool DCNN_SIMD_NAME(dcnn_depthwise_fits)(const dcnn_conv *s);
void DCNN_SIMD_NAME(dcnn_depthwise_forward)(const dcnn_conv *s, const float *x, const float *w, const float *bias,
                                            float *y);
void DCNN_SIMD_NAME(dcnn_depthwise_backward_input)(const dcnn_conv *s, const float *dy, const float *w, float *dx);
void DCNN_SIMD_NAME(dcnn_depthwise_backward_filter)(const dcnn_conv *s, const float *x, const float *dy, float *dw);

#endif
