/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mpi_comm.c — sums over the batch on ranks in domains of any sizes: who holds which grains, by which levels and which
 * route gradients travel, and that what arrives is the tree's, bit for bit.
 */
#include "base/clock.h"
#include "comm/comm_private.h"
#include "comm/gradient/exchange.h"
#include "mpi_comm_failures.h"
#include "testing.h"

/* Every grain once, in order, and no rank busier than an even cut would make the busiest one. */
static void shares_are_a_cut_that_keeps_nobody_waiting(void **state) {
    (void)state;
    for (int64_t grains = 0; grains < 200; grains++) {
        int64_t next = 0;
        for (int rank = 0; rank < everyone->size; rank++) {
            const dcnn_shares share = dcnn_comm_shares_of(everyone, grains, rank);
            assert_int_equal(share.first, next);
            assert_true(share.count >= 0 && share.count <= (grains + everyone->size - 1) / everyone->size);
            next += share.count;
        }
        assert_int_equal(next, grains);
        const dcnn_shares mine = dcnn_comm_shares(everyone, grains);
        const dcnn_shares same = dcnn_comm_shares_of(everyone, grains, everyone->rank);
        assert_memory_equal(&mine, &same, sizeof mine);
    }
}

/* A cluster that is not there: domains of these ranks, no MPI. */
static dcnn_comm cluster_of(int domains, int ranks, int *firsts) {
    for (int i = 0; i <= domains; i++) firsts[i] = i * ranks;
    return (dcnn_comm){.size = domains * ranks, .domain = {.count = domains, .firsts = firsts}};
}

/* Blocks that all domains bring, as a measure of bytes: of 7 x 16 ranks at 512 grains an even cut has 40. */
static void domains_begin_where_large_subtrees_do(void **state) {
    (void)state;
    enum { DOMAINS = 7, RANKS = 16, GRAINS = 512 };
    int firsts[DOMAINS + 1], even = 0, ours = 0;
    const dcnn_comm comm = cluster_of(DOMAINS, RANKS, firsts);
    for (int domain = 0; domain < DOMAINS; domain++) {
        const int64_t first = dcnn_share_first(GRAINS, domain, DOMAINS);
        even += dcnn_tree_share(first, dcnn_share_first(GRAINS, domain + 1, DOMAINS) - first, GRAINS).depth;
        const dcnn_shares from = dcnn_comm_shares_of(&comm, GRAINS, firsts[domain]);
        const dcnn_shares last = dcnn_comm_shares_of(&comm, GRAINS, firsts[domain + 1] - 1);
        ours += dcnn_tree_share(from.first, last.first + last.count - from.first, GRAINS).depth;
    }
    assert_true(2 * ours < even);
}

enum { MOST_DOMAINS = 40, LENGTH = 1003 };

/* Walks a route as messages would: each element's sum must hold every domain once when the halving is over, and be
 * everywhere when the doubling is. */
