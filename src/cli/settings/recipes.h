/* SPDX-License-Identifier: BSD-3-Clause */
/** @file recipes.h — `--recipe NAME`: options of dcnn train that go together, one table. */
#ifndef DCNN_CLI_RECIPES_H
#define DCNN_CLI_RECIPES_H

#include "cli/options.h"

/* One row a recipe: X(ID, name, what it is for, model under data/models or NULL for the recipe's network, options as a
 * user would write them). What each came to, and how it was found: docs/accuracy.md. */
/* clang-format off */
#define DCNN_RECIPES(X)                                                                                                \
    X(PLAIN, "recipe", "what dcnn train does without words", NULL, "")                                                 \
    X(ORIGINAL, "original", "the notebook without augmentation, as Keras people know it", NULL,                        \
      "--batch-size 128 --no-augment --schedule constant")                                                             \
    X(BEST, "best", "the most accurate digits in 15 epochs", "models/best.json",                                       \
      "--schedule one-cycle --learning-rate 4e-3 --ema 0.999 --exact-statistics --label-smoothing 0.1 "                \
      "--rotation-range 12 --zoom-range 0.1 --width-shift-range 0.055 --height-shift-range 0.055 --shear-range 5 "     \
      "--distortion-range 0.05")                                                                                       \
    X(FAST, "fast", "99 % of digits in the shortest time", "models/fast.json",                                         \
      "--epochs 1 --batch-size 64 --schedule one-cycle --learning-rate 8e-3 --label-smoothing 0.1 --no-augment "       \
      "--bn-momentum 0.95")                                                                                            \
    X(SMALL_DATA, "small-data", "a few hundred images", NULL,                                                          \
      "--batch-size 16 --schedule one-cycle --learning-rate 1e-3 --ema 0.98 --exact-statistics --label-smoothing 0.1") \
    X(PHOTOS, "photos", "colour photographs", NULL,                                                                    \
      "--batch-size 32 --schedule one-cycle --learning-rate 2e-3 --ema 0.98 --exact-statistics --label-smoothing 0.1 " \
      "--horizontal-flip 0.5 --crop-range 0.125 --cutout 0.25 --rotation-range 0 --zoom-range 0 "                      \
      "--width-shift-range 0 --height-shift-range 0")
/* clang-format on */

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
