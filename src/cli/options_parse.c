/* SPDX-License-Identifier: BSD-3-Clause */
/* options_parse.c — a command line into values, by getopt_long() from the table. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nearest.h"
#include "cli/options.h"

enum { FIRST_LONG = 256, NAME_BYTES = 40 }; /* getopt's codes of long options lie above all letters */

/* --- one value -------------------------------------------------------------------------------------------------- */

static dcnn_status refuse(const dcnn_option *option, const char *text, const char *why) {
    char range[128];
    return DCNN_FAIL(DCNN_USAGE, "--%s '%.100s' %s: it takes %s", option->name, text, why,
                     dcnn_option_range(option, range));
}

static bool in_range(const dcnn_option *option, double value) {
    const bool low = option->bounds == DCNN_OPEN_LOW ? value > option->low : value >= option->low;
    const bool high = option->bounds == DCNN_OPEN_HIGH ? value < option->high : value <= option->high;
    return low && high;
}

static dcnn_status set_number(const dcnn_option *option, const char *text, void *at) {
    char *end;
    errno = 0;
    const double value =
        option->type == DCNN_OPTION_INTEGER ? (double)(*(int64_t *)at = strtoll(text, &end, 10)) : strtod(text, &end);
    if (end == text || *end != '\0' || isnan(value))
        return refuse(option, text, option->type == DCNN_OPTION_INTEGER ? "is not an integer" : "is not a number");
    if ((errno == ERANGE && value != 0.0 && fabs(value) > 1.0) || !in_range(option, value))
        return refuse(option, text, "is out of range");
    if (option->type == DCNN_OPTION_REAL) *(double *)at = value;
    return DCNN_OK;
}

static dcnn_status set_seed(const dcnn_option *option, const char *text, uint64_t *seed) {
    char *end;
    errno = 0;
    if (text[0] == '-' && text[1] >= '0' && text[1] <= '9' && text[1 + strspn(text + 1, "0123456789")] == '\0')
        return refuse(option, text, "is out of range"); /* strtoull would take -1 */
    if (text[0] < '0' || text[0] > '9') return refuse(option, text, "is not an integer");
    *seed = strtoull(text, &end, 10);
    if (*end != '\0') return refuse(option, text, "is not an integer");
    return errno == ERANGE ? refuse(option, text, "is out of range") : DCNN_OK;
}

static dcnn_status set_bytes(const dcnn_option *option, const char *text, int64_t *bytes) {
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    *bytes = text[0] >= '0' && text[0] <= '9' ? strtoll(text, &end, 10) : 0;
    if (*bytes == 0 || errno == ERANGE) return refuse(option, text, "is not a size");
    const char *unit = *end ? strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end) : NULL;
    for (const char *u = units; unit && u <= unit; u++)
        if (__builtin_mul_overflow(*bytes, (int64_t)1024, bytes)) return refuse(option, text, "is too large");
    return end[unit != NULL] == '\0' ? DCNN_OK : refuse(option, text, "is not a size");
}

/* Is the text one of the words? */
static bool is_choice(const char *choices, const char *text) {
    const size_t length = strlen(text);
    for (const char *word = choices; word; word = strchr(word, ' ') ? strchr(word, ' ') + 1 : NULL)
        if (length > 0 && strncmp(word, text, length) == 0 && (word[length] == ' ' || word[length] == '\0'))
            return true;
    return false;
}

static dcnn_status set_shape(const dcnn_option *option, const char *text, int shape[3]) {
    const char *next = text;
    int sides = 0;
    shape[2] = 1;
    for (bool more = true; more && sides < 3; sides++) {
        char *end;
        const long value = *next >= '0' && *next <= '9' ? strtol(next, &end, 10) : 0;
        if (value < 1 || value > 1 << 20) return refuse(option, text, "is not a shape");
        shape[sides] = (int)value;
        more = *end == 'x';
        next = more ? end + 1 : end;
        if (more && sides == 2) return refuse(option, text, "is not a shape");
    }
    return *next != '\0' || sides < 2 ? refuse(option, text, "is not a shape") : DCNN_OK;
}

