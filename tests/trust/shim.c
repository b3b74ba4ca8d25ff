/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shim.c — preloaded into dcnn, it spoils one call of the run: the k-th on files below a folder.
 *
 *   DCNN_SHIM_UNDER=FOLDER   what counts: calls on files below it; all others pass
 *   DCNN_SHIM_CALLS=LIST     which calls: open write fsync rename (and renameat2) unlink ftruncate mkdir link, by one
 *                            letter each: "owsrutml", or "R" for reading: open for reading and read
 *   DCNN_SHIM_AT=K           the k-th of them, from 1; 0: none, they are only counted
 *   DCNN_SHIM_DO=WHAT        kill-before, kill-mid (a write: half of it), kill-after, short (half a write, as a full
 *                            pipe does), appear (just before, another writes the file of that name), or a number: the
 * errno that the call fails with DCNN_SHIM_LOG=FILE       one line a counted call DCNN_SHIM_LACKING=LIST   what the
 * file system does not have: renameat2, hard-links
 *
 * Of a job's ranks only rank 0, who writes, is spoilt.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_FILES = 1024 };

static struct {
    const char *under, *calls, *what, *lacking;
    long at, count;
    int log;
    bool on;
    bool ours[MOST_FILES]; /* descriptors of files that count */
    pthread_mutex_t mutex;
} shim = {.log = -1, .mutex = PTHREAD_MUTEX_INITIALIZER};

__attribute__((constructor)) static void begin(void) {
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *at = getenv("DCNN_SHIM_AT"), *log = getenv("DCNN_SHIM_LOG");
    shim.under = getenv("DCNN_SHIM_UNDER");
    shim.calls = getenv("DCNN_SHIM_CALLS");
    shim.what = getenv("DCNN_SHIM_DO");
    shim.lacking = getenv("DCNN_SHIM_LACKING");
    shim.at = at ? atol(at) : 0;
    shim.on = shim.under && shim.calls && (rank == NULL || strcmp(rank, "0") == 0) &&
              strstr(program_invocation_short_name, "dcnn") != NULL;
    if (shim.on && log) shim.log = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
}

/* Is this a file that counts? Names are as dcnn gives them: relative to the working folder, or not. */
static bool counts(const char *path) {
    char full[PATH_MAX];
    if (!shim.on || path == NULL) return false;
    if (path[0] == '/') return strncmp(path, shim.under, strlen(shim.under)) == 0;
    if (getcwd(full, sizeof full) == NULL) return false;
    const size_t length = strlen(full);
    snprintf(full + length, sizeof full - length, "/%s", path);
    return strncmp(full, shim.under, strlen(shim.under)) == 0;
}

