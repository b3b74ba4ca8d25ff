/* SPDX-License-Identifier: BSD-3-Clause */
/* launcher.c — see launcher.h. */
#include "base/launcher.h"

#include <stddef.h>
#include <stdlib.h>

typedef enum launcher_id { OPEN_MPI, PMIX, PMI, SLURM, LAUNCHERS } launcher_id;

/* Variables of a launcher: the process's number, all, those of its node. Of the first and the last the first that is
 * set counts: mpirun started by Slurm knows better. */
static const struct launcher {
    const char *rank, *ranks, *node_ranks;
} launchers[LAUNCHERS] = {
    [OPEN_MPI] = {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    [PMIX] = {"PMIX_RANK", "PMIX_SIZE", NULL},
    [PMI] = {"PMI_RANK", "PMI_SIZE", NULL}, /* MPICH's mpiexec, and srun --mpi=pmi2 */
    [SLURM] = {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS_PER_NODE"},
};

static bool is_set(const char *name) {
    return name && getenv(name);
}

static int number(const char *name) {
    const char *text = name ? getenv(name) : NULL;
    return text ? atoi(text) : 0;
}

int dcnn_launcher_rank(void) {
    for (int i = 0; i < LAUNCHERS; i++)
        if (is_set(launchers[i].rank)) return number(launchers[i].rank);
    return 0;
}

int dcnn_launcher_ranks(void) {
    int most = 0;
    for (int i = 0; i < LAUNCHERS; i++) {
        const int ranks = i == SLURM && !dcnn_launcher_is_srun() ? 0 : number(launchers[i].ranks);
        if (ranks > most) most = ranks;
    }
    return most;
}

int dcnn_launcher_node_ranks(void) {
    for (int i = 0; i < LAUNCHERS; i++)
        if (is_set(launchers[i].node_ranks)) return number(launchers[i].node_ranks);
    return 0;
}

bool dcnn_launcher_is_mpirun(void) {
    return is_set(launchers[OPEN_MPI].ranks) || dcnn_launcher_is_prte();
}

bool dcnn_launcher_is_prte(void) {
    return is_set("PRTE_LAUNCHED");
}

int dcnn_launcher_step_tasks(void) {
    return number(launchers[SLURM].ranks);
}

bool dcnn_launcher_has_pmix(void) {
    return is_set(launchers[PMIX].rank);
}

bool dcnn_launcher_has_pmi(void) {
    return is_set(launchers[PMI].rank) || is_set("PMI_FD");
}

/* In a batch script SLURM_PROCID is there too, but no step of a task. */
bool dcnn_launcher_is_srun(void) {
    return is_set(launchers[SLURM].rank) && is_set("SLURM_STEP_ID") && !is_set(launchers[OPEN_MPI].ranks);
}

bool dcnn_launcher_is_alone(void) {
    return dcnn_launcher_ranks() == 0 && !dcnn_launcher_has_pmix() && !is_set("SLURM_STEP_ID");
}
