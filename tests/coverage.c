/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * coverage.c — stands before three functions in a build for tools/coverage (DCNN_COVERAGE, by the linker's --wrap):
 * each place that calls dcnn_fail() is noted in the file that DCNN_FAILURES_SEEN names, at once, so that it counts
 * whatever becomes of the process; _exit() and MPI_Abort() end it only after gcov's counts are written.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

void __gcov_dump(void);
int __real_dcnn_fail(int code, const char *file, int line, const char *format, ...);
int __wrap_dcnn_fail(int code, const char *file, int line, const char *format, ...);
_Noreturn void __real__exit(int code);
_Noreturn void __wrap__exit(int code);
int __real_MPI_Abort(void *comm, int code) __attribute__((weak)); /* not there without MPI */
int __wrap_MPI_Abort(void *comm, int code);

/* A line each time would make gigabytes of the tests that damage files: the last place of each slot is remembered. */
static void note(const char *file, int line) {
    enum { SLOTS = 1024 };
    static _Atomic(uintptr_t) noted[SLOTS];
    const char *path = getenv("DCNN_FAILURES_SEEN");
    const uintptr_t place = (uintptr_t)file * 31 + (uintptr_t)line;
    if (path == NULL || atomic_exchange(&noted[place % SLOTS], place) == place) return;
    char text[1024];
    const int length = snprintf(text, sizeof text, "%s:%d\n", file, line);
    /* past open() and write(), which tests have wraps of their own for */
    const long handle = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (handle < 0) return;
    if (syscall(SYS_write, handle, text, (size_t)length) != length) /* a test lets files be no larger */
        atomic_store(&noted[place % SLOTS], 0);
    syscall(SYS_close, handle);
}

int __wrap_dcnn_fail(int code, const char *file, int line, const char *format, ...) {
    const int error = errno;
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    note(file, line);
    errno = error;
    return __real_dcnn_fail(code, file, line, "%s", text);
}

_Noreturn void __wrap__exit(int code) {
    __gcov_dump();
    __real__exit(code);
}

int __wrap_MPI_Abort(void *comm, int code) {
    __gcov_dump();
    return __real_MPI_Abort(comm, code);
}
