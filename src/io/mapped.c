/* SPDX-License-Identifier: BSD-3-Clause */
/* mapped.c — see mapped.h. */
#include "io/mapped.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

enum { MOST = 64 };

/* `begin` is set last and cleared first: who sees it sees the rest. */
static struct mapping {
    atomic_uintptr_t begin; /* 0: free */
    size_t bytes;
    char path[1024];
} mappings[MOST];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void dcnn_mapped_note(const void *memory, size_t bytes, const char *path) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST; i++) {
        if (atomic_load(&mappings[i].begin) != 0) continue;
        mappings[i].bytes = bytes;
        snprintf(mappings[i].path, sizeof mappings[i].path, "%s", path);
        atomic_store(&mappings[i].begin, (uintptr_t)memory);
        break;
    }
    pthread_mutex_unlock(&lock);
}

void dcnn_mapped_forget(const void *memory) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MOST; i++)
        if (memory && atomic_load(&mappings[i].begin) == (uintptr_t)memory) atomic_store(&mappings[i].begin, 0);
    pthread_mutex_unlock(&lock);
}

const char *dcnn_mapped_find(const void *address) {
    for (int i = 0; i < MOST; i++) {
        const uintptr_t begin = atomic_load(&mappings[i].begin), at = (uintptr_t)address;
        if (begin != 0 && at >= begin && at - begin < mappings[i].bytes) return mappings[i].path;
    }
    return NULL;
}