dcnn_status dcnn_option_set(const dcnn_option *option, const char *text, dcnn_options *options) {
    void *at = (char *)options + option->offset;
    switch (option->type) {
    case DCNN_OPTION_FLAG:
        *(bool *)at = strcmp(text, "true") == 0;
        return DCNN_OK;
    case DCNN_OPTION_INTEGER:
    case DCNN_OPTION_REAL:
        return set_number(option, text, at);
    case DCNN_OPTION_SEED:
        return set_seed(option, text, at);
    case DCNN_OPTION_BYTES:
        return set_bytes(option, text, at);
    case DCNN_OPTION_SHAPE:
        return set_shape(option, text, at);
    case DCNN_OPTION_CHOICE:
        if (!is_choice(option->choices, text)) return refuse(option, text, "is not known");
        *(const char **)at = text;
        return DCNN_OK;
    case DCNN_OPTION_TEXT:
        if (text[0] == '\0') return refuse(option, text, "is empty");
        *(const char **)at = text;
        return DCNN_OK;
    case DCNN_OPTION_LIST: {
        dcnn_text_list *list = at;
        if (text[0] == '\0') return refuse(option, text, "is empty");
        if (list->count == DCNN_LIST_TEXTS)
            return DCNN_FAIL(DCNN_USAGE, "--%s is given more than %d times", option->name, DCNN_LIST_TEXTS);
        list->text[list->count++] = (char *)(uintptr_t)text;
        return DCNN_OK;
    }
    }
    return DCNN_OK;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

/* The row of a name; `without` tells whether it was written --no-NAME. */
static const dcnn_option *find_written(dcnn_command_id command, const char *name, bool *without) {
    const dcnn_option *option = dcnn_option_find(command, name);
    *without = false;
    if (option || strncmp(name, "no-", 3) != 0) return option;
    option = dcnn_option_find(command, name + 3);
    *without = true;
    return option && option->type == DCNN_OPTION_FLAG ? option : NULL;
}

/* What was most likely meant: the row that other programs call so; else the nearest of all names, or, behind "no-", of
 * the flags'. */
static const char *suggest(dcnn_command_id command, const char *name, bool only_flags) {
    const char *names[DCNN_MAX_OPTIONS];
    int count = 0;
    for (int i = 0; i < dcnn_option_count; i++) {
        const dcnn_option *row = &dcnn_option_table[i];
        if (!(row->commands >> command & 1) || (only_flags && row->type != DCNN_OPTION_FLAG)) continue;
        if (row->also && is_choice(row->also, name)) return row->name;
        names[count++] = row->name;
    }
    return dcnn_nearest_name(name, count, names);
}

static dcnn_status fail_unknown(dcnn_command_id command, const char *name) {
    const char *mine = dcnn_command_table[command].name;
    for (int other = 0; other < DCNN_COMMAND_COUNT; other++)
        if (dcnn_option_find((dcnn_command_id)other, name))
            return DCNN_FAIL(DCNN_USAGE, "--%s is an option of 'dcnn %s', not of 'dcnn %s' (see 'dcnn %s --help')",
                             name, dcnn_command_table[other].name, mine, mine);
    const bool negated = strncmp(name, "no-", 3) == 0;
    const char *nearest = negated ? suggest(command, name + 3, true) : NULL, *no = nearest ? "no-" : "";
    if (nearest == NULL) nearest = suggest(command, name, false);
    if (nearest)
        return DCNN_FAIL(DCNN_USAGE, "unknown option --%.60s; did you mean --%s%s? (see 'dcnn %s --help')", name, no,
                         nearest, mine);
    return DCNN_FAIL(DCNN_USAGE, "unknown option --%.60s (see 'dcnn %s --help')", name, mine);
}

/* Before getopt_long() sees them: it would take abbreviations, which break when options are added, and cannot suggest.
 */
static dcnn_status check_names(dcnn_command_id command, int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) != 0) continue;
        char name[NAME_BYTES + 32];
        const size_t length = strcspn(argv[i] + 2, "=");
        snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), argv[i] + 2);
        bool without;
        const dcnn_option *option = find_written(command, name, &without);
        if (option == NULL) return fail_unknown(command, name);
        if (option->type == DCNN_OPTION_FLAG && argv[i][2 + length] == '=')
            return DCNN_FAIL(DCNN_USAGE, "--%s takes no value: write --%s or --no-%s", name, option->name,
                             option->name);
        if (option->type != DCNN_OPTION_FLAG && argv[i][2 + length] == '\0') i++; /* the next word is its value */
    }
    return DCNN_OK;
}

