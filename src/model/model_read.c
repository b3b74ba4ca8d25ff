/* SPDX-License-Identifier: BSD-3-Clause */
/* model_read.c — reading checkpoints and Keras whole-model files. Nothing in a file is believed before it is checked:
 * the seal, the links, the description, and each weight's place and shape. */
#include "io/kind.h"
#include "model/keras_archive.h"
#include "model/model_private.h"
#include "model/onnx/onnx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/arena.h"
#include "base/text.h"

typedef struct reader {
    const char *path;
    hid_t file;
    dcnn_checkpoint *into;
} reader;

/* A list of names, as Keras writes them. */
typedef struct name_list {
    int count;
    char **names;
} name_list;

static void free_list(name_list *list) {
    dcnn_h5_names_free(list->count, list->names);
    *list = (name_list){0};
}

/* --- whose bytes are these -------------------------------------------------------------------------------------- */

/* What dcnn wrote was sealed. Without its seal it was cut or changed, and nothing else would tell. */
static dcnn_status check_seal(const reader *from) {
    if (from->into->seal == DCNN_SEAL_GOOD || !dcnn_h5_has(from->file, "dcnn")) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: damaged: dcnn wrote it, but its seal is gone; use another copy, or delete its group /dcnn if "
                     "you changed it yourself",
                     from->path);
}

/* --- description ------------------------------------------------------------------------------------------------ */

static dcnn_status read_json(const reader *from, hid_t where, const char *attribute, json_t **json) {
    char *text;
    json_error_t error;
    *json = NULL;
    DCNN_TRY(dcnn_h5_text_read(where, attribute, &text));
    const dcnn_status status = dcnn_json_parse(text, strlen(text), 0, json, &error);
    free(text);
    if (status == DCNN_BAD_INPUT)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its attribute '%s' is not valid JSON: %s", from->path, attribute,
                         error.text);
    return status;
}

static dcnn_status read_net(const reader *from) {
    char room[DCNN_SHELL_WORD];
    const char *word = dcnn_shell_word(from->path, room, sizeof room);
    if (dcnn_h5_has(from->file, "images") && dcnn_h5_attribute_has(from->file, "format"))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: is a data set of dcnn, not a model; `dcnn train %s` makes a model of it, and `dcnn "
                         "evaluate MODEL %s` tests one on it",
                         from->path, word, word);
    if (!dcnn_h5_attribute_has(from->file, "model_config"))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: is not a model: it has no attribute 'model_config'; save the whole model, or "
                         "give weights alone as --weights, with the model's description",
                         from->path);
    json_t *description;
    DCNN_TRY(read_json(from, from->file, "model_config", &description));
    char *version = NULL;
    if (dcnn_h5_attribute_has(from->file, "keras_version") && json_object_get(description, "keras_version") == NULL &&
        dcnn_h5_text_read(from->file, "keras_version", &version) == DCNN_OK)
        json_object_set_new(description, "keras_version", json_string(version));
    free(version);
    dcnn_status status = dcnn_net_create(description, (dcnn_shape){0}, &from->into->net);
    json_decref(description);
    if (status != DCNN_OK) dcnn_error_prefix("%s", from->path);
    return status;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

/* Appends what one attribute holds. */
static dcnn_status append_names(hid_t where, const char *attribute, name_list *list) {
    name_list more;
    DCNN_TRY(dcnn_h5_names_read(where, attribute, &more.count, &more.names));
    char **all = realloc(list->names, ((size_t)list->count + (size_t)more.count + 1) * sizeof *all);
    if (all == NULL) {
        free_list(&more);
        return DCNN_FAIL(DCNN_FAILURE, "attribute '%s': out of memory", attribute);
    }
    for (int i = 0; i < more.count; i++) all[list->count + i] = more.names[i];
    free(more.names);
    list->names = all;
    list->count += more.count;
    return DCNN_OK;
}

/* A list, which may go on in NAME0, NAME1, … */
static dcnn_status read_name_list(hid_t where, const char *attribute, name_list *list) {
    char numbered[64];
    *list = (name_list){0};
    snprintf(numbered, sizeof numbered, "%s0", attribute);
    if (dcnn_h5_attribute_has(where, attribute) || !dcnn_h5_attribute_has(where, numbered))
        return append_names(where, attribute, list);
    dcnn_status status = DCNN_OK;
    for (int number = 0; status == DCNN_OK; number++) {
        snprintf(numbered, sizeof numbered, "%s%d", attribute, number);
        if (!dcnn_h5_attribute_has(where, numbered)) break;
        status = append_names(where, numbered, list);
    }
    if (status != DCNN_OK) free_list(list);
    return status;
}

