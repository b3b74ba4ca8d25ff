/* SPDX-License-Identifier: BSD-3-Clause */
/** @file names.h — a list of texts that grows. All zero is an empty list. */
#ifndef DCNN_SOURCES_NAMES_H
#define DCNN_SOURCES_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dcnn_names {
    int64_t count, room;
    char **text;   /**< [count], each owned */
    bool by_value; /**< as it was sorted last: all were whole numbers */
} dcnn_names;

/** Adds a copy of `length` bytes of a text. @return DCNN_OK, DCNN_FAILURE (memory) */
dcnn_status dcnn_names_add(dcnn_names *names, const char *text, size_t length);

/** Adds a text that printf makes. */
dcnn_status dcnn_names_print(dcnn_names *names, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Sorts them, whole numbers by value if all are such, else by bytes (in UTF-8: by code points). */
void dcnn_names_sort(dcnn_names *names);

/** The same, and of equal ones only the first stays. */
void dcnn_names_unite(dcnn_names *names);

/** Place of a text in a list that is sorted; -1: it is not there. */
int64_t dcnn_names_find(const dcnn_names *names, const char *text);

/** Is it a whole number ("-3", "12")? @param value  out, may be NULL */
bool dcnn_text_is_integer(const char *text, int64_t *value);

void dcnn_names_free(dcnn_names *names);

#endif
