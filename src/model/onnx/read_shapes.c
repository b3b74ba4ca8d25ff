/* SPDX-License-Identifier: BSD-3-Clause */
/* read_shapes.c — the table of ONNX operators that are the same values in another shape. */
#include <math.h>
#include <string.h>

#include "model/onnx/build.h"
#include "model/onnx/read.h"

static void make_flat(dcnn_onnx_value *value) {
    if (value->kind == ONNX_MAP) value->kind = ONNX_FLAT;
}

/* [N, h, w, c] as it lies. */
static dcnn_status flatten_last(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *value) {
    DCNN_TRY(dcnn_onnx_add(r, node, "Flatten", json_object(), 1, value, value));
    value->c *= value->h * value->w;
    value->h = value->w = 1;
    value->kind = ONNX_VECTOR;
    return DCNN_OK;
}

static dcnn_status flatten(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    DCNN_TRY(dcnn_onnx_input(r, node, 0, out));
    const int64_t axis = dcnn_onnx_int_of(node, "axis", 1);
    if (axis != 1 && axis != (out->kind == ONNX_MAP || out->kind == ONNX_LAST ? -3 : -1))
        return dcnn_onnx_refuse(r, node, "dcnn supports it only from axis 1");
    if (out->kind == ONNX_LAST) return flatten_last(r, node, out);
    if (out->kind != ONNX_FLAT && out->kind != ONNX_MAP) DCNN_TRY(dcnn_onnx_settle(r, node, out));
    make_flat(out);
    return DCNN_OK;
}

/* A vector as [N, a, b, c]. */
static dcnn_status reshape_vector(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const int64_t sizes[3],
                                  dcnn_onnx_value *value) {
    json_t *config =
        json_pack("{s:[I,I,I]}", "target_shape", (json_int_t)sizes[0], (json_int_t)sizes[1], (json_int_t)sizes[2]);
    const bool column = sizes[1] == 1 && sizes[2] == 1; /* one number a channel is the same either way */
    if (column) json_object_set_new(config, "target_shape", json_pack("[i,i,I]", 1, 1, (json_int_t)sizes[0]));
    DCNN_TRY(dcnn_onnx_add(r, node, "Reshape", config, 1, value, value));
    value->kind = column ? ONNX_MAP : ONNX_LAST;
    value->h = column ? 1 : (int)sizes[0];
    value->w = column ? 1 : (int)sizes[1];
    value->c = (int)sizes[column ? 0 : 2];
    return DCNN_OK;
}

/* The target without its N: numbers above 0, one of them left open perhaps. */
static dcnn_status read_target(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x,
                               int64_t target[DCNN_ONNX_LIST], int *rank) {
    const int64_t whole = (int64_t)x->c * x->h * x->w, sizes[4] = {0, x->c, x->h, x->w},
                  last[4] = {0, x->h, x->w, x->c};
    const bool empty = dcnn_onnx_int_of(node, "allowzero", 0) != 0; /* a 0 is not "as it is" */
    int64_t known = 1;
    int open = -1;
    DCNN_TRY(dcnn_onnx_list_of(r, node, 1, "shape", target, rank));
    if (*rank < 2 || *rank > 4) return dcnn_onnx_refuse(r, node, "dcnn supports only shapes of 2 and 4 dimensions");
    const bool first_open = target[0] == -1, fixed = target[0] == 0 || target[0] == r->batch || target[0] == 1;
    if (!first_open && !fixed) return dcnn_onnx_refuse(r, node, "it mixes images of a batch");
    for (int i = 1; i < *rank; i++) {
        if (target[i] == 0 && empty) return dcnn_onnx_refuse(r, node, "nothing is left");
        if (target[i] == 0 && i < 4) target[i] = x->kind == ONNX_LAST ? last[i] : sizes[i];
        if (target[i] == -1 && open < 0)
            open = i;
        else if (target[i] < 1 || target[i] > whole)
            return dcnn_onnx_refuse(r, node, "its shape does not fit its input");
        else
            known *= target[i];
        if (known > whole) return dcnn_onnx_refuse(r, node, "its shape does not fit its input");
    }
    if (open > 0) target[open] = whole / known;
    if ((open > 0 ? known * target[open] : known) != whole)
        return dcnn_onnx_refuse(r, node, "its shape does not fit its input");
    return DCNN_OK;
}

