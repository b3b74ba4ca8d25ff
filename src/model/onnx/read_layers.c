/* SPDX-License-Identifier: BSD-3-Clause */
/* read_layers.c — the table of ONNX operators that are layers with weights, windows or statistics. */
#include <string.h>

#include "model/onnx/read.h"

/* --- constants as weights ----------------------------------------------------------------------------------------- */

static dcnn_status floats_of(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, size_t input,
                             dcnn_onnx_value *value) {
    DCNN_TRY(dcnn_onnx_input(r, node, input, value));
    if (value->kind == ONNX_CONSTANT && value->floats) return DCNN_OK;
    return dcnn_onnx_refuse(r, node, "its weights are not constants");
}

/* A vector of `count` as weight `number` of a layer; where the input is left out, nothing. */
static dcnn_status weigh_vector(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, size_t input, const char *layer,
                                int number, int64_t count) {
    dcnn_onnx_value vector;
    if (!dcnn_onnx_has_input(node, input)) return DCNN_OK;
    DCNN_TRY(floats_of(r, node, input, &vector));
    if (vector.count != count) return dcnn_onnx_refuse(r, node, "one of its weights has another length than it needs");
    return dcnn_onnx_weigh(r, layer, number, vector.floats, (size_t)count);
}

/* Values in another order: index i of `to` is at[…] of `from`; dims of `from`, and which axis each of `to` is. */
static float *turned(dcnn_onnx_reader *r, const float *from, const int64_t dims[4], const int order[4]) {
    int64_t strides[4], sizes[4];
    float *to = dcnn_onnx_keep(r, (size_t)(dims[0] * dims[1] * dims[2] * dims[3]), sizeof *to), *at = to;
    for (int i = 0; i < 4; i++) {
        sizes[i] = dims[order[i]];
        strides[i] = 1;
        for (int j = order[i] + 1; j < 4; j++) strides[i] *= dims[j];
    }
    for (int64_t a = 0; to && a < sizes[0]; a++)
        for (int64_t b = 0; b < sizes[1]; b++)
            for (int64_t c = 0; c < sizes[2]; c++)
                for (int64_t d = 0; d < sizes[3]; d++)
                    *at++ = from[a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3]];
    return to;
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

typedef struct window {
    int64_t size[2], stride[2], dilation[2], pads[4]; /* before rows, columns; behind rows, columns */
    bool same;                                        /* as Keras' "same" has it */
    int out[2];
} window;

/* Zeros that Keras' "same" puts before and behind. */
static void same_pads(int length, int64_t span, int64_t stride, bool odd_first, int64_t *before, int64_t *behind) {
    const int64_t out = (length + stride - 1) / stride, missing = (out - 1) * stride + span - length;
    *before = missing > 0 ? (missing + odd_first) / 2 : 0;
    *behind = missing > 0 ? missing - *before : 0;
}

static dcnn_status read_window(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x, window *w) {
    const int lengths[2] = {x->h, x->w};
    const bool ceil_mode = dcnn_onnx_int_of(node, "ceil_mode", 0) != 0;
    *w = (window){.stride = {1, 1}, .dilation = {1, 1}, .size = {w->size[0], w->size[1]}, .same = true};
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "kernel_shape", 2, w->size));
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "strides", 2, w->stride));
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "dilations", 2, w->dilation));
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "pads", 4, w->pads));
    const bool upper = dcnn_onnx_is(node, "auto_pad", "SAME_UPPER", "NOTSET");
    const bool lower = dcnn_onnx_is(node, "auto_pad", "SAME_LOWER", "NOTSET");
    const bool plain = dcnn_onnx_is(node, "auto_pad", "NOTSET", "NOTSET");
    if (!upper && !lower && !plain && !dcnn_onnx_is(node, "auto_pad", "VALID", "NOTSET"))
        return dcnn_onnx_refuse(r, node, "its auto_pad is none of ONNX's words");
    for (int i = 0; i < 2; i++) {
        int64_t before, behind;
        if (w->size[i] < 1 || w->size[i] > 1 << 12 || w->stride[i] < 1 || w->stride[i] > 1 << 12 ||
            w->dilation[i] < 1 || w->dilation[i] > 1 << 12 || w->pads[i] < 0 || w->pads[i + 2] < 0)
            return dcnn_onnx_refuse(r, node, "its window is too large");
        const int64_t span = (w->size[i] - 1) * w->dilation[i] + 1;
        same_pads(lengths[i], span, w->stride[i], lower, &before, &behind);
        if (upper || lower) {
            w->pads[i] = before;
            w->pads[i + 2] = behind;
        }
        int64_t room = lengths[i] + w->pads[i] + w->pads[i + 2] - span;
        if (room < 0) return dcnn_onnx_refuse(r, node, "its input is smaller than its window");
        if (ceil_mode && room % w->stride[i] != 0) { /* a last window that begins inside reaches beyond */
            const int64_t more = w->stride[i] - room % w->stride[i];
            if ((room + more) / w->stride[i] * w->stride[i] < lengths[i] + w->pads[i]) w->pads[i + 2] += more;
            room = lengths[i] + w->pads[i] + w->pads[i + 2] - span;
        }
        w->out[i] = (int)(room / w->stride[i] + 1);
        same_pads(lengths[i], span, w->stride[i], false, &before, &behind);
        w->same = w->same && w->pads[i] == before && w->pads[i + 2] == behind;
    }
    return DCNN_OK;
}

