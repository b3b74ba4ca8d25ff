/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_pairs_simd.c — forward of convolutions of one channel with few filters, a small net's first layer: two
 * neighbouring outputs share a vector.
 *
 * conv_direct_simd.c has a filter in each lane, so that 6 filters leave 10 of 16 lanes empty. Here lane 2k + i is
 * filter k of output i of a pair: what the pair sees of the image under a tap lies side by side and is repeated all
 * over the vector. Each sum is made in the same order as there, so it has the same bits. 128 images of 28x28, 5x5, 6
 * filters: 0.34 ms, 0.65 by filters in lanes (Xeon, AVX-512). */
#include "kernels/conv/conv_simd.h"

enum { MOST_PAIRS = (SIMD_REGISTERS - 4) / 2 };

/* from[0] and from[1], again and again: one load, as doubles. */
static inline simd_float splat_pair(const float *from) {
    typedef int64_t places __attribute__((vector_size(4 * SIMD_LANES)));
    double both;
    memcpy(&both, from, sizeof both);
    return (simd_float)__builtin_shuffle((simd_double){both}, (places){0});
}

bool DCNN_SIMD_NAME(dcnn_conv_pairs_fits)(const dcnn_conv *shape) {
    return shape->c == 1 && shape->stride_w == 1 && 2 * (size_t)shape->k <= V && shape->ow >= 2;
}

void DCNN_SIMD_NAME(dcnn_conv_pairs_pack)(const dcnn_conv *shape, const float *w, float *packed, size_t tap) {
    float *to = packed + tap * V;
    memset(to, 0, V * sizeof *to);
    for (size_t k = 0; k < (size_t)shape->k; k++) to[2 * k] = to[2 * k + 1] = w[tap * (size_t)shape->k + k];
}

/* Outputs of `count` pairs side by side; `source` is the first's corner of the image, `out` its outputs. */
static inline __attribute__((always_inline)) void add_pairs(const size_t count, const conv_pairs *p,
                                                            const float *source, float *out) {
    simd_float sum[MOST_PAIRS];
    const simd_float start = simd_load(p->start), floor = simd_splat(p->relu ? 0 : -__builtin_inff());
    const simd_int places = simd_load_int(p->places);
    const float *tap = p->packed;
#pragma GCC unroll 16
    for (size_t i = 0; i < count; i++) sum[i] = start;
    for (size_t r = 0; r < p->rows; r++, source += p->pitch) {
        for (size_t s = 0; s < p->columns; s++, tap += V) {
            const simd_float weight = simd_load(tap);
            const float *at = source + s;
            /* Or GCC keeps numbers for the tap after next, in registers that it moves: half the speed. */
            __asm__("" : "+r"(at));
#pragma GCC unroll 16
            for (size_t i = 0; i < count; i++) {
                sum[i] = simd_multiply_add(splat_pair(at + 2 * i), weight, sum[i]);
            }
        }
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < count; i++, out += 2 * p->k) {
        /* This order of simd_max keeps a NaN. */
        simd_put(out, 2 * p->k, simd_max(floor, __builtin_shuffle(sum[i], places)));
    }
}

/* The widest tile of up to `pairs` pairs; returns how many it had. */
static size_t add_tile(size_t pairs, const conv_pairs *p, const float *source, float *out) {
#if SIMD_REGISTERS >= 32
    if (pairs >= 14) {
        add_pairs(14, p, source, out);
        return 14;
    }
#endif
    if (pairs >= 6) {
        add_pairs(6, p, source, out);
        return 6;
    }
    if (pairs >= 3) {
        add_pairs(3, p, source, out);
        return 3;
    }
    add_pairs(1, p, source, out);
    return 1;
}

conv_pairs DCNN_SIMD_NAME(dcnn_conv_pairs_plan)(const dcnn_conv *shape, size_t pitch, const float *packed,
                                                const float *bias, bool relu) {
    const size_t k = (size_t)shape->k;
    conv_pairs p = {
        .rows = (size_t)shape->r, .columns = (size_t)shape->s, .pitch = pitch, .k = k, .packed = packed, .relu = relu};
    for (size_t i = 0; i < k; i++) {
        if (bias != NULL) p.start[2 * i] = p.start[2 * i + 1] = bias[i];
        p.places[i] = (int32_t)(2 * i);
        p.places[k + i] = (int32_t)(2 * i + 1);
    }
    return p;
}

void DCNN_SIMD_NAME(dcnn_conv_pairs_line)(const conv_pairs *p, size_t outputs, const float *source, float *out) {
    for (size_t done = 0; done < outputs / 2;) {
        done += add_tile(outputs / 2 - done, p, source + 2 * done, out + 2 * done * p->k);
    }
    /* Of an odd number the last two once more: one pixel further on is not the line's. */
    if (outputs % 2 != 0) add_pairs(1, p, source + outputs - 2, out + (outputs - 2) * p->k);
}
