/* SPDX-License-Identifier: BSD-3-Clause */
/* metadata.c — what dcnn knows of a model besides layers and weights, as JSON: which images it expects, its classes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/input.h"
#include "model/model_private.h"

static json_t *numbers(int count, const double *values) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(list, json_real(values[i]));
    return list;
}

json_t *dcnn_checkpoint_undecayed(const dcnn_checkpoint *from) {
    const json_t *words = json_object_get(from->options, "undecayed");
    const char *first = json_string_value(json_array_get(words, 0));
    if (!from->has_optimizer || !(from->optimizer.weight_decay > 0.0)) return NULL;
    if (first == NULL) return json_pack("[s,s,s]", "bias", "gamma", "beta");
    return strcmp(first, "none") == 0 && json_array_size(words) == 1 ? json_array() : json_deep_copy(words);
}

json_t *dcnn_metadata_describe(const dcnn_checkpoint *from) {
    const int channels = from->net->nodes[0].shape.c;
    const bool bytes = dcnn_net_takes_bytes(from->net), normalised = from->normalised && channels <= DCNN_MAX_CHANNELS;
    json_t *metadata = json_pack("{s:s}", "created_by", "dcnn " DCNN_VERSION);
    if (normalised) {
        json_object_set_new(metadata, "mean", numbers(channels, from->mean));
        json_object_set_new(metadata, "std", numbers(channels, from->std));
    }
    if (bytes || normalised)
        json_object_set_new(metadata, "input",
                            json_string(bytes ? "bytes from 0 to 255, which the model scales itself"
                                        : from->blue_first
                                            ? "(byte / 255 - mean) / std of each channel, then blue, green, "
                                              "red"
                                            : "(byte / 255 - mean) / std of each channel"));
    if (from->blue_first) json_object_set_new(metadata, "channel_order", json_pack("[i,i,i]", 2, 1, 0));
    json_t *undecayed = dcnn_checkpoint_undecayed(from);
    if (undecayed) json_object_set_new(metadata, "exclude_from_weight_decay", undecayed);
    json_t *loss = dcnn_loss_describe(from);
    if (loss) json_object_set_new(metadata, "loss", loss);
    if (from->class_names == NULL) return metadata;
    json_t *names = json_array();
    for (int i = 0; i < from->class_count; i++) json_array_append_new(names, json_string(from->class_names[i]));
    json_object_set_new(metadata, "class_names", names);
    return metadata;
}

static dcnn_status take_names(const json_t *names, const char *path, dcnn_checkpoint *into) {
    const size_t count = json_array_size(names);
    if (count == 0) return DCNN_OK;
    if (count != (size_t)into->class_count && count != (size_t)into->net->output_count)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: names %zu classes, but its model has %d", path, count, into->class_count);
    into->class_count = (int)count;
    into->class_names = calloc(count, sizeof *into->class_names);
    for (size_t i = 0; into->class_names && i < count; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        into->class_names[i] = strdup(name ? name : "?");
        if (into->class_names[i] == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: class names");
        dcnn_text_clean(into->class_names[i]);
    }
    return into->class_names ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: class names");
}

/* Of each of the net's channels, its number in an image. */
static dcnn_status take_order(const json_t *order, const char *path, dcnn_checkpoint *into) {
    int at[3];
    if (order == NULL) return DCNN_OK;
    for (size_t c = 0; c < 3; c++) at[c] = (int)json_integer_value(json_array_get(order, c));
    into->blue_first = at[0] == 2;
    if (json_array_size(order) != 3 || into->net->nodes[0].shape.c != 3 || at[1] != 1 || at[0] + at[2] != 2 ||
        at[0] == 1)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: its channel_order must be [0, 1, 2] or [2, 1, 0], for three channels",
                         path);
    return DCNN_OK;
}

dcnn_status dcnn_metadata_read(const json_t *metadata, const char *path, dcnn_checkpoint *into) {
    const json_t *mean = json_object_get(metadata, "mean"), *std = json_object_get(metadata, "std");
    const int channels = into->net->nodes[0].shape.c;
    if ((mean || std) && channels <= DCNN_MAX_CHANNELS) {
        if (json_array_size(mean) != (size_t)channels || json_array_size(std) != (size_t)channels)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "%s: names mean and std of %zu and %zu channels, its model takes images of %d", path,
                             json_array_size(mean), json_array_size(std), channels);
        for (int c = 0; c < channels; c++) {
            into->mean[c] = json_number_value(json_array_get(mean, (size_t)c));
            into->std[c] = json_number_value(json_array_get(std, (size_t)c));
            if (!isfinite(into->mean[c]) || !(isfinite(into->std[c]) && into->std[c] > 0.0))
                return DCNN_FAIL(DCNN_BAD_INPUT, "%s: mean and std of channel %d must be finite, and std above 0", path,
                                 c);
        }
        into->normalised = true;
    }
    DCNN_TRY(take_order(json_object_get(metadata, "channel_order"), path, into));
    return take_names(json_object_get(metadata, "class_names"), path, into);
}
