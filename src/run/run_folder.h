/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file run_folder.h — the names of a run's files, and its checkpoints.
 */
#ifndef DCNN_RUN_RUN_FOLDER_H
#define DCNN_RUN_RUN_FOLDER_H

#include "run/run.h"

/* What lies in a run's folder, each name once. */
#define DCNN_RUN_RECORD      "run.json"    /* how each start was called, on what */
#define DCNN_RUN_RESULT      "result.json" /* what it came to */
#define DCNN_RUN_BEST        "best.h5"
#define DCNN_RUN_CHECKPOINTS "checkpoints"
#define DCNN_RUN_METRICS     "metrics.jsonl" /* a line an epoch */
#define DCNN_RUN_CSV         "metrics.csv"   /* the same with the columns of Keras' CSVLogger */
#define DCNN_RUN_STEPS       "steps.jsonl"
#define DCNN_RUN_HISTOGRAMS  "histograms.jsonl"
#define DCNN_RUN_PAGE        "report.html"
#define DCNN_RUN_FIGURES     "figures"
#define DCNN_RUN_EVENTS      "events.out.tfevents.dcnn"

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
