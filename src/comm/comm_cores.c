/* SPDX-License-Identifier: BSD-3-Clause */
/* comm_cores.c — the cores of a node and its ranks: how many each has, who shares them, and which are near each other.
 */
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "comm/comm_private.h"

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

bool dcnn_comm_follows_on_core(const dcnn_comm *comm) {
    cpu_set_t *masks = gather_masks(comm);
    const bool follows = CPU_COUNT(&masks[comm->node_rank]) == 1 && count_alike(comm, masks, comm->node_rank) > 0;
    free(masks);
    return follows;
}

/* --- which are near each other ---------------------------------------------------------------------------------- */

dcnn_place dcnn_comm_place(void) {
    dcnn_place place;
    for (int near = 0; near < DCNN_NEARS; near++) place.numbers[near] = dcnn_cores_near("", (dcnn_near)near);
    return place;
}

/* The first rank that has as much in common with this one, from the largest to the smallest thing. */
static int first_near(const dcnn_place *places, int rank, int near) {
    for (int other = 0; other < rank; other++) {
        bool alike = true;
        for (int i = near; i < DCNN_NEARS; i++) alike = alike && places[other].numbers[i] == places[rank].numbers[i];
        if (alike) return other;
    }
    return rank;
}

static bool is_before(const dcnn_place *places, int a, int b) {
    for (int near = DCNN_NEARS - 1; near >= 0; near--) {
        const int of_a = first_near(places, a, near), of_b = first_near(places, b, near);
        if (of_a != of_b) return of_a < of_b;
    }
    return a < b;
}

/* `mpirun` may deal ranks out to sockets in turns. */
int dcnn_comm_order_on_node(MPI_Comm node) {
    int rank, size, number = 0;
    MPI_Comm_rank(node, &rank);
    MPI_Comm_size(node, &size);
    const dcnn_place mine = dcnn_comm_place();
    dcnn_place *places = calloc((size_t)size, sizeof *places);
    if (places == NULL) MPI_Abort(node, DCNN_FAILURE);
    MPI_Allgather(&mine, (int)sizeof mine, MPI_BYTE, places, (int)sizeof mine, MPI_BYTE, node);
    for (int other = 0; other < size; other++) number += is_before(places, other, rank);
    free(places);
    return number;
}

/* What ranks may share beside their own cores and the memory of all, and who says so in place of the system. */
static const struct {
    const char *shares, *setting;
} nears[DCNN_NEARS] = {
    [DCNN_NEAR_NUMA] = {"a NUMA domain", "DCNN_NUMA_RANKS"}, [DCNN_NEAR_SOCKET] = {"a socket", "DCNN_SOCKET_RANKS"}};

void dcnn_comm_read_levels(int settings[DCNN_NEARS]) {
    for (int near = 0; near < DCNN_NEARS; near++) {
        const char *text = getenv(nears[near].setting);
        settings[near] = text ? atoi(text) : 0;
    }
}

/* Groups of ranks with the same number. @return how many; 0: they are not known, or their ranks do not follow one
 * another */
static int group_by_place(const dcnn_place *places, int size, int near, int *firsts) {
    int count = 0;
    for (int rank = 0; rank < size; rank++) {
        const int number = places[rank].numbers[near];
        if (number < 0) return 0;
        if (rank > 0 && places[rank - 1].numbers[near] == number) continue;
        for (int i = 0; i < count; i++)
            if (places[firsts[i]].numbers[near] == number) return 0;
        firsts[count++] = rank;
    }
    firsts[count] = size;
    return count;
}

/* As few groups of so many ranks at most as may be, alike. */
static int group_by_size(int size, int most, int *firsts) {
    const int count = most > 0 ? (size + most - 1) / most : 0;
    for (int i = 0; i <= count; i++) firsts[i] = count > 0 ? (int)dcnn_share_first(size, i, count) : 0;
    return count;
}

/* Is each group some of the smaller ones? */
static bool holds_whole(const int *firsts, int count, const int *smaller, int smaller_count) {
    int at = 0;
    for (int i = 0; i <= count; i++) {
        while (at < smaller_count && smaller[at] < firsts[i]) at++;
        if (smaller[at] != firsts[i]) return false;
    }
    return true;
}

static int smallest_group(const int *firsts, int count) {
    int least = firsts[1] - firsts[0];
    for (int i = 1; i < count; i++)
        if (firsts[i + 1] - firsts[i] < least) least = firsts[i + 1] - firsts[i];
    return least;
}

static void append_level(dcnn_domain *domain, const char *shares, const int *firsts, int count, int *room) {
    dcnn_level *level = &domain->levels[domain->level_count++];
    *level = (dcnn_level){shares, count, 0, room};
    memcpy(room, firsts, ((size_t)count + 1) * sizeof *room);
    while (room[level->index + 1] <= domain->rank) level->index++;
}

/* Ranks of a socket at least, by counting what a rank reads and writes, in vectors: with groups of g ranks, s of them,
 * 1 + 1/g + 1/g in place of 1, of which (s - 1)/(s g) from other sockets in place of (s - 1)/s. */
enum { LEAST_RANKS = 4 };

void dcnn_comm_list_levels(dcnn_domain *domain, const dcnn_place *places, const int *settings, int *firsts) {
    const int size = domain->size;
    const size_t row = (size_t)size + 1;
    int *next = firsts, *smaller = firsts + row * DCNN_MOST_LEVELS;
    int *now = smaller + row, smaller_count = size;
    bool is_set = false;
    for (int near = 0; near < DCNN_NEARS; near++) is_set = is_set || settings[near] > 0;
    domain->level_count = 0;
    for (int rank = 0; rank <= size; rank++) smaller[rank] = rank;
    append_level(domain, "a core", smaller, size, next);
    for (int near = 0; near < DCNN_NEARS; near++) {
        const int count = is_set ? group_by_size(size, settings[near], now) : group_by_place(places, size, near, now);
        if (count == 0 || !holds_whole(now, count, smaller, smaller_count)) continue;
        memcpy(smaller, now, row * sizeof *now);
        smaller_count = count;
        const int before = domain->levels[domain->level_count - 1].count;
        if (count > 1 && count < before && smallest_group(now, count) >= (is_set ? 1 : LEAST_RANKS))
            append_level(domain, nears[near].shares, now, count, next += row);
    }
    now[0] = 0;
    now[1] = size;
    append_level(domain, "a node", now, 1, next + row);
}
