/* SPDX-License-Identifier: BSD-3-Clause */
/** @file plot.h — axes, curves, legends and colour scales on a canvas. */
#ifndef DCNN_REPORT_PLOT_H
#define DCNN_REPORT_PLOT_H

#include "report/figures/canvas.h"

enum { DCNN_MAX_TICKS = 16 };

/** What an axis' ticks say. */
typedef enum dcnn_axis_kind {
    DCNN_AXIS_NUMBER,
    DCNN_AXIS_INTEGER, /**< ticks at whole numbers only */
    DCNN_AXIS_PERCENT, /**< values are fractions */
    DCNN_AXIS_LOG,     /**< equal ratios are equal lengths */
    DCNN_AXIS_ERRORS   /**< values are fractions below 1; equal ratios of what is missing to 1 are equal lengths */
} dcnn_axis_kind;

typedef struct dcnn_axis {
    dcnn_axis_kind kind;
    double low, high;
    int tick_count;
    double ticks[DCNN_MAX_TICKS];
    char labels[DCNN_MAX_TICKS][24];
} dcnn_axis;

/** An axis over low..high (low < high; above 0 if logarithmic, below 1 if of errors) with at most `most` (>= 2, <
 * DCNN_MAX_TICKS) ticks at round values. */
dcnn_axis dcnn_axis_create(dcnn_axis_kind kind, double low, double high, int most);

/** Where a value lies: 0 at the low end, 1 at the high one; not finite if the value is not. */
double dcnn_axis_place(const dcnn_axis *axis, double value);

/** A rectangle with two axes. */
typedef struct dcnn_panel {
    dcnn_canvas *canvas;
    double x, y, width, height;
    dcnn_axis across, up;
} dcnn_panel;

/** Grid lines, ticks, their labels and the axes' titles (NULL: none), left of and below the panel. */
void dcnn_panel_draw(const dcnn_panel *panel, const char *across_title, const char *up_title);

double dcnn_panel_x(const dcnn_panel *panel, double value);
double dcnn_panel_y(const dcnn_panel *panel, double value);

/** A curve through (x, y) [count]; NaN interrupts it; few points are marked by dots, square ones if dashed. */
void dcnn_panel_curve(const dcnn_panel *panel, int count, const double *x, const double *y, dcnn_color color,
                      bool dashed);

/** One line of a legend: a sample of the curve, then its name. @return x behind it */
double dcnn_legend_curve(dcnn_canvas *canvas, double x, double y, dcnn_color color, bool dashed, const char *name);

/** White to dark blue for 0..1, monotone in lightness (in the manner of ColorBrewer's Blues). */
dcnn_color dcnn_scale_blues(double value);

/** Blue over white to orange for -1..1. */
dcnn_color dcnn_scale_signed(double value);

/** Black or white: what is better read on that colour. */
dcnn_color dcnn_color_over(dcnn_color background);

/** "12,345". */
const char *dcnn_text_integer(int64_t value, char text[32]);

#endif
