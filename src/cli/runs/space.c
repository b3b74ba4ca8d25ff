/* SPDX-License-Identifier: BSD-3-Clause */
/* space.c — see space.h. */
#include "cli/runs/space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "io/file.h"

static void number_text(const dcnn_option *option, double value, char text[DCNN_VALUE_BYTES]) {
    snprintf(text, DCNN_VALUE_BYTES, option->type == DCNN_OPTION_INTEGER ? "%.0f" : "%.6g", value);
}

static double between(const dcnn_dimension *d, double part) {
    return d->logarithmic ? exp(log(d->low) + part * (log(d->high) - log(d->low))) : d->low + part * (d->high - d->low);
}

/* Does the option take it? */
static dcnn_status check_value(const dcnn_option *option, const char *text) {
    dcnn_options scratch = {0};
    return dcnn_option_set(option, text, &scratch);
}

static dcnn_status add_list(dcnn_dimension *d, const char *text) {
    while (*text) {
        const size_t length = strcspn(text, ",");
        if (d->count == DCNN_MOST_VALUES)
            return DCNN_FAIL(DCNN_USAGE, "--%s: at most %d values can be tried", d->option->name, DCNN_MOST_VALUES);
        if (length == 0 || length >= DCNN_VALUE_BYTES)
            return DCNN_FAIL(DCNN_USAGE, "%s=…: a value is empty or too long", d->option->name);
        snprintf(d->values[d->count], DCNN_VALUE_BYTES, "%.*s", (int)length, text);
        DCNN_TRY(check_value(d->option, d->values[d->count++]));
        text += length + (text[length] == ',');
    }
    return d->count > 0 ? DCNN_OK : DCNN_FAIL(DCNN_USAGE, "%s= names no value to try", d->option->name);
}

/* LOW:HIGH[:log][:POINTS] */
static dcnn_status add_range(dcnn_dimension *d, const char *text) {
    char *end;
    d->low = strtod(text, &end);
    const bool good = *end == ':';
    d->high = good ? strtod(end + 1, &end) : 0.0;
    if (strncmp(end, ":log", 4) == 0) {
        d->logarithmic = true;
        end += 4;
    }
    const long points = *end == ':' ? strtol(end + 1, &end, 10) : 0;
    const bool counts = d->option->type == DCNN_OPTION_REAL || d->option->type == DCNN_OPTION_INTEGER;
    if (!counts || !good || *end || !(d->low < d->high) || (d->logarithmic && d->low <= 0.0) || points < 0 ||
        points == 1 || points > DCNN_MOST_VALUES)
        return DCNN_FAIL(DCNN_USAGE,
                         "%s=%.60s: a range is LOW:HIGH, LOW:HIGH:log (above 0), or either with a number of "
                         "points behind, LOW:HIGH:5, of an option that takes numbers",
                         d->option->name, text);
    for (int end_number = 0; end_number < 2; end_number++) {
        char value[DCNN_VALUE_BYTES];
        number_text(d->option, end_number ? d->high : d->low, value);
        DCNN_TRY(check_value(d->option, value));
    }
    for (; d->count < points; d->count++)
        number_text(d->option, between(d, (double)d->count / (double)(points - 1)), d->values[d->count]);
    return DCNN_OK;
}

/* A value as it is recorded, however it was written: 1e-3 is 0.001. malloc'd; NULL without memory. */
static char *canonical(const dcnn_option *option, const char *value) {
    dcnn_options scratch = {0};
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);
    if (to && dcnn_option_set(option, value, &scratch) == DCNN_OK) dcnn_option_write(option, &scratch, to);
    if (to) fclose(to);
    return text;
}

/* A value that is there twice would be tried twice, to the same end. */
static dcnn_status check_values_differ(const dcnn_dimension *d) {
    char *texts[DCNN_MOST_VALUES] = {NULL};
    dcnn_status status = DCNN_OK;
    for (int i = 0; i < d->count && status == DCNN_OK; i++) {
        texts[i] = canonical(d->option, d->values[i]);
        if (texts[i] == NULL) status = DCNN_FAIL(DCNN_FAILURE, "out of memory: the values of %s", d->option->name);
        for (int k = 0; k < i && status == DCNN_OK; k++)
            if (strcmp(texts[k], texts[i]) == 0)
                status = DCNN_FAIL(DCNN_USAGE,
                                   "%s=%.60s,%.60s: is the same value twice, which would be tried twice: name it once",
                                   d->option->name, d->values[k], d->values[i]);
    }
    for (int i = 0; i < d->count; i++) free(texts[i]);
    return status;
}

