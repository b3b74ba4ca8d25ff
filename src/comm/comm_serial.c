/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comm_serial.c — the whole of comm.h for one process, without MPI: for machines and programs that have none. Built in
 * place of the other comm*.c by -DDCNN_MPI=OFF. Its sums walk the same tree (tree.h), so its bits are those of any
 * number of ranks.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/launcher.h"
#include "base/cores.h"
#include "comm/comm.h"
#include "comm/tree.h"

struct dcnn_comm {
    int cores;
    dcnn_isa isa;
    double *room; /* [DCNN_TREE_DEPTH][count] of a sum */
};

/* --- starting ----------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_comm_create_alone(dcnn_comm **out) {
    *out = NULL;
    dcnn_comm *comm = calloc(1, sizeof *comm);
    if (comm == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a comm");
    comm->cores = dcnn_cores();
    *out = comm;
    return dcnn_isa_choose(&comm->isa);
}

dcnn_status dcnn_comm_create_over(const void *mpi_comm, dcnn_comm **out) {
    (void)mpi_comm;
    *out = NULL;
    return DCNN_FAIL(DCNN_USAGE, "a communicator was given, but this libdcnn was built without MPI (-DDCNN_MPI=OFF)");
}

dcnn_status dcnn_comm_split(dcnn_comm *comm, int group, dcnn_comm **part) {
    (void)comm;
    (void)group;
    return dcnn_comm_create_alone(part);
}

void dcnn_comm_wait(dcnn_comm *comm, void (*on_wait)(void)) {
    (void)comm;
    (void)on_wait;
}

dcnn_status dcnn_comm_start(int *argc, char ***argv, dcnn_comm **out) {
    (void)argc;
    (void)argv;
    *out = NULL;
    if (dcnn_launcher_ranks() > 1)
        return DCNN_FAIL(DCNN_USAGE,
                         "the launcher started %d processes, but this dcnn was built without MPI (-DDCNN_MPI=OFF), so "
                         "each would train alone: start one, or build dcnn with MPI",
                         dcnn_launcher_ranks());
    return dcnn_comm_create_alone(out);
}

void dcnn_comm_finish(dcnn_comm *comm) {
    dcnn_comm_free(comm);
}

void dcnn_comm_free(dcnn_comm *comm) {
    if (comm == NULL) return;
    free(comm->room);
    free(comm);
}

void dcnn_comm_abort(dcnn_comm *comm, int code) {
    (void)comm;
    _exit(code);
}

/* --- who we are --------------------------------------------------------------------------------------------------- */

int dcnn_comm_rank(const dcnn_comm *comm) {
    (void)comm;
    return 0;
}

int dcnn_comm_size(const dcnn_comm *comm) {
    (void)comm;
    return 1;
}

int dcnn_comm_node_size(const dcnn_comm *comm) {
    (void)comm;
    return 1;
}

int dcnn_comm_node_rank(const dcnn_comm *comm) {
    (void)comm;
    return 0;
}

int dcnn_comm_node_count(const dcnn_comm *comm) {
    (void)comm;
    return 1;
}

int dcnn_comm_node_cores(const dcnn_comm *comm) {
    return comm->cores;
}

int dcnn_comm_cores(const dcnn_comm *comm) {
    return comm->cores;
}

dcnn_isa dcnn_comm_isa(const dcnn_comm *comm) {
    return comm->isa;
}

const char *dcnn_comm_version(void) {
    return "none";
}

/* --- plain collectives -------------------------------------------------------------------------------------------- */

dcnn_status dcnn_comm_agree(dcnn_comm *comm, dcnn_status status) {
    (void)comm;
    return status;
}

void dcnn_comm_broadcast(dcnn_comm *comm, void *bytes, size_t length) {
    (void)comm;
    (void)bytes;
    (void)length;
}

void dcnn_comm_broadcast_from(dcnn_comm *comm, int root, void *bytes, size_t length) {
    (void)root;
    dcnn_comm_broadcast(comm, bytes, length);
}

void dcnn_comm_add_integers(dcnn_comm *comm, int64_t *values, int count) {
    (void)comm;
    (void)values;
    (void)count;
}