static bool has_pads(const window *w) {
    return w->pads[0] || w->pads[1] || w->pads[2] || w->pads[3];
}

/* What Keras has no word for: zeros around the input, as a layer of their own. */
static dcnn_status add_pads(dcnn_onnx_reader *r, const window *w, dcnn_onnx_value *x) {
    json_t *config = json_pack("{s:[[I,I],[I,I]]}", "padding", (json_int_t)w->pads[0], (json_int_t)w->pads[2],
                               (json_int_t)w->pads[1], (json_int_t)w->pads[3]);
    x->h += (int)(w->pads[0] + w->pads[2]);
    x->w += (int)(w->pads[1] + w->pads[3]);
    return dcnn_onnx_add(r, NULL, "ZeroPadding2D", config, 1, x, x);
}

/* Settles the window's zeros; Keras' word for what is left. */
static dcnn_status settle_pads(dcnn_onnx_reader *r, const window *w, dcnn_onnx_value *x, const char **padding) {
    *padding = w->same && has_pads(w) ? "same" : "valid";
    return w->same || !has_pads(w) ? DCNN_OK : add_pads(r, w, x);
}

static json_t *describe_window(const window *w, const char *size, const char *padding) {
    return json_pack("{s:[I,I], s:[I,I], s:s}", size, (json_int_t)w->size[0], (json_int_t)w->size[1], "strides",
                     (json_int_t)w->stride[0], (json_int_t)w->stride[1], "padding", padding);
}

static void set_dilation(json_t *config, const window *w) {
    json_object_set_new(config, "dilation_rate",
                        json_pack("[I,I]", (json_int_t)w->dilation[0], (json_int_t)w->dilation[1]));
}

/* --- Conv --------------------------------------------------------------------------------------------------------- */

