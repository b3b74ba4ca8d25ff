/* SPDX-License-Identifier: BSD-3-Clause */
/* table.c — images in text tables: a line each, or a list of paths. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "io/kind.h"
#include "io/spill.h"
#include "sources/readers/table_private.h"
#include "sources/readers/zipped.h"

enum { FORGET_ROWS = 4096 };

/* What may be said of a line that is not like the others. */
static const char *way_out(const dcnn_table *t) {
    const dcnn_source_options *o = t->opening->options;
    return o->unlabelled || o->skip_broken ? "" : "; --skip-broken leaves such lines out";
}

static dcnn_status fail_value(const dcnn_table *t, int64_t line, int column, dcnn_cell cell, double value,
                              bool number) {
    char text[28];
    const double scale = t->opening->options->scale;
    if (cell.begin == cell.end)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: a pixel is missing%s", t->path, (long long)line, column,
                         way_out(t));
    if (number && scale == 0 && value > 0 && value < 1)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: '%s' is not a whole number from 0 to 255%s", t->path,
                         (long long)line, column, dcnn_cell_text(cell, text),
                         t->opening->options->unlabelled ? "" : "; if all are from 0 to 1, use --scale 255");
    if (number && scale != 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: '%s' times %g is not from 0 to 255", t->path, (long long)line,
                         column, dcnn_cell_text(cell, text), scale);
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: '%s' is not an integer from 0 to 255", t->path, (long long)line,
                     column, dcnn_cell_text(cell, text));
}

/* Digits alone are what nearly every cell holds. */
static bool read_value(const dcnn_table *t, dcnn_cell cell, double *value, uint8_t *pixel) {
    const double scale = t->opening->options->scale;
    int whole = 0;
    const char *at = cell.begin;
    while (at < cell.end && *at >= '0' && *at <= '9' && whole <= 255) whole = 10 * whole + (*at++ - '0');
    if (at == cell.end && at > cell.begin && whole <= 255 && scale == 0) {
        *pixel = (uint8_t)whole;
        return true;
    }
    *value = NAN;
    if (!dcnn_cell_decimal(cell, value)) return false;
    const double scaled = scale != 0 ? nearbyint(*value * scale) : *value;
    if (!(scaled >= 0 && scaled <= 255) || scaled != floor(scaled)) return false;
    *pixel = (uint8_t)scaled;
    return true;
}

/* Whole numbers may be written "3.0". */
static dcnn_status add_label(dcnn_table *t, int64_t line, int column, dcnn_cell cell) {
    double value;
    char text[28];
    if (cell.begin == cell.end)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: the label is missing%s", t->path, (long long)line, column,
                         way_out(t));
    if (!dcnn_cell_number(cell, &value)) return dcnn_cell_add(cell, &t->labels);
    if (value != floor(value) || fabs(value) > INT32_MAX)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: the label '%s' is neither a whole number nor a name", t->path,
                         (long long)line, column, dcnn_cell_text(cell, text));
    return dcnn_names_print(&t->labels, "%.0f", value);
}

/* Takes the place of the last file's name, if there is such a file. */
static bool use_if_there(dcnn_table *t, char *name) {
    if (!name || access(name, F_OK) != 0) {
        free(name);
        return false;
    }
    free(t->files.text[t->files.count - 1]);
    t->files.text[t->files.count - 1] = name;
    return true;
}

/* Relative to the list's folder; or to where dcnn was started, if it is there; Windows has backslashes in between. */
static dcnn_status add_file(dcnn_table *t, int64_t line, int column, dcnn_cell cell) {
    const int length = cell.end - cell.begin < PATH_MAX ? (int)(cell.end - cell.begin) : PATH_MAX;
    const char *slash = strrchr(t->path, '/');
    const int folder = slash && *cell.begin != '/' ? (int)(slash - t->path) + 1 : 0;
    char text[28];
    if (length == PATH_MAX || memchr(cell.begin, '\0', (size_t)length))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: '%s...' is not the name of a file", t->path, (long long)line,
                         column, dcnn_cell_text(cell, text));
    if (memmem(cell.begin, (size_t)length, "://", 3))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: '%s...' is an address: fetch the images, and name their files",
                         t->path, (long long)line, column, dcnn_cell_text(cell, text));
    DCNN_TRY(dcnn_names_print(&t->files, "%.*s%.*s", folder, t->path, length, cell.begin));
    const char *name = t->files.text[t->files.count - 1];
    if (access(name, F_OK) == 0 || use_if_there(t, strndup(cell.begin, (size_t)length))) return DCNN_OK;
    char *turned = strdup(name);
    for (char *at = turned; at && *at; at++)
        if (*at == '\\') *at = '/';
    (void)use_if_there(t, turned);
    return DCNN_OK;
}

