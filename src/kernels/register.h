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

/** What takes bf16 operands instead; of an instruction set's functions DCNN_REGISTER_BF16 is the list. */
void dcnn_register_bf16_reference(dcnn_kernels *table);

/** sgemm over OpenBLAS, which is kept to the calling thread from then on. */
void dcnn_register_blas(dcnn_kernels *table);

/** What exists once per instruction set (*_simd.c). `bias`, `column_sums` and `affine` are the table's own, for
 * the convolutions. */
#define DCNN_REGISTER_SIMD(isa)                                                                                        \
    void dcnn_bias_##isa(size_t rows, int columns, const float *bias, dcnn_fused fused, float *y);                     \
    void dcnn_column_sums_##isa(size_t rows, int columns, const float *x, float *sums);                                \
    void dcnn_affine_##isa(size_t rows, int channels, const float *x, const float *scale, const float *shift,          \
                           float *y);                                                                                  \
    void dcnn_register_conv_max_##isa(dcnn_kernels *table);                                                            \
    void dcnn_register_conv_##isa(dcnn_kernels *table);                                                                \
    void dcnn_register_dense_##isa(dcnn_kernels *table);                                                               \
    void dcnn_register_functions_##isa(dcnn_kernels *table);                                                           \
    void dcnn_register_activations_##isa(dcnn_kernels *table);                                                         \
    void dcnn_register_pointwise_##isa(dcnn_kernels *table);                                                           \
    void dcnn_register_conv_general_##isa(dcnn_kernels *table);                                                        \
    void dcnn_register_norm_relu_##isa(dcnn_kernels *table);                                                           \
    void dcnn_register_pooling_##isa(dcnn_kernels *table);                                                             \
    void dcnn_register_sgemm_##isa(dcnn_kernels *table);                                                               \
    void dcnn_register_conv_pool_##isa(dcnn_kernels *table);                                                           \
    void dcnn_register_probe_##isa(dcnn_kernels *table);
DCNN_REGISTER_SIMD(generic)
DCNN_REGISTER_SIMD(avx2)
DCNN_REGISTER_SIMD(avx512)

/** What exists once an instruction set, AMX too, for bf16 operands (bf16_*_simd.c). */
#define DCNN_REGISTER_BF16(isa) void dcnn_register_bf16_##isa(dcnn_kernels *table);
DCNN_REGISTER_BF16(generic)
DCNN_REGISTER_BF16(avx2)
DCNN_REGISTER_BF16(avx512)
DCNN_REGISTER_BF16(avx512_bf16)
DCNN_REGISTER_BF16(amx)

#endif