static dcnn_status conv(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    dcnn_onnx_value x, kernel;
    const char *padding;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    DCNN_TRY(dcnn_onnx_as_map(r, node, &x));
    DCNN_TRY(floats_of(r, node, 1, &kernel));
    if (kernel.rank != 4) return dcnn_onnx_refuse(r, node, "dcnn supports only convolutions in two dimensions");
    const int64_t groups = dcnn_onnx_int_of(node, "group", 1), filters = kernel.dims[0];
    window w = {.size = {kernel.dims[2], kernel.dims[3]}};
    DCNN_TRY(read_window(r, node, &x, &w));
    if (groups < 1 || groups > x.c || x.c % groups != 0 || filters % groups != 0 || kernel.dims[1] != x.c / groups ||
        w.size[0] != kernel.dims[2] || w.size[1] != kernel.dims[3] || filters < 1 || filters > 1 << 20)
        return dcnn_onnx_refuse(r, node, "its kernel does not fit its input");
    DCNN_TRY(settle_pads(r, &w, &x, &padding));
    const bool depthwise = groups == x.c && groups > 1, biased = dcnn_onnx_has_input(node, 2);
    json_t *config = describe_window(&w, "kernel_size", padding);
    set_dilation(config, &w);
    json_object_set_new(config, "use_bias", json_boolean(biased));
    if (depthwise) {
        json_object_set_new(config, "depth_multiplier", json_integer(filters / groups));
    } else {
        json_object_set_new(config, "filters", json_integer(filters));
        json_object_set_new(config, "groups", json_integer(groups));
    }
    DCNN_TRY(dcnn_onnx_add(r, node, depthwise ? "DepthwiseConv2D" : "Conv2D", config, 1, &x, out));
    /* [out, in, h, w] to [h, w, in, out]; depthwise [c m, 1, h, w] to [h, w, c, m], where c m lie as they did */
    float *values =
        turned(r, kernel.floats, kernel.dims, depthwise ? (const int[]){2, 3, 0, 1} : (const int[]){2, 3, 1, 0});
    if (values == NULL) return DCNN_FAILURE;
    DCNN_TRY(dcnn_onnx_weigh(r, out->layer, 0, values, (size_t)kernel.count));
    DCNN_TRY(weigh_vector(r, node, 2, out->layer, 1, filters));
    out->kind = ONNX_MAP;
    out->c = (int)filters;
    out->h = w.out[0];
    out->w = w.out[1];
    return DCNN_OK;
}

/* Keras' output is the length times the stride, and for 'valid' what the filter reaches beyond; any other is a valid
 * one of which the edge is cut off. */
static dcnn_status conv_transpose(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    dcnn_onnx_value x, kernel;
    int64_t more[2] = {0, 0}, cut[4];
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    DCNN_TRY(dcnn_onnx_as_map(r, node, &x));
    DCNN_TRY(floats_of(r, node, 1, &kernel));
    window w = {.stride = {1, 1}, .dilation = {1, 1}, .size = {kernel.dims[2], kernel.dims[3]}};
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "kernel_shape", 2, w.size));
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "strides", 2, w.stride));
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "dilations", 2, w.dilation));
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "pads", 4, w.pads));
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "output_padding", 2, more));
    if (dcnn_onnx_int_of(node, "group", 1) != 1 || !dcnn_onnx_is(node, "auto_pad", "NOTSET", "NOTSET"))
        return dcnn_onnx_refuse(r, node, "dcnn supports it only without groups and auto_pad");
    if (kernel.rank != 4 || kernel.dims[0] != x.c || kernel.dims[1] < 1 || kernel.dims[1] > 1 << 20 ||
        w.size[0] != kernel.dims[2] || w.size[1] != kernel.dims[3])
        return dcnn_onnx_refuse(r, node, "its kernel does not fit its input");
    const int lengths[2] = {x.h, x.w};
    bool whole = true, same = true;
    for (int i = 0; i < 2; i++) {
        if (w.stride[i] < 1 || w.dilation[i] < 1 || w.size[i] < 1 || w.size[i] > 1 << 12 || w.dilation[i] > 1 << 12)
            return dcnn_onnx_refuse(r, node, "its window is too large");
        const int64_t span = (w.size[i] - 1) * w.dilation[i] + 1, beyond = span - w.stride[i];
        const int64_t full = lengths[i] * w.stride[i] + (beyond > 0 ? beyond : 0);
        const int64_t length = w.stride[i] * (lengths[i] - 1) + span + more[i] - w.pads[i] - w.pads[i + 2];
        int64_t before, behind;
        same_pads((int)(lengths[i] * w.stride[i]), span, w.stride[i], false, &before, &behind);
        cut[i] = w.pads[i];
        cut[i + 2] = full - w.pads[i] - length;
        if (length < 1 || length > 1 << 16 || cut[i] < 0 || cut[i + 2] < 0)
            return dcnn_onnx_refuse(r, node, "its output_padding is larger than dcnn supports");
        whole = whole && cut[i] == 0 && cut[i + 2] == 0;
        same = same && length == lengths[i] * w.stride[i] && w.pads[i] == before;
        w.out[i] = (int)length;
    }
    const bool biased = dcnn_onnx_has_input(node, 2);
    json_t *config = describe_window(&w, "kernel_size", same ? "same" : "valid");
    set_dilation(config, &w);
    json_object_set_new(config, "use_bias", json_boolean(biased));
    json_object_set_new(config, "filters", json_integer(kernel.dims[1]));
    DCNN_TRY(dcnn_onnx_add(r, node, "Conv2DTranspose", config, 1, &x, out));
    float *values = turned(r, kernel.floats, kernel.dims, (const int[]){2, 3, 1, 0}); /* [in, out, h, w] */
    if (values == NULL) return DCNN_FAILURE;
    DCNN_TRY(dcnn_onnx_weigh(r, out->layer, 0, values, (size_t)kernel.count));
    DCNN_TRY(weigh_vector(r, node, 2, out->layer, 1, kernel.dims[1]));
    out->kind = ONNX_MAP;
    out->c = (int)kernel.dims[1];
    out->h = w.out[0];
    out->w = w.out[1];
    if (whole || same) return DCNN_OK;
    json_t *sides = json_pack("{s:[[I,I],[I,I]]}", "cropping", (json_int_t)cut[0], (json_int_t)cut[2],
                              (json_int_t)cut[1], (json_int_t)cut[3]);
    return dcnn_onnx_add(r, NULL, "Cropping2D", sides, 1, out, out);
}

