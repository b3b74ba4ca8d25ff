/* SPDX-License-Identifier: BSD-3-Clause */
/* net_operation.c — operations of keras.ops in a Functional: what Keras makes of `x + 3` or `x * 0.5` on a layer's
 * output. Those on two values have the names of the merging layers (Add, Multiply, …) and are read as these. */
#include <math.h>
#include <string.h>

#include "nn/net_private.h"

static const char *text_of(const json_t *item, const char *key) {
    const char *text = json_string_value(json_object_get(item, key));
    return text ? text : "";
}

bool dcnn_net_is_operation(const json_t *item) {
    return strncmp(text_of(item, "module"), "keras.src.ops", 13) == 0 ||
           strncmp(text_of(item, "module"), "keras.ops", 9) == 0;
}

dcnn_status dcnn_net_as_rescaling(const json_t *item, int numbers, int values, double number, bool number_first,
                                  json_t **rescaling) {
    const char *class_name = text_of(item, "class_name");
    const char *name = json_string_value(json_object_get(json_object_get(item, "config"), "name"));
    if (name == NULL) name = text_of(item, "name");
    const bool divides = strcmp(class_name, "Divide") == 0 || strcmp(class_name, "TrueDivide") == 0;
    double scale = 1.0, offset = 0.0;
    bool known = numbers == 1 && values == 1 && isfinite(number);
    if (strcmp(class_name, "Add") == 0)
        offset = number;
    else if (strcmp(class_name, "Subtract") == 0)
        scale = number_first ? -1.0 : 1.0, offset = number_first ? number : -number;
    else if (strcmp(class_name, "Multiply") == 0)
        scale = number;
    else if (divides && !number_first && number != 0.0)
        scale = 1.0 / number;
    else
        known = false;
    if (!known)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "operation '%s' (keras.ops %s): of operations with numbers dcnn knows x + a, x - a, a - x, "
                         "x * a and x / a",
                         name, class_name);
    *rescaling = json_pack("{s:s, s:{s:s, s:f, s:f}}", "class_name", "Rescaling", "config", "name", name, "scale",
                           scale, "offset", offset);
    return *rescaling ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: operation '%s'", name);
}
