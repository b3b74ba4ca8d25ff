/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file comm.h — all MPI calls of dcnn.
 *
 * Sums over the batch follow one fixed binary tree over its grains (tree.h): whoever holds which grains, the additions
 * and their order are the same, so the bits are (law 2), and no byte is added to the message where a rank's grains make
 * whole subtrees. Every function is *Collective* unless it says *Local*.
 *
 * Ranks of a node form a *domain*: they share memory, hold one copy of the weights, and read each other's gradients
 * where they lie; where some are bound to one socket, first those of a socket (gradient/levels.c). Only what a domain
 * has added up goes over the network, on *rails*: rank i of each domain talks to rank i of the others, about slice i of
 * the vector.
 *
 * Where domains differ in size, the smallest one's ranks say how many slices there are. By which route the rails go:
 * gradient/route.h; or, where the ranks of a domain can share out the messages, all at once: gradient/direct.c.
 *
 *     domain 0   rank 0   rank 1   rank 2        slices of the gradient: | 0 | 1 | 2 |
 *                   |        |        |          shared memory along the rows,
 *     domain 1   rank 3   rank 4   rank 5        messages along the columns (rails)
 */
#ifndef DCNN_COMM_H
#define DCNN_COMM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/kernels.h"

typedef struct dcnn_comm dcnn_comm;

/** A comm of this process alone, without MPI. Free with dcnn_comm_free(). *Local.*
 * @return DCNN_OK; DCNN_FAILURE (memory); DCNN_USAGE (DCNN_ISA) */
dcnn_status dcnn_comm_create_alone(dcnn_comm **comm);

/**
 * Starts MPI (once a process), refuses N singletons that a launcher meant as N ranks, and agrees on the instruction set
 * and OpenBLAS core. Yields the core when idle if the node has more ranks than cores. A process that no launcher has
 * started is alone and starts no MPI.
 * @return DCNN_OK; DCNN_USAGE (singletons; DCNN_ISA), with the command that works
 */
dcnn_status dcnn_comm_start(int *argc, char ***argv, dcnn_comm **comm);

/** A comm over the ranks of an MPI communicator, in a program that has started MPI itself. Free with dcnn_comm_free().
 * *Collective* over it. @param mpi_comm  address of an MPI_Comm, which this copies
 * @return DCNN_OK; DCNN_FAILURE (memory); DCNN_USAGE (MPI has not started; instruction sets that cannot go together) */
dcnn_status dcnn_comm_create_over(const void *mpi_comm, dcnn_comm **comm);

/** The ranks that name the same `group` as a comm of their own, in which each keeps its cores. Free with
 * dcnn_comm_free(), before `comm`. @return DCNN_OK; DCNN_FAILURE (memory) */
dcnn_status dcnn_comm_split(dcnn_comm *comm, int group, dcnn_comm **part);

/** Waits, asleep, until every rank does. @param on_wait  called a few times a second meanwhile */
void dcnn_comm_wait(dcnn_comm *comm, void (*on_wait)(void));

/** Frees a comm that dcnn_comm_start() did not make; NULL is allowed. *Collective.* */
void dcnn_comm_free(dcnn_comm *comm);

/** Ends MPI. */
void dcnn_comm_finish(dcnn_comm *comm);

/** Ends all ranks at once with this exit code. *Local.* For failures that cannot be agreed. Does not return. */
_Noreturn void dcnn_comm_abort(dcnn_comm *comm, int code);

int dcnn_comm_rank(const dcnn_comm *comm);
int dcnn_comm_size(const dcnn_comm *comm);
/** Ranks on this node, and the number of nodes. */
int dcnn_comm_node_size(const dcnn_comm *comm);
int dcnn_comm_node_count(const dcnn_comm *comm);
/** This rank's number on its node. */
int dcnn_comm_node_rank(const dcnn_comm *comm);
/** Cores that the ranks of this node may use, all together. */
int dcnn_comm_node_cores(const dcnn_comm *comm);
/** Cores this rank may use: each core of its affinity mask divided by the ranks of the node that share it; at least 1.
 */