/* [c] of a batch of one, as PyTorch's exporter has it where memory lies otherwise than axes: a Gather of all follows.
 */
static bool is_line_of_one(const dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const dcnn_onnx_value *x) {
    int64_t target[DCNN_ONNX_LIST];
    int rank;
    return r->batch == 1 && x->kind == ONNX_MAP && x->h == 1 && x->w == 1 &&
           dcnn_onnx_list_of(r, node, 1, "shape", target, &rank) == DCNN_OK && rank == 1 &&
           (target[0] == -1 || target[0] == x->c);
}

static dcnn_status gather(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    dcnn_onnx_value places;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, out));
    DCNN_TRY(dcnn_onnx_input(r, node, 1, &places));
    bool all =
        out->kind == ONNX_FLAT && out->made_by &&
        is_line_of_one(r, out->made_by, &(dcnn_onnx_value){.kind = ONNX_MAP, .c = out->c, .h = out->h, .w = out->w}) &&
        dcnn_onnx_int_of(node, "axis", 0) == 0 && places.kind == ONNX_CONSTANT && places.ints &&
        places.count == out->c && places.rank == 4 && places.dims[0] == 1 && places.dims[1] == out->c;
    for (int64_t i = 0; all && i < places.count; i++) all = places.ints[i] == i;
    if (!all) return dcnn_onnx_refuse(r, node, "dcnn does not have this operator");
    out->kind = ONNX_MAP;
    return DCNN_OK;
}

static dcnn_status reshape(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    int64_t target[DCNN_ONNX_LIST];
    int rank;
    DCNN_TRY(dcnn_onnx_input(r, node, 0, out));
    if (is_line_of_one(r, node, out)) {
        out->kind = ONNX_FLAT;
        return DCNN_OK;
    }
    if (out->kind == ONNX_OPEN || out->kind == ONNX_CONSTANT) DCNN_TRY(dcnn_onnx_settle(r, node, out));
    DCNN_TRY(read_target(r, node, out, target, &rank));
    const bool map = out->kind == ONNX_MAP || out->kind == ONNX_GROUPED || out->kind == ONNX_FLAT;
    if (rank == 4 && map && target[1] == out->c && target[2] == out->h && target[3] == out->w) {
        out->kind = ONNX_MAP; /* as it was */
        return DCNN_OK;
    }
    if (rank == 3 && out->kind == ONNX_MAP && target[1] >= 1 && out->c % target[1] == 0) {
        out->kind = ONNX_GROUPED;
        out->groups = (int)target[1];
        return DCNN_OK;
    }
    if (rank == 2 && out->kind == ONNX_LAST) return flatten_last(r, node, out);
    if (rank == 2) {
        if (out->kind == ONNX_GROUPED) out->kind = ONNX_MAP;
        make_flat(out);
        return DCNN_OK;
    }
    if (out->kind == ONNX_LAST) DCNN_TRY(flatten_last(r, NULL, out));
    make_flat(out);
    DCNN_TRY(dcnn_onnx_settle(r, node, out));
    if (rank != 4) return dcnn_onnx_refuse(r, node, "dcnn supports only shapes of 2 and 4 dimensions");
    return reshape_vector(r, node, target + 1, out);
}

/* [N, c] as [N, c, 1, 1], and back. */
static dcnn_status squeeze(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    const bool un = strcmp(node->op_type, "Unsqueeze") == 0;
    int64_t axes[DCNN_ONNX_LIST] = {0};
    int count;
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    DCNN_TRY(dcnn_onnx_list_of(r, node, 1, "axes", axes, &count));
    for (int i = 0; i < count; i++)
        if (axes[i] < 0) axes[i] += 4;
    const bool both = count == 2 && axes[0] + axes[1] == 5 && (axes[0] == 2 || axes[0] == 3);
    if (both && un && out->kind == ONNX_VECTOR) return reshape_vector(r, node, (const int64_t[]){out->c, 1, 1}, out);
    if (both && !un && out->kind == ONNX_MAP && out->h == 1 && out->w == 1) {
        out->kind = ONNX_FLAT;
        return DCNN_OK;
    }
    return dcnn_onnx_refuse(r, node, "dcnn supports it only where height and width are 1");
}

