/* SPDX-License-Identifier: BSD-3-Clause */
/* csv.c — Kaggle's "Digit Recognizer" CSV: a header, then one image a line, integers 0..255. */
#include "io/images.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/file.h"

typedef struct reader {
    const char *path;
    const uint8_t *next, *end;
    int64_t line;  /* from 1 */
    int columns;   /* as the header has them */
    bool labelled; /* the first column is the label */
} reader;

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcasecmp(text + length - tail, ending) == 0;
}

bool dcnn_is_csv(const char *path) {
    return ends_with(path, ".csv") || ends_with(path, ".csv.gz");
}

/* The cell at `cell` for a message: printable, not too long. */
static const char *cell_text(const uint8_t *cell, const uint8_t *end, char text[28]) {
    size_t used = 0;
    while (cell < end && *cell != ',' && *cell != '\n' && *cell != '\r' && used < 24) {
        text[used++] = *cell >= 0x20 && *cell < 0x7f ? (char)*cell : '?';
        cell++;
    }
    text[used] = '\0';
    return text;
}

static dcnn_status fail_cell(const reader *from, const uint8_t *cell, int column) {
    char text[28];
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: '%s' is not an integer from 0 to 255 (line %lld, cell %d)",
                     from->path, (long long)from->line, column, cell_text(cell, from->end, text), (long long)from->line,
                     column);
}

static dcnn_status fail_columns(const reader *from, int found) {
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: the line has %s%d cells, the header has %d", from->path,
                     (long long)from->line, found, found > from->columns ? "more than " : "",
                     found > from->columns ? from->columns : found, from->columns);
}

/* Steps over the end of a line, LF, CRLF or the end of the file; false if something else is there. */
static bool skip_line_end(reader *from) {
    const uint8_t *at = from->next;
    if (at < from->end && *at == '\r') at++;
    if (at < from->end && *at != '\n') return false;
    from->next = at < from->end ? at + 1 : at;
    from->line++;
    return true;
}

/* Reads the header: how many columns there are and whether the first one is the label. */
static dcnn_status read_header(reader *from) {
    static const uint8_t byte_order_mark[] = {0xef, 0xbb, 0xbf};
    if (from->end - from->next >= 3 && memcmp(from->next, byte_order_mark, 3) == 0) from->next += 3;
    const uint8_t *first = from->next + (from->next < from->end && *from->next == '"');
    size_t left = (size_t)(from->end - first);
    from->labelled = left >= 5 && strncasecmp((const char *)first, "label", 5) == 0;
    if (!from->labelled && !(left >= 5 && strncasecmp((const char *)first, "pixel", 5) == 0)) {
        char text[28];
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:1:1: the header must begin with 'label' or 'pixel0', not '%s'", from->path,
                         cell_text(from->next, from->end, text));
    }
    int64_t columns = 1;
    while (from->next < from->end && *from->next != '\n') columns += *from->next++ == ',';
    if (columns > INT_MAX) return DCNN_FAIL(DCNN_BAD_INPUT, "%s:1: the header is impossibly long", from->path);
    from->columns = (int)columns;
    skip_line_end(from);
    return DCNN_OK;
}

/* One integer 0..255 at `from->next`; -1 if there is none. */
static inline int read_cell(reader *from) {
    const uint8_t *at = from->next;
    int value = 0, digits = 0;
    while (at < from->end && *at >= '0' && *at <= '9' && value <= 255) {
        value = 10 * value + (*at++ - '0');
        digits++;
    }
    if (digits == 0 || value > 255) return -1;
    if (at < from->end && *at != ',' && *at != '\n' && *at != '\r') return -1;
    from->next = at;
    return value;
}

static dcnn_status read_row(reader *from, uint8_t *pixels, int32_t *label) {
    for (int column = 1; column <= from->columns; column++) {
        if (column > 1) {
            if (from->next == from->end || *from->next != ',') return fail_columns(from, column - 1);
            from->next++;
        }
        int value = read_cell(from);
        if (value < 0) return fail_cell(from, from->next, column);
        if (column == 1 && from->labelled)
            *label = value;
        else
            *pixels++ = (uint8_t)value;
    }
    if (from->next < from->end && *from->next == ',') return fail_columns(from, from->columns + 1);
    if (!skip_line_end(from))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: a carriage return without a line feed behind this cell",
                         from->path, (long long)from->line, from->columns);
    return DCNN_OK;
}

/* The last line that holds something ends where this returns: empty lines at the end of a file are common. */
static const uint8_t *trim_end(const uint8_t *begin, const uint8_t *end) {
    while (end > begin && (end[-1] == '\n' || end[-1] == '\r')) end--;
    return end;
}

static int64_t count_lines(const uint8_t *next, const uint8_t *end) {
    int64_t lines = 0;
    while (next < end) {
        const uint8_t *newline = memchr(next, '\n', (size_t)(end - next));
        lines++;
        if (!newline) break;
        next = newline + 1;
    }
    return lines;
}

/* The shape of a row: as told, or a square of one channel. */
static dcnn_status find_shape(const reader *from, int h, int w, int c, dcnn_images *images) {
    int pixels = from->columns - from->labelled;
    if (h == 0 && w == 0 && c == 0) {
        c = 1;
        while ((int64_t)h * h < pixels) h++;
        w = h;
    }
    int64_t area = (int64_t)h * w;
    if (pixels == 0 || area > pixels || area * c != pixels)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: %d pixel columns do not make an image of %dx%dx%d; give its shape",
                         from->path, pixels, h, w, c);
    images->h = h;
    images->w = w;
    images->c = c;
    return DCNN_OK;
}

static dcnn_status read_rows(reader *from, const dcnn_watcher *watcher, dcnn_images *images) {
    enum { TOLD_EVERY = 256 };
    int64_t count = count_lines(from->next, from->end);
    if (count == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has a header but no rows", from->path);
    size_t pixels = (size_t)images->h * (size_t)images->w * (size_t)images->c, bytes;
    bool fits = !__builtin_mul_overflow((size_t)count, pixels, &bytes);
    images->pixels = fits ? malloc(bytes) : NULL;
    images->labels = from->labelled ? malloc((size_t)count * sizeof *images->labels) : NULL;
    if (!images->pixels || (from->labelled && !images->labels))
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld images", from->path, (long long)count);
    for (int64_t i = 0; i < count; i++) {
        if (watcher && watcher->tell && i % TOLD_EVERY == 0) watcher->tell(watcher->context, i, count);
        DCNN_TRY(read_row(from, images->pixels + (size_t)i * pixels, images->labels ? images->labels + i : NULL));
    }
    images->count = count;
    return DCNN_OK;
}

dcnn_status dcnn_csv_read(const char *path, int h, int w, int c, const dcnn_watcher *watcher, dcnn_images *images) {
    *images = (dcnn_images){0};
    if (h < 0 || w < 0 || c < 0)
        return DCNN_FAIL(DCNN_USAGE, "an image cannot be %dx%dx%d; give height, width and channels", h, w, c);
    uint8_t *bytes;
    size_t length;
    DCNN_TRY(dcnn_file_read(path, &bytes, &length));
    reader from = {.path = path, .next = bytes, .end = trim_end(bytes, bytes + length), .line = 1};
    dcnn_status status;
    DCNN_TRY_DONE(read_header(&from));
    DCNN_TRY_DONE(find_shape(&from, h, w, c, images));
    DCNN_TRY_DONE(read_rows(&from, watcher, images));
done:
    free(bytes);
    if (status != DCNN_OK) dcnn_images_free(images);
    return status;
}
