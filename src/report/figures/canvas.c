/* SPDX-License-Identifier: BSD-3-Clause */
/* canvas.c — see canvas.h. A cairo recording surface, played back onto an image and an SVG surface. */
#include "report/figures/canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cairo-svg.h>
#include <cairo.h>
#include <pango/pangocairo.h>

#include "report/figures/png.h"

struct dcnn_canvas {
    cairo_surface_t *recording;
    cairo_t *cairo;
    PangoLayout *layout;
    double width, height;
};

/* --- life ------------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_canvas_create(dcnn_canvas **out) {
    *out = NULL;
    dcnn_canvas *canvas = calloc(1, sizeof *canvas);
    if (canvas == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a figure");
    canvas->recording = cairo_recording_surface_create(CAIRO_CONTENT_COLOR_ALPHA, NULL);
    canvas->cairo = cairo_create(canvas->recording);
    canvas->layout = pango_cairo_create_layout(canvas->cairo);
    /* Letters keep their exact widths at any scale, so that a text measured here fits in both files. */
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    pango_cairo_context_set_font_options(pango_layout_get_context(canvas->layout), options);
    cairo_font_options_destroy(options);
    pango_layout_set_single_paragraph_mode(canvas->layout, TRUE);
    *out = canvas;
    return DCNN_OK;
}

void dcnn_canvas_free(dcnn_canvas *canvas) {
    if (canvas == NULL) return;
    g_object_unref(canvas->layout);
    cairo_destroy(canvas->cairo);
    cairo_surface_finish(canvas->recording); /* cairo 1.16 keeps a reference once it is painted into an SVG */
    cairo_surface_destroy(canvas->recording);
    free(canvas);
}

void dcnn_canvas_resize(dcnn_canvas *canvas, double width, double height) {
    canvas->width = ceil(width);
    canvas->height = ceil(height);
}

double dcnn_canvas_width(const dcnn_canvas *canvas) {
    return canvas->width;
}

double dcnn_canvas_height(const dcnn_canvas *canvas) {
    return canvas->height;
}

/* --- shapes ----------------------------------------------------------------------------------------------------- */

static void use_color(cairo_t *cairo, dcnn_color color) {
    cairo_set_source_rgb(cairo, (color >> 16 & 255) / 255.0, (color >> 8 & 255) / 255.0, (color & 255) / 255.0);
}

static void stroke(cairo_t *cairo, dcnn_pen pen) {
    const double dashes[2] = {4.0 * pen.width, 2.5 * pen.width};
    use_color(cairo, pen.color);
    cairo_set_line_width(cairo, pen.width);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(cairo, dashes, pen.dashed ? 2 : 0, 0.0);
    cairo_stroke(cairo);
}

void dcnn_canvas_rectangle(dcnn_canvas *canvas, double x, double y, double width, double height, dcnn_color color) {
    use_color(canvas->cairo, color);
    cairo_rectangle(canvas->cairo, x, y, width, height);
    cairo_fill(canvas->cairo);
}

void dcnn_canvas_frame(dcnn_canvas *canvas, double x, double y, double width, double height, dcnn_pen pen) {
    cairo_rectangle(canvas->cairo, x + pen.width / 2, y + pen.width / 2, width - pen.width, height - pen.width);
    stroke(canvas->cairo, pen);
}

void dcnn_canvas_line(dcnn_canvas *canvas, double x0, double y0, double x1, double y1, dcnn_pen pen) {
    cairo_move_to(canvas->cairo, x0, y0);
    cairo_line_to(canvas->cairo, x1, y1);
    stroke(canvas->cairo, pen);
}

void dcnn_canvas_path(dcnn_canvas *canvas, int count, const double *x, const double *y, dcnn_pen pen) {
    bool drawing = false;
    for (int i = 0; i < count; i++) {
        const bool there = isfinite(x[i]) && isfinite(y[i]);
        if (there && drawing) cairo_line_to(canvas->cairo, x[i], y[i]);
        if (there && !drawing) cairo_move_to(canvas->cairo, x[i], y[i]);
        drawing = there;
    }
    stroke(canvas->cairo, pen);
}

void dcnn_canvas_dot(dcnn_canvas *canvas, double x, double y, double radius, bool square, dcnn_color color) {
    use_color(canvas->cairo, color);
    if (square)
        cairo_rectangle(canvas->cairo, x - radius, y - radius, 2 * radius, 2 * radius);
    else
        cairo_arc(canvas->cairo, x, y, radius, 0, 2 * G_PI);
    cairo_fill(canvas->cairo);
}

/* --- text ------------------------------------------------------------------------------------------------------- */

