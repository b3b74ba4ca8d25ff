/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_direct_simd.c — convolutions of any shape straight from the image: no matrix of columns is ever made.
 *
 * Neighbouring outputs of a line are the rows of a register tile; a filter row over its channels is one run of floats
 * in the image. Where the filter reaches outside, the image is first copied between zeros. The input's gradient is cut
 * into stride x stride phases: the inputs of a phase all see the same taps, so each phase is a convolution of dy with
 * stride 1 and some of the filters' taps, turned. Where the input has few channels, most lanes of such vectors would be
 * empty: there each output's gradient is spread over its whole patch of the input first, and each input then collects
 * its share of the patches over it. */
#include "kernels/conv/conv_simd.h"

enum {
    /* Positions of dy over which the filters' gradient sums in registers: their three vectors each are half of L1. */
    FILTER_POSITIONS = 96,
    /* Fewer channels of x than this get their gradient by patches. 16 images 14x14x6, 5x5, 16 filters, on a Zen 4:
     * 0.15 ms, by phases 0.35. */
    FEW_CHANNELS = 16,
};

/* One image of zeros around h x w x c, and where in it the image starts. */
typedef struct frame {
    size_t rows, columns, c; /* of the frame */
    int top, left;
    int h, w; /* of the image */
} frame;

/* Outputs of one image from a frame: out[i][j] = packed filters * frame at (i, j). All distances in floats. */
typedef struct sweep {
    size_t filter_rows, run; /* rows of the filter; floats of a row */
    size_t pitch;            /* from row to row of the frame */
    size_t down, right;      /* in the frame, from output to output */
    size_t rows, columns, k; /* outputs */
    size_t out_down, out_right;
} sweep;

/* --- frames ----------------------------------------------------------------------------------------------------- */

static size_t frame_floats(const frame *f) {
    return f->rows * f->columns * f->c;
}

/* Is the image itself the frame? Rows below it that nobody reads do not count. */
static bool is_bare(const frame *f) {
    return f->top == 0 && f->left == 0 && (int)f->rows <= f->h && (int)f->columns == f->w;
}

static void fill_frame(const frame *f, const float *image, float *to) {
    const int columns = (int)f->columns, begin = f->left > 0 ? f->left : 0;
    const int end = f->left + f->w < columns ? f->left + f->w : columns;
    const size_t c = f->c, inside = end > begin ? (size_t)(end - begin) * c : 0;
    const size_t before = inside > 0 ? (size_t)begin * c : f->columns * c;
    for (int i = 0; i < (int)f->rows; i++, to += f->columns * c) {
        const int row = i - f->top;
        if (row < 0 || row >= f->h || inside == 0) {
            memset(to, 0, f->columns * c * sizeof *to);
            continue;
        }
        memset(to, 0, before * sizeof *to);
        memcpy(to + before, image + ((ptrdiff_t)row * f->w + (begin - f->left)) * (ptrdiff_t)c, inside * sizeof *to);
        memset(to + before + inside, 0, (f->columns * c - before - inside) * sizeof *to);
    }
}

/* The frame of image number `n`: the image itself, or a copy in `copy`. */
static const float *framed(const frame *f, const float *images, int n, float *copy) {
    const float *image = images + (size_t)n * (size_t)f->h * (size_t)f->w * f->c;
    if (is_bare(f)) return image;
    fill_frame(f, image, copy);
    return copy;
}

/* What the filter reads of an image. A bare image is as wide as it is, whatever the filter reads. */
static frame input_frame(const dcnn_conv *shape) {
    const int rows = (shape->oh - 1) * shape->stride_h + shape->r,
              columns = (shape->ow - 1) * shape->stride_w + shape->s;
    frame f = {(size_t)rows, (size_t)columns, (size_t)shape->c, shape->pad_h, shape->pad_w, shape->h, shape->w};
    if (f.top == 0 && f.left == 0 && rows <= f.h && columns < f.w) f.columns = (size_t)f.w;
    return f;
}

