/* SPDX-License-Identifier: BSD-3-Clause */
/* dense_simd.c — dense layers as 1x1 convolutions of images of one pixel: the same packed weights, the same products.
 *
 * A sum over a long depth is made in parts of one length, each from zero and then added, so that a part of a panel of
 * weights stays in L1. Where it is cut follows from the layer's size alone, never from rows or the instruction set. */
#include "kernels/conv/conv_simd.h"
#include "kernels/register.h"

enum {
    PART_FLOATS = 12 * 1024, /* of weights of a panel of up to PANEL columns */
    PANEL = 32,
    LEAST_PANEL = 16,
    SUMS_ROW = ACROSS_VECTORS * V,
};

static dcnn_conv shape_of(int rows, int in, int units) {
    return (dcnn_conv){
        .n = rows, .h = 1, .w = 1, .c = in, .k = units, .r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .oh = 1, .ow = 1};
}

static size_t packed_floats(size_t depth, size_t columns) {
    return whole_lines(depth * divide_up(columns, V) * V);
}

static size_t dense_scratch(int rows, int in, int units) {
    const dcnn_conv shape = shape_of(rows, in, units);
    return DCNN_SIMD_NAME(dcnn_conv_direct_scratch)(&shape);
}

static size_t dense_packed(int in, int units) {
    const dcnn_conv shape = shape_of(1, in, units);
    return DCNN_SIMD_NAME(dcnn_conv_direct_packed)(&shape);
}

static void dense_pack(int in, int units, const float *w, float *packed, int part, int parts) {
    const dcnn_conv shape = shape_of(1, in, units);
    DCNN_SIMD_NAME(dcnn_conv_direct_pack)(&shape, w, packed, part, parts);
}

static size_t parts_of(size_t depth, size_t columns) {
    const size_t panel = columns <= LEAST_PANEL ? LEAST_PANEL : PANEL;
    return divide_up(depth, PART_FLOATS / panel);
}

/* out [rows][columns] = left [rows][depth] * packed [pair of vectors][depth][width]. */
static void multiply(size_t rows, size_t depth, size_t columns, const float *left, const float *packed, float *out) {
    const size_t vectors = divide_up(columns, V), panels = divide_up(rows, ACROSS_ROWS),
                 parts = parts_of(depth, columns);
    float sums[ACROSS_ROWS * SUMS_ROW];
    product p = {.segments = 1, .left_row = depth, .left_step = 1};
    for (size_t vector = 0; vector < vectors; vector += 2) {
        const size_t width = least(2, vectors - vector), lanes = lanes_of(columns, vector + width - 1);
        p.right_step = width * V;
        for (size_t part = 0; part < parts; part++) {
            const size_t from = share_start(depth, part, parts);
            p.depth = share_start(depth, part + 1, parts) - from;
            p.right = packed + vector * depth * V + from * width * V;
            for (size_t panel = 0; panel < panels; panel++) {
                const size_t first = share_start(rows, panel, panels), end = share_start(rows, panel + 1, panels);
                float *to = out + first * columns + vector * V;
                p.left = left + first * depth + from;
                p.out = part == 0 ? to : sums;
                p.out_row = part == 0 ? columns : SUMS_ROW;
                p.lanes = lanes;
                DCNN_SIMD_NAME(dcnn_product_across)(end - first, width, &p);
                if (part == 0) continue;
                for (size_t i = 0; i < end - first; i++)
                    for (size_t j = 0; j < (width - 1) * V + lanes; j++) to[i * columns + j] += sums[i * SUMS_ROW + j];
            }
        }
    }
}

static void dense_forward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                          const float *bias, dcnn_fused fused, float *y, float *scratch) {
    (void)w, (void)scratch;
    multiply((size_t)rows, (size_t)in, (size_t)units, x, packed, y);
    DCNN_SIMD_NAME(dcnn_bias)((size_t)rows, units, bias, fused, y);
}

static void dense_backward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                           const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    (void)w;
    const dcnn_conv shape = shape_of(rows, in, units);
    if (dw != NULL) DCNN_SIMD_NAME(dcnn_conv_direct_backward_filter)(&shape, x, dy, dw, scratch);
    if (dbias != NULL) DCNN_SIMD_NAME(dcnn_column_sums)((size_t)rows, units, dy, dbias);
    if (dx != NULL)
        multiply((size_t)rows, (size_t)units, (size_t)in, dy, packed + packed_floats((size_t)in, (size_t)units), dx);
}

void DCNN_SIMD_NAME(dcnn_register_dense)(dcnn_kernels *table) {
    table->dense_scratch = dense_scratch;
    table->dense_packed = dense_packed;
    table->dense_pack = dense_pack;
    table->dense_forward = dense_forward;
    table->dense_backward = dense_backward;
}
