/* SPDX-License-Identifier: BSD-3-Clause */
/* keras_archive.c — see keras_archive.h. */
#include "model/keras_archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "base/json.h"
#include "model/model_private.h"

#define METADATA "dcnn"
enum { MOST_BYTES = INT32_MAX, SLACK_BYTES = 1 << 18, PATH_BYTES = DCNN_PATH_BYTES + 32 };

/* --- weights ------------------------------------------------------------------------------------------------------ */

static dcnn_status check_shape(hid_t file, const char *place, const char *path, const dcnn_node *node,
                               const dcnn_param *param) {
    int64_t found[DCNN_H5_MAX_RANK], wanted[4];
    int found_rank;
    const int rank = dcnn_param_shape(param, wanted);
    DCNN_TRY(dcnn_h5_shape(file, place, &found_rank, found));
    bool same = found_rank == rank;
    for (int i = 0; same && i < rank; i++) same = found[i] == wanted[i];
    if (same) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: layer '%s': weight '%s' (%s) has another shape than the model needs", path,
                     node->name, param->name, place);
}

/* Normalization's count is a whole number; its mean is a single one, too, where it is of everything. */
static bool is_count(const dcnn_param *param) {
    return param->rank == 0 && strcmp(param->name, "count") == 0;
}

static dcnn_status read_values(hid_t file, const char *place, const dcnn_param *param, float *values) {
    int64_t shape[4], count;
    const int rank = dcnn_param_shape(param, shape);
    if (!is_count(param)) return dcnn_h5_read(file, place, DCNN_H5_FLOAT, rank, shape, values);
    dcnn_status status = dcnn_h5_read(file, place, DCNN_H5_INT64, 0, NULL, &count);
    *values = (float)count;
    return status;
}

/* A bias in the file, say, of a layer that the description gives none. */
static dcnn_status check_rest(hid_t file, const char *path, const dcnn_node *node) {
    char place[PATH_BYTES];
    snprintf(place, sizeof place, "%s/vars/%d", node->path, node->param_count);
    if (node->path[0] == '\0' || !dcnn_h5_has(file, place)) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: layer '%s': the file has more weights of it (%s) than the %d that its description gives "
                     "it; look at its options, such as \"use_bias\"",
                     path, node->name, place, node->param_count);
}

static dcnn_status read_weights(hid_t file, const char *path, const dcnn_net *net) {
    char place[PATH_BYTES];
    for (int i = 0; i < net->node_count; i++)
        if (net->nodes[i].owner == i) DCNN_TRY(check_rest(file, path, &net->nodes[i]));
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_node *node = &net->nodes[i];
            snprintf(place, sizeof place, "%s/vars/%d", node->path, j);
            if (!dcnn_h5_has(file, place))
                return DCNN_FAIL(DCNN_BAD_INPUT, "%s: layer '%s': its weight '%s' is missing (%s)", path, node->name,
                                 node->params[j].name, place);
            DCNN_TRY(check_shape(file, place, path, node, &node->params[j]));
            DCNN_TRY(read_values(file, place, &node->params[j], dcnn_net_values(net, &node->params[j])));
        }
    return DCNN_OK;
}

static dcnn_status write_values(hid_t file, const char *place, const dcnn_param *param, const float *values) {
    int64_t shape[4];
    const int rank = dcnn_param_shape(param, shape);
    if (is_count(param) && !(values[0] >= 0.0f && values[0] < 0x1p63f))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "a Normalization's count is %g, which counts nothing: the model's file is damaged",
                         (double)values[0]);
    const int64_t count = is_count(param) ? (int64_t)values[0] : 0;
    return is_count(param) ? dcnn_h5_write(file, place, DCNN_H5_INT64, 0, NULL, 0, &count)
                           : dcnn_h5_write(file, place, DCNN_H5_FLOAT, rank, shape, 0, values);
}

/* A group `vars`, with the name that Keras looks for. */
static dcnn_status make_vars(hid_t file, const char *where, const char *name) {
    char place[PATH_BYTES];
    hid_t group;
    snprintf(place, sizeof place, "%s%svars", where, where[0] ? "/" : "");
    DCNN_TRY(dcnn_h5_group_create(file, place, &group));
    dcnn_status status = dcnn_h5_text_write(group, "name", name);
    dcnn_h5_group_close(group);
    return status;
}

static dcnn_status write_weights(hid_t file, const dcnn_net *net) {
    char where[DCNN_PATH_BYTES], place[PATH_BYTES];
    DCNN_TRY(make_vars(file, "", net->name));
    for (int i = 0; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        if (node->owner != i) continue;
        dcnn_net_written_path(net, i, where);
        DCNN_TRY(make_vars(file, where, node->name));
        for (int j = 0; j < node->param_count; j++) {
            snprintf(place, sizeof place, "%s/vars/%d", where, j);
            DCNN_TRY(write_values(file, place, &node->params[j], dcnn_net_values(net, &node->params[j])));
        }
    }
    return DCNN_OK;
}

