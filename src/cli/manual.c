/* SPDX-License-Identifier: BSD-3-Clause */
/* manual.c — man pages (man(7) macros) and shell completions from the tables of commands and options. */
#include "cli/manual.h"

#include <ctype.h>
#include <string.h>

#include "cli/options.h"

#define RELEASED "2026-11-25" /* the pages' date: that of the text, so that a build can be repeated */

static bool has_option(int command, const dcnn_option *option) {
    return (option->commands >> command & 1) != 0;
}

/* --- man pages -------------------------------------------------------------------------------------------------- */

/* A text as roff: hyphens that are typed, no escapes, no requests. */
static void put_roff(FILE *to, const char *text) {
    if (*text == '.' || *text == '\'') fputs("\\&", to);
    for (; *text; text++) {
        if (*text == '-' || *text == '\\') fputc('\\', to);
        fputc(*text == '\\' ? 'e' : *text, to);
    }
}

static void put_upper(FILE *to, const char *text) {
    for (; *text; text++) fputc(toupper((unsigned char)*text), to);
}

static void put_option(FILE *to, const dcnn_option *option) {
    char hint[160], help[256];
    dcnn_option_hint(option, hint);
    fputs(".TP\n", to);
    if (option->letter) fprintf(to, "\\fB\\-%c\\fR, ", option->letter);
    fputs("\\fB\\-\\-", to);
    if (option->type == DCNN_OPTION_FLAG && option->fallback) fputs("\\fR[\\fBno\\-\\fR]\\fB", to);
    put_roff(to, option->name);
    fputs("\\fR", to);
    if (option->metavar) fprintf(to, " \\fI%s\\fR", option->metavar);
    fputc('\n', to);
    put_roff(to, dcnn_option_help(option, help));
    if (option->choices) fprintf(to, " (one of: %s)", option->choices);
    if (hint[0]) fputc(' ', to);
    put_roff(to, hint);
    fputc('\n', to);
}

static void put_exit_codes(FILE *to) {
    static const char *const codes[][2] = {
        {"0", "done"},
        {"1", "failure"},
        {"2", "usage"},
        {"3", "bad input"},
        {"4", "the training diverged"},
        {"75", "stopped early with a good checkpoint: start again with \\-\\-resume"}};
    fputs(".SH EXIT STATUS\n", to);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) fprintf(to, ".TP\n%s\n%s\n", codes[i][0], codes[i][1]);
}

static void put_command_page(FILE *to, int command) {
    const dcnn_command *about = &dcnn_command_table[command];
    const char *group = "";
    fputs(".TH DCNN\\-", to);
    put_upper(to, about->name);
    fprintf(to, " 1 " RELEASED " \"dcnn " DCNN_VERSION "\" \"User Commands\"\n.SH NAME\ndcnn\\-%s \\- ", about->name);
    put_roff(to, about->summary);
    fprintf(to, "\n.SH SYNOPSIS\n.B dcnn %s\n[options]%s", about->name, about->operands[0] ? " " : "");
    put_roff(to, about->operands);
    fputs("\n.SH DESCRIPTION\n", to);
    put_roff(to, about->details);
    fputs("\n.SH OPTIONS\n", to);
    for (int i = 0; i < dcnn_option_count; i++) {
        const dcnn_option *option = &dcnn_option_table[i];
        if (!has_option(command, option)) continue;
        if (strcmp(option->group, group) != 0) fprintf(to, ".SS %s\n", option->group);
        group = option->group;
        put_option(to, option);
    }
    put_exit_codes(to);
    fputs(".SH SEE ALSO\n.BR dcnn (1)\n", to);
}

