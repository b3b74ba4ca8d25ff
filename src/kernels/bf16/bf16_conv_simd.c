/* SPDX-License-Identifier: BSD-3-Clause */
/* bf16_conv_simd.c — the bf16 table's rows. A dense layer is a convolution of 1x1 on images of 1x1. */
#include "kernels/bf16/bf16_conv_simd.h"
#include "kernels/register.h"

#define FORWARD      DCNN_SIMD_NAME(dcnn_bf16_forward)
#define POOL_FORWARD DCNN_SIMD_NAME(dcnn_bf16_pool_forward)
#define BACKWARD     DCNN_SIMD_NAME(dcnn_bf16_backward)
#define PACK         DCNN_SIMD_NAME(dcnn_bf16_pack)

/* What fp32 does, for shapes that stay with it: the table as it was. */
static dcnn_kernels fp32;

static size_t conv_scratch(const dcnn_conv *shape) {
    return bf16_pays(shape) ? scratch_of(shape, false) : fp32.conv_scratch(shape);
}

static size_t conv_packed(const dcnn_conv *shape) {
    return bf16_pays(shape) ? packed_floats(shape) : fp32.conv_packed(shape);
}

static void conv_pack(const dcnn_conv *shape, const float *w, float *packed, int part, int parts) {
    (bf16_pays(shape) ? PACK : fp32.conv_pack)(shape, w, packed, part, parts);
}

static void conv_forward(const dcnn_conv *shape, const float *x, const float *packed, const float *bias,
                         dcnn_fused fused, float *y, float *scratch) {
    (bf16_pays(shape) ? FORWARD : fp32.conv_forward)(shape, x, packed, bias, fused, y, scratch);
}

static void conv_backward_input(const dcnn_conv *shape, const float *dy, const float *packed, float *dx,
                                float *scratch) {
    if (bf16_pays(shape))
        BACKWARD(shape, &(bf16_backward_task){.outputs = {.dy = dy}, .packed = packed, .dx = dx}, scratch);
    else
        fp32.conv_backward_input(shape, dy, packed, dx, scratch);
}

static void conv_backward_filter(const dcnn_conv *shape, const float *x, const float *dy, float *dw, float *dbias,
                                 float *scratch) {
    if (bf16_pays(shape))
        BACKWARD(shape, &(bf16_backward_task){.x = x, .outputs = {.dy = dy}, .dw = dw, .dbias = dbias}, scratch);
    else
        fp32.conv_backward_filter(shape, x, dy, dw, dbias, scratch);
}

static void conv_backward(const dcnn_conv *shape, const float *x, const float *packed, const float *dy, float *dx,
                          float *dw, float *dbias, float *scratch) {
    if (bf16_pays(shape))
        BACKWARD(
            shape,
            &(bf16_backward_task){.x = x, .packed = packed, .outputs = {.dy = dy}, .dx = dx, .dw = dw, .dbias = dbias},
            scratch);
    else
        fp32.conv_backward(shape, x, packed, dy, dx, dw, dbias, scratch);
}

static bool conv_halves(const dcnn_conv *shape) {
    return bf16_pays(shape);
}

static void conv_relu_backward(const dcnn_conv *shape, const float *x, const float *packed, const float *y,
                               const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    BACKWARD(shape,
             &(bf16_backward_task){
                 .x = x, .packed = packed, .outputs = {.y = y, .dy = dy}, .dx = dx, .dw = dw, .dbias = dbias},
             scratch);
}

static bool pool_fits(const dcnn_conv *shape) {
    return bf16_pays(shape) ? shape->oh >= 2 && shape->ow >= 2 && !shape->mean : fp32.conv_pool_fits(shape);
}

/* Not in bf16: there such a pooling is an operation of its own. */
static bool max_fits(const dcnn_conv *shape, const dcnn_pool *pool) {
    return !bf16_pays(shape) && fp32.conv_max_fits(shape, pool);
}

