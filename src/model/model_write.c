/* SPDX-License-Identifier: BSD-3-Clause */
/* model_write.c — a checkpoint as a Keras whole-model file, made in memory and written at once. */
#include "model/model_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* HDF5 keeps an attribute in its object's header, of at most 64 KiB; Keras leaves room for the rest of the header. */
enum { ATTRIBUTE_BYTES = 64512, SLACK_BYTES = 1 << 18, WEIGHT_NAME_BYTES = 2 * DCNN_NAME_BYTES + 64 };

static const char KERAS_VERSION[] = "3.0.0"; /* the oldest that writes this layout */

typedef char weight_name[WEIGHT_NAME_BYTES];

/* --- names ------------------------------------------------------------------------------------------------------ */

/* A list too long for one attribute goes on in NAME0, NAME1, … as Keras has it. */
static dcnn_status write_name_list(hid_t where, const char *attribute, int count, const char *const *names) {
    size_t width = 1;
    for (int i = 0; i < count; i++)
        if (strlen(names[i]) > width) width = strlen(names[i]);
    if ((size_t)count * width <= ATTRIBUTE_BYTES) return dcnn_h5_names_write(where, attribute, count, names);
    const int part = (int)(ATTRIBUTE_BYTES / width);
    for (int first = 0, number = 0; first < count; first += part, number++) {
        char numbered[64];
        snprintf(numbered, sizeof numbered, "%s%d", attribute, number);
        DCNN_TRY(dcnn_h5_names_write(where, numbered, count - first < part ? count - first : part, names + first));
    }
    return DCNN_OK;
}