/* --- dense -------------------------------------------------------------------------------------------------------- */

/* Kernel [in, units] of a vector, or of each place of a map whose channels are last; that of a flattened map [c h w,
 * units] takes the order of [h w c]. */
static dcnn_status add_dense(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value x,
                             const dcnn_onnx_value *kernel, bool turned_round, bool biased, dcnn_onnx_value *out) {
    const bool places = x.kind == ONNX_LAST;
    const int64_t area = (int64_t)x.h * x.w, in = x.c * (places ? 1 : area), units = kernel->dims[turned_round ? 0 : 1];
    if (x.kind != ONNX_VECTOR && x.kind != ONNX_FLAT && !places)
        return dcnn_onnx_refuse(r, node, "its input is not [N, features]");
    if (kernel->rank != 2 || kernel->dims[turned_round ? 1 : 0] != in || units < 1 || units > 1 << 20)
        return dcnn_onnx_refuse(r, node, "its weights do not fit its input");
    if (x.kind == ONNX_FLAT) DCNN_TRY(dcnn_onnx_add(r, NULL, "Flatten", json_object(), 1, &x, &x));
    float *values = dcnn_onnx_keep(r, (size_t)kernel->count, sizeof *values);
    if (values == NULL) return DCNN_FAILURE;
    for (int64_t i = 0; i < in; i++) {
        const int64_t from = x.kind == ONNX_FLAT ? i % x.c * area + i / x.c : i;
        for (int64_t j = 0; j < units; j++)
            values[i * units + j] = kernel->floats[turned_round ? j * in + from : from * units + j];
    }
    json_t *config = json_pack("{s:I, s:b}", "units", (json_int_t)units, "use_bias", biased);
    DCNN_TRY(dcnn_onnx_add(r, node, "Dense", config, 1, &x, out));
    out->kind = places ? ONNX_LAST : ONNX_VECTOR;
    out->c = (int)units;
    out->h = places ? x.h : 1;
    out->w = places ? x.w : 1;
    return dcnn_onnx_weigh(r, out->layer, 0, values, (size_t)kernel->count);
}

static dcnn_status gemm(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    dcnn_onnx_value x, kernel;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    if (x.kind != ONNX_FLAT) DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    DCNN_TRY(floats_of(r, node, 1, &kernel));
    if (x.kind == ONNX_LAST) return dcnn_onnx_refuse(r, node, "its input is not [N, features]");
    if (dcnn_onnx_float_of(node, "alpha", 1.0) != 1.0 || dcnn_onnx_float_of(node, "beta", 1.0) != 1.0 ||
        dcnn_onnx_int_of(node, "transA", 0) != 0)
        return dcnn_onnx_refuse(r, node,
                                "dcnn supports it only with alpha and beta of 1, and the first input not transposed");
    const bool biased = dcnn_onnx_has_input(node, 2);
    DCNN_TRY(add_dense(r, node, x, &kernel, dcnn_onnx_int_of(node, "transB", 0) != 0, biased, out));
    return weigh_vector(r, node, 2, out->layer, 1, out->c);
}

