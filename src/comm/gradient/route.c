/* SPDX-License-Identifier: BSD-3-Clause */
/* route.c — see route.h; pure arithmetic, the same on every domain. */
#include "comm/gradient/route.h"

#include <stdint.h>
#include <stdlib.h>

enum { LINE = 16 }; /* floats */

/* A part of the vector, and the domain of a group that has it. */
typedef struct cell {
    size_t first, length;
    int owner;
} cell;

/* The whole vector, in order. */
typedef struct cells {
    int count, room;
    cell *list;
} cells;

typedef struct builder {
    int domain;
    size_t length;
    dcnn_route *route;
    int segment_room;
    bool failed;
} builder;

static void append(builder *b, cells *to, cell part) {
    cell *last = to->count > 0 ? &to->list[to->count - 1] : NULL;
    if (part.length == 0 && b->length > 0) return;
    if (last && last->owner == part.owner) {
        last->length += part.length;
        return;
    }
    if (to->count == to->room) {
        const int room = 2 * to->room + 8;
        cell *list = realloc(to->list, (size_t)room * sizeof *list);
        if (list == NULL) {
            b->failed = true;
            return;
        }
        to->list = list;
        to->room = room;
    }
    to->list[to->count++] = part;
}

static void note(builder *b, int peer, bool kept, size_t first, size_t length) {
    dcnn_route *route = b->route;
    if (length == 0) return;
    if (route->segment_count == b->segment_room) {
        const int room = 2 * b->segment_room + 8;
        dcnn_segment *segments = realloc(route->segments, (size_t)room * sizeof *segments);
        if (segments == NULL) {
            b->failed = true;
            return;
        }
        route->segments = segments;
        b->segment_room = room;
    }
    route->segments[route->segment_count++] = (dcnn_segment){peer, kept, first, length};
}

/* Both groups' domains share out a part that one of each has: by the groups' sizes, so that all end with as much. The
 * left one's lies in front in every other part, so that what a domain keeps of neighbouring parts is in one piece. */
static void share_out(builder *b, cells *joint, cell left, cell right, int left_size, int right_size, bool left_first) {
    const size_t all = left.length;
    const size_t of_left =
        (size_t)((uint64_t)all * (uint64_t)left_size / (uint64_t)(left_size + right_size)) / LINE * LINE;
    cell mine = {left.first + (left_first ? 0 : all - of_left), of_left, left.owner};
    cell theirs = {left.first + (left_first ? of_left : 0), all - of_left, right.owner};
    append(b, joint, left_first ? mine : theirs);
    append(b, joint, left_first ? theirs : mine);
    if (left.owner == b->domain || right.owner == b->domain) {
        const int peer = left.owner == b->domain ? right.owner : left.owner;
        note(b, peer, left.owner == b->domain, mine.first, mine.length);
        note(b, peer, right.owner == b->domain, theirs.first, theirs.length);
    }
}

/* Who has what once the domains [first, end) are one group; notes this domain's rounds on the way. */
static cells build(builder *b, int first, int end) {
    cells joint = {0};
    if (end - first == 1) {
        append(b, &joint, (cell){0, b->length, first});
        return joint;
    }
    const int middle = first + (end - first) / 2;
    cells left = build(b, first, middle), right = build(b, middle, end);
    const int first_segment = b->route->segment_count;
    size_t at = 0;
    for (int i = 0, j = 0, turn = 0; i < left.count && j < right.count && !b->failed; turn++) {
        const size_t left_end = left.list[i].first + left.list[i].length;
        const size_t right_end = right.list[j].first + right.list[j].length;
        const size_t until = left_end < right_end ? left_end : right_end;
        const cell a = {at, until - at, left.list[i].owner}, c = {at, until - at, right.list[j].owner};
        share_out(b, &joint, a, c, middle - first, end - middle, turn % 2 == 0);
        at = until;
        i += left_end == until;
        j += right_end == until;
    }
    if (b->domain >= first && b->domain < end)
        b->route->rounds[b->route->round_count++] =
            (dcnn_round){first, middle, end, first_segment, b->route->segment_count};
    free(left.list);
    free(right.list);
    return joint;
}

bool dcnn_route_create(int domains, int domain, size_t length, dcnn_route *route) {
    builder b = {.domain = domain, .length = length, .route = route};
    *route = (dcnn_route){0};
    cells all = build(&b, 0, domains);
    free(all.list);
    if (b.failed) dcnn_route_free(route);
    return !b.failed;
}

void dcnn_route_free(dcnn_route *route) {
    free(route->segments);
    *route = (dcnn_route){0};
}
