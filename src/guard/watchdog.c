/* SPDX-License-Identifier: BSD-3-Clause */
/* watchdog.c — see watchdog.h. The thread owns everything in `dog` but the four atomics that training threads write. */
#include "guard/watchdog.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/launch.h"
#include "guard/free_memory.h"
#include "guard/watchdog_net.h"
#include "io/run_files.h"

enum { WORK_FACTOR = 10, FAREWELL_MS = 500, LAST_WORDS_S = 5 };

/* How long mpirun may take for ending the others: 1.5 s is usual, and with a host that is gone it takes for ever. */
enum { PATIENT_S = 10, IMPATIENT_S = 2 };

/* One at the other end of a connection: on rank 0 all others, elsewhere rank 0. */
typedef struct peer {
    int socket; /* -1: none, or closed */
    bool left;  /* said farewell */
    char host[DCNN_WATCHDOG_HOST];
    int rank;
    int64_t step;
    uint64_t progress;
    double heard_s, moved_s; /* by the clock of time awake */
    dcnn_watchdog_inbox inbox;
} peer;

static struct {
    bool running;
    int rank;
    double timeout_s, beat_s; /* seconds between heartbeats */
    bool elastic;             /* the others go on when a rank dies */
    char folder[512];
    int64_t kills; /* for memory, before this run */
    void (*tell)(const char *line);
    pthread_t thread;
    int stop; /* eventfd */
    peer *peers;
    struct pollfd *polled; /* [peer_count + 1] */
    int peer_count;
    double awake_s, seen_s; /* time awake; when it was last brought up to date */
    double work_began_s;    /* of this rank, by time awake; < 0: it does none */
    atomic_int_least64_t step;
    atomic_uint_least64_t progress;
    atomic_bool work;
} dog;

void dcnn_watchdog_step(int64_t step) {
    atomic_store_explicit(&dog.step, step, memory_order_relaxed);
    dcnn_watchdog_progress();
}

void dcnn_watchdog_progress(void) {
    atomic_fetch_add_explicit(&dog.progress, 1, memory_order_relaxed);
}

void dcnn_watchdog_work(bool begins) {
    atomic_store_explicit(&dog.work, begins, memory_order_relaxed);
    dcnn_watchdog_progress();
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void send_to_all(dcnn_watchdog_kind kind) {
    const dcnn_watchdog_message message = {
        .kind = kind, .rank = dog.rank, .step = atomic_load(&dog.step), .progress = atomic_load(&dog.progress)};
    for (int i = 0; i < dog.peer_count; i++)
        if (dog.peers[i].socket >= 0 && !dog.peers[i].left) dcnn_watchdog_send(dog.peers[i].socket, &message);
}

/* Whatever blocks from here on, the process ends. Nobody but rank 0 need tell the others: they hear it from rank 0. */
static _Noreturn void end_run(const char *line, double launcher_grace_s) {
    signal(SIGALRM, SIG_DFL);
    alarm(LAST_WORDS_S);
    send_to_all(DCNN_WATCHDOG_END);
    if (line && dog.tell) dog.tell(line);
    if (line) dcnn_launch_end_later(launcher_grace_s);
    _exit(DCNN_STOPPED);
}

static bool has_checkpoint(void) {
    char path[600];
    bool found = false;
    snprintf(path, sizeof path, "%s/" DCNN_RUN_CHECKPOINTS, dog.folder);
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        const char *ending = strrchr(entry->d_name, '.');
        found = strncmp(entry->d_name, "step-", 5) == 0 && ending && strcmp(ending, ".h5") == 0;
    }
    if (folder) closedir(folder);
    return found;
}

static _Noreturn void end_because(const char *what, int64_t step, double launcher_grace_s) {
    char line[1400 + 4 * sizeof dog.folder], word[4 * sizeof dog.folder + 3];
    signal(SIGALRM, SIG_DFL);
    alarm(LAST_WORDS_S); /* whatever stands still may be the file system */
    const bool killed = dog.kills >= 0 && dcnn_memory_kills("") > dog.kills;
    int used = snprintf(line, sizeof line, "%s (last step %lld)%s: the run ends here, ", what, (long long)step,
                        killed ? ", and Linux has killed a process because the memory limit of this job or container "
                                 "was reached: give it more (Slurm: --mem), or a smaller --batch-size"
                               : "");
    if (has_checkpoint())
        used +=
            snprintf(line + used, sizeof line - (size_t)used, "go on from its last checkpoint with --resume --run %s",
                     dcnn_shell_word(dog.folder, word, sizeof word));
    else
        used += snprintf(line + used, sizeof line - (size_t)used, "before its first checkpoint: start it again");
    if (!killed) snprintf(line + used, sizeof line - (size_t)used, " ('dcnn doctor' looks at the machines)");
    end_run(line, launcher_grace_s);
}

