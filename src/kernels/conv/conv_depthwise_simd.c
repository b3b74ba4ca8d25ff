/* SPDX-License-Identifier: BSD-3-Clause */
/* conv_depthwise_simd.c — depthwise convolutions of multiplier 1, channels in vectors, sums in registers.
 *
 * The last vector of channels begins early enough to be whole; the channels that it shares with the one before come out
 * the same twice. Fewer channels than a vector has take the loops for filters of any size.
 *
 * Forward makes a few neighbouring outputs of a line at a time, which share the cells they read. The input's gradient
 * is cut into stride x stride phases, each of which is forward with dy for x and some taps, turned. The filters'
 * gradient keeps a vector of channels' taps in registers while it walks over all outputs. Each sum is made in the order
 * in which plain loops over outputs would make it (conv_general_simd.c), and cells outside the image are left out, so
 * the bits are theirs. */
#include "kernels/conv/conv_depthwise_simd.h"
#include "kernels/simd/simd.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum {
    OUTPUTS = 4,             /* of a line at a time */
    MOST_TAPS = 9,           /* of dw that sum at a time */
    LINES_BYTES = 96 * 1024, /* of x that dw reads for one vector of channels after the other */
};

/* out[i][j] = start + sum of source[i * down + a - above][j * right + b - left] * w[a][b]. */
typedef struct sweep {
    int rows, columns; /* outputs of an image */
    int h, w, c;       /* of the source */
    int down, right, above, left;
    int taps_down, taps_right;
    const float *filter, *start; /* the first tap; NULL: from zero */
    ptrdiff_t filter_down, filter_right;
    size_t out_down, out_right; /* floats from output to output */
} sweep;

/* Taps first..end-1 of a side that lie inside, from place `at` on. */
typedef struct span {
    int first, end;
} span;

ALWAYS_INLINE span inside(int at, int taps, int length) {
    const int most = length - at;
    return (span){at < 0 ? -at : 0, most < taps ? most : taps};
}

/* Of up to `most` outputs from the one whose first tap is at `column` on, those whose taps all lie inside. */
ALWAYS_INLINE int columns_inside(int column, int most, int taps, int right, int width) {
    const int count = column < 0 || column + taps > width ? 0 : (width - taps - column) / right + 1;
    return count < most ? count : most;
}

/* Where the vector that has channel `at` of `channels` begins: at the last, so that it is whole. */
ALWAYS_INLINE size_t whole_vector(size_t at, size_t channels) {
    return at + SIMD_LANES <= channels ? at : channels - SIMD_LANES;
}

bool DCNN_SIMD_NAME(dcnn_depthwise_fits)(const dcnn_conv *s) {
    return s->groups == s->c && s->k == s->c && s->dilation_h == 1 && s->dilation_w == 1;
}

/* --- forward and the input's gradient --------------------------------------------------------------------------- */

/* One vector of channels of `count` outputs; `taps`, `right` and `count` are constants where it is inlined. `place` is
 * that of the first output's first tap, maybe outside. */
ALWAYS_INLINE void make_outputs(const sweep *t, const float *source, ptrdiff_t place, span a, span b, int taps,
                                int right, int count, size_t at, float *out) {
    const ptrdiff_t c = t->c, pitch = (ptrdiff_t)t->w * c;
    simd_float sum[OUTPUTS];
    for (int q = 0; q < count; q++) sum[q] = t->start ? simd_load(t->start + at) : simd_zero();
    for (int row = a.first; row < a.end; row++) {
        const float *filter = t->filter + row * t->filter_down + (ptrdiff_t)at;
        const ptrdiff_t line = place + row * pitch + (ptrdiff_t)at;
        for (int i = 0; i < taps; i++) {
            if (i < b.first || i >= b.end) continue;
            const simd_float weight = simd_load(filter + i * t->filter_right);
            for (int q = 0; q < count; q++) /* the compiler loads a cell once */
                sum[q] = simd_multiply_add(simd_load(source + line + (i + q * right) * c), weight, sum[q]);
        }
    }
    for (int q = 0; q < count; q++) simd_store(out + (size_t)q * t->out_right + at, sum[q]);
}

/* The same of one output, whatever the filter. */
static void make_any_output(const sweep *t, const float *source, ptrdiff_t place, span a, span b, float *out) {
    const ptrdiff_t c = t->c, pitch = (ptrdiff_t)t->w * c;
    for (size_t at = 0; at < (size_t)c; at += SIMD_LANES) {
        const size_t lanes = simd_lanes((size_t)c, at);
        simd_float sum = t->start ? simd_take(t->start + at, lanes) : simd_zero();
        for (int row = a.first; row < a.end; row++)
            for (int i = b.first; i < b.end; i++)
                sum = simd_multiply_add(
                    simd_take(source + place + row * pitch + i * c + (ptrdiff_t)at, lanes),
                    simd_take(t->filter + row * t->filter_down + i * t->filter_right + (ptrdiff_t)at, lanes), sum);
        simd_put(out + at, lanes, sum);
    }
}

