/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * direct.c — the gradient between domains, all at once: each domain adds up one piece of the vector. It gets what each
 * other domain has of that piece, adds it along the tree, and sends the sum to all others: two messages on the way,
 * where halving takes two for each round. The ranks of a domain share out its messages, so that on 64 nodes of 16 ranks
 * each sends four there and four back instead of six and six, and on up to 17 nodes one. That takes memory that all of
 * them see, and their waiting for each other: each time a rank is done with its share it counts itself, and none goes
 * on until all have. Nobody stands still meanwhile, for it is looked at between two grains, and by who waits for
 * something else.
 *
 * Domain `to` = domain + s gets its messages from the rank number (s - 1) of its rail, round about, as small sums do.
 * If there are fewer other domains than ranks, several ranks carry parts of one message.
 */
#include "comm/gradient/exchange.h"

/* Messages of halving.c, one way. */
static int rounds_of(int domains) {
    int rounds = 0;
    while (1 << rounds < domains) rounds++;
    return rounds;
}

bool dcnn_direct_fits(const dcnn_comm *comm) {
    const int others = comm->domain.count - 1, rails = comm->domain.rails;
    return rails > 1 && (others + rails - 1) / rails < rounds_of(comm->domain.count);
}

/* --- which piece, by whom --------------------------------------------------------------------------------------- */

typedef struct piece {
    size_t first, length; /* of the vector */
} piece;

static piece part_of(piece whole, int part, int parts) {
    const size_t first = dcnn_comm_part_first(whole.length, part, parts);
    return (piece){whole.first + first, dcnn_comm_part_first(whole.length, part + 1, parts) - first};
}

static piece piece_of(const dcnn_comm *comm, const dcnn_exchange *exchange, int domain) {
    return part_of((piece){0, exchange->count}, domain, comm->domain.count);
}

/* A message to a domain, one from another, and one each way back; or a part of it. */
typedef struct task {
    int to, from;
    int part, parts;
} task;

static int parts_of(const dcnn_comm *comm) {
    const int parts = comm->domain.rails / (comm->domain.count - 1);
    return parts > 1 ? parts : 1;
}

static int task_count(const dcnn_comm *comm) {
    return (comm->domain.count - 1) * parts_of(comm);
}

static task task_of(const dcnn_comm *comm, int number) {
    const int parts = parts_of(comm), steps = 1 + number / parts, count = comm->domain.count;
    const int own = comm->domain.index;
    return (task){(own + steps) % count, (own - steps + count) % count, number % parts, parts};
}

/* Of the link's time that a rank's messages would take if all ranks sent as many: the others send fewer. */
static double share_of_link(const dcnn_comm *comm) {
    const int tasks = task_count(comm), rails = comm->domain.rails;
    return (double)tasks / (rails * ((tasks + rails - 1) / rails));
}

/* Blocks of all domains before each. */
static const int *blocks_before(const dcnn_comm *comm, dcnn_exchange *exchange) {
    dcnn_direct *d = &exchange->direct;
    if (d->known == exchange->grains) return d->before;
    for (int i = 0; i < comm->domain.count; i++)
        d->before[i + 1] = d->before[i] + dcnn_comm_blocks_of_domains(comm, exchange->grains, i, i + 1).depth;
    d->known = exchange->grains;
    return d->before;
}

static int depth_of(const int *before, int domain) {
    return before[domain + 1] - before[domain];
}

/* Where a domain's block of our piece lies once it is here. */
static float *received(const dcnn_comm *comm, dcnn_exchange *exchange, int domain, int block) {
    const int *before = blocks_before(comm, exchange), own = comm->domain.index;
    const int others = before[domain] - (domain > own ? depth_of(before, own) : 0);
    return exchange->direct.received + (size_t)(others + block) * piece_of(comm, exchange, own).length;
}

/* --- the ranks of the domain ------------------------------------------------------------------------------------ */

static void count_in(atomic_uint *turns) {
    atomic_fetch_add_explicit(turns, 1, memory_order_acq_rel);
}

static bool all_are_in(const dcnn_exchange *exchange, atomic_uint *turns) {
    return (int)(atomic_load_explicit(turns, memory_order_acquire) - exchange->direct.turn) >= 0;
}

/* --- messages --------------------------------------------------------------------------------------------------- */

