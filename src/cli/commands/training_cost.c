/* SPDX-License-Identifier: BSD-3-Clause */
/* training_cost.c — see training_cost.h. */
#include "cli/commands/training_cost.h"

#include <inttypes.h>
#include <math.h>

#include "base/text.h"
#include "bench/cost.h"
#include "cli/cli.h"
#include "cli/runs/start.h"
#include "engine/engine.h"
#include "nn/net_edit.h"
#include "run/data/loader.h"
#include "run/starting_net.h"

/* What is trained, and on what. */
typedef struct training {
    const dcnn_options *options;
    dcnn_net *net;
    dcnn_dataset data;
    bool has_data;
    int64_t images; /* for training */
    int kept;       /* node whose output may be kept, 0: none */
    dcnn_cost cost; /* all layers in each step */
    dcnn_cost rest; /* those behind `kept` */
} training;

/* Fitted to a data set, as a training begins. */
static dcnn_status fit(training *t) {
    const dcnn_options *o = t->options;
    const char *model = o->operands[0];
    dcnn_checkpoint state;
    DCNN_TRY(dcnn_dataset_open(o->operands[1], &t->data));
    const dcnn_split *split = dcnn_dataset_split(&t->data, "train");
    t->images = split ? split->count : t->data.count;
    const dcnn_status status = dcnn_start_net(o, model, &t->data, &state);
    t->net = state.net;
    state.net = NULL;
    dcnn_checkpoint_free(&state);
    DCNN_TRY(status);
    if (dcnn_has_weights(model))
        return dcnn_loader_can_fit(t->net->nodes[0].shape, model, t->data.h, t->data.w, t->data.c, t->data.path);
    return dcnn_net_check_shape(t->net, model, t->data.h, t->data.w, t->data.c, t->data.path);
}

/* Of the model alone. */
static dcnn_status copy(const dcnn_net *net, training *t) {
    const dcnn_options *o = t->options;
    const dcnn_net_edit edit = {.freeze = {o->freeze.count, o->freeze.text},
                                .unfreeze = {o->unfreeze.count, o->unfreeze.text},
                                .freeze_below = o->train.freeze_below,
                                .train_last = (int)o->train.train_last};
    if (o->train.replace_head)
        return DCNN_FAIL(DCNN_USAGE,
                         "--replace-head: name the data set whose classes it fits: dcnn info MODEL DATA.h5");
    DCNN_TRY(dcnn_net_copy(net, &t->net));
    return dcnn_net_edit_apply(&edit, &t->net);
}

static dcnn_status measure(training *t) {
    const dcnn_options *o = t->options;
    dcnn_cost_options options = {.batch = o->train.batch_size,
                                 .grain = dcnn_engine_grain(o->train.batch_size),
                                 .threads = (int)o->train.threads,
                                 .fuse = true,
                                 .recompute = o->train.recompute,
                                 .measured = t->has_data};
    DCNN_TRY(dcnn_cost_of(t->net, &options, &t->cost));
    options.first = t->kept = dcnn_net_frozen_end(t->net);
    return t->kept > 0 ? dcnn_cost_of(t->net, &options, &t->rest) : DCNN_OK;
}

static double epoch_s(const training *t, const dcnn_cost *cost) {
    return cost->image_s * (double)t->images / cost->threads;
}

/* "about 3.2 s", "about 11 min", "about 2.5 h" */
static const char *time_text(double s, char text[32]) {
    if (s < 0.1)
        snprintf(text, 32, "less than 0.1 s");
    else if (s < 90.0)
        snprintf(text, 32, s < 10.0 ? "about %.1f s" : "about %.0f s", s);
    else if (s < 5400.0)
        snprintf(text, 32, "about %.0f min", s / 60.0);
    else
        snprintf(text, 32, "about %.1f h", s / 3600.0);
    return text;
}

