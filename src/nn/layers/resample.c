/* SPDX-License-Identifier: BSD-3-Clause */
/* resample.c — see resample.h; and the layer Resizing, all of Keras' image.resize. */
#include "nn/layers/resample.h"

#include <math.h>
#include <string.h>

#include "nn/config.h"

/* The pixel that stands at a place along one axis, or -1: the fill value. */
static int pixel_at(dcnn_fill fill, int64_t at, int length) {
    if (at >= 0 && at < length) return (int)at;
    switch (fill) {
    case DCNN_FILL_CONSTANT:
        return -1;
    case DCNN_FILL_NEAREST:
        return at < 0 ? 0 : length - 1;
    case DCNN_FILL_WRAP:
        return (int)((at % length + length) % length);
    case DCNN_FILL_REFLECT:
        at = (at % (2 * length) + 2 * length) % (2 * length);
        return (int)(at < length ? at : 2 * length - 1 - at);
    }
    return -1;
}

/* The pixels that an output pixel is made of, and their shares. */
typedef struct taps {
    int count;
    int64_t pixel[4]; /* number of it, or -1: the fill value */
    double share[4];
} taps;

static taps taps_at(const dcnn_resampling *r, dcnn_shape in, int i, int j) {
    double row = r->m[0] * i + r->m[1] * j + r->m[2], column = r->m[3] * i + r->m[4] * j + r->m[5];
    if (r->least[0] > 0.0 && row < r->least[0]) row = r->least[0];
    if (r->least[1] > 0.0 && column < r->least[1]) column = r->least[1];
    const double top = r->nearest ? floor(row + 0.5) : floor(row);
    const double left = r->nearest ? floor(column + 0.5) : floor(column);
    taps t = {.count = 0};
    for (int k = 0; k < (r->nearest ? 1 : 4); k++) {
        const double down = k / 2 ? row - top : 1.0 - (row - top);
        const double across = k % 2 ? column - left : 1.0 - (column - left);
        const int y = pixel_at(r->fill, (int64_t)top + k / 2, in.h);
        const int x = pixel_at(r->fill, (int64_t)left + k % 2, in.w);
        t.pixel[t.count] = y < 0 || x < 0 ? -1 : (int64_t)y * in.w + x;
        t.share[t.count] = r->nearest ? 1.0 : down * across;
        t.count += t.share[t.count] != 0.0;
    }
    return t;
}

void dcnn_resample_forward(const dcnn_resampling *r, dcnn_shape in, dcnn_shape out, const float *x, float *y) {
    for (int i = 0; i < out.h; i++)
        for (int j = 0; j < out.w; j++, y += out.c) {
            const taps t = taps_at(r, in, i, j);
            for (int c = 0; c < out.c; c++) {
                double sum = 0.0;
                for (int k = 0; k < t.count; k++)
                    sum += t.share[k] * (t.pixel[k] < 0 ? r->value : (double)x[t.pixel[k] * in.c + c]);
                y[c] = (float)sum;
            }
        }
}

void dcnn_resample_backward(const dcnn_resampling *r, dcnn_shape in, dcnn_shape out, const float *dy, float *dx) {
    for (int i = 0; i < out.h; i++)
        for (int j = 0; j < out.w; j++, dy += out.c) {
            const taps t = taps_at(r, in, i, j);
            for (int k = 0; k < t.count; k++)
                for (int c = 0; c < out.c && t.pixel[k] >= 0; c++)
                    dx[t.pixel[k] * in.c + c] += (float)(t.share[k] * (double)dy[c]);
        }
}

/* Stretches the input over the output, pixels being squares (Keras' image.resize without antialiasing). */
static dcnn_resampling stretch(dcnn_shape in, dcnn_shape out) {
    const double down = (double)in.h / out.h, across = (double)in.w / out.w;
    return (dcnn_resampling){.m = {down, 0.0, 0.5 * down - 0.5, 0.0, across, 0.5 * across - 0.5},
                             .fill = DCNN_FILL_NEAREST};
}

