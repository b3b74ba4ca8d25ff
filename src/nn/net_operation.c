/* SPDX-License-Identifier: BSD-3-Clause */
/* net_operation.c — operations of keras.ops in a Functional: what Keras makes of `x + 3`, `x * 0.5` or `ops.relu(x)` on
 * a layer's output. Each is read as the layer that computes the same; those on two values have the names of the merging
 * layers (Add, Multiply, …) and are read as these. */
#include <math.h>
#include <string.h>

#include "nn/config.h"
#include "nn/net_private.h"

static const char *text_of(const json_t *item, const char *key) {
    const char *text = json_string_value(json_object_get(item, key));
    return text ? text : "";
}

bool dcnn_net_is_operation(const json_t *item) {
    return strncmp(text_of(item, "module"), "keras.src.ops", 13) == 0 ||
           strncmp(text_of(item, "module"), "keras.ops", 9) == 0;
}

static const json_t *setting(const json_t *item, const char *key) {
    return json_object_get(json_object_get(item, "config"), key);
}

static const char *name_of(const json_t *item) {
    const char *name = json_string_value(setting(item, "name"));
    return name ? name : text_of(item, "name");
}

const json_t *dcnn_net_numbers(const json_t *argument) {
    const json_t *values = json_object_get(json_object_get(argument, "config"), "value");
    while (json_array_size(values) == 1 && json_is_array(json_array_get(values, 0))) values = json_array_get(values, 0);
    bool good = json_array_size(values) > 0 && dcnn_config_is_class(argument, " __numpy__ __tensor__ ");
    for (size_t i = 0; good && i < json_array_size(values); i++) good = json_is_number(json_array_get(values, i));
    return good ? values : NULL;
}

/* --- on a value and a number -------------------------------------------------------------------------------------- */

/* A number, or of an array each of its numbers, by scale and offset: number i of the list. */
static double number_of(const dcnn_operands *on, size_t i) {
    return on->list ? json_number_value(json_array_get(on->list, i)) : on->number;
}

/* scale x + offset, of each channel where there is an array; NULL: it is not that. */
static json_t *as_rescaling(const char *class_name, const dcnn_operands *on) {
    const bool divides = strcmp(class_name, "Divide") == 0 || strcmp(class_name, "TrueDivide") == 0;
    const bool first = on->number_first, adds = strcmp(class_name, "Add") == 0;
    const bool subtracts = strcmp(class_name, "Subtract") == 0, multiplies = strcmp(class_name, "Multiply") == 0;
    const size_t count = on->list ? json_array_size(on->list) : 1;
    json_t *scales = json_array(), *offsets = json_array();
    bool known = (adds || subtracts || multiplies || (divides && !first)) && count > 0;
    for (size_t i = 0; i < count; i++) {
        const double a = number_of(on, i);
        known = known && isfinite(a) && (!divides || a < 0.0 || a > 0.0);
        const double scale = multiplies ? a : divides && known ? 1.0 / a : subtracts && first ? -1.0 : 1.0;
        json_array_append_new(scales, json_real(scale));
        json_array_append_new(offsets, json_real(adds || (subtracts && first) ? a : subtracts ? -a : 0.0));
    }
    json_t *layer = NULL;
    if (known)
        layer = on->list ? json_pack("{s:s, s:{s:O, s:O}}", "class_name", "Rescaling", "config", "scale", scales,
                                     "offset", offsets)
                         : json_pack("{s:s, s:{s:O, s:O}}", "class_name", "Rescaling", "config", "scale",
                                     json_array_get(scales, 0), "offset", json_array_get(offsets, 0));
    json_decref(scales);
    json_decref(offsets);
    return layer;
}

static bool is_number(const dcnn_operands *on, double number) {
    return on->list == NULL && on->number >= number && on->number <= number;
}

