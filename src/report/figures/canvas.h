/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file canvas.h — drawing with cairo and pango: what is drawn once becomes a PNG and an SVG.
 *
 * Lengths are points (1/96 inch on a screen), y grows downwards. Nothing drawn can fail on the spot: cairo remembers
 * the first failure, and the two functions that make files report it.
 */
#ifndef DCNN_REPORT_CANVAS_H
#define DCNN_REPORT_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dcnn_canvas dcnn_canvas;

/** A colour, 0xRRGGBB. */
typedef uint32_t dcnn_color;

/* Okabe and Ito's palette, told apart by all kinds of colour vision (jfly.uni-koeln.de/color, 2008), and greys. */
enum {
    DCNN_BLACK = 0x1a1a1a,
    DCNN_GREY = 0x595959,
    DCNN_PALE = 0xd9d9d9,
    DCNN_WHITE = 0xffffff,
    DCNN_BLUE = 0x0072b2,
    DCNN_ORANGE = 0xe69f00,
    DCNN_GREEN = 0x009e73,
    DCNN_VERMILION = 0xd55e00,
    DCNN_PURPLE = 0xcc79a7,
    DCNN_SKY = 0x56b4e9,
    DCNN_YELLOW = 0xf0e442
};

/** How a text is set. */
typedef struct dcnn_type {
    double size;      /**< height of the letters' em */
    dcnn_color color; /**< 0 is black */
    bool bold;
    double align;  /**< where x is: 0 left end, 0.5 middle, 1 right end; y is always the middle of the line */
    double width;  /**< longer texts end in an ellipsis; 0: never */
    bool vertical; /**< written upwards */
} dcnn_type;

/** How a line is drawn. */
typedef struct dcnn_pen {
    dcnn_color color;
    double width;
    bool dashed;
} dcnn_pen;

/** A new canvas without a size yet. *Local.* @param canvas  out; free with dcnn_canvas_free() */
dcnn_status dcnn_canvas_create(dcnn_canvas **canvas);
void dcnn_canvas_free(dcnn_canvas *canvas);

/** What the files will show: from (0, 0) to here, on white. */
void dcnn_canvas_resize(dcnn_canvas *canvas, double width, double height);
double dcnn_canvas_width(const dcnn_canvas *canvas);
double dcnn_canvas_height(const dcnn_canvas *canvas);

void dcnn_canvas_rectangle(dcnn_canvas *canvas, double x, double y, double width, double height, dcnn_color color);
/** A rectangle's border, drawn inside it. */
void dcnn_canvas_frame(dcnn_canvas *canvas, double x, double y, double width, double height, dcnn_pen pen);
void dcnn_canvas_line(dcnn_canvas *canvas, double x0, double y0, double x1, double y1, dcnn_pen pen);
/** A line through points [count]; it is interrupted where a coordinate is not finite. */
void dcnn_canvas_path(dcnn_canvas *canvas, int count, const double *x, const double *y, dcnn_pen pen);
/** A filled circle or square of that radius around (x, y). */
void dcnn_canvas_dot(dcnn_canvas *canvas, double x, double y, double radius, bool square, dcnn_color color);

/** Writes a text of one line; bytes that are no UTF-8 are replaced. */
void dcnn_canvas_text(dcnn_canvas *canvas, double x, double y, dcnn_type type, const char *text);
/** Its length in that size, without an ellipsis. */
double dcnn_canvas_measure(dcnn_canvas *canvas, dcnn_type type, const char *text);

/**
 * An image, as large as fits into a square, in its middle, with a frame. Each pixel stays sharp.
 * @param pixels  [h,w,c] bytes; one or two channels are grey (the first), more are red, green, blue
 */
void dcnn_canvas_image(dcnn_canvas *canvas, double x, double y, double side, const uint8_t *pixels, int h, int w, int c,
                       dcnn_pen frame);

/** The image as a file in memory. *Local.*
 * @param bytes  out; the caller frees
 * @return DCNN_OK; DCNN_FAILURE with cairo's reason, of this or of any call before */
dcnn_status dcnn_canvas_png(const dcnn_canvas *canvas, uint8_t **bytes, size_t *length);
dcnn_status dcnn_canvas_svg(const dcnn_canvas *canvas, uint8_t **bytes, size_t *length);

/** Pixels of the PNG a point. */
enum { DCNN_PNG_SCALE = 2 };

#endif
