/* SPDX-License-Identifier: BSD-3-Clause */
/* compile_state.c — what Keras' compile() leaves in a model file: the loss, which is used, and the optimizer, which
 * dcnn names and hands on but takes from its own options. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "model/model_private.h"

/* A layer's name as a regular expression that finds its weights' paths. */
static json_t *path_pattern(const char *name) {
    char pattern[2 * DCNN_NAME_BYTES + 16] = "(^|/)";
    size_t used = strlen(pattern);
    for (; *name && used < sizeof pattern - 4; name++) {
        if (strchr("\\.^$*+?{}[]|()", *name)) pattern[used++] = '\\';
        pattern[used++] = *name;
    }
    snprintf(pattern + used, sizeof pattern - used, "/");
    return json_string(pattern);
}

/* Its Adam has names and a decay of its own, and Keras would take Muon for the last layer too. */
static void describe_muon(const dcnn_net *net, const dcnn_optimizer *o, json_t *settings) {
    const dcnn_node *head = dcnn_muon_head(net);
    json_object_set_new(settings, "adam_beta_1", json_real(o->beta1));
    json_object_set_new(settings, "adam_beta_2", json_real(o->beta2));
    json_object_set_new(settings, "adam_weight_decay",
                        o->weight_decay > 0.0 ? json_real(o->weight_decay) : json_null());
    json_object_set_new(settings, "exclude_layers", head ? json_pack("[o]", path_pattern(head->name)) : json_array());
    json_object_del(settings, "beta_1");
    json_object_del(settings, "beta_2");
}

/* The settings of one kind behind those of all, by the options that it reads. */
static void describe_own_settings(const dcnn_optimizer *o, json_t *settings) {
    const char *reads = dcnn_optimizer_table[o->kind].options;
    const struct {
        const char *option, *key;
        double value;
    } rows[] = {{" momentum ", "momentum", o->momentum},
                {" beta-1 ", "beta_1", o->beta1},
                {" beta-2 ", o->kind == DCNN_RMSPROP ? "rho" : "beta_2", o->beta2},
                {" epsilon ", "epsilon", o->epsilon}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strstr(reads, rows[i].option)) json_object_set_new(settings, rows[i].key, json_real(rows[i].value));
    if (o->kind == DCNN_ADAM || o->kind == DCNN_ADAMW) json_object_set_new(settings, "amsgrad", json_false());
    if (o->kind == DCNN_SGD || o->kind == DCNN_MUON)
        json_object_set_new(settings, "nesterov", json_boolean(o->nesterov));
    if (o->clip_norm > 0.0) json_object_set_new(settings, "global_clipnorm", json_real(o->clip_norm));
    if (o->clip_value > 0.0) json_object_set_new(settings, "clipvalue", json_real(o->clip_value));
}

static json_t *describe_loss(const dcnn_net *net) {
    const dcnn_activation_kind end = dcnn_net_output_activation(net);
    const bool logits = end == DCNN_LINEAR && !dcnn_loss_is_regression(net->loss.kind);
    const bool categorical = net->loss.kind == DCNN_LOSS_CATEGORICAL;
    const bool smoothed = net->loss.smoothing > 0.0, huber = net->loss.kind == DCNN_LOSS_HUBER;
    if (!logits && !smoothed && !(huber && net->loss.delta > 0.0)) return json_string(dcnn_loss_name(net->loss.kind));
    json_t *config = json_pack("{s:s}", "reduction", "sum_over_batch_size");
    if (huber)
        json_object_set_new(config, "delta", json_real(net->loss.delta > 0.0 ? net->loss.delta : 1.0));
    else
        json_object_set_new(config, "from_logits", json_boolean(logits));
    if (smoothed) json_object_set_new(config, "label_smoothing", json_real(net->loss.smoothing));
    const char *class_name = huber          ? "Huber"
                             : !categorical ? "BinaryCrossentropy"
                             : smoothed     ? "CategoricalCrossentropy" /* the other one smooths nothing */
                                            : "SparseCategoricalCrossentropy";
    return json_pack("{s:s, s:s, s:o, s:n}", "module", "keras.losses", "class_name", class_name, "config", config,
                     "registered_name");
}

