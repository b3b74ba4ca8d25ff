/* SPDX-License-Identifier: BSD-3-Clause */
/** @file free_memory.h — how much memory may still be taken, before it is taken. */
#ifndef DCNN_GUARD_FREE_MEMORY_H
#define DCNN_GUARD_FREE_MEMORY_H

#include <stdint.h>

/** Memory that is left, and what bounds it. */
typedef struct dcnn_free_memory {
    uint64_t bytes;       /**< UINT64_MAX: not known */
    const char *bound_by; /**< "the machine's free memory", "the memory limit of this job or container", … */
} dcnn_free_memory;

/**
 * The least of: what Linux says is available (the page cache counts as free), what the limits of this process' control
 * groups leave (version 1 or 2; container, Slurm's --mem), and its own limit of address space (ulimit -v). *Local.*
 * @param root  "", or a folder in which proc/ and sys/ are looked for instead (tests)
 */
dcnn_free_memory dcnn_free_memory_of_process(const char *root);

/** The same in two: what the ranks of a node have together (machine and control groups), and this process' limit of
 * address space alone. *Local.* */
dcnn_free_memory dcnn_free_memory_of_node(const char *root);
dcnn_free_memory dcnn_free_address_space(const char *root);

/** How often Linux has killed a process because this one's control groups were full; -1: it does not say. *Local.* */
int64_t dcnn_memory_kills(const char *root);

/** What is left in /dev/shm, which ranks share memory through. *Local.* */
dcnn_free_memory dcnn_free_shared_memory(void);

#endif
