/* SPDX-License-Identifier: BSD-3-Clause */
/** @file nearest.h — what someone who mistyped a name most likely meant. */
#ifndef DCNN_CLI_NEAREST_H
#define DCNN_CLI_NEAREST_H

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (the
 * Damerau-Levenshtein distance, optimal string alignment). Words longer than 63 letters are cut. */
int dcnn_name_distance(const char *a, const char *b);

/** The nearest of some names, or NULL if even that one needs more edits than a third of the word's letters (and two).
 */
const char *dcnn_nearest_name(const char *word, int count, const char *const *names);

#endif