/* "rank 2 on n2 has", "rank 2 on n2 and 3 other ranks have": all that are about as silent as this one. */
static void describe(const peer *p, char text[DCNN_WATCHDOG_HOST + 64]) {
    int others = 0;
    for (int i = 0; i < dog.peer_count; i++) {
        const peer *q = &dog.peers[i];
        others += q != p && q->socket >= 0 && !q->left && dog.awake_s - q->heard_s > 0.5 * (dog.awake_s - p->heard_s);
    }
    int used = snprintf(text, DCNN_WATCHDOG_HOST + 64, "rank %d on %s", p->rank, p->host);
    if (others > 0) used += snprintf(text + used, 48, " and %d other rank%s", others, others == 1 ? "" : "s");
    snprintf(text + used, 8, " %s", others > 0 ? "have" : "has");
}

/* Rank 0's death is seen by all others at once: the first of them tells, and the launcher then ends the next ones
 * (within a second) before they do, unless the first is gone too. The short wait is for a farewell of all, as after a
 * second signal. */
static void wait_for_turn(void) {
    const int turns = dog.rank < 2 ? 0 : dog.rank < 22 ? dog.rank - 1 : 20;
    poll(NULL, 0, turns == 0 ? 50 : 1900 + 100 * turns);
}

/* Ranks are never further apart than the step in progress, and heartbeats are old news: the later one is right. */
static int64_t last_step(const peer *p) {
    const int64_t own = atomic_load(&dog.step);
    return own > p->step ? own : p->step;
}

static _Noreturn void end_of_dead(const peer *p) {
    char what[512];
    wait_for_turn();
    snprintf(what, sizeof what, "rank %d on %s has died", p->rank, p->host);
    end_because(what, last_step(p), PATIENT_S);
}

static _Noreturn void end_of_silent(const peer *p) {
    char what[512], who[DCNN_WATCHDOG_HOST + 64];
    const bool host_gone = dcnn_watchdog_unanswered_s(p->socket) > 0.5 * (dog.awake_s - p->heard_s);
    describe(p, who);
    snprintf(what, sizeof what, "%s given no sign of life for %.0f s, %s", who, dog.awake_s - p->heard_s,
             host_gone ? "nor does its host answer: it is dead, or the network is down"
                       : "though its host answers: the process is stuck");
    wait_for_turn();
    if (dog.elastic && dog.rank > 1) end_run(NULL, 0.0); /* the launcher does not end those whose turn comes later */
    end_because(what, last_step(p), host_gone ? IMPATIENT_S : PATIENT_S);
}

/* --- hearing ---------------------------------------------------------------------------------------------------- */

static void take_message(peer *p, const dcnn_watchdog_message *message) {
    if (message->kind == DCNN_WATCHDOG_FAREWELL) p->left = true;
    if (message->kind == DCNN_WATCHDOG_END) {
        poll(NULL, 0, FAREWELL_MS); /* the launcher tells who ended first: let it be the one that told why */
        end_run(NULL, 0.0);
    }
    if (message->progress != p->progress || message->working) p->moved_s = dog.awake_s;
    p->progress = message->progress;
    p->step = message->step;
}

static void hear(peer *p) {
    dcnn_watchdog_message message;
    const bool open = dcnn_watchdog_receive(p->socket, &p->inbox);
    while (dcnn_watchdog_next(&p->inbox, &message)) {
        p->heard_s = dog.awake_s;
        take_message(p, &message);
    }
    if (open) return;
    close(p->socket);
    p->socket = -1;
    if (!p->left && !dog.elastic) end_of_dead(p);
}

/* --- judging ---------------------------------------------------------------------------------------------------- */

/* Time in which this process did not run (SIGSTOP, a laptop's sleep) does not count: it could not have heard anyone. */
static void update_clock(void) {
    const double now_s = dcnn_now_s(), passed_s = now_s - dog.seen_s;
    dog.awake_s += passed_s < 2.0 * dog.beat_s ? passed_s : 2.0 * dog.beat_s;
    dog.seen_s = now_s;
}

/* Is this rank at long work, and not for too long? */
static bool at_work(void) {
    if (!atomic_load(&dog.work)) {
        dog.work_began_s = -1.0;
        return false;
    }
    if (dog.work_began_s < 0.0) dog.work_began_s = dog.awake_s;
    return dog.awake_s - dog.work_began_s < WORK_FACTOR * dog.timeout_s;
}

