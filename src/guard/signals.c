/* SPDX-License-Identifier: BSD-3-Clause */
/* signals.c — see signals.h. */
#include "guard/signals.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/status.h"
#include "io/mapped.h"

static volatile sig_atomic_t caught;
static volatile int64_t caught_ms; /* when */
static atomic_int *shared;         /* or NULL: where other processes look */
static time_t deadline;            /* 0: none */

static const struct {
    int number;
    const char *name;
} wanted[] = {{SIGTERM, "SIGTERM"},
              {SIGINT, "SIGINT"},
              {SIGUSR1, "SIGUSR1"},
              {SIGUSR2, "SIGUSR2"},
              {DCNN_SIGNAL_DEADLINE, "the job's time limit"}};

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void note(int number) {
    if (caught == 0) {
        caught_ms = now_ms();
        caught = number;
        if (shared) atomic_store(shared, number);
    } else if ((number == SIGINT && caught == SIGINT) || now_ms() - caught_ms > 1000) {
        _exit(128 + number);
    }
}

void dcnn_signals_share(atomic_int *place) {
    shared = place;
}

void dcnn_signals_leave(void) {
    shared = NULL;
    if (caught != 0) signal(SIGTERM, SIG_IGN);
}

void dcnn_signals_catch(void) {
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (wanted[i].number != DCNN_SIGNAL_DEADLINE) sigaction(wanted[i].number, &action, NULL);
}

/* Another program has cut a file that is mapped, or its disk fails: what is gone can be read by nobody. */
static void end_for_file(int number, siginfo_t *about, void *context) {
    static const char before[] = "dcnn: ", behind[] = ": became shorter, or unreadable, while it was being read; try "
                                                      "again\n";
    const char *path = dcnn_mapped_find(about->si_addr);
    (void)context;
    if (path == NULL) { /* not of a file: the same instruction again ends the process as before */
        signal(number, SIG_DFL);
        return;
    }
    if (write(STDERR_FILENO, before, sizeof before - 1) < 0 || write(STDERR_FILENO, path, strlen(path)) < 0 ||
        write(STDERR_FILENO, behind, sizeof behind - 1) < 0)
        _exit(DCNN_FAILURE); /* there is nowhere to say it */
    _exit(DCNN_FAILURE);
}

void dcnn_signals_tell_cut_files(void) {
    struct sigaction action = {.sa_sigaction = end_for_file, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

int64_t dcnn_signals_watch_deadline(int64_t margin_s) {
    const char *text = getenv("SLURM_JOB_END_TIME");
    const int64_t now = (int64_t)time(NULL), end = text ? atoll(text) : 0;
    deadline = 0;
    if (end <= now || margin_s == 0) return -1;
    const int64_t quarter = (end - now) / 4;
    deadline = (time_t)(end - (margin_s < quarter ? margin_s : quarter));
    return (int64_t)deadline - now;
}

int dcnn_signals_caught(void) {
    if (caught == 0 && shared && atomic_load(shared) != 0) return atomic_load(shared);
    if (caught == 0 && deadline != 0 && time(NULL) >= deadline) return DCNN_SIGNAL_DEADLINE;
    return caught;
}

const char *dcnn_signal_name(int number) {
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (wanted[i].number == number) return wanted[i].name;
    return "a signal";
}
