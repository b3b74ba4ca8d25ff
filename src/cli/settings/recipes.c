/* SPDX-License-Identifier: BSD-3-Clause */
/* recipes.c — see recipes.h. */
#include "cli/settings/recipes.h"

#include <stdio.h>
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

/* The options that a recipe names, with the values that count: those given beside it are others. */
static void write_options(const recipe *chosen, const dcnn_options *options, FILE *to) {
    char *words = strdup(chosen->options), *rest = NULL, *word = words ? strtok_r(words, " ", &rest) : NULL;
    for (; word; word = strtok_r(NULL, " ", &rest)) {
        if (strncmp(word, "--", 2) != 0) continue;
        const bool negated = strncmp(word, "--no-", 5) == 0;
        fputc(' ', to);
        dcnn_option_write(dcnn_option_find(DCNN_COMMAND_TRAIN, word + (negated ? 5 : 2)), options, to);
    }
    free(words);
}

const char *dcnn_recipe_text(const dcnn_options *options, char text[640]) {
    if (options->recipe == NULL) return NULL;
    const recipe *chosen = find(options->recipe);
    const char *model = options->train.model, *own = chosen->model ? strrchr(chosen->model, '/') + 1 : NULL;
    const char *slash = model ? strrchr(model, '/') : NULL;
    const bool is_own = own && model && strcmp(slash ? slash + 1 : model, own) == 0;
    char *said = NULL;
    size_t length;
    FILE *to = open_memstream(&said, &length);
    if (to && own) fprintf(to, " --model %s", is_own || model == NULL ? own : model);
    if (to) write_options(chosen, options, to);
    if (to) fclose(to);
    snprintf(text, 640, "%s:%s%s", chosen->name, said && said[0] ? said : " ", said && said[0] ? "" : chosen->what);
    free(said);
    return text;
}