/* @param reduces  else the domain has its part already */
static void expect(dcnn_comm *comm, dcnn_exchange *exchange, int bucket, bool reduces) {
    const int *before = blocks_before(comm, exchange);
    const piece own = piece_of(comm, exchange, comm->domain.index);
    exchange->request_count = 0;
    for (int i = comm->domain.rank; i < task_count(comm) && reduces; i += comm->domain.rails) {
        const task t = task_of(comm, i);
        const piece part = part_of(own, t.part, t.parts);
        for (int k = 0; k < depth_of(before, t.from); k++)
            dcnn_exchange_receive(comm, exchange, received(comm, exchange, t.from, k) + (part.first - own.first),
                                  part.length, t.from, DCNN_REDUCE_TAG + bucket);
    }
    exchange->direct.reduce_end = exchange->request_count;
    for (int i = comm->domain.rank; i < task_count(comm); i += comm->domain.rails) {
        const task t = task_of(comm, i);
        const piece part = part_of(piece_of(comm, exchange, t.from), t.part, t.parts);
        dcnn_exchange_receive(comm, exchange, exchange->given + part.first, part.length, t.from,
                              DCNN_GATHER_TAG + bucket);
    }
    exchange->direct.gather_end = exchange->request_count;
}

/* Sends what is ours to send, as far as it may go now: our domain's blocks of the others' pieces, or the sum of its
 * own.
 * @return all of it? */
static bool send_on(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    const bool reduces = exchange->state == DCNN_REDUCING;
    const int depth = reduces ? depth_of(blocks_before(comm, exchange), comm->domain.index) : 1;
    dcnn_cursor *next = &exchange->next;
    for (; next->piece < task_count(comm); next->piece += comm->domain.rails, next->block = 0) {
        const task t = task_of(comm, next->piece);
        const piece part = part_of(piece_of(comm, exchange, reduces ? t.to : comm->domain.index), t.part, t.parts);
        for (; next->block < depth; next->block++, next->at = 0) {
            const float *vector =
                reduces ? exchange->direct.own + (size_t)next->block * exchange->count : exchange->given;
            if (!dcnn_exchange_send(comm, exchange, bucket, vector + part.first, part.length, t.to,
                                    (reduces ? DCNN_REDUCE_TAG : DCNN_GATHER_TAG) + bucket))
                return false;
        }
    }
    return true;
}

/* --- its way ---------------------------------------------------------------------------------------------------- */

bool dcnn_direct_begin(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    dcnn_direct *d = &exchange->direct;
    d->turn += (unsigned)comm->domain.rails;
    exchange->state = DCNN_SENDING;
    exchange->of_link = share_of_link(comm);
    exchange->request_count = d->gather_end = 0;
    if (comm->domain.rank >= comm->domain.rails) return false; /* who has no part in it waits for the others */
    const int depth = depth_of(blocks_before(comm, exchange), comm->domain.index);
    for (int k = 0; k < depth; k++) exchange->sums[k] = d->own + (size_t)k * exchange->count + exchange->first;
    expect(comm, exchange, bucket, true);
    return true;
}

void dcnn_direct_spread(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    dcnn_direct *d = &exchange->direct;
    d->turn += (unsigned)comm->domain.rails;
    exchange->state = DCNN_SENDING;
    exchange->of_link = share_of_link(comm);
    exchange->request_count = d->gather_end = 0;
    if (comm->domain.rank >= comm->domain.rails) return;
    expect(comm, exchange, bucket, false);
    count_in(&d->turns->added);
    count_in(&d->turns->came);
    count_in(&d->turns->summed);
    exchange->state = DCNN_SUMMED;
}

void dcnn_direct_added(dcnn_exchange *exchange) {
    count_in(&exchange->direct.turns->added);
    exchange->state = DCNN_ADDED;
}

/* This rank's part of our piece. */
static piece own_part(const dcnn_comm *comm, const dcnn_exchange *exchange) {
    return part_of(piece_of(comm, exchange, comm->domain.index), comm->domain.rank, comm->domain.rails);
}

/* All domains' blocks of our piece are here: adds this rank's part of it. */
static void sum_part(dcnn_comm *comm, dcnn_exchange *exchange) {
    const int *before = blocks_before(comm, exchange), index = comm->domain.index;
    const piece own = piece_of(comm, exchange, index), part = own_part(comm, exchange);
    dcnn_sources all = {0, comm->gradients.blocks, comm->gradients.vectors};
    for (int i = 0; i < comm->domain.count; i++) {
        const dcnn_tree blocks = dcnn_comm_blocks_of_domains(comm, exchange->grains, i, i + 1);
        for (int k = 0; k < depth_of(before, i); k++)
            dcnn_sources_append(&all, blocks.blocks[k],
                                i == index ? exchange->direct.own + (size_t)k * exchange->count + part.first
                                           : received(comm, exchange, i, k) + (part.first - own.first));
    }
    float *out[1] = {exchange->total + part.first};
    dcnn_exchange_add(comm, exchange, &all, part.length, out);
}

/* Have all ranks of the domain come? Meanwhile our messages must be moved on: others wait for them, and what the
 * system's buffers had no room for lies here. */
