/* SPDX-License-Identifier: BSD-3-Clause */
/* table.c — images in text tables: a line each, or a list of paths. Which column is what is found from the names and
 * the first lines, and told. */
#include <ctype.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "io/file.h"
#include "io/kind.h"
#include "sources/readers/cells.h"
#include "sources/source_private.h"
#include "sources/readers/zipped.h"

/* What a column holds. */
typedef enum meaning { PIXEL, LABEL, ID, SPLIT, PATH, PIXELS /* many in one cell */, LEFT_OUT } meaning;

typedef struct table {
    const dcnn_opening *opening;
    const char *path;
    dcnn_cells cells;         /* at the first line of numbers */
    dcnn_names header, first; /* cells of the header (or none), and of the first line behind it */
    int columns;
    meaning *of; /* [columns] */
    int h, w, c;
    int64_t pixel_columns;
    /* what is read */
    int64_t count, room;
    uint8_t *pixels;
    dcnn_names labels, ids, files;
    uint8_t *roles; /* [room], by the column SPLIT */
    int largest;
} table;

/* --- which column is what ------------------------------------------------------------------------------------------
 */

/* Names of columns, in lower case, by what they hold; labels in the order in which they are believed. */
static const char *const label_names[] = {"label",    "class",      "target",    "y",        "digit",
                                          "emotion",  "labels",     "classes",   "category", "class_name",
                                          "class_id", "label_name", "diagnosis", "species"};
static const char *const id_names[] = {"id", "imageid", "image_id", "img_id", "index", "sample_id"};
static const char *const split_names[] = {"usage", "split", "set", "subset", "partition"};
static const char *const row_names[] = {"", "unnamed: 0", "rownames", "row.names"};

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof(array)[0]))

static bool is_one_of(const char *name, const char *const names[], int count) {
    for (int i = 0; i < count; i++)
        if (strcasecmp(name, names[i]) == 0) return true;
    return false;
}

static bool is_number(const char *text) {
    double value;
    return dcnn_cell_number((dcnn_cell){text, text + strlen(text)}, &value);
}

static bool ends_like_picture(const char *text) {
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".pbm", ".webp"};
    const char *dot = strrchr(text, '.');
    return dot && is_one_of(dot, endings, COUNT_OF(endings));
}

/* pandas' header of a frame without names: 0, 1, 2, … */
static bool counts_up(const dcnn_names *cells) {
    for (int64_t i = 0; i < cells->count; i++) {
        int64_t value;
        if (!dcnn_text_is_integer(cells->text[i], &value) || value != i) return false;
    }
    return cells->count >= 8;
}

/* A header has texts where the line below has numbers, or counts its columns. */
static bool is_header(const dcnn_names *first, const dcnn_names *second) {
    if (counts_up(first)) return true;
    int64_t texts = 0, above_numbers = 0, paths = 0;
    for (int64_t i = 0; i < first->count; i++) {
        if (is_number(first->text[i])) continue;
        texts++;
        paths += ends_like_picture(first->text[i]);
        const int64_t below = i + second->count - first->count; /* R leaves the name of the row names out */
        if (below >= 0 && below < second->count && is_number(second->text[below])) above_numbers++;
    }
    if (paths > 0) return false;
    if (second->count == 0) return texts > 1;
    for (int64_t i = 0; i < second->count; i++)
        if (ends_like_picture(second->text[i])) return texts > 0;
    return above_numbers > 0;
}

/* Reads the header, if there is one, and the first line; the cells stand at that line again. */
static dcnn_status read_head(table *t) {
    if (!dcnn_cells_line(&t->cells)) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds no lines", t->path);
    dcnn_cells at = t->cells;
    DCNN_TRY(dcnn_cells_texts(&at, &t->header));
    const dcnn_cells behind = at;
    if (dcnn_cells_line(&at)) DCNN_TRY(dcnn_cells_texts(&at, &t->first));
    if (is_header(&t->header, &t->first)) {
        t->cells = behind;
        if (!dcnn_cells_line(&t->cells)) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has a header but no rows", t->path);
        t->columns = (int)t->first.count;
        if (t->header.count != t->first.count && t->header.count + 1 != t->first.count)
            t->columns = (int)t->header.count; /* the first line will be refused */
    } else {
        dcnn_names_free(&t->first);
        t->first = t->header;
        t->header = (dcnn_names){0};
        t->columns = (int)t->first.count;
    }
    t->of = calloc((size_t)t->columns, sizeof *t->of);
    return t->of ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %d columns", t->path, t->columns);
}