static dcnn_status transpose(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    static const int keras[4] = {0, 3, 1, 2}; /* Keras' axis of [N, c, h, w] */
    int64_t p[4] = {0, 3, 2, 1};
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    DCNN_TRY(dcnn_onnx_ints_of(r, node, "perm", 4, p));
    int seen = 0;
    for (int i = 0; i < 4; i++) seen |= p[i] >= 0 && p[i] < 4 ? 1 << p[i] : 0;
    if ((out->kind != ONNX_MAP && out->kind != ONNX_LAST) || seen != 15 || p[0] != 0)
        return dcnn_onnx_refuse(r, node, "dcnn supports it only for [N, channels, height, width], N first");
    if (out->kind == ONNX_LAST && p[1] == 3 && p[2] == 1) {
        out->kind = ONNX_MAP;
        return DCNN_OK;
    }
    if (out->kind == ONNX_MAP && p[1] == 2 && p[2] == 3) {
        out->kind = ONNX_LAST;
        return DCNN_OK;
    }
    DCNN_TRY(dcnn_onnx_as_map(r, node, out));
    const int sizes[4] = {0, out->c, out->h, out->w};
    json_t *config = json_pack("{s:[i,i,i]}", "dims", keras[p[2]], keras[p[3]], keras[p[1]]);
    DCNN_TRY(dcnn_onnx_add(r, node, "Permute", config, 1, out, out));
    out->c = sizes[p[1]];
    out->h = sizes[p[2]];
    out->w = sizes[p[3]];
    return DCNN_OK;
}

static dcnn_status concat(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    dcnn_onnx_value values[DCNN_MAX_INPUTS];
    int64_t axis = dcnn_onnx_int_of(node, "axis", 1);
    if (node->n_input < 1 || node->n_input > DCNN_MAX_INPUTS)
        return dcnn_onnx_refuse(r, node, "dcnn supports at most 16 inputs");
    const int count = (int)node->n_input;
    bool vectors = true;
    for (int i = 0; i < count; i++) {
        DCNN_TRY(dcnn_onnx_input(r, node, (size_t)i, &values[i]));
        DCNN_TRY(dcnn_onnx_settle(r, node, &values[i]));
        vectors = vectors && values[i].kind == ONNX_VECTOR;
    }
    if (axis < 0) axis += vectors ? 2 : 4;
    if (axis < 1 || axis > (vectors ? 1 : 3)) return dcnn_onnx_refuse(r, node, "it mixes images of a batch");
    dcnn_onnx_value sum = {.positive = true};
    for (int i = 0; i < count; i++) {
        if (!vectors) DCNN_TRY(dcnn_onnx_as_map(r, node, &values[i]));
        sum.c += values[i].c;
        sum.h += values[i].h;
        sum.w += values[i].w;
        sum.positive = sum.positive && values[i].positive;
        if (sum.c > 1 << 24 || sum.h > 1 << 24 || sum.w > 1 << 24) return dcnn_onnx_refuse(r, node, "it is too large");
    }
    json_t *config = json_pack("{s:i}", "axis", vectors || axis == 1 ? -1 : axis == 2 ? 1 : 2);
    DCNN_TRY(dcnn_onnx_add(r, node, "Concatenate", config, count, values, out));
    const char *layer = out->layer;
    *out = values[0];
    out->layer = layer;
    out->positive = sum.positive;
    if (axis == 1) out->c = sum.c;
    if (axis == 2) out->h = sum.h;
    if (axis == 3) out->w = sum.w;
    return DCNN_OK;
}