dcnn_status dcnn_space_add(dcnn_space *space, const char *text) {
    char name[64];
    const size_t length = strcspn(text, "=");
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), text);
    const char *plain = strncmp(name, "--", 2) == 0 ? name + 2 : name;
    const dcnn_option *option = dcnn_option_find(DCNN_COMMAND_TRAIN, plain);
    if (text[length] != '=')
        return DCNN_FAIL(DCNN_USAGE, "'%.60s': an option and its values are wanted, as learning-rate=1e-3,1e-2", text);
    if (option && (option->type == DCNN_OPTION_LIST || option->resume == DCNN_RESUME_FORGET))
        return DCNN_FAIL(DCNN_USAGE, "%s=…: --%s cannot be searched over%s%s", name, option->name,
                         option->type == DCNN_OPTION_LIST ? "; give it once, for all trials, as --" : "; leave it out",
                         option->type == DCNN_OPTION_LIST ? option->name : "");
    if (option == NULL)
        return DCNN_FAIL(DCNN_USAGE, "%.60s=…: dcnn train has no such option to search over (see 'dcnn help train')",
                         name);
    if (strcmp(option->name, "epochs") == 0)
        return DCNN_FAIL(DCNN_USAGE, "epochs=…: all trials have as many, --epochs says how many");
    if (space->count == DCNN_MOST_DIMENSIONS)
        return DCNN_FAIL(DCNN_USAGE, "at most %d options can be searched over", DCNN_MOST_DIMENSIONS);
    for (int i = 0; i < space->count; i++)
        if (space->dimensions[i].option == option) return DCNN_FAIL(DCNN_USAGE, "%s is given twice", option->name);
    dcnn_dimension *d = &space->dimensions[space->count];
    *d = (dcnn_dimension){.option = option};
    const char *values = text + length + 1;
    const bool range = strchr(values, ':') && option->type != DCNN_OPTION_TEXT;
    DCNN_TRY(range ? add_range(d, values) : add_list(d, values));
    if (range && d->count > 0 && d->option->type == DCNN_OPTION_INTEGER && d->high - d->low < d->count - 1)
        return DCNN_FAIL(DCNN_USAGE, "%s=%.60s: the range has no %d whole numbers: give fewer points", d->option->name,
                         values, d->count);
    DCNN_TRY(check_values_differ(d));
    space->count++;
    return DCNN_OK;
}

dcnn_status dcnn_space_read(dcnn_space *space, const char *path) {
    uint8_t *bytes;
    size_t all;
    DCNN_TRY(dcnn_file_read(path, &bytes, &all));
    dcnn_status status = DCNN_OK;
    if (memchr(bytes, '\0', all))
        status = DCNN_FAIL(DCNN_BAD_INPUT, "%s: is not a text of lines as learning-rate=1e-3,1e-2", path);
    char *line = (char *)bytes, *next;
    for (int number = 1; status == DCNN_OK && *line; number++, line = next) {
        next = line + strcspn(line, "\n");
        next += *next == '\n' ? (*next = '\0', 1) : 0;
        line[strcspn(line, "#\r")] = '\0';
        char *text = line + strspn(line, " \t");
        for (size_t length = strlen(text); length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t');)
            text[--length] = '\0';
        if (*text == '\0') continue;
        status = dcnn_space_add(space, text);
        if (status != DCNN_OK) dcnn_error_prefix("%s, line %d", path, number);
    }
    free(bytes);
    return status;
}

dcnn_status dcnn_space_grid(const dcnn_space *space, int *points) {
    enum { MOST_POINTS = 10000 };
    *points = 1;
    for (int i = 0; i < space->count; i++) {
        const dcnn_dimension *d = &space->dimensions[i];
        if (d->count == 0)
            return DCNN_FAIL(DCNN_USAGE,
                             "%s has a range: a grid needs its values, as %s=%g:%g:5, or give --search random",
                             d->option->name, d->option->name, d->low, d->high);
        if (*points > MOST_POINTS / d->count)
            return DCNN_FAIL(DCNN_USAGE, "the grid has more than %d points: give fewer values, or --search random",
                             MOST_POINTS);
        *points *= d->count;
    }
    return DCNN_OK;
}

/* The last dimension runs fastest. */
void dcnn_space_grid_value(const dcnn_space *space, int point, int dimension, char text[DCNN_VALUE_BYTES]) {
    for (int i = space->count - 1; i > dimension; i--) point /= space->dimensions[i].count;
    const dcnn_dimension *d = &space->dimensions[dimension];
    memcpy(text, d->values[point % d->count], DCNN_VALUE_BYTES);
}

void dcnn_space_random_value(const dcnn_space *space, uint64_t seed, int number, int dimension,
                             char text[DCNN_VALUE_BYTES]) {
    const dcnn_dimension *d = &space->dimensions[dimension];
    const uint32_t word = dcnn_random(seed, DCNN_RANDOM_TUNE, 0, number, (uint32_t)dimension).word[0];
    const double part = dcnn_random_unit(word);
    if (d->count > 0)
        memcpy(text, d->values[(int)(part * d->count)], DCNN_VALUE_BYTES);
    else
        number_text(d->option, between(d, part), text);
}