static dcnn_status add_target(dcnn_table *t, int64_t line, int column, dcnn_cell cell) {
    char text[28];
    double value;
    if (!dcnn_cell_decimal(cell, &value) || !(fabs(value) <= (double)FLT_MAX))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: the target '%s' is not a number", t->path, (long long)line,
                         column, dcnn_cell_text(cell, text));
    t->targets[t->count * t->target_width + t->target[column - 1]] = (float)value;
    return DCNN_OK;
}

static dcnn_status add_role(dcnn_table *t, int64_t line, int column, dcnn_cell cell) {
    char text[28];
    dcnn_role role;
    if (!dcnn_role_of(dcnn_cell_text(cell, text), &role))
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: '%s' is not a split (train, validation, test)", t->path,
                         (long long)line, column, text);
    t->roles[t->count] = (uint8_t)role;
    return DCNN_OK;
}

/* All pixels of an image in one cell; the first line tells how many. */
static dcnn_status read_many(dcnn_table *t, int64_t line, int column, dcnn_cell cell) {
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
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: holds %lld pixels, but the first line has %lld", t->path,
                     (long long)line, column, (long long)count, (long long)t->pixel_columns);
}

static dcnn_status fail_columns(const dcnn_table *t, int64_t line, int found) {
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s:%lld:%d: the line has %s%d cell%s, but the %s has %d%s", t->path,
                     (long long)line, found, found > t->columns ? "more than " : "",
                     found > t->columns ? t->columns : found, found == 1 || t->columns == 1 ? "" : "s",
                     t->header.count > 0 ? "header" : "first line", t->columns, way_out(t));
}

