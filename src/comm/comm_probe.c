/* SPDX-License-Identifier: BSD-3-Clause */
/* comm_probe.c — how long a message takes. */
#include <mpi.h>
#include <stdlib.h>

#include "base/clock.h"
#include "comm/comm_private.h"

enum { TAG = 1 << 13 };

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double dcnn_comm_probe(dcnn_comm *comm, int a, int b, size_t bytes, int turns) {
    double median_s = 0.0;
    char *message = calloc(1, bytes + 1);
    double *times_s = calloc((size_t)turns, sizeof *times_s);
    if (message == NULL || times_s == NULL) dcnn_comm_abort(comm, DCNN_FAILURE);
    MPI_Barrier(comm->world);
    for (int turn = 0; turn < turns && (comm->rank == a || comm->rank == b); turn++) {
        const int peer = comm->rank == a ? b : a;
        const double began_s = dcnn_now_s();
        if (comm->rank == a) MPI_Send(message, (int)bytes, MPI_BYTE, peer, TAG, comm->world);
        MPI_Recv(message, (int)bytes, MPI_BYTE, peer, TAG, comm->world, MPI_STATUS_IGNORE);
        if (comm->rank == b) MPI_Send(message, (int)bytes, MPI_BYTE, peer, TAG, comm->world);
        times_s[turn] = 0.5 * (dcnn_now_s() - began_s);
    }
    qsort(times_s, (size_t)turns, sizeof *times_s, by_size);
    median_s = times_s[turns / 2];
    free(message);
    free(times_s);
    dcnn_comm_broadcast_from(comm, a, &median_s, sizeof median_s);
    return median_s;
}