static void put_program_page(FILE *to) {
    fputs(".TH DCNN 1 " RELEASED " \"dcnn " DCNN_VERSION "\" \"User Commands\"\n.SH NAME\n"
          "dcnn \\- train convolutional networks, data\\-parallel on CPUs\n.SH SYNOPSIS\n.B dcnn\n"
          ".I COMMAND\n[options] ...\n.SH DESCRIPTION\n"
          "Trains convolutional networks on one machine or, started by mpirun or srun, on many: the same run gives\n"
          "the same bits on any number of ranks.\nResults go to standard output, all else to standard error.\n"
          "Where standard error is a terminal, or mpirun on this machine passes it on to one (not with\n"
          ".BR \\-\\-tag\\-output ),\na bar shows how far long work is; elsewhere there is one line an epoch.\n"
          ".SH COMMANDS\n",
          to);
    for (int i = 0; i < DCNN_COMMAND_COUNT; i++) {
        fprintf(to, ".TP\n.BR dcnn\\-%s (1)\n", dcnn_command_table[i].name);
        put_roff(to, dcnn_command_table[i].summary);
        fputc('\n', to);
    }
    fputs(".TP\n\\fBdcnn help \\-\\-completion\\fR \\fISHELL\\fR\nwrites the completion for bash, zsh or fish\n"
          ".SH ENVIRONMENT\n"
          ".TP\n.B NO_COLOR\nno colours on the terminal\n"
          ".TP\n.B TERM\nno bar if it is dumb\n"
          ".TP\n.B DCNN_DATA\nfolder of the embedded digits and models, instead of the installed one\n",
          to);
    put_exit_codes(to);
}

void dcnn_manual_page(int command, FILE *to) {
    if (command < 0)
        put_program_page(to);
    else
        put_command_page(to, command);
}

/* --- completions ------------------------------------------------------------------------------------------------ */

static void put_commands(FILE *to) {
    for (int i = 0; i < DCNN_COMMAND_COUNT; i++) fprintf(to, "%s ", dcnn_command_table[i].name);
    fputs("help", to);
}

static void put_bash(FILE *to) {
    fputs("# bash completion of dcnn, made from its table of options: dcnn help --completion bash\n"
          "_dcnn() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=\n"
          "    COMPREPLY=()\n"
          "    if ((COMP_CWORD == 1)) || [[ $before == help ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"",
          to);
    put_commands(to);
    fputs(" --help --version\" -- \"$word\")\n        return\n    fi\n    case \"${COMP_WORDS[1]} $before\" in\n", to);
    for (int command = 0; command < DCNN_COMMAND_COUNT; command++)
        for (int i = 0; i < dcnn_option_count; i++) {
            const dcnn_option *option = &dcnn_option_table[i];
            if (has_option(command, option) && option->choices)
                fprintf(to, "    \"%s --%s\") words='%s' ;;\n", dcnn_command_table[command].name, option->name,
                        option->choices);
        }
    fputs("    esac\n    if [[ -z $words && $word == -* ]]; then\n        case ${COMP_WORDS[1]} in\n", to);
    for (int command = 0; command < DCNN_COMMAND_COUNT; command++) {
        fprintf(to, "        %s) words='", dcnn_command_table[command].name);
        for (int i = 0; i < dcnn_option_count; i++) {
            const dcnn_option *option = &dcnn_option_table[i];
            if (!has_option(command, option)) continue;
            fprintf(to, " --%s", option->name);
            if (option->type == DCNN_OPTION_FLAG && option->fallback) fprintf(to, " --no-%s", option->name);
        }
        fputs("' ;;\n", to);
    }
    fputs("        esac\n    fi\n    if [[ -n $words ]]; then mapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
          "\"$word\"); fi\n}\n"
          "complete -o default -F _dcnn dcnn\n",
          to);
}

/* Within single quotes, and without what _arguments reads itself. */
static void put_quoted(FILE *to, const char *text, bool zsh) {
    for (; *text; text++) {
        if (*text == '\'')
            fputs(zsh ? "'\\''" : "\\'", to);
        else if (zsh && strchr("[]:", *text))
            fprintf(to, "\\%c", *text);
        else
            fputc(*text, to);
    }
}

