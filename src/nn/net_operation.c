/* SPDX-License-Identifier: BSD-3-Clause */
/* net_operation.c — operations of keras.ops in a Functional: what Keras makes of `x + 3`, `x * 0.5` or `ops.relu(x)` on
 * a layer's output. Each is read as the layer that computes the same; those on two values have the names of the merging
 * layers (Add, Multiply, …) and are read as these. */
#include <math.h>
#include <string.h>

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

/* --- on a value and a number -------------------------------------------------------------------------------------- */

static dcnn_status as_rescaling(const json_t *item, const dcnn_operands *on, json_t **layer) {
    const char *class_name = text_of(item, "class_name");
    const bool divides = strcmp(class_name, "Divide") == 0 || strcmp(class_name, "TrueDivide") == 0;
    double scale = 1.0, offset = 0.0;
    bool known = on->numbers == 1 && on->values == 1 && isfinite(on->number);
    if (strcmp(class_name, "Add") == 0)
        offset = on->number;
    else if (strcmp(class_name, "Subtract") == 0)
        scale = on->number_first ? -1.0 : 1.0, offset = on->number_first ? on->number : -on->number;
    else if (strcmp(class_name, "Multiply") == 0)
        scale = on->number;
    else if (divides && !on->number_first && !(on->number >= 0.0 && on->number <= 0.0))
        scale = 1.0 / on->number;
    else
        known = false;
    if (strcmp(class_name, "Power") == 0 && on->numbers == 1 && on->values == 1 && !on->number_first &&
        on->number >= 2.0 && on->number <= 2.0)
        *layer = json_pack("{s:s, s:{}}", "class_name", "Multiply", "config"); /* of the value with itself */
    if (known)
        *layer =
            json_pack("{s:s, s:{s:f, s:f}}", "class_name", "Rescaling", "config", "scale", scale, "offset", offset);
    if (*layer || (strcmp(class_name, "Maximum") == 0 && on->values == 1 && on->numbers == 1 && on->number >= 0.0 &&
                   on->number <= 0.0))
        return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "operation '%s' (keras.ops %s): of operations with numbers dcnn knows x + a, x - a, a - x, "
                     "x * a, x / a, x ** 2 and maximum(x, 0)",
                     name_of(item), class_name);
}

/* --- on one value ------------------------------------------------------------------------------------------------- */

/* Those that are activations without settings, by their own names and Keras'. */
static const struct {
    const char *operation, *activation;
} activations[] = {
    {"Relu", "relu"},          {"Relu6", "relu6"},        {"Sigmoid", "sigmoid"},   {"Tanh", "tanh"},
    {"Silu", "silu"},          {"Softplus", "softplus"},  {"Softsign", "softsign"}, {"HardSigmoid", "hard_sigmoid"},
    {"HardSilu", "hard_silu"}, {"HardTanh", "hard_tanh"}, {"Selu", "selu"},         {"LogSigmoid", "log_sigmoid"},
    {"Exp", "exponential"},    {"Maximum", "relu"}, /* with 0 */
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

static json_t *of_one_value(const json_t *item) {
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
    if (strcmp(class_name, "Transpose") == 0) return as_listed(item, "Permute", "axes", "dims", 0);
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
    *layer = NULL;
    if (on->numbers > 0) DCNN_TRY(as_rescaling(item, on, layer));
    if (*layer == NULL && on->values == 1) *layer = of_one_value(item);
    if (*layer == NULL && on->values == 1 && strcmp(class_name, "Square") == 0) /* of the value with itself */
        *layer = json_pack("{s:s, s:{}}", "class_name", "Multiply", "config");
    if (*layer == NULL && on->values > 1 && is_merge(item)) *layer = as_named(item, class_name);
    if (*layer == NULL)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "dcnn has no layer for operation '%s' (keras.ops %s) with these settings; it knows +, - and * of values "
            "and "
            "numbers, / by a number, ** 2, maximum and minimum, activations (gelu with approximate=False), mean and "
            "max "
            "over height and width, concatenate, reshape, transpose, pad, clip from 0, square, max_pool, average_pool, "
            "image.resize",
            name_of(item), class_name);
    json_object_set_new(json_object_get(*layer, "config"), "name", json_string(name_of(item)));
    return DCNN_OK;
}