/* Nothing but four pixels each: read where they are. */
static bool is_simple(const dcnn_resize *r) {
    return r->filter == DCNN_FILTER_BILINEAR && !r->antialias && !r->crop && !r->pad;
}

static void stretch_all(const dcnn_pass *pass) {
    const dcnn_shape in = pass->op->in, out = pass->op->node->shape;
    const dcnn_resampling r = stretch(in, out);
    for (size_t n = 0; n < (size_t)pass->n; n++)
        dcnn_resample_forward(&r, in, out, pass->x[0] + n * dcnn_shape_count(in), pass->y + n * dcnn_shape_count(out));
}

static void stretch_all_back(const dcnn_pass *pass) {
    const dcnn_shape in = pass->op->in, out = pass->op->node->shape;
    const dcnn_resampling r = stretch(in, out);
    for (size_t n = 0; n < (size_t)pass->n; n++)
        dcnn_resample_backward(&r, in, out, pass->dy + n * dcnn_shape_count(out),
                               pass->dx[0] + n * dcnn_shape_count(in));
}

/* --- by wider filters, rows and columns apart (Keras' image.resize, as JAX and TensorFlow compute it) ------------- */

static const char *const filter_names[DCNN_FILTER_COUNT] = {
    [DCNN_FILTER_NEAREST] = "nearest",   [DCNN_FILTER_BILINEAR] = "bilinear", [DCNN_FILTER_BICUBIC] = "bicubic",
    [DCNN_FILTER_LANCZOS3] = "lanczos3", [DCNN_FILTER_LANCZOS5] = "lanczos5",
};

dcnn_status dcnn_resize_read(const dcnn_node *node, const json_t *config, const char *fallback, dcnn_resize *resize) {
    const json_t *json = json_object_get(config, "interpolation");
    const char *name = json == NULL || json_is_null(json) ? fallback : json_string_value(json);
    for (int i = 0; name && i < DCNN_FILTER_COUNT; i++)
        if (strcmp(name, filter_names[i]) == 0) {
            resize->filter = (dcnn_filter)i;
            return DCNN_OK;
        }
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s': \"interpolation\" must be \"nearest\", \"bilinear\", \"bicubic\", \"lanczos3\" or "
                     "\"lanczos5\", not '%s'",
                     node->name, name ? name : "?");
}

const char *dcnn_resize_name(const dcnn_resize *resize) {
    return filter_names[resize->filter];
}

static double radius_of(dcnn_filter filter) {
    static const double radii[DCNN_FILTER_COUNT] = {0.5, 1.0, 2.0, 3.0, 5.0};
    return radii[filter];
}

/* Keys (1981) with a = -0.5; Lanczos: sinc(x) sinc(x / radius). */
static double filter_at(dcnn_filter filter, double x) {
    const double pi = 3.14159265358979323846, radius = radius_of(filter);
    if (x > radius) return 0.0;
    if (filter == DCNN_FILTER_BILINEAR) return 1.0 - x;
    if (filter == DCNN_FILTER_BICUBIC)
        return x >= 1.0 ? ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0 : (1.5 * x - 2.5) * x * x + 1.0;
    return x > 1e-3 ? radius * sin(pi * x) * sin(pi * x / radius) / (pi * pi * x * x) : 1.0;
}

/* One axis: pixels that the output is stretched over, of which the input's first one has this number (below 0: cut
 * off); and how an output pixel's weights lie: first pixel, count, and so many weights. */
typedef struct axis {
    int in, out, length, before, room;
    double scale; /* of a filter */
} axis;

int dcnn_resize_fitted(int out, int other_in, int other_out) {
    const double fitted = (double)other_in * out / other_out;
    return fitted < 2.0 ? 1 : fitted > DCNN_SHAPE_MOST ? DCNN_SHAPE_MOST : (int)fitted;
}

