/* SPDX-License-Identifier: BSD-3-Clause */
/* barrier.c — see barrier.h. */
#include "base/barrier.h"

#include <sched.h>

#include "base/futex.h"

enum { NAP_US = 100 };

void dcnn_barrier_wait(dcnn_barrier *barrier, unsigned size, int spins, void (*meanwhile)(void *), void *context) {
    const unsigned round = atomic_load(&barrier->round);
    if (atomic_fetch_add(&barrier->arrived, 1u) + 1u == size) {
        atomic_store(&barrier->arrived, 0u);
        atomic_fetch_add(&barrier->round, 1u);
        if (atomic_load(&barrier->sleeping) > 0) dcnn_futex_wake(&barrier->round);
        return;
    }
    for (int spin = 0; spin < spins && atomic_load(&barrier->round) == round; spin++) {
        if (meanwhile) meanwhile(context);
        sched_yield();
    }
    if (atomic_load(&barrier->round) != round) return;
    atomic_fetch_add(&barrier->sleeping, 1u);
    while (meanwhile && !dcnn_futex_wait_for(&barrier->round, round, NAP_US)) meanwhile(context);
    (void)dcnn_futex_wait(&barrier->round, round);
    atomic_fetch_sub(&barrier->sleeping, 1u);
}
