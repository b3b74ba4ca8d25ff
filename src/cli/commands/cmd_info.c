/* SPDX-License-Identifier: BSD-3-Clause */
/* cmd_info.c — dcnn info FILE [DATA.h5] */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands/training_cost.h"
#include "io/dataset/classes.h"
#include "io/kind.h"
#include "io/hdf5/hdf5_file.h"
#include "io/input.h"
#include "nn/nets/ensemble.h"
#include "nn/layer.h"
#include "nn/nets/receptive.h"

/* --- data sets -------------------------------------------------------------------------------------------------- */

static json_t *numbers_json(int count, const double *values) {
    json_t *array = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(array, json_real(values[i]));
    return array;
}

static json_t *names_json(int count, char *const *names) {
    json_t *array = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(array, json_string(names[i]));
    return array;
}

static dcnn_status print_dataset_json(const dcnn_dataset *d) {
    json_t *splits = json_object();
    for (int i = 0; i < d->split_count; i++)
        json_object_set_new(splits, d->splits[i].name, json_integer((json_int_t)d->splits[i].count));
    json_t *json =
        json_pack("{s:s, s:o, s:b, s:I, s:[i,i,i], s:o, s:o, s:o, s:o, s:o, s:o*, s:s*}", "kind", "data set", "file",
                  dcnn_json_shown(d->path), "sealed", d->sealed, "images", (json_int_t)d->count, "shape", d->h, d->w,
                  d->c, "class_names", names_json(d->class_count, d->class_names), "splits", splits, "mean",
                  numbers_json(d->c, d->mean), "std", numbers_json(d->c, d->std), "seed",
                  d->seed <= INT64_MAX ? json_integer((json_int_t)d->seed) : json_sprintf("%" PRIu64, d->seed),
                  "source", d->source ? dcnn_json_shown(d->source) : NULL, "source_checksum", d->source_checksum);
    if (d->target_width > 0) json_object_set_new(json, "target_names", names_json(d->target_width, d->target_names));
    return dcnn_json_print(json);
}

static void print_values(const char *what, int count, const double *values) {
    printf("%-15s", what);
    for (int i = 0; i < count; i++) printf("%s%.9g", i > 0 ? ", " : "", values[i]);
    putchar('\n');
}

static const char *seal_text(bool sealed) {
    return sealed ? "its checksum is correct" : "it has no checksum";
}

/* Smallest and largest class, and those without any image. */
static dcnn_status print_census(const dcnn_dataset *d) {
    int32_t *labels = malloc((size_t)d->count * sizeof *labels);
    dcnn_class_census census = {0};
    const char *const *names = (const char *const *)d->class_names;
    char text[300];
    dcnn_status status = labels ? dcnn_dataset_read_labels(d, labels)
                                : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its labels", d->path);
    if (status == DCNN_OK) status = dcnn_class_census_take(d->class_count, d->count, labels, NULL, &census);
    if (status == DCNN_OK) {
        printf("%15s%s\n", "", dcnn_class_census_range(&census, names, text));
        const char *empty = dcnn_class_census_empty(&census, NULL, names, text);
        if (empty) printf("%15s%s\n", "", empty);
    }
    dcnn_class_census_free(&census);
    free(labels);
    return status;
}

/* What is to be predicted, in which range. */
static dcnn_status print_targets(const dcnn_dataset *d) {
    const int width = d->target_width;
    float *values = malloc(((size_t)d->count * (size_t)width + 1) * sizeof *values);
    dcnn_status status = values ? dcnn_dataset_read_targets(d, values)
                                : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its targets", d->path);
    for (int i = 0; i < width && status == DCNN_OK; i++) {
        double least = INFINITY, most = -INFINITY, sum = 0.0;
        for (int64_t j = 0; j < d->count; j++) {
            const double value = (double)values[j * width + i];
            least = fmin(least, value);
            most = fmax(most, value);
            sum += value;
        }
        printf("%-15s'%s' from %.6g to %.6g, mean %.6g\n", i == 0 ? "to predict" : "", d->target_names[i], least, most,
               sum / (double)d->count);
    }
    free(values);
    return status;
}

static dcnn_status print_dataset(const dcnn_dataset *d) {
    dcnn_number number;
    printf("%s: a data set; %s\n\n", d->path, seal_text(d->sealed));
    printf("images         %s of %dx%dx%d\n", dcnn_number_text(d->count, &number), d->h, d->w, d->c);
    if (d->target_width > 0) DCNN_TRY(print_targets(d));
    if (d->class_count > 0) {
        printf("classes        %d:", d->class_count);
        for (int i = 0; i < d->class_count; i++) printf(" %s", d->class_names[i]);
        putchar('\n');
    }
    if (d->has_labels && d->class_count > 0) DCNN_TRY(print_census(d));
    printf("splits         ");
    for (int i = 0; i < d->split_count; i++)
        printf("%s%s %s", i > 0 ? ", " : "", d->splits[i].name, dcnn_number_text(d->splits[i].count, &number));
    printf("\nseed           %" PRIu64 "\n", d->seed);
    print_values("mean", d->c, d->mean);
    print_values("std", d->c, d->std);
    if (d->source && *d->source) printf("source         %s\n", d->source);
    if (d->source_checksum && *d->source_checksum) printf("               XXH3-64 %s\n", d->source_checksum);
    return DCNN_OK;
}

