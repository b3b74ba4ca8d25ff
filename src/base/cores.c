/* SPDX-License-Identifier: BSD-3-Clause */
/* cores.c — see cores.h. */
#include "base/cores.h"

#include <sched.h>

int dcnn_cores(void) {
    cpu_set_t mask;
    return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 1;
}