static void walk(int domains, size_t length) {
    static bool has[MOST_DOMAINS][MOST_DOMAINS][LENGTH]; /* [domain][whose blocks][element] */
    static bool live[MOST_DOMAINS][LENGTH];              /* does the domain still keep the element */
    dcnn_route routes[MOST_DOMAINS];
    int rounds = 0;
    memset(has, 0, sizeof has);
    for (int d = 0; d < domains; d++) {
        assert_true(dcnn_route_create(domains, d, length, &routes[d]));
        assert_true(1 << routes[d].round_count < 4 * domains);
        if (routes[d].round_count > rounds) rounds = routes[d].round_count;
        for (size_t i = 0; i < length; i++) live[d][i] = has[d][d][i] = true;
    }
    assert_true(domains == 1 || 1 << (rounds - 1) < domains); /* the logarithm, rounded up */
    for (int width = 2; width <= domains; width++)            /* groups of so many domains join */
        for (int d = 0; d < domains; d++)
            for (int r = 0; r < routes[d].round_count; r++) {
                const dcnn_round *round = &routes[d].rounds[r];
                if (round->end - round->first != width) continue;
                for (int s = round->first_segment; s < round->end_segment; s++) {
                    const dcnn_segment *part = &routes[d].segments[s];
                    assert_int_equal(part->peer < round->middle, d >= round->middle);
                    for (size_t i = part->first; i < part->first + part->length && part->kept; i++) {
                        assert_true(live[d][i] && live[part->peer][i]);
                        live[part->peer][i] = false;
                        for (int of = 0; of < domains; of++) {
                            assert_false(has[d][of][i] && has[part->peer][of][i]);
                            has[d][of][i] = has[d][of][i] || has[part->peer][of][i];
                        }
                    }
                }
            }
    for (size_t i = 0; i < length; i++) {
        int owners = 0;
        for (int d = 0; d < domains; d++) {
            owners += live[d][i];
            for (int of = 0; of < domains && live[d][i]; of++) assert_true(has[d][of][i]);
        }
        assert_int_equal(owners, 1);
    }
    for (int width = domains; width >= 2; width--)
        for (int d = 0; d < domains; d++)
            for (int r = 0; r < routes[d].round_count; r++) {
                const dcnn_round *round = &routes[d].rounds[r];
                for (int s = round->first_segment; s < round->end_segment && round->end - round->first == width; s++) {
                    const dcnn_segment *part = &routes[d].segments[s];
                    for (size_t i = part->first; i < part->first + part->length && !part->kept; i++) {
                        assert_true(live[part->peer][i]);
                        live[d][i] = true;
                    }
                }
            }
    for (int d = 0; d < domains; d++) {
        for (size_t i = 0; i < length; i++) assert_true(live[d][i]);
        dcnn_route_free(&routes[d]);
    }
}

static void every_route_brings_everything_everywhere_once(void **state) {
    (void)state;
    if (everyone->rank > 0) return;
    for (int domains = 1; domains <= MOST_DOMAINS; domains++) {
        walk(domains, LENGTH);
        walk(domains, 20); /* most get nothing */
    }
}

/* Of 64 domains each sends and receives about as much, in 6 messages each way. */
static void a_route_is_short(void **state) {
    (void)state;
    for (int domains = 64; domains >= 48; domains -= 16)
        for (int d = 0; d < domains; d++) {
            dcnn_route route;
            size_t given = 0;
            assert_true(dcnn_route_create(domains, d, 1 << 20, &route));
            for (int s = 0; s < route.segment_count; s++)
                if (!route.segments[s].kept) given += route.segments[s].length;
            if (domains == 64) assert_int_equal(route.segment_count, 2 * 6);
            assert_true(route.segment_count <= 4 * 6);
            assert_true(given <= (1 << 20) - (1 << 20) / (size_t)domains + 600);
            dcnn_route_free(&route);
        }
}

/* All at once only where every rank sends fewer messages by it than by rounds. */
static void domains_swap_at_once_where_that_is_short(void **state) {
    (void)state;
    static const struct {
        int domains, ranks;
        bool direct;
    } clusters[] = {{2, 16, false}, {3, 1, false}, {3, 2, true},   {4, 2, false},     {4, 3, true},
                    {5, 2, true},   {8, 3, false}, {64, 16, true}, {1024, 16, false}, {1024, 1, false}};
    for (size_t i = 0; i < sizeof clusters / sizeof *clusters; i++) {
        const dcnn_comm comm = {.domain = {.count = clusters[i].domains, .rails = clusters[i].ranks}};
        assert_int_equal(dcnn_direct_fits(&comm), clusters[i].direct);
    }
}