/* All channels of `count` outputs from column j on. */
ALWAYS_INLINE void make_columns(const sweep *t, const float *source, ptrdiff_t line, int j, span a, span b, int taps,
                                int right, int count, float *out) {
    const ptrdiff_t place = line + (ptrdiff_t)(j * right - t->left) * t->c;
    const size_t c = (size_t)t->c;
    out += (size_t)j * t->out_right;
    for (size_t at = 0; at < c; at += SIMD_LANES)
        make_outputs(t, source, place, a, b, taps, right, count, whole_vector(at, c), out);
}

/* One line of outputs: those whose taps all lie inside some at a time. */
ALWAYS_INLINE void make_line(const sweep *t, const float *source, ptrdiff_t line, span a, int taps, int right,
                             float *out) {
    for (int j = 0; j < t->columns;) {
        const int column = j * right - t->left, ready = columns_inside(column, t->columns - j, taps, right, t->w);
        const span all = {0, taps}, b = inside(column, taps, t->w);
        const int count = ready >= OUTPUTS ? OUTPUTS : ready >= 2 ? 2 : 1;
        if (count == OUTPUTS)
            make_columns(t, source, line, j, a, all, taps, right, OUTPUTS, out);
        else if (count == 2)
            make_columns(t, source, line, j, a, all, taps, right, 2, out);
        else
            make_columns(t, source, line, j, a, b, taps, right, 1, out);
        j += count;
    }
}

static void make_any_line(const sweep *t, const float *source, ptrdiff_t line, span a, float *out) {
    for (int j = 0; j < t->columns; j++, out += t->out_right) {
        const int column = j * t->right - t->left;
        make_any_output(t, source, line + (ptrdiff_t)column * t->c, a, inside(column, t->taps_right, t->w), out);
    }
}

/* One image. */
static void run(const sweep *t, const float *source, float *out) {
    for (int i = 0; i < t->rows; i++, out += t->out_down) {
        const int row = i * t->down - t->above;
        const span a = inside(row, t->taps_down, t->h);
        const ptrdiff_t line = (ptrdiff_t)row * t->w * t->c;
        switch (t->right > 2 || t->c < SIMD_LANES ? 0 : 10 * t->right + t->taps_right) {
        case 11:
            make_line(t, source, line, a, 1, 1, out);
            break;
        case 12:
            make_line(t, source, line, a, 2, 1, out);
            break;
        case 13:
            make_line(t, source, line, a, 3, 1, out);
            break;
        case 15:
            make_line(t, source, line, a, 5, 1, out);
            break;
        case 17:
            make_line(t, source, line, a, 7, 1, out);
            break;
        case 23:
            make_line(t, source, line, a, 3, 2, out);
            break;
        case 25:
            make_line(t, source, line, a, 5, 2, out);
            break;
        default:
            make_any_line(t, source, line, a, out);
            break;
        }
    }
}

void DCNN_SIMD_NAME(dcnn_depthwise_forward)(const dcnn_conv *s, const float *x, const float *w, const float *bias,
                                            float *y) {
    const size_t c = (size_t)s->c;
    const sweep t = {.rows = s->oh,
                     .columns = s->ow,
                     .h = s->h,
                     .w = s->w,
                     .c = s->c,
                     .down = s->stride_h,
                     .right = s->stride_w,
                     .above = s->pad_h,
                     .left = s->pad_w,
                     .taps_down = s->r,
                     .taps_right = s->s,
                     .filter = w,
                     .start = bias,
                     .filter_down = (ptrdiff_t)s->s * s->c,
                     .filter_right = s->c,
                     .out_down = (size_t)s->ow * c,
                     .out_right = c};
    for (int n = 0; n < s->n; n++)
        run(&t, x + (size_t)n * (size_t)(s->h * s->w) * c, y + (size_t)n * (size_t)(s->oh * s->ow) * c);
}

/* The inputs first, first + stride, … of a side: how many, the last of the taps that they see, how many taps, and the
 * outputs before the first input's first. */
typedef struct phase {
    int count, last, taps, before;
} phase;

static phase phase_of(int first, int stride, int pad, int filter, int length) {
    const int tap = (first + pad) % stride;
    phase p = {.count = (length - first + stride - 1) / stride,
               .taps = tap < filter ? (filter - tap + stride - 1) / stride : 0};
    p.last = tap + (p.taps - 1) * stride;
    p.before = p.taps - 1 - (first + pad) / stride;
    return p;
}

