/* SPDX-License-Identifier: BSD-3-Clause */
/* dense_simd.c — dense layers of fp32: OpenBLAS' products. */
#include "kernels/register.h"
#include "kernels/simd/simd.h"

static size_t dense_scratch(int rows, int in, int units) {
    (void)rows, (void)in, (void)units;
    return 0;
}

static size_t dense_packed(int in, int units) {
    (void)in, (void)units;
    return 0;
}

static void dense_pack(int in, int units, const float *w, float *packed, int part, int parts) {
    (void)in, (void)units, (void)w, (void)packed, (void)part, (void)parts;
}

static void dense_forward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                          const float *bias, dcnn_fused fused, float *y, float *scratch) {
    (void)packed, (void)scratch;
    dcnn_sgemm(false, false, rows, units, in, x, in, w, units, 0.0f, y, units);
    DCNN_SIMD_NAME(dcnn_bias)((size_t)rows, units, bias, fused, y);
}

static void dense_backward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                           const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    (void)packed, (void)scratch;
    if (dw != NULL) dcnn_sgemm(true, false, in, units, rows, x, in, dy, units, 0.0f, dw, units);
    if (dbias != NULL) DCNN_SIMD_NAME(dcnn_column_sums)((size_t)rows, units, dy, dbias);
    if (dx != NULL) dcnn_sgemm(false, true, rows, in, units, dy, units, w, units, 0.0f, dx, in);
}

void DCNN_SIMD_NAME(dcnn_register_dense)(dcnn_kernels *table) {
    table->dense_scratch = dense_scratch;
    table->dense_packed = dense_packed;
    table->dense_pack = dense_pack;
    table->dense_forward = dense_forward;
    table->dense_backward = dense_backward;
}