static dcnn_status matmul(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    dcnn_onnx_value x, kernel;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    if (x.kind != ONNX_FLAT) DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    DCNN_TRY(floats_of(r, node, 1, &kernel));
    return add_dense(r, node, x, &kernel, false, false, out);
}

/* --- pooling ------------------------------------------------------------------------------------------------------ */

static dcnn_status pool(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    const bool max = strcmp(node->op_type, "MaxPool") == 0;
    dcnn_onnx_value x;
    window w = {0};
    const char *padding;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    DCNN_TRY(dcnn_onnx_as_map(r, node, &x));
    DCNN_TRY(read_window(r, node, &x, &w));
    if (w.dilation[0] != 1 || w.dilation[1] != 1)
        return dcnn_onnx_refuse(r, node, "dcnn does not support dilation in pooling");
    /* Keras' "same" leaves its zeros out, as ONNX's MaxPool does; zeros of a layer count */
    const bool zeros_count = max ? x.positive : dcnn_onnx_int_of(node, "count_include_pad", 0) != 0;
    if (!max && zeros_count && w.same && has_pads(&w)) w.same = false;
    if (has_pads(&w) && !w.same && !zeros_count)
        return dcnn_onnx_refuse(r, node,
                                max ? "it pads values that may be negative, which dcnn does not support"
                                    : "its pads do not count in the mean, and are not those of SAME_UPPER");
    if (!max && dcnn_onnx_int_of(node, "ceil_mode", 0) != 0 && has_pads(&w))
        return dcnn_onnx_refuse(r, node, "dcnn does not support ceil_mode with pads");
    DCNN_TRY(settle_pads(r, &w, &x, &padding));
    DCNN_TRY(dcnn_onnx_add(r, node, max ? "MaxPooling2D" : "AveragePooling2D",
                           describe_window(&w, "pool_size", padding), 1, &x, out));
    const char *layer = out->layer;
    *out = x;
    out->layer = layer;
    out->h = w.out[0];
    out->w = w.out[1];
    return DCNN_OK;
}

static dcnn_status add_global(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const char *class_name, bool keep,
                              dcnn_onnx_value *out) {
    dcnn_onnx_value x;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    DCNN_TRY(dcnn_onnx_as_map(r, node, &x));
    /* as a vector at once where nothing but a vector is made of it */
    DCNN_TRY(dcnn_onnx_add(r, node, class_name, json_pack("{s:b}", "keepdims", keep), 1, &x, out));
    const char *layer = out->layer;
    *out = x;
    out->layer = layer;
    out->kind = keep ? ONNX_MAP : ONNX_VECTOR;
    out->h = out->w = 1;
    return DCNN_OK;
}

static dcnn_status global_average_pool(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    return add_global(r, node, "GlobalAveragePooling2D", true, out);
}

static dcnn_status global_max_pool(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    return add_global(r, node, "GlobalMaxPooling2D", true, out);
}

/* Over the channels, which stay as one: they become the rows of a map whose places are channels. */
dcnn_status dcnn_onnx_reduce(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    const bool max = strcmp(node->op_type, "ReduceMax") == 0;
    dcnn_onnx_value x;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    const int places = x.h * x.w;
    DCNN_TRY(dcnn_onnx_add(r, NULL, "Permute", json_pack("{s:[i,i,i]}", "dims", 3, 1, 2), 1, &x, &x));
    DCNN_TRY(dcnn_onnx_add(r, NULL, "Reshape", json_pack("{s:[i,i,i]}", "target_shape", x.c, 1, places), 1, &x, &x));
    DCNN_TRY(dcnn_onnx_add(r, node, max ? "GlobalMaxPooling2D" : "GlobalAveragePooling2D",
                           json_pack("{s:b}", "keepdims", 1), 1, &x, &x));
    DCNN_TRY(dcnn_onnx_add(r, NULL, "Reshape", json_pack("{s:[i,i,i]}", "target_shape", x.h, x.w, 1), 1, &x, &x));
    *out = x;
    out->c = 1;
    return DCNN_OK;
}

/* Over rows and columns; or over the channels, which for a mean waits for what is made of it: it may be a
 * LayerNormalization's. */
