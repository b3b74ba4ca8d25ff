/* SPDX-License-Identifier: BSD-3-Clause */
/* config.c — typed readers of Keras layer configurations. */
#include "nn/config.h"

#include <stdio.h>
#include <string.h>

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

bool dcnn_config_axes(const json_t *axes, int most, dcnn_axes *found) {
    const bool list = json_is_array(axes);
    *found = (dcnn_axes){.axis = {-1}, .count = list ? (int)json_array_size(axes) : 1};
    if (found->count < 1 || found->count > most) return false;
    for (int i = 0; axes && i < found->count; i++) {
        const json_t *one = list ? json_array_get(axes, (size_t)i) : axes;
        const json_int_t axis = json_integer_value(one);
        if (!json_is_integer(one) || axis < -3 || axis > 3) return false;
        found->axis[i] = (int)axis;
    }
    return true;
}

bool dcnn_axes_find(const dcnn_axes *axes, dcnn_shape in, bool along[3]) {
    for (int i = 0; i < axes->count; i++) {
        const int at = dcnn_axis_place(axes->axis[i], in);
        if (at < 0 || at >= in.rank || along[in.rank == 3 ? at : 2]) return false;
        along[in.rank == 3 ? at : 2] = true;
    }
    return true;
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

static dcnn_status read_activation_layer(const dcnn_node *node, const dcnn_layer *layer, const json_t *json,
                                         dcnn_activation *activation) {
    double settings[8] = {0}; /* as aligned as any */
    dcnn_node own = {.layer = layer, .config = settings};
    _Static_assert(sizeof(dcnn_activation) + 4 * sizeof(int) + 4 <= sizeof settings, "a layer's settings do not fit");
    snprintf(own.name, sizeof own.name, "%s", node->name);
    const dcnn_status status = layer->parse(&own, json_object_get(json, "config"));
    *activation = layer->activation(&own);
    json_decref(own.kept);
    return status;
}

json_t *dcnn_config_describe_activation(const dcnn_activation *activation) {
    const char *name = dcnn_activation_name(activation->kind);
    const dcnn_activation plain = dcnn_activation_of(activation->kind);
    bool same = name != NULL;
    for (int i = 0; i < 3; i++) same = same && !(activation->p[i] < plain.p[i] || activation->p[i] > plain.p[i]);
    if (same) return json_string(name);
    const dcnn_layer *layer = activation->kind == DCNN_ELU ? &dcnn_layer_elu : &dcnn_layer_relu;
    json_t *config = json_object();
    dcnn_activation settings = *activation;
    const dcnn_node own = {.layer = layer, .config = &settings};
    layer->describe(&own, config);
    return json_pack("{s:s, s:s, s:o, s:n}", "module", "keras.layers", "class_name", layer->class_name, "config",
                     config, "registered_name");
}

dcnn_status dcnn_config_activation(const dcnn_node *node, const json_t *config, dcnn_activation *activation) {
    const json_t *json = json_object_get(config, "activation");
    *activation = (dcnn_activation){0};
    if (is_absent(json)) return DCNN_OK;
    const char *name = object_name(json);
    const dcnn_activation_kind kind = name ? dcnn_activation_find(name) : DCNN_ACTIVATION_COUNT;
    const dcnn_layer *layer = name && json_is_object(json) ? dcnn_layer_find(name) : NULL;
    if (layer && layer->op == &dcnn_op_activation) return read_activation_layer(node, layer, json, activation);
    if (kind < DCNN_ACTIVATION_COUNT) {
        *activation = dcnn_activation_of(kind);
        return DCNN_OK;
    }
    char known[DCNN_ACTIVATION_COUNT * 16] = "";
    for (int i = 0; i < DCNN_ACTIVATION_COUNT; i++) {
        const char *row = dcnn_activation_name((dcnn_activation_kind)i);
        if (row && i > 0) strcat(known, ", ");
        if (row) strcat(known, row);
    }
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s': unknown activation '%s'; there are %s", node->name, name ? name : "?",
                     known);
}

dcnn_status dcnn_config_check_activation(const dcnn_node *node, const json_t *config) {
    const json_t *json = json_object_get(config, "activation"), *axis = NULL;
    const char *name = json_is_object(json) ? object_name(json) : NULL;
    if (name == NULL || dcnn_layer_find(name) != &dcnn_layer_softmax) return DCNN_OK;
    axis = json_object_get(json_object_get(json, "config"), "axis");
    if (json_array_size(axis) == 1) axis = json_array_get(axis, 0);
    const json_int_t at = is_absent(axis) ? -1 : json_integer_value(axis);
    if (at == -1 || at == node->shape.rank) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s': \"axis\" of its activation Softmax can only be the last one in dcnn: leave the "
                     "activation out, and put the Softmax behind the layer",
                     node->name);
}