/* 1x1 with stride 1: all the positions of an image, or of all small images, are one line. */
static dcnn_conv flattened(const dcnn_conv *shape) {
    dcnn_conv flat = *shape;
    if (shape->r != 1 || shape->s != 1 || shape->stride_h != 1 || shape->stride_w != 1 || shape->pad_h != 0 ||
        shape->pad_w != 0 || shape->oh != shape->h || shape->ow != shape->w)
        return flat;
    flat.w = flat.ow = shape->h * shape->w;
    flat.h = flat.oh = 1;
    if (flat.w < FILTER_POSITIONS) {
        flat.w = flat.ow = flat.w * shape->n;
        flat.n = 1;
    }
    return flat;
}

/* --- phases of the input's gradient ----------------------------------------------------------------------------- */

/* The inputs number `first`, first + stride, … along one side see the taps `tap`, tap + stride, … */
typedef struct phase {
    int first, count; /* inputs */
    int tap, taps;
    int source; /* the output that the first input's last tap lies over, maybe outside */
} phase;

static int taps_of(int tap, int stride, int filter) {
    return tap < filter ? (filter - tap + stride - 1) / stride : 0;
}

static phase phase_of(int first, int stride, int pad, int filter, int length) {
    phase p = {.first = first, .count = (length - first + stride - 1) / stride, .tap = (first + pad) % stride};
    p.taps = taps_of(p.tap, stride, filter);
    p.source = (first + pad - p.tap) / stride - p.taps + 1;
    return p;
}

static int phases(int stride, int length) {
    return stride < length ? stride : length;
}

/* Zeros before dy, and rows or columns in all, along one side. */
static void frame_side(int stride, int pad, int filter, int length, int *before, size_t *all) {
    int most = 0;
    *before = 0;
    for (int i = 0; i < phases(stride, length); i++) {
        const phase p = phase_of(i, stride, pad, filter, length);
        if (-p.source > *before) *before = -p.source;
        if (p.source + p.count + p.taps - 1 > most) most = p.source + p.count + p.taps - 1;
    }
    *all = (size_t)(*before + most);
}

static frame gradient_frame(const dcnn_conv *shape) {
    frame f = {.c = (size_t)shape->k, .h = shape->oh, .w = shape->ow};
    frame_side(shape->stride_h, shape->pad_h, shape->r, shape->h, &f.top, &f.rows);
    frame_side(shape->stride_w, shape->pad_w, shape->s, shape->w, &f.left, &f.columns);
    if (f.top == 0 && f.left == 0 && (int)f.rows <= f.h && (int)f.columns < f.w) f.columns = (size_t)f.w;
    return f;
}

/* Taps of one side whose phases come before that of `tap`. */
static int taps_before(int tap, int stride, int filter) {
    int taps = 0;
    for (int i = 0; i < tap; i++) taps += taps_of(i, stride, filter);
    return taps;
}

/* Floats in the turned filters [phase][pair of vectors][tap row][tap column][k][width] before the phase of (r, s). */
static size_t phase_floats(const dcnn_conv *shape, int r, int s) {
    const int taps = taps_before(r, shape->stride_h, shape->r) * shape->s +
                     taps_of(r, shape->stride_h, shape->r) * taps_before(s, shape->stride_w, shape->s);
    return (size_t)taps * (size_t)shape->k * divide_up((size_t)shape->c, V) * V;
}

/* --- packing ---------------------------------------------------------------------------------------------------- */

static size_t filter_floats(const dcnn_conv *shape) {
    return whole_lines((size_t)(shape->r * shape->s * shape->c) * divide_up((size_t)shape->k, V) * V);
}

/* Floats of a patch of x in whole vectors. */
static size_t patch_row(const dcnn_conv *shape) {
    return divide_up((size_t)(shape->r * shape->s * shape->c), V) * V;
}

static bool has_few_channels(const dcnn_conv *shape) {
    return shape->c < FEW_CHANNELS;
}

size_t DCNN_SIMD_NAME(dcnn_conv_direct_packed)(const dcnn_conv *shape) {
    if (has_few_channels(shape)) return filter_floats(shape) + (size_t)shape->k * patch_row(shape);
    return filter_floats(shape) + (size_t)(shape->r * shape->s * shape->k) * divide_up((size_t)shape->c, V) * V;
}