int dcnn_comm_cores(const dcnn_comm *comm);
/** The instruction set that all ranks have. */
dcnn_isa dcnn_comm_isa(const dcnn_comm *comm);
/** MPI library version, one line. *Local.* */
const char *dcnn_comm_version(void);

/** The worst status of all ranks; where another rank failed, its message becomes this rank's too (law 6). */
dcnn_status dcnn_comm_agree(dcnn_comm *comm, dcnn_status status);

/** Rank 0's bytes to all; the length must be the same on all ranks. */
void dcnn_comm_broadcast(dcnn_comm *comm, void *bytes, size_t length);
void dcnn_comm_broadcast_from(dcnn_comm *comm, int root, void *bytes, size_t length);

/** Sums integers over ranks, in place; exact. */
void dcnn_comm_add_integers(dcnn_comm *comm, int64_t *values, int count);

/** Gathers each rank's bytes to rank 0, in rank order; `all` and the ranks' `lengths` are read on rank 0 only. */
void dcnn_comm_gather(dcnn_comm *comm, const void *mine, int64_t length, void *all, const int64_t *lengths);

/** Seconds that a message of so many bytes takes between two ranks, the median of some turns there and back; the others
 * wait. The same on every rank. */
double dcnn_comm_probe(dcnn_comm *comm, int a, int b, size_t bytes, int turns);

/** A time that this rank waited, between two dcnn_now_s(). */
typedef struct dcnn_wait {
    bool network; /**< for messages; else for other ranks of its domain */
    double from_s, to_s;
} dcnn_wait;

enum { DCNN_MOST_WAITS = 8 };

/** The waits since the last call, in order; the last ones are one if they are too many. *Local.* @return how many */
int dcnn_comm_waits(dcnn_comm *comm, dcnn_wait waits[DCNN_MOST_WAITS]);

/** One block of memory a node, seen by all its ranks. The node's first rank (`*writer`) fills it, then all call
 * dcnn_comm_share_done(). Ends with dcnn_comm_unshare(). */
dcnn_status dcnn_comm_share(dcnn_comm *comm, size_t bytes, void **block, bool *writer);
/** The same, but each rank has a block of its own, and fills it: where there is no room to share. */
dcnn_status dcnn_comm_share_nothing(dcnn_comm *comm, size_t bytes, void **block, bool *writer);
void dcnn_comm_share_done(dcnn_comm *comm, void *block);
/** Frees a block from dcnn_comm_share() or dcnn_comm_share_domain(); NULL is allowed. */
void dcnn_comm_unshare(dcnn_comm *comm, void *block);

/** Brings what rank 0 wrote into a shared block to the other nodes' blocks. */
void dcnn_comm_share_bytes(dcnn_comm *comm, const void *block, void *bytes, size_t length);

/* --- more ranks than cores -------------------------------------------------------------------------------------- */

/** What working ranks call idle ones for. */
typedef enum dcnn_call {
    DCNN_CALL_NONE,
    DCNN_CALL_WATCH, /**< training begins: catch signals, join the watchdog; left out by who does not train */
    DCNN_CALL_END    /**< the work is done */
} dcnn_call;

/**
 * Chooses the ranks that work. Who computes a grain changes no bit (law 2), and ranks that take turns on a core only
 * wait for each other: of those that keep to the same core the first works, and the others, the idle ones, sleep until
 * they are called. With DCNN_EVERY_RANK=1, and in a job that can go on without ranks that die, all work. Once a comm.
 * @param workers  out: the comm of those that work, NULL on an idle rank; `comm` itself if all work. Ends with `comm`
 * @return DCNN_OK; DCNN_FAILURE (memory, /dev/shm)
 */
dcnn_status dcnn_comm_choose_workers(dcnn_comm *comm, dcnn_comm **workers);

/** Wakes the idle ranks, if there are any. *Collective* of the working ranks. */
void dcnn_comm_call(dcnn_comm *comm, dcnn_call call);

/** An idle rank sleeps until it is called for something else than last time. *Local.* @return what for */
dcnn_call dcnn_comm_await_call(dcnn_comm *comm, dcnn_call last);

