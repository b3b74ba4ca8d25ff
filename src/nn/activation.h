/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file activation.h — the table of activations, by Keras' names and definitions.
 *
 * The first few give their gradient from their own output, so a layer may apply them in place; the others read what
 * they were applied to, and a plan makes them an operation of their own.
 */
#ifndef DCNN_NN_ACTIVATION_H
#define DCNN_NN_ACTIVATION_H

#include "kernels/kernels.h"

/** Rows of the table. */
typedef enum dcnn_activation_kind {
    DCNN_LINEAR,
    DCNN_RELU,
    DCNN_SIGMOID,
    DCNN_TANH,
    DCNN_SOFTMAX,
    DCNN_RELU6,
    DCNN_LEAKY_RELU,
    DCNN_GENERAL_RELU, /**< max_value, negative_slope and threshold of Keras' ReLU layer; no name of its own */
    DCNN_ELU,
    DCNN_SELU,
    DCNN_CELU,
    DCNN_GELU,
    DCNN_GELU_TANH, /**< Keras' gelu with approximate=True; no name of its own */
    DCNN_SILU,
    DCNN_HARD_SILU,
    DCNN_HARD_SIGMOID,
    DCNN_HARD_TANH,
    DCNN_SOFTPLUS,
    DCNN_SOFTSIGN,
    DCNN_LOG_SIGMOID,
    DCNN_EXPONENTIAL,
    DCNN_MISH,
    DCNN_ACTIVATION_COUNT
} dcnn_activation_kind;

/** An activation with its settings. Zeroed: linear. */
typedef struct dcnn_activation {
    dcnn_activation_kind kind;
    float p[3]; /**< settings of its function (kernels.h) */
} dcnn_activation;

/** A row with its default settings. *Local.* */
dcnn_activation dcnn_activation_of(dcnn_activation_kind kind);

/** The row of one of Keras' names ("silu", "swish"), or DCNN_ACTIVATION_COUNT. *Local.* */
dcnn_activation_kind dcnn_activation_find(const char *name);

/** Keras' name; NULL for rows that only a layer of their own can say. *Local.* */
const char *dcnn_activation_name(dcnn_activation_kind kind);

/** Does its gradient need what it was applied to? (Else its output will do.) *Local.* */
bool dcnn_activation_reads_x(dcnn_activation_kind kind);

/** Is f(a) <= f(b) wherever a <= b, and flat only where its gradient is zero? Then the largest of f is f of the
 * largest. *Local.* */
bool dcnn_activation_is_monotone(const dcnn_activation *activation);

/** Does f fall and then rise (GELU, SiLU, Mish)? Then the largest of f is f of the largest or of the smallest. *Local.*
 */
bool dcnn_activation_has_valley(const dcnn_activation *activation);

/** Of an f with a valley: y = the larger one of f at two arguments each, x [2,count], the second not above the first;
 * in training its slope there, and its code first among codes [2,count], else both NULL. *Local.* */
void dcnn_activation_take_better(const dcnn_kernels *kernels, const dcnn_activation *activation, size_t count,
                                 const float *x, float *y, float *slope, uint8_t *codes);

/** y = f(x) over rows x columns; in place allowed. *Local.* */
void dcnn_activation_forward(const dcnn_kernels *kernels, const dcnn_activation *activation, size_t rows, int columns,
                             const float *x, float *y);

/** dx from dy and x or y, whichever it reads; in place allowed (dx == dy). *Local.* */
void dcnn_activation_backward(const dcnn_kernels *kernels, const dcnn_activation *activation, size_t rows, int columns,
                              const float *x, const float *y, const float *dy, float *dx);

#endif
