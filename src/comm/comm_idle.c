/* SPDX-License-Identifier: BSD-3-Clause */
/* comm_idle.c — which ranks work where there are more than cores; the others sleep until they are called. */
#include <mpi.h>
#include <stdlib.h>

#include "base/futex.h"
#include "comm/comm_private.h"

/* In memory that the ranks of a node share. */
struct dcnn_idle_shared {
    atomic_uint call; /* a dcnn_call */
    atomic_int signal;
};

static bool shall_every_rank_work(void) {
    const char *text = getenv("DCNN_EVERY_RANK");
    return dcnn_comm_can_shrink() || (text && atoi(text) != 0);
}

dcnn_status dcnn_comm_choose_workers(dcnn_comm *comm, dcnn_comm **workers) {
    const bool idle = dcnn_comm_follows_on_core(comm) && !shall_every_rank_work();
    int64_t idle_count = idle;
    dcnn_comm_add_integers(comm, &idle_count, 1);
    *workers = comm->idle.workers = idle_count == 0 ? comm : NULL;
    if (idle_count == 0) return DCNN_OK;
    void *block;
    bool writer;
    DCNN_TRY(dcnn_comm_share(comm, sizeof *comm->idle.shared, &block, &writer));
    comm->idle.shared = block;
    if (writer) *comm->idle.shared = (dcnn_idle_shared){0};
    dcnn_comm_share_done(comm, block);
    MPI_Comm works;
    MPI_Comm_split(comm->world, idle ? MPI_UNDEFINED : 0, comm->rank, &works);
    dcnn_status status = DCNN_OK;
    if (!idle) status = dcnn_comm_create(works, &comm->idle.workers);
    if (!idle) MPI_Comm_free(&works);
    *workers = comm->idle.workers;
    return dcnn_comm_agree(comm, status);
}

void dcnn_comm_call(dcnn_comm *comm, dcnn_call call) {
    if (comm->idle.shared == NULL || comm->node_rank != 0) return; /* the first of a node works */
    atomic_store(&comm->idle.shared->call, call);
    dcnn_futex_wake(&comm->idle.shared->call);
}

dcnn_call dcnn_comm_await_call(dcnn_comm *comm, dcnn_call last) {
    return (dcnn_call)dcnn_futex_wait(&comm->idle.shared->call, last);
}

atomic_int *dcnn_comm_signal(dcnn_comm *comm) {
    return comm->idle.shared ? &comm->idle.shared->signal : NULL;
}