/* Name of a column; a header that is one short has none for the first. */
static const char *name_of(const table *t, int column) {
    const int64_t at = column - (t->columns - t->header.count);
    return t->header.count == 0 ? NULL : at < 0 ? "" : t->header.text[at];
}

static int find_column(const table *t, const char *const names[], int count) {
    for (int i = 0; i < count && t->header.count > 0; i++)
        for (int column = 0; column < t->columns; column++)
            if (strcasecmp(name_of(t, column), names[i]) == 0) return column;
    return -1;
}

/* What --label-column says. */
static dcnn_status ask_for_label(const table *t, const char *wish, int *column) {
    int64_t number;
    if (strcmp(wish, "first") == 0)
        *column = 0;
    else if (strcmp(wish, "last") == 0)
        *column = t->columns - 1;
    else if (find_column(t, &wish, 1) >= 0)
        *column = find_column(t, &wish, 1);
    else if (dcnn_text_is_integer(wish, &number) && number >= 1 && number <= t->columns)
        *column = (int)number - 1;
    else
        return DCNN_FAIL(DCNN_USAGE,
                         "%s: has no column '%s': --label-column takes a name of its header, first, last, or "
                         "a number from 1 to %d",
                         t->path, wish, t->columns);
    return DCNN_OK;
}

static int count_pixels(const table *t) {
    int count = 0;
    for (int i = 0; i < t->columns; i++) count += t->of[i] == PIXEL;
    return count;
}

/* Does a line of so many values make an image? The shape that was asked for, a square, or one in three colours. */
static bool find_shape(table *t, int64_t values) {
    const dcnn_source_options *o = t->opening->options;
    int side = 1;
    t->h = o->h;
    t->w = o->w;
    t->c = o->c;
    if (o->h > 0) return (int64_t)o->h * o->w * o->c == values;
    t->c = 1;
    while ((int64_t)side * side < values) side++;
    if ((int64_t)side * side != values && values % 3 == 0) {
        t->c = 3;
        side = 1;
        while ((int64_t)side * side * 3 < values) side++;
    }
    t->h = t->w = side;
    return values > 0 && (int64_t)side * side * t->c == values;
}

/* "pixel12" and "12" end in digits; the label of a table without a known name for it does not. */
static bool ends_in_digit(const char *name) {
    const size_t length = strlen(name);
    return length > 0 && isdigit((unsigned char)name[length - 1]);
}

/* What the first lines hold in a column. */
typedef struct column_values {
    int64_t counts[256]; /* of 0..255 */
    int64_t lines, other;
} column_values;

/* Lines with the commonest value, in all and of how many different ones. */
static void weigh(const column_values *v, double *commonest, int *different) {
    int64_t most = 0;
    *different = v->other > 0 ? 256 : 0;
    for (int i = 0; i < 256; i++) {
        if (v->counts[i] > most) most = v->counts[i];
        *different += v->counts[i] > 0;
    }
    *commonest = v->lines > 0 ? (double)most / (double)v->lines : 1;
}

/* Of a table with one column too many: is the label its first, or its last? In the border of an image nearly all lines
 * have the same value, or, in a photograph, all kinds of values; labels are few, and spread. */
