/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_export.c — dcnn export MODEL -o FILE: a model in the format that FILE's ending names. */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/runs/spare.h"
#include "io/output.h"
#include "model/input.h"
#include "model/keras_archive.h"
#include "model/onnx/onnx.h"
#include "model/safetensors.h"
#include "nn/layer.h"
#include "nn/net_edit.h"

/* The table of formats; the first ending that fits is meant. */
typedef dcnn_status writer(const char *path, const dcnn_checkpoint *checkpoint, bool raw);

static dcnn_status write_keras(const char *path, const dcnn_checkpoint *checkpoint, bool raw) {
    (void)raw;
    return dcnn_keras_write(path, checkpoint, checkpoint->has_optimizer ? &checkpoint->optimizer : NULL);
}

static dcnn_status write_weights(const char *path, const dcnn_checkpoint *checkpoint, bool raw) {
    (void)raw;
    return dcnn_keras_weights_write(path, checkpoint);
}

static dcnn_status write_legacy(const char *path, const dcnn_checkpoint *checkpoint, bool raw) {
    (void)raw;
    return dcnn_checkpoint_write(path, checkpoint, checkpoint->has_optimizer ? &checkpoint->optimizer : NULL);
}

static dcnn_status write_safetensors(const char *path, const dcnn_checkpoint *checkpoint, bool raw) {
    (void)raw;
    return dcnn_safetensors_write(path, checkpoint);
}

