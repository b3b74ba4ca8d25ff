/* SPDX-License-Identifier: BSD-3-Clause */
/* layers.c — the table of layers as ONNX operators. A row reads its layer's settings as Keras has them. */
#include <math.h>
#include <string.h>

#include "model/onnx/write.h"
#include "nn/config.h"
#include "nn/layers/resample.h"

/* --- settings ----------------------------------------------------------------------------------------------------- */

static int number(const dcnn_onnx_layer *l, const char *key, int fallback) {
    const json_t *value = json_object_get(l->config, key);
    return json_is_integer(value) ? (int)json_integer_value(value) : fallback;
}

static double real(const dcnn_onnx_layer *l, const char *key, double fallback) {
    const json_t *value = json_object_get(l->config, key);
    return json_is_number(value) ? json_number_value(value) : fallback;
}

static void pair(const dcnn_onnx_layer *l, const char *key, int64_t values[2]) {
    const json_t *value = json_object_get(l->config, key);
    for (size_t i = 0; i < 2; i++)
        values[i] = json_is_array(value)     ? json_integer_value(json_array_get(value, i))
                    : json_is_integer(value) ? json_integer_value(value)
                                             : 1;
}

static bool is(const dcnn_onnx_layer *l, const char *key, const char *word) {
    const char *value = json_string_value(json_object_get(l->config, key));
    return value && strcmp(value, word) == 0;
}

static const char *activated(dcnn_onnx_layer *l, const char *y) {
    return l->node->layer->activation ? dcnn_onnx_activate(l->graph, l->node->layer->activation(l->node), y) : y;
}

static dcnn_status fail(const dcnn_onnx_layer *l, const char *what) {
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): %s cannot be written as ONNX", l->node->name,
                     l->node->layer->class_name, what);
}

