/* SPDX-License-Identifier: BSD-3-Clause */
/* comm_start.c — starting and ending MPI, and a comm: who we are, then the domain, then sums; and taken down the other
 * way round. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/launcher.h"
#include "comm/comm_private.h"

static dcnn_status refuse_singletons(const dcnn_comm *comm) {
    const int launched = dcnn_launcher_ranks();
    if (launched <= 1 || comm->size >= launched) return DCNN_OK;
    if (dcnn_launcher_is_srun())
        return DCNN_FAIL(DCNN_USAGE,
                         "srun started %d tasks, but MPI sees %d: srun and this MPI do not speak the same PMI; use "
                         "'srun --mpi=pmix dcnn …', or 'mpirun dcnn …' inside the allocation",
                         launched, comm->size);
    return DCNN_FAIL(DCNN_USAGE,
                     "the launcher started %d processes, but MPI sees %d: mpirun belongs to another MPI library than "
                     "dcnn (%s); use the mpirun of that library",
                     launched, comm->size, dcnn_comm_version());
}

/* Before MPI_Init: Open MPI reads its settings there. With more ranks than cores it must give idle cores away: a busy
 * wait makes a 2 MB allreduce of 8 ranks on 2 cores take 96 ms instead of 2.8. */
static void yield_when_oversubscribed(void) {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (dcnn_launcher_node_ranks() > cores) setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
}

/* Before MPI_Init: what a job on one node does without. Looking for networks takes Open MPI 0.3 s. */
static void skip_networks(void) {
    const bool one_node = dcnn_launcher_is_mpirun() && dcnn_launcher_node_ranks() > 0 &&
                          dcnn_launcher_node_ranks() == dcnn_launcher_ranks();
    if (one_node) setenv("OMPI_MCA_pml", "ob1", 0);
}

/* Before MPI_Init: with Open MPI's hierarchical collectives a sum may come out wrong, without an error, as a rank dies.
 */
static void keep_errors(void) {
    if (dcnn_comm_can_shrink()) setenv("OMPI_MCA_coll", "^han", 0);
}

/* Ranks of different machines must compute alike: the lowest instruction set, and one OpenBLAS core type. */
static dcnn_status agree_on_kernels(dcnn_comm *comm) {
    dcnn_isa mine = DCNN_ISA_GENERIC;
    DCNN_TRY(dcnn_comm_agree(comm, dcnn_isa_choose(&mine)));
    comm->isa = mine;
    if (comm->world == MPI_COMM_NULL) return DCNN_OK;
    int own = (int)mine, lowest;
    MPI_Allreduce(&own, &lowest, 1, MPI_INT, MPI_MIN, comm->world);
    comm->isa = (dcnn_isa)lowest;
    char core[64] = "", first[64];
    snprintf(core, sizeof core, "%s", dcnn_blas_core());
    memcpy(first, core, sizeof first);
    MPI_Bcast(first, sizeof first, MPI_CHAR, 0, comm->world);
    dcnn_status status = DCNN_OK;
    if (strcmp(core, first) != 0)
        status = DCNN_FAIL(DCNN_USAGE,
                           "OpenBLAS runs its '%s' kernels on rank 0 and '%s' on rank %d, so their bits differ: set "
                           "OPENBLAS_CORETYPE to the older of the two on all nodes (mpirun -x OPENBLAS_CORETYPE=%s)",
                           first, core, comm->rank, core);
    return dcnn_comm_agree(comm, status);
}

/* The same ranks, those of a node one after the other (equal keys keep their order), and of these those that are near
 * each other; rank 0 stays rank 0. */
static void order_by_node(MPI_Comm over, MPI_Comm *ordered) {
    MPI_Comm node, by_node;
    int first, rank, number;
    MPI_Comm_rank(over, &first);
    MPI_Comm_split_type(over, MPI_COMM_TYPE_SHARED, first, MPI_INFO_NULL, &node);
    MPI_Bcast(&first, 1, MPI_INT, 0, node);
    MPI_Comm_rank(node, &number);
    const int wanted = dcnn_comm_order_on_node(node);
    MPI_Comm_free(&node);
    MPI_Comm_split(over, 0, first, &by_node);
    MPI_Comm_rank(by_node, &rank);
    MPI_Comm_split(by_node, 0, rank - number + wanted, ordered);
    MPI_Comm_free(&by_node);
}

