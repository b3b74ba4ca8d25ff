/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * levels.c — the gradient's sum within a domain, level by level. What the groups of the level before have, the ranks of
 * a group add up for it, each one slice; then they wait until the others that the next level reads have come as far.
 * Of the first level each rank has what it published; of those above each group has the blocks of its ranks' grains,
 * in memory near to it; the last one's sums are the domain's, and go where gradient.c says.
 *
 *     ranks 0 1 2 3 of socket 0, 4 5 6 7 of socket 1; who adds which part of the vector, and what it reads for that:
 *
 *     socket    0: [0,¼) of 0 1 2 3      1: [¼,½) of 0 1 2 3    …    4: [0,¼) of 4 5 6 7    …    7: [¾,1) of 4 5 6 7
 *     node      0: [0,⅛) of both sums    1: [⅛,¼) of both       …    4: [½,⅝) of both       …    7: [⅞,1) of both
 *
 * So of each sum a socket gets half from the other one, once, where else every rank reads half of its slice there. The
 * same bits, for what a group adds up are whole subtrees, and what it can't merge the next level does.
 */
#include <string.h>

#include "comm/gradient/exchange.h"

enum { LINE = 64, PAGE = 4096 };

static int top_of(const dcnn_comm *comm) {
    return comm->domain.level_count - 1;
}

bool dcnn_levels_at_top(const dcnn_comm *comm, const dcnn_exchange *exchange) {
    return exchange->level == top_of(comm);
}

/* The first rank of our group, and the end. */
static int own_first(const dcnn_level *level) {
    return level->firsts[level->index];
}

static int own_end(const dcnn_level *level) {
    return level->firsts[level->index + 1];
}

/* Where a group's blocks are added up. */
static float *sums_of(const dcnn_comm *comm, const dcnn_exchange *exchange, int level, int group) {
    const dcnn_near_sums *near = &comm->gradients.near[level];
    return (float *)(void *)(near->base + (size_t)group * near->stride + exchange->near[level].first);
}

/* --- its way ---------------------------------------------------------------------------------------------------- */

void dcnn_levels_begin(const dcnn_comm *comm, dcnn_exchange *exchange) {
    const dcnn_level *level = &comm->domain.levels[exchange->level], *next = level + 1;
    exchange->added = 0;
    if (dcnn_levels_at_top(comm, exchange)) {
        exchange->at_first = exchange->first;
        exchange->at_length = exchange->length;
        return;
    }
    const int rank = comm->domain.rank - own_first(level), size = own_end(level) - own_first(level);
    exchange->at_first = dcnn_comm_part_first(exchange->count, rank, size);
    exchange->at_length = dcnn_comm_part_first(exchange->count, rank + 1, size) - exchange->at_first;
    exchange->near[exchange->level].turn += (unsigned)(own_end(next) - own_first(next));
}

static const float *vector_of(const dcnn_comm *comm, const dcnn_exchange *exchange, int bucket, int group, int block) {
    if (exchange->level > 1)
        return sums_of(comm, exchange, exchange->level - 1, group) + (size_t)block * exchange->count;
    const void *at = comm->domain.segments[group] + dcnn_exchange_published(comm, bucket, group)[block];
    return at;
}

dcnn_sources dcnn_levels_sources(const dcnn_comm *comm, const dcnn_exchange *exchange, int bucket) {
    const dcnn_level *level = &comm->domain.levels[exchange->level], *below = level - 1;
    dcnn_sources all = {0, comm->gradients.blocks, comm->gradients.vectors};
    int group = 0;
    while (below->firsts[group] < own_first(level)) group++;
    for (; below->firsts[group] < own_end(level); group++) {
        const dcnn_tree theirs =
            dcnn_comm_blocks_of_ranks(comm, exchange->grains, below->firsts[group], below->firsts[group + 1]);
        for (int k = 0; k < theirs.depth; k++)
            dcnn_sources_append(&all, theirs.blocks[k],
                                vector_of(comm, exchange, bucket, group, k) + exchange->at_first + exchange->added);
    }
    return all;
}

