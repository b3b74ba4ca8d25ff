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

/* The first grain behind a domain that begins at `first`. */
static int64_t end_of_domain(const dcnn_comm *comm, int64_t grains, int domain, int64_t first) {
    const int *ranks = comm->domain.firsts;
    const int64_t most = (grains + comm->size - 1) / comm->size, domains = comm->domain.count;
    const int64_t even = grains * ranks[domain + 1] / comm->size;
    int64_t low = grains - most * (comm->size - ranks[domain + 1]),
            high = first + most * (ranks[domain + 1] - ranks[domain]);
    if (domain + 1 == domains) return grains;
    if (grains >= domains) { /* each has one at least */
        if (low < first + 1) low = first + 1;
        if (high > grains - (domains - 1 - domain)) high = grains - (domains - 1 - domain);
    }
    if (low < first) low = first;
    if (high > grains) high = grains;
    int64_t best = low;
    for (int64_t end = low + 1; end <= high; end++)
        if (evenness(end) > evenness(best) ||
            (evenness(end) == evenness(best) && distance(end, even) < distance(best, even)))
            best = end;
    return best;
}

/* Grains of a rank among those of its domain. */
static dcnn_shares share_in_domain(const dcnn_comm *comm, int64_t grains, int domain, int rank, int64_t first,
                                   int64_t end) {
    const int base = comm->domain.firsts[domain], size = comm->domain.firsts[domain + 1] - base;
    const int64_t from = first + dcnn_share_first(end - first, rank - base, size);
    return (dcnn_shares){grains, from, first + dcnn_share_first(end - first, rank - base + 1, size) - from};
}

dcnn_shares dcnn_comm_shares_of(const dcnn_comm *comm, int64_t grains, int rank) {
    int64_t first = 0;
    for (int domain = 0;; domain++) {
        const int64_t end = end_of_domain(comm, grains, domain, first);
        if (rank < comm->domain.firsts[domain + 1]) return share_in_domain(comm, grains, domain, rank, first, end);
        first = end;
    }
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
        bounds[domain + 1] = end_of_domain(comm, grains, domain, bounds[domain]);
    *known = grains;
    return bounds;
}

dcnn_tree dcnn_comm_blocks_of_rank(const dcnn_comm *comm, int64_t grains, int domain_rank) {
    const int64_t *bounds = bounds_of(comm, grains);
    const int domain = comm->domain.index;
    const dcnn_shares share = share_in_domain(comm, grains, domain, comm->domain.firsts[domain] + domain_rank,
                                              bounds[domain], bounds[domain + 1]);
    return dcnn_tree_share(share.first, share.count, grains);
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
