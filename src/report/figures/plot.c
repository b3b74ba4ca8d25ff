/* SPDX-License-Identifier: BSD-3-Clause */
/* plot.c — see plot.h. */
#include "report/figures/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- axes ------------------------------------------------------------------------------------------------------- */

static void add_tick(dcnn_axis *axis, double value, int decimals) {
    if (axis->tick_count >= DCNN_MAX_TICKS) return;
    if (value == 0) value = 0; /* "-0" is not a label */
    char *label = axis->labels[axis->tick_count];
    axis->ticks[axis->tick_count++] = value;
    if (axis->kind == DCNN_AXIS_ERRORS)
        snprintf(label, sizeof axis->labels[0], "%.6g %%", 100.0 * value);
    else if (axis->kind == DCNN_AXIS_PERCENT)
        snprintf(label, sizeof axis->labels[0], "%.*f %%", decimals > 2 ? decimals - 2 : 0, 100.0 * value);
    else if (axis->kind == DCNN_AXIS_LOG)
        snprintf(label, sizeof axis->labels[0], "%g", value);
    else if (fabs(value) >= 1e6)
        snprintf(label, sizeof axis->labels[0], "%.3g", value);
    else
        snprintf(label, sizeof axis->labels[0], "%.*f", decimals, value);
}

/* The smallest of 1, 2, 5, 10, … that gives at most so many ticks. */
static double round_step(double span, int most, double *decimals) {
    static const double steps[] = {1, 2, 5, 10};
    const double decade = floor(log10(span / most));
    int i = 0;
    while (i < 3 && span / (steps[i] * pow(10, decade)) > most) i++;
    *decimals = i == 3 ? -decade - 1 : -decade;
    if (*decimals < 0) *decimals = 0;
    return steps[i] * pow(10, decade);
}

static void tick_evenly(dcnn_axis *axis, int most) {
    double decimals, step = round_step(axis->high - axis->low, most, &decimals);
    if (axis->kind == DCNN_AXIS_INTEGER && step < 1) {
        step = 1;
        decimals = 0;
    }
    const double first = ceil(axis->low / step - 1e-9);
    for (int i = 0; i <= most && (first + i) * step <= axis->high + 1e-9 * step; i++) /* 1e17 + 1 is 1e17 */
        add_tick(axis, (first + i) * step, (int)decimals);
}

/* Each decade, with its 2 and 5 where that is not too much, or only every second, third, … one. */
static void tick_decades(dcnn_axis *axis, double low, double high, int most) {
    static const double within[] = {1, 2, 5};
    const double decades = log10(high) - log10(low); /* high / low may be too large */
    if (!isfinite(decades)) return;
    const int parts = 3 * decades <= most ? 3 : 1, stride = (int)ceil((decades + 1) / most);
    for (double power = floor(log10(low)); power <= log10(high) + 1e-9; power += stride)
        for (int part = 0; part < parts; part++) {
            const double value = within[part] * pow(10, power);
            if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue;
            add_tick(axis, axis->kind == DCNN_AXIS_ERRORS ? 1 - value : value, 0);
        }
}

dcnn_axis dcnn_axis_create(dcnn_axis_kind kind, double low, double high, int most) {
    dcnn_axis axis = {.kind = kind, .low = low, .high = high};
    if (kind == DCNN_AXIS_LOG)
        tick_decades(&axis, low, high, most);
    else if (kind == DCNN_AXIS_ERRORS)
        tick_decades(&axis, 1 - high, 1 - low, most);
    else
        tick_evenly(&axis, most);
    return axis;
}

double dcnn_axis_place(const dcnn_axis *axis, double value) {
    if (axis->kind == DCNN_AXIS_ERRORS)
        return value < 1 ? log((1 - axis->low) / (1 - value)) / log((1 - axis->low) / (1 - axis->high)) : (double)NAN;
    if (axis->kind != DCNN_AXIS_LOG) return (value - axis->low) / (axis->high - axis->low);
    return value > 0 ? log(value / axis->low) / log(axis->high / axis->low) : (double)NAN;
}

/* --- panels ----------------------------------------------------------------------------------------------------- */

double dcnn_panel_x(const dcnn_panel *panel, double value) {
    return panel->x + panel->width * dcnn_axis_place(&panel->across, value);
}

double dcnn_panel_y(const dcnn_panel *panel, double value) {
    return panel->y + panel->height * (1.0 - dcnn_axis_place(&panel->up, value));
}

