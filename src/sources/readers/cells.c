/* SPDX-License-Identifier: BSD-3-Clause */
/* cells.c — see cells.h. */
#include "sources/readers/cells.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool ends_line(const dcnn_cells *c) {
    return c->next == c->end || *c->next == '\n' || *c->next == '\r';
}

/* LF, CRLF, or CR alone. */
static void step_over_end(dcnn_cells *c) {
    if (c->next < c->end && *c->next == '\r') c->next++;
    if (c->next < c->end && *c->next == '\n') c->next++;
    c->line++;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t';
}

bool dcnn_cells_line(dcnn_cells *c) {
    while (c->next < c->end) {
        const char *at = c->next;
        while (at < c->end && is_blank(*at) && *at != c->separator) at++;
        const bool empty = at == c->end || *at == '\n' || *at == '\r', comment = at < c->end && *at == '#';
        if (!empty && !comment) return true;
        dcnn_cells_skip(c);
    }
    return false;
}

void dcnn_cells_skip(dcnn_cells *c) {
    while (!ends_line(c)) c->next++;
    if (c->next < c->end) step_over_end(c);
}

/* The separator that the first line has most of; blanks only where there is no other. */
static char find_separator(dcnn_cells c) {
    static const char candidates[] = {',', ';', '\t', '|'};
    int64_t counts[4] = {0};
    bool quoted = false;
    if (!dcnn_cells_line(&c)) return ',';
    for (; quoted ? c.next < c.end : !ends_line(&c); c.next++) {
        if (*c.next == '"') quoted = !quoted;
        for (int i = 0; i < 4 && !quoted; i++) counts[i] += *c.next == candidates[i];
    }
    int best = 0;
    for (int i = 1; i < 4; i++)
        if (counts[i] > counts[best]) best = i;
    return counts[best] > 0 ? candidates[best] : ' ';
}

void dcnn_cells_begin(dcnn_cells *c, const char *name, char *bytes, size_t length) {
    *c = (dcnn_cells){.name = name, .next = bytes, .end = bytes + length, .separator = ',', .line = 1};
    if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) c->next += 3;
    c->separator = find_separator(*c);
}

dcnn_cell dcnn_cells_next(dcnn_cells *c, bool *last) {
    while (c->next < c->end && is_blank(*c->next) && *c->next != c->separator) c->next++;
    if (c->separator == ' ')
        while (c->next < c->end && is_blank(*c->next)) c->next++;
    dcnn_cell cell = {c->next, c->next};
    if (c->next < c->end && *c->next == '"') {
        cell.begin = ++c->next;
        while (c->next < c->end && !(*c->next == '"' && c->next[1] != '"')) {
            c->next += *c->next == '"' ? 2 : 1;
        }
        if (c->next > c->end) c->next = c->end;
        cell.end = c->next;
        while (!ends_line(c) && *c->next != c->separator) c->next++;
    } else {
        while (!ends_line(c) && *c->next != c->separator) c->next++;
        cell.end = c->next;
        while (cell.end > cell.begin && is_blank(cell.end[-1])) cell.end--;
    }
    if (c->separator == ' ')
        while (c->next < c->end && is_blank(*c->next)) c->next++;
    *last = ends_line(c);
    if (*last)
        step_over_end(c);
    else if (c->separator != ' ')
        c->next++;
    return cell;
}

dcnn_status dcnn_cells_texts(dcnn_cells *c, dcnn_names *texts) {
    const int64_t line = c->line;
    for (bool last = false; !last;) {
        if (texts->count == DCNN_MOST_CELLS)
            return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld: the line has more than %d cells; an image is a line of its own",
                             c->name, (long long)line, DCNN_MOST_CELLS);
        const dcnn_cell cell = dcnn_cells_next(c, &last);
        DCNN_TRY(dcnn_cell_add(cell, texts));
    }
    return DCNN_OK;
}

dcnn_status dcnn_cell_add(dcnn_cell cell, dcnn_names *texts) {
    DCNN_TRY(dcnn_names_add(texts, cell.begin, (size_t)(cell.end - cell.begin)));
    char *to = texts->text[texts->count - 1];
    for (const char *from = to; *from; *to++ = *from++)
        if (from[0] == '"' && from[1] == '"') from++;
    *to = '\0';
    return DCNN_OK;
}

bool dcnn_cell_number(dcnn_cell cell, double *value) {
    char text[64], *end;
    const size_t length = (size_t)(cell.end - cell.begin);
    if (length == 0 || length >= sizeof text) return false;
    memcpy(text, cell.begin, length);
    text[length] = '\0';
    if (!isdigit((unsigned char)text[0]) && !strchr("+-.", text[0])) return false; /* neither "nan" nor "inf" */
    *value = strtod(text, &end);
    return *end == '\0' && !strpbrk(text, "xXnN");
}

bool dcnn_cell_decimal(dcnn_cell cell, double *value) {
    char text[64];
    const size_t length = (size_t)(cell.end - cell.begin);
    if (dcnn_cell_number(cell, value)) return true;
    if (length == 0 || length >= sizeof text) return false;
    memcpy(text, cell.begin, length);
    char *comma = memchr(text, ',', length);
    if (!comma) return false;
    *comma = '.';
    return dcnn_cell_number((dcnn_cell){text, text + length}, value);
}

const char *dcnn_cell_text(dcnn_cell cell, char text[28]) {
    size_t used = 0;
    for (const char *at = cell.begin; at < cell.end && used < 24; at++)
        text[used++] = *at >= 0x20 && *at < 0x7f ? *at : '?';
    text[used] = '\0';
    return text;
}