/* --- weights ---------------------------------------------------------------------------------------------------- */

/* "(3, 3, 1, 64)" */
static const char *shape_text(int rank, const int64_t *shape, char text[160]) {
    int used = snprintf(text, 160, "(");
    for (int i = 0; i < rank && used < 130; i++)
        used += snprintf(text + used, 160 - (size_t)used, "%s%lld", i ? ", " : "", (long long)shape[i]);
    snprintf(text + used, 160 - (size_t)used, rank == 1 ? ",)" : ")");
    return text;
}

/* A Normalization's count, which Keras keeps as a whole number. */
static dcnn_status read_count(hid_t group, const char *name, float *value) {
    int64_t count;
    if (dcnn_h5_read(group, name, DCNN_H5_INT64, 0, NULL, &count) != DCNN_OK)
        return dcnn_h5_read(group, name, DCNN_H5_FLOAT, 0, NULL, value);
    *value = (float)count;
    return DCNN_OK;
}

/* Reads one tensor. @param role  what it is to the layer: "weight", "moment m of" */
static dcnn_status read_tensor(const reader *from, hid_t group, const char *name, const dcnn_node *node,
                               const dcnn_param *param, const char *role, float *values) {
    int64_t found[DCNN_H5_MAX_RANK], wanted[4];
    int found_rank, rank = dcnn_param_shape(param, wanted);
    dcnn_status status = dcnn_h5_shape(group, name, &found_rank, found);
    if (status == DCNN_OK && (found_rank != rank || memcmp(found, wanted, (size_t)rank * sizeof *wanted) != 0)) {
        char is[160], should[160];
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: layer '%s': %s '%s' has shape %s, but the model needs %s", from->path,
                         node->name, role, param->name, shape_text(found_rank, found, is),
                         shape_text(rank, wanted, should));
    }
    if (status == DCNN_OK)
        status = rank == 0 ? read_count(group, name, values)
                           : dcnn_h5_read(group, name, DCNN_H5_FLOAT, rank, wanted, values);
    if (status != DCNN_OK) dcnn_error_prefix("layer '%s': %s '%s'", node->name, role, param->name);
    return status;
}

static dcnn_status fail_count(const reader *from, const dcnn_node *node, int found) {
    char needed[DCNN_MAX_PARAMS * 34] = "";
    for (int i = 0; i < node->param_count; i++) {
        if (i > 0) strcat(needed, ", ");
        strcat(needed, node->params[i].name);
    }
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: layer '%s': the file has %d weights, but the model needs %d (%s)", from->path,
                     node->name, found, node->param_count, needed);
}

/* A group of the file holds the weights of one layer of the outermost model, which may be a model itself: trainable
 * ones of all its layers first, then the moving statistics. */
static dcnn_status read_group(const reader *from, hid_t group, const name_list *weights, int first, int end) {
    const dcnn_net *net = from->into->net;
    int at = 0, needed = 0;
    for (int i = first; i < end; i++) needed += net->nodes[i].param_count;
    if (weights->count != needed) return fail_count(from, &net->nodes[first], weights->count);
    for (int statistics = 0; statistics < 2; statistics++)
        for (int i = first; i < end; i++)
            for (int j = 0; j < net->nodes[i].param_count; j++) {
                const dcnn_param *param = &net->nodes[i].params[j];
                if (param->statistic != (statistics == 1)) continue;
                DCNN_TRY(read_tensor(from, group, weights->names[at++], &net->nodes[i], param, "weight",
                                     dcnn_net_values(net, param)));
            }
    return DCNN_OK;
}

/* Nodes with weights from *next on that lie in one layer of the outermost model: [*next, *end). */
static bool next_layer(const dcnn_net *net, int *next, int *end) {
    while (*next < net->node_count && net->nodes[*next].param_count == 0) ++*next;
    *end = *next;
    while (*end < net->node_count && net->nodes[*end].outer == net->nodes[*next].outer) ++*end;
    return *next < net->node_count;
}

/* The layer that a group of this name holds, if any: a file need not have them in our order. */
static bool find_layer(const dcnn_net *net, const char *name, int *first, int *end) {
    int next = 0, after = 0;
    for (; next_layer(net, &next, &after); next = after)
        if (strcmp(net->nodes[next].name, name) == 0 && after == next + 1) {
            *first = next;
            *end = after;
            return true;
        }
    return false;
}

