/* conv_winograd_simd.c — 3x3 convolutions with stride 1 by Winograd's tiles (Lavin & Gray, arXiv 1509.09308).
 *
 * Forward is F(2x2,3x3): a 4x4 tile of x becomes 16 elements, each element a product of matrices over the channels, and
 * the 16 results of a tile become 2x2 of y. The input's gradient is the same with dy for x and turned filters. The
 * filters' gradient is the adjoint, F(3x3,2x2): tiles of x and of dy are transformed, each element sums their products
 * over all tiles, and the 16 sums of a pair of channels become its nine weights.
 *
 * Transforms lie as [element][tile][channels]: of x in V, of dy or y in M. */
#include "kernels/conv_simd.h"

enum {
    ELEMENTS = 16, /* of a transformed 4x4 tile */
    TAPS_3X3 = 9,
    V_BYTES = 256 * 1024, /* of V in a forward block: with M and a panel of U within L2; 192 to 768 KiB are alike */
    /* The filters' gradient: tiles of a block, and channels of a slice each way. More slices transform the same tiles
     * more often. 16 images on a Zen 4 with 1 MiB of L2: 32x32x96 14.8 ms, 16x16x192 17.2, 16x16x128 6.5; with slices
     * of 64 and 64 tiles 19.7, 17.5, 6.5, with slices of 96 14.3, 16.5, 7.5. */
    FILTER_TILES = 32,
    FILTER_CHANNELS = 128,
};

/* One direction: images [h,w,c] to images [oh,ow,k]. */
typedef struct scheme {
    size_t images, h, w, c, oh, ow, k;
    int pad_h, pad_w;
    size_t tile_columns, tiles; /* of an image */
    size_t k_vectors;
} scheme;

/* Tiles whose transforms lie together, and the distances there. One vector more than needed a tile and an element:
 * distances that are powers of two would meet in the same sets of L1. */
typedef struct tile_block {
    size_t tiles;
    size_t v_row, v_element, m_row, m_element;
    float *v, *m;
} tile_block;

static scheme complete(scheme s) {
    s.tile_columns = divide_up(s.ow, 2);
    s.tiles = divide_up(s.oh, 2) * s.tile_columns;
    s.k_vectors = divide_up(s.k, V);
    return s;
}

static scheme forward_scheme(const dcnn_conv *shape) {
    return complete((scheme){.images = (size_t)shape->n,
                             .h = (size_t)shape->h,
                             .w = (size_t)shape->w,
                             .c = (size_t)shape->c,
                             .oh = (size_t)shape->oh,
                             .ow = (size_t)shape->ow,
                             .k = (size_t)shape->k,
                             .pad_h = shape->pad_h,
                             .pad_w = shape->pad_w});
}

/* From dy to dx. */
static scheme backward_scheme(const dcnn_conv *shape) {
    return complete((scheme){.images = (size_t)shape->n,
                             .h = (size_t)shape->oh,
                             .w = (size_t)shape->ow,
                             .c = (size_t)shape->k,
                             .oh = (size_t)shape->h,
                             .ow = (size_t)shape->w,
                             .k = (size_t)shape->c,
                             .pad_h = 2 - shape->pad_h,
                             .pad_w = 2 - shape->pad_w});
}

static size_t rounded_channels(size_t channels) {
    return divide_up(channels, V) * V;
}

/* Sets the distances for up to `tiles` tiles of `v_channels` in V and `m_channels` in M; they follow from `at` on. */
static tile_block block_of(size_t tiles, size_t v_channels, size_t m_channels, float *at) {
    tile_block block = {.tiles = tiles, .v_row = rounded_channels(v_channels) + V, .v = at};
    block.m_row = rounded_channels(m_channels) + V;
    block.v_element = tiles * block.v_row + V;
    block.m_element = tiles * block.m_row + V;
    block.m = at + whole_lines(ELEMENTS * block.v_element);
    return block;
}

static size_t block_floats(const tile_block *block) {
    return whole_lines(ELEMENTS * block->v_element) + whole_lines(ELEMENTS * block->m_element);
}

/* --- packing ------------------------------------------------------------------------------------------------------ */

static size_t u_floats(size_t c, size_t k) {
    return ELEMENTS * c * rounded_channels(k);
}

size_t DCNN_SIMD_NAME(dcnn_conv_winograd_packed)(const dcnn_conv *shape) {
    const size_t c = (size_t)shape->c, k = (size_t)shape->k;
    return whole_lines(u_floats(c, k)) + u_floats(k, c);
}

