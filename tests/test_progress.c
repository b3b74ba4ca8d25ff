/* SPDX-License-Identifier: BSD-3-Clause */
/* test_progress.c — the bar: as text at every width, and on a terminal (a pseudo-terminal) as a user would see it. */
#include "testing.h"

#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/progress.h"

static const dcnn_bar training = {"epoch", 3, 15, 118, 237, 7470.4, 0.04123, 0.98765, 2.4};

/* Columns that a text takes: escape sequences none, a UTF-8 character one. */
static int columns_of(const char *text) {
    int columns = 0;
    for (; *text; text++)
        if (*text == '\033')
            while (*text != 'm') text++;
        else
            columns += ((unsigned char)*text & 0xC0) != 0x80;
    return columns;
}

/* --- as text ---------------------------------------------------------------------------------------------------- */

static void expect_text(const dcnn_bar *bar, int columns, const char *expected) {
    char text[DCNN_BAR_BYTES];
    const int used = dcnn_bar_text(bar, (dcnn_bar_style){columns, false, false}, text);
    assert_string_equal(text, expected);
    assert_int_equal(used, (int)strlen(expected));
}

static void what_fits_is_told(void **state) {
    (void)state;
    expect_text(&training, 200,
                "epoch 3/15  ###################---------------------  118/237  7,470 images/s  loss 0.0412  "
                "accuracy 98.77 %  0:02 left");
    expect_text(&training, 80, "epoch 3/15 #####------ 118/237 7,470 images/s loss 0.0412 acc 98.77 % 0:02 left");
    expect_text(&training, 60, "epoch 3/15 ##---- 118/237 loss 0.0412 acc 98.77 % 0:02 left");
    expect_text(&training, 20, "epoch 3/15 118/237");
    expect_text(&training, 10, "118/237");
    expect_text(&training, 5, "118/");
    expect_text(&training, 0, "");
}

static void what_is_unknown_is_left_out(void **state) {
    (void)state;
    const dcnn_bar evaluating = {"evaluating", 0, 0, 1000, 4200, -1, -1, -1, -1};
    expect_text(&evaluating, 80, "evaluating  #########-------------------------------  1,000/4,200");
    dcnn_bar bar = training;
    bar.loss = (double)NAN;
    bar.left_s = (double)INFINITY;
    char text[DCNN_BAR_BYTES];
    dcnn_bar_text(&bar, (dcnn_bar_style){200, false, false}, text);
    assert_null(strstr(text, "loss"));
    assert_non_null(strstr(text, "accuracy 98.77 %"));
    bar = (dcnn_bar){"epoch", INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, 1e300, 1e300, 1, 1e300};
    for (int columns = 0; columns < 400; columns++)
        assert_true(dcnn_bar_text(&bar, (dcnn_bar_style){columns, true, true}, text) < (columns > 1 ? columns : 1));
}

static void every_width_is_kept(void **state) {
    (void)state;
    for (int columns = 1; columns <= 300; columns++)
        for (int style = 0; style < 4; style++)
            for (int64_t done = 0; done <= 237; done += 79) {
                char text[DCNN_BAR_BYTES];
                dcnn_bar bar = training;
                bar.done = done;
                const int used = dcnn_bar_text(&bar, (dcnn_bar_style){columns, style & 1, style >> 1}, text);
                assert_int_equal(used, columns_of(text));
                assert_true(used < columns);
                if (!(style >> 1)) assert_null(strchr(text, '\033'));
                if (!(style & 1)) assert_null(strstr(text, "━"));
            }
}

/* --- on a terminal ---------------------------------------------------------------------------------------------- */

/* A pseudo-terminal in place of standard error, and what was written to it. */
typedef struct screen {
    int master, saved_stderr;
    char text[1 << 16];
} screen;

static void resize(const screen *s, int columns) {
    const struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    assert_int_equal(ioctl(s->master, TIOCSWINSZ, &size), 0);
}

