/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file config.h — reading Keras layer configurations: typed values with defaults, and refusing what would be ignored.
 *
 * Every reader names the layer and the key in its failure. Keys that only describe (name, dtype, trainable, …) are
 * passed over; keys whose value would change the result and that dcnn does not do are refused by dcnn_config_refuse().
 */
#ifndef DCNN_NN_CONFIG_H
#define DCNN_NN_CONFIG_H

#include "nn/layer.h"

/** `key`: an integer >= 1; `fallback` if absent (0: required). */
dcnn_status dcnn_config_int(const dcnn_node *node, const json_t *config, const char *key, int fallback, int *value);

/** Axes of an input as a file names them: from 1 (0 is that of the samples), or from the end. */
typedef struct dcnn_axes {
    int axis[3], count;
} dcnn_axes;

/** Which axis of `in` that is, from 0: less than 0 or in.rank and more if it is none of them. */
static inline int dcnn_axis_place(int axis, dcnn_shape in) {
    return axis < 0 ? in.rank + axis : axis - 1;
}

/** One axis or a list of at most `most`; the last axis if `axes` is NULL. @return false: it is no such thing. *Local.*
 */
bool dcnn_config_axes(const json_t *axes, int most, dcnn_axes *found);

/** Marks which of height, width and channels they are; of vectors there are channels alone. @return false: one is none
 * of `in`, or is named twice. *Local.* */
bool dcnn_axes_find(const dcnn_axes *axes, dcnn_shape in, bool along[3]);

/** `key`: an integer or a pair of integers >= 1; `fallback` for both if absent or null (0: required). */
dcnn_status dcnn_config_pair(const dcnn_node *node, const json_t *config, const char *key, int fallback, int pair[2]);

/** `key`: a number in [low, high]. */
dcnn_status dcnn_config_real(const dcnn_node *node, const json_t *config, const char *key, double fallback, double low,
                             double high, double *value);

dcnn_status dcnn_config_bool(const dcnn_node *node, const json_t *config, const char *key, bool fallback, bool *value);

/** `activation`: a name, a Keras 3 object of a function, or one of a layer without weights, as in
 * `activation=LeakyReLU(0.1)`; linear if absent or null. */
dcnn_status dcnn_config_activation(const dcnn_node *node, const json_t *config, dcnn_activation *activation);

/** Of a node that is built: is an activation that is a Softmax layer along the last axis of its output? (Its rank is
 * not known before.) */
dcnn_status dcnn_config_check_activation(const dcnn_node *node, const json_t *config);

/** What it reads again: Keras' name, or the object of a layer for a row that has none with these settings. */
json_t *dcnn_config_describe_activation(const dcnn_activation *activation);

/** `interpolation`: "nearest" or "bilinear"; `fallback` if absent. */
dcnn_status dcnn_config_interpolation(const dcnn_node *node, const json_t *config, const char *fallback, bool *nearest);

/** `padding`: "valid" or "same". */
dcnn_status dcnn_config_padding(const dcnn_node *node, const json_t *config, bool *same);

/** `key`: an initializer's name or Keras object. */
dcnn_status dcnn_config_initializer(const dcnn_node *node, const json_t *config, const char *key,
                                    dcnn_initializer_kind fallback, dcnn_initializer *initializer);

/** Refuses a config in which one of these keys is neither absent, null nor the given harmless value. */
typedef struct dcnn_config_only {
    const char *key;
    const char *harmless; /**< JSON text, or NULL: only null will do */
} dcnn_config_only;
dcnn_status dcnn_config_refuse(const dcnn_node *node, const json_t *config, const dcnn_config_only *rows, int count);

/** Refuses keys that a built node's layer does not know; null is harmless. */
dcnn_status dcnn_config_check_keys(const dcnn_node *node, const json_t *config);

/** Keeps these keys' values (regularizers, constraints): they only change training, and are written back. */
void dcnn_config_keep(dcnn_node *node, const json_t *config, const char *const *keys, int count);

/** What layers with a kernel and a bias keep: their regularizers and constraints. */
enum { DCNN_KERNEL_TRAINING_KEYS = 5 };
extern const char *const dcnn_kernel_training_keys[DCNN_KERNEL_TRAINING_KEYS];

/** Reads the regularizers and constraints that a node keeps into its parameters.
 * @return DCNN_OK; DCNN_BAD_INPUT: one that dcnn does not have, in a sentence */
dcnn_status dcnn_config_read_training(dcnn_node *node);

/** Is a Keras object, or its name alone, of one of these classes (" L1 l1 ")? */
bool dcnn_config_is_class(const json_t *json, const char *names);

/** A number of a Keras object's config. */
double dcnn_config_setting(const json_t *json, const char *key, double fallback);

/** Keras' dtype policy of a layer, as a name or as an object that has one; of a policy only the name counts. */
dcnn_status dcnn_config_read_policy(dcnn_node *node, const json_t *config);

/** Refuses a class of the user's own, which may have the name of one of Keras', by its module. */
dcnn_status dcnn_config_check_module(const json_t *item, const char *class_name, const char *name);

/** Rows or columns that a filter of such a size spans, its values `dilation` apart. */
static inline int dcnn_span(int size, int dilation) {
    return (size - 1) * dilation + 1;
}

/** Has an int room for what a filter spans on both axes? Of a layer with `kernel_size` and `dilation_rate`. */
dcnn_status dcnn_config_check_span(const dcnn_node *node, const int size[2], const int dilation[2]);

/** Output length and zeros before, of a window along one axis (TensorFlow's 'same' puts the odd zero behind).
 * @return false if a valid window does not fit */
bool dcnn_window(int length, int window, int stride, bool same, int *out_length, int *pad_before);

#endif
