/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file progress.h — the bar that shows on a terminal how far a long work is.
 *
 * It lives on standard error, on the line below what was said last, and only where that ends on a terminal that can
 * move its cursor (terminal.h). Whoever writes a line there clears it first.
 */
#ifndef DCNN_CLI_PROGRESS_H
#define DCNN_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a bar says. */
typedef struct dcnn_bar {
    const char *what;        /**< "epoch", "evaluating" */
    int64_t number, numbers; /**< which of how many; 0: there is but one */
    int64_t done, count;     /**< the part that is filled; count >= 1 */
    double images_per_s;     /**< each of these four is left out if it is negative or no number */
    double loss, accuracy;   /**< accuracy from 0 to 1 */
    double left_s;           /**< time left */
} dcnn_bar;

/** How a terminal shows it. */
typedef struct dcnn_bar_style {
    int columns;
    bool utf8, color;
} dcnn_bar_style;

enum { DCNN_BAR_BYTES = 512 };

/**
 * A bar as text that takes fewer than `columns` columns: what does not fit is told shorter, then left out. *Local.*
 * @return its columns
 */
int dcnn_bar_text(const dcnn_bar *bar, dcnn_bar_style style, char text[DCNN_BAR_BYTES]);

/**
 * A new work begins: from now on dcnn_bar_draw() draws, if standard error ends on a terminal. *Local.*
 * @param quiet    never
 * @param delay_s  not before so many seconds: short works need no bar
 */
void dcnn_bar_begin(bool quiet, double delay_s);

/** Draws the bar, at most ten times a second and as wide as the terminal is by then. *Local.* */
void dcnn_bar_draw(const dcnn_bar *bar);

/** Draws a bar that only counts: `what` is a text. As dcnn_samples.on_progress. *Local.* */
void dcnn_bar_count(void *what, int64_t done, int64_t count);

/** Takes the bar away; its line is free. The next drawing puts it back. *Local.* */
void dcnn_bar_clear(void);

/** Takes the bar away for good, before results go to standard output: mpirun, which passes both streams on, gets a
 * moment to be done with this one. *Local.* */
void dcnn_bar_end(void);

#endif
