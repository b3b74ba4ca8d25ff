/* SPDX-License-Identifier: BSD-3-Clause */
/* table_columns.c — which column of a text table is what: found from the names and the first lines, and told. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/kind.h"
#include "sources/readers/table_private.h"

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

static bool ends_like_image(const char *text) {
    static const char *const refused[] = {".gif", ".tif", ".tiff", ".heic", ".avif", ".svg"}; /* by name, later */
    const char *dot = strrchr(text, '.');
    return dot && (dcnn_name_is_image(text) || is_one_of(dot, refused, COUNT_OF(refused)));
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
        paths += ends_like_image(first->text[i]);
        const int64_t below = i + second->count - first->count; /* R leaves the name of the row names out */
        if (below >= 0 && below < second->count && is_number(second->text[below])) above_numbers++;
    }
    if (paths > 0) return false;
    if (second->count == 0) return texts > 1;
    for (int64_t i = 0; i < second->count; i++)
        if (ends_like_image(second->text[i])) return texts > 0;
    return above_numbers > 0;
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

/* Does any of its cells hold a number, or several, or an image's name? */
static bool says_something(const dcnn_names *cells) {
    for (int64_t i = 0; i < cells->count; i++)
        if (is_number(cells->text[i]) || ends_like_image(cells->text[i]) || holds_many(cells->text[i])) return true;
    return false;
}

/* Reads the header, if there is one, and the first line; the cells stand at that line again. */
static dcnn_status read_head(dcnn_table *t) {
    if (!dcnn_cells_line(&t->cells)) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: holds no lines", t->path);
    dcnn_cells at = t->cells;
    DCNN_TRY(dcnn_cells_texts(&at, &t->header));
    const dcnn_cells behind = at;
    if (dcnn_cells_line(&at)) DCNN_TRY(dcnn_cells_texts(&at, &t->first));
    if (t->first.count > 0 && !says_something(&t->header) && !says_something(&t->first))
        return DCNN_FAIL(
            DCNN_BAD_INPUT,
            "%s: its first lines hold neither numbers nor names of images; it is neither a table of images nor "
            "a list of them",
            t->path);
    if (is_header(&t->header, &t->first)) {
        t->cells = behind;
        if (!dcnn_cells_line(&t->cells)) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: has a header but no rows", t->path);
        t->columns = (int)t->first.count;
        const bool ends_empty = t->first.count > 1 && !*t->first.text[t->first.count - 1];
        if (t->header.count != t->first.count && (t->header.count + 1 != t->first.count || ends_empty))
            t->columns = (int)t->header.count; /* a separator at each line's end; or the first line will be refused */
    } else {
        dcnn_names_free(&t->first);
        t->first = t->header;
        t->header = (dcnn_names){0};
        t->columns = (int)t->first.count;
    }
    t->of = calloc((size_t)t->columns, sizeof *t->of);
    t->target = calloc((size_t)t->columns, sizeof *t->target);
    return t->of && t->target ? DCNN_OK
                              : DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %d columns", t->path, t->columns);
}

/* Name of a column; a header that is one short has none for the first. */
static const char *name_of(const dcnn_table *t, int column) {
    const int64_t at = column - (t->columns - t->header.count);
    return t->header.count == 0 ? NULL : at < 0 ? "" : t->header.text[at];
}

static int find_column(const dcnn_table *t, const char *const names[], int count) {
    for (int i = 0; i < count && t->header.count > 0; i++)
        for (int column = 0; column < t->columns; column++)
            if (strcasecmp(name_of(t, column), names[i]) == 0) return column;
    return -1;
}

/* What --label-column or --target-columns says. */
static dcnn_status ask_for_column(const dcnn_table *t, const char *option, const char *wish, int *column) {
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
                         "%s: has no column '%s': --%s takes a name of its header, first, last, or "
                         "a number from 1 to %d",
                         t->path, wish, option, t->columns);
    return DCNN_OK;
}

/* Columns of numbers to be predicted, in the order in which they are named. */
static dcnn_status ask_for_targets(dcnn_table *t, const char *wishes) {
    char wish[128];
    while (dcnn_next_word(&wishes, wish)) {
        int column;
        DCNN_TRY(ask_for_column(t, "target-columns", wish, &column));
        if (t->of[column] == TARGET) return DCNN_FAIL(DCNN_USAGE, "--target-columns names the column '%s' twice", wish);
        t->of[column] = TARGET;
        t->target[column] = t->target_width++;
        const char *name = name_of(t, column);
        DCNN_TRY(dcnn_names_print(&t->target_names, "%s", name && name[0] ? name : wish));
    }
    if (t->target_width == 0) return DCNN_FAIL(DCNN_USAGE, "--target-columns names no column");
    dcnn_source_tell(t->opening->options, "%s: to be predicted: %s", t->path, t->opening->options->target_columns);
    return DCNN_OK;
}

