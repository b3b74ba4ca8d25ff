/* SPDX-License-Identifier: BSD-3-Clause */
/* overlay.c — see report/overlay.h. */
#include "report/overlay.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "report/figures/figures.h"
#include "report/figures/plot.h"

enum { WIDTH = 720, PLOT = 330, LEFT = 92, RIGHT = 24, BOTTOM = 56, LINE = 21, NAMED = 7 };

static const dcnn_color colors[NAMED] = {DCNN_BLUE,   DCNN_VERMILION, DCNN_GREEN, DCNN_ORANGE,
                                         DCNN_PURPLE, DCNN_SKY,       DCNN_BLACK};

/* Validation where there is one, else training. */
static const double *accuracy_of(const dcnn_curves *curves) {
    const double *validation = curves->values[DCNN_CURVE_VAL_ACCURACY];
    for (int i = 0; i < curves->count; i++)
        if (isfinite(validation[i])) return validation;
    return curves->values[DCNN_CURVE_ACCURACY];
}

typedef struct bounds {
    double epoch_low, epoch_high, low, high;
} bounds;

static void widen(const dcnn_curves *curves, bounds *b) {
    const double *accuracy = accuracy_of(curves);
    for (int i = 0; i < curves->count; i++) {
        b->epoch_low = fmin(b->epoch_low, curves->values[DCNN_CURVE_EPOCH][i]);
        b->epoch_high = fmax(b->epoch_high, curves->values[DCNN_CURVE_EPOCH][i]);
        if (!isfinite(accuracy[i])) continue;
        b->low = fmin(b->low, accuracy[i]);
        b->high = fmax(b->high, accuracy[i]);
    }
}

static dcnn_axis accuracy_axis(double low, double high) {
    if (high < 1 && (1 - low) / (1 - high) > 10)
        return dcnn_axis_create(DCNN_AXIS_ERRORS, low - 0.1 * (1 - low), high + 0.12 * (1 - high), 8);
    const double room = high - low > 0.002 ? 0.06 * (high - low) : 0.002;
    return dcnn_axis_create(DCNN_AXIS_PERCENT, fmax(0, low - room), fmin(1, high + room), 7);
}

static dcnn_panel panel_for(dcnn_canvas *canvas, int named, bounds b) {
    if (!(b.epoch_low < b.epoch_high)) {
        b.epoch_low -= 0.5;
        b.epoch_high += 0.5;
    }
    const double top = DCNN_HEADING + named * LINE + 12;
    return (dcnn_panel){canvas,
                        LEFT,
                        top,
                        dcnn_canvas_width(canvas) - LEFT - RIGHT,
                        PLOT,
                        dcnn_axis_create(DCNN_AXIS_INTEGER, b.epoch_low, b.epoch_high, 10),
                        accuracy_axis(b.low, b.high)};
}

static dcnn_status draw(dcnn_canvas *canvas, const char *title, int count, const dcnn_overlay_run *runs,
                        const dcnn_curves *curves) {
    const int named = count < NAMED ? count : NAMED;
    bounds b = {DBL_MAX, -DBL_MAX, DBL_MAX, -DBL_MAX};
    for (int i = 0; i < count; i++) widen(&curves[i], &b);
    if (b.low > b.high) return DCNN_FAIL(DCNN_BAD_INPUT, "none of these runs has finished an epoch");
    dcnn_figure_head(canvas, WIDTH, DCNN_HEADING + named * LINE + 12 + PLOT + BOTTOM, title,
                     count > named ? "Validation accuracy; further runs in grey" : "Validation accuracy");
    const dcnn_panel panel = panel_for(canvas, named, b);
    dcnn_panel_draw(&panel, "epoch", panel.up.kind == DCNN_AXIS_ERRORS ? "accuracy (errors logarithmic)" : "accuracy");
    for (int i = count - 1; i >= 0; i--) {
        const dcnn_color color = i < named ? colors[i] : DCNN_PALE;
        dcnn_panel_curve(&panel, curves[i].count, curves[i].values[DCNN_CURVE_EPOCH], accuracy_of(&curves[i]), color,
                         false);
        if (i < named) dcnn_legend_curve(canvas, LEFT, DCNN_HEADING + LINE * (i + 0.5), color, false, runs[i].name);
    }
    return DCNN_OK;
}

dcnn_status dcnn_overlay_write(const char *path, const char *title, int count, const dcnn_overlay_run *runs) {
    const size_t length = strlen(path);
    const bool svg = length > 4 && strcmp(path + length - 4, ".svg") == 0;
    dcnn_curves *curves = calloc((size_t)count + 1, sizeof *curves);
    dcnn_canvas *canvas = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;
    dcnn_status status = curves ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: curves of %d runs", count);
    for (int i = 0; i < count && status == DCNN_OK; i++) status = dcnn_curves_create(runs[i].history, &curves[i]);
    if (status == DCNN_OK) status = dcnn_canvas_create(&canvas);
    if (status == DCNN_OK) status = draw(canvas, title, count, runs, curves);
    if (status == DCNN_OK)
        status = svg ? dcnn_canvas_svg(canvas, &bytes, &size) : dcnn_canvas_png(canvas, &bytes, &size);
    if (status == DCNN_OK) status = dcnn_file_write(path, bytes, size, false);
    free(bytes);
    dcnn_canvas_free(canvas);
    for (int i = 0; curves && i < count; i++) dcnn_curves_free(&curves[i]);
    free(curves);
    return status;
}
