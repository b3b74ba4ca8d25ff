/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comm_sum.c — small exact sums over the batch: one fixed tree over grains, whoever holds them (tree.h).
 *
 * Each rank merges what it can of its own grains and lays the blocks that are left in its slot of the domain's memory.
 * After a barrier every rank reads all slots and walks the tree itself. Several domains sum on by rounds: a few groups
 * of neighbouring domains join, each domain gets what every other group has from one domain of it, until a group is all
 * of them. The ranks of a domain share out a round's messages, so that as many groups join at once as it has ranks, at
 * the time of one message: 64 nodes of 16 ranks are summed in two rounds, 8 lone ranks in two of two messages. What a
 * group has is the blocks of its grains, whoever merged them, so the bits are the tree's.
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

/* Groups that a lone rank joins: where a message takes 15 us and 3 of either core, 8 ranks take 54 us in two rounds of
 * two messages, 63 in three of one. */
enum { MOST_LEVELS = 16, FEWEST_GROUPS = 4 };

/* Neighbouring domains, and the groups of them that join. */
typedef struct level {
    int first, end; /* domains */
    int groups, own;
} level;

static int group_first(const level *l, int group) {
    return l->first + (int)dcnn_share_first(l->end - l->first, group, l->groups);
}

static bool reaches(int groups, int levels, int domains) {
    int64_t all = 1;
    for (int i = 0; i < levels; i++) all *= groups;
    return all >= domains;
}

/* As few rounds as may be, of as few groups as that takes. @return levels; *groups: that join at a time, at most */
static int count_levels(const dcnn_comm *comm, int *groups) {
    const int domains = comm->domain.count, rails = comm->domain.rails;
    const int most = rails + 1 > FEWEST_GROUPS ? rails + 1 : FEWEST_GROUPS;
    int levels = 1;
    while (!reaches(most, levels, domains)) levels++;
    *groups = 2;
    while (!reaches(*groups, levels, domains)) ++*groups;
    return levels;
}

/* This domain's, the whole first. @return how many */
static int list_levels(const dcnn_comm *comm, level levels[MOST_LEVELS]) {
    int groups, first = 0, end = comm->domain.count;
    const int count = count_levels(comm, &groups);
    for (int i = 0; i < count; i++) {
        level *l = &levels[i];
        *l = (level){first, end, end - first < groups ? end - first : groups, 0};
        while (comm->domain.index >= group_first(l, l->own + 1)) l->own++;
        first = group_first(l, l->own);
        end = group_first(l, l->own + 1);
    }
    return count;
}

static dcnn_tree blocks_of_group(const dcnn_comm *comm, const level *l, int group, int64_t grains) {
    return dcnn_comm_blocks_of_domains(comm, grains, group_first(l, group), group_first(l, group + 1));
}

/* How far group `to` lies behind group `from`, round about. */
static int steps_to(const level *l, int from, int to) {
    return (to - from + l->groups) % l->groups;
}

/* Which ranks carry what goes that far. */
static bool carries(const dcnn_comm *comm, int steps) {
    return comm->domain.rank == (steps - 1) % comm->domain.rails;
}

static int slot_length(const dcnn_tree *blocks, int count) {
    return SUMS + blocks->depth * count;
}