static int count_pixels(const dcnn_table *t) {
    int count = 0;
    for (int i = 0; i < t->columns; i++) count += t->of[i] == PIXEL;
    return count;
}

/* Does a line of so many values make an image? The shape that was asked for, a square, or one in three colours. */
bool dcnn_table_find_shape(dcnn_table *t, int64_t values) {
    const dcnn_source_options *o = t->opening->options;
    int side = 1;
    t->h = o->h;
    t->w = o->w;
    t->c = o->c;
    if (o->h > 0 && ((int64_t)o->h * o->w * o->c == values || !o->shape_may_differ))
        return (int64_t)o->h * o->w * o->c == values;
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

/* Counts the values of two columns in some lines from here on. @return the one that holds a text; -1: neither */
static int look_at_lines(dcnn_cells at, int first, int last, column_values of[2]) {
    enum { LOOKED_AT = 500 };
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
    return -1;
}

/* Of a table with one column too many: is the label its first, or its last? In the border of an image nearly all lines
 * have the same value, or, in a photograph, all kinds of values; labels are few, and spread. */
static int guess_label(const dcnn_table *t, int first, int last) {
    enum { PLACES = 4 };
    if (t->header.count > 0 && ends_in_digit(name_of(t, first)) != ends_in_digit(name_of(t, last)))
        return ends_in_digit(name_of(t, first)) ? last : first;
    column_values of[2] = {{.lines = 0}};
    for (int place = 0; place < PLACES; place++) { /* a table may be sorted by class */
        dcnn_cells at = t->cells;
        at.next += (at.end - at.next) / PLACES * place;
        if (place > 0) dcnn_cells_skip(&at);
        const int texts = look_at_lines(at, first, last, of);
        if (texts >= 0) return texts;
    }
    double commonest[2];
    int different[2];
    for (int i = 0; i < 2; i++) weigh(&of[i], &commonest[i], &different[i]);
    const bool flat[2] = {commonest[0] > 0.85, commonest[1] > 0.85};
    if (flat[0] != flat[1]) return flat[0] ? last : first;
    return different[1] < different[0] ? last : first;
}

/* A column beside the pixels that is neither: named unlike them. */
static void leave_others_out(dcnn_table *t) {
    for (int i = 0; i < t->columns && t->header.count > 0; i++) {
        if (t->of[i] != PIXEL || ends_in_digit(name_of(t, i))) continue;
        t->of[i] = LEFT_OUT;
        dcnn_source_tell(t->opening->options, "%s: the column '%s' is left out", t->path, name_of(t, i));
    }
}

static void mark(dcnn_table *t, int column, dcnn_meaning what) {
    if (column >= 0 && t->of[column] == PIXEL) t->of[column] = what;
}

static void find_by_name(dcnn_table *t) {
    mark(t, find_column(t, id_names, COUNT_OF(id_names)), ID);
    mark(t, find_column(t, split_names, COUNT_OF(split_names)), SPLIT);
    if (t->header.count == 0 || !is_one_of(name_of(t, 0), row_names, COUNT_OF(row_names))) return;
    t->of[0] = LEFT_OUT;
    dcnn_source_tell(t->opening->options, "%s: its first column numbers the lines: it is left out", t->path);
}

static void find_by_value(dcnn_table *t) {
    for (int i = 0; i < t->columns && i < t->first.count; i++) {
        if (t->of[i] != PIXEL) continue;
        if (ends_like_image(t->first.text[i]))
            t->of[i] = PATH;
        else if (!is_number(t->first.text[i]) && holds_many(t->first.text[i]))
            t->of[i] = PIXELS;
    }
}

bool dcnn_table_has(const dcnn_table *t, dcnn_meaning what) {
    for (int i = 0; i < t->columns; i++)
        if (t->of[i] == what) return true;
    return false;
}

/* A list of files: whatever else it has but one label is left out. */
static dcnn_status find_list(dcnn_table *t) {
    bool path = false;
    int others = 0, other = -1;
    for (int i = 0; i < t->columns; i++) {
        if (t->of[i] == PATH && path) t->of[i] = LEFT_OUT;
        path = path || t->of[i] == PATH;
        if (t->of[i] == PIXEL) other = i;
        others += t->of[i] == PIXEL;
    }
    if (!dcnn_table_has(t, LABEL) && others == 1 && t->target_width == 0) t->of[other] = LABEL;
    leave_others_out(t);
    for (int i = 0; i < t->columns; i++)
        if (t->of[i] == PIXEL) t->of[i] = LEFT_OUT;
    if (dcnn_table_has(t, LABEL) || t->target_width > 0 || t->opening->options->unlabelled) return DCNN_OK;
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: is a list of images without a column of labels; call it 'label', or use "
                     "--label-column, or --target-columns for numbers to be predicted",
                     t->path);
}

