/* SPDX-License-Identifier: BSD-3-Clause */
/* model_helpers.h — small nets from text, for the tests of models and descriptions. */
#ifndef DCNN_TESTS_MODEL_HELPERS_H
#define DCNN_TESTS_MODEL_HELPERS_H

#include "io_helpers.h"

#include "nn/net.h"

/* JSON with ' for ". */
static inline json_t *parse(const char *text) {
    char *quoted = strdup(text);
    assert_non_null(quoted);
    for (char *p = quoted; *p; p++)
        if (*p == '\'') *p = '"';
    json_error_t error;
    json_t *json = json_loads(quoted, 0, &error);
    free(quoted);
    if (json == NULL) fail_msg("%s: %s", text, error.text);
    return json;
}

static inline json_t *sequential(const char *layers) {
    return json_pack("{s:s, s:{s:s, s:o}}", "class_name", "Sequential", "config", "name", "small", "layers",
                     parse(layers));
}

static inline dcnn_net *make_net(const char *layers) {
    json_t *description = sequential(layers);
    dcnn_net *net;
    assert_ok(dcnn_net_create(description, (dcnn_shape){0}, &net));
    json_decref(description);
    return net;
}

#endif