static void set_text(dcnn_canvas *canvas, dcnn_type type, const char *text) {
    PangoFontDescription *font = pango_font_description_from_string("sans");
    pango_font_description_set_absolute_size(font, type.size * PANGO_SCALE);
    pango_font_description_set_weight(font, type.bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
    pango_layout_set_font_description(canvas->layout, font);
    pango_font_description_free(font);
    pango_layout_set_width(canvas->layout, type.width > 0 ? (int)(type.width * PANGO_SCALE) : -1);
    pango_layout_set_ellipsize(canvas->layout, type.width > 0 ? PANGO_ELLIPSIZE_END : PANGO_ELLIPSIZE_NONE);
    char *valid = g_utf8_make_valid(text, -1);
    pango_layout_set_text(canvas->layout, valid, -1);
    g_free(valid);
}

void dcnn_canvas_text(dcnn_canvas *canvas, double x, double y, dcnn_type type, const char *text) {
    PangoRectangle box;
    set_text(canvas, type, text);
    pango_layout_get_extents(canvas->layout, NULL, &box);
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, x, y);
    if (type.vertical) cairo_rotate(canvas->cairo, -G_PI / 2);
    cairo_move_to(canvas->cairo, -(type.align * box.width + box.x) / PANGO_SCALE, -0.5 * box.height / PANGO_SCALE);
    use_color(canvas->cairo, type.color ? type.color : DCNN_BLACK);
    pango_cairo_show_layout(canvas->cairo, canvas->layout);
    cairo_restore(canvas->cairo);
}

double dcnn_canvas_measure(dcnn_canvas *canvas, dcnn_type type, const char *text) {
    PangoRectangle box;
    type.width = 0;
    set_text(canvas, type, text);
    pango_layout_get_extents(canvas->layout, NULL, &box);
    return (double)box.width / PANGO_SCALE;
}

/* --- images --------------------------------------------------------------------------------------------------- */

static uint32_t pixel_color(const uint8_t *pixel, int c) {
    return c < 3 ? pixel[0] * 0x010101U : (uint32_t)pixel[0] << 16 | (uint32_t)pixel[1] << 8 | pixel[2];
}

/* The image with each pixel repeated `times` by `times`: viewers smooth an SVG's small images, whatever it asks for.
 */
static cairo_surface_t *enlarge(const uint8_t *pixels, int h, int w, int c, int times) {
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, w * times, h * times);
    if (cairo_surface_status(image) != CAIRO_STATUS_SUCCESS) return image;
    unsigned char *rows = cairo_image_surface_get_data(image);
    const int stride = cairo_image_surface_get_stride(image);
    for (int y = 0; y < h * times; y++)
        for (int x = 0; x < w * times; x++) {
            const uint32_t color = pixel_color(pixels + ((y / times) * w + x / times) * c, c);
            memcpy(rows + (size_t)y * (size_t)stride + (size_t)x * sizeof color, &color, sizeof color);
        }
    cairo_surface_mark_dirty(image);
    return image;
}

/* The image with each `times` by `times` pixels as one, their mean, of `shown` channels. NULL: no memory. */
static uint8_t *shrink(const uint8_t *pixels, int h, int w, int c, int times, int shown) {
    const int rows = (h + times - 1) / times, columns = (w + times - 1) / times;
    uint8_t *small = malloc((size_t)rows * (size_t)columns * (size_t)shown), *to = small;
    for (int y = 0; small && y < rows; y++)
        for (int x = 0; x < columns; x++) {
            const int y_end = (y + 1) * times < h ? (y + 1) * times : h,
                      x_end = (x + 1) * times < w ? (x + 1) * times : w;
            const int64_t area = (int64_t)(y_end - y * times) * (x_end - x * times);
            for (int channel = 0; channel < shown; channel++) {
                int64_t sum = area / 2;
                for (int i = y * times; i < y_end; i++)
                    for (int j = x * times; j < x_end; j++) sum += pixels[((int64_t)i * w + j) * c + channel];
                *to++ = (uint8_t)(sum / area);
            }
        }
    return small;
}

static void draw_image(dcnn_canvas *canvas, double x, double y, double side, const uint8_t *pixels, int h, int w, int c,
                       dcnn_pen frame) {
    const int longest = h > w ? h : w;
    const int times = longest < DCNN_PNG_SCALE * side ? (int)ceil(DCNN_PNG_SCALE * side / longest) : 1;
    const double scale = side / longest, left = x + (side - scale * w) / 2, top = y + (side - scale * h) / 2;
    cairo_surface_t *image = enlarge(pixels, h, w, c, times);
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, left, top);
    cairo_scale(canvas->cairo, scale / times, scale / times);
    cairo_set_source_surface(canvas->cairo, image, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(canvas->cairo), CAIRO_FILTER_GOOD);
    cairo_rectangle(canvas->cairo, 0, 0, w * times, h * times);
    cairo_fill(canvas->cairo);
    cairo_restore(canvas->cairo);
    cairo_surface_destroy(image);
    dcnn_canvas_frame(canvas, left, top, scale * w, scale * h, frame);
}