/* Where U [pair of vectors][16][channel][width] has one channel and one vector; `stride` is from element to element. */
static float *u_at(float *u, size_t channels, size_t vectors, size_t channel, size_t vector, size_t *stride) {
    const size_t pair = vector / 2, width = least(2, vectors - 2 * pair) * V;
    *stride = channels * width;
    return u + pair * ELEMENTS * channels * 2 * V + channel * width + vector % 2 * V;
}

/* U = G g G^T; G = (1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1). */
static void transform_filter(const simd_float g[TAPS_3X3], float *u, size_t stride) {
    const simd_float half = simd_splat(0.5F);
    simd_float t[4][3];
    for (size_t s = 0; s < 3; s++) {
        t[0][s] = g[s];
        t[1][s] = half * ((g[s] + g[6 + s]) + g[3 + s]);
        t[2][s] = half * ((g[s] + g[6 + s]) - g[3 + s]);
        t[3][s] = g[6 + s];
    }
    for (size_t r = 0; r < 4; r++, u += 4 * stride) {
        simd_store(u, t[r][0]);
        simd_store(u + stride, half * ((t[r][0] + t[r][2]) + t[r][1]));
        simd_store(u + 2 * stride, half * ((t[r][0] + t[r][2]) - t[r][1]));
        simd_store(u + 3 * stride, t[r][2]);
    }
}

static void pack_forward(const dcnn_conv *shape, const float *w, float *u, size_t channel, size_t vector) {
    const size_t c = (size_t)shape->c, k = (size_t)shape->k;
    size_t stride;
    float *to = u_at(u, c, divide_up(k, V), channel, vector, &stride);
    simd_float g[TAPS_3X3];
    for (size_t tap = 0; tap < TAPS_3X3; tap++) {
        g[tap] = load_lanes(w + (tap * c + channel) * k + vector * V, lanes_of(k, vector));
    }
    transform_filter(g, to, stride);
}

/* The turned filters from V channels of dy to V channels of dx. */
static void pack_backward(const dcnn_conv *shape, const float *w, float *u, size_t k_vector, size_t c_vector) {
    const size_t c = (size_t)shape->c, k = (size_t)shape->k;
    const size_t filters = lanes_of(k, k_vector), lanes = lanes_of(c, c_vector);
    simd_float g[V][TAPS_3X3];
    for (size_t tap = 0; tap < TAPS_3X3; tap++) {
        const float *from = w + (tap * c + c_vector * V) * k + k_vector * V;
        simd_float rows[V];
        for (size_t i = 0; i < V; i++) rows[i] = i < lanes ? load_lanes(from + i * k, filters) : simd_zero();
        transpose(rows);
        for (size_t i = 0; i < V; i++) g[i][TAPS_3X3 - 1 - tap] = rows[i];
    }
    for (size_t i = 0; i < filters; i++) {
        size_t stride;
        float *to = u_at(u, k, divide_up(c, V), k_vector * V + i, c_vector, &stride);
        transform_filter(g[i], to, stride);
    }
}

void DCNN_SIMD_NAME(dcnn_conv_winograd_pack)(const dcnn_conv *shape, const float *w, float *packed, int part,
                                             int parts) {
    const size_t c = (size_t)shape->c, k = (size_t)shape->k, share = (size_t)part, shares = (size_t)parts;
    const size_t c_vectors = divide_up(c, V), k_vectors = divide_up(k, V);
    size_t units = c * k_vectors;
    for (size_t unit = share_start(units, share, shares); unit < share_start(units, share + 1, shares); unit++) {
        pack_forward(shape, w, packed, unit / k_vectors, unit % k_vectors);
    }
    units = k_vectors * c_vectors;
    float *turned = packed + whole_lines(u_floats(c, k));
    for (size_t unit = share_start(units, share, shares); unit < share_start(units, share + 1, shares); unit++) {
        pack_backward(shape, w, turned, unit / c_vectors, unit % c_vectors);
    }
}

/* --- transforms --------------------------------------------------------------------------------------------------- */

/* Place of a tile: its image, and its upper left output. */
typedef struct tile_place {
    size_t image, row, column;
} tile_place;

static tile_place place_of(const scheme *s, size_t tile) {
    const size_t inside = tile % s->tiles;
    return (tile_place){tile / s->tiles, inside / s->tile_columns * 2, inside % s->tile_columns * 2};
}

