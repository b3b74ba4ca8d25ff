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

/* 2 MiB, where a block is as large. */
static size_t alignment_of(size_t bytes) {
    const size_t huge = (size_t)2 << 20;
    return bytes >= huge ? huge : DCNN_ALIGNMENT;
}

static size_t round_up(size_t bytes) {
    const size_t alignment = alignment_of(bytes);
    return bytes > 0 ? (bytes + alignment - 1) / alignment * alignment : alignment;
}

dcnn_status dcnn_block_create_untouched(size_t bytes, const char *what, void **block) {
    const size_t alignment = alignment_of(bytes), rounded = round_up(bytes);
    *block = aligned_alloc(alignment, rounded);
    if (*block == NULL)
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: %s needs %.1f MiB", what, (double)rounded / 1048576.0);
    if (alignment > DCNN_ALIGNMENT)
        (void)madvise(*block, rounded, MADV_HUGEPAGE); /* a wish; refusal costs only speed */
    return DCNN_OK;
}

dcnn_status dcnn_block_create(size_t bytes, const char *what, void **block) {
    DCNN_TRY(dcnn_block_create_untouched(bytes, what, block));
    memset(*block, 0, round_up(bytes));
    return DCNN_OK;
}

void dcnn_block_free(void *block) {
    free(block);
}
