/* SPDX-License-Identifier: BSD-3-Clause */
/** @file isas.h — the list of instruction sets: what the compiler, the table of kernels and OpenBLAS are to know of
 * them. */
#ifndef DCNN_KERNELS_ISAS_H
#define DCNN_KERNELS_ISAS_H

/*
 * One row an instruction set, in rising order: X(ID, name, vectors, agrees, CPU, core, flags). kernels.cmake reads the
 * rows here, compiles *_simd.c once for each whose flags the compiler knows, and says so: DCNN_BUILT_<ID>. A new one is
 * a row and a file:
 * - vectors  whose vectors and fp32 kernels it has: its own, simd/simd_<name>.h (simd.h lists what stands there), or
 * those of one before it, to whose flags its own are added; then only its products of bf16 differ,
 * bf16/product_bf16_<name>.c
 * - agrees   true: it makes the bits of all that agree, and the last of them that runs is chosen; false: its sums of
 * bf16 are its own, so it runs only where DCNN_ISA names it
 * - CPU      has this CPU what it adds to those before it that agree?
 * - core     the core type as which OpenBLAS is fastest there (DYNAMIC_ARCH's names); "": it chooses well
 */
/* clang-format off */
#define DCNN_ISAS(X)                                                                                                   \
    X(GENERIC, generic, generic, true, true, "", "")                                                                   \
    X(AVX2, avx2, avx2, true, CPU(avx2) && CPU(fma), "Haswell", "-mavx2 -mfma -mtune=haswell")                         \
    X(AVX512, avx512, avx512, true, CPU(avx512f) && CPU(avx512bw) && CPU(avx512dq) && CPU(avx512vl), "SkylakeX",       \
      "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512 -mtune=skylake-avx512")       \
    /* VDPBF16PS */                                                                                                    \
    X(AVX512_BF16, avx512_bf16, avx512, false, CPU(avx512bf16), "SkylakeX", "-mavx512bf16")                            \
    /* TDPBF16PS */                                                                                                    \
    X(AMX, amx, avx512, true, CPU(avx512bf16) && dcnn_amx_permitted(), "SkylakeX",                                     \
      "-mavx512bf16 -mamx-tile -mamx-bf16")
/* clang-format on */

/** DCNN_WHEN_BUILT(ID, code): the code, if that row was compiled, else nothing. Where a file uses it, it is told which
 * were (the compile definitions of dcnn_kernels). */
#define DCNN_WHEN_BUILT(id, ...)              DCNN_WHEN_BUILT_OF(DCNN_BUILT_##id, __VA_ARGS__)
#define DCNN_WHEN_BUILT_OF(value, ...)        DCNN_WHEN_BUILT_AT(value, __VA_ARGS__)
#define DCNN_WHEN_BUILT_AT(value, ...)        DCNN_WHEN_BUILT_IS(DCNN_WHEN_##value, __VA_ARGS__)
#define DCNN_WHEN_BUILT_IS(value, ...)        DCNN_WHEN_BUILT_PICK(value, DCNN_CODE, DCNN_NOTHING, 0)(__VA_ARGS__)
#define DCNN_WHEN_BUILT_PICK(a, b, pick, ...) pick
#define DCNN_WHEN_1                           0, 0
#define DCNN_CODE(...)                        __VA_ARGS__
#define DCNN_NOTHING(...)

#endif
