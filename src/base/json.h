/* SPDX-License-Identifier: BSD-3-Clause */
/** @file json.h — JSON texts, where a lack of memory is told from a text that is not JSON. */
#ifndef DCNN_BASE_JSON_H
#define DCNN_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/status.h"

/**
 * Parses a JSON text, as json_loadb() does. *Local.*
 * @param json  out, a new reference; NULL after a failure
 * @return DCNN_OK; DCNN_FAILURE, recorded: no memory; DCNN_BAD_INPUT, not recorded: `error` says where and why
 */
dcnn_status dcnn_json_parse(const char *text, size_t length, size_t flags, json_t **json, json_error_t *error);

/** A number, or null where JSON has none: infinite, or not a number. *Local.* @return new reference; NULL: no memory */
json_t *dcnn_json_number(double value);

/** A square of counts as a list of rows. Zeros, of which a large one has most, are one value. *Local.*
 * @return new reference; NULL: no memory */
json_t *dcnn_json_matrix(int side, const int64_t *counts);

/** A text that may be any bytes (a path), as dcnn_text_clean() shows it. *Local.* @return new reference; NULL: no
 * memory
 */
json_t *dcnn_json_shown(const char *text);

/**
 * Adds a member that replaces none: where its key is taken, it is called "NAME (NUMBER)". *Local.*
 * @param taken  NULL-ended: keys that others will have
 * @param value  its reference is taken; NULL: no memory
 * @return whether there was memory
 */
bool dcnn_json_add(json_t *object, const char *name, const char *const taken[], int number, json_t *value);

#endif
