/* SPDX-License-Identifier: BSD-3-Clause */
/** @file cells.h — lines and cells of a text table of any dialect: separators, quotes, line ends, comments. */
#ifndef DCNN_SOURCES_CELLS_H
#define DCNN_SOURCES_CELLS_H

#include "sources/names.h"

/** Where reading is. */
typedef struct dcnn_cells {
    const char *name; /**< of the file, for messages */
    char *next, *end; /**< of the bytes; *end is writable and 0 */
    char separator;   /**< ' ': any run of blanks */
    int64_t line;     /**< number of the next line, from 1 */
} dcnn_cells;

/** A cell in place: blanks and quotes around it are left out. It may hold doubled quotes. */
typedef struct dcnn_cell {
    const char *begin, *end;
} dcnn_cell;

/** Begins with some bytes and finds the separator in their first line; skips a byte-order mark. @param bytes  [length],
 * a NUL behind it; they stay as they are */
void dcnn_cells_begin(dcnn_cells *cells, const char *name, char *bytes, size_t length);

/** Steps over empty lines and comments ('#'). @return false: the end */
bool dcnn_cells_line(dcnn_cells *cells);

/** Steps over the rest of a line. */
void dcnn_cells_skip(dcnn_cells *cells);

/** The next cell of the line. @param last  out: it was the line's last, and its end is stepped over */
dcnn_cell dcnn_cells_next(dcnn_cells *cells, bool *last);

/** Cells of a line of which texts are made: each takes some 50 bytes. */
enum { DCNN_MOST_CELLS = 1 << 23 };

/** All cells of the line as texts, appended to `texts`, which are no more than that then. */
dcnn_status dcnn_cells_texts(dcnn_cells *cells, dcnn_names *texts);

/** A cell as a number. @return false: it is none */
bool dcnn_cell_number(dcnn_cell cell, double *value);

/** A cell for a message: printable, not too long. */
const char *dcnn_cell_text(dcnn_cell cell, char text[28]);

/** The same as dcnn_cell_number(), where a comma may stand for the point: "0,5". */
bool dcnn_cell_decimal(dcnn_cell cell, double *value);

/** Adds a cell to a list; of two quotes in it one stays, as in RFC 4180. */
dcnn_status dcnn_cell_add(dcnn_cell cell, dcnn_names *texts);

#endif