/* Zeros around, or an edge cut off. */
static dcnn_status add_sides(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const int64_t sides[4], bool cut,
                             dcnn_onnx_value *out) {
    const int sign = cut ? -1 : 1;
    bool none = true;
    for (int i = 0; i < 4; i++) {
        if (sides[i] < 0 || sides[i] > 1 << 16)
            return dcnn_onnx_refuse(r, node, "dcnn supports only pads that all add, or all cut off");
        none = none && sides[i] == 0;
    }
    const int64_t h = out->h + sign * (sides[0] + sides[2]), w = out->w + sign * (sides[1] + sides[3]);
    if (h < 1 || w < 1) return dcnn_onnx_refuse(r, node, "nothing is left");
    if (none) return DCNN_OK;
    json_t *config = json_pack("{s:[[I,I],[I,I]]}", cut ? "cropping" : "padding", (json_int_t)sides[0],
                               (json_int_t)sides[2], (json_int_t)sides[1], (json_int_t)sides[3]);
    out->h = (int)h;
    out->w = (int)w;
    return dcnn_onnx_add(r, node, cut ? "Cropping2D" : "ZeroPadding2D", config, 1, out, out);
}

static dcnn_status pad(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    int64_t pads[DCNN_ONNX_LIST];
    int count;
    double value = 0.0;
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    DCNN_TRY(dcnn_onnx_as_map(r, node, out));
    DCNN_TRY(dcnn_onnx_list_of(r, node, 1, "pads", pads, &count));
    DCNN_TRY(dcnn_onnx_bound(r, node, 2, "value", &value));
    if (!dcnn_onnx_is(node, "mode", "constant", "constant") || value != 0.0 || dcnn_onnx_has_input(node, 3))
        return dcnn_onnx_refuse(r, node, "dcnn supports only padding with zeros");
    if (count != 8 || pads[0] || pads[1] || pads[4] || pads[5])
        return dcnn_onnx_refuse(r, node, "dcnn pads only height and width");
    const bool cut = pads[2] < 0 || pads[3] < 0 || pads[6] < 0 || pads[7] < 0;
    const int64_t sign = cut ? -1 : 1;
    for (int i = 2; i < 8; i++)
        if (pads[i] < -(1 << 16) || pads[i] > 1 << 16) return dcnn_onnx_refuse(r, node, "its pads are too large");
    return add_sides(r, node, (const int64_t[]){sign * pads[2], sign * pads[3], sign * pads[6], sign * pads[7]}, cut,
                     out);
}

static dcnn_status slice(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    int64_t first[DCNN_ONNX_LIST], end[DCNN_ONNX_LIST], axes[DCNN_ONNX_LIST] = {0, 1, 2, 3}, steps[DCNN_ONNX_LIST];
    int64_t sides[4] = {0, 0, 0, 0};
    int firsts, ends, axis_count, step_count;
    unsigned cut = 0; /* axes so far */
    bool whole = true;
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    DCNN_TRY(dcnn_onnx_as_map(r, node, out));
    DCNN_TRY(dcnn_onnx_list_of(r, node, 1, "starts", first, &firsts));
    DCNN_TRY(dcnn_onnx_list_of(r, node, 2, "ends", end, &ends));
    DCNN_TRY(dcnn_onnx_list_of(r, node, 3, "axes", axes, &axis_count));
    DCNN_TRY(dcnn_onnx_list_of(r, node, 4, "", steps, &step_count));
    if (axis_count == 0)
        for (int i = 0; i < 4; i++) axes[i] = i;
    if (firsts != ends || firsts > 4 || (axis_count > 0 && axis_count != firsts))
        return dcnn_onnx_refuse(r, node, "its starts, ends and axes are not of one length");
    for (int i = 0; i < firsts; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + 4 : axes[i], sizes[4] = {r->batch, out->c, out->h, out->w};
        if (axis < 0 || axis > 3 || (i < step_count && steps[i] != 1))
            return dcnn_onnx_refuse(r, node, "dcnn supports it only in steps of 1");
        if (cut & 1u << axis) return dcnn_onnx_refuse(r, node, "it names one of its axes twice");
        cut |= 1u << axis;
        if (axis == 0) { /* of any N, whose end nobody knows but the largest numbers there are */
            whole = whole && first[i] == 0 && end[i] >= (r->batch > 0 ? r->batch : INT32_MAX);
            continue;
        }
        const int64_t a = dcnn_onnx_place(first[i], sizes[axis]), b = dcnn_onnx_place(end[i], sizes[axis]);
        if (axis == 1) {
            whole = whole && a == 0 && b == sizes[1];
            continue;
        }
        sides[axis - 2] = a;
        sides[axis] = sizes[axis] - b;
    }
    if (!whole) return dcnn_onnx_refuse(r, node, "dcnn cuts only height and width");
    return add_sides(r, node, sides, true, out);
}

