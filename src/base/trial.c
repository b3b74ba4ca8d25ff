/* SPDX-License-Identifier: BSD-3-Clause */
/* trial.c — see trial.h. */
#include "base/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void limit(int resource, rlim_t most) {
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)resource, &now) != 0) return;
    if (now.rlim_max != RLIM_INFINITY && most > now.rlim_max) most = now.rlim_max;
    now.rlim_cur = most;
    setrlimit((__rlimit_resource_t)resource, &now);
}

/* Memory that this process has now; 0: that cannot be told. (Sanitizers reserve more than any limit.) */
__attribute__((unused)) static size_t memory_bytes(void) {
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%lu", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Dies of what goes wrong, at once and without a word. */
static void make_harmless(const dcnn_trial_limits *limits) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM, SIGXCPU, SIGTERM, SIGPIPE};
    sigset_t none;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) signal(signals[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, limits->cpu_s);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const size_t now = memory_bytes();
    if (now > 0) limit(RLIMIT_AS, now + limits->more_bytes);
#endif
    alarm(limits->wall_s);
    const int silent = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (silent >= 0) dup2(silent, STDOUT_FILENO);
    if (silent >= 0) dup2(silent, STDERR_FILENO);
}

dcnn_status dcnn_trial_start(const char *path, const dcnn_trial_limits *limits, dcnn_trial *trial) {
    int ends[2];
    *trial = (dcnn_trial){.pipe = -1};
    if (pipe2(ends, O_CLOEXEC) != 0)
        return DCNN_FAIL(DCNN_FAILURE, "%s: cannot open a pipe to check it: %s", path, strerror(errno));
    trial->child = fork();
    const int error = errno;
    trial->is_child = trial->child == 0;
    trial->pipe = ends[trial->is_child];
    close(ends[!trial->is_child]);
    if (trial->is_child) make_harmless(limits);
    if (trial->child >= 0) return DCNN_OK;
    close(trial->pipe);
    return DCNN_FAIL(DCNN_FAILURE, "%s: cannot start a process to check it: %s", path, strerror(error));
}

size_t dcnn_trial_read(const dcnn_trial *trial, void *bytes, size_t length) {
    size_t all = 0;
    while (all < length) {
        const ssize_t got = read(trial->pipe, (char *)bytes + all, length - all);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        all += (size_t)got;
    }
    return all;
}

void dcnn_trial_write(const dcnn_trial *trial, const void *bytes, size_t length) {
    for (const char *from = bytes; length > 0;) {
        const ssize_t put = write(trial->pipe, from, length);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) _exit(2);
        from += put;
        length -= (size_t)put;
    }
}

void dcnn_trial_end(dcnn_trial *trial, int *state) {
    *state = 0;
    close(trial->pipe);
    while (waitpid(trial->child, state, 0) < 0)
        if (errno != EINTR) break; /* somebody else waits for all our children: nothing is known */
}

dcnn_status dcnn_trial_judge(const char *path, const char *library, const dcnn_trial_limits *limits, int state) {
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return DCNN_OK;
    if (WIFSIGNALED(state) && (WTERMSIG(state) == SIGXCPU || WTERMSIG(state) == SIGALRM))
        return DCNN_FAIL(DCNN_BAD_INPUT,
                         "%s: damaged: %s does not finish reading it (stopped after %u s); use another copy", path,
                         library, WTERMSIG(state) == SIGXCPU ? limits->cpu_s : limits->wall_s);
    if (WIFSIGNALED(state) && WTERMSIG(state) == SIGKILL)
        return DCNN_FAIL(DCNN_FAILURE, "%s: the process that tried to read it was killed (out of memory?)", path);
    return DCNN_FAIL(DCNN_BAD_INPUT, "%s: damaged: %s crashes on it; use another copy", path, library);
}
