/* SPDX-License-Identifier: BSD-3-Clause */
/** @file wrap.h — a text in lines of whole words. */
#ifndef DCNN_CLI_WRAP_H
#define DCNN_CLI_WRAP_H

#include <stdio.h>

/**
 * Writes the words of a text and a newline. *Local.*
 * @param columns  of the page; the last one stays free
 * @param column   where the first line begins
 * @param indent   where the others begin
 */
void dcnn_wrap(FILE *to, int columns, int column, int indent, const char *words);

#endif