static dcnn_status keep(dcnn_onnx_layer *l, const char **y) {
    *y = l->x[0];
    return DCNN_OK;
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

typedef struct window {
    int64_t size[2], stride[2], dilation[2], pads[4]; /* zeros before rows, columns; behind rows, columns */
} window;

static window window_of(const dcnn_onnx_layer *l, const char *size, dcnn_shape in) {
    const int lengths[2] = {in.h, in.w};
    window w;
    pair(l, size, w.size);
    pair(l, "strides", w.stride);
    pair(l, "dilation_rate", w.dilation);
    for (int i = 0; i < 2; i++) {
        const int span = (int)((w.size[i] - 1) * w.dilation[i] + 1), stride = (int)w.stride[i];
        int out, before;
        dcnn_window(lengths[i], span, stride, is(l, "padding", "same"), &out, &before);
        const int behind = (out - 1) * stride + span - lengths[i] - before;
        w.pads[i] = before;
        w.pads[i + 2] = is(l, "padding", "same") && behind > 0 ? behind : 0;
    }
    return w;
}

static void set_window(dcnn_onnx_layer *l, const window *w, bool dilates) {
    dcnn_onnx_ints(l->graph, "kernel_shape", 2, w->size);
    dcnn_onnx_ints(l->graph, "strides", 2, w->stride);
    dcnn_onnx_ints(l->graph, "pads", 4, w->pads);
    if (dilates) dcnn_onnx_ints(l->graph, "dilations", 2, w->dilation);
}

static const char *convolve(dcnn_onnx_layer *l, const char *operator, const char * x, const char *kernel, int bias) {
    const char *inputs[3] = {x, kernel, NULL};
    if (dcnn_net_param(l->net, l->node, bias)) inputs[2] = dcnn_onnx_weight(l, bias, NULL);
    return dcnn_onnx_node(l->graph, operator, inputs[2] ? 3 : 2, inputs);
}

static dcnn_status conv2d(dcnn_onnx_layer *l, const char **y) {
    const window w = window_of(l, "kernel_size", l->in[0]);
    *y = convolve(l, "Conv", l->x[0], dcnn_onnx_weight(l, 0, (const int[]){3, 2, 0, 1}), 1);
    set_window(l, &w, true);
    dcnn_onnx_int(l->graph, "group", number(l, "groups", 1));
    *y = activated(l, *y);
    return DCNN_OK;
}

/* Keras' kernel [h, w, c, m] makes channel c m + j of kernel j of channel c: [c m, 1, h, w]. */
static const char *depthwise_kernel(dcnn_onnx_layer *l) {
    const dcnn_param *param = dcnn_net_param(l->net, l->node, 0);
    const int64_t c = param->dims[2], m = param->dims[3], places = (int64_t)param->dims[0] * param->dims[1];
    const float *from = dcnn_net_values(l->net, param);
    float *to;
    const char *name =
        dcnn_onnx_floats(l->graph, param->name, 4, (const int64_t[]){c * m, 1, param->dims[0], param->dims[1]}, &to);
    for (int64_t k = 0; to && k < c * m; k++)
        for (int64_t p = 0; p < places; p++) to[k * places + p] = from[p * c * m + k];
    return name;
}

static const char *depthwise_part(dcnn_onnx_layer *l, int bias) {
    const window w = window_of(l, "kernel_size", l->in[0]);
    const char *y = convolve(l, "Conv", l->x[0], depthwise_kernel(l), bias);
    set_window(l, &w, true);
    dcnn_onnx_int(l->graph, "group", l->in[0].c);
    return y;
}

static dcnn_status depthwise_conv2d(dcnn_onnx_layer *l, const char **y) {
    *y = activated(l, depthwise_part(l, 1));
    return DCNN_OK;
}

static dcnn_status separable_conv2d(dcnn_onnx_layer *l, const char **y) {
    *y = depthwise_part(l, DCNN_MAX_PARAMS);
    *y = activated(l, convolve(l, "Conv", *y, dcnn_onnx_weight(l, 1, (const int[]){3, 2, 0, 1}), 2));
    return DCNN_OK;
}

/* A convolution's gradient: what the kernel reaches beyond the output is cut away, or made up by output_padding. */
static dcnn_status conv2d_transpose(dcnn_onnx_layer *l, const char **y) {
    const int in[2] = {l->in[0].h, l->in[0].w}, out[2] = {l->out.h, l->out.w};
    window w = window_of(l, "kernel_size", l->out);
    int64_t more[2];
    for (int i = 0; i < 2; i++) {
        const int64_t whole = w.stride[i] * (in[i] - 1) + (w.size[i] - 1) * w.dilation[i] + 1;
        w.pads[i] = is(l, "padding", "same") && whole > out[i] ? (whole - out[i]) / 2 : 0;
        const int64_t behind = whole - out[i] - w.pads[i];
        w.pads[i + 2] = behind > 0 ? behind : 0;
        more[i] = behind < 0 ? -behind : 0;
    }
    *y = convolve(l, "ConvTranspose", l->x[0], dcnn_onnx_weight(l, 0, (const int[]){3, 2, 0, 1}), 1);
    set_window(l, &w, true);
    dcnn_onnx_ints(l->graph, "output_padding", 2, more);
    *y = activated(l, *y);
    return DCNN_OK;
}

static dcnn_status dense(dcnn_onnx_layer *l, const char **y) {
    const dcnn_param *kernel = dcnn_net_param(l->net, l->node, 0);
    if (l->in[0].rank == 1) {
        *y = convolve(l, "Gemm", l->x[0], dcnn_onnx_weight(l, 0, NULL), 1);
    } else { /* of each position: a convolution of one pixel */
        float *to;
        const float *from = dcnn_net_values(l->net, kernel);
        const int64_t in = kernel->dims[0], units = kernel->dims[1];
        const char *name = dcnn_onnx_floats(l->graph, "kernel_1x1", 4, (const int64_t[]){units, in, 1, 1}, &to);
        for (int64_t i = 0; to && i < units * in; i++) to[i] = from[i % in * units + i / in];
        *y = convolve(l, "Conv", l->x[0], name, 1);
    }
    *y = activated(l, *y);
    return DCNN_OK;
}

static dcnn_status pool(dcnn_onnx_layer *l, const char **y) {
    const bool max = l->node->layer == &dcnn_layer_max_pooling2d;
    const window w = window_of(l, "pool_size", l->in[0]);
    *y = dcnn_onnx_one(l->graph, max ? "MaxPool" : "AveragePool", l->x[0]);
    set_window(l, &w, false);
    if (!max) dcnn_onnx_int(l->graph, "count_include_pad", 0);
    return DCNN_OK;
}

static dcnn_status global_pool(dcnn_onnx_layer *l, const char **y) {
    const bool max = l->node->layer == &dcnn_layer_global_max_pooling2d;
    *y = dcnn_onnx_one(l->graph, max ? "GlobalMaxPool" : "GlobalAveragePool", l->x[0]);
    if (l->out.rank == 1) *y = dcnn_onnx_one(l->graph, "Flatten", *y);
    return DCNN_OK;
}

/* --- normalization ------------------------------------------------------------------------------------------------ */

static const char *transposed(dcnn_onnx_layer *l, const char *x, const int64_t order[4]) {
    const char *y = dcnn_onnx_one(l->graph, "Transpose", x);
    dcnn_onnx_ints(l->graph, "perm", 4, order);
    return y;
}

static const int64_t to_last[4] = {0, 2, 3, 1}, to_first[4] = {0, 3, 1, 2};

/* Over the channels alone? */
static bool is_over_channels(const dcnn_onnx_layer *l) {
    return number(l, "axis", 0) == -1;
}

static dcnn_status batch_normalization(dcnn_onnx_layer *l, const char **y) {
    if (!is_over_channels(l)) return fail(l, "its axis");
    const char *inputs[5] = {
        l->x[0], dcnn_onnx_channels(l, "gamma", false, 1.0), dcnn_onnx_channels(l, "beta", false, 0.0),
        dcnn_onnx_channels(l, "moving_mean", false, 0.0), dcnn_onnx_channels(l, "moving_variance", false, 1.0)};
    *y = dcnn_onnx_node(l->graph, "BatchNormalization", 5, inputs);
    dcnn_onnx_float(l->graph, "epsilon", real(l, "epsilon", 1e-3));
    dcnn_onnx_float(l->graph, "momentum", real(l, "momentum", 0.99));
    return DCNN_OK;
}

/* ONNX's is over the last axes. */
static dcnn_status layer_normalization(dcnn_onnx_layer *l, const char **y) {
    if (!is_over_channels(l)) return fail(l, "its axis");
    const bool map = l->in[0].rank == 3;
    const char *inputs[3] = {map ? transposed(l, l->x[0], to_last) : l->x[0],
                             dcnn_onnx_channels(l, "gamma", false, 1.0), dcnn_onnx_channels(l, "beta", false, 0.0)};
    *y = dcnn_onnx_node(l->graph, "LayerNormalization", 3, inputs);
    dcnn_onnx_int(l->graph, "axis", -1);
    dcnn_onnx_float(l->graph, "epsilon", real(l, "epsilon", 1e-3));
    if (map) *y = transposed(l, *y, to_first);
    return DCNN_OK;
}

static dcnn_status group_normalization(dcnn_onnx_layer *l, const char **y) {
    if (!is_over_channels(l)) return fail(l, "its axis");
    const int groups = number(l, "groups", 32);
    const char *inputs[3] = {l->x[0], dcnn_onnx_channels(l, "gamma", false, 1.0),
                             dcnn_onnx_channels(l, "beta", false, 0.0)};
    *y = dcnn_onnx_node(l->graph, "GroupNormalization", 3, inputs);
    dcnn_onnx_int(l->graph, "num_groups", groups < 0 ? l->in[0].c : groups);
    dcnn_onnx_float(l->graph, "epsilon", real(l, "epsilon", 1e-3));
    dcnn_onnx_needs(l->graph, 21);
    return DCNN_OK;
}

/* y = scale x + shift of each channel. */
static const char *affine(dcnn_onnx_layer *l, const double *scale, const double *shift) {
    const char *y = dcnn_onnx_two(l->graph, "Mul", l->x[0], dcnn_onnx_spread(l, "scale", scale));
    return dcnn_onnx_two(l->graph, "Add", y, dcnn_onnx_spread(l, "shift", shift));
}

static double listed(const dcnn_onnx_layer *l, const char *key, int channel) {
    const json_t *value = json_object_get(l->config, key);
    while (json_array_size(value) == 1) value = json_array_get(value, 0);
    return json_number_value(json_is_array(value) ? json_array_get(value, (size_t)channel) : value);
}

static dcnn_status rescaling(dcnn_onnx_layer *l, const char **y) {
    double *scale = dcnn_onnx_alloc(l->graph, 2 * (size_t)l->in[0].c * sizeof *scale);
    if (scale == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: an ONNX model");
    double *shift = scale + l->in[0].c;
    for (int c = 0; c < l->in[0].c; c++) {
        scale[c] = listed(l, "scale", c);
        shift[c] = listed(l, "offset", c);
    }
    *y = affine(l, scale, shift);
    return DCNN_OK;
}

/* x times gamma of each channel. */
static dcnn_status layer_scale(dcnn_onnx_layer *l, const char **y) {
    const float *gamma = dcnn_net_values(l->net, dcnn_net_param(l->net, l->node, 0));
    double *scale = dcnn_onnx_alloc(l->graph, (size_t)l->in[0].c * sizeof *scale);
    if (scale == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: an ONNX model");
    for (int c = 0; c < l->in[0].c; c++) scale[c] = (double)gamma[c];
    *y = dcnn_onnx_two(l->graph, "Mul", l->x[0], dcnn_onnx_spread(l, "gamma", scale));
    return DCNN_OK;
}

/* A constant of one number for each value of a map, [c, h, w], from [h, w, c]. */
static const char *whole_map(dcnn_onnx_layer *l, const char *name, const float *values) {
    const dcnn_shape in = l->in[0];
    float *to;
    const char *made = dcnn_onnx_floats(l->graph, name, 3, (const int64_t[]){in.c, in.h, in.w}, &to);
    const size_t places = (size_t)in.h * (size_t)in.w, c = (size_t)in.c;
    for (size_t i = 0; to && i < places * c; i++) to[i] = values[i % places * c + i / places];
    return made;
}

static dcnn_status normalization(dcnn_onnx_layer *l, const char **y) {
    const json_t *axis = json_object_get(l->config, "axis");
    const bool by_channel = number(l, "axis", 0) == -1 || (json_is_array(axis) && json_array_size(axis) == 0);
    const size_t count = by_channel || l->in[0].rank == 1 ? (size_t)l->in[0].c : dcnn_shape_count(l->in[0]);
    float *scale = dcnn_onnx_alloc(l->graph, 2 * count * sizeof *scale);
    double *spread = dcnn_onnx_alloc(l->graph, 2 * count * sizeof *spread);
    if (scale == NULL || spread == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: an ONNX model");
    dcnn_normalization_fill(l->net, l->node, l->in[0], scale, scale + count);
    for (size_t i = 0; i < 2 * count; i++) spread[i] = (double)scale[i];
    if (count == (size_t)l->in[0].c)
        *y = affine(l, spread, spread + count);
    else
        *y = dcnn_onnx_two(l->graph, "Add", dcnn_onnx_two(l->graph, "Mul", l->x[0], whole_map(l, "scale", scale)),
                           whole_map(l, "shift", scale + count));
    return DCNN_OK;
}

/* --- pixels ------------------------------------------------------------------------------------------------------- */

/* [[before, behind], [before, behind]] of rows and columns. */
static int64_t side(const dcnn_onnx_layer *l, const char *key, size_t axis, size_t end) {
    return json_integer_value(json_array_get(json_array_get(json_object_get(l->config, key), axis), end));
}

static dcnn_status zero_padding2d(dcnn_onnx_layer *l, const char **y) {
    const int64_t pads[8] = {0, 0, side(l, "padding", 0, 0), side(l, "padding", 1, 0),
                             0, 0, side(l, "padding", 0, 1), side(l, "padding", 1, 1)};
    *y = dcnn_onnx_two(l->graph, "Pad", l->x[0], dcnn_onnx_int64s(l->graph, 8, pads));
    return DCNN_OK;
}

static dcnn_status cropping2d(dcnn_onnx_layer *l, const char **y) {
    const int64_t first[2] = {side(l, "cropping", 0, 0), side(l, "cropping", 1, 0)};
    const int64_t end[2] = {first[0] + l->out.h, first[1] + l->out.w}, axes[2] = {2, 3};
    const char *inputs[4] = {l->x[0], dcnn_onnx_int64s(l->graph, 2, first), dcnn_onnx_int64s(l->graph, 2, end),
                             dcnn_onnx_int64s(l->graph, 2, axes)};
    *y = dcnn_onnx_node(l->graph, "Slice", 4, inputs);
    return DCNN_OK;
}

/* How a Resize reads between pixels. Keras' bicubic leaves out what lies beyond the rim. */
static void set_filter(dcnn_onnx_layer *l, const char *pixels_of_nearest, const char *nearest) {
    const bool cubic = is(l, "interpolation", "bicubic"), plain = is(l, "interpolation", "nearest");
    dcnn_onnx_word(l->graph, "mode", plain ? "nearest" : cubic ? "cubic" : "linear");
    dcnn_onnx_word(l->graph, "coordinate_transformation_mode", plain ? pixels_of_nearest : "half_pixel");
    if (plain) dcnn_onnx_word(l->graph, "nearest_mode", nearest);
    if (cubic) dcnn_onnx_float(l->graph, "cubic_coeff_a", -0.5);
    if (cubic) dcnn_onnx_int(l->graph, "exclude_outside", 1);
}

static bool is_lanczos(const dcnn_onnx_layer *l) {
    return is(l, "interpolation", "lanczos3") || is(l, "interpolation", "lanczos5");
}

static bool is_true(const dcnn_onnx_layer *l, const char *key) {
    return json_is_true(json_object_get(l->config, key));
}

/* Factors, which are whole numbers. */
static dcnn_status upsampling2d(dcnn_onnx_layer *l, const char **y) {
    int64_t size[2];
    float *scales;
    pair(l, "size", size);
    if (is_lanczos(l)) return fail(l, "its interpolation");
    const char *inputs[3] = {l->x[0], "", dcnn_onnx_floats(l->graph, "scales", 1, (const int64_t[]){4}, &scales)};
    for (int i = 0; scales && i < 4; i++) scales[i] = i < 2 ? 1.0f : (float)size[i - 2];
    *y = dcnn_onnx_node(l->graph, "Resize", 3, inputs);
    set_filter(l, "asymmetric", "floor");
    return DCNN_OK;
}

/* Cuts off, or adds, what differs from the output's ratio of sides. */
static const char *fit(dcnn_onnx_layer *l, bool crop) {
    const dcnn_shape in = l->in[0], out = l->out;
    const int64_t h = dcnn_resize_fitted(out.h, in.w, out.w), w = dcnn_resize_fitted(out.w, in.h, out.h);
    const int64_t top = (h - in.h) / 2, left = (w - in.w) / 2, axes[2] = {2, 3};
    if (crop && (h < in.h || w < in.w)) {
        const int64_t first[2] = {h < in.h ? (in.h - h) / 2 : 0, w < in.w ? (in.w - w) / 2 : 0};
        const int64_t end[2] = {h < in.h ? first[0] + h : in.h, w < in.w ? first[1] + w : in.w};
        const char *inputs[4] = {l->x[0], dcnn_onnx_int64s(l->graph, 2, first), dcnn_onnx_int64s(l->graph, 2, end),
                                 dcnn_onnx_int64s(l->graph, 2, axes)};
        return dcnn_onnx_node(l->graph, "Slice", 4, inputs);
    }
    if (crop || (h <= in.h && w <= in.w)) return l->x[0];
    const int64_t down = h > in.h ? top : 0, right = w > in.w ? left : 0;
    const int64_t pads[8] = {0, 0, down, right, 0, 0, down, right};
    const char *inputs[3] = {l->x[0], dcnn_onnx_int64s(l->graph, 8, pads),
                             dcnn_onnx_number(l->graph, real(l, "fill_value", 0.0))};
    return dcnn_onnx_node(l->graph, "Pad", 3, inputs);
}

/* To a size: pixels are squares, those at the rim go on; of two pixels equally near the later one, as in Keras. */
static dcnn_status resizing(dcnn_onnx_layer *l, const char **y) {
    const bool crops = l->node->layer == &dcnn_layer_random_crop; /* its inference */
    *y = l->x[0];
    if (l->in[0].h == l->out.h && l->in[0].w == l->out.w) return DCNN_OK;
    if (is_lanczos(l)) return fail(l, "its interpolation");
    if (is_true(l, "antialias")) return fail(l, "its antialiasing");
    const char *x = l->x[0];
    if (crops || is_true(l, "crop_to_aspect_ratio") || is_true(l, "pad_to_aspect_ratio"))
        x = fit(l, crops || is_true(l, "crop_to_aspect_ratio"));
    const int64_t sizes[4] = {1, l->in[0].c, l->out.h, l->out.w};
    const char *batch = dcnn_onnx_node(l->graph, "Shape", 1, l->x);
    dcnn_onnx_int(l->graph, "end", 1); /* which may be of any size */
    const char *parts[2] = {batch, dcnn_onnx_int64s(l->graph, 3, sizes + 1)};
    const char *all = dcnn_onnx_node(l->graph, "Concat", 2, parts);
    dcnn_onnx_int(l->graph, "axis", 0);
    const char *inputs[4] = {x, "", "", all};
    *y = dcnn_onnx_node(l->graph, "Resize", 4, inputs);
    set_filter(l, "half_pixel", "round_prefer_ceil");
    return DCNN_OK;
}

/* --- shapes ------------------------------------------------------------------------------------------------------- */

/* Keras' channels_first takes rows for channels, and puts them last: columns, channels, rows. */
static dcnn_status flatten(dcnn_onnx_layer *l, const char **y) {
    static const int64_t rows_last[4] = {0, 3, 1, 2};
    const dcnn_shape in = l->in[0];
    const char *x = l->x[0];
    if (in.rank == 3 && is(l, "data_format", "channels_first"))
        x = transposed(l, x, rows_last);
    else if (in.rank == 3 && in.c > 1 && in.h * in.w > 1)
        x = transposed(l, x, to_last);
    *y = dcnn_onnx_one(l->graph, "Flatten", x);
    return DCNN_OK;
}

static dcnn_status reshape(dcnn_onnx_layer *l, const char **y) {
    const dcnn_shape out = l->out;
    const int64_t map[4] = {-1, out.h, out.w, out.c}, vector[2] = {-1, out.c};
    *y = l->in[0].rank == 3 ? transposed(l, l->x[0], to_last) : l->x[0];
    *y = dcnn_onnx_two(l->graph, "Reshape", *y,
                       out.rank == 3 ? dcnn_onnx_int64s(l->graph, 4, map) : dcnn_onnx_int64s(l->graph, 2, vector));
    if (out.rank == 3) *y = transposed(l, *y, to_first);
    return DCNN_OK;
}

/* Axis i of the output is axis dims[i] of the input, 1 rows, 2 columns, 3 channels; ONNX's stand at 2, 3, 1. */
static dcnn_status permute(dcnn_onnx_layer *l, const char **y) {
    static const int64_t place[4] = {0, 2, 3, 1};
    const json_t *dims = json_object_get(l->config, "dims");
    const size_t joined = json_array_size(dims) == 4; /* four axes are three here */
    int64_t order[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < 3; i++) {
        const json_int_t from = json_integer_value(json_array_get(dims, i + joined)) - (json_int_t)joined;
        if (from < 1 || from > 3) return fail(l, "its \"dims\"");
        order[place[i + 1]] = place[from];
    }
    *y = transposed(l, l->x[0], order);
    return DCNN_OK;
}

static dcnn_status activation(dcnn_onnx_layer *l, const char **y) {
    *y = activated(l, l->x[0]);
    return *y ? DCNN_OK : fail(l, "its activation");
}

/* Over one axis; or over two, which a Transpose puts side by side, behind the third; or over all. */
static dcnn_status softmax(dcnn_onnx_layer *l, const char **y) {
    static const int64_t place[4] = {0, 2, 3, 1};
    static const int64_t orders[4][4] = {
        {0, 1, 2, 3}, {0, 2, 1, 3}, {0, 3, 2, 1}, {0, 1, 2, 3}}; /* the kept axis first */
    const json_t *axes = json_object_get(l->config, "axis");
    const size_t count = json_is_array(axes) ? json_array_size(axes) : 1;
    const int64_t whole[4] = {-1, l->in[0].c, l->in[0].h, l->in[0].w};
    if (l->node->layer == &dcnn_layer_softmax) return activation(l, y);
    if (count == 1) {
        *y = dcnn_onnx_one(l->graph, "Softmax", l->x[0]);
        dcnn_onnx_int(l->graph, "axis", place[number(l, "axis", 1)]);
        return DCNN_OK;
    }
    bool over[4] = {false};
    int kept = 0; /* the axis of 1, 2 and 3 that is in no pair; 0: all are in it */
    for (size_t i = 0; i < count; i++) over[json_integer_value(json_array_get(axes, i)) & 3] = true;
    for (int axis = 1; axis <= 3; axis++)
        if (!over[axis]) kept = axis;
    const int64_t *order = orders[kept], moved[4] = {-1, whole[order[1]], whole[order[2]], whole[order[3]]};
    const int64_t lines[3] = {-1, kept ? moved[1] : moved[1] * moved[2] * moved[3], moved[2] * moved[3]};
    const bool moves = kept == 1 || kept == 2;
    *y = moves ? transposed(l, l->x[0], order) : l->x[0];
    *y = dcnn_onnx_two(l->graph, "Reshape", *y, dcnn_onnx_int64s(l->graph, kept ? 3 : 2, lines));
    *y = dcnn_onnx_one(l->graph, "Softmax", *y);
    dcnn_onnx_int(l->graph, "axis", -1);
    *y = dcnn_onnx_two(l->graph, "Reshape", *y, dcnn_onnx_int64s(l->graph, 4, moved));
    if (moves) *y = transposed(l, *y, order);
    return DCNN_OK;
}

/* Slopes [h, w, c], or [c] of a vector; along shared axes of length 1. */
static dcnn_status prelu(dcnn_onnx_layer *l, const char **y) {
    const bool map = l->in[0].rank == 3;
    *y = dcnn_onnx_two(l->graph, "PRelu", l->x[0], dcnn_onnx_weight(l, 0, map ? (const int[]){2, 0, 1} : NULL));
    return DCNN_OK;
}

/* --- merging ------------------------------------------------------------------------------------------------------ */

static dcnn_status merge(dcnn_onnx_layer *l, const char **y) {
    static const struct {
        const dcnn_layer *layer;
        const char *operator;
        bool many; /* it takes any number of inputs */
    } rows[] = {{&dcnn_layer_add, "Add", false},      {&dcnn_layer_subtract, "Sub", false},
                {&dcnn_layer_multiply, "Mul", false}, {&dcnn_layer_average, "Mean", true},
                {&dcnn_layer_maximum, "Max", true},   {&dcnn_layer_minimum, "Min", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].layer != l->node->layer) continue;
        *y = l->x[0];
        if (rows[i].many) *y = dcnn_onnx_node(l->graph, rows[i].operator, l->input_count, l->x);
        for (int j = 1; j < l->input_count && !rows[i].many; j++)
            *y = dcnn_onnx_two(l->graph, rows[i].operator, * y, l->x[j]);
    }
    return DCNN_OK;
}

/* a + scale b. */
static dcnn_status custom_scale(dcnn_onnx_layer *l, const char **y) {
    double *scale = dcnn_onnx_alloc(l->graph, (size_t)l->in[1].c * sizeof *scale);
    if (scale == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: an ONNX model");
    for (int c = 0; c < l->in[1].c; c++) scale[c] = listed(l, "scale", c);
    *y = dcnn_onnx_two(l->graph, "Add", l->x[0],
                       dcnn_onnx_two(l->graph, "Mul", l->x[1], dcnn_onnx_spread(l, "scale", scale)));
    return DCNN_OK;
}

static dcnn_status concatenate(dcnn_onnx_layer *l, const char **y) {
    static const int64_t place[4] = {0, 2, 3, 1};
    const int rank = l->in[0].rank, axis = number(l, "axis", -1);
    const int from_first = axis < 0 ? axis + rank + 1 : axis;
    *y = dcnn_onnx_node(l->graph, "Concat", l->input_count, l->x);
    dcnn_onnx_int(l->graph, "axis", rank == 3 && from_first < 4 ? place[from_first] : 1);
    return DCNN_OK;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static const struct {
    const dcnn_layer *layer;
    dcnn_onnx_emit *emit;
} table[] = {
    {&dcnn_layer_conv2d, conv2d},
    {&dcnn_layer_depthwise_conv2d, depthwise_conv2d},
    {&dcnn_layer_separable_conv2d, separable_conv2d},
    {&dcnn_layer_conv2d_transpose, conv2d_transpose},
    {&dcnn_layer_dense, dense},
    {&dcnn_layer_max_pooling2d, pool},
    {&dcnn_layer_average_pooling2d, pool},
    {&dcnn_layer_global_average_pooling2d, global_pool},
    {&dcnn_layer_global_max_pooling2d, global_pool},
    {&dcnn_layer_batch_normalization, batch_normalization},
    {&dcnn_layer_layer_normalization, layer_normalization},
    {&dcnn_layer_group_normalization, group_normalization},
    {&dcnn_layer_rescaling, rescaling},
    {&dcnn_layer_normalization, normalization},
    {&dcnn_layer_zero_padding2d, zero_padding2d},
    {&dcnn_layer_cropping2d, cropping2d},
    {&dcnn_layer_upsampling2d, upsampling2d},
    {&dcnn_layer_resizing, resizing},
    {&dcnn_layer_random_crop, resizing},
    {&dcnn_layer_flatten, flatten},
    {&dcnn_layer_reshape, reshape},
    {&dcnn_layer_permute, permute},
    {&dcnn_layer_activation, activation},
    {&dcnn_layer_relu, activation},
    {&dcnn_layer_softmax, softmax},
    {&dcnn_layer_leaky_relu, activation},
    {&dcnn_layer_elu, activation},
    {&dcnn_layer_prelu, prelu},
    {&dcnn_layer_add, merge},
    {&dcnn_layer_subtract, merge},
    {&dcnn_layer_multiply, merge},
    {&dcnn_layer_average, merge},
    {&dcnn_layer_maximum, merge},
    {&dcnn_layer_minimum, merge},
    {&dcnn_layer_custom_scale, custom_scale},
    {&dcnn_layer_layer_scale, layer_scale},
    {&dcnn_layer_concatenate, concatenate},
};

dcnn_onnx_emit *dcnn_onnx_find(const char *class_name) {
    const dcnn_layer *layer = dcnn_layer_find(class_name);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].layer == layer) return table[i].emit;
    return layer && (layer->only_training || layer->op == NULL) ? keep : NULL;
}
