/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_comm.c — see bench_comm.h. */
#include "bench/bench_comm.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { MOST_TURNS = 1000, LEAST_TURNS = 9, WARM_UP = 3 };

static const int sum_counts[DCNN_BENCH_SUMS] = {4, 64, 512};
enum { SMALLEST = 1 << 10, STEP = 4 }; /* floats of a gradient: 4 KiB to 16 MiB */

typedef struct bench {
    dcnn_comm *comm;
    const dcnn_kernels *kernels;
    dcnn_shares shares; /* one grain a rank */
    double sums[512], totals[512];
    float *block, *total; /* shared with the domain */
    float *private_total;
    double seconds; /* for one quantity */
    double turns_s[MOST_TURNS];
} bench;

typedef void turn(bench *b, int row);

static size_t floats_of(int row) {
    size_t count = SMALLEST;
    for (int i = 0; i < row; i++) count *= STEP;
    return count;
}

static void turn_sum(bench *b, int row) {
    int wish = 0;
    dcnn_comm_sum(b->comm, b->shares, sum_counts[row], b->sums, sum_counts[row], b->totals, &wish);
}

static void turn_gradient(bench *b, int row) {
    dcnn_comm_gradient_begin(b->comm, b->kernels, row, b->shares, floats_of(row), &b->block, b->total);
    dcnn_comm_gradient_finish(b->comm);
    dcnn_comm_domain_barrier(b->comm);
}

static void turn_allreduce(bench *b, int row) {
    dcnn_comm_gradient_plain(b->comm, b->kernels, floats_of(row), 1, &b->block, b->private_total);
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The median time of a turn; rank 0 says to all how many there are. */
static double measure(bench *b, turn *run, int row) {
    double began_s = dcnn_now_s();
    for (int i = 0; i < WARM_UP; i++) run(b, row);
    int64_t turns = (int64_t)(b->seconds / ((dcnn_now_s() - began_s) / WARM_UP));
    turns = turns < LEAST_TURNS ? LEAST_TURNS : turns > MOST_TURNS ? MOST_TURNS : turns;
    dcnn_comm_broadcast(b->comm, &turns, sizeof turns);
    for (int64_t i = 0; i < turns; i++) {
        began_s = dcnn_now_s();
        run(b, row);
        b->turns_s[i] = dcnn_now_s() - began_s;
    }
    qsort(b->turns_s, (size_t)turns, sizeof *b->turns_s, by_size);
    return b->turns_s[turns / 2];
}

static void measure_all(bench *b, dcnn_bench_comm_result *result) {
    for (int row = 0; row < DCNN_BENCH_SUMS; row++)
        result->sums[row] = (dcnn_bench_reduction){.bytes = (int64_t)sizeof(double) * sum_counts[row],
                                                   .exact_s = measure(b, turn_sum, row)};
    for (int row = 0; row < DCNN_BENCH_GRADIENTS; row++)
        result->gradients[row] = (dcnn_bench_reduction){.bytes = (int64_t)(floats_of(row) * sizeof(float)),
                                                        .exact_s = measure(b, turn_gradient, row),
                                                        .allreduce_s = measure(b, turn_allreduce, row)};
}

dcnn_status dcnn_bench_comm(dcnn_comm *comm, double seconds, dcnn_bench_comm_result *result) {
    const size_t largest = floats_of(DCNN_BENCH_GRADIENTS - 1) * sizeof(float);
    const int64_t grains = dcnn_comm_size(comm);
    size_t counts[DCNN_BENCH_GRADIENTS];
    void *common = NULL, *own;
    bench *b = calloc(1, sizeof *b);
    float *private_total = malloc(largest);
    dcnn_status status = b && private_total ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: vectors to reduce");
    DCNN_TRY_DONE(dcnn_comm_agree(comm, status));
    *result = (dcnn_bench_comm_result){
        .ranks = dcnn_comm_size(comm), .nodes = dcnn_comm_node_count(comm), .domain_size = dcnn_comm_domain_size(comm)};
    for (int row = 0; row < DCNN_BENCH_GRADIENTS; row++) counts[row] = floats_of(row);
    DCNN_TRY_DONE(dcnn_comm_share_domain(comm, largest, largest, &common, &own));
    DCNN_TRY_DONE(dcnn_comm_reserve_gradient(comm, 1, &grains, DCNN_BENCH_GRADIENTS, counts));
    DCNN_TRY_DONE(dcnn_comm_reserve_sums(comm, sum_counts[DCNN_BENCH_SUMS - 1]));
    b->comm = comm;
    b->kernels = dcnn_kernels_of(dcnn_comm_isa(comm));
    b->shares = dcnn_comm_shares(comm, result->ranks);
    b->block = memset(own, 0, largest);
    b->total = common;
    b->private_total = private_total;
    b->seconds = seconds / (DCNN_BENCH_SUMS + 2 * DCNN_BENCH_GRADIENTS);
    measure_all(b, result);
done:
    dcnn_comm_unshare(comm, common);
    free(private_total);
    free(b);
    return status;
}