/** Where the ranks of a node leave signals for each other (signals.h); NULL if none is idle. *Local.* */
atomic_int *dcnn_comm_signal(dcnn_comm *comm);

/* --- domains: ranks that share memory --------------------------------------------------------------------------- */

/** This rank's number in its domain, and the domain's ranks; domains may differ in size, as nodes do. */
int dcnn_comm_domain_rank(const dcnn_comm *comm);
int dcnn_comm_domain_size(const dcnn_comm *comm);

/** How many domains there are. *Local.* */
int dcnn_comm_domain_count(const dcnn_comm *comm);

/** Makes each rank a domain of its own, before anything is shared. Exactly what sharing saves is then copied. */
void dcnn_comm_separate(dcnn_comm *comm);

/** Is each rank a domain of its own? The same on all ranks. *Local.* */
bool dcnn_comm_is_separate(const dcnn_comm *comm);

/**
 * Memory for a domain: `common` bytes once, and `own` bytes of each rank, in which the blocks of its gradients lie
 * (dcnn_comm_gradient_begin()); 0 on all ranks: none wanted. The common ones are zeroed, by all ranks in turns; the
 * others are left to whoever touches them first, near whose core they then lie. Free with
 * dcnn_comm_unshare(common_block).
 * @return DCNN_OK; DCNN_FAILURE (memory, /dev/shm)
 */
dcnn_status dcnn_comm_share_domain(dcnn_comm *comm, size_t common, size_t own, void **common_block, void **own_block);

/** Waits for all ranks of the domain; each then sees what the others wrote before. */
void dcnn_comm_domain_barrier(dcnn_comm *comm);

/** This rank's slice of a vector of so many floats, `length` of them from `first` on: what it sums, and steps, for its
 * domain. On cache lines, but for the vector's end. *Local.* */
void dcnn_comm_slice(const dcnn_comm *comm, size_t count, size_t *first, size_t *length);

/* --- ranks that die --------------------------------------------------------------------------------------------- */

/**
 * From now on a rank's death does not end the others, but breaks the comm: all its functions return at once, those with
 * a status with DCNN_FAILURE, and what they give is not to be used. Each rank becomes a domain of its own. Before
 * anything is shared.
 * @return DCNN_OK; DCNN_USAGE: this MPI, or the way it was started, cannot do that
 */
dcnn_status dcnn_comm_make_elastic(dcnn_comm *comm);

/** Can it go on without ranks that die? *Local.* */
bool dcnn_comm_is_elastic(const dcnn_comm *comm);

/** Is it broken? Ranks may learn it at different calls, but all learn it. *Local.* */
bool dcnn_comm_is_broken(const dcnn_comm *comm);

/** Makes a broken comm whole again, of the ranks that are left; sums must be reserved anew. *Collective* of those.
 * @return how many ranks were lost */
int dcnn_comm_shrink(dcnn_comm *comm);

/** DCNN_FAILURE, "a rank was lost". *Local.* */
dcnn_status dcnn_comm_fail_broken(void);

/* --- sums over the batch ---------------------------------------------------------------------------------------- */

/** Who holds which grains of a batch: contiguous shares, by arithmetic. */
typedef struct dcnn_shares {
    int64_t grains;       /**< of the batch */
    int64_t first, count; /**< of this rank */
} dcnn_shares;

/** This rank's share of a batch of so many grains, or another rank's. *Local*, by any thread. */
dcnn_shares dcnn_comm_shares(const dcnn_comm *comm, int64_t grains);
dcnn_shares dcnn_comm_shares_of(const dcnn_comm *comm, int64_t grains, int rank);

/**
 * Sums `count` doubles over all grains, along the tree; one message. *Collective.*
 * @param grain_sums  [shares.count][stride] this rank's grains
 * @param totals      out [count], the same on every rank
 * @param flag        rides along: in: this rank's, a small number; out: the largest of any rank
 */
void dcnn_comm_sum(dcnn_comm *comm, dcnn_shares shares, int count, const double *grain_sums, int stride, double *totals,
                   int *flag);

/** Makes room for dcnn_comm_sum() of up to `count` doubles. Once a run. */
dcnn_status dcnn_comm_reserve_sums(dcnn_comm *comm, int count);

