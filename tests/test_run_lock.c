/* SPDX-License-Identifier: BSD-3-Clause */
/* test_run_lock.c — who holds a run keeps it: a clock that is set back, reads that fail, a full disk. The linker puts
 * this file's calls before the C library's (--wrap). */
#include "io_helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "guard/run_lock.h"

static int failing_open, failing_write; /* the errno of the next call on a lock; 0: none fails */
static int64_t clock_set_back_s;
static const char *rival; /* NULL, or the text of a lock that another puts there each time before one is created */
static bool no_thread;    /* the next one cannot be started */

int __real_open(const char *path, int flags, ...);
ssize_t __real_write(int file, const void *bytes, size_t length);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_write(int file, const void *bytes, size_t length);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*body)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*body)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*body)(void *), void *argument) {
    if (!no_thread) return __real_pthread_create(thread, how, body, argument);
    no_thread = false;
    return EAGAIN;
}

int __wrap_open(const char *path, int flags, ...) {
    if (rival && (flags & O_CREAT) && strstr(path, "run.lock")) put_text(path, rival);
    if (failing_open != 0 && strstr(path, "run.lock")) {
        errno = failing_open;
        failing_open = 0;
        return -1;
    }
    return __real_open(path, flags, 0666);
}

ssize_t __wrap_write(int file, const void *bytes, size_t length) {
    if (failing_write == 0) return __real_write(file, bytes, length);
    errno = failing_write;
    failing_write = 0;
    return -1;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
    const int result = __real_clock_gettime(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec -= clock_set_back_s;
    return result;
}

static dcnn_run_lock *take(const char *name) {
    dcnn_run_lock *lock;
    assert_ok(dcnn_run_lock_take(in_scratch(name), &lock));
    return lock;
}

static void taken_lock_is_refused_and_given_back(void **state) {
    (void)state;
    dcnn_run_lock *lock = take("plain"), *second;
    assert_fails(dcnn_run_lock_take(in_scratch("plain"), &second), DCNN_USAGE, "another training is using this run",
                 "plain");
    assert_false(dcnn_run_lock_lost(lock));
    dcnn_run_lock_release(lock);
    assert_int_not_equal(access(in_scratch("plain/run.lock"), F_OK), 0);
    dcnn_run_lock_release(take("plain"));
}

/* Once a single failed read ended a healthy run as "taken over". */
static void failed_read_is_no_loss(void **state) {
    (void)state;
    static const int reasons[] = {EIO, EMFILE, EACCES, ESTALE, EINTR};
    dcnn_run_lock *lock = take("read");
    for (int i = 0; i < 5; i++) {
        failing_open = reasons[i];
        assert_false(dcnn_run_lock_lost(lock));
        assert_int_equal(failing_open, 0);
    }
    dcnn_run_lock_release(lock);
}

static void lock_of_another_is_a_loss(void **state) {
    (void)state;
    dcnn_run_lock *lock = take("lost");
    put_text(in_scratch("lost/run.lock"), "{\"host\":\"elsewhere\",\"process\":7,\"began\":1,\"since\":\"now\"}");
    assert_true(dcnn_run_lock_lost(lock));
    dcnn_run_lock_release(lock);
    assert_int_equal(access(in_scratch("lost/run.lock"), F_OK), 0); /* it is the other's */
    lock = take("gone");
    assert_int_equal(unlink(in_scratch("gone/run.lock")), 0);
    assert_true(dcnn_run_lock_lost(lock));
    dcnn_run_lock_release(lock);
}

static void full_disk_is_told_as_one(void **state) {
    (void)state;
    dcnn_run_lock *lock;
    assert_ok(dcnn_folder_create(in_scratch("full")));
    failing_write = ENOSPC;
    assert_fails(dcnn_run_lock_take(in_scratch("full"), &lock), DCNN_FAILURE, "No space left", "full/run.lock");
    assert_int_equal(files_in(in_scratch("full")), 0);
    failing_open = EIO;
    assert_fails(dcnn_run_lock_take(in_scratch("full"), &lock), DCNN_FAILURE, "Input/output error", "full/run.lock");
    failing_open = failing_write = EINTR;
    dcnn_run_lock_release(take("full"));
}

/* Neither a lock nor what lies in its place is touched before it was read. */
static void lock_that_cannot_be_read_is_left_alone(void **state) {
    (void)state;
    dcnn_run_lock *lock;
    char target[8] = "";
    assert_ok(dcnn_folder_create(in_scratch("link")));
    assert_int_equal(symlink("nowhere", in_scratch("link/run.lock")), 0);
    assert_fails(dcnn_run_lock_take(in_scratch("link"), &lock), DCNN_FAILURE,
                 "cannot be read: ", "nothing was changed, try again");
    assert_int_equal(readlink(in_scratch("link/run.lock"), target, sizeof target), 7);
}

static void lock_without_a_keeper_is_given_back(void **state) {
    (void)state;
    dcnn_run_lock *lock;
    no_thread = true;
    assert_fails(dcnn_run_lock_take(in_scratch("thread"), &lock), DCNN_FAILURE, "cannot start a thread to keep",
                 "thread/run.lock");
    assert_int_equal(files_in(in_scratch("thread")), 0);
    dcnn_run_lock_release(take("thread"));
}

/* A rival that dies and comes again whenever its lock was put aside: after five times it is told, not fought. */
static void rivals_are_not_fought_for_ever(void **state) {
    (void)state;
    static char dead[1024];
    dcnn_run_lock *lock;
    fflush(NULL);
    const pid_t process = fork();
    if (process == 0) _exit(dcnn_run_lock_take(in_scratch("rivals"), &lock) == DCNN_OK ? 0 : 1);
    int status = -1;
    assert_int_equal(waitpid(process, &status, 0), process);
    assert_int_equal(status, 0);
    FILE *file = fopen(in_scratch("rivals/run.lock"), "r");
    assert_non_null(file);
    assert_true(fread(dead, 1, sizeof dead - 1, file) > 0);
    fclose(file);
    rival = dead;
    assert_fails(dcnn_run_lock_take(in_scratch("rivals"), &lock), DCNN_USAGE, "several trainings are trying",
                 "start only one");
    rival = NULL;
    dcnn_run_lock_release(take("rivals")); /* of a dead one it is taken over */
}

/* The keeper touches the lock whatever the clock says; set back an hour, it once slept for an hour. */
static void clock_set_back_frees_no_lock(void **state) {
    (void)state;
    const char *path = in_scratch("clock/run.lock");
    struct stat before, now;
    char kept[512];
    snprintf(kept, sizeof kept, "%s", path);
    dcnn_run_lock *lock = take("clock");
    const struct timespec long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}}, moment = {.tv_nsec = 100000000};
    nanosleep(&moment, NULL); /* the keeper waits by now: for what it looks at the clock after its first touch */
    clock_set_back_s = 3600;
    for (int touches = 0; touches < 2; touches++) {
        assert_int_equal(utimensat(AT_FDCWD, kept, long_ago, 0), 0);
        assert_int_equal(stat(kept, &before), 0);
        int waits = 0;
        do {
            nanosleep(&moment, NULL);
            assert_int_equal(stat(kept, &now), 0);
        } while (now.st_mtim.tv_sec == before.st_mtim.tv_sec && ++waits < 200);
        assert_int_not_equal(now.st_mtim.tv_sec, before.st_mtim.tv_sec);
    }
    clock_set_back_s = 0;
    dcnn_run_lock_release(lock);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_lock_is_refused_and_given_back),
        cmocka_unit_test(failed_read_is_no_loss),
        cmocka_unit_test(lock_of_another_is_a_loss),
        cmocka_unit_test(full_disk_is_told_as_one),
        cmocka_unit_test(lock_that_cannot_be_read_is_left_alone),
        cmocka_unit_test(lock_without_a_keeper_is_given_back),
        cmocka_unit_test(rivals_are_not_fought_for_ever),
        cmocka_unit_test(clock_set_back_frees_no_lock),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
