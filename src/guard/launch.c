/* SPDX-License-Identifier: BSD-3-Clause */
/* launch.c — see launch.h. */
#include "guard/launch.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/launcher.h"

dcnn_status dcnn_launch_check_srun(const char *mpi_version) {
    const int tasks = dcnn_launcher_step_tasks();
    if (!dcnn_launcher_is_srun() || dcnn_launcher_is_mpirun() || tasks < 2 || dcnn_launcher_has_pmix()) return DCNN_OK;
    const bool open_mpi = strncmp(mpi_version, "Open MPI", 8) == 0; /* others speak Slurm's older PMI, too */
    if (!open_mpi && dcnn_launcher_has_pmi()) return DCNN_OK;
    return DCNN_FAIL(DCNN_USAGE,
                     "srun started %d tasks, but without the PMIx that %s needs to bring them together: use 'srun "
                     "--mpi=pmix dcnn …' ('srun --mpi=list' shows if Slurm has it), or 'mpirun dcnn …' in the job",
                     tasks, mpi_version);
}

dcnn_status dcnn_launch_check_environment(void) {
    static const struct {
        const char *name, *takes;
        long least, most;
    } settings[] = {{"DCNN_DOMAIN_RANKS", "the most ranks that share memory, from 1", 1, INT_MAX},
                    {"DCNN_SOCKET_RANKS", "the most ranks of a socket, from 1", 1, INT_MAX},
                    {"DCNN_NUMA_RANKS", "the most ranks of a NUMA domain, from 1", 1, INT_MAX},
                    {"DCNN_CHECK_COLLECTIVES", "1 (ranks compare their collectives) or 0", 0, 1}};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const char *text = getenv(settings[i].name);
        char *end = NULL;
        const long value = text ? strtol(text, &end, 10) : 0;
        const bool good = end != text && end && *end == '\0' && value >= settings[i].least && value <= settings[i].most;
        if (text && !good)
            return DCNN_FAIL(DCNN_USAGE, "%s=%.60s: it takes %s", settings[i].name, text, settings[i].takes);
    }
    return DCNN_OK;
}

/* A thread's stack is as large as the limit was when the program was loaded, so theirs is set by itself. */
dcnn_status dcnn_launch_check_stack(void) {
    enum { LEAST = 1 << 20, USUAL = 8 << 20 };
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= LEAST) return DCNN_OK; /* RLIM_INFINITY: the most */
    const rlim_t found = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < USUAL ? limit.rlim_max : USUAL;
    pthread_attr_t attributes;
    bool raised = limit.rlim_cur >= LEAST && setrlimit(RLIMIT_STACK, &limit) == 0;
    if (raised && (raised = pthread_attr_init(&attributes) == 0)) {
        raised = pthread_attr_setstacksize(&attributes, (size_t)limit.rlim_cur) == 0 &&
                 pthread_setattr_default_np(&attributes) == 0;
        pthread_attr_destroy(&attributes);
    }
    if (raised) return DCNN_OK;
    return DCNN_FAIL(
        DCNN_USAGE,
        "this process's limit (ulimit -s) leaves its stack %llu KiB, which is too little: raise it (ulimit "
        "-s 8192; in a job: in its script, or the site's limits.conf)",
        (unsigned long long)found / 1024);
}

/* What `mpirun --oversubscribe` (Open MPI 4) and `--map-by :OVERSUBSCRIBE` (4 and 5) leave in the environment. */
static bool may_oversubscribe(void) {
    static const char *const flags[] = {"OMPI_MCA_rmaps_base_oversubscribe", "DCNN_OVERSUBSCRIBE"};
    static const char *const policies[] = {"OMPI_MCA_rmaps_base_mapping_policy",
                                           "PRTE_MCA_rmaps_default_mapping_policy"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        const char *value = getenv(flags[i]);
        if (value && value[0] != '\0' && strcmp(value, "0") != 0 && strcasecmp(value, "false") != 0) return true;
    }
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        const char *value = getenv(policies[i]);
        if (value && strcasestr(value, "oversubscribe") && !strcasestr(value, "nooversubscribe")) return true;
    }
    return false;
}

dcnn_status dcnn_launch_check_cores(int ranks, int cores) {
    char host[256] = "this node";
    gethostname(host, sizeof host - 1);
    if (ranks <= cores || may_oversubscribe()) return DCNN_OK;
    if (dcnn_launcher_is_prte() && getenv("SLURM_JOB_ID") == NULL)
        return DCNN_OK; /* Open MPI 5 has asked, and tells not */
    if (getenv("SLURM_JOB_ID"))
        return DCNN_FAIL(DCNN_USAGE,
                         "%d ranks on %s, which has %d core%s for them: start 'srun --mpi=pmix --ntasks-per-node=%d "
                         "--cpus-per-task=1 dcnn …' or 'mpirun --map-by ppr:%d:node dcnn …' (set DCNN_OVERSUBSCRIBE=1 "
                         "if you mean it)",
                         ranks, host, cores, cores == 1 ? "" : "s", cores, cores);
    const char *consent = dcnn_launcher_is_mpirun() ? "'mpirun --oversubscribe …'" : "set DCNN_OVERSUBSCRIBE=1";
    return DCNN_FAIL(
        DCNN_USAGE,
        "%d ranks on %s, which has %d core%s for them: start 'mpirun -np %d dcnn …', for the same bits (or "
        "%s if you mean it)",
        ranks, host, cores, cores == 1 ? "" : "s", cores, consent);
}

static bool is_mpirun(pid_t process) {
    static const char *const names[] = {"mpirun", "mpiexec", "orterun", "prterun", "prte"};
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%lld/comm", (long long)process);
    FILE *file = fopen(path, "r");
    if (file == NULL) return false;
    if (fgets(name, sizeof name, file)) name[strcspn(name, "\n")] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* The helper lives in a session of its own, for launchers end their processes' groups, and holds no file open, for they
 * wait until their processes' output ends. */
void dcnn_launch_end_later(double grace_s) {
    const pid_t launcher = getppid();
    if (!is_mpirun(launcher) || fork() != 0) return;
    setsid();
    signal(SIGTERM, SIG_IGN);
    for (int file = 0; file < 1024; file++) close(file);
    for (int i = 0; i < (int)(10.0 * grace_s); i++) {
        poll(NULL, 0, 100);
        if (kill(launcher, 0) != 0) _exit(0);
    }
    if (is_mpirun(launcher)) kill(launcher, SIGKILL);
    _exit(0);
}
