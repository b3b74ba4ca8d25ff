/* SPDX-License-Identifier: BSD-3-Clause */
/* words.c — what names of files, folders and arrays say, and what readers share. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sources/source_private.h"

static const struct {
    const char *word;
    dcnn_role role;
} role_words[] = {{"train", DCNN_ROLE_POOL},
                  {"training", DCNN_ROLE_POOL},
                  {"validation", DCNN_ROLE_VALIDATION},
                  {"valid", DCNN_ROLE_VALIDATION},
                  {"val", DCNN_ROLE_VALIDATION},
                  {"dev", DCNN_ROLE_VALIDATION},
                  {"publictest", DCNN_ROLE_VALIDATION},
                  {"test", DCNN_ROLE_TEST},
                  {"testing", DCNN_ROLE_TEST},
                  {"t10k", DCNN_ROLE_TEST},
                  {"privatetest", DCNN_ROLE_TEST},
                  {"official-test", DCNN_ROLE_OFFICIAL_TEST}};

bool dcnn_role_of(const char *word, dcnn_role *role) {
    for (size_t i = 0; i < sizeof role_words / sizeof *role_words; i++) {
        if (strcasecmp(word, role_words[i].word) != 0) continue;
        *role = role_words[i].role;
        return true;
    }
    return false;
}

/* The next part of a word: letters and digits. NULL: the end. */
static const char *next_part(const char *at, size_t *length) {
    while (*at && !isalnum((unsigned char)*at)) at++;
    *length = 0;
    while (isalnum((unsigned char)at[*length])) ++*length;
    return *length > 0 ? at : NULL;
}

static bool part_is(const char *part, size_t length, const char *word) {
    return strlen(word) == length && strncasecmp(part, word, length) == 0;
}

bool dcnn_role_in(const char *word, dcnn_role *role) {
    size_t length;
    for (const char *part = word; (part = next_part(part, &length)); part += length)
        for (size_t i = 0; i < sizeof role_words / sizeof *role_words; i++) {
            const bool behind_letter =
                length > 1 && strchr("xyXY", *part) && part_is(part + 1, length - 1, role_words[i].word);
            if (!behind_letter && !part_is(part, length, role_words[i].word)) continue;
            *role = role_words[i].role;
            return true;
        }
    return false;
}

bool dcnn_word_in(const char *word, const char *const words[]) {
    size_t length;
    for (const char *part = word; (part = next_part(part, &length)); part += length)
        for (int i = 0; words[i]; i++) {
            if (part_is(part, length, words[i])) return true;
            const size_t head = strlen(words[i]);
            for (size_t j = 0; j < sizeof role_words / sizeof *role_words && head < length; j++)
                if (strncasecmp(part, words[i], head) == 0 && part_is(part + head, length - head, role_words[j].word))
                    return true;
        }
    return false;
}

const char *dcnn_role_text(dcnn_role role) {
    static const char *const texts[DCNN_ROLE_COUNT] = {"", " for validation", " for the test",
                                                       " for the official test"};
    return texts[role];
}

const char *dcnn_count(int64_t value, dcnn_count_text *into) {
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    size_t used = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-') into->text[used++] = ',';
        into->text[used++] = digits[i];
    }
    into->text[used] = '\0';
    return into->text;
}

const char *dcnn_count_images(int64_t value, dcnn_count_text *into) {
    dcnn_count(value, into);
    strcat(into->text, value == 1 ? " image" : " images");
    return into->text;
}

void dcnn_source_tell(const dcnn_source_options *options, const char *format, ...) {
    char *line;
    va_list arguments;
    if (!options->tell) return;
    va_start(arguments, format);
    if (vasprintf(&line, format, arguments) < 0) line = NULL;
    va_end(arguments);
    if (line) options->tell(options->context, line);
    free(line);
}

dcnn_status dcnn_source_note(const dcnn_opening *opening, const char *path) {
    return dcnn_names_add(&opening->to->files, path, strlen(path));
}

dcnn_source *dcnn_source_add(const dcnn_opening *opening, dcnn_role role, const char *format, ...) {
    dcnn_sources *to = opening->to;
    char *name;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&name, format, arguments) < 0) name = NULL;
    va_end(arguments);
    dcnn_source *longer = name ? realloc(to->items, (size_t)(to->count + 1) * sizeof *longer) : NULL;
    if (!longer) {
        free(name);
        DCNN_FAIL(DCNN_FAILURE, "out of memory for a list of sources");
        return NULL;
    }
    to->items = longer;
    longer[to->count] = (dcnn_source){.name = name, .role = role};
    return &longer[to->count++];
}

dcnn_status dcnn_source_label(dcnn_source *source, const dcnn_names *texts) {
    for (int64_t i = 0; i < texts->count; i++)
        DCNN_TRY(dcnn_names_add(&source->class_names, texts->text[i], strlen(texts->text[i])));
    dcnn_names_unite(&source->class_names);
    source->labels = malloc((size_t)(texts->count + 1) * sizeof *source->labels);
    if (!source->labels) return DCNN_FAIL(DCNN_FAILURE, "%s: out of memory for its labels", source->name);
    for (int64_t i = 0; i < texts->count; i++)
        source->labels[i] = (int32_t)dcnn_names_find(&source->class_names, texts->text[i]);
    return DCNN_OK;
}

bool dcnn_next_word(const char **text, char word[128]) {
    while (**text == ',' || **text == ' ') ++*text;
    size_t length = strcspn(*text, ",");
    const size_t behind = length;
    while (length > 0 && (*text)[length - 1] == ' ') length--;
    snprintf(word, 128, "%.*s", (int)(length < 127 ? length : 127), *text);
    *text += behind;
    return length > 0;
}