static json_t *of_number(const json_t *item, const dcnn_operands *on) {
    const char *class_name = text_of(item, "class_name");
    if (on->numbers != 1 || on->values != 1) return NULL;
    if (strcmp(class_name, "Power") == 0 && !on->number_first && is_number(on, 2.0))
        return json_pack("{s:s, s:{}}", "class_name", "Multiply", "config"); /* of the value with itself */
    if (strcmp(class_name, "Maximum") == 0 && is_number(on, 0.0))
        return json_pack("{s:s, s:{s:s}}", "class_name", "Activation", "config", "activation", "relu");
    return as_rescaling(class_name, on);
}

/* --- on one value ------------------------------------------------------------------------------------------------- */

/* Those that are activations without settings, by their own names and Keras'. */
static const struct {
    const char *operation, *activation;
} activations[] = {
    {"Relu", "relu"},          {"Relu6", "relu6"},        {"Sigmoid", "sigmoid"},   {"Tanh", "tanh"},
    {"Silu", "silu"},          {"Softplus", "softplus"},  {"Softsign", "softsign"}, {"HardSigmoid", "hard_sigmoid"},
    {"HardSilu", "hard_silu"}, {"HardTanh", "hard_tanh"}, {"Selu", "selu"},         {"LogSigmoid", "log_sigmoid"},
    {"Exp", "exponential"},
};

/* Lists without the axis of samples: [0, 3, 1, 2] is [3, 1, 2]; NULL: it is moved or changed. */
static json_t *behind_samples(const json_t *list, json_int_t samples) {
    json_t *rest = json_array();
    for (size_t i = 1; i < json_array_size(list); i++) json_array_append(rest, json_array_get(list, i));
    if (json_array_size(rest) > 0 && json_integer_value(json_array_get(list, 0)) == samples) return rest;
    json_decref(rest);
    return NULL;
}

/* Height and width, however they are counted, of maps. */
static bool is_over_places(const json_t *axes) {
    int seen = 0;
    for (size_t i = 0; i < json_array_size(axes); i++) {
        const json_int_t axis = json_integer_value(json_array_get(axes, i));
        seen |= axis == 1 || axis == -3 ? 1 : axis == 2 || axis == -2 ? 2 : 4;
    }
    return seen == 3 && json_array_size(axes) == 2;
}

/* Axes of maps in another order, those of the samples staying: [0, -1, 1, 2] is [3, 1, 2]. NULL: they do not. */
static json_t *as_permute(int count, const json_int_t *axes) {
    json_t *dims = json_array();
    for (int i = 1; i < count; i++) json_array_append_new(dims, json_integer(axes[i] < 0 ? axes[i] + count : axes[i]));
    const bool good = count == 4 && (axes[0] == 0 || axes[0] == -4);
    json_t *layer = good ? json_pack("{s:s, s:{s:O}}", "class_name", "Permute", "config", "dims", dims) : NULL;
    json_decref(dims);
    return layer;
}

static json_t *as_transpose(const json_t *item) {
    const json_t *list = setting(item, "axes");
    json_int_t axes[4];
    if (json_array_size(list) != 4) return NULL;
    for (size_t i = 0; i < 4; i++) axes[i] = json_integer_value(json_array_get(list, i));
    return as_permute(4, axes);
}

/* One axis of a map, or the one of a list. */
static bool read_axis(const json_t *axis, json_int_t *at) {
    if (json_array_size(axis) == 1) axis = json_array_get(axis, 0);
    *at = json_integer_value(axis);
    if (*at < 0) *at += 4;
    return json_is_integer(axis) && *at >= 0 && *at < 4;
}

static json_t *as_moved(const json_t *item) {
    const bool swaps = strcmp(text_of(item, "class_name"), "Swapaxes") == 0;
    json_int_t axes[4] = {0, 1, 2, 3}, from, to;
    if (!read_axis(setting(item, swaps ? "axis1" : "source"), &from) ||
        !read_axis(setting(item, swaps ? "axis2" : "destination"), &to))
        return NULL;
    if (swaps) {
        axes[from] = to;
        axes[to] = from;
        return as_permute(4, axes);
    }
    for (; axes[to] != from;) { /* all between move up by one */
        json_int_t at = 0;
        while (axes[at] != from) at++;
        const json_int_t next = at < to ? at + 1 : at - 1;
        axes[at] = axes[next];
        axes[next] = from;
    }
    return as_permute(4, axes);
}

