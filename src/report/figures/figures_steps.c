/* SPDX-License-Identifier: BSD-3-Clause */
/* figures_steps.c — loss and learning rate step by step; precision against recall. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/figures/figures.h"
#include "report/figures/plot.h"

enum { WIDTH = 640, LEFT = 92, RIGHT = 24, PANEL = 200, GAP = 46, BOTTOM = 56 };

static void widen(int count, const double *values, double *low, double *high) {
    for (int i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        *low = fmin(*low, values[i]);
        *high = fmax(*high, values[i]);
    }
}

/* Logarithmic where values differ by so much that the small ones would lie on the axis. */
static dcnn_axis up_axis(double low, double high) {
    if (low > 0 && high / low > 30) return dcnn_axis_create(DCNN_AXIS_LOG, low / 1.15, high * 1.15, 6);
    return dcnn_axis_create(DCNN_AXIS_NUMBER, 0, high > 0 ? 1.06 * high : 1, 5);
}

static bool draw_panel(const dcnn_curves *steps, dcnn_canvas *canvas, double y, dcnn_curve which, const char *title,
                       bool last) {
    double low = DBL_MAX, high = -DBL_MAX, first = DBL_MAX, end = -DBL_MAX;
    const double *values = steps->values[which], *numbers = steps->values[DCNN_CURVE_STEP];
    widen(steps->count, values, &low, &high);
    widen(steps->count, numbers, &first, &end);
    if (low > high || !(first < end)) return false;
    const dcnn_panel panel = {canvas,
                              LEFT,
                              y,
                              dcnn_canvas_width(canvas) - LEFT - RIGHT,
                              PANEL,
                              dcnn_axis_create(DCNN_AXIS_INTEGER, first, end, 9),
                              up_axis(low, high)};
    dcnn_panel_draw(&panel, last ? "step" : NULL, title);
    dcnn_panel_curve(&panel, steps->count, numbers, values, last ? DCNN_VERMILION : DCNN_BLUE, false);
    return true;
}

bool dcnn_figure_steps(const dcnn_view *view, dcnn_canvas *canvas) {
    char subtitle[96], count[32];
    if (view->steps.count < 2) return false;
    snprintf(subtitle, sizeof subtitle, "%s steps that were logged, each of its own batch (--log-every)",
             dcnn_text_integer(view->steps.count, count));
    dcnn_figure_head(canvas, WIDTH, DCNN_HEADING + 2 * PANEL + GAP + BOTTOM, "Loss and learning rate, step by step",
                     subtitle);
    return draw_panel(&view->steps, canvas, DCNN_HEADING + 6, DCNN_CURVE_LOSS, "loss", false) &&
           draw_panel(&view->steps, canvas, DCNN_HEADING + 6 + PANEL + GAP, DCNN_CURVE_LEARNING_RATE, "learning rate",
                      true);
}

/* --- precision and recall ----------------------------------------------------------------------------------------- */

enum { MOST_CURVES = 10, SIDE = 420, LEGEND_LINE = 20, POINTS = 400 };

static const dcnn_color colors[MOST_CURVES] = {DCNN_BLUE, DCNN_ORANGE, DCNN_GREEN, DCNN_VERMILION, DCNN_PURPLE,
                                               DCNN_SKY,  0x332288,    0x999933,   0x882255,       DCNN_GREY};

typedef struct scored {
    float probability;
    bool right;
} scored;

static int most_likely_first(const void *a, const void *b) {
    const float x = ((const scored *)a)->probability, y = ((const scored *)b)->probability;
    return (x < y) - (x > y);
}

typedef struct pr_curve {
    int class_number, count;
    double average; /* precision, over recall: the area */
    double recall[POINTS + 2], precision[POINTS + 2];
} pr_curve;

/* Points at most POINTS apart, the area from all samples (scikit-learn's average_precision_score). */
static bool trace(const dcnn_view *view, int class_number, scored *samples, pr_curve *curve) {
    const dcnn_report_data *data = view->data;
    const int classes = data->dataset->class_count;
    const int64_t count = data->split->count;
    int64_t positives = 0, hits = 0;
    for (int64_t i = 0; i < count; i++) {
        samples[i].probability = data->probabilities[i * classes + class_number];
        samples[i].right = data->labels[data->split->rows[i]] == class_number;
        positives += samples[i].right;
    }
    if (positives == 0) return false;
    qsort(samples, (size_t)count, sizeof *samples, most_likely_first);
    *curve = (pr_curve){.class_number = class_number};
    double before = 0.0, noted = -1.0;
    for (int64_t i = 0; i < count; i++) {
        hits += samples[i].right;
        if (i + 1 < count && samples[i + 1].probability == samples[i].probability) continue;
        const double recall = (double)hits / (double)positives, precision = (double)hits / (double)(i + 1);
        curve->average += (recall - before) * precision;
        before = recall;
        if ((recall - noted < 1.0 / POINTS && hits < positives) || curve->count > POINTS) continue;
        noted = recall;
        curve->recall[curve->count] = recall;
        curve->precision[curve->count++] = precision;
        if (hits == positives) break;
    }
    return true;
}

