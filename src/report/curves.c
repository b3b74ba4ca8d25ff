/* SPDX-License-Identifier: BSD-3-Clause */
/* curves.c — see curves.h. */
#include "report/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

const char *const dcnn_curve_keys[DCNN_CURVE_COUNT] = {
    [DCNN_CURVE_EPOCH] = "epoch",
    [DCNN_CURVE_STEP] = "step",
    [DCNN_CURVE_LOSS] = "loss",
    [DCNN_CURVE_ACCURACY] = "accuracy",
    [DCNN_CURVE_VAL_LOSS] = "val_loss",
    [DCNN_CURVE_VAL_ACCURACY] = "val_accuracy",
    [DCNN_CURVE_MAE] = "mae",
    [DCNN_CURVE_VAL_MAE] = "val_mae",
    [DCNN_CURVE_SECONDS] = "seconds",
    [DCNN_CURVE_IMAGES_PER_S] = "images_per_s",
    [DCNN_CURVE_WALL_TIME] = "wall_time",
    [DCNN_CURVE_LEARNING_RATE] = "learning_rate",
};

static dcnn_status out_of_memory(void) {
    return DCNN_FAIL(DCNN_FAILURE, "out of memory: the history of a run");
}

static int count_lines(const char *history) {
    int count = 1;
    for (const char *at = history; *at != '\0'; at++) count += *at == '\n';
    return count;
}

/* The number of a phase's name, a new one at need; -1: too many, or no memory. */
static int phase_of(dcnn_curves *curves, const char *name, int rows) {
    int i = 0;
    while (i < curves->phase_count && strcmp(curves->phase_names[i], name) != 0) i++;
    if (i < curves->phase_count) return i;
    if (i == DCNN_MAX_PHASES) return -1;
    curves->phase_names[i] = strdup(name);
    curves->phases[i] = calloc((size_t)rows, sizeof(double));
    curves->phase_count++;
    return curves->phase_names[i] && curves->phases[i] ? i : -1;
}

bool dcnn_curve_counts(double value) {
    return value >= 0 && value <= 0x1p53 && value == floor(value);
}

static dcnn_status take_line(dcnn_curves *curves, const json_t *line, int number, int rows) {
    if (!json_is_number(json_object_get(line, "epoch")))
        return DCNN_FAIL(DCNN_BAD_INPUT, "line %d is not a JSON object with an epoch", number);
    for (int i = 0; i < DCNN_CURVE_COUNT; i++) {
        const json_t *value = json_object_get(line, dcnn_curve_keys[i]);
        curves->values[i][curves->count] = json_is_number(value) ? json_number_value(value) : (double)NAN;
    }
    static const dcnn_curve counts[] = {DCNN_CURVE_EPOCH, DCNN_CURVE_STEP};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const double value = curves->values[counts[i]][curves->count];
        if (!isnan(value) && !dcnn_curve_counts(value))
            return DCNN_FAIL(DCNN_BAD_INPUT, "line %d is damaged: its \"%s\" is %.6g", number,
                             dcnn_curve_keys[counts[i]], value);
    }
    const char *name;
    json_t *seconds;
    json_object_foreach(json_object_get(line, "phases"), name, seconds) {
        const int phase = phase_of(curves, name, rows);
        if (phase < 0) return DCNN_FAIL(DCNN_BAD_INPUT, "line %d has more than %d phases", number, DCNN_MAX_PHASES);
        curves->phases[phase][curves->count] = json_number_value(seconds);
    }
    curves->count++;
    return DCNN_OK;
}

dcnn_status dcnn_curves_create(const char *history, dcnn_curves *curves) {
    *curves = (dcnn_curves){0};
    if (history == NULL) history = "";
    const int rows = count_lines(history);
    for (int i = 0; i < DCNN_CURVE_COUNT; i++) {
        curves->values[i] = calloc((size_t)rows, sizeof(double));
        if (curves->values[i] == NULL) return out_of_memory();
    }
    int number = 1;
    for (const char *at = history; *at != '\0'; number++) {
        const size_t bytes = strcspn(at, "\n");
        json_t *line = bytes > 0 ? json_loadb(at, bytes, 0, NULL) : NULL;
        dcnn_status status = bytes > 0 ? take_line(curves, line, number, rows) : DCNN_OK;
        json_decref(line);
        DCNN_TRY(status);
        at += bytes + (at[bytes] == '\n');
    }
    return DCNN_OK;
}

void dcnn_curves_free(dcnn_curves *curves) {
    for (int i = 0; i < DCNN_CURVE_COUNT; i++) free(curves->values[i]);
    for (int i = 0; i < curves->phase_count; i++) {
        free(curves->phase_names[i]);
        free(curves->phases[i]);
    }
    *curves = (dcnn_curves){0};
}
