/* SPDX-License-Identifier: BSD-3-Clause */
/* json.c — see json.h. */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Without memory jansson says anything, "invalid token" for example; but the allocator has set errno. */
dcnn_status dcnn_json_parse(const char *text, size_t length, size_t flags, json_t **json, json_error_t *error) {
    errno = 0;
    *json = json_loadb(text, length, flags, error);
    if (*json) return DCNN_OK;
    return errno == ENOMEM ? DCNN_FAIL(DCNN_FAILURE, "out of memory: reading JSON") : DCNN_BAD_INPUT;
}

json_t *dcnn_json_number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *dcnn_json_matrix(int side, const int64_t *counts) {
    json_t *rows = json_array(), *zero = json_integer(0);
    bool good = rows && zero;
    for (int i = 0; i < side && good; i++, counts += side) {
        json_t *row = json_array();
        good = json_array_append_new(rows, row) == 0;
        for (int j = 0; j < side && good; j++)
            good = json_array_append_new(row, counts[j] ? json_integer(counts[j]) : json_incref(zero)) == 0;
    }
    json_decref(zero);
    if (good) return rows;
    json_decref(rows);
    return NULL;
}

json_t *dcnn_json_shown(const char *text) {
    char *copy = strdup(text);
    if (copy) dcnn_text_clean(copy);
    json_t *json = copy ? json_string(copy) : NULL;
    free(copy);
    return json;
}

static bool is_taken(const json_t *object, const char *const taken[], const char *key) {
    bool is = json_object_get(object, key) != NULL;
    for (int i = 0; taken && taken[i] && !is; i++) is = strcmp(taken[i], key) == 0;
    return is;
}

bool dcnn_json_add(json_t *object, const char *name, const char *const taken[], int number, json_t *value) {
    char *key = strdup(name);
    while (key && is_taken(object, taken, key)) {
        char *longer = NULL;
        if (asprintf(&longer, "%s (%d)", key, number) < 0) longer = NULL;
        free(key);
        key = longer;
    }
    if (key == NULL) json_decref(value);
    const bool added = key && json_object_set_new(object, key, value) == 0;
    free(key);
    return added;
}