/* [N, 1, 1, c] as [N, c]. */
static json_t *as_squeezed(const json_t *item, const dcnn_operands *on) {
    const json_t *axis = setting(item, "axis");
    if (on->shape.rank != 3 || on->shape.h != 1 || on->shape.w != 1 || !is_over_places(axis)) return NULL;
    return json_pack("{s:s, s:{s:[i]}}", "class_name", "Reshape", "config", "target_shape", on->shape.c);
}

/* [N, h, w] as [N, h, w, 1]. */
static json_t *as_expanded(const json_t *item, const dcnn_operands *on) {
    const json_int_t axis = json_integer_value(setting(item, "axis"));
    if (!on->plain || (axis != -1 && axis != 3)) return NULL;
    return json_pack("{s:s, s:{s:[i,i,i]}}", "class_name", "Reshape", "config", "target_shape", on->shape.h,
                     on->shape.w, 1);
}

static json_t *as_pooling(const json_t *item, bool max) {
    const json_t *initial = setting(item, "initial");
    if (!is_over_places(setting(item, "axis")) || (initial && !json_is_null(initial))) return NULL;
    return json_pack("{s:s, s:{s:b}}", "class_name", max ? "GlobalMaxPooling2D" : "GlobalAveragePooling2D", "config",
                     "keepdims", json_is_true(setting(item, "keepdims")));
}

static json_t *as_padding(const json_t *item) {
    const json_t *widths = setting(item, "pad_width");
    const char *mode = json_string_value(setting(item, "mode"));
    json_t *none = json_pack("[i,i]", 0, 0), *layer = NULL;
    if (json_array_size(widths) == 4 && mode && strcmp(mode, "constant") == 0 &&
        json_equal(json_array_get(widths, 0), none) && json_equal(json_array_get(widths, 3), none))
        layer = json_pack("{s:s, s:{s:[O,O]}}", "class_name", "ZeroPadding2D", "config", "padding",
                          json_array_get(widths, 1), json_array_get(widths, 2));
    json_decref(none);
    return layer;
}

/* The same settings by the layer's name. */
static json_t *as_named(const json_t *item, const char *class_name) {
    return json_pack("{s:s, s:o}", "class_name", class_name, "config", json_deep_copy(json_object_get(item, "config")));
}

static json_t *as_resizing(const json_t *item) {
    json_t *layer = as_named(item, "Resizing"), *config = json_object_get(layer, "config");
    json_object_set(config, "height", json_array_get(setting(item, "size"), 0));
    json_object_set(config, "width", json_array_get(setting(item, "size"), 1));
    return layer;
}

static json_t *as_listed(const json_t *item, const char *class_name, const char *from, const char *to,
                         json_int_t samples) {
    json_t *list = behind_samples(setting(item, from), samples);
    return list ? json_pack("{s:s, s:{s:o}}", "class_name", class_name, "config", to, list) : NULL;
}

static json_t *as_clipped(const json_t *item) {
    const json_t *low = setting(item, "x_min"), *high = setting(item, "x_max");
    if (!json_is_number(low) || !json_is_number(high) || json_number_value(low) < 0.0 || json_number_value(low) > 0.0)
        return NULL;
    return json_pack("{s:s, s:{s:O}}", "class_name", "ReLU", "config", "max_value", high);
}

static bool is_float(const json_t *dtype) {
    return json_is_string(dtype) && strcmp(json_string_value(dtype), "float32") == 0;
}

