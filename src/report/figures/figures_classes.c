/* SPDX-License-Identifier: BSD-3-Clause */
/* figures_classes.c — how well the classes are told apart: confusion matrix, accuracy by class, reliability. */
#include <math.h>
#include <stdio.h>

#include "report/figures/figures.h"
#include "report/figures/plot.h"

/* Width of the longest class name in that type, at most `most`. */
static double longest_name(const dcnn_view *view, dcnn_canvas *canvas, dcnn_type type, double most) {
    double longest = 0;
    for (int i = 0; i < view->data->dataset->class_count && longest < most; i++) {
        const double width = dcnn_canvas_measure(canvas, type, dcnn_view_class(view, i));
        if (width > longest) longest = width;
    }
    return longest < most ? longest : most;
}

static void split_text(const dcnn_view *view, char text[160]) {
    char correct[32], count[32];
    snprintf(text, 160, "Split '%s': %s of %s correct, %.2f %%", view->data->split->name,
             dcnn_text_integer(view->classification.correct, correct),
             dcnn_text_integer(view->classification.count, count), 100 * view->classification.accuracy);
}

/* --- confusion matrix ------------------------------------------------------------------------------------------- */

typedef struct matrix {
    const dcnn_view *view;
    dcnn_canvas *canvas;
    int n;
    double cell, left, top;
    bool shares;      /* cells have room for a second line */
    double text_size; /* of the counts; 0: no room */
    dcnn_type label;
    double label_width;
    int stride; /* every so many names are written */
} matrix;

/* A share's colour: its square root, so that one confusion in a hundred still shows. */
static dcnn_color share_color(double share) {
    return dcnn_scale_blues(sqrt(share));
}

/* The largest size, from 15 down to 5.5, in which the widest count fits into a cell. */
static double fitting_size(dcnn_canvas *canvas, const int64_t *counts, int n, double cell) {
    int64_t largest = 0;
    for (int i = 0; i < n * n; i++)
        if (counts[i] > largest) largest = counts[i];
    char text[32];
    const double unit = dcnn_canvas_measure(canvas, (dcnn_type){.size = 1}, dcnn_text_integer(largest, text));
    double size = fmin(15, fmin(0.34 * cell, (cell - 4) / unit));
    if (cell < 28) size = fmin(11, fmin(0.6 * cell, (cell - 2) / unit));
    return size >= 5.5 ? size : 0;
}

static void draw_cell(const matrix *m, int row, int column, int64_t count, int64_t row_sum) {
    const double x = m->left + column * m->cell, y = m->top + row * m->cell, middle = x + m->cell / 2;
    const double share = (double)count / (double)row_sum;
    const dcnn_color color = share_color(share);
    char text[32];
    dcnn_canvas_rectangle(m->canvas, x, y, fmax(1, m->cell), fmax(1, m->cell), color); /* a smaller one is not seen */
    if (m->text_size <= 0) return;
    dcnn_type type = {.size = m->text_size, .color = dcnn_color_over(color), .align = 0.5, .bold = row == column};
    dcnn_canvas_text(m->canvas, middle, y + m->cell * (m->shares ? 0.36 : 0.5), type, dcnn_text_integer(count, text));
    if (!m->shares) return;
    snprintf(text, sizeof text, "%.1f%%", 100 * share);
    type.bold = false;
    type.size = fmin(0.8 * m->text_size, (m->cell - 2) / dcnn_canvas_measure(m->canvas, (dcnn_type){.size = 1}, text));
    dcnn_canvas_text(m->canvas, middle, y + m->cell * 0.7, type, text);
}

/* Cells with lines between them; from name to name; the side of more than 64 classes, however many they are. */
enum { LEAST_GRID = 6, LEAST_NAME = 13, MATRIX = 1160 };

static void draw_cells(const matrix *m) {
    const dcnn_pen grid = {0xe6e6e6, 0.5, false};
    const double side = m->n * m->cell;
    for (int row = 0; row < m->n; row++) {
        const int64_t *counts = m->view->data->confusion + (int64_t)row * m->n;
        for (int column = 0; column < m->n; column++)
            if (counts[column] > 0)
                draw_cell(m, row, column, counts[column], m->view->classification.classes[row].support);
    }
    for (int i = 1; i < m->n && m->cell >= LEAST_GRID; i++) {
        dcnn_canvas_line(m->canvas, m->left, m->top + i * m->cell, m->left + side, m->top + i * m->cell, grid);
        dcnn_canvas_line(m->canvas, m->left + i * m->cell, m->top, m->left + i * m->cell, m->top + side, grid);
    }
    dcnn_canvas_frame(m->canvas, m->left, m->top, side, side, (dcnn_pen){DCNN_GREY, 1, false});
}

