/* SPDX-License-Identifier: BSD-3-Clause */
/* status.c — the per-thread error record. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { MESSAGE_BYTES = 2048 };

static _Thread_local char record[MESSAGE_BYTES] = "no error";
static _Thread_local char place[256] = "";

/* What a message quotes comes from files of other hands, and is shown on a terminal. */
static void keep(char text[MESSAGE_BYTES]) {
    dcnn_text_clean(text);
    memcpy(record, text, MESSAGE_BYTES);
}

dcnn_status dcnn_fail(dcnn_status code, const char *file, int line, const char *format, ...) {
    char text[MESSAGE_BYTES]; /* apart from the record, which may itself be an argument */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    keep(text);
    snprintf(place, sizeof place, "%s:%d", file, line);
    return code;
}

void dcnn_error_prefix(const char *format, ...) {
    char prefix[MESSAGE_BYTES / 2], text[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    snprintf(text, sizeof text, "%s: %.*s", prefix, (int)(sizeof text - strlen(prefix) - 3), record);
    keep(text);
}

void dcnn_error_set(const char *message) {
    snprintf(record, sizeof record, "%s", message);
}

const char *dcnn_error(void) {
    return record;
}

const char *dcnn_error_place(void) {
    return place;
}
