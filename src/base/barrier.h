/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file barrier.h — a barrier between processes, in memory that they share.
 *
 * Waiting goes in two stages: a short spin that gives the core away at each turn, for the usual case that the others
 * come within microseconds, then sleep. A sleeping wait costs no core time, which matters where ranks are more than
 * cores.
 */
#ifndef DCNN_BASE_BARRIER_H
#define DCNN_BASE_BARRIER_H

#include <stdatomic.h>
#include <stdint.h>

/** In shared memory; all zero to begin with. */
typedef struct dcnn_barrier {
    atomic_uint arrived, sleeping;
    atomic_uint round; /**< counts meetings; its change wakes those who wait */
} dcnn_barrier;

/**
 * Returns when `size` processes have called it as often as this one. What any of them wrote before is seen by all
 * after.
 * @param spins      turns before sleeping
 * @param meanwhile  called at each turn, and every now and then instead of a long sleep; or NULL
 */
void dcnn_barrier_wait(dcnn_barrier *barrier, unsigned size, int spins, void (*meanwhile)(void *), void *context);

#endif
