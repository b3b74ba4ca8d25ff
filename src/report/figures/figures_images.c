/* SPDX-License-Identifier: BSD-3-Clause */
/* figures_images.c — what the network sees, says and has learnt: samples, augmentation, predictions, filters. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/figures/figures.h"
#include "report/figures/plot.h"

enum { COLUMNS = 6, SAMPLES = 4 * COLUMNS, WORST = 8 * COLUMNS, TILE = 96, GAP = 14, LINE = 17 };

static const uint8_t *pixels_of(const dcnn_view *view, int64_t row) {
    const dcnn_dataset *d = view->data->dataset;
    return view->data->pixels + row * d->h * d->w * d->c;
}

static const dcnn_pen thin = {DCNN_PALE, 1, false}, warning = {DCNN_VERMILION, 2.5, false};

static void draw_sample(const dcnn_view *view, dcnn_canvas *canvas, double x, double y, int64_t row, dcnn_pen frame) {
    const dcnn_dataset *d = view->data->dataset;
    dcnn_canvas_image(canvas, x, y, TILE, pixels_of(view, row), d->h, d->w, d->c, frame);
}

/* --- grids of samples ------------------------------------------------------------------------------------------- */

/* As many of a split's samples as a figure shows. */
static int few(int64_t count) {
    return count < SAMPLES ? (int)count : SAMPLES;
}

/* Tiles in rows, each with lines of text below; wider where class names are long. */
typedef struct grid {
    const dcnn_view *view;
    dcnn_canvas *canvas;
    int count, columns, lines;
    double cell; /* width of a tile's column, without the gap */
} grid;

static grid make_grid(const dcnn_view *view, dcnn_canvas *canvas, int count, int lines, double text_extra) {
    grid g = {view, canvas, count, COLUMNS, lines, TILE};
    for (int i = 0; i < view->data->dataset->class_count; i++)
        g.cell =
            fmax(g.cell, text_extra + dcnn_canvas_measure(canvas, (dcnn_type){.size = 12}, dcnn_view_class(view, i)));
    if (g.cell > 190) g.cell = 190;
    if (g.cell > 130) g.columns = 4;
    if (g.count < g.columns) g.columns = g.count;
    return g;
}

static void finish_grid(const grid *g, const char *title, const char *subtitle) {
    const int rows = (g->count + g->columns - 1) / g->columns;
    dcnn_figure_head(g->canvas, 2 * DCNN_MARGIN + g->columns * (g->cell + GAP) - GAP,
                     DCNN_HEADING + rows * (TILE + g->lines * LINE + GAP) + 8, title, subtitle);
}

/* Where tile i begins; its image is centred in the column. */
static void place_tile(const grid *g, int i, double *x, double *y) {
    *x = DCNN_MARGIN + i % g->columns * (g->cell + GAP);
    *y = DCNN_HEADING + (double)(i / g->columns) * (TILE + g->lines * LINE + GAP);
}

/* The n-th sample, from 0, of a class. */
static int64_t sample_of(const dcnn_split *split, const int32_t *labels, int32_t class_number, int64_t n) {
    int64_t i = 0;
    while (labels[split->rows[i]] != class_number || n-- > 0) i++;
    return i;
}

dcnn_status dcnn_pick_samples(const dcnn_split *split, int classes, const int32_t *labels, int shown, int64_t *picked) {
    for (int i = 0; i < shown; i++) picked[i] = (int64_t)i * split->count / shown;
    if (labels == NULL || shown == 0) return DCNN_OK;
    int64_t *counts = calloc((size_t)classes + 1, sizeof *counts);
    int32_t *present = calloc((size_t)classes + 1, sizeof *present), found = 0;
    if (counts && present) {
        for (int64_t i = 0; i < split->count; i++) counts[labels[split->rows[i]]]++;
        for (int32_t k = 0; k < classes; k++)
            if (counts[k] > 0) present[found++] = k;
        int64_t left = shown, round = 0;
        for (int32_t k = 0; left > 0 && found > 0; k = (k + 1) % found, round += k == 0) {
            const int32_t class_number = present[shown < found ? (int64_t)k * found / shown : k];
            if (round >= counts[class_number]) continue;
            picked[shown - left--] = sample_of(split, labels, class_number, round);
        }
    }
    const bool done = counts && present;
    free(counts);
    free(present);
    return done ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: %d classes of a figure", classes);
}