/* The 16 cells under a tile; those outside the image are `zeros`. */
static void find_cells(const scheme *s, const float *x, const float *zeros, tile_place place, const float *cells[16]) {
    const float *image = x + place.image * s->h * s->w * s->c;
    for (int i = 0; i < 4; i++) {
        const int row = (int)place.row - s->pad_h + i;
        for (int j = 0; j < 4; j++) {
            const int column = (int)place.column - s->pad_w + j;
            const bool inside = row >= 0 && row < (int)s->h && column >= 0 && column < (int)s->w;
            cells[4 * i + j] = inside ? image + ((size_t)row * s->w + (size_t)column) * s->c : zeros;
        }
    }
}

/* B^T d B of one vector of channels; B^T = (1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1). */
static inline void transform_cells(const float *const cells[16], size_t at, size_t lanes, float *to, size_t stride) {
    simd_float t[4][4];
    for (size_t j = 0; j < 4; j++) {
        const simd_float d0 = load_lanes(cells[j] + at, lanes), d1 = load_lanes(cells[4 + j] + at, lanes),
                         d2 = load_lanes(cells[8 + j] + at, lanes), d3 = load_lanes(cells[12 + j] + at, lanes);
        t[0][j] = d0 - d2;
        t[1][j] = d1 + d2;
        t[2][j] = d2 - d1;
        t[3][j] = d1 - d3;
    }
    for (size_t i = 0; i < 4; i++, to += 4 * stride) {
        simd_store(to, t[i][0] - t[i][2]);
        simd_store(to + stride, t[i][1] + t[i][2]);
        simd_store(to + 2 * stride, t[i][2] - t[i][1]);
        simd_store(to + 3 * stride, t[i][1] - t[i][3]);
    }
}

/* V of `count` tiles from tile `first` on, for channels from..to-1. */
static void transform_input(const scheme *s, const float *x, const float *zeros, size_t first, size_t count,
                            size_t from, size_t to, const tile_block *block) {
    for (size_t tile = 0; tile < count; tile++) {
        const float *cells[16];
        find_cells(s, x, zeros, place_of(s, first + tile), cells);
        float *v = block->v + tile * block->v_row;
        for (size_t c = from; c < to; c += V, v += V) transform_cells(cells, c, least(V, to - c), v, block->v_element);
    }
}

/* The 2x2 outputs A^T m A; A^T = (1 1 1 0; 0 1 -1 -1). */
static inline void transform_products(const float *m, size_t stride, simd_float cell[4]) {
    simd_float t[2][4];
    for (size_t j = 0; j < 4; j++) {
        const simd_float m0 = simd_load(m + j * stride), m1 = simd_load(m + (4 + j) * stride),
                         m2 = simd_load(m + (8 + j) * stride), m3 = simd_load(m + (12 + j) * stride);
        t[0][j] = m0 + (m1 + m2);
        t[1][j] = (m1 - m2) - m3;
    }
    for (size_t i = 0; i < 2; i++) {
        cell[2 * i] = t[i][0] + (t[i][1] + t[i][2]);
        cell[2 * i + 1] = (t[i][1] - t[i][2]) - t[i][3];
    }
}

/* --- forward and the input's gradient ----------------------------------------------------------------------------- */

/* Outputs of a block, from M's vectors `vector` to `vector` + vectors - 1. */
static void transform_output(const scheme *s, const tile_block *block, size_t first, size_t count, size_t vector,
                             size_t vectors, const float *bias, bool relu, float *y) {
    const simd_float floor = simd_splat(relu ? 0 : -__builtin_inff());
    for (size_t tile = 0; tile < count; tile++) {
        const tile_place place = place_of(s, first + tile);
        const size_t rows = least(2, s->oh - place.row), columns = least(2, s->ow - place.column);
        float *corner = y + ((place.image * s->oh + place.row) * s->ow + place.column) * s->k;
        for (size_t j = 0; j < vectors; j++) {
            const size_t at = (vector + j) * V, lanes = lanes_of(s->k, vector + j);
            const simd_float shift = bias == NULL ? simd_zero() : load_lanes(bias + at, lanes);
            simd_float cell[4];
            transform_products(block->m + tile * block->m_row + j * V, block->m_element, cell);
            for (size_t i = 0; i < 4; i++) {
                if (i / 2 >= rows || i % 2 >= columns) continue;
                /* This order of simd_max keeps a NaN. */
                store_lanes(corner + (i / 2 * s->ow + i % 2) * s->k + at, lanes, simd_max(floor, cell[i] + shift));
            }
        }
    }
}