static dcnn_status read_line(dcnn_table *t) {
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
        case TARGET:
            DCNN_TRY(add_target(t, line, column + 1, cell));
            break;
        case ID:
            DCNN_TRY(dcnn_cell_add(cell, &t->ids));
            break;
        case SPLIT:
            DCNN_TRY(add_role(t, line, column + 1, cell));
            break;
        case PATH:
            DCNN_TRY(add_file(t, line, column + 1, cell));
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

static dcnn_status make_room(dcnn_table *t) {
    enum { FIRST_ROWS = 1024, FIRST_BYTES = 1 << 26 };
    if (t->count < t->room) return DCNN_OK;
    const size_t size = (size_t)t->pixel_columns;
    const bool large = size > FIRST_BYTES / FIRST_ROWS;
    const int64_t room = 2 * t->room + (large ? 1 + (int64_t)(FIRST_BYTES / size) : FIRST_ROWS);
    if (size > 0)
        DCNN_TRY(dcnn_spill_grow(t->opening->options->aside, t->path, (size_t)t->count * size, (size_t)room * size,
                                 &t->memory, &t->mapped_bytes));
    t->pixels = t->memory;
    uint8_t *roles = realloc(t->roles, (size_t)room);
    if (!roles) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld images", t->path, (long long)room);
    t->roles = roles;
    float *targets = realloc(t->targets, ((size_t)room * (size_t)t->target_width + 1) * sizeof *targets);
    if (!targets) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for %lld images", t->path, (long long)room);
    t->targets = targets;
    t->room = room;
    memset(t->roles + t->count, t->opening->given, (size_t)(t->room - t->count));
    return DCNN_OK;
}

/* How many pixels the first line's one cell has. */
static dcnn_status count_many(dcnn_table *t) {
    for (int i = 0; i < t->columns; i++) {
        if (t->of[i] != PIXELS) continue;
        const char *at = t->first.text[i];
        for (; *at; t->pixel_columns++) {
            at += strcspn(at, " ,");
            at += strspn(at, " ,");
        }
    }
    if (!dcnn_table_find_shape(t, t->pixel_columns)) return dcnn_table_fail_shape(t, t->pixel_columns);
    return DCNN_OK;
}

/* Text and pixels are let go now and then: neither needs to be in memory as a whole. */
static void forget(dcnn_table *t, const char **from) {
    enum { EACH = 1 << 26 };
    if (t->cells.next - *from < EACH) return;
    *from = t->cells.next;
    dcnn_spill_forget(t->text, t->text_mapped);
    dcnn_spill_forget(t->memory, t->mapped_bytes);
}

/* Where the last line begins, if the file ends in it without a line's end. */
static const char *find_tail(const dcnn_table *t) {
    const char *at = t->cells.end;
    while (at > t->cells.next && at[-1] != '\n' && at[-1] != '\r') at--;
    return at;
}

/* A file that ends within a line, before its last cell, was cut off there: what is left of that line is no image. */
static bool is_cut(const dcnn_table *t, const char *tail) {
    dcnn_cells at = t->cells;
    dcnn_cell cell = {0};
    int found = 0;
    if (t->count == 0 || at.next < tail) return false;
    for (bool last = false; !last; found++) cell = dcnn_cells_next(&at, &last);
    const dcnn_meaning of = t->of[t->columns - 1];
    if (found > t->columns || (found == t->columns && (cell.begin < cell.end || of == ID || of == LEFT_OUT)))
        return false;
    dcnn_warn("%s:%lld: the file ends within this line, after %d of %d cells: it is cut off; the line is left out, and "
              "what came behind it is missing",
              t->path, (long long)t->cells.line, cell.begin < cell.end ? found : found - 1, t->columns);
    return true;
}

static void shorten(dcnn_names *names, int64_t count) {
    while (names->count > count) free(names->text[--names->count]);
}

/* A line that cannot be read: refused, or left out as if it were not there. */
static dcnn_status leave_line_out(dcnn_table *t, dcnn_cells line) {
    DCNN_TRY(dcnn_source_meet_broken(t->opening->options, dcnn_error(), &t->opening->to->broken));
    shorten(&t->labels, t->count);
    shorten(&t->ids, t->count);
    shorten(&t->files, t->count);
    t->roles[t->count] = (uint8_t)t->opening->given;
    t->cells = line;
    dcnn_cells_skip(&t->cells);
    return DCNN_OK;
}

static dcnn_status read_lines(dcnn_table *t) {
    const char *from = t->cells.next, *tail = find_tail(t);
    if (dcnn_table_has(t, PIXELS)) DCNN_TRY(count_many(t));
    while (dcnn_cells_line(&t->cells)) {
        const dcnn_cells line = t->cells;
        if (is_cut(t, tail)) {
            t->opening->to->broken++;
            break;
        }
        DCNN_TRY(make_room(t));
        const dcnn_status status = read_line(t);
        if (status == DCNN_BAD_INPUT && t->opening->options->skip_broken)
            DCNN_TRY(leave_line_out(t, line));
        else
            DCNN_TRY(status);
        forget(t, &from);
    }
    if (t->count == 0) return DCNN_FAIL(DCNN_BAD_INPUT, "%s: none of its lines can be read", t->path);
    if (t->pixels && t->largest == 1 && t->opening->options->scale == 0)
        dcnn_source_tell(t->opening->options,
                         "%s: no pixel is above 1: if they are meant to be 0 to 1, use --scale 255", t->path);
    return DCNN_OK;
}

/* --- what comes of it ----------------------------------------------------------------------------------------- */

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

/* The numbers to be predicted of the rows of one role. */
static dcnn_status give_targets(const dcnn_table *t, uint8_t role, dcnn_source *source) {
    const size_t bytes = (size_t)t->target_width * sizeof *t->targets;
    if (t->target_width == 0) return DCNN_OK;
    DCNN_TRY(dcnn_source_make_targets(source, t->target_width));
    float *to = source->targets;
    for (int64_t i = 0; i < t->count; i++)
        if (t->roles[i] == role) {
            memcpy(to, t->targets + i * t->target_width, bytes);
            to += t->target_width;
        }
    for (int64_t i = 0; i < t->target_names.count; i++)
        DCNN_TRY(dcnn_names_print(&source->target_names, "%s", t->target_names.text[i]));
    return DCNN_OK;
}

/* Moves the texts of the rows of one role. */
static dcnn_status take(const dcnn_table *t, dcnn_names *from, uint8_t role, dcnn_names *to) {
    for (int64_t i = 0; i < from->count; i++)
        if (t->roles[i] == role) DCNN_TRY(dcnn_names_add(to, from->text[i], strlen(from->text[i])));
    return DCNN_OK;
}

static dcnn_status give_role(dcnn_table *t, uint8_t role, bool alone) {
    int64_t count = 0;
    for (int64_t i = 0; i < t->count; i++) count += t->roles[i] == role;
    if (count == 0) return DCNN_OK;
    const bool wanted = t->opening->given == DCNN_ROLE_POOL || t->opening->given == role || alone;
    if (!wanted) return DCNN_OK;
    dcnn_source *s = dcnn_source_add(t->opening, alone ? t->opening->given : (dcnn_role)role, "%s", t->path);
    if (!s) return DCNN_FAILURE;
    s->count = count;
    s->from_table = true;
    s->kind = t->pixels ? DCNN_SOURCE_TABLE : DCNN_SOURCE_LIST;
    s->h = t->h;
    s->w = t->w;
    s->c = t->c;
    dcnn_names labels = {0};
    dcnn_status status = take(t, &t->labels, role, &labels);
    if (status == DCNN_OK && labels.count > 0) status = give_labels(s, &labels);
    dcnn_names_free(&labels);
    DCNN_TRY(status);
    DCNN_TRY(give_targets(t, role, s));
    DCNN_TRY(take(t, &t->ids, role, &s->ids));
    DCNN_TRY(take(t, &t->files, role, &s->files));
    if (!t->pixels) return DCNN_OK;
    const size_t size = (size_t)t->pixel_columns;
    if (alone) {
        s->pixels = s->memory = t->memory;
        s->mapped_bytes = t->mapped_bytes;
        t->memory = NULL;
        t->mapped_bytes = 0;
        return DCNN_OK;
    }
    DCNN_TRY(dcnn_spill_take(t->opening->options->aside, t->path, (size_t)count * size, &s->memory, &s->mapped_bytes));
    uint8_t *pixels = s->memory;
    s->pixels = pixels;
    for (int64_t i = 0; i < t->count; i++) {
        if (t->roles[i] != role) continue;
        memcpy(pixels, t->pixels + (size_t)i * size, size);
        pixels += size;
        if ((pixels - s->pixels) % ((int64_t)size * FORGET_ROWS) != 0) continue;
        dcnn_spill_forget(s->memory, s->mapped_bytes);
        dcnn_spill_forget(t->memory, t->mapped_bytes);
    }
    return DCNN_OK;
}

static void tell_table(const dcnn_table *t, const char *inside) {
    dcnn_count_text count;
    if (t->opening->options->unlabelled) return;
    if (t->files.count > 0)
        dcnn_source_tell(t->opening->options, "%s: a list of %s%s", t->path, dcnn_count_images(t->count, &count),
                         dcnn_role_text(t->opening->given));
    else
        dcnn_source_tell(t->opening->options, "%s: a table%s%s%s of %s of %dx%dx%d%s", t->path, inside ? " (" : "",
                         inside ? inside : "", inside ? ")" : "", dcnn_count_images(t->count, &count), t->h, t->w, t->c,
                         dcnn_role_text(t->opening->given));
}

dcnn_status dcnn_table_open(const dcnn_opening *opening, const char *path) {
    dcnn_table t = {.opening = opening, .path = path};
    const char *aside = opening->options->aside;
    char *inside = NULL;
    size_t length;
    dcnn_status status;
    DCNN_TRY_DONE(dcnn_source_note(opening, path));
    if (dcnn_kind_of_file(path) == DCNN_KIND_ZIP)
        DCNN_TRY_DONE(dcnn_zip_read_only_one(aside, path, &inside, &t.text, &length, &t.text_mapped));
    else
        DCNN_TRY_DONE(dcnn_spill_read(aside, path, &t.text, &length, &t.text_mapped));
    dcnn_cells_begin(&t.cells, path, t.text, length);
    DCNN_TRY_DONE(dcnn_table_find_columns(&t));
    DCNN_TRY_DONE(read_lines(&t));
    tell_table(&t, inside);
    if (!dcnn_table_has(&t, SPLIT))
        DCNN_TRY_DONE(give_role(&t, (uint8_t)opening->given, true));
    else
        for (int role = 0; role < DCNN_ROLE_COUNT; role++) DCNN_TRY_DONE(give_role(&t, (uint8_t)role, false));
done:
    dcnn_names_free(&t.header);
    dcnn_names_free(&t.first);
    dcnn_names_free(&t.labels);
    dcnn_names_free(&t.ids);
    dcnn_names_free(&t.files);
    dcnn_names_free(&t.target_names);
    free(t.of);
    free(t.target);
    free(t.targets);
    dcnn_spill_release(t.memory, t.mapped_bytes);
    dcnn_spill_release(t.text, t.text_mapped);
    free(t.roles);
    free(inside);
    return status;
}
