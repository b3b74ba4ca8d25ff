/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comm_sum.c — small exact sums over the batch: one fixed tree over grains, whoever holds them (tree.h).
 *
 * Each rank merges what it can of its own grains and lays the blocks that are left in its slot of the domain's memory.
 * After a barrier every rank reads all slots and walks the tree itself. With several domains the first rank of each
 * sums on with the others, by recursive doubling: groups of 1, 2, 4 … neighbouring domains swap what they have merged,
 * until a group is all of them. What a group has is the blocks of its grains, whoever merged them, so the bits are the
 * tree's, and a rank's room and messages do not grow with the number of ranks.
 */
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "comm/comm_private.h"

enum { FLAG, SUMS }; /* a slot: a rank's or group's flag, as a double, then the sums of its blocks */

enum { TAG = 1 << 12 };

/* Blocks that merge along the tree as they are pushed, left to right; each has room of its own. */
typedef struct partial {
    dcnn_tree tree;
    double *room; /* [DCNN_TREE_DEPTH][count] */
    int count;
    int64_t grains;
    int flag;
} partial;

static partial no_sums(const dcnn_comm *comm, int count, int64_t grains, int flag) {
    return (partial){.room = comm->sums.room, .count = count, .grains = grains, .flag = flag};
}

static void push(partial *p, dcnn_block block, const double *sums) {
    double *top = p->room + (size_t)p->tree.depth * (size_t)p->count;
    memcpy(top, sums, (size_t)p->count * sizeof *top);
    for (int merges = dcnn_tree_push(&p->tree, block, p->grains); merges > 0; merges--, top -= p->count)
        for (int i = 0; i < p->count; i++) top[i - p->count] += top[i];
}

static void push_slot(partial *p, const dcnn_tree *blocks, const double *slot) {
    if ((int)slot[FLAG] > p->flag) p->flag = (int)slot[FLAG];
    for (int i = 0; i < blocks->depth; i++) push(p, blocks->blocks[i], slot + SUMS + i * p->count);
}

static void fill_slot(const partial *p, double *slot) {
    slot[FLAG] = p->flag;
    memcpy(slot + SUMS, p->room, (size_t)p->tree.depth * (size_t)p->count * sizeof *slot);
}

/* --- between domains -------------------------------------------------------------------------------------------- */

/* What neighbouring domains have together. */
typedef struct group {
    int first, end; /* domains */
    dcnn_tree blocks;
    double *slot;
} group;

static group make_group(const dcnn_comm *comm, int64_t grains, int first, int end, double *slot) {
    return (group){first, end, dcnn_comm_blocks_of_domains(comm, grains, first, end), slot};
}

static int slot_length(const group *g, int count) {
    return SUMS + g->blocks.depth * count;
}

/* Joins its right or left neighbour to a group. */
static void join(const dcnn_comm *comm, group *mine, const group *theirs, int count, int64_t grains) {
    const group *left = theirs->first < mine->first ? theirs : mine, *right = left == mine ? theirs : mine;
    partial p = no_sums(comm, count, grains, 0);
    push_slot(&p, &left->blocks, left->slot);
    push_slot(&p, &right->blocks, right->slot);
    fill_slot(&p, mine->slot);
    mine->blocks = p.tree;
    const int first = left->first, end = right->end;
    mine->first = first;
    mine->end = end;
}

