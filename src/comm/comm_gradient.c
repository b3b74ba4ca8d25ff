/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comm_gradient.c — the gradient's exact sum over all ranks: one fixed tree over grains, whoever holds them (tree.h).
 *
 * A bucket goes two ways. In the domain: each rank says where its blocks lie; once the domain has met, each rank adds
 * one slice of all ranks' blocks, reading them in place. Over the network: what the domain could not merge travels
 * along the rank's rail, part p of the slice to domain p, which adds in tree order and sends the sum back to all
 * (reduce-scatter, allgather). Where shares are whole subtrees, as with 2, 4 or 8 domains, that is as many bytes as
 * MPI_Allreduce moves.
 */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "comm/comm_private.h"

enum { REDUCE_TAG = 1 << 10, GATHER_TAG = 1 << 11 };

enum { CHUNK = 2048 }; /* floats added at a time: a tree of a few of them stays in the L1 cache */

/* Floats of a message: below Open MPI's eager limit for TCP, 64 KiB with its header. A longer one waits until the other
 * side, between two grains, says that it may come. Two hosts at 1 Gb/s, a step of 28 ms (tools/measure_link --sleep):
 * 31.0 ms with 15 Ki, 40.8 with whole vectors; at 10 Gb/s 32.0 and 32.1. */
enum { MESSAGE = 15 * 1024 };

typedef enum exchange_state {
    IDLE,
    PUBLISHED,  /* our blocks may be read; the others' may be once the domain has met */
    TRAVELLING, /* the domain's blocks are on the rail */
    RETURNING   /* our part is added and on its way to the other domains */
} exchange_state;

/* One bucket on its way. */
struct dcnn_exchange {
    exchange_state state;
    unsigned met; /* comm->domain.meetings when it was published */
    const dcnn_kernels *kernels;
    int64_t grains;
    size_t count;                          /* of the bucket */
    float *slice;                          /* our slice of the total */
    size_t first, length;                  /* of the slice */
    const float *sources[DCNN_TREE_DEPTH]; /* the domain's blocks of the slice */
    float *merged;                         /* where they lie, unless they are a lone rank's own */
    float *received;                       /* the other domains' blocks of our part, in order */
    MPI_Request *requests;                 /* [0, arriving) blocks coming to us; then sends, and the others' sums */
    int *finished;                         /* room for MPI_Testsome */
    int request_count, arriving;
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
        const dcnn_tree theirs =
            dcnn_comm_blocks_of_rank(comm, exchange->grains, comm->domain.index * comm->domain.size + i);
        for (int k = 0; k < theirs.depth; k++) {
            const void *at = comm->domain.segments[i] + published(comm, bucket, i)[k];
            append(&all, theirs.blocks[k], (const float *)at + exchange->first);
        }
    }
    return all;
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
        const int left = dcnn_comm_blocks_of_domain(comm, exchange->grains, comm->domain.index).depth;
        for (int i = 0; i < left; i++) exchange->sources[i] = out[i] = exchange->merged + (size_t)i * exchange->length;
        add_sources(comm, exchange, &all, exchange->length, out);
    }
}

/* --- over the network ------------------------------------------------------------------------------------------- */

static size_t part_of_domain(const dcnn_comm *comm, const dcnn_exchange *exchange, int domain, size_t *length) {
    const size_t first = dcnn_comm_part_first(exchange->length, domain, comm->domain.count);
    *length = dcnn_comm_part_first(exchange->length, domain + 1, comm->domain.count) - first;
    return first;
}

static MPI_Request *next_request(dcnn_exchange *exchange) {
    MPI_Request *next = &exchange->requests[exchange->request_count++];
    *next = MPI_REQUEST_NULL; /* and so it stays if the call fails */
    return next;
}

static int message_length(size_t left) {
    return (int)(left < MESSAGE ? left : MESSAGE);
}

