/* signals.c — see signals.h. */
#include "run/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static const struct {
    int number;
    const char *name;
} wanted[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"}};

/* A launcher may send one signal twice (to the process group and through its daemon): only another signal, or SIGINT
 * typed again, means "at once". */
static void note(int number) {
    if (caught != 0 && (number == SIGINT || number != caught)) _exit(128 + number);
    caught = number;
}

void dcnn_signals_catch(void) {
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) sigaction(wanted[i].number, &action, NULL);
}

int dcnn_signals_caught(void) {
    return caught;
}

const char *dcnn_signal_name(int number) {
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (wanted[i].number == number) return wanted[i].name;
    return "a signal";
}
