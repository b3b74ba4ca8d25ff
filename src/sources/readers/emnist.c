/* SPDX-License-Identifier: BSD-3-Clause */
/* emnist.c — what EMNIST's files do not say themselves: their images lie on their side; the classes: STEM-mapping.txt
 * beside STEM-train-images-idx3-ubyte has a line for each label, with the codes of its characters ("10 65", "1 65 97").
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "io/input.h"
#include "sources/readers/array.h"

enum { MOST_LABELS = 256 };

/* Which class each label is, and the classes' names in the order of the lines. */
typedef struct mapping {
    int place[MOST_LABELS]; /* -1: not named */
    dcnn_names names;
} mapping;

/* "LABEL CODE CODE": the name is those characters. @return false: something else stands there */
static bool read_line(char *line, mapping *map) {
    char name[16] = "", *end;
    size_t used = 0;
    const long label = strtol(line, &end, 10);
    if (end == line || label < 0 || label >= MOST_LABELS || map->place[label] >= 0) return false;
    for (char *at = end;; at = end) {
        const long code = strtol(at, &end, 10);
        if (end == at) break;
        if (code <= ' ' || code > '~' || used + 1 >= sizeof name) return false;
        name[used++] = (char)code;
    }
    if (used == 0 || end[strspn(end, " \t\r")] != '\0') return false;
    map->place[label] = (int)map->names.count;
    return dcnn_names_add(&map->names, name, used) == DCNN_OK;
}

static bool read_lines(char *text, mapping *map) {
    for (int i = 0; i < MOST_LABELS; i++) map->place[i] = -1;
    for (char *line = text, *rest; line; line = rest) {
        if ((rest = strchr(line, '\n')) != NULL) *rest++ = '\0';
        if (line[strspn(line, " \t\r")] != '\0' && !read_line(line, map)) return false;
    }
    return map->names.count > 1;
}

/* Names the classes, if every label has a line. */
static bool apply(dcnn_source *source, mapping *map) {
    for (int64_t i = 0; i < source->count; i++)
        if (source->labels[i] < 0 || source->labels[i] >= MOST_LABELS || map->place[source->labels[i]] < 0)
            return false;
    for (int64_t i = 0; i < source->count; i++) source->labels[i] = map->place[source->labels[i]];
    source->class_names = map->names;
    map->names = (dcnn_names){0};
    return true;
}

/* The path of the mapping of a file of images, or NULL. */
static char *find_mapping(const char *images) {
    const char *slash = strrchr(images, '/'), *name = slash ? slash + 1 : images, *part = strstr(name, "-train");
    char *path;
    if (!part) part = strstr(name, "-test");
    if (!part || asprintf(&path, "%.*s-mapping.txt", (int)(part - images), images) < 0) return NULL;
    if (dcnn_input_is_file(path)) return path;
    free(path);
    return NULL;
}

static bool is_noted(const dcnn_opening *opening, const char *path) {
    for (int64_t i = 0; i < opening->to->files.count; i++)
        if (strcmp(opening->to->files.text[i], path) == 0) return true;
    return false;
}

/* NIST's images came to EMNIST on their side, and nothing in the file says so. */
static void tell_side(const dcnn_opening *opening, int first) {
    for (int i = first; i < opening->to->count; i++) {
        const char *name = opening->to->items[i].name, *slash = strrchr(name, '/');
        const int folder = slash ? (int)(slash - name) : (int)strlen(name);
        if (opening->to->items[i].kind != DCNN_SOURCE_ARRAY || opening->options->transpose) continue;
        if (!strcasestr(slash ? slash + 1 : name, "emnist-")) continue;
        dcnn_source_tell(opening->options, "%.*s: EMNIST's images lie on their side: --transpose puts them upright",
                         folder, name);
        return;
    }
}

dcnn_status dcnn_emnist_look(const dcnn_opening *opening, int first) {
    tell_side(opening, first);
    for (int i = first; i < opening->to->count; i++) {
        dcnn_source *source = &opening->to->items[i];
        char *path = source->labels && source->class_names.count == 0 ? find_mapping(source->name) : NULL;
        uint8_t *text = NULL;
        size_t length;
        mapping map = {.names = {0}};
        if (!path) continue;
        dcnn_status status = dcnn_file_read(path, &text, &length);
        const bool named = status == DCNN_OK && read_lines((char *)text, &map) && apply(source, &map);
        if (status == DCNN_OK && named && !is_noted(opening, path)) {
            dcnn_source_tell(opening->options, "%s: names the classes", path);
            status = dcnn_source_note(opening, path);
        } else if (status == DCNN_OK && !named) {
            dcnn_source_tell(opening->options, "%s: does not name each label of %s: left unread", path, source->name);
        }
        dcnn_names_free(&map.names);
        free(text);
        free(path);
        DCNN_TRY(status);
    }
    return DCNN_OK;
}
