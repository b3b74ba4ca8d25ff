/* SPDX-License-Identifier: BSD-3-Clause */
/* task.c — see task.h. */
#include "run/data/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/evaluator.h"
#include "nn/net_edit.h"

/* Are all numbers 0 or 1; and from 0 to 1? */
static dcnn_status look_at_targets(const dcnn_dataset *d, bool *marks, bool *shares) {
    const size_t count = (size_t)d->count * (size_t)d->target_width;
    float *values = malloc((count + 1) * sizeof *values);
    dcnn_status status = values ? dcnn_dataset_read_targets(d, values)
                                : DCNN_FAIL(DCNN_FAILURE, "out of memory: targets of %s", d->path);
    *marks = *shares = true;
    for (size_t i = 0; i < count && status == DCNN_OK; i++) {
        *marks = *marks && (values[i] == 0.0f || values[i] == 1.0f);
        *shares = *shares && values[i] >= 0.0f && values[i] <= 1.0f;
    }
    free(values);
    return status;
}

static dcnn_status choose_values(const dcnn_dataset *d, bool asked, dcnn_task *task) {
    bool marks, shares;
    DCNN_TRY(look_at_targets(d, &marks, &shares));
    if (!asked) {
        task->loss = marks ? DCNN_LOSS_BINARY : DCNN_LOSS_SQUARED;
        task->guessed = true;
    } else if (task->loss == DCNN_LOSS_BINARY && !shares) {
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "--loss %s wants targets from 0 to 1, but some of %s lie outside: mean_squared_error learns any",
            dcnn_loss_word(task->loss), d->path);
    }
    task->units = d->target_width;
    return DCNN_OK;
}

dcnn_status dcnn_task_choose(const char *loss, const dcnn_dataset *d, dcnn_task *task) {
    const bool asked = loss && strcmp(loss, "auto") != 0;
    *task = (dcnn_task){.loss = asked ? dcnn_loss_find(loss) : DCNN_LOSS_COUNT};
    const bool regression = asked && dcnn_loss_is_regression(task->loss);
    if (regression && d->target_width == 0)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "--loss %s learns numbers, but %s has only classes: dcnn prepare --target-columns makes a data "
            "set of numbers",
            dcnn_loss_word(task->loss), d->path);
    if (task->loss == DCNN_LOSS_CATEGORICAL && !d->has_labels)
        return DCNN_FAIL(DCNN_BAD_INPUT, "--loss %s learns classes, but %s has only numbers to predict", loss, d->path);
    task->values = d->target_width > 0 && (regression || !d->has_labels);
    if (task->values) return choose_values(d, asked, task);
    task->units = task->loss == DCNN_LOSS_BINARY && d->class_count == 2 ? 1 : d->class_count;
    return DCNN_OK;
}

const char *dcnn_task_activation(const dcnn_task *task) {
    if (task->loss == DCNN_LOSS_COUNT || task->loss == DCNN_LOSS_CATEGORICAL) return "softmax";
    return task->loss == DCNN_LOSS_BINARY ? "sigmoid" : "linear";
}

/* A guess is no better than what a model was made for. */
static bool keeps_own(const dcnn_task *task, const dcnn_net *net) {
    if (task->loss == DCNN_LOSS_COUNT) return true;
    if (!task->guessed) return task->loss == net->loss.kind;
    return net->class_count == 0 || (net->loss.kind == DCNN_LOSS_BINARY && task->loss == DCNN_LOSS_BINARY);
}

/* Another number of classes, or of numbers, than the model's. @param head  is --replace-head for it? */
static dcnn_status fail_units(const dcnn_task *task, const dcnn_dataset *d, bool head, const dcnn_net *net) {
    const bool values = task->values;
    const int wanted = values ? d->target_width : d->class_count, units = net->output_count;
    char own[32] = "", advice[128] = "";
    if (!values && net->class_count != units) snprintf(own, sizeof own, " (%d classes)", net->class_count);
    if (!dcnn_net_has_head(net))
        snprintf(advice, sizeof advice, ": give it a Dense of %d unit%s as its last layer", wanted,
                 wanted == 1 ? "" : "s");
    else if (head)
        snprintf(advice, sizeof advice, ": --replace-head fits it to %s", wanted == 1 ? "it" : "them");
    return DCNN_FAIL(DCNN_BAD_INPUT, "the model's last layer '%s' has %d %s%s%s, but %s has %d %s%s%s%s",
                     net->nodes[net->node_count - 1].name, units, dcnn_net_has_head(net) ? "unit" : "output",
                     units == 1 ? "" : "s", own, d->path, wanted, values ? "number" : "class",
                     wanted == 1 ? ""
                     : values    ? "s"
                                 : "es",
                     values ? " to predict" : "", advice);
}

dcnn_status dcnn_task_fit(const dcnn_task *task, const dcnn_dataset *d, bool head, dcnn_net *net) {
    if (!keeps_own(task, net)) {
        const dcnn_status status = dcnn_net_set_loss(net, &(dcnn_loss){.kind = task->loss});
        if (status != DCNN_OK) {
            if (task->guessed) dcnn_error_prefix("%s has numbers to predict", d->path);
            return status;
        }
    }
    if (task->values) {
        if (net->output_count == d->target_width) return DCNN_OK;
        return fail_units(task, d, head, net);
    }
    if (net->class_count == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "the model gives numbers (loss %s), but %s has classes",
                         dcnn_loss_word(net->loss.kind), d->path);
    if (net->class_count == d->class_count) return dcnn_evaluator_can_count(net);
    return fail_units(task, d, head, net);
}

dcnn_status dcnn_task_check_names(const dcnn_dataset *d, int count, char *const names[]) {
    bool same = true, all = true;
    if (names == NULL || count != d->target_width || d->target_names == NULL) return DCNN_OK;
    for (int i = 0; i < count; i++) {
        bool found = false;
        for (int j = 0; j < count; j++) found = found || strcmp(names[i], d->target_names[j]) == 0;
        same = same && strcmp(names[i], d->target_names[i]) == 0;
        all = all && found;
    }
    if (same) return DCNN_OK;
    if (all)
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: its targets are in another order ('%s', ...) than the model's outputs ('%s', ...): prepare it "
            "with --target-columns in that order",
            d->path, d->target_names[0], names[0]);
    dcnn_info("%s: its targets have other names ('%s', ...) than the model's outputs ('%s', ...): taken in order",
              d->path, d->target_names[0], names[0]);
    return DCNN_OK;
}
