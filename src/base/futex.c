/* SPDX-License-Identifier: BSD-3-Clause */
/* futex.c — see futex.h; sleeping and waking are Linux futexes. */
#include "base/futex.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

unsigned dcnn_futex_wait(atomic_uint *word, unsigned known) {
    unsigned value;
    while ((value = atomic_load(word)) == known) /* a signal ends the sleep, too */
        syscall(SYS_futex, word, FUTEX_WAIT, known, NULL, NULL, 0);
    return value;
}

bool dcnn_futex_wait_for(atomic_uint *word, unsigned known, long microseconds) {
    const struct timespec time = {.tv_nsec = 1000 * microseconds};
    if (atomic_load(word) == known) syscall(SYS_futex, word, FUTEX_WAIT, known, &time, NULL, 0);
    return atomic_load(word) != known;
}

void dcnn_futex_wake(atomic_uint *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