/* The gradient of every batch size up to 20 grains, against the tree walked by one rank; empty shares included. */
static void gradients_are_the_tree_at_any_grain_count(void **state) {
    (void)state;
    enum { GRAINS = 20, COUNT = 50000 }; /* a third is more than a message */
    const dcnn_kernels *kernels = dcnn_kernels_of(DCNN_ISA_REFERENCE);
    static float expected[COUNT], values[GRAINS][COUNT];
    for (int64_t g = 0; g < GRAINS; g++)
        for (size_t i = 0; i < COUNT; i++) values[g][i] = (float)test_uniform((uint32_t)g, i, -1, 1);
    const size_t counts[2] = {COUNT, 7};
    void *common, *own;
    assert_int_equal(
        dcnn_comm_share_domain(everyone, 2 * COUNT * sizeof(float), GRAINS * COUNT * sizeof(float), &common, &own),
        DCNN_OK);
    float(*total)[COUNT] = common, (*leaves)[COUNT] = own;
    int64_t batches[GRAINS];
    for (int i = 0; i < GRAINS; i++) batches[i] = i + 1;
    assert_int_equal(dcnn_comm_reserve_gradient(everyone, GRAINS, batches, 2, counts), DCNN_OK);
    assert_int_equal(dcnn_comm_reserve_sums(everyone, 1), DCNN_OK);
    double ones[GRAINS], sum;
    int wish = 0;
    for (int i = 0; i < GRAINS; i++) ones[i] = 1.0;
    for (int64_t grains = 1; grains <= GRAINS; grains++) {
        float *blocks[DCNN_TREE_DEPTH], *all[DCNN_TREE_DEPTH];
        dcnn_tree mine = {0}, whole = {0};
        const dcnn_shares shares = dcnn_comm_shares(everyone, grains);
        for (int pass = 0; pass < 2; pass++) {
            memcpy(leaves, values, (size_t)grains * sizeof values[0]);
            dcnn_tree *tree = pass ? &mine : &whole;
            float **stack = pass ? blocks : all;
            const int64_t first = pass ? shares.first : 0, count = pass ? shares.count : grains;
            for (int64_t g = first; g < first + count; g++) {
                int depth = tree->depth + 1;
                stack[tree->depth] = leaves[g];
                for (int m = dcnn_tree_push(tree, (dcnn_block){0, g}, grains); m > 0; m--, depth--)
                    kernels->add(COUNT, stack[depth - 2], stack[depth - 1], stack[depth - 2]);
            }
            if (pass == 0) memcpy(expected, all[0], sizeof expected);
        }
        dcnn_comm_domain_barrier(everyone);
        memset(common, 0xff, 2 * COUNT * sizeof(float));
        dcnn_comm_domain_barrier(everyone);
        for (int bucket = 0; bucket < 2; bucket++) /* late comers find messages that wait for them */
            dcnn_comm_gradient_begin(everyone, kernels, bucket, shares, counts[bucket], blocks, total[bucket]);
        dcnn_comm_sum(everyone, shares, 1, ones, 1, &sum, &wish); /* they are added and sent meanwhile */
        assert_true(sum == (double)grains);
        dcnn_comm_progress(everyone);
        dcnn_comm_gradient_finish(everyone);
        dcnn_comm_domain_barrier(everyone);
        assert_memory_equal(total[0], expected, COUNT * sizeof(float));
        assert_memory_equal(total[1], expected, counts[1] * sizeof(float));
    }
    dcnn_comm_unshare(everyone, common);
}

/* A net of a thousand BatchNormalizations has some two thousand stages: no message of a bucket is taken for another
 * one's, nor for a small sum's. */
