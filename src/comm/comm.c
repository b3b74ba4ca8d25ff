/* SPDX-License-Identifier: BSD-3-Clause */
/* comm.c — who we are, and the plain collectives: what all else in this folder stands on. comm_domain.c has what ranks
 * share, gradient/ and comm_sum.c the sums over the batch, comm_start.c makes a comm of them. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "comm/comm_private.h"

/* --- who we are ------------------------------------------------------------------------------------------------- */

int dcnn_comm_rank(const dcnn_comm *comm) {
    return comm->rank;
}

int dcnn_comm_size(const dcnn_comm *comm) {
    return comm->size;
}

int dcnn_comm_node_rank(const dcnn_comm *comm) {
    return comm->node_rank;
}

int dcnn_comm_node_size(const dcnn_comm *comm) {
    return comm->node_size;
}

int dcnn_comm_node_count(const dcnn_comm *comm) {
    return comm->node_count;
}

int dcnn_comm_node_cores(const dcnn_comm *comm) {
    return comm->node_cores;
}

int dcnn_comm_cores(const dcnn_comm *comm) {
    return comm->cores;
}

dcnn_isa dcnn_comm_isa(const dcnn_comm *comm) {
    return comm->isa;
}

const char *dcnn_comm_version(void) {
    static char version[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    MPI_Get_library_version(version, &length);
    version[strcspn(version, ",\n")] = '\0';   /* "Open MPI v4.1.4" of a long line */
    char *label = strstr(version, "Version:"); /* "MPICH Version:<tab>4.0.2" */
    if (label) {
        const char *number = label + strlen("Version:");
        number += strspn(number, " \t");
        memmove(label, number, strlen(number) + 1);
    }
    return version;
}

/* --- ranks that die --------------------------------------------------------------------------------------------- */

bool dcnn_comm_can_shrink(void) {
    const char *enabled = getenv("OMPI_MCA_mpi_ft_enable"); /* mpirun --with-ft ulfm sets it */
    return enabled && atoi(enabled) != 0;
}

bool dcnn_comm_is_elastic(const dcnn_comm *comm) {
    return comm->elastic;
}

bool dcnn_comm_is_broken(const dcnn_comm *comm) {
    return comm->broken;
}

dcnn_status dcnn_comm_fail_broken(void) {
    return DCNN_FAIL(DCNN_FAILURE, "a rank was lost");
}

void dcnn_comm_abort(dcnn_comm *comm, int code) {
    if (comm->world == MPI_COMM_NULL) _exit(code);
    MPI_Abort(comm->world, code);
    _exit(code);
}

/* --- plain collectives ------------------------------------------------------------------------------------------ */

dcnn_status dcnn_comm_agree(dcnn_comm *comm, dcnn_status status) {
    struct {
        int status, rank;
    } mine = {(int)status, comm->rank}, worst;
    if (comm->world == MPI_COMM_NULL) return status;
    DCNN_COMM_MEET(comm, 0);
    MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm->world);
    if (comm->broken) return dcnn_comm_fail_broken();
    if (worst.status == DCNN_OK) return DCNN_OK;
    char message[1024];
    snprintf(message, sizeof message, "%s", dcnn_error());
    MPI_Bcast(message, sizeof message, MPI_CHAR, worst.rank, comm->world);
    if (comm->broken) return dcnn_comm_fail_broken();
    dcnn_error_set(message);
    return (dcnn_status)worst.status;
}

void dcnn_comm_broadcast(dcnn_comm *comm, void *bytes, size_t length) {
    dcnn_comm_broadcast_from(comm, 0, bytes, length);
}

void dcnn_comm_broadcast_from(dcnn_comm *comm, int root, void *bytes, size_t length) {
    const size_t most = (size_t)1 << 30; /* MPI counts are int */
    if (comm->world == MPI_COMM_NULL) return;
    DCNN_COMM_MEET(comm, length);
    for (size_t at = 0; at < length; at += most)
        MPI_Bcast((char *)bytes + at, (int)(length - at < most ? length - at : most), MPI_BYTE, root, comm->world);
}

void dcnn_comm_add_integers(dcnn_comm *comm, int64_t *values, int count) {
    DCNN_COMM_MEET(comm, count);
    if (comm->world != MPI_COMM_NULL) MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_INT64_T, MPI_SUM, comm->world);
}

void dcnn_comm_gather(dcnn_comm *comm, const void *mine, int64_t length, void *all, const int64_t *lengths) {
    const int64_t most = (int64_t)1 << 30;
    DCNN_COMM_MEET(comm, 0);
    if (comm->rank != 0) {
        for (int64_t at = 0; at < length; at += most)
            MPI_Send((const char *)mine + at, (int)(length - at < most ? length - at : most), MPI_BYTE, 0, 0,
                     comm->world);
        return;
    }
    memcpy(all, mine, (size_t)length);
    char *next = (char *)all + length;
    for (int rank = 1; rank < comm->size; next += lengths[rank], rank++)
        for (int64_t at = 0; at < lengths[rank]; at += most)
            MPI_Recv(next + at, (int)(lengths[rank] - at < most ? lengths[rank] - at : most), MPI_BYTE, rank, 0,
                     comm->world, MPI_STATUS_IGNORE);
}

/* --- waits ------------------------------------------------------------------------------------------------------ */

void dcnn_comm_waited(dcnn_comm *comm, bool network, double from_s) {
    const dcnn_wait wait = {network, from_s, dcnn_now_s()};
    if (comm->waits.count < DCNN_MOST_WAITS)
        comm->waits.list[comm->waits.count++] = wait;
    else /* as long as both together */
        comm->waits.list[DCNN_MOST_WAITS - 1].from_s -= wait.to_s - wait.from_s;
}

int dcnn_comm_waits(dcnn_comm *comm, dcnn_wait waits[DCNN_MOST_WAITS]) {
    const int count = comm->waits.count;
    memcpy(waits, comm->waits.list, (size_t)count * sizeof *waits);
    comm->waits.count = 0;
    return count;
}