static size_t pool_scratch(const dcnn_conv *shape) {
    return bf16_pays(shape) ? scratch_of(shape, true) : fp32.conv_pool_scratch(shape);
}

static size_t pool_packed(const dcnn_conv *shape) {
    return bf16_pays(shape) ? packed_floats(shape) : fp32.conv_pool_packed(shape);
}

static void pool_pack(const dcnn_conv *shape, const float *w, float *packed, int part, int parts) {
    (bf16_pays(shape) ? PACK : fp32.conv_pool_pack)(shape, w, packed, part, parts);
}

static void conv_pool_forward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                              const float *packed, const float *bias, float *y, uint8_t *argmax, float *scratch) {
    (bf16_pays(shape) ? POOL_FORWARD : fp32.conv_pool_forward)(shape, x, in_scale, in_shift, packed, bias, y, argmax,
                                                               scratch);
}

static void conv_pool_backward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                               const float *packed, const uint8_t *argmax, const float *dy, float *dx, float *dw,
                               float *dbias, float *scratch) {
    if (!bf16_pays(shape)) {
        fp32.conv_pool_backward(shape, x, in_scale, in_shift, packed, argmax, dy, dx, dw, dbias, scratch);
        return;
    }
    BACKWARD(shape,
             &(bf16_backward_task){.x = x,
                                   .in_scale = in_scale,
                                   .in_shift = in_shift,
                                   .packed = packed,
                                   .outputs = {.dy = dy, .argmax = argmax},
                                   .dx = dx,
                                   .dw = dw,
                                   .dbias = dbias},
             scratch);
}

/* A dense layer's view: images of one pixel. */
static dcnn_conv dense_shape(int rows, int in, int units) {
    return (dcnn_conv){
        .n = rows, .h = 1, .w = 1, .c = in, .k = units, .r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .oh = 1, .ow = 1};
}

static size_t dense_scratch(int rows, int in, int units) {
    const dcnn_conv shape = dense_shape(rows, in, units);
    return scratch_of(&shape, false);
}

static size_t dense_packed(int in, int units) {
    const dcnn_conv shape = dense_shape(1, in, units);
    return packed_floats(&shape);
}

static void dense_pack(int in, int units, const float *w, float *packed, int part, int parts) {
    const dcnn_conv shape = dense_shape(1, in, units);
    PACK(&shape, w, packed, part, parts);
}

static void dense_forward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                          const float *bias, dcnn_fused fused, float *y, float *scratch) {
    (void)w;
    const dcnn_conv shape = dense_shape(rows, in, units);
    FORWARD(&shape, x, packed, bias, fused, y, scratch);
}

static void dense_backward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                           const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    (void)w;
    const dcnn_conv shape = dense_shape(rows, in, units);
    BACKWARD(&shape,
             &(bf16_backward_task){.x = x, .packed = packed, .outputs = {.dy = dy}, .dx = dx, .dw = dw, .dbias = dbias},
             scratch);
}

void DCNN_SIMD_NAME(dcnn_register_bf16)(dcnn_kernels *table) {
    fp32 = *table;
    table->dense_scratch = dense_scratch;
    table->dense_packed = dense_packed;
    table->dense_pack = dense_pack;
    table->dense_forward = dense_forward;
    table->dense_backward = dense_backward;
    table->conv_scratch = conv_scratch;
    table->conv_packed = conv_packed;
    table->conv_pack = conv_pack;
    table->conv_forward = conv_forward;
    table->conv_backward_input = conv_backward_input;
    table->conv_backward_filter = conv_backward_filter;
    table->conv_backward = conv_backward;
    table->conv_halves = conv_halves;
    table->conv_relu_backward = conv_relu_backward;
    table->conv_pool_fits = pool_fits;
    table->conv_max_fits = max_fits;
    table->conv_pool_scratch = pool_scratch;
    table->conv_pool_packed = pool_packed;
    table->conv_pool_pack = pool_pack;
    table->conv_pool_forward = conv_pool_forward;
    table->conv_pool_backward = conv_pool_backward;
}
