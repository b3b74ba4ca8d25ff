/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpi_collectives.c — ranks that compare their collectives (DCNN_CHECK_COLLECTIVES=1), on three ranks.
 *
 *   mpi_collectives same      all make the same: nothing is said
 *   mpi_collectives other     rank 1 broadcasts where the others add
 *   mpi_collectives size      rank 2 broadcasts fewer bytes
 *   mpi_collectives barrier   rank 1 waits at the domain's barrier, which is not a message, where the others agree
 *   mpi_collectives more      rank 2 agrees once more where the others end
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "comm/comm.h"

static void print(dcnn_log_level level, const char *line) {
    (void)level;
    fprintf(stderr, "%s\n", line);
}

int main(int argc, char **argv) {
    dcnn_comm *comm;
    const char *wanted = argc > 1 ? argv[1] : "same";
    if (dcnn_comm_start(&argc, &argv, &comm) != DCNN_OK) return 1;
    const int rank = dcnn_comm_rank(comm);
    if (rank == 0) dcnn_log_to(print, DCNN_LOG_INFO);
    int64_t values[2] = {1, 2};
    dcnn_comm_add_integers(comm, values, 2);
    dcnn_comm_broadcast(comm, values, sizeof values);
    dcnn_comm_domain_barrier(comm);

    if (rank == 1 && strcmp(wanted, "other") == 0)
        dcnn_comm_broadcast(comm, values, sizeof *values);
    else
        dcnn_comm_add_integers(comm, values, 1);
    dcnn_comm_broadcast(comm, values, rank == 2 && strcmp(wanted, "size") == 0 ? 4 : 8);
    if (rank == 1 && strcmp(wanted, "barrier") == 0)
        dcnn_comm_domain_barrier(comm);
    else if (dcnn_comm_agree(comm, DCNN_OK) != DCNN_OK)
        return 1;
    if (rank == 2 && strcmp(wanted, "more") == 0 && dcnn_comm_agree(comm, DCNN_OK) != DCNN_OK) return 1;
    dcnn_comm_finish(comm);
    if (rank == 0) printf("all good\n");
    return 0;
}
