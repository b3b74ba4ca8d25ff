/* conv_gemm_simd.c — convolutions as matrix products over columns (im2col), a block of output lines at a time.
 *
 * A line is one output row of one sample: OW positions, contiguous in y. A block of lines becomes a matrix `columns`
 * [lines * OW, R*S*C]; y = columns * w, dw = columns' * dy, and dcolumns = dy * w' is added back into dx. All of it is
 * a fixed sequence for a shape, so a grain's bits are fixed. */
#include <string.h>

#include "kernels/register.h"
#include "kernels/simd.h"

/* 1 MiB of columns: still in L2 when the product packs them, and enough rows for it to run at full speed. */
enum { BLOCK_FLOATS = 1 << 18 };

/* Columns of one position: a patch of the image. */
static int patch_floats(const dcnn_conv *shape) {
    return shape->r * shape->s * shape->c;
}

/* Is x itself the matrix of columns? */
static bool is_plain_product(const dcnn_conv *shape) {
    return shape->r == 1 && shape->s == 1 && shape->stride_h == 1 && shape->stride_w == 1 && shape->pad_h == 0 &&
           shape->pad_w == 0 && shape->oh == shape->h && shape->ow == shape->w;
}

/* Lines of a block: as many as fit, at least one. */
static int block_lines(const dcnn_conv *shape) {
    const int all = shape->n * shape->oh;
    const size_t line_floats = (size_t)shape->ow * (size_t)patch_floats(shape);
    const size_t fit = BLOCK_FLOATS / line_floats;
    if (fit >= (size_t)all) return all;
    return fit > 0 ? (int)fit : 1;
}

static size_t conv_scratch(const dcnn_conv *shape) {
    if (is_plain_product(shape)) return 0;
    return (size_t)block_lines(shape) * (size_t)shape->ow * (size_t)patch_floats(shape);
}

/* First layers have runs of 3 or 9 floats. AVX-512 copies such a rest masked; maskstore of AVX2 is slower than float by
 * float on AMD (16 images 28x28x1, 3x3, 64 filters, forward: 0.45 against 0.36 ms), as are masked sums of AVX-512. */
static inline void copy_run(float *to, const float *from, size_t count) {
    size_t i = 0;
    for (; i + SIMD_LANES <= count; i += SIMD_LANES) simd_store(to + i, simd_load(from + i));
#if defined(DCNN_ISA_avx512)
    simd_store_part(to + i, count - i, simd_load_part(from + i, count - i));
#else
    for (; i < count; i++) to[i] = from[i];
#endif
}

static inline void add_run(float *to, const float *from, size_t count) {
    size_t i = 0;
    for (; i + SIMD_LANES <= count; i += SIMD_LANES) simd_store(to + i, simd_load(to + i) + simd_load(from + i));
    for (; i < count; i++) to[i] += from[i];
}

static inline void zero_run(float *to, size_t count) {
    for (size_t i = 0; i < count; i++) to[i] = 0;
}

/* Offset of the image row that row r of the patches of a line reads, or -1 if it is outside the image. */
static ptrdiff_t row_offset(const dcnn_conv *shape, int line, int r) {
    const int row = line % shape->oh * shape->stride_h - shape->pad_h + r;
    if (row < 0 || row >= shape->h) return -1;
    return ((ptrdiff_t)(line / shape->oh) * shape->h + row) * shape->w * shape->c;
}

/* The part of a patch row of S pixels, from image column `column` on, that lies inside the image; all in floats. */
typedef struct patch_run {
    size_t skipped, count; /* before it, and in it */
    ptrdiff_t offset;      /* in the image row */
} patch_run;

static inline patch_run run_at(const dcnn_conv *shape, int column) {
    const int first = column < 0 ? -column : 0;
    const int end = column + shape->s > shape->w ? shape->w - column : shape->s;
    if (end <= first) return (patch_run){0};
    const size_t c = (size_t)shape->c;
    return (patch_run){(size_t)first * c, (size_t)(end - first) * c, (ptrdiff_t)(column + first) * shape->c};
}

/* columns [lines * OW, R*S*C] of the lines from `begin` on. */
static void make_columns(const dcnn_conv *shape, int begin, int lines, const float *x, float *columns) {
    const size_t row_floats = (size_t)(shape->s * shape->c), patch = (size_t)patch_floats(shape);
    for (int line = begin; line < begin + lines; line++, columns += (size_t)shape->ow * patch)
        for (int r = 0; r < shape->r; r++) {
            const ptrdiff_t row = row_offset(shape, line, r);
            const float *image_row = row < 0 ? x : x + row;
            float *to = columns + (size_t)r * row_floats;
            for (int j = 0; j < shape->ow; j++, to += patch) {
                const patch_run run = row < 0 ? (patch_run){0} : run_at(shape, j * shape->stride_w - shape->pad_w);
                zero_run(to, run.skipped);
                copy_run(to + run.skipped, image_row + run.offset, run.count);
                zero_run(to + run.skipped + run.count, row_floats - run.skipped - run.count);
            }
        }
}

