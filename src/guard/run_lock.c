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

#include "base/json.h"
#include "base/log.h"
#include "io/file.h"
#include "io/run_files.h"

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

/* Start time of a process in clock ticks since the boot; 0: there is none, or it is dead and only not buried yet; -1:
 * that cannot be told. */
static int64_t start_of(int64_t process) {
    char path[64], line[1024], state = 'Z';
    long long began = 0;
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)process);
    FILE *file = fopen(path, "r");
    if (file == NULL) return errno == ENOENT ? 0 : -1;
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

/* What a look at a lock can show. */
typedef enum sight {
    SEEN,       /* a holder */
    UNREADABLE, /* a lock without a readable holder: one that is being written, or whose writer died in the middle */
    GONE,       /* no lock */
    UNKNOWN     /* the file could not be read */
} sight;

/* Of an unreadable lock nothing is known. */
static sight read_holder(const char *path, holder *h) {
    char text[1024];
    size_t length = 0;
    ssize_t got = -1;
    int file;
    *h = (holder){.process = 0};
    do file = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    while (file < 0 && errno == EINTR);
    if (file < 0) return errno == ENOENT ? GONE : UNKNOWN;
    while (length < sizeof text && (got = read(file, text + length, sizeof text - length)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) break;
        length += (size_t)got;
    }
    close(file);
    if (got < 0) return UNKNOWN;
    json_t *json;
    if (dcnn_json_parse(text, length, 0, &json, NULL) == DCNN_FAILURE) return UNKNOWN;
    copy_text(h->host, sizeof h->host, json_string_value(json_object_get(json, "host")));
    copy_text(h->space, sizeof h->space, json_string_value(json_object_get(json, "space")));
    copy_text(h->job, sizeof h->job, json_string_value(json_object_get(json, "job")));
    copy_text(h->since, sizeof h->since, json_string_value(json_object_get(json, "since")));
    h->process = json_integer_value(json_object_get(json, "process"));
    h->began = json_integer_value(json_object_get(json, "began"));
    h->restarts = json_integer_value(json_object_get(json, "restarts"));
    json_decref(json);
    return h->process != 0 ? SEEN : UNREADABLE;
}

static bool same_holder(const holder *a, const holder *b) {
    return a->process == b->process && a->began == b->began && strcmp(a->host, b->host) == 0 &&
           strcmp(a->since, b->since) == 0;
}

/* "process 4711 on n2 (Slurm job 17), since 2026-11-25 06:30:12" */
static const char *holder_text(const holder *h, char text[512]) {
    if (h->process == 0) return "an unnamed process";
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
    if (theirs->process != 0 && strcmp(mine->host, theirs->host) == 0 && strcmp(mine->space, theirs->space) == 0) {
        const int64_t began = start_of(theirs->process);
        if (began >= 0 && theirs->began >= 0) return began != theirs->began;
    }
    return shows_no_life(path);
}

/* --- taking it -------------------------------------------------------------------------------------------------- */

/* Creates the lock; EEXIST: somebody has it. */
static int create(const char *path, const holder *mine) {
    json_t *json = holder_json(mine);
    char *text = json_dumps(json, JSON_COMPACT);
    const size_t length = text ? strlen(text) : 0;
    size_t done = 0;
    int file = -1, code = text ? 0 : ENOMEM;
    json_decref(json);
    do file = text ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666) : -1;
    while (text && file < 0 && errno == EINTR);
    if (text && file < 0) code = errno;
    while (code == 0 && done < length) {
        const ssize_t written = write(file, text + done, length - done);
        if (written < 0 && errno != EINTR) code = errno;
        if (written > 0) done += (size_t)written;
    }
    if (file >= 0 && close(file) != 0 && errno != EINTR && code == 0) code = errno;
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
        holder got;
        done = read_holder(aside, &got) != UNKNOWN && same_holder(&got, stale);
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
        if (code != EEXIST)
            return DCNN_FAIL(DCNN_FAILURE, "%s: cannot be created: %s%s", path, strerror(code),
                             code == ENOSPC || code == EDQUOT ? "; check free space and quota" : "");
        holder theirs, alive;
        if (read_holder(path, &theirs) == UNKNOWN)
            return DCNN_FAIL(DCNN_FAILURE, "%s: cannot be read: %s; nothing was changed, try again", path,
                             strerror(errno));
        if (!is_stale(path, &theirs, mine)) {
            read_holder(path, &alive); /* by now it has written its name */
            return DCNN_FAIL(
                DCNN_USAGE,
                "%s: another training is using this run, %s: wait for it to end, or name another folder (--run)",
                folder, holder_text(&alive, text));
        }
        if (put_aside(path, &theirs, mine))
            dcnn_warn("%s: taking this run over from %s, which is gone", folder, holder_text(&theirs, text));
    }
    return DCNN_FAIL(DCNN_USAGE, "%s: several trainings are trying to take this run at once: start only one", folder);
}

/* --- keeping it ------------------------------------------------------------------------------------------------- */

/* Is it proven that the lock is another's? Its file may be unreadable for a moment (a disk of the network, no
 * descriptors left): then it is not. Two looks, for a taker that finds that it misjudged puts the lock back at once. */
static bool is_lost(const dcnn_run_lock *lock) {
    const struct timespec moment = {.tv_nsec = 250000000};
    for (int looks = 0; looks < 2; looks++) {
        holder now;
        const sight seen = read_holder(lock->path, &now);
        if (seen == UNKNOWN || (seen == SEEN && same_holder(&now, &lock->mine))) return false;
        if (looks == 0) nanosleep(&moment, NULL);
    }
    return true;
}

static void *keep(void *argument) {
    dcnn_run_lock *lock = argument;
    pthread_mutex_lock(&lock->mutex);
    while (!lock->end) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until); /* whoever sets the clock does not make us look dead */
        until.tv_sec += TOUCH_S;
        pthread_cond_timedwait(&lock->wake, &lock->mutex, &until);
        if (lock->end) break;
        if (is_lost(lock))
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
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&lock->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&lock->keeper, NULL, keep, lock) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

dcnn_status dcnn_run_lock_take(const char *folder, dcnn_run_lock **out) {
    *out = NULL;
    DCNN_TRY(dcnn_folder_create(folder));
    dcnn_run_lock *lock = calloc(1, sizeof *lock);
    if (lock == NULL || asprintf(&lock->path, "%s/" DCNN_RUN_LOCK, folder) < 0) {
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
    return atomic_load(&lock->lost) || is_lost(lock);
}

void dcnn_run_lock_release(dcnn_run_lock *lock) {
    if (lock == NULL) return;
    pthread_mutex_lock(&lock->mutex);
    lock->end = true;
    pthread_cond_signal(&lock->wake);
    pthread_mutex_unlock(&lock->mutex);
    pthread_join(lock->keeper, NULL);
    holder now;
    if (read_holder(lock->path, &now) == SEEN && same_holder(&now, &lock->mine)) unlink(lock->path);
    pthread_mutex_destroy(&lock->mutex);
    pthread_cond_destroy(&lock->wake);
    free(lock->path);
    free(lock);
}