/* Equal tags arrive in the order sent. */
static void send_vector(dcnn_comm *comm, dcnn_exchange *exchange, const float *vector, size_t length, int domain,
                        int tag) {
    for (size_t at = 0; at < length; at += MESSAGE)
        MPI_Isend(vector + at, message_length(length - at), MPI_FLOAT, domain, tag, comm->domain.rail,
                  next_request(exchange));
}

static void receive_vector(dcnn_comm *comm, dcnn_exchange *exchange, float *vector, size_t length, int domain,
                           int tag) {
    for (size_t at = 0; at < length; at += MESSAGE)
        MPI_Irecv(vector + at, message_length(length - at), MPI_FLOAT, domain, tag, comm->domain.rail,
                  next_request(exchange));
}

/* Posts all receives, and sends each domain its part of our blocks. */
static void send_blocks(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    const int mine = dcnn_comm_blocks_of_domain(comm, exchange->grains, comm->domain.index).depth;
    size_t length;
    part_of_domain(comm, exchange, comm->domain.index, &length);
    float *received = exchange->received;
    exchange->request_count = 0;
    for (int domain = 0; domain < comm->domain.count; domain++) {
        if (domain == comm->domain.index) continue;
        const int depth = dcnn_comm_blocks_of_domain(comm, exchange->grains, domain).depth;
        for (int i = 0; i < depth; i++, received += length)
            receive_vector(comm, exchange, received, length, domain, REDUCE_TAG + bucket);
    }
    exchange->arriving = exchange->request_count;
    for (int step = 1; step < comm->domain.count;
         step++) { /* each begins with its neighbour: none is everyone's first */
        const int domain = (comm->domain.index + step) % comm->domain.count;
        const size_t first = part_of_domain(comm, exchange, domain, &length);
        receive_vector(comm, exchange, exchange->slice + first, length, domain, GATHER_TAG + bucket);
        for (int i = 0; i < mine; i++)
            send_vector(comm, exchange, exchange->sources[i] + first, length, domain, REDUCE_TAG + bucket);
    }
}

/* All blocks of our part are here: adds them, then sends the sum to all domains. */
static void add_and_return(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    size_t length;
    const size_t first = part_of_domain(comm, exchange, comm->domain.index, &length);
    sources all = {0, comm->gradients.blocks, comm->gradients.vectors};
    const float *received = exchange->received;
    for (int domain = 0; domain < comm->domain.count; domain++) {
        const bool own = domain == comm->domain.index;
        const dcnn_tree blocks = dcnn_comm_blocks_of_domain(comm, exchange->grains, domain);
        for (int i = 0; i < blocks.depth; i++) {
            append(&all, blocks.blocks[i], own ? exchange->sources[i] + first : received);
            if (!own) received += length;
        }
    }
    float *out[1] = {exchange->slice + first};
    add_sources(comm, exchange, &all, length, out);
    for (int domain = 0; domain < comm->domain.count; domain++)
        if (domain != comm->domain.index) send_vector(comm, exchange, out[0], length, domain, GATHER_TAG + bucket);
}

/* --- a bucket's way --------------------------------------------------------------------------------------------- */

/* Waits, one request after the other: where one has an error, MPI_Waitall of Open MPI 5 also frees those that are still
 * under way, and ends the job ("Send error after request freed") as their answer comes. */
static void wait_for(MPI_Request *requests, int count) {
    for (int i = 0; i < count; i++) MPI_Wait(&requests[i], MPI_STATUS_IGNORE);
}

/* As MPI_Testsome; in an elastic comm one by one, too. @return how many end now, MPI_UNDEFINED if all had before */
static int test_some(const dcnn_comm *comm, dcnn_exchange *exchange, int count) {
    int done = MPI_UNDEFINED;
    if (!comm->elastic) {
        MPI_Testsome(count, exchange->requests, &done, exchange->finished, MPI_STATUSES_IGNORE);
        return done;
    }
    for (int i = 0; i < count; i++) {
        if (exchange->requests[i] == MPI_REQUEST_NULL) continue;
        int ended = 0;
        MPI_Test(&exchange->requests[i], &ended, MPI_STATUS_IGNORE);
        done = (done == MPI_UNDEFINED ? 0 : done) + ended;
    }
    return done;
}

