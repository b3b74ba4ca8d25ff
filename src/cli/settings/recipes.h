/* SPDX-License-Identifier: BSD-3-Clause */
/** @file recipes.h — `--recipe NAME`: options of dcnn train that go together, one table. */
#ifndef DCNN_CLI_RECIPES_H
#define DCNN_CLI_RECIPES_H

#include "cli/options.h"

/** One recipe. */
typedef struct dcnn_recipe {
    const char *name, *what;
    const char *model;   /**< under data/models, or NULL: the recipe's network */
    const char *options; /**< as a user would write them, separated by spaces */
} dcnn_recipe;

/** The table, ended by a NULL name. */
extern const dcnn_recipe dcnn_recipe_table[];

/** What options of a recipe point into. */
typedef struct dcnn_recipe_words {
    char *model, *options;
} dcnn_recipe_words;

/**
 * Sets the options of --recipe as if they had been given, but for those that were. *Local.*
 * @param words  out: the options borrow them; dcnn_recipe_words_free(), after a failure too
 * @return DCNN_OK; DCNN_BAD_INPUT: its network is not installed
 */
dcnn_status dcnn_recipe_apply(dcnn_options *options, dcnn_recipe_words *words);
void dcnn_recipe_words_free(dcnn_recipe_words *words);

/** "best: --model …/best.json --schedule one-cycle …", or NULL without a recipe. *Local.* */
const char *dcnn_recipe_text(const dcnn_options *options, char text[640]);

#endif
