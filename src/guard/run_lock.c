/* SPDX-License-Identifier: BSD-3-Clause */
/* run_lock.c — see run_lock.h. */
#include "guard/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "io/file.h"

/* The holder touches its lock this often, and whoever has not for `STALE_S` is gone. Three touches may get lost. */
enum { TOUCH_S = 4, STALE_S = 15 };

/* Who holds a lock. */
typedef struct holder {
    char host[256];
    char space[64];         /* of process numbers: containers on one host each have their own */
    int64_t process, began; /* `began`: the kernel's start time of the process, which tells a number used again */
    char job[64];
    int64_t restarts; /* of the job */
    char since[32];
} holder;

struct dcnn_run_lock {
    char *path;
    holder mine;
    pthread_t keeper;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool end;
    atomic_bool lost;
};

/* --- who -------------------------------------------------------------------------------------------------------- */

/* Start time of a process in clock ticks since the boot; 0: there is none, or it is dead and only not buried yet. */
static int64_t start_of(int64_t process) {
    char path[64], line[1024], state = 'Z';
    long long began = 0;
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)process);
    FILE *file = fopen(path, "r");
    if (file == NULL) return 0;
    const char *rest = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL; /* the name may hold anything */
    if (rest && sscanf(rest + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld",
                       &state, &began) != 2)
        began = 0;
    fclose(file);
    return state == 'Z' || state == 'X' ? 0 : (int64_t)began;
}

static void copy_text(char *to, size_t size, const char *from) {
    snprintf(to, size, "%s", from ? from : "");
}

static holder myself(void) {
    holder mine = {.process = getpid(), .began = start_of(getpid())};
    const char *restarts = getenv("SLURM_RESTART_COUNT");
    const time_t now = time(NULL);
    struct tm local;
    if (gethostname(mine.host, sizeof mine.host - 1) != 0) copy_text(mine.host, sizeof mine.host, "?");
    const ssize_t length = readlink("/proc/self/ns/pid", mine.space, sizeof mine.space - 1);
    mine.space[length > 0 ? length : 0] = '\0';
    copy_text(mine.job, sizeof mine.job, getenv("SLURM_JOB_ID"));
    mine.restarts = restarts ? atoll(restarts) : 0;
    localtime_r(&now, &local);
    strftime(mine.since, sizeof mine.since, "%Y-%m-%d %H:%M:%S", &local);
    return mine;
}

static json_t *holder_json(const holder *h) {
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:I, s:s}", "host", h->host, "space", h->space, "process",
                     (json_int_t)h->process, "began", (json_int_t)h->began, "job", h->job, "restarts",
                     (json_int_t)h->restarts, "since", h->since);
}

/* An unreadable lock (its writer died in the middle) has a holder of whom nothing is known. */
static holder read_holder(const char *path) {
    json_t *json = json_load_file(path, 0, NULL);
    holder h = {0};
    copy_text(h.host, sizeof h.host, json_string_value(json_object_get(json, "host")));
    copy_text(h.space, sizeof h.space, json_string_value(json_object_get(json, "space")));
    copy_text(h.job, sizeof h.job, json_string_value(json_object_get(json, "job")));
    copy_text(h.since, sizeof h.since, json_string_value(json_object_get(json, "since")));
    h.process = json_integer_value(json_object_get(json, "process"));
    h.began = json_integer_value(json_object_get(json, "began"));
    h.restarts = json_integer_value(json_object_get(json, "restarts"));
    json_decref(json);
    return h;
}

static bool same_holder(const holder *a, const holder *b) {
    return a->process == b->process && a->began == b->began && strcmp(a->host, b->host) == 0 &&
           strcmp(a->since, b->since) == 0;
}

/* "process 4711 on n2 (Slurm job 17), since 2026-11-25 06:30:12" */
static const char *holder_text(const holder *h, char text[512]) {
    if (h->process == 0) return "a process that did not write its name";
    snprintf(text, 512, "process %lld on %s%s%s%s, since %s", (long long)h->process, h->host,
             h->job[0] ? " (Slurm job " : "", h->job, h->job[0] ? ")" : "", h->since);
    return text;
}

/* --- is it stale? ----------------------------------------------------------------------------------------------- */

static bool last_touch(const char *path, struct timespec *touched) {
    struct stat info;
    if (stat(path, &info) != 0) return false;
    *touched = info.st_mtim;
    return true;
}

/* Waits for the holder, of whom this host knows nothing, to touch its lock. No clocks of two machines are compared. */
static bool shows_no_life(const char *path) {
    const struct timespec moment = {.tv_nsec = 250000000};
    struct timespec first, now;
    if (!last_touch(path, &first)) return true;
    for (int quarter = 0; quarter < 4 * STALE_S; quarter++) {
        nanosleep(&moment, NULL);
        if (!last_touch(path, &now)) return true;
        if (now.tv_sec != first.tv_sec || now.tv_nsec != first.tv_nsec) return false;
    }
    return true;
}