static dcnn_status read_layer_group(const reader *from, hid_t model_weights, const char *name, int *next) {
    const dcnn_net *net = from->into->net;
    hid_t group;
    name_list weights = {0};
    DCNN_TRY(dcnn_h5_group_open(model_weights, name, &group));
    dcnn_status status = read_name_list(group, "weight_names", &weights);
    if (status == DCNN_OK && weights.count > 0) {
        int first = *next, end = 0;
        if (!next_layer(net, &first, &end))
            status = DCNN_FAIL(DCNN_BAD_INPUT,
                               "%s: has weights of more layers than its model_config describes (first: '%s')",
                               from->path, weights.names[0]);
        *next = end;
        if (status == DCNN_OK && net->functional) find_layer(net, name, &first, &end);
        if (status == DCNN_OK) status = read_group(from, group, &weights, first, end);
    }
    free_list(&weights);
    dcnn_h5_group_close(group);
    return status;
}

/* A layer that is named twice would be read twice, and another one of the same shapes not at all. */
static dcnn_status check_names(const reader *from, const name_list *layers) {
    json_t *seen = json_object();
    dcnn_status status = seen ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: names of layers");
    for (int i = 0; i < layers->count && status == DCNN_OK; i++) {
        if (json_object_get(seen, layers->names[i]))
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: its 'layer_names' name the layer '%.80s' twice; use another copy",
                               from->path, layers->names[i]);
        json_object_set_new_nocheck(seen, layers->names[i], json_true());
    }
    json_decref(seen);
    return status;
}

static dcnn_status read_weights(const reader *from) {
    const dcnn_net *net = from->into->net;
    hid_t group;
    name_list layers = {0};
    int next = 0;
    DCNN_TRY(dcnn_h5_group_open(from->file, "model_weights", &group));
    dcnn_status status = read_name_list(group, "layer_names", &layers);
    if (status == DCNN_OK) status = check_names(from, &layers);
    for (int i = 0; i < layers.count && status == DCNN_OK; i++)
        status = read_layer_group(from, group, layers.names[i], &next);
    free_list(&layers);
    dcnn_h5_group_close(group);
    DCNN_TRY(status);
    int end;
    return next_layer(net, &next, &end) ? fail_count(from, &net->nodes[next], 0) : DCNN_OK;
}

/* --- the optimizer ---------------------------------------------------------------------------------------------- */

/* Moments of each weight in the list, by the optimizer that names its entries ("lamb/iteration", …); whether it had
 * momentum tells the list's length. */
static int moments_in(const name_list *list, const dcnn_net *net) {
    dcnn_optimizer optimizer = {0};
    for (int kind = 0; kind < DCNN_OPTIMIZER_COUNT && list->count > 0; kind++) {
        const size_t length = strlen(dcnn_optimizer_table[kind].name);
        if (strncmp(list->names[0], dcnn_optimizer_table[kind].name, length) == 0 && list->names[0][length] == '/')
            optimizer.kind = (dcnn_optimizer_kind)kind;
    }
    const int without = 2 + dcnn_optimizer_table[optimizer.kind].moments * dcnn_count_trainable(net);
    optimizer.momentum = list->count > without ? 1.0 : 0.0;
    return dcnn_optimizer_moments(&optimizer);
}

static dcnn_status read_moment_tensors(const reader *from, hid_t group, const name_list *list) {
    static const char *const roles[2] = {"moment m of", "moment v of"};
    const dcnn_net *net = from->into->net;
    const int moments = moments_in(list, net);
    float *const vectors[2] = {from->into->m, from->into->v};
    int next = 2; /* behind iteration and learning rate */
    for (int i = 0; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        for (int j = 0; j < node->param_count; j++) {
            const dcnn_param *param = &node->params[j];
            if (!param->trainable) continue;
            if (next + moments > list->count)
                return DCNN_FAIL(DCNN_BAD_INPUT, "%s: layer '%s': the optimizer's moments of '%s' are missing",
                                 from->path, node->name, param->name);
            for (int k = 0; k < moments; k++)
                DCNN_TRY(
                    read_tensor(from, group, list->names[next++], node, param, roles[k], vectors[k] + param->offset));
        }
    }
    if (next != list->count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has %d optimizer weights, but the model needs %d", from->path,
                         list->count, next);
    return DCNN_OK;
}

