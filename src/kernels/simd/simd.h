/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file simd.h — one vector type for whichever instruction set this file is compiled for.
 *
 * Only *_simd.c include it: they are compiled once per instruction set, with DCNN_ISA=<name> and DCNN_SIMD_VECTORS, the
 * file that has its vectors: simd_<name>.h. Arithmetic is plain `a * b + c` on the vector types, rounded operation by
 * operation; what is to be rounded once is said: simd_multiply_add(). All loads and stores are unaligned, and no loop
 * peels for alignment, so a result never depends on an address.
 *
 * **What simd_<name>.h has.** A kernel that asks for no more runs on each instruction set, and to the same bits:
 *
 *     SIMD_LANES, SIMD_REGISTERS             floats of a vector; vector registers, for the sizes of register tiles
 *     vectors.h                              simd_float, simd_int, simd_double, loads and stores
 *     simd_mask                              what a comparison gives and simd_select() takes
 *     simd_splat(x)                          x in each lane
 *     simd_load_part(from, n)                the first n (0..SIMD_LANES) floats, 0 beside them, where nothing is read
 *     simd_store_part(to, n, v)              stores the first n lanes only
 *     simd_multiply_add(a, b, c)             a * b + c, rounded once; kernels are compiled with -ffp-contract=off, so
 *                                            what this or __builtin_fmaf() does not say is rounded twice
 *     simd_greater(a, b)                     a > b; false where either is NaN
 *     simd_is_nan(v)
 *     simd_is_positive_or_nan(v)             !(v <= 0)
 *     simd_any(mask)                         is it set in one lane or more?
 *     simd_equal_int(a, b)
 *     simd_select(mask, a, b)                mask ? a : b
 *     simd_stream(to, v)                     stores to an address that is a multiple of the vector's size, past the
 *                                            caches where there is a way; simd_stream_end() before others may read it
 *     simd_max(a, b)                         a > b ? a : b: b where either is NaN, as x86 has it
 *     simd_sqrt(v)
 *     simd_low_double(v), simd_high_double   the lower and upper half of the lanes as doubles
 *     simd_load_bytes(from)                  SIMD_LANES bytes as integers
 *     simd_load_halves(from)                 SIMD_LANES numbers of 16 bits as integers
 *     simd_gather_bytes(from, offset)        the four bytes at from + offset, lane by lane; the first is the lowest
 *     simd_store_bytes(to, v)                the lowest byte of each lane
 *     simd_store_upper_halves(to, v)         the upper 16 bits of each lane
 *     simd_transpose(rows)                   SIMD_LANES rows of SIMD_LANES
 */
#ifndef DCNN_KERNELS_SIMD_H
#define DCNN_KERNELS_SIMD_H

#if !defined(DCNN_SIMD_VECTORS)
#error "simd.h is for *_simd.c only: kernels.cmake compiles them with DCNN_ISA=<name> and DCNN_SIMD_VECTORS"
#endif

#include DCNN_SIMD_VECTORS

/** name_<isa>: the exported name of something that exists once per instruction set. */
#define DCNN_SIMD_NAME(name)             DCNN_SIMD_NAME_OF(name, DCNN_ISA)
#define DCNN_SIMD_NAME_OF(name, isa)     DCNN_SIMD_NAME_JOINED(name, isa)
#define DCNN_SIMD_NAME_JOINED(name, isa) name##_##isa

/** The same with one number for all lanes of a. */
static inline simd_float simd_scaled_sum(float a, simd_float b, simd_float c) {
    return simd_multiply_add(simd_splat(a), b, c);
}

/** Lanes that a loop over `count` values has at `i`: `for (i = 0; i < count; i += SIMD_LANES)` with simd_take,
 * simd_put. */
static inline size_t simd_lanes(size_t count, size_t i) {
    return count - i < SIMD_LANES ? count - i : SIMD_LANES;
}

/** Loads the first `lanes` (1..SIMD_LANES) floats. */
static inline simd_float simd_take(const float *from, size_t lanes) {
    return lanes == SIMD_LANES ? simd_load(from) : simd_load_part(from, lanes);
}

/** Stores the first `lanes` (1..SIMD_LANES) floats. */
static inline void simd_put(float *to, size_t lanes, simd_float value) {
    if (lanes == SIMD_LANES)
        simd_store(to, value);
    else
        simd_store_part(to, lanes, value);
}

/** mask ? a : b of integers, lane by lane. */
static inline simd_int simd_select_int(simd_mask mask, simd_int a, simd_int b) {
    return (simd_int)simd_select(mask, (simd_float)a, (simd_float)b);
}

/** The first `lanes` (1..SIMD_LANES) bytes as integers; the others are `fill`, and their memory is not touched. */
static inline simd_int simd_take_bytes(const uint8_t *from, size_t lanes, uint8_t fill) {
    if (lanes == SIMD_LANES) return simd_load_bytes(from);
    uint8_t part[SIMD_LANES];
    memset(part, fill, sizeof part);
    memcpy(part, from, lanes);
    return simd_load_bytes(part);
}

#endif
