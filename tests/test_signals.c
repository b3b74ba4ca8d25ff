/* SPDX-License-Identifier: BSD-3-Clause */
/* test_signals.c — what asks a run to end: in a child process each, for signals stay noted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guard/launch.h"
#include "guard/signals.h"
#include "io/spill.h"

/* Runs `body` in a child process; its exit code. */
static int child(int (*body)(void)) {
    fflush(NULL);
    const pid_t process = fork();
    assert_true(process >= 0);
    if (process == 0) _exit(body());
    int status;
    assert_int_equal(waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void wait_ms(long ms) {
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static int two_at_once(void) {
    dcnn_signals_catch();
    raise(SIGTERM);
    raise(SIGUSR1);
    raise(SIGTERM);
    return dcnn_signals_caught() == SIGTERM ? 0 : 1;
}

static int one_later(void) {
    dcnn_signals_catch();
    raise(SIGUSR1);
    wait_ms(1100);
    raise(SIGUSR1);
    return 0;
}

static int interrupt_twice(void) {
    dcnn_signals_catch();
    raise(SIGINT);
    raise(SIGINT);
    return 0;
}

static int at_the_end(void) {
    dcnn_signals_catch();
    raise(SIGUSR1);
    dcnn_signals_leave();
    wait_ms(1100);
    raise(SIGTERM);
    return 0;
}

static void the_first_signal_is_noted_and_a_later_one_leaves(void **state) {
    (void)state;
    assert_int_equal(child(two_at_once), 0);
    assert_int_equal(child(one_later), 128 + SIGUSR1);
    assert_int_equal(child(interrupt_twice), 128 + SIGINT);
    assert_int_equal(child(at_the_end), 0);
}

static atomic_int place;

static int left_for_others(void) {
    dcnn_signals_share(&place);
    dcnn_signals_catch();
    raise(SIGUSR2);
    if (atomic_load(&place) != SIGUSR2) return 1;
    dcnn_signals_share(NULL);
    return dcnn_signals_caught() == SIGUSR2 ? 0 : 2;
}

static int left_by_others(void) {
    dcnn_signals_share(&place);
    if (dcnn_signals_caught() != 0) return 1;
    atomic_store(&place, SIGTERM);
    return dcnn_signals_caught() == SIGTERM ? 0 : 2;
}

static void a_shared_place_brings_signals_to_others(void **state) {
    (void)state;
    assert_int_equal(child(left_for_others), 0);
    assert_int_equal(child(left_by_others), 0);
}

static void set_end(int64_t from_now_s) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)time(NULL) + (long long)from_now_s);
    setenv("SLURM_JOB_END_TIME", text, 1);
}

static int near_end(void) {
    set_end(1000);
    if (dcnn_signals_watch_deadline(60) != 940 || dcnn_signals_caught() != 0) return 1;
    if (dcnn_signals_watch_deadline(0) >= 0) return 2;
    if (dcnn_signals_watch_deadline(900) != 750) return 3; /* three quarters of the time are the run's */
    set_end(-1);
    if (dcnn_signals_watch_deadline(60) >= 0 || dcnn_signals_caught() != 0) return 4;
    set_end(2);
    if (dcnn_signals_watch_deadline(60) > 2) return 5;
    wait_ms(2100);
    if (dcnn_signals_caught() != DCNN_SIGNAL_DEADLINE) return 6;
    unsetenv("SLURM_JOB_END_TIME");
    return dcnn_signals_watch_deadline(60) < 0 && dcnn_signals_caught() == 0 ? 0 : 7;
}

static void the_end_of_the_job_is_seen(void **state) {
    (void)state;
    assert_int_equal(child(near_end), 0);
}

static int more_ranks_than_cores(void) {
    static const char *const names[] = {"OMPI_MCA_rmaps_base_oversubscribe", "OMPI_MCA_rmaps_base_mapping_policy",
                                        "PRTE_MCA_rmaps_default_mapping_policy", "DCNN_OVERSUBSCRIBE"};
    static const char *const permissions[] = {"1", "slot:OVERSUBSCRIBE", "slot:oversubscribe", "1"};
    static const char *const refusals[] = {"0", "slot:NOOVERSUBSCRIBE", "slot", "0"};
    for (int i = 0; i < 4; i++) unsetenv(names[i]);
    if (dcnn_launch_check_cores(4, 4) != DCNN_OK || dcnn_launch_check_cores(5, 4) != DCNN_USAGE) return 1;
    for (int i = 0; i < 4; i++) {
        setenv(names[i], permissions[i], 1);
        if (dcnn_launch_check_cores(5, 4) != DCNN_OK) return 2 + i;
        setenv(names[i], refusals[i], 1);
        if (dcnn_launch_check_cores(5, 4) != DCNN_USAGE) return 6 + i;
        unsetenv(names[i]);
    }
    setenv("SLURM_JOB_ID", "17", 1); /* in a job srun is named, too */
    if (dcnn_launch_check_cores(5, 4) != DCNN_USAGE || !strstr(dcnn_error(), "--ntasks-per-node=4")) return 10;
    return 0;
}

