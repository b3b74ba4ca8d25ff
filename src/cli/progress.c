/* SPDX-License-Identifier: BSD-3-Clause */
/* progress.c — the bar on a terminal. */
#include "cli/progress.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/terminal.h"

/* --- as text ---------------------------------------------------------------------------------------------------- */

/* What is told, less from one to the next; the widest that leaves room for a bar is taken. */
typedef struct level {
    const char *gap, *accuracy;
    bool speed, loss, left;
    int bar; /* its least columns; 0: none */
} level;

static const level levels[] = {{"  ", "accuracy", true, true, true, 9}, {" ", "acc", true, true, true, 5},
                               {" ", "acc", false, true, true, 5},      {" ", "acc", false, true, false, 5},
                               {" ", NULL, false, true, false, 5},      {" ", NULL, false, false, false, 4},
                               {" ", NULL, false, false, false, 0}};

static const char *time_text(double seconds, char text[32]) {
    const int64_t whole = seconds < 1e9 ? (int64_t)(seconds + 0.5) : 1000000000;
    const int hours = (int)(whole / 3600), minutes = (int)(whole / 60 % 60), rest = (int)(whole % 60);
    if (hours > 0)
        snprintf(text, 32, "%d:%02d:%02d", hours, minutes, rest);
    else
        snprintf(text, 32, "%d:%02d", minutes, rest);
    return text;
}

/* What stands before the bar and behind it; all of it ASCII, a column a byte. */
static void write_parts(const dcnn_bar *bar, const level *l, char left[64], char right[192]) {
    dcnn_number number, total;
    char time[32];
    size_t used;
    if (bar->numbers > 0)
        snprintf(left, 64, "%.20s %lld/%lld", bar->what, (long long)bar->number, (long long)bar->numbers);
    else
        snprintf(left, 64, "%.40s", bar->what);
    used = (size_t)snprintf(right, 192, "%s/%s", dcnn_number_text(bar->done, &number),
                            dcnn_number_text(bar->count, &total));
    if (l->speed && bar->images_per_s >= 0.0 && bar->images_per_s < 1e15)
        used += (size_t)snprintf(right + used, 192 - used, "%s%s images/s", l->gap,
                                 dcnn_number_text((int64_t)(bar->images_per_s + 0.5), &number));
    if (l->loss && bar->loss >= 0.0)
        used += (size_t)snprintf(right + used, 192 - used, bar->loss < 1000.0 ? "%sloss %.4f" : "%sloss %.3g", l->gap,
                                 bar->loss);
    if (l->accuracy && bar->accuracy >= 0.0)
        used += (size_t)snprintf(right + used, 192 - used, "%s%s %.2f %%", l->gap, l->accuracy, 100.0 * bar->accuracy);
    if (l->left && bar->left_s >= 0.0)
        snprintf(right + used, 192 - used, "%s%s left", l->gap, time_text(bar->left_s, time));
}

static void append(char *text, const char *more) {
    strncat(text, more, DCNN_BAR_BYTES - 1 - strlen(text));
}

static void append_line(char *text, const dcnn_bar *bar, dcnn_bar_style style, int columns) {
    const double part = bar->count > 0 ? fmin(fmax((double)bar->done / (double)bar->count, 0.0), 1.0) : 0.0;
    const int filled = (int)(part * columns);
    if (style.color) append(text, "\033[32m");
    for (int i = 0; i < columns; i++) {
        if (style.color && i == filled) append(text, "\033[90m");
        if (i < filled)
            append(text, style.utf8 ? "━" : "#");
        else
            append(text, style.utf8 ? "─" : "-");
    }
    if (style.color) append(text, "\033[0m");
}

