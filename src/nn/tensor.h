/* SPDX-License-Identifier: BSD-3-Clause */
/** @file tensor.h — the shape of one sample; the batch dimension stands apart. */
#ifndef DCNN_NN_TENSOR_H
#define DCNN_NN_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/** Shape of one sample: rank 3 = [H,W,C] (a map), rank 1 = [C] (a vector; then h == w == 1). */
typedef struct dcnn_shape {
    int rank;
    int h, w, c;
} dcnn_shape;

/** Values in one sample, at most. */
enum { DCNN_SHAPE_MOST = 1 << 28 };

/** Is it a shape that a layer may have: of at least one value, and of no more than that? */
static inline bool dcnn_shape_fits(dcnn_shape shape) {
    const bool whole = shape.h >= 1 && shape.w >= 1 && shape.c >= 1;
    return whole && shape.w <= DCNN_SHAPE_MOST / shape.h && shape.c <= DCNN_SHAPE_MOST / (shape.h * shape.w);
}

/** Values in one sample. Shapes are checked when a net is built, so the product fits. */
static inline size_t dcnn_shape_count(dcnn_shape shape) {
    return (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
}

/** "(28, 28, 1)" or "(512,)", as Keras prints it. */
static inline const char *dcnn_shape_text(dcnn_shape shape, char text[48]) {
    if (shape.rank == 3)
        snprintf(text, 48, "(%d, %d, %d)", shape.h, shape.w, shape.c);
    else
        snprintf(text, 48, "(%d,)", shape.c);
    return text;
}

#endif