/* Row `row` of `depth` and vector `vector` of packed filters [pair][depth][width]. */
static float *packed_at(float *packed, size_t depth, size_t vectors, size_t row, size_t vector) {
    const size_t pair = vector / 2, width = least(2, vectors - 2 * pair) * V;
    return packed + pair * depth * 2 * V + row * width + vector % 2 * V;
}

static void pack_forward(const dcnn_conv *shape, const float *w, float *packed, size_t row) {
    const size_t k = (size_t)shape->k, vectors = divide_up(k, V);
    for (size_t vector = 0; vector < vectors; vector++) {
        float *to = packed_at(packed, (size_t)(shape->r * shape->s * shape->c), vectors, row, vector);
        simd_store(to, simd_take(w + row * k + vector * V, lanes_of(k, vector)));
    }
}

/* V rows of w [row][k] from `row` on, `lanes` of them there, to row `place` + k and vector `vector` of packed filters.
 */
static void pack_turned(const float *w, size_t row, size_t lanes, size_t k, float *packed, size_t depth, size_t vectors,
                        size_t place, size_t vector) {
    for (size_t k_vector = 0; k_vector * V < k; k_vector++) {
        const size_t filters = lanes_of(k, k_vector);
        simd_float tile[V];
        for (size_t i = 0; i < V; i++) {
            tile[i] = i < lanes ? simd_take(w + (row + i) * k + k_vector * V, filters) : simd_zero();
        }
        simd_transpose(tile);
        for (size_t i = 0; i < filters; i++) {
            simd_store(packed_at(packed, depth, vectors, place + k_vector * V + i, vector), tile[i]);
        }
    }
}

/* The turned filters of tap (r, s) and a vector of channels of x. */
static void pack_backward(const dcnn_conv *shape, const float *w, float *turned, int r, int s, size_t c_vector) {
    const size_t k = (size_t)shape->k, c = (size_t)shape->c;
    const int first_r = r % shape->stride_h, first_s = s % shape->stride_w;
    const int rows = taps_of(first_r, shape->stride_h, shape->r), columns = taps_of(first_s, shape->stride_w, shape->s);
    const int place = (rows - 1 - r / shape->stride_h) * columns + columns - 1 - s / shape->stride_w;
    pack_turned(w, (size_t)(r * shape->s + s) * c + c_vector * V, lanes_of(c, c_vector), k,
                turned + phase_floats(shape, first_r, first_s), (size_t)(rows * columns) * k, divide_up(c, V),
                (size_t)place * k, c_vector);
}

/* One vector of the filters [k][patch] that spread dy. */
static void pack_patches(const dcnn_conv *shape, const float *w, float *turned, size_t vector) {
    const size_t patch = (size_t)(shape->r * shape->s * shape->c), k = (size_t)shape->k;
    pack_turned(w, vector * V, lanes_of(patch, vector), k, turned, k, divide_up(patch, V), 0, vector);
}

void DCNN_SIMD_NAME(dcnn_conv_direct_pack)(const dcnn_conv *shape, const float *w, float *packed, int part, int parts) {
    const size_t share = (size_t)part, shares = (size_t)parts, c_vectors = divide_up((size_t)shape->c, V);
    const bool pairs = DCNN_SIMD_NAME(dcnn_conv_pairs_fits)(shape);
    size_t units = (size_t)(shape->r * shape->s * shape->c);
    for (size_t unit = share_start(units, share, shares); unit < share_start(units, share + 1, shares); unit++) {
        if (pairs)
            DCNN_SIMD_NAME(dcnn_conv_pairs_pack)(shape, w, packed, unit);
        else
            pack_forward(shape, w, packed, unit);
    }
    float *turned = packed + filter_floats(shape);
    units = has_few_channels(shape) ? patch_row(shape) / V : (size_t)(shape->r * shape->s) * c_vectors;
    for (size_t unit = share_start(units, share, shares); unit < share_start(units, share + 1, shares); unit++) {
        const int tap = (int)(unit / c_vectors);
        if (has_few_channels(shape)) {
            pack_patches(shape, w, turned, unit);
        } else {
            pack_backward(shape, w, turned, tap / shape->s, tap % shape->s, unit % c_vectors);
        }
    }
}