/* M = V U for one pair of vectors of output channels. */
static void multiply_pair(const scheme *s, const tile_block *block, size_t count, size_t vectors, const float *u) {
    const size_t panels = divide_up(count, ACROSS_ROWS);
    product p = {.segments = 1,
                 .depth = s->c,
                 .left_row = block->v_row,
                 .left_step = 1,
                 .right_step = vectors * V,
                 .out_row = block->m_row,
                 .lanes = V};
    for (size_t element = 0; element < ELEMENTS; element++) {
        p.right = u + element * s->c * vectors * V;
        for (size_t panel = 0; panel < panels; panel++) {
            const size_t start = share_start(count, panel, panels);
            p.left = block->v + element * block->v_element + start * block->v_row;
            p.out = block->m + element * block->m_element + start * block->m_row;
            DCNN_SIMD_NAME(dcnn_product_across)(share_start(count, panel + 1, panels) - start, vectors, &p);
        }
    }
}

static tile_block forward_block(const scheme *s, float *at) {
    const size_t tile_bytes = ELEMENTS * (rounded_channels(s->c) + V) * sizeof(float);
    const size_t panels = V_BYTES / (tile_bytes * ACROSS_ROWS);
    const size_t tiles = (panels < 2 ? 2 : panels) * ACROSS_ROWS;
    return block_of(least(tiles, s->images * s->tiles), s->c, 2 * V, at);
}

static size_t scheme_scratch(const scheme *s) {
    const tile_block block = forward_block(s, NULL);
    return whole_lines(s->c) + block_floats(&block);
}

static void convolve(const scheme *s, const float *x, const float *u, const float *bias, bool relu, float *y,
                     float *scratch) {
    float *zeros = scratch;
    const tile_block block = forward_block(s, zeros + whole_lines(s->c));
    const size_t tiles = s->images * s->tiles, blocks = divide_up(tiles, block.tiles);
    memset(zeros, 0, s->c * sizeof *zeros);
    for (size_t number = 0; number < blocks; number++) {
        const size_t first = share_start(tiles, number, blocks);
        const size_t count = share_start(tiles, number + 1, blocks) - first;
        transform_input(s, x, zeros, first, count, 0, s->c, &block);
        for (size_t vector = 0; vector < s->k_vectors; vector += 2) {
            const size_t vectors = least(2, s->k_vectors - vector);
            multiply_pair(s, &block, count, vectors, u + vector * ELEMENTS * s->c * V);
            transform_output(s, &block, first, count, vector, vectors, bias, relu, y);
        }
    }
}

void DCNN_SIMD_NAME(dcnn_conv_winograd_forward)(const dcnn_conv *shape, const float *x, const float *packed,
                                                const float *bias, dcnn_fused fused, float *y, float *scratch) {
    const scheme s = forward_scheme(shape);
    convolve(&s, x, packed, bias, fused == DCNN_FUSED_RELU, y, scratch);
}

void DCNN_SIMD_NAME(dcnn_conv_winograd_backward_input)(const dcnn_conv *shape, const float *dy, const float *packed,
                                                       float *dx, float *scratch) {
    const scheme s = backward_scheme(shape);
    convolve(&s, dy, packed + whole_lines(u_floats(s.k, s.c)), NULL, false, dx, scratch);
}

/* --- the filters' gradient ---------------------------------------------------------------------------------------- */

/* A range of channels. */
typedef struct slice {
    size_t from, to;
} slice;

static slice slice_of(size_t channels, size_t number) {
    const size_t vectors = divide_up(channels, V), slices = divide_up(channels, FILTER_CHANNELS);
    return (slice){share_start(vectors, number, slices) * V,
                   least(channels, share_start(vectors, number + 1, slices) * V)};
}

