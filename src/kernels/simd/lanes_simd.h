/* SPDX-License-Identifier: BSD-3-Clause */
/** @file lanes_simd.h — small steps of kernels that cut channels into vectors. */
#ifndef DCNN_KERNELS_LANES_SIMD_H
#define DCNN_KERNELS_LANES_SIMD_H

#include <stdbool.h>

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

/** May rows of `row` floats be written by simd_stream(), and is it worth it? A matrix that L2 does not hold is then not
 * read into it in order to be written. Gradients of 4096 x 512 weights: 1.05 ms instead of 1.7 in bf16. */
static inline bool simd_streams(const float *matrix, size_t floats, size_t row) {
    return floats * sizeof *matrix >= ((size_t)2 << 20) && row % V == 0 &&
           (uintptr_t)matrix % (V * sizeof *matrix) == 0;
}

/** Asks for the line that lies `bytes` further on, which may be past the array's end: only a hint. */
static inline void prefetch_ahead(const void *from, size_t bytes) {
    __builtin_prefetch((const void *)((uintptr_t)from + bytes));
}

#endif
