/* SPDX-License-Identifier: BSD-3-Clause */
/* names.c — see names.h. */
#include "sources/names.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes the text over. */
static dcnn_status put(dcnn_names *names, char *text) {
    if (text && names->count == names->room) {
        const int64_t room = 2 * names->room + 16;
        char **longer = realloc(names->text, (size_t)room * sizeof *longer);
        if (longer) {
            names->text = longer;
            names->room = room;
        }
    }
    if (!text || names->count == names->room) {
        free(text);
        return DCNN_FAIL(DCNN_FAILURE, "out of memory for a list of %lld names", (long long)names->count + 1);
    }
    names->text[names->count++] = text;
    return DCNN_OK;
}

dcnn_status dcnn_names_add(dcnn_names *names, const char *text, size_t length) {
    char *copy = malloc(length + 1); /* the text need not end */
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return put(names, copy);
}

dcnn_status dcnn_names_print(dcnn_names *names, const char *format, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) text = NULL;
    va_end(arguments);
    return put(names, text);
}

bool dcnn_text_is_integer(const char *text, int64_t *value) {
    const char *digit = text + (*text == '-');
    if (!*digit) return false;
    int64_t sum = 0;
    for (; *digit; digit++) {
        if (!isdigit((unsigned char)*digit) || sum > INT64_MAX / 10 - 9) return false;
        sum = 10 * sum + (*digit - '0');
    }
    if (value) *value = *text == '-' ? -sum : sum;
    return true;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Equal numbers that are written otherwise ("7", "07") are ordered by their bytes. */
static int by_value(const void *a, const void *b) {
    int64_t left = 0, right = 0;
    dcnn_text_is_integer(*(char *const *)a, &left);
    dcnn_text_is_integer(*(char *const *)b, &right);
    if (left != right) return left < right ? -1 : 1;
    return by_bytes(a, b);
}

static bool all_integers(const dcnn_names *names) {
    for (int64_t i = 0; i < names->count; i++)
        if (!dcnn_text_is_integer(names->text[i], NULL)) return false;
    return names->count > 0;
}

void dcnn_names_sort(dcnn_names *names) {
    names->by_value = all_integers(names);
    if (names->count < 2) return;
    qsort(names->text, (size_t)names->count, sizeof *names->text, names->by_value ? by_value : by_bytes);
}

void dcnn_names_unite(dcnn_names *names) {
    dcnn_names_sort(names);
    int64_t kept = names->count > 0 ? 1 : 0;
    for (int64_t i = 1; i < names->count; i++)
        if (strcmp(names->text[i], names->text[kept - 1]) == 0)
            free(names->text[i]);
        else
            names->text[kept++] = names->text[i];
    names->count = kept;
}

int64_t dcnn_names_find(const dcnn_names *names, const char *text) {
    if (names->count == 0 || (names->by_value && !dcnn_text_is_integer(text, NULL))) return -1;
    char *const *found =
        bsearch(&text, names->text, (size_t)names->count, sizeof *names->text, names->by_value ? by_value : by_bytes);
    return found ? found - names->text : -1;
}

void dcnn_names_free(dcnn_names *names) {
    for (int64_t i = 0; i < names->count; i++) free(names->text[i]);
    free(names->text);
    *names = (dcnn_names){0};
}
