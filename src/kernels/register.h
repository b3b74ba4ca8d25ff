/* SPDX-License-Identifier: BSD-3-Clause */
/** @file register.h — what fills the kernel table: each function overwrites the pointers that it has. */
#ifndef DCNN_KERNELS_REGISTER_H
#define DCNN_KERNELS_REGISTER_H

#include "kernels/kernels.h"

/** The reference kernels: they set every pointer together. */
void dcnn_register_reference(dcnn_kernels *table);
void dcnn_register_reference_conv(dcnn_kernels *table);
void dcnn_register_reference_norm(dcnn_kernels *table);
void dcnn_register_reference_functions(dcnn_kernels *table);
void dcnn_register_reference_conv_general(dcnn_kernels *table);

/** What takes bf16 operands instead. */
void dcnn_register_bf16_reference(dcnn_kernels *table);

/** sgemm over OpenBLAS, which is kept to the calling thread from then on. */
void dcnn_register_blas(dcnn_kernels *table);

/** What fills the table once per instruction set (*_simd.c): X(part, isa). */
#define DCNN_SIMD_PARTS(X, isa)                                                                                        \
    X(dense, isa)                                                                                                      \
    X(conv, isa)                                                                                                       \
    X(functions, isa)                                                                                                  \
    X(activations, isa)                                                                                                \
    X(pointwise, isa)                                                                                                  \
    X(conv_general, isa)                                                                                               \
    X(norm_relu, isa)                                                                                                  \
    X(patches, isa)                                                                                                    \
    X(pooling, isa)                                                                                                    \
    X(sgemm, isa)                                                                                                      \
    X(conv_pool, isa)                                                                                                  \
    X(conv_max, isa)                                                                                                   \
    X(probe, isa)

/* Of each instruction set: those parts, what takes bf16 operands instead (bf16_*_simd.c), and the table's own `bias`,
 * `column_sums` and `affine`, for the convolutions. */
#define DCNN_REGISTER_PART(part, isa) void dcnn_register_##part##_##isa(dcnn_kernels *table);
#define DCNN_REGISTER_ISA(id, isa, ...)                                                                                \
    DCNN_SIMD_PARTS(DCNN_REGISTER_PART, isa)                                                                           \
    DCNN_REGISTER_PART(bf16, isa)                                                                                      \
    void dcnn_bias_##isa(size_t rows, int columns, const float *bias, dcnn_fused fused, float *y);                     \
    void dcnn_column_sums_##isa(size_t rows, int columns, const float *x, float *sums);                                \
    void dcnn_affine_##isa(size_t rows, int channels, const float *x, const float *scale, const float *shift, float *y);
DCNN_ISAS(DCNN_REGISTER_ISA)

#endif
