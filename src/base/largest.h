/* SPDX-License-Identifier: BSD-3-Clause */
/** @file largest.h — the class that a row of probabilities says. */
#ifndef DCNN_BASE_LARGEST_H
#define DCNN_BASE_LARGEST_H

/** Place of the first of the largest values of a row [count], count > 0. */
static inline int dcnn_largest(int count, const float *row) {
    int best = 0;
    for (int i = 1; i < count; i++)
        if (row[i] > row[best]) best = i;
    return best;
}

#endif