static void beat(void) {
    const dcnn_watchdog_message message = {.kind = DCNN_WATCHDOG_BEAT,
                                           .rank = dog.rank,
                                           .step = atomic_load(&dog.step),
                                           .progress = atomic_load(&dog.progress),
                                           .working = at_work()};
    for (int i = 0; i < dog.peer_count; i++)
        if (dog.peers[i].socket >= 0 && !dog.peers[i].left) dcnn_watchdog_send(dog.peers[i].socket, &message);
}

/* Heartbeats of all, but nobody computes: they all wait for messages that do not come, or for one that hangs by
 * itself. Who stopped clearly before the others is named. By rank 0, or by one that never reached it. */
static void judge_progress(peer *own) {
    const uint64_t now = atomic_load(&dog.progress);
    if (now != own->progress || at_work()) own->moved_s = dog.awake_s;
    own->progress = now;
    if (now == 0) return; /* a spare rank computes nothing, so it cannot tell */
    const peer *first = own;
    double last_s = own->moved_s;
    for (int i = 0; i < dog.peer_count; i++) {
        const peer *p = &dog.peers[i];
        if (p->socket < 0 || p->progress == 0) continue; /* gone, or a spare rank */
        if (p->moved_s > last_s) last_s = p->moved_s;
        if (p->moved_s < first->moved_s) first = p;
    }
    if (dog.awake_s - last_s < dog.timeout_s - 2.0 * dog.beat_s) return;
    char what[512];
    const int used = snprintf(what, sizeof what, "no rank has computed anything for %.0f s, though all are alive",
                              dog.awake_s - last_s);
    if (last_s - first->moved_s > 2.0 * dog.beat_s)
        snprintf(what + used, sizeof what - (size_t)used, "; rank %d on %s was the first to stop", first->rank,
                 first->host);
    end_because(what, atomic_load(&dog.step), IMPATIENT_S);
}

static void judge_silence(void) {
    for (int i = 0; i < dog.peer_count; i++) {
        const peer *p = &dog.peers[i];
        if (p->socket >= 0 && !p->left && dog.awake_s - p->heard_s > 0.75 * dog.timeout_s) end_of_silent(p);
    }
}

static void *watch(void *argument) {
    (void)argument;
    double next_beat_s = 0.0;
    peer own = {.rank = dog.rank};
    dcnn_watchdog_host(own.host);
    dog.seen_s = dcnn_now_s();
    for (;;) {
        dog.polled[0] = (struct pollfd){.fd = dog.stop, .events = POLLIN};
        for (int i = 0; i < dog.peer_count; i++)
            dog.polled[i + 1] = (struct pollfd){.fd = dog.peers[i].socket, .events = POLLIN};
        const double wait_s = next_beat_s - dog.awake_s;
        poll(dog.polled, (nfds_t)dog.peer_count + 1, wait_s > 0.0 ? (int)(1e3 * wait_s) + 1 : 0);
        update_clock();
        if (dog.polled[0].revents) return NULL;
        for (int i = 0; i < dog.peer_count; i++)
            if (dog.polled[i + 1].revents) hear(&dog.peers[i]);
        if (dog.awake_s < next_beat_s) continue;
        beat();
        next_beat_s = dog.awake_s + dog.beat_s;
        judge_silence();
        if (dog.rank == 0 || dog.peers[0].socket < 0) judge_progress(&own);
    }
}

/* --- starting and stopping -------------------------------------------------------------------------------------- */

/* On rank 0 the others lie in order of their ranks, so that the first one that is found is the lowest. */
static void add_peer(int rank, int socket, const char *host) {
    peer *p = &dog.peers[dog.rank == 0 ? rank - 1 : 0];
    if (p->socket >= 0) close(p->socket); /* that rank gave up an attempt and came again */
    *p = (peer){.socket = socket, .rank = rank};
    snprintf(p->host, sizeof p->host, "%s", host);
}

/* One connection a rank: a thousand ranks need more descriptors than a process gets unasked. */
static void raise_descriptor_limit(int wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= (rlim_t)wanted + 256) return;
    limit.rlim_cur = limit.rlim_max < (rlim_t)wanted + 256 ? limit.rlim_max : (rlim_t)wanted + 256;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void accept_all(dcnn_watchdog_door *door, const dcnn_watchdog_place *place, int size) {
    raise_descriptor_limit(size);
    for (int missing = size - 1; missing > 0;) {
        dcnn_watchdog_hello hello;
        const int socket = dcnn_watchdog_accept(door, place, &hello);
        if (socket < 0) return;
        if (hello.rank < 1 || hello.rank >= size) {
            close(socket);
            continue;
        }
        missing -= dog.peers[hello.rank - 1].socket < 0; /* else it has been here before, and came again */
        add_peer(hello.rank, socket, hello.host);
    }
}