bool dcnn_figure_training_images(const dcnn_view *view, dcnn_canvas *canvas) {
    const dcnn_split *train = dcnn_dataset_split(view->data->dataset, "train");
    if (train == NULL || train->count == 0) return false;
    const grid g = make_grid(view, canvas, few(train->count), 1, 0);
    int64_t picked[SAMPLES];
    if (dcnn_pick_samples(train, view->data->dataset->class_count, view->data->labels, g.count, picked) != DCNN_OK)
        return false;
    for (int i = 0; i < g.count; i++) {
        double x, y;
        const int64_t row = train->rows[picked[i]];
        place_tile(&g, i, &x, &y);
        draw_sample(view, canvas, x + (g.cell - TILE) / 2, y, row, thin);
        dcnn_canvas_text(canvas, x + g.cell / 2, y + TILE + 10, (dcnn_type){.size = 12, .align = 0.5, .width = g.cell},
                         dcnn_view_label(view, row));
    }
    finish_grid(&g, "Training images", "Of each class in turn, from the split 'train'");
    return true;
}

/* "is NAME", "said NAME 99.9 %"; right and wrong differ by sign and colour. */
static void draw_prediction(const grid *g, int i, int64_t sample) {
    const dcnn_view *view = g->view;
    const int64_t row = view->data->split->rows[sample];
    const bool hit = view->hit[sample];
    const dcnn_color color = hit ? DCNN_BLACK : 0xb34700;
    double x, y;
    place_tile(g, i, &x, &y);
    draw_sample(view, g->canvas, x + (g->cell - TILE) / 2, y, row, hit ? thin : warning);
    char share[16];
    snprintf(share, sizeof share, "%.1f %%", 100 * (double)view->confidence[sample]);
    const dcnn_type small = {.size = 12, .color = DCNN_GREY};
    const dcnn_type right = {.size = 12, .color = color, .align = 1};
    const double room = g->cell - 16 - dcnn_canvas_measure(g->canvas, right, share) - 6;
    dcnn_canvas_text(g->canvas, x, y + TILE + 10, small, "is");
    dcnn_canvas_text(g->canvas, x + 16, y + TILE + 10, (dcnn_type){.size = 12, .width = g->cell - 16},
                     dcnn_view_label(view, row));
    dcnn_canvas_text(g->canvas, x, y + TILE + 10 + LINE, (dcnn_type){.size = 12, .color = color, .bold = !hit},
                     hit ? "✓" : "✗");
    dcnn_canvas_text(g->canvas, x + 16, y + TILE + 10 + LINE,
                     (dcnn_type){.size = 12, .color = color, .bold = !hit, .width = room},
                     dcnn_view_class(view, view->predicted[sample]));
    dcnn_canvas_text(g->canvas, x + g->cell, y + TILE + 10 + LINE, right, share);
}

bool dcnn_figure_predictions(const dcnn_view *view, dcnn_canvas *canvas) {
    if (view->data->split == NULL || view->data->split->count == 0) return false;
    const grid g = make_grid(view, canvas, few(view->data->split->count), 2, 16 + 56);
    int64_t picked[SAMPLES];
    if (dcnn_pick_samples(view->data->split, view->data->dataset->class_count, view->data->labels, g.count, picked) !=
        DCNN_OK)
        return false;
    for (int i = 0; i < g.count; i++) draw_prediction(&g, i, picked[i]);
    char subtitle[160];
    snprintf(subtitle, sizeof subtitle,
             "Of each class in turn, from '%s': true class, predicted class and its probability",
             view->data->split->name);
    finish_grid(&g, "Predictions", subtitle);
    return true;
}