dcnn_status dcnn_config_interpolation(const dcnn_node *node, const json_t *config, const char *fallback,
                                      bool *nearest) {
    const json_t *json = json_object_get(config, "interpolation");
    const char *name = is_absent(json) ? fallback : json_string_value(json);
    *nearest = name && strcmp(name, "nearest") == 0;
    if (!*nearest && (name == NULL || strcmp(name, "bilinear") != 0))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s': \"interpolation\" must be \"nearest\" or \"bilinear\" in dcnn, not '%s'",
                         node->name, name ? name : "?");
    return DCNN_OK;
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
                                    dcnn_initializer_kind fallback, dcnn_initializer *initializer) {
    const json_t *json = json_object_get(config, key);
    char what[DCNN_NAME_BYTES + 64];
    *initializer = dcnn_initializer_of(fallback);
    snprintf(what, sizeof what, "layer '%s': \"%s\"", node->name, key);
    return is_absent(json) ? DCNN_OK : dcnn_initializer_read(what, json, initializer);
}

const char *const dcnn_kernel_training_keys[DCNN_KERNEL_TRAINING_KEYS] = {
    "kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint"};

void dcnn_config_keep(dcnn_node *node, const json_t *config, const char *const *keys, int count) {
    for (int i = 0; i < count; i++) {
        json_t *value = json_object_get(config, keys[i]);
        if (is_absent(value)) continue;
        if (node->kept == NULL) node->kept = json_object();
        json_object_set(node->kept, keys[i], value);
    }
}

static const char *class_of(const json_t *json) {
    return json_is_string(json) ? json_string_value(json) : json_string_value(json_object_get(json, "class_name"));
}

bool dcnn_config_is_class(const json_t *json, const char *names) {
    const char *name = class_of(json);
    char word[64];
    snprintf(word, sizeof word, " %.60s ", name ? name : "");
    return name && strstr(names, word) != NULL;
}

double dcnn_config_setting(const json_t *json, const char *key, double fallback) {
    const json_t *value = json_object_get(json_object_get(json, "config"), key);
    return json_is_number(value) ? json_number_value(value) : fallback;
}

/* "kernel_regularizer" means kernel; "depthwise_regularizer" a layer's depthwise_kernel, or its one kernel. */
static dcnn_param *param_of(dcnn_node *node, const char *key, size_t stem) {
    for (int j = 0; j < node->param_count; j++) {
        dcnn_param *param = &node->params[j];
        if (strncmp(param->name, key, stem) == 0 && (param->name[stem] == '\0' || param->name[stem] == '_'))
            return param;
    }
    if (stem == 9 && strncmp(key, "depthwise", stem) == 0 && node->param_count > 0) return &node->params[0];
    return NULL;
}

static dcnn_status refuse_training(const dcnn_node *node, const char *key, const json_t *json) {
    const char *name = class_of(json);
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s' has the %s %.40s, which dcnn cannot apply in training (it has L1, L2, L1L2; MaxNorm, "
                     "MinMaxNorm, NonNeg, UnitNorm): evaluate the model, or remove it",
                     node->name, key, name ? name : "?");
}

dcnn_status dcnn_config_read_training(dcnn_node *node) {
    const char *key;
    json_t *json;
    json_object_foreach(node->kept, key, json) {
        const char *end = strrchr(key, '_');
        const bool regularizer = end && strcmp(end, "_regularizer") == 0;
        if (!regularizer && (end == NULL || strcmp(end, "_constraint") != 0)) continue;
        const size_t stem = (size_t)(end - key);
        if (strncmp(key, "activity", stem) == 0) return refuse_training(node, key, json);
        dcnn_param *param = param_of(node, key, stem);
        if (param == NULL) continue; /* the bias of a layer without one */
        if (!(regularizer ? dcnn_regularizer_read(json, &param->regularizer)
                          : dcnn_constraint_read(json, param->rank, &param->constraint)))
            return refuse_training(node, key, json);
    }
    return DCNN_OK;
}

/* 0 is 0.0, and [1, 1] is 1: a window's two sides. */
static bool is_same(const json_t *value, const json_t *harmless) {
    if (json_is_number(value) && json_is_number(harmless))
        return json_number_value(value) == json_number_value(harmless);
    if (json_is_array(harmless) && !json_is_array(value)) return is_same(value, json_array_get(harmless, 0));
    bool same = json_is_array(value) && json_array_size(value) == json_array_size(harmless);
    for (size_t i = 0; same && i < json_array_size(value); i++)
        same = is_same(json_array_get(value, i), json_array_get(harmless, i));
    return same || json_equal(value, harmless);
}