/* Keras makes them before the moments. */
static dcnn_status write_averages(hid_t file, const dcnn_checkpoint *from, int *number) {
    char place[PATH_BYTES];
    for (int i = 0; i < from->net->node_count; i++)
        for (int j = 0; j < from->net->nodes[i].param_count; j++) {
            const dcnn_param *param = &from->net->nodes[i].params[j];
            if (!param->trainable) continue;
            snprintf(place, sizeof place, "optimizer/vars/%d", (*number)++);
            DCNN_TRY(write_values(file, place, param, from->average + param->offset));
        }
    return DCNN_OK;
}

/* Of each weight the moments from `first` to before `end`. */
static dcnn_status write_moments(hid_t file, const dcnn_checkpoint *from, const dcnn_optimizer *optimizer, int first,
                                 int end, int *number) {
    const float *const moments[2] = {from->m, from->v};
    char place[PATH_BYTES];
    for (int i = 0; i < from->net->node_count; i++)
        for (int j = 0; j < from->net->nodes[i].param_count; j++) {
            const dcnn_param *param = &from->net->nodes[i].params[j];
            const bool matrix = optimizer->kind == DCNN_MUON && dcnn_muon_takes(from->net, param); /* has no v */
            for (int k = first; param->trainable && k < end - matrix; k++) {
                snprintf(place, sizeof place, "optimizer/vars/%d", (*number)++);
                DCNN_TRY(write_values(file, place, param, moments[k] + param->offset));
            }
        }
    return DCNN_OK;
}

/* Numbered as Keras' optimizer.variables are. */
static dcnn_status write_optimizer(hid_t file, const dcnn_checkpoint *from, const dcnn_optimizer *optimizer) {
    const float rate = (float)optimizer->learning_rate;
    const int64_t steps = from->progress.step - from->progress.phase_step; /* of this optimizer */
    char place[PATH_BYTES];
    int number = 2;
    DCNN_TRY(make_vars(file, "optimizer", "optimizer"));
    DCNN_TRY(dcnn_h5_write(file, "optimizer/vars/0", DCNN_H5_INT64, 0, NULL, 0, &steps));
    DCNN_TRY(dcnn_h5_write(file, "optimizer/vars/1", DCNN_H5_FLOAT, 0, NULL, 0, &rate));
    if (from->average) DCNN_TRY(write_averages(file, from, &number));
    const int moments = dcnn_optimizer_moments(optimizer);
    const int together = optimizer->kind == DCNN_RMSPROP ? 1 : moments; /* it has all squares before all momentums */
    for (int k = 0; k < moments; k += together)
        DCNN_TRY(write_moments(file, from, optimizer, k, k + together, &number));
    if (optimizer->kind != DCNN_NADAM) return DCNN_OK;
    const float product = (float)dcnn_nadam_product(optimizer, steps, NULL);
    snprintf(place, sizeof place, "optimizer/vars/%d", number);
    return dcnn_h5_write(file, place, DCNN_H5_FLOAT, 0, NULL, 0, &product);
}

/* In a file of weights alone, what a .keras has in its metadata.json: an attribute, which Keras passes over. */
static dcnn_status write_metadata(hid_t file, const dcnn_checkpoint *from) {
    json_t *metadata = dcnn_metadata_describe(from);
    char *text = json_dumps(metadata, JSON_COMPACT);
    json_decref(metadata);
    const dcnn_status status =
        text ? dcnn_h5_text_write(file, METADATA, text) : DCNN_FAIL(DCNN_FAILURE, "out of memory: a model's metadata");
    free(text);
    return status;
}

static dcnn_status read_metadata(hid_t file, const char *path, dcnn_checkpoint *into) {
    char *text;
    json_t *metadata = NULL;
    json_error_t error;
    if (!dcnn_h5_attribute_has(file, METADATA)) return DCNN_OK; /* Keras wrote it */
    DCNN_TRY(dcnn_h5_text_read(file, METADATA, &text));
    dcnn_status status = dcnn_json_parse(text, strlen(text), 0, &metadata, &error);
    if (status == DCNN_BAD_INPUT)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: its attribute '%s' is not valid JSON: %s", path, METADATA, error.text);
    if (status == DCNN_OK) status = dcnn_metadata_read(metadata, path, into);
    json_decref(metadata);
    free(text);
    return status;
}

/* --- the zip ------------------------------------------------------------------------------------------------------ */

