/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_winograd_simd.c — 3x3 convolutions by Winograd's tiles: of which size, for each direction by itself. Packed
 * weights are those for forward, then, but for inference, those for dx. */
#include "kernels/conv/conv_winograd_simd.h"

static size_t products_of(const winograd_tiles *tiles, size_t oh, size_t ow) {
    return divide_up(oh, tiles->tile) * divide_up(ow, tiles->tile) * tiles->edge * tiles->edge;
}

const winograd_tiles *DCNN_SIMD_NAME(dcnn_winograd_choose)(size_t oh, size_t ow, size_t *products) {
    const winograd_tiles *all[] = {&DCNN_SIMD_NAME(dcnn_winograd4), &DCNN_SIMD_NAME(dcnn_winograd3),
                                   &DCNN_SIMD_NAME(dcnn_winograd2)};
    const winograd_tiles *best = all[0];
    for (size_t i = 1; i < sizeof all / sizeof all[0]; i++)
        if (products_of(all[i], oh, ow) < products_of(best, oh, ow)) best = all[i];
    if (products) *products = products_of(best, oh, ow);
    return best;
}

static scheme complete(const winograd_tiles *tiles, scheme s) {
    s.rows = s.h;
    s.columns = s.w;
    s.tile_columns = divide_up(s.ow, tiles->tile);
    s.tiles = divide_up(s.oh, tiles->tile) * s.tile_columns;
    s.k_vectors = divide_up(s.k, V);
    return s;
}

scheme DCNN_SIMD_NAME(dcnn_winograd_forward_scheme)(const winograd_tiles *tiles, const dcnn_conv *shape) {
    return complete(tiles, (scheme){.images = (size_t)shape->n,
                                    .h = (size_t)shape->h,
                                    .w = (size_t)shape->w,
                                    .c = (size_t)shape->c,
                                    .oh = (size_t)shape->oh,
                                    .ow = (size_t)shape->ow,
                                    .k = (size_t)shape->k,
                                    .pad_h = shape->pad_h,
                                    .pad_w = shape->pad_w});
}

static scheme backward_scheme(const winograd_tiles *tiles, const dcnn_conv *shape) {
    return complete(tiles, (scheme){.images = (size_t)shape->n,
                                    .h = (size_t)shape->oh,
                                    .w = (size_t)shape->ow,
                                    .c = (size_t)shape->k,
                                    .oh = (size_t)shape->h,
                                    .ow = (size_t)shape->w,
                                    .k = (size_t)shape->c,
                                    .pad_h = 2 - shape->pad_h,
                                    .pad_w = 2 - shape->pad_w});
}

static const winograd_tiles *forward_tiles(const dcnn_conv *shape) {
    if (winograd_strides(shape)) return &DCNN_SIMD_NAME(dcnn_winograd_strided);
    return DCNN_SIMD_NAME(dcnn_winograd_choose)((size_t)shape->oh, (size_t)shape->ow, NULL);
}

size_t DCNN_SIMD_NAME(dcnn_conv_winograd_products)(const dcnn_conv *shape) {
    return products_of(forward_tiles(shape), (size_t)shape->oh, (size_t)shape->ow);
}

/* How dx is made: as a convolution of dy, whose outputs are all of x, or by the adjoint of forward's tiles, which cover
 * y. Where y is smaller (no padding), that takes fewer products: of 5x5 to 3x3 a fourth. */
typedef struct way_back {
    const winograd_tiles *tiles;
    bool adjoint;
    scheme scheme;
} way_back;

static way_back way_back_of(const dcnn_conv *shape) {
    size_t direct, adjoint;
    way_back way = {DCNN_SIMD_NAME(dcnn_winograd_choose)((size_t)shape->h, (size_t)shape->w, &direct), false, {0}};
    const winograd_tiles *forward =
        DCNN_SIMD_NAME(dcnn_winograd_choose)((size_t)shape->oh, (size_t)shape->ow, &adjoint);
    way.adjoint = adjoint < direct;
    if (way.adjoint) way.tiles = forward;
    way.scheme = way.adjoint ? DCNN_SIMD_NAME(dcnn_winograd_forward_scheme)(way.tiles, shape)
                             : backward_scheme(way.tiles, shape);
    return way;
}