/* The ranks find rank 0 by the addresses that it broadcasts; it accepts all of them, or as many as come in time. */
static void connect_all(dcnn_comm *comm) {
    const int size = dcnn_comm_size(comm);
    dcnn_watchdog_place place = {0};
    dcnn_watchdog_door door = {.listener = dog.rank == 0 ? dcnn_watchdog_listen(&place) : -1};
    dcnn_comm_broadcast(comm, &place, sizeof place);
    if (door.listener >= 0) {
        accept_all(&door, &place, size);
        dcnn_watchdog_close_door(&door);
    } else if (dog.rank > 0 && place.port != 0) {
        const int socket = dcnn_watchdog_connect(&place, dog.rank);
        if (socket >= 0) add_peer(0, socket, place.host);
    }
    int64_t missing = dog.rank > 0 && dog.peers[0].socket < 0;
    dcnn_comm_add_integers(comm, &missing, 1);
    if (missing > 0 && !dcnn_comm_is_broken(comm))
        dcnn_warn("%lld of %d ranks cannot reach rank 0 on %s over TCP: a rank that hangs or dies will be noticed, but "
                  "not named",
                  (long long)missing, size, place.host);
}

static dcnn_status make_room(int peers) {
    dog.peers = calloc((size_t)peers, sizeof *dog.peers);
    dog.polled = calloc((size_t)peers + 1, sizeof *dog.polled);
    dog.stop = eventfd(0, EFD_CLOEXEC);
    dog.peer_count = dog.peers ? peers : 0;
    for (int i = 0; i < dog.peer_count; i++) dog.peers[i].socket = -1;
    if (dog.peers && dog.polled && dog.stop >= 0) return DCNN_OK;
    return DCNN_FAIL(DCNN_FAILURE, "out of memory or descriptors: the watchdog of %d ranks", peers);
}

static void clean_up(void) {
    for (int i = 0; i < dog.peer_count; i++)
        if (dog.peers[i].socket >= 0) close(dog.peers[i].socket);
    if (dog.stop >= 0) close(dog.stop);
    free(dog.peers);
    free(dog.polled);
    dog.peers = NULL;
    dog.polled = NULL;
    dog.peer_count = 0;
    dog.stop = -1;
}

static dcnn_status start_thread(void) {
    sigset_t all, before; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&dog.thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0 ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "cannot start the watchdog's thread: %s", strerror(code));
}

static dcnn_status start(dcnn_comm *comm) {
    if (dcnn_comm_size(comm) == 1 || dog.timeout_s <= 0.0) return DCNN_OK;
    dog.rank = dcnn_comm_rank(comm);
    dog.beat_s = dog.timeout_s < 10.0 ? 0.1 * dog.timeout_s : 1.0;
    dog.awake_s = 0.0;
    dog.work_began_s = -1.0;
    dcnn_status status;
    DCNN_TRY_DONE(dcnn_comm_agree(comm, make_room(dog.rank == 0 ? dcnn_comm_size(comm) - 1 : 1)));
    connect_all(comm);
    status = start_thread();
    dog.running = status == DCNN_OK;
    status = dcnn_comm_agree(comm, status);
    if (status == DCNN_OK) return DCNN_OK;
    dcnn_watchdog_stop(); /* where it runs: it may have failed on another rank */
done:
    clean_up();
    return status;
}

dcnn_status dcnn_watchdog_start(dcnn_comm *comm, double timeout_s, bool elastic, const char *folder,
                                void (*tell)(const char *line)) {
    dog.timeout_s = timeout_s;
    dog.elastic = elastic;
    if (dcnn_comm_rank(comm) == 0) snprintf(dog.folder, sizeof dog.folder, "%s", folder);
    dcnn_comm_broadcast(comm, &dog.timeout_s, sizeof dog.timeout_s);
    dcnn_comm_broadcast(comm, dog.folder, sizeof dog.folder);
    dog.tell = tell;
    dog.kills = dcnn_memory_kills("");
    return start(comm);
}

dcnn_status dcnn_watchdog_restart(dcnn_comm *comm) {
    dcnn_watchdog_stop();
    return start(comm);
}

void dcnn_watchdog_stop(void) {
    if (!dog.running) return;
    const uint64_t one = 1;
    if (write(dog.stop, &one, sizeof one) != (ssize_t)sizeof one) return; /* cannot be: then it goes on watching */
    pthread_join(dog.thread, NULL);
    send_to_all(DCNN_WATCHDOG_FAREWELL);
    clean_up();
    dog.running = false;
}
