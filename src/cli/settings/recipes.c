/* SPDX-License-Identifier: BSD-3-Clause */
/* recipes.c — see recipes.h. */
#include "cli/settings/recipes.h"

#include <stdlib.h>
#include <string.h>

#include "io/file.h"

typedef struct recipe {
    const char *name, *what, *model, *options;
} recipe;

#define ROW(id, ...) {__VA_ARGS__},
static const recipe recipes[] = {DCNN_RECIPES(ROW){NULL, NULL, NULL, NULL}};

static const recipe *find(const char *name) {
    const recipe *found = recipes;
    while (found->name && strcmp(found->name, name) != 0) found++;
    return found;
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
    const recipe *chosen = find(options->recipe);
    if (chosen->model && options->train.model == NULL) {
        words->model = dcnn_data_path(chosen->model);
        if (words->model == NULL)
            return DCNN_FAIL(DCNN_BAD_INPUT,
                             "--recipe %s: its network %s is not installed; set DCNN_DATA to dcnn's data folder",
                             chosen->name, chosen->model);
        DCNN_TRY(set("model", words->model, options));
    }
    words->options = strdup(chosen->options);
    if (words->options == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a recipe");
    return set_all(words->options, options);
}

void dcnn_recipe_words_free(dcnn_recipe_words *words) {
    free(words->model);
    free(words->options);
}

const char *dcnn_recipe_text(const dcnn_options *options, char text[640]) {
    if (options->recipe == NULL) return NULL;
    const recipe *chosen = find(options->recipe);
    const char *slash = chosen->model ? strrchr(chosen->model, '/') : NULL;
    snprintf(text, 640, "%s: %s%s%s%s", chosen->name, slash ? "--model " : "", slash ? slash + 1 : "",
             slash && chosen->options[0] ? " " : "", chosen->options[0] ? chosen->options : chosen->what);
    return text;
}