static dcnn_status tell_dataset(const char *path, bool json) {
    dcnn_dataset dataset;
    DCNN_TRY(dcnn_dataset_open(path, &dataset));
    dcnn_status status = dcnn_dataset_verify(&dataset);
    if (status == DCNN_OK && json) status = print_dataset_json(&dataset);
    if (status == DCNN_OK && !json) status = print_dataset(&dataset);
    dcnn_dataset_free(&dataset);
    return status;
}

/* --- nets ------------------------------------------------------------------------------------------------------- */

/* Weights proper; net->param_count counts the gaps between aligned tensors too. */
static void count_weights(const dcnn_net *net, int node, int64_t *trainable, int64_t *others) {
    for (int i = 0; i < net->nodes[node].param_count; i++) {
        const dcnn_param *param = &net->nodes[node].params[i];
        *(param->trainable ? trainable : others) += (int64_t)param->count;
    }
}

/* Which pixels of an image count. */
static void print_receptive(const dcnn_net *net) {
    dcnn_receptive r;
    if (dcnn_net_receptive(net, &r) != DCNN_OK || r.h == 0) return;
    printf("reads          %dx%d of %dx%d pixels (%.0f %%)", r.bottom - r.top, r.right - r.left, r.h, r.w,
           100.0 * dcnn_receptive_part(&r));
    if (dcnn_receptive_part(&r) < 1.0)
        printf(": rows %d to %d, columns %d to %d", r.top, r.bottom - 1, r.left, r.right - 1);
    putchar('\n');
}

static void print_layers(const dcnn_net *net) {
    const int64_t work = dcnn_net_multiply_adds(net, -1);
    int64_t trainable = 0, others = 0;
    dcnn_number number, total;
    printf("model \"%s\"\n\n%-44s %-17s %10s %15s\n", net->name, "layer (type)", "output shape", "params",
           "multiply-adds");
    for (int i = 0; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        int64_t own = 0;
        char label[2 * DCNN_NAME_BYTES], shape[48];
        count_weights(net, i, &own, &own);
        count_weights(net, i, &trainable, &others);
        snprintf(label, sizeof label, "%s (%s)", node->name, node->layer->class_name);
        printf("%-44s %-17s %10s", label, dcnn_shape_text(node->shape, shape), dcnn_number_text(own, &number));
        if (dcnn_net_multiply_adds(net, i) > 0)
            printf(" %13.1f %%", 100.0 * (double)dcnn_net_multiply_adds(net, i) / (double)work);
        else if (own > 0 && !node->trainable)
            printf("%16s", "");
        if (own > 0 && !node->trainable) printf("  frozen");
        putchar('\n');
    }
    printf("\nparams         %s", dcnn_number_text(trainable + others, &total));
    printf(" (%s trainable)\n", dcnn_number_text(trainable, &number));
    printf("multiply-adds  %s an image, forward%s\n", dcnn_number_text(work, &total),
           dcnn_net_has_bf16(net) ? "; products of bf16 (mixed_bfloat16)" : "");
    print_receptive(net);
    if (dcnn_ensemble_count(net) > 1) printf("ensemble       of %d members\n", dcnn_ensemble_count(net));
}

static json_t *receptive_json(const dcnn_net *net) {
    dcnn_receptive r;
    if (dcnn_net_receptive(net, &r) != DCNN_OK || r.h == 0) return json_null();
    return json_pack("{s:I, s:f, s:[i,i], s:[i,i]}", "pixels", (json_int_t)r.pixels, "part", dcnn_receptive_part(&r),
                     "rows", r.top, r.bottom, "columns", r.left, r.right);
}

static json_t *layers_json(const dcnn_net *net) {
    json_t *layers = json_array();
    for (int i = 0; i < net->node_count; i++) {
        const dcnn_node *node = &net->nodes[i];
        const dcnn_shape s = node->shape;
        int64_t trainable = 0, others = 0;
        count_weights(net, i, &trainable, &others);
        json_array_append_new(layers,
                              json_pack("{s:s, s:s, s:b, s:o, s:I, s:I, s:I}", "name", node->name, "type",
                                        node->layer->class_name, "trainable", node->trainable, "output_shape",
                                        s.rank == 3 ? json_pack("[i,i,i]", s.h, s.w, s.c) : json_pack("[i]", s.c),
                                        "trainable_params", (json_int_t)trainable, "other_params", (json_int_t)others,
                                        "multiply_adds", (json_int_t)dcnn_net_multiply_adds(net, i)));
    }
    return layers;
}