/* Waits; meanwhile gradients move on. */
static void wait_for(dcnn_comm *comm, MPI_Request *requests, int count) {
    for (int i = 0; i < count; i++) {
        int done = 0;
        while (dcnn_comm_is_sending(comm) && !comm->broken && !done) {
            if (MPI_Test(&requests[i], &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) break;
            if (!done) dcnn_comm_move_on(comm);
            if (!done) sched_yield();
        }
        if (!done) MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
    }
}

/* This rank's messages of a round: what other groups have, to `slots`, and ours to those that have it from here. Of two
 * groups, the larger one's last domain may have it from one that another domain has it from, too. */
static void swap(dcnn_comm *comm, const level *l, const double *mine, int mine_length, double *slots, int count,
                 int64_t grains) {
    MPI_Request requests[3 * FEWEST_GROUPS]; /* one from and up to two to each group; but one, with as many ranks */
    const int first = group_first(l, l->own), size = group_first(l, l->own + 1) - first;
    const int own = comm->domain.index - first;
    int started = 0;
    for (int group = 0; group < l->groups; group++) {
        const int from = group_first(l, group), others = group_first(l, group + 1) - from;
        const int here = steps_to(l, group, l->own), there = steps_to(l, l->own, group);
        const dcnn_tree blocks = blocks_of_group(comm, l, group, grains);
        if (group == l->own) continue;
        if (carries(comm, here))
            MPI_Irecv(slots + (size_t)group * (size_t)comm->sums.slot_length, slot_length(&blocks, count), MPI_DOUBLE,
                      from + own % others, TAG, comm->domain.rail, &requests[started++]);
        for (int other = own; other < others && carries(comm, there); other += size)
            MPI_Isend(mine, mine_length, MPI_DOUBLE, from + other, TAG, comm->domain.rail, &requests[started++]);
    }
    wait_for(comm, requests, started);
}

/* Sums on with the other domains; `domain` becomes the sum of all. */
static void sum_over_domains(dcnn_comm *comm, partial *domain, double *slots, int count, int64_t grains) {
    level levels[MOST_LEVELS];
    double *const mine = comm->sums.room + (size_t)comm->sums.slot_length;
    for (int i = list_levels(comm, levels) - 1; i >= 0; i--) {
        const level *l = &levels[i];
        const dcnn_tree ours = domain->tree;
        fill_slot(domain, mine);
        const double from_s = dcnn_now_s();
        if (comm->domain.rank < comm->domain.rails)
            swap(comm, l, mine, slot_length(&ours, count), slots, count, grains);
        dcnn_comm_waited(comm, true, from_s);
        dcnn_comm_domain_wait(comm);
        partial all = no_sums(comm, count, grains, domain->flag);
        for (int group = 0; group < l->groups; group++) {
            const dcnn_tree blocks = group == l->own ? ours : blocks_of_group(comm, l, group, grains);
            push_slot(&all, &blocks, group == l->own ? mine : slots + (size_t)group * (size_t)comm->sums.slot_length);
        }
        *domain = all;
        slots += (size_t)comm->sums.groups * (size_t)comm->sums.slot_length;
    }
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

void dcnn_comm_sum(dcnn_comm *comm, dcnn_shares shares, int count, const double *grain_sums, int stride, double *totals,
                   int *flag) {
    DCNN_COMM_MEET(comm, count);
    const size_t slot = (size_t)comm->sums.slot_length, ranks = (size_t)comm->domain.size;
    double *slots = comm->sums.slots + (comm->sums.turn++ % 2) * ranks * slot;
    partial mine = no_sums(comm, count, shares.grains, *flag);
    for (int64_t i = 0; i < shares.count; i++) push(&mine, (dcnn_block){0, shares.first + i}, grain_sums + i * stride);
    fill_slot(&mine, slots + (size_t)comm->domain.rank * slot);
    dcnn_comm_link_waits(comm, comm->domain.count > 1);
    dcnn_comm_domain_wait(comm);

    partial domain = no_sums(comm, count, shares.grains, *flag);
    for (int i = 0; i < comm->domain.size; i++) {
        const dcnn_tree blocks = dcnn_comm_blocks_of_ranks(comm, shares.grains, i, i + 1);
        push_slot(&domain, &blocks, slots + (size_t)i * slot);
    }
    if (comm->domain.count > 1)
        sum_over_domains(comm, &domain, comm->sums.slots + 2 * ranks * slot, count, shares.grains);
    dcnn_comm_link_waits(comm, false);
    *flag = domain.flag;
    memcpy(totals, domain.room, (size_t)count * sizeof *totals);
}

dcnn_status dcnn_comm_reserve_sums(dcnn_comm *comm, int count) {
    dcnn_comm_release_sums(comm);
    comm->sums.slot_length = SUMS + count * DCNN_TREE_DEPTH;
    const size_t slot = (size_t)comm->sums.slot_length, ranks = (size_t)comm->domain.size;
    const int levels = comm->domain.count > 1 ? count_levels(comm, &comm->sums.groups) : 0;
    const size_t slots = 2 * ranks + (size_t)levels * (size_t)comm->sums.groups; /* the others' of each level */
    void *shared;
    DCNN_TRY(dcnn_comm_share_domain(comm, slots * slot * sizeof(double), 0, &shared, NULL));
    comm->sums.slots = shared;
    comm->sums.room = calloc(2 * slot, sizeof(double)); /* partial sums, and what is sent of them */
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
    const size_t most = (size_t)1 << 30; /* MPI counts in int */
    const double from_s = dcnn_now_s();
    for (size_t at = 0; comm->world != MPI_COMM_NULL && at < count; at += most)
        MPI_Allreduce(MPI_IN_PLACE, total + at, (int)(count - at < most ? count - at : most), MPI_FLOAT, MPI_SUM,
                      comm->world);
    dcnn_comm_waited(comm, true, from_s);
}
