/* SPDX-License-Identifier: BSD-3-Clause */
/* figures_history.c — what happened epoch by epoch: loss, accuracy, time. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "report/figures/figures.h"
#include "report/figures/plot.h"

enum { WIDTH = 640, HEIGHT = 420, LEFT = 92, RIGHT = 24, TOP = 110, BOTTOM = 56, LEGEND_Y = 68, NOTE_Y = 97 };

/* --- loss and accuracy ------------------------------------------------------------------------------------------ */

static void widen_range(int count, const double *values, double *low, double *high) {
    for (int i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        if (values[i] < *low) *low = values[i];
        if (values[i] > *high) *high = values[i];
    }
}

static dcnn_axis epoch_axis(const dcnn_curves *curves) {
    const double *epochs = curves->values[DCNN_CURVE_EPOCH];
    double low = DBL_MAX, high = -DBL_MAX;
    widen_range(curves->count, epochs, &low, &high);
    if (!(low < high)) { /* one epoch stands in the middle */
        low -= 0.5;
        high += 0.5;
    }
    return dcnn_axis_create(DCNN_AXIS_INTEGER, low, high, 10);
}

/* Loss from 0, or its logarithm where the early epochs would flatten all others. */
static dcnn_axis loss_axis(double low, double high) {
    if (low > 0 && high / low > 30) return dcnn_axis_create(DCNN_AXIS_LOG, low / 1.15, high * 1.15, 8);
    return dcnn_axis_create(DCNN_AXIS_NUMBER, 0, high > 0 ? 1.06 * high : 1, 7);
}

/* Accuracy, likewise by its errors. */
static dcnn_axis accuracy_axis(double low, double high) {
    if (high < 1 && (1 - low) / (1 - high) > 10)
        return dcnn_axis_create(DCNN_AXIS_ERRORS, low - 0.1 * (1 - low), high + 0.12 * (1 - high), 8);
    const double room = high - low > 0.002 ? 0.06 * (high - low) : 0.002;
    low = low - room > 0 ? low - room : 0;
    high = high + room < 1 ? high + room : 1;
    return dcnn_axis_create(DCNN_AXIS_PERCENT, low, high, 7);
}

static void mark_best_epoch(const dcnn_panel *panel, const dcnn_view *view) {
    const int64_t best = view->data->model ? view->data->model->progress.best_epoch : 0;
    const double place = dcnn_axis_place(&panel->across, (double)best);
    if (best < 1 || place < 0 || place > 1) return;
    char note[64];
    snprintf(note, sizeof note, "best epoch: %lld", (long long)best);
    const double x = dcnn_panel_x(panel, (double)best);
    dcnn_canvas_line(panel->canvas, x, panel->y - 4, x, panel->y + panel->height, (dcnn_pen){DCNN_GREY, 1, true});
    dcnn_canvas_text(panel->canvas, x, NOTE_Y, (dcnn_type){.size = 12, .color = DCNN_GREY, .align = place}, note);
}

static void last_values(const dcnn_curves *curves, dcnn_curve training, dcnn_curve validation, bool percent,
                        char text[160]) {
    const int last = curves->count - 1;
    const double a = curves->values[training][last], b = curves->values[validation][last];
    const char *format = percent ? "%s %.2f %%" : "%s %.4f";
    char parts[2][64];
    snprintf(parts[0], sizeof parts[0], format, "training", percent ? 100 * a : a);
    snprintf(parts[1], sizeof parts[1], format, ", validation", percent ? 100 * b : b);
    snprintf(text, 160, "After epoch %.0f: %s%s", curves->values[DCNN_CURVE_EPOCH][last], parts[0],
             isfinite(b) ? parts[1] : "");
}

