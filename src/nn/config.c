/* SPDX-License-Identifier: BSD-3-Clause */
/* config.c — typed readers of Keras layer configurations. */
#include "nn/config.h"

#include <string.h>

static const char *const activation_names[DCNN_ACTIVATION_COUNT] = {"linear", "relu", "sigmoid", "tanh", "softmax"};

static const struct {
    const char *class_name, *short_name;
} initializer_names[DCNN_INIT_COUNT] = {
    [DCNN_INIT_ZEROS] = {"Zeros", "zeros"},
    [DCNN_INIT_ONES] = {"Ones", "ones"},
    [DCNN_INIT_GLOROT_UNIFORM] = {"GlorotUniform", "glorot_uniform"},
    [DCNN_INIT_GLOROT_NORMAL] = {"GlorotNormal", "glorot_normal"},
    [DCNN_INIT_HE_UNIFORM] = {"HeUniform", "he_uniform"},
    [DCNN_INIT_HE_NORMAL] = {"HeNormal", "he_normal"},
};

static bool is_absent(const json_t *value) {
    return value == NULL || json_is_null(value);
}

dcnn_status dcnn_config_int(const dcnn_node *node, const json_t *config, const char *key, int fallback, int *value) {
    const json_t *json = json_object_get(config, key);
    if (is_absent(json) && fallback > 0) {
        *value = fallback;
        return DCNN_OK;
    }
    if (!json_is_integer(json) || json_integer_value(json) < 1 || json_integer_value(json) > 1 << 24)
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"%s\" must be a whole number from 1", node->name, key);
    *value = (int)json_integer_value(json);
    return DCNN_OK;
}

dcnn_status dcnn_config_pair(const dcnn_node *node, const json_t *config, const char *key, int fallback, int pair[2]) {
    const json_t *json = json_object_get(config, key);
    if (!json_is_array(json)) {
        DCNN_TRY(dcnn_config_int(node, config, key, fallback, &pair[0]));
        pair[1] = pair[0];
        return DCNN_OK;
    }
    for (size_t i = 0; i < 2; i++) {
        const json_t *item = json_array_get(json, i);
        if (json_array_size(json) != 2 || !json_is_integer(item) || json_integer_value(item) < 1 ||
            json_integer_value(item) > 1 << 24)
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"%s\" must be one or two whole numbers from 1", node->name,
                             key);
        pair[i] = (int)json_integer_value(item);
    }
    return DCNN_OK;
}

dcnn_status dcnn_config_real(const dcnn_node *node, const json_t *config, const char *key, double fallback, double low,
                             double high, double *value) {
    const json_t *json = json_object_get(config, key);
    *value = is_absent(json) ? fallback : json_number_value(json);
    if ((!is_absent(json) && !json_is_number(json)) || !(*value >= low && *value <= high))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"%s\" must be a number from %g to %g", node->name, key, low,
                         high);
    return DCNN_OK;
}

dcnn_status dcnn_config_bool(const dcnn_node *node, const json_t *config, const char *key, bool fallback, bool *value) {
    const json_t *json = json_object_get(config, key);
    if (!is_absent(json) && !json_is_boolean(json))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"%s\" must be true or false", node->name, key);
    *value = is_absent(json) ? fallback : json_is_true(json);
    return DCNN_OK;
}

/* A Keras object is named by a string or by {"class_name": …} or, for functions, {"config": "relu"}. */
static const char *object_name(const json_t *json) {
    if (json_is_string(json)) return json_string_value(json);
    const char *class_name = json_string_value(json_object_get(json, "class_name"));
    const char *function = json_string_value(json_object_get(json, "config"));
    return class_name && strcmp(class_name, "function") == 0 && function ? function : class_name;
}

dcnn_status dcnn_config_activation(const dcnn_node *node, const json_t *config, dcnn_activation *activation) {
    const json_t *json = json_object_get(config, "activation");
    *activation = DCNN_LINEAR;
    if (is_absent(json)) return DCNN_OK;
    const char *name = object_name(json);
    for (int i = 0; name && i < DCNN_ACTIVATION_COUNT; i++) {
        if (strcmp(name, activation_names[i]) == 0) {
            *activation = (dcnn_activation)i;
            return DCNN_OK;
        }
    }
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': unknown activation '%s' (linear, relu, sigmoid, tanh or softmax)",
                     node->name, name ? name : "?");
}

dcnn_status dcnn_config_padding(const dcnn_node *node, const json_t *config, bool *same) {
    const json_t *json = json_object_get(config, "padding");
    const char *padding = is_absent(json) ? "valid" : json_string_value(json);
    *same = padding && strcmp(padding, "same") == 0;
    if (!*same && (padding == NULL || strcmp(padding, "valid") != 0))
        return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"padding\" must be \"valid\" or \"same\", not '%s'", node->name,
                         padding ? padding : "?");
    return DCNN_OK;
}

dcnn_status dcnn_config_initializer(const dcnn_node *node, const json_t *config, const char *key,
                                    dcnn_initializer fallback, dcnn_initializer *initializer) {
    const json_t *json = json_object_get(config, key);
    *initializer = fallback;
    if (is_absent(json)) return DCNN_OK;
    const char *name = object_name(json);
    for (int i = 0; name && i < DCNN_INIT_COUNT; i++) {
        if (strcmp(name, initializer_names[i].class_name) == 0 || strcmp(name, initializer_names[i].short_name) == 0) {
            *initializer = (dcnn_initializer)i;
            return DCNN_OK;
        }
    }
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s': unknown %s '%s' (zeros, ones, glorot_uniform, glorot_normal, he_uniform, he_normal)",
                     node->name, key, name ? name : "?");
}

dcnn_status dcnn_config_refuse(const dcnn_node *node, const json_t *config, const dcnn_config_only *rows, int count) {
    for (int i = 0; i < count; i++) {
        const json_t *value = json_object_get(config, rows[i].key);
        if (is_absent(value)) continue;
        json_t *harmless = rows[i].harmless ? json_loads(rows[i].harmless, JSON_DECODE_ANY, NULL) : NULL;
        int same = harmless && json_equal(value, harmless);
        json_decref(harmless);
        if (!same)
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': \"%s\" can only be %s in dcnn; remove it from the model",
                             node->name, rows[i].key, rows[i].harmless ? rows[i].harmless : "null");
    }
    return DCNN_OK;
}

const char *dcnn_activation_name(dcnn_activation activation) {
    return activation_names[activation];
}

json_t *dcnn_initializer_describe(dcnn_initializer initializer) {
    json_t *config = json_object();
    if (initializer != DCNN_INIT_ZEROS && initializer != DCNN_INIT_ONES)
        json_object_set_new(config, "seed", json_null());
    return json_pack("{s:s, s:s, s:o, s:n}", "module", "keras.initializers", "class_name",
                     initializer_names[initializer].class_name, "config", config, "registered_name");
}

bool dcnn_window(int length, int window, int stride, bool same, int *out_length, int *pad_before) {
    if (!same) {
        *pad_before = 0;
        *out_length = length < window ? 0 : (length - window) / stride + 1;
        return length >= window;
    }
    *out_length = (length + stride - 1) / stride;
    int missing = (*out_length - 1) * stride + window - length;
    *pad_before = missing > 0 ? missing / 2 : 0;
    return true;
}
