/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comm_gradient.c — the gradient's exact sum over all ranks: one fixed tree over grains, whoever holds them (tree.h).
 *
 * A bucket goes two ways. In the domain: each rank says where its blocks lie; once the domain has met, each rank adds
 * one slice of all ranks' blocks, reading them in place. Over the network: what the domain could not merge travels
 * along the rank's rail by its route (comm_route.h): groups of neighbouring domains swap halves, merge, and swap again
 * with the next, until each domain has a part of the sum of all; then the parts go back the same way. Where a group's
 * grains are a whole subtree, as with 2, 4 or 8 domains, that is as many bytes as MPI_Allreduce moves.
 */
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "comm/comm_private.h"
#include "comm/comm_route.h"

enum { REDUCE_TAG = 1 << 10, GATHER_TAG = 1 << 11 };

enum { CHUNK = 2048 }; /* floats added at a time: a tree of a few of them stays in the L1 cache */

typedef enum exchange_state {
    IDLE,
    PUBLISHED, /* our blocks may be read; the others' may be once the domain has met */
    REDUCING,  /* groups merge, round by round */
    GATHERING, /* parts of the sum come back, the last round first */
    SENDING    /* all is here; our last messages may still be on their way */
} exchange_state;

/* What a round sends next. */
typedef struct cursor {
    int segment, block;
    size_t at; /* floats of it */
} cursor;

/* One bucket on its way. */
struct dcnn_exchange {
    exchange_state state;
    unsigned met; /* comm->domain.meetings when it was published */
    const dcnn_kernels *kernels;
    int64_t grains;
    float *slice;                          /* our slice of the total */
    size_t first, length;                  /* of the slice */
    dcnn_route route;                      /* of a vector as long */
    int round, depth;                      /* in progress, and the vectors of each part that it sends */
    cursor next;                           /* to be sent in it */
    int sent_before;                       /* requests until the round's begin */
    const float *sources[DCNN_TREE_DEPTH]; /* our group's blocks of the slice, where we have them */
    float *work[2];                        /* [most blocks][slice] in turns: where they lie, unless a lone rank's own */
    float *received;                       /* the other groups' blocks of what we keep, round by round */
    size_t received_first[DCNN_MOST_ROUNDS];
    MPI_Request *requests; /* blocks coming to us, round by round; sums coming back, likewise; then what we send */
    int reduce_first[DCNN_MOST_ROUNDS + 1], gather_first[DCNN_MOST_ROUNDS + 1], request_count;
    int *finished; /* room for MPI_Testsome */
};

/* --- adding along the tree -------------------------------------------------------------------------------------- */

/* Vectors to add, in tree order. */
typedef struct sources {
    int count;
    dcnn_block *blocks;
    const float **vectors;
} sources;

/* Adds floats [at, at + count) of the sources; the blocks that are left go to out[i] + at. */
static void add_chunk(dcnn_comm *comm, const dcnn_exchange *exchange, const sources *from, size_t at, size_t count,
                      float *const *out) {
    dcnn_tree tree = {0};
    const float *stack[DCNN_TREE_DEPTH];
    for (int i = 0; i < from->count; i++) {
        int depth = tree.depth + 1;
        stack[depth - 1] = from->vectors[i] + at;
        for (int m = dcnn_tree_push(&tree, from->blocks[i], exchange->grains); m > 0; m--, depth--) {
            float *sum = comm->gradients.room + (size_t)(depth - 2) * CHUNK;
            exchange->kernels->add(count, stack[depth - 2], stack[depth - 1], sum);
            stack[depth - 2] = sum;
        }
    }
    for (int i = 0; i < tree.depth; i++) memcpy(out[i] + at, stack[i], count * sizeof(float));
}

static void add_sources(dcnn_comm *comm, const dcnn_exchange *exchange, const sources *from, size_t length,
                        float *const *out) {
    for (size_t at = 0; at < length; at += CHUNK)
        add_chunk(comm, exchange, from, at, length - at < CHUNK ? length - at : CHUNK, out);
}

static void append(sources *to, dcnn_block block, const float *vector) {
    to->blocks[to->count] = block;
    to->vectors[to->count++] = vector;
}

/* --- in the domain ---------------------------------------------------------------------------------------------- */

