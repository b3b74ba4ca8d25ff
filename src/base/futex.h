/* SPDX-License-Identifier: BSD-3-Clause */
/** @file futex.h — processes sleep on a word in memory that they share, until another one changes it. */
#ifndef DCNN_BASE_FUTEX_H
#define DCNN_BASE_FUTEX_H

#include <stdatomic.h>
#include <stdbool.h>

/** Sleeps as long as the word is `known`; what its writer wrote before is seen after. @return the word */
unsigned dcnn_futex_wait(atomic_uint *word, unsigned known);

/** The same for so many microseconds, about. @return whether the word has changed */
bool dcnn_futex_wait_for(atomic_uint *word, unsigned known, long microseconds);

/** Wakes who sleeps on a word that has just been changed. */
void dcnn_futex_wake(atomic_uint *word);

#endif
