/* SPDX-License-Identifier: BSD-3-Clause */
/* class_weights.c — see class_weights.h. */
#include "run/data/class_weights.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "io/dataset/classes.h"
#include "io/file.h"

const char dcnn_weights_balanced[] = "balanced";

/* --- what was given ----------------------------------------------------------------------------------------------- */

/* The next line, without its end, which is one of \n, \r\n and \r. */
static bool next_line(const char **at, const char **line, size_t *length) {
    if (**at == '\0') return false;
    *length = strcspn(*at, "\r\n");
    *line = *at;
    *at += *length;
    if (**at == '\r' && (*at)[1] == '\n')
        *at += 2;
    else if (**at)
        ++*at;
    return true;
}

/* A cell's text without spaces and quotes around it. */
static char *cell_of(const char *from, size_t length) {
    while (length > 0 && strchr(" \t\"'", from[length - 1])) length--;
    while (length > 0 && strchr(" \t\"'", *from)) from++, length--;
    return strndup(from, length);
}

static bool read_weight(const char *text, double *weight) {
    char *end;
    *weight = strtod(text, &end);
    return end != text && *end == '\0';
}

/* One line `class,weight`; a first line whose second cell is no number is the header. */
static dcnn_status read_line(const char *path, int number, bool first, const char *line, size_t length, json_t *into) {
    const char *comma = memrchr(line, ',', length);
    if (comma == NULL) comma = memrchr(line, ';', length);
    if (comma == NULL) comma = memrchr(line, '\t', length);
    if (comma == NULL)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%d: a line must be 'class,weight', but this one has no comma", path,
                         number);
    char *name = cell_of(line, (size_t)(comma - line));
    char *value = cell_of(comma + 1, length - (size_t)(comma + 1 - line));
    double weight;
    dcnn_status status = DCNN_OK;
    if (name == NULL || value == NULL)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    else if (json_object_get(into, name))
        status =
            DCNN_FAIL(DCNN_BAD_INPUT, "%s:%d: class '%.60s' has a weight already, in a line above", path, number, name);
    else if (read_weight(value, &weight))
        status = json_object_set_new(into, name, json_real(weight)) == 0
                     ? DCNN_OK
                     : DCNN_FAIL(DCNN_BAD_INPUT, "%s:%d: the class's name is not UTF-8, or its weight is not a number",
                                 path, number);
    else if (!first)
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s:%d: '%.40s' is not a weight", path, number, value);
    free(name);
    free(value);
    return status;
}

static dcnn_status read_lines(const char *path, const char *text, json_t *into) {
    const char *at = text + (strncmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0), *line;
    size_t length;
    bool first = true;
    for (int number = 1; next_line(&at, &line, &length); number++) {
        if (length == 0) continue;
        DCNN_TRY(read_line(path, number, first, line, length, into));
        first = false;
    }
    return DCNN_OK;
}

