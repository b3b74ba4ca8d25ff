/* SPDX-License-Identifier: BSD-3-Clause */
/* report.c — see report.h: draws what the table of figures lists, and writes it down in four ways. */
#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "io/file.h"
#include "report/events.h"
#include "report/figures/figures.h"
#include "report/page.h"
#include "report/page_pieces.h"
#include "io/run_files.h"

static dcnn_status draw(const dcnn_figure *figure, const dcnn_view *view, dcnn_drawn *drawn) {
    dcnn_canvas *canvas;
    dcnn_status status = DCNN_OK;
    DCNN_TRY(dcnn_canvas_create(&canvas));
    if (figure->draw(view, canvas)) {
        drawn->figure = figure;
        drawn->width = dcnn_canvas_width(canvas);
        drawn->height = dcnn_canvas_height(canvas);
        status = dcnn_canvas_png(canvas, &drawn->png, &drawn->png_length);
        if (status == DCNN_OK) status = dcnn_canvas_svg(canvas, &drawn->svg, &drawn->svg_length);
    }
    dcnn_canvas_free(canvas);
    return status;
}

/* A figure that cannot be drawn does not keep the others from their page. */
static void draw_or_warn(const dcnn_figure *figure, const dcnn_view *view, dcnn_drawn *drawn) {
    if (draw(figure, view, drawn) == DCNN_OK) return;
    dcnn_warn("the report is without its figure '%s': %s", figure->name, dcnn_error());
    free(drawn->png);
    free(drawn->svg);
    *drawn = (dcnn_drawn){0};
}

static dcnn_status write_file(const char *folder, const char *name, const char *extension, const void *bytes,
                              size_t length) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s.%s", folder, name, extension) < 0)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    dcnn_status status = dcnn_file_write(path, bytes, length, false);
    free(path);
    return status;
}

/* What an earlier report has and this one has not: it would be taken for this one's. */
static dcnn_status remove_file(const char *folder, const char *name, const char *extension) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s.%s", folder, name, extension) < 0)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    dcnn_status status = DCNN_OK;
    if (access(path, F_OK) == 0 && unlink(path) != 0 && errno != ENOENT)
        status =
            DCNN_FAIL(DCNN_FAILURE, "%s: is of an earlier report and cannot be removed: %s", path, strerror(errno));
    free(path);
    return status;
}

static dcnn_status write_figures(const char *folder, int64_t step, int count, const dcnn_drawn *drawn) {
    int images = 0;
    dcnn_event_image *list = calloc((size_t)count, sizeof *list);
    dcnn_status status = list ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: the list of figures");
    for (int i = 0; i < count && status == DCNN_OK; i++) {
        const dcnn_drawn *d = &drawn[i];
        if (d->figure == NULL) {
            status = remove_file(folder, dcnn_figure_table[i].name, "png");
            if (status == DCNN_OK) status = remove_file(folder, dcnn_figure_table[i].name, "svg");
            continue;
        }
        status = write_file(folder, d->figure->name, "png", d->png, d->png_length);
        if (status == DCNN_OK) status = write_file(folder, d->figure->name, "svg", d->svg, d->svg_length);
        list[images++] = (dcnn_event_image){d->figure->name, (int)d->width * DCNN_PNG_SCALE,
                                            (int)d->height * DCNN_PNG_SCALE, d->png, d->png_length};
    }
    if (status == DCNN_OK) status = dcnn_events_write_images(folder, step, images, list);
    free(list);
    return status;
}

/* What the page says of the model on its split, for programs. */
static dcnn_status write_evaluation(const char *folder, const dcnn_view *view) {
    enum { TOP = 5 };
    const dcnn_report_data *data = view->data;
    const dcnn_classification *all = &view->classification;
    if (data->split == NULL) return remove_file(folder, "evaluation", "json");
    json_t *json = json_pack(
        "{s:o, s:o, s:s, s:I, s:I, s:f, s:o, s:I, s:o, s:o, s:o}", "model", dcnn_json_shown(data->model_path), "data",
        dcnn_json_shown(data->dataset->path), "split", data->split->name, "count", (json_int_t)all->count, "correct",
        (json_int_t)all->correct, "accuracy", all->accuracy, "loss", dcnn_json_number(data->loss), "top_5_correct",
        (json_int_t)dcnn_top_hits(data, TOP), "calibration_error", dcnn_json_number(view->calibration.ece), "report",
        dcnn_classification_json(all, (const char *const *)data->dataset->class_names), "confusion",
        dcnn_json_matrix(data->dataset->class_count, data->confusion));
    char *text = json ? json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    dcnn_status status = text ? write_file(folder, "evaluation", "json", text, strlen(text))
                              : DCNN_FAIL(DCNN_FAILURE, "out of memory: the report's figures");
    free(text);
    json_decref(json);
    return status;
}

static dcnn_status write_all(const char *folder, const dcnn_view *view, const dcnn_drawn *drawn) {
    char *figures = NULL;
    if (asprintf(&figures, "%s/" DCNN_RUN_FIGURES, folder) < 0) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a path");
    dcnn_status status = dcnn_folder_create(figures);
    if (status == DCNN_OK) status = write_figures(figures, view->data->model->progress.epoch, dcnn_figure_count, drawn);
    free(figures);
    DCNN_TRY(status);
    DCNN_TRY(write_evaluation(folder, view));
    char *page = dcnn_page_text(view, dcnn_figure_count, drawn);
    status = page ? write_file(folder, "report", "html", page, strlen(page))
                  : DCNN_FAIL(DCNN_FAILURE, "out of memory: the report's page");
    free(page);
    return status;
}

dcnn_status dcnn_report_write(const char *folder, const dcnn_report_data *data) {
    dcnn_view view;
    dcnn_status status = dcnn_view_create(data, &view);
    dcnn_drawn *drawn = calloc((size_t)dcnn_figure_count, sizeof *drawn);
    if (status == DCNN_OK && drawn == NULL) status = DCNN_FAIL(DCNN_FAILURE, "out of memory: figures");
    for (int i = 0; i < dcnn_figure_count && status == DCNN_OK; i++)
        draw_or_warn(&dcnn_figure_table[i], &view, &drawn[i]);
    if (status == DCNN_OK) status = write_all(folder, &view, drawn);
    for (int i = 0; drawn && i < dcnn_figure_count; i++) {
        free(drawn[i].png);
        free(drawn[i].svg);
    }
    free(drawn);
    dcnn_view_free(&view);
    return status;
}