static void put_zsh_option(FILE *to, const char *dashes, const char *name, const dcnn_option *option) {
    char help[256];
    fprintf(to, "            '%s%s[", dashes, name);
    put_quoted(to, dcnn_option_help(option, help), true);
    fputc(']', to);
    if (option->metavar) {
        fputc(':', to);
        put_quoted(to, option->metavar, true);
        if (option->choices)
            fprintf(to, ":(%s)", option->choices);
        else
            fputs(option->type == DCNN_OPTION_TEXT || option->type == DCNN_OPTION_LIST ? ":_files" : ":", to);
    }
    fputs("' \\\n", to);
}

static void put_zsh(FILE *to) {
    fputs("#compdef dcnn\n# made from the table of options of dcnn: dcnn help --completion zsh\n_dcnn() {\n"
          "    if ((CURRENT == 2)) || [[ $words[2] == help ]]; then\n        compadd -- ",
          to);
    put_commands(to);
    fputs(" --help --version\n        return\n    fi\n    local command=$words[2]\n    shift words\n    ((CURRENT--))\n"
          "    case $command in\n",
          to);
    for (int command = 0; command < DCNN_COMMAND_COUNT; command++) {
        fprintf(to, "    %s)\n        _arguments \\\n", dcnn_command_table[command].name);
        for (int i = 0; i < dcnn_option_count; i++) {
            const dcnn_option *option = &dcnn_option_table[i];
            const char letter[] = {option->letter, '\0'};
            if (!has_option(command, option)) continue;
            put_zsh_option(to, "--", option->name, option);
            if (option->letter) put_zsh_option(to, "-", letter, option);
            if (option->type == DCNN_OPTION_FLAG && option->fallback) put_zsh_option(to, "--no-", option->name, option);
        }
        fputs("            '*:file:_files'\n        ;;\n", to);
    }
    fputs("    esac\n}\n_dcnn \"$@\"\n", to);
}

static void put_fish_option(FILE *to, int command, const char *prefix, const dcnn_option *option) {
    char help[256];
    fprintf(to, "complete -c dcnn -n '__fish_seen_subcommand_from %s' -l %s%s", dcnn_command_table[command].name,
            prefix, option->name);
    if (option->letter) fprintf(to, " -s %c", option->letter);
    if (option->choices)
        fprintf(to, " -x -a '%s'", option->choices);
    else if (option->metavar)
        fputs(option->type == DCNN_OPTION_TEXT || option->type == DCNN_OPTION_LIST ? " -r -F" : " -x", to);
    fputs(" -d '", to);
    put_quoted(to, dcnn_option_help(option, help), false);
    fputs("'\n", to);
}

static void put_fish(FILE *to) {
    fputs("# fish completion of dcnn, made from its table of options: dcnn help --completion fish\n"
          "complete -c dcnn -n __fish_use_subcommand -f -a help -d 'options of a command'\n"
          "complete -c dcnn -n '__fish_seen_subcommand_from help' -f -a '",
          to);
    put_commands(to);
    fputs("'\n", to);
    for (int command = 0; command < DCNN_COMMAND_COUNT; command++) {
        fprintf(to, "complete -c dcnn -n __fish_use_subcommand -f -a %s -d '", dcnn_command_table[command].name);
        put_quoted(to, dcnn_command_table[command].summary, false);
        fputs("'\n", to);
        for (int i = 0; i < dcnn_option_count; i++) {
            const dcnn_option *option = &dcnn_option_table[i];
            if (!has_option(command, option)) continue;
            put_fish_option(to, command, "", option);
            if (option->type == DCNN_OPTION_FLAG && option->fallback) put_fish_option(to, command, "no-", option);
        }
    }
}

dcnn_status dcnn_completion(const char *shell, FILE *to) {
    if (strcmp(shell, "bash") == 0)
        put_bash(to);
    else if (strcmp(shell, "zsh") == 0)
        put_zsh(to);
    else if (strcmp(shell, "fish") == 0)
        put_fish(to);
    else
        return DCNN_FAIL(DCNN_USAGE, "no completion for '%.60s': there are bash, zsh and fish", shell);
    return DCNN_OK;
}