static axis axis_of(const dcnn_resize *r, int in, int out, int other_in, int other_out) {
    axis a = {.in = in, .out = out, .length = in};
    const int fitted = dcnn_resize_fitted(out, other_in, other_out);
    if (r->crop && fitted < in) {
        a.length = fitted;
        a.before = -((in - a.length) / 2);
    } else if (r->pad && fitted > in) {
        a.before = (fitted - in) / 2;
        a.length = in + 2 * a.before; /* as in Keras, of an odd number of pixels one is left out */
    }
    const double step = (double)a.length / out;
    a.scale = r->antialias && step > 1.0 ? step : 1.0;
    const double room = 2.0 * ceil(radius_of(r->filter) * a.scale) + 2.0;
    a.room = (room > a.length ? a.length : (int)room) + 2;
    return a;
}

static axis rows_of(const dcnn_op *op, const dcnn_resize *r) {
    return axis_of(r, op->in.h, op->node->shape.h, op->in.w, op->node->shape.w);
}

static axis columns_of(const dcnn_op *op, const dcnn_resize *r) {
    return axis_of(r, op->in.w, op->node->shape.w, op->in.h, op->node->shape.h);
}

/* The pixel in which the middle of output pixel j lies; on the edge between two, the latter. In whole numbers: floating
 * point would put some of those edges beside where they are. */
static int nearest_pixel(const axis *a, int j) {
    return (int)((2 * (int64_t)j + 1) * a->length / (2 * (int64_t)a->out));
}

/* Weights of pixels beyond the rim are spread over those inside. */
static void fill_axis(const dcnn_resize *r, const axis *a, float *all) {
    for (int j = 0; j < a->out; j++) {
        float *mine = all + (size_t)j * (size_t)a->room;
        const double at = (j + 0.5) * a->length / a->out, reach = radius_of(r->filter) * a->scale;
        int first = (int)ceil(at - 0.5 - reach), last = (int)floor(at - 0.5 + reach);
        if (r->filter == DCNN_FILTER_NEAREST) first = last = nearest_pixel(a, j);
        if (first < 0) first = 0;
        if (last > a->length - 1) last = a->length - 1;
        if (last - first > a->room - 3) last = first + a->room - 3;
        double sum = 0.0;
        for (int k = first; k <= last; k++) sum += filter_at(r->filter, fabs(at - 0.5 - k) / a->scale);
        mine[0] = (float)(first - a->before); /* of the input: small, and exact, wherever there is a pixel */
        mine[1] = (float)(last - first + 1);
        for (int k = first; k <= last; k++) {
            const double weight = filter_at(r->filter, fabs(at - 0.5 - k) / a->scale);
            mine[2 + k - first] = r->filter == DCNN_FILTER_NEAREST ? 1.0f : (float)(weight / sum);
        }
    }
}

void dcnn_resize_measure(dcnn_op *op, const dcnn_resize *r) {
    if (is_simple(r)) return;
    const axis rows = rows_of(op, r), columns = columns_of(op, r);
    op->shared_floats = (size_t)rows.out * (size_t)rows.room + (size_t)columns.out * (size_t)columns.room;
    op->scratch_floats = (size_t)op->in.w * (size_t)op->in.c;
}

void dcnn_resize_prepare(const dcnn_op *op, const dcnn_resize *r) {
    if (is_simple(r)) return;
    const axis rows = rows_of(op, r), columns = columns_of(op, r);
    fill_axis(r, &rows, op->shared);
    fill_axis(r, &columns, op->shared + (size_t)rows.out * (size_t)rows.room);
}

/* An output row is made of one row that lies between the input's: t [columns, channels]. */
typedef struct resizer {
    const dcnn_op *op;
    axis rows, columns;
    const float *row_weights, *column_weights;
    float value;
    float *t;
} resizer;

static resizer resizer_of(const dcnn_pass *pass, const dcnn_resize *r) {
    resizer z = {.op = pass->op, .rows = rows_of(pass->op, r), .columns = columns_of(pass->op, r)};
    z.row_weights = pass->op->shared;
    z.column_weights = pass->op->shared + (size_t)z.rows.out * (size_t)z.rows.room;
    z.value = (float)r->value;
    z.t = pass->scratch;
    return z;
}

