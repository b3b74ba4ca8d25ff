/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halving.c — the gradient between domains by rounds (route.h): what the domain could not merge travels along the
 * rank's rail. Groups of neighbouring domains swap halves, merge, and swap again with the next, until each domain has a
 * part of the sum of all; then the parts go back the same way. Where a group's grains are a whole subtree, as with 2, 4
 * or 8 domains, that is as many bytes as MPI_Allreduce moves.
 */
#include <string.h>

#include "comm/gradient/exchange.h"

static dcnn_tree blocks_of_group(const dcnn_comm *comm, const dcnn_exchange *exchange, int first, int end) {
    return dcnn_comm_blocks_of_domains(comm, exchange->grains, first, end);
}

/* The group that we are in before a round, and the other one. */
static dcnn_tree our_blocks(const dcnn_comm *comm, const dcnn_exchange *exchange, const dcnn_round *round) {
    const bool left = comm->domain.index < round->middle;
    return blocks_of_group(comm, exchange, left ? round->first : round->middle, left ? round->middle : round->end);
}

static dcnn_tree their_blocks(const dcnn_comm *comm, const dcnn_exchange *exchange, const dcnn_round *round) {
    const bool left = comm->domain.index < round->middle;
    return blocks_of_group(comm, exchange, left ? round->middle : round->first, left ? round->end : round->middle);
}

/* Our slice of what comes back. */
static float *given_slice(const dcnn_exchange *exchange) {
    return exchange->given + exchange->first;
}

/* Posts the receives of all rounds, there, unless the domain has its part already, and back: a message that is expected
 * goes where it belongs at once. */
static void expect_all(dcnn_comm *comm, dcnn_exchange *exchange, int bucket, bool reduces) {
    dcnn_halving *h = &exchange->halving;
    const dcnn_route *route = &h->route;
    size_t at = 0;
    exchange->request_count = 0;
    for (int r = 0; r < route->round_count; r++) {
        const dcnn_round *round = &route->rounds[r];
        const int depth = their_blocks(comm, exchange, round).depth;
        h->reduce_first[r] = exchange->request_count;
        h->received_first[r] = at;
        for (int i = round->first_segment; i < round->end_segment; i++) {
            const dcnn_segment *part = &route->segments[i];
            for (int k = 0; k < depth && part->kept && reduces; k++, at += part->length)
                dcnn_exchange_receive(comm, exchange, h->received + at, part->length, part->peer,
                                      DCNN_REDUCE_TAG + bucket);
        }
    }
    h->reduce_first[route->round_count] = exchange->request_count;
    for (int r = 0; r < route->round_count; r++) {
        h->gather_first[r] = exchange->request_count;
        for (int i = route->rounds[r].first_segment; i < route->rounds[r].end_segment; i++) {
            const dcnn_segment *part = &route->segments[i];
            if (!part->kept)
                dcnn_exchange_receive(comm, exchange, given_slice(exchange) + part->first, part->length, part->peer,
                                      DCNN_GATHER_TAG + bucket);
        }
    }
    h->gather_first[route->round_count] = exchange->request_count;
}

/* The next round, there or back. */
static void begin_round(const dcnn_comm *comm, dcnn_exchange *exchange, dcnn_exchange_state state, int round) {
    dcnn_halving *h = &exchange->halving;
    exchange->state = state;
    h->round = round;
    h->sent_before = exchange->request_count;
    if (round < 0) return;
    exchange->next = (dcnn_cursor){.piece = h->route.rounds[round].first_segment};
    h->depth = state == DCNN_REDUCING ? our_blocks(comm, exchange, &h->route.rounds[round]).depth : 1;
}

/* Sends what the round gives to others, as far as it may go now: our group's blocks of what we give up, or the sum of
 * what we kept. @return all of it? */
static bool send_on(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    dcnn_halving *h = &exchange->halving;
    const bool reduces = exchange->state == DCNN_REDUCING;
    dcnn_cursor *next = &exchange->next;
    for (; next->piece < h->route.rounds[h->round].end_segment; next->piece++) {
        const dcnn_segment *part = &h->route.segments[next->piece];
        if (part->kept == reduces) continue;
        for (; next->block < h->depth; next->block++, next->at = 0) {
            const float *vector = (reduces ? h->sources[next->block] : given_slice(exchange)) + part->first;
            if (!dcnn_exchange_send(comm, exchange, bucket, vector, part->length, part->peer,
                                    (reduces ? DCNN_REDUCE_TAG : DCNN_GATHER_TAG) + bucket))
                return false;
        }
        next->block = 0;
    }
    return true;
}

/* The other group's blocks of what we keep are here: adds them to ours. In turns in two places, for what the round
 * before sent may still lie in the other. */
static void merge_groups(dcnn_comm *comm, dcnn_exchange *exchange) {
    dcnn_halving *h = &exchange->halving;
    const dcnn_round *round = &h->route.rounds[h->round];
    const dcnn_tree ours = our_blocks(comm, exchange, round), theirs = their_blocks(comm, exchange, round);
    const bool left = comm->domain.index < round->middle, last = h->round + 1 == h->route.round_count;
    const int depth = last ? 1 : blocks_of_group(comm, exchange, round->first, round->end).depth;
    float *base[DCNN_TREE_DEPTH], *out[DCNN_TREE_DEPTH];
    for (int k = 0; k < depth; k++)
        base[k] = last ? exchange->slice : h->work[h->round % 2] + (size_t)k * exchange->length;
    const float *received = h->received + h->received_first[h->round];
    for (int i = round->first_segment; i < round->end_segment; i++) {
        const dcnn_segment *part = &h->route.segments[i];
        if (!part->kept) continue;
        dcnn_sources all = {0, comm->gradients.blocks, comm->gradients.vectors};
        for (int k = 0; k < ours.depth && left; k++)
            dcnn_sources_append(&all, ours.blocks[k], h->sources[k] + part->first);
        for (int k = 0; k < theirs.depth; k++, received += part->length)
            dcnn_sources_append(&all, theirs.blocks[k], received);
        for (int k = 0; k < ours.depth && !left; k++)
            dcnn_sources_append(&all, ours.blocks[k], h->sources[k] + part->first);
        for (int k = 0; k < depth; k++) out[k] = base[k] + part->first;
        dcnn_exchange_add(comm, exchange, &all, part->length, out);
    }
    for (int k = 0; k < depth; k++) h->sources[k] = base[k];
}