static int guess_label(const table *t, int first, int last) {
    enum { LOOKED_AT = 2000 };
    if (t->header.count > 0 && ends_in_digit(name_of(t, first)) != ends_in_digit(name_of(t, last)))
        return ends_in_digit(name_of(t, first)) ? last : first;
    dcnn_cells at = t->cells;
    column_values of[2] = {{.lines = 0}};
    for (int line = 0; line < LOOKED_AT && dcnn_cells_line(&at); line++) {
        bool end = false;
        for (int column = 0; !end; column++) {
            const dcnn_cell cell = dcnn_cells_next(&at, &end);
            if (column != first && column != last) continue;
            double value;
            if (!dcnn_cell_number(cell, &value)) return column;
            column_values *v = &of[column == last];
            v->lines++;
            if (value >= 0 && value < 256 && value == floor(value))
                v->counts[(int)value]++;
            else
                v->other++;
        }
    }
    double commonest[2];
    int different[2];
    for (int i = 0; i < 2; i++) weigh(&of[i], &commonest[i], &different[i]);
    const bool flat[2] = {commonest[0] > 0.85, commonest[1] > 0.85};
    if (flat[0] != flat[1]) return flat[0] ? last : first;
    return different[1] < different[0] ? last : first;
}

/* A column beside the pixels that is neither: named unlike them. */
static void leave_others_out(table *t) {
    for (int i = 0; i < t->columns && t->header.count > 0; i++) {
        if (t->of[i] != PIXEL || ends_in_digit(name_of(t, i))) continue;
        t->of[i] = LEFT_OUT;
        dcnn_source_tell(t->opening->options, "%s: the column '%s' is left out", t->path, name_of(t, i));
    }
}

static void mark(table *t, int column, meaning what) {
    if (column >= 0 && t->of[column] == PIXEL) t->of[column] = what;
}

/* "48 49 50 …": all pixels in one cell, as in FER2013. */
static bool holds_many(const char *text) {
    int numbers = 0;
    while (*text) {
        char *end;
        (void)strtod(text, &end);
        if (end == text) return false;
        numbers++;
        text = end;
        while (*text == ' ' || *text == ',') text++;
    }
    return numbers >= 4;
}

static void find_by_name(table *t) {
    mark(t, find_column(t, id_names, COUNT_OF(id_names)), ID);
    mark(t, find_column(t, split_names, COUNT_OF(split_names)), SPLIT);
    if (t->header.count == 0 || !is_one_of(name_of(t, 0), row_names, COUNT_OF(row_names))) return;
    t->of[0] = LEFT_OUT;
    dcnn_source_tell(t->opening->options, "%s: its first column numbers the lines: it is left out", t->path);
}

static void find_by_value(table *t) {
    for (int i = 0; i < t->columns && i < t->first.count; i++) {
        if (t->of[i] != PIXEL) continue;
        if (ends_like_picture(t->first.text[i]))
            t->of[i] = PATH;
        else if (!is_number(t->first.text[i]) && holds_many(t->first.text[i]))
            t->of[i] = PIXELS;
    }
}

static bool has(const table *t, meaning what) {
    for (int i = 0; i < t->columns; i++)
        if (t->of[i] == what) return true;
    return false;
}

/* A list of files: whatever else it has but one label is left out. */
static dcnn_status find_list(table *t) {
    bool path = false;
    int others = 0, other = -1;
    for (int i = 0; i < t->columns; i++) {
        if (t->of[i] == PATH && path) t->of[i] = LEFT_OUT;
        path = path || t->of[i] == PATH;
        if (t->of[i] == PIXEL) other = i;
        others += t->of[i] == PIXEL;
    }
    if (!has(t, LABEL) && others == 1) t->of[other] = LABEL;
    leave_others_out(t);
    for (int i = 0; i < t->columns; i++)
        if (t->of[i] == PIXEL) t->of[i] = LEFT_OUT;
    if (has(t, LABEL) || t->opening->options->unlabelled) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: is a list of images without a column of labels; call it 'label', or say "
                     "--label-column",
                     t->path);
}

static dcnn_status fail_shape(const table *t, int64_t values) {
    const dcnn_source_options *o = t->opening->options;
    if (o->h > 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: %lld columns of pixels do not make an image of %dx%dx%d", t->path,
                         (long long)values, o->h, o->w, o->c);
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: %lld columns of pixels make no square image, grey or in three colours; give its shape, as "
                     "--shape 20x30 or 20x30x3",
                     t->path, (long long)values);
}