/* Names left of the rows and below the columns; these lie flat if all fit into their cells, else they stand. */
static double draw_names(const matrix *m, bool flat) {
    const double bottom = m->top + m->n * m->cell, middle = m->n * m->cell / 2;
    dcnn_type row = m->label, column = m->label;
    row.align = 1;
    column.align = flat ? 0.5 : 1;
    column.vertical = !flat;
    for (int i = 0; i < m->n; i += m->stride) {
        const char *name = dcnn_view_class(m->view, i);
        dcnn_canvas_text(m->canvas, m->left - 7, m->top + (i + 0.5) * m->cell, row, name);
        dcnn_canvas_text(m->canvas, m->left + (i + 0.5) * m->cell, bottom + (flat ? 13 : 7), column, name);
    }
    const double below = bottom + (flat ? 24 : m->label_width + 12);
    const dcnn_type title = {.size = 13, .align = 0.5};
    dcnn_type upright = title;
    upright.vertical = true;
    dcnn_canvas_text(m->canvas, m->left + middle, below + 14, title, "predicted class");
    dcnn_canvas_text(m->canvas, m->left - 7 - m->label_width - 18, m->top + middle, upright, "true class");
    return below + 30;
}

static void draw_color_bar(const matrix *m) {
    static const double marks[] = {0, 0.01, 0.05, 0.1, 0.25, 0.5, 1};
    const double x = m->left + m->n * m->cell + 24, height = fmin(m->n * m->cell, 260), steps = 64;
    for (int i = 0; i < (int)steps; i++)
        dcnn_canvas_rectangle(m->canvas, x, m->top + height * i / steps, 14, height / steps + 0.5,
                              dcnn_scale_blues(1 - (i + 0.5) / steps));
    dcnn_canvas_frame(m->canvas, x, m->top, 14, height, (dcnn_pen){DCNN_GREY, 1, false});
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        char text[16];
        const double y = m->top + height * (1 - sqrt(marks[i]));
        snprintf(text, sizeof text, "%g %%", 100 * marks[i]);
        dcnn_canvas_line(m->canvas, x + 14, y, x + 18, y, (dcnn_pen){DCNN_GREY, 1, false});
        dcnn_canvas_text(m->canvas, x + 22, y, (dcnn_type){.size = 11, .color = DCNN_GREY}, text);
    }
}

bool dcnn_figure_confusion(const dcnn_view *view, dcnn_canvas *canvas) {
    if (view->data->split == NULL) return false;
    matrix m = {.view = view, .canvas = canvas, .n = view->data->dataset->class_count, .top = DCNN_HEADING + 6};
    m.cell = m.n <= 64       ? fmin(110, fmax(18, floor(720.0 / m.n)))
             : m.n <= MATRIX ? floor((double)MATRIX / m.n)
                             : (double)MATRIX / m.n;
    m.stride = (int)ceil(LEAST_NAME / m.cell);
    m.shares = m.cell >= 28;
    m.text_size = fitting_size(canvas, view->data->confusion, m.n, m.cell);
    m.label = (dcnn_type){.size = m.n > 20 ? 11 : 13};
    m.label_width = longest_name(view, canvas, m.label, 180);
    m.label.width = m.label_width + 1;
    m.left = DCNN_MARGIN + 26 + m.label_width + 7;
    const double bottom = draw_names(&m, m.label_width < m.cell - 4);
    draw_cells(&m);
    draw_color_bar(&m);
    char subtitle[160];
    split_text(view, subtitle);
    dcnn_figure_head(canvas, m.left + m.n * m.cell + 24 + 70, bottom + 4, "Confusion matrix", subtitle);
    return true;
}

/* --- accuracy by class ------------------------------------------------------------------------------------------ */

enum { NOTE_GAP = 14, MOST_ROWS = 100 }; /* a figure of more classes shows those that are told apart worst */

/* The classes of the rows: all in their order, or of many those with the lowest accuracy, the lowest first. Returns
 * their number. */