static dcnn_status read_moments(const reader *from, const char *place) {
    dcnn_checkpoint *into = from->into;
    const size_t bytes = into->net->param_count * sizeof(float);
    hid_t group;
    name_list list = {0};
    DCNN_TRY(dcnn_block_create(bytes, "the optimizer's m", (void **)&into->m));
    DCNN_TRY(dcnn_block_create(bytes, "the optimizer's v", (void **)&into->v));
    DCNN_TRY(dcnn_h5_group_open(from->file, place, &group));
    dcnn_status status = read_name_list(group, "weight_names", &list);
    if (status == DCNN_OK) status = read_moment_tensors(from, group, &list);
    free_list(&list);
    dcnn_h5_group_close(group);
    return status;
}

static dcnn_status read_average(const reader *from) {
    dcnn_checkpoint *into = from->into;
    const dcnn_net *net = into->net;
    hid_t group;
    dcnn_status status = DCNN_OK;
    DCNN_TRY(dcnn_block_create(net->param_count * sizeof(float), "averaged weights", (void **)&into->average));
    DCNN_TRY(dcnn_h5_group_open(from->file, "dcnn/average_weights", &group));
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            char name[2 * DCNN_NAME_BYTES + 64];
            if (!param->trainable || status != DCNN_OK) continue;
            snprintf(name, sizeof name, "%s/%s", net->nodes[i].name, param->name);
            status = read_tensor(from, group, name, &net->nodes[i], param, "average of", into->average + param->offset);
        }
    dcnn_h5_group_close(group);
    return status;
}

/* --- our own group ---------------------------------------------------------------------------------------------- */

static dcnn_status read_progress(const reader *from, hid_t group) {
    dcnn_progress *progress = &from->into->progress;
#define READ_FIELD(type, name) DCNN_TRY(dcnn_h5_attribute_read(group, #name, DCNN_H5_##type, -1, &progress->name));
    DCNN_PROGRESS_FIELDS(READ_FIELD)
#define READ_LATER(type, name)                                                                                         \
    if (dcnn_h5_attribute_has(group, #name)) READ_FIELD(type, name)
    DCNN_PROGRESS_LATER_FIELDS(READ_LATER)
#undef READ_LATER
#undef READ_FIELD
    if (progress->epoch < 0 || progress->cursor < 0 || progress->step < 0 || progress->phase < 0 ||
        progress->phase_epoch < 0 || progress->phase_epoch > progress->epoch || progress->phase_step < 0 ||
        progress->phase_step > progress->step)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its progress (epoch %lld, cursor %lld, step %lld) is impossible",
                         from->path, (long long)progress->epoch, (long long)progress->cursor,
                         (long long)progress->step);
    return DCNN_OK;
}

/* Whether the channels of images are turned round: "bgr". */
static dcnn_status read_order(const reader *from, hid_t group) {
    dcnn_checkpoint *into = from->into;
    char *text;
    DCNN_TRY(dcnn_h5_text_read(group, "channel_order", &text));
    into->blue_first = strcmp(text, "bgr") == 0;
    const bool known = into->blue_first || strcmp(text, "rgb") == 0;
    free(text);
    if (!known || (into->blue_first && into->net->nodes[0].shape.c != 3))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its channel_order must be rgb or, for images of three channels, bgr",
                         from->path);
    return DCNN_OK;
}

static dcnn_status read_normalisation(const reader *from, hid_t group) {
    dcnn_checkpoint *into = from->into;
    const int channels = into->net->nodes[0].shape.c;
    if (!dcnn_h5_attribute_has(group, "mean")) return DCNN_OK;
    if (channels > DCNN_MAX_CHANNELS)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has means of %d channels; at most %d are supported", from->path, channels,
                         DCNN_MAX_CHANNELS);
    DCNN_TRY(dcnn_h5_attribute_read(group, "mean", DCNN_H5_DOUBLE, channels, into->mean));
    DCNN_TRY(dcnn_h5_attribute_read(group, "std", DCNN_H5_DOUBLE, channels, into->std));
    for (int i = 0; i < channels; i++)
        if (!isfinite(into->mean[i]) || !(isfinite(into->std[i]) && into->std[i] > 0))
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: mean %g and std %g of channel %d are impossible; std must be above 0",
                             from->path, into->mean[i], into->std[i], i);
    into->normalised = true;
    return dcnn_h5_attribute_has(group, "channel_order") ? read_order(from, group) : DCNN_OK;
}