static void many_buckets_are_kept_apart(void **state) {
    (void)state;
    enum { BUCKETS = 2050, FLOATS = 16 };
    const dcnn_kernels *kernels = dcnn_kernels_of(DCNN_ISA_REFERENCE);
    const int64_t grains = dcnn_comm_size(everyone);
    static size_t counts[BUCKETS];
    for (int i = 0; i < BUCKETS; i++) counts[i] = i % 1024 < 2 ? FLOATS : 0;
    void *common, *own;
    assert_int_equal(
        dcnn_comm_share_domain(everyone, 6 * FLOATS * sizeof(float), 6 * FLOATS * sizeof(float), &common, &own),
        DCNN_OK);
    float(*total)[FLOATS] = common, (*mine)[FLOATS] = own;
    assert_int_equal(dcnn_comm_reserve_gradient(everyone, 1, &grains, BUCKETS, counts), DCNN_OK);
    assert_int_equal(dcnn_comm_reserve_sums(everyone, 1), DCNN_OK);
    const dcnn_shares shares = dcnn_comm_shares(everyone, grains);
    for (int turn = 0; turn < 20; turn++) {
        int at = 0, wish = 0;
        const double one = 1.0;
        double sum = 0.0;
        for (int bucket = 0; bucket < BUCKETS; bucket++) {
            if (counts[bucket] == 0) continue;
            for (int i = 0; i < FLOATS; i++) mine[at][i] = (float)(bucket + turn);
            float *block = mine[at];
            dcnn_comm_gradient_begin(everyone, kernels, bucket, shares, FLOATS, &block, total[at]);
            at++;
        }
        dcnn_comm_sum(everyone, shares, 1, &one, 1, &sum, &wish);
        dcnn_comm_gradient_finish(everyone);
        dcnn_comm_domain_barrier(everyone);
        assert_true(sum == (double)grains);
        at = 0;
        for (int bucket = 0; bucket < BUCKETS; bucket++)
            for (int i = 0; i < FLOATS && counts[bucket] > 0; at += ++i == FLOATS)
                assert_true(total[at][i] == (float)((bucket + turn) * (int)grains));
        dcnn_comm_domain_barrier(everyone);
    }
    const int too_many = DCNN_MOST_BUCKETS + 1;
    assert_int_equal(dcnn_comm_reserve_gradient(everyone, 1, &grains, too_many, counts), DCNN_FAILURE);
    assert_non_null(strstr(dcnn_error(), "stages"));
    dcnn_comm_unshare(everyone, common);
}

/* The small sums likewise, and the largest of the ranks' wishes. */
static void sums_are_the_tree_at_any_grain_count(void **state) {
    (void)state;
    enum { GRAINS = 20, COUNT = 5, STRIDE = 7 };
    double leaves[GRAINS][STRIDE] = {0}, all[GRAINS][STRIDE], totals[COUNT];
    for (int g = 0; g < GRAINS; g++)
        for (uint32_t i = 0; i < COUNT; i++) leaves[g][i] = (double)test_uniform((uint32_t)g, i, -1, 1) / 3.0;
    assert_int_equal(dcnn_comm_reserve_sums(everyone, COUNT), DCNN_OK);
    for (int64_t grains = 1; grains <= GRAINS; grains++) {
        dcnn_tree tree = {0};
        for (int64_t g = 0; g < grains; g++) {
            int depth = tree.depth + 1;
            memcpy(all[tree.depth], leaves[g], sizeof all[0]);
            for (int m = dcnn_tree_push(&tree, (dcnn_block){0, g}, grains); m > 0; m--, depth--)
                for (int i = 0; i < COUNT; i++) all[depth - 2][i] += all[depth - 1][i];
        }
        const dcnn_shares shares = dcnn_comm_shares(everyone, grains);
        const int wisher = (int)grains % everyone->size;
        int wish = everyone->rank == wisher ? 3 : 0;
        dcnn_comm_sum(everyone, shares, COUNT, leaves[shares.first], STRIDE, totals, &wish);
        assert_memory_equal(totals, all[0], sizeof totals);
        assert_int_equal(wish, 3);
    }
}