static const char *up_title(dcnn_axis_kind kind, bool is_loss) {
    switch (kind) {
    case DCNN_AXIS_LOG:
        return is_loss ? "loss (logarithmic)" : "mean absolute error (logarithmic)";
    case DCNN_AXIS_ERRORS:
        return "accuracy (errors logarithmic)";
    case DCNN_AXIS_PERCENT:
        return "accuracy";
    default:
        return is_loss ? "loss" : "mean absolute error";
    }
}

static bool draw_curves(const dcnn_view *view, dcnn_canvas *canvas, dcnn_curve training, dcnn_curve validation,
                        const char *title) {
    const dcnn_curves *curves = &view->curves;
    const bool percent = training == DCNN_CURVE_ACCURACY;
    double low = DBL_MAX, high = -DBL_MAX;
    widen_range(curves->count, curves->values[training], &low, &high);
    widen_range(curves->count, curves->values[validation], &low, &high);
    if (low > high) return false;
    char subtitle[160];
    last_values(curves, training, validation, percent, subtitle);
    dcnn_figure_head(canvas, WIDTH, HEIGHT, title, subtitle);
    const dcnn_panel panel = {canvas,
                              LEFT,
                              TOP,
                              dcnn_canvas_width(canvas) - LEFT - RIGHT,
                              HEIGHT - TOP - BOTTOM,
                              epoch_axis(curves),
                              percent ? accuracy_axis(low, high) : loss_axis(low, high)};
    dcnn_panel_draw(&panel, "epoch", up_title(panel.up.kind, training == DCNN_CURVE_LOSS));
    mark_best_epoch(&panel, view);
    const double *epochs = curves->values[DCNN_CURVE_EPOCH];
    double x = dcnn_legend_curve(canvas, LEFT, LEGEND_Y, DCNN_BLUE, false, "training");
    dcnn_panel_curve(&panel, curves->count, epochs, curves->values[training], DCNN_BLUE, false);
    double lowest = DBL_MAX, highest = -DBL_MAX;
    widen_range(curves->count, curves->values[validation], &lowest, &highest);
    if (lowest <= highest) {
        dcnn_legend_curve(canvas, x, LEGEND_Y, DCNN_VERMILION, true, "validation");
        dcnn_panel_curve(&panel, curves->count, epochs, curves->values[validation], DCNN_VERMILION, true);
    }
    return true;
}

bool dcnn_figure_loss(const dcnn_view *view, dcnn_canvas *canvas) {
    return draw_curves(view, canvas, DCNN_CURVE_LOSS, DCNN_CURVE_VAL_LOSS, "Loss");
}

bool dcnn_figure_accuracy(const dcnn_view *view, dcnn_canvas *canvas) {
    return draw_curves(view, canvas, DCNN_CURVE_ACCURACY, DCNN_CURVE_VAL_ACCURACY, "Accuracy");
}

bool dcnn_figure_mae(const dcnn_view *view, dcnn_canvas *canvas) {
    return draw_curves(view, canvas, DCNN_CURVE_MAE, DCNN_CURVE_VAL_MAE, "Mean absolute error");
}

/* --- time ------------------------------------------------------------------------------------------------------- */

enum { MOST_BARS = 60, LEGEND_LINE = 21 };

static const dcnn_color phase_colors[] = {DCNN_BLUE,   DCNN_ORANGE, DCNN_GREEN, DCNN_VERMILION, DCNN_SKY, DCNN_PURPLE,
                                          DCNN_YELLOW, DCNN_GREY,   0x332288,   0x999933,       0x882255, 0x44aa99,
                                          0xbbbbbb,    0x661100,    0x6699cc,   0x000000};

static double sum_of(const double *values, int first, int end) {
    double sum = 0;
    for (int i = first; i < end; i++) sum += isfinite(values[i]) ? values[i] : 0;
    return sum;
}

/* Many epochs share bars; a bar is then the mean of its epochs. */
static int bar_first(const dcnn_curves *curves, int bar, int bars) {
    return (int)((int64_t)curves->count * bar / bars);
}