void dcnn_panel_draw(const dcnn_panel *panel, const char *across_title, const char *up_title) {
    const dcnn_pen grid = {0xe6e6e6, 1, false}, axis = {DCNN_GREY, 1, false};
    const double right = panel->x + panel->width, bottom = panel->y + panel->height;
    double widest = 0;
    for (int i = 0; i < panel->up.tick_count; i++) {
        const double y = dcnn_panel_y(panel, panel->up.ticks[i]);
        const dcnn_type type = {.size = 12, .color = DCNN_GREY, .align = 1};
        dcnn_canvas_line(panel->canvas, panel->x, y, right, y, grid);
        dcnn_canvas_text(panel->canvas, panel->x - 8, y, type, panel->up.labels[i]);
        const double width = dcnn_canvas_measure(panel->canvas, type, panel->up.labels[i]);
        if (width > widest) widest = width;
    }
    for (int i = 0; i < panel->across.tick_count; i++) {
        const double x = dcnn_panel_x(panel, panel->across.ticks[i]);
        dcnn_canvas_line(panel->canvas, x, bottom, x, bottom + 4, axis);
        dcnn_canvas_text(panel->canvas, x, bottom + 15, (dcnn_type){.size = 12, .color = DCNN_GREY, .align = 0.5},
                         panel->across.labels[i]);
    }
    dcnn_canvas_line(panel->canvas, panel->x, bottom, right, bottom, axis);
    if (across_title)
        dcnn_canvas_text(panel->canvas, panel->x + panel->width / 2, bottom + 36, (dcnn_type){.size = 13, .align = 0.5},
                         across_title);
    if (up_title)
        dcnn_canvas_text(panel->canvas, panel->x - 22 - widest, panel->y + panel->height / 2,
                         (dcnn_type){.size = 13, .align = 0.5, .vertical = true}, up_title);
}

void dcnn_panel_curve(const dcnn_panel *panel, int count, const double *x, const double *y, dcnn_color color,
                      bool dashed) {
    const double width = count > 200 ? 1.2 : 2;
    double px[1024], py[1024];
    for (int first = 0; first < count; first += 1023) { /* parts overlap by one point */
        const int part = count - first < 1024 ? count - first : 1024;
        for (int i = 0; i < part; i++) {
            px[i] = dcnn_panel_x(panel, x[first + i]);
            py[i] = dcnn_panel_y(panel, y[first + i]);
        }
        dcnn_canvas_path(panel->canvas, part, px, py, (dcnn_pen){color, width, dashed});
    }
    for (int i = 0; i < count && count <= 40; i++) {
        const double at_x = dcnn_panel_x(panel, x[i]), at_y = dcnn_panel_y(panel, y[i]);
        if (isfinite(at_x) && isfinite(at_y))
            dcnn_canvas_dot(panel->canvas, at_x, at_y, dashed ? 3 : 3.5, dashed, color);
    }
}

double dcnn_legend_curve(dcnn_canvas *canvas, double x, double y, dcnn_color color, bool dashed, const char *name) {
    const dcnn_type type = {.size = 13};
    dcnn_canvas_line(canvas, x, y, x + 30, y, (dcnn_pen){color, 2, dashed});
    dcnn_canvas_dot(canvas, x + 15, y, dashed ? 3 : 3.5, dashed, color);
    dcnn_canvas_text(canvas, x + 37, y, type, name);
    return x + 37 + dcnn_canvas_measure(canvas, type, name) + 24;
}

/* --- colours ---------------------------------------------------------------------------------------------------- */

/* Between evenly spaced stops. */
static dcnn_color blend(const dcnn_color *stops, int count, double value) {
    if (!(value > 0)) value = 0;
    if (value > 1) value = 1;
    const double at = value * (count - 1);
    const int i = at < count - 1 ? (int)at : count - 2;
    dcnn_color color = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
        const double from = stops[i] >> shift & 255, to = stops[i + 1] >> shift & 255;
        color |= (dcnn_color)lround(from + (at - i) * (to - from)) << shift;
    }
    return color;
}

dcnn_color dcnn_scale_blues(double value) {
    static const dcnn_color stops[] = {0xffffff, 0xdeebf7, 0xc6dbef, 0x9ecae1, 0x6baed6,
                                       0x4292c6, 0x2171b5, 0x08519c, 0x08306b};
    return blend(stops, sizeof stops / sizeof stops[0], value);
}

dcnn_color dcnn_scale_signed(double value) {
    static const dcnn_color stops[] = {0x053061, 0x2166ac, 0x67a9cf, 0xf7f7f7, 0xfdae61, 0xd9731a, 0x7f3b08};
    return blend(stops, sizeof stops / sizeof stops[0], 0.5 + 0.5 * value);
}

dcnn_color dcnn_color_over(dcnn_color background) {
    const double light =
        0.299 * (background >> 16 & 255) + 0.587 * (background >> 8 & 255) + 0.114 * (background & 255);
    return light < 140 ? DCNN_WHITE : DCNN_BLACK;
}

const char *dcnn_text_integer(int64_t value, char text[32]) {
    char digits[24];
    const int count = snprintf(digits, sizeof digits, "%lld", (long long)value), sign = value < 0;
    int used = 0;
    for (int i = 0; i < count; i++) {
        if (i > sign && (count - i) % 3 == 0) text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}
