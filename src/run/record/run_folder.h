/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file run_folder.h — a run's folder, and its checkpoints; io/run_files.h names what lies in it.
 */
#ifndef DCNN_RUN_RUN_FOLDER_H
#define DCNN_RUN_RUN_FOLDER_H

#include "io/run_files.h"
#include "run/run.h"

/** FOLDER/NAME, malloc'd; NULL without memory. *Local.* */
char *dcnn_path_join(const char *folder, const char *name);

/** FOLDER/checkpoints/step-NNNNNNNN.h5, malloc'd. *Local.* */
char *dcnn_checkpoint_path(const char *folder, int64_t step);

/** Removes all but the newest `keep` checkpoints. Failures are no matter. *Local.* */
void dcnn_checkpoint_prune(const char *folder, int keep);

#endif