/* --- forward and the input's gradient --------------------------------------------------------------------------- */

static void sweep_image(const sweep *s, const float *source, const float *packed, const float *start, bool relu,
                        float *out) {
    const size_t vectors = divide_up(s->k, V), panels = divide_up(s->columns, ACROSS_ROWS);
    product p = {.segments = s->filter_rows,
                 .depth = s->run,
                 .left_row = s->right,
                 .left_step = 1,
                 .left_pitch = s->pitch,
                 .relu = relu,
                 .out_row = s->out_right};
    for (size_t vector = 0; vector < vectors; vector += 2) {
        const size_t width = least(2, vectors - vector);
        p.right = packed + vector * s->filter_rows * s->run * V;
        p.right_step = width * V;
        p.right_pitch = s->run * width * V;
        p.start = start == NULL ? NULL : start + vector * V;
        p.lanes = lanes_of(s->k, vector + width - 1);
        for (size_t row = 0; row < s->rows; row++) {
            for (size_t panel = 0; panel < panels; panel++) {
                const size_t first = share_start(s->columns, panel, panels);
                p.left = source + row * s->down + first * s->right;
                p.out = out + row * s->out_down + first * s->out_right + vector * V;
                DCNN_SIMD_NAME(dcnn_product_across)(share_start(s->columns, panel + 1, panels) - first, width, &p);
            }
        }
    }
}

void DCNN_SIMD_NAME(dcnn_conv_direct_forward)(const dcnn_conv *shape, const float *x, const float *packed,
                                              const float *bias, dcnn_fused fused, float *y, float *scratch) {
    const dcnn_conv flat = flattened(shape);
    const frame f = input_frame(&flat);
    const size_t k = (size_t)flat.k, padded = divide_up(k, V) * V;
    const size_t pitch = f.columns * f.c;
    const sweep s = {.filter_rows = (size_t)flat.r,
                     .run = (size_t)(flat.s * flat.c),
                     .pitch = pitch,
                     .down = (size_t)flat.stride_h * pitch,
                     .right = (size_t)(flat.stride_w * flat.c),
                     .rows = (size_t)flat.oh,
                     .columns = (size_t)flat.ow,
                     .k = k,
                     .out_down = (size_t)flat.ow * k,
                     .out_right = k};
    float *start = scratch, *copy = start + whole_lines(padded);
    if (DCNN_SIMD_NAME(dcnn_conv_pairs_fits)(shape)) {
        const conv_pairs p = DCNN_SIMD_NAME(dcnn_conv_pairs_plan)(shape, pitch, packed, bias, fused == DCNN_FUSED_RELU);
        for (int n = 0; n < flat.n; n++) {
            const float *source = framed(&f, x, n, copy);
            for (size_t row = 0; row < s.rows; row++, y += s.out_down)
                DCNN_SIMD_NAME(dcnn_conv_pairs_line)(&p, s.columns, source + row * s.down, y);
        }
        return;
    }
    if (bias != NULL) {
        memset(start, 0, padded * sizeof *start);
        memcpy(start, bias, k * sizeof *start);
    }
    for (int n = 0; n < flat.n; n++) {
        sweep_image(&s, framed(&f, x, n, copy), packed, bias == NULL ? NULL : start, fused == DCNN_FUSED_RELU,
                    y + (size_t)n * s.rows * s.out_down);
    }
}

/* dx of one image, of the phase that `rows` and `columns` are. */
static void sweep_phase(const dcnn_conv *shape, const frame *f, const phase *rows, const phase *columns,
                        const float *source, const float *turned, float *dx) {
    const size_t c = (size_t)shape->c, pitch = f->columns * f->c;
    const sweep s = {.filter_rows = columns->taps > 0 ? (size_t)rows->taps : 0,
                     .run = (size_t)columns->taps * f->c,
                     .pitch = pitch,
                     .down = pitch,
                     .right = f->c,
                     .rows = (size_t)rows->count,
                     .columns = (size_t)columns->count,
                     .k = c,
                     .out_down = (size_t)(shape->stride_h * shape->w) * c,
                     .out_right = (size_t)shape->stride_w * c};
    const size_t origin = (size_t)(f->top + rows->source) * pitch + (size_t)(f->left + columns->source) * f->c;
    sweep_image(&s, s.filter_rows > 0 ? source + origin : source, turned + phase_floats(shape, rows->tap, columns->tap),
                NULL, false, dx + (size_t)(rows->first * shape->w + columns->first) * c);
}

