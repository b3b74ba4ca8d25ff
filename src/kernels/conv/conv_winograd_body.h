/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file conv_winograd_body.h — 3x3 convolutions with stride 1 by Winograd's tiles (Lavin & Gray, arXiv 1509.09308), of
 * any size: included once a size by conv_winograd<size>_simd.c, which says TILE, EDGE = TILE + 2, the table's name
 * WINOGRAD_TILES and the five transforms of a line.
 *
 * Forward is F(m x m,3x3): a tile of EDGE x EDGE of x becomes as many elements, each element a product of matrices over
 * the channels, and the results of a tile become TILE x TILE of y. The input's gradient is the same with dy for x and
 * turned filters. The filters' gradient is the adjoint, F(3x3,m x m): tiles of x and of dy are transformed, each
 * element sums their products over all tiles, and the sums of a pair of channels become its nine weights.
 *
 * Transforms lie as [element][tile][channels]: of x in V, of dy or y in M.
 */
enum {
    ELEMENTS = EDGE * EDGE,
    TAPS_3X3 = 9,
    /* Of V in a forward block, two panels of tiles at least. On a busy machine 256 to 1024 KiB did not differ by more
     * than its noise of 10 % (Xeon with 2 MiB of L2). */
    V_BYTES = 384 * 1024,
    /* With 16 registers a panel has so few rows that U would be read from L3 too often: there a block's element is
     * multiplied for all outputs before the next one's, and a block is up to so many tiles, V and M so large. The
     * VGG-like net's layer of 8x8x256 took 26.0, 17.4 and 28.1 ms a step of 64 forward, 17.2, 16.0 and 15.9 so (`dcnn
     * bench`, three rounds by turns on a Zen 3 that others used too). */
    ELEMENT_BY_ELEMENT = SIMD_REGISTERS < 32,
    BLOCK_TILES = 84,
    BLOCK_BYTES = 8 * 1024 * 1024,
    /* The filters' gradient: tiles of a block, and channels of a slice each way. More slices transform the same tiles
     * more often; with 64 the sums of 36 elements are 576 KiB, which L2 should hold. 16 to 64 tiles and slices of 64 to
     * 128 did not differ by more than that noise. */
    FILTER_TILES = 32,
    FILTER_CHANNELS = 64,
};

/* Tiles whose transforms lie together, and the distances there. One vector more than needed a tile and an element:
 * distances that are powers of two would meet in the same sets of L1. */
typedef struct tile_block {
    size_t tiles;
    size_t v_row, v_element, m_row, m_element;
    float *v, *m;
} tile_block;

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

/* --- packing ---------------------------------------------------------------------------------------------------- */

/* Floats of U from one element to the next. One vector more than needed: at powers of two packing takes longer. */
static size_t u_element(size_t channels, size_t vectors) {
    return channels * vectors * V + V;
}

/* Where U [pair of vectors][element][channel][vectors * V] has a pair, of which each but the last is whole. */
static size_t u_pair(size_t channels, size_t pair) {
    return pair * ELEMENTS * u_element(channels, 2);
}

static size_t u_floats(size_t c, size_t k) {
    const size_t vectors = divide_up(k, V);
    return u_pair(c, vectors / 2) + vectors % 2 * ELEMENTS * u_element(c, 1);
}

/* Where U has one channel and one vector; `stride` is from element to element. */
static float *u_at(float *u, size_t channels, size_t vectors, size_t channel, size_t vector, size_t *stride) {
    const size_t width = least(2, vectors - vector / 2 * 2);
    *stride = u_element(channels, width);
    return u + u_pair(channels, vector / 2) + (channel * width + vector % 2) * V;
}

