/* SPDX-License-Identifier: BSD-3-Clause */
/* net_input.c — what a Keras description says of the images that it takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/net_private.h"

/* A size that is left open is that of the data; of a batch it says nothing. */
static int size_of(const json_t *dims, size_t at, int data) {
    const json_t *size = json_array_get(dims, at);
    const json_int_t value = json_is_null(size) ? data : json_integer_value(size);
    return value >= 1 && value <= 1 << 20 ? (int)value : 0;
}

static bool is_open(const json_t *dims) {
    for (size_t i = 1; i < json_array_size(dims); i++)
        if (json_is_null(json_array_get(dims, i))) return true;
    return false;
}

dcnn_status dcnn_net_read_shape(const json_t *config, dcnn_shape data, dcnn_shape *shape, bool *plain) {
    const json_t *dims = json_object_get(config, "batch_shape");
    if (dims == NULL) dims = json_object_get(config, "batch_input_shape");
    *plain = false;
    if (dims == NULL) return DCNN_OK;
    const size_t rank = json_array_size(dims);
    if (is_open(dims) && data.rank == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "the model leaves the size of its images open (null in its input's shape): give "
                         "its Input a shape of (height, width, channels), and save it again");
    if (rank == 4) {
        *shape = (dcnn_shape){3, size_of(dims, 1, data.h), size_of(dims, 2, data.w), size_of(dims, 3, data.c)};
    } else if (rank == 3) {
        *shape = (dcnn_shape){3, size_of(dims, 1, data.h), size_of(dims, 2, data.w), 1};
        *plain = true;
    } else if (rank == 2) {
        *shape = (dcnn_shape){1, 1, 1, size_of(dims, 1, (int)dcnn_shape_count(data))};
    }
    if (shape->h >= 1 && shape->w >= 1 && shape->c >= 1) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "layer 'input': the input shape must be [null, height, width, channels], [null, "
                                     "height, width] or [null, features]");
}

/* --- who reads the images ----------------------------------------------------------------------------------------- */

static bool is_one_of(const dcnn_node *node, const char *names) {
    char word[DCNN_NAME_BYTES];
    snprintf(word, sizeof word, " %.60s ", node->layer->class_name);
    return strstr(names, word) != NULL;
}

/* Keras rounds what a Resizing of whole numbers makes between pixels. */
static bool rounds(const dcnn_node *node) {
    if (node->layer != &dcnn_layer_resizing) return false;
    json_t *config = json_object();
    node->layer->describe(node, config);
    const char *filter = json_string_value(json_object_get(config, "interpolation"));
    const bool between = filter && strcmp(filter, "nearest") != 0;
    json_decref(config);
    return between;
}

/* Whole numbers are bytes, and Keras hands them on as they are; dcnn's images are bytes only before such a layer.
 * Layers of augmentation make fractions of them. */
static dcnn_status check_bytes(const dcnn_net *net, bool *front, bool *whole) {
    for (int i = 1; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        bool reads = false;
        for (int j = 0; j < node->input_count; j++) reads = reads || front[node->inputs[j]];
        if (!reads) continue;
        const bool changes = node->layer->only_training || node->layer->draws;
        front[i] = changes || is_one_of(node, " Resizing ZeroPadding2D Cropping2D Identity ");
        whole[i] = whole[node->inputs[0]] && !changes;
        if (whole[i] && rounds(node))
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "layer '%s' (Resizing) rounds to whole numbers in Keras, for the model's input has such a "
                             "dtype: give Input the dtype \"float32\", or the layer interpolation=\"nearest\"",
                             node->name);
        if (!front[i] && !node->layer->scales_input)
            return DCNN_FAIL(
                DCNN_BAD_INPUT,
                "layer '%s' (%s) reads the images as whole numbers, for the model's input has such a dtype: "
                "put a Rescaling or Normalization in front, or give Input the dtype \"float32\"",
                node->name, node->layer->class_name);
    }
    return DCNN_OK;
}

/* Values alone, whatever axes they have, or the values in another shape. */
static dcnn_status check_plain(const dcnn_net *net, bool *plain) {
    for (int i = 1; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        bool reads = false;
        for (int j = 0; j < node->input_count; j++) reads = reads || plain[node->inputs[j]];
        if (!reads) continue;
        plain[i] = is_one_of(node, " Rescaling Identity Activation ReLU LeakyReLU ELU Dropout GaussianNoise ") &&
                   (node->layer->activation == NULL || node->layer->activation(node).kind != DCNN_SOFTMAX);
        const bool reshapes = is_one_of(node, " Flatten Reshape ") && node->layer->is_view(node);
        if (!plain[i] && !reshapes)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "layer '%s' (%s) reads images of shape (%d, %d), without channels: put a Flatten or a "
                             "Reshape((%d, %d, 1)) before it",
                             node->name, node->layer->class_name, net->nodes[0].shape.h, net->nodes[0].shape.w,
                             net->nodes[0].shape.h, net->nodes[0].shape.w);
    }
    return DCNN_OK;
}

