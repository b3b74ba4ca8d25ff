/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hashes.c — preloaded into dcnn, it adds up what a process hashes: at its end one line "RANK BYTES" is appended to
 * DCNN_HASHES_LOG.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <xxhash.h>

static atomic_size_t hashed;

/* ISO C has no cast from a pointer to data to one to a function. */
#define REAL(name)                                                                                                     \
    static __typeof__(name) *real;                                                                                     \
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, #name)

XXH_errorcode XXH3_64bits_update(XXH3_state_t *state, const void *bytes, size_t length) {
    REAL(XXH3_64bits_update);
    hashed += length;
    return real(state, bytes, length);
}

XXH64_hash_t XXH3_64bits(const void *bytes, size_t length) {
    REAL(XXH3_64bits);
    hashed += length;
    return real(bytes, length);
}

__attribute__((destructor)) static void end(void) {
    const char *log = getenv("DCNN_HASHES_LOG"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    char line[64];
    const int length = snprintf(line, sizeof line, "%s %zu\n", rank ? rank : "0", (size_t)hashed);
    const int file = log && hashed > 0 ? open(log, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
    if (file < 0) return;
    if (write(file, line, (size_t)length) != length) perror("hashes");
    close(file);
}