static void tell_columns(const table *t, int guessed) {
    const dcnn_source_options *o = t->opening->options;
    const char *header = t->header.count == 0 ? "no header; " : counts_up(&t->header) ? "a header of numbers; " : "";
    int label = -1, id = -1;
    for (int i = 0; i < t->columns; i++) {
        if (t->of[i] == LABEL) label = i;
        if (t->of[i] == ID) id = i;
    }
    if (guessed >= 0)
        dcnn_source_tell(o, "%s: %sthe label is the %s column (--label-column says otherwise)", t->path, header,
                         guessed == 0 ? "first" : "last");
    else if (label >= 0 && name_of(t, label) && strcasecmp(name_of(t, label), "label") != 0)
        dcnn_source_tell(o, "%s: the label is the column '%s'", t->path, name_of(t, label));
    else if (label < 0)
        dcnn_source_tell(o, "%s: %sno labels", t->path, header);
    if (id >= 0) dcnn_source_tell(o, "%s: the column '%s' names each image", t->path, name_of(t, id));
    if (o->h == 0 && t->c == 3)
        dcnn_source_tell(o, "%s: taken as images of %dx%d in three colours (--shape says otherwise)", t->path, t->h,
                         t->w);
}

static dcnn_status find_columns(table *t) {
    const dcnn_source_options *o = t->opening->options;
    int label = find_column(t, label_names, COUNT_OF(label_names)), guessed = -1;
    if (o->label_column) DCNN_TRY(ask_for_label(t, o->label_column, &label));
    mark(t, label, LABEL);
    find_by_name(t);
    find_by_value(t);
    if (has(t, PATH)) return find_list(t);
    if (has(t, PIXELS)) {
        for (int i = 0; i < t->columns; i++)
            if (t->of[i] == PIXEL) t->of[i] = label < 0 && label++ < 0 ? LABEL : LEFT_OUT;
        return DCNN_OK;
    }
    if (label < 0 && !find_shape(t, count_pixels(t)) && find_shape(t, count_pixels(t) - 1)) {
        int first = 0, last = t->columns - 1;
        while (t->of[first] != PIXEL) first++;
        while (t->of[last] != PIXEL) last--;
        guessed = guess_label(t, first, last);
        t->of[guessed] = LABEL;
    }
    if (!find_shape(t, count_pixels(t))) leave_others_out(t);
    t->pixel_columns = count_pixels(t);
    if (!find_shape(t, t->pixel_columns)) return fail_shape(t, t->pixel_columns);
    tell_columns(t, guessed);
    return DCNN_OK;
}

/* --- lines ---------------------------------------------------------------------------------------------------------
 */

static dcnn_status fail_value(const table *t, int64_t line, int column, dcnn_cell cell, double value, bool number) {
    char text[28];
    const double scale = t->opening->options->scale;
    if (number && scale == 0 && value > 0 && value < 1)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s:%lld:%d: '%s' is no whole number from 0 to 255; if all are from 0 to 1, say --scale 255",
                         t->path, (long long)line, column, dcnn_cell_text(cell, text));
    if (number && scale != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: '%s' times %g is not from 0 to 255 (line %lld, cell %d)", t->path,
                         (long long)line, column, dcnn_cell_text(cell, text), scale, (long long)line, column);
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: '%s' is not an integer from 0 to 255 (line %lld, cell %d)", t->path,
                     (long long)line, column, dcnn_cell_text(cell, text), (long long)line, column);
}

