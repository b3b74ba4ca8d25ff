/* SPDX-License-Identifier: BSD-3-Clause */
/* safetensors.c — see safetensors.h. */
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/convert.h"
#include "model/model_private.h"

enum { LENGTH_BYTES = 8, NAME_BYTES = DCNN_NAME_BYTES + 40 };

static const char metadata_key[] = "__metadata__";

static const char *name_of(const dcnn_node *node, const dcnn_param *param, char name[NAME_BYTES]) {
    snprintf(name, NAME_BYTES, "%s/%s", node->name, param->name);
    return name;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static json_t *describe_tensor(const dcnn_param *param, size_t begin) {
    json_t *shape = json_array();
    for (int i = 0; i < param->rank; i++) json_array_append_new(shape, json_integer(param->dims[i]));
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)(begin + param->count * sizeof(float)));
}

/* The format's metadata are texts. */
static json_t *describe_metadata(const dcnn_checkpoint *from) {
    json_t *metadata = dcnn_metadata_describe(from), *texts = json_object(), *value;
    const char *key;
    json_object_foreach(metadata, key, value) {
        char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT);
        json_object_set_new(texts, key, text ? json_string(text) : json_incref(value));
        free(text);
    }
    json_object_set_new(texts, "format", json_string("keras"));
    json_decref(metadata);
    return texts;
}

static json_t *describe(const dcnn_checkpoint *from, size_t *bytes) {
    const dcnn_net *net = from->net;
    json_t *header = json_pack("{s:o}", metadata_key, describe_metadata(from));
    char name[NAME_BYTES];
    *bytes = 0;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            json_object_set_new(header, name_of(&net->nodes[i], param, name), describe_tensor(param, *bytes));
            *bytes += param->count * sizeof(float);
        }
    return header;
}

static dcnn_status write_all(const char *path, const dcnn_checkpoint *from, const char *header, size_t bytes) {
    const dcnn_net *net = from->net;
    const uint64_t length = (strlen(header) + LENGTH_BYTES - 1) / LENGTH_BYTES * LENGTH_BYTES; /* spaces fill it up */
    const size_t whole = LENGTH_BYTES + (size_t)length + bytes;
    uint8_t *image = malloc(whole), *at = image;
    if (image == NULL) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: %zu bytes of weights", path, whole);
    memcpy(at, &length, LENGTH_BYTES);
    memset(at + LENGTH_BYTES, ' ', (size_t)length);
    memcpy(at + LENGTH_BYTES, header, strlen(header));
    at += LENGTH_BYTES + length;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            memcpy(at, dcnn_net_values(net, param), param->count * sizeof(float));
            at += param->count * sizeof(float);
        }
    dcnn_status status = dcnn_file_put(path, image, whole, false, from->only_new);
    free(image);
    return status;
}

dcnn_status dcnn_safetensors_write(const char *path, const dcnn_checkpoint *checkpoint) {
    size_t bytes;
    json_t *header = describe(checkpoint, &bytes);
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    dcnn_status status = text ? write_all(path, checkpoint, text, bytes)
                              : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory: its header", path);
    free(text);
    return status;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* A file in memory: its header, and where the tensors lie. */
typedef struct reader {
    const char *path;
    const uint8_t *data;
    size_t bytes;
    json_t *header;
} reader;

static dcnn_status fail_damaged(const char *path, const char *what) {
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: %s", path, what);
}

static dcnn_number_type type_of(const char *name) {
    static const char *const names[] = {"F32", "F64", "F16", "BF16"};
    for (int i = 0; name && i < 4; i++)
        if (strcmp(names[i], name) == 0) return (dcnn_number_type)i;
    return DCNN_NUMBER_COUNT;
}

static bool has_shape(const json_t *shape, const dcnn_param *param) {
    bool same = json_array_size(shape) == (size_t)param->rank;
    for (int i = 0; same && i < param->rank; i++)
        same = json_integer_value(json_array_get(shape, (size_t)i)) == param->dims[i];
    return same;
}

static dcnn_status read_tensor(const reader *from, const char *name, const dcnn_param *param, float *values) {
    const json_t *tensor = json_object_get(from->header, name), *offsets = json_object_get(tensor, "data_offsets");
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    const json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    const json_int_t end = json_integer_value(json_array_get(offsets, 1));
    const dcnn_number_type type = type_of(dtype);
    if (tensor == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has no weight '%s', which the model needs", from->path, name);
    if (type == DCNN_NUMBER_COUNT)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: weight '%s' is of type %.20s; dcnn reads F32, F64, F16 and BF16",
                         from->path, name, dtype ? dtype : "?");
    if (!has_shape(json_object_get(tensor, "shape"), param))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: weight '%s' has another shape than the model needs", from->path, name);
    if (begin < 0 || end < begin || (uint64_t)end > from->bytes ||
        (uint64_t)(end - begin) != param->count * dcnn_number_bytes(type))
        return fail_damaged(from->path, "a weight's bytes are not where its header says");
    dcnn_numbers_to_floats(type, param->count, from->data + begin, values);
    return DCNN_OK;
}

/* The tensors lie one after the other up to the file's end. */
static dcnn_status check_end(const reader *from) {
    const char *name;
    json_t *tensor;
    json_int_t end = 0;
    json_object_foreach(from->header, name, tensor) {
        const json_int_t its = json_integer_value(json_array_get(json_object_get(tensor, "data_offsets"), 1));
        if (its > end) end = its;
    }
    if ((uint64_t)end == from->bytes) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: damaged: it has %zu bytes of weights, but its header tells of %" JSON_INTEGER_FORMAT,
                     from->path, from->bytes, end);
}