/* Are these requests done? Waits for them if asked to; else moves them as far as they go now: one call of MPI's reads
 * little more than a message. */
static bool are_done(dcnn_comm *comm, dcnn_exchange *exchange, int count, bool wait) {
    if (wait) {
        const double from_s = dcnn_now_s();
        wait_for(exchange->requests, count);
        dcnn_comm_waited(comm, true, from_s);
        return !comm->broken;
    }
    int done;
    do done = test_some(comm, exchange, count);
    while (done > 0 && !comm->broken);
    return done == MPI_UNDEFINED && !comm->broken;
}

/* Moves a bucket along; waits for what it waits for in states up to `waits`. */
static void advance(dcnn_comm *comm, int bucket, exchange_state waits) {
    dcnn_exchange *exchange = &comm->gradients.exchanges[bucket];
    if (exchange->state == PUBLISHED) {
        if (comm->domain.size > 1 && exchange->met == comm->domain.meetings) return;
        add_in_domain(comm, exchange, bucket);
        exchange->state = comm->domain.count > 1 ? TRAVELLING : IDLE;
        if (exchange->state == TRAVELLING) send_blocks(comm, exchange, bucket);
    }
    if (exchange->state == TRAVELLING && are_done(comm, exchange, exchange->arriving, waits >= TRAVELLING)) {
        add_and_return(comm, exchange, bucket);
        exchange->state = RETURNING;
    }
    if (exchange->state == RETURNING && are_done(comm, exchange, exchange->request_count, waits >= RETURNING))
        exchange->state = IDLE;
}

void dcnn_comm_gradient_begin(dcnn_comm *comm, const dcnn_kernels *kernels, int bucket, dcnn_shares shares,
                              size_t count, float *const *blocks, float *total) {
    dcnn_exchange *exchange = &comm->gradients.exchanges[bucket];
    DCNN_COMM_MEET(comm, bucket);
    exchange->state = PUBLISHED;
    exchange->met = comm->domain.meetings;
    exchange->kernels = kernels;
    exchange->grains = shares.grains;
    exchange->count = count;
    dcnn_comm_slice(comm, count, &exchange->first, &exchange->length);
    exchange->slice = total + exchange->first;
    const int depth = dcnn_tree_share(shares.first, shares.count, shares.grains).depth;
    for (int i = 0; i < depth; i++)
        published(comm, bucket, comm->domain.rank)[i] = (char *)blocks[i] - comm->domain.segments[comm->domain.rank];
    advance(comm, bucket, IDLE);
}

void dcnn_comm_progress(dcnn_comm *comm) {
    for (int i = 0; i < comm->gradients.count; i++) advance(comm, i, IDLE);
}

void dcnn_comm_gradient_finish(dcnn_comm *comm) {
    DCNN_COMM_MEET(comm, 0);
    bool unmet = false; /* the same on all ranks: who could not have read yet has not */
    for (int i = 0; i < comm->gradients.count; i++)
        unmet = unmet || (comm->gradients.exchanges[i].state == PUBLISHED &&
                          comm->gradients.exchanges[i].met == comm->domain.meetings);
    if (unmet) dcnn_comm_domain_barrier(comm);
    for (int i = 0; i < comm->gradients.count; i++) advance(comm, i, TRAVELLING); /* all are on their way back, … */
    for (int i = 0; i < comm->gradients.count; i++) advance(comm, i, RETURNING);  /* … before one is waited for */
}

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

/* --- room ------------------------------------------------------------------------------------------------------- */

/* The most blocks that matter for any batch that occurs. */
typedef struct most_blocks {
    int in_domain; /* of all ranks of ours */
    int of_domain; /* left of any domain */
    int of_all_domains;
} most_blocks;

static int larger(int a, int b) {
    return a > b ? a : b;
}

