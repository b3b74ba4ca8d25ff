/*
 * comm_sum.c — exact sums over the batch: the tree of grains, spread over ranks.
 *
 * Small sums (BatchNormalization, loss): every rank sends its blocks to every other in one allgather, and each walks
 * the tree itself. Gradients: the vector is cut into one part a rank; part p of every block goes to rank p, which adds
 * in tree order and sends the sum back to all (reduce-scatter, allgather). Where shares are whole subtrees, as with 2,
 * 4 or 8 ranks, that is as many bytes as MPI_Allreduce moves.
 */
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "run/comm_private.h"
#include "run/tree.h"

dcnn_shares dcnn_comm_shares(const dcnn_comm *comm, int64_t grains) {
    const int64_t first = dcnn_share_first(grains, comm->rank, comm->size);
    return (dcnn_shares){grains, first, dcnn_share_first(grains, comm->rank + 1, comm->size) - first};
}

/* The blocks that another rank sends. */
static dcnn_tree blocks_of_rank(const dcnn_comm *comm, int64_t grains, int rank) {
    const int64_t first = dcnn_share_first(grains, rank, comm->size);
    return dcnn_tree_share(first, dcnn_share_first(grains, rank + 1, comm->size) - first, grains);
}

enum { FLAGS = 2 }; /* doubles in front of a rank's sums: stop and fault */

/* --- small sums ------------------------------------------------------------------------------------------------------
 */

static void add_doubles(int count, double *left, const double *right) {
    for (int i = 0; i < count; i++) left[i] += right[i];
}

void dcnn_comm_sum(dcnn_comm *comm, dcnn_shares shares, int count, double *grain_sums, int stride, double *totals,
                   dcnn_flags *flags) {
    dcnn_tree mine = {0};
    for (int64_t i = 0; i < shares.count; i++) { /* vectors are compacted to the front as they merge */
        memmove(grain_sums + (int64_t)mine.depth * stride, grain_sums + i * stride, (size_t)count * sizeof(double));
        int depth = mine.depth + 1;
        for (int m = dcnn_tree_push(&mine, (dcnn_block){0, shares.first + i}, shares.grains); m > 0; m--, depth--)
            add_doubles(count, grain_sums + (int64_t)(depth - 2) * stride, grain_sums + (int64_t)(depth - 1) * stride);
    }
    int most = 0; /* equal lengths let MPI use its logarithmic allgather */
    for (int rank = 0; rank < comm->size; rank++) {
        const int depth = blocks_of_rank(comm, shares.grains, rank).depth;
        if (depth > most) most = depth;
    }
    const int length = FLAGS + most * count;
    double *out = comm->sum_buffer, *in = comm->sum_buffer + length;
    out[0] = flags->stop;
    out[1] = flags->fault;
    for (int i = 0; i < mine.depth; i++)
        memcpy(out + FLAGS + i * count, grain_sums + (int64_t)i * stride, (size_t)count * sizeof(double));
    if (comm->size == 1)
        in = out;
    else
        MPI_Allgather(out, length, MPI_DOUBLE, in, length, MPI_DOUBLE, comm->world);

    dcnn_tree all = {0};
    double *stack[DCNN_TREE_DEPTH];
    for (int rank = 0; rank < comm->size; rank++) {
        double *theirs = in + (int64_t)rank * length;
        if ((int)theirs[0] > flags->stop) flags->stop = (int)theirs[0];
        if ((int)theirs[1] > flags->fault) flags->fault = (int)theirs[1];
        const dcnn_tree blocks = blocks_of_rank(comm, shares.grains, rank);
        for (int i = 0; i < blocks.depth; i++) {
            int depth = all.depth + 1;
            stack[all.depth] = theirs + FLAGS + i * count;
            for (int m = dcnn_tree_push(&all, blocks.blocks[i], shares.grains); m > 0; m--, depth--)
                add_doubles(count, stack[depth - 2], stack[depth - 1]);
        }
    }
    memcpy(totals, stack[0], (size_t)count * sizeof(double));
}

/* --- gradients -------------------------------------------------------------------------------------------------------
 */

/* One bucket on its way. Requests: [0, arriving) are blocks coming to us, the rest sends and the other ranks' sums. */
struct dcnn_exchange {
    bool busy, reduced;
    int64_t grains;
    size_t count;
    float *total, *received; /* received: the other ranks' blocks of our part, in rank order */
    int own_blocks;
    const float *own[DCNN_TREE_DEPTH];
    const dcnn_kernels *kernels;
    MPI_Request *requests;
    int request_count, arriving;
};