enum { DCNN_MOST_BUCKETS = 1 << 13 }; /**< MPI promises tags up to 32,767 */

/** Makes room for dcnn_comm_gradient_begin(): batches of just so many grains (`grains` [batches]), buckets of `counts`
 * floats. Once a run. @return DCNN_OK; DCNN_FAILURE: memory, or more than DCNN_MOST_BUCKETS */
dcnn_status dcnn_comm_reserve_gradient(dcnn_comm *comm, int batches, const int64_t *grains, int buckets,
                                       const size_t *counts);

/** Bytes of this rank's memory that dcnn_comm_reserve_gradient() would take, about. *Local.* */
size_t dcnn_comm_gradient_bytes(const dcnn_comm *comm, int batches, const int64_t *grains, int buckets,
                                const size_t *counts);

/** When the next message will set out that is waited for at once, a small sum or a bucket that is read first, as far as
 * is known (dcnn_now_s()): until then gradients may fill the link. 0: not known, they always may. *Local.* */
void dcnn_comm_expect(dcnn_comm *comm, double at_s);

/**
 * Begins summing one bucket of the gradient over all ranks, without blocking; of two buckets on their way the one with
 * the higher number goes first. *Collective.*
 * @param blocks  this rank's partial sums, one vector [count] a block of its share (dcnn_tree_share), left to right, in
 *                its own part of dcnn_comm_share_domain()'s memory; must stay untouched until the domain has met after
 *                dcnn_comm_gradient_finish()
 * @param total   out [count], in the domain's common memory; after dcnn_comm_gradient_finish() this rank's slice is
 *                complete, after a barrier more all of it
 */
void dcnn_comm_gradient_begin(dcnn_comm *comm, const dcnn_kernels *kernels, int bucket, dcnn_shares shares,
                              size_t count, float *const *blocks, float *total);

/** What a domain makes of the part of a sum that it alone has added up, before that goes to the others: new weights. */
typedef struct dcnn_making {
    void (*make)(void *context, int bucket, size_t first, size_t count); /**< of these floats of the bucket; called by
                                                                             the thread that calls this header */
    void *context;
    float *made; /**< [count] in the domain's common memory: goes to the others in place of the sum */
    bool held;   /**< not before dcnn_comm_gradient_release() */
} dcnn_making;

/** Of the sum that a bucket begins next; NULL: none. Several domains. *Local.* */
void dcnn_comm_gradient_make(dcnn_comm *comm, int bucket, const dcnn_making *making);

/** What is held may be made from now on; or not at all, then what lies in `made` goes round as it is. *Local*, the same
 * on all ranks. */
void dcnn_comm_gradient_release(dcnn_comm *comm, bool makes);

/** Begins to bring a vector [count] of the domain's common memory to all domains, of which each has the parts that it
 * made of this bucket before; then dcnn_comm_gradient_finish(). *Collective*, of several domains. */
void dcnn_comm_gradient_spread(dcnn_comm *comm, int bucket, float *vector);

/** Are there so many domains that each had better make the weights of a part alone? *Local.* */
bool dcnn_comm_has_many_domains(const dcnn_comm *comm);

/** Moves unfinished sums along; call it between grains (Open MPI has no progress thread). *Local.* */
void dcnn_comm_progress(dcnn_comm *comm);

/** Waits until this rank's slices of all buckets begun are complete. *Collective.* */
void dcnn_comm_gradient_finish(dcnn_comm *comm);

/** Waits for this rank's slice of one bucket that was begun. *Collective.* */
void dcnn_comm_gradient_wait(dcnn_comm *comm, int bucket);

/**
 * The same sum as every other program makes it: this rank's blocks added as they come, then one MPI_Allreduce in float,
 * blocking. Its bits depend on the rank count; it exists to measure what exactness costs (`--plain-sums`). Every rank
 * must be a domain of its own. *Collective.*
 */
void dcnn_comm_gradient_plain(dcnn_comm *comm, const dcnn_kernels *kernels, size_t count, int block_count,
                              float *const *blocks, float *total);

#endif
