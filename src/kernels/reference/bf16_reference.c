/* SPDX-License-Identifier: BSD-3-Clause */
/* bf16_reference.c — convolutions of bf16 operands in plain loops, in the order of additions that bf16.h defines. */
#include "kernels/bf16.h"
#include "kernels/register.h"

/* A sum on its way: the chunk that is being added, and what is complete. */
typedef struct chain {
    size_t depth;
    float even, odd, sum;
} chain;

static void end_chunk(chain *c) {
    if (c->depth > 0) c->sum = bf16_add(c->sum, bf16_add(c->even, c->odd));
    c->depth = 0;
    c->even = c->odd = 0.0f;
}

static void push(chain *c, float a, float b) {
    const uint16_t left = bf16_round(a), right = bf16_round(b);
    float *half = c->depth % 2 == 0 ? &c->even : &c->odd;
    *half = bf16_multiply_add(left, right, *half);
    if (++c->depth == BF16_CHUNK) end_chunk(c);
}

/* x [N,H,W,C] seen through the affine map, zero outside. */
static float input_at(const dcnn_conv *shape, const float *x, const float *scale, const float *shift, int n, int i,
                      int j, int c) {
    if (i < 0 || j < 0 || i >= shape->h || j >= shape->w) return 0.0f;
    const float value = bf16_read(x, shape->x_half, (size_t)(((n * shape->h + i) * shape->w + j) * shape->c + c));
    return scale ? fmaf(value, scale[c], shift[c]) : value;
}

static float output_at(const dcnn_conv *shape, const float *x, const float *scale, const float *shift, const float *w,
                       int n, int i, int j, int k) {
    chain sum = {0};
    for (int r = 0; r < shape->r; r++)
        for (int s = 0; s < shape->s; s++) {
            for (int c = 0; c < shape->c; c++)
                push(&sum,
                     input_at(shape, x, scale, shift, n, i * shape->stride_h - shape->pad_h + r,
                              j * shape->stride_w - shape->pad_w + s, c),
                     w[((r * shape->s + s) * shape->c + c) * shape->k + k]);
            if (!bf16_takes_patches(shape)) end_chunk(&sum);
        }
    end_chunk(&sum);
    return sum.sum;
}

/* dy [N,OH,OW,K], where y, if given, is positive, or through argmax [N,OH/2,OW/2,K] of the pooling behind; zero
 * outside.
 */
typedef struct gradient {
    const float *y, *dy;
    const uint8_t *argmax;
} gradient;

static float passed_at(const dcnn_conv *shape, const gradient *g, size_t at) {
    return g->y && !(bf16_read(g->y, shape->y_half, at) > 0.0f) ? 0.0f : bf16_read(g->dy, shape->y_half, at);
}

static float gradient_at(const dcnn_conv *shape, const gradient *g, int n, int i, int j, int k) {
    const int h = g->argmax ? shape->oh / 2 * 2 : shape->oh, w = g->argmax ? shape->ow / 2 * 2 : shape->ow;
    if (i < 0 || j < 0 || i >= h || j >= w) return 0.0f;
    if (g->argmax == NULL) return passed_at(shape, g, (size_t)(((n * h + i) * w + j) * shape->k + k));
    const int at = ((n * (h / 2) + i / 2) * (w / 2) + j / 2) * shape->k + k;
    return g->argmax[at] == i % 2 * 2 + j % 2 ? g->dy[at] : 0.0f;
}

static float dx_at(const dcnn_conv *shape, const gradient *g, const float *w, int n, int i, int j, int c) {
    chain sum = {0};
    for (int r = (i + shape->pad_h) % shape->stride_h; r < shape->r; r += shape->stride_h)
        for (int s = (j + shape->pad_w) % shape->stride_w; s < shape->s; s += shape->stride_w) {
            const int row = i + shape->pad_h - r, column = j + shape->pad_w - s;
            for (int k = 0; k < shape->k; k++)
                push(&sum,
                     row < 0 || column < 0
                         ? 0.0f
                         : gradient_at(shape, g, n, row / shape->stride_h, column / shape->stride_w, k),
                     w[((r * shape->s + s) * shape->c + c) * shape->k + k]);
            end_chunk(&sum);
        }
    return sum.sum;
}