static json_t *net_json(const char *kind, const char *path, const dcnn_net *net) {
    int64_t trainable = 0, others = 0;
    for (int i = 0; i < net->node_count; i++) count_weights(net, i, &trainable, &others);
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:i}", "kind", kind, "file", dcnn_json_shown(path),
                     "name", net->name, "precision", dcnn_net_has_bf16(net) ? "bf16" : "fp32", "layers",
                     layers_json(net), "trainable_params", (json_int_t)trainable, "other_params", (json_int_t)others,
                     "multiply_adds", (json_int_t)dcnn_net_multiply_adds(net, -1), "reads", receptive_json(net),
                     "members", dcnn_ensemble_count(net));
}

static dcnn_status tell_description(const dcnn_options *o) {
    const char *path = o->operands[0];
    json_t *description;
    dcnn_net *net;
    DCNN_TRY(dcnn_description_read(path, &description));
    if (json_object_get(description, "starts") && json_object_get(description, "options")) {
        json_decref(description);
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: the record of a training run; 'dcnn report RUN' shows the run", path);
    }
    dcnn_status status = dcnn_net_create(description, (dcnn_shape){0}, &net);
    json_decref(description);
    if (status != DCNN_OK) {
        dcnn_error_prefix("%s", path);
        return status;
    }
    if (o->json) {
        json_t *json = net_json("model description", path, net);
        status = dcnn_training_cost_tell(o, net, json);
        if (status == DCNN_OK)
            status = dcnn_json_print(json);
        else
            json_decref(json);
    } else {
        printf("%s: the description of a model\n", path);
        print_layers(net);
        status = dcnn_training_cost_tell(o, net, NULL);
    }
    dcnn_net_free(net);
    return status;
}

/* --- models and checkpoints ------------------------------------------------------------------------------------- */

static void print_progress(const dcnn_checkpoint *c) {
    const dcnn_progress *p = &c->progress;
    dcnn_number number;
    printf("\nepochs         %" PRId64, p->epoch);
    if (p->cursor > 0) printf(" and %s samples", dcnn_number_text(p->cursor, &number));
    printf(", %s step%s, seed %" PRIu64 ", %.1f s\n", dcnn_number_text(p->step, &number), p->step == 1 ? "" : "s",
           p->seed, p->elapsed_s);
    if (p->phase > 0) printf("phase          %" PRId64 ", since epoch %" PRId64 "\n", p->phase + 1, p->phase_epoch + 1);
    if (p->best_epoch > 0) printf("best epoch     %" PRId64 ": validation loss %.6f", p->best_epoch, p->best_loss);
    if (p->best_epoch > 0 && c->net->class_count > 0) printf(", %s right", dcnn_number_text(p->best_correct, &number));
    if (p->best_epoch > 0) putchar('\n');
    char *data = c->data_path ? strdup(c->data_path) : NULL;
    if (data) dcnn_text_clean(data);
    if (data) printf("data           %s\n", data);
    free(data);
}

static void print_checkpoint(const char *path, const dcnn_checkpoint *c) {
    printf("%s: %s; %s\n", path, c->resumable ? "a checkpoint" : "a model", seal_text(c->seal == DCNN_SEAL_GOOD));
    print_layers(c->net);
    printf("weights hash   %016" PRIx64 "\n", dcnn_weights_hash(c->net));
    if (c->own && c->progress.step > 0) print_progress(c);
    if (c->normalised) {
        print_values("mean", c->net->nodes[0].shape.c, c->mean);
        print_values("std", c->net->nodes[0].shape.c, c->std);
        if (c->blue_first) puts("channel order  bgr");
    }
    if (c->class_names) {
        printf("%-15s%d:", c->net->class_count == 0 ? "numbers" : "classes", c->class_count);
        for (int i = 0; i < c->class_count; i++) printf(" %s", c->class_names[i]);
        putchar('\n');
    }
}

static json_t *progress_json(const dcnn_progress *p) {
    json_t *json =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:f}", "epoch", (json_int_t)p->epoch, "cursor", (json_int_t)p->cursor,
                  "step", (json_int_t)p->step, "best_epoch", (json_int_t)p->best_epoch, "best_correct",
                  (json_int_t)p->best_correct, "elapsed_s", p->elapsed_s);
    if (isfinite(p->best_loss)) json_object_set_new(json, "best_loss", json_real(p->best_loss));
    return json;
}