json_t *dcnn_compile_state_describe(const dcnn_net *net, const dcnn_optimizer *optimizer, bool archive) {
    const char *class_name = dcnn_optimizer_table[optimizer->kind].keras_class;
    if (class_name == NULL) return NULL;
    json_t *settings =
        json_pack("{s:s, s:f, s:n, s:n, s:n, s:n, s:b, s:f, s:n, s:n, s:n}", "name",
                  dcnn_optimizer_table[optimizer->kind].name, "learning_rate", optimizer->learning_rate, "weight_decay",
                  "clipnorm", "global_clipnorm", "clipvalue", "use_ema", 0, "ema_momentum", 0.99,
                  "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps");
    if (optimizer->weight_decay > 0.0)
        json_object_set_new(settings, "weight_decay", json_real(optimizer->weight_decay));
    describe_own_settings(optimizer, settings);
    if (optimizer->kind == DCNN_MUON) describe_muon(net, optimizer, settings);
    if (optimizer->ema_momentum > 0.0) {
        json_object_set_new(settings, "use_ema", json_true());
        json_object_set_new(settings, "ema_momentum", json_real(optimizer->ema_momentum));
        if (optimizer->ema_overwrite > 0)
            json_object_set_new(settings, "ema_overwrite_frequency", json_integer(optimizer->ema_overwrite));
    }
    const char *metric = dcnn_loss_is_regression(net->loss.kind) ? "mean_absolute_error" : "accuracy";
    json_t *state = json_pack("{s:o, s:n, s:[s], s:n, s:b, s:i, s:o}", "loss", describe_loss(net), "loss_weights",
                              "metrics", metric, "weighted_metrics", "run_eagerly", 0, "steps_per_execution", 1,
                              "jit_compile", archive ? json_false() : json_string("auto"));
    json_t *own = json_pack("{s:s, s:o}", "class_name", class_name, "config", settings);
    if (archive) {
        json_object_set_new(own, "module", json_string("keras.optimizers"));
        json_object_set_new(own, "registered_name", json_null());
    }
    json_object_set_new(state, archive ? "optimizer" : "optimizer_config", own);
    return state;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* "mse", {"class_name": "CategoricalCrossentropy", "config": {…}} or a function's {"config": "mse"}; of a dict or list
 * with one entry, that. */
static const json_t *one_loss(const json_t *loss) {
    if (json_is_array(loss) && json_array_size(loss) == 1) return json_array_get(loss, 0);
    if (json_is_object(loss) && json_object_get(loss, "class_name") == NULL && json_object_size(loss) == 1)
        return json_object_iter_value(json_object_iter((json_t *)(uintptr_t)loss));
    return loss;
}

static const char *loss_name(const json_t *loss) {
    const char *class_name = json_string_value(json_object_get(loss, "class_name"));
    const char *function = json_string_value(json_object_get(loss, "config"));
    if (json_is_string(loss)) return json_string_value(loss);
    return class_name && strcmp(class_name, "function") == 0 && function ? function : class_name;
}

/* The settings again, as dcnn itself wrote them. */
static bool take_optimizer(const json_t *own, dcnn_optimizer *o) {
    const char *class_name = json_string_value(json_object_get(own, "class_name"));
    const json_t *settings = json_object_get(own, "config");
    int kind = 0;
    for (; kind < DCNN_OPTIMIZER_COUNT; kind++) {
        const char *known = dcnn_optimizer_table[kind].keras_class;
        if (known && class_name && strcmp(known, class_name) == 0) break;
    }
    const char *rho = kind == DCNN_RMSPROP ? "rho" : kind == DCNN_MUON ? "adam_beta_2" : "beta_2";
    const char *beta1 = kind == DCNN_MUON ? "adam_beta_1" : "beta_1";
    const bool averages = json_is_true(json_object_get(settings, "use_ema"));
    if (kind == DCNN_OPTIMIZER_COUNT || !json_is_number(json_object_get(settings, "learning_rate"))) return false;
    *o = (dcnn_optimizer){.kind = (dcnn_optimizer_kind)kind,
                          .learning_rate = json_number_value(json_object_get(settings, "learning_rate")),
                          .beta1 = json_number_value(json_object_get(settings, beta1)),
                          .beta2 = json_number_value(json_object_get(settings, rho)),
                          .epsilon = json_number_value(json_object_get(settings, "epsilon")),
                          .momentum = json_number_value(json_object_get(settings, "momentum")),
                          .weight_decay = json_number_value(json_object_get(settings, "weight_decay")),
                          .nesterov = json_is_true(json_object_get(settings, "nesterov")),
                          .clip_norm = json_number_value(json_object_get(settings, "global_clipnorm")),
                          .clip_value = json_number_value(json_object_get(settings, "clipvalue")),
                          .ema_overwrite = json_integer_value(json_object_get(settings, "ema_overwrite_frequency"))};
    if (averages) o->ema_momentum = json_number_value(json_object_get(settings, "ema_momentum"));
    return true;
}

/* What the outputs are under losses that dcnn does not have, where the last layer leaves it open. */
static dcnn_loss_kind kin_of(const char *name) {
    static const struct {
        const char *names;
        dcnn_loss_kind kind;
    } rows[] = {{" log_cosh logcosh LogCosh mean_absolute_percentage_error mape MAPE MeanAbsolutePercentageError "
                 "mean_squared_logarithmic_error msle MSLE MeanSquaredLogarithmicError poisson Poisson "
                 "cosine_similarity CosineSimilarity ",
                 DCNN_LOSS_SQUARED},
                {" binary_focal_crossentropy BinaryFocalCrossentropy ", DCNN_LOSS_BINARY}};
    char word[80];
    snprintf(word, sizeof word, " %.70s ", name);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strstr(rows[i].names, word)) return rows[i].kind;
    return DCNN_LOSS_CATEGORICAL;
}

