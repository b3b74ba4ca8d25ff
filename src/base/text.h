/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file text.h — words: those of other hands (class names of a file, say, which end on a terminal and in a page), and
 * those of our own lists.
 */
#ifndef DCNN_BASE_TEXT_H
#define DCNN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Makes a text harmless to show: control characters (a terminal obeys them), characters that turn the direction of
 * writing, and bytes that are no UTF-8 (RFC 3629) become '?'. *Local.*
 * @return whether anything was replaced
 */
bool dcnn_text_clean(char *text);

/** Is all of a text UTF-8 (RFC 3629)? *Local.* */
bool dcnn_text_is_utf8(const char *text);

/** Room for a path as dcnn_shell_word() writes it, whatever is in it. */
enum { DCNN_SHELL_WORD = 4 * 4096 + 3 };

/**
 * A word as a shell takes it, for commands to copy: within quotes if it has more than plain characters. *Local.*
 * @param text  [room] where that is written, if need be: 4 bytes a character of the word and 3 are enough
 * @return the word, if it is plain or there is no room, or `text`
 */
const char *dcnn_shell_word(const char *word, char *text, size_t room);

/** "1.5 GiB", "64.0 MiB", "9.0 KiB": for people. *Local.* @return text */
const char *dcnn_bytes_text(uint64_t bytes, char text[32]);

/** The place of a word among `count` names, or `count`. *Local.* */
int dcnn_word_find(const char *const names[], int count, const char *word);

#endif