static dcnn_status read_class_names(const reader *from, hid_t group) {
    dcnn_checkpoint *into = from->into;
    name_list list = {0};
    if (!dcnn_h5_has(group, "class_names")) return DCNN_OK;
    DCNN_TRY(dcnn_h5_strings_read(group, "class_names", &list.count, &list.names));
    if (list.count != into->class_count && list.count != into->net->output_count) {
        dcnn_status status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: names %d classes, but its model has %d", from->path,
                                       list.count, into->class_count);
        free_list(&list);
        return status;
    }
    into->class_count = list.count;
    for (int i = 0; i < list.count; i++) dcnn_text_clean(list.names[i]);
    into->class_names = list.names;
    return DCNN_OK;
}

static dcnn_status read_loss(const reader *from, hid_t group) {
    json_t *loss;
    DCNN_TRY(read_json(from, group, "loss", &loss));
    dcnn_loss_take(loss, from->into);
    json_decref(loss);
    return DCNN_OK;
}

static dcnn_status read_own(const reader *from, hid_t group) {
    dcnn_checkpoint *into = from->into;
    int32_t version;
    DCNN_TRY(dcnn_h5_attribute_read(group, "format_version", DCNN_H5_INT32, -1, &version));
    if (version != DCNN_CHECKPOINT_VERSION)
        return dcnn_h5_fail_version(group, from->path, version, DCNN_CHECKPOINT_VERSION);
    DCNN_TRY(read_progress(from, group));
    DCNN_TRY(read_normalisation(from, group));
    if (dcnn_h5_attribute_has(group, "loss")) DCNN_TRY(read_loss(from, group));
    DCNN_TRY(read_class_names(from, group));
    if (dcnn_h5_attribute_has(group, "data_path")) DCNN_TRY(dcnn_h5_text_read(group, "data_path", &into->data_path));
    if (dcnn_h5_attribute_has(group, "history")) DCNN_TRY(dcnn_h5_text_read(group, "history", &into->history));
    if (dcnn_h5_attribute_has(group, "options")) DCNN_TRY(read_json(from, group, "options", &into->options));
    return DCNN_OK;
}

/* What only dcnn writes; the moments too, for other programs' optimizer weights could be anything. */
static dcnn_status read_resume(const reader *from) {
    if (!dcnn_h5_has(from->file, "dcnn")) return DCNN_OK;
    hid_t group;
    DCNN_TRY(dcnn_h5_group_open(from->file, "dcnn", &group));
    dcnn_status status = read_own(from, group);
    dcnn_h5_group_close(group);
    const bool newer = status == DCNN_OK && dcnn_h5_has(from->file, "dcnn/optimizer_weights");
    from->into->own = status == DCNN_OK;
    if (status != DCNN_OK || (!newer && !dcnn_h5_has(from->file, "optimizer_weights"))) return status;
    DCNN_TRY(read_moments(from, newer ? "dcnn/optimizer_weights" : "optimizer_weights"));
    if (dcnn_h5_has(from->file, "dcnn/average_weights")) DCNN_TRY(read_average(from));
    from->into->resumable = true;
    return DCNN_OK;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static dcnn_status read_all(const reader *from) {
    DCNN_TRY(check_seal(from));
    DCNN_TRY(read_net(from));
    from->into->class_count = from->into->net->class_count;
    if (dcnn_h5_attribute_has(from->file, "training_config")) {
        json_t *state;
        DCNN_TRY(read_json(from, from->file, "training_config", &state));
        dcnn_status status = dcnn_compile_state_take(state, from->into);
        json_decref(state);
        DCNN_TRY(status);
    }
    if (dcnn_h5_has(from->file, "dcnn"))
        from->into->compiled[0] = '\0'; /* dcnn's own: nothing is lost */
    else
        from->into->has_optimizer = false;
    DCNN_TRY(read_weights(from));
    return read_resume(from);
}

dcnn_status dcnn_checkpoint_read(const char *path, dcnn_checkpoint *checkpoint) {
    reader from = {.path = path, .into = checkpoint};
    uint64_t checksum;
    *checkpoint = (dcnn_checkpoint){0};
    const dcnn_kind_id kind = dcnn_kind_of_file(path);
    if (kind == DCNN_KIND_KERAS) return dcnn_keras_read(path, checkpoint);
    if (kind == DCNN_KIND_ONNX) return dcnn_onnx_read(path, checkpoint);
    if (kind == DCNN_KIND_FOLDER) return dcnn_kind_fail(path, kind, "a model");
    DCNN_TRY(dcnn_h5_open(path, &from.file, &checksum));
    checkpoint->seal = checksum != 0 ? DCNN_SEAL_GOOD : DCNN_SEAL_NONE;
    dcnn_status status = dcnn_h5_end(from.file, path, read_all(&from));
    if (status != DCNN_OK) dcnn_checkpoint_free(checkpoint);
    return status;
}
