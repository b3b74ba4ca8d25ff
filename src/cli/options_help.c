/* SPDX-License-Identifier: BSD-3-Clause */
/* options_help.c — a command's help from the table, in 80 columns. */
#include <string.h>

#include "cli/options.h"
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
    fprintf(to, "Usage: dcnn %s [options] %s\n\n", about->name, about->operands);
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
