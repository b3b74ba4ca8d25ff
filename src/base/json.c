/* SPDX-License-Identifier: BSD-3-Clause */
/* json.c — see json.h. */
#include "base/json.h"

#include <errno.h>

/* Without memory jansson says anything, "invalid token" for example; but the allocator has set errno. */
dcnn_status dcnn_json_parse(const char *text, size_t length, size_t flags, json_t **json, json_error_t *error) {
    errno = 0;
    *json = json_loadb(text, length, flags, error);
    if (*json) return DCNN_OK;
    return errno == ENOMEM ? DCNN_FAIL(DCNN_FAILURE, "out of memory: reading JSON") : DCNN_BAD_INPUT;
}