static void print_epoch(const training *t) {
    const int64_t batch = t->options->train.batch_size;
    dcnn_number images, steps;
    char time[32], all[32], activations[32], weights[32];
    printf("memory         about %s: activations %s, weights, gradient and moments %s\n",
           dcnn_bytes_text(t->cost.activations + t->cost.weights, all),
           dcnn_bytes_text(t->cost.activations, activations), dcnn_bytes_text(t->cost.weights, weights));
    printf("an epoch       %s images, %s step%s: %s on %d core%s, by one grain timed on one; reading and "
           "augmenting images comes on top\n",
           dcnn_number_text(t->images, &images), dcnn_number_text((t->images + batch - 1) / batch, &steps),
           t->images <= batch ? "" : "s", time_text(epoch_s(t, &t->cost), time), t->cost.threads,
           t->cost.threads == 1 ? "" : "s");
    if (t->kept > 0)
        printf("... kept       %s, where what the layers up to '%s' make is kept: with --no-augment or "
               "--feature-variants\n",
               time_text(epoch_s(t, &t->rest), time), t->net->nodes[t->kept].name);
}

static void print(const training *t) {
    const dcnn_cost *c = &t->cost;
    dcnn_number forward, backward, batch;
    printf("training       ");
    if (t->net->untrainable[0]) {
        printf("refused: %s\n", t->net->untrainable);
        return;
    }
    if (c->trained == 0)
        printf("none of %d layers with weights\n", c->layers);
    else if (c->trained == c->layers)
        printf(c->layers == 1 ? "the only layer with weights\n" : "all %d layers with weights\n", c->layers);
    else
        printf("%d of %d layers with weights, from '%s' on; gradients of %d of %d operation%s\n", c->trained, c->layers,
               t->net->nodes[c->first_trained].name, c->backward_ops, c->ops, c->ops == 1 ? "" : "s");
    printf(
        "a step         of %s images: %s million multiply-adds forward, %s backward\n",
        dcnn_number_text(t->options->train.batch_size, &batch),
        dcnn_number_text((int64_t)ceil(1e-6 * (double)c->forward * (double)t->options->train.batch_size), &forward),
        dcnn_number_text((int64_t)ceil(1e-6 * (double)c->backward * (double)t->options->train.batch_size), &backward));
    if (t->has_data) print_epoch(t);
}

static json_t *describe(const training *t) {
    const dcnn_cost *c = &t->cost;
    if (t->net->untrainable[0]) return json_pack("{s:s}", "refused", t->net->untrainable);
    json_t *json = json_pack("{s:i, s:i, s:i, s:i, s:I, s:I, s:I}", "layers", c->layers, "trained_layers", c->trained,
                             "operations", c->ops, "with_gradients", c->backward_ops, "batch_size",
                             (json_int_t)t->options->train.batch_size, "multiply_adds_forward", (json_int_t)c->forward,
                             "multiply_adds_backward", (json_int_t)c->backward);
    if (c->trained > 0 && c->trained < c->layers)
        json_object_set_new(json, "first_trained", json_string(t->net->nodes[c->first_trained].name));
    if (!t->has_data) return json;
    json_object_set_new(json, "images", json_integer((json_int_t)t->images));
    json_object_set_new(json, "activation_bytes", json_integer((json_int_t)c->activations));
    json_object_set_new(json, "weight_bytes", json_integer((json_int_t)c->weights));
    json_object_set_new(json, "threads", json_integer(c->threads));
    json_object_set_new(json, "epoch_s", json_real(epoch_s(t, c)));
    if (t->kept > 0) json_object_set_new(json, "epoch_kept_s", json_real(epoch_s(t, &t->rest)));
    return json;
}

dcnn_status dcnn_training_cost_tell(const dcnn_options *options, const dcnn_net *net, json_t *json) {
    training t = {.options = options, .has_data = options->operand_count > 1};
    dcnn_status status = t.has_data ? fit(&t) : copy(net, &t);
    if (status == DCNN_OK && t.net->untrainable[0] == '\0') status = measure(&t);
    if (status == DCNN_OK && json)
        json_object_set_new(json, "training", describe(&t));
    else if (status == DCNN_OK)
        print(&t);
    dcnn_net_free(t.net);
    dcnn_dataset_free(&t.data);
    return status;
}