static bool is_inside(const axis *a, int pixel) {
    return pixel >= 0 && pixel < a->in;
}

static void make_between(const resizer *z, int i, const float *x) {
    const float *weights = z->row_weights + (size_t)i * (size_t)z->rows.room;
    const size_t row = (size_t)z->op->in.w * (size_t)z->op->in.c;
    memset(z->t, 0, row * sizeof *z->t);
    for (int k = 0; k < (int)weights[1]; k++) {
        const int pixel = (int)weights[0] + k;
        const float weight = weights[2 + k];
        for (size_t e = 0; e < row; e++)
            z->t[e] += weight * (is_inside(&z->rows, pixel) ? x[(size_t)pixel * row + e] : z->value);
    }
}

static void forward_sample(const resizer *z, const float *x, float *y) {
    const size_t c = (size_t)z->op->in.c;
    for (int i = 0; i < z->rows.out; i++) {
        make_between(z, i, x);
        for (int j = 0; j < z->columns.out; j++, y += c) {
            const float *weights = z->column_weights + (size_t)j * (size_t)z->columns.room;
            memset(y, 0, c * sizeof *y);
            for (int k = 0; k < (int)weights[1]; k++) {
                const int pixel = (int)weights[0] + k;
                const float weight = weights[2 + k];
                for (size_t e = 0; e < c; e++)
                    y[e] += weight * (is_inside(&z->columns, pixel) ? z->t[(size_t)pixel * c + e] : z->value);
            }
        }
    }
}

static void backward_sample(const resizer *z, const float *dy, float *dx) {
    const size_t c = (size_t)z->op->in.c, row = (size_t)z->op->in.w * c;
    for (int i = 0; i < z->rows.out; i++) {
        memset(z->t, 0, row * sizeof *z->t);
        for (int j = 0; j < z->columns.out; j++, dy += c) {
            const float *weights = z->column_weights + (size_t)j * (size_t)z->columns.room;
            for (int k = 0; k < (int)weights[1]; k++) {
                const int pixel = (int)weights[0] + k;
                for (size_t e = 0; is_inside(&z->columns, pixel) && e < c; e++)
                    z->t[(size_t)pixel * c + e] += weights[2 + k] * dy[e];
            }
        }
        const float *weights = z->row_weights + (size_t)i * (size_t)z->rows.room;
        for (int k = 0; k < (int)weights[1]; k++) {
            const int pixel = (int)weights[0] + k;
            for (size_t e = 0; is_inside(&z->rows, pixel) && e < row; e++)
                dx[(size_t)pixel * row + e] += weights[2 + k] * z->t[e];
        }
    }
}

void dcnn_resize_forward(const dcnn_pass *pass, const dcnn_resize *r) {
    if (is_simple(r)) {
        stretch_all(pass);
        return;
    }
    const resizer z = resizer_of(pass, r);
    for (size_t n = 0; n < (size_t)pass->n; n++)
        forward_sample(&z, pass->x[0] + n * dcnn_shape_count(pass->op->in),
                       pass->y + n * dcnn_shape_count(pass->op->node->shape));
}

void dcnn_resize_backward(const dcnn_pass *pass, const dcnn_resize *r) {
    if (pass->dx[0] == NULL) return;
    memset(pass->dx[0], 0, (size_t)pass->n * dcnn_shape_count(pass->op->in) * sizeof(float));
    if (is_simple(r)) {
        stretch_all_back(pass);
        return;
    }
    const resizer z = resizer_of(pass, r);
    for (size_t n = 0; n < (size_t)pass->n; n++)
        backward_sample(&z, pass->dy + n * dcnn_shape_count(pass->op->node->shape),
                        pass->dx[0] + n * dcnn_shape_count(pass->op->in));
}

/* --- Resizing ----------------------------------------------------------------------------------------------------- */

typedef struct resizing {
    int h, w;
    dcnn_resize how;
} resizing;