static bool counts_descriptor(int file) {
    return shim.on && file >= 0 && file < MOST_FILES && shim.ours[file];
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* As if another process had been faster. */
static void appear(const char *path) {
    const int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    syscall(SYS_write, file, "early", (size_t)5);
    syscall(SYS_close, file);
}

/* Books a call. Returns its fate: 0 passes; > 0 fails with that errno; -1 kill in the middle, -2 kill after, -3 short.
 */
static int fate(char call, const char *path) {
    if (!shim.on || strchr(shim.calls, call) == NULL) return 0;
    char line[512];
    pthread_mutex_lock(&shim.mutex);
    const long number = ++shim.count;
    const int length = snprintf(line, sizeof line, "%ld %c %s\n", number, call, path);
    if (shim.log >= 0) syscall(SYS_write, shim.log, line, (size_t)length);
    pthread_mutex_unlock(&shim.mutex);
    if (number != shim.at || shim.what == NULL) return 0;
    if (strcmp(shim.what, "kill-before") == 0) die();
    if (strcmp(shim.what, "kill-mid") == 0) return -1;
    if (strcmp(shim.what, "kill-after") == 0) return -2;
    if (strcmp(shim.what, "short") == 0) return -3;
    if (strcmp(shim.what, "appear") == 0) {
        appear(path);
        return 0;
    }
    return atoi(shim.what);
}

/* The call that this one stands before. ISO C has no cast from a pointer to data to one to a function. */
#define REAL(name)                                                                                                     \
    static __typeof__(name) *real;                                                                                     \
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, #name)

/* --- names ------------------------------------------------------------------------------------------------------- */

static int open_file(const char *path, int flags, mode_t mode, int (*real)(const char *, int, ...)) {
    const bool ours = counts(path);
    const bool reading = (flags & O_ACCMODE) == O_RDONLY;
    const int end = ours ? fate(reading ? 'R' : 'o', path) : 0;
    if (end > 0) {
        errno = end;
        return -1;
    }
    const int file = real(path, flags, mode);
    if (end == -1 || end == -2) die();
    if (file >= 0 && file < MOST_FILES) shim.ours[file] = ours;
    return file;
}

int open(const char *path, int flags, ...) {
    REAL(open);
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_file(path, flags, mode, real);
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_file(path, flags, mode, real);
}

FILE *fopen(const char *path, const char *mode) {
    REAL(fopen);
    const int end = counts(path) ? fate(mode[0] == 'r' ? 'R' : 'o', path) : 0;
    if (end > 0) {
        errno = end;
        return NULL;
    }
    FILE *file = real(path, mode);
    if (end == -1 || end == -2) die();
    return file;
}

FILE *fopen64(const char *path, const char *mode) {
    return fopen(path, mode);
}

int close(int file) {
    REAL(close);
    if (file >= 0 && file < MOST_FILES) shim.ours[file] = false;
    return real(file);
}

/* A call that works on a name or a descriptor, whole or not at all. */
#define SPOIL(call, is_ours, path, real_call)                                                                          \
    const int end = (is_ours) ? fate(call, path) : 0;                                                                  \
    if (end > 0) {                                                                                                     \
        errno = end;                                                                                                   \
        return -1;                                                                                                     \
    }                                                                                                                  \
    const int result = real_call;                                                                                      \
    if (end == -1 || end == -2) die();                                                                                 \
    return result

/* Is the file system to be one without this? */
static bool lacks(const char *what) {
    return shim.on && shim.lacking && strstr(shim.lacking, what);
}

static int refuse(int error) {
    errno = error;
    return -1;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    SPOIL('r', counts(to), to, real(from, to));
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    REAL(renameat2);
    SPOIL('r', counts(to), to, lacks("renameat2") ? refuse(EINVAL) : real(from_folder, from, to_folder, to, flags));
}

int link(const char *from, const char *to) {
    REAL(link);
    SPOIL('l', counts(to), to, lacks("hard-links") ? refuse(EPERM) : real(from, to));
}

int unlink(const char *path) {
    REAL(unlink);
    SPOIL('u', counts(path), path, real(path));
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    SPOIL('m', counts(path), path, real(path, mode));
}

int fsync(int file) {
    REAL(fsync);
    SPOIL('s', counts_descriptor(file), "", real(file));
}

int ftruncate(int file, off_t length) {
    REAL(ftruncate);
    SPOIL('t', counts_descriptor(file), "", real(file, length));
}

/* --- bytes ------------------------------------------------------------------------------------------------------- */

ssize_t write(int file, const void *bytes, size_t length) {
    REAL(write);
    const int end = counts_descriptor(file) ? fate('w', "") : 0;
    if (end > 0) {
        errno = end;
        return -1;
    }
    const ssize_t written = real(file, bytes, end == -1 || end == -3 ? (length + 1) / 2 : length);
    if (end == -1 || end == -2) die();
    return written;
}

ssize_t read(int file, void *bytes, size_t length) {
    REAL(read);
    const int end = counts_descriptor(file) ? fate('R', "") : 0;
    if (end > 0) {
        errno = end;
        return -1;
    }
    return real(file, bytes, end == -3 ? (length + 1) / 2 : length);
}

static ssize_t read_at(int file, void *bytes, size_t length, off_t offset,
                       ssize_t (*real)(int, void *, size_t, off_t)) {
    const int end = counts_descriptor(file) ? fate('R', "") : 0;
    if (end > 0) {
        errno = end;
        return -1;
    }
    return real(file, bytes, end == -3 ? (length + 1) / 2 : length, offset);
}

ssize_t pread(int file, void *bytes, size_t length, off_t offset) {
    REAL(pread);
    return read_at(file, bytes, length, offset, real);
}

ssize_t pread64(int file, void *bytes, size_t length, off_t offset) {
    REAL(pread64);
    return read_at(file, bytes, length, offset, real);
}