static dcnn_status reduce(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    int64_t axes[DCNN_ONNX_LIST] = {0};
    int count;
    dcnn_onnx_value x;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    DCNN_TRY(dcnn_onnx_list_of(r, node, 1, "axes", axes, &count));
    const bool keep = dcnn_onnx_int_of(node, "keepdims", 1) != 0, max = strcmp(node->op_type, "ReduceMax") == 0;
    const int rank = x.kind == ONNX_VECTOR ? 2 : 4;
    for (int i = 0; i < count; i++)
        if (axes[i] < 0) axes[i] += rank;
    const bool channels = count == 1 && keep && axes[0] == (x.kind == ONNX_LAST ? 3 : 1);
    if (x.kind == ONNX_OPEN && count == 1 && keep) { /* of the squares, perhaps: there the mean told the axis */
        *out = x;
        return DCNN_OK;
    }
    if (channels && !max) {
        *out = (dcnn_onnx_value){.kind = ONNX_OPEN};
        return DCNN_OK;
    }
    if (channels && x.kind != ONNX_VECTOR) return dcnn_onnx_reduce(r, node, out);
    if (count != 2 || axes[0] + axes[1] != 5 || (axes[0] != 2 && axes[0] != 3))
        return dcnn_onnx_refuse(r, node,
                                "dcnn supports it only over height and width, or over the channels, kept as one");
    return add_global(r, node, max ? "GlobalMaxPooling2D" : "GlobalAveragePooling2D", keep, out);
}

/* --- normalization ------------------------------------------------------------------------------------------------ */

static dcnn_status batch_normalization(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    dcnn_onnx_value x;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    if (x.kind != ONNX_VECTOR) DCNN_TRY(dcnn_onnx_as_map(r, node, &x));
    json_t *config = json_pack("{s:f, s:f}", "epsilon", dcnn_onnx_float_of(node, "epsilon", 1e-5), "momentum",
                               dcnn_onnx_float_of(node, "momentum", 0.9));
    DCNN_TRY(dcnn_onnx_add(r, node, "BatchNormalization", config, 1, &x, &x));
    for (int i = 0; i < 4; i++) DCNN_TRY(weigh_vector(r, node, (size_t)i + 1, x.layer, i, x.c));
    *out = x;
    out->positive = false;
    return DCNN_OK;
}

/* Of a map's channels, which must be last, or of a vector. */
static dcnn_status layer_normalization(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    dcnn_onnx_value x;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    const int64_t axis = dcnn_onnx_int_of(node, "axis", -1), last = x.kind == ONNX_VECTOR ? 1 : 3;
    if ((x.kind != ONNX_LAST && x.kind != ONNX_VECTOR) || (axis != -1 && axis != last))
        return dcnn_onnx_refuse(r, node, "dcnn supports it only over the channels");
    const bool biased = dcnn_onnx_has_input(node, 2);
    json_t *config = json_pack("{s:f, s:b}", "epsilon", dcnn_onnx_float_of(node, "epsilon", 1e-5), "center", biased);
    DCNN_TRY(dcnn_onnx_add(r, node, "LayerNormalization", config, 1, &x, &x));
    for (int i = 0; i < 2; i++) DCNN_TRY(weigh_vector(r, node, (size_t)i + 1, x.layer, i, x.c));
    *out = x;
    out->positive = false;
    return DCNN_OK;
}

static dcnn_status add_groups(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, int64_t groups, bool weighed,
                              dcnn_onnx_value *x) {
    if (groups < 1 || groups > x->c || x->c % groups != 0)
        return dcnn_onnx_refuse(r, node, "its groups do not divide its channels");
    json_t *config = json_pack("{s:I, s:f, s:b, s:b}", "groups", (json_int_t)groups, "epsilon",
                               dcnn_onnx_float_of(node, "epsilon", 1e-5), "center", weighed, "scale", weighed);
    DCNN_TRY(dcnn_onnx_add(r, node, "GroupNormalization", config, 1, x, x));
    for (int i = 0; i < 2 && weighed; i++) DCNN_TRY(weigh_vector(r, node, (size_t)i + 1, x->layer, i, x->c));
    x->positive = false;
    return DCNN_OK;
}