/* Moves a round. @return is all of it here, and sent? */
static bool is_over(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    dcnn_halving *h = &exchange->halving;
    const int *firsts = exchange->state == DCNN_REDUCING ? h->reduce_first : h->gather_first;
    const bool came = dcnn_exchange_done(comm, exchange, firsts[h->round], firsts[h->round + 1]);
    return send_on(comm, exchange, bucket) && came;
}

bool dcnn_halving_begin(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    dcnn_halving *h = &exchange->halving;
    exchange->of_link = 1.0;
    expect_all(comm, exchange, bucket, true);
    if (comm->domain.size == 1) { /* nothing to merge with */
        const dcnn_sources all = dcnn_levels_sources(comm, exchange, bucket);
        memcpy(h->sources, all.vectors, (size_t)all.count * sizeof *all.vectors);
        dcnn_halving_added(comm, exchange);
        return false;
    }
    const int left = blocks_of_group(comm, exchange, comm->domain.index, comm->domain.index + 1).depth;
    for (int i = 0; i < left; i++) h->sources[i] = exchange->sums[i] = h->work[1] + (size_t)i * exchange->length;
    return true;
}

void dcnn_halving_added(dcnn_comm *comm, dcnn_exchange *exchange) {
    begin_round(comm, exchange, DCNN_REDUCING, 0);
}

void dcnn_halving_spread(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    exchange->of_link = 1.0;
    expect_all(comm, exchange, bucket, false);
    begin_round(comm, exchange, DCNN_GATHERING, exchange->halving.route.round_count - 1);
}

/* What the last round left us is summed over all: makes of it what is to be made. */
static void make_of_ours(const dcnn_exchange *exchange, int bucket) {
    const dcnn_route *route = &exchange->halving.route;
    const dcnn_round *last = &route->rounds[route->round_count - 1];
    for (int i = last->first_segment; i < last->end_segment; i++) {
        const dcnn_segment *part = &route->segments[i];
        if (part->kept)
            exchange->making.make(exchange->making.context, bucket, exchange->first + part->first, part->length);
    }
}

bool dcnn_halving_step(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    dcnn_halving *h = &exchange->halving;
    const int rounds = h->route.round_count;
    switch (exchange->state) {
    case DCNN_REDUCING: /* what the round before sent lies where this one's sums go */
        if (!is_over(comm, exchange, bucket) ||
            !dcnn_exchange_done(comm, exchange, h->gather_first[rounds], h->sent_before))
            return false;
        merge_groups(comm, exchange);
        if (h->round + 1 < rounds)
            begin_round(comm, exchange, DCNN_REDUCING, h->round + 1);
        else if (dcnn_exchange_makes(exchange))
            exchange->state = DCNN_HELD;
        else
            begin_round(comm, exchange, DCNN_GATHERING, rounds - 1);
        return true;
    case DCNN_HELD:
        dcnn_exchange_done(comm, exchange, h->gather_first[rounds], exchange->request_count); /* others wait for it */
        if (exchange->making.held) return false;
        make_of_ours(exchange, bucket);
        begin_round(comm, exchange, DCNN_GATHERING, rounds - 1);
        return true;
    case DCNN_GATHERING:
        if (!is_over(comm, exchange, bucket)) return false;
        begin_round(comm, exchange, h->round > 0 ? DCNN_GATHERING : DCNN_SENDING, h->round - 1);
        return true;
    case DCNN_SENDING:
        if (!dcnn_exchange_done(comm, exchange, h->gather_first[rounds], exchange->request_count)) return false;
        exchange->state = DCNN_IDLE;
        return true;
    default:
        return false;
    }
}

/* --- room ------------------------------------------------------------------------------------------------------- */

static int larger(int a, int b) {
    return a > b ? a : b;
}

static void measure_round(const dcnn_comm *comm, const dcnn_exchange *exchange, const dcnn_round *round,
                          dcnn_exchange_room *now) {
    const size_t ours = (size_t)our_blocks(comm, exchange, round).depth,
                 theirs = (size_t)their_blocks(comm, exchange, round).depth;
    now->blocks = larger(now->blocks, (int)ours);
    now->sources = larger(now->sources, (int)(ours + theirs));
    for (int i = round->first_segment; i < round->end_segment; i++) {
        const dcnn_segment *part = &exchange->halving.route.segments[i];
        now->received += part->kept ? theirs * part->length : 0;
        now->expected += (part->kept ? theirs : 1) * dcnn_exchange_messages(comm, part->length);
        now->sent += (part->kept ? 1 : ours) * dcnn_exchange_messages(comm, part->length);
    }
}

dcnn_exchange_room dcnn_halving_measure(const dcnn_comm *comm, const dcnn_exchange *exchange) {
    dcnn_exchange_room now = {1, 1, 0, 0, 0};
    for (int r = 0; r < exchange->halving.route.round_count; r++)
        measure_round(comm, exchange, &exchange->halving.route.rounds[r], &now);
    return now;
}
