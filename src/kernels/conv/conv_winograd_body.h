/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file conv_winograd_body.h — 3x3 convolutions with stride 1 by Winograd's tiles, forward (conv_winograd_forward.h)
 * and backward: included once a size by conv_winograd<size>_simd.c, which says TILE, EDGE = TILE + 2, the table's name
 * WINOGRAD_TILES and the six transforms of a line.
 *
 * The input's gradient is forward with dy for x and turned filters. The filters' gradient is the adjoint,
 * F(3x3,m x m): tiles of x and of dy are transformed, each element sums their products over all tiles, and the sums of
 * a pair of channels become its nine weights.
 */
enum { STRIDE = 1, U_EDGE = EDGE };

#include "kernels/conv/conv_winograd_forward.h"

enum {
    /* The filters' gradient: tiles of a block, and channels of a slice each way. More slices transform the same tiles
     * more often; with 64 the sums of 36 elements are 576 KiB, which L2 should hold. 16 to 64 tiles and slices of 64 to
     * 128 did not differ by more than that noise. */
    FILTER_TILES = 32,
    FILTER_CHANNELS = 64,
};

/* --- packing ---------------------------------------------------------------------------------------------------- */

/* The filters from V channels of dy to V channels of dx: turned, or as they are for the adjoint. */
static void pack_back(size_t c, size_t k, const float *w, float *u, size_t k_vector, size_t c_vector, bool turned) {
    const size_t filters = lanes_of(k, k_vector), lanes = lanes_of(c, c_vector);
    simd_float g[V][TAPS_3X3];
    for (size_t tap = 0; tap < TAPS_3X3; tap++) {
        const float *from = w + (tap * c + c_vector * V) * k + k_vector * V;
        simd_float rows[V];
        for (size_t i = 0; i < V; i++) rows[i] = i < lanes ? simd_take(from + i * k, filters) : simd_zero();
        simd_transpose(rows);
        for (size_t i = 0; i < V; i++) g[i][turned ? TAPS_3X3 - 1 - tap : tap] = rows[i];
    }
    for (size_t i = 0; i < filters; i++) {
        size_t stride;
        float *to = u_at(u, k, divide_up(c, V), k_vector * V + i, c_vector, &stride);
        transform_filter(g[i], to, stride);
    }
}

static void pack_turned(size_t c, size_t k, const float *w, float *u, size_t share, size_t shares) {
    const size_t c_vectors = divide_up(c, V), units = divide_up(k, V) * c_vectors;
    for (size_t unit = share_start(units, share, shares); unit < share_start(units, share + 1, shares); unit++) {
        pack_back(c, k, w, u, unit / c_vectors, unit % c_vectors, true);
    }
}

static void pack_adjoint(size_t c, size_t k, const float *w, float *u, size_t share, size_t shares) {
    const size_t c_vectors = divide_up(c, V), units = divide_up(k, V) * c_vectors;
    for (size_t unit = share_start(units, share, shares); unit < share_start(units, share + 1, shares); unit++) {
        pack_back(c, k, w, u, unit / c_vectors, unit % c_vectors, false);
    }
}

/* --- the filters' gradient -------------------------------------------------------------------------------------- */

/* A range of channels. */
typedef struct slice {
    size_t from, to;
} slice;

static slice slice_of(size_t channels, size_t number) {
    const size_t vectors = divide_up(channels, V), slices = divide_up(channels, FILTER_CHANNELS);
    return (slice){share_start(vectors, number, slices) * V,
                   least(channels, share_start(vectors, number + 1, slices) * V)};
}

/* A dy A^T of one vector of channels; dy's rows are `row` floats apart, its cells `cell`; those past rows x columns are
 * zeros. */
static inline void spread_tile(const float *dy, size_t row, size_t cell, size_t rows, size_t columns, size_t lanes,
                               float *to, size_t stride) {
    simd_float t[EDGE][TILE];
    for (size_t j = 0; j < TILE; j++) {
        simd_float d[TILE], line[EDGE];
        for (size_t i = 0; i < TILE; i++) {
            d[i] = i < rows && j < columns ? simd_take(dy + i * row + j * cell, lanes) : simd_zero();
        }
        spread_line(d, line);
        for (size_t i = 0; i < EDGE; i++) t[i][j] = line[i];
    }
    for (size_t i = 0; i < EDGE; i++) {
        simd_float line[EDGE];
        spread_line(t[i], line);
        for (size_t j = 0; j < EDGE; j++, to += stride) simd_store(to, line[j]);
    }
}

