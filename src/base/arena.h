/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file arena.h — memory that is measured first and carved from one aligned block afterwards.
 *
 * Use it twice with the same code: with `base == NULL` it only measures, with memory it carves. A plan made of arenas
 * allocates once, before the first step; a step allocates nothing.
 */
#ifndef DCNN_BASE_ARENA_H
#define DCNN_BASE_ARENA_H

#include <stddef.h>

#include "base/status.h"

enum { DCNN_ALIGNMENT = 64 }; /* a cache line, and one AVX-512 vector */

typedef struct dcnn_arena {
    char *base;  /**< NULL: measure only */
    size_t used; /**< bytes handed out so far, each part rounded up to DCNN_ALIGNMENT */
} dcnn_arena;

/** The next `bytes` of the arena, aligned; NULL while measuring. *Local.* */
void *dcnn_arena_take(dcnn_arena *arena, size_t bytes);

/**
 * One zeroed, aligned block; large blocks are 2 MiB-aligned and advised to use huge pages. *Local.*
 * @param block  out; free with dcnn_block_free()
 */
dcnn_status dcnn_block_create(size_t bytes, const char *what, void **block);

/** The same, but neither zeroed nor touched: memory lies near the core that touches it first. *Local.* */
dcnn_status dcnn_block_create_untouched(size_t bytes, const char *what, void **block);

/** Frees a block; NULL is allowed. */
void dcnn_block_free(void *block);

#endif