/* On a link that takes a second a message, beside computing that takes longer. */
static void gradients_keep_clear_of_what_is_waited_for(void **state) {
    (void)state;
    dcnn_comm comm = {.link = {.byte_s = 1e-3, .message = 256, .computes_s = 1e6}};
    const double now_s = dcnn_now_s();
    for (int i = 0; i < 3; i++) assert_true(dcnn_comm_link_takes(&comm, 1024, false)); /* nothing is expected */
    comm.link.free_s = 0.0;
    dcnn_comm_expect(&comm, now_s + 100.0);
    assert_true(dcnn_comm_link_takes(&comm, 60 * 1000, false));
    assert_false(dcnn_comm_link_takes(&comm, 100 * 1000, false)); /* more than half of it after then */
    assert_true(dcnn_comm_link_takes(&comm, 60 * 1000, false));
    assert_false(dcnn_comm_link_takes(&comm, 20 * 1000, false));
    assert_true(dcnn_comm_link_takes(&comm, 60 * 1000, true)); /* is itself waited for */
    comm.link.free_s = 0.0;
    dcnn_comm_expect(&comm, dcnn_now_s() + 0.1);
    assert_false(dcnn_comm_link_takes(&comm, 1024, false)); /* though the link is free */
    dcnn_comm_expect(&comm, dcnn_now_s() - 0.1);
    assert_false(dcnn_comm_link_takes(&comm, 1024, false));
    dcnn_comm_expect(&comm, now_s - 2.0);                  /* what was expected is late */
    assert_true(dcnn_comm_link_takes(&comm, 1024, false)); /* one at a time */
    assert_false(dcnn_comm_link_takes(&comm, 1024, false));
    comm.link.free_s = 0.0;
    dcnn_comm_link_waits(&comm, true);
    assert_false(dcnn_comm_link_takes(&comm, 1024, false)); /* for as long as it would be in the way */
    assert_true(dcnn_comm_link_takes(&comm, 1024, true));
    comm.link.free_s = 0.0;
    comm.link.waits_s -= 2.0;
    assert_true(dcnn_comm_link_takes(&comm, 1024, false));
    comm.link.hurries = true;
    assert_true(dcnn_comm_link_takes(&comm, 1024, false));
}

static void a_narrow_link_never_stands_still(void **state) {
    (void)state;
    dcnn_comm comm = {.link = {.byte_s = 1e-3, .message = 256}};
    dcnn_comm_expect(&comm, dcnn_now_s() + 2.0);
    for (int i = 0; i < 4; i++) dcnn_comm_link_takes(&comm, 1000, true); /* four seconds beside two of computing */
    dcnn_comm_link_waits(&comm, true);
    assert_true(dcnn_comm_link_takes(&comm, 1000, false));
    dcnn_comm_expect(&comm, dcnn_now_s() + 2.0); /* five beside four: it has time */
    assert_false(dcnn_comm_link_takes(&comm, 1000, false));
    dcnn_comm_expect(&comm, dcnn_now_s() - 10.0); /* what is late takes nothing away */
    assert_false(dcnn_comm_link_takes(&comm, 1000, false));
}

/* --- levels ----------------------------------------------------------------------------------------------------- */

enum { MOST_RANKS = 64 };

static const int by_place[DCNN_NEARS]; /* nothing is set */

/* "shares: first first … end; …" of the levels of so many ranks, but for the first and the last, as rank 1 sees them.
 */
static const char *levels_of(int size, const dcnn_place *places, const int *settings) {
    static int firsts[(DCNN_MOST_LEVELS + 2) * (MOST_RANKS + 1)];
    static char text[600];
    dcnn_domain domain = {.size = size, .rank = size > 1};
    dcnn_comm_list_levels(&domain, places, settings, firsts);
    const int last = domain.level_count - 1;
    assert_int_equal(domain.levels[0].count, size);
    assert_int_equal(domain.levels[last].count, 1);
    text[0] = '\0';
    for (int i = 0; i <= last; i++) {
        const dcnn_level *level = &domain.levels[i];
        assert_true(level->firsts[0] == 0 && level->firsts[level->count] == size);
        assert_true(level->firsts[level->index] <= domain.rank && domain.rank < level->firsts[level->index + 1]);
        for (int k = 0; k <= level->count && i > 0 && i < last; k++) {
            const size_t at = strlen(text);
            snprintf(text + at, sizeof text - at,
                     k == 0             ? "%s %d"
                     : k < level->count ? "%.0s %d"
                                        : "%.0s %d;",
                     level->shares, level->firsts[k]);
        }
    }
    return text;
}

