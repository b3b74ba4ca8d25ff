/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comm_elastic.c — going on when a rank has died (ULFM: MPI 5's fault tolerance, in Open MPI since 5.0).
 *
 * An elastic comm has no domains, for a dead rank would leave the others waiting in shared memory. The first error that
 * MPI returns marks the comm as broken and revokes it, so that every rank's pending and later calls end with an error
 * at once: until it is shrunk nothing that it gives back is to be used, and nothing in it waits.
 */
#include <mpi.h>
#include <stdlib.h>
#if defined(OPEN_MPI)
#include <mpi-ext.h> /* MPIX_…, if this Open MPI has them */
#endif

#include "base/log.h"
#include "comm/comm_private.h"

#ifdef OMPI_HAVE_MPI_EXT_FTMPI

static dcnn_comm *watched; /* an error handler knows only its communicator */

static void note_error(MPI_Comm *where, int *code, ...) {
    (void)where;
    (void)code;
    if (watched->broken) return;
    watched->broken = true;
    MPIX_Comm_revoke(watched->world);
    MPIX_Comm_revoke(watched->domain.rail);
}

/* From now on errors of this comm are noted, not fatal. */
static void note_errors(dcnn_comm *comm) {
    static MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
    watched = comm;
    if (handler == MPI_ERRHANDLER_NULL) MPI_Comm_create_errhandler(note_error, &handler);
    MPI_Comm_set_errhandler(comm->world, handler);
    MPI_Comm_set_errhandler(comm->domain.rail, handler);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN); /* of messages that belong to no call any more */
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
}

dcnn_status dcnn_comm_make_elastic(dcnn_comm *comm) {
    if (!dcnn_comm_can_shrink())
        return DCNN_FAIL(DCNN_USAGE, "--elastic needs MPI's fault tolerance: start with mpirun --with-ft ulfm");
    comm->elastic = true;
    dcnn_comm_separate(comm);
    note_errors(comm);
    return DCNN_OK;
}

int dcnn_comm_shrink(dcnn_comm *comm) {
    const int before = comm->size;
    dcnn_comm_release_gradient(comm); /* of their requests each ends with an error */
    dcnn_comm_release_sums(comm);
    MPIX_Comm_revoke(comm->world); /* another rank's error may be all that we know of */
    MPIX_Comm_revoke(comm->domain.rail);
    MPI_Comm left;
    MPIX_Comm_shrink(comm->world, &left);
    dcnn_comm_forget_domains(comm); /* communicators that have lost a rank cannot be freed by all of theirs */
    comm->broken = false;
    comm->has_lost = true;
    if (dcnn_comm_adopt(comm, left) != DCNN_OK) MPI_Abort(left, DCNN_FAILURE);
    note_errors(comm);
    return before - comm->size;
}

#else

dcnn_status dcnn_comm_make_elastic(dcnn_comm *comm) {
    (void)comm;
    return DCNN_FAIL(DCNN_USAGE, "--elastic needs an MPI that can go on without a rank, as Open MPI 5 can; this is %s",
                     dcnn_comm_version());
}

int dcnn_comm_shrink(dcnn_comm *comm) {
    (void)comm;
    return 0;
}

#endif