/* One phase of one image's dx. */
static void run_phase(const dcnn_conv *s, int i, int j, const float *dy, const float *w, float *dx) {
    const ptrdiff_t c = s->c;
    const phase rows = phase_of(i, s->stride_h, s->pad_h, s->r, s->h);
    const phase columns = phase_of(j, s->stride_w, s->pad_w, s->s, s->w);
    const bool none = rows.taps == 0 || columns.taps == 0;
    const sweep t = {.rows = rows.count,
                     .columns = columns.count,
                     .h = s->oh,
                     .w = s->ow,
                     .c = s->c,
                     .down = 1,
                     .right = 1,
                     .above = rows.before,
                     .left = columns.before,
                     .taps_down = none ? 0 : rows.taps,
                     .taps_right = none ? 0 : columns.taps,
                     .filter = none ? w : w + ((ptrdiff_t)rows.last * s->s + columns.last) * c,
                     .filter_down = -(ptrdiff_t)s->stride_h * s->s * c,
                     .filter_right = -(ptrdiff_t)s->stride_w * c,
                     .out_down = (size_t)(s->stride_h * s->w) * (size_t)c,
                     .out_right = (size_t)s->stride_w * (size_t)c};
    run(&t, dy, dx + ((ptrdiff_t)i * s->w + j) * c);
}

void DCNN_SIMD_NAME(dcnn_depthwise_backward_input)(const dcnn_conv *s, const float *dy, const float *w, float *dx) {
    const size_t c = (size_t)s->c, in = (size_t)(s->h * s->w) * c, out = (size_t)(s->oh * s->ow) * c;
    for (int n = 0; n < s->n; n++, dy += out, dx += in)
        for (int i = 0; i < s->stride_h && i < s->h; i++)
            for (int j = 0; j < s->stride_w && j < s->w; j++) run_phase(s, i, j, dy, w, dx);
}

/* --- the filters' gradient -------------------------------------------------------------------------------------- */

/* Some lines of outputs of an image, and a vector of channels. */
typedef struct filter_task {
    const dcnn_conv *s;
    const float *x, *dy; /* of the image */
    float *dw;
    int from, to; /* lines */
    size_t done;  /* lanes whose sums another vector has made */
} filter_task;

ALWAYS_INLINE void put_sum(const filter_task *t, simd_float sum, size_t lanes, float *dw) {
    if (t->done == 0) {
        simd_put(dw, lanes, sum);
    } else {
        float all[SIMD_LANES];
        simd_store(all, sum);
        memcpy(dw + t->done, all + t->done, (SIMD_LANES - t->done) * sizeof *all);
    }
}

/* Adds `count` outputs from one on, whose first tap lies at `place`, maybe outside. */
ALWAYS_INLINE void add_outputs(const filter_task *t, ptrdiff_t place, const float *dy, span a, span b, int rows,
                               int taps, int right, int count, simd_float *sum) {
    const ptrdiff_t c = t->s->c, pitch = (ptrdiff_t)t->s->w * c;
    simd_float gradient[OUTPUTS];
    for (int q = 0; q < count; q++) gradient[q] = simd_load(dy + q * c);
    for (int row = 0; row < rows; row++) {
        if (row < a.first || row >= a.end) continue;
        for (int q = 0; q < count; q++)
            for (int i = 0; i < taps; i++)
                if (i >= b.first && i < b.end)
                    sum[row * taps + i] = simd_multiply_add(simd_load(t->x + place + row * pitch + (i + q * right) * c),
                                                            gradient[q], sum[row * taps + i]);
    }
}

/* Adds a line of outputs to the sums of dw's rows first..first + rows - 1, of which a.first..a.end - 1 lie inside. */
ALWAYS_INLINE void add_line(const filter_task *t, ptrdiff_t line, const float *dy, span a, int rows, int taps,
                            int right, simd_float *sum) {
    const dcnn_conv *s = t->s;
    for (int j = 0; j < s->ow;) {
        const int column = j * right - s->pad_w, ready = columns_inside(column, s->ow - j, taps, right, s->w);
        const ptrdiff_t place = line + (ptrdiff_t)column * s->c;
        const span all = {0, taps}, b = inside(column, taps, s->w);
        const int count = ready >= OUTPUTS ? OUTPUTS : ready >= 2 ? 2 : 1;
        if (count == OUTPUTS)
            add_outputs(t, place, dy, a, all, rows, taps, right, OUTPUTS, sum);
        else if (count == 2)
            add_outputs(t, place, dy, a, all, rows, taps, right, 2, sum);
        else
            add_outputs(t, place, dy, a, b, rows, taps, right, 1, sum);
        dy += (ptrdiff_t)count * s->c;
        j += count;
    }
}