void dcnn_levels_targets(const dcnn_comm *comm, const dcnn_exchange *exchange, float *out[DCNN_TREE_DEPTH]) {
    const dcnn_level *level = &comm->domain.levels[exchange->level];
    if (dcnn_levels_at_top(comm, exchange)) {
        for (int i = 0; i < DCNN_TREE_DEPTH && exchange->sums[i]; i++) out[i] = exchange->sums[i] + exchange->added;
        return;
    }
    const int depth = dcnn_comm_blocks_of_ranks(comm, exchange->grains, own_first(level), own_end(level)).depth;
    float *sums = sums_of(comm, exchange, exchange->level, level->index) + exchange->at_first + exchange->added;
    for (int i = 0; i < depth; i++) out[i] = sums + (size_t)i * exchange->count;
}

void dcnn_levels_added(dcnn_exchange *exchange) {
    atomic_fetch_add_explicit(&exchange->near[exchange->level].turns->added, 1, memory_order_acq_rel);
    exchange->state = DCNN_LEVELLED;
}

bool dcnn_levels_are_added(const dcnn_exchange *exchange) {
    const dcnn_near_room *near = &exchange->near[exchange->level];
    return (int)(atomic_load_explicit(&near->turns->added, memory_order_acquire) - near->turn) >= 0;
}

/* --- room ------------------------------------------------------------------------------------------------------- */

void dcnn_levels_measure(const dcnn_comm *comm, dcnn_exchange *exchange, int batches, const int64_t *grains) {
    for (int i = 1; i < top_of(comm); i++) {
        const dcnn_level *level = &comm->domain.levels[i];
        int most = 0;
        for (int b = 0; b < batches; b++)
            for (int group = 0; group < level->count; group++) {
                const int depth =
                    dcnn_comm_blocks_of_ranks(comm, grains[b], level->firsts[group], level->firsts[group + 1]).depth;
                most = depth > most ? depth : most;
            }
        exchange->near[i].bytes = ((size_t)most * exchange->count * sizeof(float) + LINE - 1) / LINE * LINE;
    }
}

size_t dcnn_levels_bytes(const dcnn_comm *comm, const dcnn_exchange *exchange) {
    size_t bytes = 0;
    for (int i = 1; i < top_of(comm); i++) bytes += (size_t)comm->domain.levels[i].count * exchange->near[i].bytes;
    return bytes;
}

size_t dcnn_levels_turn_bytes(const dcnn_comm *comm) {
    size_t bytes = 0;
    for (int i = 1; i < top_of(comm); i++)
        bytes += (size_t)comm->gradients.count * (size_t)comm->domain.levels[i + 1].count * sizeof(dcnn_near_turns);
    return bytes;
}

size_t dcnn_levels_arrange(dcnn_comm *comm) {
    size_t bytes = 0;
    for (int i = 1; i < top_of(comm); i++) {
        dcnn_near_sums *near = &comm->gradients.near[i];
        near->stride = 0;
        for (int bucket = 0; bucket < comm->gradients.count; bucket++) {
            dcnn_near_room *room = &comm->gradients.exchanges[bucket].near[i];
            room->first = near->stride;
            near->stride += room->bytes;
        }
        near->stride = (near->stride + PAGE - 1) / PAGE * PAGE;
        near->first = bytes;
        bytes += (size_t)comm->domain.levels[i].count * near->stride;
    }
    return bytes;
}

/* Each rank is the first to touch its share of its group's sums. */
static void touch(const dcnn_comm *comm, int i) {
    const dcnn_level *level = &comm->domain.levels[i];
    const dcnn_near_sums *near = &comm->gradients.near[i];
    const size_t pages = near->stride / PAGE, size = (size_t)(own_end(level) - own_first(level));
    const size_t rank = (size_t)(comm->domain.rank - own_first(level));
    const size_t first = pages * rank / size * PAGE, end = pages * (rank + 1) / size * PAGE;
    memset(near->base + (size_t)level->index * near->stride + first, 0, end - first);
}

void dcnn_levels_place(dcnn_comm *comm, char *turns, char *sums) {
    for (int i = 1; i < top_of(comm); i++) {
        const dcnn_level *next = &comm->domain.levels[i + 1];
        comm->gradients.near[i].base = sums + comm->gradients.near[i].first;
        touch(comm, i);
        for (int bucket = 0; bucket < comm->gradients.count;
             bucket++, turns += (size_t)next->count * sizeof(dcnn_near_turns))
            comm->gradients.exchanges[bucket].near[i].turns = (dcnn_near_turns *)(void *)turns + next->index;
    }
}

bool dcnn_levels_forget(dcnn_comm *comm) {
    const int top = top_of(comm);
    comm->domain.levels[1] = comm->domain.levels[top];
    comm->domain.level_count = 2;
    return top > 1;
}
