/* SPDX-License-Identifier: BSD-3-Clause */
/* figures_numbers.c — a model of numbers: what it predicts against what is true. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "report/figures/figures.h"
#include "report/figures/plot.h"

enum { SIDE = 250, LEFT = 76, GAP_X = 96, GAP_Y = 84, COLUMNS = 2, MOST_PANELS = 6, MOST_DOTS = 2000 };

/* One number of all samples, on axes of one range; the diagonal is where it is right. */
static void draw_number(const dcnn_view *view, dcnn_canvas *canvas, int number, double x, double y) {
    const dcnn_report_data *data = view->data;
    const int width = data->number_count;
    double low = DBL_MAX, high = -DBL_MAX;
    for (int64_t i = 0; i < data->number_samples; i++) {
        const double values[2] = {(double)data->targets[i * width + number],
                                  (double)data->predictions[i * width + number]};
        for (int k = 0; k < 2; k++)
            if (isfinite(values[k])) low = fmin(low, values[k]), high = fmax(high, values[k]);
    }
    if (!(low < high)) low -= 0.5, high = low + 1.0; /* one value alone */
    const double margin = 0.04 * (high - low);
    const dcnn_axis axis = dcnn_axis_create(DCNN_AXIS_NUMBER, low - margin, high + margin, 5);
    const dcnn_panel panel = {canvas, x, y, SIDE, SIDE, axis, axis};
    char name[96];
    snprintf(name, sizeof name, "predicted %.60s", data->number_names ? data->number_names[number] : "");
    dcnn_panel_draw(&panel, "true", name);
    dcnn_canvas_line(canvas, dcnn_panel_x(&panel, axis.low), dcnn_panel_y(&panel, axis.low),
                     dcnn_panel_x(&panel, axis.high), dcnn_panel_y(&panel, axis.high),
                     (dcnn_pen){DCNN_GREY, 1.5, true});
    const int64_t step = data->number_samples / MOST_DOTS + 1;
    for (int64_t i = 0; i < data->number_samples; i += step) {
        const double across = (double)data->targets[i * width + number],
                     up = (double)data->predictions[i * width + number];
        if (isfinite(across) && isfinite(up))
            dcnn_canvas_dot(canvas, dcnn_panel_x(&panel, across), dcnn_panel_y(&panel, up), 1.7, false, DCNN_BLUE);
    }
}

bool dcnn_figure_scatter(const dcnn_view *view, dcnn_canvas *canvas) {
    const dcnn_report_data *data = view->data;
    char subtitle[160], count[32], shown[48] = "";
    if (data->targets == NULL || data->predictions == NULL || data->number_samples == 0) return false;
    const int panels = data->number_count < MOST_PANELS ? data->number_count : MOST_PANELS;
    if (panels < 1) return false;
    const int columns = panels < COLUMNS ? panels : COLUMNS, rows = (panels + columns - 1) / columns;
    if (panels < data->number_count)
        snprintf(shown, sizeof shown, "; the first %d of %d numbers", panels, data->number_count);
    snprintf(subtitle, sizeof subtitle, "%s samples of '%.40s'%s; on the dashed line a prediction is right",
             dcnn_text_integer(data->number_samples, count), data->scores_split ? data->scores_split : "", shown);
    dcnn_figure_head(canvas, LEFT + columns * (SIDE + GAP_X) - GAP_X + 24, DCNN_HEADING + rows * (SIDE + GAP_Y) - 20,
                     "Predicted against true", subtitle);
    for (int i = 0; i < panels; i++)
        draw_number(view, canvas, i, LEFT + i % columns * (SIDE + GAP_X),
                    DCNN_HEADING + 6 + i / columns * (SIDE + GAP_Y));
    return true;
}
