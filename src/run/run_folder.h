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

/** The newest whole checkpoint; those that are proven damaged are renamed *.bad with a warning. *path NULL: there is
 * none. *Local.* @return DCNN_OK; DCNN_FAILURE: it cannot be told, for something could not be read; nothing is changed
 */
dcnn_status dcnn_checkpoint_newest(const char *folder, char **path);

/** Removes all but the newest `keep` checkpoints. Failures are no matter. *Local.* */
void dcnn_checkpoint_prune(const char *folder, int keep);

#endif