static bool all_came(dcnn_comm *comm, dcnn_exchange *exchange, atomic_uint *turns) {
    if (all_are_in(exchange, turns)) return true;
    dcnn_exchange_done(comm, exchange, exchange->direct.gather_end, exchange->request_count);
    return all_are_in(exchange, turns);
}

static void go(const dcnn_comm *comm, dcnn_exchange *exchange, dcnn_exchange_state state) {
    exchange->state = state;
    exchange->next = (dcnn_cursor){.piece = comm->domain.rank};
}

bool dcnn_direct_step(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    dcnn_direct *d = &exchange->direct;
    bool came;
    switch (exchange->state) {
    case DCNN_ADDED:
        if (!all_came(comm, exchange, &d->turns->added)) return false;
        go(comm, exchange, DCNN_REDUCING);
        return true;
    case DCNN_REDUCING:
        came = dcnn_exchange_done(comm, exchange, 0, d->reduce_end);
        if (!send_on(comm, exchange, bucket) || !came) return false;
        count_in(&d->turns->came);
        exchange->state = DCNN_CAME;
        return true;
    case DCNN_CAME:
        if (!all_came(comm, exchange, &d->turns->came)) return false;
        sum_part(comm, exchange);
        exchange->state = DCNN_HELD;
        return true;
    case DCNN_HELD:
        dcnn_exchange_done(comm, exchange, d->gather_end, exchange->request_count); /* others wait for it */
        if (exchange->making.held) return false;
        if (dcnn_exchange_makes(exchange)) {
            const piece part = own_part(comm, exchange);
            exchange->making.make(exchange->making.context, bucket, part.first, part.length);
        }
        count_in(&d->turns->summed);
        exchange->state = DCNN_SUMMED;
        return true;
    case DCNN_SUMMED:
        if (!all_came(comm, exchange, &d->turns->summed)) return false;
        go(comm, exchange, DCNN_GATHERING);
        return true;
    case DCNN_GATHERING:
        came = dcnn_exchange_done(comm, exchange, d->reduce_end, d->gather_end);
        if (!send_on(comm, exchange, bucket) || !came) return false;
        count_in(&d->turns->done);
        exchange->state = DCNN_SENDING;
        return true;
    case DCNN_SENDING:
        if (!dcnn_exchange_done(comm, exchange, d->gather_end, exchange->request_count) ||
            !all_are_in(exchange, &d->turns->done))
            return false;
        exchange->state = DCNN_IDLE;
        return true;
    default:
        return false;
    }
}

/* --- room ------------------------------------------------------------------------------------------------------- */

dcnn_exchange_room dcnn_direct_measure(const dcnn_comm *comm, dcnn_exchange *exchange) {
    const int *before = blocks_before(comm, exchange), index = comm->domain.index, count = comm->domain.count;
    const piece own = piece_of(comm, exchange, index);
    dcnn_exchange_room now = {before[count], depth_of(before, index), 0, 0, 0};
    now.received = (size_t)(before[count] - depth_of(before, index)) * own.length;
    for (int i = comm->domain.rank; i < task_count(comm) && comm->domain.rank < comm->domain.rails;
         i += comm->domain.rails) {
        const task t = task_of(comm, i);
        const size_t ours = dcnn_exchange_messages(comm, part_of(own, t.part, t.parts).length);
        const piece to = piece_of(comm, exchange, t.to), from = piece_of(comm, exchange, t.from);
        now.expected += (size_t)depth_of(before, t.from) * ours +
                        dcnn_exchange_messages(comm, part_of(from, t.part, t.parts).length);
        now.sent +=
            (size_t)depth_of(before, index) * dcnn_exchange_messages(comm, part_of(to, t.part, t.parts).length) + ours;
    }
    return now;
}

enum { LINE = 64 };

static size_t lines(size_t bytes) {
    return (bytes + LINE - 1) / LINE * LINE;
}

static size_t own_bytes(const dcnn_exchange *exchange, const dcnn_exchange_room *room) {
    return lines((size_t)room->blocks * exchange->count * sizeof(float));
}

size_t dcnn_direct_bytes(const dcnn_exchange *exchange, const dcnn_exchange_room *room) {
    return lines(sizeof(dcnn_turns)) + own_bytes(exchange, room) + lines(room->received * sizeof(float));
}

void dcnn_direct_place(dcnn_exchange *exchange, const dcnn_exchange_room *room, char *at) {
    exchange->direct.turns = (dcnn_turns *)(void *)at;
    exchange->direct.own = (float *)(void *)(at + lines(sizeof(dcnn_turns)));
    exchange->direct.received = (float *)(void *)(at + lines(sizeof(dcnn_turns)) + own_bytes(exchange, room));
}
