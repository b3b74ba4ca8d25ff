/* SPDX-License-Identifier: BSD-3-Clause */
/* exchange.h — one bucket of the gradient on its way: what the files of this folder share. gradient.c is the way within
 * a domain and all that callers see; levels.c says who adds what in it; halving.c and direct.c are the two ways between
 * domains. */
#ifndef DCNN_COMM_GRADIENT_EXCHANGE_H
#define DCNN_COMM_GRADIENT_EXCHANGE_H

#include <mpi.h>

#include "comm/comm_private.h"
#include "comm/gradient/route.h"

enum { DCNN_REDUCE_TAG = DCNN_MOST_BUCKETS, DCNN_GATHER_TAG = 2 * DCNN_MOST_BUCKETS }; /* and a bucket */

typedef enum dcnn_exchange_state {
    DCNN_IDLE,
    DCNN_PUBLISHED, /* our blocks may be read; the others' may be once the domain has met */
    DCNN_ADDING,    /* our slice of a level, piece by piece */
    DCNN_LEVELLED,  /* other ranks that the next level reads are still adding theirs */
    DCNN_ADDED,     /* direct: the domain's other ranks are still adding their slices */
    DCNN_REDUCING,  /* what other domains have of our part of the sum comes, by rounds or at once */
    DCNN_CAME,      /* direct: the other ranks still wait for theirs */
    DCNN_HELD,      /* our part of the sum is complete, and something is to be made of it (dcnn_making) */
    DCNN_SUMMED,    /* direct: they still add */
    DCNN_GATHERING, /* parts of the sum come back */
    DCNN_SENDING    /* all that we wait for is here; our last messages may still be on their way */
} dcnn_exchange_state;

/* What is sent next. */
typedef struct dcnn_cursor {
    int piece, block; /* piece: a segment of the route, or a task */
    size_t at;        /* floats of it */
} dcnn_cursor;

/* Vectors to add, in tree order. */
typedef struct dcnn_sources {
    int count;
    dcnn_block *blocks;
    const float **vectors;
} dcnn_sources;

/* What a bucket's way takes for any batch that occurs. */
typedef struct dcnn_exchange_room {
    int sources;                     /* added at a time */
    int blocks;                      /* of a group of ours, or of the domain */
    size_t received, sent, expected; /* floats; requests for what we send and what comes */
} dcnn_exchange_room;

/* By rounds (halving.c). */
typedef struct dcnn_halving {
    dcnn_route route;                      /* of a vector as long as our slice */
    int round, depth;                      /* in progress, and the vectors of each part that it sends */
    int sent_before;                       /* requests until the round's begin */
    const float *sources[DCNN_TREE_DEPTH]; /* our group's blocks of the slice, where we have them */
    float *work[2];                        /* [most blocks][slice] in turns: where they lie, unless a lone rank's own */
    float *received;                       /* the other groups' blocks of what we keep, round by round */
    size_t received_first[DCNN_MOST_ROUNDS];
    int reduce_first[DCNN_MOST_ROUNDS + 1], gather_first[DCNN_MOST_ROUNDS + 1]; /* requests */
} dcnn_halving;

/* How often a rank of the domain came so far; shared. */
typedef struct dcnn_turns {
    atomic_uint added, came, summed, done;
} dcnn_turns;

/* All at once (direct.c). */
typedef struct dcnn_direct {
    bool used;
    dcnn_turns *turns;          /* shared */
    unsigned turn;              /* of all ranks together, once this sum is done */
    float *own;                 /* shared: [blocks][count] of the domain */
    float *received;            /* shared: the other domains' blocks of our piece, domain by domain */
    int *before;                /* [domains + 1] blocks of all domains before one, in a batch of so many grains */
    int64_t known;              /* grains of that batch; 0: none */
    int reduce_end, gather_end; /* requests */
} dcnn_direct;

/* How often a rank of a group came so far; shared, as long as a cache line, but MPI's memory may not begin with one. */
typedef struct dcnn_near_turns {
    atomic_uint added;
    char rest[64 - sizeof(atomic_uint)];
} dcnn_near_turns;

/* A bucket at a level below the last (levels.c). */
typedef struct dcnn_near_room {
    size_t first, bytes;    /* in a group's part of what is shared */
    dcnn_near_turns *turns; /* of our group of the next level */
    unsigned turn;          /* of all its ranks together, once this sum is done */
} dcnn_near_room;

/* One bucket on its way. */
struct dcnn_exchange {
    dcnn_exchange_state state;
    unsigned met; /* comm->domain.meetings when it was published */
    const dcnn_kernels *kernels;
    int64_t grains;
    dcnn_making making;           /* make: NULL if nothing is */
    float *given;                 /* [count] of the domain: parts of it come back, of the total or of what is made */
    float *total;                 /* of the domain */
    size_t count;                 /* floats */
    float *slice;                 /* our slice of the total */
    size_t first, length;         /* of the slice */
    int level;                    /* of the domain, whose sums are being made */
    size_t at_first, at_length;   /* of our slice of it; the last one's is that above */
    size_t added;                 /* floats of it, so far */
    float *sums[DCNN_TREE_DEPTH]; /* where they go: the blocks that the domain is left with */
    dcnn_cursor next;             /* to be sent */
    double of_link;               /* what a message takes of the time that it would take if all ranks sent as many */
    MPI_Request *requests;        /* what comes to be added, what comes back; then what we send */
    int request_count;
    int *finished; /* room for MPI_Testsome */
    dcnn_near_room near[DCNN_MOST_LEVELS];
    dcnn_halving halving;
    dcnn_direct direct;
};