static int choose_rows(const dcnn_classification *all, int rows[MOST_ROWS]) {
    if (all->class_count <= MOST_ROWS) {
        for (int i = 0; i < all->class_count; i++) rows[i] = i;
        return all->class_count;
    }
    int count = 0;
    for (int i = 0; i < all->class_count; i++) {
        const double recall = all->classes[i].recall;
        int at = count;
        if (all->classes[i].support == 0) continue;
        while (at > 0 && all->classes[rows[at - 1]].recall > recall) at--;
        if (at == MOST_ROWS) continue;
        if (count < MOST_ROWS) count++;
        for (int j = count - 1; j > at; j--) rows[j] = rows[j - 1];
        rows[at] = i;
    }
    return count;
}

/* Wilson's 95 % interval of a share (Wilson, "Probable inference", 1927). */
static void wilson(double share, double count, double *low, double *high) {
    const double z = 1.959963984540054, z2 = z * z;
    const double middle = (share + z2 / (2 * count)) / (1 + z2 / count);
    const double half = z / (1 + z2 / count) * sqrt(share * (1 - share) / count + z2 / (4 * count * count));
    *low = middle - half;
    *high = middle + half;
}

static const dcnn_type note_type = {.size = 12, .color = DCNN_GREY};

static void note_text(const dcnn_class_scores *scores, char text[96]) {
    char hits[32], count[32];
    if (scores->support == 0)
        snprintf(text, 96, "no samples");
    else
        snprintf(text, 96, "%.1f %%  (%s of %s)", 100 * scores->recall,
                 dcnn_text_integer(llround(scores->recall * (double)scores->support), hits),
                 dcnn_text_integer(scores->support, count));
}

static double longest_note(const dcnn_classification *all, dcnn_canvas *canvas) {
    double longest = 0;
    char text[96];
    for (int i = 0; i < all->class_count; i++) {
        note_text(&all->classes[i], text);
        longest = fmax(longest, dcnn_canvas_measure(canvas, note_type, text));
    }
    return longest;
}

static void draw_class(const dcnn_panel *panel, double y, const dcnn_class_scores *scores) {
    char text[96];
    note_text(scores, text);
    dcnn_canvas_text(panel->canvas, panel->x + panel->width + NOTE_GAP, y, note_type, text);
    if (scores->support == 0) return;
    double low, high;
    wilson(scores->recall, (double)scores->support, &low, &high);
    dcnn_canvas_line(panel->canvas, dcnn_panel_x(panel, low), y, dcnn_panel_x(panel, fmin(high, 1)), y,
                     (dcnn_pen){DCNN_SKY, 3, false});
    dcnn_canvas_dot(panel->canvas, dcnn_panel_x(panel, scores->recall), y, 4.5, false, DCNN_BLUE);
}

static double lowest_bound(const dcnn_classification *all) {
    double lowest = 0.95;
    for (int i = 0; i < all->class_count; i++) {
        double low, high;
        if (all->classes[i].support == 0) continue;
        wilson(all->classes[i].recall, (double)all->classes[i].support, &low, &high);
        lowest = fmin(lowest, low);
    }
    return fmax(0, floor(lowest * 20) / 20);
}

bool dcnn_figure_class_accuracy(const dcnn_view *view, dcnn_canvas *canvas) {
    if (view->data->split == NULL) return false;
    const dcnn_classification *all = &view->classification;
    int rows[MOST_ROWS];
    const int count = choose_rows(all, rows);
    const double row = count > 30 ? 18 : 24, height = count * row;
    const dcnn_type label = {.size = 13, .align = 1, .width = 200};
    const double names = longest_name(view, canvas, label, 200);
    char subtitle[160];
    split_text(view, subtitle);
    if (count < all->class_count) {
        char shown[32], of[32];
        snprintf(subtitle, sizeof subtitle, "Split '%s': the %s lowest of %s classes", view->data->split->name,
                 dcnn_text_integer(count, shown), dcnn_text_integer(all->class_count, of));
    }
    const double x = DCNN_MARGIN + names + 14, right = NOTE_GAP + longest_note(all, canvas) + DCNN_MARGIN;
    dcnn_figure_head(canvas, x + 400 + right, DCNN_HEADING + height + 64, "Accuracy of each class", subtitle);
    dcnn_panel panel = {canvas, x, DCNN_HEADING + 4, dcnn_canvas_width(canvas) - x - right, height, {0}, {0}};
    panel.across = dcnn_axis_create(DCNN_AXIS_PERCENT, lowest_bound(all), 1, 6);
    dcnn_panel_draw(&panel, "share of the class' samples classified correctly", NULL);
    for (int i = 0; i < panel.across.tick_count; i++) {
        const double tick = dcnn_panel_x(&panel, panel.across.ticks[i]);
        dcnn_canvas_line(canvas, tick, panel.y, tick, panel.y + height, (dcnn_pen){0xe6e6e6, 1, false});
    }
    for (int i = 0; i < count; i++) {
        const double y = panel.y + (i + 0.5) * row;
        dcnn_canvas_text(canvas, panel.x - 10, y, label, dcnn_view_class(view, rows[i]));
        draw_class(&panel, y, &all->classes[rows[i]]);
    }
    return true;
}