/* U = G g G^T. */
static void transform_filter(const simd_float g[TAPS_3X3], float *u, size_t stride) {
    simd_float t[EDGE][3];
    for (size_t s = 0; s < 3; s++) {
        const simd_float column[3] = {g[s], g[3 + s], g[6 + s]};
        simd_float line[EDGE];
        evaluate_line(column, line);
        for (size_t r = 0; r < EDGE; r++) t[r][s] = line[r];
    }
    for (size_t r = 0; r < EDGE; r++) {
        simd_float line[EDGE];
        evaluate_line(t[r], line);
        for (size_t s = 0; s < EDGE; s++, u += stride) simd_store(u, line[s]);
    }
}

static void pack(size_t c, size_t k, const float *w, float *u, size_t share, size_t shares) {
    const size_t units = c * divide_up(k, V);
    for (size_t unit = share_start(units, share, shares); unit < share_start(units, share + 1, shares); unit++) {
        const size_t channel = unit % c, vector = unit / c;
        size_t stride;
        float *to = u_at(u, c, divide_up(k, V), channel, vector, &stride);
        simd_float g[TAPS_3X3];
        for (size_t tap = 0; tap < TAPS_3X3; tap++) {
            g[tap] = simd_take(w + (tap * c + channel) * k + vector * V, lanes_of(k, vector));
        }
        transform_filter(g, to, stride);
    }
}

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

/* --- transforms ------------------------------------------------------------------------------------------------- */

/* Place of a tile: its image, and its upper left output. */
typedef struct tile_place {
    size_t image, row, column;
} tile_place;

static tile_place place_of(const scheme *s, size_t tile) {
    const size_t inside = tile % s->tiles;
    return (tile_place){tile / s->tiles, inside / s->tile_columns * TILE, inside % s->tile_columns * TILE};
}

/* The cells under a tile; those outside the image are `zeros`. */
static void find_cells(const scheme *s, const float *x, const float *zeros, tile_place place,
                       const float *cells[ELEMENTS]) {
    const float *image = x + place.image * s->h * s->w * s->c;
    for (int i = 0; i < EDGE; i++) {
        const int row = (int)place.row - s->pad_h + i;
        for (int j = 0; j < EDGE; j++) {
            const int column = (int)place.column - s->pad_w + j;
            const bool inside = row >= 0 && row < (int)s->rows && column >= 0 && column < (int)s->columns;
            cells[EDGE * i + j] = inside ? image + ((size_t)row * s->w + (size_t)column) * s->c : zeros;
        }
    }
}

/* B^T d B of one vector of channels, through the task's affine map if `mapped`. */
static inline __attribute__((always_inline)) void transform_cells(const convolution *task, const bool mapped,
                                                                  const float *const cells[ELEMENTS],
                                                                  const float *zeros, size_t at, size_t lanes,
                                                                  float *to, size_t stride) {
    const simd_float scale = mapped ? simd_take(task->in_scale + at, lanes) : simd_zero();
    const simd_float shift = mapped ? simd_take(task->in_shift + at, lanes) : simd_zero();
    simd_float t[EDGE][EDGE];
    for (size_t j = 0; j < EDGE; j++) {
        simd_float d[EDGE], line[EDGE];
        for (size_t i = 0; i < EDGE; i++) {
            d[i] = simd_take(cells[EDGE * i + j] + at, lanes);
            if (mapped && cells[EDGE * i + j] != zeros) d[i] = simd_multiply_add(d[i], scale, shift);
        }
        transform_line(d, line);
        for (size_t i = 0; i < EDGE; i++) t[i][j] = line[i];
    }
    for (size_t i = 0; i < EDGE; i++) {
        simd_float line[EDGE];
        transform_line(t[i], line);
        for (size_t j = 0; j < EDGE; j++, to += stride) simd_store(to, line[j]);
    }
}