static void levels_are_what_ranks_have_in_common(void **state) {
    (void)state;
    dcnn_place places[MOST_RANKS];
    for (int i = 0; i < MOST_RANKS; i++) places[i] = (dcnn_place){{i / 4, i / 8}}; /* NUMA domains of 4, sockets of 8 */
    assert_string_equal(levels_of(16, places, by_place), "a NUMA domain 0 4 8 12 16;a socket 0 8 16;");
    assert_string_equal(levels_of(15, places, by_place), "a socket 0 8 15;"); /* a NUMA domain has three ranks */
    assert_string_equal(levels_of(8, places, by_place), "a NUMA domain 0 4 8;");
    assert_string_equal(levels_of(4, places, by_place), ""); /* all are near each other */
    assert_string_equal(levels_of(1, places, by_place), "");
    for (int i = 0; i < MOST_RANKS; i++) places[i].numbers[DCNN_NEAR_NUMA] = places[i].numbers[DCNN_NEAR_SOCKET];
    assert_string_equal(levels_of(16, places, by_place), "a NUMA domain 0 8 16;"); /* each socket is one */
    for (int i = 0; i < MOST_RANKS; i++) places[i].numbers[DCNN_NEAR_NUMA] = 0;
    assert_string_equal(levels_of(16, places, by_place), ""); /* sockets that share memory, as a virtual machine says */
    for (int i = 0; i < MOST_RANKS; i++) places[i].numbers[DCNN_NEAR_NUMA] = -1;
    assert_string_equal(levels_of(16, places, by_place), "a socket 0 8 16;"); /* bound to a socket of several */
    places[9].numbers[DCNN_NEAR_SOCKET] = -1;
    assert_string_equal(levels_of(16, places, by_place), ""); /* one is bound to none */
    for (int i = 0; i < MOST_RANKS; i++) places[i] = (dcnn_place){{i % 2, i % 2}};
    assert_string_equal(levels_of(16, places, by_place), ""); /* not neighbours */
    assert_string_equal(levels_of(5, places, (int[]){0, 2}), "a socket 0 1 3 5;");
    assert_string_equal(levels_of(8, places, (int[]){2, 4}), "a NUMA domain 0 2 4 6 8;a socket 0 4 8;");
    assert_string_equal(levels_of(6, places, (int[]){2, 3}), "a NUMA domain 0 2 4 6;"); /* does not hold whole ones */
    assert_string_equal(levels_of(6, places, (int[]){1, 1}), "");
    assert_string_equal(levels_of(6, places, (int[]){0, 6}), "");
}

/* These ranks have the levels that the job says. */
static void levels_are_those_of_the_job(void **state) {
    (void)state;
    const char *const settings[] = {getenv("DCNN_NUMA_RANKS"), getenv("DCNN_SOCKET_RANKS")};
    int wanted = 2;
    for (int i = 0; i < DCNN_NEARS; i++) {
        const int most = settings[i] ? atoi(settings[i]) : 1;
        const dcnn_level *level = &everyone->domain.levels[wanted - 1];
        if (most == 1 || most >= everyone->domain.size) continue;
        wanted++;
        assert_true(level->count > 1 && level->count < everyone->domain.size);
        for (int k = 0; k < level->count; k++) assert_true(level->firsts[k + 1] - level->firsts[k] <= most);
    }
    assert_int_equal(everyone->domain.level_count, wanted);
}

/* Bytes that all ranks of a node together read from sockets other than their own, to add up a vector of so many floats,
 * and as many as they read at all. */