/* M = A dy A^T of `count` tiles from tile `first` on, of a slice of dy's channels. */
static void transform_gradient(const scheme *s, const float *dy, size_t first, size_t count, slice k,
                               const tile_block *block) {
    for (size_t tile = 0; tile < count; tile++) {
        const tile_place place = place_of(s, first + tile);
        const size_t rows = least(TILE, s->oh - place.row), columns = least(TILE, s->ow - place.column);
        const float *corner = dy + ((place.image * s->oh + place.row) * s->ow + place.column) * s->k;
        float *m = block->m + tile * block->m_row;
        for (size_t at = k.from; at < k.to; at += V, m += V) {
            spread_tile(corner + at, s->ow * s->k, s->k, rows, columns, least(V, k.to - at), m, block->m_element);
        }
    }
}

/* Adds V' M of a block to the sums [element][channel of c][k_row]; the first block starts them. */
static void add_products(const tile_block *block, size_t count, size_t channels, size_t k_row, bool add, float *sums) {
    const size_t panels = divide_up(channels, ALONG_ROWS / 4 * 4), vectors = k_row / V;
    const size_t groups = divide_up(vectors, ALONG_VECTORS);
    product p = {.segments = 1,
                 .depth = count,
                 .left_row = 1,
                 .left_step = block->v_row,
                 .right_step = block->m_row,
                 .out_row = k_row,
                 .lanes = V,
                 .add = add};
    for (size_t element = 0; element < ELEMENTS; element++, sums += channels * k_row) {
        for (size_t group = 0; group < groups; group++) {
            const size_t vector = share_start(vectors, group, groups);
            const size_t width = share_start(vectors, group + 1, groups) - vector;
            p.right = block->m + element * block->m_element + vector * V;
            for (size_t panel = 0; panel < panels; panel++) {
                const size_t start = share_start(channels, panel, panels);
                p.left = block->v + element * block->v_element + start;
                p.out = sums + start * k_row + vector * V;
                DCNN_SIMD_NAME(dcnn_product_along)(share_start(channels, panel + 1, panels) - start, width, &p);
            }
        }
    }
}

/* dw = G^T sums G of a slice of channels each way. */
static void store_filters(const scheme *s, const float *sums, slice c, slice k, size_t k_row, float *dw) {
    const size_t element = (c.to - c.from) * k_row, tap = s->c * s->k;
    for (size_t channel = c.from; channel < c.to; channel++, sums += k_row) {
        for (size_t at = k.from; at < k.to; at += V) {
            const float *from = sums + (at - k.from);
            const size_t lanes = least(V, k.to - at);
            simd_float t[3][EDGE];
            for (size_t j = 0; j < EDGE; j++) {
                simd_float line[EDGE], g[3];
                for (size_t i = 0; i < EDGE; i++) line[i] = simd_load(from + (EDGE * i + j) * element);
                gather_line(line, g);
                for (size_t r = 0; r < 3; r++) t[r][j] = g[r];
            }
            for (size_t r = 0; r < 3; r++) {
                float *to = dw + (3 * r * s->c + channel) * s->k + at;
                simd_float g[3];
                gather_line(t[r], g);
                for (size_t i = 0; i < 3; i++) simd_put(to + i * tap, lanes, g[i]);
            }
        }
    }
}

static tile_block filter_block(const scheme *s, float *at) {
    return block_of(least(FILTER_TILES, s->images * s->tiles), least(FILTER_CHANNELS, s->c),
                    least(FILTER_CHANNELS, s->k), at);
}

static size_t filter_scratch(const scheme *s) {
    const tile_block block = filter_block(s, NULL);
    const size_t sums = ELEMENTS * least(FILTER_CHANNELS, s->c) * rounded_channels(least(FILTER_CHANNELS, s->k));
    return whole_lines(s->c) + whole_lines(sums) + block_floats(&block);
}

static void slice_gradient(const scheme *s, const float *x, const float *dy, slice c, slice k, float *dw,
                           float *scratch) {
    const size_t k_row = rounded_channels(k.to - k.from);
    const convolution task = {.x = x};
    float *zeros = scratch, *sums = zeros + whole_lines(s->c);
    const tile_block block = filter_block(s, sums + whole_lines(ELEMENTS * (c.to - c.from) * k_row));
    const size_t tiles = s->images * s->tiles, blocks = divide_up(tiles, block.tiles);
    memset(zeros, 0, s->c * sizeof *zeros);
    for (size_t number = 0; number < blocks; number++) {
        const size_t first = share_start(tiles, number, blocks);
        const size_t count = share_start(tiles, number + 1, blocks) - first;
        transform_input(s, &task, zeros, first, count, c.from, c.to, &block);
        transform_gradient(s, dy, first, count, k, &block);
        add_products(&block, count, c.to - c.from, k_row, number > 0, sums);
    }
    store_filters(s, sums, c, k, k_row, dw);
}

