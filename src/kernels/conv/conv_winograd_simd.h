/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file conv_winograd_simd.h — Winograd's ways of a 3x3 convolution with stride 1, one a size of tile, and the choice
 * between them; and with stride 2.
 */
#ifndef DCNN_KERNELS_CONV_WINOGRAD_SIMD_H
#define DCNN_KERNELS_CONV_WINOGRAD_SIMD_H

#include "kernels/conv/conv_simd.h"
#include "kernels/fused/conv_pool_simd.h"

/** One direction: images [h,w,c] to images [oh,ow,k]. */
typedef struct scheme {
    size_t images, h, w, c, oh, ow, k;
    int pad_h, pad_w;
    size_t rows, columns;       /**< of x that are read; what lies beyond counts as zeros */
    size_t tile_columns, tiles; /**< of an image */
    size_t k_vectors;
} scheme;

/** What is convolved, and what becomes of it. */
typedef struct convolution {
    const float *x;
    const float *in_scale, *in_shift; /**< x is seen through this affine map; NULL: as it is */
    const float *u, *bias;            /**< bias may be NULL */
    bool relu;                        /**< not with pooling, whose mode says so */
    const conv_pool_plan *pool;       /**< y is pooled 2x2 (TILE is even); NULL: y is all outputs */
    float *y;
} convolution;

/** The tiles F(tile x tile,3x3). U is the transformed filters of c channels in and k out. */
typedef struct winograd_tiles {
    size_t tile, edge;                    /**< outputs along a tile, and elements */
    size_t (*packed)(size_t c, size_t k); /**< floats of U */
    /** Share `share` of `shares` of U for forward, and of the turned filters' for dx: from k channels to c. */
    void (*pack)(size_t c, size_t k, const float *w, float *u, size_t share, size_t shares);
    void (*pack_turned)(size_t c, size_t k, const float *w, float *u, size_t share, size_t shares);
    void (*pack_adjoint)(size_t c, size_t k, const float *w, float *u, size_t share, size_t shares);
    size_t (*scratch)(const scheme *s);
    void (*convolve)(const scheme *s, const convolution *task, float *scratch);
    /** dx from dy of a forward scheme, by the adjoint of forward's tiles: U of pack_adjoint. */
    size_t (*adjoint_scratch)(const scheme *s);
    void (*input_gradient)(const scheme *s, const float *dy, const float *u, float *dx, float *scratch);
    /** dw from x and dy of a forward scheme. */
    size_t (*filter_scratch)(const scheme *s);
    void (*filter_gradient)(const scheme *s, const float *x, const float *dy, float *dw, float *scratch);
} winograd_tiles;

extern const winograd_tiles DCNN_SIMD_NAME(dcnn_winograd2), DCNN_SIMD_NAME(dcnn_winograd3),
    DCNN_SIMD_NAME(dcnn_winograd4);

/** Those of a 3x3 convolution with stride 2, forward alone. */
extern const winograd_tiles DCNN_SIMD_NAME(dcnn_winograd_strided);

/** Of a pair of channels, in the way that forward goes. */
size_t DCNN_SIMD_NAME(dcnn_conv_winograd_products)(const dcnn_conv *shape);

/** The tiles that take the fewest products for oh x ow outputs with stride 1; `products` may be NULL. */
const winograd_tiles *DCNN_SIMD_NAME(dcnn_winograd_choose)(size_t oh, size_t ow, size_t *products);

/** The part of the packed weights that forward reads, which comes first. */
size_t DCNN_SIMD_NAME(dcnn_conv_winograd_forward_packed)(const dcnn_conv *shape);
void DCNN_SIMD_NAME(dcnn_conv_winograd_forward_pack)(const dcnn_conv *shape, const float *w, float *packed, int part,
                                                     int parts);

/** A convolution forward only, by whichever way conv_simd.c chooses. */
size_t DCNN_SIMD_NAME(dcnn_conv_forward_packed)(const dcnn_conv *shape);
void DCNN_SIMD_NAME(dcnn_conv_forward_pack)(const dcnn_conv *shape, const float *w, float *packed, int part, int parts);
void DCNN_SIMD_NAME(dcnn_conv_forward)(const dcnn_conv *shape, const float *x, const float *packed, const float *bias,
                                       float *y, float *scratch);

/** The table's kernels of those names. */
size_t DCNN_SIMD_NAME(dcnn_conv_scratch)(const dcnn_conv *shape);
size_t DCNN_SIMD_NAME(dcnn_conv_packed)(const dcnn_conv *shape);
void DCNN_SIMD_NAME(dcnn_conv_pack)(const dcnn_conv *shape, const float *w, float *packed, int part, int parts);
void DCNN_SIMD_NAME(dcnn_conv_backward)(const dcnn_conv *shape, const float *x, const float *packed, const float *dy,
                                        float *dx, float *dw, float *dbias, float *scratch);

/** The scheme of a convolution's forward direction in such tiles. */
scheme DCNN_SIMD_NAME(dcnn_winograd_forward_scheme)(const winograd_tiles *tiles, const dcnn_conv *shape);

#endif