dcnn_status dcnn_config_refuse(const dcnn_node *node, const json_t *config, const dcnn_config_only *rows, int count) {
    for (int i = 0; i < count; i++) {
        const json_t *value = json_object_get(config, rows[i].key);
        if (is_absent(value)) continue;
        json_t *harmless = rows[i].harmless ? json_loads(rows[i].harmless, JSON_DECODE_ANY, NULL) : NULL;
        if (rows[i].harmless && !harmless) return DCNN_FAIL(DCNN_FAILURE, "out of memory for layer '%s'", node->name);
        const bool same = harmless && is_same(value, harmless);
        json_decref(harmless);
        if (!same)
            return DCNN_FAIL(DCNN_BAD_INPUT, "layer '%s' (%s): \"%s\" can only be %s in dcnn", node->name,
                             node->layer->class_name, rows[i].key, rows[i].harmless ? rows[i].harmless : "null");
    }
    return DCNN_OK;
}

/* Keys of any layer that say nothing of what it computes, or are read elsewhere. */
static const char common_keys[] = " name trainable dtype batch_shape batch_input_shape sparse ragged optional autocast "
                                  "data_format ";

/* Those that a layer reads, or looks at, beside what it describes: older names, and what is refused where it is not
 * harmless. */
static const char other_keys[] =
    " LeakyReLU.alpha BatchNormalization.renorm BatchNormalization.renorm_momentum BatchNormalization.renorm_clipping "
    "BatchNormalization.virtual_batch_size BatchNormalization.synchronized BatchNormalization.fused "
    "LayerNormalization.rms_scaling Dense.lora_rank Dense.lora_alpha Resizing.fill_mode DepthwiseConv2D.groups "
    "SeparableConv2D.groups SeparableConv2D.kernel_initializer Conv2DTranspose.groups ";

static bool is_known(const dcnn_node *node, const json_t *described, const char *key) {
    char word[DCNN_NAME_BYTES], own[2 * DCNN_NAME_BYTES];
    snprintf(word, sizeof word, " %.60s ", key);
    snprintf(own, sizeof own, " %s.%.60s ", node->layer->class_name, key);
    return json_object_get(described, key) || json_object_get(node->kept, key) || strstr(common_keys, word) ||
           strstr(other_keys, own);
}

dcnn_status dcnn_config_check_keys(const dcnn_node *node, const json_t *config) {
    json_t *described = json_object();
    const char *key, *unknown = NULL;
    json_t *value;
    node->layer->describe(node, described);
    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        if (unknown == NULL && !json_is_null(value) && !is_known(node, described, key)) unknown = key;
    }
    json_decref(described);
    if (unknown == NULL) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s' (%s): dcnn knows no option \"%.60s\" of it: correct the name, or remove it if it "
                     "changes nothing",
                     node->name, node->layer->class_name, unknown);
}

dcnn_status dcnn_config_read_policy(dcnn_node *node, const json_t *config) {
    const json_t *dtype = json_object_get(config, "dtype");
    const json_t *name = json_is_object(dtype) ? json_object_get(json_object_get(dtype, "config"), "name") : dtype;
    if (name == NULL || json_is_null(name)) return DCNN_OK;
    const char *policy = json_string_value(name);
    node->bf16 = policy && strcmp(policy, "mixed_bfloat16") == 0;
    if (node->bf16 || (policy && strcmp(policy, "float32") == 0)) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s': dcnn cannot compute in dtype '%.40s': give it \"float32\" or \"mixed_bfloat16\"",
                     node->name, policy ? policy : "?");
}

dcnn_status dcnn_config_check_module(const json_t *item, const char *class_name, const char *name) {
    static const char *const modules[] = {"keras", "tf_keras", "tensorflow", "builtins"};
    const char *module = json_string_value(json_object_get(item, "module"));
    bool known = module == NULL;
    for (int i = 0; i < 4 && !known; i++) {
        const size_t length = strlen(modules[i]);
        known = strncmp(module, modules[i], length) == 0 && (module[length] == '.' || module[length] == '\0');
    }
    if (known) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%.60s': its class %.60s is of the module '%.60s', not of Keras: dcnn cannot know what it "
                     "computes",
                     name ? name : "?", class_name, module);
}

dcnn_status dcnn_config_check_span(const dcnn_node *node, const int size[2], const int dilation[2]) {
    for (int i = 0; i < 2; i++)
        if ((int64_t)(size[i] - 1) * dilation[i] >= 1 << 24)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "layer '%s': a filter of shape (%d, %d), dilated by (%d, %d), spans more than any image",
                             node->name, size[0], size[1], dilation[0], dilation[1]);
    return DCNN_OK;
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