int dcnn_bar_text(const dcnn_bar *bar, dcnn_bar_style style, char text[DCNN_BAR_BYTES]) {
    enum { LEVELS = sizeof levels / sizeof levels[0], WIDEST = 40 };
    char left[64], right[192];
    const level *l = levels;
    int room = 0;
    for (int i = 0; i < LEVELS; i++) {
        l = &levels[i];
        write_parts(bar, l, left, right);
        const int gaps = l->bar > 0 ? 2 : 1;
        room = style.columns - 1 - (int)(strlen(left) + strlen(right)) - gaps * (int)strlen(l->gap);
        if (room >= l->bar) break;
    }
    text[0] = '\0';
    if (room < l->bar) { /* not even the numbers fit */
        snprintf(text, DCNN_BAR_BYTES, "%.*s", style.columns > 1 ? style.columns - 1 : 0, right);
        return (int)strlen(text);
    }
    const int line = l->bar == 0 ? 0 : room < WIDEST ? room : WIDEST;
    append(text, left);
    append(text, l->gap);
    if (line > 0) {
        append_line(text, bar, style, line);
        append(text, l->gap);
    }
    append(text, right);
    return (int)(strlen(left) + strlen(right) + (line > 0 ? 2 : 1) * strlen(l->gap)) + line;
}

/* --- on the terminal -------------------------------------------------------------------------------------------- */

static struct {
    bool on;
    dcnn_terminal terminal; /* if on */
    bool utf8, color;
    double next_s; /* not to be drawn before */
    int drawn;     /* columns that the bar takes now; 0: it is not there */
} screen;

/* The user's own, whatever the program's locale is. */
static bool speaks_utf8(void) {
    locale_t user = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (user == (locale_t)0) return false;
    const bool utf8 = strcmp(nl_langinfo_l(CODESET, user), "UTF-8") == 0;
    freelocale(user);
    return utf8;
}

void dcnn_bar_begin(bool quiet, double delay_s) {
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    dcnn_bar_end();
    if (quiet || term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0) return;
    screen.terminal = dcnn_terminal_open();
    screen.on = screen.terminal.descriptor >= 0;
    screen.utf8 = screen.on && speaks_utf8();
    screen.color = no_color == NULL || no_color[0] == '\0';
    screen.next_s = dcnn_now_s() + delay_s;
}

/* Writes what takes the present bar away. Terminals wrap a line again when they become narrower: then it takes several
 * lines, and the cursor is in the last one. */
static void write_erasure(char text[32], int columns) {
    const int rows = (screen.drawn - 1) / columns;
    if (screen.drawn > 0 && rows > 0)
        snprintf(text, 32, "\r\033[%dA\033[J", rows);
    else
        snprintf(text, 32, "\r\033[K");
}

void dcnn_bar_draw(const dcnn_bar *bar) {
    enum { REDRAWS_PER_S = 10 };
    if (!screen.on) return;
    const double now_s = dcnn_now_s();
    if (now_s < screen.next_s) return;
    screen.next_s = now_s + 1.0 / REDRAWS_PER_S;
    char text[DCNN_BAR_BYTES], erasure[32];
    const dcnn_bar_style style = {dcnn_terminal_columns(&screen.terminal), screen.utf8, screen.color};
    write_erasure(erasure, style.columns);
    screen.drawn = dcnn_bar_text(bar, style, text);
    fprintf(stderr, "%s%s", erasure, text);
}

void dcnn_bar_count(void *what, int64_t done, int64_t count) {
    const dcnn_bar bar = {
        .what = what, .done = done, .count = count, .images_per_s = -1, .loss = -1, .accuracy = -1, .left_s = -1};
    dcnn_bar_draw(&bar);
}

void dcnn_bar_clear(void) {
    if (screen.drawn == 0) return;
    char erasure[32];
    write_erasure(erasure, dcnn_terminal_columns(&screen.terminal));
    screen.drawn = 0;
    fputs(erasure, stderr);
}

void dcnn_bar_end(void) {
    const struct timespec moment = {.tv_nsec = 20000000};
    const bool drawn = screen.drawn > 0;
    dcnn_bar_clear();
    if (!screen.on) return;
    if (drawn && screen.terminal.relayed) nanosleep(&moment, NULL);
    dcnn_terminal_close(&screen.terminal);
    screen.on = false;
}
