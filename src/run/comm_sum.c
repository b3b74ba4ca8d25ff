/*
 * comm_sum.c — small exact sums over the batch: one fixed tree over grains, whoever holds them (tree.h).
 *
 * Each rank merges what it can of its own grains and lays the blocks that are left in its slot of the domain's memory.
 * After a barrier every rank reads all slots and walks the tree itself. With several domains the first rank of each
 * carries the domain's blocks to the others and leaves the total for its own. Two sets of slots in turn make one
 * barrier enough: nobody writes into a slot that another still reads.
 */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "run/comm_private.h"

enum { WISH, SUMS }; /* a slot: the rank's wish, as a double, then its sums */

/* Vectors that merge along the tree as blocks are pushed, left to right. */
typedef struct pile {
    dcnn_tree tree;
    double *vectors[DCNN_TREE_DEPTH];
} pile;

static void push(pile *p, dcnn_block block, double *vector, int count, int64_t grains) {
    int depth = p->tree.depth + 1;
    p->vectors[depth - 1] = vector;
    for (int merges = dcnn_tree_push(&p->tree, block, grains); merges > 0; merges--, depth--)
        for (int i = 0; i < count; i++) p->vectors[depth - 2][i] += p->vectors[depth - 1][i];
}

static void push_slot(pile *p, dcnn_tree blocks, double *slot, int count, int64_t grains, int *wish) {
    if ((int)slot[WISH] > *wish) *wish = (int)slot[WISH];
    for (int i = 0; i < blocks.depth; i++) push(p, blocks.blocks[i], slot + SUMS + i * count, count, grains);
}

static void fill_slot(const pile *p, int count, int wish, double *slot) {
    slot[WISH] = wish;
    for (int i = 0; i < p->tree.depth; i++)
        memcpy(slot + SUMS + i * count, p->vectors[i], (size_t)count * sizeof(double));
}

/* The most doubles that any domain brings: equal lengths let MPI use its logarithmic allgather. */
static int longest(const dcnn_comm *comm, int64_t grains, int count) {
    int most = 0;
    for (int domain = 0; domain < comm->domain_count; domain++) {
        const int depth = dcnn_comm_blocks_of_domain(comm, grains, domain).depth;
        if (depth > most) most = depth;
    }
    return SUMS + most * count;
}

/* By the first rank of each domain: its blocks to all other domains, the total into `slot`. */
static void sum_over_rail(dcnn_comm *comm, const pile *mine, int64_t grains, int count, int *wish, double *slot) {
    const int length = longest(comm, grains, count);
    double *out = comm->sum_room + (size_t)comm->domain_size * (size_t)comm->slot_length, *in = out + length;
    fill_slot(mine, count, *wish, out);
    const double from_s = dcnn_now_s();
    MPI_Allgather(out, length, MPI_DOUBLE, in, length, MPI_DOUBLE, comm->rail);
    dcnn_comm_waited(comm, true, from_s);
    pile all = {0};
    for (int domain = 0; domain < comm->domain_count; domain++)
        push_slot(&all, dcnn_comm_blocks_of_domain(comm, grains, domain), in + (size_t)domain * (size_t)length, count,
                  grains, wish);
    fill_slot(&all, count, *wish, slot);
}

void dcnn_comm_sum(dcnn_comm *comm, dcnn_shares shares, int count, double *grain_sums, int stride, double *totals,
                   int *wish) {
    const size_t slot = (size_t)comm->slot_length, ranks = (size_t)comm->domain_size;
    double *slots = comm->slots + (comm->sum_turn++ % 2) * ranks * slot, *total = comm->slots + 2 * ranks * slot;
    pile mine = {0}, domain = {0};
    for (int64_t i = 0; i < shares.count; i++)
        push(&mine, (dcnn_block){0, shares.first + i}, grain_sums + i * stride, count, shares.grains);
    fill_slot(&mine, count, *wish, slots + (size_t)comm->domain_rank * slot);
    dcnn_comm_domain_barrier(comm);

    for (int i = 0; i < comm->domain_size; i++) { /* each adds in a copy of its own */
        const int rank = comm->domain_index * comm->domain_size + i;
        const dcnn_tree blocks = dcnn_comm_blocks_of_rank(comm, shares.grains, rank);
        double *copy = comm->sum_room + (size_t)i * slot;
        memcpy(copy, slots + (size_t)i * slot, (size_t)(SUMS + blocks.depth * count) * sizeof(double));
        push_slot(&domain, blocks, copy, count, shares.grains, wish);
    }
    if (comm->domain_count == 1) {
        memcpy(totals, domain.vectors[0], (size_t)count * sizeof(double));
        return;
    }
    if (comm->domain_rank == 0) sum_over_rail(comm, &domain, shares.grains, count, wish, total);
    dcnn_comm_domain_barrier(comm);
    *wish = (int)total[WISH];
    memcpy(totals, total + SUMS, (size_t)count * sizeof(double));
}

dcnn_status dcnn_comm_reserve_sums(dcnn_comm *comm, int count) {
    dcnn_comm_release_sums(comm);
    comm->slot_length = SUMS + count * DCNN_TREE_DEPTH;
    const size_t slot = (size_t)comm->slot_length, ranks = (size_t)comm->domain_size;
    void *shared;
    DCNN_TRY(dcnn_comm_share_domain(comm, (2 * ranks + 1) * slot * sizeof(double), 0, &shared, NULL));
    comm->slots = shared;
    comm->sum_room = calloc((ranks + (size_t)comm->domain_count + 1) * slot, sizeof(double));
    return dcnn_comm_agree(comm, comm->sum_room ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: sums"));
}

void dcnn_comm_release_sums(dcnn_comm *comm) {
    dcnn_comm_unshare(comm, comm->slots);
    free(comm->sum_room);
    comm->slots = comm->sum_room = NULL;
}