static void ranks_beyond_the_cores_need_permission(void **state) {
    (void)state;
    assert_int_equal(child(more_ranks_than_cores), 0);
}

/* What srun without PMIx starts are single processes that know nothing of each other. */
static int tasks_of_srun(void) {
    static const char *const others[] = {"OMPI_COMM_WORLD_SIZE", "PRTE_LAUNCHED", "PMIX_RANK", "PMI_RANK", "PMI_FD"};
    static const char open_mpi[] = "Open MPI v4.1.4", other[] = "MPICH 4.0.2";
    for (int i = 0; i < 5; i++) unsetenv(others[i]);
    setenv("SLURM_PROCID", "0", 1);
    setenv("SLURM_STEP_ID", "0", 1);
    setenv("SLURM_STEP_NUM_TASKS", "1", 1);
    if (dcnn_launch_check_srun(open_mpi) != DCNN_OK) return 1;
    setenv("SLURM_STEP_NUM_TASKS", "2", 1);
    if (dcnn_launch_check_srun(open_mpi) != DCNN_USAGE || !strstr(dcnn_error(), "srun started 2 tasks")) return 2;
    if (dcnn_launch_check_srun(other) != DCNN_USAGE || !strstr(dcnn_error(), "the PMIx that MPICH 4.0.2 needs"))
        return 3;
    setenv("PMI_FD", "5", 1);
    if (dcnn_launch_check_srun(other) != DCNN_OK || dcnn_launch_check_srun(open_mpi) != DCNN_USAGE) return 4;
    setenv("PMIX_RANK", "0", 1);
    return dcnn_launch_check_srun(open_mpi) == DCNN_OK ? 0 : 5;
}

static int settings_of_words(void) {
    static const char *const names[] = {"DCNN_DOMAIN_RANKS", "DCNN_CHECK_COLLECTIVES", "DCNN_SOCKET_RANKS",
                                        "DCNN_NUMA_RANKS"};
    static const char *const wrong[4][4] = {
        {"0", "-1", "2x", "4294967296"}, {"2", "yes", "", "-1"}, {"0", "-4", "x", "2,2"}, {"0", "-4", "x", "2 2"}};
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            setenv(names[i], wrong[i][j], 1);
            if (dcnn_launch_check_environment() != DCNN_USAGE || !strstr(dcnn_error(), names[i])) return 1 + 4 * i + j;
        }
        setenv(names[i], "1", 1);
        if (dcnn_launch_check_environment() != DCNN_OK) return 17 + i;
    }
    return 0;
}

static void wrong_starts_are_refused(void **state) {
    (void)state;
    assert_int_equal(child(tasks_of_srun), 0);
    assert_int_equal(child(settings_of_words), 0);
}

/* A file that is mapped, for it is large, and cut by another program. */
static char cut[64];

static int look_behind_the_cut(void) {
    void *memory;
    size_t length, mapped;
    if (freopen("/dev/null", "w", stdout) == NULL) return 90;
    dcnn_signals_tell_cut_files();
    if (dcnn_spill_read(NULL, cut, &memory, &length, &mapped) != DCNN_OK || mapped == 0) return 91;
    const volatile char *bytes = memory;
    if (bytes[length - 1] != 0 || truncate(cut, 1) != 0) return 92;
    if (freopen(cut, "a", stderr) == NULL) return 93;
    return bytes[length - 1] == 0 ? 94 : 95;
}

static void files_that_are_cut_are_told(void **state) {
    (void)state;
    char said[256] = "", wanted[256];
    strcpy(cut, "/tmp/dcnn-cut-XXXXXX");
    const int file = mkstemp(cut);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, (off_t)(100 << 20)), 0);
    assert_int_equal(child(look_behind_the_cut), DCNN_FAILURE);
    assert_true(pread(file, said, sizeof said - 1, 1) > 0);
    snprintf(wanted, sizeof wanted, "dcnn: %s: became shorter, or unreadable, while it was being read; try again\n",
             cut);
    assert_string_equal(said, wanted);
    close(file);
    unlink(cut);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_signal_is_noted_and_a_later_one_leaves),
        cmocka_unit_test(a_shared_place_brings_signals_to_others),
        cmocka_unit_test(the_end_of_the_job_is_seen),
        cmocka_unit_test(ranks_beyond_the_cores_need_permission),
        cmocka_unit_test(files_that_are_cut_are_told),
        cmocka_unit_test(wrong_starts_are_refused),
    };
    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
