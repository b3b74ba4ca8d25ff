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
    dcnn_fill fill;
    double value;
    bool nearest; /* the nearest pixel; else bilinear */
} dcnn_resampling;

/* One sample: y [out] from x [in]; or, backward, dx [in] (added to) from dy [out]. */
void dcnn_resample_forward(const dcnn_resampling *r, dcnn_shape in, dcnn_shape out, const float *x, float *y);
void dcnn_resample_backward(const dcnn_resampling *r, dcnn_shape in, dcnn_shape out, const float *dy, float *dx);

/* The same of all samples of a pass. */
void dcnn_resample_all(const dcnn_pass *pass, bool nearest);
void dcnn_resample_all_backward(const dcnn_pass *pass, bool nearest);

#endif
