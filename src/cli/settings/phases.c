/* SPDX-License-Identifier: BSD-3-Clause */
/* phases.c — see phases.h. */
#include "cli/settings/phases.h"

#include <stdlib.h>
#include <string.h>

#include "cli/settings/train_settings.h"
#include "engine/engine.h"

static dcnn_status fail_unknown(const char *name) {
    char text[600];
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < dcnn_option_count && used < 500; i++)
        if (dcnn_option_table[i].phase && dcnn_option_table[i].group != NULL &&
            strcmp(dcnn_option_table[i].group, dcnn_option_find(DCNN_COMMAND_TRAIN, "epochs")->group) == 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s, ", dcnn_option_table[i].name);
    if (dcnn_option_find(DCNN_COMMAND_TRAIN, name))
        return DCNN_FAIL(DCNN_USAGE,
                         "--then: '%.60s' is the same in all phases; a phase may have its own %soptions of the "
                         "optimizer and of the augmentation",
                         name, text);
    return DCNN_FAIL(DCNN_USAGE,
                     "--then: there is no option '%.60s'; a phase takes %soptions of the optimizer and of the "
                     "augmentation, as NAME=X, NAME or no-NAME",
                     name, text);
}

/* One word: "epochs=5", "augment", "no-augment". */
static dcnn_status set(char *word, bool *said, dcnn_options *options) {
    char *value = strchr(word, '=');
    if (value) *value++ = '\0';
    const char *name = word;
    const dcnn_option *option = dcnn_option_find(DCNN_COMMAND_TRAIN, name);
    const bool negated = option == NULL && strncmp(name, "no-", 3) == 0;
    if (negated) option = dcnn_option_find(DCNN_COMMAND_TRAIN, name + 3);
    if (option == NULL || !option->phase) return fail_unknown(name);
    const bool flag = option->type == DCNN_OPTION_FLAG;
    if (negated && !flag) return fail_unknown(name);
    if (flag && value)
        return DCNN_FAIL(DCNN_USAGE, "--then: %s takes no value: write %s or no-%s", name, option->name, option->name);
    if (!flag && (value == NULL || *value == '\0'))
        return DCNN_FAIL(DCNN_USAGE, "--then: %s needs a value: %s=X", name, name);
    const size_t row = (size_t)(option - dcnn_option_table);
    if (option->type == DCNN_OPTION_LIST && !said[row]) /* not added to that of the phase before */
        ((dcnn_text_list *)(void *)((char *)options + option->offset))->count = 0;
    options->given[row] = said[row] = true;
    const dcnn_status status = dcnn_option_set(option, flag ? negated ? "false" : "true" : value, options);
    if (status != DCNN_OK) dcnn_error_prefix("--then");
    return status;
}

/* What each phase says anew. */
static void forget(dcnn_options *options) {
    options->freeze.count = options->unfreeze.count = options->then.count = 0;
    options->train.freeze_below = NULL;
    options->train.train_last = 0;
}

static bool is_given(const dcnn_options *options, const char *name) {
    return dcnn_option_given(DCNN_COMMAND_TRAIN, name, options);
}

static dcnn_status read_phase(const dcnn_options *before, char *words, dcnn_options *phase) {
    bool said[DCNN_MAX_OPTIONS] = {false};
    char *rest = NULL;
    *phase = *before;
    forget(phase);
    for (char *word = strtok_r(words, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest))
        DCNN_TRY(set(word, said, phase));
    if (!is_given(phase, "grain")) phase->train.grain = 0; /* that of its batches */
    if (strcmp(phase->optimizer, before->optimizer) != 0)
        dcnn_train_settings_defaults(phase); /* of another optimizer */
    else if (phase->train.grain == 0)
        phase->train.grain = dcnn_engine_grain(phase->train.batch_size);
    const dcnn_status status = dcnn_train_settings_check(phase);
    if (status != DCNN_OK) dcnn_error_prefix("--then");
    return status;
}

dcnn_status dcnn_phases_read(const dcnn_options *options, dcnn_phases *phases) {
    const int count = options->then.count;
    *phases = (dcnn_phases){.options = calloc((size_t)count + 1, sizeof *phases->options),
                            .words = calloc((size_t)count + 1, sizeof *phases->words)};
    dcnn_status status = phases->options && phases->words ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: phases");
    for (int i = 0; i < count && status == DCNN_OK; i++) {
        phases->words[i] = strdup(options->then.text[i]);
        if (phases->words[i] == NULL) status = DCNN_FAIL(DCNN_FAILURE, "out of memory: phases");
        if (status == DCNN_OK)
            status = read_phase(i > 0 ? &phases->options[i - 1] : options, phases->words[i], &phases->options[i]);
        phases->count = i + 1;
    }
    if (status != DCNN_OK) dcnn_phases_free(phases);
    return status;
}

void dcnn_phases_free(dcnn_phases *phases) {
    for (int i = 0; phases->words && i < phases->count; i++) free(phases->words[i]);
    free(phases->words);
    free(phases->options);
    *phases = (dcnn_phases){0};
}