/* dx at one pixel from the patches over it, [OH,OW,patch row]. Lanes beyond the channels add up whatever is there. */
static void collect_pixel(const dcnn_conv *shape, const float *patches, int row, int column, float *dx) {
    const size_t c = (size_t)shape->c, patch = patch_row(shape);
    const int below = row + shape->pad_h, right = column + shape->pad_w;
    for (size_t at = 0; at < c; at += V) {
        simd_float sum = simd_zero();
        for (int r = below % shape->stride_h, i = below / shape->stride_h; r < shape->r && i >= 0;
             r += shape->stride_h, i--) {
            if (i >= shape->oh) continue;
            for (int s = right % shape->stride_w, j = right / shape->stride_w; s < shape->s && j >= 0;
                 s += shape->stride_w, j--) {
                if (j >= shape->ow) continue;
                sum += simd_load(patches + (size_t)(i * shape->ow + j) * patch + (size_t)(r * shape->s + s) * c + at);
            }
        }
        simd_put(dx + at, least(V, c - at), sum);
    }
}

/* A load of the last patch's last channels reaches this far. */
static size_t patches_floats(const dcnn_conv *shape) {
    return (size_t)(shape->oh * shape->ow) * patch_row(shape) + FEW_CHANNELS;
}

static void backward_by_patches(const dcnn_conv *shape, const float *dy, const float *turned, float *dx,
                                float *patches) {
    const size_t positions = (size_t)(shape->oh * shape->ow), k = (size_t)shape->k, c = (size_t)shape->c;
    const sweep s = {.filter_rows = 1,
                     .run = k,
                     .right = k,
                     .rows = 1,
                     .columns = positions,
                     .k = (size_t)(shape->r * shape->s) * c,
                     .out_right = patch_row(shape)};
    for (int n = 0; n < shape->n; n++, dy += positions * k) {
        sweep_image(&s, dy, turned, NULL, false, patches);
        for (int row = 0; row < shape->h; row++) {
            for (int column = 0; column < shape->w; column++, dx += c) collect_pixel(shape, patches, row, column, dx);
        }
    }
}

void DCNN_SIMD_NAME(dcnn_conv_direct_backward_input)(const dcnn_conv *shape, const float *dy, const float *packed,
                                                     float *dx, float *scratch) {
    const dcnn_conv flat = flattened(shape);
    if (has_few_channels(&flat)) {
        backward_by_patches(&flat, dy, packed + filter_floats(&flat), dx, scratch);
        return;
    }
    const frame f = gradient_frame(&flat);
    const size_t image = (size_t)(flat.h * flat.w * flat.c);
    for (int n = 0; n < flat.n; n++, dx += image) {
        const float *source = framed(&f, dy, n, scratch);
        for (int i = 0; i < phases(flat.stride_h, flat.h); i++) {
            const phase rows = phase_of(i, flat.stride_h, flat.pad_h, flat.r, flat.h);
            for (int j = 0; j < phases(flat.stride_w, flat.w); j++) {
                const phase columns = phase_of(j, flat.stride_w, flat.pad_w, flat.s, flat.w);
                sweep_phase(&flat, &f, &rows, &columns, source, packed + filter_floats(&flat), dx);
            }
        }
    }
}

/* --- the filters' gradient -------------------------------------------------------------------------------------- */

/* dy with rows of whole vectors. */
static void pad_channels(size_t positions, size_t k, const float *dy, float *to) {
    const size_t padded = divide_up(k, V) * V;
    for (size_t i = 0; i < positions; i++, dy += k, to += padded) {
        for (size_t at = 0; at < k; at += V) simd_store(to + at, simd_take(dy + at, least(V, k - at)));
    }
}

