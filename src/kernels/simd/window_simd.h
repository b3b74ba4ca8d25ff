/* SPDX-License-Identifier: BSD-3-Clause */
/** @file window_simd.h — pooling windows of four cells, and the codes of their largest. */
#ifndef DCNN_KERNELS_WINDOW_SIMD_H
#define DCNN_KERNELS_WINDOW_SIMD_H

#include "kernels/kernels.h"
#include "kernels/simd/lanes_simd.h"

/** The codes of the first `lanes` lanes, a byte each. */
static inline void store_codes(uint8_t *to, size_t lanes, simd_int codes) {
    if (lanes == V) {
        simd_store_bytes(to, codes);
    } else {
        uint8_t all[V];
        simd_store_bytes(all, codes);
        memcpy(to, all, lanes);
    }
}

/** Argmax codes as integers; lanes past the end are shut. */
static inline simd_int load_codes(const uint8_t *from, size_t lanes) {
    return simd_take_bytes(from, lanes, DCNN_SHUT);
}

/** Bias, MaxPooling of a window's four cells and, unless `linear`, ReLU; the code of the first largest, DCNN_SHUT where
 * a ReLU gives 0. */
static inline simd_float pool_window(const simd_float cell[4], simd_float bias, bool linear, simd_int *code) {
    const simd_mask right_above = simd_greater(cell[1], cell[0]), right_below = simd_greater(cell[3], cell[2]);
    const simd_float above = simd_select(right_above, cell[1], cell[0]);
    const simd_float below = simd_select(right_below, cell[3], cell[2]);
    const simd_mask is_below = simd_greater(below, above);
    const simd_int above_code = simd_select_int(right_above, simd_splat_int(1), simd_splat_int(0));
    const simd_int below_code = simd_select_int(right_below, simd_splat_int(3), simd_splat_int(2));
    /* A comparison loses a NaN, the sum keeps it. */
    const simd_float sum = (cell[0] + cell[1]) + (cell[2] + cell[3]);
    const simd_float best = simd_select(simd_is_nan(sum), sum, simd_select(is_below, below, above)) + bias;
    if (linear) {
        *code = simd_select_int(is_below, below_code, above_code);
        return best;
    }
    const simd_mask open = simd_is_positive_or_nan(best);
    *code = simd_select_int(open, simd_select_int(is_below, below_code, above_code), simd_splat_int(DCNN_SHUT));
    return simd_select(open, best, simd_zero());
}

/** Bias, ReLU and the mean of a window's four cells; bit i of the code is set where cell i is open. */
static inline simd_float mean_of_window(const simd_float cell[4], simd_float bias, simd_int *code) {
    simd_float open_cell[4];
    *code = simd_splat_int(0);
    for (int i = 0; i < 4; i++) {
        const simd_float value = cell[i] + bias;
        const simd_mask open = simd_is_positive_or_nan(value);
        open_cell[i] = simd_select(open, value, simd_zero());
        *code += simd_select_int(open, simd_splat_int(1 << i), simd_splat_int(0));
    }
    return 0.25F * ((open_cell[0] + open_cell[1]) + (open_cell[2] + open_cell[3]));
}

/** What a window's mean gives back to its cell `i`. */
static inline simd_float part_of_mean(simd_float gradient, simd_int code, int i) {
    const simd_mask shut = simd_equal_int(code & simd_splat_int(1 << i), simd_splat_int(0));
    return simd_select(shut, simd_zero(), 0.25F * gradient);
}

#endif