/* Digits alone are what nearly every cell holds. */
static bool read_value(const table *t, dcnn_cell cell, double *value, uint8_t *pixel) {
    const double scale = t->opening->options->scale;
    int whole = 0;
    const char *at = cell.begin;
    while (at < cell.end && *at >= '0' && *at <= '9' && whole <= 255) whole = 10 * whole + (*at++ - '0');
    if (at == cell.end && at > cell.begin && whole <= 255 && scale == 0) {
        *pixel = (uint8_t)whole;
        return true;
    }
    *value = NAN;
    if (!dcnn_cell_number(cell, value)) return false;
    const double scaled = scale != 0 ? nearbyint(*value * scale) : *value;
    if (!(scaled >= 0 && scaled <= 255) || scaled != floor(scaled)) return false;
    *pixel = (uint8_t)scaled;
    return true;
}

/* Whole numbers may be written "3.0". */
static dcnn_status add_label(table *t, int64_t line, int column, dcnn_cell cell) {
    double value;
    char text[28];
    if (cell.begin == cell.end)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: the label is missing", t->path, (long long)line, column);
    if (!dcnn_cell_number(cell, &value)) return dcnn_names_add(&t->labels, cell.begin, (size_t)(cell.end - cell.begin));
    if (value != floor(value) || fabs(value) > INT32_MAX)
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s:%lld:%d: the label '%s' is neither a whole number nor a name (line %lld, cell %d)",
                         t->path, (long long)line, column, dcnn_cell_text(cell, text), (long long)line, column);
    return dcnn_names_print(&t->labels, "%.0f", value);
}

/* Relative to the list's folder; or to where dcnn was started, if it is there. */
static dcnn_status add_file(table *t, dcnn_cell cell) {
    const int length = (int)(cell.end - cell.begin);
    char *copy = strdup(t->path);
    if (!copy) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory", t->path);
    dcnn_status status = *cell.begin == '/' ? dcnn_names_print(&t->files, "%.*s", length, cell.begin)
                                            : dcnn_names_print(&t->files, "%s/%.*s", dirname(copy), length, cell.begin);
    free(copy);
    if (status != DCNN_OK || access(t->files.text[t->files.count - 1], F_OK) == 0) return status;
    char *plain = strndup(cell.begin, (size_t)length);
    if (plain && access(plain, F_OK) == 0) {
        free(t->files.text[t->files.count - 1]);
        t->files.text[t->files.count - 1] = plain;
        return DCNN_OK;
    }
    free(plain);
    return DCNN_OK;
}

static dcnn_status add_role(table *t, int64_t line, int column, dcnn_cell cell) {
    char text[28];
    dcnn_role role;
    if (!dcnn_role_of(dcnn_cell_text(cell, text), &role))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: '%s' is no split (train, validation, test)", t->path,
                         (long long)line, column, text);
    t->roles[t->count] = (uint8_t)role;
    return DCNN_OK;
}

/* All pixels of an image in one cell; the first line tells how many. */
static dcnn_status read_many(table *t, int64_t line, int column, dcnn_cell cell) {
    int64_t count = 0;
    const size_t size = (size_t)t->pixel_columns;
    for (const char *at = cell.begin; at < cell.end; count++) {
        while (at < cell.end && (*at == ' ' || *at == ',')) at++;
        dcnn_cell part = {at, at};
        while (part.end < cell.end && *part.end != ' ' && *part.end != ',') part.end++;
        if (part.begin == part.end) break;
        double value = NAN;
        uint8_t pixel = 0;
        if (count < t->pixel_columns) {
            if (!read_value(t, part, &value, &pixel)) return fail_value(t, line, column, part, value, !isnan(value));
            t->pixels[(size_t)t->count * size + (size_t)count] = pixel;
            if (pixel > t->largest) t->largest = pixel;
        }
        at = part.end;
    }
    if (count == t->pixel_columns) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: holds %lld pixels, the first line has %lld", t->path, (long long)line,
                     column, (long long)count, (long long)t->pixel_columns);
}

static dcnn_status fail_columns(const table *t, int64_t line, int found) {
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: the line has %s%d cells, the %s has %d", t->path, (long long)line,
                     found, found > t->columns ? "more than " : "", found > t->columns ? t->columns : found,
                     t->header.count > 0 ? "header" : "first line", t->columns);
}