/* The adjoint of make_columns: adds columns into dx where they came from. */
static void add_columns(const dcnn_conv *shape, int begin, int lines, const float *columns, float *dx) {
    const size_t row_floats = (size_t)(shape->s * shape->c), patch = (size_t)patch_floats(shape);
    for (int line = begin; line < begin + lines; line++, columns += (size_t)shape->ow * patch)
        for (int r = 0; r < shape->r; r++) {
            const ptrdiff_t row = row_offset(shape, line, r);
            const float *from = columns + (size_t)r * row_floats;
            for (int j = 0; row >= 0 && j < shape->ow; j++, from += patch) {
                const patch_run run = run_at(shape, j * shape->stride_w - shape->pad_w);
                add_run(dx + row + run.offset, from + run.skipped, run.count);
            }
        }
}

/* One block of lines: its place in y, its number of positions. */
typedef struct block {
    int begin, lines, positions;
    size_t y_offset;
} block;

static block block_at(const dcnn_conv *shape, int begin) {
    const int all = shape->n * shape->oh, lines = block_lines(shape);
    const int here = begin + lines > all ? all - begin : lines;
    return (block){begin, here, here * shape->ow, (size_t)begin * (size_t)shape->ow * (size_t)shape->k};
}

static void conv_forward(const dcnn_conv *shape, const float *x, const float *w, const float *bias, dcnn_fused fused,
                         float *y, float *scratch) {
    const int depth = patch_floats(shape), k = shape->k, all = shape->n * shape->oh;
    const bool plain = is_plain_product(shape);
    for (int begin = 0; begin < all; begin += block_lines(shape)) {
        const block b = block_at(shape, begin);
        const float *columns = plain ? x + (size_t)begin * (size_t)shape->ow * (size_t)depth : scratch;
        if (!plain) make_columns(shape, begin, b.lines, x, scratch);
        dcnn_sgemm(false, false, b.positions, k, depth, columns, depth, w, k, 0, y + b.y_offset, k);
        DCNN_SIMD_NAME(dcnn_bias)((size_t)b.positions, k, bias, fused, y + b.y_offset);
    }
}

static void conv_backward_input(const dcnn_conv *shape, const float *dy, const float *w, float *dx, float *scratch) {
    const int depth = patch_floats(shape), k = shape->k, all = shape->n * shape->oh;
    if (is_plain_product(shape)) {
        dcnn_sgemm(false, true, all * shape->ow, depth, k, dy, k, w, k, 0, dx, depth);
        return;
    }
    memset(dx, 0, (size_t)shape->n * (size_t)shape->h * (size_t)shape->w * (size_t)shape->c * sizeof(float));
    for (int begin = 0; begin < all; begin += block_lines(shape)) {
        const block b = block_at(shape, begin);
        dcnn_sgemm(false, true, b.positions, depth, k, dy + b.y_offset, k, w, k, 0, scratch, depth);
        add_columns(shape, begin, b.lines, scratch, dx);
    }
}

static void conv_backward_filter(const dcnn_conv *shape, const float *x, const float *dy, float *dw, float *dbias,
                                 float *scratch) {
    const int depth = patch_floats(shape), k = shape->k, all = shape->n * shape->oh;
    const size_t positions = (size_t)all * (size_t)shape->ow;
    if (is_plain_product(shape)) {
        dcnn_sgemm(true, false, depth, k, (int)positions, x, depth, dy, k, 0, dw, k);
    } else {
        for (int begin = 0; begin < all; begin += block_lines(shape)) {
            const block b = block_at(shape, begin);
            make_columns(shape, begin, b.lines, x, scratch);
            dcnn_sgemm(true, false, depth, k, b.positions, scratch, depth, dy + b.y_offset, k, begin > 0 ? 1.0f : 0.0f,
                       dw, k);
        }
    }
    if (dbias) DCNN_SIMD_NAME(dcnn_column_sums)(positions, k, dy, dbias);
}

void DCNN_SIMD_NAME(dcnn_register_conv_gemm)(dcnn_kernels *table) {
    table->conv_scratch = conv_scratch;
    table->conv_forward = conv_forward;
    table->conv_backward_input = conv_backward_input;
    table->conv_backward_filter = conv_backward_filter;
}