/* --- the command line ------------------------------------------------------------------------------------------- */

/* What getopt_long() wants to know, made from the table. A flag has two names. */
typedef struct getopt_tables {
    struct option longs[2 * DCNN_MAX_OPTIONS + 1];
    char negative_names[DCNN_MAX_OPTIONS][NAME_BYTES];
    char letters[2 * DCNN_MAX_OPTIONS + 2];
} getopt_tables;

static void make_tables(dcnn_command_id command, getopt_tables *tables) {
    *tables = (getopt_tables){.letters = ":"};
    struct option *next = tables->longs;
    size_t letters = 1;
    for (int i = 0; i < dcnn_option_count; i++) {
        const dcnn_option *row = &dcnn_option_table[i];
        if (!(row->commands >> command & 1)) continue;
        const bool flag = row->type == DCNN_OPTION_FLAG;
        *next++ = (struct option){row->name, flag ? no_argument : required_argument, NULL, FIRST_LONG + 2 * i};
        if (flag) {
            snprintf(tables->negative_names[i], NAME_BYTES, "no-%s", row->name);
            *next++ = (struct option){tables->negative_names[i], no_argument, NULL, FIRST_LONG + 2 * i + 1};
        }
        if (row->letter) tables->letters[letters++] = row->letter;
        if (row->letter && !flag) tables->letters[letters++] = ':';
    }
}

static const dcnn_option *find_letter(dcnn_command_id command, int letter) {
    for (int i = 0; i < dcnn_option_count; i++)
        if ((dcnn_option_table[i].commands >> command & 1) && letter && dcnn_option_table[i].letter == letter)
            return &dcnn_option_table[i];
    return NULL;
}

/* One result of getopt_long(). */
static dcnn_status take(dcnn_command_id command, int code, dcnn_options *options) {
    char range[128];
    const bool missing = code == ':';
    if (missing || code == '?') code = optopt;
    const dcnn_option *option =
        code >= FIRST_LONG ? &dcnn_option_table[(code - FIRST_LONG) / 2] : find_letter(command, code);
    if (option == NULL)
        return DCNN_FAIL(DCNN_USAGE, "unknown option -%c (see 'dcnn %s --help')", code,
                         dcnn_command_table[command].name);
    if (missing) return DCNN_FAIL(DCNN_USAGE, "--%s needs a value: %s", option->name, dcnn_option_range(option, range));
    options->given[option - dcnn_option_table] = true;
    if (option->type == DCNN_OPTION_FLAG)
        return dcnn_option_set(option, code >= FIRST_LONG && (code - FIRST_LONG) % 2 == 1 ? "false" : "true", options);
    return dcnn_option_set(option, optarg, options);
}

static dcnn_status check_operands(const dcnn_command *command, const dcnn_options *options) {
    const int count = options->operand_count;
    if (count >= command->least && (command->most < 0 || count <= command->most)) return DCNN_OK;
    if (count < command->least)
        return DCNN_FAIL(DCNN_USAGE, "'dcnn %s' needs more arguments: dcnn %s %s (see 'dcnn %s --help')", command->name,
                         command->name, command->operands, command->name);
    return DCNN_FAIL(DCNN_USAGE, "'dcnn %s' does not take '%.200s': dcnn %s %s (see 'dcnn %s --help')", command->name,
                     options->operands[command->most], command->name, command->operands, command->name);
}

dcnn_status dcnn_options_parse(dcnn_command_id command, int argc, char **argv, dcnn_options *options) {
    getopt_tables tables;
    dcnn_options_default(command, options);
    DCNN_TRY(check_names(command, argc, argv));
    make_tables(command, &tables);
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    for (int code; (code = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1;)
        DCNN_TRY(take(command, code, options));
    options->operand_count = argc - optind;
    options->operands = argv + optind;
    return options->help ? DCNN_OK : check_operands(&dcnn_command_table[command], options);
}
