/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comm_shares.c — who holds which grains of a batch, and which slice of a vector: contiguous, by arithmetic.
 *
 * No rank has more grains than an even cut gives the busiest one. Where that leaves a choice, domains begin at grains
 * where large subtrees begin: what they then send each other is fewer blocks (tree.h), and who computes a grain changes
 * no bit.
 */
#include "comm/comm_private.h"

/* How often 2 divides it. */
static int evenness(int64_t number) {
    int times = 0;
    for (; number > 0 && number % 2 == 0; number /= 2) times++;
    return times;
}

static int64_t distance(int64_t a, int64_t b) {
    return a < b ? b - a : a - b;
}

/* Grains [first, end) of domains [low, high). */
typedef struct cut {
    int low, high;
    int64_t first, end;
} cut;

/* Where the right half of the domains begins, as gradient/route.c halves them. */
static int64_t middle_of(const dcnn_comm *comm, int64_t most, const cut *c, int middle) {
    const int *ranks = comm->domain.firsts;
    const int64_t left = ranks[middle] - ranks[c->low], right = ranks[c->high] - ranks[middle];
    const int64_t all = c->end - c->first, even = c->first + all * left / (left + right);
    int64_t low = c->end - most * right, high = c->first + most * left;
    if (low < c->first) low = c->first;
    if (high > c->end) high = c->end;
    if (all >= c->high - c->low) { /* each domain has one at least */
        if (low < c->first + middle - c->low) low = c->first + middle - c->low;
        if (high > c->end - (c->high - middle)) high = c->end - (c->high - middle);
    }
    int64_t best = low;
    for (int64_t at = low + 1; at <= high; at++)
        if (evenness(at) > evenness(best) ||
            (evenness(at) == evenness(best) && distance(at, even) < distance(best, even)))
            best = at;
    return best;
}

static cut grains_of_domain(const dcnn_comm *comm, int64_t grains, int domain) {
    const int64_t most = (grains + comm->size - 1) / comm->size;
    cut c = {0, comm->domain.count, 0, grains};
    while (c.high - c.low > 1) {
        const int middle = c.low + (c.high - c.low) / 2;
        const int64_t at = middle_of(comm, most, &c, middle);
        c = domain < middle ? (cut){c.low, middle, c.first, at} : (cut){middle, c.high, at, c.end};
    }
    return c;
}

/* Grains of a rank among those of its domain. */
static dcnn_shares share_in_domain(const dcnn_comm *comm, int64_t grains, int domain, int rank, int64_t first,
                                   int64_t end) {
    const int base = comm->domain.firsts[domain], size = comm->domain.firsts[domain + 1] - base;
    const int64_t from = first + dcnn_share_first(end - first, rank - base, size);
    return (dcnn_shares){grains, from, first + dcnn_share_first(end - first, rank - base + 1, size) - from};
}

dcnn_shares dcnn_comm_shares_of(const dcnn_comm *comm, int64_t grains, int rank) {
    int domain = 0;
    while (rank >= comm->domain.firsts[domain + 1]) domain++;
    const cut c = grains_of_domain(comm, grains, domain);
    return share_in_domain(comm, grains, domain, rank, c.first, c.end);
}

dcnn_shares dcnn_comm_shares(const dcnn_comm *comm, int64_t grains) {
    return dcnn_comm_shares_of(comm, grains, comm->rank);
}

/* First grains of all domains; found once for each batch that follows one of another size. */
static const int64_t *bounds_of(const dcnn_comm *comm, int64_t grains) {
    int64_t *bounds = comm->domain.bounds, *known = &bounds[comm->domain.count + 1];
    if (*known == grains) return bounds;
    bounds[0] = 0;
    for (int domain = 0; domain < comm->domain.count; domain++)
        bounds[domain + 1] = grains_of_domain(comm, grains, domain).end;
    *known = grains;
    return bounds;
}

dcnn_tree dcnn_comm_blocks_of_ranks(const dcnn_comm *comm, int64_t grains, int first, int end) {
    const int64_t *bounds = bounds_of(comm, grains);
    const int domain = comm->domain.index, base = comm->domain.firsts[domain];
    const dcnn_shares low = share_in_domain(comm, grains, domain, base + first, bounds[domain], bounds[domain + 1]);
    const dcnn_shares high = share_in_domain(comm, grains, domain, base + end - 1, bounds[domain], bounds[domain + 1]);
    return dcnn_tree_share(low.first, high.first + high.count - low.first, grains);
}

dcnn_tree dcnn_comm_blocks_of_domains(const dcnn_comm *comm, int64_t grains, int first, int end) {
    const int64_t *bounds = bounds_of(comm, grains);
    return dcnn_tree_share(bounds[first], bounds[end] - bounds[first], grains);
}

size_t dcnn_comm_part_first(size_t count, int part, int parts) {
    return part == parts ? count : (size_t)((int64_t)count * part / parts) / 16 * 16;
}

/* Of the vector's slices each rank of a rail has one, so a domain with more ranks than another one has ranks without.
 */
void dcnn_comm_slice(const dcnn_comm *comm, size_t count, size_t *first, size_t *length) {
    const int rank = comm->domain.rank < comm->domain.rails ? comm->domain.rank : comm->domain.rails;
    *first = dcnn_comm_part_first(count, rank, comm->domain.rails);
    *length = rank == comm->domain.rails ? 0 : dcnn_comm_part_first(count, rank + 1, comm->domain.rails) - *first;
}
