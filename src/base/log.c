/* SPDX-License-Identifier: BSD-3-Clause */
/* log.c — formats a line and hands it to the registered sink. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

static dcnn_log_sink *current_sink;
static dcnn_log_level current_highest;

void dcnn_log_to(dcnn_log_sink *sink, dcnn_log_level highest) {
    current_sink = sink;
    current_highest = highest;
}

void dcnn_log(dcnn_log_level level, const char *format, ...) {
    if (current_sink == NULL || level > current_highest) return;
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    dcnn_text_clean(line); /* it may quote what other hands wrote */
    current_sink(level, line);
}