static void filter_gradient(const scheme *s, const float *x, const float *dy, float *dw, float *scratch) {
    for (size_t i = 0; i < divide_up(s->c, FILTER_CHANNELS); i++) {
        for (size_t j = 0; j < divide_up(s->k, FILTER_CHANNELS); j++) {
            slice_gradient(s, x, dy, slice_of(s->c, i), slice_of(s->k, j), dw, scratch);
        }
    }
}

/* --- the input's gradient by the adjoint of forward --------------------------------------------------------------- */

/* Adds the inputs B m B^T of each tile of a block to dx, from M's vectors `vector` to `vector` + vectors - 1. */
static void add_inputs(const scheme *s, const tile_block *block, size_t first, size_t count, size_t vector,
                       size_t vectors, float *dx) {
    for (size_t tile = 0; tile < count; tile++) {
        const tile_place place = place_of(s, first + tile);
        float *image = dx + place.image * s->h * s->w * s->c;
        for (size_t v = 0; v < vectors; v++) {
            const float *m = block->m + tile * block->m_row + v * V;
            const size_t at = (vector + v) * V, lanes = lanes_of(s->c, vector + v);
            simd_float t[EDGE][EDGE];
            for (size_t j = 0; j < EDGE; j++) {
                simd_float line[EDGE], d[EDGE];
                for (size_t i = 0; i < EDGE; i++) line[i] = simd_load(m + (EDGE * i + j) * block->m_element);
                collect_line(line, d);
                for (size_t i = 0; i < EDGE; i++) t[i][j] = d[i];
            }
            for (int i = 0; i < EDGE; i++) {
                const int row = (int)place.row - s->pad_h + i;
                if (row < 0 || row >= (int)s->h) continue;
                simd_float d[EDGE];
                collect_line(t[i], d);
                for (int j = 0; j < EDGE; j++) {
                    const int column = (int)place.column - s->pad_w + j;
                    if (column < 0 || column >= (int)s->w) continue;
                    float *to = image + ((size_t)row * s->w + (size_t)column) * s->c + at;
                    simd_put(to, lanes, simd_take(to, lanes) + d[j]);
                }
            }
        }
    }
}

/* The scheme from dy's tiles to dx's vectors, for multiply_block(): dy's channels in, x's out. */
static scheme turned_around(const scheme *s) {
    scheme back = *s;
    back.c = s->k;
    back.k = s->c;
    back.k_vectors = divide_up(s->c, V);
    return back;
}

static size_t adjoint_scratch(const scheme *s) {
    const scheme back = turned_around(s);
    return scheme_scratch(&back);
}

/* The tiles overlap, so each adds to what those before it left; an image's come in their order, whoever is its
 * neighbour.
 */
static void input_gradient(const scheme *s, const float *dy, const float *u, float *dx, float *scratch) {
    const scheme back = turned_around(s);
    const tile_block block = forward_block(&back, scratch);
    const size_t together = vectors_together(&back);
    const tile_block spread = {.m_row = block.v_row, .m_element = block.v_element, .m = block.v};
    const size_t tiles = s->images * s->tiles, blocks = divide_up(tiles, block.tiles);
    memset(dx, 0, s->images * s->h * s->w * s->c * sizeof *dx);
    for (size_t number = 0; number < blocks; number++) {
        const size_t first = share_start(tiles, number, blocks);
        const size_t count = share_start(tiles, number + 1, blocks) - first;
        transform_gradient(s, dy, first, count, (slice){0, s->k}, &spread);
        for (size_t vector = 0; vector < back.k_vectors; vector += together) {
            const size_t vectors = least(together, back.k_vectors - vector);
            multiply_block(&back, &block, count, vector, vectors, u);
            add_inputs(s, &block, first, count, vector, vectors, dx);
        }
    }
}

const winograd_tiles WINOGRAD_TILES = {
    .tile = TILE,
    .edge = EDGE,
    .packed = u_floats,
    .pack = pack,
    .pack_turned = pack_turned,
    .pack_adjoint = pack_adjoint,
    .scratch = scheme_scratch,
    .convolve = convolve,
    .adjoint_scratch = adjoint_scratch,
    .input_gradient = input_gradient,
    .filter_scratch = filter_scratch,
    .filter_gradient = filter_gradient,
};
