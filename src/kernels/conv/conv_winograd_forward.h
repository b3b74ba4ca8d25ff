/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file conv_winograd_forward.h — 3x3 convolutions by Winograd's tiles (Lavin & Gray, arXiv 1509.09308), of any size:
 * included once a size by conv_winograd<size>_simd.c, which says TILE, EDGE, STRIDE, U_EDGE and three transforms of a
 * line.
 *
 * Forward is F(m x m,3x3): a tile of EDGE x EDGE of x becomes as many elements, each element a product of matrices over
 * the channels, and the results of a tile become TILE x TILE of y. Along a line there are U_EDGE transformed filters;
 * that of number i is multiplied by element i, the last one by all elements that are left, if EDGE is larger.
 *
 * Transforms lie as [element][tile][channels]: of x in V, of y in M.
 */
enum {
    ELEMENTS = EDGE * EDGE,
    U_ELEMENTS = U_EDGE * U_EDGE,
    TAPS_3X3 = 9,
    /* Of V in a forward block, two panels of tiles at least. On a busy machine 256 to 1024 KiB did not differ by more
     * than its noise of 10 % (Xeon with 2 MiB of L2). */
    V_BYTES = 384 * 1024,
    /* With 16 registers a panel has so few rows that U would be read from L3 too often: there a block's element is
     * multiplied for all outputs before the next one's. While U is small, V and M lie in L2, two panels of tiles at
     * least; a larger U is read once for up to so many tiles, V and M so large. Of 16 images on a Zen 1 (512 KiB of L2,
     * least of 75 calls), ms in blocks of 12 and of 84 tiles: 32x32x96 23.1 and 26.0, 16x16x128 9.9 and 11.4, 16x16x192
     * 24.6 and 22.7, 8x8x256 11.4 and 9.6. */
    ELEMENT_BY_ELEMENT = SIMD_REGISTERS < 32,
    SMALL_U_BYTES = 3 * 1024 * 1024,
    SMALL_BLOCK_BYTES = 384 * 1024,
    BLOCK_TILES = 84,
    BLOCK_BYTES = 8 * 1024 * 1024,
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
    return pair * U_ELEMENTS * u_element(channels, 2);
}

static size_t u_floats(size_t c, size_t k) {
    const size_t vectors = divide_up(k, V);
    return u_pair(c, vectors / 2) + vectors % 2 * U_ELEMENTS * u_element(c, 1);
}

/* Where U has one channel and one vector; `stride` is from element to element. */
static float *u_at(float *u, size_t channels, size_t vectors, size_t channel, size_t vector, size_t *stride) {
    const size_t width = least(2, vectors - vector / 2 * 2);
    *stride = u_element(channels, width);
    return u + u_pair(channels, vector / 2) + (channel * width + vector % 2) * V;
}

/* U = G g G^T. */
static void transform_filter(const simd_float g[TAPS_3X3], float *u, size_t stride) {
    simd_float t[U_EDGE][3];
    for (size_t s = 0; s < 3; s++) {
        const simd_float column[3] = {g[s], g[3 + s], g[6 + s]};
        simd_float line[U_EDGE];
        evaluate_line(column, line);
        for (size_t r = 0; r < U_EDGE; r++) t[r][s] = line[r];
    }
    for (size_t r = 0; r < U_EDGE; r++) {
        simd_float line[U_EDGE];
        evaluate_line(t[r], line);
        for (size_t s = 0; s < U_EDGE; s++, u += stride) simd_store(u, line[s]);
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
        const int row = STRIDE * (int)place.row - s->pad_h + i;
        for (int j = 0; j < EDGE; j++) {
            const int column = STRIDE * (int)place.column - s->pad_w + j;
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

/* The outputs A^T m A. */
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

/* M's part of one element and one pair of vectors of output channels, whose U is at `u`, from M's column `to` on. */
static void multiply_pair(const scheme *s, const tile_block *block, size_t count, size_t element, size_t vectors,
                          const float *u, size_t to) {
    const size_t panels = divide_up(count, ACROSS_ROWS);
    product p = {.segments = 1,
                 .depth = s->c,
                 .left_row = block->v_row,
                 .left_step = 1,
                 .right = u,
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

/* Likewise of all elements that number `of_u` of U's elements is multiplied by. */
static void multiply_elements(const scheme *s, const tile_block *block, size_t count, size_t of_u, size_t vectors,
                              const float *u, size_t to) {
    const size_t row = of_u / U_EDGE, column = of_u % U_EDGE;
    for (size_t i = row; i < (row + 1 < U_EDGE ? row + 1 : EDGE); i++) {
        for (size_t j = column; j < (column + 1 < U_EDGE ? column + 1 : EDGE); j++) {
            multiply_pair(s, block, count, EDGE * i + j, vectors, u + of_u * u_element(s->c, vectors), to);
        }
    }
}

/* Vectors of output channels that are multiplied, and then transformed, together. */
static size_t vectors_together(const scheme *s) {
    return ELEMENT_BY_ELEMENT ? s->k_vectors : least(2, s->k_vectors);
}

/* M = V U for so many vectors of output channels from `vector` on, which is even. */
static void multiply_block(const scheme *s, const tile_block *block, size_t count, size_t vector, size_t vectors,
                           const float *u) {
    for (size_t of_u = 0; of_u < U_ELEMENTS; of_u++) {
        for (size_t done = 0; done < vectors; done += 2) {
            multiply_elements(s, block, count, of_u, least(2, vectors - done), u + u_pair(s->c, (vector + done) / 2),
                              done * V);
        }
    }
}

/* Panels of a block whose V and M take so many bytes a tile. */
static size_t panels_of(const scheme *s, size_t v_bytes, size_t m_bytes) {
    const size_t panel_bytes = (v_bytes + m_bytes) * ACROSS_ROWS;
    if (!ELEMENT_BY_ELEMENT) return V_BYTES / (v_bytes * ACROSS_ROWS);
    if (u_floats(s->c, s->k) * sizeof(float) <= SMALL_U_BYTES) return SMALL_BLOCK_BYTES / panel_bytes;
    return least(BLOCK_TILES / ACROSS_ROWS, BLOCK_BYTES / panel_bytes);
}

static tile_block forward_block(const scheme *s, float *at) {
    const size_t m_channels = vectors_together(s) * V;
    const size_t panels = panels_of(s, ELEMENTS * (rounded_channels(s->c) + V) * sizeof(float),
                                    ELEMENTS * (m_channels + V) * sizeof(float));
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