dcnn_status dcnn_net_check_input(const dcnn_net *net, const json_t *config) {
    const json_t *dtype = json_object_get(config, "dtype");
    const char *name = json_is_string(dtype) ? json_string_value(dtype) : NULL;
    const bool whole = name && (strncmp(name, "int", 3) == 0 || strncmp(name, "uint", 4) == 0);
    if (name && !whole && strcmp(name, "float32") != 0 && strcmp(name, "float64") != 0 &&
        strcmp(name, "mixed_bfloat16") != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "layer '%s': dcnn has no images of dtype '%.40s': give Input the dtype \"float32\"",
                         net->nodes[0].name, name);
    if (!whole && !net->plain_input) return DCNN_OK;
    bool *front = calloc(2 * (size_t)net->node_count, sizeof *front), *bytes;
    if (front == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a model of %d layers", net->node_count);
    dcnn_status status = DCNN_OK;
    bytes = front + net->node_count;
    front[0] = bytes[0] = true;
    if (whole) status = check_bytes(net, front, bytes);
    for (int i = 1; i < net->node_count; i++) front[i] = false;
    if (status == DCNN_OK && net->plain_input) status = check_plain(net, front);
    free(front);
    return status;
}

/* --- axes --------------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_net_check_axes(const dcnn_net *net, const dcnn_node *node) {
    const bool permutes = node->layer == &dcnn_layer_permute, own = dcnn_net_has_four_axes(node);
    const bool four = node->input_count > 0 && dcnn_net_has_four_axes(&net->nodes[node->inputs[0]]);
    const bool takes = permutes ? own : node->layer == &dcnn_layer_reshape || node->layer == &dcnn_layer_flatten;
    if (four ? takes : !(permutes && own)) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "layer '%s' (%s): dcnn takes four axes, (height, width, groups, channels), only from "
                     "a Reshape or Permute to a Permute, Reshape or Flatten",
                     node->name, node->layer->class_name);
}

/* --- what Keras takes otherwise ----------------------------------------------------------------------------------- */

static int largest_of(const json_t *config, const char *key) {
    const json_t *pair = json_object_get(config, key);
    const int a = (int)json_integer_value(json_array_get(pair, 0)),
              b = (int)json_integer_value(json_array_get(pair, 1));
    return a > b ? a : b;
}

const dcnn_node *dcnn_net_dilated_stride(const dcnn_net *net) {
    const dcnn_node *found = NULL;
    for (int i = 0; i < net->node_count && found == NULL; i++) {
        const dcnn_node *node = &net->nodes[i];
        if (node->layer != &dcnn_layer_conv2d && node->layer != &dcnn_layer_conv2d_transpose) continue;
        json_t *config = json_object();
        node->layer->describe(node, config);
        if (largest_of(config, "strides") > 1 && largest_of(config, "dilation_rate") > 1) found = node;
        json_decref(config);
    }
    return found;
}

/* To a RandomCrop's size, from the largest part of its ratio of sides. */
static bool resizes_as(const dcnn_node *node, const dcnn_node *crop) {
    if (node->layer != &dcnn_layer_resizing || node->shape.h != crop->shape.h || node->shape.w != crop->shape.w)
        return false;
    json_t *config = json_object();
    node->layer->describe(node, config);
    const bool same = json_is_true(json_object_get(config, "crop_to_aspect_ratio")) &&
                      !json_is_true(json_object_get(config, "antialias")) &&
                      strcmp(json_string_value(json_object_get(config, "interpolation")), "bilinear") == 0;
    json_decref(config);
    return same;
}

bool dcnn_net_hands_on(const dcnn_net *net, int node) {
    const dcnn_node *crop = &net->nodes[node];
    if (crop->layer != &dcnn_layer_random_crop) return false;
    const dcnn_shape in = net->nodes[crop->inputs[0]].shape;
    if (in.h == crop->shape.h && in.w == crop->shape.w) return false;
    for (int i = node + 1; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].input_count; j++)
            if (net->nodes[i].inputs[j] == node && !resizes_as(&net->nodes[i], crop)) return true;
    return false;
}

bool dcnn_net_crops(const dcnn_net *net, char text[256]) {
    for (int i = 1; i < net->node_count; i++) {
        if (!dcnn_net_hands_on(net, i)) continue;
        const dcnn_node *node = &net->nodes[i];
        const dcnn_shape in = net->nodes[node->inputs[0]].shape, out = node->shape;
        snprintf(
            text, 256,
            "takes %dx%d of %dx%d at random in training, by its layer '%s' (RandomCrop); else the middle, resized, as "
            "Keras documents it, where Keras 3.7 and later hand on the whole image",
            out.h, out.w, in.h, in.w, node->name);
        return true;
    }
    return false;
}