static void count_bytes(int ranks, int of_socket, bool levels, size_t count, double *far, double *all) {
    static int level_firsts[(DCNN_MOST_LEVELS + 2) * (MOST_RANKS + 1)];
    static int64_t published[MOST_RANKS * DCNN_TREE_DEPTH], bounds[3];
    static dcnn_block blocks[MOST_RANKS];
    static const float *vectors[MOST_RANKS];
    char *segments[MOST_RANKS], *const memory = calloc((size_t)ranks, 2 * count * sizeof(float));
    int firsts[2] = {0, ranks};
    const size_t bytes = count * sizeof(float);
    assert_non_null(memory);
    for (int i = 0; i < ranks; i++) segments[i] = memory + (size_t)i * bytes;
    *far = *all = 0.0;
    for (int rank = 0; rank < ranks; rank++) {
        dcnn_comm comm = {.size = ranks,
                          .domain = {.count = 1,
                                     .rank = rank,
                                     .size = ranks,
                                     .rails = ranks,
                                     .firsts = firsts,
                                     .bounds = bounds,
                                     .segments = segments},
                          .gradients = {.count = 1, .published = published, .blocks = blocks, .vectors = vectors}};
        dcnn_exchange exchange = {.grains = 2 * ranks, .count = count};
        bounds[2] = -1;
        dcnn_comm_list_levels(&comm.domain, NULL, (int[]){0, levels ? of_socket : ranks}, level_firsts);
        dcnn_comm_slice(&comm, count, &exchange.first, &exchange.length);
        for (int i = 1; i < comm.domain.level_count; i++)
            comm.gradients.near[i] = (dcnn_near_sums){memory + (size_t)ranks * bytes, 0, bytes};
        for (exchange.level = 1; exchange.level < comm.domain.level_count; exchange.level++) {
            dcnn_levels_begin(&comm, &exchange);
            const dcnn_sources sources = dcnn_levels_sources(&comm, &exchange, 0);
            for (int i = 0; i < sources.count; i++) {
                const int at = (int)(((const char *)sources.vectors[i] - memory) / (ptrdiff_t)bytes);
                const int socket = at < ranks ? at / of_socket : at - ranks;
                *all += (double)exchange.at_length * sizeof(float);
                *far += socket != rank / of_socket ? (double)exchange.at_length * sizeof(float) : 0.0;
            }
        }
    }
    free(memory);
}

/* Of the recipe's gradient: each socket reads the others' sums once, where each rank read the others' ranks'. */
static void a_byte_comes_from_another_socket_once(void **state) {
    (void)state;
    enum { COUNT = 507904 };
    static const struct { int ranks, of_socket; } nodes[] = {{8, 4}, {16, 8}, {64, 32}, {64, 8}};
    if (everyone->rank > 0) return;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        double far[2], all[2];
        for (int levels = 0; levels < 2; levels++)
            count_bytes(nodes[i].ranks, nodes[i].of_socket, levels, COUNT, &far[levels], &all[levels]);
        const int sockets = nodes[i].ranks / nodes[i].of_socket;
        print_message("%d ranks, %d sockets: %.1f of %.1f MB read from another socket; with a level of sockets %.1f of "
                      "%.1f\n",
                      nodes[i].ranks, sockets, 1e-6 * far[0], 1e-6 * all[0], 1e-6 * far[1], 1e-6 * all[1]);
        assert_true(far[1] == (sockets - 1) * (double)COUNT * sizeof(float));
        assert_true(far[0] == nodes[i].of_socket * far[1]);
    }
}

/* What Linux says of this rank; a test may say something else. */
static bool deals_out;
int __real_dcnn_cores_near(const char *root, dcnn_near near);
int __wrap_dcnn_cores_near(const char *root, dcnn_near near);
int __wrap_dcnn_cores_near(const char *root, dcnn_near near) {
    return deals_out ? everyone->rank % 2 : __real_dcnn_cores_near(root, near);
}

