/* SPDX-License-Identifier: BSD-3-Clause */
/** @file clock.h — monotonic time. */
#ifndef DCNN_BASE_CLOCK_H
#define DCNN_BASE_CLOCK_H

#include <time.h>

/** Seconds since some fixed moment; never goes back. *Local.* */
static inline double dcnn_now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