/* Indices of the wrong predictions of the highest confidence, best first; equals in the order of the split. */
static int most_wrong(const dcnn_view *view, int64_t worst[WORST]) {
    int count = 0;
    for (int64_t i = 0; i < view->data->split->count; i++) {
        if (view->hit[i]) continue;
        int at = count < WORST ? count++ : WORST;
        while (at > 0 && view->confidence[worst[at - 1]] < view->confidence[i]) {
            if (at < WORST) worst[at] = worst[at - 1];
            at--;
        }
        if (at < WORST) worst[at] = i;
    }
    return count;
}

bool dcnn_figure_most_wrong(const dcnn_view *view, dcnn_canvas *canvas) {
    if (view->data->split == NULL) return false;
    int64_t worst[WORST];
    const int count = most_wrong(view, worst);
    if (count == 0) return false;
    const grid g = make_grid(view, canvas, count, 2, 16 + 56);
    for (int i = 0; i < g.count; i++) draw_prediction(&g, i, worst[i]);
    char subtitle[160], wrong[32], all[32];
    const int64_t all_wrong = view->classification.count - view->classification.correct;
    snprintf(subtitle, sizeof subtitle, "%s %s wrong predictions among %s samples of '%s'",
             count < all_wrong ? "The most confident of" : "All", dcnn_text_integer(all_wrong, wrong),
             dcnn_text_integer(view->classification.count, all), view->data->split->name);
    finish_grid(&g, "Most confidently wrong", subtitle);
    return true;
}

/* --- augmentation ----------------------------------------------------------------------------------------------- */

/* What the network saw of one image, epoch by epoch; returns the height used. */
static double draw_changes(const dcnn_view *view, dcnn_canvas *canvas, int row, double first, double y) {
    const dcnn_report_data *data = view->data;
    const dcnn_dataset *d = data->dataset;
    const int64_t values = (int64_t)d->h * d->w * d->c;
    const char *name = data->augmented_names[row];
    draw_sample(view, canvas, DCNN_MARGIN, y, data->augmented_samples[row], thin);
    for (int copy = 0; copy < data->augmented_copies; copy++)
        dcnn_canvas_image(canvas, first + copy * (TILE + GAP / 2.0), y, TILE,
                          data->augmented + ((int64_t)row * data->augmented_copies + copy) * values, d->h, d->w, d->c,
                          thin);
    if (name == NULL) return TILE + GAP / 2.0;
    dcnn_canvas_text(canvas, first, y + TILE + 10, (dcnn_type){.size = 12, .color = DCNN_GREY}, name);
    return TILE + LINE + GAP / 2.0;
}

bool dcnn_figure_augmentation(const dcnn_view *view, dcnn_canvas *canvas) {
    const dcnn_report_data *data = view->data;
    if (data->augmented_rows == 0) return false;
    const dcnn_type head = {.size = 12, .color = DCNN_GREY, .align = 0.5};
    const double first = DCNN_MARGIN + TILE + 2 * GAP;
    double y = DCNN_HEADING + 20;
    dcnn_canvas_text(canvas, DCNN_MARGIN + TILE / 2.0, DCNN_HEADING + 6, head, "original");
    for (int copy = 0; copy < data->augmented_copies; copy++) {
        char text[32];
        snprintf(text, sizeof text, "epoch %d", copy + 1);
        dcnn_canvas_text(canvas, first + copy * (TILE + GAP / 2.0) + TILE / 2.0, DCNN_HEADING + 6, head, text);
    }
    for (int row = 0; row < data->augmented_rows; row++) y += draw_changes(view, canvas, row, first, y);
    dcnn_figure_head(canvas, first + data->augmented_copies * (TILE + GAP / 2.0) - GAP / 2.0 + DCNN_MARGIN, y + 12,
                     "Augmentation",
                     "Training images, and what the network saw of them in each epoch; then each change by itself");
    return true;
}

/* --- filters ---------------------------------------------------------------------------------------------------- */

enum { MOST_FILTERS = 256, FILTER_COLUMNS = 16, FILTER_TILE = 40 };