/* Adds the lines of one image from `p`'s operands on to the weights of filter row `r`. */
static void add_filter_row(const dcnn_conv *shape, product *p, const float *source, const float *dy, bool add,
                           float *dw) {
    const size_t k = (size_t)shape->k, run = (size_t)(shape->s * shape->c), vectors = divide_up(k, V);
    const size_t panels = divide_up(run, run == ALONG_ROWS ? ALONG_ROWS : ALONG_ROWS / 4 * 4);
    const size_t groups = divide_up(vectors, ALONG_VECTORS);
    p->add = add;
    for (size_t panel = 0; panel < panels; panel++) { /* its rows are written from end to end */
        const size_t first = share_start(run, panel, panels), end = share_start(run, panel + 1, panels);
        p->left = source + first;
        for (size_t group = 0; group < groups; group++) {
            const size_t vector = share_start(vectors, group, groups), next = share_start(vectors, group + 1, groups);
            p->right = dy + vector * V;
            p->lanes = lanes_of(k, next - 1);
            p->out = dw + first * k + vector * V;
            DCNN_SIMD_NAME(dcnn_product_along)(end - first, next - vector, p);
        }
    }
}

void DCNN_SIMD_NAME(dcnn_conv_direct_backward_filter)(const dcnn_conv *shape, const float *x, const float *dy,
                                                      float *dw, float *scratch) {
    const dcnn_conv flat = flattened(shape);
    const frame f = input_frame(&flat);
    const size_t k = (size_t)flat.k, padded = divide_up(k, V) * V, lines = (size_t)flat.oh, columns = (size_t)flat.ow;
    const size_t pitch = f.columns * f.c, chunks = divide_up(lines, divide_up(FILTER_POSITIONS, columns));
    float *vectors = scratch, *copy = vectors + (padded > k ? whole_lines(lines * columns * padded) : 0);
    product p = {.depth = columns,
                 .left_row = 1,
                 .left_step = (size_t)flat.stride_w * f.c,
                 .left_pitch = (size_t)flat.stride_h * pitch,
                 .right_step = padded,
                 .right_pitch = columns * padded,
                 .out_row = k,
                 .past_caches = flat.n == 1 && chunks == 1 && simd_streams(dw, filter_floats(&flat), k)};
    for (int n = 0; n < flat.n; n++) {
        const float *source = framed(&f, x, n, copy), *gradient = dy + (size_t)n * lines * columns * k;
        if (padded > k) pad_channels(lines * columns, k, gradient, vectors);
        if (padded > k) gradient = vectors;
        for (size_t chunk = 0; chunk < chunks; chunk++) {
            const size_t line = share_start(lines, chunk, chunks);
            p.segments = share_start(lines, chunk + 1, chunks) - line;
            for (size_t r = 0; r < (size_t)flat.r; r++) {
                add_filter_row(&flat, &p, source + line * p.left_pitch + r * pitch, gradient + line * p.right_pitch,
                               n > 0 || chunk > 0, dw + r * (size_t)(flat.s * flat.c) * k);
            }
        }
    }
    if (p.past_caches) simd_stream_end();
}

size_t DCNN_SIMD_NAME(dcnn_conv_direct_scratch)(const dcnn_conv *shape) {
    const dcnn_conv flat = flattened(shape);
    const frame input = input_frame(&flat), gradient = gradient_frame(&flat);
    const size_t k = (size_t)flat.k, padded = divide_up(k, V) * V;
    const size_t copied = is_bare(&input) ? 0 : frame_floats(&input);
    const size_t spread = is_bare(&gradient) ? 0 : frame_floats(&gradient);
    const size_t floats[3] = {whole_lines(padded) + copied, has_few_channels(&flat) ? patches_floats(&flat) : spread,
                              (padded > k ? whole_lines((size_t)(flat.oh * flat.ow) * padded) : 0) + copied};
    const size_t most = floats[0] > floats[1] ? floats[0] : floats[1];
    return most > floats[2] ? most : floats[2];
}