enum { REDUCE_TAG = 1 << 10, GATHER_TAG = 1 << 11 };

/* First float of a rank's part, on a cache line. */
static size_t part_first(const dcnn_comm *comm, size_t count, int rank) {
    if (rank == comm->size) return count;
    return (size_t)((int64_t)count * rank / comm->size) / 16 * 16;
}

/* Most blocks that one rank, and all ranks together, hold of any batch of up to `grains` grains. */
static void most_blocks(const dcnn_comm *comm, int64_t grains, int *one, int *all) {
    *one = *all = 1;
    for (int64_t batch = 1; batch <= grains; batch++) {
        int sum = 0;
        for (int rank = 0; rank < comm->size; rank++) {
            const int depth = blocks_of_rank(comm, batch, rank).depth;
            sum += depth;
            if (depth > *one) *one = depth;
        }
        if (sum > *all) *all = sum;
    }
}

dcnn_status dcnn_comm_reserve_sums(dcnn_comm *comm, int count) {
    const size_t length = FLAGS + (size_t)count * DCNN_TREE_DEPTH;
    free(comm->sum_buffer);
    comm->sum_buffer = calloc(length * (size_t)(comm->size + 1), sizeof(double));
    return comm->sum_buffer ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: %zu sums", length);
}

dcnn_status dcnn_comm_reserve_gradient(dcnn_comm *comm, int64_t grains, int buckets, const size_t *counts) {
    int one, all;
    most_blocks(comm, grains, &one, &all);
    dcnn_comm_release(comm);
    comm->exchanges = calloc((size_t)buckets, sizeof *comm->exchanges);
    if (comm->exchanges == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: buckets of the gradient");
    comm->exchange_count = buckets;
    for (int i = 0; i < buckets && comm->size > 1; i++) {
        dcnn_exchange *exchange = &comm->exchanges[i];
        const size_t floats = (size_t)all * (counts[i] / (size_t)comm->size + 32);
        exchange->requests = calloc((size_t)(all + (one + 2) * comm->size), sizeof *exchange->requests);
        exchange->received = calloc(floats, sizeof(float));
        if (exchange->requests == NULL || exchange->received == NULL)
            return DCNN_FAIL(DCNN_FAILURE, "out of memory: %zu floats to exchange gradients", floats);
    }
    return DCNN_OK;
}

void dcnn_comm_release(dcnn_comm *comm) {
    for (int i = 0; i < comm->exchange_count; i++) {
        free(comm->exchanges[i].requests);
        free(comm->exchanges[i].received);
    }
    free(comm->exchanges);
    comm->exchanges = NULL;
    comm->exchange_count = 0;
}

/* All blocks of our part are here: add them in tree order, then send the sum to everyone. */
static void reduce_part(dcnn_comm *comm, dcnn_exchange *exchange, int bucket) {
    const size_t first = part_first(comm, exchange->count, comm->rank);
    const size_t length = part_first(comm, exchange->count, comm->rank + 1) - first;
    float *mine = exchange->total + first, *received = exchange->received;
    const float *stack[DCNN_TREE_DEPTH];
    float *spare[DCNN_TREE_DEPTH]; /* where each stack entry's sum may be written: never over our own blocks */
    dcnn_tree all = {0};
    for (int rank = 0; rank < comm->size; rank++) {
        const dcnn_tree blocks = blocks_of_rank(comm, exchange->grains, rank);
        for (int i = 0; i < blocks.depth; i++) {
            const bool own = rank == comm->rank;
            int depth = all.depth + 1;
            stack[all.depth] = own ? exchange->own[i] + first : received;
            spare[all.depth] = own ? NULL : received;
            if (!own) received += length;
            for (int m = dcnn_tree_push(&all, blocks.blocks[i], exchange->grains); m > 0; m--, depth--) {
                /* Two of our own blocks never meet here: our share was merged before it came. */
                float *sum = spare[depth - 2] ? spare[depth - 2] : spare[depth - 1];
                exchange->kernels->add(length, stack[depth - 2], stack[depth - 1], sum);
                stack[depth - 2] = spare[depth - 2] = sum;
            }
        }
    }
    memcpy(mine, stack[0], length * sizeof(float));
    for (int rank = 0; rank < comm->size; rank++)
        if (rank != comm->rank && length > 0)
            MPI_Isend(mine, (int)length, MPI_FLOAT, rank, GATHER_TAG + bucket, comm->world,
                      &exchange->requests[exchange->request_count++]);
    exchange->reduced = true;
}

void dcnn_comm_gradient_begin(dcnn_comm *comm, const dcnn_kernels *kernels, int bucket, dcnn_shares shares,
                              size_t count, float *const *blocks, float *total) {
    if (comm->size == 1) {
        memcpy(total, blocks[0], count * sizeof(float));
        return;
    }
    dcnn_exchange *exchange = &comm->exchanges[bucket];
    exchange->busy = true;
    exchange->reduced = false;
    exchange->grains = shares.grains;
    exchange->count = count;
    exchange->total = total;
    exchange->kernels = kernels;
    exchange->request_count = 0;
    exchange->own_blocks = dcnn_tree_share(shares.first, shares.count, shares.grains).depth;
    for (int i = 0; i < exchange->own_blocks; i++) exchange->own[i] = blocks[i];

    MPI_Request *requests = exchange->requests;
    const size_t first = part_first(comm, count, comm->rank), end = part_first(comm, count, comm->rank + 1);
    float *received = exchange->received;
    for (int rank = 0; rank < comm->size; rank++) {
        const int depth = rank == comm->rank ? 0 : blocks_of_rank(comm, shares.grains, rank).depth;
        for (int i = 0; i < depth && end > first; i++, received += end - first)
            MPI_Irecv(received, (int)(end - first), MPI_FLOAT, rank, REDUCE_TAG + bucket, comm->world,
                      &requests[exchange->request_count++]);
    }
    exchange->arriving = exchange->request_count;
    for (int step = 1; step < comm->size;
         step++) { /* each rank begins with its neighbour: no rank is everyone's first */
        const int rank = (comm->rank + step) % comm->size;
        const size_t at = part_first(comm, count, rank), length = part_first(comm, count, rank + 1) - at;
        if (length == 0) continue;
        MPI_Irecv(total + at, (int)length, MPI_FLOAT, rank, GATHER_TAG + bucket, comm->world,
                  &requests[exchange->request_count++]);
        for (int i = 0; i < exchange->own_blocks; i++) /* equal tags arrive in the order sent */
            MPI_Isend(blocks[i] + at, (int)length, MPI_FLOAT, rank, REDUCE_TAG + bucket, comm->world,
                      &requests[exchange->request_count++]);
    }
}

static void advance(dcnn_comm *comm, int bucket, bool wait) {
    dcnn_exchange *exchange = &comm->exchanges[bucket];
    int done = 1;
    if (!exchange->reduced) {
        if (wait)
            MPI_Waitall(exchange->arriving, exchange->requests, MPI_STATUSES_IGNORE);
        else
            MPI_Testall(exchange->arriving, exchange->requests, &done, MPI_STATUSES_IGNORE);
        if (!done) return;
        reduce_part(comm, exchange, bucket);
    }
    if (wait)
        MPI_Waitall(exchange->request_count, exchange->requests, MPI_STATUSES_IGNORE);
    else
        MPI_Testall(exchange->request_count, exchange->requests, &done, MPI_STATUSES_IGNORE);
    exchange->busy = !done;
}

void dcnn_comm_progress(dcnn_comm *comm) {
    for (int i = 0; i < comm->exchange_count; i++)
        if (comm->exchanges[i].busy) advance(comm, i, false);
}

void dcnn_comm_gradient_finish(dcnn_comm *comm) {
    for (int i = 0; i < comm->exchange_count; i++)
        if (comm->exchanges[i].busy) advance(comm, i, true);
}

void dcnn_comm_gradient_plain(dcnn_comm *comm, const dcnn_kernels *kernels, size_t count, int block_count,
                              float *const *blocks, float *total) {
    if (block_count == 0)
        memset(total, 0, count * sizeof(float));
    else
        memcpy(total, blocks[0], count * sizeof(float));
    for (int i = 1; i < block_count; i++) kernels->add(count, total, blocks[i], total);
    MPI_Allreduce(MPI_IN_PLACE, total, (int)count, MPI_FLOAT, MPI_SUM, comm->world);
}
