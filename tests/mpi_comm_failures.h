/* SPDX-License-Identifier: BSD-3-Clause */
/* mpi_comm_failures.h — what may go wrong between ranks, and that all of them are told: for mpi_comm.c
 * alone. */
#ifndef DCNN_TESTS_MPI_COMM_FAILURES_H
#define DCNN_TESTS_MPI_COMM_FAILURES_H

#include <sys/statvfs.h>

#include "comm/comm_private.h"
#include "testing.h"

static dcnn_comm *everyone;

/* All ranks get the same status, and the same words. */
#define assert_all_fail(call, code, words)                                                                             \
    do {                                                                                                               \
        const dcnn_status got_ = (call);                                                                               \
        if (got_ != (code) || !strstr(dcnn_error(), (words)))                                                          \
            fail_msg("%s: status %d, \"%s\"; expected %d, \"%s\"", #call, got_, dcnn_error(), (code), (words));        \
    } while (0)

/* How often /dev/shm will still be full. */
static int refusals;
int __real_statvfs(const char *path, struct statvfs *about);
int __wrap_statvfs(const char *path, struct statvfs *about);
int __wrap_statvfs(const char *path, struct statvfs *about) {
    const int code = __real_statvfs(path, about);
    if (refusals > 0) about->f_bavail = 0;
    refusals -= refusals > 0;
    return code;
}

static bool no_windows;
int __real_MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *window);
int __wrap_MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *window);
int __wrap_MPI_Win_allocate_shared(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm, void *base, MPI_Win *window) {
    return no_windows ? MPI_ERR_NO_MEM : __real_MPI_Win_allocate_shared(size, unit, info, comm, base, window);
}

/* Where any two ranks share memory, all are told that there is none left; after that there may be. */
static void a_lack_of_shared_memory_is_told_to_all(void **state) {
    (void)state;
    enum { BYTES = 3 << 20 };
    void *common, *own;
    if (everyone->domain.count == everyone->size) return;
    refusals = 1;
    assert_all_fail(dcnn_comm_share_domain(everyone, BYTES, 0, &common, &own), DCNN_FAILURE,
                    "/dev/shm has 0.0 KiB left, but the ranks of a node need 3.3 MiB to share: make it larger");
    refusals = 0;
    no_windows = true;
    assert_all_fail(dcnn_comm_share_domain(everyone, BYTES, 0, &common, &own), DCNN_FAILURE,
                    "MPI cannot share 3.0 MiB between the ranks of a node");
    no_windows = false;
    assert_int_equal(dcnn_comm_share_domain(everyone, BYTES, 0, &common, &own), DCNN_OK);
    dcnn_comm_unshare(everyone, common);
}

static void more_blocks_than_there_is_room_for_are_refused(void **state) {
    (void)state;
    void *blocks[DCNN_MAX_WINDOWS], *more, *own;
    bool writer;
    int count = 0;
    for (int i = 0; i < DCNN_MAX_WINDOWS; i++) count += everyone->windows[i].base == NULL;
    for (int i = 0; i < count; i++)
        assert_int_equal(dcnn_comm_share_nothing(everyone, 8, &blocks[i], &writer), DCNN_OK);
    assert_all_fail(dcnn_comm_share_nothing(everyone, 8, &more, &writer), DCNN_FAILURE, "too many shared blocks");
    assert_all_fail(dcnn_comm_share(everyone, 8, &more, &writer), DCNN_FAILURE, "too many shared blocks");
    assert_all_fail(dcnn_comm_share_domain(everyone, 8, 8, &more, &own), DCNN_FAILURE, "too many shared blocks");
    for (int i = 0; i < count; i++) dcnn_comm_unshare(everyone, blocks[i]);
    assert_int_equal(dcnn_comm_share(everyone, 8, &more, &writer), DCNN_OK);
    dcnn_comm_unshare(everyone, more);
}