/* dw's rows first..first + rows - 1; `rows`, `taps` and `right` are constants where it is inlined. */
ALWAYS_INLINE void sum_rows(const filter_task *t, int first, int rows, int taps, int right) {
    const dcnn_conv *s = t->s;
    const ptrdiff_t c = s->c;
    float *dw = t->dw + (ptrdiff_t)first * taps * c;
    simd_float sum[MOST_TAPS];
    for (int i = 0; i < rows * taps; i++) sum[i] = simd_load(dw + i * c);
    for (int i = t->from; i < t->to; i++) {
        const int row = i * s->stride_h - s->pad_h + first;
        const ptrdiff_t line = (ptrdiff_t)row * s->w * c;
        const float *dy = t->dy + (ptrdiff_t)i * s->ow * c;
        const span a = inside(row, rows, s->h);
        if (a.first == 0 && a.end == rows)
            add_line(t, line, dy, (span){0, rows}, rows, taps, right, sum);
        else if (a.first < a.end)
            add_line(t, line, dy, a, rows, taps, right, sum);
    }
    for (int i = 0; i < rows * taps; i++) put_sum(t, sum[i], SIMD_LANES, dw + i * c);
}

/* Filters of another size, or fewer channels than a vector has: tap by tap. */
static void sum_any(const filter_task *t, size_t lanes) {
    const dcnn_conv *s = t->s;
    const ptrdiff_t c = s->c;
    for (int a = 0; a < s->r; a++)
        for (int b = 0; b < s->s; b++) {
            float *dw = t->dw + ((ptrdiff_t)a * s->s + b) * c;
            simd_float sum = simd_take(dw, lanes);
            for (int i = t->from; i < t->to; i++)
                for (int j = 0; j < s->ow; j++) {
                    const int row = i * s->stride_h - s->pad_h + a, column = j * s->stride_w - s->pad_w + b;
                    if (row < 0 || row >= s->h || column < 0 || column >= s->w) continue;
                    sum = simd_multiply_add(simd_take(t->x + ((ptrdiff_t)row * s->w + column) * c, lanes),
                                            simd_take(t->dy + ((ptrdiff_t)i * s->ow + j) * c, lanes), sum);
                }
            put_sum(t, sum, lanes, dw);
        }
}

static void sum_channels(const filter_task *t, size_t lanes) {
    const dcnn_conv *s = t->s;
    if (lanes < SIMD_LANES)
        sum_any(t, lanes);
    else if (s->r == 3 && s->s == 3 && s->stride_w == 1)
        sum_rows(t, 0, 3, 3, 1);
    else if (s->r == 3 && s->s == 3 && s->stride_w == 2)
        sum_rows(t, 0, 3, 3, 2);
    else if (s->s == 5 && s->stride_w == 1)
        for (int a = 0; a < s->r; a++) sum_rows(t, a, 1, 5, 1);
    else if (s->s == 5 && s->stride_w == 2)
        for (int a = 0; a < s->r; a++) sum_rows(t, a, 1, 5, 2);
    else if (s->s == 7 && s->stride_w == 1)
        for (int a = 0; a < s->r; a++) sum_rows(t, a, 1, 7, 1);
    else
        sum_any(t, SIMD_LANES);
}

/* Some lines at a time, whose x all channels read while it is in cache. */
void DCNN_SIMD_NAME(dcnn_depthwise_backward_filter)(const dcnn_conv *s, const float *x, const float *dy, float *dw) {
    const size_t c = (size_t)s->c, line_bytes = (size_t)(s->stride_h * s->w) * c * sizeof(float);
    const int most = line_bytes < LINES_BYTES ? (int)(LINES_BYTES / line_bytes) : 1;
    memset(dw, 0, (size_t)(s->r * s->s) * c * sizeof *dw);
    for (int n = 0; n < s->n; n++, x += (size_t)(s->h * s->w) * c, dy += (size_t)(s->oh * s->ow) * c)
        for (int from = 0; from < s->oh; from += most)
            for (size_t at = 0; at < c; at += SIMD_LANES) {
                const size_t first = c < SIMD_LANES ? 0 : whole_vector(at, c);
                const filter_task t = {.s = s,
                                       .x = x + first,
                                       .dy = dy + first,
                                       .dw = dw + first,
                                       .from = from,
                                       .to = from + most < s->oh ? from + most : s->oh,
                                       .done = at - first};
                sum_channels(&t, c < SIMD_LANES ? c : SIMD_LANES);
            }
}
