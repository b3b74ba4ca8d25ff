/* SPDX-License-Identifier: BSD-3-Clause */
/** @file vectors.h — the vector types, of SIMD_LANES lanes, and what is done with them alike on every instruction set.
 * For simd_<name>.h alone, which says how many lanes there are. */
#ifndef DCNN_KERNELS_VECTORS_H
#define DCNN_KERNELS_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** SIMD_LANES floats, as many 32-bit integers, and half as many doubles: the same bytes each. */
typedef float simd_float __attribute__((vector_size(4 * SIMD_LANES)));
typedef int32_t simd_int __attribute__((vector_size(4 * SIMD_LANES)));
typedef double simd_double __attribute__((vector_size(4 * SIMD_LANES)));

/* The same types at any address, over anything. */
typedef float simd_float_anywhere __attribute__((vector_size(4 * SIMD_LANES), aligned(4), may_alias));
typedef int32_t simd_int_anywhere __attribute__((vector_size(4 * SIMD_LANES), aligned(4), may_alias));
typedef double simd_double_anywhere __attribute__((vector_size(4 * SIMD_LANES), aligned(8), may_alias));

static inline simd_float simd_load(const float *from) {
    return *(const simd_float_anywhere *)from;
}

static inline void simd_store(float *to, simd_float value) {
    *(simd_float_anywhere *)to = value;
}

static inline simd_double simd_load_double(const double *from) {
    return *(const simd_double_anywhere *)from;
}

static inline void simd_store_double(double *to, simd_double value) {
    *(simd_double_anywhere *)to = value;
}

static inline simd_int simd_load_int(const int32_t *from) {
    return *(const simd_int_anywhere *)from;
}

static inline void simd_store_int(int32_t *to, simd_int value) {
    *(simd_int_anywhere *)to = value;
}

static inline simd_float simd_zero(void) {
    return (simd_float){0};
}

/** value in each lane. */
static inline simd_int simd_splat_int(int32_t value) {
    return (simd_int){0} + value;
}

/** Integers as floats. */
static inline simd_float simd_to_float(simd_int value) {
    return __builtin_convertvector(value, simd_float);
}

/* One stage of the transposition of a square: swaps the blocks of `size` off the diagonal; `lane`: 0, 1, 2, … */
#define SIMD_SWAP_BLOCKS(rows, size)                                                                                   \
    _Pragma("GCC unroll 16") for (int i = 0; i < SIMD_LANES; i++) {                                                    \
        if ((i & (size)) == 0 && i + (size) < SIMD_LANES) {                                                            \
            const simd_int upper = lane + (((lane & (size)) != 0) & (SIMD_LANES - (size)));                            \
            const simd_int lower = lane + (size) + (((lane & (size)) != 0) & (SIMD_LANES - (size)));                   \
            const simd_float a = (rows)[i], b = (rows)[i + (size)];                                                    \
            (rows)[i] = __builtin_shuffle(a, b, upper);                                                                \
            (rows)[i + (size)] = __builtin_shuffle(a, b, lower);                                                       \
        }                                                                                                              \
    }

#endif
