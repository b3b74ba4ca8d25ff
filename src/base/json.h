/* SPDX-License-Identifier: BSD-3-Clause */
/** @file json.h — JSON texts, where a lack of memory is told from a text that is not JSON. */
#ifndef DCNN_BASE_JSON_H
#define DCNN_BASE_JSON_H

#include <stddef.h>

#include <jansson.h>

#include "base/status.h"

/**
 * Parses a JSON text, as json_loadb() does. *Local.*
 * @param json  out, a new reference; NULL after a failure
 * @return DCNN_OK; DCNN_FAILURE, recorded: no memory; DCNN_BAD_INPUT, not recorded: `error` says where and why
 */
dcnn_status dcnn_json_parse(const char *text, size_t length, size_t flags, json_t **json, json_error_t *error);

#endif