/* V of `count` tiles from tile `first` on, for channels from..to-1. */
static void transform_input(const scheme *s, const convolution *task, const float *zeros, size_t first, size_t count,
                            size_t from, size_t to, const tile_block *block) {
    for (size_t tile = 0; tile < count; tile++) {
        const float *cells[ELEMENTS];
        find_cells(s, task->x, zeros, place_of(s, first + tile), cells);
        float *v = block->v + tile * block->v_row;
        for (size_t c = from; c < to; c += V, v += V) {
            if (task->in_scale == NULL)
                transform_cells(task, false, cells, zeros, c, least(V, to - c), v, block->v_element);
            else
                transform_cells(task, true, cells, zeros, c, least(V, to - c), v, block->v_element);
        }
    }
}

/* The 4x4 outputs A^T m A. */
static inline void transform_products(const float *m, size_t stride, simd_float cell[TILE][TILE]) {
    simd_float t[TILE][EDGE];
    for (size_t j = 0; j < EDGE; j++) {
        simd_float line[EDGE], y[TILE];
        for (size_t i = 0; i < EDGE; i++) line[i] = simd_load(m + (EDGE * i + j) * stride);
        interpolate_line(line, y);
        for (size_t i = 0; i < TILE; i++) t[i][j] = y[i];
    }
    for (size_t i = 0; i < TILE; i++) interpolate_line(t[i], cell[i]);
}

/* --- forward and the input's gradient --------------------------------------------------------------------------- */

static inline simd_float bias_of(const convolution *task, size_t at, size_t lanes) {
    return task->bias == NULL ? simd_zero() : simd_take(task->bias + at, lanes);
}

/* Outputs of a block, from M's vectors `vector` to `vector` + vectors - 1. */
static void transform_output(const scheme *s, const convolution *task, const tile_block *block, size_t first,
                             size_t count, size_t vector, size_t vectors) {
    const simd_float floor = simd_splat(task->relu ? 0 : -__builtin_inff());
    for (size_t tile = 0; tile < count; tile++) {
        const tile_place place = place_of(s, first + tile);
        const size_t rows = least(TILE, s->oh - place.row), columns = least(TILE, s->ow - place.column);
        float *corner = task->y + ((place.image * s->oh + place.row) * s->ow + place.column) * s->k;
        for (size_t j = 0; j < vectors; j++) {
            const size_t at = (vector + j) * V, lanes = lanes_of(s->k, vector + j);
            const simd_float shift = bias_of(task, at, lanes);
            simd_float cell[TILE][TILE];
            transform_products(block->m + tile * block->m_row + j * V, block->m_element, cell);
            for (size_t row = 0; row < rows; row++) {
                float *to = corner + row * s->ow * s->k + at;
                for (size_t column = 0; column < columns; column++, to += s->k) {
                    /* This order of simd_max keeps a NaN. */
                    simd_put(to, lanes, simd_max(floor, cell[row][column] + shift));
                }
            }
        }
    }
}

/* Likewise what pooling makes of them; of the scheme's outputs it reads all. */
static void pool_output(const scheme *s, const convolution *task, const tile_block *block, size_t first, size_t count,
                        size_t vector, size_t vectors) {
    const size_t windows_h = s->oh / 2, windows_w = s->ow / 2;
    for (size_t tile = 0; tile < count; tile++) {
        const tile_place place = place_of(s, first + tile);
        const size_t row = place.row / 2, column = place.column / 2;
        const size_t rows = least(TILE / 2, windows_h - row), columns = least(TILE / 2, windows_w - column);
        float *corner = task->y + ((place.image * windows_h + row) * windows_w + column) * s->k;
        for (size_t j = 0; j < vectors; j++) {
            const size_t at = (vector + j) * V, lanes = lanes_of(s->k, vector + j);
            const simd_float shift = bias_of(task, at, lanes);
            simd_float cell[TILE][TILE];
            transform_products(block->m + tile * block->m_row + j * V, block->m_element, cell);
            for (size_t i = 0; i < rows; i++) {
                for (size_t l = 0; l < columns; l++) {
                    const simd_float window[4] = {cell[2 * i][2 * l], cell[2 * i][2 * l + 1], cell[2 * i + 1][2 * l],
                                                  cell[2 * i + 1][2 * l + 1]};
                    put_window(task->pool, window, shift, lanes, corner + (i * windows_w + l) * s->k + at, NULL);
                }
            }
        }
    }
}