static dcnn_status print_checkpoint_json(const dcnn_options *o, const dcnn_checkpoint *c) {
    const char *path = o->operands[0];
    json_t *json = net_json(c->resumable ? "checkpoint" : "model", path, c->net);
    json_object_set_new(json, "sealed", json_boolean(c->seal == DCNN_SEAL_GOOD));
    json_object_set_new(json, "weights_hash", json_sprintf("%016" PRIx64, dcnn_weights_hash(c->net)));
    if (c->own && c->progress.step > 0) json_object_set_new(json, "progress", progress_json(&c->progress));
    if (c->options) json_object_set(json, "options", c->options);
    if (c->data_path) json_object_set_new(json, "data", dcnn_json_shown(c->data_path));
    if (c->normalised) {
        json_object_set_new(json, "mean", numbers_json(c->net->nodes[0].shape.c, c->mean));
        json_object_set_new(json, "std", numbers_json(c->net->nodes[0].shape.c, c->std));
        if (c->blue_first) json_object_set_new(json, "channel_order", json_string("bgr"));
    }
    if (c->class_names) json_object_set_new(json, "class_names", names_json(c->class_count, c->class_names));
    const dcnn_status status = dcnn_training_cost_tell(o, c->net, json);
    if (status == DCNN_OK) return dcnn_json_print(json);
    json_decref(json);
    return status;
}

static dcnn_status tell_checkpoint(const dcnn_options *given) {
    enum { MOST_BATCH = 1 << 20 }; /* that --batch-size takes: a file may say any number */
    dcnn_options options = *given, *o = &options;
    dcnn_checkpoint checkpoint;
    dcnn_status status = dcnn_checkpoint_read(o->operands[0], &checkpoint);
    const json_t *batch = status == DCNN_OK ? json_object_get(checkpoint.options, "batch-size") : NULL;
    if (json_is_integer(batch) && json_integer_value(batch) > 0 && json_integer_value(batch) <= MOST_BATCH &&
        !dcnn_option_given(DCNN_COMMAND_INFO, "batch-size", given))
        o->train.batch_size = json_integer_value(batch); /* as it was trained */
    if (status == DCNN_OK && o->json) {
        status = print_checkpoint_json(o, &checkpoint);
    } else if (status == DCNN_OK) {
        print_checkpoint(o->operands[0], &checkpoint);
        status = dcnn_training_cost_tell(o, checkpoint.net, NULL);
    }
    dcnn_checkpoint_free(&checkpoint);
    return status;
}

/* --- which ------------------------------------------------------------------------------------------------------ */

/* The first byte that is not a space: '{' begins a JSON, nothing else that dcnn reads. */
static int first_byte(const char *path) {
    FILE *file = dcnn_input_is_file(path) ? fopen(path, "rb") : NULL;
    int byte = EOF;
    if (file) {
        do byte = fgetc(file);
        while (byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r');
        fclose(file);
    }
    return byte;
}

static dcnn_status tell_hdf5(const dcnn_options *o) {
    const char *path = o->operands[0];
    dcnn_hdf5_content content;
    DCNN_TRY(dcnn_hdf5_look(path, &content));
    if (content == DCNN_HDF5_MODEL) return tell_checkpoint(o);
    if (o->operand_count > 1)
        return DCNN_FAIL(DCNN_USAGE,
                         "%s is not a model: give the model first, then the data set: dcnn info MODEL DATA.h5", path);
    if (content == DCNN_HDF5_DATASET || content == DCNN_HDF5_IMAGES) return tell_dataset(path, o->json);
    if (content == DCNN_HDF5_WEIGHTS)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: is weights alone, without the layers that they are of: `dcnn train DATA.h5 --model NET.json "
            "--weights %s` trains from them",
            path, path);
    return DCNN_FAIL(
        DCNN_BAD_INPUT,
        "%s: is an HDF5 file, but neither a data set of dcnn nor a Keras model; if there are images in it, `dcnn "
        "prepare FILE -o data.h5` makes a data set of them",
        path);
}

dcnn_status dcnn_cmd_info(dcnn_cli *cli) {
    const dcnn_options *o = cli->options;
    const char *path = o->operands[0];
    const dcnn_kind_id kind = dcnn_kind_of_file(path);
    if (kind == DCNN_KIND_JSON && first_byte(path) == '{') return tell_description(o);
    if (kind == DCNN_KIND_KERAS || kind == DCNN_KIND_ONNX) return tell_checkpoint(o);
    if (kind == DCNN_KIND_HDF5 || kind == DCNN_KIND_UNKNOWN || kind == DCNN_KIND_MISSING || kind == DCNN_KIND_EMPTY)
        return tell_hdf5(o);
    return dcnn_kind_fail(path, kind, "a data set or a model");
}