/* M = A dy A^T of `count` tiles from tile `first` on, of a slice of dy's channels. */
static void transform_gradient(const scheme *s, const float *dy, size_t first, size_t count, slice k,
                               const tile_block *block) {
    for (size_t tile = 0; tile < count; tile++) {
        const tile_place place = place_of(s, first + tile);
        const bool below = place.row + 1 < s->oh, right = place.column + 1 < s->ow;
        const float *corner = dy + ((place.image * s->oh + place.row) * s->ow + place.column) * s->k;
        float *m = block->m + tile * block->m_row;
        for (size_t at = k.from; at < k.to; at += V, m += V) {
            const size_t lanes = least(V, k.to - at);
            const float *from = corner + at;
            const simd_float d00 = load_lanes(from, lanes);
            const simd_float d01 = right ? load_lanes(from + s->k, lanes) : simd_zero();
            const simd_float d10 = below ? load_lanes(from + s->ow * s->k, lanes) : simd_zero();
            const simd_float d11 = below && right ? load_lanes(from + (s->ow + 1) * s->k, lanes) : simd_zero();
            const simd_float t[4][2] = {{d00, d01}, {d00 + d10, d01 + d11}, {d00 - d10, d01 - d11}, {-d10, -d11}};
            for (size_t i = 0; i < 4; i++) {
                float *to = m + 4 * i * block->m_element;
                simd_store(to, t[i][0]);
                simd_store(to + block->m_element, t[i][0] + t[i][1]);
                simd_store(to + 2 * block->m_element, t[i][0] - t[i][1]);
                simd_store(to + 3 * block->m_element, -t[i][1]);
            }
        }
    }
}

/* Adds V' M of a block to the sums [16][channel of c][k_row]; the first block starts them. */
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
    const simd_float half = simd_splat(0.5F);
    const size_t element = (c.to - c.from) * k_row;
    for (size_t channel = c.from; channel < c.to; channel++, sums += k_row) {
        for (size_t at = k.from; at < k.to; at += V) {
            const float *from = sums + (at - k.from);
            simd_float t[3][4];
            for (size_t j = 0; j < 4; j++) {
                const simd_float s0 = simd_load(from + j * element), s1 = simd_load(from + (4 + j) * element),
                                 s2 = simd_load(from + (8 + j) * element), s3 = simd_load(from + (12 + j) * element);
                t[0][j] = s0 + half * (s1 + s2);
                t[1][j] = half * (s1 - s2);
                t[2][j] = s3 + half * (s1 + s2);
            }
            for (size_t r = 0; r < 3; r++) {
                float *to = dw + (3 * r * s->c + channel) * s->k + at;
                const size_t lanes = least(V, k.to - at), tap = s->c * s->k;
                store_lanes(to, lanes, t[r][0] + half * (t[r][1] + t[r][2]));
                store_lanes(to + tap, lanes, half * (t[r][1] - t[r][2]));
                store_lanes(to + 2 * tap, lanes, t[r][3] + half * (t[r][1] + t[r][2]));
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
    float *zeros = scratch, *sums = zeros + whole_lines(s->c);
    const tile_block block = filter_block(s, sums + whole_lines(ELEMENTS * (c.to - c.from) * k_row));
    const size_t tiles = s->images * s->tiles, blocks = divide_up(tiles, block.tiles);
    memset(zeros, 0, s->c * sizeof *zeros);
    for (size_t number = 0; number < blocks; number++) {
        const size_t first = share_start(tiles, number, blocks);
        const size_t count = share_start(tiles, number + 1, blocks) - first;
        transform_input(s, x, zeros, first, count, c.from, c.to, &block);
        transform_gradient(s, dy, first, count, k, &block);
        add_products(&block, count, c.to - c.from, k_row, number > 0, sums);
    }
    store_filters(s, sums, c, k, k_row, dw);
}

void DCNN_SIMD_NAME(dcnn_conv_winograd_backward_filter)(const dcnn_conv *shape, const float *x, const float *dy,
                                                        float *dw, float *scratch) {
    const scheme s = forward_scheme(shape);
    for (size_t i = 0; i < divide_up(s.c, FILTER_CHANNELS); i++) {
        for (size_t j = 0; j < divide_up(s.k, FILTER_CHANNELS); j++) {
            slice_gradient(&s, x, dy, slice_of(s.c, i), slice_of(s.k, j), dw, scratch);
        }
    }
}

size_t DCNN_SIMD_NAME(dcnn_conv_winograd_scratch)(const dcnn_conv *shape) {
    const scheme forward = forward_scheme(shape), backward = backward_scheme(shape);
    const size_t floats[3] = {scheme_scratch(&forward), scheme_scratch(&backward), filter_scratch(&forward)};
    const size_t most = floats[0] > floats[1] ? floats[0] : floats[1];
    return most > floats[2] ? most : floats[2];
}