/* One member, with a NUL behind it. */
static dcnn_status read_member(zip_t *zip, const char *path, const char *name, char **bytes, size_t *length) {
    zip_stat_t stat;
    *bytes = NULL;
    if (zip_stat(zip, name, 0, &stat) != 0 || stat.size > MOST_BYTES)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: a zip without %s: not a model that Keras saved", path, name);
    const size_t size = (size_t)stat.size;
    DCNN_TRY(dcnn_file_check_unpacked(path, stat.comp_size, size));
    zip_file_t *member = zip_fopen(zip, name, 0);
    char *read = malloc(size + 1);
    zip_int64_t got = member && read ? zip_fread(member, read, size) : -1;
    char rest;
    if (got >= 0 && zip_fread(member, &rest, 1) != 0) got = -1; /* the checksum is compared at the end */
    if (member && zip_fclose(member) != 0) got = -1;
    if (got != (zip_int64_t)size || read == NULL) {
        free(read);
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: its %s cannot be read", path, name);
    }
    read[size] = '\0';
    *bytes = read;
    *length = size;
    return DCNN_OK;
}

static dcnn_status read_json_member(zip_t *zip, const char *path, const char *name, json_t **json) {
    char *text;
    size_t length = 0;
    json_error_t error;
    *json = NULL;
    DCNN_TRY(read_member(zip, path, name, &text, &length));
    const bool large = length > DCNN_MOST_TEXT;
    const dcnn_status status = large ? DCNN_OK : dcnn_json_parse(text, length, 0, json, &error);
    free(text);
    if (large)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its %s has %zu bytes; at most %d are read", path, name, length,
                         DCNN_MOST_TEXT);
    return status != DCNN_BAD_INPUT
               ? status
               : DCNN_FAIL(DCNN_BAD_INPUT, "%s: its %s is not valid JSON: %s", path, name, error.text);
}

static dcnn_status read_archive(zip_t *zip, const char *path, dcnn_checkpoint *into) {
    json_t *config = NULL, *metadata = NULL;
    char *bytes = NULL;
    size_t length = 0;
    hid_t file = -1;
    dcnn_status status = read_json_member(zip, path, "config.json", &config);
    if (status == DCNN_OK) {
        status = dcnn_net_create(config, (dcnn_shape){0}, &into->net);
        if (status != DCNN_OK) dcnn_error_prefix("%s", path);
    }
    if (status == DCNN_OK) into->class_count = into->net->class_count;
    if (status == DCNN_OK) status = dcnn_compile_state_take(json_object_get(config, "compile_config"), into);
    into->has_optimizer = false; /* what it kept is not read */
    if (status == DCNN_OK) status = read_json_member(zip, path, "metadata.json", &metadata);
    if (status == DCNN_OK) dcnn_loss_take(json_object_get(json_object_get(metadata, "dcnn"), "loss"), into);
    if (status == DCNN_OK) status = dcnn_metadata_read(json_object_get(metadata, "dcnn"), path, into);
    if (status == DCNN_OK) status = read_member(zip, path, "model.weights.h5", &bytes, &length);
    char inside[512]; /* a name of no file: HDF5 would look for it */
    snprintf(inside, sizeof inside, "%.480s/model.weights.h5", path);
    if (status == DCNN_OK) status = dcnn_h5_open_image(inside, bytes, length, &file);
    if (status == DCNN_OK) status = read_weights(file, path, into->net);
    dcnn_h5_close(file);
    free(bytes);
    json_decref(config);
    json_decref(metadata);
    return status;
}

dcnn_status dcnn_keras_read(const char *path, dcnn_checkpoint *checkpoint) {
    int error;
    *checkpoint = (dcnn_checkpoint){0};
    zip_t *zip = zip_open(path, ZIP_RDONLY, &error);
    if (zip == NULL) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: a zip that cannot be opened", path);
    dcnn_status status = read_archive(zip, path, checkpoint);
    zip_discard(zip);
    if (status != DCNN_OK) dcnn_checkpoint_free(checkpoint);
    return status;
}

dcnn_status dcnn_keras_weights_read(const char *path, dcnn_checkpoint *checkpoint) {
    hid_t file;
    DCNN_TRY(dcnn_h5_open(path, &file, NULL));
    dcnn_status status = read_weights(file, path, checkpoint->net);
    if (status == DCNN_OK) status = read_metadata(file, path, checkpoint);
    dcnn_h5_close(file);
    return status;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* Adds a member that zip takes over; always of the same date, so that the same model gives the same bytes. */
static dcnn_status add_member(zip_t *zip, const char *path, const char *name, void *bytes, size_t length) {
    zip_source_t *source = bytes ? zip_source_buffer(zip, bytes, length, 1) : NULL;
    if (source == NULL) {
        free(bytes);
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: %s", path, name);
    }
    const zip_int64_t index = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source);
        return DCNN_FAIL(DCNN_FAILURE, "%s: %s cannot be added to the zip", path, name);
    }
    zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0);
    zip_file_set_dostime(zip, (zip_uint64_t)index, 0, 0x21, 0); /* 1 January 1980 */
    return DCNN_OK;
}