dcnn_status dcnn_table_fail_shape(const dcnn_table *t, int64_t values) {
    const dcnn_source_options *o = t->opening->options;
    if (o->h > 0 && !o->shape_may_differ)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: %lld columns of pixels do not make an image of %dx%dx%d", t->path,
                         (long long)values, o->h, o->w, o->c);
    return DCNN_FAIL(DCNN_BAD_INPUT,
                     "%s: %lld columns of pixels do not make a square image, grey or in three colours; give its shape, "
                     "for example --shape 20x30 or 20x30x3",
                     t->path, (long long)values);
}

static void tell_columns(const dcnn_table *t, int guessed) {
    const dcnn_source_options *o = t->opening->options;
    const char *header = t->header.count == 0 ? "no header; " : counts_up(&t->header) ? "a header of numbers; " : "";
    int label = -1, id = -1;
    for (int i = 0; i < t->columns; i++) {
        if (t->of[i] == LABEL) label = i;
        if (t->of[i] == ID) id = i;
    }
    if (guessed >= 0)
        dcnn_source_tell(o, "%s: %sthe label is the %s column (%s)", t->path, header, guessed == 0 ? "first" : "last",
                         o->unlabelled ? "it is left out" : "--label-column says otherwise");
    else if (label >= 0 && name_of(t, label) && strcasecmp(name_of(t, label), "label") != 0)
        dcnn_source_tell(o, "%s: the label is the column '%s'", t->path, name_of(t, label));
    else if (label < 0 && t->target_width == 0 && !o->unlabelled)
        dcnn_source_tell(o, "%s: %sno labels", t->path, header);
    if (id >= 0 && !o->unlabelled) dcnn_source_tell(o, "%s: the column '%s' names each image", t->path, name_of(t, id));
    if (o->h == 0 && t->c == 3)
        dcnn_source_tell(o, "%s: taken as images of %dx%d in three colours (--shape says otherwise)", t->path, t->h,
                         t->w);
}

dcnn_status dcnn_table_find_columns(dcnn_table *t) {
    const dcnn_source_options *o = t->opening->options;
    DCNN_TRY(read_head(t));
    int label = find_column(t, label_names, COUNT_OF(label_names)), guessed = -1;
    const bool predicted = o->target_columns && !o->unlabelled;
    if (predicted) DCNN_TRY(ask_for_targets(t, o->target_columns));
    if (o->label_column) DCNN_TRY(ask_for_column(t, "label-column", o->label_column, &label));
    mark(t, label, predicted ? LEFT_OUT : LABEL);
    find_by_name(t);
    find_by_value(t);
    if (dcnn_table_has(t, PATH)) return find_list(t);
    if (dcnn_table_has(t, PIXELS)) {
        for (int i = 0; i < t->columns; i++)
            if (t->of[i] == PIXEL) t->of[i] = !predicted && label < 0 && label++ < 0 ? LABEL : LEFT_OUT;
        return DCNN_OK;
    }
    if (label < 0 && !predicted && !dcnn_table_find_shape(t, count_pixels(t)) &&
        dcnn_table_find_shape(t, count_pixels(t) - 1)) {
        int first = 0, last = t->columns - 1;
        while (t->of[first] != PIXEL) first++;
        while (t->of[last] != PIXEL) last--;
        guessed = guess_label(t, first, last);
        t->of[guessed] = LABEL;
    }
    if (!dcnn_table_find_shape(t, count_pixels(t))) leave_others_out(t);
    t->pixel_columns = count_pixels(t);
    if (!dcnn_table_find_shape(t, t->pixel_columns)) return dcnn_table_fail_shape(t, t->pixel_columns);
    tell_columns(t, guessed);
    return DCNN_OK;
}