/* --- reliability ------------------------------------------------------------------------------------------------ */

static void draw_counts(const dcnn_panel *panel, const dcnn_calibration *calibration) {
    const double slot = panel->width / DCNN_CALIBRATION_BINS;
    for (int bin = 0; bin < DCNN_CALIBRATION_BINS; bin++) {
        if (calibration->counts[bin] == 0) continue;
        const double top = dcnn_panel_y(panel, (double)calibration->counts[bin] / (double)calibration->count);
        dcnn_canvas_rectangle(panel->canvas, panel->x + bin * slot + 1, fmin(top, panel->y + panel->height - 1),
                              slot - 2, fmax(panel->y + panel->height - top, 1), DCNN_GREY);
    }
}

static void draw_bins(const dcnn_panel *panel, const dcnn_calibration *calibration) {
    const double slot = panel->width / DCNN_CALIBRATION_BINS, bottom = panel->y + panel->height;
    for (int bin = 0; bin < DCNN_CALIBRATION_BINS; bin++) {
        if (calibration->counts[bin] == 0) continue;
        const double x = panel->x + bin * slot, top = dcnn_panel_y(panel, calibration->accuracy[bin]);
        const double promised = dcnn_panel_y(panel, calibration->confidence[bin]);
        dcnn_canvas_rectangle(panel->canvas, x + 1, top, slot - 2, bottom - top, DCNN_SKY);
        dcnn_canvas_line(panel->canvas, x + 1, promised, x + slot - 1, promised, (dcnn_pen){DCNN_VERMILION, 3, false});
    }
    dcnn_canvas_line(panel->canvas, panel->x, bottom, panel->x + panel->width, panel->y,
                     (dcnn_pen){DCNN_GREY, 1.5, true});
}

static void reliability_legend(dcnn_canvas *canvas, double x, double y) {
    const dcnn_type type = {.size = 13};
    dcnn_canvas_rectangle(canvas, x, y - 6, 14, 12, DCNN_SKY);
    dcnn_canvas_text(canvas, x + 21, y, type, "accuracy");
    x += 21 + dcnn_canvas_measure(canvas, type, "accuracy") + 22;
    dcnn_canvas_line(canvas, x, y, x + 18, y, (dcnn_pen){DCNN_VERMILION, 3, false});
    dcnn_canvas_text(canvas, x + 25, y, type, "mean probability");
    x += 25 + dcnn_canvas_measure(canvas, type, "mean probability") + 22;
    dcnn_canvas_line(canvas, x, y, x + 22, y, (dcnn_pen){DCNN_GREY, 1.5, true});
    dcnn_canvas_text(canvas, x + 29, y, type, "perfectly calibrated");
}

bool dcnn_figure_reliability(const dcnn_view *view, dcnn_canvas *canvas) {
    if (view->data->split == NULL || view->calibration.count == 0) return false;
    char subtitle[128], count[32];
    snprintf(subtitle, sizeof subtitle, "Expected calibration error (ECE, %d bins): %.2f %% on %s samples of '%s'",
             DCNN_CALIBRATION_BINS, 100 * view->calibration.ece, dcnn_text_integer(view->calibration.count, count),
             view->data->split->name);
    dcnn_figure_head(canvas, 560, 640, "Reliability", subtitle);
    reliability_legend(canvas, 84, DCNN_HEADING + 10);
    const dcnn_axis whole = dcnn_axis_create(DCNN_AXIS_PERCENT, 0, 1, 6),
                    coarse = dcnn_axis_create(DCNN_AXIS_PERCENT, 0, 1, 3);
    const double width = dcnn_canvas_width(canvas) - 84 - 30;
    const dcnn_panel bins = {canvas, 84, DCNN_HEADING + 34, width, 340, whole, whole};
    const dcnn_panel counts = {canvas, 84, DCNN_HEADING + 34 + 340 + 42, width, 100, whole, coarse};
    dcnn_panel_draw(&bins, NULL, "accuracy");
    draw_bins(&bins, &view->calibration);
    dcnn_panel_draw(&counts, "probability of the predicted class", "samples");
    draw_counts(&counts, &view->calibration);
    return true;
}