static float dw_at(const dcnn_conv *shape, const float *x, const float *scale, const float *shift, const gradient *dy,
                   int r, int s, int c, int k) {
    const dcnn_conv inner = bf16_inner(shape);
    const bf16_gathered g = bf16_gathered_of(&inner, dy->argmax != NULL);
    chain sum = {0};
    for (int image = 0; image < shape->n; image += (int)g.images)
        for (size_t line = 0; line < g.lines; line++) {
            for (size_t row = 0; row < g.line; row++) {
                const int n = image + (int)(row % g.images);
                const size_t pixel = line * g.ow + row / g.images;
                const int i = (int)(pixel / g.ow), j = (int)(pixel % g.ow);
                if (n < shape->n)
                    push(&sum,
                         input_at(shape, x, scale, shift, n, i * shape->stride_h - shape->pad_h + r,
                                  j * shape->stride_w - shape->pad_w + s, c),
                         gradient_at(shape, dy, n, i, j, k));
                else
                    push(&sum, 0.0f, 0.0f);
            }
            end_chunk(&sum);
        }
    return sum.sum;
}

/* What fp32 does, for shapes that stay with it: the table as it was. */
static dcnn_kernels fp32;

static void conv_forward(const dcnn_conv *shape, const float *x, const float *packed, const float *bias,
                         dcnn_fused fused, float *y, float *scratch) {
    if (!bf16_pays(shape)) {
        fp32.conv_forward(shape, x, packed, bias, fused, y, scratch);
        return;
    }
    size_t at = 0;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh; i++)
            for (int j = 0; j < shape->ow; j++)
                for (int k = 0; k < shape->k; k++) {
                    const float sum = output_at(shape, x, NULL, NULL, packed, n, i, j, k) + (bias ? bias[k] : 0.0f);
                    bf16_write(y, shape->y_half, at++, fused == DCNN_FUSED_RELU && sum < 0.0f ? 0.0f : sum);
                }
}

static void input_gradient(const dcnn_conv *shape, const gradient *g, const float *w, float *dx) {
    size_t at = 0;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->h; i++)
            for (int j = 0; j < shape->w; j++)
                for (int c = 0; c < shape->c; c++) bf16_write(dx, shape->x_half, at++, dx_at(shape, g, w, n, i, j, c));
}

static void filter_gradient(const dcnn_conv *shape, const float *x, const float *scale, const float *shift,
                            const gradient *g, float *dw, float *dbias) {
    for (int r = 0; r < shape->r; r++)
        for (int s = 0; s < shape->s; s++)
            for (int c = 0; c < shape->c; c++)
                for (int k = 0; k < shape->k; k++) *dw++ = dw_at(shape, x, scale, shift, g, r, s, c, k);
    const int shrunk = g->argmax ? 2 : 1;
    const size_t positions = (size_t)(shape->n * (shape->oh / shrunk) * (shape->ow / shrunk)), k = (size_t)shape->k;
    for (size_t j = 0; dbias && j < k; j++) {
        float sum = 0.0f;
        for (size_t i = 0; i < positions; i++)
            sum += g->argmax && g->argmax[i * k + j] == DCNN_SHUT ? 0.0f : passed_at(shape, g, i * k + j);
        dbias[j] = sum;
    }
}

static void conv_backward_input(const dcnn_conv *shape, const float *dy, const float *packed, float *dx,
                                float *scratch) {
    if (bf16_pays(shape))
        input_gradient(shape, &(gradient){.dy = dy}, packed, dx);
    else
        fp32.conv_backward_input(shape, dy, packed, dx, scratch);
}

static void conv_backward_filter(const dcnn_conv *shape, const float *x, const float *dy, float *dw, float *dbias,
                                 float *scratch) {
    if (bf16_pays(shape))
        filter_gradient(shape, x, NULL, NULL, &(gradient){.dy = dy}, dw, dbias);
    else
        fp32.conv_backward_filter(shape, x, dy, dw, dbias, scratch);
}

static void conv_backward(const dcnn_conv *shape, const float *x, const float *packed, const float *dy, float *dx,
                          float *dw, float *dbias, float *scratch) {
    if (dw != NULL) conv_backward_filter(shape, x, dy, dw, dbias, scratch);
    if (dx != NULL) conv_backward_input(shape, dy, packed, dx, scratch);
}

static bool conv_halves(const dcnn_conv *shape) {
    return bf16_pays(shape);
}