static int64_t *published(const dcnn_comm *comm, int bucket, int domain_rank) {
    return comm->gradients.published + ((int64_t)bucket * comm->domain.size + domain_rank) * DCNN_TREE_DEPTH;
}

static sources blocks_in_domain(const dcnn_comm *comm, const dcnn_exchange *exchange, int bucket) {
    sources all = {0, comm->gradients.blocks, comm->gradients.vectors};
    for (int i = 0; i < comm->domain.size; i++) {
        const dcnn_tree theirs = dcnn_comm_blocks_of_rank(comm, exchange->grains, i);
        for (int k = 0; k < theirs.depth; k++) {
            const void *at = comm->domain.segments[i] + published(comm, bucket, i)[k];
            append(&all, theirs.blocks[k], (const float *)at + exchange->first);
        }
    }
    return all;
}

static dcnn_tree blocks_of_group(const dcnn_comm *comm, const dcnn_exchange *exchange, int first, int end) {
    return dcnn_comm_blocks_of_domains(comm, exchange->grains, first, end);
}

/* Our slice of what the domain's ranks published. */
static void add_in_domain(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    const sources all = blocks_in_domain(comm, exchange, bucket);
    if (comm->domain.count == 1) {
        float *out[1] = {exchange->slice};
        add_sources(comm, exchange, &all, exchange->length, out);
    } else if (comm->domain.size == 1) { /* nothing to merge with */
        memcpy(exchange->sources, all.vectors, (size_t)all.count * sizeof *all.vectors);
    } else {
        float *out[DCNN_TREE_DEPTH];
        const int left = blocks_of_group(comm, exchange, comm->domain.index, comm->domain.index + 1).depth;
        for (int i = 0; i < left; i++) exchange->sources[i] = out[i] = exchange->work[1] + (size_t)i * exchange->length;
        add_sources(comm, exchange, &all, exchange->length, out);
    }
}

/* --- over the network ------------------------------------------------------------------------------------------- */

static MPI_Request *next_request(dcnn_exchange *exchange) {
    MPI_Request *next = &exchange->requests[exchange->request_count++];
    *next = MPI_REQUEST_NULL; /* and so it stays if the call fails */
    return next;
}

static int message_length(const dcnn_comm *comm, size_t left) {
    return (int)(left < comm->link.message ? left : comm->link.message);
}