static int lowest_first(const void *a, const void *b) {
    const double x = ((const pr_curve *)a)->average, y = ((const pr_curve *)b)->average;
    return (x > y) - (x < y);
}

enum { LEGEND_BYTES = 512, LEGEND_GAP = 20, LEGEND_DASH = 31 };

static const char *legend_text(const dcnn_view *view, const pr_curve *curve, char text[LEGEND_BYTES]) {
    snprintf(text, LEGEND_BYTES, "%s: %.4f", dcnn_view_class(view, curve->class_number), curve->average);
    return text;
}

/* Of the names, with what stands around them. */
static double legend_width(const dcnn_view *view, dcnn_canvas *canvas, int count, const pr_curve *curves) {
    double widest = 0.0;
    char text[LEGEND_BYTES];
    for (int i = 0; i < count; i++)
        widest =
            fmax(widest, dcnn_canvas_measure(canvas, (dcnn_type){.size = 13}, legend_text(view, &curves[i], text)));
    return LEGEND_GAP + LEGEND_DASH + widest + DCNN_MARGIN;
}

static void draw_curves(const dcnn_view *view, dcnn_canvas *canvas, int count, const pr_curve *curves) {
    double low = 1.0;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < curves[i].count; k++) low = fmin(low, curves[i].precision[k]);
    const dcnn_panel panel = {canvas,
                              LEFT,
                              DCNN_HEADING + 8,
                              SIDE,
                              SIDE - 60,
                              dcnn_axis_create(DCNN_AXIS_PERCENT, 0, 1, 6),
                              dcnn_axis_create(DCNN_AXIS_PERCENT, fmin(0.98, low), 1, 6)};
    dcnn_panel_draw(&panel, "recall", "precision");
    for (int i = 0; i < count; i++) {
        char text[LEGEND_BYTES];
        const double y = panel.y + 10 + LEGEND_LINE * i, x = panel.x + panel.width + LEGEND_GAP;
        double across[POINTS + 2], up[POINTS + 2];
        for (int k = 0; k < curves[i].count; k++) {
            across[k] = dcnn_panel_x(&panel, curves[i].recall[k]);
            up[k] = dcnn_panel_y(&panel, curves[i].precision[k]);
        }
        dcnn_canvas_path(canvas, curves[i].count, across, up, (dcnn_pen){colors[i], 1.8, false});
        dcnn_canvas_line(canvas, x, y, x + 24, y, (dcnn_pen){colors[i], 2.5, false});
        dcnn_canvas_text(canvas, x + LEGEND_DASH, y, (dcnn_type){.size = 13}, legend_text(view, &curves[i], text));
    }
}

bool dcnn_figure_precision_recall(const dcnn_view *view, dcnn_canvas *canvas) {
    if (view->data->split == NULL || view->data->split->count == 0) return false;
    const int classes = view->data->dataset->class_count;
    scored *samples = malloc((size_t)view->data->split->count * sizeof *samples);
    pr_curve *curves = calloc((size_t)classes + 1, sizeof *curves);
    int count = 0;
    for (int i = 0; samples && curves && i < classes; i++) count += trace(view, i, samples, &curves[count]);
    if (count > 0) {
        char subtitle[128];
        const int shown = count < MOST_CURVES ? count : MOST_CURVES;
        qsort(curves, (size_t)count, sizeof *curves, lowest_first);
        snprintf(subtitle, sizeof subtitle, "Average precision of each class on '%s'%s", view->data->split->name,
                 shown < count ? ": the ten lowest" : "");
        dcnn_figure_head(canvas, LEFT + SIDE + legend_width(view, canvas, shown, curves), DCNN_HEADING + SIDE + 6,
                         "Precision and recall", subtitle);
        draw_curves(view, canvas, shown, curves);
    }
    free(samples);
    free(curves);
    return count > 0;
}