static dcnn_status read_line(table *t) {
    const int64_t line = t->cells.line;
    uint8_t *pixel = t->pixels ? t->pixels + t->count * t->pixel_columns : NULL;
    bool last = false;
    int column = 0;
    for (; !last; column++) {
        const dcnn_cell cell = dcnn_cells_next(&t->cells, &last);
        if (column == t->columns) {
            if (last && cell.begin == cell.end) break; /* a separator at the line's end */
            return fail_columns(t, line, t->columns + 1);
        }
        double value = NAN;
        switch (t->of[column]) {
        case PIXEL:
            if (!read_value(t, cell, &value, pixel)) return fail_value(t, line, column + 1, cell, value, !isnan(value));
            if (*pixel > t->largest) t->largest = *pixel;
            pixel++;
            break;
        case LABEL:
            DCNN_TRY(add_label(t, line, column + 1, cell));
            break;
        case ID:
            DCNN_TRY(dcnn_names_add(&t->ids, cell.begin, (size_t)(cell.end - cell.begin)));
            break;
        case SPLIT:
            DCNN_TRY(add_role(t, line, column + 1, cell));
            break;
        case PATH:
            DCNN_TRY(add_file(t, cell));
            break;
        case PIXELS:
            DCNN_TRY(read_many(t, line, column + 1, cell));
            break;
        case LEFT_OUT:
            break;
        }
    }
    if (column < t->columns) return fail_columns(t, line, column);
    t->count++;
    return DCNN_OK;
}

static dcnn_status make_room(table *t) {
    if (t->count < t->room) return DCNN_OK;
    t->room = 2 * t->room + 1024;
    uint8_t *pixels = t->pixel_columns ? realloc(t->pixels, (size_t)(t->room * t->pixel_columns)) : NULL;
    if (pixels) t->pixels = pixels;
    uint8_t *roles = realloc(t->roles, (size_t)t->room);
    if (roles) t->roles = roles;
    if ((t->pixel_columns && !pixels) || !roles)
        return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld images", t->path, (long long)t->room);
    memset(t->roles + t->count, t->opening->given, (size_t)(t->room - t->count));
    return DCNN_OK;
}

/* How many pixels the first line's one cell has. */
static dcnn_status count_many(table *t) {
    for (int i = 0; i < t->columns; i++) {
        if (t->of[i] != PIXELS) continue;
        const char *at = t->first.text[i];
        for (; *at; t->pixel_columns++) {
            at += strcspn(at, " ,");
            at += strspn(at, " ,");
        }
    }
    if (!find_shape(t, t->pixel_columns)) return fail_shape(t, t->pixel_columns);
    return DCNN_OK;
}

static dcnn_status read_lines(table *t) {
    if (has(t, PIXELS)) DCNN_TRY(count_many(t));
    while (dcnn_cells_line(&t->cells)) {
        DCNN_TRY(make_room(t));
        DCNN_TRY(read_line(t));
    }
    if (t->pixels && t->largest == 1 && t->opening->options->scale == 0)
        dcnn_source_tell(t->opening->options,
                         "%s: no pixel is above 1: if they are meant to be 0 to 1, say --scale 255", t->path);
    return DCNN_OK;
}

/* --- what comes of it ----------------------------------------------------------------------------------------------
 */

/* Labels that are all whole numbers stay numbers. */
static dcnn_status give_labels(dcnn_source *source, const dcnn_names *texts) {
    bool numbers = true;
    for (int64_t i = 0; i < texts->count && numbers; i++) numbers = dcnn_text_is_integer(texts->text[i], NULL);
    if (!numbers) return dcnn_source_label(source, texts);
    source->labels = malloc((size_t)(texts->count + 1) * sizeof *source->labels);
    if (!source->labels) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its labels", source->name);
    for (int64_t i = 0; i < texts->count; i++) {
        int64_t value;
        dcnn_text_is_integer(texts->text[i], &value);
        source->labels[i] = (int32_t)value;
    }
    return DCNN_OK;
}