size_t DCNN_SIMD_NAME(dcnn_conv_winograd_forward_packed)(const dcnn_conv *shape) {
    return whole_lines(forward_tiles(shape)->packed((size_t)shape->c, (size_t)shape->k));
}

size_t DCNN_SIMD_NAME(dcnn_conv_winograd_packed)(const dcnn_conv *shape) {
    if (shape->inference) return DCNN_SIMD_NAME(dcnn_conv_winograd_forward_packed)(shape);
    return DCNN_SIMD_NAME(dcnn_conv_winograd_forward_packed)(shape) +
           way_back_of(shape).tiles->packed((size_t)shape->k, (size_t)shape->c);
}

void DCNN_SIMD_NAME(dcnn_conv_winograd_forward_pack)(const dcnn_conv *shape, const float *w, float *packed, int part,
                                                     int parts) {
    forward_tiles(shape)->pack((size_t)shape->c, (size_t)shape->k, w, packed, (size_t)part, (size_t)parts);
}

void DCNN_SIMD_NAME(dcnn_conv_winograd_pack)(const dcnn_conv *shape, const float *w, float *packed, int part,
                                             int parts) {
    const size_t c = (size_t)shape->c, k = (size_t)shape->k, share = (size_t)part, shares = (size_t)parts;
    DCNN_SIMD_NAME(dcnn_conv_winograd_forward_pack)(shape, w, packed, part, parts);
    if (shape->inference) return;
    const way_back way = way_back_of(shape);
    float *back = packed + DCNN_SIMD_NAME(dcnn_conv_winograd_forward_packed)(shape);
    (way.adjoint ? way.tiles->pack_adjoint : way.tiles->pack_turned)(c, k, w, back, share, shares);
}

void DCNN_SIMD_NAME(dcnn_conv_winograd_forward)(const dcnn_conv *shape, const float *x, const float *packed,
                                                const float *bias, dcnn_fused fused, float *y, float *scratch) {
    const winograd_tiles *tiles = forward_tiles(shape);
    const scheme s = DCNN_SIMD_NAME(dcnn_winograd_forward_scheme)(tiles, shape);
    const convolution task = {.x = x, .u = packed, .bias = bias, .relu = fused == DCNN_FUSED_RELU, .y = y};
    tiles->convolve(&s, &task, scratch);
}

void DCNN_SIMD_NAME(dcnn_conv_winograd_backward_input)(const dcnn_conv *shape, const float *dy, const float *packed,
                                                       float *dx, float *scratch) {
    const way_back way = way_back_of(shape);
    const float *u = packed + DCNN_SIMD_NAME(dcnn_conv_winograd_forward_packed)(shape);
    const convolution task = {.x = dy, .u = u, .y = dx};
    if (way.adjoint)
        way.tiles->input_gradient(&way.scheme, dy, u, dx, scratch);
    else
        way.tiles->convolve(&way.scheme, &task, scratch);
}

void DCNN_SIMD_NAME(dcnn_conv_winograd_backward_filter)(const dcnn_conv *shape, const float *x, const float *dy,
                                                        float *dw, float *scratch) {
    const winograd_tiles *tiles = forward_tiles(shape);
    const scheme s = DCNN_SIMD_NAME(dcnn_winograd_forward_scheme)(tiles, shape);
    tiles->filter_gradient(&s, x, dy, dw, scratch);
}

size_t DCNN_SIMD_NAME(dcnn_conv_winograd_scratch)(const dcnn_conv *shape) {
    const scheme forward = DCNN_SIMD_NAME(dcnn_winograd_forward_scheme)(forward_tiles(shape), shape);
    if (shape->inference) return forward_tiles(shape)->scratch(&forward);
    const way_back way = way_back_of(shape);
    const size_t floats[3] = {forward_tiles(shape)->scratch(&forward),
                              way.adjoint ? way.tiles->adjoint_scratch(&way.scheme) : way.tiles->scratch(&way.scheme),
                              forward_tiles(shape)->filter_scratch(&forward)};
    const size_t most = floats[0] > floats[1] ? floats[0] : floats[1];
    return most > floats[2] ? most : floats[2];
}