dcnn_status dcnn_comm_create(MPI_Comm over, dcnn_comm **out) {
    *out = NULL;
    dcnn_comm *comm = calloc(1, sizeof *comm);
    if (comm == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: starting MPI");
    *out = comm;
    MPI_Comm world;
    order_by_node(over, &world);
    DCNN_TRY(dcnn_comm_adopt(comm, world));
    return agree_on_kernels(comm);
}

dcnn_status dcnn_comm_create_over(const void *mpi_comm, dcnn_comm **comm) {
    int started;
    *comm = NULL;
    MPI_Initialized(&started);
    if (!started)
        return DCNN_FAIL(DCNN_USAGE, "a communicator was given, but MPI has not been started: MPI_Init() first");
    return dcnn_comm_create(*(const MPI_Comm *)mpi_comm, comm);
}

dcnn_status dcnn_comm_create_alone(dcnn_comm **out) {
    *out = NULL;
    dcnn_comm *comm = calloc(1, sizeof *comm);
    if (comm == NULL) return DCNN_FAIL(DCNN_FAILURE, "out of memory: a process alone");
    *out = comm;
    comm->world = comm->node = comm->domain.comm = comm->domain.rail = MPI_COMM_NULL;
    comm->size = comm->node_size = comm->node_count = 1;
    dcnn_comm_count_cores(comm);
    DCNN_TRY(dcnn_comm_make_domains(comm));
    return agree_on_kernels(comm);
}

dcnn_status dcnn_comm_split(dcnn_comm *comm, int group, dcnn_comm **part) {
    if (comm->world == MPI_COMM_NULL) return dcnn_comm_create_alone(part);
    MPI_Comm ranks;
    MPI_Comm_split(comm->world, group, comm->rank, &ranks);
    dcnn_status status = dcnn_comm_create(ranks, part);
    MPI_Comm_free(&ranks);
    if (*part) (*part)->cores = comm->cores; /* the other groups compute, too */
    return status;
}

void dcnn_comm_wait(dcnn_comm *comm, void (*on_wait)(void)) {
    const struct timespec moment = {.tv_nsec = 100000000};
    MPI_Request request;
    int done = comm->world == MPI_COMM_NULL;
    if (!done) MPI_Ibarrier(comm->world, &request);
    while (!done) {
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        on_wait();
        if (!done) nanosleep(&moment, NULL);
    }
}

dcnn_status dcnn_comm_adopt(dcnn_comm *comm, MPI_Comm world) {
    comm->world = world;
    MPI_Comm_rank(comm->world, &comm->rank);
    MPI_Comm_size(comm->world, &comm->size);
    DCNN_TRY(dcnn_comm_check_begin(comm));
    MPI_Comm_split_type(comm->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &comm->node);
    MPI_Comm_rank(comm->node, &comm->node_rank);
    MPI_Comm_size(comm->node, &comm->node_size);
    const int is_first = comm->node_rank == 0;
    MPI_Allreduce(&is_first, &comm->node_count, 1, MPI_INT, MPI_SUM, comm->world);
    dcnn_comm_count_cores(comm);
    return dcnn_comm_make_domains(comm);
}

void dcnn_comm_free(dcnn_comm *comm) {
    if (comm == NULL) return;
    DCNN_COMM_MEET(comm, 0);
    if (comm->idle.workers != comm) dcnn_comm_free(comm->idle.workers);
    dcnn_comm_release_gradient(comm);
    dcnn_comm_release_sums(comm);
    dcnn_comm_free_domains(comm);
    for (int i = DCNN_MAX_WINDOWS - 1; i >= 0; i--) dcnn_comm_unshare(comm, comm->windows[i].base);
    if (comm->node != MPI_COMM_NULL) MPI_Comm_free(&comm->node);
    dcnn_comm_check_end(comm);
    if (comm->world != MPI_COMM_NULL) MPI_Comm_free(&comm->world);
    free(comm);
}

dcnn_status dcnn_comm_start(int *argc, char ***argv, dcnn_comm **comm) {
    *comm = NULL;
    /* A process alone needs no MPI: that takes 0.1 s to start, and Open MPI 4 has one session folder,
     * /tmp/ompi.HOST.UID/jf.0, for all single processes of a user, in which one that ends removes what another one is
     * about to use. */
    if (dcnn_launcher_is_alone()) return dcnn_comm_create_alone(comm);
    yield_when_oversubscribed();
    skip_networks();
    keep_errors();
    int provided;
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return DCNN_FAIL(DCNN_FAILURE, "MPI cannot be started");
    const dcnn_status status = dcnn_comm_create(MPI_COMM_WORLD, comm);
    if (*comm) dcnn_comm_keep_to_a_core(*comm);
    const dcnn_status alone = *comm ? refuse_singletons(*comm) : DCNN_OK; /* the likelier reason for anything else */
    return alone != DCNN_OK ? alone : status;
}

void dcnn_comm_finish(dcnn_comm *comm) {
    int started;
    const bool has_lost = comm && comm->has_lost; /* then MPI_Finalize of Open MPI 5 hangs over several hosts */
    dcnn_comm_free(comm);
    MPI_Initialized(&started);
    if (started && !has_lost) MPI_Finalize();
}