static dcnn_status parse(dcnn_node *node, const json_t *config) {
    static const dcnn_config_only only[] = {{"fill_mode", "\"constant\""}, {"data_format", "\"channels_last\""}};
    resizing *r = node->config;
    DCNN_TRY(dcnn_config_int(node, config, "height", 0, &r->h));
    DCNN_TRY(dcnn_config_int(node, config, "width", 0, &r->w));
    DCNN_TRY(dcnn_resize_read(node, config, "bilinear", &r->how));
    DCNN_TRY(dcnn_config_bool(node, config, "antialias", false, &r->how.antialias));
    DCNN_TRY(dcnn_config_bool(node, config, "crop_to_aspect_ratio", false, &r->how.crop));
    DCNN_TRY(dcnn_config_bool(node, config, "pad_to_aspect_ratio", false, &r->how.pad));
    DCNN_TRY(dcnn_config_real(node, config, "fill_value", 0.0, -1e6, 1e6, &r->how.value));
    if (r->how.crop && r->how.pad)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s' (Resizing): only one of \"crop_to_aspect_ratio\" and \"pad_to_aspect_ratio\" can "
                         "be true",
                         node->name);
    r->how.antialias = r->how.antialias && r->how.filter != DCNN_FILTER_NEAREST;
    return dcnn_config_refuse(node, config, only, sizeof only / sizeof only[0]);
}

static dcnn_status build(dcnn_node *node, const dcnn_shape *inputs) {
    const resizing *r = node->config;
    char text[48];
    if (inputs[0].rank != 3 || r->h > 1 << 16 || r->w > 1 << 16)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Resizing) does not fit an input of shape %s", node->name,
                         dcnn_shape_text(inputs[0], text));
    node->shape = (dcnn_shape){3, r->h, r->w, inputs[0].c};
    const int h = dcnn_resize_fitted(r->h, inputs[0].w, r->w), w = dcnn_resize_fitted(r->w, inputs[0].h, r->h);
    if (r->how.pad && (h > 1 << 20 || w > 1 << 20))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (Resizing): an input of shape %s is padded too far", node->name,
                         dcnn_shape_text(inputs[0], text));
    return DCNN_OK;
}

static void describe(const dcnn_node *node, json_t *config) {
    const resizing *r = node->config;
    json_t *mine = json_pack("{s:i, s:i, s:s, s:b, s:b, s:b, s:s, s:f, s:s}", "height", r->h, "width", r->w,
                             "interpolation", dcnn_resize_name(&r->how), "crop_to_aspect_ratio", r->how.crop,
                             "pad_to_aspect_ratio", r->how.pad, "antialias", r->how.antialias, "fill_mode", "constant",
                             "fill_value", r->how.value, "data_format", "channels_last");
    json_object_update(config, mine);
    json_decref(mine);
}

static const dcnn_resize *how_of(const dcnn_op *op) {
    return &((const resizing *)op->node->config)->how;
}

static void measure(dcnn_op *op, const dcnn_kernels *kernels, int grain) {
    (void)kernels;
    (void)grain;
    dcnn_resize_measure(op, how_of(op));
}

static void prepare(const dcnn_op *op, const dcnn_kernels *kernels, const dcnn_net *net, int part, int parts) {
    (void)kernels;
    (void)net;
    (void)parts;
    if (part == 0) dcnn_resize_prepare(op, how_of(op));
}

static void forward(const dcnn_pass *pass) {
    dcnn_resize_forward(pass, how_of(pass->op));
}

static void backward(const dcnn_pass *pass) {
    dcnn_resize_backward(pass, how_of(pass->op));
}

static const dcnn_op_kind op = {
    .name = "resizing", .measure = measure, .prepare = prepare, .forward = forward, .backward = backward};

const dcnn_layer dcnn_layer_resizing = {.class_name = "Resizing",
                                        .config_bytes = sizeof(resizing),
                                        .parse = parse,
                                        .build = build,
                                        .describe = describe,
                                        .op = &op};