/* One message each way, either may be of no length; meanwhile gradients move on. */
static void swap(dcnn_comm *comm, const double *mine, int mine_length, double *theirs, int theirs_length, int peer) {
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    if (theirs_length > 0) MPI_Irecv(theirs, theirs_length, MPI_DOUBLE, peer, TAG, comm->domain.rail, &requests[0]);
    if (mine_length > 0) MPI_Isend(mine, mine_length, MPI_DOUBLE, peer, TAG, comm->domain.rail, &requests[1]);
    for (int i = 0; i < 2; i++) {
        int done = 0;
        while (dcnn_comm_is_sending(comm) && !comm->broken && !done) {
            if (MPI_Test(&requests[i], &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) break;
            if (!done) dcnn_comm_progress(comm);
            if (!done) sched_yield();
        }
        if (!done) MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
    }
}

/* By the first rank of each domain: sums on with the others; `mine` becomes all. Of domains that are not a power of
 * two, the first so many pairs begin as one. */
static void sum_over_rail(dcnn_comm *comm, group *mine, int count, int64_t grains) {
    const int domain = comm->domain.index;
    int whole = 1;
    while (2 * whole <= comm->domain.count) whole *= 2;
    const int pairs = comm->domain.count - whole;
    const bool paired = domain < 2 * pairs, leads = !paired || domain % 2 == 0;
    double *const room = comm->sums.room + (size_t)comm->sums.slot_length;
    if (paired) {
        group other = make_group(comm, grains, domain ^ 1, (domain ^ 1) + 1, room);
        if (leads) {
            swap(comm, NULL, 0, room, slot_length(&other, count), other.first);
            join(comm, mine, &other, count, grains);
        } else {
            swap(comm, mine->slot, slot_length(mine, count), NULL, 0, other.first);
        }
    }
    const int number = paired ? domain / 2 : domain - pairs; /* among those that lead */
    for (int width = 1; leads && width < whole; width *= 2) {
        const int other = number ^ width, from = other / width * width, to = from + width;
        const int peer = other < pairs ? 2 * other : other + pairs;
        group theirs =
            make_group(comm, grains, from < pairs ? 2 * from : from + pairs, to < pairs ? 2 * to : to + pairs, room);
        swap(comm, mine->slot, slot_length(mine, count), room, slot_length(&theirs, count), peer);
        join(comm, mine, &theirs, count, grains);
    }
    if (paired && leads) swap(comm, mine->slot, SUMS + count, NULL, 0, domain + 1);
    if (!leads) swap(comm, NULL, 0, mine->slot, SUMS + count, domain - 1);
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

void dcnn_comm_sum(dcnn_comm *comm, dcnn_shares shares, int count, const double *grain_sums, int stride, double *totals,
                   int *flag) {
    DCNN_COMM_MEET(comm, count);
    const size_t slot = (size_t)comm->sums.slot_length, ranks = (size_t)comm->domain.size;
    double *slots = comm->sums.slots + (comm->sums.turn++ % 2) * ranks * slot,
           *total = comm->sums.slots + 2 * ranks * slot;
    partial mine = no_sums(comm, count, shares.grains, *flag);
    for (int64_t i = 0; i < shares.count; i++) push(&mine, (dcnn_block){0, shares.first + i}, grain_sums + i * stride);
    fill_slot(&mine, slots + (size_t)comm->domain.rank * slot);
    dcnn_comm_link_waits(comm, comm->domain.count > 1);
    dcnn_comm_domain_wait(comm);

    partial domain = no_sums(comm, count, shares.grains, *flag);
    for (int i = 0; i < comm->domain.size; i++) {
        const dcnn_tree blocks = dcnn_comm_blocks_of_rank(comm, shares.grains, i);
        push_slot(&domain, &blocks, slots + (size_t)i * slot);
    }
    if (comm->domain.count == 1) {
        *flag = domain.flag;
        memcpy(totals, domain.room, (size_t)count * sizeof *totals);
        return;
    }
    if (comm->domain.rank == 0) {
        fill_slot(&domain, total);
        group all = {comm->domain.index, comm->domain.index + 1, domain.tree, total};
        const double from_s = dcnn_now_s();
        sum_over_rail(comm, &all, count, shares.grains);
        dcnn_comm_waited(comm, true, from_s);
    }
    dcnn_comm_domain_wait(comm);
    dcnn_comm_link_waits(comm, false);
    *flag = (int)total[FLAG];
    memcpy(totals, total + SUMS, (size_t)count * sizeof *totals);
}

dcnn_status dcnn_comm_reserve_sums(dcnn_comm *comm, int count) {
    dcnn_comm_release_sums(comm);
    comm->sums.slot_length = SUMS + count * DCNN_TREE_DEPTH;
    const size_t slot = (size_t)comm->sums.slot_length, ranks = (size_t)comm->domain.size;
    void *shared;
    DCNN_TRY(dcnn_comm_share_domain(comm, (2 * ranks + 1) * slot * sizeof(double), 0, &shared, NULL));
    comm->sums.slots = shared;
    comm->sums.room = calloc(2 * slot, sizeof(double)); /* partial sums, and a neighbour's slot */
    return dcnn_comm_agree(comm, comm->sums.room ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: sums"));
}

void dcnn_comm_release_sums(dcnn_comm *comm) {
    dcnn_comm_unshare(comm, comm->sums.slots);
    free(comm->sums.room);
    comm->sums.slots = comm->sums.room = NULL;
}

/* --- as other programs sum -------------------------------------------------------------------------------------- */

void dcnn_comm_gradient_plain(dcnn_comm *comm, const dcnn_kernels *kernels, size_t count, int block_count,
                              float *const *blocks, float *total) {
    DCNN_COMM_MEET(comm, count);
    if (block_count == 0)
        memset(total, 0, count * sizeof(float));
    else
        memcpy(total, blocks[0], count * sizeof(float));
    for (int i = 1; i < block_count; i++) kernels->add(count, total, blocks[i], total);
    const double from_s = dcnn_now_s();
    if (comm->world != MPI_COMM_NULL) MPI_Allreduce(MPI_IN_PLACE, total, (int)count, MPI_FLOAT, MPI_SUM, comm->world);
    dcnn_comm_waited(comm, true, from_s);
}