json_t *dcnn_loss_describe(const dcnn_checkpoint *from) {
    const dcnn_loss *loss = &from->net->loss;
    const dcnn_activation_kind end = dcnn_net_output_activation(from->net);
    const dcnn_loss_kind meant = end == DCNN_LINEAR ? DCNN_LOSS_CATEGORICAL : dcnn_loss_of_output(end);
    if (from->unknown_loss[0]) return json_pack("{s:s, s:{}}", "class_name", from->unknown_loss, "config");
    if (loss->kind == meant && !(loss->smoothing > 0.0)) return NULL;
    json_t *config = json_object();
    if (loss->smoothing > 0.0) json_object_set_new(config, "label_smoothing", json_real(loss->smoothing));
    if (loss->delta > 0.0) json_object_set_new(config, "delta", json_real(loss->delta));
    return json_pack("{s:s, s:o}", "class_name", dcnn_loss_name(loss->kind), "config", config);
}

void dcnn_loss_take(const json_t *given, dcnn_checkpoint *into) {
    const json_t *loss = one_loss(given), *config = json_object_get(loss, "config");
    const char *name = loss_name(loss);
    dcnn_net *net = into->net;
    if (name == NULL) return;
    dcnn_loss known = {.kind = dcnn_loss_find(name),
                       .smoothing = json_number_value(json_object_get(config, "label_smoothing")),
                       .delta = json_number_value(json_object_get(config, "delta"))};
    into->unknown_loss[0] = '\0';
    if (known.kind == DCNN_LOSS_COUNT) {
        snprintf(into->unknown_loss, sizeof into->unknown_loss, "%.60s", name);
        dcnn_text_clean(into->unknown_loss);
        if (dcnn_net_output_activation(net) == DCNN_LINEAR)
            (void)dcnn_net_set_loss(net, &(dcnn_loss){.kind = kin_of(name)}); /* every loss fits such an end */
        if (net->untrainable[0] == '\0')
            snprintf(net->untrainable, sizeof net->untrainable,
                     "it was compiled with the loss %s, which dcnn does not have", into->unknown_loss);
    } else if (dcnn_net_set_loss(net, &known) != DCNN_OK) {
        snprintf(net->untrainable, sizeof net->untrainable, "%.180s", dcnn_error());
    }
    into->class_count = net->class_count;
}

dcnn_status dcnn_compile_state_take(const json_t *state, dcnn_checkpoint *into) {
    const json_t *optimizer = json_object_get(state, "optimizer");
    const char *name = loss_name(one_loss(json_object_get(state, "loss"))), *rule = json_string_value(optimizer);
    if (optimizer == NULL) optimizer = json_object_get(state, "optimizer_config");
    into->has_optimizer = take_optimizer(optimizer, &into->optimizer);
    if (rule == NULL) rule = json_string_value(json_object_get(optimizer, "class_name"));
    dcnn_loss_take(json_object_get(state, "loss"), into);
    if (name || rule)
        snprintf(into->compiled, sizeof into->compiled,
                 "the file's loss (%.60s) is %s; its optimizer (%.40s) and the optimizer's state are not: the "
                 "options of dcnn train decide",
                 name ? name : "none", into->unknown_loss[0] ? "unknown to dcnn" : "used", rule ? rule : "none");
    return DCNN_OK;
}
