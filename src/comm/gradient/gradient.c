/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gradient.c — the gradient's exact sum over all ranks: one fixed tree over grains, whoever holds them (tree.h).
 *
 * A bucket goes two ways. In the domain: each rank says where its blocks lie; once the domain has met, each rank adds
 * one slice of all ranks' blocks, reading them in place; where some of them share a socket, first of theirs (levels.c).
 * Between domains: all at once where a domain's ranks can share
 * out the messages (direct.c), else by rounds (halving.c).
 */
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "comm/gradient/exchange.h"

enum {
    CHUNK = 2048, /* floats added at a time: a tree of a few of them stays in the L1 cache */
    BRIEF = 1024, /* while a rank waits for something else: of 16 ranks 5 us */
};

/* --- adding along the tree -------------------------------------------------------------------------------------- */

/* Adds floats [at, at + count) of the sources; the blocks that are left go to out[i] + at. */
static void add_chunk(dcnn_comm *comm, const dcnn_exchange *exchange, const dcnn_sources *from, size_t at, size_t count,
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

void dcnn_exchange_add(dcnn_comm *comm, const dcnn_exchange *exchange, const dcnn_sources *from, size_t length,
                       float *const *out) {
    for (size_t at = 0; at < length; at += CHUNK)
        add_chunk(comm, exchange, from, at, length - at < CHUNK ? length - at : CHUNK, out);
}

void dcnn_sources_append(dcnn_sources *to, dcnn_block block, const float *vector) {
    to->blocks[to->count] = block;
    to->vectors[to->count++] = vector;
}

/* --- in the domain ---------------------------------------------------------------------------------------------- */

int64_t *dcnn_exchange_published(const dcnn_comm *comm, int bucket, int domain_rank) {
    return comm->gradients.published + ((int64_t)bucket * comm->domain.size + domain_rank) * DCNN_TREE_DEPTH;
}

/* --- messages --------------------------------------------------------------------------------------------------- */

static MPI_Request *next_request(dcnn_exchange *exchange) {
    MPI_Request *next = &exchange->requests[exchange->request_count++];
    *next = MPI_REQUEST_NULL; /* and so it stays if the call fails */
    return next;
}

static int message_length(const dcnn_comm *comm, size_t left) {
    return (int)(left < comm->link.message ? left : comm->link.message);
}

/* Equal tags arrive in the order sent. */
void dcnn_exchange_receive(dcnn_comm *comm, dcnn_exchange *exchange, float *vector, size_t length, int domain,
                           int tag) {
    for (size_t at = 0; at < length; at += comm->link.message)
        MPI_Irecv(vector + at, message_length(comm, length - at), MPI_FLOAT, domain, tag, comm->domain.rail,
                  next_request(exchange));
}

bool dcnn_exchange_send(dcnn_comm *comm, dcnn_exchange *exchange, int bucket, const float *vector, size_t length,
                        int domain, int tag) {
    dcnn_cursor *next = &exchange->next;
    while (next->at < length) {
        const int now = message_length(comm, length - next->at);
        const size_t bytes = (size_t)((double)now * exchange->of_link * sizeof(float));
        if (!dcnn_comm_link_takes(comm, bytes, bucket == comm->gradients.wanted)) return false;
        MPI_Isend(vector + next->at, now, MPI_FLOAT, domain, tag, comm->domain.rail, next_request(exchange));
        next->at += (size_t)now;
    }
    return true;
}

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
bool dcnn_exchange_done(dcnn_comm *comm, dcnn_exchange *exchange, int first, int end) {
    if (first == end) return true;
    int done;
    do done = test_some(comm, exchange, first, end - first);
    while (done > 0 && !comm->broken);
    return done == MPI_UNDEFINED && !comm->broken;
}

/* --- a bucket's way --------------------------------------------------------------------------------------------- */

/* Is it published, and may the others' blocks not be read yet? The same on all ranks of a domain. */
static bool is_unmet(const dcnn_comm *comm, const dcnn_exchange *exchange) {
    return exchange->state == DCNN_PUBLISHED && comm->domain.size > 1 && exchange->met == comm->domain.meetings;
}

/* The domain's sums are to be made: our slice of them, by what the groups of the level before have. */
static bool begin_last(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    exchange->sums[0] = exchange->slice;
    if (exchange->direct.used) return dcnn_direct_begin(comm, exchange, bucket);
    exchange->state = DCNN_IDLE;
    if (exchange->length == 0) return false;
    return comm->domain.count == 1 || dcnn_halving_begin(comm, exchange, bucket);
}

static void begin(dcnn_comm *comm, dcnn_exchange *exchange, int bucket, int level) {
    exchange->level = level;
    dcnn_levels_begin(comm, exchange);
    if (!dcnn_levels_at_top(comm, exchange) || begin_last(comm, exchange, bucket)) exchange->state = DCNN_ADDING;
}

/* Adds the next floats of our slice. */
static void add_on(dcnn_comm *comm, dcnn_exchange *exchange, int bucket, size_t most) {
    const size_t left = exchange->at_length - exchange->added, count = left < most ? left : most;
    const dcnn_sources all = dcnn_levels_sources(comm, exchange, bucket);
    float *out[DCNN_TREE_DEPTH];
    dcnn_levels_targets(comm, exchange, out);
    dcnn_exchange_add(comm, exchange, &all, count, out);
    exchange->added += count;
    if (exchange->added < exchange->at_length) return;
    if (!dcnn_levels_at_top(comm, exchange))
        dcnn_levels_added(exchange);
    else if (comm->domain.count == 1)
        exchange->state = DCNN_IDLE;
    else if (exchange->direct.used)
        dcnn_direct_added(exchange);
    else
        dcnn_halving_added(comm, exchange);
}

/* The next step of a bucket's way, if what it waits for has come. @param most  floats that may be added in it */
static bool step(dcnn_comm *comm, dcnn_exchange *exchange, int bucket, size_t most) {
    switch (exchange->state) {
    case DCNN_PUBLISHED:
        if (is_unmet(comm, exchange)) return false;
        begin(comm, exchange, bucket, 1);
        return true;
    case DCNN_ADDING:
        add_on(comm, exchange, bucket, most);
        return true;
    case DCNN_LEVELLED:
        if (!dcnn_levels_are_added(exchange)) return false;
        begin(comm, exchange, bucket, exchange->level + 1);
        return true;
    default:
        return exchange->direct.used ? dcnn_direct_step(comm, exchange, bucket)
                                     : dcnn_halving_step(comm, exchange, bucket);
    }
}

/* Moves all buckets as far as they go now, the last first: the next step reads its weights first. @param briefly  adds
 * a little at most @return whether any moved */
static bool advance(dcnn_comm *comm, bool briefly) {
    bool moved = false;
    for (int i = comm->gradients.count - 1; i >= 0; i--) {
        dcnn_exchange *exchange = &comm->gradients.exchanges[i];
        while (!comm->broken && step(comm, exchange, i, briefly ? BRIEF : exchange->count)) {
            moved = true;
            if (briefly && exchange->state == DCNN_ADDING && exchange->added > 0) return true;
        }
    }
    return moved;
}

bool dcnn_comm_is_sending(const dcnn_comm *comm) {
    for (int i = 0; i < comm->gradients.count; i++) {
        const dcnn_exchange *exchange = &comm->gradients.exchanges[i];
        if (exchange->state != DCNN_IDLE && !is_unmet(comm, exchange)) return true;
    }
    return false;
}

static void make_nothing(void *context, int bucket, size_t first, size_t count) {
    (void)context;
    (void)bucket;
    (void)first;
    (void)count;
}

void dcnn_comm_gradient_begin(dcnn_comm *comm, const dcnn_kernels *kernels, int bucket, dcnn_shares shares,
                              size_t count, float *const *blocks, float *total) {
    dcnn_exchange *exchange = &comm->gradients.exchanges[bucket];
    DCNN_COMM_MEET(comm, bucket);
    exchange->state = DCNN_PUBLISHED;
    exchange->met = comm->domain.meetings;
    exchange->kernels = kernels;
    exchange->grains = shares.grains;
    dcnn_comm_slice(comm, count, &exchange->first, &exchange->length);
    exchange->total = total;
    exchange->given = dcnn_exchange_makes(exchange) ? exchange->making.made : total;
    exchange->slice = total + exchange->first;
    const int depth = dcnn_tree_share(shares.first, shares.count, shares.grains).depth;
    for (int i = 0; i < depth; i++)
        dcnn_exchange_published(comm, bucket, comm->domain.rank)[i] =
            (char *)blocks[i] - comm->domain.segments[comm->domain.rank];
    advance(comm, false);
}

void dcnn_comm_gradient_make(dcnn_comm *comm, int bucket, const dcnn_making *making) {
    comm->gradients.exchanges[bucket].making = making ? *making : (dcnn_making){0};
}

void dcnn_comm_gradient_release(dcnn_comm *comm, bool makes) {
    for (int i = 0; i < comm->gradients.count; i++) {
        dcnn_making *making = &comm->gradients.exchanges[i].making;
        if (making->held && !makes) making->make = make_nothing;
        making->held = false;
    }
}

void dcnn_comm_gradient_spread(dcnn_comm *comm, int bucket, float *vector) {
    dcnn_exchange *exchange = &comm->gradients.exchanges[bucket];
    DCNN_COMM_MEET(comm, bucket);
    exchange->given = vector;
    if (exchange->direct.used)
        dcnn_direct_spread(comm, exchange, bucket);
    else if (exchange->length > 0)
        dcnn_halving_spread(comm, exchange, bucket);
    advance(comm, false);
}

void dcnn_comm_progress(dcnn_comm *comm) {
    advance(comm, false);
}

void dcnn_comm_move_on(dcnn_comm *comm) {
    advance(comm, true);
}

void dcnn_comm_gradient_wait(dcnn_comm *comm, int bucket) {
    const dcnn_exchange *exchange = &comm->gradients.exchanges[bucket];
    DCNN_COMM_MEET(comm, bucket);
    if (is_unmet(comm, exchange)) dcnn_comm_domain_wait(comm);
    advance(comm, false);
    if (exchange->state == DCNN_IDLE) return;
    const double from_s = dcnn_now_s();
    comm->gradients.wanted = bucket;
    dcnn_comm_link_waits(comm, true);
    while (exchange->state != DCNN_IDLE && !comm->broken)
        if (!advance(comm, true)) sched_yield();
    dcnn_comm_link_waits(comm, false);
    comm->gradients.wanted = -1;
    dcnn_comm_waited(comm, comm->domain.count > 1, from_s);
}

void dcnn_comm_gradient_finish(dcnn_comm *comm) {
    DCNN_COMM_MEET(comm, 0);
    bool unmet = false;
    for (int i = 0; i < comm->gradients.count; i++) unmet = unmet || is_unmet(comm, &comm->gradients.exchanges[i]);
    comm->link.hurries = true;
    if (unmet) dcnn_comm_domain_wait(comm);
    advance(comm, false);
    const double from_s = dcnn_now_s();
    const bool waits = dcnn_comm_is_sending(comm);
    while (dcnn_comm_is_sending(comm) && !comm->broken)
        if (!advance(comm, true)) sched_yield();
    if (waits) dcnn_comm_waited(comm, comm->domain.count > 1, from_s);
    comm->link.hurries = false;
}

/* --- room ------------------------------------------------------------------------------------------------------- */

static int larger(int a, int b) {
    return a > b ? a : b;
}

static size_t longer(size_t a, size_t b) {
    return a > b ? a : b;
}

size_t dcnn_exchange_messages(const dcnn_comm *comm, size_t length) {
    return comm->link.message > 0 ? (length + comm->link.message - 1) / comm->link.message : 0;
}

static dcnn_exchange_room measure(const dcnn_comm *comm, dcnn_exchange *exchange, int batches, const int64_t *grains) {
    dcnn_exchange_room most = {1, 1, 0, 0, 0};
    for (int b = 0; b < batches; b++) {
        exchange->grains = grains[b];
        int in_domain = 0;
        for (int i = 0; i < comm->domain.size; i++)
            in_domain += dcnn_comm_blocks_of_ranks(comm, grains[b], i, i + 1).depth;
        const dcnn_exchange_room now =
            exchange->direct.used ? dcnn_direct_measure(comm, exchange) : dcnn_halving_measure(comm, exchange);
        most.sources = larger(most.sources, larger(now.sources, in_domain));
        most.blocks = larger(most.blocks, now.blocks);
        most.received = longer(most.received, now.received);
        most.sent = longer(most.sent, now.sent);
        most.expected = longer(most.expected, now.expected);
    }
    return most;
}

/* Which slice, by which way; *need: what that takes. Ends with free_plan(). */
static bool plan_exchange(const dcnn_comm *comm, dcnn_exchange *exchange, int batches, const int64_t *grains,
                          size_t count, dcnn_exchange_room *need) {
    dcnn_comm_slice(comm, count, &exchange->first, &exchange->length);
    exchange->count = count;
    exchange->direct.used = dcnn_direct_fits(comm);
    if (exchange->direct.used) {
        exchange->direct.before = calloc((size_t)comm->domain.count + 1, sizeof *exchange->direct.before);
        if (exchange->direct.before == NULL) return false;
    } else if (comm->domain.count > 1 && exchange->length > 0 &&
               !dcnn_route_create(comm->domain.count, comm->domain.index, exchange->length, &exchange->halving.route)) {
        return false;
    }
    *need = measure(comm, exchange, batches, grains);
    dcnn_levels_measure(comm, exchange, batches, grains);
    return true;
}

static void free_plan(dcnn_exchange *exchange) {
    dcnn_route_free(&exchange->halving.route);
    free(exchange->direct.before);
}

static bool make_exchange(dcnn_exchange *exchange, const dcnn_exchange_room *need) {
    dcnn_halving *h = &exchange->halving;
    const size_t requests = need->expected + need->sent + 1;
    if (h->route.round_count == 0 && !exchange->direct.used) return true;
    exchange->requests = calloc(requests, sizeof(MPI_Request));
    exchange->finished = calloc(requests, sizeof(int));
    if (exchange->requests == NULL || exchange->finished == NULL) return false;
    if (exchange->direct.used) return true;
    h->received = calloc(need->received + 1, sizeof(float));
    for (int i = 0; i < 2; i++) h->work[i] = calloc((size_t)need->blocks * exchange->length, sizeof(float));
    return h->received && h->work[0] && h->work[1];
}

size_t dcnn_comm_gradient_bytes(const dcnn_comm *comm, int batches, const int64_t *grains, int buckets,
                                const size_t *counts) {
    size_t bytes = (size_t)DCNN_TREE_DEPTH * CHUNK * sizeof(float);
    for (int i = 0; i < buckets; i++) {
        dcnn_exchange exchange = {0};
        dcnn_exchange_room need;
        if (plan_exchange(comm, &exchange, batches, grains, counts[i], &need)) {
            bytes += dcnn_levels_bytes(comm, &exchange) / (size_t)comm->domain.size;
            if (exchange.direct.used)
                bytes += dcnn_direct_bytes(&exchange, &need) / (size_t)comm->domain.size;
            else if (exchange.halving.route.round_count > 0)
                bytes += (need.received + 2 * (size_t)need.blocks * exchange.length) * sizeof(float);
        }
        free_plan(&exchange);
    }
    return bytes;
}

/* @param shared  out: bytes that all ranks of the domain see */
static bool make_room(dcnn_comm *comm, int batches, const int64_t *grains, int buckets, const size_t *counts,
                      dcnn_exchange_room *needs, size_t *shared) {
    dcnn_gradients *g = &comm->gradients;
    int most = 1;
    g->wanted = -1;
    g->exchanges = calloc((size_t)buckets, sizeof *g->exchanges);
    g->room = calloc((size_t)DCNN_TREE_DEPTH * CHUNK, sizeof(float));
    bool good = needs && g->exchanges && g->room;
    g->count = g->exchanges ? buckets : 0;
    for (int i = 0; good && i < buckets; i++) {
        dcnn_exchange *exchange = &g->exchanges[i];
        good =
            plan_exchange(comm, exchange, batches, grains, counts[i], &needs[i]) && make_exchange(exchange, &needs[i]);
        most = good ? larger(most, needs[i].sources) : most;
        *shared += good && exchange->direct.used ? dcnn_direct_bytes(exchange, &needs[i]) : 0;
    }
    g->blocks = calloc((size_t)most, sizeof *g->blocks);
    g->vectors = calloc((size_t)most, sizeof *g->vectors);
    return good && g->blocks && g->vectors;
}

/* Memory of the domain: where each rank's blocks lie, what the direct way takes, and sums of its levels. */
static dcnn_status share_room(dcnn_comm *comm, int buckets, const dcnn_exchange_room *needs, size_t bytes) {
    const size_t published_bytes =
        (size_t)buckets * (size_t)comm->domain.size * DCNN_TREE_DEPTH * sizeof *comm->gradients.published;
    const size_t turn_bytes = dcnn_levels_turn_bytes(comm), sum_bytes = dcnn_levels_arrange(comm);
    void *shared;
    char *sums;
    DCNN_TRY(dcnn_comm_share_near(comm, published_bytes + turn_bytes + bytes, sum_bytes, &shared, &sums));
    comm->gradients.published = shared;
    dcnn_levels_place(comm, (char *)shared + published_bytes, sums);
    char *at = (char *)shared + published_bytes + turn_bytes;
    for (int i = 0; i < buckets; i++) {
        dcnn_exchange *exchange = &comm->gradients.exchanges[i];
        if (!exchange->direct.used) continue;
        dcnn_direct_place(exchange, &needs[i], at);
        at += dcnn_direct_bytes(exchange, &needs[i]);
    }
    return DCNN_OK;
}

/* There is no room for sums of sockets: each rank then reads what all have. The same status on all ranks. */
static dcnn_status share_less(dcnn_comm *comm, int buckets, const dcnn_exchange_room *needs, size_t bytes) {
    char reason[512];
    snprintf(reason, sizeof reason, "%s", dcnn_error());
    const bool had = dcnn_levels_forget(comm);
    DCNN_TRY(share_room(comm, buckets, needs, bytes));
    if (had && comm->rank == 0)
        dcnn_warn("%s; until then gradients are added up without regard to sockets, which is slower", reason);
    return DCNN_OK;
}

dcnn_status dcnn_comm_reserve_gradient(dcnn_comm *comm, int batches, const int64_t *grains, int buckets,
                                       const size_t *counts) {
    dcnn_comm_release_gradient(comm);
    if (buckets > DCNN_MOST_BUCKETS)
        return DCNN_FAIL(
            DCNN_FAILURE,
            "the network has %d stages, two for each BatchNormalization, but messages can be told apart of "
            "%d at most: train it with fewer layers",
            buckets, DCNN_MOST_BUCKETS);
    DCNN_TRY(dcnn_comm_measure_link(comm));
    dcnn_exchange_room *needs = calloc((size_t)buckets + 1, sizeof *needs);
    size_t shared = 0;
    dcnn_status status = make_room(comm, batches, grains, buckets, counts, needs, &shared)
                             ? DCNN_OK
                             : DCNN_FAIL(DCNN_FAILURE, "out of memory: room to exchange gradients");
    status = dcnn_comm_agree(comm, status);
    if (status == DCNN_OK && share_room(comm, buckets, needs, shared) != DCNN_OK)
        status = share_less(comm, buckets, needs, shared);
    free(needs);
    comm->domain.is_sending = dcnn_comm_is_sending;
    comm->domain.move_on = dcnn_comm_move_on;
    return status;
}

void dcnn_comm_release_gradient(dcnn_comm *comm) {
    for (int i = 0; i < comm->gradients.count; i++) {
        dcnn_exchange *exchange = &comm->gradients.exchanges[i];
        if (exchange->state > DCNN_PUBLISHED)
            wait_for(exchange->requests, exchange->request_count); /* of a broken comm */
        free_plan(exchange);
        free(exchange->requests);
        free(exchange->finished);
        free(exchange->halving.received);
        free(exchange->halving.work[0]);
        free(exchange->halving.work[1]);
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
