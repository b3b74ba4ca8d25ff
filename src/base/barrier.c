/* barrier.c — see barrier.h; sleep and waking are Linux futexes. */
#include "base/barrier.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sleeps unless the word has changed already; returns early on a signal, so callers look again. */
static void sleep_while(atomic_uint *word, unsigned value) {
    syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void wake_all(atomic_uint *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void dcnn_barrier_wait(dcnn_barrier *barrier, unsigned size, int spins) {
    const unsigned round = atomic_load(&barrier->round);
    if (atomic_fetch_add(&barrier->arrived, 1u) + 1u == size) {
        atomic_store(&barrier->arrived, 0u);
        atomic_fetch_add(&barrier->round, 1u);
        if (atomic_load(&barrier->sleeping) > 0) wake_all(&barrier->round);
        return;
    }
    for (int spin = 0; spin < spins && atomic_load(&barrier->round) == round; spin++) sched_yield();
    if (atomic_load(&barrier->round) != round) return;
    atomic_fetch_add(&barrier->sleeping, 1u);
    while (atomic_load(&barrier->round) == round) sleep_while(&barrier->round, round);
    atomic_fetch_sub(&barrier->sleeping, 1u);
}
