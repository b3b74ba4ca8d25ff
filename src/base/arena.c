/* SPDX-License-Identifier: BSD-3-Clause */
/* arena.c — measuring, carving, and the one aligned block under it. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *dcnn_arena_take(dcnn_arena *arena, size_t bytes) {
    char *part = arena->base ? arena->base + arena->used : NULL;
    arena->used += (bytes + DCNN_ALIGNMENT - 1) / DCNN_ALIGNMENT * DCNN_ALIGNMENT;
    return part;
}

dcnn_status dcnn_block_create(size_t bytes, const char *what, void **block) {
    const size_t huge = (size_t)2 << 20;
    const size_t alignment = bytes >= huge ? huge : DCNN_ALIGNMENT;
    size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    if (rounded == 0) rounded = alignment;
    *block = aligned_alloc(alignment, rounded);
    if (*block == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: %s needs %.1f MiB", what, (double)rounded / 1048576.0);
    if (alignment == huge) (void)madvise(*block, rounded, MADV_HUGEPAGE); /* a wish; refusal costs only speed */
    memset(*block, 0, rounded);
    return DCNN_OK;
}

void dcnn_block_free(void *block) {
    free(block);
}