static most_blocks count_blocks(const dcnn_comm *comm, int batches, const int64_t *grains) {
    most_blocks most = {1, 1, 1};
    for (int b = 0; b < batches; b++) {
        const int64_t batch = grains[b];
        int in_domain = 0, all = 0;
        for (int i = 0; i < comm->domain.size; i++)
            in_domain += dcnn_comm_blocks_of_rank(comm, batch, comm->domain.index * comm->domain.size + i).depth;
        for (int domain = 0; domain < comm->domain.count; domain++) {
            const int depth = dcnn_comm_blocks_of_domain(comm, batch, domain).depth;
            most.of_domain = larger(most.of_domain, depth);
            all += depth;
        }
        most.in_domain = larger(most.in_domain, in_domain);
        most.of_all_domains = larger(most.of_all_domains, all);
    }
    return most;
}

static bool make_room(dcnn_comm *comm, const most_blocks *most, int buckets, const size_t *counts) {
    const int most_sources = larger(most->in_domain, most->of_all_domains);
    comm->gradients.exchanges = calloc((size_t)buckets, sizeof *comm->gradients.exchanges);
    comm->gradients.room = calloc((size_t)DCNN_TREE_DEPTH * CHUNK, sizeof(float));
    comm->gradients.blocks = calloc((size_t)most_sources, sizeof *comm->gradients.blocks);
    comm->gradients.vectors = calloc((size_t)most_sources, sizeof *comm->gradients.vectors);
    bool good = comm->gradients.exchanges && comm->gradients.room && comm->gradients.blocks && comm->gradients.vectors;
    comm->gradients.count = comm->gradients.exchanges ? buckets : 0;
    for (int i = 0; good && comm->domain.count > 1 && i < buckets; i++) {
        dcnn_exchange *exchange = &comm->gradients.exchanges[i];
        const size_t slice = counts[i] / (size_t)comm->domain.size + 16;
        const size_t part = slice / (size_t)comm->domain.count + 16;
        const size_t requests =
            (size_t)(most->of_all_domains + (most->of_domain + 2) * comm->domain.count) * (part / MESSAGE + 1);
        exchange->requests = calloc(requests, sizeof(MPI_Request));
        exchange->finished = calloc(requests, sizeof(int));
        exchange->received = calloc((size_t)most->of_all_domains * part, sizeof(float));
        if (comm->domain.size > 1) exchange->merged = calloc((size_t)most->of_domain * slice, sizeof(float));
        good = exchange->requests && exchange->finished && exchange->received &&
               (comm->domain.size == 1 || exchange->merged);
    }
    return good;
}

dcnn_status dcnn_comm_reserve_gradient(dcnn_comm *comm, int batches, const int64_t *grains, int buckets,
                                       const size_t *counts) {
    dcnn_comm_release_gradient(comm);
    const most_blocks most = count_blocks(comm, batches, grains);
    const size_t published_bytes =
        (size_t)buckets * (size_t)comm->domain.size * DCNN_TREE_DEPTH * sizeof *comm->gradients.published;
    void *shared;
    DCNN_TRY(dcnn_comm_share_domain(comm, published_bytes, 0, &shared, NULL));
    comm->gradients.published = shared;
    return dcnn_comm_agree(comm, make_room(comm, &most, buckets, counts)
                                     ? DCNN_OK
                                     : DCNN_FAIL(DCNN_FAILURE, "out of memory: room to exchange gradients"));
}

void dcnn_comm_release_gradient(dcnn_comm *comm) {
    for (int i = 0; i < comm->gradients.count; i++) {
        if (comm->gradients.exchanges[i].state == TRAVELLING ||
            comm->gradients.exchanges[i].state == RETURNING) /* of a broken comm */
            wait_for(comm->gradients.exchanges[i].requests, comm->gradients.exchanges[i].request_count);
        free(comm->gradients.exchanges[i].requests);
        free(comm->gradients.exchanges[i].finished);
        free(comm->gradients.exchanges[i].received);
        free(comm->gradients.exchanges[i].merged);
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