/* Writes the list of `count` names that lie one behind the other. */
static dcnn_status write_weight_names(hid_t where, int count, const weight_name *names) {
    const char **pointers = calloc((size_t)count + 1, sizeof *pointers);
    if (pointers == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory for the names of %d weights", count);
    for (int i = 0; i < count; i++) pointers[i] = names[i];
    dcnn_status status = write_name_list(where, "weight_names", count, pointers);
    free(pointers);
    return status;
}

static dcnn_status write_json(hid_t where, const char *attribute, const json_t *json) {
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory for the text of '%s'", attribute);
    dcnn_status status = dcnn_h5_text_write(where, attribute, text);
    free(text);
    return status;
}

/* --- weights ---------------------------------------------------------------------------------------------------- */

static dcnn_status write_tensor(hid_t where, const char *name, const dcnn_param *param, const float *values) {
    int64_t shape[4];
    int rank = dcnn_param_shape(param, shape);
    return dcnn_h5_write(where, name, DCNN_H5_FLOAT, rank, shape, 0, values);
}

static dcnn_status write_layer(hid_t group, const dcnn_net *net, const dcnn_node *node) {
    weight_name names[DCNN_MAX_PARAMS];
    for (int i = 0; i < node->param_count; i++) {
        const dcnn_param *param = &node->params[i];
        snprintf(names[i], sizeof names[i], "%s/%s", node->name, param->name);
        DCNN_TRY(write_tensor(group, names[i], param, dcnn_net_values(net, param)));
    }
    return write_weight_names(group, node->param_count, (const weight_name *)names);
}

/* Keras' model.layers, and so layer_names, is without the InputLayer. A layer that is called twice stands there once.
 */
static dcnn_status write_layer_names(hid_t weights, const dcnn_net *net) {
    const char **names = calloc((size_t)net->node_count, sizeof *names);
    if (names == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory for the names of %d layers", net->node_count);
    int count = 0;
    for (int i = 1; i < net->node_count; i++)
        if (net->nodes[i].owner == i) names[count++] = net->nodes[i].name;
    dcnn_status status = write_name_list(weights, "layer_names", count, names);
    free(names);
    return status;
}

static dcnn_status write_model_weights(hid_t weights, const dcnn_net *net) {
    DCNN_TRY(write_layer_names(weights, net));
    DCNN_TRY(dcnn_h5_text_write(weights, "backend", "dcnn"));
    DCNN_TRY(dcnn_h5_text_write(weights, "keras_version", KERAS_VERSION));
    for (int i = 1; i <= net->node_count; i++) {
        const dcnn_node *node = i < net->node_count ? &net->nodes[i] : NULL;
        if (node && node->owner != i) continue;
        hid_t group;
        DCNN_TRY(dcnn_h5_group_create(weights, node ? node->name : "top_level_model_weights", &group));
        dcnn_status status = node ? write_layer(group, net, node) : write_weight_names(group, 0, NULL);
        dcnn_h5_group_close(group);
        DCNN_TRY(status);
    }
    return DCNN_OK;
}

/* --- the optimizer ---------------------------------------------------------------------------------------------- */

/* Iteration and learning rate, then the moments of each trainable weight: model_read.c goes by the order. */
static dcnn_status write_moments(hid_t group, const dcnn_checkpoint *from, const dcnn_optimizer *optimizer,
                                 weight_name *names) {
    static const char *const roles[2] = {"momentum", "velocity"};
    const dcnn_net *net = from->net;
    const char *kind = dcnn_optimizer_table[optimizer->kind].name;
    const float learning_rate = (float)optimizer->learning_rate, *const moments[2] = {from->m, from->v};
    const int64_t steps = from->progress.step - from->progress.phase_step; /* of this optimizer */
    int count = 0;
    snprintf(names[count++], sizeof *names, "%s/iteration", kind);
    snprintf(names[count++], sizeof *names, "%s/learning_rate", kind);
    DCNN_TRY(dcnn_h5_write(group, names[0], DCNN_H5_INT64, 0, NULL, 0, &steps));
    DCNN_TRY(dcnn_h5_write(group, names[1], DCNN_H5_FLOAT, 0, NULL, 0, &learning_rate));
    for (int i = 0; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        for (int j = 0; j < node->param_count; j++) {
            const dcnn_param *param = &node->params[j];
            for (int k = 0; k < dcnn_optimizer_moments(optimizer) && param->trainable; k++) {
                snprintf(names[count], sizeof *names, "%s/%s_%s_%s", kind, node->name, param->name, roles[k]);
                for (int n = 2; dcnn_h5_has(group, names[count]); n++) /* as of "a_b" and "c", "a" and "b_c" */
                    snprintf(names[count], sizeof *names, "%s/%s_%s_%s_%d", kind, node->name, param->name, roles[k], n);
                DCNN_TRY(write_tensor(group, names[count++], param, moments[k] + param->offset));
            }
        }
    }
    return write_weight_names(group, count, (const weight_name *)names);
}

static dcnn_status write_optimizer(hid_t file, const dcnn_checkpoint *from, const dcnn_optimizer *optimizer) {
    hid_t group;
    DCNN_TRY(dcnn_h5_group_create(file, "dcnn/optimizer_weights", &group));
    const size_t count = 2 + 2 * (size_t)dcnn_count_trainable(from->net);
    weight_name *names = calloc(count, sizeof *names);
    dcnn_status status = names ? write_moments(group, from, optimizer, names)
                               : DCNN_FAIL(DCNN_FAILURE, "out of memory for the names of %zu weights", count);
    free(names);
    dcnn_h5_group_close(group);
    return status;
}

/* Each averaged weight by its layer's name and its own. */
static dcnn_status write_average(hid_t file, const dcnn_checkpoint *from) {
    const dcnn_net *net = from->net;
    hid_t group;
    dcnn_status status = DCNN_OK;
    DCNN_TRY(dcnn_h5_group_create(file, "dcnn/average_weights", &group));
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            weight_name name;
            if (!param->trainable || status != DCNN_OK) continue;
            snprintf(name, sizeof name, "%s/%s", net->nodes[i].name, param->name);
            status = write_tensor(group, name, param, from->average + param->offset);
        }
    dcnn_h5_group_close(group);
    return status;
}

/* --- our own group ---------------------------------------------------------------------------------------------- */

static dcnn_status write_progress(hid_t group, const dcnn_progress *progress) {
#define WRITE_FIELD(type, name) DCNN_TRY(dcnn_h5_attribute_write(group, #name, DCNN_H5_##type, -1, &progress->name));
    DCNN_PROGRESS_FIELDS(WRITE_FIELD)
    DCNN_PROGRESS_LATER_FIELDS(WRITE_FIELD)
#undef WRITE_FIELD
    return DCNN_OK;
}

static dcnn_status write_own(hid_t group, const dcnn_checkpoint *from) {
    const int32_t version = DCNN_CHECKPOINT_VERSION;
    const int channels = from->net->nodes[0].shape.c;
    DCNN_TRY(dcnn_h5_attribute_write(group, "format_version", DCNN_H5_INT32, -1, &version));
    DCNN_TRY(dcnn_h5_text_write(group, "created_by", "dcnn " DCNN_VERSION));
    DCNN_TRY(write_progress(group, &from->progress));
    if (from->normalised) {
        if (channels > DCNN_MAX_CHANNELS)
            return DCNN_FAIL(DCNN_USAGE, "means of %d channels; at most %d are supported", channels, DCNN_MAX_CHANNELS);
        DCNN_TRY(dcnn_h5_attribute_write(group, "mean", DCNN_H5_DOUBLE, channels, from->mean));
        DCNN_TRY(dcnn_h5_attribute_write(group, "std", DCNN_H5_DOUBLE, channels, from->std));
        if (from->blue_first) DCNN_TRY(dcnn_h5_text_write(group, "channel_order", "bgr"));
    }
    if (from->class_names)
        DCNN_TRY(
            dcnn_h5_strings_write(group, "class_names", from->class_count, (const char *const *)from->class_names));
    json_t *loss = dcnn_loss_describe(from);
    const dcnn_status status = loss ? write_json(group, "loss", loss) : DCNN_OK;
    json_decref(loss);
    DCNN_TRY(status);
    if (from->data_path) DCNN_TRY(dcnn_h5_text_write(group, "data_path", from->data_path));
    if (from->history) DCNN_TRY(dcnn_h5_text_write(group, "history", from->history));
    if (from->options) DCNN_TRY(write_json(group, "options", from->options));
    return DCNN_OK;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static dcnn_status write_head(hid_t file, const dcnn_net *net, const dcnn_optimizer *optimizer) {
    DCNN_TRY(dcnn_h5_text_write(file, "keras_version", KERAS_VERSION));
    DCNN_TRY(dcnn_h5_text_write(file, "backend", "dcnn"));
    json_t *description = dcnn_net_describe(net);
    dcnn_status status = write_json(file, "model_config", description);
    json_decref(description);
    json_t *training = status == DCNN_OK && optimizer ? dcnn_compile_state_describe(net, optimizer, false) : NULL;
    if (training == NULL) return status;
    status = write_json(file, "training_config", training);
    json_decref(training);
    return status;
}

static dcnn_status write_group(hid_t file, const char *name, const dcnn_checkpoint *from) {
    hid_t group;
    DCNN_TRY(dcnn_h5_group_create(file, name, &group));
    dcnn_status status = strcmp(name, "dcnn") == 0 ? write_own(group, from) : write_model_weights(group, from->net);
    dcnn_h5_group_close(group);
    return status;
}

static dcnn_status write_all(hid_t file, const dcnn_checkpoint *from, const dcnn_optimizer *optimizer) {
    DCNN_TRY(write_head(file, from->net, optimizer));
    DCNN_TRY(write_group(file, "model_weights", from));
    DCNN_TRY(write_group(file, "dcnn", from));
    if (from->average) DCNN_TRY(write_average(file, from));
    return from->m && from->v && optimizer ? write_optimizer(file, from, optimizer) : DCNN_OK;
}

dcnn_status dcnn_checkpoint_write(const char *path, const dcnn_checkpoint *checkpoint,
                                  const dcnn_optimizer *optimizer) {
    const dcnn_net *net = checkpoint->net;
    const size_t vectors = checkpoint->average ? 4 : 3,
                 expected = (vectors * net->param_count + net->state_count) * sizeof(float) + SLACK_BYTES;
    hid_t file;
    const void *bytes;
    size_t length;
    DCNN_TRY(dcnn_h5_create(path, expected, &file));
    dcnn_status status = write_all(file, checkpoint, optimizer);
    if (status == DCNN_OK) status = dcnn_h5_image(file, &bytes, &length);
    if (status == DCNN_OK) status = dcnn_file_put(path, bytes, length, true, checkpoint->only_new);
    dcnn_h5_close(file);
    return status;
}
