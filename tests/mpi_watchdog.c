/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpi_watchdog.c — what the watchdog makes of ranks that live but do not compute.
 *
 *   mpi_watchdog stall     they stop at once: it must end them
 *   mpi_watchdog work      rank 0 works for longer than the timeout, and says so: it must not
 *   mpi_watchdog endless   rank 0 never ends its work: it must end them, after ten times the timeout
 *   mpi_watchdog leave     ranks end at different times, with a farewell: it must not mind
 *   mpi_watchdog spare     as stall, but later, and rank 2 has never computed: it must not be told as the first to stop
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "guard/watchdog.h"

static double began_s;

static void tell(const char *line) {
    fprintf(stderr, "after %.1f s: %s\n", dcnn_now_s() - began_s, line);
}

static void sleep_s(double seconds) {
    usleep((useconds_t)(1e6 * seconds));
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    const double timeout_s = strcmp(what, "endless") == 0 ? 1.0 : 2.0;
    dcnn_comm *comm;
    if (dcnn_comm_start(&argc, &argv, &comm) != DCNN_OK ||
        dcnn_watchdog_start(comm, timeout_s, false, "runs/x", tell) != DCNN_OK) {
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