/* What is much larger than it is shown would make files as large as the images themselves. */
void dcnn_canvas_image(dcnn_canvas *canvas, double x, double y, double side, const uint8_t *pixels, int h, int w, int c,
                       dcnn_pen frame) {
    const int times = (int)((h > w ? h : w) / (2 * DCNN_PNG_SCALE * side)), shown = c < 3 ? 1 : 3;
    uint8_t *small = times > 1 ? shrink(pixels, h, w, c, times, shown) : NULL;
    if (small)
        draw_image(canvas, x, y, side, small, (h + times - 1) / times, (w + times - 1) / times, shown, frame);
    else
        draw_image(canvas, x, y, side, pixels, h, w, c, frame);
    free(small);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

typedef struct memory {
    uint8_t *bytes;
    size_t length, room;
} memory;

static cairo_status_t append(void *closure, const unsigned char *data, unsigned int length) {
    memory *file = closure;
    if (file->length + length > file->room) {
        const size_t room = 2 * file->room + length;
        uint8_t *bytes = realloc(file->bytes, room);
        if (bytes == NULL) return CAIRO_STATUS_NO_MEMORY;
        file->bytes = bytes;
        file->room = room;
    }
    memcpy(file->bytes + file->length, data, length);
    file->length += length;
    return CAIRO_STATUS_SUCCESS;
}

static bool append_png(void *context, const uint8_t *bytes, size_t length) {
    return append(context, bytes, (unsigned int)length) == CAIRO_STATUS_SUCCESS;
}

static cairo_status_t play(const dcnn_canvas *canvas, cairo_surface_t *surface, double scale) {
    cairo_t *cairo = cairo_create(surface);
    cairo_scale(cairo, scale, scale);
    use_color(cairo, DCNN_WHITE);
    cairo_paint(cairo);
    cairo_set_source_surface(cairo, canvas->recording, 0, 0);
    cairo_paint(cairo);
    const cairo_status_t drawn = cairo_status(canvas->cairo), played = cairo_status(cairo);
    cairo_destroy(cairo);
    return drawn != CAIRO_STATUS_SUCCESS ? drawn : played;
}

/* Hands the file over, or says why there is none. */
static dcnn_status finish(memory *file, cairo_status_t cairo, const char *kind, uint8_t **bytes, size_t *length) {
    *bytes = NULL;
    *length = 0;
    if (cairo != CAIRO_STATUS_SUCCESS) {
        free(file->bytes);
        return DCNN_FAIL(DCNN_FAILURE, "a figure cannot be drawn as %s: %s", kind, cairo_status_to_string(cairo));
    }
    *bytes = file->bytes;
    *length = file->length;
    return DCNN_OK;
}

dcnn_status dcnn_canvas_png(const dcnn_canvas *canvas, uint8_t **bytes, size_t *length) {
    memory file = {0};
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)canvas->width * DCNN_PNG_SCALE,
                                                          (int)canvas->height * DCNN_PNG_SCALE);
    cairo_status_t status = play(canvas, surface, DCNN_PNG_SCALE);
    cairo_surface_flush(surface);
    if (status == CAIRO_STATUS_SUCCESS &&
        !dcnn_png_write(cairo_image_surface_get_data(surface), (size_t)cairo_image_surface_get_stride(surface),
                        (uint32_t)cairo_image_surface_get_width(surface),
                        (uint32_t)cairo_image_surface_get_height(surface), append_png, &file))
        status = CAIRO_STATUS_NO_MEMORY;
    cairo_surface_destroy(surface);
    return finish(&file, status, "PNG", bytes, length);
}

dcnn_status dcnn_canvas_svg(const dcnn_canvas *canvas, uint8_t **bytes, size_t *length) {
    memory file = {0};
    cairo_surface_t *surface = cairo_svg_surface_create_for_stream(append, &file, canvas->width, canvas->height);
    cairo_svg_surface_set_document_unit(surface, CAIRO_SVG_UNIT_PX);
    cairo_status_t status = play(canvas, surface, 1.0);
    cairo_surface_finish(surface);
    if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    return finish(&file, status, "SVG", bytes, length);
}