static double tallest_bar(const dcnn_curves *curves, int bars) {
    double tallest = 0;
    for (int bar = 0; bar < bars; bar++) {
        const int first = bar_first(curves, bar, bars), end = bar_first(curves, bar + 1, bars);
        double height = 0;
        for (int phase = 0; phase < curves->phase_count; phase++)
            height += sum_of(curves->phases[phase], first, end) / (end - first);
        if (height > tallest) tallest = height;
    }
    return tallest;
}

static void draw_bars(const dcnn_panel *panel, const dcnn_curves *curves, int bars) {
    const double slot = panel->width / bars, gap = bars > 1 ? 0.12 * slot : 0.3 * slot;
    for (int bar = 0; bar < bars; bar++) {
        const int first = bar_first(curves, bar, bars), end = bar_first(curves, bar + 1, bars);
        double done = 0;
        for (int phase = 0; phase < curves->phase_count; phase++) {
            const double mean = sum_of(curves->phases[phase], first, end) / (end - first);
            const double top = dcnn_panel_y(panel, done + mean), bottom = dcnn_panel_y(panel, done);
            dcnn_canvas_rectangle(panel->canvas, panel->x + bar * slot + gap / 2, top, slot - gap, bottom - top,
                                  phase_colors[phase]);
            done += mean;
        }
    }
}

static void phase_legend(dcnn_canvas *canvas, const dcnn_curves *curves, double x, double total) {
    for (int phase = curves->phase_count - 1, line = 0; phase >= 0; phase--, line++) { /* as they are stacked */
        char text[64];
        const double sum = sum_of(curves->phases[phase], 0, curves->count), y = TOP + 8 + line * LEGEND_LINE;
        snprintf(text, sizeof text, "%.*f s, %.1f %%", sum < 100 ? 2 : 0, sum, total > 0 ? 100 * sum / total : 0.0);
        dcnn_canvas_rectangle(canvas, x, y - 6, 12, 12, phase_colors[phase]);
        dcnn_canvas_text(canvas, x + 19, y, (dcnn_type){.size = 13, .width = 120}, curves->phase_names[phase]);
        dcnn_canvas_text(canvas, x + 265, y, (dcnn_type){.size = 13, .color = DCNN_GREY, .align = 1}, text);
    }
}

bool dcnn_figure_phases(const dcnn_view *view, dcnn_canvas *canvas) {
    const dcnn_curves *curves = &view->curves;
    double total = 0;
    for (int phase = 0; phase < curves->phase_count; phase++) total += sum_of(curves->phases[phase], 0, curves->count);
    if (!(total > 0)) return false;
    const int bars = curves->count < MOST_BARS ? curves->count : MOST_BARS;
    const double legend = TOP + curves->phase_count * LEGEND_LINE + DCNN_MARGIN;
    const double *epochs = curves->values[DCNN_CURVE_EPOCH];
    char subtitle[96];
    snprintf(subtitle, sizeof subtitle, "Training and validation of each epoch, by phase; %.1f s in all%s", total,
             curves->count > bars ? "; bars are means of several epochs" : "");
    dcnn_figure_head(canvas, 860, legend > HEIGHT ? legend : HEIGHT, "Where the time went", subtitle);
    const double half = curves->count > bars ? 0 : 0.5;
    const dcnn_panel panel = {
        canvas,
        LEFT,
        TOP - 30,
        dcnn_canvas_width(canvas) - LEFT - 310,
        HEIGHT - TOP - BOTTOM + 30,
        dcnn_axis_create(DCNN_AXIS_INTEGER, epochs[0] - half, epochs[curves->count - 1] + half, 10),
        dcnn_axis_create(DCNN_AXIS_NUMBER, 0, 1.05 * tallest_bar(curves, bars), 7)};
    dcnn_panel_draw(&panel, "epoch", "seconds");
    draw_bars(&panel, curves, bars);
    phase_legend(canvas, curves, panel.x + panel.width + 25, total);
    return true;
}
