/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file signals.h — what asks a run to end: SIGTERM, SIGINT, SIGUSR1, SIGUSR2, or the end of the job's time. The
 * training loop agrees on it at a step.
 */
#ifndef DCNN_GUARD_SIGNALS_H
#define DCNN_GUARD_SIGNALS_H

#include <stdatomic.h>
#include <stdint.h>

/** Stands for the end of the job's time among signal numbers. */
enum { DCNN_SIGNAL_DEADLINE = 1000 };

/** From now on a signal that is noted here is left in this place too, and one found there counts as noted; NULL:
 * nowhere. In memory that processes share, 0 to begin with. *Local.* */
void dcnn_signals_share(atomic_int *place);

/** The work is done, and other processes may be gone: nothing is shared any more, and SIGTERM, by which mpirun ends the
 * rest once the first rank has ended with 75, does not cut the end short. *Local.* */
void dcnn_signals_leave(void);

/**
 * From now on the first such signal is only noted. A launcher may send a signal twice, or two of them, so what comes
 * within a second is one request; a later signal, or SIGINT typed again, ends the process at once. *Local.*
 */
void dcnn_signals_catch(void);

/** From now on a look at a mapped file that another program has cut ends the process with 1 and a sentence, instead of
 * a bus error. *Local.* */
void dcnn_signals_tell_cut_files(void);

/**
 * From SLURM_JOB_END_TIME on, less `margin_s` (but at most a quarter of the time that is left now), the run is to end
 * as by a signal. Without that variable, or with margin_s 0, never. *Local.*
 * @return seconds from now until then; negative: never
 */
int64_t dcnn_signals_watch_deadline(int64_t margin_s);

/** The signal noted so far, DCNN_SIGNAL_DEADLINE, or 0. *Local.* */
int dcnn_signals_caught(void);

/** "SIGTERM" etc. *Local.* */
const char *dcnn_signal_name(int number);

#endif