static dcnn_status group_normalization(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    DCNN_TRY(dcnn_onnx_input(r, node, 0, out));
    DCNN_TRY(dcnn_onnx_settle(r, node, out));
    if (out->kind != ONNX_VECTOR) DCNN_TRY(dcnn_onnx_as_map(r, node, out));
    return add_groups(r, node, dcnn_onnx_int_of(node, "num_groups", 0), true, out);
}

/* Of each channel; or, as PyTorch writes GroupNorm, of groups that a Reshape made, with weights of 1 and 0. */
static dcnn_status instance_normalization(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    DCNN_TRY(dcnn_onnx_input(r, node, 0, out));
    if (out->kind != ONNX_GROUPED) {
        DCNN_TRY(dcnn_onnx_settle(r, node, out));
        DCNN_TRY(dcnn_onnx_as_map(r, node, out));
        return add_groups(r, node, out->c, true, out);
    }
    for (size_t i = 1; i < 3; i++) {
        dcnn_onnx_value weights;
        DCNN_TRY(floats_of(r, node, i, &weights));
        for (int64_t k = 0; k < weights.count; k++)
            if (weights.floats[k] != (i == 1 ? 1.0f : 0.0f))
                return dcnn_onnx_refuse(r, node, "dcnn supports it only without weights of each group");
    }
    return add_groups(r, node, out->groups, false, out);
}

/* Slopes of each channel, of all, or of each value. */
static dcnn_status prelu(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    dcnn_onnx_value x, slopes;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, &x));
    DCNN_TRY(dcnn_onnx_settle(r, node, &x));
    if (x.kind != ONNX_VECTOR) DCNN_TRY(dcnn_onnx_as_map(r, node, &x));
    DCNN_TRY(floats_of(r, node, 1, &slopes));
    const int64_t whole = (int64_t)x.c * x.h * x.w;
    const int64_t dims[4] = {1, x.c, x.h, x.w};
    float *values = slopes.floats;
    if (slopes.count != 1 && slopes.count != x.c && slopes.count != whole)
        return dcnn_onnx_refuse(r, node, "its slopes do not fit its input");
    const bool all = slopes.count == 1 && x.c > 1, each = slopes.count == whole && whole > x.c;
    if (all) { /* one slope for all: for each channel the same */
        values = dcnn_onnx_keep(r, (size_t)x.c, sizeof *values);
        for (int c = 0; values && c < x.c; c++) values[c] = slopes.floats[0];
    } else if (each) {
        values = turned(r, slopes.floats, dims, (const int[]){0, 2, 3, 1});
    }
    if (values == NULL) return DCNN_FAILURE;
    json_t *config = x.kind == ONNX_VECTOR || each ? json_object() : json_pack("{s:[i,i]}", "shared_axes", 1, 2);
    DCNN_TRY(dcnn_onnx_add(r, node, "PReLU", config, 1, &x, &x));
    *out = x;
    out->positive = false;
    return dcnn_onnx_weigh(r, x.layer, 0, values, (size_t)(each ? whole : x.c));
}

#define WINDOW "auto_pad dilations kernel_shape pads strides "

const dcnn_onnx_row dcnn_onnx_layer_rows[] = {
    {"Conv", conv, WINDOW "group"},
    {"ConvTranspose", conv_transpose, WINDOW "group output_padding"},
    {"Gemm", gemm, "alpha beta transA transB"},
    {"MatMul", matmul, ""},
    {"MaxPool", pool, WINDOW "ceil_mode storage_order"}, /* the order of its second output, which nobody has */
    {"AveragePool", pool, WINDOW "ceil_mode count_include_pad"},
    {"GlobalAveragePool", global_average_pool, ""},
    {"GlobalMaxPool", global_max_pool, ""},
    {"ReduceMean", reduce, "axes keepdims noop_with_empty_axes"}, /* never empty ones */
    {"ReduceMax", reduce, "axes keepdims noop_with_empty_axes"},
    {"BatchNormalization", batch_normalization, "epsilon momentum spatial=1 training_mode"}, /* the layer has both */
    {"LayerNormalization", layer_normalization, "axis epsilon stash_type=1"},
    {"GroupNormalization", group_normalization, "epsilon num_groups stash_type=1"},
    {"InstanceNormalization", instance_normalization, "epsilon"},
    {"PRelu", prelu, ""},
    {NULL, NULL, NULL},
};