/* Moves the texts of the rows of one role. */
static dcnn_status take(const table *t, dcnn_names *from, uint8_t role, dcnn_names *to) {
    for (int64_t i = 0; i < from->count; i++)
        if (t->roles[i] == role) DCNN_TRY(dcnn_names_add(to, from->text[i], strlen(from->text[i])));
    return DCNN_OK;
}

static dcnn_status give_role(table *t, uint8_t role, bool alone) {
    int64_t count = 0;
    for (int64_t i = 0; i < t->count; i++) count += t->roles[i] == role;
    if (count == 0) return DCNN_OK;
    const bool wanted = t->opening->given == DCNN_ROLE_POOL || t->opening->given == role || alone;
    if (!wanted) return DCNN_OK;
    dcnn_source *s = dcnn_source_add(t->opening, alone ? t->opening->given : (dcnn_role)role, "%s", t->path);
    if (!s) return DCNN_FAILURE;
    s->count = count;
    s->from_table = true;
    s->h = t->h;
    s->w = t->w;
    s->c = t->c;
    dcnn_names labels = {0};
    dcnn_status status = take(t, &t->labels, role, &labels);
    if (status == DCNN_OK && labels.count > 0) status = give_labels(s, &labels);
    dcnn_names_free(&labels);
    DCNN_TRY(status);
    DCNN_TRY(take(t, &t->ids, role, &s->ids));
    DCNN_TRY(take(t, &t->files, role, &s->files));
    if (!t->pixels) return DCNN_OK;
    const size_t size = (size_t)t->pixel_columns;
    uint8_t *pixels = alone ? t->pixels : malloc((size_t)count * size);
    if (!pixels) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld images", t->path, (long long)count);
    s->pixels = s->memory = pixels;
    if (alone)
        t->pixels = NULL;
    else
        for (int64_t i = 0; i < t->count; i++)
            if (t->roles[i] == role) {
                memcpy(pixels, t->pixels + (size_t)i * size, size);
                pixels += size;
            }
    return DCNN_OK;
}

static void tell_table(const table *t, const char *inside) {
    dcnn_count_text count;
    if (t->files.count > 0)
        dcnn_source_tell(t->opening->options, "%s: a list of %s images%s", t->path, dcnn_count(t->count, &count),
                         dcnn_role_text(t->opening->given));
    else
        dcnn_source_tell(t->opening->options, "%s: a table%s%s%s of %s images of %dx%dx%d%s", t->path,
                         inside ? " (" : "", inside ? inside : "", inside ? ")" : "", dcnn_count(t->count, &count),
                         t->h, t->w, t->c, dcnn_role_text(t->opening->given));
}

dcnn_status dcnn_table_open(const dcnn_opening *opening, const char *path) {
    table t = {.opening = opening, .path = path};
    uint8_t *bytes = NULL;
    char *inside = NULL;
    size_t length;
    dcnn_status status;
    DCNN_TRY_DONE(dcnn_source_note(opening, path));
    if (dcnn_kind_of_file(path) == DCNN_KIND_ZIP)
        DCNN_TRY_DONE(dcnn_zip_read_only_one(path, &inside, &bytes, &length));
    else
        DCNN_TRY_DONE(dcnn_file_read(path, &bytes, &length));
    dcnn_cells_begin(&t.cells, path, (char *)bytes, length);
    DCNN_TRY_DONE(read_head(&t));
    DCNN_TRY_DONE(find_columns(&t));
    DCNN_TRY_DONE(read_lines(&t));
    tell_table(&t, inside);
    if (!has(&t, SPLIT))
        DCNN_TRY_DONE(give_role(&t, (uint8_t)opening->given, true));
    else
        for (uint8_t role = 0; role < DCNN_ROLE_COUNT; role++) DCNN_TRY_DONE(give_role(&t, role, false));
done:
    dcnn_names_free(&t.header);
    dcnn_names_free(&t.first);
    dcnn_names_free(&t.labels);
    dcnn_names_free(&t.ids);
    dcnn_names_free(&t.files);
    free(t.of);
    free(t.pixels);
    free(t.roles);
    free(inside);
    free(bytes);
    return status;
}
