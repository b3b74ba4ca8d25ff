/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file text.h — words: those of other hands (class names of a file, say, which end on a terminal and in a page), and
 * those of our own lists.
 */
#ifndef DCNN_BASE_TEXT_H
#define DCNN_BASE_TEXT_H

#include <stdbool.h>

/**
 * Makes a text harmless to show: control characters (a terminal obeys them), characters that turn the direction of
 * writing, and bytes that are no UTF-8 (RFC 3629) become '?'. *Local.*
 * @return whether anything was replaced
 */
bool dcnn_text_clean(char *text);

/** The place of a word among `count` names, or `count`. *Local.* */
int dcnn_word_find(const char *const names[], int count, const char *word);

#endif