static bool is_stale(const char *path, const holder *theirs, const holder *mine) {
    /* Slurm has ended a job's processes before it starts the job again. */
    if (mine->job[0] && strcmp(mine->job, theirs->job) == 0 && theirs->restarts < mine->restarts) return true;
    if (theirs->process != 0 && strcmp(mine->host, theirs->host) == 0 && strcmp(mine->space, theirs->space) == 0)
        return start_of(theirs->process) != theirs->began;
    return shows_no_life(path);
}

/* --- taking it -------------------------------------------------------------------------------------------------- */

/* Creates the lock; EEXIST: somebody has it. */
static int create(const char *path, const holder *mine) {
    json_t *json = holder_json(mine);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    const int file = text ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    int code = text == NULL ? ENOMEM : file < 0 ? errno : 0;
    if (code == 0 && write(file, text, strlen(text)) != (ssize_t)strlen(text)) code = EIO;
    if (file >= 0 && close(file) != 0 && code == 0) code = errno;
    if (file >= 0 && code != 0) unlink(path);
    free(text);
    return code;
}

/* Puts a stale lock aside. Two may try at once: whoever got another lock than the one it judged puts it back. */
static bool put_aside(const char *path, const holder *stale, const holder *mine) {
    char *aside = NULL;
    if (asprintf(&aside, "%s.%s-%lld", path, mine->host, (long long)mine->process) < 0) return false;
    bool done = rename(path, aside) == 0;
    if (done) {
        const holder got = read_holder(aside);
        done = same_holder(&got, stale);
        if (!done && link(aside, path) != 0) done = true; /* a third one has it by now: create() will tell */
        unlink(aside);
    }
    free(aside);
    return done;
}

static dcnn_status acquire(const char *folder, const char *path, const holder *mine) {
    char text[512];
    for (int attempt = 0; attempt < 5; attempt++) {
        const int code = create(path, mine);
        if (code == 0) return DCNN_OK;
        if (code != EEXIST) return DCNN_FAIL(DCNN_FAILURE, "%s: cannot be created: %s", path, strerror(code));
        const holder theirs = read_holder(path);
        if (!is_stale(path, &theirs, mine)) {
            const holder alive = read_holder(path); /* by now it has written its name */
            return DCNN_FAIL(
                DCNN_USAGE, "%s: another training is at this run, %s: wait for its end, or name another folder (--run)",
                folder, holder_text(&alive, text));
        }
        if (put_aside(path, &theirs, mine))
            dcnn_warn("%s: taking this run over from %s, which is gone", folder, holder_text(&theirs, text));
    }
    return DCNN_FAIL(DCNN_USAGE, "%s: other trainings try to take this run at the same moment: start it once", folder);
}

/* --- keeping it ------------------------------------------------------------------------------------------------- */

static void *keep(void *argument) {
    dcnn_run_lock *lock = argument;
    pthread_mutex_lock(&lock->mutex);
    while (!lock->end) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += TOUCH_S;
        pthread_cond_timedwait(&lock->wake, &lock->mutex, &until);
        if (lock->end) break;
        const holder now = read_holder(lock->path);
        if (!same_holder(&now, &lock->mine))
            atomic_store(&lock->lost, true);
        else
            utimensat(AT_FDCWD, lock->path, NULL, 0);
    }
    pthread_mutex_unlock(&lock->mutex);
    return NULL;
}

/* Its thread takes no signals: they are the main thread's. */
static bool start_keeper(dcnn_run_lock *lock) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_mutex_init(&lock->mutex, NULL);
    pthread_cond_init(&lock->wake, NULL);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&lock->keeper, NULL, keep, lock) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

dcnn_status dcnn_run_lock_take(const char *folder, dcnn_run_lock **out) {
    *out = NULL;
    DCNN_TRY(dcnn_folder_create(folder));
    dcnn_run_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL || asprintf(&lock->path, "%s/run.lock", folder) < 0) {
        free(lock);
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: the lock of %s", folder);
    }
    lock->mine = myself();
    dcnn_status status = acquire(folder, lock->path, &lock->mine);
    if (status == DCNN_OK && !start_keeper(lock)) {
        unlink(lock->path);
        status = DCNN_FAIL(DCNN_FAILURE, "cannot start a thread to keep %s", lock->path);
    }
    if (status == DCNN_OK) {
        *out = lock;
        return DCNN_OK;
    }
    free(lock->path);
    free(lock);
    return status;
}

bool dcnn_run_lock_lost(const dcnn_run_lock *lock) {
    return atomic_load(&lock->lost);
}

void dcnn_run_lock_release(dcnn_run_lock *lock) {
    if (lock == NULL) return;
    pthread_mutex_lock(&lock->mutex);
    lock->end = true;
    pthread_cond_signal(&lock->wake);
    pthread_mutex_unlock(&lock->mutex);
    pthread_join(lock->keeper, NULL);
    const holder now = read_holder(lock->path);
    if (same_holder(&now, &lock->mine)) unlink(lock->path);
    pthread_mutex_destroy(&lock->mutex);
    pthread_cond_destroy(&lock->wake);
    free(lock->path);
    free(lock);
}