#define RESIZES                                                                                                        \
    "dcnn supports it by whole factors, linear or cubic (half_pixel), and to a size, nearest (asymmetric, floor; or "  \
    "half_pixel, round_prefer_ceil), linear or cubic (half_pixel); cubic with cubic_coeff_a -0.5 and "                 \
    "exclude_outside 1, as Keras"

/* Keras' name of the filter, or NULL: it is another. */
static const char *filter_of(const DcnnOnnx__Node *node) {
    const bool keys = fabs(dcnn_onnx_float_of(node, "cubic_coeff_a", -0.75) + 0.5) < 1e-7;
    const bool excludes = dcnn_onnx_int_of(node, "exclude_outside", 0) != 0;
    if (dcnn_onnx_is(node, "mode", "cubic", "nearest")) return keys && excludes ? "bicubic" : NULL;
    if (excludes) return NULL;
    return dcnn_onnx_is(node, "mode", "nearest", "nearest")  ? "nearest"
           : dcnn_onnx_is(node, "mode", "linear", "nearest") ? "bilinear"
                                                             : NULL;
}

/* To a size, as Keras' Resizing. PyTorch's half_pixel is another only where the output is of one pixel. */
static dcnn_status resize_to(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const int64_t *sizes,
                             dcnn_onnx_value *out) {
    const char *filter = filter_of(node);
    const bool nearest = filter && strcmp(filter, "nearest") == 0;
    const bool ours = dcnn_onnx_is(node, "coordinate_transformation_mode", "half_pixel", "half_pixel") ||
                      (sizes[0] > 1 && sizes[1] > 1 &&
                       dcnn_onnx_is(node, "coordinate_transformation_mode", "pytorch_half_pixel", "half_pixel"));
    const bool way =
        nearest ? dcnn_onnx_is(node, "nearest_mode", "round_prefer_ceil", "round_prefer_floor") : filter != NULL;
    if (!ours || !way || sizes[0] < 1 || sizes[1] < 1 || sizes[0] > 1 << 14 || sizes[1] > 1 << 14)
        return dcnn_onnx_refuse(r, node, RESIZES);
    json_t *config = json_pack("{s:I, s:I, s:s}", "height", (json_int_t)sizes[0], "width", (json_int_t)sizes[1],
                               "interpolation", filter);
    DCNN_TRY(dcnn_onnx_add(r, node, "Resizing", config, 1, out, out));
    out->h = (int)sizes[0];
    out->w = (int)sizes[1];
    return DCNN_OK;
}