static json_t *of_one_value(const json_t *item, const dcnn_operands *on) {
    const char *class_name = text_of(item, "class_name");
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (strcmp(class_name, activations[i].operation) == 0)
            return json_pack("{s:s, s:{s:s}}", "class_name", "Activation", "config", "activation",
                             activations[i].activation);
    const bool plain_celu = json_number_value(setting(item, "alpha")) == 1.0;
    if (strcmp(class_name, "Celu") == 0 && plain_celu)
        return json_pack("{s:s, s:{s:s}}", "class_name", "Activation", "config", "activation", "celu");
    if (strcmp(class_name, "Gelu") == 0 && json_is_false(setting(item, "approximate")))
        return json_pack("{s:s, s:{s:s}}", "class_name", "Activation", "config", "activation", "gelu");
    if (strcmp(class_name, "LeakyRelu") == 0) return as_named(item, "LeakyReLU");
    if (strcmp(class_name, "Elu") == 0) return as_named(item, "ELU");
    if (strcmp(class_name, "Softmax") == 0) return as_named(item, "Softmax");
    if (strcmp(class_name, "MaxPool") == 0) return as_named(item, "MaxPooling2D");
    if (strcmp(class_name, "AveragePool") == 0) return as_named(item, "AveragePooling2D");
    if (strcmp(class_name, "Resize") == 0) return as_resizing(item);
    if (strcmp(class_name, "Mean") == 0) return as_pooling(item, false);
    if (strcmp(class_name, "Max") == 0) return as_pooling(item, true);
    if (strcmp(class_name, "Pad") == 0) return as_padding(item);
    if (strcmp(class_name, "Clip") == 0) return as_clipped(item);
    if (strcmp(class_name, "Transpose") == 0) return as_transpose(item);
    if (strcmp(class_name, "Swapaxes") == 0 || strcmp(class_name, "Moveaxis") == 0) return as_moved(item);
    if (strcmp(class_name, "Squeeze") == 0) return as_squeezed(item, on);
    if (strcmp(class_name, "ExpandDims") == 0) return as_expanded(item, on);
    if (strcmp(class_name, "Cast") == 0 && is_float(setting(item, "dtype")))
        return json_pack("{s:s, s:{}}", "class_name", "Identity", "config");
    if (strcmp(class_name, "Reshape") == 0) return as_listed(item, "Reshape", "newshape", "target_shape", -1);
    if (strcmp(class_name, "Negative") == 0)
        return json_pack("{s:s, s:{s:f}}", "class_name", "Rescaling", "config", "scale", -1.0);
    return NULL;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static bool is_merge(const json_t *item) {
    static const char names[] = " Add Subtract Multiply Maximum Minimum Concatenate ";
    char word[DCNN_NAME_BYTES];
    snprintf(word, sizeof word, " %.60s ", text_of(item, "class_name"));
    return strstr(names, word) != NULL;
}

dcnn_status dcnn_net_operation(const json_t *item, const dcnn_operands *on, json_t **layer) {
    const char *class_name = text_of(item, "class_name");
    *layer = on->numbers > 0 ? of_number(item, on) : NULL;
    if (on->numbers == 0 && on->values == 1) *layer = of_one_value(item, on);
    if (*layer == NULL && on->numbers == 0 && on->values == 1 && strcmp(class_name, "Square") == 0) /* with itself */
        *layer = json_pack("{s:s, s:{}}", "class_name", "Multiply", "config");
    if (*layer == NULL && on->numbers == 0 && on->values > 1 && is_merge(item)) *layer = as_named(item, class_name);
    if (*layer == NULL) *layer = dcnn_net_composite(item, name_of(item), on);
    if (*layer == NULL && on->numbers > 0)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "operation '%s' (keras.ops %s): of operations with numbers dcnn knows x + a, x - a, a - x, "
                         "x * a and x / a, also of one number a channel, x ** n, maximum(x, a) and minimum(x, a)",
                         name_of(item), class_name);
    if (*layer == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "dcnn has no layer for operation '%s' (keras.ops %s) with these settings; it knows +, - and * "
                         "of values and numbers, / by a number, ** n, maximum and minimum, activations, mean, max, min "
                         "and sum over axes of a map, abs, square, clip, concatenate, reshape, transpose, swapaxes, "
                         "moveaxis, squeeze, x[...] in steps of 1, pad, cast to float32, max_pool, average_pool, "
                         "image.resize",
                         name_of(item), class_name);
    json_object_set_new(*layer, DCNN_NET_STAND_IN, json_true());
    json_object_set_new(json_object_get(*layer, "config"), "name", json_string(name_of(item)));
    return DCNN_OK;
}
