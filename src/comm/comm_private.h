/* SPDX-License-Identifier: BSD-3-Clause */
/* comm_private.h — what the comm*.c files share. The only header that knows MPI types. */
#ifndef DCNN_COMM_COMM_PRIVATE_H
#define DCNN_COMM_COMM_PRIVATE_H

#include <mpi.h>

#include "base/barrier.h"
#include "base/cores.h"
#include "comm/comm.h"
#include "comm/tree.h"

typedef struct dcnn_exchange dcnn_exchange;
typedef struct dcnn_idle_shared dcnn_idle_shared;

/*
 * A comm is a stack: the communicator itself (comm.c); its *domain*, the ranks that share memory; and on both the
 * gradients and the small sums. Each part is a struct of its own, filled and freed by one file, which calls those
 * before it alone; comm_start.c makes and frees the whole, comm_elastic.c makes it anew, comm_idle.c makes one of fewer
 * ranks.
 */

/* Where a rank is: the numbers of what is near to it; -1: it is bound to several, or the system does not say. */
typedef struct dcnn_place {
    int numbers[DCNN_NEARS];
} dcnn_place;

/* Neighbouring ranks of a domain that share something, from each rank's cores to the memory of all: sums are made level
 * by level, each of what the groups of the level before have. Above the last one is the job, whose groups, the domains,
 * share nothing. */
typedef struct dcnn_level {
    const char *shares; /* what */
    int count, index;   /* groups of the domain; ours */
    int *firsts;        /* [count + 1] first rank of each, in the domain */
} dcnn_level;

enum { DCNN_MOST_LEVELS = DCNN_NEARS + 2 };

/* Ranks that share memory (comm_domain.c). */
typedef struct dcnn_domain {
    MPI_Comm comm;    /* they */
    MPI_Comm rail;    /* the ranks with this number, one a domain; MPI_COMM_NULL: not every domain has one */
    int rank, size;   /* in it */
    int index, count; /* which of all domains */
    int rails;        /* ranks of the smallest domain */
    int *firsts;      /* [count + 1] first rank of each domain */
    int64_t *bounds;  /* [count + 2] see comm_shares.c */
    int level_count;  /* 2 at least: each rank alone, and all */
    dcnn_level levels[DCNN_MOST_LEVELS];
    dcnn_barrier *barrier; /* shared */
    unsigned meetings;     /* barriers passed */
    char **segments;       /* [size] each rank's own part of the domain's memory */
    /* While its ranks wait for each other: is anything on its way to other domains, and that moves on. Of who sends
     * (gradient/gradient.c); NULL: nobody does. */
    bool (*is_sending)(const dcnn_comm *comm);
    void (*move_on)(dcnn_comm *comm);
} dcnn_domain;

/* Room for small sums (comm_sum.c). */
typedef struct dcnn_sums {
    double *slots;   /* shared: what the ranks of the domain bring to a sum, twice; what comes from other domains */
    double *room;    /* this rank's */
    int slot_length; /* doubles */
    int groups;      /* of domains that join in a round, at most */
    unsigned turn;   /* which of the two sets of slots is in use */
} dcnn_sums;

/* This rank's way to other domains (comm_link.c). */
typedef struct dcnn_link {
    double byte_s;              /* that a byte takes while all ranks send; 0: not measured */
    size_t message;             /* floats of a message */
    double free_s;              /* when it will have carried what it was given, if it is as fast as that */
    double clear_s;             /* from then on it is wanted for a message that will be waited for; 0: not known */
    double waits_s;             /* since then one is waited for; 0: none */
    double sends_s, computes_s; /* so far: what it was given takes so long, and what was computed meanwhile */
    bool hurries;               /* all that is on its way is waited for */
} dcnn_link;

/* Where the groups of a level add up gradients, each in a part of its own (gradient/levels.c). */
typedef struct dcnn_near_sums {
    char *base;
    size_t first, stride; /* bytes: of the level among all, from group to group */
} dcnn_near_sums;

/* Gradients on their way (gradient/gradient.c). */
typedef struct dcnn_gradients {
    int count;
    int wanted;               /* the bucket that is waited for, or -1 */
    dcnn_exchange *exchanges; /* [count] one a bucket */
    int64_t *published; /* shared: [bucket][domain size][DCNN_TREE_DEPTH] where the blocks lie in each rank's segment */
    dcnn_block *blocks; /* what is being added: up to all blocks of a batch */
    const float **vectors;
    float *room;
    dcnn_near_sums near[DCNN_MOST_LEVELS]; /* shared; of levels below the last */
} dcnn_gradients;

/* Ranks that sleep where there are more than cores (comm_idle.c). */
typedef struct dcnn_idle {
    dcnn_comm *workers;       /* of dcnn_comm_choose_workers(): itself if all ranks work; NULL on an idle one */
    dcnn_idle_shared *shared; /* by the ranks of a node, if some are idle */
} dcnn_idle;

/* Times waited, since dcnn_comm_waits(). */
typedef struct dcnn_waits {
    int count;
    dcnn_wait list[DCNN_MOST_WAITS];
} dcnn_waits;

/* Where a rank is, of those collectives that ranks compare (comm_check.c). */
typedef struct dcnn_collective {
    char name[40];
    int64_t number, size; /* from 1; what it was called with: a count, a length, a bucket */
} dcnn_collective;

enum { DCNN_MAX_WINDOWS = 8 };

/* Memory that ranks share, or one rank's own block where there is nobody to share with. */
typedef struct dcnn_window {
    MPI_Win handle; /* MPI_WIN_NULL: an own block */
    void *base;     /* NULL: unused */
} dcnn_window;