static bool has_two_cores; /* ranks beside the first one are on another machine */
const char *__real_dcnn_blas_core(void);
const char *__wrap_dcnn_blas_core(void);
const char *__wrap_dcnn_blas_core(void) {
    if (!has_two_cores) return __real_dcnn_blas_core();
    return everyone->rank == 0 ? "Haswell" : "Zen";
}

static void machines_that_compute_other_bits_are_refused(void **state) {
    (void)state;
    dcnn_comm *mixed;
    has_two_cores = true;
    const dcnn_status status = dcnn_comm_create(everyone->world, &mixed);
    has_two_cores = false;
    dcnn_comm_free(mixed);
    if (everyone->size == 1) {
        assert_int_equal(status, DCNN_OK);
        return;
    }
    assert_all_fail(status, DCNN_USAGE, "'Haswell' kernels on rank 0 and 'Zen' on rank 1, so their bits differ: set ");
    assert_non_null(strstr(dcnn_error(), "mpirun -x OPENBLAS_CORETYPE="));
}

/* Nobody waits in a comm that has lost a rank, and an MPI that cannot do without one is not asked to. */
static void lost_ranks_are_told(void **state) {
    (void)state;
    everyone->broken = true;
    assert_all_fail(dcnn_comm_agree(everyone, DCNN_OK), DCNN_FAILURE, "a rank was lost");
    everyone->broken = false;
    assert_int_equal(dcnn_comm_agree(everyone, DCNN_OK), DCNN_OK);
    assert_all_fail(dcnn_comm_make_elastic(everyone), DCNN_USAGE, "--elastic needs ");
    assert_false(dcnn_comm_is_elastic(everyone));
}

/* MPI is started once, by main(); what it says the second time is up to a test. */
static int mpi_says = -1;
int __real_MPI_Init_thread(int *argc, char ***argv, int required, int *provided);
int __wrap_MPI_Init_thread(int *argc, char ***argv, int required, int *provided);
int __wrap_MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
    return mpi_says < 0 ? __real_MPI_Init_thread(argc, argv, required, provided) : mpi_says;
}

/* What a start says where the launcher's variables are these: each process would train alone. */
static void fail_to_start(const char *const (*variables)[2], int count, const char *words) {
    char text[160], before[64];
    dcnn_comm *alone;
    const char *const size = getenv("OMPI_COMM_WORLD_SIZE"); /* which another MPI does not set */
    snprintf(before, sizeof before, "%s", size ? size : "");
    unsetenv("OMPI_COMM_WORLD_SIZE");
    for (int i = 0; i < count; i++) setenv(variables[i][0], variables[i][1], 1);
    mpi_says = MPI_SUCCESS;
    const dcnn_status status = dcnn_comm_start(NULL, NULL, &alone);
    mpi_says = -1;
    dcnn_comm_free(alone);
    for (int i = 0; i < count; i++) unsetenv(variables[i][0]);
    if (size) setenv("OMPI_COMM_WORLD_SIZE", before, 1);
    snprintf(text, sizeof text, words, everyone->size);
    assert_all_fail(status, DCNN_USAGE, text);
}

static void processes_that_would_train_alone_are_refused(void **state) {
    (void)state;
    static const char *const mpirun[][2] = {{"OMPI_COMM_WORLD_SIZE", "99"}};
    static const char *const srun[][2] = {
        {"SLURM_PROCID", "0"}, {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "99"}};
    dcnn_comm *none;
    fail_to_start(mpirun, 1, "the launcher started 99 processes, but MPI sees %d: mpirun belongs");
    fail_to_start(srun, 3, "srun started 99 tasks, but MPI sees %d: srun and this MPI");
    mpi_says = MPI_ERR_OTHER;
    assert_all_fail(dcnn_comm_start(NULL, NULL, &none), DCNN_FAILURE, "MPI cannot be started");
    mpi_says = -1;
    assert_null(none);
}

/* A program that uses libdcnn must have started MPI itself. */
static char too_early[256];

static void a_communicator_before_mpi_is_refused(void **state) {
    (void)state;
    assert_string_equal(too_early, "a communicator was given, but MPI has not been started: MPI_Init() first");
}

#endif
