/* SPDX-License-Identifier: BSD-3-Clause */
/** @file lanes_simd.h — small steps of kernels that cut channels into vectors. */
#ifndef DCNN_KERNELS_LANES_SIMD_H
#define DCNN_KERNELS_LANES_SIMD_H

#include "kernels/simd/simd.h"

enum { V = SIMD_LANES };

static inline size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static inline size_t divide_up(size_t a, size_t b) {
    return (a + b - 1) / b;
}

/** Rounds a number of floats up to whole cache lines. */
static inline size_t whole_lines(size_t floats) {
    return divide_up(floats, 16) * 16;
}

/** Lanes of vector number `vector` that lie within `count` channels. */
static inline size_t lanes_of(size_t count, size_t vector) {
    return simd_lanes(count, vector * V);
}

/** Asks for the line that lies `bytes` further on, which may be past the array's end: only a hint. */
static inline void prefetch_ahead(const void *from, size_t bytes) {
    __builtin_prefetch((const void *)((uintptr_t)from + bytes));
}

#endif