void dcnn_comm_gather(dcnn_comm *comm, const void *mine, int64_t length, void *all, const int64_t *lengths) {
    (void)comm;
    (void)lengths;
    memcpy(all, mine, (size_t)length);
}

double dcnn_comm_probe(dcnn_comm *comm, int a, int b, size_t bytes, int turns) {
    (void)comm;
    (void)a;
    (void)b;
    (void)bytes;
    (void)turns;
    return 0.0;
}

int dcnn_comm_waits(dcnn_comm *comm, dcnn_wait waits[DCNN_MOST_WAITS]) {
    (void)comm;
    (void)waits;
    return 0;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

dcnn_status dcnn_comm_share(dcnn_comm *comm, size_t bytes, void **block, bool *writer) {
    (void)comm;
    *writer = true;
    return dcnn_block_create(bytes, "the process's data", block);
}

dcnn_status dcnn_comm_share_nothing(dcnn_comm *comm, size_t bytes, void **block, bool *writer) {
    return dcnn_comm_share(comm, bytes, block, writer);
}

void dcnn_comm_share_done(dcnn_comm *comm, void *block) {
    (void)comm;
    (void)block;
}

void dcnn_comm_unshare(dcnn_comm *comm, void *block) {
    (void)comm;
    dcnn_block_free(block);
}

void dcnn_comm_share_bytes(dcnn_comm *comm, const void *block, void *bytes, size_t length) {
    (void)block;
    dcnn_comm_broadcast(comm, bytes, length);
}

int dcnn_comm_domain_rank(const dcnn_comm *comm) {
    (void)comm;
    return 0;
}

int dcnn_comm_domain_size(const dcnn_comm *comm) {
    (void)comm;
    return 1;
}

void dcnn_comm_separate(dcnn_comm *comm) {
    (void)comm;
}

int dcnn_comm_domain_count(const dcnn_comm *comm) {
    (void)comm;
    return 1;
}

bool dcnn_comm_is_separate(const dcnn_comm *comm) {
    (void)comm;
    return true;
}

dcnn_status dcnn_comm_share_domain(dcnn_comm *comm, size_t common, size_t own, void **common_block, void **own_block) {
    enum { PAGE = 4096 };
    (void)comm;
    common = (common + PAGE - 1) / PAGE * PAGE;
    DCNN_TRY(dcnn_block_create_untouched(common + own, "the process's state", common_block));
    memset(*common_block, 0, common);
    if (own > 0) *own_block = (char *)*common_block + common;
    return DCNN_OK;
}

void dcnn_comm_domain_barrier(dcnn_comm *comm) {
    (void)comm;
}

void dcnn_comm_slice(const dcnn_comm *comm, size_t count, size_t *first, size_t *length) {
    (void)comm;
    *first = 0;
    *length = count;
}

/* --- ranks that wait, ranks that die: there are none -------------------------------------------------------------- */

dcnn_status dcnn_comm_choose_workers(dcnn_comm *comm, dcnn_comm **workers) {
    *workers = comm;
    return DCNN_OK;
}

void dcnn_comm_call(dcnn_comm *comm, dcnn_call call) {
    (void)comm;
    (void)call;
}

dcnn_call dcnn_comm_await_call(dcnn_comm *comm, dcnn_call last) {
    (void)comm;
    (void)last;
    return DCNN_CALL_END;
}

atomic_int *dcnn_comm_signal(dcnn_comm *comm) {
    (void)comm;
    return NULL;
}

dcnn_status dcnn_comm_make_elastic(dcnn_comm *comm) {
    (void)comm;
    return DCNN_FAIL(DCNN_USAGE, "--elastic needs MPI, and this dcnn was built without it (-DDCNN_MPI=OFF)");
}

bool dcnn_comm_is_elastic(const dcnn_comm *comm) {
    (void)comm;
    return false;
}

bool dcnn_comm_is_broken(const dcnn_comm *comm) {
    (void)comm;
    return false;
}

int dcnn_comm_shrink(dcnn_comm *comm) {
    (void)comm;
    return 0;
}

dcnn_status dcnn_comm_fail_broken(void) {
    return DCNN_FAIL(DCNN_FAILURE, "a rank was lost");
}

/* --- sums over the batch ------------------------------------------------------------------------------------------ */

dcnn_shares dcnn_comm_shares(const dcnn_comm *comm, int64_t grains) {
    (void)comm;
    return (dcnn_shares){grains, 0, grains};
}

dcnn_shares dcnn_comm_shares_of(const dcnn_comm *comm, int64_t grains, int rank) {
    (void)rank;
    return dcnn_comm_shares(comm, grains);
}

dcnn_status dcnn_comm_reserve_sums(dcnn_comm *comm, int count) {
    free(comm->room);
    comm->room = calloc((size_t)DCNN_TREE_DEPTH * (size_t)count, sizeof *comm->room);
    return comm->room ? DCNN_OK : DCNN_FAIL(DCNN_FAILURE, "out of memory: sums");
}

void dcnn_comm_sum(dcnn_comm *comm, dcnn_shares shares, int count, const double *grain_sums, int stride, double *totals,
                   int *flag) {
    dcnn_tree tree = {0};
    (void)flag;
    for (int64_t grain = 0; grain < shares.grains; grain++) {
        double *top = comm->room + (size_t)tree.depth * (size_t)count;
        memcpy(top, grain_sums + grain * stride, (size_t)count * sizeof *top);
        for (int merges = dcnn_tree_push(&tree, (dcnn_block){0, grain}, shares.grains); merges > 0;
             merges--, top -= count)
            for (int i = 0; i < count; i++) top[i - count] += top[i];
    }
    memcpy(totals, comm->room, (size_t)count * sizeof *totals);
}

dcnn_status dcnn_comm_reserve_gradient(dcnn_comm *comm, int batches, const int64_t *grains, int buckets,
                                       const size_t *counts) {
    (void)comm;
    (void)batches;
    (void)grains;
    (void)buckets;
    (void)counts;
    return DCNN_OK;
}

size_t dcnn_comm_gradient_bytes(const dcnn_comm *comm, int batches, const int64_t *grains, int buckets,
                                const size_t *counts) {
    (void)comm;
    (void)batches;
    (void)grains;
    (void)buckets;
    (void)counts;
    return 0;
}

/* All grains are this process's, so its one block is the whole sum. */
void dcnn_comm_gradient_begin(dcnn_comm *comm, const dcnn_kernels *kernels, int bucket, dcnn_shares shares,
                              size_t count, float *const *blocks, float *total) {
    (void)comm;
    (void)kernels;
    (void)bucket;
    (void)shares;
    memcpy(total, blocks[0], count * sizeof(float));
}

/* One domain makes all of it itself. */
void dcnn_comm_gradient_make(dcnn_comm *comm, int bucket, const dcnn_making *making) {
    (void)comm;
    (void)bucket;
    (void)making;
}

void dcnn_comm_gradient_release(dcnn_comm *comm, bool makes) {
    (void)comm;
    (void)makes;
}

void dcnn_comm_gradient_spread(dcnn_comm *comm, int bucket, float *vector) {
    (void)comm;
    (void)bucket;
    (void)vector;
}

bool dcnn_comm_has_many_domains(const dcnn_comm *comm) {
    (void)comm;
    return false;
}

void dcnn_comm_expect(dcnn_comm *comm, double at_s) {
    (void)comm;
    (void)at_s;
}

void dcnn_comm_progress(dcnn_comm *comm) {
    (void)comm;
}

void dcnn_comm_gradient_finish(dcnn_comm *comm) {
    (void)comm;
}

void dcnn_comm_gradient_wait(dcnn_comm *comm, int bucket) {
    (void)comm;
    (void)bucket;
}

void dcnn_comm_gradient_plain(dcnn_comm *comm, const dcnn_kernels *kernels, size_t count, int block_count,
                              float *const *blocks, float *total) {
    (void)comm;
    memcpy(total, blocks[0], count * sizeof(float));
    for (int i = 1; i < block_count; i++) kernels->add(count, total, blocks[i], total);
}
