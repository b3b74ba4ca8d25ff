/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file kernels.h — the kernel table and the contract of every kernel in it.
 *
 * A kernel is arithmetic on one grain: no memory of its own, no files, no layers, no threads. The table is filled first
 * with the reference kernels (reference.c, plain loops, complete on every machine) and then overwritten by whatever the
 * instruction set has (dispatch.c). DCNN_KERNEL_LIST is the one list: it makes the struct below, and the tests and
 * `dcnn bench` walk it, so a kernel cannot be added and left untested.
 *
 * Conventions of all kernels
 * - Arrays are dense, row-major, channels last: images [N,H,W,C], filters [R,S,C,K] (Keras' HWIO), matrices
 * [rows,cols].
 * - `float` in and out; sums over many values are made in `double` where the contract says so.
 * - Outputs do not alias inputs unless the contract says "in place allowed".
 * - Same arguments, same bits: a kernel's result depends on nothing else, not on alignment, thread or rank (law 2).
 * - NaN and infinity travel through: they are never hidden (max(0, NaN) may be NaN or 0 in the fast ReLU, but a NaN in
 *   the weights or the input always reaches the loss, its gradient or a BatchNormalization sum).
 * - `scratch` has the number of floats that the matching *_scratch kernel told, 64-byte aligned; its content on entry
 *   and exit is garbage.
 */
#ifndef DCNN_KERNELS_KERNELS_H
#define DCNN_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/isas.h"

/** A 2-D convolution (cross-correlation, as in Keras) of one grain: x [N,H,W,C] * w [R,S,C,K] -> y [N,OH,OW,K]. */
typedef struct dcnn_conv {
    int n, h, w, c;         /**< input */
    int k;                  /**< output channels (filters) */
    int r, s;               /**< filter height and width */
    int stride_h, stride_w; /**< >= 1 */
    int pad_h, pad_w; /**< rows of zeros above, columns of zeros to the left; below and right follow from OH, OW */
    int oh, ow;       /**< output height and width */
    int dilation_h, dilation_w, groups; /**< of the kernels general_*, which read them; the others do neither */
    bool x_half, y_half; /**< x and dx, y and dy are numbers of bf16 (bf16.h) instead of floats: see conv_halves */
    bool mean;           /**< of the kernels conv_pool_*: AveragePooling instead of MaxPooling */
    bool inference;      /**< of the kernels conv_*: forward alone is wanted, without argmax, and its last bits may be
                              others than in training */
} dcnn_conv;

/** A 2-D pooling of one grain: x [N,H,W,C] -> y [N,OH,OW,C]. Cells outside the image do not count. */
typedef struct dcnn_pool {
    int n, h, w, c;
    int r, s; /**< window */
    int stride_h, stride_w;
    int pad_h, pad_w;
    int oh, ow;
    bool x_half, y_half; /**< x and dx, y and dy are numbers of bf16 instead of floats: of the kernels norm_relu_* … */
    bool linear;         /**< … with which there is no ReLU then */
} dcnn_pool;

/** What follows a matrix product or convolution inside the same kernel. */
typedef enum dcnn_fused { DCNN_FUSED_NONE, DCNN_FUSED_RELU } dcnn_fused;

/** Argmax code of a fused convolution + pooling cell whose ReLU is shut: no gradient passes. */
enum { DCNN_SHUT = 4 };

/** Of the kernel `patch_products`: input channels, and values of a patch of 3x3 of them. */
enum { DCNN_PATCH_CHANNELS = 3, DCNN_PATCH = 9 * DCNN_PATCH_CHANNELS + 1 };

/** Floats of the kernel `probe`. */
enum { DCNN_PROBE = 192 };

/** Adam's constants of one step; `alpha` = learning rate * sqrt(1 - beta2^t) / (1 - beta1^t), as Keras has it. */
typedef struct dcnn_adam_step {
    float alpha, beta1, beta2, epsilon;
    float gradient_scale; /**< multiplies each gradient first: 1 / global batch size */
} dcnn_adam_step;

/** A step of gradient descent with momentum: the constants of kernel `sgd_momentum`. */
typedef struct dcnn_sgd_momentum_step {
    float rate, momentum;
    float weight_decay;   /**< this part of each weight is added to its gradient */
    float gradient_scale; /**< multiplies each gradient first: 1 / samples of the step */
} dcnn_sgd_momentum_step;

/** Functions of one value that kernel `function_forward` knows, by Keras' definitions; their settings p[3] in brackets.
 */
typedef enum dcnn_function {
    DCNN_FUNCTION_RELU, /**< [max_value, negative_slope, threshold] */
    DCNN_FUNCTION_ELU,  /**< [alpha] */
    DCNN_FUNCTION_CELU, /**< [alpha] */
    DCNN_FUNCTION_SELU,
    DCNN_FUNCTION_GELU,
    DCNN_FUNCTION_GELU_TANH,
    DCNN_FUNCTION_SILU,
    DCNN_FUNCTION_HARD_SILU,
    DCNN_FUNCTION_HARD_SIGMOID,
    DCNN_FUNCTION_HARD_TANH,
    DCNN_FUNCTION_SOFTPLUS,
    DCNN_FUNCTION_SOFTSIGN,
    DCNN_FUNCTION_LOG_SIGMOID,
    DCNN_FUNCTION_EXPONENTIAL,
    DCNN_FUNCTION_MISH,
    DCNN_FUNCTION_COUNT
} dcnn_function;

/* One row a kernel: X(result, name, (arguments)). */
/* clang-format off */
#define DCNN_KERNEL_LIST(X)                                                                                            \
    /* --- vectors ---------------------------------------------------------------------------------------------- */ \
    /* sum[i] = a[i] + b[i], i < count; in place allowed (sum == a or sum == b). The step of the fixed binary tree. */ \
    X(void, add, (size_t count, const float *a, const float *b, float *sum))                                           \
    /* y = max(x, 0); in place allowed. */                                                                             \
    X(void, relu_forward, (size_t count, const float *x, float *y))                                                    \
    /* dx = y > 0 ? dy : 0; in place allowed (dx == dy). */                                                            \
    X(void, relu_backward, (size_t count, const float *y, const float *dy, float *dx))                                 \
    /* y = 1 / (1 + exp(-x)); dx = dy * y * (1 - y); in place allowed. */                                              \
    X(void, sigmoid_forward, (size_t count, const float *x, float *y))                                                 \
    X(void, sigmoid_backward, (size_t count, const float *y, const float *dy, float *dx))                              \
    /* y = tanh x; dx = dy * (1 - y^2); in place allowed. */                                                           \
    X(void, tanh_forward, (size_t count, const float *x, float *y))                                                    \
    X(void, tanh_backward, (size_t count, const float *y, const float *dy, float *dx))                                 \
    /* y = f(x), and dx = dy f'(x); in place allowed (y == x, dx == dy). */                                            \
    X(void, function_forward, (dcnn_function function, const float *p, size_t count, const float *x, float *y))        \
    X(void, function_backward, (dcnn_function function, const float *p, size_t count, const float *x, const float *dy, \
                                float *dx))                                                                            \
    /* Keras' Adam on `count` parameters: g = gradient_scale * gradient; m += (1 - beta1) (g - m);                     \
       v += (1 - beta2) (g^2 - v); parameter -= alpha * m / (sqrt(v) + epsilon). */                                    \
    X(void, adam, (size_t count, const dcnn_adam_step *step, const float *gradient, float *m, float *v, float *parameter)) \
    /* velocity = momentum * velocity - rate * (gradient_scale * gradient + weight_decay * parameter);                 \
       parameter += velocity. */                                                                                       \
    X(void, sgd_momentum, (size_t count, const dcnn_sgd_momentum_step *step, const float *gradient, float *velocity,             \
                      float *parameter))                                                                               \
    /* LAMB's direction before its trust ratio: m and v as `adam` moves them; then, in place of the gradient,          \
       alpha * m / (sqrt(v) + epsilon) + weight_decay * parameter. */                                                  \
    X(void, lamb_direction, (size_t count, const dcnn_adam_step *step, float weight_decay, float *gradient, float *m, float *v,\
                     const float *parameter))                                                                          \
    /* parameter -= rate * direction; direction may be the parameter itself (weight decay). */                         \
    X(void, axpy, (size_t count, float rate, const float *direction, float *parameter))                                \
    /* The sum of x[i]^2 in double, in an order that depends on `count` alone. */                                      \
    X(double, sum_squares, (size_t count, const float *x))                                                                 \
    /* --- matrices --------------------------------------------------------------------------------------------- */ \
    /* c[m,n] = op(a) op(b) + beta * c, op(a) [m,k], op(b) [k,n]; lda, ldb, ldc: row lengths as stored; with           \
       beta == 0 the old c is not read. */                                                                             \
    X(void, sgemm, (bool transpose_a, bool transpose_b, int m, int n, int k, const float *a, int lda, const float *b,  \
                    int ldb, float beta, float *c, int ldc))                                                           \
    /* y[i,j] = f(y[i,j] + bias[j]) in place; bias may be NULL. */                                                     \
    X(void, bias, (size_t rows, int columns, const float *bias, dcnn_fused fused, float *y))                           \
    /* sums[j] = sum over i of x[i,j]. */                                                                              \
    X(void, column_sums, (size_t rows, int columns, const float *x, float *sums))                                      \
    /* y[i,:] = softmax of x[i,:], stable; in place allowed. */                                                        \
    X(void, softmax_forward, (size_t rows, int columns, const float *x, float *y))                                     \
    /* dx[i,:] = y (dy - sum_j dy y) from softmax's own output y; in place allowed (dx == dy). */                      \
    X(void, softmax_backward, (size_t rows, int columns, const float *y, const float *dy, float *dx))                  \
    /* Softmax cross-entropy of logits x [rows,classes]: y = softmax(x); dx = y - onehot(label), the gradient of the   \
       SUM of losses (may be NULL; may be x); *loss = sum of -log softmax(x)[label] in double; *correct = rows whose   \
       first largest logit is the label. A NaN in x gives a NaN loss. */                                               \
    X(void, cross_entropy, (size_t rows, int classes, const float *x, const int32_t *labels, float *y, float *dx,      \
                            double *loss, int64_t *correct))                                                           \
    /* --- dense layers: x [rows,in] * w [in,units] ------------------------------------------------------------- */   \
    /* Floats of scratch of the two kernels below; floats of `packed`, w in whatever form the kernels like beside w    \
       itself (often none). */                                                                                         \
    X(size_t, dense_scratch, (int rows, int in, int units))                                                            \
    X(size_t, dense_packed, (int in, int units))                                                                       \
    /* Once a step: w -> packed. `part` of `parts` workers does its share; shares are disjoint. */                     \
    X(void, dense_pack, (int in, int units, const float *w, float *packed, int part, int parts))                       \
    /* y [rows,units] = f(x * w + bias); bias may be NULL. */                                                          \
    X(void, dense_forward, (int rows, int in, int units, const float *x, const float *w, const float *packed,          \
                            const float *bias, dcnn_fused fused, float *y, float *scratch))                            \
    /* From dy (gradient behind the activation's own backward): dx [rows,in], dw [in,units] and dbias [units], written; \
       any may be NULL: not wanted. */                                                                                 \
    X(void, dense_backward, (int rows, int in, int units, const float *x, const float *w, const float *packed,         \
                             const float *dy, float *dx, float *dw, float *dbias, float *scratch))                     \
    /* --- convolution ------------------------------------------------------------------------------------------ */ \
    /* Floats of scratch that the three kernels below need for this shape (the largest of them). */                    \
    X(size_t, conv_scratch, (const dcnn_conv *shape))                                                                  \
    /* Floats of `packed`: w in whatever form the kernels like. */                                                     \
    X(size_t, conv_packed, (const dcnn_conv *shape))                                                                   \
    /* Once a step: w -> packed, for any n. `part` of `parts` workers does its share; shares are disjoint. */          \
    X(void, conv_pack, (const dcnn_conv *shape, const float *w, float *packed, int part, int parts))                   \
    /* y = f(x * w + bias); bias may be NULL. */                                                                       \
    X(void, conv_forward, (const dcnn_conv *shape, const float *x, const float *packed, const float *bias,             \
                           dcnn_fused fused, float *y, float *scratch))                                                \
    /* dx from dy (gradient behind the activation's own backward). */                                                  \
    X(void, conv_backward_input, (const dcnn_conv *shape, const float *dy, const float *packed, float *dx,             \
                                  float *scratch))                                                                     \
    /* dw [R,S,C,K] = sum over the grain, written, not added; dbias [K] likewise, or NULL. */                          \
    X(void, conv_backward_filter, (const dcnn_conv *shape, const float *x, const float *dy, float *dw, float *dbias,   \
                                   float *scratch))                                                                    \
    /* Both of them at once, which may share work; dx, or dw with dbias, may be NULL: not wanted. */                   \
    X(void, conv_backward, (const dcnn_conv *shape, const float *x, const float *packed, const float *dy, float *dx,   \
                            float *dw, float *dbias, float *scratch))                                                  \
    /* May x and y be numbers of bf16, and a ReLU's gradient be left to the kernel below? It is called only if so. */   \
    X(bool, conv_halves, (const dcnn_conv *shape))                                                                     \
    /* conv_backward behind a fused ReLU: y is what conv_forward made, dy the gradient behind the ReLU. */             \
    X(void, conv_relu_backward, (const dcnn_conv *shape, const float *x, const float *packed, const float *y,          \
                                 const float *dy, float *dx, float *dw, float *dbias, float *scratch))                 \
    /* --- convolution with dilation and groups: w [R,S,C/groups,K]; a depthwise one has as many groups as channels -- */\
    /* y = x * w + bias; bias may be NULL. */                                                                          \
    X(void, general_forward, (const dcnn_conv *shape, const float *x, const float *w, const float *bias, float *y))    \
    /* dx from dy, and dw from x and dy, written. */                                                                   \
    X(void, general_backward_input, (const dcnn_conv *shape, const float *dy, const float *w, float *dx))              \
    X(void, general_backward_filter, (const dcnn_conv *shape, const float *x, const float *dy, float *dw))             \
    /* products [RSC+1,RSC+1] = sum of p p^T over all output positions, in double; a position's p are the R S C inputs \
       under the filter, zeros outside the image, and a 1 behind them. All sums that a BatchNormalization behind the   \
       convolution needs follow from them and the filters. For 3x3, C <= DCNN_PATCH_CHANNELS, no dilation, no groups. */\
    X(void, patch_products, (const dcnn_conv *shape, const float *x, double *products))                                \
    /* --- convolution + bias + ReLU + MaxPooling 2x2 (stride 2, valid) fused ----------------------------------- */   \
    /* Only the outputs that pooling reads are made. The input is seen through a per-channel affine map                \
       x' = x * in_scale[c] + in_shift[c] (a BatchNormalization before it), or as it is when in_scale is NULL; padding \
       zeros are zeros of x'. PH = OH / 2, PW = OW / 2. `packed` is w in whatever form the kernel likes.               \
       Is this shape done by the fused kernels? Those below are called only if so. */                                  \
    X(bool, conv_pool_fits, (const dcnn_conv *shape))                                                                  \
    X(size_t, conv_pool_scratch, (const dcnn_conv *shape))                                                             \
    X(size_t, conv_pool_packed, (const dcnn_conv *shape))                                                              \
    /* Once a step: w -> packed. `part` of `parts` workers does its share; shares are disjoint. */                     \
    X(void, conv_pool_pack, (const dcnn_conv *shape, const float *w, float *packed, int part, int parts))              \
    /* y [N,PH,PW,K] = maxpool(relu(x' * w + bias)); argmax [N,PH,PW,K]: 0..3 = row * 2 + column of the first largest  \
       cell of the window, DCNN_SHUT where y == 0. argmax may be NULL (inference). With shape->mean                    \
       y = averagepool(relu(x' * w + bias)), and of argmax bit row * 2 + column is set where that cell is above 0. With \
       shape->inference argmax is NULL, scratch and `packed` are those of that shape, and there is no backward. */     \
    X(void, conv_pool_forward, (const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,  \
                                const float *packed, const float *bias, float *y, uint8_t *argmax, float *scratch))    \
    /* From dy [N,PH,PW,K]: dw [R,S,C,K] and dbias [K] written, and dx [N,H,W,C] = gradient of x' (NULL: not wanted). */ \
    X(void, conv_pool_backward, (const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift, \
                                 const float *packed, const uint8_t *argmax, const float *dy, float *dx, float *dw,    \
                                 float *dbias, float *scratch))                                                        \
    /* --- convolution + bias + MaxPooling of any window fused -------------------------------------------------- */   \
    /* `pool` is that of the convolution's outputs: n, OH, OW and K are its n, h, w and c. x' and `packed` are as above. \
       Is this done by the kernels below? They are called only if so. */                                               \
    X(bool, conv_max_fits, (const dcnn_conv *shape, const dcnn_pool *pool))                                            \
    X(size_t, conv_max_scratch, (const dcnn_conv *shape, const dcnn_pool *pool))                                       \
    X(size_t, conv_max_packed, (const dcnn_conv *shape, const dcnn_pool *pool))                                        \
    X(void, conv_max_pack, (const dcnn_conv *shape, const dcnn_pool *pool, const float *w, float *packed, int part,    \
                            int parts))                                                                                \
    /* y [N,PH,PW,K] = maxpool(x' * w + bias); bias may be NULL. argmax [N,PH,PW,K] = row * S + column in the window   \
       of the first largest cell; may be NULL. */                                                                      \
    X(void, conv_max_forward, (const dcnn_conv *shape, const dcnn_pool *pool, const float *x, const float *in_scale,   \
                               const float *in_shift, const float *packed, const float *bias, float *y,                \
                               uint8_t *argmax, float *scratch))                                                       \
    /* The same of the first smallest cell of each window too: y [2,N,PH,PW,K], argmax [2,N,PH,PW,K] or NULL, in each    \
       the largest first. */                                                                                           \
    X(void, conv_extremes_forward, (const dcnn_conv *shape, const dcnn_pool *pool, const float *x,                     \
                                    const float *in_scale, const float *in_shift, const float *packed,                 \
                                    const float *bias, float *y, uint8_t *argmax, float *scratch))                     \
    /* Of two arguments each, x [2,count], the second not above the first, that at which GELU, SiLU, hard SiLU or Mish is \
       larger; the first where both are alike or one is NaN. y [count] = the function there. In training slope [count] = its slope there, and of     \
       codes [2,count] the taken one comes first; NULL at inference. */                                                 \
    X(void, take_better, (dcnn_function function, size_t count, const float *x, float *y, float *slope,                \
                          uint8_t *codes))                                                                             \
    /* dx = factors * dy. */                                                                                           \
    X(void, scale_by, (size_t count, const float *factors, const float *dy, float *dx))                                \
    /* From dy [N,PH,PW,K]: dx [N,H,W,C] = gradient of x', dw [R,S,C,K], dbias [K]; any may be NULL: not wanted. Where \
       dy is 0, a NaN in x' or w may be lost. */                                                \
    X(void, conv_max_backward, (const dcnn_conv *shape, const dcnn_pool *pool, const float *x, const float *in_scale,  \
                                const float *in_shift, const float *packed, const uint8_t *argmax, const float *dy,    \
                                float *dx, float *dw, float *dbias, float *scratch))                                   \
    /* --- pooling ---------------------------------------------------------------------------------------------- */ \
    /* argmax [N,OH,OW,C] = row * S + column in the window of the first largest cell; may be NULL. */                  \
    X(void, max_pool_forward, (const dcnn_pool *shape, const float *x, float *y, uint16_t *argmax))                    \
    X(void, max_pool_backward, (const dcnn_pool *shape, const uint16_t *argmax, const float *dy, float *dx))           \
    /* Means over the cells inside the image. */                                                                       \
    X(void, average_pool_forward, (const dcnn_pool *shape, const float *x, float *y))                                  \
    X(void, average_pool_backward, (const dcnn_pool *shape, const float *dy, float *dx))                               \
    /* --- BatchNormalization over rows x channels -------------------------------------------------------------- */ \
    /* sums[0..c) = sum of x, sums[c..2c) = sum of x^2, per channel, in double. */                                     \
    X(void, moments, (size_t rows, int channels, const float *x, double *sums))                                        \
    /* The same of numbers of bf16. */                                                                                 \
    X(void, half_moments, (size_t rows, int channels, const uint16_t *x, double *sums))                                    \
    /* y = x * scale[c] + shift[c]; in place allowed. */                                                               \
    X(void, affine, (size_t rows, int channels, const float *x, const float *scale, const float *shift, float *y))     \
    /* sums[0..c) = sum of dy, sums[c..2c) = sum of dy * (x - mean[c]) * inverse_deviation[c], in double. */           \
    X(void, gradient_moments, (size_t rows, int channels, const float *x, const float *dy, const float *mean,          \
                               const float *inverse_deviation, double *sums))                                          \
    /* dx = a[c] * dy + b[c] * x + e[c]: the closed form of BatchNormalization's input gradient. dx == dy allowed. */  \
    X(void, affine_backward, (size_t rows, int channels, const float *x, const float *dy, const float *a,              \
                              const float *b, const float *e, float *dx))                                              \
    /* BatchNormalization, ReLU and, with windows of 2x2 (stride 2, valid) in place of 1x1, MaxPooling in one pass.    \
       y [N,OH,OW,C] = maxpool(relu(x * scale[c] + shift[c])); argmax [N,OH,OW,C] as of conv_pool_forward, of windows  \
       of 2x2 only; may be NULL. A NaN passes. */                                                                      \
    X(void, norm_relu_forward, (const dcnn_pool *shape, const float *x, const float *scale, const float *shift,        \
                                float *y, uint8_t *argmax))                                                            \
    /* What gradient_moments makes of the gradient g in front of the ReLU, from dy [N,OH,OW,C] behind the pooling: the \
       windows' argmax says where it goes, without windows the sign of x * scale[c] + shift[c]. */                     \
    X(void, norm_relu_sums, (const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,           \
                             const float *scale, const float *shift, const float *mean,                                \
                             const float *inverse_deviation, double *sums))                                            \
    /* dx = a[c] * g + b[c] * x + e[c]. */                                                                             \
    X(void, norm_relu_backward, (const dcnn_pool *shape, const float *x, const float *dy, const uint8_t *argmax,       \
                                 const float *scale, const float *shift, const float *a, const float *b,               \
                                 const float *e, float *dx))                                                           \
    /* --- images --------------------------------------------------------------------------------------------- */ \
    /* y [pixels,C] = x * scale[c] + shift[c] from bytes. */                                                           \
    X(void, normalise, (size_t pixels, int channels, const uint8_t *x, const float *scale, const float *shift,         \
                        float *y))                                                                                     \
    /* One image through an affine map: y[i,j] = bilinear(x, map * (i, j, 1)), row = map[0] i + map[1] j + map[2],   \
       column = map[3] i + map[4] j + map[5]; outside, the nearest edge pixel; then scale and shift as above. */       \
    X(void, warp, (int h, int w, int c, const uint8_t *x, const float map[6], const float *scale, const float *shift,  \
                   float *y))                                                                                          \
    /* The same with a point of its own for each pixel: y[i,j] = bilinear(x, rows[i,j], columns[i,j]). */              \
    X(void, remap, (int h, int w, int c, const uint8_t *x, const float *rows, const float *columns,                    \
                    const float *scale, const float *shift, float *y))                                                 \
    /* Colours of an image of bytes as floats, in place: v = factor y + offset, of 3 channels factor [3,3] times the  \
       pixel, else factor [C] times each channel; v into 0..255; y = v * scale[c] + shift[c]. */                       \
    X(void, recolour, (size_t pixels, int channels, const float *factor, const float *offset, const float *scale,      \
                       const float *shift, float *y))                                                                  \
    /* --- the machine ------------------------------------------------------------------------------------------ */   \
    /* c[i] = c[i] * a + b, `rounds` times over, i < DCNN_PROBE: work out of registers only, a core's peak. */         \
    X(void, probe, (size_t rounds, float a, float b, float *c))
/* clang-format on */

#define DCNN_KERNEL_FIELD(result, name, arguments) result(*name) arguments;

/** The table: one pointer a kernel, plus its name for logs. Read-only; dcnn_kernels_of() gives it. */
typedef struct dcnn_kernels {
    const char *isa;                 /**< dcnn_isa_name() */
    const char *precision;           /**< "fp32", "bf16" */
    const struct dcnn_kernels *bf16; /**< the same instruction set's for products of bf16 */
    DCNN_KERNEL_LIST(DCNN_KERNEL_FIELD)
} dcnn_kernels;

/** Instruction sets in rising order (isas.h), the plain loops before them; a rank's number is what ranks agree on (law
 * 2: the lowest that any has). */
#define DCNN_ISA_ID(id, ...) DCNN_ISA_##id,
typedef enum dcnn_isa { DCNN_ISA_REFERENCE, DCNN_ISAS(DCNN_ISA_ID) DCNN_ISA_COUNT } dcnn_isa;
#undef DCNN_ISA_ID

/** What the operands of products are rounded to; sums and weights are fp32 with either, values between operations that
 * say so (conv_halves) may be bf16 (bf16.h). */
typedef enum dcnn_precision { DCNN_FP32, DCNN_BF16, DCNN_PRECISION_COUNT } dcnn_precision;

/** "reference", or the name in isas.h. *Local.* */
const char *dcnn_isa_name(dcnn_isa isa);

/** The core type as which OpenBLAS is fastest on such a CPU, or "". *Local.* */
const char *dcnn_isa_core(dcnn_isa isa);

/** "fp32", "bf16". *Local.* */
const char *dcnn_precision_name(dcnn_precision precision);

/** The best instruction set that this CPU, its operating system and this build have. Asks the system to let this
 * process use AMX's tiles where there are any. *Local.* */
dcnn_isa dcnn_isa_best(void);

/** Is `name` one of the instruction sets that make the same bits, fp32 and bf16? "reference" is none. *Local.* */
bool dcnn_isa_agrees(const char *name);

/** Can this CPU, its operating system and this build run it? *Local.* */
bool dcnn_isa_runs(dcnn_isa isa);

/**
 * The instruction set to use: `DCNN_ISA` from the environment if set, else the best. *Local.*
 * @return DCNN_USAGE if DCNN_ISA is unknown or this CPU cannot run it
 */
dcnn_status dcnn_isa_choose(dcnn_isa *isa);

/** The fp32 table of an instruction set that dcnn_isa_runs() allows. Lives for ever. *Local.* */
const dcnn_kernels *dcnn_kernels_of(dcnn_isa isa);

/** The same in any precision. */
const dcnn_kernels *dcnn_kernels_for(dcnn_isa isa, dcnn_precision precision);

/* --- OpenBLAS --------------------------------------------------------------------------------------------------- */

/** The core type OpenBLAS runs, e.g. "SkylakeX". *Local.* */
const char *dcnn_blas_core(void);

/** OpenBLAS' version and configuration. *Local.* */
const char *dcnn_blas_version(void);

/**
 * The `OPENBLAS_CORETYPE` that this CPU deserves, or NULL if OpenBLAS chose well or the user has said otherwise.
 * Debian's 0.3.21 takes CPUs newer than itself for a Prescott and is then five times slower; the variable is read when
 * the library is loaded, so the program sets it and executes itself once more, before MPI_Init. *Local.*
 */
const char *dcnn_blas_better_core(void);

/**
 * Would a process that ends now perhaps wait for OpenBLAS's own threads for ever? They start with the library, one a
 * core, and each asks for 128 MiB of address space again and again until it is there; exit() joins them. *Local.*
 */
bool dcnn_blas_may_wait_at_exit(void);

#endif
