/* SPDX-License-Identifier: BSD-3-Clause */
/* resample.h — maps whose output pixels are read at places of the input between its pixels. */
#ifndef DCNN_NN_LAYERS_RESAMPLE_H
#define DCNN_NN_LAYERS_RESAMPLE_H

#include "nn/layer.h"

/* What lies beyond the input, as Keras' fill_mode has it: (d c b a | a b c d | d c b a), (a b c d | a b c d), a value,
 * (a a a a | a b c d | d d d d). */
typedef enum dcnn_fill { DCNN_FILL_REFLECT, DCNN_FILL_WRAP, DCNN_FILL_CONSTANT, DCNN_FILL_NEAREST } dcnn_fill;

/* Output pixel (i, j) is read at row m[0] i + m[1] j + m[2] and column m[3] i + m[4] j + m[5] of the input. */
typedef struct dcnn_resampling {
    double m[6];
    double least[2]; /* row and column that the input is taken to begin at */
    dcnn_fill fill;
    double value;
    bool nearest; /* the nearest pixel; else bilinear */
} dcnn_resampling;

/* One sample: y [out] from x [in]; or, backward, dx [in] (added to) from dy [out]. */
void dcnn_resample_forward(const dcnn_resampling *r, dcnn_shape in, dcnn_shape out, const float *x, float *y);
void dcnn_resample_backward(const dcnn_resampling *r, dcnn_shape in, dcnn_shape out, const float *dy, float *dx);

/* Keras' interpolation= of images that are resized. */
typedef enum dcnn_filter {
    DCNN_FILTER_NEAREST,
    DCNN_FILTER_BILINEAR,
    DCNN_FILTER_BICUBIC, /* of Keys, a = -0.5 */
    DCNN_FILTER_LANCZOS3,
    DCNN_FILTER_LANCZOS5,
    DCNN_FILTER_COUNT
} dcnn_filter;

/* How an input is stretched over an output. */
typedef struct dcnn_resize {
    dcnn_filter filter;
    bool antialias; /* filters are as wide as the output's pixels, where these are the larger ones */
    bool crop, pad; /* to the output's ratio of sides first, around the middle */
    double value;   /* of what is added then */
} dcnn_resize;

/* `interpolation`: reads it, and Keras' name of it. */
dcnn_status dcnn_resize_read(const dcnn_node *node, const json_t *config, const char *fallback, dcnn_resize *resize);
const char *dcnn_resize_name(const dcnn_resize *resize);

/* How long an axis is to be for the output's ratio of sides. */
int dcnn_resize_fitted(int out, int other_in, int other_out);

/* The parts of an operation that resizes its input to its node's shape. */
void dcnn_resize_measure(dcnn_op *op, const dcnn_resize *resize);
void dcnn_resize_prepare(const dcnn_op *op, const dcnn_resize *resize);
void dcnn_resize_forward(const dcnn_pass *pass, const dcnn_resize *resize);
void dcnn_resize_backward(const dcnn_pass *pass, const dcnn_resize *resize);

#endif