static void conv_relu_backward(const dcnn_conv *shape, const float *x, const float *packed, const float *y,
                               const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    (void)scratch;
    const gradient g = {.y = y, .dy = dy};
    if (dw) filter_gradient(shape, x, NULL, NULL, &g, dw, dbias);
    if (dx) input_gradient(shape, &g, packed, dx);
}

/* A mean's convolution is an operation of its own in bf16. */
static bool conv_pool_fits(const dcnn_conv *shape) {
    return !(bf16_pays(shape) && shape->mean) && fp32.conv_pool_fits(shape);
}

static void conv_pool_forward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                              const float *packed, const float *bias, float *y, uint8_t *argmax, float *scratch) {
    if (!bf16_pays(shape)) {
        fp32.conv_pool_forward(shape, x, in_scale, in_shift, packed, bias, y, argmax, scratch);
        return;
    }
    size_t at = 0;
    for (int n = 0; n < shape->n; n++)
        for (int i = 0; i < shape->oh / 2; i++)
            for (int j = 0; j < shape->ow / 2; j++)
                for (int k = 0; k < shape->k; k++, at++) {
                    float best = 0.0f;
                    int first = 0;
                    for (int cell = 0; cell < 4; cell++) {
                        const float value =
                            output_at(shape, x, in_scale, in_shift, packed, n, 2 * i + cell / 2, 2 * j + cell % 2, k);
                        if (cell > 0 && !(value > best || isnan(value))) continue;
                        best = value;
                        first = cell;
                    }
                    best += bias[k];
                    if (best <= 0.0f) best = 0.0f;
                    bf16_write(y, shape->y_half, at, best);
                    if (argmax) argmax[at] = (uint8_t)(best == 0.0f ? DCNN_SHUT : first);
                }
}

static void conv_pool_backward(const dcnn_conv *shape, const float *x, const float *in_scale, const float *in_shift,
                               const float *packed, const uint8_t *argmax, const float *dy, float *dx, float *dw,
                               float *dbias, float *scratch) {
    if (!bf16_pays(shape)) {
        fp32.conv_pool_backward(shape, x, in_scale, in_shift, packed, argmax, dy, dx, dw, dbias, scratch);
        return;
    }
    const gradient g = {.dy = dy, .argmax = argmax};
    filter_gradient(shape, x, in_scale, in_shift, &g, dw, dbias);
    if (dx) input_gradient(shape, &g, packed, dx);
}

static bool conv_max_fits(const dcnn_conv *shape, const dcnn_pool *pool) {
    return !bf16_pays(shape) && fp32.conv_max_fits(shape, pool);
}

/* Images of one pixel. */
static dcnn_conv dense_shape(int rows, int in, int units) {
    return (dcnn_conv){
        .n = rows, .h = 1, .w = 1, .c = in, .k = units, .r = 1, .s = 1, .stride_h = 1, .stride_w = 1, .oh = 1, .ow = 1};
}

static void dense_forward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                          const float *bias, dcnn_fused fused, float *y, float *scratch) {
    (void)packed;
    const dcnn_conv shape = dense_shape(rows, in, units);
    conv_forward(&shape, x, w, bias, fused, y, scratch);
}

static void dense_backward(int rows, int in, int units, const float *x, const float *w, const float *packed,
                           const float *dy, float *dx, float *dw, float *dbias, float *scratch) {
    (void)packed;
    const dcnn_conv shape = dense_shape(rows, in, units);
    if (dw) conv_backward_filter(&shape, x, dy, dw, dbias, scratch);
    if (dx) conv_backward_input(&shape, dy, w, dx, scratch);
}

void dcnn_register_bf16_reference(dcnn_kernels *table) {
    fp32 = *table;
    table->dense_forward = dense_forward;
    table->dense_backward = dense_backward;
    table->conv_forward = conv_forward;
    table->conv_backward_input = conv_backward_input;
    table->conv_backward_filter = conv_backward_filter;
    table->conv_backward = conv_backward;
    table->conv_halves = conv_halves;
    table->conv_relu_backward = conv_relu_backward;
    table->conv_pool_fits = conv_pool_fits;
    table->conv_pool_forward = conv_pool_forward;
    table->conv_pool_backward = conv_pool_backward;
    table->conv_max_fits = conv_max_fits;
}
