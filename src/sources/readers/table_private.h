/* SPDX-License-Identifier: BSD-3-Clause */
/** @file table_private.h — a text table while it is read; shared by table*.c alone. */
#ifndef DCNN_SOURCES_TABLE_PRIVATE_H
#define DCNN_SOURCES_TABLE_PRIVATE_H

#include "sources/readers/cells.h"
#include "sources/source_private.h"

/* What a column holds. */
typedef enum dcnn_meaning {
    PIXEL,
    LABEL,
    TARGET, /* a number to be predicted */
    ID,
    SPLIT,
    PATH,
    PIXELS, /* many in one cell */
    LEFT_OUT
} dcnn_meaning;

typedef struct dcnn_table {
    const dcnn_opening *opening;
    const char *path;
    void *text; /* the file */
    size_t text_mapped;
    dcnn_cells cells;         /* at the first line of numbers */
    dcnn_names header, first; /* cells of the header (or none), and of the first line behind it */
    int columns;
    dcnn_meaning *of; /* [columns] */
    int *target;      /* [columns] which of the targets a column is */
    int target_width;
    dcnn_names target_names;
    int h, w, c;
    int64_t pixel_columns;
    /* what is read */
    int64_t count, room;
    void *memory; /* of the pixels */
    size_t mapped_bytes;
    uint8_t *pixels;
    dcnn_names labels, ids, files;
    float *targets; /* [room,target_width] */
    uint8_t *roles; /* [room], by the column SPLIT */
    int largest;
} dcnn_table;

/* Reads the header, if there is one, and the first line, and decides what each column holds: from what was asked for,
 * the names, and the first lines. Tells what it guessed. The cells stand at the first line of numbers afterwards.
 * @return DCNN_OK, DCNN_BAD_INPUT, DCNN_USAGE (no such column), DCNN_FAILURE */
dcnn_status dcnn_table_find_columns(dcnn_table *t);

/* Has it a column that holds this? */
bool dcnn_table_has(const dcnn_table *t, dcnn_meaning what);

/* Does a line of so many values make an image? Sets its shape: what was asked for, a square, or one in three colours.
 */
bool dcnn_table_find_shape(dcnn_table *t, int64_t values);

/* It does not: says so. */
dcnn_status dcnn_table_fail_shape(const dcnn_table *t, int64_t values);

#endif
