/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file route.h — who sends what to whom, so that every domain's vector is added up: recursive halving, and back
 * by doubling (Thakur, Rabenseifner, Gropp: Optimization of collective communication operations in MPICH, 2005).
 *
 * Neighbouring domains form groups, neighbouring groups larger ones, until one is all of them. As two groups join, each
 * element of the vector is left with one domain: either the one that had it in the left group, or the one that had it
 * in the right group. So a domain sends what it gives up, and keeps less of the vector with each round:
 *
 *     domain            0        1        2        3
 *     before            all      all      all      all          its own blocks
 *     round 0           [0,½)    [½,1)    [0,½)    [½,1)        sums of 0-1, and of 2-3
 *     round 1           [0,¼)    [¾,1)    [¼,½)    [½,¾)        sums of all
 *
 * and the same way back. A group is neighbouring domains, so what it has is whole blocks of the tree over grains
 * (tree.h): the bits do not know of the route. Any number of domains will do: log2 of it, rounded up, are the rounds.
 */
#ifndef DCNN_COMM_GRADIENT_ROUTE_H
#define DCNN_COMM_GRADIENT_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

/** Part of the vector that one of two domains keeps and the other one gives up. */
typedef struct dcnn_segment {
    int peer;
    bool kept;            /**< by this domain, who receives it; else it sends */
    size_t first, length; /**< of the vector; length > 0 */
} dcnn_segment;

/** Two groups join. */
typedef struct dcnn_round {
    int first, middle, end;         /**< domains [first, middle) and [middle, end) */
    int first_segment, end_segment; /**< of the route's */
} dcnn_round;

enum { DCNN_MOST_ROUNDS = 32 };

/** One domain's way. */
typedef struct dcnn_route {
    int round_count, segment_count;
    dcnn_round rounds[DCNN_MOST_ROUNDS]; /**< from itself to all */
    dcnn_segment *segments;
} dcnn_route;

/**
 * The route of a domain, for a vector of so many elements. Segments lie on cache lines of floats. *Local.*
 * @param route  out; free with dcnn_route_free()
 * @return false: out of memory
 */
bool dcnn_route_create(int domains, int domain, size_t length, dcnn_route *route);
void dcnn_route_free(dcnn_route *route);

#endif
