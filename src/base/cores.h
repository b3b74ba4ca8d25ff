/* SPDX-License-Identifier: BSD-3-Clause */
/** @file cores.h — the cores that this process may use. */
#ifndef DCNN_BASE_CORES_H
#define DCNN_BASE_CORES_H

/** Cores that the calling thread may run on, by its affinity; 1 where the system does not say. *Local.* */
int dcnn_cores(void);

#endif