/* They are reals, however they were written, so that equal weights are equal texts. */
static dcnn_status check_weights(const char *path, json_t *weights) {
    const char *name;
    json_t *value;
    if (json_object_size(weights) == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: it gives no class a weight", path);
    json_object_foreach(weights, name, value) {
        const double weight = json_is_number(value) ? json_number_value(value) : -1.0;
        if (!(weight >= 0.0 && weight <= 1e6))
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s: the weight of class '%s' must be a number from 0 to 1e6", path, name);
        json_object_set_new(weights, name, json_real(weight));
    }
    return DCNN_OK;
}

/* JSON text that begins with a brace, else lines. */
static dcnn_status parse(const char *path, const char *text, char **compact) {
    json_error_t where;
    json_t *weights = NULL;
    dcnn_status status = DCNN_OK;
    if (text[strspn(text, " \t\r\n")] == '{') {
        status = dcnn_json_parse(text, strlen(text), JSON_REJECT_DUPLICATES, &weights, &where);
        if (status == DCNN_BAD_INPUT)
            status = DCNN_FAIL(DCNN_BAD_INPUT, "%s:%d:%d: %s: class weights are JSON, {\"class\": weight, ...}", path,
                               where.line, where.column, where.text);
    } else {
        weights = json_object();
        status = weights ? read_lines(path, text, weights) : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    }
    if (status == DCNN_OK) status = check_weights(path, weights);
    if (status == DCNN_OK && (*compact = json_dumps(weights, JSON_COMPACT | JSON_SORT_KEYS)) == NULL)
        status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", path);
    json_decref(weights);
    return status;
}

dcnn_status dcnn_class_weights_read(const char *given, char **text) {
    *text = NULL;
    if (strcmp(given, dcnn_weights_balanced) == 0) {
        *text = strdup(given);
        return *text ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: class weights");
    }
    if (given[0] == '{') return parse("--class-weight", given, text);
    uint8_t *bytes = NULL;
    size_t length;
    dcnn_status status = dcnn_file_read(given, &bytes, &length);
    if (status == DCNN_OK && memchr(bytes, '\0', length))
        status = DCNN_FAIL(DCNN_BAD_INPUT,
                           "%s: not class weights, which are JSON, {\"class\": weight, ...}, or lines 'class,weight'",
                           given);
    char *whole = status == DCNN_OK ? strndup((const char *)bytes, length) : NULL;
    if (status == DCNN_OK && whole == NULL) status = DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", given);
    if (status == DCNN_OK) status = parse(given, whole, text);
    free(whole);
    free(bytes);
    if (status != DCNN_OK) dcnn_error_prefix("--class-weight");
    return status;
}

/* --- a weight a class --------------------------------------------------------------------------------------------- */

static int find_class(const dcnn_dataset *d, const char *name) {
    char *end;
    for (int c = 0; c < d->class_count; c++)
        if (strcmp(d->class_names[c], name) == 0) return c;
    const long number = strtol(name, &end, 10);
    return *name >= '0' && *name <= '9' && *end == '\0' && number < d->class_count ? (int)number : -1;
}

/* `by` says by which name a class was found: two that find the same one, as "1" and "01", contradict each other. */
static dcnn_status take_weights(json_t *given, const dcnn_dataset *d, const char **by, float *weights) {
    const char *name;
    json_t *value;
    json_object_foreach(given, name, value) {
        const int c = find_class(d, name);
        if (c < 0)
            return DCNN_FAIL(DCNN_BAD_INPUT, "--class-weight: %s has no class '%s'; its classes are '%s' to '%s'",
                             d->path, name, d->class_names[0], d->class_names[d->class_count - 1]);
        if (by[c])
            return DCNN_FAIL(
                DCNN_BAD_INPUT,
                "--class-weight: '%.60s' and '%.60s' are the same class of %s, '%.60s': give it one weight", by[c],
                name, d->path, d->class_names[c]);
        by[c] = name;
        weights[c] = (float)json_number_value(value);
    }
    return DCNN_OK;
}

/* Keras counts them once, too. */
static void tell_unnamed(const dcnn_dataset *d, const char *const *by, char unnamed[300]) {
    enum { NAMED = 3 };
    int count = 0, length = 0;
    char list[220] = "";
    for (int c = 0; c < d->class_count; c++)
        if (by[c] == NULL && count++ < NAMED)
            length += snprintf(list + length, sizeof list - (size_t)length, "%s'%.60s'", length ? ", " : "",
                               d->class_names[c]);
    if (count > 0)
        snprintf(unnamed, 300, "; 1 for classes that --class-weight does not name: %s%s", list,
                 count > NAMED ? ", ..." : "");
}

static dcnn_status given_weights(json_t *given, const dcnn_dataset *d, float *weights, char unnamed[300]) {
    double all = 0.0;
    const char **by = calloc((size_t)d->class_count, sizeof *by);
    dcnn_status status = by ? take_weights(given, d, by, weights)
                            : DCNN_FAIL(DCNN_FAILURE, "out of memory: weights of %d classes", d->class_count);
    if (status == DCNN_OK) tell_unnamed(d, by, unnamed);
    free(by);
    DCNN_TRY(status);
    for (int c = 0; c < d->class_count; c++) all += (double)weights[c];
    return all > 0.0 ? DCNN_OK
                     : DCNN_FAIL(DCNN_BAD_INPUT, "--class-weight: every weight is 0: nothing would be learned");
}

static dcnn_status balanced_weights(const dcnn_dataset *d, const dcnn_split *train, const int32_t *labels,
                                    float *weights) {
    dcnn_class_census census;
    DCNN_TRY(dcnn_class_census_take(d->class_count, train->count, labels, train->rows, &census));
    for (int c = 0; c < d->class_count; c++)
        if (census.counts[c] > 0)
            weights[c] = (float)((double)train->count / ((double)census.occurring * (double)census.counts[c]));
    dcnn_class_census_free(&census);
    return DCNN_OK;
}

dcnn_status dcnn_class_weights_make(const char *text, const dcnn_dataset *d, const dcnn_split *train,
                                    const int32_t *labels, float *weights, char unnamed[300]) {
    unnamed[0] = '\0';
    for (int c = 0; c < d->class_count; c++) weights[c] = 1.0F;
    if (strcmp(text, dcnn_weights_balanced) == 0) return balanced_weights(d, train, labels, weights);
    json_t *given = json_loads(text, 0, NULL);
    dcnn_status status = given ? DCNN_OK : DCNN_FAIL(DCNN_BAD_INPUT, "--class-weight: '%.100s' is not JSON", text);
    if (status == DCNN_OK) status = check_weights("--class-weight", given); /* a checkpoint may say anything */
    if (status == DCNN_OK) status = given_weights(given, d, weights, unnamed);
    json_decref(given);
    return status;
}

const char *dcnn_class_weights_text(const dcnn_dataset *d, const float *weights, char text[200]) {
    int least = 0, most = 0;
    for (int c = 1; c < d->class_count; c++) {
        if (weights[c] < weights[least]) least = c;
        if (weights[c] > weights[most]) most = c;
    }
    snprintf(text, 200, "%.3g ('%.60s') to %.3g ('%.60s')", (double)weights[least], d->class_names[least],
             (double)weights[most], d->class_names[most]);
    return text;
}