static void put_stderr(screen *s, int descriptor) {
    fflush(stderr);
    s->saved_stderr = dup(STDERR_FILENO);
    assert_true(s->saved_stderr >= 0 && dup2(descriptor, STDERR_FILENO) == STDERR_FILENO);
    close(descriptor);
    assert_int_equal(fcntl(s->master, F_SETFL, O_NONBLOCK), 0);
}

static void open_screen(screen *s, int columns) {
    s->master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(s->master >= 0 && grantpt(s->master) == 0 && unlockpt(s->master) == 0);
    const int slave = open(ptsname(s->master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    resize(s, columns);
    put_stderr(s, slave);
}

/* A pipe instead, as when a job's output goes to a file or another program. */
static void open_pipe(screen *s) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    s->master = ends[0];
    put_stderr(s, ends[1]);
}

static const char *read_screen(screen *s) {
    size_t used = 0;
    ssize_t got;
    while ((got = read(s->master, s->text + used, sizeof s->text - 1 - used)) > 0) used += (size_t)got;
    s->text[used] = '\0';
    return s->text;
}

static void close_screen(screen *s) {
    dcnn_bar_end();
    assert_true(dup2(s->saved_stderr, STDERR_FILENO) == STDERR_FILENO);
    close(s->saved_stderr);
    close(s->master);
}

static void wait_for_redraw(void) {
    const struct timespec pause = {.tv_nsec = 101000000};
    nanosleep(&pause, NULL);
}

static int set_up(void **state) {
    (void)state;
    unsetenv("NO_COLOR");
    unsetenv("OMPI_COMM_WORLD_RANK");
    return setenv("TERM", "xterm-256color", 1) || setenv("LC_ALL", "C.UTF-8", 1);
}

/* What a terminal of 80 columns shows after dcnn_bar_begin() and one drawing. */
static const char *first_drawing(screen *s, bool quiet) {
    open_screen(s, 80);
    dcnn_bar_begin(quiet, 0);
    dcnn_bar_draw(&training);
    return read_screen(s);
}

static void colours_and_letters_as_the_terminal_has(void **state) {
    (void)state;
    screen s;
    assert_string_equal(first_drawing(&s, false), "\r\033[Kepoch 3/15 \033[32m━━━━━\033[90m──────\033[0m 118/237 "
                                                  "7,470 images/s loss 0.0412 acc 98.77 % 0:02 left");
    close_screen(&s);
    setenv("NO_COLOR", "1", 1);
    assert_string_equal(first_drawing(&s, false),
                        "\r\033[Kepoch 3/15 ━━━━━────── 118/237 7,470 images/s loss 0.0412 acc 98.77 % 0:02 left");
    close_screen(&s);
    setenv("LC_ALL", "C", 1);
    assert_string_equal(first_drawing(&s, false),
                        "\r\033[Kepoch 3/15 #####------ 118/237 7,470 images/s loss 0.0412 acc 98.77 % 0:02 left");
    close_screen(&s);
}

static void silence_where_none_can_be_shown(void **state) {
    (void)state;
    screen s;
    assert_string_equal(first_drawing(&s, true), "");
    close_screen(&s);
    static const char *const terminals[] = {"dumb", ""};
    for (size_t i = 0; i < 2; i++) {
        setenv("TERM", terminals[i], 1);
        assert_string_equal(first_drawing(&s, false), "");
        close_screen(&s);
    }
    unsetenv("TERM");
    assert_string_equal(first_drawing(&s, false), "");
    close_screen(&s);
    set_up(NULL);
    open_pipe(&s);
    dcnn_bar_begin(false, 0);
    dcnn_bar_draw(&training);
    dcnn_bar_end();
    assert_string_equal(read_screen(&s), "");
    close_screen(&s);
}

static int count_of(const char *text, const char *word) {
    int count = 0;
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) count++;
    return count;
}

