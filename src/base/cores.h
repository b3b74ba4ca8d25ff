/* SPDX-License-Identifier: BSD-3-Clause */
/** @file cores.h — the cores that this process may use, and which memory they are near to. */
#ifndef DCNN_BASE_CORES_H
#define DCNN_BASE_CORES_H

#include <stdbool.h>

/** Cores that the calling thread may run on, by its affinity; 1 where the system does not say. *Local.* */
int dcnn_cores(void);

/** What neighbouring cores of a machine have in common, from the smallest to the largest. */
typedef enum dcnn_near {
    DCNN_NEAR_NUMA,   /**< a NUMA domain: memory */
    DCNN_NEAR_SOCKET, /**< a socket: memory of all its NUMA domains */
    DCNN_NEARS
} dcnn_near;

/** Which of these the calling thread may run on. *Local.* @param root  "", or a made-up machine's (tests) @return its
 * number; -1: on several, or the system does not say */
int dcnn_cores_near(const char *root, dcnn_near near);

/** Has the machine several of these? *Local.* */
bool dcnn_cores_have_several(const char *root, dcnn_near near);

#endif