/* --- of gradient.c, for both ways ------------------------------------------------------------------------------- */

void dcnn_sources_append(dcnn_sources *to, dcnn_block block, const float *vector);

/* Where a rank of the domain has its blocks: [DCNN_TREE_DEPTH], in its segment. */
int64_t *dcnn_exchange_published(const dcnn_comm *comm, int bucket, int domain_rank);

/* Our part of the sum is complete: is something to be made of it first? */
static inline bool dcnn_exchange_makes(const dcnn_exchange *exchange) {
    return exchange->making.make != NULL;
}

/* Adds vectors along the tree; the blocks that are left go to out[i]. */
void dcnn_exchange_add(dcnn_comm *comm, const dcnn_exchange *exchange, const dcnn_sources *from, size_t length,
                       float *const *out);

/* Expects a vector, message by message. Equal tags arrive in the order sent. */
void dcnn_exchange_receive(dcnn_comm *comm, dcnn_exchange *exchange, float *vector, size_t length, int domain, int tag);

/* Sends a vector from next.at on, as far as it may go now. @return all of it? */
bool dcnn_exchange_send(dcnn_comm *comm, dcnn_exchange *exchange, int bucket, const float *vector, size_t length,
                        int domain, int tag);

/* Are requests [first, end) done? Moves them as far as they go now. */
bool dcnn_exchange_done(dcnn_comm *comm, dcnn_exchange *exchange, int first, int end);

/* Messages of so many floats. */
size_t dcnn_exchange_messages(const dcnn_comm *comm, size_t length);

/* --- in the domain ---------------------------------------------------------------------------------------------- */

/* Our slice of a level, exchange->level. */
void dcnn_levels_begin(const dcnn_comm *comm, dcnn_exchange *exchange);

/* Is it the last one? */
bool dcnn_levels_at_top(const dcnn_comm *comm, const dcnn_exchange *exchange);

/* What is still to be added of our slice, and where the blocks that are left go. */
dcnn_sources dcnn_levels_sources(const dcnn_comm *comm, const dcnn_exchange *exchange, int bucket);
void dcnn_levels_targets(const dcnn_comm *comm, const dcnn_exchange *exchange, float *out[DCNN_TREE_DEPTH]);

/* It is added; and so are all that the next level reads. */
void dcnn_levels_added(dcnn_exchange *exchange);
bool dcnn_levels_are_added(const dcnn_exchange *exchange);

/* Bytes of all ranks that a bucket takes, once it is measured. */
void dcnn_levels_measure(const dcnn_comm *comm, dcnn_exchange *exchange, int batches, const int64_t *grains);
size_t dcnn_levels_bytes(const dcnn_comm *comm, const dcnn_exchange *exchange);

/* Of all buckets: bytes for turns, and for sums; and where they are. Each rank touches its part of them. */
size_t dcnn_levels_turn_bytes(const dcnn_comm *comm);
size_t dcnn_levels_arrange(dcnn_comm *comm);
void dcnn_levels_place(dcnn_comm *comm, char *turns, char *sums);

/* Leaves only the first and the last level. @return were there others? */
bool dcnn_levels_forget(dcnn_comm *comm);

/* --- the two ways ----------------------------------------------------------------------------------------------- */

/* What it takes for a batch of exchange->grains. */
dcnn_exchange_room dcnn_halving_measure(const dcnn_comm *comm, const dcnn_exchange *exchange);
dcnn_exchange_room dcnn_direct_measure(const dcnn_comm *comm, dcnn_exchange *exchange);

/* The domain has met: says where what it published is to be added, and expects what will come. @return is there
 * anything to add? */
bool dcnn_halving_begin(dcnn_comm *comm, dcnn_exchange *exchange, int bucket);
bool dcnn_direct_begin(dcnn_comm *comm, dcnn_exchange *exchange, int bucket);

/* The domain has what it made of the bucket before: expects the others' parts, and sends its own. */
void dcnn_halving_spread(dcnn_comm *comm, dcnn_exchange *exchange, int bucket);
void dcnn_direct_spread(dcnn_comm *comm, dcnn_exchange *exchange, int bucket);

/* It is added. */
void dcnn_halving_added(dcnn_comm *comm, dcnn_exchange *exchange);
void dcnn_direct_added(dcnn_exchange *exchange);

/* The next step, if what it waits for has come. @return did it move? */
bool dcnn_halving_step(dcnn_comm *comm, dcnn_exchange *exchange, int bucket);
bool dcnn_direct_step(dcnn_comm *comm, dcnn_exchange *exchange, int bucket);

/* Is that the way between these domains? The same on all ranks. */
bool dcnn_direct_fits(const dcnn_comm *comm);

/* Shared bytes that it takes, and where they are. */
size_t dcnn_direct_bytes(const dcnn_exchange *exchange, const dcnn_exchange_room *room);
void dcnn_direct_place(dcnn_exchange *exchange, const dcnn_exchange_room *room, char *at);

#endif