/* M's part of one element and one pair of vectors of output channels, from M's column `to` on. */
static void multiply_pair(const scheme *s, const tile_block *block, size_t count, size_t element, size_t vectors,
                          const float *u, size_t to) {
    const size_t panels = divide_up(count, ACROSS_ROWS);
    product p = {.segments = 1,
                 .depth = s->c,
                 .left_row = block->v_row,
                 .left_step = 1,
                 .right = u + element * u_element(s->c, vectors),
                 .right_step = vectors * V,
                 .out_row = block->m_row,
                 .lanes = V};
    for (size_t panel = 0; panel < panels; panel++) {
        const size_t start = share_start(count, panel, panels);
        p.left = block->v + element * block->v_element + start * block->v_row;
        p.out = block->m + element * block->m_element + start * block->m_row + to;
        DCNN_SIMD_NAME(dcnn_product_across)(share_start(count, panel + 1, panels) - start, vectors, &p);
    }
}

/* Vectors of output channels that are multiplied, and then transformed, together. */
static size_t vectors_together(const scheme *s) {
    return ELEMENT_BY_ELEMENT ? s->k_vectors : least(2, s->k_vectors);
}

/* M = V U for so many vectors of output channels from `vector` on, which is even. */
static void multiply_block(const scheme *s, const tile_block *block, size_t count, size_t vector, size_t vectors,
                           const float *u) {
    for (size_t element = 0; element < ELEMENTS; element++) {
        for (size_t done = 0; done < vectors; done += 2) {
            multiply_pair(s, block, count, element, least(2, vectors - done), u + u_pair(s->c, (vector + done) / 2),
                          done * V);
        }
    }
}

static tile_block forward_block(const scheme *s, float *at) {
    const size_t m_channels = vectors_together(s) * V;
    const size_t v_bytes = ELEMENTS * (rounded_channels(s->c) + V) * sizeof(float);
    const size_t m_bytes = ELEMENTS * (m_channels + V) * sizeof(float);
    const size_t panels = ELEMENT_BY_ELEMENT
                              ? least(BLOCK_TILES / ACROSS_ROWS, BLOCK_BYTES / ((v_bytes + m_bytes) * ACROSS_ROWS))
                              : V_BYTES / (v_bytes * ACROSS_ROWS);
    const size_t tiles = (panels < 2 ? 2 : panels) * ACROSS_ROWS;
    return block_of(least(tiles, s->images * s->tiles), s->c, m_channels, at);
}

static size_t scheme_scratch(const scheme *s) {
    const tile_block block = forward_block(s, NULL);
    return whole_lines(s->c) + block_floats(&block);
}

static void convolve(const scheme *s, const convolution *task, float *scratch) {
    float *zeros = scratch;
    const tile_block block = forward_block(s, zeros + whole_lines(s->c));
    const size_t tiles = s->images * s->tiles, blocks = divide_up(tiles, block.tiles);
    const size_t together = vectors_together(s);
    memset(zeros, 0, s->c * sizeof *zeros);
    for (size_t number = 0; number < blocks; number++) {
        const size_t first = share_start(tiles, number, blocks);
        const size_t count = share_start(tiles, number + 1, blocks) - first;
        transform_input(s, task, zeros, first, count, 0, s->c, &block);
        for (size_t vector = 0; vector < s->k_vectors; vector += together) {
            const size_t vectors = least(together, s->k_vectors - vector);
            multiply_block(s, &block, count, vector, vectors, task->u);
            (task->pool ? pool_output : transform_output)(s, task, &block, first, count, vector, vectors);
        }
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