/* Equal tags arrive in the order sent. */
static void receive_vector(dcnn_comm *comm, dcnn_exchange *exchange, float *vector, size_t length, int domain,
                           int tag) {
    for (size_t at = 0; at < length; at += comm->link.message)
        MPI_Irecv(vector + at, message_length(comm, length - at), MPI_FLOAT, domain, tag, comm->domain.rail,
                  next_request(exchange));
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

/* Posts the receives of all rounds, there and back: a message that is expected goes where it belongs at once. */
static void expect_all(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    const dcnn_route *route = &exchange->route;
    size_t at = 0;
    exchange->request_count = 0;
    for (int r = 0; r < route->round_count; r++) {
        const dcnn_round *round = &route->rounds[r];
        const int depth = their_blocks(comm, exchange, round).depth;
        exchange->reduce_first[r] = exchange->request_count;
        exchange->received_first[r] = at;
        for (int i = round->first_segment; i < round->end_segment; i++) {
            const dcnn_segment *part = &route->segments[i];
            for (int k = 0; k < depth && part->kept; k++, at += part->length)
                receive_vector(comm, exchange, exchange->received + at, part->length, part->peer, REDUCE_TAG + bucket);
        }
    }
    exchange->reduce_first[route->round_count] = exchange->request_count;
    for (int r = 0; r < route->round_count; r++) {
        exchange->gather_first[r] = exchange->request_count;
        for (int i = route->rounds[r].first_segment; i < route->rounds[r].end_segment; i++) {
            const dcnn_segment *part = &route->segments[i];
            if (!part->kept)
                receive_vector(comm, exchange, exchange->slice + part->first, part->length, part->peer,
                               GATHER_TAG + bucket);
        }
    }
    exchange->gather_first[route->round_count] = exchange->request_count;
}

/* The next round, there or back. */
static void begin_round(const dcnn_comm *comm, dcnn_exchange *exchange, exchange_state state, int round) {
    exchange->state = state;
    exchange->round = round;
    exchange->sent_before = exchange->request_count;
    if (round < 0) return;
    exchange->next = (cursor){.segment = exchange->route.rounds[round].first_segment};
    exchange->depth = state == REDUCING ? our_blocks(comm, exchange, &exchange->route.rounds[round]).depth : 1;
}

/* Sends what the round gives to others, as far as it may go now: our group's blocks of what we give up, or the sum of
 * what we kept. @return all of it? */
static bool send_on(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    const bool reduces = exchange->state == REDUCING;
    cursor *next = &exchange->next;
    for (; next->segment < exchange->route.rounds[exchange->round].end_segment; next->segment++) {
        const dcnn_segment *part = &exchange->route.segments[next->segment];
        if (part->kept == reduces) continue;
        for (; next->block < exchange->depth; next->block++, next->at = 0) {
            const float *vector = (reduces ? exchange->sources[next->block] : exchange->slice) + part->first;
            while (next->at < part->length) {
                const int length = message_length(comm, part->length - next->at);
                if (!dcnn_comm_link_takes(comm, (size_t)length * sizeof(float), bucket == comm->gradients.wanted))
                    return false;
                MPI_Isend(vector + next->at, length, MPI_FLOAT, part->peer,
                          (reduces ? REDUCE_TAG : GATHER_TAG) + bucket, comm->domain.rail, next_request(exchange));
                next->at += (size_t)length;
            }
        }
        next->block = 0;
    }
    return true;
}

/* The other group's blocks of what we keep are here: adds them to ours. In turns in two places, for what the round
 * before sent may still lie in the other. */
static void merge_groups(dcnn_comm *comm, dcnn_exchange *exchange) {
    const dcnn_round *round = &exchange->route.rounds[exchange->round];
    const dcnn_tree ours = our_blocks(comm, exchange, round), theirs = their_blocks(comm, exchange, round);
    const bool left = comm->domain.index < round->middle, last = exchange->round + 1 == exchange->route.round_count;
    const int depth = last ? 1 : blocks_of_group(comm, exchange, round->first, round->end).depth;
    float *base[DCNN_TREE_DEPTH], *out[DCNN_TREE_DEPTH];
    for (int k = 0; k < depth; k++)
        base[k] = last ? exchange->slice : exchange->work[exchange->round % 2] + (size_t)k * exchange->length;
    const float *received = exchange->received + exchange->received_first[exchange->round];
    for (int i = round->first_segment; i < round->end_segment; i++) {
        const dcnn_segment *part = &exchange->route.segments[i];
        if (!part->kept) continue;
        sources all = {0, comm->gradients.blocks, comm->gradients.vectors};
        for (int k = 0; k < ours.depth && left; k++) append(&all, ours.blocks[k], exchange->sources[k] + part->first);
        for (int k = 0; k < theirs.depth; k++, received += part->length) append(&all, theirs.blocks[k], received);
        for (int k = 0; k < ours.depth && !left; k++) append(&all, ours.blocks[k], exchange->sources[k] + part->first);
        for (int k = 0; k < depth; k++) out[k] = base[k] + part->first;
        add_sources(comm, exchange, &all, part->length, out);
    }
    for (int k = 0; k < depth; k++) exchange->sources[k] = base[k];
}

/* --- a bucket's way --------------------------------------------------------------------------------------------- */

/* Waits, one request after the other: where one has an error, MPI_Waitall of Open MPI 5 also frees those that are still
 * under way, and ends the job ("Send error after request freed") as their answer comes. */
static void wait_for(MPI_Request *requests, int count) {
    for (int i = 0; i < count; i++) MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
}

/* As MPI_Testsome; in an elastic comm one by one, too. @return how many end now, MPI_UNDEFINED if all had before */
static int test_some(const dcnn_comm *comm, dcnn_exchange *exchange, int first, int count) {
    int done = MPI_UNDEFINED;
    if (!comm->elastic) {
        MPI_Testsome(count, exchange->requests + first, &done, exchange->finished, MPI_STATUSES_IGNORE);
        return done;
    }
    for (int i = first; i < first + count; i++) {
        if (exchange->requests[i] == MPI_REQUEST_NULL) continue;
        int ended = 0;
        MPI_Test(&exchange->requests[i], &ended, MPI_STATUS_IGNORE);
        done = (done == MPI_UNDEFINED ? 0 : done) + ended;
    }
    return done;
}

/* Are requests [first, end) done? Moves them as far as they go now: one call of MPI's reads little more than a
 * message. */
static bool are_done(dcnn_comm *comm, dcnn_exchange *exchange, int first, int end) {
    if (first == end) return true;
    int done;
    do done = test_some(comm, exchange, first, end - first);
    while (done > 0 && !comm->broken);
    return done == MPI_UNDEFINED && !comm->broken;
}

/* Moves a round. @return is all of it here, and sent? */
static bool is_over(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    const int *firsts = exchange->state == REDUCING ? exchange->reduce_first : exchange->gather_first;
    const bool came = are_done(comm, exchange, firsts[exchange->round], firsts[exchange->round + 1]);
    return send_on(comm, exchange, bucket) && came;
}

/* The next step of a bucket's way, if what it waits for has come. */
static bool step(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    const int rounds = exchange->route.round_count;
    switch (exchange->state) {
    case IDLE:
        return false;
    case PUBLISHED:
        if (comm->domain.size > 1 && exchange->met == comm->domain.meetings) return false;
        add_in_domain(comm, exchange, bucket);
        exchange->state = exchange->length > 0 && comm->domain.count > 1 ? REDUCING : IDLE;
        if (exchange->state == IDLE) return true;
        expect_all(comm, exchange, bucket);
        begin_round(comm, exchange, REDUCING, 0);
        return true;
    case REDUCING: /* what the round before sent lies where this one's sums go */
        if (!is_over(comm, exchange, bucket) ||
            !are_done(comm, exchange, exchange->gather_first[rounds], exchange->sent_before))
            return false;
        merge_groups(comm, exchange);
        if (exchange->round + 1 < rounds)
            begin_round(comm, exchange, REDUCING, exchange->round + 1);
        else
            begin_round(comm, exchange, GATHERING, rounds - 1);
        return true;
    case GATHERING:
        if (!is_over(comm, exchange, bucket)) return false;
        begin_round(comm, exchange, exchange->round > 0 ? GATHERING : SENDING, exchange->round - 1);
        return true;
    case SENDING:
        if (!are_done(comm, exchange, exchange->gather_first[rounds], exchange->request_count)) return false;
        exchange->state = IDLE;
        return true;
    }
    return false;
}

/* Moves all buckets as far as they go now, the last first: the next step reads its weights first. @return whether any
 * moved */
static bool advance(dcnn_comm *comm) {
    bool moved = false;
    for (int i = comm->gradients.count - 1; i >= 0; i--)
        while (!comm->broken && step(comm, &comm->gradients.exchanges[i], i)) moved = true;
    return moved;
}

bool dcnn_comm_is_sending(const dcnn_comm *comm) {
    for (int i = 0; i < comm->gradients.count; i++)
        if (comm->gradients.exchanges[i].state >= REDUCING) return true;
    return false;
}

void dcnn_comm_gradient_begin(dcnn_comm *comm, const dcnn_kernels *kernels, int bucket, dcnn_shares shares,
                              size_t count, float *const *blocks, float *total) {
    dcnn_exchange *exchange = &comm->gradients.exchanges[bucket];
    DCNN_COMM_MEET(comm, bucket);
    exchange->state = PUBLISHED;
    exchange->met = comm->domain.meetings;
    exchange->kernels = kernels;
    exchange->grains = shares.grains;
    dcnn_comm_slice(comm, count, &exchange->first, &exchange->length);
    exchange->slice = total + exchange->first;
    const int depth = dcnn_tree_share(shares.first, shares.count, shares.grains).depth;
    for (int i = 0; i < depth; i++)
        published(comm, bucket, comm->domain.rank)[i] = (char *)blocks[i] - comm->domain.segments[comm->domain.rank];
    advance(comm);
}

void dcnn_comm_progress(dcnn_comm *comm) {
    advance(comm);
}

/* The same on all ranks of a domain: who could not have read the others' blocks yet has not. */
static bool is_unmet(const dcnn_comm *comm, int bucket) {
    const dcnn_exchange *exchange = &comm->gradients.exchanges[bucket];
    return exchange->state == PUBLISHED && exchange->met == comm->domain.meetings;
}

void dcnn_comm_gradient_wait(dcnn_comm *comm, int bucket) {
    const dcnn_exchange *exchange = &comm->gradients.exchanges[bucket];
    DCNN_COMM_MEET(comm, bucket);
    if (is_unmet(comm, bucket)) dcnn_comm_domain_wait(comm);
    advance(comm);
    if (exchange->state == IDLE) return;
    const double from_s = dcnn_now_s();
    comm->gradients.wanted = bucket;
    dcnn_comm_link_waits(comm, true);
    while (exchange->state != IDLE && !comm->broken)
        if (!advance(comm)) sched_yield();
    dcnn_comm_link_waits(comm, false);
    comm->gradients.wanted = -1;
    dcnn_comm_waited(comm, true, from_s);
}

void dcnn_comm_gradient_finish(dcnn_comm *comm) {
    DCNN_COMM_MEET(comm, 0);
    bool unmet = false;
    for (int i = 0; i < comm->gradients.count; i++) unmet = unmet || is_unmet(comm, i);
    comm->link.hurries = true;
    if (unmet) dcnn_comm_domain_wait(comm);
    advance(comm);
    const double from_s = dcnn_now_s();
    const bool waits = dcnn_comm_is_sending(comm);
    while (dcnn_comm_is_sending(comm) && !comm->broken)
        if (!advance(comm)) sched_yield();
    if (waits) dcnn_comm_waited(comm, true, from_s);
    comm->link.hurries = false;
}

/* --- room ------------------------------------------------------------------------------------------------------- */

static int larger(int a, int b) {
    return a > b ? a : b;
}

/* What a bucket's way takes for any batch that occurs. */
typedef struct room {
    int sources;                     /* added at a time */
    int blocks;                      /* of a group of ours */
    size_t received, sent, expected; /* floats; requests for what we send and what comes */
} room;

static size_t messages(const dcnn_comm *comm, size_t length) {
    return comm->link.message > 0 ? (length + comm->link.message - 1) / comm->link.message : 0;
}

static void measure_round(const dcnn_comm *comm, const dcnn_exchange *exchange, const dcnn_round *round, room *now) {
    const size_t ours = (size_t)our_blocks(comm, exchange, round).depth,
                 theirs = (size_t)their_blocks(comm, exchange, round).depth;
    now->blocks = larger(now->blocks, (int)ours);
    now->sources = larger(now->sources, (int)(ours + theirs));
    for (int i = round->first_segment; i < round->end_segment; i++) {
        const dcnn_segment *part = &exchange->route.segments[i];
        now->received += part->kept ? theirs * part->length : 0;
        now->expected += (part->kept ? theirs : 1) * messages(comm, part->length);
        now->sent += (part->kept ? 1 : ours) * messages(comm, part->length);
    }
}

static room measure(const dcnn_comm *comm, dcnn_exchange *exchange, int batches, const int64_t *grains) {
    room most = {1, 1, 0, 0, 0};
    for (int b = 0; b < batches; b++) {
        room now = {1, 1, 0, 0, 0};
        exchange->grains = grains[b];
        int in_domain = 0;
        for (int i = 0; i < comm->domain.size; i++) in_domain += dcnn_comm_blocks_of_rank(comm, grains[b], i).depth;
        now.sources = larger(1, in_domain);
        for (int r = 0; r < exchange->route.round_count; r++)
            measure_round(comm, exchange, &exchange->route.rounds[r], &now);
        most.sources = larger(most.sources, now.sources);
        most.blocks = larger(most.blocks, now.blocks);
        if (now.received > most.received) most.received = now.received;
        if (now.sent > most.sent) most.sent = now.sent;
        if (now.expected > most.expected) most.expected = now.expected;
    }
    return most;
}

/* Which slice, by which route; *need: what that takes. */
static bool plan_exchange(const dcnn_comm *comm, dcnn_exchange *exchange, int batches, const int64_t *grains,
                          size_t count, room *need) {
    dcnn_comm_slice(comm, count, &exchange->first, &exchange->length);
    if (comm->domain.count > 1 && exchange->length > 0 &&
        !dcnn_route_create(comm->domain.count, comm->domain.index, exchange->length, &exchange->route))
        return false;
    *need = measure(comm, exchange, batches, grains);
    return true;
}

static bool make_exchange(const dcnn_comm *comm, dcnn_exchange *exchange, int batches, const int64_t *grains,
                          size_t count, int *most_sources) {
    room need;
    if (!plan_exchange(comm, exchange, batches, grains, count, &need)) return false;
    *most_sources = larger(*most_sources, need.sources);
    if (exchange->route.round_count == 0) return true;
    const size_t requests = need.expected + need.sent + 1;
    exchange->requests = calloc(requests, sizeof(MPI_Request));
    exchange->finished = calloc(requests, sizeof(int));
    exchange->received = calloc(need.received + 1, sizeof(float));
    for (int i = 0; i < 2; i++) exchange->work[i] = calloc((size_t)need.blocks * exchange->length, sizeof(float));
    return exchange->requests && exchange->finished && exchange->received && exchange->work[0] && exchange->work[1];
}

size_t dcnn_comm_gradient_bytes(const dcnn_comm *comm, int batches, const int64_t *grains, int buckets,
                                const size_t *counts) {
    size_t floats = (size_t)DCNN_TREE_DEPTH * CHUNK;
    for (int i = 0; i < buckets; i++) {
        dcnn_exchange exchange = {0};
        room need;
        if (plan_exchange(comm, &exchange, batches, grains, counts[i], &need) && exchange.route.round_count > 0)
            floats += need.received + 2 * (size_t)need.blocks * exchange.length;
        dcnn_route_free(&exchange.route);
    }
    return floats * sizeof(float);
}

static bool make_room(dcnn_comm *comm, int batches, const int64_t *grains, int buckets, const size_t *counts) {
    int most = 1;
    comm->gradients.wanted = -1;
    comm->gradients.exchanges = calloc((size_t)buckets, sizeof *comm->gradients.exchanges);
    comm->gradients.room = calloc((size_t)DCNN_TREE_DEPTH * CHUNK, sizeof(float));
    bool good = comm->gradients.exchanges && comm->gradients.room;
    comm->gradients.count = comm->gradients.exchanges ? buckets : 0;
    for (int i = 0; good && i < buckets; i++)
        good = make_exchange(comm, &comm->gradients.exchanges[i], batches, grains, counts[i], &most);
    comm->gradients.blocks = calloc((size_t)most, sizeof *comm->gradients.blocks);
    comm->gradients.vectors = calloc((size_t)most, sizeof *comm->gradients.vectors);
    return good && comm->gradients.blocks && comm->gradients.vectors;
}

dcnn_status dcnn_comm_reserve_gradient(dcnn_comm *comm, int batches, const int64_t *grains, int buckets,
                                       const size_t *counts) {
    dcnn_comm_release_gradient(comm);
    DCNN_TRY(dcnn_comm_measure_link(comm));
    const size_t published_bytes =
        (size_t)buckets * (size_t)comm->domain.size * DCNN_TREE_DEPTH * sizeof *comm->gradients.published;
    void *shared;
    DCNN_TRY(dcnn_comm_share_domain(comm, published_bytes, 0, &shared, NULL));
    comm->gradients.published = shared;
    comm->domain.is_sending = dcnn_comm_is_sending;
    comm->domain.move_on = dcnn_comm_progress;
    return dcnn_comm_agree(comm, make_room(comm, batches, grains, buckets, counts)
                                     ? DCNN_OK
                                     : DCNN_FAIL(DCNN_FAILURE, "out of memory: room to exchange gradients"));
}

void dcnn_comm_release_gradient(dcnn_comm *comm) {
    for (int i = 0; i < comm->gradients.count; i++) {
        dcnn_exchange *exchange = &comm->gradients.exchanges[i];
        if (exchange->state >= REDUCING) wait_for(exchange->requests, exchange->request_count); /* of a broken comm */
        dcnn_route_free(&exchange->route);
        free(exchange->requests);
        free(exchange->finished);
        free(exchange->received);
        free(exchange->work[0]);
        free(exchange->work[1]);
    }
    free(comm->gradients.exchanges);
    free(comm->gradients.room);
    free(comm->gradients.blocks);
    free(comm->gradients.vectors);
    comm->gradients.exchanges = NULL;
    comm->gradients.room = NULL;
    comm->gradients.blocks = NULL;
    comm->gradients.vectors = NULL;
    comm->gradients.count = 0;
    dcnn_comm_unshare(comm, comm->gradients.published);
    comm->gradients.published = NULL;
}