/* mpirun may deal ranks out to sockets in turns. */
static void ranks_of_a_socket_are_neighbours(void **state) {
    (void)state;
    dcnn_comm *dealt, *const before = everyone;
    char settings[DCNN_NEARS][16];
    static const char *const names[DCNN_NEARS] = {"DCNN_NUMA_RANKS", "DCNN_SOCKET_RANKS"};
    for (int i = 0; i < DCNN_NEARS; i++) {
        snprintf(settings[i], sizeof settings[i], "%s", getenv(names[i]) ? getenv(names[i]) : "");
        unsetenv(names[i]);
    }
    deals_out = true;
    assert_int_equal(dcnn_comm_create(everyone->world, &dealt), DCNN_OK);
    deals_out = false;
    const int even = (everyone->size + 1) / 2, rank = everyone->rank;
    assert_int_equal(dealt->rank, rank % 2 == 0 ? rank / 2 : even + rank / 2);
    if (everyone->size == everyone->domain.size) {
        assert_int_equal(dealt->domain.level_count, everyone->size >= 8 ? 3 : 2);
        assert_true(everyone->size < 8 || dealt->domain.levels[1].firsts[1] == even);
    }
    everyone = dealt;
    gradients_are_the_tree_at_any_grain_count(state);
    sums_are_the_tree_at_any_grain_count(state);
    everyone = before;
    dcnn_comm_free(dealt);
    for (int i = 0; i < DCNN_NEARS; i++)
        if (settings[i][0]) setenv(names[i], settings[i], 1);
}

/* Sums of sockets are a convenience, and what takes memory that there is not is done without. */
static void without_room_there_are_no_sockets(void **state) {
    (void)state;
    dcnn_comm *full, *const before = everyone;
    const int64_t grains = everyone->size;
    const size_t count = 1000;
    if (everyone->domain.level_count == 2) return; /* the same on all ranks of the jobs that there are */
    assert_int_equal(dcnn_comm_create(everyone->world, &full), DCNN_OK);
    assert_true(full->domain.level_count > 2);
    refusals = 1;
    assert_int_equal(dcnn_comm_reserve_gradient(full, 1, &grains, 1, &count), DCNN_OK);
    assert_int_equal(refusals, 0);
    assert_int_equal(full->domain.level_count, 2);
    everyone = full;
    gradients_are_the_tree_at_any_grain_count(state);
    everyone = before;
    dcnn_comm_free(full);
}

int main(int argc, char **argv) {
    MPI_Comm world = MPI_COMM_WORLD;
    if (dcnn_comm_create_over(&world, &everyone) == DCNN_USAGE)
        snprintf(too_early, sizeof too_early, "%s", dcnn_error());
    if (dcnn_comm_start(&argc, &argv, &everyone) != DCNN_OK) {
        fprintf(stderr, "%s\n", dcnn_error());
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_keep_clear_of_what_is_waited_for),
        cmocka_unit_test(a_narrow_link_never_stands_still),
        cmocka_unit_test(shares_are_a_cut_that_keeps_nobody_waiting),
        cmocka_unit_test(domains_begin_where_large_subtrees_do),
        cmocka_unit_test(every_route_brings_everything_everywhere_once),
        cmocka_unit_test(a_route_is_short),
        cmocka_unit_test(domains_swap_at_once_where_that_is_short),
        cmocka_unit_test(gradients_are_the_tree_at_any_grain_count),
        cmocka_unit_test(many_buckets_are_kept_apart),
        cmocka_unit_test(sums_are_the_tree_at_any_grain_count),
        cmocka_unit_test(levels_are_what_ranks_have_in_common),
        cmocka_unit_test(levels_are_those_of_the_job),
        cmocka_unit_test(a_byte_comes_from_another_socket_once),
        cmocka_unit_test(ranks_of_a_socket_are_neighbours),
        cmocka_unit_test(without_room_there_are_no_sockets),
        cmocka_unit_test(a_lack_of_shared_memory_is_told_to_all),
        cmocka_unit_test(more_blocks_than_there_is_room_for_are_refused),
        cmocka_unit_test(machines_that_compute_other_bits_are_refused),
        cmocka_unit_test(lost_ranks_are_told),
        cmocka_unit_test(processes_that_would_train_alone_are_refused),
        cmocka_unit_test(a_communicator_before_mpi_is_refused),
    };
    int failed = cmocka_run_group_tests_name("comm", tests, NULL, NULL);
    if (everyone->world != MPI_COMM_NULL) MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, everyone->world);
    dcnn_comm_finish(everyone);
    return failed;
}