struct dcnn_comm {
    MPI_Comm world, node; /* MPI_COMM_NULL, as those of the domain, if this process is alone, without MPI */
    int rank, size, node_rank, node_size, node_count;
    int cores, node_cores; /* this rank's, and those that all ranks of the node may use together */
    dcnn_isa isa;
    bool oversubscribed; /* the node has more ranks than cores */
    bool elastic;        /* goes on without ranks that die; see comm_elastic.c */
    bool broken;
    bool has_lost; /* a rank, since it was made */
    dcnn_waits waits;
    dcnn_window windows[DCNN_MAX_WINDOWS];
    dcnn_idle idle;
    dcnn_domain domain;
    dcnn_sums sums;
    dcnn_link link;
    dcnn_gradients gradients;
    dcnn_collective *places; /* [size] where the ranks are; NULL: they do not compare */
    int64_t collectives;     /* so far, where they do */
};

/* With DCNN_CHECK_COLLECTIVES=1: every collective of comm.h begins with a comparison of which one it is, the how
 * many-th and of what size. Where the ranks are at different ones, rank 0 warns who is where, and the job ends with 1.
 */
dcnn_status dcnn_comm_check_begin(dcnn_comm *comm); /* *Collective* over comm->world; again after it has changed */
void dcnn_comm_check_end(dcnn_comm *comm);
void dcnn_comm_domain_wait(dcnn_comm *comm); /* the barrier without it: domains of one rank may do without */
void dcnn_comm_meet(dcnn_comm *comm, const char *name, int64_t size); /* *Collective*; nothing without the setting */
#define DCNN_COMM_MEET(comm, size) dcnn_comm_meet(comm, __func__, (int64_t)(size))

/* Where this rank is. *Local.* (comm_cores.c) */
dcnn_place dcnn_comm_place(void);

/* This rank's number among those of its node where those of a NUMA domain, and of a socket, follow one another, and the
 * first stays the first. *Collective* of `node`. */
int dcnn_comm_order_on_node(MPI_Comm node);

/* The most ranks of a NUMA domain, a socket that the environment says; 0: nothing. *Local.* */
void dcnn_comm_read_levels(int settings[DCNN_NEARS]);

/* Fills in the levels of domain->size ranks, of which `rank` is ours. *Local*, pure.
 * @param settings  [DCNN_NEARS] the most ranks of a NUMA domain, a socket; 0 for all: as the places are
 * @param firsts    room for (DCNN_MOST_LEVELS + 2) * (size + 1): the levels', and two to look at */
void dcnn_comm_list_levels(dcnn_domain *domain, const dcnn_place *places, const int *settings, int *firsts);

/* Counts the cores that this rank, and its node's ranks together, may use. *Collective.* */
void dcnn_comm_count_cores(dcnn_comm *comm);

/* Does this rank keep to one core, to which a rank before it keeps too? *Collective* of the node's. */
bool dcnn_comm_follows_on_core(const dcnn_comm *comm);

/* A rank of an oversubscribed node stays on one core from now on. *Collective* of the node's. */
void dcnn_comm_keep_to_a_core(const dcnn_comm *comm);

/* Notes a wait from then until now. */
void dcnn_comm_waited(dcnn_comm *comm, bool network, double from_s);

/* How fast the link is, and how long its messages are; once a comm. *Collective.* */
dcnn_status dcnn_comm_measure_link(dcnn_comm *comm);

/* May so many bytes of a gradient set out? If so they count as sent. @param wanted  it is what is waited for. *Local.*
 */
bool dcnn_comm_link_takes(dcnn_comm *comm, size_t bytes, bool wanted);

/* A message is waited for from now on, or no more. *Local.* */
void dcnn_comm_link_waits(dcnn_comm *comm, bool waits);

/* Are gradients under way? *Local.* */
bool dcnn_comm_is_sending(const dcnn_comm *comm);

/* As dcnn_comm_progress(), but for a moment: by who waits for something else. *Local.* */
void dcnn_comm_move_on(dcnn_comm *comm);

/* dcnn_comm_share_domain() of common bytes, and `near` more behind them that are left to who touches them first. */
dcnn_status dcnn_comm_share_near(dcnn_comm *comm, size_t common, size_t near, void **common_block, char **near_block);

/* The blocks that ranks [first, end) of this domain, or domains [first, end), together bring to a batch of so many
 * grains. By the thread that calls MPI. */
dcnn_tree dcnn_comm_blocks_of_ranks(const dcnn_comm *comm, int64_t grains, int first, int end);
dcnn_tree dcnn_comm_blocks_of_domains(const dcnn_comm *comm, int64_t grains, int first, int end);

/* First element of share `part` of `parts` of a vector, on a cache line of floats; the last share ends at `count`. */
size_t dcnn_comm_part_first(size_t count, int part, int parts);

/* Was MPI started with fault tolerance? Open MPI's windows are not made for that, so nothing is shared then. */
bool dcnn_comm_can_shrink(void);

/* Takes over a communicator: who we are in it, and domains of the ranks that share memory. *Collective.* */
dcnn_status dcnn_comm_adopt(dcnn_comm *comm, MPI_Comm world);
dcnn_status dcnn_comm_make_domains(dcnn_comm *comm);
void dcnn_comm_free_domains(dcnn_comm *comm);   /* *Collective.* */
void dcnn_comm_forget_domains(dcnn_comm *comm); /* likewise, but *Local*: the communicators stay */

/* Frees what dcnn_comm_reserve_sums() and dcnn_comm_reserve_gradient() made. *Collective.* */
void dcnn_comm_release_sums(dcnn_comm *comm);
void dcnn_comm_release_gradient(dcnn_comm *comm);

/* dcnn_comm_start() over any communicator of a process that has started MPI (tests train over MPI_COMM_SELF), and its
 * end. */
dcnn_status dcnn_comm_create(MPI_Comm over, dcnn_comm **comm);

#endif
