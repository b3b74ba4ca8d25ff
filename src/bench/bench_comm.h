/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file bench_comm.h — latency and bandwidth of the very reductions that training uses.
 */
#ifndef DCNN_BENCH_COMM_H
#define DCNN_BENCH_COMM_H

#include "comm/comm.h"

enum { DCNN_BENCH_SUMS = 3, DCNN_BENCH_GRADIENTS = 7 };

/** One size of a reduction over all ranks, one grain a rank; times are rank 0's medians. */
typedef struct dcnn_bench_reduction {
    int64_t bytes;      /**< of the vector that is summed */
    double exact_s;     /**< dcnn_comm_sum(), or a bucket of the gradient from begin to complete on all ranks */
    double allreduce_s; /**< one MPI_Allreduce of as many floats; of a gradient only */
} dcnn_bench_reduction;

typedef struct dcnn_bench_comm_result {
    int ranks, nodes, domain_size;
    dcnn_bench_reduction sums[DCNN_BENCH_SUMS]; /**< doubles: what a BatchNormalization's channels need */
    dcnn_bench_reduction gradients[DCNN_BENCH_GRADIENTS];
} dcnn_bench_comm_result;

/**
 * Measures for about so many seconds. *Collective.*
 * @param result  out, on rank 0
 * @return DCNN_OK; DCNN_FAILURE (memory, /dev/shm)
 */
dcnn_status dcnn_bench_comm(dcnn_comm *comm, double seconds, dcnn_bench_comm_result *result);

#endif
