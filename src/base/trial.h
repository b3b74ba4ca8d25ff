/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file trial.h — a child process that reads what may crash a library, keep it busy for ever, or take all memory.
 *
 *     dcnn_trial trial;
 *     DCNN_TRY(dcnn_trial_start(path, &limits, &trial));
 *     if (trial.is_child) { …; _exit(0); }        // says what it has found by write(trial.pipe, …)
 *     …read(trial.pipe, …)…                       // the parent, to the end
 *     dcnn_trial_end(&trial, &state);
 */
#ifndef DCNN_BASE_TRIAL_H
#define DCNN_BASE_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/status.h"

typedef struct dcnn_trial_limits {
    size_t
        more_bytes; /**< of memory than the program has now; no limit in builds with sanitizers, which reserve more */
    unsigned cpu_s, wall_s;
} dcnn_trial_limits;

typedef struct dcnn_trial {
    bool is_child;
    int pipe; /**< the child writes to it, the parent reads; closed by dcnn_trial_end() */
    pid_t child;
} dcnn_trial;

/** Starts it. The child dies of signals at once, writes no core, and is silent. *Local.*
 * @param path  for messages @return DCNN_OK, in both processes; DCNN_FAILURE */
dcnn_status dcnn_trial_start(const char *path, const dcnn_trial_limits *limits, dcnn_trial *trial);

/** Reads so many bytes of what the child says. *Local.* @return bytes, fewer at its end */
size_t dcnn_trial_read(const dcnn_trial *trial, void *bytes, size_t length);

/** Writes all of it, in the child, which ends if nobody reads it. *Local.* */
void dcnn_trial_write(const dcnn_trial *trial, const void *bytes, size_t length);

/** Waits for the child. *Local.* @param state  out, as waitpid() has it; 0 if somebody else waited for it */
void dcnn_trial_end(dcnn_trial *trial, int *state);

/** Judges how it ended: of other ends than exit(0), what `library` did with this file. *Local.*
 * @return DCNN_OK; DCNN_BAD_INPUT; DCNN_FAILURE (killed) */
dcnn_status dcnn_trial_judge(const char *path, const char *library, const dcnn_trial_limits *limits, int state);

#endif
