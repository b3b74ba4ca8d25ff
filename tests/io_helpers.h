/* SPDX-License-Identifier: BSD-3-Clause */
/* io_helpers.h — what the tests of io/ share: a scratch folder, seeded bytes, and checks of failures. */
#ifndef DCNN_TESTS_IO_HELPERS_H
#define DCNN_TESTS_IO_HELPERS_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <dirent.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/random.h"
#include "io/file.h"

static char scratch[256]; /* this run's folder */
static uint64_t scratch_seed;
static uint32_t draws;

static inline int set_up(void **state) {
    (void)state;
    const char *parent = getenv("TMPDIR"), *seed = getenv("DCNN_TEST_SEED");
    snprintf(scratch, sizeof scratch, "%s/dcnn-test-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(scratch)) return -1;
    scratch_seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
    fprintf(stderr, "DCNN_TEST_SEED=%llu\n", (unsigned long long)scratch_seed);
    return 0;
}

static inline int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

static inline int tear_down(void **state) {
    (void)state;
    return nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The next random number below `limit`. */
static inline uint32_t draw_below(uint32_t limit) {
    return dcnn_random(scratch_seed, DCNN_RANDOM_INIT, 0, draws++, 0).word[0] % limit;
}

/* "SCRATCH/name", good until the eighth call from now. */
static inline const char *in_scratch(const char *name) {
    static char paths[32][512];
    static int next;
    char *path = paths[next++ % 32];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static inline void put_file(const char *path, const void *bytes, size_t length) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static inline void put_text(const char *path, const char *text) {
    put_file(path, text, strlen(text));
}

static inline void put_gzip(const char *path, const void *bytes, size_t length, const char *mode) {
    gzFile file = gzopen(path, mode);
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)length), (int)length);
    assert_int_equal(gzclose(file), Z_OK);
}

/* A file as it is on disk; the caller frees. */
static inline uint8_t *get_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*length + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *length, file), *length);
    fclose(file);
    return bytes;
}

static inline int files_in(const char *folder) {
    DIR *open_folder = opendir(folder);
    assert_non_null(open_folder);
    int count = -2; /* "." and ".." */
    while (readdir(open_folder)) count++;
    closedir(open_folder);
    return count;
}

/* From here to the second call with SIZE_MAX, no file may grow beyond so many bytes: a disk that is full. */
static inline void limit_files(size_t bytes) {
    static struct rlimit before;
    if (bytes == SIZE_MAX) {
        setrlimit(RLIMIT_FSIZE, &before);
        signal(SIGXFSZ, SIG_DFL);
        return;
    }
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = bytes, .rlim_max = before.rlim_max});
}

/* The call fails with this status and one sentence on one line that has both fragments in it. */
#define assert_fails(call, code, fragment, place)                                                                      \
    do {                                                                                                               \
        dcnn_status got_ = (call);                                                                                     \
        if (got_ != (code) || !strstr(dcnn_error(), (fragment)) || !strstr(dcnn_error(), (place)) ||                   \
            strchr(dcnn_error(), '\n'))                                                                                \
            fail_msg("%s: status %d, \"%s\"; expected %d, \"%s\" and \"%s\"", #call, got_,                             \
                     got_ ? dcnn_error() : "no failure", (code), (fragment), (place));                                 \
    } while (0)

#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        if ((call) != DCNN_OK) fail_msg("%s: %s", #call, dcnn_error());                                                \
    } while (0)

#endif
