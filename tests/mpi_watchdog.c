/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpi_watchdog.c — what the watchdog makes of ranks that live but do not compute.
 *
 *   mpi_watchdog stall     they stop at once: it must end them
 *   mpi_watchdog work      rank 0 works for longer than the timeout, and says so: it must not
 *   mpi_watchdog endless   rank 0 never ends its work: it must end them, after ten times the timeout
 *   mpi_watchdog leave     ranks end at different times, with a farewell: it must not mind
 *   mpi_watchdog door      strangers by the hundred knock at rank 0's door: all must meet all the same
 *   mpi_watchdog thread    rank 1 can start no thread: all must fail, and nobody may keep a connection
 *   mpi_watchdog spare     as stall, but later, and rank 2 has never computed: it must not be told as the first to stop
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "guard/watchdog.h"
#include "guard/watchdog_net.h"

static double began_s;

static void tell(const char *line) {
    fprintf(stderr, "after %.1f s: %s\n", dcnn_now_s() - began_s, line);
}

static void sleep_s(double seconds) {
    usleep((useconds_t)(1e6 * seconds));
}

/* --- strangers at the door --------------------------------------------------------------------------------------- */

enum { STRANGERS = 300 };
static bool besieged;
static pthread_t strangers;
static atomic_int door_port, knocks;

static void *knock(void *unused) {
    int handles[STRANGERS];
    char noise[200] = "GET / HTTP/1.1";
    (void)unused;
    memset(handles, -1, sizeof handles);
    for (int port; (port = door_port) != 0;)
        for (int i = 0; i < STRANGERS; i++) {
            struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
            to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            if (handles[i] >= 0) close(handles[i]);
            handles[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            knocks += connect(handles[i], (const struct sockaddr *)&to, sizeof to) == 0;
            if (i % 2) send(handles[i], noise, sizeof noise, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    for (int i = 0; i < STRANGERS; i++)
        if (handles[i] >= 0) close(handles[i]);
    return NULL;
}

/* In the place of the function that opens the door (--wrap): strangers come at once. */
int __real_dcnn_watchdog_listen(dcnn_watchdog_place *place);
int __wrap_dcnn_watchdog_listen(dcnn_watchdog_place *place);
int __wrap_dcnn_watchdog_listen(dcnn_watchdog_place *place) {
    const int handle = __real_dcnn_watchdog_listen(place);
    door_port = place->port;
    if (besieged && pthread_create(&strangers, NULL, knock, NULL) != 0) besieged = false;
    return handle;
}

/* Likewise of the function that starts the watchdog's thread: there is none on one rank. */
static bool no_thread;
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*body)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*body)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*body)(void *), void *argument) {
    return no_thread ? EAGAIN : __real_pthread_create(thread, how, body, argument);
}

static int count_descriptors(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) count++;
    if (folder) closedir(folder);
    return count;
}

/* Does the start fail on all ranks, with the words of the one that failed, and is nothing left of it? Twice, for MPI
 * opens something of its own at first. */
static int fail_to_start(dcnn_comm *comm) {
    int64_t good = 1;
    int count = 0;
    for (int tries = 0; tries < 2; tries++) {
        const int before = count;
        no_thread = dcnn_comm_rank(comm) == 1;
        const dcnn_status status = dcnn_watchdog_start(comm, 2.0, false, "runs/x", tell);
        no_thread = false;
        count = count_descriptors();
        good &= status == DCNN_FAILURE && strstr(dcnn_error(), "cannot start the watchdog's thread: ");
        if (tries > 0 && count != before) fprintf(stderr, "%d descriptors, before %d\n", count, before);
        if (tries > 0) good &= count == before;
    }
    dcnn_comm_add_integers(comm, &good, 1);
    if (dcnn_comm_rank(comm) == 0) puts(good == dcnn_comm_size(comm) ? "all good" : dcnn_error());
    dcnn_comm_finish(comm);
    return 0;
}

static dcnn_status start(dcnn_comm *comm, double timeout_s) {
    if (besieged && dcnn_comm_rank(comm) > 0) sleep_s(0.7); /* rank 0 waits, its door open */
    const dcnn_status status = dcnn_watchdog_start(comm, timeout_s, false, "runs/x", tell);
    const bool came = door_port != 0;
    door_port = 0;
    if (besieged && came) pthread_join(strangers, NULL);
    if (besieged && came && knocks < 10) fprintf(stderr, "only %d have knocked\n", knocks);
    return status;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    const double timeout_s = strcmp(what, "endless") == 0 ? 1.0 : 2.0;
    dcnn_comm *comm;
    besieged = strcmp(what, "door") == 0;
    dcnn_status status = dcnn_comm_start(&argc, &argv, &comm);
    if (status == DCNN_OK && strcmp(what, "thread") == 0) return fail_to_start(comm);
    if (status == DCNN_OK) status = start(comm, timeout_s);
    if (status != DCNN_OK) {
        fprintf(stderr, "%s\n", dcnn_error());
        return 1;
    }
    const int rank = dcnn_comm_rank(comm);
    began_s = dcnn_now_s();
    const bool spare = strcmp(what, "spare") == 0;
    if (!spare || rank != 2) dcnn_watchdog_step(7);
    for (int i = 0; spare && i < 20; i++) {
        if (rank != 2) dcnn_watchdog_progress();
        sleep_s(0.1);
    }
    if (spare) sleep_s(30.0);
    if (strcmp(what, "stall") == 0) sleep_s(30.0);
    if (strcmp(what, "endless") == 0 && rank == 0) dcnn_watchdog_work(true);
    if (strcmp(what, "endless") == 0) sleep_s(60.0);
    if (strcmp(what, "work") == 0) {
        if (rank == 0) dcnn_watchdog_work(true);
        if (rank == 0) sleep_s(3.0 * timeout_s);
        if (rank == 0) dcnn_watchdog_work(false);
        dcnn_comm_broadcast(comm, &began_s, sizeof began_s);
    }
    dcnn_comm_finish(comm);
    if (strcmp(what, "leave") == 0) sleep_s(0.5 * rank);
    dcnn_watchdog_stop();
    if (strcmp(what, "leave") == 0 && rank == 0) sleep_s(1.5 * timeout_s);
    if (rank == 0) printf("all good\n");
    return 0;
}