static dcnn_status add_json(zip_t *zip, const char *path, const char *name, json_t *json) {
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return add_member(zip, path, name, text, text ? strlen(text) : 0);
}

/* `alone`: a file of its own, not the member of a .keras. */
static dcnn_status weights_image(const char *path, const dcnn_checkpoint *from, const dcnn_optimizer *optimizer,
                                 bool alone, char **bytes, size_t *length) {
    const size_t floats = (from->average ? 4 : 3) * from->net->param_count + from->net->state_count;
    hid_t file;
    const void *image;
    *bytes = NULL;
    DCNN_TRY(dcnn_h5_create(path, floats * sizeof(float) + SLACK_BYTES, &file));
    dcnn_status status = write_weights(file, from->net);
    if (status == DCNN_BAD_INPUT) dcnn_error_prefix("%s", path);
    if (status == DCNN_OK && alone) status = write_metadata(file, from);
    if (status == DCNN_OK && optimizer && from->m && from->v) status = write_optimizer(file, from, optimizer);
    if (status == DCNN_OK) status = dcnn_h5_image(file, &image, length);
    if (status == DCNN_OK) {
        *bytes = malloc(*length);
        if (*bytes)
            memcpy(*bytes, image, *length);
        else
            status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: its weights", path);
    }
    dcnn_h5_close(file);
    return status;
}

static dcnn_status add_members(zip_t *zip, const char *path, const dcnn_checkpoint *from,
                               const dcnn_optimizer *optimizer) {
    json_t *config = dcnn_net_describe(from->net);
    char *weights;
    size_t length = 0;
    if (optimizer) {
        dcnn_optimizer written = *optimizer;
        if (!(from->m && from->v && from->average)) written.ema_momentum = 0.0; /* Keras would look for the averages */
        json_t *compiled = dcnn_compile_state_describe(from->net, &written, true);
        if (compiled) json_object_set_new(config, "compile_config", compiled);
    }
    json_t *metadata = json_pack("{s:s, s:s, s:o}", "keras_version", "3.8.0", "date_saved", "1980-01-01@00:00:00",
                                 "dcnn", dcnn_metadata_describe(from));
    dcnn_status status = add_json(zip, path, "metadata.json", metadata);
    if (status == DCNN_OK)
        status = add_json(zip, path, "config.json", config);
    else
        json_decref(config);
    if (status == DCNN_OK) status = weights_image(path, from, optimizer, false, &weights, &length);
    return status == DCNN_OK ? add_member(zip, path, "model.weights.h5", weights, length) : status;
}

/* The finished zip's bytes go out by the same way as every file. */
static dcnn_status deliver(zip_source_t *source, const char *path, bool only_new) {
    zip_stat_t stat;
    if (zip_source_stat(source, &stat) != 0 || zip_source_open(source) != 0)
        return DCNN_FAIL(DCNN_FAILURE, "%s: the zip cannot be made", path);
    char *bytes = malloc((size_t)stat.size + 1);
    const bool good = bytes && zip_source_read(source, bytes, stat.size) == (zip_int64_t)stat.size;
    zip_source_close(source);
    dcnn_status status = good ? dcnn_file_put(path, bytes, (size_t)stat.size, false, only_new)
                              : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: a zip", path);
    free(bytes);
    return status;
}

dcnn_status dcnn_keras_write(const char *path, const dcnn_checkpoint *checkpoint, const dcnn_optimizer *optimizer) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_TRUNCATE, &error) : NULL;
    if (zip == NULL) {
        if (source) zip_source_free(source);
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: a zip", path);
    }
    zip_source_keep(source);
    dcnn_status status = add_members(zip, path, checkpoint, optimizer);
    if (status != DCNN_OK)
        zip_discard(zip);
    else if (zip_close(zip) != 0) {
        status = DCNN_FAIL(DCNN_FAILURE, "%s: the zip cannot be made: %s", path, zip_strerror(zip));
        zip_discard(zip);
    }
    if (status == DCNN_OK) status = deliver(source, path, checkpoint->only_new);
    zip_source_free(source);
    return status;
}

dcnn_status dcnn_keras_weights_write(const char *path, const dcnn_checkpoint *checkpoint) {
    char *bytes;
    size_t length = 0;
    DCNN_TRY(weights_image(path, checkpoint, NULL, true, &bytes, &length));
    dcnn_status status = dcnn_file_put(path, bytes, length, false, checkpoint->only_new);
    free(bytes);
    return status;
}