static void ten_times_a_second_at_most(void **state) {
    (void)state;
    screen s;
    open_screen(&s, 80);
    dcnn_bar_begin(false, 0);
    const double end_s = dcnn_now_s() + 0.55;
    int64_t calls = 0;
    while (dcnn_now_s() < end_s) {
        dcnn_bar_draw(&training);
        calls++;
    }
    const int drawn = count_of(read_screen(&s), "epoch 3/15");
    assert_true(calls > 1000);
    assert_in_range(drawn, 2, 6);
    close_screen(&s);
}

/* This process's own: what others do on the machine is no part of it. */
static double cpu_time_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Ten drawings a second, and a look at the clock after each step, of which there may be a thousand a second. */
static void it_costs_under_half_a_percent(void **state) {
    (void)state;
    enum { DRAWINGS = 4, LOOKS = 100000 };
    screen s;
    double drawing_s = 0;
    open_screen(&s, 200);
    dcnn_bar_begin(false, 0);
    for (int i = 0; i < DRAWINGS; i++) {
        const double before_s = cpu_time_s();
        dcnn_bar_draw(&training);
        drawing_s += (cpu_time_s() - before_s) / DRAWINGS;
        wait_for_redraw();
    }
    dcnn_bar_draw(&training);
    const double before_s = cpu_time_s();
    for (int i = 0; i < LOOKS; i++) dcnn_bar_draw(&training);
    const double look_s = (cpu_time_s() - before_s) / LOOKS, share = 10 * drawing_s + 1000 * look_s;
    assert_int_equal(count_of(read_screen(&s), "epoch 3/15") >= DRAWINGS, true);
    close_screen(&s);
    printf("a drawing takes %.1f us, a look at the clock %.0f ns: %.3f %% of the time\n", 1e6 * drawing_s, 1e9 * look_s,
           100 * share);
    assert_true(share < 0.005);
}

static void a_short_work_needs_no_bar(void **state) {
    (void)state;
    screen s;
    open_screen(&s, 80);
    dcnn_bar_begin(false, 0.05);
    dcnn_bar_draw(&training);
    assert_string_equal(read_screen(&s), "");
    wait_for_redraw();
    dcnn_bar_draw(&training);
    assert_true(count_of(read_screen(&s), "118/237") == 1);
    dcnn_bar_clear();
    assert_string_equal(read_screen(&s), "\r\033[K");
    dcnn_bar_clear(); /* it is gone already */
    assert_string_equal(read_screen(&s), "");
    close_screen(&s);
}

/* A bar of 110 columns wraps to six lines of 20: all of them are taken away. */
static void resizes_leave_nothing_behind(void **state) {
    (void)state;
    screen s;
    open_screen(&s, 200);
    dcnn_bar_begin(false, 0);
    dcnn_bar_draw(&training);
    const int wide = columns_of(strchr(read_screen(&s), 'K') + 1);
    assert_int_equal(wide, 119);
    resize(&s, 20);
    wait_for_redraw();
    dcnn_bar_draw(&training);
    assert_string_equal(read_screen(&s), "\r\033[5A\033[Jepoch 3/15 118/237");
    resize(&s, 80);
    wait_for_redraw();
    dcnn_bar_draw(&training);
    assert_true(strncmp(read_screen(&s), "\r\033[Kepoch 3/15 ", 15) == 0);
    resize(&s, 40);
    dcnn_bar_clear();
    assert_string_equal(read_screen(&s), "\r\033[1A\033[J");
    close_screen(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_told),
        cmocka_unit_test(what_is_unknown_is_left_out),
        cmocka_unit_test(every_width_is_kept),
        cmocka_unit_test_setup(colours_and_letters_as_the_terminal_has, set_up),
        cmocka_unit_test_setup(silence_where_none_can_be_shown, set_up),
        cmocka_unit_test_setup(ten_times_a_second_at_most, set_up),
        cmocka_unit_test_setup(it_costs_under_half_a_percent, set_up),
        cmocka_unit_test_setup(a_short_work_needs_no_bar, set_up),
        cmocka_unit_test_setup(resizes_leave_nothing_behind, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