static int common_factor(int a, int b) {
    while (b) {
        const int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* PyTorch's nearest pixel, floor(i in / out): each pixel as often as the output has rows in a common measure, of which
 * every so many-th stays. */
static dcnn_status repeat_pixels(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, const int64_t *sizes,
                                 dcnn_onnx_value *out) {
    enum { MOST = 64 };
    const int h = (int)sizes[0], w = (int)sizes[1];
    const int down = common_factor(h, out->h), across = common_factor(w, out->w);
    if (h / down > MOST || w / across > MOST) return dcnn_onnx_refuse(r, node, "its sizes have no small ratio");
    DCNN_TRY(dcnn_onnx_add(r, node, "UpSampling2D", json_pack("{s:[i,i]}", "size", h / down, w / across), 1, out, out));
    json_t *config = json_pack("{s:[i,i], s:[i,i]}", "pool_size", 1, 1, "strides", out->h / down, out->w / across);
    DCNN_TRY(dcnn_onnx_add(r, NULL, "MaxPooling2D", config, 1, out, out));
    out->h = h;
    out->w = w;
    return DCNN_OK;
}

/* Whole factors: each pixel again, or between pixels; else to a size. */
static dcnn_status resize(dcnn_onnx_reader *r, const DcnnOnnx__Node *node, dcnn_onnx_value *out) {
    const char *filter = filter_of(node);
    const bool nearest = filter && strcmp(filter, "nearest") == 0;
    const char *mode = nearest ? "asymmetric" : "half_pixel";
    dcnn_onnx_value scales = {0};
    int64_t sizes[DCNN_ONNX_LIST], factor[2] = {0, 0}, reached[2] = {0, 0};
    int count = 0;
    DCNN_TRY(dcnn_onnx_settled(r, node, out));
    DCNN_TRY(dcnn_onnx_as_map(r, node, out));
    const size_t at = strcmp(node->op_type, "Upsample") == 0 ? 1 : 2;
    if (dcnn_onnx_has_input(node, at)) DCNN_TRY(dcnn_onnx_input(r, node, at, &scales));
    if (at == 2) DCNN_TRY(dcnn_onnx_list_of(r, node, 3, "", sizes, &count));
    const int lengths[2] = {out->h, out->w};
    for (int i = 0; i < 2; i++) {
        if (scales.floats && scales.count == 4 && scales.floats[i + 2] >= 1.0f && scales.floats[i + 2] <= 64.0f &&
            scales.floats[i + 2] == floorf(scales.floats[i + 2]))
            factor[i] = (int64_t)scales.floats[i + 2];
        if (count == 4 && sizes[i + 2] >= lengths[i] && sizes[i + 2] % lengths[i] == 0)
            factor[i] = sizes[i + 2] / lengths[i];
        if (count != 4 && scales.floats && scales.count == 4) {
            const double size = (double)scales.floats[i + 2] * lengths[i];
            reached[i] = size >= 1.0 && size <= 1 << 14 && size == floor(size) ? (int64_t)size : 0;
        } else if (count == 4) {
            reached[i] = sizes[i + 2];
        }
    }
    const bool right = nearest ? dcnn_onnx_is(node, "nearest_mode", "floor", at == 1 ? "floor" : "round_prefer_floor")
                               : filter != NULL;
    const bool pixels = dcnn_onnx_is(node, "coordinate_transformation_mode", mode, at == 1 ? mode : "half_pixel") ||
                        (!nearest && dcnn_onnx_is(node, "coordinate_transformation_mode", "pytorch_half_pixel", mode));
    if (!dcnn_onnx_is(node, "keep_aspect_ratio_policy", "stretch", "stretch"))
        return dcnn_onnx_refuse(r, node, RESIZES);
    const bool whole = factor[0] >= 1 && factor[1] >= 1 && factor[0] <= 64 && factor[1] <= 64;
    if (!whole && nearest && right && pixels && reached[0] >= 1 && reached[1] >= 1 && reached[0] <= 1 << 14 &&
        reached[1] <= 1 << 14)
        return repeat_pixels(r, node, reached, out);
    if (!whole || !right || !pixels)
        return count == 4 ? resize_to(r, node, sizes + 2, out) : dcnn_onnx_refuse(r, node, RESIZES);
    json_t *config =
        json_pack("{s:[I,I], s:s}", "size", (json_int_t)factor[0], (json_int_t)factor[1], "interpolation", filter);
    DCNN_TRY(dcnn_onnx_add(r, node, "UpSampling2D", config, 1, out, out));
    out->h *= (int)factor[0];
    out->w *= (int)factor[1];
    return DCNN_OK;
}

/* Those of Resize that change nothing belong to the way that is refused: cut to a region. */
#define RESIZE "coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value mode nearest_mode "

const dcnn_onnx_row dcnn_onnx_shape_rows[] = {
    {"Flatten", flatten, "axis"},         {"Reshape", reshape, "allowzero shape"},
    {"Gather", gather, "axis"},           {"Squeeze", squeeze, "axes"},
    {"Unsqueeze", squeeze, "axes"},       {"Transpose", transpose, "perm"},
    {"Concat", concat, "axis"},           {"Pad", pad, "mode pads value"},
    {"Slice", slice, "axes ends starts"}, {"Resize", resize, RESIZE "antialias=0 keep_aspect_ratio_policy"},
    {"Upsample", resize, "mode"},         {NULL, NULL, NULL},
};
