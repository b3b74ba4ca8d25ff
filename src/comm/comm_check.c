/* SPDX-License-Identifier: BSD-3-Clause */
/* comm_check.c — do all ranks make the same collectives in the same order? For tests, and for who changes this program:
 * a rank that takes another way mostly waits for ever, or takes one message for another. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "comm/comm_private.h"

/* Rank 0's setting holds for all: ranks of other hosts may have another environment. */
static bool shall_check(const dcnn_comm *comm) {
    const char *text = getenv("DCNN_CHECK_COLLECTIVES");
    int wanted = text && atoi(text) != 0;
    MPI_Bcast(&wanted, 1, MPI_INT, 0, comm->world);
    return wanted && comm->size > 1;
}

dcnn_status dcnn_comm_check_begin(dcnn_comm *comm) {
    dcnn_comm_check_end(comm);
    comm->collectives = 0; /* ranks that are left after a loss may have come to different ones */
    if (!shall_check(comm)) return DCNN_OK;
    dcnn_collective *places = calloc((size_t)comm->size, sizeof *places);
    int all_have = places != NULL;
    MPI_Allreduce(MPI_IN_PLACE, &all_have, 1, MPI_INT, MPI_MIN, comm->world);
    if (!all_have) {
        free(places);
        return DCNN_FAIL(DCNN_FAILURE, "out of memory: a check of the ranks' collectives");
    }
    comm->places = places;
    return DCNN_OK;
}

void dcnn_comm_check_end(dcnn_comm *comm) {
    free(comm->places);
    comm->places = NULL;
}

static bool is_same(const dcnn_collective *a, const dcnn_collective *b) {
    return strcmp(a->name, b->name) == 0 && a->number == b->number && a->size == b->size;
}

/* Does not return. The others wait until rank 0, who speaks, has spoken. */
static void end_apart(dcnn_comm *comm, int other) {
    const dcnn_collective *first = &comm->places[0], *second = &comm->places[other];
    if (comm->rank != 0) MPI_Barrier(comm->world);
    dcnn_warn(
        "the ranks are at different collectives: rank 0 at %s (call %lld, size %lld), rank %d at %s (call %lld, size "
        "%lld)",
        first->name, (long long)first->number, (long long)first->size, other, second->name, (long long)second->number,
        (long long)second->size);
    MPI_Abort(comm->world, DCNN_FAILURE);
}

void dcnn_comm_meet(dcnn_comm *comm, const char *name, int64_t size) {
    if (comm->places == NULL || comm->broken) return;
    dcnn_collective mine = {.number = ++comm->collectives, .size = size};
    snprintf(mine.name, sizeof mine.name, "%s", name);
    MPI_Allgather(&mine, sizeof mine, MPI_BYTE, comm->places, sizeof mine, MPI_BYTE, comm->world);
    for (int rank = 1; rank < comm->size && !comm->broken; rank++)
        if (!is_same(&comm->places[0], &comm->places[rank])) end_apart(comm, rank);
}
