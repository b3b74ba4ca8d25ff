/* SPDX-License-Identifier: BSD-3-Clause */
/* input.c — see input.h. */
#include "io/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_WAIT_MS = 10000 };

dcnn_status dcnn_input_fail(const char *path, const char *what) {
    const int reason = errno;
    const bool name = reason == ENOENT || reason == ENOTDIR || reason == EACCES || reason == EPERM ||
                      reason == EISDIR || reason == ELOOP || reason == ENAMETOOLONG || reason == ENXIO;
    return DCNN_FAIL(name ? DCNN_BAD_INPUT : DCNN_FAILURE, "%s: cannot %s: %s", path, what, strerror(reason));
}

int dcnn_input_read(int descriptor, void *bytes, size_t length, uint64_t offset, size_t *got) {
    *got = 0;
    while (*got < length) {
        const ssize_t part = pread(descriptor, (char *)bytes + *got, length - *got, (off_t)(offset + *got));
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) return errno;
        if (part == 0) break;
        *got += (size_t)part;
    }
    return 0;
}

bool dcnn_input_is_file(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

/* A pipe's writer may come a moment later: a shell starts both at once. */
static dcnn_status await_writer(int descriptor, const char *path) {
    struct pollfd waiting = {.fd = descriptor, .events = POLLIN};
    int ready;
    do ready = poll(&waiting, 1, PIPE_WAIT_MS);
    while (ready < 0 && errno == EINTR);
    if (ready < 0) return dcnn_input_fail(path, "wait for what is written to it");
    if (ready == 0)
        return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is a pipe that nobody has written to for %d s", path,
                         PIPE_WAIT_MS / 1000);
    fcntl(descriptor, F_SETFL, O_RDONLY); /* reads wait from here on */
    return DCNN_OK;
}

static dcnn_status check_kind(int descriptor, const char *path, bool pipes, int64_t *size) {
    struct stat about;
    if (fstat(descriptor, &about) != 0) return dcnn_input_fail(path, "read");
    if (size) *size = S_ISREG(about.st_mode) ? (int64_t)about.st_size : 0;
    if (S_ISREG(about.st_mode)) return DCNN_OK;
    if (S_ISFIFO(about.st_mode) && pipes) return await_writer(descriptor, path);
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: is %s, not a regular file", path,
                     S_ISDIR(about.st_mode)    ? "a folder"
                     : S_ISFIFO(about.st_mode) ? "a pipe"
                                               : "a device");
}

dcnn_status dcnn_input_open(const char *path, bool pipes, int *descriptor, int64_t *size) {
    do *descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC); /* a FIFO would wait for its writer */
    while (*descriptor < 0 && errno == EINTR);
    if (*descriptor < 0) return dcnn_input_fail(path, "open");
    dcnn_status status = check_kind(*descriptor, path, pipes, size);
    if (status != DCNN_OK) {
        close(*descriptor);
        *descriptor = -1;
    }
    return status;
}
