/* SPDX-License-Identifier: BSD-3-Clause */
/* options_help.c — a command's help from the table, in 80 columns, and what an option takes. */
#include "cli/options.h"

#include <inttypes.h>
#include <string.h>

#include "cli/wrap.h"

enum { HELP_COLUMN = 27, COLUMNS = 80, NO_LIMIT = 1000000000 /* nobody comes near it */ };

void dcnn_option_hint(const dcnn_option *option, char text[160]) {
    char range[128] = "";
    const bool number = option->type == DCNN_OPTION_INTEGER || option->type == DCNN_OPTION_REAL;
    if (number && option->high >= NO_LIMIT)
        snprintf(range, sizeof range, "%.12g or more", option->low);
    else if (number)
        snprintf(range, sizeof range, "%s%.12g to %s%.12g", option->bounds == DCNN_OPEN_LOW ? "above " : "",
                 option->low, option->bounds == DCNN_OPEN_HIGH ? "below " : "", option->high);
    const char *fallback = option->fallback;
    text[0] = '\0';
    if (option->type == DCNN_OPTION_FLAG)
        snprintf(text, 160, "%s", fallback ? "[on]" : "");
    else if (fallback && option->type != DCNN_OPTION_TEXT)
        snprintf(text, 160, "[%s%s%s]", fallback, range[0] ? "; " : "", range);
}

static void write_option(FILE *to, const dcnn_option *option) {
    char left[64], default_and_range[160], right[448], help[256];
    int length = 0;
    if (option->letter)
        length = snprintf(left, sizeof left, "  -%c, --%s", option->letter, option->name);
    else
        length = snprintf(left, sizeof left, "  --%s%s",
                          option->type == DCNN_OPTION_FLAG && option->fallback ? "[no-]" : "", option->name);
    if (option->metavar) length += snprintf(left + length, sizeof left - (size_t)length, " %s", option->metavar);
    dcnn_option_hint(option, default_and_range);
    snprintf(right, sizeof right, "%s %s", dcnn_option_help(option, help), default_and_range);
    if (length >= HELP_COLUMN)
        fprintf(to, "%s\n%*s", left, HELP_COLUMN, "");
    else
        fprintf(to, "%-*s", HELP_COLUMN, left);
    dcnn_wrap(to, COLUMNS, HELP_COLUMN, HELP_COLUMN, right);
}

bool dcnn_option_is_own(dcnn_command_id command, const dcnn_option *option) {
    const char *like = dcnn_command_table[command].like;
    if (!(option->commands >> command & 1)) return false;
    return like == NULL || !(option->commands >> dcnn_command_find(like) & 1);
}

void dcnn_options_help(dcnn_command_id command, FILE *to) {
    const dcnn_command *about = &dcnn_command_table[command];
    fprintf(to, "Usage: dcnn %s [options]%s%s\n\n", about->name, about->operands[0] ? " " : "", about->operands);
    dcnn_wrap(to, COLUMNS, 0, 0, about->details);
    const char *group = NULL;
    for (int i = 0; i < dcnn_option_count; i++) {
        const dcnn_option *option = &dcnn_option_table[i];
        if (!dcnn_option_is_own(command, option)) continue;
        if (group == NULL || strcmp(option->group, group) != 0) fprintf(to, "\n%s:\n", option->group);
        group = option->group;
        write_option(to, option);
    }
    if (about->like) fprintf(to, "\nAnd all options of dcnn %s: see 'dcnn help %s'.\n", about->like, about->like);
}

/* --- ranges ----------------------------------------------------------------------------------------------------- */

static const char *bound_text(double value, char text[32]) {
    snprintf(text, 32, value == (double)(int64_t)value ? "%.0f" : "%g", value);
    return text;
}

static void choices_text(const char *choices, char text[128]) {
    size_t used = (size_t)snprintf(text, 128, "one of ");
    for (const char *p = choices; *p && used < 120; p++) {
        if (*p == ' ') text[used++] = ',';
        text[used++] = *p;
    }
    text[used] = '\0';
}

const char *dcnn_option_range(const dcnn_option *option, char text[128]) {
    char low[32], high[32];
    switch (option->type) {
    case DCNN_OPTION_INTEGER:
    case DCNN_OPTION_REAL:
        snprintf(text, 128, "%s %s %s %s %s", option->type == DCNN_OPTION_REAL ? "a number" : "an integer",
                 option->bounds == DCNN_OPEN_LOW ? "above" : "from", bound_text(option->low, low),
                 option->bounds == DCNN_OPEN_HIGH ? "to below" : "to", bound_text(option->high, high));
        break;
    case DCNN_OPTION_SEED:
        snprintf(text, 128, "an integer from 0 to %" PRIu64, UINT64_MAX);
        break;
    case DCNN_OPTION_BYTES:
        snprintf(text, 128, "a number of bytes above 0, such as 1000, 64K, 256M, 8G or 1T");
        break;
    case DCNN_OPTION_CHOICE:
        choices_text(option->choices, text);
        break;
    case DCNN_OPTION_SHAPE:
        snprintf(text, 128, "height x width, as 28x28%s",
                 strcmp(option->metavar, "HxW") == 0 ? "" : ", or with channels, as 28x28x3");
        break;
    case DCNN_OPTION_LIST:
    case DCNN_OPTION_TEXT:
        snprintf(text, 128, "a non-empty text");
        break;
    case DCNN_OPTION_FLAG:
        snprintf(text, 128, "no value");
        break;
    }
    return text;
}
