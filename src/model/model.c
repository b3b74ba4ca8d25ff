/* SPDX-License-Identifier: BSD-3-Clause */
/* model.c — checkpoints in memory, the hash of weights, and descriptions in JSON files. */
#include "model/model.h"

#include <stdlib.h>

#include <xxhash.h>

#include "base/arena.h"
#include "base/json.h"
#include "io/kind.h"
#include "model/model_private.h"

void dcnn_checkpoint_free(dcnn_checkpoint *checkpoint) {
    dcnn_net_free(checkpoint->net);
    dcnn_block_free(checkpoint->m);
    dcnn_block_free(checkpoint->v);
    dcnn_block_free(checkpoint->average);
    for (int i = 0; checkpoint->class_names && i < checkpoint->class_count; i++) free(checkpoint->class_names[i]);
    free(checkpoint->class_names);
    free(checkpoint->data_path);
    free(checkpoint->history);
    json_decref(checkpoint->options);
    *checkpoint = (dcnn_checkpoint){0};
}

/* The flat vectors are not hashed as they lie: their order follows the stages, and may change with the planner. */
uint64_t dcnn_weights_hash(const dcnn_net *net) {
    uint64_t hash = 0;
    for (int i = 0; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        for (int j = 0; j < node->param_count; j++) {
            const dcnn_param *param = &node->params[j];
            hash = XXH3_64bits_withSeed(dcnn_net_values(net, param), param->count * sizeof(float), hash);
        }
    }
    return hash;
}

dcnn_status dcnn_description_read(const char *path, json_t **description) {
    static const char wanted[] = "a model (Keras' .keras, .h5 or .json, or ONNX)";
    uint8_t *text;
    size_t length;
    json_error_t error;
    *description = NULL;
    dcnn_kind_id kind = dcnn_kind_of_file(path);
    if (kind == DCNN_KIND_FOLDER) return dcnn_kind_fail(path, kind, wanted);
    DCNN_TRY(dcnn_file_read(path, &text, &length));
    if (length > DCNN_MOST_TEXT) {
        free(text);
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has %zu bytes; at most %d are read of a description of a model", path,
                         length, DCNN_MOST_TEXT);
    }
    json_t *read;
    kind = length > 0 ? dcnn_kind_of_bytes(text, length) : DCNN_KIND_EMPTY;
    if (kind != DCNN_KIND_JSON && kind != DCNN_KIND_TEXT && kind != DCNN_KIND_TABLE && kind != DCNN_KIND_EMPTY) {
        free(text);
        return dcnn_kind_fail(path, kind, wanted);
    }
    const dcnn_status status = dcnn_json_parse((const char *)text, length, JSON_REJECT_DUPLICATES, &read, &error);
    free(text);
    if (status == DCNN_FAILURE) return status;
    if (status != DCNN_OK)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%d:%d: not valid JSON: %s", path, error.line, error.column, error.text);
    if (!json_is_object(read)) {
        json_decref(read);
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: not a model description: its JSON is not an object; write model.to_json() to it", path);
    }
    *description = read;
    return DCNN_OK;
}
