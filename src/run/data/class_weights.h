/* SPDX-License-Identifier: BSD-3-Clause */
/** @file class_weights.h — how much the loss of a sample counts, by its class (--class-weight). */
#ifndef DCNN_RUN_CLASS_WEIGHTS_H
#define DCNN_RUN_CLASS_WEIGHTS_H

#include "io/dataset/dataset.h"

/** "balanced": the word that is not a file. */
extern const char dcnn_weights_balanced[];

/**
 * What the user gave, so that it needs no file: "balanced", or compact JSON, {"cat":2.5,"dog":1}. *Local.*
 * @param given  "balanced"; JSON text; or a file of such JSON, or of lines `class,weight` (CSV, with or without header)
 * @param text   out, malloc'd
 * @return DCNN_OK; DCNN_BAD_INPUT (no such file, not read, a weight that is not a number from 0 on); DCNN_FAILURE
 */
dcnn_status dcnn_class_weights_read(const char *given, char **text);

/**
 * A weight a class. *Local.*
 *
 * Balanced ones are scikit-learn's compute_class_weight("balanced"): samples / (classes * samples of the class), of the
 * training split and the classes that occur there (1 for others). Given ones go by the class's name, else by its
 * number; a class that is not mentioned has 1.
 * @param text     as dcnn_class_weights_read() gave it
 * @param labels   [d->count]
 * @param weights  out [d->class_count]
 * @param unnamed  out: "; 1 for classes that --class-weight does not name: 'a', 'b'"; "" if it names all, or is
 * balanced
 * @return DCNN_OK; DCNN_BAD_INPUT: a class that the data set does not have, or all weights 0; DCNN_FAILURE
 */
dcnn_status dcnn_class_weights_make(const char *text, const dcnn_dataset *d, const dcnn_split *train,
                                    const int32_t *labels, float *weights, char unnamed[300]);

/** "0.42 ('dog') to 7.1 ('cat')": the lightest and the heaviest. *Local.* */
const char *dcnn_class_weights_text(const dcnn_dataset *d, const float *weights, char text[200]);

#endif
