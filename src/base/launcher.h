/* SPDX-License-Identifier: BSD-3-Clause */
/** @file launcher.h — what mpirun, srun and their like tell the processes they start, before MPI does: one list. */
#ifndef DCNN_BASE_LAUNCHER_H
#define DCNN_BASE_LAUNCHER_H

#include <stdbool.h>

/** This process's number among those that were started together; 0 if no launcher says. *Local.* */
int dcnn_launcher_rank(void);

/** How many were started together, by whatever launcher says most; 0 if none says. A batch script's process of Slurm's
 * is alone. *Local.* */
int dcnn_launcher_ranks(void);

/** How many of them on this node; 0 if no launcher says. *Local.* */
int dcnn_launcher_node_ranks(void);

/** Did mpirun start it? Did Slurm's srun, without mpirun? *Local.* */
bool dcnn_launcher_is_mpirun(void);
bool dcnn_launcher_is_srun(void);

/** Tasks of srun's step; 0: none. Do Slurm's PMIx, its older PMI, or Open MPI 5's own launcher speak to this process?
 * *Local.* */
int dcnn_launcher_step_tasks(void);
bool dcnn_launcher_has_pmix(void);
bool dcnn_launcher_has_pmi(void);
bool dcnn_launcher_is_prte(void);

/** Was it started by itself, by no launcher that could bring several together? *Local.* */
bool dcnn_launcher_is_alone(void);

#endif