static dcnn_status read_weights(const reader *from, dcnn_net *net) {
    char name[NAME_BYTES];
    size_t taken = 0;
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++, taken++) {
            const dcnn_param *param = &net->nodes[i].params[j];
            DCNN_TRY(read_tensor(from, name_of(&net->nodes[i], param, name), param, dcnn_net_values(net, param)));
        }
    const size_t there = json_object_size(from->header) - (json_object_get(from->header, metadata_key) ? 1 : 0);
    if (there == taken) return check_end(from);
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has %zu weights, but the model needs %zu: it belongs to another model",
                     from->path, there, taken);
}

/* Lists are texts there. */
static dcnn_status read_metadata(const reader *from, dcnn_checkpoint *into) {
    static const char *const lists[] = {"mean", "std", "channel_order", "class_names"};
    const json_t *texts = json_object_get(from->header, metadata_key);
    json_t *metadata = json_object();
    dcnn_status status = DCNN_OK;
    for (int i = 0; i < 4 && status == DCNN_OK; i++) {
        const char *text = json_string_value(json_object_get(texts, lists[i]));
        json_t *list = text ? json_loads(text, 0, NULL) : NULL;
        if (list) json_object_set_new(metadata, lists[i], list);
        if (text && !json_is_array(list))
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: '%s' of its %s is not a list", from->path, lists[i], metadata_key);
    }
    if (status == DCNN_OK) status = dcnn_metadata_read(metadata, from->path, into);
    json_decref(metadata);
    return status;
}

dcnn_status dcnn_safetensors_read(const char *path, dcnn_checkpoint *checkpoint) {
    uint8_t *bytes;
    size_t length;
    uint64_t header;
    reader from = {.path = path};
    DCNN_TRY(dcnn_file_read(path, &bytes, &length));
    memcpy(&header, bytes, length < LENGTH_BYTES ? 0 : LENGTH_BYTES);
    const bool cut = length < LENGTH_BYTES || header > length - LENGTH_BYTES;
    if (cut || header > DCNN_MOST_TEXT) {
        free(bytes);
        return fail_damaged(path, cut ? "its header is longer than the file, or it is not a safetensors file"
                                      : "its header is longer than 16 MiB, which no model's is");
    }
    dcnn_status status =
        dcnn_json_parse((const char *)bytes + LENGTH_BYTES, (size_t)header, JSON_REJECT_DUPLICATES, &from.header, NULL);
    from.data = bytes + LENGTH_BYTES + header;
    from.bytes = length - LENGTH_BYTES - (size_t)header;
    if (status != DCNN_FAILURE)
        status = json_is_object(from.header) ? read_weights(&from, checkpoint->net)
                                             : fail_damaged(path, "its header is not a JSON object");
    if (status == DCNN_OK) status = read_metadata(&from, checkpoint);
    json_decref(from.header);
    free(bytes);
    return status;
}