/* The first four-dimensional kernel: [h, w, channels, filters]. */
static const dcnn_param *first_kernel(const dcnn_net *net) {
    for (int i = 0; i < net->node_count; i++)
        for (int j = 0; j < net->nodes[i].param_count; j++)
            if (net->nodes[i].params[j].rank == 4) return &net->nodes[i].params[j];
    return NULL;
}

static double largest_weight(const float *weights, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)weights[i]));
    return largest > 0 ? largest : 1;
}

/* One filter as an image: three channels as red, green and blue around grey, others by their mean over channels. */
static void paint_filter(const float *weights, const dcnn_param *kernel, int filter, double largest, uint8_t *pixels) {
    const int h = kernel->dims[0], w = kernel->dims[1], c = kernel->dims[2], filters = kernel->dims[3];
    for (int i = 0; i < h * w; i++) {
        const float *at = weights + (int64_t)i * c * filters + filter;
        double mean = 0;
        for (int channel = 0; channel < c; channel++) mean += (double)at[channel * filters] / c;
        const dcnn_color color = dcnn_scale_signed(mean / largest);
        for (int channel = 0; channel < 3; channel++) {
            const double weight = fmin(1, fmax(-1, (double)at[channel < c ? channel * filters : 0] / largest));
            const long light = c == 3 ? lround(127.5 + 127.5 * weight) : (long)(color >> (16 - 8 * channel) & 255);
            pixels[3 * i + channel] = (uint8_t)light;
        }
    }
}

static void filter_scale(dcnn_canvas *canvas, double x, double y, double largest) {
    char text[32];
    const dcnn_type type = {.size = 12, .color = DCNN_GREY};
    for (int i = 0; i < 64; i++)
        dcnn_canvas_rectangle(canvas, x + 60 + 2 * i, y - 6, 2.5, 12, dcnn_scale_signed((i - 31.5) / 31.5));
    snprintf(text, sizeof text, "%.3g", -largest);
    dcnn_canvas_text(canvas, x + 54, y, (dcnn_type){.size = 12, .color = DCNN_GREY, .align = 1}, text);
    snprintf(text, sizeof text, "%.3g", largest);
    dcnn_canvas_text(canvas, x + 60 + 128 + 6, y, type, text);
}

bool dcnn_figure_filters(const dcnn_view *view, dcnn_canvas *canvas) {
    const dcnn_net *net = view->data->model ? view->data->model->net : NULL;
    const dcnn_param *kernel = net ? first_kernel(net) : NULL;
    if (kernel == NULL) return false;
    const float *weights = dcnn_net_values(net, kernel);
    const int h = kernel->dims[0], w = kernel->dims[1], c = kernel->dims[2], filters = kernel->dims[3];
    const int shown = filters < MOST_FILTERS ? filters : MOST_FILTERS;
    const int columns = shown < FILTER_COLUMNS ? shown : FILTER_COLUMNS, rows = (shown + columns - 1) / columns;
    const double largest = largest_weight(weights, kernel->count), step = FILTER_TILE + 6;
    uint8_t *pixels = calloc((size_t)(h * w), 3);
    if (pixels == NULL) return false;
    for (int i = 0; i < shown; i++) {
        paint_filter(weights, kernel, i, largest, pixels);
        dcnn_canvas_image(canvas, DCNN_MARGIN + i % columns * step, DCNN_HEADING + (double)(i / columns) * step,
                          FILTER_TILE, pixels, h, w, 3, thin);
    }
    free(pixels);
    const double bottom = DCNN_HEADING + rows * step + 14;
    if (c != 3) filter_scale(canvas, DCNN_MARGIN, bottom, largest);
    char subtitle[160];
    snprintf(subtitle, sizeof subtitle, "%d of %d filters of %d x %d%s", shown, filters, h, w,
             c == 3   ? ", their three channels as red, green and blue; grey is 0"
             : c == 1 ? ""
                      : ", the mean of their channels");
    dcnn_figure_head(canvas, 2 * DCNN_MARGIN + columns * step - 6, bottom + (c == 3 ? 0 : 20), "First layer's filters",
                     subtitle);
    return true;
}
