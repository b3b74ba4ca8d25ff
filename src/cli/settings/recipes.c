/* SPDX-License-Identifier: BSD-3-Clause */
/* recipes.c — see recipes.h. What each came to, and how it was found: docs/accuracy.md. */
#include "cli/settings/recipes.h"

#include <stdlib.h>
#include <string.h>

#include "io/file.h"

const dcnn_recipe dcnn_recipe_table[] = {
    {"recipe", "what dcnn train does without words", NULL, ""},
    {"original", "the notebook without augmentation, as Keras people know it", NULL,
     "--no-augment --schedule constant"},
    {"best", "the most accurate digits in 15 epochs", "models/best.json",
     "--schedule one-cycle --learning-rate 4e-3 --ema 0.999 --exact-statistics --label-smoothing 0.1 "
     "--rotation-range 12 --zoom-range 0.1 --width-shift-range 0.055 --height-shift-range 0.055 --shear-range 5 "
     "--distortion-range 0.05"},
    {"fast", "99 % of digits in the shortest time", "models/best.json",
     "--epochs 1 --schedule one-cycle --learning-rate 6e-3 --no-augment --exact-statistics"},
    {"small-data", "a few hundred images", NULL,
     "--batch-size 16 --schedule one-cycle --learning-rate 1e-3 --ema 0.98 --exact-statistics --label-smoothing 0.1"},
    {"photos", "colour photographs", NULL,
     "--batch-size 32 --schedule one-cycle --learning-rate 2e-3 --ema 0.98 --exact-statistics --label-smoothing 0.1 "
     "--horizontal-flip 0.5 --crop-range 0.125 --cutout 0.25 --rotation-range 0 --zoom-range 0 --width-shift-range 0 "
     "--height-shift-range 0"},
    {NULL, NULL, NULL, NULL}};

static const dcnn_recipe *find(const char *name) {
    const dcnn_recipe *recipe = dcnn_recipe_table;
    while (recipe->name && strcmp(recipe->name, name) != 0) recipe++;
    return recipe;
}

/* One option of a recipe, unless it was given. */
static dcnn_status set(const char *name, const char *value, dcnn_options *options) {
    const bool negated = strncmp(name, "no-", 3) == 0;
    const dcnn_option *option = dcnn_option_find(DCNN_COMMAND_TRAIN, negated ? name + 3 : name);
    bool *given = &options->given[option - dcnn_option_table];
    if (*given) return DCNN_OK;
    *given = true;
    return dcnn_option_set(option, negated ? "false" : value ? value : "true", options);
}

/* "--name value --flag …", cut into words in place. */
static dcnn_status set_all(char *words, dcnn_options *options) {
    char *rest = NULL, *name = strtok_r(words, " ", &rest);
    dcnn_status status = DCNN_OK;
    while (name && status == DCNN_OK) {
        char *next = strtok_r(NULL, " ", &rest), *value = next && strncmp(next, "--", 2) != 0 ? next : NULL;
        status = set(name + 2, value, options);
        name = value ? strtok_r(NULL, " ", &rest) : next;
    }
    return status;
}

dcnn_status dcnn_recipe_apply(dcnn_options *options, dcnn_recipe_words *words) {
    *words = (dcnn_recipe_words){0};
    if (options->recipe == NULL) return DCNN_OK;
    const dcnn_recipe *recipe = find(options->recipe);
    if (recipe->model && options->train.model == NULL) {
        words->model = dcnn_data_path(recipe->model);
        if (words->model == NULL)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "--recipe %s: its network %s is not installed; set DCNN_DATA to dcnn's data folder",
                             recipe->name, recipe->model);
        DCNN_TRY(set("model", words->model, options));
    }
    words->options = strdup(recipe->options);
    if (words->options == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a recipe");
    return set_all(words->options, options);
}

void dcnn_recipe_words_free(dcnn_recipe_words *words) {
    free(words->model);
    free(words->options);
}

const char *dcnn_recipe_text(const dcnn_options *options, char text[640]) {
    if (options->recipe == NULL) return NULL;
    const dcnn_recipe *recipe = find(options->recipe);
    const char *slash = recipe->model ? strrchr(recipe->model, '/') : NULL;
    snprintf(text, 640, "%s: %s%s%s%s", recipe->name, slash ? "--model " : "", slash ? slash + 1 : "",
             slash && recipe->options[0] ? " " : "", recipe->options[0] ? recipe->options : recipe->what);
    return text;
}
