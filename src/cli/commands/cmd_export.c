/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_export.c — dcnn export MODEL -o FILE: a model in the format that FILE's ending names. */
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "model/keras_archive.h"

/* The table of formats; the first ending that fits is meant. */
typedef dcnn_status writer(const char *path, const dcnn_checkpoint *checkpoint);

static dcnn_status write_keras(const char *path, const dcnn_checkpoint *checkpoint) {
    return dcnn_keras_write(path, checkpoint, NULL);
}

static dcnn_status write_weights(const char *path, const dcnn_checkpoint *checkpoint) {
    return dcnn_keras_weights_write(path, checkpoint->net);
}

static dcnn_status write_legacy(const char *path, const dcnn_checkpoint *checkpoint) {
    return dcnn_checkpoint_write(path, checkpoint, NULL);
}

static const struct {
    const char *ending, *name;
    writer *write;
} formats[] = {
    {".keras", "a Keras 3 model", write_keras},
    {".weights.h5", "weights for Keras' load_weights()", write_weights},
    {".h5", "a legacy Keras model", write_legacy},
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

static int format_of(const char *path) {
    for (int i = 0; i < FORMATS; i++) {
        const size_t length = strlen(path), ending = strlen(formats[i].ending);
        if (length > ending && strcmp(path + length - ending, formats[i].ending) == 0) return i;
    }
    return -1;
}

dcnn_status dcnn_cmd_export(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    const char *model = o->operands[0];
    if (o->output == NULL)
        return DCNN_FAIL(DCNN_USAGE, "where to? Name a file: dcnn export %s -o FILE.keras (or .h5, .weights.h5)",
                         model);
    const int format = format_of(o->output);
    if (format < 0)
        return DCNN_FAIL(DCNN_USAGE, "%s: its ending names no format: it must be .keras, .h5 or .weights.h5",
                         o->output);
    if (!o->force && access(o->output, F_OK) == 0)
        return DCNN_FAIL(DCNN_USAGE, "%s is there already: say --force to replace it", o->output);
    dcnn_checkpoint checkpoint;
    DCNN_TRY(dcnn_checkpoint_read(model, &checkpoint));
    dcnn_status status = formats[format].write(o->output, &checkpoint);
    if (status == DCNN_OK) printf("%s: %s\n", o->output, formats[format].name);
    dcnn_checkpoint_free(&checkpoint);
    return status;
}