static const struct {
    const char *ending, *name;
    writer *write;
} formats[] = {
    {".keras", "a Keras 3 model", write_keras},
    {".weights.h5", "weights for Keras' load_weights()", write_weights},
    {".h5", "a legacy Keras model", write_legacy},
    {".onnx", "an ONNX model", dcnn_onnx_write},
    {".safetensors", "weights as safetensors", write_safetensors},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

static int format_of(const char *path) {
    for (int i = 0; i < FORMATS; i++) {
        const size_t length = strlen(path), ending = strlen(formats[i].ending);
        if (length > ending && strcmp(path + length - ending, formats[i].ending) == 0) return i;
    }
    return -1;
}

/* Which images the model wants: as given, else as its file says; where nothing says it, it is left open, unless a layer
 * is to be made of it. */
static dcnn_status choose_input(const dcnn_options *o, dcnn_checkpoint *checkpoint) {
    const dcnn_input_given given = o->train.input;
    const bool is_given = dcnn_input_is_given(&given);
    dcnn_input input;
    if (is_given && dcnn_net_takes_bytes(checkpoint->net))
        return DCNN_FAIL(DCNN_USAGE,
                         "%s: the model scales its input itself: leave out --mean, --std, --scale and --channel-order",
                         o->operands[0]);
    if (!is_given && !o->raw_input) return DCNN_OK;
    DCNN_TRY(dcnn_input_choose(checkpoint, &given, NULL, NULL, &input));
    memcpy(checkpoint->mean, input.mean, sizeof input.mean);
    memcpy(checkpoint->std, input.std, sizeof input.std);
    checkpoint->normalised = true;
    checkpoint->blue_first = input.blue_first;
    return o->raw_input ? dcnn_input_take_bytes(checkpoint) : DCNN_OK;
}

/* What whoever uses the file has to know. */
static void tell_input(const char *path, const dcnn_checkpoint *checkpoint) {
    if (dcnn_net_takes_bytes(checkpoint->net))
        printf("%s: takes images as bytes, 0 to 255\n", path);
    else if (checkpoint->normalised)
        printf("%s: takes images as (byte / 255 - mean) / std%s, which it names; --raw-input makes a model of bytes\n",
               path, checkpoint->blue_first ? ", blue channel first" : "");
}

/* How Keras' fit() goes on. */
static void tell_optimizer(const char *path, const dcnn_checkpoint *checkpoint) {
    if (!checkpoint->has_optimizer) return;
    printf("%s: %s of learning rate %.6g, %s\n", path, dcnn_optimizer_table[checkpoint->optimizer.kind].keras_class,
           checkpoint->optimizer.learning_rate,
           checkpoint->m ? "with its moments: fit() goes on from there" : "without moments: fit() starts them afresh");
    json_t *words = dcnn_checkpoint_undecayed(checkpoint);
    if (json_array_size(words) > 0) {
        char *list = json_dumps(words, 0);
        printf("%s: Keras keeps no list of what has no weight decay (metadata.json has it); before fit(), call "
               "model.optimizer.exclude_from_weight_decay(var_names=%s)\n",
               path, list ? list : "...");
        free(list);
    }
    json_decref(words);
}

/* Where Keras would look for the weights of a layer in a nested model, this file has none. */
static void tell_nested(const char *path, const dcnn_net *net) {
    bool nested = false;
    for (int i = 0; i < net->node_count; i++)
        nested = nested || (net->nodes[i].param_count > 0 && strstr(net->nodes[i].path, "/layers/"));
    if (nested)
        printf("%s: nested models are written flat: load_weights() takes it in the model that dcnn export writes as "
               ".keras, not in the nested one\n",
               path);
}

/* Convolutions that PyTorch has, and Keras refuses to make. */
static void tell_dilated(const char *path, const dcnn_net *net) {
    const dcnn_node *node = dcnn_net_dilated_stride(net);
    if (node)
        dcnn_warn(
            "%s: Keras will refuse to open it: layer '%s' (%s) has both \"strides\" and \"dilation_rate\" above 1, "
            "which Keras does not take; dcnn does, and an .onnx has no such limit",
            path, node->name, node->layer->class_name);
}

dcnn_status dcnn_cmd_export(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    const char *model = o->operands[0];
    if (o->output == NULL)
        return DCNN_FAIL(
            DCNN_USAGE,
            "no output was given; name the file to write: dcnn export %s -o FILE.keras (or .h5, .weights.h5, .onnx, "
            ".safetensors)",
            model);
    DCNN_TRY(dcnn_spare_place(o->output, "-o", "model.keras"));
    const int format = format_of(o->output);
    if (format < 0)
        return DCNN_FAIL(DCNN_USAGE,
                         "%s: its ending names no format: it must be .keras, .h5, .weights.h5, .onnx or .safetensors",
                         o->output);
    if (dcnn_output_among(o->output, 1, o->operands) >= 0)
        return DCNN_FAIL(DCNN_USAGE,
                         "%s: is the model %s itself, which the export would replace: name another file "
                         "with -o",
                         o->output, model);
    if (!o->force && access(o->output, F_OK) == 0) return dcnn_output_exists(o->output);
    dcnn_checkpoint checkpoint;
    DCNN_TRY(dcnn_checkpoint_read(model, &checkpoint));
    checkpoint.only_new = !o->force;
    char crops[256];
    dcnn_status status = choose_input(o, &checkpoint);
    const bool whole = formats[format].write == write_keras || formats[format].write == write_legacy;
    const bool settles = whole && dcnn_net_crops(checkpoint.net, crops);
    if (status == DCNN_OK && settles) status = dcnn_net_settle_crops(&checkpoint.net);
    if (status == DCNN_OK) status = formats[format].write(o->output, &checkpoint, o->raw_input);
    if (status == DCNN_OK) {
        printf("%s: %s\n", o->output, formats[format].name);
        if (settles)
            printf("%s: a Resizing stands behind the RandomCrop, which in Keras 3.7 and later hands on the whole image "
                   "outside training\n",
                   o->output);
        if (formats[format].write == write_weights) tell_nested(o->output, checkpoint.net);
        if (whole) tell_dilated(o->output, checkpoint.net);
        if (formats[format].write == write_keras) tell_optimizer(o->output, &checkpoint);
        tell_input(o->output, &checkpoint);
    }
    dcnn_checkpoint_free(&checkpoint);
    return status;
}
